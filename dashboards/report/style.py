"""The look of every picture: colours, fonts, the day's axis, and SVG that follows the page's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dashboards.report.recording import Line
from dashboards.report.words import say
from twin.clock import MINUTE, at

# Okabe and Ito (2008), colours that a colour-blind reader can tell apart.
SCENARIO, BASELINE, BREACH = "#0072b2", "#8a8a8a", "#d55e00"
GOOD, AMBER, PURPLE = "#009e73", "#e69f00", "#cc79a7"
# Stand-ins that become CSS variables in a page, so that one picture serves light and dark.
INK, RULE, SHADE, PAPER = "#1b1b1f", "#d9d9de", "#f0f0f3", "#fffffe"
_VARIABLES = {
    INK: "currentColor",
    RULE: "var(--rule)",
    SHADE: "var(--shade)",
    PAPER: "var(--paper)",
    SCENARIO: "var(--scenario)",
    BASELINE: "var(--baseline)",
    BREACH: "var(--breach)",
    GOOD: "var(--good)",
}
_CJK = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "SimHei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
)
LUNCH = at("11:30"), at("13:00")
Place = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]]
_LUNCH_WIDTH = 8.0  # minutes of paper that the 90 minutes of lunch take on the trading axis


@lru_cache(maxsize=1)
def chinese_font() -> str | None:
    """An installed font with Chinese glyphs, or None."""
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in _CJK if name in known), None)


def picture_language(language: str) -> str:
    """The language that text inside pictures can be written in: Chinese needs an installed font, else English."""
    return "zh" if language == "zh" and chinese_font() else "en"


@contextmanager
def lettering(language: str) -> Iterator[None]:
    """The fonts of a language and nothing else, for pictures that have a look of their own."""
    font = chinese_font() if language == "zh" else None
    with mpl.rc_context({"font.family": [font, "DejaVu Sans"], "axes.unicode_minus": False} if font else {}):
        yield


@contextmanager
def look(language: str) -> Iterator[None]:
    """The settings under which every picture is drawn."""
    fonts = ["DejaVu Sans"]
    if language == "zh" and (font := chinese_font()):
        fonts = [font, *fonts]
    settings: dict[str, Any] = {
        "font.family": fonts,
        "font.size": 9.5,
        "axes.unicode_minus": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "grid.color": RULE,
        "grid.linewidth": 0.7,
        "lines.linewidth": 1.5,
        "legend.frameon": False,
        "svg.hashsalt": "broker-twin",
        "figure.constrained_layout.use": True,
    }
    settings |= {key: INK for key in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")}
    with mpl.rc_context(settings):
        yield


def svg(figure: Figure, prefix: str, alt: str, language: str) -> str:
    """A figure as an SVG element to stand inside a page: unique ids, colours from the page's theme, a spoken name."""
    stream = io.StringIO()
    with look(language):  # ticks are made as late as this, and ids follow the look's salt
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    # Addresses that only name the vocabulary are never fetched; without them the page holds no foreign address.
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
    safe = alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg", f'<svg role="img" aria-label="{safe}"', 1)


def png(figure: Figure, language: str, dpi: int = 144) -> bytes:
    """A figure as PNG on white."""
    stream = io.BytesIO()
    with look(language):
        figure.savefig(stream, format="png", dpi=dpi, facecolor="white")
    return stream.getvalue()


def paper_minutes(time_ns: npt.NDArray[np.int64] | int) -> npt.NDArray[np.float64]:
    """Where an instant lies on the trading axis: minutes since midnight with lunch pressed into a narrow band."""
    minutes = np.asarray(time_ns, dtype=np.float64) / MINUTE
    start, end = (t / MINUTE for t in LUNCH)
    inside = np.clip(minutes - start, 0.0, end - start) / (end - start) * _LUNCH_WIDTH
    return np.where(minutes <= start, minutes, start + inside + np.maximum(minutes - end, 0.0))


def trading_axis(axes: Axes, language: str, *, first: str = "09:15", last: str = "15:00", label: bool = True) -> None:
    """Ticks of the trading day; the lunch break is a shaded strip."""
    marks = ["09:30", "10:00", "10:30", "11:00", "13:30", "14:00", "14:30", "15:00"]
    middle = float(np.mean([paper_minutes(t) for t in LUNCH]))
    places = [float(paper_minutes(at(mark))) for mark in marks]
    axes.set_xlim(float(paper_minutes(at(first))), float(paper_minutes(at(last))) + 1)
    axes.set_xticks([*places, middle], [*marks, "11:30\n13:00"])
    axes.axvspan(float(paper_minutes(LUNCH[0])), float(paper_minutes(LUNCH[1])), color=SHADE, lw=0)
    if label:
        axes.set_xlabel(say("time of day", language))


def clock_axis(axes: Axes, language: str, first: float, last: float, step: int = 1) -> None:
    """Ticks of the plain clock between two hours; past midnight the next day is named."""
    axes.set_xlim(first, last)
    hours = [h for h in range(int(first), int(last) + 1) if h % step == 0 and first <= h <= last]
    axes.set_xticks(hours, [f"{h % 24:02d}:00" + (f"\n{say('next day', language)}" if h == 24 else "") for h in hours])
    if first < 13 and last > 11.5:
        axes.axvspan(11.5, 13, color=SHADE, lw=0)
    axes.set_xlabel(say("time of day", language))


def draw(axes: Axes, place: Place, line: Line, colour: str, label: str = "", **more: Any) -> None:
    """A line's mean with a band from the smallest to the largest replication, broken where nothing was recorded.

    Args:
        axes: to draw on.
        place: instants in ns to places on the axis.
        line: what to draw.
        colour: of line and band.
        label: in the legend.
        **more: of the line.
    """
    line = line.with_holes()
    x = place(line.time_ns)
    # The baseline is drawn wider, so that it shows where the scenario lies on it.
    axes.plot(x, line.mean, color=colour, label=label or None, **{"lw": 2.4 if colour == BASELINE else 1.4, **more})
    if line.values.shape[0] > 1:
        axes.fill_between(x, line.low, line.high, color=colour, alpha=0.22, lw=0)


def legend(axes: Axes, **more: Any) -> None:
    """A legend in one line above the panel's right end, where it hides nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=4, borderaxespad=0.1, handlelength=1.6, **more)
