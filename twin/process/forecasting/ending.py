"""Has a case that looks open ended? Judged by what it did last and for how long it has been quiet.

The quiet times of all cases, by the activities done last, are a sample with censoring: many end with the next
activity, those of cases that have ended never do. The product-limit estimate S (Kaplan and Meier 1958) of a quiet
time then does not fall to zero but to the share p of cases that end there (a cure model, Maller and Zhou 1996), and a
case that has been quiet for x is still open with probability 1 - p / S(x).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from twin.process.forecasting.columns import Bools, Floats

ENOUGH = 40
"""Quiet times that a context needs to be judged by itself; with fewer, a shorter context is used."""
Context = tuple[int, ...]


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
        contexts: what was done last before each quiet time, the latest last.
        duration: of each.
        over: whether it ended.
        enough: observations that a context needs.
    """

    def __init__(self, contexts: Sequence[Context], duration: Floats, over: Bools, enough: int = ENOUGH) -> None:
        rows: dict[Context, list[int]] = {}
        for row, context in enumerate(contexts):
            for part in _suffixes(context):
                rows.setdefault(part, []).append(row)
        self._enough = enough
        self._rows = {context: found for context, found in rows.items() if len(found) >= enough or context == ()}
        self._data = (duration, over)
        self._fits: dict[Context, Quiet] = {}

    def of(self, context: Context) -> Quiet:
        """The estimate for a context."""
        chosen = next((part for part in _suffixes(context) if part in self._rows), ())
        if chosen not in self._fits:
            rows = np.asarray(self._rows.get(chosen, []), np.int64)
            duration, over = self._data
            self._fits[chosen] = Quiet.fit(duration[rows], over[rows])
        return self._fits[chosen]

    def goes_on(self, contexts: Sequence[Context], age: Floats) -> Floats:
        """Probability that a case goes on, for many at once."""
        return np.array(
            [self.of(c).goes_on(np.array([a]))[0] for c, a in zip(contexts, age.tolist(), strict=True)], np.float64
        )


def _suffixes(context: Context) -> Iterable[Context]:
    for first in range(len(context) + 1):
        yield context[first:]
