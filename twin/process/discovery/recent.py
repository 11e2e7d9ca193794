"""The latest part of a log: a process that has changed is found there, with fewer cases."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

from twin.process.discovery.columns import SECOND, Float, LogColumns
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.split import split_by_case

SHARES = {"latest half": 0.5}
"""Parts of the cases, by their first instants, that rival with all of them; by the name that a rival gets."""
_BLOCKS = 12
_SURE = 0.01
_SELDOM = 0.02
_NOTHING = 1e-9
_FEWEST = 60
"""A part of fewer cases tells too little to rival with the whole."""


def has_changed(log: LogColumns) -> bool:
    """Whether later cases differ from earlier ones, in how long they last or in which activities they have.

    The cases, in order of their first instants, are divided into twelve blocks, whose means stand for themselves, so
    that a busy week is no change. Welch's test compares the first six with the last six, and a regression looks for a
    trend; the least of all probabilities, times their number (Bonferroni), must be below 1%.
    """
    if log.cases < _BLOCKS * 4:
        return False
    block = np.empty(log.cases, np.int64)
    block[np.argsort(log.first, kind="stable")] = np.arange(log.cases) * _BLOCKS // log.cases
    size = np.bincount(block, minlength=_BLOCKS)
    rows = np.log1p((log.last - log.first) / SECOND)[None, :]
    held = np.zeros((len(log.activities), log.cases))
    held[log.activity, log.case] = 1.0
    share = held.mean(axis=1)
    rows = np.concatenate([rows, held[(share > _SELDOM) & (share < 1.0 - _SELDOM)]])
    means = np.stack([np.bincount(block, weights=row, minlength=_BLOCKS) / size for row in rows])
    means = means[means.std(axis=1) > _NOTHING]
    return bool(len(means)) and 2 * len(means) * min(map(_least, means)) < _SURE


def _least(means: Float) -> float:
    """The smaller probability of the two tests, were there no change."""
    early, late = means[: _BLOCKS // 2], means[_BLOCKS // 2 :]
    varied, step = max(early.std(), late.std()) > _NOTHING, 0.0
    if varied:
        with warnings.catch_warnings():
            # One half may be constant, which SciPy takes for a loss of precision.
            warnings.simplefilter("ignore", RuntimeWarning)
            step = float(stats.ttest_ind(early, late, equal_var=False).pvalue)
    return min(step, float(stats.linregress(np.arange(_BLOCKS), means).pvalue))


def latest(log: EventLog, share: float) -> EventLog | None:
    """The cases that began last; None if these are too few.

    Args:
        log: in order of the cases' first instants, as logs are.
        share: of the cases.
    """
    return split_by_case(log, 1.0 - share)[1] if share * log.cases >= _FEWEST else None


def part_of(rival: str) -> tuple[str, str]:
    """What a rival is but for the part of the log that it was fitted to, and the name of that part, if any."""
    for name in SHARES:
        if rival.endswith(f", {name}"):
            return rival.removesuffix(f", {name}"), name
    return rival, ""
