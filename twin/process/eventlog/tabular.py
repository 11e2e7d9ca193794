"""Event logs as tables: CSV and Parquet, with the column names of the usual tools."""

from __future__ import annotations

import codecs
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
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.instances import pair_transitions
from twin.process.eventlog.log import ACTIVITY, CASE, CASE_PREFIX, ENABLED, END, RESOURCE, START, EventLog, plain_name
from twin.process.eventlog.times import Times, parse_times
from twin.process.notes import note

TRANSITION, INSTANCE = "transition", "instance"
_ALIASES: dict[str, tuple[str, ...]] = {
    CASE: ("case", "caseid", "case:concept:name", "case:id", "caseconceptname", "traceid", "casekey",
           "caseno", "casenumber",
           "案例", "案例id", "案例编号", "案例号", "流程编号", "流程实例", "流程实例id", "业务编号"),
    ACTIVITY: ("activity", "activityname", "concept:name", "task", "activityid", "event", "eventname", "taskname",
               "activityen",
               "活动", "活动名称", "环节", "环节名称", "节点名称", "任务", "任务名称"),
    RESOURCE: ("resource", "org:resource", "agent", "user", "resourceid", "resourcename", "employee", "username",
               "资源", "执行人", "处理人", "经办人", "操作人", "人员"),
    START: ("start", "starttime", "starttimestamp", "start:timestamp", "time:start", "startdate", "begin", "begintime",
            "开始", "开始时间", "起始时间"),
    END: ("end", "endtime", "endtimestamp", "time:timestamp", "completetimestamp", "completetime", "endtimestamp",
          "completiontime", "timestamp", "time", "eventtime", "enddate",
          "结束", "结束时间", "完成时间", "时间", "时间戳", "发生时间"),
    TRANSITION: ("lifecycle:transition", "transition", "lifecycle", "lifecycletransition", "lifecycleid", "eventtype",
                 "状态变化"),
    INSTANCE: ("concept:instance", "activityinstance", "activityinstanceid", "活动实例"),
    ENABLED: ("enabled", "enabletime", "enabledtime", "enabletimestamp", "就绪时间", "到达时间"),
}  # fmt: skip
"""What common tools call a column, in order of preference; in lower case, without blanks, underscores and the like."""
_LIFE_CYCLE = ("schedule", "assign", "withdraw", "reassign", "start", "suspend", "resume", "pi_abort", "ate_abort",
               "complete", "autoskip", "manualskip")  # fmt: skip
"""The transitions of IEEE 1849."""
_NEEDED = (CASE, ACTIVITY, END)
_DELIMITERS = ",;\t|"


def read_table(path: Path, columns: Mapping[str, str] | None = None, zone: str = "UTC") -> EventLog:
    """The log in a CSV (also gzipped) or Parquet file.

    Args:
        path: the file.
        columns: which column is the case, activity, resource, start, end or enabled time, the transition (start,
            complete) or the instance of the activity that an event belongs to; the rest is guessed.
        zone: IANA name of the zone of times that name none.

    Raises:
        DataError: the file cannot be read, a column is missing, or a time cannot be understood.
    """
    notes: list[str] = []
    table, found = _load(path, columns or {}, notes)
    used = {found[role] for role in found if role != INSTANCE}
    times: dict[str, Times] = {}
    for role in (START, END, ENABLED):
        if role in found:
            where = f"{path}, column {found[role]!r}"
            times[role] = parse_times(table[found[role]], where, zone)
            notes += times[role].notes(found[role], zone)
    table, times, numbers = _timed(table, times, path, notes)
    paired = START not in times and (found.get(TRANSITION) or _life_cycle(table, used))
    rest = {name: table[name] for name in table.column_names if name not in used | {paired or ""}}
    rest = {(CASE_PREFIX + k[5:] if k.lower().startswith("case:") else k): v for k, v in rest.items()}
    if ENABLED in times:
        rest[ENABLED] = times[ENABLED].instants
    case, activity, resource = (_names(table, found, role, path) for role in (CASE, ACTIVITY, RESOURCE))
    if paired:
        instance = table[found[INSTANCE]].cast(pa.string()) if INSTANCE in found else None
        return pair_transitions(case, activity, resource, times[END], table[paired], rest, notes, instance, numbers)
    if START not in times:
        notes.append(note("no_starts"))
        times[START] = times[END]
    unzoned = sum(of.naive for of in times.values() if of.mixed)
    start, end = times[START].instants, times[END].instants
    source = pa.array(numbers)
    return EventLog.from_columns(case, activity, resource, start, end, rest, notes, source, unzoned)


def has_columns(path: Path, names: Collection[str]) -> bool:
    """Whether a table has all these columns; False if it cannot be read.

    Args:
        path: CSV (also gzipped) or Parquet.
        names: as written in its first line.
    """
    try:
        held = pq.read_schema(path).names if _suffix(path) == ".parquet" else _head(path)[0]
    except (OSError, UnicodeError, EOFError, pa.ArrowInvalid, zlib.error):
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
        delimiter = "\t" if _suffix(path) == ".tsv" else ","
        pacsv.write_csv(pa.table(columns), out, pacsv.WriteOptions(delimiter=delimiter))


def _load(path: Path, given: Mapping[str, str], notes: list[str]) -> tuple[pa.Table, dict[str, str]]:
    """The table, and which of its columns has which role; names are texts, whatever they look like."""
    try:
        if _suffix(path) == ".parquet":
            table = pq.read_table(path)
            names = _told_apart(table.column_names)
            return table.rename_columns(names), _find_columns(names, given, path)
        try:
            return _parse(path, given, "utf-8")
        except (UnicodeError, pa.ArrowInvalid) as error:
            if isinstance(error, pa.ArrowInvalid) and "UTF8" not in str(error):
                raise
        encoding = _encoding(path)
        notes.append(note("encoding", name=encoding.upper()))
        return _parse(path, given, encoding)
    except UnicodeError as error:
        raise DataError("not in UTF-8", where=str(path), hint="Save it as UTF-8 text.") from error
    except (OSError, pa.ArrowInvalid, EOFError, zlib.error) as error:
        hint = "Save it as UTF-8 text." if "UTF8" in str(error) else ""
        raise DataError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path), hint=hint) from error


def _parse(path: Path, given: Mapping[str, str], encoding: str) -> tuple[pa.Table, dict[str, str]]:
    """A text table and the roles of its columns.

    Raises:
        UnicodeDecodeError, ArrowInvalid: it is in another encoding, or no table.
    """
    names, delimiter = _head(path, encoding)
    found = _find_columns(names, given, path)
    texts = {found[role]: pa.string() for role in (CASE, ACTIVITY, RESOURCE) if role in found}
    convert = pacsv.ConvertOptions(column_types=texts)
    parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    with _opened(path) as stream:
        read = pacsv.ReadOptions(encoding=encoding)
        table = pacsv.read_csv(stream, read_options=read, convert_options=convert, parse_options=parse)
    if any(pa.types.is_binary(column.type) for column in table.columns):
        raise pa.ArrowInvalid("a column is not in UTF8")
    table = _with_missing(table, found.get(CASE))
    return table.rename_columns(_told_apart(table.column_names)), found


def _with_missing(table: pa.Table, case: str | None) -> pa.Table:
    """With texts such as NULL as nulls; where cases are named by letters, NA is one of them."""
    missing = pacsv.ConvertOptions().null_values
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        if pa.types.is_string(column.type):
            kept = [text for text in missing if text != "NA"] if name == case else missing
            none = pc.is_in(column, value_set=pa.array(kept, pa.string()))
            table = table.set_column(i, name, pc.if_else(none, None, column))
    return table


def _timed(
    table: pa.Table, times: dict[str, Times], path: Path, notes: list[str]
) -> tuple[pa.Table, dict[str, Times], NDArray[np.int64]]:
    """The rows that have a start or an end, and their numbers in what was read."""
    none = np.ones(table.num_rows, np.bool_)
    for role in (START, END):
        if role in times:
            none &= times[role].instants.is_null().to_numpy(zero_copy_only=False)
    kept = np.flatnonzero(~none)
    if not len(kept):
        hint = "Every row has the time at which an activity ended, at least."
        raise DataError("no row has a time" if len(none) else "no row in it", where=str(path), hint=hint)
    if none.any():
        notes.append(note("no_time", n=f"{int(none.sum()):,}", row=f"{int(none.argmax()) + 1:,}"))
        table = table.take(kept)
        times = {role: of._replace(instants=of.instants.take(pa.array(kept))) for role, of in times.items()}
    return table, times, kept + 1


def _life_cycle(table: pa.Table, used: Collection[str]) -> str | None:
    """A column of unknown name in which stand the transitions of the standard and nothing else."""
    for name in table.column_names:
        column = table[name]
        if name in used or not (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)):
            continue
        words = {str(word).lower() for word in pc.unique(column.cast(pa.string())).to_pylist()}
        if {"start", "complete"} <= words <= {*_LIFE_CYCLE, "none", ""}:
            return str(name)
    return None


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names of columns, with a number added to each that stands a second time."""
    counts: dict[str, int] = {}
    apart = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        apart.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return apart


def _encoding(path: Path) -> str:
    """Of a text that is not in UTF-8: UTF-16 if it says so, else the Chinese or the Western European code.

    In Chinese text, bytes beyond ASCII come in pairs; in Western European text, mostly alone.
    """
    with _opened(path) as stream:
        data = stream.read()
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    runs = [len(run) % 2 for run in re.findall(rb"[\x80-\xff]+", data)]
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return "cp1252"
    return "gb18030" if 2 * sum(runs) < len(runs) else "cp1252"


def _head(path: Path, encoding: str = "utf-8") -> tuple[list[str], str]:
    """Names of the columns of a text table, and what separates them."""
    with _opened(path) as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig" if encoding == "utf-8" else encoding, newline="\n")
        head = text.readline()
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


def _find_columns(names: Sequence[str], given: Mapping[str, str], path: Path) -> dict[str, str]:
    """The column of each role that the table has."""
    has = f"It has {', '.join(names)}"
    plain = {plain_name(name): name for name in reversed(names)}
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
