"""Queue of the cancels that the background's orders wait for.

Cancels wait in patience time (nanoseconds of the windows in which cancels are taken) on a wheel of buckets per
instrument; those of buckets that have begun are in a pairing heap (Fredman et al. 1986), so that the heap stays as
small as what is due soon. Arrays: `agents.kernels.flow_layout`.
"""

from __future__ import annotations

import numpy as np

from agents.kernels.flow_layout import BUCKET, DUE, FREE, IS_LIVE, IS_QUEUED, LINKS, LIVE, ROOT, TAG
from twin.kernels import inlined, kernel

_LOW = 0xFFFFFFFF


@kernel
def _link(a, b, nodes):
    """Join two heaps (roots as node + 1, not 0); return the root: the earlier due, at equal times the older order."""
    p, q = a - 1, b - 1
    if nodes[q, DUE] < nodes[p, DUE] or (nodes[q, DUE] == nodes[p, DUE] and nodes[q, TAG] < nodes[p, TAG]):
        a, b, p, q = b, a, q, p
    nodes[q, LINKS] = (nodes[q, LINKS] & _LOW) | ((nodes[p, LINKS] & _LOW) << 32)
    nodes[p, LINKS] = (nodes[p, LINKS] & ~_LOW) | b
    return a


@kernel
def heap_add(root, node, due, nodes):
    """Add a node to a heap; return the root."""
    nodes[node, DUE] = due
    nodes[node, LINKS] = 0
    return node + 1 if root == 0 else _link(root, node + 1, nodes)


@kernel
def heap_drop(root, nodes):
    """Take the root off a heap (two passes over its children); return the new root, 0 if the heap is empty."""
    child = nodes[root - 1, LINKS] & _LOW
    done = np.int64(0)
    while child != 0:
        pair = nodes[child - 1, LINKS] >> 32
        nodes[child - 1, LINKS] &= _LOW
        if pair != 0:
            after = nodes[pair - 1, LINKS] >> 32
            nodes[pair - 1, LINKS] &= _LOW
            child, pair = _link(child, pair, nodes), after
        nodes[child - 1, LINKS] |= done << 32
        done, child = child, pair
    new = np.int64(0)
    while done != 0:
        after = nodes[done - 1, LINKS] >> 32
        nodes[done - 1, LINKS] &= _LOW
        new = done if new == 0 else _link(new, done, nodes)
        done = after
    return new


@kernel
def free_node(node, place, stack):
    """Put a node back among the free ones."""
    stack[place[FREE]] = node
    place[FREE] += 1


@kernel
def begin_buckets(i, until, place, own, nodes, stack, wheel):
    """Bring what is due before `until` (patience ns) from the wheel into the heap; free the nodes of ended orders."""
    counter = wheel.shape[1] - 1
    b = np.int64(wheel[i, counter])
    last = min((until + BUCKET - 1) // BUCKET, counter)
    while b < last:
        entry = np.int64(wheel[i, b])
        wheel[i, b] = 0
        while entry != 0:
            after = nodes[entry - 1, LINKS]
            if nodes[entry - 1, TAG] & IS_LIVE:
                own[i, ROOT] = heap_add(own[i, ROOT], entry - 1, nodes[entry - 1, DUE], nodes)
            else:
                free_node(entry - 1, place, stack)
            entry = after
        b += 1
    wheel[i, counter] = max(b, np.int64(wheel[i, counter]))


@kernel
def await_cancel(i, node, due, own, nodes, wheel):
    """Let an order's cancel wait until `due` (patience ns, on the wheel)."""
    b = due // BUCKET
    if b < wheel[i, wheel.shape[1] - 1]:
        own[i, ROOT] = heap_add(own[i, ROOT], node, due, nodes)
    else:
        nodes[node, DUE] = due
        nodes[node, LINKS] = wheel[i, b]
        wheel[i, b] = node + 1


@kernel
def end_order(node, place, nodes, stack):
    """An order has ended; its node stays in the heap if it is there."""
    if nodes[node, TAG] & IS_LIVE:
        nodes[node, TAG] &= ~IS_LIVE
        place[LIVE] -= 1
        if nodes[node, TAG] & IS_QUEUED == 0:
            free_node(node, place, stack)


@inlined
def end_if_gone(order, base, place, nodes, stack, slots):
    """A background order that the exchange does not hold any more has ended."""
    if order >= base and slots[order] == 0:
        end_order(order - base, place, nodes, stack)
