"""Results as tidy tables: one row per number, the same columns in every run (design, section 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from twin.errors import RunError
from twin.measures.scorecard import measure

_WORD = pa.dictionary(pa.int32(), pa.string())
MEASURES_SCHEMA = pa.schema(
    [
        ("replication", pa.int32()),
        ("dimension", _WORD),
        ("measure", _WORD),
        ("segment", _WORD),
        ("time_ns", pa.int64()),
        ("value", pa.float64()),
    ]
)
TIMELINE_SCHEMA = pa.schema(
    [
        ("replication", pa.int32()),
        ("series", pa.string()),
        ("key", pa.string()),
        ("time_ns", pa.int64()),
        ("value", pa.float64()),
    ]
)
WHOLE_DAY = -1
"""`time_ns` of a measure of the whole day."""


def _words(values: Sequence[str]) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


class MeasureTable:
    """Measures of one replication.

    Args:
        replication: its number.
    """

    def __init__(self, replication: int = 0) -> None:
        self.replication = replication
        self._names: list[str] = []
        self._segments: list[str] = []
        self._times: list[int] = []
        self._values: list[float] = []

    def __len__(self) -> int:
        return len(self._values)

    def add(self, name: str, value: float, segment: str = "", time_ns: int = WHOLE_DAY) -> None:
        """Add one number.

        Args:
            name: of a measure in the scorecard's registry, which also gives its dimension and unit.
            value: a finite number in the measure's unit.
            segment: which part (kind of client, station, pool); empty for the whole.
            time_ns: instant that it belongs to; -1 for the whole day.

        Raises:
            RunError: the measure is not registered, or the value is not finite.
        """
        measure(name)
        if not np.isfinite(value):
            raise RunError(f"{name} = {value}", hint="A measure without a value is left out.")
        self._names.append(name)
        self._segments.append(segment)
        self._times.append(int(time_ns))
        self._values.append(float(value))

    def table(self) -> pa.Table:
        """The rows as an Arrow table with `MEASURES_SCHEMA`."""
        dimensions = [measure(name).dimension for name in self._names]
        columns = [
            pa.array(np.full(len(self), self.replication, np.int32)),
            _words(dimensions),
            _words(self._names),
            _words(self._segments),
            pa.array(self._times, pa.int64()),
            pa.array(self._values, pa.float64()),
        ]
        return pa.table(columns, schema=MEASURES_SCHEMA)


class Timeline:
    """Series over the day of one replication.

    Args:
        replication: its number.
    """

    def __init__(self, replication: int = 0) -> None:
        self.replication = replication
        self._parts: list[tuple[str, str, NDArray[np.int64], NDArray[np.float64]]] = []

    def __len__(self) -> int:
        return sum(part[2].size for part in self._parts)

    def add(self, series: str, times_ns: ArrayLike, values: ArrayLike, key: str = "") -> None:
        """Add points of a series; points without a finite value are left out.

        Args:
            series: name, for instance ``orders_per_s``.
            times_ns: ns since midnight of the trading day (one number or a column).
            values: as many numbers.
            key: which part (station, percentile, instrument); empty for the whole.
        """
        times, numbers = np.atleast_1d(np.asarray(times_ns, np.int64)), np.atleast_1d(np.asarray(values, np.float64))
        if times.shape != numbers.shape:
            raise RunError(f"{times.size} times and {numbers.size} values of {series}", hint="Give equally many.")
        known = np.isfinite(numbers)
        self._parts.append((series, key, times[known].copy(), numbers[known].copy()))

    def table(self) -> pa.Table:
        """The points as an Arrow table with `TIMELINE_SCHEMA`, in the order in which they came."""
        lengths = [part[2].size for part in self._parts]
        columns = [
            pa.array(np.full(len(self), self.replication, np.int32)),
            _repeat([part[0] for part in self._parts], lengths),
            _repeat([part[1] for part in self._parts], lengths),
            pa.array(np.concatenate([np.empty(0, np.int64), *(part[2] for part in self._parts)])),
            pa.array(np.concatenate([np.empty(0), *(part[3] for part in self._parts)])),
        ]
        return pa.table(columns, schema=TIMELINE_SCHEMA)


def _repeat(words: list[str], lengths: list[int]) -> pa.Array:
    """Each word as often as its length says, without a Python loop over the rows."""
    place = np.repeat(np.arange(len(words), dtype=np.int32), lengths)
    return pa.array(words, pa.string()).take(pa.array(place))
