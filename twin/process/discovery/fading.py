"""How fast past cases lose weight where the mix of routes changes while a log is recorded.

What changes is judged as it shows in a log: by how often each three activities follow each other. (How well the next
activity is foretold says too little: rare ways, which only many cases tell, weigh most there.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.discovery.columns import Bool, Float, Int, LogColumns

SETTLED = 0.9
"""Where a log shows at least this share of the cases, the others hardly matter."""
_HALF_LIVES = (1.0, 0.5, 0.25, 0.1, 0.05)
"""After such shares of the cases, a case may weigh half."""
_CUTS = (0.5, 0.6, 0.7, 0.8)
_AHEAD = 0.2
"""From the cases before each cut, so many after it are foretold."""
_GAIN = 0.2
_LOSS = 0.01
"""Old cases weigh less if that foretells better by so much on the mean (logarithms), more than the cuts differ, and
nowhere worse by more than the other. Small changes often turn back: in the first half of BPIC 2012 the past foretells
better by 0.15 if it fades within weeks, in the whole log worse by 0.09."""
_LEAST_NOISE = 0.01
_FEWEST = 32
"""Cases that a log must have, and after which a case may weigh half at the earliest."""
_N = 3


def fading(log: LogColumns, weight: Float, shown: Float, side: Bool) -> tuple[Float, float]:
    """Weights of the cases, older ones less if routes have changed; and the half life as a share of the cases, or 0.

    From the cases before each of four cuts it is foretold how often each three activities follow each other in the
    fifth of the cases after it. Where recording stopped before long cases ended, the last cases are short ones, which
    is no change: they are left out of the trial.

    Args:
        log: the log, its cases in order.
        weight: of each case.
        shown: share of the cases begun at that time that the log shows.
        side: which activities run side by side. In which order they then come is a matter of times, not of routes.
    """
    known = shown >= SETTLED
    settled = np.flatnonzero(known)
    if len(settled) < max(_FEWEST, log.cases // 4):
        return weight, 0.0
    grams = _grams(log, _in_order(log, side))
    worse = np.array([_worse(grams, weight, settled, cut) for cut in _CUTS])
    gain = -worse.mean(axis=0)
    sure = (worse.max(axis=0) < _LOSS) & (gain > np.maximum(_GAIN, worse.std(axis=0, ddof=1)))
    gain[~sure | (np.array(_HALF_LIVES) * len(settled) < _FEWEST)] = 0.0
    best = _HALF_LIVES[int(gain.argmax())] if gain.any() else 0.0
    return _aged(weight, known, best), best


def _worse(grams: _Grams, weight: Float, settled: Int, cut: float) -> Float:
    """How much worse each half life foretells than none: logarithms of ratios, what chance makes added to both."""
    begin, stop = (round(len(settled) * share) for share in (cut, cut + _AHEAD))
    early, late = np.zeros(len(weight), bool), np.zeros(len(weight), bool)
    early[settled[:begin]], late[settled[begin:stop]] = True, True
    seen = grams.mean(weight * late)
    # The mean absolute deviation of a mean of many: of a normal distribution.
    spread = np.maximum(grams.mean(weight * late, squares=True) - seen**2, 0.0)
    noise = max(_LEAST_NOISE, float(np.sqrt(2.0 / np.pi * spread / (stop - begin)).sum() / (2.0 * seen.sum())))
    found = [_apart(seen, grams.mean(_aged(weight, early, h) * early)) for h in (0.0, *_HALF_LIVES)]
    return np.log((np.array(found[1:]) + noise) / (found[0] + noise))


@dataclass(frozen=True)
class _Grams:
    """How often each three activities in a row come in each case, where they do.

    Attributes:
        code: number of the three.
        case: in which they come.
        times: how often.
    """

    code: Int
    case: Int
    times: Int

    def mean(self, mass: Float, squares: bool = False) -> Float:
        """How often each comes in a case, or the square of that, on the mean of the cases by their mass."""
        times = self.times**2 if squares else self.times
        return np.bincount(self.code, weights=mass[self.case] * times) / mass.sum()


def _in_order(log: LogColumns, side: Bool) -> Int:
    """Activities, neighbours that run side by side in the order of their numbers: what begins first is then alike."""
    activity = log.activity.copy()
    pairs = np.flatnonzero(log.case[1:] == log.case[:-1])
    swapped = bool(side.any())
    while swapped:
        swapped = False
        for parity in (0, 1):
            one = pairs[pairs % 2 == parity]
            one = one[(activity[one] > activity[one + 1]) & side[activity[one], activity[one + 1]]]
            activity[one], activity[one + 1] = activity[one + 1], activity[one]
            swapped |= bool(len(one))
    return activity


def _grams(log: LogColumns, activity: Int) -> _Grams:
    """Before and after the activities of a case there is nothing, twice."""
    width, blank = len(log.activities) + 1, _N - 1
    steps = np.full(len(log.case) + blank * (log.cases + 1), width - 1, np.int64)
    steps[np.arange(len(log.case)) + blank * (log.case + 1)] = activity
    size = len(steps) - blank
    code = np.zeros(size, np.int64)
    for ahead in range(_N):
        code = np.unique(code, return_inverse=True)[1] * width + steps[ahead : size + ahead]
    code = np.unique(code, return_inverse=True)[1]
    case = np.repeat(np.arange(log.cases), np.diff(log.offset) + blank)
    cells, times = np.unique(code * log.cases + case, return_counts=True)
    return _Grams(cells // log.cases, cells % log.cases, times)


def _apart(a: Float, b: Float) -> float:
    return float(np.abs(a - b).sum() / (a.sum() + b.sum()))


def _aged(weight: Float, known: Bool, half_life: float) -> Float:
    """Weights that fade with the number of known cases that came later, as a share of all cases."""
    if not half_life:
        return weight
    age = (known.sum() - np.cumsum(known)) / len(weight)
    return np.asarray(weight * 0.5 ** (age / half_life), np.float64)
