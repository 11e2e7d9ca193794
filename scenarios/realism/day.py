"""One stock-day, recorded or simulated, in the same form, so that the same code measures both.

The book is rebuilt from what the exchange reported (orders, cancels, trades); no matching rule is assumed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from twin.clock import SECOND
from twin.contracts import Batch, IntColumn, Tape, TapeKind
from twin.matching.sse_l2 import SseDay
from twin.measures.stylised import CONTINUOUS, Windows

DEPTH = 10
_DEPTH_EVERY = 10 * SECOND
_B = TypeVar("_B", bound=Batch)


@dataclass(frozen=True)
class DayOrders(Batch):
    """New orders in the order of arrival, each with the best quotes that it met (ticks, 0 = none).

    `price` is in ticks, 0 for market orders; `ended` is the time at which it left the book, 0 if it did not; `fate` is
    1 for filled, -1 for cancelled while it rested, -2 for cancelled at once (unfilled remainder), 0 for neither.
    """

    time: IntColumn
    side: IntColumn
    price: IntColumn
    quantity: IntColumn
    bid: IntColumn
    ask: IntColumn
    ended: IntColumn
    fate: IntColumn
    filled: IntColumn


@dataclass(frozen=True)
class DayTrades(Batch):
    """Trades; `sign` is the aggressor's side, 0 in a call auction; `taker` the aggressor's row among the orders."""

    time: IntColumn
    price: IntColumn
    quantity: IntColumn
    sign: IntColumn
    taker: IntColumn


@dataclass(frozen=True)
class DayQuotes(Batch):
    """Best bid and ask (ticks) and their shares after each message that changed them, while the book is uncrossed."""

    time: IntColumn
    bid: IntColumn
    ask: IntColumn
    bid_quantity: IntColumn
    ask_quantity: IntColumn


@dataclass(frozen=True)
class StockDay:
    """One stock over one day.

    Attributes:
        name: of the stock and the day.
        recorded: whether it happened.
        tick: CNY per tick.
        previous_close: ticks, 0 where it is not known.
        cancels: times (ns) of cancels of resting orders.
        depth_time: instants (ns) at which the book was looked at; depth: rows x (bid price, bid shares, ask price, ask
            shares) x ten levels, 0 where there is none.
        windows: of continuous trading, ns since midnight.
    """

    name: str
    recorded: bool
    tick: float
    previous_close: int
    orders: DayOrders
    trades: DayTrades
    quotes: DayQuotes
    cancels: IntColumn
    depth_time: IntColumn
    depth: IntColumn
    windows: Windows = CONTINUOUS

    @property
    def volume(self) -> int:
        """Shares traded."""
        return int(self.trades.quantity.sum())

    @property
    def price(self) -> float:
        """Volume-weighted mean price, CNY."""
        return float(np.average(self.trades.price, weights=self.trades.quantity)) * self.tick


class DayBuilder:
    """Rebuilds the book from orders, trades and cancels given in the exchange's order.

    Args:
        depth_every: interval between looks at ten levels, ns of clock time.
    """

    def __init__(self, depth_every: int = _DEPTH_EVERY) -> None:
        self._rows: dict[int, int] = {}
        self._live: dict[int, list[int]] = {}  # handle -> side, price, shares left
        self._levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._heaps: tuple[list[int], list[int]] = ([], [])
        self._orders: list[list[int]] = []
        self._trades: list[tuple[int, ...]] = []
        self._quotes: list[tuple[int, ...]] = []
        self._cancels: list[int] = []
        self._looks = [t for start, end in CONTINUOUS for t in range(start, end, depth_every)]
        self._looked: list[tuple[int, list[int]]] = []
        self._look = 0
        self._last = (0, 0, 0, 0)
        self._time = 0

    def new(self, time: int, handle: int, side: int, price: int, quantity: int) -> None:
        """An order arrives; price 0 stands for a market order."""
        bid, _, ask, _ = self._settle(time)
        self._rows[handle] = len(self._orders)
        self._orders.append([time, side, price, quantity, bid, ask, 0, 0, 0])
        self._live[handle] = [side, price, quantity]
        if price > 0:
            self._change(side, price, quantity)

    def trade(self, time: int, first: int, second: int, price: int, quantity: int, *, auction: bool = False) -> None:
        """Two orders trade; outside an auction the later one is the aggressor."""
        self._time = time
        taker = max(first, second, key=self._rows.__getitem__)
        sign = 0 if auction else self._orders[self._rows[taker]][1]
        self._trades.append((time, price, quantity, sign, self._rows[taker]))
        for handle in (first, second):
            self._orders[self._rows[handle]][8] += quantity
            self._reduce(time, handle, quantity, 1)

    def cancel(self, time: int, handle: int, *, asked: bool = True) -> None:
        """What is left of an order is withdrawn; `asked` is False where the exchange did so itself at once."""
        live = self._live.get(handle)
        if live is None:
            return
        if asked:
            self._settle(time)
            self._cancels.append(time)
        self._reduce(time, handle, live[2], -1 if asked else -2)

    def reduce(self, time: int, handle: int, quantity: int) -> None:
        """Shares are taken off an order, which keeps its place."""
        self._settle(time)
        self._reduce(time, handle, quantity, -1)

    def replace(self, time: int, handle: int, price: int, quantity: int) -> None:
        """An order takes another price and quantity."""
        self._settle(time)
        side, old, left = self._live[handle]
        self._change(side, old, -left)
        self._live[handle] = [side, price, quantity]
        self._change(side, price, quantity)

    def day(self, name: str, *, recorded: bool, tick: float = 0.01, previous_close: int = 0) -> StockDay:
        """All that was seen."""
        self._settle(CONTINUOUS[-1][1])
        times = np.array([t for t, _ in self._looked], np.int64)
        depth = np.array([levels for _, levels in self._looked], np.int64).reshape(-1, 4, DEPTH)
        return StockDay(
            name, recorded, tick, previous_close,
            _batch(DayOrders, self._orders), _batch(DayTrades, self._trades), _batch(DayQuotes, self._quotes),
            np.array(self._cancels, np.int64), times, depth,
        )  # fmt: skip

    def _change(self, side: int, price: int, shares: int) -> None:
        level = self._levels[side < 0]
        if price not in level:
            level[price] = 0
            heapq.heappush(self._heaps[side < 0], -side * price)
        level[price] += shares

    def _reduce(self, time: int, handle: int, quantity: int, fate: int) -> None:
        live = self._live.get(handle)
        if live is None:
            return
        quantity = min(quantity, live[2])
        live[2] -= quantity
        if live[1] > 0:
            self._change(live[0], live[1], -quantity)
        if live[2] == 0:
            del self._live[handle]
            row = self._orders[self._rows[handle]]
            row[6], row[7] = time, fate

    def _best(self, side: int) -> tuple[int, int]:
        heap, level = self._heaps[side < 0], self._levels[side < 0]
        while heap:
            price = -side * heap[0]
            if level[price] > 0:
                return price, level[price]
            del level[price]
            heapq.heappop(heap)
        return 0, 0

    def _settle(self, time: int) -> tuple[int, int, int, int]:
        """Note the book as the messages before this one left it."""
        (bid, bid_shares), (ask, ask_shares) = self._best(1), self._best(-1)
        quote = (bid, bid_shares, ask, ask_shares)
        if quote != self._last and (bid < ask or not ask):
            self._quotes.append((self._time, bid, ask, bid_shares, ask_shares))
            self._last = quote
        while self._look < len(self._looks) and self._looks[self._look] < time:
            self._looked.append((self._looks[self._look], self._book()))
            self._look += 1
        self._time = time
        return quote

    def _book(self) -> list[int]:
        rows: list[list[int]] = []
        for side, level in zip((1, -1), self._levels, strict=True):
            held = (p for p, shares in level.items() if shares > 0)
            best = heapq.nlargest(DEPTH, held) if side > 0 else heapq.nsmallest(DEPTH, held)
            empty = [0] * (DEPTH - len(best))
            rows += [best + empty, [level[p] for p in best] + empty]
        return [x for row in rows for x in row]


def _batch(kind: type[_B], rows: list[list[int]] | list[tuple[int, ...]]) -> _B:
    columns = np.array(rows, np.int64).reshape(-1, len(fields(kind))).T
    return kind(*(np.ascontiguousarray(column) for column in columns))


def recorded_day(recording: SseDay) -> StockDay:
    """A recorded Shanghai day; the exchange's own trades are carried out, nothing is matched anew."""
    flow, trades = recording.flow, recording.trades
    tick = 10 if not (flow.price % 10).any() else 1
    build = DayBuilder()
    # An aggressor's order row bears the number of its first trade or an earlier one, so that it comes first.
    place = np.concatenate([2 * flow.biz_index, 2 * trades.biz_index + 1])
    rows = [flow.time, flow.cancel, flow.order_no, flow.side, flow.price // tick, flow.quantity]
    messages = list(zip(*(column.tolist() for column in rows), strict=True))
    columns = [trades.time, trades.buy, trades.sell, trades.price // tick, trades.quantity, trades.auction]
    done = list(zip(*(column.tolist() for column in columns), strict=True))
    for i in np.argsort(place, kind="stable").tolist():
        if i < len(messages):
            time, cancel, order, side, price, quantity = messages[i]
            if cancel:
                build.cancel(time, order)
            else:
                build.new(time, order, side, price, quantity)
        else:
            time, buy, sell, price, quantity, auction = done[i - len(messages)]
            build.trade(time, buy, sell, price, quantity, auction=bool(auction))
    close = recording.snapshots.previous_close // tick if recording.snapshots else 0
    name = recording.path.resolve().name
    return build.day(name, recorded=True, tick=tick / 1000, previous_close=close)


def simulated_day(tape: Tape, instrument: int, name: str, *, tick: float = 0.01, previous_close: int = 0) -> StockDay:
    """One instrument's day from the exchange's tape, which must be whole: from the first order on."""
    rows = tape.take((tape.instrument == instrument) & (tape.kind <= TapeKind.REPLACED))
    build = DayBuilder()
    columns = (rows.time, rows.kind, rows.side, rows.price, rows.quantity, rows.order, rows.counter, rows.leaves)
    entered: dict[int, int] = {}
    for time, kind, side, price, quantity, order, counter, leaves in zip(*(c.tolist() for c in columns), strict=True):
        if kind == TapeKind.ACCEPTED:
            entered[order] = time
            build.new(time, order, side, price, quantity)
        elif kind == TapeKind.TRADE:
            build.trade(time, order, counter, price, quantity, auction=_in_call(time))
        elif kind == TapeKind.CANCELLED:
            build.cancel(time, order, asked=time > entered[order])
        elif kind == TapeKind.REDUCED:
            build.reduce(time, order, quantity)
        elif kind == TapeKind.REPLACED:
            build.replace(time, order, price, leaves)
    return build.day(name, recorded=False, tick=tick, previous_close=previous_close)


def _in_call(time: int) -> bool:
    return not any(start <= time < end for start, end in CONTINUOUS)
