"""The matching engine, given a date's `OrderRules`, decides about orders as the records explain it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from twin.clock import Phase, at
from twin.contracts import Board, Instruments, MessageKind, Messages, Reason, Side, TapeKind
from twin.errors import ScenarioError
from twin.matching.engine import MatchingEngine
from twin.matching.rules import DayRules, Listing, Product, Rulebook, Status
from twin.matching.rules.listing import MARKETS
from twin.matching.rules.orders import Order, explain

N = 120
DATES = ("2007-03-01", "2014-03-03", "2018-08-20", "2020-08-24", "2021-11-15", "2023-04-10", "2026-07-06")
KINDS = (
    MessageKind.NEW_LIMIT,
    MessageKind.NEW_MARKET,
    MessageKind.NEW_BEST5_LIMIT,
    MessageKind.NEW_OWN_BEST,
    MessageKind.NEW_COUNTER_BEST,
    MessageKind.NEW_SWEEP,
)


def _exists(rules: DayRules, row: list[int]) -> bool:
    try:
        rules.limits(Listing(*(np.array([x], np.int64) for x in row)))
    except ScenarioError:
        return False
    return True


def _listing(rules: DayRules, rng: np.random.Generator) -> Listing:
    """Random instruments of all boards, statuses and ages that exist on the day."""
    rows: list[list[int]] = []
    markets = list(MARKETS.values())
    while len(rows) < N:
        exchange, board = markets[rng.integers(len(markets))]
        fund = board == Board.FUND
        status = Status.NORMAL if fund else Status(rng.choice(3, p=[0.7, 0.15, 0.15]))
        product = Product.FUND if fund else Product.STOCK
        row = [exchange, board, status, product, int(rng.choice([0, 1, 4, 500])), int(rng.integers(50, 5000))]
        if _exists(rules, row):
            rows.append(row)
    return Listing(*np.array(rows, np.int64).T.copy())


def _engine(rules: DayRules, listing: Listing) -> MatchingEngine:
    down, up = rules.limits(listing)
    order_rules = rules.order_rules(listing)
    zero = np.zeros(N, np.int64)
    instruments = Instruments(listing.exchange, listing.board, listing.reference, down, up, order_rules.smallest, zero)
    return MatchingEngine(instruments, rules=order_rules, max_orders=8 * N)


def _messages(time: int, orders: list[Order], first: int) -> Messages:
    rows = [[time, o.kind, i, o.side, o.price, o.quantity, first + i] for i, o in enumerate(orders)]
    return Messages(*np.array(rows, np.int64).T.copy())


def _refusals(engine: MatchingEngine, messages: Messages) -> dict[int, Reason]:
    tape = engine.process(messages)
    refused = tape.kind == TapeKind.REJECTED
    return {int(h): Reason(-1 - int(c)) for h, c in zip(tape.order[refused], tape.counter[refused], strict=True)}


def _random_order(rng: np.random.Generator, reference: int, lot: int, phase: Phase) -> Order:
    time = at("09:20") if phase == Phase.OPEN_CALL else at("10:00")
    width = rng.choice([0.01, 0.03, 0.06, 0.12, 0.4, 10.0])
    price = max(1, round(reference * (1 + width * rng.uniform(-1, 1))))
    quantity = int(rng.choice([lot, lot + 1, lot - 1, 3 * lot, 60_000, 120_000, 200_000, 350_000, 1_100_000]))
    kind = MessageKind.NEW_LIMIT if rng.random() < 0.7 else KINDS[rng.integers(len(KINDS))]
    return Order(
        Side.BUY if rng.random() < 0.5 else Side.SELL,
        price if kind == MessageKind.NEW_LIMIT else 0,
        quantity,
        kind,
        time,
    )


@pytest.mark.parametrize("phase", [Phase.OPEN_CALL, Phase.CONTINUOUS])
@pytest.mark.parametrize("date", DATES)
def test_engine_and_records_agree_on_every_order(date: str, phase: Phase) -> None:
    rng = np.random.default_rng([DATES.index(date), phase])
    rules = Rulebook.load().on(dt.date.fromisoformat(date))
    listing = _listing(rules, rng)
    engine = _engine(rules, listing)
    lots = rules.order_rules(listing).smallest.tolist()
    reference = listing.reference.tolist()
    engine.set_phase(phase)
    bids = [max(1, r - int(rng.integers(0, 2))) for r in reference]
    asks = [b + 1 for b in bids]
    booked = phase == Phase.CONTINUOUS
    if booked:
        time = at("09:31")
        for side, prices, first in ((Side.BUY, bids, 0), (Side.SELL, asks, N)):
            resting = [Order(side, p, lot) for p, lot in zip(prices, lots, strict=True)]
            assert _refusals(engine, _messages(time, resting, first)) == {}
    orders = [_random_order(rng, r, lot, phase) for r, lot in zip(reference, lots, strict=True)]
    refused = _refusals(engine, _messages(orders[0].time, orders, 2 * N))
    seen: set[Reason] = set()
    for row, order in enumerate(orders):
        book = {"best_bid": bids[row], "best_ask": asks[row]} if booked else {}
        whole = Order(**{**vars(order), **book})
        one = listing.take(slice(row, row + 1))
        expected = explain(rules, one, whole)
        found = refused.get(2 * N + row, Reason.NONE)
        if not booked and order.kind != MessageKind.NEW_LIMIT and found == Reason.CLOSED:
            found = Reason.ORDER_KIND  # the engine is closed to market orders in a call
        assert found == expected.reason, (one, whole, found.name, expected.english)
        seen.add(found)
    assert {Reason.NONE, Reason.PRICE_LIMIT, Reason.LOT, Reason.SIZE, Reason.ORDER_KIND} <= seen
    if booked and date >= "2023-04-10":
        assert Reason.CAGE in seen
