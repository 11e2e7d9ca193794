"""Everything that the functions of the general process kernel read and change."""

from __future__ import annotations

from typing import Any, NamedTuple


class World(NamedTuple):
    """The arrays of a process under way; the functions of the kernel get its address (`w`).

    Columns of tables are listed in `twin.kernels.tokens_layout`. int64, where nothing else is said; n nodes.

    Args:
        key, replication, streams: seed (uint64), replication, numbers of the random streams.
        node: [n, NODE_COLUMNS]. weight: float64[n], felt time per time at a node.
        law: [4n, classes], rows of distributions of service, patience, then the lane, then the delay of retrials.
        edge: [e, 2]. edge_up: float64[e, classes], cumulative probabilities (at a SPLIT each by itself).
        event: [v, EVENT_COLUMNS], the deadlines first. event_law: [v, classes]. event_up: float64[v, classes].
        retry: float64[n, classes]. case_patience: [classes]. reach: bool[n + deadlines, n], what can be reached.
        number: float64[k, 2], numbers of instances and their cumulative shares.
        laws: tuple of dist_kind, dist_parameter, dist_table (see `twin.kernels.durations.sample`).
        n_deadlines, lanes: numbers of deadlines and of priorities.
        hours: float64[k, QUARTERS_OF_WEEK]. rate: float64[m, 65], speed by number of cases. member_law: [n, m].
        able: bool[k, m]. calendars: tuple of first, start, end and work done before.
        windows: tuple, as in `twin.kernels.network`. instants: tuple of first and time: when batches start.
        borders: [b, 4], changes of staff. arrival: [4, a]: time (sorted), request, client, class.
        arrival_factor: float64[a, f]. state: [STATE_SIZE]. row: [rows, ROW_COLUMNS]. case: [cases, CASE_COLUMNS].
        factors: float64[cases, f]. visits: int32[cases, n]. tree: timers, with a leaf for every row.
        agenda: [k, AGENDA_COLUMNS]. pool: [p, POOL_COLUMNS]. area: float64[p, AREA_COLUMNS].
        lists: [k, 3]: head, tail and row of `able` of each queue. runs: [k, 2]: head and tail of work in service.
        member: [m, MEMBER_COLUMNS]. member_busy: [n, m]. count, total (float64), histogram: [n + 2 or 4, columns].
        deadlines: [d, 2], broken and kept. outcome: [o, OUTCOME_COLUMNS], filled if `record`.
        log, pauses: executions of activities and their pauses, filled if `logged`.
    """

    key: Any
    replication: Any
    streams: Any
    node: Any
    weight: Any
    law: Any
    edge: Any
    edge_up: Any
    event: Any
    event_law: Any
    event_up: Any
    retry: Any
    case_patience: Any
    reach: Any
    number: Any
    laws: Any
    n_deadlines: Any
    lanes: Any
    hours: Any
    rate: Any
    member_law: Any
    able: Any
    calendars: Any
    windows: Any
    instants: Any
    borders: Any
    arrival: Any
    arrival_factor: Any
    state: Any
    row: Any
    case: Any
    factors: Any
    visits: Any
    tree: Any
    agenda: Any
    pool: Any
    area: Any
    lists: Any
    runs: Any
    member: Any
    member_busy: Any
    count: Any
    total: Any
    histogram: Any
    deadlines: Any
    outcome: Any
    record: Any
    log: Any
    pauses: Any
    logged: Any


GRAPH = World._fields[3:15]
"""Fields that say what the process is: from `node` to `number`."""
