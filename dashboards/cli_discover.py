"""The commands `twin discover` and `twin simulate-log`: a process from a log, and logs from a process."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboards.i18n import say
from dashboards.log_columns import Columns, read_given
from dashboards.targets import file_to_read, file_to_write, folder_to_write

if TYPE_CHECKING:
    from twin.process.discovery.model import DiscoveredProcess
    from twin.process.discovery.pieces import Batching, ServiceEffect
    from twin.process.eventlog.log import EventLog

Language = Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")]
Json = Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")]

_NAMES = ("NGD", "AEDD", "CEDD", "REDD", "CTDD")


def discover(
    log: Annotated[Path, typer.Argument(help="Event log: CSV, Parquet, XES or OCEL · 事件日志", callback=file_to_read)],
    out: Annotated[Path, typer.Option("--out", help="Process file to write · 输出的流程文件")] = Path("process.yaml"),
    mechanistic: Annotated[
        bool, typer.Option("--mechanistic", help="No mere resampling of observed cases · 不用案例重采样")
    ] = False,
    structure: Annotated[
        str | None, typer.Option("--structure", help="workforce, timers or resampled (default: the best) · 指定结构")
    ] = None,
    column: Columns = None,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of times that name none · 时区")] = "UTC",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the comparison · 随机种子")] = 1,
    pictures: Annotated[Path | None, typer.Option("--pictures", help="Folder for pictures · 图片目录")] = None,
    json: Json = False,
    language: Language = "en",
) -> None:
    """Fit a process to an event log and say how well it fits · 从事件日志发现流程.

    Rival structures are fitted to an earlier part of the log and compared on the later part; the best is fitted to all.

    Example: twin discover log.csv --out process.yaml
    """
    from dashboards import console
    from twin.errors import ScenarioError
    from twin.process.discovery import Options
    from twin.process.discovery import discover as fit

    if structure not in (None, "workforce", "timers", "resampled"):
        raise ScenarioError(f"{structure!r} is not a structure", hint="Give workforce, timers or resampled.")
    if structure == "resampled" and mechanistic:
        raise ScenarioError("--mechanistic forbids --structure resampled", hint="Leave out one of the two.")
    file_to_write(out)
    if pictures is not None:
        folder_to_write(pictures)
    recorded = read_given(log, column, zone, language)
    with _Stage(language) as stage:
        options = Options(
            structure=structure,  # type: ignore[arg-type]
            mechanistic=mechanistic,
            seed=seed,
            name=log.name,
            report=stage.report,
        )
        process = fit(recorded, options=options)
    process.save(out)
    if pictures is not None:
        from dashboards.report.style import lettering, picture_language
        from twin.process.discovery.pictures import draw

        shown = picture_language(language)
        with lettering(shown):
            drawn = draw(process, pictures, shown)
        for path in [*drawn, *_maps(process, recorded, pictures, seed, language)]:
            console.note(say("discover_picture", language, path=path))
    if json:
        console.out_json(summary(process))
        return
    for line in report(process, language):
        console.out(line)
    console.out(say("discover_written", language, path=out))


def _maps(process: DiscoveredProcess, log: EventLog, folder: Path, seed: int, language: str) -> list[Path]:
    """Write maps of the log and of a log that the process gives, with as many cases from the same instant."""
    from twin.process.discovery import as_log, simulate_like
    from twin.process.drawing.flows import flow_map
    from twin.process.drawing.map import draw_map
    from twin.randomness import Streams

    source = process.source
    simulated = simulate_like(process, start=source.first, cases=source.cases, streams=Streams(seed, 0))
    shown = {"map-log.svg": log, "map-process.svg": as_log(process, simulated)}
    written = []
    for (name, held), key in zip(shown.items(), ("discover_map_log", "discover_map_process"), strict=True):
        title = say(key, language, name=source.name)
        (folder / name).write_text(draw_map(flow_map(held), title=title, language=language), encoding="utf-8")
        written.append(folder / name)
    return written


def simulate_log(
    process: Annotated[Path, typer.Argument(help="Process file of `twin discover` · 流程文件", callback=file_to_read)],
    like: Annotated[
        Path,
        typer.Option(
            "--like",
            help="Log whose first instant and number of cases are taken · 参照日志",
            callback=file_to_read,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Log to write; of several runs: NAME_0, NAME_1 .. · 输出日志")],
    runs: Annotated[int, typer.Option("--runs", min=1, max=1000, help="How many logs · 次数")] = 1,
    typical: Annotated[
        int, typer.Option("--typical", min=1, max=1000, help="Write the most typical of so many (15) · 取最典型的一份")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Seed · 随机种子")] = 1,
    column: Columns = None,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of times that name none · 时区")] = "UTC",
    json: Json = False,
    language: Language = "en",
) -> None:
    """Simulate logs that begin when a log does and have as many cases · 按参照日志的起点与案例数模拟.

    Nothing else of that log is used. Compare with `twin score`. One log that is to stand for the process is best the
    most typical of some, the nearest to all the others; spreads and bands need single ones.

    Example: twin simulate-log process.yaml --like test.csv --out sim.csv --runs 10
    Example: twin simulate-log process.yaml --like test.csv --out sim.csv --typical 15
    """
    from dashboards import console
    from twin.process.discovery import as_log, columns_of, load_process, simulate_typical
    from twin.process.eventlog.files import form_of, write_log

    form_of(out)
    file_to_write(out)
    fitted = load_process(process)
    columns = columns_of(read_given(like, column, zone, language))
    start, cases = int(columns.first.min()), columns.cases
    written: list[dict[str, Any]] = []
    for run in range(runs):
        one = simulate_typical(fitted, start=start, cases=cases, seed=seed, run=run, of=typical)
        done: EventLog = as_log(fitted, one)
        path = out if runs == 1 else _numbered(out, run)
        write_log(done, path)
        written.append({"path": str(path), "cases": done.cases, "activities": len(done)})
    if json:
        console.out_json(written)
        return
    for entry in written:
        console.out(say("simulated_log", language, **entry))


def _numbered(path: Path, run: int) -> Path:
    """sim.csv.gz -> sim_3.csv.gz."""
    stem, dot, rest = path.name.partition(".")
    return path.with_name(f"{stem}_{run}{dot}{rest}")


def summary(process: DiscoveredProcess) -> dict[str, Any]:
    """What was discovered, for machines."""
    return {
        "structure": process.structure,
        "source": process.source.model_dump(),
        "activities": process.activities,
        "resources": len(process.resources),
        "arrivals_per_week": process.arrivals.per_week,
        "window": process.window,
        "cut_off": process.cut_off,
        "attributes": [attribute.name for attribute in process.attributes],
        "service_effects": [effect.model_dump() for effect in effects_of(process)],
        "batching": [batch.model_dump() for batch in _batching(process)],
        "route_effects": [effect.model_dump() for effect in process.steering],
        "replay": process.replay,
        "rivals": [rival.model_dump() for rival in process.rivals],
        "fits": [fit.model_dump() for fit in process.fits],
        "unexplained": process.unexplained,
        "notes": process.notes,
    }


def report(process: DiscoveredProcess, language: str) -> list[str]:
    """What was discovered, in words."""
    from twin.process.notes import told

    source, staff = process.source, process.workforce
    size = {"cases": f"{source.cases:,}", "events": f"{source.events:,}", "activities": len(process.activities)}
    lines = [say("discover_log", language, resources=len(process.resources), **size)]
    lines.append(say(f"discover_{process.structure}", language))
    rate = process.arrivals
    level = {"rate": f"{rate.per_week:.1f}", "half_life": f"{rate.half_life_weeks:g}"}
    lines.append(say("discover_arrivals_recent" if rate.half_life_weeks else "discover_arrivals", language, **level))
    lines.append(say("discover_routes", language, depth=process.routes.depth, nodes=f"{len(process.routes.parent):,}"))
    if process.concurrent.any():
        k = len(process.activities)
        pairs = int(process.concurrent.reshape(k, k).sum() + process.concurrent.reshape(k, k).trace()) // 2
        lines.append(say("discover_parallel", language, n=pairs))
    if process.structure == "workforce" and staff is not None:
        rule = "discover_oldest" if staff.oldest_case else "discover_fifo"
        lines.append(say(rule, language))
        if staff.loose:
            lines.append(say("discover_loose", language, share=f"{staff.loose / 1000:.0%}"))
        if len(staff.capacity):
            lines.append(say("discover_capacity", language, teams=", ".join(_teams(process))))
        lines.append(say("discover_pauses" if staff.pauses else "discover_no_pauses", language))
    lines += _effects(process, language) + _batches(process, language) + _fits(process, language)
    if process.window:
        lines.append(say("discover_window", language))
    return lines + [told(note, language) for note in process.notes] + _ranking(process, language)


def _teams(process: DiscoveredProcess) -> list[str]:
    """Resources whose capacity follows the clock, each with its least and largest."""
    assert process.workforce is not None
    rows = process.workforce.capacity.reshape(len(process.resources), -1)
    named = zip(process.resources, rows, strict=True)
    return [f"{name} ({row.min()}-{row.max()})" for name, row in named if row.min() < row.max()]


def _effects(process: DiscoveredProcess, language: str) -> list[str]:
    """Which attributes matter, for what and how much; and the hour."""
    names = ", ".join(attribute.name for attribute in process.attributes)
    if process.structure == "resampled":
        return [say("discover_attributes_moved", language, names=names)] if names else []
    lines, steering = [], {effect.by for effect in process.steering}
    for service in effects_of(process):
        steering.add(service.by)
        activity = service.activity or say("discover_any_activity", language)
        ranked = sorted(range(len(service.factor)), key=lambda i: service.factor[i])
        factors = ", ".join(f"{service.factor[i]:.2f} ({service.levels[i]})" for i in (ranked[0], ranked[-1]))
        words = {"activity": activity, "by": service.by, "share": f"{service.explained:.1%}", "factors": factors}
        lines.append(say("discover_service_effect", language, **words))
    for route in process.steering:
        after = route.after or say("discover_case_start", language)
        share = f"{route.explained:.1%}"
        lines.append(say("discover_route_effect", language, after=after, by=route.by, share=share))
    if names and not steering & {attribute.name for attribute in process.attributes}:
        lines.append(say("discover_attributes_none", language, names=names))
    return lines


def _batches(process: DiscoveredProcess, language: str) -> list[str]:
    """Batches that were found; only the structure with individuals simulates them."""
    lines = []
    for batch in _batching(process):
        words = {"activity": batch.activity, "share": f"{batch.share:.0%}", "batches": f"{batch.batches:,}"}
        words["size"] = f"{batch.mean_size:.1f}"
        if batch.rule == "none":
            lines.append(say("discover_batch_none", language, **words))
            continue
        key = "discover_batch_either" if batch.rule == "size or wait" else f"discover_batch_{batch.rule}"
        number = len(batch.week_minutes) or batch.size
        rule = say(key, language, n=number, wait=f"{batch.wait_seconds / 3600:.3g}")
        lines.append(say("discover_batch", language, rule=rule, explained=f"{batch.explained:.0%}", **words))
    return lines


def _batching(process: DiscoveredProcess) -> list[Batching]:
    staff = process.workforce
    return staff.batching if staff is not None and process.structure == "workforce" else []


def effects_of(process: DiscoveredProcess) -> list[ServiceEffect]:
    """The effects on services that the structure of the process uses."""
    if process.structure == "workforce" and process.workforce is not None:
        return process.workforce.effects
    return process.timing.effects


def _fits(process: DiscoveredProcess, language: str) -> list[str]:
    """Goodness of fit, and what could not be explained."""
    lines = []
    for fit in process.fits:
        if fit.part == "routes":
            guess = f"{math.log2(len(process.activities) + 1):.2f}"
            lines.append(say("discover_fit_routes", language, bits=f"{fit.value:.2f}", guess=guess))
        elif fit.part == "priorities":
            if process.structure == "workforce":
                choices = f"{int(fit.of or 0):,}"
                lines.append(say("discover_fit_choices", language, share=f"{fit.value:.1%}", choices=choices))
        else:
            value = f"{fit.value:.3f}"
            lines.append(say("discover_fit", language, part=fit.part, measure=fit.measure, value=value))
    for share in process.unexplained.values():
        line = say("discover_waiting", language, share=f"{share:.1%}")
        if process.structure != "workforce":
            line += say("discover_waiting_observed", language)
        elif process.workforce is not None and process.workforce.delay.any():
            line += say("discover_waiting_delays", language)
        lines.append(line)
    return lines


def _ranking(process: DiscoveredProcess, language: str) -> list[str]:
    """How the rivals did; names stand last, as their width depends on the language."""
    if not process.rivals:
        return [say("discover_no_rivals", language)]
    lines = [say("discover_rivals", language), f"{'score':>9}" + "".join(f"{name:>9}" for name in _NAMES)]
    for rival in process.rivals:
        figures = "".join(f"{rival.distances[name]:9.3f}" for name in _NAMES)
        lines.append(f"{rival.score:9.3f}{figures}  {_name(rival.structure, language)}")
    if process.replay:
        figures = "".join(f"{process.replay[name]:9.3f}" for name in _NAMES)
        lines.append(f"{'':9}{figures}  {say('discover_replay', language)}")
    return lines


def _name(rival: str, language: str) -> str:
    """The name of a rival, as `workforce with delays, whole routes, latest half`."""
    from twin.process.discovery.recent import part_of

    rival, part = part_of(rival)
    base = rival.split(" ")[0].rstrip(",")
    name = say(f"discover_name_{base}", language)
    if "with delays" in rival:
        name += say("discover_name_delays", language)
    name += say("discover_name_whole", language) if "whole routes" in rival else ""
    return name + (say(f"discover_name_{part.replace(' ', '_')}", language) if part else "")


class _Stage:
    """Says on a terminal's standard error what is being fitted."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._status: Any = None

    def __enter__(self) -> _Stage:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("")
            self._status.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._status:
            self._status.stop()

    def report(self, what: str) -> None:
        """Show the step."""
        if self._status:
            from twin.process.notes import told

            self._status.update(say("discover_stage", self._language, what=told(what, self._language)))
