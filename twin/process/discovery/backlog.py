"""Cases that were under way when recording began: in the log they seem to begin together, in its first days.

An activity that a case does first within the recording is then taken for its beginning. Such cases are no arrivals, and
neither their beginnings nor their cycle times are known. What gives them away is that within the time that cases
usually rest between two activities, far more begin than at any later time.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from twin.process.discovery.arrivals import HOURS, profile_of_week
from twin.process.discovery.columns import DAY, HOUR, MONDAY_SHIFT, WEEK, Float, Int, LogColumns

_REST = 0.95
"""Of the pauses between two activities of a case, so many are over within the time in which a backlog shows itself."""
_MOST_OF_SPAN = 0.25
_LEAST_LEFT = 0.5
_LEAST_WEEKS = 2
"""A shorter rest does not tell how many cases begin on which weekday."""
_LEAST_RATIO = 1.5
"""A backlog shows itself so where cases last half as long as it takes to be seen, or longer."""
_CHANCE = 0.001
_FLAT = 0.1
"""Share of the expected arrivals spread evenly over the week, for hours in which the rest of a short log has none."""


def recorded_from(log: LogColumns, first: Int, shown: Float) -> int:
    """The instant (ns) from which cases that seem to begin do; the earliest of `first` where there is no backlog.

    Every stretch of whole days at the start is compared with all that follows, and with the stretch after it, three
    times as long, so that a falling trend is not taken for a backlog; a backlog stands out from the first day on. The
    stretch that stands out most (deviance of two Poisson rates from one, over the dispersion of daily counts) is the
    backlog's, if chance makes one stand out so in fewer than 1 of 1,000 logs (Bonferroni's inequality for the number of
    stretches).

    Args:
        log: the log.
        first: when each case seems to begin, ns.
        shown: per case, the probability that a case which began then is in the log.
    """
    order = np.argsort(first, kind="stable")
    times, shown = first[order], shown[order]
    begin, stop = int(times[0]), int(times[-1])
    pause = np.diff(log.start)[np.diff(log.case) == 0]
    longest = float(np.quantile(pause, _REST)) if len(pause) else 0.0
    most = int(min(max(longest, DAY), _MOST_OF_SPAN * (stop - begin), stop - begin - _LEAST_WEEKS * WEEK) // DAY)
    if most < 1:
        return begin
    best, found = NormalDist().inv_cdf(1.0 - _CHANCE / most) ** 2, begin
    for days in range(1, most + 1):
        deviance, above = _stands_out(times, shown, days * DAY)
        if not above:
            break
        if deviance > best:
            best, found = deviance, int(times[np.searchsorted(times, begin + days * DAY)])
    return found


def _stands_out(times: Int, shown: Float, length: int) -> tuple[float, bool]:
    """Deviance of the rate in a stretch at the start from that after it, and whether it may be part of a backlog."""
    begin, stop = int(times[0]), int(times[-1])
    until = begin + length
    later = times >= until
    left = int(later.sum())
    held = len(times) - left
    if left < _LEAST_LEFT * len(times):
        return 0.0, False
    hours = np.arange(begin, stop + HOUR, HOUR)
    usual = profile_of_week(times[later], 1.0 / shown[later], until, stop)
    exposure = (1.0 - _FLAT) * usual[(hours + MONDAY_SHIFT) // HOUR % HOURS] + _FLAT
    exposure *= np.interp(hours.astype(np.float64), times.astype(np.float64), shown)
    early, rest = float(exposure[hours < until].sum()), float(exposure[hours >= until].sum())
    next_stop = min(stop, until + 3 * length)
    soon = float(exposure[(hours >= until) & (hours < next_stop)].sum())
    near = int((later & (times < next_stop)).sum()) / max(soon, 1e-9)
    expected = early * left / rest
    # A day on which hardly any arrival is expected says nothing.
    if held < _LEAST_RATIO * max(expected, early * near):
        return 0.0, held >= _LEAST_RATIO * expected or expected < 1.0
    both = (held + left) / (early + rest)
    deviance = 2.0 * (held * np.log(held / (early * both)) + left * np.log(left / (rest * both)))
    return float(deviance) / _dispersion(times[later], hours[hours >= until], exposure[hours >= until]), True


def _dispersion(times: Int, hours: Int, exposure: Float) -> float:
    """Variance of daily counts over that of a Poisson process (Pearson's statistic by its degrees); at least 1."""
    day = (hours - hours[0]) // DAY
    expected = np.bincount(day, weights=exposure)
    expected *= len(times) / expected.sum()
    counts = np.bincount(np.clip((times - hours[0]) // DAY, 0, day[-1]), minlength=len(expected))
    return max(1.0, float(((counts - expected) ** 2).sum() / expected.sum()))
