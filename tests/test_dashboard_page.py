"""The dashboard's page without a browser: what it offers, what it starts, what it says when a run is over."""

from __future__ import annotations

import ast
import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from synthetic_run import write_synthetic_run

from dashboards import charts, jobs
from dashboards.jobs import Spec, State
from dashboards.report.recording import Recording

ROOT = Path(__file__).resolve().parents[1]
JOB = "20260101-000000-abcdef"


@pytest.fixture
def out(tmp_path, monkeypatch):
    """Folder of runs of the page, whose jobs simulate the stand-in day."""
    monkeypatch.setenv("TWIN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    monkeypatch.setattr(jobs, "WORK", (str(ROOT / "tests" / "standin_job.py"),))
    return tmp_path / "runs"


@pytest.fixture
def finished(out):
    """A job that is done."""
    write_synthetic_run(out / "extreme", stress=1.0)
    write_synthetic_run(out / "ordinary")
    write_job(out, State("done", fraction=1.0, runs=("extreme", "ordinary"), total=6, finished=6))
    return out


def write_job(out, state):
    folder = out / ".jobs" / JOB
    folder.mkdir(parents=True)
    levers = ("order_path.core.capacity=16000/s",)
    spec = Spec("opening-rush", "ordinary-day", levers, ("clients.count=10000",), 2)
    (folder / "job.json").write_text(json.dumps(asdict(spec)))
    (folder / "state.json").write_text(json.dumps(asdict(state)))


def page(**address):
    """The page at an address, drawn once."""
    app = AppTest.from_file(str(ROOT / "dashboards" / "app.py"), default_timeout=60)
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    assert [error.value for error in app.exception] == []
    return app


def test_new_page_offers_the_catalogue_and_waits(out):
    app = page()
    assert app.selectbox(key="scenario").value == "extreme-day"
    assert app.selectbox(key="baseline").value == "ordinary-day"
    assert len(app.selectbox(key="scenario").options) >= 3
    assert app.info[0].value.startswith("Choose a scenario")
    assert not out.exists()


def test_page_speaks_chinese_when_the_address_says_so(out):
    app = page(language="zh")
    assert app.title[0].value == "交易日对比"
    assert app.button[0].label == "运行"


def test_address_that_means_nothing_is_a_new_page(out):
    app = page(job="../../etc", language="tlh")
    assert app.title[0].value == "A trading day, with and without"
    assert len(app.info) == 1


@pytest.mark.slow
def test_run_button_starts_what_the_sliders_say(out):
    app = page()
    app.select_slider(key="capacity").set_value("16000/s")
    app.select_slider(key="clients").set_value(10_000)
    app.slider(key="replications").set_value(2)
    app.button[0].click().run()
    (name,) = [app.query_params["job"]] if isinstance(app.query_params["job"], str) else app.query_params["job"]
    job = jobs.find(out, name)
    assert job is not None, app.query_params
    settings, both = ("order_path.core.capacity=16000/s",), ("clients.count=10000",)
    assert job.spec() == Spec("extreme-day", "ordinary-day", settings, both, 2)
    end = time.monotonic() + 60
    while not job.state().is_over and time.monotonic() < end:
        time.sleep(0.1)
    assert job.state().phase == "done"
    app.run()
    assert {metric.label for metric in app.metric} == {"Order latency, 99th percentile"}
    assert [error.value for error in (*app.exception, *app.error)] == []


def test_finished_job_is_shown_again_from_its_address(finished):
    app = page(job=JOB)
    assert app.metric[0].value == "12 s"
    assert app.metric[0].delta.startswith("▼ worse")
    assert app.code[0].value.startswith("python run_scenario.py opening-rush --against ordinary-day --set-both")
    assert [heading.value for heading in app.subheader] == ["Client experience", "Operating efficiency", "Compliance"]
    assert len(app.table) == 3
    assert app.table[0].value.loc["Orders refused", "meaning"] == "= no change"


def test_sliders_show_what_the_job_ran(finished):
    app = page(job=JOB)
    assert app.selectbox(key="scenario").value == "opening-rush"
    assert app.select_slider(key="capacity").value == "16000/s"
    assert app.select_slider(key="agents").value == "as it is"
    assert app.select_slider(key="clients").value == 10_000
    assert app.slider(key="replications").value == 2


@pytest.mark.parametrize("view", ["app.orders", "app.market", "app.people", "app.night"])
def test_every_view_draws(finished, view):
    app = page(job=JOB, language="zh")
    app.segmented_control(key="view").set_value(view).run()
    assert [error.value for error in app.exception] == []
    assert len(app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")) >= 2


def test_failed_job_says_why_in_one_line(out):
    write_job(out, State("failed", error="--set x: unknown key. Did you mean 'y'?"))
    app = page(job=JOB)
    assert app.error[0].value == "The run failed. --set x: unknown key. Did you mean 'y'?"


def test_run_that_was_deleted_is_a_message_not_a_traceback(out):
    write_job(out, State("done", fraction=1.0, runs=("gone",)))
    app = page(job=JOB)
    assert "there is no such run folder" in app.error[0].value


def test_cached_functions_take_only_small_keys():
    small = {"str", "int", "float", "bool"}
    for path in (ROOT / "dashboards").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        cached = {
            call.args[0].id
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and "st.cache" in ast.unparse(call.func) and call.args
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                if any("cache_" in ast.unparse(decorator) for decorator in node.decorator_list):
                    cached.add(node.name)
                if node.name in cached:
                    assert {ast.unparse(a.annotation) for a in node.args.args} <= small, f"{path.name}: {node.name}"


def test_chart_frame_holds_both_runs_on_the_trading_axis(tmp_path):
    runs = [Recording(write_synthetic_run(tmp_path / n, stress=s)) for n, s in (("a", 1.0), ("b", 0.0))]
    frame = charts.day_frame(*runs, [("orders_per_s", "")], "en")
    assert list(dict.fromkeys(frame["run"])) == ["baseline", "scenario"]
    assert frame["time"].min() == "09:15"
    assert frame["time"].max() == "15:00"
    lunch = frame[frame["time"].isin(["11:30", "13:00"]) & (frame["run"] == "scenario")]["x"]
    assert lunch.max() - lunch.min() == pytest.approx(8.0)
    drawn = charts.day_chart(frame, "en", title="x").to_dict()
    colours = drawn["layer"][1]["encoding"]["color"]["scale"]
    assert colours == {"domain": ["baseline", "scenario"], "range": ["#8a8a8a", "#0072b2"]}
