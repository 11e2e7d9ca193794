"""`python -m benchmarks.process_lab`: discovery on logs of made-up offices, beside naive replay, halves and the truth.

Each kind of office (benchmarks/process_accuracy/kinds.py) writes a log, which is split by time; a process discovered on
the training part simulates the test part. The truth is another history of the same office, first case to last as many
as the test part holds: no simulator can be expected to come nearer, but by luck.

Examples:
    python -m benchmarks.process_lab
    python -m benchmarks.process_lab --kinds pharmacy growing --seeds 0 1 2 --runs 5
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.process_accuracy.kinds import KINDS
from benchmarks.process_accuracy.offices import MONDAY, WEEK, Office, log_of
from twin.measures.log_distances import NAMES, LogProfile, distances
from twin.process.discovery import Options, as_log, columns_of, discover, simulate_like
from twin.process.eventlog.log import CASE, END, EventLog
from twin.process.eventlog.split import replay, split
from twin.randomness import Streams

_HISTORIES = 3
_LARGE = "bank"
"""Measured only if asked for: it takes minutes to make up."""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.process_lab", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=[kind for kind in KINDS if kind != _LARGE])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the offices and their luck (0)")
    parser.add_argument("--runs", type=int, default=10, help="simulated logs for each (10)")
    given = parser.parse_args(arguments)
    table = Table("log", "distance", "twin", "replay", "truth", "structure", "s", box=None)
    for kind in given.kinds:
        for seed in given.seeds:
            for row in measure(kind, seed, given.runs):
                table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 110).print(table)
    return 0


def measure(kind: str, seed: int, runs: int) -> list[tuple[str, ...]]:
    """Rows of the table for one log.

    Args:
        kind: of office.
        seed: of the office and its luck.
        runs: simulated logs.
    """
    office = KINDS[kind](np.random.default_rng((seed, 99)))
    train, test = split(log_of(office, (seed, 0)))
    profile = LogProfile.of(test)
    began = time.process_time()
    process = discover(train, options=Options(seed=1))
    took = time.process_time() - began
    start = int(columns_of(test).first.min())
    logs = (simulate_like(process, start=start, cases=test.cases, streams=Streams(1, run)) for run in range(runs))
    mine = np.mean([_five(profile, as_log(process, log)) for log in logs], axis=0)
    naive = _five(profile, replay(train, test))
    truth = np.mean([_five(profile, other) for other in _truth(office, seed, test)], axis=0)
    return [
        (f"{kind} {seed}", name, *(f"{x:.3f}" for x in (mine[i], naive[i], truth[i])), process.structure, f"{took:.1f}")
        for i, name in enumerate(NAMES)
    ]


def _five(profile: LogProfile, log: EventLog) -> list[float]:
    return list(distances(profile, log).as_dict().values())


def _truth(office: Office, seed: int, test: EventLog) -> list[EventLog]:
    """The first cases from the start of the test part on of other histories, recorded as the office records."""
    real = columns_of(test)
    start, count = int(real.first.min()), real.cases
    weeks = (start / 1e9 - MONDAY) / WEEK + max(1.4 * (int(real.last.max()) - start) / (WEEK * 1e9), 1.0) + 2.0
    endless = None if office.recorded is None else (office.recorded[0], 1e9)
    found = []
    for history in range(1, _HISTORIES + 1):
        log = log_of(replace(office, weeks=weeks, recorded=endless), (seed, history))
        columns = columns_of(log)
        done = np.minimum.reduceat(columns.end, columns.offset[:-1])
        shown = columns.last if office.shows == "ended" else done
        key = columns.first if office.recorded is None else shown
        late = np.flatnonzero(columns.first >= start)
        kept = late[np.argsort(key[late], kind="stable")[:count]]
        rows = np.isin(log.table[CASE].to_numpy(zero_copy_only=False), np.array(columns.names, object)[kept])
        if office.shows == "done":
            rows &= log.table[END].cast(pa.int64()).to_numpy() <= int(key[kept].max()) // 1000
        found.append(EventLog(log.table.filter(pa.array(rows))))
    return found


if __name__ == "__main__":
    sys.exit(main())
