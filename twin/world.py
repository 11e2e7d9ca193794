"""The world outside the broker: what is listed, and the news that moves its value.

Listed stocks are synthetic: boards in about the shares of the two exchanges, lognormal prices, Zipf popularity. The
news is exogenous: an index path through a given open, high, low and close, and one value path per stock around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.clock import TICK, Phase, trading_ticks
from twin.contracts import Board, Exchange, Instruments, IntColumn
from twin.errors import ScenarioError
from twin.matching.rules.prices import limit_prices
from twin.randomness import Stream, Streams

_PRICE, _BETA, _VOLATILITY, _RANK, _ORDER_WEIGHT, _SHUFFLE = range(6)
_TICK_BITS = 20
"""A news draw's entity is instrument << _TICK_BITS | tick of the day."""

_LARGEST = {Board.MAIN: 1_000_000, Board.CHINEXT: 300_000, Board.STAR: 100_000}
"""Most shares of one limit order (domain M38 to M40)."""


@dataclass(frozen=True)
class MarketConfig:
    """What is listed.

    Args:
        instruments: number of listed stocks.
        share_main_sse, share_main_szse, share_chinext, share_star: shares of the boards by number of stocks; about
            the counts at the end of 2024 (1,700 / 1,500 / 1,370 / 580); rescaled to sum to 1.
        price_median: median previous close in CNY; price_sigma: standard deviation of its logarithm (assumed).
        beta_sd: spread of betas around 1 (main) and 1.15 (ChiNext, STAR) (assumed).
        idiosyncratic_volatility: median daily volatility not due to the index (assumed; a third more on ChiNext, STAR).
        volatility_sigma: spread of its logarithm.
        zipf_exponent: popularity of the stock of rank r is proportional to r ** -zipf_exponent (assumed).
        weight_exponent: daily orders are proportional to popularity ** weight_exponent, with mean weight 1 (assumed).
        limit_pct_main, limit_pct_growth: price limits in per cent (domain M30, M31).
    """

    instruments: int = 300
    share_main_sse: float = 0.33
    share_main_szse: float = 0.29
    share_chinext: float = 0.27
    share_star: float = 0.11
    price_median: float = 13.0
    price_sigma: float = 0.75
    beta_sd: float = 0.25
    idiosyncratic_volatility: float = 0.018
    volatility_sigma: float = 0.3
    zipf_exponent: float = 0.9
    weight_exponent: float = 0.5
    limit_pct_main: int = 10
    limit_pct_growth: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.instruments <= 10_000:
            raise ScenarioError(f"instruments = {self.instruments}", where="market", hint="Give 1 to 10000.")
        if min(self.shares) < 0 or sum(self.shares) <= 0:
            raise ScenarioError("board shares must be >= 0 with a positive sum", where="market")

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Shares of main SSE, main SZSE, ChiNext and STAR as given."""
        return self.share_main_sse, self.share_main_szse, self.share_chinext, self.share_star


@dataclass(frozen=True)
class InstrumentTraits:
    """What the model, not the exchange, says of each instrument; row = instrument.

    Attributes:
        beta: elasticity of the value with respect to the index.
        idiosyncratic_volatility: daily standard deviation of the log value at constant index.
        popularity: clients' attention; sums to 1.
        order_weight: daily orders relative to the mean instrument; mean 1.
    """

    beta: NDArray[np.float64]
    idiosyncratic_volatility: NDArray[np.float64]
    popularity: NDArray[np.float64]
    order_weight: NDArray[np.float64]


def largest_orders(instruments: Instruments) -> IntColumn:
    """Most shares that a limit order may be for, per instrument."""
    return np.array([_LARGEST[Board(board)] for board in instruments.board.tolist()], np.int64)


def _board_counts(shares: tuple[float, ...], total: int) -> list[int]:
    """Whole numbers in the given proportions that sum to `total` (largest remainder)."""
    exact = np.asarray(shares) / sum(shares) * total
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return [int(c) for c in counts]


def make_instruments(config: MarketConfig, streams: Streams) -> tuple[Instruments, InstrumentTraits]:
    """Draw the listed stocks of a scenario.

    The draw depends on the seed alone, not on the replication: replications trade the same stocks.
    """
    n = config.instruments
    fixed = Streams(streams.seed, 0)
    ids = np.arange(n)

    def normal(purpose: int) -> NDArray[np.float64]:
        return fixed.normal(Stream.INSTRUMENT, ids, purpose)

    kinds = np.repeat(np.arange(4), _board_counts(config.shares, n))
    kinds = kinds[np.argsort(fixed.uniform(Stream.INSTRUMENT, ids, _SHUFFLE), kind="stable")]
    exchange = np.array([Exchange.SSE, Exchange.SZSE, Exchange.SZSE, Exchange.SSE], np.int64)[kinds]
    board = np.array([Board.MAIN, Board.MAIN, Board.CHINEXT, Board.STAR], np.int64)[kinds]
    growth = board != Board.MAIN
    price = 100 * config.price_median * np.exp(config.price_sigma * normal(_PRICE))
    close = np.clip(np.floor(price + 0.5), 200, 200_000).astype(np.int64)
    percent = np.where(growth, config.limit_pct_growth, config.limit_pct_main).astype(np.int64)
    down, up = limit_prices(close, percent)
    lot = np.where(board == Board.STAR, 200, 100)  # smallest order; on STAR any number from 200 on (domain M38, M39)
    instruments = Instruments(exchange, board, close, down, up, lot, np.where(growth, 4, 3).astype(np.int64))

    rank = np.empty(n)
    rank[np.argsort(fixed.uniform(Stream.INSTRUMENT, ids, _RANK), kind="stable")] = np.arange(1, n + 1)
    popularity = rank**-config.zipf_exponent
    weight = popularity**config.weight_exponent
    beta = np.clip(np.where(growth, 1.15, 1.0) + config.beta_sd * normal(_BETA), 0.2, 2.2)
    volatility = config.idiosyncratic_volatility * np.where(growth, 4 / 3, 1.0)
    volatility = volatility * np.exp(config.volatility_sigma * normal(_VOLATILITY))
    return instruments, InstrumentTraits(beta, volatility, popularity / popularity.sum(), weight / weight.mean())


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
    level: open, first extreme, second extreme, close. Which extreme comes first and when is random (arcsine law, the
    two at least a tenth of the day apart). Each bridge is folded back at low and high (reflection), which leaves its
    end points in place: the extremes are reached exactly and never passed. A tick's value is the one at its end.

    A stock's log value is beta times the log index plus a Brownian motion of its own, of which `overnight_share` of the
    day's variance falls on the night; it is clipped to the day's price limits.

    Assumes: what the index has done before the day does not matter. Does not model: sectors, jumps of single stocks.
    """

    def __init__(
        self,
        day: IndexDay,
        instruments: Instruments,
        traits: InstrumentTraits,
        streams: Streams,
        overnight_share: float = 0.2,
    ) -> None:
        ticks = list(trading_ticks())
        self.starts: IntColumn = np.array([tick.start for tick in ticks], np.int64)
        moving = np.array([tick.phase in (Phase.CONTINUOUS, Phase.CLOSE_CALL) for tick in ticks])
        self._day, self._streams = day, streams
        trading = np.cumsum(moving)
        """Trading ticks elapsed at the end of each tick."""
        self.index: NDArray[np.float64] = self._index_path(int(trading[-1]))[trading]
        self._fundamental = self._values(instruments, traits, trading, overnight_share)

    def _extreme_times(self, length: int) -> tuple[int, int]:
        """Trading ticks, in [0, length], at which the index is at its low and at its high."""
        day = self._day
        fixed = {
            level: 0 if level == day.open else length for level in (day.low, day.high) if level in (day.open, day.close)
        }
        for attempt in range(64):
            u = self._streams.uniform(Stream.NEWS_INDEX, [0, 1], attempt)
            low, high = (min(max(int(length * math.sin(math.pi * x / 2) ** 2), 1), length - 1) for x in u)
            low, high = fixed.get(day.low, low), fixed.get(day.high, high)
            if abs(low - high) >= length // 10:
                return low, high
        return fixed.get(day.low, length // 3), fixed.get(day.high, 2 * length // 3)

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
        self, instruments: Instruments, traits: InstrumentTraits, trading: NDArray[np.int64], overnight_share: float
    ) -> NDArray[np.float32]:
        """Value in ticks of every instrument (columns) in every tick of the day (rows)."""
        length, n = int(trading[-1]), len(instruments)
        ids = np.arange(n, dtype=np.int64) << _TICK_BITS
        step_sd = traits.idiosyncratic_volatility * math.sqrt((1 - overnight_share) / length)
        own = np.empty((length + 1, n))
        own[0] = self._streams.normal(Stream.NEWS_INSTRUMENT, ids) * traits.idiosyncratic_volatility
        own[0] *= math.sqrt(overnight_share)
        steps = np.arange(1, length + 1, dtype=np.int64)
        own[1:] = self._streams.normal(Stream.NEWS_INSTRUMENT, steps[:, None] | ids) * step_sd
        own = np.cumsum(own, axis=0)[trading]
        value = instruments.previous_close * np.exp(np.log1p(self.index)[:, None] * traits.beta + own)
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
