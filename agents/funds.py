"""Institutions in the society: their accounts, what they hand in, and what they hear back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.institutions import KINDS, Institution
from agents.institutions.base import CancelIntent, MarketView, OrderIntent, Seat
from twin.clearing.primary_market import PrimaryMarket
from twin.contracts import Cancels, OrderKind, Orders

if TYPE_CHECKING:
    import datetime as dt

    from agents.society import Society
    from twin.contracts import Quotes
    from twin.routing.path import Replies
    from twin.world import InstrumentTraits


class Funds:
    """The broker's institutional clients; their accounts follow those of the clients.

    Args:
        society: where they live.
        groups: settings of every kind by the name of its section, in order of accounts.
        traits: what the model says of the instruments.
        date: the trading day.
    """

    def __init__(
        self, society: Society, groups: dict[str, Institution.Settings], traits: InstrumentTraits, date: dt.date
    ) -> None:
        self._society = society
        self._first = society.population.clients
        self.members: list[Institution] = []
        self.primary = PrimaryMarket(traits.baskets, society.ledger)
        for section, settings in groups.items():
            for _ in range(settings.count):
                account = self._first + len(self.members)
                seat = Seat(account, society.market.instruments, traits, society.streams, date)
                self._join(KINDS[section](society, seat, settings))

    def _join(self, member: Institution) -> None:
        self.members.append(member)
        society, account, endowment = self._society, member.account, member.endowment
        held = np.flatnonzero(endowment.shares)
        society.bring(
            np.array([account]), np.array([endowment.cash]), np.array([len(held)]), held, endowment.shares[held]
        )

    def step(self, quotes: Quotes) -> None:
        """Every institution whose time has come acts on the quotes that it sees."""
        sight = self._society.sight
        t0, phase = sight.t0, sight.phase
        due = [member for member in self.members if member.next_action <= t0 and member.phase == phase]
        if not due:
            return
        view = MarketView(t0, sight.t1, phase, quotes, sight.index_return)
        orders: list[OrderIntent] = []
        cancels: list[CancelIntent] = []
        first = len(self._society.orders)
        for member in due:
            intents = member.step(view)
            cancels += intents.cancels
            orders += intents.orders
            member.on_submitted(range(first + len(orders) - len(intents.orders), first + len(orders)))
        self._send(orders, cancels)

    def _send(self, orders: list[OrderIntent], cancels: list[CancelIntent]) -> None:
        """All messages of an interval go to the broker as one batch; orders get the next numbers, in order."""
        society = self._society
        if cancels:
            time, account, order = np.array(cancels, np.int64).T
            society.path.submit(cancels=Cancels(time, order, account))
        if orders:
            base = society.orders.new_rows(len(orders))
            time, account, instrument, side, price, quantity = np.array(orders, np.int64).T
            rows = np.arange(base, base + len(orders))
            kind = np.full(len(orders), OrderKind.LIMIT, np.int64)
            society.path.submit(orders=Orders(time, rows, account, instrument, side, kind, price, quantity))

    def hear(self, replies: Replies) -> None:
        """Fills and ends of own orders reach the institution that sent them."""
        members, first, fills = self.members, self._first, replies.fills
        rows = np.flatnonzero(fills.account >= first)
        if len(rows):
            columns = (fills.account, fills.order, fills.price, fills.quantity)
            for account, order, price, quantity in zip(*(c[rows].tolist() for c in columns), strict=True):
                members[account - first].on_fill(order, price, quantity)
        for batch in (replies.rejections, replies.ended):
            rows = np.flatnonzero(batch.account >= first)
            if len(rows):
                for account, order in zip(batch.account[rows].tolist(), batch.order[rows].tolist(), strict=True):
                    members[account - first].on_done(order)

    def after_close(self) -> None:
        """Units of funds are created and redeemed; what accounts gain or lose by it was not traded."""
        for member in self.members:
            member.after_close(self.primary)
        society, market = self._society, self.primary
        society.shares_brought += market.shares
        society.cash_at_start += market.cash
        society.cash_brought += int(market.cash.sum())
