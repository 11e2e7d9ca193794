"""Working hours over days, beside a plain walk from minute to minute."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clock import DAY, MINUTE, calendar_bounds
from twin.process.calendar import WorkCalendar
from twin.process.compile import capacity_steps
from twin.process.staff import Calendar, Pool

STEP = 30 * MINUTE
TIMES = st.integers(0, 47)
DAYS = st.one_of(st.just("every"), st.just("trading"), st.frozensets(st.integers(0, 6), min_size=1))
HOURS = st.tuples(TIMES, st.integers(1, 48), DAYS).filter(lambda h: h[0] != h[1])
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def text(slot: int) -> str:
    return f"{slot // 2:02d}:{slot % 2 * 30:02d}"


@settings(max_examples=60, deadline=None)  # the first example reads the exchange's calendar
@given(
    st.lists(HOURS, min_size=1, max_size=4),
    st.sampled_from([None, dt.date(2026, 9, 28), dt.date(2026, 2, 13)]),
    st.frozensets(st.integers(-3, 12), max_size=3),
    st.booleans(),
    st.integers(-8, 4),
    st.integers(0, 9),
)
def test_hours_are_those_of_a_plain_walk(spans, day, closed, holidays, first, length):
    work, last = WorkCalendar(day), first + length
    dates = [(day or dt.date(2026, 1, 1)) + dt.timedelta(days=d) for d in sorted(closed)]
    calendar = Calendar.model_validate(
        {
            "hours": [
                {
                    "from": text(a),
                    "to": text(b),
                    "days": [WEEKDAYS[d] for d in days] if isinstance(days, frozenset) else days,
                }
                for a, b, days in spans
            ],
            "closed": dates,
            "holidays": "trading" if holidays else "none",
        }
    )
    slots: set[int] = set()
    for d in range(first, last + 1):
        date = None if day is None else day + dt.timedelta(days=d)
        weekday = d % 7 if date is None else date.weekday()
        if date in dates or (holidays and not work.works(d, "trading")):
            continue
        for a, b, days in spans:
            if weekday in days if isinstance(days, frozenset) else work.works(d, days):
                slots |= {d * 48 + s for s in range(a, b if b > a else b + 48)}
    starts = [s * STEP for s in sorted(slots) if s - 1 not in slots]
    ends = [(s + 1) * STEP for s in sorted(slots) if s + 1 not in slots]
    assert work.hours(calendar, first, last) == list(zip(starts, ends, strict=True))
    assert DAY == 48 * STEP


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TIMES, st.integers(1, 48), DAYS, st.integers(0, 5)), min_size=1, max_size=4),
    st.sampled_from([None, dt.date(2026, 9, 28), dt.date(2026, 2, 13)]),
    st.integers(0, 6),
    st.integers(0, 9),
)
def test_changes_of_staff_are_those_of_a_plain_walk(shifts, day, first, length):
    work, last = WorkCalendar(day), first + length
    pool = Pool.model_validate(
        {
            "shifts": [
                {
                    "from": text(a),
                    "to": text(b),
                    "staff": staff,
                    "days": [WEEKDAYS[d] for d in days] if isinstance(days, frozenset) else days,
                }
                for a, b, days, staff in shifts
            ]
        }
    )
    present = dict.fromkeys(range((first - 2) * 48, (last + 2) * 48), 0)
    for d in range(first - 2, last + 1):
        for a, b, days, staff in shifts:
            if work.works(d, days):
                for slot in range(a, b if b > a else b + 48):
                    present[d * 48 + slot] += staff
    instants, staff = (column.tolist() for column in capacity_steps(pool, work, first, last))
    if first == 0:
        assert (instants[0], staff[0]) == (0, present[0])
    changes = dict(zip(instants, staff, strict=True))
    for slot in range(first * 48 + (first == 0), (last + 1) * 48):
        assert changes.pop(slot * STEP, present[slot - 1]) == present[slot]
    assert list(changes) == ([0] if first == 0 else [])


def test_days_whose_holidays_are_not_announced_are_weekdays():
    known = calendar_bounds()[1]
    work = WorkCalendar(known - dt.timedelta(days=10))
    assert work.assumption(10) == ""
    assert str(known) in work.assumption(11)
    for offset in range(11, 400):
        date = work.day + dt.timedelta(days=offset)
        assert work.works(offset, "trading") == (date.weekday() < 5 and (date.month, date.day) != (1, 1))
    assert WorkCalendar().assumption(4000) == ""
