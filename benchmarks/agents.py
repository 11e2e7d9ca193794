"""Agents and matching together: order flow drawn against live books and matched, on one core, beside crowdbook.

A request is a new order or a cancel; each order is placed relative to the book as it is when it arrives.
Run: python -m benchmarks agents
"""

from __future__ import annotations

from benchmarks.measure import Row, row, timed
from benchmarks.peers import crowdbook
from scenarios.market_day import MarketDay, simulate_market
from twin.world import MarketConfig

ROUNDS = 3


def run(orders: int = 1_500_000) -> list[Row]:
    """Whole days of the exchange, calls and continuous trading, in one process; then the peer."""
    rows: list[Row] = []
    simulate_market(MarketDay(MarketConfig(instruments=1), orders=20_000))  # compile
    for instruments in (1, 50):
        day = MarketDay(MarketConfig(instruments=instruments), orders=orders)
        totals, seconds = timed(lambda day=day: simulate_market(day), ROUNDS)
        work = int(totals.orders.sum() + totals.cancels.sum())
        name = f"agents and matching, {instruments} instrument{'s' if instruments > 1 else ''}"
        rows.append(row(name, work, seconds))
    return rows + crowdbook.rows(rows[0]["rate"])
