"""A discovered process as a process file: graph, staff and hours are those of the process that was logged."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from types import SimpleNamespace

import discovery_cases as office
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.cli import app, execute
from twin.process.calendar import WorkCalendar
from twin.process.discovery import Options, columns_of, discover
from twin.process.discovery.as_process import as_process
from twin.process.discovery.blocks import END, _visits, chain_of
from twin.process.discovery.routes import _grow, _pack, _steps
from twin.process.executions import event_log
from twin.process.loader import parse_process
from twin.process.model import ProcessModel
from twin.process.simulation import Plan, run_once
from twin.process.writer import process_text

MONDAY = dt.date(2024, 1, 1)
TRUTH = """
name: truth
start: check
calendars:
  day:
    - {from: "09:00", to: "12:00", days: mon-fri}
    - {from: "13:00", to: "17:30", days: mon-fri}
  evening: [{from: "16:00", to: "22:00", days: [tue, sat]}]
arrivals: {rate: 60/day, profile: [{from: "09:00", to: "17:00", weight: 1, days: mon-fri}]}
pools:
  clerks: {members: [{name: clerk-a}, {name: clerk-b}, {name: clerk-c}], calendar: day, at_end_of_shift: pause}
  experts: {members: [{name: expert-1}, {name: expert-2}], calendar: day, at_end_of_shift: pause}
  boss: {members: [{name: Chen}], calendar: evening, at_end_of_shift: pause}
nodes:
  check: {kind: task, pool: clerks, service: {distribution: gamma, mean: 8 min, cv: 0.5}, next: both}
  both: {kind: fork, next: [value, search]}
  value: {kind: task, pool: experts, service: {distribution: gamma, mean: 11 min, cv: 0.6}, next: met}
  search: {kind: task, pool: clerks, service: {distribution: gamma, mean: 5 min, cv: 0.6}, next: met}
  met: {kind: join, next: decide}
  decide:
    kind: task
    pool: boss
    service: {distribution: gamma, mean: 1 min, cv: 0.3}
    next: [{to: check, probability: 0.2}, {to: done, probability: 0.8}]
  done: {kind: end}
"""


def logged(model: ProcessModel, cases: int, seed: int):
    network = run_once(model, Plan(cases=cases, seed=seed, calendar=WorkCalendar(MONDAY)), 0, log=True)
    return event_log(network, MONDAY)


@pytest.fixture(scope="module")
def log():
    return logged(parse_process(TRUTH), 1200, 5)


@pytest.fixture(scope="module")
def process(log):
    return discover(log, options=Options(structure="workforce", compare=False))


@pytest.fixture(scope="module")
def model(process):
    return as_process(process).model


def test_graph_of_the_logged_process_is_found_again(model):
    kinds = Counter(node.kind for node in model.nodes.values())
    assert (kinds["fork"], kinds["join"]) == (1, 1)
    tasks = {node.label: node for node in model.nodes.values() if node.kind == "task"}
    assert set(tasks) == {"check", "value", "search", "decide"}
    fork = next(node for node in model.nodes.values() if node.kind == "fork")
    ways = {reached(model, branch.to) for branch in fork.branches}
    assert ways == {"value", "search"}
    back = {reached(model, b.to): b.probability.default for b in tasks["decide"].branches}
    assert back["check"] == pytest.approx(0.2, abs=0.04)
    assert back["end"] == pytest.approx(0.8, abs=0.04)


def reached(model: ProcessModel, name: str) -> str:
    """The activity at a node, or behind its delay."""
    node = model.nodes[name]
    return reached(model, node.branches[0].to) if node.kind == "delay" else getattr(node, "label", None) or name


def test_staff_have_their_pools_and_hours(model):
    teams = {frozenset(m.name for m in pool.members): pool for pool in model.pools.values()}
    assert set(teams) == {
        frozenset({"clerk-a", "clerk-b", "clerk-c"}), frozenset({"expert-1", "expert-2"}), frozenset({"Chen"}),
    }  # fmt: skip
    assert model.pools["clerk"] is teams[frozenset({"clerk-a", "clerk-b", "clerk-c"})]
    chen = model.calendars[teams[frozenset({"Chen"})].members[0].calendar]
    assert all(h.start == 16 * office.HOUR and h.end <= 22 * office.HOUR and h.days <= {1, 5} for h in chen.hours)
    expert = model.calendars[teams[frozenset({"expert-1", "expert-2"})].members[0].calendar]
    assert min(h.start for h in expert.hours) == 9 * office.HOUR
    assert max(h.end for h in expert.hours) in (17 * office.HOUR, 17.5 * office.HOUR)
    assert {h.days for h in expert.hours} == {frozenset(range(5))}
    assert all(pool.at_end_of_shift == "pause" for pool in model.pools.values())


def test_a_run_takes_as_long_as_the_logged_process_and_a_wrong_graph_does_not(log, model):
    def mean_days(done):
        columns = columns_of(done)
        return float((columns.last - columns.first).mean()) / office.DAY

    found = [mean_days(logged(model, 1200, seed)) for seed in (11, 12, 13)]
    truth = [mean_days(logged(parse_process(TRUTH), 1200, seed)) for seed in (21, 22, 23)]
    assert np.mean(found) == pytest.approx(np.mean(truth), rel=0.15)
    hasty = model.nodes | {
        name: node.model_copy(update={"next": "end"}) for name, node in model.nodes.items() if node.kind == "join"
    }
    assert mean_days(logged(model.model_copy(update={"nodes": hasty}), 1200, 11)) < 0.5 * np.mean(truth)


def test_file_is_read_as_it_was_written_and_commands_take_it(process, model, tmp_path, monkeypatch, capsys):
    assert parse_process(process_text(model)) == model
    monkeypatch.chdir(tmp_path)
    process.save("found.yaml")
    for arguments in (
        ["run", "found.yaml", "--cases", "20", "--json"],
        ["draw", "found.yaml", "--out", "found.svg"],
        ["convert", "found.yaml", "found.bpmn"],
        ["check", "found.yaml", "--json"],
    ):
        assert execute(app, "twin", ["process", *arguments]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert (tmp_path / "found.svg").is_file()
    assert execute(app, "twin", ["process", "run", "found.bpmn", "--cases", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measures"]["served"]["mean"] == 20


def test_long_names_with_blanks_are_read_as_they_were_written():
    names = [f"Loan Officer-{i:06d}" for i in range(9)]
    members = ", ".join(f"{{name: {name}}}" for name in names)
    laws = ", ".join(f"{name}: {20 + i} min" for i, name in enumerate(names))
    text = f"""name: t
start: a long name of an activity
pools: {{Loan Officer: {{members: [{members}]}}}}
nodes:
  a long name of an activity:
    {{kind: task, pool: Loan Officer, service: 20 min, by_member: {{{laws}}}, next: the end of the case}}
  the end of the case: {{kind: end}}
"""
    model = parse_process(text)
    assert parse_process(process_text(model)) == model


def test_process_without_staff_waits_as_observed(log):
    timers = discover(log, options=Options(structure="timers", compare=False))
    model, notes = as_process(timers)
    assert all(pool.staff == "unlimited" for pool in model.pools.values())
    assert any("nobody's time is limited" in note for note in notes)
    assert any(node.kind == "delay" for node in model.nodes.values())


def routes_of(traces, depth):
    """The context tree of cases of the activities 0 to 3."""
    sizes = [len(trace) for trace in traces]
    log = SimpleNamespace(
        cases=len(traces), activities=list("abcd"), offset=np.concatenate([[0], np.cumsum(sizes)]),
        case=np.repeat(np.arange(len(traces)), sizes), activity=np.concatenate(traces).astype(np.int64),
    )  # fmt: skip
    return _pack(_grow(_steps(log, np.ones(len(traces))), 4, depth), depth, 1.0, 40)


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=7), min_size=1, max_size=12))
def test_expected_visits_equal_those_of_the_log(traces):
    """Flow balance: a Markov chain with the observed shares visits each activity as often as it was observed."""
    routes = routes_of(traces, 1)
    process = SimpleNamespace(activities=list("abcd"), routes=routes, concurrent=np.zeros(16, np.int64))
    chain = chain_of(process, 1, 0.0)
    visits = _visits(chain.start, chain.followers)
    seen = Counter(symbol for trace in traces for symbol in trace)
    for block, often in visits.items():
        assert often == pytest.approx(seen[block.activities[0]] / len(traces), rel=1e-6)
    assert len(visits) == len(seen)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=7), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=4),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.05, 0.4]),
)
def test_every_block_leads_to_the_end_whatever_is_left_out(traces, pairs, history, least):
    side = np.zeros((4, 4), np.int64)
    for a, b in pairs:
        side[a, b] = side[b, a] = a != b
    routes = routes_of(traces, 3)
    process = SimpleNamespace(activities=list("abcd"), routes=routes, concurrent=side.ravel())
    chain = chain_of(process, history, least)
    leads = {END}
    for _ in chain.followers:
        leads |= {block for block, ways in chain.followers.items() if leads & set(ways)}
    for ways in (chain.start, *chain.followers.values()):
        assert sum(ways.values()) == pytest.approx(1.0)
        assert set(ways) <= leads
    for block in chain.followers:
        assert all(side[a, b] for a in block.activities for b in block.activities if a != b)
