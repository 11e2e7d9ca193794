"""`python -m benchmarks.process_logs` on a small log: the page, what is kept, and how cells are counted."""

from __future__ import annotations

import csv
import datetime as dt
import json

import numpy as np
import pytest

from benchmarks.process_accuracy.compare import Result, among_simulated, earlier_stretches
from benchmarks.process_accuracy.report import counts, write
from benchmarks.process_accuracy.tasks import Figure, Task, tasks_of
from benchmarks.process_logs import main
from twin.measures.log_distances import NAMES, Distances, LogProfile, distances
from twin.process.eventlog.files import read_log

FIGURES = "log,simulator,metric,mean,sd,runs,source\n" + "".join(
    f"Production,{who},{metric},{mean},0.1,10 runs,somewhere\n"
    for metric in NAMES
    for who, mean in (("Simod", 1e6), ("AgentSim-FP", 1e-9))
)


def office(cases: int, seed: int = 3) -> str:
    """Rows of a small office: two people, three steps, one of them repeated now and then, working days only."""
    chance = np.random.default_rng(seed)
    rows, when = [], dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
    for case in range(cases):
        when += dt.timedelta(hours=float(chance.exponential(4.0)))
        if when.hour >= 17 or when.weekday() >= 5:
            when = (when + dt.timedelta(days=(7 - when.weekday()) if when.weekday() >= 4 else 1)).replace(hour=8)
        at = when
        for step in ["receive", "check", *(["check"] if chance.random() < 0.2 else []), "answer"]:
            end = at + dt.timedelta(minutes=float(chance.gamma(4.0, 5.0)))
            rows.append(f"{case},{step},{'ann' if step == 'check' else 'bob'},{at.isoformat()},{end.isoformat()}")
            at = end + dt.timedelta(minutes=float(chance.exponential(10.0)))
    return "case_id,activity,resource,start_time,end_time\n" + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("process")
    (place / "event_logs").mkdir()
    (place / "benchmarks").mkdir()
    (place / "event_logs" / "Production.csv").write_text(office(70))
    (place / "benchmarks" / "published_results.csv").write_text(FIGURES)
    return place


def run(folder, out, *more):
    return main(["--data", str(folder), "--runs", "2", "--out", str(out), "--keep", str(folder / "kept"), *more])


@pytest.mark.slow
def test_command_writes_page_picture_and_table_and_goes_on_from_what_it_kept(folder, tmp_path, capsys):
    assert run(folder, tmp_path) == 0
    page = (tmp_path / "process-accuracy.md").read_text()
    assert "| better than every published simulator | 0 of 5 | 0 of 5 |" in page
    assert "Simod in 5 of 5 cells, AgentSim in 0 of 5 cells" in page
    assert "| Production | NGD |" in page
    assert (tmp_path / "process-accuracy.png").stat().st_size > 10_000
    with (tmp_path / "process-accuracy.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    measured = {"twin", "typical", "replay", "halves", "apart", "as far"}
    measured |= {f"replay of stretch {n}" for n in range(1, 10)}
    assert {row["of"] for row in rows} == measured | {"Simod", "AgentSim-FP"}
    measured = {row["metric"]: float(row["mean"]) for row in rows if row["of"] == "twin"}
    assert 0 <= measured["NGD"] < 0.4
    assert measured["CTDD"] < 2.0
    (kept,) = (folder / "kept").glob("*.json")
    what = json.loads(kept.read_text())
    what["runs"] = [dict.fromkeys(NAMES, 7.25)] * 2
    kept.write_text(json.dumps(what))
    assert run(folder, tmp_path) == 0
    assert "7.250" in (tmp_path / "process-accuracy.md").read_text()
    # Another seed is another result, whatever was kept.
    assert run(folder, tmp_path, "--seed", "2") == 0
    assert "7.250" not in (tmp_path / "process-accuracy.md").read_text()
    assert "better than naive replay" in capsys.readouterr().out


def _heap(path, cases):
    """A log whose cases all begin and end together, so that no cut in time leaves a test part."""
    same = [f"{case},{h},ann,2026-03-02T1{h}:00:00Z,2026-03-02T1{h}:30:00Z" for case in range(cases) for h in (0, 1)]
    path.write_text("case_id,activity,resource,start_time,end_time\n" + "\n".join(same) + "\n")
    return str(path)


@pytest.mark.slow
def test_log_that_no_cut_in_time_divides_is_divided_by_case_and_says_so(folder, tmp_path):
    assert run(folder, tmp_path, "--logs", _heap(tmp_path / "heap.csv", 20)) == 0
    page = (tmp_path / "process-accuracy.md").read_text()
    assert "Divided by case" in page
    assert "Training part 16 cases, 32 activities; test part 4 cases, 8 activities" in page


@pytest.mark.slow
def test_log_that_cannot_be_divided_is_left_out_with_a_reason(folder, tmp_path, capsys):
    heap = _heap(tmp_path / "heap.csv", 1)
    assert run(folder, tmp_path, "--logs", "Production", heap) == 0
    assert "Left out: heap, because" in (tmp_path / "process-accuracy.md").read_text()
    assert run(folder, tmp_path, "--logs", heap) == 2
    assert "left out: heap" in capsys.readouterr().err


def test_unknown_log_is_an_error_that_names_those_there_are(folder, tmp_path, capsys):
    assert run(folder, tmp_path, "--logs", "nowhere") == 2
    assert "There are Production." in " ".join(capsys.readouterr().err.split())


def test_parts_that_belong_together_are_one_task_and_a_whole_of_the_same_name_another(tmp_path):
    for name in ("loan.csv", "loan_train.csv", "loan_test.csv", "alone.csv", "BPIC_2017_W.xes.gz", "bpi17w.csv"):
        (tmp_path / name).touch()
    tasks = {task.name: task for task in tasks_of(tmp_path)}
    # Two files published as one log count once.
    assert set(tasks) == {"loan", "loan, parts", "alone", "BPIC_2017_W"}
    assert tasks["loan, parts"].test == tmp_path / "loan_test.csv"
    assert tasks["BPIC_2017_W"].published == "BPI17W"


def test_cells_are_counted_against_the_best_variant_and_the_worst_stands_first(tmp_path):
    def result(name, mine, best):
        of = Distances(0.2, 2.0, 2.0, 2.0, 2.0)
        figures = [Figure("Simod", m, best, None, "") for m in NAMES] if best else []
        task = Task(name, tmp_path / "log.csv", published="x" if best else None)
        return Result(
            task,
            (9, 9, 9, 9),
            [Distances(*mine)],
            of,
            typical=[Distances(mine[0], 3.0, *mine[2:])],
            halves=dict.fromkeys(NAMES, 1.0),
            apart=dict.fromkeys(NAMES, 2.0),
            as_far=dict.fromkeys(NAMES, 0) | {"CEDD": 1},
            stretches=[Distances(*[3.0] * 5), Distances(*[2.5] * 5), of] if best else [of],
            figures=figures,
        )

    results = [result("one", (0.1, 1.0, 3.0, 9.0, 2.5), 2.0), result("two", (0.1, 1.0, 1.0, 1.0, 8.0), None)]
    found = counts(results)
    assert found == {
        "cells": 10,
        "published": 5,
        "better_than_published": 2,
        "better_than_replay": 6,
        "far_behind": 1,
        "far_behind_replay": 2,
        "behind": 4,
        "behind_by_chance": 1,
        "replayed": 5,
        # Of CEDD and REDD most replays are nearer; one of 2.5 is not nearer than the twin's CTDD of 2.5.
        "nearer_than_most_replays": 3,
        # 9 over (3 + 2.5 + 2) / 3.
        "far_behind_replays": 1,
    }
    assert counts(results, typical=True) == found | {
        "better_than_published": 1,
        "better_than_replay": 4,
        "behind": 6,
        "nearer_than_most_replays": 2,
    }
    page = write(results, tmp_path, "command")[0].read_text()
    behind = [line.split(" | ")[:2] for line in page.splitlines() if line.startswith(("| one | ", "| two | "))]
    assert behind == [
        ["| one", "REDD (h)"], ["| two", "CTDD (h)"], ["| one", "AEDD (h)"], ["| one", "CEDD (h)"],
        ["| two", "AEDD (h)"], ["| one", "CTDD (h)"],
    ]  # fmt: skip


def test_stretches_of_the_training_part_are_spread_evenly_before_its_last_cases(tmp_path):
    (tmp_path / "log.csv").write_text(office(40))
    log = read_log(tmp_path / "log.csv")
    parts = earlier_stretches(log, 10)
    assert [part.cases for part in parts] == [10] * 9
    begins = [str(part.table["case"].to_pylist()[0]) for part in parts]
    assert begins == [str(round(30 * k / 9)) for k in range(9)]
    assert [part.cases for part in earlier_stretches(log, 32)] == [32]
    assert earlier_stretches(log, 35) == earlier_stretches(log, 50) == []


def test_logs_as_far_from_the_rest_as_the_test_part_are_counted(tmp_path):
    """Against plain loops; a test part a week later is farther on the time line than every log of the same office."""

    def profile(seed, later=0):
        path = tmp_path / f"{seed}-{later}.csv"
        path.write_text(office(30, seed).replace("2026-03", "2026-04") if later else office(30, seed))
        return LogProfile.of(read_log(path))

    logs = [profile(seed) for seed in range(4)]
    for test in (profile(7), profile(7, later=1)):
        found = [distances(test, log) for log in logs]
        apart, as_far = among_simulated(logs, found)
        everyone = [test, *logs]
        for name in NAMES:
            far = [sum(distances(a, b).as_dict()[name] for b in everyone if b is not a) for a in everyone]
            assert as_far[name] == sum(x >= far[0] * (1 - 1e-12) for x in far[1:])
            pairs = [distances(a, b).as_dict()[name] for i, a in enumerate(logs) for b in logs[:i]]
            assert apart[name] == pytest.approx(np.mean(pairs))
    assert as_far["AEDD"] == 0
