"""Turns a process model into the arrays that the general kernel reads (columns: `twin.kernels.tokens_layout`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
from twin.errors import ScenarioError
from twin.kernels import tokens_layout as k
from twin.process.attributes import CaseClass
from twin.process.compile import by_class, cumulated, lanes, way_shares
from twin.process.distributions import DistributionTable
from twin.process.model import ProcessModel, require_sound
from twin.process.nodes import (
    Boundary,
    Choice,
    Delay,
    End,
    Fork,
    InclusiveJoin,
    InclusiveSplit,
    Join,
    Race,
    Task,
    Timed,
    Window,
)
from twin.process.parts import Scale
from twin.process.staff import Member, Pool

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_KINDS = {
    Task: k.TASK,
    Choice: k.CHOICE,
    Delay: k.DELAY,
    Window: k.WINDOW,
    End: k.END,
    Fork: k.FORK,
    Join: k.JOIN,
    InclusiveSplit: k.SPLIT,
    InclusiveJoin: k.MERGE,
    Race: k.RACE,
}
_OUTCOMES = {"served": k.SERVED, "abandoned": k.ABANDONED, "refused": k.REFUSED}
_RULES = {"longest_idle": k.LONGEST_IDLE, "preferred": k.PREFERRED, "random": k.ANY}
_MOST_AT_ONCE = 64
_QUARTER = 900_000_000_000


@dataclass
class Staff:
    """The members of all pools: names, and who they are in the file."""

    names: list[str] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    specs: list[Member] = field(default_factory=list)

    @classmethod
    def of(cls, model: ProcessModel) -> Staff:
        """Everybody who matters as an individual, pool by pool."""
        staff = cls()
        for name, pool in model.pools.items():
            for spec in _members(name, pool):
                for individual in spec.names:
                    staff.names.append(individual)
                    staff.pools.append(name)
                    staff.specs.append(spec)
        return staff

    def calendar(self, i: int, model: ProcessModel) -> str | None:
        """Working hours of a member."""
        return self.specs[i].calendar or model.pools[self.pools[i]].calendar

    def cost_per_hour(self, i: int, model: ProcessModel) -> int:
        """Fen per hour of a member."""
        own = self.specs[i].cost_per_hour
        return model.pools[self.pools[i]].cost_per_hour if own is None else own


def _members(name: str, pool: Pool) -> tuple[Member, ...]:
    if pool.members:
        return pool.members
    return (Member(name=name, count=pool.staff),) if pool.individuals and isinstance(pool.staff, int) else ()


class _Graph:
    """Edges, events and distributions as they are met."""

    def __init__(self, model: ProcessModel, classes: Sequence[CaseClass], table: DistributionTable) -> None:
        self.model, self.classes, self.table = model, classes, table
        self.index = {n: i for i, n in enumerate(model.nodes)}
        self.edges: list[tuple[int, int]] = []
        self.shares: list[Floats] = []
        self.ways = dict.fromkeys(model.nodes, 0)
        self.events: list[list[int]] = []
        self.event_laws: list[list[int]] = []
        self.event_shares: list[list[float]] = []
        self.factors: list[tuple[Scale, ...] | str] = []
        self.numbers: list[tuple[float, float]] = []
        self.hours: list[Floats] = []
        self.calendars = {n: i for i, n in enumerate(model.calendars)}
        self.reference: list[tuple[int, int]] = []
        self.source = -1

    def edge(self, target: str, shares: Any = 0.0) -> int:
        """Number of a new way to a node."""
        joins = isinstance(self.model.nodes[target], Join)
        self.edges.append((self.index[target], self.ways[target] if joins else -1))
        self.ways[target] += 1
        self.shares.append(np.zeros(len(self.classes)) + shares)
        if self.source >= 0:
            self.reference.append((self.source, self.index[target]))
        return len(self.edges) - 1

    def event(self, spec: Timed, interrupts: bool = False) -> None:
        """Adds a timer or message of the present node."""
        self.events.append([self.edge(spec.to), int(interrupts), self.calendar(spec.calendar), -2, -2])
        self.event_laws.append([self.table.row(v) for v in by_class(spec.after, self.classes)])
        self.event_shares.append(by_class(spec.probability, self.classes))

    def calendar(self, name: str | None) -> int:
        """Number of a calendar, -1 for always."""
        return -1 if name is None else self.calendars[name]

    def factor(self, what: tuple[Scale, ...] | str) -> int:
        """Number of a factor that cases bring, -1 for none."""
        if not what:
            return -1
        if what not in self.factors:
            self.factors.append(what)
        return self.factors.index(what)


@dataclass(frozen=True)
class TokenProcess:
    """A process as the arrays of `twin.kernels.tokens.advance`."""

    model: ProcessModel
    nodes: tuple[str, ...]
    pools: tuple[str, ...]
    lanes: int
    graph: tuple[Any, ...]
    laws: tuple[Any, ...]
    table: DistributionTable
    staff: Staff
    pool: Ints
    lists: Ints
    runs: int
    member: Ints
    rate: Floats
    member_law: Ints
    able: NDArray[np.bool_]
    hours: Floats
    factors: tuple[tuple[Scale, ...] | str, ...]
    batches: tuple[str, ...]


def compile_tokens(
    model: ProcessModel, classes: Sequence[CaseClass], table: DistributionTable | None = None
) -> TokenProcess:
    """The general kernel's arrays of a model.

    Raises:
        ScenarioError: if the model refers to what does not exist, or leads nowhere.
    """
    require_sound(model)
    names = (model.start, *(n for n in model.nodes if n != model.start))
    model = model.model_copy(update={"nodes": {n: model.nodes[n] for n in names}})
    g = _Graph(model, classes, table or DistributionTable())
    node = np.full((len(names), k.NODE_COLUMNS), -1, np.int64)
    law = np.full((4 * len(names), len(classes)), -1, np.int64)
    weight, retry = np.zeros(len(names)), np.zeros((len(names), len(classes)))
    g.edge(model.start)
    _deadlines(model, g)
    batches = tuple(n for n, item in model.nodes.items() if isinstance(item, Task) and item.batch is not None)
    staff = Staff.of(model)
    pools = _Pools(model, staff, lanes(model))
    for i, (name, item) in enumerate(model.nodes.items()):
        g.source = i
        row = node[i]
        row[_ZEROS] = 0
        row[k.N_KIND], row[k.N_DRAWS], row[k.N_FULL] = _KINDS[type(item)], 1, k.NO_LIMIT
        row[k.N_MILESTONE] = name == model.milestone
        row[k.N_EVENT] = row[k.N_EVENT_END] = len(g.events)
        if isinstance(item, End):
            row[k.N_OUTCOME], row[k.N_ENDS_CASE] = _OUTCOMES[item.outcome], item.ends_case
        else:
            row[k.N_ACTIVE] = item.active
            _ways(name, item, row, g)
            weight[i] = 1.0 if isinstance(item, Delay | Race) else 0.0
        if isinstance(item, Task):
            _task(item, i, node, law, retry, g, pools)
            common = model.case_patience.burden if model.case_patience else 1.0
            weight[i] = common if item.burden is None else item.burden
            row[k.N_BATCH] = batches.index(name) if name in batches else -1
        elif isinstance(item, Delay):
            law[4 * i] = [g.table.row(v) for v in by_class(item.duration, classes)]
            row[k.N_CALENDAR], row[k.N_FACTOR] = g.calendar(item.calendar), g.factor(item.scale)
        elif isinstance(item, Race):
            for branch in item.next:
                g.event(branch)
            row[k.N_EVENT_END] = len(g.events)
        elif isinstance(item, Window):
            row[k.N_DRAWS] = len(item.branches) > 1
    for name, i in g.index.items():
        node[i, k.N_WAYS] = g.ways[name]
    events = node[:, k.N_EVENT_END] - node[:, k.N_EVENT]
    node[:, k.N_NEED] = events + node[:, k.N_EDGE_END] - node[:, k.N_EDGE] + len(model.deadlines) + 2
    law[2::4] = np.maximum(law[2::4], 0)
    whole = model.case_patience.patience if model.case_patience else None
    patience = [g.table.row(v) for v in by_class(whole, classes)] if whole else [-1] * len(classes)
    graph = (
        node,
        weight,
        law,
        np.asarray(g.edges, np.int64),
        np.asarray(g.shares).reshape(-1, len(classes)),
        np.asarray(g.events, np.int64).reshape(-1, k.EVENT_COLUMNS),
        np.asarray(g.event_laws, np.int64).reshape(-1, len(classes)),
        np.asarray(g.event_shares, np.float64).reshape(-1, len(classes)),
        retry,
        np.asarray(patience, np.int64),
        _reach(model, g),
        np.asarray(g.numbers, np.float64).reshape(-1, 2),
    )
    member_law = np.full((len(names), max(len(staff.names), 1)), -1, np.int64)
    for i, item in enumerate(model.nodes.values()):
        if isinstance(item, Task):
            for m, name in enumerate(staff.names):
                if staff.pools[m] == item.pool and name in item.by_member:
                    member_law[i, m] = g.table.row(item.by_member[name])
    hours = np.asarray(g.hours).reshape(-1, k.QUARTERS_OF_WEEK)
    return TokenProcess(
        model,
        names,
        tuple(model.pools),
        pools.lanes,
        graph,
        g.table.arrays(),
        g.table,
        staff,
        pools.table,
        np.asarray(pools.lists, np.int64).reshape(-1, 3),
        pools.runs,
        pools.member,
        pools.rate,
        member_law,
        np.asarray(pools.able, np.bool_),
        hours,
        tuple(g.factors),
        batches,
    )


_ZEROS = [
    k.N_ACTIVE,
    k.N_TARGET,
    k.N_REWORK,
    k.N_LIMIT,
    k.N_ENDS_CASE,
    k.N_RETRY,
    k.N_ATTEMPTS,
    k.N_REPEAT,
    k.N_SIZE,
    k.N_PER_ITEM,
    k.N_QUEUE,
    k.N_REQUIRE,
    k.N_ABLE,
    k.N_WAITING,
    k.N_GATHERED,
    k.N_EDGE,
    k.N_EDGE_END,
    k.N_EVENT,
    k.N_EVENT_END,
]


def _deadlines(model: ProcessModel, g: _Graph) -> None:
    """Deadlines are the first events."""
    for spec in model.deadlines.values():
        begins = -1 if spec.begins is None else g.index[spec.begins]
        until = -2 if spec.until is None else g.index[spec.until]
        to = -1 if spec.to is None else g.edge(spec.to)
        g.events.append([to, int(spec.interrupting), g.calendar(spec.calendar), begins, until])
        g.event_laws.append([g.table.row(v) for v in by_class(spec.after, g.classes)])
        g.event_shares.append([1.0] * len(g.classes))


def _ways(name: str, item: Any, row: Ints, g: _Graph) -> None:
    """The ways out of a node, the rework first."""
    if isinstance(item, Race):
        return
    row[k.N_EDGE] = len(g.edges)
    if isinstance(item, Fork):
        for branch in item.branches:
            g.edge(branch.to)
    elif isinstance(item, InclusiveSplit):
        for branch in item.branches:
            chances = by_class(branch.probability, g.classes)
            if branch.when is not None:
                chances = [float(branch.when in holds) for _, holds in g.classes]
            g.edge(branch.to, np.asarray(chances, np.float64))
    else:
        again = np.zeros(len(g.classes))
        rows, targets = list[Floats](), list[str]()
        if isinstance(item, Task) and item.rework is not None:
            again = np.asarray(by_class(item.rework.probability, g.classes))
            rows, targets = [again], [item.rework.to]
        where = f"process {g.model.name!r}, nodes.{name}.next"
        rows.extend((1 - again) * way_shares(item, g.classes, where))
        targets.extend(b.to for b in item.branches)
        for target, shares in zip(targets, cumulated(rows), strict=True):
            g.edge(target, shares)
    row[k.N_EDGE_END] = len(g.edges)
    if isinstance(item, InclusiveSplit) and item.otherwise is not None:
        row[k.N_OTHERWISE] = g.edge(item.otherwise)


def _task(item: Task, i: int, node: Ints, law: Ints, retry: Floats, g: _Graph, pools: _Pools) -> None:
    row = node[i]
    row[k.N_POOL], row[k.N_TARGET] = pools.index[item.pool], item.target
    row[k.N_REQUIRE], row[k.N_ABLE] = pools.requirement(item)
    law[4 * i] = [g.table.row(v) for v in by_class(item.service, g.classes)]
    if item.patience is not None:
        law[4 * i + 1] = [g.table.row(v) for v in by_class(item.patience, g.classes)]
    law[4 * i + 2] = by_class(item.priority, g.classes)
    if item.on_abandon is not None:
        row[k.N_ABANDON] = g.edge(item.on_abandon)
    if item.rework is not None:
        row[k.N_REWORK], row[k.N_LIMIT] = 1, item.rework.limit or 0
        if item.rework.otherwise is not None:
            row[k.N_OTHERWISE] = g.edge(item.rework.otherwise)
    if item.retry is not None:
        row[k.N_RETRY], row[k.N_ATTEMPTS] = 1, item.retry.attempts or 0
        law[4 * i + 3] = [g.table.row(v) for v in by_class(item.retry.after, g.classes)]
        retry[i] = by_class(item.retry.probability, g.classes)
    for boundary in item.boundary:
        g.event(boundary, isinstance(boundary, Boundary) and boundary.interrupting)
    row[k.N_EVENT_END] = len(g.events)
    row[k.N_FACTOR] = g.factor(item.scale)
    if item.by_hour:
        row[k.N_HOURS] = len(g.hours)
        g.hours.append(_hour_factors(item))
    if item.repeat is not None:
        _repeat(item, row, g)
    if item.batch is not None:
        batch = item.batch
        row[k.N_SIZE], row[k.N_PER_ITEM] = batch.size or 0, batch.service == "item"
        row[k.N_LONGEST] = -1 if batch.longest_wait is None else batch.longest_wait
    if item.queue_limit is not None:
        limit = item.queue_limit
        row[k.N_QUEUE] = limit.most
        row[k.N_FULL] = k.BLOCK if limit.when_full == "block" else k.REFUSE if limit.to is None else g.edge(limit.to)


def _repeat(item: Task, row: Ints, g: _Graph) -> None:
    assert item.repeat is not None
    count = item.repeat.count
    row[k.N_REPEAT] = k.SEQUENTIAL if item.repeat.mode == "sequential" else k.PARALLEL
    if count.fixed is not None:
        row[k.N_COUNT] = count.fixed
    elif count.attribute is not None:
        row[k.N_COUNT_BY] = g.factor(count.attribute)
    else:
        row[k.N_COUNT] = -1 - len(g.numbers)
        up_to = cumulated([np.asarray([p]) for p in count.shares.values()])
        g.numbers.extend((float(n), float(u)) for n, u in zip(count.shares, up_to[:, 0], strict=True))


def _hour_factors(item: Task) -> Floats:
    """Factor for every quarter of an hour of the week, from Monday."""
    out = np.ones(k.QUARTERS_OF_WEEK)
    per_day = DAY // _QUARTER
    for spec in reversed(item.by_hour):
        length = (spec.end - spec.start) % DAY or DAY
        for day in range(7):
            if isinstance(spec.days, frozenset) and day not in spec.days:
                continue
            first = day * per_day + spec.start // _QUARTER
            out[np.arange(first, first + length // _QUARTER) % len(out)] = spec.factor
    return out


def _reach(model: ProcessModel, g: _Graph) -> NDArray[np.bool_]:
    """Which nodes can be reached from which; below, per deadline, which nodes lie in its section."""
    n = len(model.nodes)
    step = np.zeros((n, n), np.bool_)
    for a, b in g.reference:
        step[a, b] = True
    joins = any(isinstance(node, InclusiveJoin) for node in model.nodes.values())
    reach = _closure(step) if joins else np.zeros((n, n), np.bool_)
    sections = np.ones((len(model.deadlines), n), np.bool_)
    for d, spec in enumerate(model.deadlines.values()):
        begin = g.index[spec.begins or model.start]
        inside = np.zeros(n, np.bool_)
        open_ = [begin]
        while open_:
            a = open_.pop()
            if inside[a] or (spec.until is not None and a == g.index[spec.until]):
                continue
            inside[a] = True
            open_.extend(np.flatnonzero(step[a]).tolist())
        sections[d] = inside
    return np.ascontiguousarray(np.concatenate([reach, sections]))


def _closure(step: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Transitive closure, by squaring."""
    reach = step.copy()
    while True:
        wider = reach | (reach.astype(np.float32) @ reach.astype(np.float32) > 0)
        if (wider == reach).all():
            return reach
        reach = wider


class _Pools:
    """Rows of pools and members, queues, and who can do what."""

    def __init__(self, model: ProcessModel, staff: Staff, lane_count: int) -> None:
        self.model, self.lanes = model, lane_count
        self.index = {n: i for i, n in enumerate(model.pools)}
        self.table = np.zeros((max(len(model.pools), 1), k.POOL_COLUMNS), np.int64)
        self.member = np.zeros((max(len(staff.names), 1), k.MEMBER_COLUMNS), np.int64)
        self.rate = np.ones((len(self.member), _MOST_AT_ONCE + 1))
        self.able: list[list[bool]] = [[True] * len(self.member)]
        self.lists: list[list[int]] = []
        self.runs = 0
        self._staff = staff
        self._requirements: dict[str, list[int]] = {n: [] for n in model.pools}
        for i, (name, pool) in enumerate(model.pools.items()):
            row = self.table[i]
            row[k.P_PREEMPT] = 0 if not pool.preempt else k.RESTART if pool.preempt == "repeat" else k.RESUME
            row[k.P_PAUSE], row[k.P_RULE] = pool.at_end_of_shift == "pause", _RULES[pool.allocation]
            mine = [m for m, p in enumerate(staff.pools) if p == name]
            row[k.P_NAMED] = bool(pool.individuals)
            row[k.P_FIRST], row[k.P_END] = (mine[0], mine[-1] + 1) if mine else (0, 0)
            row[k.P_RUNS] = -1
            if not pool.individuals and (pool.preempt or row[k.P_PAUSE]):
                row[k.P_RUNS] = self.runs
                self.runs += lane_count
            for m in mine:
                self._member(m, i, pool, staff.specs[m])
            for task in model.nodes.values():
                if isinstance(task, Task) and task.pool == name:
                    self.requirement(task)
            kinds = self._requirements[name] or [0]
            row[k.P_LISTS], row[k.P_REQUIRES] = len(self.lists), len(kinds)
            self.lists += [[-1, -1, able] for _ in range(lane_count + 1) for able in kinds]

    def _member(self, m: int, pool_row: int, pool: Pool, spec: Member) -> None:
        at_once = spec.at_once or pool.at_once
        pace = spec.pace if spec.pace is not None else pool.pace if spec.at_once is None else None
        self.member[m, [k.M_POOL, k.M_MOST]] = pool_row, at_once
        self.member[m, [k.M_HEAD, k.M_TAIL]] = -1
        load = np.arange(1, _MOST_AT_ONCE + 1)
        self.rate[m, 1:] = spec.speed / load
        if pace is not None:
            self.rate[m, 1 : len(pace) + 1] = spec.speed * np.asarray(pace)

    def requirement(self, task: Task) -> tuple[int, int]:
        """Number of what a task asks for among the kinds of its pool, and its row of who can do it."""
        able = [
            p == task.pool and set(task.skills) <= set(spec.skills) and (not task.members or name in task.members)
            for name, p, spec in zip(self._staff.names, self._staff.pools, self._staff.specs, strict=True)
        ]
        if not self.model.pools[task.pool].individuals:
            able = [True] * len(self.member)
        if not any(able):
            raise ScenarioError(
                f"nobody in pool {task.pool!r} can do a task of it", where=f"process {self.model.name!r}"
            )
        if able not in self.able:
            self.able.append(able)
        kinds, row = self._requirements[task.pool], self.able.index(able)
        if row not in kinds:
            kinds.append(row)
        return kinds.index(row), row
