from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from path_house import BACK, N_ACCOUNTS, PLAIN, TO_EXCHANGE, House, accept, fill, rows

from twin.clock import MINUTE, SECOND, at
from twin.contracts import Cancels, Messages, Orders, Reason, Side, Tape, TapeKind
from twin.errors import CapacityError, ConservationError, RunError, ScenarioError
from twin.ledger import FeeRates
from twin.routing.config import OrderPathConfig, ServiceTime, StationConfig
from twin.routing.orders import OrderState, OrderTable

OPEN = at("09:30")
MS = 1_000_000


def random_orders(n: int, first: int, last: int, seed: int = 5) -> Orders:
    """Legal buys of every account in stocks 0 to 3."""
    rng = np.random.default_rng(seed)
    ones = np.ones(n, np.int64)
    return Orders(
        rng.integers(first, last, n), -ones, rng.integers(0, N_ACCOUNTS, n), rng.integers(0, 4, n), ones, 0 * ones,
        1_000 * ones, 100 * ones,
    )  # fmt: skip


def test_order_meets_every_stage_at_its_time() -> None:
    house = House()
    order = house.order(OPEN)
    (replies,) = house.run(OPEN + SECOND, step=10**15)
    row = house.orders.rows[order]
    times = [
        int(row[k]) - OPEN for k in ("submitted", "gateway", "checked", "core", "sent", "accepted", "acknowledged")
    ]
    assert times == [0, 11, 13, 14, 14, TO_EXCHANGE, TO_EXCHANGE + BACK]
    assert replies.acknowledgements.time.tolist() == [OPEN + TO_EXCHANGE + BACK]
    assert row["state"] == OrderState.WORKING
    assert house.path.latency.stage("total", 50) == TO_EXCHANGE + BACK


def test_nothing_in_nothing_out() -> None:
    house = House(OrderPathConfig(max_orders=10))
    for replies in house.run(OPEN, step=30 * MINUTE):
        assert sum(len(getattr(replies, k)) for k in vars(replies)) == 0
    counts = house.path.counts()
    assert (counts.orders, counts.stuck, counts.trades, counts.refused) == (0, 0, 0, {})
    assert np.isnan(house.path.latency.stage("total", 50))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": 1_101}, Reason.PRICE_LIMIT),
        ({"price": 899}, Reason.PRICE_LIMIT),
        ({"quantity": 150}, Reason.LOT),
        ({"quantity": 1_000_100}, Reason.LOT),
        ({"quantity": 0}, Reason.LOT),
        ({"instrument": 4, "quantity": 199}, Reason.LOT),
        ({"instrument": 4, "quantity": 100_001}, Reason.LOT),
        ({"quantity": 1_000_000}, Reason.CASH),
        ({"side": -1, "quantity": 10_100}, Reason.HOLDINGS),
        ({"side": -1, "instrument": 2}, Reason.HOLDINGS),
        ({"side": -1, "quantity": 130}, Reason.LOT),
    ],
)
def test_illegal_order_is_refused_with_its_reason(fields: dict[str, int], reason: Reason) -> None:
    house = House()
    order = house.order(OPEN, **fields)
    (replies,) = house.run(OPEN + SECOND, step=10**15)
    assert replies.rejections.reason.tolist() == [reason]
    assert replies.rejections.time.tolist() == [OPEN + 13 + 10]
    assert house.orders.state[order] == OrderState.REFUSED
    assert house.path.counts().refused == {reason: 1}
    assert house.ledger.frozen.sum() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"price": 1_100},
        {"instrument": 4, "quantity": 201},
        {"side": -1, "quantity": 10_050},
        {"side": -1, "quantity": 50},
        {"side": -1, "instrument": 4, "quantity": 150},
        {"kind": 1, "price": 0},
        {"kind": 1, "price": 0, "side": -1},
    ],
)
def test_legal_order_reaches_the_exchange(fields: dict[str, int]) -> None:
    house = House()
    house.order(OPEN, **fields)
    message = house.path.advance(OPEN + SECOND)
    assert message.time.tolist() == [OPEN + TO_EXCHANGE]
    assert message.price.tolist() == [fields.get("price", 1_000)]
    assert message.kind.tolist() == [fields.get("kind", 0)]


def test_market_buy_freezes_at_the_upper_limit() -> None:
    house = House()
    house.order(OPEN, kind=1, price=0)
    house.path.advance(OPEN + SECOND)
    assert house.ledger.frozen[0] == 110_000 + FeeRates().of(Side.BUY, 110_000)


def test_same_cash_pays_only_once() -> None:
    house = House()
    house.ledger.cash[0] = 150_000
    for k in range(3):
        house.order(OPEN + k)
    assert len(house.path.advance(OPEN + SECOND)) == 1
    assert house.path.counts().refused == {Reason.CASH: 2}


def test_fill_is_booked_to_the_fen_and_bought_shares_wait_for_tomorrow() -> None:
    house = House()
    before = house.ledger.totals(6)
    buy = house.order(OPEN, price=1_010, quantity=300)
    sell = house.order(OPEN, instrument=1, side=-1, quantity=500)
    replies = house.run(OPEN + SECOND, fill, step=10**15)[0]
    assert sorted(replies.fills.order.tolist()) == [buy, sell]
    fees = FeeRates().of(Side.BUY, 303_000) + FeeRates().of(Side.SELL, 500_000)
    assert house.ledger.cash[0] == 10**9 - 303_000 + 500_000 - fees
    assert (house.ledger.frozen[0], house.ledger.fees[0]) == (0, fees)
    assert house.ledger.position(0, 0) == (10_050, 0, 300)
    assert house.ledger.position(0, 1) == (0, 0, 0)
    after = house.ledger.totals(6)
    assert after.money - before.money == 500_000 - 303_000
    assert (after.shares - before.shares).tolist() == [300, -500, 0, 0, 0, 0]
    trades = house.path.trades()
    assert sorted(zip(trades.order.tolist(), trades.side.tolist(), trades.quantity.tolist(), strict=True)) == [
        (buy, 1, 300),
        (sell, -1, 500),
    ]
    # Sold shares' cash is there at once; bought shares are not.
    house.order(OPEN + SECOND, side=-1, quantity=10_100)
    house.run(OPEN + 2 * SECOND, fill)
    assert house.path.counts().refused == {Reason.HOLDINGS: 1}


def test_trade_between_two_clients_of_the_broker_books_both() -> None:
    house = House()
    sell, buy = house.order(OPEN, 1, side=-1), house.order(OPEN + 5, 2)
    messages = house.path.advance(OPEN + SECOND)
    house.path.deliver(rows(messages, TapeKind.ACCEPTED, messages.quantity, -1))
    trade = [np.array([x]) for x in (OPEN + 500, TapeKind.TRADE, 0, 1, 1_000, 100, buy, sell, 0)]
    house.path.deliver(Tape(*trade))
    replies = house.path.receive(OPEN + SECOND)
    assert replies.fills.side.tolist() == [1, -1] or replies.fills.side.tolist() == [-1, 1]
    assert house.ledger.totals(6).money == N_ACCOUNTS * 10**9
    assert house.orders.column("state").tolist() == [OrderState.FILLED] * 2


def test_cancel_releases_the_rest_and_expiry_and_rejection_too() -> None:
    house = House()
    orders = [house.order(OPEN + k) for k in range(3)]
    messages = house.path.advance(OPEN + SECOND)
    kinds = np.array([TapeKind.CANCELLED, TapeKind.EXPIRED, TapeKind.REJECTED])
    house.path.deliver(rows(messages, kinds, messages.quantity, [-1, -1, -1 - Reason.CLOSED]))
    replies = house.path.receive(OPEN + SECOND)
    states = [OrderState(s) for s in house.orders.column("state")]
    assert states == [OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED]
    assert (house.ledger.frozen[0], house.ledger.cash[0]) == (0, 10**9)
    assert replies.ended.order.tolist() == orders[:2]
    assert replies.rejections.reason.tolist() == [Reason.CLOSED]
    assert house.path.counts().rejected == {Reason.CLOSED: 1}


def test_cancel_follows_its_order_however_slow_that_is() -> None:
    slow = StationConfig(1, ServiceTime(SECOND))
    house = House(checks=slow)
    first, second = house.order(OPEN), house.order(OPEN + 1, instrument=1)
    house.cancel(OPEN + 2, second)
    house.cancel(OPEN + 3, first)
    house.cancel(OPEN + 4, first)
    messages = house.path.advance(OPEN + 60 * SECOND)
    got = list(zip(messages.kind.tolist(), messages.order.tolist(), strict=True))
    assert got == [(0, first), (2, first), (0, second), (2, second)]
    assert (np.diff(messages.time) >= 0).all()
    house.path.deliver(accept(messages))
    replies = house.path.receive(OPEN + 61 * SECOND)
    assert sorted(replies.ended.order.tolist()) == [first, second]
    assert replies.cancel_rejections.reason.tolist() == [Reason.UNKNOWN_ORDER]


def test_cancel_of_a_refused_order_comes_back() -> None:
    house = House(checks=StationConfig(1, ServiceTime(SECOND)))
    order = house.order(OPEN, quantity=150)
    house.cancel(OPEN + 1, order)
    (replies,) = house.run(OPEN + MINUTE, step=10**15)
    assert replies.rejections.order.tolist() == [order]
    assert replies.cancel_rejections.order.tolist() == [order]
    house.cancel(house.path.now, order)
    assert house.run(house.path.now + SECOND)[0].cancel_rejections.reason.tolist() == [Reason.UNKNOWN_ORDER]


@pytest.mark.parametrize(
    ("submitted", "arrival"),
    [
        ("08:00", "09:15"),
        ("09:20", "09:20"),
        ("09:26", "09:30"),
        ("11:45", "13:00"),
    ],
)
def test_orders_wait_at_the_broker_while_the_exchange_is_shut(submitted: str, arrival: str) -> None:
    house = House()
    house.order(at(submitted))
    messages = house.path.advance(at("15:01"))
    extra = 100 if submitted != arrival else TO_EXCHANGE
    assert messages.time.tolist() == [at(arrival) + extra]


def test_order_just_before_a_close_is_held_rather_than_sent_in_vain() -> None:
    house = House()
    house.order(at("09:25") - TO_EXCHANGE)
    house.order(at("09:25") - TO_EXCHANGE - 1)
    assert house.path.advance(at("09:31")).time.tolist() == [at("09:25") - 1, at("09:30") + 100]


def test_order_after_the_last_close_is_refused() -> None:
    house = House()
    house.order(at("15:00"))
    house.path.advance(at("15:01"))
    assert house.path.counts().refused == {Reason.CLOSED: 1}


def test_overnight_orders_fire_in_slots_and_cancels_take_their_share() -> None:
    house = House(exchange_gateways=2, exchange_gateway_rate=10.0)
    for k in range(60):
        house.order(at("09:26") + k, account=k)
    for k in range(30):
        house.cancel(at("09:27") + k, k, account=k)
    messages = house.path.advance(OPEN + MINUTE)
    sent = messages.time - 100
    assert np.bincount((sent - OPEN) // SECOND).tolist() == [20, 20, 20, 20, 10]
    assert messages.kind.tolist() == [0] * 60 + [2] * 30
    assert messages.order.tolist() == [*range(60), *range(30)]


def test_logins_pass_the_gateway_and_queries_the_core() -> None:
    house = House()
    house.path.submit(logins=(np.array([OPEN + 7, OPEN]), np.array([3, 4])), queries=(np.array([OPEN]), np.array([9])))
    (replies,) = house.run(OPEN + SECOND, step=10**15)
    assert replies.logins.account.tolist() == [4, 3]
    assert replies.logins.time.tolist() == [OPEN + 22, OPEN + 29]
    assert house.path.counts().queries == 1
    assert house.path.latency.logins.pooled().percentile(50)[0] == 22


BUSY = OrderPathConfig(core=StationConfig(200, ServiceTime(20 * MS)), exchange_gateway_rate=100.0, max_orders=50_000)


def day_log(config: OrderPathConfig, step: int, seed: int = 1) -> tuple[list[tuple[int, ...]], House]:
    """What the exchange gets and all replies, from 3,000 orders in 10 s."""
    house = House(config, seed)
    house.path.advance(OPEN)
    house.path.receive(OPEN)
    house.path.submit(orders=random_orders(3_000, OPEN, OPEN + 10 * SECOND))
    every_other = np.arange(0, 3_000, 2)
    house.path.submit(cancels=cancels_of(house.orders, every_other))
    log: list[tuple[int, ...]] = []

    def exchange(messages: Messages) -> Tape:
        log.extend(zip(messages.time.tolist(), messages.kind.tolist(), messages.order.tolist(), strict=True))
        return accept(messages)

    for replies in house.run(OPEN + MINUTE, exchange, step):
        for batch in (replies.acknowledgements, replies.ended, replies.rejections, replies.cancel_rejections):
            log.extend(zip(batch.time.tolist(), batch.order.tolist(), strict=True))
    return sorted(log), house


def cancels_of(orders: OrderTable, which: np.ndarray) -> Cancels:
    times = np.asarray(orders.submitted[which] + SECOND, np.int64)
    return Cancels(times, which, np.asarray(orders.account[which], np.int64))


def test_path_in_small_steps_equals_path_in_one_step() -> None:
    whole, house = day_log(BUSY, 10**15)
    assert len(whole) >= 3_000 + 1_500 + 3_000
    pieces, other = day_log(BUSY, 70 * MS)
    assert pieces == whole
    used = len(house.orders)
    assert (house.orders.rows[:used] == other.orders.rows[:used]).all()
    assert (house.path.latency.stages.counts == other.path.latency.stages.counts).all()


def test_tenfold_core_takes_the_same_orders_faster() -> None:
    _, small = day_log(BUSY, 3 * SECOND)
    _, large = day_log(replace(BUSY, core=StationConfig(2_000, ServiceTime(20 * MS))), 3 * SECOND)
    for name in ("submitted", "account", "gateway", "checked"):
        assert (small.orders.column(name) == large.orders.column(name)).all()
    assert large.path.latency.stage("core", 50) < small.path.latency.stage("core", 50) / 20
    assert large.path.latency.stage("total", 99) < small.path.latency.stage("total", 99)
    # The same order has the same service demand: it never gets slower.
    assert (large.orders.column("core") <= small.orders.column("core")).all()


def test_two_runs_are_equal_and_another_seed_is_not() -> None:
    assert day_log(BUSY, SECOND)[0] == day_log(BUSY, SECOND)[0]
    assert day_log(BUSY, SECOND)[0] != day_log(BUSY, SECOND, seed=2)[0]


def test_outage_makes_orders_stuck_and_loses_none() -> None:
    house = House()
    house.path.advance(OPEN)
    house.path.set_capacity("core", 0)
    house.path.submit(orders=random_orders(300, OPEN, OPEN + SECOND))
    house.run(OPEN + 2 * MINUTE)
    assert house.path.snapshot()["core"].waiting == house.path.waiting("core") == 300
    assert house.path.counts().stuck == 300
    house.path.set_capacity("core", None)
    acknowledged = sum(len(r.acknowledgements) for r in house.run(OPEN + 3 * MINUTE))
    assert acknowledged == house.path.counts().acknowledged == 300
    assert house.path.counts().stuck == 300
    assert house.path.latency.stages.percentile(0)[2] > 115 * SECOND


def test_blind_client_is_filled_all_the_same() -> None:
    house = House()
    house.path.advance(OPEN)
    house.path.set_capacity("report", 0)
    house.order(OPEN)
    replies = house.run(OPEN + SECOND, fill)
    assert sum(len(r.fills) for r in replies) == 0
    assert house.ledger.frozen[0] > 0
    replies, open_orders = house.path.close(OPEN + 2 * SECOND)
    assert (len(replies.fills), open_orders) == (1, 0)
    house.ledger.require_nothing_held()


def test_close_ends_what_is_open_and_frees_what_it_holds() -> None:
    house = House(OrderPathConfig(core=StationConfig(200, ServiceTime(20 * MS)), max_orders=5_000))
    house.path.advance(at("14:59"))
    house.path.submit(orders=random_orders(4_000, at("14:59:50"), at("15:00")))
    house.run(at("15:01"))
    assert house.ledger.frozen.sum() > 0
    _, ended = house.path.close(at("15:05"))
    assert ended > 1_000
    house.ledger.require_nothing_held()
    assert house.ledger.totals(6).money == N_ACCOUNTS * 10**9
    assert (house.orders.column("state") >= OrderState.FILLED).all()


def test_background_rows_are_ignored_and_strange_answers_stop_the_run() -> None:
    house = House()
    order = house.order(OPEN)
    messages = house.path.advance(OPEN + SECOND)
    tape = rows(messages, TapeKind.TRADE, 100, (1 << 26) + 1)
    foreign = replace(tape, order=tape.order + (1 << 26))
    house.path.deliver(foreign)
    assert house.path.snapshot()["report"].waiting == 0
    house.path.deliver(tape)
    house.path.receive(OPEN + SECOND)
    assert house.orders.state[order] == OrderState.FILLED
    house.path.deliver(rows(replace_time(messages, OPEN + SECOND), TapeKind.TRADE, 100, (1 << 26) + 1))
    with pytest.raises(ConservationError, match="contradict the order table"):
        house.path.receive(OPEN + 2 * SECOND)


def replace_time(messages: Messages, time: int) -> Messages:
    return replace(messages, time=np.full(len(messages), time))


def test_wrong_use_is_told() -> None:
    house = House()
    house.path.advance(OPEN)
    with pytest.raises(RunError, match="was submitted at"):
        house.order(OPEN - 1)
    with pytest.raises(RunError, match="cannot go back"):
        house.path.advance(OPEN - 1)
    with pytest.raises(ScenarioError, match=r"no station 'cor'. Choose from gateway, .*core.*sse, szse"):
        house.path.set_capacity("cor", 5)
    with pytest.raises(ScenarioError, match="negative"):
        house.path.set_capacity("core", -5)
    with pytest.raises(ValueError, match="not in the order table"):
        house.cancel(OPEN, 99)
    with pytest.raises(ScenarioError, match="not a way to treat a timeout"):
        replace(PLAIN, on_timeout="wait")
    with pytest.raises(CapacityError, match="more than 5 orders in a day"):
        OrderTable(5).new_rows(6)
