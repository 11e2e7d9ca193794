"""Turns a process model into the arrays that the general kernel reads (columns: `twin.kernels.tokens_layout`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
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
    Window,
)
from twin.process.parts import Scale
from twin.process.tokens_graph import Graph, reach
from twin.process.tokens_staff import Pools, Staff

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_KINDS: dict[type[Any], int] = {
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
_QUARTER = 900_000_000_000


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
    staff = Staff.of(model)
    g, pools = Graph(model, classes, table or DistributionTable()), Pools(model, staff, lanes(model))
    g.edge(model.start)
    _deadlines(model, g)
    nodes = _Nodes(model, g, pools)
    for i, (name, item) in enumerate(model.nodes.items()):
        g.source = i
        nodes.add(i, name, item)
    graph, member_law = nodes.graph(), _member_laws(model, staff, g)
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
        np.asarray(g.hours).reshape(-1, k.QUARTERS_OF_WEEK),
        tuple(g.factors),
        nodes.batches,
    )


class _Nodes:
    """The rows of the nodes, and what else there is one of per node."""

    def __init__(self, model: ProcessModel, g: Graph, pools: Pools) -> None:
        self._model, self._g, self._pools = model, g, pools
        n, classes = len(model.nodes), len(g.classes)
        self.node = np.full((n, k.NODE_COLUMNS), -1, np.int64)
        self.law = np.full((4 * n, classes), -1, np.int64)
        self.weight, self.retry = np.zeros(n), np.zeros((n, classes))
        self.batches = tuple(name for name, item in model.nodes.items() if isinstance(item, Task) and item.batch)

    def add(self, i: int, name: str, item: Any) -> None:
        """Fills the row of a node."""
        row, g = self.node[i], self._g
        row[_ZEROS] = 0
        row[k.N_KIND], row[k.N_DRAWS], row[k.N_FULL] = _KINDS[type(item)], 1, k.NO_LIMIT
        row[k.N_MILESTONE] = name == self._model.milestone
        row[k.N_EVENT] = row[k.N_EVENT_END] = len(g.events)
        if isinstance(item, End):
            row[k.N_OUTCOME], row[k.N_ENDS_CASE] = _OUTCOMES[item.outcome], item.ends_case
            return
        row[k.N_ACTIVE] = item.active
        _ways(name, item, row, g)
        self.weight[i] = 1.0 if isinstance(item, Delay | Race) else 0.0
        if isinstance(item, Task):
            _task(item, i, self.node, self.law, self.retry, g, self._pools)
            common = self._model.case_patience.burden if self._model.case_patience else 1.0
            self.weight[i] = common if item.burden is None else item.burden
            row[k.N_BATCH] = self.batches.index(name) if name in self.batches else -1
        elif isinstance(item, Delay):
            self.law[4 * i] = [g.table.row(v) for v in by_class(item.duration, g.classes)]
            row[k.N_CALENDAR], row[k.N_FACTOR] = g.calendar(item.calendar), g.factor(item.scale)
        elif isinstance(item, Race):
            for branch in item.next:
                g.event(branch)
            row[k.N_EVENT_END] = len(g.events)
        elif isinstance(item, Window):
            row[k.N_DRAWS] = len(item.branches) > 1

    def graph(self) -> tuple[Any, ...]:
        """The argument `graph` of the kernel, when all nodes have been added."""
        node, g, classes = self.node, self._g, len(self._g.classes)
        for name, i in g.index.items():
            node[i, k.N_WAYS] = g.ways[name]
        events = node[:, k.N_EVENT_END] - node[:, k.N_EVENT]
        node[:, k.N_NEED] = events + node[:, k.N_EDGE_END] - node[:, k.N_EDGE] + len(self._model.deadlines) + 2
        self.law[2::4] = np.maximum(self.law[2::4], 0)
        whole = self._model.case_patience.patience if self._model.case_patience else None
        patience = [g.table.row(v) for v in by_class(whole, g.classes)] if whole else [-1] * classes
        return (
            node,
            self.weight,
            self.law,
            np.asarray(g.edges, np.int64),
            np.asarray(g.shares).reshape(-1, classes),
            np.asarray(g.events, np.int64).reshape(-1, k.EVENT_COLUMNS),
            np.asarray(g.event_laws, np.int64).reshape(-1, classes),
            np.asarray(g.event_shares, np.float64).reshape(-1, classes),
            self.retry,
            np.asarray(patience, np.int64),
            reach(self._model, g),
            np.asarray(g.numbers, np.float64).reshape(-1, 2),
        )


def _member_laws(model: ProcessModel, staff: Staff, g: Graph) -> Ints:
    """Distribution of every task for members who have one of their own, else -1."""
    law = np.full((len(model.nodes), max(len(staff.names), 1)), -1, np.int64)
    for i, item in enumerate(model.nodes.values()):
        if isinstance(item, Task):
            for m, name in enumerate(staff.names):
                if staff.pools[m] == item.pool and name in item.by_member:
                    law[i, m] = g.table.row(item.by_member[name])
    return law


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


def _deadlines(model: ProcessModel, g: Graph) -> None:
    """Deadlines are the first events."""
    for spec in model.deadlines.values():
        begins = -1 if spec.begins is None else g.index[spec.begins]
        until = -2 if spec.until is None else g.index[spec.until]
        to = -1 if spec.to is None else g.edge(spec.to)
        g.events.append([to, int(spec.interrupting), g.calendar(spec.calendar), begins, until])
        g.event_laws.append([g.table.row(v) for v in by_class(spec.after, g.classes)])
        g.event_shares.append([1.0] * len(g.classes))


def _ways(name: str, item: Any, row: Ints, g: Graph) -> None:
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


def _task(item: Task, i: int, node: Ints, law: Ints, retry: Floats, g: Graph, pools: Pools) -> None:
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
        row[k.N_SIZE], row[k.N_PER_ITEM] = batch.size or 0, k.SUMMED if batch.service == "item" else k.PER_BATCH
        if batch.mode == "sequential":
            row[k.N_PER_ITEM] = k.IN_TURN
        row[k.N_LONGEST] = -1 if batch.longest_wait is None else batch.longest_wait
    if item.queue_limit is not None:
        limit = item.queue_limit
        row[k.N_QUEUE] = limit.most
        row[k.N_FULL] = k.BLOCK if limit.when_full == "block" else k.REFUSE if limit.to is None else g.edge(limit.to)


def _repeat(item: Task, row: Ints, g: Graph) -> None:
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
