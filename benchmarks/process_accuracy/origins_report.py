"""The comparison at several origins as a page, a picture and a file for machines."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from benchmarks.process_accuracy.levels import ENDED, FEWEST, WEEKS, Level
from benchmarks.process_accuracy.origins import AHEAD, FEWEST_TEST, FEWEST_TRAIN, AtOrigin, NoOrigin
from benchmarks.process_accuracy.origins_cells import (
    FORECASTS,
    by_log,
    cells_of,
    counts,
    geometric,
    levels,
    mean_errors,
    pair,
    ratio,
    ratio_text,
)
from benchmarks.process_accuracy.origins_picture import draw
from benchmarks.process_accuracy.report import FAR, UNITS, text
from twin.measures.log_distances import NAMES

_CELL_TITLES = ("log", "distance", "origins", "twin", "replay", "ratio", "geometric mean", "better at")

_COLUMNS = ("log", "share", "structure", "training cases", "test cases", "metric", "of", "mean", "sd", "runs")


def write(results: Sequence[AtOrigin], left_out: Sequence[NoOrigin], folder: Path, command: str) -> list[Path]:
    """Page, picture and machine-readable table; their paths.

    Args:
        results: at least one, in the order of the page, those of a log together.
        left_out: origins and logs that are not tried, and why.
        folder: made if there is none.
        command: that made them.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page, picture, table = (folder / f"process-origins.{form}" for form in ("md", "png", "csv"))
    _write_table(results, table)
    draw(results, picture)
    page.write_text(_page(results, left_out, command, picture.name, table.name), encoding="utf-8")
    return [page, picture, table]


def _page(results: Sequence[AtOrigin], left_out: Sequence[NoOrigin], command: str, picture: str, table: str) -> str:
    cells = [cell for mine in by_log(results) for cell in cells_of(mine)]
    far = [f"{cell.log} {cell.metric} ({ratio_text(cell.ratio) or 'replay is 0'})" for cell in cells if cell.far]
    lines = [
        "# Discovered processes beside naive replay, at several cuts of each log",
        "",
        f"Made on {dt.datetime.now(dt.UTC):%Y-%m-%d} by `{command}`; the figures for machines: [{table}]({table}).",
        "",
        *_headline(results),
        "",
        *_table(_CELL_TITLES, 2, [cell.texts() for cell in cells]),
        "",
        f"On average more than {FAR} times as far as replay: {', '.join(far) or 'none'}.",
        "",
        f"![Each distance over that of replay]({picture})",
        "",
        "## Level of arrivals",
        "",
        *_level_table(results),
        "",
        *_METHOD,
        "",
        *_not_tried(left_out),
    ]
    return "\n".join(lines + [line for mine in by_log(results) for line in _section(mine)]) + "\n"


def _headline(results: Sequence[AtOrigin]) -> list[str]:
    n = counts(results)
    of_each = {m: geometric(ratio(*pair(result, m)) for result in results) for m in NAMES}
    overall = geometric(ratio(*pair(result, m)) for result in results for m in NAMES)
    each = ", ".join(f"{name} {ratio_text(value)}" for name, value in of_each.items())
    lines = [
        f"- Better than naive replay on average over the origins: **{n['better']} of {n['cells']}** cells.",
        f"- Better than naive replay at single origins: **{n['better_single']} of {n['single']}** cells.",
        f"- More than {FAR} times naive replay: {n['far']} of {n['cells']} cells on average, {n['far_single']} of "
        f"{n['single']} at single origins.",
        f"- Geometric mean of all ratios to replay: **{ratio_text(overall)}** ({each}).",
    ]
    others = [pair(result, m) for result in results for m in NAMES if m != "AEDD"]
    lines.append(
        f"- Without AEDD, in which replay is up to half a week off because it keeps the days of the week: better at "
        f"**{sum(twin < replay for twin, replay in others)} of {len(others)}** single cells, geometric mean "
        f"**{ratio_text(geometric(ratio(*both) for both in others))}**."
    )
    if n["zero"]:
        lines.append(f"- Distances of 0 make {n['zero']} ratios without a logarithm; geometric means leave these out.")
    found = levels(results)
    if found:
        error = mean_errors(found)
        lines.append(
            f"- Level of arrivals, mean absolute error of its logarithm at {len(found)} origins: twin "
            f"**{error['twin']:.3f}**, last {WEEKS} weeks {error['naive']:.3f}, last {WEEKS} complete weeks "
            f"{error['complete']:.3f}."
        )
    return lines


def _table(titles: Sequence[str], texts: int, rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of which the first columns are texts."""
    head = ["| " + " | ".join(titles) + " |", "|" + "---|" * texts + "---:|" * (len(titles) - texts)]
    return head + ["| " + " | ".join(row) + " |" for row in rows]


def _level_table(results: Sequence[AtOrigin]) -> list[str]:
    rows = []
    for mine in [*by_log(results), results]:
        found = levels(mine)
        error = mean_errors(found)
        name = "all" if mine is results else mine[0].task.name
        rows.append([name, f"{len(found)} of {len(mine)}", *(text(error[of]) for of in FORECASTS)])
    return [
        "Mean absolute error of the logarithm of the number of arrivals after the training part:",
        "",
        *_table(("log", "origins", "twin", f"last {WEEKS} weeks", f"last {WEEKS} complete weeks"), 1, rows),
    ]


_METHOD = f"""## What is compared

[process-accuracy.md](process-accuracy.md) divides each log once, as the published comparisons do; there luck decides
single cells. Here the same comparison is made at several origins of each log, as is usual of forecasts (L. J. Tashman,
"Out-of-sample tests of forecasting accuracy: an analysis and review", International Journal of Forecasting 16 (2000)).
A pair of training and test part is put together again first, without the cases that its makers left out.

The origin *s* is that share of the activities. Of the future only a fifth is looked at: the cases that had ended when
*s* + {AHEAD} of all activities had ended are divided at *s* / (*s* + {AHEAD}) of their activities; where no more than a
fifth follows, the log itself is divided at *s*. Cases that had ended at the cut are for training, those of which no
activity had ended by then are for testing, and those across it are left out. A training part of fewer than
{FEWEST_TRAIN} cases or a test part of fewer than {FEWEST_TEST} is not tried. The parts of neighbouring origins overlap:
the origins of a log are not independent of each other. At early origins the test part lacks the cases that had not yet
ended when looking ahead stopped, and so does the end of the training part, which replay repeats; at the last origin
the test part is as it was recorded.

Distances and *replay* are those of [process-accuracy.md](process-accuracy.md), and so is what a simulator is told: when
the first case of the test part begins, and how many there are. *Twin* is the mean over the simulated logs, then over
the origins; *ratio* is that of the two means, twin over replay, and below 1 where the twin is nearer. The *geometric
mean* is that of the ratios at the origins, each of which counts alike, however great its distances are. *Better at*
counts the origins at which the twin is nearer.

Arrivals are counted from the last end of the training part to the last arrival of the test part. A test part does not
show cases that had not ended when its recording stopped. So counting stops before its last end by the time within which
{ENDED:.0%} of the cases end, if that is earlier; about a tenth of the arrivals just before that may be missing all the
same. The twin's forecast is the mean number of arrivals drawn from the discovered process. The naive forecast is that
the last {WEEKS} weeks of the training part come again: their mean, moved on by whole weeks. The last weeks of a
training part lack the cases that had not ended, too: *complete* are the last {WEEKS} weeks before the time within which
{ENDED:.0%} of its cases end. An origin is left out if there are no such {WEEKS} weeks, or fewer than {FEWEST}
arrivals.""".splitlines()


def _not_tried(left_out: Sequence[NoOrigin]) -> list[str]:
    lines = []
    for missing in left_out:
        at = "" if missing.share is None else f" at {missing.share:g}"
        lines += [f"Left out: {missing.task.name}{at}, because {missing.reason.rstrip('.')}.", ""]
    return lines[:-1]


def _section(mine: Sequence[AtOrigin]) -> list[str]:
    rows = []
    for result in mine:
        cases, _, test_cases, _ = result.sizes
        rows.append([f"{result.share:g}", result.structure, f"{cases:,}", f"{test_cases:,}"])
        rows[-1] += [_single(result, metric) for metric in NAMES]
    titles = ["origin", "structure", "training cases", "test cases", *(name + UNITS[name] for name in NAMES)]
    return [
        "",
        f"## {mine[0].task.name}",
        "",
        f"Twin / replay (ratio), {len(mine[0].runs)} simulated logs at each origin.",
        "",
        *_table(titles, 2, rows),
        *_level_section(mine),
    ]


def _single(result: AtOrigin, metric: str) -> str:
    twin, replay = pair(result, metric)
    bold = "**" if twin < replay else ""
    of = ratio_text(ratio(twin, replay))
    return f"{bold}{text(twin)}{bold} / {text(replay)}" + (f" ({of})" if of else "")


def _level_section(mine: Sequence[AtOrigin]) -> list[str]:
    rows: list[list[str]] = []
    reasons: dict[str, list[str]] = {}
    for result in mine:
        level, share = result.level, f"{result.share:g}"
        if isinstance(level, Level):
            rows.append([share, f"{level.days:.1f}", f"{level.actual:,}"])
            rows[-1] += [f"{getattr(level, of):,.1f}" for of in FORECASTS]
        else:
            reasons.setdefault(level, []).append(share)
    titles = ("origin", "days", "arrivals", "twin", f"last {WEEKS} weeks", f"last {WEEKS} complete weeks")
    blocks = [_table(titles, 1, rows)] if rows else []
    blocks += [[f"Arrivals are not compared at {', '.join(at)}: {why}."] for why, at in reasons.items()]
    return [line for block in blocks for line in ("", *block)]


def _write_table(results: Sequence[AtOrigin], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(_COLUMNS)
        for result in results:
            where = [result.task.name, f"{result.share:g}", result.structure, result.sizes[0], result.sizes[2]]
            for metric in NAMES:
                twin, replay = pair(result, metric)
                rows.writerow([*where, metric, "twin", f"{twin:.6g}", f"{result.sd(metric):.6g}", len(result.runs)])
                rows.writerow([*where, metric, "replay", f"{replay:.6g}", "", 1])
            if isinstance(result.level, Level):
                for of in ("actual", *FORECASTS):
                    rows.writerow([*where, "arrivals", of, f"{getattr(result.level, of):.6g}", "", ""])
