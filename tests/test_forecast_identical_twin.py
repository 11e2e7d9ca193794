"""Identical twin: a simulated office is the truth, and forecasts from its log must cover it at their nominal rate."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_house import DAY, HOUR, START, office

from twin.process.forecasting import ensemble
from twin.process.forecasting.backtest import Backtest, run_backtest
from twin.process.forecasting.choice import discover_as
from twin.process.forecasting.columns import known_at
from twin.process.forecasting.evaluate import DELIVERED, TWIN, evaluate
from twin.process.forecasting.forecast import Plan, forecast
from twin.process.forecasting.measures import MEASURES
from twin.process.forecasting.scores import covered, ranks
from twin.process.forecasting.state import state_at
from twin.randomness import Streams

FIRST = START + 12 * DAY


@pytest.fixture(scope="module")
def bureau():
    return office(days=24, seed=11, per_hour=4.0)


@pytest.fixture(scope="module")
def process(bureau):
    return discover_as(known_at(bureau.log, FIRST), state_at(bureau.log, FIRST), "workforce")


@pytest.fixture(scope="module")
def origins(bureau, process, tmp_path_factory):
    test = Backtest(Plan(12 * HOUR, 6 * HOUR, runs=30, deadline=3 * HOUR), FIRST, FIRST + 11 * DAY, 8 * HOUR)
    return run_backtest(bureau.log, test, tmp_path_factory.mktemp("twin"), process)


def shares(origins, name, measure, bands=(0.5, 0.8, 0.95)):
    m = MEASURES.index(measure)
    pit = [ranks(o.members[name][:, :, m], o.truth[:, m], Streams(1), 1_000 * i)[0] for i, o in enumerate(origins)]
    return [float(np.nanmean(covered(np.array(pit), band))) for band in bands]


@pytest.mark.parametrize("measure", ["wip", "arrivals", "completions", "breaches", "utilisation"])
@pytest.mark.slow
def test_bands_cover_the_truth_at_their_nominal_rate(origins, measure):
    """First intervals do not overlap: their hits are nearly independent, so a binomial interval applies."""
    n = len(origins)
    for share, band in zip(shares(origins, TWIN, measure), (0.5, 0.8, 0.95), strict=True):
        # 3.5 standard deviations, and 0.05 for what is fitted rather than known.
        assert abs(share - band) <= 3.5 * np.sqrt(band * (1 - band) / n) + 0.05


@pytest.mark.slow
def test_a_wrong_forecast_fails_the_same_check(origins):
    """Power: ensembles of half the spread, or off by two spreads, are caught."""
    m = MEASURES.index("arrivals")
    n = len(origins)
    for wrong in (lambda x: x.mean(0) + 0.4 * (x - x.mean(0)), lambda x: x + 2 * x.std(0)):
        pit = [
            ranks(wrong(o.members[TWIN][:, :, m]), o.truth[:, m], Streams(1), 1_000 * i)[0]
            for i, o in enumerate(origins)
        ]
        assert np.nanmean(covered(np.array(pit), 0.8)) < 0.8 - 3.5 * np.sqrt(0.16 / n) - 0.05


@pytest.mark.slow
def test_twin_beats_climatology_and_persistence_on_the_load(origins):
    scores = {score.measure: score for score in evaluate(origins)}
    assert scores["wip"].skill["persistence"].value > 0
    assert scores["wip"].crps[DELIVERED] < 1.1 * scores["wip"].crps["climatology"]
    # Of a homogeneous Poisson process climatology is the truth itself.
    assert scores["arrivals"].crps[TWIN] < 1.1 * scores["arrivals"].crps["climatology"]


def test_first_interval_starts_from_the_true_state(bureau, process):
    """Just after the instant the ensemble's load is the number of cases that have begun and not ended."""
    for day in (14.2, 17.55, 20.8):
        t = START + int(day * DAY)
        plan = Plan(60_000_000_000, 60_000_000_000, runs=30)
        found = forecast(bureau.log, t, plan, process)
        begun = bureau.open_at(t) & set(found.state.columns.cases)
        assert float(np.median(found.members[:, 0, 0])) == pytest.approx(len(begun), abs=2.0)


@pytest.mark.slow
def test_forecast_does_not_depend_on_the_number_of_processes(bureau):
    t = START + 15 * DAY
    plan = Plan(DAY, 6 * HOUR, runs=24, deadline=3 * HOUR)
    alone = forecast(bureau.log, t, plan)
    with ensemble.workers(2) as pool:
        shared = forecast(bureau.log, t, plan, pool=pool)
    assert np.array_equal(alone.members, shared.members, equal_nan=True)
    assert np.array_equal(alone.cases.late, shared.cases.late)


def test_a_longer_horizon_and_more_runs_keep_what_a_shorter_forecast_said(bureau, process):
    t = START + 15 * DAY
    short = forecast(bureau.log, t, Plan(12 * HOUR, 6 * HOUR, runs=10), process)
    long = forecast(bureau.log, t, Plan(DAY, 6 * HOUR, runs=20), process)
    assert np.array_equal(short.members[:, :, :4], long.members[:10, :2, :4])


def test_open_cases_are_older_the_likelier_late(bureau, process):
    plan = Plan(DAY, 6 * HOUR, runs=60, deadline=3 * HOUR)
    found = forecast(bureau.log, START + 16 * DAY + 5 * HOUR, plan, process)
    cases = found.cases
    assert np.all(np.diff(cases.born) >= 0)
    assert np.all(cases.low <= cases.end)
    assert np.all(cases.end <= cases.high + 1e13)
    age = found.instant - cases.born
    over = age > 3 * HOUR
    assert np.all(cases.late[over] >= 0.9 * cases.chance[over])
    fresh = age < HOUR
    if over.any() and fresh.any():
        assert cases.late[fresh].mean() < cases.late[over].mean()
