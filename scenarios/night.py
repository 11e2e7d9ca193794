"""After the close: fees, netting, reconciliation, and the end-of-day batch until the next open."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import simpy

from scenarios import build
from scenarios.broker import Clearing
from scenarios.schema import Scenario
from scenarios.trading import TradingDay
from twin.clearing.breaks import Shift
from twin.clearing.end_of_day import EndOfDay, EndOfDayConfig, EndOfDayResult
from twin.clearing.fees import order_fees, reconcile_fees
from twin.clearing.netting import Netting, OrderTotals, check_conservation, net_orders, reconcile_cash
from twin.clock import DAY, Clock, at
from twin.contracts import Board
from twin.randomness import Streams

_UNLIMITED_STAFF = 100_000


def batch_config(section: Clearing) -> EndOfDayConfig:
    """The batch of the scenario; a quarter of the evening's people (at least one) stay on call in the night."""
    staff = _UNLIMITED_STAFF if section.staff is None else section.staff
    night = min(staff, max(1, staff // 4))
    shifts = [Shift(section.shift.start, section.shift.end, staff)] if staff else []
    if staff:
        shifts.append(Shift(section.shift.end, DAY + at("08:00"), night))
    return EndOfDayConfig(
        start=section.start,
        files=section.files_at,
        target=section.target_end,
        deadline=_text(section.deadline),
        batch_rate=max(1, round(section.batch_rate)),
        break_rate=section.break_rate,
        repair_mean=max(section.mend_time, 1),
        shifts=tuple(shifts),
    )


def _text(t_ns: int) -> str:
    minutes = t_ns // 60_000_000_000
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@dataclass
class Night:
    """What clearing found.

    Attributes:
        netting: the day's obligations. batch: how the end-of-day batch went. records: that it had to clear.
        differences: accounts whose cash in the ledger is not what clearing says.
    """

    netting: Netting | None = None
    batch: EndOfDayResult | None = None
    records: int = 0
    differences: int = 0

    def run(
        self, scenario: Scenario, day: TradingDay, clock: Clock, streams: Streams
    ) -> Generator[simpy.Event, None, None]:
        """SimPy process from the close of the books: clear, prove, then start the batch and wait for it."""
        self.netting = clear(scenario, day)
        moved = day.ledger.cash + day.ledger.frozen - day.society.cash_at_start
        self.differences = int(np.count_nonzero(self.netting.account_cash(len(day.ledger)) != moved))
        fills = day.path.counts().trades
        self.records = fills + day.population.n_active
        accounts = int(np.count_nonzero(day.ledger.slot_start >= 0))
        owner = EndOfDay(batch_config(scenario.clearing), clock, streams)
        self.batch = yield owner.start(self.records, accounts)


def clear(scenario: Scenario, day: TradingDay) -> Netting:
    """Fees and netting of the day's orders, reconciled with the ledger and with the exchange's own record.

    Raises:
        ConservationError: one fen or one share is missing somewhere.
    """
    orders, ledger = day.orders, day.ledger
    totals = OrderTotals.of_traded(*(orders.column(c) for c in ("account", "instrument", "side", "filled", "value")))
    schedule = build.fee_schedule(scenario)
    fees = order_fees(schedule, totals.side, totals.value, day.instruments.board[totals.instrument] == Board.FUND)
    reconcile_fees(ledger.fees, totals.account, fees)
    netting = net_orders(totals, day.instruments, len(ledger), schedule, fees)
    check_conservation(netting, day.market_side)
    reconcile_cash(ledger.cash + ledger.frozen - day.society.cash_at_start, netting)
    return netting
