"""Speed of the order path beside the same stations in SimPy, on the same load, in one run.

The load is a busy stretch of an ordinary day: 3,000 orders per tick of 3 s, one cancel, one login and one query for
every five orders; the exchange accepts and fills every order, so each order also means two reports, four ledger
entries and ten histogram entries in the compiled path. SimPy runs the same stages with the same mean times on a smaller
sample, without ledger, checks or histograms, which flatters it.
Times are CPU time. Run: python -m benchmarks.path [orders]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from typing import Any

import numpy as np
import simpy

from twin.clock import SECOND, TICK, at
from twin.contracts import Cancels, Instruments, Messages, Orders, Reason, Tape
from twin.kernels import stations as kernel
from twin.ledger import Ledger
from twin.randomness import Streams
from twin.routing.config import OrderPathConfig
from twin.routing.orders import OrderTable
from twin.routing.path import BACKGROUND_BASE, OrderPath
from twin.routing.stations import Station

ACCOUNTS, STOCKS, PER_TICK = 200_000, 300, 3_000
OPEN = at("09:30")


def new_path(max_orders: int) -> OrderPath:
    """A path with its default parameters and accounts that hold three positions each."""
    one = np.ones(STOCKS, np.int64)
    listed = Instruments(np.arange(STOCKS) % 2, 0 * one, 1_000 * one, 900 * one, 1_100 * one, 100 * one, one)
    ledger = Ledger(ACCOUNTS, 40 * ACCOUNTS)
    ledger.cash[:] = 10**11
    ledger.open_slots(
        np.arange(ACCOUNTS),
        np.full(ACCOUNTS, 8),
        np.tile([0, 1, 2, -1, -1, -1, -1, -1], ACCOUNTS),
        np.full(8 * ACCOUNTS, 10**6),
    )
    config = OrderPathConfig(max_orders=max_orders)
    permissions, risk = np.full(ACCOUNTS, 7, np.uint8), np.full(ACCOUNTS, 5, np.int8)
    path = OrderPath(config, listed, ledger, OrderTable(max_orders), permissions, risk, Streams(1))
    path.advance(OPEN)
    path.receive(OPEN)
    return path


def answers(m: Messages) -> Tape:
    """Every order stands and is filled 1 us later; every cancel comes too late."""
    new = m.kind < 2
    n = len(m)
    zero, market = np.zeros(n, np.int64), np.full(n, BACKGROUND_BASE)
    reason = np.where(new, -1, -1 - Reason.UNKNOWN_ORDER)
    shares = np.where(new, m.quantity, 0)
    stand = Tape(m.time, np.where(new, 0, 3), m.instrument, m.side, m.price, shares, m.order, reason, zero)
    dealt = Tape(m.time + 1_000, zero + 1, m.instrument, m.side, m.price, shares, m.order, market, zero)
    both = Tape.concat([stand, dealt.take(new)])
    return both.take(np.argsort(both.time, kind="stable"))


def tick_load(rng: np.random.Generator, start: int, known: int) -> tuple[Orders, Cancels, Any, Any]:
    """One tick of messages; cancels name any earlier order."""
    n, m = PER_TICK, PER_TICK // 5
    orders = Orders(
        rng.integers(start, start + TICK, n), np.full(n, -1), rng.integers(0, ACCOUNTS, n), rng.integers(0, 3, n),
        rng.choice([-1, 1], n), np.zeros(n, np.int64), np.full(n, 1_000), np.full(n, 100),
    )  # fmt: skip
    cancels = Cancels(rng.integers(start, start + TICK, m), rng.integers(0, known, m), rng.integers(0, ACCOUNTS, m))
    pairs = [(rng.integers(start, start + TICK, m), rng.integers(0, ACCOUNTS, m)) for _ in range(2)]
    return orders, cancels, pairs[0], pairs[1]


def run_path(orders: int) -> float:
    """Seconds that the path takes for so many orders, the exchange's and the load's own time left out."""
    path, rng = new_path(orders + 2 * PER_TICK), np.random.default_rng(1)
    path.orders.new_rows(0)
    total = 0.0
    for k in range(-1, orders // PER_TICK):  # the first round compiles and warms up
        start = path.now
        load = tick_load(rng, start, max(1, len(path.orders)))
        if k < 0:
            load = (load[0], load[1].take(slice(0, 0)), load[2], load[3])
        t0 = time.process_time()
        path.submit(*load)
        messages = path.advance(start + TICK)
        t1 = time.process_time()
        tape = answers(messages)
        t2 = time.process_time()
        path.deliver(tape)
        path.receive(start + TICK)
        if k >= 0:
            total += time.process_time() - t2 + t1 - t0
    return total


def idle_tick() -> float:
    """Seconds of a tick without any message."""
    path, n = new_path(1_000), 2_000
    for k in range(n + 1):
        if k == 1:
            t0 = time.process_time()
        path.advance(path.now + TICK)
        path.receive(path.now)
    return (time.process_time() - t0) / n


def run_simpy(orders: int) -> float:
    """Seconds that idiomatic SimPy takes: a process per order, a Resource per station."""
    env, rng, config = simpy.Environment(), np.random.default_rng(1), OrderPathConfig()
    stations = {
        name: simpy.Resource(env, max(1, getattr(config, name).servers(getattr(config, name).capacity)))
        for name in ("suitability", "checks", "core", "report")
    }
    draws = iter(rng.exponential(1.0, 12 * orders).tolist())

    def visit(name: str) -> Generator[Any, Any, None]:
        with stations[name].request() as request:
            yield request
            yield env.timeout(next(draws) * getattr(config, name).service.mean_ns)

    def order() -> Generator[Any, Any, None]:
        yield env.timeout(next(draws) * config.network.mean_ns)
        yield env.timeout(config.gateway_service_ns)
        for name in ("suitability", "checks", "core"):
            yield from visit(name)
        yield env.timeout(config.exchange_latency_ns)
        for _ in range(2):
            yield from visit("report")
        yield env.timeout(next(draws) * config.network.mean_ns)

    def source() -> Generator[Any, Any, None]:
        for _ in range(orders):
            yield env.timeout(next(draws) * SECOND / 1_000)
            env.process(order())

    env.process(source())
    t0 = time.process_time()
    env.run()
    return time.process_time() - t0


def run_station(n: int) -> tuple[float, float]:
    """Seconds of one M/M/20 station at load 0.9: compiled, and in SimPy on a twentieth."""
    rng = np.random.default_rng(3)
    gaps, demands = rng.exponential(1e6 / 18, n), np.maximum(rng.exponential(1e6, n), 1).astype(np.int64)
    times = np.cumsum(gaps).astype(np.int64)
    station = Station("s", 20)
    station.offer(times[:10], np.arange(10), demands[:10])
    station.advance(1)
    station = Station("s", 20)
    station.offer(times, np.arange(n), demands)
    t0 = time.process_time()
    station.advance(kernel.NEVER)
    fast = time.process_time() - t0
    few = n // 20
    env = simpy.Environment()
    resource = simpy.Resource(env, 20)

    def job(demand: int) -> Generator[Any, Any, None]:
        with resource.request() as request:
            yield request
            yield env.timeout(demand)

    def source() -> Generator[Any, Any, None]:
        for gap, demand in zip(gaps[:few].tolist(), demands[:few].tolist(), strict=True):
            yield env.timeout(gap)
            env.process(job(demand))

    env.process(source())
    t0 = time.process_time()
    env.run()
    return fast, time.process_time() - t0


def run(orders: int = 300_000) -> list[dict[str, Any]]:
    """Rows name, work, seconds, rate per second, ratio (rate of the compiled row over this one's)."""
    n, few = 400_000, max(1, orders // 40)
    fast, slow = run_station(n)
    path, plain = run_path(orders), run_simpy(few)
    idle = idle_tick()

    def row(name: str, work: int, seconds: float, first: float | None) -> dict[str, Any]:
        rate = work / seconds
        ratio = None if first is None else first / rate
        return {"name": name, "work": work, "seconds": seconds, "rate": rate, "ratio": ratio}

    return [
        row("station M/M/20: twin", n, fast, n / fast),
        row("station M/M/20: SimPy", n // 20, slow, n / fast),
        row("order path, ledger and histograms included: twin", orders, path, orders / path),
        row("order path, stations only: SimPy", few, plain, orders / path),
        row("order path, ticks without messages: twin", 1, idle, None),
    ]


if __name__ == "__main__":
    for line in run(*(int(x) for x in sys.argv[1:2])):
        times = f"{line['seconds']:8.4f} s {line['rate']:12.0f}/s"
        print(f"{line['name']:50} {line['work']:9} {times} {line['ratio'] or 0:7.1f}")
