"""The whole day on a small scale: what must hold of the house as one machine."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow.compute as pc
import pytest

from agents.institutions import KINDS
from scenarios.loader import load
from scenarios.simulate import simulate_day

SMALL = (
    "clients.count=20000",
    "world.instruments=10",
    "world.background.orders_per_instrument_day=3000",
    "world.institutions.market_makers.count=1",
    "world.institutions.momentum_funds.count=1",
    "world.institutions.reversal_funds.count=1",
    "world.institutions.arbitrage_funds.count=1",
    "world.institutions.etf_makers.count=1",
    "world.institutions.margin_accounts.count=2",
    "world.boards.funds=0.1",
    "world.institutions.mutual_funds.count=1",
    "world.institutions.index_funds.count=1",
    "order_path.core.service_time=125 ms",
    "service_desk.staff.agents=1",
    "clients.call.per_1000_active=30",
    "clients.call.when_stuck=0.5",
)
NOBODY = (
    "clients.count=0",
    *(f"world.institutions.{kind}.count=0" for kind in KINDS),
    "world.background.orders_per_instrument_day=0",
    "onboarding.applications=0/day",
    "world.instruments=3",
)


@cache
def day(scenario, *settings, replication=0):
    return simulate_day(load(scenario, [*SMALL, *settings]), replication)


def measure(result, name, segment=""):
    table = result.measures
    chosen = table.filter(
        pc.and_(pc.equal(table["measure"].cast("string"), name), pc.equal(table["segment"].cast("string"), segment))
    )
    assert chosen.num_rows == 1, f"{name} {segment}: {chosen.num_rows} rows"
    return chosen["value"][0].as_py()


def sent(result):
    """Who sent an order when, institutions aside (they react to quotes, so to everything)."""
    orders = result.day.orders
    mine = orders.column("account") < result.day.population.clients
    return np.stack([orders.column("submitted")[mine], orders.column("account")[mine]])


CORE = "order_path.core.capacity=24/s"
TENFOLD = "order_path.core.capacity=240/s"


@pytest.mark.slow
def test_tenfold_core_capacity_takes_the_same_orders_with_less_latency():
    narrow, wide = day("extreme-day", CORE), day("extreme-day", TENFOLD)
    assert np.array_equal(sent(narrow), sent(wide))
    assert sent(narrow).shape[1] > 20_000
    assert measure(narrow, "core_queue_max") > 100
    assert measure(wide, "core_queue_max") < 10
    assert measure(wide, "order_latency_p99") < 0.2 * measure(narrow, "order_latency_p99")
    assert measure(wide, "order_stuck_count") <= measure(narrow, "order_stuck_count")


@pytest.mark.slow
def test_an_extreme_world_fills_queues_that_an_ordinary_one_does_not():
    extreme, ordinary = day("extreme-day", CORE), day("ordinary-day", CORE)
    assert measure(extreme, "orders_submitted") > 1.5 * measure(ordinary, "orders_submitted")
    assert measure(extreme, "order_latency_p99") > 3 * measure(ordinary, "order_latency_p99")
    assert measure(extreme, "core_queue_max") > 3 * measure(ordinary, "core_queue_max")


@pytest.mark.slow
def test_infinite_staff_makes_nobody_wait():
    busy = day("extreme-day", CORE)
    calm = day("extreme-day", CORE, "service_desk.staff.agents=unlimited")
    assert measure(busy, "service_wait_mean") > 0.0
    assert measure(calm, "service_wait_mean") == 0.0
    assert measure(calm, "service_abandoned_share") == 0.0


@pytest.mark.slow
def test_without_people_nothing_happens():
    empty = day("extreme-day", *NOBODY)
    for name in ("orders_submitted", "logins", "service_calls", "onboarding_applications", "records_cleared",
                 "revenue_day", "churn_expected_month", "complaints", "batch_breaks"):  # fmt: skip
        assert measure(empty, name) == 0.0, name
    assert empty.info["trades"] == 0
    assert (empty.day.ledger.cash == 0).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    again = simulate_day(load("ordinary-day", [*SMALL, CORE]), 0)
    first = day("ordinary-day", CORE)
    assert again.measures.equals(first.measures)
    assert again.timeline.equals(first.timeline)
    assert np.array_equal(
        again.day.orders.rows[: len(again.day.orders)], first.day.orders.rows[: len(first.day.orders)]
    )
    assert not np.array_equal(sent(day("ordinary-day", CORE, replication=1))[0][:50], sent(first)[0][:50])


@pytest.mark.slow
def test_every_order_knows_its_time_at_each_stage():
    orders = day("ordinary-day", CORE).day.orders
    known = orders.column("acknowledged") > 0
    assert known.mean() > 0.7
    stages = ["submitted", "gateway", "checked", "core", "sent", "accepted", "acknowledged"]
    times = np.stack([orders.column(stage)[known] for stage in stages])
    assert (np.diff(times, axis=0) >= 0).all()
    assert (times[-1] > times[0]).all()


@pytest.mark.slow
def test_cash_and_shares_are_conserved_to_the_fen_and_the_share():
    result = day("extreme-day", CORE)
    house, ledger = result.day, result.day.ledger
    totals = ledger.totals(len(house.instruments))
    assert totals.frozen == 0
    assert totals.fees > 0
    assert totals.money + house.background.cash == house.society.cash_brought
    assert np.array_equal(totals.shares + house.background.shares, house.society.shares_brought)


def test_an_impossible_setting_is_refused_in_one_line():
    from twin.errors import ScenarioError

    with pytest.raises(ScenarioError, match="--set"):
        load("ordinary-day", ["order_path.core.capacity=8000"])
