"""Cash and shares of accounts: freezes, fills, releases, fees, in integers.

`accounts` and `slots` are record arrays (twin.ledger.ACCOUNT and SLOT): a row's fields share a cache line. `top` is one
int64, the number of slots given out. `rates` is int64 (commission ppm, minimum commission in fen, stamp duty ppm,
transfer fee ppm). Side is 1 for a buy and -1 for a sell.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import njit

NO_SLOT = -1
POOL_FULL = -2
_MILLION = 1_000_000


@njit(cache=True)
def fee_of(rates, side, value):
    """Fees in fen of an order whose fills are worth `value` fen so far; each kind is rounded half-up."""
    if value <= 0:
        return np.int64(0)
    half = _MILLION // 2
    fee = max(rates[1], (value * rates[0] + half) // _MILLION) + (value * rates[3] + half) // _MILLION
    if side < 0:
        fee += (value * rates[2] + half) // _MILLION
    return fee


@njit(cache=True)
def cash_held(rates, freeze_price, quantity, filled, value):
    """Fen that a buy order holds: the rest at the freeze price, and the fees that would still come.

    As fees never fall when the value grows, the hold of the rest always pays for the rest (no overdraft by a buy).
    """
    rest = freeze_price * (quantity - filled)
    return rest + fee_of(rates, 1, value + rest) - fee_of(rates, 1, value)


@njit(cache=True)
def find_slot(accounts, slots, account, instrument):
    """Slot of an account's position, or NO_SLOT."""
    start = accounts[account].slot_start
    if start >= 0:
        for k in range(start, start + accounts[account].slot_count):
            if slots[k].instrument == instrument:
                return k
    return np.int64(NO_SLOT)


@njit(cache=True)
def take_slot(accounts, slots, top, account, instrument):
    """Slot of an account's position, made if need be by moving its slots to a block twice as large; or POOL_FULL."""
    slot = find_slot(accounts, slots, account, instrument)
    if slot != NO_SLOT:
        return slot
    slot = find_slot(accounts, slots, account, -1)
    if slot == NO_SLOT:
        owner = accounts[account]
        start, count, new = owner.slot_start, np.int64(owner.slot_count), top[0]
        end = new + max(2 * count, 2)
        if end > slots.shape[0]:
            return np.int64(POOL_FULL)
        for k in range(count):
            old, moved = slots[start + k], slots[new + k]
            moved.instrument, moved.sellable = old.instrument, old.sellable
            moved.frozen_shares, moved.bought = old.frozen_shares, old.bought
            old.instrument, old.sellable, old.frozen_shares, old.bought = -1, 0, 0, 0
        for k in range(new + count, end):
            empty = slots[k]
            empty.instrument, empty.sellable, empty.frozen_shares, empty.bought = -1, 0, 0, 0
        owner.slot_start, owner.slot_count, top[0] = new, end - new, end
        slot = new + count
    slots[slot].instrument = instrument
    return slot


@njit(cache=True)
def free_if_empty(slots, slot):
    """Give up a slot that holds nothing."""
    s = slots[slot]
    if s.sellable == 0 and s.frozen_shares == 0 and s.bought == 0:
        s.instrument = -1


@njit(cache=True)
def freeze_cash(accounts, account, amount):
    """Move fen from available to frozen; False if there is too little."""
    owner = accounts[account]
    if owner.cash < amount:
        return False
    owner.cash -= amount
    owner.frozen += amount
    return True


@njit(cache=True)
def freeze_shares(accounts, slots, account, instrument, quantity):
    """Move sellable shares to frozen; False if there are too few (shares bought today do not count: T+1)."""
    slot = find_slot(accounts, slots, account, instrument)
    if slot == NO_SLOT or slots[slot].sellable < quantity:
        return False
    slots[slot].sellable -= quantity
    slots[slot].frozen_shares += quantity
    return True


@njit(cache=True)
def sellable_of(accounts, slots, account, instrument):
    """Shares that an account may sell now."""
    slot = find_slot(accounts, slots, account, instrument)
    return slots[slot].sellable if slot != NO_SLOT else np.int64(0)


@njit(cache=True)
def post_fill(accounts, slots, top, rates, account, instrument, side, freeze, quantity, filled, value, price, shares):
    """Post a fill of `shares` at `price` of an order of which `filled` shares worth `value` fen were filled before.

    A buy, which froze at the price `freeze`, gives up what it need no longer hold and pays; a sell earns. Fees accrue
    as the increment of the order's fees. Returns False if no slot was left.
    """
    amount = price * shares
    fee = fee_of(rates, side, value + amount) - fee_of(rates, side, value)
    owner = accounts[account]
    if side > 0:
        slot = take_slot(accounts, slots, top, account, instrument)
        if slot == POOL_FULL:
            return False
        # The difference of `cash_held` before and after: the fees of the fill itself appear in both and cancel out.
        cheaper = np.int64(0)
        if price != freeze:
            whole = value + freeze * (quantity - filled)
            cheaper = fee_of(rates, 1, whole) - fee_of(rates, 1, whole - (freeze - price) * shares)
        owner.frozen -= freeze * shares + cheaper + fee
        owner.cash += (freeze - price) * shares + cheaper
        slots[slot].bought += shares
    else:
        slot = find_slot(accounts, slots, account, instrument)
        slots[slot].frozen_shares -= shares
        owner.cash += amount - fee
        free_if_empty(slots, slot)
    owner.fees += fee
    return True


@njit(cache=True)
def release_rest(accounts, slots, rates, account, instrument, side, freeze, quantity, filled, value):
    """Free what an order that has ended still holds."""
    if side > 0:
        held = cash_held(rates, freeze, quantity, filled, value)
        accounts[account].frozen -= held
        accounts[account].cash += held
    elif quantity > filled:
        slot = find_slot(accounts, slots, account, instrument)
        slots[slot].frozen_shares -= quantity - filled
        slots[slot].sellable += quantity - filled


@njit(cache=True)
def give_slots(accounts, slots, top, owners, counts, instruments, shares):
    """Open the owners' slots (counts[i] of them) with sellable positions given one after the other; False when full.

    `instruments` may be -1 for an empty slot; the lengths of `instruments` and `shares` are the sum of `counts`.
    """
    at = 0
    for i in range(owners.shape[0]):
        start = top[0]
        if start + counts[i] > slots.shape[0]:
            return False
        accounts[owners[i]].slot_start = start
        accounts[owners[i]].slot_count = counts[i]
        top[0] = start + counts[i]
        for k in range(start, start + counts[i]):
            s = slots[k]
            s.instrument = instruments[at]
            s.sellable = shares[at] if instruments[at] >= 0 else 0
            s.frozen_shares = s.bought = 0
            at += 1
    return True


@njit(cache=True)
def share_totals(slots, n, out):
    """Add up sellable, frozen and bought shares of every instrument in the first n slots into `out` (int64)."""
    for k in range(n):
        s = slots[k]
        if s.instrument >= 0:
            out[s.instrument] += s.sellable + s.frozen_shares + s.bought


@njit(cache=True)
def release_bought(slots, n):
    """Overnight: shares bought today may be sold."""
    for k in range(n):
        slots[k].sellable += slots[k].bought
        slots[k].bought = 0
