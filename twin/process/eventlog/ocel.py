"""Object-centric event logs: OCEL 2.0 in its JSON, XML and SQLite forms, OCEL 1.0 in JSON and XML (read only).

A log of one kind of case is a view of an object-centric one: events are seen by the objects of one type. Reading asks
for that type; writing makes objects of two types, the case and the resource.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa

from twin.errors import DataError
from twin.process.eventlog.instances import pair_transitions
from twin.process.eventlog.log import ACTIVITY, CASE, END, RESOURCE, START, EventLog
from twin.process.eventlog.times import parse_times
from twin.process.notes import note

_TRANSITION, _INSTANCE = "lifecycle", "instance"
_RESOURCES = ("resource", "employee", "user", "agent")


@dataclass
class _Raw:
    """Events (id, type, time, attributes), which objects each refers to, and the type of every object."""

    events: list[tuple[str, str, str, dict[str, Any]]]
    relations: list[tuple[str, str]]
    objects: dict[str, str]


def read_ocel(path: Path, case_type: str | None = None, zone: str = "UTC") -> EventLog:
    """The log of the objects of one type.

    An event that refers to several objects of the type is repeated for each (and noted); one that refers to none is
    left out (and noted). The resource is the event's object of a type called resource, employee, user or agent, or its
    attribute of that name.

    Args:
        path: `.json`, `.jsonocel`, `.xml`, `.xmlocel`, `.sqlite` or `.db`.
        case_type: type of object that is the case; needed unless there is but one beside the resources.
        zone: zone of times that name none.

    Raises:
        DataError: the file is not OCEL 2.0, or the type is missing or unknown.
    """
    forms = {".json": _read_json, ".jsonocel": _read_json, ".xml": _read_xml, ".xmlocel": _read_xml}
    raw = forms.get(path.suffix.lower(), _read_sqlite)(path)
    types = sorted(set(raw.objects.values()) - set(_RESOURCES))
    if case_type is None and len(types) == 1:
        case_type = types[0]
    if case_type is None or case_type not in raw.objects.values():
        what = f"no object type {case_type!r}" if case_type else "several object types could be the case"
        raise DataError(what, where=str(path), hint=f"Choose one of {', '.join(types)}: `--case-type NAME`.")
    return _flatten(raw, case_type, path, zone)


def _flatten(raw: _Raw, case_type: str, path: Path, zone: str) -> EventLog:
    seen: dict[str, list[str]] = {}
    who: dict[str, str] = {}
    for event, thing in raw.relations:
        kind = raw.objects.get(thing)
        if kind == case_type:
            seen.setdefault(event, []).append(thing)
        elif kind in _RESOURCES:
            who.setdefault(event, thing)
    rows = [(case, event) for event in raw.events for case in seen.get(event[0], [])]
    notes = []
    without = sum(1 for event in raw.events if event[0] not in seen)
    if without:
        notes.append(note("no_case_object", n=without, kind=case_type))
    if len(rows) > len(raw.events) - without:
        notes.append(note("several_case_objects", n=len(rows) - len(raw.events) + without))
    if not rows:
        raise DataError(f"no event refers to a {case_type}", where=str(path))
    times = parse_times(pa.array([e[2] for _, e in rows], pa.string()), f"{path}, time", zone)
    notes += times.notes("", zone)
    attributes = sorted({name for _, event in rows for name in event[3]})
    given = next((name for name in attributes if name.lower() in _RESOURCES), None)
    resource = [who.get(e[0]) or _as_text(e[3].get(given or "")) for _, e in rows]
    transition = [_as_text(e[3].get(_TRANSITION)) for _, e in rows]
    rest = {
        name: pa.array([_as_text(e[3].get(name)) for _, e in rows], pa.string())
        for name in attributes
        if name not in (_TRANSITION, _INSTANCE, given)
    }
    case, activity = pa.array([c for c, _ in rows], pa.string()), pa.array([e[1] for _, e in rows], pa.string())
    people, transitions = pa.array(resource, pa.string()), pa.array(transition, pa.string())
    instances = pa.array([_as_text(e[3].get(_INSTANCE)) for _, e in rows], pa.string())
    return pair_transitions(case, activity, people, times, transitions, rest, notes, instances)


def _as_text(value: Any) -> str | None:
    return None if value is None else str(value)


def _read_json(path: Path) -> _Raw:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("not in UTF-8", where=str(path), hint="Save it as UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    hint = "OCEL 2.0 has lists `objects` (id, type) and `events` (id, type, time, attributes, relationships)."
    if not isinstance(document, dict):
        raise DataError("not OCEL 2.0: it is no object with keys", where=str(path), hint=hint)
    if "ocel:events" in document:
        return _first_json(document, path)
    try:
        objects = {str(thing["id"]): str(thing["type"]) for thing in document["objects"]}
        events, relations = [], []
        for event in document["events"]:
            values = {a["name"]: a["value"] for a in event.get("attributes", [])}
            events.append((str(event["id"]), str(event["type"]), str(event["time"]), values))
            relations += [(str(event["id"]), str(r["objectId"])) for r in event.get("relationships", [])]
    except (KeyError, TypeError) as error:
        raise DataError(f"not OCEL 2.0: {error} is missing or of the wrong form", where=str(path), hint=hint) from error
    return _Raw(events, relations, objects)


def _first_json(document: dict[str, Any], path: Path) -> _Raw:
    """The JSON form of OCEL 1.0: objects and events by their ids."""
    raw = _Raw([], [], {})
    try:
        for thing, values in document["ocel:objects"].items():
            raw.objects[thing] = str(values["ocel:type"])
        for event, values in document["ocel:events"].items():
            attributes = dict(values.get("ocel:vmap") or {})
            raw.events.append((event, str(values["ocel:activity"]), str(values["ocel:timestamp"]), attributes))
            raw.relations += [(event, str(thing)) for thing in values.get("ocel:omap") or []]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        hint = "OCEL 1.0 has `ocel:objects` (ocel:type) and `ocel:events` (ocel:activity, ocel:timestamp, ocel:omap)."
        raise DataError(f"not OCEL 1.0: {error} is missing or of the wrong form", where=str(path), hint=hint) from error
    return raw


def _read_xml(path: Path) -> _Raw:
    """The XML form: `events` and `objects` under `log`; a namespace is of no matter."""
    raw = _Raw([], [], {})
    try:
        for _, element in ElementTree.iterparse(path):
            kind = _local(element.tag)
            if kind == "object" and "type" in element.attrib:
                raw.objects[element.attrib["id"]] = element.attrib["type"]
            elif kind == "object" and (values := _first_values(element)) and "type" in values:
                raw.objects[values["id"]] = values["type"]
            elif kind == "event" and "id" not in element.attrib and (values := _first_values(element)):
                raw.events.append(
                    (values["id"], values["activity"], values["timestamp"], dict(_first_pairs(element, "vmap")))
                )
                raw.relations += [(values["id"], thing) for _, thing in _first_pairs(element, "omap")]
                element.clear()
            elif kind == "event":
                raw.events.append(_xml_event(element))
                related = [thing for thing in element.iter() if "object-id" in thing.attrib]
                raw.relations += [(raw.events[-1][0], thing.attrib["object-id"]) for thing in related]
                element.clear()
    except ElementTree.ParseError as error:
        raise DataError(f"not well-formed XML: {error.msg.partition(':')[0]}", f"{path}:{error.position[0]}") from error
    except KeyError as error:
        hint = "OCEL 2.0 has <event id type time> and <object id type>."
        raise DataError(f"not OCEL: an element lacks {error}", where=str(path), hint=hint) from error
    if not raw.events:
        raise DataError("not OCEL 2.0: no <event> in it", where=str(path))
    return raw


def _first_values(element: ElementTree.Element) -> dict[str, str]:
    """Of an event or object of OCEL 1.0 in XML: its children with key and value."""
    return {child.attrib["key"]: child.attrib["value"] for child in element if {"key", "value"} <= child.attrib.keys()}


def _first_pairs(element: ElementTree.Element, name: str) -> list[tuple[str, str]]:
    """Keys and values in a list of OCEL 1.0."""
    held = (child for child in element if child.attrib.get("key") == name)
    return [(str(one.get("key")), str(one.get("value"))) for child in held for one in child]


def _xml_event(element: ElementTree.Element) -> tuple[str, str, str, dict[str, Any]]:
    values = {a.attrib["name"]: a.text or "" for a in element.iter() if _local(a.tag) == "attribute"}
    return element.attrib["id"], element.attrib["type"], element.attrib["time"], values


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _read_sqlite(path: Path) -> _Raw:
    if not path.is_file():
        raise DataError("there is no such file", where=str(path))
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    base.row_factory = sqlite3.Row
    try:
        objects = {str(row[0]): str(row[1]) for row in base.execute("SELECT ocel_id, ocel_type FROM object")}
        relations = [
            (str(row[0]), str(row[1])) for row in base.execute("SELECT ocel_event_id, ocel_object_id FROM event_object")
        ]
        tables = base.execute("SELECT ocel_type, ocel_type_map FROM event_map_type").fetchall()
        events = [event for kind, table in tables for event in _events_of(base, str(kind), str(table))]
    except sqlite3.Error as error:
        raise DataError(
            f"not an OCEL 2.0 database: {error}", where=str(path), hint="It has tables event, object, event_object, ..."
        ) from error
    finally:
        base.close()
    return _Raw(events, relations, objects)


def _events_of(base: sqlite3.Connection, kind: str, table: str) -> Iterable[tuple[str, str, str, dict[str, Any]]]:
    for row in base.execute('SELECT * FROM "event_' + table.replace('"', '""') + '"'):
        names = [name for name in dict(row) if name not in ("ocel_id", "ocel_time")]
        values = {name: row[name] for name in names if row[name] is not None}
        yield str(row["ocel_id"]), kind, str(row["ocel_time"]), values


def write_ocel(log: EventLog, path: Path) -> None:
    """Write a log as OCEL 2.0, JSON or XML: objects of the types `case` and `resource`, events with life cycle."""
    shared = set(log.table[CASE].to_pylist()) & set(log.table[RESOURCE].to_pylist())
    objects: dict[tuple[str, str], None] = {}
    events: list[dict[str, Any]] = []
    attributes = log.attributes
    for number, row in enumerate(log.table.to_pylist()):
        related = [("case", row[CASE])] + ([("resource", row[RESOURCE])] if row[RESOURCE] is not None else [])
        objects.update(dict.fromkeys(related))
        values = [{"name": name, "value": str(row[name])} for name in attributes if row[name] is not None]
        values.append({"name": _INSTANCE, "value": str(number)})
        for column, what in ((START, "start"), (END, "complete")):
            if row[column] is None:
                continue
            events.append(
                {
                    "id": f"e{len(events) + 1}",
                    "type": row[ACTIVITY],
                    "time": row[column].isoformat(timespec="microseconds"),
                    "attributes": [{"name": _TRANSITION, "value": what}, *values],
                    "relationships": [
                        {"objectId": _identity(kind, name, shared), "qualifier": kind} for kind, name in related
                    ],
                }
            )
    names = [_TRANSITION, _INSTANCE, *attributes]
    types = sorted({event["type"] for event in events})
    document = {
        "objectTypes": [{"name": kind, "attributes": []} for kind in ("case", "resource")],
        "eventTypes": [{"name": t, "attributes": [{"name": name, "type": "string"} for name in names]} for t in types],
        "objects": [{"id": _identity(kind, name, shared), "type": kind} for kind, name in objects],
        "events": events,
    }
    if path.suffix.lower() in (".xml", ".xmlocel"):
        ElementTree.ElementTree(_as_xml(document)).write(path, encoding="utf-8", xml_declaration=True)
        return
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def _as_xml(document: dict[str, Any]) -> ElementTree.Element:
    """The document of the JSON form as elements of the XML form."""
    log = ElementTree.Element("log")
    for plural, kind in (("objectTypes", "object-type"), ("eventTypes", "event-type")):
        types = ElementTree.SubElement(log, f"{kind}s")
        for one in document[plural]:
            attributes = ElementTree.SubElement(ElementTree.SubElement(types, kind, name=one["name"]), "attributes")
            for attribute in one["attributes"]:
                ElementTree.SubElement(attributes, "attribute", attribute)
    objects = ElementTree.SubElement(log, "objects")
    for thing in document["objects"]:
        ElementTree.SubElement(objects, "object", thing)
    events = ElementTree.SubElement(log, "events")
    for event in document["events"]:
        element = ElementTree.SubElement(events, "event", {key: event[key] for key in ("id", "type", "time")})
        attributes = ElementTree.SubElement(element, "attributes")
        for value in event["attributes"]:
            ElementTree.SubElement(attributes, "attribute", name=value["name"]).text = value["value"]
        related = ElementTree.SubElement(element, "objects")
        for relation in event["relationships"]:
            named = {"object-id": relation["objectId"], "qualifier": relation["qualifier"]}
            ElementTree.SubElement(related, "relationship", named)
    return log


def _identity(kind: str, name: str, shared: set[str]) -> str:
    """An object's id: its name, unless a case and a resource have the same."""
    return f"{kind}:{name}" if name in shared else name
