"""The matching engine of an exchange: many books, one tape.

Assumes price-time priority, trades at the resting order's price, call auctions as in `twin.kernels.auction`. With
`OrderRules` it demands of orders what the exchange does (sizes, kinds, price cage, volatility halts); without, it takes
everything within the limits, as in a replay. What is assumed where the rules are silent stands at `twin.kernels.book`.
Does not model odd residues of holdings, which only the broker knows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

import twin.kernels.auction as auction
import twin.kernels.book as book
import twin.kernels.ladders as ladders
import twin.kernels.matching as matching
from twin.clock import Phase
from twin.contracts import Instruments, IntColumn, Messages, OrderRules, Quotes, Tape, TapeKind
from twin.errors import DataError
from twin.matching.audit import audit, audit_crossing, resting_orders
from twin.matching.books import Books, empty_books, lines

BACKGROUND_BASE: Final = 1 << 26
"""First order handle of the background flow; the broker's own orders lie below."""

_PHASES: Final = {
    Phase.OPEN_CALL: ladders.OPEN_CALL,
    Phase.CLOSE_CALL: ladders.CALL,
    Phase.CONTINUOUS: ladders.CONTINUOUS,
}
_MIN_TAPE_ROWS: Final = 2
_MAX_TAPE_ROWS: Final = 1 << 17
# Columns of the tape start 448 bytes apart modulo a page, so that they do not fight for the same cache sets.
_STAGGER: Final = 56
# A piece of tape is handed over without a copy where it fills at least a quarter of its buffer.
_WORTH_A_VIEW: Final = 4
_BUFFERS: Final = 4
_NO_TAPE: Final = np.empty((9, 0), np.int64)

_COLUMNS: Final = ("time", "kind", "instrument", "side", "price", "quantity", "order")

_BAD_MESSAGE: Final = {
    ladders.BAD_HANDLE: ("order handle {order} is out of range", "Handles are below the engine's max_orders."),
    ladders.BAD_INSTRUMENT: ("instrument {instrument} is not listed", "Instruments count from 0."),
    ladders.BAD_SIDE: ("side {side} is neither 1 (buy) nor -1 (sell)", ""),
    ladders.BAD_KIND: ("kind {kind} is not a message kind", ""),
}


class MatchingEngine:
    """Books of all listed instruments.

    Args:
        instruments: what is listed; every order's price must lie within the instrument's limits.
        rules: what the exchange demands of orders; None takes everything within the limits.
        max_orders: order handles lie below this; memory is committed only for handles in use.
        pool_orders: orders that rest at first; grows by doubling.
        tape_rows: rows of tape handed over at a time; grows with use.
    """

    def __init__(
        self,
        instruments: Instruments,
        *,
        rules: OrderRules | None = None,
        max_orders: int = 1 << 27,
        pool_orders: int = 1 << 12,
        tape_rows: int = 1 << 12,
    ) -> None:
        n = len(instruments)
        self.n_instruments = n
        self._all = np.arange(n, dtype=np.int64)
        if rules is not None and len(rules) != n:
            raise DataError(f"rules for {len(rules)} of {n} instruments", hint="One row of OrderRules per instrument.")
        self._ctl, self._state, self._books = empty_books(instruments, rules)
        self._sides = self._books[0]
        self._pool = lines(8 * max(2, pool_orders))
        self._slots = np.zeros(max_orders, np.int32)
        self._tape_rows = max(_MIN_TAPE_ROWS, tape_rows)
        self._tapes: list[NDArray[np.int64]] = []
        self._no_depth = np.zeros((4, 0), np.int64)
        self.set_phase(Phase.CLOSED)

    @property
    def phase(self) -> Phase:
        """The phase set last for all instruments."""
        return self._phase

    @property
    def arrays(self) -> tuple[IntColumn, IntColumn, *Books, IntColumn, NDArray[np.int32]]:
        """What `twin.kernels.book.handle` takes first: ctl, state, sides, levels, words, summary, pool, slots.

        For kernels that hand messages to the books themselves. Ask again after `grow_pool`.
        """
        return self._ctl, self._state, *self._books, self._pool, self._slots

    def grow_pool(self) -> None:
        """Twice the room for resting orders (after POOL_FULL)."""
        pool = lines(2 * len(self._pool))
        pool[: len(self._pool)] = self._pool
        self._pool = pool

    @property
    def resting(self) -> int:
        """Orders that rest in all books or wait outside a price cage."""
        return int(self._ctl[ladders.C_LIVE])

    @property
    def halted(self) -> NDArray[np.bool_]:
        """Which instruments are halted, per instrument."""
        halted: NDArray[np.bool_] = self._field(ladders.I_RESUME) > 0
        return halted

    @property
    def suspended(self) -> NDArray[np.bool_]:
        """Which instruments are suspended, per instrument."""
        suspended: NDArray[np.bool_] = self._field(ladders.I_SUSPENDED) > 0
        return suspended

    @property
    def resume_times(self) -> IntColumn:
        """When each instrument's halt ends (ns since midnight), 0 if it is not halted."""
        return self._field(ladders.I_RESUME).copy()

    @property
    def opens(self) -> IntColumn:
        """The day's open of each instrument (ticks): the price of its first trade, 0 before it."""
        return self._field(ladders.I_OPEN).copy()

    def set_phase(
        self,
        phase: Phase,
        *,
        cancels_allowed: bool = True,
        instruments: IntColumn | None = None,
        time: int = 0,
    ) -> None:
        """Enter a phase. In calls orders rest; outside calls and continuous trading every message is refused.

        Halts and suspensions outlast phases: the phase is then the one that follows them. A halt that has ended while
        the session was shut (lunch) ends at `time` (ns), the start of the phase.

        Raises:
            ConservationError: continuous trading would begin with a crossed book (an `uncross` is missing).
        """
        chosen = self._chosen(instruments)
        if instruments is None:
            self._phase = phase
        mode = _PHASES.get(phase, ladders.SHUT)
        self._put(ladders.I_SESSION, chosen, mode)
        self._put(ladders.I_CANCELS, chosen, int(cancels_allowed and mode != ladders.SHUT))
        resume = self._field(ladders.I_RESUME)[chosen]
        self._put(ladders.I_RESUME, chosen, np.where(resume > 0, np.maximum(resume, time), 0))
        halted = (resume > 0) & (mode != ladders.SHUT)
        now = np.where(halted, ladders.HALT, np.where(self.suspended[chosen], ladders.SUSPENDED, mode))
        self._put(ladders.I_PHASE, chosen, now)
        self._leave_cage(chosen)
        if mode == ladders.CONTINUOUS:
            audit_crossing(self._state, self._sides)

    def halt(self, instruments: IntColumn | None, time: int, until: int) -> Tape:
        """Halt instruments until an instant (ns): orders and cancels are taken and rest; a call auction ends it.

        A halt under way lasts at least until then. Suspended instruments are left out. Returns HALTED rows.
        """
        chosen = self._chosen(instruments)
        chosen = chosen[~self.suspended[chosen]]
        shut = self._field(ladders.I_SESSION)[chosen] == ladders.SHUT
        self._put(ladders.I_RESUME, chosen, np.maximum(self._field(ladders.I_RESUME)[chosen], until))
        self._put(ladders.I_PHASE, chosen, np.where(shut, ladders.SHUT, ladders.HALT))
        self._leave_cage(chosen)
        zero = np.zeros(len(chosen), np.int64)
        price, end = self._field(ladders.I_LAST)[chosen], self._field(ladders.I_RESUME)[chosen]
        return Tape(zero + time, zero + TapeKind.HALTED, chosen, zero, price, end, zero - 1, zero - 1, zero)

    def suspend(self, instruments: IntColumn | None) -> None:
        """Suspend instruments: orders are refused (SUSPENDED), cancels taken as the session allows, nothing trades."""
        chosen = self._chosen(instruments)
        self._put(ladders.I_SUSPENDED, chosen, 1)
        self._put(ladders.I_RESUME, chosen, 0)
        self._put(ladders.I_PHASE, chosen, ladders.SUSPENDED)
        self._leave_cage(chosen)

    def release(self, instruments: IntColumn | None, time: int) -> Tape:
        """End suspensions: in continuous trading by a call auction of each instrument; RESUMED follows its trades."""
        chosen = self._chosen(instruments)
        chosen = chosen[self.suspended[chosen]]
        self._put(ladders.I_SUSPENDED, chosen, 0)
        return self._sweep(auction.release, time, chosen)

    def wake(self, time: int) -> Tape:
        """Resume every instrument whose halt ends at or before `time`, each at its own instant, in that order."""
        if not (self._field(ladders.I_PHASE) == ladders.HALT).any():
            return Tape.empty()
        return self._sweep(auction.wake, time)

    def process(self, messages: Messages) -> Tape:
        """Handle messages in the given order, which is by time, and report everything that came of them.

        A refused cancel has quantity 0 and, in a phase that takes nothing, the reason NO_CANCEL.

        Refused without harm are a new order under the handle of a resting one and a cancel or change of an order that
        does not rest (UNKNOWN_ORDER); what the rejection shows as `leaves` is then what the resting order has left.

        Raises:
            DataError: a message names an unknown instrument, side or kind, or a handle out of range.
        """
        columns = tuple(_plain(getattr(messages, name)) for name in _COLUMNS)
        self._ctl[ladders.C_CURSOR] = 0

        def step() -> int:
            return int(
                book.process(self._ctl, self._state, *self._books, self._pool, self._slots, self._tape, *columns)
            )

        return self._collect(step, messages)

    def run(self, step: Callable[..., int]) -> Tape:
        """Let a compiled loop that calls `book.handle` work on the books; returns the tape.

        Args:
            step: called with ctl, state, sides, levels, words, summary, pool, slots and an empty tape; again, with more
                room, until it returns DONE. It keeps its own place, and ctl[C_CURSOR] at the message of a bad code.
        """
        return self._start(lambda: step(self._ctl, self._state, *self._books, self._pool, self._slots, self._tape))

    @property
    def handles(self) -> NDArray[np.int32]:
        """Of every order handle: not 0 while the order rests or waits outside a price cage."""
        return self._slots

    def uncross(self, time: int, instruments: IntColumn | None = None) -> Tape:
        """Hold the call auction of instruments: trades at one price each; what is left stays in the book.

        Halted and suspended instruments are left out.
        """
        return self._sweep(auction.uncross, time, self._chosen(instruments))

    def expire(self, time: int) -> Tape:
        """End the day: every resting order expires, those that wait outside a price cage too."""

        def step() -> int:
            return int(book.expire(self._ctl, *self._books, self._pool, self._slots, self._tape, time))

        return self._start(step)

    def quotes(self) -> Quotes:
        """Level-1 data of every instrument now.

        In a call bid and ask are both the indicative price, `bid_quantity` the matched and `ask_quantity` the
        unmatched shares (domain row M07); while an instrument is halted or suspended all four are 0 (assumed). `last`
        is 0 before the first trade; turnover is in ticks times shares.
        """
        out = np.empty((7, self.n_instruments), np.int64)
        auction.quotes(self._state, *self._books, out)
        return Quotes(*out)

    def depth(self, instrument: int, levels: int = 10) -> tuple[IntColumn, IntColumn, IntColumn, IntColumn]:
        """Bid prices, bid quantities, ask prices, ask quantities of the best levels, padded with 0."""
        if not 0 <= instrument < self.n_instruments:
            raise DataError(f"instrument {instrument} is not listed", hint="Instruments count from 0.")
        out = np.zeros((4, levels), np.int64)
        book.depth(*self._books, instrument, levels, out)
        return out[0], out[1], out[2], out[3]

    def depth_all(self, levels: int = 5) -> IntColumn:
        """Shares within the best `levels` of both sides together, per instrument."""
        out = np.empty(self.n_instruments, np.int64)
        book.depth_all(*self._books, levels, self._no_depth, out)
        return out

    def queue(self, instrument: int, side: int) -> tuple[IntColumn, IntColumn, IntColumn]:
        """Handles, prices and shares of the orders on a side (1 or -1) as they would trade; walks the whole ladder."""
        return resting_orders(self._sides, self._books[1], self._pool, 2 * instrument + (side < 0))

    def check(self) -> None:
        """Prove that the books are whole: shares conserved, lists and ladders consistent, none crossed.

        Raises:
            ConservationError: they are not.
        """
        audit(self._ctl, self._state, *self._books[:3], self._pool, self._slots)
        audit_crossing(self._state, self._sides)

    def _field(self, name: int) -> IntColumn:
        """One field of `state`, per instrument (a view)."""
        return self._state[name :: 1 << ladders.I_BITS]

    def _put(self, name: int, chosen: IntColumn, value: IntColumn | int) -> None:
        self._field(name)[chosen] = value

    def _chosen(self, instruments: IntColumn | None) -> IntColumn:
        if instruments is None:
            return self._all
        chosen = np.unique(np.asarray(instruments, np.int64))
        if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < self.n_instruments:
            bad = int(chosen[0] if chosen[0] < 0 else chosen[-1])
            raise DataError(f"instrument {bad} is not listed", hint="Instruments count from 0.")
        return chosen

    def _leave_cage(self, chosen: IntColumn) -> None:
        """Orders that wait outside the cage enter the book without a trade where a call or a halt begins."""
        phase = self._field(ladders.I_PHASE)[chosen]
        chosen = chosen[(phase != ladders.CONTINUOUS) & (phase != ladders.SHUT)]
        if self._ctl[ladders.C_PARKS] and len(chosen):
            matching.admit_all_waiting(self._ctl, *self._books, self._pool, self._slots, chosen)

    def _sweep(self, kernel: Callable[..., int], time: int, *extra: IntColumn) -> Tape:
        def step() -> int:
            return int(kernel(self._ctl, self._state, *self._books, self._pool, self._slots, self._tape, time, *extra))

        return self._start(step)

    def _start(self, step: Callable[[], int]) -> Tape:
        self._ctl[ladders.C_CURSOR] = 0
        self._ctl[ladders.C_PRICE] = 0
        return self._collect(step, None)

    def _collect(self, step: Callable[[], int], messages: Messages | None) -> Tape:
        """Call a kernel until it is done, giving it room as it asks for it, and join the pieces of tape."""
        pieces: list[NDArray[np.int64]] = []
        while True:
            self._tape = self._idle_tape()
            self._ctl[ladders.C_ROWS] = 0
            code = step()
            rows = int(self._ctl[ladders.C_ROWS])
            if rows:
                piece = self._tape[:, :rows]
                pieces.append(piece if rows * _WORTH_A_VIEW >= self._tape.shape[1] else piece.copy())
                del piece
            if code == ladders.DONE:
                break
            if code == ladders.POOL_FULL:
                self.grow_pool()
            elif code == ladders.TAPE_FULL:
                self._tape_rows = min(2 * self._tape_rows, max(_MAX_TAPE_ROWS, self._tape_rows))
            else:
                self._refuse(code, messages)
        self._tape = _NO_TAPE
        if len(pieces) == 1:
            return Tape(*pieces[0])
        return Tape(*np.concatenate(pieces, axis=1)) if pieces else Tape.empty()

    def _idle_tape(self) -> NDArray[np.int64]:
        """A buffer of the present size that nobody else holds a view of (by its count of references), or a new one."""
        columns = self._tape_rows + (_STAGGER if self._tape_rows >= 512 else 0)
        for i in range(len(self._tapes)):
            if self._tapes[i].shape[1] == columns and sys.getrefcount(self._tapes[i]) <= _IDLE:
                return self._tapes[i]
        if len(self._tapes) == _BUFFERS or (self._tapes and self._tapes[0].shape[1] != columns):
            del self._tapes[0]
        self._tapes.append(np.empty((9, columns), np.int64))
        return self._tapes[-1]

    def _refuse(self, code: int, messages: Messages | None) -> NoReturn:
        row = int(self._ctl[ladders.C_CURSOR])
        what, hint = _BAD_MESSAGE[code]
        values = {} if messages is None else {k: int(v[row]) for k, v in vars(messages).items()}
        raise DataError(what.format(**values), where=f"message {row}", hint=hint)


def _idle_count() -> int:
    """References that a list's element shows when only the list holds it."""
    held = [np.empty(0, np.int64)]
    return sys.getrefcount(held[0])


_IDLE: Final = _idle_count()


def _plain(column: IntColumn) -> IntColumn:
    """The column as kernels want it: int64, contiguous, writeable (else Numba would compile a variant)."""
    flags = column.flags
    if column.dtype == np.int64 and flags.c_contiguous and flags.writeable:
        return column
    return np.array(column, np.int64)
