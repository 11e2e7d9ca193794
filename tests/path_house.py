"""A small broker with an order path and an obliging exchange, for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from twin.clock import SECOND
from twin.contracts import Cancels, Instruments, Messages, Orders, Reason, Tape, TapeKind
from twin.ledger import Ledger
from twin.randomness import Streams
from twin.routing.config import Law, OrderPathConfig, ServiceTime, StationConfig
from twin.routing.orders import OrderTable
from twin.routing.path import BACKGROUND_BASE, OrderPath, Replies

FAST = StationConfig(None, ServiceTime(1, Law.CONSTANT))
PLAIN = OrderPathConfig(
    network=ServiceTime(10, Law.CONSTANT),
    gateway_rate=None,
    gateway_service_ns=1,
    authentication=FAST,
    suitability=FAST,
    suitability_budget_ns=None,
    checks=FAST,
    core=FAST,
    exchange_gateway_rate=None,
    exchange_latency_ns=100,
    report=FAST,
    max_orders=200_000,
)
"""Every delay known and nothing random: 10 + 1 + 1 + 1 + 1 + 100 ns to the exchange, 1 + 10 ns back."""
TO_EXCHANGE, BACK = 114, 11
N_ACCOUNTS, N_INSTRUMENTS = 500, 6


def instruments() -> Instruments:
    """Six stocks at 10.00: main board, ChiNext and STAR on both exchanges in turn; risk level 3."""
    one = np.ones(N_INSTRUMENTS, np.int64)
    board = np.array([0, 0, 1, 1, 2, 2])
    lot = np.where(board == 2, 200, 100)
    return Instruments(np.arange(N_INSTRUMENTS) % 2, board, 1_000 * one, 900 * one, 1_100 * one, lot, 3 * one)


class House:
    """Ledger, order table and path together."""

    def __init__(self, config: OrderPathConfig = PLAIN, seed: int = 1, **changes: Any) -> None:
        self.ledger = Ledger(N_ACCOUNTS, 20 * N_ACCOUNTS)
        self.ledger.cash[:] = 10**9
        everyone = np.arange(N_ACCOUNTS)
        self.ledger.open_slots(
            everyone,
            np.full(N_ACCOUNTS, 4),
            np.tile([0, 1, 4, -1], N_ACCOUNTS),
            np.tile([10_050, 500, 150, 0], N_ACCOUNTS),
        )
        self.permissions = np.full(N_ACCOUNTS, 7, np.uint8)
        self.risk = np.full(N_ACCOUNTS, 3, np.int8)
        self.orders = OrderTable(config.max_orders)
        self.path = OrderPath(
            replace(config, **changes), instruments(), self.ledger, self.orders, self.permissions, self.risk,
            Streams(seed), keep_trades=True,
        )  # fmt: skip

    def order(self, time: int, account: int = 0, **fields: int) -> int:
        """Submit one order; buys 100 of stock 0 at 10.00 unless told otherwise."""
        values = {"instrument": 0, "side": 1, "kind": 0, "price": 1_000, "quantity": 100, **fields}
        self.path.submit(orders=Orders(*(np.array([x]) for x in (time, -1, account, *values.values()))))
        return len(self.orders) - 1

    def cancel(self, time: int, order: int, account: int = 0) -> None:
        self.path.submit(cancels=Cancels(*(np.array([x]) for x in (time, order, account))))

    def run(self, until: int, exchange: Any = None, step: int = 3 * SECOND) -> list[Replies]:
        """Advance in ticks with an exchange; returns all replies."""
        out = []
        while self.path.now < until:
            end = min(until, self.path.now + step)
            self.path.deliver((exchange or accept)(self.path.advance(end)))
            out.append(self.path.receive(end))
        return out


def rows(messages: Messages, kind: Any, quantity: Any, counter: Any) -> Tape:
    """One row of tape per message."""
    n = len(messages)
    m = messages
    kind, quantity, counter = (np.broadcast_to(np.asarray(x, np.int64), n) for x in (kind, quantity, counter))
    return Tape(m.time, kind, m.instrument, m.side, m.price, quantity, m.order, counter, np.zeros(n, np.int64))


def accept(messages: Messages) -> Tape:
    """Every order stands, every cancel succeeds."""
    new = messages.kind < 2
    kind = np.where(new, TapeKind.ACCEPTED, TapeKind.CANCELLED)
    return rows(messages, kind, messages.quantity, -1)


def fill(messages: Messages) -> Tape:
    """Every order stands and is filled at once by the background; cancels come too late."""
    new = messages.kind < 2
    answers = rows(
        messages,
        np.where(new, TapeKind.ACCEPTED, TapeKind.REJECTED),
        np.where(new, messages.quantity, 0),
        np.where(new, -1, -1 - Reason.UNKNOWN_ORDER),
    )
    trades = rows(messages, TapeKind.TRADE, messages.quantity, BACKGROUND_BASE + 5).take(new)
    both = Tape.concat([answers, trades])
    return both.take(np.argsort(both.time, kind="stable"))
