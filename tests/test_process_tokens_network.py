"""The general kernel as a component: steps, growth of its arrays, changes of staff, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from process_models import poisson_times, requests_at, station
from test_process_tokens_reference import PHASES, agree, columns, requests
from token_models import models

from twin.clock import DAY, HOUR, MINUTE
from twin.errors import CapacityError, ScenarioError
from twin.process import tokens
from twin.process.loader import parse_process
from twin.process.network import ProcessNetwork
from twin.process.tokens import TokenNetwork
from twin.randomness import Streams

PARALLEL = parse_process("""
name: both
start: f
pools: {p: {staff: 2}, q: {members: [{name: wang}, {name: li}]}}
deadlines: {late: {after: 30 min}}
nodes:
  f: {kind: fork, next: [a, b]}
  a: {kind: task, pool: p, service: {distribution: exponential, mean: 8 min}, next: j}
  b: {kind: task, pool: q, service: {distribution: exponential, mean: 9 min}, patience: 40 min, next: j}
  j: {kind: join, next: done}
  done: {kind: end}
""")
TIMES = poisson_times(0.0033, 600, seed=3)


def run(steps, log=False):
    network = ProcessNetwork(PARALLEL, Streams(2), log=log)
    network.submit(requests_at(TIMES))
    return network, np.concatenate([columns(network.advance(int(t))) for t in steps])


def test_advancing_in_steps_is_advancing_at_once():
    end = int(TIMES[-1]) + DAY
    whole, at_once = run([end])
    stepped, in_steps = run([*range(0, end, 7 * HOUR), end])
    assert type(whole) is TokenNetwork
    np.testing.assert_array_equal(at_once, in_steps)
    assert whole.statistics().nodes["f"].arrivals == stepped.statistics().nodes["f"].arrivals == len(TIMES)
    assert whole.statistics().deadlines == stepped.statistics().deadlines
    assert len(at_once) == len(TIMES)
    assert whole.in_system == stepped.in_system == 0


def test_outcomes_that_fill_their_array_are_all_returned(monkeypatch):
    whole = run([int(TIMES[-1]) + DAY])[1]
    monkeypatch.setattr(tokens, "_OUTCOME_BLOCK", 7)
    network, small = run([int(TIMES[-1]) + DAY], log=True)
    np.testing.assert_array_equal(whole, small)
    begun = sum(n.starts for n in network.statistics().nodes.values())
    assert len(network.executions()[0]) == begun


@settings(max_examples=12, derandomize=True, deadline=None, phases=PHASES)
@given(models(), requests(), st.integers(0, 5))
def test_arrays_grow_in_the_middle_of_events(model, arrivals, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_FIRST_ROWS", 16)
        patch.setattr(tokens, "_FIRST_CASES", 1)
        patch.setattr(tokens, "_FIRST_AGENDA", 20)
        patch.setattr(tokens, "_OUTCOME_BLOCK", 3)
        agree(model, arrivals, seed, 31 * HOUR)


def test_memory_grows_with_the_cases_in_the_system_only():
    many = ProcessNetwork(PARALLEL, Streams(2), record=False)
    many.submit(requests_at(np.arange(20_000) * 10 * MINUTE))
    many.advance(20_000 * 10 * MINUTE)
    assert many.case_capacity == 256
    assert len(many._row) == 256


@pytest.mark.parametrize("staff", [3, 0, None])
def test_staff_changed_from_outside_counts_from_that_instant(staff):
    ended = []
    for kind in (ProcessNetwork, TokenNetwork):
        network = kind(station(1, "{distribution: exponential, mean: 10 min}"), Streams(4))
        network.submit(requests_at(np.arange(60) * 5 * MINUTE))
        first = columns(network.advance(2 * HOUR))
        network.set_staff("agents", staff)
        ended.append((first, columns(network.advance(DAY)), network.queue_lengths(), network.busy()))
    np.testing.assert_array_equal(ended[0][0], ended[1][0])
    np.testing.assert_array_equal(ended[0][1], ended[1][1])
    assert ended[0][2:] == ended[1][2:]


def test_both_kernels_count_the_same_costs():
    text = """
name: paid
start: t
pools: {p: {staff: 1, cost_per_hour: 61.7 CNY}}
nodes:
  t: {kind: task, pool: p, service: {distribution: exponential, mean: 9 min}, cost: 3.05 CNY, next: done}
  done: {kind: end}
"""
    found = []
    for kind in (ProcessNetwork, TokenNetwork):
        network = kind(parse_process(text), Streams(5))
        network.submit(requests_at(np.arange(300) * 10 * MINUTE))
        network.advance(3 * DAY)
        found.append(network.statistics())
    assert found[0].costs == found[1].costs
    node = found[0].nodes["t"]
    assert abs(found[0].costs["t"] - (305 * node.starts + 6170 * node.service / HOUR)) <= 0.5


def test_statistics_begin_anew():
    network, _ = run([5 * HOUR])
    network.reset_statistics()
    before = network.in_system
    network.advance(int(TIMES[-1]) + DAY)
    statistics = network.statistics()
    assert statistics.cases.served + statistics.cases.abandoned == len(TIMES[TIMES >= 5 * HOUR]) + before
    assert statistics.pools["q"].observed == network.now - 5 * HOUR


def test_case_stuck_at_a_join_is_named_with_the_join():
    model = parse_process("""
name: trap
start: c
pools: {p: {staff: 1}}
nodes:
  c: {kind: choice, next: [{to: a, probability: 0.5}, {to: b, probability: 0.5}]}
  a: {kind: task, pool: p, service: 1 min, next: j}
  b: {kind: task, pool: p, service: 1 min, next: j}
  j: {kind: join, next: done}
  done: {kind: end}
""")
    network = ProcessNetwork(model, Streams(1))
    network.submit(requests_at([0]))
    with pytest.raises(ScenarioError, match=r"case 0 waits at the join 'j' for a token that cannot come") as error:
        network.advance(DAY)
    assert "nodes.j" in str(error.value)
    assert "choice" in (error.value.hint or "")


def test_work_without_end_at_one_instant_is_an_error():
    model = parse_process("""
name: endless
start: f
nodes:
  f: {kind: fork, next: [a, b]}
  a: {kind: delay, duration: 0 s, next: a2}
  a2: {kind: choice, next: [{to: a, probability: 1}, {to: j, probability: 0}]}
  b: {kind: delay, duration: 0 s, next: j}
  j: {kind: join, next: done}
  done: {kind: end}
""")
    network = ProcessNetwork(model, Streams(1))
    network.submit(requests_at([0]))
    with pytest.raises(CapacityError, match=r"65,536 times"):
        network.advance(DAY)


def test_misuse_is_refused_and_explained():
    network, _ = run([HOUR])
    with pytest.raises(ScenarioError, match="cannot go back"):
        network.advance(0)
    with pytest.raises(ScenarioError, match="'q' consists of individuals"):
        network.set_staff("q", 3)
    with pytest.raises(ScenarioError, match="cannot have -1"):
        network.set_staff("p", -1)
    with pytest.raises(ScenarioError, match="no pool 'r'"):
        network.set_staff("r", 1)
    with pytest.raises(ScenarioError, match="lies in the past"):
        network.submit(requests_at([0]))
    with pytest.raises(ScenarioError, match="another process"):
        network.restore(TokenNetwork(station(1, "1 min"), Streams(1)).snapshot())
