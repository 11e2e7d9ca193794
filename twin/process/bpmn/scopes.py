"""Reads the processes of a BPMN file as nested scopes, and lays sub-processes open in the scope they lie in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from twin.errors import DataError
from twin.process.bpmn.elements import (
    FLOW,
    LANES,
    SCOPES,
    is_ignored,
    line_of,
    read_element,
    read_flow,
    read_repetition,
    tag_of,
    text_of,
    unsupported,
)
from twin.process.bpmn.graph import Element, Flow, Kind, Repetition

if TYPE_CHECKING:
    from lxml.etree import _Element as Xml


@dataclass
class Scope:
    """A process or sub-process: its elements, flows and inner scopes (by the id of the sub-process)."""

    id: str
    name: str
    line: int
    elements: dict[str, Element] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    inner: dict[str, Scope] = field(default_factory=dict)
    repetition: Repetition | None = None
    notes: list[str] = field(default_factory=list)


class ScopeReader:
    """Reads processes; `called` are the processes of the file that call activities may name."""

    def __init__(self, file: str, called: dict[str, Xml]) -> None:
        self._file, self._called = file, called
        self._open: list[str] = []

    def process(self, node: Xml, name: str) -> Scope:
        """A process with everything in it in one scope, sub-processes laid open."""
        scope = self._scope(node, name, "")
        _flatten(scope, self._file)
        return scope

    def _scope(self, node: Xml, name: str, prefix: str) -> Scope:
        """Read a scope; `prefix` keeps the ids apart of a process that is called from several places."""
        scope = Scope(prefix + (node.get("id") or ""), name, line_of(node))
        scope.repetition, notes = read_repetition(node)
        scope.notes += notes
        lanes: dict[str, str] = {}
        for child in node:
            tag = tag_of(child)
            if is_ignored(child):
                continue
            if tag == LANES:
                _read_lanes(child, "", lanes)
            elif tag == FLOW:
                flow = read_flow(child, self._file)
                flow = replace(flow, id=prefix + flow.id, source=prefix + flow.source, target=prefix + flow.target)
                self._add(scope, flow.id, child)
                scope.flows[flow.id] = flow
            else:
                self._member(scope, child, tag, prefix)
        for element, lane in lanes.items():
            if prefix + element in scope.elements:
                scope.elements[prefix + element] = replace(scope.elements[prefix + element], lane=lane)
        return scope

    def _member(self, scope: Scope, child: Xml, tag: str, prefix: str) -> None:
        identity = child.get("id", "")
        self._add(scope, prefix + identity, child)
        called = self._callee(child) if tag == "callActivity" else None
        if tag in SCOPES:
            if child.get("triggeredByEvent") == "true":
                raise unsupported(child, self._file, "event sub-processes are not supported")
            inner = self._scope(child, text_of(child), prefix)
        elif called is not None:
            if called.get("id", "") in self._open:
                raise unsupported(child, self._file, "a process that calls itself is not supported")
            self._open.append(called.get("id", ""))
            inner = self._scope(called, text_of(child), f"{prefix}{identity}/")
            inner.repetition, _ = read_repetition(child)
            self._open.pop()
        else:
            inner = None
        if inner is not None and inner.elements:
            inner.id = prefix + identity
            scope.inner[inner.id] = inner
            hull = Element(inner.id, Kind.TASK, text_of(child), "sub", line=line_of(child))
            scope.elements[inner.id] = replace(hull, default=child.get("default", ""))
            scope.notes += inner.notes
            return
        if inner is not None:  # a collapsed sub-process without content is a task
            element = Element(inner.id or prefix + identity, Kind.TASK, text_of(child), repetition=inner.repetition)
            element, notes = replace(element, line=line_of(child)), list[str]()
        else:
            element, notes = read_element(child, self._file)
        scope.notes += notes
        default, attached = (prefix + x if x else "" for x in (element.default, element.attached))
        element = replace(element, id=prefix + element.id, default=default, attached=attached)
        scope.elements[element.id] = element

    def _add(self, scope: Scope, identity: str, node: Xml) -> None:
        if identity and (identity in scope.elements or identity in scope.flows):
            raise unsupported(node, self._file, "its id is used twice", "Ids must differ.")

    def _callee(self, node: Xml) -> Xml | None:
        """The process of this file that a call activity names, also in the way of Zeebe."""
        name = node.get("calledElement") or next(
            (e.get("processId") for e in node.iter() if isinstance(e.tag, str) and e.tag.endswith("}calledElement")),
            None,
        )
        return self._called.get((name or "").rpartition(":")[2])


def _read_lanes(node: Xml, outer: str, lanes: dict[str, str]) -> None:
    """Name of the innermost lane of each element."""
    for lane in node:
        if tag_of(lane) != "lane":
            continue
        name = text_of(lane) or lane.get("id", "") or outer
        for child in lane:
            if tag_of(child) == "flowNodeRef":
                lanes[(child.text or "").strip()] = name
            elif tag_of(child) == "childLaneSet":
                _read_lanes(child, name, lanes)


def _flatten(scope: Scope, file: str) -> None:
    """Put the elements of inner scopes in the place of their sub-process."""
    for identity, inner in scope.inner.items():
        _flatten(inner, file)
        _lay_open(scope, identity, inner, file)
    scope.inner = {}


def _fail(element: Element, file: str, what: str, hint: str) -> DataError:
    return DataError(f"sub-process {element.id!r} ({element.name!r}): {what}", f"{file}:{element.line}", hint)


def _lay_open(scope: Scope, identity: str, inner: Scope, file: str) -> None:
    hull = scope.elements[identity]
    tasks = [e for e in inner.elements.values() if e.kind is Kind.TASK]
    parallel = _has_parallel(inner)
    boundary = [e for e in scope.elements.values() if e.kind is Kind.BOUNDARY and e.attached == identity]
    errors = [e for e in boundary if e.variant == "error"]
    waits = [e for e in boundary if e.variant != "error"]
    if inner.repetition is not None or waits:
        what = "repeated" if inner.repetition is not None else "with an event on its border"
        if len(tasks) != 1 or len(inner.elements) > 3:
            hint = "Only a sub-process of a single task can be so; put the marker on tasks."
            raise _fail(hull, file, f"{what}, and has more than one task", hint)
    for task in tasks:
        if task.lane == "":
            inner.elements[task.id] = replace(task, lane=hull.lane)
    if waits or inner.repetition is not None:
        task = inner.elements[tasks[0].id]
        inner.elements[task.id] = replace(task, repetition=task.repetition or inner.repetition)
        for event in waits:
            scope.elements[event.id] = replace(event, attached=task.id)
    entries, leaves = _ends(inner, hull, file)
    _route_errors(scope, inner, hull, errors, parallel, file)
    del scope.elements[identity]
    scope.elements.update(inner.elements)
    scope.flows.update(inner.flows)
    _reconnect(scope, identity, hull, entries, leaves, parallel)


def _has_parallel(scope: Scope) -> bool:
    """Whether a scope may hold several tokens at once."""
    leaving: dict[str, int] = {}
    for flow in scope.flows.values():
        leaving[flow.source] = leaving.get(flow.source, 0) + 1
    single = (Kind.EXCLUSIVE, Kind.EVENT_BASED)
    return any(
        (leaving.get(e.id, 0) > 1 and e.kind not in single) or (e.kind is Kind.BOUNDARY and not e.interrupting)
        for e in scope.elements.values()
    )


def _ends(inner: Scope, hull: Element, file: str) -> tuple[list[str], list[str]]:
    """Elements where a sub-process begins and ends; its start and end events become events that happen at once."""
    sources = {f.source for f in inner.flows.values()}
    targets = {f.target for f in inner.flows.values()}
    starts = [e for e in inner.elements.values() if e.kind is Kind.START]
    entries = [e.id for e in starts] or [
        e.id for e in inner.elements.values() if e.id not in targets and e.kind is not Kind.BOUNDARY
    ]
    if len(entries) != 1:
        raise _fail(hull, file, f"has {len(entries)} starts", "A sub-process begins with one start event.")
    leaves = []
    for element in list(inner.elements.values()):
        if element.kind is Kind.START:
            inner.elements[element.id] = replace(element, kind=Kind.THROW, variant="")
        elif element.kind is Kind.END and element.variant != "error":
            if element.variant == "terminate" and _has_parallel(inner):
                raise _fail(hull, file, "terminates inside while it has parallel branches", "Use a plain end event.")
            variant = "" if element.variant == "terminate" else element.variant
            inner.elements[element.id] = replace(element, kind=Kind.THROW, variant=variant)
            leaves.append(element.id)
        elif element.id not in sources and element.kind is not Kind.END:
            leaves.append(element.id)
    return entries, leaves


def _route_errors(scope: Scope, inner: Scope, hull: Element, errors: list[Element], parallel: bool, file: str) -> None:
    """Lead the error ends of a sub-process to where the error event on its border leads."""
    ends = [e for e in inner.elements.values() if e.kind is Kind.END]
    if not ends:
        if errors:
            what = "has an error event on its border and no error end inside"
            raise _fail(hull, file, what, "Draw the error as an end event inside, or leave the border event out.")
        return
    if len(errors) != 1 or parallel:
        what = "an error ends it, which needs one error event on its border and no parallel branches inside"
        raise _fail(hull, file, what, "Draw the way that the error takes.")
    event = errors[0]
    scope.elements[event.id] = replace(event, kind=Kind.THROW, variant="", attached="")
    for end in ends:
        inner.elements[end.id] = replace(end, kind=Kind.THROW, variant="")
        flow = Flow(f"{end.id}->{event.id}", end.id, event.id, line=end.line)
        inner.flows[flow.id] = flow


def _reconnect(
    scope: Scope, identity: str, hull: Element, entries: list[str], leaves: list[str], parallel: bool
) -> None:
    """Flows into the sub-process go to its start, flows out of it come from its end."""
    last = leaves[0] if len(leaves) == 1 and not parallel else f"{identity}_end"
    if parallel:
        for leaf in leaves:
            _join_before(scope, leaf)
    if last not in scope.elements:
        kind = Kind.INCLUSIVE if parallel else Kind.EXCLUSIVE
        scope.elements[last] = Element(last, kind, lane=hull.lane, line=hull.line)
        for leaf in leaves:
            flow = Flow(f"{leaf}->{last}", leaf, last, line=hull.line)
            scope.flows[flow.id] = flow
    if hull.default:
        scope.elements[last] = replace(scope.elements[last], default=hull.default)
    for flow in list(scope.flows.values()):
        source = last if flow.source == identity else flow.source
        target = entries[0] if flow.target == identity else flow.target
        scope.flows[flow.id] = replace(flow, source=source, target=target)


def _join_before(scope: Scope, leaf: str) -> None:
    """Let an element that several parallel branches enter wait for all of them."""
    entering = [f for f in scope.flows.values() if f.target == leaf]
    if len(entering) < 2:
        return
    join = Element(f"{leaf}_join", Kind.INCLUSIVE, line=scope.elements[leaf].line)
    scope.elements[join.id] = join
    for flow in entering:
        scope.flows[flow.id] = replace(flow, target=join.id)
    flow = Flow(f"{join.id}->{leaf}", join.id, leaf, line=join.line)
    scope.flows[flow.id] = flow
