"""The exchange inside the house: trading at the close is cleared, and stops of the market reach the clients."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.loader import load
from scenarios.night import clear
from scenarios.trading import TradingDay
from twin.clock import MINUTE, Clock, at
from twin.contracts import Board, MessageKind, Orders, Reason, TapeKind
from twin.randomness import Streams

SMALL = ("clients.count=1500", "world.instruments=6", "world.background.orders_per_instrument_day=1500")


def house(name, *settings):
    scenario = load(name, [*SMALL, *settings])
    return TradingDay(scenario, Streams(scenario.seed, 0)), Clock(scenario.date)


def run(day, clock, *processes):
    for process in processes:
        clock.env.process(process)
    clock.env.run(until=clock.env.process(day.run(clock)))


def seller_and_buyer(day):
    """A client who may sell shares of a main-board stock, that stock, and a client with much cash who may buy it."""
    ledger, people = day.ledger, day.population
    clients = np.flatnonzero(ledger.slot_start[: people.clients] >= 0)
    buyers = clients[people.risk_class[clients] >= 3]
    rich = buyers[np.argsort(-ledger.cash[buyers])][:2]
    for account in clients.tolist():
        start, count = int(ledger.slot_start[account]), int(ledger.slot_count[account])
        for slot in range(start, start + count):
            instrument = int(ledger.instrument[slot])
            if ledger.sellable[slot] >= 100 and day.instruments.board[instrument] == Board.MAIN:
                return account, instrument, next(int(buyer) for buyer in rich if buyer != account)
    raise AssertionError("nobody has anything to sell")


@pytest.mark.slow
def test_trades_at_the_close_are_cleared_and_nothing_appears_or_vanishes():
    day, clock = house("ordinary-day")
    sent, tapes = {}, []

    def submit():
        yield clock.wait_until(at("14:30") + 1)
        seller, instrument, buyer = seller_and_buyer(day)
        base = day.orders.new_rows(2)
        limits = day.instruments.limit_down[instrument], day.instruments.limit_up[instrument]
        now = max(day.path.now, clock.now)
        columns = (
            [now, now + 1], [base, base + 1], [seller, buyer], [instrument] * 2, [-1, 1],
            [MessageKind.NEW_FIXED_PRICE] * 2, limits, [100, 100],
        )  # fmt: skip
        day.path.submit(orders=Orders(*(np.array(column, np.int64) for column in columns)))
        sent.update(rows=[base, base + 1], instrument=instrument)

    deliver = day._deliver

    def listen(tape):
        tapes.append((tape.time.copy(), tape.kind.copy(), tape.instrument.copy(), tape.price.copy(), tape.order.copy()))
        deliver(tape)

    day._deliver = listen
    run(day, clock, submit())
    close = day.exchange.closing_prices()[sent["instrument"]]
    orders = day.orders
    assert orders.column("filled")[sent["rows"]].tolist() == [100, 100]
    assert orders.column("value")[sent["rows"]].tolist() == [100 * close] * 2
    late = [
        (time, price)
        for times, kinds, _, prices, _ in tapes
        for time, kind, price in zip(times.tolist(), kinds.tolist(), prices.tolist(), strict=True)
        if kind == TapeKind.TRADE and time > at("15:00")
    ]
    assert late == [(at("15:05"), close)]
    # The day's own conservation checks have passed; clearing sees the trades of the session and proves them.
    assert day.cash_difference == 0
    assert clear(day.scenario, day).gross_buy.sum() > 0


@pytest.mark.slow
def test_a_day_without_such_orders_does_not_wait_for_them():
    day, clock = house("ordinary-day", "clients.count=0", "world.background.orders_per_instrument_day=0")
    run(day, clock)
    assert clock.now == day.ticks[-1].end < at("15:10")
    assert not day.exchange.after_hours


@pytest.mark.slow
def test_the_breaker_of_2016_fires_from_trading_and_refusals_reach_the_clients():
    day, clock = house("circuit-breaker-2016")
    run(day, clock)
    first, second = day.exchange.stops
    assert (first.for_the_day, second.for_the_day) == (False, True)
    assert first.end - first.start in (15 * MINUTE, 105 * MINUTE)
    assert -0.06 < first.level <= -0.05
    assert second.level <= -0.07
    assert second.start >= first.end
    counts = day.path.counts()
    assert counts.rejected[Reason.SUSPENDED] > 100
    # Nobody listed on a board that did not exist yet.
    assert set(day.instruments.board.tolist()) <= {0, 1, 4}


@pytest.mark.slow
def test_a_suspended_market_refuses_everything_and_still_adds_up():
    day, clock = house("ordinary-day", "world.suspended=[{start: '10:00', end: '23:00', share: 1}]")
    run(day, clock)
    counts = day.path.counts()
    assert counts.rejected[Reason.SUSPENDED] > 1000
    assert counts.trades > 0
    late = day.orders.column("submitted") > at("10:00:05")
    assert not day.orders.column("filled")[late].any()
