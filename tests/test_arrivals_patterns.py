"""Arrival patterns: dispersion as asked, time rescaling uniform, common random numbers, fits find what was put in."""

import numpy as np
import pytest
from scipy import stats

from twin.clock import DAY, HOUR
from twin.errors import DataError, ScenarioError
from twin.process.arrivals import DAY_NUMBERS, Busyness, Pattern, Profile, fit_pattern, given
from twin.randomness import Streams

SHAPE = (0.0,) * 8 + (30.0, 60.0, 45.0, 20.0, 25.0, 40.0, 30.0, 10.0) + (0.0,) * 8
PATTERN = Pattern(HOUR, (SHAPE, tuple(x / 4 for x in SHAPE)), Busyness(0.2, 0.6), Busyness(0.15, 0.3))


def counts(pattern, days, seed=1, **keys):
    times, _ = pattern.draw([0] * days, Streams(seed), **keys)
    return np.histogram(times, np.arange(days * 24 + 1) * HOUR)[0].reshape(days, 24)


def test_daily_numbers_have_the_variance_of_a_gamma_mixed_poisson():
    n = counts(Pattern(HOUR, (SHAPE,), Busyness(0.2)), 4000).sum(axis=1)
    mean = sum(SHAPE)
    variance = mean + (0.2 * mean) ** 2
    assert n.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 4000))
    assert n.var() == pytest.approx(variance, rel=4 * np.sqrt(2.5 / 4000))
    # the whole law, not only its moments: negative binomial with shape 1 / cv**2
    law = stats.nbinom(25, 25 / (25 + mean))
    assert stats.kstest(law.cdf(n) - 0.5 * law.pmf(n), "uniform").pvalue > 0.001


def test_without_busyness_numbers_are_poisson():
    n = counts(Pattern(HOUR, (SHAPE,)), 3000)[:, 8:16]
    index = n.var(axis=0, ddof=1) / n.mean(axis=0)
    assert index == pytest.approx(np.ones(8), abs=4.5 * np.sqrt(2 / 3000))


def test_time_rescaled_arrivals_are_uniform():
    times, _ = Pattern(HOUR, (SHAPE,)).draw([0] * 20, Streams(3))
    share = Profile(tuple(i * HOUR for i in range(25)), SHAPE).share_of(times % DAY)
    assert stats.kstest(share, "uniform").pvalue > 0.001
    # power: the flat profile is refused
    assert stats.kstest(Profile.flat(0, DAY).share_of(times % DAY), "uniform").pvalue < 1e-12


def test_times_and_shares_are_inverse():
    profile = Profile(tuple(i * HOUR for i in range(25)), SHAPE)
    share = np.linspace(0.001, 0.999, 97)
    assert profile.share_of(profile.time_of(share)) == pytest.approx(share, abs=1e-12)


def test_a_larger_scale_keeps_every_arrival():
    small, large = (PATTERN.draw([0, 1, -1, 0], Streams(5), scale=s) for s in (1.0, 1.3))
    was, now = (dict(zip(n.tolist(), t.tolist(), strict=True)) for t, n in (small, large))
    assert len(was) < len(now)
    assert was.items() <= now.items()
    assert len(set(small[1].tolist())) == len(small[1])
    assert not np.any((small[1] >= 2 * DAY_NUMBERS) & (small[1] < 3 * DAY_NUMBERS))  # the third day is closed


def test_draws_repeat_and_differ_between_replications():
    first, again, other = (PATTERN.draw([0, 0], Streams(7, r)) for r in (0, 0, 1))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert len(first[0]) != len(other[0])


def test_longer_horizon_keeps_the_first_days():
    short, long = (PATTERN.draw([0] * days, Streams(2))[0] for days in (3, 6))
    assert np.array_equal(short, long[long < 3 * DAY])


def test_factors_have_mean_one_and_the_autocorrelation_asked_for():
    noise = np.random.default_rng(1).standard_normal(200_000)
    factor = Busyness(0.3, 0.7).factors(noise)
    assert factor.mean() == pytest.approx(1, abs=0.01)
    assert factor.std() == pytest.approx(0.3, rel=0.02)
    assert np.corrcoef(factor[1:], factor[:-1])[0, 1] == pytest.approx(0.69, abs=0.02)
    assert stats.kstest(factor[::25], stats.gamma(1 / 0.09, scale=0.09).cdf).pvalue > 0.001


def test_fit_finds_the_pattern_that_made_the_days():
    found = fit_pattern(counts(PATTERN, 1500), np.zeros(1500, int), HOUR)
    assert found.expected[0] == pytest.approx(SHAPE, rel=0.05, abs=1e-9)
    assert found.day.cv == pytest.approx(0.2, abs=0.015)
    assert found.day.autocorrelation == pytest.approx(0.59, abs=0.1)
    assert found.within.cv == pytest.approx(0.14, abs=0.015)  # less than 0.15: each day is given its own total


def test_fit_of_poisson_days_finds_no_busyness():
    found = fit_pattern(counts(Pattern(HOUR, (SHAPE,)), 400), np.zeros(400, int), HOUR)
    assert found.day.cv < 0.035
    assert found.within.cv < 0.04


def test_fit_keeps_kinds_of_day_apart():
    kinds = np.arange(60) % 2
    times, _ = PATTERN.draw(kinds.tolist(), Streams(1))
    n = np.histogram(times, np.arange(60 * 24 + 1) * HOUR)[0].reshape(60, 24)
    found = np.asarray(fit_pattern(n, kinds, HOUR).expected)
    assert found.sum(axis=1)[0] / found.sum(axis=1)[1] == pytest.approx(4, rel=0.15)


def test_given_times_are_sorted_and_keep_their_numbers():
    times, numbers = given(np.array([30, 10, 20]))
    assert times.tolist() == [10, 20, 30]
    assert numbers.tolist() == [1, 2, 0]
    with pytest.raises(DataError, match="whole ns"):
        given([0.5, 1.5])


def test_impossible_busyness_is_refused():
    with pytest.raises(ScenarioError, match="autocorrelation"):
        Busyness(0.2, 1.0)
    with pytest.raises(DataError, match="one row and one kind"):
        fit_pattern(np.ones((3, 4)), [0, 0], HOUR)
