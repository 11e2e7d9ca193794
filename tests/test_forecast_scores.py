"""Scores of ensembles against closed forms and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from twin.process.forecasting.delivery import DELIVERED, TWIN, Delivery, Origin, delivered
from twin.process.forecasting.evaluate import evaluate
from twin.process.forecasting.measures import MEASURES
from twin.process.forecasting.naive import NAIVE
from twin.process.forecasting.scores import covered, crps, inside, quantiles, ranks, skill
from twin.randomness import Streams


def crps_of_normal(mean, sd, y):
    z = (y - mean) / sd
    return sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize(("mean", "sd", "y"), [(0.0, 1.0, 0.3), (5.0, 2.0, 9.0), (-1.0, 0.5, -1.0)])
def test_crps_of_many_normal_members_is_the_closed_form(mean, sd, y):
    members = norm.ppf((np.arange(4_000) + 0.5) / 4_000, mean, sd)[::-1]
    assert crps(members.reshape(-1, 1), np.array([y]))[0] == pytest.approx(crps_of_normal(mean, sd, y), rel=2e-3)


floats = st.floats(-50, 50, allow_nan=False)


@given(st.lists(floats, min_size=1, max_size=12), floats, st.integers(0, 3))
def test_crps_equals_the_double_sum_and_ignores_missing_members(members, y, missing):
    x = np.array(members)
    brute = np.abs(x - y).mean() - np.abs(x[:, None] - x[None, :]).mean() / 2
    padded = np.concatenate([[np.nan] * missing, x]).reshape(-1, 1)
    assert crps(padded, np.array([y]))[0] == pytest.approx(brute, abs=1e-9)


def test_crps_of_one_member_is_the_absolute_error():
    assert crps(np.array([[3.0]]), np.array([5.5]))[0] == 2.5


def test_crps_without_truth_or_members_is_missing():
    assert np.isnan(crps(np.array([[1.0, np.nan]]), np.array([np.nan, 1.0]))).all()


def sample(rng, spread, n=400, members=60):
    """Poisson truths, and ensembles of the same law or a wrong one."""
    mean = rng.uniform(0.5, 12, n)
    x = rng.poisson(mean, (members, n)).astype(float)
    if spread != 1.0:
        x = np.maximum(np.rint(mean + spread * (x - mean)), 0)
    return x, rng.poisson(mean).astype(float)


def test_ranks_of_right_counts_are_uniform_and_cover_at_nominal_rate():
    x, y = sample(np.random.default_rng(1), 1.0, n=3_000)
    pit = ranks(x, y, Streams(1))
    counts = np.histogram(pit, 10, (0, 1))[0]
    assert ((counts - 300) ** 2 / 300).sum() < 33.7  # chi-square with 9 degrees of freedom, 1e-4
    for band in (0.5, 0.8, 0.95):
        assert np.mean(covered(pit, band)) == pytest.approx(band, abs=4 * np.sqrt(band * (1 - band) / 3_000))


@pytest.mark.parametrize("spread", [0.6, 1.6])
def test_ranks_show_bands_that_are_too_narrow_or_too_wide(spread):
    x, y = sample(np.random.default_rng(2), spread, n=3_000)
    share = np.mean(covered(ranks(x, y, Streams(1)), 0.8))
    assert share < 0.72 if spread < 1 else share > 0.87


def test_band_with_its_ends_contains_at_least_as_much():
    x, y = sample(np.random.default_rng(3), 1.0)
    assert np.mean(inside(x, y, 0.5)) >= np.mean(covered(ranks(x, y, Streams(1)), 0.5))


def test_quantiles_are_missing_where_few_members_have_a_value():
    x = np.full((50, 2), np.nan)
    x[:4, 0] = 1.0
    x[:40, 1] = np.arange(40)
    assert np.isnan(quantiles(x, np.array([0.5]))[0, 0])
    assert quantiles(x, np.array([0.5]))[0, 1] == 19.5


def test_skill_of_equal_forecasts_is_undecided_and_of_better_ones_decided():
    rng = np.random.default_rng(4)
    reference = rng.gamma(4, 1, 60)
    same = skill(reference * rng.normal(1, 0.2, 60), reference, Streams(1))
    better = skill(0.7 * reference * rng.normal(1, 0.1, 60), reference, Streams(1))
    assert same.low < 0 < same.high
    assert same.verdict == "can't tell"
    assert better.verdict == "better"
    assert better.low < 0.3 < better.high


def test_skill_interval_covers_at_its_rate():
    hits = 0
    for k in range(200):
        rng = np.random.default_rng(100 + k)
        reference = rng.gamma(4, 1, 80)
        found = skill(reference * rng.gamma(20, 0.8 / 20, 80), reference, Streams(1), draws=300)
        hits += found.low <= 0.2 <= found.high
    assert hits >= 175  # 95 % of 200 is 190; below 175 has a probability of 2e-4 at 93 %


def ensemble(x):
    out = np.full((*x.shape, len(MEASURES)), np.nan)
    out[:, :, 0] = x
    return out


def truth(y):
    out = np.full((len(y), len(MEASURES)), np.nan)
    out[:, 0] = y
    return out


def wrong_forecasts(origins, bias, spread, seed=5):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(origins):
        mean = rng.uniform(30, 60, 24)
        y = rng.normal(mean, 5)
        pairs.append((ensemble(rng.normal(mean + bias, 5 * spread, (60, 24))), truth(y)))
    return pairs


def origins_of(pairs, naive=None, delay=5):
    return [
        Origin(i * 10, i * 10 + delay, y, {TWIN: x, **{name: x if naive is None else naive for name in NAIVE}})
        for i, (x, y) in enumerate(pairs)
    ]


@pytest.mark.parametrize("spread", [1.0, 0.4])
def test_widening_learned_on_past_forecasts_mends_new_ones(spread):
    done = delivered(origins_of(wrong_forecasts(60, 0.0, spread)))[20:]
    shares = {}
    for name in (TWIN, DELIVERED):
        pit = [ranks(o.members[name][:, :, 0], o.truth[:, 0], Streams(1), 100 * i) for i, o in enumerate(done)]
        shares[name] = [np.mean(covered(np.concatenate(pit), band)) for band in (0.5, 0.8, 0.95)]
    assert shares[DELIVERED] == pytest.approx([0.5, 0.8, 0.95], abs=0.05)
    if spread < 1:
        assert shares[TWIN][1] < 0.6


def test_bands_cover_at_their_rate_in_the_mean_whatever_comes():
    """The truth leaves the twin's bands for long stretches, by a rule that no forecast knows."""
    rng = np.random.default_rng(3)
    pairs = []
    for i in range(100):
        away = 12.0 if (i // 10) % 3 == 0 else 0.0
        pairs.append((ensemble(rng.normal(40, 5, (60, 12))), truth(rng.normal(40 + away, 5, 12))))
    done = delivered(origins_of(pairs))
    missed = {}
    for name in (TWIN, DELIVERED):
        pit = [ranks(o.members[name][:, :, 0], o.truth[:, 0], Streams(2), 100 * i) for i, o in enumerate(done)]
        missed[name] = 1 - np.mean(covered(np.concatenate(pit), 0.95))
    assert missed[TWIN] > 0.15
    assert missed[DELIVERED] < 0.09


@pytest.mark.parametrize("twin_is_good", [True, False])
def test_the_mixture_is_about_as_good_as_the_best_of_its_forecasts(twin_is_good):
    rng = np.random.default_rng(4)
    origins = []
    for i in range(24):
        mean = rng.uniform(30, 60, 24)
        good, poor = (ensemble(rng.normal(mean + bias, sd, (60, 24))) for bias, sd in ((0, 5), (15, 2)))
        twin, naive = (good, poor) if twin_is_good else (poor, good)
        members = {TWIN: twin, "persistence": naive, "seasonal": poor, "climatology": poor}
        origins.append(Origin(i * 10, i * 10 + 5, truth(rng.normal(mean, 5)), members))
    found = {
        name: np.mean([crps(o.members[name][:, :, 0], o.truth[:, 0]).mean() for o in delivered(origins)[6:]])
        for name in (TWIN, "persistence", DELIVERED)
    }
    assert found[DELIVERED] < 1.1 * min(found[TWIN], found["persistence"])
    assert max(found[TWIN], found["persistence"]) > 3 * found[DELIVERED]


def test_mixtures_keep_members_counts_whole_and_nothing_below_zero():
    rng = np.random.default_rng(7)
    members = {name: np.abs(rng.normal(2, 2, (30, 5, len(MEASURES)))).round() for name in (TWIN, *NAIVE)}
    members["seasonal"][:, :2] = np.nan  # has nothing to say about the first intervals
    weights = np.tile([0.4, 0.1, 0.3, 0.2], (len(MEASURES), 1))
    out = Delivery(weights, np.full((len(MEASURES), 3), 0.4), 5).apply(members)[DELIVERED]
    assert out.shape == members[TWIN].shape
    assert out.min() >= 0
    counts = out[:, :, MEASURES.index("arrivals")]
    assert np.array_equal(counts, counts.round())
    # Stretched about the median, in order.
    plain = Delivery(weights, np.zeros((len(MEASURES), 3)), 5).apply(members)[DELIVERED][:, :, 0]
    assert np.all(np.quantile(out[:, :, 0], 0.9, axis=0) >= np.quantile(plain, 0.9, axis=0))
    assert np.allclose(np.median(out[:, :, 0], axis=0), np.median(plain, axis=0))


def test_backtest_uses_only_truths_known_at_its_origin():
    """What is given out at an origin must not change with a truth that came after it."""
    origins = origins_of(wrong_forecasts(8, 3.0, 0.5), delay=15)
    before = [origin.members[DELIVERED] for origin in delivered(origins)]
    origins[5] = replace(origins[5], truth=origins[5].truth + 1_000.0)
    after = [origin.members[DELIVERED] for origin in delivered(origins)]
    for i in range(7):  # the truth of 5 is known from 65 on: only origin 7 (at 70) may use it
        assert np.array_equal(before[i], after[i], equal_nan=True)
    assert not np.array_equal(before[7], after[7], equal_nan=True)


def test_evaluation_scores_every_forecast_on_the_same_intervals():
    rng = np.random.default_rng(8)
    origins = []
    for i in range(10):
        mean = rng.uniform(30, 60, 12)
        y = rng.normal(mean, 5)
        good, poor = ensemble(rng.normal(mean, 5, (60, 12))), ensemble(rng.normal(45, 15, (60, 12)))
        poor[:, :3, 0] = np.nan
        members = {TWIN: good, "persistence": poor, "seasonal": poor, "climatology": poor}
        origins.append(Origin(i * 10, i * 10 + 5, truth(y), members))
    (score,) = evaluate(origins)
    assert score.n == 10 * 9
    assert score.verdict == "better"
    assert score.crps[TWIN] < score.crps["seasonal"]
    assert sum(score.histogram[TWIN]) == pytest.approx(1.0)
