"""The matching engine on the order flows of a public benchmark of matching engines, report for report.

The benchmark (flash1-dev/matching-engine-benchmark, arXiv 2606.01183) replays five flows of about two million messages
(new orders, a sixth of them immediate-or-cancel, cancels, modifies, and cancels and modifies that come too late) and
compares the SHA-256 of every report that an engine makes with a published one. None of its code is here; the dump of a
flow is made with its generator: `make generator`, then `./generator normal normal.bin` (seed 23 and a million new
orders are its defaults) for each of static, normal, swing-25, swing-40 and flash-crash. Then

    python -m benchmarks.report_stream normal.bin static.bin ...

prints rate, trades and digest of each and says whether the digest is the published one (exit code 1 if not).

A modify is a REPLACE: the order leaves its queue and enters anew, at the back, with the new price and quantity.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.flows import random_flow
from benchmarks.measure import one_core
from benchmarks.one_book import drive
from twin.contracts import IntColumn, MessageKind, Messages, Reason, Tape, TapeKind
from twin.errors import DataError

PUBLISHED: Final = {
    "static": "9803843ee404fc29c9a0aa5614f8f0d5a58b5c44fcac9ef89067886fcaaa30d1",
    "normal": "e9b2e3926854410b01a035aeb25dd05f1e597c233be8263de9eb49b6713d367e",
    "swing-25": "61a84be9469661bd039e00dbc9a7c011e70b6ace37aadfe60045ea083b05f4df",
    "swing-40": "3cb0175e7982ff09ea220d1feaee3844cf9116a5ce455757879dea1d880b9b9f",
    "flash-crash": "cff8d3f94b709fc64a8b2058a6ca4fb6920364904796e46906895e362d2bb16b",
}
"""Digest of the report stream of each flow at seed 23 with a million new orders."""

HEADER: Final = np.dtype([("magic", "<u8"), ("version", "<u4"), ("count", "<u4")])
RECORD: Final = np.dtype(
    [
        ("type", "u1"),  # 0 new, 1 cancel, 2 modify
        ("side", "u1"),  # 0 buy, 1 sell
        ("ioc", "u1"),
        ("pad", "u1"),
        ("quantity", "<u4"),
        ("sequence", "<u8"),
        ("order", "<u8"),
        ("price", "<i8"),
        ("reserved", "<i8"),
    ]
)
_MAGIC: Final = 0x4D4542575F303031
_ROUNDS: Final = 5
_SORTED_BY: Final = 8  # reports of a message go by type, of which there are six

_ACK, _TRADE, _CANCEL_ACK, _MODIFY_ACK, _CANCEL_REJECT, _MODIFY_REJECT = range(6)
_TYPES: Final = {
    TapeKind.ACCEPTED: _ACK,
    TapeKind.TRADE: _TRADE,
    TapeKind.CANCELLED: _CANCEL_ACK,
    TapeKind.REPLACED: _MODIFY_ACK,
}


def read_dump(path: Path) -> NDArray[np.void]:
    """The records of a dump.

    Raises:
        DataError: the file is no dump of this format or is cut short.
    """
    hint = "Make it with the benchmark's own generator."
    with path.open("rb") as file:
        header = np.fromfile(file, HEADER, 1)
        if len(header) == 0 or header["magic"][0] != _MAGIC or header["version"][0] != 1:
            raise DataError("not a message dump of version 1", where=str(path), hint=hint)
        records = np.fromfile(file, RECORD, int(header["count"][0]))
    if len(records) != header["count"][0]:
        raise DataError(f"{len(records)} records of {header['count'][0]}", where=str(path), hint=hint)
    return records


def to_messages(records: NDArray[np.void]) -> Messages:
    """The records as the engine takes them; the time of a message is its sequence number."""
    kind = np.choose(records["type"], [MessageKind.NEW_LIMIT, MessageKind.CANCEL, MessageKind.REPLACE])
    kind = np.where((records["type"] == 0) & (records["ioc"] == 1), MessageKind.NEW_IOC, kind).astype(np.int64)
    side = 1 - 2 * records["side"].astype(np.int64)
    rest = [records[name].astype(np.int64) for name in ("price", "quantity", "order")]
    return Messages(records["sequence"].astype(np.int64), kind, np.zeros(len(records), np.int64), side, *rest)


def report_types(tape: Tape, messages: Messages) -> IntColumn:
    """The benchmark's type of each row of the tape.

    Raises:
        DataError: the engine refused a new order, for which the benchmark knows no report.
    """
    types = np.full(len(tape), -1, np.int64)
    for kind, report in _TYPES.items():
        types[tape.kind == kind] = report
    refused = (tape.kind == TapeKind.REJECTED) & (tape.counter == -1 - Reason.UNKNOWN_ORDER)
    asked = messages.kind[np.searchsorted(messages.time, tape.time[refused])]
    types[refused] = np.select(
        [asked == MessageKind.CANCEL, asked == MessageKind.REPLACE], [_CANCEL_REJECT, _MODIFY_REJECT], -1
    )
    if (types < 0).any():
        row = int(np.argmax(types < 0))
        raise DataError(
            f"a row of kind {tape.kind[row]} with reason {-1 - tape.counter[row]} has no report in the benchmark",
            where=f"message {tape.time[row]}",
            hint="The benchmark's flows hold no order that may be refused.",
        )
    return types


def report_lines(tape: Tape, messages: Messages) -> Iterator[str]:
    """The reports as text, by message and then by type, trades in the order in which they happened."""
    types = report_types(tape, messages)
    rows = np.argsort(tape.time * _SORTED_BY + types, kind="stable")
    columns = (types, tape.time, (1 - tape.side) // 2, tape.order, tape.price, tape.quantity, tape.counter)
    for kind, at, side, order, price, quantity, counter in zip(*(c[rows].tolist() for c in columns), strict=True):
        if kind in {_ACK, _MODIFY_ACK}:
            yield f"{kind},{at},{side},{order},{price},{quantity}"
        elif kind == _TRADE:
            yield f"{kind},{at},{price},{quantity},{counter},{order}"
        elif kind == _CANCEL_ACK:
            yield f"{kind},{at},{side},{order},{price}"
        else:
            yield f"{kind},{at},{order}"


def digest(tape: Tape, messages: Messages) -> str:
    """SHA-256 of the report stream: lines joined by line feeds, none at the end."""
    return hashlib.sha256("\n".join(report_lines(tape, messages)).encode()).hexdigest()


def main(paths: list[str]) -> int:
    """Replay each dump; 1 if a digest differs from the published one of the flow that the file is named after."""
    failed = 0
    drive(random_flow(1_000, target=50, spread=20))  # compile
    for path in map(Path, paths):
        messages = to_messages(read_dump(path))
        seconds = [drive(messages).seconds for _ in range(_ROUNDS)]
        tape = drive(messages, keep=True).tape
        found, published = digest(tape, messages), PUBLISHED.get(path.stem)
        verdict = "no published digest" if published is None else "as published" if found == published else "DIFFERS"
        failed += verdict == "DIFFERS"
        trades = int(np.count_nonzero(tape.kind == TapeKind.TRADE))
        rate, best = len(messages) / statistics.median(seconds), len(messages) / min(seconds)
        print(
            f"{path.stem:12} {len(messages):9,} messages {trades:7,} trades {rate:12,.0f}/s (best {best:,.0f})"
            f"  {found}  {verdict}"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    with one_core():
        sys.exit(main(sys.argv[1:]))
