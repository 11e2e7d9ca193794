"""Volatility halts, halts from outside, suspensions and phases of single instruments."""

from __future__ import annotations

import numpy as np
import pytest
from book_cases import (
    BUY,
    CANCEL,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    batch,
    brief,
    listed,
    one_book,
    order_rules,
    rows_of,
    send,
)

from twin.clock import Phase
from twin.contracts import Reason, TapeKind
from twin.errors import DataError
from twin.matching.engine import MatchingEngine

ACCEPTED, TRADE, CANCELLED, REJECTED, EXPIRED, REDUCED, REPLACED, HALTED, RESUMED = (int(k) for k in TapeKind)
HALTS = {"halt_first_ppm": 300_000, "halt_second_ppm": 600_000, "halt_ns": 10, "halt_until": 1000}


def opened(price: int = 80, **more: int) -> MatchingEngine:
    """A book that has opened at a price."""
    engine = one_book(Phase.OPEN_CALL, rules=HALTS | more)
    send(engine, (LIMIT, BUY, price, 10, 60), (LIMIT, SELL, price, 10, 61), time=0)
    engine.uncross(0)
    engine.set_phase(Phase.CONTINUOUS)
    assert engine.opens.tolist() == [price]
    return engine


def test_first_trade_sets_the_open_where_the_call_had_none() -> None:
    engine = one_book(rules=HALTS)
    send(engine, (LIMIT, BUY, 80, 10, 1), (LIMIT, SELL, 80, 10, 2))
    assert engine.opens.tolist() == [80]


@pytest.mark.parametrize(("price", "halts"), [(103, False), (104, True), (57, False), (56, True)])
def test_halt_at_thirty_per_cent_of_the_open_exactly(price: int, halts: bool) -> None:
    engine = opened()
    tape = send(engine, (LIMIT, BUY, price, 10, 1), (LIMIT, SELL, price, 10, 2), time=5)
    assert (tape[-1] == (HALTED, 0, price, 15, -1, -1, 0)) is halts
    assert engine.halted.tolist() == [halts]


def test_threshold_between_ticks_needs_the_tick_beyond() -> None:
    engine = opened(81)  # 30 % of 81 is 24.3
    assert HALTED not in [r[0] for r in send(engine, (LIMIT, BUY, 105, 10, 1), (LIMIT, SELL, 105, 10, 2))]
    assert HALTED in [r[0] for r in send(engine, (LIMIT, BUY, 106, 10, 1), (LIMIT, SELL, 106, 10, 2))]


def test_aggressor_stops_at_the_halt_and_a_limit_order_rests() -> None:
    engine = opened()
    send(engine, (LIMIT, SELL, 104, 10, 1), (LIMIT, SELL, 104, 10, 2), (LIMIT, SELL, 110, 10, 3))
    tape = send(engine, (LIMIT, BUY, 110, 100, 4), time=5)
    assert [r[0] for r in tape] == [ACCEPTED, TRADE, HALTED]
    assert engine.resting == 3
    engine.check()
    tape = engine.wake(15)
    assert [r[0] for r in brief(tape)] == [TRADE, TRADE, RESUMED]
    assert tape.price.tolist() == [110, 110, 110]  # the half-filled bid sets the price
    assert tape.time.tolist() == [15, 15, 15]


@pytest.mark.parametrize("kind", [IOC, MARKET])
def test_aggressor_that_may_not_rest_is_cancelled_at_the_halt(kind: int) -> None:
    engine = opened()
    send(engine, (LIMIT, SELL, 104, 10, 1), (LIMIT, SELL, 104, 10, 2))
    tape = send(engine, (kind, BUY, 110 * (kind == IOC), 100, 4), time=5)
    assert [r[0] for r in tape] == [ACCEPTED, TRADE, HALTED, CANCELLED]


def test_fill_or_kill_counts_what_trades_before_the_halt() -> None:
    engine = opened()
    send(engine, (LIMIT, SELL, 100, 10, 1), (LIMIT, SELL, 104, 10, 2), (LIMIT, SELL, 104, 10, 3))
    assert send(engine, (FOK, BUY, 104, 21, 4), time=5)[0][5] == -1 - Reason.UNFILLABLE
    assert [r[0] for r in send(engine, (FOK, BUY, 104, 20, 4), time=5)] == [ACCEPTED, TRADE, TRADE, HALTED]


def test_orders_and_cancels_are_taken_in_a_halt_and_nothing_trades() -> None:
    engine = opened()
    send(engine, (LIMIT, BUY, 104, 10, 1), (LIMIT, SELL, 104, 10, 2), time=5)
    tape = send(engine, (LIMIT, BUY, 104, 10, 3), (LIMIT, SELL, 100, 10, 4), (CANCEL, 0, 0, 0, 3), time=14)
    assert [r[0] for r in tape] == [ACCEPTED, ACCEPTED, CANCELLED]
    assert send(engine, (MARKET, BUY, 0, 10, 5), time=14)[0][5] == -1 - Reason.CLOSED
    assert engine.uncross(14).kind.tolist() == []
    assert engine.quotes().bid.tolist() == [0]


def test_halt_ends_before_the_first_message_at_its_instant() -> None:
    engine = opened()
    send(engine, (LIMIT, BUY, 104, 10, 1), (LIMIT, SELL, 104, 10, 2), time=5)
    send(engine, (LIMIT, BUY, 104, 10, 3), (LIMIT, SELL, 100, 10, 4), time=14)
    tape = rows_of(engine.process(batch([(20, LIMIT, 0, SELL, 104, 10, 5)])))
    assert [(r[0], r[1]) for r in tape] == [(15, TRADE), (15, RESUMED), (20, ACCEPTED)]
    assert tape[0][4] == 102  # the middle of 100 and 104


def test_each_threshold_halts_once_in_each_direction() -> None:
    engine = opened()
    seen = []
    for k, price in enumerate((104, 105, 128, 130, 104, 56, 50, 56)):
        t = 100 * (k + 1)
        engine.wake(t)
        tape = send(engine, (LIMIT, BUY, price, 10, 1), (LIMIT, SELL, price, 10, 2), time=t)
        seen += [r[2] for r in tape if r[0] == HALTED]
    assert seen == [104, 128, 56]


def test_a_jump_beyond_both_thresholds_halts_once() -> None:
    engine = opened()
    for t, price in ((5, 130), (100, 104), (200, 130)):
        engine.wake(t)
        tape = send(engine, (LIMIT, BUY, price, 10, 1), (LIMIT, SELL, price, 10, 2), time=t)
        assert (HALTED in [r[0] for r in tape]) is (t == 5)


def test_resuming_call_at_the_second_threshold_halts_again() -> None:
    engine = opened()
    send(engine, (LIMIT, BUY, 104, 10, 1), (LIMIT, SELL, 104, 10, 2), time=5)
    send(engine, (LIMIT, BUY, 130, 10, 3), (LIMIT, SELL, 130, 10, 4), time=6)
    assert [(r[0], r[2], r[3]) for r in brief(engine.wake(50))] == [
        (TRADE, 130, 10),
        (RESUMED, 130, 0),
        (HALTED, 130, 25),
        (RESUMED, 0, 0),
    ]


@pytest.mark.parametrize("tape_rows", [2, 3, 4, 64])
def test_a_late_message_finds_both_halts_ended(tape_rows: int) -> None:
    engine = opened()
    send(engine, (LIMIT, BUY, 104, 10, 1), (LIMIT, SELL, 104, 10, 2), time=5)
    send(engine, (LIMIT, BUY, 130, 10, 3), (LIMIT, SELL, 130, 10, 4), time=6)
    engine._tape_rows = tape_rows
    tape = engine.process(batch([(50, CANCEL, 0, 0, 0, 0, 3)]))
    assert tape.kind.tolist() == [TRADE, RESUMED, HALTED, RESUMED, REJECTED]
    assert tape.time.tolist() == [15, 15, 15, 25, 50]


def test_halt_ends_at_the_latest_at_its_bound_and_not_at_all_after_it() -> None:
    engine = opened(halt_until=12)
    assert send(engine, (LIMIT, BUY, 104, 10, 1), (LIMIT, SELL, 104, 10, 2), time=5)[-1][3] == 12
    engine.wake(12)
    tape = send(engine, (LIMIT, BUY, 130, 10, 1), (LIMIT, SELL, 130, 10, 2), time=12)
    assert [r[0] for r in tape] == [ACCEPTED, ACCEPTED, TRADE]


def three() -> MatchingEngine:
    engine = MatchingEngine(listed(*[(0, 100, 50, 150)] * 3), rules=order_rules({}, {}, {}), max_orders=64)
    engine.set_phase(Phase.CONTINUOUS)
    return engine


def crossing(instrument: int, first: int, time: int) -> list[tuple[int, ...]]:
    return [
        (time, LIMIT, instrument, BUY, 100, 10, first),
        (time, LIMIT, instrument, SELL, 100, 10, first + 1),
    ]


def test_circuit_breaker_halts_all_and_wake_resumes_in_order_of_time() -> None:
    engine = three()
    tape = engine.halt(None, 5, 50)
    assert [(r[1], r[2], r[5]) for r in rows_of(tape)] == [(HALTED, i, 50) for i in range(3)]
    engine.halt(np.array([0]), 6, 70)
    engine.process(batch([*crossing(0, 0, 10), *crossing(1, 2, 10)]))
    assert engine.wake(49).kind.tolist() == []
    assert [(r[0], r[1], r[2]) for r in rows_of(engine.wake(100))] == [
        (50, TRADE, 1),
        (50, RESUMED, 1),
        (50, RESUMED, 2),
        (70, TRADE, 0),
        (70, RESUMED, 0),
    ]


def test_suspended_instrument_refuses_orders_takes_cancels_and_returns_by_a_call() -> None:
    engine = three()
    engine.process(batch([(1, LIMIT, 1, BUY, 99, 10, 8)]))
    engine.suspend(np.array([1]))
    tape = engine.process(batch([*crossing(1, 0, 2), (2, CANCEL, 1, 0, 0, 0, 8), *crossing(0, 4, 2)]))
    assert [(r[1], r[7]) for r in rows_of(tape)[:2]] == [(REJECTED, -1 - Reason.SUSPENDED)] * 2
    assert [r[1] for r in rows_of(tape)[2:]] == [CANCELLED, ACCEPTED, ACCEPTED, TRADE]
    assert engine.suspended.tolist() == [False, True, False]
    engine.set_phase(Phase.LUNCH)
    engine.set_phase(Phase.CONTINUOUS)
    assert engine.suspended.tolist() == [False, True, False]
    assert rows_of(engine.release(None, 7)) == [(7, RESUMED, 1, 0, 0, 0, -1, -1, 0)]
    assert [r[1] for r in rows_of(engine.process(batch(crossing(1, 0, 8))))] == [ACCEPTED, ACCEPTED, TRADE]


def test_phase_of_some_instruments_leaves_the_others() -> None:
    engine = three()
    engine.set_phase(Phase.CLOSE_CALL, instruments=np.array([2]))
    tape = engine.process(batch([*crossing(1, 0, 2), *crossing(2, 2, 2)]))
    assert [r[1] for r in rows_of(tape)] == [ACCEPTED, ACCEPTED, TRADE, ACCEPTED, ACCEPTED]
    assert engine.quotes().bid.tolist() == [0, 0, 100]
    assert engine.uncross(3, np.array([0, 1])).kind.tolist() == []
    assert engine.uncross(3, np.array([2])).kind.tolist() == [TRADE]


def test_halt_over_lunch_ends_when_trading_goes_on() -> None:
    engine = three()
    engine.halt(np.array([0]), 5, 20)
    engine.process(batch(crossing(0, 0, 6)))
    engine.set_phase(Phase.LUNCH)
    assert engine.wake(30).kind.tolist() == []
    engine.set_phase(Phase.CONTINUOUS, time=40)
    assert [(r[0], r[1]) for r in rows_of(engine.wake(40))] == [(40, TRADE), (40, RESUMED)]


def test_halt_until_after_the_close_never_ends_and_orders_expire() -> None:
    engine = three()
    engine.halt(None, 5, 1 << 50)
    engine.process(batch(crossing(0, 0, 6)))
    assert engine.uncross(10).kind.tolist() == []
    engine.set_phase(Phase.CLEARING)
    assert engine.expire(11).kind.tolist() == [EXPIRED, EXPIRED]
    engine.check()


def test_an_instrument_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(DataError, match="instrument 3"):
        three().halt(np.array([3]), 0, 1)
