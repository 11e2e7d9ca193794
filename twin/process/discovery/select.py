"""The choice between rival structures, on inner splits of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from twin.errors import DataError
from twin.measures.log_distances import NAMES, LogProfile, distances
from twin.process.discovery.columns import LogColumns, columns_of
from twin.process.discovery.model import DiscoveredProcess, Rival
from twin.process.discovery.recent import part_of
from twin.process.discovery.simulate import simulate_like
from twin.process.discovery.simulated import Simulated
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.split import replay, split, split_by_case
from twin.randomness import Stream, Streams

_SHARES = (0.75, 0.6, 0.45)
_MANY = 10_000
"""A log of so many activities is split once: its held-out part is large enough. Shorter ones are split thrice."""
_RUNS = 8
_ENOUGH = 60_000
"""Simulated activities that are enough to compare rivals, in two runs at least: in large logs runs hardly differ."""
_HALVINGS = 10
_LEAST_NOISE = 0.01
"""Differences of a hundredth (an hour's hundredth, or an NGD's) never count, however regular a log is."""
_HANDICAP = {"resampled": 1.1}
"""A structure without mechanism must be better by a tenth to be chosen."""
_PART_HANDICAP = 1.1
"""So must what is fitted to a part of the log only: it knows less, and takes a swing of some weeks for lasting."""
_FEWEST_CASES = 8


class Split(NamedTuple):
    """Earlier and held-out later part; cut by time (what had not ended is in neither), or by case."""

    early: EventLog
    later: EventLog
    by_time: bool


def inner_splits(log: EventLog) -> list[Split]:
    """Earlier and held-out later parts of a training log, cut at different times; none if it is too small for that.

    Where most cases lie across the cut, what is left would show another process: such a log is divided by case.
    """
    found: list[Split] = []
    for share in _SHARES:
        try:
            parts = Split(*split(log, share), by_time=True)
        except DataError:
            parts = None
        if parts is None or 2 * (parts.early.cases + parts.later.cases) < log.cases:
            if log.cases < 2:
                continue
            parts = Split(*split_by_case(log, share), by_time=False)
        if min(parts.early.cases, parts.later.cases) >= _FEWEST_CASES:
            found.append(parts)
            if len(log) >= _MANY:
                break
    return found


def compare(
    rivals: dict[str, DiscoveredProcess], test: EventLog, seed: int, report: Callable[[str], None] = lambda _: None
) -> dict[str, dict[str, float]]:
    """Mean distances of each rival to a held-out part, by name; those that simulate nothing are left out.

    The held-out part holds cases that began after the cut and ended before the log did; so do the simulated ones.

    Args:
        rivals: by name; all fitted to the part before the cut.
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
        for run in range(max(2, min(_RUNS, _ENOUGH // len(columns.case)))):
            done = simulate_like(
                process,
                start=int(columns.first.min()),
                cases=columns.cases,
                streams=Streams(seed, run),
                cut_off=False,
                follow_up=0.0,
            )
            if len(done.case):
                table.append(list(distances(profile, profile_of(process, done)).as_dict().values()))
        if table:
            found[name] = {n: float(x) for n, x in zip(NAMES, np.mean(table, axis=0), strict=True)}
    return found


def noise(test: EventLog) -> dict[str, float]:
    """How far apart two logs like a held-out part would be by chance alone.

    The mean distance between its random halves, over the root of two, as they are half as large.

    Args:
        test: the held-out part.
    """
    columns = columns_of(test)
    table = []
    for number in range(_HALVINGS):
        luck = Streams(1, number).uniform(Stream.BOOTSTRAP, np.arange(columns.cases))
        half = np.argsort(np.argsort(luck)) < columns.cases // 2
        one, other = (_profile(columns.take(part)) for part in (half, ~half))
        table.append(list(distances(one, other).as_dict().values()))
    return {n: max(float(x) / np.sqrt(2.0), _LEAST_NOISE) for n, x in zip(NAMES, np.mean(table, axis=0), strict=True)}


def _profile(log: LogColumns) -> LogProfile:
    return LogProfile(log.case, log.activity, log.activities, log.start, log.end)


def rank(tables: list[dict[str, dict[str, float]]], noises: list[dict[str, float]]) -> list[Rival]:
    """The rivals that were compared on every split, best first.

    Args:
        tables: of each split, what `compare` found.
        noises: of each split, what chance makes of each distance.
    """
    names = [name for name in tables[0] if all(name in table for table in tables)] if tables else []
    ranking = []
    for name in names:
        ratios = [
            _score(name, {n: table[n] for n in names}, chance) for table, chance in zip(tables, noises, strict=True)
        ]
        means = {metric: round(float(np.mean([table[name][metric] for table in tables])), 4) for metric in NAMES}
        ranking.append(Rival(structure=name, distances=means, score=round(float(np.exp(np.mean(ratios))), 4)))
    return sorted(ranking, key=lambda rival: rival.score)


def naive(splits: Sequence[Split]) -> dict[str, float]:
    """Mean distances of naive replay from the held-out parts: what needs no model."""
    table = [
        list(distances(LogProfile.of(later), replay(early, later)).as_dict().values()) for early, later, _ in splits
    ]
    return {name: round(float(x), 4) for name, x in zip(NAMES, np.mean(table, axis=0), strict=True)} if table else {}


def _score(name: str, found: dict[str, dict[str, float]], chance: dict[str, float]) -> float:
    """Logarithm of the geometric mean over the five of the ratio to the best rival, chance added to both."""
    logs = []
    for metric, floor in chance.items():
        best = min(other[metric] for other in found.values())
        logs.append(np.log((found[name][metric] + floor) / (best + floor)))
    structure, part = part_of(name)
    handicap = _HANDICAP.get(structure, 1.0) * (_PART_HANDICAP if part else 1.0)
    return float(np.mean(logs) + np.log(handicap))


def profile_of(process: DiscoveredProcess, done: Simulated) -> LogProfile:
    """The profile of a simulated log, for the distances."""
    return LogProfile(done.case, done.activity, process.activities, done.start, done.end)


def held_out(log: LogColumns) -> str:
    """The size of a part, for the report."""
    return f"{log.cases} cases, {len(log.case)} activities"
