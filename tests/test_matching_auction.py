"""Call auction prices against every price tried one by one, and the tie-breaks of both exchanges by hand."""

from __future__ import annotations

import numpy as np
import pytest
from reference_book import Listing, Order, auction_by_every_price

from twin.clock import Phase
from twin.contracts import Exchange, Instruments, Messages, TapeKind
from twin.matching.engine import MatchingEngine

DOWN, UP, CLOSE = 90, 110, 100


def engine_of(exchanges: np.ndarray, close: np.ndarray) -> MatchingEngine:
    n = len(exchanges)
    full = np.full(n, 1, np.int64)
    listed = Instruments(exchanges, full * 0, close, full * DOWN, full * UP, full * 100, full)
    engine = MatchingEngine(listed, max_orders=1 << 16)
    engine.set_phase(Phase.OPEN_CALL)
    return engine


def auction(exchange: Exchange, bids: dict[int, int], asks: dict[int, int], close: int = CLOSE) -> tuple[int, int, int]:
    """(price, matched, unmatched) of one book given as price -> shares."""
    engine = engine_of(np.array([exchange], np.int64), np.array([close], np.int64))
    rows = [(0, 0, 0, s, p, q) for s, book in ((1, bids), (-1, asks)) for p, q in book.items()]
    columns = np.array(rows, np.int64).T.copy()
    engine.process(Messages(*columns, np.arange(len(rows))))
    quotes = engine.quotes()
    assert quotes.bid[0] == quotes.ask[0]
    return int(quotes.bid[0]), int(quotes.bid_quantity[0]), int(quotes.ask_quantity[0])


def test_auction_takes_the_price_of_the_greatest_volume() -> None:
    assert auction(Exchange.SSE, {104: 300, 102: 200}, {101: 100, 102: 400}) == (102, 500, 0)


def test_auction_without_a_cross_has_no_price() -> None:
    assert auction(Exchange.SSE, {99: 100}, {100: 100}) == (0, 0, 0)


def test_auction_fills_every_better_order_so_the_half_filled_level_sets_the_price() -> None:
    assert auction(Exchange.SSE, {105: 300}, {95: 100}) == (105, 100, 200)
    assert auction(Exchange.SZSE, {105: 100}, {95: 300}) == (95, 100, 200)


@pytest.mark.parametrize(("low", "high", "middle"), [(95, 105, 100), (95, 104, 100), (94, 105, 100), (99, 100, 100)])
def test_shanghai_takes_the_middle_rounded_half_up(low: int, high: int, middle: int) -> None:
    assert auction(Exchange.SSE, {high: 100}, {low: 100}, close=110) == (middle, 100, 0)


@pytest.mark.parametrize(("close", "price"), [(100, 100), (93, 95), (109, 105)])
def test_shenzhen_takes_the_price_nearest_the_previous_close(close: int, price: int) -> None:
    assert auction(Exchange.SZSE, {105: 100}, {95: 100}, close=close) == (price, 100, 0)


def test_shenzhen_weighs_prices_between_orders_and_shanghai_does_not() -> None:
    bids, asks = {104: 100, 98: 50}, {98: 100, 104: 70}
    assert auction(Exchange.SSE, bids, asks) == (98, 100, 50)
    assert auction(Exchange.SZSE, bids, asks, close=90) == (99, 100, 0)


def test_shenzhen_takes_the_last_trade_once_there_is_one() -> None:
    engine = engine_of(np.array([Exchange.SZSE], np.int64), np.array([91], np.int64))
    engine.set_phase(Phase.CONTINUOUS)

    def send(*rows: tuple[int, int, int]) -> None:
        columns = np.array([(0, 0, 0, side, price, 100, order) for side, price, order in rows], np.int64).T.copy()
        engine.process(Messages(*columns))

    send((-1, 103, 0), (1, 103, 1))
    engine.set_phase(Phase.CLOSE_CALL)
    send((1, 105, 2), (-1, 95, 3))
    assert engine.quotes().bid[0] == 103
    assert engine.quotes().last[0] == 103


@pytest.mark.parametrize("seed", range(4))
def test_price_equals_brute_force_over_all_prices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, per = 400, 14
    exchanges, close = rng.integers(0, 2, n), rng.integers(DOWN, UP + 1, n)
    instrument = np.repeat(np.arange(n), rng.integers(2, per, n))
    m = len(instrument)
    side = rng.choice([-1, 1], m)
    price = np.clip(100 + side * rng.integers(-2, 4, m) + rng.integers(-2, 3, m), DOWN, UP)
    quantity = rng.integers(1, 4, m) * 100
    listings = [Listing(DOWN, UP, int(c), bool(x)) for x, c in zip(exchanges, close, strict=True)]
    for k in range(m):
        order = Order(k, int(instrument[k]), int(side[k]), int(price[k]), int(quantity[k]), k)
        listings[instrument[k]].orders.append(order)
    engine = engine_of(exchanges, close)
    zero = np.zeros(m, np.int64)
    engine.process(Messages(zero, zero, instrument, side, price, quantity, np.arange(m)))
    quotes = engine.quotes()
    got = list(zip(quotes.bid.tolist(), quotes.bid_quantity.tolist(), quotes.ask_quantity.tolist(), strict=True))
    expected = [auction_by_every_price(x) for x in listings]
    assert got == expected
    assert sum(p > 0 for p, _, _ in expected) > n // 2

    tape = engine.uncross(1)
    assert set(tape.kind.tolist()) == {TapeKind.TRADE}
    volume = np.zeros(n, np.int64)
    np.add.at(volume, tape.instrument, tape.quantity)
    assert volume.tolist() == [v for _, v, _ in expected]
    assert (tape.price == np.array([p for p, _, _ in expected])[tape.instrument]).all()
    assert (tape.order > tape.counter).all()
    engine.check()
    engine.set_phase(Phase.CONTINUOUS)
