"""A run that begins before it is measured, and the attributes in its log."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from dashboards.cli import app, execute
from twin.errors import ScenarioError
from twin.process.calendar import WorkCalendar
from twin.process.eventlog.files import read_log
from twin.process.eventlog.log import CASE, START
from twin.process.executions import event_log
from twin.process.loader import parse_process
from twin.process.simulation import Plan, early_cases, run_once, simulate

HOUR_S = 3600.0
SINGLE = """
name: single
start: work
arrivals: {gap: {distribution: exponential, mean: 1 h}}
pools: {one: {staff: 1}}
nodes:
  work: {kind: task, pool: one, service: {distribution: exponential, mean: 54 min}, next: done}
  done: {kind: end}
"""
OFFICE = """
name: office
start: sort
attributes:
  kind: {shares: {private: 0.7, firm: 0.3}}
  amount: {distribution: uniform, low: 0, high: 100}
arrivals: {rate: 30/day, profile: [{from: "08:00", to: "18:00", weight: 1}]}
calendars: {office: [{from: "09:00", to: "17:00", days: [thu, fri]}]}
pools: {clerks: {members: [{name: ann}, {name: bob}], calendar: office}}
nodes:
  sort:
    kind: task
    pool: clerks
    service: {distribution: exponential, mean: 5 min}
    next: [{to: large, when: [{attribute: kind, in: [firm]}, {attribute: amount, above: 50}]}, {to: done}]
  large: {kind: task, pool: clerks, service: 10 min, next: done}
  done: {kind: end}
"""


def test_a_warm_up_removes_the_bias_of_an_empty_start():
    """M/M/1 at a load of 0.9: a mean wait of 8.1 h in the steady state, which takes weeks to come about."""
    model = parse_process(SINGLE)

    def wait(weeks):
        found = simulate(model, Plan(days=7, replications=300, warm_up_weeks=weeks)).activities[0].wait_s
        return found.mean / HOUR_S, found.half_width / HOUR_S

    (cold, _), (warm, error) = wait(0), wait(16)
    assert warm == pytest.approx(8.1, abs=1.5 * error)
    assert error < 1.0
    assert cold < 8.1 - 4 * error


def test_days_are_counted_from_the_end_of_the_warm_up():
    model = parse_process(OFFICE)
    start = dt.date(2026, 9, 9)  # a Wednesday
    plan = Plan(days=9, calendar=WorkCalendar(start), warm_up_weeks=3)
    network = run_once(model, plan, 0, log=True)
    first = early_cases(model, plan, 0)
    assert first == pytest.approx(21 * 30, abs=100)
    log = event_log(network, plan.from_empty.day, first=first)
    begun = log.table[START].to_pylist()
    assert {at.weekday() for at in begun} == {3, 4}
    assert min(begun).date() == dt.date(2026, 9, 10)
    assert max(begun).date() == dt.date(2026, 9, 17)
    assert min(map(int, log.table[CASE].to_pylist())) == 1
    everything = event_log(run_once(model, plan, 0, log=True), plan.from_empty.day)
    assert min(everything.table[START].to_pylist()).date() == dt.date(2026, 8, 20)


def test_so_many_cases_come_after_the_warm_up():
    model = parse_process(OFFICE)
    plan = Plan(cases=50, warm_up_weeks=2)
    network = run_once(model, plan, 0, log=True)
    log = event_log(network, first=early_cases(model, plan, 0))
    assert sorted(set(map(int, log.table[CASE].to_pylist()))) == list(range(1, 51))
    # Those who were inside when it ended are counted, too.
    assert network.statistics().cases.served > 50
    assert network.in_system == 0


def test_a_warm_up_that_cannot_be_is_refused():
    with pytest.raises(ScenarioError, match="warm-up of -1 weeks"):
        Plan(days=3, warm_up_weeks=-1)
    with pytest.raises(ScenarioError, match="longer than ten years"):
        Plan(days=3650, warm_up_weeks=4)


@pytest.mark.parametrize("name", ["log.csv", "log.xes", "log.parquet"])
def test_the_log_of_a_run_holds_the_attributes_that_steered_its_cases(name, tmp_path, capsys):
    (tmp_path / "office.yaml").write_text(OFFICE, encoding="utf-8")
    command = [
        "process",
        "run",
        str(tmp_path / "office.yaml"),
        "--cases",
        "300",
        "--replications",
        "1",
        "--warm-up",
        "2",
    ]
    path = tmp_path / name
    assert execute(app, "twin", [*command, "--start", "2026-09-09", "--log", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warm_up_weeks"] == 2
    if name == "log.xes":
        assert '<float key="amount" value="' in path.read_text(encoding="utf-8")
    log = read_log(path).table.to_pandas()
    by_case = log.groupby("case")
    assert (by_case["case:kind"].nunique() == 1).all()
    # What is read from XES is text.
    kind, amount = by_case["case:kind"].first(), by_case["case:amount"].first().astype(float)
    large = by_case["activity"].agg(lambda names: "large" in set(names))
    assert len(large) == 300
    assert (large == ((kind == "firm") & (amount > 50))).all()
    assert np.mean(kind == "firm") == pytest.approx(0.3, abs=0.09)
    assert log["start"].min().date() >= dt.date(2026, 9, 9)
