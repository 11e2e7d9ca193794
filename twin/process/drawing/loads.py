"""Puts what a run showed on the elements and flows of a diagram."""

from __future__ import annotations

import math
from collections.abc import Mapping

from twin.process.bpmn.graph import Diagram, Kind
from twin.process.drawing.svg import Colour, Load, Overlay
from twin.process.simulation import Result

_ROUNDS = 200


def overlay_of(
    result: Result,
    diagram: Diagram,
    nodes: Mapping[str, str],
    shares: Mapping[str, float],
    *,
    colour: Colour = "load",
    caption: str = "",
) -> Overlay:
    """Load and waiting of a run on a diagram.

    Args:
        result: the run.
        diagram: its diagram.
        nodes: node of the model for each element that has one.
        shares: probabilities of flows out of gateways, where counts do not follow from those of nodes.
        colour: what tasks are coloured by.
        caption: what was run.
    """
    pools = {p.name: p.utilisation.mean if p.utilisation is not None else math.nan for p in result.pools}
    by_name = {a.name: a for a in result.activities}
    loads = {}
    for element, name in nodes.items():
        activity = by_name.get(name)
        if activity is None:
            continue
        wait = activity.wait_s.mean if activity.wait_s is not None else math.nan
        service = activity.service_s.mean if activity.service_s is not None else math.nan
        loads[element] = Load(activity.cases.mean, wait, service, pools.get(activity.pool, math.nan))
    counts = visits(result, nodes)
    starts = list(diagram.of_kind(Kind.START))
    if len(starts) == 1:
        came = sum(result.measures[k].mean for k in ("served", "abandoned", "refused", "inside"))
        counts[starts[0].id] = came, came
    flows = flow_counts(diagram, counts, shares)
    return Overlay(loads, flows, pools, colour, caption)


def visits(result: Result, nodes: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Mean number of entries and completions per replication of each element that has a node."""
    n = len(result.statistics)
    found = {}
    for element, name in nodes.items():
        rows = [s.nodes[name] for s in result.statistics if name in s.nodes]
        if rows:
            found[element] = sum(r.arrivals for r in rows) / n, sum(r.completions for r in rows) / n
    return found


def flow_counts(
    diagram: Diagram, counts: Mapping[str, tuple[float, float]], shares: Mapping[str, float]
) -> dict[str, float]:
    """Cases per flow from the counts of nodes: what enters or leaves by one way only is known, the rest is conserved.

    Where conservation leaves a choice open, cases split by the probabilities given, else equally.
    """
    flows: dict[str, float] = {}
    for element in diagram.elements.values():
        entering, leaving = diagram.entering(element.id), diagram.leaving(element.id)
        if element.id in counts:
            came, went = counts[element.id]
            if len(entering) == 1:
                flows[entering[0].id] = came
            if len(leaving) == 1 and element.kind in (Kind.START, Kind.TASK, Kind.CATCH):
                flows[leaving[0].id] = went
    for _ in range(_ROUNDS):
        if not (_conserve(diagram, flows) or _split(diagram, flows, shares)):
            break
    return flows


def _conserve(diagram: Diagram, flows: dict[str, float]) -> bool:
    """Fill in the one flow at an element that follows from the others; whether there was one."""
    for element in diagram.elements.values():
        if element.kind in (Kind.TASK, Kind.START, Kind.END, Kind.BOUNDARY):
            continue
        entering = [f.id for f in diagram.entering(element.id)]
        leaving = [f.id for f in diagram.leaving(element.id)]
        if element.kind is Kind.PARALLEL:
            known = [flows[f] for f in entering + leaving if f in flows]
            missing = [f for f in entering + leaving if f not in flows]
            if known and missing:
                flows.update(dict.fromkeys(missing, known[0]))
                return True
            continue
        if element.kind is Kind.INCLUSIVE:
            continue
        missing = [f for f in entering + leaving if f not in flows]
        if len(missing) == 1:
            inside = sum(flows[f] for f in entering if f in flows)
            outside = sum(flows[f] for f in leaving if f in flows)
            flows[missing[0]] = max(outside - inside if missing[0] in entering else inside - outside, 0.0)
            return True
    return False


def _split(diagram: Diagram, flows: dict[str, float], shares: Mapping[str, float]) -> bool:
    """Share out what enters an element whose ways out are not known; whether there was one."""
    for element in diagram.elements.values():
        entering = [f.id for f in diagram.entering(element.id)]
        leaving = [f.id for f in diagram.leaving(element.id)]
        missing = [f for f in leaving if f not in flows]
        if not missing or not entering or any(f not in flows for f in entering):
            continue
        total = sum(flows[f] for f in entering)
        if element.kind is Kind.INCLUSIVE and len(leaving) == 1:
            flows[leaving[0]] = max(flows[f] for f in entering)
            return True
        weights = [shares.get(f, 1 / len(leaving)) for f in leaving]
        scale = 1.0 if element.kind is Kind.INCLUSIVE else 1 / (sum(weights) or 1.0)
        for flow, weight in zip(leaving, weights, strict=True):
            flows.setdefault(flow, total * weight * scale)
        return True
    return False
