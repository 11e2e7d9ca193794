"""The broker's processes beside each other: today's form and the reformed one, with the same cases and the same luck.

A form is a file of `scenarios/processes`. Two forms differ by graph, people, rules and windows; never by a factor on an
outcome. Cases, their kinds of client and their arrival are equal in both forms of a comparison, and work of the same
name takes a case as long in both (common random numbers), so that differences are taken pair by pair.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.offices import process_model, process_names
from twin.clock import DAY, HOUR
from twin.contracts import OutcomeKind, Requests, Segment
from twin.errors import ScenarioError
from twin.measures.statistics import Difference, Direction, Estimate, estimate, paired_difference
from twin.process.arrivals import Profile, arrivals
from twin.process.calendar import WorkCalendar
from twin.process.model import Branch, BySegment, Choice, End, ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.statistics import PoolStatistics
from twin.randomness import Stream, Streams

Ints = NDArray[np.int64]
MONDAY = dt.date(2026, 9, 7)
"""First day of a comparison: a Monday with three ordinary weeks behind it."""
MIX: dict[Segment, float] = {Segment.RETAIL: 0.68, Segment.GEN_Z: 0.30, Segment.HNW: 0.019, Segment.INSTITUTION: 0.001}
"""Kinds of client among the cases (domain row 35)."""
NEW_CLIENTS: dict[Segment, float] = {Segment.RETAIL: 0.45, Segment.GEN_Z: 0.55}
"""Kinds of client among applicants for an account (domain row 61)."""
DRAIN_DAYS = 120
"""How long after the last arrival cases are followed until they end."""
_BEGIN = "__begin"
PAIRS: tuple[tuple[str, str], ...] = (
    ("account-opening", "reformed/account-opening"),
    ("account-opening", "reformed/account-opening-embedded"),
    *(
        (f"today/{name}", f"reformed/{name}")
        for name in (
            "service-enquiry",
            "cross-department-request",
            "product-purchase",
            "complaint",
            "adviser-request",
            "alert-review",
            "compliance-report",
            "reconciliation-break",
            "margin-call",
        )
    ),
)
"""Today's form of every process of the broker, and a reformed one."""


@dataclass(frozen=True)
class MeasureOf:
    """A measure of a comparison: name, unit, and which way it should go."""

    name: str
    unit: str
    direction: Direction


MEASURES = (
    MeasureOf("cases", "cases", Direction.NEUTRAL),
    MeasureOf("cycle_mean", "h", Direction.LOWER),
    MeasureOf("cycle_p90", "h", Direction.LOWER),
    MeasureOf("cycle_working_days", "d", Direction.LOWER),
    MeasureOf("waiting_mean", "h", Direction.LOWER),
    MeasureOf("served", "share", Direction.HIGHER),
    MeasureOf("abandoned", "share", Direction.LOWER),
    MeasureOf("refused", "share", Direction.NEUTRAL),
    MeasureOf("staff_hours_paid", "h", Direction.LOWER),
    MeasureOf("staff_hours_worked", "h", Direction.LOWER),
)


@dataclass(frozen=True)
class Row:
    """One measure of two forms; `difference` is reformed minus today, None where one of them has no value."""

    measure: MeasureOf
    today: Estimate | None
    reformed: Estimate | None
    difference: Difference | None


@dataclass(frozen=True)
class Comparison:
    """Two forms of a process over the same cases."""

    today: str
    reformed: str
    days: int
    replications: int
    seed: int
    rows: tuple[Row, ...]

    def row(self, measure: str) -> Row:
        """The row of a measure by its name."""
        for row in self.rows:
            if row.measure.name == measure:
                return row
        raise ScenarioError(f"no measure {measure!r}", hint=f"There are {', '.join(m.name for m in MEASURES)}.")


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


def forms() -> dict[str, list[str]]:
    """Names of the process files by process: {"complaint": ["today/complaint", "reformed/complaint"], ...}."""
    found: dict[str, list[str]] = {}
    for name in sorted(process_names(), key=lambda n: (n.startswith("reformed/"), n)):
        stem = name.rpartition("/")[2]
        base = next((b for b in sorted(found, key=len) if stem.startswith(f"{b}-")), stem)
        found.setdefault(base, []).append(name)
    return found


def counterpart(name: str) -> str:
    """The reformed form of a process named by its form of today.

    Raises:
        ScenarioError: the process has no reformed form.
    """
    for today, reformed in PAIRS:
        if name in (today, today.rpartition("/")[2]):
            return reformed
    raise ScenarioError(f"process {name!r} has no reformed form", hint="Name both, or see `twin process compare`.")


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
    """The same models with all their nodes in one common order, so that equal names have equal luck.

    The kernel draws by (case, node number, visit). Nodes that a model lacks are added as ends that no case reaches.
    """
    names: list[str] = []
    for model in models:
        names.extend(n for n in model.nodes if n not in names)
    result = []
    for model in models:
        begin = Choice(kind="choice", next=(Branch(to=model.start, probability=BySegment[float](default=1.0)),))
        nodes = {n: model.nodes.get(n, End(kind="end")) for n in names}
        result.append(model.model_copy(update={"start": _BEGIN, "nodes": {_BEGIN: begin, **nodes}}))
    return result


def simulate(
    model: ProcessModel, arriving: Requests, streams: Streams, calendar: WorkCalendar, *, warm_up: int, days: int
) -> tuple[Cases, dict[str, PoolStatistics]]:
    """Run a process over the cases that arrive in `warm_up + days` days, until the last of them has ended.

    Returns:
        What became of the cases that came after the warm-up, and the pools' work in the days after it.
    """
    network = ProcessNetwork(model, streams, calendar)
    network.submit(arriving)
    parts = [network.advance(warm_up * DAY)]
    network.reset_statistics()
    parts.append(network.advance((warm_up + days) * DAY))
    pools = network.statistics().pools
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
    return Cases(arriving.time[measured], arriving.attribute[measured], *columns), pools


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


def measures(cases: Cases, pools: dict[str, PoolStatistics], calendar: WorkCalendar) -> dict[str, float]:
    """The measures of one replication; NaN where there is nothing to measure."""
    served = cases.outcome == OutcomeKind.SERVED
    done = Cases(*(getattr(cases, f)[served] for f in Cases.__dataclass_fields__))
    cycle = (done.end - done.arrival) / HOUR
    n = len(cases.arrival)
    some = len(cycle) > 0
    return {
        "cases": float(n),
        "cycle_mean": float(cycle.mean()) if some else math.nan,
        "cycle_p90": float(np.percentile(cycle, 90)) if some else math.nan,
        "cycle_working_days": float(working_days(done, calendar).mean()) if some else math.nan,
        "waiting_mean": float(done.wait.mean() / HOUR) if some else math.nan,
        "served": float(served.mean()) if n else math.nan,
        "abandoned": float(np.mean(cases.outcome == OutcomeKind.ABANDONED)) if n else math.nan,
        "refused": float(np.mean(cases.outcome == OutcomeKind.REFUSED)) if n else math.nan,
        "staff_hours_paid": sum(p.staff_hours for p in pools.values()),
        "staff_hours_worked": sum(p.busy for p in pools.values() if p.is_staff) / HOUR,
    }


def compare(
    today: str | ProcessModel,
    reformed: str | ProcessModel,
    *,
    days: int = 20,
    warm_up: int = 7,
    replications: int = 10,
    seed: int = 1,
    factor: float = 1.0,
    first_day: dt.date = MONDAY,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Two forms of a process over the same cases with the same luck.

    Args:
        today: name of a process file, or a model.
        reformed: the other form.
        days: measured calendar days.
        warm_up: days before them, which fill the offices.
        replications: pairs of runs, each with luck of its own.
        seed: of the random numbers.
        factor: multiplies the arrivals of both forms (a stress, not an effect of a reform).
        first_day: day 0 of the calendar.
        progress: called with replications done and their number.

    Raises:
        ScenarioError: a file is wrong, or the two forms do not have the same arrivals in number.
    """
    names = [m if isinstance(m, str) else m.name for m in (today, reformed)]
    pair = [process_model(m) if isinstance(m, str) else m for m in (today, reformed)]
    if days < 1 or warm_up < 0 or replications < 1:
        raise ScenarioError("nothing to compare", hint="Give at least one day and one replication.")
    calendar = WorkCalendar(first_day)
    values: list[dict[str, list[float]]] = [{}, {}]
    for replication in range(replications):
        streams = Streams(seed, replication)
        for i, (own, model) in enumerate(zip(pair, aligned(pair), strict=True)):
            cases = requests(own, streams, calendar, warm_up + days, factor=factor)
            result = measures(*simulate(model, cases, streams, calendar, warm_up=warm_up, days=days), calendar)
            for key, value in result.items():
                values[i].setdefault(key, []).append(value)
        if progress is not None:
            progress(replication + 1, replications)
    rows = tuple(_row(m, values[0][m.name], values[1][m.name]) for m in MEASURES)
    return Comparison(names[0], names[1], days, replications, seed, rows)


def _row(measure: MeasureOf, today: list[float], reformed: list[float]) -> Row:
    known = [bool(np.isfinite(v).all()) for v in (today, reformed)]
    both = all(known)
    return Row(
        measure,
        estimate(today) if known[0] else None,
        estimate(reformed) if known[1] else None,
        paired_difference(today, reformed, measure.direction) if both else None,
    )
