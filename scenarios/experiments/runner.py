"""Runs replications of scenarios on worker processes, goes on where an earlier start left off, and reports progress."""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.experiments.ledger import Ledger, code_fingerprint
from scenarios.experiments.worker import Failure, Report, Task, run_in_worker, run_task, start_worker
from scenarios.runs import Run
from scenarios.schema import Scenario
from twin.errors import RunError, ScenarioError

SIMULATE = "scenarios.simulate:simulate_day"
MEMORY_PER_WORKER = 2_500_000_000
"""Bytes that one day of five million clients may take."""
_POLL = 0.1

__all__ = ["Outcome", "Report", "Request", "WorkerError", "default_workers", "run_all"]


class WorkerError(RunError):
    """A worker process died."""


@dataclass(frozen=True)
class Request:
    """A scenario to be run.

    Args:
        scenario: what.
        seed: of all random numbers.
        replications: how many, numbered from 0.
    """

    scenario: Scenario
    seed: int
    replications: int


@dataclass(frozen=True)
class Outcome:
    """A whole run, and how many of its replications were there before."""

    run: Run
    found: int
    computed: int


def default_workers(tasks: int) -> int:
    """Worker processes for a number of tasks: no more than cores, and than memory has room for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores, tasks, memory // MEMORY_PER_WORKER))


def run_all(
    requests: Sequence[Request],
    out: Path,
    workers: int | None = None,
    *,
    fresh: bool = False,
    simulate: str | None = None,
    on_plan: Callable[[list[tuple[str, int, int]]], None] | None = None,
    on_report: Callable[[Report], None] | None = None,
) -> list[Outcome]:
    """Run every request to the end and return the whole runs in the same order.

    Args:
        requests: what to run; two that are the same run are run once.
        out: folder of the runs.
        workers: processes; None chooses, 1 runs in this process. Results do not depend on it.
        fresh: do not use what is there.
        simulate: "package.module:function" that simulates one replication; None for the twin's own day.
        on_plan: told, before the start, (run, replications, of which there already).
        on_report: told how far each replication is.

    Raises:
        WorkerError: a worker process died; what was finished is kept.
        TwinError: the simulation refused, or a folder cannot be used.
    """
    simulate = simulate or SIMULATE
    code = f"{code_fingerprint()[:16]} {simulate}"
    ledgers = [Ledger(out, request.scenario, request.seed, code) for request in requests]
    wanted: dict[str, int] = {}
    for ledger, request in zip(ledgers, requests, strict=True):
        if request.replications < 1:
            raise ScenarioError("at least one replication is needed", hint="Give --replications 1 or more.")
        wanted[ledger.name] = max(wanted.get(ledger.name, 0), request.replications)
    unique = {ledger.name: ledger for ledger in ledgers}
    with ExitStack() as locks:
        found: dict[str, int] = {}
        missing: list[Task] = []
        for name, ledger in unique.items():
            locks.enter_context(ledger.locked())
            ledger.prepare(fresh=fresh)
            done = [] if fresh else ledger.finished(wanted[name])
            found[name] = len(done)
            missing += [Task(ledger, k, simulate) for k in range(wanted[name]) if k not in done]
        if on_plan:
            on_plan([(name, wanted[name], found[name]) for name in unique])
        # Scenario and baseline side by side: a pair is complete as early as possible.
        missing.sort(key=lambda task: task.replication)
        _run_tasks(missing, workers or default_workers(len(missing)), on_report or _ignore)
        runs = {n: _finish(ledger, wanted[n], found[n], fresh=fresh) for n, ledger in unique.items()}
    return [
        Outcome(runs[ledger.name], found[ledger.name], wanted[ledger.name] - found[ledger.name]) for ledger in ledgers
    ]


def _ignore(report: Report) -> None:
    del report


def _finish(ledger: Ledger, wanted: int, found: int, *, fresh: bool) -> Run:
    run = None if fresh else ledger.whole()
    if run is not None and found == wanted and run.replications >= wanted:
        return run
    return ledger.finish(wanted)


def _run_tasks(tasks: list[Task], workers: int, send: Callable[[Report], None]) -> None:
    if workers == 1 or len(tasks) <= 1:
        for task in tasks:
            run_task(task, send)
        return
    # Never fork: the parent may hold threads (progress display, a dashboard's server).
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    ours, theirs = context.Pipe()
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, start_worker, (reports, theirs))
    try:
        futures = [pool.submit(run_in_worker, task) for task in tasks]
        _follow(futures, reports, send)
        pool.shutdown()
    except BrokenProcessPool:
        kept = sum((task.ledger.work / f"rep={task.replication}").is_dir() for task in tasks)
        raise WorkerError(
            f"a worker process died (killed, or out of memory); {kept} of {len(tasks)} replications are kept",
            hint="Start the same command again to go on; fewer --workers need less memory.",
        ) from None
    finally:
        # Hanging up ends workers that are still busy (an error or Ctrl-C).
        ours.close()
        theirs.close()
        pool.shutdown(wait=False, cancel_futures=True)
        reports.close()
        reports.cancel_join_thread()


def _follow(futures: list[Future[Failure | None]], reports: Any, send: Callable[[Report], None]) -> None:
    """Pass reports on until every task is done; raise what a worker could not do."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, _POLL, FIRST_COMPLETED)
        _drain(reports, send)
        for future in done:
            failure = future.result()
            if failure is not None:
                failure.raise_again()
    _drain(reports, send)


def _drain(reports: Any, send: Callable[[Report], None]) -> None:
    while True:
        try:
            send(reports.get_nowait())
        except queue.Empty:
            return
