"""Reading a recorded day, and the parameter files that came of the real ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from agents.background import BackgroundParameters
from scenarios.calibration import background_parameters, read_parameters
from scenarios.calibration.fit_index import fit as fit_index
from scenarios.calibration.fit_market import fit, profile_edges, rounded
from scenarios.calibration.recording import nanoseconds, read_recording
from twin.clock import TICK, at
from twin.errors import DataError, ScenarioError

FLOW = """biz_index,time,type,order_no,price_mills,qty,ioc,side
1,9150000,N,1,10000,300,0,B
2,9160000,N,2,9900,100,0,S
10,9300000,N,3,10100,200,0,S
11,9300100,N,4,10000,100,0,B
12,9310000,N,5,10100,100,1,B
14,9320000,C,4,10000,100,0,B
15,11300000,N,6,9000,100,0,B
16,14580000,N,7,10100,100,0,B
"""
TRADES = """biz_index,time,buy_no,sell_no,price,qty,bs_flag
5,9250000,1,2,9.95,100,N
12,9310000,5,3,10.1,100,B
17,15000000,7,3,10.1,100,N
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "toy_600000_20240102"
    path.mkdir()
    for name, text in (("flow", FLOW), ("trades", TRADES)):
        (path / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    return path


def test_replay_shows_each_order_the_book_before_it(folder: Path) -> None:
    day = read_recording(folder)
    assert (day.day, day.code, day.open_price, day.close_price) == ("2024-01-02", "600000", 995, 1010)
    assert (day.cancels, day.volume) == (1, 300)
    assert [(o.side, o.price, o.bid, o.ask) for o in day.orders] == [
        (1, 1000, 0, 0), (-1, 990, 1000, 0), (-1, 1010, 1000, 0), (1, 1000, 1000, 1010),
        (1, 1010, 1000, 1010), (1, 900, 1000, 1010), (1, 1010, 1000, 1010),
    ]  # fmt: skip
    assert [o.exact_price for o in day.orders] == [True, True, True, True, False, True, True]
    assert day.spread == 10


def test_life_runs_only_while_cancels_are_accepted(folder: Path) -> None:
    day = read_recording(folder)
    after_open = 300 + 7200 + 7020
    assert day.life.tolist() == [after_open, 240, after_open - 300, 119, 0, 7020, 0]
    assert day.ended_by_cancel.tolist() == [False, False, False, True, False, False, False]


def test_recording_without_files_or_day_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="names no code"):
        read_recording(tmp_path)
    (folder / "trades.csv.gz").unlink()
    with pytest.raises(DataError, match=r"trades\.csv\.gz"):
        read_recording(folder)


def test_trade_of_an_unknown_order_is_refused(folder: Path) -> None:
    (folder / "trades.csv.gz").write_bytes(gzip.compress(TRADES.replace("5,3", "99,3").encode()))
    with pytest.raises(DataError, match="unknown order 99"):
        read_recording(folder)


def test_time_of_the_feed_is_hundredths_of_seconds() -> None:
    assert nanoseconds(9300125) == at("09:30:01") + 250_000_000


def test_profile_edges_lie_on_ticks() -> None:
    edges = np.array(profile_edges())
    assert np.all(np.diff(edges) > 0)
    assert np.all((edges - at("09:15")) % TICK == 0)


def test_shipped_parameters_are_complete_and_sane() -> None:
    p = background_parameters()
    assert sum(p.profile.values()) == pytest.approx(1, abs=1e-3)
    assert np.allclose(p.placement.sum(axis=1), 1)
    assert 0.02 < p.attention_elasticity < 0.4
    first_half_hour = sum(share for start, share in p.profile.items() if at("09:30") <= start < at("10:00"))
    assert 0.15 < first_half_hour < 0.45


def test_missing_parameter_is_named() -> None:
    content = read_parameters("background.yaml")
    del content["sizes"]["pooled"]["log_value"]
    with pytest.raises(ScenarioError, match="log_value"):
        BackgroundParameters.from_fit(content)
    with pytest.raises(DataError, match="nowhere"):
        read_parameters("nowhere.yaml")


@pytest.mark.data
def test_recorded_day_gives_the_counts_measured_before(shared_data: Path) -> None:
    market = shared_data / "market"
    name = "sse_l2_605580_20230711"
    known = json.loads((market / "reference_stats.json").read_text())[name]
    day = read_recording(market / name)
    assert (len(day.orders), day.cancels, day.volume) == tuple(known["counts"][k] for k in ("new", "cancel", "volume"))
    assert day.spread == pytest.approx(known["spread"]["time_weighted_ticks"], rel=0.03)
    lives = day.life[day.ended_by_cancel]
    assert np.median(lives) == pytest.approx(known["cancelled_order_lifetime_s"]["median"], rel=0.25)  # other clock


@pytest.mark.data
@pytest.mark.slow
def test_shipped_background_is_what_the_recorded_days_give(shared_data: Path) -> None:
    shipped = read_parameters("background.yaml")
    folders = sorted((shared_data / "market").glob("sse_l2_*"))
    fitted = [folder for folder in folders if folder.name.split("_")[2] in shipped["source"]]
    assert len(fitted) == 2
    assert not any(folder.name.split("_")[2] in str(shipped["holdout"]) for folder in fitted)
    direct = {name: part for name, part in shipped.items() if name not in ("simulated", "holdout")}
    assert _close(rounded(fit([read_recording(folder) for folder in fitted])), direct)


@pytest.mark.data
def test_shipped_index_response_is_what_the_daily_bars_give(shared_data: Path) -> None:
    found = rounded(fit_index(shared_data / "market" / "daily_cn" / "sh000001.csv.gz", "2019-01-01"))
    assert _close(found, read_parameters("index.yaml"))


def _close(found: object, shipped: object) -> bool:
    """Equal, but for the optimiser's last digits."""
    if isinstance(found, dict) and isinstance(shipped, dict):
        return list(found) == list(shipped) and all(_close(found[key], shipped[key]) for key in found)
    if isinstance(found, list) and isinstance(shipped, list):
        return all(map(_close, found, shipped))
    if isinstance(found, float) and isinstance(shipped, float):
        return found == pytest.approx(shipped, rel=2e-3, abs=1e-6)
    return found == shipped
