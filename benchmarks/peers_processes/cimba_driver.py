"""Cimba on the benchmark's networks; runs in an environment of its own and imports nothing of the twin.

    python cimba_driver.py MODEL CUSTOMERS ROUNDS JSON

MODEL is `queue` (server processes that pull, the shape of Cimba's own benchmark), `customers` (a coroutine for each
customer) or `stages`. JSON holds the network's numbers. Printed is one JSON object: customers, version, and of each
round CPU seconds without compilation, mean and standard error over replications. A short run that compiles comes first.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import cimba as cb
import numpy as np
from cimba import random

REPLICATIONS = 20
GAVE_UP = 7


class PulledQueue(cb.Model):
    """Arrivals put their time into a store; each server takes the next."""

    rate: cb.Param[float] = 9.0
    customers: cb.Param[int] = 1000
    queue: cb.Store[float]
    waits: cb.Dataset
    mean: cb.Output[float]

    @cb.process
    def arrivals(self):
        for _ in range(self.customers):
            cb.hold(random.exponential(1.0 / self.rate))
            self.queue.put(cb.now())

    @cb.process(copies=10)
    def server(self):
        while True:
            arrived = self.queue.get()
            self.waits.record(cb.now() - arrived)
            cb.hold(random.exponential(1.0))

    @cb.on_end
    def measure(self):
        self.mean = self.waits.sample_mean()


class Customer(cb.Model):
    """One customer of `Desk`."""

    desk: cb.Ref[Desk]

    @cb.process
    def life(self):
        arrived = cb.now()
        self.desk.servers.acquire(1)
        self.desk.waits.record(cb.now() - arrived)
        cb.hold(random.exponential(1.0))
        self.desk.servers.release(1)


class Desk(cb.Model):
    """A coroutine for each customer."""

    rate: cb.Param[float] = 9.0
    customers: cb.Param[int] = 1000
    servers: cb.Resource = cb.Resource(capacity=10)
    waits: cb.Dataset
    mean: cb.Output[float]

    @cb.process
    def arrivals(self):
        for _ in range(self.customers):
            cb.hold(random.exponential(1.0 / self.rate))
            cb.spawn(Customer, desk=self)

    @cb.on_end
    def measure(self):
        self.mean = self.waits.sample_mean()


class Case(cb.Model):
    """One case of `Stages`: works through the stages, sometimes back by one, and leaves when it has waited too long."""

    net: cb.Ref[Stages]

    @cb.process
    def life(self):
        born = cb.now()
        stage = 0
        while stage < len(self.net.pools):
            if self.net.patience > 0.0:
                cb.this_process().timer_set(random.exponential(self.net.patience), GAVE_UP)
            if self.net.pools[stage].acquire(1) == GAVE_UP:
                self.net.lost.record(1.0)
                return
            cb.this_process().timers_clear()
            cb.hold(random.exponential(self.net.means[stage]))
            self.net.pools[stage].release(1)
            if stage > 0 and random.bernoulli(self.net.rework):
                stage -= 1
            else:
                stage += 1
        self.net.lost.record(0.0)
        self.net.sojourns.record(cb.now() - born)


class Stages(cb.Model):
    """Onboarding in seven stages; a patience of 0 stands for one without end."""

    rate: cb.Param[float] = 10.0
    patience: cb.Param[float] = 2.0
    rework: cb.Param[float] = 0.1
    customers: cb.Param[int] = 1000
    means: cb.Array[float] = cb.Array(7)
    pools: list[cb.Ref[cb.Resource]]
    s1: cb.Resource = cb.Resource()
    s2: cb.Resource = cb.Resource()
    s3: cb.Resource = cb.Resource()
    s4: cb.Resource = cb.Resource()
    s5: cb.Resource = cb.Resource()
    s6: cb.Resource = cb.Resource()
    s7: cb.Resource = cb.Resource()
    sojourns: cb.Dataset
    lost: cb.Dataset
    mean: cb.Output[float]
    abandoned: cb.Output[float]

    @cb.process
    def arrivals(self):
        for _ in range(self.customers):
            cb.hold(random.exponential(1.0 / self.rate))
            cb.spawn(Case, net=self)

    @cb.on_end
    def measure(self):
        self.mean = self.sojourns.sample_mean()
        self.abandoned = self.lost.sample_mean()


def build(name: str, customers: int, numbers: dict) -> cb.Model:
    """A model with the benchmark's numbers."""
    if name != "stages":
        model = {"queue": PulledQueue, "customers": Desk}[name]()
    else:
        model = Stages()
        model.means = cb.Array(numbers["means"])
        model.patience = numbers["patience"] or 0.0
        model.rework = numbers["rework"]
        model.pools = [getattr(model, f"s{i}") for i in range(1, 8)]
        for pool, servers in zip(model.pools, numbers["servers"], strict=True):
            pool.initial_capacity = servers
    model.rate, model.customers = numbers["rate"], customers
    return model


def once(name: str, customers: int, seed: int, numbers: dict) -> dict:
    """CPU seconds and the results of replications that start empty."""
    model = build(name, customers // REPLICATIONS, numbers)
    begun = time.process_time()
    results = cb.Experiment(model, replications=REPLICATIONS, seed=seed).run(workers=1)
    seconds = time.process_time() - begun
    means = np.asarray(results[model].mean).ravel()
    answer = {"seconds": seconds, "mean": float(means.mean()), "error": float(means.std(ddof=1) / REPLICATIONS**0.5)}
    if name == "stages":
        answer["abandoned"] = float(np.mean(np.asarray(results[model].abandoned)))
    return answer


def main() -> None:
    name, customers, rounds, numbers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
    cb.Experiment(build(name, 100, numbers), seed=1).run(workers=1)
    runs = [once(name, customers, seed, numbers) for seed in range(1, rounds + 1)]
    whole = customers // REPLICATIONS * REPLICATIONS
    print(json.dumps({"customers": whole, "version": version("cimba"), "runs": runs}))


if __name__ == "__main__":
    main()
