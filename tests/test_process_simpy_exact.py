"""The kernel and SimPy agree case by case when they share their random numbers: random models, and the broker's own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from process_models import poisson_times, requests_at, seven_stages
from simpy_network import SharedLuck, SimpyNetwork

from twin.clock import DAY
from twin.contracts import Requests
from twin.process.calendar import WorkCalendar
from twin.process.features import general_features
from twin.process.loader import load_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Stream, Streams

FRIDAY = dt.date(2026, 9, 18)
DAYS = 4
FOLDER = Path(__file__).resolve().parents[1] / "scenarios" / "processes"
# Those that the plain implementation knows: one token per case, nothing steered by attributes.
MODELS = {f"{p.parent.name}-{p.stem}": load_process(p) for p in sorted(FOLDER.rglob("*.yaml"))}
PROCESSES = {name: m for name, m in MODELS.items() if not general_features(m) and not m.attributes}

# Laws with a density: SimPy and the kernel need not agree on the order of two events of one instant.
durations = st.sampled_from(
    [
        {"distribution": "exponential", "mean": "30 min"},
        {"distribution": "uniform", "low": "1 min", "high": "1 h"},
        {"distribution": "lognormal", "mean": "40 min", "cv": 1.5},
        {"distribution": "weibull_min", "mean": "25 min", "parameters": {"c": 0.8}},
        {"distribution": "gamma", "mean": "50 min", "cv": 0.4},
    ]
)
pairs = st.tuples(durations, durations).map(lambda d: {"default": d[0], "by_segment": {"hnw": d[1]}})
varied = st.one_of(durations, pairs)


@st.composite
def task(draw, tasks: list[str], after: list[str]):
    node = {"kind": "task", "pool": draw(st.sampled_from("pqr")), "service": draw(varied)}
    if draw(st.booleans()):
        node["patience"] = draw(varied)
        node["on_abandon"] = draw(st.sampled_from(["pause", "lost"]))
    if draw(st.booleans()) and tasks:
        node["rework"] = {"to": draw(st.sampled_from(tasks)), "probability": draw(st.sampled_from([0.1, 0.4]))}
        if draw(st.booleans()):
            node["rework"] |= {"limit": 2, "otherwise": "refused"}
    node["priority"] = {"default": draw(st.integers(0, 2)), "by_segment": {"hnw": 0}}
    node["next"] = draw(st.sampled_from(after))
    return node


@st.composite
def models(draw):
    names = [f"n{i}" for i in range(draw(st.integers(2, 6)))]
    nodes, tasks = {}, []
    for i, name in enumerate(names):
        after = [*names[i + 1 :], "done"]
        kind = draw(st.sampled_from(["task", "task", "task", "choice", "window", "delay"]))
        if kind == "task":
            nodes[name] = draw(task([*tasks, name], after))
            tasks.append(name)
            continue
        ways = [{"to": draw(st.sampled_from(after)), "probability": p} for p in (0.6, 0.4)]
        nodes[name] = {"kind": kind, "next": ways}
        if kind == "window":
            nodes[name] |= {"opens": "09:00", "closes": "16:30", "next_day": draw(st.booleans())}
        elif kind == "delay":
            nodes[name]["duration"] = draw(varied)
    nodes["pause"] = {"kind": "delay", "duration": {"distribution": "exponential", "mean": "20 min"}, "next": names[0]}
    nodes |= {"done": {"kind": "end"}, "refused": {"kind": "end", "outcome": "refused"}}
    nodes["lost"] = {"kind": "end", "outcome": "abandoned"}
    pools = {
        "p": {"staff": draw(st.integers(1, 3))},
        "q": {"staff": draw(st.sampled_from([2, "unlimited"]))},
        "r": {
            "shifts": [
                {"from": "08:00", "to": "17:00", "staff": draw(st.integers(1, 3))},
                {"from": "16:00", "to": "02:00", "staff": draw(st.integers(0, 2)), "days": "every"},
            ]
        },
    }
    model = {"name": "random", "start": names[0], "pools": pools, "nodes": nodes}
    if draw(st.booleans()):
        bears = {"distribution": "lognormal", "mean": "5 h", "cv": 1}
        model["case_patience"] = {"patience": bears, "burden": draw(st.sampled_from([0.0, 0.5]))}
    return ProcessModel.model_validate(model)


def tables(model: ProcessModel, requests: Requests, seed: int, days: int = DAYS) -> tuple[np.ndarray, np.ndarray]:
    """What ended, by SimPy and by the kernel: rows of time, request, client, outcome, wait, node."""
    calendar = WorkCalendar(FRIDAY)
    simpy_rows = SimpyNetwork(model, SharedLuck(model, Streams(seed)), calendar, days).run(requests, days * DAY)
    network = ProcessNetwork(model, Streams(seed), calendar)
    network.submit(requests)
    o = network.advance(days * DAY)
    return simpy_rows, np.stack([o.time, o.request, o.client, o.outcome, o.wait, o.node], axis=1)


def by_case(rows: np.ndarray) -> np.ndarray:
    return rows[np.argsort(rows[:, 1], kind="stable")]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(models(), st.integers(0, 3), st.sampled_from([4.0, 9.0]))
def test_random_models_agree_case_by_case(model, seed, per_hour):
    times = poisson_times(per_hour / 3600, 80, seed)
    number = np.arange(len(times))
    theirs, ours = tables(model, Requests(times, number, number, number % 4), seed)
    np.testing.assert_array_equal(by_case(theirs), by_case(ours))


def test_some_processes_of_the_broker_have_one_token_per_case():
    assert len(PROCESSES) >= 4, sorted(PROCESSES)


@pytest.mark.parametrize("name", PROCESSES)
def test_processes_of_the_broker_agree_case_by_case(name):
    model = PROCESSES[name]
    n = 600
    share = np.sort(Streams(5).uniform(Stream.TEST, np.arange(n)))
    times = (share * 2 * DAY).astype(np.int64)
    number = np.arange(n)
    theirs, ours = tables(model, Requests(times, number, number, number % 4), 5, days=12)
    assert len(ours) > n // 4
    np.testing.assert_array_equal(by_case(theirs), by_case(ours))


def test_seven_stages_agree_case_by_case():
    theirs, ours = tables(seven_stages(), requests_at(poisson_times(10 / 3600, 1500, 3)), 3, days=10)
    assert len(ours) == 1500
    np.testing.assert_array_equal(theirs, ours)
