"""What runs in a worker process: one replication of one scenario."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any

import twin.errors
from scenarios.experiments.ledger import Ledger
from twin.errors import RunError, TwinError

_QUIET = 0.2
"""Least time between two reports of progress, in s."""


@dataclass(frozen=True)
class Task:
    """One replication to run and where it goes."""

    ledger: Ledger
    replication: int
    simulate: str


@dataclass(frozen=True)
class Report:
    """How far a replication is."""

    run: str
    replication: int
    stage: str
    sim_time_ns: int
    orders: int
    fraction: float
    wall_s: float


@dataclass(frozen=True)
class Failure:
    """An error that a user may meet, in a form that travels between processes."""

    kind: str
    what: str
    where: str
    hint: str

    def raise_again(self) -> None:
        """Raise the error as it was in the worker."""
        raise getattr(twin.errors, self.kind, RunError)(self.what, where=self.where, hint=self.hint)


_reports: Any = None


def start_worker(reports: Any, lifeline: Connection) -> None:
    """Prepare a worker process: it leaves Ctrl-C to its parent, and ends when the parent hangs up or dies."""
    global _reports
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports.cancel_join_thread()
    _reports = reports

    def watch() -> None:
        wait([lifeline])
        os._exit(130)

    threading.Thread(target=watch, daemon=True).start()


def run_in_worker(task: Task) -> Failure | None:
    """Run a task in a worker process; what goes wrong for the user's reasons is returned, not raised."""
    try:
        run_task(task, _reports.put)
    except TwinError as error:
        return Failure(type(error).__name__, error.what, error.where, error.hint)
    return None


def run_task(task: Task, send: Callable[[Report], None]) -> None:
    """Simulate one replication and write it."""
    simulate = resolve(task.simulate)
    began = last = time.monotonic()
    report = Report(task.ledger.name, task.replication, "start", 0, 0, 0.0, 0.0)
    send(report)

    def progress(step: Any) -> None:
        nonlocal last, report
        now = time.monotonic()
        quiet = now - last < _QUIET and step.stage == report.stage
        figures = (step.stage, int(step.sim_time_ns), int(step.orders), float(step.fraction))
        report = Report(task.ledger.name, task.replication, *figures, now - began)
        if not quiet:
            last = now
            send(report)

    result = simulate(task.ledger.scenario, task.replication, task.ledger.seed, progress)
    wall_s = time.monotonic() - began
    task.ledger.write_replication(task.replication, result, wall_s)
    send(replace(report, stage="done", fraction=1.0, wall_s=wall_s))


def resolve(path: str) -> Callable[..., Any]:
    """The function that "package.module:name" stands for."""
    module, _, name = path.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function
