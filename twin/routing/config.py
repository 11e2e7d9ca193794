"""Parameters of the order path.

Numbers come from the domain table (rows 95 to 101); where it has none they are assumed, and marked so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.clock import MICROSECOND, MILLISECOND, SECOND, at
from twin.errors import ScenarioError
from twin.kernels import stations as kernel

_NORMAL = NormalDist()


class Law(IntEnum):
    """Distribution of service times."""

    CONSTANT = kernel.CONSTANT
    EXPONENTIAL = kernel.EXPONENTIAL
    LOGNORMAL = kernel.LOGNORMAL


@dataclass(frozen=True)
class ServiceTime:
    """Service demand of one message.

    Args:
        mean_ns: mean in ns.
        law: distribution.
        cv: coefficient of variation; only the lognormal law uses it.
    """

    mean_ns: int
    law: Law = Law.EXPONENTIAL
    cv: float = 1.0

    def __post_init__(self) -> None:
        if self.mean_ns < 1:
            raise ScenarioError(f"a mean service time of {self.mean_ns} ns is too short", hint="Give at least 1 ns.")
        if not self.cv > 0:
            raise ScenarioError(f"a coefficient of variation of {self.cv} cannot be used", hint="Give more than 0.")

    def array(self) -> NDArray[np.float64]:
        """The law as kernels take it: kind, mean, mu, sigma, and the quantiles between which they interpolate.

        mu and sigma of the lognormal follow from mean and cv.
        """
        sigma2 = math.log1p(self.cv**2)
        mu, sigma = math.log(self.mean_ns) - sigma2 / 2, math.sqrt(sigma2)
        quantiles = np.zeros(kernel.CELLS + 1)
        for k in range(1, kernel.CELLS):
            u = k / kernel.CELLS
            exponential = -self.mean_ns * math.log1p(-u)
            lognormal = self.law is Law.LOGNORMAL
            quantiles[k] = math.exp(mu + sigma * _NORMAL.inv_cdf(u)) if lognormal else exponential
        return np.concatenate([[float(self.law), self.mean_ns, mu, sigma], quantiles])


@dataclass(frozen=True)
class StationConfig:
    """A station of equal servers with one queue.

    Args:
        capacity: messages per second that it can sustain; None = without limit.
        service: service time; servers = capacity x mean service time.
    """

    capacity: float | None
    service: ServiceTime

    def __post_init__(self) -> None:
        if self.capacity is not None and self.capacity < 0:
            raise ScenarioError(f"a capacity of {self.capacity}/s is negative", hint="Give 0 or more, or no limit.")

    def servers(self, capacity: float | None) -> int:
        """Servers that sustain a capacity (-1 = without limit); at least one unless the capacity is 0."""
        if capacity is None:
            return -1
        if capacity <= 0:
            return 0
        return max(1, round(capacity * self.service.mean_ns / SECOND))


ACCEPTANCE: tuple[tuple[int, int], ...] = (
    (at("09:15"), at("09:25")),
    (at("09:30"), at("11:30")),
    (at("13:00"), at("15:00")),
)
"""When the exchanges accept messages (M01, M03); between, the broker holds them."""


def _station(capacity: float, mean_ns: int, law: Law = Law.EXPONENTIAL) -> StationConfig:
    return StationConfig(capacity, ServiceTime(mean_ns, law))


@dataclass(frozen=True)
class OrderPathConfig:
    """The order path of a broker; times in ns, capacities in messages per second.

    Args:
        network: delay between client and broker, each way (I12: 30 to 100 ms).
        gateway_rate: flow control of the access gateway (assumed); None = without limit.
        gateway_slot_ns: its slot; excess waits for the next slot (assumed).
        gateway_service_ns: time in the gateway (I12: 5 to 20 ms).
        authentication: where logins are checked (assumed).
        suitability: lookup of permission and risk class (assumed).
        suitability_budget_ns: how long an order waits for that lookup; None = until it is done.
        on_timeout: what happens to an order whose lookup takes longer: 'pass' unchecked, or 'refuse'.
        checks: cash, holdings, price limit and lot (assumed).
        core: the core counter, for orders, cancels and queries (rows 95, 97: 20 ms, 8,000/s).
        exchange_gateways: gateways to each exchange (assumed).
        exchange_gateway_rate: messages per second of each (row 98: at most 1,000).
        exchange_slot_ns: slot of the exchange's flow control; excess waits for the next (row 99).
        exchange_latency_ns: from the gateway to the matching engine (row 100: 1.1 ms).
        report: where the exchange's answers are booked (assumed); constant work per record keeps them in order.
        acceptance: when the exchanges accept messages.
        stuck_ns: an order not acknowledged within this time is stuck.
        max_orders: most orders of a day.
    """

    network: ServiceTime = ServiceTime(40 * MILLISECOND, Law.LOGNORMAL, 0.5)
    gateway_rate: float | None = 20_000.0
    gateway_slot_ns: int = 100 * MILLISECOND
    gateway_service_ns: int = 5 * MILLISECOND
    authentication: StationConfig = field(default_factory=lambda: _station(3_000, 50 * MILLISECOND))
    suitability: StationConfig = field(default_factory=lambda: _station(15_000, 5 * MILLISECOND))
    suitability_budget_ns: int | None = 200 * MILLISECOND
    on_timeout: Literal["pass", "refuse"] = "pass"
    checks: StationConfig = field(default_factory=lambda: _station(20_000, MILLISECOND))
    core: StationConfig = field(default_factory=lambda: _station(8_000, 20 * MILLISECOND))
    exchange_gateways: int = 5
    exchange_gateway_rate: float | None = 1_000.0
    exchange_slot_ns: int = SECOND
    exchange_latency_ns: int = 1_100 * MICROSECOND
    report: StationConfig = field(default_factory=lambda: _station(30_000, 2 * MILLISECOND, Law.CONSTANT))
    acceptance: tuple[tuple[int, int], ...] = ACCEPTANCE
    stuck_ns: int = 60 * SECOND
    max_orders: int = 40_000_000

    def __post_init__(self) -> None:
        if self.on_timeout not in ("pass", "refuse"):
            raise ScenarioError(f"{self.on_timeout!r} is not a way to treat a timeout", hint="Write pass or refuse.")
        for name in ("gateway_slot_ns", "exchange_slot_ns", "gateway_service_ns", "exchange_latency_ns", "max_orders"):
            if getattr(self, name) < 1:
                raise ScenarioError(f"{name} = {getattr(self, name)} is too small", hint="Give 1 or more.")
        if self.exchange_gateways < 0:
            raise ScenarioError(f"exchange_gateways = {self.exchange_gateways} is negative", hint="Give 0 or more.")
        if self.report.service.law is not Law.CONSTANT:
            raise ScenarioError("the report station needs a constant service time", hint="Answers must stay in order.")

    @property
    def exchange_rate(self) -> float | None:
        """Messages per second that all gateways to one exchange let through together."""
        rate = self.exchange_gateway_rate
        return None if rate is None else rate * self.exchange_gateways
