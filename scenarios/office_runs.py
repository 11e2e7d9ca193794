"""Runs one form of a process over the cases of some days and says what became of every case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
from twin.contracts import Requests, Segment
from twin.errors import ScenarioError
from twin.process.arrivals import Profile, arrivals
from twin.process.calendar import WorkCalendar
from twin.process.distributions import Distribution
from twin.process.model import Branch, BySegment, Choice, Delay, End, ProcessModel, Task
from twin.process.network import ProcessNetwork
from twin.process.statistics import Statistics
from twin.randomness import Stream, Streams

Ints = NDArray[np.int64]
MIX: dict[Segment, float] = {Segment.RETAIL: 0.68, Segment.GEN_Z: 0.30, Segment.HNW: 0.019, Segment.INSTITUTION: 0.001}
"""Kinds of client among the cases (domain row 35)."""
NEW_CLIENTS: dict[Segment, float] = {Segment.RETAIL: 0.45, Segment.GEN_Z: 0.55}
"""Kinds of client among applicants for an account (domain row 61)."""
DRAIN_DAYS = 120
"""How long after the last arrival cases are followed until they end."""
_BEGIN, _END = "__begin", "__end_"


@dataclass(frozen=True)
class Cases:
    """What became of the cases of the measured days: one row per case, in order of arrival.

    Times in ns since midnight of the first day. `end` is -1 for a case that had not ended; `outcome` likewise.
    """

    arrival: Ints
    segment: Ints
    end: Ints
    outcome: Ints
    wait: Ints
    node: Ints

    def only(self, chosen: NDArray[np.bool_]) -> Cases:
        """Some of the cases."""
        return Cases(*(getattr(self, f.name)[chosen] for f in fields(self)))


@dataclass(frozen=True)
class FormRun:
    """One replication of one form.

    Attributes:
        cases: those of the measured days.
        ends: names of the nodes in which `cases` ended, by their numbers in `cases.node`.
        counted: nodes whose visits are reported: gateways that say (in `source`) what they count, and where work goes
            that is taken away from somebody after a time.
        measured: statistics of the measured days.
        whole: statistics of cases and deadlines from the measured days until the last case ended.
    """

    cases: Cases
    ends: dict[int, str]
    counted: tuple[str, ...]
    measured: Statistics
    whole: Statistics


def requests(
    model: ProcessModel, streams: Streams, calendar: WorkCalendar, days: int, *, factor: float = 1.0
) -> Requests:
    """The cases of the days 0..days-1: a Poisson process through each day, kinds of client by their shares.

    Raises:
        ScenarioError: the process says nothing of its arrivals.
    """
    if model.arrivals is None:
        raise ScenarioError(f"process {model.name!r} has no arrivals", hint="Give it `arrivals:` with a rate.")
    mix = NEW_CLIENTS if "registry" in model.nodes else MIX
    kinds = np.asarray([int(s) for s in mix], np.int64)
    borders = np.cumsum(list(mix.values()))
    parts: list[Ints] = []
    for day in range(days):
        periods = [(p.start, p.end, p.weight) for p in model.arrivals.profile if calendar.works(day, p.days)]
        if not periods:
            continue
        base = day << 32
        expected = model.arrivals.per_day * factor
        times, number = arrivals(Profile.of_periods(periods), expected, streams, entity_base=base)
        u = streams.uniform(Stream.PROCESS_ARRIVAL, number + base, counter=1)
        segment = kinds[np.minimum(np.searchsorted(borders, u, side="right"), len(kinds) - 1)]
        parts.append(np.stack([times + day * DAY, number + base, number + base, segment]))
    rows = np.concatenate(parts, axis=1) if parts else np.zeros((4, 0), np.int64)
    return Requests(*(np.ascontiguousarray(r) for r in rows))


def aligned(models: Sequence[ProcessModel]) -> list[ProcessModel]:
    """The same models with all nodes and attributes in one common order, so that equal names have equal luck.

    The kernels draw by (case, node number, visit) and (case, attribute number). Nodes that a model lacks are added as
    ends that no case reaches, attributes as values that nobody asks for. Outcomes name the last node before the end;
    so that they tell the ends apart, each becomes a node without duration before its end.
    """
    nodes: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for model in models:
        nodes |= {name: End(kind="end") for name in model.nodes if name not in nodes}
        attributes |= {name: spec for name, spec in model.attributes.items() if name not in attributes}
    result = []
    for model in models:
        begin = Choice(kind="choice", next=(Branch(to=model.start, probability=BySegment[float](default=1.0)),))
        marks = {name: _mark(name, node) for name, node in model.nodes.items() if isinstance(node, End)}
        ends = {f"{_END}{name}": model.nodes[name] for name in marks}
        change = {
            "start": _BEGIN,
            "nodes": {_BEGIN: begin, **nodes, **model.nodes, **marks, **ends},
            "attributes": {**attributes, **model.attributes},
        }
        result.append(model.model_copy(update=change))
    return result


def _mark(name: str, end: End) -> Delay:
    """A node without duration that leads to an end."""
    at_once = BySegment[Distribution](default=Distribution(mean="0 s"))  # type: ignore[arg-type]
    return Delay(kind="delay", active=False, duration=at_once, next=f"{_END}{name}", label=end.label)


def simulate(
    model: ProcessModel, arriving: Requests, streams: Streams, calendar: WorkCalendar, *, warm_up: int, days: int
) -> FormRun:
    """Run a process over the cases that arrive in `warm_up + days` days, until the last of them has ended."""
    network = ProcessNetwork(model, streams, calendar)
    network.submit(arriving)
    parts = [network.advance(warm_up * DAY)]
    network.reset_statistics()
    parts.append(network.advance((warm_up + days) * DAY))
    in_these_days = network.statistics()
    day = warm_up + days
    while network.in_system and day < warm_up + days + DRAIN_DAYS:
        day += 1
        parts.append(network.advance(day * DAY))
    ended = {k: np.concatenate([getattr(p, k) for p in parts]) for k in ("request", "time", "outcome", "wait", "node")}
    measured = arriving.time >= warm_up * DAY
    order = np.argsort(ended["request"], kind="stable")
    key = ended["request"][order]
    wanted = arriving.request[measured]
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    there = (key[place] == wanted) if len(key) else np.zeros(len(wanted), bool)

    def column(name: str) -> Ints:
        values = ended[name][order][place] if len(key) else np.zeros(len(wanted), np.int64)
        return np.where(there, values, -1).astype(np.int64)

    columns = [column(k) for k in ("time", "outcome", "wait", "node")]
    cases = Cases(arriving.time[measured], arriving.attribute[measured], *columns)
    late = {b.to for node in model.nodes.values() if isinstance(node, Task) for b in node.boundary}
    counted = tuple(
        n
        for n, node in model.nodes.items()
        if n in late or (isinstance(node, Choice) and node.source.startswith("counted"))
    )
    ends = {int(i): network.node_name(int(i)) for i in np.unique(cases.node) if i >= 0}
    return FormRun(cases, ends, counted, in_these_days, network.statistics())


def observed(model: ProcessModel, streams: Streams, calendar: WorkCalendar, *, warm_up: int, days: int) -> Statistics:
    """What `days` days of a process with its own arrivals show, after some that fill its offices."""
    network = ProcessNetwork(model, streams, calendar, record=False)
    network.submit(requests(model, streams, calendar, warm_up + days))
    network.advance(warm_up * DAY)
    network.reset_statistics()
    network.advance((warm_up + days) * DAY)
    return network.statistics()


def _idle_before(calendar: WorkCalendar, last: int) -> Ints:
    """Number of days that are no trading days before each of the days 0..last."""
    idle = [0 if calendar.works(d, "trading") else 1 for d in range(last)]
    return np.concatenate([[0], np.cumsum(idle)]).astype(np.int64)


def working_days(cases: Cases, calendar: WorkCalendar) -> NDArray[np.float64]:
    """From arrival to end in days of 24 h, days without trading left out (exact also for ends within such days)."""
    idle = _idle_before(calendar, int(max(cases.end.max(initial=0), cases.arrival.max(initial=0)) // DAY) + 2)

    def scale(t: Ints) -> Ints:
        day = t // DAY
        closed = idle[day + 1] > idle[day]
        return np.where(closed, day * DAY, t) - idle[day] * DAY

    return np.asarray((scale(cases.end) - scale(cases.arrival)) / DAY, np.float64)
