"""A matching engine in plain Python, written for clarity: lists, linear scans and an auction that tries every price."""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.contracts import MessageKind, Reason, TapeKind

Row = tuple[int, int, int, int, int, int, int, int, int]


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
    last: int = 0
    volume: int = 0
    turnover: int = 0
    orders: list[Order] = field(default_factory=list)

    def queue(self, side: int) -> list[Order]:
        """Orders of a side in price-time priority."""
        return sorted((o for o in self.orders if o.side == side), key=lambda o: (-side * o.price, o.sequence))

    def trade(self, price: int, quantity: int) -> None:
        self.last = price
        self.volume += quantity
        self.turnover += price * quantity


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
    """The same rules as MatchingEngine; `mode` is 'shut', 'call' or 'continuous'."""

    def __init__(self, listings: list[Listing]) -> None:
        self.listings = listings
        self.live: dict[int, Order] = {}
        self.sequence = 0
        self.mode = "shut"
        self.cancels = False
        self.tape: list[Row] = []

    def process(self, rows: list[tuple[int, int, int, int, int, int, int]]) -> list[Row]:
        self.tape = []
        for time, kind, instrument, side, price, quantity, handle in rows:
            if kind == MessageKind.CANCEL:
                self._cancel(time, instrument, handle)
            else:
                self._new(time, kind, instrument, side, price, quantity, handle)
        return self.tape

    def _emit(self, time, kind, instrument, side, price, quantity, handle, counter=-1, leaves=0) -> None:
        self.tape.append(
            (time, int(kind), instrument, side, price, quantity, handle, int(counter), leaves),
        )

    def _reject(self, time, instrument, side, price, quantity, handle, reason, leaves=0) -> None:
        self._emit(time, TapeKind.REJECTED, instrument, side, price, quantity, handle, -1 - reason, leaves)

    def _cancel(self, time, instrument, handle) -> None:
        order = self.live.get(handle)
        instrument = order.instrument if order else instrument
        if self.mode == "shut" or not self.cancels:
            self._reject(time, instrument, 0, 0, 0, handle, Reason.NO_CANCEL, order.leaves if order else 0)
        elif order is None:
            self._reject(time, instrument, 0, 0, 0, handle, Reason.UNKNOWN_ORDER)
        else:
            self._drop(order)
            self._emit(time, TapeKind.CANCELLED, order.instrument, order.side, order.price, order.leaves, handle)

    def _drop(self, order: Order) -> None:
        del self.live[order.handle]
        self.listings[order.instrument].orders.remove(order)

    def _new(self, time, kind, instrument, side, price, quantity, handle) -> None:
        listing = self.listings[instrument]
        others = listing.queue(-side)
        reason = None
        if self.mode == "shut" or (self.mode == "call" and kind != MessageKind.NEW_LIMIT):
            reason = Reason.CLOSED
        elif quantity <= 0:
            reason = Reason.LOT
        elif kind == MessageKind.NEW_MARKET:
            reason = None if others else Reason.NO_COUNTERPARTY
        elif not listing.down <= price <= listing.up:
            reason = Reason.PRICE_LIMIT
        if reason is not None:
            self._reject(time, instrument, side, price, quantity, handle, reason)
            return
        self.sequence += 1
        self._emit(time, TapeKind.ACCEPTED, instrument, side, price, quantity, handle, -1, quantity)
        leaves = quantity
        if self.mode == "continuous":
            allowed = sorted({o.price for o in others}, reverse=side == -1)
            market = kind == MessageKind.NEW_MARKET
            allowed = allowed[:5] if market else [p for p in allowed if side * (price - p) >= 0]
            for other in others:
                if leaves == 0 or other.price not in allowed:
                    break
                traded = min(leaves, other.leaves)
                leaves -= traded
                other.leaves -= traded
                listing.trade(other.price, traded)
                self._emit(time, TapeKind.TRADE, instrument, side, other.price, traded, handle, other.handle, leaves)
                if other.leaves == 0:
                    self._drop(other)
        if leaves and kind == MessageKind.NEW_LIMIT:
            order = Order(handle, instrument, side, price, leaves, self.sequence)
            listing.orders.append(order)
            self.live[handle] = order
        elif leaves:
            self._emit(time, TapeKind.CANCELLED, instrument, side, price, leaves, handle)

    def uncross(self, time: int) -> list[Row]:
        self.tape = []
        for instrument, listing in enumerate(self.listings):
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
                self._emit(
                    time, TapeKind.TRADE, instrument, late.side, price, traded, late.handle, early.handle, late.leaves
                )
                for order, queue in ((b, bids), (a, asks)):
                    if order.leaves == 0:
                        queue.pop(0)
                        self._drop(order)
        return self.tape

    def expire(self, time: int) -> list[Row]:
        self.tape = []
        for instrument, listing in enumerate(self.listings):
            for order in listing.queue(1) + listing.queue(-1):
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
            if self.mode == "call":
                price, matched, unmatched = auction_by_every_price(listing)
                level1 = (price, price, matched, unmatched)
            else:
                (bid,), (bid_quantity,), (ask,), (ask_quantity,) = self.depth(i, 1)
                level1 = (bid, ask, bid_quantity, ask_quantity)
            rows.append((listing.last, *level1, listing.volume, listing.turnover))
        return rows
