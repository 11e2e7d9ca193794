"""The compiled books against the plain ones of reference_book.py, and the rules one by one."""

from __future__ import annotations

import numpy as np
import pytest
from book_cases import (
    BUY,
    CANCEL,
    HANDLES,
    IOC,
    KINDS,
    LIMIT,
    LISTINGS,
    MARKET,
    PHASES,
    SELL,
    act,
    batch,
    both_engines,
    compare,
    listed,
    one_book,
    random_steps,
    send,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import twin.kernels.ladders as ladders
from twin.clock import Phase
from twin.contracts import Messages, Reason, TapeKind
from twin.errors import CapacityError, ConservationError, DataError
from twin.matching.engine import BACKGROUND_BASE, MatchingEngine


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


plain_message = st.tuples(
    st.sampled_from([LIMIT] * 9 + [MARKET, IOC, CANCEL, CANCEL, CANCEL, *KINDS]),
    st.integers(0, len(LISTINGS) - 1),
    st.sampled_from([BUY, SELL]),
    st.integers(-7, 7) | st.integers(-40, 40),
    st.sampled_from([0, 100, 100, 100, 200, 300, 1000, 37]),
    st.integers(0, HANDLES - 1),
)
some = st.none() | st.sets(st.integers(0, len(LISTINGS) - 1), max_size=3)
action = st.one_of(
    st.lists(plain_message, min_size=1, max_size=40),
    st.tuples(st.just("phase"), some, st.sampled_from(PHASES), st.booleans(), st.integers(0, 1)),
    st.tuples(st.just("halt"), some, st.integers(1, 300)),
    st.tuples(st.sampled_from(["suspend", "release", "wake", "expire"]), some),
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.booleans(), st.integers(2, 9), st.lists(action, min_size=1, max_size=12))
def test_tape_equals_the_reference_whatever_happens(ruled: bool, tape_rows: int, actions: list) -> None:
    engine, reference = both_engines(tape_rows, ruled=ruled)
    start: list = [("phase", None, Phase.OPEN_CALL, True, 0), ("phase", None, Phase.CONTINUOUS, True, 0)]
    for k, step in enumerate([*start, *actions, ("expire", None)]):
        act(engine, reference, step, 100 * k)
        compare(engine, reference)
    assert engine.resting == 0


@pytest.mark.parametrize("ruled", [False, True])
def test_long_random_day_equals_the_reference(ruled: bool) -> None:
    long_run(20230207, 6_000, ruled=ruled, tape_rows=8)


def long_run(seed: int, n_messages: int, *, ruled: bool, tape_rows: int) -> dict[int, int]:
    """Compare whole tapes over a long random stream; how often each kind of tape row was seen."""
    rng = np.random.default_rng(seed)
    engine, reference = both_engines(tape_rows, ruled=ruled)
    seen: dict[int, int] = {}
    act(engine, reference, ("phase", None, Phase.CONTINUOUS, True, 0), 0)
    for k, step in enumerate(random_steps(rng, n_messages)):
        act(engine, reference, step, 30 * k % 1200)
        for row in reference.tape:
            seen[row[1]] = seen.get(row[1], 0) + 1
        if k % 3 == 0:
            compare(engine, reference)
    return seen


@pytest.mark.slow
def test_150_000_messages_equal_the_reference() -> None:
    for seed in range(6):
        seen = long_run(seed, 25_000, ruled=seed % 4 > 0, tape_rows=2 << seed)
        assert set(seen) == {int(k) for k in TapeKind}
