"""Engines of a replay whose price ladder grows with the prices that come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.clock import Phase
from twin.contracts import Exchange, Instruments, IntColumn, MessageKind, Messages, Tape
from twin.errors import DataError
from twin.matching.engine import MatchingEngine
from twin.matching.feeds.base import Action, Feed, FeedRows

_MAX_SPAN = 20_000_000
_MAX_ORDERS = 1 << 27
_STOCK_TICK = 10
"""Mills; a recording with a price between has a tick of one mill, as funds have."""


class WideEngine:
    """One instrument's engine, with a second one that follows it to be looked at in between, if `shadowed`.

    Args:
        previous_close: in mills, 0 if it is not known.
        shadowed: whether there is a second engine.
        prices: further prices in mills that tell the tick.
    """

    def __init__(self, previous_close: int, *, shadowed: bool, prices: IntColumn) -> None:
        self._close = previous_close
        self.tick = _STOCK_TICK
        self._low = self._high = 0
        self._shadowed = shadowed
        self._refine(prices)
        self._build(1, 1)

    def warm_up(self) -> None:
        """Compile the kernels."""
        for engine in self.engines:
            engine.set_phase(Phase.OPEN_CALL)
            engine.process(Messages.empty())
            engine.uncross(0)
            engine.set_phase(Phase.CLOSED)

    def rests(self, handles: int) -> NDArray[np.bool_]:
        """Whether the order of each of the first handles rests."""
        return self.engines[0]._slots[:handles] != 0

    def widen(self, rows: FeedRows, feed: Feed) -> None:
        """Make the ladder wide and fine enough for the prices of new orders.

        Raises:
            DataError: a price is out of all proportion to the others.
        """
        new = np.isin(rows.action, (Action.ADD, Action.ADD_IOC))
        prices = rows.price[new]
        if not len(prices):
            return
        tick = self.tick
        self._refine(rows.price[rows.action != Action.DELETE])
        low, high = int(prices.min()) // self.tick, int(prices.max()) // self.tick
        finer = tick // self.tick
        if self._low:
            low, high = min(low, self._low * finer), max(high, self._high * finer)
        if high - low > _MAX_SPAN:
            row = int(np.flatnonzero(new)[np.argmax(np.abs(prices - np.median(prices)))])
            raise DataError(
                f"price {rows.price[row]} mills is out of all proportion to the others",
                feed.where(int(rows.row[row]), "price"),
                f"Prices of a day span at most {_MAX_SPAN} ticks.",
            )
        if finer > 1 or low < self._low or high > self._high or not self._low:
            room = (high - low) // 4 + 16
            self._move(max(1, low - room), high + room, finer)

    def _refine(self, prices: IntColumn) -> None:
        if (prices % self.tick).any():
            self.tick = 1

    def _move(self, low: int, high: int, finer: int) -> None:
        """Build wider engines and let the resting orders enter them in their order."""
        old = self.engines
        phases = [engine.phase for engine in old]
        tapes = [engine.expire(0) for engine in old]
        self._build(low, high)
        for engine, phase, tape in zip(self.engines, phases, tapes, strict=True):
            engine.set_phase(Phase.CLOSE_CALL)
            engine.process(_entries(tape, finer))
            engine.set_phase(phase)

    def _build(self, low: int, high: int) -> None:
        self._low, self._high = (low, high) if high > 1 else (0, 0)
        row = (int(Exchange.SSE), 0, self._close // self.tick, low, high, 1, 0)
        listed = Instruments(*(np.array([x], np.int64) for x in row))
        self.engines = [MatchingEngine(listed, max_orders=_MAX_ORDERS) for _ in range(2 if self._shadowed else 1)]


def _entries(tape: Tape, finer: int) -> Messages:
    zero = np.zeros(len(tape), np.int64)
    kind = zero + MessageKind.NEW_LIMIT
    return Messages(zero, kind, zero, tape.side, tape.price * finer, tape.quantity, tape.order)
