"""Event logs as XES (IEEE 1849), written by columns."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.process.eventlog.log import ACTIVITY, CASE, CASE_PREFIX, END, RESOURCE, START, EventLog

_NAMESPACE = "http://www.xes-standard.org/"
_EXTENSIONS = (("Concept", "concept"), ("Lifecycle", "lifecycle"), ("Time", "time"), ("Organizational", "org"))
_ESCAPES = (
    ("&", "&amp;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ('"', "&quot;"),
    ("\n", "&#10;"),
    ("\r", "&#13;"),
    ("\t", "&#9;"),
)
_PART = 100_000
"""Activity instances written at a time: enough for speed, few enough for memory."""


def write_xes(log: EventLog, path: Path) -> None:
    """Write a log as XES 1.0: a start and a complete event per activity instance (one where start or end is null)."""
    with gzip.open(path, "wb", compresslevel=5) if path.suffix == ".gz" else path.open("wb") as out:
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0" xmlns="{_NAMESPACE}">\n'
        for name, prefix in _EXTENSIONS:
            head += f'<extension name="{name}" prefix="{prefix}" uri="{_NAMESPACE}{prefix}.xesext"/>\n'
        out.write(head.encode())
        case = log.table[CASE].combine_chunks().dictionary_encode().indices.to_numpy()
        begins = np.flatnonzero(np.concatenate([[True], case[1:] != case[:-1]])) if len(log) else np.zeros(0, np.int64)
        first = 0
        while first < len(log):
            later = begins[begins > first + _PART]
            last = int(later[0]) if len(later) else len(log)
            out.write(_traces(log.table.slice(first, last - first), log.attributes, first))
            first = last
        out.write(b"</log>\n")


def _traces(table: pa.Table, attributes: list[str], first: int) -> memoryview:
    """The trace elements of whole cases.

    Args:
        table: their rows.
        attributes: columns beside the usual ones.
        first: number of the first row in the log, to tell instances apart.
    """
    n = table.num_rows
    stamps = pa.concat_arrays([table[name].combine_chunks() for name in (START, END)])
    row, place = np.tile(np.arange(n), 2), np.repeat([0, 1], n)
    case = table[CASE].combine_chunks().dictionary_encode().indices.to_numpy()
    given = np.flatnonzero(stamps.is_valid().to_numpy(zero_copy_only=False))
    time = stamps.cast(pa.int64()).fill_null(0).to_numpy()
    order = given[np.lexsort((place[given], row[given], time[given], case[row[given]]))]
    taken = pa.array(row[order])
    whats = [_element("string", "lifecycle:transition", pa.array([what])) for what in ("start", "complete")]
    body = pc.binary_join_element_wise(
        "<event>",
        _instances(table, attributes, first).take(taken),
        pa.concat_arrays(whats).take(pa.array(place[order])),
        _element("date", "time:timestamp", stamps.take(pa.array(order))),
        "</event>\n",
        "",
    )
    opens = np.concatenate([[True], case[row[order]][1:] != case[row[order]][:-1]]) if len(order) else np.zeros(0, bool)
    heads = _heads(table, attributes).take(taken)
    before = pc.if_else(pa.array(opens), heads, "")
    after = pc.if_else(pa.array(np.append(opens[1:], True) if len(order) else opens), "</trace>\n", "")
    text = pc.binary_join_element_wise(before, body, after, "")
    return _content(text)


def _content(text: pa.Array) -> memoryview:
    """All texts of an array, one after the other."""
    if not len(text):
        return memoryview(b"")
    offsets: NDArray[np.int32] = np.frombuffer(text.buffers()[1], np.int32)[text.offset :]
    return memoryview(text.buffers()[2])[int(offsets[0]) : int(offsets[len(text)])]


def _heads(table: pa.Table, attributes: list[str]) -> pa.Array:
    """How the trace of each row begins."""
    of_case = [name for name in attributes if name.startswith(CASE_PREFIX)]
    parts = [_element(_kind(table[name].type), name.removeprefix(CASE_PREFIX), table[name]) for name in of_case]
    return pc.binary_join_element_wise("<trace>", _element("string", "concept:name", table[CASE]), *parts, "\n", "")


def _instances(table: pa.Table, attributes: list[str], first: int) -> pa.Array:
    """What start and end of each activity instance have in common."""
    names = {"concept:name": ACTIVITY, "org:resource": RESOURCE}
    names.update({name: name for name in attributes if not name.startswith(CASE_PREFIX)})
    parts = [_element(_kind(table[name].type), key, table[name]) for key, name in names.items()]
    number = pa.array(np.arange(first, first + table.num_rows))
    return pc.binary_join_element_wise(*parts, _element("string", "concept:instance", number), "")


def _kind(type_: pa.DataType) -> str:
    """The XES type of a column's values."""
    kinds = (
        (pa.types.is_timestamp, "date"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "int"),
        (pa.types.is_floating, "float"),
    )
    return next((kind for is_it, kind in kinds if is_it(type_)), "string")


def _element(kind: str, key: str, values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """An attribute's element for each value; nothing where there is none."""
    flat = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_timestamp(flat.type):
        text = pc.strftime(flat, "%Y-%m-%dT%H:%M:%S+00:00")
    else:
        text = flat.cast(pa.string())
        for sign, entity in _ESCAPES:
            text = pc.replace_substring(text, sign, entity)
    for sign, entity in _ESCAPES:
        key = key.replace(sign, entity)
    filled = pc.binary_join_element_wise(f'<{kind} key="{key}" value="', text, '"/>', "")
    return pc.if_else(filled.is_valid(), filled, "")
