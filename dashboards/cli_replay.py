"""The command `twin replay`: a recorded feed through the matching engine."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboards.i18n import say

if TYPE_CHECKING:
    from twin.matching.replay import ReplayReport

_DIFFERS = 1

Language = Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")]


def replay(
    path: Annotated[Path, typer.Argument(help="Recording, or a folder of several · 行情记录文件或目录")],
    format: Annotated[
        str | None, typer.Option("--format", help="sse-l2, lobster or mbo (default: look) · 数据格式，默认自动识别")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Compare the published books too · 同时核对盘口")
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Executions out of turn count as differences · 越序成交计为不一致")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")] = False,
    language: Language = "en",
) -> None:
    """Feed a recorded day to the matching engine and compare what comes out · 用真实行情检验撮合.

    Formats: sse-l2 (Shanghai Level-2 folder), lobster (message and orderbook files), mbo (market by order).
    Ends with status 0 if all is equal, 1 on a difference, 2 if the recording cannot be read.

    Example: twin replay ../shared/data/market/sse_l2_600519_20230207
    """
    from dashboards import console
    from twin.matching.feeds import recordings
    from twin.matching.replay import replay as replay_day

    found = recordings(path, format)
    results = []
    for one in found:
        with ReplayView(language, live=sys.stderr.isatty()) as view:
            result = replay_day(one, format=format, check=check, strict=strict, progress=view.report)
        results.append(result)
        if not json:
            if len(found) > 1:
                console.out(f"{one.name}:")
            for line in lines(result, language):
                console.out(line)
    if json:
        tables = [_table(result) for result in results]
        console.out_json(tables[0] if len(tables) == 1 else tables)
    if not all(result.ok for result in results):
        raise typer.Exit(_DIFFERS)


def _table(result: ReplayReport) -> dict[str, Any]:
    """The result for machines."""
    rates = {"messages_per_s": result.messages_per_s, "wall_per_s": result.wall_per_s}
    return {**asdict(result), **rates, "ok": result.ok}


def lines(result: ReplayReport, language: str) -> list[str]:
    """The result in words, line by line."""
    counts = {name: f"{value:,}" for name, value in vars(result).items() if isinstance(value, int)}
    found = [say("replay_trades", language, matched=counts["trades_matched"], recorded=counts["trades_recorded"])]
    apart = ("trades_unnamed", "trades_out_of_turn", "trades_hidden", "trades_unverifiable", "trades_after_hours")
    found += [say(f"replay_{name}", language, n=counts[name]) for name in apart if getattr(result, name)]
    if result.cancels_recorded:
        values = {"matched": counts["cancels_matched"], "recorded": counts["cancels_recorded"]}
        found.append(say("replay_cancels", language, **values))
    if result.auction_checked:
        values = {"matched": counts["auction_matched"], "checked": counts["auction_checked"]}
        found.append(say("replay_auction", language, **values))
    if result.books_checked:
        values = {"matched": counts["books_matched"], "checked": counts["books_checked"]}
        found.append(say("replay_books", language, **values))
    for name in ("books_empty", "books_start", "levels_learned", "orders_unknown", "halts"):
        if getattr(result, name):
            found.append(say(f"replay_{name}", language, n=counts[name]))
    speed = {"messages": counts["messages"], "seconds": f"{result.seconds:.3f}", "wall": f"{result.wall_seconds:.1f}"}
    rates = {"rate": f"{result.messages_per_s:,.0f}", "wall_rate": f"{result.wall_per_s:,.0f}"}
    found.append(say("replay_speed", language, **speed, **rates))
    if result.ok:
        found.append(say("replay_equal_but" if result.trades_out_of_turn else "replay_equal", language))
    else:
        values = {"n": counts["differences"], "first": str(result.first_difference), "row": result.first_row}
        found.append(say("replay_differs", language, **values))
    return found


class ReplayView:
    """Shows how far a replay is: a bar on a terminal, nothing elsewhere.

    Args:
        language: of the words.
        live: whether there is a terminal.
    """

    def __init__(self, language: str, *, live: bool) -> None:
        self._language = language
        self._bar = _bar() if live else None
        self._task: Any = None

    def __enter__(self) -> ReplayView:
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar:
            self._bar.stop()

    def report(self, stage: str, fraction: float) -> None:
        """Show a stage and the fraction of it that is done."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=fraction, description=say(f"replay_stage_{stage}", self._language))


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
