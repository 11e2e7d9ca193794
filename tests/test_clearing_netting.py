"""Netting, conservation and settlement against plain Python on random days."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clearing import netting as netting_module
from twin.clearing.fees import FeeSchedule, order_fees, schedule_on
from twin.clearing.netting import (
    MarketSide,
    Netting,
    OrderTotals,
    check_conservation,
    fold_trades,
    net_orders,
    reconcile_cash,
)
from twin.clearing.settlement import CASH_FINAL, reserve, reserve_ppm, settle
from twin.clock import DAY, Clock, at
from twin.contracts import Exchange, Instruments, Obligations, Tape, TapeKind, Trades
from twin.errors import ConservationError, DataError, ScenarioError

SCHEDULE = schedule_on(dt.date(2026, 7, 6))
N_INSTRUMENTS = 6


def listed(n: int = N_INSTRUMENTS) -> Instruments:
    zero = np.zeros(n, np.int64)
    return Instruments(np.arange(n) % 2, zero, zero, zero, zero, zero, zero)


def random_day(seed: int, n_orders: int, n_fills: int, n_accounts: int) -> tuple[OrderTotals, Trades]:
    rng = np.random.default_rng(seed)
    zero = np.zeros(n_orders, np.int64)
    orders = OrderTotals(
        rng.integers(0, n_accounts, n_orders),
        rng.integers(0, N_INSTRUMENTS, n_orders),
        rng.choice(np.array([-1, 1]), n_orders),
        zero,
        zero,
    )
    order = rng.integers(0, n_orders, n_fills) if n_orders else np.empty(0, np.int64)
    price, quantity = rng.integers(1, 200_000, order.size), rng.integers(1, 50_000, order.size)
    time = np.sort(rng.integers(0, DAY, order.size))
    return orders, Trades(
        time, order, orders.account[order], orders.instrument[order], orders.side[order], price, quantity
    )


def reference(trades: Trades, schedule: FeeSchedule) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """Net cash per (account, exchange) and shares per (account, instrument) with Python integers."""
    value: dict[int, int] = defaultdict(int)
    row: dict[int, tuple[int, int, int]] = {}
    shares: dict[tuple[int, int], int] = defaultdict(int)
    columns = (trades.order, trades.account, trades.instrument, trades.side, trades.price, trades.quantity)
    for o, a, i, s, p, q in zip(*(c.tolist() for c in columns), strict=True):
        value[o] += p * q
        row[o] = (a, i, s)
        shares[a, i] += s * q
    cash: dict[tuple[int, int], int] = defaultdict(int)
    for o, amount in value.items():
        a, i, s = row[o]
        commission = max(schedule.commission_min_fen, (amount * schedule.commission_ppm + 500_000) // 1_000_000)
        stamp = (amount * schedule.stamp_ppm + 500_000) // 1_000_000 if s < 0 else 0
        transfer = (amount * schedule.transfer_ppm + 500_000) // 1_000_000
        cash[a, i % 2] += -s * amount - commission - stamp - transfer
    return dict(cash), {key: n for key, n in shares.items() if n}


def net_day(orders: OrderTotals, trades: Trades, n_accounts: int) -> Netting:
    return net_orders(fold_trades(trades, orders), listed(), n_accounts, SCHEDULE)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_orders=st.integers(0, 300),
    n_fills=st.integers(0, 600),
    n_accounts=st.sampled_from([1, 2, 40, 1000]),
)
def test_netting_equals_plain_python(seed: int, n_orders: int, n_fills: int, n_accounts: int) -> None:
    orders, trades = random_day(seed, n_orders, n_fills, n_accounts)
    netting = net_day(orders, trades, n_accounts)
    cash, shares = reference(trades, SCHEDULE)
    o, s = netting.obligations, netting.shares
    keys = list(zip(o.account.tolist(), o.exchange.tolist(), strict=True))
    places = list(zip(s.account.tolist(), s.instrument.tolist(), strict=True))
    assert keys == sorted(cash)
    assert places == sorted(shares)
    assert o.cash.tolist() == [cash[k] for k in keys]
    assert s.shares.tolist() == [shares[k] for k in places]
    assert netting.orders == len(set(trades.order.tolist()))
    check_conservation(netting, MarketSide.opposite(trades, listed().exchange))
    moved = np.zeros(n_accounts, np.int64)
    for (account, _), amount in cash.items():
        moved[account] += amount
    reconcile_cash(moved, netting)


def test_account_with_many_orders_is_netted_like_one_with_few() -> None:
    orders, trades = random_day(3, 2_000, 5_000, 2)
    _, shares = reference(trades, SCHEDULE)
    s = net_day(orders, trades, 2).shares
    got = zip(s.account.tolist(), s.instrument.tolist(), s.shares.tolist(), strict=True)
    assert {(a, i): n for a, i, n in got} == shares


def test_nothing_traded_gives_empty_netting() -> None:
    orders, trades = random_day(1, 10, 0, 5)
    netting = net_day(orders, trades, 5)
    assert len(netting.obligations) == len(netting.shares) == netting.orders == 0
    check_conservation(netting, MarketSide(listed().exchange))


def tape_of(rows: list[tuple[int, int, int, int, int, int]]) -> Tape:
    """Trades as (instrument, side, price, quantity, order, counter)."""
    instrument, side, price, quantity, order, counter = (np.array(c, np.int64) for c in zip(*rows, strict=True))
    zero = np.zeros(len(rows), np.int64)
    return Tape(zero, zero + TapeKind.TRADE, instrument, side, price, quantity, order, counter, zero)


def test_exchange_record_balances_the_brokers_books() -> None:
    """Handle 0 and 1 are clients' orders, 2 and 3 are the rest of the market; clients also trade with each other."""
    tape = tape_of(
        [(0, 1, 1_000, 300, 0, 2), (0, -1, 990, 200, 1, 0), (1, -1, 500, 700, 3, 2), (0, 1, 1_010, 50, 3, 1)]
    )
    market = MarketSide(listed().exchange)
    market.add_tape(tape, 2)
    assert market.shares.tolist() == [-300 + 50, 0, 0, 0, 0, 0]
    assert market.cash.tolist() == [1_000 * 300 - 1_010 * 50, 0, 0]
    zero = np.zeros(2, np.int64)
    orders = OrderTotals(np.array([7, 8]), zero, np.array([1, -1]), zero, zero)
    fills = [(0, 0, 1, 1_000, 300), (1, 8, -1, 990, 200), (0, 7, 1, 990, 200), (1, 8, -1, 1_010, 50)]
    order, _, side, price, quantity = (np.array(c, np.int64) for c in zip(*fills, strict=True))
    none = np.zeros(4, np.int64)
    trades = Trades(none, order, orders.account[order], none, side, price, quantity)
    check_conservation(net_day(orders, trades, 10), market)


@pytest.mark.parametrize("column", ["cash", "shares"])
def test_a_lost_fen_or_share_stops_the_run(column: str) -> None:
    orders, trades = random_day(11, 50, 100, 20)
    netting, market = net_day(orders, trades, 20), MarketSide.opposite(trades, listed().exchange)
    if column == "cash":
        netting.obligations.cash[3] -= 1
        place = Exchange(int(netting.obligations.exchange[3])).name
    else:
        netting.shares.shares[3] += 1
        place = f"instrument {int(netting.shares.instrument[3])}"
    with pytest.raises(ConservationError, match=column) as caught:
        check_conservation(netting, market)
    assert caught.value.where == place


def test_reconciliation_names_the_first_account_that_differs() -> None:
    orders, trades = random_day(12, 50, 100, 20)
    netting = net_day(orders, trades, 20)
    cash = netting.account_cash(20)
    cash[[4, 9]] += 1
    with pytest.raises(ConservationError, match=r"account 4: .*2 account\(s\) differ"):
        reconcile_cash(cash, netting)


def test_unknown_account_instrument_or_order_is_refused() -> None:
    orders, trades = random_day(13, 50, 100, 20)
    totals = fold_trades(trades, orders)
    with pytest.raises(DataError, match="account"):
        net_orders(totals, listed(), int(totals.account[totals.quantity > 0].max()), SCHEDULE)
    with pytest.raises(DataError, match="instrument"):
        net_orders(totals, listed(2), 20, SCHEDULE)
    with pytest.raises(DataError, match="order"):
        fold_trades(trades, orders.take(slice(0, 10)))


def test_columns_of_an_order_table_are_taken_in_their_own_layout() -> None:
    orders, trades = random_day(16, 60, 90, 20)
    totals = fold_trades(trades, orders)
    kind = np.dtype([("account", np.int32), ("side", np.int8), ("quantity", np.int32)], align=True)
    table = np.zeros(60, kind)
    for name in kind.names or ():
        table[name] = getattr(totals, name)
    some = OrderTotals.of_traded(table["account"], totals.instrument, table["side"], table["quantity"], totals.value)
    assert 0 < len(some) < len(totals)
    one, other = (net_orders(t, listed(), 20, SCHEDULE) for t in (totals, some))
    assert np.array_equal(one.obligations.cash, other.obligations.cash)
    assert np.array_equal(one.shares.shares, other.shares.shares)


def test_fees_can_be_given_instead_of_computed() -> None:
    orders, trades = random_day(14, 50, 100, 20)
    totals = fold_trades(trades, orders)
    given_fees = order_fees(SCHEDULE, totals.side, totals.value)
    one = net_orders(totals, listed(), 20, SCHEDULE)
    other = net_orders(totals, listed(), 20, FeeSchedule(0, 0, 0, 0), given_fees)
    assert np.array_equal(one.obligations.cash, other.obligations.cash)
    assert one.commission.tolist() == other.commission.tolist()


def test_broker_pays_the_clearing_house_what_the_clients_pay_less_commission() -> None:
    orders, trades = random_day(15, 80, 160, 20)
    netting = net_day(orders, trades, 20)
    o = netting.obligations
    clients = [int(o.cash[o.exchange == e].sum()) for e in range(netting_module.N_EXCHANGES)]
    assert (netting.broker_cash() - netting.commission).tolist() == clients


def one_duty(net: int) -> Netting:
    zero = np.zeros(3, np.int64)
    empty = Obligations.empty()
    return Netting(empty, net_day(*random_day(1, 2, 0, 2), 2).shares, zero, zero, zero, np.array([net, 0, 0]), zero, 0)


@pytest.mark.parametrize(
    ("net", "balance", "withdrawable", "shortfall"),
    [(-600, 1_000, 270, 0), (-1_000, 1_000, 0, 0), (-1_400, 1_000, 0, 400), (500, 1_000, 870, 0)],
)
def test_settlement_keeps_the_reserve_and_finds_the_shortfall(
    net: int, balance: int, withdrawable: int, shortfall: int
) -> None:
    clock = Clock(dt.date(2025, 4, 11))
    plan = settle(one_duty(net), clock, at("18:00"), np.array([balance, 0, 0]), np.array([1_000, 0, 0]), at("08:59"))
    duty = plan.participants[Exchange.SSE]
    assert (duty.reserve, duty.withdrawable, duty.shortfall) == (130, withdrawable, shortfall)
    assert duty.is_delivered == (shortfall == 0)
    assert plan.cash_due == 3 * DAY + at(CASH_FINAL)


def test_settlement_moves_what_netting_found() -> None:
    orders, trades = random_day(15, 80, 160, 20)
    netting = net_day(orders, trades, 20)
    zero = np.zeros(3, np.int64)
    moves = settle(netting, Clock(dt.date(2025, 4, 7)), at("18:00"), zero, zero, 0).movements
    assert int(moves.cash.sum()) == int(netting.obligations.cash.sum())
    assert np.array_equal(moves.shares[moves.instrument >= 0], netting.shares.shares)
    assert not moves.shares[moves.instrument < 0].any()


def test_reserve_ratio_follows_the_pay_time() -> None:
    assert [reserve_ppm(at(t)) for t in ("08:59", "09:00", "10:59:59", "11:00", "16:00")] == [
        130_000,
        150_000,
        150_000,
        160_000,
        160_000,
    ]
    assert reserve(50, at("10:00")) == 8  # 7.5 fen, half-up
    with pytest.raises(ScenarioError, match="negative"):
        reserve(-1, 0)
