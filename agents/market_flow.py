"""The rest of the market at event level: what reaches the exchange through other brokers, fused with the matching.

For one interval, instrument by instrument, the messages of others and the background's own orders and cancels are
handled in time order, and each background order is placed relative to the book as it then is. Every draw is keyed by
(instrument, order number): a market may be split by instrument over processes, and a message of others in one
instrument changes nothing in another.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from agents.background import (
    BACKGROUND_BASE,
    Attention,
    BackgroundParameters,
    Profile,
    patience_time,
)
from agents.kernels import flow as kernel
from agents.kernels import flow_layout as layout
from agents.kernels import flow_orders as orders
from twin.clock import at
from twin.contracts import Board, Instruments, IntColumn, Messages, OrderRules, Tape
from twin.errors import CapacityError, ScenarioError
from twin.kernels.ladders import DONE
from twin.matching.engine import MatchingEngine
from twin.randomness import Streams
from twin.world import largest_orders

_MAX_NODES = 1 << 25
_NOBODY = Messages.empty()
_NO_LOG = np.zeros((7, 0), np.int64)
_NO_SAMPLE = np.zeros((0, 0, 4), np.int64)


class Keep(IntEnum):
    """Which rows of the tape are handed back."""

    OTHERS = layout.KEEP_OTHERS
    """Those that name an order of others."""
    ALL = layout.KEEP_ALL
    NUMBERED = layout.KEEP_NUMBERED
    """All, with order numbers of the instrument, unique in the day, in place of handles; only without others."""


class MarketFlow:
    """Orders and cancels of the rest of the market; its order handles are `BACKGROUND_BASE` + node.

    Args:
        parameters: see `BackgroundParameters`.
        order_weight: daily orders of each instrument relative to the mean (`InstrumentTraits.order_weight`).
        ids: identity of each instrument for randomness; the row if not given. Shards of one market give their own.
        rules: what the exchange demands today; without, whole lots of 100 and no price cage.
        nodes: orders that may live at first; grows by doubling.

    Attributes:
        shares: net shares bought today, per instrument, as `absorb` was told.
        sent: messages of background and others as the exchange took them, if `advance` was asked to log.
    """

    def __init__(
        self,
        parameters: BackgroundParameters,
        instruments: Instruments,
        order_weight: NDArray[np.float64],
        streams: Streams,
        *,
        ids: IntColumn | None = None,
        rules: OrderRules | None = None,
        nodes: int = 1 << 16,
    ) -> None:
        n = len(instruments)
        self.parameters = parameters
        self._streams = streams
        self._profile = Profile(parameters.profile)
        self._attention = Attention(parameters)
        self._weight = np.ascontiguousarray(order_weight, np.float64)
        self._ids = np.arange(n, dtype=np.int64) if ids is None else np.ascontiguousarray(ids, np.int64)
        self._sizes = _sizes(instruments, rules, parameters, self._weight)
        self._cages = _cages(n, rules)
        self._numbers = parameters.numbers()
        self._placement = np.ascontiguousarray(parameters.placement)
        self._calls = np.array([parameters.open_call, parameters.close_call])
        self._place = np.zeros(layout.PLACES, np.int64)
        self._place[layout.FREE] = nodes
        self._own = np.zeros((n, layout.OWN_WORDS), np.int64)
        self._clock = np.zeros((n, layout.CLOCK_WORDS))
        self._nodes = np.zeros((nodes, layout.NODE_WORDS), np.int64)
        self._stack = np.arange(nodes - 1, -1, -1, dtype=np.int32)
        self._message = np.zeros(6, np.int64)
        self._drawn = np.zeros(4, np.int64)
        self._last_patience = patience_time(at("15:00"))
        self._wheel = np.zeros((n, self._last_patience // layout.BUCKET + 2), np.int32)
        self._cash = np.zeros(1, np.int64)
        self.shares = np.zeros(n, np.int64)
        self._log = _NO_LOG
        self.sent = Messages.empty()
        orders.begin(streams.key, streams.replication, self._ids, self._numbers, self._own, self._clock)

    @property
    def cash(self) -> int:
        """Net cash received today in fen; negative when the background bought more than it sold."""
        return int(self._cash[0])

    @property
    def live(self) -> int:
        """Background orders that are at the exchange."""
        return int(self._place[layout.LIVE])

    @property
    def orders(self) -> int:
        """New orders sent today."""
        return int(self._own[:, layout.ORDERS].sum())

    @property
    def cancels(self) -> int:
        """Cancels sent today."""
        return int(self._own[:, layout.CANCELS].sum())

    @property
    def trades(self) -> int:
        """Trades between its own orders and with others."""
        return int(self._own[:, layout.TRADES].sum())

    @property
    def counts(self) -> tuple[IntColumn, IntColumn, IntColumn]:
        """New orders, cancels and trades of each instrument."""
        orders, cancels, trades = self._own[:, [layout.ORDERS, layout.CANCELS, layout.TRADES]].T.copy()
        return orders, cancels, trades

    @property
    def digests(self) -> IntColumn:
        """Of each instrument, a number that depends on every row of its tape but for the handles."""
        return self._own[:, layout.DIGEST].copy()

    def step(
        self,
        engine: MatchingEngine,
        t0: int,
        t1: int,
        value: NDArray[np.float64],
        move: float,
        others: Messages = _NOBODY,
        *,
        keep: Keep = Keep.ALL,
        by_time: bool = True,
    ) -> Tape:
        """One interval [t0, t1), with activity as the market's move (a return, such as -0.03) commands; see `advance`.

        Returns the rows sorted by time, within an instrument in the exchange's order; or instrument by instrument.
        """
        activity = np.array([self._attention.factor(t0, move)])
        edges = np.array([t0, t1], np.int64)
        tape = self.advance(engine, edges, value.reshape(1, -1), activity, others, keep=keep)
        return tape.take(np.argsort(tape.time, kind="stable")) if by_time and len(tape) else tape

    def advance(
        self,
        engine: MatchingEngine,
        edges: IntColumn,
        value: NDArray[np.float64],
        activity: NDArray[np.float64],
        others: Messages = _NOBODY,
        *,
        keep: Keep = Keep.OTHERS,
        log: bool = False,
        sample: IntColumn | None = None,
    ) -> Tape:
        """Run all instruments over consecutive intervals; returns the tape, instrument by instrument.

        What an instrument does follows from its phase at the engine, which changes in between by halts alone: nothing
        is sent while it is shut or suspended, and no cancel while none is taken.

        Args:
            engine: the books.
            edges: borders of the intervals, ns since midnight.
            value: float64[intervals, instruments], the value in ticks.
            activity: factor on the arrival rate in each interval.
            others: messages to merge in, by time; at equal times they go first.
            keep: which rows are returned.
            log: append the messages to `sent`, in the order in which they were handled.
            sample: int64[intervals, instruments, 4], filled with best bid, ask and their shares at the end of each.
        """
        if keep == Keep.NUMBERED and len(others):
            raise ScenarioError("order numbers and messages of others do not go together", where="Keep.NUMBERED")
        share = self._profile.at_edges(edges)
        pace = np.diff(share) * activity * self.parameters.orders_per_day / np.diff(edges)
        patience = np.array([patience_time(int(t)) for t in edges], np.int64)
        starts, grouped = _by_instrument(others, len(self._ids))
        logs: list[NDArray[np.int64]] = []
        if log and not self._log.shape[1]:
            self._log = np.zeros((7, 1 << 14), np.int64)
        value = np.ascontiguousarray(value, np.float64)

        def step(*books: NDArray[np.int64]) -> int:
            self._place[layout.KEPT] = 0
            while True:
                code = int(kernel.advance(
                    *books, self._message, self._streams.key, self._streams.replication, BACKGROUND_BASE,
                    self._last_patience, int(keep), edges, patience, pace, value,
                    self._weight, self._ids, self._sizes, self._cages, self._placement, self._numbers,
                    self._calls, self._place, self._own, self._clock, self._nodes, self._stack, self._wheel,
                    self._drawn, starts, *grouped, self._log if log else _NO_LOG,
                    _NO_SAMPLE if sample is None else sample,
                ))  # fmt: skip
                if log and code in (DONE, layout.LOG_FULL):
                    logs.append(self._log[:, : self._place[layout.LOGGED]].copy())
                    self._place[layout.LOGGED] = 0
                if code not in (layout.NODES_FULL, layout.LOG_FULL):
                    return code
                self._make_room(code)

        tape = engine.run(step)
        if log:
            self.sent = Messages(*np.concatenate([np.stack(list(vars(self.sent).values())), *logs], axis=1))
        return tape

    def absorb(self, engine: MatchingEngine, tape: Tape) -> None:
        """Book shares and cash, and what came of no message: auctions, the end of the day. Takes every row once."""
        kernel.follow(
            BACKGROUND_BASE, tape.kind, tape.instrument, tape.side, tape.price, tape.quantity, tape.order,
            tape.counter, self._place, self._nodes, self._stack, engine.handles, self.shares, self._cash,
        )  # fmt: skip

    def number(self, engine: MatchingEngine, tape: Tape) -> Tape:
        """Take note of a tape that came of no message, in a market without others; returns it with order numbers."""
        rows = np.array(list(vars(tape).values()), np.int64)
        kernel.note(
            BACKGROUND_BASE, -1, 0, len(tape), int(Keep.NUMBERED), self._place, self._own, self._nodes, self._stack,
            engine.handles, rows,
        )  # fmt: skip
        return Tape(*rows)

    def _make_room(self, code: int) -> None:
        """Double what is full."""
        if code == layout.LOG_FULL:
            if self._log.shape[1] < 1 << 17:
                self._log = np.zeros((7, 2 * self._log.shape[1]), np.int64)
            return
        count = len(self._nodes)
        if 2 * count > _MAX_NODES:
            raise CapacityError(f"{count} orders of the background live at once", hint="Lower orders_per_day.")
        self._nodes = np.concatenate([self._nodes, np.zeros_like(self._nodes)])
        self._stack = np.concatenate([np.arange(2 * count - 1, count - 1, -1, dtype=np.int32), self._stack])
        self._place[layout.FREE] = count


def _by_instrument(others: Messages, n: int) -> tuple[IntColumn, tuple[IntColumn, ...]]:
    """Where each instrument's messages start, and the columns (all but the instrument) in that order."""
    if not len(others):
        empty = np.empty(0, np.int64)
        return np.zeros(n + 1, np.int64), (empty,) * 6
    order = np.argsort(others.instrument, kind="stable")
    starts = np.searchsorted(others.instrument[order], np.arange(n + 1)).astype(np.int64)
    columns = (others.time, others.kind, others.side, others.price, others.quantity, others.order)
    return starts, tuple(np.ascontiguousarray(c[order], np.int64) for c in columns)


def _sizes(
    instruments: Instruments, rules: OrderRules | None, parameters: BackgroundParameters, weight: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Lot, smallest and largest order, whether orders tell something of the value, usual order, orders of a day.

    Funds count tens of units, so that their lot of 100 units is 10; their value is that of their basket, which all see.
    """
    fund = instruments.board == Board.FUND
    lot = np.where(fund, 10, 100).astype(np.int64)
    smallest, largest = instruments.lot, largest_orders(instruments)
    if rules is not None:
        smallest = np.maximum(rules.smallest, lot)
        largest = np.where(rules.largest_limit > 0, rules.largest_limit, 1_000_000)
        largest = largest // lot * lot
    usual = np.maximum(parameters.mean_size(instruments.previous_close, lot), lot)
    per_day = np.maximum(parameters.orders_per_day * weight, 1.0)
    return np.array([lot, smallest, largest, np.where(fund, 0, 1), usual, per_day]).astype(np.int64)


def _cages(n: int, rules: OrderRules | None) -> NDArray[np.int64]:
    return np.zeros((2, n), np.int64) if rules is None else np.array([rules.cage_ppm, rules.cage_ticks], np.int64)
