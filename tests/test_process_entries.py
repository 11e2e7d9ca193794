"""When the cases of a process file arrive."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from twin.clock import DAY, HOUR, MINUTE, SECOND
from twin.errors import ScenarioError
from twin.process.calendar import WorkCalendar
from twin.process.entries import case_times
from twin.process.loader import parse_process
from twin.randomness import Streams

HEAD = "name: p\nstart: e\nnodes:\n  e: {kind: end}\ncalendars:\n  office:\n"
HEAD += "    - {from: '09:00', to: '12:00', days: mon-fri}\n"
HEAD += "    - {from: '13:00', to: '17:00', days: mon-fri}\n"


def times(arrivals, **arguments):
    return case_times(parse_process(HEAD + f"arrivals: {arrivals}\n"), Streams(1), **arguments)


def test_gaps_without_hours_are_a_renewal_process():
    assert times("{gap: 10 min}", cases=4).tolist() == [10 * MINUTE * k for k in (1, 2, 3, 4)]
    found = times("{gap: {distribution: exponential, mean: 1 h}}", days=200)
    assert len(found) == pytest.approx(4800, abs=4 * np.sqrt(4800))
    assert found[-1] < 200 * DAY


def test_gaps_stand_still_outside_the_hours():
    found = times("{gap: 2 h, calendar: office}", cases=5)
    hours = [11, 14, 16, 24 + 10, 24 + 13]  # 7 open hours a day: after 2, 4, 6, 8 and 10 of them
    assert found.tolist() == [h * HOUR for h in hours]


def test_gaps_that_run_on_are_postponed_to_the_next_opening():
    found = times("{gap: 90 min, calendar: office, when_closed: postponed}", cases=8)
    # 01:30 is postponed to 09:00, 12:00 to 13:00, 17:30 to 09:00
    expected = [9, 10.5, 13, 14.5, 16, 24 + 9, 24 + 10.5, 24 + 13]
    assert found.tolist() == [int(h * HOUR) for h in expected]
    weekend = times("{gap: 30 h, calendar: office, when_closed: postponed}", cases=6)
    assert [int(t // DAY) for t in weekend] == [1, 2, 4, 7, 8, 10]


def test_rate_follows_profile_weekdays_and_days():
    profile = "[{from: '09:00', to: '10:00', weight: 3}, {from: '10:00', to: '12:00', weight: 1}]"
    found = times(f"{{rate: 500/day, profile: {profile}, weekdays: {{tue: 2, sun: 0}}}}", days=70)
    day, hour = found // DAY % 7, found % DAY // HOUR
    count = np.bincount(day, minlength=7) / 10
    assert count[0] == pytest.approx(500, rel=0.05)
    assert count[1] == pytest.approx(1000, rel=0.05)
    assert count[6] == 0
    share = np.mean(hour == 9)
    assert share == pytest.approx(0.6, abs=0.02)
    assert np.all(np.diff(found) >= 0)


def test_days_with_other_periods_differ_in_their_totals():
    profile = (
        "[{from: '09:00', to: '11:00', weight: 1, days: mon-fri}, {from: '09:00', to: '10:00', weight: 1, days: sat}]"
    )
    found = times(f"{{rate: 550/day, profile: {profile}}}", days=140)
    count = np.bincount(found // DAY % 7, minlength=7) / 20
    assert count[:5].mean() == pytest.approx(600, rel=0.04)
    assert count[5] == pytest.approx(300, rel=0.08)
    assert count[6] == 0


def test_dispersion_spreads_the_totals_of_days():
    profile = "[{from: '09:00', to: '17:00', weight: 1}]"
    found = times(f"{{rate: 1000/day, profile: {profile}, dispersion: {{cv: 0.3}}}}", days=400)
    count = np.bincount(found // DAY, minlength=400)
    assert count.std() / count.mean() == pytest.approx(np.sqrt(0.3**2 + 1e-3), rel=0.1)


PROFILE = "[{from: '09:00', to: '10:00', weight: 3}, {from: '10:00', to: '12:00', weight: 1, days: mon-fri}]"


def test_equal_gaps_divide_every_day_as_its_profile_says():
    found = times(f"{{rate: 40/day, profile: {PROFILE}, weekdays: {{tue: 2}}, spacing: {{gaps: [7]}}}}", days=14)
    # Of the days of a week three hours' worth come by 10:00, and five in all on five of them: 4.43 in the mean.
    per_hour = 40 / ((3 * 7 + 2 * 5) / 7)
    early = per_hour * 3 * np.array([1, 2, 1, 1, 1, 1, 1])
    late = per_hour * 2 * np.array([1, 2, 1, 1, 1, 0, 0])
    expected = np.cumsum(np.stack([early, late], 1).ravel().tolist() * 2)
    until = [day * DAY + hour * HOUR for day in range(14) for hour in (10, 12)]
    assert np.abs(np.searchsorted(found, until) - expected).max() <= 1 + 1e-6
    # Between ten and noon, one every so many minutes.
    tuesday = found[(found >= DAY + 10 * HOUR) & (found < DAY + 12 * HOUR)]
    assert np.diff(tuesday) == pytest.approx(HOUR / per_hour / 2, abs=1e3)


def test_gaps_drawn_in_runs_keep_their_order_and_others_do_not():
    flat = "[{from: '00:00', to: '24:00', weight: 1}]"

    def of(spacing):
        found = times(f"{{rate: 2400/day, profile: {flat}, spacing: {spacing}}}", cases=6000)
        # A gap of 1 beside a mean of 2 is half of the mean gap.
        return np.rint(np.diff(found) / (DAY / 2400) * 2).astype(int)

    timetable = of("{gaps: [1, 3], run: 2}")
    assert set(timetable[1:].tolist()) == {1, 3}
    pairs = np.stack([timetable[:-1], timetable[1:]])
    # Every second pair is a run.
    assert min((pairs[0, k::2] != pairs[1, k::2]).mean() for k in (0, 1)) == pytest.approx(0.5, abs=0.05)
    assert max((pairs[0, k::2] != pairs[1, k::2]).mean() for k in (0, 1)) == 1.0
    alone = of("{gaps: [1, 3]}")
    for k in (0, 1):
        assert (alone[k:-1:2] != alone[k + 1 :: 2][: len(alone[k:-1:2])]).mean() == pytest.approx(0.5, abs=0.05)


def test_counts_are_as_uneven_as_renewal_theory_says():
    # D. R. Cox (1962), section 3.3: the variance of counts over their mean tends to the squared cv of the gaps.
    flat = "[{from: '00:00', to: '24:00', weight: 1}]"
    for gaps, cv2 in (("[1]", 0.0), ("[0.5, 1.5]", 0.25), ("[0, 0, 0, 4]", 3.0)):
        found = times(f"{{rate: 400/day, profile: {flat}, spacing: {{gaps: {gaps}}}}}", days=900)
        count = np.bincount(found // DAY, minlength=900)
        assert count.mean() == pytest.approx(400, rel=0.015)
        assert count.var() / count.mean() == pytest.approx(cv2, rel=0.16, abs=0.01)


def test_fewer_cases_or_days_are_the_beginning_of_more():
    text = f"{{rate: 90/day, profile: {PROFILE}, spacing: {{gaps: [1, 5, 2, 9], run: 3}}}}"
    many = times(text, cases=9000)
    assert len(many) == 9000
    assert times(text, cases=123).tolist() == many[:123].tolist()
    week = times(text, days=7)
    assert week.tolist() == many[many < 7 * DAY].tolist()
    assert (
        len(times("{rate: 0/day, profile: [{from: '09:00', to: '10:00', weight: 1}], spacing: {gaps: [1]}}", days=3))
        == 0
    )


@pytest.mark.parametrize(
    ("arrivals", "says"),
    [
        ("{gap: 1 min, spacing: {gaps: [1]}}", "go with a rate"),
        (
            f"{{rate: 1/day, profile: {PROFILE}, dispersion: {{cv: 1}}, spacing: {{gaps: [1]}}}}",
            "dispersion or spacing",
        ),
        (f"{{rate: 1/day, profile: {PROFILE}, spacing: {{gaps: [0]}}}}", "one of them above zero"),
        (f"{{rate: 1/day, profile: {PROFILE}, spacing: {{gaps: [1, -1]}}}}", "greater than or equal to 0"),
        (f"{{rate: 1/day, profile: {PROFILE}, spacing: {{gaps: [1, 2], run: 3}}}}", "3 gaps in a row .* from 2"),
    ],
)
def test_spacing_that_cannot_be_is_refused(arrivals, says):
    with pytest.raises(ScenarioError, match=says):
        times(arrivals, days=1)


def test_trading_days_follow_the_calendar():
    profile = "[{from: '09:00', to: '10:00', weight: 1, days: trading}]"
    found = times(f"{{rate: 50/day, profile: {profile}}}", days=10, calendar=WorkCalendar(dt.date(2026, 9, 28)))
    assert set((found // DAY).tolist()) == {0, 1, 2}  # the holiday begins on 1 October


def test_replication_and_seed_decide():
    text = "{gap: {distribution: exponential, mean: 1 h}}"
    model = parse_process(HEAD + f"arrivals: {text}\n")
    a, b, c = (case_times(model, s, cases=50) for s in (Streams(1), Streams(1), Streams(1, 1)))
    assert a.tolist() == b.tolist() != c.tolist()
    assert case_times(model, Streams(1), cases=20).tolist() == a[:20].tolist()


def test_what_cannot_be_is_refused():
    with pytest.raises(ScenarioError, match="nothing of arrivals"):
        case_times(parse_process(HEAD), Streams(1), cases=3)
    with pytest.raises(ScenarioError, match="days or a number"):
        times("{gap: 1 s}", cases=3, days=2)
    with pytest.raises(ScenarioError, match="ten years"):
        times("{gap: 4000 day}", cases=3)
    assert times("{gap: 1 s}", days=1)[0] == SECOND
