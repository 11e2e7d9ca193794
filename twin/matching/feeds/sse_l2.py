"""A recorded Shanghai Level-2 stock-day: what the exchange received, traded and published.

A folder holds `trades.csv.gz` and either `flow.csv.gz` (what the exchange received) or `orders.csv.gz` (what it
published), from which the former is derived; perhaps `snapshots.csv.gz`. A name without `.gz`, or with `.zst`, is read
too. Prices become mills (CNY / 1000), times ns since midnight. Derivation: until 2023-11-26 a trade is published before
its aggressor's order row, which carries what is left; of an order filled at once only a bound of the price is known.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from twin.clock import SECOND
from twin.contracts import IntColumn
from twin.errors import DataError
from twin.kernels import feeds as kernels
from twin.matching.feeds.base import Action, FeedChunk, FeedRows
from twin.matching.feeds.text import SUFFIXES, TEXT, Columns, Source, Table

_JITTER = SECOND
"""Time stamps of a channel may run back by less than this; its total order is `biz_index`."""
IN_TRADES = 1 << 40
"""Set in `FeedRows.row` of a row of the trades file."""
_FLOW = dict.fromkeys(("biz_index", "time", "order_no", "price_mills", "qty", "ioc"), pa.int64())
_FLOW |= {"type": TEXT, "side": TEXT}
_ORDERS: dict[str, Any] = dict.fromkeys(("biz_index", "time", "order_no", "qty"), pa.int64())
_ORDERS |= {"action": TEXT, "side": TEXT, "price": pa.float64()}
_TRADES: dict[str, Any] = dict.fromkeys(("biz_index", "time", "buy_no", "sell_no", "qty"), pa.int64())
_TRADES |= {"price": pa.float64(), "bs_flag": TEXT}
_IS_PRICE = "is not a price in mills"

# Rows while they are read: index of the channel, time, row, action, side, price, quantity, order, other.
_BIZ, _TIME, _ROW, _ACTION, _SIDE, _PRICE, _QUANTITY, _ORDER, _OTHER = range(9)


def find(folder: Path, stem: str) -> Path | None:
    """The file of a folder, whatever its compression."""
    return next((p for p in (folder / f"{stem}.csv{suffix}" for suffix in SUFFIXES[::-1]) if p.is_file()), None)


class SseFeed:
    """A Shanghai stock-day that is being read."""

    format = "sse-l2"
    price_scale = 1000
    levels = 0
    starts_empty = True
    shows_queue = True
    paired = False

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise DataError("no such folder", str(path), "Give a folder with flow.csv.gz and trades.csv.gz.")
        self.path = path
        self.date = _date_of(path)
        self.instruments = [path.resolve().name]
        trades, flow, orders = (find(path, stem) for stem in ("trades", "flow", "orders"))
        if trades is None:
            raise DataError("file is missing", where=str(path / "trades.csv.gz"))
        if flow is None and orders is None:
            hint = "Give flow.csv.gz, or orders.csv.gz to derive it from."
            raise DataError("file is missing", str(path / "flow.csv.gz"), hint)
        self.snapshots = find(path, "snapshots")
        self._trades = trades
        self._flow = flow or orders
        self._derived = flow is None
        self._last_new = -1

    def where(self, row: int, column: str = "") -> str:
        """File, line and column of a row."""
        names = {"quantity": "qty", "order": "order_no", "price": "price" if self._derived else "price_mills"}
        file = self._flow
        if row >= IN_TRADES:
            row, file, names = row - IN_TRADES, self._trades, {"quantity": "qty", "order": "buy_no", "other": "sell_no"}
        column = names.get(column, column)
        return f"{file}:{row + 2}" + (f", column {column}" if column else "")

    def chunks(self) -> Iterator[FeedChunk]:
        """Messages and trades in the order of the channel; a message precedes the trades that it makes."""
        assert self._flow is not None
        first = Table(Source(self._flow), _ORDERS if self._derived else _FLOW)
        second = Table(Source(self._trades), _TRADES)
        readers = (
            _Stream(first, self._orders if self._derived else _flow),
            _Stream(second, _trades_of),
        )
        held = np.empty((9, 0), np.int64)
        while True:
            for reader in readers:
                reader.fill()
            open_ends = [reader.end for reader in readers if not reader.over]
            cut = min(open_ends) if open_ends else None
            merged = np.concatenate([held, *(reader.take(cut) for reader in readers)], axis=1)
            merged = merged[:, np.argsort(merged[_BIZ], kind="stable")] if merged.shape[1] > 1 else merged
            final = cut is None
            if self._derived:
                merged, held = self._received(merged, final=final)
            if merged.shape[1]:
                yield _chunk(merged, first.fraction)
            if final:
                return

    def _orders(self, piece: Columns) -> IntColumn:
        kind, side = piece.choice("action", ("A", "D")), piece.choice("side", ("B", "S"))
        price = piece.scaled("price", self.price_scale, _IS_PRICE)
        action = np.where(kind == 0, int(Action.ADD), int(Action.DELETE))
        return _messages(piece, action, side, price, "price")

    def _received(self, rows: IntColumn, *, final: bool) -> tuple[IntColumn, IntColumn]:
        """Put what the exchange received in the place of its published orders; rows that may go on are held back."""
        kinds = np.full(len(Action), -1, np.int64)
        kinds[Action.ADD], kinds[Action.DELETE] = kernels.NEW, kernels.WITHDRAWN
        kinds[Action.TRADE], kinds[Action.AUCTION_TRADE] = kernels.TRADED_BUY, kernels.TRADED_CALL
        kind = kinds[rows[_ACTION]]
        kind[(rows[_ACTION] == Action.TRADE) & (rows[_SIDE] < 0)] = kernels.TRADED_SELL
        out = np.empty((5, rows.shape[1]), np.int64)
        chosen = (kind, rows[_SIDE], rows[_PRICE], rows[_QUANTITY], rows[_ORDER], rows[_OTHER])
        columns = [np.ascontiguousarray(column) for column in chosen]
        count, start, last = kernels.received(*columns, out, self._last_new)
        if not final and start < rows.shape[1]:  # the last aggressor may trade on: read its rows again
            held = rows[:, start:].copy()
            rows = rows[:, :start]
            count = int(np.searchsorted(out[0, :count], start))
            new = np.flatnonzero(rows[_ACTION] == Action.ADD)
            last = int(rows[_ORDER][new[-1]]) if len(new) else self._last_new
        else:
            held = np.empty((9, 0), np.int64)
        self._last_new = int(last)
        at, side, price, quantity, how = out[:, :count]
        messages = rows[:, at].copy()
        taker = np.where(side > 0, messages[_ORDER], messages[_OTHER])
        traded = (messages[_ACTION] == Action.TRADE) | (messages[_ACTION] == Action.AUCTION_TRADE)
        messages[_ORDER] = np.where(traded, taker, messages[_ORDER])
        messages[_OTHER] = 0
        messages[_SIDE], messages[_PRICE], messages[_QUANTITY] = side, price, quantity
        messages[_ACTION] = np.array([Action.ADD, Action.ADD_IOC, Action.DELETE], np.int64)[how]
        trades = rows[:, (kind[: rows.shape[1]] >= kernels.TRADED_BUY)]
        both = np.concatenate([messages, trades], axis=1)
        return both[:, np.argsort(both[_BIZ], kind="stable")], held


class _Stream:
    """Rows of one file as they come, up to an index of the channel."""

    def __init__(self, table: Table, convert: Any) -> None:
        self._pieces, self._convert = table.pieces(), convert
        self._clock = _Clock()
        self._rows = np.empty((9, 0), np.int64)
        self.end = -1
        self.over = False

    def fill(self) -> None:
        """Read on if nothing is left."""
        while not self.over and not self._rows.shape[1]:
            piece = next(self._pieces, None)
            if piece is None:
                self.over = True
                return
            rows = self._convert(piece)
            rows[_TIME] = self._clock.times(piece, rows[_BIZ])
            self._rows = rows
            self.end = int(rows[_BIZ, -1])

    def take(self, cut: int | None) -> IntColumn:
        """Rows up to and with the index `cut`, all if it is None."""
        n = self._rows.shape[1] if cut is None else int(np.searchsorted(self._rows[_BIZ], cut, side="right"))
        part, self._rows = self._rows[:, :n], self._rows[:, n:]
        return part


class _Clock:
    """Times and indices of a file, which may not run back from one piece to the next."""

    def __init__(self) -> None:
        self._time = 0
        self._biz = -1

    def times(self, piece: Columns, biz: IntColumn) -> IntColumn:
        """Times of a piece; small backward jitter is levelled."""
        steps = np.diff(np.append(self._biz, biz))
        piece.refuse("biz_index", steps <= 0, "does not follow the row before it")
        self._biz = int(biz[-1])
        time = clock_times(piece, 100)
        level = np.maximum.accumulate(np.append(self._time, time))[1:]
        piece.refuse("time", time < level - _JITTER, "is before an earlier row")
        self._time = int(level[-1])
        return level


def clock_times(piece: Columns, fraction: int) -> IntColumn:
    """HHMMSS with `fraction` parts of a second appended, as ns since midnight."""
    raw = piece.integers("time")
    clock, part = raw // fraction, raw % fraction
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    bad = (raw < 0) | (hours > 23) | (minutes > 59) | (seconds > 59)
    piece.refuse("time", bad, f"is not a time of day (HHMMSS{'cc' if fraction == 100 else ''})")
    return ((hours * 60 + minutes) * 60 + seconds) * SECOND + part * (SECOND // fraction)


def _messages(piece: Columns, action: IntColumn, side: IntColumn, price: IntColumn, column: str) -> IntColumn:
    quantity, order = piece.integers("qty"), piece.integers("order_no")
    piece.refuse(column, (action != Action.DELETE) & (price <= 0), "is not a price")
    piece.refuse("qty", quantity <= 0, "is not a quantity")
    piece.refuse("order_no", order < 0, "is not an order number")
    zero = np.zeros(len(piece), np.int64)
    row = piece.first_row + np.arange(len(piece), dtype=np.int64)
    return np.stack([piece.integers("biz_index"), zero, row, action, 1 - 2 * side, price, quantity, order, zero])


def _flow(piece: Columns) -> IntColumn:
    kind, side = piece.choice("type", ("N", "C")), piece.choice("side", ("B", "S"))
    ioc = piece.integers("ioc")
    piece.refuse("ioc", (ioc != 0) & (ioc != 1), "is neither 0 nor 1")
    action = np.where(kind == 1, int(Action.DELETE), np.where(ioc == 1, int(Action.ADD_IOC), int(Action.ADD)))
    return _messages(piece, action, side, piece.integers("price_mills"), "price_mills")


def _trades_of(piece: Columns) -> IntColumn:
    flag, price = piece.choice("bs_flag", ("B", "S", "N")), piece.scaled("price", SseFeed.price_scale, _IS_PRICE)
    quantity = piece.integers("qty")
    piece.refuse("price", price <= 0, "is not a price")
    piece.refuse("qty", quantity <= 0, "is not a quantity")
    action = np.where(flag == 2, int(Action.AUCTION_TRADE), int(Action.TRADE))
    side = np.array([1, -1, 0], np.int64)[flag]
    row = IN_TRADES + piece.first_row + np.arange(len(piece), dtype=np.int64)
    biz, buy, sell = (piece.integers(name) for name in ("biz_index", "buy_no", "sell_no"))
    return np.stack([biz, np.zeros_like(biz), row, action, side, price, quantity, buy, sell])


def _chunk(rows: IntColumn, done: float) -> FeedChunk:
    zero = np.zeros(rows.shape[1], np.int64)
    time, row, action, side, price, quantity, order, other = rows[1:]
    return FeedChunk(FeedRows(time, row, action, zero, side, price, quantity, order, other), None, done)


def _date_of(path: Path) -> dt.date | None:
    found = re.search(r"(\d{4})(\d{2})(\d{2})$", path.resolve().name)
    if found is None:
        return None
    try:
        return dt.date(*(int(x) for x in found.groups()))
    except ValueError:
        return None
