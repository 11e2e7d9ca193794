"""A small office simulated in plain Python, of which the whole truth is known, and logs made by hand."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from twin.process.eventlog.log import EventLog

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
START = 1_704_067_200 * SECOND  # Monday 1 January 2024, 00:00 UTC


def log_of(rows, **attributes) -> EventLog:
    """A log of rows (case, activity, resource, start ns, end ns or None)."""
    case, activity, resource, start, end = (list(column) for column in zip(*rows, strict=True))
    kind = pa.timestamp("us", tz="UTC")

    def instants(column):
        return pa.array([None if t is None else t // 1_000 for t in column], pa.int64()).cast(kind)

    return EventLog.from_columns(case, activity, resource, instants(start), instants(end), attributes)


def whole(span: float) -> int:
    """Logs hold microseconds."""
    return int(span) // 1_000 * 1_000


@dataclass
class Office:
    """What happened in an office: its log, and the whole truth about its queues."""

    log: EventLog
    arrived: dict[str, int]
    left: dict[str, int]
    waiting: list[tuple[str, int, int]]  # case, from, until

    def open_at(self, t: int) -> set[str]:
        return {case for case, at in self.arrived.items() if at < t <= self.left[case]}

    def waiting_at(self, t: int) -> set[str]:
        return {case for case, since, until in self.waiting if since < t <= until}


def office(days: int, seed: int, per_hour: float = 6.0, clerks=(5, 4), rework: float = 0.2) -> Office:
    """Two stations in line with named clerks, first come first served, exponential service of about half an hour.

    After the second station a case goes back to the first with probability `rework`. All hours of the week are alike.
    """
    rng = np.random.default_rng(seed)
    mean = (0.5 * HOUR, 0.4 * HOUR)  # of service
    names = ("check", "decide")
    idle = [[f"{names[s]}-{k}" for k in range(n)] for s, n in enumerate(clerks)]
    queues: list[list[tuple[str, int]]] = [[], []]
    events: list[tuple[int, int, int, str, int, str]] = []
    t, n = START, 0
    while True:
        t += whole(rng.exponential(HOUR / per_hour))
        if t >= START + days * DAY:
            break
        heapq.heappush(events, (t, n, -1, f"c{n:05d}", 0, ""))
        n += 1
    order = n
    rows, arrived, left, waiting = [], {}, {}, []

    def serve(station: int, now: int) -> None:
        nonlocal order
        while queues[station] and idle[station]:
            case, since = queues[station].pop(0)
            who = idle[station].pop(0)
            end = now + max(whole(rng.exponential(mean[station])), SECOND)
            rows.append((case, names[station], who, now, end))
            waiting.append((case, since, now))
            heapq.heappush(events, (end, order, station, case, now, who))
            order += 1

    while events:
        now, _, station, case, _, who = heapq.heappop(events)
        if station < 0:
            arrived[case] = now
            queues[0].append((case, now))
            serve(0, now)
            continue
        idle[station].append(who)
        if station == 0:
            queues[1].append((case, now))
        elif rng.random() < rework:
            queues[0].append((case, now))
        else:
            left[case] = now
        serve(station, now)
        serve(1 - station, now)
    return Office(log_of(rows), arrived, left, waiting)
