"""Delimited text of any length, read in pieces: plain, gzip, zstd or a member of a zip archive."""

from __future__ import annotations

import atexit
import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any
from weakref import WeakSet

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from twin.contracts import IntColumn
from twin.errors import DataError

BLOCK = 1 << 21
"""Bytes of text that are parsed at a time."""
SUFFIXES = ("", ".gz", ".zst")

Convert = Callable[[str], Any]


@dataclass(frozen=True)
class Source:
    """A file, or a member of a zip archive."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """Name without folder."""
        return Path(self.member).name if self.member else self.path.name

    def size(self) -> int:
        """Bytes as stored, at least 1."""
        return max(1, self.path.stat().st_size)

    def open(self) -> tuple[Any, Callable[[], int]]:
        """A stream of the plain bytes, and how many stored bytes have been read."""
        if self.member:
            stream: IO[bytes] = zipfile.ZipFile(self.path).open(self.member)  # noqa: SIM115 - the caller reads it
            return stream, lambda: 0
        raw = pa.OSFile(str(self.path))
        kind = {".gz": "gzip", ".zst": "zstd"}.get(self.path.suffix)
        return (pa.CompressedInputStream(raw, kind) if kind else raw), raw.tell

    def head(self, size: int = 1 << 14) -> str:
        """The beginning of the text.

        Raises:
            DataError: it cannot be read or is empty.
        """
        try:
            text: str = self.open()[0].read(size).decode("utf-8", errors="strict").lstrip("\ufeff")
        except UnicodeDecodeError as error:
            if error.start < size - 4:
                raise DataError("is not text", where=str(self), hint="It must be UTF-8.") from error
            text = error.object[: error.start].decode("utf-8")
        except (pa.ArrowInvalid, OSError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(_reason(error), where=str(self)) from error
        if not text.strip():
            raise DataError("file is empty", where=str(self), hint="It must at least have its header line.")
        return text


class Columns:
    """Some rows of a text file as columns, with checks that name the line of a wrong value."""

    def __init__(
        self, source: Source, batch: Any, first_row: int, first_line: int, optional: tuple[str, ...] = ()
    ) -> None:
        self.source, self.batch, self.first_row, self._first_line = source, batch, first_row, first_line
        for name in batch.schema.names:
            column = batch.column(name)
            if column.null_count and name not in optional:
                self.fail(name, int(np.argmax(column.is_null().to_numpy(zero_copy_only=False))), "no value")

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        values: NDArray[Any] = self.batch.column(name).to_numpy(zero_copy_only=False)
        return values

    def integers(self, name: str) -> IntColumn:
        """A column of integers."""
        values = self[name]
        return values if values.dtype == np.int64 else values.astype(np.int64)

    def choice(self, name: str, values: tuple[str, ...]) -> IntColumn:
        """Place of each value among those allowed."""
        column = self.batch.column(name)
        words = column.dictionary.to_pylist()
        places = np.array([values.index(word) if word in values else -1 for word in words] or [-1], np.int64)
        found = places[column.indices.to_numpy(zero_copy_only=False)]
        if len(found) and found.min() < 0:
            row = int(np.argmax(found < 0))
            self.fail(name, row, f"{column[row].as_py()!r} is not one of {', '.join(values)}")
        return found

    def scaled(self, name: str, scale: int, what: str) -> IntColumn:
        """A column of decimal numbers as whole numbers of 1/scale."""
        times = self[name] * float(scale)
        wrong = ~(np.abs(times) < 2.0**53)
        whole = np.rint(np.where(wrong, 0.0, times))
        self.refuse(name, wrong | (np.abs(times - whole) > np.maximum(0.01, np.abs(whole) * 2.0**-50)), what)
        return whole.astype(np.int64)

    def refuse(self, name: str, wrong: NDArray[np.bool_], what: str, hint: str = "") -> None:
        """Raise DataError at the first wrong row, if any."""
        if wrong.any():
            row = int(np.argmax(wrong))
            self.fail(name, row, f"{self.batch.column(name)[row].as_py()} {what}", hint)

    def fail(self, name: str, row: int, what: str, hint: str = "") -> None:
        """Raise DataError at a row of this piece."""
        raise DataError(what, f"{self.source}:{self.first_row + row + self._first_line}, column {name}", hint)


class Table:
    """A text file that is read in pieces.

    Args:
        source: the file.
        types: columns that are needed, with their types; others are skipped.
        names: names of all columns of a file without a header line.
        optional: columns that need not have a value in every row.
    """

    def __init__(
        self,
        source: Source,
        types: dict[str, Any],
        names: list[str] | None = None,
        *,
        optional: tuple[str, ...] = (),
    ) -> None:
        self.source, self.types, self._optional = source, types, optional
        self.rows = 0
        self.fraction = 0.0
        self._names = names
        if names is None:
            self._all = header(source)
            missing = [name for name in types if name not in self._all]
            if missing:
                raise DataError(f"column {missing[0]!r} is missing", f"{source}:1", f"Needs {', '.join(types)}.")
        else:
            self._all = names
        self.first_line = 1 if names is not None else 2

    def pieces(self) -> Iterator[Columns]:
        """All rows, piece by piece.

        Raises:
            DataError: the text is damaged; names file, line and column.
        """
        size = self.source.size()
        try:
            stream, read = self.source.open()
            reader = pacsv.open_csv(
                stream,
                # Without the parser's own threads: _ahead has one, and theirs may outlive the interpreter.
                read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=self._names),
                convert_options=pacsv.ConvertOptions(
                    include_columns=list(self.types),
                    column_types=self.types,
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            for batch in _ahead(reader):
                self.fraction = min(1.0, read() / size)
                if batch.num_rows:
                    piece = Columns(self.source, batch, self.rows, self.first_line, self._optional)
                    self.rows += batch.num_rows
                    yield piece
            self.fraction = 1.0
        except (pa.ArrowInvalid, OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> DataError:
        """Find the line that the parser stumbled over by reading the text once more, slowly."""
        if "CSV" in str(error):
            try:
                found = self._first_damage()
            except (OSError, EOFError, UnicodeDecodeError, pa.ArrowInvalid, csv.Error) as second:
                return DataError(_reason(second), where=str(self.source))
            if found is not None:
                return found
        return DataError(_reason(error), where=str(self.source))

    def _first_damage(self) -> DataError | None:
        convert = {name: int if pa.types.is_integer(kind) else _words(kind) for name, kind in self.types.items()}
        wanted = [(self._all.index(name), name, convert[name]) for name in self.types]
        raw = io.BufferedReader(_Raw(self.source.open()[0]))
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        for line, fields in enumerate(csv.reader(text), start=1):
            if line < self.first_line or not fields:
                continue
            if len(fields) != len(self._all):
                return DataError(f"Expected {len(self._all)} columns, got {len(fields)}", f"{self.source}:{line}")
            for place, name, check in wanted:
                try:
                    if fields[place] != "":
                        check(fields[place])
                except ValueError:
                    what = "is not a number" if check is not str else "cannot be read"
                    return DataError(f"{fields[place]!r} {what}", f"{self.source}:{line}, column {name}")
        return None


def _ahead(reader: Any) -> Iterator[Any]:
    """The batches of a reader, the next of which is parsed while the present one is worked on.

    An iterator that is left half-way may be closed by the garbage collector within any thread, even one that holds the
    locks of `threading`. So its end takes no lock and waits for nobody: a simple queue may be filled from anywhere.
    """
    parser = _Parser(reader)
    _PARSERS.add(parser)
    parser.start()
    parser.asked.put(True)
    try:
        while (batch := parser.given.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            parser.asked.put(True)
            yield batch
    finally:
        parser.asked.put(False)


class _Parser(Thread):
    """Reads a batch whenever it is asked to, and ends when it is told to (False)."""

    def __init__(self, reader: Any) -> None:
        super().__init__(daemon=True)
        self._reader = reader
        self.asked: SimpleQueue[bool] = SimpleQueue()
        self.given: SimpleQueue[Any] = SimpleQueue()

    def run(self) -> None:
        while self.asked.get():
            try:
                self.given.put(self._reader.read_next_batch())
            except StopIteration:
                self.given.put(None)
            except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile) as error:
                self.given.put(error)
        del self._reader


_PARSERS: WeakSet[_Parser] = WeakSet()


@atexit.register
def _end_parsers() -> None:
    """Python ends a daemon thread by force, which the C++ code of a parser does not survive: so wait for each."""
    for parser in list(_PARSERS):
        parser.asked.put(False)
        parser.join(10)


class _Raw(io.RawIOBase):
    """A pyarrow stream as Python's text layer wants it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _words(kind: Any) -> Convert:
    if pa.types.is_floating(kind):
        return float
    return _timestamp if pa.types.is_timestamp(kind) else str


def _timestamp(text: str) -> np.datetime64:
    return np.datetime64(text.rstrip("Z"))


def header(source: Source) -> list[str]:
    """Names in the first line."""
    return [name.strip().strip('"') for name in source.head(1 << 16).splitlines()[0].split(",")]


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0]
    words = ("truncated", "inflate", "zlib", "gzip", "compress", "decompress", "crc", "zip", "zstd", "ended")
    return "compressed data is damaged or cut off" if any(word in text.lower() for word in words) else text


TEXT = pa.dictionary(pa.int32(), pa.string())
"""Type of a column of few different words."""
