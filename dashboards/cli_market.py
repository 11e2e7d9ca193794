"""The command `twin market`: a day of the whole exchange, without the broker."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dashboards.i18n import say
from twin.errors import ScenarioError

_KIB = 1024


def market(
    instruments: Annotated[int, typer.Option(help="Listed instruments · 证券数量")] = 300,
    orders: Annotated[float, typer.Option(help="New orders to expect; 0 = as recorded days · 预期委托笔数")] = 0.0,
    workers: Annotated[int, typer.Option(help="Processes; the result is the same for any number · 进程数")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers · 随机种子")] = 1,
    date: Annotated[str, typer.Option(help="Trading day, whose rules hold · 交易日")] = "2024-10-08",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for messages, tape and quotes; a killed run goes on in it · 输出目录，可续跑"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")] = False,
    language: Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")] = "en",
) -> None:
    """Simulate a day of the whole exchange without the broker, and say how fast · 模拟全市场一天（不含券商）.

    Example: twin market --instruments 5300 --orders 270e6 --workers 2
    """
    import time

    from dashboards import console
    from scenarios.market_day import MarketDay, simulate_market
    from scenarios.market_saved import save_market
    from twin.world import MarketConfig

    plan = MarketDay(MarketConfig(instruments=instruments), date=_day(date), seed=seed, orders=orders or None)
    shown = _Progress(language)
    start = time.perf_counter()
    if out is None:
        totals = simulate_market(plan, workers=workers, progress=shown)
    else:
        totals = save_market(plan, out, workers=workers, progress=shown)
    seconds = time.perf_counter() - start
    shown.end()
    messages = int(totals.orders.sum() + totals.cancels.sum())
    result: dict[str, Any] = {
        "instruments": len(totals),
        "orders": int(totals.orders.sum()),
        "cancels": int(totals.cancels.sum()),
        "trades": int(totals.trades.sum()),
        "turnover_cny": int(totals.turnover.sum()) / 100,
        "seconds": round(seconds, 2),
        "messages_per_second": round(messages / seconds),
        "memory_mib": round(_peak_mib()),
        "digest": totals.fingerprint(),
    }
    if json:
        console.out_json(result)
        return
    rows = [(say(f"market_{key}", language), f"{v:,}" if not isinstance(v, str) else v) for key, v in result.items()]
    console.print_table(console.simple_table((say("measure", language), ""), rows))


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ScenarioError(f"{text!r} is not a date", where="--date", hint="Write it like 2024-10-08.") from error


class _Progress:
    """One line on the terminal that is written over; nothing where the output is no terminal."""

    def __init__(self, language: str) -> None:
        self._language, self._shown = language, False

    def __call__(self, done: int, n: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r" + say("market_progress", self._language, done=f"{done:,}", n=f"{n:,}"))
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\n")


def _peak_mib() -> float:
    """Most memory that one process held: this one or the largest worker."""
    import resource

    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / _KIB
