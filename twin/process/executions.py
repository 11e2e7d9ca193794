"""The event log of a run: one row per execution of an activity, with who did it and when it could have begun."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from twin.clock import DAY
from twin.kernels import tokens_layout as k
from twin.process.eventlog.log import CASE_PREFIX, ENABLED, TIME, EventLog
from twin.process.tokens import TokenNetwork

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
MONDAY = dt.date(2026, 1, 5)
"""Day 0 of a run without a date."""
_EPOCH = dt.date(1970, 1, 1)


def event_log(network: TokenNetwork, start: dt.date | None = None, *, whole: bool = True, first: int = 0) -> EventLog:
    """What a network has executed since it was last asked, with the attributes of the cases.

    Args:
        network: made with `log=True`.
        start: date of day 0; its times count as UTC.
        whole: leave out work that was given up or is under way.
        first: number of the first case that is wanted.
    """
    rows, _ = network.executions()
    if whole:
        rows = rows[(rows[:, k.L_COMPLETE] == 1) & (rows[:, k.L_END] >= rows[:, k.L_START])]
    rows = rows[rows[:, k.L_REQUEST] >= first]
    base = ((start or MONDAY) - _EPOCH).days * DAY
    names = [node.label or name for name, node in network.model.nodes.items() if hasattr(node, "label")]
    labels = dict(zip((n for n, node in network.model.nodes.items() if hasattr(node, "label")), names, strict=True))
    nodes = np.asarray([labels.get(network.node_name(i), "") for i in range(len(network.model.nodes))], object)
    members = network.members
    resources = np.asarray([*members, *network.model.pools], object)
    who = np.where(rows[:, k.L_MEMBER] >= 0, rows[:, k.L_MEMBER], len(members) + rows[:, k.L_POOL])
    return EventLog.from_columns(
        case=pa.array((rows[:, k.L_REQUEST] + 1 - first).astype(str)),
        activity=pa.array(nodes[rows[:, k.L_NODE]] if len(rows) else [], pa.string()),
        resource=pa.array(resources[who] if len(rows) else [], pa.string()),
        start=_times(rows[:, k.L_START] + base),
        end=_times(rows[:, k.L_END] + base),
        attributes={ENABLED: _times(rows[:, k.L_ENABLED] + base), **_of_cases(network, rows[:, k.L_REQUEST])},
    )


def _of_cases(network: TokenNetwork, requests: Ints) -> dict[str, pa.Array]:
    """The attributes of the cases of some rows, in columns that begin with `case:`.

    Those of cases that came before the network was restored from a snapshot are not known.
    """
    known, values = network.case_attributes()
    at = np.searchsorted(known, requests)
    lost = np.append(known, -1)[at] != requests
    columns = {}
    for name, spec in network.model.attributes.items():
        column = np.append(values[name], 0.0)[at]
        named = name if name.startswith(CASE_PREFIX) else CASE_PREFIX + name
        texts = np.asarray(spec.names, object)[column.astype(np.int64)] if spec.names else column
        columns[named] = pa.array(texts, pa.string() if spec.names else pa.float64(), mask=lost)
    return columns


def _times(ns: Ints) -> pa.Array:
    """Instants as the log has them, to the microsecond."""
    return pa.array(ns // 1000, pa.int64()).cast(TIME)
