"""Drawings are well-formed, show every node and flow, and lie where they should."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from bpmn_documents import Blocks, blocks, document, flows
from drawing_boxes import overlaps
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dashboards.process.files import load
from scenarios.offices import process_model, process_names
from twin.process.bpmn.frommodel import to_diagram
from twin.process.bpmn.graph import Kind
from twin.process.bpmn.reader import parse_bpmn, read_bpmn
from twin.process.drawing.layout import lay_out
from twin.process.drawing.lines import separated
from twin.process.drawing.loads import flow_counts, overlay_of
from twin.process.drawing.svg import Load, Overlay, draw, heat
from twin.process.drawing.text import short_span, width_of, wrapped
from twin.process.simulation import Plan, simulate

SVG = "{http://www.w3.org/2000/svg}"


CONDITIONS = """
name: conditions
start: A
pools: {desk: {staff: unlimited}}
attributes:
  kind: {shares: {new: 0.25, old: 0.75}}
  size: {distribution: uniform, low: 0, high: 10}
arrivals: {gap: 10 min}
nodes:
  A:
    kind: task
    pool: desk
    service: 1 min
    next: [{to: B, when: {attribute: kind, in: [new]}}, {to: B, when: {attribute: size, at_least: 5}}, {to: X}]
  X: {kind: choice, next: [{to: C, probability: 0.3}, {to: D, probability: 0.7}]}
  B: {kind: task, pool: desk, service: 1 min, next: out}
  C: {kind: task, pool: desk, service: 1 min, next: out}
  D: {kind: task, pool: desk, service: 1 min, next: out}
  out: {kind: end}
"""


def shown(text):
    """Ids of groups, and all texts, of an SVG document."""
    root = etree.fromstring(text.encode())
    assert root.tag == f"{SVG}svg"
    ids = {g.get("id") for g in root.iter(f"{SVG}g")}
    return ids, " ".join("".join(t.itertext()) for t in root.iter(f"{SVG}text"))


def overlay_for(diagram, **more):
    timed = (Kind.TASK, Kind.CATCH)
    loads = {e.id: Load(1234, 90.0, 600.0, 0.8) for e in diagram.elements.values() if e.kind in timed}
    return Overlay(loads, {f: 10.0 * i for i, f in enumerate(diagram.flows)}, {"Desk": 0.8}, **more)


@given(blocks, st.sampled_from(["en", "zh"]))
@settings(max_examples=30, deadline=None)
def test_drawing_shows_every_node_and_flow(block, language):
    diagram = parse_bpmn(Blocks().text(block))
    ids, texts = shown(draw(diagram, overlay_for(diagram), language=language))
    assert set(diagram.elements) | set(diagram.flows) <= ids
    for task in diagram.of_kind(Kind.TASK):
        assert task.name in texts
    assert ("cases" in texts) == (language == "en") or not any(diagram.of_kind(Kind.TASK))


@given(blocks)
@settings(max_examples=30, deadline=None)
def test_nodes_do_not_touch_and_lines_are_at_right_angles(block):
    diagram = parse_bpmn(Blocks().text(block))
    placement = lay_out(diagram)
    for a, b in combinations(placement.boxes.values(), 2):
        apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
        assert apart
    for flow in diagram.flows.values():
        points = placement.lines[flow.id]
        assert len(points) >= 2
        for (x, y), (z, w) in pairwise(points):
            assert abs(x - z) < 0.02 or abs(y - w) < 0.02
        target = placement.boxes[flow.target]
        assert points[-1] == (target.x, pytest.approx(target.centre[1]))


@given(blocks)
@settings(max_examples=20, deadline=None)
def test_ways_forward_go_right(block):
    diagram = parse_bpmn(Blocks().text(block))
    placement = lay_out(diagram)
    start = next(diagram.of_kind(Kind.START))
    assert placement.boxes[start.id].x == min(b.x for b in placement.boxes.values())
    back = sum(placement.boxes[f.source].x >= placement.boxes[f.target].x for f in diagram.flows.values())
    loops = str(block).count("'loop'")
    assert back <= loops


def test_texts_that_xml_reserves_are_escaped():
    body = '<startEvent id="s"/><task id="A" name="&lt;b&gt; &amp; &quot;c&quot;"/><endEvent id="e"/>'
    _, texts = shown(draw(parse_bpmn(document(body + flows("s>A", "A>e")))))
    assert '<b> & "c"' in texts


def test_border_events_lie_on_the_border_and_interrupting_shows():
    body = '<startEvent id="s"/><task id="A" name="A"/><endEvent id="e"/><endEvent id="x"/>'
    body += '<boundaryEvent id="b" attachedToRef="A" cancelActivity="false"><timerEventDefinition/></boundaryEvent>'
    diagram = parse_bpmn(document(body + flows("s>A", "A>e", "b>x")))
    placement = lay_out(diagram)
    task, event = placement.boxes["A"], placement.boxes["b"]
    assert event.centre[1] == pytest.approx(task.y + task.height)
    assert task.x < event.x < task.x + task.width
    assert "stroke-dasharray" in draw(diagram)


def test_colour_runs_from_idle_to_full_and_legend_says_what_it_means():
    assert heat(0.0) != heat(0.5) != heat(1.0)
    assert heat(1.7) == heat(1.0)
    body = '<startEvent id="s"/><task id="A" name="开户审核"/><endEvent id="e"/>'
    diagram = parse_bpmn(document(body + flows("s>A", "A>e")))
    text = draw(diagram, overlay_for(diagram), language="zh")
    assert heat(0.8) in text
    _, texts = shown(text)
    for word in ("开户审核", "利用率", "等待", "处理", "Desk 80%"):
        assert word in texts
    _, texts = shown(draw(diagram, overlay_for(diagram, colour="wait"), language="zh"))
    assert "平均等待" in texts


def test_lines_wrap_chinese_anywhere_and_latin_at_spaces():
    assert wrapped("one two three", width_of("one two", 10) + 1, 10, 3) == ["one two", "three"]
    lines = wrapped("客户适当性匹配审核与复核", 50, 10, 3)
    assert all(width_of(line, 10) <= 50 for line in lines)
    assert wrapped("a" * 400, 60, 10, 2)[-1].endswith("…")
    assert [short_span(s, "en") for s in (0, 30, 90, 7200, 200_000)] == ["0 s", "30 s", "1.5 min", "2 h", "2.31 d"]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8), st.data())
def test_separated_places_keep_order_and_gaps_and_move_least(wanted, data):
    gaps = data.draw(st.lists(st.floats(0, 30), min_size=len(wanted) - 1, max_size=len(wanted) - 1))
    found = separated(wanted, gaps, [1.0] * len(wanted))
    assert all(b - a >= g - 1e-6 for a, b, g in zip(found, found[1:], gaps, strict=False))
    cost = sum((a - b) ** 2 for a, b in zip(found, wanted, strict=True))
    shift = [0.0]
    for gap in gaps:
        shift.append(shift[-1] + gap)
    for base in wanted:  # the best that keeps all at their least distance is one of many it must not lose to
        rigid = [base + s for s in shift]
        assert cost <= sum((a - b) ** 2 for a, b in zip(rigid, wanted, strict=True)) + 1e-6


def test_flow_counts_follow_from_those_of_nodes():
    body = '<startEvent id="s"/><exclusiveGateway id="m"/><task id="A"/><exclusiveGateway id="g"/><task id="B"/>'
    body += '<parallelGateway id="p"/><task id="C"/><task id="D"/><parallelGateway id="j"/><endEvent id="e"/>'
    ways = ("s>m", "m>A", "A>g", "g>m", "g>B", "g>p", "p>C", "p>D", "C>j", "D>j", "j>e", "B>e")
    diagram = parse_bpmn(document(body + flows(*ways)))
    counts = {"A": (130.0, 130.0), "B": (40.0, 40.0), "C": (60.0, 60.0), "D": (60.0, 60.0)}
    found = {ways[int(f[1:])]: n for f, n in flow_counts(diagram, counts, {}).items()}
    assert found == {
        "s>m": 100,
        "m>A": 130,
        "A>g": 130,
        "g>m": 30,
        "g>B": 40,
        "g>p": 60,
        "p>C": 60,
        "p>D": 60,
        "C>j": 60,
        "D>j": 60,
        "j>e": 60,
        "B>e": 40,
    }


def test_run_is_drawn_with_every_case_that_came_and_left():
    model = process_model("account-opening")
    exported = to_diagram(model)
    result = simulate(model, Plan(days=2))
    overlay = overlay_of(result, exported.diagram, exported.nodes, exported.shares)
    cases = result.statistics[0].cases
    (start,) = exported.diagram.of_kind(Kind.START)
    (first,) = exported.diagram.leaving(start.id)
    assert overlay.flows[first.id] == cases.served + cases.abandoned + cases.refused + cases.inside > 500
    ends = [f.id for e in exported.diagram.of_kind(Kind.END) for f in exported.diagram.entering(e.id)]
    assert sum(overlay.flows[f] for f in ends) == pytest.approx(cases.served + cases.refused, rel=0.02)
    windows = [e for e, name in exported.nodes.items() if model.nodes[name].kind == "window"]
    assert windows
    assert all(math.isnan(overlay.loads[w].service_s) for w in windows)


def test_conditions_stand_on_their_ways_and_shares_where_chance_decides(tmp_path):
    (tmp_path / "p.yaml").write_text(CONDITIONS, encoding="utf-8")
    loaded = load(tmp_path / "p.yaml")
    ways = {loaded.diagram.flows[f].target: text for f, text in loaded.labels.items()}
    assert ways == {"B": "kind = new or size >= 5", "C": "30%", "D": "70%"}
    overlay = overlay_of(simulate(loaded.model, Plan(cases=200)), loaded.diagram, loaded.nodes, loaded.shares)
    _, texts = shown(draw(loaded.diagram, overlay, labels=loaded.labels))
    assert "kind = new or" in texts
    (way,) = (f for f in loaded.conditions)
    assert overlay.flows[way] == overlay.loads["B"].cases > 50


def test_texts_of_the_houses_processes_lie_on_no_other_text_and_no_node():
    for name in process_names():
        shown_process = load(Path(name))
        diagram, labels = shown_process.diagram, shown_process.labels
        picture = draw(diagram, overlay_for(diagram, caption="20 days"), labels=labels)
        assert overlaps(picture) == [], name
        named = [e.name for e in diagram.elements.values() if e.kind in (Kind.END, Kind.CATCH) and e.name]
        assert all(event.split()[0][:9] in shown(picture)[1] for event in named)


@given(blocks)
@settings(max_examples=25, deadline=None)
def test_texts_lie_on_no_other_text_and_no_node_in_any_diagram(block):
    diagram = parse_bpmn(Blocks().text(block))
    labels = {f.id: "33.3%" for f in diagram.flows.values() if len(diagram.leaving(f.source)) > 1}
    picture = draw(diagram, overlay_for(diagram), labels=labels)
    assert overlaps(picture) == []
    assert shown(picture)[1].count("33.3%") == len(labels)


def test_texts_on_each_other_or_on_a_node_would_be_seen():
    body = '<startEvent id="s"/><task id="A" name="A"/><endEvent id="e" name="end"/>'
    diagram = parse_bpmn(document(body + flows("s>A", "A>e")))
    picture, box = draw(diagram), lay_out(diagram).boxes["A"]

    def with_text(x, y, content):
        added = f'<text x="{x}" y="{y}" font-size="9" text-anchor="start">{content}</text></svg>'
        return picture.replace("</svg>", added)

    assert overlaps(picture) == []
    assert ("over", "A") in overlaps(with_text(box.x - 5, box.y + 3, "over"))
    assert ("A", "over") in overlaps(with_text(box.centre[0], box.centre[1] + 4, "over"))


@pytest.mark.data
def test_recorded_diagrams_draw_at_their_own_places_and_at_ours(shared_data):
    for file in sorted((shared_data / "process" / "models").glob("*.bpmn")):
        diagram = read_bpmn(file)
        for relayout in (False, True):
            labels = {f.id: "33.3%" for f in diagram.flows.values() if len(diagram.leaving(f.source)) > 1}
            picture = draw(diagram, overlay_for(diagram), labels=labels, relayout=relayout)
            ids, _ = shown(picture)
            assert overlaps(picture) == [], file.name
            assert overlaps(draw(diagram, language="zh", labels=labels, relayout=relayout)) == [], file.name
            assert set(diagram.elements) | set(diagram.flows) <= ids, file.name
        numbers = [b.x + b.y + b.width + b.height for b in lay_out(diagram).boxes.values()]
        assert all(map(math.isfinite, numbers))
