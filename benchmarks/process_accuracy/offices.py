"""Made-up offices whose rules are known, and the logs they write: a plain simulation, apart from the twin's own."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from twin.process.eventlog.log import EventLog

Float = NDArray[np.float64]
Route = list[list[list[int]]]
"""Blocks one after the other; the branches of a block run side by side; a branch is a list of tasks."""
MONDAY = 1_672_617_600
"""2023-01-02 00:00 UTC, in seconds since 1970."""
HOUR, DAY, WEEK = 3600.0, 86_400.0, 604_800.0
SLOTS = 336
_EVERY = 1800.0
_RESUMED = -1


@dataclass(frozen=True)
class Task:
    """One kind of work.

    Attributes:
        name: of the activity.
        people: who can do it; none = nobody in particular, at once.
        hours: median of the service time.
        spread: standard deviation of its logarithm.
        delay: median hours that pass before the work may begin, for reasons outside the office.
        delay_spread: standard deviation of its logarithm.
    """

    name: str
    people: tuple[int, ...]
    hours: float
    spread: float = 0.6
    delay: float = 0.0
    delay_spread: float = 0.8


@dataclass(frozen=True)
class Office:
    """A process with its people.

    Attributes:
        tasks: all kinds of work.
        calendars: half hours of the week at which each person works, shape (people, 336).
        capacity: pieces of work that each does at once.
        route: draws the way of one case.
        arrivals: draws the instants of arrivals until a week, in seconds since the beginning.
        weeks: from the first arrival to the last.
        pauses: whether work rests outside the calendars.
        closed: stretches (seconds since the beginning) in which nobody works.
        recorded: weeks at which recording begins and ends; None = everything is recorded.
        shows: of a recording that ends: only cases that had ended (`ended`), or what had been done (`done`).
        stamps: what is written down: starts and ends, or only `ends`; or the `day` of the end.
        named: share of activities whose person is written down.
    """

    tasks: list[Task]
    calendars: NDArray[np.bool_]
    capacity: int
    route: Callable[[np.random.Generator], Route]
    arrivals: Callable[[np.random.Generator, float], Float]
    weeks: float
    pauses: bool = True
    closed: tuple[tuple[float, float], ...] = ()
    recorded: tuple[float, float] | None = None
    shows: Literal["ended", "done"] = "ended"
    stamps: Literal["both", "ends", "day"] = "both"
    named: float = 1.0


class _Run:
    """One history of an office. Work is a (case, block, branch, step); waiting work is taken in order of arrival."""

    def __init__(self, office: Office, rng: np.random.Generator) -> None:
        self.office, self.rng = office, rng
        self.rows: list[tuple[int, int, int, float, float]] = []
        self.events: list[tuple[float, int, int, tuple[int, int, int, int], int]] = []
        self.queues: list[deque[tuple[float, tuple[int, int, int, int]]]] = [deque() for _ in office.tasks]
        self.waiting = 0
        self.busy = [0] * len(office.calendars)
        self.can: list[list[int]] = [[] for _ in office.calendars]
        for number, task in enumerate(office.tasks):
            for person in task.people:
                self.can[person].append(number)
        self.calendars = office.calendars.tolist()
        self.routes: list[Route] = []
        self.left: list[int] = []
        self.ticket = 0

    def push(self, at: float, kind: int, work: tuple[int, int, int, int], who: int = -1) -> None:
        self.ticket += 1
        heapq.heappush(self.events, (at, self.ticket, kind, work, who))

    def on_duty(self, who: int, at: float) -> bool:
        if any(a <= at < b for a, b in self.office.closed):
            return False
        return bool(self.calendars[who][int(at % WEEK // _EVERY)])

    def finish(self, who: int, at: float, work: float) -> float:
        if not self.office.pauses:
            return at + work
        while True:
            stop = (at // _EVERY + 1) * _EVERY
            if self.on_duty(who, at):
                if work <= stop - at:
                    return at + work
                work -= stop - at
            at = stop

    def task(self, work: tuple[int, int, int, int]) -> int:
        case, block, branch, step = work
        return self.routes[case][block][branch][step]

    def enable(self, at: float, work: tuple[int, int, int, int]) -> None:
        task = self.office.tasks[self.task(work)]
        wait = task.delay * HOUR * float(np.exp(task.delay_spread * self.rng.normal())) if task.delay else 0.0
        self.push(at + wait, 1, work)

    def open_block(self, at: float, case: int, block: int) -> None:
        if block < len(self.routes[case]):
            self.left[case] = len(self.routes[case][block])
            for branch in range(self.left[case]):
                self.enable(at, (case, block, branch, 0))

    def begin(self, at: float, work: tuple[int, int, int, int], who: int) -> None:
        task = self.office.tasks[self.task(work)]
        lasts = task.hours * HOUR * float(np.exp(task.spread * self.rng.normal())) if task.hours else 0.0
        end = at + lasts if who < 0 else self.finish(who, at, lasts)
        if who >= 0:
            self.busy[who] += 1
        self.rows.append((work[0], self.task(work), who, at, end))
        self.push(end, 2, work, who)

    def look(self, at: float, who: int) -> None:
        while self.busy[who] < self.office.capacity and self.on_duty(who, at):
            heads = [(self.queues[t][0][0], t) for t in self.can[who] if self.queues[t]]
            if not heads:
                return
            _, work = self.queues[min(heads)[1]].popleft()
            self.waiting -= 1
            self.begin(at, work, who)

    def ready(self, at: float, work: tuple[int, int, int, int]) -> None:
        number = self.task(work)
        people = self.office.tasks[number].people
        if not people:
            self.begin(at, work, -1)
            return
        free = [p for p in people if self.busy[p] < self.office.capacity and self.on_duty(p, at)]
        if free:
            self.begin(at, work, free[int(self.rng.integers(len(free)))])
        else:
            self.queues[number].append((at, work))
            self.waiting += 1

    def go(self) -> list[tuple[int, int, int, float, float]]:
        for case, at in enumerate(self.office.arrivals(self.rng, self.office.weeks).tolist()):
            self.routes.append(self.office.route(self.rng))
            self.left.append(0)
            self.push(at, 0, (case, 0, 0, 0))
        tick = 0.0
        while self.events or self.waiting:
            if self.waiting and (not self.events or tick <= self.events[0][0]):
                for who in self.rng.permutation(len(self.busy)).tolist():
                    self.look(tick, who)
                tick += _EVERY
                continue
            at, _, kind, work, who = heapq.heappop(self.events)
            if not self.waiting:
                tick = (at // _EVERY + 1) * _EVERY
            case, block, branch, step = work
            if kind == 0:
                self.open_block(at, case, 0)
            elif kind == 1:
                self.ready(at, work)
            else:
                if who >= 0:
                    self.busy[who] -= 1
                if step + 1 < len(self.routes[case][block][branch]):
                    self.enable(at, (case, block, branch, step + 1))
                else:
                    self.left[case] -= 1
                    if not self.left[case]:
                        self.open_block(at, case, block + 1)
                if who >= 0:
                    self.look(at, who)
        return self.rows


def log_of(office: Office, seed: tuple[int, ...]) -> EventLog:
    """A log that an office writes.

    Args:
        office: the office.
        seed: of its luck.
    """
    rng = np.random.default_rng(seed)
    rows = _Run(office, rng).go()
    case, task, who = (np.array(column, np.int64) for column in list(zip(*rows, strict=True))[:3])
    start, end = (np.array(column) for column in list(zip(*rows, strict=True))[3:])
    kept = _recorded(office, case, start, end)
    case, task, who, start, end = case[kept], task[kept], who[kept], start[kept], end[kept]
    if office.stamps != "both":
        start = end = end if office.stamps == "ends" else end // DAY * DAY
    names = pa.array([t.name for t in office.tasks])
    people = pa.array([f"P{i:03d}" for i in range(len(office.calendars))])
    hidden = (who < 0) | (rng.random(len(who)) >= office.named)
    stamps = (pa.array(((t + MONDAY) * 1e6).astype(np.int64)).cast(pa.timestamp("us", "UTC")) for t in (start, end))
    return EventLog.from_columns(
        pa.array([f"c{i:06d}" for i in case.tolist()]),
        names.take(pa.array(task)),
        people.take(pa.array(np.maximum(who, 0), mask=hidden)),
        *stamps,
    )


def _recorded(office: Office, case: NDArray[np.int64], start: Float, end: Float) -> NDArray[np.bool_]:
    if office.recorded is None:
        return np.ones(len(case), bool)
    begin, stop = (week * WEEK for week in office.recorded)
    if office.shows == "done":
        return (start >= begin) & (end <= stop)
    first, last = np.full(case.max() + 1, np.inf), np.zeros(case.max() + 1)
    np.minimum.at(first, case, start)
    np.maximum.at(last, case, end)
    return np.asarray((first[case] >= begin) & (last[case] <= stop))


def hours(days: str, begin: float, end: float) -> NDArray[np.bool_]:
    """Half hours of the week: days as digits (0 = Monday), from an hour to an hour (past 24 = next morning)."""
    week = np.zeros(SLOTS, bool)
    for day in days:
        for slot in range(round(2 * begin), round(2 * end)):
            week[(48 * int(day) + slot) % SLOTS] = True
    return week


def stream(
    per_week: float, when: NDArray[np.bool_], growth: float = 0.0, off: float = 0.02
) -> Callable[[np.random.Generator, float], Float]:
    """Poisson arrivals in given half hours of the week, hardly any in the others.

    Args:
        per_week: at the beginning.
        when: half hours of the week.
        growth: of the logarithm of the rate, a week.
        off: rate in other half hours, of that in these.
    """

    def draw(rng: np.random.Generator, weeks: float) -> Float:
        rate = np.where(when, 1.0, off)
        rate = rate / rate.sum() * per_week / _EVERY
        top = float(rate.max()) * max(1.0, np.exp(growth * weeks))
        times = rng.random(rng.poisson(top * weeks * WEEK)) * weeks * WEEK
        now = rate[(times % WEEK // _EVERY).astype(int)] * np.exp(growth * times / WEEK)
        return np.sort(times[rng.random(len(times)) * top < now])

    return draw
