"""Speed of the compiled book beside a good plain-Python one on the same flows, in one run.

Two flows on one instrument: shallow (about 200 orders rest; 66 % new orders, 34 % cancels, a quarter of the new orders
marketable) and deep (about 5,200 orders rest on some 230 levels a side). Both books write every report.
Run: python -m benchmarks.book [messages]
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from benchmarks.plain_book import PlainBook
from twin.clock import Phase
from twin.contracts import Instruments, MessageKind, Messages, TapeKind
from twin.matching.engine import MatchingEngine

DOWN, UP, MIDDLE = 9_000, 11_000, 10_000
BATCH = 10_000  # messages per call, as in a busy tick of a simulated day
ROUNDS = 3


def flow(n: int, *, target: int, spread: int, seed: int) -> Messages:
    """Random adds and cancels that keep about `target` orders resting, within `spread` ticks of the middle.

    A plain book runs along, so that a cancel always names a resting order and a marketable order finds the touch.
    """
    rng = np.random.default_rng(seed)
    u, v, pick = rng.random(n).tolist(), rng.random(n).tolist(), rng.random(n).tolist()
    buy, away = (rng.random(n) < 0.5).tolist(), rng.integers(1, spread + 1, n).tolist()
    sizes = (rng.integers(1, 10, n) * 100).tolist()
    book = PlainBook()
    resting: list[int] = []  # handles, some of which may have traded since
    rows: list[tuple[int, int, int, int, int]] = []
    handle = 0
    for i in range(n):
        if u[i] < min(0.68, 0.34 * len(book.live) / target):
            while resting:
                at = int(pick[i] * len(resting))
                resting[at], resting[-1] = resting[-1], resting[at]
                order = resting.pop()
                if order in book.live:
                    book.cancel(order)
                    rows.append((MessageKind.CANCEL, 0, 0, 0, order))
                    break
            continue
        side = 1 if buy[i] else -1
        heap = book.heaps[1 if buy[i] else 0]
        marketable = v[i] < 0.25 and heap
        price = abs(heap[0]) if marketable else MIDDLE - side * away[i]
        book.add(handle, buy[i], price, sizes[i])
        if handle in book.live:
            resting.append(handle)
        rows.append((MessageKind.NEW_LIMIT, side, price, sizes[i], handle))
        handle += 1
    kind, sides, price, size, order = np.array(rows, np.int64).T.copy()
    zero = np.zeros(len(rows), np.int64)
    return Messages(np.arange(len(rows)), kind, zero, sides, price, size, order)


def run(n: int = 1_000_000) -> list[dict[str, Any]]:
    """Rows of {name, work, seconds, rate, ratio}; ratio = rate of the compiled book over that of the row."""
    rows: list[dict[str, Any]] = []
    for name, resting, spread in (("shallow book", 200, 20), ("deep book", 5_200, 230)):
        messages = flow(n, target=resting, spread=spread, seed=7)
        seconds, traded, live = _compiled(messages)
        plain_seconds, plain_traded = _plain(messages)
        if traded != plain_traded:
            raise AssertionError(f"{name}: the books trade {traded} and {plain_traded} shares")
        work = len(messages)
        rows += [
            {
                "name": f"{name} ({live} resting), compiled",
                "work": work,
                "seconds": seconds,
                "rate": work / seconds,
                "ratio": 1.0,
            },
            {
                "name": f"{name}, plain Python",
                "work": work,
                "seconds": plain_seconds,
                "rate": work / plain_seconds,
                "ratio": plain_seconds / seconds,
            },
        ]
    return rows


def _compiled(messages: Messages) -> tuple[float, int, int]:
    """Best time of several rounds after a warm-up, shares traded, and orders resting at the end."""
    one = np.ones(1, np.int64)
    listed = Instruments(one * 0, one * 0, one * MIDDLE, one * DOWN, one * UP, one * 100, one)
    batches = [messages.take(slice(i, i + BATCH)) for i in range(0, len(messages), BATCH)]
    best, traded, resting = float("inf"), 0, 0
    for _ in range(ROUNDS + 1):
        engine = MatchingEngine(listed, max_orders=len(messages))
        engine.set_phase(Phase.CONTINUOUS)
        traded = 0
        seconds = 0.0
        for batch in batches:
            start = time.perf_counter()
            tape = engine.process(batch)
            seconds += time.perf_counter() - start
            traded += int(tape.quantity[tape.kind == TapeKind.TRADE].sum())
        engine.check()
        best, resting = min(best, seconds), engine.resting
    return best, traded, resting


def _plain(messages: Messages) -> tuple[float, int]:
    columns = [c.tolist() for c in (messages.kind, messages.side, messages.price, messages.quantity, messages.order)]
    best, traded = float("inf"), 0
    for _ in range(2):
        book = PlainBook()
        start = time.perf_counter()
        book.run(*columns)
        best, traded = min(best, time.perf_counter() - start), book.traded
    return best, traded


if __name__ == "__main__":
    for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        print(f"{row['name']:40} {row['work']:10,} {row['seconds']:8.3f} s {row['rate']:12,.0f}/s {row['ratio']:8.1f}")
