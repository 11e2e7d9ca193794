"""What BPMN elements mean, as nodes of a process model."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bpmn_documents import document, flows

from twin.clock import HOUR, MINUTE, SECOND
from twin.process.bpmn.elements import parse_iso_duration, write_iso_duration
from twin.process.bpmn.reader import parse_bpmn, read_bpmn
from twin.process.bpmn.tomodel import to_model
from twin.process.model import Choice, Fork, InclusiveSplit, Join, Race, require_sound

TIMER = "<timerEventDefinition><timeDuration xsi:type='tFormalExpression'>{}</timeDuration></timerEventDefinition>"


def model_of(body, **arguments):
    return to_model(parse_bpmn(document(body), **arguments))


def test_every_kind_of_task_is_a_task():
    tags = [
        "task",
        "userTask",
        "manualTask",
        "serviceTask",
        "scriptTask",
        "businessRuleTask",
        "sendTask",
        "receiveTask",
    ]
    tags.append("callActivity")
    body = '<startEvent id="s"/><endEvent id="e"/>' + "".join(f'<{t} id="{t}" name="{t}"/>' for t in tags)
    chain = ["s", *tags, "e"]
    found = model_of(body + flows(*(f"{a}>{b}" for a, b in pairwise(chain)))).model
    assert [n for n in found.nodes if found.nodes[n].kind == "task"] == tags
    assert {found.nodes[t].pool for t in ("userTask", "task", "callActivity")} == {"staff"}
    assert {found.nodes[t].pool for t in ("serviceTask", "sendTask", "receiveTask")} == {"systems"}


def test_task_with_two_ways_out_is_a_fork_and_several_ways_in_merge():
    body = '<startEvent id="s"/><task id="A"/><task id="B"/><task id="C"/><task id="D"/><endEvent id="e"/>'
    found = model_of(body + flows("s>A", "A>B", "A>C", "B>D", "C>D", "D>e")).model
    assert isinstance(found.nodes[found.nodes["A"].next], Fork)
    assert [b.to for b in found.nodes[found.nodes["A"].next].branches] == ["B", "C"]
    assert found.nodes["B"].next == found.nodes["C"].next == "D"


def test_conditional_flows_out_of_a_task_make_an_inclusive_split_with_its_default():
    body = '<startEvent id="s"/><task id="A" default="f2"/><task id="B"/><task id="C"/><endEvent id="e"/>'
    ways = flows("s>A", "A>B", "A>C", "B>e", "C>e").replace(
        'id="f1" sourceRef="A" targetRef="B"/>',
        'id="f1" sourceRef="A" targetRef="B"><conditionExpression>x > 1</conditionExpression></sequenceFlow>'.replace(
            ">", "&gt;", 0
        ),
    )
    found = model_of(body + ways).model
    split = found.nodes[found.nodes["A"].next]
    assert isinstance(split, InclusiveSplit)
    assert split.otherwise == "C"


def test_gateway_that_joins_and_splits_at_once_is_two():
    body = '<startEvent id="s"/><parallelGateway id="g"/><task id="A"/><task id="B"/><parallelGateway id="h"/>'
    body += '<task id="C"/><task id="D"/><parallelGateway id="k"/><endEvent id="e"/>'
    found = model_of(body + flows("s>g", "g>A", "g>B", "A>h", "B>h", "h>C", "h>D", "C>k", "D>k", "k>e")).model
    join = found.nodes[found.nodes["A"].next]
    assert isinstance(join, Join)
    assert isinstance(found.nodes[join.next], Fork)


def test_exclusive_gateway_has_the_probabilities_that_tools_write_as_conditions():
    body = '<startEvent id="s"/><exclusiveGateway id="g" name="ok?"/><task id="A"/><task id="B"/><endEvent id="e"/>'
    body += (
        '<sequenceFlow id="x" sourceRef="g" targetRef="A"><conditionExpression>0.3</conditionExpression></sequenceFlow>'
    )
    body += (
        '<sequenceFlow id="y" sourceRef="g" targetRef="B"><conditionExpression>0.7</conditionExpression></sequenceFlow>'
    )
    found = model_of(body + flows("s>g", "A>e", "B>e")).model
    assert [(b.to, b.probability.default) for b in found.nodes["ok?"].branches] == [("A", 0.3), ("B", 0.7)]


def test_events_on_the_border_of_a_task_keep_their_time_and_whether_they_interrupt():
    body = '<startEvent id="s"/><task id="A"/><task id="B"/><task id="C"/><endEvent id="e"/><endEvent id="t"/>'
    body += f'<boundaryEvent id="b" attachedToRef="A">{TIMER.format("PT2H")}</boundaryEvent>'
    body += f'<boundaryEvent id="c" attachedToRef="A" cancelActivity="false">{TIMER.format("PT30M")}</boundaryEvent>'
    found = model_of(body + flows("s>A", "A>e", "b>B", "c>C", "B>e", "C>t")).model
    events = {x.to: (x.after.default.mean, x.interrupting) for x in found.nodes["A"].boundary}
    assert events == {"B": (2 * HOUR, True), "C": (30 * MINUTE, False)}


def test_event_based_gateway_is_a_race_of_its_events():
    body = '<startEvent id="s"/><eventBasedGateway id="g"/><task id="A"/><task id="B"/><endEvent id="e"/>'
    body += '<intermediateCatchEvent id="m"><messageEventDefinition/></intermediateCatchEvent>'
    body += f'<intermediateCatchEvent id="t">{TIMER.format("P1D")}</intermediateCatchEvent>'
    imported = model_of(body + flows("s>g", "g>m", "g>t", "m>A", "t>B", "A>e", "B>e"))
    race = imported.model.nodes[imported.model.start]
    assert isinstance(race, Race)
    assert [w.to for w in race.next] == ["A", "B"]
    assert race.next[1].after.default.mean == 24 * HOUR
    assert any("assumed" in note for note in imported.notes)


def test_sub_process_is_laid_open_with_its_lane():
    body = '<laneSet><lane name="Desk"><flowNodeRef>sub</flowNodeRef></lane></laneSet>'
    body += '<startEvent id="s"/><endEvent id="e"/><subProcess id="sub" name="Check">'
    body += (
        '<startEvent id="i"/><task id="A"/><exclusiveGateway id="g"/><task id="B"/><endEvent id="x"/><endEvent id="y"/>'
    )
    body += flows("i>A", "A>g", "g>x", "g>B", "B>y").replace('id="f', 'id="h') + "</subProcess>"
    found = model_of(body + flows("s>sub", "sub>e")).model
    assert found.start == "A"
    assert set(found.pools) == {"Desk"}
    assert [b.to for b in found.nodes[found.nodes["A"].next].branches] == ["end 1", "B"]


def test_parallel_branches_of_a_sub_process_are_waited_for():
    body = '<startEvent id="s"/><task id="Z"/><endEvent id="e"/><subProcess id="sub">'
    body += '<startEvent id="i"/><parallelGateway id="g"/><task id="A"/><task id="B"/><endEvent id="x"/>'
    body += flows("i>g", "g>A", "g>B", "A>x", "B>x").replace('id="f', 'id="h') + "</subProcess>"
    found = model_of(body + flows("s>sub", "sub>Z", "Z>e")).model
    assert found.nodes["A"].next == found.nodes["B"].next
    assert found.nodes[found.nodes["A"].next].kind == "inclusive_join"
    assert found.nodes[found.nodes["A"].next].next == "Z"


def test_called_process_of_the_same_file_is_laid_open():
    around = '<process id="q" name="Q"><startEvent id="a"/><task id="T" name="inner"/><endEvent id="z"/>'
    around += flows("a>T", "T>z").replace('id="f', 'id="q') + "</process>"
    body = '<startEvent id="s"/><callActivity id="c" calledElement="q"/><task id="D"/><endEvent id="e"/>'
    text = document(body + flows("s>c", "c>D", "D>e"), around=around)
    found = to_model(parse_bpmn(text)).model
    assert {n for n, v in found.nodes.items() if v.kind == "task"} == {"inner", "D"}
    assert found.start == "inner"
    assert found.nodes["inner"].next == "D"


def test_multi_instance_task_with_a_number_is_repeated():
    inner = '<multiInstanceLoopCharacteristics isSequential="{}"><loopCardinality>3</loopCardinality>'
    inner += "</multiInstanceLoopCharacteristics>"
    for sequential, mode in (("true", "sequential"), ("false", "parallel")):
        body = f'<startEvent id="s"/><task id="A">{inner.format(sequential)}</task><endEvent id="e"/>'
        repeat = model_of(body + flows("s>A", "A>e")).model.nodes["A"].repeat
        assert (repeat.count.fixed, repeat.mode) == (3, mode)


def test_links_several_starts_terminate_and_what_nothing_leads_to():
    body = '<startEvent id="s"/><startEvent id="t"><messageEventDefinition/></startEvent><task id="A"/><task id="B"/>'
    body += '<intermediateThrowEvent id="l"><linkEventDefinition name="L"/></intermediateThrowEvent>'
    body += '<intermediateCatchEvent id="m"><linkEventDefinition name="L"/></intermediateCatchEvent>'
    body += '<endEvent id="e"><terminateEventDefinition/></endEvent><task id="lost"/><task id="lost2"/>'
    imported = model_of(body + flows("s>A", "t>B", "A>l", "B>l", "m>e", "lost>lost2"))
    assert isinstance(imported.model.nodes[imported.model.start], Choice)
    assert imported.model.nodes[imported.model.nodes["A"].next].terminate is True
    assert "lost" not in imported.model.nodes
    assert any("'lost'" in note for note in imported.notes)
    assert any("alternatives" in note for note in imported.notes)


def test_extensions_data_annotations_and_lanes_of_tools_say_nothing_of_the_flow():
    body = '<extensionElements><camunda:properties/></extensionElements><dataObject id="d"/><textAnnotation id="n"/>'
    body += '<association id="a" sourceRef="A" targetRef="n"/><startEvent id="s"/><endEvent id="e"/>'
    body += '<userTask id="A" camunda:assignee="x"><extensionElements><camunda:x/></extensionElements>'
    body += "<incoming>f0</incoming><ioSpecification/></userTask>"
    assert set(model_of(body + flows("s>A", "A>e")).model.nodes) == {"A", "end 1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PT5M", 5 * MINUTE), ("P1DT2H", 26 * HOUR), ("R3/PT10S", 10 * SECOND), ("PT0.5S", SECOND // 2), ("x", None)],
)
def test_iso_durations(text, expected):
    assert parse_iso_duration(text) == expected
    if expected is not None:
        assert parse_iso_duration(write_iso_duration(expected)) == expected


@pytest.mark.data
def test_all_recorded_diagrams_become_sound_models(shared_data):
    files = sorted((shared_data / "process" / "models").glob("*.bpmn"))
    assert len(files) >= 8
    for file in files:
        imported = to_model(read_bpmn(file))
        require_sound(imported.model)
        tasks = {e.label for e in imported.diagram.elements.values() if e.kind == "task"}
        assert tasks <= set(imported.model.nodes), file.name
