"""Turns a process model into the arrays that the network kernel reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
from twin.errors import ScenarioError
from twin.kernels import network as kernel
from twin.process.attributes import SEGMENT_CLASSES, CaseClass
from twin.process.calendar import WorkCalendar
from twin.process.distributions import DistributionTable
from twin.process.features import general_features
from twin.process.model import (
    BySegment,
    Calendar,
    Choice,
    Delay,
    End,
    Pool,
    ProcessModel,
    Task,
    Window,
    require_sound,
)

_OUTCOMES = {"served": kernel.SERVED, "abandoned": kernel.ABANDONED, "refused": kernel.REFUSED}
_WINDOW_DAYS = 40
"""How far ahead of the clock windows are laid out: beyond the longest closure of the exchanges (11 days) by far."""
T = TypeVar("T")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CompiledProcess:
    """A process as the arrays `graph` and `laws` of `twin.kernels.network.advance`."""

    model: ProcessModel
    nodes: tuple[str, ...]
    pools: tuple[str, ...]
    lanes: int
    graph: tuple[Any, ...]
    laws: tuple[Ints, Floats, Floats]
    table: DistributionTable

    @property
    def has_windows(self) -> bool:
        """Whether some node waits for a calendar."""
        return any(isinstance(n, Window) for n in self.model.nodes.values())

    @property
    def has_shifts(self) -> bool:
        """Whether some pool changes with the time of day."""
        return any(p.shifts or p.calendar for p in self.model.pools.values())

    @property
    def is_single(self) -> bool:
        """Whether `twin.kernels.single` will do: one task that leads to ends, and nobody comes back or overtakes."""
        start, ends = self.model.nodes[self.model.start], {n for n, x in self.model.nodes.items() if isinstance(x, End)}
        return (
            isinstance(start, Task)
            and start.rework is None
            and start.on_abandon in ends | {None}
            and self.model.case_patience is None
            and self.model.milestone is None
            and len(set(start.priority.values())) == 1
            and all(branch.to in ends for branch in start.branches)
        )


def by_class(value: BySegment[T], classes: Sequence[CaseClass]) -> list[T]:
    """A value for every class of cases."""
    if not (value.by_segment or value.cases):
        return [value.default] * len(classes)
    return [value.of(segment, holds) for segment, holds in classes]


def way_shares(node: Any, classes: Sequence[CaseClass], where: str) -> Floats:
    """Probability of every branch of a node (rows) for every class of cases."""
    branches = node.branches
    rows = np.zeros((len(branches), len(classes)))
    for i, branch in enumerate(branches):
        if branch.when is None:
            rows[i] = by_class(branch.probability, classes)
    # Backwards, as of several conditions that hold the first counts.
    for i in range(len(branches) - 1, -1, -1):
        if branches[i].when is not None:
            certain = np.array([branches[i].when in holds for _, holds in classes])
            rows[:, certain] = 0
            rows[i, certain] = 1
    total = rows.sum(axis=0)
    wrong = int(np.argmax(np.abs(total - 1)))
    if abs(total[wrong] - 1) > 1e-9:
        what = f"the probabilities sum to {total[wrong]:g} for some cases"
        raise ScenarioError(what, where=where, hint="They must sum to 1 for every combination of conditions.")
    return rows


def cumulated(rows: list[Floats]) -> Floats:
    """Cumulative shares; the last way that is possible goes up to 1."""
    up_to = np.cumsum(rows, axis=0)
    up_to[up_to > 1 - 1e-12] = 1.0
    return up_to


def _edges(model: ProcessModel, index: dict[str, int], classes: Sequence[CaseClass]) -> tuple[Ints, Ints, Floats]:
    """Ways out of every node: the rework first, then the branches, as cumulative probabilities."""
    first, targets = [0], list[int]()
    shares: list[Floats] = []
    for name, node in model.nodes.items():
        if not isinstance(node, End):
            again = np.zeros(len(classes))
            rows: list[Floats] = []
            if isinstance(node, Task) and node.rework is not None:
                again = np.asarray(by_class(node.rework.probability, classes))
                targets.append(index[node.rework.to])
                rows.append(again)
            targets.extend(index[b.to] for b in node.branches)
            rows.extend((1 - again) * way_shares(node, classes, f"process {model.name!r}, nodes.{name}.next"))
            shares.extend(cumulated(rows))
        first.append(len(targets))
    return np.asarray(first, np.int64), np.asarray(targets, np.int64), np.asarray(shares).reshape(-1, len(classes))


def compile_process(
    model: ProcessModel,
    classes: Sequence[CaseClass] = SEGMENT_CLASSES,
    table: DistributionTable | None = None,
) -> CompiledProcess:
    """The kernel's arrays of a model.

    Args:
        model: the process; what the kernel for one token per case cannot do is an error.
        classes: of cases, the columns of all values that depend on the case.
        table: distributions that are already known.

    Raises:
        ScenarioError: if the model refers to what does not exist, or leads nowhere.
    """
    require_sound(model)
    for feature in general_features(model):
        raise ScenarioError(f"this kernel has one token per case, not {feature}", where=f"process {model.name!r}")
    # Nodes keep the file's order, but the start is node 0, where the kernel lets cases in.
    names = (model.start, *(n for n in model.nodes if n != model.start))
    model = model.model_copy(update={"nodes": {n: model.nodes[n] for n in names}})
    index, pools = {n: i for i, n in enumerate(names)}, tuple(model.pools)
    table = table or DistributionTable()
    node = np.full((len(names), kernel.NODE_COLUMNS), -1, np.int64)
    weight = np.zeros(len(names))
    service, patience, priority = (np.full((len(names), len(classes)), -1, np.int64) for _ in range(3))
    for i, item in enumerate(model.nodes.values()):
        row = node[i]
        row[[kernel.N_ACTIVE, kernel.N_TARGET, kernel.N_REWORK, kernel.N_LIMIT]] = 0
        row[kernel.N_DRAWS], row[kernel.N_MILESTONE] = 1, names[i] == model.milestone
        if isinstance(item, End):
            row[kernel.N_KIND], row[kernel.N_OUTCOME] = kernel.END, _OUTCOMES[item.outcome]
            continue
        row[kernel.N_ACTIVE] = item.active
        if isinstance(item, Task):
            _task(item, row, index, pools)
            service[i] = [table.row(v) for v in by_class(item.service, classes)]
            patience[i] = [table.row(v) for v in by_class(item.patience, classes)] if item.patience else -1
            priority[i] = by_class(item.priority, classes)
            common = model.case_patience.burden if model.case_patience else 1.0
            weight[i] = common if item.burden is None else item.burden
        elif isinstance(item, Choice):
            row[kernel.N_KIND] = kernel.CHOICE
        elif isinstance(item, Delay):
            row[kernel.N_KIND], weight[i] = kernel.DELAY, 1.0
            service[i] = [table.row(v) for v in by_class(item.duration, classes)]
        else:
            row[kernel.N_KIND] = kernel.WINDOW
            row[kernel.N_DRAWS] = len(item.branches) > 1
    whole = model.case_patience.patience if model.case_patience else None
    rows = [table.row(v) for v in by_class(whole, classes)] if whole else [-1] * len(classes)
    case_patience = np.asarray(rows, np.int64)
    graph = (node, weight, service, patience, np.maximum(priority, 0), case_patience, *_edges(model, index, classes))
    return CompiledProcess(model, names, pools, lanes(model), graph, table.arrays(), table)


def lanes(model: ProcessModel) -> int:
    """Number of priorities that may occur."""
    tasks = [n for n in model.nodes.values() if isinstance(n, Task)]
    return max((max(t.priority.values()) for t in tasks), default=0) + 1


def _task(item: Task, row: Ints, index: dict[str, int], pools: tuple[str, ...]) -> None:
    row[kernel.N_KIND], row[kernel.N_POOL] = kernel.TASK, pools.index(item.pool)
    row[kernel.N_ABANDON] = -1 if item.on_abandon is None else index[item.on_abandon]
    row[kernel.N_TARGET] = item.target
    if item.rework is not None:
        row[kernel.N_REWORK], row[kernel.N_LIMIT] = 1, item.rework.limit or 0
        row[kernel.N_OTHERWISE] = -1 if item.rework.otherwise is None else index[item.rework.otherwise]


def windows(model: ProcessModel, calendar: WorkCalendar, last_day: int) -> tuple[Ints, Ints, Ints]:
    """Window table up to some weeks after `last_day`: first row per node, limits and openings in ns."""
    first, limits, opens = [0], [], []
    for node in model.nodes.values():
        if isinstance(node, Window):
            for start, end, midnight in calendar.intervals(
                node.opens, node.closes, node.days, 0, last_day + _WINDOW_DAYS
            ):
                limits.append(midnight if node.next_day else end)
                opens.append(start)
        first.append(len(limits))
    return np.asarray(first, np.int64), np.asarray(limits, np.int64), np.asarray(opens, np.int64)


def capacity_steps(
    pool: Pool, calendar: WorkCalendar, first_day: int, last_day: int, hours: Calendar | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Instants (ns) in the days first_day..last_day at which a pool's staff changes, and the staff from then on.

    The first of day 0 is at time 0 and holds the staff present then. `hours` are those of a pool with a calendar.
    """
    low, high = first_day * DAY, (last_day + 1) * DAY
    times, change = [np.array([low])], [np.zeros(1, np.int64)]

    def present(starts: NDArray[np.int64], ends: NDArray[np.int64], staff: int) -> None:
        times.extend((starts, ends))
        change.append(np.repeat((staff, -staff), len(starts)))

    # Two days back, so that the staff of the night before is known and only true changes are reported.
    for shift in pool.shifts:
        starts = calendar.days_between(first_day - 2, last_day, shift.days) * DAY + shift.start
        length = shift.end - shift.start
        present(starts, starts + (length if length > 0 else length + DAY), shift.staff)
    if hours is not None:
        staff = pool.staff if isinstance(pool.staff, int) else kernel.UNLIMITED
        present(*calendar.hours_table(hours, first_day - 2, last_day + 1), staff)
    at = np.concatenate(times)
    order = at.argsort()
    at, now = at[order], np.concatenate(change)[order].cumsum()
    # Of changes at one instant only what is left of them counts.
    final = np.append(at[1:] != at[:-1], True)
    at, now = at[final], now[final]
    kept = (at >= low) & (at < high) & (np.diff(now, prepend=0) != 0)
    if first_day == 0:
        kept |= at == low
    return at[kept], now[kept]
