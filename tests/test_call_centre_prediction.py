"""Predictions: exact bookkeeping, honest bands on a centre whose parameters are known, and June of a real one."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from call_centre_house import FIRST, as_calls, as_table, calls_of
from typer.testing import CliRunner

from dashboards.cli import app
from dashboards.cli_call_centre import parse_months
from scenarios.calibration.call_centre import parameters as file
from scenarios.calibration.call_centre.calibration import calibrate
from scenarios.calibration.call_centre.fitting import fit
from scenarios.calibration.call_centre.mechanism import MEASURES, Ended, ratios, tally
from scenarios.calibration.call_centre.prediction import (
    Weeks,
    coverage,
    draw_calls,
    draw_plan,
    month_dates,
    predict,
    rows,
)
from scenarios.calibration.call_centre.records import DAY_S, Report, read
from scenarios.calibration.call_centre.rolling import roll, score_month
from twin.errors import DataError, ScenarioError
from twin.randomness import Streams

WEEKS = 8
PARAMETERS = Path(__file__).resolve().parents[1] / "scenarios/calibration/call_centre/january_to_may_1999.yaml"


@pytest.fixture(scope="module")
def house():
    """Parameters of the first eight weeks, and the records of the four weeks after them."""
    frame = calls_of(days=12 * 7, seed=3)
    cut = WEEKS * 7 * DAY_S
    past, future = frame[frame["arrived"] < cut], frame[frame["arrived"] >= cut]
    later = as_calls(future.assign(arrived=future["arrived"] - cut))
    return fit(as_calls(past), Report()), replace(later, first_day=FIRST + dt.timedelta(days=WEEKS * 7)), as_calls(past)


def dates_of(calls):
    return month_dates(calls.first_day, calls.days)


@pytest.mark.slow
def test_a_known_centre_is_predicted_inside_its_bands(house):
    fitted, actual, _ = house
    found = predict(fitted, dates_of(actual), runs=30, actual=actual)
    for c in coverage(rows(found)):
        assert c.hours_inside >= 0.5 * c.hours  # the hours of a month share the month's level
        assert c.days_inside > 0.8
    simulated, happened = (ratios(x[..., found.main, :, :].sum(axis=(-3, -2))) for x in (found.runs, found.actual))
    assert simulated.mean(axis=0)[2] == pytest.approx(happened[2], abs=0.03)
    # with arrivals and agents as they were, only the chance of talk times and patience is left
    known = predict(fitted, dates_of(actual), runs=30, actual=actual, given=["arrivals", "staff"])
    for c in coverage(rows(known)):
        assert c.hours_inside >= 0.6 * c.hours
    # power: with a fifth fewer agents the same centre would have been seen through
    fewer = fitted.model_copy(update={"staff": fitted.staff.model_copy(update={"flexibility": (0.8,) * 24})})
    wrong = {c.measure: c for c in coverage(rows(predict(fewer, dates_of(actual), runs=15, actual=actual)))}
    assert wrong["abandoned"].hours_inside < 0.3 * wrong["abandoned"].hours


def test_scores_beside_naive_forecasts_keep_their_books(house):
    fitted, actual, past = house
    found = score_month(fitted, past, actual, 3, runs=8, seed=1, band=0.9)
    assert {(s.measure, s.forecast) for s in found} == {(m, f) for m in MEASURES for f in ("twin", "mean", "last")}
    # eight weeks are January and February: the mean of both months has a band, the last one has none
    assert all((s.inside >= 0) == (s.forecast != "last") for s in found)
    assert all(s.hours == 10 and s.inside <= 10 and s.error >= 0 for s in found)
    calls = {s.forecast: s for s in found if s.measure == "arrivals"}
    assert calls["mean"].days_inside > 0.6
    with pytest.raises(DataError, match="no month before"):
        roll(PARAMETERS, [1])


@pytest.mark.slow
def test_calibration_leaves_a_centre_with_fixed_agents_as_it_is(house):
    fitted, _, past = house
    settled = calibrate(fitted, past, runs=3)
    assert np.asarray(settled.staff.flexibility)[9:17] == pytest.approx(np.ones(8), abs=0.1)
    # nothing but the staff is touched
    assert settled.model_copy(update={"staff": fitted.staff}) == fitted


def test_predictions_repeat_and_more_runs_keep_the_first(house):
    fitted, actual, _ = house
    few, more = (predict(fitted, dates_of(actual)[:7], runs=n).runs for n in (3, 5))
    assert np.array_equal(few, more[:3])
    assert not np.array_equal(more[0], more[1])


def test_every_call_is_counted_once(house):
    fitted, actual, _ = house
    streams = Streams(1, 2)
    dates = dates_of(actual)[:7]
    level = Weeks.of(fitted).ahead(dates, streams)[0]
    arrived, kind = draw_calls(fitted, dates, streams, level)
    assert np.all(np.diff(arrived[arrived < DAY_S]) >= 0)
    assert set(kind.tolist()) == {0, 1}
    assert predict(fitted, dates, runs=3).runs[2, ..., 0].sum() == len(arrived)
    sums = tally(Ended.of(actual), actual.days)
    assert sums[..., 0].sum() == len(actual)
    assert sums[..., 2].sum() == np.sum(~actual.served)
    assert np.all(sums[..., 2] + sums[..., 3] <= sums[..., 0])


def test_what_is_given_is_taken_from_the_records(house):
    fitted, actual, _ = house
    found = predict(fitted, dates_of(actual), runs=3, actual=actual, given=["arrivals", "staff"])
    assert np.array_equal(found.runs[..., 0], np.broadcast_to(found.actual[..., 0], found.runs[..., 0].shape))
    with pytest.raises(DataError, match="records that are not given"):
        predict(fitted, dates_of(actual), runs=2, given=["staff"])
    with pytest.raises(DataError, match="begin on"):
        predict(fitted, dates_of(actual)[1:], runs=2, actual=actual)


def test_plans_take_whole_weeks_in_order(house):
    fitted, actual, _ = house
    plan = draw_plan(fitted, dates_of(actual), Streams(1, 4))
    days = [d.date for d in plan.days]
    open_days = [(d, wanted) for d, wanted in zip(days, dates_of(actual), strict=True) if wanted.weekday() != 6]
    assert all(d.weekday() == wanted.weekday() for d, wanted in open_days)
    # one block: the same distance for all, but for days that are replaced
    apart = [(wanted - d).days for d, wanted in open_days]
    assert apart.count(max(set(apart), key=apart.count)) >= 0.8 * len(apart)


@pytest.mark.parametrize(
    ("text", "months"), [("1-5", (1, 2, 3, 4, 5)), ("2, 4", (2, 4)), ("", ()), ("3,1-2", (1, 2, 3))]
)
def test_months_are_read(text, months):
    assert parse_months(text) == months


def test_a_backtest_without_months_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="no month is named"):
        CliRunner().invoke(app, ["call-centre", "backtest", str(tmp_path), "--months", ""], catch_exceptions=False)


@pytest.mark.parametrize("text", ["may", "1-", "0-3", "12-13"])
def test_months_that_are_none_are_refused(text):
    with pytest.raises(ScenarioError):
        parse_months(text)


@pytest.mark.slow
def test_commands_fit_and_predict_a_table(tmp_path):
    source = as_table(calls_of(days=90, per_day=400.0, agents=3), tmp_path / "calls.csv")
    out = tmp_path / "p.yaml"
    start = ["call-centre", "fit", str(source), "--no-calibrate"]
    run = CliRunner().invoke(app, [*start, "--months", "1-2", "--out", str(out), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["first"] == "2024-01-01"
    common = ["call-centre", "predict", str(out), "--against", str(source), "--runs", "10"]
    run = CliRunner().invoke(app, [*common, "--month", "3", "--out", str(tmp_path / "o"), "--json"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    assert {c["measure"] for c in found["coverage"]} == {"arrivals", "mean_wait_s", "abandoned", "served_within_20_s"}
    assert (tmp_path / "o" / "call_centre.png").stat().st_size > 20_000
    assert (tmp_path / "o" / "hours.csv").read_text().startswith("hour,measure,median")
    shown = CliRunner().invoke(app, [*common, "--month", "3", "--given", "staff", "--language", "zh"])
    assert "单日覆盖率" in shown.stdout
    with pytest.raises(DataError, match="lies within the fit"):
        CliRunner().invoke(app, [*common, "--month", "2"], catch_exceptions=False)
    with pytest.raises(ScenarioError, match="cannot be given"):
        CliRunner().invoke(app, [*common, "--month", "3", "--given", "luck"], catch_exceptions=False)


def test_files_that_are_no_parameters_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such parameter file"):
        file.load(tmp_path / "none.yaml")
    (tmp_path / "p.yaml").write_text("version: 0\n")
    with pytest.raises(DataError, match="not a parameter file"):
        file.load(tmp_path / "p.yaml")
    (tmp_path / "p.yaml").write_text("version: 1\nwhat: x\n")
    with pytest.raises(DataError, match="Field required"):
        file.load(tmp_path / "p.yaml")


@pytest.fixture(scope="module")
def bank():
    return file.load(PARAMETERS)


@pytest.mark.data
def test_june_is_predicted_from_january_to_may(bank, shared_data):
    june, _ = read(shared_data / "process" / "call_centre", [6])
    assert bank.last < june.first_day
    found = predict(bank, dates_of(june), runs=25, actual=june)
    inside = {c.measure: c for c in coverage(rows(found))}
    assert {c.hours for c in inside.values()} == {18}
    assert all(c.hours_inside >= 16 for c in inside.values())
    assert all(c.days_inside > 0.84 for c in inside.values())


@pytest.mark.data
@pytest.mark.slow
def test_another_month_is_predicted_better_than_by_naive_forecasts(shared_data):
    scores = {(s.measure, s.forecast): s for s in roll(shared_data / "process" / "call_centre", [4], runs=40)}
    for measure in MEASURES:
        twin, naive = scores[measure, "twin"], scores[measure, "mean"]
        assert twin.interval < naive.interval
    assert scores["mean_wait_s", "twin"].inside >= 12
    assert scores["arrivals", "twin"].inside >= 14


@pytest.mark.data
def test_waits_follow_from_arrivals_and_agents_day_by_day(bank, shared_data):
    """With the arrivals and agents as recorded the mechanism alone tells busy days from calm ones."""
    june, _ = read(shared_data / "process" / "call_centre", [6])
    found = predict(bank, dates_of(june), runs=10, actual=june, given=["arrivals", "staff"])
    simulated = ratios(found.runs[:, found.main].sum(axis=(0, 2)))
    happened = ratios(found.actual[found.main].sum(axis=1))
    assert np.corrcoef(simulated[:, 2], happened[:, 2])[0, 1] > 0.75
    assert np.corrcoef(simulated[:, 1], happened[:, 1])[0, 1] > 0.5


@pytest.mark.data
@pytest.mark.slow
def test_the_parameter_file_is_that_of_its_records(bank, shared_data):
    calls, report = read(shared_data / "process" / "call_centre", list(bank.months))
    again = fit(calls, report, what=bank.what, source=bank.source, months=bank.months)
    settled = {"own_share": bank.staff.own_share, "flexibility": bank.staff.flexibility}
    assert again.model_copy(update={"staff": again.staff.model_copy(update=settled)}) == bank


@pytest.mark.data
def test_stock_traders_are_as_patient_as_published(bank):
    trading = next(t for t in bank.types if t.name == "NE")
    # Published: mean patience 678 s, index 4.74. Five months, curve to the longest wait: within a tenth and a quarter.
    assert trading.patience_restricted_mean == pytest.approx(678, rel=0.1)
    assert trading.patience_restricted_mean / trading.required_wait == pytest.approx(4.74, rel=0.1)
    rates = dict(trading.patience_hazard_per_min)
    assert rates[0.0] > rates[60.0]
    # the order of service shows the head start of urgent callers
    assert bank.order.within > 0.7
    assert bank.order.beyond < 0.02
