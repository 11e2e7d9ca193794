"""Delivery versus payment between the broker and the clearing house.

Securities move on the evening of the trading day, cash on the next trading day with the final point at 16:00 (domain
rows C01, C04). A participant must hold its minimum reserve besides what it pays (C05, C07); when its cash falls short,
the clearing house keeps the shares that it bought (C06).

Does not model: the default procedure after the final point (interest, disposal of the kept shares).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.clearing.fees import MILLION
from twin.clearing.netting import Netting
from twin.clock import Clock, at
from twin.contracts import Exchange, IntColumn, Settlements
from twin.errors import ScenarioError

RESERVE_PPM: tuple[tuple[int, int], ...] = ((at("09:00"), 130_000), (at("11:00"), 150_000))
"""Reserve ratio (ppm) of a participant that pays on T+1 before the given time of day (row 114, C07)."""
RESERVE_PPM_LATE = 160_000
"""Reserve ratio (ppm) of a participant that pays later."""
CASH_FINAL = "16:00"
NO_INSTRUMENT = -1


def reserve_ppm(pay_time: int) -> int:
    """Reserve ratio in ppm of a participant that pays at a time of day (ns)."""
    for before, ppm in RESERVE_PPM:
        if pay_time < before:
            return ppm
    return RESERVE_PPM_LATE


def reserve(average_daily_buy: int, pay_time: int) -> int:
    """Minimum reserve in fen, half-up.

    Args:
        average_daily_buy: of the month before, in fen (C08).
        pay_time: time of day (ns) at which the participant pays on T+1.
    """
    if average_daily_buy < 0:
        raise ScenarioError(f"average daily buy amount {average_daily_buy} is negative", hint="Give zero or more.")
    return (average_daily_buy * reserve_ppm(pay_time) + MILLION // 2) // MILLION


@dataclass(frozen=True)
class ParticipantDuty:
    """The broker's standing at one exchange's clearing house, in fen.

    Args:
        exchange: whose clearing house.
        net_cash: to receive (positive) or to pay (negative).
        reserve: minimum reserve.
        withdrawable: balance less reserve less what is payable, never below zero (C05).
        shortfall: what is missing to pay in full; the reserve itself may be used to pay.
    """

    exchange: Exchange
    net_cash: int
    reserve: int
    withdrawable: int
    shortfall: int

    @property
    def is_delivered(self) -> bool:
        """Whether the shares bought are released at the final point."""
        return self.shortfall == 0


@dataclass(frozen=True)
class SettlementPlan:
    """What moves, and when; times in ns since midnight of the trading day."""

    movements: Settlements
    """Shares per account and instrument, then cash per account (instrument -1)."""
    securities_due: int
    cash_due: int
    participants: tuple[ParticipantDuty, ...]


def settle(
    netting: Netting,
    clock: Clock,
    securities_due: int,
    balances: IntColumn,
    average_daily_buy: IntColumn,
    pay_time: int,
) -> SettlementPlan:
    """Book delivery versus payment of a day's netting.

    Args:
        netting: the day's netting.
        clock: gives the next trading day.
        securities_due: when the clearing house books shares on the evening of the day, ns.
        balances: the broker's cash at each exchange's clearing house in fen.
        average_daily_buy: of the month before, per exchange, in fen.
        pay_time: time of day (ns) at which the broker pays on the next trading day.
    """
    duties = []
    for exchange, net in zip(Exchange, netting.broker_cash().tolist(), strict=True):
        held = reserve(int(average_daily_buy[exchange]), pay_time)
        balance, payable = int(balances[exchange]), max(0, -net)
        free = max(0, balance - held - payable)
        duties.append(ParticipantDuty(exchange, net, held, free, max(0, payable - balance)))
    owed = netting.obligations
    cash = Settlements(owed.account, np.full(len(owed), NO_INSTRUMENT), owed.cash, np.zeros(len(owed), np.int64))
    movements = Settlements.concat([netting.shares, cash])
    return SettlementPlan(movements, securities_due, clock.next_open(CASH_FINAL), tuple(duties))
