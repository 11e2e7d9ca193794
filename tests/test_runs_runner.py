"""The runner: the same result for any number of workers, nothing half-written, and work that survives a kill."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scenarios.experiments import ledger as ledger_module
from scenarios.experiments.ledger import Ledger
from scenarios.experiments.runner import Request, WorkerError, run_all
from scenarios.loader import load
from scenarios.runs import compare, list_runs, read_run
from twin.errors import ConservationError, RunError, ScenarioError

STANDIN = "standin_day:simulate_day"
TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def _same_code(monkeypatch):
    """The code may not count as changed while a test goes on, whatever an editor does."""
    monkeypatch.setattr("scenarios.experiments.runner.code_fingerprint", lambda: "a" * 64)


@pytest.fixture
def marks(tmp_path, monkeypatch):
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv("STANDIN_MARKS", str(folder))
    return folder


def request(replications=3, name="ordinary-day", seed=7, settings=()):
    return Request(load(name, list(settings)), seed, replications)


def run(out, *requests, workers=1, **more):
    return run_all(list(requests), out, workers, simulate=STANDIN, **more)


def hidden(out):
    """Whatever is left of work in progress, locks apart."""
    return [p for p in (out / ".partial").glob("*") if p.suffix != ".lock"]


def test_one_and_two_workers_give_the_same_tables(tmp_path):
    pair = (request(), request(name="extreme-day"))
    one = run(tmp_path / "one", *pair)
    two = run(tmp_path / "two", *pair, workers=2)
    for a, b in zip(one, two, strict=True):
        assert a.run.folder.name == b.run.folder.name
        for table in ("measures", "timeline"):
            assert a.run.table(table).equals(b.run.table(table))
    measures = one[0].run.table("measures")
    assert measures.column_names[0] == "replication"
    assert measures["replication"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert hidden(tmp_path / "one") == hidden(tmp_path / "two") == []


def test_the_manifest_says_what_was_run(tmp_path):
    outcome = run(tmp_path, request(2, settings=["clients.count=1000"]))[0]
    manifest = json.loads((outcome.run.folder / "manifest.json").read_text())
    assert manifest["scenario"]["clients"]["count"] == 1000
    assert manifest["scenario"]["order_path"]["core"]["capacity"] == "8000/s"
    assert (manifest["seed"], manifest["replications"]) == (7, 2)
    assert outcome.run.folder.name == f"ordinary-day-{manifest['hash'][:8]}-s7"
    assert {"broker-twin", "python", "numpy", "pyarrow"} <= set(manifest["versions"])
    assert [info["orders"] > 0 for info in manifest["info"]] == [True, True]
    assert len(manifest["timings"]["replications_s"]) == 2
    assert str(tmp_path) not in json.dumps(manifest)


def test_what_is_there_is_reused_extended_or_made_afresh(tmp_path, marks):
    first = run(tmp_path, request(2))[0]
    before = first.run.table("measures")
    for mark in marks.glob("began-*"):
        mark.unlink()
    again = run(tmp_path, request(2))[0]
    assert (again.found, again.computed, list(marks.iterdir())) == (2, 0, [])
    more = run(tmp_path, request(3))[0]
    assert (more.found, more.computed, [m.name for m in marks.iterdir()]) == (2, 1, ["began-ordinary-day-2"])
    assert more.run.table("measures").slice(0, len(before)).equals(before)
    assert more.run.table("measures").equals(run(tmp_path / "other", request(3))[0].run.table("measures"))
    fewer = run(tmp_path, request(1))[0]
    assert (fewer.computed, fewer.run.replications) == (0, 3)
    fresh = run(tmp_path, request(2), fresh=True)[0]
    assert (fresh.computed, fresh.run.replications) == (2, 2)
    assert run(tmp_path, request(2, seed=8))[0].run.folder != first.run.folder


def test_a_run_made_by_other_code_is_not_reused(tmp_path, monkeypatch):
    run(tmp_path, request(1))
    monkeypatch.setattr("scenarios.experiments.runner.code_fingerprint", lambda: "0" * 64)
    assert run(tmp_path, request(1))[0].computed == 1


def test_the_fingerprint_follows_code_and_parameters(tmp_path, monkeypatch):
    (tmp_path / "twin").mkdir()
    (tmp_path / "scenarios" / "processes").mkdir(parents=True)
    (tmp_path / "scenarios" / "catalogue").mkdir()
    (tmp_path / "twin" / "a.py").write_text("x = 1")
    monkeypatch.setattr(ledger_module, "_ROOT", tmp_path)
    seen = {ledger_module.code_fingerprint()}
    (tmp_path / "scenarios" / "catalogue" / "c.yaml").write_text("name: c")
    assert ledger_module.code_fingerprint() in seen
    for path in ("twin/a.py", "scenarios/processes/p.yaml"):
        (tmp_path / path).write_text("x = 2")
        assert ledger_module.code_fingerprint() not in seen
        seen.add(ledger_module.code_fingerprint())


def test_the_same_run_asked_for_twice_is_run_once(tmp_path):
    a, b = run(tmp_path, request(1), request(2))
    assert a.run.folder == b.run.folder
    assert b.run.replications == 2
    assert len(list_runs(tmp_path)) == 1


def test_no_replications_are_refused(tmp_path):
    with pytest.raises(ScenarioError, match="at least one replication"):
        run(tmp_path, request(0))


@pytest.mark.slow
def test_a_dead_worker_is_one_clear_error_and_finished_work_is_kept(tmp_path, marks):
    (marks / "die").touch()
    with pytest.raises(WorkerError, match=r"a worker process died .* of 3 replications are kept"):
        run(tmp_path, request(3), workers=2)
    assert list_runs(tmp_path) == []
    (marks / "die").unlink()
    ledger = Ledger(tmp_path, load("ordinary-day"), 7, "")
    kept = len(list(ledger.work.glob("rep=*")))
    outcome = run(tmp_path, request(3), workers=2)[0]
    assert outcome.found == kept
    assert outcome.run.table("measures").equals(run(tmp_path / "o", request(3))[0].run.table("measures"))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_error_of_the_simulation_arrives_as_it_was(tmp_path, marks, workers):
    (marks / "leak").touch()
    with pytest.raises(ConservationError, match="ledger: 1 fen has appeared"):
        run(tmp_path, request(2), workers=workers)
    assert list_runs(tmp_path) == []


def start(out, marks, workers):
    """A run in another process whose second replication waits."""
    code = (
        "from pathlib import Path; from scenarios.experiments import runner; from scenarios.loader import load\n"
        "runner.code_fingerprint = lambda: 'a' * 64\n"
        f"ask, out = runner.Request(load('ordinary-day'), 7, 3), Path({str(out)!r})\n"
        f"if __name__ == '__main__': runner.run_all([ask], out, {workers}, simulate={STANDIN!r})"
    )
    script = out.parent / "start.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    return subprocess.Popen([sys.executable, str(script)], env=environment, start_new_session=True)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the other process did not get there"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_leaves_nothing_readable_and_goes_on_from_what_was_finished(tmp_path, marks, workers):
    (marks / "wait").touch()
    out = tmp_path / "runs"
    process = start(out, marks, workers)
    ledger = Ledger(out, load("ordinary-day"), 7, "")
    wait_for(lambda: (ledger.work / "rep=0").is_dir() and (marks / "began-ordinary-day-1").exists())
    with pytest.raises(RunError, match="another command is making this run"):
        run(out, request(3))
    workers_before = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(alive(pid) for pid in workers_before))
    assert list_runs(out) == []
    assert not ledger.folder.exists()
    (marks / "wait").unlink()
    outcome = run(out, request(3))[0]
    assert (outcome.found, outcome.computed) == (1, 2)
    assert outcome.run.table("timeline").equals(run(tmp_path / "o", request(3))[0].run.table("timeline"))
    assert hidden(out) == []


def children(pid):
    """Processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("moment", ["assembled", "between"])
def test_a_kill_while_the_folder_is_put_in_place_loses_nothing(tmp_path, moment):
    first = run(tmp_path, request(1))[0]
    ledger = Ledger(tmp_path, load("ordinary-day"), 7, first.run.manifest["code"])
    ledger.work.mkdir(parents=True)
    if moment == "assembled":
        ledger.folder.rename(ledger.work / "whole")
    else:
        ledger.folder.rename(ledger.work / "old")
        (ledger.work / "whole").mkdir()
        (ledger.work / "whole" / "measures.parquet").write_bytes(b"half")
    (ledger.work / "part=1-99").mkdir()
    assert list_runs(tmp_path) == []
    outcome = run(tmp_path, request(1))[0]
    assert outcome.computed == 0
    assert outcome.run.table("measures").equals(first.run.table("measures"))
    assert run(tmp_path, request(2))[0].computed == 1
    assert hidden(tmp_path) == []


def test_half_and_foreign_folders_are_refused(tmp_path):
    whole = run(tmp_path / "a", request(1))[0].run.folder
    with pytest.raises(RunError, match="there is no such run folder"):
        read_run(tmp_path / "nothing")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with pytest.raises(RunError, match="it has no manifest"):
        read_run(foreign)
    (foreign / "manifest.json").write_text('{"name": "an npm package"}')
    with pytest.raises(RunError, match="the manifest lacks format, scenario"):
        read_run(foreign)
    (foreign / "manifest.json").write_text("{")
    with pytest.raises(RunError, match="the manifest cannot be read"):
        read_run(foreign)
    (foreign / "manifest.json").write_text((whole / "manifest.json").read_text())
    with pytest.raises(RunError, match="lacks measures, timeline"):
        read_run(foreign)
    manifest = json.loads((whole / "manifest.json").read_text())
    (whole / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(RunError, match="format 99 is not 1"):
        read_run(whole)
    (whole / "manifest.json").write_text(json.dumps(manifest))
    (whole / "measures.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(RunError, match="cannot be read"):
        read_run(whole).table("measures")


def test_a_foreign_folder_in_the_place_of_a_run_is_not_replaced(tmp_path):
    ledger = Ledger(tmp_path, load("ordinary-day"), 7, "")
    ledger.folder.mkdir(parents=True)
    (ledger.folder / "thesis.txt").write_text("years of work")
    for fresh in (False, True):
        with pytest.raises(RunError, match="it has no manifest"):
            run(tmp_path, request(1), fresh=fresh)
    assert (ledger.folder / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file: cannot be written .* Choose --out"):
        run(tmp_path / "file", request(1))


def test_runs_are_compared_pair_by_pair(tmp_path):
    ordinary, extreme = (o.run for o in run(tmp_path, request(3), request(4, name="extreme-day")))
    rows = {row.measure: row for row in compare(extreme, ordinary)}
    row = rows["orders_submitted"]
    values = {}
    for name, folder in (("a", extreme.folder), ("b", ordinary.folder)):
        table = pq.read_table(folder / "measures.parquet").to_pydict()
        values[name] = [v for v, m in zip(table["value"], table["measure"], strict=True) if m == "orders_submitted"][:3]
    differences = [a - b for a, b in zip(values["a"], values["b"], strict=True)]
    assert row.replications == 3
    assert row.difference == pytest.approx(sum(differences) / 3)
    # Student's t (0.975, 2 degrees of freedom) from tables.
    assert row.half_width == pytest.approx(4.302653 * statistics.stdev(differences) / 3**0.5, rel=1e-6)
    assert (row.verdict, rows["order_latency_p99"].verdict) == ("more", "worse")
    assert (rows["unsuitable_blocked"].difference, rows["unsuitable_blocked"].verdict) == (0, "same")
    alone = {row.measure: row for row in compare(extreme, None)}
    assert alone["unsuitable_blocked"].scenario == 30
    assert (alone["unsuitable_blocked"].baseline, alone["unsuitable_blocked"].verdict) == (None, "")
