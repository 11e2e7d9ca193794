"""Attributes and batches of a discovered process work in its process file, too: a what-if on them has its effect."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import discovery_cases as office
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_discovery_batching import RULES, found_in, shop
from test_discovery_effects import steered_log

from twin.clock import MINUTE
from twin.contracts import Segment
from twin.process.calendar import WorkCalendar
from twin.process.checks import require_sound
from twin.process.discovery import Options, columns_of, discover
from twin.process.discovery.as_process import _shares, as_process
from twin.process.discovery.attributes import levels_of
from twin.process.discovery.carried import Carried, batch_of
from twin.process.discovery.pieces import MISSING, Attribute, Batching, RouteEffect
from twin.process.executions import event_log
from twin.process.loader import parse_process
from twin.process.parts import Attribute as CaseAttribute
from twin.process.simulation import Plan, run_once
from twin.process.writer import process_text

MONDAY = dt.date(2024, 1, 1)


def logged(model, cases=2500, seed=7):
    return event_log(run_once(model, Plan(cases=cases, seed=seed, calendar=WorkCalendar(MONDAY)), 0, log=True), MONDAY)


@pytest.fixture(scope="module")
def steered():
    return steered_log()


@pytest.fixture(scope="module", params=["workforce", "timers"])
def converted(steered, request):
    return as_process(discover(steered, options=Options(structure=request.param, compare=False)))


def with_attributes(model, **values):
    """The model with other distributions of its attributes."""
    new = {f"case:{name}": CaseAttribute.model_validate(value) for name, value in values.items()}
    return model.model_copy(update={"attributes": model.attributes | new})


def measured(model):
    """Share of cases notified, and median minutes of a check."""
    log = columns_of(logged(model))
    check, notify = (log.activity == log.activities.index(name) for name in ("check", "notify"))
    return notify.sum() / log.cases, float(np.median((log.end - log.start)[check])) / MINUTE


def test_attributes_of_the_file_are_those_of_the_log(converted, steered):
    model, notes = converted
    assert list(model.attributes) == ["case:kind", "case:amount"]
    seen = steered.table.to_pandas().groupby("case").first()
    assert model.attributes["case:kind"].shares["firm"] == pytest.approx((seen["case:kind"] == "firm").mean(), abs=1e-3)
    values = np.array(model.attributes["case:amount"].values)
    for q in (0.1, 0.5, 0.9):
        assert np.quantile(values, q) == pytest.approx(seen["case:amount"].quantile(q), rel=0.02)
    assert any("each by itself" in text and "case:kind, case:amount" in text for text in notes)
    assert parse_process(process_text(model)) == model


def test_a_what_if_on_attributes_steers_routes_and_services(converted):
    low, high = ({"distribution": "constant", "mean": x} for x in (100.0, 60_000.0))
    private, firm = ({"shares": {"private": p, "firm": 1.0 - p}} for p in (1.0, 0.0))
    few, short = measured(with_attributes(converted.model, kind=private, amount=low))
    many, long = measured(with_attributes(converted.model, kind=firm, amount=high))
    assert few == pytest.approx(0.3, abs=0.08)
    assert many == pytest.approx(0.9, abs=0.06)
    assert long / short == pytest.approx(2.0, rel=0.15)
    share, minutes = measured(converted.model)
    assert share == pytest.approx(0.6, abs=0.05)
    assert short < minutes < long


@pytest.mark.parametrize("rule", RULES)
def test_batches_are_begun_by_the_rule_that_was_found(rule):
    log = shop(RULES[rule], cases=3000 if rule == "clock" else 1200)
    process = discover(log, options=Options(structure="workforce", compare=False))
    (batch,) = process.workforce.batching
    model, notes = as_process(process)
    assert not any("atches" in text for text in notes)
    assert parse_process(process_text(model)) == model
    (again,) = found_in(logged(model, cases=1500))
    assert again.rule == rule
    assert again.mean_size == pytest.approx(batch.mean_size, rel=0.12)


def test_times_of_batches_are_taken_over_where_all_days_are_alike():
    half_past = [day * 1440 + 930 for day in (0, 2, 4)]
    batch = batch_of(Batching(activity="a", rule="clock", week_minutes=half_past))
    assert (batch.at, batch.days) == ((930 * MINUTE,), frozenset({0, 2, 4}))
    assert batch_of(Batching(activity="a", rule="clock", week_minutes=[*half_past, 1440])) is None
    assert batch_of(Batching(activity="a", rule="none")) is None
    both = batch_of(Batching(activity="a", rule="size or wait", size=4, wait_seconds=90))
    assert (both.size, both.longest_wait) == (4, 90_000_000_000)


def attribute(name, values, levels):
    return Attribute(
        name=name, kind="category", type="text", levels=levels, texts=levels,
        level_of_text=list(range(len(levels))), value=np.array(values, np.int64),
    )  # fmt: skip


def steering(name, levels, factor, explained=0.1):
    return RouteEffect(
        after="a", by=name, levels=levels, followers=["b", ""], factor=factor, explained=explained
    )  # fmt: skip


def process_of(attributes, effects):
    rows = len(attributes[0].value)
    return SimpleNamespace(
        activities=["a", "b"], attributes=attributes, row_weight=np.full(rows, 1000), steering=effects,
        structure="timers", timing=SimpleNamespace(effects=[]), workforce=None,
    )  # fmt: skip


def test_levels_combine_and_cases_of_which_less_is_known_come_last():
    kind, size = ["x", "y"], ["s", "t"]
    attributes = [attribute("kind", [0, 1, MISSING], kind), attribute("segment", [0, 1, 1], size)]
    effects = [steering("kind", kind, [[2.0, 1.0], [0.5, 1.0]]), steering("segment", size, [[3.0, 1.0], [1.0, 5.0]])]
    carried = Carried.of(process_of(attributes, effects))
    assert list(carried.attributes["kind"].shares) == ["x", "y", "any other"]
    # The name is taken by the kind of client.
    assert list(carried.attributes) == ["kind", "segment in the log"]
    tilts = carried.tilts("a")
    assert [len(tilt.when.all) for tilt in tilts] == [2] * 4 + [0] * 4
    held = {
        tuple((leaf.attribute, leaf.is_in[0]) for leaf in tilt.when.leaves()): tilt.factor.tolist() for tilt in tilts
    }
    assert held[("kind", "x"), ("segment in the log", "t")] == [1.0, 2.0, 5.0]
    assert held[("kind", "y"),] == [1.0, 0.5, 1.0]
    assert carried.tilts("b") == ()


def test_combinations_that_are_too_many_lose_the_weakest_attribute_with_a_note():
    levels = [f"l{i}" for i in range(9)]
    attributes = [attribute(name, [*range(9)], levels) for name in ("strong", "weak")]
    factor = [[1.0 + i, 1.0] for i in range(9)]
    effects = [steering("weak", levels, factor, 0.1), steering("strong", levels, factor, 0.2)]
    carried = Carried.of(process_of(attributes, effects))
    assert {leaf.attribute for tilt in carried.tilts("a") for leaf in tilt.when.leaves()} == {"strong"}
    assert any("'a'" in text and text.endswith("weak.") for text in carried.notes)


def test_a_number_that_cases_lack_is_drawn_by_its_level():
    number = Attribute(
        name="amount", kind="numeric", type="float", levels=["to 5", "above 5", "none"], edges=[5.0],
        value=np.array([3, 5, 6, MISSING]), missing=2,
    )  # fmt: skip
    effect = RouteEffect(
        after="a", by="amount", levels=number.levels, followers=["b"], factor=[[1.0], [2.0], [3.0]], explained=0.1
    )
    carried = Carried.of(process_of([number], [effect]))
    assert carried.attributes["amount"].shares == pytest.approx({"to 5": 0.5, "above 5": 0.25, "none": 0.25})
    assert [tilt.factor[1] for tilt in carried.tilts("a")] == [1.0, 2.0, 3.0]


@settings(max_examples=60)
@given(st.lists(st.integers(-40, 40), min_size=3, max_size=30), st.integers(0, 2))
def test_conditions_on_a_number_hold_for_its_level(values, decimals):
    numbers = np.array(values)
    edges = sorted(set(numbers[numbers < numbers.max()].tolist()))[:3]
    if not edges:
        return
    labels = [f"level {i}" for i in range(len(edges) + 1)]
    known = Attribute(
        name="n", kind="numeric", type="float", levels=labels, edges=[e / 10**decimals for e in edges],
        decimals=decimals, value=numbers,
    )  # fmt: skip
    factor = [[float(i), 1.0] for i in range(len(labels))]
    carried = Carried.of(process_of([known], [steering("n", labels, factor)]))
    drawn = np.array(carried.attributes["n"].values)
    assert sorted(drawn) == sorted(numbers / 10**decimals)
    for x, level in zip(numbers / 10**decimals, levels_of(known).tolist(), strict=True):
        held = [
            tilt.factor[1]
            for tilt in carried.tilts("a")
            if x > (-np.inf if tilt.when.above is None else tilt.when.above)
            and x <= (np.inf if tilt.when.at_most is None else tilt.when.at_most)
        ]
        assert held == [level]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).filter(lambda w: sum(w) > 1e-3))
def test_shares_sum_to_one_and_none_is_negative(weights):
    shares = _shares(tuple(weights))
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert min(shares) >= 0.0
    assert shares == pytest.approx([w / sum(weights) for w in weights], abs=1e-5)


def test_converted_models_are_sound_for_every_kind_of_client(converted):
    require_sound(converted.model)
    for node in converted.model.nodes.values():
        for branch in getattr(node, "branches", ()):
            assert {branch.probability.of(s) for s in Segment} == {branch.probability.default}


def test_arrivals_by_timetable_come_by_timetable_again():
    rng = np.random.default_rng(3)
    rows = []
    for case in range(1500):
        at = office.MONDAY + case * 20 * MINUTE + int(rng.integers(0, 10 * MINUTE))
        rows.append((f"{case:05d}", "a", "ann", at, at + MINUTE))
    model = as_process(discover(office.log_of(rows), options=Options(structure="workforce", compare=False))).model

    def unevenness(arrivals):
        """Variance of the cases of whole days over their mean."""
        log = columns_of(logged(model.model_copy(update={"arrivals": arrivals})))
        count = np.bincount((log.first - log.first.min()) // office.DAY)[1:-1]
        return float(count.var() / count.mean())

    assert model.arrivals.spacing.run > 1
    assert unevenness(model.arrivals) < 0.15
    assert unevenness(model.arrivals.model_copy(update={"spacing": None})) > 0.4
