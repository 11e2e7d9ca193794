"""Institutions in the society: their accounts, what they hand in, and what they hear back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.institutions import KINDS, CancelIntent, Institution, MarketView, OrderIntent
from twin.contracts import Cancels, OrderKind, Orders

if TYPE_CHECKING:
    from agents.society import Society
    from twin.contracts import Quotes
    from twin.routing.path import Replies


class Funds:
    """The broker's institutional clients; their accounts follow those of the clients.

    Args:
        society: where they live.
        groups: (name of the kind, number, capital of each in fen), in order of accounts.
    """

    def __init__(self, society: Society, groups: list[tuple[str, int, int]]) -> None:
        self._society = society
        self._first = society.population.clients
        self.members: list[Institution] = []
        for kind, count, capital in groups:
            for _ in range(count):
                self._join(KINDS[kind], capital)

    def _join(self, kind: type[Institution], capital: int) -> None:
        society = self._society
        market, streams = society.market, society.streams
        account = self._first + len(self.members)
        endowment = kind.endow(account, capital, market.instruments, market.popularity, streams)
        self.members.append(kind(society, account, market.instruments, endowment, streams))
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
