"""Shifts, windows, staff changes, memory, conservation: the rules of the process network one by one."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from process_models import SECOND, poisson_times, requests_at, station

from twin.clock import DAY, HOUR, MINUTE, at, calendar_bounds
from twin.contracts import OutcomeKind, Requests, Segment
from twin.errors import CapacityError, ScenarioError
from twin.process.arrivals import Profile, arrivals
from twin.process.calendar import WorkCalendar
from twin.process.loader import parse_process
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

FRIDAY = dt.date(2026, 9, 18)


def shifted(shifts: str, service: str = "30 min"):
    return parse_process(f"""
name: shifts
start: desk
pools: {{agents: {{shifts: {shifts}}}}}
nodes:
  desk: {{kind: task, pool: agents, service: {service}, next: done}}
  done: {{kind: end}}
""")


@pytest.mark.parametrize(
    ("split", "joined"),
    [
        ("{kind: choice, next: x}", "{kind: choice, next: again}"),
        ("{kind: fork, next: [x, y]}", "{kind: join, next: again}"),
    ],
)
def test_optional_step_that_may_be_repeated_is_done_as_often_as_the_chances_say(split, joined):
    """Rounds may pass in no time: 2 in the mean, half of them with the step."""
    text = f"""
name: rounds
start: round
pools: {{staff: {{staff: unlimited}}}}
nodes:
  round: {split}
  x: {{kind: choice, next: [{{to: step, probability: 0.5}}, {{to: after, probability: 0.5}}]}}
  after: {{kind: choice, next: joined}}
  y: {{kind: choice, next: joined}}
  step: {{kind: task, pool: staff, service: 1 s, next: after}}
  joined: {joined}
  again: {{kind: choice, next: [{{to: round, probability: 0.5}}, {{to: done, probability: 0.5}}]}}
  done: {{kind: end}}
"""
    network = ProcessNetwork(parse_process(text), Streams(3), WorkCalendar())
    cases = 4000
    network.submit(requests_at(np.zeros(cases, np.int64)))
    assert len(network.advance(HOUR)) == cases
    done = network.statistics().nodes["step"].arrivals
    assert abs(done / cases - 1) < 4 / cases**0.5  # a geometric number of coins: mean and variance 1


def test_nothing_happens_without_cases():
    network = ProcessNetwork(shifted('[{from: "09:00", to: "17:00", staff: 2}]'), Streams(1), WorkCalendar(FRIDAY))
    outcomes = network.advance(DAY)
    s = network.statistics()
    assert len(outcomes) == 0
    assert s.nodes["desk"].arrivals == s.cases.served == network.in_system == network.timers == 0
    assert s.pools["agents"].busy == 0
    assert s.pools["agents"].staff_hours == 16


def test_wait_is_exactly_zero_with_unlimited_staff():
    times = poisson_times(50.0, 5000, seed=3)
    crowded = ProcessNetwork(station(2, "{distribution: exponential, mean: 1 s}"), Streams(1))
    crowded.submit(requests_at(times))
    assert crowded.drain().wait.sum() > 0
    free = ProcessNetwork(station("unlimited", "{distribution: exponential, mean: 1 s}"), Streams(1))
    free.submit(requests_at(times))
    assert free.drain().wait.sum() == 0
    freed = ProcessNetwork(station(2, "{distribution: exponential, mean: 1 s}"), Streams(1))
    freed.set_staff("agents", None)
    freed.submit(requests_at(times))
    assert freed.drain().wait.sum() == 0


def test_work_waits_for_the_shift_and_is_finished_after_it():
    model = shifted('[{from: "09:00", to: "10:00", staff: 1}]')
    network = ProcessNetwork(model, Streams(1), WorkCalendar(FRIDAY))
    network.submit(requests_at([at("08:00"), at("08:10"), at("08:20"), at("09:45")]))
    ended = network.advance(10 * DAY)
    monday = 3 * DAY
    # Two halves of the hour, then nobody until Monday; the fourth case runs over the end of Monday's shift by nothing.
    expected = [at("09:30"), at("10:00"), monday + at("09:30"), monday + at("10:00")]
    assert ended.time.tolist() == expected
    assert ended.wait.tolist() == [
        HOUR,
        at("09:30") - at("08:10"),
        monday + at("09:00") - at("08:20"),
        monday + at("09:30") - at("09:45"),
    ]


def test_overrun_is_finished_and_paid_but_not_followed_by_more_work():
    model = shifted('[{from: "09:00", to: "10:00", staff: 1, days: every}]', "50 min")
    network = ProcessNetwork(model, Streams(1), WorkCalendar())
    network.submit(requests_at([at("09:30"), at("09:40")]))
    ended = network.advance(DAY)
    assert ended.time.tolist() == [at("10:20")]
    assert network.queue_lengths() == {"agents": 1}
    # 09:00 to 10:20 is paid.
    assert network.statistics().pools["agents"].staff_hours == pytest.approx(80 / 60)


def test_shifts_add_up_and_may_pass_midnight():
    model = shifted(
        '[{from: "22:00", to: "02:00", staff: 1, days: every}, {from: "23:00", to: "24:00", staff: 2, days: every}]'
    )
    network = ProcessNetwork(model, Streams(1), WorkCalendar())
    network.submit(requests_at([at("22:59")] * 5))
    network.advance(at("23:00"))
    assert network.busy() == {"agents": 1}
    network.advance(at("23:00") + 1)
    assert network.busy() == {"agents": 3}
    network.advance(DAY + 1)
    # At midnight two go home; the last case, begun at 23:30, was taken by one of three.
    assert network.statistics().cases.served == 5
    assert network.statistics().pools["agents"].staffed == pytest.approx((2 + 2 + 2) * HOUR, rel=1e-9)


WINDOW = """
name: window
start: registry
nodes:
  registry: {kind: window, opens: "08:30", closes: "16:00", next: activation}
  activation: {kind: window, opens: "09:15", closes: "15:00", next_day: true, next: done}
  done: {kind: end}
"""


@pytest.mark.parametrize(
    ("arrival", "registered", "tradable"),
    [
        (at("07:00"), at("08:30"), 3 * DAY + at("09:15")),
        (at("12:00"), at("12:00"), 3 * DAY + at("09:15")),
        (at("15:59"), at("15:59"), 3 * DAY + at("09:15")),
        (at("16:00"), 3 * DAY + at("08:30"), 4 * DAY + at("09:15")),
        (DAY + at("10:00"), 3 * DAY + at("08:30"), 4 * DAY + at("09:15")),
    ],
)
def test_registry_window_and_activation_on_the_next_trading_day(arrival, registered, tradable):
    network = ProcessNetwork(parse_process(WINDOW), Streams(1), WorkCalendar(FRIDAY))
    network.submit(requests_at([arrival]))
    network.advance(registered + 1)
    assert network.statistics().nodes["activation"].arrivals == 1
    outcome = network.advance(10 * DAY)
    assert outcome.time.tolist() == [tradable]
    assert outcome.wait.tolist() == [tradable - arrival]


def test_windows_skip_the_national_holiday():
    network = ProcessNetwork(parse_process(WINDOW), Streams(1), WorkCalendar(dt.date(2024, 9, 30)))
    network.submit(requests_at([at("10:00"), at("16:30")]))
    days = [t // DAY for t in network.advance(20 * DAY).time.tolist()]
    # 30 September 2024: next trading day 8 October; those after the window are registered then and trade on the 9th.
    assert days == [8, 9]


def test_a_process_runs_to_the_end_of_the_exchanges_calendar_and_beyond():
    last = calendar_bounds()[1]
    network = ProcessNetwork(parse_process(WINDOW), Streams(1), WorkCalendar(last))
    network.submit(requests_at([at("10:00")]))
    (tradable,) = network.advance(10 * DAY).time.tolist()
    date = last + dt.timedelta(days=tradable // DAY)
    assert tradable % DAY == at("09:15")
    assert last < date <= last + dt.timedelta(days=5)
    assert date.weekday() < 5
    assert (date.month, date.day) != (1, 1)


def test_staff_change_takes_effect_at_once():
    network = ProcessNetwork(station(1, "10 min"), Streams(1))
    network.submit(requests_at([0, 0, 0, 0]))
    network.advance(MINUTE)
    assert network.queue_lengths() == {"agents": 3}
    network.set_staff("agents", 3)
    network.advance(MINUTE + 1)
    assert network.busy() == {"agents": 3}
    network.set_staff("agents", 0)
    ended = network.advance(HOUR)
    assert ended.time.tolist() == [10 * MINUTE, 11 * MINUTE, 11 * MINUTE]
    assert network.queue_lengths() == {"agents": 1}


def test_more_staff_keeps_every_draw_of_every_case():
    times = poisson_times(3.0, 2000, seed=8)
    service = "{distribution: lognormal, mean: 1 s, cv: 2}"
    runs = []
    for staff in (2, 4):
        network = ProcessNetwork(station(staff, service), Streams(5))
        network.submit(requests_at(times))
        o = network.drain()
        order = np.argsort(o.request)
        runs.append((o.time - o.wait)[order])
    np.testing.assert_array_equal(runs[0], runs[1])


@pytest.mark.parametrize("patience", [None, "{distribution: exponential, mean: 1000 week}"])
def test_endless_patience_costs_no_memory(patience):
    servers, n = 5, 200_000
    network = ProcessNetwork(
        station(servers, "{distribution: exponential, mean: 1 s}", patience), Streams(1), record=False
    )
    times = poisson_times(4.0, n, seed=1)
    for part in np.split(times, 20):
        network.submit(requests_at(part))
        network.advance(int(part[-1]))
        assert network.timers <= network.in_system
    assert network.case_capacity <= 256
    if patience is None:
        assert network.timers <= servers


@pytest.mark.parametrize("stops", [0, 7, 400])
def test_patience_of_any_length_ends_on_time(stops):
    """Nobody is served, so all leave when their patience ends, which lies seconds to months ahead."""
    model = station(1, "1 week", "{default: 9 s, by_segment: {gen_z: 5 h, hnw: 40 day}}")
    limit = np.full(len(Segment), 9 * SECOND)
    limit[Segment.GEN_Z], limit[Segment.HNW] = 5 * HOUR, 40 * DAY
    network = ProcessNetwork(model, Streams(3))
    network.set_staff("agents", 0)
    times = poisson_times(0.01, 2_000, seed=2)
    number = np.arange(2_000)
    kind = number % len(Segment)
    network.submit(Requests(times, number, number, kind))
    last = int(times[-1]) + 41 * DAY
    parts = [network.advance(int(t)) for t in np.linspace(0, last, stops + 2)[1:]]
    time, request, wait = (np.concatenate([getattr(p, name) for p in parts]) for name in ("time", "request", "wait"))
    assert network.timers == network.in_system == 0
    order = np.lexsort([number, times + limit[kind]])
    np.testing.assert_array_equal(request, order)
    np.testing.assert_array_equal(wait, limit[kind][order])
    np.testing.assert_array_equal(time, (times + limit[kind])[order])


def test_cases_are_conserved():
    model = parse_process("""
name: conservation
start: desk
pools: {agents: {staff: 2}}
case_patience: {patience: {distribution: exponential, mean: 4 s}}
nodes:
  desk:
    kind: task
    pool: agents
    service: {distribution: exponential, mean: 1 s}
    rework: {to: desk, probability: 0.3, limit: 2, otherwise: refused}
    next: done
  done: {kind: end}
  refused: {kind: end, outcome: refused}
""")
    network = ProcessNetwork(model, Streams(1))
    times = poisson_times(2.5, 5000, seed=2)
    network.submit(requests_at(times))
    most_inside = 0
    for until in range(0, int(times[-1]), int(times[-1]) // 70):
        before = network.statistics().cases
        ended = network.advance(until)
        now = network.statistics().cases
        arrived = int(np.sum(times < until))
        assert now.served + now.abandoned + now.refused + now.inside == arrived
        assert np.sum(ended.outcome == OutcomeKind.ABANDONED) == now.abandoned - before.abandoned
        most_inside = max(most_inside, now.inside)
    assert min(now.served, now.abandoned, now.refused, most_inside) > 0


def test_abandoned_callers_try_again_as_the_file_says():
    model = parse_process("""
name: retrial
start: desk
pools: {agents: {staff: 0}}
nodes:
  desk: {kind: task, pool: agents, service: 1 s, patience: 30 s, on_abandon: again, next: done}
  again:
    kind: choice
    next:
      - {to: pause, probability: {default: 0.6, by_segment: {hnw: 0}}}
      - {to: lost, probability: {default: 0.4, by_segment: {hnw: 1}}}
  pause: {kind: delay, duration: 1 min, next: desk}
  done: {kind: end}
  lost: {kind: end, outcome: abandoned}
""")
    network = ProcessNetwork(model, Streams(1))
    n = 20_000
    network.submit(requests_at(np.zeros(n)))
    network.submit(requests_at(np.zeros(10), first=n, segment=Segment.HNW))
    ended = network.drain()
    assert set(ended.outcome.tolist()) == {int(OutcomeKind.ABANDONED)}
    attempts = network.statistics().nodes["desk"].arrivals - 10
    # Geometric: mean 2.5 attempts, variance 0.6 / 0.16.
    assert attempts / n == pytest.approx(2.5, abs=4 * np.sqrt(0.6 / 0.16 / n))
    assert ended.wait[ended.request >= n].tolist() == [30 * SECOND] * 10


def test_endless_loop_is_an_error_and_not_a_hang():
    model = parse_process("""
name: loop
start: desk
pools: {agents: {staff: unlimited}}
nodes:
  desk: {kind: task, pool: agents, service: 0 s, rework: {to: desk, probability: 1}, next: done}
  done: {kind: end}
""")
    network = ProcessNetwork(model, Streams(1))
    network.submit(requests_at([0]))
    with pytest.raises(CapacityError, match="limit"):
        network.drain()


def test_requests_of_the_past_or_of_no_segment_are_refused():
    network = ProcessNetwork(station(1, "1 s"), Streams(1))
    network.advance(SECOND)
    with pytest.raises(ScenarioError, match="past"):
        network.submit(requests_at([0]))
    with pytest.raises(ScenarioError, match="segment"):
        network.submit(requests_at([SECOND], segment=9))
    with pytest.raises(ScenarioError, match="agents"):
        network.set_staff("agent", 1)
    with pytest.raises(ScenarioError, match="back"):
        network.advance(0)


def test_statistics_can_start_after_a_warm_up():
    network = ProcessNetwork(station(1, "10 s"), Streams(1))
    network.submit(requests_at([0, 0, 0]))
    network.advance(15 * SECOND)
    network.reset_statistics()
    network.advance(35 * SECOND)
    pool = network.statistics().pools["agents"]
    assert pool.mean_busy == pytest.approx(15 / 20)
    assert pool.mean_queue == pytest.approx(5 / 20)
    assert network.statistics().nodes["desk"].starts == 1


def test_more_applicants_keep_the_others():
    profile = Profile.of_periods([(9 * HOUR, 10 * HOUR, 1.0), (13 * HOUR, 15 * HOUR, 3.0)])
    few_t, few = arrivals(profile, 500, Streams(1))
    many_t, many = arrivals(profile, 2500, Streams(1))
    kept = np.isin(many, few)
    np.testing.assert_array_equal(many[kept], few)
    np.testing.assert_array_equal(many_t[kept], few_t)
    assert len(many) > 4 * len(few)
    assert len(arrivals(profile, 0, Streams(1))[0]) == 0


def test_arrivals_are_poisson_with_the_profile():
    profile = Profile.of_periods([(9 * HOUR, 10 * HOUR, 1.0), (13 * HOUR, 15 * HOUR, 3.0)])
    counts = []
    for replication in range(400):
        t, _ = arrivals(profile, 70, Streams(1, replication))
        counts.append([np.sum(t < 10 * HOUR), np.sum((t >= 13 * HOUR) & (t < 14 * HOUR)), np.sum(t >= 14 * HOUR)])
        assert np.all(np.diff(t) >= 0)
    found = np.asarray(counts)
    for column, mean in zip(found.T, (10, 30, 30), strict=True):
        assert column.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 400))
        # Variance equals mean; its relative standard error is about sqrt(2 / 400).
        assert column.var() / mean == pytest.approx(1, abs=4 * np.sqrt(2 / 400))
    assert abs(np.corrcoef(found.T)[0, 1]) < 4 / np.sqrt(400)


def test_requests_at_one_instant_are_served_in_the_order_submitted():
    network = ProcessNetwork(station(1, "1 s"), Streams(1))
    same = np.full(3, 5 * SECOND)
    zero = np.zeros(3, np.int64)
    network.submit(Requests(same, np.asarray([7, 3, 5]), zero, zero))
    network.submit(Requests(same - SECOND, np.asarray([9, 8, 1]), zero, zero))
    assert network.drain().request.tolist() == [9, 8, 1, 7, 3, 5]
