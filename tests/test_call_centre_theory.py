"""Under constant conditions the mechanism is the Erlang-A queue: its waits and abandonment have closed forms."""

import numpy as np
import pytest

from scenarios.calibration.call_centre.mechanism import Ended, Group, process_model, simulate
from scenarios.calibration.call_centre.rolling import interval_score
from twin.randomness import Streams

SERVICE_S, HOURS = 190.0, 3_000


def erlang_a(servers, rate, service, patience, most=3_000):
    """Share abandoned and mean wait (s) of M/M/n+M: birth and death, leaving at min(k, n) / service + queue / patience.

    Palm 1957; mean wait by Little's law over all who come.
    """
    k = np.arange(1, most + 1)
    death = np.minimum(k, servers) / service + np.maximum(k - servers, 0) / patience
    logs = np.concatenate([[0.0], np.cumsum(np.log(rate / death))])
    p = np.exp(logs - logs.max())
    p /= p.sum()
    queue = float(p @ np.maximum(np.arange(most + 1) - servers, 0))
    return queue / patience / rate, queue / rate


def exponential(mean, size=400):
    """Means of equally likely slices of an exponential law."""
    u = np.arange(size + 1) / size
    rest = 1 - u
    with np.errstate(divide="ignore", invalid="ignore"):
        upto = np.where(rest > 0, rest * np.log(rest), 0.0) - rest  # integral of -log(1 - u)
    return tuple((mean * np.diff(upto) * size).tolist())


def simulated(servers, load, patience, kind=exponential):
    draw = np.random.default_rng(7)
    rate = load * servers / SERVICE_S
    arrived = np.cumsum(draw.exponential(1 / rate, int(rate * 3600 * HOURS)))
    model = process_model([Group((0.0,), kind(SERVICE_S), exponential(patience))], (0.0,))
    ended = simulate(model, arrived, np.zeros(len(arrived), np.int64), ([0.0], [servers]), Streams(3))
    assert isinstance(ended, Ended)
    return (~ended.served).mean(), ended.wait.mean(), erlang_a(servers, rate, SERVICE_S, patience)


@pytest.mark.parametrize(("servers", "load", "patience"), [(6, 0.9, 400.0), (6, 1.3, 400.0), (20, 1.0, 150.0)])
def test_constant_conditions_give_erlang_a(servers, load, patience):
    lost, wait, expected = simulated(servers, load, patience)
    assert (lost, wait) == (pytest.approx(expected[0], rel=0.03), pytest.approx(expected[1], rel=0.03))


def test_service_of_another_law_is_not_erlang_a():
    """Power: constant service of the same mean gives shorter queues, beyond the tolerance above."""
    _, wait, expected = simulated(6, 0.9, 400.0, kind=lambda mean: (mean,))
    assert wait < 0.8 * expected[1]


def test_published_erlang_a_values_are_met():
    # 120 agents, 300 s of service, 240 s of patience, load 1.5 and 3 times 85 %
    for factor, lost, wait in ((1.5, 0.216, 52), (3.0, 0.608, 146)):
        found = erlang_a(120, factor * 0.85 * 120 / 300, 300.0, 240.0)
        assert found == (pytest.approx(lost, abs=1e-3), pytest.approx(wait, abs=1))


def test_interval_score_is_least_for_the_true_quantiles():
    seen = np.random.default_rng(1).normal(size=20_000)
    best = interval_score(np.array(-1.645), np.array(1.645), seen, 0.9).mean()
    for low, high in ((-1.2, 1.2), (-2.2, 2.2), (-1.2, 2.0)):
        assert interval_score(np.array(low), np.array(high), seen, 0.9).mean() > best
    assert best == pytest.approx(2 * 1.645 + 20 * 2 * 0.02089, rel=0.05)
