"""A stabilisation fund buys exchange-traded funds when the market falls far, and stops when it has recovered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents.institutions.base import Institution, Intents, MarketView, Wanted
from agents.institutions.settings import duration, money, share, whole
from twin.clock import at
from twin.contracts import Board, IntColumn, Side


class StabilisationFund(Institution):
    """The 'national team': on a day of panic it buys broad funds (or, without any, the largest stocks) with its cash.

    Every review it looks at the mean return of all stocks on their previous closes. Once that is at or below minus
    `threshold` it buys, each time for `pace` of its budget in equal parts, a little through the best ask, until the
    fall is smaller than `recovery` again or the budget is spent (as Central Huijin's purchases of index funds on 7 and
    8 April 2025 were announced; neither its rules nor its sizes are public).

    Assumes: all parameters as below.
    """

    @dataclass(frozen=True)
    class Settings(Institution.Settings):
        """Parameters of the stabilisation fund."""

        count: int = whole(1, "How many (assumed).")
        capital: int = money(2e9, "Its budget for the day (assumed).")
        invested: float = share(0.0, "Share of the capital in securities in the morning (assumed).")
        names: int = whole(10, "Most funds, or stocks, that it buys (assumed).")
        threshold: float = share(0.03, "Fall of the market from which it buys (assumed).")
        recovery: float = share(0.015, "Fall of the market below which it stops (assumed).")
        pace: float = share(0.004, "Part of the budget spent in a review (assumed).")
        through: float = share(0.003, "How far an order reaches through the best ask (assumed).")
        review: int = duration(30, "Time between two looks at the market (assumed).")

    section: ClassVar[str] = "stabilisation_funds"
    settings: Settings

    def prepare(self) -> None:
        """Choose what it would buy."""
        weight = self.seat.traits.order_weight
        self.is_active = False
        self.stocks = np.flatnonzero(self.instruments.board != Board.FUND)
        funds = self.seat.traits.baskets.fund
        self.targets: IntColumn = funds if len(funds) else np.argsort(-weight, kind="stable")
        self.targets = self.targets[: self.settings.names]
        self.next_action = at("09:30") + int(self.uniform(1)[0] * self.settings.review)

    def fall(self, view: MarketView) -> float:
        """How far the market has fallen: 0.03 = 3 per cent."""
        last, close = view.quotes.last[self.stocks], self.instruments.previous_close[self.stocks]
        return 1.0 - float(np.mean(np.where(last > 0, last, close) / close)) if len(close) else 0.0

    def decide(self, view: MarketView) -> Intents:
        """Look at the market; buy, or withdraw what is left of the last orders."""
        s = self.settings
        self.next_action = view.t0 + s.review
        fall = self.fall(view)
        self.is_active = fall >= (s.recovery if self.is_active else s.threshold)
        wanted = Wanted()
        if self.is_active and len(self.targets):
            value = s.pace * s.capital / len(self.targets)
            for i in self.targets.tolist():
                price = math.floor(int(view.quotes.ask[i]) * (1 + s.through))
                if price > 0:
                    wanted.add(i, int(Side.BUY), price, int(value / price))
        return self.intents(view, wanted, list(self.working))
