"""The broker's processes beside each other: today's form and the reformed one, with the same cases and the same luck.

A form is a file of `scenarios/processes`. Two forms differ by graph, people, rules and windows; never by a factor on an
outcome. Cases, their kinds of client and their arrival are equal in both forms of a comparison, and work of the same
name takes a case as long in both (common random numbers), so that differences are taken pair by pair.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.office_runs import FormRun, aligned, requests, simulate, working_days
from scenarios.offices import process_model, process_names
from twin.clock import HOUR
from twin.contracts import OutcomeKind, Segment
from twin.errors import ScenarioError
from twin.measures.statistics import Difference, Direction, Estimate, estimate, paired_difference
from twin.process.calendar import WorkCalendar
from twin.process.model import ProcessModel
from twin.randomness import Streams

MONDAY = dt.date(2026, 5, 11)
"""First day of a comparison: a Monday with five ordinary weeks behind it."""
WARM_UP, DAYS = 7, 20
"""Days that fill the offices, and measured days after them."""
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
    MeasureOf("client_time", "min", Direction.LOWER),
    MeasureOf("served", "share", Direction.HIGHER),
    MeasureOf("abandoned", "share", Direction.LOWER),
    MeasureOf("refused", "share", Direction.NEUTRAL),
    MeasureOf("unfinished", "share", Direction.LOWER),
    MeasureOf("staff_hours_paid", "h", Direction.LOWER),
    MeasureOf("staff_hours_worked", "h", Direction.LOWER),
    MeasureOf("cost_per_case", "CNY", Direction.LOWER),
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


def measures(run: FormRun, calendar: WorkCalendar, segment: Segment | None = None) -> dict[str, float]:
    """The measures of one replication; NaN where there is nothing to measure.

    Args:
        run: one replication of one form.
        calendar: of its days.
        segment: measure the cases of this kind of client only; what staff did is of all, deadlines are left out.
    """
    cases = run.cases if segment is None else run.cases.only(run.cases.segment == segment)
    done = cases.only(cases.outcome == OutcomeKind.SERVED)
    cycle = (done.end - done.arrival) / HOUR
    pools, milestone = run.measured.pools.values(), run.whole.milestone
    n = len(run.cases.arrival)
    found = {
        "cases": float(len(cases.arrival)),
        "cycle_mean": _mean(cycle),
        "cycle_p90": float(np.percentile(cycle, 90)) if len(cycle) else math.nan,
        "cycle_working_days": _mean(working_days(done, calendar)),
        "waiting_mean": _mean(done.wait / HOUR),
        "client_time": milestone.mean_active_min,
        "served": _mean(cases.outcome == OutcomeKind.SERVED),
        "abandoned": _mean(cases.outcome == OutcomeKind.ABANDONED),
        "refused": _mean(cases.outcome == OutcomeKind.REFUSED),
        "unfinished": _mean(cases.outcome < 0),
        "staff_hours_paid": sum(p.staff_hours for p in pools),
        "staff_hours_worked": sum(p.busy for p in pools if p.is_staff) / HOUR,
        "cost_per_case": sum(run.measured.costs.values()) / 100 / n
        if n and any(run.measured.costs.values())
        else math.nan,
    }
    for number, name in run.ends.items():
        found[f"ends:{name}"] = _mean(cases.node == number)
    for name, deadline in run.whole.deadlines.items() if segment is None else ():
        begun = deadline.broken + deadline.kept
        found[f"late:{name}"] = deadline.broken / begun if begun else math.nan
    for name in run.counted if n else ():
        found[f"passes:{name}"] = run.measured.nodes[name].arrivals / n
    return found


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else math.nan


def compare(
    today: str | ProcessModel,
    reformed: str | ProcessModel,
    *,
    days: int = DAYS,
    warm_up: int = WARM_UP,
    replications: int = 10,
    seed: int = 1,
    factor: float = 1.0,
    first_day: dt.date = MONDAY,
    segment: Segment | None = None,
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
        segment: measure the cases of this kind of client only.
        progress: called with replications done and their number.

    Raises:
        ScenarioError: a file is wrong, or the two forms do not have the same arrivals in number.
    """
    names = [m if isinstance(m, str) else m.name for m in (today, reformed)]
    pair = [process_model(m) if isinstance(m, str) else m for m in (today, reformed)]
    if days < 1 or warm_up < 0 or replications < 1:
        raise ScenarioError("nothing to compare", hint="Give at least one day and one replication.")
    calendar = WorkCalendar(first_day)
    found: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
    for replication in range(replications):
        streams = Streams(seed, replication)
        for own, model, side in zip(pair, aligned(pair), found, strict=True):
            cases = requests(own, streams, calendar, warm_up + days, factor=factor)
            run = simulate(model, cases, streams, calendar, warm_up=warm_up, days=days)
            side.append(measures(run, calendar, segment))
        if progress is not None:
            progress(replication + 1, replications)
    return Comparison(names[0], names[1], days, replications, seed, tuple(_rows(pair, found)))


def _rows(pair: list[ProcessModel], found: tuple[list[dict[str, float]], list[dict[str, float]]]) -> Iterator[Row]:
    """Rows of the measures that are not zero in both forms.

    What happens at a node that a form lacks has no value there. A single end says no more than the share served.
    """
    seen = dict.fromkeys(name for side in found for values in side for name in values if ":" in name)
    if all(sum(name.startswith("ends:") for name in values) <= 1 for side in found for values in side):
        seen = {name: None for name in seen if not name.startswith("ends:")}
    order = [n for model in pair for n in (*model.deadlines, *model.nodes)]
    names = sorted(
        seen, key=lambda name: (name.startswith("late:"), -order.index(name.partition(":")[2])), reverse=True
    )
    for measure in (*MEASURES, *(MeasureOf(n, "share", _direction(n)) for n in names)):
        kind, _, end = measure.name.partition(":")
        sides = []
        for model, side in zip(pair, found, strict=True):
            absent = 0.0 if kind == "ends" and end in model.nodes else math.nan
            sides.append([values.get(measure.name, absent) for values in side])
        if any(np.isfinite(s).all() and np.any(s) for s in sides) or kind == "late":
            yield _row(measure, *sides)


def _direction(name: str) -> Direction:
    return Direction.LOWER if name.startswith("late:") else Direction.NEUTRAL


def _row(measure: MeasureOf, today: list[float], reformed: list[float]) -> Row:
    known = [bool(np.isfinite(v).all()) for v in (today, reformed)]
    both = all(known)
    return Row(
        measure,
        estimate(today) if known[0] else None,
        estimate(reformed) if known[1] else None,
        paired_difference(today, reformed, measure.direction) if both else None,
    )
