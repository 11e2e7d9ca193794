"""The queueing networks of the benchmark, and the twin's run of them."""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin.clock import HOUR, SECOND
from twin.contracts import Requests
from twin.kernels.bulk import arrival_times
from twin.process.loader import parse_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.statistics import Statistics
from twin.randomness import Stream, Streams

SERVERS, RATE = 10, 9.0
STAGE_MEANS = (0.3, 0.5, 0.8, 0.4, 1.0, 0.6, 0.25)
STAGE_SERVERS = (4, 7, 11, 6, 13, 8, 4)
STAGE_RATE, PATIENCE, REWORK = 10.0, 2.0, 0.1
_BATCH, _PARTS = 10_000, 20


def single_queue(patience: float | None = None) -> ProcessModel:
    """M/M/10 at a utilisation of 0.9.

    Args:
        patience: mean in hours; None if nobody ever leaves, which the twin computes by a kernel of its own.
    """
    waits = "" if patience is None else f"patience: {{distribution: exponential, mean: {patience} h}}, "
    return parse_process(f"""
name: single queue
start: desk
pools: {{agents: {{staff: {SERVERS}}}}}
nodes:
  desk: {{kind: task, pool: agents, service: {{distribution: exponential, mean: 1 s}}, {waits}next: done}}
  done: {{kind: end}}
""")


def seven_stages(patience: float | None = PATIENCE, *, full: bool = False, extra: int = 0) -> ProcessModel:
    """Onboarding in seven stages with 10% rework.

    Args:
        patience: mean in hours; None if nobody ever leaves.
        full: with three priorities, three shifts a day, and a deadline of half an hour at every stage.
        extra: so many more staff by day in every pool, if full.
    """
    lines = ["name: seven stages", "start: s1", "pools:"]
    for i, c in enumerate(STAGE_SERVERS, 1):
        shifts = [("06:00", "14:00", c + extra), ("14:00", "22:00", c + extra), ("22:00", "06:00", c)]
        day = ", ".join(f'{{from: "{a}", to: "{b}", staff: {n}, days: every}}' for a, b, n in shifts)
        lines.append(f"  p{i}: {{shifts: [{day}]}}" if full else f"  p{i}: {{staff: {c}}}")
    lines += ["nodes:", "  done: {kind: end}"]
    waits = "" if patience is None else f", patience: {{distribution: exponential, mean: {patience} h}}"
    if full:
        waits += ", target: 30 min, priority: {default: 2, by_segment: {gen_z: 1, hnw: 0}}"
    for i, mean in enumerate(STAGE_MEANS, 1):
        rework = f", rework: {{to: s{i - 1}, probability: {REWORK}}}" if i > 1 else ""
        target = f"s{i + 1}" if i < len(STAGE_MEANS) else "done"
        service = f"service: {{distribution: exponential, mean: {mean} h}}"
        lines.append(f"  s{i}: {{kind: task, pool: p{i}, {service}{waits}, next: {target}{rework}}}")
    return parse_process("\n".join(lines))


@dataclass(frozen=True)
class Run:
    """What a run of the twin gave.

    A mean time with its standard error, events, the share of cases that left, visits to stages per case, the share of
    waits within the deadline (without one: of none), and rows held for cases.
    """

    mean: float
    error: float
    events: int
    abandoned: float
    visits: float
    within: float
    rows: int


def wait_s(s: Statistics) -> float:
    """Mean wait in s at the single queue."""
    return s.nodes["desk"].mean_wait_s


def sojourn_h(s: Statistics) -> float:
    """Mean time in the system in hours."""
    return s.cases.mean_sojourn_s / 3600


def run_twin(model: ProcessModel, n: int, seed: int, mean: Callable[[Statistics], float]) -> Run:
    """Draw `n` Poisson arrivals, feed them in batches as the day does, and keep full statistics.

    An event is an arrival, the end of a service or somebody's leaving.
    """
    single = "desk" in model.nodes
    gap = SECOND / RATE if single else HOUR / STAGE_RATE
    streams = Streams(seed)
    network = ProcessNetwork(model, streams, record=False)
    batches, start, means, total = n // _BATCH, 0, [], np.zeros(6)
    group = max(batches // _PARTS, 1)
    kind = np.arange(_BATCH, dtype=np.int64) % 3
    for batch in range(batches):
        number = np.arange(batch * _BATCH, (batch + 1) * _BATCH, dtype=np.int64)
        times = np.empty(_BATCH, np.int64)
        arrival_times(streams.key, 0, int(Stream.PROCESS_ARRIVAL), batch * _BATCH, start, gap, times)
        start = int(times[-1])
        network.submit(Requests(times, number, number, kind))
        network.advance(start)
        if (batch + 1) % group == 0 or batch + 1 == batches:
            s = network.statistics()
            means.append(mean(s))
            tasks = [s.nodes[name] for name, node in model.nodes.items() if node.kind == "task"]
            for t in tasks:
                total += (t.arrivals, t.starts, t.completions, t.abandoned, t.within_target, 0)
            total[5] += s.cases.served + s.cases.abandoned
            network.reset_statistics()
    # The first part fills the system.
    steady = np.asarray(means[1:])
    error = float(np.std(steady, ddof=1) / math.sqrt(len(steady))) if len(steady) > 1 else math.inf
    visits, starts, completions, lost, within, ended = total.tolist()
    return Run(
        mean=float(steady.mean()) if len(steady) else means[0],
        error=error,
        events=int(batches * _BATCH + completions + lost),
        abandoned=lost / max(ended, 1),
        visits=visits / max(ended, 1),
        within=within / max(starts, 1),
        rows=network.case_capacity,
    )


def peak_mib() -> float:
    """Most memory this process ever had, in MiB.

    Linux hands the parent's `ru_maxrss` down to a child, so there the kernel's own high-water mark is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        marks = [line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(marks[0][1]) / 2**10
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    # Peak memory of a process that does nothing else: `python -m benchmarks.networks CASES`.
    held = run_twin(seven_stages(), int(sys.argv[1]), 1, sojourn_h).rows
    print(json.dumps({"peak_mib": peak_mib(), "rows": held}))
