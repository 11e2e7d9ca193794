"""Pools and individuals as the arrays that the general kernel reads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from twin.errors import ScenarioError
from twin.kernels import tokens_layout as k
from twin.process.model import ProcessModel
from twin.process.nodes import Task
from twin.process.staff import Member, Pool

_RULES = {"longest_idle": k.LONGEST_IDLE, "preferred": k.PREFERRED, "random": k.ANY}
_MOST_AT_ONCE = 64


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


class Pools:
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
            row[k.P_FREE_FIRST] = pool.given_to == "first_free"
            row[k.P_OLDEST] = pool.queue == "oldest_case"
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
