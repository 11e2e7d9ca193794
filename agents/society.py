"""The society: a Mesa model of all who trade, stepped once per quote interval of the master clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mesa
import numpy as np
from numpy.typing import NDArray

from agents.behaviour.profile import LoginProfile, OrderProfile
from agents.cohort import Cohort, Placement, Traits
from agents.kernels.timers import FLAG_CALLED, FLAG_LOGIN_SLOW, FLAG_REFUSED
from agents.market import MarketColumns
from agents.population import Population
from agents.timers import OrderTimers, Persistence
from twin.clock import Phase, Tick, at
from twin.contracts import IntColumn, Orders, Reason, Rejections
from twin.randomness import Stream, Streams

if TYPE_CHECKING:
    from agents.funds import Funds
    from twin.ledger import Ledger
    from twin.routing.orders import OrderTable
    from twin.routing.path import OrderPath, Replies

_RANK_EVERY = 20
_REOPENING = {
    Phase.CLOSED: at("09:15"),
    Phase.GAP: at("09:30"),
    Phase.LUNCH: at("13:00"),
}


_OWN_FAULT = np.isin(np.arange(len(Reason)), (Reason.CASH, Reason.HOLDINGS, Reason.LOT))


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
class Calling:
    """Who telephones the service desk, as shares of those concerned.

    Args:
        when_refused: after an order was refused for a reason of the broker's.
        when_login_fails: after a log-in that took longer than `slow_login` ns.
    """

    when_refused: float
    when_login_fails: float
    slow_login: int


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
        calling: who telephones, and when.
        lowest_class_share: clients who may not buy shares at all.
        login, profile, placement: the day's rhythm, and where limit orders go.
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
        calling: Calling,
        lowest_class_share: float,
        login: LoginProfile,
        profile: OrderProfile,
        placement: Placement,
    ) -> None:
        super().__init__()
        self.streams, self.population, self.market = streams, population, market
        self.ledger, self.orders, self.path = ledger, orders, path
        self.ticks, self.placement = ticks, placement
        self.timers = OrderTimers(ticks[0].start, ticks[-1].end, orders, population, habits, streams)
        self.calling, self.lowest_class_share = calling, lowest_class_share
        self._login_at = np.zeros(population.clients, np.int64)
        self.login_shares, self.order_shares = login.shares(ticks), profile.shares(ticks)
        self._presence = self._mean_presence()
        self.cohorts: list[Cohort] = []
        self.funds: Funds | None = None
        self._new_logins: list[tuple[IntColumn, IntColumn]] = []
        self._new_orders: list[tuple[NDArray[np.int64], Traits]] = []
        self.sight = MarketSight(ticks[0].start, ticks[0].end, 0, ticks[0].phase, 0.0, 0.0, 0.0)
        self._calls: list[Calls] = []
        self.logins = 0
        self.cash_brought = 0
        self.cash_at_start = np.zeros(population.accounts, np.int64)
        self.shares_brought = np.zeros(len(market.reference), np.int64)

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
        self._send_off()
        if self.funds is not None and self.market.quotes is not None:
            self.funds.step(self.market.quotes)
        self._run_timers()

    def _run_timers(self) -> None:
        """Cancels, queries and calls that fall due in this interval."""
        cancels = self.timers.cancels(self.sight.t0, self.sight.t1)
        if len(cancels):
            self.path.submit(cancels=cancels)
        queries, calls = self.timers.checks(self.sight.t0, self.sight.t1)
        if len(queries[0]):
            self.path.submit(queries=queries)
        if len(calls[0]):
            self._calls.append(Calls(*calls))

    def submit_logins(self, times: IntColumn, clients: IntColumn) -> None:
        """Clients open the app."""
        self.logins += len(clients)
        self._login_at[self.population.active_of[clients] - 1] = times
        self._new_logins.append((times, clients))

    def submit_client_orders(self, rows: NDArray[np.int64], traits: Traits) -> None:
        """Clients of a segment send orders: `rows` int64 [n, 8] as the cohort's kernel wrote them."""
        self._new_orders.append((rows.copy(), traits))

    def _send_off(self) -> None:
        """Everything that clients have decided in this interval goes to the broker in one batch."""
        if self._new_logins:
            columns = zip(*self._new_logins, strict=True)
            times, clients = (np.concatenate(column) for column in columns)
            self.path.submit(logins=(times, clients))
            self._new_logins.clear()
        if not self._new_orders:
            return
        sight = self.sight
        open_from = _REOPENING.get(sight.phase, sight.t0)
        everything = np.concatenate([rows for rows, _ in self._new_orders])
        base = self.orders.new_rows(len(everything))
        columns_of = [np.ascontiguousarray(everything[:, j]) for j in range(7)]
        self.path.submit(orders=Orders(columns_of[0], np.arange(base, base + len(everything)), *columns_of[1:]))
        for rows, traits in self._new_orders:
            self.timers.set(base, rows, open_from, traits.cancel_willing, traits.cancel_median, traits.cancel_sigma)
            base += len(rows)
        self._new_orders.clear()

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
        self.bring(clients, cash, names, instrument[inside], shares[inside])

    def bring(
        self, accounts: IntColumn, cash: IntColumn, names: IntColumn, instruments: IntColumn, shares: IntColumn
    ) -> None:
        """Accounts appear in the ledger with cash (fen) and `names` positions each."""
        self.ledger.cash[accounts] = cash
        self.cash_at_start[accounts] = cash
        self.cash_brought += int(cash.sum())
        np.add.at(self.shares_brought, instruments, shares)
        self.ledger.open_slots(accounts, names, instruments, shares)

    def hear(self, replies: Replies) -> None:
        """Take note of what reached the clients: completed log-ins start their activity, refusals annoy."""
        self._after_logins(replies.logins.time, replies.logins.account)
        self._after_refusals(replies.rejections)
        if self.funds is not None:
            self.funds.hear(replies)

    def _after_logins(self, times: IntColumn, accounts: IntColumn) -> None:
        if not len(accounts):
            return
        for cohort in self.cohorts:
            block = cohort.block
            inside = (accounts >= block.first) & (accounts < block.first + block.count)
            if inside.any():
                cohort.logged_in(accounts[inside])
        active = self.population.active_of[accounts] - 1
        slow = times - self._login_at[active] > self.calling.slow_login
        if slow.any():
            self._trouble(times[slow], accounts[slow], FLAG_LOGIN_SLOW, self.calling.when_login_fails)

    def _after_refusals(self, refused: Rejections) -> None:
        """Refusals that the client did not bring about himself (no cash, no shares, no lot) count as bad experience."""
        if not len(refused):
            return
        own_fault = _OWN_FAULT[refused.reason]
        mine = (refused.account < self.population.clients) & ~own_fault
        if mine.any():
            self._trouble(refused.time[mine], refused.account[mine], FLAG_REFUSED, self.calling.when_refused)

    def _trouble(self, times: IntColumn, accounts: IntColumn, flag: int, call_share: float) -> None:
        """Clients have a bad experience; a share of them telephones, at most once a day."""
        people = self.population
        active = people.active_of[accounts] - 1
        people.flags[active] |= flag
        telephones = self.streams.uniform(Stream.CALL, accounts, flag) < call_share
        telephones &= (people.flags[active] & FLAG_CALLED) == 0
        if telephones.any():
            rows, first = np.unique(active[telephones], return_index=True)
            people.flags[rows] |= FLAG_CALLED
            self._calls.append(Calls(times[telephones][first], accounts[telephones][first]))

    def rest(self) -> None:
        """After the close funds' units are created; nobody acts any more: give back memory of timers and wheels."""
        if self.funds is not None:
            self.funds.after_close()
        self.timers.release()
        for cohort in self.cohorts:
            cohort.release()

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
