"""Netting of a day's fills: fold fills into orders, then orders into net cash and net shares per account."""

from __future__ import annotations

import numpy as np

from twin.kernels import kernel, njit

_SMALL = 24
"""Up to so many rows an account's orders are sorted in place; above, they are summed in a table of all instruments."""


@njit(cache=True)
def fold_orders(order, price, quantity, out_quantity, out_value):
    """Add quantity and price * quantity of each fill to its order.

    Args:
        order, price, quantity: int64 columns of the fills.
        out_quantity, out_value: int64 arrays indexed by order, added to.

    Returns:
        -1, or the first row whose order lies outside the arrays (nothing after it is added).
    """
    n_orders = out_quantity.shape[0]
    for i in range(order.shape[0]):
        o = order[i]
        if o < 0 or o >= n_orders:
            return i
        out_quantity[o] += quantity[i]
        out_value[o] += price[i] * quantity[i]
    return -1


@kernel
def add_legs(first, trade, kind, instrument, side, price, quantity, order, counter, shares, value):
    """Add the legs of trades whose order handle is `first` or above to shares and price * shares per instrument.

    Args:
        first, trade: int64; rows of another kind than `trade` are passed over.
        kind, instrument, side, price, quantity, order, counter: int64 columns of a tape.
        shares, value: int64 arrays by instrument, added to.
    """
    for row in range(kind.shape[0]):
        if kind[row] != trade:
            continue
        legs = np.int64(order[row] >= first) - np.int64(counter[row] >= first)
        bought = legs * side[row] * quantity[row]
        shares[instrument[row]] += bought
        value[instrument[row]] += bought * price[row]


@njit(cache=True)
def count_by_account(account, instrument, quantity, n_instruments, offsets):
    """Count the orders that traded by account, as offsets one place ahead of where `group_by_account` leaves them.

    Args:
        account, instrument, quantity: int64 columns of the orders; those of quantity 0 are passed over.
        n_instruments: how many instruments there are.
        offsets: int64 zeros, number of accounts + 2.

    Returns:
        -1, or the first traded row whose account or instrument does not exist.
    """
    n_accounts = offsets.shape[0] - 2
    for i in range(account.shape[0]):
        if quantity[i] == 0:
            continue
        a = account[i]
        if a < 0 or a >= n_accounts or instrument[i] < 0 or instrument[i] >= n_instruments:
            return i
        offsets[a + 2] += 1
    for a in range(2, n_accounts + 2):
        offsets[a] += offsets[a - 1]
    return -1


@njit(cache=True)
def group_by_account(
    account, instrument, side, quantity, value, commission, stamp, transfer, exchange, offsets, rows, sums
):
    """Second half of a counting sort of the orders that traded by account, and their sums by exchange.

    Args:
        account, instrument, side, quantity, value, commission, stamp, transfer: int64 columns of the orders; side is
            +1 buy or -1 sell, money in fen.
        exchange: int64, exchange of each instrument, from 0.
        offsets: from `count_by_account`; on return account a's rows are offsets[a] to offsets[a + 1].
        rows: int64 (traded orders, 3), filled with instrument, shares received and cash received (may be negative).
        sums: int64 zeros, one row of 5 per exchange: commission, stamp duty, transfer fee, trade cash received, bought.
    """
    for i in range(account.shape[0]):
        if quantity[i] == 0:
            continue
        a = account[i] + 1
        at = offsets[a]
        offsets[a] = at + 1
        cash = -side[i] * value[i]
        rows[at, 0] = instrument[i]
        rows[at, 1] = side[i] * quantity[i]
        rows[at, 2] = cash - commission[i] - stamp[i] - transfer[i]
        e = exchange[instrument[i]]
        sums[e, 0] += commission[i]
        sums[e, 1] += stamp[i]
        sums[e, 2] += transfer[i]
        sums[e, 3] += cash
        if side[i] > 0:
            sums[e, 4] += value[i]


@njit(cache=True)
def net_grouped(
    offsets,
    rows,
    exchange,
    table,
    cash,
    pos_account,
    pos_instrument,
    pos_shares,
    duty_account,
    duty_exchange,
    duty_cash,
):
    """Sum grouped rows into net shares per account and instrument and net cash per account and exchange.

    Args:
        offsets, rows: from `group_by_account`; the small groups of `rows` are reordered.
        exchange: int64, exchange of each instrument, from 0.
        table: int64 zeros, one per instrument; zero again on return.
        cash: int64, one scratch cell per exchange.
        pos_account, pos_instrument, pos_shares: int64 outputs, as long as `rows`.
        duty_account, duty_exchange, duty_cash: int64 outputs, one row per exchange and account with rows.

    Returns:
        (number of positions, all non-zero and sorted by account and instrument, number of duties, sorted likewise).
    """
    n_pos = 0
    n_duty = 0
    n_instruments = exchange.shape[0]
    for a in range(offsets.shape[0] - 2):
        lo = offsets[a]
        hi = offsets[a + 1]
        if lo == hi:
            continue
        cash[:] = 0
        traded = 0
        for r in range(lo, hi):
            e = exchange[rows[r, 0]]
            cash[e] += rows[r, 2]
            traded |= 1 << e
        if hi - lo <= _SMALL:
            for r in range(lo + 1, hi):
                instrument = rows[r, 0]
                shares = rows[r, 1]
                s = r - 1
                while s >= lo and rows[s, 0] > instrument:
                    rows[s + 1, 0] = rows[s, 0]
                    rows[s + 1, 1] = rows[s, 1]
                    s -= 1
                rows[s + 1, 0] = instrument
                rows[s + 1, 1] = shares
            r = lo
            while r < hi:
                instrument = rows[r, 0]
                shares = rows[r, 1]
                r += 1
                while r < hi and rows[r, 0] == instrument:
                    shares += rows[r, 1]
                    r += 1
                if shares != 0:
                    pos_account[n_pos] = a
                    pos_instrument[n_pos] = instrument
                    pos_shares[n_pos] = shares
                    n_pos += 1
        else:
            for r in range(lo, hi):
                table[rows[r, 0]] += rows[r, 1]
            for instrument in range(n_instruments):
                if table[instrument] != 0:
                    pos_account[n_pos] = a
                    pos_instrument[n_pos] = instrument
                    pos_shares[n_pos] = table[instrument]
                    table[instrument] = 0
                    n_pos += 1
        for e in range(cash.shape[0]):
            if traded >> e & 1:
                duty_account[n_duty] = a
                duty_exchange[n_duty] = e
                duty_cash[n_duty] = cash[e]
                n_duty += 1
    return n_pos, n_duty
