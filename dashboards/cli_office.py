"""The command `twin process compare`: two forms of a process over the same cases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboards.office_words import measure_label, say

if TYPE_CHECKING:
    from scenarios.office_processes import Comparison, Row
    from twin.measures.statistics import Estimate


def compare(
    today: Annotated[str | None, typer.Argument(help="Process or file; none: list them · 流程名称或文件")] = None,
    reformed: Annotated[str | None, typer.Argument(help="The other form · 另一形式")] = None,
    days: Annotated[int, typer.Option(min=1, max=1000, help="Measured calendar days · 计量天数")] = 20,
    warm_up: Annotated[int, typer.Option(min=0, max=365, help="Days before them · 预热天数")] = 7,
    replications: Annotated[int, typer.Option(min=1, max=65_536, help="Pairs of runs · 重复次数")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 64) - 1, help="Seed · 随机种子")] = 1,
    factor: Annotated[float, typer.Option(min=0.0, help="Multiplies the arrivals of both · 到达量倍数")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")] = False,
    language: Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")] = "en",
) -> None:
    """Compare two forms of a process with the same cases and the same luck · 比较流程的两种形式.

    Example: twin process compare today/complaint reformed/complaint --days 20 --replications 10
    """
    from dashboards import console
    from scenarios import office_processes

    if today is None:
        _list(language, json=json)
        return
    other = reformed if reformed is not None else office_processes.counterpart(today)
    result = office_processes.compare(
        today,
        other,
        days=days,
        warm_up=warm_up,
        replications=replications,
        seed=seed,
        factor=factor,
        progress=_Progress(language) if sys.stderr.isatty() else None,
    )
    if json:
        console.out_json(_as_json(result))
        return
    console.out(say("headline", language, n=replications, **{k: vars(result)[k] for k in _NAMED}))
    rows = [_cells(row, language) for row in result.rows]
    headings = [say(k, language) for k in ("measure", "today", "reformed", "difference", "verdict")]
    console.print_table(console.simple_table(headings, rows))
    if replications == 1:
        console.out(say("one", language))


_NAMED = ("today", "reformed", "days", "seed")


def _list(language: str, *, json: bool) -> None:
    from dashboards import console
    from scenarios.office_processes import forms

    found = forms()
    if json:
        console.out_json(found)
        return
    rows = [(name, "  ".join(files)) for name, files in found.items()]
    console.print_table(console.simple_table((say("process", language), say("forms", language)), rows))


def _as_json(result: Comparison) -> dict[str, Any]:
    def known(value: Estimate | None) -> dict[str, Any] | None:
        return None if value is None else {"mean": value.mean, "half_width": value.half_width}

    rows = [
        {
            "measure": row.measure.name,
            "unit": row.measure.unit,
            "today": known(row.today),
            "reformed": known(row.reformed),
            "difference": known(row.difference.estimate) if row.difference else None,
            "verdict": row.difference.verdict.value if row.difference else None,
        }
        for row in result.rows
    ]
    head = {k: vars(result)[k] for k in (*_NAMED, "replications")}
    return {**head, "measures": rows}


def number(value: float, unit: str) -> str:
    """A figure of a comparison: shares as percentages, all else with three digits or none after the point."""
    if unit == "share":
        return f"{value:.1%}"
    return f"{value:,.0f}" if abs(value) >= 1000 or unit == "cases" else f"{value:,.3g}"


def cells(row: Row) -> tuple[str, str, str]:
    """Today's value, the reformed one, and the difference with half its interval."""
    unit = row.measure.unit
    sides = ["–" if e is None else number(e.mean, unit) for e in (row.today, row.reformed)]
    if row.difference is None:
        return sides[0], sides[1], ""
    found = row.difference.estimate
    text = number(found.mean, unit)
    text = f"+{text}" if found.mean > 0 else text
    if found.half_width is not None:
        text += f" ± {number(found.half_width, unit)}"
    return sides[0], sides[1], text


def _cells(row: Row, language: str) -> list[str]:
    unit = say(row.measure.unit, language)
    label = measure_label(row.measure.name, language)
    name = label if row.measure.unit in ("share", "cases") else f"{label} ({unit})"
    verdict = say(row.difference.verdict.value, language) if row.difference else ""
    return [name, *cells(row), verdict]


class _Progress:
    """One line on the terminal that is written over."""

    def __init__(self, language: str) -> None:
        self._language = language

    def __call__(self, done: int, n: int) -> None:
        sys.stderr.write("\r" + say("progress", self._language, done=done, n=n) + ("\n" if done == n else ""))
        sys.stderr.flush()
