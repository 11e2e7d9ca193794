"""A market maker quotes both sides around a value that leans against its inventory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from agents.institutions.base import NEVER, Institution, Intents, MarketView, Wanted
from agents.institutions.settings import duration, number, share, whole
from twin.contracts import Side


class MarketMaker(Institution):
    """Two-sided quotes in a handful of stocks, renewed every one to two refresh times, the old ones cancelled.

    The reservation price is the mid less a skew proportional to the inventory gained since the morning (Avellaneda and
    Stoikov 2008, linearised); quotes lie half a spread to either side and never reach the other side's best price. At
    the inventory limit only the side that reduces it is quoted.

    Assumes: all parameters as below (no public figures for Chinese makers in shares).
    """

    @dataclass(frozen=True)
    class Settings(Institution.Settings):
        """Parameters of a market maker."""

        invested: float = share(0.6, "Share of the capital in securities in the morning (assumed).")
        names: int = whole(6, "Stocks that it makes (assumed).")
        refresh: int = duration(15, "Least age of a quote when it is renewed; at most twice that (assumed).")
        half_spread: float = share(0.0004, "Least half-spread as a share of the price, at least a tick (assumed).")
        quote_share: float = share(0.002, "Size of a quote as a share of the morning's shares (assumed).")
        skew: float = number(
            3.0, "Half-spreads that the value moves when inventory changes by the morning's (assumed)."
        )
        inventory_limit: float = share(0.5, "Most inventory gained or lost, as a share of the morning's (assumed).")

    section: ClassVar[str] = "market_makers"
    settings: Settings

    def prepare(self) -> None:
        """All quotes are due at once."""
        self.start = self.position.copy()
        self._due = dict.fromkeys(self.universe.tolist(), 0)

    def decide(self, view: MarketView) -> Intents:
        """Renew the quotes that are due."""
        due = [i for i, time in self._due.items() if time <= view.t0]
        for i, u in zip(due, self.uniform(len(due)), strict=True):
            self._due[i] = view.t0 + int((1 + u) * self.settings.refresh)
        self.next_action = min(self._due.values(), default=NEVER)
        old = self.working_in(due)
        quoted = [(i, int(view.quotes.bid[i]), int(view.quotes.ask[i])) for i in due]
        quoted = [(i, *self._quote(i, bid, ask)) for i, bid, ask in quoted if 0 < bid < ask]
        wanted = Wanted()
        for side in (Side.BUY, Side.SELL):
            for i, buy, sell in quoted:
                if side * self._gained(i) < self.settings.inventory_limit:
                    size = int(self.settings.quote_share * self.start[i]) // 100 * 100 + 100
                    wanted.add(i, int(side), buy if side == Side.BUY else sell, size)
        return self.intents(view, wanted, old)

    def _gained(self, i: int) -> float:
        """Inventory gained since the morning, as a share of the morning's."""
        return (self.position[i] - self.start[i]) / self.start[i]

    def _quote(self, i: int, bid: int, ask: int) -> tuple[int, int]:
        """Prices (ticks) at which to buy and to sell, given the best ones."""
        mid = 0.5 * (bid + ask)
        half = max(1.0, self.settings.half_spread * mid)
        fair = mid - self.settings.skew * half * self._gained(i)
        return min(math.floor(fair - half), ask - 1), max(math.ceil(fair + half), bid + 1)
