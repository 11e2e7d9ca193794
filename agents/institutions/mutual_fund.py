"""A mutual fund works large parent orders through the day, and sells when its investors redeem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agents.institutions.base import Institution, Intents, MarketView, Wanted
from agents.institutions.settings import duration, money, share, whole
from twin.clock import HOUR, at
from twin.contracts import IntColumn


class MutualFund(Institution):
    """Parent orders sliced evenly over the trading day (TWAP); redemptions add sales as the index falls.

    Each morning it decides to change a few holdings by a part of their size. Once per slice it compares what has been
    done with the straight-line schedule and sends one child order per stock that lags: at the best price of its own
    side when the lag is one slice, at the other side's when it is more (Almgren and Chriss 2000 without risk
    aversion). A child is cancelled at the next slice. When the index is below -1 %, holders redeem `redemption` per
    further per cent and the fund sells all its stocks in proportion.

    Assumes: turnover and redemption rate as below; no redemption data were found.
    """

    @dataclass(frozen=True)
    class Settings(Institution.Settings):
        """Parameters of a mutual fund."""

        count: int = whole(8, "How many (assumed).")
        capital: int = money(2e9, "Capital of each (assumed).")
        invested: float = share(0.85, "Share of the capital in securities in the morning (assumed).")
        names: int = whole(50, "Stocks held in the morning (assumed).")
        parents: int = whole(8, "Holdings that it changes on a day (assumed).")
        turnover: float = share(0.1, "Mean share of such a holding that is bought or sold (assumed).")
        redemption: float = share(0.003, "Share redeemed per per cent of the index's fall beyond 1 % (assumed).")
        slice: int = duration(60, "Time between two child orders of a parent (assumed).")

    section: ClassVar[str] = "mutual_funds"
    settings: Settings

    def prepare(self) -> None:
        """Choose the day's parent orders."""
        self.start = self.held()
        self.plan = np.zeros_like(self.start)
        if len(self.universe):
            chosen = self.universe[np.argsort(self.uniform(len(self.universe)), kind="stable")[: self.settings.parents]]
            part = 2 * self.settings.turnover * np.array(self.uniform(len(chosen)))
            sign = np.where(np.array(self.uniform(len(chosen))) < 0.5, -1, 1)
            self.plan[chosen] = sign * (part * self.start[chosen]).astype(np.int64) // 100 * 100
        self._redeemed = 0.0
        self.next_action = at("09:30") + int(self.uniform(1)[0] * self.settings.slice)

    def target(self, view: MarketView) -> IntColumn:
        """Net shares that should have been bought by now, per instrument."""
        elapsed = min(max(view.t0 - at("09:30"), 0), 2 * HOUR) + min(max(view.t0 - at("13:00"), 0), 2 * HOUR)
        fall = max(0.0, -100 * view.index_return - 1.0)
        self._redeemed = max(self._redeemed, self.settings.redemption * fall)
        planned = self.plan * min(elapsed / (3.9 * HOUR), 1.0)
        return (planned - self._redeemed * self.start).astype(np.int64)

    def decide(self, view: MarketView) -> Intents:
        """Send the children that the schedule asks for."""
        self.next_action = view.t0 + self.settings.slice
        lag = self.target(view) - (self.held() - self.start)
        names = np.flatnonzero(np.abs(lag) >= 100)
        bid, ask = view.quotes.bid[names], view.quotes.ask[names]
        names = names[(bid > 0) & (ask > 0)]
        bid, ask, lag = view.quotes.bid[names], view.quotes.ask[names], lag[names]
        one_slice = np.maximum(np.abs(self.plan[names]) * self.settings.slice // (230 * 60 * 10**9), 100)
        urgent = np.abs(lag) > 2 * one_slice
        side = np.sign(lag)
        price = np.where((side > 0) == urgent, ask, bid)
        quantity = np.minimum(np.abs(lag), np.where(urgent, 5, 1) * one_slice)
        wanted = Wanted(*(column.tolist() for column in (names, side, price, quantity)))
        return self.intents(view, wanted, list(self.working))
