"""Turns a process model into a diagram: what is drawn and exported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from twin.clock import MINUTE
from twin.process.bpmn.graph import Diagram, Element, Flow, Kind, Repetition
from twin.process.distributions import Distribution
from twin.process.model import (
    Branch,
    BySegment,
    Choice,
    Delay,
    End,
    Fork,
    InclusiveJoin,
    InclusiveSplit,
    Join,
    ProcessModel,
    Race,
    Task,
    When,
    Window,
)
from twin.process.notes import note

_KINDS: dict[type[Any], Kind] = {
    Choice: Kind.EXCLUSIVE,
    Fork: Kind.PARALLEL,
    Join: Kind.PARALLEL,
    InclusiveSplit: Kind.INCLUSIVE,
    InclusiveJoin: Kind.INCLUSIVE,
}


@dataclass
class Exported:
    """A diagram with what it cannot say itself.

    Attributes:
        nodes: the model's node of each element that stands for one.
        shares: probability of flows out of gateways; conditions: of flows that have one.
        waits: how long events take to come.
        notes: what the diagram leaves out.
    """

    diagram: Diagram
    nodes: dict[str, str] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, When] = field(default_factory=dict)
    waits: dict[str, Distribution] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def to_diagram(model: ProcessModel) -> Exported:
    """The diagram of a model; where values differ by kind of client or case, the default is taken."""
    build = _Build(model)
    build.run()
    out = build.out
    out.notes = list(dict.fromkeys(out.notes))
    return out


class _Build:
    def __init__(self, model: ProcessModel) -> None:
        self.model = model
        self.elements: dict[str, Element] = {}
        self.flows: dict[str, Flow] = {}
        self.out = Exported(Diagram(model.name, self.elements, self.flows))
        self.ids: dict[str, str] = {}

    def run(self) -> None:
        start = self._add(Element(self._free("start"), Kind.START))
        for name in self.model.nodes:
            self.ids[name] = self._free(name)
            self.elements[self.ids[name]] = Element(self.ids[name], Kind.THROW)
            self.out.nodes[self.ids[name]] = name
        self._flow(start, self.model.start)
        for name, node in self.model.nodes.items():
            self._node(name, node)
        for name, deadline in self.model.deadlines.items():
            self.out.notes.append(note("deadline_shown", name=repr(name)))
            if deadline.to is not None:
                fixed = fixed_ns(deadline.after.default)
                event = self._add(Element(self._free(name), Kind.CATCH, name, "timer", duration=fixed))
                self._flow(event, deadline.to)
        self._merges()
        if self.model.case_patience is not None:
            self.out.notes.append(note("no_case_patience"))

    def _merges(self) -> None:
        """A merge before each split that several ways lead to: in BPMN it would wait for all of them."""
        for element in list(self.elements.values()):
            entering = [f for f in self.flows.values() if f.target == element.id]
            splits = sum(f.source == element.id for f in self.flows.values()) > 1
            if element.kind in (Kind.PARALLEL, Kind.INCLUSIVE) and splits and len(entering) > 1:
                merge = self._add(Element(self._free(f"{element.id}_merge"), Kind.EXCLUSIVE))
                for flow in entering:
                    self.flows[flow.id] = replace(flow, target=merge)
                self._flow(merge, element.id)

    def _free(self, stem: str) -> str:
        """An id that XML allows and that is not taken."""
        base = re.sub(r"[^\w.-]", "_", stem)
        base = base if re.match(r"[^\W\d]", base) else f"n_{base}"
        identity, n = base, 1
        while identity in self.elements or identity in self.flows:
            n += 1
            identity = f"{base}_{n}"
        return identity

    def _add(self, element: Element) -> str:
        self.elements[element.id] = element
        return element.id

    def _flow(self, source: str, target: str, *, share: float | None = None, when: When | None = None) -> str:
        """A flow to a node of the model, or to an element of the diagram."""
        target = self.ids.get(target, target)
        identity = self._free(f"{source}-{target}")
        condition = condition_text(when) if when is not None else "" if share is None else f"{share:.12g}"
        self.flows[identity] = Flow(identity, source, target, condition=condition)
        if share is not None:
            self.out.shares[identity] = share
        if when is not None:
            self.out.conditions[identity] = when
        return identity

    def _node(self, name: str, node: Any) -> None:
        identity = self.ids[name]
        label = node.label or name
        if isinstance(node, Task):
            self._task(identity, label, node)
        elif isinstance(node, End):
            variant = "terminate" if node.ends_case and node.outcome == "served" else ""
            variant = "error" if node.outcome == "refused" else "terminate" if node.outcome == "abandoned" else variant
            self._add(Element(identity, Kind.END, label, variant))
        elif isinstance(node, Race):
            self._race(identity, label, node)
        elif isinstance(node, Delay | Window):
            self._wait(identity, label, node)
        else:
            self._gateway(identity, label, node)

    def _gateway(self, identity: str, label: str, node: Any) -> None:
        shown = "" if re.fullmatch(r"(choice|fork|join|merge|inclusive (split|join)|inclusive) \d+", label) else label
        kind = _KINDS[type(node)]
        default = ""
        if isinstance(node, Fork):
            for branch in node.branches:
                self._flow(identity, branch.to)
        elif isinstance(node, InclusiveSplit):
            for branch in node.branches:
                self._flow(identity, branch.to, share=branch.probability.default, when=branch.when)
            if node.otherwise is not None:
                default = self._default(identity, node.otherwise)
        elif len(node.branches) == 1:
            self._flow(identity, node.branches[0].to)
        else:
            default = self._branches(identity, node.branches)
        self._add(Element(identity, kind, shown, default=default))

    def _default(self, identity: str, otherwise: str) -> str:
        """The flow taken when no other is: one that is there, or a new one that is taken never else."""
        to = self.ids[otherwise]
        known = [f.id for f in self.flows.values() if f.source == identity and f.target == to]
        return known[0] if known else self._flow(identity, otherwise, share=0.0)

    def _branches(self, identity: str, branches: tuple[Branch, ...]) -> str:
        """Flows of exclusive ways, and the default among them; ways to one node that are drawn count together."""
        default = ""
        drawn = [b for b in branches if b.when is None]
        conditional = len(drawn) < len(branches)
        together: dict[str, float] = {}
        for branch in drawn:
            together[branch.to] = together.get(branch.to, 0.0) + branch.probability.default
        for to, when in _conditional(branches):
            self._flow(identity, to, share=together.pop(to, 0.0), when=when)
        for to, share in together.items():
            flow = self._flow(identity, to, share=share)
            if conditional and len(drawn) == 1:
                default = flow
        if any(b.probability.by_segment or b.probability.cases for b in drawn):
            self.out.notes.append(note("shares_by_default"))
        return default

    def _task(self, identity: str, label: str, node: Task) -> None:
        count = node.repeat.count if node.repeat is not None else None
        mode = node.repeat is not None and node.repeat.mode == "parallel"
        repetition = Repetition(mode, count.fixed) if count is not None else None
        self._add(Element(identity, Kind.TASK, label, repetition=repetition, lane=node.pool))
        last, again = (identity, 0.0) if node.rework is None else self._rework(identity, node)
        if len(node.branches) == 1:
            self._flow(last, node.branches[0].to, share=1 - again if node.rework is not None else None)
        else:
            split = self._add(Element(self._free(f"{identity}_ways"), Kind.EXCLUSIVE))
            self._flow(last, split, share=1 - again if node.rework is not None else None)
            default = self._branches(split, node.branches)
            self._add(Element(split, Kind.EXCLUSIVE, default=default))
        self._borders(identity, node)
        for key in ("retry", "queue_limit"):
            if getattr(node, key) is not None:
                self.out.notes.append(note("not_in_diagram", place=label, key=key))

    def _rework(self, identity: str, node: Task) -> tuple[str, float]:
        """A gateway after a task from which cases go back, and the probability of not going on.

        A limit of attempts is an average: of all visits as many lead on to `otherwise` as with the limit.
        """
        gateway = self._add(Element(self._free(f"{identity}_again"), Kind.EXCLUSIVE))
        self._flow(identity, gateway)
        rework = node.rework
        if rework is None:
            return gateway, 0.0
        again = rework.probability.default
        stopped = 0.0
        if rework.limit is not None and rework.otherwise is not None:
            stopped = again**rework.limit / sum(again**k for k in range(rework.limit))
            self.out.notes.append(note("rework_average", place=node.label or identity))
            flow = self._flow(gateway, rework.otherwise, share=stopped)
            self.flows[flow] = replace(self.flows[flow], name=f"{rework.limit}×")
        self._flow(gateway, rework.to, share=again - stopped)
        return gateway, again

    def _borders(self, identity: str, node: Task) -> None:
        """Events on the border: given ones, and the end of patience."""
        for event in node.boundary:
            self._border(identity, "", event.after, event.to, interrupting=event.interrupting)
        if node.patience is not None:
            to = node.on_abandon
            if to is None:
                to = self._add(Element(self._free(f"{identity}_left"), Kind.END, "", "terminate"))
            self._border(identity, "patience", node.patience, to, interrupting=True)

    def _border(self, task: str, name: str, after: BySegment[Distribution], to: str, *, interrupting: bool) -> None:
        event = self._add(
            Element(
                self._free(f"{task}_{name or 'event'}"),
                Kind.BOUNDARY,
                name,
                "timer",
                duration=fixed_ns(after.default),
                attached=task,
                interrupting=interrupting,
            )
        )
        self.out.waits[event] = after.default
        self._flow(event, to)

    def _race(self, identity: str, label: str, node: Race) -> None:
        self._add(Element(identity, Kind.EVENT_BASED, "" if re.fullmatch(r"race \d+", label) else label))
        for way in node.next:
            fixed = fixed_ns(way.after.default)
            variant = "message" if fixed is None else "timer"
            event = self._add(Element(self._free(f"{identity}_event"), Kind.CATCH, "", variant, duration=fixed))
            self.out.waits[event] = way.after.default
            self._flow(identity, event)
            self._flow(event, way.to)
            if set(way.probability.values()) != {1.0}:
                self.out.notes.append(note("event_chance", place=label))

    def _wait(self, identity: str, label: str, node: Delay | Window) -> None:
        duration = None
        if isinstance(node, Delay):
            duration = fixed_ns(node.duration.default)
            self.out.waits[identity] = node.duration.default
        else:
            label = f"{label} ({_clock(node.opens)}-{_clock(node.closes)})"
            self.out.notes.append(note("hours_in_label", place=label))
        self._add(Element(identity, Kind.CATCH, label, "timer", duration=duration))
        if len(node.branches) == 1:
            self._flow(identity, node.branches[0].to)
            return
        split = self._free(f"{identity}_ways")
        self._add(Element(split, Kind.EXCLUSIVE))
        self._flow(identity, split)
        self._add(Element(split, Kind.EXCLUSIVE, default=self._branches(split, node.branches)))


def fixed_ns(law: Distribution) -> int | None:
    """The duration of a constant law."""
    return law.mean if law.distribution == "constant" else None


def _clock(ns: int) -> str:
    minutes = ns // MINUTE
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _conditional(branches: tuple[Branch, ...]) -> Iterator[tuple[str, When]]:
    """Ways with conditions in order; such as follow each other to the same node are one."""
    tested = ((b.to, b.when) for b in branches if b.when is not None)
    for to, group in groupby(tested, key=lambda pair: pair[0]):
        found = [when for _, when in group]
        yield to, found[0] if len(found) == 1 else When(any=tuple(found))


def condition_text(when: When) -> str:
    """A condition as people read it."""
    text = " and ".join(_tests(when))
    return text[1:-1] if len(when.any) > 1 and text.startswith("(") and when == When(any=when.any) else text


def _tests(when: When) -> Iterator[str]:
    for key, sign in (("at_least", ">="), ("above", ">"), ("at_most", "<="), ("below", "<")):
        if getattr(when, key) is not None:
            yield f"{when.attribute} {sign} {getattr(when, key):g}"
    if when.is_in is not None:
        yield f"{when.attribute} {_one_of(when.is_in, '=', 'in')}"
    if when.not_in is not None:
        yield f"{when.attribute} {_one_of(when.not_in, '≠', 'not in')}"
    yield from (f"({condition_text(part)})" for part in when.all)
    if when.any:
        yield "(" + " or ".join(condition_text(part) for part in when.any) + ")"


def _one_of(values: tuple[str, ...], one: str, several: str) -> str:
    return f"{one} {values[0]}" if len(values) == 1 else f"{several} ({', '.join(values)})"
