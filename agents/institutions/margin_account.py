"""A client who has borrowed to buy shares, and the broker's risk desk that sells them when they no longer suffice."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from agents.institutions.base import Endowment, Institution, Intents, MarketView, Wanted
from agents.institutions.settings import duration, money, number, share, whole
from twin.clearing.margin import CALL, LIQUIDATION, WARNING, is_below, minimum_margin, sale_to_restore
from twin.clock import at
from twin.contracts import Side


class MarginAccount(Institution):
    """A margin account under the eyes of the risk desk: `debt` and `interest` (fen) against cash and shares.

    The contract was opened some days ago with the least own margin that the rule of that day demands (domain C20), and
    its shares have moved since. The desk values the account every minute or so, one above 150 % every fifth time. Below
    140 % the client is called for margin; below 130 % the desk sells, marketably, what brings the ratio back to the
    call line (domain C21, C22), the proceeds repaying debt. At the lower limit without buyers, or in a suspension,
    nothing can be sold: the order waits or is refused, and the debt remains (trap T14).

    Assumes: called clients bring no margin on the day, and time to do so has run out below 130 %; who was below before
    the day has been sold down to the call line. Does not model: securities lending; orders of the client's own.
    """

    @dataclass(frozen=True)
    class Settings(Institution.Settings):
        """Parameters of a margin account."""

        count: int = whole(60, "How many, a sample of the broker's (assumed).")
        capital: int = money(5e5, "Own assets of each when the contract was opened (assumed; O15 asks for as much).")
        invested: float = share(1.0, "Share of all assets in shares (assumed).")
        names: int = whole(2, "Stocks held: such accounts are concentrated (assumed).")
        age: int = whole(240, "Most calendar days since the contract was opened, evenly spread (assumed).")
        volatility: float = share(0.022, "Daily deviation of the shares' value since then (assumed).")
        rate: float = number(0.055, "Interest on the debt per year (assumed).")
        review: int = duration(60, "Time between two valuations (assumed).")
        through: float = share(0.015, "How far a sale reaches through the best bid, inside the cage (assumed).")

    section: ClassVar[str] = "margin_accounts"
    settings: Settings

    def endow(self) -> Endowment:
        """Shares for own assets and loan, as they are worth this morning; the debt comes with them."""
        s, (u, z) = self.settings, self.uniform(2)
        age = int(u * (s.age + 1))
        self.debt = s.capital * 100 // minimum_margin(self.seat.date - dt.timedelta(days=age))
        self.interest = int(self.debt * s.rate * age / 360)
        moved = s.volatility * math.sqrt(age * 5 / 7) * NormalDist().inv_cdf(z)
        worth, owed = int((s.capital + self.debt) * math.exp(moved)), self.debt + self.interest
        return self.spread(owed * CALL // 100 if is_below(LIQUIDATION, worth, owed) else worth)

    def prepare(self) -> None:
        """Nobody has been called yet."""
        self.is_called, self.liquidations = False, 0
        self.next_action = at("09:30") + int(self.uniform(1)[0] * self.settings.review)

    def decide(self, view: MarketView) -> Intents:
        """Value the account; sell if it is below the line, leaving sales that stand at the price or lower."""
        self.next_action = view.t0 + self.settings.review
        held = self.held()[self.universe]
        last = view.quotes.last[self.universe]
        price = np.where(last > 0, last, self.instruments.previous_close[self.universe])
        repaid = min(self.cash, self.debt + self.interest)
        assets, owed = self.cash + int(held @ price) - repaid, self.debt + self.interest - repaid
        self.is_called |= is_below(CALL, assets, owed)
        if not is_below(WARNING, assets, owed):
            self.next_action += 4 * self.settings.review
        if not is_below(LIQUIDATION, assets, owed):
            return Intents(cancels=self.cancel(view, list(self.working)))
        self.liquidations += 1
        part, wanted, stale = sale_to_restore(CALL, assets, owed) / max(int(held @ price), 1), Wanted(), list[int]()
        for i, shares in zip(self.universe.tolist(), held.tolist(), strict=True):
            floor = int(self.instruments.limit_down[i])
            limit = max(math.ceil(int(view.quotes.bid[i]) * (1 - self.settings.through)), floor)
            left = math.ceil(shares * part / 100) * 100
            for row in self.working_in([i]):
                if self.working[row].price > limit:
                    stale.append(row)
                left -= self.working[row].left
            wanted.add(i, int(Side.SELL), limit, left)
        return self.intents(view, wanted, stale)
