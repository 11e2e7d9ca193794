"""A business process as data: nodes, pools of staff, and where a case goes from each node.

The format of process files is described in docs/processes.md. Assumes: within a queue, urgent cases first, then first
come, first served.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from twin.contracts import Segment
from twin.errors import ScenarioError
from twin.process.arrivals import Profile
from twin.process.checks import problems, require_sound
from twin.process.distributions import Distribution
from twin.process.nodes import (
    NODE_KINDS,
    Batch,
    Boundary,
    Branch,
    Choice,
    Count,
    Delay,
    End,
    Fork,
    HourFactor,
    InclusiveJoin,
    InclusiveSplit,
    Join,
    Node,
    QueueLimit,
    Race,
    Repeat,
    Retry,
    Rework,
    Task,
    Timed,
    Window,
)
from twin.process.parts import (
    Attribute,
    BySegment,
    Case,
    Part,
    Path,
    Probability,
    Scale,
    SegmentName,
    When,
    as_tuple,
    time_of_day,
)
from twin.process.quantities import parse_rate_per_s
from twin.process.staff import WEEKDAYS, Calendar, DaySet, Hours, Member, Pool, Shift, day_set

__all__ = [
    "NODE_KINDS",
    "Attribute",
    "Batch",
    "Boundary",
    "Branch",
    "BySegment",
    "Calendar",
    "Case",
    "CasePatience",
    "Choice",
    "Count",
    "DayArrivals",
    "Deadline",
    "Delay",
    "Dispersion",
    "End",
    "Fork",
    "HourFactor",
    "Hours",
    "InclusiveJoin",
    "InclusiveSplit",
    "Join",
    "Member",
    "Node",
    "Part",
    "Path",
    "Period",
    "Pool",
    "Probability",
    "ProcessModel",
    "QueueLimit",
    "Race",
    "Repeat",
    "Retry",
    "Rework",
    "Scale",
    "Segment",
    "SegmentName",
    "Shift",
    "Spacing",
    "Task",
    "Timed",
    "When",
    "Window",
    "problems",
    "require_sound",
]


class Period(Part):
    """A relative rate of arrivals between two times of day, on some days."""

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    weight: float = Field(ge=0)
    days: DaySet = "every"

    @field_validator("start", "end", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return time_of_day(value)

    @field_validator("days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        return day_set(value)


class Dispersion(Part):
    """Arrivals more variable than a Poisson process: the day's total is multiplied by a gamma variable of mean 1.

    Args:
        cv: standard deviation of that factor.
    """

    cv: float = Field(gt=0)


class Spacing(Part):
    """Arrivals steadier or more bunched than a Poisson process, in the time in which one is expected per unit.

    Busy hours are stretched and quiet ones shrunk until one arrival is expected in every unit of time; there the gaps
    between arrivals are drawn from those listed (I. Gerhardt and B. L. Nelson 2009, INFORMS J. Comput. 21, 630).

    Args:
        gaps: to choose from, in any unit; they are divided by their mean.
        run: so many that follow each other in the list are drawn together (behind the last comes the first); 1 for gaps
            independent of each other.
    """

    gaps: tuple[Annotated[float, Field(ge=0)], ...]
    run: int = Field(default=1, ge=1)

    @field_validator("gaps", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @model_validator(mode="after")
    def _moving(self) -> Spacing:
        if not sum(self.gaps) > 0:
            raise ValueError("spacing needs gaps, at least one of them above zero")
        if self.run > len(self.gaps):
            raise ValueError(f"run: {self.run} gaps in a row cannot be drawn from {len(self.gaps)}")
        return self


class DayArrivals(Part):
    """Arrivals: their expected number on an ordinary day and when they come, or the times between them.

    Args:
        per_day: in a file `rate`, such as 2200/day; the mean over the days that have arrivals.
        profile: relative rate by time of day. Periods with `days` hold on these only, and the days then differ in their
            totals as their weights say.
        weekdays: factors on the day's total, such as {mon: 1.2}; days not named have 1.
        dispersion: see `Dispersion`.
        spacing: see `Spacing`; not with dispersion.
        gap: instead of a rate: times between arrivals, independent of each other (a renewal process).
        calendar: with `gap`: hours in which cases come.
        when_closed: outside these hours the time between arrivals stands still (`paused`), or it runs, and who would
            come then comes at the next opening, where it starts anew (`postponed`).
    """

    per_day: float = Field(default=0.0, alias="rate", ge=0)
    profile: tuple[Period, ...] = ()
    weekdays: dict[str, float] = Field(default_factory=dict)
    dispersion: Dispersion | None = None
    spacing: Spacing | None = None
    gap: Distribution | None = None
    calendar: str | None = None
    when_closed: Literal["paused", "postponed"] = "paused"

    @field_validator("per_day", mode="before")
    @classmethod
    def _per_day(cls, value: Any) -> Any:
        try:
            return parse_rate_per_s(value) * 86_400
        except ScenarioError as error:
            raise ValueError(str(error)) from error

    @field_validator("profile", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @field_validator("weekdays")
    @classmethod
    def _weekdays(cls, value: dict[str, float]) -> dict[str, float]:
        for name, factor in value.items():
            if name not in WEEKDAYS:
                raise ValueError(f"{name!r} is not a weekday; write one of {', '.join(WEEKDAYS)}")
            if factor < 0:
                raise ValueError("a factor is not negative")
        return value

    @model_validator(mode="after")
    def _one_of(self) -> DayArrivals:
        rated = bool({"per_day", "rate"} & self.model_fields_set)
        if rated == (self.gap is not None):
            raise ValueError("arrivals need either a rate or a gap")
        if rated and not self.profile:
            raise ValueError("a rate needs a profile")
        if self.gap is None and self.calendar is not None:
            raise ValueError("a calendar goes with gap; a rate has its profile")
        if self.gap is not None and (self.profile or self.weekdays or self.dispersion or self.spacing):
            raise ValueError("profile, weekdays, dispersion and spacing go with a rate")
        if self.dispersion is not None and self.spacing is not None:
            raise ValueError("give dispersion or spacing: either says how variable arrivals are")
        return self

    @property
    def day_profile(self) -> Profile:
        """The profile of one day, in ns since midnight, of the periods that hold every day."""
        return Profile.of_periods([(p.start, p.end, p.weight) for p in self.profile if p.days == "every"])


class CasePatience(Part):
    """How much a client bears in a whole case before he leaves, between two steps or while he waits.

    Time waiting in active nodes counts in full, time in service counts `burden` of it: occupied time feels shorter than
    unoccupied time (Maister 1985).
    """

    patience: BySegment[Distribution]
    burden: float = Field(default=1.0, ge=0)


class Deadline(Part):
    """A time limit of the case or of a section of it.

    Args:
        after: since the case began, or first entered the node `begins`.
        begins: in a file `from`; node whose entry starts the clock.
        until: node whose entry stops it; without it the end of the case.
        to: node that a token enters when the time is up; without it the breach is only counted.
        interrupting: all that is under way in the section is given up; otherwise it goes on beside the escalation.
        calendar: name of the hours in which the time runs.
    """

    after: BySegment[Distribution]
    begins: str | None = Field(default=None, alias="from")
    until: str | None = None
    to: str | None = None
    interrupting: bool = False
    calendar: str | None = None

    @model_validator(mode="after")
    def _target(self) -> Deadline:
        if self.interrupting and self.to is None:
            raise ValueError("a deadline that interrupts says where the case goes: give `to`")
        return self


class ProcessModel(Part):
    """A process: cases enter at `start` and go from node to node.

    `milestone` names a node; the times of cases that first reach it are measured apart (when the client has done his
    part, for instance).
    """

    name: str
    start: str
    pools: dict[str, Pool] = Field(default_factory=dict)
    nodes: dict[str, Node]
    milestone: str | None = None
    attributes: dict[str, Attribute] = Field(default_factory=dict)
    calendars: dict[str, Calendar] = Field(default_factory=dict)
    deadlines: dict[str, Deadline] = Field(default_factory=dict)
    case_patience: CasePatience | None = None
    arrivals: DayArrivals | None = None
    description: str = ""
