"""Market data: faults of the quotes, snapshots and feeds against a plain computation, and the round trip by replay."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import cache

import numpy as np
import pyarrow.csv as pacsv
import pytest
from exchange_house import BUY, NEW, SELL, SSE, SZSE, exchange, listed, messages

from scenarios.loader import load
from scenarios.trading import TradingDay
from twin.clock import SECOND, Clock, Phase, at
from twin.contracts import Board, Exchange, MessageKind, Quotes
from twin.errors import DataError, ScenarioError
from twin.matching.market_data import DEPTH, FeedFault, QuoteFeed, call_levels
from twin.matching.publishing import Publisher
from twin.matching.replay import replay
from twin.randomness import Streams

TWO = np.array([Exchange.SSE, Exchange.SZSE], np.int64)
NO_CALL, CALL = np.zeros(2, np.bool_), np.ones(2, np.bool_)


def quotes(price):
    """Quotes of two instruments that all say one number."""
    column = np.full(2, price, np.int64)
    return Quotes(column, column - 1, column + 1, *(column.copy() for _ in range(4)))


def test_without_a_fault_the_feed_passes_the_very_quotes():
    published = quotes(1000)
    assert QuoteFeed(TWO).publish(at("10:00"), published, NO_CALL) is published


def test_a_frozen_feed_shows_the_last_quotes_before_it_and_comes_back():
    feed = QuoteFeed(TWO, [FeedFault(at("10:00"), at("10:01"))])
    seen = {
        k: feed.publish(at("09:59:57") + 3 * k * SECOND, quotes(1000 + k), NO_CALL).last.tolist() for k in range(23)
    }
    assert seen[0] == [1000, 1000]
    assert all(seen[k] == [1000, 1000] for k in range(1, 21))
    assert seen[21] == [1021, 1021]


def test_one_exchange_may_stand_still_while_the_other_goes_on():
    feed = QuoteFeed(TWO, [FeedFault(at("10:00"), at("11:00"), None, Exchange.SZSE)])
    feed.publish(at("09:59:57"), quotes(1000), NO_CALL)
    assert feed.publish(at("10:00"), quotes(1001), NO_CALL).last.tolist() == [1001, 1000]


@pytest.mark.parametrize("delay", [0, 1, 3, 4, 9, 60])
def test_a_late_feed_shows_what_was_published_last_so_long_ago(delay):
    feed = QuoteFeed(TWO, [FeedFault(delay=delay * SECOND)])
    start = at("09:15")
    for k in range(60):
        now = 3 * k
        seen = int(feed.publish(start + now * SECOND, quotes(1000 + k), NO_CALL).last[0])
        assert seen == (1000 + (now - delay) // 3 if now >= delay else 0)


def test_an_indicative_price_seen_late_is_no_best_price():
    feed = QuoteFeed(TWO, [FeedFault(delay=9 * SECOND)])
    feed.publish(at("09:29:51"), quotes(1000), CALL)
    seen = feed.publish(at("09:30"), quotes(1100), NO_CALL)
    assert (seen.last.tolist(), seen.bid.tolist(), seen.ask.tolist()) == ([999, 999], [0, 0], [0, 0])


def test_wrong_faults_are_errors():
    with pytest.raises(ScenarioError, match="must end after"):
        FeedFault(at("10:00"), at("10:00"))
    with pytest.raises(ScenarioError, match="cannot come early"):
        FeedFault(delay=-1)


def test_a_call_shows_its_price_and_what_is_left_on_the_longer_side():
    market = exchange(SSE)
    book = (
        ("09:15:01", NEW, 0, BUY, 1003, 700, 1),
        ("09:15:02", NEW, 0, SELL, 1001, 500, 2),
        ("09:15:03", NEW, 0, BUY, 990, 9000, 3),
    )
    market.process(messages(*book), at("09:16"))
    seen, depth = market.quotes(), market.engine.depth(0, 50)
    levels = call_levels(depth, int(seen.bid[0]), int(seen.bid_quantity[0]), int(seen.ask_quantity[0]))
    assert levels[:, 0].tolist() == [1003, 500, 1003, 500]
    assert levels[:, 1].tolist() == [0, 200, 0, 0]
    assert not levels[:, 2:].any()
    assert not call_levels(depth, 0, 0, 0).any()


def plain_snapshot(history, time):
    """Last, open, high, low, volume, turnover, trades and book from all messages before an instant, one by one."""
    live, deals = {}, []
    for row in history:
        when, kind, _, side, price, quantity, order = row
        if when >= time:
            break
        if kind == MessageKind.CANCEL:
            live.pop(order, None)
            continue
        others = [o for o in live if live[o][0] == -side and side * (price - live[o][1]) >= 0]
        others.sort(key=lambda o: (side * live[o][1], live[o][3]))
        for other in others:
            size = min(quantity, live[other][2])
            if size:
                deals.append((live[other][1], size))
                quantity -= size
                live[other][2] -= size
                if not live[other][2]:
                    del live[other]
        if quantity:
            live[order] = [side, price, quantity, len(deals) * 10**6 + order]
    book = {1: defaultdict(int), -1: defaultdict(int)}
    for side, price, quantity, _ in live.values():
        book[side][price] += quantity
    levels = []
    for side in (1, -1):
        best = sorted(book[side].items(), reverse=side > 0)[:DEPTH]
        best += [(0, 0)] * (DEPTH - len(best))
        levels += [[p for p, _ in best], [q for _, q in best]]
    prices = [p for p, _ in deals]
    first = (prices[-1], prices[0], max(prices), min(prices)) if prices else (0, 0, 0, 0)
    totals = (len(deals), sum(q for _, q in deals), sum(p * q for p, q in deals))
    return totals, first, levels


def test_snapshots_equal_a_plain_computation():
    rng = np.random.default_rng(7)
    rows, start = [], at("09:30")
    for order in range(400):
        when = start + order * SECOND // 2
        if order > 3 and rng.random() < 0.2:
            rows.append((when, MessageKind.CANCEL, 0, 0, 0, 0, int(rng.integers(0, order))))
        else:
            side, price = int(rng.choice([BUY, SELL])), 1000 + int(rng.integers(-8, 9))
            rows.append((when, NEW, 0, side, price, 100 * int(rng.integers(1, 9)), order))
    instruments = listed(SSE)
    publisher = Publisher(instruments, [0])
    market = exchange(SSE, publisher=publisher)
    whole = messages(*rows)
    for now in range(start, start + 210 * SECOND, 3 * SECOND):
        market.reach(now)
        publisher.snapshot(now, market.engine, market.phases)
        market.process(
            whole.take(slice(*np.searchsorted(whole.time, [now, now + 3 * SECOND]).tolist())), now + 3 * SECOND
        )
    assert len(publisher.snapshots[0]) == 70
    for shot in publisher.snapshots[0]:
        totals, prices, levels = plain_snapshot(rows, shot.time)
        assert shot.phase is Phase.CONTINUOUS
        assert (shot.trades, shot.volume, shot.turnover) == totals
        assert (shot.last, shot.open, shot.high, shot.low) == prices
        assert shot.levels.tolist() == levels


def test_instruments_that_are_not_recorded_are_errors(tmp_path):
    with pytest.raises(DataError, match="instrument 5 is not listed"):
        Publisher(listed(SSE, SZSE), [5])
    with pytest.raises(DataError, match="was not recorded"):
        Publisher(listed(SSE, SZSE), [0]).write(tmp_path, 1, dt.date(2026, 9, 15))


SMALL = (
    "clients.count=3000",
    "world.instruments=4",
    "world.background.orders_per_instrument_day=4000",
    'world.index={open: "-1%", high: "0%", low: "-6%", close: "-5%", volatility_day: "4%"}',
)
FREEZE = "world.market_data.frozen=[{start: '10:00', end: '10:30'}]"
NEVER = "world.market_data.frozen=[{start: '21:00', end: '21:30'}]"
LONG_AGO = at("10:00")


@cache
def market_day(*settings):
    """A small day, two of its instruments recorded."""
    scenario = load("ordinary-day", [*SMALL, *settings])
    day = TradingDay(scenario, Streams(scenario.seed, 0), record=(0, 2))
    clock = Clock(scenario.date)
    clock.env.run(until=clock.env.process(day.run(clock)))
    return day


@pytest.mark.slow
def test_a_simulated_day_is_written_and_replayed_with_every_trade(tmp_path):
    day = market_day()
    # The form is Shanghai's: the replay breaks ties of a call as Shanghai does.
    main = (day.instruments.exchange == Exchange.SSE) & (day.instruments.board == Board.MAIN)
    shanghai = [i for i in day.publisher.chosen if main[i]]
    assert shanghai
    for instrument in shanghai:
        folder = day.publisher.write(tmp_path, instrument, day.scenario.date)
        report = replay(folder)
        last = day.publisher.snapshots[instrument][-1]
        assert report.trades_recorded > 500
        assert report.trades_recorded == report.trades_made == report.trades_matched
        assert report.cancels_recorded == report.cancels_matched > 500
        assert report.auction_checked == report.auction_matched == 200
        assert report.books_checked == report.books_matched > 1000
        shots = pacsv.read_csv(folder / "snapshots.csv.gz")
        assert set(shots["phase"].to_pylist()) == {"START", "OCALL", "TRADE", "CCALL", "CLOSE"}
        assert shots["num_trades"][-1].as_py() == last.trades == report.trades_recorded


def orders_of_clients(day, start, end):
    """Times, instruments, prices of the clients' limit orders."""
    orders = day.orders
    when = orders.column("submitted")
    mine = (orders.column("account") < day.population.clients) & (orders.column("kind") == 0)
    mine &= (when >= start) & (when < end) & np.isin(orders.column("instrument"), (0, 2))
    return when[mine], orders.column("instrument")[mine], orders.column("price")[mine]


def distances(day):
    """How far limit orders of 10:15 to 10:30 lie from the market's last price at that time, on average."""
    when, instrument, price = orders_of_clients(day, at("10:15"), at("10:30"))
    far = []
    for i in (0, 2):
        shots = day.publisher.snapshots[i]
        place = np.searchsorted([s.time for s in shots], when[instrument == i], side="right") - 1
        last = np.array([shots[k].last for k in place.tolist()])
        far.append(np.abs(price[instrument == i] / last - 1))
    return float(np.concatenate(far).mean())


@pytest.mark.slow
def test_clients_with_frozen_quotes_place_orders_off_the_market():
    usual, frozen = market_day(), market_day(FREEZE)
    assert distances(frozen) > 1.5 * distances(usual)
    # Until the quotes freeze both days are the same to the bit.
    for columns in zip(orders_of_clients(usual, 0, LONG_AGO), orders_of_clients(frozen, 0, LONG_AGO), strict=True):
        assert np.array_equal(*columns)


@pytest.mark.slow
def test_a_fault_that_never_comes_changes_nothing():
    usual, never = market_day(), market_day(NEVER)
    assert np.array_equal(usual.orders.rows[: len(usual.orders)], never.orders.rows[: len(never.orders)])
    assert np.array_equal(usual.ledger.cash, never.ledger.cash)
