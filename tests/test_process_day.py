"""The two processes of the broker's day: account opening and the service desk."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from scenarios.calibration.fit_account_opening import TARGET
from scenarios.calibration.fit_call_centre import fit_type, kaplan_meier, patience_moments, read_calls
from twin.advisory.desk import ServiceDesk, ordinary_calls
from twin.clock import DAY, MINUTE, SECOND, at
from twin.contracts import OutcomeKind, Requests
from twin.errors import DataError, ScenarioError
from twin.onboarding.opening import AccountOpening
from twin.process.calendar import WorkCalendar
from twin.process.loader import load_process
from twin.randomness import Streams

PROCESSES = Path(__file__).resolve().parents[1] / "scenarios" / "processes"
TUESDAY = dt.date(2026, 9, 15)


@pytest.fixture(scope="module")
def opening_model():
    return load_process(PROCESSES / "account-opening.yaml")


@pytest.fixture(scope="module")
def desk_model():
    return load_process(PROCESSES / "service-desk.yaml")


def open_accounts(model, seed=1, replication=0, surge=1.0, unlimited=False):
    opening = AccountOpening(model, Streams(seed, replication), WorkCalendar(TUESDAY), surge=surge)
    if unlimited:
        opening.network.set_staff("agents", None)
    opening.advance(DAY)
    return opening


def test_account_opening_meets_its_calibration_targets(opening_model):
    runs = [open_accounts(opening_model, replication=r).measures() for r in range(20, 36)]
    for values, target in (([m.abandonment for m in runs], TARGET), ([m.active_mean_min for m in runs], 25.0)):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - target) < 4 * error + 0.02 * target


def test_applications_are_opened_lost_refused_or_under_way(opening_model):
    m = open_accounts(opening_model).measures()
    assert m.applications == m.opened + m.abandoned + m.refused + (m.in_progress - m.tradable_next_day)
    assert sum(m.lost_by_step.values()) == m.abandoned > 0
    assert m.opened <= m.submitted
    assert m.lost_by_step["review"] == 0


def test_a_surge_adds_applicants_and_the_queue_for_agents_loses_them(opening_model):
    ordinary = open_accounts(opening_model).measures()
    rush = open_accounts(opening_model, surge=4.6)
    crowded = rush.measures()
    staffed = open_accounts(opening_model, surge=4.6, unlimited=True)
    free = staffed.measures()
    assert crowded.applications == free.applications > 4 * ordinary.applications
    assert crowded.abandonment > ordinary.abandonment + 0.2
    assert free.abandonment < ordinary.abandonment
    assert all(
        n.wait_served == 0 for name, n in staffed.statistics().nodes.items() if name in ("questionnaire", "video")
    )


def test_nobody_is_tradable_before_the_next_trading_day(opening_model):
    opening = AccountOpening(opening_model, Streams(1), WorkCalendar(TUESDAY))
    assert len(ended := opening.advance(DAY)) > 0
    assert not np.any(ended.outcome == OutcomeKind.SERVED)
    promised = opening.measures().tradable_next_day
    served = opening.advance(DAY + at("09:15") + 1)
    assert int(np.sum(served.outcome == OutcomeKind.SERVED)) == promised > 0


def test_no_applications_no_accounts(opening_model):
    m = open_accounts(opening_model, surge=0.0).measures()
    assert (m.applications, m.opened, m.abandoned) == (0, 0, 0)
    assert m.staff_hours > 0
    assert m.utilisation == 0


def run_desk(model, replication=0, calls=None, extra=None):
    desk = ServiceDesk(model, Streams(1, replication), WorkCalendar(TUESDAY), calls=calls)
    if extra is not None:
        desk.submit(extra)
    for t in range(8 * 60, 24 * 60, 5):
        desk.advance(t * MINUTE)
    return desk


def test_ordinary_day_of_the_desk_is_near_its_service_level(desk_model):
    assert desk_model.arrivals.per_day == pytest.approx(ordinary_calls(0.08 * 5_000_000))
    runs = [run_desk(desk_model, r).measures() for r in range(20)]
    assert np.mean([m.service_level for m in runs]) == pytest.approx(0.80, abs=0.04)
    assert np.mean([m.utilisation for m in runs]) == pytest.approx(0.82, abs=0.04)
    assert np.mean([m.abandonment for m in runs]) < 0.08


def test_calls_of_troubled_clients_lengthen_the_wait_of_all(desk_model):
    n = 3000
    times = at("10:00") + np.arange(n, dtype=np.int64) * SECOND
    number = np.arange(n, dtype=np.int64)
    calm = run_desk(desk_model).measures()
    storm = run_desk(desk_model, extra=Requests(times, number, number, number * 0)).measures()
    assert storm.wait_all_mean_s > 5 * calm.wait_all_mean_s
    assert storm.abandonment > 0.4
    assert storm.lost_callers > calm.lost_callers
    # Abandoned callers return: the queue sees more calls than callers whom the robot did not satisfy.
    assert storm.calls > calm.calls + 0.55 * n
    assert storm.answered + storm.abandoned == storm.calls


def test_the_wait_of_the_desk_is_zero_with_unlimited_agents(desk_model):
    desk = ServiceDesk(desk_model, Streams(1), WorkCalendar(TUESDAY), calls=20_000)
    desk.network.set_staff("agents", None)
    desk.advance(DAY)
    m = desk.measures()
    assert m.calls == m.answered > 10_000
    assert m.wait_mean_s == m.wait_all_mean_s == m.wait_p90_s == m.abandoned == 0
    assert m.service_level == 1


def test_no_calls_no_waits(desk_model):
    m = run_desk(desk_model, calls=0).measures()
    assert (m.calls, m.answered, m.contained, m.utilisation) == (0, 0, 0, 0)


def test_more_ordinary_calls_keep_the_callers(desk_model):
    few, many = (ServiceDesk(desk_model, Streams(1), WorkCalendar(TUESDAY), calls=c) for c in (1000, 4000))
    for desk in (few, many):
        desk.network.set_staff("agents", None)
    a, b = few.advance(DAY), many.advance(DAY)
    kept = np.isin(b.request, a.request)
    np.testing.assert_array_equal(b.request[kept], a.request)
    np.testing.assert_array_equal(b.time[kept], a.time)


def test_a_process_of_another_kind_is_refused(opening_model, desk_model):
    with pytest.raises(ScenarioError, match="not a service desk"):
        ServiceDesk(opening_model, Streams(1), WorkCalendar(TUESDAY))
    with pytest.raises(ScenarioError, match="not an account opening"):
        AccountOpening(desk_model, Streams(1), WorkCalendar(TUESDAY))
    desk = ServiceDesk(desk_model, Streams(1), WorkCalendar(TUESDAY))
    one = np.ones(1, np.int64)
    with pytest.raises(ScenarioError, match="number"):
        desk.submit(Requests(one, one << 40, one, one))


def test_kaplan_meier_by_hand():
    waits = np.asarray([1.0, 2.0, 2.0, 3.0, 4.0])
    left = np.asarray([True, True, False, False, True])
    times, survival = kaplan_meier(waits, left)
    assert times.tolist() == [1, 2, 4]
    assert survival == pytest.approx([4 / 5, 3 / 5, 0])
    mean, median, _ = patience_moments(waits, left)
    assert mean == pytest.approx(1 + 0.8 + 2 * 0.6)
    assert median == 4


def test_kaplan_meier_recovers_patience_that_service_censors():
    rng = np.random.default_rng(1)
    patience, offered = rng.exponential(4.0, 40_000), rng.uniform(0, 30, 40_000)
    mean, median, cv = patience_moments(np.minimum(patience, offered), patience < offered)
    assert mean == pytest.approx(4.0, abs=4 * 4.0 / np.sqrt(35_000))
    assert median == pytest.approx(4.0 * np.log(2), abs=0.1)
    assert cv == pytest.approx(1.0, abs=0.05)


def test_a_folder_without_calls_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no monthly file"):
        read_calls(tmp_path)


@pytest.mark.data
@pytest.mark.slow
def test_the_recorded_call_centre_gives_the_figures_in_the_parameter_file(shared_data):
    from ruamel.yaml import YAML

    written = YAML(typ="safe").load(PROCESSES.parent / "calibration" / "call_centre.yaml")
    calls = read_calls(shared_data / "process" / "call_centre")
    trading = fit_type(calls[calls["type"] == "NE"])
    assert written["types"]["stock_trading"] == pytest.approx(trading.__dict__)
    # Nine months of the same centre, fitted independently: 645 s.
    assert trading.patience_mean == pytest.approx(645, rel=0.02)
