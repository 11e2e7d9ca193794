"""Work on several cases together, in the general process kernel."""

from __future__ import annotations

from twin.kernels import inlined_part, part
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import append, arm, disarm, new_row, plan_row, push, unlink


@part
def _batch_due(w, n):
    """When the batch that is being collected at a task starts at the latest."""
    node, now = w.node, w.state[S_NOW]
    first, time = w.instants
    k = node[n, N_BATCH]
    due = FOREVER
    if node[n, N_LONGEST] >= 0:
        due = w.row[node[n, N_GATHER_HEAD], R_ENTERED] + node[n, N_LONGEST]
    low = first[k]
    high = first[k + 1]
    last = high
    while low < high:
        middle = (low + high) >> 1
        if time[middle] > now:
            high = middle
        else:
            low = middle + 1
    if low < last:
        due = min(due, time[low])
    return max(due, now)


@inlined_part
def _set_timer(w, n):
    """The timer of a batch follows its first member."""
    if w.node[n, N_GATHERED] == 0:
        disarm(w, w.node[n, N_BATCH])
    else:
        arm(w, w.node[n, N_BATCH], _batch_due(w, n))


@part
def gather(w, r):
    """A token joins the batch that is being collected at its task."""
    row, node = w.row, w.node
    n = row[r, R_NODE]
    append(row, node, n, N_GATHER_HEAD, N_GATHER_TAIL, r)
    row[r, R_STATE] = GATHERING
    node[n, N_GATHERED] += 1
    if node[n, N_GATHERED] == 1:
        _set_timer(w, n)
    if node[n, N_GATHERED] == node[n, N_SIZE]:
        push(w, FIRE, n, 0, 0)


@part
def ungather(w, r):
    """Take a row out of the batch that is being collected."""
    node = w.node
    n = w.row[r, R_NODE]
    unlink(w.row, node, n, N_GATHER_HEAD, N_GATHER_TAIL, r)
    node[n, N_GATHERED] -= 1
    _set_timer(w, n)


@part
def fire(w, n):
    """FIRE: a batch is complete, or its time has come."""
    row, node = w.row, w.node
    if w.state[S_FREE_ROWS] < 1:
        return ROWS_FULL
    if node[n, N_GATHERED] == 0:
        return DONE
    first = node[n, N_GATHER_HEAD]
    x = new_row(w, CARRIER, row[first, R_CASE])
    row[x, R_NODE] = n
    row[x, R_ENTERED] = w.state[S_NOW]
    row[x, R_HEAD] = row[x, R_TAIL] = -1
    row[x, R_VISIT] = row[first, R_VISIT]
    while node[n, N_GATHERED] > 0 and (node[n, N_SIZE] == 0 or row[x, R_LEFT] < node[n, N_SIZE]):
        y = node[n, N_GATHER_HEAD]
        unlink(row, node, n, N_GATHER_HEAD, N_GATHER_TAIL, y)
        node[n, N_GATHERED] -= 1
        row[y, R_STATE] = ITEM
        row[y, R_HOST] = x
        append(row, row, x, R_HEAD, R_TAIL, y)
        row[x, R_LEFT] += 1
    _set_timer(w, n)
    plan_row(w, WORK, x, 0)
    return DONE
