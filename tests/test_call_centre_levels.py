"""Weekly levels: equal to a Kalman filter step by step, followed when they wander, honest about what comes next."""

import datetime as dt

import numpy as np
import pytest

from scenarios.calibration.call_centre.levels import SHARES, fit_levels, week_of, weekly
from twin.errors import DataError
from twin.randomness import Streams

ENTITY = 1 << 40


def filtered(y, rough, share):
    """Last level, its variance, squares and log determinants by the Kalman filter, week after week."""
    known = np.flatnonzero(np.isfinite(y))
    level, variance, squares, logs = y[known[0]], (1 - share) * rough[known[0]], 0.0, 0.0
    for w in range(known[0] + 1, len(y)):
        variance += share
        if not np.isfinite(y[w]):
            continue
        total = variance + (1 - share) * rough[w]
        miss = y[w] - level
        squares, logs = squares + miss**2 / total, logs + np.log(total)
        level, variance = level + variance / total * miss, variance * (1 - variance / total)
    return level, variance, squares, logs


def test_levels_equal_a_kalman_filter():
    draw = np.random.default_rng(1)
    y = np.cumsum(draw.normal(0, 0.05, 12)) + draw.normal(0, 0.05, 12)
    y[[3, 11]] = np.nan
    size = np.array([5, 5, 4, 0, 5, 2, 5, 5, 1, 5, 5, 0])
    found = fit_levels(y, size)
    rough = 5 / np.maximum(size, 1)
    by_hand = np.array([filtered(y, rough, s) for s in SHARES])
    assert found.level == pytest.approx(by_hand[:, 0])
    assert found.known == pytest.approx(by_hand[:, 1])
    assert np.diff(found.scale) == pytest.approx(np.diff(by_hand[:, 2]))
    likelihood = -0.5 * (by_hand[:, 3] + found.freedom * np.log(found.scale))
    assert np.diff(np.log(found.weight)) == pytest.approx(np.diff(likelihood), abs=1e-6)


def test_levels_that_wander_are_told_from_those_that_jitter():
    draw = np.random.default_rng(2)
    wander = [fit_levels(np.cumsum(draw.normal(0, 0.1, 25)) + draw.normal(0, 0.03, 25)).share for _ in range(20)]
    jitter = [fit_levels(draw.normal(0, 0.1, 25)).share for _ in range(20)]
    assert np.mean(wander) > 0.55
    assert np.mean(jitter) < 0.3


def test_bands_of_levels_cover_at_their_rate():
    """19 draws and what happened are exchangeable: it lies between the least and the largest nine times in ten."""
    draw = np.random.default_rng(3)
    inside, without_steps = [], []
    for i in range(100):
        path = np.cumsum(draw.normal(0, 0.06, 12))
        found = fit_levels((path + draw.normal(0, 0.06, 12))[:8])
        ahead = np.array([found.draw(4, Streams(i, r), ENTITY) for r in range(19)])
        inside.append(ahead[:, 4].min() <= path[-1] <= ahead[:, 4].max())
        without_steps.append(ahead[:, 0].min() <= path[-1] <= ahead[:, 0].max())
    assert 0.8 < np.mean(inside) <= 0.97
    # power: the level of the last week, however uncertain, is not that of the weeks to come
    assert np.mean(without_steps) < 0.7


def test_one_week_is_enough_and_none_is_not():
    drawn = [fit_levels([0.1]).draw(2, Streams(1, r), ENTITY) for r in range(200)]
    assert np.mean(drawn) == pytest.approx(0.1, abs=0.02)
    with pytest.raises(DataError, match="no week"):
        fit_levels([np.nan])


def test_weeks_begin_on_monday():
    first = dt.date(2024, 1, 3)
    assert [week_of(first + dt.timedelta(days=i), first) for i in (0, 4, 5, 12)] == [0, 0, 1, 2]
    found = weekly([0.1, 0.3, 0.2], [first, first, dt.date(2024, 1, 16)], first, dt.date(2024, 1, 20))
    assert len(found.smooth) == 3
    assert found.level[0] == pytest.approx((2 * 0.2 + 0.2) / 3)
