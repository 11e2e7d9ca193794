"""Closed forms for staff who are told apart, pre-empted, shared between cases, or at work in hours only."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from process_models import requests_at
from test_process_tokens_theory import general, sojourn
from theory import DisagreementError, agree, birth_death, each, replicate

from twin.clock import DAY, HOUR, MINUTE, SECOND
from twin.contracts import Segment
from twin.kernels import tokens_layout as k
from twin.process.calendar import WorkCalendar
from twin.process.network import ProcessNetwork
from twin.randomness import Streams


def two_classes(preempt: str) -> str:
    return f"""start: s
pools: {{p: {{staff: 1, preempt: {preempt}}}}}
nodes:
  s: {{kind: choice, next: [{{to: urgent, probability: 0.4}}, {{to: other, probability: 0.6}}]}}
  urgent: {{kind: task, pool: p, service: {{distribution: exponential, mean: 1 s}}, priority: 0, next: done}}
  other: {{kind: task, pool: p, service: {{distribution: gamma, mean: 1 s, cv: 0.5}}, priority: 1, next: done}}
  done: {{kind: end}}
"""


def time_at(runs, name):
    """Mean time at a task, waiting, interrupted and in service."""

    def of(s):
        n = s.nodes[name]
        return (n.wait_served + n.paused + n.service) / n.completions / 1e9

    return each(runs, of)


def test_urgent_work_interrupts_and_the_other_goes_on_later():
    # Kleinrock (1976), section 3.5: pre-emptive resume.
    rate = 0.7
    urgent, other = 0.4 * rate, 0.6 * rate
    runs = replicate(general(two_classes("resume")), rate, customers=12_000, replications=24, warm_up_s=500)
    agree(time_at(runs, "urgent"), 1 / (1 - urgent), 0.05)
    rest = (urgent * 2 + other * 1.25) / 2
    exact = 1 / (1 - urgent) + rest / (1 - urgent) / (1 - urgent - other)
    agree(time_at(runs, "other"), exact, 0.12)
    # Started over, the interrupted work takes longer.
    again = replicate(general(two_classes("repeat")), rate, customers=6_000, replications=24, warm_up_s=500)
    with pytest.raises(DisagreementError):
        agree(time_at(again, "other"), exact, 0.5)


def test_work_that_starts_over_when_interrupted_takes_what_theory_says():
    # One long piece of work at a time: n urgent interruptions before D s go through undisturbed, each a busy period.
    rate, work = 0.25, 3.0
    model = general(f"""start: s
pools: {{p: {{staff: 1, preempt: repeat}}}}
nodes:
  s: {{kind: choice, next: [{{to: urgent, probability: 0.98}}, {{to: other, probability: 0.02}}]}}
  urgent: {{kind: task, pool: p, service: {{distribution: exponential, mean: 1 s}}, priority: 0, next: done}}
  other: {{kind: task, pool: p, service: {work} s, priority: 1, next: done}}
  done: {{kind: end}}
""")
    urgent = 0.98 * rate
    runs = replicate(model, rate, customers=20_000, replications=24, warm_up_s=500)
    busy_period = 1 / (1 - urgent)
    exact = (np.exp(urgent * work) - 1) * (1 / urgent + busy_period)

    def completion(s):
        n = s.nodes["other"]
        return (n.paused + n.service) / n.completions / 1e9

    agree(each(runs, completion), exact, 0.08)


@pytest.mark.parametrize("law", ["1 s", "{distribution: gamma, mean: 1 s, cv: 2}"])
def test_one_who_shares_his_time_between_all_cases_is_insensitive_to_the_law(law):
    # Processor sharing: 1 / (1 - rho) whatever the law of the service time (Kleinrock 1976, section 4.4).
    rho = 0.6
    model = general(f"""start: t
pools: {{p: {{staff: 1, at_once: 64}}}}
nodes:
  t: {{kind: task, pool: p, service: {law}, next: done}}
  done: {{kind: end}}
""")
    runs = replicate(model, rho, customers=10_000, replications=24, warm_up_s=300)
    agree(sojourn(runs), 1 / (1 - rho), 0.18)


def test_multitasking_limit_and_pace_give_a_birth_and_death_process():
    # n cases at once are done at rate n pace(n); with three in hand the others wait.
    rate, pace = 1.1, (1.0, 0.75, 0.5)
    model = general(f"""start: t
pools: {{p: {{members: [{{name: wang, at_once: 3, pace: {list(pace)}}}]}}}}
nodes:
  t: {{kind: task, pool: p, service: {{distribution: exponential, mean: 1 s}}, next: done}}
  done: {{kind: end}}
""")
    p = birth_death([rate] * 400, [min(n, 3) * pace[min(n, 3) - 1] for n in range(1, 401)])
    number = float(np.sum(np.arange(len(p)) * p))
    runs = replicate(model, rate, customers=12_000, replications=24, warm_up_s=300)
    agree(sojourn(runs), number / rate, 0.1)


@pytest.mark.parametrize(("rule", "share"), [("preferred", 1.0), ("random", 0.5)])
def test_two_who_work_at_different_speed(rule, share):
    # States: none, only the fast, only the slow, both and n - 2 waiting (Gumbel 1960); `share`: the fast is taken.
    rate, fast, slow, n = 1.0, 1.0, 0.5, 200
    q = np.zeros((n + 2, n + 2))
    q[0, 1], q[0, 2] = rate * share, rate * (1 - share)
    q[1, 0], q[1, 3], q[2, 0], q[2, 3] = fast, rate, slow, rate
    q[3, 1], q[3, 2] = slow, fast
    for i in range(3, n + 1):
        q[i, i + 1] = rate
        q[i + 1, i] = fast + slow
    np.fill_diagonal(q, -q.sum(axis=1))
    p = np.linalg.lstsq(np.vstack([q.T, np.ones(n + 2)]), np.r_[np.zeros(n + 2), 1.0], rcond=None)[0]
    number = p[1] + p[2] + sum((i - 1) * p[i] for i in range(3, n + 2))
    model = general(f"""start: t
pools: {{p: {{allocation: {rule}, members: [{{name: fast}}, {{name: slow, speed: 0.5}}]}}}}
nodes:
  t: {{kind: task, pool: p, service: {{distribution: exponential, mean: 1 s}}, next: done}}
  done: {{kind: end}}
""")
    runs = replicate(model, rate, customers=12_000, replications=24, warm_up_s=300)
    agree(sojourn(runs), float(number) / rate, 0.07)


def test_different_skills_make_two_queues():
    # Who can do only one kind of work is a queue of his own: M/M/1 twice.
    model = general("""start: s
pools: {p: {members: [{name: a, skills: [x]}, {name: b, skills: [y], speed: 2}]}}
nodes:
  s: {kind: choice, next: [{to: x, probability: 0.4}, {to: y, probability: 0.6}]}
  x: {kind: task, pool: p, skills: [x], service: {distribution: exponential, mean: 1 s}, next: done}
  y: {kind: task, pool: p, skills: [y], service: {distribution: exponential, mean: 1 s}, next: done}
  done: {kind: end}
""")
    runs = replicate(model, 1.5, customers=12_000, replications=24, warm_up_s=300)
    agree(time_at(runs, "x"), 1 / (1 - 0.6), 0.08)
    agree(time_at(runs, "y"), 1 / (2 - 0.9), 0.06)


OFFICE = """
calendars:
  office:
    hours:
      - {days: mon-fri, from: "09:00", to: "12:00"}
      - {days: mon-fri, from: "13:00", to: "17:00"}
    holidays: trading
"""


def one_task(pool: str, task: str, more: str = "") -> str:
    return f"""start: t
{OFFICE}{more}
pools: {{p: {pool}}}
nodes:
  t: {{kind: task, pool: p, next: done, {task}}}
  done: {{kind: end}}
"""


def run(text: str, times, day=dt.date(2026, 9, 29), days: int = 20):
    """From Tuesday 29 September 2026; the exchange is closed from 1 to 7 October."""
    network = ProcessNetwork(general(text), Streams(1), WorkCalendar(day), log=True)
    network.submit(requests_at(times))
    return network, network.advance(days * DAY)


@pytest.mark.parametrize("pool", ["{staff: 1, calendar: office, at_end_of_shift: pause}", None])
@pytest.mark.parametrize(
    ("start", "work", "end"),
    [
        (10 * HOUR, "1 h", 11 * HOUR),
        (10 * HOUR, "5 h", 16 * HOUR),
        (16 * HOUR, "90 min", DAY + 9 * HOUR + 30 * MINUTE),
        # Two hours on Tuesday, seven on Wednesday; then holidays and a weekend until Thursday the 8th.
        (15 * HOUR, "10 h", 9 * DAY + 10 * HOUR),
        (12 * HOUR + 30 * MINUTE, "1 h", 14 * HOUR),
    ],
)
def test_work_rests_outside_the_hours_of_whoever_does_it(start, work, end, pool):
    who = pool or "{at_end_of_shift: pause, members: [{name: wang, calendar: office}]}"
    network, outcomes = run(one_task(who, f"service: {work}"), [start])
    assert outcomes.time.tolist() == [end]
    log, pauses = network.executions()
    assert len(log) == 1
    # The log's pauses are those between two hours of work.
    node = network.statistics().nodes["t"]
    assert node.paused == log[0, k.L_PAUSED] == sum(p[-1] - p[-2] for p in pauses.tolist())


def test_work_finished_after_hours_takes_no_pause():
    _, outcomes = run(one_task("{members: [{name: wang, calendar: office}]}", "service: 2 h"), [16 * HOUR])
    assert outcomes.time.tolist() == [18 * HOUR]


def test_deadline_in_working_hours():
    deadline = "deadlines: {answer: {after: 8 h, calendar: office, to: done, interrupting: true}}"
    _, outcomes = run(one_task("{staff: 1}", "service: 30 day", deadline), [16 * HOUR])
    # An hour on Tuesday and seven on Wednesday.
    assert outcomes.time.tolist() == [DAY + 17 * HOUR]


def test_costs_are_executions_and_hours_to_the_fen():
    network, _ = run(
        one_task(
            "{at_once: 1, cost_per_hour: 100 CNY, members: [{name: a}, {name: b, cost_per_hour: 37.01 CNY}]}",
            "service: 7 min, cost: 2.50 CNY",
        ),
        [0, 0, 0, HOUR, HOUR],
    )
    busy = network.member_busy()
    assert sum(busy.values()) == 5 * 7 * MINUTE
    exact = 5 * 250 + (busy["a"] * 10_000 + busy["b"] * 3701) / HOUR
    assert network.statistics().costs == {"t": int(exact + 0.5)}


def test_factors_by_hour_and_by_attribute_multiply_the_service_time():
    text = one_task(
        "{staff: 9}",
        'service: 10 min, by_hour: [{from: "11:00", to: "13:00", factor: 1.5}], '
        "scale: {attribute: pages, intercept: 0.5, slope: 0.25, most: 2}",
        "attributes: {pages: {given: true}}",
    )
    network = ProcessNetwork(general(text), Streams(1))
    network.submit(requests_at([10 * HOUR, 12 * HOUR, 13 * HOUR]), {"pages": [2.0, 4.0, 100.0]})
    ends = network.advance(DAY).time
    assert ends.tolist() == [10 * HOUR + 10 * MINUTE, 12 * HOUR + 22.5 * MINUTE, 13 * HOUR + 20 * MINUTE]


def test_factors_by_condition_multiply_the_service_time_of_any_member_and_make_no_classes():
    text = one_task(
        "{at_once: 1, members: [{name: a}, {name: b}]}",
        "service: 10 min, by_member: {b: 4 min}, scale: [{cases: ["
        "{when: {attribute: pages, above: 50}, value: 3}, {when: {attribute: pages, above: 5}, value: 2}]},"
        "{cases: [{when: {attribute: segment, in: [hnw]}, value: 0.5}]}]",
        "attributes: {pages: {given: true}}",
    )
    network = ProcessNetwork(general(text), Streams(1))
    requests = requests_at(np.arange(4) * HOUR, segment=np.array([0, 0, 0, Segment.HNW]))
    network.submit(requests, {"pages": [5.0, 6.0, 51.0, 60.0]})
    minutes = (network.advance(DAY).time - np.arange(4) * HOUR) / MINUTE
    assert sorted(set(minutes / [1, 2, 3, 1.5])) == [4, 10]
    assert len(network._classes.known) == len(Segment)


@pytest.mark.parametrize(("queue", "ends"), [("first_come", [40, 50, 60]), ("oldest_case", [30, 40, 60])])
def test_oldest_case_goes_first_where_the_pool_says_so(queue, ends):
    # Two steps of 10 s by one person; cases come at 0, 5 and 6 s, so that who wants his second step meets newer cases.
    model = general(f"""start: a
pools: {{p: {{members: [{{name: x}}], queue: {queue}}}}}
nodes:
  a: {{kind: task, pool: p, service: 10 s, next: b}}
  b: {{kind: task, pool: p, service: 10 s, next: done}}
  done: {{kind: end}}
""")
    network = ProcessNetwork(model, Streams(1), WorkCalendar())
    network.submit(requests_at(np.array([0, 5, 6]) * SECOND))
    assert (network.advance(HOUR).time // SECOND).tolist() == ends
