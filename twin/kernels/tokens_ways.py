"""Which way a token goes from a node in the general process kernel, and whether there is room where it leads."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.philox import block, unit32
from twin.kernels.tokens_counts import record_case
from twin.kernels.tokens_deadlines import deadlines_at
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import append, free_alarms, plan_row, push, unblock
from twin.kernels.tokens_staff import has_server


@part
def route(w, r):
    """ROUTE: a token is done with its node; it goes the way that is drawn."""
    if w.state[S_FREE_ROWS] < w.n_deadlines:
        return ROWS_FULL
    row = w.row
    return _follow(w, r, _way_out(w, row[r, R_CASE], row[r, R_NODE], row[r, R_ROUTE]))


@part
def go(w, r, e):
    """GO: a token goes the way `e`."""
    if w.state[S_FREE_ROWS] < w.n_deadlines:
        return ROWS_FULL
    return _follow(w, r, e)


@inlined_part
def _way_out(w, c, n, word):
    """The way that a case takes from a node, by a random word; the first may be the rework."""
    node, edge_up = w.node, w.edge_up
    attribute = w.case[c, C_CLASS]
    e = node[n, N_EDGE]
    first = e
    last = node[n, N_EDGE_END] - 1
    if e < last:
        u = unit32(word)
        while e < last and u >= edge_up[e, attribute]:
            e += 1
    if node[n, N_REWORK] and e == first:
        limit = node[n, N_LIMIT]
        if limit > 0 and w.visits[c, n] >= limit:
            e = node[n, N_OTHERWISE]
        else:
            w.count[n, K_REWORK] += 1
    return e


@inlined_part
def count_visit(w, c, n):
    """Count the visit of a case to a node; its number."""
    visit = np.int64(w.visits[c, n])
    w.visits[c, n] = visit + 1
    if w.node[n, N_MILESTONE] and visit == 0:
        w.count[w.node.shape[0] + 1, SERVED] += 1
        record_case(w, c, 1)
    return visit


@part
def _pass_choice(w, c, n):
    """A case comes through an exclusive gateway; the random word for its way."""
    w.count[n, K_ARRIVALS] += 1
    visit = count_visit(w, c, n)
    if w.n_deadlines > 0:
        deadlines_at(w, c, n)
    if not w.node[n, N_DRAWS]:
        return np.int64(0)
    words = block(w.key, w.replication, w.streams[Q_SERVICE], w.case[c, C_ENTITY], np.uint64(n * MAX_VISITS + visit))
    return np.int64(words[1])


@inlined_part
def _follow(w, r, e):
    """A token goes a way, through exclusive gateways, to the next node, or waits for room there."""
    row, node, edge = w.row, w.node, w.edge
    c = row[r, R_CASE]
    if row[r, R_ALARMS] >= 0:
        free_alarms(w, r)
    n = edge[e, E_TARGET]
    while node[n, N_KIND] == CHOICE:
        if w.visits[c, n] == MAX_VISITS - 1:
            return RUNAWAY
        e = _way_out(w, c, n, _pass_choice(w, c, n))
        n = edge[e, E_TARGET]
    row[r, R_EDGE] = edge[e, E_WAY]
    if node[n, N_FULL] == BLOCK and not _has_room(w, n):
        _block(w, r, n)
    else:
        _come(w, r, n)
    return DONE


@inlined_part
def _has_room(w, n):
    """Whether a task that blocks has room for one more."""
    node = w.node
    return node[n, N_BLOCKED_HEAD] < 0 and (node[n, N_WAITING] < node[n, N_QUEUE] or has_server(w, n))


@inlined_part
def _block(w, r, n):
    """A token waits for room at a task, with the server that it has."""
    row = w.row
    row[r, R_STATE] = BLOCKED
    row[r, R_LEFT] = n
    row[r, R_SINCE] = w.state[S_NOW]
    append(row, w.node, n, N_BLOCKED_HEAD, N_BLOCKED_TAIL, r)
    w.state[S_BLOCKED] += 1


@inlined_part
def _come(w, r, n):
    """A token gives its server back and enters a node."""
    row = w.row
    p = row[r, R_POOL]
    m = row[r, R_MEMBER]
    row[r, R_POOL] = row[r, R_MEMBER] = -1
    # The server is free before the token arrives anywhere, so that those who wait come first; but room is taken before.
    if p >= 0 and w.node[n, N_FULL] == BLOCK:
        push(w, FREE, p, m, 0)
    plan_row(w, ENTER, r, n)
    if p >= 0 and w.node[n, N_FULL] != BLOCK:
        push(w, FREE, p, m, 0)


@part
def admit(w, n):
    """ADMIT: there may be room at a task: the first of those whom it blocks comes in."""
    row, node = w.row, w.node
    x = node[n, N_BLOCKED_HEAD]
    if x < 0 or (node[n, N_WAITING] >= node[n, N_QUEUE] and not has_server(w, n)):
        return
    unblock(w, x)
    row[x, R_STATE] = TRANSIT
    w.case[row[x, R_CASE], C_WAIT] += w.state[S_NOW] - row[x, R_SINCE]
    p = row[x, R_POOL]
    m = row[x, R_MEMBER]
    row[x, R_POOL] = row[x, R_MEMBER] = -1
    push(w, ADMIT, n, 0, 0)
    if p >= 0:
        push(w, FREE, p, m, 0)
    plan_row(w, ENTER, x, n)
