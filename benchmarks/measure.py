"""How the benchmarks measure: one core, CPU time, several rounds, median and best."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Row = dict[str, Any]
"""name, work, seconds (median), best, rate (per second, from the median), ratio, note."""


@contextmanager
def one_core() -> Iterator[int | None]:
    """Keep this process and its children on one core (the last it may use); None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield max(cores)
    finally:
        os.sched_setaffinity(0, cores)


def timed(work: Callable[[], Any], rounds: int = 3) -> tuple[Any, list[float]]:
    """The last result, and the CPU seconds of each round.

    CPU time, since others use the machine too: it leaves out waiting for a core, but not what they do to the caches.
    """
    result, seconds = None, []
    for _ in range(rounds):
        begun = time.process_time()
        result = work()
        seconds.append(time.process_time() - begun)
    return result, seconds


def row(name: str, work: int, seconds: Sequence[float], first: float | None = None, note: str = "") -> Row:
    """A row of the table; `first` is the rate of the first row of its group, from which the ratio is taken."""
    median = statistics.median(seconds)
    return {
        "name": name,
        "work": work,
        "seconds": median,
        "best": min(seconds),
        "rate": work / median,
        "ratio": None if first is None else first / (work / median),
        "note": note,
    }


def missing(name: str, reason: str) -> Row:
    """A row of what could not be measured, and why."""
    return {"name": name, "work": None, "seconds": None, "best": None, "rate": None, "ratio": None, "note": reason}
