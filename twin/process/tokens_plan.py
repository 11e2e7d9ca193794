"""When staff come and go, calendars are open and batches start, as the general kernel's tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
from twin.kernels import tokens_layout as k
from twin.process.calendar import WorkCalendar
from twin.process.compile import capacity_steps
from twin.process.model import ProcessModel
from twin.process.nodes import Task, Window
from twin.process.tokens_staff import Staff

Ints = NDArray[np.int64]
Row = tuple[int, int, int, int]
_CALENDAR_DAYS = 1461
"""How far ahead of the clock calendars are laid out: four years."""
_BATCH_DAYS = 40


def needs_plan(model: ProcessModel) -> bool:
    """Whether anything depends on the time of day."""
    if model.calendars or any(pool.shifts for pool in model.pools.values()):
        return True
    nodes = model.nodes.values()
    return any(isinstance(n, Window) or (isinstance(n, Task) and n.batch and n.batch.at) for n in nodes)


def calendar_tables(model: ProcessModel, work: WorkCalendar, last: int) -> tuple[Ints, ...]:
    """The argument `calendars` of the kernel: first row of each calendar, start, end and work done before."""
    columns = [[np.zeros(0, np.int64)] for _ in range(3)]
    firsts = [0]
    for calendar in model.calendars.values():
        start, end = work.hours_table(calendar, -7, last + _CALENDAR_DAYS)
        done = np.cumsum(end - start) - (end - start)
        for column, values in zip(columns, (start, end, done), strict=True):
            column.append(values)
        firsts.append(firsts[-1] + len(start))
    return np.asarray(firsts, np.int64), *(np.concatenate(column) for column in columns)


def batch_instants(model: ProcessModel, batches: tuple[str, ...], work: WorkCalendar, last: int) -> tuple[Ints, ...]:
    """The argument `instants` of the kernel: first of each task in batches, and times in ns."""
    firsts, times = [0], list[int]()
    for name in batches:
        batch = getattr(model.nodes[name], "batch", None)
        assert batch is not None
        days = [d for d in range(-1, last + _BATCH_DAYS) if work.works(d, batch.days)]
        times.extend(sorted(d * DAY + t for d in days for t in batch.at))
        firsts.append(len(times))
    return np.asarray(firsts, np.int64), np.asarray(times, np.int64)


def borders(
    model: ProcessModel, staff: Staff, work: WorkCalendar, first: int, last: int, overridden: Collection[int]
) -> Ints:
    """Changes of staff on the days first..last, in time order (int64[b, 4]); not of pools that are `overridden`."""
    rows = [*_capacity_rows(model, work, first, last, overridden), *_duty_rows(model, staff, work, first, last)]
    return np.asarray(sorted(rows), np.int64).reshape(-1, 4)


def _capacity_rows(
    model: ProcessModel, work: WorkCalendar, first: int, last: int, overridden: Collection[int]
) -> list[Row]:
    return [
        (instant, k.B_CAPACITY, i, number)
        for i, pool in enumerate(model.pools.values())
        if (pool.shifts or (pool.calendar and not pool.individuals)) and i not in overridden
        for instant, number in _pairs(
            capacity_steps(pool, work, first, last, model.calendars[pool.calendar] if pool.calendar else None)
        )
    ]


def _pairs(columns: tuple[Ints, Ints]) -> Iterable[tuple[int, int]]:
    return zip(*(column.tolist() for column in columns), strict=True)


def _duty_rows(model: ProcessModel, staff: Staff, work: WorkCalendar, first: int, last: int) -> list[Row]:
    """When individuals come and go."""
    low, high, rows = first * DAY, (last + 1) * DAY, list[Row]()
    for m in range(len(staff.names)):
        name = staff.calendar(m, model)
        if name is None:
            continue
        for start, end in work.hours(model.calendars[name], first - 2, last + 1):
            if start < 0 < end and first == 0:
                rows.append((0, k.B_DUTY, m, 1))
            rows += [(t, k.B_DUTY, m, on) for t, on in ((start, 1), (end, 0)) if low <= t < high]
    return rows
