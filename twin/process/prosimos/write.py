"""Writes a process model as a BPMN diagram with JSON parameters that Prosimos reads."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from typing import Any

from twin.clock import SECOND
from twin.process.bpmn.frommodel import Exported, to_diagram
from twin.process.bpmn.graph import Kind
from twin.process.bpmn.normal import reachable
from twin.process.bpmn.parameters import law
from twin.process.bpmn.writer import write_bpmn
from twin.process.model import DayArrivals, ProcessModel, Task
from twin.process.nodes import Batch
from twin.process.notes import note
from twin.process.prosimos.batches import scaled
from twin.process.prosimos.calendars import time_text, write_periods
from twin.process.prosimos.laws import write_law
from twin.process.prosimos.rules import attribute_rows, rules_of
from twin.process.staff import Calendar, Pool, Shift

_MANY = 1000
"""Resources that stand for a pool without limit."""
_FAR = 1e12


def write_prosimos(
    model: ProcessModel, bpmn: str | pathlib.Path, parameters: str | pathlib.Path, *, plain: bool = False
) -> list[str]:
    """Write a model as a diagram and parameters, and return what they leave out.

    Args:
        model: the process.
        bpmn: file for the diagram.
        parameters: file for the JSON.
        plain: only what Prosimos reads: one end event, no events on borders, every task once.
    """
    exported = to_diagram(model)
    if plain:
        simplify(exported)
    document = parameters_of(model, exported)
    write_bpmn(exported.diagram, bpmn)
    text = json.dumps(document, ensure_ascii=False, indent=1)
    pathlib.Path(parameters).write_text(text + "\n", encoding="utf-8")
    return list(dict.fromkeys(exported.notes))


def simplify(exported: Exported) -> None:
    """Reduce a diagram to the elements that Prosimos knows."""
    elements, flows = exported.diagram.elements, exported.diagram.flows
    for element in list(elements.values()):
        if element.kind is Kind.BOUNDARY:
            exported.notes.append(note("border_left_out", place=element.attached))
            del elements[element.id]
        elif element.repetition is not None:
            exported.notes.append(note("done_once", place=element.label))
            elements[element.id] = replace(element, repetition=None)
    for flow in [f for f in flows.values() if f.source not in elements]:
        del flows[flow.id]
    kept = reachable(exported.diagram)
    for identity in [i for i in elements if i not in kept]:
        del elements[identity]
    for flow in [f for f in flows.values() if f.source not in elements or f.target not in elements]:
        del flows[flow.id]
    ends = [e for e in elements.values() if e.kind is Kind.END]
    if len(ends) > 1:
        exported.notes.append(note("ends_are_one", names=", ".join(e.label for e in ends)))
    for end in ends[1:]:
        for flow in exported.diagram.entering(end.id):
            flows[flow.id] = replace(flow, target=ends[0].id)
        del elements[end.id]
    if ends:
        elements[ends[0].id] = replace(ends[0], variant="")


def parameters_of(model: ProcessModel, exported: Exported) -> dict[str, Any]:
    """The JSON document for an exported model."""
    staff = _Staff(model, exported.notes)
    tasks = {i: n for i, n in exported.nodes.items() if exported.diagram.elements.get(i) is not None}
    works = {i: node for i, name in tasks.items() if isinstance(node := model.nodes[name], Task)}
    document: dict[str, Any] = {
        "resource_profiles": [staff.profile(name, pool) for name, pool in model.pools.items()],
        "task_resource_distribution": [
            {"task_id": i, "resources": staff.resources(node, i)} for i, node in works.items()
        ],
        "resource_calendars": staff.calendars,
        "gateway_branching_probabilities": _gateways(exported),
        "event_distribution": [
            {"event_id": i, **write_law(wait)} for i, wait in exported.waits.items() if i in exported.diagram.elements
        ],
        "batch_processing": [_batch(i, n.batch, exported.notes) for i, n in works.items() if n.batch is not None],
        "case_attributes": [
            row for name, a in model.attributes.items() for row in attribute_rows(name, a, exported.notes)
        ],
        "prioritisation_rules": _priorities(works, exported.notes),
        "branch_rules": [{"id": f"rule_{flow}", "rules": rules_of(when)} for flow, when in exported.conditions.items()],
    }
    return document | _arrivals(model, exported.notes)


class _Staff:
    """Resources of pools, their calendars, and who does what in which time."""

    def __init__(self, model: ProcessModel, notes: list[str]) -> None:
        self.model, self.notes = model, notes
        self.calendars: list[dict[str, Any]] = [_calendar("always", None)]
        self.calendars += [_calendar(name, c) for name, c in model.calendars.items()]
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def profile(self, name: str, pool: Pool) -> dict[str, Any]:
        rows = self.rows[name] = self._rows(name, pool)
        shown = [{k: v for k, v in row.items() if k != "members"} for row in rows]
        return {"id": name, "name": name, "resource_list": shown}

    def _rows(self, name: str, pool: Pool) -> list[dict[str, Any]]:
        if pool.members:
            if pool.given_to == "on_duty" and len({m.calendar or pool.calendar for m in pool.members}) > 1:
                self.notes.append(note("given_to_on_duty", pool=repr(name)))
            return [
                self._row(
                    f"{name}/{m.name}",
                    m.name,
                    m.count,
                    m.calendar or pool.calendar,
                    pool.cost_per_hour if m.cost_per_hour is None else m.cost_per_hour,
                    m.names,
                )
                for m in pool.members
            ]
        if pool.shifts:
            return [self._shift(name, pool, i, shift) for i, shift in enumerate(pool.shifts) if shift.staff]
        if pool.staff == "unlimited":
            self.notes.append(note("pool_is_large", name=repr(name), n=_MANY))
        amount = _MANY if pool.staff == "unlimited" else int(pool.staff or 0)
        return [self._row(name, name, amount, pool.calendar, pool.cost_per_hour)] if amount else []

    def _shift(self, name: str, pool: Pool, i: int, shift: Shift) -> dict[str, Any]:
        """The staff of a shift, as people with its hours."""
        days: Any = shift.days
        if days == "trading":
            self.notes.append(note("trading_days"))
            days = "mon-fri"
        days = (
            days
            if isinstance(days, str)
            else [("mon", "tue", "wed", "thu", "fri", "sat", "sun")[d] for d in sorted(days)]
        )
        hours = {"from": time_text(shift.start), "to": time_text(shift.end), "days": days}
        identity = f"{name} shift {i + 1}"
        self.calendars.append(_calendar(identity, Calendar.model_validate([hours])))
        return self._row(identity, identity, shift.staff, identity, pool.cost_per_hour)

    def _row(
        self, identity: str, name: str, amount: int, calendar: str | None, cost: int, members: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        hours = calendar or "always"
        row = {"id": identity, "name": name, "amount": amount, "cost_per_hour": cost / 100, "calendar": hours}
        return {**row, "members": members}

    def resources(self, task: Task, identity: str) -> list[dict[str, Any]]:
        """Who may do a task, in what time."""
        pool = self.model.pools[task.pool]
        usual = task.service.default
        if task.service.by_segment or task.service.cases:
            self.notes.append(note("default_times", place=task.label or identity))
        if task.scale or task.by_hour:
            self.notes.append(note("factors_lost", place=task.label or identity))
        found = []
        by_name = {m.name: m for m in pool.members}
        for row in self.rows[task.pool]:
            member = by_name.get(row["name"])
            if member is None:
                found.append({"resource_id": row["id"], **write_law(usual)})
                continue
            may = not task.members or set(member.names) & set(task.members)
            if may and set(task.skills) <= set(member.skills):
                own = task.by_member.get(member.names[0])
                found.append({"resource_id": row["id"], **write_law(own or scaled(usual, 1 / member.speed))})
        return found


def _calendar(name: str, calendar: Calendar | None) -> dict[str, Any]:
    return {"id": name, "name": name, "time_periods": write_periods(calendar)}


def _gateways(exported: Exported) -> list[dict[str, Any]]:
    """Probabilities of all ways out of exclusive and inclusive gateways."""
    rows = []
    for gateway in exported.diagram.of_kind(Kind.EXCLUSIVE, Kind.INCLUSIVE):
        flows = exported.diagram.leaving(gateway.id)
        if len(flows) < 2:
            continue
        ways: list[dict[str, Any]] = []
        for flow in flows:
            way: dict[str, Any] = {"path_id": flow.id, "value": exported.shares.get(flow.id, 0.0)}
            if flow.id in exported.conditions:
                way["condition_id"] = f"rule_{flow.id}"
            ways.append(way)
        rows.append({"gateway_id": gateway.id, "probabilities": ways})
    return rows


def _batch(identity: str, batch: Batch, notes: list[str]) -> dict[str, Any]:
    rules = []
    if batch.service == "item" and batch.mode == "parallel":
        notes.append(note("batch_in_row", place=identity))
    if batch.size is not None:
        rules.append([_test("size", "=", batch.size)])
    if batch.longest_wait is not None and batch.longest_wait < 365 * 86_400 * SECOND:
        rules.append([_test("large_wt", ">=", batch.longest_wait / SECOND)])
    rules += [[_test("daily_hour", "=", at // (3600 * SECOND))] for at in batch.at]
    parallel = batch.service == "batch"
    size = batch.size or 2
    return {
        "task_id": identity,
        "type": "Parallel" if parallel else "Sequential",
        "size_distrib": [{"key": "1", "value": 0.0}, {"key": str(max(size, 2)), "value": 1.0}],
        "duration_distrib": [{"key": str(size), "value": 1 / size if parallel else 1.0}],
        "firing_rules": rules,
    }


def _test(attribute: str, comparison: str, value: Any) -> dict[str, Any]:
    return {"attribute": attribute, "comparison": comparison, "value": value}


def _priorities(works: dict[str, Task], notes: list[str]) -> list[dict[str, Any]]:
    """Rules of priority; Prosimos knows only those of whole cases, so that all tasks must agree."""
    found = {repr(task.priority) for task in works.values()}
    if len(found) > 1:
        notes.append(note("priorities_differ"))
    if len(found) != 1:
        return []
    priority = next(iter(works.values())).priority
    return [{"priority_level": case.value + 1, "rules": rules_of(case.when)} for case in priority.cases]


def _arrivals(model: ProcessModel, notes: list[str]) -> dict[str, Any]:
    given = model.arrivals
    if given is None:
        notes.append(note("no_arrivals"))
        given = DayArrivals.model_validate({"gap": law("exponential", mean="1 h")})
    if given.gap is not None:
        calendar = model.calendars[given.calendar] if given.calendar is not None else None
        if calendar is not None and given.when_closed == "paused":
            notes.append(note("gap_runs_on"))
        return {"arrival_time_distribution": write_law(given.gap), "arrival_time_calendar": write_periods(calendar)}
    open_ = sum(p.end - p.start for p in given.profile) / SECOND
    if len({p.weight for p in given.profile}) > 1 or given.weekdays or given.dispersion or given.spacing:
        notes.append(note("one_rate"))
    hours = [{"from": time_text(p.start), "to": time_text(p.end), "days": "every"} for p in given.profile]
    periods = write_periods(Calendar.model_validate(hours))
    gap = law("exponential", mean=f"{round(open_ / max(given.per_day, 1e-9) * SECOND)} ns")
    return {"arrival_time_distribution": write_law(gap), "arrival_time_calendar": periods}
