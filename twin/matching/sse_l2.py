"""A whole recorded Shanghai Level-2 stock-day in memory, for measuring; a replay reads it in pieces instead.

Files and units: `twin.matching.feeds.sse_l2`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin.contracts import Batch, IntColumn
from twin.matching.feeds.base import Action, FeedRows
from twin.matching.feeds.sse_l2 import SseFeed
from twin.matching.feeds.sse_snapshots import Snapshots, read_snapshots


@dataclass(frozen=True)
class Flow(Batch):
    """Messages in the order of the channel; `side` is 1 or -1, `ioc` marks orders that must not rest.

    `biz_index` is the place among all rows of the channel, messages and trades alike.
    """

    biz_index: IntColumn
    time: IntColumn
    cancel: IntColumn
    side: IntColumn
    order_no: IntColumn
    price: IntColumn
    quantity: IntColumn
    ioc: IntColumn


@dataclass(frozen=True)
class RecordedTrades(Batch):
    """Trades in the order of the channel; `auction` is 1 for trades of a call auction."""

    biz_index: IntColumn
    time: IntColumn
    buy: IntColumn
    sell: IntColumn
    price: IntColumn
    quantity: IntColumn
    auction: IntColumn


@dataclass(frozen=True)
class SseDay:
    """One recorded stock-day; `date` comes from the folder's name, if it ends in one."""

    path: Path
    date: dt.date | None
    flow: Flow
    trades: RecordedTrades
    snapshots: Snapshots | None


def read_day(path: Path) -> SseDay:
    """Read a folder.

    Raises:
        DataError: a file or a column is missing, a value is wrong, rows are out of order; names file, line, column.
    """
    feed = SseFeed(path)
    rows = FeedRows.concat([chunk.rows for chunk in feed.chunks()])
    place = np.arange(len(rows), dtype=np.int64)
    traded = rows.traded
    m, at = rows.take(~traded), place[~traded]
    t, then = rows.take(traded), place[traded]
    cancel = (m.action == Action.DELETE).astype(np.int64)
    ioc = (m.action == Action.ADD_IOC).astype(np.int64)
    auction = (t.action == Action.AUCTION_TRADE).astype(np.int64)
    return SseDay(
        path,
        feed.date,
        Flow(at, m.time, cancel, m.side, m.order, m.price, m.quantity, ioc),
        RecordedTrades(then, t.time, t.order, t.other, t.price, t.quantity, auction),
        read_snapshots(feed.snapshots) if feed.snapshots else None,
    )
