"""Fits recover the parameters of data simulated with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import zeta

from scenarios.calibration.fit_index import TRAILING, fit_response, robust_regression
from scenarios.calibration.fits import (
    TAIL,
    autocorrelation,
    fit_lomax,
    fit_patience,
    fit_signs,
    fit_sizes,
    fit_tail,
    kaplan_meier,
)


@pytest.mark.parametrize(("scale", "exponent", "unit"), [(0.6, 0.3, 2.0), (2.0, 1.5, 40.0), (5.0, 0.8, 1.2)])
def test_lomax_is_recovered_from_truncated_ticks(scale: float, exponent: float, unit: float) -> None:
    rng = np.random.default_rng(1)
    most = 500
    u = rng.random(20_000) * (1 - (1 + (most + 1) / unit / scale) ** -exponent)
    ticks = np.floor(unit * scale * ((1 - u) ** (-1 / exponent) - 1))
    found = fit_lomax(ticks, unit, most)
    assert found.scale == pytest.approx(scale, rel=0.12)
    assert found.exponent == pytest.approx(exponent, rel=0.12)
    assert found.ks < 2 / np.sqrt(len(ticks))


def test_lomax_that_does_not_fit_says_so() -> None:
    assert fit_lomax(np.full(1000, 50), 1.0, 500).ks > 0.3


@pytest.mark.parametrize(
    ("price", "mean", "sd", "spike"), [(20.0, 9.3, 1.3, 0.1), (1800.0, 11.5, 1.0, 0.4), (5.0, 9.0, 1.5, 0.0)]
)
def test_sizes_are_recovered_from_lots(price: float, mean: float, sd: float, spike: float) -> None:
    rng = np.random.default_rng(2)
    n = 40_000
    lots = np.maximum(1, np.floor(np.exp(sd * rng.standard_normal(n)) * (np.exp(mean) / price / 100 + 1) + 0.5))
    rounded = (rng.random(n) < 0.2) & (lots >= 5) & (price == 20.0)
    lots = np.where(rounded, np.floor((lots + 5) / 10) * 10, lots)
    lots = np.where(rng.random(n) < spike, 1, lots)
    found = fit_sizes(lots * 100, price)
    # at 1,800 CNY most orders are of one lot: the tail alone tells spike and body apart, with large standard errors
    loose = 8 if price == 1800.0 else 1.5
    assert found.log_value == pytest.approx(mean, abs=0.08 * loose)
    assert found.log_value_sd == pytest.approx(sd, abs=0.06 * loose)
    assert found.spike_share == pytest.approx(spike, abs=0.03 * loose)
    if price == 20.0:
        assert found.round_share == pytest.approx(0.2, abs=0.04)


def test_tail_of_sizes_is_recovered_and_a_gesture_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    n, exponent, reach = 60_000, 1.6, 30.0
    end = reach**-exponent
    tail = 5.0 * (end + (1 - end) * rng.random(int(TAIL * n))) ** (-1 / exponent)
    ratio = np.concatenate([5.0 * rng.random(n - len(tail)), tail])
    for sizes in (ratio, np.append(ratio, 2_500.0)):
        found, far, error = fit_tail(sizes)
        assert found == pytest.approx(exponent, abs=0.1)
        assert far == pytest.approx(reach, rel=0.4)
        assert error < 0.1


def test_patience_is_recovered_although_fills_hide_it() -> None:
    rng = np.random.default_rng(3)
    n = 10_000
    wish = np.where(rng.random(n) < 0.6, np.exp(4.0 + 2.0 * rng.standard_normal(n)), np.inf)
    fill = rng.exponential(200.0, n)
    end = np.minimum(wish, np.minimum(fill, 3000.0))
    found = fit_patience(end, wish == end)
    assert found.willing_share == pytest.approx(0.6, abs=0.06)
    assert found.log_seconds == pytest.approx(4.0, abs=0.25)
    assert found.log_seconds_sd == pytest.approx(2.0, abs=0.15)
    assert found.km_distance < 0.03


def test_kaplan_meier_equals_the_textbook() -> None:
    # Kaplan and Meier by hand: deaths at 1 and 3, losses at 2 and 4
    times, curve = kaplan_meier(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False]))
    assert times.tolist() == [1, 2, 3, 4]
    assert curve.tolist() == pytest.approx([0.75, 0.75, 0.375, 0.375])


def test_metaorders_are_recovered_from_signs() -> None:
    rng = np.random.default_rng(4)
    exponent, follow = 1.6, 0.6
    runs = np.minimum(rng.random(200_000) ** (-1 / exponent), 1e5).astype(int)
    leader = np.repeat(rng.choice([-1, 1], len(runs)), runs)[:300_000]
    signs = np.where(rng.random(len(leader)) < (1 + follow) / 2, leader, -leader)
    found = fit_signs(signs)
    assert found.run_exponent == pytest.approx(exponent, abs=0.15)
    assert found.follow == pytest.approx(follow, abs=0.05)
    expected = follow**2 * zeta(exponent, 2.0) / zeta(exponent)
    assert autocorrelation(signs, [1])[0] == pytest.approx(expected, abs=0.03)


def test_robust_regression_ignores_wild_days() -> None:
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(2000), rng.random(2000)])
    y = x @ np.array([1.0, 2.0]) + 0.1 * rng.standard_normal(2000)
    y[:40] += 50
    beta, se = robust_regression(x, y)
    assert np.all(np.abs(beta - [1.0, 2.0]) < 0.05)
    assert np.all((se > 0.003) & (se < 0.02))


def test_response_to_the_index_is_recovered() -> None:
    rng = np.random.default_rng(6)
    n = 4000
    move = 0.01 * rng.standard_normal(n)
    close = 3000 * np.cumprod(1 + move)
    before = np.concatenate([[3000.0], close[:-1]])
    gap = 0.3 * 0.01 * rng.standard_normal(n)
    volume = 1e9 * np.exp(0.2 * 100 * np.abs(move) + 0.1 * 100 * np.abs(gap) + 0.1 * rng.standard_normal(n))
    found = fit_response(before * (1 + gap), close, volume)
    assert found.days == n - TRAILING
    assert abs(found.elasticity - 0.2) < 4 * found.elasticity_se
    assert abs(found.gap - 0.1) < 4 * found.gap_se
    assert found.r2 > 0.3
