"""A market of a few instruments for tests of institutions: with given quotes, or on the real engine."""

from __future__ import annotations

from typing import Any

import mesa
import numpy as np

from agents.institutions import Institution
from agents.institutions.base import Intents, MarketView, Seat
from agents.market_flow import MarketFlow
from scenarios.calibration import background_parameters
from twin.baskets import Baskets, no_baskets
from twin.clock import NO_CANCEL, OPEN_UNCROSS, TICK, Phase, at, trading_ticks
from twin.contracts import Instruments, MessageKind, Messages, Quotes, Tape, TapeKind
from twin.matching.engine import MatchingEngine
from twin.randomness import Streams
from twin.world import IndexDay, InstrumentTraits, MarketConfig, NewsPath, largest_orders, listing_of, make_instruments

STREAMS = Streams(5)
ENDS = (TapeKind.CANCELLED, TapeKind.EXPIRED, TapeKind.REJECTED)


def stocks(*closes: int, fund: dict[int, int] | None = None, unit: int = 10_000) -> Seat:
    """A seat in a market of main-board stocks; `fund` (shares of each in a unit) appends one that holds them."""
    close = np.array(closes, np.int64)
    baskets = no_baskets(len(close))
    if fund is not None:
        shares = np.zeros((1, len(close) + 1), np.int64)
        shares[0, list(fund)] = list(fund.values())
        worth = int(shares[0, :-1] @ close)
        close = np.append(close, worth // unit)  # the cash part is what is missing
        baskets = Baskets(np.array([len(close) - 1]), np.array([unit]), worth - unit * close[-1:], shares)
    one = np.ones(len(close), np.int64)
    board = np.where(np.arange(len(close)) == (len(close) - 1 if fund else -1), 4, 0)
    lot = np.where(board == 4, 10, 100)
    listed = Instruments(0 * one, board, close, close * 9 // 10, close * 11 // 10, lot, 3 * one)
    flat = np.ones(len(close))
    traits = InstrumentTraits(
        flat, 0.02 * flat, flat / len(flat), flat, listing_of(listed), baskets, largest_orders(listed)
    )
    return Seat(10, listed, traits, STREAMS)


def join(kind: type[Institution], seat: Seat, **settings: Any) -> Any:
    """An institution of a kind in that seat."""
    return kind(mesa.Model(), seat, kind.Settings(**settings))


def view(t: int, bid: Any, ask: Any, index_return: float = 0.0, phase: Phase = Phase.CONTINUOUS) -> MarketView:
    """What is seen with the given quotes; the last price is their middle."""
    bid, ask = np.asarray(bid, np.int64), np.asarray(ask, np.int64)
    zero = np.zeros_like(bid)
    last = np.where((bid > 0) & (ask > 0), (bid + ask) // 2, np.maximum(bid, ask))
    return MarketView(t, t + TICK, phase, Quotes(last, bid, ask, zero, zero, zero, zero), index_return)


class Desk:
    """Sends an institution's intents to the real engine and tells it what came of them."""

    def __init__(self, agent: Institution, engine: MatchingEngine) -> None:
        self.agent, self.engine = agent, engine
        self.orders = 0
        self.cash, self.shares = 0, np.zeros(engine.n_instruments, np.int64)
        self.answers: list[Tape] = []

    def messages(self, intents: Intents) -> Messages:
        """The intents as messages, with the next order numbers."""
        rows = [
            (c.time, MessageKind.CANCEL, self.agent.working[c.order].instrument, 0, 0, 0, c.order)
            for c in intents.cancels
        ]
        numbers = range(self.orders, self.orders + len(intents.orders))
        rows += [
            (o.time, 0, o.instrument, o.side, o.price, o.quantity, n)
            for n, o in zip(numbers, intents.orders, strict=True)
        ]
        self.agent.on_submitted(numbers)
        self.orders += len(intents.orders)
        rows.sort(key=lambda row: (row[0], row[6]))
        return Messages(*np.array(rows, np.int64).reshape(-1, 7).T.copy())

    def hear(self, tape: Tape) -> None:
        """Fills and ends of own orders."""
        self.answers.append(tape)
        for k in range(len(tape)):
            kind, price, quantity = int(tape.kind[k]), int(tape.price[k]), int(tape.quantity[k])
            if kind == TapeKind.TRADE:
                for number in (int(tape.order[k]), int(tape.counter[k])):
                    if number < self.orders:
                        order = self.agent.working[number]
                        self.cash -= order.side * price * quantity
                        self.shares[order.instrument] += order.side * quantity
                        self.agent.on_fill(number, price, quantity)
            elif kind in ENDS and tape.order[k] < self.orders and quantity > 0:  # 0: a cancel that was refused
                self.agent.on_done(int(tape.order[k]))

    def send(self, intents: Intents) -> Tape:
        """Send intents to the engine at once."""
        tape = self.engine.process(self.messages(intents))
        self.hear(tape)
        return tape


def trade_a_morning(
    day: IndexDay, kinds: dict[type[Institution], dict[str, Any]], until: str = "10:15", rate: float = 4_000.0
) -> dict[str, Any]:
    """From the opening call on: background and institutions on the real engine; the same luck whoever takes part."""
    from dataclasses import replace

    config = MarketConfig(instruments=12, share_funds=0.17, share_bse=0.0, share_star=0.0, share_st=0.0, share_new=0.0)
    listed, traits = make_instruments(config, STREAMS)
    news = NewsPath(day, listed, traits, STREAMS)
    background = MarketFlow(replace(background_parameters(), orders_per_day=rate), listed, traits.order_weight, STREAMS)
    engine = MatchingEngine(listed)
    desks = [
        Desk(join(kind, Seat(k, listed, traits, STREAMS), **settings), engine)
        for k, (kind, settings) in enumerate(kinds.items())
    ]
    assert len(desks) <= 1
    path = []
    for tick in trading_ticks(at("09:15"), at(until)):
        cancels = not any(start <= tick.start < end for start, end in NO_CANCEL)
        engine.set_phase(tick.phase, cancels_allowed=cancels)
        quotes = engine.quotes()
        others = Messages.empty()
        for desk in desks:
            seen = MarketView(tick.start, tick.end, tick.phase, quotes, news.index_return(tick.start))
            others = desk.messages(desk.agent.step(seen))
        value, move = news.fundamental(tick.start), news.index_return(tick.start)
        tape = background.step(engine, tick.start, tick.end, value, move, others)
        tapes = [tape, engine.uncross(tick.end)] if tick.end == OPEN_UNCROSS else [tape]
        for part in tapes:
            background.absorb(engine, part)
            for desk in desks:
                desk.hear(part)
        path.append(engine.quotes().last)
    engine.check()
    for desk in desks:  # whatever the institution gained the rest of the market lost
        assert desk.cash + background.cash == 0
        assert np.array_equal(desk.shares + background.shares, np.zeros(len(listed)))
        start = desk.agent.endowment
        assert np.array_equal(desk.agent.position, start.shares + desk.shares)
        assert np.all(start.shares + np.minimum(desk.shares, 0) >= 0)
    return {"path": np.array(path), "listed": listed, "traits": traits, "news": news, "desks": desks}
