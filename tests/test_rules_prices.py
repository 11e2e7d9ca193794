"""Limit prices are rounded half-up in whole ticks (trap T2), and real days keep them."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.contracts import Board, Exchange, Side
from twin.matching.rules import Listing, Product, Rulebook, Status
from twin.matching.rules.prices import cage_bound, limit_prices, per_cent_of

LIMITS = st.sampled_from([(5, 5), (10, 10), (20, 20), (30, 30), (36, 44)])


def _half_up(x: Fraction) -> int:
    return floor(x + Fraction(1, 2))


@given(close=st.integers(1, 10_000_000), limit=LIMITS, at_least=st.integers(0, 1))
def test_limits_equal_exact_fractions(close: int, limit: tuple[int, int], at_least: int) -> None:
    down, up = limit_prices(np.array([close]), limit[0], up_percent=limit[1], at_least=at_least)
    low, high = (_half_up(Fraction(close * (100 + k), 100)) for k in (-limit[0], limit[1]))
    assert down[0] == max(min(low, close - at_least), 1)
    assert up[0] == max(high, close + at_least)


@given(close=st.integers(1, 10_000_000), percent=st.sampled_from([5, 10, 20, 30]))
def test_limits_equal_decimals_rounded_half_up(close: int, percent: int) -> None:
    price, tick = Decimal(close) / 100, Decimal("0.01")
    down, up = limit_prices(np.array([close]), percent, at_least=0)
    assert Decimal(int(up[0])) / 100 == (price * (100 + percent) / 100).quantize(tick, ROUND_HALF_UP)
    low = (price * (100 - percent) / 100).quantize(tick, ROUND_HALF_UP)
    assert Decimal(int(down[0])) / 100 == max(low, tick)


@pytest.mark.parametrize(("percent", "wrong"), [(5, Fraction(1, 40)), (10, Fraction(1, 20)), (20, Fraction(0))])
def test_bankers_rounding_is_a_tick_off_where_limits_fall_on_half_a_tick(percent: int, wrong: Fraction) -> None:
    # At 10 % one close in ten gives half a tick, and rounding to even goes the other way on half of those: 5 % of all
    # closes in whole ticks. (The 0.6 % of domain M35 was counted on adjusted closes, which have four decimals.)
    closes = np.arange(200, 10_200)
    _, up = limit_prices(closes, percent, at_least=0)
    even = [int((Decimal(c) * (100 + percent) / 100).quantize(Decimal(1), ROUND_HALF_EVEN)) for c in closes.tolist()]
    off = up - np.array(even)
    assert Fraction(int((off != 0).sum()), len(closes)) == wrong
    assert set(off.tolist()) <= {0, 1}


@pytest.mark.parametrize("percent", [5, 10])
def test_binary_floats_are_a_tick_off_somewhere(percent: int) -> None:
    closes = np.arange(200, 10_200)
    _, up = limit_prices(closes, percent, at_least=0)
    floats = [round(100 * round(c / 100 * (1 + percent / 100), 2)) for c in closes.tolist()]
    assert (up != np.array(floats)).mean() > 0.01


@given(
    reference=st.integers(1, 1_000_000),
    ppm=st.sampled_from([20_000, 50_000]),
    ticks=st.sampled_from([1, 10]),
    side=st.sampled_from([Side.BUY, Side.SELL]),
)
def test_cage_is_the_wider_of_share_and_ticks(reference: int, ppm: int, ticks: int, side: Side) -> None:
    share = _half_up(reference * (1 + side * Fraction(ppm, 1_000_000)))
    wide = max(share * side, (reference + side * ticks) * side) * side
    assert cage_bound(reference, side, ppm, ticks) == max(wide, 1)


def test_main_board_cage_turns_from_ticks_to_per_cent_at_five_yuan() -> None:
    assert cage_bound(499, Side.BUY, 20_000, 10) == 509
    assert cage_bound(1000, Side.BUY, 20_000, 10) == 1020
    assert cage_bound(1000, Side.SELL, 20_000, 10) == 980
    assert cage_bound(5, Side.SELL, 20_000, 10) == 1


@given(price=st.integers(1, 1_000_000), percent=st.sampled_from([50, 80, 120, 900]))
def test_per_cent_of_a_price_equals_fractions(price: int, percent: int) -> None:
    assert per_cent_of(np.array([price]), percent)[0] == _half_up(Fraction(price * percent, 100))


def _floors(date: str, exchange: int, board: int, status: int, closes: list[int]) -> list[tuple[int, int]]:
    n = len(closes)
    columns = [np.full(n, x, np.int64) for x in (exchange, board, status, Product.STOCK, 50)]
    down, up = Rulebook.load().on(dt.date.fromisoformat(date)).limits(Listing(*columns, np.array(closes, np.int64)))
    return list(zip(down.tolist(), up.tolist(), strict=True))


def test_the_floor_of_one_tick_came_exchange_by_exchange() -> None:
    # Shenzhen's own example: a close of 0.04 at 10 % gives 0.03 to 0.05.
    assert _floors("2011-02-25", Exchange.SZSE, Board.MAIN, Status.NORMAL, [4]) == [(4, 4)]
    assert _floors("2011-02-28", Exchange.SZSE, Board.MAIN, Status.NORMAL, [4]) == [(3, 5)]
    assert _floors("2023-04-07", Exchange.SSE, Board.MAIN, Status.NORMAL, [4]) == [(4, 4)]
    assert _floors("2023-04-10", Exchange.SSE, Board.MAIN, Status.NORMAL, [4]) == [(3, 5)]
    assert _floors("2014-03-03", Exchange.SSE, Board.MAIN, Status.DELISTING, [4, 5]) == [(3, 5), (5, 6)]
    assert _floors("2021-03-01", Exchange.SSE, Board.MAIN, Status.DELISTING, [4, 5]) == [(3, 5), (4, 6)]
    assert _floors("2024-01-05", Exchange.SSE, Board.MAIN, Status.NORMAL, [1]) == [(1, 2)]


# -- real days -------------------------------------------------------------------------------------------------------

_STOCKS = {
    "sh600036": (Exchange.SSE, Board.MAIN),
    "sh600519": (Exchange.SSE, Board.MAIN),
    "sh600900": (Exchange.SSE, Board.MAIN),
    "sh601318": (Exchange.SSE, Board.MAIN),
    "sz300750": (Exchange.SZSE, Board.CHINEXT),
}
_SHARE_REFORM = {("sh600519", "2006-05-25")}
"""The first day after a share-structure reform had no price limit."""
_TICK_SLACK = 0.05
"""Per cent by which rounding to the tick may move a limit, at prices of 10 CNY and more."""


def _changes(folder: Path, name: str) -> list[tuple[str, float]]:
    """Date and change of the close on the previous one (adjusted for dividends), in per cent; 0 where none is given."""
    with gzip.open(folder / "market" / "daily_cn" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        return [(row["date"], float(row["pctChg"] or 0)) for row in csv.DictReader(file)]


def _bounds(date: str, exchange: int, board: int, days: int) -> tuple[float, float]:
    columns = [np.array([x], np.int64) for x in (exchange, board, Status.NORMAL, Product.STOCK, days, 1_000_000)]
    down, up = Rulebook.load().on(dt.date.fromisoformat(date)).limits(Listing(*columns))
    return float(down[0]) / 10_000 - 100, float(up[0]) / 10_000 - 100


@pytest.mark.data
@pytest.mark.parametrize("name", _STOCKS)
def test_real_closes_lie_within_the_limits_of_their_day(shared_data: Path, name: str) -> None:
    at_limit = 0
    for days, (date, change) in enumerate(_changes(shared_data, name)):
        if (name, date) in _SHARE_REFORM or (abs(change) < 4.9 and days):
            continue  # a change of less than 5 % is within every limit
        low, high = _bounds(date, *_STOCKS[name], days)
        assert low - _TICK_SLACK <= change <= high + _TICK_SLACK, (date, change, low, high)
        at_limit += abs(change - high) < _TICK_SLACK or abs(change - low) < _TICK_SLACK
    assert at_limit >= 5


@pytest.mark.data
def test_real_closes_break_the_limits_of_another_date(shared_data: Path) -> None:
    changes = _changes(shared_data, "sz300750")
    assert changes[0] == ("2018-06-11", pytest.approx(44.0, abs=_TICK_SLACK))  # first day: 144 % of the issue price
    old = [abs(change) > 10 + _TICK_SLACK for date, change in changes[1:] if date < "2020-08-24"]
    new = [abs(change) > 10 + _TICK_SLACK for date, change in changes if date >= "2020-08-24"]
    assert not any(old)
    assert sum(new) >= 5
