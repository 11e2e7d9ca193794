"""What is forecast: work in progress, arrivals, completions, waiting, deadlines and utilisation, by interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.forecasting.columns import NEVER, NONE, Floats, Ints

MEASURES = ("wip", "waiting", "arrivals", "completions", "wait_h", "oldest_h", "utilisation", "breaches")
"""Names of the measures; `breaches` only with a deadline."""
COUNTS = ("arrivals", "completions", "breaches")
"""Measures that count what happens in an interval."""
_H = 3_600e9


@dataclass(frozen=True)
class World:
    """What happened, or would happen, in a process.

    Attributes:
        born: first instant of each case (ns).
        ended: last instant of each case, NEVER if it is open at the end.
        share: how much of the case has ended then: 1, or less where it is only likely to have ended.
        start: of each piece of work (NEVER if it has not begun).
        end: of each piece of work (NEVER if it goes on).
        enabled: since when it waited (NONE if that is not known).
        resource: who does it, -1 if nobody is named.
        weight: of each piece of work (the chance that it waits, for those that have not begun).
    """

    born: Ints
    ended: Ints
    share: Floats
    start: Ints
    end: Ints
    enabled: Ints
    resource: Ints
    weight: Floats


def series(world: World, edges: Ints, people: int, deadline: int | None = None) -> Floats:
    """Measures of each interval between neighbouring edges.

    Args:
        world: what happened.
        edges: rising instants (ns).
        people: that utilisation counts with.
        deadline: cycle time (ns) from which a case is late.

    Returns:
        Array (interval, measure) in the order of `MEASURES`: cases in progress and waiting at the end of the interval;
        cases that arrived and completed in it; mean wait (h) of the work begun in it, NaN if none was; age (h) of the
        oldest wait at its end, 0 if none; work over the people's time; cases that became late in it,
        NaN without a deadline.
    """
    out = np.full((len(edges) - 1, len(MEASURES)), np.nan)
    gone = world.ended != NEVER
    arrived = _before(world.born, edges)
    finished = _before(world.ended[gone], edges, world.share[gone])
    out[:, 0] = (arrived - finished)[1:]
    out[:, 2], out[:, 3] = np.diff(arrived), np.diff(finished)
    waits = (world.enabled != NONE) & (world.enabled < world.start)
    out[:, 1], out[:, 5] = _queue(world.enabled[waits], world.start[waits], world.weight[waits], edges)
    out[:, 4] = _mean_wait(world, edges)
    out[:, 6] = _worked(world, edges) / np.diff(edges) / max(people, 1)
    if deadline is not None:
        late = world.born + deadline
        weight = np.where(world.ended > late, 1.0, 1.0 - world.share)
        out[:, 7] = np.diff(_before(late[weight > 0], edges, weight[weight > 0]))
    return out


def _before(instants: Ints, edges: Ints, weight: Floats | None = None) -> Floats:
    """Weight of the instants before each edge."""
    if weight is None or not len(instants) or bool(np.all(weight == 1.0)):
        return np.searchsorted(np.sort(instants), edges, side="left").astype(np.float64)
    order = np.argsort(instants, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    return total[np.searchsorted(instants[order], edges, side="left")]


def _queue(since: Ints, until: Ints, weight: Floats, edges: Ints) -> tuple[Floats, Floats]:
    """Waiting just before the end of each interval, and the age (h) of the oldest wait that is likelier than not."""
    ends = edges[1:]
    length = _before(since, ends, weight) - _before(until, ends, weight)
    oldest = np.zeros(len(ends))
    sure = weight > 0.5
    first = np.searchsorted(ends, since[sure], side="right")
    last = np.searchsorted(ends, until[sure], side="right")
    n = np.maximum(last - first, 0)
    place = np.repeat(first - np.concatenate([[0], np.cumsum(n)[:-1]]), n) + np.arange(n.sum()) if len(n) else first
    if len(place):
        np.maximum.at(oldest, place, (ends[place] - np.repeat(since[sure], n)) / _H)
    return np.maximum(length, 0.0), oldest


def _mean_wait(world: World, edges: Ints) -> Floats:
    """Mean wait (h) of the work begun in each interval."""
    rows = (world.enabled != NONE) & (world.start != NEVER) & (world.start >= edges[0]) & (world.start < edges[-1])
    place = np.searchsorted(edges, world.start[rows], side="right") - 1
    n = np.bincount(place, minlength=len(edges) - 1)
    total = np.bincount(place, (world.start[rows] - world.enabled[rows]) / _H, minlength=len(edges) - 1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _worked(world: World, edges: Ints) -> Floats:
    """Work of named people (ns) in each interval; of what one does at the same time, each piece counts."""
    rows = (world.start < edges[-1]) & (world.end > edges[0]) & (world.resource >= 0)
    start, end = np.maximum(world.start[rows], edges[0]), np.minimum(world.end[rows], edges[-1])
    at = (edges - edges[0]).astype(np.float64)
    began, ended = ((t - edges[0]).astype(np.float64) for t in (start, end))
    return np.diff(_elapsed(began, at) - _elapsed(ended, at))


def _elapsed(instants: Floats, edges: Floats) -> Floats:
    """Sum of the time since each instant that has passed, at each edge."""
    ordered = np.sort(instants)
    n = np.searchsorted(ordered, edges, side="left")
    return n * edges - np.concatenate([[0.0], np.cumsum(ordered)])[n]
