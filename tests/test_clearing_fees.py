"""Fees by date and to the fen, against decimal arithmetic."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clearing.fees import FeeSchedule, order_fees, reconcile_fees, schedule_on
from twin.contracts import Board, Side
from twin.errors import ConservationError, DataError, ScenarioError
from twin.kernels.ledger import fee_of
from twin.ledger import FeeRates

TODAY = schedule_on(dt.date(2026, 7, 6))


def fen(amount: int, percent: str) -> int:
    """Fee of an amount in fen by decimal arithmetic, half-up."""
    return int((Decimal(amount) * Decimal(percent) / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("day", "stamp", "transfer"),
    [
        ("2015-08-01", 1_000, 20),
        ("2022-04-28", 1_000, 20),
        ("2022-04-29", 1_000, 10),
        ("2023-08-27", 1_000, 10),
        ("2023-08-28", 500, 10),
        ("2026-11-20", 500, 10),
    ],
)
def test_schedule_changes_on_its_day(day: str, stamp: int, transfer: int) -> None:
    schedule = schedule_on(dt.date.fromisoformat(day))
    assert (schedule.stamp_ppm, schedule.transfer_ppm) == (stamp, transfer)


def test_day_before_the_record_is_refused() -> None:
    with pytest.raises(ScenarioError, match="2015-08-01"):
        schedule_on(dt.date(2015, 7, 31))


def test_commission_above_the_legal_cap_is_refused() -> None:
    assert schedule_on(dt.date(2026, 1, 5), commission_ppm=3_000).commission_ppm == 3_000
    with pytest.raises(ScenarioError, match="cap"):
        schedule_on(dt.date(2026, 1, 5), commission_ppm=3_001)
    with pytest.raises(ScenarioError, match="negative"):
        FeeSchedule(-1, 0)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(amount=st.integers(0, 10**14), is_sell=st.booleans())
def test_fees_equal_decimal_arithmetic(amount: int, is_sell: bool) -> None:
    side = Side.SELL if is_sell else Side.BUY
    fees = order_fees(TODAY, np.array([int(side)]), np.array([amount]))
    commission = max(500, fen(amount, "0.023")) if amount else 0
    assert fees.commission.tolist() == [commission]
    assert fees.stamp.tolist() == [fen(amount, "0.05") if is_sell else 0]
    assert fees.transfer.tolist() == [fen(amount, "0.001")]
    assert fees.total().tolist() == [commission + fees.stamp[0] + fees.transfer[0]]


def test_half_a_fen_is_rounded_up() -> None:
    fees = order_fees(TODAY, np.array([-1, -1]), np.array([1_000, 999]))
    assert fees.stamp.tolist() == [1, 0]


def test_minimum_commission_binds_below_21739_yuan() -> None:
    """5 CNY / 0.023% = 21,739.13 CNY; half a fen either way is rounded."""
    amounts = np.array([0, 1, 2_173_913, 2_176_086, 2_176_087])
    assert order_fees(TODAY, np.ones(5, np.int64), amounts).commission.tolist() == [0, 500, 500, 500, 501]


@pytest.mark.parametrize("amount", [-1, 1 << 50])
def test_amount_out_of_range_is_refused(amount: int) -> None:
    with pytest.raises(DataError, match="range"):
        order_fees(TODAY, np.array([1]), np.array([amount]))


def test_reconciliation_names_the_first_account_that_differs() -> None:
    owed = order_fees(TODAY, np.array([1, -1, 1]), np.array([5_000_000, 7_000_000, 9_000_000]))
    account = np.array([1, 3, 1])
    took = np.array([0, int(owed.total()[[0, 2]].sum()), 0, int(owed.total()[1])])
    reconcile_fees(took, account, owed)
    took[3] += 1
    with pytest.raises(ConservationError, match=r"account 3: the ledger took 5181 fen of fees, 5180 fen are owed"):
        reconcile_fees(took, account, owed)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(fills=st.lists(st.integers(1, 10**10), min_size=1, max_size=12), is_sell=st.booleans())
def test_fees_equal_what_the_ledger_accrues_fill_by_fill(fills: list[int], is_sell: bool) -> None:
    side, taken, value = Side.SELL if is_sell else Side.BUY, 0, 0
    rates = FeeRates(TODAY.commission_ppm, TODAY.commission_min_fen, TODAY.stamp_ppm, TODAY.transfer_ppm)
    for fill in fills:
        taken += rates.of(side, value + fill) - rates.of(side, value)
        value += fill
    assert order_fees(TODAY, np.array([int(side)]), np.array([value])).total().tolist() == [taken]


def test_funds_bear_neither_stamp_duty_nor_transfer_fee() -> None:
    side, amount = np.array([1, -1, -1]), np.array([10_000_000, 10_000_000, 10_000_000])
    fees = order_fees(TODAY, side, amount, np.array([True, True, False]))
    assert fees.stamp.tolist() == [0, 0, 5_000]
    assert fees.transfer.tolist() == [0, 0, 100]
    assert len(set(fees.commission.tolist())) == 1


def test_rates_of_the_ledger_agree_with_the_clearing_for_stocks_and_funds() -> None:
    schedule = FeeRates(TODAY.commission_ppm, TODAY.commission_min_fen, TODAY.stamp_ppm, TODAY.transfer_ppm)
    table = schedule.table(np.array([Board.MAIN, Board.FUND]))
    for row in range(2):
        for side in (1, -1):
            for amount in (1, 999_999, 12_345_678):
                owed = order_fees(TODAY, np.array([side]), np.array([amount]), np.array([row == 1]))
                assert fee_of(table[row], side, amount) == owed.total()[0]
