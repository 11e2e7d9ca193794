"""Patience under censoring: known curves, simulated Erlang-A queues, and estimators that must be seen to fail."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clock import SECOND
from twin.contracts import Requests
from twin.errors import DataError
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.patience import fit_patience, hazard, kaplan_meier, tailed_mean
from twin.randomness import Streams


def product_limit(waits, ended):
    """The estimate by its definition, one time after the other."""
    share, curve, variance = 1.0, {}, 0.0
    for t in sorted(set(waits)):
        d = sum(e for w, e in zip(waits, ended, strict=True) if w == t)
        n = sum(w >= t for w in waits)
        if d:
            share *= 1 - d / n
            variance += d / (n * (n - d)) if n > d else np.inf
            curve[t] = (share, variance)
    return curve


records = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=30).filter(
    lambda rows: any(e for _, e in rows)
)


@settings(deadline=None)
@given(records)
def test_curve_equals_its_definition(rows):
    waits, ended = map(list, zip(*rows, strict=True))
    expected = product_limit(waits, ended)
    found = kaplan_meier(waits, ended)
    assert found.times.tolist() == sorted(expected)
    assert found.share == pytest.approx([expected[t][0] for t in found.times], abs=1e-12)
    assert found.at(max(waits) + 1) == pytest.approx(found.share[-1])
    inside = (found.share > 0) & (found.share < 1)
    rows = np.stack([found.times, found.share, found.low, found.high], axis=1)[inside]
    for t, s, low, high in rows:
        width = 1.959964 * np.sqrt(expected[t][1]) / abs(np.log(s))
        assert (low, high) == pytest.approx((s ** np.exp(width), s ** np.exp(-width)), rel=1e-6)


def test_area_error_is_greenwoods_for_uncensored_data():
    waits = np.random.default_rng(1).exponential(10, 400)
    curve = kaplan_meier(waits, np.ones(400, bool))
    assert curve.area(1e9) == pytest.approx(waits.mean())
    assert curve.area_error(1e9) == pytest.approx(waits.std() / 20, rel=1e-9)


def erlang_a(servers, rate, service, patience, seed=1, hours=400):
    """Waits and outcomes of all who had to wait in a simulated M/M/n+M queue (times in s)."""
    model = ProcessModel.model_validate(
        {
            "name": "erlang-a",
            "start": "call",
            "pools": {"agents": {"staff": servers}},
            "nodes": {
                "call": {
                    "kind": "task",
                    "pool": "agents",
                    "service": {"distribution": "exponential", "mean": f"{service} s"},
                    "patience": {"distribution": "exponential", "mean": f"{patience} s"},
                    "next": "end",
                },
                "end": {"kind": "end"},
            },
        }
    )
    draw = np.random.default_rng(seed)
    times = np.cumsum(draw.exponential(1e9 / rate, int(rate * 3600 * hours))).astype(np.int64)
    number = np.arange(len(times))
    network = ProcessNetwork(model, Streams(seed))
    network.submit(Requests(times, number, number, np.zeros_like(number)))
    ended = network.drain()
    waited = ended.wait > 0
    return ended.wait[waited] / SECOND, ended.outcome[waited] == 1


def test_patience_of_an_overloaded_queue_is_recovered_under_censoring():
    waits, left = erlang_a(servers=10, rate=0.06, service=200, patience=300)
    fit = fit_patience(waits, left)
    assert 0.1 < left.mean() < 0.3
    assert fit.mean.mean == pytest.approx(300, abs=4 * fit.mean.error)
    assert fit.mean.error < 10
    assert fit.median() == pytest.approx(300 * np.log(2), rel=0.05)
    assert fit.distribution().mean_ns == pytest.approx(fit.mean.mean * SECOND, rel=0.01)
    # power: those who left waited much shorter than they would have in the end
    assert waits[left].mean() < 150


def test_required_wait_is_longer_than_the_waits_of_the_served():
    waits, left = erlang_a(servers=10, rate=0.06, service=200, patience=300)
    fit = fit_patience(waits, left)
    assert fit.required.mean > waits[~left].mean() * 1.05
    assert fit.index == pytest.approx(fit.mean.mean / fit.required.mean)


def test_hazard_of_exponential_patience_is_flat_and_of_two_kinds_falls():
    edges = [0, 30, 60, 120, 240]
    waits, left = erlang_a(servers=10, rate=0.06, service=200, patience=300)
    rate, low, high = hazard(waits, left, edges, confidence=0.999)
    assert np.all((low < 1 / 300) & (high > 1 / 300))
    assert np.all((low < rate) & (rate < high))
    draw = np.random.default_rng(3)
    patience = np.where(draw.random(20_000) < 0.5, draw.exponential(30, 20_000), draw.exponential(600, 20_000))
    offered = draw.exponential(200, 20_000)
    mixed = hazard(np.minimum(patience, offered), patience < offered, edges)
    assert mixed[0][0] > 3 * mixed[0][-1]


def test_intervals_cover_at_their_level():
    draw = np.random.default_rng(5)
    curve_hits = mean_hits = 0
    for _ in range(300):
        patience, offered = draw.exponential(300, 600), draw.exponential(250, 600)
        waits, left = np.minimum(patience, offered), patience < offered
        curve = kaplan_meier(waits, left)
        i = int(np.searchsorted(curve.times, 150)) - 1
        curve_hits += curve.low[i] <= np.exp(-0.5) <= curve.high[i]
        mean = tailed_mean(waits, left)
        mean_hits += abs(mean.mean - 300) < 1.96 * mean.error
    assert 270 <= curve_hits <= 297  # 95 %: 285 +- 4 sd
    assert 265 <= mean_hits <= 300


def test_quantiles_are_those_of_the_curve_and_then_of_the_tail():
    draw = np.random.default_rng(7)
    patience, offered = draw.exponential(300, 20_000), draw.exponential(100, 20_000)
    fit = fit_patience(np.minimum(patience, offered), patience < offered)
    p = np.array([0.1, 0.5, 0.9, 0.99])
    assert fit.quantiles(p) == pytest.approx(-300 * np.log(1 - p), rel=0.08)
    assert np.all(np.diff(fit.table()) > 0)
    assert fit.quantiles(p)[-1] > fit.mean.horizon
    assert fit.restricted_mean < fit.mean.mean


def test_everybody_leaving_has_no_required_wait():
    fit = fit_patience([1.0, 2.0, 3.0], [True] * 3, least_at_risk=1)
    assert fit.required is None
    assert np.isnan(fit.index)


@pytest.mark.parametrize(
    ("waits", "left", "what"),
    [
        ([1.0], [False], "nobody left"),
        ([], [], "nobody left"),
        ([-1.0], [True], "negative"),
        ([1.0, 2.0], [True], "waits"),
    ],
)
def test_records_without_patience_are_refused(waits, left, what):
    with pytest.raises(DataError, match=what):
        fit_patience(waits, left)
