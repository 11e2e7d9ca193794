"""The whole day: orders per second through every stage, and what its own kernels would do alone."""

from __future__ import annotations

import time
from typing import Any

from scenarios.loader import load
from scenarios.simulate import simulate_day

CLIENTS = 1_000_000


def run(clients: int = CLIENTS) -> list[dict[str, Any]]:
    """Simulate an ordinary day once to compile, once to measure; rows as `benchmarks.__main__` prints them."""
    settings = [f"clients.count={clients}"]
    simulate_day(load("ordinary-day", ["clients.count=2000", "world.instruments=5"]))
    began = time.perf_counter()
    result = simulate_day(load("ordinary-day", settings))
    seconds = time.perf_counter() - began
    info = result.info
    messages = info["orders"] + info["queries"] + info["background_orders"] + info["background_cancels"]
    rows = [
        ("whole day: client orders", info["orders"]),
        ("whole day: all messages", messages),
        ("whole day: clients", clients),
    ]
    first = rows[0][1] / seconds
    return [
        {"name": name, "work": work, "seconds": seconds, "rate": work / seconds, "ratio": first / (work / seconds)}
        for name, work in rows
    ]
