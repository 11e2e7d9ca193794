"""The news that moves the value of what is listed: an index path through given prices, and values around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.clock import TICK, Phase, trading_ticks
from twin.contracts import Instruments, IntColumn
from twin.errors import ScenarioError
from twin.randomness import Stream, Streams

if TYPE_CHECKING:
    from twin.world import InstrumentTraits

_TICK_BITS = 20
"""A news draw's entity is instrument << _TICK_BITS | tick of the day."""
_GRID = 240
"""Instants of a trading day among which the times of the extremes are drawn: its minutes."""


@dataclass(frozen=True)
class IndexDay:
    """A day of the index as returns on the previous close (-0.03 = three per cent down).

    Args:
        open, high, low, close: low <= open, close <= high, all above -1.
        volatility_day: standard deviation of the log index over one trading day; it sets how rough the path is.
    """

    open: float = 0.0
    high: float = 0.006
    low: float = -0.006
    close: float = 0.0
    volatility_day: float = 0.011

    def __post_init__(self) -> None:
        if not -1 < self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ScenarioError(
                f"open {self.open}, high {self.high}, low {self.low}, close {self.close} contradict each other",
                where="index day",
                hint="low <= open, close <= high, all above -1 (that is -100 %).",
            )
        if self.volatility_day < 0:
            raise ScenarioError(f"volatility_day = {self.volatility_day}", where="index day", hint="Give >= 0.")


class NewsPath:
    """The exogenous value of the index and of every instrument in each 3-second tick of the day, 09:15 to 15:00.

    The index is flat at `open` until 09:30 and over lunch. In trading time it is a chain of Brownian bridges in the log
    level: open, first extreme, second extreme, close. Which extreme comes first, and when, is drawn from the law of
    first passage, so that a move has about the time that it needs at the day's volatility. Each bridge is folded back
    at low and high (reflection), which leaves its end points in place: the extremes are reached exactly and never
    passed. A tick's value is the one at its end.

    A stock's log value is beta times the log index plus a Brownian motion of its own, of which `overnight_share` of the
    day's variance falls on the night and, if `pace` is given, the rest on the ticks in proportion to it: news comes as
    orders do (Clark 1973). It is clipped to the day's price limits. A fund's value is that of its basket.

    Assumes: what the index has done before the day does not matter. Does not model: sectors, jumps of single stocks.
    """

    def __init__(
        self,
        day: IndexDay,
        instruments: Instruments,
        traits: InstrumentTraits,
        streams: Streams,
        overnight_share: float = 0.2,
        pace: NDArray[np.float64] | None = None,
    ) -> None:
        ticks = list(trading_ticks())
        self.starts: IntColumn = np.array([tick.start for tick in ticks], np.int64)
        moving = np.array([tick.phase in (Phase.CONTINUOUS, Phase.CLOSE_CALL) for tick in ticks])
        self._day, self._streams = day, streams
        trading = np.cumsum(moving)
        """Trading ticks elapsed at the end of each tick."""
        self.index: NDArray[np.float64] = self._index_path(int(trading[-1]))[trading]
        share = np.ones(int(trading[-1])) if pace is None else pace[moving] / pace[moving].mean()
        self._fundamental = self._values(instruments, traits, trading, overnight_share, np.sqrt(share))

    def _extreme_times(self, length: int) -> tuple[int, int]:
        """Trading ticks, in [0, length], at which the index is at its low and at its high.

        A Brownian motion of daily deviation s needs the time t for a move a with density a / t**1.5 exp(-a**2 / (2 s**2
        t)), the law of first passage (Borodin and Salminen 2002, 1.2.0.2). The path makes three moves, to the first
        extreme, to the second, to the close; given that their times add up to the day, their joint density is the
        product. Times and order are drawn from it, on a grid of minutes and then evenly within the minute. The chance
        of staying between the extremes meanwhile falls exponentially with the time passed, which is the same for all.
        """
        day = self._day
        level = {name: math.log1p(getattr(day, name)) for name in ("open", "low", "high", "close")}
        cases = []
        for first, second in (("low", "high"), ("high", "low")):
            ends_at = level[first] == level["close"] != level["open"]
            if level[second] == level["open"] or (ends_at and level[first] != level["open"]):
                continue  # an extreme that is the open or the close is reached there
            moves = (level["open"], level[first], level[second], level["close"])
            cases.append((first, self._densities([abs(b - a) for a, b in pairwise(moves)])))
        u = self._streams.uniform(Stream.NEWS_INDEX, [0, 1], 0)
        peak = max(float(density.max()) for _, density in cases)
        weights = np.concatenate([np.exp(density - peak).ravel() for _, density in cases])
        drawn = int(np.searchsorted(np.cumsum(weights) / weights.sum(), u[0]))
        case, cell = divmod(drawn, (_GRID + 1) ** 2)
        inside = (u[1] - 0.5) * length / _GRID
        times = []
        for k in divmod(cell, _GRID + 1):
            on_grid = k * length / _GRID
            times.append(round(on_grid if k in (0, _GRID) else min(max(on_grid + inside, 1), length - 1)))
        return (times[0], times[1]) if cases[case][0] == "low" else (times[1], times[0])

    def _densities(self, moves: list[float]) -> NDArray[np.float64]:
        """Log density of the two extremes' times (rows, columns: grid), given the sizes of the three moves.

        A move of nothing takes no time. For a day without volatility the least that the moves need is assumed, so that
        each takes time in proportion to its size.
        """
        sigma = max(self._day.volatility_day, 0.01 * sum(moves))
        t = np.arange(_GRID + 1) / _GRID
        density = np.zeros((_GRID + 1, _GRID + 1))
        for size, time in zip(moves, (t[:, None], t[None, :] - t[:, None], 1.0 - t[None, :]), strict=True):
            if size == 0.0:
                density = density + np.where(time == 0.0, 0.0, -np.inf)
            else:
                taken = np.where(time > 0.0, time, np.nan)
                leg = -1.5 * np.log(taken) - size**2 / (2 * sigma**2 * taken)
                density = density + np.where(time > 0.0, leg, -np.inf)
        return density

    def _index_path(self, length: int) -> NDArray[np.float64]:
        """Level relative to the previous close at the end of 0, 1, ..., length trading ticks."""
        day = self._day
        if day.low == day.high:
            return np.full(length + 1, day.open)
        low, high = math.log1p(day.low), math.log1p(day.high)
        low_time, high_time = self._extreme_times(length)
        exact = {0: day.open, length: day.close, low_time: day.low, high_time: day.high}
        knots = sorted(exact)
        noise = self._streams.normal(Stream.NEWS_INDEX, np.arange(length) + 2, 64) * day.volatility_day
        walk = np.concatenate([[0.0], np.cumsum(noise)]) / math.sqrt(length)
        path = np.empty(length + 1)
        for a, b in pairwise(knots):
            share = np.linspace(0.0, 1.0, b - a + 1)
            ends = math.log1p(exact[a]), math.log1p(exact[b])
            bridge = walk[a : b + 1] - walk[a] - share * (walk[b] - walk[a])
            path[a : b + 1] = ends[0] + share * (ends[1] - ends[0]) + bridge
        width = high - low
        folded = low + np.abs((path - low + width) % (2 * width) - width)
        level = np.clip(np.expm1(folded), day.low, day.high)
        for position, value in exact.items():
            level[position] = value  # rounding in exp and log must not move a knot
        return level

    def _values(
        self,
        instruments: Instruments,
        traits: InstrumentTraits,
        trading: NDArray[np.int64],
        overnight_share: float,
        rough: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Value in ticks of every instrument (columns) in every tick of the day (rows).

        `rough`: standard deviation of each trading tick's step relative to the mean step.
        """
        length, n = int(trading[-1]), len(instruments)
        ids = np.arange(n, dtype=np.int64) << _TICK_BITS
        step_sd = traits.idiosyncratic_volatility * math.sqrt((1 - overnight_share) / length)
        own = np.empty((length + 1, n))
        own[0] = self._streams.normal(Stream.NEWS_INSTRUMENT, ids) * traits.idiosyncratic_volatility
        own[0] *= math.sqrt(overnight_share)
        steps = np.arange(1, length + 1, dtype=np.int64)
        own[1:] = self._streams.normal(Stream.NEWS_INSTRUMENT, steps[:, None] | ids) * (rough[:, None] * step_sd)
        own = np.cumsum(own, axis=0)[trading]
        value = instruments.previous_close * np.exp(np.log1p(self.index)[:, None] * traits.beta + own)
        value = np.clip(value, instruments.limit_down, instruments.limit_up)
        value[:, traits.baskets.fund] = traits.baskets.value(value.astype(np.float64))
        return np.clip(value, instruments.limit_down, instruments.limit_up).astype(np.float32)

    def row(self, t_ns: int) -> int:
        """The tick of the day that contains an instant; the last tick from 15:00 on."""
        first = int(self.starts[0])
        if t_ns < first:
            raise ScenarioError(f"no news before 09:15 (asked at {t_ns} ns)", where="news path")
        return min((t_ns - first) // TICK, len(self.starts) - 1)

    def index_return(self, t_ns: int) -> float:
        """Return of the index on its previous close in the tick that contains an instant (-0.03 = 3 % down)."""
        return float(self.index[self.row(t_ns)])

    def fundamental(self, t_ns: int) -> NDArray[np.float64]:
        """Value of every instrument, in ticks, in the tick that contains an instant."""
        return self._fundamental[self.row(t_ns)].astype(np.float64)
