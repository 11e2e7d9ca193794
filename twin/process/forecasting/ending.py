"""Has a case that looks open ended? Judged by what it did last and for how long it has been quiet.

The quiet times of all cases, by the activities done last, are a sample with censoring: many end with the next
activity, those of cases that have ended never do. The survival S of a quiet time then does not fall to zero but to the
share of cases that end there (a cure model, Maller and Zhou 1996), and a case that has been quiet for x is still open
with probability 1 - S(end) / S(x).

S is the product-limit estimate (Kaplan and Meier 1958) with a prior: the longer context starts from the estimate of the
next shorter one, which counts as some observations (a beta-Stacy process, Walker and Muliere 1997), and the shortest
from half a case that never goes on. So one lasting wait does not make a certainty of the next. Where waits still end in
the second half of the longest time observed, more would end after it: the share that would is extrapolated from how
fast the ends thin out from one doubling of time to the next (Escobar-Bach and Van Keilegom 2019).

What is fitted is not known: with weights from an exponential law for each case (the Bayesian bootstrap, Rubin 1981)
the chances are one draw of what they may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twin.process.forecasting.columns import Bools, Floats, Ints

PRIOR = 5.0
"""Observations that the estimate of the shorter context counts as."""
_NEVER = 0.5
"""Observations that never end, which the shortest context starts from."""
_BINS, _TOP = 400, 50
"""Steps of time, about alike in what ends in them; the longest ends have steps of their own."""
_THINNEST = 0.5
"""Ends thin out by at least this factor from one doubling of time to the next."""


@dataclass(frozen=True)
class Asked:
    """Chances that are asked for, prepared so that they can be computed with many weights.

    Attributes:
        edges: of the steps of time, the first below 0.
        step: of each observation: the one in which it ended, or the last that it outlasted (-1 = none).
        over: whether it ended in its step.
        rows: by length of context, the row of each observation in that length's table, -1 = in none.
        parent: by length, the row of each row's shorter context.
        place: row of each question in the longest table.
        age: of each question.
    """

    edges: Floats
    step: Ints
    over: Bools
    rows: tuple[Ints, ...]
    parent: tuple[Ints, ...]
    place: Ints
    age: Floats

    def goes_on(self, weights: Floats | None = None) -> Floats:
        """Probability that each thing asked about goes on.

        Args:
            weights: of each observation; None = 1.
        """
        if len(self.edges) < 2 or not len(self.place):
            return np.zeros(len(self.place))
        w = np.ones(len(self.step)) if weights is None else weights
        survival = np.ones((1, len(self.edges)))
        rate = 0.0
        for length, (row, parent) in enumerate(zip(self.rows, self.parent, strict=True)):
            prior = _NEVER if length == 0 else PRIOR
            survival = self._table(row, w, survival[parent], prior)
            if length == 0:
                rate = self._thinning(survival[0], float(w.sum()))
        half = survival[:, self._place(self.edges[-1] / 2)]
        last = survival[:, -1]
        later = np.minimum((half / np.maximum(last, 1e-300) - 1.0) * rate / (1.0 - rate), 0.5)
        never = (last * (1.0 - later))[self.place]
        now = survival[self.place, self._place(self.age)]
        return np.asarray(np.clip(1.0 - never / np.maximum(now, 1e-300), 0.0, 1.0))

    def _table(self, row: Ints, weights: Floats, prior: Floats, strength: float) -> Floats:
        """Survival (context, edge) from that of the shorter contexts and the observations."""
        bins = len(self.edges) - 1
        held = (row >= 0) & (self.step >= 0)
        key = row[held] * bins + self.step[held]
        size = len(prior) * bins
        ended = np.bincount(key, np.where(self.over[held], weights[held], 0.0), size).reshape(-1, bins)
        all_ = np.bincount(key, weights[held], size).reshape(-1, bins)
        left = np.cumsum(all_[:, ::-1], axis=1)[:, ::-1]
        hazard = (strength * -np.diff(prior, axis=1) + ended) / (strength * prior[:, :-1] + left)
        out = np.ones((len(prior), bins + 1))
        np.cumprod(1.0 - np.clip(hazard, 0.0, 1.0), axis=1, out=out[:, 1:])
        return out

    def _thinning(self, survival: Floats, n: float) -> float:
        """What ends between a half and the whole of the longest time, over what ends between a quarter and a half."""
        quarter, half, whole = survival[self._place(self.edges[-1] * np.array([0.25, 0.5, 1.0]))]
        return float(min((half - whole + 0.5 / n) / (quarter - half + 1.0 / n), _THINNEST))

    def _place(self, age: ArrayLike) -> Ints:
        """The last edge that is not after an age."""
        return np.asarray(np.searchsorted(self.edges, age, side="right") - 1, np.int64)


class Contexts:
    """Estimates by context, each drawn towards the next shorter one.

    Args:
        contexts: (observation, length) what was done last before each quiet time, the latest last; -1 = nothing.
        duration: of each, not negative.
        over: whether it ended then (otherwise it had lasted at least so long).
    """

    def __init__(self, contexts: Ints, duration: Floats, over: Bools) -> None:
        self._base = int(contexts.max(initial=-1)) + 2
        self._over = over
        self._keys = self._all(contexts)
        ends = np.sort(duration[over])
        usual = np.quantile(ends, np.linspace(0, 1, _BINS), method="nearest") if len(ends) else ends
        self._edges = np.unique(np.concatenate([[-1.0], usual, ends[-_TOP:], [duration.max(initial=0.0)]]))
        ended, outlasted = (np.searchsorted(self._edges, duration, side=side) for side in ("left", "right"))
        self._step = np.where(over, ended - 1, outlasted - 2)

    def goes_on(self, contexts: Ints, age: Floats) -> Floats:
        """Probability that what has been quiet for `age` in these contexts goes on."""
        return self.asked(contexts, age).goes_on()

    def asked(self, contexts: Ints, age: Floats) -> Asked:
        """The same, for other weights of the observations."""
        rows, parents = [], []
        place = np.zeros(len(age), np.int64)
        above = np.zeros(1, np.int64)
        for key, wanted in zip(self._keys, self._all(contexts), strict=True):
            # The rows of this length: contexts asked for; of one that was never seen nothing but the shorter remains.
            values, first, number = np.unique(wanted, return_index=True, return_inverse=True)
            at = np.minimum(np.searchsorted(values, key), max(len(values) - 1, 0))
            rows.append(np.where(values[at] == key, at, -1) if len(values) else np.full(len(key), -1, np.int64))
            parents.append(place[first] if len(rows) > 1 else above)
            place = number
        return Asked(self._edges, self._step, self._over, tuple(rows), tuple(parents), place, age)

    def _all(self, contexts: Ints) -> list[Ints]:
        """One number for each context, by length from 0."""
        keys = [np.zeros(len(contexts), np.int64)]
        for back in range(contexts.shape[1]):
            keys.append(keys[-1] * self._base + contexts[:, -1 - back] + 1)
        return keys
