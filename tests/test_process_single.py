"""The kernel for a single stage gives to the bit what the event by event kernel gives, whenever they take turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from process_models import poisson_times, requests_at, station

from twin.clock import DAY, HOUR, SECOND
from twin.contracts import Requests
from twin.kernels import network as k
from twin.kernels.single import BLOCK
from twin.process.compile import compile_process
from twin.process.loader import parse_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

EXPONENTIAL = "{distribution: exponential, mean: 20 min}"
durations = st.sampled_from(
    [
        "12 min",
        "0 s",
        {"distribution": "exponential", "mean": "20 min"},
        {"default": {"distribution": "exponential", "mean": "20 min"}, "by_segment": {"hnw": "0 s"}},
        {
            "default": {"distribution": "exponential", "mean": "20 min"},
            "by_segment": {"gen_z": {"distribution": "exponential", "mean": "5 min"}},
        },
        {"distribution": "uniform", "low": "0 s", "high": "40 min"},
        {"distribution": "lognormal", "mean": "20 min", "cv": 1.5},
        {"distribution": "sample", "values": [0, 10, 10, 60], "unit": "1 min"},
    ]
)
patiences = st.sampled_from(
    [
        "24 min",
        "30 h",
        {"distribution": "exponential", "mean": "1 h"},
        {"distribution": "exponential", "mean": "20 h"},
        {"distribution": "exponential", "mean": "100000 h"},
        {"distribution": "sample", "values": [0, 12, 60, 6000], "unit": "1 min"},
        {"default": {"distribution": "exponential", "mean": "20 h"}, "by_segment": {"hnw": "6 h"}},
    ]
)
SHIFTS = [
    {"from": "08:00", "to": "17:00", "staff": 4, "days": "every"},
    {"from": "17:00", "to": "08:00", "staff": 1, "days": "every"},
]


@st.composite
def stages(draw: st.DrawFn) -> ProcessModel:
    staff = draw(
        st.sampled_from([{"staff": 0}, {"staff": 1}, {"staff": 3}, {"staff": "unlimited"}, {"shifts": SHIFTS}])
    )
    ways = [
        {"to": "done", "probability": {"default": 0.5, "by_segment": {"gen_z": 0.1}}},
        {"to": "left", "probability": {"default": 0.2, "by_segment": {"gen_z": 0.9}}},
        {"to": "barred", "probability": {"default": 0.3, "by_segment": {"gen_z": 0.0}}},
    ]
    desk = {
        "kind": "task",
        "pool": "agents",
        "service": draw(durations),
        "active": draw(st.booleans()),
        "target": draw(st.sampled_from(["0 s", "5 min"])),
        "priority": draw(st.sampled_from([0, 2])),
        "next": draw(st.sampled_from(["done", "left", ways])),
    }
    if draw(st.booleans()):
        desk["patience"] = draw(patiences)
        desk["on_abandon"] = draw(st.sampled_from([None, "barred"]))
    ends = {"done": "served", "left": "abandoned", "barred": "refused"}
    nodes = {"desk": desk} | {name: {"kind": "end", "outcome": outcome} for name, outcome in ends.items()}
    return ProcessModel.model_validate({"name": "stage", "start": "desk", "pools": {"agents": staff}, "nodes": nodes})


@st.composite
def arrivals(draw: st.DrawFn) -> np.ndarray:
    """Arrivals of two days, some at the same instants, a crowd among them."""
    n = draw(st.integers(0, 250))
    times = (poisson_times(1 / 600, n, draw(st.integers(0, 99))) // draw(st.sampled_from([1, 300 * SECOND]))).copy()
    crowd = np.full(draw(st.sampled_from([0, 3, 400])), draw(st.integers(0, DAY)), np.int64)
    return np.sort(np.concatenate([times * (1 if not n or times[-1] > HOUR else 300 * SECOND), crowd]))


def _everything(network: ProcessNetwork) -> list[np.ndarray]:
    """All that is measured, and the state but for the numbers of rows and of leaves, which nobody sees."""
    kept = np.append(network._state[[k.S_NOW, k.S_SEQUENCE, k.S_BORDER, k.S_OUT, k.S_INSIDE]], network.timers)
    return [network._count, network._total, network._histogram, network._pool, network._area, kept]


def _requests(times: np.ndarray) -> Requests:
    number = np.arange(len(times), dtype=np.int64)
    return Requests(times, number, number + 7, number * 5 % 4)


def _run(model: ProcessModel, times: np.ndarray, stops: list[int], turns: list[bool], record: bool, staff: int | None):
    """Advance from stop to stop, with either kernel in turn; `staff` are there after half of them."""
    network = ProcessNetwork(model, Streams(3), record=record)
    assert network._single
    requests, ended = _requests(times), []
    for number, stop in enumerate(stops):
        new = (times < stop) & (times >= network.now)
        network.submit(Requests(*(getattr(requests, f)[new] for f in ("time", "request", "client", "attribute"))))
        network._single, network._apart = turns[number % len(turns)], 0
        if number == len(stops) // 2 and staff is not None:
            network.set_staff("agents", staff)
        ended.append(network.advance(stop))
    columns = [
        np.concatenate([getattr(part, f) for part in ended])
        for f in ("time", "request", "client", "outcome", "wait", "node")
    ]
    return [*_everything(network), *columns]


instants = st.one_of(st.integers(0, 3 * DAY), st.integers(0, 864).map(lambda n: n * 300 * SECOND))


@given(
    stages(),
    arrivals(),
    st.lists(instants, max_size=6),
    st.lists(st.booleans(), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 4),
)
@settings(max_examples=150, deadline=None)
def test_either_kernel(model, times, stops, turns, record, staff):
    stops = [*sorted(set(stops) - {0}), 4 * DAY]
    expected = _run(model, times, stops, [False], record, staff)
    for found in (_run(model, times, stops, [True], record, staff), _run(model, times, stops, turns, record, staff)):
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=14),
    st.integers(1, 3),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2, 3]),
    st.lists(st.integers(1, 30), max_size=4),
    st.lists(st.booleans(), min_size=1, max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_what_happens_at_one_instant(arrived, servers, service, patience, stops, turns):
    """Who began to wait, or to be served, first is first, whichever kernel noted it."""
    model = station(servers, f"{12 * service} min", f"{12 * patience} min")
    times = np.sort(np.array(arrived, np.int64)) * 12 * 60 * SECOND
    ends = [*sorted({stop * 12 * 60 * SECOND for stop in stops}), DAY]
    expected, found = (_run(model, times, ends, turn, True, None) for turn in ([False], turns))
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_long_queue(seed: int) -> None:
    """Draws are made in blocks, rows run out, and the queue outlives many calls."""
    times = poisson_times(1 / 300, 8 * BLOCK, seed)
    stops = list(range(DAY, int(times[-1]) + 60 * DAY, 3 * DAY + 1))
    model = station(3, EXPONENTIAL)
    expected, *found = (_run(model, times, stops, turns, True, 4) for turns in ([False], [True], [True, True, False]))
    assert int(expected[0][0].max()) == len(times)
    for other in found:
        assert all(np.array_equal(a, b) for a, b in zip(expected, other, strict=True))


def test_calls_in_small_steps() -> None:
    times = poisson_times(1 / 400, 900, 4)
    once, often = (_run(station(3, EXPONENTIAL), times, stops, [True], True, None) for stops in (
        [int(times[-1]) + DAY],
        [*range(HOUR // 7, int(times[-1]) + DAY, HOUR // 7), int(times[-1]) + DAY],
    ))  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(once, often, strict=True))


@pytest.mark.parametrize("turn", [False, True])
def test_what_happens_at_the_end_is_left(turn: bool) -> None:
    """Who ends at the very instant at which staff leave is not followed by another."""
    network = ProcessNetwork(station(1, "1 h"), Streams(1))
    network._single = turn
    network.plan_staff("agents", [0, HOUR, 3 * HOUR], [1, 0, 1])
    network.submit(requests_at([0, 0]))
    assert len(network.advance(HOUR)) == 0
    assert network.advance(DAY).time.tolist() == [HOUR, 4 * HOUR]


def test_past_arrays_of_outcomes_and_rows() -> None:
    """More end within one call, and more are inside at once, than there is room for at first."""
    times = np.concatenate([np.arange(9000), np.full(700, 9000)]).astype(np.int64)
    model = station("unlimited", "1 s")
    expected, found = (_run(model, times, [DAY], [turn], True, 1) for turn in (False, True))
    assert len(found[-1]) == len(times)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


PLAIN = """
name: plain
start: desk
{extra}
pools: {{agents: {{staff: 2}}}}
nodes:
  desk: {{kind: task, pool: agents, service: 5 min, {task}next: {to}}}
  after: {{kind: delay, duration: 1 min, next: done}}
  done: {{kind: end}}
"""


@pytest.mark.parametrize(
    ("extra", "task", "to", "single"),
    [
        ("", "", "done", True),
        ("", "priority: 2, ", "done", True),
        ("", "", "after", False),
        ("", "patience: 9 h, ", "done", True),
        ("", "patience: 9 h, on_abandon: done, ", "done", True),
        ("", "patience: 9 h, on_abandon: after, ", "done", False),
        ("", "rework: {to: desk, probability: 0.1}, ", "done", False),
        ("", "priority: {default: 1, by_segment: {hnw: 0}}, ", "done", False),
        ("milestone: done", "", "done", False),
        ("case_patience: {patience: 2 h}", "", "done", False),
    ],
)
def test_which_processes(extra: str, task: str, to: str, single: bool) -> None:
    model = parse_process(PLAIN.format(extra=extra, task=task, to=to))
    assert compile_process(model).is_single == single
    network = ProcessNetwork(model, Streams(1))
    network.submit(requests_at(np.arange(50) * HOUR // 10))
    assert len(network.advance(DAY)) == 50


def test_too_many_timers_is_said() -> None:
    network = ProcessNetwork(station(1, EXPONENTIAL), Streams(1))
    network._state[k.S_SEQUENCE] = k.LAST_SEQUENCE
    network.submit(requests_at([0]))
    with pytest.raises(Exception, match="timers"):
        network.advance(HOUR)
