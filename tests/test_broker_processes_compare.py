"""Comparing two forms of a process: the same cases, the same luck, differences pair by pair."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from broker_house import certain

from scenarios.office_processes import MONDAY, compare, counterpart, measures
from scenarios.office_runs import Cases, aligned, requests, simulate, working_days
from scenarios.offices import process_model
from twin.clock import DAY, HOUR
from twin.contracts import OutcomeKind, Segment
from twin.errors import ScenarioError
from twin.process.calendar import WorkCalendar
from twin.process.loader import parse_process
from twin.randomness import Streams

ENQUIRY = ("today/service-enquiry", "reformed/service-enquiry")


def test_a_form_against_itself_differs_in_nothing():
    result = compare("today/service-enquiry", "today/service-enquiry", days=2, warm_up=1, replications=2)
    for row in result.rows:
        assert row.difference is None or row.difference.estimate.mean == row.difference.estimate.half_width == 0


def test_a_comparison_is_the_same_again_and_other_with_another_seed():
    first, again, other = (compare(*ENQUIRY, days=2, warm_up=0, replications=1, seed=s, factor=0.05) for s in (3, 3, 4))
    assert first == again
    assert first.row("cycle_mean").today != other.row("cycle_mean").today


def test_both_forms_get_the_same_cases_and_a_factor_only_adds():
    calendar, streams = WorkCalendar(MONDAY), Streams(1)
    a, b = (requests(process_model(name), streams, calendar, 7) for name in ENQUIRY)
    np.testing.assert_array_equal(a.time, b.time)
    np.testing.assert_array_equal(a.attribute, b.attribute)
    more = requests(process_model(ENQUIRY[0]), streams, calendar, 7, factor=1.5)
    kept = np.isin(more.request, a.request)
    np.testing.assert_array_equal(np.sort(more.time[kept]), np.sort(a.time))
    # written in the file: no case on a Saturday or Sunday
    assert set(np.unique(a.time // DAY)) == set(range(5))
    assert np.mean(a.attribute == Segment.GEN_Z) == pytest.approx(0.30, abs=0.01)


TWO_STEPS = """
name: {name}
start: {start}
arrivals: {{rate: 400/day, profile: [{{from: "09:00", to: "17:00", weight: 1}}]}}
pools: {{desk: {{staff: unlimited}}}}
nodes:
  {nodes}
  work: {{kind: task, pool: desk, service: {{distribution: lognormal, mean: 1 h, cv: 1}}, next: done}}
  done: {{kind: end}}
"""


def test_work_of_one_name_takes_a_case_as_long_in_another_graph():
    """The difference of a form that adds a constant step is that constant, in every case."""
    plain = parse_process(TWO_STEPS.format(name="plain", start="work", nodes=""))
    step = "extra: {kind: delay, duration: 30 min, next: work}"
    longer = parse_process(TWO_STEPS.format(name="longer", start="extra", nodes=step))
    result = compare(plain, longer, days=3, warm_up=0, replications=3)
    row = result.row("cycle_mean")
    assert row.difference.estimate.mean == pytest.approx(0.5, abs=1e-9)
    assert row.difference.estimate.half_width == pytest.approx(0.0, abs=1e-9)
    # without the common order of nodes the work would be drawn anew
    calendar, streams = WorkCalendar(MONDAY), Streams(1)
    ends = []
    for a, b in ((plain, longer), aligned((plain, longer))):
        cases = [
            simulate(m, requests(plain, streams, calendar, 3), streams, calendar, warm_up=0, days=3).cases
            for m in (a, b)
        ]
        ends.append(cases[1].end - cases[0].end)
    assert len(np.unique(ends[0])) > 100
    assert set(ends[1]) == {HOUR // 2}


@pytest.mark.parametrize("name", ENQUIRY)
def test_every_case_of_the_measured_days_ends_once(name):
    calendar, streams, model = WorkCalendar(MONDAY), Streams(2), process_model(name)
    coming = requests(model, streams, calendar, 5, factor=0.2)
    run = simulate(aligned([model])[0], coming, streams, calendar, warm_up=1, days=4)
    cases = run.cases
    assert len(cases.arrival) == int(np.sum(coming.time >= DAY))
    assert (cases.end >= cases.arrival).all()
    found = measures(run, calendar)
    assert found["served"] + found["abandoned"] + found["refused"] == pytest.approx(1)
    assert sum(v for k, v in found.items() if k.startswith("ends:")) == pytest.approx(1)
    assert 0 < found["staff_hours_worked"] < found["staff_hours_paid"]


def test_working_days_leave_out_days_off_exactly():
    first = dt.date(2026, 9, 7)
    friday, monday = 4 * DAY, 7 * DAY
    arrival = np.asarray([friday + 15 * HOUR, friday + 15 * HOUR, friday + DAY + HOUR, 9 * HOUR])
    end = np.asarray([monday + 9 * HOUR, friday + 16 * HOUR, monday + 9 * HOUR, DAY + 9 * HOUR])
    n = np.zeros(4, np.int64)
    found = working_days(Cases(arrival, n, end, n + OutcomeKind.SERVED, n, n), WorkCalendar(first))
    assert found * 24 == pytest.approx([18, 1, 9, 24])


def test_a_comparison_of_nothing_is_refused():
    with pytest.raises(ScenarioError, match="at least one day"):
        compare(*ENQUIRY, days=0)
    bare = process_model("service-desk").model_copy(update={"arrivals": None})
    with pytest.raises(ScenarioError, match="no arrivals"):
        compare(bare, bare)
    with pytest.raises(ScenarioError, match="no measure"):
        compare(*ENQUIRY, days=1, warm_up=0, replications=1, factor=0.01).row("speed")


def test_the_counterpart_of_a_process_is_its_reformed_form():
    assert counterpart("today/complaint") == counterpart("complaint") == "reformed/complaint"
    with pytest.raises(ScenarioError, match="service-desk"):
        counterpart("service-desk")


def test_the_reformed_opening_saves_its_applicants_but_not_the_registry():
    """Common random numbers make a fortnight enough: fewer leave, and the first trade comes hardly sooner."""
    result = compare("account-opening", "reformed/account-opening", days=7, replications=3)
    assert result.row("abandoned").difference.estimate.interval[1] < -0.2
    assert abs(result.row("cycle_working_days").difference.estimate.mean) < 0.05
    assert result.row("cases").difference.estimate.mean == 0


def test_certain_models_have_no_luck():
    model = certain(process_model("account-opening"))
    calendar = WorkCalendar(MONDAY)
    found = [
        simulate(model, requests(model, Streams(s), calendar, 1, factor=0.01), Streams(s), calendar, warm_up=0, days=1)
        for s in (1, 2)
    ]
    assert all((run.cases.outcome == OutcomeKind.SERVED).all() for run in found)
