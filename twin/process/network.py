"""Runs a process model as an exact queueing network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.clock import DAY
from twin.contracts import Outcomes, Requests, Segment
from twin.errors import CapacityError, ScenarioError
from twin.kernels import network as kernel
from twin.kernels import single
from twin.kernels.durations import HISTOGRAM_BINS
from twin.process.attributes import CaseClasses, attribute_values
from twin.process.calendar import WorkCalendar
from twin.process.compile import CompiledProcess, capacity_steps, compile_process, windows
from twin.process.features import general_features
from twin.process.model import Calendar, ProcessModel
from twin.process.nodes import Task
from twin.process.statistics import CaseStatistics, Histogram, NodeStatistics, PoolStatistics, Statistics, cost_fen
from twin.randomness import Stream, Streams

Ints = NDArray[np.int64]
_FIRST_CASES = 256
_OUTCOME_BLOCK = 8192
_FURTHEST_DAY = 3660
_AHEAD = 4
_APART = 64
"""Where somebody has lost patience, the kernel that can do that goes on for so many calls before the other is tried."""


class ProcessNetwork:
    """A process with its cases, advanced exactly from one instant to the next.

    Two networks with equal streams draw the same service times, routes and patience for the same case, node and visit.

    Args:
        model: the process.
        streams: random numbers of the replication.
        calendar: working days; time 0 is the midnight of its day 0.
        entity_base: added to a request's number to give the entity of the random streams, to keep processes apart.
        record: whether `advance` returns outcomes; without, only statistics are kept.
        log: whether executions of activities are recorded (by the general kernel only).

    Example:
        >>> network = ProcessNetwork(model, Streams(seed=1), WorkCalendar())      # doctest: +SKIP
        >>> network.submit(requests); outcomes = network.advance(at("10:00"))     # doctest: +SKIP
    """

    def __new__(cls, model: ProcessModel, *_: Any, log: bool = False, **__: Any) -> ProcessNetwork:
        """The kernel for one token per case where that suffices, else the general one."""
        if cls is ProcessNetwork and (log or general_features(model)):
            # A subclass, and loaded only when it is needed.
            general = import_module("twin.process.tokens").TokenNetwork
            return cast("ProcessNetwork", object.__new__(general))
        return object.__new__(cls)

    def __init__(
        self,
        model: ProcessModel,
        streams: Streams,
        calendar: WorkCalendar | None = None,
        *,
        entity_base: int = 0,
        record: bool = True,
        log: bool = False,
    ) -> None:
        assert not log
        self.model = model
        self._classes = CaseClasses(model)
        self.process: CompiledProcess = compile_process(model, self._classes.known)
        self._graph, self._single = tuple(a.reshape(-1) for a in self.process.graph), self.process.is_single
        self._streams, self._calendar, self._record = streams, calendar or WorkCalendar(), record
        n, pools, lanes = len(self.process.nodes), len(self.process.pools), self.process.lanes
        self._state = np.zeros(kernel.STATE_SIZE, np.int64)
        self._state[kernel.S_BASE] = entity_base
        self._state[kernel.S_FREE] = -1
        self._state[kernel.S_STEP] = kernel.FIRST_STEP
        self._case = np.zeros((0, kernel.CASE_COLUMNS), np.int64)
        self._visits = np.zeros((0, n), np.int32)
        self._timers: tuple[Ints, Ints, Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._grow(_FIRST_CASES)
        self._pool = np.zeros((max(pools, 1), kernel.POOL_COLUMNS), np.int64)
        self._area = np.zeros((max(pools, 1), kernel.AREA_COLUMNS))
        self._queues = tuple(np.full(max(pools, 1) * lanes, -1, np.int64) for _ in range(2))
        self._count = np.zeros((n + 2, kernel.COUNT_COLUMNS), np.int64)
        self._total = np.zeros((n + 2, kernel.TOTAL_COLUMNS))
        self._histogram = np.zeros((n + 4, HISTOGRAM_BINS), np.int64)
        self._outcome = np.zeros((_OUTCOME_BLOCK if record else 0, kernel.OUTCOME_COLUMNS), np.int64)
        self._ahead = np.zeros((single.AHEAD_ROWS, 0), np.int64)
        self._apart = 0
        self._pending: list[Ints] = []
        self._arrival = np.zeros((4, 0), np.int64)
        self._borders: tuple[Ints, ...] = tuple(np.zeros(0, np.int64) for _ in range(3))
        self._windows = windows(self.process.model, self._calendar, -1)
        self._planned_days = 0
        self._now = self._since = 0
        self._overridden: set[int] = set()
        self._base, self._columns = entity_base, len(self._classes.known)
        for i, pool in enumerate(model.pools.values()):
            if pool.staff is not None and pool.calendar is None:
                self._pool[i, kernel.P_CAPACITY] = kernel.UNLIMITED if pool.staff == "unlimited" else pool.staff

    @property
    def now(self) -> int:
        """Every event before this instant (ns) has happened."""
        return self._now

    @property
    def in_system(self) -> int:
        """Cases that have arrived and not ended."""
        return int(self._state[kernel.S_INSIDE])

    @property
    def case_capacity(self) -> int:
        """Rows held for cases; memory grows with the most that were ever in the system at once."""
        return len(self._case)

    @property
    def timers(self) -> int:
        """Timers now set."""
        return int(self._state[kernel.S_TIMERS] + self._state[kernel.S_FAR])

    def submit(self, requests: Requests, attributes: Mapping[str, ArrayLike] | None = None) -> None:
        """Add arrivals; none may lie before `now`. Request numbers identify cases and must not be negative.

        Args:
            requests: `attribute` is the kind of client.
            attributes: case attributes that come with the requests, one value per request; the others are drawn.
        """
        if not len(requests):
            return
        if int(requests.time.min()) < self._now:
            raise ScenarioError("a request lies in the past of its process", hint=f"The process is at {self._now} ns.")
        if int(requests.attribute.min()) < 0 or int(requests.attribute.max()) >= len(Segment):
            raise ScenarioError("a request's attribute is not a segment", hint=f"Segments: 0 to {len(Segment) - 1}.")
        values = attribute_values(self.model, self._streams, requests.request + self._base, attributes)
        classes = self._classes.of(requests.attribute, values)
        if len(self._classes.known) != self._columns:
            self._recompile()
        self._pending.append(np.stack([requests.time, requests.request, requests.client, classes]))
        self._keep(values, requests)

    def _recompile(self) -> None:
        """Lay out the graph for classes of cases that were not known before."""
        self._columns = len(self._classes.known)
        self.process = compile_process(self.model, self._classes.known, self.process.table)
        self._graph, self._single = tuple(a.reshape(-1) for a in self.process.graph), self.process.is_single

    def _keep(self, values: Mapping[str, NDArray[np.float64]], requests: Requests) -> None:
        """Remember what else is needed of the attributes of requests."""

    def advance(self, until: int) -> Outcomes:
        """Handle everything that happens strictly before `until` (ns) and return what ended, in order."""
        if until < self._now:
            raise ScenarioError(f"cannot go back from {self._now} to {until} ns")
        self._merge_arrivals()
        self._plan(until)
        ended: list[Ints] = []
        code = -1
        while code != kernel.DONE:
            code = self._run(until)
            if code == kernel.RUNAWAY:
                raise CapacityError("a case visited one node 65,536 times", hint="Give its rework a limit.")
            if code == kernel.EXHAUSTED:
                raise CapacityError("a process has set 137 thousand million timers", hint="Start a new network.")
            if code == kernel.CASES_FULL:
                self._grow(2 * len(self._case))
            if self._state[kernel.S_OUT]:
                ended.append(self._outcome[: self._state[kernel.S_OUT]].copy())
                self._state[kernel.S_OUT] = 0
        self._now = until if until < kernel.FOREVER else int(self._state[kernel.S_NOW])
        rows = np.concatenate(ended) if ended else np.zeros((0, kernel.OUTCOME_COLUMNS), np.int64)
        return Outcomes(*(np.ascontiguousarray(rows[:, i]) for i in range(kernel.OUTCOME_COLUMNS)))

    def drain(self) -> Outcomes:
        """Go on until no case is left (only for processes without shifts and windows, which need a horizon)."""
        return self.advance(int(kernel.FOREVER))

    def set_staff(self, pool: str, staff: int | None) -> None:
        """From now on a pool has this many members, None for unlimited; its shifts no longer count.

        The members take up waiting work before anything else happens.
        """
        i = self._pool_index(pool)
        if staff is not None and staff < 0:
            raise ScenarioError(f"pool {pool!r} cannot have {staff} members", hint="Give zero or more.")
        self._overridden.add(i)
        rest = self._coming_borders()
        now = np.asarray([[self._now], [i], [kernel.UNLIMITED if staff is None else staff]], np.int64)
        self._set_borders(np.concatenate([now, rest[:, rest[1] != i]], axis=1))

    def plan_staff(self, pool: str, times: ArrayLike, staff: ArrayLike) -> None:
        """From `times` (ns, rising, none in the past) on a pool has so many members; its shifts no longer count."""
        i = self._pool_index(pool)
        when, members = np.asarray(times, np.int64), np.asarray(staff, np.int64)
        if when.shape != members.shape or when.ndim != 1 or np.any(np.diff(when) <= 0):
            raise ScenarioError(f"the plan of pool {pool!r} needs rising times and a number for each")
        if len(when) and (int(when[0]) < self._now or int(members.min()) < 0):
            raise ScenarioError(f"the plan of pool {pool!r} begins in the past or has a number below zero")
        self._overridden.add(i)
        rest = self._coming_borders()
        plan = np.stack([when, np.full(len(when), i, np.int64), members])
        merged = np.concatenate([rest[:, rest[1] != i], plan], axis=1)
        self._set_borders(merged[:, np.argsort(merged[0], kind="stable")])

    def queue_lengths(self) -> dict[str, int]:
        """Cases waiting, per pool."""
        return {name: int(self._pool[i, kernel.P_QUEUE]) for i, name in enumerate(self.process.pools)}

    def busy(self) -> dict[str, int]:
        """Members at work, per pool."""
        return {name: int(self._pool[i, kernel.P_BUSY]) for i, name in enumerate(self.process.pools)}

    def reset_statistics(self) -> None:
        """Start measuring afresh at `now`, as at the end of a warm-up."""
        for array in (self._count, self._total, self._histogram, self._area):
            array.fill(0)
        self._pool[:, kernel.P_TOUCHED] = self._since = self._now

    def statistics(self) -> Statistics:
        """What has been measured up to `now`."""
        c, t, n = self._count, self._total, len(self.process.nodes)
        nodes = {}
        for i, name in enumerate(self.process.nodes):
            row: list[Any] = [*c[i].tolist(), *t[i, _TIMES].tolist(), Histogram(self._histogram[i].copy())]
            nodes[name] = NodeStatistics(*row)
        pools = {name: self._pool_statistics(i) for i, name in enumerate(self.process.pools)}
        return Statistics(nodes, pools, self._case_statistics(n), self._case_statistics(n + 1), self._costs(nodes))

    def _costs(self, nodes: Mapping[str, NodeStatistics]) -> dict[str, int]:
        """Fen spent on every task: executions, and time at work."""
        tasks = {name: item for name, item in self.process.model.nodes.items() if isinstance(item, Task)}
        return {
            name: cost_fen(
                item.cost * nodes[name].starts,
                [(round(nodes[name].service), self.model.pools[item.pool].cost_per_hour)],
            )
            for name, item in tasks.items()
        }

    def node_name(self, node: int) -> str:
        """Name of a node number as in `Outcomes.node`; empty for -1 (a case that was in no node)."""
        return self.process.nodes[node] if node >= 0 else ""

    def _case_statistics(self, row: int) -> CaseStatistics:
        histograms = [Histogram(self._histogram[row + k].copy()) for k in (0, 2)]
        numbers = [*self._count[row, :3].tolist(), self.in_system, *self._total[row, :3].tolist()]
        values: list[Any] = [*numbers, *histograms]
        return CaseStatistics(*values)

    def _pool_statistics(self, i: int) -> PoolStatistics:
        dt = float(self._now - self._pool[i, kernel.P_TOUCHED])
        capacity, busy, queue, _ = map(int, self._pool[i])
        staffed = busy if capacity == kernel.UNLIMITED else max(busy, capacity)
        area = self._area[i, :3] + dt * np.asarray([queue, busy, staffed], np.float64)
        pool = self.model.pools[self.process.pools[i]]
        return PoolStatistics(
            self._now - self._since,
            float(area[kernel.A_BUSY]),
            float(area[kernel.A_STAFFED]),
            float(area[kernel.A_QUEUE]),
            pool.kind == "staff",
        )

    def _pool_index(self, pool: str) -> int:
        if pool not in self.process.pools:
            raise ScenarioError(f"there is no pool {pool!r}", hint=f"Pools: {', '.join(self.process.pools)}.")
        return self.process.pools.index(pool)

    def _merge_arrivals(self) -> None:
        """Sort what was submitted into what has not yet arrived; equal times keep the order of submission."""
        if not self._pending:
            return
        rest = self._arrival[:, int(self._state[kernel.S_ARRIVAL]) :]
        parts = [rest, *self._pending] if rest.shape[1] else self._pending
        merged = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        if np.any(merged[0, 1:] < merged[0, :-1]):
            merged = merged[:, np.argsort(merged[0], kind="stable")]
        self._arrival = np.ascontiguousarray(merged)
        self._state[kernel.S_ARRIVAL] = 0
        self._pending.clear()

    def _plan(self, until: int) -> None:
        """Lay out shifts and windows at least to `until`."""
        if not (self.process.has_shifts or self.process.has_windows):
            return
        last = self._last_day(until)
        if last < self._planned_days:
            return
        # Well ahead: laying out a year costs little more than a week.
        first = self._planned_days
        last = first + _AHEAD * (last + 7 - first)
        if self.process.has_windows:
            self._windows = windows(self.process.model, self._calendar, last)
        new = np.zeros((3, 0), np.int64)
        for i, pool in enumerate(self.model.pools.values()):
            if (pool.shifts or pool.calendar) and i not in self._overridden:
                instants, staff = capacity_steps(pool, self._calendar, first, last, self._hours(pool.calendar))
                new = np.concatenate([new, [instants, np.full(len(instants), i), staff]], axis=1)
        new = new[:, np.argsort(new[0], kind="stable")]
        self._set_borders(np.concatenate([self._coming_borders(), new], axis=1))
        self._planned_days = last + 1

    @staticmethod
    def _last_day(until: int) -> int:
        if until // DAY > _FURTHEST_DAY:
            raise ScenarioError("a process with shifts or windows needs an end", hint="Advance by at most ten years.")
        return until // DAY

    def _hours(self, name: str | None) -> Calendar | None:
        return None if name is None else self.model.calendars[name]

    def _coming_borders(self) -> Ints:
        """Rows time, pool and capacity of the changes of staff that have not happened yet."""
        return np.stack(self._borders)[:, int(self._state[kernel.S_BORDER]) :]

    def _set_borders(self, rows: Ints) -> None:
        self._borders = tuple(np.ascontiguousarray(row) for row in rows)
        self._state[kernel.S_BORDER] = 0

    def _grow(self, rows: int) -> None:
        """Give the arrays of cases `rows` rows; the new ones become free, lowest first."""
        old = len(self._case)
        if rows > kernel.MOST_CASES:
            raise CapacityError(
                f"more than {kernel.MOST_CASES:,} cases are in one process", hint="Add staff or patience."
            )

        def longer(a: NDArray[Any], fill: int = 0) -> NDArray[Any]:
            return np.concatenate([a, np.full((rows - old, *a.shape[1:]), fill, a.dtype)])

        self._case, self._visits = longer(self._case), longer(self._visits)
        tree, stack, far = self._timers
        tree = np.concatenate([tree, np.full(4 * rows - len(tree), kernel.FOREVER)])
        self._timers = (tree, longer(stack), longer(far))
        self._case[old:, kernel.C_NEXT] = np.arange(old + 1, rows + 1)
        self._case[rows - 1, kernel.C_NEXT] = self._state[kernel.S_FREE]
        self._state[kernel.S_FREE] = old

    def _run(self, until: int) -> int:
        if not self._single or self._apart:
            self._apart = max(self._apart - 1, 0)
            return self._run_events(until)
        while True:
            border = int(self._state[kernel.S_BORDER])
            change = int(self._borders[0][border]) if border < len(self._borders[0]) else int(kernel.FOREVER)
            code = self._run_single(min(until, change))
            if code == single.HANDOVER:
                self._apart = _APART
                return self._run_events(until)
            if code == kernel.DONE and change < until:
                code = self._run_events(change + 1)
            if code != kernel.DONE or change >= until:
                return code

    def _run_single(self, until: int) -> int:
        """One stage of plain service, while no staff changes and nobody leaves."""
        p, s = self.process, self._streams
        if self._ahead.shape[1] < self._arrival.shape[1]:
            self._ahead = np.empty((single.AHEAD_ROWS, self._arrival.shape[1]), np.int64)
        return int(
            single.advance(
                until,
                s.key,
                s.replication,
                int(Stream.PROCESS_SERVICE),
                self._graph,
                p.laws,
                self._arrival,
                self._state,
                self._case.reshape(-1),
                self._visits.reshape(-1),
                self._timers,
                self._pool.reshape(-1),
                self._area.reshape(-1),
                self._queues,
                p.lanes,
                self._measures(),
                self._outcome,
                self._record,
                self._ahead,
            )
        )

    def _run_events(self, until: int) -> int:
        """Any process with one token per case."""
        p, s = self.process, self._streams
        return int(
            kernel.advance(
                until,
                s.key,
                s.replication,
                int(Stream.PROCESS_SERVICE),
                int(Stream.PROCESS_PATIENCE),
                self._graph,
                p.laws,
                self._windows,
                self._borders,
                self._arrival,
                self._state,
                self._case.reshape(-1),
                self._visits.reshape(-1),
                self._timers,
                self._pool.reshape(-1),
                self._area.reshape(-1),
                self._queues,
                p.lanes,
                self._measures(),
                self._outcome,
                self._record,
            )
        )

    def _measures(self) -> tuple[Any, Any, Any]:
        return self._count.reshape(-1), self._total.reshape(-1), self._histogram.reshape(-1)


_TIMES = [kernel.T_WAIT_SERVED, kernel.T_WAIT_ABANDONED, kernel.T_WAIT_SQUARED, kernel.T_SERVICE]
