"""The process network against closed forms; tolerances are multiples of a standard error measured in the same test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from process_models import SECOND, poisson_times, requests_at, run_all, seven_stages, station

from twin.process.calendar import WorkCalendar
from twin.process.loader import parse_process
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

EXPONENTIAL_1S = "{distribution: exponential, mean: 1 s}"
SIGMAS = 4.0


def mean_and_error(values) -> tuple[float, float]:
    v = np.asarray(values, np.float64)
    return float(v.mean()), float(v.std(ddof=1) / math.sqrt(len(v)))


def close(values, exact: float) -> None:
    mean, error = mean_and_error(values)
    assert abs(mean - exact) < SIGMAS * error, f"{mean} +- {error}, exact {exact}"
    assert error < 0.05 * abs(exact) + 1e-3, "the test is too weak to mean anything"


def erlang_c_wait(servers: int, load: float) -> float:
    """Mean wait of M/M/c in units of the mean service time (Erlang 1917)."""
    b = 1.0
    for k in range(1, servers + 1):
        b = load * b / (k + load * b)
    c = servers * b / (servers - load * (1 - b))
    return c / (servers - load)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (3, 2.4), (10, 9.0)])
def test_mean_wait_of_m_m_c_is_erlang_c(servers, load):
    n = 40_000
    waits = []
    for seed in range(100, 124):
        network = run_all(
            station(servers, EXPONENTIAL_1S), poisson_times(load, n, seed), seed=seed, warm_up=500 * SECOND
        )
        waits.append(network.statistics().nodes["desk"].mean_wait_s)
    close(waits, erlang_c_wait(servers, load))


def erlang_a(servers: int, load: float, patience: float) -> tuple[float, float, float]:
    """Share who abandon, mean wait and occupancy of M/M/n+M, times in mean service times (birth and death)."""
    logs, total = [0.0], 0.0
    for k in range(1, 40 * servers):
        death = min(k, servers) + max(k - servers, 0) / patience
        logs.append(logs[-1] + math.log(load / death))
    p = np.exp(np.asarray(logs) - max(logs))
    p /= p.sum()
    k = np.arange(len(p))
    queue = float(np.sum(np.maximum(k - servers, 0) * p))
    total = queue / patience / load
    return total, queue / load, float(np.sum(np.minimum(k, servers) * p)) / servers


@pytest.mark.parametrize(
    ("factor", "abandoned_percent", "wait_s"),
    [(1.0, 0.2, 0.0), (1.5, 21.6, 52), (2, 41.2, 99), (3, 60.8, 146), (5, 76.5, 184)],
)
def test_abandonment_and_wait_are_erlang_a(factor, abandoned_percent, wait_s):
    servers, handling, patience = 120, 300.0, 240.0
    load = 0.85 * servers * factor
    exact = erlang_a(servers, load, patience / handling)
    assert 100 * exact[0] == pytest.approx(abandoned_percent, abs=0.06)
    assert handling * exact[1] == pytest.approx(wait_s, abs=0.6)
    model = station(servers, "{distribution: exponential, mean: 300 s}", "{distribution: exponential, mean: 240 s}")
    found = []
    for seed in range(100, 116):
        times = poisson_times(load / handling, int(20_000 * factor), seed)
        network = run_all(model, times, seed=seed, warm_up=3600 * SECOND)
        s = network.statistics()
        node = s.nodes["desk"]
        found.append((node.abandonment, node.mean_wait_s / handling, s.pools["agents"].utilisation))
    for column, value in zip(np.asarray(found).T, exact, strict=True):
        mean, error = mean_and_error(column)
        assert abs(mean - value) < SIGMAS * error + 1e-4, (mean, error, value)
        assert error < 0.02


@pytest.mark.parametrize(
    ("service", "cv2"),
    [
        ("1 s", 0.0),
        ("{distribution: uniform, low: 0 s, high: 2 s}", 1 / 3),
        ("{distribution: gamma, mean: 1 s, cv: 0.5}", 0.25),
        ("{distribution: lognormal, mean: 1 s, cv: 1.2}", 1.44),
        ("{distribution: weibull_min, mean: 1 s, parameters: {c: 2}}", 4 / math.pi - 1),
    ],
)
def test_mean_wait_of_m_g_1_is_pollaczek_khinchine(service, cv2):
    load = 0.7
    model = station(1, service)
    waits = [
        run_all(model, poisson_times(load, 40_000, seed), seed=seed, warm_up=1000 * SECOND)
        .statistics()
        .nodes["desk"]
        .mean_wait_s
        for seed in range(100, 124)
    ]
    close(waits, load * (1 + cv2) / 2 / (1 - load))


JACKSON = """
name: jackson
start: a
pools: {p: {staff: 2}, q: {staff: 1}}
nodes:
  a:
    kind: task
    pool: p
    service: {distribution: exponential, mean: 1 s}
    next: [{to: b, probability: 0.6}, {to: done, probability: 0.4}]
  b:
    kind: task
    pool: q
    service: {distribution: exponential, mean: 500 ms}
    rework: {to: a, probability: 0.25}
    next: done
  done: {kind: end}
"""


def test_jackson_network_with_feedback_has_product_form_queues():
    # Traffic: a = 1 + 0.25 * 0.6 a; b = 0.6 a.
    a = 1.0 / (1 - 0.15)
    rho = 0.5 * 0.6 * a
    expected = {"p": a * erlang_c_wait(2, a), "q": rho * rho / (1 - rho)}
    queues = {"p": [], "q": []}
    sojourn = []
    for seed in range(100, 124):
        s = run_all(
            parse_process(JACKSON), poisson_times(1.0, 40_000, seed), seed=seed, warm_up=500 * SECOND
        ).statistics()
        for pool in queues:
            queues[pool].append(s.pools[pool].mean_queue)
        sojourn.append(s.cases.mean_sojourn_s)
    for pool, values in queues.items():
        close(values, expected[pool])
    close(sojourn, sum(expected.values()) + a + rho)


def test_littles_law_holds_for_queue_and_service():
    model = station(3, "{distribution: lognormal, mean: 1 s, cv: 1}", "{distribution: exponential, mean: 4 s}")
    times = poisson_times(3.2, 40_000, seed=2)
    network = ProcessNetwork(model, Streams(2), WorkCalendar(), record=False)
    network.submit(requests_at(times))
    network.drain()
    s = network.statistics()
    node, pool = s.nodes["desk"], s.pools["agents"]
    # From empty to empty Little's law is an identity, not an average.
    assert pool.queued == pytest.approx(node.wait_served + node.wait_abandoned, rel=1e-9)
    assert pool.busy == pytest.approx(node.service, rel=1e-9)
    assert node.starts + node.abandoned == node.arrivals == len(times)


def test_seven_stage_network_gives_the_known_figures():
    lost, hours, visits = [], [], []
    for seed in range(100, 116):
        times = poisson_times(10 / 3600, 30_000, seed)
        s = run_all(seven_stages(), times, seed=seed, warm_up=60 * 3600 * SECOND).statistics()
        ended = s.cases.served + s.cases.abandoned
        lost.append(s.cases.abandoned / ended)
        hours.append(s.cases.mean_sojourn_s / 3600)
        visits.append(sum(s.nodes[f"s{i}"].arrivals for i in range(1, 8)) / s.nodes["s1"].completions)
    for values, known, spread in ((lost, 0.217, 0.003), (hours, 5.134, 0.01)):
        mean, error = mean_and_error(values)
        assert abs(mean - known) < SIGMAS * error + spread, (mean, error, known)
        assert error < 0.01 * known


def test_visits_of_the_seven_stage_network_per_case():
    times = poisson_times(10 / 3600, 150_000, seed=1)
    s = run_all(seven_stages(), times).statistics()
    per_case = sum(s.nodes[f"s{i}"].arrivals for i in range(1, 8)) / len(times)
    assert per_case == pytest.approx(7.343, abs=0.04)


def test_percentiles_of_waits_follow_the_exponential_tail_of_m_m_1():
    load = 0.8
    percentiles = {50: [], 90: [], 99: []}
    for seed in range(100, 116):
        s = run_all(
            station(1, EXPONENTIAL_1S), poisson_times(load, 40_000, seed), seed=seed, warm_up=500 * SECOND
        ).statistics()
        for q, values in percentiles.items():
            values.append(s.nodes["desk"].waits.percentile_ns(q) / SECOND)
    for q, values in percentiles.items():
        mean, error = mean_and_error(values)
        exact = math.log(load / (1 - q / 100)) / (1 - load)
        assert abs(mean - exact) < SIGMAS * error + 0.02 * exact, (q, mean, exact)
