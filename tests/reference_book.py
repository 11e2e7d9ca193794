"""A matching engine in plain Python, written for clarity: lists, linear scans and an auction that tries every price.

Prices are compared as prices and percentages as fractions; nothing here knows of ladders or of suspended kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from twin.clock import Phase
from twin.contracts import MessageKind as Kind
from twin.contracts import Reason, TapeKind

Row = tuple[int, int, int, int, int, int, int, int, int]

MARKET_KINDS = (Kind.NEW_MARKET, Kind.NEW_BEST5_LIMIT, Kind.NEW_OWN_BEST, Kind.NEW_COUNTER_BEST, Kind.NEW_SWEEP)
CHANGES = (Kind.REDUCE, Kind.REPLACE, Kind.AMEND)
CALLS = (Phase.OPEN_CALL, Phase.CLOSE_CALL)
TRADING = (*CALLS, Phase.CONTINUOUS)


@dataclass
class Order:
    handle: int
    instrument: int
    side: int
    price: int
    leaves: int
    sequence: int


@dataclass
class Listing:
    down: int
    up: int
    close: int
    shenzhen: bool
    rules: dict[str, int] | None = None
    last: int = 0
    volume: int = 0
    turnover: int = 0
    open: int = 0
    session: Phase = Phase.CLOSED
    cancels: bool = False
    resume: int = 0
    suspended: bool = False
    halts_had: set[tuple[int, int]] = field(default_factory=set)
    orders: list[Order] = field(default_factory=list)
    waiting: list[Order] = field(default_factory=list)

    @property
    def phase(self) -> Phase | str:
        if self.suspended:
            return "suspended"
        if self.session not in TRADING:
            return "shut"
        return Phase.HALT if self.resume else self.session

    def rule(self, name: str) -> int:
        return self.rules[name] if self.rules else 0

    def queue(self, side: int) -> list[Order]:
        """Orders of a side in price-time priority."""
        return sorted((o for o in self.orders if o.side == side), key=lambda o: (-side * o.price, o.sequence))

    def best(self, side: int) -> int | None:
        prices = [o.price for o in self.orders if o.side == side]
        return (max(prices) if side == 1 else min(prices)) if prices else None

    def trade(self, price: int, quantity: int) -> None:
        self.last = price
        self.volume += quantity
        self.turnover += price * quantity

    def beyond(self, price: int) -> set[tuple[int, int]]:
        """Thresholds (direction, number) not used yet that a price reaches."""
        found = set()
        for number, name in ((1, "halt_first_ppm"), (2, "halt_second_ppm")):
            share = Fraction(self.rule(name), 1_000_000)
            for direction in (1, -1):
                if share and self.rule("halt_first_ppm") and direction * (price - self.open) >= share * self.open:
                    found.add((direction, number))
        return found - self.halts_had

    def halts_until(self, price: int, time: int) -> int:
        """Note a trade's price; until when it halts the instrument, else 0."""
        if self.open == 0:
            self.open = price
            return 0
        reached = self.beyond(price)
        self.halts_had |= reached
        until = min(time + self.rule("halt_ns"), self.rule("halt_until"))
        return until if reached and until > time else 0

    def would_halt(self, price: int, time: int) -> bool:
        until = min(time + self.rule("halt_ns"), self.rule("halt_until"))
        return bool(self.beyond(price)) and until > time

    def cage_edge(self, side: int) -> int:
        """Worst price that continuous trading takes from a limit order."""
        near = self.best(-side) or self.best(side) or self.last or self.close
        share = Fraction(1_000_000 + side * self.rule("cage_ppm"), 1_000_000)
        ticks = max(1, self.rule("cage_ticks"))
        by_share = floor(near * share + Fraction(1, 2))
        return max(by_share, near + ticks) if side == 1 else min(by_share, near - ticks)

    def outside_cage(self, side: int, price: int) -> bool:
        if not (self.rule("cage_ppm") or self.rule("cage_ticks")):
            return False
        return side * (price - self.cage_edge(side)) > 0

    def outside_band(self, price: int) -> bool:
        if self.phase == Phase.OPEN_CALL:
            low, high = self.rule("open_low"), self.rule("open_high")
            return bool((low and price < low) or (high and price > high))
        band = self.rule("band_ppm")
        caged = self.phase == Phase.CONTINUOUS and (self.rule("cage_ppm") or self.rule("cage_ticks"))
        if not band or caged:
            return False
        near = self.last or self.close
        edges = [floor(near * Fraction(1_000_000 + s * band, 1_000_000) + Fraction(1, 2)) for s in (-1, 1)]
        return not min(edges[0], near - 1) <= price <= max(edges[1], near + 1)


def auction_by_every_price(listing: Listing) -> tuple[int, int, int]:
    """(price, matched, unmatched) by the rules M20 to M22, trying every tick between the limits."""
    bids = [(o.price, o.leaves) for o in listing.orders if o.side == 1]
    asks = [(o.price, o.leaves) for o in listing.orders if o.side == -1]
    own = {p for p, _ in bids} | {p for p, _ in asks}
    found: list[tuple[int, int, int]] = []
    for p in range(listing.down, listing.up + 1):
        demand = sum(q for x, q in bids if x >= p)
        supply = sum(q for x, q in asks if x <= p)
        matched = min(demand, supply)
        better_bids = sum(q for x, q in bids if x > p)
        better_asks = sum(q for x, q in asks if x < p)
        if matched > 0 and better_bids <= matched and better_asks <= matched and (listing.shenzhen or p in own):
            found.append((matched, abs(demand - supply), p))
    if not found:
        return 0, 0, 0
    most = max(m for m, _, _ in found)
    least = min(u for m, u, _ in found if m == most)
    tied = [p for m, u, p in found if (m, u) == (most, least)]
    if listing.shenzhen:
        near = listing.last or listing.close
        price = min(tied, key=lambda p: (abs(p - near), -p))
    else:
        price = (min(tied) + max(tied) + 1) // 2
    demand = sum(q for x, q in bids if x >= price)
    supply = sum(q for x, q in asks if x <= price)
    return price, most, abs(demand - supply)


class ReferenceEngine:
    """The same rules as MatchingEngine."""

    def __init__(self, listings: list[Listing]) -> None:
        self.listings = listings
        self.live: dict[int, Order] = {}
        self.sequence = 0
        self.tape: list[Row] = []

    # Phases, halts, suspensions

    def set_phase(self, phase: Phase, cancels: bool = True, instruments=None, time: int = 0) -> None:
        for listing in self._chosen(instruments):
            listing.session = phase
            listing.cancels = cancels and phase in TRADING
            if listing.resume:
                listing.resume = max(listing.resume, time)
            self._leave_cage(listing)

    def halt(self, instruments, time: int, until: int) -> list[Row]:
        self.tape = []
        for instrument in range(len(self.listings)) if instruments is None else instruments:
            listing = self.listings[instrument]
            if not listing.suspended:
                listing.resume = max(listing.resume, until)
                self._emit(time, TapeKind.HALTED, instrument, 0, listing.last, listing.resume, -1)
                self._leave_cage(listing)
        return self.tape

    def suspend(self, instruments) -> None:
        for listing in self._chosen(instruments):
            listing.suspended, listing.resume = True, 0
            self._leave_cage(listing)

    def release(self, instruments, time: int) -> list[Row]:
        self.tape = []
        for instrument in range(len(self.listings)) if instruments is None else instruments:
            if self.listings[instrument].suspended:
                self.listings[instrument].suspended = False
                self._resume(instrument, time)
        return self.tape

    def wake(self, time: int) -> list[Row]:
        self.tape = []
        while True:
            halted = [(x.resume, i) for i, x in enumerate(self.listings) if x.phase == Phase.HALT and x.resume <= time]
            if not halted:
                return self.tape
            at, instrument = min(halted)
            self._resume(instrument, at)

    def _chosen(self, instruments) -> list[Listing]:
        return self.listings if instruments is None else [self.listings[i] for i in instruments]

    def _leave_cage(self, listing: Listing) -> None:
        """Orders outside the cage enter when a call, a halt or a suspension begins."""
        if listing.phase not in (Phase.CONTINUOUS, "shut"):
            for side in (1, -1):
                for order in sorted(
                    (o for o in listing.waiting if o.side == side), key=lambda o: (o.side * o.price, o.sequence)
                ):
                    listing.waiting.remove(order)
                    self.sequence += 1
                    order.sequence = self.sequence
                    listing.orders.append(order)

    def _resume(self, instrument: int, time: int) -> None:
        listing = self.listings[instrument]
        listing.resume = 0
        price = self._hold(instrument, time) if listing.session == Phase.CONTINUOUS else 0
        self._emit(time, TapeKind.RESUMED, instrument, 0, price, 0, -1)
        if price:
            self._halt_if_due(instrument, price, time)

    def _halt_if_due(self, instrument: int, price: int, time: int) -> bool:
        listing = self.listings[instrument]
        until = listing.halts_until(price, time)
        if until:
            listing.resume = until
            self._emit(time, TapeKind.HALTED, instrument, 0, price, until, -1)
            self._leave_cage(listing)
        return bool(until)

    # Messages

    def process(self, rows: list[tuple[int, int, int, int, int, int, int]]) -> list[Row]:
        self.tape = []
        for time, kind, instrument, side, price, quantity, handle in rows:
            order = self.live.get(handle)
            if order and kind in (Kind.CANCEL, *CHANGES):
                instrument = order.instrument
            listing = self.listings[instrument]
            while listing.phase == Phase.HALT and listing.resume <= time:
                self._resume(instrument, listing.resume)
            if kind == Kind.CANCEL:
                self._cancel(time, instrument, handle)
            elif kind in CHANGES:
                self._change(time, kind, instrument, price, quantity, handle)
            else:
                self._new(time, kind, instrument, side, price, quantity, handle)
            self._follow(time, instrument)
        return self.tape

    def _emit(self, time, kind, instrument, side, price, quantity, handle, counter=-1, leaves=0) -> None:
        self.tape.append((time, int(kind), instrument, side, price, quantity, handle, int(counter), leaves))

    def _reject(self, time, instrument, side, price, quantity, handle, reason) -> None:
        leaves = self.live[handle].leaves if handle in self.live else 0
        self._emit(time, TapeKind.REJECTED, instrument, side, price, quantity, handle, -1 - reason, leaves)

    def _refuses_change(self, instrument, handle) -> Reason | None:
        if not self.listings[instrument].cancels:
            return Reason.NO_CANCEL
        return None if handle in self.live else Reason.UNKNOWN_ORDER

    def _cancel(self, time, instrument, handle) -> None:
        reason = self._refuses_change(instrument, handle)
        if reason:
            self._reject(time, instrument, 0, 0, 0, handle, reason)
            return
        order = self.live[handle]
        self._drop(order)
        self._emit(time, TapeKind.CANCELLED, instrument, order.side, order.price, order.leaves, handle)

    def _change(self, time, kind, instrument, price, quantity, handle) -> None:
        reason = self._refuses_change(instrument, handle)
        if reason:
            self._reject(time, instrument, 0, price, quantity, handle, reason)
            return
        order, listing = self.live[handle], self.listings[instrument]
        keeps = kind == Kind.REDUCE or (kind == Kind.AMEND and price == order.price and 0 < quantity <= order.leaves)
        if keeps:
            reason = self._closed_to(listing, kind) or (Reason.LOT if quantity <= 0 else None)
        else:
            reason = self._refusal(listing, time, kind, order.side, price, quantity)
        if reason:
            self._reject(time, instrument, order.side, price, quantity, handle, reason)
        elif kind == Kind.REDUCE and quantity >= order.leaves:
            self._drop(order)
            self._emit(time, TapeKind.CANCELLED, instrument, order.side, order.price, order.leaves, handle)
        elif keeps:
            order.leaves = order.leaves - quantity if kind == Kind.REDUCE else quantity
            shown = TapeKind.REDUCED if kind == Kind.REDUCE else TapeKind.REPLACED
            self._emit(time, shown, instrument, order.side, order.price, quantity, handle, -1, order.leaves)
        else:
            outside = listing.phase == Phase.CONTINUOUS and listing.outside_cage(order.side, price)
            self._drop(order)
            self._emit(time, TapeKind.REPLACED, instrument, order.side, price, quantity, handle, -1, quantity)
            self.sequence += 1
            anew = Order(handle, instrument, order.side, price, quantity, self.sequence)
            if outside:
                self._wait(anew)
            else:
                self._enter(anew, time)

    def _drop(self, order: Order) -> None:
        del self.live[order.handle]
        listing = self.listings[order.instrument]
        (listing.orders if order in listing.orders else listing.waiting).remove(order)

    def _wait(self, order: Order) -> None:
        self.listings[order.instrument].waiting.append(order)
        self.live[order.handle] = order

    def _closed_to(self, listing: Listing, kind) -> Reason | None:
        if listing.phase == "suspended":
            return Reason.SUSPENDED
        if kind == Kind.NEW_FIXED_PRICE:
            return Reason.ORDER_KIND
        if listing.phase == "shut":
            return Reason.CLOSED
        if listing.phase != Phase.CONTINUOUS and kind not in (Kind.NEW_LIMIT, *CHANGES):
            return Reason.CLOSED
        if listing.rule("kinds") and (listing.phase == Phase.CONTINUOUS or kind in CHANGES):
            return None if listing.rule("kinds") & (1 << kind) else Reason.ORDER_KIND
        return None

    def _refusal(self, listing: Listing, time, kind, side, price, quantity) -> Reason | None:
        closed = self._closed_to(listing, kind)
        if closed:
            return closed
        market = kind in MARKET_KINDS or (kind == Kind.NEW_FOK and price <= 0)
        if quantity <= 0:
            return Reason.LOT
        if side == 1:
            over = quantity - listing.rule("smallest")
            if over < 0 or (listing.rule("step") and over % listing.rule("step")):
                return Reason.LOT
        largest = listing.rule("largest_market" if market else "largest_limit")
        if largest and quantity > largest:
            return Reason.SIZE
        if market:
            if price > 0 and (price < listing.down if side == 1 else price > listing.up):
                return Reason.PRICE_LIMIT
            if kind not in (Kind.NEW_OWN_BEST, Kind.NEW_BEST5_LIMIT) and listing.best(-side) is None:
                return Reason.UNFILLABLE if kind == Kind.NEW_FOK else Reason.NO_COUNTERPARTY
        else:
            if not listing.down <= price <= listing.up or listing.outside_band(price):
                return Reason.PRICE_LIMIT
            caged = listing.phase == Phase.CONTINUOUS and listing.outside_cage(side, price)
            if caged and (not listing.rule("cage_parks") or kind in (Kind.NEW_IOC, Kind.NEW_FOK)):
                return Reason.CAGE
        if kind == Kind.NEW_FOK and not self._fills(listing, time, side, price, quantity):
            return Reason.UNFILLABLE
        return None

    def _fills(self, listing: Listing, time, side, price, quantity) -> bool:
        """Whether a fill-or-kill order would trade in full before a halt cuts it short."""
        opened = listing.open
        found = 0
        for other in listing.queue(-side):
            if price > 0 and side * (price - other.price) < 0:
                break
            found += other.leaves
            listing.open = listing.open or other.price
            if listing.would_halt(other.price, time):
                break
        listing.open = opened
        return found >= quantity

    def _new(self, time, kind, instrument, side, price, quantity, handle) -> None:
        listing = self.listings[instrument]
        reason = self._refusal(listing, time, kind, side, price, quantity)
        if not reason and handle in self.live:
            reason = Reason.UNKNOWN_ORDER
        if reason:
            self._reject(time, instrument, side, price, quantity, handle, reason)
            return
        self.sequence += 1
        own, counter = listing.best(side), listing.best(-side)
        sent, limit = price, price
        if kind in MARKET_KINDS or (kind == Kind.NEW_FOK and price <= 0):
            worst = listing.up if side == 1 else listing.down
            limit = (min if side == 1 else max)(price, worst) if price > 0 else worst
        rests: int | None = limit if kind == Kind.NEW_LIMIT else None
        if kind == Kind.NEW_COUNTER_BEST:
            limit = rests = price = (min if side == 1 else max)(counter, limit)
        if kind in (Kind.NEW_OWN_BEST, Kind.NEW_BEST5_LIMIT) and own is not None:
            rests = (min if side == 1 else max)(own, limit)
            trades = kind == Kind.NEW_BEST5_LIMIT and counter is not None and side * (limit - counter) >= 0
            price = price if trades else rests
        self._emit(time, TapeKind.ACCEPTED, instrument, side, price, quantity, handle, -1, quantity)
        order = Order(handle, instrument, side, limit, quantity, self.sequence)
        if kind == Kind.NEW_LIMIT and listing.phase == Phase.CONTINUOUS and listing.outside_cage(side, limit):
            self._wait(order)
            return
        levels = {Kind.NEW_MARKET: 5, Kind.NEW_BEST5_LIMIT: 5, Kind.NEW_OWN_BEST: 0}.get(Kind(kind), 1 << 60)
        traded_at = self._trade(order, time, levels)
        if kind == Kind.NEW_BEST5_LIMIT and traded_at is not None:
            rests = traded_at
        if order.leaves and rests is not None:
            order.price = rests
            listing.orders.append(order)
            self.live[handle] = order
        elif order.leaves:
            self._emit(time, TapeKind.CANCELLED, instrument, side, sent, order.leaves, handle)

    def _trade(self, order: Order, time: int, levels: int) -> int | None:
        """Trade an order while it may; the price of its last trade."""
        listing, side, at = self.listings[order.instrument], order.side, None
        queue = listing.queue(-side)
        allowed = sorted({o.price for o in queue}, reverse=side == -1)[:levels]
        for other in queue:
            if listing.phase != Phase.CONTINUOUS or not order.leaves or other.price not in allowed:
                break
            if side * (order.price - other.price) < 0:
                break
            traded = min(order.leaves, other.leaves)
            order.leaves -= traded
            other.leaves -= traded
            at = other.price
            listing.trade(at, traded)
            row = (time, TapeKind.TRADE, order.instrument, side, at, traded, order.handle, other.handle, order.leaves)
            self._emit(*row)
            if other.leaves == 0:
                self._drop(other)
            self._halt_if_due(order.instrument, at, time)
        return at

    def _enter(self, order: Order, time: int) -> None:
        self._trade(order, time, 1 << 60)
        if order.leaves:
            self.listings[order.instrument].orders.append(order)
            self.live[order.handle] = order

    def _follow(self, time: int, instrument: int) -> None:
        """Orders that the cage has reached enter one by one."""
        listing = self.listings[instrument]
        while listing.phase == Phase.CONTINUOUS:
            nearest = []
            for side in (1, -1):
                waiting = [o for o in listing.waiting if o.side == side and not listing.outside_cage(side, o.price)]
                nearest += sorted(waiting, key=lambda o: (o.side * o.price, o.sequence))[:1]
            if not nearest:
                return
            order = min(nearest, key=lambda o: o.sequence)
            self._drop(order)
            self.sequence += 1
            order.sequence = self.sequence
            self._enter(order, time)

    # Auctions and the end of the day

    def _hold(self, instrument: int, time: int) -> int:
        """Trades of a call auction; its price, 0 if nothing trades."""
        listing = self.listings[instrument]
        price, matched, _ = auction_by_every_price(listing)
        bids, asks = listing.queue(1), listing.queue(-1)
        while matched:
            b, a = bids[0], asks[0]
            traded = min(b.leaves, a.leaves, matched)
            matched -= traded
            b.leaves -= traded
            a.leaves -= traded
            listing.trade(price, traded)
            late, early = (b, a) if b.sequence > a.sequence else (a, b)
            row = (time, TapeKind.TRADE, instrument, late.side, price, traded, late.handle, early.handle, late.leaves)
            self._emit(*row)
            for order, queue in ((b, bids), (a, asks)):
                if order.leaves == 0:
                    queue.pop(0)
                    self._drop(order)
        return price

    def uncross(self, time: int, instruments=None) -> list[Row]:
        self.tape = []
        for instrument in range(len(self.listings)) if instruments is None else instruments:
            listing = self.listings[instrument]
            if not listing.suspended and listing.phase != Phase.HALT:
                price = self._hold(instrument, time)
                listing.open = listing.open or price
        return self.tape

    def expire(self, time: int) -> list[Row]:
        self.tape = []
        for instrument, listing in enumerate(self.listings):
            for order in listing.queue(1) + listing.queue(-1):
                self._drop(order)
                self._emit(time, TapeKind.EXPIRED, instrument, order.side, order.price, order.leaves, order.handle)
        for instrument, listing in enumerate(self.listings):
            for order in sorted(listing.waiting, key=lambda o: (-o.side, o.side * o.price, o.sequence)):
                self._drop(order)
                self._emit(time, TapeKind.EXPIRED, instrument, order.side, order.price, order.leaves, order.handle)
        return self.tape

    def depth(self, instrument: int, levels: int) -> list[list[int]]:
        columns: list[list[int]] = []
        for side in (1, -1):
            sums: dict[int, int] = {}
            for order in self.listings[instrument].queue(side):
                sums[order.price] = sums.get(order.price, 0) + order.leaves
            best = list(sums.items())[:levels]
            best += [(0, 0)] * (levels - len(best))
            columns += [[p for p, _ in best], [q for _, q in best]]
        return columns

    def quotes(self) -> list[tuple[int, int, int, int, int, int, int]]:
        """Rows of Quotes."""
        rows = []
        for i, listing in enumerate(self.listings):
            if listing.phase in (Phase.HALT, "suspended"):
                level1 = (0, 0, 0, 0)
            elif listing.phase in CALLS:
                price, matched, unmatched = auction_by_every_price(listing)
                level1 = (price, price, matched, unmatched)
            else:
                (bid,), (bid_quantity,), (ask,), (ask_quantity,) = self.depth(i, 1)
                level1 = (bid, ask, bid_quantity, ask_quantity)
            rows.append((listing.last, *level1, listing.volume, listing.turnover))
        return rows
