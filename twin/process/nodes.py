"""The nodes of a process file: work, waiting, gateways and ends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from twin.process.distributions import Distribution, duration_field
from twin.process.parts import BySegment, Part, Probability, Scale, When, as_tuple, money_field, time_of_day
from twin.process.staff import DaySet, day_set


class Branch(Part):
    """One way out of a node.

    Branches with `when` are tried in order, and the first that holds is taken; if none holds, one of the others is
    drawn by its probability. At an inclusive split every branch decides for itself.
    """

    to: str
    probability: BySegment[Probability] = BySegment[Probability](default=1.0)
    when: When | None = None

    @model_validator(mode="before")
    @classmethod
    def _name(cls, data: Any) -> Any:
        return {"to": data} if isinstance(data, str) else data


class Timed(Part):
    """A branch of a race or a boundary event: goes to a node after some time.

    Args:
        after: since the node was entered.
        probability: that it happens at all.
        calendar: name of the hours in which the time runs; without it always.
    """

    to: str
    after: BySegment[Distribution]
    probability: BySegment[Probability] = BySegment[Probability](default=1.0)
    calendar: str | None = None


class Boundary(Timed):
    """An event on a task: a timer or a message.

    Args:
        interrupting: the task is given up and the case goes to `to`; otherwise it goes on, and a second token starts
            there (escalation).
    """

    interrupting: bool = True


class Rework(Part):
    """With a probability the work has to be done again, from node `to`.

    Args:
        limit: after so many attempts at the node a further failure leads to `otherwise`; without it there is no limit.
    """

    to: str
    probability: BySegment[Probability]
    limit: int | None = Field(default=None, ge=1)
    otherwise: str | None = None


class Retry(Part):
    """Who has left the queue may come back to the task after a while.

    Args:
        after: time until then.
        attempts: most attempts at the task, the first included.
    """

    probability: BySegment[Probability]
    after: BySegment[Distribution]
    attempts: int | None = Field(default=None, ge=1)


class Count(Part):
    """How often: a fixed number, drawn by shares, or the value of a numeric attribute (rounded, at least 1)."""

    fixed: int | None = Field(default=None, ge=1, le=4096)
    shares: dict[int, Probability] = Field(default_factory=dict)
    attribute: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _number(cls, data: Any) -> Any:
        return {"fixed": data} if isinstance(data, int) else data

    @field_validator("shares", mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if not all(str(k).isdigit() and 1 <= int(k) <= 4096 for k in value):
            raise ValueError("shares are given for numbers from 1 to 4096")
        return {int(k): v for k, v in value.items()}

    @model_validator(mode="after")
    def _one_of(self) -> Count:
        if sum([self.fixed is not None, bool(self.shares), self.attribute is not None]) != 1:
            raise ValueError("a count is a number, shares, or an attribute")
        if self.shares and abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(f"the shares sum to {sum(self.shares.values()):g}; they must sum to 1")
        return self


class Repeat(Part):
    """A task done several times in one visit (multi-instance)."""

    count: Count
    mode: Literal["parallel", "sequential"] = "sequential"


class Batch(Part):
    """Cases are collected and worked on together.

    A batch starts when `size` have come, when the first has waited `longest_wait`, or at the times of day `at`.

    Args:
        size: number that starts a batch, and the most in one.
        longest_wait: of the first in the batch.
        at: times of day, on `days`; all who are there then go.
        service: one service time per batch (that of its first case), or those of its items one after the other.
        mode: all begin and go on together; or `sequential`: one after the other by the same member, in the order in
            which they came, and each begins and goes on by itself.
    """

    size: int | None = Field(default=None, ge=1)
    longest_wait: int | None = Field(default=None, ge=0)
    at: tuple[int, ...] = ()
    days: DaySet = "every"
    service: Literal["batch", "item"] = "batch"
    mode: Literal["parallel", "sequential"] = "parallel"

    @field_validator("longest_wait", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return None if value is None else duration_field(value)

    @field_validator("at", mode="before")
    @classmethod
    def _times(cls, value: Any) -> Any:
        return tuple(time_of_day(v) for v in (value if isinstance(value, list | tuple) else [value]))

    @field_validator("days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        return day_set(value)

    @model_validator(mode="after")
    def _ends(self) -> Batch:
        if self.size is None and self.longest_wait is None and not self.at:
            raise ValueError("a batch needs size, longest_wait or at")
        if self.size != 1 and self.longest_wait is None and not self.at:
            raise ValueError("whoever is left would wait for ever; give longest_wait or at")
        if self.mode == "sequential" and self.service == "batch":
            raise ValueError("one after the other, each has a service time of its own; give service: item")
        return self


class QueueLimit(Part):
    """Most cases that may wait at a task; who comes when it is full is refused, or blocks where he comes from.

    Args:
        to: node of who is refused; without it the case ends as refused.
    """

    most: int = Field(ge=0)
    when_full: Literal["refuse", "block"] = "refuse"
    to: str | None = None

    @model_validator(mode="after")
    def _target(self) -> QueueLimit:
        if self.when_full == "block" and self.to is not None:
            raise ValueError("who is blocked goes nowhere; `to` belongs to when_full: refuse")
        return self


class HourFactor(Part):
    """Multiplies service times of work that starts between two times of day (whole quarters of an hour)."""

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    factor: float = Field(gt=0)
    days: DaySet = "every"

    @field_validator("start", "end", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        found = time_of_day(value)
        if found % 900_000_000_000:
            raise ValueError("times here are whole quarters of an hour")
        return found

    @field_validator("days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        found = day_set(value)
        if found == "trading":
            raise ValueError("days here are every or weekdays")
        return found


class _Node(Part):
    """What all nodes share.

    `label` is the name of the activity in event logs; without it the name of the node. Several nodes may share it.
    """

    next: str | tuple[Branch, ...] = ()
    active: bool = True
    label: str | None = None

    @field_validator("next", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Ways out, with probabilities."""
        return (Branch(to=self.next),) if isinstance(self.next, str) else self.next


class Task(_Node):
    """Work by one member of a pool.

    Args:
        patience: how long a case waits here before it leaves; without it, for ever.
        on_abandon: node that a case enters when it leaves here; without it the case ends as abandoned.
        retry: who leaves may come back before that.
        burden: felt time per time in service, for the patience of the whole case (see `CasePatience`).
        priority: 0 is served first.
        target: waits up to this are within the service level.
        active: whether the client is engaged meanwhile, so that time counts as his.
        skills: what a member must have; needs a pool with members.
        members: only these members; needs a pool with members.
        by_member: service times of some members, instead of `service`.
        scale: factors on the service time, whoever does the work (see `Scale`).
        by_hour: factors on the service time by the hour in which the work starts; the first that fits counts.
        boundary: events while the case is here, waiting or in service.
        cost: fen per execution.
    """

    kind: Literal["task"]
    pool: str
    service: BySegment[Distribution]
    patience: BySegment[Distribution] | None = None
    on_abandon: str | None = None
    retry: Retry | None = None
    rework: Rework | None = None
    burden: float | None = Field(default=None, ge=0)
    priority: BySegment[Annotated[int, Field(ge=0, le=7)]] = BySegment[Annotated[int, Field(ge=0, le=7)]](default=0)
    target: int = 0
    skills: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    by_member: dict[str, Distribution] = Field(default_factory=dict)
    scale: tuple[Scale, ...] = ()
    by_hour: tuple[HourFactor, ...] = ()
    boundary: tuple[Boundary, ...] = ()
    repeat: Repeat | None = None
    batch: Batch | None = None
    queue_limit: QueueLimit | None = None
    cost: int = 0

    @field_validator("target", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return duration_field(value)

    @field_validator("cost", mode="before")
    @classmethod
    def _money(cls, value: Any) -> Any:
        return money_field(value)

    @field_validator("skills", "members", "by_hour", "boundary", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return as_tuple(value)

    @field_validator("scale", mode="before")
    @classmethod
    def _scales(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else as_tuple(value)

    @model_validator(mode="after")
    def _compatible(self) -> Task:
        if self.batch is not None and self.repeat is not None:
            raise ValueError("a task is done in batches or repeated, not both")
        if self.batch is not None and self.queue_limit is not None:
            raise ValueError("a task in batches has no queue limit: its batches are the queue")
        if self.repeat is not None and self.queue_limit is not None:
            raise ValueError("a repeated task has no queue limit")
        if self.retry is not None and self.patience is None:
            raise ValueError("retry follows patience, which is missing")
        return self


class Choice(_Node):
    """Exclusive gateway: goes one of several ways, at once."""

    kind: Literal["choice"]


class Fork(_Node):
    """Parallel gateway that goes all its ways at once."""

    kind: Literal["fork"]


class Join(_Node):
    """Parallel gateway that waits for one token from every way in."""

    kind: Literal["join"]


class InclusiveSplit(_Node):
    """Inclusive gateway: every branch is taken or not, by its own probability or condition, but at least one.

    Args:
        otherwise: node to go to if no branch is taken; without it one branch is drawn in proportion to the
            probabilities (conditions count as 1).
    """

    kind: Literal["inclusive_split"]
    otherwise: str | None = None


class InclusiveJoin(_Node):
    """Inclusive gateway that waits until no other token of the case can still come here."""

    kind: Literal["inclusive_join"]


class Race(Part):
    """Event-based gateway: waits for the first of several timers or messages; of equals the first listed."""

    kind: Literal["race"]
    next: tuple[Timed, ...]
    active: bool = True
    label: str | None = None

    @field_validator("next", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Ways out; which is taken depends on time alone."""
        return tuple(Branch(to=b.to) for b in self.next)


class Delay(_Node):
    """Takes time, but nobody's.

    Args:
        calendar: name of the hours in which the time runs; without it always.
        scale: factors on it (see `Scale`).
    """

    kind: Literal["delay"]
    duration: BySegment[Distribution]
    calendar: str | None = None
    scale: tuple[Scale, ...] = ()

    @field_validator("scale", mode="before")
    @classmethod
    def _scales(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else as_tuple(value)


class Window(_Node):
    """Opens at set times; a case that comes outside waits for the next opening.

    Args:
        next_day: a case waits for the opening of a later day even if the window is open.
    """

    kind: Literal["window"]
    opens: int
    closes: int
    days: DaySet = "trading"
    next_day: bool = False

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return time_of_day(value)

    @field_validator("days", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        return day_set(value)

    @model_validator(mode="after")
    def _order(self) -> Window:
        if self.opens >= self.closes:
            raise ValueError("a window closes after it opens")
        return self


class End(Part):
    """Where tokens leave the process.

    Args:
        terminate: the whole case ends, whatever else is under way in it; by default if the outcome is not `served`.
    """

    kind: Literal["end"]
    outcome: Literal["served", "abandoned", "refused"] = "served"
    terminate: bool | None = None
    label: str | None = None

    @property
    def ends_case(self) -> bool:
        """Whether the whole case ends here."""
        return self.outcome != "served" if self.terminate is None else self.terminate


Node = Annotated[
    Task | Choice | Delay | Window | Fork | Join | InclusiveSplit | InclusiveJoin | Race | End,
    Field(discriminator="kind"),
]
NODE_KINDS: dict[str, type[Part]] = {
    "task": Task,
    "choice": Choice,
    "delay": Delay,
    "window": Window,
    "fork": Fork,
    "join": Join,
    "inclusive_split": InclusiveSplit,
    "inclusive_join": InclusiveJoin,
    "race": Race,
    "end": End,
}
