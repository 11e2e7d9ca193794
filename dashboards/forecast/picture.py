"""Fan charts of a forecast, and rank histograms of a backtest."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.figure import Figure

from dashboards.forecast.tables import measures_of
from dashboards.forecast.words import say
from dashboards.report.figures import figure
from dashboards.report.style import BASELINE, BREACH, SCENARIO, look, picture_language, png
from twin.process.forecasting.civil import zone_of
from twin.process.forecasting.evaluate import DELIVERED, TWIN, Score
from twin.process.forecasting.forecast import Forecast
from twin.process.forecasting.measures import MEASURES
from twin.process.forecasting.scores import BINS

_BEFORE = 1.5
"""Horizons of past that the picture shows."""
_FANS = ((0, 6, 0.15, 95), (1, 5, 0.22, 80), (2, 4, 0.35, 50))


def fan_chart(found: Forecast, language: str, truth: Any = None, zone: str = "UTC") -> Figure:
    """Past actuals and bands of every measure, two to a row.

    Args:
        found: the forecast.
        language: of the words.
        truth: (interval, measure) that came, drawn as well where it is known.
        zone: whose clocks the axis shows.
    """
    language = picture_language(language)
    shown = measures_of(found)
    with look(language):
        fig, axes = figure(-(-len(shown) // 2), 2, height=2.1 * -(-len(shown) // 2) + 0.4, sharex=True)
        flat = axes.ravel()
        for place, m in enumerate(shown):
            _fan(flat[place], found, m, language, truth, zone)
        for axis in flat[len(shown) :]:
            axis.set_visible(False)
        locator = mdates.AutoDateLocator(minticks=3, maxticks=7, tz=zone_of(zone))
        flat[0].xaxis.set_major_locator(locator)
        flat[0].xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=zone_of(zone)))
        fig.legend(*flat[0].get_legend_handles_labels(), loc="outside upper center", fontsize=8, ncols=6)
    return fig


def _fan(axis: Any, found: Forecast, m: int, language: str, truth: Any, zone: str) -> None:
    bands = found.bands()[:, :, m]
    keep = found.past_edges[1:] > found.instant - int(_BEFORE * found.plan.horizon)
    past, ahead = (_dates(of, zone) for of in (found.past_edges[1:][keep], found.edges[1:]))
    axis.plot(past, found.past[keep, m], color=BASELINE, label=say("past", language))
    for low, high, alpha, share in _FANS:
        label = say("band", language, n=share)
        axis.fill_between(ahead, bands[low], bands[high], color=SCENARIO, alpha=alpha, lw=0, label=label)
    axis.plot(ahead, bands[3], color=SCENARIO, label=say("median", language))
    if truth is not None:
        axis.plot(ahead, truth[:, m], color=BREACH, lw=1.2, label=say("came", language))
    axis.axvline(_dates(np.array([found.instant]), zone)[0], color=BASELINE, lw=0.8, ls=":")
    axis.set_title(say(MEASURES[m], language))
    axis.set_ylim(bottom=0)


def _dates(instants: Any, zone: str) -> Any:
    return [dt.datetime.fromtimestamp(int(t) // 10**9, tz=zone_of(zone)) for t in instants]


def rank_histograms(scores: list[Score], language: str) -> Figure:
    """Ranks of the truth in the ensemble: flat if the bands are right."""
    language = picture_language(language)
    with look(language):
        fig, axes = figure(-(-len(scores) // 4), 4, height=1.9 * -(-len(scores) // 4) + 0.4, sharey=True)
        centre = (np.arange(BINS) + 0.5) / BINS
        for axis, score in zip(axes.ravel(), scores, strict=False):
            axis.bar(centre, score.histogram[DELIVERED], 0.9 / BINS, color=SCENARIO, label=say(DELIVERED, language))
            axis.step(
                [0, *(centre + 0.5 / BINS)],
                [score.histogram[TWIN][0], *score.histogram[TWIN]],
                where="pre",
                color=BASELINE,
                label=say(TWIN, language),
            )
            axis.axhline(1 / BINS, color=BREACH, lw=0.8, ls=":")
            axis.set_title(say(score.measure, language), fontsize=8.5)
        for axis in axes.ravel()[len(scores) :]:
            axis.set_visible(False)
        axes[0, 0].legend(fontsize=7)
        for axis in axes[-1]:
            axis.set_xlabel(say("pit", language))
    return fig


def write(fig: Figure, folder: Path, name: str, language: str) -> list[Path]:
    """A figure as SVG and PNG files."""
    stream = io.BytesIO()
    with look(picture_language(language)):
        fig.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    paths[0].write_bytes(stream.getvalue())
    paths[1].write_bytes(png(fig, picture_language(language)))
    return paths
