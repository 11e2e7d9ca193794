"""Closed forms for what several tokens per case do: forks, inclusive gateways, races, events, batches, deadlines.

False alarms: 1e-5 per comparison (see tests/theory.py); the smallest defect that is surely found stands in each test.
"""

from __future__ import annotations

import math

import pytest
from theory import DisagreementError, agree, birth_death, each, replicate

from twin.process.features import general_features
from twin.process.loader import parse_process
from twin.process.model import ProcessModel


def general(text: str) -> ProcessModel:
    """A process that only the general kernel can run."""
    model = parse_process("name: t\n" + text)
    assert general_features(model)
    return model


def sojourn(runs):
    return each(runs, lambda s: s.cases.sojourn / s.cases.served / 1e9)


def harmonic(n: int) -> float:
    return sum(1 / i for i in range(1, n + 1))


def fork(ways: int, staff: int | str, first: str = "kind: fork") -> ProcessModel:
    tasks = "\n".join(
        f"  t{i}: {{kind: task, pool: p{i}, service: {{distribution: exponential, mean: 1 s}}, next: j}}"
        for i in range(ways)
    )
    pools = ", ".join(f"p{i}: {{staff: {staff}}}" for i in range(ways))
    return general(f"""start: f
pools: {{{pools}}}
nodes:
  f: {{{first}, next: [{", ".join(f"t{i}" for i in range(ways))}]}}
{tasks}
  j: {{kind: join, next: done}}
  done: {{kind: end}}
""")


def test_parallel_work_of_independent_staff_takes_the_longest():
    # The maximum of n exponential times is H_n means.
    runs = replicate(fork(4, "unlimited"), 1.0, customers=4000, replications=16, warm_up_s=50)
    agree(sojourn(runs), harmonic(4), 0.03)


def test_fork_and_join_of_two_queues():
    # Flatto and Hahn (1984), Nelson and Tantawi (1988): (12 - rho) / 8 of the time in M/M/1.
    rho = 0.6
    runs = replicate(fork(2, 1), rho, customers=12_000, replications=24, warm_up_s=300)
    agree(sojourn(runs), (12 - rho) / 8 / (1 - rho), 0.05)
    with pytest.raises(DisagreementError):
        # As if the two queues were independent: the maximum of two exponential times.
        agree(sojourn(runs), 1.5 / (1 - rho), 0.05)


def test_inclusive_gateways_wait_for_the_branches_that_were_taken():
    model = general("""start: s
pools: {p: {staff: unlimited}}
nodes:
  s: {kind: inclusive_split, next: [{to: a, probability: 0.7}, {to: b, probability: 0.4}], otherwise: c}
  a: {kind: task, pool: p, service: {distribution: exponential, mean: 1 s}, next: j}
  b: {kind: task, pool: p, service: {distribution: exponential, mean: 2 s}, next: j}
  c: {kind: task, pool: p, service: 5 s, next: j}
  j: {kind: inclusive_join, next: done}
  done: {kind: end}
""")
    both = 1 + 2 - 1 / (1 + 1 / 2)
    exact = 0.7 * 0.4 * both + 0.7 * 0.6 * 1 + 0.3 * 0.4 * 2 + 0.3 * 0.6 * 5
    runs = replicate(model, 1.0, customers=4000, replications=16, warm_up_s=50)
    agree(sojourn(runs), exact, 0.04)
    agree(each(runs, lambda s: s.nodes["c"].arrivals / s.nodes["s"].arrivals), 0.18, 0.1)


def test_race_is_won_by_the_first_timer():
    # Rates 1 and 1/3; a message that comes in half of the cases only.
    model = general("""start: r
nodes:
  r:
    kind: race
    next:
      - {to: a, after: {distribution: exponential, mean: 1 s}, probability: 0.5}
      - {to: b, after: {distribution: exponential, mean: 3 s}}
  a: {kind: delay, duration: 0 s, next: done}
  b: {kind: delay, duration: 0 s, next: done}
  done: {kind: end}
""")
    runs = replicate(model, 1.0, customers=4000, replications=16, warm_up_s=50)
    agree(each(runs, lambda s: s.nodes["a"].arrivals / s.nodes["r"].arrivals), 0.5 * 0.75, 0.05)
    agree(sojourn(runs), 0.5 * 0.75 + 0.5 * 3, 0.07)


@pytest.mark.parametrize(("mode", "exact"), [("parallel", harmonic(5)), ("sequential", 5.0)])
def test_instances_of_a_task_take_the_longest_or_the_sum(mode, exact):
    model = general(f"""start: t
pools: {{p: {{staff: unlimited}}}}
nodes:
  t:
    kind: task
    pool: p
    service: {{distribution: exponential, mean: 1 s}}
    repeat: {{count: 5, mode: {mode}}}
    next: done
  done: {{kind: end}}
""")
    runs = replicate(model, 1.0, customers=3000, replications=16, warm_up_s=50)
    agree(sojourn(runs), exact, 0.03)


def test_batch_of_a_size_waits_for_the_others():
    # Who comes as the i-th of b waits for b - i arrivals: (b - 1) / 2 gaps on average.
    runs = replicate(batched("size: 5, longest_wait: 1 h"), 2.0, customers=6000, replications=16, warm_up_s=50)
    agree(sojourn(runs), 4 / 2 / 2.0 + 1, 0.02)


def test_batch_that_is_opened_waits_a_set_time():
    # The first waits T, those of the Poisson(rate T) who follow T / 2.
    rate, longest = 1.5, 4.0
    exact = (longest + rate * longest * longest / 2) / (1 + rate * longest) + 1
    runs = replicate(batched("longest_wait: 4 s"), rate, customers=6000, replications=16, warm_up_s=50)
    agree(sojourn(runs), exact, 0.02)


def batched(rule: str) -> ProcessModel:
    return general(f"""start: t
pools: {{p: {{staff: unlimited}}}}
nodes:
  t: {{kind: task, pool: p, service: 1 s, batch: {{{rule}}}, next: done}}
  done: {{kind: end}}
""")


def test_interrupting_boundary_event_ends_the_work():
    # Work and limit are exponential with rates 1/2 and 1/3.
    model = general("""start: t
pools: {p: {staff: unlimited}}
nodes:
  t:
    kind: task
    pool: p
    service: {distribution: exponential, mean: 2 s}
    boundary: [{after: {distribution: exponential, mean: 3 s}, to: late}]
    next: done
  late: {kind: delay, duration: 1 s, next: done}
  done: {kind: end}
""")
    runs = replicate(model, 1.0, customers=4000, replications=16, warm_up_s=50)
    given_up = (1 / 3) / (1 / 2 + 1 / 3)
    agree(each(runs, lambda s: s.nodes["t"].given_up / s.nodes["t"].arrivals), given_up, 0.06)
    agree(sojourn(runs), 1 / (1 / 2 + 1 / 3) + given_up, 0.04)


@pytest.mark.parametrize("interrupting", [True, False])
def test_deadline_is_broken_as_often_as_the_work_takes_longer(interrupting):
    # P(T > d) = exp(-d); what is interrupted takes min(T, d), what is not goes on beside the escalation.
    model = general(f"""start: t
pools: {{p: {{staff: unlimited}}}}
deadlines: {{answer: {{after: 1.5 s, to: hurry, interrupting: {str(interrupting).lower()}}}}}
nodes:
  t: {{kind: task, pool: p, service: {{distribution: exponential, mean: 1 s}}, next: done}}
  hurry: {{kind: delay, duration: 0.5 s, next: done}}
  done: {{kind: end}}
""")
    runs = replicate(model, 1.0, customers=5000, replications=16, warm_up_s=50)
    late = math.exp(-1.5)
    measured = each(runs, lambda s: s.deadlines["answer"].broken / s.nodes["t"].arrivals)
    agree(measured, late, 0.06)
    # Not interrupted, a late case ends at the later of its work and 2 s: the excess over 1.5 s is exponential.
    beside = late * (math.exp(-0.5) + 0.5)
    agree(sojourn(runs), 1 - late + (late * 0.5 if interrupting else beside), 0.04)


def test_full_queue_refuses_as_in_a_queue_with_limited_room():
    # M/M/2/5: two at work, three waiting.
    model = general("""start: t
pools: {p: {staff: 2}}
nodes:
  t:
    kind: task
    pool: p
    service: {distribution: exponential, mean: 1 s}
    queue_limit: {most: 3, when_full: refuse}
    next: done
  done: {kind: end}
""")
    p = birth_death([1.8] * 5, [1, 2, 2, 2, 2])
    runs = replicate(model, 1.8, customers=8000, replications=24, warm_up_s=100)
    agree(each(runs, lambda s: s.nodes["t"].refused / s.nodes["t"].arrivals), float(p[5]), 0.08)
    queue = float(sum(max(n - 2, 0) * q for n, q in enumerate(p)))
    agree(each(runs, lambda s: s.nodes["t"].mean_wait_s), queue / (1.8 * (1 - p[5])), 0.08)


def test_blocked_server_limits_what_two_stations_without_room_between_them_can_do():
    # Always work at the first; states (both work, first blocked, second idle): see Altiok (1997), section 3.
    first, second = 1.0, 1.25
    model = general("""start: a
pools: {p: {staff: 1}, q: {staff: 1}}
nodes:
  a: {kind: task, pool: p, service: {distribution: exponential, mean: 1 s}, next: b}
  b:
    kind: task
    pool: q
    service: {distribution: exponential, mean: 0.8 s}
    queue_limit: {most: 0, when_full: block}
    next: done
  done: {kind: end}
""")
    runs = replicate(model, 2.0, customers=12_000, replications=16, warm_up_s=100)
    ratio = first / second
    exact = second * (1 + ratio) / (1 + ratio + 1 / ratio)
    observed = each(runs, lambda s: s.nodes["b"].completions / (s.pools["q"].observed / 1e9))
    agree(observed, exact, 0.03)


def test_retrials_of_those_who_find_the_server_busy():
    # M/M/1 with retrials (Falin and Templeton 1997, section 1.2): the mean number in orbit.
    rho, retrial = 0.5, 0.8
    model = general(f"""start: t
pools: {{p: {{staff: 1}}}}
nodes:
  t:
    kind: task
    pool: p
    service: {{distribution: exponential, mean: 1 s}}
    patience: 0 s
    retry: {{probability: 1, after: {{distribution: exponential, mean: {1 / retrial} s}}}}
    next: done
  done: {{kind: end}}
""")
    runs = replicate(model, rho, customers=12_000, replications=24, warm_up_s=500)
    orbit = rho * rho / (1 - rho) + rho * rho / retrial / (1 - rho)
    agree(sojourn(runs), orbit / rho + 1, 0.06)
