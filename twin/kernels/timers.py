"""Timers as a winner tree: the earliest is at the root, and setting, moving or dropping one is one walk to the root.

A timer is a leaf that holds (time, key); every inner node holds the smaller pair of its two children. Unlike a heap the
walk has a fixed length and no branch to guess, and a timer that moves stays where it is. Leaves in use are counted out
from a stack of free ones, and the tree doubles when they run out, so it is as deep as the most timers ever set at once
require. The key is the order of setting, shifted left by SLOT_BITS, plus whose timer it is: equal times come in the
order in which they were set.

`tree` is flat int64: node i has its time at 2 * i and its key at 2 * i + 1; the root is node 1, the leaves follow from
node `leaves`. With room for `n` timers it has 4 * n entries, and it starts filled with NEVER.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined, njit

NEVER = np.int64((1 << 62) - 1)
"""Later than every instant; twice the difference of two times must fit."""
SLOT_BITS = 24
SLOT_MASK = (1 << SLOT_BITS) - 1
"""Largest owner of a timer."""
LAST_SEQUENCE = 1 << (62 - SLOT_BITS)
"""Sequence numbers must stay below."""
INDEX = 0x7FFFFFFF
"""An index masked with this is known not to be negative, which spares a test at every access."""


@inlined
def set_leaf(tree, leaves, leaf, time, key):
    """Put (time, key) at a leaf; NEVER as time drops the timer. All int64."""
    i = (leaves + leaf) & INDEX
    tree[2 * i] = time
    tree[2 * i + 1] = key
    while i > 1:
        other = 2 * (i ^ 1)
        t = tree[other]
        k = tree[other + 1]
        # Which of two timers is first cannot be guessed: the sign of twice the difference of times, less one if the
        # other's key is smaller, becomes a mask, and no branch.
        later = t - time
        order = k - key
        other_first = (2 * later + (order >> 63)) >> 63
        time += later & other_first
        key += order & other_first
        i >>= 1
        tree[2 * i] = time
        tree[2 * i + 1] = key


@njit(cache=True, _nrt=False)
def double(tree, leaves):
    """Give a full tree twice the leaves (8 at first) and return how many they are; old leaves keep their numbers."""
    new = max(2 * leaves, 8)
    for i in range(2 * leaves):
        tree[2 * new + i] = tree[2 * leaves + i]
    for i in range(leaves, new):
        tree[2 * (new + i)] = NEVER
        tree[2 * (new + i) + 1] = 0
    for i in range(new - 1, 0, -1):
        a, b = 4 * i, 4 * i + 2
        if tree[b] < tree[a] or (tree[b] == tree[a] and tree[b + 1] < tree[a + 1]):
            a = b
        tree[2 * i] = tree[a]
        tree[2 * i + 1] = tree[a + 1]
    return new
