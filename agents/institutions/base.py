"""What all institutions share: what they see, what they hand in, and books of their own orders, shares and cash.

An institution acts on a few names at a time, a few thousand times a day: plain integers are faster here than arrays.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple

import mesa
import numpy as np
from numpy.typing import NDArray

from agents.institutions.settings import money, share, whole
from twin.clearing.primary_market import PrimaryMarket
from twin.clock import Phase
from twin.contracts import Board, Instruments, IntColumn, Quotes, Side
from twin.randomness import Stream, Streams
from twin.world import InstrumentTraits

NEVER: Final = 1 << 62
"""An instant after every day's end."""
_FEE_RESERVE = 1000
"""One part in so many of a buy order's value is kept back for fees."""
_DRAW_SHIFT = 32
"""A draw's entity is the account in the low bits and the number of the draw above them."""
_DRAWN_AT_ONCE = 256


class OrderIntent(NamedTuple):
    """A limit order that an institution wants to send; units as in `Orders`."""

    time: int
    account: int
    instrument: int
    side: int
    price: int
    quantity: int


class CancelIntent(NamedTuple):
    """An own working order to cancel, by the broker's order number."""

    time: int
    account: int
    order: int


@dataclass(frozen=True)
class Intents:
    """What an institution does in one quote interval; both parts are sorted by time."""

    orders: Sequence[OrderIntent] = ()
    cancels: Sequence[CancelIntent] = ()


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


@dataclass
class Wanted:
    """Orders that an institution would like, before it has looked at its cash and shares; one row per order."""

    instrument: list[int] = field(default_factory=list)
    side: list[int] = field(default_factory=list)
    price: list[int] = field(default_factory=list)
    quantity: list[int] = field(default_factory=list)

    def add(self, instrument: int, side: int, price: int, quantity: int) -> None:
        """Want one more order."""
        self.instrument.append(instrument)
        self.side.append(side)
        self.price.append(price)
        self.quantity.append(quantity)


NOTHING: Final = Intents()
KINDS: Final[dict[str, type[Institution]]] = {}
"""Every kind of institution by the name of its section in a scenario, in the order in which their files were read."""


@dataclass(frozen=True)
class Seat:
    """What an institution is given when it joins: its account at the broker, and what there is to know of the market.

    Attributes:
        account: its account. instruments, traits: what is listed, and what the model says of it.
        streams: random numbers; an institution draws from Stream.INSTITUTION. date: the trading day.
    """

    account: int
    instruments: Instruments
    traits: InstrumentTraits
    streams: Streams
    date: dt.date = dt.date(2026, 9, 15)


class Institution(mesa.Agent, ABC):
    """One institution at this broker; a subclass with a `section` says what it wants in `decide`.

    It sells only shares that it held in the morning (T+1, domain M41) and buys only with cash that no other order of
    its own has reserved.

    Args:
        model: the Mesa model.
        seat: its account, and what is listed.
        settings: its parameters; the defaults of its kind if left out.

    Attributes:
        next_action: instant (ns) before which it does nothing.
        working: own orders at the broker by number, oldest first.
        cash: fen that no order reserves. sellable: shares held since the morning that no order reserves.
        position: shares held, those bought today included. universe: instruments held in the morning.
    """

    @dataclass(frozen=True)
    class Settings:
        """What a scenario may set for every kind; a kind adds its own."""

        count: int = whole(4, "How many (assumed).")
        capital: int = money(5e8, "Capital of each (assumed).")
        invested: float = share(0.5, "Share of the capital in securities in the morning (assumed).")
        names: int = whole(20, "Instruments held in the morning (assumed).")

    section: ClassVar[str] = ""
    """Name of its section in a scenario; a class without one is only a base of others."""
    phase: ClassVar[Phase] = Phase.CONTINUOUS
    """The phase in which it acts."""
    settings: Settings

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("section"):
            KINDS[cls.section] = cls

    def __init__(self, model: Any, seat: Seat, settings: Settings | None = None) -> None:
        super().__init__(model)
        self.settings = settings if settings is not None else type(self).Settings()
        self.seat, self.account, self.instruments = seat, seat.account, seat.instruments
        self._draws = 0
        self._drawn: list[float] = []
        """Next uniform draws, the next one last."""
        self.endowment = self.endow()
        self.cash = self.endowment.cash
        self.sellable: list[int] = self.endowment.shares.tolist()
        self.position = self.sellable.copy()
        self.universe = np.flatnonzero(self.endowment.shares)
        self.steps: list[int] = np.where(seat.instruments.board == Board.FUND, 10, 100).tolist()
        """Whole lots per instrument: 100 shares, or 10 tens of a fund's units."""
        self._sizes: list[tuple[int, int]] = list(
            zip(seat.instruments.lot.tolist(), seat.traits.largest.tolist(), strict=True)
        )
        self._limits: list[tuple[int, int]] = list(
            zip(seat.instruments.limit_down.tolist(), seat.instruments.limit_up.tolist(), strict=True)
        )
        self.next_action = 0
        self.working: dict[int, WorkingOrder] = {}
        self._sent: Sequence[OrderIntent] = ()
        self.prepare()

    def prepare(self) -> None:
        """Make plans in the morning; does nothing unless a kind has plans."""

    def eligible(self) -> NDArray[np.bool_]:
        """Which instruments it may hold in the morning: stocks, unless a kind says otherwise."""
        return self.instruments.board != Board.FUND

    def endow(self) -> Endowment:
        """Morning shares and cash that are worth the capital; see `spread`."""
        return self.spread(self.settings.capital)

    def spread(self, capital: int) -> Endowment:
        """Put the invested share of a capital (fen) into some names, equal in value.

        Names are drawn without replacement in proportion to popularity (Efraimidis and Spirakis 2006).
        """
        n = len(self.instruments)
        shares = np.zeros(n, np.int64)
        ids = np.arange(n, dtype=np.int64) << _DRAW_SHIFT | self.account
        key = self.seat.streams.exponential(Stream.INSTITUTION, ids, 1) / self.seat.traits.popularity
        key[~self.eligible()] = np.inf
        chosen = np.argsort(key, kind="stable")[: min(self.settings.names, int(np.isfinite(key).sum()))]
        if len(chosen):
            value = int(capital * self.settings.invested) // len(chosen)
            price = self.instruments.previous_close[chosen]
            shares[chosen] = value // (price * 100) * 100
        return Endowment(int(capital - (shares * self.instruments.previous_close).sum()), shares)

    def step(self, view: MarketView) -> Intents:
        """What it does in the quote interval; call `on_submitted` with the order numbers next."""
        if view.phase != self.phase or view.t0 < self.next_action:
            return NOTHING
        intents = self.decide(view)
        self._sent = intents.orders
        return intents

    @abstractmethod
    def decide(self, view: MarketView) -> Intents:
        """What the institution wants in its phase, from `next_action` on, which it sets anew."""

    def after_close(self, market: PrimaryMarket) -> None:
        """Create or redeem units of funds when trading is over; does nothing unless a kind does."""

    def held(self) -> IntColumn:
        """Shares held now, those bought today included, as a column."""
        return np.array(self.position, np.int64)

    def uniform(self, count: int) -> list[float]:
        """The institution's next uniform draws."""
        while len(self._drawn) < count:
            ids = np.arange(self._draws, self._draws + _DRAWN_AT_ONCE, dtype=np.int64) << _DRAW_SHIFT | self.account
            self._draws += _DRAWN_AT_ONCE
            self._drawn = self.seat.streams.uniform(Stream.INSTITUTION, ids)[::-1].tolist() + self._drawn
        if count == 0:
            return []
        draws = self._drawn[: -count - 1 : -1]
        del self._drawn[-count:]
        return draws

    def intents(self, view: MarketView, wanted: Wanted, cancel: Sequence[int] = ()) -> Intents:
        """Make orders that are affordable and sellable, at random times in the interval, after the given cancels.

        Prices are clipped to the day's limits, quantities to whole lots and the largest order allowed; orders that come
        to nothing are left out.
        """
        rows = []
        for i, side, price, most in zip(wanted.instrument, wanted.side, wanted.price, wanted.quantity, strict=True):
            down, up = self._limits[i]
            price = min(max(price, down), up)
            quantity = self._reserve(i, side, price, most)
            if quantity:
                rows.append((i, side, price, quantity))
        half = (view.t1 - view.t0) // 2
        times = self._times(view.t0 + half, half, len(rows))
        orders = [OrderIntent(time, self.account, *row) for time, row in zip(times, rows, strict=True)]
        return Intents(orders, self.cancel(view, cancel))

    def cancel(self, view: MarketView, orders: Sequence[int]) -> list[CancelIntent]:
        """Cancel own orders in the first half of the interval."""
        times = self._times(view.t0, (view.t1 - view.t0) // 2, len(orders))
        return [CancelIntent(time, self.account, order) for time, order in zip(times, orders, strict=True)]

    def _times(self, start: int, width: int, count: int) -> list[int]:
        """Random instants (ns) in [start, start + width), sorted."""
        return sorted([start + int(u * width) for u in self.uniform(count)])

    def _reserve(self, instrument: int, side: int, price: int, quantity: int) -> int:
        """Quantity cut to what may be sold or paid for in whole lots; shares or cash are set aside."""
        step = self.steps[instrument]
        if side == Side.SELL:
            most = self.sellable[instrument]
        else:
            unit = price * step
            most = max(self.cash, 0) // (unit + unit // _FEE_RESERVE + 1) * step
        smallest, largest = self._sizes[instrument]
        allowed = max(min(quantity, most, largest), 0) // step * step
        if allowed < smallest:
            return 0
        self._set_aside(instrument, side, price, allowed)
        return allowed

    def _set_aside(self, instrument: int, side: int, price: int, quantity: int) -> None:
        if side == Side.SELL:
            self.sellable[instrument] -= quantity
        else:
            self.cash -= price * quantity

    def on_submitted(self, orders: Iterable[int]) -> None:
        """The broker's numbers of the last step's orders, row by row."""
        for number, sent in zip(orders, self._sent, strict=True):
            self.working[number] = WorkingOrder(sent.instrument, sent.side, sent.price, sent.quantity)
        self._sent = ()

    def on_fill(self, number: int, price: int, quantity: int) -> None:
        """Book a fill of an own order."""
        order = self.working[number]
        order.left -= quantity
        self.position[order.instrument] += order.side * quantity
        self.cash += (order.price - price) * quantity if order.side == Side.BUY else price * quantity
        if order.left == 0:
            del self.working[number]

    def on_done(self, number: int) -> None:
        """An order ended unfilled (cancelled, refused, expired): what it had set aside is free again."""
        order = self.working.pop(number, None)
        if order is not None:
            self._set_aside(order.instrument, order.side, order.price, -order.left)

    def working_in(self, instruments: Iterable[int]) -> list[int]:
        """Numbers of own working orders in the given instruments, oldest first."""
        wanted = set(instruments)
        return [number for number, order in self.working.items() if order.instrument in wanted]
