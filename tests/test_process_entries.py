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
