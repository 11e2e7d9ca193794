"""The command `twin realism`: does a simulated day look like a real one?"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scenarios.realism.study import Study
    from twin.measures.resampling import Measured

PUBLISHED = "published"
_PLAIN_EVERY = 5.0
_STAGES = {"impact": "stage.impact"}


def realism(
    against: Annotated[
        str, typer.Option(help="Folder of a recorded day, or `published` · 真实逐笔数据目录，或 published")
    ] = PUBLISHED,
    days: Annotated[int, typer.Option(min=1, max=250, help="Simulated days · 模拟天数")] = 5,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 64) - 1, help="Seed · 随机种子")] = 1,
    instrument: Annotated[
        str | None,
        typer.Option(
            help="high-priced, middle-priced, low-priced or PRICE:ORDERS; default: as recorded · 股票：价格:委托笔数"
        ),
    ] = None,
    impact_days: Annotated[
        int, typer.Option(min=0, max=1_000, help="Days of the metaorder experiment, 0 = none · 大额订单实验天数")
    ] = 8,
    out: Annotated[Path, typer.Option("--out", help="Folder for page and pictures · 输出目录")] = Path("realism"),
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Write the page and the pictures · 生成页面与图片")
    ] = True,
    language: Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")] = "en",
    json: Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")] = False,
) -> None:
    """Measure a simulated stock beside a recorded day or the literature · 模拟市场与真实市场的对照检验.

    Example: twin realism --against ../shared/data/market/sse_l2_600536_20230711 --days 5
    """
    from dashboards import console
    from scenarios.realism.simulate import STOCKS, named_stock, stock_like
    from scenarios.realism.study import read_recorded, run_study
    from twin.errors import ScenarioError

    if 0 < impact_days < 3:
        raise ScenarioError(f"impact_days = {impact_days}", where="--impact-days", hint="Give 0, or 3 and more.")
    chosen = named_stock(instrument) if instrument else None
    show = _Progress(language)
    try:
        if against != PUBLISHED:
            show("read", 0.0)
        recorded = None if against == PUBLISHED else read_recorded(Path(against))
        stock = chosen or (stock_like(recorded) if recorded else STOCKS["middle-priced"])
        study = run_study(stock, recorded, days=days, seed=seed, impact_days=impact_days, progress=show)
        written = None
        if page:
            show("draw", 0.0)
            from dashboards.realism.page import write

            written = write(study, out, language)
    finally:
        show.close()
    if json:
        files = {"page": written[0], "pictures": written[1]} if written else {}
        console.out_json({**as_json(study), "seed": seed, **files})
    else:
        _print(study, written, language)


def _print(study: Study, written: tuple[Path, Path] | None, language: str) -> None:
    from rich import box
    from rich.table import Table

    from dashboards import console
    from dashboards.realism.page import headings, lines, subtitle, summary
    from dashboards.realism.words import say

    colours = {"yes": "green", "no": "red", "doubtful": "yellow"}
    table = Table(box=box.SIMPLE_HEAD)
    for i, heading in enumerate(headings(study, language)):
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    group = ""
    for line in lines(study, language):
        if line.group != group:
            group = line.group
            table.add_section()
            table.add_row(f"[bold]{say(group, language)}[/bold]")
        cells = [cell.replace("[", "\\[") for cell in line.cells]
        for i, style in enumerate(line.styles):
            if style in colours:
                cells[i] = f"[{colours[style]}]{cells[i]}[/]"
        table.add_row("  " + cells[0], *cells[1:])
    console.out(subtitle(study, language))
    console.print_table(table)
    count, failing = summary(study, language)
    console.out(count)
    if failing:
        console.out(failing)
    console.out(say("how verdicts", language))
    console.out(say("no metaorders", language))
    if written:
        console.out(say("page", language, path=written[0]))
        console.out(say("pictures", language, path=written[1]))


def as_json(study: Study) -> dict[str, Any]:
    """A study as plain values: every fact with both sides, ranges and verdicts."""
    found = [
        {
            "fact": f.fact.key,
            "name": f.fact.en,
            "group": f.fact.group,
            "unit": f.fact.unit,
            "simulated": _numbers(f.simulated),
            "recorded": _numbers(f.recorded),
            "tolerance": f.fact.tolerance,
            "relative": f.fact.relative,
            "published": [f.fact.low, f.fact.high],
            "source": f.fact.source,
            "in_range": {"simulated": f.published.value, "recorded": f.recorded_published.value},
            "holds": f.verdict.value,
        }
        for f in study.findings
    ]
    stock, impact = study.stock, study.impact
    result: dict[str, Any] = {
        "stock": {"name": stock.name, "previous_close_cny": stock.previous_close / 100, "orders": stock.orders},
        "days": len(study.simulated),
        "against": study.recorded.day.name if study.recorded else PUBLISHED,
        "facts": found,
    }
    if impact is not None:
        points = zip(impact.filled.tolist(), impact.mean.tolist(), impact.error.tolist(), strict=True)
        result["impact"] = [{"share_of_volume": x, "daily_volatilities": y, "error": e} for x, y, e in points]
    return result


def _numbers(found: Measured | None) -> dict[str, Any] | None:
    if found is None or not math.isfinite(found.value):
        return None
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "interval": found.method}


class _Progress:
    """A bar on a terminal, plain lines elsewhere, on standard error."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._last: tuple[str, float] = ("", -math.inf)
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()

    def __call__(self, stage: str, fraction: float) -> None:
        from dashboards import console
        from dashboards.realism.words import say

        text = say(_STAGES.get(stage, stage), self._language)
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=fraction)
            return
        now = time.monotonic()
        if stage != self._last[0] or now - self._last[1] >= _PLAIN_EVERY:
            self._last = (stage, now)
            console.note(f"{text} {fraction:.0%}")

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
