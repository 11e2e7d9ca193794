"""Every text that the control room says is in the list, in both languages, with the same places; numbers read well."""

from __future__ import annotations

import ast
import doctest
import re
import string
from pathlib import Path

import pytest

from dashboards.report import numbers, words
from dashboards.report.figures import FIGURES, STATIONS
from dashboards.report.words import say, word_list
from twin.measures.scorecard import DIMENSIONS, REGISTRY
from twin.measures.statistics import Verdict

DASHBOARDS = Path(__file__).resolve().parents[1] / "dashboards"
SOURCES = [
    *sorted((DASHBOARDS / "report").glob("*.py")),
    *sorted((DASHBOARDS / "app_pages").glob("*.py")),
    DASHBOARDS / "charts.py",
]


def said_in(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
            first = node.args[0]
            choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            yield from (c.value for c in choices if isinstance(c, ast.Constant))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_text_of_the_code_is_in_the_list(path):
    assert [text for text in said_in(path) if text not in word_list()] == []


def test_every_text_of_the_template_is_in_the_list():
    template = (DASHBOARDS / "report" / "template.html").read_text(encoding="utf-8")
    found = set(re.findall(r'say\("([^"]+)"', template))
    assert len(found) > 15
    assert found - set(word_list()) == set()


def test_every_name_that_data_bring_is_in_the_list():
    names = {*STATIONS, *DIMENSIONS, *(v.value for v in Verdict), "p50", "p99", "p999", "traded", "news"}
    names |= {f"{kind}.{key}" for key in (*FIGURES, "forest") for kind in ("picture", "caption")}
    silent = {"", "orders", "logins", "applications", "calls", "tickets", "clients", "breaks", "records", "checks"}
    clock = {"share", "h of day", "accounts"}
    names |= {measure.unit for measure in REGISTRY.values()} - silent - clock
    assert names - set(word_list()) == set()


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_places():
    uneven = [key for key, (en, zh) in word_list().items() if en and places(en) != places(zh)]
    assert uneven == []


def test_chinese_texts_are_chinese():
    plain = {"per 1,000 clients", "min"}
    latin = [k for k, (_, zh) in word_list().items() if k not in plain and not re.search(r"[\u4e00-\u9fff]", zh)]
    assert latin == []


@pytest.mark.parametrize("module", [numbers, words])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (float("nan"), "ms", "–"),
        (0.0, "ms", "0 s"),
        (999.6, "ms", "1,000 ms"),
        (26.5, "h of day", "+1d 02:30"),
        (0.00012, "share", "0.012 %"),
        (0.00001, "share", "< 0.01 %"),
        (1.5e9, "CNY", "1.5 bn CNY"),
        (5_000_000.0, "orders", "5 M"),
    ],
)
def test_amounts_read_as_people_say_them(value, unit, text):
    assert numbers.amount(value, unit) == text


def test_factor_says_nothing_where_it_means_nothing():
    assert [numbers.factor(a, b) for a, b in ((0, 5), (5, float("nan")), (-1, 2), (3, 3))] == [""] * 4
    assert [numbers.factor(a, b) for a, b in ((1, 270), (100, 93), (100, 104.4))] == ["× 270", "−7 %", "+4.4 %"]


def test_a_word_that_nobody_knows_is_spelt_out():
    assert say("some_new_segment", "zh") == "some new segment"
