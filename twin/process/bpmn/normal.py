"""Makes explicit what BPMN leaves unsaid: starts, ends, splits of tasks, gateways that join and split at once."""

from __future__ import annotations

from dataclasses import replace

from twin.errors import DataError
from twin.process.bpmn.graph import GATEWAYS, Diagram, Element, Flow, Kind
from twin.process.notes import note


def normalised(diagram: Diagram) -> Diagram:
    """The same process with one start, ends at all ends, and only gateways that split, each either split or join.

    Raises:
        DataError: a flow leads nowhere, or the graph has no start.
    """
    work = _Work(diagram)
    work.check_ends_of_flows()
    work.connect_links()
    work.one_start()
    work.drop_unreachable()
    work.explicit_splits()
    work.part_mixed_gateways()
    work.explicit_ends()
    return replace(diagram, elements=work.elements, flows=work.flows, notes=(*diagram.notes, *work.notes))


def reachable(diagram: Diagram) -> set[str]:
    """Elements that a case can come to."""
    onward: dict[str, list[str]] = {i: [] for i in diagram.elements}
    for flow in diagram.flows.values():
        onward[flow.source].append(flow.target)
    for event in diagram.of_kind(Kind.BOUNDARY):
        if event.attached in onward:
            onward[event.attached].append(event.id)
    open_ = [e.id for e in diagram.of_kind(Kind.START)]
    reached = set(open_)
    while open_:
        for identity in onward[open_.pop()]:
            if identity not in reached:
                reached.add(identity)
                open_.append(identity)
    return reached


class _Work:
    """The graph while it is changed."""

    def __init__(self, diagram: Diagram) -> None:
        self.diagram, self.notes = diagram, list[str]()
        self.elements, self.flows = dict(diagram.elements), dict(diagram.flows)

    def leaving(self, identity: str) -> list[Flow]:
        return [f for f in self.flows.values() if f.source == identity]

    def entering(self, identity: str) -> list[Flow]:
        return [f for f in self.flows.values() if f.target == identity]

    def connect(self, source: str, target: str) -> None:
        identity = f"{source}->{target}"
        self.flows[identity] = Flow(identity, source, target)

    def fail(self, element: Element, what: str, hint: str) -> DataError:
        return DataError(
            f"{element.kind} {element.id!r} ({element.name!r}) {what}", self.diagram.where(element.id), hint
        )

    def check_ends_of_flows(self) -> None:
        for flow in self.flows.values():
            for end in (flow.source, flow.target):
                if end not in self.elements:
                    what = f"sequenceFlow {flow.id!r} refers to {end!r}, which is not there"
                    raise DataError(what, f"{self.diagram.file}:{flow.line}", "Connect it to an element.")
        for element in self.elements.values():
            if element.kind is Kind.BOUNDARY:
                host = self.elements.get(element.attached)
                if host is None:
                    what = f"is attached to {element.attached!r}, which is not there"
                    raise self.fail(element, what, "Put it on the border of a task.")
                if host.kind is not Kind.TASK:
                    raise self.fail(element, f"is attached to a {host.kind}", "Put it on the border of a task.")
            if element.kind is Kind.END and self.leaving(element.id):
                raise self.fail(element, "has a way out", "An end event ends; use an intermediate event.")
            if element.kind is Kind.START and self.entering(element.id):
                raise self.fail(element, "has a way in", "Lead back to the element after it.")

    def connect_links(self) -> None:
        """Join link events that bear the same name."""
        catches = {e.name: e for e in self.elements.values() if e.kind is Kind.CATCH and e.variant == "link"}
        for element in list(self.elements.values()):
            if element.variant != "link":
                continue
            if element.kind is Kind.THROW:
                if element.name not in catches:
                    raise self.fail(element, "links to no catching event of its name", "Name both ends alike.")
                self.connect(element.id, catches[element.name].id)
            self.elements[element.id] = replace(element, kind=Kind.THROW)

    def one_start(self) -> None:
        """One start event: several are alternatives; without any, cases begin at what nothing leads to."""
        starts = [e for e in self.elements.values() if e.kind is Kind.START]
        if len(starts) == 1:
            return
        boundary = Kind.BOUNDARY
        heads = starts or [e for e in self.elements.values() if not self.entering(e.id) and e.kind is not boundary]
        heads = [e for e in heads if self.leaving(e.id) or e.kind is Kind.TASK]
        if not heads:
            hint = "Draw a start event."
            raise DataError("the process has no start: something leads to every element", self.diagram.file, hint)
        start = self.new(Element("start", Kind.START, lane=heads[0].lane))
        self.elements = {start: self.elements.pop(start), **self.elements}
        if len(heads) == 1:
            self.connect(start, heads[0].id)
            return
        kind = Kind.EXCLUSIVE if starts else Kind.PARALLEL
        split = self.new(Element(f"{start}_split", kind, lane=heads[0].lane))
        self.connect(start, split)
        for head in heads:
            if starts:
                self.elements[head.id] = replace(head, kind=Kind.THROW)
            self.connect(split, head.id)
        if starts:
            self.notes.append(note("several_starts", n=len(starts)))

    def new(self, element: Element) -> str:
        """Add an element under an id that is free, and return the id."""
        identity, n = element.id, 1
        while identity in self.elements:
            n += 1
            identity = f"{element.id}_{n}"
        self.elements[identity] = replace(element, id=identity)
        return identity

    def drop_unreachable(self) -> None:
        """Leave out what no case can reach."""
        reached = reachable(replace(self.diagram, elements=self.elements, flows=self.flows))
        lost = [e for e in self.elements.values() if e.id not in reached]
        if lost:
            self.notes.append(note("unreachable", names=", ".join(repr(e.label) for e in lost)))
        self.elements = {k: e for k, e in self.elements.items() if k in reached}
        self.flows = {k: f for k, f in self.flows.items() if f.source in reached and f.target in reached}

    def explicit_splits(self) -> None:
        """A task or event with several ways out splits in parallel, or by conditions if its flows bear any."""
        for element in list(self.elements.values()):
            ways = self.leaving(element.id)
            if element.kind in GATEWAYS or len(ways) < 2:
                continue
            kind = Kind.INCLUSIVE if any(f.condition for f in ways) or element.default else Kind.PARALLEL
            split = self.new(Element(f"{element.id}_split", kind, default=element.default, lane=element.lane))
            for flow in ways:
                self.flows[flow.id] = replace(flow, source=split)
            self.connect(element.id, split)
            self.elements[element.id] = replace(element, default="")

    def part_mixed_gateways(self) -> None:
        """A gateway with several ways in and out joins first and then splits; the split keeps its id."""
        for element in list(self.elements.values()):
            ways_in = self.entering(element.id)
            if element.kind in GATEWAYS and len(ways_in) > 1 and len(self.leaving(element.id)) > 1:
                kind = Kind.EXCLUSIVE if element.kind is Kind.EVENT_BASED else element.kind
                join = self.new(Element(f"{element.id}_join", kind, lane=element.lane))
                for flow in ways_in:
                    self.flows[flow.id] = replace(flow, target=join)
                self.connect(join, element.id)

    def explicit_ends(self) -> None:
        """What leads nowhere ends there."""
        for element in list(self.elements.values()):
            if element.kind is Kind.END or self.leaving(element.id):
                continue
            end = self.new(Element(f"{element.id}_end", Kind.END, lane=element.lane))
            self.connect(element.id, end)
        for element in self.elements.values():
            if element.kind is Kind.EVENT_BASED:
                self._check_race(element)

    def _check_race(self, gateway: Element) -> None:
        for flow in self.leaving(gateway.id):
            target = self.elements[flow.target]
            if target.kind is not Kind.CATCH and target.variant != "receive":
                what = f"leads to {target.kind} {target.label!r}"
                raise self.fail(gateway, what, "Only catching events and receive tasks may follow it.")
            if any(self.elements[f.source].kind is not Kind.EVENT_BASED for f in self.entering(target.id)):
                raise self.fail(target, "follows an event-based gateway and something else", "Draw it twice.")
