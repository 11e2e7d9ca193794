"""BPMN to model and back keeps the meaning."""

from __future__ import annotations

import pytest
from bpmn_documents import Blocks, blocks
from hypothesis import given, settings

from twin.process.bpmn.frommodel import to_diagram
from twin.process.bpmn.normal import reachable
from twin.process.bpmn.reader import parse_bpmn, read_bpmn
from twin.process.bpmn.tomodel import to_model
from twin.process.bpmn.writer import bpmn_text
from twin.process.model import Task
from twin.process.writer import process_text


def meaning(model):
    """What a model says of the flow, without pools (lanes tell machines from people no longer)."""
    out = {}
    for name, node in model.nodes.items():
        ways = [(b.to, round(b.probability.default, 9)) for b in getattr(node, "branches", ())]
        events = [(e.to, e.after.default.mean, e.interrupting) for e in getattr(node, "boundary", ())]
        out[name] = (node.kind, ways, events, getattr(node, "repeat", None), getattr(node, "duration", None))
    return model.start, out


@given(blocks)
@settings(max_examples=60, deadline=None)
def test_random_processes_survive_the_way_through_a_model(block):
    first = to_model(parse_bpmn(Blocks().text(block)))
    again = to_model(parse_bpmn(bpmn_text(to_diagram(first.model).diagram)))
    assert meaning(again.model) == meaning(first.model)


@given(blocks)
@settings(max_examples=30, deadline=None)
def test_written_diagram_reads_as_itself(block):
    diagram = parse_bpmn(Blocks().text(block))
    again = parse_bpmn(bpmn_text(diagram))
    assert {i: (e.kind, e.name, e.variant) for i, e in again.elements.items()} == {
        i: (e.kind, e.name, e.variant) for i, e in diagram.elements.items()
    }
    assert {(f.source, f.target) for f in again.flows.values()} == {
        (f.source, f.target) for f in diagram.flows.values()
    }
    assert set(again.shapes) == set(diagram.elements)
    assert set(again.edges) == set(diagram.flows)


@pytest.mark.data
def test_recorded_diagrams_survive(shared_data):
    for file in sorted((shared_data / "process" / "models").glob("*.bpmn")):
        first = to_model(read_bpmn(file)).model
        again = to_model(parse_bpmn(bpmn_text(to_diagram(first).diagram))).model
        assert meaning(again) == meaning(first), file.name


def test_shipped_processes_become_diagrams_that_read():
    from scenarios.offices import process_model, process_names

    for name in process_names():
        model = process_model(name)
        exported = to_diagram(model)
        again = to_model(parse_bpmn(bpmn_text(exported.diagram))).model
        kept = {exported.nodes.get(i) for i in reachable(exported.diagram)}
        tasks = sorted(node.label or n for n, node in model.nodes.items() if isinstance(node, Task) and n in kept)
        assert tasks == sorted(n.label or name for name, n in again.nodes.items() if isinstance(n, Task)), name
        assert process_text(again)
        assert set(exported.nodes.values()) == set(model.nodes)
