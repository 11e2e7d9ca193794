"""Writes diagrams as BPMN 2.0 with positions, readable by other tools."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

from twin.process.bpmn.elements import EVENT_TAGS, GATEWAY_TAGS, MODEL, TASK_TAGS, write_iso_duration
from twin.process.bpmn.graph import GATEWAYS, Diagram, Element, Kind
from twin.process.drawing.layout import Placement, lay_out
from twin.process.drawing.svg import own_places

if TYPE_CHECKING:
    from lxml.etree import _Element as Xml

_DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_DC = "{http://www.omg.org/spec/DD/20100524/DC}"
_DD = "{http://www.omg.org/spec/DD/20100524/DI}"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_SPACES = {"bpmn": MODEL[1:-1], "bpmndi": _DI[1:-1], "dc": _DC[1:-1], "di": _DD[1:-1], "xsi": _XSI[1:-1]}


def bpmn_text(diagram: Diagram) -> bytes:
    """The diagram as a BPMN 2.0 document."""
    from lxml import etree

    root = etree.Element(f"{MODEL}definitions", nsmap=_SPACES)
    root.set("targetNamespace", "http://bpmn.io/schema/bpmn")
    process = _child(root, "process", id=_identity(diagram), name=diagram.name, isExecutable="false")
    _lanes(process, diagram)
    for element in diagram.elements.values():
        _element(process, element, diagram)
    for flow in diagram.flows.values():
        node = _child(process, "sequenceFlow", id=flow.id, name=flow.name, sourceRef=flow.source, targetRef=flow.target)
        if flow.condition:
            condition = _child(node, "conditionExpression")
            condition.set(f"{_XSI}type", "bpmn:tFormalExpression")
            condition.text = flow.condition
    _drawing(root, diagram)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def write_bpmn(diagram: Diagram, path: str | pathlib.Path) -> None:
    """Write a diagram to a BPMN 2.0 file."""
    pathlib.Path(path).write_bytes(bpmn_text(diagram))


def _identity(diagram: Diagram) -> str:
    """An id of the process that nothing else has."""
    identity = "process"
    while identity in diagram.elements or identity in diagram.flows:
        identity += "_"
    return identity


def _child(parent: Xml, tag: str, space: str = MODEL, **attributes: Any) -> Xml:
    from lxml import etree

    node = etree.SubElement(parent, space + tag)
    for key, value in attributes.items():
        if value not in ("", None):
            node.set(key, str(value))
    return node


def _lanes(process: Xml, diagram: Diagram) -> None:
    """Lanes, if any element lies in one."""
    lanes: dict[str, list[str]] = {}
    for element in diagram.elements.values():
        if element.lane:
            lanes.setdefault(element.lane, []).append(element.id)
    if not lanes:
        return
    group = _child(process, "laneSet", id=f"{_identity(diagram)}_lanes")
    for i, (name, members) in enumerate(lanes.items()):
        lane = _child(group, "lane", id=f"{_identity(diagram)}_lane_{i + 1}", name=name)
        for member in members:
            _child(lane, "flowNodeRef").text = member


def _element(process: Xml, element: Element, diagram: Diagram) -> None:
    node = _child(process, _tag(element), id=element.id, name=element.name)
    if element.default:
        node.set("default", element.default)
    for flow in diagram.entering(element.id):
        _child(node, "incoming").text = flow.id
    for flow in diagram.leaving(element.id):
        _child(node, "outgoing").text = flow.id
    if element.kind is Kind.BOUNDARY:
        node.set("attachedToRef", element.attached)
        node.set("cancelActivity", "true" if element.interrupting else "false")
    if element.kind in EVENT_TAGS and element.variant:
        definition = _child(node, f"{element.variant}EventDefinition", id=f"{element.id}_trigger")
        if element.duration is not None:
            timer = _child(definition, "timeDuration")
            timer.set(f"{_XSI}type", "bpmn:tFormalExpression")
            timer.text = write_iso_duration(element.duration)
    if element.repetition is not None:
        sequential = "false" if element.repetition.parallel else "true"
        loop = _child(node, "multiInstanceLoopCharacteristics", isSequential=sequential)
        if element.repetition.count is not None:
            _child(loop, "loopCardinality").text = str(element.repetition.count)


def _tag(element: Element) -> str:
    if element.kind is Kind.TASK:
        return TASK_TAGS.get(element.variant, "task")
    return GATEWAY_TAGS[element.kind] if element.kind in GATEWAYS else EVENT_TAGS[element.kind]


def _drawing(root: Xml, diagram: Diagram) -> None:
    """Positions: those of the diagram's file as they are there, or ours."""
    placement = own_places(diagram, enlarge=False) or lay_out(diagram)
    plane = _child(_child(root, "BPMNDiagram", _DI, id="drawing"), "BPMNPlane", _DI, id="plane")
    plane.set("bpmnElement", _identity(diagram))
    _shapes(plane, diagram, placement)


def _shapes(plane: Xml, diagram: Diagram, placement: Placement) -> None:
    for element in diagram.elements.values():
        box = placement.boxes[element.id]
        shape = _child(plane, "BPMNShape", _DI, id=f"{element.id}_shape", bpmnElement=element.id)
        if element.kind is Kind.EXCLUSIVE:
            shape.set("isMarkerVisible", "true")
        numbers = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
        _child(shape, "Bounds", _DC, **{k: f"{v:g}" for k, v in numbers.items()})
    for flow in diagram.flows.values():
        edge = _child(plane, "BPMNEdge", _DI, id=f"{flow.id}_edge", bpmnElement=flow.id)
        for x, y in placement.lines[flow.id]:
            _child(edge, "waypoint", _DD, x=f"{x:g}", y=f"{y:g}")
