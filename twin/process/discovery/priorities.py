"""Which work people take first: first come first served, oldest case first, or some activities before others."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, replace

import numpy as np

from twin.process.discovery.columns import Bool, Float, Int, LogColumns

_MOST_PICKS = 8000
_MOST_STARTS = 40_000
"""Of a longer log the last starts tell: people keep their habits."""
_FEWEST_PICKS = 40
_MARGIN = 0.03
"""A rule that is not first come first served must explain so many more of the held-out choices."""
_ROUNDS = 6
_CLASS = 1e20
"""Between two classes, in ns: more than any log lasts."""
_LEAST_LOOSE = 0.4
"""People who let this share of choices to chance are not taken at their rule: less may be errors of stamps."""


@dataclass(frozen=True)
class Discipline:
    """How work is chosen among what waits.

    Attributes:
        priority: class of each activity, lower first.
        oldest_case: within a class, by the case's arrival rather than by how long the work has waited.
        loose: choices of 1,000 in which any work of the first class is taken, whenever it came.
        explained: share of observed choices that the rule explains.
        first_come: share that first come first served explains.
        choices: number of observed choices between at least two activities.
    """

    priority: Int
    oldest_case: bool
    explained: float
    first_come: float
    choices: int
    loose: int = 0


def fit_discipline(log: LogColumns, ready: Int, skilled: Bool) -> Discipline:
    """Compare rules on the choices that people made when several kinds of work waited.

    Args:
        log: the log.
        ready: when each instance could begin, ns.
        skilled: activities x resources, who does what.
    """
    k = len(log.activities)
    by_ready, by_case, chosen = _choices(log, ready, skilled)
    plain = np.zeros(k, np.int64)
    if len(chosen) < _FEWEST_PICKS:
        return _loosened(Discipline(plain, False, 0.0, 0.0, len(chosen)), log, ready)
    half = np.arange(len(chosen)) % 2 == 0
    first_come = _explained(by_ready[~half], plain, chosen[~half])
    best = Discipline(plain, False, first_come, first_come, len(chosen))
    rivals = [(True, plain)]
    rivals += [(oldest, _climb(keys[half], chosen[half], k)) for oldest, keys in ((False, by_ready), (True, by_case))]
    for oldest, priority in rivals:
        share = _explained((by_case if oldest else by_ready)[~half], priority, chosen[~half])
        if share > best.explained + _MARGIN:
            best = Discipline(priority, oldest, share, first_come, len(chosen))
    return _loosened(best, log, ready)


def _loosened(found: Discipline, log: LogColumns, ready: Int) -> Discipline:
    """The discipline with the share of choices that do not look at who came first.

    Among n pieces of work of one activity, first come first served takes that of rank 0, and chance a mean rank of
    (n - 1) / 2: the mean of rank / (n - 1) is half the share of choices made by chance.
    """
    share = _by_chance(log, ready, ready)
    if found.oldest_case or found.choices < _FEWEST_PICKS:
        # Where people rarely choose between activities, the order within one tells.
        of_case = _by_chance(log, ready, ready[log.offset[:-1]][log.case])
        if found.oldest_case or of_case < share - 2.0 * _MARGIN:
            found, share = replace(found, oldest_case=True), of_case
    return replace(found, loose=round(1000 * share)) if share >= _LEAST_LOOSE else found


def _by_chance(log: LogColumns, ready: Int, key: Int) -> float:
    """Share of choices among work of one activity that do not follow the order of the keys."""
    waits = (log.start > ready) & (log.resource >= 0)
    ranks: list[float] = []
    for a in range(len(log.activities)):
        rows = np.flatnonzero(waits & (log.activity == a))
        ranks += _ranks(key[rows].tolist(), ready[rows], log.start[rows])
    return min(1.0, 2.0 * float(np.mean(ranks))) if len(ranks) >= _FEWEST_PICKS else 0.0


def _ranks(keys: list[int], ready: Int, start: Int) -> list[float]:
    """Of each start while others waited: its place in the order of keys, 0 = first, 1 = last; ties share theirs."""
    order = np.argsort(start, kind="stable")[-_MOST_STARTS:]
    coming = order[np.argsort(ready[order], kind="stable")].tolist()
    queue: list[int] = []
    found, at, ready_list, start_list = [], 0, ready.tolist(), start.tolist()
    for row in order.tolist():
        while at < len(coming) and ready_list[coming[at]] < start_list[row]:
            insort(queue, keys[coming[at]])
            at += 1
        low, high = bisect_left(queue, keys[row]), bisect_right(queue, keys[row])
        if len(queue) > 1:
            found.append(0.5 * (low + high - 1) / (len(queue) - 1))
        del queue[low]
    return found


def _choices(log: LogColumns, ready: Int, skilled: Bool) -> tuple[Float, Float, Int]:
    """Per choice: of each waiting activity the earliest ready and the earliest arrival of a case; what was chosen."""
    n, k = len(log.start), len(log.activities)
    first = ready[log.offset[:-1]][log.case]
    epoch = int(log.start.min())
    # Per activity a heap of (ready, row) and of (case's arrival, row); rows that have started are dropped lazily.
    queues: list[list[tuple[int, int]]] = [[] for _ in range(k)]
    elders: list[list[tuple[int, int]]] = [[] for _ in range(k)]
    started = [False] * n
    waits = (log.start > ready) | _at_once(log, ready)
    begun_at = np.sort(log.start[waits & (log.resource >= 0)])
    if len(begun_at) > _MOST_STARTS:
        waits &= log.start >= begun_at[-_MOST_STARTS]
    arriving = np.flatnonzero(waits)
    coming = arriving[np.argsort(ready[arriving], kind="stable")].tolist()
    starting = np.flatnonzero(waits & (log.resource >= 0))
    starting = starting[np.argsort(log.start[starting], kind="stable")]
    by_ready, by_case, chosen = [], [], []
    at, activity, begun = 0, log.activity.tolist(), log.start.tolist()
    ready_list, first_list = ready.tolist(), first.tolist()
    for row in np.flatnonzero(waits & (log.resource < 0)).tolist():
        started[row] = True
    can, who = [np.flatnonzero(column).tolist() for column in skilled.T], log.resource.tolist()
    for row in starting.tolist():
        now = begun[row]
        while at < len(coming) and ready_list[coming[at]] <= now:
            i = coming[at]
            heapq.heappush(queues[activity[i]], (ready_list[i], i))
            heapq.heappush(elders[activity[i]], (first_list[i], i))
            at += 1
        waiting: dict[int, tuple[int, int]] = {}
        for a in can[who[row]]:
            if not queues[a]:
                continue
            for heap in (queues[a], elders[a]):
                while heap and started[heap[0][1]]:
                    heapq.heappop(heap)
            if queues[a]:
                waiting[a] = (queues[a][0][0] - epoch, elders[a][0][0] - epoch)
        started[row] = True
        if activity[row] in waiting and len(waiting) > 1:
            heads, ages = np.full(k, np.inf), np.full(k, np.inf)
            heads[list(waiting)], ages[list(waiting)] = zip(*waiting.values(), strict=True)
            by_ready.append(heads)
            by_case.append(ages)
            chosen.append(activity[row])
    if len(chosen) > _MOST_PICKS:
        kept = np.linspace(0, len(chosen) - 1, _MOST_PICKS).astype(np.int64).tolist()
        by_ready, by_case = [by_ready[i] for i in kept], [by_case[i] for i in kept]
        chosen = [chosen[i] for i in kept]
    shape = (len(chosen), k)
    return np.array(by_ready).reshape(shape), np.array(by_case).reshape(shape), np.array(chosen, np.int64)


def _at_once(log: LogColumns, ready: Int) -> Bool:
    """Work that began when it became possible, with somebody who ended other work at that instant: a choice, too."""
    span = int(log.end.max()) - int(log.start.min()) + 1
    known = np.flatnonzero(log.resource >= 0)
    ended = log.resource[known] * span + (log.end[known] - int(log.start.min()))
    begins = log.resource * span + (log.start - int(log.start.min()))
    return (log.start == ready) & (log.resource >= 0) & (log.end > log.start) & np.isin(begins, ended)


def _explained(keys: Float, priority: Int, chosen: Int) -> float:
    """Share of choices equal to the smallest (priority, key); a key of infinity = none."""
    return float(((keys + priority * _CLASS).argmin(axis=1) == chosen).mean()) if len(chosen) else 0.0


def _moved(keys: Float, priority: Int, chosen: Int, activity: int, options: range) -> list[float]:
    """What is explained if one activity is in each of some classes, and the others stay."""
    ranks = keys + priority * _CLASS
    ranks[:, activity] = np.inf
    other = ranks.argmin(axis=1)
    least = ranks[np.arange(len(ranks)), other]
    found = []
    for option in options:
        own = keys[:, activity] + option * _CLASS
        first = (own < least) | ((own == least) & (activity < other))
        found.append(float((np.where(first, activity, other) == chosen).mean()))
    return found


def _climb(keys: Float, chosen: Int, k: int) -> Int:
    """Classes that explain most choices, found by moving one activity at a time."""
    priority = np.zeros(k, np.int64)
    best = _explained(keys, priority, chosen)
    involved = np.flatnonzero(np.isfinite(keys).any(axis=0)).tolist()
    for _ in range(_ROUNDS):
        better = False
        for a in involved:
            old = int(priority[a])
            # Between two classes there is room: classes are doubled while one activity moves.
            options = range(2 * int(priority.min()) - 1, 2 * int(priority.max()) + 2)
            shares = _moved(keys, 2 * priority, chosen, a, options)
            gains = [(found, -abs(option - 2 * old), option) for found, option in zip(shares, options, strict=True)]
            share, _, option = max(gains)
            if share > best + 1e-3:
                priority = 2 * priority
                priority[a] = option
                priority = np.unique(priority, return_inverse=True)[1].astype(np.int64)
                best, better = share, True
        if not better:
            break
    return priority
