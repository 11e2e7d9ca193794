"""What a log does not show because it was cut: long cases that began late are missing or unfinished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.discovery.columns import Float, Int, LogColumns

_LEAST_SHOWN = 0.2
_MOST_WEIGHT = 5.0


@dataclass(frozen=True)
class Completeness:
    """How the cut of a log distorts it.

    Attributes:
        shown: per case, the probability that a case which began then is in the log.
        weight: per case, how many cases like it (of its length) it stands for; mean 1.
        truncated: whether only cases that ended before the cut are in the log.
    """

    shown: Float
    weight: Float
    truncated: bool


def completeness(log: LogColumns, cut: int, truncated: bool | None = None) -> Completeness:
    """Correct for right truncation: of cases that began late, a log of completed cases shows only the short ones.

    The distribution of cycle times is the product-limit estimate for right-truncated data (D. Lynden-Bell 1971).

    Args:
        log: the log.
        cut: ns; no case that ended later is in the log.
        truncated: whether that is so; None = find out from the arrivals before the cut.
    """
    cycle = (log.last - log.first).astype(np.float64)
    room = np.maximum((cut - log.first).astype(np.float64), cycle)
    shown = _distribution(cycle, room)
    if truncated is None:
        truncated = _looks_truncated(log.first, shown, cut)
    if not truncated:
        return Completeness(np.ones(log.cases), np.ones(log.cases), False)
    arrivals = 1.0 / np.maximum(shown, _LEAST_SHOWN)
    order = np.argsort(log.first, kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(arrivals[order])])
    before = mass[np.searchsorted(log.first[order], cut - cycle, side="right")] / mass[-1]
    weight = np.minimum(1.0 / np.maximum(before, 1e-9), _MOST_WEIGHT)
    return Completeness(shown, weight / weight.mean(), True)


def _distribution(cycle: Float, room: Float) -> Float:
    """P(cycle time <= room) at each case's own room."""
    values = np.sort(cycle)
    at_risk = np.searchsorted(values, values, side="right") - np.searchsorted(np.sort(room), values, side="left")
    factors = 1.0 - 1.0 / np.maximum(at_risk, 1)
    # F(x) is the product over cycle times above x.
    tail = np.concatenate([np.cumprod(factors[::-1])[::-1], [1.0]])
    return np.asarray(tail[np.searchsorted(values, room, side="right")], np.float64)


def _looks_truncated(first: Int, shown: Float, cut: int) -> bool:
    """Whether fewer cases begin shortly before the cut than the same time earlier, as truncation would have it."""
    late = first[shown < 0.9]
    if not len(late):
        return False
    since = late.min()
    window = cut - since
    n_late, n_before = int((first >= since).sum()), int(((first < since) & (first >= since - window)).sum())
    if n_before < 10:
        return False
    expected = n_before * shown[first >= since].mean()
    return bool(abs(n_late - expected) < abs(n_late - n_before))
