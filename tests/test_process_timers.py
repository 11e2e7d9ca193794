"""The winner tree of timers does what a sorted list does."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.kernels import kernel
from twin.kernels.timers import NEVER, SLOT_BITS, SLOT_MASK, double, set_leaf

ROOM = 64


@kernel
def put(tree, leaves, leaf, time, key):
    set_leaf(tree, leaves, leaf, time, key)


times = st.one_of(st.integers(0, 3), st.integers(0, int(NEVER) - 1))


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.tuples(st.integers(0, ROOM - 1), st.one_of(times, st.none())), max_size=120))
def test_root_is_the_earliest_timer_and_the_first_set_among_equals(steps):
    tree = np.full(4 * ROOM, NEVER)
    leaves = 0
    pending: dict[int, tuple[int, int]] = {}
    for sequence, (owner, time) in enumerate(steps):
        while owner >= leaves:
            leaves = double(tree, leaves)
        key = (sequence << SLOT_BITS) | owner
        if time is None:
            pending.pop(owner, None)
            put(tree, leaves, owner, NEVER, 0)
        else:
            pending[owner] = (time, key)
            put(tree, leaves, owner, time, key)
        if pending:
            assert (int(tree[2]), int(tree[3])) == min(pending.values())
            assert int(tree[3]) & SLOT_MASK in pending
        else:
            assert tree[2] == NEVER
