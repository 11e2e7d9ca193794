"""Millions of clients as columns; the segments are contiguous blocks of them.

What a client is follows from his number alone (a pure function of seed, replication and client), so it is worked out
only when he first logs in; until then he costs a zero page of memory that nobody has touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Board, Segment


@dataclass(frozen=True)
class Block:
    """One segment's clients: identifiers from `first` (included) to `first + count` (excluded)."""

    segment: Segment
    first: int
    count: int


def blocks(count: int, mix: dict[Segment, float]) -> list[Block]:
    """Split `count` clients by shares (which sum to 1) into contiguous blocks; the first takes what rounding leaves.

    Raises:
        ValueError: if the shares do not sum to 1.
    """
    if abs(sum(mix.values()) - 1.0) > 1e-9:
        raise ValueError(f"shares of segments sum to {sum(mix.values())}, not 1")
    sizes = {segment: int(count * share) for segment, share in mix.items()}
    sizes[next(iter(mix))] += count - sum(sizes.values())
    result, first = [], 0
    for segment, size in sizes.items():
        result.append(Block(segment, first, size))
        first += size
    return result


class Population:
    """Columns of all accounts: clients first, then institutions.

    Args:
        client_blocks: the segments.
        institutions: number of institutional accounts, which follow the clients.

    Attributes:
        segment: uint8. permission: uint8 bit mask of boards. risk_class: int8, 1 to 5. tenure: uint8, months with the
            broker, at most 255. active_of: int32, 1 + row in the list of today's active clients, 0 = not logged in.
        flags: uint8 of bad experiences (`agents.kernels.timers.FLAG_*`), by active row.
    """

    def __init__(self, client_blocks: list[Block], institutions: int) -> None:
        self.blocks = client_blocks
        self.clients = sum(block.count for block in client_blocks)
        self.accounts = self.clients + institutions
        self.segment = np.full(self.accounts, Segment.INSTITUTION, np.uint8)
        for block in client_blocks:
            self.segment[block.first : block.first + block.count] = block.segment
        self.permission = np.zeros(self.accounts, np.uint8)
        self.risk_class = np.zeros(self.accounts, np.int8)
        self.permission[self.clients :] = (1 << len(Board)) - 1
        self.risk_class[self.clients :] = 5
        self.active_of = np.zeros(self.accounts, np.int32)
        self.active = np.zeros(self.clients, np.int64)
        self.flags = np.zeros(self.clients, np.uint8)
        self.n_active = 0

    def activate(self, clients: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give clients who log in for the first time today their rows, in the order given."""
        rows = np.arange(self.n_active, self.n_active + len(clients))
        self.active[rows] = clients
        self.active_of[clients] = rows + 1
        self.n_active += len(clients)
        return rows
