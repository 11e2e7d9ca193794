"""Runs a process file by itself: its own arrivals, several replications, and what they show with intervals."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from twin.clock import DAY, SECOND
from twin.contracts import Requests
from twin.errors import ScenarioError
from twin.measures.statistics import Estimate, estimate
from twin.process.calendar import WorkCalendar
from twin.process.entries import case_times
from twin.process.model import Delay, ProcessModel, Task, Window
from twin.process.network import ProcessNetwork
from twin.process.statistics import Statistics
from twin.randomness import Streams

_PATIENT_DAYS = 3650
"""A run that waits for its last case gives up after so many days."""
_STEP = 7


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        days: observe so many days and leave what is under way then;
        cases: or let so many cases come, and follow them to their end.
        replications, seed: repetitions with other luck.
        calendar: working days; day 0 is a Monday without it.
        warm_up_weeks: so many weeks before day 0 the process begins empty; only what happens from day 0 on is measured
            (a case that came before and ends later counts with all its time).
    """

    days: int | None = None
    cases: int | None = None
    replications: int = 1
    seed: int = 1
    calendar: WorkCalendar | None = None
    warm_up_weeks: int = 0

    def __post_init__(self) -> None:
        if (self.days is None) == (self.cases is None):
            raise ScenarioError("a run is of some days or of a number of cases", hint="Give one of the two.")
        if (self.days or self.cases or 0) < 1 or self.replications < 1:
            raise ScenarioError("a run needs at least one day or case, and one replication")
        if self.warm_up_weeks < 0:
            raise ScenarioError(f"a warm-up of {self.warm_up_weeks} weeks", hint="Give zero or more.")
        if self.warm_up_days + (self.days or 0) > _PATIENT_DAYS:
            raise ScenarioError("a run with its warm-up is longer than ten years", hint="Give fewer weeks or days.")

    @property
    def warm_up_days(self) -> int:
        """Days from the empty beginning to day 0; whole weeks, so that weekdays stay what they are."""
        return 7 * self.warm_up_weeks

    @property
    def from_empty(self) -> WorkCalendar:
        """Working days, counted from the empty beginning."""
        day = self.calendar.day if self.calendar is not None else None
        return WorkCalendar(day - dt.timedelta(days=self.warm_up_days) if day is not None else None)


@dataclass(frozen=True)
class Activity:
    """One task or waiting node; means over replications."""

    name: str
    pool: str
    cases: Estimate
    wait_s: Estimate | None
    service_s: Estimate | None
    abandoned: Estimate
    cost_fen: Estimate


@dataclass(frozen=True)
class Staff:
    """One pool; means over replications. Utilisation is None for a pool without limit."""

    name: str
    utilisation: Estimate | None
    mean_queue: Estimate
    busy_hours: Estimate
    staff_hours: Estimate
    cost_fen: Estimate


@dataclass(frozen=True)
class Result:
    """What a plan showed: every measure as a mean over replications with its interval."""

    model: ProcessModel
    plan: Plan
    measures: dict[str, Estimate]
    activities: tuple[Activity, ...]
    pools: tuple[Staff, ...]
    statistics: tuple[Statistics, ...]


def simulate(
    model: ProcessModel,
    plan: Plan,
    *,
    progress: Callable[[int, int], None] | None = None,
    on_network: Callable[[int, ProcessNetwork], None] | None = None,
    log: bool = False,
) -> Result:
    """Run a process and sum up what its replications showed.

    Args:
        model: a process with arrivals.
        plan: how long, how often.
        progress: told (replications done, of how many).
        on_network: given each replication's network when it is over, to take its log for instance.
        log: whether the first replication keeps a log of activities.
    """
    found = []
    for replication in range(plan.replications):
        if progress is not None:
            progress(replication, plan.replications)
        network = run_once(model, plan, replication, log=log and not replication)
        found.append(network.statistics())
        if on_network is not None:
            on_network(replication, network)
    if progress is not None:
        progress(plan.replications, plan.replications)
    return summed_up(model, plan, found)


def summed_up(model: ProcessModel, plan: Plan, found: list[Statistics]) -> Result:
    """The statistics of a plan's replications as means with intervals."""
    return Result(
        model,
        plan,
        dict(_measures(found)),
        tuple(_activities(model, found)),
        tuple(_pools(model, found)),
        tuple(found),
    )


def run_once(model: ProcessModel, plan: Plan, replication: int, *, log: bool = False) -> ProcessNetwork:
    """One replication: its network after the last day, or when the last case has ended.

    Raises:
        ScenarioError: cases are still under way ten years after the first.
    """
    streams, calendar = Streams(plan.seed, replication), plan.from_empty
    days = plan.warm_up_days + plan.days if plan.days is not None else None
    cases = early_cases(model, plan, replication) + plan.cases if plan.cases is not None else None
    times = case_times(model, streams, calendar, days=days, cases=cases)
    network = new_network(model, streams, calendar, log=log)
    number = np.arange(len(times), dtype=np.int64)
    network.submit(Requests(times, number, number, np.zeros(len(times), np.int64)))
    if plan.warm_up_weeks:
        network.advance(plan.warm_up_days * DAY)
        network.reset_statistics()
    if days is not None:
        network.advance(days * DAY)
        return network
    day = int(times[-1]) // DAY + 1 if len(times) else 1
    network.advance(day * DAY)
    while network.in_system:
        if day > _PATIENT_DAYS:
            what = f"{network.in_system} cases are still under way after ten years"
            raise ScenarioError(what, where=f"process {model.name!r}", hint="Run --days, or add staff.")
        day += _STEP
        network.advance(day * DAY)
    return network


def early_cases(model: ProcessModel, plan: Plan, replication: int) -> int:
    """How many cases come during the warm-up: they have the lowest numbers."""
    if not plan.warm_up_weeks:
        return 0
    return len(case_times(model, Streams(plan.seed, replication), plan.from_empty, days=plan.warm_up_days))


def new_network(model: ProcessModel, streams: Streams, calendar: WorkCalendar, *, log: bool) -> ProcessNetwork:
    """The network that executes a model."""
    return ProcessNetwork(model, streams, calendar, record=False, log=log)


def _mean(values: list[float]) -> Estimate | None:
    """Mean over the replications in which there is anything to measure."""
    kept = [v for v in values if math.isfinite(v)]
    return estimate(kept) if kept else None


def _sure(values: list[float]) -> Estimate:
    return estimate([v if math.isfinite(v) else 0.0 for v in values])


def _measures(found: list[Statistics]) -> Iterator[tuple[str, Estimate]]:
    cases = [s.cases for s in found]
    yield "served", _sure([float(c.served) for c in cases])
    yield "abandoned", _sure([float(c.abandoned) for c in cases])
    yield "refused", _sure([float(c.refused) for c in cases])
    yield "inside", _sure([float(c.inside) for c in cases])
    for key, values in (
        ("cycle_s", [c.mean_sojourn_s for c in cases]),
        ("cycle_p50_s", [c.sojourns.percentile_ns(50) / SECOND for c in cases]),
        ("cycle_p90_s", [c.sojourns.percentile_ns(90) / SECOND for c in cases]),
        ("wait_s", [c.wait / c.served / SECOND if c.served else math.nan for c in cases]),
    ):
        mean = _mean(values)
        if mean is not None:
            yield key, mean


def _activities(model: ProcessModel, found: list[Statistics]) -> Iterator[Activity]:
    for name, node in model.nodes.items():
        if not isinstance(node, Task | Delay | Window):
            continue
        rows = [s.nodes[name] for s in found]
        timed = isinstance(node, Task)
        # the time spent before a window opens is not measured by node
        known = [r.completions and not (isinstance(node, Window) and not r.service) for r in rows]
        service = [r.service / r.completions / SECOND if k else math.nan for r, k in zip(rows, known, strict=True)]
        yield Activity(
            name,
            node.pool if isinstance(node, Task) else "",
            _sure([float(r.arrivals) for r in rows]),
            _mean([r.mean_wait_s for r in rows]) if timed else None,
            _mean(service),
            _sure([float(r.abandoned) for r in rows]),
            _sure([float(getattr(r, "cost", 0.0)) for r in rows]),
        )


def _pools(model: ProcessModel, found: list[Statistics]) -> Iterator[Staff]:
    for name, pool in model.pools.items():
        rows = [s.pools[name] for s in found]
        limited = pool.staff != "unlimited"
        yield Staff(
            name,
            _mean([r.utilisation for r in rows]) if limited else None,
            _sure([r.mean_queue for r in rows]),
            _sure([r.busy / (3600 * SECOND) for r in rows]),
            _sure([r.staff_hours if limited else 0.0 for r in rows]),
            _sure([float(getattr(r, "cost", 0.0)) for r in rows]),
        )
