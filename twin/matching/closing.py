"""The day's closing prices (domain M04, M06).

The closing call's price where there was one; else the mean price, by volume, of the minute up to the last trade (that
trade included), half-up to the tick; in Beijing the last trade. Without a trade it is the previous close.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from twin.clock import MINUTE
from twin.contracts import IntColumn, Tape, TapeKind

_PARTS = 256


class ClosingPrices:
    """Follows the trades of a day and knows at any instant what the close would be.

    Args:
        previous_close: ticks, by instrument.
        by_last_trade: instruments that close at their last trade.
    """

    # Trades older than a minute matter only where nothing has traded since: few, so that little is kept.

    def __init__(self, previous_close: IntColumn, by_last_trade: NDArray[np.bool_]) -> None:
        self._previous, self._by_last_trade = previous_close, by_last_trade
        n = len(previous_close)
        self._called = np.zeros(n, np.int64)
        self._time, self._last = np.full(n, -1, np.int64), np.zeros(n, np.int64)
        self._recent: deque[tuple[int, NDArray[np.int64]]] = deque()
        self._kept: list[NDArray[np.int64]] = []

    def add(self, tape: Tape, *, closing_call: bool = False) -> None:
        """Take the trades of a piece of tape: of an instrument in the order of the day, none before earlier pieces."""
        rows = np.flatnonzero(tape.kind == TapeKind.TRADE)
        if not len(rows):
            return
        trades = np.stack([tape.time[rows], tape.instrument[rows], tape.price[rows], tape.quantity[rows]])
        self._time[trades[1]], self._last[trades[1]] = trades[0], trades[2]
        if closing_call:
            self._called[trades[1]] = trades[2]
        now = int(trades[0].max())
        self._recent.append((now, trades))
        while self._recent[0][0] < now - MINUTE:
            self._keep(self._recent.popleft()[1])

    def _keep(self, trades: NDArray[np.int64]) -> None:
        """Trades of more than a minute ago: those stay that lie within the last minute of their instrument."""
        self._kept.append(self._of_last_minute(trades))
        if len(self._kept) > _PARTS:
            self._kept = [self._of_last_minute(np.concatenate(self._kept, axis=1))]

    def _of_last_minute(self, trades: NDArray[np.int64]) -> NDArray[np.int64]:
        return trades[:, trades[0] >= self._time[trades[1]] - MINUTE]

    def prices(self) -> IntColumn:
        """The close of every instrument, in ticks, if the day ended now."""
        none = np.zeros((4, 0), np.int64)
        trades = self._of_last_minute(
            np.concatenate([none, *self._kept, *(trades for _, trades in self._recent)], axis=1)
        )
        volume, turnover = np.zeros_like(self._previous), np.zeros_like(self._previous)
        np.add.at(volume, trades[1], trades[3])
        np.add.at(turnover, trades[1], trades[2] * trades[3])
        mean = (2 * turnover + volume) // np.maximum(2 * volume, 1)
        close = np.where(self._by_last_trade, self._last, mean)
        close = np.where(self._called > 0, self._called, close)
        return np.where(self._time < 0, self._previous, close)
