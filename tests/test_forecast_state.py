"""The state rebuilt from a log: who works on what, who waits, which cases have ended, and nothing from later."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from forecast_house import DAY, HOUR, START, log_of, office
from hypothesis import given
from hypothesis import strategies as st

from twin.process.eventlog.files import read_log
from twin.process.eventlog.log import EventLog
from twin.process.forecasting.columns import (
    NEVER,
    NONE,
    columns_of,
    enabled_by_case,
    known_at,
    without_hindsight,
)
from twin.process.forecasting.ending import Contexts
from twin.process.forecasting.forecast import Plan, forecast
from twin.process.forecasting.state import state_at
from twin.process.forecasting.week import WEEK, WeekClock
from twin.process.forecasting.worlds import world_of_log


@pytest.fixture(scope="module")
def bureau():
    return office(days=20, seed=3)


def test_state_knows_who_works_on_what_since_when(bureau):
    """Equal to the simulation's own truth at many instants."""
    columns = columns_of(bureau.log)
    for day in (8.3, 11.71, 15.02):
        t = START + int(day * DAY)
        state = state_at(bureau.log, t)
        work = state.working
        seen = {
            (state.columns.cases[c], state.columns.activities[a], state.columns.resources[r], s)
            for c, a, r, s in zip(*(part.tolist() for part in vars(work).values()), strict=True)
        }
        rows = (columns.start < t) & (columns.end >= t)
        truth = {
            (columns.cases[c], columns.activities[a], columns.resources[r], s)
            for c, a, r, s in zip(
                *(part[rows].tolist() for part in (columns.case, columns.activity, columns.resource, columns.start)),
                strict=True,
            )
        }
        assert seen == truth
        assert len(seen) > 3


def test_state_knows_who_waits_and_since_when(bureau):
    """Cases that have begun and wait must be likely open; the state's expectation meets their number."""
    expected = actual = 0.0
    for day in np.linspace(7, 19, 12):
        t = START + int(day * DAY)
        state = state_at(bureau.log, t)
        begun = set(state.columns.cases)
        waits = bureau.waiting_at(t) & begun
        chance = dict(zip(state.columns.cases, state.chance.tolist(), strict=True))
        last = dict(zip(state.columns.cases, state.last.tolist(), strict=True))
        for case, since, until in bureau.waiting:
            if case in waits and since < t <= until:
                assert last[case] == since
                assert chance[case] > 0
        expected += sum(chance[state.columns.cases[i]] for i in state.idle.tolist())
        actual += len(waits)
    assert expected == pytest.approx(actual, rel=0.2)


def test_chances_to_be_open_are_calibrated(bureau):
    """Among cases given a chance of p, about p are open: sums agree within four binomial deviations."""
    pairs = []
    for day in np.linspace(7, 19, 20):
        t = START + int(day * DAY)
        state = state_at(bureau.log, t)
        truly = bureau.open_at(t)
        pairs += [(state.chance[i], state.columns.cases[i] in truly) for i in state.idle.tolist()]
    p, y = np.array(pairs).T
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        rows = (p > low) & (p <= high)
        if rows.sum() >= 20:
            sd = np.sqrt((p[rows] * (1 - p[rows])).sum()) * 2  # neighbouring instants see the same cases
            assert abs(y[rows].sum() - p[rows].sum()) <= 4 * sd + 1


@pytest.mark.slow
def test_nothing_from_later_changes_state_or_forecast(bureau):
    """Rows planted after the instant, and other ends of work under way, leave everything as it was."""
    t = START + 14 * DAY + 10 * HOUR
    plan = Plan(2 * DAY, 6 * HOUR, runs=12, deadline=4 * HOUR)
    early = EventLog(bureau.log.table.filter(pa.compute.less(bureau.log.table["start"].cast(pa.int64()), t // 1_000)))
    known = known_at(bureau.log, t)
    state = state_at(bureau.log, t)
    planted = [(f"new{k}", "storm", "nobody", t + k * HOUR, t + (k + 9) * HOUR) for k in range(50)]
    planted += [(case, "decide", "decide-1", t + HOUR, t + 2 * HOUR) for case in state.columns.cases[-40:]]
    more = EventLog(pa.concat_tables([early.table, log_of(planted).table]))
    ends = pa.compute.if_else(
        pa.compute.less(more.table["end"].cast(pa.int64()), t // 1_000),
        more.table["end"].cast(pa.int64()),
        pa.compute.add(more.table["end"].cast(pa.int64()), 7_777_000_000),
    )
    later = EventLog(more.table.set_column(4, "end", ends.cast(pa.timestamp("us", tz="UTC"))))
    one = forecast(bureau.log, t, plan)
    # The process, too, must be the one that was to be seen then.
    for other, process in ((later, None), (early, one.process), (known, one.process)):
        two = forecast(other, t, plan, process)
        assert np.array_equal(one.members, two.members, equal_nan=True)
        assert np.array_equal(one.past, two.past, equal_nan=True)
        assert one.cases.name == two.cases.name


def test_known_at_hides_ends_and_attributes_of_work_under_way():
    rows = [("a", "x", "r", 0, 10 * HOUR), ("a", "y", "r", 10 * HOUR, 20 * HOUR), ("b", "x", "s", 12 * HOUR, None)]
    cost = pa.array([5, 7, 9])
    log = log_of(rows, **{"cost": cost, "case:kind": pa.array(["p", "p", "q"])})
    known = known_at(log, 15 * HOUR)
    assert known.table["end"].to_pylist()[1:] == [None, None]
    assert known.table["cost"].to_pylist() == [5, None, None]
    assert known.table["case:kind"].to_pylist() == ["p", "p", "q"]
    assert len(known_at(log, 12 * HOUR)) == 2
    assert len(known_at(log, 12 * HOUR + 1_000)) == 3


def test_work_begun_at_the_instant_itself_is_not_known():
    log = log_of([("a", "x", "r", 5 * HOUR, 6 * HOUR)])
    assert len(known_at(log, 5 * HOUR)) == 0
    assert columns_of(known_at(log, 6 * HOUR)).end[0] == NEVER  # it ends at the instant, so it is still under way


def test_names_of_variants_are_left_out_and_plain_attributes_stay():
    rows, variant, amount = [], [], []
    for k in range(60):
        path = (["x", "y"], ["x", "z", "y"], ["x"])[k % 3]
        for i, activity in enumerate(path):
            rows.append((f"c{k:02d}", activity, "r", (k * 5 + i) * HOUR, (k * 5 + i + 1) * HOUR))
            variant.append(f"Variant {k % 3}")
            amount.append(str(k % 4))
    log = log_of(rows)
    order = np.lexsort((columns_of(log).start,))
    log = EventLog(
        log.table.take(order).append_column("variant", pa.array(variant)).append_column("amount", pa.array(amount))
    )
    clean = without_hindsight(log)
    assert "variant" not in clean.attributes
    assert "amount" in clean.attributes
    assert "variant" in clean.notes[-1]


def enabled_slowly(case, start, end):
    out = []
    for i in range(len(case)):
        done = [end[j] for j in range(i) if case[j] == case[i] and end[j] <= start[i]]
        out.append(max(done) if done else NONE)
    return out


times = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=25)


@given(times)
def test_enabled_times_equal_brute_force(rows):
    case, start, length = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    order = np.lexsort((start + length, start, case))
    case, start, end = case[order], start[order], (start + length)[order]
    assert enabled_by_case(case, start, end).tolist() == enabled_slowly(case.tolist(), start.tolist(), end.tolist())


def goes_on_slowly(duration, over, x):
    """The product-limit estimate of one context with half a case that never ends, and its extrapolation."""

    def survival(age):
        out = 1.0
        for t in sorted({d for d, o in zip(duration, over, strict=True) if o and d <= age}):
            at_risk = sum(d >= t for d in duration) + 0.5
            out *= 1 - sum(o and d == t for d, o in zip(duration, over, strict=True)) / at_risk
        return out

    quarter, half, last = (survival(max(duration) * share) for share in (0.25, 0.5, 1.0))
    n = len(duration)
    rate = min((half - last + 0.5 / n) / (quarter - half + 1 / n), 0.5)
    return max(1 - last * (1 - min((half / last - 1) * rate / (1 - rate), 0.5)) / survival(x), 0.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=20), st.integers(0, 10))
def test_chance_to_go_on_equals_brute_force(sample, x):
    duration, over = zip(*sample, strict=True)
    fit = Contexts(np.zeros((len(sample), 0), np.int64), np.array(duration, float), np.array(over, bool))
    found = float(fit.goes_on(np.zeros((1, 0), np.int64), np.array([float(x)]))[0])
    assert found == pytest.approx(goes_on_slowly(duration, over, x), abs=1e-9)


def test_chance_to_go_on_meets_a_known_mixture():
    """Of cases that end here with probability 0.4 and else go on after an exponential time, those quiet for 1 go on
    with probability 0.6 e^-1 / (0.4 + 0.6 e^-1)."""
    rng = np.random.default_rng(1)
    n = 20_000
    ends = rng.random(n) < 0.4
    wait, seen = rng.exponential(1, n), rng.uniform(4, 20, n)
    over = ~ends & (wait < seen)
    none = np.zeros((n, 0), np.int64)
    fit = Contexts(none, np.where(over, wait, seen), over)
    expected = 0.6 * np.exp(-1) / (0.4 + 0.6 * np.exp(-1))
    assert fit.goes_on(none[:1], np.array([1.0]))[0] == pytest.approx(expected, abs=0.02)


def test_one_lasting_wait_makes_no_certainty_of_the_next_and_old_cases_stay_possible():
    """Fifty waits up to 10, one of 60; two cases quiet for 50 and 58 while the log is 60 long."""
    duration = np.concatenate([np.linspace(0.2, 10, 50), [60.0], np.full(40, 60.0), [50.0, 58.0]])
    over = np.array([True] * 51 + [False] * 42)
    fit = Contexts(np.zeros((93, 1), np.int64), duration, over)
    chance = fit.goes_on(np.zeros((2, 1), np.int64), np.array([50.0, 59.9]))
    assert np.all(chance > 0)
    assert np.all(chance < 0.2)
    small = Contexts(np.zeros((2, 1), np.int64), np.array([60.0, 50.0]), np.array([True, False]))
    assert 0.2 < small.goes_on(np.zeros((1, 1), np.int64), np.array([50.0]))[0] < 0.9


def test_rare_contexts_fall_back_to_shorter_ones():
    contexts = np.array([(0, 1)] * 100 + [(2, 1)] * 3)
    duration, over = np.concatenate([np.arange(100.0), [200.0] * 3]), np.array([True] * 100 + [False] * 3)
    fit = Contexts(contexts, duration, over)
    often, rare, unseen = fit.goes_on(np.array([(0, 1), (2, 1), (9, 1)]), np.full(3, 50.0))
    assert often > 0.97
    assert rare < unseen < often


def test_lost_ends_do_not_keep_cases_open_for_ever():
    rows = [(f"c{k:03d}", "x", "r", START + k * HOUR, START + k * HOUR + HOUR // 2) for k in range(300)]
    rows.append(("lost", "x", "r", START + HOUR, None))
    rows.append(("now", "x", "r", START + 300 * HOUR, None))
    state = state_at(log_of(rows), START + 300 * HOUR + HOUR // 4)
    working = {state.columns.cases[c] for c in state.working.case.tolist()}
    assert working == {"now"}


def test_week_clock_runs_by_the_rate_of_the_hour_and_a_week_is_168_hours():
    instants = START + np.arange(200) * HOUR // 4  # 50 hours from a Monday on
    clock = WeekClock.of(instants)
    assert clock.between(START, START + WEEK) == pytest.approx(168)
    assert clock.between(START, START + HOUR) == pytest.approx(168 / 50, rel=0.02)
    assert clock.between(START + 60 * HOUR, START + 61 * HOUR) < 0.05
    parts = clock.between(START, START + 7 * HOUR) + clock.between(START + 7 * HOUR, START + 31 * HOUR)
    assert parts == pytest.approx(clock.between(START, START + 31 * HOUR))


@pytest.mark.data
def test_chances_are_calibrated_on_a_real_log(shared_data):
    """A bank's loan applications with a thousand quiet cases: each class of chance is right within 0.1."""
    log = read_log(shared_data / "process" / "event_logs" / "BPIC_2012_W.csv.gz")
    world, whole = world_of_log(log), columns_of(log)
    number = {name: i for i, name in enumerate(whole.cases)}
    chance, truly = [], []
    for day in (85, 100, 115, 130):
        t = int(whole.start.min()) // DAY * DAY + day * DAY + 10 * HOUR
        state = state_at(log, t)
        chance += state.chance[state.idle].tolist()
        truly += [world.ended[number[state.columns.cases[i]]] >= t for i in state.idle.tolist()]
    p, y = np.array(chance), np.array(truly, float)
    for low in (0.0, 0.25, 0.5, 0.75):
        rows = (p > low) & (p <= low + 0.25)
        assert rows.sum() > 50
        assert y[rows].mean() == pytest.approx(p[rows].mean(), abs=0.1)
    base = y.mean() * (1 - y.mean())
    assert np.mean((p - y) ** 2) < 0.6 * base
