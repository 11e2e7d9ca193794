"""What all institutions share: what they see, what they hand in, and books of their own orders, shares and cash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import mesa
import numpy as np
from numpy.typing import NDArray

from twin.clock import Phase
from twin.contracts import Batch, Board, Fills, Instruments, IntColumn, OrderKind, Quotes, Side
from twin.randomness import Stream, Streams

_FEE_RESERVE = 1000
"""One part in so many of a buy order's value is kept back for fees."""
_DRAW_SHIFT = 32
"""A draw's entity is the account in the low bits and the number of the draw above them."""


@dataclass(frozen=True)
class OrderIntents(Batch):
    """Orders that an institution wants to send; columns as in `Orders`, without the broker's order number."""

    time: IntColumn
    account: IntColumn
    instrument: IntColumn
    side: IntColumn
    kind: IntColumn
    price: IntColumn
    quantity: IntColumn


@dataclass(frozen=True)
class CancelIntents(Batch):
    """Own working orders to cancel, by the broker's order number."""

    time: IntColumn
    account: IntColumn
    order: IntColumn


@dataclass(frozen=True)
class Intents:
    """What an institution does in one quote interval; both parts are sorted by time."""

    orders: OrderIntents
    cancels: CancelIntents


@dataclass(frozen=True)
class MarketView:
    """What an institution sees at the start t0 (ns) of a quote interval [t0, t1)."""

    t0: int
    t1: int
    phase: Phase
    quotes: Quotes
    index_return: float


@dataclass(frozen=True)
class Endowment:
    """What an account holds in the morning: cash in fen and settled (hence sellable) shares per instrument."""

    cash: int
    shares: IntColumn


@dataclass(slots=True)
class WorkingOrder:
    """An order at the broker: `left` shares are neither filled nor released."""

    instrument: int
    side: int
    price: int
    left: int


NOTHING = Intents(OrderIntents.empty(), CancelIntents.empty())


class Institution(mesa.Agent):
    """One institution at this broker; subclasses say what it wants in `decide`.

    It sells only shares that it held in the morning (T+1, domain M41) and buys only with cash that no other order of
    its own has reserved.

    Args:
        model: the Mesa model.
        account: its account at the broker.
        instruments: what is listed.
        endowment: its shares and cash in the morning.
        streams: random numbers; it draws from Stream.INSTITUTION.
    """

    invested: ClassVar[float] = 0.5
    """Share of the capital that is in shares in the morning (assumed)."""
    names: ClassVar[int] = 20
    """Number of stocks held in the morning (assumed)."""

    def __init__(
        self, model: Any, account: int, instruments: Instruments, endowment: Endowment, streams: Streams
    ) -> None:
        super().__init__(model)
        self.account, self.instruments, self.streams = account, instruments, streams
        self.cash = endowment.cash
        self.sellable = endowment.shares.astype(np.int64).copy()
        self.position = self.sellable.copy()
        self.universe = np.flatnonzero(self.sellable)
        self._smallest: list[int] = np.where(instruments.board == Board.STAR, 200, 100).tolist()
        """Smallest order: 200 shares on STAR (domain M39), else a lot."""
        self.working: dict[int, WorkingOrder] = {}
        self._sent = OrderIntents.empty()
        self._draws = 0

    @classmethod
    def endow(
        cls, account: int, capital: int, instruments: Instruments, popularity: NDArray[np.float64], streams: Streams
    ) -> Endowment:
        """Morning shares and cash of an account with a given capital (fen).

        Names are drawn without replacement in proportion to popularity (Efraimidis and Spirakis 2006), equal in value.
        """
        n = len(instruments)
        ids = np.arange(n, dtype=np.int64) << _DRAW_SHIFT | account
        key = streams.exponential(Stream.INSTITUTION, ids, 1) / popularity
        chosen = np.argsort(key, kind="stable")[: min(cls.names, n)]
        shares = np.zeros(n, np.int64)
        value = int(capital * cls.invested) // len(chosen)
        price = instruments.previous_close[chosen]
        lot = 100
        shares[chosen] = value // (price * lot) * lot
        return Endowment(int(capital - (shares[chosen] * price).sum()), shares)

    def step(self, view: MarketView) -> Intents:
        """What it does in the quote interval; call `on_submitted` with the order numbers next."""
        intents = self.decide(view)
        self._sent = intents.orders
        return intents

    def decide(self, view: MarketView) -> Intents:
        """What the institution wants; each kind has its own."""
        raise NotImplementedError

    def uniform(self, count: int) -> NDArray[np.float64]:
        """The institution's next uniform draws."""
        if count == 0:
            return np.empty(0)
        ids = np.arange(self._draws, self._draws + count, dtype=np.int64) << _DRAW_SHIFT | self.account
        self._draws += count
        return self.streams.uniform(Stream.INSTITUTION, ids)

    def intents(
        self,
        view: MarketView,
        instrument: IntColumn,
        side: IntColumn,
        price: IntColumn,
        quantity: IntColumn,
        cancel: list[int] | None = None,
    ) -> Intents:
        """Make orders that are affordable and sellable, at random times in the interval, after the given cancels.

        Prices are clipped to the day's limits, quantities to whole lots; orders that come to nothing are left out.
        """
        price = np.clip(price, self.instruments.limit_down[instrument], self.instruments.limit_up[instrument])
        quantity = self._reserve(instrument, side, price, quantity)
        rows = np.flatnonzero(quantity)
        half = (view.t1 - view.t0) // 2
        times = view.t0 + half + np.sort((self.uniform(len(rows)) * half).astype(np.int64))
        orders = OrderIntents(
            times,
            np.full(len(rows), self.account, np.int64),
            instrument[rows].astype(np.int64),
            side[rows].astype(np.int64),
            np.full(len(rows), OrderKind.LIMIT, np.int64),
            price[rows].astype(np.int64),
            quantity[rows],
        )
        return Intents(orders, self.cancel(view, cancel or []))

    def cancel(self, view: MarketView, orders: list[int]) -> CancelIntents:
        """Cancel own orders in the first half of the interval."""
        times = view.t0 + np.sort((self.uniform(len(orders)) * ((view.t1 - view.t0) // 2)).astype(np.int64))
        return CancelIntents(times, np.full(len(orders), self.account, np.int64), np.array(orders, np.int64))

    def _reserve(self, instrument: IntColumn, side: IntColumn, price: IntColumn, quantity: IntColumn) -> IntColumn:
        """Quantities cut to what may be sold and paid for; shares and cash are set aside."""
        allowed = []
        for i, s, p, q in zip(instrument.tolist(), side.tolist(), price.tolist(), quantity.tolist(), strict=True):
            if s == Side.SELL:
                most = int(self.sellable[i])
            else:
                unit = p * 100
                most = max(self.cash, 0) // (unit + unit // _FEE_RESERVE + 1) * 100
            done = max(min(q, most), 0) // 100 * 100
            if done < self._smallest[i]:
                done = 0
            self._set_aside(i, s, p, done)
            allowed.append(done)
        return np.array(allowed, np.int64)

    def _set_aside(self, instrument: int, side: int, price: int, quantity: int) -> None:
        if side == Side.SELL:
            self.sellable[instrument] -= quantity
        else:
            self.cash -= price * quantity

    def on_submitted(self, orders: IntColumn) -> None:
        """The broker's numbers of the last step's orders, row by row."""
        sent = self._sent
        columns = (c.tolist() for c in (orders, sent.instrument, sent.side, sent.price, sent.quantity))
        for order, instrument, side, price, quantity in zip(*columns, strict=True):
            self.working[order] = WorkingOrder(instrument, side, price, quantity)
        self._sent = OrderIntents.empty()

    def on_fills(self, fills: Fills) -> None:
        """Book fills of own orders; fills of other accounts are passed over."""
        mine = np.flatnonzero(fills.account == self.account)
        for row in mine:
            order = self.working[int(fills.order[row])]
            price, quantity = int(fills.price[row]), int(fills.quantity[row])
            order.left -= quantity
            self.position[order.instrument] += order.side * quantity
            self.cash += (order.price - price) * quantity if order.side == Side.BUY else price * quantity
            if order.left == 0:
                del self.working[int(fills.order[row])]

    def on_done(self, orders: IntColumn) -> None:
        """Orders that ended unfilled (cancelled, refused, expired): what they had set aside is free again."""
        for number in orders:
            order = self.working.pop(int(number), None)
            if order is not None:
                self._set_aside(order.instrument, order.side, order.price, -order.left)

    def working_in(self, instruments: IntColumn) -> list[int]:
        """Numbers of own working orders in the given instruments, oldest first."""
        wanted = {int(i) for i in instruments}
        return [number for number, order in self.working.items() if order.instrument in wanted]
