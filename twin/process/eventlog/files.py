"""Event logs in files: the form follows from the name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twin.errors import DataError
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.ocel import read_ocel, write_ocel
from twin.process.eventlog.tabular import read_table, write_table
from twin.process.eventlog.xes import read_xes
from twin.process.eventlog.xes_write import write_xes

_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
_XES = (".xes", ".xes.gz")
_OCEL = (".json", ".jsonocel", ".xml", ".xmlocel", ".sqlite", ".db")
FORMS = (*_TABLES, *_XES, *_OCEL)
"""Endings of the names of files that can be read; all but the databases can be written."""


def read_log(
    path: str | Path, *, columns: Mapping[str, str] | None = None, case_type: str | None = None, zone: str = "UTC"
) -> EventLog:
    """The event log in a file: CSV, Parquet, XES or OCEL 2.0.

    Args:
        path: the file.
        columns: of a table, which column is the case, activity, resource, start, end or enabled time.
        case_type: of an object-centric log, the type of object that is the case.
        zone: IANA name of the zone of times that name none.

    Raises:
        DataError: the file is missing, of an unknown form or damaged.
    """
    file = Path(path)
    if file.is_dir():
        raise DataError("is a folder", where=str(file), hint="Give a file in it.")
    form = form_of(file)
    if not file.is_file():
        raise DataError("there is no such file", where=str(file))
    if form in _XES:
        return read_xes(file, zone)
    if form in _OCEL:
        return read_ocel(file, case_type, zone)
    return read_table(file, columns, zone)


def write_log(log: EventLog, path: str | Path) -> None:
    """Write a log in the form that the name says.

    Raises:
        DataError: the form cannot be written.
    """
    file = Path(path)
    form = form_of(file)
    if form in (".sqlite", ".db"):
        raise DataError("databases are read, not written", where=str(file), hint="Write .jsonocel instead.")
    {**dict.fromkeys(_TABLES, write_table), **dict.fromkeys(_XES, write_xes)}.get(form, write_ocel)(log, file)


def form_of(path: Path) -> str:
    """The ending of a log's name that says its form, such as `.csv.gz`.

    Raises:
        DataError: there is no such form.
    """
    name = path.name.lower()
    for form in sorted(FORMS, key=len, reverse=True):
        if name.endswith(form):
            return form
    raise DataError("not the name of an event log", where=str(path), hint=f"Names end in {', '.join(FORMS)}.")
