"""The command line `twin`: thin over the laboratory; whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboards.cli_call_centre import call_centre
from dashboards.cli_discover import discover, simulate_log
from dashboards.cli_forecast import backtest, forecast, watch
from dashboards.cli_logs import log_app, score
from dashboards.cli_market import market
from dashboards.cli_office import compare as compare_forms
from dashboards.cli_process import process
from dashboards.cli_realism import realism
from dashboards.cli_replay import replay
from dashboards.cli_rules import rules
from dashboards.i18n import LANGUAGES, say
from twin.errors import ConservationError, ScenarioError, TwinError

if TYPE_CHECKING:
    from scenarios.experiments.runner import Outcome
    from scenarios.schema import Scenario

OK, CHECK_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
run_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

Language = Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")]
Json = Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")]
OutDir = Annotated[Path, typer.Option("--out", help="Folder of the runs · 运行结果目录")]


@app.callback()
def _twin() -> None:
    """A digital twin of a securities broker and its market · 券商与市场的数字孪生."""


@app.command("list")
def list_scenarios(json: Json = False, language: Language = "en") -> None:
    """List the scenarios of the catalogue · 列出情景.

    Example: twin list
    """
    from dashboards import console
    from scenarios.loader import catalogue

    entries = catalogue()
    if json:
        console.out_json([{"name": e.name, "title": e.title} for e in entries])
        return
    rows = [(e.name, e.title.get(language, e.name)) for e in entries]
    console.print_table(console.simple_table((say("name", language), say("title", language)), rows))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Scenario or file · 情景名称或文件")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value")] = None,
    json: Json = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema instead · 输出 JSON Schema")] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Values only · 只显示数值")] = False,
    language: Language = "en",
) -> None:
    """Show a scenario as it would run, every value with its unit, meaning and source · 显示情景的全部参数及来源.

    Example: twin show extreme-day --brief
    """
    from dashboards import console
    from scenarios.loader import load, scenario_hash
    from scenarios.printer import scenario_yaml
    from scenarios.schema import json_schema

    scenario = load(name, settings or [])
    if schema:
        console.out_json(json_schema())
        return
    if json:
        console.out_json({"hash": scenario_hash(scenario), **scenario.model_dump(mode="json", exclude={"extends"})})
        return
    console.out(scenario_yaml(scenario, explain=not brief, language=language))


@app.command()
@run_app.command()
def run(
    name: Annotated[str, typer.Argument(help="Scenario or file · 情景名称或文件")],
    against: Annotated[str | None, typer.Option(help="Baseline to compare with · 对比的基准情景")] = None,
    replications: Annotated[int, typer.Option(min=1, max=65_536, help="Repetitions with other luck · 重复次数")] = 3,
    seed: Annotated[
        int | None, typer.Option(min=0, max=(1 << 64) - 1, help="Seed (default: the scenario's) · 随机种子")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: as fit) · 并行进程数")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, for the scenario · 修改情景参数")
    ] = None,
    settings_both: Annotated[
        list[str] | None, typer.Option("--set-both", help="key=value, for the baseline too · 同时修改基准")
    ] = None,
    out: OutDir = Path("runs"),
    language: Language = "en",
    json: Json = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not use earlier results · 不使用已有结果")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the report · 生成报告")] = True,
) -> None:
    """Run a scenario, beside a baseline if you like, and compare · 运行情景并与基准对比.

    Example: twin run extreme-day --against ordinary-day --set order_path.core.capacity=80000/s
    """
    from scenarios.loader import load

    both = settings_both or []
    scenario = load(name, [*both, *(settings or [])])
    baseline = load(against, both) if against else None
    outcomes = _simulate([s for s in (scenario, baseline) if s], replications, seed, workers, out, fresh, language)
    _present(outcomes, report, language, json)


def _simulate(
    scenarios: list[Scenario],
    replications: int,
    seed: int | None,
    workers: int | None,
    out: Path,
    fresh: bool,
    language: str,
) -> list[Outcome]:
    """Run scenarios with one common seed, so that they can be compared pair by pair."""
    from dashboards.console import ProgressView
    from scenarios.experiments.runner import Request, run_all

    common = scenarios[0].seed if seed is None else seed
    requests = [Request(scenario, common, replications) for scenario in scenarios]
    with ProgressView(language, live=sys.stderr.isatty()) as view:
        return run_all(requests, out, workers, fresh=fresh, on_plan=view.plan, on_report=view.report)


def _present(outcomes: list[Outcome], report: bool, language: str, json: bool) -> None:
    from dashboards import console
    from scenarios.runs import compare

    scenario, baseline = outcomes[0].run, outcomes[1].run if len(outcomes) > 1 else None
    rows = compare(scenario, baseline)
    page = _write_report(scenario.folder, baseline.folder if baseline else None, language) if report else None
    if json:
        result: dict[str, Any] = {"run": scenario.folder, "baseline": baseline.folder if baseline else None}
        result |= {"report": page, "replications": scenario.replications, "seed": scenario.manifest["seed"]}
        console.out_json(result | {"measures": [vars(row) for row in rows]})
        return
    console.out(console.summary(scenario, baseline, language))
    console.print_table(console.score_table(rows, language, paired=baseline is not None))
    if baseline is not None and min(scenario.replications, baseline.replications) == 1:
        console.out(say("one_replication", language))
    console.out(say("run_folder", language, path=scenario.folder))
    if baseline is not None:
        console.out(say("baseline_folder", language, path=baseline.folder))
    if page is not None:
        console.out(say("report", language, path=page))


def _write_report(run: Path, baseline: Path | None, language: str) -> Path:
    from dashboards.report import write_report

    beside = f"-against-{baseline.name}" if baseline else ""
    return write_report(run, baseline, run.parent / "reports" / f"{run.name}{beside}.html", language)


app.command()(replay)
app.command("realism")(realism)


@app.command()
def runs(out: OutDir = Path("runs"), json: Json = False, language: Language = "en") -> None:
    """List the runs that are there · 列出已有的运行结果.

    Example: twin runs --out runs
    """
    from dashboards import console
    from scenarios.runs import list_runs

    found = list_runs(out)
    if json:
        keys = ("hash", "seed", "replications", "timings")
        console.out_json([{"name": r.name, "folder": r.folder, **{k: r.manifest[k] for k in keys}} for r in found])
    elif not found:
        console.out(say("no_runs", language, path=out))
    else:
        headings = [say(key, language) for key in ("name", "seed", "replications", "time", "folder")]
        rows = [
            (
                r.name,
                str(r.manifest["seed"]),
                str(r.replications),
                console.span(r.manifest["timings"]["wall_s"], language),
                str(r.folder),
            )
            for r in found
        ]
        console.print_table(console.simple_table(headings, rows))


app.command()(rules)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the scenario file · 输出情景文件的 JSON Schema.

    Example: twin schema > scenario.schema.json
    """
    from dashboards import console
    from scenarios.schema import json_schema

    console.out_json(json_schema())


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on this machine · 端口")] = 8501,
    language: Language = "en",
) -> None:
    """Open the dashboard in the browser, on this machine only · 打开仪表板（仅限本机）.

    Example: twin dashboard --port 8501
    """
    import importlib.util
    import subprocess

    from dashboards import console

    if importlib.util.find_spec("streamlit") is None:
        raise ScenarioError(say("no_dashboard", language), hint=say("install_dashboard", language))
    page = Path(__file__).parent / "app.py"
    console.note(say("dashboard_at", language, port=port))
    options = ["--server.address=127.0.0.1", f"--server.port={port}", "--browser.gatherUsageStats=false"]
    command = [sys.executable, "-m", "streamlit", "run", str(page), *options]
    raise typer.Exit(subprocess.run(command, check=False).returncode)


app.command()(market)
app.command()(discover)
app.command("simulate-log")(simulate_log)
app.add_typer(log_app, name="log")
app.command()(score)
app.add_typer(call_centre, name="call-centre")
app.add_typer(process, name="process")
process.command("compare")(compare_forms)
app.command()(forecast)
app.command()(backtest)
app.command()(watch)


def main(arguments: list[str] | None = None) -> None:
    """Run `twin` and end the process with its status."""
    _finish(app, "twin", arguments)


def run_main(arguments: list[str] | None = None) -> None:
    """Run `twin run` under the name of its script and end the process with its status."""
    _finish(run_app, "run_scenario.py", arguments)


def _finish(application: typer.Typer, name: str, arguments: list[str] | None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    status = execute(application, name, arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def execute(application: typer.Typer, name: str, arguments: list[str]) -> int:
    """Run a command and return its exit status; what the user did wrong becomes one line on standard error."""
    from typer.exceptions import Abort, TyperException

    language = _language_of(arguments)
    try:
        if language not in LANGUAGES:
            wrong = say("unknown_language", "en", value=language)
            language = "en"
            raise ScenarioError(wrong, where="--language", hint=say("languages_are"))
        status = typer.main.get_command(application).main(arguments, prog_name=name, standalone_mode=False)
    except (KeyboardInterrupt, Abort):
        status = INTERRUPTED
    except TwinError as error:
        _complain(say("error", language, text=" ".join(str(error).split())))
        return CHECK_FAILED if isinstance(error, ConservationError) or _died(error) else BAD_INPUT
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else name
        text = f"{error.format_message().rstrip('.')}. {say('usage_hint', language, command=command)}"
        _complain(say("error", language, text=" ".join(text.split())))
        return BAD_INPUT
    except BrokenPipeError:
        return OK
    except OSError as error:  # a disk that is full, a folder that may not be written
        if error.filename is None:
            raise
        what = (error.strerror or type(error).__name__).lower()
        _complain(say("error", language, text=say("cannot_use", language, path=error.filename, what=what)))
        return BAD_INPUT
    if status == INTERRUPTED:
        _complain(say("interrupted", language))
    return status if isinstance(status, int) else OK


def _died(error: TwinError) -> bool:
    return type(error).__name__ in ("WorkerError", "CapacityError")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _language_of(arguments: list[str]) -> str:
    """The language asked for, found before the arguments are parsed so that errors speak it too."""
    for place, argument in enumerate(arguments):
        if argument in ("--language", "-l") and place + 1 < len(arguments):
            return arguments[place + 1]
        if argument.startswith("--language="):
            return argument.partition("=")[2]
    return "en"


if __name__ == "__main__":
    main()
