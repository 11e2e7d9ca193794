"""Published books of a stock-day against an engine that stops at every published number of trades."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from twin.clock import SECOND, Phase, at
from twin.contracts import IntColumn, MessageKind, Messages, Tape, TapeKind
from twin.matching.engine import MatchingEngine
from twin.matching.feeds.sse_snapshots import DEPTH, Snapshots
from twin.matching.replay_engine import WideEngine

_STALE = 4 * SECOND
_OPENING_START, _OPENING_END = at("09:15"), at("09:25")


class BookChecks:
    """Compares snapshots while a second engine follows the first one.

    Args:
        snapshots: what was published.
        wide: the engines; the second one is driven here.
    """

    def __init__(self, snapshots: Snapshots, wide: WideEngine) -> None:
        self._snapshots, self._wide = snapshots, wide
        rows = np.flatnonzero(snapshots.trading)
        self.checked = len(rows)
        self.matched = 0
        self._waiting: dict[int, Counter[bytes]] = defaultdict(Counter)
        for count, book in zip(snapshots.trades[rows].tolist(), snapshots.levels[rows], strict=True):
            self._waiting[count][book.tobytes()] += 1
        self._counts = np.array(sorted(self._waiting), np.int64)
        opening = snapshots.call & (snapshots.time >= _OPENING_START) & (snapshots.time < _OPENING_END)
        self._opening = np.flatnonzero(opening)
        self._when, self._states = [0], [(0, 0)]
        self.first_wrong: str | None = None

    @property
    def empty(self) -> int:
        """Snapshots of continuous trading without any level that did not match."""
        nothing = bytes(4 * DEPTH * 8)
        return sum(books[nothing] for books in self._waiting.values())

    @property
    def opening_checked(self) -> int:
        """Snapshots of the opening call."""
        return len(self._opening)

    def opening_matched(self) -> int:
        """Snapshots of the opening call whose indicative price and matched shares the engine had shortly before."""
        when, matched = np.array(self._when), 0
        for row in self._opening.tolist():
            second = int(self._snapshots.time[row])
            first = max(0, int(np.searchsorted(when, second - _STALE, side="right")) - 1)
            last = int(np.searchsorted(when, second + SECOND))
            levels = self._snapshots.levels[row]
            matched += (int(levels[0, 0]), int(levels[1, 0])) in self._states[first:last]
        return matched

    def set_phase(self, phase: Phase) -> None:
        """The first engine has entered a phase."""
        self._engine.set_phase(phase)

    def auction(self, time: int, trades: int) -> None:
        """The first engine has held a call auction; `trades` have been made by then."""
        self._engine.uncross(time)
        self._look(trades)

    def follow(self, messages: Messages, tape: Tape, trades: int, phase: Phase) -> None:
        """The first engine has handled messages, with this tape, after `trades` trades."""
        if phase == Phase.OPEN_CALL and len(self._opening):
            self._follow_opening(messages)
            return
        looks = np.empty(0, np.int64)
        if phase == Phase.CONTINUOUS:
            place = np.zeros(int(messages.order.max()) + 1 if len(messages) else 0, np.int64)
            new = np.flatnonzero(messages.kind != MessageKind.CANCEL)
            place[messages.order[new]] = new
            taker = tape.order[tape.kind == TapeKind.TRADE]
            done = trades + np.cumsum(np.bincount(place[taker], minlength=len(messages)))
            looks = np.flatnonzero(np.isin(done, self._counts))
        start = 0
        for message in looks.tolist():
            self._engine.process(messages.take(slice(start, message + 1)))
            start = message + 1
            self._look(int(done[message]))
        self._engine.process(messages.take(slice(start, None)))

    @property
    def _engine(self) -> MatchingEngine:
        return self._wide.engines[1]

    def _look(self, trades: int) -> None:
        waiting = self._waiting.get(trades)
        if waiting:
            levels = np.stack(self._engine.depth(0, DEPTH))
            levels[(0, 2), :] *= self._wide.tick
            self.matched += waiting.pop(levels.tobytes(), 0)

    def _follow_opening(self, messages: Messages) -> None:
        for i in range(len(messages)):
            self._engine.process(messages.take(slice(i, i + 1)))
            quotes = self._engine.quotes()
            state = (int(quotes.bid[0]) * self._wide.tick, int(quotes.bid_quantity[0]))
            self._when.append(int(messages.time[i]))
            self._states.append(state)

    def first_difference(self) -> str | None:
        """The first snapshot that no state of the engine equals, in words."""
        for count in self._counts.tolist():
            wrong = {book: n for book, n in self._waiting[count].items() if n and any(book)}
            if wrong:
                levels = np.frombuffer(next(iter(wrong)), np.int64).reshape(4, DEPTH)
                return f"book after {count} trades: recorded {_top(levels)} is no state of the engine"
        return None


def _top(levels: IntColumn) -> str:
    bid, bids, ask, asks = levels[:, 0].tolist()
    return f"{bids} at {bid / 1000:.3f} to buy, {asks} at {ask / 1000:.3f} to sell (best level)"
