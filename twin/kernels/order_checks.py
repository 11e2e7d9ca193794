"""Pre-trade checks of the order path: price limit, lot, cash, holdings, suitability."""

from __future__ import annotations

import numpy as np
from numba import njit

from twin.kernels import ledger
from twin.kernels.order_codes import (
    BEIJING,
    CHINEXT,
    FUND,
    I_BOARD,
    I_LIMIT_DOWN,
    I_LIMIT_UP,
    I_LOT,
    I_RISK,
    NIL,
    R_CASH,
    R_CLOSED,
    R_HOLDINGS,
    R_LOT,
    R_PRICE,
    STAR,
)


@njit(cache=True)
def legal_quantity(board, lot, kind, side, quantity, sellable):
    """Whether a quantity may be ordered (M38 to M40): lots, odd rests sold in one order, most shares per order.

    Quantities of funds are tens of units.
    """
    most = 1_000_000
    if board == STAR:
        most = 100_000 if kind == 0 else 50_000
    elif board == CHINEXT:
        most = 300_000 if kind == 0 else 150_000
    elif board == FUND:
        most = 100_000
    if quantity <= 0 or quantity > most:
        return False
    if board in (STAR, BEIJING):
        return quantity >= lot or (side < 0 and quantity == sellable)
    return quantity % lot == 0 or (side < 0 and quantity % lot == sellable % lot)


@njit(cache=True)
def verify(orders, row, instruments, accounts, slots, rates, time, last_close):
    """Pre-trade checks of an order in the broker's books at an instant; holds cash or shares. Returns a reason or 0.

    `rates` has a row per instrument.
    """
    o = orders[row]
    account, instrument = np.int64(o.account), np.int64(o.instrument)
    i = instruments[instrument]
    if time >= last_close:
        return R_CLOSED
    if o.kind == 1:
        o.freeze_price = i[I_LIMIT_UP] if o.side > 0 else i[I_LIMIT_DOWN]
    elif o.price <= 0 or (i[I_LIMIT_UP] > 0 and (o.price < i[I_LIMIT_DOWN] or o.price > i[I_LIMIT_UP])):
        return R_PRICE
    sellable = ledger.sellable_of(accounts, slots, account, instrument) if o.side < 0 else np.int64(0)
    quantity = np.int64(o.quantity)
    if not legal_quantity(i[I_BOARD], i[I_LOT], o.kind, o.side, quantity, sellable):
        return R_LOT
    if o.side > 0:
        held = ledger.cash_held(rates[instrument], np.int64(o.freeze_price), quantity, NIL, NIL)
        if not ledger.freeze_cash(accounts, account, held):
            return R_CASH
    elif not ledger.freeze_shares(accounts, slots, account, instrument, quantity):
        return R_HOLDINGS
    return NIL


@njit(cache=True)
def suitable(orders, row, instruments, permissions, risk):
    """Whether a buyer has the board's permission and a risk class not below the instrument's risk level.

    Selling needs neither: nobody may be kept from parting with what he owns.
    """
    o = orders[row]
    if o.side < 0:
        return True
    i = instruments[o.instrument]
    return ((permissions[o.account] >> i[I_BOARD]) & 1) == 1 and risk[o.account] >= i[I_RISK]
