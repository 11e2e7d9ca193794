"""Fixed-price trading after the close (domain M05): everything trades at the day's close, the earliest order first.

Orders may be entered and cancelled all day and wait; at 15:05 those that the close suits go, in the order in which they
came, into books of one single price, which is all that price-time priority needs to become time priority. A buy limit
below the close and a sell limit above it are void.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twin.clock import Phase
from twin.contracts import Instruments, IntColumn, MessageKind, Messages, OrderRules, Reason, Tape, TapeKind
from twin.matching.engine import MatchingEngine

Windows = tuple[tuple[int, int], ...]


class AfterHours:
    """Fixed-price orders of a day.

    Args:
        instruments: what is listed.
        rules: which instruments take part, and the lots of buys.
        entry: by instrument, when orders may be entered (ns since midnight).
        largest: by instrument, most shares of an order; 0 = without limit.
        start, end: when they trade.
    """

    def __init__(
        self, instruments: Instruments, rules: OrderRules, entry: Sequence[Windows], largest: IntColumn, start: int,
        end: int,
    ) -> None:  # fmt: skip
        self.start, self.end = start, end
        self._instruments, self._rules, self._largest = instruments, rules, largest
        windows = dict.fromkeys(entry)
        self._entry = [(each, np.array([mine == each for mine in entry], np.bool_)) for each in windows]
        self._waiting: dict[int, tuple[int, ...]] = {}
        """Rows of Messages by order, earliest first, until trading begins."""
        self._handles: set[int] = set()
        self._engine: MatchingEngine | None = None
        self._close: IntColumn = np.zeros(len(instruments), np.int64)

    def __bool__(self) -> bool:
        """Whether any order has been entered today."""
        return bool(self._handles)

    @property
    def volume(self) -> IntColumn:
        """Shares traded after hours, by instrument."""
        return self._engine.quotes().volume if self._engine else np.zeros_like(self._close)

    def mine(self, messages: Messages) -> NDArray[np.bool_] | None:
        """Which messages belong here: fixed-price orders and cancels of such. None if there are none."""
        fixed = messages.kind == MessageKind.NEW_FIXED_PRICE
        if not self._handles and not fixed.any():
            return None
        known = np.concatenate([np.fromiter(self._handles, np.int64, len(self._handles)), messages.order[fixed]])
        return fixed | ((messages.kind == MessageKind.CANCEL) & np.isin(messages.order, known))

    def process(self, messages: Messages) -> Tape:
        """Take fixed-price orders and cancels of them, sorted by time."""
        new = messages.kind == MessageKind.NEW_FIXED_PRICE
        reason = np.zeros(len(messages), np.int64)
        reason[new] = self._reasons(messages.take(new))
        self._handles.update(messages.order[new & (reason == 0)].tolist())
        refused = _answers(messages.take(reason > 0), TapeKind.REJECTED, -1 - reason[reason > 0])
        taken = messages.take(reason == 0)
        tape = self._wait(taken) if self._engine is None else self._match(self._engine, taken)
        return _in_time([refused, tape])

    def _reasons(self, new: Messages) -> IntColumn:
        """Why orders are refused; 0 = they are not."""
        rules, listed, row = self._rules, self._instruments, new.instrument
        inside = np.zeros(len(new), np.bool_)
        for windows, members in self._entry:
            for first, last in windows:
                inside |= members[row] & (new.time >= first) & (new.time < last)
        buys = new.side > 0
        smallest, step = rules.smallest[row], np.maximum(rules.step[row], 1)
        odd = buys & ((new.quantity < smallest) | ((new.quantity - smallest) % step != 0))
        largest = self._largest[row]
        close = self._close[row]
        beyond = (new.price < listed.limit_down[row]) | (new.price > listed.limit_up[row])
        beyond |= (close > 0) & np.where(buys, new.price < close, new.price > close)
        stands = (self._close[row] == 0) if self._engine is not None else np.zeros(len(new), np.bool_)
        tests = (
            (rules.fixed_price[row] == 0, Reason.ORDER_KIND),
            (~inside, Reason.CLOSED),
            (stands, Reason.SUSPENDED),
            ((new.quantity <= 0) | odd, Reason.LOT),
            ((largest > 0) & (new.quantity > largest), Reason.SIZE),
            (beyond, Reason.PRICE_LIMIT),
        )
        return np.select([test for test, _ in tests], [int(reason) for _, reason in tests], 0).astype(np.int64)

    def _wait(self, messages: Messages) -> Tape:
        """Before trading begins orders wait, and cancels take them away."""
        rows = list(zip(*(column.tolist() for column in vars(messages).values()), strict=True))
        out: list[tuple[int, ...]] = []
        for row in rows:
            time, kind, instrument, side, price, quantity, order = row
            if kind == MessageKind.NEW_FIXED_PRICE:
                self._waiting[order] = row
                out.append((time, TapeKind.ACCEPTED, instrument, side, price, quantity, order, -1, quantity))
            elif (found := self._waiting.pop(order, None)) is not None:
                _, _, instrument, side, price, quantity, _ = found
                out.append((time, TapeKind.CANCELLED, instrument, side, price, quantity, order, -1, 0))
            else:
                unknown = -1 - Reason.UNKNOWN_ORDER
                out.append((time, TapeKind.REJECTED, instrument, 0, 0, 0, order, unknown, 0))
        return Tape(*np.array(out, np.int64).reshape(-1, 9).T.copy())

    def open(self, close: IntColumn, time: int) -> Tape:
        """Begin to trade at the close: what waits is matched in the order of entry.

        Args:
            close: the day's closing prices in ticks; 0 where an instrument takes no part (it is suspended).
            time: now, in ns.
        """
        self._close = np.where(self._rules.fixed_price > 0, close, 0)
        price = np.maximum(self._close, 1)
        listed = self._instruments
        books = Instruments(listed.exchange, listed.board, price, price, price, listed.lot, listed.risk_level)
        self._engine = MatchingEngine(books)
        self._engine.set_phase(Phase.CONTINUOUS)
        waiting = Messages(*np.array(list(self._waiting.values()), np.int64).reshape(-1, 7).T.copy())
        self._waiting.clear()
        now = np.full(len(waiting), time, np.int64)
        close_of = self._close[waiting.instrument]
        void = np.where(waiting.side > 0, waiting.price < close_of, waiting.price > close_of)
        reason = np.where(close_of == 0, Reason.SUSPENDED, np.where(void, Reason.PRICE_LIMIT, 0))
        moved = Messages(now, *list(vars(waiting).values())[1:])
        refused = _answers(moved.take(reason > 0), TapeKind.REJECTED, -1 - reason[reason > 0])
        tape = self._match(self._engine, moved.take(reason == 0))
        return _in_time([refused, tape.take(tape.kind != TapeKind.ACCEPTED)])

    def _match(self, engine: MatchingEngine, messages: Messages) -> Tape:
        """Trade at the close; the tape shows each order's own limit when it is taken."""
        new = messages.kind == MessageKind.NEW_FIXED_PRICE
        price = np.where(new, self._close[messages.instrument], 0)
        kind = np.where(new, MessageKind.NEW_LIMIT, MessageKind.CANCEL).astype(np.int64)
        m = messages
        tape = engine.process(Messages(m.time, kind, m.instrument, m.side, price, m.quantity, m.order))
        tape.price[tape.kind == TapeKind.ACCEPTED] = m.price[new]
        return tape

    def expire(self, time: int) -> Tape:
        """End the session: what is left expires."""
        if self._engine is not None:
            self._engine.check()
            return self._engine.expire(time)
        left = Messages(*np.array(list(self._waiting.values()), np.int64).reshape(-1, 7).T.copy())
        self._waiting.clear()
        tape = _answers(left, TapeKind.EXPIRED, np.full(len(left), -1, np.int64))
        tape.time[:] = time
        return tape


def _answers(messages: Messages, kind: TapeKind, counter: IntColumn) -> Tape:
    """One row of tape per message."""
    m = messages
    n = len(m)
    return Tape(
        m.time.copy(), np.full(n, kind, np.int64), m.instrument, m.side, m.price, m.quantity, m.order,
        np.asarray(counter, np.int64), np.zeros(n, np.int64),
    )  # fmt: skip


def _in_time(tapes: list[Tape]) -> Tape:
    parts = [tape for tape in tapes if len(tape)]
    if len(parts) < 2:
        return parts[0] if parts else Tape.empty()
    tape = Tape.concat(parts)
    return tape.take(np.argsort(tape.time, kind="stable"))
