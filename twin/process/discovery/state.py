"""The state of a process at an instant: the cases under way and how far each has come."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin.process.discovery.columns import Int, LogColumns

RUNNING = -1
"""The `end` of an instance that is under way."""


@dataclass(frozen=True)
class WorkState:
    """Cases that may be under way at an instant.

    A case whose instances have all ended may be over or waiting: a simulation decides by the chance of either, given
    what it has done and for how long nothing has happened.

    Attributes:
        now: ns since 1970 UTC.
        names: of the cases.
        offset: first instance of each case, one more than cases.
        activity: index into the process's activities.
        resource: index into the process's resources, -1 = unknown.
        start: ns, not after `now`, not falling within a case.
        end: ns, not after `now`; -1 = under way.
        row: of the observed case whose attributes each case has, -1 = not known; None = of no case.
    """

    now: int
    names: tuple[str, ...]
    offset: Int
    activity: Int
    resource: Int
    start: Int
    end: Int
    row: Int | None = None

    @property
    def attributes(self) -> Int:
        """`row`, for every case."""
        return np.full(self.cases, -1, np.int64) if self.row is None else self.row

    @property
    def cases(self) -> int:
        """Number of cases that may be under way."""
        return len(self.names)

    @property
    def running(self) -> NDArray[np.bool_]:
        """Instances under way."""
        return self.end == RUNNING


def state_of(log: LogColumns, now: int, *, activities: list[str], resources: list[str]) -> WorkState:
    """The state that a log shows at an instant; what happened later is left out.

    Activities that the process does not know are left out; unknown resources count as unknown.

    Args:
        log: the log, which may go on after `now`.
        now: ns.
        activities: names known to the process.
        resources: names known to the process.
    """
    act = {name: i for i, name in enumerate(activities)}
    res = {name: i for i, name in enumerate(resources)}
    to_activity = np.array([act.get(name, -1) for name in log.activities], np.int64)
    to_resource = np.array([*(res.get(name, -1) for name in log.resources), -1], np.int64)
    rows = (log.start <= now) & (to_activity[log.activity] >= 0)
    present = np.unique(log.case[rows])
    sizes = np.bincount(log.case[rows], minlength=log.cases)[present]
    return WorkState(
        now=now,
        names=tuple(log.names[c] for c in present.tolist()),
        offset=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        activity=to_activity[log.activity[rows]],
        resource=to_resource[log.resource[rows]],
        start=log.start[rows],
        end=np.where(log.end[rows] > now, RUNNING, log.end[rows]),
    )


def only(state: WorkState, cases: NDArray[np.bool_]) -> WorkState:
    """The part of a state with the cases of a mask."""
    sizes = np.diff(state.offset)
    rows = np.repeat(cases, sizes)
    return replace(
        state,
        names=tuple(name for name, keep in zip(state.names, cases.tolist(), strict=True) if keep),
        offset=np.concatenate([[0], np.cumsum(sizes[cases])]).astype(np.int64),
        activity=state.activity[rows],
        resource=state.resource[rows],
        start=state.start[rows],
        end=state.end[rows],
        row=None if state.row is None else state.row[cases],
    )
