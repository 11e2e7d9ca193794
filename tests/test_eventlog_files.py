"""Event logs: what is written is what is read, whatever the form; real logs; faults are found, others are not."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import DataError
from twin.process.eventlog.checks import check
from twin.process.eventlog.files import read_log, write_log
from twin.process.eventlog.log import COLUMNS, EventLog

T0 = dt.datetime(2026, 9, 15, 1, 0, tzinfo=dt.UTC)
FORMS = ("csv", "csv.gz", "parquet", "xes", "xes.gz", "jsonocel", "xmlocel")


def log_of(rows, **attributes):
    """A log of (case, activity, resource, start minute or None, end minute or None)."""

    def times(i):
        return [None if r[i] is None else T0 + dt.timedelta(minutes=r[i]) for r in rows]

    names = [[r[i] for r in rows] for i in range(3)]
    return EventLog.from_columns(*names, times(3), times(4), {k: list(v) for k, v in attributes.items()})


def rows_of(log):
    return log.table.select(COLUMNS).to_pylist()


minutes = st.integers(0, 5000)
instance = st.tuples(
    st.sampled_from(["c1", "c2", "<&>\"'", "案例"]), st.sampled_from(["check", "pay", "a,b"]),
    st.sampled_from(["ann", "bob", None]), minutes, st.integers(0, 300),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(st.lists(instance, min_size=1, max_size=12))
def test_log_written_and_read_is_the_same(tmp_path_factory, form, rows):
    log = log_of([(c, a, r, s, s + d) for c, a, r, s, d in rows])
    path = tmp_path_factory.mktemp("log") / f"log.{form}"
    write_log(log, path)
    assert rows_of(read_log(path, case_type="case")) == rows_of(log)


@pytest.mark.parametrize("form", ["xes", "jsonocel", "parquet", "csv"])
def test_missing_ends_and_attributes_survive(tmp_path, form):
    log = log_of([("1", "a", "x", 0, None), ("1", "b", None, 1, 2)], amount=["10", "20"])
    path = tmp_path / f"log.{form}"
    write_log(log, path)
    back = read_log(path, case_type="case")
    assert rows_of(back) == rows_of(log)
    assert [str(v) for v in back.table["amount"].to_pylist()] == ["10", "20"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "cases", "activities"),
    [
        ("BPIC_2012_W.csv.gz", 59_302, 8_616, 6),
        ("BPI_Challenge_2012_W_Two_TS.xes.gz", 59_302, 8_616, 6),
        ("AgentSim_Production.csv.gz", 4_503, 225, 24),
        ("icpm2025_Loan-stable_test.csv.gz", 25_424, 2_500, 17),
        ("teleclaims.xes.gz", 24_825, 3_512, 11),
    ],
)
def test_real_log_is_whole(shared_data, name, rows, cases, activities):
    log = read_log(shared_data / "process" / "event_logs" / name)
    assert (len(log), log.cases, len(log.activities)) == (rows, cases, activities)


@pytest.mark.data
def test_table_without_zone_read_in_its_zone_equals_the_xes_file(shared_data):
    folder = shared_data / "process" / "event_logs"
    csv = read_log(folder / "BPIC_2012_W.csv.gz", zone="Europe/London")
    xes = read_log(folder / "BPI_Challenge_2012_W_Two_TS.xes.gz")
    for column in ("start", "end"):
        assert sorted(csv.table[column].to_pylist()) == sorted(xes.table[column].to_pylist())


def test_faults_are_counted_and_nothing_else():
    good = [("1", "a", "x", 0, 5), ("1", "b", "y", 5, 9), ("2", "a", "x", 5, 8), ("2", "b", "y", 9, 12)]
    assert check(log_of(good)) == []
    bad = [*good, ("3", "a", "x", 6, 7), ("3", "b", None, 20, 19), ("4", "a", "z", 30, None), ("4", "a", "z", 40, 40)]
    found = {f.key: f.count for f in check(log_of(bad))}
    assert found == {"overlap_of_resource": 1, "negative_duration": 1, "no_resource": 1, "missing_end": 1, "instant": 1}


@settings(deadline=None)
@given(st.lists(instance, min_size=1, max_size=15))
def test_overlaps_equal_those_counted_pair_by_pair(rows):
    log = log_of([(c, a, r, s, s + d) for c, a, r, s, d in rows])
    table = [r for r in rows_of(log) if r["end"] > r["start"]]
    expected = 0
    for case in {r["case"] for r in table}:
        mine = sorted((r["start"], r["end"]) for r in table if r["case"] == case)
        expected += sum(any(e > s for _, e in mine[:i]) for i, (s, _) in enumerate(mine))
    assert {f.key: f.count for f in check(log)}.get("overlap_in_case", 0) == expected


@pytest.mark.parametrize("form", FORMS)
def test_nested_instances_of_one_activity_are_told_apart(tmp_path, form):
    log = log_of([("1", "a", "x", 0, 9), ("1", "a", "x", 2, 4)])
    write_log(log, tmp_path / f"log.{form}")
    assert rows_of(read_log(tmp_path / f"log.{form}", case_type="case")) == rows_of(log)


def test_start_and_complete_rows_of_a_table_become_one(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "case:concept:name,concept:name,org:resource,time:timestamp,lifecycle:transition\n"
        "7,pay,ann,2026/09/15 09:00:00,start\n7,pay,ann,2026/09/15 09:30:00,complete\n7,pay,bob,2026/09/15 10:00:00,"
        "schedule\n"
    )
    log = read_log(path, zone="Asia/Shanghai")
    assert rows_of(log) == rows_of(log_of([("7", "pay", "ann", 0, 30)]))
    assert log.source.to_pylist() == [1]
    assert any("schedule" in note for note in log.notes)
    assert any("Asia/Shanghai" in note for note in log.notes)


def test_object_centric_database_is_seen_by_its_orders(tmp_path):
    path = tmp_path / "log.sqlite"
    base = sqlite3.connect(path)
    base.executescript(
        "CREATE TABLE object(ocel_id, ocel_type); CREATE TABLE event(ocel_id, ocel_type);"
        "CREATE TABLE event_object(ocel_event_id, ocel_object_id, ocel_qualifier);"
        "CREATE TABLE event_map_type(ocel_type, ocel_type_map); CREATE TABLE event_Pay(ocel_id, ocel_time, resource);"
        "INSERT INTO object VALUES('o1','order'),('o2','order'),('i1','item'); INSERT INTO event VALUES('e1','pay');"
        "INSERT INTO event_object VALUES('e1','o1',''),('e1','o2',''),('e1','i1','');"
        "INSERT INTO event_map_type VALUES('pay','Pay');  "
        "INSERT INTO event_Pay VALUES('e1','2026-09-15T09:00:00+08:00','ann');"
    )
    base.commit()
    base.close()
    log = read_log(path, case_type="order")
    assert rows_of(log) == rows_of(log_of([("o1", "pay", "ann", 0, 0), ("o2", "pay", "ann", 0, 0)]))
    with pytest.raises(DataError, match="several object types"):
        read_log(path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("log.csv", "case,task,end\n1,a,yesterday\n", "log.csv, column 'end', row 2: 'yesterday' is not a time"),
        ("log.csv", "id,task,end\n1,a,2026-09-15\n", "no column is the case"),
        ("log.xes", "<log><trace><event>", "log.xes:1: not well-formed"),
        ("log.xes", "<log><trace><event>\n</event></trace></log>", "log.xes:1: an event has no concept:name"),
        ("log.json", json.dumps({"objects": []}), "not OCEL 2.0: 'events' is missing"),
        ("log.txt", "", "not the name of an event log"),
    ],
)
def test_unusable_file_gives_one_clear_error(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        read_log(tmp_path / name)
    assert words in str(caught.value)


def test_a_case_may_be_called_na_and_null_is_nothing(tmp_path):
    file = tmp_path / "letters.csv"
    file.write_text(
        "case,activity,resource,start,end,case:grade\n"
        "MZ,a,NULL,2024-01-01T08:00:00Z,2024-01-01T09:00:00Z,x\n"
        "NA,a,ann,2024-01-01T08:00:00Z,NULL,NA\n"
        "NB,b,NA,2024-01-01T08:00:00Z,,\n",
        encoding="utf-8",
    )
    log = read_log(file)
    assert log.table["case"].to_pylist() == ["MZ", "NA", "NB"]
    assert log.table["resource"].to_pylist() == [None, "ann", None]
    assert log.table["end"].null_count == 2
    write_log(log, tmp_path / "again.csv")
    assert read_log(tmp_path / "again.csv").table["case"].to_pylist() == ["MZ", "NA", "NB"]
    file.write_text("case,activity,end\nNULL,a,2024-01-01\n", encoding="utf-8")
    with pytest.raises(DataError, match="a row without case"):
        read_log(file)
