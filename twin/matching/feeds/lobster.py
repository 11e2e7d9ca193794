"""LOBSTER: a message file and, row by row, the book of the best levels after it (lobsterdata.com, Nasdaq).

Message columns: seconds since midnight, type, order, size, price x 10,000, side of the resting order. Types: 1 new
order, 2 partial cancel, 3 deletion, 4 execution, 5 execution of a hidden order, 6 cross, 7 halt (price -1), quoting
again (0), trading again (1). Book columns: ask price, ask size, bid price, bid size per level; a level that does not
exist has price +-9999999999. What happens behind the last level is not in the files.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from twin.clock import SECOND
from twin.contracts import IntColumn
from twin.errors import DataError
from twin.matching.feeds.base import Action, FeedChunk, FeedRows
from twin.matching.feeds.text import Columns, Source, Table

_NAME = re.compile(r"message(?=(_\d+)?\.csv(\.gz|\.zst)?$)", re.IGNORECASE)
_MESSAGE = ("time", "type", "order", "size", "price", "direction")
_TYPES: dict[str, Any] = dict.fromkeys(_MESSAGE, pa.int64()) | {"time": pa.float64()}
_EMPTY = 9_999_999_999
_ROWS = 1 << 16
_ACTIONS = np.array([Action.NOTE, *(Action(x) for x in (0, 1, 2, 3, 7, 8, 9))], np.int64)
_HALTS = {-1: Action.HALT, 0: Action.QUOTE, 1: Action.RESUME}


def find_pair(path: Path) -> tuple[Source, Source] | None:
    """Message and orderbook file of a folder, a zip archive, or given one of the two; None if there are none.

    Raises:
        DataError: a message file without its orderbook file, or more than one day.
    """
    if path.is_dir():
        sources = [Source(p) for p in sorted(path.iterdir()) if p.is_file()]
    elif path.suffix == ".zip" and path.is_file():
        try:
            sources = [Source(path, name) for name in zipfile.ZipFile(path).namelist()]
        except zipfile.BadZipFile as error:
            raise DataError("is not a zip archive or is cut off", where=str(path)) from error
    else:
        twin = re.sub(r"orderbook(?=(_\d+)?\.csv)", "message", path.name)
        sources = [Source(path.with_name(twin))] if _NAME.search(twin) and path.is_file() else []
    messages = [source for source in sources if _NAME.search(source.name)]
    if not messages:
        return None
    if len(messages) > 1:
        names = ", ".join(source.name for source in messages[:3])
        raise DataError(f"{len(messages)} message files ({names})", str(path), "Give one of them: a replay is one day.")
    message = messages[0]
    stored = message.member or message.path.name
    other = _NAME.sub("orderbook", stored)
    book = Source(message.path, other) if message.member else Source(message.path.with_name(other))
    there = other in zipfile.ZipFile(path).namelist() if message.member else book.path.is_file()
    if not there:
        raise DataError("file is missing", str(book), "A LOBSTER day is a message file and an orderbook file.")
    if not message.member and not message.path.is_file():
        raise DataError("file is missing", str(message), "A LOBSTER day is a message file and an orderbook file.")
    return message, book


class LobsterFeed:
    """A LOBSTER day that is being read."""

    format = "lobster"
    price_scale = 10_000
    starts_empty = False
    shows_queue = False
    paired = False

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise DataError("no such file or folder", str(path), "Give a LOBSTER folder, zip or message file.")
        pair = find_pair(path)
        if pair is None:
            raise DataError("no LOBSTER message file", str(path), "Its name ends in message_<levels>.csv.")
        self.path = path
        self._message, self._book = pair
        self.instruments = [self._message.name.split("_")[0]]
        columns = len(self._first_fields(self._book))
        if columns % 4 or columns == 0:
            raise DataError(
                f"{columns} columns", f"{self._book}:1", "A level has four: ask price, size, bid price, size."
            )
        self.levels = columns // 4
        self._width = len(self._first_fields(self._message))
        if self._width < len(_MESSAGE):
            raise DataError(
                f"Expected 6 columns, got {self._width}", f"{self._message}:1", f"Needs {', '.join(_MESSAGE)}."
            )

    def where(self, row: int, column: str = "") -> str:
        """File, line and column of a row."""
        name = {"quantity": "size", "side": "direction", "action": "type"}.get(column, column)
        return f"{self._message}:{row + 1}" + (f", column {name}" if name else "")

    def chunks(self) -> Iterator[FeedChunk]:
        """Rows with the book after each."""
        extra = [f"extra{i}" for i in range(self._width - len(_MESSAGE))]
        messages = Table(self._message, _TYPES, [*_MESSAGE, *extra])
        names = [f"{side}{what}{i}" for i in range(1, self.levels + 1) for side in "ab" for what in ("p", "q")]
        books = Table(self._book, dict.fromkeys(names, pa.int64()), names)
        last = np.zeros(1, np.int64)
        book_rows = _Even(books.pieces(), names)
        for piece in messages.pieces():
            rows = self._rows(piece, last)
            for start in range(0, len(rows), _ROWS):
                part = rows.take(slice(start, start + _ROWS))
                published = book_rows.take(len(part))
                if len(published) < len(part):
                    raise self._unequal(messages, books)
                yield FeedChunk(part, published, messages.fraction or 0.5)
        if len(book_rows.take(1)):
            for _ in book_rows.pieces:
                pass
            raise self._unequal(messages, books)

    def _unequal(self, messages: Table, books: Table) -> DataError:
        for table in (messages, books):
            seen = table.rows
            table.rows = max(seen, sum(len(piece) for piece in table.pieces()))
        return DataError(
            f"{messages.rows} message rows but {books.rows} book rows",
            f"{self._book}:{min(messages.rows, books.rows) + 1}",
            "Row k of the orderbook file is the book after message k.",
        )

    def _first_fields(self, source: Source) -> list[str]:
        return source.head(1 << 16).splitlines()[0].split(",")

    def _rows(self, piece: Columns, last: IntColumn) -> FeedRows:
        kind, price, size, side = (piece.integers(name) for name in ("type", "price", "size", "direction"))
        piece.refuse("type", (kind < 1) | (kind > 7), "is not one of the types 1 to 7")
        usual = kind <= 5
        piece.refuse("size", usual & (size <= 0), "is not a size")
        piece.refuse("price", usual & (price <= 0), "is not a price")
        piece.refuse("direction", usual & (side != 1) & (side != -1), "is neither 1 (buy) nor -1 (sell)")
        time = piece.scaled("time", SECOND, "is not a time in seconds")
        piece.refuse("time", time < np.maximum.accumulate(np.append(last, time))[:-1], "is before an earlier row")
        last[0] = time[-1]
        action = _ACTIONS[kind]
        for i in np.flatnonzero(kind == 7).tolist():
            if int(price[i]) not in _HALTS:
                piece.fail("price", i, f"{price[i]} of a halt row is not -1, 0 or 1")
            action[i] = _HALTS[int(price[i])]
        zero = np.zeros(len(piece), np.int64)
        row = piece.first_row + np.arange(len(piece), dtype=np.int64)
        return FeedRows(time, row, action, zero, side, price, size, piece.integers("order"), zero)


class _Even:
    """Published books in portions of a given number of rows."""

    def __init__(self, pieces: Iterator[Columns], names: list[str]) -> None:
        self.pieces, self._names = pieces, names
        self._left = np.empty((0, len(names)), np.int64)

    def take(self, n: int) -> IntColumn:
        """The next n rows, fewer at the end."""
        while len(self._left) < n:
            piece = next(self.pieces, None)
            if piece is None:
                break
            self._left = np.concatenate([self._left, self._levels(piece)])
        part, self._left = self._left[:n], self._left[n:]
        return np.ascontiguousarray(part)

    def _levels(self, piece: Columns) -> IntColumn:
        table = np.empty((len(piece), len(self._names)), np.int64)
        for i in range(0, len(self._names), 2):
            price, size = piece.integers(self._names[i]), piece.integers(self._names[i + 1])
            none = np.abs(price) >= _EMPTY
            piece.refuse(self._names[i + 1], ~none & (size < 0), "is negative")
            piece.refuse(self._names[i], ~none & (size > 0) & (price <= 0), "is not a price")
            table[:, i] = np.where(none, 0, price)
            table[:, i + 1] = np.where(none, 0, size)
        return table
