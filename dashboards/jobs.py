"""Runs in the background of the dashboard: a process each, whose state lies in a small file that any page can read.

A job survives a refresh of the page, and a restart of the dashboard: the page finds it again by its name. The process
holds a lock on its folder, so that a job whose process died is never shown as running.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from twin.errors import RunError, TwinError

if TYPE_CHECKING:
    from scenarios.experiments.runner import Report

_EVERY = 0.5
"""Seconds between two writings of the state."""
_GRACE = 20.0
"""Seconds that a new process may take until it holds its lock."""
_NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_SPEC, _STATE, _LOG, _LOCK = "job.json", "state.json", "log.txt", "lock"
WORK: tuple[str, ...] = ("-m", "dashboards.jobs")
"""What Python runs in a job's process, before the job's folder."""
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Spec:
    """What a job runs.

    Args:
        scenario: name or file.
        against: name or file of the baseline, or None.
        settings: `key=value` for the scenario.
        settings_both: `key=value` for both.
        replications: how many.
        seed: of all random numbers; None takes the scenario's.
    """

    scenario: str
    against: str | None = None
    settings: tuple[str, ...] = ()
    settings_both: tuple[str, ...] = ()
    replications: int = 3
    seed: int | None = None

    def command(self) -> str:
        """The command line that does the same."""
        import shlex

        parts = ["python", "run_scenario.py", self.scenario]
        if self.against:
            parts += ["--against", self.against]
        for option, texts in (("--set-both", self.settings_both), ("--set", self.settings)):
            for text in texts:
                parts += [option, text]
        parts += ["--replications", str(self.replications)]
        return shlex.join(parts if self.seed is None else [*parts, "--seed", str(self.seed)])


@dataclass(frozen=True)
class State:
    """How far a job is; `phase` is starting, running, done, failed or cancelled."""

    phase: str = "starting"
    pid: int = 0
    began: float = 0.0
    ended: float = 0.0
    fraction: float = 0.0
    stage: str = ""
    sim_time_ns: int = 0
    orders: int = 0
    orders_per_s: float = 0.0
    finished: int = 0
    total: int = 0
    runs: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in ("done", "failed", "cancelled")

    @property
    def remaining_s(self) -> float | None:
        """Seconds that are still needed at the pace so far; None while that is a guess."""
        if self.is_over or self.fraction < 0.02:
            return None
        return (time.time() - self.began) * (1 - self.fraction) / self.fraction


@dataclass(frozen=True)
class Job:
    """A job's place on disk.

    Args:
        out: folder of all runs.
        name: of the job, as in the page's address.
    """

    out: Path
    name: str

    @property
    def folder(self) -> Path:
        """The job's folder; its leading dot keeps it out of the runs."""
        return self.out / ".jobs" / self.name

    def spec(self) -> Spec:
        """What the job runs."""
        data = _read(self.folder / _SPEC)
        lists = {key: tuple(data[key]) for key in ("settings", "settings_both")}
        return Spec(**{**data, **lists})

    def state(self) -> State:
        """How far the job is; a job whose process is gone has failed."""
        state = _state(self.folder)
        if state.is_over or self._is_alive() or (state.phase == "starting" and time.time() - state.began < _GRACE):
            return state
        state = _state(self.folder)  # it may have ended between the two looks
        return state if state.is_over else replace(state, phase="failed", error=self._last_word())

    def cancel(self) -> None:
        """Ask the process to stop; finished replications are kept."""
        state = _state(self.folder)
        if state.pid and self._is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGTERM)

    def _is_alive(self) -> bool:
        try:
            with (self.folder / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def _last_word(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if lines:
                return lines[-1]
        return "the process ended without a word"


def find(out: Path, name: str) -> Job | None:
    """The job of a name, if it is there; a name from an address is not trusted."""
    job = Job(out, name)
    return job if _NAME.fullmatch(name) and (job.folder / _SPEC).is_file() else None


def start(out: Path, spec: Spec) -> Job:
    """Start a job in a process of its own.

    Raises:
        RunError: the folder cannot be written.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    job = Job(out, f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}")
    try:
        job.folder.mkdir(parents=True)
        _write(job.folder / _SPEC, asdict(spec))
        _write(job.folder / _STATE, asdict(State(began=time.time())))
        with (job.folder / _LOG).open("wb") as log:
            command = [sys.executable, *WORK, str(job.folder.resolve())]
            root = Path(__file__).resolve().parents[1]
            environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
            )
    except OSError as error:
        raise RunError(f"the run cannot be started ({error.strerror})", where=str(out)) from error
    _children.append(child)
    return job


class _Progress:
    """Gathers the reports of all replications into the state on disk, which a thread writes while there is news.

    Args:
        folder: of the job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.state = replace(_state(folder), pid=os.getpid())
        self._fractions: dict[tuple[str, int], float] = {}
        self._orders: dict[tuple[str, int], int] = {}
        self._found = 0
        self._over = threading.Event()
        self._writer = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> _Progress:
        _write(self._folder / _STATE, asdict(self.state))
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._writer.join()
        _write(self._folder / _STATE, asdict(self.state))

    def _write(self) -> None:
        written = self.state
        while not self._over.wait(_EVERY):
            if self.state is not written:
                written = self.state
                _write(self._folder / _STATE, asdict(written))

    def plan(self, planned: list[tuple[str, int, int]]) -> None:
        """What will be run: (run, replications, of which there already)."""
        self._found = sum(found for _, _, found in planned)
        total = sum(wanted for _, wanted, _ in planned)
        self.state = replace(self.state, phase="running", total=total, finished=self._found)

    def report(self, report: Report) -> None:
        """How far one replication is."""
        key = report.run, report.replication
        self._fractions[key] = report.fraction
        self._orders[key] = max(report.orders, self._orders.get(key, 0))
        orders, to_do = sum(self._orders.values()), max(1, self.state.total - self._found)
        self.state = replace(
            self.state,
            fraction=min(1.0, sum(self._fractions.values()) / to_do),
            stage=report.stage,
            sim_time_ns=report.sim_time_ns or self.state.sim_time_ns,
            orders=orders,
            orders_per_s=orders / max(1e-3, time.time() - self.state.began),
            finished=self._found + sum(fraction >= 1 for fraction in self._fractions.values()),
        )

    def end(self, phase: str, *, error: str = "", runs: tuple[str, ...] = ()) -> None:
        """How it ended."""
        self.state = replace(self.state, phase=phase, error=error, runs=runs, ended=time.time())
        if phase == "done":
            # The last reports of the workers may still be on their way when the runs are whole.
            self.state = replace(self.state, fraction=1.0, finished=self.state.total)


def work(folder: Path) -> None:
    """Run a job to its end, in its own process."""
    job = Job(folder.parents[1], folder.name)
    with (folder / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _Progress(folder) as progress:
            try:
                with _stoppable():
                    runs = _run(job, progress)
            except KeyboardInterrupt:
                progress.end("cancelled")
            except TwinError as error:
                progress.end("failed", error=" ".join(str(error).split()))
            except MemoryError as error:
                progress.end("failed", error=f"Not enough memory ({error}). Choose fewer clients.")
            else:
                progress.end("done", runs=runs)


def _run(job: Job, progress: _Progress) -> tuple[str, ...]:
    from scenarios.experiments.runner import Request, run_all
    from scenarios.loader import load

    spec = job.spec()
    scenarios = [load(spec.scenario, [*spec.settings_both, *spec.settings])]
    if spec.against:
        scenarios.append(load(spec.against, spec.settings_both))
    seed = scenarios[0].seed if spec.seed is None else spec.seed
    requests = [Request(scenario, seed, spec.replications) for scenario in scenarios]
    outcomes = run_all(requests, job.out, on_plan=progress.plan, on_report=progress.report)
    return tuple(outcome.run.folder.name for outcome in outcomes)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Make the signal to end raise KeyboardInterrupt, so that workers are ended and locks let go."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _state(folder: Path) -> State:
    data = _read(folder / _STATE)
    return State(**{**data, "runs": tuple(data.get("runs", ()))})


def _read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"the job cannot be read ({error})", where=str(path)) from error
    return data


def _write(path: Path, data: dict[str, Any]) -> None:
    """Write a file in one step, so that a reader never sees half of it."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
