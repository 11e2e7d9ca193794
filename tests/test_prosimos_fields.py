"""What each section of Prosimos' JSON means in a process model, and back."""

from __future__ import annotations

import json

import prosimos_models as cases
import pytest
from prosimos_models import FAR, OFFICE, bpmn, chain, dist, parameters, periods

from twin.clock import DAY, HOUR, SECOND, at
from twin.errors import DataError
from twin.process.prosimos.read import read_prosimos
from twin.process.prosimos.write import write_prosimos

NODES = {"start": "startEvent", "A": "task", "B": "task", "end": "endEvent"}


def read(tmp_path, document, nodes=NODES, flows=None):
    diagram, file = tmp_path / "m.bpmn", tmp_path / "m.json"
    diagram.write_text(bpmn(nodes, flows or chain(*nodes)), encoding="utf-8")
    file.write_text(json.dumps(document), encoding="utf-8")
    return read_prosimos(diagram, file)


def simple(**more):
    tasks = {t: {"r": dist("fix", 60)} for t in "AB"}
    return parameters(tasks, {"r": 3}, dist("fix", 100), **more)


def test_one_resource_is_a_number_of_staff_with_hours_and_cost(tmp_path):
    model = read(tmp_path, simple(hours={"r": OFFICE})).model
    pool = model.pools["Staff"]
    assert (pool.staff, pool.calendar, pool.at_end_of_shift, pool.cost_per_hour) == (3, "r hours", "pause", 3600)
    hours = {(h.start, h.end, h.days) for h in model.calendars["r hours"].hours}
    week = frozenset(range(5))
    assert hours == {(at("09:00"), at("12:00"), week), (at("13:00"), at("17:00"), week)}


def test_calendar_without_a_gap_is_none(tmp_path):
    pool = read(tmp_path, simple()).model.pools["Staff"]
    assert (pool.staff, pool.calendar, pool.at_end_of_shift) == (3, None, "finish")


def test_resources_that_share_tasks_are_one_pool_and_differ_by_member(tmp_path):
    tasks = {
        "A": {"x": dist("fix", 60), "y": dist("fix", 90)},
        "B": {"y": dist("fix", 30), "z": dist("fix", 30)},
    }
    model = read(tmp_path, parameters(tasks, {"x": 1, "y": 2, "z": 1}, dist("fix", 100), hours={"y": OFFICE})).model
    assert [(m.name, m.count, m.calendar) for m in model.pools["Staff"].members] == [
        ("x", 1, None),
        ("y", 2, "y hours"),
        ("z", 1, None),
    ]
    a, b = model.nodes["A"], model.nodes["B"]
    assert set(a.members) == {"x", "y-1", "y-2"}
    assert {n: law.mean for n, law in a.by_member.items()} in (
        {"y-1": 90 * SECOND, "y-2": 90 * SECOND},
        {"x": 60 * SECOND},
    )
    assert (set(b.members), b.by_member, b.service.default.mean) == ({"y-1", "y-2", "z"}, {}, 30 * SECOND)


def test_tasks_without_common_resources_have_pools_of_their_own(tmp_path):
    document = parameters({"A": {"x": dist("fix", 1)}, "B": {"y": dist("fix", 1)}}, {"x": 1, "y": 4}, dist("fix", 9))
    document["resource_profiles"] = [
        {"id": r["id"], "name": f"Profile {r['id']}", "resource_list": [r]}
        for r in document["resource_profiles"][0]["resource_list"]
    ]
    model = read(tmp_path, document).model
    assert {n: p.staff for n, p in model.pools.items()} == {"Profile x": 1, "Profile y": 4}


def test_arrivals_are_postponed_to_the_hours_of_their_calendar(tmp_path):
    arrivals = read(tmp_path, simple(arrivals=OFFICE)).model.arrivals
    assert (arrivals.gap.mean, arrivals.calendar, arrivals.when_closed) == (100 * SECOND, "arrivals", "postponed")
    document = simple(hours={"r": OFFICE})
    del document["arrival_time_calendar"]
    model = read(tmp_path, document).model  # then the hours of those who do the first task
    assert model.calendars["arrivals"].hours == model.calendars["r hours"].hours


def test_end_of_the_day_and_days_over_the_weekend(tmp_path):
    rows = [("FRIDAY", "MONDAY", "20:00:00", "23:59:59.999"), ("FRIDAY", "MONDAY", "21:00", "00:00:00")]
    model = read(tmp_path, simple(hours={"r": rows})).model
    (hours,) = model.calendars["r hours"].hours
    assert (hours.start, hours.end, hours.days) == (20 * HOUR, DAY, frozenset({4, 5, 6, 0}))


XOR = {"start": "startEvent", "g": "exclusiveGateway", "A": "task", "B": "task", "end": "endEvent"}
XOR_FLOWS = chain("start", "g", "A", "end") | chain("g", "B", "end")


def test_shares_missing_from_a_gateway_are_split_equally(tmp_path):
    document = simple(gateways={"g": {"g_A": 0.2}})
    model = read(tmp_path, document, XOR, XOR_FLOWS).model
    assert [b.probability.default for b in model.nodes["g"].branches] == [0.2, 0.8]


ATTRIBUTES = [
    {"name": "kind", "type": "discrete", "values": [{"key": "big", "value": 0.3}, {"key": "small", "value": 0.7}]},
    {"name": "amount", "type": "continuous", "values": dist("expon", 1000, 0, FAR)},
]


def rule(attribute, comparison, value):
    return {"attribute": attribute, "comparison": comparison, "value": value}


def test_attributes_priorities_and_branch_rules(tmp_path):
    document = simple(
        case_attributes=ATTRIBUTES,
        prioritisation_rules=[
            {"priority_level": 5, "rules": [[rule("amount", "in", [2000, "inf"])], [rule("kind", "=", "small")]]},
            {"priority_level": 1, "rules": [[rule("kind", "=", "big"), rule("amount", ">", 500)]]},
        ],
        branch_rules=[{"id": "r1", "rules": [[rule("kind", "!=", "small")]]}],
        gateways={"g": {"g_A": 0.5, "g_B": 0.5}},
    )
    document["gateway_branching_probabilities"][0]["probabilities"][0]["condition_id"] = "r1"
    model = read(tmp_path, document, XOR, XOR_FLOWS).model
    assert model.attributes["kind"].shares == {"big": 0.3, "small": 0.7}
    assert (model.attributes["amount"].distribution, model.attributes["amount"].mean) == ("exponential", 1000)
    priority = model.nodes["A"].priority
    assert (priority.default, [c.value for c in priority.cases]) == (2, [0, 1])
    first, second = (c.when for c in priority.cases)
    assert [(w.attribute, w.is_in, w.above) for w in first.all] == [("kind", ("big",), None), ("amount", None, 500)]
    assert [w.at_least for w in second.any] == [2000, None]
    conditioned, *drawn = model.nodes["g"].branches
    assert (conditioned.to, conditioned.when.is_in) == ("A", ("big",))
    assert [b.probability.default for b in drawn] == [0.5, 0.5]


def test_batches_by_size_wait_and_hour(tmp_path):
    rules = [[rule("size", ">=", 4)], [rule("large_wt", ">=", 3600)], [rule("daily_hour", "=", 15)]]
    batch = {
        "task_id": "A",
        "type": "Parallel",
        "size_distrib": [{"key": "1", "value": 0}, {"key": "4", "value": 1}],
        "duration_distrib": [{"key": "4", "value": 0.5}],
        "firing_rules": rules,
    }
    task = read(tmp_path, simple(batch_processing=[batch])).model.nodes["A"]
    assert (task.batch.size, task.batch.longest_wait, task.batch.at) == (4, HOUR, (15 * HOUR,))
    assert task.batch.service == "batch"
    assert task.service.default.mean == 60 * 0.5 * 4 * SECOND
    serial = read(tmp_path, simple(batch_processing=[{**batch, "type": "Sequential"}]))
    assert (serial.model.nodes["A"].batch.service, serial.model.nodes["A"].batch.mode) == ("item", "sequential")
    both = {**batch, "firing_rules": [[rule("size", ">=", 4), rule("large_wt", ">=", 60)]]}
    with pytest.raises(DataError, match="together"):
        read(tmp_path, simple(batch_processing=[both]))


def test_fuzzy_hours_keep_their_expected_length(tmp_path):
    document = simple()
    document["model_type"], document["granule_size"] = "FUZZY", {"value": 60, "time_unit": "MINUTES"}
    keys = ("from", "to", "beginTime", "endTime", "probability")
    rows = [
        ("MONDAY", "MONDAY", "09:00:00", "10:00:00", 0.9),
        ("MONDAY", "MONDAY", "10:00:00", "11:00:00", 0.4),
        ("MONDAY", "MONDAY", "11:00:00", "12:00:00", 0.7),
    ]
    document["resource_calendars"][0]["time_periods"] = [dict(zip(keys, row, strict=True)) for row in rows]
    imported = read(tmp_path, document)
    hours = imported.model.calendars["r hours"].hours
    assert sum(h.end - h.start for h in hours) == 2 * HOUR
    assert [(h.start, h.end) for h in hours] == [(9 * HOUR, 10 * HOUR), (11 * HOUR, 12 * HOUR)]
    assert any("fuzzy" in note for note in imported.notes)


def test_multitasking_is_several_at_once(tmp_path):
    info = [{"parallel_tasks": 1, "probability": 1.0}, {"parallel_tasks": 2, "probability": 0.6}]
    info.append({"parallel_tasks": 3, "probability": 0.1})
    multitask = {"type": "global", "values": [{"resource_id": "r", "r_workload": 1, "multitask_info": info}]}
    pool = read(tmp_path, simple(multitask=multitask)).model.pools["Staff"]
    assert (pool.at_once, pool.pace) == (2, (1.0, 1.0))


def test_objects_by_id_of_earlier_versions_are_read(tmp_path):
    law = {"distribution_name": "fix", "distribution_params": [60, 0, 1]}
    pool = {"name": "Staff", "resource_list": [{"id": "r", "name": "r", "amount": 2, "cost_per_hour": "10"}]}
    document = {
        "resource_profiles": {"p": pool},
        "resource_calendars": {"r": periods(OFFICE)},
        "task_resource_distribution": {t: {"r": law} for t in "AB"},
        "gateway_branching_probabilities": {"g": {"g_A": 0.4, "g_B": 0.6}},
        "arrival_time_distribution": law,
        "event_distribution": {},
    }
    model = read(tmp_path, document, XOR, XOR_FLOWS).model
    assert (model.pools["Staff"].staff, model.pools["Staff"].calendar) == (2, "r")
    assert [b.probability.default for b in model.nodes["g"].branches] == [0.4, 0.6]


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (lambda d: d.pop("resource_profiles"), "m.json", "'resource_profiles' is missing"),
        (
            lambda d: d["task_resource_distribution"][0]["resources"][0].update(resource_id="x"),
            "task_resource_distribution[0].resources[0]",
            "there is no resource 'x'",
        ),
        (
            lambda d: d["resource_profiles"][0]["resource_list"][0].update(calendar="x"),
            "resource_profiles[0].resource_list[0].calendar",
            "there is no calendar 'x'",
        ),
        (
            lambda d: d["resource_calendars"][0]["time_periods"][0].update(beginTime="25:00"),
            "resource_calendars[0].time_periods[0].beginTime",
            "not a time of day",
        ),
        (lambda d: d["task_resource_distribution"].pop(0), "m.bpmn:5", "nobody to do it"),
        (
            lambda d: d.update(prioritisation_rules=[{"priority_level": 1, "rules": [[rule("x", "=", 1)]]}]),
            "prioritisation_rules[0].rules[0][0].attribute",
            "no case attribute 'x'",
        ),
    ],
)
def test_wrong_document_is_refused_with_its_place(tmp_path, change, place, words):
    document = simple()
    change(document)
    with pytest.raises(DataError) as caught:
        read(tmp_path, document)
    assert place in caught.value.where
    assert words in caught.value.what


@pytest.mark.parametrize("name", list(cases.MODELS))
def test_written_model_reads_as_itself(tmp_path, name):
    first = read_prosimos(*cases.write(name, tmp_path)).model
    write_prosimos(first, tmp_path / "x.bpmn", tmp_path / "x.json", plain=True)
    again = read_prosimos(tmp_path / "x.bpmn", tmp_path / "x.json").model
    assert again.pools == first.pools
    assert again.calendars == first.calendars
    assert again.arrivals == first.arrivals
    ways = lambda model: {n: [b.to for b in getattr(v, "branches", ())] for n, v in model.nodes.items()}  # noqa: E731
    assert ways(again) == ways(first)


@pytest.mark.data
def test_recorded_models_read_and_survive(shared_data, tmp_path):
    for file in sorted((shared_data / "process" / "models").glob("prosimos_*.json")):
        first = read_prosimos(file.with_suffix(".bpmn"), file).model
        write_prosimos(first, tmp_path / "x.bpmn", tmp_path / "x.json", plain=True)
        again = read_prosimos(tmp_path / "x.bpmn", tmp_path / "x.json").model
        assert again.pools == first.pools
        assert again.calendars == first.calendars
        assert set(again.nodes) == set(first.nodes)


def test_people_with_different_hours_are_given_work_as_in_prosimos(tmp_path):
    rules = {}
    for name in ("part_time", "differing"):
        imported = read_prosimos(*cases.write(name, tmp_path))
        rules[name] = next(iter(imported.model.pools.values())).given_to
        assert any("given_to: on_duty" in note for note in imported.notes) == (rules[name] == "first_free")
    assert rules == {"part_time": "first_free", "differing": "on_duty"}


def test_export_says_what_prosimos_does_otherwise(tmp_path):
    model = read_prosimos(*cases.write("part_time", tmp_path)).model
    paths = tmp_path / "out.bpmn", tmp_path / "out.json"
    assert not any("Prosimos gives" in note for note in write_prosimos(model, *paths))
    assert next(iter(read_prosimos(*paths).model.pools.values())).given_to == "first_free"
    pools = {n: p.model_copy(update={"given_to": "on_duty"}) for n, p in model.pools.items()}
    assert any("Prosimos gives" in note for note in write_prosimos(model.model_copy(update={"pools": pools}), *paths))
