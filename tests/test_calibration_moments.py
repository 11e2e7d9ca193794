"""Moments of recorded and simulated days, and the search that brings them together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenarios.calibration import background_parameters, read_parameters
from scenarios.calibration.fit_flow import BOUNDS, Search, Target, point_at, table, transformed
from scenarios.calibration.moments import Stock, quantiles, recorded_moments, simulated_moments, stock_of
from scenarios.calibration.recording import read_recording

STOCK = Stock("a stock", 2_000, 4_000, 0.02)


@pytest.mark.data
def test_recorded_moments_equal_the_reference(shared_data: Path) -> None:
    """Computed once by other code from the same day (reference_stats.json)."""
    folder = shared_data / "market" / "sse_l2_605580_20230711"
    reference = json.loads((shared_data / "market" / "reference_stats.json").read_text())[folder.name]
    recording = read_recording(folder)
    moments, stock = recorded_moments(recording), stock_of(recording)
    assert moments["share_marketable"] == pytest.approx(reference["placement_share"]["marketable"], abs=0.005)
    assert moments["cancels_per_order"] == pytest.approx(reference["counts"]["cancel_per_new"], abs=1e-4)
    assert moments["acf_gap_1"] == pytest.approx(reference["new_order_interarrival_s"]["acf"]["1"], abs=0.01)
    assert moments["acf_sign_10"] == pytest.approx(reference["aggressor_sign"]["acf"]["10"], abs=0.02)
    assert moments["spread_ticks"] == pytest.approx(reference["spread"]["time_weighted_ticks"], rel=0.05)
    assert stock.orders == reference["counts"]["new"]


def test_equal_seeds_give_equal_days_and_days_differ() -> None:
    p = background_parameters()
    first, again = (simulated_moments(p, STOCK, 0.7, days=2, seed=3) for _ in range(2))
    other = simulated_moments(p, STOCK, 0.7, days=2, seed=4)
    assert first == again
    assert first[0] != first[1]
    assert first != other
    band = quantiles(first)["spread_ticks"]
    assert band["low"] <= band["mean"] <= band["high"]


def test_more_news_moves_the_price_more() -> None:
    p = replace(background_parameters(), signal=0.0)
    calm, wild = (simulated_moments(p, STOCK, share, days=2, seed=3) for share in (0.3, 1.5))
    assert np.mean([d["sd_1min_bp"] for d in wild]) > 1.5 * np.mean([d["sd_1min_bp"] for d in calm])


def test_distance_is_least_where_the_target_came_from() -> None:
    """A target made by the model itself, with other luck, lies nearer to its own parameters than to others."""
    truth = point_at(np.full(len(BOUNDS), 0.5))
    wrong = {**truth, "signal": 1.0, "informed_slope": 0.15, "news_share": 1.2}
    work = Search(background_parameters(), [], days=2, seed=1)
    days = work.simulate(truth, STOCK, 4, 77)
    moments = {name: float(np.mean([day[name] for day in days])) for name in days[0]}
    work = Search(background_parameters(), [Target(STOCK, moments)], days=2, seed=1)
    work.scale(truth)
    assert work.distance(truth) < 1.5
    assert work.distance(wrong) > 2 * work.distance(truth)


def test_search_space_is_logarithmic_and_closed() -> None:
    low, high = point_at(np.zeros(len(BOUNDS))), point_at(np.full(len(BOUNDS), 2.0))
    for name, bounds in BOUNDS.items():
        assert (low[name], high[name]) == pytest.approx(bounds)
    middle = point_at(np.full(len(BOUNDS), 0.5))
    assert middle["tilt"] ** 2 == pytest.approx(low["tilt"] * high["tilt"])


def test_transformed_moments_leave_out_what_is_fitted_directly() -> None:
    moments = simulated_moments(background_parameters(), STOCK, 0.7, days=1, seed=1)[0]
    used = transformed(moments)
    assert set(moments) - set(used) == {"acf_gap_1", "acf_gap_100"}
    assert used["depth_best"] == pytest.approx(np.log(moments["depth_best"]))


def test_parameter_file_tells_fitted_from_assumed_and_reports_the_holdout() -> None:
    content = read_parameters("background.yaml")
    assert set(content["assumed"]) == {"orders_per_day", "attention_half_life_s", "heed"}
    assert set(content["simulated"]["values"]) == set(BOUNDS) - {"news_share"}
    holdout = content["holdout"]
    assert holdout["day"] not in content["source"]
    assert all(row["low"] <= row["high"] for row in holdout["moments"].values())
    assert holdout["day"] in table(holdout)
