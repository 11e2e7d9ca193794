"""What a log does not show because it was cut: long cases that began late are missing or unfinished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from twin.process.discovery.arrivals import HOURS, profile_of_week
from twin.process.discovery.backlog import recorded_from
from twin.process.discovery.columns import HOUR, MONDAY_SHIFT, Bool, Float, Int, LogColumns, week_time

_LEAST_SHOWN = 0.2
_MOST_WEIGHT = 10.0
_ENDED = 0.95
_FEWEST = 20
_SHORT = 0.25
_LONGER = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0)
_CHANCE = 0.001
_LEAST_CHANCE = 1e-3
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
    shown = shown_at(log.first, cycle, cut, log.first)
    if truncated is None:
        truncated = _looks_truncated(log.first, shown, cycle, cut)
    if truncated:
        shown = shown_at(log.first, cycle, cut, log.first, last_longer(log.first, cycle, cut))
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


def shown_at(first: Int, cycle: Float, cut: int, at: Int, longer: float = 1.0) -> Float:
    """Of the cases that began at given instants, the share that had ended by the cut.

    What begins on Friday afternoon does not end by Saturday: of the cases that began at about the same time of other
    weeks the share is taken that lasted no longer, if nearly all cases last but a small part of the log; else the
    product-limit estimate of all. Of the later cases alone where cycle times have changed.

    Args:
        first: first start of each case, ns.
        cycle: cycle time of each, ns.
        cut: ns.
        at: ns, not after the cut.
        longer: how much longer the last cases take than those that tell.
    """
    late = late_cases(first, cycle, cut)
    usual = float(np.quantile(cycle, _ENDED))
    sound = np.flatnonzero(late & (first <= cut - usual))
    age = (cut - at).astype(np.float64)
    if usual > _SHORT * (cut - int(first.min())) or len(sound) < _FEWEST:
        return _distribution(cycle[late], np.maximum(cut - first[late], cycle[late]), age / longer)
    sound = sound[np.argsort(week_time(first[sound]), kind="stable")]
    near = max(_FEWEST // 4, int(np.sqrt(len(sound))))
    begins = week_time(first[sound])
    place = (np.searchsorted(begins, week_time(at), "left") + np.searchsorted(begins, week_time(at), "right")) // 2
    short = age <= longer * float(cycle.max())
    rows = sound[(place[short, None] - near // 2 + np.arange(near)) % len(sound)]
    shown = np.ones(len(at))
    shown[short] = (longer * cycle[rows] <= age[short, None]).mean(axis=1)
    return shown


def late_cases(first: Int, cycle: Float, cut: int) -> Bool:
    """The cases that tell how long the last ones take: all, or the last quarter if cycle times have changed.

    They have if those of the earlier and of the later half of the cases that had time enough to end differ (test of
    Kolmogorov and Smirnov): where people are beyond full load queues grow, and what an early case took says nothing.
    """
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    sound = np.flatnonzero(first <= cut - np.quantile(cycle, _ENDED))
    sound = sound[np.argsort(rank[sound])]
    half = len(sound) // 2
    if half < _FEWEST or ks_2samp(cycle[sound[:half]], cycle[sound[half:]]).pvalue > _CHANCE:
        return np.ones(len(first), bool)
    return np.asarray(rank >= rank[sound[half + half // 2]])


def _looks_truncated(first: Int, shown: Float, cycle: Float, cut: int) -> bool:
    """Whether cases go on beginning until the cut, as far as those that take long would not be seen.

    Else arrivals went on as ever until the last one, and then stopped, so that all cases could end. To be believed,
    that must leave a stretch without arrivals in which none would be implausible, had they gone on, and it must be the
    likelier of the two (of Poisson processes): arrivals that become rarer before they cease are those of a cut log.
    At night and on Sundays hardly any is expected; but it must be so for arrivals at any hour, too. Where cycle times
    have changed, the last ones may have been longer still by half, or twice as long: that is tried as well.
    """
    last = int(first.max())
    until = first <= last - np.quantile(cycle, 0.5)
    span = float(first[until].max() - first.min()) if until.any() else 0.0
    if span <= 0:
        return False
    mass = 1.0 / np.maximum(shown[until], _LEAST_SHOWN)
    usual = profile_of_week(first[until], mass, int(first.min()), int(first[until].max()))
    times = np.arange(int(first.min()), cut, HOUR // 2)
    mean = float(mass.sum()) / span * (HOUR // 2)
    after = times > last
    plain = _distribution(cycle, np.maximum(cut - first, cycle), (cut - times[after]).astype(np.float64))
    if mean * float(plain.sum()) < _IMPLAUSIBLE:
        return True
    rate = mean * usual[(times + MONDAY_SHIFT) // HOUR % HOURS]
    for longer in (1.0,) if late_cases(first, cycle, cut).all() else _LONGER:
        ended, seen = (shown_at(first, cycle, cut, at, longer) for at in (times, first))
        if float((rate * ended)[after].sum()) < _IMPLAUSIBLE:
            return True
        if _likely(seen, rate * ended) > -float(rate[~after].sum()):
            return True
    return False


def _likely(shown: Float, expected: Float) -> float:
    """Logarithm of the likelihood of arrivals shown with given chances, but for what does not depend on these."""
    return float(np.log(np.maximum(shown, _LEAST_CHANCE)).sum() - expected.sum())


def last_longer(first: Int, cycle: Float, cut: int) -> float:
    """How much longer the last cases before a cut take than those that tell, where cycle times have changed.

    Of logs many times as long as a cycle: in others what is rare and what takes long cannot be told apart.

    The likeliest of some factors, given how arrivals become rarer before the cut.
    """
    late = late_cases(first, cycle, cut)
    if late.all() or np.quantile(cycle, _ENDED) > _SHORT * (cut - int(first.min())):
        return 1.0
    # The rate is that of late cases nearly all of which are shown.
    told = late & (first <= cut - _LONGER[-1] * np.quantile(cycle[late], _ENDED))
    if told.sum() < _FEWEST:
        told = first <= cut - np.quantile(cycle[late], _ENDED)
    begin, stop = int(first[told].min()), int(first[told].max())
    usual = profile_of_week(first[told], np.ones(int(told.sum())), begin, stop)
    times = np.arange(stop, cut, HOUR // 4)
    rate = float(told.sum()) / (stop - begin) * usual[(times + MONDAY_SHIFT) // HOUR % HOURS] * (HOUR // 4)
    rest = first[first > stop]
    likely = [
        _likely(shown_at(first, cycle, cut, rest, f), rate * shown_at(first, cycle, cut, times, f)) for f in _LONGER
    ]
    return _LONGER[int(np.argmax(likely))]
