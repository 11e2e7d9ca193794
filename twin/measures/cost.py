"""What a day costs the broker. Every unit price is ASSUMED: an input to sweep, never a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from twin.clock import HOUR
from twin.errors import ScenarioError

FEN = 100
"""Fen in a yuan."""


@dataclass(frozen=True)
class UnitPrices:
    """Prices in fen, all ASSUMED.

    Args:
        staff_hour: an hour of a person, all included.
        staff_hour_of: other price of an hour for some pools, by pool.
        core_per_1000: a day of 1,000 orders/s of core capacity.
        gateway_day: a day of one exchange gateway.
        account_acquisition: winning one applicant.
        complaint: handling one complaint.
        late_open_per_minute: a minute by which the next trading day starts late.
        reserve_per_million: a day's interest on a million fen of settlement reserve (2% a year).
    """

    staff_hour: int = 120 * FEN
    staff_hour_of: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    core_per_1000: int = 20_000 * FEN
    gateway_day: int = 1_000 * FEN
    account_acquisition: int = 300 * FEN
    complaint: int = 200 * FEN
    late_open_per_minute: int = 100_000 * FEN
    reserve_per_million: int = 55

    def __post_init__(self) -> None:
        prices = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "staff_hour_of"}
        for name, price in {**prices, **self.staff_hour_of}.items():
            if price < 0:
                raise ScenarioError(f"price of {name} = {price} fen is negative", hint="Prices are zero or more.")

    def hour_of(self, pool: str) -> int:
        """Price of an hour of a pool's person."""
        return self.staff_hour_of.get(pool, self.staff_hour)


@dataclass(frozen=True)
class Usage:
    """What a day used.

    Args:
        staff: people's time on duty by pool, ns.
        core_capacity: of the core counter, orders/s.
        gateways: exchange gateways.
        applicants: won by advertising.
        complaints: expected.
        late_open: by how much the next trading day starts late, ns.
        reserve: settlement reserve, fen.
    """

    staff: Mapping[str, int]
    core_capacity: int = 0
    gateways: int = 0
    applicants: int = 0
    complaints: float = 0.0
    late_open: int = 0
    reserve: int = 0


def _share(price: int, amount: int, unit: int) -> int:
    """`price` per `unit` for an amount, half-up."""
    return (2 * price * amount + unit) // (2 * unit)


def cost_day(usage: Usage, prices: UnitPrices) -> dict[str, int]:
    """Cost of the day in fen by kind, every kind present; the staff pools are kinds of their own (``staff: NAME``)."""
    costs = {f"staff: {pool}": _share(prices.hour_of(pool), time, HOUR) for pool, time in usage.staff.items()}
    costs["core capacity"] = _share(prices.core_per_1000, usage.core_capacity, 1_000)
    costs["exchange gateways"] = prices.gateway_day * usage.gateways
    costs["acquisition"] = prices.account_acquisition * usage.applicants
    costs["complaints"] = round(prices.complaint * usage.complaints)
    costs["late open"] = _share(prices.late_open_per_minute, usage.late_open, HOUR // 60)
    costs["settlement reserve"] = _share(prices.reserve_per_million, usage.reserve, 1_000_000)
    return costs
