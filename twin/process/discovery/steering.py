"""Which case attributes steer routes: at each point of decision (what follows an activity, or the start).

There the chance of each follower given the whole history is multiplied by a factor for the level of the attribute. An
attribute is kept if level and follower depend on each other beyond chance (G test on the first decision of each case,
corrected for the number of tests), and if the factors predict cases they were not fitted to better than none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from twin.process.discovery.attributes import Feature
from twin.process.discovery.columns import Bool, Float, Int, LogColumns
from twin.process.discovery.effects import CHANCE
from twin.process.discovery.model import DiscoveredProcess, Routes
from twin.process.discovery.pieces import RouteEffect
from twin.process.discovery.routes import Trie, fixed_routes, trie_of

_FEWEST = 40
_FOLDS = 4
_PARTS = range(_FOLDS)
_LEAST = 0.01
_ERRORS = 2.0
_MOST = 3
_SHRINKAGES = (2.0, 10.0, 50.0)
_EXPECTED = 5.0
_ROUNDS = 6
_ATTRIBUTES = 4
"""No more attributes than this steer the routes of one log: their levels combine."""


@dataclass(frozen=True)
class Steps:
    """Decisions: every activity of every case, and its end.

    Attributes:
        case: of each step.
        last: activity before it, K at the start.
        follower: what was chosen, K = the end.
        kind: decisions of one kind have the same chances.
        chance: of each follower, by kind, from cases of other folds.
        mass: of each case.
    """

    case: Int
    last: Int
    follower: Int
    kind: Int
    chance: Float
    mass: Float


def fit_steering(log: LogColumns, weight: Float, routes: Routes, features: list[Feature]) -> list[RouteEffect]:
    """Factors of followers by levels of attributes that hold beyond chance.

    Args:
        log: the log.
        weight: of each case.
        routes: as fitted; their depth and shrinkage are used for the held-out chances.
        features: of the attributes, levels by case.
    """
    k = len(log.activities)
    case, last, follower, first = _decisions(log)
    # As many as independent cases that all weigh alike would tell as much.
    mass = weight * weight.sum() / (weight**2).sum()
    tests = max(1, (k + 1) * len(features))
    likely: dict[int, list[tuple[float, Feature]]] = {}
    for at in range(k + 1):
        rows = np.flatnonzero((last == at) & (first == 1))
        for feature in features:
            p = _dependence(feature.level[case[rows]], follower[rows], mass[case[rows]], len(feature.labels), k + 1)
            if p * tests <= CHANCE:
                likely.setdefault(at, []).append((p, feature))
    if not likely:
        return []
    steps = Steps(case, last, follower, *_held_out_chances(log, weight, routes), mass)
    found: list[RouteEffect] = []
    for at in sorted(likely):
        found += _at_point(log, steps, at, [feature for _, feature in sorted(likely[at], key=lambda pair: pair[0])])
    share: dict[str, float] = {}
    for effect in found:
        share[effect.by] = share.get(effect.by, 0.0) + effect.explained
    kept = sorted(share, key=lambda name: -share[name])[:_ATTRIBUTES]
    return [effect for effect in found if effect.by in kept]


def _decisions(log: LogColumns) -> tuple[Int, Int, Int, Int]:
    k = len(log.activities)
    sizes = np.diff(log.offset) + 1
    ends = np.cumsum(sizes)
    total = int(ends[-1])
    follower, last = np.full(total, k, np.int64), np.full(total, k, np.int64)
    inner = np.ones(total, bool)
    inner[ends - 1] = False
    follower[inner] = log.activity
    inner = np.ones(total, bool)
    inner[ends - sizes] = False
    last[inner] = log.activity
    case = np.repeat(np.arange(log.cases), sizes)
    first = np.zeros(total, np.int64)
    first[np.unique(case * (k + 1) + last, return_index=True)[1]] = 1
    return case, last, follower, first


def _dependence(level: Int, follower: Int, mass: Float, levels: int, followers: int) -> float:
    """Chance of a dependence of level and follower at least as strong if there were none."""
    rows = np.flatnonzero(level >= 0)
    if len(rows) < _FEWEST:
        return 1.0
    cell = level[rows] * followers + follower[rows]
    table = np.bincount(cell, mass[rows], levels * followers).reshape(levels, followers)
    table = table[table.sum(axis=1) > 0]
    # Seldom followers are taken together, so that the statistic has its limiting distribution.
    common = table.sum(axis=0) >= _EXPECTED * len(table)
    table = np.column_stack([table[:, common], table[:, ~common].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    g = 2.0 * float((table * np.log(np.maximum(table, 1e-300) / expected))[table > 0].sum())
    return float(stats.chi2.sf(g, (table.shape[0] - 1) * (table.shape[1] - 1)))


def _held_out_chances(log: LogColumns, weight: Float, routes: Routes) -> tuple[Int, Float]:
    """Kind of each step, and chances of all followers by kind, from a tree fitted to the cases of the other folds."""
    k = len(log.activities)
    kind = np.zeros(len(log.case) + log.cases, np.int64)
    fold = np.arange(log.cases) % _FOLDS
    tables: list[Float] = []
    for held in range(_FOLDS):
        if not (fold != held).any():
            continue
        part = log.take(fold != held)
        trie = trie_of(fixed_routes(part, weight[fold != held], routes), k)
        before = sum(map(len, tables))
        tables.append(np.diff(trie.chance, axis=1, prepend=0.0))
        for c in np.flatnonzero(fold == held).tolist():
            a, b = int(log.offset[c]), int(log.offset[c + 1])
            kind[a + c : b + c + 1] = _nodes(trie, log.activity[a:b].tolist(), routes.depth, k)
            kind[a + c : b + c + 1] += before
    return kind, np.concatenate(tables)


def _nodes(trie: Trie, trace: list[int], depth: int, k: int) -> list[int]:
    child, found = trie.child, []
    for at in range(len(trace) + 1):
        node = 0
        for back in range(depth):
            symbol = trace[at - 1 - back] if back < at else k
            following = int(child[node, symbol])
            if following < 0:
                break
            node = following
            if back >= at:
                break
        found.append(node)
    return found


def _at_point(log: LogColumns, steps: Steps, at: int, features: list[Feature]) -> list[RouteEffect]:
    """The attributes that help at one point of decision, the most significant first."""
    k = len(log.activities)
    rows = np.flatnonzero(steps.last == at)
    case, follower = steps.case[rows], steps.follower[rows]
    kinds, kind = np.unique(steps.kind[rows], return_inverse=True)
    chance = np.maximum(steps.chance[kinds], 1e-9)
    chance /= chance.sum(axis=1, keepdims=True)
    cases, number = np.unique(case, return_inverse=True)
    weighs = steps.mass[cases]
    part = number * _FOLDS // max(len(cases), 1)
    mass = steps.mass[case]
    everything = float(-(mass * np.log2(chance[kind, follower])).sum())
    found: list[RouteEffect] = []
    for feature in features[: 2 * _MOST]:
        here = _Decisions.of(chance, kind, feature.level[case], follower, mass, len(feature.labels))
        best, chosen, tilted = 0.0, 0.0, np.zeros((0, 0, 0))
        for shrinkage in _SHRINKAGES:
            trial = np.stack([_tilt(here.chance, here.factors(part != held, shrinkage), here.level) for held in _PARTS])
            gains = np.bincount(number, np.log2(trial[part, here.cell, follower] / chance[kind, follower]))
            gain = float((weighs * gains).sum())
            mean = gain / weighs.sum()
            error = float(np.sqrt((weighs * (gains - mean) ** 2).sum() * (weighs**2).sum() / weighs.sum() ** 3))
            if mean > _ERRORS * error and gain > max(best, _LEAST * everything):
                best, chosen, tilted = gain, shrinkage, trial
        if not best:
            continue
        factor = here.factors(np.ones(len(rows), bool), chosen)
        used = np.flatnonzero(np.bincount(follower, minlength=k + 1) > 0)
        found.append(
            RouteEffect(
                after=log.activities[at] if at < k else "",
                by=feature.name,
                levels=feature.labels,
                followers=[log.activities[s] if s < k else "" for s in used.tolist()],
                factor=[[round(float(x), 4) for x in row] for row in factor[:, used]],
                explained=round(best / everything, 4),
            )
        )
        if len(found) == _MOST:
            break
        kind = part * tilted.shape[1] + here.cell
        chance = tilted.reshape(-1, k + 1)
    return found


@dataclass(frozen=True)
class _Decisions:
    """Decisions at one point, those with the same chances and the same level of an attribute taken together.

    Attributes:
        chance: of each follower, by cell.
        level: of each cell, -1 = unknown.
        cell: of each decision.
        choice: level and follower of each decision as one number, -1 where the level is unknown.
        follower: of each decision.
        mass: of each decision.
        levels: their number.
    """

    chance: Float
    level: Int
    cell: Int
    choice: Int
    follower: Int
    mass: Float
    levels: int

    @classmethod
    def of(cls, chance: Float, kind: Int, level: Int, follower: Int, mass: Float, levels: int) -> _Decisions:
        """From the chances by kind, and the kinds, levels, followers and masses of the decisions."""
        cells, cell = np.unique(kind * (levels + 1) + level + 1, return_inverse=True)
        choice = np.where(level >= 0, level * chance.shape[1] + follower, -1)
        return cls(chance[cells // (levels + 1)], cells % (levels + 1) - 1, cell, choice, follower, mass, levels)

    def factors(self, rows: Bool, shrinkage: float) -> Float:
        """Observed over expected number of each follower at each level, leaning to 1 by `shrinkage` cases.

        Iterative scaling towards the observed numbers and `shrinkage` assumed cases that decide as all do.

        Args:
            rows: decisions that count.
            shrinkage: cases.
        """
        k = self.chance.shape[1]
        times = np.bincount(self.cell[rows], self.mass[rows], len(self.level))
        used = np.flatnonzero((times > 0) & (self.level >= 0))
        chance, level, number = self.chance[used], self.level[used], times[used, None]
        at = (level[:, None] * k + np.arange(k)).ravel()
        known = rows & (self.choice >= 0)
        seen = np.bincount(self.choice[known], self.mass[known], self.levels * k).reshape(self.levels, k)
        prior = np.bincount(self.follower[rows], self.mass[rows], k) / max(float(self.mass[rows].sum()), 1e-9)
        factor = np.ones((self.levels, k))
        for _ in range(_ROUNDS):
            expected = np.bincount(at, (_tilt(chance, factor, level) * number).ravel(), self.levels * k)
            assumed = _tilt(np.tile(prior, (self.levels, 1)), factor, np.arange(self.levels))
            factor *= (seen + shrinkage * prior) / np.maximum(
                expected.reshape(self.levels, k) + shrinkage * assumed, 1e-9
            )
            factor = np.where(seen.sum(axis=1, keepdims=True) > 0, np.clip(factor, 1e-4, 1e4), 1.0)
        return factor


def _tilt(chance: Float, factor: Float, level: Int) -> Float:
    found = chance * np.vstack([factor, np.ones(factor.shape[1])])[level]
    return np.asarray(found / found.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Steered:
    """Route factors as the kernels want them.

    Attributes:
        profile: of each row of attributes; -1 = not steered.
        factor: profile x activity before (K = start) x follower (K = end).
    """

    profile: Int
    factor: Float


def steered_of(process: DiscoveredProcess, features: list[Feature]) -> Steered:
    """One profile for each observed combination of the levels that steer."""
    k = len(process.activities)
    by_name = {feature.name: feature for feature in features}
    effects = [effect for effect in process.steering if effect.by in by_name]
    if not effects:
        rows = len(features[0].level) if features else 0
        return Steered(np.full(rows + 1, -1, np.int64), np.ones((1, k + 1, k + 1)))
    names = sorted({effect.by for effect in effects})
    combined = np.stack([by_name[name].level for name in names], axis=1)
    kept, profile = np.unique(combined, axis=0, return_inverse=True)
    index = {name: i for i, name in enumerate([*process.activities, ""])}
    factor = np.ones((len(kept), k + 1, k + 1))
    for effect in effects:
        level = kept[:, names.index(effect.by)]
        table = np.vstack([np.array(effect.factor), np.ones(len(effect.followers))])[level]
        for j, follower in enumerate(effect.followers):
            factor[:, index[effect.after], index[follower]] *= table[:, j]
    return Steered(np.append(profile.ravel(), -1).astype(np.int64), factor)
