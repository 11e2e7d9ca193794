"""Control flow as a context tree: the next activity given the history, longer histories backed by shorter ones.

The distribution at a history is (counts + c x distribution of the history shortened by its oldest activity) / (number +
c): interpolated smoothing with a constant weight c. Depth and c are those that predict held-out cases best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twin.process.discovery.columns import Bool, Float, Int, LogColumns
from twin.process.discovery.model import Routes

_DEPTHS = (1, 2, 3, 4, 6, 8, 12)
_SHRINKAGES = (0.3, 1.0, 3.0, 10.0)
_LEAST = 2.0
"""A history seen by fewer cases than this is not kept."""
_FOLDS = 4
_WHOLE = 1e-6
_MILLI = 1000


@dataclass(frozen=True)
class Trie:
    """A context tree ready to draw from: `child[node, symbol]` (-1 = none), `chance[node, follower]`."""

    child: Int
    chance: Float


def fit_routes(log: LogColumns, weight: Float) -> tuple[Routes, list[tuple[str, float]]]:
    """Fit the tree; also held-out perplexities (mean -log2 probability per step) for the report.

    Args:
        log: the log.
        weight: of each case.
    """
    k = len(log.activities)
    traces = _steps(log, weight)
    best, scores = _choose(traces, k) if log.cases >= 2 * _FOLDS else ((1, 1.0), {})
    depth, shrinkage = best
    found = [("next activity, bits per step", scores[best])] if scores else []
    return _pack(_grow(traces, k, depth), depth, shrinkage, 3 * traces.longest + 10), found


def whole_routes(log: LogColumns, weight: Float) -> Routes:
    """Routes that follow observed cases almost from start to end: the longest histories, hardly backed off."""
    traces = _steps(log, weight)
    depth = min(traces.longest + 1, _DEPTHS[-1])
    return _pack(_grow(traces, len(log.activities), depth, 0.0), depth, _WHOLE, 3 * traces.longest + 10)


def fixed_routes(log: LogColumns, weight: Float, like: Routes) -> Routes:
    """A tree of the depth and shrinkage of another."""
    tree = _grow(_steps(log, weight), len(log.activities), like.depth)
    return _pack(tree, like.depth, like.shrinkage, like.longest)


@dataclass(frozen=True)
class Steps:
    """Cases as sequences: for each the start, its activities and the end, one after the other.

    Attributes:
        symbol: of each step; the start and the end are both K.
        back: steps since the start of the case.
        mass: weight of the case.
        case: of each step.
        longest: activities of the longest case.
    """

    symbol: Int
    back: Int
    mass: Float
    case: Int
    longest: int

    def part(self, cases: Bool) -> Steps:
        """The steps of the cases of a mask."""
        rows = cases[self.case]
        return Steps(self.symbol[rows], self.back[rows], self.mass[rows], self.case[rows], self.longest)


def _steps(log: LogColumns, weight: Float) -> Steps:
    sizes = np.diff(log.offset)
    case = np.repeat(np.arange(log.cases), sizes + 2)
    begin = log.offset[:-1] + 2 * np.arange(log.cases)
    symbol = np.full(len(case), len(log.activities), np.int64)
    symbol[np.arange(len(log.case)) + 2 * log.case + 1] = log.activity
    return Steps(symbol, np.arange(len(case)) - begin[case], weight[case], case, int(sizes.max()))


@dataclass(frozen=True)
class Tree:
    """Weighted counts of the followers of histories, level by level of their lengths; node 0 is the empty one.

    Attributes:
        parent: of each node.
        symbol: of each node.
        key: parent * (K + 1) + symbol of each node but the first, rising within a level.
        first: first node of each level, and one more.
        cell: node * (K + 1) + follower, rising.
        count: of each cell.
        total: of each node.
        width: K + 1.
    """

    parent: Int
    symbol: Int
    key: Int
    first: list[int]
    cell: Int
    count: Float
    total: Float
    width: int


def _grow(steps: Steps, k: int, depth: int, least: float = _LEAST) -> Tree:
    """Counts of the followers of every history (newest first) up to a depth, seen by as many cases as wanted."""
    width = k + 1
    rows = np.flatnonzero(steps.back > 0)
    node = np.zeros(len(rows), np.int64)
    parents, symbols, first = [np.full(1, -1)], [np.full(1, -1)], [0, 1]
    cells, counts, totals = [], [], []
    for level in range(depth + 1):
        if level:
            kept = steps.back[rows] >= level
            rows, node = rows[kept], node[kept]
            keys, found = np.unique(node * width + steps.symbol[rows - level], return_inverse=True)
            seen = np.bincount(found, weights=steps.mass[rows], minlength=len(keys))
            use = (seen >= least) | (level <= 1)
            number = np.where(use, first[-1] + np.cumsum(use) - 1, -1)
            node = number[found]
            rows, node = rows[node >= 0], node[node >= 0]
            parents.append(keys[use] // width)
            symbols.append(keys[use] % width)
            first.append(first[-1] + int(use.sum()))
        size = first[-1] - first[-2]
        if not size:
            break
        cell, found = np.unique(node * width + steps.symbol[rows], return_inverse=True)
        cells.append(cell)
        counts.append(np.bincount(found, weights=steps.mass[rows], minlength=len(cell)))
        totals.append(np.bincount(node - first[-2], weights=steps.mass[rows], minlength=size))
    parent, symbol = np.concatenate(parents), np.concatenate(symbols)
    return Tree(
        parent=parent,
        symbol=symbol,
        key=parent * width + symbol,
        first=first,
        cell=np.concatenate(cells),
        count=np.concatenate(counts),
        total=np.concatenate(totals),
        width=width,
    )


def _choose(steps: Steps, k: int) -> tuple[tuple[int, float], dict[tuple[int, float], float]]:
    """Depth and shrinkage with the least held-out bits per step."""
    depths = [d for d in _DEPTHS if d <= steps.longest + 1] or [1]
    bits = {(d, c): 0.0 for d in depths for c in _SHRINKAGES}
    cases = int(steps.case[-1]) + 1
    for held in range(_FOLDS):
        out = np.arange(cases) % _FOLDS == held
        tree = _grow(steps.part(~out), k, max(depths))
        tests = steps.part(out)
        for c, by_depth in zip(_SHRINKAGES, _held_out(tree, tests, k, depths), strict=True):
            for d, value in zip(depths, by_depth, strict=True):
                bits[d, c] += value
    total = float(steps.mass[steps.back > 0].sum())
    scores = {key: value / max(total, 1e-9) for key, value in bits.items()}
    best = min(scores, key=lambda key: (round(scores[key], 3), key[0]))
    return best, scores


def _levels(tree: Tree, steps: Steps, k: int, depth: int) -> Iterator[tuple[int, Int, Float, Float]]:
    """Of each level of a tree: which steps it knows, how often what came had followed, and how often anything had."""
    width = k + 1
    rows = np.flatnonzero(steps.back > 0)
    node = np.zeros(len(rows), np.int64)
    inside = np.arange(len(rows))
    for level in range(depth + 1):
        if level:
            inside = inside[steps.back[rows[inside]] >= level]
            begin, stop = (tree.first[min(level + i, len(tree.first) - 1)] for i in (0, 1))
            wanted = node[inside] * width + steps.symbol[rows[inside] - level]
            at, known = _find(tree.key[begin:stop], wanted)
            inside, at = inside[known], at[known]
            node[inside] = begin + at
        at, known = _find(tree.cell, node[inside] * width + steps.symbol[rows[inside]])
        count = np.where(known, tree.count[at], 0.0) if len(tree.count) else np.zeros(len(inside))
        yield level, inside, count, tree.total[node[inside]]


def _held_out(tree: Tree, steps: Steps, k: int, depths: list[int]) -> list[list[float]]:
    """Bits of all steps, for each shrinkage and depth."""
    mass = steps.mass[steps.back > 0]
    chance = np.full((len(_SHRINKAGES), len(mass)), 1.0 / (k + 1))
    found: list[list[float]] = [[] for _ in _SHRINKAGES]
    for level, inside, count, total in _levels(tree, steps, k, max(depths)):
        for i, c in enumerate(_SHRINKAGES):
            chance[i, inside] = (count + c * chance[i, inside]) / (total + c)
            if level in depths:
                found[i].append(-float((mass * np.log2(chance[i])).sum()))
    return found


def _find(table: Int, wanted: Int) -> tuple[Int, Bool]:
    """Where values stand in a rising table, and whether they do."""
    if not len(table):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return at, table[at] == wanted


def _pack(tree: Tree, depth: int, shrinkage: float, longest: int) -> Routes:
    return Routes(
        depth=depth,
        shrinkage=shrinkage,
        parent=tree.parent.astype(np.int64),
        symbol=tree.symbol.astype(np.int64),
        node=tree.cell // tree.width,
        follower=tree.cell % tree.width,
        count=np.maximum(1, np.round(tree.count * _MILLI)).astype(np.int64),
        longest=longest,
    )


def trie_of(routes: Routes, k: int) -> Trie:
    """The tree as dense arrays; rows of `chance` are cumulative and end in 1."""
    n = len(routes.parent)
    child = np.full((n, k + 1), -1, np.int64)
    counts = np.zeros((n, k + 1))
    np.add.at(counts, (routes.node, routes.follower), routes.count / _MILLI)
    total = counts.sum(axis=1, keepdims=True)
    child[routes.parent[1:], routes.symbol[1:]] = np.arange(1, n)
    chance = counts / np.maximum(total, 1e-300)
    level = np.zeros(n, np.int64)
    for _ in range(routes.depth + 1):
        level[1:] = level[routes.parent[1:]] + 1
    for depth in range(1, int(level.max()) + 1):
        rows = np.flatnonzero(level == depth)
        before = chance[routes.parent[rows]]
        chance[rows] = (counts[rows] + routes.shrinkage * before) / (total[rows] + routes.shrinkage)
    cumulative = np.cumsum(chance, axis=1)
    cumulative /= cumulative[:, -1:]
    # An activity that never follows must not be drawn for want of a last bit.
    last = (chance > 0)[:, ::-1].argmax(axis=1)
    cumulative[np.arange(k + 1) >= (k - last)[:, None]] = 1.0
    return Trie(child, cumulative)
