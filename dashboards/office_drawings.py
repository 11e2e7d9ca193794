"""Drawings of the broker's processes with load and waiting on them, and the share of cases on every way as counted."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dashboards.office_words import say
from scenarios.office_processes import DAYS, MONDAY, WARM_UP
from scenarios.office_runs import observed
from scenarios.offices import process_model
from twin.process.bpmn.frommodel import to_diagram
from twin.process.bpmn.graph import Diagram, Flow, Kind
from twin.process.calendar import WorkCalendar
from twin.process.drawing.loads import overlay_of
from twin.process.drawing.svg import draw
from twin.process.model import Branch, BySegment, Choice, End, ProcessModel, Task
from twin.process.simulation import Plan, Result, summed_up
from twin.randomness import Streams

_REPLICATIONS = 3
_COUNTER = "__way_"


def drawing(name: str) -> str:
    """A process as SVG with load and waiting on it, of the cases that a comparison would give it."""
    own, calendar = process_model(name), WorkCalendar(MONDAY)
    model = counting(own)
    found = [observed(model, Streams(1, r), calendar, warm_up=WARM_UP, days=DAYS) for r in range(_REPLICATIONS)]
    result = summed_up(model, Plan(days=DAYS, replications=_REPLICATIONS, calendar=calendar), found)
    shown = to_diagram(model)
    overlay = overlay_of(result, shown.diagram, shown.nodes, shown.shares)
    counters = {element for element, node in shown.nodes.items() if node.startswith(_COUNTER)}
    counted = {**overlay.flows, **_abandoned(shown.diagram, shown.nodes, result)}
    diagram, flows = _without(shown.diagram, counted, counters)
    picture = draw(
        _told_apart(diagram), replace(overlay, flows=flows, caption=_caption(result)), labels=_shares(diagram, flows)
    )
    return picture.replace("</svg>", f"<!-- {fingerprint(own)} --></svg>")


def fingerprint(model: ProcessModel) -> str:
    """A text that changes with every value of a process file; a drawing carries that of the file it shows."""
    return hashlib.sha256(model.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]


def _caption(result: Result) -> str:
    ends = {key: result.measures[key].mean for key in ("served", "abandoned", "refused")}
    shares = [f"{say(key)} {value / (sum(ends.values()) or 1.0):.0%}" for key, value in ends.items() if value]
    return f"{say('caption', days=DAYS, n=_REPLICATIONS)}: {', '.join(shares)}"


def counting(model: ProcessModel) -> ProcessModel:
    """The same process with a node without duration on each way that is not a node's only one.

    The added nodes come last, so that the others keep their numbers and with them their luck.
    """
    counters: dict[str, Choice] = {}

    def way(to: str) -> str:
        name = f"{_COUNTER}{len(counters)}"
        counters[name] = Choice(kind="choice", next=(Branch(to=to, probability=BySegment[float](default=1.0)),))
        return name

    nodes = {name: _counted(node, way) for name, node in model.nodes.items()}
    deadlines = {
        name: d if d.to is None else d.model_copy(update={"to": way(d.to)}) for name, d in model.deadlines.items()
    }
    return model.model_copy(update={"nodes": nodes | counters, "deadlines": deadlines})


def _counted(node: Any, way: Callable[[str], str]) -> Any:
    change: dict[str, Any] = {}
    if not isinstance(node, End) and node.kind in ("task", "choice", "delay", "window") and len(node.branches) > 1:
        # Ways to one node are one way.
        to = {target: way(target) for target in dict.fromkeys(b.to for b in node.branches)}
        change["next"] = tuple(b.model_copy(update={"to": to[b.to]}) for b in node.branches)
    if isinstance(node, Task):
        if node.boundary:
            change["boundary"] = tuple(b.model_copy(update={"to": way(b.to)}) for b in node.boundary)
        if node.on_abandon is not None:
            change["on_abandon"] = way(node.on_abandon)
    return node.model_copy(update=change) if change else node


def _abandoned(diagram: Diagram, nodes: Mapping[str, str], result: Result) -> dict[str, float]:
    """Cases on the lines of those whose patience with a task ended."""
    left = {a.name: a.abandoned.mean for a in result.activities}
    events = [e for e in diagram.of_kind(Kind.BOUNDARY) if e.name == "patience"]
    return {f.id: left[nodes[e.attached]] for e in events for f in diagram.leaving(e.id)}


def _told_apart(diagram: Diagram) -> Diagram:
    """Tasks of one name with the pool that does them."""
    names = Counter(e.name for e in diagram.of_kind(Kind.TASK))
    elements = {
        k: replace(e, name=f"{e.name} ({e.lane})") if e.kind is Kind.TASK and names[e.name] > 1 else e
        for k, e in diagram.elements.items()
    }
    return replace(diagram, elements=elements)


def _without(diagram: Diagram, flows: Mapping[str, float], counters: set[str]) -> tuple[Diagram, dict[str, float]]:
    """A diagram whose counting nodes are lines again, and cases by flow."""
    lines: dict[str, Flow] = {}
    cases: dict[str, float] = {}
    seen: set[tuple[str, str]] = set()
    for flow in diagram.flows.values():
        # Several conditions that lead one way are several flows into one counter.
        if flow.source in counters or (flow.target in counters and (flow.source, flow.target) in seen):
            continue
        seen.add((flow.source, flow.target))
        onward = diagram.leaving(flow.target)[0] if flow.target in counters else flow
        lines[flow.id] = replace(flow, target=onward.target)
        cases[flow.id] = flows.get(onward.id, 0.0)
    elements = {k: replace(e, default="") for k, e in diagram.elements.items() if k not in counters}
    return replace(diagram, elements=elements, flows=lines), cases


def _shares(diagram: Diagram, flows: dict[str, float]) -> dict[str, str]:
    """Share of the cases on each way out of a gateway that sends a case one way only."""
    leaving: defaultdict[str, float] = defaultdict(float)
    for flow in diagram.flows.values():
        leaving[flow.source] += flows[flow.id]
    texts = {}
    for flow in diagram.flows.values():
        gateway = diagram.elements[flow.source].kind is Kind.EXCLUSIVE
        if gateway and leaving[flow.source] and len(diagram.leaving(flow.source)) > 1:
            share = flows[flow.id] / leaving[flow.source]
            texts[flow.id] = "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"
    return texts
