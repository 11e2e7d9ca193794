"""The index circuit breaker on its own dates (domain M60 to M64) and switched on elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from exchange_house import BUY, CANCEL, NEW, SELL, SSE, SZSE, exchange, messages, refusals, tape_rows, trades

from twin.clock import SECOND, at, clock_text
from twin.contracts import Reason, Tape, TapeKind
from twin.matching.circuit_breaker import BreakerTerms, CircuitBreaker, Stop

HANDLES = iter(range(10**6))


def deal(time, *prices):
    """Messages that trade every instrument at a price."""
    return [
        (time, NEW, instrument, side, price, 100, next(HANDLES))
        for instrument, price in enumerate(prices)
        for side in (SELL, BUY)
    ]


def live(market, rows, until="15:00:03", step=3 * SECOND):
    """The day in quote intervals from 09:15, as the twin runs it."""
    whole = messages(*rows)
    tapes = []
    for now in range(at("09:15"), at(until), step):
        tapes.append(market.reach(now))
        first, last = np.searchsorted(whole.time, [now, now + step])
        tapes.append(market.process(whole.take(slice(first, last)), now + step))
    return tape_rows(Tape.concat(tapes))


def stops(market):
    return [(clock_text(s.start), clock_text(s.end), s.for_the_day) for s in market.stops]


def test_the_timeline_of_2016_01_04():
    market = exchange(SSE, SZSE, day="2016-01-04")
    late = next(HANDLES)
    rows = [
        *deal("09:31:00", 990, 980),
        *deal("13:11:59", 950, 950),
        ("13:20:00", NEW, 0, SELL, 940, 100, next(HANDLES)),
        ("13:21:00", NEW, 0, BUY, 945, 100, late),
        *deal("13:33:29", 930, 930),
        ("13:40:00", NEW, 0, SELL, 930, 100, 10**6),
        ("13:41:00", NEW, 1, SELL, 930, 100, 10**6 + 1),
        ("13:42:00", CANCEL, 1, 0, 0, 0, 10**6 + 1),
        ("14:58:00", NEW, 1, BUY, 930, 100, 10**6 + 2),
        ("14:58:01", NEW, 1, SELL, 930, 100, 10**6 + 3),
    ]
    tape = live(market, rows)
    assert stops(market) == [("13:12:00", "13:27:00", False), ("13:33:30", "15:00:00", True)]
    assert market.stops[0].level == pytest.approx(-0.05)
    assert market.stops[1].level == pytest.approx(-0.07)
    # What was entered in the pause trades in the call that ends it, and nothing trades after the second stop.
    times = [t[0] for t in trades(tape)]
    assert at("13:27:00") in times
    assert max(times) == at("13:33:29")
    assert not any(at("13:12:00") <= t < at("13:27:00") for t in times)
    # Shanghai takes cancels only, Shenzhen orders too; neither has a closing call any more.
    assert refusals(tape) == [(10**6, Reason.SUSPENDED)]
    assert (10**6 + 1, TapeKind.CANCELLED) in [(r[6], r[1]) for r in tape]
    assert {r[6] for r in tape if r[1] == TapeKind.EXPIRED and r[6] > 10**6} == {10**6 + 2, 10**6 + 3}
    assert market.closing_prices().tolist() == [930, 930]


def test_the_timeline_of_2016_01_07():
    market = exchange(SSE, SZSE, day="2016-01-07")
    live(market, [*deal("09:42:01", 948, 951), *deal("09:58:58", 930, 929)], until="10:30")
    assert stops(market) == [("09:42:03", "09:57:03", False), ("09:59:00", "15:00:00", True)]


def test_the_next_day_there_is_none():
    market = exchange(SSE, SZSE, day="2016-01-08")
    tape = live(market, [*deal("09:42:01", 930, 930), *deal("10:00:00", 920, 920)], until="10:30")
    assert market.breaker is None
    assert len(trades(tape)) == 4


def test_a_scenario_switches_it_on_and_off():
    rows = [*deal("09:42:01", 1060, 1060), *deal("10:10:00", 1075, 1075)]
    market = exchange(SSE, SZSE, day="2026-09-15", breaker="on")
    live(market, rows, until="10:30")
    assert stops(market) == [("09:42:03", "09:57:03", False), ("10:10:03", "15:00:00", True)]
    market = exchange(SSE, SZSE, day="2016-01-07", breaker="off")
    live(market, rows, until="10:30")
    assert stops(market) == []


def test_lunch_does_not_count_and_late_breaches_end_the_day():
    market = exchange(SSE, SZSE, day="2016-01-07")
    live(market, deal("11:20:00", 945, 945), until="13:30")
    assert stops(market) == [("11:20:03", "13:05:03", False)]
    for time, ends in (("14:44:50", False), ("14:45:00", True)):
        market = exchange(SSE, SZSE, day="2016-01-07")
        tape = live(market, deal(time, 945, 945))
        assert [s.for_the_day for s in market.stops] == [ends]
        # The pause from before 14:45 runs out before 15:00: Shenzhen holds its closing call, Shanghai trades on.
        assert len([r for r in tape if r[1] == TapeKind.RESUMED]) == (0 if ends else 2)


def test_the_first_threshold_counts_once():
    market = exchange(SSE, SZSE, day="2016-01-04")
    live(market, [*deal("10:00:00", 945, 945), *deal("10:20:00", 990, 990), *deal("10:30:00", 945, 945)], until="11:00")
    assert stops(market) == [("10:00:03", "10:15:03", False)]


def test_an_open_beyond_a_threshold_stops_continuous_trading_at_once():
    market = exchange(SSE, SZSE, day="2016-01-04")
    live(market, deal("09:16:00", 945, 945), until="10:00")
    assert stops(market) == [("09:30:00", "09:45:00", False)]
    market = exchange(SSE, SZSE, day="2016-01-04")
    live(market, deal("09:16:00", 925, 925), until="10:00")
    assert stops(market) == [("09:30:00", "15:00:00", True)]


def test_the_index_is_weighted_at_the_previous_close():
    close = np.array([1000, 500, 200])
    breaker = CircuitBreaker(BreakerTerms(), close, np.array([2.0, 1.0, 1.0]))
    last = np.array([900, 0, 210])  # -10 %, no trade yet, +5 %
    assert breaker.measure(last) == pytest.approx(0.5 * -0.10 + 0.25 * 0.05)
    # Exactly at the threshold counts.
    assert breaker.check(at("10:00"), np.array([900, 500, 200])) is Stop.PAUSE
    assert breaker.check(at("10:30"), np.array([900, 460, 200])) is Stop.DAY
