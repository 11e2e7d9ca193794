"""A day that was really simulated, small: what it records is what the report knows, and nothing is left out."""

from __future__ import annotations

import re

import pytest
from test_report_page import read

from dashboards.report import write_report
from dashboards.report.recording import Recording
from dashboards.report.words import word_list
from scenarios.experiments.runner import Request, run_all
from scenarios.loader import load
from twin.measures.scorecard import headline

pytestmark = pytest.mark.slow
SMALL = ["clients.count=2500", "world.instruments=3", "world.background.orders_per_instrument_day=1000"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    requests = [Request(load(name, SMALL), 7, 2) for name in ("extreme-day", "ordinary-day")]
    return [outcome.run.folder for outcome in run_all(requests, tmp_path_factory.mktemp("runs"), workers=1)]


def test_report_of_a_real_day_leaves_nothing_out(runs, tmp_path):
    page = read(write_report(*runs, tmp_path))
    assert {measure.label_en for measure in headline()} <= set(page.scorecard)
    said = " ".join(page.texts)
    assert "Not recorded in these runs" not in said
    assert "Not measured in these runs" not in said


def test_every_series_and_segment_of_a_real_day_has_words(runs):
    run = Recording(runs[0])
    names = {key for _, key in run.lines} | {segment for _, _, segment in run.measures}
    names |= {str(key) for item in run.manifest["info"] for key in item}
    assert names - {"", "best5", "records", "breaks"} - set(word_list()) == set()


def test_chinese_report_of_a_real_day_is_chinese(runs, tmp_path):
    page = read(write_report(*runs, tmp_path / "zh.html", "zh"))
    latin = [label for label in page.scorecard if not re.search(r"[\u4e00-\u9fff]", label)]
    assert latin == []
