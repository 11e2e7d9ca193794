"""Institutions in the society: their accounts, what they hand in, and what they hear back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.institutions import KINDS, Institution, MarketView, OrderIntents
from twin.contracts import Cancels, IntColumn, Orders

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
        """Every institution acts on the quotes that it sees."""
        sight = self._society.sight
        view = MarketView(sight.t0, sight.t1, sight.phase, quotes, sight.index_return)
        for member in self.members:
            intents = member.step(view)
            if len(intents.cancels):
                c = intents.cancels
                self._society.path.submit(cancels=Cancels(c.time, c.order, c.account))
            if len(intents.orders):
                member.on_submitted(self._send(intents.orders))

    def _send(self, wanted: OrderIntents) -> IntColumn:
        society = self._society
        base = society.orders.new_rows(len(wanted))
        rows = np.arange(base, base + len(wanted))
        society.path.submit(
            orders=Orders(
                wanted.time, rows, wanted.account, wanted.instrument, wanted.side, wanted.kind, wanted.price,
                wanted.quantity,
            )
        )  # fmt: skip
        return rows

    def hear(self, replies: Replies) -> None:
        """Fills and ends of own orders reach the institution that sent them."""
        fills = replies.fills.take(replies.fills.account >= self._first)
        if len(fills):
            for account in np.unique(fills.account):
                self.members[account - self._first].on_fills(fills)
        for batch in (replies.rejections, replies.ended):
            mine = batch.account >= self._first
            if mine.any():
                accounts, orders = batch.account[mine], batch.order[mine]
                for account in np.unique(accounts):
                    self.members[account - self._first].on_done(orders[accounts == account])
