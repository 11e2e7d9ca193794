"""The fit finds what made a simulated call centre, and refuses records that cannot tell."""

import datetime as dt
import gzip

import numpy as np
import pytest
from call_centre_house import AGENTS, FIRST, PATIENCE_S, SERVICE_S, as_calls, as_table, calls_of

from scenarios.calibration.call_centre import parameters as file
from scenarios.calibration.call_centre.fitting import elasticities, fit, regular_days
from scenarios.calibration.call_centre.mechanism import merge_cells, table, with_turnaround
from scenarios.calibration.call_centre.records import DAY_S, Report, read
from scenarios.calibration.call_centre.staffing import infer, stay_on, steps_of, time_with_queue
from twin.errors import DataError


@pytest.fixture(scope="module")
def frame():
    return calls_of()


@pytest.fixture(scope="module")
def fitted(frame):
    return fit(as_calls(frame), Report())


def test_types_have_the_service_and_patience_that_made_them(fitted):
    for kind in fitted.types:
        # exponential service without its first 10 s is exponential again
        assert kind.service_mean == pytest.approx(SERVICE_S[kind.name] + 10, rel=0.04)
        assert kind.patience_mean == pytest.approx(PATIENCE_S[kind.name], abs=4 * kind.patience_error)
        assert kind.patience_error < 0.1 * kind.patience_mean
        assert kind.menu_mean == pytest.approx(10, abs=0.2)
        # power: exponential times are not lognormal
        assert kind.service_lognormal_ks > 0.02


def test_arrivals_have_their_level_and_dispersion(fitted):
    open_days = [d for d in file.WEEKDAYS if d != "sunday"]
    total = [sum(fitted.arrivals.expected[d]) for d in open_days]
    assert np.mean(total) == pytest.approx(900, rel=0.07)
    assert fitted.arrivals.day_cv == pytest.approx(0.15, abs=0.06)
    assert fitted.arrivals.within_cv < 0.1
    assert "sunday" not in fitted.arrivals.expected
    mix = np.asarray(fitted.mix["monday"])[10]
    assert mix[list(fitted.type_names).index("sales")] == pytest.approx(0.3, abs=0.06)


def test_agents_at_work_are_counted(fitted, frame):
    staff = np.asarray([d.staff for d in fitted.days])[:, 18:34]
    assert staff.mean() == pytest.approx(AGENTS, rel=0.06)
    assert np.asarray([d.staff for d in fitted.days])[:, :14].max() == 0
    assert fitted.staff.turnaround[-1] == pytest.approx(0, abs=1e-6)
    # the same number by periods and by steps
    roster = infer(as_calls(frame))
    times, number = roster.steps(0.0, 7.0 * DAY_S)
    area = float(np.sum(np.diff(np.append(times, 7.0 * DAY_S)) * number))
    assert roster.means(56, 1800.0)[:7].sum() * 1800 == pytest.approx(area, rel=1e-9)


def test_the_fit_repeats_and_survives_its_file(fitted, frame, tmp_path):
    assert fit(as_calls(frame), Report()) == fitted
    file.write(fitted, tmp_path / "p.yaml")
    assert file.load(tmp_path / "p.yaml") == fitted


def test_a_table_of_another_centre_reads_as_the_same_calls(frame, tmp_path):
    calls, report = read(as_table(frame.head(3000), tmp_path / "calls.csv"))
    expected = as_calls(frame.head(3000))
    assert report.rows == 3000
    assert calls.first_day == FIRST
    assert calls.arrived == pytest.approx(expected.arrived, abs=1e-3)
    assert calls.kinds == expected.kinds
    assert np.array_equal(calls.agent, expected.agent)
    assert calls.wait == pytest.approx(expected.wait)


def test_a_table_without_a_column_is_refused(frame, tmp_path):
    as_table(frame.head(50).drop(columns="wait_s"), tmp_path / "calls.csv")
    with pytest.raises(DataError, match="column 'wait_s' is missing"):
        read(tmp_path / "calls.csv")


def test_records_without_agents_are_refused(frame):
    with pytest.raises(DataError, match="which agent"):
        fit(as_calls(frame.assign(agent="")), Report())


def test_two_weeks_are_needed(frame):
    with pytest.raises(DataError, match="two weeks"):
        fit(as_calls(frame[frame["arrived"] < 9 * DAY_S]), Report())


HEADER = "vru+line call_id customer_id priority type date vru_entry vru_exit vru_time q_start q_exit q_time outcome \
ser_start ser_exit ser_time server".replace(" ", "\t")


def test_monthly_files_are_cleaned_and_counted(tmp_path):
    lines = [
        "AA0101 1 0 0 PS 990104 9:00:00 9:00:06 6 0:00:00 0:00:00 0 AGENT 9:00:06 9:02:06 120 ANAT",
        "AA0101 2 9 2 NE 990104 9:01:00 9:01:06 6 9:01:06 9:01:36 30 HANG 0:00:00 0:00:00 0 NO_SERVER",
        "AA0101 3 0 0 PS 990104 9:02:00 9:02:06 6 0:00:00 0:00:00 0 HANG 0:00:00 0:00:00 0 NO_SERVER",
        "AA0101 4 0 0 PS 990104 9:03:00 9:03:06 6 9:03:06 9:03:07 1 PHANTOM 0:00:00 0:00:00 0 NO_SERVER",
        "AA0101 5 0 0 PS 990105 9:00:00 9:00:00 -9 0:00:00 0:00:00 0 AGENT 9:00:00 9:00:05 5 NO_SERVER",
        "AA0101 6 0 0 PS 990105 9:00:00 9:00:06 6 9:00:06 0:00:00 28000 AGENT 9:00:00 9:00:05 5 ANAT",
    ]
    text = "\n".join([HEADER, *(line.replace(" ", "\t") for line in lines)])
    (tmp_path / "01_January.txt.gz").write_bytes(gzip.compress(text.encode()))
    calls, report = read(tmp_path)
    assert len(calls) == 3
    assert calls.first_day == dt.date(1999, 1, 4)
    assert calls.arrived.tolist() == [32400, 32460, 86400 + 32400]
    assert calls.served.tolist() == [True, False, True]
    assert calls.agents == ("ANAT",)
    assert report.left_out == {
        "virtual call (PHANTOM)": 1,
        "hung up in the voice menu": 1,
        "wait negative or above 3600 s": 1,
    }
    assert report.doubtful["menu time negative or above 600 s (not used)"] == 1
    with pytest.raises(DataError, match="month 2 is not there"):
        read(tmp_path, [1, 2])


def test_a_holiday_is_not_a_regular_day():
    total = np.full(28, 1000.0) + np.arange(28) % 5 * 20
    total[[9, 16]] = 300, 0
    regular, ratio = regular_days(total, np.arange(28) % 7)
    assert np.flatnonzero(~regular).tolist() == [9, 16]
    assert ratio[9] == pytest.approx(0.3, abs=0.02)


def test_elasticities_are_found():
    draw = np.random.default_rng(1)
    day, hour = draw.normal(0, 0.2, (400, 1)), draw.normal(0, 0.2, (400, 24))
    hour -= hour.mean(axis=1, keepdims=True)
    calls, agents = 100 * np.exp(day + hour), 8 * np.exp(0.3 * day + 0.6 * hour)
    by_day, by_hour = elasticities(calls, agents, np.zeros(400, np.int64))
    assert by_day == pytest.approx(0.3, abs=0.04)
    assert by_hour == pytest.approx(0.6, abs=0.04)
    assert elasticities(np.ones((5, 24)), np.ones((5, 24)), np.zeros(5, np.int64)) == (0.0, 0.0)


def test_cells_that_are_alike_are_merged():
    label = merge_cells([5, 1, 1, 3, 0], [[0, 0], [1, 0], [1.1, 0], [5, 5], [5, 4.9]], 3)
    assert label.tolist() == [0, 2, 2, 1, 1]


def test_tables_keep_the_mean():
    sample = np.random.default_rng(1).lognormal(4, 1, 5000)
    assert np.mean(table(sample)) == pytest.approx(sample.mean(), rel=1e-4)
    summed = with_turnaround(table(sample), (2.0, 10.0))
    assert np.mean(summed) == pytest.approx(sample.mean() + 6, rel=1e-3)
    assert np.all(np.diff(summed) >= 0)


def test_steps_have_the_means_and_the_last_agents_stay():
    times, number = steps_of(np.array([0.0, 1.5, 2.0, 0.25, 0.0]), 100.0)
    assert dict(zip(times.tolist(), number.tolist(), strict=True)) == {0: 0, 100: 2, 150: 1, 200: 2, 300: 1, 325: 0}
    later, _ = stay_on(times, number, 60.0)
    assert later.tolist() == [0, 100, 150, 200, 300, 385]


def test_time_with_queue_is_that_of_the_union():
    start, end = np.array([0.0, 5.0, 20.0]), np.array([10.0, 12.0, 21.0])
    found = time_with_queue(start, end, np.array([0.0, 3.0, 11.0, 15.0, 20.5, 99.0]))
    assert found == pytest.approx([0, 3, 11, 12, 12.5, 13])
