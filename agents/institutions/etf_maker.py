"""A fund's market maker quotes around the value of its basket, hedges with the shares, and creates or redeems units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.institutions.base import NOTHING, Endowment, Institution, Intents, MarketView, Wanted
from agents.institutions.settings import duration, number, share, whole
from twin.clearing.primary_market import PrimaryMarket
from twin.clock import at
from twin.contracts import IntColumn, Side


class EtfMaker(Institution):
    """Two-sided quotes in a few exchange-traded funds, and arbitrage against their baskets.

    The value of a fund is that of its basket at the shares' mids. Quotes lie half a spread around it, moved against the
    inventory gained, and rest unless the fund is dearer or cheaper than its basket by more than it costs to trade the
    basket: then they take the other side's best price. What it has gained or lost it hedges with the basket's shares,
    and at the end of the day it creates or redeems whole units to be where it was in the morning.

    Assumes: all parameters as below. Does not model: futures as a hedge.
    """

    @dataclass(frozen=True)
    class Settings(Institution.Settings):
        """Parameters of a fund's market maker."""

        count: int = whole(2, "How many (assumed).")
        invested: float = share(0.6, "Share of the capital in funds and, as much, in their baskets (assumed).")
        names: int = whole(3, "Funds that it makes (assumed).")
        refresh: int = duration(15, "Age of a quote when it is renewed (assumed).")
        half_spread: float = share(0.0005, "Half-spread as a share of the value, at least half a tick (assumed).")
        quote_units: float = number(0.05, "Size of a quote in creation units (assumed).")
        skew: float = number(4.0, "Half-spreads that quotes move per creation unit gained (assumed).")
        cost: float = share(0.0015, "Premium from which arbitrage pays: fees, tax and the shares' spreads (assumed).")
        hedge_from: float = number(0.25, "Creation units of exposure that are hedged (assumed).")
        hedge_every: int = duration(60, "Time between hedges (assumed).")

    section: ClassVar[str] = "etf_makers"
    settings: Settings

    def endow(self) -> Endowment:
        """As many creation units of its funds as of their baskets."""
        b, close = self.seat.traits.baskets, self.instruments.previous_close
        shares = np.zeros(len(close), np.int64)
        self.rows = [row for row in range(len(b.fund)) if (row + self.account) % len(b.fund) < self.settings.names]
        for row in self.rows:
            worth = 2 * int(b.unit[row] * close[b.fund[row]]) - int(b.cash[row])
            units = int(self.settings.invested * self.settings.capital / len(self.rows)) // worth
            shares += units * b.shares[row]
            shares[b.fund[row]] += units * b.unit[row]
        return Endowment(self.settings.capital - int(shares @ close), shares)

    def prepare(self) -> None:
        """Remember the morning's inventory."""
        self.start = self.held()
        self._hedge_at = self.next_action = at("09:30")

    def gained(self) -> NDArray[np.float64]:
        """Creation units gained since the morning, per fund of the list."""
        b = self.seat.traits.baskets
        return (self.held() - self.start)[b.fund] / b.unit

    def decide(self, view: MarketView) -> Intents:
        """Renew all quotes; hedge when it is time."""
        if not self.rows:
            return NOTHING
        self.next_action = view.t0 + self.settings.refresh
        q, b, wanted = view.quotes, self.seat.traits.baskets, Wanted()
        mid = np.where((q.bid > 0) & (q.ask > 0), 0.5 * (q.bid + q.ask), np.maximum(q.last, np.maximum(q.bid, q.ask)))
        value = b.value(np.where(mid > 0, mid, self.instruments.previous_close))
        gained = self.gained()
        for row in self.rows:
            fund, step = int(b.fund[row]), self.steps[int(b.fund[row])]
            size = max(int(self.settings.quote_units * b.unit[row]) // step * step, step)
            prices = self._quote(float(value[row]), float(gained[row]), int(q.bid[fund]), int(q.ask[fund]))
            for side, price in zip((Side.BUY, Side.SELL), prices, strict=True):
                wanted.add(fund, int(side), price, size)
        if view.t0 >= self._hedge_at:
            self._hedge_at = view.t0 + self.settings.hedge_every
            self._hedge(gained, q.bid, q.ask, wanted)
        return self.intents(view, wanted, list(self.working))

    def _quote(self, value: float, gained: float, bid: int, ask: int) -> tuple[int, int]:
        """Prices (ticks) at which to buy and to sell a fund of which so many units were gained."""
        half, cost = max(0.5, self.settings.half_spread * value), self.settings.cost * value
        fair = value - self.settings.skew * half * gained
        buy, sell = math.floor(fair - half), math.ceil(fair + half)
        if ask > 0:
            buy = ask if ask < fair - cost else min(buy, ask - 1)
        if bid > 0:
            sell = bid if bid > fair + cost else max(sell, bid + 1)
        return buy, sell

    def _hedge(self, gained: NDArray[np.float64], bid: IntColumn, ask: IntColumn, wanted: Wanted) -> None:
        """Trade the baskets against the funds' inventory, in whole lots at the other side's best price."""
        b, close = self.seat.traits.baskets, self.instruments.previous_close
        lag = self.start - self.held() - gained @ b.shares
        lag[b.fund] = 0.0
        if np.abs(lag) @ close < self.settings.hedge_from * float(np.mean(b.unit * close[b.fund])):
            return
        lots = np.round(lag / 100).astype(np.int64) * 100
        price = np.where(lots > 0, ask, bid)
        for i in np.flatnonzero((lots != 0) & (price > 0)).tolist():
            wanted.add(i, 1 if lots[i] > 0 else -1, int(price[i]), abs(int(lots[i])))

    def after_close(self, market: PrimaryMarket) -> None:
        """Create units of funds that it has sold, redeem units of funds that it has bought."""
        for row in self.rows:
            units = market.most(self.account, row, -round(float(self.gained()[row])))
            market.create(self.account, row, units)
