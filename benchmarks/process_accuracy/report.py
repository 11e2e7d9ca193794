"""The table of accuracy as a page, a picture and a file for machines."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.process_accuracy.compare import Result
from twin.measures.log_distances import NAMES
from twin.process.discovery import TYPICAL_OF

SIMULATORS = {"Simod": ("Simod",), "DGEN": ("DGEN",), "DSIM": ("DSIM",), "RIMS": ("RIMS",), "AgentSim": ("AgentSim",)}
"""Columns of the table -> how the names of their figures begin; of several variants the best stands."""
FAR = 1.5
"""A cell with a greater ratio is far behind."""
UNITS = {"NGD": "", "AEDD": " (h)", "CEDD": " (h)", "REDD": " (h)", "CTDD": " (h)"}


def counts(results: Sequence[Result], typical: bool = False) -> dict[str, int]:
    """Cells in all, with published figures, better than all of these, better than replay, far behind the best.

    Chance may explain a cell unless the test part lies farther from all simulated logs than any of them from the rest.

    Args:
        results: of the logs.
        typical: of the typical logs, else of single ones.
    """
    cells = [(r.mean(m, typical), r.best(m), r.replay.as_dict()[m]) for r in results for m in NAMES]
    known = [(mean, best.mean) for mean, best, _ in cells if best]
    behind = [(r, m) for r in results for m in NAMES if max(_ratios(r, m, typical)) > 1.0]
    replayed = [(r, m) for r in results for m in NAMES if len(r.stretches) > 1]
    return {
        "cells": len(cells),
        "published": len(known),
        "better_than_published": sum(mean < best for mean, best in known),
        "better_than_replay": sum(mean < replay for mean, _, replay in cells),
        "far_behind": sum(mean > FAR * best for mean, best in known),
        "far_behind_replay": sum(mean > FAR * replay for mean, _, replay in cells),
        "behind": len(behind),
        "behind_by_chance": sum(r.as_far[m] > 0 for r, m in behind),
        "replayed": len(replayed),
        "far_behind_replays": sum(r.mean(m, typical) > FAR * r.mean_replay(m) for r, m in replayed),
        "nearer_than_most_replays": sum(2 * r.nearer_replays(m, typical) < len(r.stretches) for r, m in replayed),
    }


def _ratios(result: Result, metric: str, typical: bool = False) -> tuple[float, float]:
    """The twin over the best published figure and over replay, 0 where there is none."""
    mean, best, replay = result.mean(metric, typical), result.best(metric), result.replay.as_dict()[metric]
    return mean / best.mean if best else 0.0, mean / replay if replay > 0 else 0.0


def _of(result: Result, metric: str, starts: tuple[str, ...]) -> float | None:
    """The least published mean of one simulator's variants."""
    found = [f.mean for f in result.figures if f.metric == metric and f.simulator.startswith(starts)]
    return min(found, default=None)


def _one_by_one(results: Sequence[Result], typical: bool) -> str:
    parts = []
    for name, starts in SIMULATORS.items():
        pairs = [(r.mean(m, typical), _of(r, m, starts)) for r in results for m in NAMES]
        theirs = [(mine, other) for mine, other in pairs if other is not None]
        if theirs:
            parts.append(f"{name} in {sum(mine < other for mine, other in theirs)} of {len(theirs)} cells")
    return ", ".join(parts) if parts else "none has figures for these logs"


def _behind(results: Sequence[Result]) -> list[str]:
    """The cells in which the twin is worse than the best published figure or than replay, the worst first."""
    rows = []
    for result in results:
        for metric in NAMES:
            ratios, others = _ratios(result, metric), _ratios(result, metric, typical=True)
            if max(*ratios, *others) > 1.0:
                rows.append((max(others), result, metric, (*ratios, *others)))
    if not rows:
        return ["No cell is behind the best published figure or naive replay."]
    lines = [
        f"In {len(rows)} of {len(results) * len(NAMES)} cells a published simulator or replay is better than a single "
        "or a typical simulated log; farthest behind with the typical one first "
        "(a twin below *halves* is nearer than two random halves of the test part are to each other; *as far*: so many "
        "simulated logs lie at least as far from the rest of them as the test part does: unless it is 0, chance may "
        "explain the distance, if the process is right; *nearer replays*: so many stretches of the training part "
        "are nearer to the test part, when replayed, than a single simulated log):",
        "",
        "| log | distance | twin | typical | best published | replay | halves | apart | as far "
        "| nearer replays | twin over best | twin over replay | typical over best | typical over replay |",
        "|---|---|" + "---:|" * 12,
    ]
    for _, result, metric, ratios in sorted(rows, key=lambda row: -row[0]):
        best = result.best(metric)
        cells = [
            result.task.name,
            metric + UNITS[metric],
            text(result.mean(metric)),
            text(result.mean(metric, typical=True)),
            text(best.mean) if best else "",
        ]
        cells += [text(result.replay.as_dict()[metric]), text(result.halves[metric])]
        cells += [text(result.apart[metric]), _rank(result, metric), _replays(result, metric)]
        cells += [f"{ratio:.2f}" if ratio else "" for ratio in ratios]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def write(
    results: Sequence[Result], folder: Path, command: str, left_out: Sequence[tuple[str, str]] = ()
) -> list[Path]:
    """Page, picture and machine-readable table; their paths.

    Args:
        results: of the logs, in the order of the page.
        folder: made if there is none.
        command: that made them.
        left_out: names of logs that could not be tried, and why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page, picture, table = (folder / f"process-accuracy.{form}" for form in ("md", "png", "csv"))
    _write_table(results, table)
    _draw(results, picture)
    page.write_text(_page(results, command, picture.name, table.name, left_out), encoding="utf-8")
    return [page, picture, table]


def _page(
    results: Sequence[Result], command: str, picture: str, table: str, left_out: Sequence[tuple[str, str]]
) -> str:
    head = [
        "# How well discovered processes reproduce real logs",
        "",
        f"Made on {dt.datetime.now(dt.UTC):%Y-%m-%d} by `{command}`; the figures for machines: [{table}]({table}).",
        "",
        f"| cells in which the twin is | single logs | the most typical of {TYPICAL_OF} |",
        "|---|---:|---:|",
        *_headlines(results),
        "",
        "Each log is divided once here, and at one cut luck decides single cells. The same logs, cut at five instants "
        "each: [process-origins.md](process-origins.md).",
        "",
        *_behind(results),
        "",
        *(line for name, why in left_out for line in (f"Left out: {name}, because {why}", "")),
        f"![Each distance over the best published figure and over replay]({picture})",
        "",
        *_METHOD,
    ]
    return "\n".join(head + [line for result in results for line in _section(result)])


def _headlines(results: Sequence[Result]) -> list[str]:
    """The counts, for single logs and for typical ones."""
    one, other = counts(results), counts(results, typical=True)
    rows = {
        "better than every published simulator": ("better_than_published", "published"),
        "better than naive replay": ("better_than_replay", "cells"),
        "nearer than most replays of stretches of the training part": ("nearer_than_most_replays", "replayed"),
        f"more than {FAR} times the best published figure": ("far_behind", "published"),
        f"more than {FAR} times naive replay": ("far_behind_replay", "cells"),
        f"more than {FAR} times the mean replay of those stretches": ("far_behind_replays", "replayed"),
        "behind a published figure or replay, where chance may explain it": ("behind_by_chance", "behind"),
    }
    lines = [f"| {what} | {one[n]} of {one[of]} | {other[n]} of {other[of]} |" for what, (n, of) in rows.items()]
    each = [_one_by_one(results, typical) for typical in (False, True)]
    return [*lines, f"| better than each published simulator for itself, in its best variant | {' | '.join(each)} |"]


_METHOD = f"""## What is compared

A process is discovered on the training part alone. A simulated log begins when the first case of the test part begins
and holds as many cases as the test part: that, and nothing else of the test part, is told to the simulator, as in the
published comparisons. Staff begin with the work that the training part leaves. Where the training part shows only
cases that ended before its recording stopped, so do the simulated logs; how long recording goes on after the last
arrival is not told
and assumed to be a fifth of the time. Where the training part begins with cases under way, its recording was cut by
time: simulated logs then stop between two arrivals, and show unfinished cases as far as they got. A test part recorded
otherwise (see each log) costs accuracy in cycle times, on the time line and in the control flow. The five distances
between test part and simulated log, 0 = equal:

- NGD, n-gram distance (n = 3) of the control flow, from 0 to 1;
- AEDD, absolute event distribution: hours that starts and ends must be moved on the time line;
- CEDD, circadian event distribution: hours within each weekday, mean over the weekdays;
- REDD, relative event distribution: hours since the start of the case;
- CTDD, cycle time distribution: hours.

They are those of the package `log-distance-measures`, to nine digits (`tests/test_log_distances_reference.py`).
*Replay* takes the last training cases as they were, moved on by whole weeks: what anyone could forecast without a
model. Which stretch comes nearest to the test part is luck: so up to nine earlier ones of as many cases, evenly spread
over the training part, are replayed, too, if it is longer than one by a quarter at least. *Halves* is the mean distance
between random halves of the test part itself, which differ by chance alone; halves have half as many cases, so that a
log of full size may come somewhat nearer. *Apart* is the mean distance between simulated logs: if the discovered
process were the true one, the twin would be about as far from the test part. *As far* counts the simulated logs that
lie at least as far from the rest of them as the test part does: were the process the true one, it would be 0 in one of
eleven cells with ten logs. A process more volatile than the true one has such an excuse too easily.

A published figure is comparable where log and division are the same; of a simulator with several variants the best
stands, cell by cell, and *best published* takes the least of all of them. Standard deviations are over the simulated
logs.

*Twin* is the mean over single simulated logs, as in the published comparisons. *Typical* is the mean over as many logs
of which each is the most typical of {TYPICAL_OF}, the nearest to all the others (`twin simulate-log
--typical {TYPICAL_OF}`): replay is one log that stands for what is to come, and so is this one. It is a log that the
process gave, without being one of its exceptions; the spread from log to log is to be had from single ones.
""".splitlines()


def _section(result: Result) -> list[str]:
    cases, rows, test_cases, test_rows = result.sizes
    name = result.task.name + (f" (published as {result.task.published})" if result.task.published else "")
    lines = [
        "",
        f"## {name}",
        "",
        f"{result.protocol.capitalize()}. Training part {cases:,} cases, {rows:,} activities; test part "
        f"{test_cases:,} cases, {test_rows:,} activities; {result.follow_up:.0%} of its time follow its last arrival. "
        f"{len(result.runs)} simulated logs. Structure: {result.structure}. Discovery took {result.discover_s:.1f} s, "
        f"a simulated log {result.simulate_s:.2f} s.",
        "",
    ]
    titles = ["distance", "twin", "typical", "replay", "halves", "apart", "as far", "nearer replays"]
    if result.figures:
        titles += [*SIMULATORS, "best published", "twin / best", "typical / best"]
    lines += ["| " + " | ".join(titles) + " |", "|---|" + "---:|" * (len(titles) - 1)]
    return lines + ["| " + " | ".join(_cells(result, metric)) + " |" for metric in NAMES]


def _cells(result: Result, metric: str) -> list[str]:
    replay, best = result.replay.as_dict()[metric], result.best(metric)
    cells = [metric + UNITS[metric]]
    for typical in (False, True):
        mean, sd = result.mean(metric, typical), result.sd(metric, typical)
        bold = "**" if mean < (best.mean if best else replay) else ""
        cells.append(f"{bold}{text(mean)}{bold} ± {text(sd)}")
    cells += [text(replay), text(result.halves[metric]), text(result.apart[metric]), _rank(result, metric)]
    cells.append(_replays(result, metric))
    if not result.figures:
        return cells
    for starts in SIMULATORS.values():
        of = _of(result, metric, starts)
        cells.append("" if of is None else text(of))
    if not best:
        return [*cells, "", "", ""]
    over = [f"{result.mean(metric, typical) / best.mean:.2f}" for typical in (False, True)]
    return [*cells, f"{text(best.mean)} ({best.simulator})", *over]


def _rank(result: Result, metric: str) -> str:
    return f"{result.as_far[metric]} of {len(result.runs)}"


def _replays(result: Result, metric: str) -> str:
    return f"{result.nearer_replays(metric)} of {len(result.stretches)}"


def text(value: float) -> str:
    """A distance with as many digits as are worth reading; nothing if there is none."""
    if math.isnan(value):
        return ""
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _write_table(results: Sequence[Result], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["log", "division", "metric", "of", "mean", "sd", "runs", "source"])
        for result in results:
            for metric in NAMES:
                where = [result.task.name, result.protocol, metric]
                for who, typical in (("twin", False), ("typical", True)):
                    found = [f"{result.mean(metric, typical):.6g}", f"{result.sd(metric, typical):.6g}"]
                    rows.writerow([*where, who, *found, len(result.runs), "measured"])
                rows.writerow([*where, "replay", f"{result.replay.as_dict()[metric]:.6g}", "", 1, "measured"])
                rows.writerow([*where, "halves", f"{result.halves[metric]:.6g}", "", "", "measured"])
                rows.writerow([*where, "apart", f"{result.apart[metric]:.6g}", "", "", "measured"])
                for number, one in enumerate(result.stretches[:-1], 1):
                    rows.writerow(
                        [*where, f"replay of stretch {number}", f"{one.as_dict()[metric]:.6g}", "", 1, "measured"]
                    )
                rows.writerow([*where, "as far", result.as_far[metric], "", len(result.runs), "measured"])
                for figure in result.figures:
                    if figure.metric == metric:
                        sd = "" if figure.sd is None or math.isnan(figure.sd) else figure.sd
                        rows.writerow([*where, figure.simulator, figure.mean, sd, "", figure.source])


def _draw(results: Sequence[Result], path: Path) -> None:
    """Ratios on a logarithmic scale, a row for each cell."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    rows = [(result, metric) for result in results for metric in NAMES]
    figure = Canvas(figsize=(8, 1.2 + 0.24 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for y, (result, metric) in enumerate(rows):
        mean, best, replay = result.mean(metric), result.best(metric), result.replay.as_dict()[metric]
        if replay > 0:
            axes.plot(mean / replay, y, marker="|", color="tab:gray", markersize=9, markeredgewidth=2)
        if best:
            colour = "tab:green" if mean < best.mean else "tab:red"
            axes.plot(mean / best.mean, y, marker="o", color=colour, markersize=6)
        axes.axhline(y - 0.5, color="0.92", linewidth=0.5, zorder=0)
    for y in range(0, len(rows), len(NAMES)):
        axes.axhline(y - 0.5, color="0.6", linewidth=0.8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yticks(range(len(rows)), [f"{r.task.name}  {m}" for r, m in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(
        "distance of the twin over the best published (dots) and naive replay (bars); left = better", fontsize=8
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    figure.savefig(path, dpi=130)
