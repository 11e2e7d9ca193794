"""Reads BPMN 2.0 files of any tool into diagrams."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING

from twin.errors import DataError
from twin.process.bpmn.elements import MODEL, is_ignored, tag_of, text_of
from twin.process.bpmn.graph import Box, Diagram, Kind, Points
from twin.process.bpmn.normal import normalised
from twin.process.bpmn.scopes import Scope, ScopeReader
from twin.process.notes import note

if TYPE_CHECKING:
    from lxml.etree import _Element as Xml

_DI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
_MOST_BYTES = 64 << 20


def read_bpmn(path: str | pathlib.Path, process: str | None = None) -> Diagram:
    """The process of a BPMN 2.0 file.

    Args:
        path: the file.
        process: name or id of a process or pool; without it the one with the most elements.

    Raises:
        DataError: the file is no BPMN 2.0, or has an element outside the supported set (named, with its line).
    """
    file = pathlib.Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the diagram: {error.strerror}", where=str(file)) from error
    return parse_bpmn(data, str(file), process)


def parse_bpmn(data: bytes, file: str = "diagram", process: str | None = None) -> Diagram:
    """The process of a BPMN 2.0 text; `file` is its name in errors."""
    root = parse_xml(data, file)
    if root.tag != f"{MODEL}definitions":
        hint = "The root must be <definitions> of http://www.omg.org/spec/BPMN/20100524/MODEL."
        raise DataError(f"{root.tag!r} is not BPMN 2.0", where=f"{file}:{root.sourceline}", hint=hint)
    scope, notes = _chosen(root, file, process)
    diagram = Diagram(
        scope.name or pathlib.Path(file).stem,
        scope.elements,
        scope.flows,
        *_drawing(root),
        notes=tuple(dict.fromkeys([*notes, *scope.notes])),
        file=file,
    )
    return normalised(diagram)


def parse_xml(data: bytes, file: str) -> Xml:
    """The root of an XML text, read without entities, network and document types.

    Raises:
        DataError: it is no XML, or declares a document type.
    """
    from lxml import etree

    if len(data) > _MOST_BYTES:
        raise DataError("the diagram is larger than 64 MiB", where=file)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 1
        raise DataError(f"not XML: {error.msg}", where=f"{file}:{line}", hint="Export the diagram anew.") from error
    if str(getattr(root.getroottree().docinfo, "doctype", "")):
        raise DataError("a document type is declared", where=f"{file}:1", hint="Leave out the DOCTYPE.")
    return root


def _chosen(root: Xml, file: str, wanted: str | None) -> tuple[Scope, list[str]]:
    """The process to simulate, everything in it in one scope, and notes on the others."""
    processes = [node for node in root if tag_of(node) == "process"]
    pools = {
        node.get("processRef", "").rpartition(":")[2]: text_of(node)
        for part in root
        if tag_of(part) == "collaboration"
        for node in part
        if tag_of(node) == "participant"
    }
    names = {node.get("id", ""): text_of(node) or pools.get(node.get("id", ""), "") for node in processes}
    if wanted is not None:
        kept = [n for n in processes if wanted in (n.get("id"), names[n.get("id", "")], pools.get(n.get("id", "")))]
        if not kept:
            known = ", ".join(repr(name or identity) for identity, name in names.items())
            raise DataError(f"there is no process {wanted!r}", where=file, hint=f"Processes: {known or 'none'}.")
        processes = kept
    by_id = {node.get("id", ""): node for node in root if tag_of(node) == "process"}
    read: list[tuple[int, Xml]] = [(_size(node), node) for node in processes]
    if not read or max(size for size, _ in read) == 0:
        raise DataError("there is no process with elements in it", where=file, hint="Draw at least one task.")
    called = {e.get("calledElement", "") for node in processes for e in node.iter(f"{MODEL}callActivity")}
    mains = [(size, node) for size, node in read if node.get("id") not in called] or read
    node = max(mains, key=lambda pair: pair[0])[1]
    identity = node.get("id", "")
    notes = []
    others = [n.get("id", "") for size, n in mains if n is not node and size]
    if others:
        left = ", ".join(repr(names[other] or other) for other in others)
        notes = [note("several_processes", name=repr(names[identity] or identity), left=left)]
    return ScopeReader(file, by_id).process(node, names[identity] or pools.get(identity, "")), notes


def _size(process: Xml) -> int:
    """Number of elements and flows in a process, at any depth."""
    return sum(1 for node in process.iterdescendants() if not is_ignored(node))


def _drawing(root: Xml) -> tuple[dict[str, Box], dict[str, Points]]:
    """Positions of elements and flows, of the first diagram that places an element; empty if there is none."""
    shapes: dict[str, Box] = {}
    edges: dict[str, Points] = {}
    for plane in root.iter(f"{_DI}BPMNPlane"):
        for shape in plane.iter(f"{_DI}BPMNShape"):
            bounds = next((c for c in shape if isinstance(c.tag, str) and c.tag.endswith("}Bounds")), None)
            numbers = [] if bounds is None else [_number(bounds.get(a)) for a in ("x", "y", "width", "height")]
            if len(numbers) == 4 and all(map(math.isfinite, numbers)):
                shapes.setdefault(shape.get("bpmnElement", ""), Box(*numbers))
        for edge in plane.iter(f"{_DI}BPMNEdge"):
            points = tuple(
                (_number(p.get("x")), _number(p.get("y")))
                for p in edge
                if isinstance(p.tag, str) and p.tag.endswith("}waypoint")
            )
            if len(points) > 1 and all(math.isfinite(x) and math.isfinite(y) for x, y in points):
                edges.setdefault(edge.get("bpmnElement", ""), points)
        if shapes:
            break
    return shapes, edges


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def is_drawn(diagram: Diagram) -> bool:
    """Whether the file places every element that it names (flows may be unplaced: they are routed)."""
    return all(e.id in diagram.shapes for e in diagram.elements.values() if e.line and e.kind is not Kind.BOUNDARY)
