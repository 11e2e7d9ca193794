"""A market maker quotes both sides around a value that leans against its inventory."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from agents.institutions.base import NEVER, Endowment, Institution, Intents, MarketView, Wanted
from twin.clock import SECOND
from twin.contracts import Instruments, Side
from twin.randomness import Streams


class MarketMaker(Institution):
    """Two-sided quotes in a handful of stocks, renewed every 15 to 30 s, the old ones cancelled.

    The reservation price is the mid less a skew proportional to the inventory gained since the morning (Avellaneda and
    Stoikov 2008, linearised); quotes lie half a spread to either side and never reach the other side's best price.

    Assumes: refresh times, half-spread and quote size as below (no public figures for Chinese makers in shares).
    """

    invested: ClassVar[float] = 0.6
    names: ClassVar[int] = 6
    half_spread: ClassVar[float] = 0.0004
    """Least half-spread as a share of the price, at least one tick."""
    quote_share: ClassVar[float] = 0.002
    """Size of a quote as a share of the morning's shares."""
    skew: ClassVar[float] = 3.0
    """Half-spreads by which the reservation price moves when inventory changes by the morning's shares."""

    def __init__(
        self, model: Any, account: int, instruments: Instruments, endowment: Endowment, streams: Streams
    ) -> None:
        super().__init__(model, account, instruments, endowment, streams)
        self.start = self.position.copy()
        self._due = dict.fromkeys(self.universe.tolist(), 0)

    def decide(self, view: MarketView) -> Intents:
        """Renew the quotes that are due."""
        due = [i for i, time in self._due.items() if time <= view.t0]
        for i, u in zip(due, self.uniform(len(due)), strict=True):
            self._due[i] = view.t0 + int((15 + 15 * u) * SECOND)
        self.next_action = min(self._due.values(), default=NEVER)
        old = self.working_in(due)
        quoted = [(i, int(view.quotes.bid[i]), int(view.quotes.ask[i])) for i in due]
        quoted = [(i, *self._quote(i, bid, ask)) for i, bid, ask in quoted if 0 < bid < ask]
        wanted = Wanted()
        for side in (Side.BUY, Side.SELL):
            for i, buy, sell in quoted:
                size = int(self.quote_share * self.start[i]) // 100 * 100 + 100
                wanted.add(i, int(side), buy if side == Side.BUY else sell, size)
        return self.intents(view, wanted, old)

    def _quote(self, i: int, bid: int, ask: int) -> tuple[int, int]:
        """Prices (ticks) at which to buy and to sell, given the best ones."""
        mid = 0.5 * (bid + ask)
        half = max(1.0, self.half_spread * mid)
        gained = (self.position[i] - self.start[i]) / self.start[i]
        fair = mid - self.skew * half * gained
        return min(math.floor(fair - half), ask - 1), max(math.ceil(fair + half), bid + 1)
