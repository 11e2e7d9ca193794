"""Event logs in XES (IEEE 1849): read in one pass, written case by case."""

from __future__ import annotations

import gzip
import xml.parsers.expat as expat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pyarrow as pa

from twin.errors import DataError
from twin.process.eventlog.instances import pair_transitions
from twin.process.eventlog.log import ACTIVITY, CASE, CASE_PREFIX, END, RESOURCE, START, EventLog
from twin.process.eventlog.times import parse_times

_NAME, _TIME, _WHO, _TRANSITION = "concept:name", "time:timestamp", "org:resource", "lifecycle:transition"
_INSTANCE = "concept:instance"
_NAMESPACE = "http://www.xes-standard.org/"
_EXTENSIONS = (("Concept", "concept"), ("Lifecycle", "lifecycle"), ("Time", "time"), ("Organizational", "org"))
_CHUNK = 1 << 20


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

    Attributes of events and traces are kept as texts; nested attributes, lists and containers are not read.

    Raises:
        DataError: the file is not XES, or an event has no name or no time.
    """
    reader = _Reader()
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            while data := stream.read(_CHUNK):
                reader.feed(data, False)
            reader.feed(b"", True)
    except (OSError, EOFError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from error
    except expat.ExpatError as error:
        raise DataError(
            f"not well-formed XML: {expat.errors.messages[error.code]}", f"{path}:{error.lineno}"
        ) from error
    if not reader.events.count:
        raise DataError("no event in it", where=str(path), hint="An XES log has <trace> elements with <event> in them.")
    columns = {key: reader.events.take(key) for key in (_NAME, _TIME, _WHO, _TRANSITION, _INSTANCE)}
    _require(columns, reader.lines, path)
    time, naive = parse_times(columns[_TIME], f"{path}, {_TIME}", zone)
    notes = [f"Times name no zone and are taken as {zone}."] if naive else []
    trace_of = pa.array(reader.trace_of, pa.int64())
    names = reader.traces.take(_NAME).to_pylist()
    cases = pa.array([str(i) if name is None else name for i, name in enumerate(names)], pa.string())
    rest: dict[str, Any] = {CASE_PREFIX + key: reader.traces.take(key).take(trace_of) for key in reader.traces.names()}
    rest.update({key: reader.events.take(key) for key in reader.events.names()})
    return pair_transitions(
        cases.take(trace_of), columns[_NAME], columns[_WHO], time, columns[_TRANSITION], rest, notes, columns[_INSTANCE]
    )


def _require(columns: dict[str, pa.Array], lines: list[int], path: Path) -> None:
    for key in (_NAME, _TIME):
        if columns[key].null_count:
            line = lines[columns[key].is_null().to_pylist().index(True)]
            raise DataError(f"an event has no {key}", where=f"{path}:{line}", hint=f'Give it <... key="{key}" .../>.')


def write_xes(log: EventLog, path: Path) -> None:
    """Write a log as XES 1.0: a start and a complete event per activity instance (one where start or end is null)."""
    with (
        gzip.open(path, "wt", encoding="utf-8", compresslevel=6)
        if path.suffix == ".gz"
        else path.open("w", encoding="utf-8") as out
    ):
        out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0" xmlns="{_NAMESPACE}">\n')
        for name, prefix in _EXTENSIONS:
            out.write(f'<extension name="{name}" prefix="{prefix}" uri="{_NAMESPACE}{prefix}.xesext"/>\n')
        for text in _trace_texts(log):
            out.write(text)
        out.write("</log>\n")


def _trace_texts(log: EventLog) -> Iterator[str]:
    """The trace element of each case."""
    table = log.table
    cases = table[CASE].to_pylist()
    stamps = [(_stamps(table[START]), "start"), (_stamps(table[END]), "complete")]
    events = _event_texts(log)
    of_case = {k.removeprefix(CASE_PREFIX): _texts(table[k]) for k in log.attributes if k.startswith(CASE_PREFIX)}
    bounds = [0, *(row for row in range(1, len(cases)) if cases[row] != cases[row - 1]), len(cases)]
    for first, last in pairwise(bounds if cases else []):
        head = [_attribute("string", key, values[first]) for key, values in of_case.items()]
        body = sorted(
            (times[row] or "", row, place)
            for place, (times, _) in enumerate(stamps)
            for row in range(first, last)
            if times[row] is not None
        )
        yield f"<trace>{_attribute('string', _NAME, cases[first])}{''.join(head)}\n"
        for stamp, row, place in body:
            what = _attribute("string", _TRANSITION, stamps[place][1])
            yield f"<event>{events[row]}{what}{_attribute('date', _TIME, stamp)}</event>\n"
        yield "</trace>\n"


def _event_texts(log: EventLog) -> list[str]:
    """What start and end of each activity instance have in common."""
    table = log.table
    names = {_NAME: ACTIVITY, _WHO: RESOURCE}
    names.update({name: name for name in log.attributes if not name.startswith(CASE_PREFIX)})
    columns = {key: _texts(table[name]) for key, name in names.items()}
    columns[_INSTANCE] = [str(row) for row in range(len(log))]
    parts = [[_attribute("string", key, value) for value in values] for key, values in columns.items()]
    return ["".join(texts) for texts in zip(*parts, strict=True)]


def _stamps(column: pa.ChunkedArray) -> list[str | None]:
    return pa.compute.strftime(column, "%Y-%m-%dT%H:%M:%S+00:00").to_pylist()


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    if pa.types.is_timestamp(column.type):
        return _stamps(column)
    return column.cast(pa.string()).to_pylist()


def _attribute(kind: str, key: str, value: str | None) -> str:
    """An attribute's element; nothing where there is no value."""
    return "" if value is None else f"<{kind} key={quoteattr(key)} value={quoteattr(value)}/>"
