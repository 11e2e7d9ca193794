"""What each kind of institution does, as rules on a small market."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields

import numpy as np
import pytest
from small_market import join, stocks, view

from agents.institutions import KINDS
from agents.institutions.arbitrage_fund import ArbitrageFund
from agents.institutions.base import Institution, Intents, Wanted
from agents.institutions.market_maker import MarketMaker
from agents.institutions.momentum_fund import MomentumFund
from agents.institutions.mutual_fund import MutualFund
from agents.institutions.reversal_fund import ReversalFund
from agents.institutions.stabilisation_fund import StabilisationFund
from scenarios.institutions import Institutions
from scenarios.loader import load
from twin.clock import SECOND, TICK, at
from twin.errors import ScenarioError

CLOSE = np.array([1000, 2000, 3000, 4000])


def fill_all(agent: Institution, intents: Intents, first: int, sides: tuple[int, ...] = (1, -1)) -> int:
    """Fill every new order of the given sides at its price and end the others; returns the next order number."""
    agent.on_submitted(range(first, first + len(intents.orders)))
    for number, order in enumerate(intents.orders, first):
        if order.side in sides:
            agent.on_fill(number, order.price, order.quantity)
        else:
            agent.on_done(number)
    return first + len(intents.orders)


def quant(kind: type[Institution], *moves: np.ndarray, **settings: float) -> dict[int, set[int]]:
    """The instruments bought (1) and sold (-1) at the last of several reviews with the given prices."""
    agent = join(kind, stocks(*CLOSE), names=4, orders_per_side=1, lookback=len(moves) - 1, **settings)
    traded: dict[int, set[int]] = {1: set(), -1: set()}
    for k, price in enumerate(moves):
        seen = view(at("10:00") + k * 30 * SECOND, price - 1, price + 1)
        intents = agent.step(seen)
        agent.on_submitted(range(100 * k, 100 * k + len(intents.orders)))
    for order in intents.orders:
        traded[order.side].add(order.instrument)
    return traded


FALL_AND_RISE = CLOSE, (CLOSE * [1.02, 1.0, 1.0, 0.97]).astype(np.int64)


def test_momentum_buys_winners_and_reversal_losers() -> None:
    assert quant(MomentumFund, *FALL_AND_RISE) == {1: {0}, -1: {3}}
    assert quant(ReversalFund, *FALL_AND_RISE) == {1: {3}, -1: {0}}


def test_arbitrage_trades_the_residual_and_not_the_market() -> None:
    assert quant(ArbitrageFund, *FALL_AND_RISE) == {1: {3}, -1: {0}}
    everything = CLOSE, CLOSE * 102 // 100
    assert quant(ArbitrageFund, *everything) == {1: set(), -1: set()}


def test_arbitrage_trades_the_spread_of_a_pair_back_in_equal_value() -> None:
    agent = join(ArbitrageFund, stocks(1000, 2000), names=2, orders_per_side=1, lookback=1)
    number, spread = 0, []
    for k, move in enumerate((0, 0.01, -0.01, 0.02, -0.02)):
        price = np.array([1000 * (1 + move), 2000 * (1 - move)]).astype(np.int64)
        intents = agent.step(view(at("10:00") + k * 30 * SECOND, price - 1, price + 1))
        number = fill_all(agent, intents, number)
        if k:
            a, b = sorted(intents.orders, key=lambda order: order.instrument)
            assert a.side == -b.side == (-1 if move > 0 else 1)
            assert a.price * a.quantity == pytest.approx(b.price * b.quantity, rel=0.05)
        spread.append((agent.position[0] - agent.endowment.shares[0]) * 1000)
    assert spread[1] < 0 < spread[2] - spread[1]  # what was sold rich is bought back cheap


@pytest.mark.parametrize("kind", [MomentumFund, ReversalFund, ArbitrageFund])
def test_quantitative_funds_sell_only_what_they_held_in_the_morning(kind: type[Institution]) -> None:
    agent = join(kind, stocks(*CLOSE), names=4, orders_per_side=2, lookback=1, capital=40_000_000)
    number, sold = 0, np.zeros(4, np.int64)
    rng = np.random.default_rng(1)
    for k in range(400):
        price = (CLOSE * (1 + 0.02 * rng.standard_normal(4))).astype(np.int64)
        intents = agent.step(view(at("10:00") + k * 30 * SECOND, price - 1, price + 1))
        for order in intents.orders:
            sold[order.instrument] += order.quantity if order.side < 0 else 0
        number = fill_all(agent, intents, number)
        assert np.all(sold <= agent.endowment.shares)
        assert agent.cash >= 0
    assert np.any(sold > 0.9 * agent.endowment.shares)


@pytest.mark.parametrize("side", [1, -1])
def test_market_maker_stops_at_its_inventory_limit(side: int) -> None:
    maker = join(MarketMaker, stocks(*CLOSE), names=4, inventory_limit=0.02, quote_share=0.004)
    number = 0
    for k in range(200):
        number = fill_all(maker, maker.step(view(at("10:00") + 30 * k * SECOND, CLOSE - 3, CLOSE + 3)), number, (side,))
    gained = side * (np.array(maker.position) - maker.start) / maker.start
    assert np.all(gained >= 0.02)
    assert np.all(gained <= 0.02 + 0.004 + 100 / maker.endowment.shares)


def test_mutual_fund_completes_its_parents_by_the_close() -> None:
    fund = join(MutualFund, stocks(*CLOSE), names=4, parents=4)
    number, t = 0, at("09:30")
    for t in (*range(at("09:30"), at("11:30"), TICK), *range(at("13:00"), at("14:57"), TICK)):
        number = fill_all(fund, fund.step(view(t, CLOSE - 1, CLOSE + 1)), number)
    done = np.array(fund.position) - fund.start
    assert np.count_nonzero(fund.plan) == 4
    assert np.all(np.abs(done - fund.plan) <= np.abs(fund.plan) / 100 + 100)


def test_stabilisation_fund_acts_beyond_its_threshold_and_stops_on_recovery() -> None:
    fund = join(StabilisationFund, stocks(*CLOSE), threshold=0.03, recovery=0.015)
    active = []
    for k, fall in enumerate((0.0, 0.029, 0.031, 0.02, 0.016, 0.014, 0.029, 0.04)):
        price = np.round(CLOSE * (1 - fall)).astype(np.int64)
        intents = fund.step(view(at("10:00") + k * 30 * SECOND, price - 1, price + 1))
        assert all(order.side == 1 for order in intents.orders)
        active.append(bool(intents.orders))
        fund.on_submitted(range(10 * k, 10 * k + len(intents.orders)))
    assert active == [False, False, True, True, True, False, False, True]


def test_stabilisation_fund_never_spends_more_than_its_budget() -> None:
    fund = join(StabilisationFund, stocks(*CLOSE), capital=30_000_000, pace=0.3)
    price, number, spent = CLOSE * 95 // 100, 0, 0
    for k in range(50):
        intents = fund.step(view(at("10:00") + k * 30 * SECOND, price - 1, price + 1))
        spent += sum(order.price * order.quantity for order in intents.orders)
        number = fill_all(fund, intents, number)
    assert 25_000_000 < spent <= 30_000_000
    assert fund.cash == 30_000_000 - spent


def test_every_kind_fits_on_a_page_and_names_its_parameters() -> None:
    for name, kind in KINDS.items():
        source = inspect.getsource(inspect.getmodule(kind))
        code = [line for line in source.splitlines() if line.strip()]
        assert len(code) <= 100, f"{name}: {len(code)} lines"
        assert kind.__doc__
        assert all(f.metadata["text"] for f in fields(kind.Settings))
        ast.parse(source)


def test_the_scenario_knows_exactly_the_parameters_of_the_institutions() -> None:
    assert set(Institutions.model_fields) == set(KINDS)
    section = load("ordinary-day").world.institutions
    for name, kind in KINDS.items():
        assert dict(getattr(section, name)) == {f.name: f.default for f in fields(kind.Settings)}
    changed = load("ordinary-day", ["world.institutions.etf_makers.hedge_every=90 s"]).world.institutions
    assert changed.etf_makers.hedge_every == 90 * SECOND
    with pytest.raises(ScenarioError, match="unknown key"):
        load("ordinary-day", ["world.institutions.etf_makers.hedge_evry=90 s"])


def test_an_institution_without_a_decision_cannot_be_made() -> None:
    class Idle(Institution):
        """Does nothing."""

    with pytest.raises(TypeError, match="abstract"):
        join(Idle, stocks(*CLOSE))
    assert Idle not in KINDS.values()


def test_orders_are_cut_to_what_is_allowed() -> None:
    maker = join(MarketMaker, stocks(1000, fund={0: 5000}, unit=1000), names=1, capital=10**12)
    wanted = Wanted([0, 1, 1, 0], [1, 1, -1, 1], [5000, 1, 5000, 1000], [10**9, 555, 10, 99])
    orders = maker.intents(view(at("10:00"), [999, 4999], [1001, 5001]), wanted).orders
    # the price is clipped to the limit, the quantity to the largest order; funds come in tens of tens; none is held
    assert [(o.instrument, o.price, o.quantity) for o in orders] == [(0, 1100, 1_000_000), (1, 4500, 550)]
