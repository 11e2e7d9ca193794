"""A quantitative fund trades short-term signals with many small orders."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from agents.institutions.base import NOTHING, Endowment, Institution, Intents, MarketView, Wanted
from twin.clock import SECOND, at
from twin.contracts import Instruments
from twin.randomness import Streams


class QuantFund(Institution):
    """Buys and sells the stocks that have moved furthest against or with the market over the last minutes.

    Every 30 s it ranks its stocks by return over `lookback` reviews. A reversal fund (every other
    account) buys the losers and sells the winners, a momentum fund the opposite. Orders join the best price of their
    own side and are cancelled at the next review, so that most are cancelled (quant flow: half and more, domain B58).
    It trades on both sides of what it held in the morning, as a T+0 overlay under T+1 (domain M41).

    Assumes: review, number of orders and order value as below.
    """

    invested: ClassVar[float] = 0.7
    names: ClassVar[int] = 120
    review_s: ClassVar[int] = 30
    lookback: ClassVar[int] = 10
    orders_per_side: ClassVar[int] = 6
    order_value: ClassVar[int] = 3_000_000
    """Fen per order (30,000 CNY)."""

    def __init__(
        self, model: Any, account: int, instruments: Instruments, endowment: Endowment, streams: Streams
    ) -> None:
        super().__init__(model, account, instruments, endowment, streams)
        self.style = 1 if account % 2 else -1
        self._history: list[np.ndarray[Any, np.dtype[np.float64]]] = []
        self.next_action = at("09:31") + int(self.uniform(1)[0] * self.review_s * SECOND)

    def decide(self, view: MarketView) -> Intents:
        """Review the signals."""
        self.next_action = view.t0 + self.review_s * SECOND
        bid, ask = view.quotes.bid[self.universe], view.quotes.ask[self.universe]
        mid = np.where((bid > 0) & (ask > 0), 0.5 * (bid + ask), np.nan)
        self._history = [*self._history[-self.lookback :], mid]
        old = list(self.working)
        if len(self._history) <= self.lookback:
            return NOTHING
        move = self._history[-1] / self._history[0]
        live = np.flatnonzero(np.isfinite(move))
        if len(live) < 4 * self.orders_per_side:
            return Intents(cancels=self.cancel(view, old))
        ranked = live[np.argsort(self.style * move[live], kind="stable")]
        wanted = Wanted()
        for side, chosen, best in (
            (1, ranked[-self.orders_per_side :], bid), (-1, ranked[: self.orders_per_side], ask),
        ):  # fmt: skip
            for i, price in zip(self.universe[chosen].tolist(), best[chosen].tolist(), strict=True):
                wanted.add(i, side, price, self.order_value // price + 50)
        return self.intents(view, wanted, old)
