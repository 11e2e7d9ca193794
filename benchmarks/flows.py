"""The flows that books are measured on: two random ones and recorded days."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.one_book import drive, new_engine
from benchmarks.plain_book import PlainBook
from twin.clock import Phase
from twin.contracts import IntColumn, MessageKind, Messages, Side, TapeKind
from twin.matching.engine import MatchingEngine
from twin.matching.feeds.base import Action, FeedRows
from twin.matching.feeds.sse_l2 import SseFeed
from twin.matching.replay_sse import CLOSING_START, OPENING_END

MIDDLE = 10_000
SHAPES = {"shallow": (200, 20), "deep": (5_200, 230)}
"""Orders that rest, and ticks from the middle within which they are entered."""
SEED = 7


def random_flow(n: int, *, target: int, spread: int, seed: int = SEED) -> Messages:
    """Random adds and cancels that keep about `target` orders resting, within `spread` ticks of the middle.

    Two thirds of the messages are new orders, of which a quarter meet the touch; a plain book runs along, so that a
    cancel always names a resting order and a marketable order finds the touch.
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
    return _messages(*np.array(rows, np.int64).T.copy())


def recorded_days() -> list[Path]:
    """Folders of the recorded Shanghai days; none where the recordings are absent."""
    base = os.environ.get("TWIN_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    return sorted(Path(base).glob("market/sse_l2_*"))


def recorded_flow(folder: Path) -> Messages:
    """Continuous trading of a recorded Shanghai day as limit orders and cancels, which every book can take.

    First comes the book that the opening call leaves, then what the exchange received until the closing call. Orders
    that traded at once in full are limit orders at the price that they reached; cancels that find nothing are left out.
    """
    rows = FeedRows.concat([chunk.rows for chunk in SseFeed(folder).chunks()])
    rows = rows.take(np.isin(rows.action, (Action.ADD, Action.ADD_IOC, Action.DELETE)))
    _, handle = np.unique(rows.order, return_inverse=True)
    kind = np.where(rows.action == Action.DELETE, int(MessageKind.CANCEL), int(MessageKind.NEW_LIMIT))
    tick = 10 if not (rows.price % 10).any() else 1
    day = _messages(kind, rows.side, rows.price // tick, rows.quantity, handle.astype(np.int64))
    opening, closing = np.searchsorted(rows.time, [OPENING_END, CLOSING_START]).tolist()
    engine = new_engine(day, Phase.OPEN_CALL)
    engine.process(day.take(slice(0, opening)))
    engine.uncross(OPENING_END)
    trading = _numbered([_resting(engine, side) for side in Side] + [day.take(slice(opening, closing))])
    tape = drive(trading, keep=True).tape
    idle = np.isin(trading.time, tape.time[tape.kind == TapeKind.REJECTED])
    return _numbered([trading.take(~idle)])


def _resting(engine: MatchingEngine, side: Side) -> Messages:
    orders, prices, leaves = engine.queue(0, side)
    kind = np.full(len(orders), int(MessageKind.NEW_LIMIT), np.int64)
    return _messages(kind, np.full(len(orders), int(side), np.int64), prices, leaves, orders)


def _numbered(parts: list[Messages]) -> Messages:
    whole = Messages.concat(parts)
    return _messages(whole.kind, whole.side, whole.price, whole.quantity, whole.order)


def _messages(kind: IntColumn, side: IntColumn, price: IntColumn, quantity: IntColumn, order: IntColumn) -> Messages:
    """Messages of one instrument; the time of each is its place."""
    return Messages(np.arange(len(kind)), kind, np.zeros(len(kind), np.int64), side, price, quantity, order)
