"""Arrivals through the day: a Poisson process with a given profile, the same clients again when its total changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.errors import ScenarioError
from twin.randomness import Stream, Streams

_COUNT_ENTITY = (1 << 62) - 1
"""Entity whose draw decides how many arrive; no case has this number."""


@dataclass(frozen=True)
class Profile:
    """A rate that is constant between `edges` (ns, rising) and proportional to `weights` there."""

    edges: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.weights) + 1 or np.any(np.diff(self.edges) <= 0):
            raise ScenarioError("an arrival profile needs rising edges, one more than weights")
        if min(self.weights) < 0 or max(self.weights) <= 0:
            raise ScenarioError("an arrival profile needs weights that are not negative, and one above zero")

    @classmethod
    def flat(cls, start: int, end: int) -> Profile:
        """A constant rate from `start` to `end` (ns)."""
        return cls((start, end), (1.0,))

    @classmethod
    def of_periods(cls, periods: Sequence[tuple[int, int, float]]) -> Profile:
        """Rates between times of day (from, to, weight), zero in the gaps; periods must not overlap."""
        edges: list[int] = []
        weights: list[float] = []
        for start, end, weight in sorted(periods):
            if edges and start < edges[-1]:
                raise ScenarioError("periods of an arrival profile overlap")
            if edges and start > edges[-1]:
                weights.append(0.0)
                edges.append(start)
            edges.extend([end] if edges else [start, end])
            weights.append(weight)
        return cls(tuple(edges), tuple(weights))

    def time_of(self, share: NDArray[np.float64]) -> NDArray[np.int64]:
        """Instants (ns) before which the given shares of all arrivals come."""
        mass = np.concatenate([[0.0], np.cumsum(np.diff(self.edges) * np.asarray(self.weights))])
        i = np.clip(np.searchsorted(mass, share * mass[-1], side="right") - 1, 0, len(self.weights) - 1)
        rate = np.asarray(self.weights)[i]
        start = np.asarray(self.edges)[i]
        inside = np.floor((share * mass[-1] - mass[i]) / rate).astype(np.int64)
        return np.minimum(start + np.maximum(inside, 0), self.edges[-1] - 1)


def arrivals(
    profile: Profile, total: float, streams: Streams, *, stream: Stream = Stream.PROCESS_ARRIVAL, entity_base: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times (ns, sorted) and numbers of the arrivals of a Poisson process with `total` expected arrivals.

    Given their number, the arrivals of a Poisson process are independent draws from its profile. So arrival n has a
    time of its own, a function of (stream, entity_base + n), and the number of arrivals is one draw, by inversion,
    which grows with `total`: a larger total keeps every arrival of a smaller one and adds others.
    """
    from scipy.stats import poisson

    if not 0 <= total < np.inf:
        raise ScenarioError(f"the expected number of arrivals is {total}", hint="Give zero or more.")
    u = float(streams.uniform(stream, _COUNT_ENTITY - entity_base))
    n = int(poisson.ppf(u, total)) if total > 0 else 0
    number = np.arange(n, dtype=np.int64)
    times = profile.time_of(streams.uniform(stream, number + entity_base)) if n else number
    order = np.argsort(times, kind="stable")
    return times[order], number[order]
