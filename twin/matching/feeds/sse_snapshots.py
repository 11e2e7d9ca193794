"""Published ten-level books of a Shanghai stock-day, one about each 3 s."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from twin.contracts import IntColumn
from twin.matching.feeds.sse_l2 import SseFeed, clock_times
from twin.matching.feeds.text import TEXT, Columns, Source, Table

DEPTH = 10
_CALL_PHASES = ("1", "OCALL")
_TRADE_PHASES = ("2", "TRADE")
_NAMES = [f"{side}_{what}{i}" for side in ("bid", "ask") for what in ("px", "qty") for i in range(1, DEPTH + 1)]


@dataclass(frozen=True)
class Snapshots:
    """Published books: `levels[row]` holds bid prices, bid shares, ask prices, ask shares of ten levels."""

    time: IntColumn
    trades: IntColumn
    call: NDArray[np.bool_]
    trading: NDArray[np.bool_]
    previous_close: int
    levels: IntColumn


def read_snapshots(path: Path) -> Snapshots:
    """Read all snapshots of a day; prices in mills.

    Raises:
        DataError: a column is missing or a value is wrong; names file, line, column.
    """
    types: dict[str, Any] = {"time": pa.int64(), "phase": TEXT, "num_trades": pa.int64(), "prev_close": pa.float64()}
    types |= {name: pa.float64() if "_px" in name else pa.int64() for name in _NAMES}
    time, trades, phases, closes, levels = [], [], [], [], []
    last = np.zeros(1, np.int64)
    for piece in Table(Source(path), types).pieces():
        now = clock_times(piece, 1)
        piece.refuse("time", now < np.maximum.accumulate(np.append(last, now))[:-1], "is before an earlier row")
        last = now[-1:]
        time.append(now)
        trades.append(piece.integers("num_trades"))
        words = np.array(piece.batch.column("phase").dictionary.to_pylist() or [""], dtype=object)
        phases.append(words[piece.batch.column("phase").indices.to_numpy(zero_copy_only=False)])
        closes.append(piece.scaled("prev_close", SseFeed.price_scale, "is not a price in mills"))
        levels.append(_levels(piece))
    if not time:
        none = np.empty(0, np.int64)
        return Snapshots(none, none, none != 0, none != 0, 0, np.empty((0, 4, DEPTH), np.int64))
    phase = np.concatenate(phases)
    return Snapshots(
        np.concatenate(time),
        np.concatenate(trades),
        np.isin(phase, _CALL_PHASES),
        np.isin(phase, _TRADE_PHASES),
        int(closes[0][0]),
        np.concatenate(levels),
    )


def _levels(piece: Columns) -> IntColumn:
    columns = []
    for name in _NAMES:
        scaled = "_px" in name
        column = piece.scaled(name, SseFeed.price_scale, "is not a price in mills") if scaled else piece.integers(name)
        piece.refuse(name, column < 0, "is negative")
        columns.append(column)
    levels = np.ascontiguousarray(np.array(columns, np.int64).reshape(4, DEPTH, -1).transpose(2, 0, 1))
    levels[:, 0][levels[:, 1] == 0] = 0
    levels[:, 2][levels[:, 3] == 0] = 0
    return levels
