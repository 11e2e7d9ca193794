"""The society: a Mesa model of all who trade, stepped once per quote interval of the master clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mesa
import numpy as np
from numpy.typing import NDArray

from agents.behaviour.profile import LoginProfile, OrderProfile
from agents.cohort import Cohort, Placement, Traits
from agents.market import MarketColumns
from agents.population import Population
from agents.timers import OrderTimers, Persistence
from twin.clock import Phase, Tick, at
from twin.contracts import Cancels, Orders
from twin.randomness import Stream, Streams

if TYPE_CHECKING:
    from twin.ledger import Ledger
    from twin.routing.orders import OrderTable
    from twin.routing.path import OrderPath, Replies

_RANK_EVERY = 20
_REOPENING = {
    Phase.CLOSED: at("09:15"),
    Phase.GAP: at("09:30"),
    Phase.LUNCH: at("13:00"),
}


@dataclass
class MarketSight:
    """What everybody knows during one quote interval [t0, t1)."""

    t0: int
    t1: int
    index: int
    phase: Phase
    index_return: float
    login_share: float
    order_share: float

    @property
    def auction(self) -> bool:
        """Whether orders are priced without a two-sided quote."""
        return self.phase != Phase.CONTINUOUS


@dataclass(frozen=True)
class Calls:
    """Clients who telephone: times in ns and accounts."""

    time: NDArray[np.int64]
    account: NDArray[np.int64]


class Society(mesa.Model):
    """Clients and institutions, and what passes between them and the broker.

    Args:
        streams: random numbers of the replication.
        population, market, ledger, orders, path: what they are and what they meet.
        ticks: the quote intervals of the day.
        habits: what clients do about an unanswered order.
        call_when_refused: share of clients who telephone after a refusal.
    """

    def __init__(
        self,
        streams: Streams,
        population: Population,
        market: MarketColumns,
        ledger: Ledger,
        orders: OrderTable,
        path: OrderPath,
        ticks: list[Tick],
        habits: Persistence,
        call_when_refused: float,
        login: LoginProfile,
        profile: OrderProfile,
        placement: Placement,
    ) -> None:
        super().__init__()
        self.streams, self.population, self.market = streams, population, market
        self.ledger, self.orders, self.path = ledger, orders, path
        self.ticks, self.placement = ticks, placement
        self.timers = OrderTimers(ticks[0].start, len(ticks), orders, population, habits, streams)
        self.call_when_refused = call_when_refused
        self.login_shares, self.order_shares = login.shares(ticks), profile.shares(ticks)
        self._presence = self._mean_presence()
        self.cohorts: list[Cohort] = []
        self.sight = MarketSight(ticks[0].start, ticks[0].end, 0, ticks[0].phase, 0.0, 0.0, 0.0)
        self._calls: list[Calls] = []
        self.logins = 0

    def _mean_presence(self) -> float:
        """Share of an ordinary day's operational time that is left, on average, when a client logs in."""
        after = 1.0 - np.cumsum(self.order_shares)
        return float((self.login_shares * after).sum())

    def weight_mean(self, traits: Traits) -> float:
        """Mean rate of action per unit of operational time that gives `orders_per_active` on an ordinary day."""
        return traits.orders_per_active / self._presence

    def begin(self, index: int, index_return: float) -> None:
        """Set what everybody knows during quote interval `index`."""
        tick = self.ticks[index]
        self.sight = MarketSight(
            tick.start, tick.end, index, tick.phase, index_return,
            float(self.login_shares[index]), float(self.order_shares[index]),
        )  # fmt: skip
        if index % _RANK_EVERY == 0:
            self.market.rank()

    def step(self) -> None:
        """Everybody acts once; then the timers of the interval run out."""
        for cohort in self.cohorts:
            cohort.step()
        self._run_timers()

    def _run_timers(self) -> None:
        """Cancels, queries and calls that fall due in this interval."""
        cancels = self.timers.cancels(self.sight.index)
        if len(cancels):
            self.path.submit(cancels=cancels)
        queries, calls = self.timers.checks(self.sight.index)
        if len(queries[0]):
            self.path.submit(queries=queries)
        if len(calls[0]):
            self._calls.append(Calls(*calls))

    def submit_logins(self, times: NDArray[np.int64], clients: NDArray[np.int64]) -> None:
        """Clients open the app."""
        self.logins += len(clients)
        self.path.submit(logins=(times, clients))

    def submit_client_orders(self, rows: NDArray[np.int64], traits: Traits) -> None:
        """Clients send orders: `rows` int64 [n, 8] as the cohort's kernel wrote them."""
        base = self.orders.new_rows(len(rows))
        columns = [np.ascontiguousarray(rows[:, j]) for j in range(7)]
        batch = Orders(columns[0], np.arange(base, base + len(rows)), *columns[1:])
        self.orders.append(batch)
        self.path.submit(orders=batch)
        sight = self.sight
        self.timers.set(
            base, rows, _REOPENING.get(sight.phase, sight.t0), traits.cancel_willing, traits.cancel_median,
            traits.cancel_sigma,
        )  # fmt: skip

    def submit_institution(self, intents: Orders, cancels: Cancels) -> NDArray[np.int64]:
        """An institution sends orders (their `order` column is ignored) and cancels; returns the orders' rows."""
        base = self.orders.new_rows(len(intents)) if len(intents) else 0
        rows = np.arange(base, base + len(intents))
        if len(intents):
            batch = Orders(intents.time, rows, intents.account, intents.instrument, intents.side, intents.kind,
                           intents.price, intents.quantity)  # fmt: skip
            self.orders.append(batch)
            self.path.submit(orders=batch)
        if len(cancels):
            self.path.submit(cancels=cancels)
        return rows

    def open_accounts(
        self,
        clients: NDArray[np.int64],
        cash: NDArray[np.int64],
        risk: NDArray[np.int8],
        permission: NDArray[np.uint8],
        names: NDArray[np.int64],
        instrument: NDArray[np.int64],
        shares: NDArray[np.int64],
    ) -> None:
        """Clients who log in for the first time today appear with their cash, holdings, class and permissions."""
        people = self.population
        people.activate(clients)
        people.risk_class[clients] = risk
        people.permission[clients] = permission
        inside = (np.arange(4)[None, :] < names[:, None]).ravel()
        self.ledger.deposit(clients, cash)
        self.ledger.open_slots(clients, names, instrument[inside], shares[inside])

    def hear(self, replies: Replies) -> None:
        """Take note of what reached the clients: completed log-ins start their activity, refusals annoy."""
        logins = replies.logins
        for cohort in self.cohorts:
            block = cohort.block
            inside = (logins.account >= block.first) & (logins.account < block.first + block.count)
            if inside.any():
                cohort.logged_in(logins.account[inside])
        self._after_refusals(replies)

    def _after_refusals(self, replies: Replies) -> None:
        refused = replies.rejections
        mine = refused.account < self.population.clients
        if not mine.any():
            return
        accounts, times, rows = refused.account[mine], refused.time[mine], refused.order[mine]
        active = self.population.active_of[accounts] - 1
        self.population.flags[active] |= 4
        calls = self.streams.uniform(Stream.CALL, rows) < self.call_when_refused
        fresh = (self.population.flags[active] & 8) == 0
        if (calls & fresh).any():
            self.population.flags[active[calls & fresh]] |= 8
            self._calls.append(Calls(times[calls & fresh], accounts[calls & fresh]))

    def take_calls(self) -> Calls:
        """Telephone calls since the last time, in order of time."""
        if not self._calls:
            none = np.empty(0, np.int64)
            return Calls(none, none)
        time = np.concatenate([c.time for c in self._calls])
        account = np.concatenate([c.account for c in self._calls])
        self._calls.clear()
        order = np.argsort(time, kind="stable")
        return Calls(time[order], account[order])
