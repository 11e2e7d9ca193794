"""Working hours over days, beside a plain walk from minute to minute."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clock import DAY, MINUTE
from twin.process.calendar import WorkCalendar
from twin.process.staff import Calendar

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
