"""One stock's market day, simulated: the background's orders, the news and the exchange; on request a large order too.

The stock has the price and the number of orders that it is given; everything else is as in a whole market. The parent
order is cut into equal marketable pieces (best five levels); what a piece cannot buy is added to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agents.background import Attention, news_pace
from agents.market_flow import Keep, MarketFlow
from scenarios.calibration import background_parameters
from scenarios.realism.day import StockDay, simulated_day
from twin.clock import SECOND, TICK, Phase, at, trading_ticks
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


@dataclass(frozen=True)
class MarketRun:
    """What a simulated day left: the exchange's tape, the mid price (ticks) at the end of each 3-second tick.

    `filled` is what the parent order, if there was one, got.
    """

    tape: Tape
    time: NDArray[np.int64]
    mid: Floats
    filled: int = 0


class _Pieces:
    """What the parent sends, given what was filled: every piece makes up for what the ones before it missed."""

    def __init__(self, parent: Parent, times: Sequence[int]) -> None:
        self._parent, self._times = parent, {time: i + 1 for i, time in enumerate(times)}
        self._sent = self.filled = 0

    def due(self, time: int) -> Messages:
        """The piece to send at an instant, in whole lots; empty if none is due."""
        place = self._times.get(time)
        if place is None:
            return Messages.empty()
        lots = int((self._parent.shares * place / len(self._times) - self.filled) // _LOT)
        if lots <= 0:
            return Messages.empty()
        row = (time, int(MessageKind.NEW_MARKET), 0, self._parent.side, 0, lots * _LOT, self._sent)
        self._sent += 1
        return Messages(*(np.array([value], np.int64) for value in row))

    def absorb(self, tape: Tape) -> None:
        own = (tape.kind == TapeKind.TRADE) & (tape.order < self._sent)
        self.filled += int(tape.quantity[own].sum())


class _Market:
    """One stock's exchange, flow and news."""

    def __init__(self, stock: Stock, streams: Streams) -> None:
        self.listed, traits = _listing(stock)
        parameters = background_parameters()
        shares = news_pace(parameters, np.array([tick.start for tick in trading_ticks()]))
        news = NewsPath(_ORDINARY, self.listed, traits, streams, pace=shares)
        self.starts = news.starts
        self.values = np.stack([news.fundamental(int(t)) for t in news.starts])
        attention = Attention(parameters)
        moves = zip(news.starts.tolist(), news.index.tolist(), strict=True)
        self.activity = np.array([attention.factor(t, move) for t, move in moves])
        parameters = replace(parameters, orders_per_day=stock.orders / float(shares @ self.activity))
        self.rules = usual_rules()
        order_rules = self.rules.order_rules(traits.listing)
        self.engine = MatchingEngine(self.listed, rules=order_rules)
        self.flow = MarketFlow(parameters, self.listed, np.ones(1), streams, rules=order_rules)
        self.tapes: list[Tape] = []
        self.times: list[NDArray[np.int64]] = []
        self.quotes: list[NDArray[np.int64]] = []

    def sessions(self, until: int) -> list[tuple[Phase, int, int, bool]]:
        """Phases with orders, cut where the right to cancel changes: phase, start, end, whether cancels are taken."""
        kind = int(self.listed.exchange[0]), int(self.listed.board[0])
        refused = self.rules.no_cancel(*kind)
        found: list[tuple[Phase, int, int, bool]] = []
        for phase, start, end in ((s.phase, s.start, min(s.end, until)) for s in self.rules.sessions(*kind)):
            if phase not in (Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CLOSE_CALL) or start >= end:
                continue
            cuts = sorted({start, end, *(t for window in refused for t in window if start < t < end)})
            for a, b in pairwise(cuts):
                found.append((phase, a, b, not any(first <= a < last for first, last in refused)))
        return found

    def span(self, start: int, end: int, others: Messages) -> Tape:
        """Trade from one instant to another."""
        edges = np.append(np.arange(start, end, TICK), end).astype(np.int64)
        rows = np.searchsorted(self.starts, edges[:-1], side="right") - 1
        sample = np.zeros((len(rows), 1, 4), np.int64)
        tape = self.flow.advance(
            self.engine, edges, self.values[rows], self.activity[rows], others, keep=Keep.ALL, sample=sample
        )
        self.times.append(edges[1:])
        self.quotes.append(sample[:, 0])
        self.tapes.append(tape)
        self.flow.absorb(self.engine, tape)
        return tape

    def uncross(self, time: int) -> None:
        self.tapes.append(self.engine.uncross(time))
        self.flow.absorb(self.engine, self.tapes[-1])
        self.engine.set_phase(Phase.GAP, time=time)


def simulate(
    stock: Stock,
    streams: Streams,
    *,
    parent: Parent | None = None,
    until: int = at("15:00"),
    progress: Progress | None = None,
) -> MarketRun:
    """A day of one stock alone, by the rules of an ordinary day.

    Args:
        stock: price and activity.
        streams: the same streams with and without a parent order give the same luck (common random numbers).
        parent: a large order to work.
        until: ns since midnight at which to stop; the auction at the close is held only if it is reached.
        progress: told the fraction of the day that is done.
    """
    market = _Market(stock, streams)
    sessions = market.sessions(until)
    times = _piece_times(parent, sessions) if parent else []
    pieces = _Pieces(parent, times) if parent else None
    for phase, start, end, cancels in sessions:
        market.engine.set_phase(phase, cancels_allowed=cancels, time=start)
        for a, b in pairwise([start, *(t for t in times if start < t < end), end]):
            tape = market.span(a, b, pieces.due(a) if pieces else Messages.empty())
            if pieces:
                pieces.absorb(tape)
        if (phase == Phase.OPEN_CALL and cancels is False) or phase == Phase.CLOSE_CALL:
            market.uncross(end)
        if progress is not None:
            progress(min(1.0, (end - sessions[0][1]) / (sessions[-1][2] - sessions[0][1])))
    quotes = np.concatenate(market.quotes)
    mid = _filled(np.where((quotes[:, :2] > 0).all(axis=1), 0.5 * (quotes[:, 0] + quotes[:, 1]), np.nan), stock)
    return MarketRun(Tape.concat(market.tapes), np.concatenate(market.times), mid, pieces.filled if pieces else 0)


def _piece_times(parent: Parent, sessions: list[tuple[Phase, int, int, bool]]) -> list[int]:
    """When the parent sends: every so often while trading is continuous."""
    windows = [(max(a, parent.start), min(b, parent.end)) for phase, a, b, _ in sessions if phase == Phase.CONTINUOUS]
    return [t for a, b in windows for t in range(a, b, parent.every)]


def _filled(mid: Floats, stock: Stock) -> Floats:
    """Where a side of the book is empty, the mid before; the previous close before the first."""
    rows = np.maximum.accumulate(np.where(np.isfinite(mid), np.arange(len(mid)), -1))
    return np.where(rows >= 0, mid[np.maximum(rows, 0)], float(stock.previous_close))


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
