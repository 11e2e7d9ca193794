"""Batches: instances of an activity that one person begins together for several cases, and what they wait for.

Rules that are tried: a number of cases, the time that the oldest of them has waited, either, or fixed times of the
week. Each is fitted to the first half of the log. The best there must also say of most instances of the second half
with which others they were begun, and of more than if each were begun alone, by more than chance.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from twin.process.discovery.columns import MINUTE, SECOND, Bool, Int, LogColumns, week_time
from twin.process.discovery.pieces import Batching

_SHARE = 0.3
"""An activity is looked at if so many of its instances begin together with others."""
_FEWEST = 15
_EXPLAINED = 0.6
_ERRORS = 2.0
_SIZES = 3
_WEEK_MINUTES = 10_080
_DAY_MINUTES = 1440
_SEEN = 3
_BETTER = 0.02
"""A rule of two conditions must predict so much more than a rule of one."""


@dataclass(frozen=True)
class _Work:
    """Instances of one activity in order of readiness, with the batch that each was begun in."""

    ready: Int
    start: Int
    batch: Int


def fit_batching(log: LogColumns, ready: Int, by: Int) -> list[Batching]:
    """Activities whose instances are begun in batches; the rule `none` where no rule explains them.

    Args:
        log: the log.
        ready: when each instance could begin.
        by: the instance that made it possible, -1 = none.
    """
    found = []
    label = batches_of(log)
    visible = (by >= 0) | (log.enabled >= 0)
    for a in range(len(log.activities)):
        rows = np.flatnonzero((log.activity == a) & (label >= 0) & visible)
        if len(rows) < 2 * _FEWEST:
            continue
        rows = rows[np.argsort(ready[rows], kind="stable")]
        _, batch, inverse, size = np.unique(label[rows], return_index=True, return_inverse=True, return_counts=True)
        share = float((size[inverse] > 1).mean())
        # Rows are in order of readiness: the first and last of each batch.
        spread = np.zeros(len(batch), np.int64)
        np.maximum.at(spread, inverse, ready[rows] - ready[rows][batch][inverse])
        several = size > 1
        if share < _SHARE or several.sum() < _FEWEST:
            continue
        if np.median(spread[several]) <= SECOND:  # they became possible together: nobody collected them
            continue
        ends = log.end[rows]
        same = [np.ptp(ends[inverse == b]) <= SECOND for b in np.flatnonzero(several)[:200].tolist()]
        rule, explained = _rule(_Work(ready[rows], log.start[rows], inverse))
        found.append(
            rule.model_copy(
                update={
                    "activity": log.activities[a],
                    "together": bool(np.mean(same) > 0.5),
                    "batches": int(several.sum()),
                    "mean_size": round(float(size[several].mean()), 2),
                    "share": round(share, 4),
                    "explained": round(explained, 4),
                }
            )
        )
    return found


def batches_of(log: LogColumns) -> Int:
    """A number for each group of instances of an activity that one person began within a second; -1 = no person."""
    label = np.full(len(log.case), -1, np.int64)
    known = np.flatnonzero(log.resource >= 0)
    rows = known[np.lexsort((log.start[known], log.resource[known], log.activity[known]))]
    if not len(rows):
        return label
    same = np.zeros(len(rows), bool)
    same[1:] = (log.activity[rows][1:] == log.activity[rows][:-1]) & (log.resource[rows][1:] == log.resource[rows][:-1])
    same[1:] &= np.diff(log.start[rows]) <= SECOND
    label[rows] = np.cumsum(~same)
    return label


def begun_alone(log: LogColumns, batching: list[Batching]) -> Bool:
    """Which instances take a person's time: all but the followers in batches that are simulated."""
    names = {log.activities.index(batch.activity) for batch in batching if batch.rule != "none"}
    label = batches_of(log)
    inside = np.isin(log.activity, list(names)) & (label >= 0)
    alone = ~inside
    rows = np.flatnonzero(inside)
    alone[rows[np.unique(label[rows], return_index=True)[1]]] = True
    return alone


def _rule(work: _Work) -> tuple[Batching, float]:
    """The rule that predicts the first half best, if it also predicts the second; else `none`."""
    none = Batching(activity="", rule="none")
    middle = int(np.median(work.start))
    halves = [_part(work, work.start <= middle), _part(work, work.start > middle)]
    best, score = none, 0.0
    for rule in _candidates(halves[0]):
        trial = float(_predicted(rule, halves[0]).mean())
        if trial > score + (_BETTER if rule.rule == "size or wait" else 0.0):
            best, score = rule, trial
    if best is none:
        return none, 0.0
    hits = _predicted(best, halves[1]).astype(np.float64)
    gain = hits - (np.bincount(halves[1].batch)[halves[1].batch] == 1)
    # Instances of one batch are right or wrong together: they count once.
    _, number, count = np.unique(halves[1].batch, return_inverse=True, return_counts=True)
    per_batch = np.bincount(number, gain) / count
    error = float(per_batch.std() / np.sqrt(len(per_batch)))
    if hits.mean() < _EXPLAINED or per_batch.mean() <= _ERRORS * error:
        return none, float(hits.mean())
    return best, float(hits.mean())


def _part(work: _Work, rows: Bool) -> _Work:
    return _Work(work.ready[rows], work.start[rows], work.batch[rows])


def _candidates(work: _Work) -> list[Batching]:
    """Rules with the sizes, waits and times seen, simple ones first."""
    _, where, inverse, size = np.unique(work.batch, return_index=True, return_inverse=True, return_counts=True)
    if len(where) < 2:
        return []
    start, first = work.start[where], np.full(len(where), np.iinfo(np.int64).max)
    np.minimum.at(first, inverse, work.ready)
    waited = start - first
    sizes = [int(n) for n, _ in Counter(size[size > 1].tolist()).most_common(_SIZES)]
    found = [Batching(activity="", rule="size", size=n) for n in sizes]
    found += [Batching(activity="", rule="wait", wait_seconds=_seconds(_densest(waited)))]
    minute = np.round(week_time(start) / MINUTE).astype(np.int64) % _WEEK_MINUTES
    for times in (_daily(minute), sorted(m for m, n in Counter(minute.tolist()).items() if n >= _SEEN)):
        if times and len(times) * _SEEN <= max(len(start), 7 * _SEEN):
            found.append(Batching(activity="", rule="clock", week_minutes=times))
    for n in sizes:
        less = waited[size < n]
        if len(less) >= 2:
            wait = _seconds(_densest(less))
            found.append(Batching(activity="", rule="size or wait", size=n, wait_seconds=wait))
    return found


def _daily(minute: Int) -> list[int]:
    """Times of the day seen often, on each day of the week on which any batch was begun."""
    days = np.unique(minute // _DAY_MINUTES).tolist()
    often = sorted(m for m, n in Counter((minute % _DAY_MINUTES).tolist()).items() if n >= _SEEN)
    return [day * _DAY_MINUTES + m for day in days for m in often]


def _seconds(span: float) -> int:
    return max(1, round(span / SECOND))


def _densest(values: Int) -> float:
    """Half-sample mode: the middle of ever denser halves (D. R. Bickel, R. Fruehwirth 2006)."""
    held = np.sort(values).astype(np.float64)
    while len(held) > 2:
        half = (len(held) + 1) // 2
        widths = held[half - 1 :] - held[: len(held) - half + 1]
        at = int(widths.argmin())
        if half == len(held):
            break
        held = held[at : at + half]
    return float(held.mean())


def _predicted(rule: Batching, work: _Work) -> Bool:
    """For each instance whether the rule, given what was begun before, puts it together with its batch and no other."""
    ready = work.ready.tolist()
    turn = _turns(rule, work.ready)
    order = np.lexsort((np.arange(len(ready)), work.batch))
    labels, edge = np.unique(work.batch[order], return_index=True)
    members = np.split(order, edge[1:])
    begun = sorted(range(len(labels)), key=lambda b: (int(work.start[members[b][0]]), int(members[b][0])))
    right, taken, head = np.zeros(len(ready), bool), np.zeros(len(ready), bool), 0
    for b in begun:
        while taken[head]:
            head += 1
        mine = members[b]
        expected, at = [head], head + 1
        # One more than was begun shows that the rule is wrong here: no need to look further.
        while at < len(ready) and len(expected) <= len(mine) and (rule.size == 0 or len(expected) < rule.size):
            late = rule.wait_seconds > 0 and ready[at] > ready[head] + rule.wait_seconds * SECOND
            if late or turn[at] != turn[head]:
                break
            if not taken[at]:
                expected.append(at)
            at += 1
        right[mine] = len(expected) == len(mine) and bool((np.array(expected) == mine).all())
        taken[mine] = True
    return right


def _turns(rule: Batching, ready: Int) -> list[int]:
    """The number of the rule's instant at which each instance is begun; all alike without such instants."""
    if rule.rule != "clock":
        return [0] * len(ready)
    times = np.array(rule.week_minutes)
    # Half a minute of grace: times are whole minutes, instants are not.
    turn = np.searchsorted(times, week_time(ready) / MINUTE - 0.5, side="left")
    week = (ready - week_time(ready)) // (_WEEK_MINUTES * MINUTE)
    return [int(t) for t in week * len(times) + turn]


@dataclass(frozen=True)
class BatchTables:
    """Rules as the kernel wants them, by activity.

    Attributes:
        rule: 1 = batched.
        size: 0 = any.
        wait: ns, 0 = none.
        offset: first of each activity's times in `minute`.
        minute: of the week.
        together: 1 = a batch ends at once.
    """

    rule: Int
    size: Int
    wait: Int
    offset: Int
    minute: Int
    together: Int


def batch_tables(batching: list[Batching], activities: list[str]) -> BatchTables:
    """The rules that can be simulated."""
    k = len(activities)
    rule, size, wait, together = (np.zeros(k, np.int64) for _ in range(4))
    times: list[list[int]] = [[] for _ in range(k)]
    for batch in batching:
        a = activities.index(batch.activity)
        if batch.rule == "none":
            continue
        rule[a], size[a], wait[a], together[a] = 1, batch.size, batch.wait_seconds * SECOND, int(batch.together)
        times[a] = batch.week_minutes
    offset = np.concatenate([[0], np.cumsum([len(part) for part in times])]).astype(np.int64)
    minute = np.array([m for part in times for m in part], np.int64)
    return BatchTables(rule, size, wait, offset, minute, together)
