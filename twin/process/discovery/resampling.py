"""The rival without a mechanism: whole observed cases at new times, aligned to the time of the week."""

from __future__ import annotations

import numpy as np

from twin.process.discovery.columns import DAY, MINUTE, Float, Int, LogColumns, week_time
from twin.process.discovery.model import Cases, DiscoveredProcess
from twin.process.discovery.simulated import Simulated
from twin.process.discovery.staff import SLOT, slots_reached
from twin.randomness import Stream, Streams

_MS = 1_000_000
_MILLI = 1000
_FEWEST = 5


def fit_cases(log: LogColumns, weight: Float, row: Int) -> Cases:
    """The observed cases, sorted by the time of the week at which they began.

    Args:
        log: the log.
        weight: of each case.
        row: of each case, its row of attributes.
    """
    begin = week_time(log.first) // MINUTE
    order = np.argsort(begin, kind="stable")
    sizes = np.diff(log.offset)[order]
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.repeat(log.offset[:-1][order] - offset[:-1], sizes) + np.arange(offset[-1])
    zero = log.first[log.case[rows]]
    return Cases(
        offset=offset,
        begin=begin[order],
        keep=np.maximum(1, np.round(weight[order] / weight.max() * _MILLI)).astype(np.int64),
        activity=log.activity[rows],
        resource=log.resource[rows],
        start=(log.start[rows] - zero) // _MS,
        end=(log.end[rows] - zero) // _MS,
        row=row[order],
    )


def resample(process: DiscoveredProcess, when: Int, streams: Streams) -> Simulated:
    """For each arrival an observed case that began at about the same time of the week, by its weight.

    Of n cases of equal weight these are the sqrt(n) that began nearest, the week being a ring; of others, those around
    the same time that have the same share of the weight, n then being the effective number of cases (L. Kish 1965).

    Args:
        process: with `cases`.
        when: arrivals, ns.
        streams: of the replication.
    """
    source = process.cases
    assert source is not None
    n, keep = len(source.begin), source.keep
    at = week_time(when) // MINUTE
    left = np.searchsorted(source.begin, at, side="left")
    right = np.searchsorted(source.begin, at, side="right")
    ids = np.arange(len(when))
    before = np.concatenate([[0], np.cumsum(keep)])
    total = int(before[-1])
    effective = float(total) ** 2 / float((keep.astype(np.float64) ** 2).sum())
    width = min(max(_FEWEST, np.sqrt(effective)) / effective, 1.0) * total
    # Those that began at that very minute, if they weigh more; else as much weight on either side of them.
    tied = (before[right] - before[left]).astype(np.float64)
    span = np.maximum(tied, width)
    target = (before[left] + before[right]) / 2 + (streams.uniform(Stream.WORK_CASE, ids, 0) - 0.5) * span
    chosen = np.minimum(np.searchsorted(before, target % total, side="right") - 1, n - 1)
    # Whole weeks between the observed case and its copy: all its instants keep their place in the week.
    shift = at * MINUTE - source.begin[chosen] * MINUTE
    shift = (shift + 3.5 * DAY).astype(np.int64) % (7 * DAY) - int(3.5 * DAY)
    # Times of the week that a short log does not reach have no place there to keep.
    shift[~slots_reached(process.source.first, process.source.last)[at * MINUTE // SLOT]] = 0
    begin = np.maximum(when // MINUTE * MINUTE - shift, when[0] if len(when) else 0)
    order = np.argsort(begin, kind="stable")
    chosen, begin = chosen[order], begin[order]
    sizes = np.diff(source.offset)[chosen]
    last = np.cumsum(sizes)
    rows = np.repeat(source.offset[:-1][chosen] - (last - sizes), sizes) + np.arange(int(last[-1]) if len(last) else 0)
    case = np.repeat(ids, sizes)
    row = source.row[chosen] if process.attributes else None
    start, end = (begin[case] + column[rows] * _MS for column in (source.start, source.end))
    return Simulated(case, source.activity[rows], source.resource[rows], start, np.maximum(start, end), begin, row=row)
