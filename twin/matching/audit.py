"""Proof that the books are whole, recomputed from the orders themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import twin.kernels.ladders as ladders
from twin.contracts import IntColumn
from twin.errors import ConservationError


def audit_crossing(state: IntColumn, sides: IntColumn) -> None:
    """Raise ConservationError if a book in continuous trading has its best bid at or above its best ask."""
    stride = 1 << ladders.I_BITS
    up, down = state[ladders.I_UP :: stride], state[ladders.I_DOWN :: stride]
    best = sides[ladders.S_BEST :: 1 << ladders.S_BITS][: 2 * len(up)]
    bid, ask, size = best[::2], best[1::2], up - down + 1
    crossed = (bid < size) & (ask < size) & (up - bid >= down + ask)
    _require(~(crossed & (state[ladders.I_PHASE :: stride] == ladders.CONTINUOUS)), "its book is crossed")


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
    orders = pool.reshape(-1, 8)[: ctl[ladders.C_USED]]
    at = np.flatnonzero(orders[:, ladders.P_LEAVES] != 0)
    live = orders[at]
    side = live[:, ladders.P_SIDE] >> ladders.S_BITS
    n_sides = len(sides) >> ladders.S_BITS
    instrument = np.arange(n_sides) // 2 % max(1, n_sides // 4)

    def field(name: int) -> IntColumn:
        return sides[name :: 1 << ladders.S_BITS]

    def both(column: IntColumn) -> IntColumn:
        """In the book and outside the cage together, per instrument and side."""
        return column.reshape(2, -1).sum(axis=0)

    owner = live[:, ladders.P_INSTRUMENT]
    _require(live[:, ladders.P_LEAVES] > 0, "an order has negative leaves", owner)
    _require(instrument[side] == owner, "an order rests in another instrument's book", owner)
    resting = np.zeros(n_sides, np.int64)
    np.add.at(resting, side, live[:, ladders.P_LEAVES])
    traded = np.repeat(state[ladders.I_VOLUME :: 1 << ladders.I_BITS], 2)
    balance = both(field(ladders.S_NET)) - traded - both(resting)
    _require(balance == 0, "accepted shares are not those traded, withdrawn and resting", instrument)
    _require(slots[live[:, ladders.P_HANDLE]] == at, "an order's handle leads elsewhere", owner)
    if len(live) != ctl[ladders.C_LIVE]:
        raise ConservationError(f"{int(ctl[ladders.C_LIVE])} orders are counted, {len(live)} rest")

    level = sides[live[:, ladders.P_SIDE] + ladders.S_LEVELS] + live[:, ladders.P_INDEX]
    occupied, inverse, orders_at = np.unique(level, return_inverse=True, return_counts=True)
    shares = np.zeros(len(occupied), np.int64)
    np.add.at(shares, inverse, live[:, ladders.P_LEAVES])
    ladder = levels.reshape(-1, 4)[occupied]
    at_level = owner[np.unique(level, return_index=True)[1]]
    _require(ladder[:, ladders.L_QUANTITY] == shares, "a level's shares differ from the sum of its orders", at_level)
    _require(ladder[:, ladders.L_ORDERS] == orders_at, "a level's number of orders differs", at_level)

    best = field(ladders.S_SIZE).copy()
    np.minimum.at(best, side, live[:, ladders.P_INDEX])
    _require(best == field(ladders.S_BEST), "the best price is not that of its best order", instrument)
    bits = int(np.bitwise_count(words).sum())
    if bits != len(occupied):
        raise ConservationError(f"{bits} levels are marked as occupied, {len(occupied)} are")
    held = state[ladders.I_RESUME :: 1 << ladders.I_BITS] > 0
    shut = state[ladders.I_SESSION :: 1 << ladders.I_BITS] == ladders.SHUT
    phase = state[ladders.I_PHASE :: 1 << ladders.I_BITS]
    _require(~held | shut | (phase == ladders.HALT), "it is halted, but its phase is another")


def _require(holds: NDArray[np.bool_], what: str, instrument: IntColumn | None = None) -> None:
    if not holds.all():
        row = int(np.argmin(holds))
        raise ConservationError(what, where=f"instrument {row if instrument is None else int(instrument[row])}")


def resting_orders(
    sides: IntColumn, levels: IntColumn, pool: IntColumn, side: int
) -> tuple[IntColumn, IntColumn, IntColumn]:
    """Handles, prices and shares of the orders of a side (2 x instrument, + 1 for sells), best and oldest first."""
    row = sides.reshape(-1, 1 << ladders.S_BITS)[side]
    first = int(row[ladders.S_LEVELS])
    own = levels.reshape(-1, 4)[first : first + int(row[ladders.S_SIZE])]
    found: list[tuple[int, int, int]] = []
    for index in np.flatnonzero(own[:, ladders.L_ORDERS]).tolist():
        price = int(row[ladders.S_BASE] + row[ladders.S_SIGN] * index)
        record = int(own[index, ladders.L_HEAD])
        while record:
            found.append((int(pool[record + ladders.P_HANDLE]), price, int(pool[record + ladders.P_LEAVES])))
            record = int(pool[record + ladders.P_NEXT])
    columns = np.array(found, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]
