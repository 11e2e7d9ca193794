"""A process model executed by SimPy: one SimPy process per case, pools with queues, staff that changes with the shifts.

Reads the same `ProcessModel` as the twin's kernel and shares none of its execution. What chance decides comes from a
`Luck`: the twin's own random numbers, so that cases can be compared one by one, or random numbers of its own, so that
distributions can.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import simpy
from simpy.events import URGENT

from twin.clock import DAY
from twin.contracts import Requests, Segment
from twin.kernels.durations import sample
from twin.kernels.philox import block, unit32
from twin.process.calendar import WorkCalendar
from twin.process.compile import compile_process
from twin.process.distributions import Distribution
from twin.process.model import Choice, Delay, End, ProcessModel, Task, Window
from twin.randomness import Stream, Streams

OUTCOMES = {"served": 0, "abandoned": 1, "refused": 2}


@dataclass
class Case:
    """One case on its way."""

    request: int
    client: int
    segment: Segment
    node: str = ""
    wait: int = 0
    felt: int = 0
    bears: int | None = None
    visits: Counter[str] = field(default_factory=Counter)


class Luck(Protocol):
    """What chance decides; durations in ns."""

    def work(self, case: Case, name: str) -> int: ...
    def way(self, case: Case, name: str) -> float: ...
    def patience(self, case: Case, name: str) -> int: ...
    def bears(self, case: Case) -> int: ...


class SharedLuck:
    """The twin's random numbers: a function of seed, case, node and visit."""

    def __init__(self, model: ProcessModel, streams: Streams) -> None:
        self.process, self.streams = compile_process(model), streams
        self.number = {name: i for i, name in enumerate(self.process.nodes)}

    def _word(self, stream: Stream, case: Case, counter: int, which: int) -> int:
        return int(block(self.streams.key, self.streams.replication, int(stream), case.request, counter)[which])

    def _visit(self, case: Case, name: str, which: int) -> int:
        counter = self.number[name] * 65_536 + case.visits[name] - 1
        return self._word(Stream.PROCESS_SERVICE, case, counter, which)

    def work(self, case: Case, name: str) -> int:
        row = int(self.process.graph[2][self.number[name], case.segment])
        return int(sample(row, *self.process.laws, self._visit(case, name, 0)))

    def way(self, case: Case, name: str) -> float:
        return float(unit32(self._visit(case, name, 1)))

    def patience(self, case: Case, name: str) -> int:
        row = int(self.process.graph[3][self.number[name], case.segment])
        return int(sample(row, *self.process.laws, self._visit(case, name, 2)))

    def bears(self, case: Case) -> int:
        row = int(self.process.graph[5][case.segment])
        return int(sample(row, *self.process.laws, self._word(Stream.PROCESS_PATIENCE, case, 0, 0)))


class OwnLuck:
    """Python's random numbers, and quantiles straight from the distributions."""

    def __init__(self, model: ProcessModel, seed: int) -> None:
        self.model, self.rng = model, np.random.default_rng(seed)
        self.drawn: dict[int, list[int]] = {}

    def _draw(self, law: Distribution) -> int:
        """The next of a thousand draws that are made together, since SciPy is slow one by one."""
        if not self.drawn.get(id(law)):
            u = self.rng.random(1000)
            match law.distribution:
                case "constant":
                    x = np.full(1000, law.mean_ns)
                case "exponential":
                    x = -law.mean_ns * np.log(1 - u)
                case "uniform":
                    x = (law.low or 0) + u * ((law.high or 0) - (law.low or 0))
                case _:
                    x = law.quantiles(u, 1 - u)
            self.drawn[id(law)] = np.round(x).astype(np.int64).tolist()
        return self.drawn[id(law)].pop()

    def work(self, case: Case, name: str) -> int:
        node: Any = self.model.nodes[name]
        return self._draw((node.service if isinstance(node, Task) else node.duration).of(case.segment))

    def way(self, case: Case, name: str) -> float:  # noqa: ARG002 (chance needs neither)
        return float(self.rng.random())

    def patience(self, case: Case, name: str) -> int:
        node: Any = self.model.nodes[name]
        return self._draw(node.patience.of(case.segment))

    def bears(self, case: Case) -> int:
        assert self.model.case_patience is not None
        return self._draw(self.model.case_patience.patience.of(case.segment))


class Desk:
    """The members of a pool and those who wait for them, urgent ones first, then in order of arrival."""

    def __init__(self, env: simpy.Environment, staff: float) -> None:
        self.env, self.staff, self.busy = env, staff, 0
        self.queue: list[tuple[int, int, simpy.Event, int]] = []
        self.asked = 0

    def ask(self, urgency: int, work: int) -> simpy.Event:
        """An event that happens when the work begins; its value is the event of its end."""
        turn = self.env.event()
        heapq.heappush(self.queue, (urgency, self.asked, turn, work))
        self.asked += 1
        self.serve()
        return turn

    def serve(self) -> None:
        while self.queue and self.busy < self.staff:
            _, _, turn, work = heapq.heappop(self.queue)
            self.busy += 1
            turn.succeed(self.env.timeout(work))

    def give_up(self, turn: simpy.Event) -> None:
        self.queue = [entry for entry in self.queue if entry[2] is not turn]
        heapq.heapify(self.queue)

    def finish(self) -> None:
        self.busy -= 1
        self.serve()

    def change(self, staff: int) -> None:
        self.staff = staff
        self.serve()


class SimpyNetwork:
    """Runs requests through a process model; `rows` are (time, request, client, outcome, wait, node)."""

    def __init__(self, model: ProcessModel, luck: Luck, calendar: WorkCalendar, days: int) -> None:
        self.model, self.luck, self.calendar = model, luck, calendar
        self.number = {name: i for i, name in enumerate([model.start, *(n for n in model.nodes if n != model.start)])}
        self.env = simpy.Environment()
        self.desks = {name: Desk(self.env, self._staff(name, 0)) for name in model.pools}
        self.rows: list[tuple[int, ...]] = []
        for name, pool in model.pools.items():
            shifts = [self.calendar.intervals(s.start, s.end, s.days, -1, days) for s in pool.shifts]
            for instant in {t for shift in shifts for interval in shift for t in interval[:2]}:
                if instant > 0:
                    self._at(instant, name)

    def run(self, requests: Requests, until: int) -> np.ndarray:
        self.env.process(self._arrivals(requests))
        self.env.run(until)
        return np.asarray(self.rows, np.int64).reshape(-1, 6)

    def _at(self, instant: int, pool: str) -> None:
        """Change a pool's staff at an instant, before anything else that happens then."""
        border = self.env.event()
        border._ok, border._value = True, None
        border.callbacks.append(lambda _: self.desks[pool].change(int(self._staff(pool, instant))))
        self.env.schedule(border, URGENT, instant)

    def _staff(self, name: str, now: int) -> float:
        pool = self.model.pools[name]
        if pool.staff is not None:
            return math.inf if pool.staff == "unlimited" else pool.staff
        today = now // DAY
        present = 0
        for s in pool.shifts:
            for start, end, _ in self.calendar.intervals(s.start, s.end, s.days, today - 1, today):
                present += s.staff if start <= now < end else 0
        return present

    def _arrivals(self, requests: Requests) -> Generator[simpy.Event, Any, None]:
        columns = (requests.time, requests.request, requests.client, requests.attribute)
        for time, request, client, attribute in np.stack(columns, axis=1).tolist():
            yield self.env.timeout(time - self.env.now)
            self.env.process(self._life(Case(request, client, Segment(attribute))))

    def _life(self, case: Case) -> Generator[simpy.Event, Any, None]:
        if self.model.case_patience is not None:
            case.bears = self.luck.bears(case)
        name = self.model.start
        while True:
            node = self.model.nodes[name]
            if isinstance(node, End):
                return self._end(case, node.outcome)
            case.visits[name] += 1
            stays = True
            if not isinstance(node, Choice):
                case.node = name
            if isinstance(node, Window):
                opens = self._opening(node)
                case.wait += opens - self.env.now
                yield self.env.timeout(opens - self.env.now)
            elif isinstance(node, Delay):
                work = self.luck.work(case, name)
                yield self.env.timeout(work)
                stays = self._still_bears(case, node.active, work, 1.0)
            elif isinstance(node, Task):
                stays = yield from self._task(case, name, node)
            if stays:
                name = self._way(case, name)
            elif isinstance(node, Task) and node.on_abandon is not None:
                case.felt, name = 0, node.on_abandon
            else:
                return self._end(case, "abandoned")

    def _task(self, case: Case, name: str, node: Task) -> Generator[simpy.Event, Any, bool]:
        """Wait for a member and be served; whether the case stays."""
        desk, asked, work = self.desks[node.pool], self.env.now, self.luck.work(case, name)
        turn = desk.ask(node.priority.of(case.segment), work)
        if not turn.triggered:
            limits = [self.luck.patience(case, name)] if node.patience is not None else []
            if case.bears is not None and node.active:
                limits.append(case.bears - case.felt)
            if limits:
                yield turn | self.env.timeout(min(limits))
                if not turn.triggered:
                    desk.give_up(turn)
                    case.wait += self.env.now - asked
                    return False
        end = yield turn
        case.wait += self.env.now - asked
        case.felt += (self.env.now - asked) * node.active
        yield end
        desk.finish()
        common = self.model.case_patience.burden if self.model.case_patience else 1.0
        return self._still_bears(case, node.active, work, common if node.burden is None else node.burden)

    def _still_bears(self, case: Case, active: bool, work: int, burden: float) -> bool:
        if case.bears is None or not active:
            return True
        case.felt += int(work * burden)
        return case.felt < case.bears

    def _opening(self, node: Window) -> int:
        today = self.env.now // DAY
        for start, end, midnight in self.calendar.intervals(node.opens, node.closes, node.days, today, today + 40):
            if self.env.now < (midnight if node.next_day else end):
                return max(self.env.now, start)
        raise AssertionError("no opening within 40 days")

    def _way(self, case: Case, name: str) -> str:
        node: Any = self.model.nodes[name]
        rework = getattr(node, "rework", None)
        if len(node.branches) == 1 and rework is None:
            return str(node.branches[0].to)
        u, up_to, kept = self.luck.way(case, name), 0.0, 1.0
        if rework is not None:
            up_to = rework.probability.of(case.segment)
            kept = 1 - up_to
            if u < up_to:
                spent = rework.limit is not None and case.visits[name] >= rework.limit
                return str(rework.otherwise if spent else rework.to)
        for branch in node.branches[:-1]:
            up_to += kept * branch.probability.of(case.segment)
            if u < up_to:
                return str(branch.to)
        return str(node.branches[-1].to)

    def _end(self, case: Case, outcome: str) -> None:
        number = self.number[case.node] if case.node else -1
        self.rows.append((self.env.now, case.request, case.client, OUTCOMES[outcome], case.wait, number))
