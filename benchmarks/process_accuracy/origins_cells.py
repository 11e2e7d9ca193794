"""What the origins of a log come to: means, ratios and counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.process_accuracy.levels import Level
from benchmarks.process_accuracy.origins import AtOrigin
from benchmarks.process_accuracy.report import FAR, UNITS, text
from benchmarks.process_accuracy.tasks import Task
from twin.measures.log_distances import NAMES

FORECASTS = ("twin", "naive", "complete")
"""Of the level of arrivals: names of the attributes of `Level`."""


@dataclass(frozen=True)
class Cell:
    """One distance of one log over its origins.

    Attributes:
        log: name.
        metric: one of the five distances.
        origins: how many.
        twin: mean over the origins of the mean over the simulated logs.
        replay: mean over the origins.
        geometric: geometric mean of the ratios at the origins, without those to or of 0; NaN = there is no other.
        better: at so many origins the twin is nearer than replay.
    """

    log: str
    metric: str
    origins: int
    twin: float
    replay: float
    geometric: float
    better: int

    @property
    def ratio(self) -> float:
        """Of the means, twin over replay; NaN where replay is 0."""
        return ratio(self.twin, self.replay)

    @property
    def far(self) -> bool:
        """Whether the twin is much farther than replay."""
        return self.twin > FAR * self.replay

    def texts(self) -> list[str]:
        """The cells of its row in a table."""
        mean = [text(value) for value in (self.twin, self.replay)]
        ratios = [ratio_text(value) for value in (self.ratio, self.geometric)]
        return [self.log, self.metric + UNITS[self.metric], str(self.origins), *mean, *ratios, f"{self.better}"]


def by_log(results: Sequence[AtOrigin]) -> list[list[AtOrigin]]:
    """The results of each log, logs in the order in which they first come."""
    logs: dict[Task, list[AtOrigin]] = {}
    for result in results:
        logs.setdefault(result.task, []).append(result)
    return list(logs.values())


def cells_of(mine: Sequence[AtOrigin]) -> list[Cell]:
    """The five cells of one log's origins, of which there is at least one."""
    return [_cell(mine, metric) for metric in NAMES]


def _cell(mine: Sequence[AtOrigin], metric: str) -> Cell:
    pairs = [pair(result, metric) for result in mine]
    return Cell(
        log=mine[0].task.name,
        metric=metric,
        origins=len(mine),
        twin=float(np.mean([twin for twin, _ in pairs])),
        replay=float(np.mean([replay for _, replay in pairs])),
        geometric=geometric(ratio(*both) for both in pairs),
        better=sum(twin < replay for twin, replay in pairs),
    )


def pair(result: AtOrigin, metric: str) -> tuple[float, float]:
    """Mean distance of the simulated logs, and distance of replay."""
    return result.mean(metric), result.replay.as_dict()[metric]


def ratio(twin: float, replay: float) -> float:
    """Twin over replay; NaN where replay is 0."""
    return twin / replay if replay > 0 else math.nan


def ratio_text(value: float) -> str:
    """A ratio with two digits; nothing if there is none."""
    return "" if math.isnan(value) else f"{value:.2f}"


def geometric(ratios: Iterable[float]) -> float:
    """Geometric mean of the ratios that have a logarithm; NaN = there are none."""
    logs = [math.log(value) for value in ratios if value > 0]
    return math.exp(float(np.mean(logs))) if logs else math.nan


def counts(results: Sequence[AtOrigin]) -> dict[str, int]:
    """Cells (log and distance), better and far behind on average; the same of single origins; ratios without a log."""
    cells = [cell for mine in by_log(results) for cell in cells_of(mine)]
    single = [pair(result, metric) for result in results for metric in NAMES]
    return {
        "cells": len(cells),
        "better": sum(cell.twin < cell.replay for cell in cells),
        "far": sum(cell.far for cell in cells),
        "single": len(single),
        "better_single": sum(twin < replay for twin, replay in single),
        "far_single": sum(twin > FAR * replay for twin, replay in single),
        "zero": sum(twin <= 0 or replay <= 0 for twin, replay in single),
    }


def levels(results: Iterable[AtOrigin]) -> list[Level]:
    """Those that were compared."""
    return [result.level for result in results if isinstance(result.level, Level)]


def mean_errors(found: Sequence[Level]) -> dict[str, float]:
    """Mean absolute error of the logarithm of each forecast of the level; NaN = there is no level."""
    return {of: float(np.mean([level.error(of) for level in found])) if found else math.nan for of in FORECASTS}
