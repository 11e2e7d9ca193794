"""Re-scaling of an ensemble, learned on forecasts whose truth is known: a shift and a spread for each measure.

A simulated ensemble knows the luck that the model has, not how wrong the model is. Each measure's members x become
m + a s + c (x - m), m their median and s their spread; a and c minimise the CRPS over past origins, drawn to 0 and 1
where there are few. This is a correction of the forecast by its record, not an explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.process.forecasting.columns import Floats
from twin.process.forecasting.measures import COUNTS, MEASURES
from twin.process.forecasting.scores import crps_sorted, usable

_SHIFTS = np.linspace(-1.5, 1.5, 13)
_FACTORS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0])
_PRIOR = 2.0
"""Weight of no re-scaling at all, in origins."""
_MEMBERS = 40
_PAIRS = 600
"""Forecasts of one interval that are enough to learn from."""
_FEWEST = 3
"""Origins without which nothing is learned."""
LATEST = 20
"""Origins to learn from: the latest."""


@dataclass(frozen=True)
class Rescaling:
    """Shift (in spreads) and factor of each measure; `origins` is how many forecasts they were learned on."""

    shift: Floats
    factor: Floats
    origins: int

    @classmethod
    def none(cls) -> Rescaling:
        """Leaves everything as it is."""
        return cls(np.zeros(len(MEASURES)), np.ones(len(MEASURES)), 0)

    def apply(self, members: Floats) -> Floats:
        """The re-scaled ensemble (member, interval, measure); counts stay whole and nothing falls below zero."""
        if self.origins == 0:
            return members
        out = members.copy()
        for m, name in enumerate(MEASURES):
            if self.shift[m] == 0.0 and self.factor[m] == 1.0:
                continue
            x = members[:, :, m]
            if np.isnan(x).all():
                continue
            middle, spread = _middle(x)
            moved = np.maximum(middle + self.shift[m] * spread + self.factor[m] * (x - middle), 0.0)
            out[:, :, m] = np.rint(moved) if name in COUNTS else moved
        return out


def learn(ensembles: Sequence[Floats], truths: Sequence[Floats]) -> Rescaling:
    """The re-scaling that would have served past forecasts best.

    Args:
        ensembles: (member, interval, measure) of each origin.
        truths: (interval, measure) of each.
    """
    if len(ensembles) < _FEWEST:
        return Rescaling.none()
    shift, factor = np.zeros(len(MEASURES)), np.ones(len(MEASURES))
    ensembles, truths = ensembles[-LATEST:], truths[-LATEST:]
    keep = min(_MEMBERS, *(len(e) for e in ensembles))
    for m in range(len(MEASURES)):
        # Evenly spread ranks stand for the whole ensemble.
        x = np.concatenate([_thin(e[:, :, m], keep) for e in ensembles], axis=1)
        y = np.concatenate([t[:, m] for t in truths])
        ok = usable(x, y)
        if ok.sum() < 2:
            continue
        shift[m], factor[m] = _best(x[:, ok], y[ok], len(ensembles))
    return Rescaling(shift, factor, len(ensembles))


def _best(x: Floats, y: Floats, origins: int) -> tuple[float, float]:
    middle, spread = _middle(x)
    moves = np.flatnonzero(spread > 0)
    if not len(moves):
        return 0.0, 1.0
    moves = moves[:: -(-len(moves) // _PAIRS)]
    x, y, middle, spread = np.sort(x[:, moves], axis=0), y[moves], middle[moves], spread[moves]
    x = np.where(np.isnan(x), np.nanmax(x, axis=0), x)
    away = x - middle
    plain = float(np.mean(crps_sorted(x, y)))

    def cost(a: float, c: float) -> float:
        doubt = plain * _PRIOR / origins * (0.1 * a * a + 0.1 * np.log(c) ** 2)
        return float(np.mean(crps_sorted(middle + a * spread + c * away, y))) + float(doubt)

    found = (0.0, 1.0)
    # In turn, thrice: the two hardly depend on each other.
    for _ in range(3):
        factor = min(_FACTORS.tolist(), key=lambda c: cost(found[0], c))
        found = (min(_SHIFTS.tolist(), key=lambda a: cost(a, factor)), factor)
    return found


def _middle(x: Floats) -> tuple[Floats, Floats]:
    """Median and half the distance of the quantiles at one normal standard deviation, over the members."""
    valid = np.where(np.isnan(x).all(axis=0), 0.0, x)
    low, middle, high = np.nanquantile(valid, [0.1587, 0.5, 0.8413], axis=0)
    return middle, (high - low) / 2


def _thin(x: Floats, keep: int) -> Floats:
    ordered = np.sort(x, axis=0)
    return ordered[np.linspace(0, len(x) - 1, keep).round().astype(int)]
