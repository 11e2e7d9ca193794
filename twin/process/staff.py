"""Who does the work, and when: pools, members, shifts and calendars of a process file."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from twin.process.parts import Part, as_tuple, date_field, money_field, time_of_day

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DaySet = Literal["trading", "every"] | frozenset[int]
"""Trading days, every day, or a set of weekdays (Monday is 0)."""


def day_set(value: Any) -> Any:
    """Days as written: `trading`, `every`, `mon-fri`, `sat`, or a list of such."""
    if value in ("trading", "every") or isinstance(value, frozenset):
        return value
    found: set[int] = set()
    for item in value if isinstance(value, list | tuple) else [value]:
        first, _, last = str(item).lower().partition("-")
        names = [first[:3], (last or first)[:3]]
        if any(n not in WEEKDAYS for n in names):
            raise ValueError(f"{item!r} is not a day; write trading, every, mon-fri, or a list such as [mon, wed]")
        a, b = (WEEKDAYS.index(n) for n in names)
        found.update((a + k) % 7 for k in range((b - a) % 7 + 1))
    return frozenset(found)


class Shift(Part):
    """Staff present between two times of day; a shift that ends before it starts ends on the next day."""

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    staff: int = Field(ge=0)
    days: DaySet = "trading"

    @field_validator("start", "end", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return time_of_day(value)

    @field_validator("days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        return day_set(value)


class Hours(Part):
    """An interval of work on some days; one that ends before it starts ends on the next day."""

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    days: DaySet = "every"

    @field_validator("start", "end", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return time_of_day(value)

    @field_validator("days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        return day_set(value)


class Calendar(Part):
    """Weekly hours with breaks, less holidays.

    Args:
        hours: intervals of work; the gaps between them are breaks. A list stands for `hours`.
        closed: dates without work.
        holidays: `trading`: no work on days on which the Shanghai exchange is closed.
    """

    hours: tuple[Hours, ...]
    closed: tuple[dt.date, ...] = ()
    holidays: Literal["none", "trading"] = "none"

    @model_validator(mode="before")
    @classmethod
    def _list(cls, data: Any) -> Any:
        return {"hours": data} if isinstance(data, list | tuple) else data

    @field_validator("hours", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @field_validator("closed", mode="before")
    @classmethod
    def _dates(cls, value: Any) -> Any:
        return tuple(date_field(v) for v in value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _some(self) -> Calendar:
        if not self.hours:
            raise ValueError("a calendar needs hours")
        return self


GivenTo = Literal["on_duty", "first_free"]
Pace = tuple[Annotated[float, Field(gt=0)], ...]


def _check_pace(at_once: int, pace: Pace | None) -> None:
    if pace is not None and len(pace) != at_once:
        raise ValueError(f"pace needs {at_once} values: the speed of each of 1, 2, ... cases handled at once")


class Member(Part):
    """A person of a pool, or several alike.

    Args:
        count: how many alike; they are called name-1, name-2, ...
        skills: what the member can do; a task may ask for some.
        speed: work done per unit of time, 1 = as the task says.
        calendar: name of the working hours; without it those of the pool, else always.
        cost_per_hour: fen, of time at work.
        at_once: most cases handled at the same time.
        pace: speed of each case when 1, 2, ... are handled at once; without it 1/number.
    """

    name: str
    count: int = Field(default=1, ge=1)
    skills: tuple[str, ...] = ()
    speed: float = Field(default=1.0, gt=0)
    calendar: str | None = None
    cost_per_hour: int | None = None
    at_once: int | None = Field(default=None, ge=1, le=64)
    pace: Pace | None = None

    @field_validator("skills", "pace", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @field_validator("cost_per_hour", mode="before")
    @classmethod
    def _money(cls, value: Any) -> Any:
        return money_field(value)

    @model_validator(mode="after")
    def _paces(self) -> Member:
        if self.pace is not None:
            _check_pace(self.at_once or 1, self.pace)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the individuals."""
        return (self.name,) if self.count == 1 else tuple(f"{self.name}-{i + 1}" for i in range(self.count))


class Pool(Part):
    """People or machines that do tasks.

    Args:
        kind: staff, or machine (which is always on; its hours are not staff hours).
        staff: how many, at all times or in the hours of `calendar`; `unlimited` if nobody has to wait.
        shifts: or how many at which times; shifts that overlap add up.
        members: or individuals.
        calendar: name of the working hours of `staff`, and of members without hours of their own.
        preempt: an urgent case interrupts one of a lower priority, which later goes on (`true` or `resume`) or starts
            over (`repeat`).
        at_end_of_shift: work under way is finished, or paused until somebody is there again.
        queue: of equal priority, who waits is served in order of coming (`first_come`), or the case that began first
            (`oldest_case`).
        allocation: who of the free takes a case: who has been idle longest, the first listed, or any.
        given_to: who counts as free: members `on_duty`; or `first_free`, whoever has nothing in hand, at work or not
            (from his first hours on): a case then waits for the hours of its member even if others are at work.
        cost_per_hour: fen, of time at work.
        at_once, pace: as for members, of all who say nothing else.
    """

    kind: Literal["staff", "machine"] = "staff"
    staff: Annotated[int, Field(ge=0)] | Literal["unlimited"] | None = None
    shifts: tuple[Shift, ...] = ()
    members: tuple[Member, ...] = ()
    calendar: str | None = None
    preempt: bool | Literal["resume", "repeat"] = False
    at_end_of_shift: Literal["finish", "pause"] = "finish"
    queue: Literal["first_come", "oldest_case"] = "first_come"
    allocation: Literal["longest_idle", "preferred", "random"] = "longest_idle"
    given_to: GivenTo = "on_duty"
    cost_per_hour: int = 0
    at_once: int = Field(default=1, ge=1, le=64)
    pace: Pace | None = None

    @field_validator("shifts", "members", "pace", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @field_validator("cost_per_hour", mode="before")
    @classmethod
    def _money(cls, value: Any) -> Any:
        return money_field(value)

    @model_validator(mode="after")
    def _one_of(self) -> Pool:
        if sum([self.staff is not None, bool(self.shifts), bool(self.members)]) != 1:
            raise ValueError("a pool needs either staff or shifts or members")
        if self.kind == "machine" and (self.shifts or self.calendar):
            raise ValueError("a machine is always on and has no shifts or calendar")
        if self.shifts and self.calendar:
            raise ValueError("shifts say their hours themselves; calendar goes with staff or members")
        if self.at_once > 1 and not (self.members or isinstance(self.staff, int)):
            raise ValueError("at_once needs members, or staff as a number")
        if self.given_to == "first_free" and not (self.members and self.at_end_of_shift == "pause"):
            raise ValueError("given_to: first_free needs members whose work pauses; give at_end_of_shift: pause")
        if self.pace is not None:
            _check_pace(self.at_once, self.pace)
        names = [n for m in self.members for n in m.names]
        twice = [n for n in names if names.count(n) > 1]
        if twice:
            raise ValueError(f"member {twice[0]!r} is listed twice")
        return self

    @property
    def individuals(self) -> bool:
        """Whether it matters who of the pool does the work."""
        return bool(self.members) or self.at_once > 1
