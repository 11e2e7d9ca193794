"""Pictures of shares: where applicants are lost, how busy each station is, and the scorecard as a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.ticker import FuncFormatter, PercentFormatter

from dashboards.report.numbers import number, short
from dashboards.report.recording import Recording
from dashboards.report.scores import Row
from dashboards.report.style import BASELINE, BREACH, GOOD, INK, PAPER, RULE, SCENARIO, legend, look
from dashboards.report.words import say
from twin.measures.statistics import Verdict

Floats = npt.NDArray[np.float64]
_DRIP = 0.05  # steps that lose less of 100 applicants in every run are left out
_BUSY = 0.9  # utilisation above which a station is drawn as a breach: queues grow without bound near 1


def _figure(height: float, rows: int = 1, **more: Any) -> tuple[Figure, npt.NDArray[Any]]:
    fig = Figure(figsize=(10.0, height))
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, 1, squeeze=False, **more)[:, 0]


def lost_of_hundred(run: Recording) -> dict[str, float]:
    """Applicants lost in each step, of 100 applications, in the order of recording; empty when not recorded."""
    applications = run.measure("onboarding_applications")
    lost = run.segments("onboarding_lost")
    if applications is None or not lost or not np.nanmean(applications) > 0:
        return {}
    return {step: 100 * float(np.nanmean(values) / np.nanmean(applications)) for step, values in lost.items()}


def funnel(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """A Sankey diagram of 100 applications: the stream goes to the right, those who are lost leave downwards."""
    runs = [(baseline, BASELINE, "baseline")] if baseline else []
    runs.append((scenario, SCENARIO, "scenario"))
    streams = [(lost_of_hundred(run), run, colour, word) for run, colour, word in runs]
    leaky = {step for lost, *_ in streams for step, share in lost.items() if share >= _DRIP}
    streams = [({s: v for s, v in lost.items() if s in leaky}, run, c, w) for lost, run, c, w in streams if lost]
    if not leaky:
        return None
    with look(language):
        fig, axes = _figure(0.3 + 2.6 * len(streams), len(streams), sharex=True, sharey=True)
        for ax, (lost, run, colour, word) in zip(axes, streams, strict=True):
            _stream(ax, lost, colour, language)
            applications = run.measure("onboarding_applications")
            mean = float(np.nanmean(applications)) if applications is not None else 0.0
            ax.set_title(say("of 100 applications", language, run=say(word, language), count=number(round(mean))))
    return fig


def _stream(axes: Axes, lost: dict[str, float], colour: str, language: str) -> None:
    left, x = 100.0, 0.0
    axes.add_patch(Rectangle((-0.1, 0), 0.1, 100, color=colour, lw=0))
    for step, share in lost.items():
        bottom = 100 - left
        axes.add_patch(Rectangle((x, bottom + share), 0.96, left - share, color=colour, alpha=0.38, lw=0))
        if share > 0:
            _leave(axes, x, bottom, share)
        axes.text(x + 0.42, 104, say(step, language), ha="center", va="bottom", fontsize=8.5)
        left -= share
        axes.add_patch(Rectangle((x + 0.96, 100 - left), 0.04, left, color=colour, lw=0))
        x += 1
        axes.text(x - 0.62, -34, f"−{number(round(share, 1))}", ha="center", va="top", color=BREACH, fontweight="bold")
    axes.add_patch(Rectangle((x, 100 - left), 0.1, left, color=colour, lw=0))
    axes.text(
        x + 0.16, 100 - left / 2, f"{number(round(left, 1))}\n{say('stayed', language)}", va="center", fontweight="bold"
    )
    axes.set_xlim(-0.15, x + 1.0)
    axes.set_ylim(-50, 122)
    axes.axis("off")


def _leave(axes: Axes, x: float, bottom: float, share: float) -> None:
    """A branch of the width of those lost, from the stream's lower edge down to the panel's foot."""
    start, end, foot, thick = x + 0.02, x + 0.38, -28.0, share * 0.012
    m = Outline.MOVETO
    c, line = Outline.CURVE4, Outline.LINETO
    half = max(thick, 0.012) / 2
    points = [
        (start, bottom + share),
        (end + half, bottom + share),
        (end + half, bottom),
        (end + half, foot),
        (end - half, foot),
        (end - half, bottom * 0.6),
        (end - half, bottom),
        (start, bottom),
        (start, bottom + share),
    ]
    codes = [m, c, c, c, line, c, c, c, line]
    axes.add_patch(PathPatch(Outline(points, codes), facecolor=BREACH, alpha=0.85, lw=0))


def utilisation(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """Share of its time that each station, team or batch is busy; above 90 % it is marked."""
    after, before = scenario.segments("utilisation"), baseline.segments("utilisation") if baseline else {}
    parts = sorted(
        set(after) | set(before), key=lambda part: float(np.nanmean(after.get(part, before.get(part, np.zeros(1)))))
    )
    if not parts:
        return None
    with look(language):
        fig, axes = _figure(0.9 + 0.42 * len(parts))
        ax, width = axes[0], 0.36 if before else 0.6
        for place, part in enumerate(parts):
            if part in before:
                _bar(ax, place + width / 2, before[part], width, BASELINE, language)
            if part in after:
                busy = float(np.nanmean(after[part])) > _BUSY
                _bar(
                    ax,
                    place - (width / 2 if before else 0),
                    after[part],
                    width,
                    BREACH if busy else SCENARIO,
                    language,
                    mark=busy,
                )
        ax.set_yticks(range(len(parts)), [say(part, language) for part in parts])
        ax.set_xlim(0, max(1.0, *(float(np.nanmax(v)) for v in (*after.values(), *before.values()))) * 1.16)
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.axvline(1, color=INK, lw=0.8)
        ax.grid(axis="y", visible=False)
        names = [(BASELINE, "baseline")] * bool(before) + [(SCENARIO, "scenario"), (BREACH, "scenario above 90 %")]
        handles = [Rectangle((0, 0), 1, 1, color=colour, label=say(word, language)) for colour, word in names]
        legend(ax, handles=handles)
    return fig


def _bar(axes: Axes, y: float, values: Floats, width: float, colour: str, language: str, *, mark: bool = False) -> None:
    mean = float(np.nanmean(values))
    axes.barh(y, mean, width, color=colour)
    if len(values) > 1:
        axes.plot([np.nanmin(values), np.nanmax(values)], [y, y], color=INK, lw=1)
    text = f"{number(round(100 * mean, 1))} %" + (f"  {say('near its limit', language)}" if mark else "")
    axes.text(float(np.nanmax(values)) + 0.01, y, text, va="center", fontsize=8.5)


_MARKS = {
    Verdict.BETTER: (GOOD, "^"),
    Verdict.WORSE: (BREACH, "v"),
    Verdict.CANT_TELL: (BASELINE, "o"),
    Verdict.MORE: (INK, "D"),
    Verdict.LESS: (INK, "d"),
    Verdict.ROSE_ONCE: (BASELINE, "^"),
    Verdict.FELL_ONCE: (BASELINE, "v"),
}


def forest(rows: Sequence[Row], language: str) -> Figure | None:
    """Each measure's paired difference from the baseline, in per cent of the baseline, with its 95 % interval."""
    shown = [row for row in rows if row.relative is not None and row.verdict in _MARKS][::-1]
    if not shown:
        return None
    with look(language):
        fig, axes = _figure(1.2 + 0.27 * len(shown))
        ax = axes[0]
        reach = 10.0
        for place, row in enumerate(shown):
            mean, low, high = (100 * value for value in row.relative or (0.0, 0.0, 0.0))
            colour, marker = _MARKS[row.verdict or Verdict.CANT_TELL]
            if np.isfinite(low) and np.isfinite(high):
                ax.plot([low, high], [place, place], color=colour, lw=2.2, solid_capstyle="butt")
                reach = max(reach, abs(low), abs(high))
            ax.plot([0, mean], [place, place], color=RULE, lw=1, zorder=0)
            ax.plot(mean, place, marker, color=colour, ms=7, mec=PAPER, mew=0.6)
            reach = max(reach, abs(mean))
        ax.axvline(0, color=INK, lw=0.9)
        ax.set_xscale("symlog", linthresh=10, linscale=0.8)
        ax.set_xlim(-110 if all(100 * (r.relative or (0,))[0] >= -100 for r in shown) else -reach * 1.3, reach * 1.6)
        ticks = [-100, -10, 0, *(10.0**k for k in range(1, 9) if 10**k < reach * 1.6)]
        ax.set_xticks(ticks, [_percent(tick) for tick in ticks])
        ax.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        ax.set_yticks(range(len(shown)), [row.label for row in shown])
        ax.set_ylim(-0.7, len(shown) - 0.3)
        ax.set_xlabel(say("difference from the baseline", language))
        _key(ax, {row.verdict for row in shown}, language)
    return fig


def _percent(value: float) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{short(abs(value))} %"


def _key(axes: Axes, verdicts: set[Verdict | None], language: str) -> None:
    """A legend of the markers in use, above the panel."""
    for verdict, (colour, marker) in _MARKS.items():
        if verdict in verdicts:
            axes.plot([], [], marker, color=colour, ms=7, label=say(verdict.value, language))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
