"""Event logs as tables: CSV and Parquet, with the column names of the usual tools."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from twin.errors import DataError
from twin.process.eventlog.instances import pair_transitions
from twin.process.eventlog.log import ACTIVITY, CASE, CASE_PREFIX, ENABLED, END, RESOURCE, START, EventLog
from twin.process.eventlog.times import Times, parse_times
from twin.process.notes import note

_ALIASES: dict[str, tuple[str, ...]] = {
    CASE: ("case", "caseid", "case:concept:name", "case:id", "caseconceptname", "traceid", "casekey",
           "案例", "案例id", "案例编号", "案例号", "流程编号", "流程实例", "流程实例id", "业务编号"),
    ACTIVITY: ("activity", "activityname", "concept:name", "task", "activityid", "event", "eventname", "taskname",
               "活动", "活动名称", "环节", "环节名称", "节点名称", "任务", "任务名称"),
    RESOURCE: ("resource", "org:resource", "agent", "user", "resourceid", "resourcename", "employee",
               "资源", "执行人", "处理人", "经办人", "操作人", "人员"),
    START: ("start", "starttime", "starttimestamp", "start:timestamp", "time:start", "startdate", "begin", "begintime",
            "开始", "开始时间", "起始时间"),
    END: ("end", "endtime", "endtimestamp", "time:timestamp", "completetimestamp", "completetime", "endtimestamp",
          "completiontime", "timestamp", "time", "eventtime", "enddate",
          "结束", "结束时间", "完成时间", "时间", "时间戳", "发生时间"),
    ENABLED: ("enabled", "enabletime", "enabledtime", "enabletimestamp", "就绪时间", "到达时间"),
}  # fmt: skip
"""What common tools call a column, in order of preference; in lower case, without blanks, underscores and the like."""
_TRANSITION = ("lifecycle:transition", "transition", "lifecycle", "lifecycletransition", "eventtype")
_NEEDED = (CASE, ACTIVITY, END)
_DELIMITERS = ",;\t|"


def read_table(path: Path, columns: Mapping[str, str] | None = None, zone: str = "UTC") -> EventLog:
    """The log in a CSV (also gzipped) or Parquet file.

    Args:
        path: the file.
        columns: which column is the case, activity, resource, start, end or enabled time; the rest is guessed.
        zone: IANA name of the zone of times that name none.

    Raises:
        DataError: the file cannot be read, a column is missing, or a time cannot be understood.
    """
    table, found = _load(path, columns or {})
    notes: list[str] = []
    used = set(found.values())
    times: dict[str, Times] = {}
    for role in (START, END, ENABLED):
        if role in found:
            where = f"{path}, column {found[role]!r}"
            times[role] = parse_times(table[found[role]], where, zone)
            notes += times[role].notes(found[role], zone)
    transition = next((name for name in table.column_names if _plain(name) in _TRANSITION), None)
    rest = {name: table[name] for name in table.column_names if name not in used | {transition}}
    rest = {(CASE_PREFIX + k[5:] if k.lower().startswith("case:") else k): v for k, v in rest.items()}
    if ENABLED in times:
        rest[ENABLED] = times[ENABLED].instants
    case, activity, resource = (_names(table, found, role, path) for role in (CASE, ACTIVITY, RESOURCE))
    if transition and START not in times:
        return pair_transitions(case, activity, resource, times[END], table[transition], rest, notes)
    if START not in times:
        notes.append(note("no_starts"))
        times[START] = times[END]
    unzoned = sum(of.naive for of in times.values() if of.mixed)
    start, end = times[START].instants, times[END].instants
    source = pa.array(np.arange(1, table.num_rows + 1))
    return EventLog.from_columns(case, activity, resource, start, end, rest, notes, source, unzoned)


def has_columns(path: Path, names: Collection[str]) -> bool:
    """Whether a table has all these columns; False if it cannot be read.

    Args:
        path: CSV (also gzipped) or Parquet.
        names: as written in its first line.
    """
    try:
        held = pq.read_schema(path).names if _suffix(path) == ".parquet" else _head(path)[0]
    except (OSError, UnicodeDecodeError, EOFError, pa.ArrowInvalid, zlib.error):
        return False
    return set(names) <= set(held)


def write_table(log: EventLog, path: Path) -> None:
    """Write a log as CSV (gzipped if the name ends so) or Parquet; times with milliseconds or finer, in UTC."""
    if _suffix(path) == ".parquet":
        pq.write_table(log.table, path)
        return
    columns = {}
    for name in log.table.column_names:
        column = log.table[name]
        columns[name] = pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ") if pa.types.is_timestamp(column.type) else column
    with gzip.open(path, "wb", compresslevel=5) if path.suffix == ".gz" else path.open("wb") as out:
        pacsv.write_csv(pa.table(columns), out)


def _load(path: Path, given: Mapping[str, str]) -> tuple[pa.Table, dict[str, str]]:
    """The table, and which of its columns has which role; names are texts, whatever they look like."""
    try:
        if _suffix(path) == ".parquet":
            table = pq.read_table(path)
            return table, _find_columns(table.column_names, given, path)
        names, delimiter = _head(path)
        found = _find_columns(names, given, path)
        texts = {found[role]: pa.string() for role in (CASE, ACTIVITY, RESOURCE) if role in found}
        convert = pacsv.ConvertOptions(strings_can_be_null=True, column_types=texts)
        parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        with _opened(path) as stream:
            return pacsv.read_csv(stream, convert_options=convert, parse_options=parse), found
    except UnicodeDecodeError as error:
        raise DataError("not in UTF-8", where=str(path), hint="Save it as UTF-8 text.") from error
    except (OSError, pa.ArrowInvalid, EOFError, zlib.error) as error:
        hint = "Save it as UTF-8 text." if "UTF8" in str(error) else ""
        raise DataError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path), hint=hint) from error


def _head(path: Path) -> tuple[list[str], str]:
    """Names of the columns of a text table, and what separates them."""
    with _opened(path) as stream:
        head = stream.readline().decode("utf-8-sig")
    if not head.strip():
        raise DataError("there is nothing in its first line", where=str(path), hint="It names the columns.")
    delimiter = max(_DELIMITERS, key=head.count)
    return [name.strip("\r\n") for name in next(csv.reader([head], delimiter=delimiter), [])], delimiter


def _opened(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _names(table: pa.Table, found: Mapping[str, str], role: str, path: Path) -> pa.ChunkedArray | None:
    """The column of a role as texts; an empty text is no name."""
    if role not in found:
        return None
    column = table[found[role]]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    names = column.cast(pa.string())
    names = pc.if_else(pc.equal(names, ""), None, names)
    if role != RESOURCE and names.null_count:
        row = names.is_null().index(True).as_py()
        raise DataError(f"a row without {role}", where=f"{path}, column {found[role]!r}, row {row + 2}")
    return names


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _plain(name: str) -> str:
    return re.sub(r"[\s_.\-]", "", name.lower())


def _find_columns(names: Sequence[str], given: Mapping[str, str], path: Path) -> dict[str, str]:
    """The column of each role that the table has."""
    has = f"It has {', '.join(names)}"
    plain = {_plain(name): name for name in reversed(names)}
    found = {}
    for role, aliases in _ALIASES.items():
        if role in given:
            if given[role] not in names:
                raise DataError(f"there is no column {given[role]!r}", str(path), f"{has}.")
            found[role] = given[role]
            continue
        name = next((plain[alias] for alias in aliases if alias in plain and plain[alias] not in given.values()), None)
        if name is not None:
            found[role] = name
    for role in _NEEDED:
        if role not in found:
            name = _ALIASES[role][0]
            hint = f"{has}. Say which one it is with `--column {name}=NAME`, or call it {name!r}."
            raise DataError(f"no column is the {role}", str(path), hint)
    return found
