"""Has a case that looks open ended? Judged by what it did last and for how long it has been quiet.

The quiet times of all cases, by the activities done last, are a sample with censoring: many end with the next
activity, those of cases that have ended never do. The product-limit estimate S (Kaplan and Meier 1958) of a quiet
time then does not fall to zero but to the share p of cases that end there (a cure model, Maller and Zhou 1996), and a
case that has been quiet for x is still open with probability 1 - p / S(x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.forecasting.columns import Bools, Floats, Ints

ENOUGH = 40
"""Quiet times that a context needs to be judged by itself; with fewer, a shorter context is used."""


@dataclass(frozen=True)
class Quiet:
    """Product-limit estimate of a time that may never end.

    Attributes:
        time: instants of the steps, rising.
        survival: just after each step.
    """

    time: Floats
    survival: Floats

    @classmethod
    def fit(cls, duration: Floats, over: Bools) -> Quiet:
        """From durations, some of them cut short.

        Args:
            duration: not negative.
            over: whether it ended then (otherwise it had lasted at least so long).
        """
        order = np.lexsort((~over, duration))
        time, event = duration[order], over[order]
        at_risk = len(time) - np.arange(len(time))
        factor = np.where(event, 1.0 - 1.0 / np.maximum(at_risk, 1), 1.0)
        survival = np.cumprod(factor)
        last = np.concatenate([time[1:] != time[:-1], [True]]) if len(time) else np.zeros(0, bool)
        return cls(time[last], survival[last])

    @property
    def never(self) -> float:
        """Share that never ends."""
        return float(self.survival[-1]) if len(self.survival) else 1.0

    def goes_on(self, age: Floats) -> Floats:
        """Probability that what has lasted for `age` will end at some time, so that a case will go on."""
        place = np.searchsorted(self.time, age, side="right") - 1
        survival = (
            np.where(place >= 0, self.survival[np.maximum(place, 0)], 1.0) if len(self.time) else np.ones(len(age))
        )
        return np.asarray(np.clip(1.0 - self.never / np.maximum(survival, 1e-300), 0.0, 1.0))


class Contexts:
    """Estimates by context, with back-off: the longest context that was seen often enough decides.

    Args:
        contexts: (observation, length) what was done last before each quiet time, the latest last; -1 = nothing.
        duration: of each.
        over: whether it ended.
        enough: observations that a context needs.
    """

    def __init__(self, contexts: Ints, duration: Floats, over: Bools, enough: int = ENOUGH) -> None:
        self._base = int(contexts.max(initial=-1)) + 2
        self._duration, self._over = duration, over
        self._groups = [np.unique(key, return_inverse=True, return_counts=True) for key in self._keys(contexts)]
        self._enough = enough
        self._fits: dict[tuple[int, int], Quiet] = {}

    def goes_on(self, contexts: Ints, age: Floats) -> Floats:
        """Probability that what has been quiet for `age` in these contexts goes on."""
        length, group = self._chosen(contexts)
        out = np.empty(len(age))
        # Rows of one context together: its estimate is looked up once.
        order = np.lexsort((group, length))
        same = np.flatnonzero(np.diff(length[order]) | np.diff(group[order])) + 1
        for rows in np.split(order, same) if len(order) else []:
            out[rows] = self._fit(int(length[rows[0]]), int(group[rows[0]])).goes_on(age[rows])
        return out

    def _keys(self, contexts: Ints) -> list[Ints]:
        """One number for each context, by length from 0."""
        keys = [np.zeros(len(contexts), np.int64)]
        for back in range(contexts.shape[1]):
            keys.append(keys[-1] * self._base + contexts[:, -1 - back] + 1)
        return keys

    def _chosen(self, contexts: Ints) -> tuple[Ints, Ints]:
        length, group = np.zeros(len(contexts), np.int64), np.zeros(len(contexts), np.int64)
        for size, key in enumerate(self._keys(contexts)):
            values, _, counts = self._groups[size]
            place = np.minimum(np.searchsorted(values, key), max(len(values) - 1, 0))
            known = (
                (values[place] == key) & (counts[place] >= self._enough) if len(values) else np.zeros(len(key), bool)
            )
            length, group = np.where(known, size, length), np.where(known, place, group)
        return length, group

    def _fit(self, length: int, group: int) -> Quiet:
        if (length, group) not in self._fits:
            rows = self._groups[length][1] == group
            self._fits[length, group] = Quiet.fit(self._duration[rows], self._over[rows])
        return self._fits[length, group]
