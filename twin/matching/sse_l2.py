"""Reader of a recorded Shanghai Level-2 day: what the exchange received, traded and published.

A folder holds `flow.csv.gz` (new orders and cancels), `trades.csv.gz` and, perhaps, `snapshots.csv.gz` (ten levels each
3 s); a name without `.gz` is read too. Prices become mills (CNY / 1000), times ns since midnight.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from twin.clock import SECOND, at
from twin.contracts import Batch, IntColumn
from twin.errors import DataError

DEPTH = 10
_JITTER = SECOND
"""Time stamps of a channel may run back by less than this; its total order is `biz_index`."""
_MAX_WHOLE = 1e15
_CALL_PHASES = {"1", "OCALL"}
_TRADE_PHASES = {"2", "TRADE"}
_LEVEL_FIELDS = [f"{side}_{what}" for side in ("bid", "ask") for what in ("px", "qty")]


@dataclass(frozen=True)
class Flow(Batch):
    """Messages in the order of the channel; `side` is 1 or -1, `ioc` marks orders that must not rest."""

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
class Snapshots:
    """Published books: `levels[row]` holds bid prices, bid shares, ask prices, ask shares of ten levels."""

    time: IntColumn
    trades: IntColumn
    call: NDArray[np.bool_]
    trading: NDArray[np.bool_]
    previous_close: int
    levels: IntColumn


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
    if not path.is_dir():
        raise DataError("no such folder", where=str(path), hint="Give a folder with flow.csv.gz and trades.csv.gz.")
    snapshots = _find(path, "snapshots")
    return SseDay(
        path,
        _date_of(path),
        _read_flow(_need(path, "flow")),
        _read_trades(_need(path, "trades")),
        _read_snapshots(snapshots) if snapshots else None,
    )


def _date_of(path: Path) -> dt.date | None:
    found = re.search(r"(\d{4})(\d{2})(\d{2})$", path.resolve().name)
    if found is None:
        return None
    try:
        return dt.date(*(int(x) for x in found.groups()))
    except ValueError:
        return None


def _find(path: Path, stem: str) -> Path | None:
    return next((p for p in (path / f"{stem}.csv.gz", path / f"{stem}.csv") if p.is_file()), None)


def _need(path: Path, stem: str) -> Path:
    found = _find(path, stem)
    if found is None:
        raise DataError("file is missing", where=str(path / f"{stem}.csv.gz"))
    return found


def _read_flow(path: Path) -> Flow:
    table = _Table(path, dict.fromkeys(("biz_index", "time", "order_no", "price_mills", "qty", "ioc"), pa.int64()))
    kind, side = table.choice("type", ("N", "C")), table.choice("side", ("B", "S"))
    new = kind == 0
    biz_index, price, quantity = table["biz_index"], table["price_mills"], table["qty"]
    order_no, ioc = table["order_no"], table["ioc"]
    table.refuse("price_mills", new & (price <= 0), "is not a price")
    table.refuse("qty", quantity <= 0, "is not a quantity")
    table.refuse("ioc", (ioc != 0) & (ioc != 1), "is neither 0 nor 1")
    table.refuse("order_no", order_no < 0, "is not an order number")
    rows = np.flatnonzero(new)
    first = np.unique(order_no[rows], return_index=True)[1]
    again = np.zeros(len(new), np.bool_)
    again[np.delete(rows, first)] = True
    table.refuse("order_no", again, "was entered before")
    return Flow(biz_index, table.times(100), kind, 1 - 2 * side, order_no, price, quantity, ioc)


def _read_trades(path: Path) -> RecordedTrades:
    types = dict.fromkeys(("biz_index", "time", "buy_no", "sell_no", "qty"), pa.int64()) | {"price": pa.float64()}
    table = _Table(path, types)
    flag, price = table.choice("bs_flag", ("B", "S", "N")), table.mills("price")
    table.refuse("price", price <= 0, "is not a price")
    table.refuse("qty", table["qty"] <= 0, "is not a quantity")
    times, auction = table.times(100), (flag == 2).astype(np.int64)
    return RecordedTrades(table["biz_index"], times, table["buy_no"], table["sell_no"], price, table["qty"], auction)


def _read_snapshots(path: Path) -> Snapshots:
    names = [f"{name}{i}" for name in _LEVEL_FIELDS for i in range(1, DEPTH + 1)]
    types: dict[str, Any] = {"time": pa.int64(), "phase": pa.string(), "num_trades": pa.int64()}
    types |= {"prev_close": pa.float64()}
    types |= {name: pa.float64() if "_px" in name else pa.int64() for name in names}
    table = _Table(path, types, ordered=False)
    columns = [table.mills(name) if "_px" in name else table[name] for name in names]
    for name, column in zip(names, columns, strict=True):
        table.refuse(name, column < 0, "is negative")
    levels = np.ascontiguousarray(np.array(columns, np.int64).reshape(4, DEPTH, -1).transpose(2, 0, 1))
    levels[:, 0][levels[:, 1] == 0] = 0
    levels[:, 2][levels[:, 3] == 0] = 0
    phase = np.array(table.text("phase"), dtype=object)
    close = table.mills("prev_close")
    return Snapshots(
        table.times(1),
        table["num_trades"],
        np.isin(phase, list(_CALL_PHASES)),
        np.isin(phase, list(_TRADE_PHASES)),
        int(close[0]) if len(close) else 0,
        levels,
    )


class _Table:
    """Columns of one CSV file, with checks that name the line of a wrong value."""

    def __init__(self, path: Path, types: dict[str, Any], *, ordered: bool = True) -> None:
        self._path = path
        extra = {"flow": ("type", "side"), "trades": ("bs_flag",)}.get(path.name.split(".")[0], ())
        self._table = _load(path, types | dict.fromkeys(extra, pa.string()))
        for name in self._table.column_names:
            column = self._table.column(name)
            if column.null_count:
                self._fail(name, int(np.argmax(column.is_null().to_numpy())), "no value")
        if ordered and len(self._table) > 1:
            steps = np.diff(self["biz_index"])
            self.refuse("biz_index", np.append(False, steps <= 0), "does not follow the row before it")

    def __getitem__(self, name: str) -> IntColumn:
        return np.array(self._table.column(name).to_numpy(), np.int64)

    def text(self, name: str) -> list[str]:
        return list(self._table.column(name).to_pylist())

    def choice(self, name: str, values: tuple[str, ...]) -> IntColumn:
        """Position of each value among those allowed."""
        found = pc.index_in(self._table.column(name), value_set=pa.array(values))
        row = np.flatnonzero(found.is_null().to_numpy())
        if len(row):
            value = self._table.column(name)[int(row[0])].as_py()
            self._fail(name, int(row[0]), f"{value!r} is not one of {', '.join(values)}")
        return np.array(found.to_numpy(), np.int64)

    def mills(self, name: str) -> IntColumn:
        """A column of CNY as whole mills."""
        scaled = self._table.column(name).to_numpy() * 1000.0
        wrong = ~(np.abs(scaled) < _MAX_WHOLE)
        self.refuse(name, wrong | (np.abs(np.where(wrong, 0.0, scaled) % 1.0 - 0.5) < 0.49), "is not a price in mills")
        return np.rint(scaled).astype(np.int64)

    def times(self, fraction: int) -> IntColumn:
        """HHMMSS with `fraction` parts of a second appended, as ns; small backward jitter is levelled."""
        raw = self["time"]
        clock, part = raw // fraction, raw % fraction
        hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
        bad = (raw < 0) | (hours > 23) | (minutes > 59) | (seconds > 59)
        self.refuse("time", bad, f"is not a time of day (HHMMSS{'cc' if fraction == 100 else ''})")
        time = ((hours * 60 + minutes) * 60 + seconds) * SECOND + part * (SECOND // fraction)
        level = np.maximum.accumulate(time) if len(time) else time
        self.refuse("time", time < level - _JITTER, "is before an earlier row")
        return level

    def refuse(self, name: str, wrong: NDArray[np.bool_], what: str) -> None:
        """Raise DataError at the first wrong row, if any."""
        if wrong.any():
            row = int(np.argmax(wrong))
            self._fail(name, row, f"{self._table.column(name)[row].as_py()} {what}")

    def _fail(self, name: str, row: int, what: str) -> None:
        raise DataError(what, where=f"{self._path}:{row + 2}, column {name}")


def _load(path: Path, types: dict[str, Any]) -> Any:
    """Read the given columns; what pyarrow finds wrong becomes a DataError with file, line and column."""
    where = str(path)
    try:
        names = _header(path)
        missing = [name for name in types if name not in names]
        if missing:
            raise DataError(f"column {missing[0]!r} is missing", where=f"{where}:1", hint=f"Needs {', '.join(types)}.")
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(use_threads=False),
            convert_options=pacsv.ConvertOptions(
                include_columns=list(types), column_types=types, null_values=[""], strings_can_be_null=True
            ),
        )
    except (pa.ArrowInvalid, OSError, EOFError, UnicodeDecodeError) as error:
        raise _explained(path, error) from error
    return table.combine_chunks()


def _header(path: Path) -> list[str]:
    with pa.input_stream(str(path)) as stream:
        head = stream.read(1 << 16).decode("utf-8", errors="strict").lstrip("\ufeff")
    if not head.strip():
        raise DataError("file is empty", where=str(path), hint="It must at least have its header line.")
    return [name.strip().strip('"') for name in head.splitlines()[0].split(",")]


def _explained(path: Path, error: Exception) -> DataError:
    text = str(error).split("\n")[0]
    found = re.search(r"In CSV column #(\d+): (?:Row #(\d+): )?(.*)", text)
    if found:
        column, row, rest = found.groups()
        value = re.search(r"invalid value '(.*)'", rest)
        what = f"{value.group(1)!r} is not a number" if value else rest
        name = _header(path)[int(column)]
        return DataError(what, where=f"{path}:{row or '?'}, column {name}")
    found = re.search(r"CSV parse error: Row #(\d+): (.*)", text)
    if found:
        return DataError(found.group(2), where=f"{path}:{found.group(1)}")
    damaged = any(word in text.lower() for word in ("truncated", "inflate", "zlib", "gzip", "compress", "decompress"))
    return DataError("compressed data is damaged or cut off" if damaged else text, where=str(path))


OPENING_END, CLOSING_START, CLOSE = at("09:25"), at("14:57"), at("15:00")
_FIRST_CLOSING_CALL = dt.date(2018, 8, 20)


def has_closing_call(day: SseDay) -> bool:
    """Whether the day ended with a call auction: by its trades, else by its date (domain row M04)."""
    late = (day.trades.time >= CLOSING_START) & (day.trades.time <= CLOSE + SECOND)
    if (late & (day.trades.auction == 1)).any():
        return True
    if late.any():
        return False
    return day.date is None or day.date >= _FIRST_CLOSING_CALL
