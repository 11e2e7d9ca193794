"""What people write: quantities, process files, and the errors they get."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from twin.errors import ScenarioError
from twin.kernels.durations import EXPONENTIAL, sample
from twin.process.distributions import Distribution, DistributionTable
from twin.process.loader import load_process, parse_process
from twin.process.model import ProcessModel
from twin.process.quantities import parse_duration_ns, parse_money_fen, parse_rate_per_s

GOOD = """name: desk
start: call
pools:
  agents: {staff: 3}
nodes:
  call:
    kind: task
    pool: agents
    service: {distribution: lognormal, mean: 5 min, cv: 1.0}
    patience: 4 min
    next: done
  done:
    kind: end
"""


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("25 min", 1_500_000_000_000),
        ("50ms", 50_000_000),
        ("1.5 h", 5_400_000_000_000),
        ("0.1 s", 100_000_000),
        ("3 seconds", 3_000_000_000),
        ("2 days", 172_800_000_000_000),
        ("1e3 us", 1_000_000),
        ("0.5 ns", 1),
        ("1,000 ms", 1_000_000_000),
    ],
)
def test_durations_are_read_exactly(text, ns):
    assert parse_duration_ns(text) == ns


def test_rates_and_money_are_read_exactly():
    assert parse_rate_per_s("2500/s") == 2500
    assert parse_rate_per_s("2200/day") == 2200 / 86400
    assert parse_rate_per_s("10 per hour") == 10 / 3600
    assert parse_rate_per_s("12 calls/min") == 0.2
    assert parse_money_fen("5e6 CNY") == 500_000_000
    assert parse_money_fen("0.015 yuan") == 2


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (parse_duration_ns, "25", "lacks its unit"),
        (parse_duration_ns, "25 minuts", "'minute'"),
        (parse_duration_ns, "-1 s", "negative"),
        (parse_duration_ns, "soon", "not a duration"),
        (parse_duration_ns, 25, "no unit"),
        (parse_duration_ns, "1e999999999 s", "not a duration|not a unit"),
        (parse_rate_per_s, "2500", "unit of time"),
        (parse_rate_per_s, "2500/sek", "'sec'"),
        (parse_rate_per_s, "-1/s", "negative"),
        (parse_money_fen, "5 USD", "not a unit"),
    ],
)
def test_wrong_quantities_say_what_would_be_right(parse, text, says):
    with pytest.raises(ScenarioError, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("    patience: 4 min", "    pateince: 4 min", 10, "pateince.*Did you mean 'patience'"),
        ("    pool: agents", "    pool: agent", 8, "no pool 'agent'.*'agents'"),
        ("    next: done", "    next: dome", 11, "no node 'dome'.*'done'"),
        ("start: call", "start: cal", 2, "no node 'cal'.*'call'"),
        ("    kind: task", "    kind: tsak", 6, "'tsak' is not known.*'task'"),
        ("cv: 1.0", "cv: -1", 9, "cv.*greater than 0"),
        ("mean: 5 min", "mean: 5", 9, "mean.*no unit"),
        ("mean: 5 min", "mean: 5 mins_", 9, "mean.*Did you mean 'min'"),
        ("lognormal", "lognromal", 9, "lognromal.*'lognormal'"),
        ("{staff: 3}", "{staff: -3}", 4, "staff"),
        ("{staff: 3}", "{staf: 3}", 4, "unknown key 'staf'.*'staff'"),
        ("{staff: 3}", "{}", 4, "either staff or shifts"),
        (", cv: 1.0", "", 9, "lognormal needs cv"),
        ("    kind: end", "    kind: end\n    outcome: serve", 14, "outcome.*served"),
        ("name: desk", "nmae: desk", 1, "name"),
        ("    next: done", "    next: [{to: done, probability: 0.5}]", 11, "sum to 0.5"),
        ("  agents: {staff: 3}", "  agents: {staff: 3", 5, "not YAML"),
        ("    patience: 4 min", "    rework: {to: call, probability: 1.2}", 10, "probability.*less than or equal to 1"),
        ("    patience: 4 min", "    rework: {to: call, probability: 0.2, limit: 3}", 10, "belong together"),
    ],
)
def test_errors_in_a_file_name_line_key_and_nearest_name(old, new, line, says):
    assert old in GOOD
    with pytest.raises(ScenarioError, match=rf"(?s)^desk\.yaml:{line}\b.*{says}"):
        parse_process(GOOD.replace(old, new), "desk.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml"):
        load_process(tmp_path / "nowhere.yaml")


def test_choices_that_circle_in_no_time_are_refused():
    text = """
name: circle
start: a
nodes:
  a: {kind: choice, next: [{to: b, probability: 0.5}, {to: done, probability: 0.5}]}
  b: {kind: choice, next: a}
  done: {kind: end}
"""
    parse_process(text, "circle.yaml")  # a case goes round twice in the mean
    for way in ("a", "b"):
        endless = text.replace("to: done", f"to: {way}").replace(
            "done: ", "a2: {kind: delay, duration: 1 s, next: a}\n  done: "
        )
        with pytest.raises(ScenarioError, match=r"5 nodes\.a.*in no time"):
            parse_process(endless, "circle.yaml")
    multiplying = text.replace("b: {kind: choice, next: a}", "b: {kind: fork, next: [b, a]}")
    with pytest.raises(ScenarioError, match=r"6 nodes\.b.*in no time"):
        parse_process(multiplying, "circle.yaml")


def test_a_model_built_in_python_is_checked_too():
    from twin.process.compile import compile_process

    model = ProcessModel.model_validate({"name": "x", "start": "a", "nodes": {"a": {"kind": "choice", "next": "b"}}})
    with pytest.raises(ScenarioError, match="no node 'b'"):
        compile_process(model)


@pytest.mark.parametrize(
    ("spec", "law"),
    [
        ({"distribution": "lognormal", "mean": "1 s", "cv": 1.0}, stats.lognorm(np.sqrt(np.log(2)), scale=0.5**0.5)),
        ({"distribution": "gamma", "mean": "1 s", "cv": 0.7}, stats.gamma(1 / 0.49, scale=0.49)),
        ({"distribution": "exponential", "mean": "1 s"}, stats.expon()),
        ({"distribution": "uniform", "low": "0 s", "high": "2 s"}, stats.uniform(0, 2)),
        ({"distribution": "weibull_min", "mean": "1 s", "parameters": {"c": 1.0}}, stats.expon()),
        ({"distribution": "invgauss", "mean": "1 s", "parameters": {"mu": 1.0}}, stats.invgauss(1.0)),
    ],
)
def test_tabulated_quantiles_are_those_of_the_distribution(spec, law):
    table = DistributionTable()
    row = table.row(Distribution.model_validate(spec))
    kinds, parameters, tables = table.arrays()
    words = np.concatenate([np.linspace(0, 2**32 - 1, 5001), 2.0 ** np.arange(32), 2**32 - 1 - 2.0 ** np.arange(31)])
    for word in words.astype(np.int64).tolist():
        # The exponential is drawn by its survival function, so a small word gives a long duration.
        rank = 2**32 - 1 - word if kinds[row] == EXPONENTIAL else word
        exact = law.ppf((rank + 0.5) / 2**32) if rank < 2**31 else law.isf((2**32 - rank - 0.5) / 2**32)
        assert sample(row, kinds, parameters, tables, word) / 1e9 == pytest.approx(exact, rel=1e-3, abs=2e-9)


def test_a_sample_is_drawn_with_its_mean_and_range():
    table = DistributionTable()
    values = [1.0, 2.0, 2.0, 3.0, 10.0]
    row = table.row(Distribution.model_validate({"distribution": "sample", "values": values, "unit": "1 s"}))
    arrays = table.arrays()
    drawn = np.asarray([sample(row, *arrays, w) for w in np.arange(0, 2**32, 2**16 + 1)]) / 1e9
    assert drawn.mean() == pytest.approx(np.mean(values), rel=1e-3)
    assert drawn.min() >= 0.9
    assert drawn.max() <= 10.5
