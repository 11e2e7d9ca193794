"""The kernel and the plain Python network agree, case by case."""

from __future__ import annotations

import datetime as dt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from process_models import poisson_times, requests_at, seven_stages
from reference_network import ReferenceNetwork

from twin.clock import DAY, HOUR
from twin.contracts import Requests
from twin.process.calendar import WorkCalendar
from twin.process.loader import parse_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

DAYS = 3
FRIDAY = dt.date(2026, 9, 18)

durations = st.sampled_from(
    [
        "20 min",
        "0 s",
        {"distribution": "exponential", "mean": "30 min"},
        {"distribution": "uniform", "low": "0 s", "high": "1 h"},
        {"distribution": "lognormal", "mean": "40 min", "cv": 1.5},
        {"distribution": "weibull_min", "mean": "25 min", "parameters": {"c": 0.8}},
        {"distribution": "sample", "values": [1, 2, 2, 30], "unit": "1 min"},
    ]
)
varied = st.one_of(durations, durations.map(lambda d: {"default": d, "by_segment": {"gen_z": "7 min"}}))


often = st.sampled_from([True, True, True, False])


@st.composite
def tasks(draw, name, names, pools):
    node = {"kind": "task", "pool": draw(st.sampled_from(pools)), "service": draw(varied), "active": draw(often)}
    if draw(st.booleans()):
        node["patience"] = draw(varied)
    if draw(st.booleans()):
        node["on_abandon"] = draw(st.sampled_from(["pause", "end_served", "end_refused"]))
    if draw(st.booleans()):
        node["rework"] = {"to": draw(st.sampled_from(names)), "probability": draw(st.sampled_from([0.1, 0.4]))}
        if draw(st.booleans()):
            node["rework"] |= {"limit": draw(st.integers(1, 3)), "otherwise": "end_refused"}
    if draw(st.booleans()):
        node["priority"] = {"default": draw(st.integers(0, 2)), "by_segment": {"hnw": 0}}
    if draw(st.booleans()):
        node["burden"] = draw(st.sampled_from([0.0, 0.3, 2.0]))
    return node


def successors(draw, i, names):
    """Forward only, so that choices cannot circle."""
    later = [*names[i + 1 :], "end_served", "end_refused", "end_served"]
    first, second = draw(st.sampled_from(later)), draw(st.sampled_from(later))
    return [
        {"to": first, "probability": {"default": 0.7, "by_segment": {"gen_z": 0.2}}},
        {"to": second, "probability": {"default": 0.3, "by_segment": {"gen_z": 0.8}}},
    ]


@st.composite
def models(draw):
    pools = {
        "a": {"staff": draw(st.sampled_from([0, 1, 2, "unlimited"]))},
        "b": {
            "shifts": [
                {"from": "08:00", "to": "17:00", "staff": draw(st.integers(1, 3)), "days": "every"},
                {"from": "16:00", "to": "02:00", "staff": draw(st.integers(0, 2))},
            ]
        },
    }
    names = [f"n{i}" for i in range(draw(st.integers(1, 5)))]
    nodes: dict = {}
    for i, name in enumerate(names):
        kind = draw(st.sampled_from(["task", "task", "task", "delay", "window", "choice"]))
        if kind == "task":
            node = draw(tasks(name, names[: i + 1], list(pools)))
            if node.get("rework") and nodes.get(node["rework"]["to"], {}).get("kind") not in (None, "task"):
                del node["rework"]
        elif kind == "delay":
            node = {"kind": "delay", "duration": draw(varied), "active": draw(st.booleans())}
        elif kind == "window":
            node = {"kind": "window", "opens": "08:30", "closes": "16:00", "next_day": draw(st.booleans())}
        else:
            node = {"kind": "choice"}
        nodes[name] = node | {"next": successors(draw, i, names)}
    nodes["pause"] = {"kind": "delay", "duration": "11 min", "next": draw(st.sampled_from([names[-1], "end_served"]))}
    nodes["end_served"] = {"kind": "end"}
    nodes["end_refused"] = {"kind": "end", "outcome": "refused"}
    model: dict = {"name": "random", "start": names[0], "pools": pools, "nodes": nodes}
    if draw(st.sampled_from([True, True, False])):
        patience = {"distribution": "uniform", "low": "10 min", "high": "5 h"}
        model["case_patience"] = {"patience": {"default": patience, "by_segment": {"hnw": "1 h"}}, "burden": 0.5}
    return ProcessModel.model_validate(model)


@st.composite
def arrivals_of_day(draw):
    n = draw(st.integers(0, 60))
    step = draw(st.sampled_from([HOUR // 6, HOUR // 2]))
    times = draw(st.lists(st.integers(0, 2 * DAY // step), min_size=n, max_size=n))
    order = np.sort(np.asarray(times, np.int64)) * step
    number = np.arange(n, dtype=np.int64)
    return Requests(order, number * 3, number, number % 4)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(models(), arrivals_of_day(), st.integers(0, 5), st.sampled_from([DAYS * DAY, 7 * HOUR]))
def test_kernel_equals_the_plain_python_network(model, requests, seed, step):
    agree(model, requests, seed, step)


CONGESTED = """
name: congested
start: first
pools: {a: {staff: 1}, b: {staff: 1}}
case_patience: {patience: {distribution: uniform, low: 10 min, high: 3 h}, burden: 0.5}
nodes:
  first:
    kind: task
    pool: a
    service: {distribution: exponential, mean: 20 min}
    on_abandon: pause
    next: second
  second:
    kind: task
    pool: b
    service: {distribution: gamma, mean: 25 min, cv: 0.5}
    burden: 1.5
    on_abandon: pause
    rework: {to: first, probability: 0.2, limit: 2, otherwise: refused}
    next: done
  pause: {kind: delay, duration: 30 min, active: false, next: again}
  again:
    kind: choice
    next: [{to: first, probability: 0.8}, {to: lost, probability: 0.2}]
  done: {kind: end}
  lost: {kind: end, outcome: abandoned}
  refused: {kind: end, outcome: refused}
"""


def test_kernel_equals_the_plain_python_network_when_patience_of_cases_runs_out():
    times = np.arange(150, dtype=np.int64) * (HOUR // 4)
    number = np.arange(150, dtype=np.int64)
    agree(parse_process(CONGESTED), Requests(times, number, number, number % 4), 5, 7 * HOUR)


def agree(model, requests, seed, step):
    calendar = WorkCalendar(FRIDAY)
    reference = ReferenceNetwork(model, Streams(seed), calendar, DAYS)
    reference.run(requests, DAYS * DAY)
    network = ProcessNetwork(model, Streams(seed), calendar)
    network.submit(requests)
    ended = [network.advance(min(t, DAYS * DAY)) for t in range(step, DAYS * DAY + step, step)]
    rows = np.concatenate([np.stack([o.time, o.request, o.client, o.outcome, o.wait, o.node], axis=1) for o in ended])
    np.testing.assert_array_equal(rows, reference.table())
    assert network.in_system == reference.inside
    assert network.queue_lengths() == {p: len(q) for p, q in reference.queues.items()}
    assert network.busy() == reference.busy
    for name, node in network.statistics().nodes.items():
        for key, value in reference.counts[name].items():
            if not (key == "starts" and model.nodes[name].kind != "task"):
                assert getattr(node, key) == value, (name, key)


def test_small_steps_equal_one_big_step_with_arrivals_fed_late():
    times = poisson_times(10 / 3600, 400, seed=4)
    whole = ProcessNetwork(seven_stages(), Streams(3))
    whole.submit(requests_at(times))
    at_once = whole.advance(int(times[-1]) + DAY)
    steps = ProcessNetwork(seven_stages(), Streams(3))
    pieces = []
    for k, t in enumerate(np.append(times[20::20], times[-1] + DAY)):
        steps.submit(requests_at(times[20 * k : 20 * k + 20], first=20 * k))
        pieces.append(steps.advance(int(t)))
    joined = type(at_once).concat(pieces)
    for column in ("time", "request", "client", "outcome", "wait", "node"):
        np.testing.assert_array_equal(getattr(joined, column), getattr(at_once, column))
    assert steps.statistics().cases.sojourn == whole.statistics().cases.sojourn
