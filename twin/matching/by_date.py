"""The exchange of a date: the dated rules of every instrument made into one `ExchangeDay`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.clock import MINUTE, Phase, Session
from twin.contracts import Board, Instruments
from twin.matching.after_hours import AfterHours
from twin.matching.circuit_breaker import BreakerTerms, CircuitBreaker
from twin.matching.exchange import ExchangeDay, Suspension
from twin.matching.publishing import Publisher
from twin.matching.rules import DayRules, Listing
from twin.matching.rules.values import CircuitBreaker as BreakerRule
from twin.matching.rules.values import ClosingPrice
from twin.matching.timetable import Timetable

BreakerMode = Literal["by date", "on", "off"]
T = TypeVar("T")


def exchange_on(
    day: DayRules,
    instruments: Instruments,
    listing: Listing,
    *,
    weights: NDArray[np.float64] | None = None,
    breaker: BreakerMode = "by date",
    suspensions: Sequence[Suspension] = (),
    publisher: Publisher | None = None,
) -> ExchangeDay:
    """The exchanges of a day.

    Args:
        day: the rules.
        instruments: what is listed, with the day's price limits.
        listing: what the rules need to know of it.
        weights: of the instruments in the index that the circuit breaker watches; equal if left out.
        breaker: whether there is one: as it was on the date, or in spite of it.
        suspensions: instruments that are suspended.
        publisher: keeps feeds of chosen instruments.
    """
    rules = day.order_rules(listing)
    tables = _each(listing, lambda *kind: Timetable(_sessions(day, *kind), day.no_cancel(*kind)))
    last_trade = _each(listing, lambda *kind: _without_call(day.closing_price_rule(*kind)) == "last_trade")
    after = _each(listing, day.after_hours)
    sessions = [each.trading for each in after if each is not None and each.trading is not None]
    hours = None
    if sessions:
        entry = [each.entry if each is not None else () for each in after]
        most = np.array([each.largest if each is not None else 0 for each in after], np.int64)
        per = np.where(instruments.board == Board.FUND, 10, 1)
        start, end = min(s for s, _ in sessions), max(e for _, e in sessions)
        hours = AfterHours(instruments, rules, entry, most // per, start, end)
    return ExchangeDay(
        instruments,
        tables,
        rules,
        after_hours=hours,
        breaker=_breaker(day, listing, weights, breaker),
        suspensions=suspensions,
        publisher=publisher,
        by_last_trade=np.array(last_trade, np.bool_),
    )


def _each(listing: Listing, rule: Callable[[int, int, int], T]) -> list[T]:
    """A rule of every instrument; instruments of one kind share it."""
    kinds = list(zip(listing.exchange.tolist(), listing.board.tolist(), listing.product.tolist(), strict=True))
    known = {kind: rule(*kind) for kind in dict.fromkeys(kinds)}
    return [known[kind] for kind in kinds]


def _without_call(rule: ClosingPrice) -> str:
    """How the close comes about where a closing call has given no price."""
    return rule.otherwise if rule.method == "closing_call" else rule.method


def _sessions(day: DayRules, exchange: int, board: int, product: int) -> tuple[Session, ...]:
    """The phases of a kind's day; the pause between the close and trading at the close is not one before trading."""
    sessions = day.sessions(exchange, board, product)
    close = Timetable(sessions).close
    return tuple(replace(s, phase=Phase.CLEARING) if s.start == close else s for s in sessions)


def _breaker(
    day: DayRules, listing: Listing, weights: NDArray[np.float64] | None, mode: BreakerMode
) -> CircuitBreaker | None:
    """The circuit breaker, if there is one; where it is switched on, every market has the terms of 2016."""
    if mode == "off":
        return None

    history = [record.value for record in day.book.records if record.rule == "circuit_breaker"]
    usual = history[-1] if mode == "on" else None
    assert usual is None or isinstance(usual, BreakerRule)
    terms = _each(listing, lambda exchange, board, _: day.circuit_breaker(exchange, board) or usual)
    known = next((each for each in terms if each is not None), None)
    if known is None:
        return None
    covered = np.array([each is not None for each in terms], np.bool_)
    orders_in = np.array([each is not None and each.entry_to_close == "orders_and_cancels" for each in terms], np.bool_)
    first, second = known.first / 100, known.second / 100
    return CircuitBreaker(
        BreakerTerms(first, second, known.minutes * MINUTE, known.close_from),
        listing.reference,
        np.where(covered, 1.0 if weights is None else weights, 0.0),
        orders_in,
    )
