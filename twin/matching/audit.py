"""Proof that the books are whole, recomputed from the orders themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import twin.kernels.book as book
from twin.contracts import IntColumn
from twin.errors import ConservationError


def audit_crossing(state: IntColumn, sides: IntColumn) -> None:
    """Raise ConservationError if a book's best bid reaches its best ask."""
    size = state[book.I_UP :: 8] - state[book.I_DOWN :: 8] + 1
    bid, ask = sides[book.S_BEST :: 16], sides[8 + book.S_BEST :: 16]
    crossed = (bid < size) & (ask < size) & (state[book.I_UP :: 8] - bid >= state[book.I_DOWN :: 8] + ask)
    _require(~crossed, "its book is crossed")


def audit(
    ctl: IntColumn,
    state: IntColumn,
    sides: IntColumn,
    levels: IntColumn,
    words: NDArray[np.uint64],
    pool: IntColumn,
    slots: NDArray[np.int32],
) -> None:
    """Raise ConservationError unless shares are conserved and every index agrees with the pool of orders."""
    orders = pool.reshape(-1, 8)[: ctl[book.C_USED]]
    at = np.flatnonzero(orders[:, book.P_LEAVES] != 0)
    live = orders[at]
    side = live[:, book.P_SIDE] >> 3
    n_sides = len(sides) // 8
    resting = np.zeros(n_sides, np.int64)
    np.add.at(resting, side, live[:, book.P_LEAVES])
    count = np.bincount(side, minlength=n_sides)
    instrument = np.arange(n_sides) >> 1

    def field(name: int) -> IntColumn:
        return sides[name::8]

    owner = live[:, book.P_SIDE] >> 4
    _require(live[:, book.P_LEAVES] > 0, "an order has negative leaves", owner)
    _require(resting == field(book.S_RESTING), "resting shares differ from the sum of its orders", instrument)
    _require(count == field(book.S_ORDERS), "the number of resting orders differs", instrument)
    traded = state[book.I_VOLUME :: 8][instrument]
    balance = field(book.S_ACCEPTED) - field(book.S_WITHDRAWN) - traded - resting
    _require(balance == 0, "accepted shares are not those traded, withdrawn and resting", instrument)
    _require(slots[live[:, book.P_HANDLE]] == at, "an order's handle leads elsewhere", owner)

    level = sides[live[:, book.P_SIDE] + book.S_LEVELS] + live[:, book.P_INDEX]
    occupied, inverse, orders_at = np.unique(level, return_inverse=True, return_counts=True)
    shares = np.zeros(len(occupied), np.int64)
    np.add.at(shares, inverse, live[:, book.P_LEAVES])
    ladder = levels.reshape(-1, 4)[occupied]
    at_level = instrument[np.searchsorted(field(book.S_LEVELS), occupied, side="right") - 1]
    _require(ladder[:, book.L_QUANTITY] == shares, "a level's shares differ from the sum of its orders", at_level)
    _require(ladder[:, book.L_ORDERS] == orders_at, "a level's number of orders differs", at_level)

    best = np.repeat(state[book.I_UP :: 8] - state[book.I_DOWN :: 8] + 1, 2)
    np.minimum.at(best, side, live[:, book.P_INDEX])
    _require(best == field(book.S_BEST), "the best price is not that of its best order", instrument)
    bits = int(np.bitwise_count(words).sum())
    if bits != len(occupied):
        raise ConservationError(f"{bits} levels are marked as occupied, {len(occupied)} are")


def _require(holds: NDArray[np.bool_], what: str, instrument: IntColumn | None = None) -> None:
    if not holds.all():
        row = int(np.argmin(holds))
        raise ConservationError(what, where=f"instrument {row if instrument is None else int(instrument[row])}")
