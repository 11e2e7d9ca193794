"""The order path under bursts and with little room, what it tells to whom, and the luck of its messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from path_house import N_ACCOUNTS, PLAIN, TO_EXCHANGE, House, accept, fill, instruments
from scipy import stats
from test_path_orders import BUSY, day_log, random_orders

from twin.clock import MINUTE, SECOND, at
from twin.contracts import Orders
from twin.errors import CapacityError
from twin.kernels import order_reports
from twin.kernels.sorting import N_COUNTS, sort_by_time
from twin.kernels.stations import compact, demand_of
from twin.ledger import Ledger
from twin.randomness import Streams
from twin.routing import path as module
from twin.routing.config import Law, OrderPathConfig, ServiceTime, StationConfig
from twin.routing.orders import OrderTable
from twin.routing.path import OrderPath
from twin.routing.stations import Pipe

OPEN = at("09:30")


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**44) | st.integers(0, 300), st.integers(0, 9)), max_size=200))
def test_messages_are_sorted_by_time_and_item(rows: list[tuple[int, int]]) -> None:
    array = np.array(rows, np.int64).reshape(-1, 2)
    sort_by_time(array, np.empty_like(array), len(rows), np.empty(N_COUNTS, np.int64))
    assert [tuple(row) for row in array.tolist()] == sorted(rows)


def test_compacted_queue_holds_the_same() -> None:
    pipe = Pipe("p")
    pipe.offer(np.arange(100), np.arange(100), np.arange(100))
    pipe.numbers[0] = 90
    compact(pipe.queue, pipe.numbers)
    assert pipe.numbers[:2].tolist() == [0, 10]
    assert pipe.queue[:10].tolist() == [[k, k, k] for k in range(90, 100)]


def test_path_with_hardly_any_room_equals_path_with_plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    plenty, house = day_log(BUSY, 10**15)
    monkeypatch.setattr(module, "_CHUNK", 7)
    monkeypatch.setattr("twin.routing.stations._START_ROWS", 2)
    little, other = day_log(BUSY, 10**15)
    assert little == plenty
    used = len(house.orders)
    assert (house.orders.rows[:used] == other.orders.rows[:used]).all()


def test_burst_is_served_and_none_is_lost() -> None:
    house = House(OrderPathConfig(core=StationConfig(800, ServiceTime(SECOND // 50)), max_orders=100_000))
    house.path.advance(OPEN)
    n = 60_000
    house.path.submit(orders=random_orders(n, OPEN, OPEN + SECOND // 10))
    house.path.submit(queries=(np.full(n, OPEN), np.arange(n) % N_ACCOUNTS))
    house.run(OPEN + 9 * SECOND)
    assert house.path.waiting("core") > 100_000
    # What one call hands on does not grow with what waits.
    assert len(house.path._messages[0]) == module._CHUNK
    house.path.set_capacity("core", None)
    house.run(OPEN + 2 * MINUTE)
    counts = house.path.counts()
    assert counts.queries == n
    assert counts.acknowledged + sum(counts.refused.values()) == n


def test_parked_orders_have_a_measure_of_their_own() -> None:
    house = House()
    house.path.advance(at("09:26"))
    early, late = house.order(at("09:26"), 1), house.order(OPEN, 2)
    house.run(OPEN + SECOND)
    books = house.path.latency
    acknowledged = house.orders.acknowledged
    assert books.parked.total().tolist() == [1]
    assert books.stage("parked", 50) == acknowledged[early] - OPEN
    assert books.stage("total", 100) == acknowledged[late] - OPEN
    # Gateway, checks and core see both; from the exchange gateway on only the one that a client waits for.
    assert books.stages.total().tolist() == [2, 2, 2, 1, 1, 1, 1, 1]
    assert books.segments.total().sum() == books.minutes.total().sum() == 1


def test_time_in_which_the_exchange_is_shut_does_not_count() -> None:
    house = House()
    house.path.advance(at("11:29"))
    house.order(at("11:30") - TO_EXCHANGE)
    house.path.advance(at("12:59"))
    house.run(at("13:00") + SECOND)
    assert house.path.latency.stage("total", 100) == TO_EXCHANGE + 11


def test_selling_needs_no_permission() -> None:
    house = House()
    house.permissions[:] = 0
    house.risk[:] = 1
    sell, _ = house.order(OPEN, side=-1), house.order(OPEN)
    assert house.path.advance(OPEN + SECOND).order.tolist() == [sell]
    assert house.path.counts().unsuitable_blocked == 1


def test_only_those_who_listen_are_told() -> None:
    def replies(told_from: int) -> tuple[list[int], list[int], list[int], House]:
        house = House()
        house.path._settings[-1] = told_from
        house.path.advance(OPEN)
        for account in (3, 400):
            house.order(OPEN, account)
            house.order(OPEN, account, quantity=150)
        got = house.run(OPEN + SECOND, fill)
        acknowledged = [a for r in got for a in r.acknowledgements.account.tolist()]
        filled = [a for r in got for a in r.fills.account.tolist()]
        return acknowledged, filled, [a for r in got for a in r.rejections.account.tolist()], house

    assert replies(0)[:3] == ([3, 400], [3, 400], [3, 400])
    *told, house = replies(400)
    assert told == [[400], [400], [3, 400]]
    assert house.path.counts() == replies(0)[3].path.counts()
    assert (house.orders.column("acknowledged") == replies(0)[3].orders.column("acknowledged")).all()


def test_told_from_is_what_the_constructor_was_given() -> None:
    house = House()
    path = OrderPath(
        PLAIN, instruments(), house.ledger, house.orders, house.permissions, house.risk, Streams(1), told_from=9
    )
    path.submit(orders=Orders(*(np.array([k, k]) for k in (OPEN, -1)), np.array([8, 9]), *standard_order()))
    path.deliver(accept(path.advance(OPEN + SECOND)))
    assert path.receive(OPEN + SECOND).acknowledgements.account.tolist() == [9]


def standard_order() -> list[np.ndarray]:
    return [np.array([x, x]) for x in (0, 1, 0, 1_000, 100)]


def test_more_orders_than_there_are_numbers_for_is_told() -> None:
    orders, ledger = OrderTable(1), Ledger(1, 1)
    orders.rows = np.lib.stride_tricks.as_strided(orders.rows, ((1 << 26) + 1,), (0,))
    with pytest.raises(CapacityError, match="would meet those of the rest of the market"):
        OrderPath(PLAIN, instruments(), ledger, orders, np.zeros(1, np.uint8), np.zeros(1, np.int8), Streams(1))


def test_luck_parts_are_uniform_and_apart() -> None:
    n = 20_000
    draws = np.empty((n, 5))
    for k in range(n):
        a, b, c, d = order_reports.words(np.uint64(3), 0, k, OPEN, 5)
        bits = np.uint64((int(c) << 32 | int(d)) >> 1)
        parts = (order_reports.CHECK_PART, order_reports.CORE_PART, order_reports.BACK_PART)
        draws[k] = [
            int(a) / 2**32,
            order_reports.part_of_item(int(b) >> 8),
            *(order_reports.part(bits, p) for p in parts),
        ]
    assert ((draws > 0) & (draws < 1)).all()
    assert abs(draws.mean(axis=0) - 0.5).max() < 0.01
    assert abs(draws.var(axis=0) - 1 / 12).max() < 0.002
    assert abs(np.corrcoef(draws.T) - np.eye(5)).max() < 0.03


@pytest.mark.parametrize("law", [Law.EXPONENTIAL, Law.LOGNORMAL])
def test_tabulated_demand_is_close_to_the_exact_quantile_and_never_falls(law: Law) -> None:
    table = ServiceTime(10**9, law, 0.5).array()
    u = np.sort(np.concatenate([np.random.default_rng(2).random(20_000), [1e-7, 1 - 1e-7]]))
    got = np.array([demand_of(table, x) for x in u])
    sigma = np.sqrt(np.log1p(0.25))
    exact = (
        stats.expon(scale=1e9) if law is Law.EXPONENTIAL else stats.lognorm(sigma, scale=1e9 * np.exp(-(sigma**2) / 2))
    )
    assert abs(got / np.maximum(exact.ppf(u), 1) - 1)[u > 1e-6].max() < 2e-4
    assert (np.diff(got) >= 0).all()
    middle = (np.arange(50_000) + 0.5) / 50_000
    assert np.mean([demand_of(table, x) for x in middle]) == pytest.approx(1e9, rel=1e-4)
