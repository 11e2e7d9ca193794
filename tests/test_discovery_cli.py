"""The commands `twin discover` and `twin simulate-log`."""

from __future__ import annotations

import json

import discovery_cases as office
import pytest

from dashboards.cli import app, execute
from twin.process.discovery import load_process
from twin.process.eventlog.files import read_log, write_log


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a log and the process discovered from it."""
    path = tmp_path_factory.mktemp("office")
    write_log(office.log_of(office.office(weeks=4, seed=5)), path / "log.csv")
    arguments = ["discover", str(path / "log.csv"), "--out", str(path / "process.yaml"), "--json"]
    assert execute(app, "twin", arguments) == 0
    return path


@pytest.fixture
def cli(capsys):
    def call(*arguments):
        capsys.readouterr()
        status = execute(app, "twin", [*map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def test_the_best_rival_is_written_with_its_yardsticks(folder):
    process = load_process(folder / "process.yaml")
    assert process.rivals[0].score == min(rival.score for rival in process.rivals)
    assert process.rivals[0].structure.startswith(process.structure)
    assert {rival.structure for rival in process.rivals} >= {"workforce", "timers", "resampled"}
    assert process.replay["AEDD"] > process.rivals[0].distances["AEDD"]


@pytest.mark.parametrize(("language", "words"), [("en", "% of the waiting in the log"), ("zh", "日志中等待时间的")])
def test_discover_says_in_both_languages_what_is_left_unexplained(cli, folder, tmp_path, language, words):
    arguments = ("--structure", "workforce", "--out", tmp_path / "p.yaml", "--language", language)
    status, out, err = cli("discover", folder / "log.csv", *arguments)
    assert (status, err) == (0, "")
    assert words in out
    # People and calendars explain most of the waiting in an office without delays.
    assert load_process(tmp_path / "p.yaml").unexplained["waiting, by contention and calendars"] < 0.3


def test_pictures_are_written(cli, folder, tmp_path):
    arguments = ("--structure", "timers", "--out", tmp_path / "p.yaml", "--pictures", tmp_path / "pictures", "--json")
    status, out, _ = cli("discover", folder / "log.csv", *arguments)
    assert status == 0
    assert json.loads(out)["structure"] == "timers"
    assert {path.name for path in (tmp_path / "pictures").iterdir()} >= {
        "arrivals.png",
        "services.png",
        "map-log.svg",
        "map-process.svg",
    }


def test_simulated_logs_begin_with_the_log_and_hold_as_many_cases(cli, folder, tmp_path):
    out = tmp_path / "sim.csv"
    status, _, _ = cli("simulate-log", folder / "process.yaml", "--like", folder / "log.csv", "--out", out, "--runs", 2)
    assert status == 0
    recorded = read_log(folder / "log.csv")
    simulated = [read_log(tmp_path / f"sim_{run}.csv") for run in range(2)]
    assert [log.cases for log in simulated] == [recorded.cases] * 2
    assert simulated[0].table != simulated[1].table
    first = [min(log.table["start"].to_pylist()) for log in (recorded, *simulated)]
    assert first[0] == first[1] == first[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--structure", "petri"), "not a structure"),
        (("--structure", "resampled", "--mechanistic"), "--mechanistic forbids"),
    ],
)
def test_wrong_options_are_said(cli, folder, tmp_path, arguments, said):
    status, _, err = cli("discover", folder / "log.csv", "--out", tmp_path / "p.yaml", *arguments)
    assert status != 0
    assert said in err
