"""An index fund rebalances in the closing call, where its benchmark's price is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents.institutions.base import NEVER, NOTHING, Institution, Intents, MarketView, Wanted
from agents.institutions.settings import money, share, whole
from twin.clock import MINUTE, Phase, at


class IndexFund(Institution):
    """Holds the whole list and trades once a day, from 14:57 on, to follow creations, redemptions and new weights.

    In the morning it knows by how much each holding is off its weight. In the first minute of the closing call (or as
    soon after as it is stepped) it sends one order per holding, some way through the last price so that it fills with
    high probability, and accepts what the auction gives. Nothing can be cancelled there (domain M02).

    Assumes: size of the daily correction as below.
    """

    @dataclass(frozen=True)
    class Settings(Institution.Settings):
        """Parameters of an index fund."""

        capital: int = money(2e9, "Capital of each (assumed).")
        invested: float = share(0.96, "Share of the capital in securities in the morning (assumed).")
        names: int = whole(10_000, "Stocks held in the morning: at most so many (assumed).")
        correction: float = share(0.01, "Spread of a holding's correction as a share of the holding (assumed).")
        flow: float = share(0.003, "Spread of net creations as a share of the fund (assumed).")
        through: float = share(0.02, "How far an order reaches through the last price (assumed).")

    section: ClassVar[str] = "index_funds"
    phase: ClassVar[Phase] = Phase.CLOSE_CALL
    settings: Settings

    def prepare(self) -> None:
        """Work out the day's corrections."""
        spread = 12**0.5 * (np.array(self.uniform(len(self.universe))) - 0.5)
        net = 12**0.5 * (self.uniform(1)[0] - 0.5)
        change = self.endowment.shares[self.universe] * (self.settings.correction * spread + self.settings.flow * net)
        self.plan = (np.sign(change) * (np.abs(change) // 100) * 100).astype(np.int64)
        self._start = at("14:57") + int(self.uniform(1)[0] * MINUTE)

    def decide(self, view: MarketView) -> Intents:
        """Send all orders in one interval of the closing call."""
        if view.t1 <= self._start:
            return NOTHING
        self.next_action = NEVER
        last = view.quotes.last[self.universe]
        known = np.flatnonzero((last > 0) & (self.plan != 0))
        side = np.sign(self.plan[known])
        price = np.round(last[known] * (1 + self.settings.through * side)).astype(np.int64)
        columns = (self.universe[known], side, price, np.abs(self.plan[known]))
        return self.intents(view, Wanted(*(column.tolist() for column in columns)))
