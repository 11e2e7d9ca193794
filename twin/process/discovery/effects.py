"""What case attributes and the hour do to service times: factors, kept only if they are there beyond chance.

For each activity the logarithm of service times, less its mean for the person (or the activity), is compared between
levels: Kruskal and Wallis's test of the means of cases (1952), corrected for the number of tests (Bonferroni). A
feature that passes must also explain a share of the variance in parts of the log to which it was not fitted. Further
features are tried on what is left.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from twin.process.discovery.attributes import Feature
from twin.process.discovery.columns import DAY, HOUR, SECOND, Bool, Float, Int, LogColumns, week_time
from twin.process.discovery.pieces import ServiceEffect

CHANCE = 0.01
"""Probability, over all tests of a log, of finding anything where there is nothing."""
_LEAST = 0.01
"""A feature must explain so much of the variance in parts of the log it was not fitted to ..."""
_ERRORS = 2.0
"""... and its gain there must be so many standard errors from zero."""
_PARTS = 4
_OWN = 30
_FEWEST = 40
_MOST = 3
_HOURS = 24
HOUR_NAME = "hour of the day"


def hours_of(log: LogColumns) -> Feature:
    """The hour of the day, UTC, at which each instance began."""
    labels = [f"{hour:02d}:00" for hour in range(_HOURS)]
    return Feature(HOUR_NAME, labels, week_time(log.start) // HOUR % _HOURS, clock=True)


def fit_effects(log: LogColumns, work: Int, features: list[Feature]) -> list[ServiceEffect]:
    """Factors of service times that hold beyond chance.

    Args:
        log: the log.
        work: service time of each instance, ns; those of less than a second say nothing here.
        features: attributes (levels by case) and the clock (levels by instance).
    """
    k = len(log.activities)
    features = [feature for feature in features if len(feature.labels) > 1]
    left = _residuals(log, work)
    found: list[ServiceEffect] = []
    clock = [feature for feature in features if feature.clock]
    tests = max(1, k * len(features) + len(clock))
    if clock:
        found += _steps(log, left, np.isfinite(left), "", clock, tests)
    for a in range(k):
        mine = np.isfinite(left) & (log.activity == a)
        found += _steps(log, left, mine, log.activities[a], features, tests)
    return found


def _residuals(log: LogColumns, work: Int) -> Float:
    """Logarithms of service times less the mean of the activity and person; NaN for instants."""
    k, r = len(log.activities), max(1, len(log.resources))
    rows = np.flatnonzero(work >= SECOND)
    value = np.log(work[rows].astype(np.float64))
    activity, cell = log.activity[rows], log.activity[rows] * r + log.resource[rows]
    cell = np.where(log.resource[rows] >= 0, cell, k * r)
    count = np.bincount(cell, minlength=k * r + 1)
    count[k * r] = 0
    by_cell = np.bincount(cell, value, k * r + 1) / np.maximum(count, 1)
    by_activity = np.bincount(activity, value, k) / np.maximum(np.bincount(activity, minlength=k), 1)
    left = np.full(len(work), np.nan)
    left[rows] = value - np.where(count[cell] >= _OWN, by_cell[cell], by_activity[activity])
    return left


def _steps(
    log: LogColumns, left: Float, mine: Bool, activity: str, features: list[Feature], tests: int
) -> list[ServiceEffect]:
    """The features that hold for one activity, the most significant first; their effect is taken from `left`."""
    rows = np.flatnonzero(mine)
    found: list[ServiceEffect] = []
    rivals = list(features)
    while rivals and len(found) < _MOST and len(rows) >= _FEWEST:
        chances = [_evidence(feature, log, rows, left[rows]) for feature in rivals]
        best = int(np.argmin(chances))
        feature = rivals.pop(best)
        if chances[best] * tests > CHANCE:
            break
        level = _levels(feature, log, rows)
        unit = _unit(feature, log, rows)
        explained = _held_out(level, left[rows], unit, len(feature.labels))
        if explained < _LEAST:
            continue
        effect = _means(level, left[rows], unit, len(feature.labels))
        left[rows] -= np.append(effect, 0.0)[level]
        factor = [round(float(np.exp(x)), 4) for x in effect]
        found.append(
            ServiceEffect(
                activity=activity,
                by=feature.name,
                clock=feature.clock,
                levels=feature.labels,
                factor=factor,
                explained=round(explained, 4),
            )
        )
    return found


def _levels(feature: Feature, log: LogColumns, rows: Int) -> Int:
    return feature.level[rows] if feature.clock else feature.level[log.case[rows]]


def _evidence(feature: Feature, log: LogColumns, rows: Int, value: Float) -> float:
    """Probability that chance alone makes the levels differ so much; hours must differ within days, too."""
    level, unit = _levels(feature, log, rows), _unit(feature, log, rows)
    chance = _chance(level, value, unit)
    if not feature.clock:
        return chance
    several = np.bincount(np.unique(unit * _HOURS + level) // _HOURS)[unit] > 1
    mean = np.bincount(unit, value) / np.bincount(unit)
    return max(chance, _chance(level[several], (value - mean[unit])[several], unit[several]))


def _unit(feature: Feature, log: LogColumns, rows: Int) -> Int:
    """What gives one piece of evidence: the case; for the clock a person's day, as work of one day may be alike."""
    if not feature.clock:
        return log.case[rows]
    day = (log.start[rows] - int(log.start.min())) // DAY
    return np.unique(day * (len(log.resources) + 1) + log.resource[rows] + 1, return_inverse=True)[1].astype(np.int64)


def _units(level: Int, value: Float, case: Int) -> tuple[Int, Float, Int]:
    """One value for each case (or person's day) and level: repeated work in it is no evidence of its own."""
    rows = np.flatnonzero(level >= 0)
    key = case[rows] * (level.max() + 2) + level[rows]
    _, first, inverse, count = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    return level[rows][first], np.bincount(inverse, value[rows]) / count, case[rows][first]


def _chance(level: Int, value: Float, case: Int) -> float:
    """Probability of differences between levels at least as large as these if there were none."""
    if level.max(initial=-1) < 0:
        return 1.0
    group, mean, _ = _units(level, value, case)
    ranks = stats.rankdata(mean)
    n, size = len(mean), np.bincount(group)
    used = size > 0
    if used.sum() < 2 or n < _FEWEST:
        return 1.0
    total = np.bincount(group, ranks)[used]
    spread = float(((ranks - (n + 1) / 2) ** 2).sum()) / (n - 1)
    if spread <= 0:
        return 1.0
    statistic = float((size[used] * (total / size[used] - (n + 1) / 2) ** 2).sum()) / spread
    return float(stats.chi2.sf(statistic, int(used.sum()) - 1))


def _means(level: Int, value: Float, case: Int, levels: int) -> Float:
    """Mean of each level, shrunk to the common mean by as much as chance spreads the means (empirical Bayes)."""
    group, mean, _ = _units(level, value, case)
    size = np.bincount(group, minlength=levels)
    own = np.bincount(group, mean, levels) / np.maximum(size, 1)
    within = float(((mean - own[group]) ** 2).sum()) / max(len(mean) - int((size > 0).sum()), 1)
    centre = float(mean.mean())
    between = float((size * (own - centre) ** 2).sum() - within * (int((size > 0).sum()) - 1)) / max(len(mean), 1)
    if between <= 0:
        return np.zeros(levels)
    return (own - centre) * (size / (np.maximum(size, 1) + within / between))


def _held_out(level: Int, value: Float, case: Int, levels: int) -> float:
    """Share of the variance explained in each quarter of the log by the others; 0 if that may be chance."""
    rows = np.flatnonzero(level >= 0)
    level, value, case = level[rows], value[rows], case[rows]
    _, number = np.unique(case, return_inverse=True)
    part = number * _PARTS // max(int(number.max(initial=0)) + 1, 1)
    gain = np.zeros(len(value))
    for held in range(_PARTS):
        out = part == held
        if out.all() or not out.any():
            continue
        centre = float(value[~out].mean())
        effect = _means(level[~out], value[~out], case[~out], levels)
        gain[out] = (value[out] - centre) ** 2 - (value[out] - centre - effect[level[out]]) ** 2
    total = float(((value - value.mean()) ** 2).sum())
    gains = np.bincount(number, gain)
    error = float(gains.std() / np.sqrt(len(gains))) if len(gains) else 0.0
    if total <= 0 or gains.mean() <= _ERRORS * error:
        return 0.0
    return float(gain.sum()) / total


def pace_of(
    effects: list[ServiceEffect], activities: list[str], features: list[Feature], activity: Int, row: Int
) -> Float:
    """Factor of the attributes for each instance; 1 for rows of -1.

    Args:
        effects: as fitted; those of the clock are left out.
        activities: names.
        features: of the attributes.
        activity: of each instance.
        row: of the attributes, for each instance.
    """
    pace = np.ones(len(activity))
    by_name = {feature.name: feature for feature in features}
    for effect in effects:
        if effect.clock or effect.by not in by_name:
            continue
        mine = np.flatnonzero(activity == activities.index(effect.activity))
        level = np.append(by_name[effect.by].level, -1)[row[mine]]
        pace[mine] *= np.append(np.array(effect.factor), 1.0)[level]
    return pace


def hour_table(effects: list[ServiceEffect], activities: list[str]) -> Float:
    """Factor of each activity by hour of the day, UTC, shape (activities, 24)."""
    table = np.ones((len(activities), _HOURS))
    for effect in effects:
        if effect.clock:
            mine = slice(None) if not effect.activity else activities.index(effect.activity)
            table[mine] *= np.array(effect.factor)
    return table
