"""The command line as a user meets it: in its own process, by its output and exit status."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashboards.cli import app, execute

ROOT = Path(__file__).resolve().parents[1]
CHINESE = re.compile("[一-鿿]")
DRIVER = """
import sys
from scenarios.experiments import runner
runner.SIMULATE = "standin_day:simulate_day"
runner.code_fingerprint = lambda: "a" * 64
from dashboards.cli import {main}
if __name__ == "__main__":
    {main}()
"""


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    """Scripts that run the real command line on the stand-in for a day."""
    folder = tmp_path_factory.mktemp("drivers")
    for main in ("main", "run_main"):
        (folder / f"{main}.py").write_text(DRIVER.format(main=main))
    return folder


@pytest.fixture
def twin(drivers, tmp_path):
    def call(*arguments, main="main", cwd=tmp_path, **variables):
        return subprocess.run(
            [sys.executable, str(drivers / f"{main}.py"), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment(**variables),
            check=False,
            timeout=120,
        )

    return call


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """The same within this process, which is quicker; the output is no terminal either."""
    from scenarios.experiments import runner

    monkeypatch.setattr(runner, "SIMULATE", "standin_day:simulate_day")
    monkeypatch.setattr(runner, "code_fingerprint", lambda: "a" * 64)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = execute(app, "twin", [str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, captured.out, captured.err)

    return call


def environment(**variables):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**os.environ, "PYTHONPATH": paths, "COLUMNS": "160", **variables}


def fails(result, status, *parts):
    """The command ended with a status and one line on standard error that says why."""
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for part in parts:
        assert part in lines[0]


def test_help_loads_nothing_heavy():
    command = [sys.executable, "-X", "importtime", str(ROOT / "run_scenario.py"), "--help"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True, cwd=ROOT)
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert not modules & {"numpy", "numba", "mesa", "matplotlib", "pandas", "scipy", "pyarrow", "simpy", "streamlit"}
    for option in (
        "--against",
        "--replications",
        "--seed",
        "--workers",
        "--set",
        "--out",
        "--language",
        "--json",
        "--fresh",
    ):
        assert option in result.stdout
    assert "--no-report" in result.stdout
    assert "Example: twin run extreme-day --against ordinary-day" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["forecast", "nowhere.csv"], ["backtest", "nowhere.csv"], ["discover", "nowhere.csv", "--out", "p.yaml"],
        ["simulate-log", "nowhere.yaml", "--like", "nowhere.csv", "--out", "s.csv"], ["log", "check", "nowhere.csv"],
    ],
)  # fmt: skip
def test_missing_file_is_told_before_anything_heavy_is_loaded(command, tmp_path):
    call = [sys.executable, "-X", "importtime", "-m", "dashboards.cli", *command]
    result = subprocess.run(call, capture_output=True, text=True, env=environment(), cwd=tmp_path)
    assert result.returncode == 2
    complaint = result.stderr.splitlines()[-1]
    assert complaint in {f"error: nowhere.{form}: there is no such file" for form in ("csv", "yaml")}
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert not modules & {"numpy", "scipy", "numba", "pyarrow", "matplotlib"}


def test_every_command_has_help_with_an_example(capsys):
    assert execute(app, "twin", ["--help"]) == 0
    names = re.findall(r"│ (\w+) +[A-Z]", capsys.readouterr().out)
    assert set(names) >= {"list", "show", "run", "replay", "runs", "schema", "dashboard"}
    for name in names:
        assert execute(app, "twin", [name, "--help"]) == 0
        text = capsys.readouterr().out
        assert f"Example: twin {name}" in text
        assert CHINESE.search(text)


def test_list_and_show_tell_the_scenarios(here):
    assert "A day of panic" in here("list").stdout
    assert "极端下跌日" in here("list", "--language", "zh").stdout
    assert {e["name"] for e in json.loads(here("list", "--json").stdout)} >= {"extreme-day", "ordinary-day"}
    shown = here("show", "extreme-day", "--set", "order_path.core.capacity=80000/s")
    assert "    # Orders per second (row 97, as-is). Default: 8000/s\n    capacity: 80000/s\n" in shown.stdout
    brief = here("show", "extreme-day", "--brief", "--language", "zh")
    assert "# 极端下跌日\n" in brief.stdout
    assert "row 97" not in brief.stdout
    assert json.loads(here("show", "ordinary-day", "--json").stdout)["clients"]["count"] == 5_000_000
    assert json.loads(here("schema").stdout)["title"] == "Scenario"
    assert here("show", "ordinary-day", "--schema").stdout == here("schema").stdout


@pytest.mark.slow
def test_a_run_compares_and_a_second_one_is_reused(twin, tmp_path):
    arguments = ("extreme-day", "--against", "ordinary-day", "--no-report", "--set-both", "clients.count=2000")
    first = twin(*arguments, main="run_main")
    assert first.returncode == 0, first.stderr
    assert "A day of panic against An ordinary trading day: 3 replications" in first.stdout
    assert re.search(r"Orders submitted \(orders\) .* ↑ more", first.stdout)
    assert re.search(r"Order latency, 99th percentile \(ms\) .* ± .* ↑ worse", first.stdout)
    folders = re.findall(r"^(?:run folder|baseline): (.*)$", first.stdout, re.M)
    assert [(tmp_path / folder / "manifest.json").is_file() for folder in folders] == [True, True]
    again = twin("run", *arguments)
    assert again.stderr.count("reused (3 replications)") == 2
    assert again.stdout == first.stdout
    assert twin("runs").stdout.count("ordinary-day-") == 1
    assert len(json.loads(twin("runs", "--json").stdout)) == 2


def test_progress_tells_stage_time_rate_and_end(here):
    result = here("run", "ordinary-day", "--no-report", "--workers", 1, "--replications", 2)
    assert "2 replications to run" in result.stderr
    assert re.search(r"ordinary-day-\w{8}-s20260915 #0: trading 09:30:00 0% 0 orders 0/s", result.stderr)
    assert re.search(r"#1: done 09:30:00 100% 3,000 orders [\d,]+/s", result.stderr)


def test_json_is_for_machines(here):
    result = here(
        "run", "extreme-day", "--against", "ordinary-day", "--json", "--no-report", "--replications", 1, "--workers", 1
    )
    value = json.loads(result.stdout)
    row = value["measures"][0]
    assert (row["measure"], row["half_width"], row["replications"]) == ("orders_submitted", None, 1)
    assert row["difference"] == pytest.approx(row["scenario"] - row["baseline"])
    assert value["report"] is None


@pytest.mark.slow
def test_chinese_output_is_chinese_everywhere(here):
    result = here(
        "run", "extreme-day", "--against", "ordinary-day", "--language", "zh", "--no-report", "--replications", 1
    )
    assert "极端下跌日 对比 普通交易日：1 次重复" in result.stdout
    assert "只有一次重复" in result.stdout
    for line in (result.stdout + result.stderr).splitlines():
        assert CHINESE.search(line) or not re.search(r"[A-Za-z]", line), line
    assert "还没有运行结果" in here("runs", "--out", "elsewhere", "--language", "zh").stdout
    fails(here("show", "nothing-like-it", "--language=zh"), 2, "错误：", "there is no scenario 'nothing-like-it'")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "extrem-day"), ("error: there is no scenario 'extrem-day'. Did you mean 'extreme-day'?",)),
        (("run", "extreme-day", "--against", "nope"), ("there is no scenario 'nope'",)),
        (("run", "ordinary-day", "--set", "clients.cont=5"), ("--set clients.cont = 5", "Did you mean 'count'?")),
        (("run", "ordinary-day", "--replications", "0"), ("--replications",)),
        (("run", "ordinary-day", "--replications", "two"), ("--replications",)),
        (("run", "ordinary-day", "--workers", "0"), ("--workers",)),
        (("run", "ordinary-day", "--seed", "-1"), ("--seed",)),
        (("run", "ordinary-day", "--bogus"), ("--bogus", "twin run --help")),
        (("run",), ("'name'",)),
        (("frobnicate",), ("frobnicate",)),
        (("list", "--language", "fr"), ("'fr' is not a language. Give en or zh.",)),
        (("list", "--language", ""), ("'' is not a language. Give en or zh.",)),
        (("run", "ordinary-day", "--out", "/proc/none"), ("/proc/none: cannot be written",)),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, parts, here):
    result = here(*arguments)
    assert result.stdout == ""
    fails(result, 2, *parts)


def test_a_bad_file_is_told_with_its_line(twin, tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: ordinary-day\nclients:\n  count: lots\n")
    fails(twin("run", "mine.yaml"), 2, "mine.yaml:3 clients.count = lots: not a whole number.")


@pytest.mark.slow
def test_money_that_appears_and_a_worker_that_dies_are_status_1(twin, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    (marks / "leak").touch()
    arguments = ("run", "ordinary-day", "--no-report", "--workers", 2, "--replications", 2)
    result = twin(*arguments, STANDIN_MARKS=str(marks))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "error: ledger: 1 fen has appeared"
    (marks / "leak").unlink()
    (marks / "die").touch()
    result = twin(*arguments, "--fresh", STANDIN_MARKS=str(marks))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: a worker process died")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_cleanly_with_status_130(drivers, tmp_path, workers):
    marks = tmp_path / "marks"
    marks.mkdir()
    (marks / "wait").touch()
    process = subprocess.Popen(
        [sys.executable, str(drivers / "main.py"), "run", "ordinary-day", "--no-report", "--workers", str(workers)],
        cwd=tmp_path,
        env=environment(STANDIN_MARKS=str(marks)),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background may have been told to ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 60
    while not (marks / "began-ordinary-day-1").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == "interrupted; finished replications are kept"
    assert not list((tmp_path / "runs").glob("*/manifest.json"))


def test_output_into_a_closed_pipe_is_no_error(drivers):
    command = f"{sys.executable} {drivers / 'main.py'} schema | head -c 20; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment(), check=False, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_report_is_written_beside_the_runs(here, tmp_path):
    result = here(
        "run", "extreme-day", "--against", "ordinary-day", "--replications", 1, "--workers", 1, "--language", "zh"
    )
    assert result.returncode == 0, result.stderr
    page = tmp_path / result.stdout.strip().splitlines()[-1].removeprefix("报告：")
    assert "极端下跌日" in page.read_text(encoding="utf-8")
    assert len(json.loads(here("runs", "--json").stdout)) == 2


def replay_report(**changes):
    from twin.matching.replay import ReplayReport

    counts = dict.fromkeys((f.name for f in dataclasses.fields(ReplayReport)), 5)
    return ReplayReport(**{**counts, "path": Path("day"), "format": "sse-l2", "first_row": "", **changes})


def test_a_replay_that_differs_is_status_1(here, monkeypatch):
    asked = []

    def replay(path, *, format, check, strict, progress):
        asked.append((path, check))
        first = {"first_difference": "trade 5: size 3, not 4", "first_row": "trades.csv.gz:6"}
        return replay_report(trades_matched=4, differences=1, **first)

    monkeypatch.setattr("twin.matching.replay.replay", replay)
    result = here("replay", "day")
    assert result.returncode == 1
    assert "trades: 4 of 5 reproduced" in result.stdout
    assert "the replay differs in 1 places, first at trades.csv.gz:6: trade 5: size 3, not 4" in result.stdout
    value = json.loads(here("replay", "day", "--no-check", "--json").stdout)
    assert (value["trades_matched"], value["ok"]) == (4, False)
    assert asked == [(Path("day"), True), (Path("day"), False)]


def test_a_replay_of_nothing_is_bad_input(here):
    fails(here("replay", "nowhere"), 2, "nowhere: no such folder")


@pytest.mark.data
def test_a_recorded_day_is_replayed_trade_by_trade(here, shared_data):
    result = here("replay", shared_data / "market" / "sse_l2_600519_20230207", "--language", "zh")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "成交：18,685/18,685 笔重现" in result.stdout
    assert "重放结果与记录一致" in result.stdout
