"""Who works when, on what, how fast: individuals, their calendars, skills and services."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from twin.process.discovery.absence import Absence, find_absence
from twin.process.discovery.attributes import Feature
from twin.process.discovery.batching import begun_alone
from twin.process.discovery.capacity import fit_capacity
from twin.process.discovery.columns import HOUR, MINUTE, MONDAY_SHIFT, SECOND, WEEK, Bool, Float, Int, LogColumns
from twin.process.discovery.effects import fit_effects, hour_table, hours_of, pace_of
from twin.process.discovery.model import Workforce
from twin.process.discovery.pieces import Batching, ServiceEffect
from twin.process.discovery.priorities import Discipline, fit_discipline
from twin.process.discovery.thin import gaps_closed

SLOT = 30 * MINUTE
SLOTS = 336
POINTS = 201
_FEW_STAMPS = 60
"""An individual with fewer starts and ends shares the calendar of those with the same main activity."""
_SHARE = 0.1
"""A half hour belongs to a calendar if it saw work in this share of the individual's weeks."""
_HOLE = 4
"""Half hours without work inside a day that are no break in the calendar."""
_SHORT = 2 * HOUR
_OWN = 30
_NEGLIGIBLE = 0.01
_MILLI = 1000
_RECENT = 0.25
_CROSSING = 10
_AFTER_HOURS = 0.25
"""Where work rests, less than this share of what crosses the end of somebody's hours ends outside them."""
_LONGEST_WARM_UP = 26


def fit_workforce(
    log: LogColumns, ready: Int, weight: Float, delay_groups: int, features: list[Feature], batching: list[Batching]
) -> tuple[Workforce, Discipline] | None:
    """Fit individuals; None if the log names too few to say who did what.

    Whether work rests outside the calendar is what the log suggests; `without_pauses` gives the rival.

    Args:
        log: the log.
        ready: when each instance could begin.
        weight: of each case.
        delay_groups: number of wait groups; their delays begin at zero.
        features: case attributes that may steer services.
        batching: which activities are begun in batches.
    """
    known = log.resource >= 0
    if not log.resources or known.mean() < 0.5:
        return None
    calendar = fit_calendars(log)
    limit = _limits(log, begun_alone(log, batching))
    capacity = fit_capacity(log, ready, limit)
    begins = fit_calendars(log, rests=False)
    pauses, work = (False, log.end - log.start) if _goes_on(log, begins) else _working_time(log, calendar)
    if not pauses:
        calendar = begins
    mass = weight[log.case]
    effects, plain = _without_effects(log, work, features)
    group, table = _services(log, plain, mass)
    skilled = _skills(log)
    discipline = fit_discipline(log, ready, skilled > 0)
    staff = Workforce(
        calendar=calendar.astype(np.int64).ravel(),
        skilled=skilled.ravel(),
        limit=limit,
        pauses=pauses,
        service_group=group,
        service=table.ravel(),
        points=POINTS,
        delay=np.zeros(delay_groups * POINTS, np.int64),
        priority=discipline.priority,
        oldest_case=discipline.oldest_case,
        first_waits=bool((log.enabled[log.offset[:-1]] >= 0).any()),
        warm_up_weeks=_warm_up(log),
        effects=effects,
        batching=batching,
        capacity=capacity.ravel(),
        loose=discipline.loose,
    )
    return staff, discipline


def without_pauses(staff: Workforce, log: LogColumns, weight: Float, features: list[Feature]) -> Workforce:
    """The same individuals, whose work, once begun, goes on in their time off: services last as long as observed."""
    effects, plain = _without_effects(log, log.end - log.start, features)
    group, table = _services(log, plain, weight[log.case])
    calendar = fit_calendars(log, rests=False).astype(np.int64).ravel()
    changes = {
        "calendar": calendar,
        "pauses": False,
        "service_group": group,
        "service": table.ravel(),
        "effects": effects,
    }
    return staff.model_copy(update=changes)


def _without_effects(log: LogColumns, work: Int, features: list[Feature]) -> tuple[list[ServiceEffect], Int]:
    """What attributes and the hour do to services, and services as they would be without."""
    effects = fit_effects(log, work, [*features, hours_of(log)])
    if not effects:
        return effects, work
    pace = pace_of(effects, log.activities, features, log.activity, log.case)
    pace *= hour_table(effects, log.activities)[log.activity, hours_of(log).level]
    return effects, np.round(work / pace).astype(np.int64)


def _warm_up(log: LogColumns) -> float:
    """As long as the log, so that a backlog that grew there has grown as far."""
    return float(np.clip(np.ceil((log.end.max() - log.start.min()) / WEEK), 1, _LONGEST_WARM_UP))


def fit_calendars(log: LogColumns, rests: bool = True) -> Bool:
    """Half hours of the week at which each individual works, shape (resources, 336).

    Args:
        log: the log.
        rests: whether work may rest outside them; else somebody who only ends work may have stayed for that alone.
    """
    weeks = -min(0, int(log.start.min())) // WEEK + 1
    log = replace(log, start=log.start + weeks * WEEK, end=log.end + weeks * WEEK)  # none before 1970
    r = len(log.resources)
    known = np.flatnonzero(log.resource >= 0)
    who = log.resource[known]
    stamps = np.concatenate([log.start[known], log.end[known]])
    person = np.concatenate([who, who])
    short = (log.end[known] - log.start[known]) <= _SHORT
    for part in (0.25, 0.5, 0.75):  # work in between, where it cannot hide a pause
        inside = log.start[known] + ((log.end[known] - log.start[known]) * part).astype(np.int64)
        stamps = np.concatenate([stamps, inside[short]])
        person = np.concatenate([person, who[short]])
    main = np.zeros(r, np.int64)
    counts = np.zeros((r, len(log.activities)))
    np.add.at(counts, (who, log.activity[known]), 1.0)
    main = counts.argmax(axis=1)
    # A half hour in which one works counts once, however many stamps it holds.
    cells = np.unique(person * (1 << 40) + (stamps + MONDAY_SHIFT) // SLOT)
    person, cell = cells >> 40, cells & ((1 << 40) - 1)
    edges = np.searchsorted(person, np.arange(r + 1))
    few = 2 * counts.sum(axis=1) < _FEW_STAMPS
    shared = {a: _seen(cell[main[person] == a]) for a in np.unique(main[few]).tolist()}
    absence = find_absence(log, main, rests)
    calendars = np.zeros((r, SLOTS), bool)
    for p in range(r):
        seen = shared[int(main[p])] if few[p] else _seen(cell[edges[p] : edges[p + 1]])
        calendars[p] = _filled(seen, Absence(*(away[p] for away in absence)))
    often = np.zeros((r, SLOTS), np.int64)
    np.add.at(often, (person, cell % SLOTS), 1)
    for p in np.flatnonzero(~few).tolist():
        away = Absence(*(kind[p] for kind in absence))
        same = np.flatnonzero(main == main[p])
        calendars[p] = _as_colleagues(calendars[p], often, int(counts[p].sum()), same[same != p], p, away)
    if log.end.max() - log.start.min() < WEEK:  # whoever has not begun, or has no more to do, may be there or not
        for p in np.unique(person).tolist():
            mine = cell[edges[p] : edges[p + 1]] * SLOT - MONDAY_SHIFT
            calendars[p] = unseen_as_seen(calendars[p], slots_reached(int(mine[0]), int(mine[-1])))
    return calendars


def slots_reached(first: int, last: int) -> Bool:
    """Half hours of the week that lie between two instants; all of them after a week."""
    slots = np.arange((first + MONDAY_SHIFT) // SLOT, (last + MONDAY_SHIFT) // SLOT + 1)
    reached = np.zeros(SLOTS, bool)
    reached[slots[:SLOTS] % SLOTS] = True
    return reached


def unseen_as_seen(slots: Bool, reached: Bool) -> Bool:
    """Half hours which a log shorter than a week does not reach are as that time on other days, or else at work."""
    grid, seen = slots.reshape(7, -1), reached.reshape(7, -1)
    usual = np.where(seen.any(axis=0), (grid & seen).any(axis=0), True)
    return np.asarray(np.where(seen, grid, usual).ravel())


def _seen(cells: Int) -> Bool:
    """Half hours of the week, shape (7, 48), in which work was often seen, from those since a Monday long ago."""
    cells = np.unique(cells)
    weeks = max(1, len(np.unique(cells // SLOTS)))
    seen = np.bincount(cells % SLOTS, minlength=SLOTS)
    on = seen >= max(1.0, _SHARE * weeks * min(1.0, seen[seen > 0].mean() / weeks * 2))
    return np.asarray(on.reshape(7, -1))


def _filled(seen: Bool, absence: Absence) -> Bool:
    """A calendar, shape (336,): short holes are filled unless somebody is away then; without anything seen, all."""
    grid = seen & ~absence.within
    for day, early, late in zip(grid, absence.before, absence.after, strict=True):
        at = np.flatnonzero(day)
        present = at[~early[at]].min(initial=len(day)), at[~late[at]].max(initial=-1)
        day[: present[0]] = day[present[1] + 1 :] = False
    for day, away in zip(grid, absence.within, strict=True):
        for a, b in pairwise(np.flatnonzero(day).tolist()):
            if b - a <= _HOLE + 1:
                day[a:b] = ~away[a:b]
    return np.asarray(grid.ravel() if grid.any() else np.ones(SLOTS, bool))


def _as_colleagues(own: Bool, often: Int, pieces: int, colleagues: Int, p: int, away: Absence) -> Bool:
    """A calendar with those gaps closed that are no absence, by the hours of colleagues, or of all without any."""
    others = often[colleagues].sum(axis=0) if len(colleagues) else often.sum(axis=0) - often[p]
    if not others.any():
        return own
    often_seen = others >= max(1.0, _SHARE * others[others > 0].mean())
    return gaps_closed(own, often[p], pieces, others, _filled(often_seen.reshape(7, -1), away))


def _limits(log: LogColumns, alone: Bool) -> Int:
    """Pieces of work at once: one, unless an individual often has more under way when one begins."""
    limit = np.ones(len(log.resources), np.int64)
    order = np.argsort(log.resource, kind="stable")
    edges = np.searchsorted(log.resource[order], np.arange(len(log.resources) + 1))
    for p, (a, b) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        rows = order[a:b][alone[order[a:b]]]
        start, end = np.sort(log.start[rows]), np.sort(log.end[rows])
        if not len(start):
            continue
        under_way = np.arange(1, len(start) + 1) - np.searchsorted(end, start, side="right")
        if (under_way > 1).mean() > 0.1:
            limit[p] = max(1, int(np.quantile(under_way, 0.9)))
    return limit


def _working_time(log: LogColumns, calendar: Bool) -> tuple[bool, Int]:
    """Whether work rests outside the calendar, and the working time (ns) of each instance then, else the whole."""
    wall = log.end - log.start
    work = wall.copy()
    known = np.flatnonzero((log.resource >= 0) & (wall > 0))
    inside = covered(log.start[known], log.end[known], log.resource[known], calendar)
    work[known] = inside
    crossing = known[inside < wall[known] - SECOND]
    within = known[inside >= wall[known] - SECOND]
    if len(crossing) < _CROSSING or len(within) < _CROSSING:
        return False, wall
    usual = _median_log(wall, within, log.activity, len(log.activities))
    as_work = np.abs(np.log(np.maximum(work[crossing], SECOND)) - usual[log.activity[crossing]])
    as_wall = np.abs(np.log(np.maximum(wall[crossing], SECOND)) - usual[log.activity[crossing]])
    pauses = bool(np.nanmedian(as_work) < np.nanmedian(as_wall))
    return (True, np.maximum(work, 0)) if pauses else (False, wall)


def _goes_on(log: LogColumns, calendar: Bool) -> bool:
    """Whether work under way when its person's hours end often ends before they begin again, as work at rest cannot.

    Args:
        log: the log.
        calendar: half hours in which work is begun.
    """
    rows = np.flatnonzero((log.resource >= 0) & (log.end > log.start))
    who, first, last = log.resource[rows], log.start[rows], log.end[rows] - 1
    begun, ended = (calendar[who, (at + MONDAY_SHIFT) // SLOT % SLOTS] for at in (first, last))
    crossing = begun & (covered(first, last, who, calendar) < last - first - SECOND)
    return bool(crossing.sum() >= _CROSSING and (~ended[crossing]).mean() > _AFTER_HOURS)


def work_done(log: LogColumns, staff: Workforce) -> Int:
    """Work (ns) of each instance: without the time off in which it rested."""
    wall = log.end - log.start
    if not staff.pauses:
        return wall
    calendar = staff.calendar.reshape(-1, SLOTS).astype(bool)
    who = np.maximum(log.resource, 0)
    return np.where(log.resource >= 0, covered(log.start, log.end, who, calendar), wall)


def _median_log(values: Int, rows: Int, activity: Int, k: int) -> Float:
    found = np.full(k, np.nan)
    for a in range(k):
        mine = rows[activity[rows] == a]
        if len(mine):
            found[a] = np.median(np.log(np.maximum(values[mine], SECOND)))
    return found


def covered(start: Int, end: Int, who: Int, calendar: Bool) -> Int:
    """Time of the calendar between two instants, ns."""
    cumulative = np.concatenate([np.zeros((len(calendar), 1), np.int64), np.cumsum(calendar, axis=1)], axis=1) * SLOT
    total = cumulative[:, -1]

    def upto(at: Int) -> Int:
        shifted = at + 3 * 24 * HOUR
        slot = shifted % WEEK // SLOT
        part = np.where(calendar[who, slot], shifted % SLOT, 0)
        return np.asarray(shifted // WEEK * total[who] + cumulative[who, slot] + part, np.int64)

    return upto(end) - upto(start)


def _skills(log: LogColumns) -> Int:
    """Share, in thousandths, of each activity's work that each individual did, recent work counting more."""
    k, r = len(log.activities), len(log.resources)
    known = np.flatnonzero(log.resource >= 0)
    span = max(1, int(log.end.max() - log.start.min()))
    age = (log.end.max() - log.start[known]) / span
    mass = np.where(age <= _RECENT, 1.0, 0.25)
    share = np.zeros((k, r))
    np.add.at(share, (log.activity[known], log.resource[known]), mass)
    total = share.sum(axis=1, keepdims=True)
    share = share / np.maximum(total, 1e-9)
    share[share < _NEGLIGIBLE / max(1, r) * 10] = 0.0
    return np.where(share > 0, np.maximum(1, np.round(share * _MILLI)), 0).astype(np.int64)


def _services(log: LogColumns, work: Int, mass: Float) -> tuple[Int, Int]:
    """Group of each (activity, individual) and the quantiles in ms of each group."""
    k, r = len(log.activities), max(1, len(log.resources))
    table: list[Int] = []
    for a in range(k):
        mine = np.flatnonzero(log.activity == a)
        table.append(weighted_quantiles(work[mine] / (SECOND // _MILLI), mass[mine]))
    group = np.repeat(np.arange(k), r)
    cell = log.activity * r + log.resource
    known = np.flatnonzero(log.resource >= 0)
    count = np.bincount(cell[known], minlength=k * r)
    order = known[np.argsort(cell[known], kind="stable")]
    edges = np.searchsorted(cell[order], np.arange(k * r + 1))
    for c in np.flatnonzero(count >= _OWN).tolist():
        rows = order[edges[c] : edges[c + 1]]
        group[c] = len(table)
        table.append(weighted_quantiles(work[rows] / (SECOND // _MILLI), mass[rows]))
    return group.astype(np.int64), np.array(table, np.int64)


def weighted_quantiles(values: Float, mass: Float, points: int = POINTS) -> Int:
    """Quantiles at (0.5 / n-like) mid-points of a weighted sample, ends included, ms."""
    if not len(values):
        return np.zeros(points, np.int64)
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(mass[order])
    middle = (cumulative - 0.5 * mass[order]) / cumulative[-1]
    return np.round(np.interp(np.linspace(0, 1, points), middle, values[order])).astype(np.int64)


@dataclass(frozen=True)
class Tables:
    """A workforce as the kernel wants it; the calendar says how many pieces of work are done at once, 0 = off duty."""

    calendar: Int
    opens: Int
    skilled: Int
    unlimited: Int
    service: Int
    delay: Int


def tables_of(workforce: Workforce, activities: int, resources: int) -> Tables:
    """Matrices of a fitted workforce."""
    calendar = workforce.calendar.reshape(resources, SLOTS)
    at_once = workforce.capacity.reshape(resources, SLOTS) if len(workforce.capacity) else workforce.limit[:, None]
    calendar = calendar * at_once
    came = calendar > np.roll(calendar, 1, axis=1)
    skilled = workforce.skilled.reshape(activities, resources).copy()
    skilled[:, calendar.sum(axis=1) == 0] = 0
    return Tables(
        calendar=np.ascontiguousarray(calendar),
        opens=np.asarray(came.any(axis=0), np.int64),
        skilled=skilled,
        unlimited=(skilled.sum(axis=1) == 0).astype(np.int64),
        service=workforce.service.reshape(-1, workforce.points),
        delay=workforce.delay.reshape(-1, workforce.points),
    )
