"""Calendars from stamps: breaks and the ends of days are found where the evidence is there, and never invented."""

from dataclasses import replace

import discovery_cases as office
import numpy as np
import pytest

from twin.process.discovery import Options, as_log, columns_of, discover, simulate_like
from twin.process.discovery.absence import find_absence
from twin.process.discovery.arrivals import fit_arrivals
from twin.process.discovery.closed_days import closed_days, closed_note
from twin.process.discovery.staff import fit_calendars
from twin.process.eventlog.log import END, START
from twin.randomness import Streams

MINUTE = office.HOUR // 60
ALL_DAY = ((9.0, 17.5),)
NOON = ((9.0, 12.0), (13.0, 17.5))
ONE = ((9.0, 13.0), (14.0, 17.5))


def _person(rng, spans, work, idle, rests):
    """Starts and ends (minutes) of somebody who now works, now waits for work, in given spans (minutes)."""
    at, span, found = spans[0][0], 0, []
    while True:
        at += rng.exponential(idle)
        while span < len(spans) and at >= spans[span][1]:
            span += 1
        if span == len(spans):
            return found
        begin = at = max(at, spans[span][0])
        left = work(rng)
        while rests and span < len(spans) and at + left > spans[span][1]:
            left -= spans[span][1] - at
            span += 1
            at = spans[span][0] if span < len(spans) else at
        if span == len(spans):
            return found
        at += left
        found.append((begin, at))


def _log(people, weeks, seed=0, work=lambda rng: rng.gamma(2.0, 12.0), idle=40.0, rests=True, more=()):
    """A log of people with given spans of work, all days alike, all with the same activity."""
    rng = np.random.default_rng(seed)
    rows = [(p, d * 1440 + start, d * 1440 + end) for p, d, start, end in more]
    days = [d for d in range(7 * weeks) if d % 7 < 5]
    for p, hours in enumerate(people):
        spans = [(d * 1440 + begin * 60, d * 1440 + end * 60) for d in days for begin, end in hours]
        rows += [(p, *times) for times in _person(rng, spans, work, idle, rests)]
    rows.sort(key=lambda row: row[1:])
    return office.log_of(
        [
            (f"c{i:05d}", "work", f"p{p:02d}", *(office.MONDAY + int(t * MINUTE) for t in times))
            for i, (p, *times) in enumerate(rows)
        ]
    )


def _true(people):
    week = np.zeros((len(people), 7, 48), bool)
    for p, spans in enumerate(people):
        for begin, end in spans:
            week[p, :5, int(2 * begin) : int(2 * end)] = True
    return week


def _found(log, **options):
    return fit_calendars(columns_of(log), **options).reshape(-1, 7, 48)


@pytest.mark.parametrize(("weeks", "people"), [(2, [NOON] * 8), (12, [NOON]), (5, [NOON, ONE] * 4)])
def test_breaks_are_found_from_many_days_or_many_people(weeks, people):
    found = _found(_log(people, weeks))[:, :5, 20:32]
    assert (found == _true(people)[:, :5, 20:32]).all()


def test_logs_from_before_1970_have_the_same_calendars():
    log = columns_of(_log([NOON] * 6, 3))
    back = 100 * 52 * 7 * office.DAY
    moved = replace(log, start=log.start - back, end=log.end - back)
    assert (fit_calendars(moved) == fit_calendars(log)).all()


def test_too_thin_evidence_fills_a_break():
    assert _found(_log([NOON], 2))[0, :5, 24:26].all()


@pytest.mark.parametrize(
    ("work", "idle"),
    [
        (lambda rng: rng.gamma(2.0, 12.0), 40.0),
        (lambda rng: rng.gamma(2.0, 30.0), 10.0),
        (lambda _: 90.0, 1e-6),
    ],
    ids=["short work", "long work", "always 90 minutes"],
)
def test_no_break_is_invented(work, idle):
    for seed in range(20):
        absence = find_absence(columns_of(_log([ALL_DAY] * 6, 4, seed, work, idle)), np.zeros(6, np.int64))
        assert not any(away[:, :5, 18:35].any() for away in absence)


def test_people_who_take_turns_have_no_break():
    rng = np.random.default_rng(1)
    days = [_log([(NOON, ONE)[int(x)] for x in rng.integers(0, 2, 8)], 1, seed) for seed in range(6)]
    rows = []
    for week, log in enumerate(days):
        table = columns_of(log)
        for i in range(len(table.case)):
            moved = (int(t) + week * 7 * office.DAY for t in (table.start[i], table.end[i]))
            rows.append((f"{week}{i}", "work", table.resources[table.resource[i]], *moved))
    assert _found(office.log_of(rows))[:, :5, 24:28].all()


def test_work_that_runs_through_a_half_hour_is_no_absence():
    meeting = [(p, d, 720, 780) for p in range(6) for d in range(42) if d % 7 < 5]
    busy = _log([NOON] * 6, 6, more=meeting)
    assert _found(busy)[:, :5, 24:26].all()
    assert not _found(_log([NOON] * 6, 6))[:, :5, 24:26].any()


def test_work_that_does_not_rest_may_end_in_a_break():
    log = _log([NOON] * 6, 6, rests=False)
    truth = _true([NOON] * 6)
    assert (_found(log, rests=False) == truth).all()
    assert _found(log)[:, :5, 24].all()
    process = discover(log, options=Options(structure="workforce", compare=False))
    assert not process.workforce.pauses
    assert (process.workforce.calendar.reshape(truth.shape) == truth).all()


def test_a_stray_stamp_opens_no_half_hour_but_a_habit_does():
    people = [ALL_DAY] * 6
    stray = [(p, p % 5, 465 + p, 480) for p in range(5)]
    habit = [(5, d, 465, 480) for d in range(0, 56, 7)]
    found = _found(_log(people, 8, more=[*stray, *habit]))
    assert not found[:5, :, :18].any()
    assert found[5, 0, 15:18].all()


def test_days_on_which_a_whole_office_is_closed_are_found_and_named():
    log = columns_of(_log([ALL_DAY] * 6, 8))
    assert closed_note(log) == []
    day = (log.start - office.MONDAY) // office.DAY
    shut = [23, 24, 25, 28, 44]
    kept = log.take(~np.isin(day, shut) & (day == (log.end - office.MONDAY) // office.DAY))
    assert (closed_days(kept) - office.MONDAY // office.DAY).tolist() == shut
    assert closed_note(kept)[0].endswith(": 2024-01-24 - 2024-01-26, 2024-01-29, 2024-02-14.")
    assert len(closed_days(kept.take(kept.resource < 1))) == 0  # one person's leave is no holiday


def test_simulated_work_rests_in_the_break():
    log = _log([NOON] * 6, 5)
    process = discover(log, options=Options(structure="workforce", compare=False))
    assert process.workforce.pauses
    simulated = as_log(process, simulate_like(process, start=office.MONDAY, cases=400, streams=Streams(1))).table
    hour = [np.array([t.hour for t in simulated[column].to_pylist()]) for column in (START, END)]
    assert not (hour[0] == 12).any()
    assert (hour[1] == 12).mean() < 0.02


def test_closed_days_do_not_lower_the_rate_of_arrivals():
    rng = np.random.default_rng(8)
    first = office.MONDAY + np.sort(rng.integers(0, 10 * 7 * office.DAY, 2000))
    day = first // office.DAY
    shut = np.arange(office.MONDAY // office.DAY + 21, office.MONDAY // office.DAY + 35)
    first = first[~np.isin(day, shut)]
    begin, cut = office.MONDAY, office.MONDAY + 70 * office.DAY
    mass = np.ones(len(first))
    assert fit_arrivals(first, mass, begin, cut, shut).per_week == pytest.approx(200.0, rel=0.05)
    assert fit_arrivals(first, mass, begin, cut).per_week < 170.0
    # On a day with arrivals the office may be closed; they count.
    assert fit_arrivals(first, mass, begin, cut, day[:50]).per_week == fit_arrivals(first, mass, begin, cut).per_week


AROUND_THE_CLOCK = ((0.0, 24.0),)
SHIFTS = (((0.0, 8.0),), ((8.0, 16.0),), ((16.0, 24.0),))


def test_people_of_whom_little_was_seen_have_the_hours_of_their_colleagues():
    log = _log([AROUND_THE_CLOCK] * 8, 6, work=lambda _: 30.0, idle=1000.0)
    assert 60 <= 2 * len(log) / 8 <= 100  # stamps of each, of 240 half hours
    week = _found(log)
    assert week[:, :5].mean() > 0.97
    assert week[:, 5:].mean() < 0.1


def test_shifts_and_days_off_stay_what_they_are_though_colleagues_work_then():
    found = _found(_log([SHIFTS[p % 3] for p in range(9)], 6, idle=300.0))
    truth = _true([SHIFTS[p % 3] for p in range(9)])
    assert (found & ~truth).mean() < 0.02
    log = columns_of(_log([ALL_DAY] * 8, 6, work=lambda _: 10.0, idle=200.0, rests=False))
    weekday = (log.start - office.MONDAY) // office.DAY % 7
    found = _found_of(log.take(weekday != log.resource % 5))
    for p, week in enumerate(found):
        assert not week[p % 5].any()
        assert week[(p + 1) % 5, 18:35].mean() > 0.9


def _found_of(columns):
    return fit_calendars(columns).reshape(-1, 7, 48)
