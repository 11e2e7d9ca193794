"""Event logs as tables: CSV and Parquet, with the column names of the usual tools."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from twin.errors import DataError
from twin.process.eventlog.instances import pair_transitions
from twin.process.eventlog.log import ACTIVITY, CASE, CASE_PREFIX, ENABLED, END, RESOURCE, START, EventLog
from twin.process.eventlog.times import parse_times

_ALIASES: dict[str, tuple[str, ...]] = {
    CASE: ("case", "case_id", "caseid", "case:concept:name", "case id"),
    ACTIVITY: ("activity", "activity_name", "concept:name", "task", "activity_id"),
    RESOURCE: ("resource", "org:resource", "agent", "user", "resource_id"),
    START: ("start", "start_time", "start_timestamp", "start:timestamp", "starttime"),
    END: ("end", "end_time", "end_timestamp", "time:timestamp", "complete_timestamp", "timestamp", "endtime"),
    ENABLED: ("enabled", "enable_time", "enabled_time"),
}
"""What common tools call a column, in order of preference, in lower case."""
_TRANSITION = ("lifecycle:transition", "transition", "lifecycle")
_NEEDED = (CASE, ACTIVITY, END)


def read_table(path: Path, columns: Mapping[str, str] | None = None, zone: str = "UTC") -> EventLog:
    """The log in a CSV (also gzipped) or Parquet file.

    Args:
        path: the file.
        columns: which column is the case, activity, resource, start, end or enabled time; the rest is guessed.
        zone: IANA name of the zone of times that name none.

    Raises:
        DataError: the file cannot be read, a column is missing, or a time cannot be understood.
    """
    table = _load(path)
    found = _find_columns(table, columns or {}, path)
    notes: list[str] = []
    used = set(found.values())
    times: dict[str, pa.Array] = {}
    for role in (START, END, ENABLED):
        if role in found:
            where = f"{path}, column {found[role]!r}"
            times[role], naive = parse_times(table[found[role]], where, zone)
            if naive:
                notes.append(f"Times in {found[role]!r} name no zone and are taken as {zone}.")
    transition = next((name for name in table.column_names if name.lower() in _TRANSITION), None)
    rest = {name: table[name] for name in table.column_names if name not in used | {transition}}
    rest = {(CASE_PREFIX + k[5:] if k.lower().startswith("case:") else k): v for k, v in rest.items()}
    if ENABLED in times:
        rest[ENABLED] = times[ENABLED]
    names = [table[found[role]].cast(pa.string()) if role in found else None for role in (CASE, ACTIVITY, RESOURCE)]
    case, activity, resource = names
    if transition and START not in times:
        return pair_transitions(case, activity, resource, times[END], table[transition], rest, notes)
    if START not in times:
        notes.append("The log has no start times: every activity counts as an instant.")
        times[START] = times[END]
    return EventLog.from_columns(case, activity, resource, times[START], times[END], rest, notes)


def write_table(log: EventLog, path: Path) -> None:
    """Write a log as CSV (gzipped if the name ends so) or Parquet; times with milliseconds or finer, in UTC."""
    if _suffix(path) == ".parquet":
        pq.write_table(log.table, path)
        return
    columns = {}
    for name in log.table.column_names:
        column = log.table[name]
        columns[name] = (
            pa.compute.strftime(column, "%Y-%m-%dT%H:%M:%SZ") if pa.types.is_timestamp(column.type) else column
        )
    with gzip.open(path, "wb", compresslevel=5) if path.suffix == ".gz" else path.open("wb") as out:
        pacsv.write_csv(pa.table(columns), out)


def _load(path: Path) -> pa.Table:
    try:
        if _suffix(path) == ".parquet":
            return pq.read_table(path)
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            return pacsv.read_csv(stream, convert_options=pacsv.ConvertOptions(strings_can_be_null=True))
    except (OSError, pa.ArrowInvalid, EOFError) as error:
        raise DataError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path)) from error


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _find_columns(table: pa.Table, given: Mapping[str, str], path: Path) -> dict[str, str]:
    """The column of each role that the table has."""
    lower = {name.lower(): name for name in reversed(table.column_names)}
    found = {}
    for role, aliases in _ALIASES.items():
        if role in given:
            if given[role] not in table.column_names:
                raise DataError(f"there is no column {given[role]!r}", str(path), f"It has {table.column_names}.")
            found[role] = given[role]
            continue
        name = next((lower[alias] for alias in aliases if alias in lower), None)
        if name is not None:
            found[role] = name
    for role in _NEEDED:
        if role not in found:
            raise DataError(
                f"no column is the {role}",
                where=str(path),
                hint=f"It has {table.column_names}; name it, or call it {_ALIASES[role][0]!r}.",
            )
    return found
