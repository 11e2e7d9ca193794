"""A market maker quotes both sides around a value that leans against its inventory."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from agents.institutions.base import NOTHING, Endowment, Institution, Intents, MarketView
from twin.clock import SECOND, Phase
from twin.contracts import Instruments
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
    quote_share: ClassVar[float] = 0.02
    """Size of a quote as a share of the morning's shares."""
    skew: ClassVar[float] = 3.0
    """Half-spreads by which the reservation price moves when inventory changes by the morning's shares."""

    def __init__(
        self, model: Any, account: int, instruments: Instruments, endowment: Endowment, streams: Streams
    ) -> None:
        super().__init__(model, account, instruments, endowment, streams)
        self.start = self.position.copy()
        self._due = np.zeros(len(self.universe), np.int64)
        self._next = 0

    def decide(self, view: MarketView) -> Intents:
        """Renew the quotes that are due."""
        if view.phase != Phase.CONTINUOUS or view.t0 < self._next:
            return NOTHING
        due = np.flatnonzero(self._due <= view.t0)
        self._due[due] = view.t0 + ((15 + 15 * self.uniform(len(due))) * SECOND).astype(np.int64)
        self._next = int(self._due.min()) if len(self._due) else view.t1
        names = self.universe[due]
        old = self.working_in(names)
        bid, ask = view.quotes.bid[names], view.quotes.ask[names]
        names, bid, ask = (column[(bid > 0) & (ask > bid)] for column in (names, bid, ask))
        if len(names) == 0:
            return self.intents(view, names, names, names, names, old)
        mid = 0.5 * (bid + ask)
        half = np.maximum(1.0, self.half_spread * mid)
        gained = (self.position[names] - self.start[names]) / self.start[names]
        fair = mid - self.skew * half * gained
        buy = np.minimum(np.floor(fair - half).astype(np.int64), ask - 1)
        sell = np.maximum(np.ceil(fair + half).astype(np.int64), bid + 1)
        size = (self.quote_share * self.start[names]).astype(np.int64) // 100 * 100 + 100
        side = np.repeat(np.array([1, -1], np.int64), len(names))
        price = np.concatenate([buy, sell])
        return self.intents(view, np.tile(names, 2), side, price, np.tile(size, 2), old)
