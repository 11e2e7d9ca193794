"""One stock's market day, simulated: the background's orders, the news and the exchange; on request a large order too.

The stock has the price and the number of orders that it is given; everything else is as in a whole market. The parent
order is cut into equal marketable pieces (best five levels); what a piece cannot buy is added to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from agents.market_flow import MarketFlow
from scenarios.calibration import background_parameters
from scenarios.realism.day import StockDay, simulated_day
from twin.clock import CLOSE_UNCROSS, NO_CANCEL, OPEN_UNCROSS, SECOND, Phase, at, trading_ticks
from twin.contracts import Instruments, MessageKind, Messages, Tape, TapeKind
from twin.errors import ScenarioError
from twin.matching.engine import MatchingEngine
from twin.news import IndexDay, NewsPath
from twin.randomness import Streams
from twin.world import InstrumentTraits, MarketConfig, make_instruments, usual_rules

Progress = Callable[[float], None]
Floats = NDArray[np.float64]
_ORDINARY = IndexDay(0.0016, 0.0065, -0.0056, -0.0049, 0.0072)
"""The index of the ordinary day (scenarios/catalogue/ordinary-day.yaml)."""
_LOT = 100
_TELL_EVERY = 300


@dataclass(frozen=True)
class Stock:
    """What is simulated: a Shanghai main-board share.

    Attributes:
        name: for titles.
        previous_close: ticks of 0.01 CNY; orders: new orders of the day.
        volatility: daily standard deviation of the value that is not due to the index (the market's median, assumed).
    """

    name: str
    previous_close: int
    orders: float
    volatility: float = 0.018

    def __post_init__(self) -> None:
        if not 20 <= self.previous_close <= 1_000_000 or not 1 <= self.orders <= 5_000_000:
            raise ScenarioError(
                f"{self.orders:,.0f} orders at {self.previous_close / 100:.2f} CNY cannot be simulated",
                where=self.name,
                hint="Give a price of 0.20 to 10,000 CNY and 1 to 5,000,000 orders.",
            )


STOCKS = {
    stock.name: stock
    for stock in (
        Stock("high-priced", 179_500, 44_000),
        Stock("middle-priced", 5_000, 54_000),
        Stock("low-priced", 1_450, 27_000),
    )
}
"""Three kinds of share, about those of the recorded days (1,800, 50 and 14 CNY)."""


def stock_like(day: StockDay) -> Stock:
    """The stock of a recorded day: its price level (the first price where the last close is not known) and activity."""
    close = day.previous_close or int(day.trades.price[0])
    return Stock(day.name, round(close * day.tick * 100), len(day.orders))


def named_stock(name: str) -> Stock:
    """One of `STOCKS`, or `PRICE:ORDERS`, for instance `12.5:30000`.

    Raises:
        ScenarioError: it is neither.
    """
    if name in STOCKS:
        return STOCKS[name]
    price, _, orders = name.partition(":")
    try:
        return Stock(name, round(100 * float(price)), float(orders))
    except (ValueError, OverflowError) as error:
        raise ScenarioError(
            f"{name!r} is not an instrument",
            hint=f"Give one of {', '.join(STOCKS)}, or PRICE:ORDERS such as 12.5:30000.",
        ) from error


@dataclass(frozen=True)
class Parent:
    """A large order worked through the day (a metaorder).

    Attributes:
        side: 1 or -1; shares: in all; start, end: ns since midnight; every: between pieces, ns of trading time.
    """

    side: int
    shares: int
    start: int
    end: int
    every: int = 30 * SECOND


@dataclass
class _Pieces:
    """What the parent sends, given what was filled."""

    parent: Parent
    sent: int = 0
    filled: int = 0
    _next: int = 0
    _due: float = 0.0
    _times: int = field(init=False)

    def __post_init__(self) -> None:
        ticks = [t for t in trading_ticks() if t.phase == Phase.CONTINUOUS]
        inside = sum(t.end - t.start for t in ticks if self.parent.start <= t.start < self.parent.end)
        self._times = max(1, inside // self.parent.every)
        self._next = self.parent.start

    def messages(self, time: int, phase: Phase) -> Messages:
        """The piece due now, in whole lots; what is filled less than was meant is made up for."""
        parent = self.parent
        if phase != Phase.CONTINUOUS or not parent.start <= time < parent.end or time < self._next:
            return Messages.empty()
        self._next = time + parent.every
        self._due = min(self._due + parent.shares / self._times, parent.shares)
        lots = int((self._due - self.filled) // _LOT)
        if lots <= 0:
            return Messages.empty()
        row = (time, int(MessageKind.NEW_MARKET), 0, parent.side, 0, lots * _LOT, self.sent)
        self.sent += 1
        return Messages(*(np.array([value], np.int64) for value in row))

    def absorb(self, tape: Tape) -> None:
        own = (tape.kind == TapeKind.TRADE) & (tape.order < self.sent)
        self.filled += int(tape.quantity[own].sum())


@dataclass(frozen=True)
class MarketRun:
    """What a simulated day left: the exchange's tape, the mid price (ticks) at the end of each 3-second tick.

    `filled` is what the parent order, if there was one, got.
    """

    tape: Tape
    time: NDArray[np.int64]
    mid: Floats
    filled: int = 0


def simulate(
    stock: Stock,
    streams: Streams,
    *,
    parent: Parent | None = None,
    until: int = at("15:00"),
    progress: Progress | None = None,
) -> MarketRun:
    """A day of one stock alone.

    Args:
        stock: price and activity.
        streams: the same streams with and without a parent order give the same luck (common random numbers).
        parent: a large order to work.
        until: ns since midnight at which to stop; the auction at the close is held only if it is reached.
        progress: told the fraction of the day that is done.
    """
    listed, traits = _listing(stock)
    news = NewsPath(_ORDINARY, listed, traits, streams)
    parameters = replace(background_parameters(), orders_per_day=float(stock.orders))
    flow = MarketFlow(parameters, listed, traits.order_weight, streams, nodes=1 << 12)
    engine = MatchingEngine(listed)
    pieces = None if parent is None else _Pieces(parent)
    tapes, mids, mid = [], [], float(stock.previous_close)
    ticks = list(trading_ticks(last=until))
    for i, tick in enumerate(ticks):
        refused = any(start <= tick.start < end for start, end in NO_CANCEL)
        engine.set_phase(tick.phase, cancels_allowed=not refused)
        others = Messages.empty() if pieces is None else pieces.messages(tick.start, tick.phase)
        value, move = news.fundamental(tick.start), news.index_return(tick.start)
        tape = flow.step(engine, tick.start, tick.end, value, move, others)
        flow.absorb(engine, tape)
        tapes.append(tape)
        if pieces is not None:
            pieces.absorb(tape)
        if tick.end in (OPEN_UNCROSS, CLOSE_UNCROSS):
            tapes.append(engine.uncross(tick.end))
            flow.absorb(engine, tapes[-1])
        elif tick.phase == Phase.CONTINUOUS:
            quotes = engine.quotes()
            bid, ask = int(quotes.bid[0]), int(quotes.ask[0])
            mid = 0.5 * (bid + ask) if bid and ask else mid
        mids.append(mid)
        if progress is not None and i % _TELL_EVERY == 0:
            progress(i / len(ticks))
    ends = np.array([tick.end for tick in ticks], np.int64)
    return MarketRun(Tape.concat(tapes), ends, np.array(mids), 0 if pieces is None else pieces.filled)


def simulate_day(stock: Stock, seed: int, replication: int = 0, progress: Progress | None = None) -> StockDay:
    """A simulated day in the form in which days are measured."""
    run = simulate(stock, Streams(seed, replication), progress=progress)
    name = f"{stock.name}, seed {seed}, day {replication + 1}"
    return simulated_day(run.tape, 0, name, previous_close=stock.previous_close)


def _listing(stock: Stock) -> tuple[Instruments, InstrumentTraits]:
    """One Shanghai main-board share with an index beta of 1."""
    nothing_else = dict.fromkeys(("share_main_szse", "share_chinext", "share_star", "share_bse", "share_funds"), 0.0)
    config = MarketConfig(instruments=1, share_main_sse=1.0, share_st=0.0, share_new=0.0, **nothing_else)
    listed, traits = make_instruments(config, Streams(0))
    close = np.array([stock.previous_close], np.int64)
    listing = replace(traits.listing, reference=close)
    down, up = usual_rules().limits(listing)
    one = np.ones(1)
    traits = replace(
        traits, beta=one, idiosyncratic_volatility=stock.volatility * one, order_weight=one, listing=listing
    )
    return replace(listed, previous_close=close, limit_down=down, limit_up=up), traits
