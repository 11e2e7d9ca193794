"""The command `twin process compare`: two forms of a process over the same cases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboards.office_cells import cells
from dashboards.office_words import measure_label, say

if TYPE_CHECKING:
    from dashboards.office_book import Compare
    from scenarios.office_processes import Comparison, Row
    from twin.contracts import Segment
    from twin.measures.statistics import Estimate


def compare(
    today: Annotated[str | None, typer.Argument(help="Process or file; none: list them · 流程名称或文件")] = None,
    reformed: Annotated[str | None, typer.Argument(help="The other form · 另一形式")] = None,
    days: Annotated[int, typer.Option(min=1, max=1000, help="Measured calendar days · 计量天数")] = 20,
    warm_up: Annotated[int, typer.Option(min=0, max=365, help="Days before them · 预热天数")] = 7,
    replications: Annotated[int, typer.Option(min=1, max=65_536, help="Pairs of runs · 重复次数")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 64) - 1, help="Seed · 随机种子")] = 1,
    segment: Annotated[str | None, typer.Option(help="retail, gen_z, hnw or institution · 客户类型")] = None,
    factor: Annotated[float, typer.Option(min=0.0, help="Multiplies the arrivals of both · 到达量倍数")] = 1.0,
    fill: Annotated[
        Path | None, typer.Option(help="Write all tables of a document anew, and its drawings · 更新文档中的表格与图")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")] = False,
    language: Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")] = "en",
) -> None:
    """Compare two forms of a process with the same cases and the same luck · 比较流程的两种形式.

    Example: twin process compare today/complaint reformed/complaint --days 20 --replications 10
    """
    from dashboards import console
    from scenarios import office_processes

    def run(a: str, b: str, times: float, only: int | None = None) -> Comparison:
        shown = _Progress(f"{b}: ", language) if sys.stderr.isatty() else None
        return office_processes.compare(
            a,
            b,
            days=days if only is None else only,
            warm_up=warm_up if only is None else 0,
            replications=replications,
            seed=seed,
            factor=times,
            segment=_segment(segment),
            progress=shown,
        )

    if fill is not None:
        _fill(fill, run, language)
        return
    if today is None:
        _list(language, json=json)
        return
    result = run(today, reformed if reformed is not None else office_processes.counterpart(today), factor)
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


def _segment(name: str | None) -> Segment | None:
    from twin.contracts import Segment
    from twin.errors import ScenarioError

    if name is None:
        return None
    known = {s.name.lower(): s for s in Segment}
    if name not in known:
        raise ScenarioError(f"{name!r} is not a kind of client", where="--segment", hint=f"Kinds: {', '.join(known)}.")
    return known[name]


def _fill(path: Path, run: Compare, language: str) -> None:
    from dashboards import console
    from dashboards.office_book import write_book

    for written in write_book(path, run):
        console.out(say("written", language, path=written))


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


def _cells(row: Row, language: str) -> list[str]:
    unit = say(row.measure.unit, language)
    label = measure_label(row.measure.name, language)
    name = label if row.measure.unit in ("share", "cases") else f"{label} ({unit})"
    verdict = say(row.difference.verdict.value, language) if row.difference else ""
    return [name, *cells(row), verdict]


class _Progress:
    """One line on the terminal that is written over."""

    def __init__(self, what: str, language: str) -> None:
        self._what, self._language = what, language

    def __call__(self, done: int, n: int) -> None:
        sys.stderr.write(
            "\r" + self._what + say("progress", self._language, done=done, n=n) + ("\n" if done == n else "")
        )
        sys.stderr.flush()
