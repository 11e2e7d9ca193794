"""The compiled order flow against a plain Python one, and its heap against heapq."""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
import pytest
from flow_reference import Reference
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.background import BACKGROUND_BASE
from agents.kernels import flow_cancels as cancels
from agents.kernels import flow_layout as layout
from agents.market_flow import Keep, MarketFlow
from scenarios.calibration import background_parameters
from twin.clock import SECOND, Phase, at
from twin.contracts import Messages, Tape
from twin.errors import ScenarioError
from twin.matching.engine import MatchingEngine
from twin.randomness import Stream, Streams
from twin.world import MarketConfig, make_instruments

PARAMETERS = background_parameters()
PLAN = [
    ("09:15:00", "09:15:20", Phase.OPEN_CALL, True),
    ("09:20:00", "09:22:00", Phase.OPEN_CALL, False),
    ("09:30:00", "09:31:00", Phase.CONTINUOUS, True),
    ("14:56:00", "14:57:00", Phase.CONTINUOUS, True),
    ("14:57:00", "15:00:00", Phase.CLOSE_CALL, False),
]
LIVELY = replace(
    PARAMETERS,
    orders_per_day=9_000.0,
    log_patience=2.0,
    willing_share=0.9,
    selective=0.3,
    signal=1.0,
    informed_from=2.0,
)


def _others(seed: int, t0: int, t1: int, close: np.ndarray) -> list[tuple[int, ...]]:
    """A few orders and cancels of the broker in an interval."""
    rng = np.random.default_rng([seed, t0 // SECOND])
    rows = []
    for k in range(int(rng.integers(0, 4))):
        i = int(rng.integers(len(close)))
        price = int(close[i] + rng.integers(-5, 6))
        rows.append((int(rng.integers(t0, t1)), 0, i, int(rng.choice([-1, 1])), price, 300, t0 // SECOND * 10 + k))
    return sorted(rows) + [(t1 - 1, 2, row[2], 0, 0, 0, row[6]) for row in sorted(rows)[:1]]


def _rows(batch: Messages | Tape) -> list[tuple[int, ...]]:
    return list(zip(*(c.tolist() for c in vars(batch).values()), strict=True))


def _anonymous(rows: list[tuple[int, ...]], first: int) -> list[tuple[int, ...]]:
    """Rows with one name for all orders of the background; the columns from `first` on may hold handles."""
    return [(*row[:first], *(min(x, BACKGROUND_BASE) for x in row[first:])) for row in rows]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kernel_equals_plain_python(seed: int) -> None:
    """Same messages and tape through calls and continuous trading, with little room; seed 3: among others' messages."""
    parameters = LIVELY if seed != 2 else replace(LIVELY, branching=0.0, signal=0.0)
    instruments, traits = make_instruments(MarketConfig(instruments=4), Streams(seed))
    engine = MatchingEngine(instruments, pool_orders=2, tape_rows=2)
    flow = MarketFlow(parameters, instruments, traits.order_weight, Streams(seed), nodes=2)
    flow._log = np.zeros((7, 3), np.int64)
    reference = Reference(parameters, instruments, traits.order_weight, seed, flow._sizes, flow._cages)
    rng = np.random.default_rng(seed)
    value = instruments.previous_close.astype(np.float64)
    for start, end, phase, may_cancel in PLAN:
        for books in (engine, reference.engine):
            books.set_phase(phase, cancels_allowed=may_cancel)
        for t0 in range(at(start), at(end), 10 * SECOND):
            t1 = t0 + 10 * SECOND
            value = np.clip(
                value * np.exp(0.002 * rng.standard_normal(4)), instruments.limit_down, instruments.limit_up
            )
            rows = _others(seed, t0, t1, instruments.previous_close) if seed == 3 else []
            others = Messages(*np.array(rows, np.int64).reshape(-1, 7).T.copy())
            reference.sent, reference.tape = [], []
            reference.step(t0, t1, phase, value, rows)
            before = len(flow.sent)
            edges = np.array([t0, t1])
            keep = Keep.ALL if seed == 3 else Keep.NUMBERED
            tape = flow.advance(engine, edges, value[None], np.ones(1), others, keep=keep, log=True)
            sent = _rows(flow.sent.take(slice(before, None)))
            if seed == 3:
                assert _anonymous(sent, 6) == _anonymous(reference.sent, 6)
                assert _anonymous(_rows(tape), 6) == _anonymous(reference.tape, 6)
            else:
                assert sent == reference.numbered(reference.sent, (6,))
                assert _rows(tape) == reference.numbered(reference.tape, (6, 7))
            assert engine.resting == reference.engine.resting
            assert flow.live == np.count_nonzero(engine.handles[BACKGROUND_BASE:])
        if end in ("09:22:00", "15:00:00"):
            flow.absorb(engine, engine.uncross(at(end)))
            reference.engine.uncross(at(end))
    assert flow.orders > 500
    assert flow.cancels > 100
    engine.check()


def test_streams_of_the_kernel_are_those_of_the_registry() -> None:
    assert layout.ARRIVAL_STREAM == Stream.BACKGROUND_ARRIVAL
    assert layout.ORDER_STREAM == Stream.BACKGROUND_ORDER
    assert layout.RUN_STREAM == Stream.BACKGROUND_RUN


@settings(derandomize=True, max_examples=100, deadline=None)
@given(steps=st.lists(st.one_of(st.integers(0, 30), st.none()), max_size=120))
def test_pairing_heap_equals_heapq(steps: list[int | None]) -> None:
    """Numbers are added, None takes the least away; equal times leave in the order of the orders' numbers."""
    nodes = np.zeros((len(steps) + 1, layout.NODE_WORDS), np.int64)
    root, plain = 0, []
    for k, due in enumerate(steps):
        if due is not None:
            nodes[k, layout.TAG] = k << 2
            root = cancels.heap_add(root, k, due, nodes)
            heapq.heappush(plain, (due, k))
        elif plain:
            assert heapq.heappop(plain)[1] == root - 1
            root = cancels.heap_drop(root, nodes)
        assert (root == 0) == (not plain)
    while plain:
        assert heapq.heappop(plain)[1] == root - 1
        root = cancels.heap_drop(root, nodes)
    assert root == 0


@pytest.mark.parametrize("change", [{"branching": 1.0}, {"branching": -0.1}, {"fast_share": 1.5}, {"slow_decay": 0.0}])
def test_flow_that_would_explode_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match="background parameters"):
        replace(PARAMETERS, **change)


def test_order_numbers_and_messages_of_others_do_not_go_together() -> None:
    instruments, traits = make_instruments(MarketConfig(instruments=1), Streams(1))
    flow = MarketFlow(PARAMETERS, instruments, traits.order_weight, Streams(1))
    engine = MatchingEngine(instruments)
    one = np.ones(1, np.int64)
    others = Messages(one * at("09:30"), one * 0, one * 0, one, one, one, one)
    edges = np.array([at("09:30"), at("09:31")])
    with pytest.raises(ScenarioError, match="order numbers"):
        flow.advance(engine, edges, np.ones((1, 1)), np.ones(1), others, keep=Keep.NUMBERED)
