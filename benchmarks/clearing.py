"""Netting a day's fills, beside pandas on the same fills, and the other sums of the evening."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from twin.clearing.breaks import plan_breaks
from twin.clearing.fees import order_fees, schedule_on
from twin.clearing.netting import MarketSide, OrderTotals, check_conservation, fold_trades, net_orders
from twin.clock import DAY, MINUTE
from twin.contracts import Instruments, Trades
from twin.measures.churn import EXPERIENCES, expect_churn
from twin.randomness import Streams

FILLS, ORDERS, ACCOUNTS, INSTRUMENTS = 8_000_000, 5_000_000, 5_000_000, 300
SCHEDULE = schedule_on(dt.date(2026, 7, 6))


def _day(fills: int, orders: int, accounts: int) -> tuple[OrderTotals, Trades, Instruments]:
    """A random day: a few accounts trade most, as institutions do."""
    rng = np.random.default_rng(1)
    account = np.minimum(rng.pareto(0.3, orders) * 1_000, accounts - 1).astype(np.int64)
    zero = np.zeros(orders, np.int64)
    totals = OrderTotals(account, rng.integers(0, INSTRUMENTS, orders), rng.choice([-1, 1], orders), zero, zero)
    order = np.sort(rng.integers(0, orders, fills))
    price, quantity = rng.integers(200, 20_000, fills), 100 * rng.integers(1, 50, fills)
    when = np.arange(fills) * (DAY // fills)
    trades = Trades(when, order, account[order], totals.instrument[order], totals.side[order], price, quantity)
    none = np.zeros(INSTRUMENTS, np.int64)
    return totals, trades, Instruments(np.arange(INSTRUMENTS) % 2, none, none, none, none, none, none)


def _pandas(trades: Trades, exchange: np.ndarray) -> tuple[int, int]:
    """The same netting with groupby: per order, then per account and exchange, and per account and instrument."""
    frame = pd.DataFrame({name: getattr(trades, name) for name in ("order", "account", "instrument", "side")})
    frame["value"], frame["shares"] = trades.price * trades.quantity, trades.side * trades.quantity
    first = frame.groupby("order", sort=False).agg(
        account=("account", "first"),
        instrument=("instrument", "first"),
        side=("side", "first"),
        value=("value", "sum"),
        shares=("shares", "sum"),
    )
    fees = order_fees(SCHEDULE, first["side"].to_numpy(), first["value"].to_numpy()).total()
    first["cash"] = -first["side"] * first["value"] - fees
    first["exchange"] = exchange[first["instrument"].to_numpy()]
    cash = first.groupby(["account", "exchange"])["cash"].sum()
    shares = first.groupby(["account", "instrument"])["shares"].sum()
    return int(cash.sum()), int(np.count_nonzero(shares))


def _timed(work: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    best, result = float("inf"), None
    for _ in range(repeats):
        begun = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begun)
    return result, best


def _row(name: str, work: int, seconds: float, ratio: float | None = None) -> dict[str, Any]:
    return {"name": name, "work": work, "seconds": seconds, "rate": work / seconds, "ratio": ratio}


def run(fills: int = FILLS, orders: int = ORDERS, accounts: int = ACCOUNTS) -> list[dict[str, Any]]:
    """Rows of name, work, seconds, rate per second, and how many times faster the first row is."""
    small = _day(1_000, 500, 100)
    net_orders(fold_trades(small[1], small[0]), small[2], 100, SCHEDULE)  # compile
    totals, trades, instruments = _day(fills, orders, accounts)
    folded, fold = _timed(lambda: fold_trades(trades, totals), 3)
    netting, net = _timed(lambda: net_orders(folded, instruments, accounts, SCHEDULE), 3)
    market = MarketSide.opposite(trades, instruments.exchange)
    _, check = _timed(lambda: check_conservation(netting, market))
    (cash, held), peer = _timed(lambda: _pandas(trades, instruments.exchange))
    if (cash, held) != (int(netting.obligations.cash.sum()), len(netting.shares)):
        raise AssertionError("pandas nets to something else")
    rng = np.random.default_rng(2)
    segment, tenure = rng.integers(0, 4, accounts, dtype=np.uint8), rng.integers(0, 60, accounts, dtype=np.int16)
    bad = {name: rng.integers(0, 2, accounts, dtype=np.uint8) for name in EXPERIENCES}
    _, churn = _timed(lambda: expect_churn(segment, tenure, bad), 3)
    _, broken = _timed(lambda: plan_breaks(Streams(1), 20_000_000, accounts, 2e-5, 10 * MINUTE, 0.8), 3)
    return [
        _row("netting: fills to obligations", fills, fold + net, 1.0),
        _row("netting: the same with pandas groupby", fills, peer, peer / (fold + net)),
        _row("netting: fold fills into orders", fills, fold),
        _row("netting: orders to obligations", orders, net),
        _row("netting: conservation check", len(netting.obligations), check),
        _row("churn: expected leavers", accounts, churn),
        _row("end of day: draw the breaks of 20 million records", 20_000_000, broken),
    ]
