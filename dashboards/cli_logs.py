"""The commands `twin log ...` and `twin score`: event logs checked, summed up, drawn, converted, divided, compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dashboards.log_columns import Columns, read_given
from dashboards.log_words import say
from dashboards.targets import file_to_read, file_to_write, folder_to_write

if TYPE_CHECKING:
    from twin.process.eventlog.checks import Finding
    from twin.process.eventlog.log import EventLog

log_app = typer.Typer(no_args_is_help=True)

Log = Annotated[
    Path, typer.Argument(help="CSV, Parquet, XES or OCEL 2.0, also .gz · 事件日志文件", callback=file_to_read)
]
Zone = Annotated[str, typer.Option(help="Zone of times that name none · 未注明时区时采用")]
CaseType = Annotated[str | None, typer.Option(help="Object type that is the case (OCEL) · 作为案例的对象类型")]
Json = Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")]
Language = Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")]


@log_app.callback()
def _log() -> None:
    """Check, sum up, draw, convert and divide event logs · 检查、概览、绘图、转换与切分事件日志.

    Example: twin log check loans.csv
    """


@log_app.command()
def check(
    log: Log,
    column: Columns = None,
    zone: Zone = "UTC",
    case_type: CaseType = None,
    strict: Annotated[bool, typer.Option("--strict", help="Any finding fails · 有任何发现即失败")] = False,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Say what is wrong with a log, where, and what would be right; status 1 if it is serious · 检查事件日志.

    Example: twin log check loans.csv --zone Asia/Shanghai
    """
    from dashboards import console
    from twin.process.eventlog.checks import check as find
    from twin.process.notes import told

    held = _read(log, column, zone, case_type, language)
    findings = find(held)
    if json:
        console.out_json({"rows": len(held), "cases": held.cases, "notes": held.notes, "findings": _as_json(findings)})
    else:
        for note in held.notes:
            console.note(told(note, language))
        _print_findings(held, findings, language)
    if any(finding.serious or strict for finding in findings):
        raise typer.Exit(1)


def _as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    return [
        {**vars(finding), "what": finding.words(), "right": finding.right(), "serious": finding.serious}
        for finding in findings
    ]


def _print_findings(log: EventLog, findings: list[Finding], language: str) -> None:
    from dashboards import console

    sizes = {"rows": f"{len(log):,}", "cases": f"{log.cases:,}"}
    if not findings:
        console.out(say("sound", language, **sizes))
        return
    rows = []
    for finding in findings:
        numbers = [say("row", language, n=f"{n:,}") + ": " for n in finding.rows] or [""] * len(finding.examples)
        seen = "\n".join(f"{n}{text}" for n, text in zip(numbers, finding.examples, strict=True))
        mark = "! " if finding.serious else "  "
        share = f"{finding.count / finding.of:.2%}"
        rows.append((mark + finding.words(language), f"{finding.count:,}", share, seen, finding.right(language)))
    headings = [say(key, language) for key in ("fault", "count", "share", "where", "right")]
    console.print_table(console.simple_table(headings, rows))
    serious = sum(finding.serious for finding in findings)
    console.out(say("found", language, serious=serious, others=len(findings) - serious, **sizes))


@log_app.command()
def summary(
    log: Log,
    column: Columns = None,
    zone: Zone = "UTC",
    case_type: CaseType = None,
    top: Annotated[int, typer.Option(min=1, help="Activities and variants to show · 显示的活动与变体数")] = 10,
    picture: Annotated[Path | None, typer.Option(help="PNG or SVG to write · 输出图片")] = None,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Cases, span, rates, times, activities and variants of a log · 事件日志概览.

    Example: twin log summary loans.xes.gz --picture loans.svg
    """
    from dashboards import console
    from twin.process.eventlog.summary import draw
    from twin.process.eventlog.summary import summary as sum_up

    if picture is not None:
        file_to_write(picture)
    held = _read(log, column, zone, case_type, language)
    found = sum_up(held, top)
    if picture is not None:
        from dashboards.report.style import lettering, picture_language

        spoken = picture_language(language)
        with lettering(spoken):
            draw(held, picture, spoken)
    if json:
        console.out_json({**found, "notes": held.notes, **({"picture": picture} if picture else {})})
        return
    lists = ("top_activities", "top_variants")
    rows = [(say(key, language), _text(value)) for key, value in found.items() if key not in lists]
    console.print_table(console.simple_table(("", ""), rows))
    keys = ("activity", "count", "resources", "median_minutes", "mean_minutes")
    shown = [[_text(row[key]) for key in keys] for row in found["top_activities"]]
    console.print_table(console.simple_table([say(key, language) for key in keys], shown))
    shown = [[_text(v["cases"]), f"{v['share']:.1%}", " > ".join(v["activities"])] for v in found["top_variants"]]
    console.print_table(console.simple_table([say(key, language) for key in ("cases", "share", "variant")], shown))
    if picture is not None:
        console.out(say("picture", language, path=picture))


@log_app.command("map")
def map_of(
    log: Log,
    out: Annotated[Path, typer.Option(help="SVG file · SVG 文件")] = Path("map.svg"),
    paths: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Share of all steps whose ways are shown, the commonest · 显示路径的占比"),
    ] = None,
    activities: Annotated[int, typer.Option(min=1, help="Most activities shown · 最多显示的活动数")] = 40,
    waits: Annotated[Literal["median", "mean"], typer.Option(help="Times shown · 显示中位数或均值")] = "median",
    column: Columns = None,
    zone: Zone = "UTC",
    case_type: CaseType = None,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Draw which activity follows which, how often and after what wait · 绘制活动流向图.

    Without --paths the commonest ways of 80% of all steps are shown, at most 2.5 for each activity; with --paths 1 all.

    Example: twin log map loans.csv --out loans.svg --paths 0.95
    """
    from dashboards import console
    from twin.errors import DataError
    from twin.process.drawing.flows import as_values, flow_map
    from twin.process.drawing.map import draw_map

    if out.suffix.lower() != ".svg":
        raise DataError("not the name of a map", where=str(out), hint="Names end in .svg.")
    file_to_write(out)
    held = _read(log, column, zone, case_type, language)
    found = flow_map(held, paths=paths, most=activities)
    out.write_text(draw_map(found, title=log.name, language=language, waits=waits), encoding="utf-8")
    if json:
        console.out_json({"picture": out, **as_values(found), "notes": held.notes})
        return
    console.out(say("picture", language, path=out))


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return f"{value:,}" if isinstance(value, int | float) else str(value)


@log_app.command()
def convert(
    log: Log,
    to: Annotated[Path, typer.Argument(help="File to write; its name says the form · 输出文件")],
    column: Columns = None,
    zone: Zone = "UTC",
    case_type: CaseType = None,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Write a log in another form: CSV, Parquet, XES, OCEL 2.0 · 转换事件日志格式.

    Example: twin log convert loans.csv loans.xes.gz
    """
    from twin.process.eventlog.files import form_of, write_log

    form_of(to)
    file_to_write(to)
    held = _read(log, column, zone, case_type, language)
    write_log(held, to)
    _say_written({to: held}, json, language)


@log_app.command()
def split(
    log: Log,
    test: Annotated[float, typer.Option(help="Share of the activities for testing · 测试部分占比")] = 0.2,
    out: Annotated[Path, typer.Option(help="Folder (default: the current one) · 输出目录")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there · 覆盖已有文件")] = False,
    column: Columns = None,
    zone: Zone = "UTC",
    case_type: CaseType = None,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Cut a log in time into NAME_train and NAME_test; cases across the cut are left out · 按时间切分训练与测试.

    Example: twin log split loans.csv --test 0.2
    """
    from twin.errors import DataError
    from twin.process.eventlog.files import form_of, write_log
    from twin.process.eventlog.split import split as cut

    form = form_of(log)
    stem = log.name[: len(log.name) - len(form)]
    targets = [out / f"{stem}_{name}{form}" for name in ("train", "test")]
    for path in targets:
        if path.exists() and not force:
            raise DataError("is there already", where=str(path), hint="Give another folder with --out, or --force.")
    if not 0 < test < 1:
        raise DataError(f"{test:g} is not a share", where="--test", hint="Give one above 0 and below 1, such as 0.2.")
    folder_to_write(out)
    held = _read(log, column, zone, case_type, language)
    written = dict(zip(targets, cut(held, 1 - test), strict=True))
    out.mkdir(parents=True, exist_ok=True)
    for path, part in written.items():
        write_log(part, path)
    _say_written(written, json, language, held.cases - sum(part.cases for part in written.values()))


def _say_written(written: dict[Path, EventLog], json: bool, language: str, left_out: int = 0) -> None:
    from dashboards import console

    if json:
        files = [{"file": path, "rows": len(log), "cases": log.cases} for path, log in written.items()]
        console.out_json({"files": files, "cases_left_out": left_out})
        return
    for path, log in written.items():
        console.out(say("written", language, path=path, rows=f"{len(log):,}", cases=f"{log.cases:,}"))
    if left_out:
        console.out(say("left_out", language, n=f"{left_out:,}"))


def score(
    test: Annotated[Path, typer.Argument(help="The real log · 真实日志", callback=file_to_read)],
    simulated: Annotated[list[Path], typer.Argument(help="Simulated logs · 模拟日志")],
    column: Columns = None,
    zone: Zone = "UTC",
    json: Json = False,
    language: Language = "en",
) -> None:
    """Five distances of simulated logs from a real one, mean and standard deviation · 模拟日志与真实日志的五种距离.

    Columns named with --column are those of the real log, and of a simulated one if it has them.

    Example: twin score test.csv simulated-*.csv
    """
    import statistics

    from dashboards import console
    from twin.measures.log_distances import NAMES, LogProfile, distances

    profile = LogProfile.of(_read(test, column, zone, None, language))
    found = {
        path: distances(profile, read_given(path, column, zone, language, if_present=True)).as_dict()
        for path in simulated
    }
    values = {name: [of[name] for of in found.values()] for name in NAMES}
    mean = {name: statistics.fmean(values[name]) for name in NAMES}
    sd = {name: statistics.pstdev(values[name]) for name in NAMES}
    if json:
        logs = [{"file": path, **of} for path, of in found.items()]
        console.out_json({"test": test, "runs": len(found), "mean": mean, "sd": sd, "logs": logs})
        return
    rows = [(name, say(name, language), f"{mean[name]:.3f}", f"{sd[name]:.3f}") for name in NAMES]
    headings = [say("distance", language), "", say("mean", language), say("sd", language)]
    console.print_table(console.simple_table(headings, rows))


def _read(path: Path, column: list[str] | None, zone: str, case_type: str | None, language: str) -> EventLog:
    from twin.errors import DataError

    held = read_given(path, column, zone, language, case_type=case_type)
    if not len(held):
        raise DataError("there are no activities in it", where=str(path), hint="A log has a row for each.")
    return held
