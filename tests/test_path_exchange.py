"""The order path with the matching engine behind it: a stretch of trading between the broker's own clients."""

from __future__ import annotations

import numpy as np
from path_house import N_ACCOUNTS, N_INSTRUMENTS, House, instruments

from twin.clock import SECOND, Phase, at
from twin.contracts import Cancels, Orders
from twin.ledger import FeeRates
from twin.matching.engine import MatchingEngine
from twin.routing.config import OrderPathConfig
from twin.routing.orders import OrderState

OPEN, TICK = at("09:30"), 3 * SECOND


def random_tick(rng: np.random.Generator, start: int, n: int) -> Orders:
    """Buys and sells around 10.00, a tenth of them market orders, some illegal."""
    market = rng.random(n) < 0.1
    price = np.where(market, 0, rng.integers(985, 1_016, n))
    price[rng.random(n) < 0.01] = 1_200
    return Orders(
        np.sort(rng.integers(start, start + TICK, n)), np.full(n, -1), rng.integers(0, N_ACCOUNTS, n),
        rng.choice([0, 1, 4], n), rng.choice([-1, 1], n), market.astype(np.int64), price, 100 * rng.integers(2, 9, n),
    )  # fmt: skip


def test_trading_through_the_engine_conserves_cash_and_shares_to_the_end() -> None:
    rng = np.random.default_rng(8)
    house = House(OrderPathConfig(max_orders=60_000))
    engine = MatchingEngine(instruments(), max_orders=1 << 17)
    house.path.advance(OPEN)
    house.path.receive(OPEN)
    engine.set_phase(Phase.CONTINUOUS)
    before = house.ledger.totals(N_INSTRUMENTS)
    told = {"acknowledgements": 0, "fills": 0, "rejections": 0, "cancel_rejections": 0, "ended": 0}
    for k in range(60):
        start = OPEN + k * TICK
        if k < 55:
            orders = random_tick(rng, start, 400)
            house.path.submit(orders=orders)
            which = rng.integers(0, len(house.orders), 80)
            times = rng.integers(start, start + TICK, 80)
            house.path.submit(cancels=Cancels(times, which, np.asarray(house.orders.account[which], np.int64)))
        house.path.deliver(engine.process(house.path.advance(start + TICK)))
        replies = house.path.receive(start + TICK)
        for name in told:
            told[name] += len(getattr(replies, name))
        totals = house.ledger.totals(N_INSTRUMENTS)
        # Both sides of all trades are the broker's clients; only a posting cycle in between could differ.
        assert totals.money == before.money
        assert (totals.shares == before.shares).all()
    house.path.deliver(engine.expire(OPEN + 60 * TICK))
    replies, still_open = house.path.close(OPEN + 61 * TICK)
    counts, state = house.path.counts(), house.orders.column("state")
    assert still_open == 0
    house.ledger.require_nothing_held()
    assert house.ledger.totals(N_INSTRUMENTS).money == before.money
    assert {OrderState(s) for s in np.unique(state)} == set(OrderState) - {OrderState.IN_PATH, OrderState.WORKING}
    assert counts.orders == 55 * 400
    assert counts.acknowledged == np.count_nonzero(house.orders.column("acknowledged")) > 14_000
    assert counts.stuck == 0
    assert told["fills"] + len(replies.fills) == counts.trades == len(house.path.trades())
    check_trades_against_orders(house)


def check_trades_against_orders(house: House) -> None:
    """The log of trades, the order table and the ledger's fees tell the same story."""
    trades, used = house.path.trades(), len(house.orders)
    shares, value = np.zeros(used, np.int64), np.zeros(used, np.int64)
    np.add.at(shares, trades.order, trades.quantity)
    np.add.at(value, trades.order, trades.quantity * trades.price)
    assert (shares == house.orders.column("filled")).all()
    assert (value == house.orders.column("value")).all()
    fees = np.zeros(N_ACCOUNTS, np.int64)
    for row in np.flatnonzero(value):
        o = house.orders.rows[row]
        fees[o["account"]] += FeeRates().of(o["side"], int(o["value"]))
    assert (fees == house.ledger.fees).all()
