"""What to do when the general kernel stops before its time: more room for an array, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import CapacityError, ScenarioError
from twin.kernels import tokens_layout as k

Ints = NDArray[np.int64]


def longer(a: NDArray[Any], rows: int) -> NDArray[Any]:
    """The array with `rows` rows, the new ones zero."""
    return np.concatenate([a, np.zeros((rows - len(a), *a.shape[1:]), a.dtype)])


def winners(tree: Ints, leaves: int) -> Ints:
    """Fill the inner nodes of a tree of timers from its leaves."""
    width = leaves
    while width > 1:
        below = tree[2 * width : 4 * width].reshape(-1, 2, 2)
        times, keys = below[:, :, 0], below[:, :, 1]
        second = (times[:, 1] < times[:, 0]) | ((times[:, 1] == times[:, 0]) & (keys[:, 1] < keys[:, 0]))
        tree[width : 2 * width] = below[np.arange(len(below)), second.astype(np.int64)].reshape(-1)
        width //= 2
    return tree


def raise_trouble(code: int, state: Ints, process: str, nodes: tuple[str, ...]) -> None:
    """Raise the error that a return code means, if it means one."""
    if code == k.RUNAWAY:
        raise CapacityError("a case visited one node 65,536 times", hint="Give its rework a limit.")
    if code == k.EXHAUSTED:
        raise CapacityError("a process has set 137 thousand million timers", hint="Start a new network.")
    if code == k.STUCK:
        name = nodes[int(state[k.S_TROUBLE_NODE])]
        raise ScenarioError(
            f"case {int(state[k.S_TROUBLE])} waits at the join {name!r} for a token that cannot come",
            where=f"process {process!r}, nodes.{name}",
            hint="A parallel join needs a token from every way in; alternatives meet in a choice.",
        )
