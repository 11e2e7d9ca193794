"""Turns a diagram and its parameters into a process model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twin.errors import DataError
from twin.process.bpmn.graph import GATEWAYS, Diagram, Element, Flow, Kind
from twin.process.bpmn.parameters import ASSUMED, Parameters, assumed, law
from twin.process.distributions import Distribution
from twin.process.model import (
    Boundary,
    Branch,
    BySegment,
    Choice,
    DayArrivals,
    Delay,
    End,
    Fork,
    InclusiveJoin,
    InclusiveSplit,
    Join,
    ProcessModel,
    Race,
    Repeat,
    Task,
    Timed,
    When,
    require_sound,
)
from twin.process.notes import note

_INSTANT = frozenset({Kind.START, Kind.THROW})
_STEMS = {
    Kind.EXCLUSIVE: "choice",
    Kind.PARALLEL: "fork",
    Kind.INCLUSIVE: "inclusive",
    Kind.EVENT_BASED: "race",
    Kind.CATCH: "wait",
    Kind.END: "end",
}


@dataclass(frozen=True)
class Imported:
    """A model with where it came from.

    Attributes:
        nodes: the model's node of each element that has one.
        shares: probabilities of flows out of exclusive and inclusive gateways.
        notes: what was assumed or left out.
        conditions: of flows that have one.
    """

    model: ProcessModel
    diagram: Diagram
    nodes: dict[str, str]
    shares: dict[str, float]
    notes: tuple[str, ...]
    conditions: Mapping[str, When] = field(default_factory=dict)


def to_model(diagram: Diagram, parameters: Parameters | None = None) -> Imported:
    """The process model of a diagram; without parameters they are assumed.

    Raises:
        DataError: probabilities of a gateway do not fit, or gateways lead back to themselves in no time.
    """
    build = _Build(diagram, parameters or assumed(diagram))
    model = build.model()
    require_sound(model)
    notes = tuple(dict.fromkeys([*diagram.notes, *build.parameters.notes]))
    return Imported(model, diagram, build.names, build.shares, notes, build.parameters.conditions)


class _Build:
    def __init__(self, diagram: Diagram, parameters: Parameters) -> None:
        self.diagram, self.parameters = diagram, parameters
        self.leaving: dict[str, list[Flow]] = {i: [] for i in diagram.elements}
        self.entering: dict[str, list[Flow]] = {i: [] for i in diagram.elements}
        for flow in diagram.flows.values():
            self.leaving[flow.source].append(flow)
            self.entering[flow.target].append(flow)
        self.names: dict[str, str] = {}
        self.shares: dict[str, float] = {}
        self._name_all()

    def model(self) -> ProcessModel:
        nodes: dict[str, Any] = {}
        for identity, name in self.names.items():
            nodes[name] = self._node(self.diagram.elements[identity])
        start = next(self.diagram.of_kind(Kind.START))
        p = self.parameters
        return ProcessModel(
            name=self.diagram.name,
            start=self._after(start.id),
            pools=p.pools,
            nodes=nodes,
            attributes=p.attributes,
            calendars=p.calendars,
            arrivals=None if p.arrivals is None else DayArrivals.model_validate(p.arrivals),
        )

    def _name_all(self) -> None:
        """Names of nodes: labels of the diagram, made different; plain numbers for what has none."""
        taken: dict[str, int] = {}
        for element in self.diagram.elements.values():
            if self._is_passed(element) or element.kind is Kind.BOUNDARY or self._is_race_way(element):
                continue
            own = element.name or (element.id if element.kind is Kind.TASK else "")
            stem = own or self._stem(element)
            taken[stem] = taken.get(stem, 0) + 1
            unique = stem if own and taken[stem] == 1 else f"{stem} {taken[stem]}"
            while unique in self.names.values():
                taken[stem] += 1
                unique = f"{stem} {taken[stem]}"
            self.names[element.id] = unique

    def _stem(self, element: Element) -> str:
        joins = len(self.leaving[element.id]) < 2
        if element.kind is Kind.PARALLEL and joins:
            return "join"
        if element.kind is Kind.INCLUSIVE:
            return "inclusive join" if joins else "inclusive split"
        return "merge" if element.kind is Kind.EXCLUSIVE and joins else _STEMS[element.kind]

    def _is_race_way(self, element: Element) -> bool:
        """Whether an event is a way out of an event-based gateway, and so part of it."""
        entering = self.entering[element.id]
        return bool(entering) and all(self.diagram.elements[f.source].kind is Kind.EVENT_BASED for f in entering)

    def _is_join(self, identity: str) -> bool:
        element = self.diagram.elements[identity]
        return element.kind in (Kind.PARALLEL, Kind.INCLUSIVE) and len(self.entering[identity]) > 1

    def _is_passed(self, element: Element) -> bool:
        """Whether a token goes through an element in no time and by one way, so that no node is needed.

        The last merge before a join is kept: the join counts its ways in.
        """
        if element.kind in _INSTANT:
            several = len(self.entering[element.id]) > 1
        elif element.kind in GATEWAYS and len(self.leaving[element.id]) == 1:
            if element.kind is Kind.EVENT_BASED or self._is_join(element.id):
                return False
            several = len(self.entering[element.id]) > 1
        else:
            return False
        if not several:
            return True
        seen, here = {element.id}, element.id
        while len(ways := self.leaving[here]) == 1:
            here = ways[0].target
            if self._is_join(here):
                return False
            target = self.diagram.elements[here]
            if here in seen or len(self.entering[here]) > 1 or not (target.kind in _INSTANT or target.kind in GATEWAYS):
                return True
            seen.add(here)
        return True

    def _after(self, identity: str) -> str:
        """Node that follows an element with one way out."""
        return self._node_at(self.leaving[identity][0])

    def _node_at(self, flow: Flow) -> str:
        """Node to which a flow leads."""
        seen = set[str]()
        while flow.target not in self.names:
            element = self.diagram.elements[flow.target]
            if flow.target in seen:
                what = f"{element.kind} {element.id!r} leads back to itself in no time"
                raise DataError(what, self.diagram.where(element.id), "Put a task or a timer in between.")
            seen.add(flow.target)
            flow = self.leaving[flow.target][0]
        return self.names[flow.target]

    def _node(self, element: Element) -> Any:
        label = element.name if element.name and self.names[element.id] != element.name else None
        match element.kind:
            case Kind.TASK:
                return self._task(element, label)
            case Kind.END:
                ends = True if element.variant in ("terminate", "error") else None
                return End(kind="end", outcome="refused" if element.variant == "error" else "served", terminate=ends)
            case Kind.CATCH:
                wait, source = self._wait(element)
                to = self._after(element.id)
                return Delay(kind="delay", duration=BySegment(default=wait), next=to, label=label, source=source)
            case Kind.EVENT_BASED:
                return self._race(element)
            case Kind.PARALLEL:
                return self._parallel(element)
            case Kind.INCLUSIVE:
                return self._inclusive(element)
        return Choice(kind="choice", next=self._branches(element))

    def _parallel(self, element: Element) -> Any:
        ways = self.leaving[element.id]
        if len(ways) == 1:
            return Join(kind="join", next=self._after(element.id))
        return Fork(kind="fork", next=tuple(Branch(to=self._node_at(f)) for f in ways))

    def _inclusive(self, element: Element) -> Any:
        ways = self.leaving[element.id]
        if len(ways) == 1:
            return InclusiveJoin(kind="inclusive_join", next=self._after(element.id))
        shares = self._shares(element)
        branches = []
        for flow in ways:
            when = self.parameters.conditions.get(flow.id)
            branches.append(_branch(self._node_at(flow), shares[flow.id], when))
        default = next((f for f in ways if f.id == element.default), None)
        otherwise = self._node_at(default) if default is not None else None
        return InclusiveSplit(kind="inclusive_split", next=tuple(branches), otherwise=otherwise)

    def _branches(self, element: Element) -> tuple[Branch, ...] | str:
        """Ways out of an exclusive gateway: those with conditions first, then the default, or all by their shares."""
        ways = self.leaving[element.id]
        if len(ways) == 1:
            return self._node_at(ways[0])
        conditions = {f.id: self.parameters.conditions[f.id] for f in ways if f.id in self.parameters.conditions}
        branches = [_branch(self._node_at(f), 1.0, conditions[f.id]) for f in ways if f.id in conditions]
        if conditions and element.default in {f.id for f in ways}:
            return (*branches, Branch(to=self._node_at(self.diagram.flows[element.default])))
        shares = self._shares(element)
        total = sum(shares.values())
        return (*branches, *(_branch(self._node_at(f), shares[f.id] / total) for f in ways))

    def _shares(self, element: Element) -> dict[str, float]:
        """Probabilities of the ways out; what is not given is shared equally among the ways without one."""
        ways = self.leaving[element.id]
        given = {f.id: self.parameters.probabilities[f.id] for f in ways if f.id in self.parameters.probabilities}
        open_ = [f.id for f in ways if f.id not in given]
        total = sum(given.values())
        exclusive = element.kind is Kind.EXCLUSIVE
        if exclusive and (total > 1 + 1e-6 or (not open_ and total < 1 - 1e-6)):
            what = f"probabilities out of gateway {element.id!r} ({element.name!r}) sum to {total:g}"
            raise DataError(what, self.diagram.where(element.id), "They must sum to 1.")
        each = max(1 - total, 0.0) / len(open_) if open_ and exclusive else 0.5
        found = {f.id: given.get(f.id, each) for f in ways}
        self.shares |= found
        return found

    def _wait(self, element: Element) -> tuple[Distribution, str]:
        """How long an event takes to come, and where that is from."""
        if element.id in self.parameters.events:
            return self.parameters.events[element.id], ""
        if element.duration is not None:
            return law("constant", mean=f"{element.duration} ns"), ""
        self.parameters.notes.append(note("event_assumed", place=element.label))
        return law("exponential", mean="1 h"), ASSUMED

    def _race(self, element: Element) -> Race:
        ways = []
        for flow in self.leaving[element.id]:
            event = self.diagram.elements[flow.target]
            if event.kind is Kind.TASK and event.id in self.parameters.works:
                work = self.parameters.works[event.id]
                wait, source = work.service, work.source
            else:
                wait, source = self._wait(event)
            ways.append(Timed(to=self._after(event.id), after=BySegment(default=wait), source=source))
        return Race(kind="race", next=tuple(ways))

    def _task(self, element: Element, label: str | None) -> Task:
        work = self.parameters.works.get(element.id)
        if work is None:
            known = "It has none in the parameters."
            what = f"task {element.id!r} ({element.name!r}) has nobody to do it"
            raise DataError(what, self.diagram.where(element.id), known)
        values: dict[str, Any] = {}
        if work.priority is not None:
            values["priority"] = work.priority
        if element.repetition is not None and element.repetition.count:
            mode = "parallel" if element.repetition.parallel else "sequential"
            values["repeat"] = Repeat.model_validate({"count": element.repetition.count, "mode": mode})
        elif element.repetition is not None:
            self.parameters.notes.append(note("instances_unsaid", place=element.label))
        return Task(
            kind="task",
            pool=work.pool,
            service=BySegment(default=work.service),
            next=self._task_ways(element),
            members=work.members,
            by_member=work.by_member,
            boundary=self._boundary(element),
            batch=work.batch,
            label=label,
            source=work.source,
            **values,
        )

    def _task_ways(self, element: Element) -> tuple[Branch, ...] | str:
        """Where a task leads; an error on its border is a way out when it is done."""
        to = self._after(element.id)
        errors = [e for e in self.diagram.attached(element.id) if e.variant == "error"]
        if not errors:
            return to
        shares = {e.id: self.parameters.probabilities.get(self.leaving[e.id][0].id) for e in errors}
        if any(s is None for s in shares.values()):
            self.parameters.notes.append(note("failure_assumed", place=element.label))
        ways = [_branch(self._after(e.id), 0.05 if (s := shares[e.id]) is None else s) for e in errors]
        rest = 1 - sum(w.probability.default for w in ways)
        return (*ways, _branch(to, rest))

    def _boundary(self, element: Element) -> tuple[Boundary, ...]:
        events = []
        for event in self.diagram.attached(element.id):
            if event.variant == "error":
                continue
            wait, source = self._wait(event)
            to = self._after(event.id)
            after = BySegment(default=wait)
            events.append(Boundary(to=to, after=after, interrupting=event.interrupting, source=source))
        return tuple(events)


def _branch(to: str, probability: float, when: Any = None) -> Branch:
    return Branch(to=to, probability=BySegment(default=float(probability)), when=when)
