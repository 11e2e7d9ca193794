"""What the general kernel has counted, as statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.kernels import tokens_layout as k
from twin.process.model import ProcessModel
from twin.process.nodes import Task
from twin.process.statistics import CaseStatistics, Histogram, NodeStatistics, PoolStatistics, cost_fen
from twin.process.tokens_compile import TokenProcess

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def node_statistics(count: Ints, total: Floats, histogram: Ints, i: int) -> NodeStatistics:
    """The statistics of node i."""
    times = [k.T_WAIT_SERVED, k.T_WAIT_ABANDONED, k.T_WAIT_SQUARED, k.T_SERVICE]
    first = count[i, : k.K_WITHIN + 1].tolist()
    row: list[Any] = [*first, *total[i, times].tolist(), Histogram(histogram[i].copy())]
    more: list[Any] = [float(total[i, k.T_PAUSED])]
    return NodeStatistics(*row, *more, *count[i, [k.K_RETRIES, k.K_REFUSED, k.K_GIVEN_UP]].tolist())


def case_statistics(count: Ints, total: Floats, histogram: Ints, row: int, inside: int) -> CaseStatistics:
    """The statistics of whole cases (row = number of nodes) or of those at the milestone (the row after)."""
    histograms = [Histogram(histogram[row + j].copy()) for j in (0, 2)]
    values: list[Any] = [*count[row, :3].tolist(), inside, *total[row, :3].tolist(), *histograms]
    return CaseStatistics(*values)


def pool_statistics(pool: Ints, area: Floats, now: int, since: int, is_staff: bool) -> PoolStatistics:
    """The statistics of one pool from its row of the kernel's tables."""
    dt = float(now - pool[k.P_TOUCHED])
    capacity, busy, queue = (int(pool[j]) for j in (k.P_CAPACITY, k.P_BUSY, k.P_QUEUE))
    staffed = busy if capacity == k.UNLIMITED else max(busy, capacity)
    until_now = area + dt * np.asarray([queue, busy, staffed], np.float64)
    waited, worked, paid = (float(until_now[j]) for j in (k.A_QUEUE, k.A_BUSY, k.A_STAFFED))
    return PoolStatistics(now - since, worked, paid, waited, is_staff)


def costs(model: ProcessModel, tokens: TokenProcess, count: Ints, member_busy: Ints) -> dict[str, int]:
    """Fen spent on every task: executions, and time at work of the pool or of each individual."""
    found = {}
    for i, (name, item) in enumerate(zip(tokens.nodes, tokens.model.nodes.values(), strict=True)):
        if isinstance(item, Task):
            pool, staff = model.pools[item.pool], tokens.staff
            timed = [(int(count[i, k.K_BUSY]), pool.cost_per_hour)]
            if pool.individuals:
                members = range(len(staff.names))
                timed = [(int(member_busy[i, m]), staff.cost_per_hour(m, model)) for m in members]
            found[name] = cost_fen(item.cost * int(count[i, k.K_STARTS]), timed)
    return found
