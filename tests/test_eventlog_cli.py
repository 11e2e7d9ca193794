"""`twin log` and `twin score` from the command line."""

from __future__ import annotations

import json

import pytest

from dashboards.cli import app, execute
from twin.measures.log_distances import NAMES

ROWS = [
    f"{i},{a},x,2026-09-{d:02}T{9 + h:02}:00:00Z,2026-09-{d:02}T{9 + h:02}:30:00Z"
    for i, d in enumerate(range(1, 21))
    for h, a in enumerate("abc")
]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("case_id,activity,resource,start_time,end_time\n" + "\n".join(ROWS) + "\n")
    return path


def twin(capsys, *arguments):
    status = execute(app, "twin", [str(a) for a in arguments])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_sound_log_passes_and_a_faulty_one_fails(log, capsys):
    assert twin(capsys, "log", "check", log) == (0, "60 rows of 20 cases: nothing found\n", "")
    log.write_text(log.read_text() + ROWS[4] + "\n")
    status, shown, _ = twin(capsys, "log", "check", log, "--language", "zh")
    assert status == 1
    assert "与他行完全相同的行" in shown
    assert "第 61 行" in shown
    status, shown, _ = twin(capsys, "log", "check", log, "--json")
    found = json.loads(shown)
    assert status == 1
    assert found["findings"][0]["rows"] == [61]
    assert found["findings"][0]["right"] == "each activity once"


def test_map_is_drawn_and_counted(log, tmp_path, capsys):
    status, shown, _ = twin(capsys, "log", "map", log, "--out", tmp_path / "map.svg", "--json", "--language", "zh")
    found = json.loads(shown)
    assert status == 0
    assert [(w["source"], w["target"], w["count"], w["mean_s"]) for w in found["ways"]] == [
        (None, "a", 20, None),
        ("a", "b", 20, 1800.0),
        ("b", "c", 20, 1800.0),
        ("c", None, 20, None),
    ]
    assert "中位数" in (tmp_path / "map.svg").read_text(encoding="utf-8")
    status, _, errors = twin(capsys, "log", "map", log, "--out", tmp_path / "map.png")
    assert status == 2
    assert "Names end in .svg" in errors


def test_split_convert_and_score_work_together(log, tmp_path, capsys):
    status, shown, _ = twin(capsys, "log", "split", log, "--test", 0.25, "--out", tmp_path / "parts")
    assert status == 0
    assert "log_train.csv: 45 activities of 15 cases" in shown
    test = tmp_path / "parts" / "log_test.csv"
    status, _, errors = twin(capsys, "log", "split", log, "--test", 0.5, "--out", tmp_path / "parts")
    assert status == 2
    assert "log_train.csv: is there already" in errors
    assert twin(capsys, "log", "convert", test, tmp_path / "test.xes.gz")[0] == 0
    status, shown, _ = twin(capsys, "score", test, tmp_path / "test.xes.gz", log, "--json")
    found = json.loads(shown)
    assert status == 0
    assert [entry["NGD"] for entry in found["logs"]] == [0.0, pytest.approx(0.6)]
    assert found["mean"]["NGD"] == pytest.approx(0.3)
    assert found["sd"]["NGD"] == pytest.approx(0.3)
    status, shown, _ = twin(capsys, "score", test, test)
    assert "control flow" in shown


def test_summary_shows_variants_and_draws(log, tmp_path, capsys):
    status, shown, _ = twin(capsys, "log", "summary", log, "--picture", tmp_path / "log.svg")
    assert status == 0
    assert "a > b > c" in shown
    assert (tmp_path / "log.svg").is_file()
    assert json.loads(twin(capsys, "log", "summary", log, "--json")[1])["cases"] == 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "{log}", "--column", "case"], "'case' does not name a column. Write ROLE=COLUMN"),
        (["check", "{log}", "--column", "case=nr"], "there is no column 'nr'"),
        (["check", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["split", "{log}", "--test", "2"], "2 is not a share"),
        (["convert", "{log}", "log.doc"], "not the name of an event log"),
    ],
)
def test_misuse_gives_one_line_and_status_two(log, capsys, arguments, words):
    status, _, errors = twin(capsys, "log", *(a.format(log=log) for a in arguments))
    assert status == 2
    assert words in errors
    assert errors.count("\n") == 1


@pytest.mark.data
def test_score_gives_the_figures_of_the_shipped_simulated_logs(shared_data, capsys):
    folder = shared_data / "process/benchmarks/agentsimulator_LoanApp"
    logs = [folder / f"simulated_log_{i}.csv.gz" for i in range(10)]
    status, shown, _ = twin(capsys, "score", folder / "test_preprocessed.csv.gz", *logs, "--json")
    found = json.loads(shown)
    assert status == 0
    mean, sd = ([round(found[key][name], 3) for name in NAMES] for key in ("mean", "sd"))
    assert mean == [0.080, 2.971, 0.221, 1.381, 1.595]
    assert sd == [0.018, 0.755, 0.025, 0.522, 0.609]
