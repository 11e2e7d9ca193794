"""The command `twin process`."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pytest
from bpmn_documents import document, flows
from lxml import etree

from dashboards.cli import app, execute
from twin.clock import calendar_bounds
from twin.process.eventlog.files import read_log

BODY = '<startEvent id="s"/>\n<task id="A" name="Sign"/>\n<serviceTask id="B" name="Book"/>\n<endEvent id="e"/>\n'


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capsys.readouterr()
        status = execute(app, "twin", ["process", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def diagram(tmp_path):
    file = tmp_path / "d.bpmn"
    file.write_bytes(document(BODY + flows("s>A", "A>B", "B>e")))
    return file


def test_check_tells_nodes_pools_and_what_is_assumed(cli, diagram):
    status, out, err = cli("check", diagram)
    assert status == 0
    assert "P: sound" in out
    assert "systems" in out
    assert "assumed" in err
    status, out, _ = cli("check", diagram, "--json")
    values = json.loads(out)
    assert values["nodes"] == {"task": 2, "end": 1}
    assert values["pools"] == {"staff": "unlimited", "systems": "unlimited"}
    assert "可以运行" in cli("check", diagram, "--language", "zh")[1]


def test_wrong_file_is_one_line_with_its_place(cli, tmp_path):
    (tmp_path / "w.bpmn").write_bytes(document('<startEvent id="s"/>\n<adHocSubProcess id="q"/>'))
    status, out, err = cli("check", "w.bpmn")
    assert (status, out) == (2, "")
    assert "w.bpmn:4" in err
    assert "adHocSubProcess 'q'" in err
    assert len(err.strip().splitlines()) == 1
    assert cli("run", "nothing.bpmn")[0] == 2
    assert cli("run", "service-desk", "--days", 1, "--cases", 5)[0] == 2
    assert "not a date" in cli("run", "service-desk", "--days", 1, "--start", "x")[2]
    assert "not a form" in cli("convert", "service-desk", "x.txt")[2]


def test_days_whose_holidays_are_not_announced_are_said_to_be_assumed(cli):
    last = calendar_bounds()[1]
    early, late = last - dt.timedelta(days=60), last - dt.timedelta(days=5)
    assert "known until" not in cli("run", "service-desk", "--days", 10, "--replications", 2, "--start", early)[2]
    status, _, err = cli("run", "service-desk", "--days", 10, "--replications", 2, "--start", late)
    assert status == 0
    assert f"known until {last}" in err


def test_draw_writes_a_drawing(cli, diagram):
    status, out, _ = cli("draw", diagram, "--out", "x.svg")
    assert status == 0
    assert "x.svg" in out
    texts = " ".join(t for t in etree.parse("x.svg").getroot().itertext())
    assert "Sign" in texts
    assert "Book" in texts


def test_run_shows_tables_and_writes_drawing_and_tables(cli, diagram):
    status, out, _ = cli("run", diagram, "--cases", 50, "--replications", 2, "--out", "r")
    assert status == 0
    for word in ("cycle time", "Sign", "Book", "systems", "process.svg"):
        assert word in out
    with open("r/activities.csv", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert float(rows["Sign"]["cases"]) == 50
    assert float(rows["Sign"]["wait_s"]) == 0
    assert json.loads(Path("r/result.json").read_text(encoding="utf-8"))["replications"] == 2
    assert "50 cases" in " ".join(etree.parse("r/process.svg").getroot().itertext())


def test_log_of_a_run_holds_every_execution(cli, diagram):
    status, out, _ = cli("run", diagram, "--cases", 25, "--replications", 2, "--start", "2026-03-02", "--log", "l.csv")
    assert status == 0
    assert "l.csv" in out
    log = read_log("l.csv")
    assert len(log) == 50
    assert (log.cases, set(log.activities)) == (25, {"Sign", "Book"})
    rows = log.table.to_pandas()
    assert (rows.groupby("case").activity.nunique() == 2).all()
    assert (rows.end >= rows.start).all()
    assert str(rows.start.min().date()) >= "2026-03-02"


def test_same_seed_gives_the_same_values_and_another_seed_others(cli, diagram):
    runs = [cli("run", diagram, "--cases", 20, "--seed", seed, "--json")[1] for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]
    values = json.loads(runs[0])
    assert values["measures"]["served"]["mean"] == 20
    assert {a["name"] for a in values["activities"]} == {"Sign", "Book"}


def test_convert_goes_to_yaml_and_back(cli, diagram):
    assert cli("convert", diagram, "m.yaml")[0] == 0
    status, out, _ = cli("convert", "m.yaml", "n.bpmn", "--prosimos")
    assert status == 0
    assert "n.json" in out
    assert cli("convert", "n.bpmn", "o.yaml")[0] == 0
    first, second = (json.loads(cli("check", f, "--json")[1]) for f in ("m.yaml", "o.yaml"))
    assert first["nodes"] == second["nodes"]


def test_shipped_process_runs_by_name(cli):
    status, out, _ = cli("run", "service-desk", "--days", 1, "--replications", 2, "--json")
    assert status == 0
    (pool,) = json.loads(out)["pools"]
    assert 0.5 < pool["utilisation"]["mean"] < 1


def test_cases_that_come_seldom_are_run_as_far_as_some_years(cli, tmp_path):
    slow = tmp_path / "slow.yaml"
    slow.write_text(
        """
name: slow
start: work
arrivals: {gap: {distribution: exponential, mean: 5 d}}
pools: {staff: {staff: 1}}
nodes:
  work: {kind: task, pool: staff, service: 2 h, next: done}
  done: {kind: end}
"""
    )
    status, text, _ = cli("run", slow, "--replications", 1, "--json")
    assert status == 0
    assert json.loads(text)["measures"]["served"]["mean"] == pytest.approx(365, rel=0.15)
    assert cli("draw", slow, "--run", "--out", tmp_path / "slow.svg")[0] == 0
    status, _, error = cli("run", slow, "--cases", 1000)
    assert status == 2
    assert "cases come in ten years" in error
