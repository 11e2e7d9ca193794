"""Turns a process model into the arrays that the network kernel reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
from twin.contracts import Segment
from twin.errors import ScenarioError
from twin.kernels import network as kernel
from twin.process.calendar import WorkCalendar
from twin.process.distributions import DistributionTable
from twin.process.features import general_features
from twin.process.model import BySegment, Choice, Delay, End, Pool, ProcessModel, Task, Window, require_sound

_OUTCOMES = {"served": kernel.SERVED, "abandoned": kernel.ABANDONED, "refused": kernel.REFUSED}
_WINDOW_DAYS = 40
"""How far ahead of the clock windows are laid out: beyond the longest closure of the exchanges (11 days) by far."""
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

    @property
    def has_windows(self) -> bool:
        """Whether some node waits for a calendar."""
        return any(isinstance(n, Window) for n in self.model.nodes.values())

    @property
    def has_shifts(self) -> bool:
        """Whether some pool changes with the time of day."""
        return any(p.shifts for p in self.model.pools.values())


def _per_segment(value: BySegment[float]) -> list[float]:
    return [value.of(segment) for segment in Segment]


def _edges(model: ProcessModel, index: dict[str, int]) -> tuple[Ints, Ints, Floats]:
    """Ways out of every node: the rework first, then the branches, as cumulative probabilities."""
    first, targets = [0], list[int]()
    shares: list[Floats] = []
    for node in model.nodes.values():
        if not isinstance(node, End):
            again = np.zeros(len(Segment))
            rows: list[Floats] = []
            if isinstance(node, Task) and node.rework is not None:
                again = np.asarray(_per_segment(node.rework.probability))
                targets.append(index[node.rework.to])
                rows.append(again)
            for branch in node.branches:
                targets.append(index[branch.to])
                rows.append((1 - again) * np.asarray(_per_segment(branch.probability)))
            shares.extend(np.cumsum(rows, axis=0))
        first.append(len(targets))
    return np.asarray(first, np.int64), np.asarray(targets, np.int64), np.asarray(shares).reshape(-1, len(Segment))


def compile_process(model: ProcessModel) -> CompiledProcess:
    """The kernel's arrays of a model.

    Raises:
        ScenarioError: if the model refers to what does not exist, or leads nowhere.
    """
    require_sound(model)
    for feature in general_features(model):
        raise ScenarioError(f"not yet executed: {feature}", where=f"process {model.name!r}")
    # Nodes keep the file's order, but the start is node 0, where the kernel lets cases in.
    names = (model.start, *(n for n in model.nodes if n != model.start))
    model = model.model_copy(update={"nodes": {n: model.nodes[n] for n in names}})
    index, pools = {n: i for i, n in enumerate(names)}, tuple(model.pools)
    table = DistributionTable()
    node = np.full((len(names), kernel.NODE_COLUMNS), -1, np.int64)
    weight = np.zeros(len(names))
    service, patience, priority = (np.full((len(names), len(Segment)), -1, np.int64) for _ in range(3))
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
            service[i] = [table.row(item.service.of(s)) for s in Segment]
            patience[i] = [table.row(item.patience.of(s)) if item.patience else -1 for s in Segment]
            priority[i] = [item.priority.of(s) for s in Segment]
            common = model.case_patience.burden if model.case_patience else 1.0
            weight[i] = common if item.burden is None else item.burden
        elif isinstance(item, Choice):
            row[kernel.N_KIND] = kernel.CHOICE
        elif isinstance(item, Delay):
            row[kernel.N_KIND], weight[i] = kernel.DELAY, 1.0
            service[i] = [table.row(item.duration.of(s)) for s in Segment]
        else:
            row[kernel.N_KIND] = kernel.WINDOW
            row[kernel.N_DRAWS] = len(item.branches) > 1
    whole = model.case_patience.patience if model.case_patience else None
    case_patience = np.asarray([table.row(whole.of(s)) if whole else -1 for s in Segment], np.int64)
    graph = (node, weight, service, patience, np.maximum(priority, 0), case_patience, *_edges(model, index))
    return CompiledProcess(model, names, pools, int(priority.max(initial=0)) + 1, graph, table.arrays())


def _task(item: Task, row: Ints, index: dict[str, int], pools: tuple[str, ...]) -> None:
    row[kernel.N_KIND], row[kernel.N_POOL] = kernel.TASK, pools.index(item.pool)
    row[kernel.N_ABANDON] = -1 if item.on_abandon is None else index[item.on_abandon]
    row[kernel.N_TARGET] = item.target
    if item.rework is not None:
        row[kernel.N_REWORK], row[kernel.N_LIMIT] = 1, item.rework.limit or 0
        row[kernel.N_OTHERWISE] = -1 if item.rework.otherwise is None else index[item.rework.otherwise]


def windows(process: CompiledProcess, calendar: WorkCalendar, last_day: int) -> tuple[Ints, Ints, Ints]:
    """Window table up to some weeks after `last_day`: first row per node, limits and openings in ns."""
    first, limits, opens = [0], [], []
    for node in process.model.nodes.values():
        if isinstance(node, Window):
            for start, end, midnight in calendar.intervals(
                node.opens, node.closes, node.days, 0, last_day + _WINDOW_DAYS
            ):
                limits.append(midnight if node.next_day else end)
                opens.append(start)
        first.append(len(limits))
    return np.asarray(first, np.int64), np.asarray(limits, np.int64), np.asarray(opens, np.int64)


def capacity_steps(pool: Pool, calendar: WorkCalendar, first_day: int, last_day: int) -> list[tuple[int, int]]:
    """Instants in the days first_day..last_day at which a pool's staff changes, and the staff from then on.

    The first of day 0 is at time 0 and holds the staff present then.
    """
    low, high = first_day * DAY, (last_day + 1) * DAY
    change: dict[int, int] = {low: 0}
    for shift in pool.shifts:
        # Two days back, so that the staff of the night before is known and only true changes are reported.
        for start, end, _ in calendar.intervals(shift.start, shift.end, shift.days, first_day - 2, last_day):
            change[start] = change.get(start, 0) + shift.staff
            change[end] = change.get(end, 0) - shift.staff
    steps, staff = [], 0
    for instant in sorted(change):
        staff += change[instant]
        if instant <= low and first_day == 0:
            steps = [(low, staff)]
        elif low <= instant < high and change[instant]:
            steps.append((instant, staff))
    return steps
