"""A quantitative fund trades short-term signals with many small orders."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from agents.institutions.base import NOTHING, Endowment, Institution, Intents, MarketView
from twin.clock import SECOND, Phase, at
from twin.contracts import Instruments
from twin.randomness import Streams


class QuantFund(Institution):
    """Buys and sells the stocks that have moved furthest against or with the market over the last minutes.

    Every 30 s it ranks its stocks by return over `lookback` reviews, less the median. A reversal fund (every other
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
        self._due = at("09:31") + int(self.uniform(1)[0] * self.review_s * SECOND)

    def decide(self, view: MarketView) -> Intents:
        """Review the signals when a review is due."""
        if view.phase != Phase.CONTINUOUS or view.t0 < self._due:
            return NOTHING
        self._due = view.t0 + self.review_s * SECOND
        quotes, names = view.quotes, self.universe
        mid = 0.5 * (quotes.bid[names] + quotes.ask[names])
        whole = (quotes.bid[names] > 0) & (quotes.ask[names] > 0)
        self._history = [*self._history[-self.lookback :], np.where(whole, mid, np.nan)]
        old = list(self.working)
        if len(self._history) <= self.lookback:
            return NOTHING
        move = np.log(self._history[-1] / self._history[0])
        live = np.flatnonzero(np.isfinite(move))
        if len(live) < 4 * self.orders_per_side:
            return Intents(NOTHING.orders, self.cancel(view, old))
        signal = self.style * (move[live] - np.median(move[live]))
        ranked = names[live[np.argsort(signal, kind="stable")]]
        sells, buys = ranked[: self.orders_per_side], ranked[-self.orders_per_side :]
        chosen = np.concatenate([buys, sells])
        side = np.repeat(np.array([1, -1], np.int64), self.orders_per_side)
        price = np.where(side > 0, quotes.bid[chosen], quotes.ask[chosen])
        return self.intents(view, chosen, side, price, self.order_value // price + 50, old)
