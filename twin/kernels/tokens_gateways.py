"""Gateways at which a case has several tokens, in the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.philox import block, unit32
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import flag, free_row, has_room, leave_case, new_token, plan_row


@part
def fork(w, r):
    """Parallel split: one token for every way."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    first = node[n, N_EDGE]
    w.count[n, K_COMPLETIONS] += 1
    for e in range(first + 1, node[n, N_EDGE_END]):
        row[new_token(w, c, n), R_EDGE] = e
    _send(w, c, node[n, N_EDGE_END] - first - 1)
    plan_row(w, GO, r, first)


@inlined_part
def _send(w, c, tokens):
    """The newest tokens of a case go their ways, in their order: the last is put first on the agenda."""
    row = w.row
    x = w.case[c, C_TAIL]
    for _ in range(tokens):
        plan_row(w, GO, x, row[x, R_EDGE])
        x = row[x, R_CASE_PREVIOUS]


@part
def split(w, r):
    """Inclusive split: a token for every branch that is taken; at least one is."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    attribute = w.case[c, C_CLASS]
    entity = w.case[c, C_ENTITY]
    draw = np.uint64(n * MAX_VISITS + row[r, R_VISIT])
    first = node[n, N_EDGE]
    w.count[n, K_COMPLETIONS] += 1
    taken = 0
    lowest = NONE
    for e in range(first, node[n, N_EDGE_END]):
        words = block(w.key, w.replication, w.streams[Q_SPLIT] + e - first, entity, draw)
        if unit32(np.int64(words[0])) < w.edge_up[e, attribute]:
            if taken == 0:
                lowest = np.int64(e)
            else:
                row[new_token(w, c, n), R_EDGE] = e
            taken += 1
    _send(w, c, taken - 1)
    if taken == 0:
        lowest = node[n, N_OTHERWISE]
        if lowest < 0:
            lowest = _by_weight(w, n, attribute, row[r, R_ROUTE])
    plan_row(w, GO, r, lowest)


@part
def _by_weight(w, n, attribute, word):
    """One of the branches, in proportion to their probabilities."""
    edge_up = w.edge_up
    e = w.node[n, N_EDGE]
    last = w.node[n, N_EDGE_END]
    weights = 0.0
    for i in range(e, last):
        weights += edge_up[i, attribute]
    u = unit32(word) * weights
    u -= edge_up[e, attribute]
    while u >= 0.0 and e < last - 1:
        e += 1
        u -= edge_up[e, attribute]
    return e


@part
def join(w, r):
    """A token comes to a join; a parallel one fires when there is a token from every way in."""
    state, row, case, node = w.state, w.row, w.case, w.node
    n = row[r, R_NODE]
    c = row[r, R_CASE]
    row[r, R_STATE] = JOINED
    row[r, R_ORDER] = state[S_ORDER]
    state[S_ORDER] += 1
    case[c, C_JOINED] += 1
    flag(w, c)
    if node[n, N_KIND] != JOIN:
        return
    ways = node[n, N_WAYS]
    for j in range(ways):
        if _first_of_way(w, c, n, j) < 0:
            return
    for j in range(ways):
        # The first of every way; the token itself completes the last, and goes on.
        found = _first_of_way(w, c, n, j)
        _joined(w, c, n, found)
        if found != r:
            _absorb(w, c, found)
    row[r, R_STATE] = TRANSIT
    w.count[n, K_COMPLETIONS] += 1
    plan_row(w, ROUTE, r, 0)


@part
def _first_of_way(w, c, n, way):
    """The first token of a case that came to a join by a way; -1 for none."""
    row = w.row
    found = NONE
    x = w.case[c, C_HEAD]
    while x >= 0:
        if row[x, R_STATE] == JOINED and row[x, R_NODE] == n and row[x, R_EDGE] == way:
            if found < 0 or row[x, R_ORDER] < row[found, R_ORDER]:
                found = x
        x = row[x, R_CASE_NEXT]
    return found


@inlined_part
def _joined(w, c, n, r):
    """Count the wait of a token at a join that fires."""
    w.case[c, C_JOINED] -= 1
    w.total[n, T_WAIT_SERVED] += w.state[S_NOW] - w.row[r, R_ENTERED]


@inlined_part
def _absorb(w, c, r):
    """A token ends in a join."""
    leave_case(w, c, r)
    free_row(w, r)
    w.case[c, C_TOKENS] -= 1


@part
def look_at_joins(w, c):
    """The event is over: an inclusive join fires if nothing else of the case can still come to it."""
    state, row, case = w.state, w.row, w.case
    if not has_room(w, 0):
        return AGENDA_FULL
    fires, first = _ready(w, c)
    if fires < 0 and case[c, C_JOINED] > 0 and case[c, C_JOINED] == case[c, C_TOKENS]:
        fires = first
        if first < 0:
            state[S_TROUBLE] = case[c, C_REQUEST]
            state[S_TROUBLE_NODE] = row[case[c, C_HEAD], R_NODE]
            return STUCK
    if fires >= 0:
        _merge(w, c, fires)
        return DONE
    state[S_CHECK] = case[c, C_NEXT]
    case[c, C_FLAG] = 0
    if case[c, C_SERIAL] < 0:
        case[c, C_NEXT] = state[S_FREE_CASE]
        state[S_FREE_CASE] = c
    return DONE


@part
def _ready(w, c):
    """The first inclusive join of a case to which nothing else can come, and the first at all; -1 for none."""
    row, node = w.row, w.node
    fires = NONE
    first = NONE
    x = w.case[c, C_HEAD] if w.case[c, C_JOINED] > 0 else NONE
    while x >= 0 and fires < 0:
        n = row[x, R_NODE]
        if row[x, R_STATE] == JOINED and node[n, N_KIND] == MERGE:
            if first < 0:
                first = n
            if not _more_can_come(w, c, n):
                fires = n
        x = row[x, R_CASE_NEXT]
    return fires, first


@part
def _more_can_come(w, c, n):
    """Whether another token of a case can still come to a node."""
    row = w.row
    y = w.case[c, C_HEAD]
    while y >= 0:
        elsewhere = row[y, R_STATE] != JOINED or row[y, R_NODE] != n
        if elsewhere and row[y, R_KIND] == TOKEN:
            if row[y, R_NODE] < 0 or w.reach[row[y, R_NODE], n]:
                return True
        y = row[y, R_CASE_NEXT]
    return False


@part
def _merge(w, c, n):
    """An inclusive join fires: of its tokens the last that came goes on."""
    row = w.row
    last = NONE
    x = w.case[c, C_HEAD]
    while x >= 0:
        after = row[x, R_CASE_NEXT]
        if row[x, R_STATE] == JOINED and row[x, R_NODE] == n:
            _joined(w, c, n, x)
            if last < 0:
                last = x
            elif row[x, R_ORDER] > row[last, R_ORDER]:
                _absorb(w, c, last)
                last = x
            else:
                _absorb(w, c, x)
        x = after
    w.count[n, K_COMPLETIONS] += 1
    row[last, R_STATE] = TRANSIT
    plan_row(w, ROUTE, last, 0)
