"""Control flow as a graph: a context tree of bounded history, with activities that run side by side in blocks.

A state is a block (activities all of which run side by side) and the last activities before it. What the chain of
states loses against the whole tree is what lies further back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from twin.errors import CapacityError
from twin.process.discovery.columns import Bool, Float
from twin.process.discovery.model import DiscoveredProcess

Context = tuple[int, ...]
"""Symbols, newest first; the number of activities stands for the start."""
_LARGEST_BLOCK = 4
_MOST_STATES = 2_000
_SELDOM = 1e-9


@dataclass(frozen=True, order=True)
class Block:
    """Activities done side by side (mostly one), and the history before them, newest first."""

    activities: tuple[int, ...]
    before: Context


END = Block((), ())
"""The end of the case."""


@dataclass(frozen=True)
class Chain:
    """Blocks in the order in which they were found, and where each leads; `START` leads to the first.

    Attributes:
        start: followers of the beginning, with probabilities.
        followers: of each block.
        rare: ways left out.
        share: of all steps, those on the ways left out (where they leave, weighted by visits).
    """

    start: dict[Block, float]
    followers: dict[Block, dict[Block, float]]
    rare: int
    share: float


def chain_of(process: DiscoveredProcess, history: int, least: float) -> Chain:
    """The chain of a discovered process.

    Args:
        process: what was discovered.
        history: how many activities back the next one depends on, at least 1.
        least: ways taken less often than this at their point are left out, if the end can be reached without them.

    Raises:
        CapacityError: more states than can be handled.
    """
    k = len(process.activities)
    routes = _Routes(_tree(process), process.concurrent.reshape(k, k) != 0, history)
    start = routes.after(Block((), (k,)))
    followers: dict[Block, dict[Block, float]] = {}
    _follow(routes, list(start), followers)
    while True:
        # With long histories, what each block remembers may lead in circles: there they forget.
        leads = _leading_to_end(followers)
        stuck = [block for block in followers if block not in leads]
        if not stuck:
            break
        found: list[Block] = []
        for block in stuck:
            plain = routes.after(Block(block.activities, ()))
            followers[block] = plain if followers[block] != plain else {END: 1.0}
            found += followers[block]
        _follow(routes, found, followers)
    return _pruned(start, followers, least)


def _follow(routes: _Routes, queue: list[Block], followers: dict[Block, dict[Block, float]]) -> None:
    """Complete the followers of some blocks, of theirs, and so on."""
    while queue:
        block = queue.pop(0)
        if block == END or block in followers:
            continue
        if len(followers) >= _MOST_STATES:
            raise CapacityError(
                f"the process has more than {_MOST_STATES} states", hint="Give a shorter history, such as 1."
            )
        followers[block] = routes.after(block)
        queue += followers[block]


def _tree(process: DiscoveredProcess) -> dict[Context, Float]:
    """Counts of followers of each context."""
    routes, k = process.routes, len(process.activities)
    contexts: list[Context] = []
    for parent, symbol in zip(routes.parent.tolist(), routes.symbol.tolist(), strict=True):
        contexts.append(() if parent < 0 else (*contexts[parent], symbol))
    counts = np.zeros((len(contexts), k + 1))
    np.add.at(counts, (routes.node, routes.follower), routes.count.astype(np.float64))
    return {context: counts[i] for i, context in enumerate(contexts)}


@dataclass(frozen=True)
class _Routes:
    """What follows what.

    Attributes:
        tree: counts of followers of each context.
        side: activities that run side by side.
        history: as of `chain_of`. Within a block it reaches that far beyond the block's beginning.
    """

    tree: dict[Context, Float]
    side: Bool
    history: int

    def after(self, block: Block) -> dict[Block, float]:
        """Blocks that follow one, with probabilities."""
        k = len(self.side)
        counts = self._counts(block)
        counts[self._joins(block.activities)] = 0.0
        total = float(counts.sum())
        if total <= 0.0:  # cases always went on side by side: they end here
            return {END: 1.0}
        found: dict[Block, float] = {}
        last = self._order(block) + block.before
        for a in np.flatnonzero(counts).tolist():
            if a == k:
                found[END] = float(counts[a]) / total
            else:
                self._grow((a,), last, float(counts[a]) / total, found)
        return found

    def _order(self, block: Block) -> Context:
        """The activities of a block, newest first, as they mostly came."""
        orders = [order for order in permutations(block.activities[::-1]) if order + block.before in self.tree]
        return max(orders, key=lambda o: float(self.tree[o + block.before].sum()), default=block.activities[::-1])

    def _counts(self, block: Block) -> Float:
        """Counts of what follows a block, whichever of its activities came last."""
        orders = [order + block.before for order in permutations(block.activities)]
        seen = [self.tree[order] for order in orders if order in self.tree]
        return np.sum(seen, axis=0) if seen else self._shortened(orders[0]).copy()

    def _shortened(self, context: Context) -> Float:
        """Counts at the longest history that the tree knows."""
        return next(self.tree[context[:n]] for n in range(len(context), -1, -1) if context[:n] in self.tree)

    def _joins(self, members: tuple[int, ...]) -> list[int]:
        """Activities that run side by side with all of these, and so belong to their block."""
        if not members or len(members) >= _LARGEST_BLOCK:
            return []
        return [b for b in range(len(self.side)) if b not in members and self.side[list(members), b].all()]

    def _grow(self, members: tuple[int, ...], before: Context, mass: float, found: dict[Block, float]) -> None:
        """A block that holds some activities (newest first) either ends here or takes in another."""
        counts = self._shortened(members + before[: self.history]).copy()
        counts[list(members[1:])] = 0.0  # a short history would forget that they are done
        total = float(counts.sum())
        chance = counts / total if total > 0 else counts
        more = [b for b in self._joins(members) if chance[b] > 0]
        stop = 1.0 - float(chance[more].sum())
        if stop > _SELDOM:
            block = self._known(Block(tuple(sorted(members)), before[: self.history - 1]))
            found[block] = found.get(block, 0.0) + mass * stop
        for b in more:
            if mass * float(chance[b]) > _SELDOM:
                self._grow((b, *members), before, mass * float(chance[b]), found)

    def _known(self, block: Block) -> Block:
        """The block with as much history as the tree knows."""
        for n in range(len(block.before), 0, -1):
            if any(order + block.before[:n] in self.tree for order in permutations(block.activities)):
                return Block(block.activities, block.before[:n])
        return Block(block.activities, ())


def _pruned(start: dict[Block, float], followers: dict[Block, dict[Block, float]], least: float) -> Chain:
    """Without rare ways, but so that every block still leads to the end."""
    kept = {block: _often(ways, least) for block, ways in followers.items()}
    while True:
        leads = _leading_to_end(kept)
        stuck = [block for block in followers if block not in leads and kept[block] != followers[block]]
        if not stuck:
            break
        for block in stuck:
            kept[block] = followers[block]
    begin = _often(start, least)
    begin = begin if any(block == END or block in _leading_to_end(kept) for block in begin) else start
    reached = _reached(begin, kept)
    visits = _visits(start, followers)
    lost = sum(visits[b] * sum(p for to, p in followers[b].items() if to not in kept[b]) for b in reached)
    return Chain(
        begin,
        {block: kept[block] for block in followers if block in reached},
        sum(len(followers[block]) - len(kept[block]) for block in reached) + len(start) - len(begin),
        lost / max(sum(visits.values()), _SELDOM),
    )


def _often(ways: dict[Block, float], least: float) -> dict[Block, float]:
    kept = {block: p for block, p in ways.items() if p >= least} or ways
    total = sum(kept.values())
    return {block: p / total for block, p in kept.items()}


def _leading_to_end(followers: dict[Block, dict[Block, float]]) -> set[Block]:
    leads = {END}
    while True:
        more = {block for block, ways in followers.items() if block not in leads and not leads.isdisjoint(ways)}
        if not more:
            return leads
        leads |= more


def _reached(start: dict[Block, float], followers: dict[Block, dict[Block, float]]) -> set[Block]:
    seen: set[Block] = set()
    queue = [block for block in start if block != END]
    while queue:
        block = queue.pop()
        if block not in seen:
            seen.add(block)
            queue += [to for to in followers[block] if to != END]
    return seen


def _visits(start: dict[Block, float], followers: dict[Block, dict[Block, float]]) -> dict[Block, float]:
    """Expected visits of a case to each block: the traffic equations of the chain."""
    index = {block: i for i, block in enumerate(followers)}
    moves = np.eye(len(index))
    for block, ways in followers.items():
        for to, p in ways.items():
            if to != END:
                moves[index[to], index[block]] -= p
    into = np.zeros(len(index))
    for block, p in start.items():
        if block != END:
            into[index[block]] += p
    # Least squares: a block that never leads on would make the matrix singular.
    visits = np.linalg.lstsq(moves, into, rcond=None)[0] if len(index) else into
    return {block: float(max(visits[i], 0.0)) for block, i in index.items()}
