"""Replay of a recorded Shanghai day: feed the real messages to the matching engine and compare what comes out.

Every recorded trade must come out in sequence with the same two order numbers, price and size; the rebuilt ten-level
book must equal the published one at the same number of trades; the opening call's indicative price and volume must
equal the published ones, accepting order states up to 4 s before the snapshot's second.

Assumes that the recording holds only what the exchange accepted, so that limits, lots and cancel windows are not
checked again. Of orders that traded at once in full the feed gives the exact size but only a bound of the limit price
(`ioc`): they trade up to that bound and never rest. Does not model after-hours trading or calls within the day.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from twin.clock import SECOND, Phase, at
from twin.contracts import Exchange, Instruments, IntColumn, MessageKind, Messages, Tape, TapeKind
from twin.errors import DataError
from twin.matching.engine import MatchingEngine
from twin.matching.sse_l2 import CLOSE, CLOSING_START, DEPTH, OPENING_END, SseDay, has_closing_call, read_day

Progress = Callable[[str, float], None]
"""Called with the stage and the fraction of it that is done."""

_STALE = 4 * SECOND
_MAX_SPAN = 20_000_000
_TELL_EVERY = 2_000


@dataclass(frozen=True)
class ReplayReport:
    """What a replay found. Books of snapshots without any level, while the rebuilt one has some, count as empty."""

    path: Path
    messages: int
    seconds: float
    trades_recorded: int
    trades_made: int
    trades_matched: int
    first_difference: str | None
    cancels_recorded: int
    cancels_matched: int
    snapshots_checked: int
    snapshots_matched: int
    empty_snapshots: int
    auction_checked: int
    auction_matched: int

    @property
    def messages_per_s(self) -> float:
        """Messages matched per second of engine time, tape included."""
        return self.messages / self.seconds if self.seconds > 0 else 0.0

    @property
    def ok(self) -> bool:
        """Whether everything that could be compared agrees."""
        trades = self.trades_recorded == self.trades_made == self.trades_matched
        unexplained = self.snapshots_checked - self.snapshots_matched - self.empty_snapshots
        books = unexplained == 0 and (self.snapshots_matched > 0 or self.snapshots_checked == 0)
        return trades and books and self.auction_matched == self.auction_checked


def replay(path: Path, *, check: bool = True, progress: Progress | None = None) -> ReplayReport:
    """Replay the day in a folder (form: `twin.matching.sse_l2`).

    Args:
        path: folder with flow, trades and perhaps snapshots.
        check: compare with the snapshots too, if there are any.
        progress: told how far the work is.

    Raises:
        DataError: the recording is damaged.
    """
    tell: Progress = progress or (lambda _stage, _fraction: None)
    tell("read", 0.0)
    day = read_day(path)
    feed = _Feed(day)
    feed.run(feed.engine(), warm_up=True)
    tell("match", 0.0)
    engine = feed.engine()
    start = perf_counter()
    tape = feed.run(engine)
    seconds = perf_counter() - start
    engine.check()
    made = feed.trades(tape)
    recorded = np.stack([day.trades.buy, day.trades.sell, day.trades.price, day.trades.quantity], axis=1)
    books, auction = (0, 0, 0), (0, 0)
    if check and day.snapshots is not None:
        books = _compare_books(feed, tape, tell)
        auction = _compare_opening(feed)
    tell("done", 1.0)
    return ReplayReport(
        path,
        len(day.flow),
        seconds,
        len(recorded),
        len(made),
        _in_sequence(recorded, made),
        _first_difference(recorded, made),
        int(day.flow.cancel.sum()),
        feed.cancels_matched(tape),
        *books,
        *auction,
    )


class _Feed:
    """The day's messages for the engine, cut into its phases."""

    def __init__(self, day: SseDay) -> None:
        self.day = day
        flow, trades = day.flow, day.trades
        self.tick = 10 if not (flow.price % 10).any() else 1
        self.order_nos, handle = np.unique(flow.order_no, return_inverse=True)
        self.handle = handle.astype(np.int64)
        kind = np.where(flow.cancel == 1, int(MessageKind.CANCEL), int(MessageKind.NEW_LIMIT))

        # The auctions' places among the messages: by the channel's order where there are trades, else by time.
        opening = trades.biz_index[(trades.auction == 1) & (trades.time < at("09:30"))]
        closing = trades.biz_index[(trades.auction == 1) & (trades.time >= CLOSING_START)]
        usual = trades.biz_index[(trades.auction == 0) & (trades.time < CLOSE)]
        self.open_at = self._place(opening[:1], OPENING_END)
        self.end_at = max(self.open_at, self._place(closing[:1], CLOSE))
        self.close_at = self.end_at
        if has_closing_call(day):
            after = int(np.searchsorted(flow.biz_index, usual[-1], side="right")) if len(usual) else 0
            by_time = int(np.searchsorted(flow.time, CLOSING_START))
            self.close_at = min(max(by_time, after, self.open_at), self.end_at)
        trading = slice(self.open_at, self.close_at)
        kind[trading][(flow.ioc[trading] == 1) & (flow.cancel[trading] == 0)] = int(MessageKind.NEW_IOC)
        zero = np.zeros(len(flow), np.int64)
        self.messages = Messages(flow.time, kind, zero, flow.side, flow.price // self.tick, flow.quantity, self.handle)

    def _place(self, biz_index: IntColumn, time: int) -> int:
        if len(biz_index):
            return int(np.searchsorted(self.day.flow.biz_index, biz_index[0]))
        return int(np.searchsorted(self.day.flow.time, time))

    def engine(self) -> MatchingEngine:
        """A fresh engine whose ladder spans the day's own prices: the exchange has refused all others already."""
        prices = self.messages.price[self.day.flow.cancel == 0]
        low, high = (int(prices.min()), int(prices.max())) if len(prices) else (1, 1)
        if high - low > _MAX_SPAN:
            row = int(np.argmax(np.where(self.day.flow.cancel == 0, self.messages.price, 0)))
            raise DataError(
                f"price {self.day.flow.price[row]} mills is out of all proportion to the others",
                where=f"{self.day.path / 'flow.csv.gz'}:{row + 2}, column price_mills",
            )
        close = self.day.snapshots.previous_close // self.tick if self.day.snapshots else 0
        row_of = (int(Exchange.SSE), 0, close, max(low, 1), max(high, 1), 1, 0)
        instruments = Instruments(*(np.array([x], np.int64) for x in row_of))
        return MatchingEngine(instruments, max_orders=max(1, len(self.order_nos)))

    def part(self, start: int, stop: int) -> Messages:
        return self.messages.take(slice(start, stop))

    def run(self, engine: MatchingEngine, *, warm_up: bool = False) -> Tape:
        """The whole day; a warm-up compiles the kernels with no messages."""
        a, b, c, n = (0, 0, 0, 0) if warm_up else (self.open_at, self.close_at, self.end_at, len(self.messages))
        engine.set_phase(Phase.OPEN_CALL)
        tapes = [engine.process(self.part(0, a)), engine.uncross(OPENING_END)]
        engine.set_phase(Phase.CONTINUOUS)
        tapes.append(engine.process(self.part(a, b)))
        if b < c or has_closing_call(self.day):
            engine.set_phase(Phase.CLOSE_CALL)
            tapes += [engine.process(self.part(b, c)), engine.uncross(CLOSE)]
        engine.set_phase(Phase.CLOSED)
        tapes.append(engine.process(self.part(c, n)))
        return Tape.concat(tapes)

    def trades(self, tape: Tape) -> NDArray[np.int64]:
        """Rows of (buy number, sell number, price in mills, size)."""
        t = tape.take(tape.kind == TapeKind.TRADE)
        taker, maker = self.order_nos[t.order], self.order_nos[t.counter]
        buys = t.side == 1
        return np.stack(
            [np.where(buys, taker, maker), np.where(buys, maker, taker), t.price * self.tick, t.quantity], axis=1
        )

    def cancels_matched(self, tape: Tape) -> int:
        """Recorded cancels that took exactly the recorded shares off the book."""
        flow = self.day.flow
        cancelled = tape.take(tape.kind == TapeKind.CANCELLED)
        size = np.zeros(len(self.order_nos), np.int64)
        size[cancelled.order] = cancelled.quantity
        asked = flow.cancel == 1
        return int((size[self.handle[asked]] == flow.quantity[asked]).sum())


def _compare_books(feed: _Feed, tape: Tape, tell: Progress) -> tuple[int, int, int]:
    """Snapshots of continuous trading: checked, equal on ten levels, empty."""
    snapshots = feed.day.snapshots
    assert snapshots is not None
    rows = np.flatnonzero(snapshots.trading)
    levels = snapshots.levels[rows].copy()
    levels[:, (0, 2)] //= feed.tick
    waiting: dict[int, Counter[bytes]] = defaultdict(Counter)
    for count, book in zip(snapshots.trades[rows].tolist(), levels, strict=True):
        waiting[count][book.tobytes()] += 1

    # Trades done after each message; only books at a published number of trades need a look.
    message_of = np.zeros(len(feed.order_nos), np.int64)
    new = np.flatnonzero(feed.day.flow.cancel == 0)
    message_of[feed.handle[new]] = new
    trades = tape.take(tape.kind == TapeKind.TRADE)
    per_message = np.bincount(message_of[trades.order], minlength=len(feed.messages))
    done = np.cumsum(per_message)  # an auction trade counts with its later order, which is of the same phase

    engine = feed.engine()
    engine.set_phase(Phase.OPEN_CALL)
    engine.process(feed.part(0, feed.open_at))
    engine.uncross(OPENING_END)
    engine.set_phase(Phase.CONTINUOUS)
    opening = int(per_message[: feed.open_at].sum())
    matched = waiting[opening].pop(_book(engine), 0)
    start = feed.open_at
    looks = start + np.flatnonzero(np.isin(done[start : feed.close_at], np.array(list(waiting), np.int64)))
    for i, message in enumerate(looks.tolist()):
        engine.process(feed.part(start, message + 1))
        start = message + 1
        matched += waiting[int(done[message])].pop(_book(engine), 0)
        if i % _TELL_EVERY == 0:
            tell("compare books", i / len(looks))
    nothing = bytes(4 * DEPTH * 8)
    empty = sum(books[nothing] for books in waiting.values())
    return len(rows), matched, empty


def _book(engine: MatchingEngine) -> bytes:
    return np.concatenate(engine.depth(0, DEPTH)).tobytes()


def _compare_opening(feed: _Feed) -> tuple[int, int]:
    """Snapshots of the opening call: checked, equal in indicative price and matched shares."""
    snapshots = feed.day.snapshots
    assert snapshots is not None
    times, states = [0], [(0, 0)]
    engine = feed.engine()
    engine.set_phase(Phase.OPEN_CALL)
    for i in range(feed.open_at):
        engine.process(feed.part(i, i + 1))
        quotes = engine.quotes()
        times.append(int(feed.messages.time[i]))
        states.append((int(quotes.bid[0]) * feed.tick, int(quotes.bid_quantity[0])))
    when = np.array(times)
    rows = np.flatnonzero(snapshots.call & (snapshots.time >= at("09:15")) & (snapshots.time < OPENING_END))
    matched = 0
    for row in rows.tolist():
        second = int(snapshots.time[row])
        first = max(0, int(np.searchsorted(when, second - _STALE, side="right")) - 1)
        last = int(np.searchsorted(when, second + SECOND))
        published = (int(snapshots.levels[row, 0, 0]), int(snapshots.levels[row, 1, 0]))
        matched += published in states[first:last]
    return len(rows), matched


def _in_sequence(recorded: NDArray[np.int64], made: NDArray[np.int64]) -> int:
    """Length of the longest common subsequence of two lists of trades.

    The k-th occurrence of a row is its own symbol, so no symbol repeats and the problem is that of the longest
    increasing subsequence (Hunt and Szymanski 1977).
    """
    if recorded.shape == made.shape and (recorded == made).all():
        return len(recorded)
    place = {key: i for i, key in enumerate(_numbered(recorded))}
    tails: list[int] = []
    for key in _numbered(made):
        i = place.get(key)
        if i is not None:
            k = bisect_left(tails, i)
            tails[k : k + 1] = [i]
    return len(tails)


def _numbered(rows: NDArray[np.int64]) -> list[tuple[int, ...]]:
    seen: Counter[tuple[int, ...]] = Counter()
    keys = []
    for row in map(tuple, rows.tolist()):
        seen[row] += 1
        keys.append((*row, seen[row]))
    return keys


def _first_difference(recorded: NDArray[np.int64], made: NDArray[np.int64]) -> str | None:
    """Where the two lists of trades part, in words."""
    n = min(len(recorded), len(made))
    unequal = (recorded[:n] != made[:n]).any(axis=1)
    row = int(np.argmax(unequal)) if unequal.any() else n
    if row == len(recorded) == len(made):
        return None

    def words(trades: NDArray[np.int64]) -> str:
        if row >= len(trades):
            return "no trade"
        buy, sell, price, size = trades[row].tolist()
        return f"{size} at {price / 1000:.3f} between buy {buy} and sell {sell}"

    return f"trade {row + 1}: recorded {words(recorded)}, replayed {words(made)}"
