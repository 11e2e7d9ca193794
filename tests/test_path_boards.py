"""Three exchanges, five boards: each order takes its own exchange's gateways and keeps its own board's sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import path_house
import pytest
from path_house import PLAIN, House, accept

from twin.clock import SECOND, at
from twin.contracts import Board, Exchange, Instruments, Reason
from twin.kernels.order_checks import legal_quantity
from twin.routing.sizes import instrument_table
from twin.world import listing_of, usual_rules

OPEN = at("09:30")
BOARDS = [Board.MAIN, Board.CHINEXT, Board.STAR, Board.BSE, Board.FUND]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    """One instrument of every board at 10.00; the fund at 1.000."""
    five = np.ones(5, np.int64)
    lot = np.array([100, 100, 200, 100, 10])
    exchange = np.array([Exchange.SSE, Exchange.SZSE, Exchange.SSE, Exchange.BSE, Exchange.SZSE])
    listed = Instruments(exchange, np.array(BOARDS), 1000 * five, 900 * five, 1100 * five, lot, 3 * five)
    monkeypatch.setattr(path_house, "instruments", lambda: listed)
    made = House(PLAIN, exchange_gateway_rate=1.0, exchange_gateways=1)
    made.permissions[:] = 31
    return made


@pytest.mark.slow
def test_every_exchange_has_gateways_of_its_own(house: House) -> None:
    assert house.path.station_names[-3:] == ("sse", "szse", "bse")
    rows = [[house.order(OPEN + k, instrument=i) for k in range(3)] for i in (0, 1, 3)]
    seen: list[tuple[int, int]] = []

    def exchange(messages):
        assert np.all(np.diff(messages.time) >= 0)
        seen.extend(zip(messages.time.tolist(), messages.order.tolist(), strict=True))
        return accept(messages)

    house.run(OPEN + 9 * SECOND, exchange)
    sent = {order: time for time, order in seen}
    for k in range(3):  # one message per second through each exchange's gateway, none waits for another exchange
        assert {(sent[row[k]] - OPEN) // SECOND for row in rows} == {k}


@pytest.mark.slow
def test_a_closed_gateway_to_beijing_stops_nobody_else(house: House) -> None:
    house.path.set_capacity("bse", 0)
    orders = [house.order(OPEN, instrument=i) for i in (0, 1, 3, 4)]
    house.run(OPEN + 5 * SECOND)
    known = house.orders.column("acknowledged")[orders] > 0
    assert known.tolist() == [True, True, False, True]
    house.path.set_capacity("bse", None)
    house.run(OPEN + 9 * SECOND)
    assert house.orders.column("acknowledged")[orders[2]] > 0


@pytest.mark.parametrize(
    ("board", "quantity", "legal"),
    [
        (Board.MAIN, 101, False),
        (Board.BSE, 101, True),  # at least 100, then steps of one (domain M40)
        (Board.BSE, 99, False),
        (Board.STAR, 201, True),
        (Board.STAR, 199, False),
        (Board.FUND, 10, True),  # tens of units: a lot is 100 units
        (Board.FUND, 15, False),
        (Board.FUND, 100_010, False),
    ],
)
def test_sizes_are_those_of_the_board(house: House, board: Board, quantity: int, legal: bool) -> None:
    row = house.order(OPEN, instrument=BOARDS.index(board), quantity=quantity)
    house.run(OPEN + 3 * SECOND)
    assert (house.orders.column("reason")[row] == Reason.LOT) == (not legal)


def test_a_fund_needs_its_own_permission_and_costs_no_tax(house: House) -> None:
    house.permissions[1] = 1 << Board.MAIN
    refused, taken = (house.order(OPEN, account=a, instrument=4, quantity=1000) for a in (1, 2))
    house.run(OPEN + 3 * SECOND)
    assert house.orders.column("reason")[[refused, taken]].tolist() == [Reason.SUITABILITY, 0]
    assert house.ledger.frozen[2] == 1_000_000 + 500  # 10,000 units at 1.000 CNY and the least commission


@pytest.mark.parametrize("board", BOARDS)
def test_sizes_equal_the_rules_in_words(house: House, board: Board) -> None:
    """Every quantity around the thresholds, bought and sold out of every holding, against the rule in plain words."""
    row = instrument_table(path_house.instruments(), None)[BOARDS.index(board)]
    single = board in (Board.STAR, Board.BSE)
    least, lot = {Board.STAR: (200, 1), Board.BSE: (100, 1), Board.FUND: (10, 10)}.get(board, (100, 100))
    for held in (0, 7, 50, 150, 250, 1007):
        for quantity in (-1, 0, 1, 7, 10, 50, 99, 100, 107, 150, 199, 200, 201, 250, 1000, 1007):
            whole = quantity >= least and quantity % lot == 0
            rest = quantity == held if single else quantity % lot == held % lot
            assert legal_quantity(row, 0, 1, quantity, held) == whole
            assert legal_quantity(row, 0, -1, quantity, held) == (quantity > 0 and (whole or rest))


def test_sizes_by_date_come_from_the_rules(house: House) -> None:
    listed = path_house.instruments()
    rules = usual_rules().order_rules(listing_of(listed))
    assert np.array_equal(instrument_table(listed, rules)[:, :9], instrument_table(listed, None)[:, :9])
    table = instrument_table(listed, replace(rules, largest_market=np.full(5, 300)))
    assert legal_quantity(table[0], 1, 1, 300, 0)
    assert not legal_quantity(table[0], 1, 1, 400, 0)
    assert legal_quantity(table[0], 0, 1, 400, 0)
