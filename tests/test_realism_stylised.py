"""The estimators against closed forms, their intervals' coverage, and the reference statistics of the recorded days."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from scenarios.realism.day import StockDay, recorded_day
from twin.clock import MINUTE, SECOND, at
from twin.matching.sse_l2 import read_day
from twin.measures import stylised, stylised_intervals
from twin.measures.resampling import Measured, Resampler, over_days
from twin.measures.stylised import AT_BEST, BEHIND, CONTINUOUS, INSIDE, MARKETABLE

DAYS = ("sse_l2_600519_20230207", "sse_l2_600536_20230711", "sse_l2_605580_20230711")


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def long_memory(n: int, d: float, seed: int = 1) -> np.ndarray:
    """Fractional noise (Hosking 1981): autocorrelation ~ lag ** (2 d - 1)."""
    k = np.arange(1, n)
    weights = np.concatenate([[1.0], np.cumprod((k - 1 + d) / k)])
    noise = rng(seed).standard_normal(2 * n)
    return np.fft.irfft(np.fft.rfft(weights, 4 * n) * np.fft.rfft(noise, 4 * n))[n : 2 * n]


def within(found: Measured, expected: float, half_widths: float = 2.0) -> bool:
    return abs(found.value - expected) <= half_widths * found.half_width


@pytest.mark.parametrize("df", [2.0, 3.0, 4.0])
def test_hill_finds_the_exponent_of_students_tails(df: float) -> None:
    x = np.abs(stats.t.rvs(df, size=200_000, random_state=rng()))
    assert stylised.hill(x, 0.002) == pytest.approx(df, rel=0.12)


def test_hill_of_a_pareto_is_unbiased_whatever_the_fraction() -> None:
    x = stats.pareto.rvs(1.5, size=100_000, random_state=rng())
    for fraction in (0.01, 0.05, 0.5):
        k = int(len(x) * fraction)
        assert abs(stylised.hill(x, fraction) - 1.5) < 4 * 1.5 / math.sqrt(k)
    assert math.isnan(stylised.hill(x[:50], 0.05))


def test_autocorrelation_of_an_ar1_is_geometric() -> None:
    noise, x = rng().standard_normal(100_000), np.zeros(100_000)
    for t in range(1, len(x)):
        x[t] = 0.6 * x[t - 1] + noise[t]
    lags = [1, 2, 5]
    found = stylised_intervals.autocorrelations(x, lags, Resampler(block=100))
    for lag, value in zip(lags, found, strict=True):
        assert within(value, 0.6**lag)
        assert value.low < value.value < value.high
    assert stylised.variance_ratio(x, 10) == pytest.approx(
        1 + 2 * sum((1 - k / 10) * 0.6**k for k in range(1, 10)), rel=0.05
    )


def test_decay_exponent_of_fractional_noise() -> None:
    x = long_memory(1 << 17, 0.35)
    exponent = stylised.decay_exponent(stylised.DECAY_LAGS, stylised.autocorrelation(x, stylised.DECAY_LAGS))
    assert exponent == pytest.approx(1 - 2 * 0.35, abs=0.06)
    lags = np.array([1, 10, 100])
    assert stylised.decay_exponent(lags, 0.4 * lags**-0.45) == pytest.approx(0.45)


def test_shuffled_signs_have_no_memory() -> None:
    signs = np.sign(long_memory(20_000, 0.4))
    by = Resampler(block=500)
    ordered = stylised_intervals.mean_autocorrelation(signs, 1, 50, by)
    shuffled = stylised_intervals.mean_autocorrelation(rng().permutation(signs), 1, 50, by)
    assert ordered.low > 0.1
    assert shuffled.low < 0.01
    assert abs(shuffled.value) < 0.01


def test_moments_are_those_of_scipy() -> None:
    x = stats.skewnorm.rvs(4, size=5_000, random_state=rng())
    assert stylised.skewness(x) == pytest.approx(stats.skew(x))
    assert stylised.excess_kurtosis(x) == pytest.approx(stats.kurtosis(x))
    by = Resampler()
    assert stylised_intervals.skewness(x, by).value == pytest.approx(stats.skew(x))
    assert stylised_intervals.excess_kurtosis(x, by).value == pytest.approx(stats.kurtosis(x))
    assert stylised_intervals.deviation(x, by).value == pytest.approx(x.std())


def test_weibull_is_the_maximum_of_the_likelihood() -> None:
    x = stats.weibull_min.rvs(0.7, scale=0.3, size=20_000, random_state=rng())
    shape, scale = stylised.weibull(x)
    reference, _, reference_scale = stats.weibull_min.fit(x, floc=0)
    assert shape == pytest.approx(reference, rel=1e-4)
    assert scale == pytest.approx(reference_scale, rel=1e-4)


def test_sums_of_heavy_tailed_returns_become_gaussian() -> None:
    kurtosis = stylised.kurtosis_by_horizon(stats.t.rvs(5, size=300_000, random_state=rng()), [1, 10, 100])
    assert kurtosis[0] > 3
    assert kurtosis[2] < 0.5


def test_signature_of_a_random_walk_is_flat() -> None:
    price = np.exp(np.cumsum(1e-3 * rng().standard_normal(50_000)))
    assert stylised.signature(price, [1, 5, 20]) == pytest.approx(1e-6, rel=0.1)


def test_placement_by_hand() -> None:
    side = np.array([1, 1, 1, 1, -1, -1, -1, -1, 1])
    price = np.array([102, 101, 100, 97, 100, 101, 102, 110, 0])
    bid, ask = np.full(9, 100), np.full(9, 102)
    kinds = [MARKETABLE, INSIDE, AT_BEST, BEHIND, MARKETABLE, INSIDE, AT_BEST, BEHIND, MARKETABLE]
    assert stylised.placement(side, price, bid, ask).tolist() == kinds
    assert stylised.ticks_behind(side, price, bid, ask)[:8].tolist() == [-2, -1, 0, 3, -2, -1, 0, 8]


def test_time_weights_leave_out_the_noon_break() -> None:
    time = np.array([at("09:25"), at("11:29"), at("13:01")])
    assert stylised.time_weights(time).tolist() == [119 * 60, 2 * 60, 116 * 60]
    assert stylised.trading_time([at("12:00"), at("13:00"), at("15:00")]).tolist() == [
        120 * MINUTE, 120 * MINUTE, 237 * MINUTE,
    ]  # fmt: skip


def test_grid_takes_the_last_value_before_each_instant() -> None:
    time = np.array([at("09:30"), at("09:30:15"), at("13:00:30")])
    grid = stylised.on_grid(time, [1.0, 2.0, 3.0], MINUTE)
    assert len(grid) == 237
    assert grid[0] == 2
    assert grid[119] == 2
    assert grid[120] == 3


def test_power_law_is_found_through_bins() -> None:
    size = 100 * np.exp(5 * rng().uniform(size=50_000))
    x, y = stylised.mean_by_size(size, 3 * size**0.5)
    assert stylised.power_exponent(x, y) == pytest.approx(0.5, abs=0.03)
    assert stylised.power_exponent([1, 2, 4], [2, 4, 8]) == pytest.approx(1)


def test_impact_fit_recovers_the_square_root_with_noise_and_negative_means() -> None:
    share = np.array([0.001, 0.003, 0.01, 0.03, 0.1])
    impacts = 1.2 * share**0.5 + 0.05 * rng().standard_normal((40, 5))
    impacts[:, 0] -= impacts[:, 0].mean() + 0.001
    assert stylised.impact_fit(share, 2 * share**0.5, np.full(5, 0.01)) == pytest.approx((0.5, 2.0))
    found = stylised_intervals.impact_exponent(share, impacts, Resampler())
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(0.5, abs=0.1)


def test_volume_and_volatility_move_together_where_one_makes_the_other() -> None:
    volume = rng().lognormal(size=2_000)
    returns = np.sqrt(volume)[:, None] * rng(2).standard_normal((2_000, 30))
    assert stylised.volume_volatility(volume, returns) > 0.9
    assert abs(stylised.volume_volatility(rng(3).permutation(volume), returns)) < 0.1


def coverage(draw: object, estimate: object, truth: float, times: int = 150) -> float:
    hits = 0
    for i in range(times):
        found = estimate(draw(i))  # type: ignore[operator]
        hits += found.low <= truth <= found.high
    return hits / times


def test_independent_bootstrap_covers_the_mean() -> None:
    share = coverage(
        lambda i: rng(i).exponential(size=200), lambda x: stylised_intervals.mean(x, Resampler(replications=200)), 1.0
    )
    assert 0.87 <= share <= 0.99


def test_block_bootstrap_covers_the_mean_of_a_dependent_series_and_the_independent_one_does_not() -> None:
    def draw(i: int) -> np.ndarray:
        noise = rng(i).standard_normal(2_000)
        x = np.zeros_like(noise)
        for t in range(1, len(x)):
            x[t] = 0.8 * x[t - 1] + noise[t]
        return x

    blocks = coverage(draw, lambda x: stylised_intervals.mean(x, Resampler(block=50, replications=200)), 0.0)
    single = coverage(draw, lambda x: stylised_intervals.mean(x, Resampler(block=1, replications=200)), 0.0)
    assert blocks > 0.84
    assert single < 0.7


def test_stationary_bootstrap_keeps_neighbours_together() -> None:
    rows = np.array(list(Resampler(block=20, replications=30, stationary=True).indices(2_000)))
    assert rows.shape == (30, 2_000)
    assert np.mean(np.diff(rows, axis=1) == 1) == pytest.approx(1 - 1 / 20, abs=0.02)
    assert np.bincount(rows.ravel(), minlength=2_000).min() > 3


def test_days_are_averaged_with_students_interval_once_there_are_enough() -> None:
    days = [Measured(v, v - 1, v + 2, 10, "") for v in (1.0, 2.0, 3.0, 4.0, 5.0)]
    found = over_days(days)
    assert found.value == 3
    assert found.high - 3 == pytest.approx(stats.t.ppf(0.975, 4) * math.sqrt(2.5 / 5))
    few = over_days(days[:4])
    assert (few.low, few.high) == pytest.approx((2.5 - 0.5, 2.5 + 1.0))
    assert over_days(days[:1]) == days[0]


# --- the recorded days ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=3)
def day_of(folder: Path) -> StockDay:
    return recorded_day(read_day(folder))


@pytest.fixture(params=DAYS)
def case(request: pytest.FixtureRequest, shared_data: Path) -> tuple[StockDay, dict]:
    reference = json.loads((shared_data / "market" / "reference_stats.json").read_text())
    return day_of(shared_data / "market" / request.param), reference[request.param]


def close(found: float, expected: float, digits: int) -> bool:
    """Equal to the precision given in the reference, or half a unit more where a tie was rounded the other way."""
    return abs(found - expected) <= 1.01 * 10**-digits / 2 + 1e-12


@pytest.mark.data
def test_counts_and_sizes_equal_the_reference(case: tuple[StockDay, dict]) -> None:
    day, reference = case
    counts = reference["counts"]
    assert (len(day.orders), len(day.cancels), len(day.trades)) == (counts["new"], counts["cancel"], counts["trades"])
    assert day.volume == counts["volume"]
    for column, key in ((day.orders.quantity, "order_size"), (day.trades.quantity, "trade_size")):
        found = stylised.sizes(column)
        for name, expected in reference[key].items():
            digits = 1 if name in ("mean", "median", "p90", "p99") else 4 if name.startswith("share") else 3
            assert close(getattr(found, name), expected, digits), (key, name)


@pytest.mark.data
def test_gaps_equal_the_reference(case: tuple[StockDay, dict]) -> None:
    day, reference = case
    gaps, expected = stylised.gaps(day.orders.time), reference["new_order_interarrival_s"]
    shape, scale = stylised.weibull(gaps)
    found = [gaps.mean(), gaps.std() / gaps.mean(), np.mean(gaps == 0), shape, scale]
    names = ("mean", "cv", "share_same_10ms", "weibull_shape_of_positive", "weibull_scale_s")
    for value, name, digits in zip(found, names, (4, 3, 4, 3, 3), strict=True):
        assert close(float(value), expected[name], digits), name
    for value, lag in zip(stylised.autocorrelation(gaps, [1, 10, 100]), ("1", "10", "100"), strict=True):
        assert float(value) == pytest.approx(expected["acf"][lag], abs=2e-4)
    trades, expected = stylised.gaps(day.trades.time), reference["intertrade_s"]
    assert close(stylised.weibull(trades)[0], expected["weibull_shape_of_positive"], 3)
    assert stylised.hill(trades, 0.05) == pytest.approx(expected["hill_top5pct"], rel=2e-3)


@pytest.mark.data
def test_signs_equal_the_reference(case: tuple[StockDay, dict]) -> None:
    day, reference = case
    expected = reference["aggressor_sign"]
    signs, _ = stylised.one_sign_per_order(day.trades.sign, day.trades.taker)
    assert len(signs) == expected["n"]
    assert close(float(np.mean(signs > 0)), expected["share_buy"], 4)
    for lag, value in expected["acf"].items():
        assert close(float(stylised.autocorrelation(signs, [int(lag)])[0]), value, 4)
    lags = stylised.DECAY_LAGS
    assert close(
        stylised.decay_exponent(lags, stylised.autocorrelation(signs, lags)), expected["decay_exponent_lag1_200"], 3
    )


@pytest.mark.data
def test_placement_and_lives_equal_the_reference(case: tuple[StockDay, dict]) -> None:
    day, reference = case
    orders = day.orders
    seen = orders.take(stylised.inside(orders.time) & (orders.bid > 0) & (orders.ask > 0))
    where = stylised.placement(seen.side, seen.price, seen.bid, seen.ask)
    for kind, name in ((MARKETABLE, "marketable"), (INSIDE, "inside_spread"), (AT_BEST, "at_best")):
        assert close(float(np.mean(where == kind)), reference["placement_share"][name], 4), name
    behind = stylised.ticks_behind(seen.side, seen.price, seen.bid, seen.ask)[where == BEHIND]
    expected = reference["ticks_behind_best"]
    assert len(behind) == expected["n"]
    assert [float(np.quantile(behind, q)) for q in (0.5, 0.9, 0.99)] == pytest.approx(
        [expected[k] for k in ("median", "p90", "p99")]
    )
    assert close(stylised.hill(behind, 0.1), expected["hill_top10pct"], 3)
    assert close(stylised.hill(behind, 0.05), expected["hill_top5pct"], 3)
    cancelled = orders.take((orders.fate == -1) & stylised.inside(orders.time))
    life = (cancelled.ended - cancelled.time) / SECOND
    life -= 5400 * ((cancelled.time < at("11:30")) & (cancelled.ended >= at("13:00")))
    expected = reference["cancelled_order_lifetime_s"]
    assert len(life) == expected["n"]
    for level, name in ((0.5, "median"), (0.1, "p10"), (0.9, "p90")):
        assert float(np.quantile(life, level)) == pytest.approx(expected[name], abs=0.006), name


@pytest.mark.data
def test_the_day_in_half_hours_equals_the_reference(case: tuple[StockDay, dict]) -> None:
    day, reference = case
    late = day.trades.take(day.trades.time >= at("09:30"))
    edges = [at("09:30") + k * 30 * MINUTE for k in range(4)] + [at("13:00") + k * 30 * MINUTE for k in range(4)]
    volume = np.bincount(np.searchsorted(edges, late.time, side="right") - 1, late.quantity, 8)
    found = volume / volume.sum()
    for share, expected in zip(found, reference["volume_share_by_half_hour_incl_close_auction"], strict=True):
        assert close(float(share), expected, 4)


@pytest.mark.data
def test_what_depends_on_the_sampling_of_the_book_is_near_the_reference(case: tuple[StockDay, dict]) -> None:
    """Mid returns, spread and depth: the reference does not say when it looked at the book, so no equality."""
    day, reference = case
    quotes = day.quotes
    mid = 0.5 * (quotes.bid + quotes.ask)
    for step, key in ((MINUTE, "mid_returns_1min"), (10 * SECOND, "mid_returns_10s")):
        returns = stylised.log_returns(stylised.on_grid(quotes.time, mid, step))
        assert len(returns) == reference[key]["n"]
        assert returns.std() == pytest.approx(reference[key]["std"], rel=0.03)
        assert stylised.excess_kurtosis(returns) == pytest.approx(reference[key]["excess_kurtosis"], rel=0.2)
    weight = stylised.time_weights(quotes.time, CONTINUOUS)
    spread = float(weight @ (quotes.ask - quotes.bid)) / weight.sum()
    assert spread == pytest.approx(reference["spread"]["time_weighted_ticks"], rel=0.05)
    shares = float(weight @ (0.5 * (quotes.bid_quantity + quotes.ask_quantity))) / weight.sum()
    assert shares == pytest.approx(reference["best_level_depth_shares"], rel=0.01)
