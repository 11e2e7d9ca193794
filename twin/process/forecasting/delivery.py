"""From the simulated ensemble to the forecast that is given out, in two steps that learn from past forecasts alone.

1. Pooling: a mixture of the twin and the naive forecasts (a linear pool, Stone 1961). Its CRPS is a quadratic
   form of the weights, so the weights that would have served best are the solution of a small convex problem; they are
   drawn to the twin alone where there is little to learn from.
2. Widening: the central bands of 50, 80 and 95 % are stretched by factors that grow after a miss and shrink after a
   hit, in proportion to nominal coverage and by ever smaller steps (adaptive conformal inference, Gibbs and Candes
   2021; steps that fade, Angelopoulos, Barber and Bates 2024). Whatever comes, the share of misses then tends to the
   nominal one in the mean over many forecasts, as long as no factor stays at its bound and the ensembles have a spread
   to be stretched. Nothing follows for one forecast, one hour, or the first dozen forecasts.

None of this explains anything: the mechanism is in the simulated ensemble, which is kept beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from twin.process.forecasting.columns import Floats
from twin.process.forecasting.measures import COUNTS, MEASURES
from twin.process.forecasting.naive import NAIVE
from twin.process.forecasting.scores import BANDS, covered, ranks, usable
from twin.randomness import Streams

TWIN, DELIVERED = "twin", "twin_delivered"
POOLED = (TWIN, *NAIVE)
"""Forecasts that are mixed."""
LATEST = 20
"""Origins to learn weights from: the latest."""
_Terms = tuple[Floats, Floats]
_THIN = 20
"""Members that stand for an ensemble in learning weights."""
_PRIOR = 2.0
"""Weight of the twin alone, in origins."""
_MANY = 12
_FEWEST = 3
_FADES = 0.6
_STEPS, _STEP, _NONE = 200, 0.5, 0.02
"""Of the search for weights, and the weight below which a forecast is left out."""
_BOUND = (-1.5, 2.5)
"""Of the logarithm of a factor."""


@dataclass(frozen=True)
class Origin:
    """One forecast with what came.

    Attributes:
        instant: ns.
        known_from: ns from which its truth is known.
        truth: (interval, measure).
        members: of each forecast, (member, interval, measure).
        scored: whether a backtest counts it, or only learns from it.
    """

    instant: int
    known_from: int
    truth: Floats
    members: dict[str, Floats]
    scored: bool = True


@dataclass(frozen=True)
class Delivery:
    """What is done to a simulated ensemble before it is given out.

    Attributes:
        weights: (measure, forecast of `POOLED`) of the mixture.
        widths: (measure, band) logarithms of the factors.
        origins: past forecasts that were learned from.
    """

    weights: Floats = field(default_factory=lambda: np.tile(np.eye(len(POOLED))[0], (len(MEASURES), 1)))
    widths: Floats = field(default_factory=lambda: np.zeros((len(MEASURES), len(BANDS))))
    origins: int = 0

    def apply(self, members: dict[str, Floats]) -> dict[str, Floats]:
        """The ensembles with the delivered one.

        Args:
            members: (member, interval, measure) of the twin and the naive forecasts.
        """
        pooled = np.stack([self._mixed(members, m) for m in range(len(MEASURES))], axis=2)
        for m, name in enumerate(MEASURES):
            if self.widths[m].any():
                moved = _stretched(pooled[:, :, m], self.widths[m])
                pooled[:, :, m] = np.rint(moved) if name in COUNTS else moved
        return {**members, DELIVERED: pooled}

    def _mixed(self, members: dict[str, Floats], m: int) -> Floats:
        """As many members as the twin has, of each forecast by its weight, evenly spread over its ranks."""
        twin = members[TWIN][:, :, m]
        if self.weights[m, 0] >= 1.0:
            return twin.copy()
        ensembles = [members[name][:, :, m] for name in POOLED]
        there = np.array([(~np.isnan(x)).any(axis=0) for x in ensembles])
        out = np.full(twin.shape, np.nan)
        # Where a forecast has nothing to say, the others share its weight.
        for kind in np.unique(there, axis=1).T:
            here = (there == kind[:, None]).all(axis=0)
            weight = self.weights[m] * kind
            if weight.sum() > 0:
                parts = zip(ensembles, _sizes(weight / weight.sum(), len(twin)), strict=True)
                out[:, here] = np.concatenate([_even(x[:, here], size) for x, size in parts])
        return out


def _sizes(weight: Floats, total: int) -> list[int]:
    """Whole numbers in proportion to weights, by largest remainders."""
    exact = weight * total
    sizes = np.floor(exact).astype(int)
    sizes[np.argsort(sizes - exact, kind="stable")[: total - sizes.sum()]] += 1
    return [int(n) for n in sizes]


def _even(x: Floats, size: int) -> Floats:
    """So many members: the first, which are draws, or of all of them ranks at equal steps where they are quantiles."""
    if size <= 0:
        return x[:0]
    ordered = np.sort(x, axis=0)
    held = np.maximum((~np.isnan(x)).sum(axis=0), 1)
    rank = ((np.arange(size)[:, None] + 0.5) / size * held).astype(int)
    return np.take_along_axis(ordered, np.minimum(rank, held - 1), axis=0)


def _stretched(x: Floats, widths: Floats) -> Floats:
    """Members moved away from their median by the factor that belongs to their rank."""
    missing = np.isnan(x)
    n = np.maximum((~missing).sum(axis=0), 1)
    order = np.argsort(x, axis=0, kind="stable")
    ordered = np.take_along_axis(x, order, axis=0)
    with np.errstate(all="ignore"):
        middle = np.where(missing.all(axis=0), 0.0, np.nanmedian(np.where(missing.all(axis=0), 0.0, x), axis=0))
    band = np.abs(2.0 * (np.arange(len(x))[:, None] + 0.5) / n - 1.0)
    factor = np.exp(np.interp(band, BANDS, widths))
    away = (ordered - middle) * factor
    # Order is kept: no member passes one that was further out.
    low = np.minimum.accumulate(np.minimum(away, 0.0)[::-1], axis=0)[::-1]
    high = np.maximum.accumulate(np.maximum(away, 0.0), axis=0)
    moved = np.maximum(middle + np.where(away < 0, low, high), 0.0)
    out = np.empty_like(x)
    np.put_along_axis(out, order, np.where(np.isnan(ordered), np.nan, moved), axis=0)
    return out


class Learner:
    """Goes through forecasts in order of time; of each it uses what was known at its instant, and then learns from it.

    Args:
        seed: of the ties in ranks.
    """

    def __init__(self, seed: int = 1) -> None:
        self._streams = Streams(seed)
        self._past: list[Origin] = []
        self._terms: list[list[_Terms | None]] = []
        self._missed: list[Floats] = []
        self._kept: dict[int, Floats] = {}

    def at(self, instant: int) -> Delivery:
        """What the forecasts whose truth was known at an instant teach."""
        known = [i for i, origin in enumerate(self._past) if origin.known_from <= instant]
        # With many behind it, the weights are learned anew at every fourth.
        use = known[: len(known) if len(known) < _MANY else len(known) // 4 * 4]
        if len(use) not in self._kept:
            self._kept[len(use)] = _weights([self._terms[i] for i in use])
        return Delivery(self._kept[len(use)], self._widths([self._missed[i] for i in known]), len(known))

    def add(self, origin: Origin) -> Origin:
        """One forecast as it was given out; its truth is learned from once it is known."""
        delivery = self.at(origin.instant)
        done = replace(origin, members=delivery.apply(origin.members))
        self._past.append(done)
        self._terms.append([_terms(done, m) for m in range(len(MEASURES))])
        # Misses of a mixture without learned weights say little about the width that later ones need.
        learned = delivery.origins >= _FEWEST
        self._missed.append(self._misses(done, len(self._past)) if learned else np.full(delivery.widths.shape, np.nan))
        return done

    def _misses(self, origin: Origin, number: int) -> Floats:
        """Share of the intervals outside each band (measure, band); NaN where nothing can be said."""
        out = np.full((len(MEASURES), len(BANDS)), np.nan)
        for m in range(len(MEASURES)):
            pit = ranks(origin.members[DELIVERED][:, :, m], origin.truth[:, m], self._streams, 100_000 * number)
            if not np.isnan(pit).all():
                out[m] = [1.0 - np.nanmean(covered(pit, band)) for band in BANDS]
        return out

    def _widths(self, missed: Sequence[Floats]) -> Floats:
        widths = np.zeros((len(MEASURES), len(BANDS)))
        turn = np.ones((len(MEASURES), 1))
        for share in missed:
            seen = ~np.isnan(share)
            step = np.where(seen, share - (1.0 - np.array(BANDS)), 0.0)
            widths = np.clip(widths + step / (turn + 1.0) ** _FADES, *_BOUND)
            turn += seen[:, :1]
        return widths


def delivered(origins: Sequence[Origin], seed: int = 1) -> list[Origin]:
    """Each forecast with the ensembles that earlier ones, whose truth was known by then, make of it."""
    learner = Learner(seed)
    return [learner.add(origin) for origin in origins]


def _weights(past: Sequence[list[_Terms | None]]) -> Floats:
    """Weights (measure, forecast) of the mixtures that would have served past forecasts best."""
    alone = np.eye(len(POOLED))[0]
    out = np.tile(alone, (len(MEASURES), 1))
    if len(past) < _FEWEST:
        return out
    past = past[-LATEST:]
    for m in range(len(MEASURES)):
        terms = [found for origin in past if (found := origin[m]) is not None]
        if len(terms) < _FEWEST:
            continue
        error = np.mean([e for e, _ in terms], axis=0)
        spread = np.mean([s for _, s in terms], axis=0)
        if error[0] > 0:
            out[m] = _best(error / error[0], spread / error[0], _PRIOR / len(terms))
    return out


def _terms(origin: Origin, m: int) -> _Terms | None:
    """Mean distance of each forecast's members from the truth, and of those of two forecasts from each other."""
    truth = origin.truth[:, m]
    ensembles = [origin.members[name][:, :, m] for name in POOLED]
    ok = np.logical_and.reduce([usable(x, truth) for x in ensembles])
    if not ok.any():
        return None
    thin = [_even(x[:, ok], _THIN) for x in ensembles]
    error = np.array([np.abs(x - truth[ok]).mean() for x in thin])
    spread = np.zeros((len(thin), len(thin)))
    for i, a in enumerate(thin):
        for j, b in enumerate(thin[: i + 1]):
            spread[i, j] = spread[j, i] = np.abs(a[:, None] - b[None]).mean()
    return error, spread


def _best(error: Floats, spread: Floats, doubt: float) -> Floats:
    """Weights on the simplex with the least w'e - w'Sw / 2 (the CRPS of the mixture), drawn to the first forecast.

    By exponentiated gradients (Kivinen and Warmuth 1997): the cost is convex, and weights stay above zero and sum to 1.
    """
    alone = np.eye(len(error))[0]
    weight = np.full(len(error), 1.0 / len(error))
    for _ in range(_STEPS):
        slope = error - spread @ weight + 0.2 * doubt * (weight - alone)
        weight = weight * np.exp(-_STEP * (slope - slope.min()))
        weight /= weight.sum()
    weight = np.where(weight < _NONE, 0.0, weight)
    return np.asarray(weight / weight.sum())
