"""A LOBSTER day (Nasdaq) in the form in which days are measured.

The files name resting orders only: an order that trades at once appears as executions of the orders it meets, one after
the other at the same instant on the same side. Such a run is taken for one aggressor, a market order of the executed
size, so that sizes and prices of aggressors are lower bounds. The book before and after each row is the published one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenarios.realism.day import DayOrders, DayQuotes, DayTrades, StockDay
from twin.clock import SECOND, at
from twin.contracts import IntColumn
from twin.errors import DataError
from twin.matching.feeds.base import Action, FeedRows
from twin.matching.feeds.lobster import LobsterFeed

Flags = NDArray[np.bool_]
WINDOWS = ((at("09:30"), at("16:00")),)
_TICK = 100
"""A cent in the feed's units (USD / 10,000)."""
_LEVELS = 10
_EVERY = 10 * SECOND


def lobster_day(path: Path) -> StockDay:
    """Read a day; prices become cents.

    Raises:
        DataError: the files are damaged, or hold no trade.
    """
    feed = LobsterFeed(path)
    chunks = list(feed.chunks())
    rows = FeedRows.concat([chunk.rows for chunk in chunks])
    books = np.concatenate([chunk.books for chunk in chunks if chunk.books is not None])
    executed = np.isin(rows.action, [Action.EXECUTE, Action.HIDDEN])
    if not executed.any():
        raise DataError("no trades", where=str(path))
    # The book that a row met is the one after the row before.
    met = np.vstack([np.zeros((1, books.shape[1]), np.int64), books[:-1]])
    first = executed & ~_follows(rows, executed)
    orders, row_of = _orders(rows, met, first, executed)
    trades = DayTrades(
        rows.time[executed],
        rows.price[executed] // _TICK,
        rows.quantity[executed],
        -rows.side[executed],
        row_of[np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))[executed]],
    )
    changed = np.append(True, (books[1:, :4] != books[:-1, :4]).any(axis=1))
    best = books[changed]
    quotes = DayQuotes(
        rows.time[changed], best[:, 2] // _TICK, best[:, 0] // _TICK, best[:, 3].copy(), best[:, 1].copy()
    )
    looks, depth = _depth(rows.time, books)
    cancels = rows.time[np.isin(rows.action, [Action.DELETE, Action.REDUCE])]
    name = f"{feed.instruments[0]}, {path.resolve().name}"
    return StockDay(name, True, 0.01, 0, orders, trades, quotes, cancels, looks, depth, WINDOWS)


def _follows(rows: FeedRows, executed: Flags) -> Flags:
    """Executions that belong to the aggressor of the row before."""
    same = (rows.time[1:] == rows.time[:-1]) & (rows.side[1:] == rows.side[:-1])
    return np.append(False, same & executed[1:] & executed[:-1])


def _orders(rows: FeedRows, met: IntColumn, first: Flags, executed: Flags) -> tuple[DayOrders, IntColumn]:
    """New orders and aggressors in their order, and the place of each row's order among them (-1: none)."""
    added = rows.action == Action.ADD
    entered = np.flatnonzero(added | first)
    row_of = np.full(len(rows), -1, np.int64)
    row_of[entered] = np.arange(len(entered))
    group = np.cumsum(first) - 1
    swept = np.bincount(group[executed], rows.quantity[executed], int(first.sum())).astype(np.int64)
    side = np.where(added, rows.side, -rows.side)[entered]
    quantity = rows.quantity[entered].copy()
    quantity[first[entered]] = swept
    price = np.where(added, rows.price // _TICK, 0)[entered]
    ended, fate, filled = (np.zeros(len(entered), np.int64) for _ in range(3))
    aggressor = first[entered]
    ended[aggressor], fate[aggressor], filled[aggressor] = rows.time[entered][aggressor], 1, swept
    place = dict(zip(rows.order[added].tolist(), row_of[added].tolist(), strict=True))
    events = np.flatnonzero(np.isin(rows.action, [Action.DELETE, Action.EXECUTE, Action.REDUCE]))
    left = quantity.copy()
    for i in events.tolist():
        k = place.get(int(rows.order[i]))
        if k is None:
            continue
        filled[k] += rows.quantity[i] if rows.action[i] == Action.EXECUTE else 0
        left[k] -= rows.quantity[i]
        if rows.action[i] == Action.DELETE or left[k] <= 0:
            ended[k], fate[k] = rows.time[i], -1 if rows.action[i] == Action.DELETE else 1
    bid, ask = met[entered, 2] // _TICK, met[entered, 0] // _TICK
    return DayOrders(rows.time[entered], side, price, quantity, bid, ask, ended, fate, filled), row_of


def _depth(time: IntColumn, books: IntColumn) -> tuple[IntColumn, IntColumn]:
    """The published book every ten seconds; levels that the file does not have stay empty."""
    looks = np.arange(WINDOWS[0][0] + _EVERY, WINDOWS[0][1], _EVERY)
    at_look = books[np.maximum(np.searchsorted(time, looks, side="right") - 1, 0)]
    levels = at_look.reshape(len(looks), -1, 4)[:, :_LEVELS]
    depth = np.zeros((len(looks), 4, _LEVELS), np.int64)
    for place, column in enumerate((2, 3, 0, 1)):
        values = levels[:, :, column]
        depth[:, place, : values.shape[1]] = values // _TICK if column in (0, 2) else values
    return looks, depth
