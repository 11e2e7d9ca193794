"""What clients do after they have sent an order: look for an answer, ask again, telephone, cancel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.kernels import timers as kernel
from agents.population import Population
from twin.clock import TICK
from twin.contracts import Cancels
from twin.randomness import Stream, Streams
from twin.routing.config import ACCEPTANCE
from twin.routing.orders import OrderState, OrderTable

_CHUNK = 1 << 15
_WINDOWS = np.array(ACCEPTANCE, np.int64)
_NO_PAIRS = np.empty((0, 2), np.int64)
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Persistence:
    """How insistently clients look for an answer; times in ns, shares as fractions.

    Args:
        patience: to the first look at an order. backoff: growth of the wait to the next one while the order stands.
        looks, retries: probability that a look asks the broker's system, if the order is acknowledged and if not.
        stuck_after: without an answer for so long a client counts as stuck; call_when_stuck: share who telephone then.
    """

    patience: int
    looks: float
    retries: float
    backoff: float
    stuck_after: int
    call_when_stuck: float


class OrderTimers:
    """Two timers per order, kept in linked lists per quote interval.

    Args:
        start, end: the day's first and last instant (ns) at which clients act.
        orders: the broker's order table. population: for the clients' flags.
    """

    def __init__(
        self, start: int, end: int, orders: OrderTable, population: Population, habits: Persistence, streams: Streams
    ) -> None:
        self._start, self._orders, self._population = start, orders, population
        self._habits, self._streams = habits, streams
        capacity, ticks = len(orders.rows), -(-(end - start) // TICK)
        self._cancel = np.full(ticks, -1, np.int32), np.empty(capacity, np.int32), np.empty(capacity, np.uint32)
        self._check = np.full(ticks, -1, np.int32), np.empty(capacity, np.int32), np.empty(capacity, np.uint32)
        self._checks = np.empty(capacity, np.uint8)
        self._out = np.empty((_CHUNK, 3), np.int64)
        self._queries, self._calls = np.empty((_CHUNK, 2), np.int64), np.empty((_CHUNK, 2), np.int64)
        self._due = np.empty(_CHUNK, np.int64)
        self._counts = np.zeros(1, np.int64)

    def release(self) -> None:
        """Give back the memory; nothing falls due any more."""
        self._cancel = self._check = (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint32))
        self._checks = np.empty(0, np.uint8)

    def set(
        self, base: int, orders: NDArray[np.int64], open_from: int, willing: float, median: int, sigma: float
    ) -> None:
        """Set the timers of new orders (rows from `base`), as written by the cohort's kernel."""
        kernel.start_timers(
            self._streams.key, self._streams.replication, int(Stream.PATIENCE), base, orders, open_from, willing,
            float(np.log(median)), sigma, self._habits.patience, self._start, TICK, *self._cancel, *self._check,
            self._checks,
        )  # fmt: skip

    def _slots(self, heads: NDArray[np.int32], t0: int, t1: int) -> list[int]:
        """Slots of a wheel in [t0, t1) in which something falls due."""
        first, last = (t0 - self._start) // TICK, -(-(t1 - self._start) // TICK)
        return [first + int(k) for k in np.flatnonzero(heads[first:last] >= 0)]

    def cancels(self, t0: int, t1: int) -> Cancels:
        """Orders that their senders give up in an interval."""
        parts = []
        for slot in self._slots(self._cancel[0], t0, t1):
            while True:
                n = kernel.due_cancels(
                    slot, self._start, TICK, *self._cancel, self._orders.rows["state"], int(OrderState.FILLED),
                    self._orders.rows["account"], self._out,
                )  # fmt: skip
                parts.append(self._out[:n].copy())
                if n < _CHUNK:
                    break
        if not parts:
            return Cancels.empty()
        rows = np.concatenate(parts)
        return Cancels(*(np.ascontiguousarray(rows[:, j]) for j in range(3)))

    def checks(self, t0: int, t1: int) -> tuple[Pairs, Pairs]:
        """Queries and telephone calls (times, accounts) of clients who look for an answer in an interval."""
        queries, calls = [_NO_PAIRS], [_NO_PAIRS]
        for slot in self._slots(self._check[0], t0, t1):
            done = False
            while not done:
                n, m, done = self._check_once(slot)
                queries.append(self._queries[:n].copy())
                calls.append(self._calls[:m].copy())
        q, c = np.concatenate(queries), np.concatenate(calls)
        return (q[:, 0], q[:, 1]), (c[:, 0], c[:, 1])

    def _check_once(self, slot: int) -> tuple[int, int, bool]:
        habits, rows = self._habits, self._orders.rows
        result: tuple[int, int, bool] = kernel.due_checks(
            self._streams.key, self._streams.replication, int(Stream.RETRY), slot, self._start, TICK, *self._check,
            rows["state"], int(OrderState.FILLED), rows["acknowledged"], rows["done"], rows["submitted"], _WINDOWS,
            rows["account"], self._checks, self._population.active_of, self._population.flags, habits.looks,
            habits.retries, habits.patience, habits.backoff, habits.stuck_after, habits.call_when_stuck,
            self._due, self._queries, self._calls, self._counts,
        )  # fmt: skip
        return result
