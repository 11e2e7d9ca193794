"""How likely quiet cases are open, drawn anew in every future: with what is not known, and with what changes.

Two things make a run's chances differ from the expected ones. What is fitted to so many cases is uncertain (`ending`:
the Bayesian bootstrap). And the process is not the same in every week: at some instants of the past more, at others
fewer of the quiet cases went on than the log let expect. That is measured at blocks of the past as a shift of the log
odds, whose spread between blocks beyond chance is found by maximum likelihood (a random effect); a future draws its
shift from Student's law with as many degrees of freedom as there were blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from twin.process.eventlog.log import EventLog
from twin.process.forecasting.columns import Floats
from twin.process.forecasting.state import State, state_at
from twin.process.forecasting.week import DAY
from twin.randomness import Stream, Streams

_BLOCKS = 8
_FEWEST = 3
"""Blocks without which nothing is learned about change."""
_LEAST = 1.0
"""Information (the sum of p (1 - p)) that a block needs."""
_SPREADS = np.concatenate([[0.0], np.geomspace(0.02, 2.0, 40)])
_EDGE = 1e-6


@dataclass(frozen=True)
class Drift:
    """Shift of the log odds of being open, as against what the log lets expect.

    Attributes:
        spread: its standard deviation between blocks of the past.
        blocks: of the past that showed it.
    """

    spread: float = 0.0
    blocks: int = 0

    def chances(self, state: State, streams: Streams) -> Floats:
        """The chance of every case to be open, as one future has it."""
        judged = state.judged
        out = state.chance.copy()
        if not len(judged.cases):
            return out
        drawn = _uncertain(state, streams)
        if self.spread > 0:
            u = streams.uniform(Stream.FORECAST_STATE, np.zeros(1, np.int64), 2)[0]
            drawn = _moved(drawn, self.spread * float(stdtrit(self.blocks, u)))
        # What counts as ended stays so.
        out[judged.cases] = np.where(out[judged.cases] > 0, drawn, 0.0)
        return out


def drift_of(known: EventLog, state: State) -> Drift:
    """The drift that the past of a log shows.

    Args:
        known: what was known at the instant of the state.
        state: at that instant.
    """
    first = int(state.born.min(initial=state.instant))
    gap = (state.instant - first) // (2 * _BLOCKS) // DAY * DAY
    if gap < DAY:
        return Drift()
    begun = dict(zip(state.columns.cases, _last_starts(state).tolist(), strict=True))
    now = dict(zip(state.columns.cases, state.chance.tolist(), strict=True))
    instants = range(state.instant - _BLOCKS * gap, state.instant, gap)
    shifts = [_shift(state_at(known, instant), begun, now) for instant in instants]
    seen = np.array([shift for shift in shifts if shift is not None])
    return Drift(_spread(*seen.T), len(seen)) if len(seen) >= _FEWEST else Drift()


def _uncertain(state: State, streams: Streams) -> Floats:
    """One draw of what the chances of the quiet cases may be, given so many cases to judge by."""
    weights = -np.log(streams.uniform(Stream.FORECAST_STATE, np.arange(len(state.chance)), 1))
    return state.judged.asked.goes_on(weights[state.judged.by])


def _last_starts(state: State) -> Floats:
    out = np.zeros(len(state.columns.cases))
    np.maximum.at(out, state.columns.case, state.columns.start)
    return out


def _shift(then: State, begun: dict[str, float], now: dict[str, float]) -> tuple[float, float] | None:
    """Shift of the log odds that the quiet cases of an instant show by now, and its variance; None if too little."""
    cases = then.judged.cases
    p = then.chance[cases]
    names = [then.columns.cases[i] for i in cases.tolist()]
    on = np.array([begun[name] >= then.instant for name in names], bool)
    # What has not gone on since may do so yet: it counts by its chance of now.
    y = np.where(on, 1.0, [now[name] for name in names])
    rows = (p > 0) & (p < 1)
    p, y = p[rows], y[rows]
    known = float((p * (1 - p)).sum() - (y * (1 - y)).sum())
    if known < _LEAST:
        return None
    shift = 0.0
    for _ in range(20):
        moved = _moved(p, shift)
        step = float((y - moved).sum() / max((moved * (1 - moved)).sum(), 0.1))
        shift = float(np.clip(shift + np.clip(step, -1.0, 1.0), -4.0, 4.0))
    return shift, 1.0 / known


def _moved(p: Floats, shift: float) -> Floats:
    """Chances with log odds moved by a shift; what is sure stays sure."""
    odds = np.clip(p, _EDGE, 1 - _EDGE)
    moved = 1.0 / (1.0 + (1.0 - odds) / odds * np.exp(-shift))
    return np.asarray(np.where((p <= 0) | (p >= 1), p, moved))


def _spread(shifts: Floats, variances: Floats) -> float:
    """Spread of shifts about zero beyond their own errors, by maximum likelihood."""
    total = _SPREADS[:, None] ** 2 + variances
    loss = (np.log(total) + shifts**2 / total).sum(axis=1)
    return float(_SPREADS[int(np.argmin(loss))])
