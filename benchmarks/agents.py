"""Speed of agents and matching together: order flow drawn against live books and matched, on one core.

A request is a new order or a cancel; each order is placed relative to the book as it is when it arrives.
Run: python -m benchmarks.agents [orders]
"""

from __future__ import annotations

import sys
import time
from typing import Any

from scenarios.market_day import MarketDay, simulate_market
from twin.world import MarketConfig

ROUNDS = 2


def run(orders: int = 1_500_000) -> list[dict[str, Any]]:
    """Rows of {name, work, seconds, rate}: whole days of the exchange, calls and continuous trading, one process."""
    rows: list[dict[str, Any]] = []
    for instruments in (1, 50):
        seconds, work = float("inf"), 0
        for _ in range(ROUNDS + 1):  # the first compiles or loads the kernels
            start = time.perf_counter()
            totals = simulate_market(MarketDay(MarketConfig(instruments=instruments), orders=orders))
            seconds = min(seconds, time.perf_counter() - start)
            work = int(totals.orders.sum() + totals.cancels.sum())
        name = f"agents and matching, {instruments} instrument{'s' if instruments > 1 else ''}"
        rows.append({"name": name, "work": work, "seconds": seconds, "rate": work / seconds})
    return rows


if __name__ == "__main__":
    for row in run(int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_500_000):
        sys.stdout.write(f"{row['name']}: {row['work']:,} requests in {row['seconds']:.2f} s, {row['rate']:,.0f}/s\n")
