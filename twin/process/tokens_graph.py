"""Ways, events and what can be reached from where, for the general kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.process.attributes import CaseClass
from twin.process.compile import by_class
from twin.process.distributions import DistributionTable
from twin.process.model import ProcessModel
from twin.process.nodes import InclusiveJoin, Join, Timed
from twin.process.parts import Scale

Floats = NDArray[np.float64]


class Graph:
    """Edges, events and distributions as they are met."""

    def __init__(self, model: ProcessModel, classes: Sequence[CaseClass], table: DistributionTable) -> None:
        self.model, self.classes, self.table = model, classes, table
        self.index = {n: i for i, n in enumerate(model.nodes)}
        self.edges: list[tuple[int, int]] = []
        self.shares: list[Floats] = []
        self.ways = dict.fromkeys(model.nodes, 0)
        self.events: list[list[int]] = []
        self.event_laws: list[list[int]] = []
        self.event_shares: list[list[float]] = []
        self.factors: list[tuple[Scale, ...] | str] = []
        self.numbers: list[tuple[float, float]] = []
        self.hours: list[Floats] = []
        self.calendars = {n: i for i, n in enumerate(model.calendars)}
        self.reference: list[tuple[int, int]] = []
        self.source = -1

    def edge(self, target: str, shares: Any = 0.0) -> int:
        """Number of a new way to a node."""
        joins = isinstance(self.model.nodes[target], Join)
        self.edges.append((self.index[target], self.ways[target] if joins else -1))
        self.ways[target] += 1
        self.shares.append(np.zeros(len(self.classes)) + shares)
        if self.source >= 0:
            self.reference.append((self.source, self.index[target]))
        return len(self.edges) - 1

    def event(self, spec: Timed, interrupts: bool = False) -> None:
        """Adds a timer or message of the present node."""
        self.events.append([self.edge(spec.to), int(interrupts), self.calendar(spec.calendar), -2, -2])
        self.event_laws.append([self.table.row(v) for v in by_class(spec.after, self.classes)])
        self.event_shares.append(by_class(spec.probability, self.classes))

    def calendar(self, name: str | None) -> int:
        """Number of a calendar, -1 for always."""
        return -1 if name is None else self.calendars[name]

    def factor(self, what: tuple[Scale, ...] | str) -> int:
        """Number of a factor that cases bring, -1 for none."""
        if not what:
            return -1
        if what not in self.factors:
            self.factors.append(what)
        return self.factors.index(what)


def reach(model: ProcessModel, g: Graph) -> NDArray[np.bool_]:
    """Which nodes can be reached from which; below, per deadline, which nodes lie in its section."""
    n = len(model.nodes)
    step = np.zeros((n, n), np.bool_)
    for a, b in g.reference:
        step[a, b] = True
    joins = any(isinstance(node, InclusiveJoin) for node in model.nodes.values())
    joined = _closure(step) if joins else np.zeros((n, n), np.bool_)
    sections = np.ones((len(model.deadlines), n), np.bool_)
    for d, spec in enumerate(model.deadlines.values()):
        begin = g.index[spec.begins or model.start]
        inside = np.zeros(n, np.bool_)
        open_ = [begin]
        while open_:
            a = open_.pop()
            if inside[a] or (spec.until is not None and a == g.index[spec.until]):
                continue
            inside[a] = True
            open_.extend(np.flatnonzero(step[a]).tolist())
        sections[d] = inside
    return np.ascontiguousarray(np.concatenate([joined, sections]))


def _closure(step: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Transitive closure, by squaring."""
    reach = step.copy()
    while True:
        wider = reach | (reach.astype(np.float32) @ reach.astype(np.float32) > 0)
        if (wider == reach).all():
            return reach
        reach = wider
