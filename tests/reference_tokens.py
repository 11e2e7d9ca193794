"""The general process network again, in plain Python: tokens as objects, queues as lists, consequences as calls.

Shares with the kernel only the drawing of random numbers (`block`, `unit32`, `sample`). Written for reading, not for
speed. What one event causes happens depth first, in the order in which it is written here.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin.clock import DAY
from twin.contracts import Segment
from twin.kernels.durations import sample
from twin.kernels.philox import block, unit32
from twin.process.distributions import DistributionTable
from twin.process.model import (
    Choice,
    Delay,
    End,
    Fork,
    InclusiveJoin,
    InclusiveSplit,
    Join,
    ProcessModel,
    Race,
    Task,
    Window,
)
from twin.process.parts import SEGMENT_NAMES
from twin.randomness import Stream

BORDER, TIMER, ARRIVAL = range(3)
OUTCOMES = {"served": 0, "abandoned": 1, "refused": 2}
QUARTER = 900_000_000_000


class StuckError(Exception):
    """A case waits at a join for a token that cannot come."""


@dataclass(eq=False)
class Person:
    name: str
    pool: str
    spec: Any
    most: int
    calendar: str | None
    duty: bool = True
    takes: bool = True
    hand: list = field(default_factory=list)
    load: int = 0
    idle: int = 0
    paused: bool = False

    def rate(self, load: int) -> float:
        pace = (
            self.spec.pace
            if self.spec.pace is not None
            else (self.spec_pool.pace if self.spec.at_once is None else None)
        )
        if pace is not None and load <= len(pace):
            return self.spec.speed * pace[load - 1]
        return self.spec.speed / load


@dataclass(eq=False)
class Token:
    case: Any
    kind: str = "token"
    node: str = ""
    state: str = "moving"
    way: Any = None
    entered: int = 0
    visit: int = 0
    words: tuple = (0, 0, 0)
    started: int | None = None
    service: int = 0
    work: int = 0
    since: int = 0
    order: int = 0
    turn: int = 0
    lane: int = 0
    resting_lane: bool = False
    pool: str | None = None
    member: Person | None = None
    timer: int = -1
    alarms: list = field(default_factory=list)
    host: Any = None
    left: int = 0
    index: int = 0
    lost: int = 0
    loose: int = 0
    items: list = field(default_factory=list)
    blocked_at: str = ""
    edge: Any = None
    alive: bool = True


@dataclass(eq=False)
class Case:
    request: int
    client: int
    segment: Segment
    values: dict
    born: int
    number: int
    tokens: list = field(default_factory=list)
    visits: Counter = field(default_factory=Counter)
    clocks: dict = field(default_factory=dict)
    limit: int | None = None
    wait: int = 0
    felt: int = 0
    active: int = 0
    last: str = ""
    open: bool = True
    flagged: bool = False


class ReferenceTokens:
    def __init__(self, model: ProcessModel, streams, calendar, days: int, base: int = 0):
        self.model, self.streams, self.calendar, self.days, self.base = model, streams, calendar, days, base
        order = [model.start, *(n for n in model.nodes if n != model.start)]
        self.index = {n: i for i, n in enumerate(order)}
        self.heap: list = []
        self.sequence = self.orders = self.turns = self.inside = self.cases = 0
        self.outcomes: list = []
        self.log: list = []
        self.pauses: list = []
        self.counts = {n: Counter() for n in model.nodes}
        self.deadlines = {n: [0, 0] for n in model.deadlines}
        self.queue: dict[str, list[Token]] = {p: [] for p in model.pools}
        self.running: dict[str, list[Token]] = {p: [] for p in model.pools}
        self.busy = dict.fromkeys(model.pools, 0)
        self.capacity = {p: self.staff(p, -1) for p in model.pools}
        self.people: list[Person] = []
        for name, pool in model.pools.items():
            self.hire(name, pool)
        self.idles = max(len(self.people), 1)
        self.blocked: dict[str, list[Token]] = {n: [] for n in model.nodes}
        self.gathered: dict[str, list[Token]] = {n: [] for n in model.nodes}
        self.batch_timer = {n: Token(None, "timer", n) for n in model.nodes}
        self.flagged: list[Case] = []
        self.hours = {n: calendar.hours(c, -7, days + 400) for n, c in model.calendars.items()}
        self.tables: dict[int, Any] = {}
        self.ways = {n: self.ways_into(n) for n, node in model.nodes.items() if isinstance(node, Join)}
        self.next_of = {n: self.referred(n) for n in model.nodes}

    def hire(self, name, pool):
        specs = pool.members
        if not specs and pool.at_once > 1:
            from twin.process.model import Member

            specs = (Member(name=name, count=pool.staff),)
        for spec in specs:
            for individual in spec.names:
                person = Person(individual, name, spec, spec.at_once or pool.at_once, spec.calendar or pool.calendar)
                person.spec_pool = pool
                person.idle = len(self.people)
                person.duty = person.takes = person.calendar is None
                self.people.append(person)

    # Ways, draws, conditions.

    def ways_into(self, name):
        """Every reference to a join, in the order of the file; the start node comes first."""
        found = []
        if self.model.start == name:
            found.append("start")
        found += [("deadline", d) for d, spec in self.model.deadlines.items() if spec.to == name]
        for source in self.index:
            found += [(source, key) for key, target in self.references(source) if target == name]
        return found

    def references(self, source):
        node = self.model.nodes[source]
        if isinstance(node, End):
            return
        if isinstance(node, Race):
            yield from ((("event", i), b.to) for i, b in enumerate(node.next))
            return
        if isinstance(node, Task) and node.rework:
            yield "rework", node.rework.to
        yield from ((("branch", i), b.to) for i, b in enumerate(node.branches))
        if isinstance(node, InclusiveSplit) and node.otherwise:
            yield "otherwise", node.otherwise
        if isinstance(node, Task):
            if node.on_abandon:
                yield "abandon", node.on_abandon
            if node.rework and node.rework.otherwise:
                yield "otherwise", node.rework.otherwise
            yield from ((("event", i), b.to) for i, b in enumerate(node.boundary))
            if node.queue_limit and node.queue_limit.to:
                yield "refused", node.queue_limit.to

    def referred(self, name):
        """Nodes that can be reached from a node."""
        seen, open_ = set(), [t for _, t in self.references(name)]
        while open_:
            n = open_.pop()
            if n not in seen:
                seen.add(n)
                open_ += [t for _, t in self.references(n)]
        return seen

    def section(self, spec):
        seen, open_ = set(), [spec.begins or self.model.start]
        while open_:
            n = open_.pop()
            if n not in seen and n != spec.until:
                seen.add(n)
                open_ += [t for _, t in self.references(n)]
        return seen

    def draw(self, stream, case, counter):
        words = block(self.streams.key, self.streams.replication, int(stream), case.request + self.base, counter)
        return [int(w) for w in words]

    def counter(self, name, visit):
        return self.index[name] * 65536 + visit

    def duration(self, law, word):
        if id(law) not in self.tables:
            table = DistributionTable()
            table.row(law)
            self.tables[id(law)] = (law, table.arrays())
        return int(sample(0, *self.tables[id(law)][1], word))

    def true(self, when, case):
        ok = True
        if when.attribute is not None:
            x = case.segment if when.attribute == "segment" else case.values[when.attribute]
            if when.is_in is not None or when.not_in is not None:
                names = SEGMENT_NAMES if when.attribute == "segment" else self.model.attributes[when.attribute].names
                x = names[int(x)]
                ok &= when.is_in is None or x in when.is_in
                ok &= when.not_in is None or x not in when.not_in
            else:
                ok &= when.at_least is None or x >= when.at_least
                ok &= when.above is None or x > when.above
                ok &= when.at_most is None or x <= when.at_most
                ok &= when.below is None or x < when.below
        ok &= all(self.true(part, case) for part in when.all)
        return bool(ok and (not when.any or any(self.true(part, case) for part in when.any)))

    def of(self, value, case):
        for option in value.cases:
            if self.true(option.when, case):
                return option.value
        return value.by_segment.get(case.segment.name.lower(), value.default)

    def later(self, calendar, now, work):
        """When some working time is over."""
        if calendar is None:
            return now + work
        for start, end in self.hours[calendar]:
            if end > now:
                here = end - max(start, now)
                if work <= here:
                    return max(start, now) + work
                work -= here
        raise AssertionError("beyond the calendar")

    def staff(self, name, now):
        pool = self.model.pools[name]
        if pool.individuals:
            return 0
        if pool.staff is not None and pool.calendar is None:
            return float("inf") if pool.staff == "unlimited" else pool.staff
        total = 0
        if pool.calendar is not None:
            inside = self.open(pool.calendar, now)
            return (float("inf") if pool.staff == "unlimited" else pool.staff) if inside else 0
        for s in pool.shifts:
            for day in range(now // DAY - 1, now // DAY + 1):
                end = s.end + (0 if s.end > s.start else DAY)
                if self.calendar.works(day, s.days) and day * DAY + s.start <= now < day * DAY + end:
                    total += s.staff
        return total

    def open(self, calendar, now):
        spec = self.model.calendars[calendar]
        return any(a <= now < b for a, b in self.calendar.hours(spec, now // DAY - 3, now // DAY + 1))

    # The loop.

    def run(self, requests, values, until):
        for i in range(len(requests)):
            heapq.heappush(self.heap, (int(requests.time[i]), ARRIVAL, i, None))
        for day in range(-1, self.days + 1):
            for t in {t for t in self.border_times(day) if 0 <= t < until}:
                heapq.heappush(self.heap, (t, BORDER, 0, None))
        heapq.heappush(self.heap, (0, BORDER, 0, None))
        while self.heap and self.heap[0][0] < until:
            self.now, kind, number, token = heapq.heappop(self.heap)
            if kind == BORDER:
                self.border()
            elif kind == TIMER:
                if token.timer != number:
                    continue
                token.timer = -1
                self.expire(token)
            else:
                self.arrive(requests, number, values)
            self.settle()

    def border_times(self, day):
        for pool in self.model.pools.values():
            for s in pool.shifts:
                yield from (day * DAY + t for t in (s.start, s.end))
        for calendar in self.model.calendars.values():
            for a, b in self.calendar.hours(calendar, day, day):
                yield from (a, b)

    def border(self):
        for name, pool in self.model.pools.items():
            if pool.individuals or self.staff(name, self.now) == self.capacity[name]:
                continue
            self.capacity[name] = self.staff(name, self.now)
            if pool.at_end_of_shift == "pause":
                while self.busy[name] > self.capacity[name] and self.running[name]:
                    self.pause(max(self.running[name], key=lambda t: (t.lane, t.turn)), until_next_shift=True)
            self.seek(name)
            self.settle()
        for person in self.people:
            if person.calendar is None or self.open(person.calendar, self.now) == person.duty:
                continue
            person.duty = not person.duty
            first_free = self.model.pools[person.pool].given_to == "first_free"
            came = person.duty and not person.takes
            person.takes = person.duty or (first_free and person.takes)
            if came:
                self.idles += 1
                person.idle = self.idles
            if self.model.pools[person.pool].at_end_of_shift == "pause":
                person.paused = not person.duty
                for token in list(person.hand):
                    if person.duty and token.state in ("paused", "held"):
                        held = token.state == "held"
                        self.start(token)
                        if held:
                            self.admit(token.node)
                    elif not person.duty and token.state == "serving":
                        self.pause(token, until_next_shift=True)
            if person.duty:
                self.seek(person.pool, person)
            self.settle()

    def timer(self, token, at):
        token.timer = self.sequence
        heapq.heappush(self.heap, (at, TIMER, self.sequence, token))
        self.sequence += 1

    def arrive(self, requests, i, values):
        case = Case(
            int(requests.request[i]),
            int(requests.client[i]),
            Segment(int(requests.attribute[i])),
            {k: v[i] for k, v in values.items()},
            self.now,
            self.cases,
        )
        self.cases += 1
        if self.model.case_patience is not None:
            law = self.of(self.model.case_patience.patience, case)
            case.limit = self.duration(law, self.draw(Stream.PROCESS_PATIENCE, case, 0)[0])
        self.inside += 1
        self.clocks(case, None)
        token = Token(case)
        case.tokens.append(token)
        self.go(token, self.model.start, "start")

    def clocks(self, case, node):
        for d, (name, spec) in enumerate(self.model.deadlines.items()):
            if node is not None and spec.until == node and name in case.clocks:
                self.deadlines[name][1] += 1
                case.clocks.pop(name).timer = -1
            if spec.begins == node and name not in case.clocks:
                alarm = Token(case, "deadline", name)
                case.clocks[name] = alarm
                after = self.duration(self.of(spec.after, case), self.draw(Stream.PROCESS_DEADLINE, case, d)[0])
                self.timer(alarm, self.later(spec.calendar, self.now, after))

    # Moving.

    def route(self, token):
        node, case = self.model.nodes[token.node], token.case
        target, way = self.choose(token.node, node, case, float(unit32(token.words[1])))
        self.go(token, target, way)

    def choose(self, name, node, case, u):
        kept = 1.0
        if isinstance(node, Task) and node.rework is not None:
            again = self.of(node.rework.probability, case)
            if u < again:
                if node.rework.limit is not None and case.visits[name] >= node.rework.limit:
                    return node.rework.otherwise, (name, "otherwise")
                self.counts[name]["rework"] += 1
                return node.rework.to, (name, "rework")
            u, kept = u - again, 1 - again
        for i, branch in enumerate(node.branches):
            if branch.when is not None and self.true(branch.when, case):
                return branch.to, (name, ("branch", i))
        drawn = [i for i, b in enumerate(node.branches) if b.when is None]
        up_to = 0.0
        for i in drawn:
            share = kept * self.of(node.branches[i].probability, case)
            up_to += share
            if u < up_to and share > 0:
                break
        return node.branches[i].to, (name, ("branch", i))

    def go(self, token, target, way):
        """Along a way, through exclusive gateways, to the next node that is none."""
        case = token.case
        for alarm in token.alarms:
            alarm.timer = -1
        token.alarms = []
        while isinstance(self.model.nodes[target], Choice):
            visit = case.visits[target]
            case.visits[target] += 1
            self.counts[target]["arrivals"] += 1
            self.clocks(case, target)
            word = self.draw(Stream.PROCESS_SERVICE, case, self.counter(target, visit))[1]
            target, way = self.choose(target, self.model.nodes[target], case, float(unit32(word)))
        token.way = way
        node = self.model.nodes[target]
        limit = node.queue_limit if isinstance(node, Task) else None
        if limit is not None and limit.when_full == "block":
            if self.blocked[target] or (self.waiting(target) >= limit.most and not self.server_free(target)):
                token.state, token.blocked_at, token.since = "blocked", target, self.now
                self.blocked[target].append(token)
                return
            held, token.pool, token.member = (token.pool, token.member), None, None
            self.enter(token, target)
            if held[0] is not None:
                self.free(*held)
            return
        if token.pool is not None:
            held, token.pool, token.member = (token.pool, token.member), None, None
            self.free(*held)
        self.enter(token, target)

    def enter(self, token, name):
        if not token.alive:
            return
        case, node = token.case, self.model.nodes[name]
        token.state = "moving"
        self.counts[name]["arrivals"] += 1
        if any(t.state == "joined" for t in case.tokens):
            self.flag(case)
        self.clocks(case, name)
        if isinstance(node, End):
            if node.ends_case or sum(t.kind == "token" for t in case.tokens) == 1:
                self.close(case, OUTCOMES[node.outcome])
            else:
                case.tokens.remove(token)
                token.alive = False
            return
        token.visit = case.visits[name]
        case.visits[name] += 1
        case.last, token.node, token.entered = name, name, self.now
        token.words = tuple(self.draw(Stream.PROCESS_SERVICE, case, self.counter(name, token.visit))[:3])
        if isinstance(node, Task):
            self.task(token, node)
        elif isinstance(node, Fork):
            self.counts[name]["completions"] += 1
            self.spread(token, [(b.to, (name, ("branch", i))) for i, b in enumerate(node.branches)])
        elif isinstance(node, InclusiveSplit):
            self.split(token, node)
        elif isinstance(node, Join | InclusiveJoin):
            self.join(token, node)
        else:
            self.rest(token, node)

    def spread(self, token, ways):
        others = [Token(token.case, node=token.node) for _ in ways[1:]]
        token.case.tokens += others
        for t, (target, way) in zip([token, *others], ways, strict=True):
            if t.alive:
                self.go(t, target, way)

    def split(self, token, node):
        case, name = token.case, token.node
        self.counts[name]["completions"] += 1
        chances = []
        for branch in node.branches:
            certain = None if branch.when is None else float(self.true(branch.when, case))
            chances.append(self.of(branch.probability, case) if certain is None else certain)
        counter = self.counter(name, token.visit)
        u = [float(unit32(self.draw(Stream.PROCESS_SPLIT + i, case, counter)[0])) for i in range(len(chances))]
        taken = [i for i, (x, p) in enumerate(zip(u, chances, strict=True)) if x < p]
        if not taken and node.otherwise is not None:
            self.go(token, node.otherwise, (name, "otherwise"))
            return
        if not taken:
            rest, i = float(unit32(token.words[1])) * sum(chances) - chances[0], 0
            while rest >= 0 and i < len(chances) - 1:
                i += 1
                rest -= chances[i]
            taken = [i]
        self.spread(token, [(node.branches[i].to, (name, ("branch", i))) for i in taken])

    def join(self, token, node):
        case, name = token.case, token.node
        token.state, token.order = "joined", self.orders
        self.orders += 1
        self.flag(case)
        if isinstance(node, InclusiveJoin):
            return
        here = [t for t in case.tokens if t.state == "joined" and t.node == name]
        if {t.way for t in here} >= set(self.ways[name]):
            for way in self.ways[name]:
                first = min((t for t in here if t.way == way), key=lambda t: t.order)
                if first is not token:
                    case.tokens.remove(first)
                    first.alive = False
            token.state = "moving"
            self.counts[name]["completions"] += 1
            self.route(token)

    def flag(self, case):
        if not case.flagged:
            case.flagged = True
            self.flagged.append(case)

    def settle(self):
        """When an event is over: inclusive joins to which nothing can still come."""
        while self.flagged:
            case = self.flagged[0]
            joined = [t for t in case.tokens if t.state == "joined"] if case.open else []
            tokens = [t for t in case.tokens if t.kind == "token"]
            merges = [t for t in joined if isinstance(self.model.nodes[t.node], InclusiveJoin)]
            ready = None
            for t in merges:
                others = [o for o in tokens if o.state != "joined" or o.node != t.node]
                if not any(o.node == "" or t.node in self.next_of[o.node] for o in others):
                    ready = t.node
                    break
            if ready is None and joined and len(joined) == len(tokens):
                if not merges:
                    raise StuckError(joined[0].node)
                ready = merges[0].node
            if ready is None:
                self.flagged.pop(0)
                case.flagged = False
                continue
            here = [t for t in joined if t.node == ready]
            last = max(here, key=lambda t: t.order)
            for t in here:
                if t is not last:
                    case.tokens.remove(t)
                    t.alive = False
            last.state = "moving"
            self.counts[ready]["completions"] += 1
            self.route(last)

    def rest(self, token, node):
        case = token.case
        if isinstance(node, Window):
            at = self.opening(node)
            token.service = 0
            case.wait += at - self.now
        elif isinstance(node, Delay):
            length = self.duration(self.of(node.duration, case), token.words[0])
            length = self.scaled(length, node.scale, case)
            at = self.later(node.calendar, self.now, length)
            token.service = at - self.now
        else:
            at = None
            for i, event in enumerate(node.next):
                words = self.draw(Stream.PROCESS_EVENT + i, case, self.counter(token.node, token.visit))
                if unit32(words[0]) < self.of(event.probability, case):
                    after = self.duration(self.of(event.after, case), words[1])
                    due = self.later(event.calendar, self.now, after)
                    if at is None or due < at:
                        at, token.edge = due, (event.to, (token.node, ("event", i)))
            token.service = at - self.now
        token.state = "resting"
        case.active += (at - self.now) * node.active
        self.timer(token, at)

    def opening(self, node):
        for day in range(self.now // DAY, self.now // DAY + 40):
            if self.calendar.works(day, node.days):
                limit = day * DAY + (0 if node.next_day else node.closes)
                if self.now < limit:
                    return max(self.now, day * DAY + node.opens)
        raise AssertionError("no opening within 40 days")

    def scaled(self, length, scales, case):
        if not scales:
            return length
        f = 1.0
        for s in scales:
            if s.cases:
                f *= next((option.value for option in s.cases if self.true(option.when, case)), 1.0)
                continue
            x = max(s.intercept + s.slope * float(case.values[s.attribute]), s.least)
            f *= x if s.most is None else min(x, s.most)
        return int(length * f + 0.5)

    # Tasks.

    def task(self, token, node):
        case, counter = token.case, self.counter(token.node, token.visit)
        for i, event in enumerate(node.boundary):
            words = self.draw(Stream.PROCESS_EVENT + i, case, counter)
            if unit32(words[0]) < self.of(event.probability, case):
                alarm = Token(case, "boundary", token.node)
                alarm.host, alarm.index = token, i
                token.alarms.insert(0, alarm)
                self.timer(
                    alarm, self.later(event.calendar, self.now, self.duration(self.of(event.after, case), words[1]))
                )
        token.left = token.index = 0
        if node.repeat is None:
            self.ask(token)
            return
        times = self.times(token, node.repeat.count)
        if node.repeat.mode == "sequential":
            token.left = times - 1
            self.ask(token)
            return
        token.left, token.state = times, "hosting"
        instances = []
        for i in range(times):
            instance = Token(case, "instance", token.node, entered=self.now, visit=token.visit, host=token, index=i)
            words = self.draw(Stream.PROCESS_INSTANCE + i, case, counter)
            instance.words = token.words if i == 0 else (words[0], 0, words[2])
            instances.append(instance)
        case.tokens += instances
        for instance in instances:
            if instance.alive:
                self.ask(instance)

    def times(self, token, count):
        if count.fixed is not None:
            return count.fixed
        if count.attribute is not None:
            return min(max(int(float(token.case.values[count.attribute]) + 0.5), 1), 4096)
        words = self.draw(Stream.PROCESS_COUNT, token.case, self.counter(token.node, token.visit))
        u, up_to = float(unit32(words[0])), 0.0
        for n, share in count.shares.items():
            up_to += share
            if u < up_to:
                return n
        return n

    def able(self, person, task):
        return set(task.skills) <= set(person.spec.skills) and (not task.members or person.name in task.members)

    def available(self, name):
        task = self.model.nodes[name]
        return [p for p in self.people if p.pool == task.pool and p.takes and p.load < p.most and self.able(p, task)]

    def server_free(self, name):
        pool = self.model.nodes[name].pool
        if self.model.pools[pool].individuals:
            return bool(self.available(name))
        return self.busy[pool] < self.capacity[pool]

    def waiting(self, name):
        return sum(t.node == name for t in [*self.queue[self.model.nodes[name].pool], *self.held()])

    def held(self):
        """Given to people who are not at work."""
        return [t for p in self.people for t in p.hand if t.state == "held"]

    def queue_lengths(self):
        held = Counter(t.pool for t in self.held())
        return {p: len(q) + held[p] for p, q in self.queue.items()}

    def pick_person(self, token):
        free = self.available(token.node)
        if not free:
            return None
        load = min(p.load for p in free)
        free = [p for p in free if p.load == load]
        rule = self.model.pools[free[0].pool].allocation
        if rule == "longest_idle":
            return min(free, key=lambda p: p.idle)
        if rule == "preferred" or len(free) == 1:
            return free[0]
        words = self.draw(Stream.PROCESS_ALLOCATION, token.case, self.counter(token.node, token.visit))
        return free[int(unit32(words[0]) * len(free))]

    def ask(self, token):
        """A token, an instance or a batch asks for a server."""
        node, case, name = self.model.nodes[token.node], token.case, token.node
        if node.batch is not None and token.kind != "batch":
            self.gather(token, node)
            return
        pool = self.model.pools[node.pool]
        token.order, self.orders = self.orders, self.orders + 1
        token.lane, token.resting_lane = self.of(node.priority, case), False
        if pool.individuals:
            person = self.pick_person(token)
            if person is not None:
                self.engage(person, token)
                return
        elif self.busy[node.pool] < self.capacity[node.pool]:
            self.busy[node.pool] += 1
            token.pool = node.pool
            self.start(token)
            return
        if pool.preempt:
            victim = self.victim(token, node, pool)
            if victim is not None:
                token.pool, token.member = node.pool, victim.member
                self.pause(victim)
                self.start(token)
                return
        limit = node.queue_limit
        if limit is not None and limit.when_full == "refuse" and self.waiting(name) >= limit.most:
            self.counts[name]["refused"] += 1
            if limit.to is None:
                self.close(case, OUTCOMES["refused"])
            else:
                self.go(token, limit.to, (name, "refused"))
            return
        token.state = "waiting"
        self.queue[node.pool].append(token)
        if token.kind != "batch":
            self.patience(token, node)

    def patience(self, token, node):
        limits = []
        if node.patience is not None:
            limits.append(self.duration(self.of(node.patience, token.case), token.words[2]))
        if token.case.limit is not None and node.active:
            limits.append(token.case.limit - token.case.felt)
        if limits:
            self.timer(token, self.now + min(limits))

    def engage(self, person, token):
        token.pool, token.member = person.pool, person
        person.load += 1
        self.repace(person, person.load - 1)
        self.start(token)

    def repace(self, person, before):
        """Another number of cases in hand, another rate."""
        for token in person.hand:
            if token.state == "serving":
                elapsed = self.now - token.since
                self.count_named(token, elapsed)
                token.work = max(token.work - int(elapsed * person.rate(before) + 0.5), 0)
                token.since = self.now
                self.timer(token, self.now + self.lasts(token.work, person.rate(person.load)))

    @staticmethod
    def lasts(work, rate):
        return work if rate == 1 else int(work / rate + 0.5)

    def count_named(self, token, elapsed):
        self.counts[token.node]["busy"] += elapsed
        if token.kind != "batch" and self.model.nodes[token.node].active:
            token.case.active += elapsed

    def victim(self, token, node, pool):
        if pool.individuals:
            running = [
                t
                for p in self.people
                if p.pool == node.pool and p.duty and self.able(p, node)
                for t in p.hand
                if t.state == "serving"
            ]
        elif self.busy[node.pool] > self.capacity[node.pool]:
            return None
        else:
            running = self.running[node.pool]
        running = [t for t in running if t.lane > token.lane]
        return max(running, key=lambda t: (t.lane, t.turn), default=None)

    def rate_of(self, token):
        return 1.0 if token.member is None else token.member.rate(token.member.load)

    def work_of(self, token, member):
        node, case = self.model.nodes[token.node], token.case
        law = self.of(node.service, case)
        if member is not None and member.name in node.by_member:
            law = node.by_member[member.name]
        work = self.scaled(self.duration(law, token.words[0]), node.scale, case)
        if node.by_hour:
            day = (self.now // DAY + self.calendar.weekday(0)) % 7
            work = int(work * self.hour_factor(node, day, self.now % DAY // QUARTER * QUARTER) + 0.5)
        return work

    def hour_factor(self, node, day, time):
        for spec in node.by_hour:
            for begun, t in ((day, time), ((day - 1) % 7, time + DAY)):
                end = spec.end if spec.end > spec.start else spec.end + DAY
                if (spec.days == "every" or begun in spec.days) and spec.start <= t < end:
                    return spec.factor
        return 1.0

    def begin(self, token):
        """Statistics of a wait that is over."""
        node, case, wait = self.model.nodes[token.node], token.case, self.now - token.entered
        self.counts[token.node]["starts"] += 1
        case.wait += wait
        if node.active:
            case.active += wait
            case.felt += wait

    def hold(self, token):
        """Given to somebody who is not at work, it waits for his hours."""
        fresh = token.state not in ("waiting", "held") and token.started is None
        token.state = "held"
        token.member.hand.append(token)
        if fresh and token.kind != "batch":
            self.patience(token, self.model.nodes[token.node])

    def start(self, token):
        node = self.model.nodes[token.node]
        if token.member is not None and not token.member.duty and self.model.pools[token.pool].given_to == "first_free":
            self.hold(token)
            return
        if token.started is None:
            if token.kind == "batch":
                in_turn, token.visit = node.batch.mode == "sequential", token.items[0].visit
                parts = token.items if node.batch.service == "item" and not in_turn else token.items[:1]
                token.work = sum(self.work_of(item, token.member) for item in parts)
                for item in token.items:
                    item.timer = -1
                for item in token.items[: 1 if in_turn else None]:
                    self.begin(item)
            else:
                token.timer = -1
                token.work = self.work_of(token, token.member)
                self.begin(token)
            token.service, token.started = token.work, self.now
        else:
            lost = self.now - token.loose
            first = token.items[0] if token.kind == "batch" else token
            self.pauses.append((first.case.request, self.index[token.node], token.visit, token.loose, self.now))
            token.lost += lost
            if token.kind != "batch":
                token.case.wait += lost
                token.case.active += lost * node.active
        token.since, token.turn = self.now, self.turns
        self.turns += 1
        if token.member is None:
            self.counts[token.node]["busy"] += token.work
            if token.kind != "batch":
                token.case.active += token.work * node.active
            self.running[token.pool].append(token)
        elif token not in token.member.hand:
            token.member.hand.append(token)
        token.state = "serving"
        self.timer(token, self.now + self.lasts(token.work, self.rate_of(token)))

    def stop(self, token):
        """Work is broken off; what is left of it stays."""
        elapsed = self.now - token.since
        token.timer = -1
        if token.member is None:
            token.work -= elapsed
            self.counts[token.node]["busy"] -= token.work
            if token.kind != "batch":
                token.case.active -= token.work * self.model.nodes[token.node].active
            self.running[token.pool].remove(token)
        else:
            self.count_named(token, elapsed)
            rate = self.rate_of(token)
            token.work = max(token.work - (elapsed if rate == 1 else int(elapsed * rate + 0.5)), 0)

    def pause(self, token, until_next_shift=False):
        pool = self.model.pools[token.pool]
        self.stop(token)
        if pool.preempt == "repeat" and not until_next_shift:
            token.work = token.service
        token.loose = token.since = self.now
        if until_next_shift and token.member is not None:
            token.state = "paused"
            return
        if token.member is not None:
            token.member.hand.remove(token)
        token.member, token.state, token.resting_lane = None, "waiting", until_next_shift
        self.queue[token.pool].append(token)
        if until_next_shift:
            self.busy[token.pool] -= 1

    # Servers.

    def free(self, pool, person):
        if person is None:
            self.busy[pool] -= 1
        else:
            person.load -= 1
            self.idles += 1
            person.idle = self.idles
            self.repace(person, person.load + 1)
        self.seek(pool, person)

    def seek(self, pool, person=None):
        """A pool, or one of its people, takes work until there is none or no time for it."""
        spec = self.model.pools[pool]
        if person is None and spec.individuals:
            return
        while True:
            if person is None:
                if self.busy[pool] >= self.capacity[pool]:
                    return
            elif not person.takes or person.load >= person.most:
                return
            fit = [t for t in self.queue[pool] if person is None or self.able(person, self.model.nodes[t.node])]
            if not fit:
                break
            oldest = spec.queue == "oldest_case"
            best = min(fit, key=lambda t: (not t.resting_lane, t.lane, t.case.number if oldest else 0, t.order))
            self.queue[pool].remove(best)
            name = best.node
            if person is None:
                self.busy[pool] += 1
                best.pool = pool
                self.start(best)
            else:
                self.engage(person, best)
            self.admit(name)
        for name in reversed(list(self.index)):
            if self.blocked[name] and self.model.nodes[name].pool == pool:
                self.admit(name)

    def admit(self, name):
        while self.blocked[name] and (
            self.waiting(name) < self.model.nodes[name].queue_limit.most or self.server_free(name)
        ):
            token = self.blocked[name].pop(0)
            token.case.wait += self.now - token.since
            held, token.pool, token.member = (token.pool, token.member), None, None
            self.enter(token, name)
            if held[0] is not None:
                self.free(*held)

    # Batches.

    def due(self, name):
        batch = self.model.nodes[name].batch
        at = []
        if batch.longest_wait is not None:
            at.append(self.gathered[name][0].entered + batch.longest_wait)
        times = (
            d * DAY + t
            for d in range(self.now // DAY - 1, self.now // DAY + 40)
            for t in sorted(batch.at)
            if self.calendar.works(d, batch.days)
        )
        at += [next(t for t in times if t > self.now)] if batch.at else []
        return max(min(at), self.now) if at else 1 << 61

    def gather(self, token, node):
        here = self.gathered[token.node]
        here.append(token)
        token.state = "gathering"
        if len(here) == 1:
            self.timer(self.batch_timer[token.node], self.due(token.node))
        self.patience(token, node)
        if len(here) == node.batch.size:
            self.fire(token.node)

    def fire(self, name):
        here, size = self.gathered[name], self.model.nodes[name].batch.size
        if not here:
            return
        items = here[: size or len(here)]
        del here[: len(items)]
        batch = Token(items[0].case, "batch", name, entered=self.now, visit=items[0].visit, items=items)
        for item in items:
            item.state, item.host = "item", batch
        self.batch_timer[name].timer = -1
        if here:
            self.timer(self.batch_timer[name], self.due(name))
        self.ask(batch)

    # Events.

    def expire(self, token):
        case, now = token.case, self.now
        if token.kind == "timer":
            self.fire(token.node)
        elif token.kind == "boundary":
            self.boundary(token)
        elif token.kind == "deadline":
            self.breach(token)
        elif token.state == "serving":
            self.finish(token)
        elif token.state == "retrying":
            self.enter(token, token.node)
        elif token.state == "resting":
            node = self.model.nodes[token.node]
            token.state = "moving"
            self.counts[token.node]["completions"] += 1
            weight = 0.0 if isinstance(node, Window) else 1.0
            if self.fed_up(token.node, case, token.service, weight):
                self.leave(token)
            elif isinstance(node, Race):
                self.go(token, *token.edge)
            else:
                self.route(token)
        else:
            case.wait += now - token.entered
            case.active += (now - token.entered) * self.model.nodes[token.node].active
            self.counts[token.node]["abandoned"] += 1
            for action in reversed(self.withdraw(token)):
                action()
            self.leave(token, waited=True)

    def fed_up(self, name, case, service, weight):
        if case.limit is None or not self.model.nodes[name].active:
            return False
        case.felt += int(service * weight)
        if case.felt < case.limit:
            return False
        self.counts[name]["left"] += 1
        return True

    def burden(self, node):
        common = self.model.case_patience.burden if self.model.case_patience else 1.0
        return common if node.burden is None else node.burden

    def finish(self, unit):
        name = unit.node
        node = self.model.nodes[name]
        pool, person = unit.pool, unit.member
        if person is None:
            self.running[pool].remove(unit)
        else:
            person.hand.remove(unit)
            self.count_named(unit, self.now - unit.since)
        after = []
        releases = True
        in_turn = unit.kind == "batch" and node.batch.mode == "sequential"
        done = [unit]
        if unit.kind == "batch":
            done = unit.items[:1] if in_turn else list(reversed(unit.items))
            unit.items = unit.items[len(done) :]
        for token in done:
            case = token.case
            self.counts[name]["completions"] += 1
            self.write(token, unit, 1)
            if unit.kind == "batch":
                case.active += (self.now - unit.started) * node.active
                case.wait += unit.lost
                token.host = None
            token.state = "moving"
            if self.fed_up(name, case, unit.service, self.burden(node)):
                after.insert(0, (token, lambda t=token: self.leave(t)))
            elif token.kind == "instance":
                case.tokens.remove(token)
                token.alive = False
                token.host.left -= 1
                if token.host.left == 0:
                    token.host.state = "moving"
                    after.append((token.host, lambda t=token.host: self.route(t)))
            elif node.repeat is not None and node.repeat.mode == "sequential" and token.left > 0:
                self.next_instance(token)
                after.append((token, lambda t=token: self.ask(t)))
            elif unit.kind == "batch":
                after.insert(0, (token, lambda t=token: self.route(t)))
            else:
                releases = False
                after.append((token, lambda t=token: self.route(t)))
        unit.started, unit.lost = None, 0
        if in_turn and unit.items:
            unit.state = "moving"
            self.start(unit)
        elif releases:
            unit.pool = unit.member = None
            self.free(pool, person)
        for token, action in after:
            if token.alive:
                action()

    def next_instance(self, token):
        token.left -= 1
        token.index += 1
        token.entered = self.now
        stream = Stream.PROCESS_INSTANCE + token.index
        words = self.draw(stream, token.case, self.counter(token.node, token.visit))
        token.words = (words[0], token.words[1], words[2])

    def leave(self, token, waited=False):
        """A client gives up: he tries again, goes elsewhere or leaves for good."""
        if not token.alive:
            return
        name, case = token.node, token.case
        node = self.model.nodes[name]
        token.pool = token.member = None
        token.state = "moving"
        case.felt = 0
        if token.kind == "instance":
            host = token.host
            self.retire(case, [t for t in case.tokens if t.host is host and t.kind == "instance"])
            self.leave(host, waited)
            return
        for alarm in token.alarms:
            alarm.timer = -1
        token.alarms = []
        retry = node.retry if isinstance(node, Task) and waited else None
        if retry is not None and (retry.attempts is None or token.visit + 1 < retry.attempts):
            words = self.draw(Stream.PROCESS_RETRY, case, self.counter(name, token.visit))
            if unit32(words[0]) < self.of(retry.probability, case):
                self.counts[name]["retries"] += 1
                token.state = "retrying"
                self.timer(token, self.now + self.duration(self.of(retry.after, case), words[1]))
                return
        if isinstance(node, Task) and node.on_abandon is not None:
            self.go(token, node.on_abandon, (name, "abandon"))
        else:
            self.close(case, OUTCOMES["abandoned"])

    def boundary(self, alarm):
        host, event = alarm.host, self.model.nodes[alarm.node].boundary[alarm.index]
        way = (alarm.node, ("event", alarm.index))
        host.alarms.remove(alarm)
        if not event.interrupting:
            token = Token(host.case, node=host.node)
            host.case.tokens.append(token)
            self.go(token, event.to, way)
            return
        self.counts[alarm.node]["given_up"] += 1
        hosting = host.state == "hosting"
        actions = self.withdraw(host)
        if any(t.state == "joined" for t in host.case.tokens):
            self.flag(host.case)
        for action in reversed(actions):
            action()
        if hosting:
            self.retire(host.case, [t for t in host.case.tokens if t.host is host and t.kind == "instance"])
        self.go(host, event.to, way)

    def breach(self, alarm):
        case, name = alarm.case, alarm.node
        spec = self.model.deadlines[name]
        self.deadlines[name][0] += 1
        del case.clocks[name]
        if spec.to is None:
            return
        token = Token(case)
        case.tokens.append(token)
        if spec.interrupting:
            inside = self.section(spec)
            self.retire(case, [t for t in case.tokens if t.state != "moving" and (t.node == "" or t.node in inside)])
        self.go(token, spec.to, ("deadline", name))

    def retire(self, case, tokens):
        actions = []
        for token in tokens:
            actions += self.withdraw(token)
            case.tokens.remove(token)
            token.alive = False
        if any(t.state == "joined" for t in case.tokens):
            self.flag(case)
        for action in reversed(actions):
            action()

    def withdraw(self, token):
        """Take a token away from what it does; returns what then has to be looked at."""
        case, name, state = token.case, token.node, token.state
        token.timer, token.state = -1, "moving"
        for alarm in token.alarms:
            alarm.timer = -1
        token.alarms = []
        unit = token
        if state == "blocked":
            self.blocked[token.blocked_at].remove(token)
        elif state == "gathering":
            here = self.gathered[name]
            here.remove(token)
            if here:
                self.timer(self.batch_timer[name], self.due(name))
            else:
                self.batch_timer[name].timer = -1
        elif state == "item":
            unit, token.host = token.host, None
            in_turn = self.model.nodes[name].batch.mode == "sequential"
            begun = unit.started is not None and (unit.items[0] is token or not in_turn)
            if begun:
                case.active += (self.now - unit.started) * self.model.nodes[name].active
                self.write(token, unit, 0)
            unit.items.remove(token)
            if unit.items and begun and in_turn:
                return self.turn_to_next(unit)
            if unit.items:
                return []
            state = unit.state
        elif state in ("serving", "waiting", "paused", "held") and token.started is not None:
            self.write(token, token, 0)
        pool, person, actions = unit.pool, unit.member, []
        if state == "waiting":
            self.queue[self.model.nodes[name].pool].remove(unit)
            actions.append(lambda: self.admit(name))
        elif state == "serving":
            self.stop(unit)
        if state in ("serving", "paused", "held") and person is not None:
            person.hand.remove(unit)
        unit.timer = -1
        if state == "held":
            actions.append(lambda: self.admit(name))
        if unit.kind == "batch" and state == "moving" and pool is not None:
            actions.append(lambda: self.free(pool, person))
        if state in ("serving", "paused", "held") or (state == "blocked" and pool is not None):
            actions.append(lambda: self.free(pool, person))
        unit.pool = unit.member = unit.started = None
        return actions

    def turn_to_next(self, unit):
        """The one of a batch that was worked on is given up: the next begins."""
        serving = unit.state == "serving"
        if serving:
            self.stop(unit)
            if unit.member is not None:
                unit.member.hand.remove(unit)
            unit.state = "moving"
        unit.started, unit.lost = None, 0
        return [lambda: self.start(unit) if unit.items else None] if serving else []

    def write(self, token, unit, complete):
        member = -1 if unit.member is None else self.people.index(unit.member)
        pool = list(self.model.pools).index(self.model.nodes[token.node].pool)
        row = (token.case.request, self.index[token.node], token.visit, pool, member, token.entered)
        self.log.append((*row, unit.started, self.now, unit.lost, complete))

    def close(self, case, outcome):
        if not case.open:
            return
        actions = []
        for token in list(case.tokens):
            if token.state not in ("moving", "hosting"):
                actions += self.withdraw(token)
            for alarm in token.alarms:
                alarm.timer = -1
            token.alive = False
        case.tokens = []
        for name, alarm in case.clocks.items():
            alarm.timer = -1
            self.deadlines[name][1] += 1
        case.open = False
        self.inside -= 1
        last = self.index[case.last] if case.last else -1
        self.outcomes.append((self.now, case.request, case.client, outcome, case.wait, last))
        for action in reversed(actions):
            action()

    def table(self) -> np.ndarray:
        return np.asarray(self.outcomes, np.int64).reshape(-1, 6)
