"""An event log as columns: one row per activity instance, with when it started and ended and who did it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from twin.errors import DataError

CASE, ACTIVITY, RESOURCE, START, END, ENABLED = "case", "activity", "resource", "start", "end", "enabled"
TIME = pa.timestamp("us", tz="UTC")
"""Instants are whole microseconds in UTC."""
COLUMNS = (CASE, ACTIVITY, RESOURCE, START, END)
CASE_PREFIX = "case:"
"""Columns that hold an attribute of the case rather than of the activity begin so."""


@dataclass(frozen=True)
class EventLog:
    """Activity instances in order of case (by its first instant), start and end; equal ones as they were given.

    Attributes:
        table: columns `case`, `activity`, `resource` (texts), `start`, `end` (UTC; null where the log has none) and
            any attributes, those of cases with the prefix `case:`.
        notes: what reading had to assume or leave out, one sentence each.
        source: where each row stood in what was read: number of its record (the first of its events), from 1; None =
            not known.
        unzoned: times that name no zone though others do.
    """

    table: pa.Table
    notes: tuple[str, ...] = field(default=())
    source: pa.Array | None = field(default=None, compare=False)
    unzoned: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.table.column_names]
        if missing:
            raise DataError(f"an event log needs the column {missing[0]!r}", hint=f"It has {self.table.column_names}.")

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def cases(self) -> int:
        """Number of cases."""
        return int(pc.count_distinct(self.table[CASE]).as_py())

    @property
    def activities(self) -> list[str]:
        """Names of the activities, sorted."""
        return sorted(pc.unique(self.table[ACTIVITY]).to_pylist())

    @property
    def attributes(self) -> list[str]:
        """Names of the columns beside the usual ones."""
        return [name for name in self.table.column_names if name not in COLUMNS]

    @classmethod
    def from_columns(
        cls,
        case: Sequence[Any] | pa.ChunkedArray,
        activity: Sequence[Any] | pa.ChunkedArray,
        resource: Sequence[Any] | pa.ChunkedArray | None,
        start: Any,
        end: Any,
        attributes: dict[str, Any] | None = None,
        notes: Sequence[str] = (),
        source: pa.Array | None = None,
        unzoned: int = 0,
    ) -> EventLog:
        """A log from columns of equal length; it is sorted here.

        Args:
            case: texts, as all names (anything else is written as text).
            activity: texts.
            resource: texts; None = unknown throughout.
            start: instants as pyarrow timestamps, or datetimes with a zone; null where there is none.
            end: the same.
            attributes: further columns.
            notes: kept with the log.
            source: number of each row's record in what was read, from 1.
            unzoned: times that name no zone though others do.
        """
        n = len(case)
        columns = {
            CASE: _text(case),
            ACTIVITY: _text(activity),
            RESOURCE: pa.nulls(n, pa.string()) if resource is None else _text(resource),
            START: _time(start),
            END: _time(end),
        }
        table = pa.table({**columns, **(attributes or {})})
        order = _order(table)
        if order is not None:
            table, source = table.take(order), None if source is None else source.take(order)
        return cls(table, tuple(notes), source, unzoned)


def plain_name(name: str) -> str:
    """The name of a column without capitals, blanks, underscores and the like."""
    return re.sub(r"[\s_.\-]", "", name.lower())


def _text(column: Any) -> pa.ChunkedArray | pa.Array:
    array = column if isinstance(column, pa.ChunkedArray | pa.Array) else pa.array(list(column))
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return array if pa.types.is_string(array.type) else array.cast(pa.string())


def _time(column: Any) -> pa.ChunkedArray | pa.Array:
    array = column if isinstance(column, pa.ChunkedArray | pa.Array) else pa.array(list(column), TIME)
    return array if array.type == TIME else array.cast(TIME, safe=False)


def _order(table: pa.Table) -> pa.Array | None:
    """Rows by case (in order of first instant, then name), then by start (end where there is none), end, as given."""
    if not table.num_rows:
        return None
    first = pc.coalesce(table[START], table[END])
    key = pa.table({"case": table[CASE], "first": first, "row": pa.array(range(table.num_rows), pa.int64())})
    begins = key.group_by("case").aggregate([("first", "min")])
    ranked = begins.take(pc.sort_indices(begins, sort_keys=[("first_min", "ascending"), ("case", "ascending")]))
    rank = pc.index_in(table[CASE], ranked["case"].combine_chunks())
    key = key.append_column("rank", rank).append_column("end", pc.coalesce(table[END], table[START]))
    names = ("rank", "first", "end", "row")
    return pc.sort_indices(key, sort_keys=[(name, "ascending") for name in names])
