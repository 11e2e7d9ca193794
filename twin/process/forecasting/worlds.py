"""What happened as the log tells it, in the form that the measures are taken from."""

from __future__ import annotations

import numpy as np

from twin.process.eventlog.log import EventLog
from twin.process.forecasting.columns import NEVER, Columns
from twin.process.forecasting.measures import World
from twin.process.forecasting.state import State, state_at
from twin.process.forecasting.week import DAY

_RECENT = 28 * DAY
"""People who worked in this time before an instant are those that utilisation counts with."""


def world_of_state(state: State) -> World:
    """The past as it was known at an instant: cases that may be open count by their chance."""
    columns, idle = state.columns, state.idle
    none = np.full(len(idle), NEVER, np.int64)
    lost = (columns.end == NEVER) & ~state.running
    work = (columns.start, np.where(lost, columns.start, columns.end), columns.enabled, columns.resource)
    quiet = (none, none, state.last[idle], np.full(len(idle), -1, np.int64))
    start, end, enabled, resource = (np.concatenate(pair) for pair in zip(work, quiet, strict=True))
    weight = np.concatenate([np.ones(len(columns)), state.chance[idle]])
    ended = np.where(state.chance >= 1.0, NEVER, state.last)
    share = np.where(ended == NEVER, 1.0, 1.0 - state.chance)
    return World(state.born, ended, share, start, end, enabled, resource, weight)


def world_of_log(log: EventLog) -> World:
    """What happened in a whole log; cases that still look open at its end count as open by their chance."""
    return world_of_state(state_at(log, end_of(log), cut=False))


def end_of(log: EventLog) -> int:
    """The first instant (ns) at which everything in a log has happened."""
    latest = [value for name in ("start", "end") if (value := _latest(log, name)) is not None]
    return max(latest, default=0) + 1_000


def _latest(log: EventLog, name: str) -> int | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    value = pc.max(log.table[name].cast(pa.int64())).as_py()
    return None if value is None else int(value) * 1_000


def people_at(columns: Columns, instant: int) -> int:
    """How many people worked in the four weeks before an instant."""
    rows = (columns.start >= instant - _RECENT) & (columns.start < instant)
    who = columns.resource[rows]
    return max(len(np.unique(who[who >= 0])), 1)
