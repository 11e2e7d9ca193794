"""The commands `twin call-centre fit`, `predict` and `backtest`."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scenarios.calibration.call_centre.parameters import Parameters
    from scenarios.calibration.call_centre.prediction import Coverage, Row
    from scenarios.calibration.call_centre.rolling import Score

call_centre = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
Language = Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")]
Json = Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")]


@call_centre.callback()
def _call_centre() -> None:
    """Fit a call centre to its records; predict waiting and abandonment by hour · 呼叫中心：拟合与预测."""


@call_centre.command()
def fit(
    source: Annotated[Path, typer.Argument(help="Folder of monthly files, or a .csv or .parquet · 数据目录或文件")],
    out: Annotated[Path, typer.Option("--out", help="Parameter file to write · 参数文件")],
    months: Annotated[str, typer.Option(help="Months of the year: 1-5 or 1,2,4; default all · 月份")] = "",
    what: Annotated[str, typer.Option(help="What it is, for the file · 数据说明")] = "A call centre",
    origin: Annotated[str, typer.Option("--origin", help="Who made the data, for the file · 数据来源")] = "",
    settle: Annotated[
        bool, typer.Option("--calibrate/--no-calibrate", help="Settle how agents follow the queue · 校准坐席弹性")
    ] = True,
    language: Language = "en",
    json: Json = False,
) -> None:
    """Fit arrivals, staff, talk times and patience of a call centre · 拟合来电、坐席、通话与耐心.

    Example: twin call-centre fit ../shared/data/process/call_centre --months 1-5 --out call_centre.yaml
    """
    from dashboards import console
    from dashboards.call_centre.words import say
    from scenarios.calibration.call_centre import parameters as file
    from scenarios.calibration.call_centre.calibration import calibrate
    from scenarios.calibration.call_centre.fitting import fit as fit_calls
    from scenarios.calibration.call_centre.records import read

    chosen = parse_months(months)
    calls, report = read(source, chosen or None)
    fitted = fit_calls(calls, report, what=what, source=origin, months=chosen)
    if settle:
        show = _Progress(say("calibrate", language))
        try:
            fitted = calibrate(fitted, calls, show)
        finally:
            show.close()
    file.write(fitted, out)
    if json:
        console.out_json({**_summary(fitted), "written": str(out)})
        return
    _print_fit(fitted, language)
    console.out(say("written", language, path=out))


@call_centre.command()
def predict(
    parameters: Annotated[Path, typer.Argument(help="Parameter file · 参数文件")],
    against: Annotated[Path, typer.Option(help="Records to compare with · 用于对照的实际数据")],
    month: Annotated[int, typer.Option(min=1, max=12, help="Month to predict · 预测月份")],
    runs: Annotated[int, typer.Option(min=2, max=10_000, help="Simulated months · 模拟次数")] = 50,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 64) - 1, help="Seed · 随机种子")] = 1,
    band: Annotated[float, typer.Option(min=0.01, max=0.999, help="Level of the bands · 区间水平")] = 0.9,
    given: Annotated[
        list[str] | None,
        typer.Option(help="Take arrivals or staff from the records, to tell errors apart · 取自实际：arrivals、staff"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for table and picture · 输出目录")] = None,
    language: Language = "en",
    json: Json = False,
) -> None:
    """Predict a month by hour with bands, beside what happened · 按小时预测一个月，并与实际对照.

    Example: twin call-centre predict call_centre.yaml --against ../shared/data/process/call_centre --month 6
    """
    from dashboards import console
    from dashboards.call_centre.words import say
    from scenarios.calibration.call_centre import prediction as p
    from scenarios.calibration.call_centre.parameters import load
    from scenarios.calibration.call_centre.records import read
    from twin.errors import DataError, ScenarioError

    taken = tuple(given or ())
    unknown = [g for g in taken if g not in p.GIVEN]
    if unknown:
        raise ScenarioError(f"{unknown[0]!r} cannot be given", where="--given", hint="Give arrivals or staff.")
    fitted = load(parameters)
    actual, report = read(against, [month])
    if actual.first_day <= fitted.last and actual.date(actual.days - 1) >= fitted.first:
        days = f"{fitted.first} to {fitted.last}"
        raise DataError(f"month {month} lies within the fit ({days})", hint="Predict a month that was not fitted.")
    dates = p.month_dates(actual.first_day, actual.days)
    show = _Progress(say("simulate", language))
    try:
        result = p.predict(fitted, dates, runs=runs, seed=seed, actual=actual, given=taken, progress=show)
    finally:
        show.close()
    table = p.rows(result, band=band)
    covered = p.coverage(table)
    words = ", ".join(say(f"given {g}", language) for g in taken) or say("nothing", language)
    title = say("title", language, first=dates[0], last=dates[-1], runs=runs, given=words)
    facts = {
        "parameters": str(parameters), "data_sha256": report.sha256, "month": month, "runs": runs, "seed": seed,
        "band": band, "given": list(taken), "coverage": [vars(c) for c in covered],
    }  # fmt: skip
    other = p.rows(result, main=False, band=band)
    written = _write(out, table, other, facts, title, band) if out else []
    if json:
        rows = [vars(r) for r in table]
        console.out_json({**facts, "hours": rows, "other_days": [vars(r) for r in other], "written": written})
        return
    _print_prediction(table, covered, title, band, language)
    for path in written:
        console.out(say("written", language, path=path))


@call_centre.command()
def backtest(
    source: Annotated[Path, typer.Argument(help="Folder of monthly files, or a .csv or .parquet · 数据目录或文件")],
    months: Annotated[str, typer.Option(help="Months to predict: 3-6 or 4,6 · 要预测的月份")],
    runs: Annotated[int, typer.Option(min=2, max=10_000, help="Simulated months · 模拟次数")] = 50,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 64) - 1, help="Seed · 随机种子")] = 1,
    band: Annotated[float, typer.Option(min=0.01, max=0.999, help="Level of the bands · 区间水平")] = 0.9,
    language: Language = "en",
    json: Json = False,
) -> None:
    """Predict each month from those before it, beside naive seasonal forecasts · 滚动回测，并与季节性朴素预测对照.

    Example: twin call-centre backtest ../shared/data/process/call_centre --months 3-6
    """
    from dashboards import console
    from dashboards.call_centre.words import say
    from scenarios.calibration.call_centre.rolling import roll
    from twin.errors import ScenarioError

    chosen = parse_months(months)
    if not chosen:
        raise ScenarioError("no month is named", where="--months", hint="Write 3-6 or 4,6.")
    show = _Progress(say("backtest", language))
    try:
        scores = roll(source, chosen, runs=runs, seed=seed, band=band, progress=show)
    finally:
        show.close()
    if json:
        console.out_json({"runs": runs, "seed": seed, "band": band, "scores": [vars(s) for s in scores]})
        return
    _print_scores(scores, language)


def parse_months(text: str) -> tuple[int, ...]:
    """Months of "1-5", "1,3" or "" (none)."""
    from twin.errors import ScenarioError

    months: set[int] = set()
    for part in filter(None, (p.strip() for p in text.split(","))):
        ends = part.split("-")
        if len(ends) > 2 or not all(e.strip().isdigit() for e in ends):
            raise ScenarioError(f"{text!r} does not name months", where="--months", hint="Write 1-5 or 1,2,4.")
        if int(ends[0]) > int(ends[-1]):
            raise ScenarioError(f"{text!r} runs backwards", where="--months", hint="Write the earlier month first.")
        months.update(range(int(ends[0]), int(ends[-1]) + 1))
    if months and not (min(months) >= 1 and max(months) <= 12):
        raise ScenarioError(f"{text!r} has months outside 1 to 12", where="--months")
    return tuple(sorted(months))


def _write(
    out: Path, table: Sequence[Row], other: Sequence[Row], facts: dict[str, Any], title: str, band: float
) -> list[str]:
    import csv
    import json

    from dashboards.call_centre.picture import draw

    out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("hours.csv", table), ("hours_other_days.csv", other)):
        with (out / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(list(vars(table[0])) if table else [])
            writer.writerows([f"{v:.6g}" if isinstance(v, float) else v for v in vars(r).values()] for r in rows)
    (out / "summary.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    picture = draw(table, out / "call_centre.png", title, band)
    return [str(out / "hours.csv"), str(out / "hours_other_days.csv"), str(out / "summary.json"), str(picture)]


def _summary(fitted: Parameters) -> dict[str, Any]:
    return fitted.model_dump(
        mode="json", include={"calls", "first", "last", "left_out", "doubtful", "types", "outages"}
    )


def _print_fit(fitted: Parameters, language: str) -> None:
    from dashboards import console
    from dashboards.call_centre.words import say

    regular = sum(d.regular for d in fitted.days)
    numbers = {"days": len(fitted.days), "regular": regular, "outages": len(fitted.outages)}
    console.out(say("fitted", language, calls=fitted.calls, first=fitted.first, last=fitted.last, **numbers))
    for key, found in (("left out", fitted.left_out), ("doubtful", fitted.doubtful)):
        for why, n in found.items():
            console.out(say(key, language, n=n, why=why))
    head = ("type", "calls", "abandoned", "service", "patience", "restricted", "required", "index")
    rows = [
        (
            t.name, str(t.calls), f"{t.abandoned_share:.1%}", f"{t.service_mean:.0f}",
            f"{t.patience_mean:.0f} ± {1.96 * t.patience_error:.0f}", f"{t.patience_restricted_mean:.0f}",
            f"{t.required_wait:.0f}", f"{t.patience_index:.2f}",
        )
        for t in fitted.types
    ]  # fmt: skip
    console.print_table(console.simple_table([say(h, language) for h in head], rows))


def _print_prediction(
    table: Sequence[Row], covered: Sequence[Coverage], title: str, band: float, language: str
) -> None:
    from dashboards import console
    from dashboards.call_centre.words import say

    console.out(title)
    head = ("hour", "predicted", "month band", "day band", "happened", "inside", "days inside")
    for measure in dict.fromkeys(r.measure for r in table):
        own = [r for r in table if r.measure == measure]
        rows = [
            (
                str(r.hour), _show(r.median, measure), _span(r.month_low, r.month_high, measure),
                _span(r.day_low, r.day_high, measure), _show(r.actual, measure),
                say("yes" if r.inside else "no", language), _percent(r.days_inside),
            )
            for r in own
        ]  # fmt: skip
        console.out(say(measure, language))
        console.print_table(console.simple_table([say(h, language) for h in head], rows))
    for c in covered:
        numbers = {"inside": c.hours_inside, "hours": c.hours, "band": band, "days": c.days_inside}
        console.out(say("coverage", language, measure=say(c.measure, language), **numbers))
        missed = [r for r in table if r.measure == c.measure and not r.inside]
        if missed:
            sides = [say("above" if r.actual > r.month_high else "below", language, hour=r.hour) for r in missed]
            console.out(say("outside", language, measure=say(c.measure, language), hours=", ".join(sides)))


def _print_scores(scores: Sequence[Score], language: str) -> None:
    from dashboards import console
    from dashboards.call_centre.words import say

    head = ("month", "forecast", "error", "hours inside", "interval score", "days inside", "days interval score")
    for measure in dict.fromkeys(s.measure for s in scores):
        rows = [
            (
                str(s.month), say(f"by {s.forecast}", language), _number(s.error),
                f"{s.inside}/{s.hours}" if s.inside >= 0 else "-", _number(s.interval), _percent(s.days_inside),
                _number(s.days_interval),
            )
            for s in scores
            if s.measure == measure
        ]  # fmt: skip
        console.out(say(measure, language))
        console.print_table(console.simple_table([say(h, language) for h in head], rows))


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"


def _show(value: float, measure: str) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.1%}" if measure in ("abandoned", "served_within_20_s") else f"{value:.1f}"


def _span(low: float, high: float, measure: str) -> str:
    return f"{_show(low, measure)} - {_show(high, measure)}"


def _percent(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else "-"


class _Progress:
    """A bar on a terminal, on standard error; nothing elsewhere."""

    def __init__(self, text: str) -> None:
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn(text), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=None)
            self._bar.start()

    def __call__(self, done: int, wanted: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=wanted)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
