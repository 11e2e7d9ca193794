"""A small office whose rules are known, and the logs it writes: for the tests of discovery."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from twin.process.eventlog.log import EventLog

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
MONDAY = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
OPENS, CLOSES = 9, 17
PEOPLE = {"check": ["ann", "bob"], "decide": ["cat"], "notify": ["ann", "bob"]}
MINUTES = {"check": 24.0, "decide": 11.0, "notify": 12.0}
NOTIFY = 0.6
PER_DAY = 24


def log_of(rows, enabled=False, attributes=None):
    """An event log from rows (case, activity, resource, start ns, end ns and, if wanted, enabled ns).

    `attributes` holds, by name, a value for each case.
    """
    columns = list(zip(*rows, strict=True))
    kind = pa.timestamp("us", tz="UTC")
    start, end = (pa.array([t // 1000 for t in column], pa.int64()).cast(kind) for column in columns[3:5])
    more = {"enabled": pa.array([t // 1000 for t in columns[5]], pa.int64()).cast(kind)} if enabled else None
    if attributes:
        more = (more or {}) | {name: [by_case[case] for case in columns[0]] for name, by_case in attributes.items()}
    return EventLog.from_columns(list(columns[0]), list(columns[1]), list(columns[2]), start, end, more)


def _open(at):
    """The next instant in office hours."""
    day, rest = divmod(at - MONDAY, DAY)
    weekday = day % 7
    if weekday < 5 and OPENS * HOUR <= rest < CLOSES * HOUR:
        return at
    if rest >= OPENS * HOUR or weekday >= 5:
        day += 1
    while day % 7 >= 5:
        day += 1
    return MONDAY + day * DAY + OPENS * HOUR


def _finish(at, work):
    """When work that begins in office hours is done; it rests overnight."""
    while True:
        closing = at - (at - MONDAY) % DAY + CLOSES * HOUR
        if at + work <= closing:
            return at + work
        work -= closing - at
        at = _open(closing)


def office(weeks=8, seed=0, oldest_first=False, factor=lambda *_: 1.0, notify=lambda _: NOTIFY):
    """Rows of an office: check, decide, then with probability 0.6 notify; services are gamma, arrivals Poisson.

    `factor` (of case, activity, start) multiplies services, `notify` (of the case) is the chance of the third activity.
    """
    rng = np.random.default_rng(seed)
    arrivals = []
    for day in range(7 * weeks):
        if day % 7 < 5:
            n = rng.poisson(PER_DAY)
            arrivals += sorted(MONDAY + day * DAY + OPENS * HOUR + rng.integers(0, 8 * HOUR, n))
    arrivals = sorted(int(t) for t in arrivals)
    free = {name: 0 for names in PEOPLE.values() for name in names}
    events = [(t, i, 0, i, "check") for i, t in enumerate(arrivals)]
    heapq.heapify(events)
    waiting, rows, ticket = [], [], len(events)
    while events or waiting:
        now = events[0][0]
        while events and events[0][0] == now:
            _, _, kind, case, activity = heapq.heappop(events)
            if kind == 0:
                waiting.append((arrivals[case] if oldest_first else now, case, activity, now))
        waiting.sort()
        left = []
        for key, case, activity, since in waiting:
            idle = [p for p in PEOPLE[activity] if free[p] <= now]
            if not idle or _open(now) != now:
                left.append((key, case, activity, since))
                continue
            person = idle[int(rng.integers(len(idle)))]
            minutes = rng.gamma(4.0, MINUTES[activity] / 4.0) * factor(case, activity, now)
            end = _finish(now, int(minutes * HOUR / 60))
            free[person] = end
            rows.append((f"c{case:05d}", activity, person, now, end, since))
            following = {"check": "decide", "decide": "notify" if rng.random() < notify(case) else None, "notify": None}
            ticket += 1
            if following[activity]:
                heapq.heappush(events, (end, ticket, 0, case, following[activity]))
            else:
                heapq.heappush(events, (end, ticket, 1, case, ""))
        waiting = left
        if waiting:
            later = _open(now) if _open(now) > now else _open(min(t for t in free.values() if t > now))
            ticket += 1
            heapq.heappush(events, (later, ticket, 1, 0, ""))
    return rows
