"""What a log does not show because it was cut: long cases that began late are missing or unfinished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.discovery.backlog import recorded_from
from twin.process.discovery.columns import Bool, Float, Int, LogColumns

_LEAST_SHOWN = 0.2
_MOST_WEIGHT = 10.0
_IMPLAUSIBLE = 5.0
"""Expected number of arrivals at which none is implausible."""


@dataclass(frozen=True)
class Completeness:
    """How the cut of a log distorts it.

    Attributes:
        shown: per case, the probability that a case which began then is in the log.
        weight: per case, how many cases like it (of its length) it stands for; mean 1.
        truncated: whether only cases that ended before the cut are in the log.
        begun: per case, whether it began while recording was under way.
    """

    shown: Float
    weight: Float
    truncated: bool
    begun: Bool


def completeness(log: LogColumns, cut: int, truncated: bool | None = None, begun: Bool | None = None) -> Completeness:
    """Correct for right truncation: of cases that began late, a log of completed cases shows only the short ones.

    The distribution of cycle times is the product-limit estimate for right-truncated data (D. Lynden-Bell 1971). Cases
    under way when recording began are left out of it: their cycle times are not known.

    Args:
        log: the log.
        cut: ns; no case that ended later is in the log.
        truncated: whether that is so; None = find out from the arrivals before the cut.
        begun: per case, whether it began while recording was under way; None = all.
    """
    begun = np.ones(log.cases, bool) if begun is None else begun
    if begun.all():
        return _completeness(log, cut, truncated)
    part = _completeness(log.take(begun), cut, truncated)
    shown, weight = np.ones(log.cases), np.full(log.cases, part.weight.min())
    shown[begun], weight[begun] = part.shown, part.weight
    return Completeness(shown, weight, part.truncated, begun)


def begun_in_recording(log: LogColumns, begins: Int, truncated: bool | None) -> Bool:
    """Per case, whether it began while recording was under way.

    Args:
        log: the log.
        begins: when each case seems to begin, ns.
        truncated: as in `completeness`.
    """
    shown = _completeness(log, int(log.end.max()), truncated).shown
    return np.asarray(begins >= recorded_from(log, begins, np.maximum(shown, _LEAST_SHOWN)))


def _completeness(log: LogColumns, cut: int, truncated: bool | None) -> Completeness:
    """As `completeness`, of cases all of which began while recording was under way."""
    begun = np.ones(log.cases, bool)
    cycle = (log.last - log.first).astype(np.float64)
    room = np.maximum((cut - log.first).astype(np.float64), cycle)
    shown = _distribution(cycle, room, room)
    if truncated is None:
        truncated = _looks_truncated(log.first, shown, cycle, cut)
    if not truncated:
        return Completeness(np.ones(log.cases), np.ones(log.cases), False, begun)
    arrivals = 1.0 / np.maximum(shown, _LEAST_SHOWN)
    order = np.argsort(log.first, kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(arrivals[order])])
    before = mass[np.searchsorted(log.first[order], cut - cycle, side="right")] / mass[-1]
    weight = truncated_weights(np.minimum(1.0 / np.maximum(before, 1e-9), _MOST_WEIGHT))
    return Completeness(shown, weight / weight.mean(), True, begun)


def truncated_weights(weight: Float) -> Float:
    """Weights, none above the root of their number times their mean: in small logs one case must not stand for most.

    The rule of E. L. Ionides, Journal of Computational and Graphical Statistics 17 (2008): what it leaves out vanishes
    with growing numbers, and the variance stays bounded.
    """
    return np.minimum(weight, np.sqrt(len(weight)) * weight.mean())


def _distribution(cycle: Float, room: Float, at: Float) -> Float:
    """P(cycle time <= at), from cycle times each of which could not be more than its room."""
    values = np.sort(cycle)
    at_risk = np.searchsorted(values, values, side="right") - np.searchsorted(np.sort(room), values, side="left")
    factors = 1.0 - 1.0 / (np.maximum(at_risk, 1) + 1.0)
    # F(x) is the product over cycle times above x.
    tail = np.concatenate([np.cumprod(factors[::-1])[::-1], [1.0]])
    return np.asarray(tail[np.searchsorted(values, at, side="right")], np.float64)


def _looks_truncated(first: Int, shown: Float, cycle: Float, cut: int) -> bool:
    """Whether cases go on beginning until the cut, as far as those that take long would not be seen.

    If arrivals had stopped so that all cases could end, none would have begun in the last stretch. The test is whether
    so many would be expected there, had arrivals gone on, that none is implausible.
    """
    gap = cut - int(first.max())
    until = first <= first.max() - np.quantile(cycle, 0.5)
    span = float(first[until].max() - first.min()) if until.any() else 0.0
    if span <= 0:
        return False
    rate = float((1.0 / np.maximum(shown[until], _LEAST_SHOWN)).sum()) / span
    steps = np.linspace(0.0, gap, 64)
    expected = rate * float(np.trapezoid(_distribution(cycle, np.maximum(cut - first, cycle), steps), steps))
    return expected < _IMPLAUSIBLE
