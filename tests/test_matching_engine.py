"""The compiled books against the plain ones of reference_book.py, and the rules one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_book import Listing, ReferenceEngine

import twin.kernels.ladders as ladders
from twin.clock import Phase
from twin.contracts import Instruments, MessageKind, Messages, Reason, Side, Tape, TapeKind
from twin.errors import CapacityError, ConservationError, DataError
from twin.matching.engine import BACKGROUND_BASE, MatchingEngine

LIMIT, MARKET, CANCEL, IOC = (int(k) for k in list(MessageKind)[:4])
BUY, SELL = int(Side.BUY), int(Side.SELL)
MODES = {Phase.CONTINUOUS: "continuous", Phase.OPEN_CALL: "call", Phase.CLOSE_CALL: "call"}


def listed(*rows: tuple[int, int, int, int]) -> Instruments:
    """Instruments of (exchange, previous close, lower limit, upper limit)."""
    a = np.array(rows, np.int64).reshape(-1, 4)
    zero = np.zeros(len(a), np.int64)
    return Instruments(a[:, 0].copy(), zero, a[:, 1].copy(), a[:, 2].copy(), a[:, 3].copy(), zero + 100, zero)


def batch(rows: list[tuple[int, int, int, int, int, int, int]]) -> Messages:
    """Messages of (time, kind, instrument, side, price, quantity, order)."""
    return Messages(*np.array(rows, np.int64).reshape(-1, 7).T.copy())


def rows_of(tape: Tape) -> list[tuple[int, ...]]:
    return [tuple(int(x) for x in row) for row in zip(*vars(tape).values(), strict=True)]


def one_book(phase: Phase = Phase.CONTINUOUS, exchange: int = 0, close: int = 100, **sizes: int) -> MatchingEngine:
    engine = MatchingEngine(listed((exchange, close, 50, 150)), max_orders=64, **sizes)
    engine.set_phase(phase)
    return engine


def send(engine: MatchingEngine, *rows: tuple[int, int, int, int, int]) -> list[tuple[int, ...]]:
    """Rows of (kind, side, price, quantity, order) to instrument 0; tape rows without time and instrument."""
    tape = engine.process(batch([(9, kind, 0, side, price, q, order) for kind, side, price, q, order in rows]))
    return [(r[1], *r[3:]) for r in rows_of(tape)]


def test_trade_prints_at_the_resting_price_oldest_first() -> None:
    engine = one_book()
    send(engine, (LIMIT, SELL, 101, 100, 1), (LIMIT, SELL, 100, 100, 2), (LIMIT, SELL, 100, 100, 3))
    assert send(engine, (LIMIT, BUY, 105, 250, 4)) == [
        (TapeKind.ACCEPTED, BUY, 105, 250, 4, -1, 250),
        (TapeKind.TRADE, BUY, 100, 100, 4, 2, 150),
        (TapeKind.TRADE, BUY, 100, 100, 4, 3, 50),
        (TapeKind.TRADE, BUY, 101, 50, 4, 1, 0),
    ]
    assert [c.tolist() for c in engine.depth(0, 2)] == [[0, 0], [0, 0], [101, 0], [50, 0]]


def test_market_order_takes_five_levels_and_cancels_the_rest() -> None:
    engine = one_book()
    send(engine, *((LIMIT, BUY, 100 - k, 10, k) for k in range(7)))
    tape = send(engine, (MARKET, SELL, 0, 1000, 10))
    assert [r[2] for r in tape if r[0] == TapeKind.TRADE] == [100, 99, 98, 97, 96]
    assert tape[-1] == (TapeKind.CANCELLED, SELL, 0, 950, 10, -1, 0)
    assert engine.depth(0, 2)[0].tolist() == [95, 94]


def test_market_order_without_counterparty_is_rejected() -> None:
    expected = [(TapeKind.REJECTED, BUY, 0, 100, 1, -1 - Reason.NO_COUNTERPARTY, 0)]
    assert send(one_book(), (MARKET, BUY, 0, 100, 1)) == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((LIMIT, BUY, 151, 100, 1), Reason.PRICE_LIMIT),
        ((LIMIT, SELL, 49, 100, 1), Reason.PRICE_LIMIT),
        ((LIMIT, SELL, 100, 0, 1), Reason.LOT),
        ((CANCEL, 0, 0, 0, 1), Reason.UNKNOWN_ORDER),
    ],
)
def test_refusal_names_its_reason(row: tuple[int, int, int, int, int], reason: Reason) -> None:
    (answer,) = send(one_book(), row)
    assert answer[0] == TapeKind.REJECTED
    assert answer[5] == -1 - reason


@pytest.mark.parametrize("phase", [Phase.CLOSED, Phase.GAP, Phase.LUNCH, Phase.CLEARING, Phase.NIGHT])
def test_shut_phases_refuse_orders_and_cancels(phase: Phase) -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 100, 100, 1))
    engine.set_phase(phase)
    tape = send(engine, (LIMIT, BUY, 100, 100, 2), (CANCEL, 0, 0, 0, 1))
    assert [r[5] for r in tape] == [-1 - Reason.CLOSED, -1 - Reason.NO_CANCEL]
    assert engine.resting == 1


def test_call_refuses_market_orders_and_cancels_in_the_no_cancel_window() -> None:
    engine = one_book(Phase.OPEN_CALL)
    send(engine, (LIMIT, BUY, 100, 100, 1))
    engine.set_phase(Phase.OPEN_CALL, cancels_allowed=False)
    tape = send(engine, (MARKET, SELL, 0, 100, 2), (CANCEL, 0, 0, 0, 1))
    assert [r[5] for r in tape] == [-1 - Reason.CLOSED, -1 - Reason.NO_CANCEL]
    assert tape[1][6] == 100
    engine.set_phase(Phase.OPEN_CALL)
    assert send(engine, (CANCEL, 0, 0, 0, 1)) == [(TapeKind.CANCELLED, BUY, 100, 100, 1, -1, 0)]


def test_handle_is_free_again_once_its_order_has_ended() -> None:
    engine = one_book(pool_orders=2)
    for price in (100, 101, 102):
        tape = send(engine, (LIMIT, BUY, price, 100, 5), (CANCEL, 0, 0, 0, 5), (CANCEL, 0, 0, 0, 5))
        assert [r[0] for r in tape] == [TapeKind.ACCEPTED, TapeKind.CANCELLED, TapeKind.REJECTED]
    engine.check()


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ((0, LIMIT, 1, BUY, 100, 100, 1), "instrument 1 is not listed"),
        ((0, LIMIT, -1, BUY, 100, 100, 1), "instrument -1 is not listed"),
        ((0, LIMIT, 0, 0, 100, 100, 1), "side 0"),
        ((0, 13, 0, BUY, 100, 100, 1), "kind 13"),
        ((0, LIMIT, 0, BUY, 100, 100, 64), "order handle 64 is out of range"),
        ((0, CANCEL, 0, BUY, 100, 100, -1), "order handle -1 is out of range"),
    ],
)
def test_malformed_message_is_named(row: tuple[int, int, int, int, int, int, int], match: str) -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 90, 100, 9))
    with pytest.raises(DataError, match=match) as caught:
        engine.process(batch([(0, LIMIT, 0, BUY, 99, 100, 8), row]))
    assert caught.value.where == "message 1"


def test_price_limits_must_make_a_ladder() -> None:
    with pytest.raises(DataError, match="instrument 1"):
        MatchingEngine(listed((0, 100, 90, 110), (0, 100, 110, 90)), max_orders=8)
    with pytest.raises(CapacityError):
        MatchingEngine(listed((0, 100, 1, 1 << 40)), max_orders=8)


def test_continuous_trading_cannot_begin_with_a_crossed_book() -> None:
    engine = one_book(Phase.OPEN_CALL)
    send(engine, (LIMIT, BUY, 101, 100, 1), (LIMIT, SELL, 100, 100, 2))
    engine.check()
    with pytest.raises(ConservationError, match="crossed"):
        engine.set_phase(Phase.CONTINUOUS)
    engine.uncross(0)
    engine.set_phase(Phase.CONTINUOUS)


def test_check_finds_a_lost_share() -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 100, 100, 1))
    engine._pool[8 + ladders.P_LEAVES] -= 1
    with pytest.raises(ConservationError, match="instrument 0"):
        engine.check()


def test_very_wide_limits_find_the_next_level() -> None:
    engine = MatchingEngine(listed((0, 2_000_00, 1, 2_000_000)), max_orders=8)
    engine.set_phase(Phase.CONTINUOUS)
    far = [(LIMIT, SELL, 1_999_999, 100, 1), (LIMIT, SELL, 7, 100, 2), (LIMIT, BUY, 1, 100, 3), (CANCEL, 0, 0, 0, 2)]
    send(engine, *far)
    assert engine.quotes().ask[0] == 1_999_999
    assert engine.quotes().bid[0] == 1
    assert send(engine, (MARKET, BUY, 0, 100, 4))[1][:4] == (TapeKind.TRADE, BUY, 1_999_999, 100)
    assert engine.quotes().ask[0] == 0
    engine.check()


def test_read_only_and_strided_columns_are_taken() -> None:
    engine = one_book()
    rows = np.array([(9, LIMIT, 0, BUY, 100, 100, 1), (9, LIMIT, 0, SELL, 100, 100, 2)], np.int64)
    rows.flags.writeable = False
    assert len(engine.process(Messages(*rows.T))) == 3


def test_background_handles_lie_within_the_default_range() -> None:
    engine = MatchingEngine(listed((0, 100, 90, 110)))
    engine.set_phase(Phase.CONTINUOUS)
    assert send(engine, (LIMIT, BUY, 100, 100, BACKGROUND_BASE + 5))[0][4] == BACKGROUND_BASE + 5


# Two Shanghai and two Shenzhen instruments with narrow ladders, so that orders meet often; one spans several words.
LISTINGS = ((0, 20, 15, 25), (1, 20, 15, 25), (0, 200, 100, 300), (1, 12, 1, 400))
HANDLES = 40
message = st.tuples(
    st.sampled_from([LIMIT] * 6 + [MARKET, IOC, CANCEL, CANCEL]),
    st.integers(0, len(LISTINGS) - 1),
    st.sampled_from([BUY, SELL]),
    st.integers(-7, 7),
    st.sampled_from([0, 100, 100, 100, 200, 300, 1000, 37]),
    st.integers(0, HANDLES - 1),
)
action = st.one_of(
    st.lists(message, min_size=1, max_size=40),
    st.tuples(st.sampled_from([Phase.CONTINUOUS, Phase.OPEN_CALL, Phase.CLOSE_CALL, Phase.LUNCH]), st.booleans()),
    st.just("expire"),
)


def both_engines(tape_rows: int) -> tuple[MatchingEngine, ReferenceEngine]:
    engine = MatchingEngine(listed(*LISTINGS), max_orders=HANDLES, pool_orders=2, tape_rows=tape_rows)
    return engine, ReferenceEngine([Listing(down, up, close, bool(x)) for x, close, down, up in LISTINGS])


def as_rows(messages: list[tuple[int, ...]], reference: ReferenceEngine, time: int) -> list[tuple[int, ...]]:
    """Messages with real prices; a new order takes the first handle, from the drawn one on, that no order has."""
    rows = []
    for i, (kind, instrument, side, offset, quantity, handle) in enumerate(messages):
        price = 0 if kind == MARKET else max(0, LISTINGS[instrument][1] + offset)
        taken = {r[6] for r in rows if r[1] != CANCEL} | reference.live.keys()
        if kind != CANCEL:
            handle = next((h % HANDLES for h in range(handle, handle + HANDLES) if h % HANDLES not in taken), -1)
        if handle >= 0:
            rows.append((time + i, kind, instrument, side, price, quantity, handle))
    return rows


def compare(engine: MatchingEngine, reference: ReferenceEngine) -> None:
    engine.check()
    assert rows_of(engine.quotes()) == reference.quotes()
    for i in range(len(LISTINGS)):
        assert [c.tolist() for c in engine.depth(i, 4)] == reference.depth(i, 4)
    sums = [sum(sum(c) for c in reference.depth(i, 3)[1::2]) for i in range(len(LISTINGS))]
    assert engine.depth_all(3).tolist() == sums


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.integers(1, 8), st.lists(action, min_size=1, max_size=12))
def test_tape_equals_the_reference_whatever_happens(tape_rows: int, actions: list) -> None:
    engine, reference = both_engines(tape_rows)
    time = 0
    for step in [(Phase.OPEN_CALL, True), *actions, "expire"]:
        time += 100
        if isinstance(step, list):
            rows = as_rows(step, reference, time)
            assert rows_of(engine.process(batch(rows))) == reference.process(rows)
        elif step == "expire":
            assert rows_of(engine.expire(time)) == reference.expire(time)
        else:
            phase, cancels = step
            if phase == Phase.CONTINUOUS:
                assert rows_of(engine.uncross(time)) == reference.uncross(time)
            engine.set_phase(phase, cancels_allowed=cancels)
            reference.mode, reference.cancels = MODES.get(phase, "shut"), cancels
        compare(engine, reference)
    assert engine.resting == 0


def test_long_random_day_equals_the_reference() -> None:
    rng = np.random.default_rng(20230207)
    engine, reference = both_engines(64)
    for k in range(60):
        phase = [Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CONTINUOUS, Phase.CLOSE_CALL][k % 4]
        assert rows_of(engine.uncross(k * 1000)) == reference.uncross(k * 1000)
        engine.set_phase(phase)
        reference.mode, reference.cancels = MODES[phase], True
        drawn = [
            (
                int(rng.choice([LIMIT, LIMIT, LIMIT, MARKET, IOC, CANCEL, CANCEL])),
                int(rng.integers(4)),
                int(rng.choice([BUY, SELL])),
                int(rng.integers(-90, 91)) if rng.random() < 0.2 else int(rng.integers(-4, 5)),
                int(rng.integers(1, 50)) * 100,
                int(rng.integers(HANDLES)),
            )
            for _ in range(30)
        ]
        rows = as_rows(drawn, reference, k * 1000)
        assert rows_of(engine.process(batch(rows))) == reference.process(rows)
        compare(engine, reference)
