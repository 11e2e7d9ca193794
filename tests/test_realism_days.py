"""Stock-days from messages and tapes, the facts and their verdicts, the simulated market and the metaorder in it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from scenarios.realism.battery import Battery
from scenarios.realism.day import DayBuilder, StockDay, recorded_day, simulated_day
from scenarios.realism.facts import Fact, Holds, read_facts
from scenarios.realism.impact import _fitted, impact_study
from scenarios.realism.simulate import Parent, Stock, named_stock, simulate, simulate_day, stock_like
from scenarios.realism.study import read_recorded, run_study
from twin.clock import MINUTE, SECOND, at
from twin.contracts import MessageKind, TapeKind
from twin.errors import DataError, ScenarioError
from twin.matching.sse_l2 import read_day
from twin.measures import stylised
from twin.measures.resampling import Measured, Resampler
from twin.measures.stylised import CONTINUOUS
from twin.randomness import Streams

QUIET = Stock("quiet", 2_000, 4_000)


@pytest.fixture(scope="module")
def quiet_day() -> StockDay:
    return simulate_day(QUIET, seed=3)


def measured(value: float, half: float = 0.0) -> Measured:
    return Measured(value, value - half, value + half, 100, "by hand")


def test_a_book_rebuilt_by_hand() -> None:
    build, t = DayBuilder(), at("09:30")
    build.new(t, 1, 1, 100, 500)
    build.new(t + SECOND, 2, -1, 102, 300)
    build.new(t + 2 * SECOND, 3, 1, 102, 400)
    build.trade(t + 2 * SECOND, 3, 2, 102, 300)
    build.new(t + 20 * SECOND, 4, -1, 104, 200)
    build.cancel(t + 21 * SECOND, 1)
    build.reduce(t + 22 * SECOND, 4, 50)
    build.new(t + 23 * SECOND, 5, 1, 0, 100)
    build.trade(t + 23 * SECOND, 5, 4, 104, 100)
    day = build.day("by hand", recorded=True)
    assert list(zip(day.orders.bid.tolist(), day.orders.ask.tolist(), strict=True)) == [
        (0, 0), (100, 0), (100, 102), (102, 0), (102, 104),
    ]  # fmt: skip
    assert day.trades.sign.tolist() == [1, 1]
    assert day.orders.fate.tolist() == [-1, 1, 0, 0, 1]
    assert day.orders.filled.tolist() == [0, 300, 300, 100, 100]
    assert day.cancels.tolist() == [t + 21 * SECOND]
    last = {name: int(getattr(day.quotes, name)[-1]) for name in ("bid", "ask", "bid_quantity", "ask_quantity")}
    assert last == {"bid": 102, "ask": 104, "bid_quantity": 100, "ask_quantity": 50}
    assert len(day.depth) == len(day.depth_time) == sum((end - start) // (10 * SECOND) for start, end in CONTINUOUS)
    assert day.depth[1, :, :2].tolist() == [[102, 100], [100, 500], [0, 0], [0, 0]]


def test_the_rebuilt_book_is_the_engines(quiet_day: StockDay) -> None:
    run = simulate(QUIET, Streams(3))
    day = quiet_day
    trades = run.tape.kind == TapeKind.TRADE
    assert day.volume == int(run.tape.quantity[trades].sum())
    assert len(day.orders) == int((run.tape.kind == TapeKind.ACCEPTED).sum())
    mids = Battery(day).mid
    for time in (at("10:00"), at("11:00"), at("14:30")):
        row = int(np.searchsorted(day.quotes.time, time)) - 1
        assert mids[row] == run.mid[int(np.searchsorted(run.time, time))]


def test_a_day_without_trading_has_no_statistics_rather_than_wrong_ones() -> None:
    run = simulate(QUIET, Streams(3), until=at("09:30"))
    assert Battery(simulated_day(run.tape, 0, "call only")).statistics == {}


@pytest.mark.parametrize(
    ("value", "half", "verdict"),
    [(0.5, 0.1, Holds.YES), (0.9, 0.2, Holds.LIKELY), (1.1, 0.2, Holds.DOUBTFUL), (2.0, 0.5, Holds.NO)],
)
def test_a_verdict_follows_the_interval(value: float, half: float, verdict: Holds) -> None:
    fact = Fact("x", "book", "x", "x", low=0, high=1, tolerance=1)
    assert fact.published(measured(value, half)) is verdict
    assert fact.against(measured(value + 7, half), measured(7)) is verdict
    assert fact.published(measured(math.nan)) is Holds.UNKNOWN
    assert fact.against(measured(1), measured(math.nan)) is Holds.UNKNOWN


def test_a_recorded_interval_widens_the_difference() -> None:
    fact = Fact("x", "book", "x", "x", tolerance=0.1, relative=True)
    assert fact.against(measured(105, 1), measured(100, 1)) is Holds.YES
    assert fact.against(measured(105, 1), measured(100, 20)) is Holds.LIKELY
    assert fact.against(measured(125, 1), measured(100, 20)) is Holds.DOUBTFUL


def test_every_fact_has_a_statistic_a_range_or_a_tolerance_and_a_source(quiet_day: StockDay) -> None:
    facts = read_facts()
    names = set(Battery(quiet_day, replications=20).statistics) | {"metaorder", "metaorder_level"}
    assert len({fact.key for fact in facts}) == len(facts) > 30
    for fact in facts:
        assert fact.key in names
        ranged = fact.low is not None or fact.high is not None
        assert ranged or fact.tolerance is not None, fact.key
        assert ranged == bool(fact.source), fact.key
        assert fact.name("zh") != fact.name("en")


def test_a_fact_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.yaml"
    path.write_text("- {key: x, group: book, en: x, zh: x, bound: 3}\n")
    with pytest.raises(DataError, match="bound"):
        read_facts(path)


def _with_returns(day: StockDay, returns: np.ndarray) -> StockDay:
    """The day with mid prices that make given 10-second returns."""
    from dataclasses import replace

    from scenarios.realism.day import DayQuotes

    ends = np.concatenate([np.arange(a, b, 10 * SECOND) for a, b in CONTINUOUS])
    price = np.round(1e7 * np.exp(np.cumsum(returns[: len(ends)]))).astype(np.int64)
    shares = np.full(len(ends), 100)
    return replace(day, quotes=DayQuotes(ends, price - 1, price + 1, shares, shares))


def test_power_a_gaussian_walk_has_no_heavy_tails_and_no_clustering(quiet_day: StockDay) -> None:
    facts = {fact.key: fact for fact in read_facts()}
    walk = _with_returns(quiet_day, 1e-3 * np.random.default_rng(5).standard_normal(1_500))
    found = Battery(walk).statistics
    assert facts["kurtosis_10s"].published(found["kurtosis_10s"]) is Holds.NO
    assert facts["abs_acf"].published(found["abs_acf"]) is Holds.NO
    assert found["tail_exponent"].value > 4.5
    heavy = np.random.default_rng(5).standard_t(3, size=1_500) * 1e-3
    real = Battery(_with_returns(quiet_day, heavy)).statistics
    assert facts["kurtosis_10s"].published(real["kurtosis_10s"]) is Holds.YES
    assert facts["tail_exponent"].published(real["tail_exponent"]) in (Holds.YES, Holds.LIKELY)


def test_power_shuffled_signs_have_no_memory(quiet_day: StockDay) -> None:
    fact = next(fact for fact in read_facts() if fact.key == "sign_memory")
    from dataclasses import replace

    rows = np.random.default_rng(1).permutation(len(quiet_day.trades))
    trades = replace(
        quiet_day.trades, sign=np.where(rows % 2 == 0, 1, -1), taker=np.arange(len(rows)) % len(quiet_day.orders)
    )
    shuffled = Battery(replace(quiet_day, trades=trades)).statistics["sign_memory"]
    assert fact.published(shuffled) is Holds.NO


def test_the_same_seed_gives_the_same_day_and_another_replication_does_not(quiet_day: StockDay) -> None:
    again, other = simulate_day(QUIET, seed=3), simulate_day(QUIET, seed=3, replication=1)
    assert np.array_equal(again.trades.price, quiet_day.trades.price)
    assert not np.array_equal(other.orders.price[:500], quiet_day.orders.price[:500])
    assert len(quiet_day.orders) == pytest.approx(QUIET.orders, rel=0.1)


def test_stocks_are_named_or_given_by_price_and_orders() -> None:
    assert named_stock("low-priced").previous_close == 1_450
    assert (named_stock("12.5:3000").previous_close, named_stock("12.5:3000").orders) == (1_250, 3_000)
    for wrong in ("nothing", "12.5", "12.5:many", "0.01:100", "10:0", "1e400:1"):
        with pytest.raises(ScenarioError):
            named_stock(wrong)


def test_a_parent_order_is_worked_in_whole_lots_and_moves_the_price() -> None:
    plain = simulate(QUIET, Streams(3), until=at("11:00"))
    parent = Parent(1, 60_000, at("10:00"), at("11:00"))
    run = simulate(QUIET, Streams(3), parent=parent, until=at("11:00"))
    own = (run.tape.kind == TapeKind.TRADE) & (run.tape.order < 200)
    assert run.filled == int(run.tape.quantity[own].sum()) == 60_000
    assert np.all(run.tape.side[own] == 1)
    assert run.tape.time[own].min() >= at("10:00")
    assert np.diff(np.unique(run.tape.time[own])).min() >= 30 * SECOND
    before = run.time <= at("10:00")
    assert np.array_equal(run.mid[before], plain.mid[before])
    late = run.time > at("11:00") - 5 * MINUTE
    assert run.mid[late].mean() > plain.mid[late].mean()
    assert MessageKind.NEW_MARKET == 1


def test_without_impact_no_law_is_fitted() -> None:
    share = np.array([0.001, 0.01, 0.1])
    noise = np.random.default_rng(1).standard_normal((10, 3))
    noise -= noise.mean(axis=0)
    by = Resampler(replications=100)
    assert not _fitted(share, share, noise, 1e6, 0.02, by).exponent.known
    found = _fitted(share, share, 0.01 * noise + 0.8 * np.sqrt(share), 1e6, 0.02, by)
    assert found.exponent.value == pytest.approx(0.5, abs=0.02)
    assert found.level.value == pytest.approx(0.8, abs=0.02)


@pytest.mark.slow
def test_the_impact_study_reports_what_was_filled_and_its_errors() -> None:
    told: list[float] = []
    study = impact_study(QUIET, 1, shares=(0.01, 0.05, 0.2), replications=3, progress=told.append)
    assert study.impacts.shape == (3, 3)
    assert study.filled == pytest.approx(study.share, rel=0.3)
    assert study.mean[2] > 0
    assert np.all(study.error > 0)
    assert told[-1] == 1
    assert told == sorted(told)


def test_a_study_without_a_recording_judges_by_the_literature_alone(quiet_day: StockDay) -> None:
    stages: list[str] = []
    study = run_study(
        QUIET, None, days=2, impact_days=0, replications=20, progress=lambda stage, _part: stages.append(stage)
    )
    assert {"simulate", "measure"} <= set(stages)
    for finding in study.findings:
        assert finding.recorded is None
        assert finding.against is Holds.UNKNOWN
        assert finding.verdict is finding.published
    assert sum(study.count(verdict) for verdict in Holds) == len(study.findings)


@pytest.mark.slow
@pytest.mark.data
def test_a_recorded_day_agrees_with_itself_and_not_with_another(shared_data: Path) -> None:
    folders = ("sse_l2_605580_20230711", "sse_l2_600536_20230711")
    one, other = (
        Battery(recorded_day(read_day(shared_data / "market" / name)), replications=100).statistics for name in folders
    )
    facts = [fact for fact in read_facts() if fact.tolerance is not None]
    own = [fact.against(one[fact.key], one[fact.key]) for fact in facts if one[fact.key].known]
    assert Holds.NO not in own
    assert Holds.DOUBTFUL not in own
    across = {fact.key: fact.against(one[fact.key], other[fact.key]) for fact in facts}
    assert across["one_lot"] is Holds.NO
    assert across["best_depth"] is Holds.NO


@pytest.mark.data
def test_the_stock_of_a_recorded_day_has_its_price_and_activity(shared_data: Path) -> None:
    day = recorded_day(read_day(shared_data / "market" / "sse_l2_600519_20230207"))
    stock = stock_like(day)
    assert stock.previous_close == 179_500
    assert stock.orders == 44_278
    assert day.price == pytest.approx(4_373_671_735.48 / 2_432_171, rel=1e-6)


@pytest.mark.slow
@pytest.mark.data
def test_a_lobster_day_is_measured_by_its_own_hours(shared_data: Path) -> None:
    folder = shared_data / "market"
    reference = json.loads((folder / "reference_stats.json").read_text())["lobster_AMZN_L5"]
    day = read_recorded(folder / "lobster_20120621" / "LOBSTER_SampleFile_AMZN_2012-06-21_5.zip")
    rested = day.orders.price > 0
    kinds = reference["types"]
    assert int(rested.sum()) == kinds["1"]
    assert len(day.trades) == kinds["4"] + kinds["5"]
    assert len(day.cancels) == kinds["2"] + kinds["3"]
    assert int(day.orders.filled[~rested].sum()) == day.volume
    assert stylised.sizes(day.orders.quantity[rested]).hill_top5pct == pytest.approx(
        reference["new_order_size"]["hill_top5pct"], abs=5e-4
    )
    battery = Battery(day, replications=20)
    assert battery.statistics["spread_ticks"].value == pytest.approx(reference["time_weighted_spread_cents"], abs=1e-3)
    assert battery.statistics["volatility_bp"].value == pytest.approx(
        1e4 * reference["mid_returns_1min"]["std"], rel=0.01
    )
    assert battery.statistics["sign_acf"].value == pytest.approx(reference["exec_sign_acf"]["1"], abs=0.05)
    assert np.all(day.depth[100:, 1, :5] > 0)
