"""Means over replications, paired differences, and what they allow one to say.

Replications of two scenarios share their random numbers, so the difference is taken replication by replication; its
interval is Student's t (Law, Simulation Modeling and Analysis, section 10.2). One replication gives no interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from twin.errors import RunError


class Direction(StrEnum):
    """Which way a measure should go."""

    LOWER = "lower"
    HIGHER = "higher"
    NEUTRAL = "neutral"


class Verdict(StrEnum):
    """What a paired difference shows; the value is a key for the words of the report."""

    BETTER = "better"
    WORSE = "worse"
    CANT_TELL = "can't tell"
    SAME = "same"
    """Equal in every replication."""
    MORE = "more"
    """A neutral measure rose."""
    LESS = "less"
    """A neutral measure fell."""
    ROSE_ONCE = "rose in one run"
    FELL_ONCE = "fell in one run"
    """One replication: a direction, and no interval to judge it by."""


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` replications; `half_width` of its interval is None when there is none."""

    mean: float
    half_width: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end, or None."""
        if self.half_width is None:
            return None
        return self.mean - self.half_width, self.mean + self.half_width


@dataclass(frozen=True)
class Difference:
    """Scenario minus baseline, pair by pair."""

    estimate: Estimate
    verdict: Verdict


def estimate(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean and Student interval of independent values, one per replication.

    Args:
        values: finite numbers, at least one.
        level: coverage of the interval, between 0 and 1.

    Raises:
        RunError: there is no value, or one is not finite.
    """
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or sample.size == 0 or not np.isfinite(sample).all():
        raise RunError("no mean of these values", hint="Give one finite number per replication, at least one.")
    if not 0.0 < level < 1.0:
        raise RunError(f"level {level} of an interval", hint="Give a number between 0 and 1, for instance 0.95.")
    n = sample.size
    mean = float(sample.mean())
    if n == 1:
        return Estimate(mean, None, 1)
    # Equal values leave only rounding of the mean behind; the spread is zero then, exactly.
    spread = 0.0 if np.ptp(sample) == 0.0 else float(sample.std(ddof=1))
    return Estimate(mean, float(stdtrit(n - 1, 0.5 + level / 2)) * spread / math.sqrt(n), n)


def verdict(difference: Estimate, direction: Direction) -> Verdict:
    """What an estimated difference (scenario minus baseline) shows at the level of its interval."""
    interval = difference.interval
    if interval is None:
        if difference.mean == 0.0:
            return Verdict.SAME
        return Verdict.ROSE_ONCE if difference.mean > 0.0 else Verdict.FELL_ONCE
    low, high = interval
    if low == high == 0.0:
        return Verdict.SAME
    if low <= 0.0 <= high:
        return Verdict.CANT_TELL
    rose = low > 0.0
    if direction is Direction.NEUTRAL:
        return Verdict.MORE if rose else Verdict.LESS
    return Verdict.BETTER if rose == (direction is Direction.HIGHER) else Verdict.WORSE


def paired_difference(
    baseline: ArrayLike, scenario: ArrayLike, direction: Direction = Direction.NEUTRAL, level: float = 0.95
) -> Difference:
    """Mean of scenario minus baseline over replications that share their random numbers.

    Raises:
        RunError: the two differ in length, are empty or not finite.
    """
    before, after = np.asarray(baseline, np.float64), np.asarray(scenario, np.float64)
    if before.shape != after.shape:
        raise RunError(
            f"{before.size} replications against {after.size} cannot be paired", hint="Run both equally often."
        )
    result = estimate(after - before, level)
    return Difference(result, verdict(result, direction))
