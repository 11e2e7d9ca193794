"""The order flow as a whole: its statistics are the parameters', and alone it makes a sane market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from agents.background import BACKGROUND_BASE, Attention, Profile, patience_time
from agents.kernels import flow_layout as layout
from agents.kernels.excitement import log_likelihood
from agents.market_flow import Keep, MarketFlow
from scenarios.calibration import background_parameters
from scenarios.calibration.fits import autocorrelation, fit_excitement
from twin.clock import NO_CANCEL, SECOND, TICK, Phase, at
from twin.contracts import Instruments, IntColumn, MessageKind, Messages, OrderRules, Tape, TapeKind
from twin.matching.engine import BACKGROUND_BASE as ENGINE_BASE
from twin.matching.engine import MatchingEngine
from twin.randomness import Streams
from twin.world import MarketConfig, make_instruments

PARAMETERS = background_parameters()
SECOND_EDGES = np.arange(at("09:30"), at("11:30") + 1, 10 * SECOND)


class Market:
    """A market of like instruments, each with its own luck, in continuous trading around one value."""

    def __init__(self, n: int, *, close: int = 2000, seed: int = 3, rules: OrderRules | None = None, **changes: float):
        full = np.full(n, close, np.int64)
        zero = np.zeros_like(full)
        self.instruments = Instruments(zero, zero, full, full * 9 // 10, full * 11 // 10, zero + 100, zero + 3)
        self.engine = MatchingEngine(self.instruments, rules=rules)
        self.engine.set_phase(Phase.CONTINUOUS)
        self.parameters = replace(PARAMETERS, **changes)
        self.flow = MarketFlow(self.parameters, self.instruments, np.ones(n), Streams(seed), rules=rules)

    def run(self, edges: IntColumn, shift: float = 0.0, others: Messages | None = None, keep: Keep = Keep.ALL) -> Tape:
        n = len(self.instruments)
        value = np.full((len(edges) - 1, n), self.instruments.previous_close[0] + 0.5 + shift)
        ones = np.ones(len(edges) - 1)
        extra = Messages.empty() if others is None else others
        return self.flow.advance(self.engine, edges, value, ones, extra, keep=keep, log=True)

    @property
    def new(self) -> Messages:
        sent = self.flow.sent
        return sent.take((sent.kind == MessageKind.NEW_LIMIT) & (sent.order >= 1 << 26))


def test_arrivals_are_self_exciting_with_the_mean_of_the_profile() -> None:
    """Mean 1 order per unit of business time; variance of counts in long windows 1 / (1 - n) squared (Hawkes 1971)."""
    market = Market(100, branching=0.6, fast_decay=5.0, slow_decay=0.1, orders_per_day=3_000.0)
    market.run(SECOND_EDGES, keep=Keep.OTHERS)
    share = Profile(PARAMETERS.profile).between(at("09:30"), at("11:30"))
    counts = np.bincount(market.new.instrument, minlength=100)
    expected = 3_000.0 * share
    sd = np.sqrt(expected) / (1 - 0.6)
    assert abs(counts.mean() - expected) < 4 * sd / np.sqrt(100)
    assert counts.std() == pytest.approx(sd, rel=0.35)


def test_without_excitation_arrivals_are_poisson() -> None:
    market = Market(20, branching=0.0, orders_per_day=50_000.0)
    market.run(np.arange(at("10:00"), at("10:05") + 1, TICK), keep=Keep.OTHERS)
    new = market.new
    gaps = np.concatenate([np.diff(new.time[new.instrument == i]) for i in range(20)]) / SECOND
    assert stats.kstest(gaps / gaps.mean(), "expon").pvalue > 1e-4


def test_excitation_is_found_again_by_its_fit() -> None:
    market = Market(3, branching=0.7, fast_share=0.3, fast_decay=15.0, slow_decay=0.05, orders_per_day=40_000.0)
    market.run(SECOND_EDGES, keep=Keep.OTHERS)
    profile, new = Profile(PARAMETERS.profile), market.new
    start = profile.between(0, at("09:30"))
    days = [(profile.at_edges(new.time[new.instrument == i]) - start) * 40_000.0 for i in range(3)]
    found = fit_excitement(days)
    assert found.branching == pytest.approx(0.7, abs=0.08)
    assert found.fast_share == pytest.approx(0.3, abs=0.08)
    assert found.fast_decay == pytest.approx(15.0, rel=0.25)
    assert found.gain > 0.1


def test_likelihood_of_poisson_arrivals_is_that_of_the_closed_form() -> None:
    times = np.array([0.5, 1.0, 4.0])
    assert log_likelihood(times, 5.0, 0.0, 0.5, 1.0, 0.1) == pytest.approx(-5.0)


def test_profile_of_the_day_is_reproduced() -> None:
    market = Market(60)
    market.run(np.arange(at("13:00"), at("14:57") + 1, 60 * SECOND), keep=Keep.OTHERS)
    times = market.new.time
    profile = Profile(PARAMETERS.profile)
    edges = np.arange(at("13:00"), at("14:55") + 1, 5 * 60 * SECOND)
    counts, _ = np.histogram(times, edges)
    expected = np.diff(profile.at_edges(edges)) * PARAMETERS.orders_per_day * 60
    sd = np.sqrt(expected) / (1 - PARAMETERS.branching)
    assert np.all(np.abs(counts - expected) < 4.5 * sd)


def test_sizes_follow_the_lognormal_of_lots() -> None:
    market = Market(20, selective=0.0, informed_from=1e9)
    market.run(np.arange(at("09:30"), at("09:40") + 1, TICK), keep=Keep.OTHERS)
    p, lots = market.parameters, market.new.quantity // 100
    assert len(lots) > 10_000
    for most in (1, 2, 4):
        scaled = (np.log((most + 0.5) * 100) - np.log(np.exp(p.log_value) * 100 / 2000.5 + 100)) / p.log_value_sd
        share = p.spike_share + (1 - p.spike_share) * stats.norm.cdf(scaled)
        assert abs(np.mean(lots <= most) - share) < 4 * np.sqrt(share * (1 - share) / len(lots))


def test_marketable_orders_are_cut_to_the_best_level() -> None:
    """With `selective` 1 and no informed or through orders, no aggressor trades at two prices."""
    market = Market(5, selective=1.0, through_share=0.0, informed_from=1e9)
    tape = market.run(np.arange(at("09:30"), at("09:50") + 1, TICK))
    trades = tape.take(tape.kind == TapeKind.TRADE)
    order = trades.order * 10**14 + trades.time
    prices: dict[int, set[int]] = {}
    for key, price in zip(order.tolist(), trades.price.tolist(), strict=True):
        prices.setdefault(key, set()).add(price)
    assert len(prices) > 1_000
    assert max(map(len, prices.values())) == 1


def test_signs_of_marketable_orders_have_long_memory() -> None:
    market = Market(1, tilt=0.0, signal=0.0, orders_per_day=400_000.0)
    tape = market.run(SECOND_EDGES)
    taking = (tape.kind == TapeKind.ACCEPTED) & (np.append(tape.kind[1:], -1) == TapeKind.TRADE)
    signs = tape.side[taking]
    from scipy.special import zeta

    p, lags = market.parameters, np.array([1, 5, 20])
    modelled = p.follow**2 * zeta(p.run_exponent, lags + 1.0) / zeta(p.run_exponent)
    assert len(signs) > 50_000
    assert np.allclose(autocorrelation(signs, lags), modelled, atol=0.06)  # long memory: slow convergence


def test_orders_lean_to_the_value() -> None:
    shares = []
    for shift in (-60.0, 0.0, 60.0):
        market = Market(30, signal=0.0, orders_per_day=60_000.0)
        market.run(np.arange(at("09:30"), at("09:31") + 1, TICK))
        first = len(market.new)
        market.run(np.arange(at("09:31"), at("09:31:30") + 1, TICK), shift)
        shares.append(float(np.mean(market.new.side[first:] > 0)))
    assert shares[0] + 0.02 < shares[1] < shares[2] - 0.02


def test_only_patience_ends_orders_that_nobody_meets() -> None:
    """Share cancelled so far of orders far from the value, against the fitted law."""
    market = Market(10, follow=0.0)
    market.run(np.arange(at("13:00"), at("13:30") + 1, TICK), keep=Keep.NUMBERED)
    sent, p = market.flow.sent, market.parameters
    new = sent.take(sent.kind == MessageKind.NEW_LIMIT)
    gone = sent.take(sent.kind == MessageKind.CANCEL)
    far = np.abs(new.price - 2000) > 60
    cancelled = np.isin(new.order[far] * 100 + new.instrument[far], gone.order * 100 + gone.instrument)
    left = (at("13:30") - new.time[far]) / SECOND
    chance = p.willing_share * stats.norm.cdf((np.log(left) - p.log_patience) / p.log_patience_sd)
    assert far.sum() > 500
    assert abs(cancelled.sum() - chance.sum()) < 0.12 * chance.sum()


def test_nothing_is_sent_while_shut_or_suspended_and_no_cancel_while_refused() -> None:
    market = Market(4)
    edges = np.arange(at("09:30"), at("09:32") + 1, TICK)
    market.engine.set_phase(Phase.GAP)
    assert len(market.run(edges)) == 0
    market.engine.set_phase(Phase.CONTINUOUS, cancels_allowed=False)
    market.engine.suspend(np.array([1, 2]))
    market.run(edges)
    assert set(market.flow.sent.instrument.tolist()) == {0, 3}
    assert np.all(market.flow.sent.kind == MessageKind.NEW_LIMIT)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    drift=st.floats(-0.25, 0.25),
    phase=st.sampled_from([Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CLOSE_CALL]),
    signal=st.floats(0.0, 20.0),
)
def test_every_order_is_valid(seed: int, drift: float, phase: Phase, signal: float) -> None:
    instruments, traits = make_instruments(MarketConfig(instruments=9), Streams(seed))
    parameters = replace(PARAMETERS, signal=signal, orders_per_day=40_000.0)
    flow = MarketFlow(parameters, instruments, traits.order_weight, Streams(seed))
    engine = MatchingEngine(instruments)
    engine.set_phase(phase)
    start = {Phase.OPEN_CALL: at("09:15"), Phase.CONTINUOUS: at("09:30"), Phase.CLOSE_CALL: at("14:57")}[phase]
    edges = np.arange(start, start + 31 * SECOND, TICK)
    value = np.clip(instruments.previous_close * (1 + drift), instruments.limit_down, instruments.limit_up)
    tape = flow.advance(
        engine, edges, np.tile(value, (len(edges) - 1, 1)), np.ones(len(edges) - 1), keep=Keep.ALL, log=True
    )
    new = flow.sent.take(flow.sent.kind == MessageKind.NEW_LIMIT)
    assert len(new) > 20
    assert not np.any(tape.kind == TapeKind.REJECTED)
    assert np.all(new.price >= instruments.limit_down[new.instrument])
    assert np.all(new.price <= instruments.limit_up[new.instrument])
    assert np.all(new.quantity >= instruments.lot[new.instrument])
    assert np.all(new.quantity % 100 == 0)
    for i in range(9):
        assert np.all(np.diff(flow.sent.time[flow.sent.instrument == i]) >= 0)
    assert flow.live == engine.resting


def test_messages_of_others_in_one_instrument_change_no_other() -> None:
    alone, among = Market(6), Market(6)
    edges = np.arange(at("09:30"), at("09:33") + 1, TICK)
    one = np.ones(40, np.int64)
    others = Messages(np.linspace(at("09:30"), at("09:32"), 40).astype(np.int64), 0 * one, 2 * one, one,
                      2010 * one, 50_000 * one, np.arange(40))  # fmt: skip
    first, second = alone.run(edges), among.run(edges, others=others)
    changed = []
    for i in range(6):
        a, b = first.take(first.instrument == i), second.take(second.instrument == i)
        same = len(a) == len(b) and all(
            np.array_equal(getattr(a, c), getattr(b, c))
            for c in ("time", "kind", "side", "price", "quantity", "leaves")
        )
        changed += [] if same else [i]
    assert changed == [2]
    assert np.array_equal(np.delete(alone.flow.digests, 2), np.delete(among.flow.digests, 2))


def test_rows_of_others_are_all_that_is_kept_if_asked() -> None:
    edges = np.arange(at("09:30"), at("09:31") + 1, TICK)
    one = np.ones(5, np.int64)
    others = Messages(at("09:30") + np.arange(5), 0 * one, 0 * one, one, 2010 * one, 5_000 * one, np.arange(5))
    whole = Market(2)
    tape = whole.run(edges, others=others)
    kept = Market(2).run(edges, others=others, keep=Keep.OTHERS)
    theirs = (tape.order < 1 << 26) | ((tape.counter >= 0) & (tape.counter < 1 << 26))
    expected = tape.take(theirs)
    assert len(kept) >= 10
    assert all(np.array_equal(getattr(kept, c), getattr(expected, c)) for c in vars(kept))


def test_background_gains_what_others_lose() -> None:
    market = Market(2)
    edges = np.arange(at("09:30"), at("09:31") + 1, TICK)
    one = np.ones(5, np.int64)
    others = Messages(at("09:30") + np.arange(5), 0 * one, 0 * one, one, 2010 * one, 5_000 * one, np.arange(5))
    tape = market.run(edges, others=others)
    market.flow.absorb(market.engine, tape)
    trades = tape.take(tape.kind == TapeKind.TRADE)
    bought = trades.side * trades.quantity * (trades.order < 1 << 26) - trades.side * trades.quantity * (
        (trades.counter >= 0) & (trades.counter < 1 << 26)
    )
    assert bought.sum() > 0
    assert market.flow.shares.sum() == -bought.sum()
    assert market.flow.cash == int((bought * trades.price).sum())


def test_smaller_intervals_give_the_same_orders() -> None:
    coarse, fine = Market(3), Market(3)
    coarse.run(np.arange(at("10:00"), at("10:06") + 1, 60 * SECOND))
    for start in range(at("10:00"), at("10:06"), TICK):
        fine.run(np.array([start, start + TICK]))
    for i in range(3):
        a = coarse.flow.sent.take(coarse.flow.sent.instrument == i)
        b = fine.flow.sent.take(fine.flow.sent.instrument == i)
        assert len(a) == len(b)
        assert np.array_equal(a.price, b.price)
        assert np.abs(a.time - b.time).max() <= 2  # rounding of business time


def test_activity_rises_with_the_market_and_calms_down_again() -> None:
    calm, stormy = Attention(PARAMETERS), Attention(PARAMETERS)
    first = calm.factor(at("10:00"), 0.0)
    assert np.log(stormy.factor(at("10:00"), np.expm1(-0.05)) / first) == pytest.approx(
        5 * PARAMETERS.attention_elasticity
    )
    assert np.log(stormy.factor(at("10:30"), 0.0) / first) == pytest.approx(2.5 * PARAMETERS.attention_elasticity)


def test_numbers_have_a_place_each() -> None:
    assert len(PARAMETERS.numbers()) == layout.NUMBERS
    assert np.count_nonzero(PARAMETERS.numbers()) >= layout.NUMBERS - 1


def test_patience_stands_still_while_cancels_are_refused() -> None:
    for start, end in (*NO_CANCEL, (at("09:25"), at("09:30")), (at("11:30"), at("13:00"))):
        assert patience_time(start) == patience_time(end)
    assert patience_time(at("15:00")) == (300 + 7200 + 7020) * SECOND


def test_handles_begin_where_the_exchange_expects_them() -> None:
    assert BACKGROUND_BASE == ENGINE_BASE
