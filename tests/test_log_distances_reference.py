"""The five distances: equal to another implementation and to a plain reading of their definitions."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_distance_cases import REAL, REFERENCE, small_log

from twin.errors import DataError
from twin.measures.log_distances import LogProfile, distances, n_gram_distance
from twin.process.eventlog.files import read_log
from twin.process.eventlog.log import EventLog

T0 = dt.datetime(2026, 3, 1, 22, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def log_of(rows):
    case, activity, start, end = (list(column) for column in zip(*rows, strict=True))
    return EventLog.from_columns(case, activity, None, start, end)


def five(a, b):
    return tuple(distances(a, b).as_dict().values())


rows = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("abc"), st.integers(0, 20_000), st.integers(0, 3_000)).map(
        lambda r: (r[0], r[1], T0 + dt.timedelta(minutes=r[2]), T0 + dt.timedelta(minutes=r[2] + r[3]))
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("number", REFERENCE)
def test_distances_equal_those_of_the_reference_package(number):
    found = five(log_of(small_log(number, 0)), log_of(small_log(number, 1)))
    assert found == pytest.approx(REFERENCE[number], rel=1e-9, abs=1e-9)


@pytest.mark.data
@pytest.mark.parametrize(("test", "simulated"), REAL)
def test_distances_on_real_logs_equal_those_of_the_reference_package(shared_data, test, simulated):
    found = five(read_log(shared_data / test), read_log(shared_data / simulated))
    assert found == pytest.approx(REAL[test, simulated], rel=1e-9, abs=1e-9)


def plain(a, b):
    """The definitions, read literally: one list entry per event, distribution functions at every hour."""

    def traces(log):
        ordered = sorted(range(len(log)), key=lambda i: (log[i][2], log[i][3]))
        return {case: [log[i] for i in ordered if log[i][0] == case] for case in {row[0] for row in log}}

    def grams(log):
        found = Counter()
        for trace in traces(log).values():
            padded = [None, None, *(row[1] for row in trace), None, None]
            found.update(zip(padded, padded[1:], padded[2:], strict=False))
        return found

    def area(x, y):
        places = range(min(x + y), max(x + y))
        return sum(abs(sum(v <= p for v in x) / len(x) - sum(v <= p for v in y) / len(y)) for p in places)

    def both(log):
        return [row[i] for i in (2, 3) for row in log]

    def relative(log):
        begins = {case: trace[0][2] for case, trace in traces(log).items()}
        return [(row[i] - begins[row[0]]) // HOUR for i in (2, 3) for row in log]

    def cycles(log):
        return [max(row[3] for row in t) - t[0][2] for t in traces(log).values()]

    p, q = grams(a), grams(b)
    ngd = sum(abs(p[g] - q[g]) for g in p | q) / (p.total() + q.total())
    aedd = area(*([(t - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // HOUR for t in both(log)] for log in (a, b)))
    cedd = 0.0
    for day in range(7):
        x, y = ([t.hour for t in both(log) if t.weekday() == day] for log in (a, b))
        cedd += (area(x, y) if x and y else 23.0 if x or y else 0.0) / 7
    shortest = min(cycles(a) + cycles(b))
    ctdd = area(*([(t - shortest) // HOUR for t in cycles(log)] for log in (a, b)))
    return ngd, aedd, cedd, area(relative(a), relative(b)), ctdd


@settings(deadline=None, max_examples=60)
@given(rows, rows)
def test_distances_equal_a_plain_reading_of_the_definitions_and_are_symmetric(a, b):
    found = five(log_of(a), log_of(b))
    assert found == pytest.approx(plain(a, b), abs=1e-9)
    assert five(log_of(b), log_of(a)) == pytest.approx(found, abs=1e-12)
    assert all(value >= 0 for value in found)
    assert found[0] <= 1


@settings(deadline=None, max_examples=40)
@given(rows)
def test_distance_of_a_log_to_itself_is_zero_whatever_the_order_of_its_cases(log):
    assert five(log_of(log), log_of(log)) == (0.0,) * 5
    renamed = [({"x": "zz", "y": "q", "z": "a"}[c], *rest) for c, *rest in log]
    assert five(log_of(log), log_of(renamed)) == (0.0,) * 5


@settings(deadline=None, max_examples=30)
@given(rows, st.integers(1, 9))
def test_moving_a_log_by_weeks_moves_only_the_absolute_distance(log, weeks):
    moved = [(c, a, s + dt.timedelta(weeks=weeks), e + dt.timedelta(weeks=weeks)) for c, a, s, e in log]
    ngd, aedd, *others = five(log_of(log), log_of(moved))
    assert aedd == pytest.approx(168 * weeks)
    assert (ngd, *others) == (0.0,) * 4


def test_doubling_the_cases_is_seen_by_the_n_grams_only():
    log = [("1", "a", T0, T0 + HOUR), ("1", "b", T0 + HOUR, T0 + 2 * HOUR)]
    twice = log + [("2", *row[1:]) for row in log]
    assert five(log_of(log), log_of(twice)) == pytest.approx((1 / 3, 0, 0, 0, 0))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_n_grams_of_any_length_count_the_pads(n):
    log = log_of([("1", "a", T0, T0), ("1", "b", T0 + HOUR, T0 + HOUR), ("2", "a", T0, T0)])
    found = LogProfile.of(log).grams(n)
    assert sum(found.values()) == 3 + 2 * (n - 1)
    assert n_gram_distance(log, log, n) == 0.0


def test_activity_without_start_or_end_counts_as_an_instant_and_an_empty_log_is_refused():
    whole = EventLog.from_columns(["1", "1"], ["a", "b"], None, [T0, T0 + HOUR], [T0, T0 + HOUR])
    holes = EventLog.from_columns(["1", "1", "2"], ["a", "b", "c"], None, [T0, None, None], [None, T0 + HOUR, None])
    assert five(whole, holes) == (0.0,) * 5
    with pytest.raises(DataError, match="empty log"):
        distances(whole, EventLog.from_columns([], [], None, [], []))


def test_a_large_log_moved_in_time_is_as_far_as_it_was_moved():
    n, draw = 60_000, np.random.default_rng(1)
    case, activity = np.sort(draw.integers(0, 9_000, n)), draw.integers(0, 25, n)
    start = draw.integers(0, 10**7, n) * 10**9
    names = [f"activity {i}" for i in range(25)]
    a, b = (LogProfile(case, activity, names, start + s, start + s + 10**12) for s in (0, 7 * 24 * 3600 * 10**9))
    found = distances(a, b)
    assert found.ngd == 0.0
    assert found.aedd == pytest.approx(7 * 24)
    assert (found.cedd, found.redd, found.ctdd) == (0.0, 0.0, 0.0)
