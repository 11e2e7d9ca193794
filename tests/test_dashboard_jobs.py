"""Jobs of the dashboard: their state on disk is true whatever happens to their process."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from dashboards import jobs
from dashboards.jobs import Job, Spec, State, find, start
from scenarios.runs import read_run

HERE = Path(__file__).resolve().parent
SMALL = Spec("extreme-day", "ordinary-day", replications=2, seed=7)


@pytest.fixture
def out(tmp_path, monkeypatch):
    """Folder of runs; jobs simulate the stand-in day, and the folder of marks asks it to misbehave."""
    monkeypatch.setattr(jobs, "WORK", (str(HERE / "standin_job.py"),))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv("STANDIN_MARKS", str(marks))
    return tmp_path / "runs"


def wait(job, until, seconds=60):
    """The job's state once a condition holds; the test fails when it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = job.state()
        if until(state):
            return state
        time.sleep(0.05)
    pytest.fail(f"still {job.state()}\n{(job.folder / 'log.txt').read_text()}")


@pytest.mark.slow
def test_job_runs_scenario_and_baseline_to_the_end(out):
    job = start(out, SMALL)
    state = wait(job, lambda s: s.is_over)
    assert (state.phase, state.error) == ("done", "")
    assert (state.fraction, state.finished, state.total) == (1.0, 4, 4)
    runs = [read_run(out / name) for name in state.runs]
    assert [run.name for run in runs] == ["extreme-day", "ordinary-day"]
    assert {run.manifest["seed"] for run in runs} == {7}


@pytest.mark.slow
def test_job_is_found_again_by_its_name(out):
    job = start(out, SMALL)
    wait(job, lambda s: s.is_over)
    assert find(out, job.name) == job
    assert job.spec() == SMALL
    assert find(out, "20260101-000000-abcdef") is None


@pytest.mark.parametrize("name", ["", "..", "../../etc", "20260101-000000-abcdef/..", "20260101-000000-abcdeg"])
def test_name_from_an_address_is_not_trusted(out, name):
    assert find(out, name) is None


def test_wrong_setting_fails_with_the_line_that_the_command_line_prints(out):
    job = start(out, Spec("extreme-day", settings=("order_path.core.capasity=1/s",)))
    state = wait(job, lambda s: s.is_over)
    assert state.phase == "failed"
    assert "Did you mean 'capacity'?" in state.error
    assert "\n" not in state.error
    assert "Traceback" not in (job.folder / "log.txt").read_text()


@pytest.mark.slow
def test_cancelled_job_ends_and_keeps_what_was_finished(out, tmp_path):
    (tmp_path / "marks" / "wait").touch()
    job = start(out, SMALL)
    wait(job, lambda s: s.finished >= 2)
    began = time.monotonic()
    job.cancel()
    state = wait(job, lambda s: s.is_over, 20)
    assert state.phase == "cancelled"
    assert time.monotonic() - began < 20
    (tmp_path / "marks" / "wait").unlink()
    again = wait(start(out, SMALL), lambda s: s.is_over)
    assert (again.phase, again.finished) == ("done", 4)


@pytest.mark.slow
def test_killed_job_is_not_shown_as_running(out, tmp_path):
    (tmp_path / "marks" / "wait").touch()
    job = start(out, SMALL)
    state = wait(job, lambda s: s.finished >= 2)
    os.kill(state.pid, signal.SIGKILL)
    state = wait(job, lambda s: s.is_over, 20)
    assert (state.phase, bool(state.error)) == ("failed", True)


@pytest.mark.slow
def test_progress_is_written_whole_and_often(out, tmp_path):
    (tmp_path / "marks" / "wait").touch()
    job = start(out, SMALL)
    state = wait(job, lambda s: s.finished >= 2)
    assert (state.phase, state.total) == ("running", 4)
    assert 0.5 <= state.fraction < 1
    assert state.remaining_s is not None
    for _ in range(200):
        assert json.loads((job.folder / "state.json").read_text())["phase"] == "running"
    job.cancel()
    wait(job, lambda s: s.is_over, 20)


def test_job_that_never_started_is_failed_after_a_while(tmp_path):
    job = Job(tmp_path, "20260101-000000-abcdef")
    job.folder.mkdir(parents=True)
    (job.folder / "state.json").write_text(json.dumps({"phase": "starting", "began": time.time() - 3600}))
    assert job.state().phase == "failed"


def test_spec_says_the_command_that_does_the_same():
    spec = Spec("extreme-day", "ordinary-day", ("order_path.core.capacity=2000/s",), ("clients.count=10000",), 5, 3)
    assert spec.command() == (
        "python run_scenario.py extreme-day --against ordinary-day --set-both clients.count=10000 "
        "--set order_path.core.capacity=2000/s --replications 5 --seed 3"
    )


def test_remaining_time_follows_the_pace_so_far():
    state = State("running", began=time.time() - 30, fraction=0.25)
    assert state.remaining_s == pytest.approx(90, rel=0.02)
    assert State("running", began=time.time(), fraction=0.001).remaining_s is None
