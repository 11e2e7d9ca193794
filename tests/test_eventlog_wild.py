"""Event logs as other tools write them: what they leave out, call differently or say twice."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from twin.errors import DataError
from twin.process.eventlog.files import read_log, write_log
from twin.process.eventlog.log import ACTIVITY, CASE, END, RESOURCE, START

XES = '<?xml version="1.0" encoding="UTF-8"?>\n<log>'


def event(name="a", time="2026-09-15T09:00:00Z", **more):
    held = {"concept:name": name, "time:timestamp": time, **more}
    return (
        "<event>" + "".join(f'<string key="{k}" value="{v}"/>' for k, v in held.items() if v is not None) + "</event>\n"
    )


def trace(name, *events):
    return f'<trace><string key="concept:name" value="{name}"/>{"".join(events)}</trace>\n'


def read(tmp_path, text, name="log.xes", **options):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_log(path, **options)


def column(log, name):
    return log.table[name].to_pylist()


def minutes(log, name):
    start = dt.datetime(2026, 9, 15, 9, tzinfo=dt.UTC)
    return [None if t is None else (t - start).total_seconds() / 60 for t in column(log, name)]


def test_traces_of_one_name_stay_cases_of_their_own(tmp_path):
    log = read(tmp_path, XES + trace("7", event()) + trace("7 (2)", event()) + trace("7", event("b")) + "</log>")
    assert sorted(zip(column(log, CASE), column(log, ACTIVITY), strict=True)) == [
        ("7", "a"), ("7 (2)", "a"), ("7 (3)", "b"),
    ]  # fmt: skip
    assert any("1 traces bear the name" in note for note in log.notes)


def test_event_without_time_or_name_is_left_out_and_counted(tmp_path):
    events = event(), event("b", None), event(None), event("", "2026-09-15T09:01:00Z"), event("c")
    log = read(tmp_path, XES + trace("1", *events) + "</log>")
    assert column(log, ACTIVITY) == ["a", "c"]
    assert log.source.to_pylist() == [1, 5]
    assert any(note.startswith("3 events") and "log.xes:3" in note for note in log.notes)


def test_empty_resource_is_nobody(tmp_path):
    log = read(
        tmp_path, XES + trace("1", event(**{"org:resource": ""}), event("b", **{"org:resource": "x"})) + "</log>"
    )
    assert column(log, RESOURCE) == [None, "x"]


def test_statuses_in_place_of_transitions_lose_no_event(tmp_path):
    words = ("In Progress", "Awaiting Assignment")
    log = read(tmp_path, XES + trace("1", *(event(w, **{"lifecycle:transition": w}) for w in words)) + "</log>")
    assert column(log, ACTIVITY) == list(words)
    assert any("No transition is start or complete" in note for note in log.notes)
    mixed = [event("a", **{"lifecycle:transition": w}) for w in ("complete", "Assigned")]
    assert len(read(tmp_path, XES + trace("1", *mixed) + "</log>")) == 1


def test_starts_that_stand_beside_the_end_are_used(tmp_path):
    def log(*starts):
        events = (event(str(i), "2026-09-15T09:30:00Z", start_timestamp=start) for i, start in enumerate(starts))
        return read(tmp_path, XES + trace("1", *events) + "</log>")

    used = log("2026-09-15T17:10:00+08:00", "2026-09-15T09:30:00Z")
    assert (minutes(used, START), minutes(used, END)) == ([10, 30], [30, 30])
    assert "start_timestamp" not in used.attributes
    for no_start in ("2026-09-15T09:31:00Z", "soon"):
        assert minutes(log("2026-09-15T09:10:00Z", no_start), START) == [30, 30]


@pytest.mark.parametrize("head", ["registration_type", "生命周期"])
def test_column_of_transitions_is_known_by_what_stands_in_it(tmp_path, head):
    rows = "1,a,start,2026-09-15T09:00:00Z\n1,a,complete,2026-09-15T09:20:00Z\n"
    log = read(tmp_path, f"case,activity,{head},time\n{rows}", "log.csv")
    assert (minutes(log, START), minutes(log, END)) == ([0], [20])
    other = read(tmp_path, f"case,activity,{head},time\n{rows}1,b,urgent,2026-09-15T09:30:00Z\n", "log.csv")
    assert len(other) == 3


def test_instances_of_a_table_are_told_apart(tmp_path):
    rows = ["1,start,0", "2,start,5", "1,complete,30", "2,complete,8"]
    table = "case,activity,activity_instance_id,lifecycle_id,timestamp\n" + "".join(
        "1,a,{},{},2026-09-15T09:{:0>2}:00Z\n".format(*row.split(",")) for row in rows
    )
    log = read(tmp_path, table, "log.csv")
    assert (minutes(log, START), minutes(log, END)) == ([0, 5], [30, 8])


@pytest.mark.parametrize(
    "text",
    ["2026年9月15日 9:20", "2026年09月15日09时20分00秒", "2026/9/15 上午 9:20", "15-09-2026:09.20", "2026-9-15 9:20"],
)
def test_times_as_people_write_them(tmp_path, text):
    assert minutes(read(tmp_path, f"case,activity,time\n1,a,{text}\n", "log.csv"), END) == [20]


@pytest.mark.parametrize(("power", "unit"), [(0, "seconds"), (3, "milliseconds"), (6, "microseconds"), (9, "nano")])
def test_numbers_are_times_where_one_unit_makes_dates_of_them(tmp_path, power, unit):
    number = int(dt.datetime(2026, 9, 15, 9, 20, tzinfo=dt.UTC).timestamp()) * 10**power
    log = read(tmp_path, f"case,activity,time\n1,a,{number}\n", "log.csv")
    assert minutes(log, END) == [20]
    assert any(unit in note for note in log.notes)
    with pytest.raises(DataError, match="are not times"):
        read(tmp_path, f"case,activity,time\n1,a,{number}\n1,b,12\n", "log.csv")


def test_row_without_any_time_is_left_out_and_counted(tmp_path):
    log = read(tmp_path, "case,activity,start,end\n1,a,,\n1,b,2026-09-15T09:00:00Z,\n", "log.csv")
    assert (column(log, ACTIVITY), log.source.to_pylist()) == (["b"], [2])
    assert any("1 rows without a time" in note for note in log.notes)
    with pytest.raises(DataError, match="no row"):
        read(tmp_path, "case,activity,time\n", "log.csv")


def test_columns_of_one_name_are_told_apart(tmp_path):
    log = read(tmp_path, "case,activity,time,x,time\n1,a,2026-09-15T09:20:00Z,5,later\n", "log.csv")
    assert (minutes(log, END), column(log, "time (2)")) == ([20], ["later"])


def test_table_with_tabs_is_written_and_read(tmp_path):
    log = read(tmp_path, "case\tactivity\ttime\n1\ta, b\t2026-09-15T09:20:00Z\n", "log.tsv")
    write_log(log, tmp_path / "again.tsv.gz")
    assert read_log(tmp_path / "again.tsv.gz").table.equals(log.table)


def test_first_edition_of_object_centric_logs_is_read_in_both_forms(tmp_path):
    first = {"ocel:activity": "pay", "ocel:timestamp": "2026-09-15T09:20:00Z", "ocel:omap": ["o1", "i1"]}
    document = {
        "ocel:objects": {"o1": {"ocel:type": "order", "ocel:ovmap": {}}, "i1": {"ocel:type": "item"}},
        "ocel:events": {"e1": {**first, "ocel:vmap": {"resource": "ann", "price": 3}}},
    }
    xml = (
        '<log><events><event><string key="id" value="e1"/><string key="activity" value="pay"/>'
        '<date key="timestamp" value="2026-09-15T09:20:00Z"/><list key="omap"><string key="object-id" value="o1"/>'
        '<string key="object-id" value="i1"/></list><list key="vmap"><string key="resource" value="ann"/>'
        '<float key="price" value="3"/></list></event></events><objects><object><string key="id" value="o1"/>'
        '<string key="type" value="order"/><list key="ovmap"/></object><object><string key="id" value="i1"/>'
        '<string key="type" value="item"/></object></objects></log>'
    )
    for name, text in (("log.jsonocel", json.dumps(document)), ("log.xmlocel", xml)):
        log = read(tmp_path, text, name, case_type="order")
        assert [column(log, key) for key in (CASE, ACTIVITY, RESOURCE, "price")] == [["o1"], ["pay"], ["ann"], ["3"]]
        assert minutes(log, END) == [20]
    del document["ocel:events"]["e1"]["ocel:timestamp"]
    with pytest.raises(DataError, match=r"not OCEL 1.0: 'ocel:timestamp'"):
        read(tmp_path, json.dumps(document), "log.jsonocel", case_type="order")
