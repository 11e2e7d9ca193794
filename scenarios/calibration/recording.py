"""Read a recorded Level-2 day and see each order as its sender saw the book.

A recording is a folder with `flow.csv.gz` (new orders and cancels in channel order) and `trades.csv.gz`. The book is
rebuilt by carrying out the recorded trades, so no matching rule is assumed. Times are ns since midnight, prices mills
(CNY x 1000) in the file and ticks (0.01 CNY) here.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from agents.background import PATIENCE_WINDOWS
from twin.clock import SECOND, at
from twin.errors import DataError

CONTINUOUS = ((at("09:30"), at("11:30")), (at("13:00"), at("14:57")))

_FLOW = ("biz_index", "time", "type", "order_no", "price_mills", "qty", "ioc", "side")
_TRADES = ("biz_index", "time", "buy_no", "sell_no", "price", "qty", "bs_flag")
_MILLS_PER_TICK = 10


@dataclass(frozen=True)
class SeenOrder:
    """One new order and the book just before it (prices in ticks, 0 = none)."""

    time: int
    side: int
    price: int
    quantity: int
    exact_price: bool
    """False where the feed gives only a bound of the limit price (the order was filled at once)."""
    bid: int
    ask: int
    bid_shares: int = 0
    """Shares at the best bid."""
    ask_shares: int = 0


@dataclass(frozen=True)
class Recording:
    """A recorded day of one stock.

    Attributes:
        day: ISO date, from the folder's name; code: exchange code.
        orders: new orders in channel order.
        life: patience time in seconds from each order's entry to its end; ended_by_cancel: True where it was cancelled;
            entries of orders that never rested have life 0.
        open_price, close_price: auction prices in ticks.
        cancels: number of cancels; volume: shares traded.
        spread: time-weighted spread in ticks over continuous trading.
    """

    day: str
    code: str
    orders: list[SeenOrder]
    life: NDArray[np.float64]
    ended_by_cancel: NDArray[np.bool_]
    open_price: int
    close_price: int
    cancels: int
    volume: int
    spread: float


def nanoseconds(hhmmsscc: int) -> int:
    """Convert HHMMSScc (hundredths of a second, as the feed writes it) to ns since midnight."""
    seconds, hundredths = divmod(hhmmsscc, 100)
    hours, rest = divmod(seconds, 10_000)
    return ((hours * 60 + rest // 100) * 60 + rest % 100) * SECOND + hundredths * (SECOND // 100)


def elapsed(t_ns: int, windows: tuple[tuple[int, int], ...] = PATIENCE_WINDOWS) -> int:
    """Nanoseconds of the windows that have passed at an instant."""
    return sum(min(max(t_ns - start, 0), end - start) for start, end in windows)


class _Book:
    """Price levels with lazily cleaned heaps; knows the best bid and ask."""

    def __init__(self) -> None:
        self.orders: dict[int, list[int]] = {}  # order number -> [side, price, shares left]
        self._levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self._heaps: dict[int, list[int]] = {1: [], -1: []}

    def add(self, number: int, side: int, price: int, quantity: int) -> None:
        self.orders[number] = [side, price, quantity]
        level = self._levels[side]
        if price not in level:
            heapq.heappush(self._heaps[side], -side * price)
        level[price] = level.get(price, 0) + quantity

    def reduce(self, number: int, quantity: int) -> bool:
        """Take shares off an order; True when none is left."""
        order = self.orders[number]
        side, price, left = order
        quantity = min(quantity, left)
        order[2] = left - quantity
        self._levels[side][price] -= quantity
        if order[2] == 0:
            del self.orders[number]
        return order[2] == 0

    def shares(self, side: int, price: int) -> int:
        return self._levels[side].get(price, 0)

    def best(self, side: int) -> int:
        heap, level = self._heaps[side], self._levels[side]
        while heap and level[-side * heap[0]] == 0:
            del level[-side * heapq.heappop(heap)]
        return -side * heap[0] if heap else 0


def _columns(path: Path, names: tuple[str, ...]) -> list[list[object]]:
    try:
        table = pacsv.read_csv(path)
    except FileNotFoundError as error:
        raise DataError(
            "file not found", where=str(path), hint="A recording has flow.csv.gz and trades.csv.gz."
        ) from error
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise DataError(f"columns {missing} are missing", where=str(path), hint=f"Expected {', '.join(names)}.")
    return [table.column(name).to_pylist() for name in names]


def _events(folder: Path) -> list[tuple[int, int, tuple[object, ...]]]:
    """Orders, cancels (rank 0) and trades (rank 1) in channel order; an aggressor comes before its trades."""
    flow = zip(*_columns(folder / "flow.csv.gz", _FLOW), strict=True)
    trades = zip(*_columns(folder / "trades.csv.gz", _TRADES), strict=True)
    events = [(int(str(row[0])), 0, row) for row in flow] + [(int(str(row[0])), 1, row) for row in trades]
    return sorted(events, key=lambda event: event[:2])


def read_recording(folder: Path) -> Recording:
    """Read one folder and replay it.

    Raises:
        DataError: a file or column is missing, or a trade names an unknown order.
    """
    match = re.search(r"(\d{6})_(\d{4})(\d{2})(\d{2})$", folder.name)
    if match is None:
        raise DataError(f"{folder.name!r} names no code and day", where=str(folder), hint="..._CODE_YYYYMMDD")
    code, *date = match.groups()
    replay = _Replay(str(folder))
    for _, rank, row in _events(folder):
        (replay.trade if rank else replay.message)(row)
    return replay.result("-".join(date), code)


class _Replay:
    """State of the replay of one day."""

    def __init__(self, where: str) -> None:
        self._where, self._book = where, _Book()
        self._orders: list[SeenOrder] = []
        self._entered: list[int] = []
        self._life: list[float] = []
        self._cancelled: list[bool] = []
        self._row: dict[int, int] = {}
        self._auctions: list[int] = []
        self._cancels = self._volume = 0
        self._spread_time = self._spread_sum = 0
        self._last = 0

    def _end(self, number: int, clock: int, cancelled: bool) -> None:
        row = self._row[number]
        self._life[row] = (clock - self._entered[row]) / SECOND
        self._cancelled[row] = cancelled

    def message(self, row: tuple[object, ...]) -> None:
        """A new order or a cancel."""
        _, time, kind, number, mills, quantity, ioc, side_text = row
        t, key = nanoseconds(int(str(time))), int(str(number))
        if kind == "C":
            self._cancels += 1
            if key in self._book.orders:
                self._book.reduce(key, self._book.orders[key][2])
                self._end(key, elapsed(t), cancelled=True)
            return
        side, price, shares = 1 if side_text == "B" else -1, int(str(mills)) // _MILLS_PER_TICK, int(str(quantity))
        bid, ask = self._book.best(1), self._book.best(-1)
        self._weigh_spread(t, bid, ask)
        self._row[key] = len(self._orders)
        depth = self._book.shares(1, bid), self._book.shares(-1, ask)
        self._orders.append(SeenOrder(t, side, price, shares, not int(str(ioc)), bid, ask, *depth))
        self._entered.append(elapsed(t))
        self._life.append(-1.0)
        self._cancelled.append(False)
        self._book.add(key, side, price, shares)

    def _weigh_spread(self, t: int, bid: int, ask: int) -> None:
        clock = elapsed(t, CONTINUOUS)
        if 0 < bid < ask:
            self._spread_sum += (ask - bid) * (clock - self._last)
            self._spread_time += clock - self._last
        self._last = clock

    def trade(self, row: tuple[object, ...]) -> None:
        """A recorded trade takes its shares off both orders."""
        _, time, buy, sell, price, quantity, flag = row
        clock, shares = elapsed(nanoseconds(int(str(time)))), int(str(quantity))
        self._volume += shares
        if flag == "N":
            self._auctions.append(round(float(str(price)) * 100))
        for number in (int(str(buy)), int(str(sell))):
            if number not in self._book.orders:
                raise DataError(f"trade of unknown order {number}", where=self._where)
            if self._book.reduce(number, shares):
                self._end(number, clock, cancelled=False)

    def result(self, day: str, code: str) -> Recording:
        """The recording, with orders still in the book censored at the close."""
        life, entered = np.array(self._life), np.array(self._entered)
        life = np.where(life < 0, (elapsed(at("15:00")) - entered) / SECOND, life)
        if not self._auctions:
            raise DataError("no call-auction trades", where=self._where)
        spread = self._spread_sum / max(self._spread_time, 1)
        return Recording(
            day, code, self._orders, life, np.array(self._cancelled), self._auctions[0], self._auctions[-1],
            self._cancels, self._volume, spread,
        )  # fmt: skip
