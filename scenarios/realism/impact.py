"""Impact of a metaorder by experiment: the same simulated day with and without a large order.

Everything else is equal (common random numbers), so the difference between the two prices is what the order did. In a
recorded day nobody can tell which trades belong to one parent order, so there the published values must do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.realism.simulate import Parent, Stock, simulate
from twin.clock import MINUTE, at
from twin.contracts import TapeKind
from twin.measures import stylised, stylised_intervals
from twin.measures.resampling import Measured, Resampler
from twin.randomness import Streams

Floats = NDArray[np.float64]
SHARES_OF_VOLUME = (0.001, 0.003, 0.01, 0.03, 0.1)
START, END = at("10:00"), at("14:00")
"""The order is worked over two and a half hours of trading."""
_AVERAGED = MINUTE


@dataclass(frozen=True)
class ImpactStudy:
    """What large orders did.

    Attributes:
        share: wanted sizes as shares of the day's volume; filled: mean filled sizes, the same way.
        impacts: replications x sizes, signed price change at the end in units of the daily volatility.
        exponent: of the power law through them, with its interval over the replications; unknown without impact.
        prefactor: impact of a whole day's volume by that law, daily volatilities.
        level: impact of the largest order over the square root of its share of the volume.
        volume: mean shares traded in a day; volatility: mean daily volatility (root of the sum of squared minutes).
    """

    share: Floats
    filled: Floats
    impacts: Floats
    exponent: Measured
    prefactor: float
    level: Measured
    volume: float
    volatility: float

    @property
    def mean(self) -> Floats:
        """Mean impact of each size."""
        return self.impacts.mean(axis=0)

    @property
    def error(self) -> Floats:
        """Standard error of each mean."""
        return self.impacts.std(axis=0, ddof=1) / np.sqrt(len(self.impacts))


def impact_study(
    stock: Stock,
    seed: int,
    *,
    shares: Sequence[float] = SHARES_OF_VOLUME,
    replications: int = 8,
    progress: Callable[[float], None] | None = None,
) -> ImpactStudy:
    """Work orders of several sizes into the same days, buying on even days and selling on odd ones.

    Args:
        stock: the market.
        seed: of the days; the order itself draws nothing.
        shares: sizes as shares of the mean daily volume of the days without an order.
        replications: days, at least 3.
        progress: told the fraction of the work that is done.
    """
    days, tell = range(replications), progress or (lambda _fraction: None)
    steps = replications * (len(shares) + 1)
    plain, volumes, deviations = [], [], []
    for day in days:
        run = simulate(stock, Streams(seed, day))
        volumes.append(float(run.tape.quantity[run.tape.kind == TapeKind.TRADE].sum()))
        inside = stylised.inside(run.time - 1)
        deviations.append(_daily_volatility(run.mid[inside]))
        plain.append(_end_price(run.time, run.mid))
        tell((day + 1) / steps)
    volume, volatility = float(np.mean(volumes)), float(np.mean(deviations))
    impacts, filled = np.zeros((replications, len(shares))), np.zeros((replications, len(shares)))
    for day in days:
        side = 1 if day % 2 == 0 else -1
        for i, share in enumerate(shares):
            parent = Parent(side, max(100, round(share * volume / 100) * 100), START, END)
            run = simulate(stock, Streams(seed, day), parent=parent, until=END)
            impacts[day, i] = side * (_end_price(run.time, run.mid) - plain[day]) / volatility
            filled[day, i] = run.filled / volume
            tell((replications + day * len(shares) + i + 1) / steps)
    return _fitted(np.array(shares), filled.mean(axis=0), impacts, volume, volatility, Resampler(block=1, seed=seed))


def _fitted(
    share: Floats, filled: Floats, impacts: Floats, volume: float, volatility: float, by: Resampler
) -> ImpactStudy:
    """The law through the impacts; without an impact beyond two standard errors at any size there is none to fit."""
    error = np.maximum(impacts.std(axis=0, ddof=1), 1e-12) / np.sqrt(len(impacts))
    mean = impacts.mean(axis=0)
    level = stylised_intervals.mean(impacts[:, -1] / np.sqrt(filled[-1]), by)
    if not (mean > 2 * error).any():
        none = Measured(math.nan, math.nan, math.nan, len(impacts), "no impact beyond two standard errors")
        return ImpactStudy(share, filled, impacts, none, math.nan, level, volume, volatility)
    exponent = stylised_intervals.impact_exponent(filled, impacts, by)
    prefactor = stylised.impact_fit(filled, mean, error)[1]
    return ImpactStudy(share, filled, impacts, exponent, prefactor, level, volume, volatility)


def _end_price(time: NDArray[np.int64], mid: Floats) -> float:
    """Mean log mid over the order's last minute."""
    last = (time > END - _AVERAGED) & (time <= END)
    return float(np.mean(np.log(mid[last])))


def _daily_volatility(mid: Floats) -> float:
    """Root of the sum of squared one-minute log returns (20 ticks of 3 s)."""
    return float(np.sqrt(np.sum(np.diff(np.log(mid[::20])) ** 2)))
