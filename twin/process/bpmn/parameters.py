"""What a diagram does not say about its simulation: staff, times, probabilities - from a file, or assumed."""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.process.bpmn.graph import Diagram, Element, Kind
from twin.process.distributions import Distribution
from twin.process.nodes import Batch
from twin.process.notes import note
from twin.process.parts import Attribute, BySegment, When
from twin.process.staff import Calendar, Pool

ASSUMED = "assumed"
_MACHINES = frozenset({"service", "script", "rule", "send", "receive"})
_SYSTEMS = "systems"


@dataclass(frozen=True)
class Work:
    """How a task is done: by whom, and how long it takes."""

    pool: str
    service: Distribution
    members: tuple[str, ...] = ()
    by_member: dict[str, Distribution] = field(default_factory=dict)
    priority: BySegment[int] | None = None
    batch: Batch | None = None
    source: str = ""


@dataclass
class Parameters:
    """Parameters of a simulation, by the ids of the diagram.

    Attributes:
        works: by task; probabilities, conditions: by flow; events: waiting times by event.
        fixed_counts: whether multi-instance markers without a number count as one instance.
        notes: what had to be assumed or left out.
    """

    pools: dict[str, Pool] = field(default_factory=dict)
    works: dict[str, Work] = field(default_factory=dict)
    probabilities: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, When] = field(default_factory=dict)
    events: dict[str, Distribution] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    arrivals: dict[str, object] | None = None
    notes: list[str] = field(default_factory=list)


def law(name: str, **parameters: object) -> Distribution:
    """A distribution of durations from texts such as '5 min'."""
    return Distribution.model_validate({"distribution": name, **parameters})


def assumed(diagram: Diagram) -> Parameters:
    """Parameters for a diagram that comes without any: nobody waits, and every time is assumed.

    People take 10 min in the mean, machines 1 min, messages 1 h; lanes become pools without limit; 10 cases come in the
    24 hours of a day. Probabilities are those in the conditions of flows if these are numbers, else equal.
    """
    found = Parameters()
    for task in diagram.of_kind(Kind.TASK):
        machine = task.variant in _MACHINES
        pool = _SYSTEMS if machine else task.lane or "staff"
        if pool not in found.pools:
            kind = "machine" if machine else "staff"
            found.pools[pool] = Pool.model_validate({"kind": kind, "staff": "unlimited", "source": ASSUMED})
        found.works[task.id] = Work(pool, _service(task), source=ASSUMED)
    for gateway in diagram.of_kind(Kind.EXCLUSIVE, Kind.INCLUSIVE):
        flows = diagram.leaving(gateway.id)
        shares = [_share(flow.condition) for flow in flows]
        if len(flows) > 1 and all(s is not None for s in shares) and abs(sum(s or 0 for s in shares) - 1) < 1e-6:
            found.probabilities |= {flow.id: s or 0 for flow, s in zip(flows, shares, strict=True)}
    found.arrivals = {
        "rate": "10/day",
        "profile": ({"from": "00:00", "to": "24:00", "weight": 1.0},),
        "source": ASSUMED,
    }
    found.notes.append(note("all_assumed"))
    return found


def _service(task: Element) -> Distribution:
    if task.variant == "receive":
        return law("exponential", mean="1 h")
    return law("exponential", mean="1 min" if task.variant in _MACHINES else "10 min")


def _share(condition: str) -> float | None:
    """The probability that some tools write in the place of a condition."""
    try:
        value = float(condition)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
