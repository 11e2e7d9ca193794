"""Runs a process model with several tokens per case, or with staff who are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Outcomes, Requests
from twin.errors import CapacityError, ScenarioError
from twin.kernels import tokens as kernel
from twin.kernels import tokens_layout as k
from twin.kernels.durations import HISTOGRAM_BINS
from twin.kernels.timers import NEVER, SLOT_MASK
from twin.kernels.tokens_world import GRAPH, World
from twin.process.attributes import CaseClasses, factor
from twin.process.calendar import WorkCalendar
from twin.process.compile import windows
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.statistics import (
    DeadlineStatistics,
    PoolStatistics,
    Statistics,
)
from twin.process.tokens_compile import TokenProcess, compile_tokens
from twin.process.tokens_measures import case_statistics, costs, node_statistics, pool_statistics
from twin.process.tokens_plan import batch_instants, borders, calendar_tables, needs_plan
from twin.process.tokens_rows import longer, raise_trouble, winners
from twin.randomness import Stream, Streams

Ints = NDArray[np.int64]
_FIRST_ROWS = 256
_FIRST_CASES = 256
_FIRST_AGENDA = 64
_OUTCOME_BLOCK = 8192
_STREAMS = np.asarray(
    [
        Stream[f"PROCESS_{purpose}"]
        for purpose in ["SERVICE", "PATIENCE", "EVENT", "SPLIT", "INSTANCE", "COUNT", "RETRY", "ALLOCATION", "DEADLINE"]
    ],
    np.int64,
)
"""In the order of `twin.kernels.tokens_layout`."""
_CHANGING = (
    *["arrival", "arrival_factor", "state", "row", "case", "visits", "tree", "agenda", "pool", "area", "lists", "runs"],
    *["member", "member_busy", "count", "total", "histogram", "outcome", "record", "log", "pauses"],
)
"""Fields of the kernel's world that are called here as there."""
_STATE = (
    *["_state", "_node", "_row", "_case", "_factor", "_visits", "_tree", "_agenda", "_pool", "_area", "_lists"],
    *["_runs", "_member", "_member_busy", "_count", "_total", "_histogram", "_deadline"],
    *["_arrival", "_arrival_factor", "_border"],
)
"""Arrays that change while the network runs."""


class TokenNetwork(ProcessNetwork):
    """A process with its cases in the general kernel; constructed by `ProcessNetwork` where a model needs it.

    The arguments are those of `ProcessNetwork`; with `log`, executions of activities are recorded for `executions`.
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
        self._attributes: list[tuple[Ints, dict[str, NDArray[np.float64]]]] = []
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
                self._member[m, [k.M_DUTY, k.M_TAKES]] = 1
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
        raise_trouble(code, self._state, self.model.name, self._tokens.nodes)
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

    def case_attributes(self) -> tuple[Ints, dict[str, NDArray[np.float64]]]:
        """Of a network with a log, the numbers of all cases, sorted, and their attributes (categories as codes)."""
        number = np.concatenate([np.zeros(0, np.int64), *(of for of, _ in self._attributes)])
        order = np.argsort(number, kind="stable")
        return number[order], {
            name: np.concatenate([np.zeros(0), *(values[name] for _, values in self._attributes)])[order]
            for name in self.model.attributes
        }

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
        n, measured = len(self._tokens.nodes), (self._count, self._total, self._histogram)
        nodes = {name: node_statistics(*measured, i) for i, name in enumerate(self._tokens.nodes)}
        pools = {name: self._pool_statistics(i) for i, name in enumerate(self._tokens.pools)}
        deadlines = {
            name: DeadlineStatistics(*self._deadline[i].tolist()) for i, name in enumerate(self.model.deadlines)
        }
        cases = [case_statistics(*measured, row, self.in_system) for row in (n, n + 1)]
        return Statistics(nodes, pools, cases[0], cases[1], self.costs(), deadlines)

    def _pool_statistics(self, i: int) -> PoolStatistics:
        is_staff = self.model.pools[self._tokens.pools[i]].kind == "staff"
        return pool_statistics(self._pool[i], self._area[i], self._now, self._since, is_staff)

    def costs(self) -> dict[str, int]:
        """Fen spent on every task: exact sums, rounded once."""
        return costs(self.model, self._tokens, self._count, self._member_busy)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the individuals, as numbered in executions."""
        return tuple(self._tokens.staff.names)

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

    def _pool_index(self, pool: str) -> int:
        if pool not in self._tokens.pools:
            raise ScenarioError(f"there is no pool {pool!r}", hint=f"Pools: {', '.join(self._tokens.pools)}.")
        return self._tokens.pools.index(pool)

    def _recompile(self) -> None:
        self._columns = len(self._classes.known)
        new = compile_tokens(self.model, self._classes.known, self._tokens.table)
        # The tables of nodes, pools and members hold the state, and do not depend on classes.
        self._tokens = TokenProcess(**{**vars(new), "graph": (self._node, *new.graph[1:])})

    def _keep(self, values: Mapping[str, NDArray[np.float64]], requests: Requests) -> None:
        segment = requests.attribute
        if self._logged:
            self._attributes.append((requests.request, dict(values)))
        columns = [
            values[f] if isinstance(f, str) else factor(f, self.model, values, segment) for f in self._tokens.factors
        ]
        self._pending_factor.append(np.stack(columns, axis=1) if columns else np.zeros((len(segment), 0)))

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

    def _plan(self, until: int) -> None:
        """Lay out shifts, windows and calendars at least to `until`."""
        if not needs_plan(self.model):
            return
        last = self._last_day(until)
        if last < self._planned_days:
            return
        first, last = self._planned_days, last + 7
        self._lay_out(last)
        new = borders(self.model, self._tokens.staff, self._calendar, first, last, self._overridden)
        self._border = np.concatenate([self._coming(), new])
        self._state[k.S_BORDER] = 0
        self._planned_days = last + 1

    def _lay_out(self, last: int) -> None:
        self._windows = windows(self._tokens.model, self._calendar, last)
        self._calendars = calendar_tables(self.model, self._calendar, last)
        self._instants = batch_instants(self.model, self._tokens.batches, self._calendar, last)

    def _coming(self) -> Ints:
        return self._border[int(self._state[k.S_BORDER]) :]

    def _grow_cases(self, rows: int) -> None:
        """Give the arrays of cases `rows` rows; the new ones become free, lowest first."""
        old = len(self._case)
        self._case, self._visits = longer(self._case, rows), longer(self._visits, rows)
        self._factor = longer(self._factor, rows)
        self._case[old:, k.C_NEXT] = np.arange(old + 1, rows + 1)
        self._case[rows - 1, k.C_NEXT] = self._state[k.S_FREE_CASE]
        self._case[old:, k.C_SERIAL] = -1
        self._state[k.S_FREE_CASE] = old

    def _grow_rows(self, rows: int) -> None:
        """Give tokens and timers `rows` rows (a power of two); the new ones become free, lowest first."""
        old = len(self._row)
        if rows > SLOT_MASK + 1:
            raise CapacityError(f"more than {SLOT_MASK + 1:,} tokens and timers are in one process")
        self._row = longer(self._row, rows)
        self._row[old:, k.R_NEXT] = np.arange(old + 1, rows + 1)
        self._row[old:, k.R_SERIAL] = -1
        self._row[rows - 1, k.R_NEXT] = self._state[k.S_FREE_ROW]
        self._state[k.S_FREE_ROW] = old
        self._state[k.S_FREE_ROWS] += rows - old
        tree = np.zeros(4 * rows, np.int64)
        tree[2 * rows :: 2] = NEVER
        tree[2 * rows : 2 * rows + 2 * old] = self._tree[2 * old :]
        self._tree = winners(tree, rows)
        self._state[k.S_LEAVES] = rows

    def _call(self, until: int) -> int:
        p, s = self._tokens, self._streams
        changing = {name: getattr(self, f"_{name}") for name in _CHANGING}
        world = World(
            key=s.key,
            replication=s.replication,
            streams=_STREAMS,
            **dict(zip(GRAPH, p.graph, strict=True)),
            laws=p.laws,
            n_deadlines=len(self.model.deadlines),
            lanes=p.lanes,
            hours=p.hours,
            rate=p.rate,
            member_law=p.member_law,
            able=p.able,
            calendars=self._calendars,
            windows=self._windows,
            instants=self._instants,
            borders=self._border,
            factors=self._factor,
            deadlines=self._deadline,
            logged=self._logged,
            **changing,
        )
        return int(kernel.advance(until, tuple(world)))
