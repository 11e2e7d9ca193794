"""Which process a twin runs: of the structures that a log allows, the one that forecasts its recent past best.

A structure that reproduces a whole log well need not continue from a state well, and the other way round: a queue for
which the log holds too few of the people, say, explodes from a state although its cases look right one by one.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.errors import DataError, ScenarioError
from twin.process.discovery import DiscoveredProcess, Options, discover, rows_like
from twin.process.eventlog.log import CASE, EventLog
from twin.process.forecasting.arrivals import fit_arrivals
from twin.process.forecasting.columns import Floats
from twin.process.forecasting.drift import drift_of
from twin.process.forecasting.ensemble import Question, run
from twin.process.forecasting.future import TwinModel
from twin.process.forecasting.measures import MEASURES, series
from twin.process.forecasting.scores import crps
from twin.process.forecasting.state import State, state_at
from twin.process.forecasting.worlds import people_at, world_of_log

_STRUCTURES: tuple[Literal["timers", "workforce"], ...] = ("timers", "workforce")
_FEWEST_CASES = 5
_ORIGINS = np.array([0.6, 0.75, 0.9])
"""Where in the known part of a log the structures are tried."""
_RUNS = 10
_INTERVALS = 24
_JUDGED = ("wip", "waiting", "completions", "oldest_h", "utilisation")
"""Measures that the structures are judged by; arrivals do not depend on them."""
_HANDICAP = {"timers": 1.1}
"""Independent cases must forecast better by a tenth: they hold the very waits of the instants that are tried. Assumed,
after a backtest (LoanApp) in which they won the few instants tried and lost most of those that followed."""
_FLOOR = 0.02
"""Of the largest value of a measure: errors below that count alike."""


@dataclass(frozen=True)
class Trial:
    """What a process is to forecast.

    Attributes:
        horizon: ns.
        step: length of an interval (ns).
        deadline: cycle time (ns) from which a case is late, if any.
        seed: of the random numbers.
    """

    horizon: int
    step: int
    deadline: int | None = None
    seed: int = 1


def ended_cases(log: EventLog, state: State) -> EventLog:
    """The rows of the cases that have most likely ended: what a process can be discovered from."""
    names = pa.array([name for name, p in zip(state.columns.cases, state.chance.tolist(), strict=True) if p < 0.5])
    return EventLog(log.table.filter(pc.is_in(log.table[CASE], names)), log.notes)


def model_at(state: State, process: DiscoveredProcess, until: int, known: EventLog | None = None) -> TwinModel:
    """The twin at the instant of a state, with arrivals to `until` (ns).

    Args:
        state: where cases are.
        process: how they go on.
        until: ns.
        known: the log at the instant, to learn from how the process changes, and the attributes of the open cases from;
            None = neither.
    """
    arrivals = fit_arrivals(state.born, state.instant)
    if known is None:
        return TwinModel(process, state, arrivals, until)
    names = [state.columns.cases[i] for i in state.open_cases.tolist()]
    return TwinModel(process, state, arrivals, until, drift_of(known, state), rows_like(process, known, names))


def discover_at(
    known: EventLog, state: State, trial: Trial, pool: ProcessPoolExecutor | None = None
) -> DiscoveredProcess:
    """The process that the cases ended before an instant show, of the structure that forecasts best.

    Args:
        known: the log as it was known then.
        state: at that instant.
        trial: what it is to forecast.
        pool: worker processes.

    Raises:
        DataError: too few cases have ended.
    """
    rivals = [found for name in _STRUCTURES if (found := discover_as(known, state, name)) is not None]
    if len(rivals) < 2:
        return rivals[0]
    errors = np.array([_errors(known, state, rival, trial, pool) for rival in rivals])
    handicap = np.log([_HANDICAP.get(rival.structure, 1.0) for rival in rivals])
    # Geometric mean of the errors over the measures: none outweighs the rest by its unit.
    return rivals[int(np.argmin(np.nanmean(np.log(errors), axis=1) + handicap))]


def discover_as(known: EventLog, state: State, structure: Literal["timers", "workforce"]) -> DiscoveredProcess | None:
    """The process with a given structure; None if the log does not allow that.

    Raises:
        DataError: too few cases have ended.
    """
    ended = ended_cases(known, state)
    if ended.cases < _FEWEST_CASES:
        raise DataError(
            f"only {ended.cases} cases have ended by then",
            hint=f"A process needs {_FEWEST_CASES}; take a later --as-of, or give --process.",
        )
    # Long cases that began lately are missing from the ended ones, whatever the log looks like. What changes from week
    # to week is drawn anew in each run (`drift_of`); the latest weeks alone would make their luck last.
    try:
        return discover(ended, options=Options(truncated=True, structure=structure, lately=False))
    except (DataError, ScenarioError):  # a log without people has no workforce
        if structure == "timers":
            raise
        return None


def _errors(
    known: EventLog, state: State, process: DiscoveredProcess, trial: Trial, pool: ProcessPoolExecutor | None
) -> Floats:
    """CRPS of each judged measure, over a few instants of the past, with a floor."""
    first = int(state.born.min())
    span = state.instant - first
    step = max(trial.step, trial.horizon // _INTERVALS)
    horizon = max(min(trial.horizon, span // 10) // step, 1) * step
    world = world_of_log(known)
    scores, sizes = [], []
    for instant in (first + (_ORIGINS * span).astype(np.int64)).tolist():
        then = state_at(known, instant)
        edges = np.arange(instant, instant + horizon + 1, step, dtype=np.int64)
        people = people_at(then.columns, instant)
        model = model_at(then, process, int(edges[-1]))
        members = run(model, Question(edges, people, trial.deadline), _RUNS, trial.seed, pool).values
        truth = series(world, edges, people, trial.deadline)
        rows = [MEASURES.index(name) for name in _JUDGED]
        scores.append(np.nanmean(crps(members, truth)[:, rows], axis=0))
        sizes.append(np.nanmax(truth[:, rows], axis=0))
    return np.asarray(np.nanmean(scores, axis=0) + _FLOOR * np.maximum(np.nanmax(sizes, axis=0), 1e-6))
