"""What passes between floors and stages: frozen batches of equal-length integer columns.

Units: times in ns since midnight of the trading day, prices in ticks (0.01 CNY; funds 0.001 CNY), money in
fen (0.01 CNY), quantities in shares (for funds in tens of units, so that price times quantity is always in fen),
identifiers from 0. Every column is an int64 array of one dimension.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

IntColumn = NDArray[np.int64]


class Side(IntEnum):
    """Direction of an order."""

    BUY = 1
    SELL = -1


class OrderKind(IntEnum):
    """How an order names its price."""

    LIMIT = 0
    MARKET = 1
    """Best five levels of the other side, the remainder cancelled."""


class MessageKind(IntEnum):
    """What reaches the exchange."""

    NEW_LIMIT = 0
    NEW_MARKET = 1
    CANCEL = 2
    NEW_IOC = 3
    """Limit order of which whatever does not trade at once is cancelled."""
    NEW_BEST5_LIMIT = 4
    """Best five levels of the other side, the remainder rests at the order's last trade price."""
    NEW_OWN_BEST = 5
    """Rests at the best price of its own side; without one it is cancelled."""
    NEW_COUNTER_BEST = 6
    """Limit order at the best price of the other side; the remainder rests there."""
    NEW_SWEEP = 7
    """Trades with every level of the other side, the remainder cancelled."""
    NEW_FOK = 8
    """Trades in full at once or not at all."""
    REDUCE = 9
    """Takes `quantity` shares off a resting order, which keeps its place."""
    REPLACE = 10
    """Cancels a resting order and enters it anew, at the back, with the message's price and quantity."""
    AMEND = 11
    """As REPLACE, but an order at the same price whose quantity does not grow keeps its place."""
    NEW_FIXED_PRICE = 12
    """After-hours order at the day's close; `price` is its limit."""


class TapeKind(IntEnum):
    """What the exchange answers."""

    ACCEPTED = 0
    TRADE = 1
    CANCELLED = 2
    REJECTED = 3
    EXPIRED = 4
    REDUCED = 5
    """`quantity` shares were taken off, `leaves` remain in place."""
    REPLACED = 6
    """A REPLACE or AMEND was taken: `price` and `quantity` are the new ones; its trades follow."""
    HALTED = 7
    """Trading of the instrument stops for a while; `price` is the trade that caused it, `quantity` until when (ns)."""
    RESUMED = 8
    """Trading of the instrument goes on; the trades of the resuming call come before it."""


class Reason(IntEnum):
    """Why an order or a cancel was refused, by the broker or by the exchange."""

    NONE = 0
    CASH = 1
    HOLDINGS = 2
    PRICE_LIMIT = 3
    LOT = 4
    SUITABILITY = 5
    CLOSED = 6
    NO_CANCEL = 7
    UNKNOWN_ORDER = 8
    NO_COUNTERPARTY = 9
    CHECK_TIMEOUT = 10
    CAGE = 11
    """The limit price lies outside the price cage of continuous trading."""
    ORDER_KIND = 12
    """The instrument does not take this kind of order now."""
    SIZE = 13
    """More shares than one order may be for."""
    SUSPENDED = 14
    """The instrument is suspended from trading."""
    UNFILLABLE = 15
    """A fill-or-kill order that could not be filled at once."""


class Exchange(IntEnum):
    """Where an instrument is listed."""

    SSE = 0
    SZSE = 1
    BSE = 2


class Board(IntEnum):
    """Board of an instrument; it sets price limit, lot and the permission that a client needs."""

    MAIN = 0
    CHINEXT = 1
    STAR = 2
    BSE = 3
    FUND = 4
    """Exchange-traded funds; their quantities count tens of units, so that price times quantity is in fen."""


class Segment(IntEnum):
    """Kind of client."""

    RETAIL = 0
    GEN_Z = 1
    HNW = 2
    INSTITUTION = 3


@dataclass(frozen=True)
class Batch:
    """Base of all batches: int64 columns of one common length."""

    # Instance dictionaries hold exactly the columns, in order; dataclasses.fields would cost more than the work itself.

    def __post_init__(self) -> None:
        n = -1
        for column in self.__dict__.values():
            if len(column) != n:
                if n >= 0:
                    lengths = {name: len(column) for name, column in self.__dict__.items()}
                    raise ValueError(f"columns of {type(self).__name__} differ in length: {lengths}")
                n = len(column)

    def __len__(self) -> int:
        for column in self.__dict__.values():
            return len(column)
        return 0

    @classmethod
    def empty(cls) -> Self:
        """A batch of no rows."""
        return cls(*(np.empty(0, np.int64) for _ in fields(cls)))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Self:
        """The given rows, in that order."""
        return type(self)(*[column[rows] for column in self.__dict__.values()])

    @classmethod
    def concat(cls, batches: list[Self]) -> Self:
        """All rows of several batches, in order."""
        if not batches:
            return cls.empty()
        return cls(*(np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(cls)))


@dataclass(frozen=True)
class Orders(Batch):
    """Orders that accounts send to the broker; `order` is the row in the broker's order table."""

    time: IntColumn
    order: IntColumn
    account: IntColumn
    instrument: IntColumn
    side: IntColumn
    kind: IntColumn
    price: IntColumn
    quantity: IntColumn


@dataclass(frozen=True)
class Cancels(Batch):
    """Requests to cancel what is left of an order."""

    time: IntColumn
    order: IntColumn
    account: IntColumn


@dataclass(frozen=True)
class Acknowledgements(Batch):
    """The broker tells an account that an order stands at the exchange."""

    time: IntColumn
    order: IntColumn
    account: IntColumn


@dataclass(frozen=True)
class Fills(Batch):
    """One side of a trade, as the broker's account sees it."""

    time: IntColumn
    order: IntColumn
    account: IntColumn
    instrument: IntColumn
    side: IntColumn
    price: IntColumn
    quantity: IntColumn


@dataclass(frozen=True)
class Rejections(Batch):
    """Orders or cancels refused, with a `Reason`."""

    time: IntColumn
    order: IntColumn
    account: IntColumn
    reason: IntColumn


@dataclass(frozen=True)
class Messages(Batch):
    """What arrives at the exchange, sorted by time; `order` is a dense non-negative handle unique per order.

    `price` is 0 for market orders; `quantity`, `price`, `side` are ignored for cancels.
    """

    time: IntColumn
    kind: IntColumn
    instrument: IntColumn
    side: IntColumn
    price: IntColumn
    quantity: IntColumn
    order: IntColumn


@dataclass(frozen=True)
class Tape(Batch):
    """What the exchange reports, in the order in which it happened.

    A trade is one row: `order` is the aggressor (the later order in an auction), `counter` the resting order, `side`
    the aggressor's side, `leaves` what remains of `order`. Other rows have `counter` = -1; a rejection carries its
    `Reason` in `counter`'s place as -1 - reason.
    """

    time: IntColumn
    kind: IntColumn
    instrument: IntColumn
    side: IntColumn
    price: IntColumn
    quantity: IntColumn
    order: IntColumn
    counter: IntColumn
    leaves: IntColumn


@dataclass(frozen=True)
class Quotes(Batch):
    """Level-1 market data of every instrument at one instant; row = instrument. Prices are 0 where there is none."""

    last: IntColumn
    bid: IntColumn
    ask: IntColumn
    bid_quantity: IntColumn
    ask_quantity: IntColumn
    volume: IntColumn
    turnover: IntColumn


@dataclass(frozen=True)
class Instruments(Batch):
    """What is listed today; row = instrument. Prices in ticks; `limit_*` are the day's price limits."""

    exchange: IntColumn
    board: IntColumn
    previous_close: IntColumn
    limit_down: IntColumn
    limit_up: IntColumn
    lot: IntColumn
    risk_level: IntColumn


@dataclass(frozen=True)
class OrderRules(Batch):
    """What the exchange demands of an order in each instrument today; row = instrument, 0 = no such rule.

    A buy must be for `smallest` + k x `step` shares; a sell for at least 1 (an odd residue goes in one order, which
    only the broker can check). `kinds` has the bit 1 << MessageKind of every kind that continuous trading takes.
    The price cage is the wider of `cage_ppm` of the reference price and `cage_ticks`; with `cage_parks` an order
    outside waits until the cage reaches it, else it is refused. Where there is no price limit, limit orders of the
    opening call lie within `open_low`..`open_high` (ticks) and later ones within `band_ppm` of the last trade (in
    continuous trading only where there is no cage).
    Volatility halts: at `halt_first_ppm` and `halt_second_ppm` off the day's open, each direction once, for `halt_ns`
    but not beyond `halt_until` (ns since midnight).
    """

    smallest: IntColumn
    step: IntColumn
    largest_limit: IntColumn
    largest_market: IntColumn
    kinds: IntColumn
    cage_ppm: IntColumn
    cage_ticks: IntColumn
    cage_parks: IntColumn
    open_low: IntColumn
    open_high: IntColumn
    band_ppm: IntColumn
    halt_first_ppm: IntColumn
    halt_second_ppm: IntColumn
    halt_ns: IntColumn
    halt_until: IntColumn
    tie_break: IntColumn
    """0 = least unmatched volume, then the middle (Shanghai); 1 = least difference, then nearest (Shenzhen)."""
    fixed_price: IntColumn
    """1 where after-hours trading at the close takes orders."""


@dataclass(frozen=True)
class Requests(Batch):
    """A client asks a process for something; `attribute` is a case attribute (for instance the segment)."""

    time: IntColumn
    request: IntColumn
    client: IntColumn
    attribute: IntColumn


class OutcomeKind(IntEnum):
    """How a request ended."""

    SERVED = 0
    ABANDONED = 1
    REFUSED = 2


@dataclass(frozen=True)
class Outcomes(Batch):
    """How and when requests ended; `wait` is the time spent waiting (not in service), in ns."""

    time: IntColumn
    request: IntColumn
    client: IntColumn
    outcome: IntColumn
    wait: IntColumn
    node: IntColumn


@dataclass(frozen=True)
class Trades(Batch):
    """Executed trades of the broker's accounts for clearing: one row per fill of one order."""

    time: IntColumn
    order: IntColumn
    account: IntColumn
    instrument: IntColumn
    side: IntColumn
    price: IntColumn
    quantity: IntColumn


@dataclass(frozen=True)
class Obligations(Batch):
    """Net duty of an account at an exchange's clearing house: `cash` in fen (negative = to pay)."""

    account: IntColumn
    exchange: IntColumn
    cash: IntColumn


@dataclass(frozen=True)
class Settlements(Batch):
    """Cash and shares that moved in settlement."""

    account: IntColumn
    instrument: IntColumn
    cash: IntColumn
    shares: IntColumn


@dataclass(frozen=True)
class Breaks(Batch):
    """Records that do not reconcile and wait for a person."""

    time: IntColumn
    record: IntColumn
    account: IntColumn


@dataclass(frozen=True)
class Alerts(Batch):
    """Something that compliance has to look at."""

    time: IntColumn
    account: IntColumn
    order: IntColumn
    reason: IntColumn


@dataclass(frozen=True)
class Decisions(Batch):
    """What compliance decided on an alert."""

    time: IntColumn
    account: IntColumn
    order: IntColumn
    decision: IntColumn
