"""Every form of the broker's processes runs, loses no case, and meets the targets it is calibrated to."""

from __future__ import annotations

import numpy as np
import pytest
from broker_house import NAMES

from scenarios.calibration.fit_account_opening import TARGET
from scenarios.office_processes import MONDAY, PAIRS, compare, measures
from scenarios.office_runs import aligned, requests, simulate
from scenarios.offices import process_model
from twin.clock import DAY
from twin.contracts import OutcomeKind
from twin.onboarding.opening import AccountOpening
from twin.process.calendar import WorkCalendar
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

CALENDAR = WorkCalendar(MONDAY)


def run(name, days=5, factor=1.0, seed=1):
    model = process_model(name)
    streams = Streams(seed)
    coming = requests(model, streams, CALENDAR, days, factor=factor)
    return coming, simulate(aligned([model])[0], coming, streams, CALENDAR, warm_up=0, days=days)


@pytest.mark.parametrize("name", NAMES)
def test_every_case_that_comes_ends_once(name):
    coming, result = run(name, factor=0.5)
    cases = result.cases
    assert len(cases.arrival) == len(coming.time) > 0
    assert (cases.end >= cases.arrival).all()
    assert (cases.wait >= 0).all()
    assert set(np.unique(cases.outcome)) <= set(OutcomeKind)
    found = measures(result, CALENDAR)
    assert sum(v for k, v in found.items() if k.startswith("ends:")) == pytest.approx(1)
    whole = result.whole.cases
    assert whole.served + whole.abandoned + whole.refused == len(coming.time)
    assert whole.inside == 0
    for pool in result.measured.pools.values():
        assert pool.busy <= pool.staffed * (1 + 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_form_is_the_same_whole_or_in_pieces(name):
    """Advanced hour by hour a process does what it does at once."""
    model, streams = process_model(name), Streams(5)
    coming = requests(model, streams, CALENDAR, 2, factor=0.1)
    rows = []
    for steps in ([3 * DAY], [h * DAY // 24 + 1 for h in range(72)] + [3 * DAY]):
        network = ProcessNetwork(model, streams, CALENDAR)
        network.submit(coming)
        ended = [network.advance(t) for t in steps]
        rows.append(np.concatenate([np.stack([e.time, e.request, e.outcome, e.wait]) for e in ended], axis=1))
    np.testing.assert_array_equal(rows[0], rows[1])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: p[1])
def test_both_forms_get_the_same_cases(pair):
    result = compare(*pair, days=2, warm_up=1, replications=1, factor=0.2)
    assert result.row("cases").difference.estimate.mean == 0
    assert {"cycle_mean", "served", "staff_hours_paid"} <= {row.measure.name for row in result.rows}


def test_todays_request_takes_the_three_working_days_it_is_calibrated_to():
    result = compare("today/cross-department-request", "reformed/cross-department-request", days=13, replications=3)
    today, reformed = result.row("cycle_working_days").today, result.row("cycle_working_days").reformed
    assert 3.0 <= today.mean <= 3.5
    assert reformed.mean < 1
    assert result.row("late:expected").today.mean == 1


def test_todays_advisers_answer_the_fifth_part_they_are_calibrated_to():
    result = compare("today/adviser-request", "reformed/adviser-request", days=13, replications=3)
    assert 0.12 < result.row("served").today.mean < 0.20
    assert result.row("staff_hours_paid").difference.estimate.mean == pytest.approx(0, abs=1e-6)


def test_alerts_show_precision_recall_and_volume_together():
    """A base rate of 3 in 100 odd months: half of what is reported rests on it (domain, trap T10)."""
    for name, recall, precision, alerts in (
        ("today/alert-review", 0.60, 0.05, 74),
        ("reformed/alert-review", 0.80, 0.20, 24.7),
    ):
        _, result = run(name, days=60)
        found = measures(result, CALENDAR)
        ends = {k.partition(":")[2]: v for k, v in found.items() if k.startswith("ends:")}
        laundering = ends["reported_rightly"] + ends["missed_in_review"] + ends["missed_by_screening"]
        alerted = 1 - ends["missed_by_screening"] - ends["rightly_quiet"]
        caught = ends["reported_rightly"] + ends["missed_in_review"]
        n = len(result.cases.arrival)
        assert laundering == pytest.approx(0.0309, abs=4 * np.sqrt(0.03 / n))
        assert caught / laundering == pytest.approx(recall, abs=4 * np.sqrt(0.25 / (laundering * n)))
        assert caught / alerted == pytest.approx(precision, abs=4 * np.sqrt(0.2 / (alerted * n)))
        assert alerted * 200 == pytest.approx(alerts, rel=0.12)


def test_suitability_sells_above_the_class_in_six_of_a_hundred_wishes():
    model = process_model("today/product-purchase")
    classes, risks = (model.attributes[k].shares for k in ("client_class", "product_risk"))
    levels = {"lowest": 1, "C1": 1, "C2": 2, "C3": 3, "C4": 4, "C5": 5}
    wish = sum(p * q for c, p in classes.items() for r, q in risks.items() if int(r[1]) > levels[c])
    assert wish == pytest.approx(0.06, abs=0.002)


def test_a_crash_shows_what_late_calls_cost():
    """Ten times the calls: by telephone clients learn too late and more are sold out, by message they do not."""
    pair = ("today/margin-call", "reformed/margin-call")
    burst, calm = (compare(*pair, days=2, warm_up=0, replications=2, factor=f).row("ends:kept") for f in (10, 1))
    assert burst.today.mean < calm.today.mean - 0.05
    assert burst.reformed.mean > burst.today.mean + 0.05


@pytest.mark.parametrize("name", ["account-opening", "reformed/account-opening", "reformed/account-opening-embedded"])
def test_account_opening_of_every_form_runs_in_the_brokers_day(name):
    opening = AccountOpening(process_model(name), Streams(1), CALENDAR)
    opening.advance(DAY)
    found = opening.measures()
    assert found.applications == found.opened + found.abandoned + found.refused + (
        found.in_progress - found.tradable_next_day
    )
    if name == "account-opening":
        assert found.abandonment == pytest.approx(TARGET, abs=0.04)
        assert found.active_mean_min == pytest.approx(25, abs=1)
    else:
        assert found.abandonment < 0.15
