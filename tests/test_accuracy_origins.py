"""`python -m benchmarks.process_origins`: how a log is cut at several origins, the page and the table."""

from __future__ import annotations

import csv
import math

import numpy as np
import pyarrow as pa
import pytest
from discovery_cases import DAY, HOUR, MONDAY, log_of, office
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.process_accuracy.levels import Level, level_after, repeated
from benchmarks.process_accuracy.origins import AtOrigin, NoOrigin, joined, parts_at, whole, without_parts
from benchmarks.process_accuracy.origins_cells import cells_of, counts
from benchmarks.process_accuracy.origins_report import write
from benchmarks.process_accuracy.tasks import Task, tasks_of
from benchmarks.process_origins import main
from twin.errors import DataError
from twin.measures.log_distances import NAMES, Distances
from twin.process.discovery import columns_of
from twin.process.discovery.columns import WEEK
from twin.process.discovery.model import Arrivals
from twin.process.eventlog.files import read_log, write_log
from twin.process.eventlog.log import CASE
from twin.process.eventlog.split import ended, split


@pytest.fixture(scope="module")
def rows():
    return office(weeks=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("process")
    (place / "event_logs").mkdir()
    write_log(log_of(office(weeks=3)), place / "event_logs" / "office.csv")
    return place


def run(folder, out, *more):
    return main(["--data", str(folder), "--runs", "2", "--out", str(out), *more])


def cases(log):
    return set(log.table[CASE].to_pylist())


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.3, 0.9))
def test_training_cases_have_ended_before_anything_of_a_test_case_ends(share, rows):
    log = log_of(rows)
    train, test = parts_at(log, share)
    past, future = columns_of(train), columns_of(test)
    assert past.end.max() <= future.end.min()
    assert not cases(train) & cases(test)
    assert cases(train) | cases(test) <= cases(log)
    # A fifth of the activities lies ahead, but for those of cases across the cuts.
    assert len(test) <= math.ceil(0.2 * len(log)) + 1 if share < 0.8 else len(test) <= (1 - share) * len(log) + 1


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_future_beyond_the_next_fifth_is_not_seen(share, rows):
    seen = sorted(row[4] for row in rows)[round((share + 0.2) * len(rows)) - 1]
    last = {}
    for row in rows:
        last[row[0]] = max(row[4], last.get(row[0], 0))
    # Cases that end later are done by somebody else, elsewhere in time: still later, and as many activities.
    other = [
        row if last[row[0]] <= seen or row[4] <= seen
        else (row[0], "anything", "nobody", row[3] + 3 * DAY, row[4] + 3 * DAY, row[5])
        for row in rows
    ]  # fmt: skip
    assert other != rows
    for one, two in zip(parts_at(log_of(rows), share), parts_at(log_of(other), share), strict=True):
        assert one.table.equals(two.table)


def test_last_origin_is_the_usual_split_and_parts_may_be_too_small(rows):
    log = log_of(rows)
    for one, two in zip(parts_at(log, 0.8), split(log, 0.8), strict=True):
        assert one.table.equals(two.table)
    few = log_of([row for row in rows if row[0] < "c00024"])
    with pytest.raises(DataError, match=r"the training part has only 1[0-9] cases"):
        parts_at(few, 0.6)
    with pytest.raises(DataError, match=r"the test part has only [1-7] cases"):
        parts_at(log, 0.99)
    with pytest.raises(DataError, match="no whole case is left"):
        parts_at(log_of([row for row in rows if row[0] == "c00000"]), 0.5)
    assert ended(log, 1.0).table.equals(log.table)
    assert ended(log, 0.0).cases == 0


def test_joined_pair_keeps_all_cases_of_both_and_the_columns_both_have(rows, tmp_path):
    train, test = split(log_of(rows, enabled=True), 0.7)
    extra = [("case:kind", ["a"] * len(train), range(len(test))), ("cost", range(len(train)), [0.5] * len(test))]
    logs = [train, test]
    for name, *values in extra:
        logs = [
            type(log)(log.table.append_column(name, pa.array(list(v)))) for log, v in zip(logs, values, strict=True)
        ]
    # The same names of cases in both, as where each part counts from 1.
    both = joined(logs[1], logs[1])
    assert both.cases == 2 * test.cases
    assert len(both) == 2 * len(test)
    log = joined(*logs)
    assert log.cases == train.cases + test.cases
    assert set(log.attributes) == {"enabled", "cost"}  # a kind that is a text here and a number there is none
    assert sorted(log.table["cost"].to_pylist()) == sorted([*map(float, range(len(train))), *[0.5] * len(test)])
    first = columns_of(log).first
    assert (np.diff(first) >= 0).all()
    codes = log.table[CASE].combine_chunks().dictionary_encode().indices.to_numpy()
    assert (np.diff(codes) >= 0).all()  # each case stands together, in the order that `split` expects
    for name, part in (("x_train.csv", train), ("x_test.csv", test)):
        write_log(part, tmp_path / name)
    (task,) = tasks_of(tmp_path)
    assert whole(task).cases == log.cases


def test_pair_is_not_tried_where_its_whole_log_is(tmp_path):
    for name in ("loan.csv", "loan_train.csv", "loan_test.csv", "alone_train.csv", "alone_test.csv"):
        (tmp_path / name).touch()
    tried, skipped = without_parts(tasks_of(tmp_path))
    assert {task.name for task in tried} == {"loan", "alone"}
    assert [missing.task.name for missing in skipped] == ["loan, parts"]


def test_last_weeks_are_moved_on_by_whole_weeks():
    # Two arrivals on each Monday, one on each Tuesday, of five weeks; the oldest week is not among the last four.
    first = np.array([MONDAY + w * WEEK + d * DAY + h * HOUR for w in range(5) for d, h in ((0, 9), (0, 10), (1, 9))])
    until = MONDAY + 5 * WEEK
    ahead = [(0, 1, 2.0), (0, 2, 3.0), (1, 2, 1.0), (2, 7, 0.0), (0, 7, 3.0), (7, 15, 5.0), (0, 28, 12.0)]
    for begin, stop, expected in ahead:
        assert repeated(first, until, until + begin * DAY, until + stop * DAY) == pytest.approx(expected)
    assert repeated(first[3:], until, until, until + WEEK) == pytest.approx(3.0)


def test_level_of_a_steady_office_is_found_and_short_logs_are_left_out():
    """Eight cases a day, at any hour; half of the last day of each part has not ended."""

    def part(begin, days, late=0):
        each = [(f"{begin}-{n}", MONDAY + begin * DAY + n * 3 * HOUR) for n in range(8 * days - late)]
        return log_of([(name, "work", "ann", at, at + HOUR) for name, at in each])

    class Process:
        arrivals = Arrivals(per_week=56.0, half_life_weeks=0.0, profile=[1.0] * 168, gaps=np.full(10, 1_000_000))

    level = level_after(Process(), part(0, 42, 4), part(42, 14, 4), 1)
    assert isinstance(level, Level)
    assert level.actual == pytest.approx(8 * level.days, abs=6)
    assert level.twin == pytest.approx(8 * level.days, rel=0.02)
    # As recorded, the last four weeks lack what had not ended.
    assert level.error("complete") < 0.06
    assert level.complete >= level.naive
    assert Level(1.0, 20, 10.0, 20.0, 0.0).error("twin") == pytest.approx(math.log(2))
    assert Level(1.0, 20, 10.0, 20.0, 0.0).error("complete") == pytest.approx(math.log(40))
    assert "no 4 weeks" in level_after(Process(), part(0, 27), part(27, 14), 1)
    assert "fewer than 8 arrivals" in level_after(Process(), part(0, 42), part(42, 1), 1)


def result(share, twin, replay, level="too short"):
    task = Task("one", "one.csv")
    return AtOrigin(task, (30, 60, 9, 18), [Distances(*twin)], Distances(*replay), share, "timers", level)


def test_ratios_to_and_of_nothing_are_left_out_of_geometric_means(tmp_path):
    results = [
        result(0.5, (0.1, 8.0, 0.0, 1.0, 3.0), (0.2, 2.0, 1.0, 0.0, 1.0), Level(9.0, 20, 10.0, 40.0, 20.0)),
        result(0.8, (0.1, 0.5, 0.0, 0.0, 2.0), (0.8, 2.0, 1.0, 0.0, 1.0)),
    ]
    cells = {cell.metric: cell for cell in cells_of(results)}
    assert cells["NGD"].ratio == pytest.approx(0.2)
    assert cells["NGD"].geometric == pytest.approx(0.25)
    assert cells["AEDD"].ratio == pytest.approx(4.25 / 2)
    assert cells["AEDD"].geometric == pytest.approx(1.0)
    assert (cells["AEDD"].better, cells["AEDD"].far) == (1, True)
    assert (cells["CEDD"].ratio, cells["CEDD"].better, math.isnan(cells["CEDD"].geometric)) == (0.0, 2, True)
    assert math.isnan(cells["REDD"].ratio)
    assert cells["REDD"].far
    found = {"cells": 5, "better": 2, "far": 3, "single": 10, "better_single": 5, "far_single": 4, "zero": 4}
    assert counts(results) == found
    missing = [NoOrigin(Task("one", "one.csv"), 0.4, "it is too small"), NoOrigin(Task("pair", "a"), None, "so")]
    page = write(results, missing, tmp_path, "command")[0].read_text()
    assert "times as far as replay: one AEDD (2.12), one REDD (replay is 0), one CTDD (2.50)." in page
    assert "Left out: one at 0.4, because it is too small." in page
    assert "Left out: pair, because so." in page
    assert "Distances of 0 make 4 ratios" in page
    assert "| one | 1 of 2 | 0.693 | 0.693 | 0.000 |" in page
    assert "Arrivals are not compared at 0.8: too short." in page


@pytest.mark.slow
def test_page_agrees_with_the_table_and_any_number_of_processes_measures_the_same(folder, tmp_path, capsys):
    options = ("--shares", "0.5", "0.999", "0.8")
    assert run(folder, tmp_path / "1", *options) == 0
    assert run(folder, tmp_path / "2", *options, "--workers", "2") == 0
    files = [(tmp_path / n / "process-origins.csv").read_bytes() for n in "12"]
    assert files[0] == files[1]
    with (tmp_path / "1" / "process-origins.csv").open() as lines:
        table = list(csv.DictReader(lines))
    page = (tmp_path / "1" / "process-origins.md").read_text()
    assert page.splitlines()[2].startswith("Made on ")
    assert "--shares 0.5 0.999 0.8 --runs 2 --seed 1`" in page
    assert "Left out: office at 0.999, because no whole case is left for one of the parts." in page
    shown = {
        cells[1].removesuffix(" (h)"): cells[2:]
        for line in page.splitlines()
        if line.startswith("| office |") and len(cells := line.strip("| ").split(" | ")) == 8
    }
    assert list(shown) == list(NAMES)
    for name, (origins, _, _, ratio, mean, better) in shown.items():
        twin, replay = (
            np.array([float(row["mean"]) for row in table if (row["metric"], row["of"]) == (name, of)])
            for of in ("twin", "replay")
        )
        assert len(twin) == int(origins) == 2
        assert float(ratio) == pytest.approx(twin.mean() / replay.mean(), abs=0.0051)
        assert float(mean) == pytest.approx(np.exp(np.log(twin / replay).mean()), abs=0.0051)
        assert int(better) == (twin < replay).sum()
    assert {row["of"] for row in table if row["metric"] == "arrivals"} <= {"actual", "twin", "naive", "complete"}
    assert (tmp_path / "1" / "process-origins.png").stat().st_size > 10_000
    printed = capsys.readouterr()
    assert "better than naive replay at single origins" in printed.out
    assert "left out: office at 0.999" in printed.err


@pytest.mark.parametrize(
    ("content", "said"),
    [("nothing of a log\n1\n", "broken.csv"), (None, "neither a file nor a log"), ("", "broken.csv")],
)
def test_file_that_is_no_log_is_one_error_before_anything_is_measured(folder, tmp_path, capsys, content, said):
    broken = tmp_path / "broken.csv"
    if content is not None:
        broken.write_text(content)
    assert run(folder, tmp_path / "out", "--logs", "office", str(broken)) == 2
    error = capsys.readouterr().err
    assert error.count("error:") == 1
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_log_without_any_origin_and_options_out_of_range_are_errors(folder, tmp_path, capsys):
    small = tmp_path / "small.csv"
    write_log(log_of(office(weeks=1)[:12]), small)
    assert run(folder, tmp_path / "out", "--logs", str(small)) == 2
    assert "error: there is no origin" in capsys.readouterr().err
    for bad in (("--shares", "1.2"), ("--shares", "half"), ("--runs", "0"), ("--workers", "-1")):
        with pytest.raises(SystemExit) as stopped:
            run(folder, tmp_path, *bad)
        assert stopped.value.code == 2
    assert read_log(small).cases < 20
