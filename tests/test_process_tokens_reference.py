"""The general kernel, the fast kernel and the plain Python network agree, event by event."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import test_process_reference as one_token
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from process_models import poisson_times, requests_at, seven_stages
from reference_tokens import ReferenceTokens, StuckError
from token_models import models

from twin.clock import DAY, HOUR
from twin.contracts import Requests
from twin.errors import ScenarioError
from twin.kernels import tokens_layout as k
from twin.process.attributes import attribute_values
from twin.process.calendar import WorkCalendar
from twin.process.features import general_features
from twin.process.network import ProcessNetwork
from twin.process.tokens import TokenNetwork
from twin.randomness import Streams

# A failure is not shrunk, which takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
DAYS = 3
FRIDAY = dt.date(2026, 9, 18)
COUNTS = ("arrivals", "starts", "completions", "abandoned", "left", "rework", "retries", "refused", "given_up")


@st.composite
def requests(draw):
    n = draw(st.integers(0, 40))
    step = draw(st.sampled_from([HOUR // 6, HOUR // 2]))
    times = draw(st.lists(st.integers(0, DAY // step), min_size=n, max_size=n))
    number = np.arange(n, dtype=np.int64)
    return Requests(np.sort(np.asarray(times, np.int64)) * step, number * 3, number, number % 4)


def columns(outcomes):
    o = outcomes
    return np.stack([o.time, o.request, o.client, o.outcome, o.wait, o.node], axis=1)


def agree(model, arrivals, seed, step):
    calendar, streams = WorkCalendar(FRIDAY), Streams(seed)
    reference = ReferenceTokens(model, streams, calendar, DAYS)
    network = TokenNetwork(model, streams, calendar, log=True)
    network.submit(arrivals)
    try:
        reference.run(arrivals, attribute_values(model, streams, arrivals.request), DAYS * DAY)
    except StuckError as stuck:
        with pytest.raises(ScenarioError, match=f"join '{stuck}' for a token that cannot come"):
            network.advance(DAYS * DAY)
        return network
    ended = [columns(network.advance(min(t, DAYS * DAY))) for t in range(step, DAYS * DAY + step, step)]
    np.testing.assert_array_equal(np.concatenate(ended), reference.table())
    executed, pauses = network.executions()
    assert sorted(map(tuple, executed.tolist())) == sorted(reference.log)
    assert sorted(map(tuple, pauses.tolist())) == sorted(reference.pauses)
    statistics = network.statistics()
    for name, counted in reference.counts.items():
        mine = {key: getattr(statistics.nodes[name], key) for key in COUNTS}
        skip = () if model.nodes[name].kind == "task" else ("starts", "completions")
        assert {k: v for k, v in mine.items() if k not in skip} == {k: counted[k] for k in COUNTS if k not in skip}, (
            name
        )
    assert {n: [d.broken, d.kept] for n, d in statistics.deadlines.items()} == reference.deadlines
    assert network.in_system == reference.inside
    assert network.queue_lengths() == reference.queue_lengths()
    return network


@settings(max_examples=50, derandomize=True, deadline=None, phases=PHASES)
@given(models(), requests(), st.integers(0, 5), st.sampled_from([DAYS * DAY, 7 * HOUR]))
def test_general_kernel_equals_the_plain_python_network(model, arrivals, seed, step):
    agree(model, arrivals, seed, step)


@settings(max_examples=25, derandomize=True, deadline=None, phases=PHASES)
@given(one_token.models(), one_token.arrivals_of_day(), st.integers(0, 5), st.sampled_from([DAYS * DAY, 7 * HOUR]))
def test_both_kernels_agree_on_what_both_can_do(model, arrivals, seed, step):
    assert not general_features(model)
    networks = [kind(model, Streams(seed), WorkCalendar(FRIDAY)) for kind in (ProcessNetwork, TokenNetwork)]
    found = []
    for network in networks:
        network.submit(arrivals)
        ended = [columns(network.advance(min(t, DAYS * DAY))) for t in range(step, DAYS * DAY + step, step)]
        found.append((np.concatenate(ended), network.statistics(), network.in_system, network.busy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][2:] == found[1][2:]
    same_statistics(found[0][1], found[1][1])


def same_statistics(a, b):
    assert a.pools == b.pools
    assert a.costs == b.costs
    for name, node in a.nodes.items():
        for key, value in vars(node).items():
            other = getattr(b.nodes[name], key)
            if key == "waits":
                np.testing.assert_array_equal(value.counts, other.counts)
            else:
                assert value == other, (name, key)
    assert (a.cases.sojourn, a.cases.active, a.cases.wait) == (b.cases.sojourn, b.cases.active, b.cases.wait)


def test_both_kernels_agree_on_many_cases_of_the_seven_stages():
    times = poisson_times(10 / 3600, 5_000, seed=4)
    fast, general = ProcessNetwork(seven_stages(), Streams(3)), TokenNetwork(seven_stages(), Streams(3))
    ends = []
    for network in (fast, general):
        network.submit(requests_at(times))
        ends.append(columns(network.advance(int(times[-1]) + DAY)))
    assert type(fast) is ProcessNetwork
    np.testing.assert_array_equal(*ends)
    same_statistics(fast.statistics(), general.statistics())
    assert general.case_capacity <= 256


@settings(max_examples=15, derandomize=True, deadline=None, phases=PHASES)
@given(models(), requests(), st.integers(0, 5), st.sampled_from([DAY // 3, 31 * HOUR]))
def test_a_network_goes_on_from_a_snapshot_bit_by_bit(model, arrivals, seed, at):
    def fresh():
        return TokenNetwork(model, Streams(seed), WorkCalendar(FRIDAY))

    first, second = fresh(), fresh()
    first.submit(arrivals)
    try:
        first.advance(at)
        state = first.snapshot()
        ended = columns(first.advance(DAYS * DAY))
    except ScenarioError:
        return
    second.restore(state)
    np.testing.assert_array_equal(columns(second.advance(DAYS * DAY)), ended)
    final = first.snapshot()
    for key, value in second.snapshot().items():
        assert np.array_equal(value, final[key]), key


@settings(max_examples=15, derandomize=True, deadline=None, phases=PHASES)
@given(models(), requests(), st.integers(0, 5))
def test_cases_and_working_time_are_conserved(model, arrivals, seed):
    network = TokenNetwork(model, Streams(seed), WorkCalendar(FRIDAY), log=True)
    network.submit(arrivals)
    try:
        ended = network.advance(5 * DAY)
    except ScenarioError:
        return
    cases = network.statistics().cases
    assert len(arrivals) == len(ended) + network.in_system
    assert len(ended) == cases.served + cases.abandoned + cases.refused
    if network.in_system:
        return
    assert network.timers == 0
    assert network.queue_lengths() == dict.fromkeys(model.pools, 0)
    assert network.busy() == dict.fromkeys(model.pools, 0)
    # Members with one case at a time are busy as long as the log says.
    rows, _ = network.executions()
    busy = network.member_busy()
    for i, (name, pool) in enumerate(zip(network._tokens.staff.names, network._tokens.staff.pools, strict=True)):
        if pool == "team" and name != "x" and not any(getattr(n, "batch", None) for n in model.nodes.values()):
            mine = rows[rows[:, k.L_MEMBER] == i]
            whole = int((mine[:, k.L_END] - mine[:, k.L_START] - mine[:, k.L_PAUSED]).sum())
            assert busy[name] == whole or model.pools["team"].preempt or model.pools["team"].at_end_of_shift == "pause"
