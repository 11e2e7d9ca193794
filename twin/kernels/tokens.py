"""Exact discrete-event execution of a process with several tokens per case: the general process kernel.

What happens is cut into actions on an agenda, of which the last put is done first. An action looks whether the arrays
have room for it before it changes anything, so the kernel can stop between any two, have an array grown, and go on.
Each piece of work therefore exists once in the compiled code. Every timer is a leaf of one winner tree and is removed
as soon as it has lost its point; rows of finished tokens are used again.

Events of one instant are handled in the order: borders of shifts, timers (by sequence), arrivals (in the order given).
Draws are functions of (case, node, visit); those that `twin.kernels.network` also makes are the same there.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined, kernel
from twin.kernels.durations import bin_of, sample
from twin.kernels.philox import block, unit32
from twin.kernels.timers import LAST_SEQUENCE, SLOT_MASK
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import (
    append,
    arm,
    disarm,
    flag,
    free_alarms,
    free_row,
    insert_in_order,
    join_case,
    leave_case,
    new_row,
    push,
    unlink,
)
from twin.kernels.tokens_servers import (
    busy_member,
    credit_counted,
    credit_named,
    duration_at,
    first_waiting,
    free_member,
    has_server,
    lane_of,
    list_of,
    take_from_run,
    touch,
    victim,
    work_left,
    working_time,
)
from twin.kernels.tokens_withdraw import batch_due, log_row, withdraw


@inlined
def _record_case(case, statistics, c, row, now):
    """Count the times of a case that is done (row = number of nodes) or has reached the milestone (the row after)."""
    _, total, histogram = statistics
    sojourn = now - case[c, C_BORN]
    total[row, T_SOJOURN] += sojourn
    total[row, T_ACTIVE] += case[c, C_ACTIVE]
    total[row, T_WAIT] += case[c, C_WAIT]
    histogram[row, bin_of(sojourn)] += 1
    histogram[row + 2, bin_of(case[c, C_ACTIVE])] += 1


@inlined
def _served_wait(node, case, statistics, n, c, wait):
    """Count the wait of a token whose service begins."""
    count, total, histogram = statistics
    count[n, K_STARTS] += 1
    if wait == 0:
        count[n, K_NO_WAIT] += 1
    if wait <= node[n, N_TARGET]:
        count[n, K_WITHIN] += 1
    histogram[n, bin_of(wait)] += 1
    total[n, T_WAIT_SERVED] += wait
    total[n, T_WAIT_SQUARED] += np.float64(wait) * np.float64(wait)
    case[c, C_WAIT] += wait
    if node[n, N_ACTIVE]:
        case[c, C_ACTIVE] += wait
        case[c, C_FELT] += wait


@inlined
def _work_of(graph, laws, factors, hours, member_law, state, row, case, r, m, now):
    """Work in ns of one token at a task: the drawn service time and its factors."""
    node, law = graph[0], graph[2]
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    d = law[4 * n, case[c, C_CLASS]]
    if m >= 0 and member_law[n, m] >= 0:
        d = member_law[n, m]
    work = sample(d, *laws, row[r, R_WORD])
    if node[n, N_FACTOR] >= 0:
        work = np.int64(work * factors[c, node[n, N_FACTOR]] + 0.5)
    if node[n, N_HOURS] >= 0:
        quarter = (now // QUARTER + state[S_WEEKDAY] * 96) % QUARTERS_OF_WEEK
        work = np.int64(work * hours[node[n, N_HOURS], quarter] + 0.5)
    return work


@kernel
def _deadlines(key, replication, streams, graph, laws, calendars, sizes, deadlines, state, tree, row, case, c, n, now):
    """Stop the clocks that a node stops (-1: the beginning of the case), and start those that it starts."""
    event, event_law = graph[5], graph[6]
    for d in range(sizes[0]):
        if event[d, V_UNTIL] != n and event[d, V_BEGINS] != n:
            continue
        before = NONE
        x = case[c, C_ALARMS]
        while x >= 0 and row[x, R_INDEX] != d:
            before = x
            x = row[x, R_CASE_NEXT]
        if x >= 0 and event[d, V_UNTIL] == n:
            deadlines[d, 1] += 1
            disarm(state, tree, x)
            if before >= 0:
                row[before, R_CASE_NEXT] = row[x, R_CASE_NEXT]
            else:
                case[c, C_ALARMS] = row[x, R_CASE_NEXT]
            free_row(state, row, x)
            x = NONE
        if x < 0 and event[d, V_BEGINS] == n:
            x = new_row(state, row, DEADLINE, c)
            row[x, R_STATE] = ARMED
            row[x, R_INDEX] = d
            row[x, R_CASE_NEXT] = case[c, C_ALARMS]
            case[c, C_ALARMS] = x
            words = block(key, replication, streams[Q_DEADLINE], case[c, C_ENTITY], np.uint64(d))
            after = sample(event_law[d, case[c, C_CLASS]], *laws, np.int64(words[0]))
            arm(state, tree, x, working_time(calendars, event[d, V_CALENDAR], now, after))


@kernel
def advance(
    until,
    key,
    replication,
    streams,
    graph,
    laws,
    sizes,
    hours,
    members,
    calendars,
    windows,
    instants,
    borders,
    arrival,
    arrival_factor,
    state,
    row,
    case,
    factors,
    visits,
    tree,
    agenda,
    pool,
    pool_area,
    lists,
    runs,
    statistics,
    deadlines,
    outcome,
    record,
    log,
    pauses,
    logged,
):
    """Handle every event strictly before `until`, or stop early with a code when an array is full.

    Args:
        until: ns. key: uint64 seed. replication: int64. streams: int64, as listed in the layout.
        graph: tuple of node int64[n, NODE_COLUMNS]; weight float64[n]; law int64[4n, classes], rows of distributions of
            service, patience, then the lane, then the delay of retrials; edge int64[e, 2]; edge_up float64[e, classes],
            cumulative probabilities (at a SPLIT each by itself); event int64[v, EVENT_COLUMNS], the deadlines first;
            event_law int64[v, classes]; event_up float64[v, classes]; retry float64[n, classes]; case_patience
            int64[classes]; reach bool[n, n], which nodes can be reached from which; number float64[k, 2], the
            cumulative shares of numbers of instances.
        laws: tuple of dist_kind, dist_parameter, dist_table (see `twin.kernels.durations.sample`).
        sizes: tuple of the numbers of deadlines and lanes.
        hours: float64[k, QUARTERS_OF_WEEK]. members: tuple of member, rate float64[m, 65], member_law int64[n, m],
            able bool[k, m], member_busy int64[n, m].
        calendars: tuple of first, start, end and work done before, int64. windows: as in `twin.kernels.network`.
        instants: tuple of first and time, int64: times of day at which batches start. borders: int64[b, 4].
        arrival: int64[4, a]: time (sorted), request, client, class. arrival_factor: float64[a, f].
        tree: timers, int64 (see `twin.kernels.timers`), with a leaf for every row.
        lists: int64[k, 3]: head, tail and row of `able` of each queue. runs: int64[k, 2].
        statistics: tuple of count, total, histogram. deadlines: int64[d, 2], broken and kept.
    """
    node, weight, law, edge, edge_up, event, event_law, event_up, retry, case_patience, reach, number = graph
    member, rate, member_law, able, member_busy = members
    window_first, window_limit, window_open = windows
    count, total, _ = statistics
    n_deadlines, lanes = sizes
    n_arrivals, n_borders, n_nodes = arrival.shape[1], borders.shape[0], node.shape[0]
    if state[S_SEQUENCE] >= LAST_SEQUENCE >> 1:
        return EXHAUSTED
    while True:
        if state[S_AGENDA] == 0:
            c = state[S_CHECK]
            if c >= 0:
                # The event is over: an inclusive join fires if nothing else of the case can still come to it.
                if state[S_AGENDA] + MARGIN > agenda.shape[0]:
                    return AGENDA_FULL
                fires = NONE
                first = NONE
                x = case[c, C_HEAD] if case[c, C_JOINED] > 0 else NONE
                while x >= 0 and fires < 0:
                    if row[x, R_STATE] == JOINED and node[row[x, R_NODE], N_KIND] == MERGE:
                        n = row[x, R_NODE]
                        if first < 0:
                            first = n
                        fires = n
                        y = case[c, C_HEAD]
                        while y >= 0:
                            elsewhere = row[y, R_STATE] != JOINED or row[y, R_NODE] != n
                            if elsewhere and row[y, R_KIND] == TOKEN:
                                if row[y, R_NODE] < 0 or reach[row[y, R_NODE], n]:
                                    fires = NONE
                                    break
                            y = row[y, R_CASE_NEXT]
                    x = row[x, R_CASE_NEXT]
                if fires < 0 and case[c, C_JOINED] > 0 and case[c, C_JOINED] == case[c, C_TOKENS]:
                    fires = first
                    if first < 0:
                        state[S_TROUBLE] = case[c, C_REQUEST]
                        state[S_TROUBLE_NODE] = row[case[c, C_HEAD], R_NODE]
                        return STUCK
                if fires < 0:
                    state[S_CHECK] = case[c, C_NEXT]
                    case[c, C_FLAG] = 0
                    if case[c, C_SERIAL] < 0:
                        case[c, C_NEXT] = state[S_FREE_CASE]
                        state[S_FREE_CASE] = c
                    continue
                last = NONE
                x = case[c, C_HEAD]
                while x >= 0:
                    after = row[x, R_CASE_NEXT]
                    if row[x, R_STATE] == JOINED and row[x, R_NODE] == fires:
                        case[c, C_JOINED] -= 1
                        total[fires, T_WAIT_SERVED] += state[S_NOW] - row[x, R_ENTERED]
                        if last >= 0:
                            gone = last
                            if row[x, R_ORDER] > row[last, R_ORDER]:
                                last = x
                            else:
                                gone = x
                            leave_case(row, case, c, gone)
                            free_row(state, row, gone)
                            case[c, C_TOKENS] -= 1
                        else:
                            last = x
                    x = after
                count[fires, K_COMPLETIONS] += 1
                row[last, R_STATE] = TRANSIT
                push(state, agenda, ROUTE, last, 0, row[last, R_SERIAL])
                continue
            a, b = state[S_ARRIVAL], state[S_BORDER]
            t_arrival = arrival[0, a] if a < n_arrivals else FOREVER
            t_border = borders[b, B_TIME] if b < n_borders else FOREVER
            t_timer = tree[2]
            now = min(t_arrival, t_border, t_timer)
            if now >= until:
                return DONE
            if state[S_FREE_ROWS] < n_deadlines + 2:
                return ROWS_FULL
            if t_border == now:
                state[S_NOW] = now
                state[S_BORDER] += 1
                w = borders[b, B_WHOSE]
                if borders[b, B_KIND] == B_CAPACITY:
                    touch(pool, pool_area, w, now)
                    pool[w, P_CAPACITY] = borders[b, B_VALUE]
                    push(state, agenda, SEEK, w, -1, 0)
                    if pool[w, P_PAUSE]:
                        push(state, agenda, TRIM, w, -1, 0)
                else:
                    p = member[w, M_POOL]
                    if member[w, M_DUTY] != borders[b, B_VALUE]:
                        touch(pool, pool_area, p, now)
                        member[w, M_DUTY] = borders[b, B_VALUE]
                        pool[p, P_CAPACITY] += 1 if member[w, M_DUTY] else -1
                        if pool[p, P_PAUSE]:
                            push(state, agenda, TRIM, p, w, 0)
                        elif member[w, M_DUTY]:
                            push(state, agenda, SEEK, p, w, 0)
                        if member[w, M_DUTY]:
                            state[S_IDLE] += 1
                            member[w, M_IDLE] = state[S_IDLE]
                continue
            if t_timer == now:
                r = tree[3] & SLOT_MASK
                c = row[r, R_CASE]
                kind = row[r, R_KIND]
                # Room for whatever a deadline or an interrupting boundary gives up.
                if kind == EVENT or kind == DEADLINE:
                    rows = 0
                    x = case[c, C_HEAD]
                    while x >= 0:
                        rows += 1
                        x = row[x, R_CASE_NEXT]
                    if 3 * rows + MARGIN > agenda.shape[0]:
                        return AGENDA_FULL
                    if logged and state[S_LOG] + rows > log.shape[0]:
                        return LOG_FULL
                state[S_NOW] = now
                disarm(state, tree, r)
                here = row[r, R_NODE]
                if kind == BATCH_TIMER:
                    push(state, agenda, FIRE, here, 0, 0)
                elif kind == EVENT:
                    v = row[r, R_INDEX]
                    host = row[r, R_HOST]
                    x = row[host, R_ALARMS]
                    if x == r:
                        row[host, R_ALARMS] = row[r, R_CASE_NEXT]
                    else:
                        while row[x, R_CASE_NEXT] != r:
                            x = row[x, R_CASE_NEXT]
                        row[x, R_CASE_NEXT] = row[r, R_CASE_NEXT]
                    free_row(state, row, r)
                    if event[v, V_INTERRUPTS]:
                        count[row[host, R_NODE], K_GIVEN_UP] += 1
                        push(state, agenda, GO, host, event[v, V_EDGE], row[host, R_SERIAL])
                        if row[host, R_STATE] == HOSTING:
                            push(state, agenda, RETIRE, c, host, case[c, C_SERIAL])
                        withdraw(
                            node,
                            row,
                            case,
                            pool,
                            pool_area,
                            member,
                            member_busy,
                            rate,
                            lists,
                            runs,
                            count,
                            total,
                            state,
                            tree,
                            agenda,
                            instants,
                            log,
                            logged,
                            host,
                            now,
                        )
                        if case[c, C_JOINED] > 0:
                            flag(state, case, c)
                    else:
                        x = new_row(state, row, TOKEN, c)
                        row[x, R_NODE] = row[host, R_NODE]
                        join_case(row, case, c, x)
                        case[c, C_TOKENS] += 1
                        push(state, agenda, GO, x, event[v, V_EDGE], row[x, R_SERIAL])
                elif kind == DEADLINE:
                    v = row[r, R_INDEX]
                    deadlines[v, 0] += 1
                    x = case[c, C_ALARMS]
                    if x == r:
                        case[c, C_ALARMS] = row[r, R_CASE_NEXT]
                    else:
                        while row[x, R_CASE_NEXT] != r:
                            x = row[x, R_CASE_NEXT]
                        row[x, R_CASE_NEXT] = row[r, R_CASE_NEXT]
                    free_row(state, row, r)
                    if event[v, V_EDGE] >= 0:
                        x = new_row(state, row, TOKEN, c)
                        row[x, R_NODE] = -1
                        join_case(row, case, c, x)
                        case[c, C_TOKENS] += 1
                        push(state, agenda, GO, x, event[v, V_EDGE], row[x, R_SERIAL])
                        if event[v, V_INTERRUPTS]:
                            push(state, agenda, RETIRE, c, -1 - v, case[c, C_SERIAL])
                elif row[r, R_STATE] == SERVING:
                    push(state, agenda, FINISH, r, 0, row[r, R_SERIAL])
                elif row[r, R_STATE] == RETRYING:
                    push(state, agenda, ENTER, r, here, row[r, R_SERIAL])
                elif row[r, R_STATE] == RESTING:
                    row[r, R_STATE] = TRANSIT
                    count[here, K_COMPLETIONS] += 1
                    leaves = False
                    if case[c, C_LIMIT] >= 0 and node[here, N_ACTIVE]:
                        case[c, C_FELT] += np.int64(row[r, R_SERVICE] * weight[here])
                        if case[c, C_FELT] >= case[c, C_LIMIT]:
                            count[here, K_LEFT] += 1
                            leaves = True
                    if leaves:
                        push(state, agenda, LEAVE, r, 0, row[r, R_SERIAL])
                    elif node[here, N_KIND] == RACE:
                        push(state, agenda, GO, r, row[r, R_EDGE], row[r, R_SERIAL])
                    else:
                        push(state, agenda, ROUTE, r, 0, row[r, R_SERIAL])
                else:
                    # Patience is over: waiting, collected for a batch, or in a batch that has not started.
                    wait = now - row[r, R_ENTERED]
                    case[c, C_WAIT] += wait
                    if node[here, N_ACTIVE]:
                        case[c, C_ACTIVE] += wait
                    count[here, K_ABANDONED] += 1
                    total[here, T_WAIT_ABANDONED] += wait
                    push(state, agenda, LEAVE, r, 1, row[r, R_SERIAL])
                    withdraw(
                        node,
                        row,
                        case,
                        pool,
                        pool_area,
                        member,
                        member_busy,
                        rate,
                        lists,
                        runs,
                        count,
                        total,
                        state,
                        tree,
                        agenda,
                        instants,
                        log,
                        logged,
                        r,
                        now,
                    )
                continue
            c = state[S_FREE_CASE]
            if c < 0:
                return CASES_FULL
            state[S_NOW] = now
            state[S_FREE_CASE] = case[c, C_NEXT]
            state[S_ARRIVAL] += 1
            state[S_INSIDE] += 1
            case[c, C_REQUEST] = arrival[1, a]
            case[c, C_CLIENT] = arrival[2, a]
            case[c, C_CLASS] = arrival[3, a]
            case[c, C_ENTITY] = arrival[1, a] + state[S_BASE]
            case[c, C_SERIAL] = state[S_SERIAL]
            state[S_SERIAL] += 1
            case[c, C_BORN] = now
            case[c, C_WAIT] = case[c, C_FELT] = case[c, C_ACTIVE] = case[c, C_JOINED] = case[c, C_FLAG] = 0
            case[c, C_HEAD] = case[c, C_TAIL] = case[c, C_ALARMS] = case[c, C_LAST] = case[c, C_LIMIT] = -1
            case[c, C_TOKENS] = 1
            for i in range(factors.shape[1]):
                factors[c, i] = arrival_factor[a, i]
            d = case_patience[case[c, C_CLASS]]
            if d >= 0:
                words = block(key, replication, streams[Q_PATIENCE], case[c, C_ENTITY], np.uint64(0))
                case[c, C_LIMIT] = sample(d, *laws, np.int64(words[0]))
            for i in range(n_nodes):
                visits[c, i] = 0
            _deadlines(
                key,
                replication,
                streams,
                graph,
                laws,
                calendars,
                sizes,
                deadlines,
                state,
                tree,
                row,
                case,
                c,
                -1,
                now,
            )
            r = new_row(state, row, TOKEN, c)
            row[r, R_NODE] = -1
            join_case(row, case, c, r)
            push(state, agenda, GO, r, 0, row[r, R_SERIAL])
            continue

        # The next action.
        if state[S_AGENDA] + MARGIN > agenda.shape[0]:
            return AGENDA_FULL
        now = state[S_NOW]
        i = state[S_AGENDA] - 1
        action = agenda[i, 0]
        r = agenda[i, 1]
        argument = agenda[i, 2]
        state[S_AGENDA] = i
        if action <= INSTANCES and row[r, R_SERIAL] != agenda[i, 3]:
            continue

        if action == FINISH:
            n = row[r, R_NODE]
            items = np.int64(1)
            if row[r, R_KIND] == CARRIER:
                items = row[r, R_LEFT]
                if i + 2 * items + MARGIN > agenda.shape[0]:
                    state[S_AGENDA] = i + 1
                    return AGENDA_FULL
            if logged and state[S_LOG] + items > log.shape[0]:
                state[S_AGENDA] = i + 1
                return LOG_FULL
            p = row[r, R_POOL]
            m = row[r, R_MEMBER]
            take_from_run(row, pool, member, runs, r)
            total[n, T_PAUSED] += row[r, R_LOST]
            c = row[r, R_CASE]
            if m >= 0:
                owner = NONE if row[r, R_KIND] == CARRIER else c
                credit_named(
                    node, case, count, total, member_busy, n, owner, m, now - row[r, R_SINCE], member[m, M_LOAD]
                )
            row[r, R_STATE] = TRANSIT
            unit = r
            x = r
            if row[r, R_KIND] == CARRIER:
                # Its items go their ways in the order in which they came, so the last is put first.
                x = row[r, R_TAIL]
            while x >= 0:
                c = row[x, R_CASE]
                count[n, K_COMPLETIONS] += 1
                if logged:
                    log_row(log, state, row, case, x, unit, c, now, 1)
                leaves = False
                if row[unit, R_KIND] == CARRIER:
                    if node[n, N_ACTIVE]:
                        case[c, C_ACTIVE] += now - row[unit, R_START]
                    case[c, C_WAIT] += row[unit, R_LOST]
                    row[x, R_HOST] = -1
                    row[x, R_STATE] = TRANSIT
                if case[c, C_LIMIT] >= 0 and node[n, N_ACTIVE]:
                    case[c, C_FELT] += np.int64(row[unit, R_SERVICE] * weight[n])
                    if case[c, C_FELT] >= case[c, C_LIMIT]:
                        count[n, K_LEFT] += 1
                        leaves = True
                serial = row[x, R_SERIAL]
                after = row[x, R_PREVIOUS]
                if leaves:
                    push(state, agenda, LEAVE, x, 0, serial)
                elif row[x, R_KIND] == INSTANCE:
                    host = row[x, R_HOST]
                    row[host, R_LEFT] -= 1
                    leave_case(row, case, c, x)
                    free_row(state, row, x)
                    if row[host, R_LEFT] == 0:
                        row[host, R_STATE] = TRANSIT
                        push(state, agenda, ROUTE, host, 0, row[host, R_SERIAL])
                elif node[n, N_REPEAT] == SEQUENTIAL and row[x, R_LEFT] > 0:
                    row[x, R_LEFT] -= 1
                    row[x, R_INDEX] += 1
                    row[x, R_ENTERED] = now
                    words = block(
                        key,
                        replication,
                        streams[Q_INSTANCE] + row[x, R_INDEX],
                        case[c, C_ENTITY],
                        np.uint64(n * MAX_VISITS + row[x, R_VISIT]),
                    )
                    row[x, R_WORD] = np.int64(words[0])
                    row[x, R_LEAVE] = np.int64(words[2])
                    push(state, agenda, WORK, x, 0, serial)
                else:
                    push(state, agenda, ROUTE, x, 0, serial)
                    if unit == x:
                        # A token keeps its server until it is known that it need not wait for room.
                        row[x, R_LEFT] = 0
                        row[x, R_START] = row[x, R_LOOSE] = -1
                        row[x, R_LOST] = 0
                        p = NONE
                        break
                if unit == x:
                    break
                x = after
            if p >= 0:
                if row[unit, R_KIND] == CARRIER:
                    free_row(state, row, unit)
                elif row[unit, R_KIND] == TOKEN:
                    row[unit, R_POOL] = row[unit, R_MEMBER] = row[unit, R_START] = row[unit, R_LOOSE] = -1
                    row[unit, R_LOST] = 0
                push(state, agenda, FREE, p, m, 0)
            continue

        if action == ROUTE or action == GO:
            # Choose the way and follow it through exclusive gateways.
            if state[S_FREE_ROWS] < n_deadlines:
                state[S_AGENDA] = i + 1
                return ROWS_FULL
            c = row[r, R_CASE]
            e = argument
            here = row[r, R_NODE]
            word = row[r, R_ROUTE]
            routing = action == ROUTE
            if row[r, R_ALARMS] >= 0:
                free_alarms(state, tree, row, r)
            attribute = case[c, C_CLASS]
            n = here
            while True:
                if routing:
                    e = node[here, N_EDGE]
                    first = e
                    last = node[here, N_EDGE_END] - 1
                    if e < last:
                        u = unit32(word)
                        while e < last and u >= edge_up[e, attribute]:
                            e += 1
                    if node[here, N_REWORK] and e == first:
                        limit = node[here, N_LIMIT]
                        if limit > 0 and visits[c, here] >= limit:
                            e = node[here, N_OTHERWISE]
                        else:
                            count[here, K_REWORK] += 1
                n = edge[e, E_TARGET]
                if node[n, N_KIND] != CHOICE:
                    break
                visit = np.int64(visits[c, n])
                if visit == MAX_VISITS - 1:
                    return RUNAWAY
                visits[c, n] = visit + 1
                count[n, K_ARRIVALS] += 1
                if node[n, N_MILESTONE] and visit == 0:
                    count[n_nodes + 1, SERVED] += 1
                    _record_case(case, statistics, c, n_nodes + 1, now)
                if n_deadlines > 0:
                    _deadlines(
                        key,
                        replication,
                        streams,
                        graph,
                        laws,
                        calendars,
                        sizes,
                        deadlines,
                        state,
                        tree,
                        row,
                        case,
                        c,
                        n,
                        now,
                    )
                word = np.int64(0)
                if node[n, N_DRAWS]:
                    words = block(
                        key,
                        replication,
                        streams[Q_SERVICE],
                        case[c, C_ENTITY],
                        np.uint64(n * MAX_VISITS + visit),
                    )
                    word = np.int64(words[1])
                here = n
                routing = True
            row[r, R_EDGE] = edge[e, E_WAY]
            p = row[r, R_POOL]
            m = row[r, R_MEMBER]
            if node[n, N_FULL] == BLOCK and (
                node[n, N_BLOCKED_HEAD] >= 0
                or (
                    node[n, N_WAITING] >= node[n, N_QUEUE]
                    and not has_server(node, pool, member, able, n, node[n, N_POOL])
                )
            ):
                row[r, R_STATE] = BLOCKED
                row[r, R_LEFT] = n
                row[r, R_SINCE] = now
                append(row, node, n, N_BLOCKED_HEAD, N_BLOCKED_TAIL, r)
                state[S_BLOCKED] += 1
                continue
            row[r, R_POOL] = row[r, R_MEMBER] = -1
            if p < 0:
                push(state, agenda, ENTER, r, n, row[r, R_SERIAL])
                continue
            if node[n, N_FULL] == BLOCK:
                # Room is taken before the server is given back.
                push(state, agenda, FREE, p, m, 0)
                push(state, agenda, ENTER, r, n, row[r, R_SERIAL])
                continue
            push(state, agenda, ENTER, r, n, row[r, R_SERIAL])
            # The server is free before the token arrives anywhere: those who wait come first.
            action = FREE
            r = p
            argument = m

        if action == FREE:
            p = r
            m = argument
            touch(pool, pool_area, p, now)
            if m < 0:
                pool[p, P_BUSY] -= 1
            else:
                busy_member(pool, member, p, m)
                state[S_IDLE] += 1
                member[m, M_IDLE] = state[S_IDLE]
                if member[m, M_MOST] > 1 and member[m, M_LOAD] > 0:
                    push(state, agenda, SEEK, p, m, 0)
                    action = PACE
                    r = m
                    argument = member[m, M_LOAD] + 1
            if action == FREE:
                action = SEEK

        if action == SEEK:
            # A pool, or a member of it, looks for work.
            p = r
            m = argument
            if m < 0 and pool[p, P_NAMED]:
                continue
            free = pool[p, P_BUSY] < pool[p, P_CAPACITY]
            if m >= 0:
                free = member[m, M_DUTY] > 0 and member[m, M_LOAD] < member[m, M_MOST]
            if not free:
                continue
            best = where = NONE
            if pool[p, P_QUEUE] > 0:
                best, where = first_waiting(row, pool, lists, able, lanes, p, m)
            if best < 0:
                if state[S_BLOCKED] > 0:
                    if state[S_AGENDA] + n_nodes + MARGIN > agenda.shape[0]:
                        # Nothing has changed: seek again when there is room.
                        push(state, agenda, SEEK, p, m, 0)
                        return AGENDA_FULL
                    for n in range(n_nodes):
                        if node[n, N_BLOCKED_HEAD] >= 0 and node[n, N_POOL] == p:
                            push(state, agenda, ADMIT, n, 0, 0)
                continue
            touch(pool, pool_area, p, now)
            unlink(row, lists, where, 0, 1, best)
            pool[p, P_QUEUE] -= 1
            n = row[best, R_NODE]
            node[n, N_WAITING] -= 1
            if m < 0:
                pool[p, P_BUSY] += 1
                if pool[p, P_QUEUE] > 0 or state[S_BLOCKED] > 0:
                    if pool[p, P_BUSY] < pool[p, P_CAPACITY]:
                        push(state, agenda, SEEK, p, -1, 0)
            else:
                if member[m, M_LOAD] == 0 and not member[m, M_PAUSED]:
                    pool[p, P_BUSY] += 1
                member[m, M_LOAD] += 1
                if member[m, M_LOAD] < member[m, M_MOST]:
                    push(state, agenda, SEEK, p, m, 0)
            if node[n, N_FULL] == BLOCK and node[n, N_BLOCKED_HEAD] >= 0:
                push(state, agenda, ADMIT, n, 0, 0)
            row[best, R_POOL] = p
            row[best, R_MEMBER] = m
            r = best
            action = START
            if m >= 0 and member[m, M_LOAD] > 1:
                push(state, agenda, START, r, 0, row[r, R_SERIAL])
                action = PACE
                r = m
                argument = member[m, M_LOAD] - 1

        if action == ENTER:
            # A token comes to a node that is no exclusive gateway.
            n = argument
            kind = node[n, N_KIND]
            c = row[r, R_CASE]
            if state[S_FREE_ROWS] < node[n, N_NEED] or i + node[n, N_NEED] + MARGIN > agenda.shape[0]:
                state[S_AGENDA] = i + 1
                return ROWS_FULL if state[S_FREE_ROWS] < node[n, N_NEED] else AGENDA_FULL
            row[r, R_STATE] = TRANSIT
            count[n, K_ARRIVALS] += 1
            if case[c, C_JOINED] > 0:
                flag(state, case, c)
            attribute = case[c, C_CLASS]
            if n_deadlines > 0:
                _deadlines(
                    key,
                    replication,
                    streams,
                    graph,
                    laws,
                    calendars,
                    sizes,
                    deadlines,
                    state,
                    tree,
                    row,
                    case,
                    c,
                    n,
                    now,
                )
            if kind == END:
                if node[n, N_ENDS_CASE] or case[c, C_TOKENS] == 1:
                    push(state, agenda, CLOSE, c, node[n, N_OUTCOME], case[c, C_SERIAL])
                else:
                    leave_case(row, case, c, r)
                    free_row(state, row, r)
                    case[c, C_TOKENS] -= 1
                continue
            visit = np.int64(visits[c, n])
            if visit == MAX_VISITS - 1:
                return RUNAWAY
            visits[c, n] = visit + 1
            if node[n, N_MILESTONE] and visit == 0:
                count[n_nodes + 1, SERVED] += 1
                _record_case(case, statistics, c, n_nodes + 1, now)
            case[c, C_LAST] = n
            row[r, R_NODE] = n
            row[r, R_ENTERED] = now
            row[r, R_VISIT] = visit
            draw = np.uint64(n * MAX_VISITS + visit)
            entity = case[c, C_ENTITY]
            row[r, R_WORD] = row[r, R_ROUTE] = row[r, R_LEAVE] = 0
            if node[n, N_DRAWS]:
                words = block(key, replication, streams[Q_SERVICE], entity, draw)
                row[r, R_WORD] = np.int64(words[0])
                row[r, R_ROUTE] = np.int64(words[1])
                row[r, R_LEAVE] = np.int64(words[2])
            if kind == TASK:
                for v in range(node[n, N_EVENT], node[n, N_EVENT_END]):
                    j = v - node[n, N_EVENT]
                    words = block(key, replication, streams[Q_EVENT] + j, entity, draw)
                    if unit32(np.int64(words[0])) < event_up[v, attribute]:
                        x = new_row(state, row, EVENT, c)
                        row[x, R_STATE] = ARMED
                        row[x, R_INDEX] = v
                        row[x, R_HOST] = r
                        row[x, R_NODE] = n
                        row[x, R_CASE_NEXT] = row[r, R_ALARMS]
                        row[r, R_ALARMS] = x
                        after = sample(event_law[v, attribute], *laws, np.int64(words[1]))
                        arm(state, tree, x, working_time(calendars, event[v, V_CALENDAR], now, after))
                row[r, R_LEFT] = row[r, R_INDEX] = 0
                if node[n, N_REPEAT] == ONCE:
                    action = WORK
                else:
                    push(state, agenda, INSTANCES, r, 0, row[r, R_SERIAL])
                    continue
            elif kind == FORK:
                first = node[n, N_EDGE]
                last = node[n, N_EDGE_END]
                count[n, K_COMPLETIONS] += 1
                e = first + 1
                while e < last:
                    x = new_row(state, row, TOKEN, c)
                    row[x, R_NODE] = n
                    row[x, R_EDGE] = e
                    join_case(row, case, c, x)
                    e += 1
                case[c, C_TOKENS] += last - 1 - first
                # Branches go in their order, so the last is put first; the token itself takes the first.
                x = case[c, C_TAIL]
                while e > first + 1:
                    push(state, agenda, GO, x, row[x, R_EDGE], row[x, R_SERIAL])
                    x = row[x, R_CASE_PREVIOUS]
                    e -= 1
                push(state, agenda, GO, r, first, row[r, R_SERIAL])
                continue
            elif kind == SPLIT:
                first = node[n, N_EDGE]
                last = node[n, N_EDGE_END]
                count[n, K_COMPLETIONS] += 1
                taken = 0
                weights = 0.0
                lowest = NONE
                for e in range(first, last):
                    words = block(key, replication, streams[Q_SPLIT] + e - first, entity, draw)
                    weights += edge_up[e, attribute]
                    if unit32(np.int64(words[0])) < edge_up[e, attribute]:
                        if taken == 0:
                            lowest = np.int64(e)
                        else:
                            x = new_row(state, row, TOKEN, c)
                            row[x, R_NODE] = n
                            row[x, R_EDGE] = e
                            join_case(row, case, c, x)
                            case[c, C_TOKENS] += 1
                        taken += 1
                x = case[c, C_TAIL]
                for _ in range(taken - 1):
                    push(state, agenda, GO, x, row[x, R_EDGE], row[x, R_SERIAL])
                    x = row[x, R_CASE_PREVIOUS]
                if taken == 0:
                    lowest = node[n, N_OTHERWISE]
                    if lowest < 0:
                        u = unit32(row[r, R_ROUTE]) * weights
                        lowest = first
                        u -= edge_up[lowest, attribute]
                        while u >= 0.0 and lowest < last - 1:
                            lowest += 1
                            u -= edge_up[lowest, attribute]
                push(state, agenda, GO, r, lowest, row[r, R_SERIAL])
                continue
            elif kind == JOIN or kind == MERGE:
                row[r, R_STATE] = JOINED
                row[r, R_ORDER] = state[S_ORDER]
                state[S_ORDER] += 1
                case[c, C_JOINED] += 1
                flag(state, case, c)
                if kind == JOIN:
                    ways = 0
                    for j in range(node[n, N_WAYS]):
                        x = case[c, C_HEAD]
                        while x >= 0:
                            if row[x, R_STATE] == JOINED and row[x, R_NODE] == n and row[x, R_EDGE] == j:
                                ways += 1
                                break
                            x = row[x, R_CASE_NEXT]
                        if ways <= j:
                            break
                    if ways == node[n, N_WAYS]:
                        for j in range(node[n, N_WAYS]):
                            # The first of every way; the token itself completes the last, and goes on.
                            found = NONE
                            x = case[c, C_HEAD]
                            while x >= 0:
                                if row[x, R_STATE] == JOINED and row[x, R_NODE] == n and row[x, R_EDGE] == j:
                                    if found < 0 or row[x, R_ORDER] < row[found, R_ORDER]:
                                        found = x
                                x = row[x, R_CASE_NEXT]
                            case[c, C_JOINED] -= 1
                            total[n, T_WAIT_SERVED] += now - row[found, R_ENTERED]
                            if found != r:
                                leave_case(row, case, c, found)
                                free_row(state, row, found)
                                case[c, C_TOKENS] -= 1
                        row[r, R_STATE] = TRANSIT
                        count[n, K_COMPLETIONS] += 1
                        push(state, agenda, ROUTE, r, 0, row[r, R_SERIAL])
                continue
            elif kind == WINDOW:
                low = window_first[n]
                high = window_first[n + 1]
                while low < high:
                    middle = (low + high) >> 1
                    if window_limit[middle] > now:
                        high = middle
                    else:
                        low = middle + 1
                opens = max(now, window_open[low])
                row[r, R_SERVICE] = 0
                row[r, R_STATE] = RESTING
                case[c, C_WAIT] += opens - now
                if node[n, N_ACTIVE]:
                    case[c, C_ACTIVE] += opens - now
                total[n, T_WAIT_SERVED] += opens - now
                arm(state, tree, r, opens)
                continue
            else:
                at = FOREVER
                if kind == DELAY:
                    duration = sample(law[4 * n, attribute], *laws, row[r, R_WORD])
                    if node[n, N_FACTOR] >= 0:
                        duration = np.int64(duration * factors[c, node[n, N_FACTOR]] + 0.5)
                    at = working_time(calendars, node[n, N_CALENDAR], now, duration)
                else:
                    for v in range(node[n, N_EVENT], node[n, N_EVENT_END]):
                        words = block(key, replication, streams[Q_EVENT] + v - node[n, N_EVENT], entity, draw)
                        if unit32(np.int64(words[0])) < event_up[v, attribute]:
                            after = sample(event_law[v, attribute], *laws, np.int64(words[1]))
                            due = working_time(calendars, event[v, V_CALENDAR], now, after)
                            if due < at:
                                at = due
                                row[r, R_EDGE] = event[v, V_EDGE]
                row[r, R_SERVICE] = at - now
                row[r, R_STATE] = RESTING
                if node[n, N_ACTIVE]:
                    case[c, C_ACTIVE] += at - now
                total[n, T_SERVICE] += at - now
                arm(state, tree, r, at)
                continue

        if action == INSTANCES:
            # A repeated task: how often, and one after the other or all at once.
            n = row[r, R_NODE]
            c = row[r, R_CASE]
            times = node[n, N_COUNT]
            draw = np.uint64(n * MAX_VISITS + row[r, R_VISIT])
            if node[n, N_COUNT_BY] >= 0:
                times = min(max(np.int64(factors[c, node[n, N_COUNT_BY]] + 0.5), 1), 4096)
            elif times < 0:
                words = block(key, replication, streams[Q_COUNT], case[c, C_ENTITY], draw)
                u = unit32(np.int64(words[0]))
                j = -1 - times
                while u >= number[j, 1]:
                    j += 1
                times = np.int64(number[j, 0])
            if node[n, N_REPEAT] == PARALLEL:
                if state[S_FREE_ROWS] < times or i + times + MARGIN > agenda.shape[0]:
                    state[S_AGENDA] = i + 1
                    return ROWS_FULL if state[S_FREE_ROWS] < times else AGENDA_FULL
            row[r, R_LEFT] = times - 1
            if node[n, N_REPEAT] == SEQUENTIAL:
                action = WORK
            else:
                row[r, R_LEFT] = times
                row[r, R_STATE] = HOSTING
                for k in range(times):
                    j = np.int64(k)
                    x = new_row(state, row, INSTANCE, c)
                    row[x, R_NODE] = n
                    row[x, R_HOST] = r
                    row[x, R_INDEX] = j
                    row[x, R_ENTERED] = now
                    row[x, R_VISIT] = row[r, R_VISIT]
                    words = block(key, replication, streams[Q_INSTANCE] + j, case[c, C_ENTITY], draw)
                    row[x, R_WORD] = np.int64(words[0]) if j > 0 else row[r, R_WORD]
                    row[x, R_LEAVE] = np.int64(words[2]) if j > 0 else row[r, R_LEAVE]
                    join_case(row, case, c, x)
                # Instances come in their order, so the last is put first.
                x = case[c, C_TAIL]
                for k in range(times):
                    push(state, agenda, WORK, x, 0, row[x, R_SERIAL])
                    x = row[x, R_CASE_PREVIOUS]
                continue

        if action == WORK:
            # A token, an instance or a batch asks for a server.
            n = row[r, R_NODE]
            c = row[r, R_CASE]
            p = node[n, N_POOL]
            waits = True
            if node[n, N_BATCH] >= 0 and row[r, R_KIND] != CARRIER:
                append(row, node, n, N_GATHER_HEAD, N_GATHER_TAIL, r)
                row[r, R_STATE] = GATHERING
                node[n, N_GATHERED] += 1
                if node[n, N_GATHERED] == 1:
                    arm(state, tree, node[n, N_BATCH], batch_due(node, row, instants, n, now))
                if node[n, N_GATHERED] == node[n, N_SIZE]:
                    push(state, agenda, FIRE, n, 0, 0)
            else:
                row[r, R_POOL] = p
                row[r, R_MEMBER] = -1
                row[r, R_ORDER] = state[S_ORDER]
                state[S_ORDER] += 1
                row[r, R_EDGE] = -1
                row[r, R_LANE] = lane_of(law, case, n, c)
                touch(pool, pool_area, p, now)
                if not pool[p, P_NAMED]:
                    if pool[p, P_BUSY] < pool[p, P_CAPACITY]:
                        pool[p, P_BUSY] += 1
                        waits = False
                        action = START
                else:
                    m = free_member(streams, key, replication, node, row, case, pool, member, able, r)
                    if m >= 0:
                        if member[m, M_LOAD] == 0 and not member[m, M_PAUSED]:
                            pool[p, P_BUSY] += 1
                        member[m, M_LOAD] += 1
                        row[r, R_MEMBER] = m
                        waits = False
                        action = START
                        if member[m, M_LOAD] > 1:
                            push(state, agenda, START, r, 0, row[r, R_SERIAL])
                            action = PACE
                            r = m
                            argument = member[m, M_LOAD] - 1
                if waits and pool[p, P_PREEMPT]:
                    v = victim(node, row, pool, member, runs, able, lanes, n, p, row[r, R_LANE])
                    if v >= 0:
                        row[r, R_MEMBER] = row[v, R_MEMBER]
                        push(state, agenda, START, r, 0, row[r, R_SERIAL])
                        waits = False
                        action = PAUSE
                        r = v
                        argument = 0
                if waits:
                    if (
                        node[n, N_FULL] != NO_LIMIT
                        and node[n, N_FULL] != BLOCK
                        and node[n, N_WAITING] >= node[n, N_QUEUE]
                    ):
                        count[n, K_REFUSED] += 1
                        row[r, R_POOL] = -1
                        if node[n, N_FULL] >= 0:
                            push(state, agenda, GO, r, node[n, N_FULL], row[r, R_SERIAL])
                        else:
                            push(state, agenda, CLOSE, c, REFUSED, case[c, C_SERIAL])
                        continue
                    row[r, R_STATE] = WAITING
                    append(row, lists, list_of(pool, node, p, n, row[r, R_LANE]), 0, 1, r)
                    pool[p, P_QUEUE] += 1
                    node[n, N_WAITING] += 1
            if waits:
                if row[r, R_KIND] != CARRIER:
                    remaining = FOREVER
                    d = law[4 * n + 1, case[c, C_CLASS]]
                    if d >= 0:
                        remaining = sample(d, *laws, row[r, R_LEAVE])
                    if case[c, C_LIMIT] >= 0 and node[n, N_ACTIVE]:
                        remaining = min(remaining, case[c, C_LIMIT] - case[c, C_FELT])
                    if remaining < FOREVER:
                        arm(state, tree, r, now + remaining)
                continue

        if action == PAUSE:
            # Work is broken off: it goes back to the queue, or (argument 1) waits for the next shift.
            p = row[r, R_POOL]
            m = row[r, R_MEMBER]
            n = row[r, R_NODE]
            disarm(state, tree, r)
            left = work_left(row, member, rate, r, now)
            owner = NONE if row[r, R_KIND] == CARRIER else row[r, R_CASE]
            if m < 0:
                credit_counted(node, case, count, total, n, owner, -left)
            else:
                credit_named(
                    node, case, count, total, member_busy, n, owner, m, now - row[r, R_SINCE], member[m, M_LOAD]
                )
            row[r, R_WORK] = row[r, R_SERVICE] if argument == 0 and pool[p, P_PREEMPT] == RESTART else left
            row[r, R_LOOSE] = now
            row[r, R_SINCE] = now
            if argument == 1 and m >= 0:
                row[r, R_STATE] = PAUSED
            else:
                touch(pool, pool_area, p, now)
                take_from_run(row, pool, member, runs, r)
                row[r, R_STATE] = WAITING
                row[r, R_MEMBER] = -1
                row[r, R_EDGE] = -2 if argument == 1 else -1
                lane = np.int64(0) if argument == 1 else row[r, R_LANE]
                insert_in_order(row, lists, list_of(pool, node, p, n, lane), r)
                pool[p, P_QUEUE] += 1
                node[n, N_WAITING] += 1
                if argument == 1:
                    pool[p, P_BUSY] -= 1
            continue

        if action == PACE:
            # A member has another number of cases in hand: those in service go on at another rate.
            m = r
            x = member[m, M_HEAD]
            while x >= 0:
                if row[x, R_STATE] == SERVING:
                    elapsed = now - row[x, R_SINCE]
                    done = np.int64(np.float64(elapsed) * rate[m, argument] + 0.5)
                    n = row[x, R_NODE]
                    owner = NONE if row[x, R_KIND] == CARRIER else row[x, R_CASE]
                    credit_named(node, case, count, total, member_busy, n, owner, m, elapsed, argument)
                    row[x, R_WORK] = max(row[x, R_WORK] - done, 0)
                    row[x, R_SINCE] = now
                    arm(state, tree, x, now + duration_at(row[x, R_WORK], rate[m, member[m, M_LOAD]]))
                x = row[x, R_NEXT]
            continue

        if action == START:
            # Service begins, or goes on after a pause.
            n = row[r, R_NODE]
            c = row[r, R_CASE]
            p = row[r, R_POOL]
            m = row[r, R_MEMBER]
            if row[r, R_START] < 0:
                work = np.int64(0)
                if row[r, R_KIND] == CARRIER:
                    x = row[r, R_HEAD]
                    while x >= 0:
                        disarm(state, tree, x)
                        if x == row[r, R_HEAD] or node[n, N_PER_ITEM]:
                            work += _work_of(graph, laws, factors, hours, member_law, state, row, case, x, m, now)
                        _served_wait(node, case, statistics, n, row[x, R_CASE], now - row[x, R_ENTERED])
                        x = row[x, R_NEXT]
                    c = NONE
                else:
                    if row[r, R_STATE] == WAITING:
                        disarm(state, tree, r)
                    work = _work_of(graph, laws, factors, hours, member_law, state, row, case, r, m, now)
                    _served_wait(node, case, statistics, n, c, now - row[r, R_ENTERED])
                row[r, R_SERVICE] = row[r, R_WORK] = work
                row[r, R_START] = now
            else:
                if logged:
                    if state[S_PAUSES] == pauses.shape[0]:
                        push(state, agenda, START, r, 0, row[r, R_SERIAL])
                        return LOG_FULL
                    k = state[S_PAUSES]
                    first = row[r, R_HEAD] if row[r, R_KIND] == CARRIER else r
                    pauses[k, 0] = case[row[first, R_CASE], C_REQUEST]
                    pauses[k, 1], pauses[k, 2] = n, row[r, R_VISIT]
                    pauses[k, 3], pauses[k, 4] = row[r, R_LOOSE], now
                    state[S_PAUSES] = k + 1
                lost = now - row[r, R_LOOSE]
                row[r, R_LOST] += lost
                if row[r, R_KIND] == CARRIER:
                    c = NONE
                else:
                    case[c, C_WAIT] += lost
                    if node[n, N_ACTIVE]:
                        case[c, C_ACTIVE] += lost
            row[r, R_SINCE] = now
            row[r, R_EDGE] = -1
            row[r, R_TURN] = state[S_SEQUENCE]
            if m < 0:
                credit_counted(node, case, count, total, n, c, row[r, R_WORK])
                if pool[p, P_RUNS] >= 0:
                    append(row, runs, pool[p, P_RUNS] + row[r, R_LANE] - 1, 0, 1, r)
                arm(state, tree, r, now + row[r, R_WORK])
            else:
                if row[r, R_STATE] != PAUSED:
                    append(row, member, m, M_HEAD, M_TAIL, r)
                arm(state, tree, r, now + duration_at(row[r, R_WORK], rate[m, member[m, M_LOAD]]))
            row[r, R_STATE] = SERVING
            continue

        if action == TRIM:
            # A shift has changed in a pool whose work pauses with it.
            p = r
            m = argument
            if m < 0:
                if pool[p, P_BUSY] > pool[p, P_CAPACITY]:
                    k = np.int64(lanes)
                    x = NONE
                    while k > 0 and x < 0:
                        k -= 1
                        x = runs[pool[p, P_RUNS] + k, 1]
                    if x >= 0:
                        push(state, agenda, TRIM, p, -1, 0)
                        push(state, agenda, PAUSE, x, 1, row[x, R_SERIAL])
            else:
                touch(pool, pool_area, p, now)
                if state[S_AGENDA] + 128 + MARGIN > agenda.shape[0]:
                    push(state, agenda, TRIM, p, m, 0)
                    return AGENDA_FULL
                if member[m, M_DUTY]:
                    if member[m, M_PAUSED]:
                        member[m, M_PAUSED] = 0
                        if member[m, M_LOAD] > 0:
                            pool[p, P_BUSY] += 1
                    push(state, agenda, SEEK, p, m, 0)
                    x = member[m, M_TAIL]
                    while x >= 0:
                        if row[x, R_STATE] == PAUSED:
                            push(state, agenda, START, x, 0, row[x, R_SERIAL])
                        x = row[x, R_PREVIOUS]
                elif not member[m, M_PAUSED]:
                    member[m, M_PAUSED] = 1
                    if member[m, M_LOAD] > 0:
                        pool[p, P_BUSY] -= 1
                    x = member[m, M_TAIL]
                    while x >= 0:
                        if row[x, R_STATE] == SERVING:
                            push(state, agenda, PAUSE, x, 1, row[x, R_SERIAL])
                        x = row[x, R_PREVIOUS]
            continue

        if action == ADMIT:
            # Room at a task: the first of those whom it blocks comes in.
            n = r
            x = node[n, N_BLOCKED_HEAD]
            if x >= 0 and (
                node[n, N_WAITING] < node[n, N_QUEUE] or has_server(node, pool, member, able, n, node[n, N_POOL])
            ):
                unlink(row, node, n, N_BLOCKED_HEAD, N_BLOCKED_TAIL, x)
                state[S_BLOCKED] -= 1
                row[x, R_LEFT] = 0
                row[x, R_STATE] = TRANSIT
                case[row[x, R_CASE], C_WAIT] += now - row[x, R_SINCE]
                p = row[x, R_POOL]
                m = row[x, R_MEMBER]
                row[x, R_POOL] = row[x, R_MEMBER] = -1
                push(state, agenda, ADMIT, n, 0, 0)
                if p >= 0:
                    push(state, agenda, FREE, p, m, 0)
                push(state, agenda, ENTER, x, n, row[x, R_SERIAL])
            continue

        if action == FIRE:
            # A batch is complete, or its time has come.
            n = r
            if state[S_FREE_ROWS] < 1:
                state[S_AGENDA] = i + 1
                return ROWS_FULL
            if node[n, N_GATHERED] == 0:
                continue
            x = new_row(state, row, CARRIER, row[node[n, N_GATHER_HEAD], R_CASE])
            row[x, R_NODE] = n
            row[x, R_ENTERED] = now
            row[x, R_HEAD] = row[x, R_TAIL] = -1
            row[x, R_VISIT] = row[node[n, N_GATHER_HEAD], R_VISIT]
            while node[n, N_GATHERED] > 0 and (node[n, N_SIZE] == 0 or row[x, R_LEFT] < node[n, N_SIZE]):
                y = node[n, N_GATHER_HEAD]
                unlink(row, node, n, N_GATHER_HEAD, N_GATHER_TAIL, y)
                node[n, N_GATHERED] -= 1
                row[y, R_STATE] = ITEM
                row[y, R_HOST] = x
                append(row, row, x, R_HEAD, R_TAIL, y)
                row[x, R_LEFT] += 1
            if node[n, N_GATHERED] > 0:
                arm(state, tree, node[n, N_BATCH], batch_due(node, row, instants, n, now))
            else:
                disarm(state, tree, node[n, N_BATCH])
            push(state, agenda, WORK, x, 0, row[x, R_SERIAL])
            continue

        if action == LEAVE:
            # A client gives up here (argument 1: while he waited): he tries again, goes elsewhere or leaves for good.
            n = row[r, R_NODE]
            c = row[r, R_CASE]
            row[r, R_POOL] = row[r, R_MEMBER] = -1
            row[r, R_STATE] = TRANSIT
            case[c, C_FELT] = 0
            if row[r, R_KIND] == INSTANCE:
                host = row[r, R_HOST]
                push(state, agenda, LEAVE, host, argument, row[host, R_SERIAL])
                push(state, agenda, RETIRE, c, host, case[c, C_SERIAL])
                continue
            free_alarms(state, tree, row, r)
            visit = row[r, R_VISIT]
            if argument == 1 and node[n, N_RETRY] and (node[n, N_ATTEMPTS] == 0 or visit + 1 < node[n, N_ATTEMPTS]):
                words = block(key, replication, streams[Q_RETRY], case[c, C_ENTITY], np.uint64(n * MAX_VISITS + visit))
                if unit32(np.int64(words[0])) < retry[n, case[c, C_CLASS]]:
                    count[n, K_RETRIES] += 1
                    row[r, R_STATE] = RETRYING
                    after = sample(law[4 * n + 3, case[c, C_CLASS]], *laws, np.int64(words[1]))
                    arm(state, tree, r, now + after)
                    continue
            if node[n, N_ABANDON] >= 0:
                push(state, agenda, GO, r, node[n, N_ABANDON], row[r, R_SERIAL])
            else:
                push(state, agenda, CLOSE, c, ABANDONED, case[c, C_SERIAL])
            continue

        # CLOSE: a case ends. RETIRE: the instances of a host, or (negative) what lies in a section, are given up.
        c = r
        if case[c, C_SERIAL] != agenda[i, 3]:
            continue
        rows = 0
        x = case[c, C_HEAD]
        while x >= 0:
            rows += 1
            x = row[x, R_CASE_NEXT]
        if i + 3 * rows + MARGIN > agenda.shape[0]:
            state[S_AGENDA] = i + 1
            return AGENDA_FULL
        if logged and state[S_LOG] + rows > log.shape[0]:
            state[S_AGENDA] = i + 1
            return LOG_FULL
        if action == CLOSE and record and state[S_OUT] == outcome.shape[0]:
            state[S_AGENDA] = i + 1
            return OUTCOMES_FULL
        x = case[c, C_HEAD]
        while x >= 0:
            after = row[x, R_CASE_NEXT]
            gone = action == CLOSE
            if action == RETIRE:
                if argument >= 0:
                    gone = row[x, R_HOST] == argument and row[x, R_KIND] == INSTANCE
                else:
                    # The section of a deadline: what can be reached from its beginning without passing its end.
                    gone = row[x, R_STATE] != TRANSIT
                    gone = gone and (row[x, R_NODE] < 0 or reach[n_nodes - 1 - argument, row[x, R_NODE]])
            if gone:
                if row[x, R_STATE] != TRANSIT and row[x, R_STATE] != HOSTING:
                    withdraw(
                        node,
                        row,
                        case,
                        pool,
                        pool_area,
                        member,
                        member_busy,
                        rate,
                        lists,
                        runs,
                        count,
                        total,
                        state,
                        tree,
                        agenda,
                        instants,
                        log,
                        logged,
                        x,
                        now,
                    )
                free_alarms(state, tree, row, x)
                leave_case(row, case, c, x)
                if row[x, R_KIND] == TOKEN:
                    case[c, C_TOKENS] -= 1
                free_row(state, row, x)
            x = after
        if action == RETIRE:
            if case[c, C_JOINED] > 0:
                flag(state, case, c)
            continue
        while case[c, C_ALARMS] >= 0:
            x = case[c, C_ALARMS]
            case[c, C_ALARMS] = row[x, R_CASE_NEXT]
            deadlines[row[x, R_INDEX], 1] += 1
            disarm(state, tree, x)
            free_row(state, row, x)
        if argument == SERVED:
            _record_case(case, statistics, c, n_nodes, now)
        count[n_nodes, argument] += 1
        if record:
            o = state[S_OUT]
            outcome[o, 0], outcome[o, 1], outcome[o, 2] = now, case[c, C_REQUEST], case[c, C_CLIENT]
            outcome[o, 3], outcome[o, 4], outcome[o, 5] = argument, case[c, C_WAIT], case[c, C_LAST]
            state[S_OUT] = o + 1
        case[c, C_SERIAL] = -1
        case[c, C_JOINED] = 0
        if not case[c, C_FLAG]:
            case[c, C_NEXT] = state[S_FREE_CASE]
            state[S_FREE_CASE] = c
        state[S_INSIDE] -= 1
