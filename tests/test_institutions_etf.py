"""Market makers of funds: quotes at the basket's value, arbitrage, hedges, creation and redemption of units."""

from __future__ import annotations

import numpy as np
import pytest
from small_market import join, stocks, view

from agents.institutions.etf_maker import EtfMaker
from twin.clearing.primary_market import PrimaryMarket
from twin.clock import SECOND, at
from twin.errors import ConservationError
from twin.ledger import Ledger

CLOSE = np.array([1000, 2000, 4000, 1000])
"""Two stocks of the basket, the fund, a stock outside."""


def maker(**settings: float) -> EtfMaker:
    """In a market whose fund holds 20,000 and 10,000 shares per 10,000 tens of units: 40 million fen, 4,000 ticks."""
    seat = stocks(1000, 2000, 1000, fund={0: 20_000, 1: 10_000}, unit=10_000)
    return join(EtfMaker, seat, **{"hedge_from": 0.01, **settings})


def quotes(agent: EtfMaker, k: int, fund: tuple[int, int], stock: float = 1.0) -> list[tuple[int, int, int, int]]:
    """Orders (instrument, side, price, quantity) at a review; stocks have moved by a factor, the fund is quoted so."""
    price = np.array([1000 * stock, 2000 * stock, 1000, 0]).astype(np.int64)
    bid, ask = price - 1, price + 1
    bid[3], ask[3] = fund
    intents = agent.step(view(at("10:00") + 15 * k * SECOND, bid, ask))
    agent.on_submitted(range(100 * k, 100 * k + len(intents.orders)))
    return [tuple(o[2:]) for o in intents.orders]


def test_quotes_lie_around_the_value_of_the_basket() -> None:
    agent = maker()
    for k, factor in enumerate((1.0, 1.01, 0.98)):
        value = 4000 * factor
        orders = quotes(agent, k, (int(value) - 50, int(value) + 50), factor)
        (_, _, buy, _), (_, _, sell, _) = sorted((o for o in orders if o[0] == 3), key=lambda o: -o[1])
        assert value * (1 - 0.0005) - 1 <= buy < value < sell <= value * (1 + 0.0005) + 1


@pytest.mark.parametrize(("fund", "side", "price"), [((4015, 4017), -1, 4015), ((3983, 3985), 1, 3985)])
def test_a_premium_above_the_cost_is_traded_away(fund: tuple[int, int], side: int, price: int) -> None:
    orders = [o for o in quotes(maker(), 0, fund) if o[0] == 3]
    assert (3, side, price, 500) in orders
    inside = [o for o in quotes(maker(), 0, (4004, 4006)) if o[0] == 3]  # 0.1 per cent does not pay
    assert all(o[2] not in (4004 if o[1] < 0 else 4006,) for o in inside)


@pytest.mark.parametrize("side", [1, -1])
def test_inventory_moves_the_quotes_and_is_hedged_with_the_basket(side: int) -> None:
    agent = maker(hedge_every=15 * SECOND)
    flat = [o[2] for o in quotes(agent, 0, (3990, 4010)) if o[0] == 3]
    for number in list(agent.working):
        agent.on_done(number)
    agent.position[3] += side * 10_000
    orders = quotes(agent, 1, (3990, 4010))
    moved = [o[2] for o in orders if o[0] == 3]
    assert all(side * (b - a) < 0 for a, b in zip(sorted(flat), sorted(moved), strict=True))
    hedge = {o[0]: o[1] * o[3] for o in orders if o[0] < 3}
    assert hedge == {0: -side * 20_000, 1: -side * 10_000}


def test_hedged_inventory_is_created_and_redeemed_in_kind() -> None:
    for side in (1, -1):
        agent = maker(hedge_every=15 * SECOND, quote_units=0.5)
        number = 0
        for k in range(12):
            fund = (3900, 3985) if side > 0 else (4015, 4100)
            price = np.array([1000, 2000, 1000, 0])
            bid, ask = price - 1, price + 1
            bid[3], ask[3] = fund
            intents = agent.step(view(at("10:00") + 15 * k * SECOND, bid, ask))
            agent.on_submitted(range(number, number + len(intents.orders)))
            for order, o in enumerate(intents.orders, number):
                if o.instrument != 3 or o.side == side:  # what takes the other side's price trades
                    agent.on_fill(order, o.price, o.quantity)
                else:
                    agent.on_done(order)
            number += len(intents.orders)
        gained = float(agent.gained()[0])
        assert side * gained > 1
        ledger = Ledger(11, 64)
        held = np.flatnonzero(agent.held())
        ledger.cash[10] = agent.cash
        ledger.open_slots(np.array([10]), np.array([len(held)]), held, agent.held()[held])
        before = ledger.totals(4)
        market = PrimaryMarket(agent.seat.traits.baskets, ledger)
        agent.after_close(market)
        after = ledger.totals(4)
        assert market.created[0] == -round(gained)
        assert np.array_equal(after.shares - before.shares, market.shares)
        assert np.array_equal(market.shares[:3], -market.custody[:3])
        assert market.shares[3] == 10_000 * market.created[0]
        assert after.cash - before.cash == market.cash.sum() == -market.created[0] * market.baskets.cash[0]
        assert abs(after.shares[3] - agent.endowment.shares[3]) <= 0.5 * 10_000 + 5_000


def test_units_are_not_created_without_the_basket() -> None:
    agent = maker()
    ledger = Ledger(11, 16)
    ledger.open_slots(np.array([10]), np.array([2]), np.array([0, 1]), np.array([45_000, 10_000]))
    market = PrimaryMarket(agent.seat.traits.baskets, ledger)
    assert market.most(10, 0, 5) == 1
    with pytest.raises(ConservationError, match="without the basket"):
        market.create(10, 0, 2)
    market.create(10, 0, 1)
    assert [ledger.position(10, i)[0] for i in range(4)] == [25_000, 0, 0, 10_000]
    market.create(10, 0, -1)
    assert [ledger.position(10, i)[0] for i in range(4)] == [45_000, 10_000, 0, 0]
    assert not market.custody.any()
