"""Queueing networks per second: the twin's kernel beside SimPy and Ciw, in one run, on the same two models.

Models: M/M/c with c = 10 and utilisation 0.9; the seven-stage onboarding network with exponential patience and 10%
rework. SimPy is written as its documentation teaches (a process per customer, `request() | timeout()`), Ciw with its
own arrival, service and reneging distributions. Each engine gets what it does in some seconds; the rate is
per customer of CPU time and includes the drawing of arrivals. The engines' mean times must agree, or the run fails.

Command: `python -m benchmarks.queueing`
"""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable

import ciw
import numpy as np
import simpy

from twin.clock import HOUR, SECOND
from twin.contracts import Requests
from twin.process.loader import parse_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Stream, Streams

SERVERS, RATE = 10, 9.0
STAGE_MEANS = (0.3, 0.5, 0.8, 0.4, 1.0, 0.6, 0.25)
STAGE_SERVERS = (4, 7, 11, 6, 13, 8, 4)
STAGE_RATE, PATIENCE, REWORK = 10.0, 2.0, 0.1
BATCH = 50_000
SIZES = {
    ("M/M/10", "twin"): 3_000_000,
    ("M/M/10", "simpy"): 100_000,
    ("M/M/10", "ciw"): 60_000,
    ("7 stages", "twin"): 400_000,
    ("7 stages", "simpy"): 20_000,
    ("7 stages", "ciw"): 8_000,
}
Result = tuple[float, float]
"""Mean time in seconds or hours (the wait, or the time in system of those who finish), and its standard error."""


def batch_error(values: list[float], batches: int = 20) -> Result:
    """Mean of a series after its first tenth, and the standard error by batch means."""
    x = np.asarray(values[len(values) // 10 :])
    means = [b.mean() for b in np.array_split(x, batches)]
    return float(x.mean()), float(np.std(means, ddof=1) / math.sqrt(batches))


def single_queue() -> ProcessModel:
    return parse_process(f"""
name: single queue
start: desk
pools: {{agents: {{staff: {SERVERS}}}}}
nodes:
  desk: {{kind: task, pool: agents, service: {{distribution: exponential, mean: 1 s}}, next: done}}
  done: {{kind: end}}
""")


def seven_stages() -> ProcessModel:
    lines = ["name: seven stages", "start: s1", "pools:"]
    lines += [f"  p{i}: {{staff: {c}}}" for i, c in enumerate(STAGE_SERVERS, 1)]
    lines += ["nodes:", "  done: {kind: end}"]
    for i, mean in enumerate(STAGE_MEANS, 1):
        rework = f", rework: {{to: s{i - 1}, probability: {REWORK}}}" if i > 1 else ""
        target = f"s{i + 1}" if i < len(STAGE_MEANS) else "done"
        lines.append(
            f"  s{i}: {{kind: task, pool: p{i}, service: {{distribution: exponential, mean: {mean} h}}, "
            f"patience: {{distribution: exponential, mean: {PATIENCE} h}}, next: {target}{rework}}}"
        )
    return parse_process("\n".join(lines))


def run_twin(model: ProcessModel, rate_per_ns: float, n: int, seed: int, mean: Callable[..., float]) -> list[float]:
    """Feed the network in batches, as the day does; one mean per batch."""
    network = ProcessNetwork(model, Streams(seed), record=False)
    start, means = 0, []
    for first in range(0, n, BATCH):
        number = np.arange(first, first + BATCH, dtype=np.int64)
        gaps = Streams(seed).exponential(Stream.PROCESS_ARRIVAL, number)
        times = start + (np.cumsum(gaps) / rate_per_ns).astype(np.int64)
        start = int(times[-1])
        network.submit(Requests(times, number, number, np.zeros(BATCH, np.int64)))
        network.advance(start)
        means.append(mean(network.statistics()))
        network.reset_statistics()
    return means


def twin_single(n: int, seed: int) -> Result:
    means = run_twin(single_queue(), RATE / SECOND, n, seed, lambda s: s.nodes["desk"].mean_wait_s)
    return float(np.mean(means[1:])), float(np.std(means[1:], ddof=1) / math.sqrt(len(means) - 1))


def twin_stages(n: int, seed: int) -> Result:
    means = run_twin(seven_stages(), STAGE_RATE / HOUR, n, seed, lambda s: s.cases.mean_sojourn_s / 3600)
    return float(np.mean(means[1:])), float(np.std(means[1:], ddof=1) / math.sqrt(len(means) - 1))


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


def simpy_stages(n: int, seed: int) -> Result:
    env, rng = simpy.Environment(), random.Random(seed)
    pools, sojourns = [simpy.Resource(env, c) for c in STAGE_SERVERS], []

    def case():
        born, stage = env.now, 0
        while stage < len(pools):
            with pools[stage].request() as turn:
                done = yield turn | env.timeout(rng.expovariate(1 / PATIENCE))
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


ENGINES: dict[tuple[str, str], Callable[[int, int], Result]] = {
    ("M/M/10", "twin"): twin_single,
    ("M/M/10", "simpy"): simpy_single,
    ("M/M/10", "ciw"): ciw_single,
    ("7 stages", "twin"): twin_stages,
    ("7 stages", "simpy"): simpy_stages,
    ("7 stages", "ciw"): ciw_stages,
}


def run(scale: float = 1.0) -> list[dict]:
    """Measure every engine on both models; `ratio` is the twin's rate over the engine's.

    Args:
        scale: multiplies the number of customers of the other engines, for a shorter run.
    """
    twin_single(3 * BATCH, 0)
    rows, results = [], {}
    for (model, engine), simulate in ENGINES.items():
        n = SIZES[model, engine] if engine == "twin" else int(SIZES[model, engine] * scale)
        gc.collect()
        start = time.process_time()
        results[model, engine] = simulate(n, 1)
        seconds = time.process_time() - start
        rows.append({"name": f"{model} {engine}", "work": n, "seconds": seconds, "rate": n / seconds})
    for row, (model, engine) in zip(rows, ENGINES, strict=True):
        (ours, our_error), (theirs, error) = results[model, "twin"], results[model, engine]
        if abs(ours - theirs) > 4.5 * math.hypot(our_error, error):
            raise RuntimeError(f"{model}: {engine} gives {theirs} +- {error}, the twin {ours} +- {our_error}")
        own = next(r for r in rows if r["name"] == f"{model} twin")
        row["ratio"] = own["rate"] / row["rate"]
        row["mean"] = theirs
    return rows


if __name__ == "__main__":
    for r in run():
        print(
            f"{r['name']:16} {r['work']:>9,} customers {r['seconds']:6.2f} s {r['rate']:>12,.0f}/s "
            f"  twin is {r['ratio']:6.1f} x   mean {r['mean']:.3f}"
        )
