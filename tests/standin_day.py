"""A stand-in for a day: a few numbers that depend on scenario, replication and seed alone; small and quick."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from twin.errors import ConservationError
from twin.randomness import Stream, Streams


@dataclass
class StandInResult:
    measures: pa.Table
    timeline: pa.Table
    info: dict[str, Any]


@dataclass
class Step:
    stage: str
    sim_time_ns: int
    orders: int
    fraction: float


def simulate_day(scenario, replication, seed, progress):
    """Counts orders as a fixed number per client plus noise; `name` and files ask it to misbehave."""
    marks = os.environ.get("STANDIN_MARKS")
    if marks:
        (Path(marks) / f"began-{scenario.name}-{replication}").touch()
    for i in range(4):
        if progress:
            progress(Step("trading", 34_200_000_000_000 + i, 1000 * i, i / 4))
    if replication >= 1 and marks:
        if (Path(marks) / "wait").exists():
            time.sleep(60)
        if (Path(marks) / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if (Path(marks) / "leak").exists():
            raise ConservationError("1 fen has appeared", where="ledger")
    noise = Streams(seed, replication).normal(Stream.TEST, [0, 1, 2])
    fall = -scenario.world.index.close
    orders = scenario.clients.count * (1.2 + 5 * fall) * (1 + 0.01 * float(noise[0]))
    core = scenario.order_path.core.capacity or 1e9
    values = [orders, 1e4 * orders / core * (1 + 0.001 * float(noise[1])), 30.0]
    measures = pa.table(
        {
            "dimension": ["client_experience", "client_experience", "compliance"],
            "measure": ["orders_submitted", "order_latency_p99", "unsuitable_blocked"],
            "segment": ["", "", ""],
            "value": values,
        }
    )
    timeline = pa.table(
        {
            "series": ["orders_per_s"] * 2,
            "key": ["", ""],
            "time_ns": [0, 60_000_000_000],
            "value": [float(noise[2]), 1.0],
        }
    )
    return StandInResult(measures, timeline, {"orders": int(orders), "seconds": 0.01})
