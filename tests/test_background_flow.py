"""The background flow as a whole: its statistics are the parameters', and alone it makes a sane market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from agents.background import BackgroundFlow
from scenarios.calibration import background_parameters
from scenarios.calibration.fits import autocorrelation
from twin.clock import CLOSE_UNCROSS, NO_CANCEL, OPEN_UNCROSS, SECOND, TICK, Phase, at, trading_ticks
from twin.contracts import Board, MessageKind, Messages, Quotes, Tape
from twin.matching.engine import BACKGROUND_BASE as ENGINE_BASE
from twin.matching.engine import MatchingEngine
from twin.randomness import Streams
from twin.world import IndexDay, MarketConfig, NewsPath, make_instruments

PARAMETERS = background_parameters()


class Frozen:
    """A market that never moves: every order meets the same quotes, so that shares can be counted."""

    def __init__(self, spread: int, *, instruments: int = 20, close: int = 2000, **changes: float) -> None:
        listed, traits = make_instruments(MarketConfig(instruments=instruments), Streams(1))
        full = np.full(instruments, close, np.int64)
        self.instruments = replace(listed, previous_close=full, limit_down=full * 9 // 10, limit_up=full * 11 // 10)
        self.weight = traits.order_weight
        zero = np.zeros_like(full)
        self.bid, self.ask = close - spread // 2, close - spread // 2 + spread
        self.quotes = Quotes(full, zero + self.bid, zero + self.ask, zero, zero, zero, zero)
        self.value = np.full(instruments, 0.5 * (self.bid + self.ask))
        calm = replace(PARAMETERS, attention_elasticity=0.0, **changes)
        self.flow = BackgroundFlow(calm, self.instruments, self.weight, Streams(11))
        self.parameters = calm

    def run(self, start: str, end: str, phase: Phase = Phase.CONTINUOUS, step: int = TICK) -> Messages:
        t = range(at(start), at(end), step)
        return Messages.concat([self.flow.step(t0, t0 + step, phase, self.quotes, self.value) for t0 in t])

    def new(self, *args: str) -> Messages:
        sent = self.run(*args)
        return sent.take(sent.kind == MessageKind.NEW_LIMIT)


def _near(count: float, n: int, share: float) -> bool:
    """Whether a count is within four standard errors of a binomial's mean."""
    return abs(count - n * share) <= 4 * np.sqrt(n * share * (1 - share)) + 1e-9


@pytest.mark.parametrize(("spread", "row"), [(1, 0), (2, 1), (9, 2)])
def test_placement_shares_are_those_fitted(spread: int, row: int) -> None:
    market = Frozen(spread)
    new = market.new("09:30", "09:35")
    better = np.where(new.side > 0, new.price - market.bid, market.ask - new.price)
    counts = [
        np.sum(better >= spread),
        np.sum((better > 0) & (better < spread)),
        np.sum(better == 0),
        np.sum(better < 0),
    ]
    assert len(new) > 15_000
    for count, share in zip(counts, PARAMETERS.placement[row], strict=True):
        assert _near(float(count), len(new), float(share))


def test_distance_behind_best_follows_the_truncated_lomax() -> None:
    market = Frozen(1)
    p = market.parameters
    new = market.new("09:30", "09:35")
    behind = np.where(new.side > 0, market.bid - new.price, new.price - market.ask)
    behind = behind[behind > 0]
    unit = 1 + p.unit_slope * 2000.5
    room = market.bid - market.instruments.limit_down[0]
    edges = np.array([1, 2, 3, 5, 10, 30, 100, 200])
    tail = 1 - (1 + (edges - 1) / unit / p.behind_scale) ** -p.behind_exponent
    modelled = tail / (1 - (1 + (room - 1) / unit / p.behind_scale) ** -p.behind_exponent)
    for edge, share in zip(edges[1:], modelled[1:], strict=True):
        assert _near(float(np.sum(behind < edge)), len(behind), float(share))


def test_arrivals_follow_profile_and_weights() -> None:
    market = Frozen(2)
    new = market.new("10:00", "11:00")
    expected = market.flow._orders_day * market.flow._profile.between(at("10:00"), at("11:00"))
    assert abs(len(new) - expected) < 4 * np.sqrt(expected)
    counts = np.bincount(new.instrument, minlength=20)
    assert stats.chisquare(counts, market.weight / 20 * len(new)).pvalue > 1e-4
    gaps = np.diff(new.time[new.time < at("10:05")]) / SECOND
    assert stats.kstest(gaps * len(gaps) / gaps.sum(), "expon").pvalue > 1e-4
    whole_day = sum(
        market.flow._profile.between(s, e) for s, e in ((at("09:15"), at("11:30")), (at("13:00"), at("15:00")))
    )
    assert whole_day == pytest.approx(1)


def test_sizes_follow_the_lognormal_of_lots() -> None:
    market = Frozen(2)
    p = market.parameters
    new = market.new("09:30", "09:40")
    new = new.take(market.instruments.board[new.instrument] != Board.STAR)
    lots = new.quantity // 100
    for most in (1, 2, 4):
        below = stats.norm.cdf((np.log((most + 0.5) * 100 * market.value[0] / 100) - p.log_value) / p.log_value_sd)
        share = p.spike_share + (1 - p.spike_share) * below
        assert _near(float(np.sum(lots <= most)), len(lots), float(share))
    large = lots[lots >= 15]
    assert np.mean(large % 10 == 0) == pytest.approx(p.round_share + 0.1 * (1 - p.round_share), abs=0.03)


def test_signs_of_marketable_orders_have_the_fitted_memory() -> None:
    market = Frozen(1, instruments=1, orders_per_day=3e6)
    new = market.new("09:30", "09:40")
    signs = new.side[np.where(new.side > 0, new.price >= market.ask, new.price <= market.bid)]
    lags = np.array([1, 5, 20])
    from scipy.special import zeta

    p = market.parameters
    modelled = p.follow**2 * zeta(p.run_exponent, lags + 1.0) / zeta(p.run_exponent)
    assert len(signs) > 100_000
    assert np.allclose(autocorrelation(signs, lags), modelled, atol=0.05)  # long memory: slow convergence


def test_share_of_cancels_is_that_of_patience() -> None:
    market = Frozen(2)
    sent = market.run("13:00", "13:30")
    p = market.parameters
    placed = sent.time[sent.kind == MessageKind.NEW_LIMIT]
    cancels = sent.time[sent.kind == MessageKind.CANCEL]
    left = (at("13:30") - placed) / SECOND
    chance = p.willing_share * stats.norm.cdf((np.log(left) - p.log_patience) / p.log_patience_sd)
    assert abs(len(cancels) - chance.sum()) < 4 * np.sqrt((chance * (1 - chance)).sum())


def test_orders_lean_to_the_value() -> None:
    shares = []
    for shift in (-4, 0, 4):
        market = Frozen(2)
        market.value += shift
        shares.append(float(np.mean(market.new("09:30", "09:33").side > 0)))
    assert shares[0] < 0.4 < shares[1] < 0.6 < shares[2]


def test_activity_rises_with_the_market_and_calms_down_again() -> None:
    listed, traits = make_instruments(MarketConfig(instruments=3), Streams(1))
    flow = BackgroundFlow(PARAMETERS, listed, traits.order_weight, Streams(1))
    close = listed.previous_close.astype(float)
    calm, stormy = flow.activity(at("10:00"), close), flow.activity(at("10:00"), close * np.exp(-0.05))
    p = PARAMETERS
    assert np.log(stormy / calm) == pytest.approx(5 * p.attention_elasticity)
    later = flow.activity(at("10:30"), close)
    assert np.log(later / calm) == pytest.approx(2.5 * p.attention_elasticity)


def test_nothing_is_sent_while_closed_and_no_cancel_while_refused() -> None:
    market = Frozen(2)
    assert len(market.run("09:25", "09:30", Phase.GAP)) == 0
    assert len(market.run("11:30", "11:31", Phase.LUNCH)) == 0
    market.run("09:15", "09:20", Phase.OPEN_CALL)
    late = market.run("09:20", "09:25", Phase.OPEN_CALL)
    assert len(late) > 100
    assert np.all(late.kind == MessageKind.NEW_LIMIT)
    assert np.any(market.run("09:30", "09:31").kind == MessageKind.CANCEL)
    assert np.all(market.run("14:57", "15:00", Phase.CLOSE_CALL).kind == MessageKind.NEW_LIMIT)


def test_the_same_seed_gives_the_same_flow_and_smaller_steps_the_same_orders() -> None:
    whole, again, halves = Frozen(2).run("10:00", "10:02"), Frozen(2).run("10:00", "10:02"), Frozen(2)
    assert all(np.array_equal(getattr(whole, c), getattr(again, c)) for c in Messages.__dataclass_fields__)
    split = halves.run("10:00", "10:02", step=TICK // 3)
    assert len(split) == len(whole)
    for column in ("kind", "instrument", "side", "price", "quantity", "order"):
        assert np.array_equal(getattr(split, column), getattr(whole, column))
    assert np.abs(split.time - whole.time).max() <= 2  # rounding of the hazard


def _day(index: IndexDay, instruments: int) -> dict[str, np.ndarray]:
    """A whole day of the background alone; returns what the checks need."""
    streams = Streams(7)
    listed, traits = make_instruments(MarketConfig(instruments=instruments), streams)
    news = NewsPath(index, listed, traits, streams)
    flow = BackgroundFlow(PARAMETERS, listed, traits.order_weight, streams, slots=256)
    engine = MatchingEngine(listed)
    seen: dict[str, list[np.ndarray]] = {"bid": [], "ask": [], "value": []}
    expired = traded = 0
    for tick in trading_ticks():
        refused = any(start <= tick.start < end for start, end in NO_CANCEL)
        engine.set_phase(tick.phase, cancels_allowed=not refused)
        value = news.fundamental(tick.start)
        tape = engine.process(flow.step(tick.start, tick.end, tick.phase, engine.quotes(), value))
        flow.absorb(tape)
        if tick.end in (OPEN_UNCROSS, CLOSE_UNCROSS):
            flow.absorb(engine.uncross(tick.end))
        if tick.phase == Phase.CONTINUOUS:
            quotes = engine.quotes()
            seen["bid"].append(quotes.bid)
            seen["ask"].append(quotes.ask)
            seen["value"].append(value)
        assert flow.live == engine.resting
    traded = int(engine.quotes().volume.sum())
    engine.set_phase(Phase.CLEARING)
    tape: Tape = engine.expire(CLOSE_UNCROSS)
    expired = len(tape)
    flow.absorb(tape)
    return {
        **{key: np.array(column) for key, column in seen.items()},
        "flow": flow, "expired": expired, "traded": traded, "listed": listed,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "index", [IndexDay(-0.001, 0.006, -0.006, 0.002, 0.007), IndexDay(-0.02, -0.015, -0.08, -0.075, 0.02)]
)
def test_alone_it_makes_a_market_that_follows_the_news(index: IndexDay) -> None:
    day = _day(index, 12)
    flow, listed = day["flow"], day["listed"]
    assert day["expired"] > 0
    assert flow.live == 0  # no slot leaks
    assert np.all(flow.shares == 0)  # it traded with itself alone: nothing was created or lost
    assert flow.cash == 0
    assert 0.2 < flow.cancels / flow.orders < 0.33  # recorded days: 0.22 to 0.32
    bid, ask, value = day["bid"], day["ask"], day["value"]
    at_limit = (value >= listed.limit_up * 0.995) | (value <= listed.limit_down * 1.005)
    both = (bid > 0) & (ask > 0)
    assert np.mean(~both & ~at_limit) < 0.002  # books empty only at the limits
    unit = 1 + PARAMETERS.unit_slope * value
    gap = (0.5 * (bid + ask) - value)[both] / unit[both]
    assert np.sqrt(np.mean(gap**2)) < 5
    spread = (ask - bid)[both] / unit[both]
    assert 0.6 < spread.mean() < 1.6


def test_handles_begin_where_the_exchange_expects_them() -> None:
    from agents.background import BACKGROUND_BASE

    assert BACKGROUND_BASE == ENGINE_BASE
