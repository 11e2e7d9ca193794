"""Reads the elements of BPMN 2.0, one at a time; what lies outside the supported set is an error that names it."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from twin.clock import DAY, HOUR, MINUTE, SECOND
from twin.errors import DataError
from twin.process.bpmn.graph import Element, Flow, Kind, Repetition
from twin.process.notes import note

if TYPE_CHECKING:
    from lxml.etree import _Element as Xml

MODEL = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_TASKS = {
    "task": "",
    "userTask": "user",
    "manualTask": "manual",
    "serviceTask": "service",
    "scriptTask": "script",
    "businessRuleTask": "rule",
    "sendTask": "send",
    "receiveTask": "receive",
    "callActivity": "call",
}
TASK_TAGS = {variant: tag for tag, variant in _TASKS.items()}
_GATEWAYS = {
    "exclusiveGateway": Kind.EXCLUSIVE,
    "parallelGateway": Kind.PARALLEL,
    "inclusiveGateway": Kind.INCLUSIVE,
    "eventBasedGateway": Kind.EVENT_BASED,
}
GATEWAY_TAGS = {kind: tag for tag, kind in _GATEWAYS.items()}
_EVENTS = {
    "startEvent": Kind.START,
    "endEvent": Kind.END,
    "intermediateCatchEvent": Kind.CATCH,
    "intermediateThrowEvent": Kind.THROW,
    "boundaryEvent": Kind.BOUNDARY,
}
EVENT_TAGS = {kind: tag for tag, kind in _EVENTS.items()}
_TRIGGERS = {
    Kind.START: {"message", "timer", "signal", "conditional"},
    Kind.END: {"message", "signal", "escalation", "error", "terminate"},
    Kind.CATCH: {"timer", "message", "signal", "conditional", "link"},
    Kind.THROW: {"message", "signal", "escalation", "link"},
    Kind.BOUNDARY: {"timer", "message", "signal", "conditional", "escalation", "error"},
}
LOOP_NOTE = note("loop_marker")
SCOPES = frozenset({"subProcess", "transaction"})
LANES, FLOW = "laneSet", "sequenceFlow"
# fmt: off
_IGNORED = frozenset({
    "documentation", "extensionElements", "incoming", "outgoing", "dataObject",
    "dataObjectReference", "dataStoreReference", "dataInput", "dataOutput", "textAnnotation",
    "association", "group", "property", "ioSpecification", "dataInputAssociation",
    "dataOutputAssociation", "auditing", "monitoring", "correlationSubscription", "supports",
    "artifact", "resourceRole", "performer", "humanPerformer", "potentialOwner",
    "standardLoopCharacteristics", "multiInstanceLoopCharacteristics", "inputSet", "outputSet",
    "script", "operation",
})
# fmt: on
_SUPPORTED = "Supported: tasks, sub-processes, exclusive, parallel, inclusive and event-based gateways, events"


def tag_of(node: Xml) -> str:
    """Local name of a BPMN element; "" of anything else (comments, extensions of tools)."""
    tag = node.tag
    return tag[len(MODEL) :] if isinstance(tag, str) and tag.startswith(MODEL) else ""


def text_of(node: Xml, attribute: str = "name") -> str:
    """An attribute with its white space made single spaces."""
    return " ".join((node.get(attribute) or "").split())


def line_of(node: Xml) -> int:
    """Where an element begins in its file."""
    line = node.sourceline
    return line if isinstance(line, int) else 0


def all_text(node: Xml) -> str:
    """The text in an element."""
    return "".join(str(part) for part in node.itertext())


def unsupported(node: Xml, file: str, what: str, hint: str = "") -> DataError:
    """The error for an element that cannot be used."""
    name = text_of(node)
    named = f" ({name!r})" if name else ""
    return DataError(
        f"{tag_of(node)} {node.get('id', '')!r}{named}: {what}",
        where=f"{file}:{node.sourceline}",
        hint=hint or f"{_SUPPORTED}.",
    )


def is_ignored(node: Xml) -> bool:
    """Whether an element says nothing about how cases run."""
    return tag_of(node) in _IGNORED or not tag_of(node)


def read_flow(node: Xml, file: str) -> Flow:
    """A sequence flow."""
    source, target = node.get("sourceRef"), node.get("targetRef")
    if not source or not target:
        raise unsupported(node, file, "a sequence flow needs sourceRef and targetRef", "Connect both ends.")
    condition = next((c for c in node if tag_of(c) == "conditionExpression"), None)
    text = "" if condition is None else " ".join(all_text(condition).split())
    return Flow(node.get("id") or f"{source}->{target}", source, target, text_of(node), text, line_of(node))


def read_element(node: Xml, file: str) -> tuple[Element, list[str]]:
    """A task, gateway or event, and notes on what was left out.

    Raises:
        DataError: the element is outside the supported set.
    """
    tag = tag_of(node)
    identity = node.get("id") or f"{tag}_{node.sourceline}"
    if tag in _TASKS:
        return _task(node, identity, file)
    if tag in _GATEWAYS:
        gateway = Element(identity, _GATEWAYS[tag], text_of(node), default=node.get("default", ""))
        return _placed(gateway, node), []
    if tag in _EVENTS:
        return _event(node, _EVENTS[tag], identity, file)
    raise unsupported(node, file, "is not supported")


def _placed(element: Element, node: Xml) -> Element:
    return replace(element, line=line_of(node))


def _task(node: Xml, identity: str, file: str) -> tuple[Element, list[str]]:
    if node.get("isForCompensation") == "true":
        raise unsupported(node, file, "compensation is not supported", "Draw what is done as tasks of its own.")
    repetition, notes = read_repetition(node)
    variant = _TASKS[tag_of(node)]
    task = Element(identity, Kind.TASK, text_of(node), variant, repetition=repetition, default=node.get("default", ""))
    return _placed(task, node), notes


def read_repetition(node: Xml) -> tuple[Repetition | None, list[str]]:
    """The multi-instance marker of an activity; a loop marker says nothing of how often, and is noted."""
    for child in node:
        if tag_of(child) == "multiInstanceLoopCharacteristics":
            inner = next((c for c in child if tag_of(c) == "loopCardinality"), None)
            text = "" if inner is None else all_text(inner).strip().lstrip("=")
            count = int(text) if text.isdigit() and int(text) > 0 else None
            return Repetition(child.get("isSequential") != "true", count), []
    if any(tag_of(c) == "standardLoopCharacteristics" for c in node):
        return None, [LOOP_NOTE]
    return None, []


def _event(node: Xml, kind: Kind, identity: str, file: str) -> tuple[Element, list[str]]:
    definitions = [c for c in node if tag_of(c).endswith(("EventDefinition", "eventDefinitionRef"))]
    if len(definitions) > 1:
        raise unsupported(node, file, "has more than one trigger", "Draw one event for each.")
    variant, duration, notes = "", None, list[str]()
    if definitions:
        definition = tag_of(definitions[0])
        variant = definition.removesuffix("EventDefinition")
        if variant not in _TRIGGERS[kind]:
            known = ", ".join(sorted(_TRIGGERS[kind]))
            hint = f"Supported here: none, {known}."
            raise unsupported(node, file, f"the trigger {definition} is not supported", hint)
        if variant == "timer":
            duration, notes = read_timer(definitions[0], text_of(node) or identity)
        if variant == "link":
            identity_of_link = text_of(definitions[0]) or text_of(node)
            event = Element(identity, kind, identity_of_link, "link")
            return _placed(event, node), []
    if kind in (Kind.CATCH, Kind.BOUNDARY) and not variant:
        raise unsupported(node, file, "waits for nothing", "Give it a timer or a message.")
    event = Element(
        identity,
        kind,
        text_of(node),
        variant,
        duration=duration,
        attached=node.get("attachedToRef", ""),
        interrupting=node.get("cancelActivity", "true") != "false",
    )
    if kind is Kind.BOUNDARY and not event.attached:
        raise unsupported(node, file, "is attached to nothing", "Put it on the border of a task.")
    return _placed(event, node), notes


_ISO = re.compile(
    r"(?:R\d*/)?(?:[^/]*/)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?"
)
_UNITS = (365 * DAY, 30 * DAY, 7 * DAY, DAY, HOUR, MINUTE, SECOND)


def read_timer(definition: Xml, place: str) -> tuple[int | None, list[str]]:
    """Nanoseconds of a timer (None where the diagram has an expression or a date), and notes on the one at a place."""
    for child in definition:
        kind, text = tag_of(child), all_text(child).strip().strip('="')
        if kind not in ("timeDuration", "timeCycle", "timeDate"):
            continue
        duration = parse_iso_duration(text)
        if duration is None:
            return None, [note("timer_unknown", place=place, text=repr(text))] if text else []
        return duration, [note("timer_repeated", place=place, text=repr(text))] if kind == "timeCycle" else []
    return None, []


def parse_iso_duration(text: str) -> int | None:
    """Nanoseconds of an ISO 8601 duration such as PT5M (a month counts 30 days, a year 365); None if it is none."""
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    parts = [Fraction((group or "0").replace(",", ".")) for group in match.groups()]
    return int(sum(part * unit for part, unit in zip(parts, _UNITS, strict=True)))


def write_iso_duration(nanoseconds: int) -> str:
    """An ISO 8601 duration in seconds."""
    seconds = Fraction(nanoseconds, SECOND)
    whole = seconds.numerator // seconds.denominator
    rest = nanoseconds - whole * SECOND
    return f"PT{whole}S" if not rest else f"PT{whole}.{rest:09d}".rstrip("0") + "S"
