"""The log's own recent cases, which fill the queues of a simulation that begins when the log ends.

Where people are near or beyond full load, the work that waits at an instant depends on the arrivals of the weeks before
it far more than on chance: those are known. Cases that arrived but are not in the log (they had not ended) are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.discovery.arrivals import draw_arrivals
from twin.process.discovery.censoring import Completeness, last_longer, shown_at
from twin.process.discovery.columns import WEEK, Bool, Float, Int, LogColumns
from twin.process.discovery.model import DiscoveredProcess, History, Workforce
from twin.process.discovery.staff import work_done
from twin.randomness import Stream, Streams

_MS = 1_000_000
_MILLION = 1_000_000
_AGES = 1025
_HISTORY_CASES = 1 << 41
_KEPT = 7
"""Counter of the draws that thin arrivals, of the stream of arrivals; 4 to 6 are those of the warm-up."""


def fit_history(log: LogColumns, ready: Int, seen: Completeness, staff: Workforce) -> History:
    """The cases that arrived in the last weeks of a log, when they did, with their routes and their work.

    Args:
        log: the log.
        ready: when each instance could begin, ns.
        seen: what the log does not show.
        staff: says how many weeks, and which time is work.
    """
    cut = int(log.end.max())
    arrival = ready[log.offset[:-1]]
    order = np.argsort(arrival, kind="stable")
    order = order[arrival[order] >= cut - int(staff.warm_up_weeks * WEEK)]
    sizes = np.diff(log.offset)[order]
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.repeat(log.offset[:-1][order] - offset[:-1], sizes) + np.arange(offset[-1])
    ages, shown = _shown(log, cut, seen.truncated)
    return History(
        begin=int(arrival.min()),
        cut=cut,
        arrival=-((cut - arrival[order]) // _MS),
        offset=offset,
        activity=log.activity[rows],
        work=work_done(log, staff)[rows] // _MS,
        row=order.astype(np.int64),
        age=np.round(ages / _MS).astype(np.int64),
        shown=np.round(shown * _MILLION).astype(np.int64),
    )


def _shown(log: LogColumns, cut: int, truncated: bool) -> tuple[Float, Float]:
    """Time before the cut (ns), and the share of the cases that arrived then which the log shows."""
    last = float(cut - int(log.first.max()))
    if not truncated:
        return np.array([0.0, last, last + 1.0]), np.array([0.0, 0.0, 1.0])
    cycle = (log.last - log.first).astype(np.float64)
    ages = np.linspace(0.0, float(cycle.max()) + 1.0, _AGES)
    longer = last_longer(log.first, cycle, cut)
    ages *= longer
    return ages, shown_at(log.first, cycle, cut, cut - np.round(ages).astype(np.int64), longer)


@dataclass(frozen=True)
class Early:
    """Cases that arrive before a simulation begins, in order of arrival.

    Attributes:
        arrival: ns.
        numbers: for their draws.
        rows: of attributes, -1 = none.
        drawn: positions of those without a known route.
        offset: first instance of each known route, of the others none.
        activity: of each.
        work: of each, ms.
    """

    arrival: Int
    numbers: Int
    rows: Int
    drawn: Bool
    offset: Int
    activity: Int
    work: Int


def before(process: DiscoveredProcess, begin: int, start: int, first_number: int, streams: Streams) -> Early:
    """The cases that arrive from `begin` to `start` (ns): those of the log, and others where it does not show all.

    Args:
        process: what was discovered.
        begin: ns.
        start: ns.
        first_number: of those that are drawn.
        streams: of the replication.
    """
    arrival = draw_arrivals(process.arrivals, begin, streams, end=start, part=1)
    known, history = np.zeros(0, np.int64), process.history
    if history is not None:
        luck = streams.uniform(Stream.WORK_ARRIVAL, np.arange(len(arrival)), _KEPT)
        arrival = arrival[luck >= _share_shown(history, arrival)]
        known = history.cut + history.arrival * _MS
        known = np.flatnonzero((known >= begin) & (known < start))
    times = np.concatenate([arrival, history.cut + history.arrival[known] * _MS if history is not None else known])
    order = np.argsort(times, kind="stable")
    drawn = order < len(arrival)
    numbers = np.concatenate([first_number + np.arange(len(arrival)), _HISTORY_CASES + known])[order]
    rows = np.full(len(order), -1, np.int64)
    sizes = np.zeros(len(order), np.int64)
    taken = np.zeros(0, np.int64)
    if history is not None and len(known):
        at = known[order[~drawn] - len(arrival)]
        rows[~drawn] = history.row[at]
        sizes[~drawn] = np.diff(history.offset)[at]
        ends = np.cumsum(sizes[~drawn])
        taken = np.repeat(history.offset[:-1][at] - (ends - sizes[~drawn]), sizes[~drawn]) + np.arange(int(ends[-1]))
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    activity, work = (history.activity[taken], history.work[taken]) if history is not None else (taken, taken)
    return Early(times[order], numbers, rows, drawn, offset, activity, work)


def _share_shown(history: History, at: Int) -> Float:
    """Of the cases that arrived at instants (ns), the share which the log shows; none before its begin and after it."""
    ago = (history.cut - at) / _MS
    share = np.interp(ago, history.age.astype(np.float64), history.shown / _MILLION)
    return np.where((at < history.begin) | (ago < 0), 0.0, share)


def joined(first: tuple[Int, Int], second: tuple[Int, Int], of_first: Bool) -> tuple[Int, Int]:
    """Two lists of routes as one: case by case the next of the first, where the mask says so, or of the second."""
    sizes = np.empty(len(of_first), np.int64)
    sizes[of_first], sizes[~of_first] = np.diff(first[0]), np.diff(second[0])
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    activity = np.empty(int(offset[-1]), np.int64)
    mine = np.repeat(of_first, sizes)
    activity[mine], activity[~mine] = first[1], second[1]
    return offset, activity
