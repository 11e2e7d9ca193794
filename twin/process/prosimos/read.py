"""Reads a BPMN diagram with the JSON parameters of Prosimos, Simod or Apromore into a process model.

As in Prosimos 2.1.0, a task goes to whoever of its resources is free first, even if he is off duty while another is at
work (`given_to: first_free`). Where the two differ: an urgent case overtakes those that wait (Prosimos plans all urgent
cases before all others, also those that come later).
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from twin.process.bpmn.graph import Diagram, Kind
from twin.process.bpmn.parameters import Parameters
from twin.process.bpmn.reader import read_bpmn
from twin.process.bpmn.tomodel import Imported, to_model
from twin.process.notes import note
from twin.process.prosimos.batches import read_batch
from twin.process.prosimos.calendars import Interval, is_always, read_calendar, read_fuzzy, read_period, weekly
from twin.process.prosimos.document import Entry, read_json
from twin.process.prosimos.laws import read_law
from twin.process.prosimos.rules import read_attributes, read_conditions, read_priorities
from twin.process.prosimos.staffing import Resource, staffing


def read_prosimos(bpmn: str | pathlib.Path, parameters: str | pathlib.Path, process: str | None = None) -> Imported:
    """The process model of a diagram and its parameters.

    Args:
        bpmn: BPMN 2.0 file.
        parameters: JSON file.
        process: name or id of the process or pool, if the diagram has several.

    Raises:
        DataError: a file cannot be used; the error says where.
    """
    diagram = read_bpmn(bpmn, process)
    return to_model(diagram, read_parameters(read_json(parameters), diagram))


def rows(section: Entry | None, key: str) -> Iterator[Entry]:
    """Items of a section; an object by ids, as earlier versions have it, counts as a list with the id in `key`."""
    if section is None:
        return
    if not isinstance(section.value, dict):
        yield from section.each()
        return
    for identity, value in section.value.items():
        inner = value if isinstance(value, dict) else {"items": value}
        yield Entry({**inner, key: identity}, f"{section.place}.{identity}")


def read_parameters(document: Entry, diagram: Diagram) -> Parameters:
    """Parameters for a diagram from a document of Prosimos."""
    found = Parameters()
    calendars = _calendars(document, found)
    resources = _resources(document, calendars, document.get("multitask"), found.notes)
    laws = _laws(document, resources, diagram, found.notes)
    found.attributes = read_attributes(document, found.notes)
    priority = read_priorities(document, found.attributes, found.notes)
    staffing(found, diagram, resources, laws, priority)
    _gateways(document, diagram, found)
    _events(document, diagram, found)
    for entry in rows(document.get("batch_processing"), "task_id"):
        _batch(entry, found)
    _arrivals(document, diagram, found, resources, laws)
    return found


def _calendars(document: Entry, found: Parameters) -> dict[str, str | None]:
    """Name of each calendar by its id; None for one that is always open."""
    names: dict[str, str | None] = {}
    fuzzy = document.get("model_type") is not None and document["model_type"].text.upper() == "FUZZY"
    for entry in rows(document["resource_calendars"], "id"):
        identity = entry["id"].text
        calendar = read_fuzzy(entry) if fuzzy else read_calendar(entry.first("time_periods", "items"))
        if is_always(calendar):
            names[identity] = None
            continue
        name = entry["name"].text if entry.get("name") is not None else identity
        name = identity if name in found.calendars else name
        found.calendars[name], names[identity] = calendar, name
    if fuzzy:
        found.notes.append(note("fuzzy"))
    return names


def _resources(
    document: Entry, calendars: dict[str, str | None], multitask: Entry | None, notes: list[str]
) -> dict[str, Resource]:
    """Resources by id."""
    at_once = _multitask(multitask, notes)
    found: dict[str, Resource] = {}
    for profile in rows(document["resource_profiles"], "id"):
        profile_name = profile["name"].text if profile.get("name") is not None else profile["id"].text
        for entry in profile["resource_list"].each():
            identity = entry["id"].text
            calendar = entry.get("calendar")
            key = calendar.text if calendar is not None else identity
            if calendar is not None and key not in calendars:
                raise calendar.fail(f"there is no calendar {key!r}", f"Calendars: {', '.join(calendars) or 'none'}.")
            amount = entry["amount"].whole if "amount" in entry else 1
            cost = entry["cost_per_hour"].number if entry.get("cost_per_hour") is not None else 0.0
            if amount < 1:
                raise entry["amount"].fail("is less than one", "Leave the resource out.")
            name = entry["name"].text if entry.get("name") is not None else identity
            found[identity] = Resource(
                identity, name, profile_name, amount, calendars.get(key), round(cost * 100), at_once.get(identity, 1)
            )
    return found


def _multitask(section: Entry | None, notes: list[str]) -> dict[str, int]:
    """Most tasks at once by resource: the largest number that is taken in half the cases or more."""
    if section is None:
        return {}
    notes.append(note("multitasking"))
    found: dict[str, int] = {}
    for entry in section["values"].each():
        infos = [*entry["multitask_info"].each()] if entry.get("multitask_info") is not None else []
        if entry.get("weekly_probability") is not None:
            for day in entry["weekly_probability"].each():
                infos += [i for period in day.each() for i in period["multitask_info"].each()]
        usual = [i["parallel_tasks"].whole for i in infos if i["probability"].number >= 0.5]
        found[entry["resource_id"].text] = min(max([1, *usual]), 64)
    return found


def _laws(
    document: Entry, resources: dict[str, Resource], diagram: Diagram, notes: list[str]
) -> dict[str, dict[str, Any]]:
    """Service time by task and resource."""
    found: dict[str, dict[str, Any]] = {}
    for task in rows(document["task_resource_distribution"], "task_id"):
        identity = task["task_id"].text
        if identity not in diagram.elements:
            notes.append(note("unknown_task", name=repr(identity)))
            continue
        items = (
            task["resources"]
            if "resources" in task
            else Entry({k: v for k, v in task.value.items() if k != "task_id"}, task.place)
        )
        for entry in rows(items, "resource_id"):
            resource = entry["resource_id"].text
            if resource not in resources:
                known = ", ".join(list(resources)[:12])
                raise entry.fail(f"there is no resource {resource!r}", f"Resources: {known}.")
            found.setdefault(identity, {})[resource] = read_law(entry, notes)
    return found


def _gateways(document: Entry, diagram: Diagram, found: Parameters) -> None:
    conditions = read_conditions(document, found.attributes)
    for gateway in rows(document["gateway_branching_probabilities"], "gateway_id"):
        for row in _probabilities(gateway):
            flow = row["path_id"].text
            if flow not in diagram.flows:
                continue
            if row.get("value") is not None:
                value = row["value"].number
                if not 0 <= value <= 1:
                    raise row["value"].fail(f"{value:g} is not a probability", "Give 0 to 1.")
                found.probabilities[flow] = value
            condition = row.get("condition_id")
            if condition is not None:
                if condition.text not in conditions:
                    known = ", ".join(conditions) or "none"
                    raise condition.fail(f"there is no branch rule {condition.text!r}", f"Rules: {known}.")
                found.conditions[flow] = conditions[condition.text]


def _probabilities(gateway: Entry) -> Iterator[Entry]:
    if "probabilities" in gateway:
        yield from gateway["probabilities"].each()
        return
    for path, value in gateway.value.items():
        if path != "gateway_id":
            yield Entry({"path_id": path, "value": value}, f"{gateway.place}.{path}")


def _events(document: Entry, diagram: Diagram, found: Parameters) -> None:
    section = document.get("event_distribution")
    for entry in rows(section, "event_id"):
        if entry["event_id"].text in diagram.elements:
            found.events[entry["event_id"].text] = read_law(entry, found.notes)


def _batch(entry: Entry, found: Parameters) -> None:
    work = found.works.get(entry["task_id"].text)
    if work is None:
        return
    batch, service = read_batch(entry, work.service, found.notes)
    members = {name: read_batch(entry, law, [])[1] for name, law in work.by_member.items()}
    found.works[entry["task_id"].text] = replace(work, batch=batch, service=service, by_member=members)


def _arrivals(
    document: Entry,
    diagram: Diagram,
    found: Parameters,
    resources: dict[str, Resource],
    laws: dict[str, dict[str, Any]],
) -> None:
    gap = read_law(document["arrival_time_distribution"], found.notes)
    arrivals: dict[str, object] = {"gap": gap}
    section = document.get("arrival_time_calendar")
    if section is not None:
        calendar = weekly([i for period in section.each() for i in read_period(period)], section)
        if not is_always(calendar):
            found.calendars["arrivals"] = calendar
            arrivals |= {"calendar": "arrivals", "when_closed": "postponed"}
    else:
        names = {resources[r].calendar for task in first_tasks(diagram) for r in laws.get(task, {})}
        if names and None not in names:
            hours: list[Interval] = [
                (day, h.start, h.end)
                for name in names
                for h in found.calendars[str(name)].hours
                for day in (range(7) if isinstance(h.days, str) else h.days)
            ]
            found.calendars["arrivals"] = weekly(hours, document)
            arrivals |= {"calendar": "arrivals", "when_closed": "postponed"}
    found.arrivals = arrivals


def first_tasks(diagram: Diagram) -> set[str]:
    """Tasks that a case can come to first."""
    open_ = [e.id for e in diagram.of_kind(Kind.START)]
    seen, tasks = set(open_), set[str]()
    while open_:
        for flow in diagram.leaving(open_.pop()):
            if flow.target in seen:
                continue
            seen.add(flow.target)
            if diagram.elements[flow.target].kind is Kind.TASK:
                tasks.add(flow.target)
            else:
                open_.append(flow.target)
    return tasks
