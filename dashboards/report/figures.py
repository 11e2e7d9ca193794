"""The pictures of a trading day: baseline in grey beside the scenario in blue, on the same scale.

Each function takes the scenario's recording, the baseline's (or None) and the language of the text, and returns a
figure, or None when neither run has what it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from dashboards.report import flows
from dashboards.report.numbers import duration, short
from dashboards.report.recording import Line, Recording
from dashboards.report.style import (
    BASELINE,
    BREACH,
    INK,
    SCENARIO,
    clock_axis,
    draw,
    legend,
    look,
    paper_minutes,
    trading_axis,
)
from dashboards.report.words import say
from twin.clock import HOUR, at
from twin.errors import ScenarioError

Picture = Callable[[Recording, Recording | None, str], Figure | None]
STATIONS = ("gateway", "authentication", "checks", "suitability", "core", "exchange_gateway", "report")
"""The order path's stations in the order in which a message meets them."""
_WIDTH = 10.0
_DURATIONS = (0.1, 1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000)  # ms


def figure(rows: int = 1, columns: int = 1, height: float = 3.2, **more: Any) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure on its own canvas (no global state, so that pages may draw side by side) and its axes as a 2-d array."""
    fig = Figure(figsize=(_WIDTH, height))
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, squeeze=False, **more)


def _runs(scenario: Recording, baseline: Recording | None, language: str) -> list[tuple[Recording, str, str]]:
    """Recording, colour and legend of each run, the baseline first so that the scenario lies on top."""
    pairs = [(scenario, SCENARIO, say("scenario", language))]
    return [(baseline, BASELINE, say("baseline", language)), *pairs] if baseline else pairs


def hours(time_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Hours since midnight."""
    return np.asarray(time_ns / HOUR, dtype=np.float64)


def _overlay(
    axes: Axes, scenario: Recording, baseline: Recording | None, series: str, key: str, language: str, **more: Any
) -> bool:
    """Draw one line of both runs on the trading axis; whether there was any."""
    drawn = False
    for run, colour, label in _runs(scenario, baseline, language):
        if line := run.series(series).get(key):
            draw(axes, paper_minutes, line, colour, label, **more)
            drawn = True
    return drawn


def order_rate(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """Orders submitted per second through the day, and logins below."""
    panels = [s for s in ("orders_per_s", "logins_per_s") if any(r.series(s) for r in (scenario, baseline) if r)]
    if "orders_per_s" not in panels:
        return None
    titles = {"orders_per_s": "orders per second", "logins_per_s": "logins per second"}
    with look(language):
        fig, grid = figure(len(panels), height=2.1 + 1.6 * (len(panels) - 1), sharex=True)
        for axes, series in zip(grid[:, 0], panels, strict=True):
            _overlay(axes, scenario, baseline, series, "", language)
            axes.set_title(say(titles[series], language))
            _count_axis(axes, language)
            trading_axis(axes, language, label=axes is grid[-1, 0])
        _capacity(grid[0, 0], scenario, baseline, language)
        legend(grid[0, 0])
    return fig


def _capacity(axes: Axes, scenario: Recording, baseline: Recording | None, language: str) -> None:
    """The core counter's capacity, where it is within sight of the orders."""
    for run, colour, _ in _runs(scenario, baseline, language):
        per_s = rate_setting(run, "order_path", "core", "capacity")
        if 0 < per_s < 2 * axes.get_ylim()[1]:
            axes.axhline(per_s, color=BREACH if run is scenario else colour, lw=1, ls=(0, (5, 3)))
            axes.set_ylim(top=max(axes.get_ylim()[1], 1.25 * per_s))
            if run is scenario:
                axes.plot(
                    [], [], color=BREACH, lw=1, ls=(0, (5, 3)), label=say("capacity of the core counter", language)
                )


def rate_setting(run: Recording, *keys: str) -> float:
    """A rate of the scenario, per second; 0 where there is none or it is not limited."""
    value: Any = run.scenario
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    try:
        return float(str(value).removesuffix("/s"))
    except ValueError:
        return 0.0


def hour_setting(run: Recording, *keys: str) -> float:
    """A time of day of the scenario in hours; NaN where there is none."""
    value: Any = run.scenario
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    try:
        return at(str(value)) / HOUR
    except ScenarioError:
        return float("nan")


def _count_axis(axes: Axes, language: str) -> None:
    """Ticks of a count, short: 12k or 1.2万; from zero to one at least."""
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v, language)))


def latency(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """Latency of orders from the client's tap to the exchange's answer: p50, p99 and p99.9 on one logarithmic scale."""
    keys = [
        k for k in ("p50", "p99", "p999") if any(k in r.series("order_latency_ms") for r in (scenario, baseline) if r)
    ]
    if not keys:
        return None
    with look(language):
        fig, grid = figure(1, len(keys), height=3.1, sharey=True)
        for axes, key in zip(grid[0], keys, strict=True):
            _overlay(axes, scenario, baseline, "order_latency_ms", key, language)
            axes.set_title(say(key, language))
            trading_axis(axes, language)
            _thin_ticks(axes)
        first = grid[0, 0]
        first.set_yscale("log")
        low, high = first.get_ylim()
        marks = [ms for ms in _DURATIONS if low / 3 <= ms <= high * 3]
        first.set_yticks(marks, [duration(ms, language) for ms in marks])
        first.set_ylim(low, high)
        first.yaxis.set_minor_locator(NullLocator())
        first.set_ylabel(say("latency of an order", language))
        first.legend(loc="upper left")
    return fig


def _thin_ticks(axes: Axes) -> None:
    """Half the ticks, for narrow panels."""
    marks = {text.get_text(): place for place, text in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)}
    keep = {k: v for k, v in marks.items() if k in ("09:30", "10:30", "14:00", "15:00") or "\n" in k}
    axes.set_xticks(list(keep.values()), list(keep))


def queues(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """Messages waiting at each station of the order path; one scale for all, so that the bottleneck stands out."""
    known = {key for run in (scenario, baseline) if run for key in run.series("queue_length")}
    keys = [k for k in STATIONS if k in known] + sorted(known - set(STATIONS))
    if not keys:
        return None
    with look(language):
        columns = 3 if len(keys) <= 6 else 4
        rows = -(-len(keys) // columns)
        fig, grid = figure(rows, columns, height=0.6 + 2.0 * rows, sharey=True)
        for axes, key in zip(grid.flat, keys, strict=False):
            _overlay(axes, scenario, baseline, "queue_length", key, language)
            axes.set_title(say(key, language))
            trading_axis(axes, language, label=False)
            _thin_ticks(axes)
        for axes in grid.flat[len(keys) :]:
            axes.set_visible(False)
        grid[0, 0].set_yscale("symlog", linthresh=1)
        _count_axis(grid[0, 0], language)
        for axes in grid[:, 0]:
            axes.set_ylabel(say("messages waiting", language))
        grid[0, 0].legend(loc="upper right")
    return fig


def market(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """The index traded in the books against the news, the depth near the touch, and the spread."""
    titles = {
        "index": "index against the previous close",
        "depth": "shares at the five best prices",
        "spread_ticks": "spread",
        "stopped": "instruments halted or suspended",
    }
    panels = [s for s in titles if any(r.series(s) for r in (scenario, baseline) if r)]
    if not panels:
        return None
    with look(language):
        fig, grid = figure(
            len(panels), height=1.1 + 1.7 * len(panels), sharex=True, height_ratios=[1.8, 1, 1, 1][: len(panels)]
        )
        for axes, series in zip(grid[:, 0], panels, strict=True):
            _market_panel(axes, scenario, baseline, series, language)
            axes.set_title(say(titles[series], language))
            trading_axis(axes, language, label=axes is grid[-1, 0])
    return fig


def _market_panel(axes: Axes, scenario: Recording, baseline: Recording | None, series: str, language: str) -> None:
    if series == "index":
        styles = {"news": {"ls": (0, (4, 2)), "lw": 1.0}, "seen": {"ls": (0, (1, 1)), "lw": 1.4}, "traded": {}}
        for key, more in styles.items():
            for run, colour, label in _runs(scenario, baseline, language):
                if line := run.series("index").get(key):
                    change = Line(line.time_ns, line.values - 1)
                    draw(axes, paper_minutes, change, colour, f"{label}: {say(key, language)}", **more)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.axhline(0, color=INK, lw=0.6)
        legend(axes)
        return
    key = "best5" if series == "depth" else ""
    _overlay(axes, scenario, baseline, series, key, language)
    if series == "stopped":
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.set_ylim(-0.03, 1.03)
        return
    _count_axis(axes, language)
    if series == "spread_ticks":
        axes.set_ylabel(say("ticks", language))


def attention(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """How closely each kind of client watches the market, a panel per kind."""
    keys = sorted({key for run in (scenario, baseline) if run for key in run.series("attention")})
    if not keys:
        return None
    with look(language):
        fig, grid = figure(1, len(keys), height=2.6, sharey=True)
        for axes, key in zip(grid[0], keys, strict=True):
            _overlay(axes, scenario, baseline, "attention", key, language)
            axes.set_title(say(key, language))
            trading_axis(axes, language, label=False)
            _thin_ticks(axes)
        grid[0, 0].set_ylim(bottom=0)
        grid[0, 0].set_ylabel(say("attention, ordinary = 1", language))
        grid[0, 0].legend(loc="best")
    return fig


def waiting_people(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """Clients waiting for the service desk, and applicants waiting in account opening (all steps together)."""
    panels = [s for s in ("calls_waiting", "applicants_waiting") if any(r.series(s) for r in (scenario, baseline) if r)]
    if not panels:
        return None
    titles = {"calls_waiting": "callers waiting for an agent", "applicants_waiting": "applicants waiting, all steps"}
    with look(language):
        fig, grid = figure(len(panels), height=0.7 + 1.9 * len(panels), sharex=True)
        ends = []
        for axes, series in zip(grid[:, 0], panels, strict=True):
            for run, colour, label in _runs(scenario, baseline, language):
                if line := total(run, series):
                    draw(axes, hours, line, colour, label)
                    ends.append((hours(line.time_ns)[0], hours(line.time_ns)[-1]))
            axes.set_title(say(titles[series], language))
            _count_axis(axes, language)
        for axes in grid[:, 0]:
            clock_axis(axes, language, min(a for a, _ in ends), max(b for _, b in ends))
            axes.label_outer()
        legend(grid[0, 0])
    return fig


def total(run: Recording, series: str) -> Line | None:
    """The sum over the keys of a series; None when the run does not have it."""
    lines = list(run.series(series).values())
    if not lines:
        return None
    time = np.unique(np.concatenate([line.time_ns for line in lines]))
    values = np.zeros((len(run.replications), len(time)))
    for line in lines:
        values[:, np.searchsorted(time, line.time_ns)] += np.nan_to_num(line.values)
    return Line(time, values)


def batch(scenario: Recording, baseline: Recording | None, language: str) -> Figure | None:
    """Records and breaks that the end-of-day batch still has to clear, from the close into the night."""
    titles = {"records": "records still to clear", "breaks": "breaks still to mend"}
    panels = [k for k in titles if any(k in r.series("batch_queue") for r in (scenario, baseline) if r)]
    if not panels:
        return None
    with look(language):
        fig, grid = figure(len(panels), height=0.7 + 1.8 * len(panels), sharex=True)
        end = 22.5
        for axes, key in zip(grid[:, 0], panels, strict=True):
            for run, colour, label in _runs(scenario, baseline, language):
                if line := run.series("batch_queue").get(key):
                    draw(axes, hours, line, colour, label)
                    busy = np.flatnonzero(line.high > 0)
                    end = max(end, float(hours(line.time_ns)[busy[-1]]) + 0.5 if len(busy) else end)
            axes.set_title(say(titles[key], language))
            _count_axis(axes, language)
        target, deadline = (hour_setting(scenario, "clearing", key) for key in ("target_end", "deadline"))
        for axes in grid[:, 0]:
            clock_axis(axes, language, 15, end, 1 if end < 26 else 2)
            for hour, word in ((target, "target"), (deadline + 24, "deadline"), (33.25, "next open")):
                if 15 < hour < end:
                    _mark(axes, hour, say(word, language), INK if word == "target" else BREACH)
            axes.label_outer()
        legend(grid[0, 0])
    return fig


def _mark(axes: Axes, hour: float, text: str, colour: str) -> None:
    axes.axvline(hour, color=colour, lw=1, ls=(0, (3, 2)))
    axes.annotate(
        text, (hour, 0.97), xycoords=("data", "axes fraction"), ha="right", va="top", rotation=90, color=colour
    )


FIGURES: dict[str, Picture] = {
    "order_rate": order_rate,
    "latency": latency,
    "queues": queues,
    "utilisation": flows.utilisation,
    "market": market,
    "attention": attention,
    "funnel": flows.funnel,
    "waiting_people": waiting_people,
    "batch": batch,
}
"""Pictures in the order of the report; each name is a key of the captions."""
