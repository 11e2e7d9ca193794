"""Individuals of a discovered process as pools of a process file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np

from twin.clock import HOUR
from twin.process.discovery.columns import Bool, Int
from twin.process.discovery.model import DiscoveredProcess, Workforce
from twin.process.discovery.samples import quantile_law, sample_law, waits_of
from twin.process.discovery.staff import tables_of
from twin.process.discovery.week import calendar_of, clock_text
from twin.process.distributions import Distribution
from twin.process.nodes import HourFactor
from twin.process.notes import note
from twin.process.staff import Calendar, Member, Pool

NOBODY = "automatic"
"""The pool of work that nobody in particular does."""
_MOST_AT_ONCE = 64
_LEAST_PRIORITY = 7


@dataclass
class Staffing:
    """Who does which activity, and how long it takes.

    Attributes:
        pools, calendars: of the process file.
        pool_of: of each activity.
        skills_of: that a member must have, of each activity; empty = whoever is in the pool.
        service, by_member, by_hour, priority: of each activity.
        delays: by wait group.
        notes: what is lost.
    """

    pools: dict[str, Pool] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    pool_of: list[str] = field(default_factory=list)
    skills_of: list[tuple[str, ...]] = field(default_factory=list)
    service: list[Distribution] = field(default_factory=list)
    by_member: list[dict[str, Distribution]] = field(default_factory=list)
    by_hour: list[tuple[HourFactor, ...]] = field(default_factory=list)
    priority: list[int] = field(default_factory=list)
    delays: dict[int, Distribution] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def staffing_of(process: DiscoveredProcess) -> Staffing:
    """The staff of a discovered process; without individuals, pools in which nobody has to wait."""
    if process.structure == "workforce" and process.workforce is not None:
        return _individuals(process, process.workforce)
    k = len(process.activities)
    return Staffing(
        pools={NOBODY: Pool(staff="unlimited")},
        pool_of=[NOBODY] * k,
        skills_of=[()] * k,
        service=[sample_law(process.timing.services, a) for a in range(k)],
        by_member=[{} for _ in range(k)],
        by_hour=[()] * k,
        priority=[0] * k,
        delays=waits_of(process),
    )


def _individuals(process: DiscoveredProcess, staff: Workforce) -> Staffing:
    """One pool for each group of people who share activities."""
    k, r = len(process.activities), len(process.resources)
    tables = tables_of(staff, k, r)
    able = tables.skilled > 0
    found = Staffing(delays=waits_of(process), notes=tuple(_losses(staff)))
    group = _groups(able)
    names: dict[int, str] = {}
    for g in sorted(set(group.tolist()) - {-1}):
        members = np.flatnonzero(able[group == g].any(axis=0))
        names[g] = _team(process, members, able, set(names.values()))
        found.pools[names[g]] = _pool(process, staff, tables.calendar, able, members, found.calendars)
    if (group < 0).any():
        found.pools[NOBODY] = Pool(staff="unlimited")
    ranks = np.unique(staff.priority, return_inverse=True)[1].reshape(-1)
    for a, name in enumerate(process.activities):
        mine = np.flatnonzero(able[a])
        inside = np.flatnonzero(able[group == group[a]].any(axis=0)) if group[a] >= 0 else mine
        found.pool_of.append(names[int(group[a])] if group[a] >= 0 else NOBODY)
        found.skills_of.append((name,) if len(mine) < len(inside) else ())
        found.by_hour.append(_hours(staff, name))
        found.priority.append(min(int(ranks[a]), _LEAST_PRIORITY))
        rows = staff.service_group.reshape(k, r) if r else np.arange(k)[:, None]
        found.service.append(quantile_law(tables.service[a]))
        found.by_member.append(
            {
                name: quantile_law(tables.service[rows[a, p]])
                for p in mine.tolist()
                if rows[a, p] != a
                for name, _, _ in _shifts(process.resources[p], tables.calendar[p])
            }
        )
    return found


def _groups(able: Bool) -> Int:
    """Activities that have people in common, directly or by way of others, share a number; -1 = nobody does it."""
    group = np.where(able.any(axis=1), np.arange(len(able)), -1)
    while True:
        before = group.copy()
        for p in range(able.shape[1]):
            mine = np.flatnonzero(able[:, p])
            if len(mine):
                joined = np.isin(group, group[mine])
                group[joined] = group[mine].min()
        if (group == before).all():
            return group.astype(np.int64)


def _team(process: DiscoveredProcess, members: Int, able: Bool, taken: set[str]) -> str:
    """A name for a pool: what its people's names begin with, or their only activity."""
    people = [process.resources[p] for p in members.tolist()]
    alike = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*people, strict=False)))
    shared = re.sub(r"[\W\d_]+$", "", people[0][:alike]) if len(people) > 1 else people[0]
    work = np.flatnonzero(able[:, members].any(axis=1))
    name = shared if len(shared) > 1 else process.activities[int(work[0])] if len(work) == 1 else "team"
    return next(n for n in (name, *(f"{name} {i}" for i in range(2, len(taken) + 3))) if n not in taken | {NOBODY})


def _pool(
    process: DiscoveredProcess,
    staff: Workforce,
    calendar: Int,
    able: Bool,
    members: Int,
    calendars: dict[str, Calendar],
) -> Pool:
    at_end = "pause" if staff.pauses else "finish"
    alike = able[able[:, members].any(axis=1)][:, members].all()
    found = []
    for p in members.tolist():
        skills = () if alike else tuple(process.activities[a] for a in np.flatnonzero(able[:, p]).tolist())
        for name, most, on in _shifts(process.resources[p], calendar[p]):
            hours = calendar_of(on)
            found.append(
                Member(
                    name=name,
                    skills=skills,
                    calendar=_named(hours, calendars) if hours is not None else None,
                    at_once=most if most > 1 else None,
                    # Services were observed beside other work, so that they need no slowing down.
                    pace=(1.0,) * most if most > 1 else None,
                )
            )
    rule = "oldest_case" if staff.oldest_case else "first_come"
    return Pool(members=tuple(found), allocation="random", at_end_of_shift=at_end, queue=rule)  # type: ignore[arg-type]


def _shifts(name: str, capacity: Int) -> list[tuple[str, int, Int]]:
    """Members that stand for one resource: a name, how much each does at once, and when.

    A team whose capacity follows the clock works in shifts, one upon the other.
    """
    found: list[tuple[str, int, Int]] = []
    below = 0
    for level in np.unique(capacity[capacity > 0]).tolist():
        on = (capacity >= level).astype(np.int64)
        while below < level:
            most = min(level - below, _MOST_AT_ONCE)
            found.append((f"{name}, shift {len(found) + 1}" if found else name, most, on))
            below += most
    return found


def _named(hours: Calendar, calendars: dict[str, Calendar]) -> str:
    for name, known in calendars.items():
        if known == hours:
            return name
    name = f"hours {len(calendars) + 1}"
    calendars[name] = hours
    return name


def _hours(staff: Workforce, activity: str) -> tuple[HourFactor, ...]:
    """Factors by the hour of the day that was found to matter."""
    for effect in staff.effects:
        if effect.clock and effect.activity in ("", activity) and len(effect.factor) == 24:
            return tuple(
                HourFactor.model_validate({"from": clock_text(h * HOUR), "to": clock_text((h + 1) * HOUR), "factor": f})
                for h, f in enumerate(effect.factor)
                if f != 1.0
            )
    return ()


def _losses(staff: Workforce) -> list[str]:
    lost = []
    if staff.loose:
        lost.append(note("loose_lost"))
    return lost
