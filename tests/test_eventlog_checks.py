"""Checks say what is wrong, in which rows, and what would be right; reading names columns and says what it assumed."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from twin.errors import DataError
from twin.process.eventlog.checks import FAULTS, check
from twin.process.eventlog.files import read_log, write_log
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.summary import draw, summary

HEAD = "case_id,activity,resource,start_time,end_time\n"
GOOD = [
    "1,a,x,2026-09-15T09:00:00Z,2026-09-15T09:05:00Z",
    "1,b,y,2026-09-15T09:05:00Z,2026-09-15T09:09:00Z",
    "2,a,x,2026-09-15T09:06:00Z,2026-09-15T09:08:00Z",
    "2,b,y,2026-09-15T09:09:00Z,2026-09-15T09:12:00Z",
]


def read(tmp_path, rows, head=HEAD, **options):
    path = tmp_path / "log.csv"
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return read_log(path, **options)


@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("missing_end", "3,a,x,2026-09-15T10:00:00Z,"),
        ("missing_start", "3,a,x,,2026-09-15T10:00:00Z"),
        ("negative_duration", "3,a,x,2026-09-15T10:00:00Z,2026-09-15T09:59:00Z"),
        ("repeated", GOOD[0]),
        ("out_of_range", "3,a,x,1970-01-01T00:00:00Z,1970-01-01T00:00:09Z"),
        ("out_of_order", "1,c,x,2026-09-15T08:00:00Z,2026-09-15T08:05:00Z"),
        ("overlap_in_case", "1,c,z,2026-09-15T09:08:00Z,2026-09-15T09:30:00Z"),
        ("overlap_of_resource", "3,a,y,2026-09-15T09:11:00Z,2026-09-15T10:05:00Z"),
        ("no_resource", "3,a,,2026-09-15T10:00:00Z,2026-09-15T10:05:00Z"),
        ("instant", "3,a,x,2026-09-15T10:00:00Z,2026-09-15T10:00:00Z"),
        ("lone_case", "3,a,x,2026-09-15T10:00:00Z,2026-09-15T10:05:00Z"),
        ("mixed_zones", "1,c,x,2026-09-15T10:00:00,2026-09-15T10:05:00Z"),
    ],
)
def test_fault_is_found_in_its_row_and_nowhere_in_a_sound_log(tmp_path, key, row):
    assert check(read(tmp_path, GOOD)) == []
    found = {finding.key: finding for finding in check(read(tmp_path, [*GOOD, row]))}
    assert key in found
    assert found[key].count == 1
    assert set(found) <= {key, "lone_case", "out_of_order", "overlap_in_case", "overlap_of_resource"}
    assert found[key].rows == (() if key == "mixed_zones" else (5,))
    assert found[key].right("zh") != found[key].right()
    assert found[key].serious == FAULTS[key].serious


def test_examples_are_the_first_rows_of_the_file_whatever_its_order(tmp_path):
    rows = [f"{9 - i},a,x,2026-09-1{9 - i}T10:00:00Z,2026-09-1{9 - i}T10:00:00Z" for i in range(6)]
    (found,) = (finding for finding in check(read(tmp_path, rows)) if finding.key == "instant")
    assert (found.count, found.of, found.rows) == (6, 6, (1, 2, 3))
    assert found.examples[0] == "case 9, a, 2026-09-19 10:00:00 to 2026-09-19 10:00:00"


@pytest.mark.parametrize(
    "head",
    [
        "Case ID;Activity;Resource;Start Timestamp;Complete Timestamp\n",
        "case:concept:name\tconcept:name\torg:resource\tstart_timestamp\ttime:timestamp\n",
        "\ufeffCaseID,Task,User,StartTime,EndTime\n",
    ],
)
def test_columns_of_common_tools_are_recognised(tmp_path, head):
    sign = next(sign for sign in ";\t," if sign in head)
    log = read(tmp_path, [row.replace(",", sign) for row in GOOD], head)
    assert log.table.select(["case", "activity", "resource"]).to_pylist()[0] == {
        "case": "1", "activity": "a", "resource": "x"}  # fmt: skip
    assert log.table.equals(read(tmp_path, GOOD).table)


def test_names_that_look_like_numbers_are_kept_as_written(tmp_path):
    log = read(tmp_path, ["007,1.0,010,2026-09-15T10:00:00Z,2026-09-15T10:00:00Z"])
    assert log.table.select(["case", "activity", "resource"]).to_pylist() == [
        {"case": "007", "activity": "1.0", "resource": "010"}
    ]


def test_columns_may_be_named(tmp_path):
    head = "id,case,what,start_time,end_time\n"
    log = read(tmp_path, [row.replace("x,", "") for row in GOOD[:1]], "id,what,start_time,end_time\n",
               columns={"case": "id", "activity": "what"})  # fmt: skip
    assert log.activities == ["a"]
    with pytest.raises(DataError, match="no column 'nr'"):
        read(tmp_path, GOOD, head, columns={"case": "nr"})


@pytest.mark.parametrize(
    ("head", "rows", "words"),
    [
        ("a,b,c\n", ["1,2,3"], "no column is the case. It has a, b, c. Say which one it is with `--column case=NAME`"),
        (HEAD, [",a,x,,2026-09-15T10:00:00Z"], "row 2: a row without case"),
        (HEAD, ["1,a,x,5,7"], "numbers are not times"),
        (HEAD, ["1,a,x,2026-13-01T10:00:00Z,2026-09-15T10:00:00Z"], "row 2: '2026-13-01T10:00:00Z' is not a time"),
    ],
)
def test_unusable_table_gives_one_clear_error(tmp_path, head, rows, words):
    with pytest.raises(DataError) as caught:
        read(tmp_path, rows, head)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("encoding", "name", "said"),
    [("latin-1", "Prüfung, Übergabe", "CP1252"), ("gbk", "受理申请, 复核", "GB18030"), ("utf-16", "受理", "UTF-16")],
)
def test_other_encoding_is_understood_and_said(tmp_path, encoding, name, said):
    path = tmp_path / "log.csv"
    path.write_bytes((HEAD + f'1,"{name}",x,2026-09-15T10:00:00Z,2026-09-15T10:00:00Z\n').encode(encoding))
    log = read_log(path)
    assert log.activities == [name]
    assert any(said in note for note in log.notes)


def test_completion_times_only_are_instants_and_said_to_be(tmp_path):
    log = read(tmp_path, ["1,a,2026-09-15T10:00:00Z", "1,b,2026-09-15T11:00:00Z"], "case,activity,timestamp\n")
    assert log.table["start"].equals(log.table["end"])
    assert any("no start times" in note for note in log.notes)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("2026-09-15T09:07:00.000+08:00", 67), ("2026-09-15 01:07:00Z", 67), ("2026-09-15 02:07:00+01", 67),
        ("2026-09-15 01:07", 67), ("2026/09/15 01:07:00", 67), ("2026-09-15T01:07:00.123456789", 67),
        ("2026-09-15", 0), ("15.09.2026 01:07", 67), ("2026-09-14T23:07:00-02:00", 67),
    ],
)  # fmt: skip
def test_times_are_understood_in_many_forms(tmp_path, text, minute):
    log = read(tmp_path, [f"1,a,x,{text},{text}"])
    stamp = log.table["start"][0].as_py().replace(second=0, microsecond=0)
    assert stamp == dt.datetime(2026, 9, 15, tzinfo=dt.UTC) + dt.timedelta(minutes=minute)


def test_clock_times_of_a_zone_follow_its_summer_time(tmp_path):
    rows = ["1,a,x,2026-03-29T01:30:00,2026-10-25T01:30:00", "2,a,x,2026-01-01T09:00:00,2026-07-01T09:00:00"]
    log = read(tmp_path, rows, zone="Europe/London")
    found = {row["case"]: (row["start"].isoformat(), row["end"].isoformat()) for row in log.table.to_pylist()}
    assert found["1"] == ("2026-03-29T01:00:00+00:00", "2026-10-25T00:30:00+00:00")
    assert found["2"] == ("2026-01-01T09:00:00+00:00", "2026-07-01T08:00:00+00:00")
    with pytest.raises(DataError, match="not a time zone"):
        read(tmp_path, rows, zone="Mars/Base")


def test_summary_counts_what_is_there(tmp_path):
    found = summary(read(tmp_path, [*GOOD, "3,b,y,2026-09-16T09:00:00Z,2026-09-16T10:00:00Z"]))
    assert (found["rows"], found["cases"], found["activities"], found["resources"]) == (5, 3, 2, 2)
    assert found["top_variants"][0] == {"cases": 2, "share": 0.6667, "activities": ["a", "b"]}
    assert found["variants"] == 2
    assert found["cycle_hours"]["median"] == pytest.approx(0.15)
    assert found["top_activities"][0] == {
        "activity": "b",
        "count": 3,
        "resources": 1,
        "median_minutes": 4.0,
        "mean_minutes": pytest.approx(67 / 3, abs=1e-3),
    }
    assert summary(EventLog.from_columns([], [], None, [], []))["rows"] == 0


@pytest.mark.parametrize("form", ["png", "svg"])
def test_picture_is_written(tmp_path, form):
    draw(read(tmp_path, GOOD), tmp_path / f"log.{form}")
    begin = (tmp_path / f"log.{form}").read_bytes()[:300]
    assert b"PNG" in begin or b"<svg" in begin or b"<?xml" in begin
    with pytest.raises(DataError, match="not the name of a picture"):
        draw(read(tmp_path, GOOD), tmp_path / "log.bmp")


def test_dates_and_dictionary_columns_of_a_parquet_file_are_read(tmp_path):
    table = pa.table({
        "case_id": pa.array([1, 1]), "activity": pa.array(["a", "b"]).dictionary_encode(),
        "timestamp": pa.array([dt.date(2026, 9, 15)] * 2),
    })  # fmt: skip
    pa.parquet.write_table(table, tmp_path / "log.parquet")
    log = read_log(tmp_path / "log.parquet")
    assert log.activities == ["a", "b"]
    write_log(log, tmp_path / "again.csv")
    assert read_log(tmp_path / "again.csv").table.equals(log.table)
