"""The world outside the broker: what is listed on the three exchanges, and (in `twin.news`) what moves its value.

Listed stocks are synthetic: boards in about their real shares, lognormal prices, Zipf popularity, some with a risk
warning, some new; and exchange-traded funds that hold baskets of them. Price limits and order sizes are the rules' of
the day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.baskets import THEMES, Baskets, make_baskets, theme_of
from twin.contracts import Board, Exchange, Instruments, IntColumn
from twin.errors import ScenarioError
from twin.matching.rules import DayRules, Listing, Product, Rulebook, Stage, Status, limit_prices
from twin.news import IndexDay, NewsPath
from twin.randomness import Stream, Streams

__all__ = [
    "IndexDay",
    "InstrumentTraits",
    "MarketConfig",
    "NewsPath",
    "largest_orders",
    "limit_prices",
    "listing_of",
    "make_instruments",
    "usual_rules",
]

_PRICE, _BETA, _VOLATILITY, _RANK, _ORDER_WEIGHT, _SHUFFLE, _STATUS = range(7)
_USUAL_DAY = dt.date(2026, 9, 15)
_OLD = 1_000
"""Trading days since the listing of a stock that is not new."""
_GROWTH = (Board.CHINEXT, Board.STAR, Board.BSE)
_MARKETS = (
    (Exchange.SSE, Board.MAIN),
    (Exchange.SZSE, Board.MAIN),
    (Exchange.SZSE, Board.CHINEXT),
    (Exchange.SSE, Board.STAR),
    (Exchange.BSE, Board.BSE),
    (Exchange.SSE, Board.FUND),
)


@dataclass(frozen=True)
class MarketConfig:
    """What is listed.

    Args:
        instruments: number of listed stocks and funds.
        share_main_sse, share_main_szse, share_chinext, share_star: shares of the boards among the stocks of Shanghai
            and Shenzhen; about the counts at the end of 2024 (1,700 / 1,500 / 1,370 / 580); rescaled to sum to 1.
        share_bse: share of Beijing among the stocks (270 of 5,400, end of 2024 to 2026).
        share_funds: share of stock funds among the instruments; fewer than the market's 1,100 of 6,500, most of which
            hardly trade (assumed).
        share_st: share of main-board stocks with a risk warning (about 100 to 150 of 3,200).
        share_new: share of stocks in their first five days (110 new stocks a year x 5 / 243 of 5,400).
        price_median: median previous close in CNY; price_sigma: standard deviation of its logarithm (assumed).
        fund_price_median: the same of funds (assumed).
        beta_sd: spread of betas around 1 (main) and 1.15 (ChiNext, STAR, Beijing) (assumed).
        idiosyncratic_volatility: median daily volatility not due to the index (assumed; a third more on the three).
        volatility_sigma: spread of its logarithm.
        zipf_exponent: popularity of the stock of rank r is proportional to r ** -zipf_exponent (assumed).
        weight_exponent: daily orders are proportional to popularity ** weight_exponent, with mean weight 1 (assumed).
    """

    instruments: int = 300
    share_main_sse: float = 0.33
    share_main_szse: float = 0.29
    share_chinext: float = 0.27
    share_star: float = 0.11
    share_bse: float = 0.05
    share_funds: float = 0.03
    share_st: float = 0.035
    share_new: float = 0.0004
    price_median: float = 13.0
    price_sigma: float = 0.75
    fund_price_median: float = 1.5
    beta_sd: float = 0.25
    idiosyncratic_volatility: float = 0.018
    volatility_sigma: float = 0.3
    zipf_exponent: float = 0.9
    weight_exponent: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.instruments <= 10_000:
            raise ScenarioError(f"instruments = {self.instruments}", where="market", hint="Give 1 to 10000.")
        boards = (self.share_main_sse, self.share_main_szse, self.share_chinext, self.share_star)
        if min(boards) < 0 or sum(boards) <= 0:
            raise ScenarioError("board shares must be >= 0 with a positive sum", where="market")
        for name in ("share_bse", "share_funds", "share_st", "share_new"):
            if not 0 <= getattr(self, name) < 1:
                raise ScenarioError(f"{name} = {getattr(self, name)}", where="market", hint="Give 0 to less than 1.")

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares among all instruments: main SSE, main SZSE, ChiNext, STAR, Beijing, funds; they sum to 1."""
        boards = np.array([self.share_main_sse, self.share_main_szse, self.share_chinext, self.share_star])
        stocks = 1.0 - self.share_funds
        parts = boards / boards.sum() * stocks * (1.0 - self.share_bse)
        return (*parts.tolist(), stocks * self.share_bse, self.share_funds)


@dataclass(frozen=True)
class InstrumentTraits:
    """What the model, not the exchange, says of each instrument; row = instrument.

    Attributes:
        beta: elasticity of the value with respect to the index.
        idiosyncratic_volatility: daily standard deviation of the log value at constant index; 0 for funds, whose value
            is that of their basket.
        popularity: clients' attention; sums to 1.
        order_weight: daily orders relative to the mean instrument; mean 1.
        listing: status, product and age, as the rules see them.
        baskets: what the funds hold.
        largest: most shares of one limit order by the rules of the day (funds: tens of units).
    """

    beta: NDArray[np.float64]
    idiosyncratic_volatility: NDArray[np.float64]
    popularity: NDArray[np.float64]
    order_weight: NDArray[np.float64]
    listing: Listing
    baskets: Baskets
    largest: IntColumn


def usual_rules() -> DayRules:
    """The exchanges' rules on an ordinary day of the scenarios."""
    return Rulebook.load().on(_USUAL_DAY)


def listing_of(instruments: Instruments) -> Listing:
    """Instruments as the rules see them when nothing is known of their status: old, without warning."""
    zero = np.zeros(len(instruments), np.int64)
    product = np.where(instruments.board == Board.FUND, Product.FUND, Product.STOCK).astype(np.int64)
    return Listing(instruments.exchange, instruments.board, zero, product, zero + _OLD, instruments.previous_close)


def largest_orders(instruments: Instruments, rules: DayRules | None = None) -> IntColumn:
    """Most shares that a limit order may be for, per instrument (funds: tens of units)."""
    return (rules or usual_rules()).order_rules(listing_of(instruments)).largest_limit


def _exists(rules: DayRules, exchange: Exchange, board: Board, stage: Stage = Stage.NORMAL) -> bool:
    """Whether there was such a board, with stocks in such a stage, on the day."""
    try:
        rules.cell(exchange, board, None, stage)
    except ScenarioError:
        return False
    return True


def _counts(shares: tuple[float, ...], total: int) -> list[int]:
    """Whole numbers in the given proportions that sum to `total` (largest remainder)."""
    exact = np.asarray(shares) / sum(shares) * total
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return [int(c) for c in counts]


def _list_boards(config: MarketConfig, rules: DayRules, fixed: Streams) -> tuple[IntColumn, IntColumn, IntColumn]:
    """Exchange, board and product of every instrument; a board that did not exist on the day stays empty."""
    n = config.instruments
    shares = tuple(s if _exists(rules, *m) else 0.0 for s, m in zip(config.shares, _MARKETS, strict=True))
    if sum(shares) <= 0.0:
        raise ScenarioError(f"on {rules.day} none of the boards asked for existed", where="market")
    kinds = np.repeat(np.arange(len(_MARKETS)), _counts(shares, n))
    kinds = kinds[np.argsort(fixed.uniform(Stream.INSTRUMENT, np.arange(n), _SHUFFLE), kind="stable")]
    exchange, board = (np.array(column, np.int64)[kinds] for column in zip(*_MARKETS, strict=True))
    product = np.full(n, Product.STOCK, np.int64)
    for k, i in enumerate(np.flatnonzero(board == Board.FUND).tolist()):
        theme = THEMES[theme_of(k)]
        exchange[i] = Exchange.SZSE if theme == (Board.CHINEXT,) or (len(theme) > 1 and k % 8) else Exchange.SSE
        product[i] = Product.FUND if Board.MAIN in theme else Product.FUND_GROWTH
    return exchange, board, product


def _standing(config: MarketConfig, board: IntColumn, rules: DayRules, fixed: Streams) -> tuple[IntColumn, IntColumn]:
    """Status and days since the listing: some main-board stocks have a warning, some stocks are new."""
    n = len(board)
    status, days = np.full(n, Status.NORMAL, np.int64), np.full(n, _OLD, np.int64)
    order = np.argsort(fixed.uniform(Stream.INSTRUMENT, np.arange(n), _STATUS), kind="stable")
    main, stocks = order[board[order] == Board.MAIN], order[board[order] != Board.FUND]
    if _exists(rules, Exchange.SSE, Board.MAIN, Stage.ST):
        status[main[: round(config.share_st * len(main))]] = Status.ST
    fresh = stocks[status[stocks] == Status.NORMAL]
    fresh = fresh[len(fresh) - round(config.share_new * len(stocks)) :]
    days[fresh] = np.arange(len(fresh)) % 5
    return status, days


def make_instruments(
    config: MarketConfig, streams: Streams, rules: DayRules | None = None
) -> tuple[Instruments, InstrumentTraits]:
    """Draw the listed instruments of a scenario.

    The draw depends on the seed alone, not on the replication: replications trade the same stocks.

    Args:
        config: what is listed.
        streams: random numbers.
        rules: of the day; `usual_rules` if left out.
    """
    n, rules = config.instruments, rules or usual_rules()
    fixed = Streams(streams.seed, 0)
    ids = np.arange(n)

    def normal(purpose: int) -> NDArray[np.float64]:
        return fixed.normal(Stream.INSTRUMENT, ids, purpose)

    exchange, board, product = _list_boards(config, rules, fixed)
    growth, fund = np.isin(board, _GROWTH), board == Board.FUND
    price = 100 * config.price_median * np.exp(config.price_sigma * normal(_PRICE))
    price[fund] = 1000 * config.fund_price_median * np.exp(0.5 * config.price_sigma * normal(_PRICE)[fund])
    close = np.clip(np.floor(price + 0.5), 200, 200_000).astype(np.int64)
    listing = Listing(exchange, board, *_with(_standing(config, board, rules, fixed), product), close)
    down, up = rules.limits(listing)
    risk = np.where(growth, 4, 3).astype(np.int64)
    sizes = rules.order_rules(listing)
    instruments = Instruments(exchange, board, close, down, up, sizes.smallest, risk)

    rank = np.empty(n)
    rank[np.argsort(fixed.uniform(Stream.INSTRUMENT, ids, _RANK), kind="stable")] = np.arange(1, n + 1)
    popularity = rank**-config.zipf_exponent
    weight = popularity**config.weight_exponent
    beta = np.clip(np.where(growth, 1.15, 1.0) + config.beta_sd * normal(_BETA), 0.2, 2.2)
    volatility = config.idiosyncratic_volatility * np.where(growth, 4 / 3, 1.0)
    volatility = volatility * np.exp(config.volatility_sigma * normal(_VOLATILITY)) * ~fund
    odd = (listing.status != Status.NORMAL) | (listing.days < _OLD) | (board == Board.BSE)
    baskets = make_baskets(instruments, weight, odd)
    worth = baskets.shares * close
    beta[fund] = (worth @ beta) / np.maximum(baskets.unit * close[baskets.fund], 1)
    return instruments, InstrumentTraits(
        beta, volatility, popularity / popularity.sum(), weight / weight.mean(), listing, baskets, sizes.largest_limit
    )


def _with(standing: tuple[IntColumn, IntColumn], product: IntColumn) -> tuple[IntColumn, IntColumn, IntColumn]:
    """Status, product, days: the order of the columns of `Listing`."""
    return standing[0], product, standing[1]
