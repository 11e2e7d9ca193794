"""Records that do not reconcile, and the people who mend them.

Which records break is a pure function of the seed: candidates are drawn at a coarse ceiling of the rate by geometric
gaps and thinned to the rate, so that twenty million records cost no more than their breaks, more records only append
breaks, and a lower rate only removes some.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.contracts import IntColumn
from twin.errors import ScenarioError
from twin.randomness import Stream, Streams

_CEILINGS = (1e-3, 1e-2, 1e-1, 1.0)
_CHUNK = 4096
_GAP, _THIN, _ACCOUNT, _STEP = 0, 1, 2, 3
"""Draw numbers of a candidate in `Stream.CLEARING_BREAK`."""


@dataclass(frozen=True)
class BreakPlan:
    """The records that will break, in the order of the records.

    Args:
        record: number of the record, from 0.
        account: to whom it belongs.
        share: where in the chain of checking steps it is found, in (0, 1).
        repair: time that a person needs, in ns.
    """

    record: IntColumn
    account: IntColumn
    share: NDArray[np.float64]
    repair: IntColumn


def _candidates(streams: Streams, records: int, rate: float) -> tuple[IntColumn, IntColumn]:
    """Number of each candidate and the record it falls on: a Bernoulli process of the given rate over the records."""
    found: list[IntColumn] = []
    last, start = -1, 0
    while last < records:
        ids = np.arange(start, start + _CHUNK)
        if rate >= 1.0:
            gaps = np.ones(_CHUNK)
        else:
            draws = streams.uniform(Stream.CLEARING_BREAK, ids, _GAP)
            gaps = np.maximum(np.ceil(np.log(draws) / math.log1p(-rate)), 1.0)
        place = last + np.cumsum(gaps.astype(np.int64))
        found.append(place)
        last, start = int(place[-1]), start + _CHUNK
    places = np.concatenate(found) if found else np.empty(0, np.int64)
    places = places[places < records]
    return np.arange(places.size), places


def plan_breaks(streams: Streams, records: int, accounts: int, rate: float, mean: int, cv: float) -> BreakPlan:
    """Draw the day's breaks.

    Args:
        streams: random numbers of the replication.
        records: how many records are cleared.
        accounts: how many accounts they belong to, uniformly.
        rate: probability that a record breaks.
        mean: mean time to mend one by hand, ns.
        cv: coefficient of variation of that time (lognormal).
    """
    if rate > 0.0 and records > 0 and accounts < 1:
        raise ScenarioError("records without an account cannot break", hint="Give at least one account.")
    ceiling = next(c for c in _CEILINGS if rate <= c)
    ids, record = _candidates(streams, records if rate > 0.0 else 0, ceiling)
    keep = streams.uniform(Stream.CLEARING_BREAK, ids, _THIN) < rate / ceiling
    ids, record = ids[keep], record[keep]
    account = (streams.uniform(Stream.CLEARING_BREAK, ids, _ACCOUNT) * accounts).astype(np.int64)
    sigma = math.sqrt(math.log1p(cv * cv))
    scale = streams.normal(Stream.CLEARING_REPAIR, record) * sigma - 0.5 * sigma * sigma
    repair = np.rint(mean * np.exp(scale)).astype(np.int64)
    return BreakPlan(record, account, streams.uniform(Stream.CLEARING_BREAK, ids, _STEP), repair)


@dataclass(frozen=True)
class Shift:
    """People on duty from `start` to `end` (ns since midnight of the trading day; may lie on a later day)."""

    start: int
    end: int
    staff: int

    def __post_init__(self) -> None:
        if self.staff < 0 or self.end <= self.start:
            raise ScenarioError(f"shift {self} cannot be worked", hint="Staff zero or more, end after start.")


class ReconciliationDesk:
    """A first-come, first-served queue of breaks before people who work in shifts.

    Nobody takes a new break after the end of the shift, but the break in hand is mended. Overlapping shifts add up.
    """

    def __init__(self, env: simpy.Environment, shifts: tuple[Shift, ...], size: int) -> None:
        self.env = env
        self.mended: IntColumn = np.full(size, -1, np.int64)
        """When each break was mended, ns; -1 while it is not."""
        self.busy_time = 0
        self.busy = 0
        self.open = 0
        self.queue: deque[tuple[int, int]] = deque()
        self._shifts = shifts
        self._idle: list[simpy.Event] = []
        for moment in sorted({shift.start for shift in shifts}):
            if moment > env.now:
                env.process(self._begin(moment))

    def on_duty(self) -> int:
        """How many people are on duty now."""
        return sum(shift.staff for shift in self._shifts if shift.start <= self.env.now < shift.end)

    def report(self, number: int, repair: int) -> None:
        """A break joins the queue."""
        self.open += 1
        self.queue.append((number, repair))
        self._dispatch()

    def empty(self) -> simpy.Event:
        """An event that happens when no break is open (at once if none is)."""
        event = self.env.event()
        if self.open:
            self._idle.append(event)
        else:
            event.succeed()
        return event

    def _begin(self, moment: int) -> Generator[simpy.Event, None, None]:
        yield self.env.timeout(moment - int(self.env.now))
        self._dispatch()

    def _dispatch(self) -> None:
        while self.queue and self.busy < self.on_duty():
            self.busy += 1
            self.env.process(self._mend(*self.queue.popleft()))

    def _mend(self, number: int, repair: int) -> Generator[simpy.Event, None, None]:
        yield self.env.timeout(repair)
        self.mended[number] = self.env.now
        self.busy_time += repair
        self.busy -= 1
        self.open -= 1
        self._dispatch()
        if self.open == 0:
            for event in self._idle:
                event.succeed()
            self._idle.clear()
