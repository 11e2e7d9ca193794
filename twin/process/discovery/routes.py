"""Control flow as a context tree: the next activity given the history, longer histories backed by shorter ones.

The distribution at a history is (counts + c x distribution of the history shortened by its oldest activity) / (number +
c): interpolated smoothing with a constant weight c. Depth and c are those that predict held-out cases best.
"""

from __future__ import annotations

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
    traces = [log.activity[a:b].tolist() for a, b in zip(log.offset[:-1], log.offset[1:], strict=True)]
    fold = np.arange(len(traces)) % _FOLDS
    best, scores = _choose(traces, weight, fold, k) if len(traces) >= 2 * _FOLDS else ((1, 1.0), {})
    depth, shrinkage = best
    tree = _grow(traces, weight, k, depth)
    found = [("next activity, bits per step", scores[best])] if scores else []
    longest = max(len(trace) for trace in traces)
    return _pack(tree, depth, shrinkage, 3 * longest + 10), found


def whole_routes(log: LogColumns, weight: Float) -> Routes:
    """Routes that follow observed cases almost from start to end: the longest histories, hardly backed off."""
    k = len(log.activities)
    traces = [log.activity[a:b].tolist() for a, b in zip(log.offset[:-1], log.offset[1:], strict=True)]
    longest = max(len(trace) for trace in traces)
    depth = min(longest + 1, _DEPTHS[-1])
    return _pack(_grow(traces, weight, k, depth, 0.0), depth, _WHOLE, 3 * longest + 10)


def fixed_routes(log: LogColumns, weight: Float, like: Routes) -> Routes:
    """A tree of the depth and shrinkage of another."""
    traces = [log.activity[a:b].tolist() for a, b in zip(log.offset[:-1], log.offset[1:], strict=True)]
    return _pack(_grow(traces, weight, len(log.activities), like.depth), like.depth, like.shrinkage, like.longest)


Node = dict[tuple[int, ...], Float]


def _grow(traces: list[list[int]], weight: Float, k: int, depth: int, least: float = _LEAST) -> Node:
    """Weighted counts of followers of every history (newest first) up to a depth."""
    tree: Node = {}
    grouped: dict[tuple[int, ...], float] = {}
    for trace, mass in zip(traces, weight.tolist(), strict=True):
        key = tuple(trace)
        grouped[key] = grouped.get(key, 0.0) + mass
    for key, mass in grouped.items():
        extended = (*key, k)
        history: tuple[int, ...] = (k,)
        for symbol in extended:
            for length in range(min(depth, len(history)) + 1):
                context = history[:length]
                counts = tree.get(context)
                if counts is None:
                    counts = tree[context] = np.zeros(k + 1)
                counts[symbol] += mass
            history = (symbol, *history[: depth - 1]) if depth else ()
    return {c: n for c, n in tree.items() if not c or n.sum() >= least or len(c) <= 1}


def _choose(
    traces: list[list[int]], weight: Float, fold: Int, k: int
) -> tuple[tuple[int, float], dict[tuple[int, float], float]]:
    """Depth and shrinkage with the least held-out bits per step."""
    longest = max(len(trace) for trace in traces) + 1
    depths = [d for d in _DEPTHS if d <= longest] or [1]
    bits = {(d, c): 0.0 for d in depths for c in _SHRINKAGES}
    steps = 0.0
    for held in range(_FOLDS):
        inside: Bool = fold != held
        rows = np.flatnonzero(inside).tolist()
        tree = _grow([traces[i] for i in rows], weight[inside], k, max(depths))
        sums = {context: float(counts.sum()) for context, counts in tree.items()}
        tests: dict[tuple[int, ...], float] = {}
        for i in np.flatnonzero(~inside).tolist():
            key = tuple(traces[i])
            tests[key] = tests.get(key, 0.0) + float(weight[i])
        for key, mass in tests.items():
            history: tuple[int, ...] = (k,)
            for symbol in (*key, k):
                steps += mass
                counts_sums = []
                for length in range(min(max(depths), len(history)) + 1):
                    found = tree.get(history[:length])
                    if found is None:
                        break
                    counts_sums.append((found[symbol], sums[history[:length]]))
                for c in _SHRINKAGES:
                    p = 1.0 / (k + 1)
                    at = 0
                    for length, (count, total) in enumerate(counts_sums):
                        p = (count + c * p) / (total + c)
                        while at < len(depths) and depths[at] < length:
                            at += 1
                        if at < len(depths) and depths[at] == length:
                            bits[depths[at], c] -= mass * np.log2(p)
                    for d in depths:
                        if d >= len(counts_sums):
                            bits[d, c] -= mass * np.log2(p)
                history = (symbol, *history[: max(depths) - 1])
    scores = {key: value / max(steps, 1e-9) for key, value in bits.items()}
    best = min(scores, key=lambda key: (round(scores[key], 3), key[0]))
    return best, scores


def _pack(tree: Node, depth: int, shrinkage: float, longest: int) -> Routes:
    contexts = sorted(tree, key=lambda c: (len(c), c))
    index = {context: i for i, context in enumerate(contexts)}
    kept = [c for c in contexts if not c or c[:-1] in index]
    index = {context: i for i, context in enumerate(kept)}
    parent = np.array([index[c[:-1]] if c else -1 for c in kept], np.int64)
    symbol = np.array([c[-1] if c else -1 for c in kept], np.int64)
    node, follower, count = [], [], []
    for context in kept:
        counts = tree[context]
        for s in np.flatnonzero(counts).tolist():
            node.append(index[context])
            follower.append(s)
            count.append(max(1, round(float(counts[s]) * _MILLI)))
    columns = [np.array(column, np.int64) for column in (node, follower, count)]
    return Routes(
        depth=depth,
        shrinkage=shrinkage,
        parent=parent,
        symbol=symbol,
        node=columns[0],
        follower=columns[1],
        count=columns[2],
        longest=longest,
    )


def trie_of(routes: Routes, k: int) -> Trie:
    """The tree as dense arrays; rows of `chance` are cumulative and end in 1."""
    n = len(routes.parent)
    child = np.full((n, k + 1), -1, np.int64)
    counts = np.zeros((n, k + 1))
    np.add.at(counts, (routes.node, routes.follower), routes.count / _MILLI)
    chance = np.empty((n, k + 1))
    for node in range(n):
        total = counts[node].sum()
        parent = int(routes.parent[node])
        if parent < 0:
            chance[node] = counts[node] / total
            continue
        child[parent, routes.symbol[node]] = node
        chance[node] = (counts[node] + routes.shrinkage * chance[parent]) / (total + routes.shrinkage)
    cumulative = np.cumsum(chance, axis=1)
    cumulative /= cumulative[:, -1:]
    # An activity that never follows must not be drawn for want of a last bit.
    last = (chance > 0)[:, ::-1].argmax(axis=1)
    for node in range(n):
        cumulative[node, k - last[node] :] = 1.0
    return Trie(child, cumulative)
