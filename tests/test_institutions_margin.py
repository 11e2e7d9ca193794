"""Margin accounts: lines, calls, forced sales, and sales that fail."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_market import Desk, join, stocks, view

from agents.institutions.margin_account import MarginAccount
from twin.clearing.margin import CALL, LIQUIDATION, is_below, minimum_margin, sale_to_restore
from twin.clock import MINUTE, Phase, at
from twin.contracts import Messages, Side, TapeKind
from twin.errors import ScenarioError
from twin.matching.engine import BACKGROUND_BASE, MatchingEngine


@settings(derandomize=True, max_examples=300, deadline=None)
@given(assets=st.integers(0, 10**13), owed=st.integers(1, 10**13), percent=st.sampled_from([130, 140, 150, 300]))
def test_lines_and_sales_equal_exact_fractions(assets: int, owed: int, percent: int) -> None:
    line = Fraction(percent, 100)
    assert is_below(percent, assets, owed) == (Fraction(assets, owed) < line)
    sale = sale_to_restore(percent, assets, owed)
    assert 0 <= sale <= assets
    if sale < min(assets, owed):
        assert Fraction(assets - sale, owed - sale) >= line
    if 0 < sale <= min(assets, owed):
        assert Fraction(assets - sale + 1, owed - sale + 1) < line


@pytest.mark.parametrize(
    ("day", "percent"),
    [("2010-03-31", 50), ("2023-09-07", 100), ("2023-09-08", 80), ("2026-01-18", 80), ("2026-01-19", 100)],
)
def test_minimum_margin_follows_the_day_of_the_contract(day: str, percent: int) -> None:
    assert minimum_margin(dt.date.fromisoformat(day)) == percent


def test_before_margin_financing_there_is_no_rule() -> None:
    with pytest.raises(ScenarioError, match="2010-03-31"):
        minimum_margin(dt.date(2009, 1, 5))


@pytest.mark.parametrize(("date", "ratio"), [(dt.date(2026, 9, 15), 2.0), (dt.date(2025, 4, 7), 1.8)])
def test_a_fresh_contract_stands_at_the_ratio_of_its_day(date: dt.date, ratio: float) -> None:
    agent = join(MarginAccount, replace(stocks(1000, 2000), date=date), age=0, volatility=0.0)
    worth = agent.endowment.cash + int(agent.endowment.shares @ np.array([1000, 2000]))
    assert worth / agent.debt == pytest.approx(ratio, abs=1e-6)
    assert agent.interest == 0


def account(shares: int = 100_000, debt: int = 50_000_000) -> MarginAccount:
    """An account with so many shares of one stock at 10.00 and a debt in fen; neither cash nor interest."""
    agent: MarginAccount = join(MarginAccount, stocks(1000), capital=100_000_000, names=1)
    agent.position[0] = agent.sellable[0] = shares
    agent.cash, agent.debt, agent.interest, agent.next_action = 0, debt, 0, 0
    return agent


def seen(price: int, minute: int = 0, bid: int | None = None):
    return view(at("10:00") + minute * MINUTE, [price - 1 if bid is None else bid], [price + 1])


@pytest.mark.parametrize(("owed", "sells"), [(76_923_076, False), (76_923_077, True)])
def test_the_desk_sells_exactly_below_the_line(owed: int, sells: bool) -> None:
    agent = account(debt=owed)  # 100 million fen of shares: the ratio is 1.3 at 76,923,076.9
    orders = agent.step(seen(1000)).orders
    assert bool(orders) == sells
    assert agent.is_called


def test_between_the_lines_the_client_is_called_and_keeps_his_shares() -> None:
    agent = account(debt=74_000_000)
    assert not agent.step(seen(1000)).orders
    assert agent.is_called
    well = account(debt=60_000_000)
    assert not well.step(seen(1000)).orders
    assert not well.is_called


def test_the_sale_restores_the_call_line_and_ends() -> None:
    agent = account(debt=78_000_000)
    order = agent.step(seen(1000)).orders[0]
    assert (order.side, order.price) == (Side.SELL, 985)  # 1.5 % through the best bid of 999
    agent.on_submitted([0])
    agent.on_fill(0, 999, order.quantity)
    repaid, held = agent.cash, agent.position[0] * 1000
    assert not is_below(CALL - 1, held, agent.debt - repaid)
    assert is_below(CALL + 1, held, agent.debt - repaid)
    assert not agent.step(seen(1000, 1)).orders


def book(agent: MarginAccount, orders: list[tuple[int, int, int]]) -> Desk:
    """The real engine with orders (side, price, quantity) of others in the book."""
    engine = MatchingEngine(agent.instruments)
    engine.set_phase(Phase.CONTINUOUS)
    desk = Desk(agent, engine)
    desk.hear(engine.process(others(orders)))
    return desk


def others(orders: list[tuple[int, int, int]], minute: int = 0, first: int = 0) -> Messages:
    rows = [(at("10:00") + minute * MINUTE, 0, 0, *o, BACKGROUND_BASE + first + k) for k, o in enumerate(orders)]
    return Messages(*np.array(rows, np.int64).reshape(-1, 7).T.copy())


def quote(desk: Desk, minute: int):
    q = desk.engine.quotes()
    return replace(seen(1000, minute), quotes=q)


def test_at_the_lower_limit_nothing_is_sold_and_the_debt_remains() -> None:
    agent = account(debt=75_000_000)
    desk = book(agent, [(-1, 900, 500_000), (1, 900, 100)])  # a queue of sellers at the lower limit, the last bid gone
    for minute in range(1, 6):
        desk.send(agent.step(quote(desk, minute)))
    assert agent.liquidations == 5
    assert agent.cash == 0  # trap T14: not a share sold
    assert (agent.debt, agent.position[0]) == (75_000_000, 100_000)
    assert len(agent.working) == 1  # the order keeps its place in the queue
    (order,) = agent.working.values()
    assert (order.price, order.left) == (900, 41_700)  # what would bring 120 back to 140 per cent
    desk.hear(desk.engine.process(others([(1, 900, 499_900)], 7, 10)))  # those who came before are served first
    assert agent.cash == 0
    desk.hear(desk.engine.process(others([(1, 900, 30_000)], 8, 20)))
    assert (agent.cash, agent.position[0]) == (27_000_000, 70_000)


def test_in_a_suspension_the_sale_is_refused_and_tried_again() -> None:
    agent = account(debt=80_000_000)
    desk = book(agent, [(1, 1000, 200_000)])
    desk.engine.suspend(np.array([0]))
    tape = desk.send(agent.step(quote(desk, 1)))
    assert TapeKind.REJECTED in tape.kind
    assert (agent.cash, agent.sellable[0], agent.working) == (0, 100_000, {})
    desk.hear(desk.engine.release(np.array([0]), at("10:01:30")))
    desk.send(agent.step(quote(desk, 2)))
    assert agent.cash > 0
    assert not is_below(LIQUIDATION, agent.position[0] * 1000, agent.debt - agent.cash)
