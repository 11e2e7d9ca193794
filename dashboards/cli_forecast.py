"""The commands `twin forecast`, `twin backtest` and `twin watch`: the twin beside its process."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dashboards.log_columns import Columns
from dashboards.targets import file_to_read, folder_to_write

if TYPE_CHECKING:
    from twin.process.discovery import DiscoveredProcess
    from twin.process.eventlog.log import EventLog
    from twin.process.forecasting.forecast import Forecast, Plan
    from twin.process.forecasting.watch import News

_PLAIN_EVERY = 5.0
_ALL = (1 << 64) - 1

Log = Annotated[Path, typer.Argument(help="Event log: CSV, Parquet, XES or OCEL · 事件日志", callback=file_to_read)]
Process = Annotated[Path | None, typer.Option(help="Discovered process; else discovered · 已发现的流程")]
Runs = Annotated[int, typer.Option(min=10, max=5_000, help="Futures to draw · 模拟次数")]
Seed = Annotated[int, typer.Option(min=0, max=_ALL, help="Seed · 随机种子")]
Deadline = Annotated[str | None, typer.Option(help="Cycle time from which a case is late, such as 10d · 办理时限")]
Step = Annotated[str | None, typer.Option(help="1h or 1d; default: by the horizon · 步长")]
Calibrate = Annotated[int, typer.Option(min=0, max=50, help="Past forecasts to learn from, 0 = none · 回溯学习次数")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes · 并行进程数")]
Zone = Annotated[str, typer.Option(help="Zone of times that name none, of patterns and of output · 时区")]
Language = Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")]
Json = Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")]


def forecast(
    log: Log,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Instant; default: the log's end · 预测时点")] = None,
    horizon: Annotated[str, typer.Option(help="How far, such as 48h or 14d · 预测长度")] = "7d",
    step: Step = None,
    process: Process = None,
    runs: Runs = 200,
    deadline: Deadline = None,
    calibrate: Calibrate = 8,
    seed: Seed = 1,
    workers: Workers = None,
    out: Annotated[Path | None, typer.Option(help="Folder for Parquet and pictures · 输出目录")] = None,
    column: Columns = None,
    zone: Zone = "UTC",
    language: Language = "en",
    json: Json = False,
) -> None:
    """Bands for work in progress, waiting, completions and lateness from the state at an instant · 从某时点状态预测.

    Example: twin forecast log.csv --as-of 2012-02-01T09:00 --horizon 7d --deadline 10d --out forecast
    """
    from dashboards import console
    from dashboards.forecast.tables import as_values, bands_table, cases_table, headlines, write_parquet
    from dashboards.forecast.words import say
    from twin.process.forecasting import ensemble
    from twin.process.forecasting.forecast import forecast as run_forecast
    from twin.process.forecasting.forecast import what_came
    from twin.process.forecasting.spans import instant_of
    from twin.process.forecasting.worlds import end_of

    if out is not None:
        folder_to_write(out)
    plan = _plan(horizon, step, runs, seed, deadline, calibrate, zone, process)
    show = _Progress(language, zone)
    try:
        show("read", 0, 1)
        events = _read(log, column, zone, language)
        instant = instant_of(as_of, zone, "--as-of") if as_of else end_of(events)
        with ensemble.workers(workers) as pool:
            found = run_forecast(events, instant, plan, _load(process), pool, show)
    finally:
        show.close()
    paths: list[Path] = []
    if out is not None:
        from dashboards.forecast.picture import fan_chart, write

        out.mkdir(parents=True, exist_ok=True)
        picture = fan_chart(found, language, what_came(events, found), zone)
        paths = [*write_parquet(found, out, zone), *write(picture, out, "forecast", language)]
    if json:
        console.out_json({**as_values(found, zone), "files": paths})
        return
    for line in headlines(found, language, zone):
        console.out(line)
    console.print_table(bands_table(found, language, zone))
    console.out(say("open_cases", language, shown=min(len(found.cases.name), 20), n=len(found.cases.name)))
    console.print_table(cases_table(found, language, zone))
    if out is not None:
        console.out(say("written", language, path=out))


def backtest(
    log: Log,
    first: Annotated[str | None, typer.Option("--from", help="First instant; default: after 60% · 首个时点")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last; default: end less horizon · 最后时点")] = None,
    every: Annotated[str, typer.Option(help="From one to the next · 间隔")] = "1d",
    horizon: Annotated[str, typer.Option(help="How far, such as 48h or 14d · 预测长度")] = "7d",
    step: Step = None,
    process: Process = None,
    before: Annotated[int, typer.Option(min=0, max=50, help="Earlier ones, to learn from only · 仅供学习次数")] = 8,
    rediscover: Annotated[int, typer.Option(min=1, help="Discover at every k-th instant · 每 k 次重新发现流程")] = 5,
    runs: Runs = 100,
    deadline: Deadline = None,
    seed: Seed = 1,
    workers: Workers = None,
    out: Annotated[Path, typer.Option(help="Folder; finished forecasts are kept · 输出目录")] = Path("backtest"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not use what is there · 不使用已有结果")] = False,
    column: Columns = None,
    zone: Zone = "UTC",
    language: Language = "en",
    json: Json = False,
) -> None:
    """Forecast from many past instants and compare with what came, and with naive forecasts · 回溯检验预测.

    Example: twin backtest log.csv --from 2012-01-10 --to 2012-02-20 --every 2d --horizon 2d --out backtest
    """
    from dashboards import console
    from dashboards.forecast.picture import rank_histograms, write
    from dashboards.forecast.tables import score_table, score_values, verdicts
    from dashboards.forecast.words import say
    from twin.process.forecasting import ensemble
    from twin.process.forecasting.backtest import Backtest, default_span, run_backtest
    from twin.process.forecasting.evaluate import evaluate
    from twin.process.forecasting.spans import instant_of, span_of, span_text, text_of

    folder_to_write(out)
    plan = _plan(horizon, step, runs, seed, deadline, 0, zone, process)
    show = _Progress(language, zone)
    try:
        show("read", 0, 1)
        events = _read(log, column, zone, language)
        begin, end = default_span(events, plan)
        begin = instant_of(first, zone, "--from") if first else begin
        end = instant_of(last, zone, "--to") if last else end
        test = Backtest(plan, begin, end, span_of(every, "--every"), rediscover, before)
        with ensemble.workers(workers) as pool:
            origins = run_backtest(events, test, out, _load(process), pool, show.origin, fresh=fresh)
    finally:
        show.close()
    scores = evaluate(origins, seed)
    origins = [origin for origin in origins if origin.scored]
    values = {
        "origins": [text_of(origin.instant, zone) for origin in origins],
        "zone": zone,
        "horizon_s": plan.horizon / 1e9,
        "step_s": plan.step / 1e9,
        "runs": runs,
        "scores": score_values(scores),
        "says": verdicts(scores, language),
    }
    _write_json(out / "scores.json", values)
    write(rank_histograms(scores, language), out, "ranks", language)
    if json:
        console.out_json({**values, "folder": out})
        return
    span = {"first": text_of(origins[0].instant, zone), "last": text_of(origins[-1].instant, zone)}
    named = {"horizon": span_text(plan.horizon), "step": span_text(plan.step)}
    console.out(say("backtest_title", language, n=len(origins), **span, **named))
    console.print_table(score_table(scores, language))
    for line in [*verdicts(scores, language), say("how", language), say("written", language, path=out)]:
        console.out(line)


def watch(
    source: Annotated[str, typer.Argument(help="File, folder of parts, or URL · 文件、目录或网址")],
    every: Annotated[str, typer.Option(help="Time between looks · 查看间隔")] = "60s",
    horizon: Annotated[str, typer.Option(help="How far, such as 48h or 14d · 预测长度")] = "7d",
    step: Step = None,
    process: Process = None,
    runs: Runs = 100,
    deadline: Deadline = None,
    calibrate: Calibrate = 0,
    seed: Seed = 1,
    workers: Workers = 1,
    live: Annotated[bool, typer.Option("--live", help="From now, not from the last event · 以当前时刻为起点")] = False,
    once: Annotated[bool, typer.Option("--once", help="Look once and end · 只查看一次")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the latest forecast · 输出目录")] = None,
    column: Columns = None,
    zone: Zone = "UTC",
    language: Language = "en",
    json: Json = False,
) -> None:
    """Follow a growing log and renew the forecast when rows came · 跟踪不断增长的日志并更新预测.

    Example: twin watch https://host/log.csv --every 5min --horizon 48h --deadline 10d
    """
    from dashboards import console
    from dashboards.forecast.words import say
    from dashboards.log_columns import columns_given
    from twin.process.forecasting import ensemble
    from twin.process.forecasting.sources import Source
    from twin.process.forecasting.spans import span_of
    from twin.process.forecasting.watch import Watcher, look_once
    from twin.process.forecasting.watch import watch as follow

    if out is not None:
        folder_to_write(out)
    plan = _plan(horizon, step, runs, seed, deadline, calibrate, zone, process)
    pause = span_of(every, "--every") / 1e9
    teller = _Teller(language, out, zone, json=json)
    try:
        with ensemble.workers(workers) as pool:
            watcher = Watcher(
                Source(source, zone, columns_given(column, language)), plan, _load(process), live=live, pool=pool
            )
            if once:
                teller.tell(look_once(watcher))
                return
            console.note(say("watching", language, source=source))
            for news in follow(watcher, pause, _stop_on_signals()):
                teller.tell(news)
    except KeyboardInterrupt:
        pass
    console.note(say("stopped", language))


def _stop_on_signals() -> threading.Event:
    """Set when the user interrupts or the system asks to end.

    The interrupt is raised, too, and ends work under way; but raised in a callback of a library it would be lost.
    """
    stop = threading.Event()

    def end(*_: object) -> NoReturn:
        stop.set()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop


class _Teller:
    """One line for each piece of news."""

    def __init__(self, language: str, out: Path | None, zone: str, *, json: bool) -> None:
        self._language, self._out, self._zone, self._json = language, out, zone, json
        self._before: dict[str, tuple[float, float, float]] = {}

    def tell(self, news: News) -> None:
        """Print it, and keep the latest forecast if there is a folder."""
        from dashboards import console
        from dashboards.forecast.tables import as_values
        from dashboards.forecast.words import say

        if self._json:
            import json

            values: dict[str, Any] = {
                "kind": news.kind,
                "rows": news.rows,
                "cases": news.cases,
                "new_rows": news.new_rows,
            }
            values |= {"new_cases": news.new_cases, "anew": news.anew, "why": news.why}
            found = {"forecast": as_values(news.found, self._zone)} if news.found else {}
            console.out(json.dumps(console.finite(values | found), ensure_ascii=False))
        elif news.kind in ("away", "back"):
            console.out(say(news.kind, self._language, why=news.why))
        else:
            if news.anew:
                console.out(say("shrunk", self._language))
            console.out(self._line(news))
        if news.found is not None and self._out is not None:
            self._keep(news.found)

    def _line(self, news: News) -> str:
        from dashboards.forecast.tables import number
        from dashboards.forecast.words import say
        from twin.process.forecasting.spans import text_of
        from twin.process.forecasting.watch import outlook

        language = self._language
        if news.found is None:
            return say("too_little", language, rows=news.rows, why=news.why)
        parts, now = [], outlook(news.found)
        for name in ("wip", "arrivals", "completions", "breaches"):
            if name not in now:
                continue
            middle, low, high = (number(x, name) for x in now[name])
            was = self._before.get(name)
            change = say("was", language, median=number(was[0], name)) if was and number(was[0], name) != middle else ""
            parts.append(
                say("band_of", language, name=say(name, language), median=middle, low=low, high=high, change=change)
            )
        key = "renewed" if self._before and not news.anew else "first_forecast"
        rows, cases = (news.new_rows, news.new_cases) if key == "renewed" else (news.rows, news.cases)
        self._before = now
        at = text_of(news.found.instant, self._zone)[:19]
        return say(key, language, at=at, rows=f"{rows:,}", cases=f"{cases:,}", bands="; ".join(parts))

    def _keep(self, found: Forecast) -> None:
        """Put the forecast in the folder: each file under its name only once it is whole."""
        import tempfile

        from dashboards.forecast.tables import as_values, write_parquet

        assert self._out is not None
        self._out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._out, prefix=".") as part:
            _write_json(Path(part) / "forecast.json", as_values(found, self._zone))
            for path in [*write_parquet(found, Path(part), self._zone), Path(part) / "forecast.json"]:
                path.replace(self._out / path.name)


def _plan(
    horizon: str,
    step: str | None,
    runs: int,
    seed: int,
    deadline: str | None,
    calibrate: int,
    zone: str,
    process: Path | None,
) -> Plan:
    from twin.process.forecasting.civil import civil
    from twin.process.forecasting.forecast import Plan
    from twin.process.forecasting.spans import span_of
    from twin.process.forecasting.week import DAY, HOUR

    length = span_of(horizon, "--horizon")
    width = span_of(step, "--step") if step else HOUR if length <= 3 * DAY else DAY
    late = span_of(deadline, "--deadline") if deadline else None
    # A process from a file has its calendars in UTC, and so must all that runs with it.
    return Plan(length, width, runs, seed, late, calibrate, civil(zone).zone if process is None else "UTC")


def _read(path: Path, column: list[str] | None, zone: str, language: str) -> EventLog:
    from dashboards.log_columns import read_given
    from twin.process.forecasting.forecast import check_columns

    log = read_given(path, column, zone, language)
    check_columns(log, str(path))
    return log


def _load(path: Path | None) -> DiscoveredProcess | None:
    if path is None:
        return None
    from twin.process.discovery import load_process

    return load_process(path)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    import json

    from dashboards.console import finite

    path.write_text(json.dumps(finite(values), ensure_ascii=False, indent=1), encoding="utf-8")


class _Progress:
    """A bar on a terminal, plain lines elsewhere, on standard error."""

    def __init__(self, language: str, zone: str) -> None:
        self._language, self._zone = language, zone
        self._last: tuple[str, float] = ("", -math.inf)
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()

    def __call__(self, stage: str, done: int, of: int) -> None:
        from dashboards.forecast.words import say

        self._show(stage, say(stage, self._language), done / of if of else 1.0)

    def origin(self, done: int, of: int, instant: int, was_there: bool) -> None:
        """Show how far a backtest is."""
        from dashboards.forecast.words import say
        from twin.process.forecasting.spans import text_of

        kept = say("kept", self._language) if was_there else ""
        text = say("origin", self._language, done=done, of=of, at=text_of(instant, self._zone)[:16], kept=kept)
        self._show("origin", text, done / of)

    def _show(self, stage: str, text: str, fraction: float) -> None:
        from dashboards import console

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
