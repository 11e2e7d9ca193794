"""The exchange on one day: it drives the books exactly through sessions, calls, halts and stops.

Everything happens at its own instant, whatever the steps in which the day is run: `process` cuts a batch of messages
at every instant at which the exchange itself acts.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY, Phase, clock_text
from twin.contracts import Exchange, Instruments, IntColumn, Messages, OrderRules, Quotes, Tape
from twin.errors import ScenarioError
from twin.matching.after_hours import AfterHours
from twin.matching.circuit_breaker import CircuitBreaker, Stop
from twin.matching.closing import ClosingPrices
from twin.matching.engine import MatchingEngine
from twin.matching.publishing import Publisher
from twin.matching.timetable import CALLS, Groups, Timetable

Match = Callable[[Messages, int, int], Tape]
"""Takes the messages of [start, end), in which the exchange does nothing by itself, to the books; returns the tape by
time."""


@dataclass(frozen=True)
class Suspension:
    """Instruments that the exchange suspends from `start` to `end` (ns since midnight)."""

    instruments: tuple[int, ...]
    start: int = 0
    end: int = DAY

    def __post_init__(self) -> None:
        if self.start >= self.end:
            span = f"{clock_text(self.start)} to {clock_text(self.end)}"
            raise ScenarioError(f"a suspension from {span}", hint="It must end after it begins.")


@dataclass(frozen=True)
class MarketStop:
    """A stop of the whole market by the circuit breaker."""

    start: int
    end: int
    level: float
    for_the_day: bool


class ExchangeDay:
    """All exchanges of a day as one object.

    Args:
        instruments: what is listed.
        timetables: one per instrument; the present ones if left out.
        rules: what an order must look like; None = everything is taken.
        after_hours: fixed-price trading after the close, where there is any.
        breaker: the circuit breaker, where there is one.
        suspensions: instruments that are suspended for a while.
        publisher: keeps feeds of chosen instruments.
        by_last_trade: instruments that close at their last trade where a closing call gives no price.
    """

    def __init__(
        self,
        instruments: Instruments,
        timetables: Sequence[Timetable] | None = None,
        rules: OrderRules | None = None,
        *,
        after_hours: AfterHours | None = None,
        breaker: CircuitBreaker | None = None,
        suspensions: Sequence[Suspension] = (),
        publisher: Publisher | None = None,
        by_last_trade: NDArray[np.bool_] | None = None,
    ) -> None:
        n = len(instruments)
        self.instruments, self.rules = instruments, rules
        self.groups = Groups.of(timetables if timetables is not None else [Timetable()] * n)
        self.engine = MatchingEngine(instruments, rules=rules)
        self.after_hours, self.breaker, self.publisher = after_hours, breaker, publisher
        self.close_at = max((table.close for table in self.groups.timetables), default=0)
        last = instruments.exchange == Exchange.BSE if by_last_trade is None else by_last_trade
        self.closing = ClosingPrices(instruments.previous_close, last)
        self.stops: list[MarketStop] = []
        self.now = 0
        self._wakes = breaker is not None or (rules is not None and bool((rules.halt_ns > 0).any()))
        self._scheduled = np.full(n, int(Phase.CLOSED), np.int64)
        self._in_session, self._in_call = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        self._agenda: list[tuple[int, int, Callable[[int], list[Tape]]]] = []
        self._entries = 0
        self._plan(suspensions)

    def _plan(self, suspensions: Sequence[Suspension]) -> None:
        """Write what is known of the day beforehand into the agenda; what falls on one instant goes in this order."""
        for k, table in enumerate(self.groups.timetables):
            for time in table.turns():
                self._at(time, partial(self._turn, k))
        self._at(self.close_at, self._close)
        for suspension in suspensions:
            rows = np.array(suspension.instruments, np.int64)
            self._at(suspension.start, partial(self._suspend, rows))
            if suspension.end < DAY:
                self._at(suspension.end, partial(self._release, rows))
        if self.after_hours is not None:
            self._at(self.after_hours.start, self._open_after_hours)
            self._at(self.after_hours.end, self._end_after_hours)

    def _at(self, time: int, action: Callable[[int], list[Tape]]) -> None:
        heapq.heappush(self._agenda, (time, self._entries, action))
        self._entries += 1

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Instruments that would trade by their timetable but are halted or suspended."""
        held: NDArray[np.bool_] = (self.engine.halted | self.engine.suspended) & self._in_session
        return held

    @property
    def trading(self) -> NDArray[np.bool_]:
        """Instruments in continuous trading."""
        return self._in_session & ~self._in_call & ~self.stopped

    @property
    def phases(self) -> IntColumn:
        """What the exchange does with each instrument now, as `Phase`; HALT also where it is suspended."""
        return np.where(self.stopped, int(Phase.HALT), self._scheduled)

    @property
    def in_call(self) -> NDArray[np.bool_]:
        """Instruments whose quotes are those of a call."""
        return self._in_call & ~self.stopped

    def quotes(self) -> Quotes:
        """Level-1 data of every instrument now."""
        return self.engine.quotes()

    def closing_prices(self) -> IntColumn:
        """The day's closing prices in ticks; before the close, what they would be if the day ended now."""
        return self.closing.prices()

    def reach(self, time: int) -> Tape:
        """Do what is due up to an instant, that instant included, and watch the index."""
        tapes = self._due(time)
        if self.breaker is not None and (self._in_session & ~self._in_call).any():
            tapes += self._watch(self.breaker, time)
        return _joined(tapes)

    def process(self, messages: Messages, until: int, match: Match | None = None) -> Tape:
        """Take messages, all before `until` and sorted by time, and do what is due before `until` in between.

        Args:
            messages: none before what has been done already.
            until: the exchange's time afterwards, in ns.
            match: takes messages to the books; the engine's own way if left out.
        """
        tapes: list[Tape] = []
        first, now = 0, self.now
        while self._agenda and (time := self._agenda[0][0]) < until:
            if time > now:
                stop = int(np.searchsorted(messages.time, time))
                tapes.append(self._handle(messages.take(slice(first, stop)), now, time, match))
                first, now = stop, time
            tapes += self._due(time)
        rest = messages.take(slice(first, None)) if first else messages
        tapes.append(self._handle(rest, now, until, match))
        self.now = until
        return _joined(tapes)

    def _handle(self, messages: Messages, start: int, end: int, match: Match | None) -> Tape:
        """Messages of [start, end) meet the books; orders for trading at the close go their own way."""
        after = self.after_hours
        mine = after.mine(messages) if after is not None and len(messages) else None
        theirs = messages if mine is None else messages.take(~mine)
        if match is not None:
            tapes = [match(theirs, start, end)]
        else:
            tapes = [self.engine.process(theirs)] if len(theirs) else []
        if self._wakes:
            tapes.append(self.engine.wake(end - 1))
        self._noted(_joined(tapes))
        if mine is not None and after is not None:
            tapes.append(after.process(messages.take(mine)))
        parts = [tape for tape in tapes if len(tape)]
        tape = _joined(parts)
        return tape if len(parts) < 2 else tape.take(np.argsort(tape.time, kind="stable"))

    def _noted(self, tape: Tape, *, auction: bool = False, closing: bool = False) -> Tape:
        """Take note of what the books reported."""
        if len(tape):
            self.closing.add(tape, closing_call=closing)
            if self.publisher is not None:
                self.publisher.add(tape, auction=auction)
        return tape

    def _due(self, time: int) -> list[Tape]:
        """Do what is due up to an instant, that instant included."""
        tapes: list[Tape] = []
        while self._agenda and self._agenda[0][0] <= time:
            when, _, action = heapq.heappop(self._agenda)
            if self._wakes:
                tapes.append(self._noted(self.engine.wake(when)))
            tapes += action(when)
        if self._wakes:
            tapes.append(self._noted(self.engine.wake(time)))
        self.now = max(self.now, time)
        return tapes

    def _turn(self, group: int, time: int) -> list[Tape]:
        """A group's phase, or its right to cancel, changes: a call that ends is held."""
        rows, table = self.groups.rows(group), self.groups.timetables[group]
        before, after = Phase(int(self._scheduled[rows[0]])), table.phase(time)
        everything = None if len(self.groups.timetables) == 1 else rows
        tapes = []
        if before in CALLS and after != before:
            tape = self.engine.uncross(time, everything)
            tapes.append(self._noted(tape, auction=True, closing=before == Phase.CLOSE_CALL))
        self._scheduled[rows] = after
        self._in_call[rows] = after in CALLS
        self._in_session[rows] = after in CALLS or after == Phase.CONTINUOUS
        allowed = table.cancels_allowed(time)
        self.engine.set_phase(after, cancels_allowed=allowed, instruments=everything, time=time)
        return tapes

    def _close(self, time: int) -> list[Tape]:
        """The day's orders expire."""
        return [self._noted(self.engine.expire(time))]

    def _suspend(self, rows: NDArray[np.int64], time: int) -> list[Tape]:
        """The exchange suspends instruments."""
        del time
        self.engine.suspend(rows)
        return []

    def _release(self, rows: NDArray[np.int64], time: int) -> list[Tape]:
        """Suspended instruments go on; within continuous trading a call begins it."""
        return [self._noted(self.engine.release(rows, time), auction=True)]

    def _watch(self, breaker: CircuitBreaker, time: int) -> list[Tape]:
        """Measure the index; stop the market if it has moved too far."""
        if self.stops and time < self.stops[-1].end:
            return []
        stop = breaker.check(time, self.engine.quotes().last)
        if stop is None:
            return []
        for_the_day = stop is Stop.DAY
        until = self.close_at if for_the_day else breaker.terms.resumes(time)
        self.stops.append(MarketStop(time, until, breaker.level, for_the_day))
        if not for_the_day:
            return [self._noted(self.engine.halt(None, time, until))]
        # Halted beyond the close: no call ends it.
        self.engine.suspend(np.flatnonzero(~breaker.takes_orders))
        return [self._noted(self.engine.halt(np.flatnonzero(breaker.takes_orders), time, DAY))]

    def _open_after_hours(self, time: int) -> list[Tape]:
        """The close is known: what waits for it trades."""
        assert self.after_hours is not None
        taking_part = np.where(self.engine.suspended | self.engine.halted, 0, self.closing_prices())
        return [self.after_hours.open(taking_part, time)]

    def _end_after_hours(self, time: int) -> list[Tape]:
        """What after-hours trading left expires."""
        assert self.after_hours is not None
        return [self.after_hours.expire(time)]


def _joined(tapes: list[Tape]) -> Tape:
    parts = [tape for tape in tapes if len(tape)]
    if len(parts) < 2:
        return parts[0] if parts else Tape.empty()
    return Tape.concat(parts)
