"""Multilateral netting: what each account owes or is owed in cash per exchange and in shares per instrument.

The first tier nets the broker against the clearing house per exchange, the second tier nets each client against the
broker (domain rows C01, C02). Everything is double entry: the accounts' cash, the fees, the tax and the rest of the
market's cash sum to zero at every exchange, and shares sum to zero for every instrument.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.clearing.fees import FeeSchedule, OrderFees, order_fees
from twin.contracts import (
    Batch,
    Board,
    Exchange,
    Instruments,
    IntColumn,
    Obligations,
    Settlements,
    Tape,
    TapeKind,
    Trades,
)
from twin.errors import ConservationError, DataError
from twin.kernels.netting import add_legs, count_by_account, fold_orders, group_by_account, net_grouped

N_EXCHANGES = len(Exchange)


@dataclass(frozen=True)
class OrderTotals(Batch):
    """What each order of the day traded in all: shares, and amount in fen."""

    account: IntColumn
    instrument: IntColumn
    side: IntColumn
    quantity: IntColumn
    value: IntColumn

    @classmethod
    def of_traded(
        cls,
        account: NDArray[np.integer],
        instrument: NDArray[np.integer],
        side: NDArray[np.integer],
        quantity: NDArray[np.integer],
        value: NDArray[np.integer],
    ) -> OrderTotals:
        """The orders that traded, from columns of any integer type and layout (an order table's, for instance)."""
        rows = np.flatnonzero(quantity)
        columns = (account, instrument, side, quantity, value)
        return cls(*(np.ascontiguousarray(column[rows], np.int64) for column in columns))


def fold_trades(trades: Trades, totals: OrderTotals) -> OrderTotals:
    """Totals per order from fills.

    Args:
        trades: fills; `order` is a row of `totals`.
        totals: account, instrument and side of every order of the day; its quantity and value are ignored.

    Raises:
        DataError: a fill names an order that does not exist.
    """
    quantity, value = np.zeros(len(totals), np.int64), np.zeros(len(totals), np.int64)
    bad = fold_orders(trades.order, trades.price, trades.quantity, quantity, value)
    if bad >= 0:
        raise DataError(f"fill {bad} names order {int(trades.order[bad])}", hint=f"There are {len(totals)} orders.")
    return OrderTotals(totals.account, totals.instrument, totals.side, quantity, value)


class MarketSide:
    """The rest of the market's side of all trades: cash per exchange and shares per instrument.

    It is kept from the exchange's own record, not from the broker's books, so that it can contradict them.
    """

    def __init__(self, exchange: IntColumn) -> None:
        self._exchange = exchange
        self._value = np.zeros(exchange.size, np.int64)
        self.shares: IntColumn = np.zeros(exchange.size, np.int64)

    def add(self, instrument: IntColumn, side: IntColumn, price: IntColumn, quantity: IntColumn) -> None:
        """Book legs of trades that belong to the rest of the market; `side` is that leg's side."""
        np.add.at(self.shares, instrument, side * quantity)
        np.add.at(self._value, instrument, side * quantity * price)

    def add_tape(self, tape: Tape, first: int) -> None:
        """Book the legs of a tape's trades whose order handle is `first` or above."""
        t = tape
        add_legs(
            first, TapeKind.TRADE.value, t.kind, t.instrument, t.side, t.price, t.quantity, t.order, t.counter,
            self.shares, self._value,
        )  # fmt: skip

    @property
    def cash(self) -> IntColumn:
        """Cash that the rest of the market received per exchange, in fen; a buyer's cash is negative."""
        cash = np.zeros(N_EXCHANGES, np.int64)
        np.add.at(cash, self._exchange, -self._value)
        return cash

    @classmethod
    def opposite(cls, trades: Trades, exchange: IntColumn) -> MarketSide:
        """The side opposite to the broker's fills, for use where no tape is at hand."""
        side = cls(exchange)
        side.add(trades.instrument, -trades.side, trades.price, trades.quantity)
        return side


@dataclass(frozen=True)
class Netting:
    """Result of netting; money in fen, received positive.

    Args:
        obligations: per account and exchange, fees and tax included; only where something traded.
        shares: per account and instrument, non-zero only, `cash` 0.
        commission: the broker's income per exchange.
        stamp: tax per exchange.
        transfer: the clearing house's fee per exchange.
        net_trade: the broker's clients' trade amounts in all per exchange, before fees.
        gross_buy: amount bought per exchange, the base of the reserve.
        orders: how many orders traded.
    """

    obligations: Obligations
    shares: Settlements
    commission: IntColumn
    stamp: IntColumn
    transfer: IntColumn
    net_trade: IntColumn
    gross_buy: IntColumn
    orders: int

    def account_cash(self, n_accounts: int) -> IntColumn:
        """Net cash per account over all exchanges."""
        cash = np.zeros(n_accounts, np.int64)
        np.add.at(cash, self.obligations.account, self.obligations.cash)
        return cash

    def broker_cash(self) -> IntColumn:
        """What the broker receives from (or, negative, pays to) the clearing house per exchange, fees and tax paid."""
        return self.net_trade - self.stamp - self.transfer


def _per_exchange(column: IntColumn, exchange: IntColumn) -> IntColumn:
    return np.array([int(column[exchange == e].sum()) for e in range(N_EXCHANGES)], np.int64)


def net_orders(
    totals: OrderTotals, instruments: Instruments, n_accounts: int, schedule: FeeSchedule, fees: OrderFees | None = None
) -> Netting:
    """Net a day's orders.

    Args:
        totals: the orders, traded or not.
        instruments: what is listed; gives each instrument's exchange.
        n_accounts: how many accounts there are.
        schedule: the day's fees.
        fees: fees per row of `totals`, if they are known already.

    Raises:
        DataError: an order names an account or an instrument that does not exist.
    """
    if fees is None:
        is_fund = np.array(instruments.board == Board.FUND)[np.clip(totals.instrument, 0, len(instruments) - 1)]
        fees = order_fees(schedule, totals.side, totals.value, is_fund)
    t, exchange = totals, instruments.exchange
    offsets, sums = np.zeros(n_accounts + 2, np.int64), np.zeros((N_EXCHANGES, 5), np.int64)
    bad = count_by_account(t.account, t.instrument, t.quantity, exchange.size, offsets)
    if bad >= 0:
        raise DataError(
            f"order names account {int(t.account[bad])} and instrument {int(t.instrument[bad])}",
            where=f"order row {bad}",
            hint=f"There are {n_accounts} accounts and {exchange.size} instruments.",
        )
    traded = int(offsets[-1])
    rows = np.empty((traded, 3), np.int64)
    money = (fees.commission, fees.stamp, fees.transfer)
    group_by_account(t.account, t.instrument, t.side, t.quantity, t.value, *money, exchange, offsets, rows, sums)
    obligations, shares = _net_rows(offsets, rows, exchange)
    commission, stamp, transfer, net_trade, gross_buy = np.ascontiguousarray(sums.T)
    return Netting(obligations, shares, commission, stamp, transfer, net_trade, gross_buy, traded)


def _net_rows(offsets: IntColumn, rows: IntColumn, exchange: IntColumn) -> tuple[Obligations, Settlements]:
    active = int(np.count_nonzero(offsets[1:-1] > offsets[:-2]))
    pos = [np.empty(rows.shape[0], np.int64) for _ in range(3)]
    duty = [np.empty(N_EXCHANGES * active, np.int64) for _ in range(3)]
    scratch, cash = np.zeros(exchange.size, np.int64), np.zeros(N_EXCHANGES, np.int64)
    n_pos, n_duty = net_grouped(offsets, rows, exchange, scratch, cash, *pos, *duty)
    account, instrument, moved = (column[:n_pos] for column in pos)
    return Obligations(*(c[:n_duty] for c in duty)), Settlements(account, instrument, np.zeros(n_pos, np.int64), moved)


def check_conservation(netting: Netting, market: MarketSide) -> None:
    """Check that no fen and no share was created or destroyed.

    Raises:
        ConservationError: names the first exchange or instrument that is out of balance.
    """
    duties = netting.obligations
    cash = _per_exchange(duties.cash, duties.exchange)
    total = cash + netting.commission + netting.stamp + netting.transfer + market.cash
    for exchange in Exchange:
        if total[exchange] != 0:
            raise ConservationError(
                f"cash is out of balance by {int(total[exchange])} fen",
                where=exchange.name,
                hint="Clients, fees, tax and the rest of the market must sum to zero.",
            )
    shares = market.shares.copy()
    np.add.at(shares, netting.shares.instrument, netting.shares.shares)
    wrong = np.flatnonzero(shares)
    if wrong.size:
        first = int(wrong[0])
        raise ConservationError(
            f"shares are out of balance by {int(shares[first])}",
            where=f"instrument {first}",
            hint=f"{wrong.size} instrument(s) are concerned.",
        )


def reconcile_cash(cash_change: IntColumn, netting: Netting) -> None:
    """Compare each account's change of cash in the ledger during the day with its net obligation.

    Args:
        cash_change: per account in fen, all fees taken.
        netting: the day's netting.

    Raises:
        ConservationError: names the first account that differs, with both amounts.
    """
    expected = netting.account_cash(cash_change.size)
    wrong = np.flatnonzero(expected != cash_change)
    if wrong.size:
        first = int(wrong[0])
        raise ConservationError(
            f"the ledger moved {int(cash_change[first])} fen, clearing says {int(expected[first])} fen",
            where=f"account {first}",
            hint=f"{wrong.size} account(s) differ.",
        )
