"""The compiled background flow against a plain Python one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from background_reference import Reference
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.background import BACKGROUND_BASE, BackgroundFlow, patience_time
from agents.kernels import background as kernel
from agents.sampling import alias_table
from scenarios.calibration import background_parameters
from twin.clock import NO_CANCEL, SECOND, TICK, Phase, at
from twin.contracts import Messages, Quotes, Tape, TapeKind
from twin.errors import ConservationError
from twin.randomness import Stream, Streams
from twin.world import MarketConfig, make_instruments

PARAMETERS = replace(background_parameters(), orders_per_day=6_000.0)


def _quotes(bid: np.ndarray, ask: np.ndarray) -> Quotes:
    zero = np.zeros_like(bid)
    return Quotes(bid, bid, ask, zero, zero, zero, zero)


def _tape(rows: list[tuple[int, ...]]) -> Tape:
    return Tape(*np.array(rows, np.int64).reshape(-1, 9).T.copy())


def test_streams_of_the_kernel_are_those_of_the_registry() -> None:
    assert kernel.ARRIVAL_STREAM == Stream.BACKGROUND_ARRIVAL
    assert kernel.ORDER_STREAM == Stream.BACKGROUND_ORDER


@pytest.mark.parametrize("seed", [1, 2])
def test_kernel_equals_plain_python(seed: int) -> None:
    """Same orders, sizes and cancels on a random market in which orders fill, are cancelled and expire at random."""
    rng = np.random.default_rng(seed)
    instruments, traits = make_instruments(MarketConfig(instruments=7), Streams(seed))
    flow = BackgroundFlow(PARAMETERS, instruments, traits.order_weight, Streams(seed), slots=16)
    reference = Reference(
        PARAMETERS, instruments, *alias_table(traits.order_weight), seed, 2 * math.atanh(PARAMETERS.follow)
    )
    name: dict[int, int] = {}  # live handle -> arrival
    value = instruments.previous_close.astype(np.float64)
    compared = 0
    for tick in range(120):
        t0 = at("09:30") + tick * TICK
        value = np.clip(value * np.exp(0.002 * rng.standard_normal(7)), instruments.limit_down, instruments.limit_up)
        spread = rng.integers(1, 12, 7)
        bid = np.maximum(value.astype(np.int64) + rng.integers(-30, 30, 7), instruments.limit_down)
        ask = bid + spread
        bid[rng.random(7) < 0.05] = 0
        quotes = _quotes(np.where((bid == 0) & (ask == 0), 1, bid), ask)
        attention = flow._attention, flow._attention_at
        rate = flow._orders_day * flow._profile.between(t0, t0 + TICK) / TICK * flow.activity(t0, value)
        flow._attention, flow._attention_at = attention
        got = flow.step(t0, t0 + TICK, Phase.CONTINUOUS, quotes, value)
        expected = reference.step(
            t0, t0 + TICK, rate, patience_time(t0), patience_time(t0 + TICK), bid, ask, value, flow._sizes
        )
        rows = []
        for row in zip(*(getattr(got, c) for c in Messages.__dataclass_fields__), strict=True):
            time, kind, i, side, price, quantity, handle = (int(x) for x in row)
            if kind == 0:
                assert handle not in name
                name[handle] = sum(r[1] == 0 for r in rows) + reference.k - sum(r[1] == 0 for r in expected)
            rows.append((time, kind, i, side, price, quantity, name[handle]))
        assert rows == expected
        compared += len(rows)
        assert len(name) == flow.live
        happened = []
        fate = rng.choice(
            [0, TapeKind.TRADE, TapeKind.CANCELLED, TapeKind.EXPIRED], len(name), p=[0.7, 0.25, 0.03, 0.02]
        )
        for handle, kind in zip(sorted(name), fate.tolist(), strict=True):
            order = reference.orders[name[handle]]
            if kind == TapeKind.TRADE:
                filled = int(rng.integers(1, order.left // 100 + 1)) * 100
                happened.append((t0, kind, order.instrument, 1, 100, filled, 5, handle, 0))
                order.left -= filled
            elif kind:
                happened.append((t0, kind, order.instrument, 1, 0, order.left, handle, -1, 0))
                order.left = 0
        flow.absorb(_tape(happened))
        name = {handle: k for handle, k in name.items() if reference.orders[k].left}
    assert compared > 1000


def test_refused_cancel_leaves_the_order_alive() -> None:
    instruments, traits = make_instruments(MarketConfig(instruments=2), Streams(1))
    flow = BackgroundFlow(PARAMETERS, instruments, traits.order_weight, Streams(1))
    value = instruments.previous_close.astype(np.float64)
    quotes = _quotes(instruments.previous_close - 1, instruments.previous_close + 1)
    sent = flow.step(at("09:30"), at("09:31"), Phase.CONTINUOUS, quotes, value)
    live, handle = flow.live, int(sent.order[0])
    for reason in (7, 8):
        flow.absorb(_tape([(0, TapeKind.REJECTED, 0, 1, 0, 0, handle, -1 - reason, 0)]))
    assert flow.live == live
    flow.absorb(_tape([(0, TapeKind.REJECTED, 0, 1, 0, 0, handle, -1 - 3, 0)]))
    assert flow.live == live - 1


def test_fill_beyond_what_is_left_stops_the_run() -> None:
    instruments, traits = make_instruments(MarketConfig(instruments=2), Streams(1))
    flow = BackgroundFlow(PARAMETERS, instruments, traits.order_weight, Streams(1))
    with pytest.raises(ConservationError, match="more than is left"):
        flow.absorb(_tape([(0, TapeKind.TRADE, 0, 1, 500, 100, BACKGROUND_BASE + 3, 7, 0)]))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    bid=st.integers(-50, 50),
    spread=st.integers(1, 100),
    missing=st.sampled_from(["", "bid", "ask", "both"]),
    drift=st.floats(-0.2, 0.2),
    phase=st.sampled_from([Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CLOSE_CALL]),
)
def test_every_order_is_valid(seed: int, bid: int, spread: int, missing: str, drift: float, phase: Phase) -> None:
    instruments, traits = make_instruments(MarketConfig(instruments=9), Streams(seed))
    flow = BackgroundFlow(PARAMETERS, instruments, traits.order_weight, Streams(seed))
    down, up = instruments.limit_down, instruments.limit_up
    value = np.clip(instruments.previous_close * (1 + drift), down, up)
    low = np.clip(instruments.previous_close + bid, down, up - 1)
    high = np.minimum(low + spread, up)
    quotes = _quotes(low * (missing not in ("bid", "both")), high * (missing not in ("ask", "both")))
    t0 = {Phase.OPEN_CALL: at("09:15"), Phase.CONTINUOUS: at("09:30"), Phase.CLOSE_CALL: at("14:57")}[phase]
    sent = flow.step(t0, t0 + 60 * SECOND, phase, quotes, value)
    assert len(sent) > 20
    new = sent.take(sent.kind == 0)
    assert np.all(np.diff(sent.time) >= 0)
    assert sent.time[0] >= t0
    assert sent.time[-1] < t0 + 60 * SECOND
    assert np.all((new.price >= down[new.instrument]) & (new.price <= up[new.instrument]))
    assert np.all(new.quantity % 100 == 0)
    assert np.all(new.quantity >= np.where(instruments.board[new.instrument] == 2, 200, 100))
    assert np.all(np.abs(new.side) == 1)
    assert len(set(new.order.tolist())) == len(new)


def test_patience_stands_still_while_cancels_are_refused() -> None:
    for start, end in (*NO_CANCEL, (at("09:25"), at("09:30")), (at("11:30"), at("13:00"))):
        assert patience_time(start) == patience_time(end)
    assert patience_time(at("15:00")) == (300 + 7200 + 7020) * SECOND
