from __future__ import annotations

from path_house import House

from twin.clock import MINUTE, SECOND, at
from twin.contracts import Board, Reason
from twin.routing.config import Law, ServiceTime, StationConfig

OPEN = at("09:30")


def suitability_house(on_timeout: str) -> House:
    """Two of three clients lack what STAR asks for; the lookup has one server of one second and 1.5 s to answer."""
    one_second = StationConfig(1, ServiceTime(SECOND, Law.CONSTANT))
    house = House(suitability=one_second, suitability_budget_ns=3 * SECOND // 2, on_timeout=on_timeout)
    house.permissions[:] = 1 << Board.MAIN
    house.permissions[2] |= 1 << Board.STAR
    for account in range(3):
        house.order(OPEN, account, instrument=4, quantity=200)
    return house


def test_lookup_in_time_blocks_and_lookup_too_late_lets_pass() -> None:
    house = suitability_house("pass")
    messages = house.path.advance(OPEN + MINUTE)
    counts = house.path.counts()
    assert messages.order.tolist() == [1, 2]
    assert ((messages.time - OPEN) // (SECOND // 10)).tolist() == [15, 15]
    assert (counts.unsuitable_blocked, counts.unsuitable_passed) == (1, 1)
    assert (counts.passed_unchecked, counts.late_checks, counts.timed_out) == (2, 2, 2)
    assert counts.refused == {Reason.SUITABILITY: 1}


def test_lookup_too_late_refuses_when_told_so() -> None:
    house = suitability_house("refuse")
    assert len(house.path.advance(OPEN + MINUTE)) == 0
    counts = house.path.counts()
    assert counts.refused == {Reason.SUITABILITY: 1, Reason.CHECK_TIMEOUT: 2}
    assert (counts.unsuitable_passed, counts.passed_unchecked) == (0, 0)


def test_risk_class_below_the_level_is_unsuitable() -> None:
    house = House()
    house.risk[:2] = 2, 3
    for account in range(2):
        house.order(OPEN, account)
    assert house.path.advance(OPEN + SECOND).order.tolist() == [1]
    assert house.path.counts().unsuitable_blocked == 1
