"""Process files with everything in them: the documented examples load, and errors name the line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twin.errors import ScenarioError
from twin.process.loader import parse_process
from twin.process.writer import process_text

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "processes.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("\n", 1)[0].removeprefix("name: "))
def test_documented_example_loads(text):
    assert parse_process(text).nodes


def line_of(text, part):
    return next(i for i, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("example", "old", "new", "at", "says"),
    [
        (0, "to: remind,", "to: remnid,", "remnid", "no node 'remnid'.*'remind'"),
        (0, "calendar: office, to: hurry", "calendar: offic, to: hurry", "answer:", "no calendar 'offic'.*'office'"),
        (
            0,
            "next: [identity, source_of_funds]",
            "next: [{to: identity, probability: 1.0}]",
            "split:",
            "a fork goes all",
        ),
        (0, 'days: mon-fri, from: "13', 'days: mon-fry, from: "13', "mon-fry", "not a day"),
        (0, "2026-10-02", "2026-13-02", "closed", "not a date"),
        (0, "cost_per_hour: 90 CNY", "cost_per_hour: 90 USD", "clerks:", "not a unit"),
        (1, "attribute: amount, at_least: 500000", "attribute: amonut, at_least: 5", "amonut", "no attribute 'amonut'"),
        (1, "risk, in: [high]", "risk, in: [hihg]", "hihg", "category of 'risk' 'hihg'.*'high'"),
        (1, "risk, in: [low]", "risk, below: 3", "risk, below", "'risk' is not a number"),
        (
            1,
            "skills: [complex]\n    service",
            "skills: [comlpex]\n    service",
            "comlpex",
            "no member of 'desk' can do",
        ),
        (1, "by_member: {wang", "by_member: {wong", "wong", "no member of 'desk' 'wong'.*'wang'"),
        (1, "at_once: 3, pace: [1, 0.6, 0.45]", "at_once: 2, pace: [1, 0.6, 0.45]", "count: 3", "pace needs 2 values"),
        (1, "scale: {attribute: pages", "scale: {attribute: risk", "scale:", "not a number"),
        (1, "scale: {attribute: pages,", "scale: {", "scale:", "either an attribute .* or cases"),
        (
            1,
            "scale: {attribute: pages, intercept: 0.5, slope: 0.05, most: 4}",
            "scale: {cases: [{when: {attribute: risk, in: [hihg]}, value: 2}]}",
            "scale:|hihg",
            "category of 'risk' 'hihg'.*'high'",
        ),
        (
            1,
            "scale: {attribute: pages, intercept: 0.5, slope: 0.05, most: 4}",
            "scale: {most: 4, cases: [{when: {attribute: risk, in: [high]}, value: 2}]}",
            "scale:",
            "most belong to a scale with an attribute",
        ),
        (1, "high: 0.1}", "high: 0.2}", "high: 0.2", "sum to 1.1"),
        (2, 'longest_wait: 4 h, at: ["16:30"], ', "", "batch:", "wait for ever"),
        (2, "after: 3 days}", "after: 3 days, probability: 0.5}", "reply:|next:", "may wait for ever"),
        (2, "when_full: block", "when_full: block, to: done", "block", "blocked goes nowhere"),
        (2, "kind: inclusive_join", "kind: inclusive_jion", "inclusive_jion", "not known.*'inclusive_join'"),
        (2, "mode: parallel", "mdoe: parallel", "mdoe", "unknown key 'mdoe'.*'mode'"),
        (2, "    patience: 10 min\n", "", "call:", "retry follows patience"),
    ],
)
def test_error_names_the_line_and_what_is_right(example, old, new, at, says):
    text = EXAMPLES[example]
    assert old in text
    wrong = text.replace(old, new, 1)
    with pytest.raises(ScenarioError, match=rf"(?s)^x\.yaml:\d+ .*{says}") as caught:
        parse_process(wrong, "x.yaml")
    line = int(re.match(r"x\.yaml:(\d+)", str(caught.value))[1])
    lines = wrong.splitlines()
    assert any(re.search(at, lines[i - 1]) for i in range(max(line - 1, 1), line + 2)), lines[line - 1]


SHIPPED = sorted((DOCUMENT.parents[1] / "scenarios" / "processes").glob("*.yaml"))


@pytest.mark.parametrize(
    "text", [*EXAMPLES, *(f.read_text(encoding="utf-8") for f in SHIPPED)], ids=lambda t: re.search(r"name: (.*)", t)[1]
)
def test_written_process_reads_back_equal(text):
    model = parse_process(text)
    again = parse_process(process_text(model))
    assert again == model or again.model_copy(update={"arrivals": None}) == model.model_copy(update={"arrivals": None})
    if model.arrivals is not None:
        assert again.arrivals.per_day == pytest.approx(model.arrivals.per_day)
