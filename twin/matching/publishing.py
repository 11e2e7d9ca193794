"""Order-by-order and trade-by-trade feeds and snapshots of a simulated day, in the form of a recorded Shanghai folder.

`write` makes what `twin.matching.sse_l2` reads: `flow` has every order that was taken and every cancel that took
something off the book, `trades` every trade, `snapshots` ten levels every 3 s; `biz_index` orders all of it. As in the
recording an order without a price limit appears with what it traded and with the worst price at which it did (`ioc`).

Assumes that orders are cancelled, not amended. Does not model orders parked outside a price cage, nor calls within
the day other than the opening and the closing one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from twin.clock import SECOND, Phase
from twin.contracts import Board, Instruments, IntColumn, Tape, TapeKind
from twin.errors import DataError
from twin.matching.engine import MatchingEngine
from twin.matching.market_data import DEPTH, Snapshot, call_levels, phase_code
from twin.matching.timetable import CALLS

Columns = dict[str, NDArray[Any]]
_ALL_LEVELS = 4_000
_SIDES = np.array(["S", "N", "B"])


class Publisher:
    """Keeps what the exchange says of some instruments.

    Args:
        instruments: what is listed.
        chosen: those to be kept.
    """

    def __init__(self, instruments: Instruments, chosen: Sequence[int]) -> None:
        unknown = [i for i in chosen if not 0 <= i < len(instruments)]
        if unknown:
            raise DataError(f"instrument {unknown[0]} is not listed", hint=f"There are {len(instruments)}.")
        self.chosen = tuple(chosen)
        self._instruments = instruments
        self._wanted = np.zeros(len(instruments), np.bool_)
        self._wanted[list(chosen)] = True
        self._tapes: list[Tape] = []
        self._calls: list[NDArray[np.bool_]] = []
        self.snapshots: dict[int, list[Snapshot]] = {i: [] for i in chosen}
        self._totals = {i: np.zeros(7, np.int64) for i in chosen}
        """Trades, volume, turnover, last, open, high, low."""

    def add(self, tape: Tape, *, auction: bool = False) -> None:
        """Keep a piece of tape, in the order of the day; `auction` says that its trades are those of a call."""
        rows = self._wanted[tape.instrument] & (tape.kind <= TapeKind.CANCELLED)
        if not rows.any():
            return
        tape = tape.take(rows)
        self._tapes.append(tape)
        self._calls.append(np.full(len(tape), auction))
        for instrument in np.unique(tape.instrument).tolist():
            mine = (tape.instrument == instrument) & (tape.kind == TapeKind.TRADE)
            if mine.any():
                self._count(self._totals[instrument], tape.price[mine], tape.quantity[mine])

    @staticmethod
    def _count(totals: IntColumn, price: IntColumn, quantity: IntColumn) -> None:
        first = totals[0] == 0
        totals[0] += len(price)
        totals[1] += quantity.sum()
        totals[2] += price @ quantity
        totals[3] = price[-1]
        if first:
            totals[4:7] = price[0]
        totals[5], totals[6] = max(totals[5], price.max()), min(totals[6], price.min())

    def snapshot(self, time: int, engine: MatchingEngine, phases: NDArray[np.int64]) -> None:
        """Publish a snapshot of every chosen instrument.

        Args:
            time: now, in ns.
            engine: the books.
            phases: by instrument, the `Phase`.
        """
        quotes = engine.quotes() if np.isin(phases[list(self.chosen)], CALLS).any() else None
        for i in self.chosen:
            phase = Phase(int(phases[i]))
            levels = np.zeros((4, DEPTH), np.int64)
            if phase in CALLS and quotes is not None:
                depth = engine.depth(i, _ALL_LEVELS)
                seen = int(quotes.bid[i]), int(quotes.bid_quantity[i]), int(quotes.ask_quantity[i])
                levels = call_levels(depth, *seen)
            elif phase != Phase.HALT:
                levels = np.stack(engine.depth(i, DEPTH))
            trades, volume, turnover, last, first, high, low = self._totals[i].tolist()
            shot = Snapshot(time, phase, trades, volume, turnover, last, first, high, low, levels)
            self.snapshots[i].append(shot)

    def write(self, folder: Path, instrument: int, day: dt.date) -> Path:
        """Write one instrument's day as `folder/sse_l2_NNNNNN_YYYYMMDD` and return that folder.

        Raises:
            DataError: the instrument was not kept.
        """
        if instrument not in self.chosen:
            raise DataError(f"instrument {instrument} was not recorded", hint=f"Recorded: {self.chosen}.")
        target = folder / f"sse_l2_{instrument:06d}_{day:%Y%m%d}"
        target.mkdir(parents=True, exist_ok=True)
        fund = int(self._instruments.board[instrument]) == Board.FUND
        mills, units = (1, 10) if fund else (10, 1)
        flow, trades = self._feeds(instrument, mills, units)
        _write(target / "flow.csv.gz", flow)
        _write(target / "trades.csv.gz", trades)
        _write(target / "snapshots.csv.gz", self._snapshot_columns(instrument, mills, units))
        return target

    def _feeds(self, instrument: int, mills: int, units: int) -> tuple[Columns, Columns]:
        tape, call = Tape.concat(self._tapes), np.concatenate([np.zeros(0, np.bool_), *self._calls])
        mine = tape.instrument == instrument
        tape, call = tape.take(mine), call[mine]
        index = np.arange(1, len(tape) + 1, dtype=np.int64)
        number = _numbers(tape)
        counter = _resting_numbers(tape)
        price, quantity, ioc, shown = _as_published(tape, number)
        flow = {
            "biz_index": index[shown],
            "time": _centiseconds(tape.time[shown]),
            "type": np.where(tape.kind[shown] == TapeKind.ACCEPTED, "N", "C"),
            "order_no": number[shown],
            "price_mills": price[shown] * mills,
            "qty": quantity[shown] * units,
            "ioc": ioc[shown],
            "side": _SIDES[tape.side[shown] + 1],
        }
        traded = tape.kind == TapeKind.TRADE
        buys = tape.side[traded] > 0
        trades = {
            "biz_index": index[traded],
            "time": _centiseconds(tape.time[traded]),
            "buy_no": np.where(buys, number[traded], counter[traded]),
            "sell_no": np.where(buys, counter[traded], number[traded]),
            "price": tape.price[traded] * mills / 1000,
            "qty": tape.quantity[traded] * units,
            "bs_flag": np.where(call[traded], "N", _SIDES[tape.side[traded] + 1]),
        }
        return flow, trades

    def _snapshot_columns(self, instrument: int, mills: int, units: int) -> Columns:
        rows = self.snapshots[instrument]
        numbers = np.array(
            [(s.trades, s.volume, s.turnover, s.last, s.open, s.high, s.low) for s in rows], np.int64
        ).reshape(-1, 7)
        columns: Columns = {
            "time": _centiseconds(np.array([s.time for s in rows], np.int64)) // 100,
            "phase": np.array([phase_code(s.phase) for s in rows]),
            "num_trades": numbers[:, 0],
            "volume": numbers[:, 1] * units,
            "turnover": numbers[:, 2] / 100,
            "prev_close": np.full(len(rows), int(self._instruments.previous_close[instrument]) * mills / 1000),
        }
        columns |= {name: numbers[:, 3 + k] * mills / 1000 for k, name in enumerate(("last", "open", "high", "low"))}
        levels = np.array([s.levels for s in rows], np.int64).reshape(-1, 4, DEPTH)
        for k in range(DEPTH):
            for s, side in enumerate(("bid", "ask")):
                columns[f"{side}_px{k + 1}"] = levels[:, 2 * s, k] * mills / 1000
                columns[f"{side}_qty{k + 1}"] = levels[:, 2 * s + 1, k] * units
        return columns


def _numbers(tape: Tape) -> IntColumn:
    """Number of the order of each row: orders count from 1 as they are taken; a handle may serve several in turn."""
    return _latest(tape, tape.order)


def _resting_numbers(tape: Tape) -> IntColumn:
    """Number of the resting order of each trade; 0 for other rows."""
    traded = tape.kind == TapeKind.TRADE
    return np.where(traded, _latest(tape, np.where(traded, tape.counter, tape.order)), 0)


def _latest(tape: Tape, handle: IntColumn) -> IntColumn:
    """For every row the number of the last order that was taken under this handle."""
    taken = np.flatnonzero(tape.kind == TapeKind.ACCEPTED)
    span = np.int64(len(tape) + 1)
    keys = tape.order[taken] * span + taken
    order = np.argsort(keys)
    place = np.searchsorted(keys[order], handle * span + np.arange(len(tape)), side="right") - 1
    found: IntColumn = (order + 1)[place]
    return found


def _as_published(tape: Tape, number: IntColumn) -> tuple[IntColumn, IntColumn, IntColumn, NDArray[np.bool_]]:
    """Price, quantity, ioc mark of each row of the flow, and which rows of the tape are in it."""
    taken, ended = tape.kind == TapeKind.ACCEPTED, tape.kind == TapeKind.CANCELLED
    orders = int(taken.sum()) + 1
    since = np.zeros(orders, np.int64)
    since[number[taken]] = tape.time[taken]
    traded = (tape.kind == TapeKind.TRADE) & (tape.time == since[number])  # on arrival, not later as a resting order
    unpriced = np.zeros(orders, np.bool_)
    unpriced[number[taken & (tape.price == 0)]] = True
    bought = np.zeros(orders, np.int64)
    np.add.at(bought, number[traded], tape.quantity[traded])
    worst = np.zeros(orders, np.int64)
    worst[number[traded]] = tape.price[traded]  # an aggressor's prices only get worse: its last is the worst
    withdrawn = np.zeros(orders, np.bool_)
    withdrawn[number[ended]] = True
    open_priced = unpriced[number]
    price = np.where(open_priced, worst[number], tape.price)
    quantity = np.where(open_priced & taken & withdrawn[number], bought[number], tape.quantity)
    shown = (taken & (quantity > 0)) | (ended & ~open_priced)
    return price, quantity, (taken & open_priced).astype(np.int64), shown


def _centiseconds(time: IntColumn) -> IntColumn:
    """HHMMSScc."""
    seconds, part = time // SECOND, time % SECOND
    clock = (seconds // 3600 * 100 + seconds // 60 % 60) * 100 + seconds % 60
    return clock * 100 + part // (SECOND // 100)


def _write(path: Path, columns: Columns) -> None:
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    with pa.CompressedOutputStream(str(path), "gzip") as stream:
        pacsv.write_csv(table, stream, pacsv.WriteOptions(quoting_style="none"))
