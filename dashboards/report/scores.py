"""The scorecard's rows: each measure in both runs, the paired difference, and what it means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dashboards.report.recording import Recording
from dashboards.report.words import say
from twin.measures.scorecard import DIMENSIONS, REGISTRY
from twin.measures.statistics import Direction, Estimate, Verdict, estimate, paired_difference

Floats = npt.NDArray[np.float64]
SIGNS = {
    Verdict.BETTER: "▲",
    Verdict.WORSE: "▼",
    Verdict.MORE: "↑",
    Verdict.LESS: "↓",
    Verdict.CANT_TELL: "○",
    Verdict.SAME: "=",
    Verdict.ROSE_ONCE: "△",
    Verdict.FELL_ONCE: "▽",
}
"""A sign beside each verdict's word, so that colour never speaks alone."""


@dataclass(frozen=True)
class Row:
    """One measure of the scorecard; NaN stands for what is not known."""

    dimension: str
    measure: str
    segment: str
    label: str
    unit: str
    baseline: float
    scenario: float
    difference: float
    low: float
    high: float
    verdict: Verdict | None

    @property
    def relative(self) -> tuple[float, float, float] | None:
        """Difference and its interval as fractions of the baseline; None where the baseline is zero or unknown."""
        if not math.isfinite(self.difference) or not math.isfinite(self.baseline) or self.baseline == 0:
            return None
        size = abs(self.baseline)
        return self.difference / size, self.low / size, self.high / size

    @property
    def is_headline(self) -> bool:
        """Whether it belongs to the short scorecard."""
        return not self.segment and self.measure in REGISTRY and REGISTRY[self.measure].is_headline


def rows(scenario: Recording, baseline: Recording | None, language: str) -> list[Row]:
    """Every measure of either run, in the registry's order, unknown ones last; segments in the order of recording."""
    keys = dict.fromkeys([*scenario.measures, *(baseline.measures if baseline else ())])
    order = {name: place for place, name in enumerate(REGISTRY)}
    ordered = sorted(keys, key=lambda key: (order.get(key[1], len(order)), bool(key[2])))
    return [_row(key, scenario, baseline, language) for key in ordered]


def _row(key: tuple[str, str, str], scenario: Recording, baseline: Recording | None, language: str) -> Row:
    dimension, name, segment = key
    entry = REGISTRY.get(name)
    direction, unit = (entry.direction, entry.unit) if entry else (Direction.NEUTRAL, "")
    after = _known(scenario, key)
    before = _known(baseline, key) if baseline else {}
    mean, shown = _mean(after), Estimate(math.nan, None, 0)
    verdict: Verdict | None = None
    middle = math.nan
    if baseline is None:
        shown = estimate(list(after.values())) if after else shown
    elif pairs := sorted(set(before) & set(after)):
        result = paired_difference([before[r] for r in pairs], [after[r] for r in pairs], direction)
        shown, verdict, middle = result.estimate, result.verdict, result.estimate.mean
    low, high = shown.interval or (math.nan, math.nan)
    return Row(dimension, name, segment, label(name, language), unit, _mean(before), mean, middle, low, high, verdict)


def _known(run: Recording, key: tuple[str, str, str]) -> dict[int, float]:
    """Finite values of a measure by replication."""
    values = run.measures.get(key)
    if values is None:
        return {}
    return {r: float(v) for r, v in zip(run.replications, values, strict=True) if math.isfinite(v)}


def _mean(values: dict[int, float]) -> float:
    return math.fsum(values.values()) / len(values) if values else math.nan


def label(name: str, language: str) -> str:
    """A measure's name in a language; its key, spelt out, when the registry does not know it."""
    entry = REGISTRY.get(name)
    return entry.label(language) if entry else say(name, language)


def relabel(rows: Sequence[Row], language: str) -> list[Row]:
    """The rows with labels in another language."""
    return [replace(row, label=label(row.measure, language)) for row in rows]


def dimensions(rows: Sequence[Row]) -> list[str]:
    """The dimensions of the rows: the three of the scorecard first, then others by name."""
    known = {row.dimension for row in rows}
    return [d for d in DIMENSIONS if d in known] + sorted(known - set(DIMENSIONS))


def missing(rows: Sequence[Row], language: str) -> list[str]:
    """Labels of the registry's measures that the runs do not have."""
    known = {row.measure for row in rows}
    return [entry.label(language) for name, entry in REGISTRY.items() if name not in known]
