"""Many possible futures of one state, on any number of processes with the same result."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin.errors import RunError
from twin.process.forecasting.columns import NEVER, Floats, Ints
from twin.process.forecasting.measures import MEASURES, World, series
from twin.randomness import Streams

Told = Callable[[int, int], None]
"""Is told how many runs are done, and of how many."""
_PARTS = 16
"""Pieces of an ensemble, so that progress shows and no worker waits long for the last."""


class Model(Protocol):
    """Draws futures of one state."""

    def future(self, streams: Streams) -> tuple[World, Ints]:
        """One future, and the instants at which the cases of the state's `open_cases` end in it.

        An instant is NEVER if the case is open when the future breaks off, and the start of the future or earlier if
        it had ended before.
        """


@dataclass(frozen=True)
class Question:
    """What is asked of each future.

    Attributes:
        edges: of the intervals (ns).
        people: that utilisation counts with.
        deadline: cycle time (ns) from which a case is late, if any.
    """

    edges: Ints
    people: int
    deadline: int | None = None


@dataclass(frozen=True)
class Ensemble:
    """The answers.

    Attributes:
        values: (run, interval, measure).
        ends: (run, open case), ns.
    """

    values: Floats
    ends: Ints


@contextmanager
def workers(n: int | None) -> Iterator[ProcessPoolExecutor | None]:
    """Worker processes to be used for several ensembles; None for one process.

    Args:
        n: how many; None takes one per core, at most four.
    """
    n = _cores() if n is None else n
    if n <= 1:
        yield None
        return
    # Never fork: the parent may hold threads.
    pool = ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), _ignore_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cores() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 4)


def run(
    model: Model,
    question: Question,
    runs: int,
    seed: int,
    pool: ProcessPoolExecutor | None = None,
    told: Told | None = None,
) -> Ensemble:
    """Draw futures and measure them.

    Args:
        model: must survive pickling if there is a pool.
        question: what to measure.
        runs: how many futures; run k depends on `seed` and k alone.
        seed: of the random numbers.
        pool: of `workers`.
        told: hears of progress.

    Raises:
        RunError: a worker process died.
    """
    size = max(1, -(-runs // _PARTS))
    parts = [(first, min(first + size, runs)) for first in range(0, runs, size)]
    done: dict[int, tuple[Floats, Ints]] = {}
    if pool is None:
        for k in range(runs):
            done[k] = _part(model, question, k, k + 1, seed)
            if told:
                told(k + 1, runs)
    else:
        try:
            _follow({pool.submit(_part, model, question, a, b, seed): (a, b) for a, b in parts}, done, runs, told)
        except BrokenProcessPool:
            raise RunError(
                "a worker process died (killed, or out of memory)", hint="Start again with --workers 1."
            ) from None
    whole = [done[first] for first in sorted(done)]
    return Ensemble(np.concatenate([values for values, _ in whole]), np.concatenate([ends for _, ends in whole]))


def _follow(
    futures: dict[Future[tuple[Floats, Ints]], tuple[int, int]],
    done: dict[int, tuple[Floats, Ints]],
    runs: int,
    told: Told | None,
) -> None:
    open_ = set(futures)
    finished = 0
    try:
        while open_:
            ready, open_ = wait(open_, return_when=FIRST_COMPLETED)
            for future in ready:
                first, last = futures[future]
                done[first] = future.result()
                finished += last - first
            if told:
                told(finished, runs)
    finally:
        for future in open_:
            future.cancel()


def _part(model: Model, question: Question, first: int, last: int, seed: int) -> tuple[Floats, Ints]:
    values = np.empty((last - first, len(question.edges) - 1, len(MEASURES)))
    ends = []
    for k in range(first, last):
        world, gone = model.future(Streams(seed, k))
        values[k - first] = series(world, question.edges, question.people, question.deadline)
        ends.append(gone)
    return values, np.stack(ends) if ends else np.zeros((0, 0), np.int64)


def share_late(ends: Ints, born: Ints, deadline: int) -> Floats:
    """Share of the runs in which each open case exceeds the deadline."""
    late = np.where(ends == NEVER, True, ends - born > deadline)
    return np.asarray(late.mean(axis=0))
