"""Places nodes of any graph in layers from top to bottom, with room for a text on every way.

After Sugiyama, Tagawa and Toda (1981): ways against the order are turned round, long ways have a place in every layer
that they pass, and places within a layer follow their neighbours. Between two layers of nodes lies one of texts, as in
Gansner, Koutsofios, North and Vo (1993), so that no text can lie on a node or on another text.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from twin.process.bpmn.graph import Box
from twin.process.drawing.lines import separated

_SWEEPS, _THIN, _GAP, _BETWEEN = 24, 10.0, 16.0, 15.0
_LOOP = 30.0
"""How far a way from a node to itself stands out."""


@dataclass(frozen=True)
class Way:
    """A way of the graph.

    Attributes:
        source, target: numbers of nodes.
        weight: how much it counts in the order; above 0.
        text: width and height of its text.
    """

    source: int
    target: int
    weight: float
    text: tuple[float, float]


@dataclass
class Places:
    """Where everything lies: boxes of nodes; of each way its points, from source to target, and the box of its text.

    The line is upright at each point. Of a way from a node to itself, the points are where it leaves and comes back.
    """

    boxes: list[Box]
    lines: list[list[tuple[float, float]]]
    texts: list[Box] = field(default_factory=list)


def place(sizes: Sequence[tuple[float, float]], ways: Sequence[Way], order: Sequence[int]) -> Places:
    """Places for the nodes and ways of a graph.

    Args:
        sizes: width and height of each node.
        ways: between nodes, at most one from one node to another.
        order: all nodes, those that should lie higher first; its first and last node stay where they are.
    """
    return _Layers(sizes, ways, _sifted(order, ways)).places()


def _sifted(order: Sequence[int], ways: Sequence[Way]) -> list[int]:
    """The order with each node moved where least weight leads upwards, until none gains."""
    pull: dict[tuple[int, int], float] = defaultdict(float)
    for way in ways:
        if way.source != way.target:
            pull[way.source, way.target] += way.weight
    inner = list(order[1:-1])
    for _ in range(4):
        moved = False
        for node in order[1:-1]:
            at = inner.index(node)
            rest = inner[:at] + inner[at + 1 :]
            cost, costs = 0.0, [0.0]
            for other in rest:  # as the node passes another, ways between them turn round
                cost += pull[other, node] * -1 + pull[node, other]
                costs.append(cost)
            best = min(range(len(costs)), key=lambda k, c=costs, a=at: (c[k], abs(k - a)))  # type: ignore[misc]
            if costs[best] < costs[at] - 1e-9:
                inner, moved = [*rest[:best], node, *rest[best:]], True
        if not moved:
            break
    return [order[0], *inner, order[-1]]


@dataclass
class _Item:
    """A node, a text or the point of a way in a layer: its width, and where in it the line or the node's middle is."""

    layer: int
    width: float
    height: float
    offset: float = 0.0
    x: float = 0.0

    @property
    def line(self) -> float:
        return self.x + self.offset


class _Layers:
    def __init__(self, sizes: Sequence[tuple[float, float]], ways: Sequence[Way], order: Sequence[int]) -> None:
        self.sizes, self.ways = sizes, ways
        self.at = {node: k for k, node in enumerate(order)}
        self.order = order
        self.loops = {w.source: w for w in ways if w.source == w.target}
        self.rank = self._ranked()
        self.items = [self._node(i) for i in range(len(sizes))]
        self.layers: list[list[int]] = [[] for _ in range(2 * max(self.rank) + 1)]
        for node in order:
            self.layers[2 * self.rank[node]].append(node)
        self.chains: dict[int, list[int]] = {}
        self.label: dict[int, int] = {}
        self._chain()

    def _node(self, i: int) -> _Item:
        wide, high = self.sizes[i]
        loop = self.loops.get(i)
        more = _LOOP + loop.text[0] if loop is not None else 0.0
        return _Item(2 * self.rank[i], wide + more, high, -more / 2)

    def _ranked(self) -> list[int]:
        """Layer of each node: the longest way to it; then nearer to what follows where that weighs more."""
        rank = [0] * len(self.sizes)
        before: dict[int, list[tuple[int, float]]] = defaultdict(list)
        after: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for way in self.ways:
            if way.source != way.target:
                up, down = sorted((way.source, way.target), key=self.at.__getitem__)
                before[down].append((up, way.weight))
                after[up].append((down, way.weight))
        for node in self.order:
            rank[node] = max((rank[b] + 1 for b, _ in before[node]), default=0)
        last = self.order[-1]
        rank[last] = max(rank)
        if sum(r == rank[last] for r in rank) > 1:
            rank[last] += 1
        for node in reversed(self.order[1:-1]):
            if after[node] and sum(w for _, w in after[node]) > sum(w for _, w in before[node]):
                rank[node] = min(rank[a] - 1 for a, _ in after[node])
        return rank

    def _chain(self) -> None:
        """A place for every long way in every layer that it passes, one of them wide enough for its text."""
        filled = [sum(self.items[i].width for i in layer) for layer in self.layers]
        for n, way in sorted(enumerate(self.ways), key=lambda nw: -nw[1].weight):
            if way.source == way.target:
                continue
            up, down = sorted((way.source, way.target), key=self.at.__getitem__)
            between = range(2 * self.rank[up] + 1, 2 * self.rank[down])
            odd = [layer for layer in between if layer % 2]
            chosen = min(odd, key=lambda layer: (filled[layer], layer))
            chain = [up]
            for layer in between:
                wide, high = way.text if layer == chosen else (0.0, 0.0)
                item = _Item(layer, _THIN + wide, high, -wide / 2)
                if layer == chosen:
                    self.label[n] = len(self.items)
                filled[layer] += item.width + _GAP
                self.layers[layer].append(len(self.items))
                chain.append(len(self.items))
                self.items.append(item)
            self.chains[n] = [*chain, down]

    def places(self) -> Places:
        links = [(a, b, self.ways[n].weight) for n, chain in self.chains.items() for a, b in pairwise(chain)]
        before: dict[int, list[tuple[int, float]]] = defaultdict(list)
        after: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for a, b, weight in links:
            inner = (a >= len(self.sizes)) + (b >= len(self.sizes))
            pull = (1.0, 2.0, 8.0)[inner] * (0.2 + weight)
            after[a].append((b, pull))
            before[b].append((a, pull))
        self._sort(before, after)
        self._spread(before, after)
        return self._drawn()

    def _sort(self, before: dict[int, list[tuple[int, float]]], after: dict[int, list[tuple[int, float]]]) -> None:
        """Order within the layers with the fewest crossings of all sweeps."""
        best, fewest = [list(layer) for layer in self.layers], self._crossings(after)
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            for i in range(1, len(self.layers)) if down else range(len(self.layers) - 2, -1, -1):
                index = {item: k for k, item in enumerate(self.layers[i - 1 if down else i + 1])}
                beside = before if down else after
                wish = {}
                for k, item in enumerate(self.layers[i]):
                    near = [index[b] for b, _ in beside[item]]
                    wish[item] = sum(near) / len(near) if near else float(k)
                self.layers[i].sort(key=wish.__getitem__)
            crossings = self._crossings(after)
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _crossings(self, after: dict[int, list[tuple[int, float]]]) -> int:
        total = 0
        for upper, lower in pairwise(self.layers):
            index = {item: k for k, item in enumerate(lower)}
            seen = list[int]()
            for a in upper:
                ends = sorted(index[b] for b, _ in after[a])
                total += sum(len(seen) - bisect_right(seen, e) for e in ends)
                for e in ends:
                    insort(seen, e)
        return total

    def _spread(self, before: dict[int, list[tuple[int, float]]], after: dict[int, list[tuple[int, float]]]) -> None:
        """Places within the layers near those of the neighbours, to and fro."""
        for layer in self.layers:
            x = 0.0
            for i in layer:
                self.items[i].x = x + self.items[i].width / 2
                x += self.items[i].width + _GAP
        for sweep in range(2 * _SWEEPS):
            down = sweep % 2 == 0
            for layer in self.layers if down else self.layers[::-1]:
                wanted, weights = [], []
                for i in layer:
                    beside = before[i] + after[i] if sweep > 5 else (before if down else after)[i]
                    pull = sum(w for _, w in beside)
                    mean = sum(self.items[b].line * w for b, w in beside) / pull if beside else self.items[i].line
                    wanted.append(mean - self.items[i].offset)
                    weights.append(pull or 0.1)
                gaps = [(self.items[a].width + self.items[b].width) / 2 + _GAP for a, b in pairwise(layer)]
                for i, x in zip(layer, separated(wanted, gaps, weights), strict=True):
                    self.items[i].x = x

        for _ in range(3):
            self._straighten()

    def _straighten(self) -> None:
        """Let long ways run upright as far as what lies beside them allows."""
        beside = {i: (layer, k) for layer in self.layers for k, i in enumerate(layer)}
        for chain in self.chains.values():
            run, low, high = list[int](), -1e9, 1e9
            for i in chain[1:-1]:
                least, most = self._free(*beside[i])
                if run and min(high, most) < max(low, least):
                    self._align(run, low, high)
                    run, low, high = [], -1e9, 1e9
                run.append(i)
                low, high = max(low, least), min(high, most)
            self._align(run, low, high)

    def _free(self, layer: list[int], k: int) -> tuple[float, float]:
        """Between which places the line of an item can lie while its neighbours stay."""
        here, low, high = self.items[layer[k]], -1e9, 1e9
        if k:
            left = self.items[layer[k - 1]]
            low = left.x + (left.width + here.width) / 2 + _GAP + here.offset
        if k + 1 < len(layer):
            right = self.items[layer[k + 1]]
            high = right.x - (right.width + here.width) / 2 - _GAP + here.offset
        return low, high

    def _align(self, run: list[int], low: float, high: float) -> None:
        middle = sorted(self.items[i].line for i in run)[len(run) // 2] if run else 0.0
        for i in run:
            self.items[i].x = min(max(middle, low), high) - self.items[i].offset

    def _drawn(self) -> Places:
        top, bands = 0.0, list[tuple[float, float]]()
        for layer in self.layers:
            high = max((self.items[i].height for i in layer), default=0.0)
            bands.append((top, top + high))
            top += high + _BETWEEN
        boxes = []
        for i, (wide, high) in enumerate(self.sizes):
            above, below = bands[self.items[i].layer]
            boxes.append(Box(self.items[i].line - wide / 2, (above + below - high) / 2, wide, high))
        ports = self._ports(boxes)
        found = Places(boxes, [])
        for n, way in enumerate(self.ways):
            if way.source == way.target:
                box = boxes[way.source]
                right, (_, middle) = box.x + box.width, box.centre
                found.lines.append([(right, middle - 9), (right, middle + 9)])
                found.texts.append(Box(right + _LOOP, middle - way.text[1] / 2, *way.text))
                continue
            up, *inner, down = self.chains[n]
            line = [(ports[n, up], boxes[up].y + boxes[up].height)]
            for i in inner:
                line += [(self.items[i].line, y) for y in bands[self.items[i].layer]]
            line.append((ports[n, down], boxes[down].y))
            found.lines.append(line if up == way.source else line[::-1])
            item = self.items[self.label[n]]
            above, below = bands[item.layer]
            wide, high = way.text
            found.texts.append(Box(item.line + _THIN / 2, (above + below - high) / 2, wide, high))
        return found

    def _ports(self, boxes: Sequence[Box]) -> dict[tuple[int, int], float]:
        """Where on a node's upper or lower side each way begins or ends, in the order of where the ways come from."""
        sides: dict[tuple[int, bool], list[tuple[float, int]]] = defaultdict(list)
        for n, chain in self.chains.items():
            sides[chain[0], False].append((self.items[chain[1]].line, n))
            sides[chain[-1], True].append((self.items[chain[-2]].line, n))
        found = {}
        for (node, _), ends in sides.items():
            box = boxes[node]
            step = min(18.0, (box.width - 16) / max(len(ends) - 1, 1))
            for k, (_, n) in enumerate(sorted(ends)):
                found[n, node] = box.centre[0] + (k - (len(ends) - 1) / 2) * step
        return found
