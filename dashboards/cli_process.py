"""The command `twin process`: check, run, draw and convert business processes."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dashboards.targets import file_to_write, folder_to_write

if TYPE_CHECKING:
    from dashboards.process.files import Loaded
    from twin.process.calendar import WorkCalendar
    from twin.process.simulation import Plan, Result

process = typer.Typer(
    no_args_is_help=True,
    help="Check, run, draw and convert a business process · 业务流程：检查、运行、绘图、转换.\n\n"
    "Example: twin process run model.bpmn model.json --cases 1000",
)

_ALL = (1 << 64) - 1
_CASES = 1000
_YEARS = 5 * 365 * 86_400_000_000_000
"""ns in which the cases of a run come, if nobody says how many."""
_PATIENCE_S = 6.0
"""Seconds without a replication after which the user is told why."""

File = Annotated[Path, typer.Argument(help="Process file (YAML, BPMN 2.0) or name · 流程文件（YAML、BPMN）或名称")]
Parameters = Annotated[
    Path | None, typer.Argument(help="Prosimos JSON; default: beside the diagram · Prosimos 参数文件")
]
Pool = Annotated[str | None, typer.Option(help="Which pool, if a diagram has several · 图中有多个泳池时的名称")]
History = Annotated[
    int, typer.Option(min=1, max=12, help="Of a discovered process: activities back that routes depend on · 路径历史")
]
Days = Annotated[int | None, typer.Option(min=1, max=3650, help="Days to observe · 观察天数")]
Cases = Annotated[int | None, typer.Option(min=1, max=10_000_000, help="Or cases, to their end · 或案例数")]
Replications = Annotated[int, typer.Option(min=1, max=65_536, help="Repetitions with other luck · 重复次数")]
Seed = Annotated[int, typer.Option(min=0, max=_ALL, help="Seed · 随机种子")]
Start = Annotated[str | None, typer.Option(help="Date of day 0; default: a plain Monday · 起始日期")]
WarmUp = Annotated[int, typer.Option(min=0, max=520, help="Weeks before day 0, not measured · 预热周数")]
Colour = Annotated[Literal["load", "wait"], typer.Option(help="Colour by load or wait · 颜色：负荷或等待")]
Language = Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")]
Json = Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")]


@process.command()
def check(
    file: File,
    parameters: Parameters = None,
    pool: Pool = None,
    history: History = 1,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Read a process and say what it consists of, or what is wrong with it, and where · 检查流程文件.

    Example: twin process check model.bpmn model.json
    """
    from dashboards import console
    from dashboards.process.files import load
    from dashboards.process.words import joined, say
    from twin.process.features import general_features

    loaded = load(file, parameters, pool, history)
    model = loaded.model
    kinds: dict[str, int] = {}
    for node in model.nodes.values():
        kinds[node.kind] = kinds.get(node.kind, 0) + 1
    why = general_features(model)
    if json:
        pools = {name: p.staff if p.staff is not None else "shifts" for name, p in model.pools.items() if not p.members}
        pools |= {n: sum(m.count for m in p.members) for n, p in model.pools.items() if p.members}
        values = {"process": model.name, "nodes": kinds, "pools": pools, "notes": loaded.notes, "general": why}
        console.out_json(values | {"parameters": loaded.parameters})
        return
    console.out(say("sound", language, name=model.name))
    console.print_table(
        console.simple_table(
            (say("kind", language), say("number", language)),
            [(say(f"kind_{k}", language), str(n)) for k, n in kinds.items()],
        )
    )
    rows = [(name, _staff(p, language), p.calendar or say("always", language)) for name, p in model.pools.items()]
    heads = [say(k, language) for k in ("pool", "staff", "hours")]
    console.print_table(console.simple_table(heads, rows))
    shown = joined([say(f"kind_{k}", language) for k in dict.fromkeys(w.partition(": ")[2] for w in why)], language)
    console.out(say("general", language, why=shown) if why else say("fast", language))
    _notes(loaded, language)


def _staff(pool: Any, language: str) -> str:
    from dashboards.process.words import say

    if pool.members:
        return str(sum(m.count for m in pool.members))
    if pool.shifts:
        return " + ".join(str(s.staff) for s in pool.shifts)
    return say("unlimited", language) if pool.staff == "unlimited" else str(pool.staff)


@process.command()
def run(
    file: File,
    parameters: Parameters = None,
    days: Days = None,
    cases: Cases = None,
    replications: Replications = 5,
    seed: Seed = 1,
    start: Start = None,
    warm_up: WarmUp = 0,
    pool: Pool = None,
    history: History = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for drawing and tables · 输出目录")] = None,
    log: Annotated[Path | None, typer.Option(help="Event log: .csv, .xes, .parquet · 事件日志")] = None,
    colour: Colour = "load",
    json: Json = False,
    language: Language = "en",
) -> None:
    """Run a process with its own arrivals and show activities and pools with intervals · 运行流程.

    Example: twin process run model.bpmn model.json --cases 2000 --replications 10 --out result --log log.xes
    """
    from dashboards import console
    from dashboards.process.files import load
    from dashboards.process.show import as_values, run_tables

    if out is not None:
        folder_to_write(out)
    if log is not None:
        _log_to_write(log)
    loaded = load(file, parameters, pool, history)
    plan = _plan(loaded, days, cases, replications, seed, start, warm_up)
    loaded = _with_assumed_days(loaded, plan)
    result = _simulate(loaded, plan, log, language)
    written = _write(loaded, result, out, colour, language)
    if log is not None:
        written["log"] = log
    if json:
        console.out_json({**as_values(result), "notes": loaded.notes, "files": written})
        return
    for table in run_tables(result, language):
        console.print_table(table)
    _notes(loaded, language)
    _files(written, language)


def _log_to_write(path: Path) -> None:
    from twin.process.eventlog.files import form_of

    form_of(path)
    file_to_write(path)


def _plan(
    loaded: Loaded,
    days: int | None = None,
    cases: int | None = None,
    replications: int = 1,
    seed: int = 1,
    start: str | None = None,
    warm_up: int = 0,
) -> Plan:
    """What was asked for, or 1,000 cases; fewer if they come so seldom that they would take years."""
    from twin.errors import ScenarioError
    from twin.process.entries import case_times
    from twin.process.simulation import Plan
    from twin.randomness import Streams

    if days is not None and cases is not None:
        raise ScenarioError("both --days and --cases", hint="Give one of the two.")
    calendar = _calendar(start)
    if days is None and cases is None:
        come = case_times(loaded.model, Streams(seed), calendar, cases=_CASES, fewer=True)
        cases = max(1, int((come < _YEARS).sum()))
    return Plan(days, cases, replications, seed, calendar, warm_up)


def _with_assumed_days(loaded: Loaded, plan: Plan) -> Loaded:
    """With a note if the run goes beyond the days of which the exchange has said whether it trades."""
    from dataclasses import replace

    from twin.clock import DAY
    from twin.process.entries import case_times
    from twin.randomness import Streams

    if plan.calendar is None:
        return loaded
    last = plan.days
    if last is None:
        last = int(case_times(loaded.model, Streams(plan.seed), plan.calendar, cases=plan.cases).max(initial=0)) // DAY
    assumed = plan.calendar.assumption(last)
    return replace(loaded, notes=(*loaded.notes, assumed)) if assumed else loaded


def _calendar(start: str | None) -> WorkCalendar | None:
    import datetime as dt

    from twin.errors import ScenarioError
    from twin.process.calendar import WorkCalendar

    if start is None:
        return None
    try:
        return WorkCalendar(dt.date.fromisoformat(start))
    except ValueError as error:
        raise ScenarioError(f"{start!r} is not a date", where="--start", hint="Write it like 2026-09-07.") from error


def _simulate(loaded: Loaded, plan: Plan, log: Path | None, language: str) -> Result:
    import datetime as dt

    from twin.process.simulation import early_cases, simulate

    kept: list[Any] = []
    with _Progress(language) as shown:
        result = simulate(
            loaded.model,
            plan,
            progress=shown,
            on_network=lambda replication, network: kept.append(network) if log and not replication else None,
            log=log is not None,
        )
    if log is not None:
        from twin.process.eventlog.files import write_log
        from twin.process.executions import MONDAY, event_log

        day = plan.from_empty.day or MONDAY - dt.timedelta(days=plan.warm_up_days)
        write_log(event_log(kept[0], day, first=early_cases(loaded.model, plan, 0)), log)
    return result


def _write(loaded: Loaded, result: Result, out: Path | None, colour: Any, language: str) -> dict[str, Path]:
    from json import dumps

    from dashboards import console
    from dashboards.process.show import as_values, write_tables

    if out is None:
        return {}
    out.mkdir(parents=True, exist_ok=True)
    (out / "process.svg").write_text(_drawn(loaded, result, colour, language), encoding="utf-8")
    write_tables(result, out)
    text = dumps(console.finite(as_values(result)), ensure_ascii=False, indent=1)
    (out / "result.json").write_text(text, encoding="utf-8")
    return {"drawing": out / "process.svg", "tables": out}


def _drawn(loaded: Loaded, result: Result | None, colour: Any, language: str) -> str:
    from dashboards.process.words import say
    from twin.process.drawing.loads import overlay_of
    from twin.process.drawing.svg import draw

    overlay = None
    if result is not None:
        plan = result.plan
        if plan.days is not None:
            caption = say("caption_days", language, n=plan.replications, days=plan.days)
        else:
            caption = say("caption_cases", language, n=plan.replications, cases=plan.cases)
        if plan.warm_up_weeks:
            caption += say("caption_warm_up", language, weeks=plan.warm_up_weeks)
        overlay = overlay_of(result, loaded.diagram, loaded.nodes, loaded.shares, colour=colour, caption=caption)
    return draw(loaded.diagram, overlay, language=language, labels=loaded.labels)


@process.command()
def draw(
    file: File,
    parameters: Parameters = None,
    out: Annotated[Path, typer.Option(help="SVG file · SVG 文件")] = Path("process.svg"),
    with_run: Annotated[bool, typer.Option("--run", help="Run it, and show load and waiting · 显示负荷与等待")] = False,
    cases: Annotated[int | None, typer.Option(min=1, help="Cases of that run, if not 1000 · 运行案例数")] = None,
    seed: Seed = 1,
    pool: Pool = None,
    history: History = 1,
    colour: Colour = "load",
    language: Language = "en",
    json: Json = False,
) -> None:
    """Draw a process as SVG, with load and waiting on it if you like · 绘制流程图.

    Example: twin process draw service-desk --out desk.svg --run
    """
    from dashboards import console
    from dashboards.process.files import load

    file_to_write(out)
    loaded = load(file, parameters, pool, history)
    result = _simulate(loaded, _plan(loaded, cases=cases, seed=seed), None, language) if with_run else None
    out.write_text(_drawn(loaded, result, colour, language), encoding="utf-8")
    if json:
        console.out_json({"drawing": out, "elements": len(loaded.diagram.elements), "notes": loaded.notes})
        return
    _notes(loaded, language)
    _files({"drawing": out}, language)


@process.command()
def convert(
    file: File,
    target: Annotated[Path, typer.Argument(help="File to write: .yaml or .bpmn (and .json beside it) · 目标文件")],
    parameters: Annotated[Path | None, typer.Option(help="Prosimos JSON of the diagram · Prosimos 参数文件")] = None,
    plain: Annotated[
        bool, typer.Option("--prosimos", help="Only what Prosimos reads · 只保留 Prosimos 支持的元素")
    ] = False,
    pool: Pool = None,
    history: History = 1,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Convert between process files and BPMN 2.0 with Prosimos parameters · 转换流程格式.

    Example: twin process convert model.bpmn model.yaml
    """
    from dashboards import console
    from dashboards.process.files import YAML, is_bpmn, load
    from dashboards.process.words import say
    from twin.errors import DataError
    from twin.process.notes import told
    from twin.process.prosimos.write import write_prosimos
    from twin.process.writer import write_process

    file_to_write(target)
    loaded = load(file, parameters, pool, history)
    notes = list(loaded.notes)
    if target.suffix.lower() in YAML:
        write_process(loaded.model, target)
        written = [target]
    elif is_bpmn(target):
        written = [target, target.with_suffix(".json")]
        notes += write_prosimos(loaded.model, *written, plain=plain)
    else:
        raise DataError("not a form to write", where=str(target), hint="Names end in .yaml or .bpmn.")
    if json:
        console.out_json({"files": written, "notes": notes})
        return
    for note in notes:
        console.note(say("note", language, text=told(note, language)))
    for path in written:
        console.out(say("written", language, path=path))


def _notes(loaded: Loaded, language: str) -> None:
    from dashboards import console
    from dashboards.process.words import say
    from twin.process.notes import told

    if loaded.parameters is not None:
        console.note(say("parameters", language, path=loaded.parameters))
    for note in loaded.notes:
        console.note(say("note", language, text=told(note, language)))


def _files(written: dict[str, Path], language: str) -> None:
    from dashboards import console
    from dashboards.process.words import say

    for key, path in written.items():
        console.out(say(key, language, path=path))


class _Progress:
    """One line on the terminal that is written over; nothing where the output is no terminal."""

    def __init__(self, language: str) -> None:
        self._language, self._shown = language, False
        self._patience = threading.Timer(_PATIENCE_S, self._excuse)

    def __enter__(self) -> _Progress:
        self._patience.daemon = True
        self._patience.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._patience.cancel()
        if self._shown:
            sys.stderr.write("\r\033[K")

    def _excuse(self) -> None:
        """Say why nothing comes: once compiled, few processes need so long for their first replication."""
        from dashboards import console
        from dashboards.process.words import say

        console.note(say("compiling", self._language))

    def __call__(self, done: int, n: int) -> None:
        self._patience.cancel()
        if sys.stderr.isatty():
            from dashboards.process.words import say

            sys.stderr.write("\r" + say("progress", self._language, done=done, n=n))
            sys.stderr.flush()
            self._shown = True
