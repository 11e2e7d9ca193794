"""Exact prices of the rules: limits and cages in whole ticks, rounded half-up (domain M35, trap T2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.contracts import IntColumn, Side

MILLION = 1_000_000


def limit_prices(
    previous_close: IntColumn,
    percent: IntColumn | int,
    *,
    up_percent: IntColumn | int | None = None,
    at_least: IntColumn | int = 1,
) -> tuple[IntColumn, IntColumn]:
    """Lower and upper price limits in ticks: half-up to the tick, never below one tick (domain M35).

    Args:
        previous_close: ticks (on the first day the issue price), at least 1.
        percent: whole per cent downwards, for instance 10.
        up_percent: whole per cent upwards; as `percent` unless given.
        at_least: ticks that a limit stays away from the previous close; 0 where the rule knows no such floor.
    """
    close = np.asarray(previous_close, np.int64)
    down = (2 * close * (100 - percent) + 100) // 200
    up = (2 * close * (100 + (percent if up_percent is None else up_percent)) + 100) // 200
    down, up = np.minimum(down, close - at_least), np.maximum(up, close + at_least)
    return np.maximum(down, 1), np.asarray(up, np.int64)


def cage_bound(reference: int, side: int, ppm: int, ticks: int) -> int:
    """Highest price of a buy or lowest price of a sell inside the cage, in ticks, rounded half-up (domain M50, M51).

    Args:
        reference: the price that the cage hangs on, in ticks (domain M52).
        side: `Side`.
        ppm: width in parts per million.
        ticks: width in ticks; the wider of the two holds.
    """
    if side == Side.BUY:
        return max(half_up(reference, MILLION + ppm), reference + ticks)
    return max(min(half_up(reference, MILLION - ppm), reference - ticks), 1)


def half_up(price: int, ppm: int) -> int:
    """`price` times `ppm` millionths, rounded half-up to the tick."""
    return (2 * price * ppm + MILLION) // (2 * MILLION)


def per_cent_of(price: IntColumn, percent: NDArray[np.int64] | int) -> IntColumn:
    """Whole per cent of prices, rounded half-up to the tick."""
    return np.asarray((2 * np.asarray(price, np.int64) * percent + 100) // 200)
