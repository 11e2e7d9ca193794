"""Charts of the dashboard: the same quantities, colours and axes as the report's pictures, to point at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboards.report.figures import hours, total
from dashboards.report.numbers import amount, duration
from dashboards.report.recording import Line, Recording
from dashboards.report.style import BASELINE, BREACH, LUNCH, SCENARIO, paper_minutes
from dashboards.report.words import say
from twin.clock import at, clock_text

_MARKS = ("09:30", "10:30", "14:00", "15:00")
TOTAL = "total"
_HEIGHT = 250


def day_frame(
    scenario: Recording,
    baseline: Recording | None,
    lines: Sequence[tuple[str, str]],
    language: str,
    *,
    trading: bool = True,
) -> pd.DataFrame:
    """Rows to draw: run, line, place on the axis, time, mean, smallest and largest of the replications.

    Args:
        scenario: in blue.
        baseline: in grey.
        lines: (series, key) of what is drawn; the key `TOTAL` stands for the sum over the keys.
        language: of the words.
        trading: place instants on the trading axis (lunch pressed), else on the clock in hours.
    """
    parts = []
    for run, word in ((baseline, "baseline"), (scenario, "scenario")):
        for series, key in lines:
            line = (total(run, series) if key == TOTAL else run.series(series).get(key)) if run else None
            if line is not None:
                parts.append(_part(line, say(word, language), say(key, language), trading))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _part(line: Line, run: str, key: str, trading: bool) -> pd.DataFrame:
    inside = (
        (line.time_ns >= at("09:15")) & (line.time_ns <= at("15:00")) if trading else np.full(len(line.time_ns), True)
    )
    line = Line(line.time_ns[inside], line.values[:, inside]).with_holes()
    time = line.time_ns
    return pd.DataFrame(
        {
            "run": run,
            "key": key,
            "x": paper_minutes(time) if trading else hours(time),
            "time": [clock_text(int(t))[:-3] for t in time],
            "mean": line.mean,
            "low": line.low,
            "high": line.high,
        }
    )


def day_chart(
    frame: pd.DataFrame,
    language: str,
    *,
    title: str,
    unit: str = "",
    log: bool = False,
    trading: bool = True,
    legend: bool = True,
    **scale: Any,
) -> alt.LayerChart:
    """One panel: baseline grey, scenario blue, a band from the smallest to the largest replication.

    Args:
        frame: of `day_frame`, one line per run.
        language: of the words.
        title: of the panel.
        unit: of the values, for the tooltip.
        log: a logarithmic scale.
        trading: whether the frame lies on the trading axis.
        legend: whether to say which colour is which run.
        **scale: of the vertical axis, such as `domain`, for panels that are compared.
    """
    frame = frame.assign(text=[amount(value, unit, language) for value in frame["mean"]])
    if log:
        frame = frame[~(frame["low"] <= 0)]  # holes stay
    names = [say("baseline", language), say("scenario", language)]
    colour = alt.Color("run:N", scale=alt.Scale(domain=names, range=[BASELINE, SCENARIO]), title=None).legend(
        orient="top"
    )
    if not legend:
        colour = colour.legend(None)
    x = alt.X("x:Q", title=None, axis=_axis(frame, trading), scale=_span(trading))
    y_scale = alt.Scale(**{"type": "log" if log else "linear", "zero": not log, "nice": not log, **scale})
    base = alt.Chart(frame)
    band = base.mark_area(opacity=0.22).encode(x=x, y=alt.Y("low:Q", scale=y_scale), y2="high:Q", color=colour)
    tooltip = [alt.Tooltip("time:N", title=say("time of day", language))]
    tooltip += [alt.Tooltip("run:N", title=say("run", language)), alt.Tooltip("text:N", title=title)]
    kind = scale.get("type", "log" if log else "linear")
    y = alt.Y("mean:Q", scale=y_scale, title=None, axis=_value_axis(str(kind), unit, language))
    line = base.mark_line(strokeWidth=1.6).encode(x=x, y=y, color=colour, tooltip=tooltip)
    layers = [band, line, base.mark_point(size=60, opacity=0).encode(x=x, y=y, tooltip=tooltip)]
    if trading:
        edges = [float(paper_minutes(t)) for t in LUNCH]
        shade = alt.Chart(pd.DataFrame({"x": [edges[0]], "x2": [edges[1]]})).mark_rect(color="#8a8a8a", opacity=0.15)
        layers.insert(0, shade.encode(x=alt.X("x:Q", scale=_span(trading)), x2="x2:Q"))
    return alt.layer(*layers).properties(title=title, height=_HEIGHT)


def _span(trading: bool) -> alt.Scale:
    """The horizontal scale: the whole trading day, so that panels can be compared, or what the clock needs."""
    if not trading:
        return alt.Scale(nice=False, zero=False)
    return alt.Scale(nice=False, zero=False, domain=[float(paper_minutes(at(end))) for end in ("09:15", "15:00")])


def _value_axis(kind: str, unit: str, language: str) -> alt.Axis:
    """Ticks of the values: round times on a logarithmic scale of latency, powers of ten for queues, else as usual."""
    if kind == "log" and unit == "ms":
        marks = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000)
        label = " : ".join(f"datum.value == {ms} ? '{duration(ms, language)}'" for ms in marks)
        return alt.Axis(values=list(marks), labelExpr=f"{label} : ''")
    if kind == "symlog":
        tens = [0, *(10**k for k in range(8))]
        return alt.Axis(values=tens, labelExpr="format(datum.value, datum.value < 1000 ? 'd' : '~s')")
    if unit == "share":
        return alt.Axis(format="+~%", tickCount=5)
    return alt.Axis(format="~s", tickCount=5)


def _axis(frame: pd.DataFrame, trading: bool) -> alt.Axis:
    """Ticks that say the time of day."""
    if trading:
        places = {float(paper_minutes(at(mark))): mark for mark in _MARKS}
        places[float(np.mean([paper_minutes(t) for t in LUNCH]))] = "11:30 | 13:00"
    else:
        first, last = float(frame["x"].min()), float(frame["x"].max())
        step = 1 if last - first < 8 else 2
        places = {float(h): f"{h % 24:02d}:00" for h in range(int(np.ceil(first)), int(last) + 1, step)}
    label = " : ".join(f"abs(datum.value - {place}) < 0.01 ? '{mark}'" for place, mark in places.items())
    return alt.Axis(values=list(places), labelExpr=f"{label} : ''", grid=True, labelOverlap=True)


def bar_chart(frame: pd.DataFrame, language: str, *, title: str, unit: str = "share") -> alt.LayerChart:
    """Bars of `value` by `part`, baseline and scenario side by side; the value stands beside each bar.

    Args:
        frame: columns part, run (`baseline` or `scenario`), value.
        language: of the words.
        title: of the panel.
        unit: of the values.
    """
    order = list(dict.fromkeys(frame["part"]))
    frame = frame.assign(
        text=[amount(value, unit, language) for value in frame["value"]],
        name=[say(run, language) for run in frame["run"]],
        part=[say(part, language) for part in frame["part"]],
    )
    names = [say("baseline", language), say("scenario", language)]
    colour = alt.Color("name:N", scale=alt.Scale(domain=names, range=[BASELINE, SCENARIO]), title=None).legend(
        orient="top"
    )
    if unit == "share":
        busy = alt.datum.value > 0.9
        colour = alt.condition(busy & (alt.datum.run == "scenario"), alt.value(BREACH), colour)
    y = alt.Y("part:N", sort=[say(part, language) for part in order], title=None)
    base = alt.Chart(frame).encode(y=y, yOffset=alt.YOffset("name:N", sort=names))
    bars = base.mark_bar().encode(
        x=alt.X("value:Q", title=None, axis=alt.Axis(format="~%"), scale=alt.Scale(domainMin=0, domainMax=1.05)),
        color=colour,
    )
    labels = base.mark_text(align="left", dx=3).encode(x="value:Q", text="text:N")
    return alt.layer(bars, labels).properties(title=title, height=40 * len(order) + 90)


def part_frame(scenario: Recording, baseline: Recording | None, measure: str) -> pd.DataFrame:
    """Means over the replications of a measure by its segments, for `bar_chart`, the largest first."""
    rows = [
        (part, word, float(np.nanmean(values)))
        for run, word in ((baseline, "baseline"), (scenario, "scenario"))
        if run
        for part, values in run.segments(measure).items()
    ]
    frame = pd.DataFrame(rows, columns=["part", "run", "value"])
    top = frame.groupby("part")["value"].max().sort_values(ascending=False, kind="stable")
    return frame.assign(order=frame["part"].map({p: i for i, p in enumerate(top.index)})).sort_values(
        "order", kind="stable"
    )
