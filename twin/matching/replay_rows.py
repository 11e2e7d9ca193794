"""Replay of feeds that name each execution (LOBSTER, market by order): every row against the engine, one at a time.

An execution is sent as an immediate-or-cancel order of its size and price, and the engine must hit exactly the recorded
resting order; a new order must rest without a trade; a published book must equal the engine's. Assumes continuous
trading by price and time; while a feed says that trading is halted, orders rest without matching.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from twin.clock import Phase
from twin.contracts import Exchange, Instruments, IntColumn, MessageKind, Messages
from twin.errors import DataError
from twin.kernels import idmap, replay
from twin.kernels import replay_orders as cells
from twin.kernels.ladders import I_BITS, I_PHASE
from twin.matching.engine import MatchingEngine
from twin.matching.feeds.base import Action, Feed, FeedChunk, Progress
from twin.matching.replay_ladders import Ladders

_KEPT = 20
_MAX_ORDERS = 1 << 26
_PRICED = (Action.ADD, Action.MODIFY)


@dataclass(frozen=True)
class Difference:
    """A row that the engine does not reproduce, in words; `kind` is one of crosses, unknown, price, size, turn, ...

    `turn` is an execution of an order that was not the first in its queue.
    """

    kind: str
    row: int
    where: str
    text: str


@dataclass
class RowsResult:
    """Counts of a replay by rows: fields as in `ReplayReport`."""

    messages: int = 0
    seconds: float = 0.0
    executions: int = 0
    matched: int = 0
    unnamed: int = 0
    unverifiable: int = 0
    hidden: int = 0
    crosses: int = 0
    halts: int = 0
    prints: int = 0
    books: int = 0
    books_equal: int = 0
    books_start: int = 0
    levels_learned: int = 0
    unknown: int = 0
    differences: int = 0
    wrong_books: int = 0
    out_of_turn: int = 0
    first: list[Difference] = field(default_factory=list)


class RowReplay:
    """The state of a replay by rows: engine, identifiers, price ladders."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.ladders = Ladders()
        self.engine = _engine(np.ones(1, np.int64), 1 << 12)
        self.seconds = 0.0
        self._st = np.zeros(cells.T_SIZE, np.int64)
        self._st[cells.T_NEXT] = 1
        self._st[cells.T_LEVELS] = feed.levels
        self._st[cells.T_PAIRED] = int(feed.paired)
        self._orders = np.zeros(8 << 12, np.int64)
        self._free = np.zeros(1 << 12, np.int64)
        self._keys, self._values = _new_map(1 << 13)
        self._log = np.zeros((_KEPT, cells.LOG), np.int64)
        self._per_ins = np.zeros(4, np.int64)
        self._tape = np.empty((9, 16), np.int64)
        self._ops = np.zeros((1 << 13, 8), np.int64)
        self._no_books = np.zeros((1, 4), np.int64)
        self._rows = 0

    def warm_up(self) -> None:
        """Compile the kernels."""
        none = np.empty(0, np.int64)
        replay.replay_rows(self._engine_arrays(), self._arrays(self._no_books), *(none for _ in range(6)))

    def take(self, chunk: FeedChunk) -> None:
        """Replay a run of rows.

        Raises:
            DataError: an identifier is entered twice.
        """
        rows = chunk.rows
        if len(self.feed.instruments) > len(self.ladders.sizes):
            self._new_prices(chunk, 0, len(self.feed.instruments))
        books = self._no_books if chunk.books is None else chunk.books
        self._st[cells.T_ROW] = 0
        self._st[cells.T_BASE] = int(rows.row[0]) if len(rows) else 0
        chosen = (rows.action, rows.instrument, rows.side, rows.price, rows.quantity, rows.order)
        columns = [_plain(column) for column in chosen]
        books = _plain(books)
        while True:
            start = perf_counter()
            code = replay.replay_rows(self._engine_arrays(), self._arrays(books), *columns)
            self.seconds += perf_counter() - start
            if code == replay.OK:
                break
            self._provide(int(code), chunk)
        self._rows += len(rows)

    def result(self) -> RowsResult:
        """What has been found so far."""
        st = [int(x) for x in self._st]
        return RowsResult(
            messages=self._rows,
            seconds=self.seconds,
            executions=st[cells.T_EXECUTIONS],
            matched=st[cells.T_MATCHED],
            unnamed=st[cells.T_UNNAMED],
            unverifiable=st[cells.T_OUTSIDE] + st[cells.T_UNKNOWN_EXECUTIONS],
            hidden=st[cells.T_HIDDEN],
            crosses=st[cells.T_CROSS],
            halts=st[cells.T_HALTS],
            prints=st[cells.T_PRINTS],
            books=st[cells.T_BOOKS],
            books_equal=st[cells.T_EQUAL],
            books_start=st[cells.T_STARTED],
            levels_learned=st[cells.T_LEARNED],
            unknown=st[cells.T_UNKNOWN],
            differences=st[cells.T_DIFFERENCES],
            wrong_books=st[cells.T_WRONG_BOOKS],
            out_of_turn=st[cells.T_TURN],
            first=[self._words(row) for row in self._log[: st[cells.T_DIFFERENCES]].tolist()],
        )

    def _engine_arrays(self) -> cells.EngineArrays:
        engine = self.engine
        return cells.EngineArrays(engine._ctl, engine._state, *engine._books, engine._pool, engine._slots, self._tape)

    def _arrays(self, books: IntColumn) -> cells.ReplayArrays:
        ladders = self.ladders
        return cells.ReplayArrays(
            self._st,
            self._orders,
            self._free,
            self._keys,
            self._values,
            self._log,
            self._per_ins,
            ladders.grid,
            ladders.spans,
            self._ops,
            books,
        )

    def _provide(self, code: int, chunk: FeedChunk) -> None:
        """Give the kernel what it asks for, or say why it cannot go on."""
        row = int(self._st[cells.T_ROW])
        if code == replay.WANT_HANDLES:
            if len(self._ops) > 2 * len(self._free):
                self._orders = np.concatenate([self._orders, np.zeros_like(self._orders)])
                self._free = np.concatenate([self._free, np.zeros_like(self._free)])
            self._ops = np.zeros((2 * len(self._free) + 1024, 8), np.int64)
        elif code == replay.WANT_MAP:
            keys, values = _new_map(2 * len(self._values))
            idmap.rehash(self._keys, self._values, keys, values)
            self._keys, self._values = keys, values
        elif code == replay.WANT_POOL:
            self.engine._pool = np.concatenate([self.engine._pool, np.zeros_like(self.engine._pool)])
        elif code == replay.WANT_PRICE:
            self._new_prices(chunk, row, len(self.ladders.sizes))
        elif code == replay.DUPLICATE:
            order = _unsigned(int(chunk.rows.order[row]))
            where = self.feed.where(int(chunk.rows.row[row]), "order")
            raise DataError(f"order {order} was entered before", where, "An order that rests has its number to itself.")
        else:
            where = self.feed.where(int(chunk.rows.row[row]))
            raise DataError(f"the engine refuses the row (code {int(self._st[cells.T_WANT_PRICE])})", where)

    def _new_prices(self, chunk: FeedChunk, row: int, instruments: int) -> None:
        """Extend the ladders by whatever the rest of the chunk names and move the resting orders to a longer engine."""
        old = [self.ladders.recorded_price(i, np.arange(n) + 1) for i, n in enumerate(self.ladders.sizes.tolist())]
        rows = chunk.rows.take(slice(row, None))
        ladders = Ladders()
        ladders._prices = [*self.ladders._prices]
        while len(ladders._prices) < instruments:
            ladders._prices.append(np.ones(1, np.int64))
        priced = np.isin(rows.action, _PRICED)
        names, prices = rows.instrument[priced], rows.price[priced]
        for i in np.unique(names).tolist():
            ladders.extend(i, prices[names == i])
        if int(self._st[cells.T_WANT_PRICE]):
            ladders.extend(
                int(self._st[cells.T_WANT_INSTRUMENT]), self._st[cells.T_WANT_PRICE : cells.T_WANT_PRICE + 1]
            )
        if chunk.books is not None:
            books = chunk.books[row:]
            shown = books[:, 0::2][books[:, 1::2] != 0]
            if len(shown):
                ladders.extend(0, shown)
        self._st[cells.T_WANT_PRICE] = 0
        ladders.pack()
        if len(self._per_ins) < 4 * instruments:
            more = np.zeros(4 * instruments - len(self._per_ins), np.int64)
            self._per_ins = np.concatenate([self._per_ins, more])
            if self.feed.starts_empty:
                self._per_ins[cells.Q_COMPLETE :: 4] = 1
        self._move(ladders, old)

    def _move(self, ladders: Ladders, old: list[IntColumn]) -> None:
        tape = self.engine.expire(0)
        engine = _engine(ladders.sizes, max(1 << 12, len(self.engine._pool) >> 3))
        price = np.empty(len(tape), np.int64)
        for i in np.unique(tape.instrument).tolist():
            mine = tape.instrument == i
            price[mine] = ladders.engine_price(i, old[i][tape.price[mine] - 1])
        zero = np.zeros(len(tape), np.int64)
        kind = zero + MessageKind.NEW_LIMIT
        engine.set_phase(Phase.OPEN_CALL)
        engine.process(Messages(zero, kind, tape.instrument, tape.side, price, tape.quantity, tape.order))
        engine.set_phase(Phase.CLOSE_CALL)
        state = engine._state.reshape(-1, 1 << I_BITS)
        engine.set_phase(Phase.CONTINUOUS) if not self._halted() else state[:, I_PHASE].fill(_CONTINUOUS)
        self.engine, self.ladders = engine, ladders

    def _halted(self) -> bool:
        return bool(self._per_ins[cells.Q_HALTED :: 4].any())

    def _words(self, log: list[int]) -> Difference:
        kind, row, instrument, side, price, quantity, order, other, there = log
        scale = self.feed.price_scale
        name = f" of {self.feed.instruments[instrument]}" if len(self.feed.instruments) > 1 else ""

        def money(units: int) -> str:
            return f"{units / scale:.9f}".rstrip("0").rstrip(".")

        word = "buy" if side == 1 else "sell"
        what = f"{word} order {_unsigned(order)}{name}"
        size = f"{quantity} at {money(price)}"
        if kind == cells.D_CROSSES:
            text = f"{what} for {size} rests in the recording, in the engine it trades with order {_unsigned(other)}"
            text += f" at {money(there)}"
        elif kind == cells.D_UNKNOWN:
            text = f"{what}, {size}: no such order rests in the engine"
        elif kind == cells.D_PRICE:
            found = "buy" if there == 1 else "sell"
            text = f"{what}, {size}: in the engine it is a {found} order at {money(other)}"
        elif kind == cells.D_SIZE:
            text = f"{what}, {size}: in the engine it has {other} left"
        elif kind == cells.D_TURN:
            first = f"order {_unsigned(other)}" if other else "an older order without a number"
            text = f"execution of {what}, {size}: the engine trades with {first} at {money(there)} first"
        elif kind == cells.D_TRADE:
            text = f"execution of {what}, {size}: the engine trades {other} at level {there}"
        else:
            engine = f"{there} at {money(other)}" if other else "nothing"
            recorded = size if quantity else "nothing"
            text = f"{word} level {instrument} of the book: recorded {recorded}, replayed {engine}"
        return Difference(_KINDS[kind], row + 1, self.feed.where(row), text)


_CONTINUOUS = 2
_KINDS = ("crosses", "unknown", "price", "size", "turn", "trade", "book")


def replay_by_rows(feed: Feed, tell: Progress) -> RowsResult:
    """Replay a whole feed; see `RowReplay`."""
    state = RowReplay(feed)
    state.warm_up()
    for chunk in feed.chunks():
        state.take(chunk)
        tell("match", chunk.done)
    state.engine.check()
    return state.result()


def _engine(sizes: IntColumn, pool_orders: int) -> MatchingEngine:
    n = len(sizes)
    zero, one = np.zeros(n, np.int64), np.ones(n, np.int64)
    listed = Instruments(zero + int(Exchange.SSE), zero, zero, one, sizes, one, zero)
    engine = MatchingEngine(listed, max_orders=_MAX_ORDERS, pool_orders=pool_orders)
    engine.set_phase(Phase.CONTINUOUS)
    return engine


def _plain(column: IntColumn) -> IntColumn:
    """The column as kernels want it: contiguous and writeable (else Numba would compile a variant)."""
    return np.require(column, np.int64, ("C", "W", "O"))


def _new_map(slots: int) -> tuple[IntColumn, IntColumn]:
    return np.zeros(2 * slots, np.int64), np.full(slots, -1, np.int32)


def _unsigned(number: int) -> int:
    return number & 0xFFFF_FFFF_FFFF_FFFF
