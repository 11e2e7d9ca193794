"""The compiled book beside a good plain-Python one on the same random flows, in one run; both write every report."""

from __future__ import annotations

import statistics
import time

from benchmarks.flows import SHAPES, random_flow
from benchmarks.measure import Row, row
from benchmarks.one_book import drive
from benchmarks.plain_book import PlainBook
from twin.contracts import Messages

ROUNDS = 7


def run(n: int = 1_000_000) -> list[Row]:
    """Rows of both books on both flows, after a round that compiles."""
    rows: list[Row] = []
    drive(random_flow(1_000, target=50, spread=20))
    for name, (resting, spread) in SHAPES.items():
        messages = random_flow(n, target=resting, spread=spread)
        drives = [drive(messages) for _ in range(ROUNDS)]
        plain, traded = _plain(messages)
        if traded != drives[0].traded:
            raise AssertionError(f"{name}: the books trade {drives[0].traded} and {traded} shares")
        seconds = [each.seconds for each in drives]
        first = len(messages) / statistics.median(seconds)
        rows.append(row(f"{name} book ({drives[0].resting:,} resting), full tape", len(messages), seconds, first))
        rows.append(row(f"{name} book, plain Python", len(messages), plain, first))
    return rows


def _plain(messages: Messages) -> tuple[list[float], int]:
    """CPU seconds of three rounds of the plain book, and the shares that it trades."""
    columns = [c.tolist() for c in (messages.kind, messages.side, messages.price, messages.quantity, messages.order)]
    seconds, traded = [], 0
    for _ in range(3):
        book = PlainBook()
        begun = time.process_time()
        book.run(*columns)
        seconds.append(time.process_time() - begun)
        traded = book.traded
    return seconds, traded
