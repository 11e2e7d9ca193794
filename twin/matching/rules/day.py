"""The rules of one day, resolved for instruments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY, MINUTE, Phase, Session, at, previous_trading_day
from twin.contracts import Board, Exchange, IntColumn, MessageKind, OrderRules
from twin.errors import ScenarioError
from twin.matching.rules.listing import MARKET_OF, Listing, Product, Stage, Status
from twin.matching.rules.prices import limit_prices, per_cent_of
from twin.matching.rules.values import (
    Acceptance,
    AfterHours,
    Auction,
    Cage,
    CircuitBreaker,
    ClosingPrice,
    FreeBand,
    Halt,
    LimitRounding,
    NewListing,
    OrderKinds,
    PriceLimit,
    Quantity,
    Record,
    Sessions,
    Settlement,
    Tick,
    Value,
    Windows,
)

if TYPE_CHECKING:
    from twin.matching.rules.book import Rulebook

V = TypeVar("V", bound=Value)
PPM_OF_PER_CENT = 10_000
FREE_MULTIPLE = 20
"""Where there is no price limit, prices lie between one tick and this multiple of the reference: a book needs bounds.
The greatest rise of a first day so far is about thirteen-fold (Beijing, 2025; general knowledge)."""
UNITS_PER_QUANTITY = 10
"""Quantities of funds count tens of units (twin.contracts)."""
_NIGHT = at("22:00")
_LONGEST_FIRST_DAYS = dt.timedelta(days=40)
"""More than the calendar days between a stock's listing and its last first day, holidays included."""
_STAGES = list(Stage)


class DayRules:
    """The exchanges' rules as they hold on a day.

    Args:
        book: the dated records.
        day: a calendar day; that it is a trading day is the clock's concern.
    """

    def __init__(self, book: Rulebook, day: dt.date) -> None:
        self.book, self.day = book, day

    def record(
        self,
        rule: str,
        exchange: int,
        board: int,
        product: int | None = None,
        stage: Stage = Stage.NORMAL,
    ) -> Record:
        """The record of a rule that holds on the day.

        Raises:
            ScenarioError: there is no such board, or not yet.
        """
        cell = self.cell(exchange, board, product, stage)
        return next(record for record in self.book.history(rule, cell) if record.holds(self.day))

    def cell(
        self, exchange: int, board: int, product: int | None = None, stage: Stage = Stage.NORMAL
    ) -> tuple[str, Stage, Product]:
        """What the records call an instrument; raises ScenarioError where it cannot exist on the day."""
        what = f"{Exchange(exchange).name} {Board(board).name}"
        market = MARKET_OF.get((Exchange(exchange), Board(board)))
        if market is None:
            known = ", ".join(f"{e.name} {b.name}" for e, b in MARKET_OF)
            raise ScenarioError(f"there is no board {what}", where="trading rules", hint=f"There are {known}.")
        if product is None:
            product = Product.FUND if board == Board.FUND else Product.STOCK
        cell = market, stage, Product(product)
        start = self.book.start(cell)
        if start is None:
            raise ScenarioError(
                f"{what} has no {Product(product).name.lower()} of status {stage}", where="trading rules"
            )
        if self.day < start:
            kind = "" if stage == Stage.NORMAL else f" of status {stage}"
            raise ScenarioError(
                f"on {self.day} there were no rules for {what}{kind}",
                where="trading rules",
                hint=f"They begin on {start}.",
            )
        return cell

    def value(
        self,
        form: type[V],
        rule: str,
        exchange: int,
        board: int,
        product: int | None = None,
        stage: Stage = Stage.NORMAL,
    ) -> V:
        """The value of the record that holds on the day."""
        value = self.record(rule, exchange, board, product, stage).value
        assert isinstance(value, form)
        return value

    # -- instruments --------------------------------------------------------------------------------------------

    def stages(self, listing: Listing) -> list[Stage]:
        """The stage of every instrument."""
        new = {
            (e, b): self.new_days(e, b)
            for e, b in {(int(e), int(b)) for e, b in zip(listing.exchange, listing.board, strict=True)}
        }
        return [
            _stage(status, days, new[e, b])
            for e, b, status, days in zip(*(c.tolist() for c in _keys(listing)), strict=True)
        ]

    def new_days(self, exchange: int, board: int) -> tuple[bool, ...]:
        """Whether a stock in its first, second, ... trading day counts as new; the rule of its first day decides."""
        cell = self.cell(exchange, board)
        known = [r for r in self.book.history("new_listing", cell) if r.first <= self.day]
        days = [r.value.days for r in known if isinstance(r.value, NewListing)]
        if known[-1].first <= self.day - _LONGEST_FIRST_DAYS:
            return (True,) * days[-1]
        new, listed = [], self.day
        for k in range(max(days)):
            under = max(0, sum(r.first <= listed for r in known) - 1)
            new.append(k < days[under])
            listed = _trading_day_before(listed)
        return tuple(new)

    def groups(self, listing: Listing) -> Iterator[tuple[int, int, int, Stage, NDArray[np.int64]]]:
        """Rows of equal exchange, board, product and stage."""
        stage = np.array([_STAGES.index(s) for s in self.stages(listing)], np.int64)
        keys = np.stack([listing.exchange, listing.board, listing.product, stage], axis=1).reshape(-1, 4)
        kinds, inverse = np.unique(keys, axis=0, return_inverse=True)
        for number, (exchange, board, product, which) in enumerate(kinds.tolist()):
            yield exchange, board, product, _STAGES[which], np.flatnonzero(inverse.reshape(-1) == number)

    def limits(self, listing: Listing) -> tuple[IntColumn, IntColumn]:
        """Lowest and highest price of every instrument in ticks.

        Without a price limit: one tick and FREE_MULTIPLE times the reference.
        """
        if len(listing) and int(listing.reference.min()) < 1:
            row = int(np.argmin(listing.reference))
            raise ScenarioError(
                f"reference price of {int(listing.reference[row])} ticks",
                where=f"instrument {row}",
                hint="Give 1 or more.",
            )
        down, up = np.ones(len(listing), np.int64), FREE_MULTIPLE * listing.reference
        for exchange, board, product, stage, rows in self.groups(listing):
            limit = self.value(PriceLimit, "price_limit", exchange, board, product, stage)
            if limit.down is None or limit.up is None:
                continue
            close = listing.reference[rows]
            rounding = self.value(LimitRounding, "limit_rounding", exchange, board, product, stage)
            floor = np.full(len(rows), rounding.at_least, np.int64)
            if rounding.up_to is not None:
                floor[close > rounding.up_to] = 0
            down[rows], up[rows] = limit_prices(close, limit.down, up_percent=limit.up, at_least=floor)
        return down, up

    def order_rules(self, listing: Listing) -> OrderRules:
        """What the exchange demands of an order in every instrument (see twin.contracts.OrderRules).

        `kinds` has the bit of CANCEL always, that of NEW_FIXED_PRICE where there is trading at the close. `cage_ticks`
        is at least one tick where there is a cage (SSE rules 2023, 3.3.17).
        """
        columns = {name: np.zeros(len(listing), np.int64) for name in OrderRules.__dataclass_fields__}
        for exchange, board, product, stage, rows in self.groups(listing):
            for name, value in self._order_rules(exchange, board, product, stage).items():
                columns[name][rows] = value
            band = self.value(FreeBand, "free_band", exchange, board, product, stage)
            if band.open_low is not None:
                columns["open_low"][rows] = np.maximum(per_cent_of(listing.reference[rows], band.open_low), 1)
            if band.open_high is not None:
                columns["open_high"][rows] = per_cent_of(listing.reference[rows], band.open_high)
                columns["open_low"][rows] = np.maximum(columns["open_low"][rows], 1)
        return OrderRules(**columns)

    def _order_rules(self, exchange: int, board: int, product: int, stage: Stage) -> dict[str, int]:
        where = exchange, board, product, stage
        size = self.value(Quantity, "quantity", *where)
        per = UNITS_PER_QUANTITY if board == Board.FUND else 1
        cage = self.value(Cage, "cage", *where)
        halt = self.value(Halt, "halt", *where)
        after = self.value(AfterHours, "after_hours", *where)
        kinds = {*self.value(OrderKinds, "order_kinds", *where).kinds, MessageKind.CANCEL}
        if after.trading:
            kinds.add(MessageKind.NEW_FIXED_PRICE)
        caged = cage.per_cent is not None
        return {
            "smallest": size.smallest // per,
            "step": max(size.step // per, 1),
            "largest_limit": size.largest_limit // per,
            "largest_market": size.largest_market // per,
            "kinds": sum(1 << kind for kind in kinds),
            "cage_ppm": (cage.per_cent or 0) * PPM_OF_PER_CENT,
            "cage_ticks": max(cage.ticks, 1) if caged else 0,
            "cage_parks": int(cage.parks),
            "band_ppm": (self.value(FreeBand, "free_band", *where).later or 0) * PPM_OF_PER_CENT,
            "halt_first_ppm": (halt.first or 0) * PPM_OF_PER_CENT,
            "halt_second_ppm": (halt.second or 0) * PPM_OF_PER_CENT,
            "halt_ns": halt.minutes * MINUTE,
            "halt_until": halt.until,
            "tie_break": int(self.auction(exchange, board).tie_break == "difference_then_nearest"),
            "fixed_price": int(after.trading is not None),
        }

    # -- the day -------------------------------------------------------------------------------------------------

    def sessions(self, exchange: int, board: int, product: int | None = None) -> tuple[Session, ...]:
        """Every phase of the day without gaps, 00:00 to 24:00; with trading at the close, a GAP comes before it."""
        day = self.value(Sessions, "sessions", exchange, board, product)
        after = self.after_hours(exchange, board, product)
        phases = [(Phase.OPEN_CALL, day.open_call), *((Phase.CONTINUOUS, w) for w in day.continuous)]
        if day.close_call:
            phases.append((Phase.CLOSE_CALL, day.close_call))
        if after and after.trading:
            phases.append((Phase.AFTER_HOURS, after.trading))
        found, now = list[Session](), 0
        between = {Phase.OPEN_CALL: Phase.CLOSED, Phase.CONTINUOUS: Phase.LUNCH}
        for phase, (start, end) in phases:
            if start > now:
                idle = between.get(phase, Phase.GAP)
                if phase == Phase.CONTINUOUS and found[-1].phase == Phase.OPEN_CALL:
                    idle = Phase.GAP
                found.append(Session(idle, now, start))
            found.append(Session(phase, start, end))
            now = end
        return (*found, Session(Phase.CLEARING, now, _NIGHT), Session(Phase.NIGHT, _NIGHT, DAY))

    def no_cancel(self, exchange: int, board: int, product: int | None = None) -> tuple[tuple[int, int], ...]:
        """Windows in which cancels are refused, in ns since midnight (domain M02)."""
        return self.value(Windows, "no_cancel", exchange, board, product).windows

    def acceptance(self, exchange: int, board: int, product: int | None = None) -> Acceptance:
        """When orders are taken (domain M03)."""
        return self.value(Acceptance, "acceptance", exchange, board, product)

    def auction(self, exchange: int, board: int) -> Auction:
        """How a call decides between prices of equal volume (domain M21, M22)."""
        return self.value(Auction, "auction", exchange, board)

    def closing_price_rule(self, exchange: int, board: int, product: int | None = None) -> ClosingPrice:
        """How the closing price comes about (domain M04, M06)."""
        return self.value(ClosingPrice, "closing_price", exchange, board, product)

    def after_hours(self, exchange: int, board: int, product: int | None = None) -> AfterHours | None:
        """Trading at the close after the close, or None (domain M05)."""
        value = self.value(AfterHours, "after_hours", exchange, board, product)
        return value if value.trading else None

    def circuit_breaker(self, exchange: int, board: int) -> CircuitBreaker | None:
        """The index circuit breaker of a market, or None (domain M60, M61)."""
        for record in self.book.history("circuit_breaker", self.cell(exchange, board)):
            if record.holds(self.day):
                assert isinstance(record.value, CircuitBreaker)
                return record.value
        return None

    def settlement_days(self, exchange: int, board: int, product: int | None = None) -> int:
        """Trading days until what was bought may be sold: 1 (T+1) or 0 (T+0) (domain M41, M42)."""
        return self.value(Settlement, "settlement", exchange, board, product).days

    def tick_mils(self, exchange: int, board: int) -> int:
        """The tick in thousandths of CNY (domain M36)."""
        return self.value(Tick, "tick", exchange, board).mils


def _keys(listing: Listing) -> tuple[IntColumn, IntColumn, IntColumn, IntColumn]:
    return listing.exchange, listing.board, listing.status, listing.days


def _stage(status: int, days: int, new: tuple[bool, ...]) -> Stage:
    if status == Status.DELISTING:
        return Stage.DELISTING_FIRST if days == 0 else Stage.DELISTING
    if status == Status.ST:
        return Stage.ST
    return Stage.NEW if 0 <= days < len(new) and new[days] else Stage.NORMAL


@lru_cache(maxsize=64)
def _trading_day_before(day: dt.date) -> dt.date:
    return previous_trading_day(day)
