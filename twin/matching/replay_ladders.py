"""Price ladders of a replay: the recorded prices of each instrument in order, whatever their spacing.

In continuous trading an engine needs the order of prices, not their distance, so its ladder may skip what no order
names: a quote far away costs one level, not millions. New prices make a ladder longer, which the engine must follow.
"""

from __future__ import annotations

import numpy as np

from twin.contracts import IntColumn

_PAD = 256
_MOST_PADDED = 1 << 14


class Ladders:
    """Ascending prices of each instrument; the place of a price + 1 is its price in the engine."""

    def __init__(self) -> None:
        self._prices: list[IntColumn] = []
        self.grid = np.zeros(1, np.int64)
        self.spans = np.zeros(4, np.int64)

    @property
    def sizes(self) -> IntColumn:
        """Levels of each instrument."""
        return np.array([len(prices) for prices in self._prices], np.int64)

    def extend(self, instrument: int, prices: IntColumn) -> None:
        """Take further prices into an instrument's ladder, with some room around them."""
        old = self._prices[instrument]
        new = np.unique(prices)
        both = np.unique(np.concatenate([old, new]))
        self._prices[instrument] = np.unique(np.concatenate([both, _padding(new if len(old) == 1 else both, new)]))

    def engine_price(self, instrument: int, prices: IntColumn) -> IntColumn:
        """Engine prices of recorded prices, which must be in the ladder."""
        return np.searchsorted(self._prices[instrument], prices) + 1

    def recorded_price(self, instrument: int, engine: IntColumn) -> IntColumn:
        """Recorded prices of engine prices."""
        found: IntColumn = self._prices[instrument][engine - 1]
        return found

    def pack(self) -> None:
        """Lay the ladders out for the kernels; due after `extend`."""
        self.grid = np.concatenate(self._prices) if self._prices else np.zeros(1, np.int64)
        sizes = self.sizes
        self.spans = np.zeros((max(1, len(sizes)), 4), np.int64)
        self.spans[: len(sizes), 0] = np.cumsum(sizes) - sizes
        self.spans[: len(sizes), 1] = sizes
        for i, prices in enumerate(self._prices):
            self.spans[i, 2:] = _even_stretch(prices)
        self.spans = self.spans.reshape(-1)


def _step(prices: IntColumn) -> int:
    """The usual distance of neighbouring prices."""
    steps = np.diff(prices)
    return int(np.median(steps)) if len(steps) else 0


def _padding(prices: IntColumn, new: IntColumn) -> IntColumn:
    """Prices between and around those in the middle of the field, at their usual step."""
    core = prices[np.abs(prices - int(np.median(prices))) <= int(np.median(prices)) // 2]
    steps = np.diff(core)
    if not len(steps):
        return new
    step = int(np.gcd.reduce(steps)) if int(np.gcd.reduce(steps)) * _MOST_PADDED > int(core[-1] - core[0]) else 0
    step = step or _step(core)
    count = (int(core[-1]) - int(core[0])) // step
    pad = max(_PAD, count // 4)
    if count + 2 * pad > _MOST_PADDED:
        return new
    low, high = int(core[0]) - pad * step, int(core[-1]) + pad * step
    return np.arange(max(low, int(core[0]) % step or step), high + 1, step, dtype=np.int64)


def _even_stretch(prices: IntColumn) -> tuple[int, int]:
    """First place and step of a long stretch of equal steps."""
    if len(prices) < 2:
        return 0, 0
    steps = np.diff(prices)
    values, counts = np.unique(steps, return_counts=True)
    step = int(values[np.argmax(counts)])
    same = np.concatenate([[0], (steps == step).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(same))
    starts, stops = edges[::2], edges[1::2]
    return int(starts[np.argmax(stops - starts)]), step
