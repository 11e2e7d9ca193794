"""The record day: the whole market, 5,300 instruments, at 270 million orders.

So many Shanghai's platform was tested with on 29 September 2024, twice the record (domain O31). With fewer orders the
instruments stay, and with them the half minute that listing them and drawing their news takes.
Run: python -m benchmarks.record_day [orders] [workers]
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any

from scenarios.market_day import MarketDay, simulate_market
from twin.world import MarketConfig

INSTRUMENTS = 5_300
RECORD = 270_000_000


def run(orders: int = RECORD, workers: int | None = None) -> list[dict[str, Any]]:
    """One row of {name, work, seconds, rate, memory_mib}; memory = the largest process."""
    workers = workers or os.cpu_count() or 1
    start = time.perf_counter()
    totals = simulate_market(MarketDay(MarketConfig(instruments=INSTRUMENTS), orders=orders), workers=workers)
    seconds = time.perf_counter() - start
    work = int(totals.orders.sum() + totals.cancels.sum())
    usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    name = f"record day, {orders / 1e6:,.0f} of {RECORD / 1e6:,.0f} million orders, {workers} workers"
    return [{"name": name, "work": work, "seconds": seconds, "rate": work / seconds, "memory_mib": usage / 1024}]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    count = int(float(arguments[0])) if arguments else RECORD
    for row in run(count, int(arguments[1]) if len(arguments) > 1 else None):
        sys.stdout.write(
            f"{row['name']}: {row['work']:,} messages in {row['seconds']:.1f} s, {row['rate']:,.0f}/s, "
            f"{row['memory_mib']:,.0f} MiB\n"
        )
