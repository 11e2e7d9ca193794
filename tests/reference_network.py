"""The process network again, in plain Python: one event at a time, cases as objects, queues as lists.

Shares with the kernel only the drawing of random numbers (`block`, `unit32`, `sample`) and the compiled tables of
distributions. Written for reading, not for speed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from twin.clock import DAY
from twin.contracts import Requests, Segment
from twin.kernels.durations import sample
from twin.kernels.philox import block, unit32
from twin.process.calendar import WorkCalendar
from twin.process.compile import compile_process
from twin.process.model import Choice, Delay, End, ProcessModel, Task, Window
from twin.randomness import Stream, Streams

BORDER, TIMER, ARRIVAL = range(3)
OUTCOMES = {"served": 0, "abandoned": 1, "refused": 2}


@dataclass
class Case:
    request: int
    client: int
    segment: Segment
    born: int
    limit: int | None
    visits: dict[str, int] = field(default_factory=dict)
    node: str = ""
    entered: int = 0
    service: int = 0
    route: float = 0.0
    wait: int = 0
    felt: int = 0
    active: int = 0
    state: str = ""
    timer: int = -1


class ReferenceNetwork:
    def __init__(self, model: ProcessModel, streams: Streams, calendar: WorkCalendar, days: int):
        self.model, self.streams, self.calendar, self.days = model, streams, calendar, days
        self.compiled = compile_process(model)
        self.index = {n: i for i, n in enumerate(self.compiled.nodes)}
        self.events: list = []
        self.sequence = 0
        self.outcomes: list[tuple[int, ...]] = []
        self.inside = 0
        self.queues: dict[str, list[Case]] = {p: [] for p in model.pools}
        self.busy = dict.fromkeys(model.pools, 0)
        self.counts = {n: {"arrivals": 0, "starts": 0, "abandoned": 0, "left": 0, "rework": 0} for n in model.nodes}

    def staff(self, pool: str, now: int) -> float:
        p = self.model.pools[pool]
        if p.staff is not None:
            return float("inf") if p.staff == "unlimited" else p.staff
        total = 0
        for s in p.shifts:
            for day in range(now // DAY - 1, now // DAY + 1):
                end = s.end + (0 if s.end > s.start else DAY)
                if self.calendar.works(day, s.days) and day * DAY + s.start <= now < day * DAY + end:
                    total += s.staff
        return total

    def words(self, stream: Stream, request: int, counter: int) -> list[int]:
        return [int(w) for w in block(self.streams.key, self.streams.replication, int(stream), request, counter)]

    def draw(self, row: int, word: int) -> int:
        return int(sample(row, *self.compiled.laws, word))

    def run(self, requests: Requests, until: int) -> None:
        service, patience, case_patience = self.compiled.graph[2], self.compiled.graph[3], self.compiled.graph[5]
        self.service, self.patience = service, patience
        for i in range(len(requests)):
            heapq.heappush(self.events, (int(requests.time[i]), ARRIVAL, i, None))
        borders = {
            day * DAY + t
            for p in self.model.pools.values()
            for s in p.shifts
            for t in (s.start, s.end)
            for day in range(self.days + 1)
        }
        for t in borders:
            heapq.heappush(self.events, (t, BORDER, 0, None))
        while self.events and self.events[0][0] < until:
            now, kind, number, case = heapq.heappop(self.events)
            if kind == BORDER:
                for pool in self.model.pools:
                    self.dispatch(pool, now)
            elif kind == TIMER:
                if case.timer == number:
                    self.expire(case, now)
            else:
                segment = Segment(int(requests.attribute[number]))
                request = int(requests.request[number])
                row = int(case_patience[segment])
                limit = None if row < 0 else self.draw(row, self.words(Stream.PROCESS_PATIENCE, request, 0)[0])
                case = Case(request, int(requests.client[number]), segment, now, limit)
                self.inside += 1
                self.enter(case, self.model.start, now)

    def timer(self, case: Case, at: int) -> None:
        case.timer = self.sequence
        heapq.heappush(self.events, (at, TIMER, self.sequence, case))
        self.sequence += 1

    def enter(self, case: Case, name: str, now: int) -> None:
        node = self.model.nodes[name]
        self.counts[name]["arrivals"] += 1
        if isinstance(node, End):
            self.finish(case, OUTCOMES[node.outcome], now)
            return
        visit = case.visits.get(name, 0)
        case.visits[name] = visit + 1
        i = self.index[name]
        words = self.words(Stream.PROCESS_SERVICE, case.request, i * 65536 + visit)
        u = float(unit32(words[1]))
        if isinstance(node, Choice):
            self.enter(case, self.way(case, name, u), now)
            return
        case.node, case.entered, case.route = name, now, u
        if isinstance(node, Window):
            opens = self.opening(node, now)
            case.service, case.state = 0, "resting"
            case.wait += opens - now
            case.active += (opens - now) * node.active
            self.timer(case, opens)
            return
        case.service = self.draw(int(self.service[i, case.segment]), words[0])
        if isinstance(node, Delay):
            case.state = "resting"
            case.active += case.service * node.active
            self.timer(case, now + case.service)
            return
        if self.busy[node.pool] < self.staff(node.pool, now):
            self.start(case, now)
            return
        case.state, case.timer = "waiting", -1
        self.queues[node.pool].append(case)
        limits = []
        if node.patience is not None:
            limits.append(self.draw(int(self.patience[i, case.segment]), words[2]))
        if case.limit is not None and node.active:
            limits.append(case.limit - case.felt)
        if limits:
            self.timer(case, now + min(limits))

    def opening(self, node: Window, now: int) -> int:
        for day in range(now // DAY, now // DAY + 40):
            if not self.calendar.works(day, node.days):
                continue
            limit = day * DAY + (0 if node.next_day else node.closes)
            if now < limit:
                return max(now, day * DAY + node.opens)
        raise AssertionError("no opening within 40 days")

    def start(self, case: Case, now: int) -> None:
        node = self.model.nodes[case.node]
        wait = now - case.entered
        self.counts[case.node]["starts"] += 1
        case.wait += wait
        if node.active:
            case.active += wait + case.service
            case.felt += wait
        case.state = "serving"
        self.busy[node.pool] += 1
        self.timer(case, now + case.service)

    def dispatch(self, pool: str, now: int) -> None:
        while self.queues[pool] and self.busy[pool] < self.staff(pool, now):
            urgent = min(self.queues[pool], key=lambda c: self.model.nodes[c.node].priority.of(c.segment))
            self.queues[pool].remove(urgent)
            self.start(urgent, now)

    def way(self, case: Case, name: str, u: float) -> str:
        node = self.model.nodes[name]
        up_to, kept = 0.0, 1.0
        if isinstance(node, Task) and node.rework is not None:
            up_to = node.rework.probability.of(case.segment)
            kept = 1 - up_to
            if u < up_to:
                if node.rework.limit is not None and case.visits[name] >= node.rework.limit:
                    return node.rework.otherwise
                self.counts[name]["rework"] += 1
                return node.rework.to
        for branch in node.branches[:-1]:
            up_to += kept * branch.probability.of(case.segment)
            if u < up_to:
                return branch.to
        return node.branches[-1].to

    def expire(self, case: Case, now: int) -> None:
        node, name = self.model.nodes[case.node], case.node
        left = False
        if case.state == "waiting":
            self.queues[node.pool].remove(case)
            case.wait += now - case.entered
            case.active += (now - case.entered) * node.active
            self.counts[name]["abandoned"] += 1
            left = True
        else:
            if case.state == "serving":
                self.busy[node.pool] -= 1
                self.dispatch(node.pool, now)
            if case.limit is not None and node.active:
                case.felt += int(case.service * self.compiled.graph[1][self.index[name]])
                if case.felt >= case.limit:
                    self.counts[name]["left"] += 1
                    left = True
        if not left:
            self.enter(case, self.way(case, name, case.route), now)
        elif isinstance(node, Task) and node.on_abandon is not None:
            case.felt = 0
            self.enter(case, node.on_abandon, now)
        else:
            self.finish(case, OUTCOMES["abandoned"], now)

    def finish(self, case: Case, outcome: int, now: int) -> None:
        self.inside -= 1
        self.outcomes.append((now, case.request, case.client, outcome, case.wait, self.index.get(case.node, -1)))

    def table(self) -> np.ndarray:
        return np.asarray(self.outcomes, np.int64).reshape(-1, 6)
