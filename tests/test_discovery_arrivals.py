"""Arrivals as steady, or as uneven, over long stretches as observed."""

import numpy as np

from twin.process.discovery.arrivals import draw_arrivals, fit_arrivals
from twin.process.discovery.columns import DAY, HOUR, WEEK
from twin.randomness import Streams

START = 2600 * WEEK - 3 * DAY
WEEKS = 30


def _fitted(hours):
    times = np.sort(START + (np.asarray(hours) * HOUR).astype(np.int64))
    times = times[(times >= START) & (times < START + WEEKS * WEEK)]
    return fit_arrivals(times, np.ones(len(times)), START, START + WEEKS * WEEK)


def _spread(fitted):
    """Variance of weekly arrivals over their mean: 1 = those of a Poisson process."""
    drawn = draw_arrivals(fitted, START, Streams(3), end=START + 300 * WEEK)
    weekly = np.bincount((drawn - START) // WEEK)[:300]
    return float(weekly.var() / weekly.mean())


def test_a_timetable_with_lateness_stays_steady_over_weeks():
    """One every three hours, late by nine on the mean: gaps like chance, weeks like clockwork."""
    rng = np.random.default_rng(1)
    late = _fitted(np.arange(0, WEEKS * 168, 3.0) + rng.exponential(9.0, WEEKS * 56))
    assert late.block > 1
    assert _spread(late) < 0.35
    assert _spread(late.model_copy(update={"block": 1})) > 0.6


def test_chance_and_a_rate_that_changes_are_not_taken_for_steadiness():
    rng = np.random.default_rng(2)
    blocks = [_fitted(rng.random(rng.poisson(WEEKS * 40)) * WEEKS * 168).block for _ in range(20)]
    assert np.count_nonzero(np.array(blocks) > 1) <= 1
    weekly = np.repeat(np.where(np.arange(WEEKS) % 8 < 4, 20, 60), 1)
    uneven = np.concatenate([week * 168 + rng.random(n) * 168 for week, n in enumerate(weekly)])
    assert _spread(_fitted(uneven)) > 0.7
