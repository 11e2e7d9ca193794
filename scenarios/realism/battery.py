"""Every statistic of the battery for one stock-day, each with its interval.

Dependent series are resampled in blocks much longer than the memory that is measured: 10 minutes of returns, 500
orders, 10 minutes of quotes. The names are those of the facts in `scenarios.realism.facts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scenarios.realism.day import DayOrders, StockDay
from twin.clock import MINUTE, SECOND
from twin.measures import stylised
from twin.measures import stylised_intervals as of
from twin.measures.resampling import Measured, Resampler, nothing
from twin.measures.stylised import AT_BEST, BEHIND, INSIDE, MARKETABLE

Floats = NDArray[np.float64]
FINE, COARSE, BIN = 10 * SECOND, MINUTE, 5 * MINUTE
TAIL = 0.05
PLACEMENT_TAIL = 0.1
ABS_LAGS = np.unique(np.round(np.geomspace(1, 60, 16)).astype(np.int64))
"""Lags (of 10 s) for the decay of absolute returns: to 10 minutes."""
_ORDERS_BLOCK = 500
_DISTINCT = 6
"""Fewest different moves (in half ticks) in the tail of returns for its exponent to mean something."""


@dataclass(frozen=True)
class Battery:
    """The statistics of a day, and the samples behind them, which the pictures draw.

    Args:
        day: recorded or simulated.
        replications: bootstrap samples.
        seed: of the bootstrap.
    """

    day: StockDay
    replications: int = 200
    seed: int = 0

    def by(self, block: int, *, stationary: bool = False) -> Resampler:
        """A resampler with blocks of so many observations."""
        return Resampler(block=block, replications=self.replications, seed=self.seed, stationary=stationary)

    # --- samples ---------------------------------------------------------------------------------------------------

    @cached_property
    def mid(self) -> Floats:
        """Mid price after each change of the quotes, ticks; NaN while a side is empty."""
        q = self.day.quotes
        both = (q.bid > 0) & (q.ask > 0)
        return np.where(both, 0.5 * (q.bid + q.ask), np.nan)

    def mid_grid(self, step: int) -> Floats:
        """Mid price at every step of continuous trading; the last one known while a side is empty."""
        known = np.isfinite(self.mid)
        return stylised.on_grid(self.day.quotes.time[known], self.mid[known], step, self.day.windows)

    def returns(self, step: int) -> Floats:
        """Log returns of the mid over a step (ns)."""
        return stylised.log_returns(self.mid_grid(step))

    @cached_property
    def signs(self) -> NDArray[np.int64]:
        """Sides of the aggressors of continuous trading, one per order."""
        return stylised.one_sign_per_order(self.day.trades.sign, self.day.trades.taker)[0]

    @cached_property
    def order_gaps(self) -> Floats:
        """Seconds between new orders."""
        return stylised.gaps(self.day.orders.time, self.day.windows)

    @cached_property
    def trade_gaps(self) -> Floats:
        """Seconds between trades."""
        return stylised.gaps(self.day.trades.time, self.day.windows)

    @cached_property
    def seen(self) -> DayOrders:
        """Orders of continuous trading that met both sides of the book."""
        orders = self.day.orders
        return orders.take(
            stylised.inside(orders.time, self.day.windows) & (orders.bid > 0) & (orders.ask > orders.bid)
        )

    @cached_property
    def where(self) -> NDArray[np.int64]:
        """Where each of them was placed (`stylised.MARKETABLE` and so on)."""
        return stylised.placement(self.seen.side, self.seen.price, self.seen.bid, self.seen.ask)

    @cached_property
    def behind(self) -> Floats:
        """Ticks behind the best of those that were placed behind it."""
        seen = self.seen
        ticks = stylised.ticks_behind(seen.side, seen.price, seen.bid, seen.ask)
        return ticks[self.where == BEHIND].astype(np.float64)

    @cached_property
    def lives(self) -> Floats:
        """Seconds of trading time from entry to cancel."""
        orders = self.day.orders
        gone = orders.take((orders.fate == -1) & stylised.inside(orders.time, self.day.windows))
        ended, entered = (stylised.trading_time(t, self.day.windows) for t in (gone.ended, gone.time))
        return (ended - entered) / SECOND

    @cached_property
    def impacts(self) -> tuple[Floats, Floats]:
        """Size of each aggressor in mean sizes, and the signed log change of the mid until the next aggressor comes."""
        day = self.day
        _, rows = stylised.one_sign_per_order(day.trades.sign, day.trades.taker)
        orders = day.orders.take(day.trades.taker[rows])
        size = orders.filled.astype(np.float64)
        mid = np.where((orders.bid > 0) & (orders.ask > 0), 0.5 * (orders.bid + orders.ask), np.nan)
        change = np.diff(np.log(mid)) * orders.side[:-1]
        session = np.searchsorted([start for start, _ in day.windows], orders.time, side="right")
        good = np.isfinite(change) & (session[1:] == session[:-1])
        if not good.any():
            return np.zeros(0), np.zeros(0)
        return size[:-1][good] / size.mean(), change[good]

    @cached_property
    def minutes(self) -> Floats:
        """Shares traded in each minute of continuous trading."""
        return stylised.binned_sums(self.day.trades.time, self.day.trades.quantity, MINUTE, self.day.windows)

    # --- statistics ------------------------------------------------------------------------------------------------

    @cached_property
    def statistics(self) -> dict[str, Measured]:
        """Every statistic by its name."""
        return dict(self.each())

    def each(self) -> Iterator[tuple[str, Measured]]:
        """Every statistic, one after the other, so that progress can be shown."""
        if len(self.day.trades) < 100 or len(self.seen) < 100:
            return
        for part in (self._returns, self._activity, self._signs, self._sizes, self._times, self._places, self._book):
            yield from part()

    def _returns(self) -> Iterator[tuple[str, Measured]]:
        fine, coarse = self.returns(FINE), self.returns(COARSE)
        # Sums of n returns lie in whole blocks of 10 minutes, so that a block holds whole sums.
        blocks, minutes = self.by(60), self.by(10)
        yield "volatility_bp", _scaled(of.deviation(coarse, minutes), 1e4)
        yield "kurtosis_10s", of.excess_kurtosis(fine, blocks)
        yield "kurtosis_1min", of.excess_kurtosis(coarse, minutes)
        yield "tail_exponent", self._tail(fine)
        yield "return_acf", of.autocorrelations(coarse, [1], minutes)[0]
        yield "variance_ratio", of.variance_ratio(fine, 30, blocks)
        yield "abs_acf", of.mean_autocorrelation(np.abs(fine), 1, 30, blocks)
        yield "abs_decay", of.decay(np.abs(fine), ABS_LAGS, self.by(180))
        yield (
            "aggregation",
            blocks.of_sample(fine, lambda r: float(-np.diff(stylised.kurtosis_by_horizon(r, (1, 30)))[0])),
        )

    def _tail(self, returns: Floats) -> Measured:
        """Tail exponent, unless the tail is but a few ticks wide: then the grid of prices shows, not the tail."""
        moves = np.sort(np.abs(np.diff(self.mid_grid(FINE))))
        if len(np.unique(moves[-int(TAIL * len(moves)) :])) < _DISTINCT:
            return replace(nothing(len(returns)), method="the price moves by too few ticks")
        return of.hill(np.abs(returns), TAIL, self.by(60, stationary=True))

    def _activity(self) -> Iterator[tuple[str, Measured]]:
        volume = stylised.binned_sums(self.day.trades.time, self.day.trades.quantity, BIN, self.day.windows)
        realised = np.sqrt(self._realised(BIN))
        n = min(len(volume), len(realised))
        good = (volume[:n] > 0) & (realised[:n] > 0)
        logs = np.log(volume[:n][good]), np.log(realised[:n][good])
        yield "volume_volatility", of.correlation(*logs, self.by(5)) if good.sum() > 8 else nothing(int(good.sum()))
        # The last half-hour before the day's end, of which a closing call may take the last minutes.
        late = 30 - -self.day.windows[-1][1] // MINUTE % 30
        opening, middle, ending = np.split(self.minutes, (30, len(self.minutes) - late))
        steps = self.by(5)
        yield "opening_peak", of.mean_ratio(opening, middle, steps)
        yield "closing_rise", of.mean_ratio(ending, middle, steps)

    def _realised(self, step: int) -> Floats:
        """Sum of squared 10-second returns within each whole step of each session."""
        q, known = self.day.quotes, np.isfinite(self.mid)
        parts = []
        for start, end in self.day.windows:
            logs = np.log(stylised.on_grid(q.time[known], self.mid[known], FINE, [(start - FINE, end)]))
            squares = np.diff(logs) ** 2
            per = step // FINE
            parts.append(squares[: len(squares) // per * per].reshape(-1, per).sum(axis=1))
        return np.concatenate(parts)

    def _signs(self) -> Iterator[tuple[str, Measured]]:
        by = self.by(_ORDERS_BLOCK)
        yield "sign_acf", of.autocorrelations(self.signs, [1], by)[0]
        yield "sign_memory", of.mean_autocorrelation(self.signs, 1, 50, by)
        yield "sign_decay", of.decay(self.signs, stylised.DECAY_LAGS, by)
        size, change = self.impacts

        def exponent(rows: Floats) -> float:
            return stylised.power_exponent(*stylised.mean_by_size(rows[:, 0], rows[:, 1]))

        yield "trade_impact", by.of_sample(np.column_stack([size, change]), exponent)

    def _sizes(self) -> Iterator[tuple[str, Measured]]:
        by, shares = self.by(_ORDERS_BLOCK), self.day.orders.quantity
        yield "order_size", of.mean(shares, by)
        yield "one_lot", of.mean(shares == 100, by)
        large = shares[shares >= 1000]
        yield "round_size", of.mean(large % 1000 == 0, self.by(1))
        yield "size_tail", of.hill(shares, TAIL, self.by(1))

    def _times(self) -> Iterator[tuple[str, Measured]]:
        by = self.by(_ORDERS_BLOCK)
        yield "gap_shape", of.weibull_shape(self.order_gaps, by)
        yield "gap_memory", of.mean_autocorrelation(self.order_gaps, 1, 100, by)
        yield "trade_gap_shape", of.weibull_shape(self.trade_gaps, by)

    def _places(self) -> Iterator[tuple[str, Measured]]:
        by = self.by(_ORDERS_BLOCK)
        names = {MARKETABLE: "marketable", INSIDE: "inside", AT_BEST: "at_best", BEHIND: "behind"}
        for kind, name in names.items():
            yield name, of.mean(self.where == kind, by)
        mid = float(np.mean(self.seen.bid))
        yield "behind_bp", _scaled(of.quantile(self.behind, 0.5, self.by(100)), 1e4 / mid)
        yield "placement_tail", of.hill(self.behind, PLACEMENT_TAIL, self.by(100))
        orders = self.day.orders
        asked = (orders.fate == -1).astype(np.float64)
        yield "cancels", of.mean(asked, by)
        yield "cancel_life", of.quantile(self.lives, 0.5, self.by(100))

    def _book(self) -> Iterator[tuple[str, Measured]]:
        q = self.day.quotes
        both = np.isfinite(self.mid)
        weight = stylised.time_weights(q.time, self.day.windows) * both
        used = weight > 0
        by = self.by(max(1, int(used.sum()) // 24))
        spread = (q.ask - q.bid) * weight
        yield "spread_ticks", of.ratio(spread[used], weight[used], by)
        yield "spread_bp", _scaled(of.ratio((spread / np.where(both, self.mid, 1.0))[used], weight[used], by), 1e4)
        yield "best_depth", of.ratio((0.5 * (q.bid_quantity + q.ask_quantity) * weight)[used], weight[used], by)
        levels = 0.5 * (self.day.depth[:, 1] + self.day.depth[:, 3]).astype(np.float64)
        looks = self.by(60)
        yield "ten_levels", of.mean(levels.sum(axis=1), looks)
        yield "hump", looks.of_means(levels, lambda m: np.asarray(m.max(axis=1) / m[:, 0]))


def _scaled(found: Measured, factor: float) -> Measured:
    return Measured(found.value * factor, found.low * factor, found.high * factor, found.n, found.method)
