"""Event logs read and written: a million events in each form."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.measure import Row, row, timed
from twin.measures.log_distances import distances
from twin.process.eventlog.files import read_log, write_log
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.xes import read_any

_INSTANCES = 500_000
"""Activity instances: a million events, since each has a start and an end."""
_FORMS = ("parquet", "csv", "csv.gz", "xes", "xes.gz")


def run() -> list[Row]:
    log = _made_up()
    events = 2 * len(log)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for form in _FORMS:
            path = Path(folder) / f"log.{form}"
            _, seconds = timed(lambda path=path: write_log(log, path), 1)
            rows.append(row(f"write {form}", events, seconds, note=f"{path.stat().st_size / 2**20:.0f} MiB"))
            back, seconds = timed(lambda path=path: read_log(path), 2)
            if len(back) != len(log):
                raise RuntimeError(f"{form}: {len(back)} of {len(log)} read")
            rows.append(row(f"read {form}", events, seconds))
            if form == "xes":
                _, seconds = timed(lambda path=path: read_any(path), 1)
                rows.append(row("read xes by an ordinary parser", events, seconds, note="columns only"))
        small = EventLog(log.table.slice(0, 60_000))
        _, seconds = timed(lambda: distances(small, small), 5)
        rows.append(row("five distances of 60,000 activities", 60_000, seconds))
    return rows


def _made_up() -> EventLog:
    """A log of no meaning: 20 activities, 80 people, 60,000 cases."""
    luck = np.random.default_rng(0)
    n = _INSTANCES
    case, activity, who = (luck.integers(0, size, n) for size in (60_000, 20, 80))
    start = 1_700_000_000_000_000 + case * 90_000_000 + luck.integers(0, 10**9, n) * 1000
    end = start + luck.integers(0, 7_200_000, n) * 1000
    names = [pa.array([form.format(i) for i in range(60_000)]) for form in ("case-{}", "Check {}", "clerk-{:06d}")]
    columns = (of.take(pa.array(codes)) for of, codes in zip(names, (case, activity, who), strict=True))
    times = (pa.array(t, pa.timestamp("us", "UTC")) for t in (start, end))
    return EventLog.from_columns(*columns, *times, {"amount": pa.array(luck.integers(0, 10**6, n))})
