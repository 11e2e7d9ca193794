"""Backtests go on where they stopped, refuse foreign folders, and learn nothing from what came later."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from forecast_house import DAY, HOUR, START, log_of, office

from twin.errors import RunError, ScenarioError
from twin.process.eventlog.log import EventLog
from twin.process.forecasting.backtest import Backtest, default_span, run_backtest
from twin.process.forecasting.choice import discover_as
from twin.process.forecasting.columns import known_at
from twin.process.forecasting.evaluate import TWIN
from twin.process.forecasting.forecast import Plan
from twin.process.forecasting.state import state_at


@pytest.fixture(scope="module")
def bureau():
    return office(days=14, seed=21, per_hour=2.0)


@pytest.fixture(scope="module")
def process(bureau):
    t = START + 9 * DAY
    return discover_as(known_at(bureau.log, t), state_at(bureau.log, t), "timers")


@pytest.fixture
def test_plan():
    plan = Plan(12 * HOUR, 6 * HOUR, runs=10, deadline=3 * HOUR)
    first = START + 9 * DAY
    return Backtest(plan, first, first + 3 * DAY, DAY, rediscover=2)


def heard_into(log):
    return lambda done, of, _, was_there: log.append((done, of, was_there))


def equal(a, b):
    return a.instant == b.instant and all(
        np.allclose(a.members[name], b.members[name], equal_nan=True, rtol=1e-6) for name in a.members
    )


def test_backtest_resumes_with_the_same_result(bureau, process, test_plan, tmp_path):
    whole = run_backtest(bureau.log, test_plan, tmp_path / "whole", process)
    kept = tmp_path / "cut"
    run_backtest(bureau.log, test_plan, kept, process)
    files = sorted((kept / "origins").iterdir())
    assert len(files) == 4
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:100])  # as a killed copy leaves it
    heard: list[tuple[int, int, bool]] = []
    again = run_backtest(bureau.log, test_plan, kept, process, heard=heard_into(heard))
    assert [was_there for _, _, was_there in heard] == [True, False, False, True]
    assert all(equal(a, b) for a, b in zip(whole, again, strict=True))
    assert not [path for path in kept.rglob("*") if path.name.startswith(".")]


def test_a_longer_backtest_keeps_the_origins_of_a_shorter(bureau, process, test_plan, tmp_path):
    run_backtest(
        bureau.log, Backtest(test_plan.plan, test_plan.first, test_plan.first + DAY, DAY, 2), tmp_path, process
    )
    heard: list[tuple[int, int, bool]] = []
    run_backtest(bureau.log, test_plan, tmp_path, process, heard=heard_into(heard))
    assert [was_there for _, _, was_there in heard] == [True, True, False, False]


def test_a_folder_of_another_backtest_is_refused_and_replaced_on_request(bureau, process, test_plan, tmp_path):
    first = Backtest(test_plan.plan, test_plan.first, test_plan.first, DAY)
    other = Backtest(Plan(12 * HOUR, 6 * HOUR, runs=11), test_plan.first, test_plan.first, DAY)
    run_backtest(bureau.log, first, tmp_path, process)
    with pytest.raises(RunError, match="another backtest"):
        run_backtest(bureau.log, other, tmp_path, process)
    assert len(run_backtest(bureau.log, other, tmp_path, process, fresh=True)[0].members[TWIN]) == 11


def test_an_origin_does_not_change_with_later_rows(bureau, tmp_path):
    """The log from the origin on is replaced by something wild: the forecast stays, the truth does not."""
    t = START + 10 * DAY
    test = Backtest(Plan(12 * HOUR, 6 * HOUR, runs=10), t, t, DAY)
    starts = bureau.log.table["start"].cast(pa.int64())
    early = bureau.log.table.filter(pa.compute.less(starts, t // 1_000))
    storm = log_of([(f"s{k}", "storm", "x", t + k * 60_000_000_000, t + 3 * DAY) for k in range(500)])
    wild = EventLog(pa.concat_tables([early, storm.table]))
    (one,), (two,) = (run_backtest(log, test, tmp_path / n) for log, n in ((bureau.log, "a"), (wild, "b")))
    assert equal(one, two)
    assert two.truth[0, 2] > one.truth[0, 2] + 100


@pytest.mark.parametrize(("first", "last", "every"), [(5, 4, 1), (0, 10_000, 1)])
def test_senseless_spans_are_errors(first, last, every):
    plan = Plan(DAY, HOUR)
    with pytest.raises(ScenarioError):
        Backtest(plan, START + first * DAY, START + last * DAY, every * DAY).origins()


def test_a_backtest_after_the_end_of_the_log_is_an_error(bureau, tmp_path):
    late = START + 30 * DAY
    with pytest.raises(ScenarioError, match="after the end of the log"):
        run_backtest(bureau.log, Backtest(Plan(DAY, HOUR), late, late, DAY), tmp_path)


def test_default_span_leaves_room_for_the_horizon(bureau):
    first, last = default_span(bureau.log, Plan(2 * DAY, HOUR))
    assert first % DAY == 0
    assert START + 7 * DAY < first < last < START + 13 * DAY
