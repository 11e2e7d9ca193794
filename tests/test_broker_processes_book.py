"""The page of the broker's processes is up to date with their files, and its drawings count every case."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner

from dashboards.cli import app
from dashboards.office_book import fill, measured, pictures
from dashboards.office_drawings import counting, drawing, fingerprint
from scenarios.office_processes import MONDAY, PAIRS, compare
from scenarios.office_runs import observed
from scenarios.offices import process_model, process_names
from twin.process.calendar import WorkCalendar
from twin.randomness import Streams

PAGE = Path(__file__).parents[1] / "docs" / "broker-processes.md"
SMALL = "today/reconciliation-break"


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def prints():
    return {name: fingerprint(process_model(name)) for name in process_names()}


def test_page_shows_every_form_of_every_process(text):
    drawn = set(pictures(PAGE, text).values())
    assert drawn == {name for pair in PAIRS for name in pair}
    assert set(process_names()) - drawn == {"service-desk"}
    for pair in PAIRS:
        assert f"measured: {pair[0]} {pair[1]} -->" in text


def test_drawings_are_those_of_the_process_files(text, prints):
    for picture, name in pictures(PAGE, text).items():
        stored = picture.read_text(encoding="utf-8")
        assert prints[name] in stored, f"{picture.name}: fill {PAGE.name} anew"
        etree.fromstring(stored.encode())
        assert len(stored) < 40_000


def test_fingerprint_differs_for_every_form_and_value(prints):
    assert len(set(prints.values())) == len(prints)
    model = process_model(SMALL)
    pool = next(iter(model.pools))
    more = model.model_copy(update={"pools": model.pools | {pool: model.pools[pool].model_copy(update={"staff": 99})}})
    assert fingerprint(more) != prints[SMALL]


def test_tables_of_parameters_are_those_of_the_process_files(text):
    assert fill(text, None) == text


@pytest.mark.slow
def test_a_table_and_a_drawing_are_what_a_run_gives(text):
    """One pair stands for all: the same command wrote every table."""
    other = SMALL.replace("today", "reformed")
    lines = "\n".join(measured(compare(SMALL, other)))
    assert f"<!-- measured: {SMALL} {other} -->\n\n{lines}\n" in text
    stored = (PAGE.parent / "broker-processes" / "today-reconciliation-break.svg").read_text(encoding="utf-8")
    # what is written, not how lines are drawn
    assert [re.findall(r">([^<>]+)</text>", picture) for picture in (drawing(SMALL), stored)] == [
        re.findall(r">([^<>]+)</text>", stored)
    ] * 2


@pytest.mark.parametrize("name", ["today/product-purchase", "reformed/cross-department-request", "today/margin-call"])
def test_counting_the_ways_changes_nothing(name):
    model, calendar = process_model(name), WorkCalendar(MONDAY)
    plain, counted = (observed(m, Streams(3), calendar, warm_up=0, days=3) for m in (model, counting(model)))
    assert plain.pools == counted.pools
    for node in model.nodes:
        assert plain.nodes[node].arrivals == counted.nodes[node].arrivals


def test_shares_at_a_gateway_add_up():
    """Every gateway with several ways shows the share of each, and the shares are of all who came."""
    picture = drawing("today/complaint")
    shares = [float(s) for s in re.findall(r">([\d.]+)%</text>", picture.partition('class="legend"')[0])]
    assert len(shares) == 10
    assert sum(shares) == pytest.approx(500, abs=2)


def test_comparison_on_the_command_line_speaks_both_languages():
    arguments = ["process", "compare", SMALL, "--days", "2", "--warm-up", "0", "--replications", "2"]
    run = CliRunner().invoke
    english, chinese = (run(app, [*arguments, "--language", language]) for language in ("en", "zh"))
    assert english.exit_code == chinese.exit_code == 0
    assert "cycle time" in english.output
    assert "办结时长" in chinese.output
    assert "±" in english.output
    values = json.loads(run(app, [*arguments, "--json"]).output)
    assert values["reformed"] == SMALL.replace("today", "reformed")
    assert {"cases", "cycle_mean", "cost_per_case"} <= {row["measure"] for row in values["measures"]}
    wrong = run(app, ["process", "compare", "today/complant"])
    assert wrong.exit_code != 0
