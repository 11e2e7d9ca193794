"""Kinds of orders and what the exchange demands of them, rule by rule; and proof that a wrong rule would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from book_cases import (
    AMEND,
    BEST5_LIMIT,
    BUY,
    CANCEL,
    COUNTER_BEST,
    FIXED,
    FOK,
    HANDLES,
    IOC,
    KINDS,
    LIMIT,
    LISTINGS,
    MARKET,
    OWN_BEST,
    REDUCE,
    REPLACE,
    RULES,
    SELL,
    SWEEP,
    batch,
    listed,
    one_book,
    order_rules,
    send,
)
from reference_book import Listing, ReferenceEngine
from test_matching_engine import long_run

from twin.clock import Phase
from twin.contracts import Messages, Reason, TapeKind
from twin.errors import DataError
from twin.matching.engine import MatchingEngine

ACCEPTED, TRADE, CANCELLED, REJECTED, EXPIRED, REDUCED, REPLACED, HALTED, RESUMED = (int(k) for k in TapeKind)


def refusal(engine: MatchingEngine, *row: int) -> Reason | None:
    """The reason why a message is refused."""
    first = send(engine, row)[0]  # type: ignore[arg-type]
    return Reason(-1 - first[5]) if first[0] == REJECTED else None


def ladder(engine: MatchingEngine, side: int, prices: range, first: int, quantity: int = 10) -> None:
    send(engine, *((LIMIT, side, price, quantity, first + k) for k, price in enumerate(prices)))


# Market orders (domain M55 to M57)


def test_best5_to_limit_rests_at_its_last_trade_price() -> None:
    engine = one_book()
    ladder(engine, SELL, range(101, 108), 0)
    tape = send(engine, (BEST5_LIMIT, BUY, 0, 100, 20))
    assert [r[2] for r in tape] == [0, 101, 102, 103, 104, 105]
    assert [c.tolist() for c in engine.depth(0, 1)] == [[105], [50], [106], [10]]


def test_best5_to_limit_without_a_trade_rests_at_the_best_of_its_own_side() -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 97, 10, 1))
    assert send(engine, (BEST5_LIMIT, BUY, 0, 100, 2)) == [(ACCEPTED, BUY, 97, 100, 2, -1, 100)]
    assert engine.depth(0, 1)[1].tolist() == [110]


def test_best5_to_limit_with_nobody_on_either_side_is_cancelled() -> None:
    tape = send(one_book(), (BEST5_LIMIT, SELL, 0, 100, 2))
    assert [r[0] for r in tape] == [ACCEPTED, CANCELLED]


def test_own_best_rests_behind_its_own_side_and_without_one_is_cancelled() -> None:
    engine = one_book()
    assert [r[0] for r in send(engine, (OWN_BEST, BUY, 0, 100, 1))] == [ACCEPTED, CANCELLED]
    send(engine, (LIMIT, BUY, 97, 10, 1), (LIMIT, SELL, 99, 10, 2))
    assert send(engine, (OWN_BEST, BUY, 0, 100, 3)) == [(ACCEPTED, BUY, 97, 100, 3, -1, 100)]
    assert [r[5] for r in send(engine, (LIMIT, SELL, 97, 20, 4)) if r[0] == TRADE] == [1, 3]


def test_counter_best_takes_one_level_and_rests_there() -> None:
    engine = one_book()
    ladder(engine, SELL, range(101, 104), 0)
    assert send(engine, (COUNTER_BEST, BUY, 0, 25, 9)) == [
        (ACCEPTED, BUY, 101, 25, 9, -1, 25),
        (TRADE, BUY, 101, 10, 9, 0, 15),
    ]
    assert [c.tolist() for c in engine.depth(0, 1)] == [[101], [15], [102], [10]]


def test_sweep_goes_through_every_level() -> None:
    engine = one_book()
    ladder(engine, BUY, range(100, 92, -1), 0)
    tape = send(engine, (SWEEP, SELL, 0, 100, 20))
    assert [r[2] for r in tape[1:-1]] == [100, 99, 98, 97, 96, 95, 94, 93]
    assert tape[-1] == (CANCELLED, SELL, 0, 20, 20, -1, 0)


@pytest.mark.parametrize("kind", [MARKET, COUNTER_BEST, SWEEP])
def test_market_kinds_without_counterparty_are_refused(kind: int) -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 97, 10, 1))
    assert refusal(engine, kind, BUY, 0, 10, 2) == Reason.NO_COUNTERPARTY


def test_fill_or_kill_trades_in_full_or_not_at_all() -> None:
    engine = one_book()
    ladder(engine, SELL, range(101, 104), 0)
    assert refusal(engine, FOK, BUY, 102, 21, 9) == Reason.UNFILLABLE
    assert refusal(engine, FOK, BUY, 0, 31, 9) == Reason.UNFILLABLE
    assert refusal(engine, FOK, SELL, 0, 1, 9) == Reason.UNFILLABLE
    assert engine.resting == 3
    assert [r[0] for r in send(engine, (FOK, BUY, 102, 20, 9))] == [ACCEPTED, TRADE, TRADE]
    assert [r[0] for r in send(engine, (FOK, BUY, 0, 10, 9))] == [ACCEPTED, TRADE]


@pytest.mark.parametrize("kind", [MARKET, BEST5_LIMIT, SWEEP, COUNTER_BEST])
def test_protective_price_bounds_trades_and_the_price_of_the_remainder(kind: int) -> None:
    engine = one_book()
    ladder(engine, SELL, range(101, 106), 0)
    tape = send(engine, (kind, BUY, 102, 100, 20))
    assert [r[2] for r in tape if r[0] == TRADE] == ([101] if kind == COUNTER_BEST else [101, 102])
    bid = {BEST5_LIMIT: 102, COUNTER_BEST: 101}.get(kind, 0)
    assert engine.quotes().bid[0] == bid


def test_protective_price_caps_own_best_and_counter_best() -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 99, 10, 1), (LIMIT, SELL, 103, 10, 2))
    assert send(engine, (OWN_BEST, BUY, 97, 10, 3))[0][2] == 97
    assert send(engine, (COUNTER_BEST, BUY, 101, 10, 4)) == [(ACCEPTED, BUY, 101, 10, 4, -1, 10)]
    assert send(engine, (OWN_BEST, SELL, 105, 10, 5))[0][2] == 105
    assert refusal(engine, MARKET, BUY, 49, 10, 6) == Reason.PRICE_LIMIT
    assert refusal(engine, MARKET, SELL, 151, 10, 6) == Reason.PRICE_LIMIT
    assert refusal(engine, MARKET, BUY, 400, 10, 6) is None


# Changes of resting orders


def test_reduce_keeps_the_place_and_all_of_it_cancels() -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 100, 50, 1), (LIMIT, BUY, 100, 50, 2))
    assert send(engine, (REDUCE, 0, 0, 20, 1)) == [(REDUCED, BUY, 100, 20, 1, -1, 30)]
    assert [r[5] for r in send(engine, (LIMIT, SELL, 100, 40, 3)) if r[0] == TRADE] == [1, 2]
    assert send(engine, (REDUCE, 0, 0, 99, 2)) == [(CANCELLED, BUY, 100, 40, 2, -1, 0)]
    assert engine.resting == 0


def test_replace_loses_the_place_and_may_trade_at_once() -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 100, 50, 1), (LIMIT, BUY, 100, 50, 2), (LIMIT, SELL, 105, 30, 3))
    assert send(engine, (REPLACE, 0, 100, 50, 1)) == [(REPLACED, BUY, 100, 50, 1, -1, 50)]
    assert send(engine, (REPLACE, SELL, 105, 70, 2)) == [
        (REPLACED, BUY, 105, 70, 2, -1, 70),
        (TRADE, BUY, 105, 30, 2, 3, 40),
    ]
    assert [c.tolist() for c in engine.depth(0, 2)[:2]] == [[105, 100], [40, 50]]


def test_amend_keeps_the_place_only_when_the_order_shrinks_at_its_price() -> None:
    engine = one_book()
    send(engine, *((LIMIT, BUY, 100, 50, k) for k in range(4)))
    send(engine, (AMEND, 0, 100, 40, 0), (AMEND, 0, 100, 60, 1), (AMEND, 0, 100, 50, 2))
    assert [r[5] for r in send(engine, (LIMIT, SELL, 100, 200, 9)) if r[0] == TRADE] == [0, 2, 3, 1]


@pytest.mark.parametrize("kind", [CANCEL, REDUCE, REPLACE, AMEND])
def test_changes_of_orders_that_do_not_rest_are_refused(kind: int) -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 100, 50, 1), (LIMIT, SELL, 100, 50, 2), (LIMIT, BUY, 90, 50, 3), (CANCEL, 0, 0, 0, 3))
    for handle in (1, 2, 3, 4):
        assert refusal(engine, kind, BUY, 100, 10, handle) == Reason.UNKNOWN_ORDER
    engine.set_phase(Phase.OPEN_CALL, cancels_allowed=False)
    assert refusal(engine, kind, BUY, 100, 10, 1) == Reason.NO_CANCEL


def test_a_refused_change_leaves_the_order_alone() -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 100, 50, 1), (LIMIT, BUY, 100, 50, 2))
    for row in ((REPLACE, 0, 151, 50, 1), (AMEND, 0, 100, 0, 1), (REDUCE, 0, 0, 0, 1), (REPLACE, 0, 99, -5, 1)):
        assert refusal(engine, *row) in (Reason.PRICE_LIMIT, Reason.LOT)
    assert [r[5] for r in send(engine, (LIMIT, SELL, 100, 60, 9)) if r[0] == TRADE] == [1, 2]


def test_a_second_order_under_the_handle_of_a_resting_one_is_refused() -> None:
    engine = one_book()
    send(engine, (LIMIT, BUY, 100, 50, 1))
    assert send(engine, (LIMIT, SELL, 100, 10, 1)) == [(REJECTED, SELL, 100, 10, 1, -1 - Reason.UNKNOWN_ORDER, 50)]
    assert engine.resting == 1
    engine.check()


# Demands on orders


@pytest.mark.parametrize(
    ("rules", "row", "reason"),
    [
        ({"smallest": 100, "step": 100}, (LIMIT, BUY, 100, 150, 1), Reason.LOT),
        ({"smallest": 100, "step": 100}, (LIMIT, BUY, 100, 300, 1), None),
        ({"smallest": 100, "step": 100}, (LIMIT, SELL, 100, 37, 1), None),
        ({"smallest": 200, "step": 1}, (LIMIT, BUY, 100, 199, 1), Reason.LOT),
        ({"smallest": 200, "step": 1}, (LIMIT, BUY, 100, 201, 1), None),
        ({"largest_limit": 500, "largest_market": 300}, (LIMIT, SELL, 100, 501, 1), Reason.SIZE),
        ({"largest_limit": 500, "largest_market": 300}, (LIMIT, SELL, 100, 500, 1), None),
        ({"largest_limit": 500, "largest_market": 300}, (OWN_BEST, SELL, 0, 301, 1), Reason.SIZE),
        ({"kinds": 1 << LIMIT}, (IOC, BUY, 100, 1, 1), Reason.ORDER_KIND),
        ({"kinds": 1 << LIMIT | 1 << IOC}, (IOC, BUY, 100, 1, 1), None),
        ({"kinds": 1 << IOC}, (LIMIT, BUY, 100, 1, 1), Reason.ORDER_KIND),
        ({}, (FIXED, BUY, 100, 1, 1), Reason.ORDER_KIND),
        ({"band_ppm": 100_000}, (LIMIT, BUY, 110, 1, 1), None),
        ({"band_ppm": 100_000}, (LIMIT, BUY, 111, 1, 1), Reason.PRICE_LIMIT),
        ({"band_ppm": 100_000}, (LIMIT, BUY, 89, 1, 1), Reason.PRICE_LIMIT),
        ({"open_low": 95, "open_high": 105}, (LIMIT, BUY, 94, 1, 1), None),
        ({"cage_ppm": 20_000}, (LIMIT, BUY, 103, 1, 1), Reason.CAGE),
        ({"cage_ppm": 20_000}, (LIMIT, BUY, 102, 1, 1), None),
        ({"cage_ppm": 20_000, "cage_ticks": 10}, (LIMIT, SELL, 90, 1, 1), None),
        ({"cage_ppm": 20_000, "cage_ticks": 10}, (LIMIT, SELL, 89, 1, 1), Reason.CAGE),
        ({"cage_ppm": 20_000, "cage_parks": 1}, (IOC, BUY, 103, 1, 1), Reason.CAGE),
    ],
)
def test_rules_refuse_what_they_say(rules: dict[str, int], row: tuple[int, ...], reason: Reason | None) -> None:
    assert refusal(one_book(rules=rules), *row) == reason


def test_opening_call_has_its_own_band_and_no_cage() -> None:
    engine = one_book(Phase.OPEN_CALL, rules={"open_low": 95, "open_high": 105, "band_ppm": 10_000, "cage_ppm": 1})
    assert refusal(engine, LIMIT, BUY, 94, 1, 1) == Reason.PRICE_LIMIT
    assert refusal(engine, LIMIT, BUY, 105, 1, 1) is None
    engine.set_phase(Phase.CLOSE_CALL)
    assert refusal(engine, LIMIT, BUY, 102, 1, 2) == Reason.PRICE_LIMIT


@pytest.mark.parametrize("close", [51, 74, 75, 76, 99, 125, 149])
@pytest.mark.parametrize(("ppm", "ticks"), [(20_000, 0), (20_000, 10), (50_000, 3), (6_667, 0)])
def test_cage_edge_is_rounded_half_up_and_never_nearer_than_a_tick(close: int, ppm: int, ticks: int) -> None:
    engine = MatchingEngine(listed((0, close, 1, 400)), rules=order_rules({"cage_ppm": ppm, "cage_ticks": ticks}))
    engine.set_phase(Phase.CONTINUOUS)
    share = Fraction(ppm, 1_000_000)
    high = max(floor(close * (1 + share) + Fraction(1, 2)), close + max(ticks, 1))
    low = min(floor(close * (1 - share) + Fraction(1, 2)), close - max(ticks, 1))
    for side, edge in ((BUY, high), (SELL, low)):
        assert refusal(engine, LIMIT, side, edge + side, 10, 1) == Reason.CAGE
        assert refusal(engine, LIMIT, side, edge, 10, 1) is None
        send(engine, (CANCEL, 0, 0, 0, 1))


def test_cage_refers_to_the_other_side_then_the_own_then_the_last_trade() -> None:
    engine = one_book(rules={"cage_ppm": 20_000})
    send(engine, (LIMIT, BUY, 100, 10, 1), (LIMIT, SELL, 100, 10, 2), (LIMIT, BUY, 101, 10, 3), (CANCEL, 0, 0, 0, 3))
    assert refusal(engine, LIMIT, BUY, 103, 10, 4) == Reason.CAGE  # last trade 100
    send(engine, (LIMIT, BUY, 102, 10, 5))
    assert refusal(engine, LIMIT, BUY, 105, 10, 6) == Reason.CAGE  # own side 102: up to 104
    assert refusal(engine, LIMIT, BUY, 104, 10, 6) is None
    send(engine, (LIMIT, SELL, 106, 10, 7))
    assert refusal(engine, LIMIT, BUY, 108, 10, 8) is None  # other side 106: up to 108


def test_order_outside_the_cage_waits_unseen_and_enters_when_reached() -> None:
    engine = one_book(rules={"cage_ppm": 20_000, "cage_parks": 1})
    send(engine, (LIMIT, SELL, 101, 10, 1), (LIMIT, SELL, 105, 10, 2))
    assert send(engine, (LIMIT, BUY, 104, 50, 3)) == [(ACCEPTED, BUY, 104, 50, 3, -1, 50)]
    assert engine.quotes().bid[0] == 0
    assert engine.resting == 3
    engine.check()
    tape = send(engine, (LIMIT, BUY, 101, 10, 4))  # takes the ask of 101; the cage moves up to 107
    assert [r[0] for r in tape] == [ACCEPTED, TRADE]
    assert engine.quotes().bid[0] == 104
    engine.check()


def test_order_that_waits_can_be_cancelled_and_expires() -> None:
    engine = one_book(rules={"cage_ppm": 20_000, "cage_parks": 1})
    send(engine, (LIMIT, BUY, 120, 50, 3), (LIMIT, SELL, 80, 50, 4))
    assert send(engine, (CANCEL, 0, 0, 0, 3)) == [(CANCELLED, BUY, 120, 50, 3, -1, 0)]
    assert engine.expire(1).kind.tolist() == [EXPIRED]
    engine.check()


def test_orders_that_wait_enter_when_the_closing_call_begins() -> None:
    engine = one_book(rules={"cage_ppm": 20_000, "cage_parks": 1})
    send(engine, (LIMIT, BUY, 120, 50, 3), (LIMIT, SELL, 80, 50, 4))
    engine.set_phase(Phase.CLOSE_CALL)
    assert engine.quotes().bid_quantity[0] == 50
    assert len(engine.uncross(1)) == 1


def test_time_priority_of_an_order_that_waited_is_that_of_its_entry() -> None:
    engine = one_book(rules={"cage_ppm": 20_000, "cage_parks": 1})
    send(engine, (LIMIT, BUY, 103, 10, 1), (LIMIT, BUY, 102, 10, 2), (LIMIT, BUY, 103, 10, 3))
    assert [r[5] for r in send(engine, (LIMIT, SELL, 103, 20, 9)) if r[0] == TRADE] == [1, 3]
    engine = one_book(rules={"cage_ppm": 20_000, "cage_parks": 1})
    send(engine, (LIMIT, SELL, 100, 10, 8), (LIMIT, BUY, 103, 10, 1), (LIMIT, SELL, 104, 10, 7), (CANCEL, 0, 0, 0, 8))
    assert engine.quotes().bid[0] == 103


def test_rules_for_another_number_of_instruments_are_an_error() -> None:
    with pytest.raises(DataError, match="rules for 2 of 1"):
        MatchingEngine(listed((0, 100, 50, 150)), rules=order_rules({}, {}))


# Power: the comparison with the plain engine notices each of these mistakes.


def _keeps_place(self: ReferenceEngine, order: Any, time: int) -> None:
    order.sequence = -order.handle
    _ENTER(self, order, time)


def _floor_cage(self: Listing, side: int) -> int:
    near = self.best(-side) or self.best(side) or self.last or self.close
    share = Fraction(1_000_000 + side * self.rule("cage_ppm"), 1_000_000)
    ticks = max(1, self.rule("cage_ticks"))
    return max(floor(near * share), near + ticks) if side == 1 else min(floor(near * share), near - ticks)


def _cage_of_own_side(self: Listing, side: int) -> int:
    return _EDGE(self, side) if self.best(side) is None else self.best(side) + side  # type: ignore[operator]


def _halts_again(self: Listing, price: int, time: int) -> int:
    until = _HALTS(self, price, time)
    self.halts_had.clear()
    return until


_ENTER, _EDGE, _HALTS = ReferenceEngine._enter, Listing.cage_edge, Listing.halts_until


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (ReferenceEngine, "_enter", _keeps_place),
        (Listing, "cage_edge", _floor_cage),
        (Listing, "cage_edge", _cage_of_own_side),
        (Listing, "halts_until", _halts_again),
        (Listing, "outside_band", lambda _self, _price: False),
        (ReferenceEngine, "_follow", lambda _self, _time, _instrument: None),
        (ReferenceEngine, "_fills", lambda *_: True),
        (Listing, "shenzhen", property(lambda _self: False, lambda _self, _value: None)),
    ],
)
def test_a_wrong_rule_is_noticed(owner: type, name: str, wrong: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, name, wrong, raising=False)
    with pytest.raises(AssertionError):
        long_run(3, 20_000, ruled=True, tape_rows=512)


# Invariants over a long stream, without the plain engine


@pytest.mark.slow
@pytest.mark.parametrize("ruled", [False, True])
def test_a_million_random_messages_keep_the_books_whole(ruled: bool) -> None:
    rng = np.random.default_rng(7)
    n, per, handles = 1_000_000, 5_000, 3_000
    rules = order_rules(*RULES) if ruled else None
    engine = MatchingEngine(listed(*LISTINGS), rules=rules, max_orders=handles)
    close = np.array([c for _, c, _, _ in LISTINGS])
    sent = traded = 0
    for k in range(0, n, per):
        engine.wake(k)
        engine.uncross(k)
        engine.set_phase(Phase.CONTINUOUS if k % (8 * per) else Phase.CLOSE_CALL)
        instrument = rng.integers(0, len(LISTINGS), per)
        kind = rng.choice(np.array([LIMIT] * 12 + [CANCEL] * 4 + list(KINDS)), per)
        price = close[instrument] + rng.integers(-9, 10, per)
        side, quantity = rng.choice([BUY, SELL], per), rng.integers(1, 20, per) * 100
        time, order = k + np.arange(per), rng.integers(0, handles, per)
        tape = engine.process(Messages(time, kind, instrument, side, price, quantity, order))
        engine.check()
        sent += per
        traded += int(tape.quantity[tape.kind == TRADE].sum())
        assert (tape.leaves >= 0).all()
        answered = np.unique(tape.order[np.isin(tape.kind, [ACCEPTED, REJECTED, CANCELLED, REDUCED, REPLACED])])
        assert np.isin(order, answered).all()
    assert sent == n
    assert traded > n


def test_orders_of_many_instruments_do_not_mix() -> None:
    engine = MatchingEngine(listed(*LISTINGS), max_orders=HANDLES)
    engine.set_phase(Phase.CONTINUOUS)
    rows = [(0, LIMIT, i, side, LISTINGS[i][1], 100, 2 * i + (side == BUY)) for i in range(6) for side in (BUY, SELL)]
    tape = engine.process(batch(rows))
    assert tape.instrument[tape.kind == TRADE].tolist() == list(range(6))
