"""What the tests against closed forms share: the runs, the statistical decision, and the formulae.

Every test takes independent replications, each warmed up from empty, and compares their mean with an exact value by
Student's t. `agree` fails a right simulator with probability FALSE_ALARM at most per value it is given, and refuses to
judge when a relative defect of the stated size would not be found with probability 0.99: a test is never passed by
being blind. Standard errors come from the replications; no tolerance is tuned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from process_models import SECOND, poisson_times, requests_at
from scipy import stats

from twin.process.calendar import WorkCalendar
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.statistics import Statistics
from twin.randomness import Streams

FALSE_ALARM = 1e-5
"""Per comparison; no test makes more than ten, so none raises a false alarm with more than 1e-4."""
SURE = float(stats.norm.ppf(0.99))
EXPONENTIAL_1S = "{distribution: exponential, mean: 1 s}"


class DisagreementError(AssertionError):
    """The simulated mean is further from the exact value than chance allows."""


def agree(values: Sequence[float], exact: float, defect: float) -> None:
    """Compare independent values with their exact mean.

    Args:
        values: one for each replication.
        exact: what their mean ought to be, not zero.
        defect: relative difference that must be found with probability 0.99.

    Raises:
        DisagreementError: if they differ significantly.
        AssertionError: if the values scatter too much to find such a defect.
    """
    v = np.asarray(values, np.float64)
    error = float(v.std(ddof=1)) / math.sqrt(len(v))
    bound = float(stats.t.isf(FALSE_ALARM / 2, len(v) - 1)) * error
    if abs(v.mean() - exact) > bound + 1e-6 * abs(exact):
        raise DisagreementError(f"{v.mean():.6g} +- {error:.2g}, exact {exact:.6g}")
    assert bound + SURE * error < defect * abs(exact), f"too weak: {error:.2g} of {exact:.6g}"


def replicate(
    model: ProcessModel,
    rate_per_s: float,
    *,
    customers: int = 40_000,
    replications: int = 32,
    warm_up_s: float = 500.0,
) -> list[Statistics]:
    """Statistics of independent replications with Poisson arrivals, from the warm-up to the last arrival."""
    found = []
    for seed in range(1000, 1000 + replications):
        times = poisson_times(rate_per_s, customers, seed)
        network = ProcessNetwork(model, Streams(seed), WorkCalendar(), record=False)
        network.submit(requests_at(times))
        network.advance(int(warm_up_s * SECOND))
        network.reset_statistics()
        network.advance(int(times[-1]) + 1)
        found.append(network.statistics())
    return found


def each(runs: Sequence[Statistics], measure: Callable[[Statistics], float]) -> list[float]:
    """One measure of every replication."""
    return [measure(s) for s in runs]


def erlang_b(servers: int, load: float) -> float:
    """Share lost of M/M/c/c (Erlang 1917), by the stable recursion."""
    b = 1.0
    for k in range(1, servers + 1):
        b = load * b / (k + load * b)
    return b


def erlang_c(servers: int, load: float) -> float:
    """Probability that a customer of M/M/c waits (Erlang 1917)."""
    b = erlang_b(servers, load)
    return servers * b / (servers - load * (1 - b))


def erlang_c_wait(servers: int, load: float) -> float:
    """Mean wait of M/M/c in units of the mean service time."""
    return erlang_c(servers, load) / (servers - load)


def birth_death(birth: Sequence[float], death: Sequence[float]) -> np.ndarray:
    """Stationary probabilities of a birth-and-death chain; birth[k] leads from k up, death[k] from k + 1 down."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(birth) - np.log(death))])
    p = np.exp(logs - logs.max())
    return np.asarray(p / p.sum())


def erlang_a(servers: int, load: float, patience: float) -> tuple[float, float, float]:
    """Share who abandon, mean wait of all, and occupancy of M/M/c+M (Palm 1957); times in mean service times."""
    k = np.arange(1, 40 * servers + 200)
    p = birth_death(np.full(len(k), load), np.minimum(k, servers) + np.maximum(k - servers, 0) / patience)
    state = np.arange(len(p))
    queue = float(np.sum(np.maximum(state - servers, 0) * p))
    return queue / patience / load, queue / load, float(np.sum(np.minimum(state, servers) * p)) / servers


def mean_value_analysis(demand: Sequence[float], think: float, customers: int) -> tuple[float, list[float]]:
    """Throughput and mean number at each single server of a closed product-form network (Reiser, Lavenberg 1980).

    Args:
        demand: visits times mean service at each server. think: visits times mean delay. customers: how many circulate.
    """
    number = [0.0] * len(demand)
    throughput = 0.0
    for n in range(1, customers + 1):
        residence = [d * (1 + q) for d, q in zip(demand, number, strict=True)]
        throughput = n / (think + sum(residence))
        number = [throughput * r for r in residence]
    return throughput, number
