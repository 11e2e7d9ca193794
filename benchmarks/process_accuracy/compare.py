"""Discover on the training part, simulate the test part, measure; the same for replay and for real halves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.process_accuracy.tasks import Figure, Task, published
from twin.measures.log_distances import NAMES, Distances, LogProfile, distances
from twin.process.discovery import DiscoveredProcess, columns_of
from twin.process.eventlog.log import CASE, START, EventLog
from twin.process.eventlog.split import replay
from twin.randomness import Stream, Streams

_HALVINGS = 10
_STRETCHES = 10
_SHIFT = 0.25
"""Stretches of the training part are apart by this share of their length at least."""


@dataclass
class Scores:
    """The distances of one log, or of one division of it.

    Attributes:
        task: the log and its division.
        sizes: cases and activities of the training and of the test part.
        runs: distances of each simulated log from the test part.
        replay: of naive replay from the test part.
    """

    task: Task
    sizes: tuple[int, int, int, int]
    runs: list[Distances]
    replay: Distances

    def mean(self, metric: str) -> float:
        """Over the simulated logs."""
        return float(np.mean([run.as_dict()[metric] for run in self.runs]))

    def sd(self, metric: str) -> float:
        """Over the simulated logs (population standard deviation, as in the published tables)."""
        return float(np.std([run.as_dict()[metric] for run in self.runs]))


@dataclass
class Result(Scores):
    """What came of one log.

    Attributes:
        typical: as many distances as `runs`, each of the most typical of `TYPICAL_OF` simulated logs.
        halves: means over random halvings of the test part: what chance alone makes of two logs half as large.
        apart: of simulated logs from one another: what chance makes of logs of this size, if the process is right.
        as_far: how many simulated logs lie at least as far from the other ones as the test part lies from them all.
        stretches: of replays of several stretches of the training part from the test part; the last is `replay`.
        figures: what others have published.
        structure: what discovery chose.
        discover_s: CPU seconds of discovery.
        simulate_s: CPU seconds of one simulated log.
        follow_up: share of the test part's time that follows its last arrival.
        protocol: how the parts came about.
    """

    typical: list[Distances]
    halves: dict[str, float]
    apart: dict[str, float]
    as_far: dict[str, int]
    stretches: list[Distances]
    figures: list[Figure] = field(default_factory=list)
    structure: str = ""
    discover_s: float = 0.0
    simulate_s: float = 0.0
    follow_up: float = 0.0
    protocol: str = ""

    def mean(self, metric: str, typical: bool = False) -> float:
        """Over the simulated logs, or over the typical ones."""
        return float(np.mean([run.as_dict()[metric] for run in (self.typical if typical else self.runs)]))

    def sd(self, metric: str, typical: bool = False) -> float:
        """Likewise, the population standard deviation."""
        return float(np.std([run.as_dict()[metric] for run in (self.typical if typical else self.runs)]))

    def nearer_replays(self, metric: str, typical: bool = False) -> int:
        """How many stretches of the training part are nearer to the test part than the twin is."""
        mean = self.mean(metric, typical)
        return sum(replayed.as_dict()[metric] < mean for replayed in self.stretches)

    def mean_replay(self, metric: str) -> float:
        """Over the stretches of the training part."""
        return float(np.mean([replayed.as_dict()[metric] for replayed in self.stretches]))

    def best(self, metric: str) -> Figure | None:
        """The least of all published means, whichever variant of whichever simulator it is."""
        mine = [figure for figure in self.figures if figure.metric == metric]
        return min(mine, key=lambda figure: figure.mean, default=None)


@dataclass(frozen=True)
class Forecast:
    """What a process discovered on a training part makes of the test part.

    Attributes:
        process: discovered.
        profiles: of the simulated logs.
        runs: their distances from the test part.
        replay: of naive replay from the test part.
        discover_s: CPU seconds of discovery.
        simulate_s: CPU seconds of one simulated log.
    """

    process: DiscoveredProcess
    profiles: list[LogProfile]
    runs: list[Distances]
    replay: Distances
    discover_s: float
    simulate_s: float


def sizes_of(train: EventLog, test: EventLog) -> tuple[int, int, int, int]:
    """Cases and activities of the training and of the test part."""
    return train.cases, len(train), test.cases, len(test)


def forecast(train: EventLog, test: EventLog, name: str, runs: int, seed: int) -> Forecast:
    """Discover on the training part, simulate the test part, measure.

    As the published comparisons do, a simulator is told when the first case of the test part begins and how many cases
    there are, and nothing else of the test part.

    Args:
        train: training part.
        test: test part.
        name: of the process.
        runs: simulated logs, at least one.
        seed: of discovery and simulation.

    Raises:
        DataError: no process can be discovered from the training part.
    """
    from twin.process.discovery import Options, as_log, discover, simulate_like

    profile = LogProfile.of(test)
    began = time.process_time()
    process = discover(train, options=Options(name=name, seed=seed))
    learnt = time.process_time()
    start = _first_instant(test)
    logs = (simulate_like(process, start=start, cases=test.cases, streams=Streams(seed, r)) for r in range(runs))
    profiles = [LogProfile.of(as_log(process, log)) for log in logs]
    found = [distances(profile, simulated) for simulated in profiles]
    done = time.process_time()
    again = distances(profile, replay(train, test))
    return Forecast(process, profiles, found, again, learnt - began, (done - learnt) / runs)


def measure(task: Task, runs: int, seed: int, figures: Path) -> Result:
    """Everything of one log."""
    from twin.process.discovery import as_log, simulate_typical

    train, test, protocol = task.parts()
    made = forecast(train, test, task.name, runs, seed)
    apart, as_far = among_simulated(made.profiles, made.runs)
    profile, start = LogProfile.of(test), _first_instant(test)
    logs = (simulate_typical(made.process, start=start, cases=test.cases, seed=seed, run=r) for r in range(runs))
    return Result(
        task=task,
        sizes=sizes_of(train, test),
        runs=made.runs,
        replay=made.replay,
        typical=[distances(profile, LogProfile.of(as_log(made.process, log))) for log in logs],
        halves=_between_halves(test),
        apart=apart,
        as_far=as_far,
        stretches=[
            *(distances(profile, replay(part, test)) for part in earlier_stretches(train, test.cases)),
            made.replay,
        ],
        figures=published(figures, task.published) if protocol == task.protocol else [],
        structure=str(made.process.structure),
        discover_s=made.discover_s,
        simulate_s=made.simulate_s,
        follow_up=_follow_up(test),
        protocol=protocol,
    )


def among_simulated(
    profiles: Sequence[LogProfile], found: Sequence[Distances]
) -> tuple[dict[str, float], dict[str, int]]:
    """Mean distances between simulated logs, and how many of these lie as far from the others as the test part.

    Of n logs and a test part that come from one process, each is alike likely to be the farthest from the others, the
    test part among these: the number is 0 with a chance of 1 / (n + 1).
    """
    n = len(profiles)
    sums = np.array([[values.as_dict()[name] for values in found] for name in NAMES])
    tests, pairs = sums.sum(axis=1), []
    for one, other in combinations(range(n), 2):
        pairs.append(distances(profiles[one], profiles[other]))
        values = np.array([pairs[-1].as_dict()[name] for name in NAMES])
        sums[:, one] += values
        sums[:, other] += values
    return _means(pairs), dict(zip(NAMES, (sums >= tests[:, None]).sum(axis=1).tolist(), strict=True))


def earlier_stretches(train: EventLog, count: int) -> list[EventLog]:
    """Up to nine stretches of the training part of `count` cases each, evenly spread, all before its last ones.

    None if the training part is not longer than one by a quarter: what is replayed is then much the same.
    """
    case = np.asarray(train.table[CASE].combine_chunks().dictionary_encode().indices.to_numpy())
    spare = int(case.max()) + 1 - count
    n = min(_STRETCHES - 1, int(spare / max(1.0, _SHIFT * count)))
    begins = [round(spare * k / n) for k in range(n)] if n > 0 else []
    return [EventLog(train.table.filter(pa.array((case >= b) & (case < b + count)))) for b in begins]


def _first_instant(log: EventLog) -> int:
    """First start, ns since 1970."""
    return int(pa.compute.min(log.table[START]).cast(pa.int64()).as_py()) * 1000


def _follow_up(log: EventLog) -> float:
    columns = columns_of(log)
    last = int(columns.last.max())
    return (last - int(columns.first.max())) / max(1, last - int(columns.first.min()))


def _means(found: Sequence[Distances]) -> dict[str, float]:
    table = [values.as_dict() for values in found]
    return {name: float(np.mean([values[name] for values in table])) if table else float("nan") for name in NAMES}


def _between_halves(log: EventLog) -> dict[str, float]:
    """Mean distances between the halves of random halvings of the cases."""
    case = np.asarray(log.table[CASE].combine_chunks().dictionary_encode().indices.to_numpy())
    cases = int(case.max()) + 1
    found = []
    for number in range(_HALVINGS):
        luck = Streams(1, number).uniform(Stream.BOOTSTRAP, np.arange(cases))
        first = np.argsort(np.argsort(luck)) < cases // 2
        if not 0 < first.sum() < cases:
            return dict.fromkeys(NAMES, float("nan"))
        parts = [EventLog(log.table.filter(pa.array(held[case]))) for held in (first, ~first)]
        found.append(distances(*parts))
    return _means(found)
