"""Laws that need no assumption, or one: Little's, PASTA; and M/G/infinity on its way from empty to steady.

False alarms: Little's law is an identity from empty to empty, without any; others 1e-5 per comparison. Found with
probability 0.99: see each test. Arrivals that are not Poisson are shown to fail PASTA.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from process_models import SECOND, poisson_times, requests_at, seven_stages, station
from theory import EXPONENTIAL_1S, DisagreementError, agree

from twin.process.calendar import WorkCalendar
from twin.process.loader import parse_process
from twin.process.network import ProcessNetwork
from twin.randomness import Stream, Streams

SHIFTED = """
name: shifts and priorities
start: sort
pools:
  p:
    shifts: [{from: "08:00", to: "17:00", staff: 6, days: every}, {from: "16:00", to: "23:00", staff: 3, days: every}]
  q: {staff: 2}
nodes:
  sort: {kind: choice, next: [{to: a, probability: 0.5}, {to: b, probability: 0.5}]}
  a: {kind: task, pool: p, priority: 1, service: {distribution: lognormal, mean: 20 min, cv: 1}, next: c}
  b:
    kind: task
    pool: p
    service: {distribution: exponential, mean: 25 min}
    patience: {distribution: exponential, mean: 6 h}
    next: c
  c: {kind: task, pool: q, service: 9 min, rework: {to: a, probability: 0.1}, next: done}
  done: {kind: end}
"""


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        (station(3, "{distribution: lognormal, mean: 1 s, cv: 1}", "{distribution: exponential, mean: 4 s}"), 3.2),
        (seven_stages(), 10 / 3600),
        (parse_process(SHIFTED), 8 / 3600),
    ],
)
def test_littles_law_holds_at_every_station(model, rate):
    times = poisson_times(rate, 20_000, seed=2)
    network = ProcessNetwork(model, Streams(2), WorkCalendar(), record=False)
    network.submit(requests_at(times))
    network.advance(int(times[-1]) + 40 * 86_400 * SECOND)
    s = network.statistics()
    assert network.in_system == 0
    for name, pool in s.pools.items():
        nodes = [s.nodes[n] for n, node in model.nodes.items() if getattr(node, "pool", None) == name]
        assert pool.queued == pytest.approx(sum(n.wait_served + n.wait_abandoned for n in nodes), rel=1e-9)
        assert pool.busy == pytest.approx(sum(n.service for n in nodes), rel=1e-9)
        assert all(n.starts + n.abandoned == n.arrivals and n.completions == n.starts for n in nodes)


def pasta(times_of_seed, replications: int = 24) -> list[float]:
    """Share of customers who find the server busy, less the share of time in which it is."""
    found = []
    for seed in range(3000, 3000 + replications):
        times = times_of_seed(seed)
        network = ProcessNetwork(station(1, EXPONENTIAL_1S), Streams(seed), record=False)
        network.submit(requests_at(times))
        network.advance(200 * SECOND)
        network.reset_statistics()
        network.advance(int(times[-1]) + 1)
        s = network.statistics()
        found.append(1 + 1 - s.nodes["desk"].without_wait / s.nodes["desk"].arrivals - s.pools["agents"].mean_busy)
    return found


def test_poisson_arrivals_see_time_averages():
    # One is added to both sides: a relative defect of 1% is a difference of 0.01.
    agree(pasta(lambda seed: poisson_times(0.7, 30_000, seed)), 1.0, 0.01)


def test_regular_arrivals_do_not_see_time_averages():
    regular = (np.arange(10_000) / 0.7 * SECOND).astype(np.int64)
    with pytest.raises(DisagreementError):
        agree(pasta(lambda _: regular, 8), 1.0, 1.0)


def numbers_inside(service: str, replications: int = 400) -> np.ndarray:
    """Cases in an unlimited station that starts empty, after 1, 3 and 8 s, one row per replication."""
    model, rows = station("unlimited", service), []
    for seed in range(4000, 4000 + replications):
        gaps = Streams(seed).exponential(Stream.TEST, np.arange(300)) / 20.0
        times = np.cumsum(gaps)
        network = ProcessNetwork(model, Streams(seed), record=False)
        network.submit(requests_at(times[times < 8.0] * SECOND))
        row = []
        for t in (1, 3, 8):
            network.advance(t * SECOND)
            row.append(network.in_system)
        rows.append(row)
    return np.asarray(rows)


@pytest.mark.parametrize(
    ("service", "survived"),
    [
        ("{distribution: exponential, mean: 2 s}", lambda t: 2 * (1 - math.exp(-t / 2))),
        ("{distribution: uniform, low: 0 s, high: 4 s}", lambda t: t - t * t / 8 if t < 4 else 2.0),
        ("2 s", lambda t: min(t, 2.0)),
    ],
)
def test_unlimited_station_fills_as_a_poisson_number(service, survived):
    # Cases inside at t are Poisson with mean rate * integral of 1 - G over (0, t) (Takács 1962): mean equals variance.
    found = numbers_inside(service)
    for column, t in zip(found.T, (1, 3, 8), strict=True):
        mean = 20.0 * survived(t)
        agree(column, mean, 0.1)
        agree((column - mean) ** 2, mean, 0.6)
