"""Resources of Prosimos as pools and members.

Resources that share tasks, directly or through others, form one pool, because their work queues together. A pool of
one resource is a number of staff; any other has members, and tasks name who may do them and whose times differ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from twin.process.bpmn.graph import Diagram, Kind
from twin.process.bpmn.parameters import Parameters, Work
from twin.process.distributions import Distribution
from twin.process.notes import note
from twin.process.parts import BySegment
from twin.process.staff import GivenTo, Member, Pool


@dataclass(frozen=True)
class Resource:
    """People who are alike: `amount` of them, with the hours of a calendar (None = always)."""

    id: str
    name: str
    profile: str
    amount: int
    calendar: str | None
    cost_per_hour: int
    at_once: int = 1


def staffing(
    found: Parameters,
    diagram: Diagram,
    resources: dict[str, Resource],
    laws: dict[str, dict[str, Distribution]],
    priority: BySegment[int] | None,
) -> None:
    """Add pools, and who does each task in what time, to the parameters."""
    tasks = [e.id for e in diagram.of_kind(Kind.TASK) if e.id in laws]
    for group in _groups(tasks, laws):
        ids = [r for r in resources if any(r in laws[t] for t in group)]
        name = _pool_name([resources[r] for r in ids], found.pools)
        if len(ids) == 1:
            found.pools[name] = _staff(resources[ids[0]])
            for task in group:
                found.works[task] = Work(name, laws[task][ids[0]], priority=priority)
            continue
        members = _members([resources[r] for r in ids])
        given_to: GivenTo = "first_free" if len({resources[r].calendar for r in ids}) > 1 else "on_duty"
        if given_to == "first_free":
            found.notes.append(note("given_to_first_free", pool=repr(name)))
        found.pools[name] = Pool(members=tuple(members.values()), at_end_of_shift="pause", given_to=given_to)
        for task in group:
            found.works[task] = _work(
                name, {members[r]: laws[task][r] for r in ids if r in laws[task]}, members, priority
            )


def _groups(tasks: list[str], laws: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Tasks that share resources, directly or through others."""
    groups: list[tuple[set[str], list[str]]] = []
    for task in tasks:
        able, members = set(laws[task]), [task]
        rest = []
        for others, others_tasks in groups:
            if others & able:
                able |= others
                members = others_tasks + members
            else:
                rest.append((others, others_tasks))
        groups = [*rest, (able, members)]
    return [members for _, members in groups]


def _pool_name(group: list[Resource], taken: dict[str, Pool]) -> str:
    profiles = list(dict.fromkeys(r.profile for r in group))
    stem = " + ".join(profiles) if len(profiles) <= 3 else "staff"
    name, n = stem, 1
    while name in taken:
        n += 1
        name = f"{stem} {n}"
    return name


def _staff(resource: Resource) -> Pool:
    values: dict[str, Any] = {"calendar": resource.calendar, "at_end_of_shift": "pause"} if resource.calendar else {}
    if resource.at_once > 1:
        values |= {"at_once": resource.at_once, "pace": (1.0,) * resource.at_once}
    cost = f"{resource.cost_per_hour} fen"
    return Pool.model_validate({"staff": resource.amount, "cost_per_hour": cost, **values})


def _members(group: list[Resource]) -> dict[str, Member]:
    """Members by the id of their resource; where names are not unique they are called by their ids."""
    counts = Counter(r.name for r in group)
    found = {}
    for resource in group:
        values: dict[str, Any] = {"calendar": resource.calendar} if resource.calendar else {}
        if resource.at_once > 1:
            values |= {"at_once": resource.at_once, "pace": (1.0,) * resource.at_once}
        if resource.cost_per_hour:
            values["cost_per_hour"] = f"{resource.cost_per_hour} fen"
        name = resource.name if counts[resource.name] == 1 else resource.id
        found[resource.id] = Member.model_validate({"name": name, "count": resource.amount, **values})
    return found


def _work(
    pool: str, by_member: dict[Any, Distribution], members: dict[str, Member], priority: BySegment[int] | None
) -> Work:
    """The commonest law is the task's; members with another are named."""
    laws = list(by_member.items())
    usual = max(laws, key=lambda item: sum(law == item[1] for _, law in laws))[1]
    special = {name: law for member, law in laws if law != usual for name in member.names}
    named = tuple(name for member, _ in laws for name in member.names) if len(laws) < len(members) else ()
    return Work(pool, usual, named, special, priority)
