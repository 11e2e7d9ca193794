"""Institutions that trade through the broker: one Mesa agent each."""

from __future__ import annotations

from agents.institutions.base import (
    CancelIntent,
    Endowment,
    Institution,
    Intents,
    MarketView,
    OrderIntent,
)
from agents.institutions.index_fund import IndexFund
from agents.institutions.market_maker import MarketMaker
from agents.institutions.mutual_fund import MutualFund
from agents.institutions.quant_fund import QuantFund

KINDS: dict[str, type[Institution]] = {
    "market_makers": MarketMaker,
    "quant_funds": QuantFund,
    "mutual_funds": MutualFund,
    "index_funds": IndexFund,
}
"""Names of the scenario's sections and the agents behind them."""

__all__ = [
    "KINDS",
    "CancelIntent",
    "Endowment",
    "IndexFund",
    "Institution",
    "Intents",
    "MarketMaker",
    "MarketView",
    "MutualFund",
    "OrderIntent",
    "QuantFund",
]
