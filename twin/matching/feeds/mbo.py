"""Market by order in the schema of Databento's `mbo` (databento.com/docs/schemas/mbo): CSV, Parquet or DBN.

Actions: A new order, C shares withdrawn (all or some), M a resting order's new price and size (it keeps its place only
at its price and not larger; an unknown one is new), R the book is emptied, T a trade, F a fill of a resting order, N
nothing. T and F leave the book alone: the C (or M) that follows a fill takes its shares off. Prices are whole numbers
of 1e-9 or decimal numbers; numbers of orders are unsigned. Several instruments may share a file.

Top-of-book and by-price records (flags F_TOB, F_MBP) are refused: they name no orders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from twin.clock import DAY
from twin.contracts import IntColumn
from twin.errors import DataError
from twin.matching.feeds.base import Action, FeedChunk, FeedRows
from twin.matching.feeds.text import TEXT, Columns, Source, Table, header

SCALE = 1_000_000_000
_NEEDED = ("action", "side", "price", "size", "order_id")
_UNDEFINED = np.iinfo(np.int64).max
_ACTIONS = ("A", "C", "M", "R", "T", "F", "N")
_MEANING = np.array(
    [Action.ADD, Action.REDUCE, Action.MODIFY, Action.CLEAR, Action.TRADE, Action.EXECUTE, Action.NOTE], np.int64
)
_SIDES = ("B", "A", "N")
_TOP_OF_BOOK, _BY_PRICE = 64, 16
_ROWS = 1 << 18
_RECORD = np.dtype(
    [
        ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8"),
        ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel_id", "u1"),
        ("action", "S1"), ("side", "S1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
    ]
)  # fmt: skip
"""A record of DBN (56 bytes), the binary encoding, for the schema mbo."""
_MBO_RTYPE, _MBO_SCHEMA = 160, 0


class MboFeed:
    """A market-by-order file that is being read."""

    format = "mbo"
    price_scale = SCALE
    levels = 0
    starts_empty = False
    shows_queue = True
    paired = True

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise DataError("no such file", str(path), "Give a market-by-order file: .csv, .parquet or .dbn.")
        self.path = path
        self.instruments: list[str] = []
        self._places: dict[int, int] = {}
        self._last = 0
        self._source = Source(path)
        kind = file_kind(path)
        if kind is None:
            raise DataError("is not a market-by-order file", str(path), "Give .csv, .parquet or .dbn (.gz, .zst too).")
        self._kind = kind
        self._line = 2 if kind == "csv" else 1
        self._read: Callable[[], Iterator[FeedChunk]] = {
            "csv": self._csv_chunks,
            "parquet": self._parquet_chunks,
            "dbn": self._dbn_chunks,
        }[kind]

    def where(self, row: int, column: str = "") -> str:
        """File, line (CSV) or record and column of a row."""
        name = {"quantity": "size", "order": "order_id"}.get(column, column)
        return f"{self.path}:{row + self._line}" + (f", column {name}" if name else "")

    def chunks(self) -> Iterator[FeedChunk]:
        """Rows of all instruments in the order of the file."""
        return self._read()

    def _csv_chunks(self) -> Iterator[FeedChunk]:
        names = header(self._source)
        types: dict[str, Any] = {"action": TEXT, "side": TEXT, "size": pa.int64(), "order_id": pa.uint64()}
        sample = self._source.head(1 << 14).splitlines()[1:]
        types["price"] = pa.float64() if "price" in names and _decimal(sample, names.index("price")) else pa.int64()
        types |= {n: pa.int64() for n in ("instrument_id", "publisher_id", "flags") if n in names}
        clock = next((name for name in ("ts_recv", "ts_event") if name in names), None)
        if clock is not None:
            digits = re.fullmatch(r"\d*", _field(sample, names.index(clock))) is not None
            types[clock] = pa.int64() if digits else pa.timestamp("ns", tz="UTC")
        table = Table(self._source, types, optional=("price",))
        for piece in table.pieces():
            yield self._chunk(piece, clock, table.fraction)

    def _parquet_chunks(self) -> Iterator[FeedChunk]:
        try:
            file = pq.ParquetFile(self.path)
            names = file.schema_arrow.names
            missing = [name for name in _NEEDED if name not in names]
            if missing:
                raise DataError(f"column {missing[0]!r} is missing", str(self.path), f"Needs {', '.join(_NEEDED)}.")
            clock = next((name for name in ("ts_recv", "ts_event") if name in names), None)
            wanted = [n for n in (*_NEEDED, "instrument_id", "publisher_id", "flags", clock) if n in names]
            total, first = max(1, file.metadata.num_rows), 0
            for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
                piece = Columns(self._source, _typed(batch), first, self._line, ("price",))
                first += batch.num_rows
                yield self._chunk(piece, clock, first / total)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise DataError(str(error).split("\n")[0], where=str(self.path)) from error

    def _dbn_chunks(self) -> Iterator[FeedChunk]:
        size = self._source.size()
        try:
            stream, read = self._source.open()
            head = stream.read(8)
            if head[:3] != b"DBN" or len(head) < 8:
                raise DataError("is not DBN", f"{self.path}:1", "A DBN file begins with the letters DBN.")
            metadata = stream.read(int.from_bytes(head[4:8], "little"))
            schema = int.from_bytes(metadata[16:18], "little")
            if schema != _MBO_SCHEMA:
                raise DataError(f"schema {schema} is not mbo", f"{self.path}:1", "Ask for the schema mbo (0).")
            first, rest = 0, b""
            while data := stream.read(_ROWS * _RECORD.itemsize):
                data = rest + data
                n = len(data) // _RECORD.itemsize
                rest = data[n * _RECORD.itemsize :]
                records = np.frombuffer(data, _RECORD, n)
                wrong = (records["rtype"] != _MBO_RTYPE) | (records["length"] * 4 != _RECORD.itemsize)
                if wrong.any():
                    row = int(np.argmax(wrong))
                    what = f"record type {records['rtype'][row]} is not mbo (160)"
                    raise DataError(what, f"{self.path}:{first + row + 1}", "Give a file of the schema mbo alone.")
                piece = Columns(self._source, _batch(records), first, self._line)
                first += n
                yield self._chunk(piece, "ts_recv", min(1.0, read() / size))
            if rest:
                raise DataError("the last record is cut off", f"{self.path}:{first + 1}")
        except (pa.ArrowInvalid, OSError, EOFError) as error:
            raise DataError("compressed data is damaged or cut off", where=str(self.path)) from error

    def _chunk(self, piece: Columns, clock: str | None, done: float) -> FeedChunk:
        names = piece.batch.schema.names
        n = len(piece)
        zero = np.zeros(n, np.int64)
        letter = piece.choice("action", _ACTIONS)
        action = _MEANING[letter]
        side = 1 - 2 * piece.choice("side", _SIDES)
        size = piece.integers("size")
        order = piece["order_id"].view(np.int64)
        events = action <= Action.MODIFY
        price = _prices(piece, events)
        piece.refuse("side", events & (side == -3), "names no side, which an order has", "B or A.")
        piece.refuse("size", events & (size <= 0) & (action != Action.MODIFY), "is not a size")
        piece.refuse("size", size < 0, "is negative")
        if "flags" in names:
            flags = piece.integers("flags")
            by_level = events & (flags & (_TOP_OF_BOOK | _BY_PRICE) != 0)
            hint = "Records of the top of the book or by price name no orders."
            piece.refuse("flags", by_level, "marks a record that is not by order", hint)
        time = zero
        if clock is not None:
            time = piece[clock].view(np.int64)
            if clock == "ts_recv" and n:
                late = np.append(self._last, time)
                piece.refuse(clock, time < np.maximum.accumulate(late)[:-1], "is before an earlier row")
                self._last = int(late.max())
            time = time % DAY
        row = piece.first_row + np.arange(n, dtype=np.int64)
        side = np.where(side == -3, 0, side)
        hidden = (action == Action.TRADE) & (side == 0)
        action = np.where(hidden, int(Action.HIDDEN), action)
        return FeedChunk(
            FeedRows(time, row, action, self._instruments(piece, names), side, price, size, order, zero), None, done
        )

    def _instruments(self, piece: Columns, names: list[str]) -> IntColumn:
        """Places of the rows' instruments; one that several publishers report is one for each."""
        key = np.zeros(len(piece), np.int64)
        for name, bits in (("instrument_id", 16), ("publisher_id", 0)):
            if name in names:
                key |= piece.integers(name) << bits
        if len(key) and (key == key[0]).all():
            return np.full(len(key), self._place(int(key[0])), np.int64)
        values, inverse = np.unique(key, return_inverse=True)
        first = np.full(len(values), len(key), np.int64)
        np.minimum.at(first, inverse, np.arange(len(key)))
        places = np.zeros(len(values), np.int64)
        for i in np.argsort(first).tolist():
            places[i] = self._place(int(values[i]))
        found: IntColumn = places[inverse]
        return found

    def _place(self, key: int) -> int:
        if key not in self._places:
            self._places[key] = len(self.instruments)
            publisher = key & 0xFFFF
            self.instruments.append(f"{key >> 16}" + (f" (publisher {publisher})" if publisher else ""))
        return self._places[key]


def file_kind(path: Path) -> str | None:
    """How a market-by-order file is encoded, by its name: csv, parquet or dbn; None if it is none of them."""
    name = path.name.lower().removesuffix(".zst").removesuffix(".gz")
    return {".csv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".dbn": "dbn"}.get(Path(name).suffix)


def looks_like_mbo(path: Path) -> bool:
    """Whether a file has the columns of the schema."""
    kind = file_kind(path)
    if kind == "csv":
        return set(_NEEDED) <= set(header(Source(path)))
    if kind == "parquet":
        try:
            return set(_NEEDED) <= set(pq.read_schema(path).names)
        except (pa.ArrowInvalid, OSError):
            return False
    return kind == "dbn"


def _field(sample: list[str], place: int) -> str:
    fields = sample[0].split(",") if sample else []
    return fields[place].strip('"') if place < len(fields) else ""


def _decimal(sample: list[str], place: int) -> bool:
    """Whether a column of prices is written with decimal points."""
    return any("." in fields[place] for fields in (line.split(",") for line in sample) if place < len(fields))


def _prices(piece: Columns, events: NDArray[np.bool_]) -> IntColumn:
    """Prices in 1e-9; rows that are no events may have none."""
    column = piece.batch.column("price")
    if pa.types.is_floating(column.type):
        values = piece["price"]
        none = np.isnan(values)
        piece.refuse("price", none & events, "is not a price")
        prices = np.rint(np.where(none, 0.0, values) * SCALE)
        piece.refuse("price", np.abs(prices) > 2.0**62, "is not a price")
        price: IntColumn = prices.astype(np.int64)
    else:
        price = pc.fill_null(column, _UNDEFINED).to_numpy(zero_copy_only=False)
    piece.refuse("price", events & (price == _UNDEFINED), "is not a price", "The undefined price.")
    return price


def _typed(batch: Any) -> Any:
    """A batch of Parquet with the types that CSV would give."""
    columns = []
    for name in batch.schema.names:
        column = batch.column(name)
        kind = column.type
        if name in ("action", "side"):
            column = pc.dictionary_encode(pc.cast(column, pa.string())) if not pa.types.is_dictionary(kind) else column
        elif name == "price":
            target = pa.int64() if pa.types.is_integer(kind) else pa.float64()
            column = pc.cast(column, target)
        elif name == "order_id":
            column = pc.cast(column, pa.uint64())
        elif pa.types.is_timestamp(kind):
            column = pc.cast(column, pa.timestamp("ns", tz="UTC") if kind.tz else pa.timestamp("ns"))
        else:
            column = pc.cast(column, pa.int64())
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _batch(records: NDArray[Any]) -> Any:
    """DBN records as a batch."""
    words = {
        name: pa.DictionaryArray.from_arrays(
            pa.array(np.ascontiguousarray(records[name]).view(np.uint8).astype(np.int32)),
            pa.array([chr(i) for i in range(256)]),
        )
        for name in ("action", "side")
    }
    numbers = {
        name: pa.array(records[name].astype(np.int64))
        for name in ("price", "size", "instrument_id", "publisher_id", "flags", "ts_recv")
    }
    return pa.RecordBatch.from_pydict(words | numbers | {"order_id": pa.array(records["order_id"])})
