"""Event logs in XES (IEEE 1849): read by columns where the markup is plain, else by a parser."""

from __future__ import annotations

import gzip
import xml.parsers.expat as expat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.errors import DataError
from twin.process.eventlog.instances import pair_transitions
from twin.process.eventlog.log import CASE_PREFIX, EventLog
from twin.process.eventlog.times import parse_times
from twin.process.eventlog.xes_markup import Flat, NotPlainError, read_plain
from twin.process.notes import note

_NAME, _TIME, _WHO, _TRANSITION = "concept:name", "time:timestamp", "org:resource", "lifecycle:transition"
_INSTANCE = "concept:instance"
_USUAL = (_NAME, _TIME, _WHO, _TRANSITION, _INSTANCE)
_CHUNK, _BLOCK = 1 << 20, 1 << 25


class _Columns:
    """Attributes of successive things (events, traces) as columns, each as long as it was when last written."""

    def __init__(self) -> None:
        self.count = 0
        self._values: dict[str, list[str | None]] = {}

    def set(self, key: str, value: str) -> None:
        """The attribute of the present thing; the first of several counts."""
        column = self._values.get(key)
        if column is None:
            column = self._values[key] = []
        missing = self.count - len(column)
        if missing > 0:
            if missing > 1:
                column.extend([None] * (missing - 1))
            column.append(value)

    def take(self, key: str) -> pa.Array:
        """A column, removed from here; texts, null where there is none."""
        column = self._values.pop(key, [])
        return pa.array(column + [None] * (self.count - len(column)), pa.string())

    def names(self) -> list[str]:
        """What is left."""
        return list(self._values)


class _Reader:
    """State of the parse: what is open, and the columns."""

    def __init__(self) -> None:
        self.traces, self.events = _Columns(), _Columns()
        self.trace_of: list[int] = []
        self.lines: list[int] = []
        self._depth = 0
        self._owner: _Columns | None = None
        self._owner_depth = 0
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def feed(self, data: bytes, last: bool) -> None:
        """Parse a piece of the file."""
        self._parser.Parse(data, last)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._owner is not None and self._depth == self._owner_depth + 1 and "key" in attributes:
            if "value" in attributes:
                self._owner.set(attributes["key"], attributes["value"])
            return
        tag = name.rpartition(" ")[2]
        if tag == "event" and self._owner is self.traces:
            self.events.count += 1
            self.trace_of.append(self.traces.count - 1)
            self.lines.append(self._parser.CurrentLineNumber)
            self._owner, self._owner_depth = self.events, self._depth
        elif tag == "trace" and self._owner is None:
            self.traces.count += 1
            self._owner, self._owner_depth = self.traces, self._depth

    def _end(self, _name: str) -> None:
        if self._owner is not None and self._depth == self._owner_depth:
            inner = self._owner is self.events
            self._owner = self.traces if inner else None
            self._owner_depth = self._depth - 1
        self._depth -= 1


def read_xes(path: Path, zone: str = "UTC") -> EventLog:
    """The log in an XES file (also gzipped); start and complete events become one activity instance.

    Attributes of events and traces are kept as texts; nested attributes, lists and containers are not read. Each trace
    is a case, also where several bear one name. Events without a name or a time are left out and noted.

    Raises:
        DataError: the file is not XES, or no event has a name and a time.
    """
    lines: list[int] | None = None
    try:
        flat = read_plain(_blocks(path, _BLOCK))
        lines = [] if _complete(flat) else None
    except NotPlainError:
        pass
    if lines is None:
        flat, lines = read_any(path)
    if not len(flat.trace_of):
        raise DataError("no event in it", where=str(path), hint="An XES log has <trace> elements with <event> in them.")
    n = len(flat.trace_of)
    columns = {key: flat.events.pop(key, pa.nulls(n, pa.string())) for key in _USUAL}
    notes: list[str] = []
    kept = _usable(columns, lines, path, notes)
    columns = {key: column.take(kept) for key, column in columns.items()}
    times = parse_times(columns[_TIME], f"{path}, {_TIME}", zone)
    notes += times.notes("", zone)
    trace_of = pa.array(flat.trace_of).take(kept)
    cases = _case_names(flat, notes).take(trace_of)
    rest: dict[str, Any] = {CASE_PREFIX + key: column.take(trace_of) for key, column in flat.traces.items()}
    rest.update({key: column.take(kept) for key, column in flat.events.items()})
    who = pc.if_else(pc.equal(columns[_WHO], ""), None, columns[_WHO])
    return pair_transitions(
        cases,
        columns[_NAME],
        who,
        times,
        columns[_TRANSITION],
        rest,
        notes,
        columns[_INSTANCE],
        kept.to_numpy() + 1,
    )


def read_any(path: Path) -> tuple[Flat, list[int]]:
    """Columns of any XES file, by an ordinary XML parser, and the line of each event.

    Raises:
        DataError: the file cannot be read or is not well-formed.
    """
    reader = _Reader()
    try:
        for data in _blocks(path, _CHUNK):
            reader.feed(data, False)
        reader.feed(b"", True)
    except expat.ExpatError as error:
        raise DataError(
            f"not well-formed XML: {expat.errors.messages[error.code]}", f"{path}:{error.lineno}"
        ) from error
    events, traces = ({key: of.take(key) for key in of.names()} for of in (reader.events, reader.traces))
    return Flat(events, traces, np.array(reader.trace_of, np.int64), reader.traces.count), reader.lines


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            while data := stream.read(size):
                yield data
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from error


def _complete(flat: Flat) -> bool:
    """Whether there are events, all with what every event needs."""
    return all(key in flat.events and not flat.events[key].null_count for key in (_NAME, _TIME))


def _usable(columns: dict[str, pa.Array], lines: list[int], path: Path, notes: list[str]) -> pa.Array:
    """Numbers of the events that have a name and a time.

    Raises:
        DataError: none has.
    """
    lacking = {
        key: pc.equal(pc.fill_null(columns[key], ""), "").to_numpy(zero_copy_only=False) for key in (_NAME, _TIME)
    }
    without = lacking[_NAME] | lacking[_TIME]
    if not without.any():
        return pa.array(np.arange(len(without)))
    first = int(without.argmax())
    where = f"{path}:{lines[first]}" if lines else str(path)
    if without.all():
        key = next(key for key in lacking if lacking[key][first])
        raise DataError(f"an event has no {key}", where=where, hint=f'Give it <... key="{key}" .../>.')
    notes.append(note("no_time_or_name", n=f"{int(without.sum()):,}", where=where))
    return pa.array(np.flatnonzero(~without))


def _case_names(flat: Flat, notes: list[str]) -> pa.Array:
    """A name for each trace: its own, with a number if an earlier one bears it, or its number where it has none."""
    numbers = pa.array(range(flat.trace_count), pa.int64()).cast(pa.string())
    names = pc.coalesce(flat.traces.pop(_NAME, numbers), numbers)
    if pc.count_distinct(names).as_py() == len(names):
        return names
    used: set[str] = set(names.to_pylist())
    times: dict[str, int] = {}
    apart = []
    for name in names.to_pylist():
        times[name] = number = times.get(name, 0) + 1
        given = name
        while number > 1 and given in used:
            given, number = f"{name} ({number})", number + 1
        used.add(given)
        apart.append(given)
    notes.append(note("same_names", n=f"{len(apart) - len(times):,}"))
    return pa.array(apart, pa.string())
