"""SimPy and Ciw on the benchmark's networks, in the twin's own environment.

SimPy is written as its documentation teaches (a process per customer, `request() | timeout()`), Ciw with its own
arrival, service and reneging distributions. Every function takes the number of customers and a seed and returns the
mean time (s or hours) with its standard error.
"""

from __future__ import annotations

import math
import random

import ciw
import numpy as np
import simpy

from benchmarks.networks import PATIENCE, RATE, REWORK, SERVERS, STAGE_MEANS, STAGE_RATE, STAGE_SERVERS

Result = tuple[float, float]
"""Mean time, and its standard error."""


def batch_error(values: list[float], batches: int = 20) -> Result:
    """Mean of a series after its first tenth, and the standard error by batch means."""
    x = np.asarray(values[len(values) // 10 :])
    means = [b.mean() for b in np.array_split(x, batches)]
    return float(x.mean()), float(np.std(means, ddof=1) / math.sqrt(batches))


def simpy_single(n: int, seed: int) -> Result:
    env, rng = simpy.Environment(), random.Random(seed)
    desk, waits = simpy.Resource(env, SERVERS), []

    def customer():
        arrived = env.now
        with desk.request() as turn:
            yield turn
            waits.append(env.now - arrived)
            yield env.timeout(rng.expovariate(1.0))

    def source():
        for _ in range(n):
            yield env.timeout(rng.expovariate(RATE))
            env.process(customer())

    env.process(source())
    env.run()
    return batch_error(waits)


def simpy_stages(n: int, seed: int, patience: float = PATIENCE) -> Result:
    env, rng = simpy.Environment(), random.Random(seed)
    pools, sojourns = [simpy.Resource(env, c) for c in STAGE_SERVERS], []

    def case():
        born, stage = env.now, 0
        while stage < len(pools):
            with pools[stage].request() as turn:
                done = yield turn | env.timeout(rng.expovariate(1 / patience))
                if turn not in done:
                    return
                yield env.timeout(rng.expovariate(1 / STAGE_MEANS[stage]))
            stage += -1 if stage > 0 and rng.random() < REWORK else 1
        sojourns.append(env.now - born)

    def source():
        for _ in range(n):
            yield env.timeout(rng.expovariate(STAGE_RATE))
            env.process(case())

    env.process(source())
    env.run()
    return batch_error(sojourns)


def ciw_single(n: int, seed: int) -> Result:
    ciw.seed(seed)
    exponential = ciw.dists.Exponential
    network = ciw.create_network(
        arrival_distributions=[exponential(RATE)], service_distributions=[exponential(1.0)], number_of_servers=[SERVERS]
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(n, method="Finish")
    records = sorted(simulation.get_all_records(), key=lambda r: r.arrival_date)
    return batch_error([r.waiting_time for r in records])


def ciw_stages(n: int, seed: int) -> Result:
    ciw.seed(seed)
    exponential, k = ciw.dists.Exponential, len(STAGE_MEANS)
    routing = np.zeros((k, k))
    for i in range(k):
        if i > 0:
            routing[i, i - 1] = REWORK
        if i + 1 < k:
            routing[i, i + 1] = 1 - (REWORK if i else 0)
    network = ciw.create_network(
        arrival_distributions=[exponential(STAGE_RATE)] + [None] * (k - 1),
        service_distributions=[exponential(1 / m) for m in STAGE_MEANS],
        number_of_servers=list(STAGE_SERVERS),
        routing=routing.tolist(),
        reneging_time_distributions=[exponential(1 / PATIENCE)] * k,
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(n, method="Finish")
    first: dict[int, float] = {}
    last: dict[int, tuple[float, str]] = {}
    for r in sorted(simulation.get_all_records(), key=lambda r: r.exit_date):
        first.setdefault(r.id_number, r.arrival_date)
        last[r.id_number] = (r.exit_date, r.record_type)
    return batch_error([end - first[i] for i, (end, kind) in last.items() if kind == "service"])
