"""What a process network has measured so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.clock import HOUR, SECOND
from twin.kernels.durations import SUB_BINS

_MINUTE = 60 * SECOND


def _bin_edges(bins: int) -> NDArray[np.float64]:
    """Lower edges in ns of the kernel's log-linear bins, and the upper edge of the last."""
    i = np.arange(bins + 1)
    octave = i // SUB_BINS
    within = np.ldexp(0.5 + (i % SUB_BINS) / (2 * SUB_BINS), octave + 5)
    return np.where(i < SUB_BINS, i, within).astype(np.float64)


@dataclass(frozen=True)
class Histogram:
    """Counts of durations in log-linear bins (32 per octave)."""

    counts: NDArray[np.int64]

    def percentile_ns(self, percent: float) -> float:
        """Percentile in ns, linear within its bin (3% wide); NaN without data."""
        total = int(self.counts.sum())
        if total == 0:
            return float("nan")
        up_to = np.cumsum(self.counts)
        rank = percent / 100 * total
        i = min(int(np.searchsorted(up_to, rank, side="left")), len(self.counts) - 1)
        edges = _bin_edges(len(self.counts))
        if i == 0:
            return 0.0
        share = (rank - (up_to[i] - self.counts[i])) / self.counts[i] if self.counts[i] else 0.0
        return float(edges[i] + share * (edges[i + 1] - edges[i]))


@dataclass(frozen=True)
class NodeStatistics:
    """One node: numbers of visits, and time in ns.

    `abandoned` left while waiting, `left` after the work was done because their patience was used up; `retries` of
    those who left came back, `refused` found the queue full, `given_up` were interrupted by a boundary event; `paused`
    is time for which work under way lay still.
    """

    arrivals: int
    starts: int
    completions: int
    abandoned: int
    left: int
    rework: int
    without_wait: int
    within_target: int
    wait_served: float
    wait_abandoned: float
    wait_squared: float
    service: float
    waits: Histogram
    paused: float = 0.0
    retries: int = 0
    refused: int = 0
    given_up: int = 0

    @property
    def mean_wait_s(self) -> float:
        """Mean wait in s of all whose wait has ended, by service or by leaving; NaN if there are none."""
        ended = self.starts + self.abandoned
        return (self.wait_served + self.wait_abandoned) / ended / SECOND if ended else float("nan")

    @property
    def mean_wait_served_s(self) -> float:
        """Mean wait in s of those who were served."""
        return self.wait_served / self.starts / SECOND if self.starts else float("nan")

    @property
    def abandonment(self) -> float:
        """Share of ended waits that ended by leaving."""
        ended = self.starts + self.abandoned
        return self.abandoned / ended if ended else float("nan")

    @property
    def service_level(self) -> float:
        """Share of ended waits that ended by service within the target."""
        ended = self.starts + self.abandoned
        return self.within_target / ended if ended else float("nan")


@dataclass(frozen=True)
class PoolStatistics:
    """One pool over the observed time; times in ns of one member."""

    observed: int
    busy: float
    staffed: float
    queued: float
    is_staff: bool

    @property
    def utilisation(self) -> float:
        """Busy over staffed time; NaN if nobody was there."""
        return self.busy / self.staffed if self.staffed else float("nan")

    @property
    def staff_hours(self) -> float:
        """Paid hours; zero for machines."""
        return self.staffed / HOUR if self.is_staff else 0.0

    @property
    def mean_queue(self) -> float:
        """Time average of the number waiting."""
        return self.queued / self.observed if self.observed else float("nan")

    @property
    def mean_busy(self) -> float:
        """Time average of the number at work."""
        return self.busy / self.observed if self.observed else float("nan")


@dataclass(frozen=True)
class CaseStatistics:
    """Whole cases; times in ns of those served."""

    served: int
    abandoned: int
    refused: int
    inside: int
    sojourn: float
    active: float
    wait: float
    sojourns: Histogram
    actives: Histogram

    @property
    def mean_sojourn_s(self) -> float:
        """Mean time in the system in s."""
        return self.sojourn / self.served / SECOND if self.served else float("nan")

    @property
    def mean_active_min(self) -> float:
        """Mean time in minutes in which the client was engaged."""
        return self.active / self.served / _MINUTE if self.served else float("nan")


@dataclass(frozen=True)
class DeadlineStatistics:
    """How often a deadline was broken and kept."""

    broken: int
    kept: int


def cost_fen(fixed: int, timed: Iterable[tuple[int, int]]) -> int:
    """Fen of fixed costs and of times in ns at prices in fen per hour, rounded half up once."""
    total = 2 * sum(ns * price for ns, price in timed)
    return fixed + (total + HOUR) // (2 * HOUR)


@dataclass(frozen=True)
class Statistics:
    """Statistics of a network since its start or its last reset.

    `milestone` has the times of cases when they first reached the milestone, which count there as served; `costs` are
    fen per task.
    """

    nodes: dict[str, NodeStatistics]
    pools: dict[str, PoolStatistics]
    cases: CaseStatistics
    milestone: CaseStatistics
    costs: dict[str, int] = field(default_factory=dict)
    deadlines: dict[str, DeadlineStatistics] = field(default_factory=dict)
