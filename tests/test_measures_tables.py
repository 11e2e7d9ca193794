"""Tidy tables, the registry of measures, statistics over replications, and cost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from twin.clock import HOUR, MINUTE
from twin.errors import RunError, ScenarioError
from twin.measures.cost import UnitPrices, Usage, cost_day
from twin.measures.scorecard import DIMENSIONS, REGISTRY, headline, measure
from twin.measures.statistics import Direction, Estimate, Verdict, estimate, paired_difference, verdict
from twin.measures.tidy import MEASURES_SCHEMA, TIMELINE_SCHEMA, MeasureTable, Timeline


def test_every_measure_is_named_in_both_languages_and_can_be_shown() -> None:
    for name, found in REGISTRY.items():
        assert found.name == name
        assert found.dimension in DIMENSIONS
        assert found.label("en").isascii()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in found.label("zh"))
        assert found.text(0.5)
        assert found.format.endswith("%") == (found.unit == "share")
    assert {m.dimension for m in headline()} == set(DIMENSIONS)
    assert 12 <= len(headline()) <= 25


def test_unknown_measure_names_the_nearest() -> None:
    with pytest.raises(RunError, match="'order_latency_p99'"):
        measure("order_latency_p98")


def test_measures_survive_a_parquet_file(tmp_path: Path) -> None:
    table = MeasureTable(7)
    table.add("order_latency_p99", 61.5)
    table.add("utilisation", 0.4, "core", 15 * HOUR)
    arrow = table.table()
    assert arrow.schema == MEASURES_SCHEMA
    pq.write_table(arrow, tmp_path / "measures.parquet")
    back = pq.read_table(tmp_path / "measures.parquet")
    assert back.to_pylist() == [
        {
            "replication": 7,
            "dimension": "client_experience",
            "measure": "order_latency_p99",
            "segment": "",
            "time_ns": -1,
            "value": 61.5,
        },
        {
            "replication": 7,
            "dimension": "operating_efficiency",
            "measure": "utilisation",
            "segment": "core",
            "time_ns": 15 * HOUR,
            "value": 0.4,
        },
    ]


def test_tables_of_replications_can_be_joined() -> None:
    tables = []
    for replication, name in enumerate(("complaints", "logins")):
        table = MeasureTable(replication)
        table.add(name, replication)
        tables.append(table.table())
    joined = pa.concat_tables(tables).unify_dictionaries()
    assert joined.column("measure").to_pylist() == ["complaints", "logins"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_measure_without_a_value_is_refused(value: float) -> None:
    with pytest.raises(RunError, match="complaints"):
        MeasureTable().add("complaints", value)


def test_empty_tables_have_their_schema() -> None:
    assert MeasureTable().table().schema == MEASURES_SCHEMA
    assert Timeline().table().schema == TIMELINE_SCHEMA


def test_timeline_keeps_order_and_drops_unknown_values() -> None:
    line = Timeline(2)
    line.add("queue_length", [1, 2, 3], [0.5, math.nan, 1.5], "core")
    line.add("orders_per_s", 4, 9)
    table = line.table()
    assert table.schema == TIMELINE_SCHEMA
    assert len(line) == table.num_rows == 3
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows == [
        (2, "queue_length", "core", 1, 0.5),
        (2, "queue_length", "core", 3, 1.5),
        (2, "orders_per_s", "", 4, 9.0),
    ]
    with pytest.raises(RunError, match="queue_length"):
        line.add("queue_length", [1, 2], [1.0])


def test_interval_equals_scipy() -> None:
    values = np.array([3.0, 4.5, 2.5, 5.0, 4.0])
    low, high = stats.t.interval(0.9, 4, loc=values.mean(), scale=stats.sem(values))
    assert estimate(values, 0.9).interval == pytest.approx((low, high), rel=1e-12)


def test_one_replication_gives_no_interval_and_no_verdict() -> None:
    result = paired_difference([3.0], [9.0], Direction.LOWER)
    assert result.estimate == Estimate(6.0, None, 1)
    assert result.estimate.interval is None
    assert result.verdict is Verdict.ROSE_ONCE


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert estimate([0.1, 0.1, 0.1]).half_width == 0.0


@pytest.mark.parametrize(
    ("mean", "half_width", "direction", "expected"),
    [
        (2.0, 1.0, Direction.HIGHER, Verdict.BETTER),
        (2.0, 1.0, Direction.LOWER, Verdict.WORSE),
        (-2.0, 1.0, Direction.LOWER, Verdict.BETTER),
        (-2.0, 1.0, Direction.HIGHER, Verdict.WORSE),
        (2.0, 1.0, Direction.NEUTRAL, Verdict.MORE),
        (-2.0, 1.0, Direction.NEUTRAL, Verdict.LESS),
        (1.0, 1.0, Direction.HIGHER, Verdict.CANT_TELL),
        (0.0, 0.0, Direction.HIGHER, Verdict.SAME),
        (-3.0, 0.0, Direction.LOWER, Verdict.BETTER),
    ],
)
def test_verdict_needs_an_interval_that_excludes_zero(
    mean: float, half_width: float, direction: Direction, expected: Verdict
) -> None:
    assert verdict(Estimate(mean, half_width, 5), direction) is expected


def test_common_luck_makes_a_small_difference_visible() -> None:
    luck = np.random.default_rng(1).normal(100.0, 30.0, 8)
    noise = np.random.default_rng(2).normal(0.0, 0.1, 8)
    assert paired_difference(luck, luck - 1.0 + noise, Direction.LOWER).verdict is Verdict.BETTER
    unpaired = stats.ttest_ind(luck, luck - 1.0 + noise)
    assert unpaired.pvalue > 0.5


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(2_000):
        low, high = estimate(rng.normal(5.0, 2.0, 4)).interval or (0.0, 0.0)
        hits += low <= 5.0 <= high
    assert abs(hits / 2_000 - 0.95) < 4.5 * math.sqrt(0.95 * 0.05 / 2_000)


def test_values_that_have_no_mean_are_refused() -> None:
    for values in ([], [1.0, math.nan], [[1.0]]):
        with pytest.raises(RunError):
            estimate(values)
    with pytest.raises(RunError, match="level"):
        estimate([1.0, 2.0], 1.0)
    with pytest.raises(RunError, match="paired"):
        paired_difference([1.0], [1.0, 2.0])


def test_cost_is_hours_times_wage_and_capacity_times_price() -> None:
    prices = UnitPrices(staff_hour=12_000, staff_hour_of={"adviser": 30_000}, core_per_1000=2_000_000, gateway_day=7)
    usage = Usage(
        {"service desk": 90 * MINUTE, "adviser": 2 * HOUR}, core_capacity=8_500, gateways=3, late_open=30 * MINUTE
    )
    costs = cost_day(usage, prices)
    assert costs["staff: service desk"] == 18_000
    assert costs["staff: adviser"] == 60_000
    assert costs["core capacity"] == 17_000_000
    assert costs["exchange gateways"] == 21
    assert costs["late open"] == 30 * prices.late_open_per_minute
    assert costs["acquisition"] == costs["complaints"] == costs["settlement reserve"] == 0


@settings(max_examples=50, derandomize=True)
@given(time=st.integers(0, 10**16), wage=st.integers(0, 10**6))
def test_wages_are_rounded_half_up_to_the_fen(time: int, wage: int) -> None:
    cost = cost_day(Usage({"desk": time}), UnitPrices(staff_hour=wage))["staff: desk"]
    assert -HOUR <= 2 * (time * wage - cost * HOUR) < HOUR


def test_negative_price_is_refused() -> None:
    with pytest.raises(ScenarioError, match="adviser"):
        UnitPrices(staff_hour_of={"adviser": -1})
