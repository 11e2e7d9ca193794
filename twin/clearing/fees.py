"""What trading costs, to the fen: dated schedules and exact integer fees per order.

Rates are integers in parts per million (ppm) of an order's traded amount; every fee is rounded half-up to the fen once
per order, from the order's total traded amount. The exchange's handling fee and the regulator's levy are inside the
commission (domain rows M70 to M74).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Batch, IntColumn, Side
from twin.errors import ConservationError, DataError, ScenarioError

MILLION = 1_000_000
_MAX_AMOUNT = 1 << 50
"""Largest traded amount of one order (fen) for which amount * ppm cannot overflow at any rate up to the cap."""


@dataclass(frozen=True)
class DatedRate:
    """A rate in parts per million that holds from a day on, and where it was announced."""

    effective: dt.date
    ppm: int
    source: str


STAMP_DUTY: tuple[DatedRate, ...] = (
    DatedRate(dt.date(2008, 9, 19), 1_000, "sell side only, Ministry of Finance 2008-09-18 (M70)"),
    DatedRate(dt.date(2023, 8, 28), 500, "sell side only, halved, Ministry of Finance 2023 No. 39 (M70)"),
)
TRANSFER_FEE: tuple[DatedRate, ...] = (
    DatedRate(dt.date(2015, 8, 1), 20, "each side, China Securities Depository and Clearing (M71)"),
    DatedRate(dt.date(2022, 4, 29), 10, "each side, halved, China Securities Depository and Clearing (M71)"),
)
COMMISSION_CAP: tuple[DatedRate, ...] = (
    DatedRate(dt.date(2002, 5, 1), 3_000, "regulator's notice 2002 No. 21: at most 0.3%, at least 5 CNY (M72)"),
)
COMMISSION_PPM = 230
"""0.023% of the traded amount: average net commission (row 19)."""
COMMISSION_MIN = 500
"""5 CNY per order, in fen (row 20)."""


@dataclass(frozen=True)
class FeeSchedule:
    """The fees of one trading day.

    Args:
        stamp_ppm: tax on the seller, in ppm.
        transfer_ppm: the clearing house's fee on each side, in ppm.
        commission_ppm: the broker's commission on each side, in ppm.
        commission_min_fen: least commission of an order that traded, in fen.
    """

    stamp_ppm: int
    transfer_ppm: int
    commission_ppm: int = COMMISSION_PPM
    commission_min_fen: int = COMMISSION_MIN

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0:
                raise ScenarioError(f"{field.name} = {value} is negative", hint="Fees are zero or more.")


def rate_on(rates: tuple[DatedRate, ...], day: dt.date) -> DatedRate:
    """The record that holds on a day.

    Raises:
        ScenarioError: the day lies before the first record.
    """
    known = [rate for rate in rates if rate.effective <= day]
    if not known:
        raise ScenarioError(f"no fee is on record for {day}", hint=f"The record starts on {rates[0].effective}.")
    return known[-1]


def schedule_on(
    day: dt.date, commission_ppm: int = COMMISSION_PPM, commission_min_fen: int = COMMISSION_MIN
) -> FeeSchedule:
    """The fee schedule of a trading day.

    Raises:
        ScenarioError: the commission is above the legal cap, or the day lies before the records.
    """
    cap = rate_on(COMMISSION_CAP, day)
    if commission_ppm > cap.ppm:
        raise ScenarioError(
            f"commission of {commission_ppm} ppm is above the legal cap", hint=f"The cap on {day} is {cap.ppm} ppm."
        )
    stamp, transfer = rate_on(STAMP_DUTY, day).ppm, rate_on(TRANSFER_FEE, day).ppm
    return FeeSchedule(stamp, transfer, commission_ppm, commission_min_fen)


@dataclass(frozen=True)
class OrderFees(Batch):
    """Fees of orders in fen, row by row."""

    commission: IntColumn
    stamp: IntColumn
    transfer: IntColumn

    def total(self) -> IntColumn:
        """All fees of each order, in fen."""
        return self.commission + self.stamp + self.transfer


def half_up(amount: IntColumn, ppm: int) -> IntColumn:
    """`amount` times `ppm` millionths, rounded half-up to whole units (amounts must not be negative)."""
    return np.asarray((amount * np.int64(ppm) + np.int64(MILLION // 2)) // np.int64(MILLION))


def order_fees(
    schedule: FeeSchedule, side: IntColumn, amount: IntColumn, is_fund: NDArray[np.bool_] | None = None
) -> OrderFees:
    """Fees of orders from their total traded amounts.

    Args:
        schedule: the day's fees.
        side: `Side` of each order.
        amount: traded amount of each order in fen; nothing traded, nothing to pay.
        is_fund: orders in exchange-traded funds, which bear neither stamp duty nor transfer fee; none if left out.

    Raises:
        DataError: an amount is negative or so large that the arithmetic would overflow.
    """
    if amount.size and (int(amount.min()) < 0 or int(amount.max()) >= _MAX_AMOUNT):
        raise DataError("traded amount out of range", hint=f"Amounts lie between 0 and {_MAX_AMOUNT} fen per order.")
    commission = np.maximum(half_up(amount, schedule.commission_ppm), schedule.commission_min_fen)
    commission[amount == 0] = 0
    stamp = half_up(amount, schedule.stamp_ppm)
    stamp[side != Side.SELL] = 0
    transfer = half_up(amount, schedule.transfer_ppm)
    if is_fund is not None:
        stamp[is_fund] = transfer[is_fund] = 0
    return OrderFees(commission, stamp, transfer)


def reconcile_fees(accrued: IntColumn, account: IntColumn, owed: OrderFees) -> None:
    """Compare the fees that the ledger took fill by fill with the fees recomputed from each order's total.

    Args:
        accrued: fees taken during the day per account, in fen.
        account: of each order.
        owed: fees of each order.

    Raises:
        ConservationError: they differ; names the first account and both amounts.
    """
    expected = np.zeros(accrued.size, np.int64)
    np.add.at(expected, account, owed.total())
    wrong = np.flatnonzero(accrued != expected)
    if wrong.size:
        first = int(wrong[0])
        raise ConservationError(
            f"the ledger took {int(accrued[first])} fen of fees, {int(expected[first])} fen are owed",
            where=f"account {first}",
            hint=f"{wrong.size} account(s) differ.",
        )
