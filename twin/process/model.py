"""A business process as data: nodes, pools of staff, and where a case goes from each node.

Assumes: within a queue, urgent cases first, then first come, first served; work under way is finished, also after the
end of a shift; a case is in one node at a time.
Does not model: parallel branches, batches, skills within a pool.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from twin.clock import DAY, at
from twin.contracts import Segment
from twin.errors import ScenarioError
from twin.process.arrivals import Profile
from twin.process.distributions import Distribution, duration_field
from twin.process.quantities import parse_rate_per_s

SegmentName = Literal["retail", "gen_z", "hnw", "institution"]
T = TypeVar("T")
Path = tuple[str | int, ...]


class Part(BaseModel):
    """Base of all parts of a process file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: str = ""


class BySegment(Part, Generic[T]):
    """A value, with other values for some kinds of client."""

    default: T
    by_segment: dict[SegmentName, T] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        return data if isinstance(data, dict) and "default" in data else {"default": data}

    def of(self, segment: Segment) -> T:
        """The value for a kind of client."""
        for name, value in self.by_segment.items():
            if name == segment.name.lower():
                return value
        return self.default


Probability = Annotated[float, Field(ge=0, le=1)]


class Branch(Part):
    """One way out of a node."""

    to: str
    probability: BySegment[Probability] = BySegment[Probability](default=1.0)


class Rework(Part):
    """With a probability the work has to be done again, from node `to`.

    Args:
        limit: after so many attempts at the node a further failure leads to `otherwise`; without it there is no limit.
    """

    to: str
    probability: BySegment[Probability]
    limit: int | None = Field(default=None, ge=1)
    otherwise: str | None = None


class Shift(Part):
    """Staff present between two times of day; a shift that ends before it starts ends on the next day."""

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    staff: int = Field(ge=0)
    days: Literal["trading", "every"] = "trading"

    @field_validator("start", "end", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return _time_of_day(value)


def _time_of_day(value: Any) -> int:
    """Nanoseconds since midnight; 24:00 is the end of the day."""
    if value == "24:00":
        return DAY
    try:
        return at(str(value))
    except ScenarioError as error:
        raise ValueError(str(error)) from error


class Pool(Part):
    """People or machines that do tasks.

    Args:
        kind: staff, or machine (which is always on; its hours are not staff hours).
        staff: how many, at all times; `unlimited` if nobody has to wait.
        shifts: or how many at which times; shifts that overlap add up.
    """

    kind: Literal["staff", "machine"] = "staff"
    staff: Annotated[int, Field(ge=0)] | Literal["unlimited"] | None = None
    shifts: tuple[Shift, ...] = ()

    @field_validator("shifts", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_of(self) -> Pool:
        if (self.staff is None) == (not self.shifts):
            raise ValueError("a pool needs either staff or shifts")
        if self.kind == "machine" and self.shifts:
            raise ValueError("a machine is always on and has no shifts")
        return self


class _Node(Part):
    """What all nodes share."""

    next: str | tuple[Branch, ...] = ()
    active: bool = True

    @field_validator("next", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Ways out, with probabilities."""
        return (Branch(to=self.next),) if isinstance(self.next, str) else self.next


class Task(_Node):
    """Work by one member of a pool.

    Args:
        patience: how long a case waits here before it leaves; without it, for ever.
        on_abandon: node that a case enters when it leaves here; without it the case ends as abandoned.
        burden: felt time per time in service, for the patience of the whole case (see `CasePatience`).
        priority: 0 is served first.
        target: waits up to this are within the service level.
        active: whether the client is engaged meanwhile, so that time counts as his.
    """

    kind: Literal["task"]
    pool: str
    service: BySegment[Distribution]
    patience: BySegment[Distribution] | None = None
    on_abandon: str | None = None
    rework: Rework | None = None
    burden: float | None = Field(default=None, ge=0)
    priority: BySegment[Annotated[int, Field(ge=0, le=7)]] = BySegment[Annotated[int, Field(ge=0, le=7)]](default=0)
    target: int = 0

    @field_validator("target", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return duration_field(value)


class Choice(_Node):
    """Exclusive gateway: goes one of several ways, at once."""

    kind: Literal["choice"]


class Delay(_Node):
    """Takes time, but nobody's."""

    kind: Literal["delay"]
    duration: BySegment[Distribution]


class Window(_Node):
    """Opens at set times; a case that comes outside waits for the next opening.

    Args:
        next_day: a case waits for the opening of a later day even if the window is open.
    """

    kind: Literal["window"]
    opens: int
    closes: int
    days: Literal["trading", "every"] = "trading"
    next_day: bool = False

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return _time_of_day(value)

    @model_validator(mode="after")
    def _order(self) -> Window:
        if self.opens >= self.closes:
            raise ValueError("a window closes after it opens")
        return self


class End(Part):
    """Where cases leave the process."""

    kind: Literal["end"]
    outcome: Literal["served", "abandoned", "refused"] = "served"


Node = Annotated[Task | Choice | Delay | Window | End, Field(discriminator="kind")]
NODE_KINDS: dict[str, type[Part]] = {"task": Task, "choice": Choice, "delay": Delay, "window": Window, "end": End}


class Period(Part):
    """A relative rate of arrivals between two times of day."""

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    weight: float = Field(ge=0)

    @field_validator("start", "end", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return _time_of_day(value)


class DayArrivals(Part):
    """Arrivals of an ordinary day: their expected number, and when they come."""

    per_day: float = Field(alias="rate", ge=0)
    profile: tuple[Period, ...]

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
        return tuple(value) if isinstance(value, list) else value

    @property
    def day_profile(self) -> Profile:
        """The profile of one day, in ns since midnight."""
        return Profile.of_periods([(p.start, p.end, p.weight) for p in self.profile])


class CasePatience(Part):
    """How much a client bears in a whole case before he leaves, between two steps or while he waits.

    Time waiting in active nodes counts in full, time in service counts `burden` of it: occupied time feels shorter than
    unoccupied time (Maister 1985).
    """

    patience: BySegment[Distribution]
    burden: float = Field(default=1.0, ge=0)


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
    case_patience: CasePatience | None = None
    arrivals: DayArrivals | None = None
    description: str = ""


def _unknown(what: str, name: str, known: Any) -> tuple[str, str]:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known) or 'none'}."
    return f"there is no {what} {name!r}", hint


def _targets(name: str, node: Any) -> Iterator[tuple[Path, str]]:
    """Every node that a node refers to, with the path of the reference."""
    if isinstance(node, End):
        return
    base: Path = ("nodes", name)
    if isinstance(node.next, str):
        yield (*base, "next"), node.next
    else:
        for i, branch in enumerate(node.next):
            yield (*base, "next", i, "to"), branch.to
    if isinstance(node, Task):
        if node.on_abandon is not None:
            yield (*base, "on_abandon"), node.on_abandon
        if node.rework is not None:
            yield (*base, "rework", "to"), node.rework.to
            if node.rework.otherwise is not None:
                yield (*base, "rework", "otherwise"), node.rework.otherwise


def _node_problems(name: str, node: Any, model: ProcessModel) -> Iterator[tuple[Path, str, str]]:
    base: Path = ("nodes", name)
    for path, target in _targets(name, node):
        if target not in model.nodes:
            yield (path, *_unknown("node", target, model.nodes))
    if isinstance(node, End):
        return
    if not node.branches:
        yield (*base, "next"), f"node {name!r} leads nowhere", "Give `next`, or make it an end."
    for segment in Segment:
        total = sum(b.probability.of(segment) for b in node.branches)
        if node.branches and abs(total - 1) > 1e-9:
            yield (
                (*base, "next"),
                f"the probabilities sum to {total:g} for {segment.name.lower()}",
                "They must sum to 1.",
            )
            break
    if isinstance(node, Task):
        if node.pool not in model.pools:
            yield ((*base, "pool"), *_unknown("pool", node.pool, model.pools))
        if node.rework is not None and (node.rework.limit is None) != (node.rework.otherwise is None):
            yield (*base, "rework"), "limit and otherwise belong together", "Give both or neither."


def _timeless_cycle(model: ProcessModel) -> str | None:
    """A choice from which a case can return to it through choices alone, without any time passing."""
    ways = {
        name: [b.to for b in node.branches if isinstance(model.nodes.get(b.to), Choice)]
        for name, node in model.nodes.items()
        if isinstance(node, Choice)
    }
    for origin in ways:
        seen: set[str] = set()
        open_ = list(ways[origin])
        while open_:
            name = open_.pop()
            if name == origin:
                return origin
            if name not in seen:
                seen.add(name)
                open_.extend(ways[name])
    return None


def problems(model: ProcessModel) -> Iterator[tuple[Path, str, str]]:
    """What is wrong with a model beyond its form: (path of keys, what, hint)."""
    if model.start not in model.nodes:
        yield (("start",), *_unknown("node", model.start, model.nodes))
    if model.milestone is not None and model.milestone not in model.nodes:
        yield (("milestone",), *_unknown("node", model.milestone, model.nodes))
    for name, node in model.nodes.items():
        yield from _node_problems(name, node, model)
    loop = _timeless_cycle(model)
    if loop is not None:
        yield ("nodes", loop), f"choice {loop!r} leads back to itself in no time", "Put a task or a delay in between."


def require_sound(model: ProcessModel) -> None:
    """Raise ScenarioError for the first thing that is wrong with a model."""
    for path, what, hint in problems(model):
        raise ScenarioError(what, where=f"process {model.name!r}, {'.'.join(map(str, path))}", hint=hint)
