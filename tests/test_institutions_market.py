"""Institutions on the real engine among the rest of the market: what they change, with common random numbers."""

from __future__ import annotations

import numpy as np
from small_market import trade_a_morning

from agents.institutions.etf_maker import EtfMaker
from agents.institutions.stabilisation_fund import StabilisationFund
from twin.clock import TICK, at
from twin.world import IndexDay

PANIC = IndexDay(-0.05, -0.045, -0.07, -0.06, 0.015)


def test_stabilisation_fund_lifts_the_funds_that_it_buys() -> None:
    without = trade_a_morning(PANIC, {})
    with_fund = trade_a_morning(PANIC, {StabilisationFund: {"capital": 10**10, "pace": 0.02}})
    fund = without["traits"].baskets.fund
    assert len(fund) == 2
    from_open = (at("09:35") - at("09:15")) // TICK
    close = without["listed"].previous_close[fund]
    lift = (with_fund["path"][from_open:, fund] - without["path"][from_open:, fund]) / close
    assert np.all(lift.mean(axis=0) > 0.001)
    (desk,) = with_fund["desks"]
    assert 0 < -desk.cash <= 10**10
    assert np.all(desk.shares[fund] > 0)
    before = (at("09:30") - at("09:15")) // TICK  # until it may act, the two days are the same to the tick
    assert np.array_equal(with_fund["path"][:before], without["path"][:before])


def test_market_maker_keeps_a_fund_near_its_basket() -> None:
    day = IndexDay(0.0, 0.006, -0.02, -0.015, 0.01)
    gaps = []
    for kinds in ({}, {EtfMaker: {"names": 2, "capital": 2 * 10**10}}):
        run = trade_a_morning(day, kinds)
        b, path = run["traits"].baskets, run["path"]
        last = np.where(path > 0, path, run["listed"].previous_close).astype(np.float64)
        start = (at("09:35") - at("09:15")) // TICK
        gaps.append(np.quantile(np.abs(last[start:, b.fund] / b.value(last)[start:] - 1), 0.9))
    assert gaps[1] < 0.8 * gaps[0]
    assert gaps[1] < 0.003  # about the cost of arbitrage, 0.15 per cent, and the spread of a fund, a tick of 0.1
