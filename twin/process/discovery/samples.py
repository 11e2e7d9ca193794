"""Fitted tables of times as distributions of a process file."""

from __future__ import annotations

import numpy as np

from twin.process.discovery.columns import Float, Int
from twin.process.discovery.model import DiscoveredProcess, Samples
from twin.process.distributions import Distribution

_POINTS = 100
_LONGEST = 400
"""Samples of at most so many values are kept as they are."""


def law_of(milliseconds: Float | Int) -> Distribution:
    """A distribution from values of equal weight (ms), to four digits; long lists become their hundred quantiles."""
    values = np.sort(np.asarray(milliseconds, np.float64))
    if len(values) > _LONGEST:
        values = np.quantile(values, (np.arange(_POINTS) + 0.5) / _POINTS, method="hazen")
    if not len(values) or values[0] == values[-1]:
        return Distribution.model_validate(f"{round(values[0]) if len(values) else 0} ms")
    seconds = tuple(float(f"{value / 1000:.4g}") for value in values.tolist())
    return Distribution.model_validate({"distribution": "sample", "values": seconds, "unit": "1 s"})


def quantile_law(table: Int) -> Distribution:
    """A distribution from quantiles at equal steps from 0 to 1, ms."""
    steps = np.linspace(0.0, 1.0, len(table))
    return law_of(np.interp((np.arange(_POINTS) + 0.5) / _POINTS, steps, table.astype(np.float64)))


def waits_of(process: DiscoveredProcess) -> dict[int, Distribution]:
    """Delays by wait group that are not zero throughout: extraneous ones, or in `timers` whole waits."""
    staff = process.workforce
    if process.structure == "workforce" and staff is not None:
        tables = staff.delay.reshape(-1, staff.points)
        return {g: quantile_law(row) for g, row in enumerate(tables) if row.any()}
    waits = process.timing.waits
    found = {g: sample_law(waits, g) for g in range(len(waits.group) - 1)}
    return {g: law for g, law in found.items() if law.values or law.mean}


def sample_law(samples: Samples, group: int) -> Distribution:
    """The distribution of a group of weighted samples, at pace 1."""
    a, b = int(samples.group[group]), int(samples.group[group + 1])
    values, weight = samples.milliseconds[a:b].astype(np.float64), samples.keep[a:b].astype(np.float64)
    if len(samples.pace):
        values *= 1000.0 / samples.pace[a:b]
    if not len(values) or not weight.any():
        return law_of(np.zeros(0))
    order = np.argsort(values, kind="stable")
    middle = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
    count = min(_POINTS, len(values))
    return law_of(np.interp((np.arange(count) + 0.5) / count, middle, values[order]))
