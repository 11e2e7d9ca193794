"""A day of the whole exchange alone: the same for any number of processes, whole, and as busy as asked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from scenarios import market_day
from scenarios.market_day import MarketDay, market_days, simulate_market
from scenarios.market_saved import save_market
from twin.contracts import MessageKind, TapeKind
from twin.errors import ScenarioError
from twin.world import MarketConfig

PLAN = MarketDay(MarketConfig(instruments=40), orders=60_000, seed=5)


@pytest.mark.slow
def test_result_is_equal_for_one_and_two_workers_and_other_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    one = simulate_market(PLAN)
    assert simulate_market(PLAN, workers=2).fingerprint() == one.fingerprint()
    monkeypatch.setattr(market_day, "CHUNK", 3)
    assert simulate_market(PLAN).fingerprint() == one.fingerprint()
    assert (
        simulate_market(MarketDay(MarketConfig(instruments=40), orders=60_000, seed=6)).fingerprint()
        != one.fingerprint()
    )
    assert one.orders.sum() == pytest.approx(60_000, rel=0.06)
    assert np.array_equal(one.instrument, np.arange(40))
    assert np.all(one.trades > 0)


@pytest.mark.slow
def test_result_is_equal_for_three_workers() -> None:
    assert simulate_market(PLAN, workers=3).fingerprint() == simulate_market(PLAN).fingerprint()


@pytest.mark.slow
def test_an_instrument_can_be_replayed_alone() -> None:
    totals = simulate_market(PLAN)
    (day,) = market_days(PLAN, [7])
    row = totals.take(totals.instrument == 7)
    new = day.messages.take(day.messages.kind == MessageKind.NEW_LIMIT)
    trades = day.tape.take(day.tape.kind == TapeKind.TRADE)
    assert len(new) == row.orders[0]
    assert len(day.messages) - len(new) == row.cancels[0]
    assert len(trades) == row.trades[0]
    assert trades.quantity.sum() == row.volume[0]
    assert (trades.quantity * trades.price).sum() == row.turnover[0]
    assert np.array_equal(new.order, np.arange(len(new)))  # numbers of the day's orders, none used twice
    assert np.all(np.diff(day.tape.time) >= 0)


def test_every_share_sent_is_traded_cancelled_or_expired() -> None:
    for day in market_days(PLAN, [0, 11]):
        tape = day.tape
        accepted = tape.quantity[tape.kind == TapeKind.ACCEPTED].sum()
        traded = tape.quantity[tape.kind == TapeKind.TRADE].sum()
        ended = tape.quantity[(tape.kind == TapeKind.CANCELLED) | (tape.kind == TapeKind.EXPIRED)].sum()
        assert accepted == 2 * traded + ended
        assert set(np.unique(tape.kind)) <= {0, 1, 2, 4}  # nobody sends what the exchange refuses


def test_what_is_written_is_what_happened(tmp_path: Path) -> None:
    plan = MarketDay(MarketConfig(instruments=3), orders=6_000)
    totals = save_market(plan, tmp_path / "day")
    tapes = [pq.read_table(f) for f in sorted((tmp_path / "day").glob("tape-*.parquet"))]
    trades = sum(int((t["kind"].to_numpy() == TapeKind.TRADE).sum()) for t in tapes)
    assert trades == totals.trades.sum()
    assert pq.read_table(tmp_path / "day" / "totals.parquet").num_rows == 3


def test_a_killed_run_goes_on_in_its_folder(tmp_path: Path) -> None:
    plan = MarketDay(MarketConfig(instruments=40), orders=20_000)
    whole = save_market(plan, tmp_path / "whole")
    written = {f.name: f.read_bytes() for f in (tmp_path / "whole").iterdir()}

    def killed(done: int, n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_market(plan, tmp_path / "day", progress=killed)
    first = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "day").glob("totals-*")}
    assert len(first) == 1
    (tmp_path / "day" / "tape-99999.part").write_bytes(b"half of it")
    assert save_market(plan, tmp_path / "day").fingerprint() == whole.fingerprint()
    (name,) = first
    assert (tmp_path / "day" / name).stat().st_mtime_ns == first[name]
    assert {f.name: f.read_bytes() for f in (tmp_path / "day").iterdir() if f.suffix != ".part"} == written


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    plan = MarketDay(MarketConfig(instruments=3), orders=6_000)
    save_market(plan, tmp_path / "day")
    with pytest.raises(ScenarioError, match=r"another day \(differs in seed\)"):
        save_market(MarketDay(plan.market, orders=plan.orders, seed=2), tmp_path / "day")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(ScenarioError, match="not empty"):
        save_market(plan, tmp_path / "other")


@pytest.mark.parametrize("change", [{"date": dt.date(2024, 10, 6)}, {"orders": 0.0}])
def test_impossible_days_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ScenarioError):
        MarketDay(**change)  # type: ignore[arg-type]


def test_no_workers_are_refused() -> None:
    with pytest.raises(ScenarioError, match="workers"):
        simulate_market(PLAN, workers=0)
