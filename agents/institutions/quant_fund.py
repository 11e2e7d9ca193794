"""What quantitative funds share: they score their stocks now and then, and trade the extremes with small orders."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.institutions.base import NOTHING, Institution, Intents, MarketView, Wanted
from agents.institutions.settings import duration, money, share, whole
from twin.clock import at


class QuantFund(Institution):
    """Buys the stocks of highest score and sells those of lowest, reviewing them twice a minute.

    Orders join the best price of their own side and are cancelled at the next review, so that most are cancelled
    (quant flow: half and more, domain B58). It trades on both sides of what it held in the morning, as a T+0 overlay
    under T+1 (domain M41); so it sells only what it held. `sign` and `score` are the style.

    Assumes: all parameters as below.
    """

    @dataclass(frozen=True)
    class Settings(Institution.Settings):
        """Parameters of a quantitative fund."""

        count: int = whole(2, "How many (assumed).")
        capital: int = money(1e9, "Capital of each (assumed).")
        invested: float = share(0.7, "Share of the capital in securities in the morning (assumed).")
        names: int = whole(120, "Stocks that it watches and holds (assumed).")
        review: int = duration(30, "Time between reviews of the score (assumed).")
        lookback: int = whole(10, "Reviews over which a move is measured (assumed).")
        orders_per_side: int = whole(6, "Most buy orders, and most sell orders, of a review (assumed).")
        order_value: int = money(30_000, "Value of an order (assumed).")

    settings: Settings

    def prepare(self) -> None:
        """Start with no history, at a random instant after the open."""
        self._history: list[NDArray[np.float64]] = []
        self.next_action = at("09:31") + int(self.uniform(1)[0] * self.settings.review)

    @abstractmethod
    def score(self, move: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much each stock of the universe is wanted, from its log return over the lookback (NaN = no quote)."""

    def decide(self, view: MarketView) -> Intents:
        """Review the scores."""
        settings = self.settings
        self.next_action = view.t0 + settings.review
        bid, ask = view.quotes.bid[self.universe], view.quotes.ask[self.universe]
        mid = np.where((bid > 0) & (ask > 0), 0.5 * (bid + ask), np.nan)
        self._history = [*self._history[-settings.lookback :], np.log(mid)]
        old = list(self.working)
        if len(self._history) <= settings.lookback:
            return NOTHING
        score = self.score(self._history[-1] - self._history[0])
        live = np.flatnonzero(np.isfinite(score))
        live = live[np.argsort(score[live], kind="stable")]
        most = min(settings.orders_per_side, len(live) // 2)
        wanted = Wanted()
        for side, chosen, best in ((1, live[len(live) - most :], bid), (-1, live[:most], ask)):
            for i, price in zip(self.universe[chosen].tolist(), best[chosen].tolist(), strict=True):
                wanted.add(i, side, price, settings.order_value // price + self.steps[i] // 2)
        return self.intents(view, wanted, old)
