"""Places the elements of a diagram: layers by longest path, order by barycentre, edges at right angles.

Layers follow Sugiyama, Tagawa and Toda (1981): ways back are turned round, long ways pass through a place in every
layer between, the order within a layer follows the mean place of the neighbours, and heights are least squares under
the distances that the order asks for (pool adjacent violators).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from twin.process.bpmn.graph import GATEWAYS, Box, Diagram, Kind, Points
from twin.process.drawing.lines import Tracks, separated, straightened

TASK, GATEWAY, EVENT, BOUNDARY = (150.0, 104.0), (46.0, 46.0), (38.0, 38.0), (30.0, 30.0)
LABEL = 110.0
"""Most width of a label on a flow."""
_GAP_X, _GAP_Y, _TRACK, _SWEEPS, _NEAR = 46.0, 34.0, 12.0, 16, 24.0


@dataclass
class Placement:
    """Where everything lies: rectangles of elements, points of flows."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lines: dict[str, Points] = field(default_factory=dict)


def size_of(kind: Kind) -> tuple[float, float]:
    """Width and height of an element."""
    if kind is Kind.TASK:
        return TASK
    if kind is Kind.BOUNDARY:
        return BOUNDARY
    return GATEWAY if kind in GATEWAYS else EVENT


def lay_out(diagram: Diagram, label_widths: Mapping[str, float] | None = None) -> Placement:
    """Places for all elements and flows of a diagram, whatever its file says.

    Args:
        diagram: what to place.
        label_widths: room for texts on flows.
    """
    return _Layout(diagram, label_widths or {}).place()


@dataclass
class _Way:
    """A flow between hosts (a boundary event counts as its task), turned round where it leads back."""

    flow: str
    source: str
    target: str
    back: bool = False
    chain: list[str] = field(default_factory=list)


class _Layout:
    def __init__(self, diagram: Diagram, label_widths: Mapping[str, float]) -> None:
        self.diagram, self.label_widths = diagram, label_widths
        self.nodes = [e.id for e in diagram.elements.values() if e.kind is not Kind.BOUNDARY]
        self.hosts = {e.attached for e in diagram.of_kind(Kind.BOUNDARY)}
        self.size = {e.id: size_of(e.kind) for e in diagram.elements.values()}
        self.ways = [_Way(f.id, self._host(f.source), f.target) for f in diagram.flows.values()]
        self.rank: dict[str, int] = {}
        self.layers: list[list[str]] = []
        self.centre: dict[str, float] = {}
        self.left: list[float] = []
        self.width: list[float] = []

    def _host(self, identity: str) -> str:
        element = self.diagram.elements[identity]
        return element.attached if element.kind is Kind.BOUNDARY else identity

    def place(self) -> Placement:
        self._turn_back_ways()
        self._rank()
        self._chain()
        self._order()
        self._heights()
        return self._drawn()

    def _turn_back_ways(self) -> None:
        """A way that closes a circle, seen depth first from the start, leads back."""
        leaving: dict[str, list[_Way]] = defaultdict(list)
        for way in self.ways:
            leaving[way.source].append(way)
        state: dict[str, int] = {}
        roots = [e.id for e in self.diagram.of_kind(Kind.START)] + self.nodes
        for root in roots:
            if root in state:
                continue
            state[root] = 1
            stack = [(root, iter(leaving[root]))]
            while stack:
                here, rest = stack[-1]
                onward = next(rest, None)
                if onward is None:
                    state[here] = 2
                    stack.pop()
                elif state.get(onward.target) == 1:
                    onward.back = True
                elif onward.target not in state:
                    state[onward.target] = 1
                    stack.append((onward.target, iter(leaving[onward.target])))

    def _rank(self) -> None:
        """Layer of each node: the longest way from the start."""
        entering: dict[str, list[str]] = defaultdict(list)
        for way in self.ways:
            if not way.back:
                entering[way.target].append(way.source)
        for root in self.nodes:
            stack = [root]
            while stack:
                here = stack[-1]
                waiting = [p for p in entering[here] if p not in self.rank]
                if waiting and here not in self.rank:
                    stack.extend(waiting)
                    continue
                stack.pop()
                self.rank.setdefault(here, max((self.rank[p] + 1 for p in entering[here]), default=0))

    def _chain(self) -> None:
        """Give long ways a place in every layer that they pass."""
        self.layers = [[] for _ in range(max(self.rank.values(), default=0) + 1)]
        for node in self.nodes:
            self.layers[self.rank[node]].append(node)
        for n, way in enumerate(self.ways):
            if way.back:
                continue
            way.chain = [way.source]
            for layer in range(self.rank[way.source] + 1, self.rank[way.target]):
                place = f"\0{n}\0{layer}"
                self.rank[place], self.size[place] = layer, (0.0, 4.0)
                self.layers[layer].append(place)
                way.chain.append(place)
            way.chain.append(way.target)

    def _links(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        before: dict[str, list[str]] = defaultdict(list)
        after: dict[str, list[str]] = defaultdict(list)
        for way in self.ways:
            for a, b in pairwise(way.chain):
                after[a].append(b)
                before[b].append(a)
        return before, after

    def _order(self) -> None:
        """Order within layers, to and fro, the best of all sweeps by number of crossings."""
        before, after = self._links()
        best, fewest = [list(layer) for layer in self.layers], self._crossings(after)
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            neighbours = before if down else after
            for i in range(1, len(self.layers)) if down else range(len(self.layers) - 2, -1, -1):
                beside = self.layers[i - 1 if down else i + 1]
                index = {node: k for k, node in enumerate(beside)}
                here = {node: k for k, node in enumerate(self.layers[i])}
                self.layers[i].sort(key=lambda node, n=neighbours, x=index, h=here: _mean(n[node], x, h[node]))  # type: ignore[misc]
            crossings = self._crossings(after)
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _crossings(self, after: dict[str, list[str]]) -> int:
        total = 0
        for i, layer in enumerate(self.layers[:-1]):
            index = {node: k for k, node in enumerate(self.layers[i + 1])}
            seen: list[int] = []
            for end in (index[b] for a in layer for b in sorted(after[a], key=index.__getitem__)):
                total += len(seen) - bisect_right(seen, end)
                insort(seen, end)
        return total

    def _heights(self) -> None:
        """Heights of all places, near their neighbours and far enough from each other."""
        before, after = self._links()
        for layer in self.layers:
            y = 0.0
            for node in layer:
                self.centre[node] = y + self._tall(node) / 2
                y += self._tall(node) + _GAP_Y
        for sweep in range(_SWEEPS):
            order = self.layers if sweep % 2 == 0 else self.layers[::-1]
            for layer in order:
                wanted = []
                for node in layer:
                    beside = before[node] + after[node] if sweep > 3 else (before if sweep % 2 == 0 else after)[node]
                    wanted.append(sum(self.centre[b] for b in beside) / len(beside) if beside else self.centre[node])
                gaps = [(self._tall(a) + self._tall(b)) / 2 + _GAP_Y for a, b in pairwise(layer)]
                weights = [8.0 if node.startswith("\0") else 1.0 for node in layer]
                for node, y in zip(layer, separated(wanted, gaps, weights), strict=True):
                    self.centre[node] = y

        for _ in range(3):
            self._level(before)
            self._straighten()

    def _room(self, layer: list[str], k: int) -> tuple[float, float]:
        """Heights that a place can take without touching its neighbours in the layer."""
        node = layer[k]
        low, high = -1e9, 1e9
        if k:
            low = self.centre[layer[k - 1]] + (self._tall(node) + self._tall(layer[k - 1])) / 2 + _GAP_Y
        if k + 1 < len(layer):
            high = self.centre[layer[k + 1]] - (self._tall(node) + self._tall(layer[k + 1])) / 2 - _GAP_Y
        return low, high

    def _level(self, before: dict[str, list[str]]) -> None:
        """Let a node that is nearly level with one before it be so."""
        for layer in self.layers:
            for k, node in enumerate(layer):
                low, high = self._room(layer, k)
                near = [self.centre[b] for b in before[node] if abs(self.centre[b] - self.centre[node]) < _NEAR]
                fitting = [y for y in near if low - 0.01 <= y <= high + 0.01]
                if fitting:
                    self.centre[node] = min(fitting, key=lambda y, c=self.centre[node]: abs(y - c))  # type: ignore[misc]

    def _straighten(self) -> None:
        """Let long ways run level as far as the nodes beside them allow."""
        place = {node: (layer, k) for layer in self.layers for k, node in enumerate(layer)}
        for way in self.ways:
            run: list[str] = []
            low, high = -1e9, 1e9
            for node in way.chain[1:-1]:
                floor, ceiling = self._room(*place[node])
                if run and min(high, ceiling) < max(low, floor):
                    self._set_run(run, low, high)
                    run, low, high = [], -1e9, 1e9
                run.append(node)
                low, high = max(low, floor), min(high, ceiling)
            self._set_run(run, low, high)

    def _set_run(self, run: list[str], low: float, high: float) -> None:
        if run:
            middle = sorted(self.centre[n] for n in run)[len(run) // 2]
            for node in run:
                self.centre[node] = min(max(middle, low), high)

    def _tall(self, node: str) -> float:
        """Height of a node with the label of an event or gateway, and boundary events of a task."""
        if node.startswith("\0"):
            return 4.0
        kind = self.diagram.elements[node].kind
        labelled = 30.0 if kind is not Kind.TASK and self.diagram.elements[node].name else 0.0
        return self.size[node][1] + labelled + (26.0 if node in self.hosts else 0.0)

    def _drawn(self) -> Placement:
        tracks = self._tracks()
        x = 0.0
        for i, layer in enumerate(self.layers):
            self.left.append(x)
            self.width.append(max((self.size[n][0] for n in layer), default=0.0))
            x += self.width[i] + _GAP_X + _TRACK * tracks.count(i) + self._label_room(i)
        placement = Placement()
        for i, layer in enumerate(self.layers):
            for node in layer:
                if not node.startswith("\0"):
                    w, h = self.size[node]
                    corner = (self.left[i] + (self.width[i] - w) / 2, self.centre[node] - h / 2)
                    placement.boxes[node] = Box(*corner, w, h)
        self._boundary_boxes(placement)
        for way in self.ways:
            if not way.back:
                placement.lines[way.flow] = self._forward(way, placement, tracks)
        self._backward(placement)
        return placement

    def _label_room(self, layer: int) -> float:
        """Extra width of a channel for the texts on flows that begin there."""
        widths = [self.label_widths.get(w.flow, 0.0) for w in self.ways if not w.back and self.rank[w.source] == layer]
        widest = min(max(widths, default=0.0), LABEL)
        return max(widest + 4 - _GAP_X / 2 + 10, 0.0) if widest else 0.0

    def _boundary_boxes(self, placement: Placement) -> None:
        for node in self.nodes:
            box = placement.boxes[node]
            for k, event in enumerate(self.diagram.attached(node)):
                w, h = BOUNDARY
                x = box.x + box.width - (k + 1) * (w + 8)
                placement.boxes[event.id] = Box(x, box.y + box.height - h / 2, w, h)

    def _tracks(self) -> Tracks:
        """A track of its own, in the channel after a layer, for each upright stretch that would run over another."""
        tracks = Tracks()
        for way in self.ways:
            for a, b in pairwise(way.chain):
                y, z = self._exit_height(way) if a == way.source else self.centre[a], self.centre[b]
                tracks.add(
                    self.rank[a],
                    (way.flow, a),
                    min(y, z),
                    max(y, z),
                    abs(y - z) > 0.5,
                    self.diagram.flows[way.flow].source,
                )
        return tracks

    def _exit_height(self, way: _Way) -> float:
        source = self.diagram.flows[way.flow].source
        if self.diagram.elements[source].kind is not Kind.BOUNDARY:
            return self.centre[way.source]
        return self.centre[way.source] + self.size[way.source][1] / 2 + BOUNDARY[1] / 2 + 8

    def _forward(self, way: _Way, placement: Placement, tracks: Tracks) -> Points:
        flow = self.diagram.flows[way.flow]
        source, target = placement.boxes[flow.source], placement.boxes[flow.target]
        if flow.source != way.source:
            middle, bottom = source.centre[0], source.y + source.height
            points = [(middle, bottom), (middle, bottom + 8)]
        else:
            points = [(source.x + source.width, source.centre[1])]
        for a, b in pairwise(way.chain):
            i = self.rank[a]
            x = self.left[i] + self.width[i] + _GAP_X / 2 + _TRACK * tracks.of((way.flow, a))
            points += [(x, points[-1][1]), (x, self.centre[b])]
        points.append((target.x, target.centre[1]))
        return straightened(points)

    def _backward(self, placement: Placement) -> None:
        """Ways back run in lanes of their own below everything, the shortest uppermost."""
        bottom = max((b.y + b.height for b in placement.boxes.values()), default=0.0) + 40
        back = [w for w in self.ways if w.back]
        back.sort(key=lambda w: self.rank[w.source] - self.rank[w.target])
        for k, way in enumerate(back):
            flow = self.diagram.flows[way.flow]
            source, target = placement.boxes[flow.source], placement.boxes[flow.target]
            y = bottom + k * (_TRACK + 4)
            right = self.left[self.rank[way.source]] + self.width[self.rank[way.source]] + 12 + 5 * (k % 4)
            left = self.left[self.rank[way.target]] - 14 - 5 * (k % 4)
            first = (source.x + source.width, source.centre[1])
            if flow.source != way.source:
                first = (source.centre[0], source.y + source.height)
                right = first[0]
            into = target.centre[1]
            placement.lines[way.flow] = straightened(
                [first, (right, first[1]), (right, y), (left, y), (left, into), (target.x, into)]
            )


def _mean(neighbours: Sequence[str], index: dict[str, int], own: int) -> float:
    return sum(index[n] for n in neighbours) / len(neighbours) if neighbours else float(own)
