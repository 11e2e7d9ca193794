"""The kernel and SimPy with random numbers of its own give the same results within intervals.

Each has 10 independent replications; means are compared by Welch's t. False alarms: 1e-5 per comparison. Service
longer by a tenth is shown to fail.
"""

from __future__ import annotations

import numpy as np
import pytest
from process_models import poisson_times, requests_at, seven_stages, station
from scipy import stats
from simpy_network import OwnLuck, SimpyNetwork
from theory import FALSE_ALARM

from twin.process.calendar import WorkCalendar
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

SECOND = 1_000_000_000
FEW, CASES = 10, 600


def summary(rows: np.ndarray, born: np.ndarray) -> list[float]:
    """Share served, mean wait and mean time in the system of those served, in s."""
    served = rows[rows[:, 3] == 0]
    sojourn = served[:, 0] - born[served[:, 1]]
    return [len(served) / len(rows), float(rows[:, 4].mean()) / SECOND, float(sojourn.mean()) / SECOND]


def by_simpy(model: ProcessModel, rate: float) -> np.ndarray:
    found = []
    for seed in range(500, 500 + FEW):
        times = poisson_times(rate, CASES, seed)
        network = SimpyNetwork(model, OwnLuck(model, seed), WorkCalendar(), 0)
        found.append(summary(network.run(requests_at(times), int(times[-1]) * 2), times))
    return np.asarray(found)


def by_kernel(model: ProcessModel, rate: float) -> np.ndarray:
    found = []
    for seed in range(900, 900 + 4 * FEW):
        times = poisson_times(rate, CASES, seed)
        network = ProcessNetwork(model, Streams(seed), WorkCalendar())
        network.submit(requests_at(times))
        o = network.advance(int(times[-1]) * 2)
        found.append(summary(np.stack([o.time, o.request, o.client, o.outcome, o.wait], axis=1), times))
    return np.asarray(found)


def differ(first: np.ndarray, second: np.ndarray) -> list[bool]:
    """For each column whether the means differ; constant columns must be equal."""
    found = []
    for a, b in zip(first.T, second.T, strict=True):
        same = np.ptp(np.concatenate([a, b])) == 0
        found.append(not same and bool(stats.ttest_ind(a, b, equal_var=False).pvalue < FALSE_ALARM))
    return found


LONGER = "{distribution: lognormal, mean: 1100 ms, cv: 1}"
PATIENCE = "{distribution: gamma, mean: 8 s, cv: 0.7}"


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        (station(4, "{distribution: lognormal, mean: 1 s, cv: 1}", PATIENCE), 4.0),
        (station(3, "{distribution: weibull_min, mean: 1 s, parameters: {c: 0.8}}"), 2.2),
        (seven_stages(), 10 / 3600),
    ],
)
def test_results_agree_within_intervals(model, rate):
    assert not any(differ(by_simpy(model, rate), by_kernel(model, rate)))


def test_service_longer_by_a_tenth_is_found():
    first = by_simpy(station(4, "{distribution: lognormal, mean: 1 s, cv: 1}", PATIENCE), 4.0)
    assert any(differ(first, by_kernel(station(4, LONGER, PATIENCE), 4.0)))
