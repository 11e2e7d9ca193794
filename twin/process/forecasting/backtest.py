"""Forecasts from many instants of the past, kept in a folder and compared with what came."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from twin.errors import RunError, ScenarioError
from twin.process.discovery import DiscoveredProcess, load_process
from twin.process.eventlog.log import EventLog
from twin.process.forecasting.choice import Trial, discover_as, discover_at, model_at
from twin.process.forecasting.civil import civil
from twin.process.forecasting.columns import Floats, columns_of, known_at, without_hindsight
from twin.process.forecasting.ensemble import Question, run
from twin.process.forecasting.evaluate import TWIN, Origin
from twin.process.forecasting.forecast import Plan, past_series
from twin.process.forecasting.measures import World, series
from twin.process.forecasting.naive import naive_forecasts
from twin.process.forecasting.spans import text_of
from twin.process.forecasting.state import State, state_at
from twin.process.forecasting.week import DAY
from twin.process.forecasting.worlds import end_of, people_at, world_of_log

_VERSION = 3
_MOST_ORIGINS = 5_000
Heard = Callable[[int, int, int, bool], None]
"""Hears of each origin: how many are done, of how many, its instant, and whether it was there before."""


@dataclass(frozen=True)
class Backtest:
    """What to repeat.

    Attributes:
        plan: of each forecast.
        first: ns of the first origin.
        last: none is later.
        every: ns from one to the next.
        rediscover: the process is discovered anew at every so manieth origin.
        before: forecasts before the first that are learned from and do not count, as far as the log goes back.
    """

    plan: Plan
    first: int
    last: int
    every: int
    rediscover: int = 1
    before: int = 0

    def earlier(self, begin: int) -> list[int]:
        """Instants before the first to learn from, in the latter half of what the log of which begins at `begin`."""
        first = begin + (self.first - begin) // 2
        back = (self.first - k * self.every for k in range(self.before, 0, -1))
        return [instant for instant in back if instant >= first]

    def origins(self) -> list[int]:
        """Instants to forecast from.

        Raises:
            ScenarioError: there are none, or too many.
        """
        n = (self.last - self.first) // self.every + 1 if self.last >= self.first else 0
        if n < 1:
            raise ScenarioError("no instant lies between --from and --to", hint="Give a later --to.")
        if n > _MOST_ORIGINS:
            raise ScenarioError(f"{n} forecasts are too many", "--every", "Give a longer span.")
        return [self.first + k * self.every for k in range(n)]


def default_span(log: EventLog, plan: Plan) -> tuple[int, int]:
    """From when to when a log can be backtested: the latter 40 % of it, less the horizon, at whole days of the zone."""
    clock = civil(plan.zone)
    first, end = (int(clock.of(t)) for t in (columns_of(log).start.min(), end_of(log)))
    start = -(-(first + (end - first) * 6 // 10) // DAY) * DAY
    return int(clock.back(start)), int(clock.back(max(end - plan.horizon, start)))


def run_backtest(
    log: EventLog,
    test: Backtest,
    folder: Path,
    process: DiscoveredProcess | None = None,
    pool: ProcessPoolExecutor | None = None,
    heard: Heard | None = None,
    *,
    fresh: bool = False,
) -> list[Origin]:
    """Every forecast of a backtest, in order of time; those that the folder has are not made again.

    Args:
        log: the whole log; each forecast sees what was known at its origin.
        test: what to repeat.
        folder: where finished origins are kept.
        process: how cases go on; None discovers it from what was known.
        pool: worker processes.
        heard: hears of progress.
        fresh: do not use what is there.

    Raises:
        RunError: the folder holds another backtest.
    """
    clock = civil(test.plan.zone)
    clean = without_hindsight(clock.log(log))
    # From one to the next by clocks on the wall: a day is a day where they are changed.
    test = replace(test, first=int(clock.of(test.first)), last=int(clock.of(test.last)))
    origins = test.origins()
    if origins[-1] + test.plan.step > end_of(clean):
        raise ScenarioError(
            "the last forecast lies after the end of the log", "--to", f"It ends {clock.text(end_of(clean))}."
        )
    store = _Store(folder, _identity(clean, test, process), fresh=fresh)
    world = world_of_log(clean)
    out = []
    earlier = test.earlier(int(columns_of(clean).start.min()))
    for i, instant in enumerate([*earlier, *origins], -len(earlier)):
        found = store.read(instant)
        if found is None:
            # Those that only teach are made by the first process, as `forecast` does it.
            turn = origins[max(i - i % test.rediscover, 0)]
            found = _one(clean, instant, turn, test.plan, world, process, pool, store)
            store.write(found)
            was_there = False
        else:
            was_there = True
        at, known_from = (int(clock.back(t)) for t in (instant, found.known_from))
        out.append(replace(found, instant=at, known_from=known_from, scored=i >= 0))
        if heard:
            heard(len(out), len(earlier) + len(origins), out[-1].instant, was_there)
    return out


def _one(
    log: EventLog,
    instant: int,
    turn: int,
    plan: Plan,
    world: World,
    process: DiscoveredProcess | None,
    pool: ProcessPoolExecutor | None,
    store: _Store,
) -> Origin:
    known = known_at(log, instant)
    state = state_at(known, instant, cut=False)
    chosen = process or _process_at(log, turn, plan, pool, store)
    edges = plan.edges(instant)
    people = people_at(state.columns, instant)
    model = model_at(state, chosen, int(edges[-1]), known)
    twin = run(model, Question(edges, people, plan.deadline), plan.runs, plan.seed, pool).values
    _, past = past_series(state, plan)
    members = {TWIN: twin, **naive_forecasts(past, plan.step, plan.intervals, instant)}
    truth = series(world, edges, people, plan.deadline)
    return Origin(instant, int(edges[-1]), _short(truth), {name: _short(x) for name, x in members.items()})


def _short(values: Floats) -> Floats:
    """Values as files hold them, so that ties are ties and a backtest that goes on says the same."""
    return values.astype(np.float32).astype(np.float64)


def _process_at(
    log: EventLog, instant: int, plan: Plan, pool: ProcessPoolExecutor | None, store: _Store
) -> DiscoveredProcess:
    """The process discovered at an instant; its structure is chosen once, at the first."""
    path = store.process_path(instant)
    if path.exists():
        return load_process(path)
    known = known_at(log, instant)
    state: State = state_at(known, instant, cut=False)
    structure = store.structure()
    found = discover_as(known, state, structure) if structure is not None else None
    if found is None:
        found = discover_at(known, state, Trial(plan.horizon, plan.step, plan.deadline, plan.seed), pool)
        store.keep_structure(found.structure)
    store.keep_process(found, path)
    return found


def _identity(log: EventLog, test: Backtest, process: DiscoveredProcess | None) -> dict[str, Any]:
    """What a finished origin depends on, but for its instant."""
    columns = columns_of(log)
    digest = hashlib.sha256()
    for part in (columns.case, columns.activity, columns.resource, columns.start, columns.end):
        digest.update(np.ascontiguousarray(part).tobytes())
    given = "" if process is None else hashlib.sha256(process.model_dump_json().encode()).hexdigest()
    plan = {key: value for key, value in asdict(test.plan).items() if key != "calibrate"}
    grid = {"first": test.first % test.every, "every": test.every, "rediscover": test.rediscover}
    return {"version": _VERSION, "log": digest.hexdigest(), "process": given, "plan": plan, **grid}


class _Store:
    """The folder of a backtest: a manifest, the processes, and a file for each finished origin."""

    def __init__(self, folder: Path, identity: dict[str, Any], *, fresh: bool) -> None:
        self.folder = folder
        for name in ("origins", "processes"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        manifest = folder / "manifest.json"
        if fresh:
            for path in [*(folder / "origins").glob("*.npz"), *(folder / "processes").iterdir(), manifest]:
                path.unlink(missing_ok=True)
        if manifest.exists():
            try:
                held = json.loads(manifest.read_text(encoding="utf-8"))
            except json.JSONDecodeError:
                held = None
            if held != identity:
                raise RunError(
                    "the folder holds another backtest", str(folder), "Give another --out, or --fresh to replace it."
                )
        else:
            self._replace(manifest, json.dumps(identity, indent=1).encode())

    def read(self, instant: int) -> Origin | None:
        """A finished origin; None if it is not there, or damaged."""
        path = self._path(instant)
        if not path.exists():
            return None
        try:
            with path.open("rb") as stream, np.load(stream) as held:
                members = {name[8:]: held[name].astype(np.float64) for name in held if name.startswith("members_")}
                return Origin(instant, int(held["known_from"]), held["truth"], members)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def write(self, origin: Origin) -> None:
        """Keep a finished origin: under its name only once it is whole."""
        path = self._path(origin.instant)
        part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
        members: dict[str, Any] = {
            f"members_{name}": value.astype(np.float32) for name, value in origin.members.items()
        }
        np.savez_compressed(part, truth=origin.truth, known_from=np.int64(origin.known_from), **members)
        part.replace(path)

    def process_path(self, instant: int) -> Path:
        """File of the process discovered at an instant."""
        return self.folder / "processes" / f"{_stamp(instant)}.yaml"

    def keep_process(self, process: DiscoveredProcess, path: Path) -> None:
        """Keep a discovered process."""
        part = path.with_name(f".{path.stem}.{os.getpid()}.yaml")
        process.save(part)
        part.replace(path)

    def structure(self) -> Any:
        """The structure chosen at the first discovery."""
        path = self.folder / "processes" / "structure.txt"
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def keep_structure(self, structure: str) -> None:
        """Keep the choice."""
        self._replace(self.folder / "processes" / "structure.txt", structure.encode())

    def _path(self, instant: int) -> Path:
        return self.folder / "origins" / f"{_stamp(instant)}.npz"

    def _replace(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(content)
        part.replace(path)


def _stamp(instant: int) -> str:
    return text_of(instant).replace(":", "").replace("-", "").replace(".", "_")
