"""What a backtest shows: scores, coverage, rank histograms and skill by measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin.process.forecasting.columns import Floats
from twin.process.forecasting.delivery import DELIVERED, TWIN, Origin, delivered
from twin.process.forecasting.measures import MEASURES
from twin.process.forecasting.naive import NAIVE
from twin.process.forecasting.scores import (
    BANDS,
    BINS,
    Skill,
    covered,
    crps,
    inside,
    mean_interval,
    quantiles,
    ranks,
    skill,
    usable,
)
from twin.randomness import Streams

__all__ = ["DELIVERED", "FORECASTS", "OWN", "TWIN", "Coverage", "Origin", "Score", "evaluate"]
OWN = (TWIN, DELIVERED)
"""As simulated, and as given out."""
FORECASTS = (*OWN, *NAIVE)
"""Names of all forecasts that are compared."""
_HALF = np.array([0.5])


@dataclass(frozen=True)
class Coverage:
    """Share of the truths within a band, with a 95 % interval over origins.

    Attributes:
        band: nominal.
        value: by ranks, ties broken at random: comparable with the nominal share also for counts.
        low: lower end of the interval.
        high: upper end.
        inside: share within the band, its ends included, as a reader of the picture counts.
    """

    band: float
    value: float
    low: float
    high: float
    inside: float


@dataclass(frozen=True)
class Score:
    """How one measure was forecast.

    Attributes:
        measure: its name.
        n: intervals scored.
        crps: mean, of each forecast.
        mae: mean absolute error of the medians, of each forecast.
        skill: of the twin as given out against each naive forecast.
        raw_skill: of the twin as simulated.
        coverage: of the bands of the twin as simulated and as given out.
        histogram: of the ranks of the same, shares of ten bins.
    """

    measure: str
    n: int
    crps: dict[str, float]
    mae: dict[str, float]
    skill: dict[str, Skill]
    raw_skill: dict[str, Skill]
    coverage: dict[str, list[Coverage]]
    histogram: dict[str, list[float]] = field(default_factory=dict)

    @property
    def best_naive(self) -> str:
        """The naive forecast with the lowest CRPS."""
        return min(NAIVE, key=lambda name: self.crps[name] if np.isfinite(self.crps[name]) else np.inf)

    @property
    def verdict(self) -> str:
        """Of the twin as given out against the best naive forecast."""
        return self.skill[self.best_naive].verdict


def evaluate(origins: Sequence[Origin], seed: int = 1) -> list[Score]:
    """Scores of each measure that had a truth, over origins in order of time.

    An interval counts if every forecast that there is has a value for it, so that all are scored on the same ones.
    """
    done = [origin for origin in delivered(origins, seed) if origin.scored]
    return [score for m in range(len(MEASURES)) if (score := _score(done, m, Streams(seed))) is not None]


def _score(origins: Sequence[Origin], m: int, streams: Streams) -> Score | None:
    # A log too young for a naive forecast leaves that one out, not the intervals.
    naive = [f for f in NAIVE if any(usable(o.members[f][:, :, m], o.truth[:, m]).any() for o in origins)]
    there = (*OWN, *naive)
    points: list[dict[str, Any]] = [_points(o, m, there, streams, 100_000 * i) for i, o in enumerate(origins)]
    counts = np.array([p["n"] for p in points], np.float64)
    if not counts.sum():
        return None
    sums = {f: np.array([p["crps"].get(f, np.nan) for p in points]) for f in FORECASTS}
    errors = {f: np.array([p["mae"].get(f, np.nan) for p in points]) for f in FORECASTS}
    total = counts.sum()
    return Score(
        measure=MEASURES[m],
        n=int(total),
        crps={f: float(v.sum() / total) for f, v in sums.items()},
        mae={f: float(v.sum() / total) for f, v in errors.items()},
        skill={name: skill(sums[DELIVERED], sums[name], streams) for name in NAIVE},
        raw_skill={name: skill(sums[TWIN], sums[name], streams) for name in NAIVE},
        coverage={f: [_coverage(points, counts, f, band, streams) for band in BANDS] for f in OWN},
        histogram={f: _histogram(points, f) for f in OWN},
    )


def _points(origin: Origin, m: int, there: Sequence[str], streams: Streams, first: int) -> dict[str, Any]:
    """Sums over the intervals of one origin, and its ranks."""
    truth = origin.truth[:, m]
    members = {f: origin.members[f][:, :, m] for f in there}
    ok = np.logical_and.reduce([usable(x, truth) for x in members.values()])
    y = truth[ok]
    out: dict[str, Any] = {"n": int(ok.sum()), "crps": {}, "mae": {}, "pit": {}, "inside": {}}
    for name, x in members.items():
        x = x[:, ok]
        out["crps"][name] = float(crps(x, y).sum()) if len(y) else 0.0
        out["mae"][name] = float(np.nansum(np.abs(quantiles(x, _HALF)[0] - y))) if len(y) else 0.0
        if name in OWN:
            out["pit"][name] = ranks(x, y, streams, first)
            out["inside"][name] = {band: inside(x, y, band) for band in BANDS}
    return out


def _coverage(points: list[dict[str, Any]], counts: Floats, name: str, band: float, streams: Streams) -> Coverage:
    hits = np.array([np.nanmean(covered(p["pit"][name], band)) if p["n"] else np.nan for p in points])
    closed = np.concatenate([p["inside"][name][band] for p in points])
    return Coverage(band, *mean_interval(hits, counts, streams), float(np.nanmean(closed)))


def _histogram(points: list[dict[str, Any]], name: str) -> list[float]:
    pit = np.concatenate([p["pit"][name] for p in points])
    pit = pit[~np.isnan(pit)]
    return [float(x) for x in np.histogram(pit, BINS, (0.0, 1.0))[0] / max(len(pit), 1)]
