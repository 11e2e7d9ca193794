"""An index fund rebalances in the closing call, where its benchmark's price is made."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from agents.institutions.base import NEVER, NOTHING, Endowment, Institution, Intents, MarketView, Wanted
from twin.clock import MINUTE, Phase, at
from twin.contracts import Instruments
from twin.randomness import Streams


class IndexFund(Institution):
    """Holds the whole list and trades once a day, from 14:57 on, to follow creations, redemptions and new weights.

    In the morning it knows by how much each holding is off its weight. In the first minute of the closing call (or as
    soon after as it is stepped) it sends one order per holding, two per cent through the last price so that it fills
    with high probability, and accepts what the auction gives. Nothing can be cancelled there (domain M02).

    Assumes: size of the daily correction as below.
    """

    phase: ClassVar[Phase] = Phase.CLOSE_CALL
    invested: ClassVar[float] = 0.96
    names: ClassVar[int] = 10_000
    correction: ClassVar[float] = 0.01
    """Standard deviation of a holding's correction as a share of the holding."""
    flow: ClassVar[float] = 0.003
    """Standard deviation of net creations as a share of the fund."""
    through: ClassVar[float] = 0.02

    def __init__(
        self, model: Any, account: int, instruments: Instruments, endowment: Endowment, streams: Streams
    ) -> None:
        super().__init__(model, account, instruments, endowment, streams)
        spread = 12**0.5 * (np.array(self.uniform(len(self.universe))) - 0.5)
        net = 12**0.5 * (self.uniform(1)[0] - 0.5)
        change = endowment.shares[self.universe] * (self.correction * spread + self.flow * net)
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
        price = np.round(last[known] * (1 + self.through * side)).astype(np.int64)
        columns = (self.universe[known], side, price, np.abs(self.plan[known]))
        return self.intents(view, Wanted(*(column.tolist() for column in columns)))
