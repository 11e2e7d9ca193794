"""What a recorded feed looks like to the replay: rows of one common form, read in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Batch, IntColumn

Progress = Callable[[str, float], None]
"""Called with the stage and the fraction of it that is done."""


class Action(IntEnum):
    """What a recorded row says."""

    ADD = 0
    """A new order rests, or trades first if it meets another."""
    REDUCE = 1
    """`quantity` shares of a resting order are withdrawn; it keeps its place."""
    DELETE = 2
    """A resting order is withdrawn; `quantity` is what was left of it."""
    EXECUTE = 3
    """`quantity` shares of a visible resting order trade; `side` and `price` are that order's."""
    MODIFY = 4
    """A resting order has a new price or quantity; at its price and not larger it keeps its place."""
    TRADE = 5
    """A trade as published; whether the book changes is told by other rows."""
    CLEAR = 6
    """The book is empty and everything that rests from now on will be named."""
    HIDDEN = 7
    """A trade with an order that the book did not show."""
    CROSS = 8
    """The sum of an auction whose executions have rows of their own."""
    HALT = 9
    QUOTE = 10
    """Orders are taken again, nothing trades yet."""
    RESUME = 11
    NOTE = 12
    """Nothing that concerns the book."""
    ADD_IOC = 13
    """A new order of which whatever does not trade at once is gone; `price` bounds it."""
    AUCTION_TRADE = 14
    """A trade of a call auction between `order` (buy) and `other` (sell)."""


@dataclass(frozen=True)
class FeedRows(Batch):
    """Recorded rows in their order.

    `row` counts the rows of the file from 0, `instrument` is the place in the feed's `instruments`, `price` is in the
    feed's units (`price_scale` per unit of currency), `order` the exchange's identifier. `other` is the selling order
    of a published trade whose buying order is `order`; else 0.
    """

    time: IntColumn
    row: IntColumn
    action: IntColumn
    instrument: IntColumn
    side: IntColumn
    price: IntColumn
    quantity: IntColumn
    order: IntColumn
    other: IntColumn

    @property
    def traded(self) -> NDArray[np.bool_]:
        """Which rows are published trades."""
        trades: NDArray[np.bool_] = (self.action == Action.TRADE) | (self.action == Action.AUCTION_TRADE)
        return trades


@dataclass(frozen=True)
class FeedChunk:
    """A run of rows. `books`, if the feed publishes a book after every row, has a line per row.

    A line holds ask price, ask size, bid price, bid size of each level, the best first; a size of 0 means empty.
    `done` is the fraction of the recording that has been read.
    """

    rows: FeedRows
    books: IntColumn | None
    done: float


class Feed(Protocol):
    """A recording that is being read.

    Attributes:
        format: name in the registry.
        path: what was opened.
        price_scale: units of `FeedRows.price` per unit of currency.
        levels: levels of the books published after each row, 0 if there are none.
        instruments: names in the order in which they were met.
        starts_empty: whether the first row meets an empty book; else what rests before it is not known.
        shows_queue: whether the rows tell every order's place in the queue.
        paired: whether a fill is followed by a row that takes its shares off the book.
    """

    format: str
    path: Path
    price_scale: int
    levels: int
    instruments: list[str]
    starts_empty: bool
    shows_queue: bool
    paired: bool

    def chunks(self) -> Iterator[FeedChunk]:
        """The rows from the beginning.

        Raises:
            DataError: a row is damaged; names file, row and column.
        """
        ...

    def where(self, row: int, column: str = "") -> str:
        """File, line and column of a row, for messages; `column` is one of FeedRows."""
        ...
