"""What the rules need to know of an instrument on a day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from twin.contracts import Batch, Board, Exchange, IntColumn


class Status(IntEnum):
    """Standing of a listed instrument."""

    NORMAL = 0
    ST = 1
    """Risk warning (ST, *ST)."""
    DELISTING = 2
    """In the delisting period."""


class Product(IntEnum):
    """What is traded; the kinds of funds differ in price limit and in the day of sale (domain M42)."""

    STOCK = 0
    FUND = 1
    FUND_GROWTH = 2
    """A fund whose holdings all have 20 % limits (ChiNext, STAR)."""
    FUND_BOND = 3
    FUND_MONEY = 4
    FUND_GOLD = 5
    FUND_CROSS_BORDER = 6
    FUND_COMMODITY = 7


class Stage(StrEnum):
    """Status together with the day of it: what a record of the rules is about."""

    NORMAL = "normal"
    ST = "st"
    DELISTING = "delisting"
    DELISTING_FIRST = "delisting_first"
    """The first day of the delisting period."""
    NEW = "new"
    """One of the first days after listing for which the exchange sets other limits."""


@dataclass(frozen=True)
class Listing(Batch):
    """Instruments of a day as the rules see them; row = instrument.

    `days` counts trading days since the listing (0 = first day); in the delisting period, since its start.
    `reference` is the previous close in ticks, on the first day the issue price.
    """

    exchange: IntColumn
    board: IntColumn
    status: IntColumn
    product: IntColumn
    days: IntColumn
    reference: IntColumn


MARKETS: dict[str, tuple[Exchange, Board]] = {
    "sse.main": (Exchange.SSE, Board.MAIN),
    "sse.star": (Exchange.SSE, Board.STAR),
    "sse.fund": (Exchange.SSE, Board.FUND),
    "szse.main": (Exchange.SZSE, Board.MAIN),
    "szse.chinext": (Exchange.SZSE, Board.CHINEXT),
    "szse.fund": (Exchange.SZSE, Board.FUND),
    "bse": (Exchange.BSE, Board.BSE),
}
"""Every pair of exchange and board, by the name that the records use."""
MARKET_OF = {pair: name for name, pair in MARKETS.items()}


def products_of(market: str) -> tuple[Product, ...]:
    """What is traded in a market."""
    return tuple(Product)[1:] if market.endswith(".fund") else (Product.STOCK,)


def stages_of(market: str) -> tuple[Stage, ...]:
    """The stages that an instrument of a market can be in."""
    return (Stage.NORMAL,) if market.endswith(".fund") else tuple(Stage)
