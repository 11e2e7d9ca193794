"""The pictures of a realism study: simulated in blue beside recorded in grey, on the same scale.

Each function takes the study and the language, and returns a figure. Several simulated days are pooled where a
distribution is drawn, and averaged, with a band from the smallest to the largest, where a curve is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc

from dashboards.realism.words import say
from dashboards.report.figures import figure
from dashboards.report.numbers import short
from dashboards.report.style import BASELINE, BREACH, INK, SCENARIO, look, paper_minutes, trading_axis
from scenarios.realism.battery import COARSE, FINE, Battery
from scenarios.realism.study import Study
from twin.clock import MINUTE, SECOND
from twin.measures import stylised
from twin.measures.stylised import CONTINUOUS

Floats = NDArray[np.float64]
Picture = Callable[[Study, str], Figure]
_POINTS = 160
_HEIGHT = 3.4
_SIGN_LAGS = np.unique(np.round(np.geomspace(1, 300, 28)).astype(np.int64))
_LAGS = np.arange(1, 61)
_HORIZONS = np.array([1, 2, 3, 6, 12, 18, 30])
_BINS = 5 * MINUTE


def _sides(study: Study, language: str) -> list[tuple[list[Battery], str, str]]:
    """Days, colour and legend of each side, the recorded one first so that the simulated one lies on top."""
    sides = [(study.simulated, SCENARIO, say("simulated", language))]
    if study.recorded is not None:
        sides.insert(0, ([study.recorded], BASELINE, say("recorded", language)))
    return sides


def _width(colour: str) -> float:
    return 2.6 if colour == BASELINE else 1.5


def _tail(sample: ArrayLike) -> tuple[Floats, Floats]:
    """Points of the complementary distribution function, thinned evenly in logarithm for drawing."""
    x = np.sort(np.asarray(sample, np.float64))
    x = x[x > 0]
    if len(x) == 0:
        return np.zeros(0), np.zeros(0)
    above = 1 - np.arange(len(x)) / len(x)
    rows = np.unique(
        np.concatenate([np.linspace(0, len(x) - 1, _POINTS), len(x) - np.geomspace(1, len(x), _POINTS)]).astype(int)
    )
    return x[rows], above[rows]


def _tails(axes: Axes, study: Study, language: str, sample: Callable[[Battery], Floats]) -> None:
    """Complementary distribution functions of both sides, both axes logarithmic."""
    for days, colour, label in _sides(study, language):
        x, y = _tail(np.concatenate([sample(day) for day in days]))
        axes.plot(x, y, color=colour, lw=_width(colour), label=label, drawstyle="steps-post")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylabel(say("share above", language))


def _curves(
    axes: Axes, study: Study, language: str, x: ArrayLike, curve: Callable[[Battery], Floats], **more: Any
) -> None:
    """A curve of both sides: the mean over days, with a band from the smallest to the largest."""
    for days, colour, label in _sides(study, language):
        values = np.array([curve(day) for day in days])
        axes.plot(x, values.mean(axis=0), color=colour, lw=_width(colour), label=label, **more)
        if len(days) > 1:
            axes.fill_between(np.asarray(x), values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, lw=0)


def tails(study: Study, language: str) -> Figure:
    """Log-log tails of standardised absolute returns over 10 s and 1 min."""
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT, sharey=True)
        for axes, step, title in zip(grid[0], (FINE, COARSE), ("10-s returns", "1-min returns"), strict=True):
            _tails(axes, study, language, partial(_standard, step))
            x = np.geomspace(0.1, 5, 60)
            axes.plot(x, erfc(x / np.sqrt(2)), color=INK, lw=1, ls=(0, (4, 3)), label=say("Gaussian", language))
            axes.set(xlim=(0.1, 30), ylim=(2e-4, 1.2))
            axes.set_title(say(title, language))
            axes.set_xlabel(say("absolute return, standard deviations", language))
        grid[0, 1].set_ylabel("")
        grid[0, 0].legend(loc="lower left")
    return fig


def _standard(step: int, day: Battery) -> Floats:
    """Absolute returns in standard deviations."""
    returns = day.returns(step)
    spread = float(returns.std())
    return np.abs(returns - returns.mean()) / (spread or 1.0)


def memory(study: Study, language: str) -> Figure:
    """Autocorrelation of 10-second returns and of their absolute values."""
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT, sharey=True)
        for axes, title, absolute in zip(
            grid[0], ("returns, 10 s", "absolute returns, 10 s"), (False, True), strict=True
        ):
            _curves(axes, study, language, _LAGS * 10, partial(_correlations, absolute))
            axes.axhline(0, color=INK, lw=0.6)
            axes.set_title(say(title, language))
            axes.set_xlabel(say("lag, s", language))
        grid[0, 0].set_ylabel(say("autocorrelation", language))
        grid[0, 1].legend(loc="upper right")
    return fig


def _correlations(absolute: bool, day: Battery) -> Floats:
    returns = day.returns(FINE)
    return stylised.autocorrelation(np.abs(returns) if absolute else returns, _LAGS)


def horizons(study: Study, language: str) -> Figure:
    """Signature plot, and kurtosis by horizon."""
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT)
        left, right = grid[0]

        def variance(day: Battery) -> Floats:
            return stylised.signature(day.mid_grid(SECOND), _HORIZONS * 10) * 1e8

        _curves(left, study, language, _HORIZONS * 10, variance, marker="o", ms=3)
        left.set(xscale="log")
        left.set_ylim(bottom=0)
        left.set_title(say("signature", language))
        left.set_ylabel(say("variance per second", language))

        def kurtosis(day: Battery) -> Floats:
            return stylised.kurtosis_by_horizon(day.returns(FINE), [int(h) for h in _HORIZONS])

        _curves(right, study, language, _HORIZONS * 10, kurtosis, marker="o", ms=3)
        right.axhline(0, color=INK, lw=1, ls=(0, (4, 3)))
        right.set_xscale("log")
        right.set_title(say("excess kurtosis", language))
        for axes in (left, right):
            axes.set_xticks([10, 30, 60, 120, 300], ["10", "30", "60", "120", "300"])
            axes.minorticks_off()
            axes.set_xlabel(say("interval, s", language))
        right.legend(loc="upper right")
    return fig


def signs(study: Study, language: str) -> Figure:
    """Log-log autocorrelation of aggressors' signs, and the impact of single orders by size."""
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT)
        left, right = grid[0]
        for days, colour, label in _sides(study, language):
            values = np.mean([stylised.autocorrelation(day.signs, _SIGN_LAGS) for day in days], axis=0)
            shown = np.where(values > 0, values, np.nan)
            left.plot(_SIGN_LAGS, shown, color=colour, lw=_width(colour), marker="o", ms=3, label=label)
            pairs = np.concatenate([np.column_stack(day.impacts) for day in days])
            size, change = stylised.mean_by_size(pairs[:, 0], pairs[:, 1])
            right.plot(size, 1e4 * change, color=colour, lw=_width(colour), marker="o", ms=4, label=label)
        left.set(xscale="log", yscale="log")
        left.set_ylim(top=1)
        left.set_title(say("signs of aggressors", language))
        left.set_xlabel(say("lag, orders", language))
        left.set_ylabel(say("autocorrelation", language))
        right.set_xscale("log")
        right.set_title(say("impact of one order", language))
        right.set_xlabel(say("size, mean orders", language))
        right.set_ylabel(say("price change, bp", language))
        left.legend(loc="lower left")
    return fig


def book(study: Study, language: str) -> Figure:
    """Share of time at each spread, and mean depth by level."""
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT)
        left, right = grid[0]
        widest = 2
        for days, colour, label in _sides(study, language):
            spread, weight = (np.concatenate(column) for column in zip(*map(_spreads, days), strict=True))
            edges = np.unique(np.round(np.geomspace(1, max(float(spread.max()), 2) + 1, 40)))
            height, _ = np.histogram(spread, edges, weights=weight / weight.sum())
            above = 1 - np.concatenate([[0.0], np.cumsum(height)])
            left.plot(edges, np.maximum(above, 0), color=colour, lw=_width(colour), drawstyle="steps-post", label=label)
            widest = max(widest, int(np.max(edges[above > 2e-3])))
        left.set(xscale="log", xlim=(1, widest * 1.3), ylim=(0, 1.02))
        left.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        left.yaxis.set_major_formatter(PercentFormatter(1))
        left.set_title(say("spread title", language))
        left.set_xlabel(say("spread, ticks", language))
        left.set_ylabel(say("share of time at or above", language))
        levels = np.arange(1, 11)
        _curves(right, study, language, levels, lambda day: stylised.depth_profile(day.day.depth), marker="o", ms=4)
        right.set_ylim(bottom=0)
        right.yaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v, language)))
        right.set_xticks(levels)
        right.set_title(say("depth title", language))
        right.set_xlabel(say("level", language))
        right.set_ylabel(say("shares, mean", language))
        left.legend(loc="upper right")
    return fig


def _spreads(day: Battery) -> tuple[Floats, Floats]:
    q = day.day.quotes
    weight = stylised.time_weights(q.time, day.day.windows)
    good = np.isfinite(day.mid) & (weight > 0)
    return (q.ask - q.bid)[good].astype(np.float64), weight[good]


def intraday(study: Study, language: str) -> Figure:
    """Orders and volume through the day, in five minutes."""
    with look(language):
        fig, grid = figure(2, 1, 4.2, sharex=True)
        usual = all(tuple(day.day.windows) == CONTINUOUS for days, _, _ in _sides(study, language) for day in days)
        for axes, title, count in zip(grid[:, 0], ("orders, share", "volume, share"), (_orders, _volume), strict=True):
            for days, colour, label in _sides(study, language):
                values = np.array([count(day) for day in days])
                mean = (values / values.sum(axis=1, keepdims=True)).mean(axis=0)
                places = _bin_starts(days[0]) if usual else np.linspace(0, 1, len(mean) + 1)
                axes.step(places, np.append(mean, mean[-1]), where="post", color=colour, lw=_width(colour), label=label)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_title(say(title, language))
            axes.set_ylabel(say("share of the day", language))
            if usual:
                trading_axis(axes, language, first="09:30", label=axes is grid[-1, 0])
        if not usual:  # markets with other hours
            grid[-1, 0].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            grid[-1, 0].set_xlabel(say("share of the trading time", language))
        grid[0, 0].legend(loc="upper right")
    return fig


def _bin_starts(day: Battery) -> Floats:
    """Where the bins begin on the trading axis, and where the last one ends."""
    starts = np.concatenate([np.arange(a, b - _BINS + 1, _BINS) for a, b in day.day.windows])
    return paper_minutes(np.append(starts, starts[-1] + _BINS))


def _orders(day: Battery) -> Floats:
    return stylised.binned_sums(day.day.orders.time, np.ones(len(day.day.orders)), _BINS, day.day.windows)


def _volume(day: Battery) -> Floats:
    return stylised.binned_sums(day.day.trades.time, day.day.trades.quantity, _BINS, day.day.windows)


def sizes(study: Study, language: str) -> Figure:
    """Tails of order and trade sizes."""
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT, sharey=True)
        _tails(grid[0, 0], study, language, lambda day: day.day.orders.quantity.astype(np.float64))
        _tails(grid[0, 1], study, language, lambda day: day.day.trades.quantity.astype(np.float64))
        for axes, text in zip(grid[0], ("order size, shares", "trade size, shares"), strict=True):
            axes.set_xlabel(say(text, language))
            axes.set_xlim(left=90)
        grid[0, 1].set_ylabel("")
        grid[0, 0].legend(loc="lower left")
    return fig


def gaps(study: Study, language: str) -> Figure:
    """Tails of the gaps between orders and between trades, in seconds."""
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT, sharey=True)
        kinds: Sequence[tuple[str, Callable[[Battery], Floats]]] = (
            ("gaps between orders", lambda day: day.order_gaps),
            ("gaps between trades", lambda day: day.trade_gaps),
        )
        for axes, (title, sample) in zip(grid[0], kinds, strict=True):
            _tails(axes, study, language, sample)
            some = sample(study.recorded or study.simulated[0])
            mean = float(np.mean(some[some > 0]))
            x = np.geomspace(0.01, 12 * mean, 80)
            axes.plot(x, np.exp(-x / mean), color=INK, lw=1, ls=(0, (4, 3)), label=say("exponential", language))
            axes.set_ylim(1e-4, 1.2)
            axes.set_title(say(title, language))
            axes.set_xlabel(say("gap, s", language))
        grid[0, 1].set_ylabel("")
        grid[0, 0].legend(loc="lower left")
    return fig


def placement(study: Study, language: str) -> Figure:
    """Shares of the four places, and the distance of orders behind the best."""
    names = ("marketable", "inside", "at_best", "behind")
    with look(language):
        fig, grid = figure(1, 2, _HEIGHT)
        left, right = grid[0]
        sides = _sides(study, language)
        for i, (days, colour, label) in enumerate(sides):
            where = np.concatenate([day.where for day in days])
            places = np.arange(len(names)) + (i - (len(sides) - 1) / 2) * 0.38
            left.bar(places, [np.mean(where == k) for k in range(len(names))], 0.36, color=colour, label=label)
        left.set_xticks(np.arange(len(names)), [say(name, language) for name in names])
        left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        left.set_title(say("placed", language))
        left.set_ylabel(say("share of orders", language))
        left.legend(loc="upper center")
        _tails(right, study, language, lambda day: 1e4 * day.behind / float(np.mean(day.seen.bid)))
        right.set_ylim(bottom=1e-4)
        right.set_title(say("behind the best", language))
        right.set_xlabel(say("distance behind the best, bp", language))
    return fig


def lives(study: Study, language: str) -> Figure:
    """Tail of the lives of cancelled orders."""
    with look(language):
        fig, grid = figure(1, 1, _HEIGHT)
        axes = grid[0, 0]
        _tails(axes, study, language, lambda day: day.lives)
        axes.set_yscale("linear")
        axes.set(xlim=(0.01, 15_000), ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel(say("life, s", language))
        axes.legend(loc="upper right")
    return fig


def metaorder(study: Study, language: str) -> Figure | None:
    """Impact of large orders by size, with the fit and the published square root."""
    impact = study.impact
    if impact is None:
        return None
    with look(language):
        fig, grid = figure(1, 1, _HEIGHT)
        axes = grid[0, 0]
        bars = {"fmt": "o", "color": SCENARIO, "ms": 5, "capsize": 3}
        axes.errorbar(impact.filled, impact.mean, 2 * impact.error, label=say("simulated", language), **bars)
        x = np.geomspace(impact.filled.min() * 0.8, impact.filled.max() * 1.2, 60)
        if impact.exponent.known:
            label = say("fit", language, value=f"{impact.exponent.value:.2f}")
            axes.plot(x, impact.prefactor * x**impact.exponent.value, color=SCENARIO, lw=1.2, label=label)
        axes.plot(x, np.sqrt(x), color=BREACH, lw=1.2, ls=(0, (4, 3)), label=say("square root", language))
        axes.axhline(0, color=INK, lw=0.6)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.set_xlabel(say("size, share of volume", language))
        axes.set_ylabel(say("impact, volatilities", language))
        axes.legend(loc="upper left")
    return fig


FIGURES: dict[str, Callable[[Study, str], Figure | None]] = {
    "tails": tails,
    "memory": memory,
    "horizons": horizons,
    "signs": signs,
    "book": book,
    "intraday": intraday,
    "sizes": sizes,
    "gaps": gaps,
    "placement": placement,
    "lives": lives,
    "metaorder": metaorder,
}
