"""Picture of a prediction: bands by hour, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from scenarios.calibration.call_centre.mechanism import MEASURES
from scenarios.calibration.call_centre.prediction import Row

_TITLES = {
    "arrivals": "Calls per day and hour",
    "mean_wait_s": "Mean wait, s",
    "abandoned": "Share abandoned",
    "served_within_20_s": "Share served within 20 s",
}
_BAND, _LINE, _HIT, _MISS = "#4c78a8", "#1f4e79", "#222222", "#d62728"


def draw(table: Sequence[Row], path: Path, title: str, band: float = 0.9) -> Path:
    """Draw a table of `rows` and write it as PNG.

    Args:
        table: rows of all measures.
        path: file to write.
        title: above the picture.
        band: level of the bands, for the legend.
    """
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 7), constrained_layout=True)
    for axis, measure in zip(axes.flat, MEASURES, strict=True):
        _panel(axis, [r for r in table if r.measure == measure], band)
        axis.set_title(_TITLES[measure], fontsize=10, loc="left")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9, frameon=False)
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _panel(axis: Any, own: Sequence[Row], band: float) -> None:
    hour = np.array([r.hour + 0.5 for r in own])
    column = {k: np.array([getattr(r, k) for r in own], np.float64) for k in Row.__dataclass_fields__ if k != "measure"}
    axis.fill_between(
        hour, column["day_low"], column["day_high"], color=_BAND, alpha=0.15, lw=0, label=f"one day, {band:.0%}"
    )
    axis.fill_between(
        hour,
        column["month_low"],
        column["month_high"],
        color=_BAND,
        alpha=0.45,
        lw=0,
        label=f"mean of the month, {band:.0%}",
    )
    axis.plot(hour, column["median"], color=_LINE, lw=1.2, label="predicted")
    hit = column["inside"] > 0
    known = np.isfinite(column["actual"])
    axis.plot(hour[hit & known], column["actual"][hit & known], "o", color=_HIT, ms=4, label="happened, inside")
    axis.plot(hour[~hit & known], column["actual"][~hit & known], "D", color=_MISS, ms=5, label="happened, outside")
    axis.set_xlabel("hour of the day", fontsize=9)
    axis.set_ylim(bottom=0)
    axis.set_xticks(range(int(hour.min()), int(hour.max()) + 2, 2))
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25, lw=0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
