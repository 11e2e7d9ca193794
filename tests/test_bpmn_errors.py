"""Errors of BPMN documents name the element, its id and its line."""

from __future__ import annotations

import pytest
from bpmn_documents import HEAD, document, flows

from twin.errors import DataError
from twin.process.bpmn.reader import parse_bpmn, read_bpmn
from twin.process.bpmn.tomodel import to_model

PLAIN = '<startEvent id="s"/>\n<task id="A" name="Do it"/>\n<endEvent id="e"/>\n'


def error_of(text):
    with pytest.raises(DataError) as caught:
        to_model(parse_bpmn(text, "d.bpmn"))
    return caught.value


@pytest.mark.parametrize(
    ("element", "words"),
    [
        ('<adHocSubProcess id="q" name="Q"/>', ("adHocSubProcess", "'q'", "'Q'", "not supported")),
        ('<complexGateway id="q"/>', ("complexGateway", "'q'")),
        ('<choreographyTask id="q"/>', ("choreographyTask",)),
        ('<subProcess id="q" triggeredByEvent="true"/>', ("subProcess", "event sub-process")),
        ('<task id="q" isForCompensation="true"/>', ("task", "compensation")),
        ('<startEvent id="q"><errorEventDefinition/></startEvent>', ("startEvent", "errorEventDefinition")),
        ('<endEvent id="q"><compensateEventDefinition/></endEvent>', ("endEvent", "compensateEventDefinition")),
        ('<intermediateCatchEvent id="q"/>', ("intermediateCatchEvent", "waits for nothing")),
        ('<boundaryEvent id="q"><timerEventDefinition/></boundaryEvent>', ("boundaryEvent", "attached to nothing")),
    ],
)
def test_element_outside_the_supported_set_is_named_with_its_line(element, words):
    error = error_of(document(PLAIN + element + "\n" + flows("s>A", "A>e")))
    assert error.where == "d.bpmn:6"
    for word in words:
        assert word in error.what
    assert error.hint


def test_flow_to_nowhere_twice_used_id_and_wrong_border_are_named():
    error = error_of(document(PLAIN + flows("s>A", "A>nobody")))
    assert "'f1'" in error.what
    assert "'nobody'" in error.what
    assert error.where == "d.bpmn:7"
    assert "used twice" in error_of(document(PLAIN + '<task id="A"/>' + flows("s>A", "A>e"))).what
    border = '<boundaryEvent id="b" attachedToRef="e"><timerEventDefinition/></boundaryEvent>'
    assert "attached to a end" in error_of(document(PLAIN + border + flows("s>A", "A>e"))).what
    assert "has a way out" in error_of(document(PLAIN + flows("s>A", "A>e", "e>A"))).what
    assert "has a way in" in error_of(document(PLAIN + flows("s>A", "A>s"))).what


def test_gateways_that_lead_back_in_no_time_are_refused():
    body = PLAIN + '<exclusiveGateway id="g"/><exclusiveGateway id="h"/>'
    error_text = str(_any_error(document(body + flows("s>A", "A>g", "A>e", "g>h", "h>g"))))
    assert "in no time" in error_text
    loop = document(body + flows("s>g", "g>h", "h>g", "h>A", "A>e"))  # left by chance, as miners draw optional steps
    assert {node.kind for node in to_model(parse_bpmn(loop, "d.bpmn")).model.nodes.values()} == {
        "choice",
        "task",
        "end",
    }


def _any_error(text):
    from twin.errors import TwinError

    with pytest.raises(TwinError) as caught:
        to_model(parse_bpmn(text, "d.bpmn"))
    return caught.value


def test_race_must_lead_to_events():
    body = PLAIN + '<eventBasedGateway id="g"/>'
    assert "leads to task" in error_of(document(body + flows("s>g", "g>A", "A>e"))).what


def test_what_is_no_bpmn_is_refused(tmp_path):
    assert "not XML" in error_of(b"<definitions").what
    assert "not BPMN" in error_of(b"<html/>").what
    assert "no process" in error_of(f"{HEAD}</definitions>".encode()).what
    with pytest.raises(DataError, match="cannot read"):
        read_bpmn(tmp_path / "nothing.bpmn")
    with pytest.raises(DataError, match="no process 'x'"):
        parse_bpmn(document(PLAIN + flows("s>A", "A>e")), process="x")


def test_entities_are_not_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    text = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]>{HEAD}<process id="p"><task id="A" name="x"/>'
    assert "document type" in error_of(f"{text}</process></definitions>".encode()).what


def test_probabilities_that_do_not_sum_to_one_are_refused():
    from twin.process.bpmn.parameters import assumed

    body = PLAIN + '<exclusiveGateway id="g" name="G"/><task id="B"/>'
    diagram = parse_bpmn(document(body + flows("s>g", "g>A", "g>B", "A>e", "B>e")), "d.bpmn")
    parameters = assumed(diagram)
    parameters.probabilities = {"f1": 0.6, "f2": 0.6}
    with pytest.raises(DataError, match=r"sum to 1\.2"):
        to_model(diagram, parameters)
