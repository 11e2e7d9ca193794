"""A run folder as the control room reads it: manifest, measures, timeline (design, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenarios.runs import Run, read_run
from twin.errors import RunError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One quantity through the day in every replication.

    Args:
        time_ns: instants since midnight, ascending.
        values: one row per replication; NaN where a replication has no record.
    """

    time_ns: npt.NDArray[np.int64]
    values: Floats

    @property
    def mean(self) -> Floats:
        """Mean over the replications that have a record, NaN where none has."""
        known = np.isfinite(self.values)
        total, n = np.where(known, self.values, 0.0).sum(axis=0), known.sum(axis=0)
        return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)

    @property
    def low(self) -> Floats:
        """Smallest value of any replication, NaN where there is none."""
        lowest = np.where(np.isfinite(self.values), self.values, np.inf).min(axis=0)
        return np.where(np.isfinite(lowest), lowest, np.nan)

    @property
    def high(self) -> Floats:
        """Largest value of any replication, NaN where there is none."""
        highest = np.where(np.isfinite(self.values), self.values, -np.inf).max(axis=0)
        return np.where(np.isfinite(highest), highest, np.nan)

    def with_holes(self) -> Line:
        """The line with a NaN before each point that comes much later than the last: nothing was recorded between."""
        steps = np.diff(self.time_ns)
        if not len(steps):
            return self
        late = np.flatnonzero(steps > 2.5 * np.median(steps)) + 1
        return Line(np.insert(self.time_ns, late, self.time_ns[late]), np.insert(self.values, late, np.nan, axis=1))


class Recording:
    """A finished run.

    Args:
        folder: the run folder.

    Raises:
        RunError: the folder or one of its three files is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.run: Run = read_run(folder)
        self.folder = self.run.folder
        self.manifest: dict[str, Any] = self.run.manifest
        self._measures = self._table("measures", ("replication", "dimension", "measure", "segment", "value"))
        self._timeline = self._table("timeline", ("replication", "series", "key", "time_ns", "value"))

    def _table(self, name: str, columns: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
        table = self.run.table(name)
        missing = [column for column in columns if column not in table.column_names]
        if missing:
            raise RunError(f"{name} lacks the columns {', '.join(missing)}", where=str(self.folder), hint="Run again.")
        return {column: _plain(table[column]) for column in columns}

    @property
    def scenario(self) -> dict[str, Any]:
        """The resolved scenario."""
        return dict(self.manifest["scenario"])

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.scenario.get("name", self.folder.name))

    def text(self, key: str, language: str) -> str:
        """A text of the scenario (`title`, `story`) in a language, else in English, else empty."""
        value = self.scenario.get(key, "")
        if isinstance(value, Mapping):
            value = value.get(language) or value.get("en") or ""
        return str(value or "")

    @cached_property
    def replications(self) -> tuple[int, ...]:
        """The replications' numbers, ascending."""
        return tuple(int(r) for r in np.unique(self._measures["replication"]))

    @cached_property
    def measures(self) -> dict[tuple[str, str, str], Floats]:
        """(dimension, measure, segment) -> one value per replication; in the order in which they were recorded."""
        place = {r: i for i, r in enumerate(self.replications)}
        out: dict[tuple[str, str, str], Floats] = {}
        columns = (self._measures[c] for c in ("dimension", "measure", "segment", "replication", "value"))
        for dimension, measure, segment, replication, value in zip(*columns, strict=True):
            key = (str(dimension), str(measure), str(segment or ""))
            row = out.setdefault(key, np.full(len(place), np.nan))
            row[place[int(replication)]] = float(value)
        return out

    def measure(self, name: str, segment: str = "") -> Floats | None:
        """Values of a measure, one per replication, or None when the run does not have it."""
        for (_, measure, part), values in self.measures.items():
            if measure == name and part == segment:
                return values
        return None

    def segments(self, name: str) -> dict[str, Floats]:
        """Values of a measure by segment; empty when the run does not have it."""
        return {part: values for (_, measure, part), values in self.measures.items() if measure == name and part}

    @cached_property
    def lines(self) -> dict[tuple[str, str], Line]:
        """(series, key) -> the line, in the order in which they were recorded."""
        names = np.char.add(np.char.add(self._timeline["series"].astype(str), "\t"), self._timeline["key"].astype(str))
        unique, first, group = np.unique(names, return_index=True, return_inverse=True)
        out = {}
        for index in np.argsort(first):
            series, key = str(unique[index]).split("\t")
            out[series, key] = self._line(np.flatnonzero(group == index))
        return out

    def _line(self, rows: npt.NDArray[np.intp]) -> Line:
        time, column = np.unique(self._timeline["time_ns"][rows].astype(np.int64), return_inverse=True)
        values = np.full((len(self.replications), len(time)), np.nan)
        row = np.searchsorted(np.asarray(self.replications), self._timeline["replication"][rows])
        values[row, column] = self._timeline["value"][rows]
        return Line(time, values)

    def series(self, name: str) -> dict[str, Line]:
        """The lines of a series by key; empty when the run does not have it."""
        return {key: line for (series, key), line in self.lines.items() if series == name}


def _plain(column: Any) -> npt.NDArray[Any]:
    """A Parquet column as an array; text as objects, a missing text as empty."""
    values = column.to_numpy()
    if values.dtype == object:
        return np.array(["" if value is None else str(value) for value in values], dtype=object)
    return np.asarray(values)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], at: str = "") -> list[tuple[str, Any, Any]]:
    """The resolved keys that differ: (dotted key, value before, value after); texts and names are left out."""
    out: list[tuple[str, Any, Any]] = []
    for key in sorted(set(before) | set(after)):
        if not at and key in ("name", "title", "story", "extends"):
            continue
        old, new, dotted = before.get(key), after.get(key), f"{at}.{key}" if at else key
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            out += differences(old, new, dotted)
        elif old != new:
            out.append((dotted, old, new))
    return out
