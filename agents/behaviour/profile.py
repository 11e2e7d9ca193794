"""The day's rhythm of clients: what share of an ordinary day's log-ins and orders falls into each quote interval.

Within continuous trading the rate decays from an opening burst to the quiet rate of the day, comes back after lunch
and rises into the close (form: B55, I15). Only clients who have logged in can act, so what comes out is the product
with the log-ins so far; with the defaults the first half hour gets 28% and the last 16% of continuous orders and
the first minute runs at about 2,400 orders a second for 6.2 million orders a day (rows 23, 24, 31 and 32 of the
parameter table). The recorded stock-days have a still sharper first minute (scenarios/calibration/background.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.clock import MINUTE, Phase, Tick, at


@dataclass(frozen=True)
class OrderProfile:
    """Shares of the day's orders outside continuous trading, and the shape within it.

    Args:
        pre_open: before 09:15, queued at the broker. open_call, gap, lunch, close_call: shares of the day.
        open_burst: rate at 09:30 over the quiet rate. open_decay, reopen_decay, close_rise: time constants in ns.
        reopen_burst: rate at 13:00 over the quiet rate. close_burst: rate at 14:57 over the quiet rate.
    """

    pre_open: float = 0.03
    open_call: float = 0.05
    gap: float = 0.01
    lunch: float = 0.01
    close_call: float = 0.02
    open_burst: float = 17.0
    open_decay: int = 6 * MINUTE
    reopen_burst: float = 2.5
    reopen_decay: int = 5 * MINUTE
    close_burst: float = 2.6
    close_rise: int = 12 * MINUTE

    def shares(self, ticks: list[Tick]) -> NDArray[np.float64]:
        """Share of an ordinary day's orders in each interval; sums to 1."""
        start = np.array([t.start for t in ticks], dtype=np.float64)
        length = np.array([t.end - t.start for t in ticks], dtype=np.float64)
        phase = np.array([t.phase for t in ticks])
        middle = start + length / 2
        rate = np.ones(len(ticks))
        rate += (self.open_burst - 1) * np.exp(-(middle - at("09:30")) / self.open_decay) * (middle >= at("09:30"))
        rate += (self.reopen_burst - 1) * np.exp(-(middle - at("13:00")) / self.reopen_decay) * (middle >= at("13:00"))
        rate += (self.close_burst - 1) * np.exp((middle - at("14:57")) / self.close_rise) * (middle < at("14:57"))
        fixed = {
            Phase.CLOSED: self.pre_open,
            Phase.OPEN_CALL: self.open_call,
            Phase.GAP: self.gap,
            Phase.LUNCH: self.lunch,
            Phase.CLOSE_CALL: self.close_call,
        }
        result = np.zeros(len(ticks))
        for kind, share in fixed.items():
            inside = phase == kind
            if inside.any():
                result[inside] = share * length[inside] / length[inside].sum()
        continuous = phase == Phase.CONTINUOUS
        weight = rate[continuous] * length[continuous]
        result[continuous] = (1.0 - result[~continuous].sum()) * weight / weight.sum()
        return np.asarray(result / result.sum())


@dataclass(frozen=True)
class LoginProfile:
    """When clients first log in: a share in the first minutes of continuous trading, before the open, and later.

    Args:
        first_5min: share of the day's log-ins in 09:30-09:35 (row 30). before_open: share from 08:45 to 09:30.
        decay: time constant of the decline after 09:35, in ns.
    """

    first_5min: float = 0.30
    before_open: float = 0.45
    decay: int = 60 * MINUTE
    floor: float = 0.15

    def shares(self, ticks: list[Tick]) -> NDArray[np.float64]:
        """Share of an ordinary day's log-ins in each interval; sums to 1."""
        start = np.array([t.start for t in ticks], dtype=np.float64)
        length = np.array([t.end - t.start for t in ticks], dtype=np.float64)
        early = start < at("09:30")
        burst = (start >= at("09:30")) & (start < at("09:35"))
        late = start >= at("09:35")
        result = np.zeros(len(ticks))
        shape = (self.floor + np.exp(-(start - at("09:35")) / self.decay)) * length * (start < at("15:00"))
        parts = ((early, self.before_open), (burst, self.first_5min), (late, 1.0 - self.before_open - self.first_5min))
        for inside, share in parts:
            weight = length[inside] if inside is not late else shape[inside]
            if weight.sum() > 0:
                result[inside] = share * weight / weight.sum()
        return np.asarray(result / result.sum())
