"""Whole observed cases at new times: which case is copied follows the weights of those that began about then."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from twin.process.discovery.columns import DAY, MINUTE
from twin.process.discovery.model import Cases
from twin.process.discovery.resampling import resample
from twin.randomness import Streams

WEEK_MINUTES = 10_080
MONDAY = 2800 * 7 * DAY - 3 * DAY
DRAWS = 6000


def process_of(begin, keep):
    """Cases of one activity, which says which case it is."""
    n = len(begin)
    zero, number = np.zeros(n, np.int64), np.arange(n)
    cases = Cases(
        offset=np.arange(n + 1), begin=np.array(begin), keep=np.array(keep), activity=number, resource=zero - 1,
        start=zero, end=zero, row=number,
    )  # fmt: skip
    return SimpleNamespace(cases=cases, attributes=[], source=SimpleNamespace(first=MONDAY, last=MONDAY + 14 * DAY))


def expected(begin, keep, at):
    """Chances by the rule: a window of weight around those that began at that minute, or these if they weigh more."""
    n, weight = len(begin), np.array(keep)
    total, effective = weight.sum(), weight.sum() ** 2 / (weight**2).sum()
    width = total * min(max(5, np.sqrt(effective)) / effective, 1)
    same = np.array([b == at for b in begin])
    earlier = np.array([b < at for b in begin])
    middle = weight[earlier].sum() + weight[same].sum() / 2
    half = max(width, weight[same].sum()) / 2
    # Case i takes up the weights from ends[i] to ends[i + 1], on a ring of three rounds.
    ends = np.concatenate([[0], np.cumsum(np.tile(weight, 3))]) - total
    inside = np.minimum(ends[1:], middle + half) - np.maximum(ends[:-1], middle - half)
    chance = np.maximum(inside, 0).reshape(3, n).sum(axis=0)
    return chance / chance.sum()


@pytest.mark.parametrize(
    ("begin", "keep", "at"),
    [
        ([0] * 40, [3, 30] * 20, 0),  # all at one minute of the week, none of much weight
        ([0] * 40, [3, 30] * 20, 5000),
        (list(range(0, 10_000, 250)), [1000, 1, 10, 100] * 10, 0),  # over the end of the week
        (list(range(0, 10_000, 250)), [1000, 1, 10, 100] * 10, 9990),
        (list(range(0, 10_000, 250)), [1, 2, 3, 4] * 10, 4321),
        ([7, 7, 7], [1, 1000, 2], 7),
        ([*range(0, 1000, 5)], [1] * 180 + [500] * 20, 400),  # far from those that weigh most
    ],
)
def test_cases_are_copied_by_their_weights(begin, keep, at):
    when = np.full(DRAWS, MONDAY + at * MINUTE)
    done = resample(process_of(begin, keep), when, Streams(3))
    count = np.bincount(done.activity, minlength=len(begin))
    chance = expected(begin, keep, at)
    assert not count[chance == 0].any()
    # Rare ones together, so that the statistic has its limiting distribution.
    common = chance * DRAWS >= 5
    seen = np.append(count[common], count[~common].sum())
    told = np.append(chance[common], chance[~common].sum()) * DRAWS
    held = told > 0
    assert stats.chisquare(seen[held], told[held]).pvalue > 1e-4
