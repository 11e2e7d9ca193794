"""The arrays of empty books, as `twin.kernels.ladders` lays them out."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

import twin.kernels.ladders as ladders
from twin.contracts import Exchange, Instruments, IntColumn, OrderRules
from twin.errors import CapacityError, DataError

Books = tuple[IntColumn, IntColumn, NDArray[np.uint64], NDArray[np.uint64]]
"""sides, levels, words, summary."""

_RULES: Final = {
    "smallest": ladders.I_SMALLEST,
    "step": ladders.I_STEP,
    "largest_limit": ladders.I_LARGEST_LIMIT,
    "largest_market": ladders.I_LARGEST_MARKET,
    "kinds": ladders.I_KINDS,
    "cage_ppm": ladders.I_CAGE_PPM,
    "cage_ticks": ladders.I_CAGE_TICKS,
    "cage_parks": ladders.I_CAGE_PARKS,
    "open_low": ladders.I_OPEN_LOW,
    "open_high": ladders.I_OPEN_HIGH,
    "band_ppm": ladders.I_BAND_PPM,
    "halt_first_ppm": ladders.I_HALT_FIRST,
    "halt_second_ppm": ladders.I_HALT_SECOND,
    "halt_ns": ladders.I_HALT_NS,
    "halt_until": ladders.I_HALT_UNTIL,
    "tie_break": ladders.I_TIE,
}
_MAX_LEVELS: Final = 1 << 30


def empty_books(instruments: Instruments, rules: OrderRules | None) -> tuple[IntColumn, IntColumn, Books]:
    """`ctl`, `state` and the books of a day before its first message.

    Raises:
        DataError: limits of an instrument make no ladder.
        CapacityError: too many price levels in all.
    """
    n = len(instruments)
    size = _ladder_sizes(instruments)
    state = _state_of(instruments, rules)
    parks = state.reshape(n, -1)[:, ladders.I_CAGE_PARKS] != 0
    per_side = np.concatenate([np.repeat(size, 2), np.repeat(np.where(parks, size, 0), 2)])
    n_words = (per_side + 63) >> 6
    n_groups = (n_words + 63) >> 6
    if int(per_side.sum()) > _MAX_LEVELS:
        raise CapacityError(
            f"{int(per_side.sum())} price levels", hint=f"At most {_MAX_LEVELS} in all: narrow the price limits."
        )
    ctl = lines(ladders.CTL_SIZE)
    ctl[ladders.C_USED] = 1
    ctl[ladders.C_RULES] = int(rules is not None)
    ctl[ladders.C_PARKS] = int(parks.any())
    ctl[ladders.C_PARKED] = n << (ladders.S_BITS + 1)
    sides = lines(4 * n << ladders.S_BITS).reshape(4 * n, -1)
    sides[:, ladders.S_LEVELS] = np.cumsum(per_side) - per_side
    sides[:, ladders.S_WORDS] = np.cumsum(n_words) - n_words
    sides[:, ladders.S_SUMMARY] = np.cumsum(n_groups) - n_groups
    sides[:, ladders.S_BEST] = sides[:, ladders.S_SIZE] = per_side
    low, high = instruments.limit_down, instruments.limit_up
    sides[:, ladders.S_BASE] = np.concatenate([np.stack([high, low], 1), np.stack([low, high], 1)]).reshape(-1)
    sides[:, ladders.S_SIGN] = np.repeat([[-1, 1], [1, -1]], n, axis=0).reshape(-1)
    levels = lines(4 * int(per_side.sum()))
    words, summary = np.zeros(int(n_words.sum()), np.uint64), np.zeros(int(n_groups.sum()), np.uint64)
    return ctl, state, (sides.reshape(-1), levels, words, summary)


def _ladder_sizes(instruments: Instruments) -> IntColumn:
    """Price levels of each instrument, checked."""
    size = instruments.limit_up - instruments.limit_down + 1
    if len(size) and (int(size.min()) < 1 or int(instruments.limit_down.min()) < 1):
        row = int(np.argmax((size < 1) | (instruments.limit_down < 1)))
        raise DataError(
            f"price limits {instruments.limit_down[row]}..{instruments.limit_up[row]} ticks",
            where=f"instrument {row}",
            hint="The lower limit must be at least 1 tick and not above the upper.",
        )
    return size


def _state_of(instruments: Instruments, rules: OrderRules | None) -> IntColumn:
    """The `state` array of the books before the first message."""
    state = lines(len(instruments) << ladders.I_BITS).reshape(len(instruments), -1)
    state[:, ladders.I_DOWN] = instruments.limit_down
    state[:, ladders.I_UP] = instruments.limit_up
    state[:, ladders.I_CLOSE] = instruments.previous_close
    state[:, ladders.I_TIE] = instruments.exchange != Exchange.SSE
    if rules is not None:
        for name, field in _RULES.items():
            state[:, field] = getattr(rules, name)
    return state.reshape(-1)


def lines(size: int) -> IntColumn:
    """Zeros that begin on a boundary of 64 bytes, so that a record of eight fields is one cache line."""
    raw = np.zeros(size + 7, np.int64)
    skip = -raw.ctypes.data % 64 // 8
    return raw[skip : skip + size]
