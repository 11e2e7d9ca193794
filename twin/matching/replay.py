"""Replay of recorded feeds through the matching engine: what was recorded must come out.

`replay` opens a recording of any registered format and compares trades, books and indicative prices; how, and what is
assumed, is told by `twin.matching.replay_sse` (Shanghai stock-days) and `twin.matching.replay_rows` (LOBSTER, market by
order). Memory is bounded: a recording is read in pieces and nothing of it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from twin.matching.feeds import open_feed
from twin.matching.feeds.base import Feed, Progress
from twin.matching.feeds.sse_l2 import IN_TRADES, SseFeed
from twin.matching.replay_compare import Rows
from twin.matching.replay_rows import RowsResult, replay_by_rows
from twin.matching.replay_sse import SseReplay


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """What a replay found.

    Trades: `trades_recorded` are those that the engine must make, `trades_matched` those that it made with the same
    orders, price and size, `trades_unnamed` those of these whose resting order the file does not name. In
    `trades_out_of_turn` the venue passed over an older order: a difference, unless the feed does not tell every order's
    place in the queue (`Feed.shows_queue`) and `strict` was not asked for. What cannot be checked is counted apart:
    `trades_unverifiable`, `trades_hidden` (orders that the book does not show), `trades_after_hours`.

    Books: `books_empty` are published without any level while the rebuilt one has some, `books_start` is the book that
    a file begins with, `levels_learned` are levels shown for the first time, which the file alone decides.
    `first_difference` says in words what differs first, `first_row` where.
    """

    path: Path
    format: str
    messages: int
    seconds: float
    wall_seconds: float
    trades_recorded: int
    trades_made: int
    trades_matched: int
    trades_unnamed: int = 0
    trades_out_of_turn: int = 0
    trades_unverifiable: int = 0
    trades_hidden: int = 0
    trades_after_hours: int = 0
    cancels_recorded: int = 0
    cancels_matched: int = 0
    books_checked: int = 0
    books_matched: int = 0
    books_empty: int = 0
    books_start: int = 0
    levels_learned: int = 0
    auction_checked: int = 0
    auction_matched: int = 0
    orders_unknown: int = 0
    halts: int = 0
    differences: int = 0
    first_difference: str | None = None
    first_row: str = ""

    @property
    def messages_per_s(self) -> float:
        """Messages matched per second of engine time, comparison included where it is row by row."""
        return self.messages / self.seconds if self.seconds > 0 else 0.0

    @property
    def wall_per_s(self) -> float:
        """Messages per second from opening the file to the last comparison."""
        return self.messages / self.wall_seconds if self.wall_seconds > 0 else 0.0

    @property
    def ok(self) -> bool:
        """Whether everything that could be compared agrees."""
        return self.differences == 0


def replay(
    path: Path,
    *,
    format: str | None = None,
    check: bool = True,
    strict: bool = False,
    progress: Progress | None = None,
) -> ReplayReport:
    """Replay a recording.

    Args:
        path: file or folder.
        format: name in `twin.matching.feeds.FORMATS`; None looks at the files.
        check: compare with published books too, if there are any.
        strict: executions out of turn are differences even where the feed does not tell every place in the queue.
        progress: told how far the work is.

    Raises:
        DataError: the recording is damaged, or of no known format.
    """
    tell: Progress = progress or (lambda _stage, _fraction: None)
    start = perf_counter()
    tell("read", 0.0)
    feed = open_feed(path, format)
    if isinstance(feed, SseFeed):
        report = _replay_sse(feed, check, tell, start)
    else:
        found = replay_by_rows(feed, tell)
        report = _report_rows(feed, found, perf_counter() - start, check, strict or feed.shows_queue)
    tell("done", 1.0)
    return report


def _report_rows(feed: Feed, found: RowsResult, wall: float, check: bool, strict: bool) -> ReplayReport:
    counted = {"book": check, "turn": strict}
    first = next((difference for difference in found.first if counted.get(difference.kind, True)), None)
    left_out = (0 if check else found.wrong_books) + (0 if strict else found.out_of_turn)
    return ReplayReport(
        path=feed.path,
        format=feed.format,
        messages=found.messages,
        seconds=found.seconds,
        wall_seconds=wall,
        trades_recorded=found.executions - found.unverifiable,
        trades_made=found.matched,
        trades_matched=found.matched,
        trades_unnamed=found.unnamed,
        trades_unverifiable=found.unverifiable,
        trades_hidden=found.hidden,
        books_checked=found.books if check else 0,
        books_matched=found.books_equal if check else 0,
        books_start=found.books_start,
        levels_learned=found.levels_learned,
        orders_unknown=found.unknown,
        halts=found.halts,
        trades_out_of_turn=found.out_of_turn,
        differences=found.differences - left_out,
        first_difference=first.text if first else None,
        first_row=first.where if first else "",
    )


def _replay_sse(feed: SseFeed, check: bool, tell: Progress, start: float) -> ReplayReport:
    day = SseReplay(feed, check=check, tell=tell)
    day.run()
    trades, books = day.trades, day.books
    checked, matched, empty = (books.checked, books.matched, books.empty) if books else (0, 0, 0)
    auction = (books.opening_checked, books.opening_matched()) if books else (0, 0)
    # Empty rows are explained, unless nothing at all could be compared.
    books_wrong = checked - matched - (empty if matched else 0)
    differences = max(trades.recorded, trades.made) - trades.matched + books_wrong + auction[0] - auction[1]
    first, row = _first(feed, day)
    return ReplayReport(
        path=feed.path,
        format=feed.format,
        messages=day.messages,
        seconds=day.seconds,
        wall_seconds=perf_counter() - start,
        trades_recorded=trades.recorded,
        trades_made=trades.made,
        trades_matched=trades.matched,
        trades_after_hours=day.after_hours,
        cancels_recorded=day.cancels,
        cancels_matched=day.cancels_matched,
        books_checked=checked,
        books_matched=matched,
        books_empty=empty,
        auction_checked=auction[0],
        auction_matched=auction[1],
        orders_unknown=day.unknown,
        differences=differences,
        first_difference=first if differences else None,
        first_row=row if differences else "",
    )


def _first(feed: SseFeed, day: SseReplay) -> tuple[str, str]:
    """Where recording and engine part, in words: the first trade, else the first opening price, else the first book."""
    if day.trades.first is not None:
        place, recorded, made = day.trades.first

        def words(trade: Rows | None) -> str:
            if trade is None:
                return "no trade"
            buy, sell, price, size = trade.tolist()
            return f"{size} at {price / 1000:.3f} between buy {buy} and sell {sell}"

        text = f"trade {place + 1}: recorded {words(recorded)}, replayed {words(made)}"
        return text, feed.where(IN_TRADES + place)
    if day.books is not None:
        return day.books.first_difference() or "", str(feed.snapshots)
    return "", ""
