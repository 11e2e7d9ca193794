"""The matching engine of an exchange: many books, one tape.

Assumes limit, immediate-or-cancel and market orders (market: the best five levels of the other side, the remainder
cancelled), price-time priority, trades at the resting order's price, call auctions as in `twin.kernels.auction`.
Does not model lots, order size limits or halts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

import twin.kernels.auction as auction
import twin.kernels.book as book
from twin.clock import Phase
from twin.contracts import Instruments, IntColumn, Messages, Quotes, Tape
from twin.errors import CapacityError, DataError
from twin.matching.audit import audit, audit_crossing

BACKGROUND_BASE: Final = 1 << 26
"""First order handle of the background flow; the broker's own orders lie below."""

_PHASES: Final = {
    Phase.OPEN_CALL: book.CALL,
    Phase.CLOSE_CALL: book.CALL,
    Phase.CONTINUOUS: book.CONTINUOUS,
}
_MAX_TAPE_ROWS: Final = 1 << 17
_MAX_LEVELS: Final = 1 << 30
# Columns of the tape start 448 bytes apart modulo a page, so that they do not fight for the same cache sets.
_STAGGER: Final = 56

_COLUMNS: Final = ("time", "kind", "instrument", "side", "price", "quantity", "order")

_BAD_MESSAGE: Final = {
    book.BAD_HANDLE: ("order handle {order} is out of range", "Handles are below the engine's max_orders."),
    book.BAD_INSTRUMENT: ("instrument {instrument} is not listed", "Instruments count from 0."),
    book.BAD_SIDE: ("side {side} is neither 1 (buy) nor -1 (sell)", ""),
    book.BAD_KIND: ("kind {kind} is not a message kind", ""),
    book.HANDLE_IN_USE: ("order handle {order} belongs to a resting order", "Reuse a handle when its order has ended."),
}


class MatchingEngine:
    """Books of all listed instruments.

    Args:
        instruments: what is listed; every order's price must lie within the instrument's limits.
        max_orders: order handles lie below this; memory is committed only for handles in use.
        pool_orders: orders that rest at first; grows by doubling.
        tape_rows: rows of tape handed over at a time; grows with use.
    """

    def __init__(
        self,
        instruments: Instruments,
        *,
        max_orders: int = 1 << 27,
        pool_orders: int = 1 << 12,
        tape_rows: int = 1 << 12,
    ) -> None:
        n = len(instruments)
        self.n_instruments = n
        size = instruments.limit_up - instruments.limit_down + 1
        if n and (int(size.min()) < 1 or int(instruments.limit_down.min()) < 1):
            row = int(np.argmax((size < 1) | (instruments.limit_down < 1)))
            raise DataError(
                f"price limits {instruments.limit_down[row]}..{instruments.limit_up[row]} ticks",
                where=f"instrument {row}",
                hint="The lower limit must be at least 1 tick and not above the upper.",
            )
        per_side = np.repeat(size, 2)
        n_words = (per_side + 63) >> 6
        n_groups = (n_words + 63) >> 6
        if int(per_side.sum()) > _MAX_LEVELS:
            raise CapacityError(
                f"{int(per_side.sum())} price levels", hint=f"At most {_MAX_LEVELS} in all: narrow the price limits."
            )
        self._ctl = np.zeros(book.CTL_SIZE, np.int64)
        self._ctl[book.C_USED] = 1
        state = np.zeros((n, 8), np.int64)
        state[:, book.I_DOWN] = instruments.limit_down
        state[:, book.I_UP] = instruments.limit_up
        state[:, book.I_CLOSE] = instruments.previous_close
        state[:, book.I_EXCHANGE] = instruments.exchange
        sides = np.zeros((2 * n, 8), np.int64)
        sides[:, book.S_LEVELS] = np.cumsum(per_side) - per_side
        sides[:, book.S_WORDS] = np.cumsum(n_words) - n_words
        sides[:, book.S_SUMMARY] = np.cumsum(n_groups) - n_groups
        sides[:, book.S_BEST] = per_side
        self._state, self._sides = state.reshape(-1), sides.reshape(-1)
        self._ladders = (
            self._state,
            self._sides,
            np.zeros(4 * int(per_side.sum()), np.int64),
            np.zeros(int(n_words.sum()), np.uint64),
            np.zeros(int(n_groups.sum()), np.uint64),
        )
        self._pool = np.zeros(8 * max(2, pool_orders), np.int64)
        self._slots = np.zeros(max_orders, np.int32)
        self._tape_rows = max(1, tape_rows)
        self._tape = self._new_tape()
        self._no_depth = np.zeros((4, 0), np.int64)
        self.set_phase(Phase.CLOSED)

    @property
    def phase(self) -> Phase:
        """The phase set last."""
        return self._phase

    @property
    def resting(self) -> int:
        """Orders that rest in all books."""
        return int(self._sides[book.S_ORDERS :: 8].sum())

    def set_phase(self, phase: Phase, *, cancels_allowed: bool = True) -> None:
        """Enter a phase. In calls orders rest; outside calls and continuous trading every message is refused.

        Raises:
            ConservationError: continuous trading would begin with a crossed book (an `uncross` is missing).
        """
        self._phase = phase
        mode = _PHASES.get(phase, book.SHUT)
        self._ctl[book.C_PHASE] = mode
        self._ctl[book.C_CANCELS] = int(cancels_allowed and mode != book.SHUT)
        if mode == book.CONTINUOUS:
            audit_crossing(self._state, self._sides)

    def process(self, messages: Messages) -> Tape:
        """Handle messages in the given order, which is by time, and report everything that came of them.

        A refused cancel has quantity 0 and, in a phase that takes nothing, the reason NO_CANCEL.

        Raises:
            DataError: a message names an unknown instrument, side, kind or handle, or a handle still in use.
        """
        columns = tuple(_plain(getattr(messages, name)) for name in _COLUMNS)
        self._ctl[book.C_CURSOR] = 0

        def step() -> int:
            return int(book.process(self._ctl, *self._ladders, self._pool, self._slots, self._tape, *columns))

        return self._collect(step, messages)

    def uncross(self, time: int) -> Tape:
        """Hold the call auction of every instrument: trades at one price each; what is left stays in the book."""
        return self._sweep(auction.uncross, time)

    def expire(self, time: int) -> Tape:
        """End the day: every resting order expires."""
        return self._sweep(book.expire, time)

    def quotes(self) -> Quotes:
        """Level-1 data of every instrument now.

        In a call bid and ask are both the indicative price, `bid_quantity` the matched and `ask_quantity` the
        unmatched shares (domain row M07). `last` is 0 before the first trade; turnover is in ticks times shares.
        """
        out = np.empty((7, self.n_instruments), np.int64)
        auction.quotes(self._ctl, *self._ladders, out)
        return Quotes(*out)

    def depth(self, instrument: int, levels: int = 10) -> tuple[IntColumn, IntColumn, IntColumn, IntColumn]:
        """Bid prices, bid quantities, ask prices, ask quantities of the best levels, padded with 0."""
        if not 0 <= instrument < self.n_instruments:
            raise DataError(f"instrument {instrument} is not listed", hint="Instruments count from 0.")
        out = np.zeros((4, levels), np.int64)
        book.depth(*self._ladders, instrument, levels, out)
        return out[0], out[1], out[2], out[3]

    def depth_all(self, levels: int = 5) -> IntColumn:
        """Shares within the best `levels` of both sides together, per instrument."""
        out = np.empty(self.n_instruments, np.int64)
        book.depth_all(*self._ladders, levels, self._no_depth, out)
        return out

    def check(self) -> None:
        """Prove that the books are whole: shares conserved, lists and ladders consistent, none crossed.

        Raises:
            ConservationError: they are not.
        """
        state, sides, levels, words, _ = self._ladders
        audit(self._ctl, state, sides, levels, words, self._pool, self._slots)
        if self._ctl[book.C_PHASE] == book.CONTINUOUS:
            audit_crossing(self._state, self._sides)

    def _sweep(self, kernel: Callable[..., int], time: int) -> Tape:
        self._ctl[book.C_CURSOR] = 0
        self._ctl[book.C_PRICE] = 0

        def step() -> int:
            return int(kernel(self._ctl, *self._ladders, self._pool, self._slots, self._tape, time))

        return self._collect(step, None)

    def _collect(self, step: Callable[[], int], messages: Messages | None) -> Tape:
        """Call a kernel until it is done, giving it room as it asks for it, and join the pieces of tape."""
        pieces: list[NDArray[np.int64]] = []
        while True:
            self._ctl[book.C_ROWS] = 0
            code = step()
            rows = int(self._ctl[book.C_ROWS])
            if rows:
                pieces.append(self._tape[:, :rows].copy())
            if code == book.DONE:
                break
            if code == book.POOL_FULL:
                self._pool = np.concatenate([self._pool, np.zeros_like(self._pool)])
            elif code == book.TAPE_FULL:
                if self._tape_rows < _MAX_TAPE_ROWS:
                    self._tape_rows *= 2
                    self._tape = self._new_tape()
            else:
                self._refuse(code, messages)
        if len(pieces) == 1:
            return Tape(*pieces[0])
        return Tape(*np.concatenate(pieces, axis=1)) if pieces else Tape.empty()

    def _new_tape(self) -> NDArray[np.int64]:
        return np.empty((9, self._tape_rows + (_STAGGER if self._tape_rows >= 512 else 0)), np.int64)

    def _refuse(self, code: int, messages: Messages | None) -> NoReturn:
        row = int(self._ctl[book.C_CURSOR])
        what, hint = _BAD_MESSAGE[code]
        values = {} if messages is None else {k: int(v[row]) for k, v in vars(messages).items()}
        raise DataError(what.format(**values), where=f"message {row}", hint=hint)


def _plain(column: IntColumn) -> IntColumn:
    """The column as kernels want it: int64, contiguous, writeable (else Numba would compile a variant)."""
    flags = column.flags
    if column.dtype == np.int64 and flags.c_contiguous and flags.writeable:
        return column
    return np.array(column, np.int64)
