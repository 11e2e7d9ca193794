"""What others' trades tell the market, and the tail of the background's order sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents.kernels import flow_layout as layout
from agents.kernels import flow_orders as orders
from agents.market_flow import Keep, MarketFlow
from scenarios.calibration import background_parameters
from twin.clock import SECOND, TICK, Phase, at
from twin.contracts import Instruments, MessageKind, Messages
from twin.matching.engine import MatchingEngine
from twin.randomness import Streams

PARAMETERS = background_parameters()
N = 24
EDGES = np.arange(at("10:00"), at("10:40") + 1, TICK)
PIECES = np.arange(at("10:05"), at("10:40"), 30 * SECOND)


def _run(side: int = 0, shares: int = 0, first: int = 0, **changes: float) -> tuple[MarketFlow, np.ndarray]:
    """Instruments with a value that stays, in the same luck; in those from `first` on somebody trades at once.

    Returns the flow and the mean mid price of each instrument over the last five minutes.
    """
    close, zero = np.full(N, 2000, np.int64), np.zeros(N, np.int64)
    instruments = Instruments(zero, zero, close, close * 9 // 10, close * 11 // 10, zero + 100, zero + 3)
    engine = MatchingEngine(instruments)
    parameters = replace(PARAMETERS, orders_per_day=30_000.0, **changes)
    flow = MarketFlow(parameters, instruments, np.ones(N), Streams(5))
    engine.set_phase(Phase.OPEN_CALL)
    flow.advance(engine, np.array([at("09:15"), at("09:25")]), np.full((1, N), 2000.5), np.ones(1))
    flow.absorb(engine, engine.uncross(at("09:25")))
    engine.set_phase(Phase.CONTINUOUS)
    others = Messages.empty()
    if shares:
        time, who = (x.ravel() for x in np.meshgrid(PIECES, np.arange(first, N), indexing="ij"))
        zero, one = np.zeros_like(who), np.ones_like(who)
        others = Messages(
            time, one * MessageKind.NEW_MARKET, who, one * side, zero, one * shares, np.arange(len(who), dtype=np.int64)
        )
    sample = np.zeros((len(EDGES) - 1, N, 4), np.int64)
    value, ones = np.full((len(EDGES) - 1, N), 2000.5), np.ones(len(EDGES) - 1)
    tape = flow.advance(engine, EDGES, value, ones, others, keep=Keep.ALL, sample=sample)
    flow.absorb(engine, tape)
    engine.check()
    return flow, sample[-100:, :, :2].mean(axis=(0, 2))


@pytest.fixture(scope="module")
def alone() -> np.ndarray:
    return _run()[1]


def test_without_others_it_makes_no_difference_what_they_would_tell() -> None:
    deaf, hearing = _run(heed=0.0)[0], _run(heed=3.0)[0]
    assert np.array_equal(deaf.digests, hearing.digests)


def test_others_are_heard_in_their_instrument_alone() -> None:
    quiet, heard = _run()[0].digests, _run(1, 1_000, first=N - 3)[0].digests
    assert np.array_equal(quiet[: N - 3], heard[: N - 3])
    assert (quiet[N - 3 :] != heard[N - 3 :]).all()


@pytest.mark.parametrize("side", [1, -1])
def test_who_buys_lifts_the_price_and_who_sells_lowers_it(side: int, alone: np.ndarray) -> None:
    """By nearly what a metaorder of as many shares tells; a market that does not listen hardly moves."""
    flow, mid = _run(side, 2_000)
    moved = side * (mid - alone)
    error = moved.std(ddof=1) / np.sqrt(N)
    x = len(PIECES) * 2_000 / flow._sizes[layout.USUAL, 0]
    told = PARAMETERS.signal * np.sqrt(x) * (1 + PARAMETERS.unit_slope * 2000.5)
    assert moved.mean() > 6 * error
    assert moved.mean() == pytest.approx(told, rel=0.45)
    deaf = side * (_run(side, 2_000, heed=0.0)[1] - alone)
    assert deaf.mean() < 0.3 * moved.mean()


def test_impact_grows_with_the_root_of_the_volume(alone: np.ndarray) -> None:
    small, large = ((_run(1, shares)[1] - alone).mean() for shares in (1_000, 9_000))
    assert 0.35 < np.log(large / small) / np.log(9) < 0.7


def test_what_is_bought_from_the_background_it_has_sold() -> None:
    flow, _ = _run(1, 2_000)
    assert flow.shares.sum() == -N * len(PIECES) * 2_000
    assert flow.cash > 0


@pytest.mark.parametrize("telling", [1, 0])
def test_imbalance_tells_its_root_and_is_forgotten_over_a_day(telling: int) -> None:
    sizes = np.zeros((layout.SIZES, 1), np.int64)
    sizes[[layout.TELLING, layout.USUAL, layout.PER_DAY], 0] = telling, 500, 20_000
    numbers = replace(PARAMETERS, signal=0.4, heed=1.0).numbers()
    own, clock = np.zeros((1, layout.OWN_WORDS), np.int64), np.zeros((1, layout.CLOCK_WORDS))
    assert orders.heard(0, sizes, numbers, own, clock) == 0.0
    own[0, layout.TAKEN] = -500 * 10_000
    assert orders.heard(0, sizes, numbers, own, clock) == pytest.approx(-telling * 0.4 * 100, rel=1e-3)
    clock[0, layout.GAP] = 20_000.0
    assert orders.heard(0, sizes, numbers, own, clock) == pytest.approx(-telling * 0.4 * 100 / np.exp(0.5), rel=1e-3)
    clock[0, layout.IMBALANCE], clock[0, layout.GAP], own[0, layout.TAKEN] = 0.0, 0.0, 5
    assert orders.heard(0, sizes, numbers, own, clock) == pytest.approx(telling * 0.4 * 0.01, rel=1e-2)


def test_sizes_are_lognormal_below_and_of_a_bounded_power_law_above() -> None:
    numbers, p = PARAMETERS.numbers(), PARAMETERS
    z = np.random.default_rng(1).standard_normal(200_000)
    multiple = np.array([orders.multiple(x, numbers) for x in z])
    body = z <= p.tail_from
    assert np.allclose(multiple[body], np.exp(p.log_value_sd * z[body]))
    start = np.exp(p.log_value_sd * p.tail_from)
    end = p.tail_reach**-p.tail_exponent
    for ratio in (1.0, 2.0, 5.0, 20.0):
        beyond = p.tail_share * (ratio**-p.tail_exponent - end) / (1 - end)
        assert np.mean(multiple > start * ratio) == pytest.approx(beyond, abs=4 * np.sqrt(beyond / len(z)))
    assert multiple.max() <= start * p.tail_reach
    usual = np.exp(p.log_value) / 20 + 100
    mean = p.spike_share * 100 + (1 - p.spike_share) * multiple.mean() * usual
    assert p.mean_size(2_000, 100) == pytest.approx(mean, rel=0.02)


def test_without_a_tail_sizes_are_lognormal_throughout() -> None:
    plain = replace(PARAMETERS, tail_share=0.0)
    assert orders.multiple(4.0, plain.numbers()) == pytest.approx(np.exp(4.0 * plain.log_value_sd))
    usual = np.exp(plain.log_value) / 20 + 100
    mean = plain.spike_share * 100 + (1 - plain.spike_share) * np.exp(plain.log_value_sd**2 / 2) * usual
    assert plain.mean_size(2_000, 100) == pytest.approx(mean)
