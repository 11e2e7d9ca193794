"""A cohort: one Mesa agent that owns a segment's clients as columns and steps them with compiled kernels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mesa
import numpy as np
from numpy.typing import NDArray

from agents.behaviour.attention import Attention
from agents.kernels import clients as kernel
from agents.population import Block
from twin.contracts import Segment
from twin.randomness import Stream

if TYPE_CHECKING:
    from agents.society import MarketSight, Society

_CHUNK = 1 << 15
_LOGIN_BATCH = 3.0
_KINSHIP = 0.7
"""Correlation of the logarithms of a client's activity and assets: who trades much has the means (assumed)."""


@dataclass(frozen=True)
class Traits:
    """What distinguishes a segment's clients; money in fen, times in ns, shares as fractions.

    Args:
        active_share: share of clients who log in on an ordinary day.
        orders_per_active: mean orders of an active client on an ordinary day.
        activity_cv: coefficient of variation of that mean between clients.
        limit_share: limit orders among orders in continuous trading.
        assets_median, assets_sigma: lognormal total assets. invested: share of them in shares.
        order_value_median, order_value_sigma: lognormal value of an order.
        top10_share: share of buy orders that go to the ten leading names of the moment.
        panic: rise of the wish to sell at full fear. trend: buying after rises (per unit of index return).
        risk_classes: shares of classes C1 to C5. mismatch_rate: orders tried in spite of a missing permission.
        cancel_willing, cancel_median, cancel_sigma: who cancels, and after how long (lognormal).
    """

    active_share: float
    orders_per_active: float
    activity_cv: float
    limit_share: float
    assets_median: int
    assets_sigma: float
    invested: float
    order_value_median: int
    order_value_sigma: float
    top10_share: float
    panic: float
    trend: float
    risk_classes: tuple[float, ...]
    mismatch_rate: float
    cancel_willing: float
    cancel_median: int
    cancel_sigma: float


@dataclass(frozen=True)
class Placement:
    """Where limit orders go relative to the quotes, as fitted to recorded days (scenarios/calibration/background.yaml).

    Args:
        aggressive: share at the other side's best price. at_best: share at the own side's best price; it includes the
            orders inside the spread (clients do not step inside: a simplification).
        behind_scale, behind_tail: Lomax distance behind the own side's best price, as a share of the price.
        auction_width: standard deviation of the price in auctions, as a share of the last price (assumed).
    """

    aggressive: float
    at_best: float
    behind_scale: float
    behind_tail: float
    auction_width: float = 0.012


@dataclass
class Wheel:
    """Active clients of a cohort by the operational time of their next action."""

    capacity: int
    rows: NDArray[Any] = field(init=False)
    heads: NDArray[np.int32] = field(init=False)
    size: int = 0
    now: float = 0.0

    def __post_init__(self) -> None:
        self.rows = np.zeros(self.capacity, kernel.WHEEL)
        self.heads = np.full(64 * kernel.BUCKETS_PER_UNIT, -1, np.int32)


class Cohort(mesa.Agent):
    """Clients of one segment.

    Args:
        model: the society.
        block: which clients.
        traits: what they are like.
        attention: how they react to the index.
    """

    segment: Segment

    def __init__(self, model: Society, block: Block, traits: Traits, attention: Attention) -> None:
        super().__init__(model)
        self.society = model
        self.block, self.traits, self.attention = block, traits, attention
        self.wheel = Wheel(block.count)
        self._login_time = 0.0
        self._logins: NDArray[np.float64] = np.empty(0)
        self._login_clients: NDArray[np.int64] = np.empty(0, np.int64)
        self._login_reach = 0.0
        self._login_next = 0
        self._out = np.empty((_CHUNK, 8), np.int64)
        self._due = np.empty(_CHUNK, np.int64)
        self._row_in_wheel = np.zeros(block.count, np.int32)

    def step(self) -> None:
        """Let the segment live through one quote interval: log-ins first, then actions."""
        sight = self.society.sight
        self.attention.step(sight.index_return, sight.t1 - sight.t0)
        self._log_in(sight)
        self._act(sight)

    def release(self) -> None:
        """Give back the memory of the wheel; the cohort does not act again."""
        self.wheel = Wheel(0)
        self._logins, self._login_clients = np.empty(0), np.empty(0, np.int64)
        self._row_in_wheel = np.empty(0, np.int32)

    def _more_logins(self) -> None:
        """Work out who logs in within the next stretch of operational time, in order."""
        if self.block.count == 0 or self.traits.active_share == 0.0:
            self._login_reach = np.inf
            return
        streams = self.society.streams
        hazard = -np.log1p(-self.traits.active_share)
        thresholds = np.empty(self.block.count)
        kernel.login_thresholds(
            streams.key, streams.replication, int(Stream.LOGIN), self.block.first, hazard, thresholds
        )
        reach = self._login_reach + _LOGIN_BATCH
        chosen = np.flatnonzero((thresholds >= self._login_reach) & (thresholds < reach))
        order = np.argsort(thresholds[chosen], kind="stable")
        self._login_clients = self.block.first + chosen[order]
        self._logins = thresholds[chosen][order]
        self._login_next, self._login_reach = 0, reach

    def _log_in(self, sight: MarketSight) -> None:
        """Clients whose threshold lies in this interval's operational time open the app."""
        start = self._login_time
        until = start + sight.login_share * self.attention.pace
        self._login_time = until
        while until > start:
            last = int(np.searchsorted(self._logins, min(until, self._login_reach)))
            if last > self._login_next:
                rows = slice(self._login_next, last)
                share = (self._logins[rows] - start) / (until - start)
                times = sight.t0 + (share * (sight.t1 - sight.t0)).astype(np.int64)
                self._open(self._login_clients[rows])
                self.society.submit_logins(times, self._login_clients[rows])
                self._login_next = last
            if until <= self._login_reach:
                break
            self._more_logins()

    def _open(self, clients: NDArray[np.int64]) -> None:
        """Work out what the clients are and hold, and open their accounts in the ledger."""
        society, traits, streams = self.society, self.traits, self.society.streams
        n = len(clients)
        weight, cash = np.empty(n), np.empty(n, np.int64)
        risk, permission = np.empty(n, np.int8), np.empty(n, np.uint8)
        names, instrument, shares = np.empty(n, np.int64), np.empty(4 * n, np.int64), np.empty(4 * n, np.int64)
        sigma = float(np.sqrt(np.log1p(traits.activity_cv**2)))
        market = society.market
        kernel.portfolio(
            streams.key, streams.replication, int(Stream.POPULATION), clients, society.weight_mean(traits), sigma,
            _KINSHIP, float(np.log(traits.assets_median)), traits.assets_sigma, traits.invested,
            np.cumsum(np.asarray(traits.risk_classes)), society.lowest_class_share, market.reference, market.lot,
            market.board, market.risk_level, market.probability, market.alias,
            weight, cash, risk, permission, names, instrument, shares,
        )  # fmt: skip
        rows = np.arange(self.wheel.size, self.wheel.size + n)
        mine = self.wheel.rows[rows[0] : rows[-1] + 1]
        mine["client"], mine["weight"], mine["risk_class"], mine["permission"] = clients, weight, risk, permission
        self.wheel.size += n
        self._row_in_wheel[clients - self.block.first] = rows
        society.open_accounts(clients, cash, risk, permission, names, instrument, shares)

    def logged_in(self, clients: NDArray[np.int64]) -> None:
        """Clients whose log-in has gone through begin to act."""
        streams, wheel = self.society.streams, self.wheel
        rows = self._row_in_wheel[clients - self.block.first].astype(np.int64)
        kernel.schedule(
            streams.key, streams.replication, int(Stream.ACTION), rows, wheel.now, wheel.rows, wheel.heads,
        )  # fmt: skip

    def _act(self, sight: MarketSight) -> None:
        """Clients whose next point lies in this interval send an order each."""
        wheel = self.wheel
        until = wheel.now + sight.order_share * self.attention.pace
        while until > wheel.now:
            n = self._act_once(sight, until)
            if n:
                self.society.submit_client_orders(self._out[:n], self.traits)
            if n < _CHUNK:
                break
        wheel.now = until

    def _act_once(self, sight: MarketSight, until: float) -> int:
        """One call of the kernel: fills the buffer with orders and returns their number."""
        society, traits, wheel = self.society, self.traits, self.wheel
        streams, market, ledger, place = society.streams, society.market, society.ledger, society.placement
        n: int = kernel.act(
            streams.key, streams.replication, int(Stream.ACTION), int(Stream.DECISION), wheel.now, until,
            sight.t0, sight.t1, sight.auction, self.attention.fear,
            wheel.rows, wheel.heads,
            ledger.cash, ledger.slot_start, ledger.slot_count, ledger.instrument, ledger.sellable,
            market.last, market.bid, market.ask, market.limit_down, market.limit_up, market.lot, market.board,
            market.risk_level, market.probability, market.alias, market.main_probability, market.main_alias,
            market.main_members, market.top,
            traits.top10_share, traits.mismatch_rate, traits.limit_share, traits.panic, traits.trend,
            sight.index_return, float(np.log(traits.order_value_median)), traits.order_value_sigma,
            place.aggressive, place.at_best, place.behind_scale, place.behind_tail, place.auction_width,
            self._due, self._out,
        )  # fmt: skip
        return n
