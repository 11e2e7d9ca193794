"""Simulated days in the recorded formats: a random run of the engine as an exchange would publish it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from twin.clock import Phase, at
from twin.contracts import Instruments, MessageKind, Messages, Tape, TapeKind
from twin.matching.engine import MatchingEngine

EPOCH = 1_675_728_000 * 10**9  # 2023-02-07
MID, LOW, HIGH = 1_000, 500, 1_500


@dataclass
class Run:
    """Messages of a run with what the engine made of them, in pieces: (phase, messages, tape)."""

    pieces: list[tuple[Phase, Messages, Tape]]

    @property
    def continuous(self) -> tuple[Messages, Tape]:
        return next((messages, tape) for phase, messages, tape in self.pieces if phase == Phase.CONTINUOUS)


def random_messages(
    n: int, seed: int, *, first: int, start: int, end: int, reduce: bool = True, instruments: int = 1
) -> Messages:
    """Limit, immediate-or-cancel and cancel (and reduce) messages around a wandering price."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(
        [MessageKind.NEW_LIMIT, MessageKind.NEW_IOC, MessageKind.CANCEL, MessageKind.REDUCE],
        n,
        p=[0.55, 0.08, 0.32, 0.05] if reduce else [0.55, 0.08, 0.37, 0.0],
    )
    kind[0] = MessageKind.NEW_LIMIT
    new = kind <= MessageKind.NEW_IOC
    new &= kind != MessageKind.CANCEL
    order = np.cumsum(new) - 1 + first
    back = np.minimum(rng.geometric(0.02, n), np.maximum(order - first, 0))
    instrument = rng.integers(0, instruments, n)
    owner = instrument[new]
    target = np.where(new, order, order - back)
    instrument = np.where(new, instrument, owner[target - first])
    side = rng.choice([1, -1], n)
    centre = MID + (50 * np.sin(np.arange(n) / max(1, n) * 6.28)).astype(np.int64)
    price = centre - side * (rng.geometric(0.2, n) - 3)
    price = np.clip(price, LOW + 1, HIGH - 1)
    quantity = np.where(kind == MessageKind.REDUCE, 100, 100 * rng.integers(1, 10, n))
    time = np.sort(rng.integers(start, end, n))
    return Messages(
        *(np.ascontiguousarray(x, np.int64) for x in (time, kind, instrument, side, price, quantity, target))
    )


def engine(instruments: int = 1) -> MatchingEngine:
    one = np.ones(instruments, np.int64)
    listed = Instruments(0 * one, 0 * one, MID * one, LOW * one, HIGH * one, one, 0 * one)
    return MatchingEngine(listed)


def simulate(n: int, seed: int = 1, *, calls: bool = False, reduce: bool = True, instruments: int = 1) -> Run:
    """A run of about n messages; with `calls` it has an opening and a closing call."""
    e = engine(instruments)
    pieces = []
    first = 0
    plan = [(Phase.CONTINUOUS, n, at("09:30"), at("14:56:59"))]
    if calls:
        plan = [(Phase.OPEN_CALL, n // 8, at("09:15"), at("09:24:59")), *plan]
        plan += [(Phase.CLOSE_CALL, n // 8, at("14:57"), at("14:59:59"))]
    for i, (phase, count, start, end) in enumerate(plan):
        messages = random_messages(
            count, seed + i, first=first, start=start, end=end, reduce=reduce, instruments=instruments
        )
        if phase != Phase.CONTINUOUS:
            kind = np.where(messages.kind == MessageKind.NEW_IOC, 0, messages.kind)
            messages = Messages(messages.time, kind, *list(vars(messages).values())[2:])
        e.set_phase(phase)
        tape = e.process(messages)
        pieces.append((phase, messages, Tape(*(c.copy() for c in vars(tape).values()))))
        first = int(messages.order.max()) + 1
        if phase != Phase.CONTINUOUS:
            none = messages.take(slice(0, 0))
            uncrossed = e.uncross(at("09:25") if phase == Phase.OPEN_CALL else at("15:00"))
            pieces.append((Phase.GAP, none, Tape(*(c.copy() for c in vars(uncrossed).values()))))
    return Run(pieces)


def rested(messages: Messages, tape: Tape) -> tuple[np.ndarray, np.ndarray]:
    """Shares of each ACCEPTED row that came to rest, and that traded at once (continuous trading)."""
    group = np.cumsum(tape.kind == TapeKind.ACCEPTED)
    gone = np.zeros(int(group[-1]) + 1 if len(group) else 1, np.int64)
    taker = tape.kind == TapeKind.TRADE
    np.add.at(gone, group[taker], tape.quantity[taker])
    accepted = np.flatnonzero(tape.kind == TapeKind.ACCEPTED)
    traded = gone[group[accepted]]
    ioc = messages.order[messages.kind == MessageKind.NEW_IOC]
    return np.where(np.isin(tape.order[accepted], ioc), 0, tape.quantity[accepted] - traded), traded


@dataclass
class Events:
    """What a market-by-order feed tells of continuous trading, row by row; `at` is the place on the tape."""

    at: np.ndarray
    action: np.ndarray
    side: np.ndarray
    price: np.ndarray
    size: np.ndarray
    order: np.ndarray
    instrument: np.ndarray
    time: np.ndarray


def events(messages: Messages, tape: Tape) -> Events:
    """Adds (A), trades (T), fills (F) and withdrawn shares (C) in the order in which they would be published."""
    accepted = np.flatnonzero(tape.kind == TapeKind.ACCEPTED)
    left, _ = rested(messages, tape)
    ends = np.append(accepted[1:], len(tape))
    trades = np.flatnonzero(tape.kind == TapeKind.TRADE)
    owner = np.searchsorted(accepted, trades, side="right") - 1
    last_trade = accepted.copy()
    np.maximum.at(last_trade, owner, trades)
    assert (last_trade < ends).all()
    adds = left > 0
    ioc = np.isin(tape.order, messages.order[messages.kind == MessageKind.NEW_IOC])
    gone = np.flatnonzero(((tape.kind == TapeKind.CANCELLED) & ~ioc) | (tape.kind == TapeKind.REDUCED))
    parts = [
        (4 * last_trade[adds] + 3, "A", tape.side, tape.price, left[adds], tape.order, accepted[adds]),
        (4 * trades, "T", tape.side, tape.price, tape.quantity[trades], 0 * tape.order, trades),
        (4 * trades + 1, "F", -tape.side, tape.price, tape.quantity[trades], tape.counter, trades),
        (4 * trades + 2, "C", -tape.side, tape.price, tape.quantity[trades], tape.counter, trades),
        (4 * gone, "C", tape.side, tape.price, tape.quantity[gone], tape.order, gone),
    ]
    key = np.concatenate([part[0] for part in parts])
    order = np.argsort(key, kind="stable")
    row = np.concatenate([part[6] for part in parts])[order]
    return Events(
        row,
        np.concatenate([np.full(len(part[0]), part[1]) for part in parts])[order],
        np.concatenate([part[2][part[6]] for part in parts])[order],
        np.concatenate([part[3][part[6]] for part in parts])[order],
        np.concatenate([part[4] for part in parts])[order],
        np.concatenate([part[5][part[6]] for part in parts])[order],
        tape.instrument[row],
        tape.time[row],
    )


def mbo_table(run: Run) -> pa.Table:
    """The run as market by order: whole numbers of 1e-9, a cleared book first."""
    e = events(*run.continuous)
    n = len(e.at)
    instruments = np.unique(e.instrument)
    k = len(instruments)
    last = np.append(np.diff(e.at) != 0, True)

    def column(first: object, values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.full(k, first, values.dtype), values])

    sides = np.where(e.side == 1, "B", "A")
    ids = np.where(e.action == "T", 0, e.order + 10**15).astype(np.uint64)
    return pa.table(
        {
            "ts_recv": column(EPOCH, EPOCH + e.time),
            "ts_event": column(EPOCH, EPOCH + e.time),
            "rtype": np.full(n + k, 160),
            "publisher_id": np.full(n + k, 2),
            "instrument_id": np.concatenate([instruments, e.instrument]) + 7,
            "action": column("R", e.action),
            "side": column("N", sides),
            "price": column(2**63 - 1, e.price * 10_000_000),
            "size": column(0, e.size),
            "channel_id": np.zeros(n + k, np.int64),
            "order_id": column(0, ids),
            "flags": column(8, np.where(last, 128, 0)),
            "ts_in_delta": np.zeros(n + k, np.int64),
            "sequence": np.arange(n + k),
        }
    )


def write_csv(table: pa.Table, path: Path) -> Path:
    """A table as text, compressed as its name says."""
    options = pacsv.WriteOptions(quoting_style="none", include_header=False)
    kind = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix)
    with pa.output_stream(str(path), compression=kind) as stream:
        stream.write((",".join(table.column_names) + "\n").encode())
        pacsv.write_csv(table, stream, options)
    return path


def write_mbo(run: Run, path: Path) -> Path:
    """The run as a market-by-order file: CSV (also .gz, .zst) or Parquet."""
    table = mbo_table(run)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path)
        return path
    return write_csv(table, path)


def clock(time: np.ndarray) -> np.ndarray:
    """HHMMSScc of times in ns."""
    hundredths = time // 10**7
    seconds = hundredths // 100
    return (seconds // 3600 * 10_000 + seconds // 60 % 60 * 100 + seconds % 60) * 100 + hundredths % 100


def write_sse(run: Run, folder: Path, *, flow: bool = True, orders: str = "", suffix: str = ".csv") -> Path:
    """The run as a Shanghai stock-day with `flow`, or `orders` published `after` their trades or `before` (whole).

    Prices are cents of CNY.
    """
    folder.mkdir(exist_ok=True)
    received, published, trades = [], [], []
    base = 0
    for phase, messages, tape in run.pieces:
        call = phase != Phase.CONTINUOUS
        kinds = tape.kind
        accepted = np.flatnonzero(kinds == TapeKind.ACCEPTED)
        is_trade = kinds == TapeKind.TRADE
        place = base + 2 * np.arange(len(tape))
        ioc = np.isin(tape.order, messages.order[messages.kind == MessageKind.NEW_IOC])
        gone = np.flatnonzero((kinds == TapeKind.CANCELLED) & ~ioc)
        size = tape.quantity[accepted]
        left, traded = (size, 0 * size) if call else rested(messages, tape)
        # What trades at once and never rests shows only its last trade price and the shares traded.
        never = (left == 0) & (not flow or orders == "after")
        owner = np.searchsorted(accepted, np.flatnonzero(is_trade), side="right") - 1
        bound = tape.price[accepted].copy()
        if not call:
            bound[owner] = tape.price[is_trade]
        use_ioc = ioc[accepted]
        keep = ~(use_ioc & (traded == 0))
        price = np.where(use_ioc | never, bound, tape.price[accepted])
        quantity = np.where(use_ioc, traded, size)
        rows = np.stack(
            [place[accepted], tape.time[accepted], tape.order[accepted], price, quantity, use_ioc, tape.side[accepted]]
        )
        received.append(("N", rows[:, keep]))
        zero = np.zeros(len(gone), np.int64)
        cancels = np.stack(
            [
                place[gone],
                tape.time[gone],
                tape.order[gone],
                tape.price[gone],
                tape.quantity[gone],
                zero,
                tape.side[gone],
            ]
        )
        received.append(("C", cancels))
        after = place[accepted].copy()
        if orders == "after" and not call:
            np.maximum.at(after, owner, place[is_trade] + 1)
            show = left > 0
        else:
            show = keep
        shares = left if orders == "after" else quantity
        published.append(("A", np.stack([after, rows[1], rows[2], price, shares, use_ioc, rows[6]])[:, show]))
        published.append(("D", cancels))
        t = tape.take(is_trade)
        buy, sell = np.where(t.side == 1, t.order, t.counter), np.where(t.side == 1, t.counter, t.order)
        flag = np.full(len(t), 2) if call else np.where(t.side == 1, 0, 1)
        trades.append(np.stack([place[is_trade], t.time, buy, sell, t.price, t.quantity, flag]))
        base += 2 * len(tape) + 2
    if flow:
        write_csv(_flow_table(received), folder / f"flow{suffix}")
    if orders:
        write_csv(_orders_table(published), folder / f"orders{suffix}")
    write_csv(_trades_table(np.concatenate(trades, axis=1)), folder / f"trades{suffix}")
    return folder


def _merged(pieces: list[tuple[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate([rows for _, rows in pieces], axis=1).astype(np.int64)
    words = np.concatenate([np.full(rows.shape[1], word) for word, rows in pieces])
    order = np.argsort(rows[0], kind="stable")
    return words[order], rows[:, order]


def _flow_table(pieces: list[tuple[str, np.ndarray]]) -> pa.Table:
    word, r = _merged(pieces)
    sides = np.where(r[6] == 1, "B", "S")
    names = ("biz_index", "time", "type", "order_no", "price_mills", "qty", "ioc", "side")
    return pa.table(
        dict(zip(names, (r[0] + 1, clock(r[1]), word, r[2] + 1, 10 * r[3], r[4], r[5], sides), strict=True))
    )


def _orders_table(pieces: list[tuple[str, np.ndarray]]) -> pa.Table:
    word, r = _merged(pieces)
    sides = np.where(r[6] == 1, "B", "S")
    names = ("biz_index", "time", "action", "side", "order_no", "price", "qty")
    return pa.table(dict(zip(names, (r[0] + 1, clock(r[1]), word, sides, r[2] + 1, r[3] / 100, r[4]), strict=True)))


def _trades_table(r: np.ndarray) -> pa.Table:
    names = ("biz_index", "time", "buy_no", "sell_no", "price", "qty", "bs_flag")
    flag = np.array(["B", "S", "N"])[r[6]]
    return pa.table(dict(zip(names, (r[0] + 1, clock(r[1]), r[2] + 1, r[3] + 1, r[4] / 100, r[5], flag), strict=True)))


def lobster_rows(run: Run, levels: int) -> tuple[list[list[object]], list[list[int]]]:
    """Message and book rows; what happens behind the last level, before and after it, is not in the files."""
    e = events(*run.continuous)
    books: dict[int, dict[int, int]] = {1: {}, -1: {}}
    orders: dict[int, int] = {}
    messages, rows = [], []
    for i in range(len(e.at)):
        action, side, price, size, order = (str(e.action[i]), *(int(x[i]) for x in (e.side, e.price, e.size, e.order)))
        if action in "TF":
            continue
        filled = action == "C" and i > 0 and e.action[i - 1] == "F"
        book = books[side]
        shown = price in _view(book, side, levels)
        kind = 1
        if action == "A":
            orders[order] = size
            book[price] = book.get(price, 0) + size
        else:
            orders[order] -= size
            kind = 4 if filled else 2 if orders[order] else 3
            book[price] -= size
            if not book[price]:
                del book[price]
        if not shown and price not in _view(book, side, levels):
            continue
        time = f"{int(e.time[i]) // 10**9}.{int(e.time[i]) % 10**9:09d}"
        messages.append([time, kind, order + 1, size, price * 100, side])
        rows.append(_book_row(books, levels))
    return messages, rows


def _view(book: dict[int, int], side: int, levels: int) -> list[int]:
    return sorted(book, reverse=side == 1)[:levels]


def _book_row(books: dict[int, dict[int, int]], levels: int) -> list[int]:
    row = []
    views = {side: _view(books[side], side, levels) for side in (1, -1)}
    for k in range(levels):
        for side, none in ((-1, 9_999_999_999), (1, -9_999_999_999)):
            there = k < len(views[side])
            row += [views[side][k] * 100, books[side][views[side][k]]] if there else [none, 0]
    return row


def write_lobster(messages: list[list[object]], rows: list[list[int]], folder: Path, suffix: str = "") -> Path:
    """Message and book files in a folder."""
    folder.mkdir(exist_ok=True)
    levels = len(rows[0]) // 4
    for name, table in (("message", messages), ("orderbook", rows)):
        text = "".join(",".join(str(x) for x in row) + "\n" for row in table)
        path = folder / f"TEST_2023-02-07_34200000_57600000_{name}_{levels}.csv{suffix}"
        with pa.output_stream(str(path), compression="gzip" if suffix == ".gz" else None) as stream:
            stream.write(text.encode())
    return folder
