"""Runs a process model with several tokens per case, or with staff who are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY
from twin.contracts import Outcomes
from twin.errors import CapacityError, ScenarioError
from twin.kernels import tokens as kernel
from twin.kernels import tokens_layout as k
from twin.kernels.durations import HISTOGRAM_BINS
from twin.kernels.timers import NEVER, SLOT_MASK
from twin.process.attributes import CaseClasses, factor
from twin.process.calendar import WorkCalendar
from twin.process.compile import capacity_steps, windows
from twin.process.model import ProcessModel, Window
from twin.process.network import ProcessNetwork
from twin.process.nodes import Task
from twin.process.parts import Scale
from twin.process.statistics import (
    CaseStatistics,
    DeadlineStatistics,
    Histogram,
    NodeStatistics,
    PoolStatistics,
    Statistics,
    cost_fen,
)
from twin.process.tokens_compile import TokenProcess, compile_tokens
from twin.randomness import Stream, Streams

Ints = NDArray[np.int64]
_FIRST_ROWS = 256
_FIRST_CASES = 256
_FIRST_AGENDA = 64
_OUTCOME_BLOCK = 8192
_CALENDAR_DAYS = 1461
"""How far ahead of the clock calendars are laid out: four years."""
_STREAMS = np.asarray(
    [
        Stream.PROCESS_SERVICE,
        Stream.PROCESS_PATIENCE,
        Stream.PROCESS_EVENT,
        Stream.PROCESS_SPLIT,
        Stream.PROCESS_INSTANCE,
        Stream.PROCESS_COUNT,
        Stream.PROCESS_RETRY,
        Stream.PROCESS_ALLOCATION,
        Stream.PROCESS_DEADLINE,
    ],
    np.int64,
)
_STATE = (
    "_state",
    "_node",
    "_row",
    "_case",
    "_factor",
    "_visits",
    "_tree",
    "_agenda",
    "_pool",
    "_area",
    "_lists",
    "_runs",
    "_member",
    "_member_busy",
    "_count",
    "_total",
    "_histogram",
    "_deadline",
    "_arrival",
    "_arrival_factor",
    "_border",
)
"""Arrays that change while the network runs."""


class TokenNetwork(ProcessNetwork):
    """A process with its cases in the general kernel; constructed by `ProcessNetwork` where a model needs it.

    Args:
        model: the process.
        streams: random numbers of the replication.
        calendar: working days; time 0 is the midnight of its day 0.
        entity_base: added to a request's number to give the entity of the random streams, to keep processes apart.
        record: whether `advance` returns outcomes; without, only statistics are kept.
        log: whether executions of activities are recorded for `executions`.
    """

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
        self.model = model
        self._classes = CaseClasses(model)
        self._tokens = compile_tokens(model, self._classes.known)
        self._streams, self._calendar, self._record, self._logged = streams, calendar or WorkCalendar(), record, log
        self._base, self._columns = entity_base, len(self._classes.known)
        p, n = self._tokens, len(self._tokens.nodes)
        self._state = np.zeros(k.STATE_SIZE, np.int64)
        self._state[k.S_BASE], self._state[k.S_WEEKDAY] = entity_base, self._calendar.weekday(0)
        self._state[[k.S_FREE_ROW, k.S_FREE_CASE, k.S_CHECK, k.S_CHECK_TAIL, k.S_TROUBLE]] = -1
        self._node = p.graph[0]
        self._row, self._case = np.zeros((0, k.ROW_COLUMNS), np.int64), np.zeros((0, k.CASE_COLUMNS), np.int64)
        self._factor, self._visits = np.zeros((0, len(p.factors))), np.zeros((0, n), np.int32)
        self._tree = np.zeros(0, np.int64)
        self._grow_rows(_FIRST_ROWS)
        self._grow_cases(_FIRST_CASES)
        self._reserve_batches()
        self._agenda = np.zeros((_FIRST_AGENDA + 2 * n, k.AGENDA_COLUMNS), np.int64)
        self._pool, self._lists, self._member = p.pool, p.lists, p.member
        self._area = np.zeros((len(self._pool), k.AREA_COLUMNS))
        self._runs = np.full((max(p.runs, 1), 2), -1, np.int64)
        self._member_busy = np.zeros((n, len(self._member)), np.int64)
        self._count = np.zeros((n + 2, k.COUNT_COLUMNS), np.int64)
        self._total = np.zeros((n + 2, k.TOTAL_COLUMNS))
        self._histogram = np.zeros((n + 4, HISTOGRAM_BINS), np.int64)
        self._deadline = np.zeros((len(model.deadlines), 2), np.int64)
        self._outcome = np.zeros((_OUTCOME_BLOCK if record else 0, k.OUTCOME_COLUMNS), np.int64)
        self._log = np.zeros((_OUTCOME_BLOCK if log else 0, k.LOG_COLUMNS), np.int64)
        self._pauses = np.zeros((_OUTCOME_BLOCK if log else 0, k.PAUSE_COLUMNS), np.int64)
        self._executed: list[Ints] = []
        self._paused: list[Ints] = []
        self._pending: list[Ints] = []
        self._pending_factor: list[NDArray[np.float64]] = []
        self._arrival, self._arrival_factor = np.zeros((4, 0), np.int64), np.zeros((0, len(p.factors)))
        self._border = np.zeros((0, 4), np.int64)
        self._windows = windows(p.model, self._calendar, -1)
        self._calendars: tuple[Ints, ...] = tuple(np.zeros(1, np.int64) for _ in range(4))
        self._instants: tuple[Ints, ...] = (np.zeros(len(p.batches) + 1, np.int64), np.zeros(0, np.int64))
        self._planned_days = 0
        self._now = self._since = 0
        self._overridden: set[int] = set()
        self._staff_from_the_start()

    def _staff_from_the_start(self) -> None:
        """Whoever has no hours is there at all times."""
        for i, pool in enumerate(self.model.pools.values()):
            if pool.staff is not None and pool.calendar is None and not self._pool[i, k.P_NAMED]:
                self._pool[i, k.P_CAPACITY] = k.UNLIMITED if pool.staff == "unlimited" else pool.staff
        for m in range(len(self._tokens.staff.names)):
            if self._tokens.staff.calendar(m, self.model) is None:
                self._member[m, k.M_DUTY] = 1
                self._pool[self._member[m, k.M_POOL], k.P_CAPACITY] += 1
        self._state[k.S_IDLE] = len(self._member)
        self._member[:, k.M_IDLE] = np.arange(len(self._member))

    def _reserve_batches(self) -> None:
        """The first rows are the timers of the tasks in batches."""
        for i, name in enumerate(self._tokens.batches):
            r = int(self._state[k.S_FREE_ROW])
            self._state[k.S_FREE_ROW] = self._row[r, k.R_NEXT]
            self._state[k.S_FREE_ROWS] -= 1
            assert r == i
            self._row[r, [k.R_KIND, k.R_NODE]] = k.BATCH_TIMER, self._tokens.nodes.index(name)

    @property
    def in_system(self) -> int:
        """Cases that have arrived and not ended."""
        return int(self._state[k.S_INSIDE])

    @property
    def case_capacity(self) -> int:
        """Rows held for cases; memory grows with the most that were ever in the system at once."""
        return len(self._case)

    @property
    def timers(self) -> int:
        """Timers now set."""
        leaves = int(self._state[k.S_LEAVES])
        return int(np.count_nonzero(self._tree[2 * leaves : 4 * leaves : 2] != NEVER))

    def advance(self, until: int) -> Outcomes:
        """Handle everything that happens strictly before `until` (ns) and return what ended, in order.

        Raises:
            ScenarioError: a case is stuck at a join whose other tokens can no longer come.
            CapacityError: a case visits one node without end.
        """
        if until < self._now:
            raise ScenarioError(f"cannot go back from {self._now} to {until} ns")
        self._merge_arrivals()
        self._plan(until)
        ended: list[Ints] = []
        code = -1
        while code != k.DONE:
            code = self._call(until)
            self._make_room(code)
            if self._state[k.S_OUT]:
                ended.append(self._outcome[: self._state[k.S_OUT]].copy())
                self._state[k.S_OUT] = 0
        self._flush_log()
        self._now = until if until < k.FOREVER else int(self._state[k.S_NOW])
        rows = np.concatenate([np.zeros((0, k.OUTCOME_COLUMNS), np.int64), *ended])
        return Outcomes(*(np.ascontiguousarray(rows[:, i]) for i in range(k.OUTCOME_COLUMNS)))

    def _make_room(self, code: int) -> None:
        if code == k.RUNAWAY:
            raise CapacityError("a case visited one node 65,536 times", hint="Give its rework a limit.")
        if code == k.EXHAUSTED:
            raise CapacityError("a process has set 137 thousand million timers", hint="Start a new network.")
        if code == k.STUCK:
            name = self._tokens.nodes[int(self._state[k.S_TROUBLE_NODE])]
            raise ScenarioError(
                f"case {int(self._state[k.S_TROUBLE])} waits at the join {name!r} for a token that cannot come",
                where=f"process {self.model.name!r}, nodes.{name}",
                hint="A parallel join needs a token from every way in; alternatives meet in a choice.",
            )
        if code == k.CASES_FULL:
            self._grow_cases(2 * len(self._case))
        elif code == k.ROWS_FULL:
            self._grow_rows(2 * len(self._row))
        elif code == k.AGENDA_FULL:
            self._agenda = np.concatenate([self._agenda, np.zeros_like(self._agenda)])
        elif code == k.LOG_FULL:
            if not self._state[k.S_LOG] and not self._state[k.S_PAUSES]:
                self._log = np.concatenate([self._log, np.zeros_like(self._log)])
            self._flush_log()

    def _flush_log(self) -> None:
        if self._state[k.S_LOG]:
            self._executed.append(self._log[: self._state[k.S_LOG]].copy())
            self._state[k.S_LOG] = 0
        if self._state[k.S_PAUSES]:
            self._paused.append(self._pauses[: self._state[k.S_PAUSES]].copy())
            self._state[k.S_PAUSES] = 0

    def executions(self) -> tuple[Ints, Ints]:
        """Executions of activities and pauses since the last call, in the columns of `twin.kernels.tokens_layout`."""
        found = tuple(
            np.concatenate([np.zeros((0, width), np.int64), *blocks])
            for width, blocks in ((k.LOG_COLUMNS, self._executed), (k.PAUSE_COLUMNS, self._paused))
        )
        self._executed.clear()
        self._paused.clear()
        return found[0], found[1]

    def set_staff(self, pool: str, staff: int | None) -> None:
        """From now on a pool has this many members, None for unlimited; its shifts no longer count."""
        i = self._pool_index(pool)
        if staff is not None and staff < 0:
            raise ScenarioError(f"pool {pool!r} cannot have {staff} members", hint="Give zero or more.")
        if self._pool[i, k.P_NAMED]:
            raise ScenarioError(f"pool {pool!r} consists of individuals", hint="Change its members in the file.")
        self._overridden.add(i)
        rest = self._coming()
        keep = (rest[:, k.B_KIND] != k.B_CAPACITY) | (rest[:, k.B_WHOSE] != i)
        now = np.asarray([[self._now, k.B_CAPACITY, i, k.UNLIMITED if staff is None else staff]], np.int64)
        self._border = np.concatenate([now, rest[keep]])
        self._state[k.S_BORDER] = 0

    def queue_lengths(self) -> dict[str, int]:
        """Cases (or batches) waiting, per pool."""
        return {name: int(self._pool[i, k.P_QUEUE]) for i, name in enumerate(self._tokens.pools)}

    def busy(self) -> dict[str, int]:
        """Members at work, per pool."""
        return {name: int(self._pool[i, k.P_BUSY]) for i, name in enumerate(self._tokens.pools)}

    def reset_statistics(self) -> None:
        """Start measuring afresh at `now`, as at the end of a warm-up."""
        for array in (self._count, self._total, self._histogram, self._area, self._member_busy, self._deadline):
            array.fill(0)
        self._pool[:, k.P_TOUCHED] = self._since = self._now

    def statistics(self) -> Statistics:
        """What has been measured up to `now`."""
        n = len(self._tokens.nodes)
        nodes = {name: self._node_statistics(i) for i, name in enumerate(self._tokens.nodes)}
        pools = {name: self._pool_statistics(i) for i, name in enumerate(self._tokens.pools)}
        deadlines = {
            name: DeadlineStatistics(*self._deadline[i].tolist()) for i, name in enumerate(self.model.deadlines)
        }
        cases = self._case_statistics(n), self._case_statistics(n + 1)
        return Statistics(nodes, pools, *cases, self.costs(), deadlines)

    def costs(self) -> dict[str, int]:
        """Fen spent on every task: exact sums, rounded once."""
        found = {}
        for i, (name, item) in enumerate(zip(self._tokens.nodes, self._tokens.model.nodes.values(), strict=True)):
            if isinstance(item, Task):
                pool = self.model.pools[item.pool]
                timed = [(int(self._count[i, k.K_BUSY]), pool.cost_per_hour)]
                if pool.individuals:
                    staff = self._tokens.staff
                    timed = [
                        (int(self._member_busy[i, m]), staff.cost_per_hour(m, self.model))
                        for m in range(len(staff.names))
                    ]
                found[name] = cost_fen(item.cost * int(self._count[i, k.K_STARTS]), timed)
        return found

    def member_busy(self) -> dict[str, int]:
        """Time at work in ns of every individual."""
        return {name: int(self._member_busy[:, m].sum()) for m, name in enumerate(self._tokens.staff.names)}

    def node_name(self, node: int) -> str:
        """Name of a node number as in `Outcomes.node`; empty for -1 (a case that was in no node)."""
        return self._tokens.nodes[node] if node >= 0 else ""

    def snapshot(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on bit-identically, as arrays and plain values."""
        self._merge_arrivals()
        out: dict[str, Any] = {name[1:]: getattr(self, name).copy() for name in _STATE}
        out |= {"now": self._now, "since": self._since, "planned": self._planned_days}
        return out | {"overridden": sorted(self._overridden), "classes": list(self._classes.known)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot of a network of the same model, streams and calendar."""
        if snapshot["node"].shape != self._node.shape or snapshot["pool"].shape != self._pool.shape:
            raise ScenarioError("the snapshot is of another process")
        self._classes.restore(snapshot["classes"])
        for name in _STATE:
            setattr(self, name, snapshot[name[1:]].copy())
        self._recompile()
        self._now, self._since, planned = snapshot["now"], snapshot["since"], snapshot["planned"]
        self._overridden = set(snapshot["overridden"])
        self._pending.clear()
        self._pending_factor.clear()
        self._planned_days = planned
        if planned:
            self._lay_out(planned - 1)

    def _node_statistics(self, i: int) -> NodeStatistics:
        times = [k.T_WAIT_SERVED, k.T_WAIT_ABANDONED, k.T_WAIT_SQUARED, k.T_SERVICE]
        first = self._count[i, : k.K_WITHIN + 1].tolist()
        row: list[Any] = [*first, *self._total[i, times].tolist(), Histogram(self._histogram[i].copy())]
        more: list[Any] = [float(self._total[i, k.T_PAUSED])]
        return NodeStatistics(*row, *more, *self._count[i, [k.K_RETRIES, k.K_REFUSED, k.K_GIVEN_UP]].tolist())

    def _case_statistics(self, row: int) -> CaseStatistics:
        histograms = [Histogram(self._histogram[row + j].copy()) for j in (0, 2)]
        numbers = [*self._count[row, :3].tolist(), self.in_system, *self._total[row, :3].tolist()]
        values: list[Any] = [*numbers, *histograms]
        return CaseStatistics(*values)

    def _pool_statistics(self, i: int) -> PoolStatistics:
        dt = float(self._now - self._pool[i, k.P_TOUCHED])
        capacity, busy, queue = (int(self._pool[i, j]) for j in (k.P_CAPACITY, k.P_BUSY, k.P_QUEUE))
        staffed = busy if capacity == k.UNLIMITED else max(busy, capacity)
        area = self._area[i] + dt * np.asarray([queue, busy, staffed], np.float64)
        is_staff = self.model.pools[self._tokens.pools[i]].kind == "staff"
        observed = self._now - self._since
        return PoolStatistics(observed, float(area[k.A_BUSY]), float(area[k.A_STAFFED]), float(area[0]), is_staff)

    def _pool_index(self, pool: str) -> int:
        if pool not in self._tokens.pools:
            raise ScenarioError(f"there is no pool {pool!r}", hint=f"Pools: {', '.join(self._tokens.pools)}.")
        return self._tokens.pools.index(pool)

    def _recompile(self) -> None:
        self._columns = len(self._classes.known)
        new = compile_tokens(self.model, self._classes.known, self._tokens.table)
        # The tables of nodes, pools and members hold the state, and do not depend on classes.
        self._tokens = TokenProcess(**{**vars(new), "graph": (self._node, *new.graph[1:])})

    def _keep(self, values: Mapping[str, NDArray[np.float64]], n: int) -> None:
        columns = [_factor(what, values) for what in self._tokens.factors]
        self._pending_factor.append(np.stack(columns, axis=1) if columns else np.zeros((n, 0)))

    def _merge_arrivals(self) -> None:
        if not self._pending:
            return
        done = int(self._state[k.S_ARRIVAL])
        merged = np.concatenate([self._arrival[:, done:], *self._pending], axis=1)
        factors = np.concatenate([self._arrival_factor[done:], *self._pending_factor])
        if np.any(np.diff(merged[0]) < 0):
            order = np.argsort(merged[0], kind="stable")
            merged, factors = merged[:, order], factors[order]
        self._arrival, self._arrival_factor = np.ascontiguousarray(merged), np.ascontiguousarray(factors)
        self._state[k.S_ARRIVAL] = 0
        self._pending.clear()
        self._pending_factor.clear()

    def _needs_plan(self) -> bool:
        if self.model.calendars or any(pool.shifts for pool in self.model.pools.values()):
            return True
        nodes = self.model.nodes.values()
        return any(isinstance(n, Window) or (isinstance(n, Task) and n.batch and n.batch.at) for n in nodes)

    def _plan(self, until: int) -> None:
        """Lay out shifts, windows and calendars at least to `until`."""
        if not self._needs_plan():
            return
        last = self._last_day(until)
        if last < self._planned_days:
            return
        first, last = self._planned_days, last + 7
        self._lay_out(last)
        rows = [*self._capacity_rows(first, last), *self._duty_rows(first, last)]
        new = np.asarray(sorted(rows), np.int64).reshape(-1, 4)
        self._border = np.concatenate([self._coming(), new])
        self._state[k.S_BORDER] = 0
        self._planned_days = last + 1

    def _lay_out(self, last: int) -> None:
        """Tables of windows, of calendars and of the instants of batches."""
        self._windows = windows(self._tokens.model, self._calendar, last)
        firsts, rows = [0], list[tuple[int, int, int]]()
        for calendar in self.model.calendars.values():
            done = 0
            for start, end in self._calendar.hours(calendar, -7, self._calendar.last_known(last + _CALENDAR_DAYS)):
                rows.append((start, end, done))
                done += end - start
            firsts.append(len(rows))
        table = np.asarray(rows, np.int64).reshape(-1, 3)
        self._calendars = (np.asarray(firsts, np.int64), *(np.ascontiguousarray(table[:, j]) for j in range(3)))
        firsts, times = [0], list[int]()
        for name in self._tokens.batches:
            batch = getattr(self.model.nodes[name], "batch", None)
            assert batch is not None
            days = [d for d in range(-1, last + 40) if self._calendar.works(d, batch.days)]
            times.extend(sorted(d * DAY + t for d in days for t in batch.at))
            firsts.append(len(times))
        self._instants = np.asarray(firsts, np.int64), np.asarray(times, np.int64)

    def _capacity_rows(self, first: int, last: int) -> list[tuple[int, int, int, int]]:
        return [
            (instant, k.B_CAPACITY, i, staff)
            for i, pool in enumerate(self.model.pools.values())
            if (pool.shifts or (pool.calendar and not pool.individuals)) and i not in self._overridden
            for instant, staff in capacity_steps(pool, self._calendar, first, last, self._hours(pool.calendar))
        ]

    def _duty_rows(self, first: int, last: int) -> list[tuple[int, int, int, int]]:
        """When individuals come and go."""
        low, high, rows = first * DAY, (last + 1) * DAY, list[tuple[int, int, int, int]]()
        for m in range(len(self._tokens.staff.names)):
            hours = self._hours(self._tokens.staff.calendar(m, self.model))
            if hours is None:
                continue
            for start, end in self._calendar.hours(hours, first - 2, last + 1):
                if start < 0 < end and first == 0:
                    rows.append((0, k.B_DUTY, m, 1))
                rows += [(t, k.B_DUTY, m, on) for t, on in ((start, 1), (end, 0)) if low <= t < high]
        return rows

    def _coming(self) -> Ints:
        return self._border[int(self._state[k.S_BORDER]) :]

    def _grow_cases(self, rows: int) -> None:
        """Give the arrays of cases `rows` rows; the new ones become free, lowest first."""
        old = len(self._case)
        self._case, self._visits = _longer(self._case, rows), _longer(self._visits, rows)
        self._factor = _longer(self._factor, rows)
        self._case[old:, k.C_NEXT] = np.arange(old + 1, rows + 1)
        self._case[rows - 1, k.C_NEXT] = self._state[k.S_FREE_CASE]
        self._case[old:, k.C_SERIAL] = -1
        self._state[k.S_FREE_CASE] = old

    def _grow_rows(self, rows: int) -> None:
        """Give tokens and timers `rows` rows (a power of two); the new ones become free, lowest first."""
        old = len(self._row)
        if rows > SLOT_MASK + 1:
            raise CapacityError(f"more than {SLOT_MASK + 1:,} tokens and timers are in one process")
        self._row = _longer(self._row, rows)
        self._row[old:, k.R_NEXT] = np.arange(old + 1, rows + 1)
        self._row[old:, k.R_SERIAL] = -1
        self._row[rows - 1, k.R_NEXT] = self._state[k.S_FREE_ROW]
        self._state[k.S_FREE_ROW] = old
        self._state[k.S_FREE_ROWS] += rows - old
        tree = np.zeros(4 * rows, np.int64)
        tree[2 * rows :: 2] = NEVER
        tree[2 * rows : 2 * rows + 2 * old] = self._tree[2 * old :]
        self._tree = _winners(tree, rows)
        self._state[k.S_LEAVES] = rows

    def _call(self, until: int) -> int:
        p, s = self._tokens, self._streams
        return int(
            kernel.advance(
                until,
                s.key,
                s.replication,
                _STREAMS,
                p.graph,
                p.laws,
                (len(self.model.deadlines), p.lanes),
                p.hours,
                (self._member, p.rate, p.member_law, p.able, self._member_busy),
                self._calendars,
                self._windows,
                self._instants,
                self._border,
                self._arrival,
                self._arrival_factor,
                self._state,
                self._row,
                self._case,
                self._factor,
                self._visits,
                self._tree,
                self._agenda,
                self._pool,
                self._area,
                self._lists,
                self._runs,
                (self._count, self._total, self._histogram),
                self._deadline,
                self._outcome,
                self._record,
                self._log,
                self._pauses,
                self._logged,
            )
        )


def _factor(what: tuple[Scale, ...] | str, values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return values[what] if isinstance(what, str) else factor(what, values)


def _longer(a: NDArray[Any], rows: int) -> NDArray[Any]:
    return np.concatenate([a, np.zeros((rows - len(a), *a.shape[1:]), a.dtype)])


def _winners(tree: Ints, leaves: int) -> Ints:
    """Fill the inner nodes of a tree of timers from its leaves."""
    width = leaves
    while width > 1:
        below = tree[2 * width : 4 * width].reshape(-1, 2, 2)
        times, keys = below[:, :, 0], below[:, :, 1]
        second = (times[:, 1] < times[:, 0]) | ((times[:, 1] == times[:, 0]) & (keys[:, 1] < keys[:, 0]))
        tree[width : 2 * width] = below[np.arange(len(below)), second.astype(np.int64)].reshape(-1)
        width //= 2
    return tree
