"""When people are not there: breaks, and half hours before or after their day that only a stray stamp opened.

A stamp is the start or end of work. That none is seen in a half hour says that somebody is away only where some would
be expected: of a person with no work under way, as often as in the hours before and after; of one with work under way,
as often as that work ends at that age, so that work which merely goes on is no absence. Few people leave enough stamps
to tell, so the evidence is pooled over weekdays, over people of the same main activity and over all; a person's own
stamps overrule what the others show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import pdtr

from twin.process.discovery.columns import MINUTE, MONDAY_SHIFT, SECOND, Bool, Float, Int, LogColumns

_HALF_HOURS = 48
_SLOT = 30 * MINUTE
_CHANCE = 0.01
"""Of closing any half hour of somebody who is there, but less active than in the hours around."""
_LULL = 0.5
"""Somebody who is there is at least so active, compared with the hours around: people who take turns are no break."""
_SHARE = 0.1
"""More stamps than this share of what is expected are no strays."""
_AGES = 16
_FROZEN = 4
_LEAST = 2.0
"""Fewer expected stamps say nothing."""


class Absence(NamedTuple):
    """Half hours at which each person is away, beyond chance, shape (people, 7, 48).

    Attributes:
        within: between hours at work.
        before: before the hours at work.
        after: after them.
    """

    within: Bool
    before: Bool
    after: Bool


@dataclass(frozen=True)
class _Cells:
    """Half hours between the first and the last stamp of a person's day.

    Attributes:
        person: of each cell.
        weekday: 0 = Monday.
        slot: half hour of the day.
        stamped: whether there is a stamp.
        ends: chance of a stamp of one with work under way, -1 = none is; if work has rested for 0 .. 3 half hours.
        at: cells of each half hour.
    """

    person: Int
    weekday: Int
    slot: Int
    stamped: Bool
    ends: Float
    at: list[Int]


class _Evidence(NamedTuple):
    seen: Float
    expected: Float


def find_absence(log: LogColumns, main: Int, rests: bool = True) -> Absence:
    """Find out when people are away.

    Args:
        log: the log.
        main: number of the main activity of each person.
        rests: whether work may rest while its person is away; else it may end then, and only starts are evidence.
    """
    people = len(log.resources)
    rows = np.flatnonzero(log.resource >= 0)
    instants = [log.start[rows], _last_instant(log)[rows]] if rests else [log.start[rows]]
    person = np.concatenate([log.resource[rows]] * len(instants))
    slots = (np.concatenate(instants) + MONDAY_SHIFT) // _SLOT
    stamps = np.unique(person << 40 | slots)
    person, slots = stamps >> 40, stamps & ((1 << 40) - 1)
    cells = _cells(log, rows, person, slots, rests)
    day = np.unique(person << 40 | slots // _HALF_HOURS)
    worked = day >> 40, (day & ((1 << 40) - 1)) % 7
    stamped = person, slots // _HALF_HOURS % 7, slots % _HALF_HOURS

    def within(unit: Int, units: int, weekdays: bool) -> _Evidence:
        return _within(cells, _unit(unit[cells.person], cells.weekday, weekdays), units)

    def stamps_of(unit: Int, units: int, weekdays: bool) -> Float:
        return _table(_unit(unit[stamped[0]], stamped[1], weekdays), stamped[2], units)

    def outside(inward: int, unit: Int, units: int, weekdays: bool) -> _Evidence:
        days = np.bincount(_unit(unit[worked[0]], worked[1], weekdays), minlength=units)[:, None].astype(float)
        seen = stamps_of(unit, units, weekdays)
        return _Evidence(seen, days * _usual(seen / np.maximum(days, 1.0), inward))

    return Absence(
        _pooled(main, people, stamps_of, within),
        _pooled(main, people, stamps_of, partial(outside, 1)),
        _pooled(main, people, stamps_of, partial(outside, -1)),
    )


def _last_instant(log: LogColumns) -> Int:
    """The end of each instance, which is no part of the half hour that begins then."""
    return np.maximum(log.end - 1, log.start)


def _pooled(main: Int, people: int, stamps_of: Callable[..., Float], evidence: Callable[..., _Evidence]) -> Bool:
    """Half hours at which the evidence of any pool says away, and the person's own stamps do not say otherwise.

    Both functions are called with the pool of each person, the number of pools times weekdays, and whether weekdays
    are kept apart.
    """
    found = np.zeros((people, 7, _HALF_HOURS), bool)
    everyone = np.arange(people)
    for weekdays in (False, True):
        days = 7 if weekdays else 1
        one = evidence(everyone, people * days, weekdays)
        strays = stamps_of(everyone, people * days, weekdays) <= np.maximum(1.0, _SHARE * one.expected)
        for unit in (everyone, main, np.zeros(people, np.int64)):
            units = int(unit.max(initial=0)) + 1
            pool = one if unit is everyone else evidence(unit, units * days, weekdays)
            away = _away(pool, _CHANCE / (_HALF_HOURS * days)).reshape(units, days, _HALF_HOURS)
            found |= away[unit] & strays.reshape(people, days, _HALF_HOURS)
    return found


def _away(evidence: _Evidence, level: float) -> Bool:
    """Half hours in which strays at most are seen, too few for chance: those of the half hour, or of a whole one."""
    few = (evidence.expected > _LEAST) & (evidence.seen <= _SHARE * evidence.expected)
    alone = pdtr(evidence.seen, _LULL * evidence.expected) < level / 2
    seen, expected = (table[:, :-1] + table[:, 1:] for table in evidence)
    both = np.zeros_like(few)
    both[:, :-1] = few[:, :-1] & few[:, 1:] & (pdtr(seen, _LULL * expected) < level / 2)
    both[:, 1:] |= both[:, :-1].copy()
    return np.asarray((few & alone) | both)


def _unit(unit: Int, weekday: Int, weekdays: bool) -> Int:
    return unit * 7 + weekday if weekdays else unit


def _table(unit: Int, slot: Int, units: int, weights: Bool | None = None) -> Float:
    counts = np.bincount(unit * _HALF_HOURS + slot, weights, units * _HALF_HOURS)
    return counts.reshape(units, _HALF_HOURS).astype(np.float64)


def _usual(rate: Float, direction: int) -> Float:
    """The second largest of the rates 1, 2 and 3 hours later (or earlier), at the same minutes of the hour.

    Stamps may be rounded to hours, a time of day may be crowded, and a break may last for two hours.
    """
    near = np.zeros((3, *rate.shape))
    for i, step in enumerate((2, 4, 6)):
        if direction > 0:
            near[i, :, :-step] = rate[:, step:]
        else:
            near[i, :, step:] = rate[:, :-step]
    return np.asarray(np.sort(near, axis=0)[1])


def _within(cells: _Cells, unit: Int, units: int) -> _Evidence:
    """Stamps seen and expected in the half hours between the first and the last stamp of a day."""
    idle = cells.ends[:, 0] < 0
    days = _table(unit[idle], cells.slot[idle], units)
    rate = _table(unit[idle], cells.slot[idle], units, cells.stamped[idle]) / np.maximum(days, 1.0)
    usual = np.minimum(_usual(rate, 1), _usual(rate, -1))
    seen, expected = np.zeros((units, _HALF_HOURS)), np.zeros((units, _HALF_HOURS))
    rested = np.zeros(units, np.int64)
    for slot, rows in enumerate(cells.at):
        mine = unit[rows]
        chance = cells.ends[rows, rested[mine]]
        chance = np.where(chance < 0, usual[mine, slot], chance)
        expected[:, slot] = np.bincount(mine, chance, units)
        seen[:, slot] = np.bincount(mine, cells.stamped[rows], units)
        away = (expected[:, slot] > _LEAST) & (seen[:, slot] <= _SHARE * expected[:, slot])
        rested = np.where(away, np.minimum(rested + 1, _FROZEN - 1), 0)
    return _Evidence(seen, expected)


def _cells(log: LogColumns, rows: Int, person: Int, slots: Int, rests: bool) -> _Cells:
    """Lay out the half hours of each person's days.

    Args:
        log: the log.
        rows: instances whose person is known.
        person: of each half hour with a stamp, sorted.
        slots: half hours since a Monday long ago, sorted within a person.
        rests: whether work may rest.
    """
    day = person << 40 | slots // _HALF_HOURS
    first = np.flatnonzero(np.diff(day, prepend=-1))
    last = np.append(first[1:], len(day)) - 1
    length = np.maximum(slots[last] - slots[first] - 1, 0)
    offset = np.cumsum(length) - length
    number = np.arange(length.sum()) - np.repeat(offset, length)
    who = np.repeat(person[first], length)
    at = np.repeat(slots[first], length) + 1 + number
    stamped = np.isin(who << 40 | at, person << 40 | slots)
    kind = _under_way(log, rows, who, at)
    slot = at % _HALF_HOURS
    ends = _chances(list(_rested(kind, number, stamped)) if rests else [kind] * _FROZEN, slot, stamped)
    order = np.argsort(slot, kind="stable")
    edges = np.searchsorted(slot[order], np.arange(_HALF_HOURS + 1))
    by_slot = [order[a:b] for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
    return _Cells(who, at // _HALF_HOURS % 7, slot, stamped, ends, by_slot)


def _under_way(log: LogColumns, rows: Int, who: Int, at: Int) -> Int:
    """Kind of work under way as each half hour begins: activity and age; -1 = none.

    Of several, what was begun last counts; if that has ended, what ends last.
    """
    begun = log.start[rows] // SECOND + (log.resource[rows] << 34)
    order = np.argsort(begun, kind="stable")
    rows, begun = rows[order], begun[order]
    done = log.end[rows] // SECOND + (log.resource[rows] << 34)
    longest = np.maximum.accumulate(done) if len(done) else done
    lasting = np.maximum.accumulate(np.where(done == longest, np.arange(len(done)), 0)) if len(done) else done
    now = (at * _SLOT - MONDAY_SHIFT) // SECOND + (who << 34)
    before = np.searchsorted(begun, now, side="left") - 1
    # The first stamp of the day lies before, so that there is an instance of that person.
    piece = np.where(done[before] > now, before, lasting[before])
    age = np.minimum((now - begun[piece]) * SECOND // _SLOT, _AGES - 1)
    return np.where(done[piece] > now, log.activity[rows[piece]] * _AGES + age, -1)


def _rested(kind: Int, number: Int, stamped: Bool) -> Iterator[Int]:
    """The kinds of work under way if it has rested for 0 .. 3 half hours without a stamp, so that it is no older."""
    yield kind
    still = np.ones(len(kind), bool)
    for back in range(1, _FROZEN):
        still &= (number >= back) & ~np.roll(stamped, back)
        yield np.where(still, np.roll(kind, back), kind)


def _chances(kinds: list[Int], slot: Int, stamped: Bool) -> Float:
    """Chance of a stamp in half hours that begin with work of such a kind; -1 = with none.

    It is the share of half hours with a stamp, of those with such work at the same minutes of other hours.
    """
    now = kinds[0]
    busy = now >= 0
    top = int(now.max(initial=0)) + 1
    count = _table(now[busy], slot[busy], top)
    hits = _table(now[busy], slot[busy], top, stamped[busy])

    def chance(kind: Int) -> Float:
        row = np.maximum(kind, 0)
        others, hit = (
            table.reshape(top, -1, 2).sum(axis=1)[row, slot % 2] - table[row, slot] for table in (count, hits)
        )
        return np.asarray(np.where(kind < 0, -1.0, hit / np.maximum(others, 1.0)))

    return np.stack([chance(kind) for kind in kinds], axis=1)
