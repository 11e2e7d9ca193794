"""Pre-trade checks of the order path: price limit, lot, cash, holdings, suitability."""

from __future__ import annotations

import numpy as np

from twin.kernels import ledger, njit
from twin.kernels.order_codes import (
    I_BOARD,
    I_LARGEST_LIMIT,
    I_LARGEST_MARKET,
    I_LIMIT_DOWN,
    I_LIMIT_UP,
    I_RISK,
    I_SMALLEST,
    I_STEP,
    NIL,
    R_CASH,
    R_CLOSED,
    R_HOLDINGS,
    R_LOT,
    R_PRICE,
)


@njit(cache=True)
def legal_quantity(i, kind, side, quantity, sellable):
    """Whether a quantity of instrument `i` (a row) may be ordered: smallest order and steps, the most shares per order.

    An odd rest is sold in one order (domain M38, M39): with whole lots, or, where the step is one, alone.
    """
    most = i[I_LARGEST_MARKET] if kind == 1 else i[I_LARGEST_LIMIT]
    if quantity <= 0 or (most > 0 and quantity > most):
        return False
    smallest, step = i[I_SMALLEST], max(i[I_STEP], 1)
    if quantity >= smallest and (quantity - smallest) % step == 0:
        return True
    if side > 0:
        return False
    return quantity == sellable or (step > 1 and quantity % step == sellable % step)


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
    if not legal_quantity(i, o.kind, o.side, quantity, sellable):
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
