"""Measures by interval, arrivals and naive forecasts against brute force and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_house import DAY, HOUR, START, log_of, office
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from twin.errors import ScenarioError
from twin.process.forecasting.arrivals import fit_arrivals
from twin.process.forecasting.columns import NEVER, NONE
from twin.process.forecasting.measures import MEASURES, World, series
from twin.process.forecasting.naive import MEMBERS, history_edges, naive_forecasts
from twin.process.forecasting.spans import instant_of, span_of, span_text, text_of
from twin.process.forecasting.state import state_at
from twin.process.forecasting.week import WEEK
from twin.process.forecasting.worlds import people_at, world_of_log, world_of_state
from twin.randomness import Streams

M = {name: i for i, name in enumerate(MEASURES)}


def slow(world, edges, people, deadline):
    """The same measures, one interval and one case at a time."""
    out = np.zeros((len(edges) - 1, len(MEASURES)))
    ended = [10**30 if e == NEVER else e for e in world.ended.tolist()]
    work = list(zip(world.start.tolist(), world.end.tolist(), world.enabled.tolist(), strict=True))
    for j, (a, b) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        out[j, 0] = sum(x < b <= e for x, e in zip(world.born.tolist(), ended, strict=True))
        queue = [b - q for s, _, q in work if q != NONE and q < b <= s]
        out[j, 1], out[j, 5] = len(queue), max(queue, default=0) / HOUR
        out[j, 2] = sum(a <= x < b for x in world.born.tolist())
        out[j, 3] = sum(a <= e < b for e in ended)
        waits = [s - q for s, _, q in work if q != NONE and a <= s < b]
        out[j, 4] = np.mean(waits) / HOUR if waits else np.nan
        out[j, 6] = sum(max(min(e, b) - max(s, a), 0) for s, e, _ in work) / (b - a) / people
        out[j, 7] = sum(
            a <= x + deadline < b and e > x + deadline for x, e in zip(world.born.tolist(), ended, strict=True)
        )
    return out


@st.composite
def worlds(draw):
    cases = draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), min_size=1, max_size=12))
    rows = draw(
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 15), st.integers(0, 15), st.integers(0, 2)), max_size=15)
    )
    born = np.array([c[0] for c in cases], np.int64) * HOUR // 2
    ended = np.array([NEVER if c[2] else (c[0] + c[1]) * HOUR // 2 for c in cases], np.int64)
    enabled = np.array([NONE if r[3] == 0 else r[0] * HOUR // 2 for r in rows], np.int64)
    start = np.array([NEVER if r[3] == 2 else (r[0] + r[1]) * HOUR // 2 for r in rows], np.int64)
    end = np.array([NEVER if s == NEVER else s + r[2] * HOUR // 2 for s, r in zip(start, rows, strict=True)], np.int64)
    return World(
        born, ended, np.ones(len(born)), start, end, enabled, np.zeros(len(rows), np.int64), np.ones(len(rows))
    )


@given(worlds(), st.integers(1, 9), st.integers(1, 20))
def test_measures_equal_brute_force(world, n, deadline):
    edges = 5 * HOUR + np.arange(n + 1, dtype=np.int64) * 3 * HOUR
    found = series(world, edges, 3, deadline * HOUR)
    expected = slow(world, edges, 3, deadline * HOUR)
    assert np.allclose(found, expected, equal_nan=True)


def test_cases_are_conserved():
    """What is in progress changes by arrivals less completions, in the truth and in the past as known."""
    bureau = office(days=12, seed=5)
    t = START + 11 * DAY
    edges = START + np.arange(45, dtype=np.int64) * 6 * HOUR
    for world in (world_of_log(bureau.log), world_of_state(state_at(bureau.log, t))):
        x = series(world, edges[edges <= t], 9)
        assert np.allclose(np.diff(x[:, M["wip"]]), (x[:, M["arrivals"]] - x[:, M["completions"]])[1:])


def test_likely_ended_cases_count_by_their_chance():
    state = state_at(office(days=12, seed=5).log, START + 11 * DAY)
    world = world_of_state(state)
    last = series(world, START + 11 * DAY - np.array([HOUR, 0]), 9)[-1]
    assert last[M["wip"]] == pytest.approx(state.expected_open)


def test_people_are_those_of_the_last_four_weeks():
    rows = [("a", "x", "gone", START, START + HOUR), ("b", "x", "here", START + 50 * DAY, START + 50 * DAY + HOUR)]
    state = state_at(log_of(rows), START + 60 * DAY)
    assert people_at(state.columns, START + 60 * DAY) == 1


def poisson_times(rate_of, days, seed):
    """Arrivals of hourly rates by thinning-free counts."""
    rng = np.random.default_rng(seed)
    out = []
    for hour in range(days * 24):
        n = rng.poisson(rate_of(hour))
        out.append(START + hour * HOUR + rng.integers(0, HOUR, n))
    return np.sort(np.concatenate(out))


def office_hours(hour):
    day, clock = hour // 24 % 7, hour % 24
    return 6.0 if day < 5 and 8 <= clock < 18 else 0.0


def counts_of(model, edges, runs=150, seed=1):
    return np.array([np.histogram(model.draw(int(edges[-1]), Streams(seed, k)), edges)[0] for k in range(runs)])


def test_arrivals_of_office_hours_come_in_office_hours_at_their_rate():
    t = START + 42 * DAY
    model = fit_arrivals(poisson_times(office_hours, 42, 1), t)
    edges = t + np.arange(7 * 24 + 1) * HOUR
    mean = counts_of(model, edges).mean(axis=0)
    rates = np.array([office_hours(h) for h in range(7 * 24)])
    assert mean[rates == 0].sum() < 0.02 * mean.sum()
    assert mean[rates > 0].mean() == pytest.approx(6.0, rel=0.06)
    assert model.dispersion == pytest.approx(1.0, abs=0.45)
    assert model.evenness == pytest.approx(1.0, abs=0.2)


def test_arrival_bands_cover_new_days_of_the_same_process_and_not_of_another():
    """Power: day totals of the fitted process are inside the 90 % band about 90 times in 100; a third more are not."""
    hits = wrong = total = 0
    for seed in range(12):
        model = fit_arrivals(poisson_times(office_hours, 28, seed), START + 28 * DAY)
        edges = START + 28 * DAY + np.arange(6) * DAY
        x = counts_of(model, edges, 120)
        low, high = np.quantile(x, [0.05, 0.95], axis=0)
        new = np.random.default_rng(100 + seed).poisson(60, 5)
        more = np.random.default_rng(100 + seed).poisson(85, 5)
        hits += int(((new >= low) & (new <= high)).sum())
        wrong += int(((more >= low) & (more <= high)).sum())
        total += 5
    assert hits >= 0.9 * total - 4 * np.sqrt(total * 0.09)
    assert wrong < 0.5 * total


def test_regular_arrivals_get_narrow_bands_and_bursts_wide_ones():
    t = START + 28 * DAY
    regular = START + np.arange(28 * 48, dtype=np.int64) * HOUR // 2 + 60_000_000_000
    rng = np.random.default_rng(2)
    days = [START + d * DAY + rng.integers(0, DAY, rng.poisson(48 * rng.gamma(4, 0.25))) for d in range(28)]
    edges = t + np.arange(4) * DAY
    narrow = counts_of(fit_arrivals(regular, t), edges).std(axis=0).mean()
    wide = counts_of(fit_arrivals(np.concatenate(days), t), edges).std(axis=0).mean()
    assert narrow < 2.5
    assert wide > 14  # Poisson would be 7, the bursts have 25


def test_a_risen_level_is_followed():
    slow_, fast = poisson_times(lambda _: 1.0, 30, 3), poisson_times(lambda _: 3.0, 20, 4) + 30 * DAY
    model = fit_arrivals(np.concatenate([slow_, fast]), START + 50 * DAY)
    assert model.level.now == pytest.approx(72, rel=0.2)


def test_a_longer_horizon_keeps_the_arrivals_of_a_shorter():
    model = fit_arrivals(poisson_times(office_hours, 28, 5), START + 28 * DAY + 10 * HOUR)
    short, long = (model.draw(START + d * DAY, Streams(1, 3)) for d in (29, 33))
    assert np.array_equal(short, long[: len(short)])
    assert short.min() >= START + 28 * DAY + 10 * HOUR


def test_no_arrivals_and_few_arrivals_are_no_error():
    assert len(fit_arrivals(np.zeros(0, np.int64), START).draw(START + DAY, Streams(1))) == 0
    few = fit_arrivals(np.array([START, START + HOUR], np.int64), START + DAY)
    assert counts_of(few, START + DAY + np.arange(3) * DAY).mean() < 10


def test_independent_arrivals_are_uniform_within_a_flat_day():
    model = fit_arrivals(poisson_times(lambda _: 4.0, 60, 6), START + 60 * DAY)
    draws = np.concatenate([model.draw(START + 61 * DAY, Streams(2, k)) for k in range(60)])
    assert kstest((draws - START - 60 * DAY) / DAY, "uniform").pvalue > 1e-4


def past_of(values):
    out = np.full((len(values), len(MEASURES)), np.nan)
    out[:, M["wip"]] = values
    out[:, M["arrivals"]] = values
    return out


def test_naive_forecasts_of_a_repeating_week_repeat_it():
    t = START + 8 * WEEK
    hours = np.arange(8 * 168)
    values = 10 + 5 * np.sin(hours * 2 * np.pi / 168) + (hours % 24)
    out = naive_forecasts(past_of(values), HOUR, 200, t)
    ahead = (
        10 + 5 * np.sin((hours[-1] + 1 + np.arange(200)) * 2 * np.pi / 168) + ((hours[-1] + 1 + np.arange(200)) % 24)
    )
    assert np.allclose(out["seasonal"][:, :, M["wip"]], ahead)
    assert np.allclose(out["climatology"][:, :, M["wip"]], ahead)
    assert np.allclose(np.median(out["persistence"][:, :, M["wip"]], axis=0), values[-1], atol=8)
    assert out["persistence"].shape == (MEMBERS, 200, len(MEASURES))


def test_climatology_of_counts_is_poisson():
    t = START + 8 * WEEK
    out = naive_forecasts(past_of(np.full(8 * 168, 4.0)), HOUR, 5, t)["climatology"][:, 0, M["arrivals"]]
    assert out.mean() == pytest.approx(4.0, abs=0.05)
    assert out.var() == pytest.approx(4.0, abs=0.3)


def test_naive_forecasts_without_past_are_missing():
    out = naive_forecasts(np.zeros((0, len(MEASURES))), HOUR, 3, START)
    assert all(np.isnan(x).all() for x in out.values())
    assert len(history_edges(START, HOUR, START - 3 * HOUR)) == 4


@pytest.mark.parametrize(
    ("text", "ns"),
    [("30min", HOUR // 2), ("12h", 12 * HOUR), ("10d", 10 * DAY), ("2w", 14 * DAY), ("1.5h", HOUR * 3 // 2)],
)
def test_span_is_read_as_written(text, ns):
    assert span_of(text, "--every") == ns
    assert span_of(span_text(ns), "--every") == ns


@pytest.mark.parametrize("text", ["", "0h", "3", "h", "-1d", "1y"])
def test_span_of_nonsense_says_where(text):
    with pytest.raises(ScenarioError, match="--every"):
        span_of(text, "--every")


def test_instant_takes_the_zone_unless_it_names_one():
    assert instant_of("2024-01-01", "UTC", "") == START
    assert instant_of("2024-01-01T08:00", "Asia/Shanghai", "") == START
    assert instant_of("2024-01-01T01:00+01:00", "Asia/Shanghai", "") == START
    assert text_of(START) == "2024-01-01T00:00:00Z"
    with pytest.raises(ScenarioError, match="--as-of"):
        instant_of("tomorrow", "UTC", "--as-of")
