"""The choice between rival structures, on an inner split of the log."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twin.errors import DataError
from twin.measures.log_distances import NAMES, LogProfile, distances
from twin.process.discovery.columns import LogColumns, columns_of
from twin.process.discovery.model import DiscoveredProcess, Rival
from twin.process.discovery.simulate import simulate_like
from twin.process.discovery.simulated import Simulated
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.split import split
from twin.randomness import Streams

_SHARES = (0.75, 0.6)
_RUNS = 4
_FLOOR = {"NGD": 0.02, "AEDD": 2.0, "CEDD": 0.1, "REDD": 0.5, "CTDD": 0.5}
"""Differences below these count little: two simulations of one process differ by as much."""
_HANDICAP = {"resampled": 1.1}
"""A structure without mechanism must be better by a tenth to be chosen."""
_FEWEST_CASES = 8


def inner_split(log: EventLog) -> tuple[EventLog, EventLog] | None:
    """A training and a held-out part of a training log; None if it is too small for that."""
    for share in _SHARES:
        try:
            train, test = split(log, share)
        except DataError:
            continue
        if train.cases >= _FEWEST_CASES and test.cases >= _FEWEST_CASES:
            return train, test
    return None


def compare(
    rivals: dict[str, DiscoveredProcess], test: EventLog, seed: int, report: Callable[[str], None] = lambda _: None
) -> list[Rival]:
    """Distances of each rival to the held-out part, best first.

    The held-out part holds cases that began after the cut and ended before the log did; so do the simulated ones.

    Args:
        rivals: by name; all fitted to the inner training part.
        test: the held-out part.
        seed: of the simulations.
        report: told what is being simulated.
    """
    columns = columns_of(test)
    profile = LogProfile.of(test)
    found: dict[str, dict[str, float]] = {}
    for name, process in rivals.items():
        report(name)
        table = []
        for run in range(_RUNS):
            done = simulate_like(
                process,
                start=int(columns.first.min()),
                cases=columns.cases,
                streams=Streams(seed, run),
                follow_up=0.0,
            )
            if len(done.case):
                table.append(list(distances(profile, profile_of(process, done)).as_dict().values()))
        if table:
            found[name] = {n: round(float(x), 4) for n, x in zip(NAMES, np.mean(table, axis=0), strict=True)}
    scores = {name: _score(name, mine, found) for name, mine in found.items()}
    order = sorted(scores, key=lambda name: scores[name])
    return [Rival(structure=name, distances=found[name], score=round(scores[name], 4)) for name in order]


def _score(name: str, mine: dict[str, float], found: dict[str, dict[str, float]]) -> float:
    """Geometric mean over the five of the ratio to the best rival."""
    logs = []
    for metric, floor in _FLOOR.items():
        best = min(other[metric] for other in found.values())
        logs.append(np.log((mine[metric] + floor) / (best + floor)))
    return float(np.exp(np.mean(logs))) * _HANDICAP.get(name, 1.0)


def profile_of(process: DiscoveredProcess, done: Simulated) -> LogProfile:
    """The profile of a simulated log, for the distances."""
    return LogProfile(done.case, done.activity, process.activities, done.start, done.end)


def held_out(log: LogColumns) -> str:
    """The size of a part, for the report."""
    return f"{log.cases} cases, {len(log.case)} activities"
