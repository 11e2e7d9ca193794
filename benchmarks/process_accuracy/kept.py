"""Many logs one after the other; results are kept in files, so that a run that was broken off goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from benchmarks.process_accuracy.compare import Result, measure
from benchmarks.process_accuracy.tasks import Task, published
from twin.errors import DataError
from twin.measures.log_distances import NAMES, Distances

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")
_TWIN = Path(__file__).resolve().parents[2] / "twin"
_HERE = Path(__file__).resolve().parent
_CODE = ("process/discovery/*.py", "process/eventlog/*.py", "measures/log_distances.py", "kernels/workforce*.py")
"""What results depend on, beside the log."""


@dataclass(frozen=True)
class LeftOut:
    """A log that cannot be divided or read, and why."""

    task: Task
    reason: str


def measure_all(
    tasks: Sequence[Task], runs: int, seed: int, figures: Path, workers: int, keep: Path | None = None
) -> Iterator[Result | LeftOut]:
    """One result after the other, as they are done, or why there is none.

    Args:
        tasks: the logs.
        runs: simulated logs for each.
        seed: of discovery and simulation.
        figures: file of the published figures.
        workers: processes.
        keep: folder in which results are kept, and from which they are taken if log, code, runs and seed are the same.
    """
    places = {task: _place(keep, task, runs, seed) for task in tasks} if keep is not None else {}
    left = [task for task in tasks if task not in places or not places[task].is_file()]
    for task in tasks:
        if task not in left:
            yield _load(places[task], task, figures)
    for result in each(partial(_try, runs=runs, seed=seed, figures=figures), left, workers):
        yield _store(places, result)


def each(work: Callable[[_Item], _Made], items: Sequence[_Item], workers: int) -> Iterator[_Made]:
    """What comes of each item, as it is done: in this process, or in several that are started for it.

    Args:
        work: a function of a module (or a `partial` of one), as it is sent to the processes.
        items: likewise.
        workers: processes, at least one.
    """
    if workers == 1 or len(items) <= 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(work, item) for item in items]):
            yield done.result()


def _try(task: Task, runs: int, seed: int, figures: Path) -> Result | LeftOut:
    try:
        return measure(task, runs, seed, figures)
    except DataError as error:
        return LeftOut(task, str(error))


def _place(folder: Path, task: Task, runs: int, seed: int) -> Path:
    """The file of a result; its name holds a digest of all that the result depends on."""
    digest = hashlib.sha256(f"{task.protocol} {runs} {seed}".encode())
    code = sorted(path for part in _CODE for path in _TWIN.glob(part))
    for file in (*code, _HERE / "compare.py", _HERE / "tasks.py", task.train, *([task.test] if task.test else [])):
        digest.update(file.read_bytes())
    return folder / f"{re.sub('[^0-9A-Za-z_-]+', '_', task.name)}-{digest.hexdigest()[:16]}.json"


def _store(places: dict[Task, Path], result: Result | LeftOut) -> Result | LeftOut:
    place = places.get(result.task)
    if place is not None and isinstance(result, Result):
        place.parent.mkdir(parents=True, exist_ok=True)
        what = {
            "sizes": result.sizes,
            "runs": [run.as_dict() for run in result.runs],
            "typical": [run.as_dict() for run in result.typical],
            "replay": result.replay.as_dict(),
            "halves": result.halves,
            "apart": result.apart,
            "as_far": result.as_far,
            "stretches": [one.as_dict() for one in result.stretches],
            "structure": result.structure,
            "discover_s": result.discover_s,
            "simulate_s": result.simulate_s,
            "follow_up": result.follow_up,
            "protocol": result.protocol,
        }
        whole = place.with_suffix(".part")
        whole.write_text(json.dumps(what, indent=1), encoding="utf-8")
        whole.replace(place)
    return result


def _load(place: Path, task: Task, figures: Path) -> Result:
    what = json.loads(place.read_text(encoding="utf-8"))
    cases, rows, test_cases, test_rows = what["sizes"]
    return Result(
        task=task,
        sizes=(cases, rows, test_cases, test_rows),
        runs=[_distances(run) for run in what["runs"]],
        typical=[_distances(run) for run in what["typical"]],
        replay=_distances(what["replay"]),
        halves=what["halves"],
        apart=what["apart"],
        as_far=what["as_far"],
        stretches=[_distances(one) for one in what["stretches"]],
        figures=published(figures, task.published) if what["protocol"] == task.protocol else [],
        structure=what["structure"],
        discover_s=what["discover_s"],
        simulate_s=what["simulate_s"],
        follow_up=what["follow_up"],
        protocol=what["protocol"],
    )


def _distances(of: dict[str, float]) -> Distances:
    return Distances(**{name.lower(): of[name] for name in NAMES})
