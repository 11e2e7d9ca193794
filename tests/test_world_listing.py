"""What is listed, its price limits, and the news path."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.contracts import Board, Exchange
from twin.errors import ScenarioError
from twin.matching.rules import Product, Rulebook, Status
from twin.randomness import Streams
from twin.world import MarketConfig, largest_orders, limit_prices, make_instruments

CONFIG = MarketConfig(instruments=60)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(close=st.integers(2, 300_000), percent=st.sampled_from([5, 10, 20, 30]))
def test_limit_prices_equal_decimal_half_up(close: int, percent: int) -> None:
    def reference(sign: int) -> int:
        cny = Decimal(close) / 100 * (100 + sign * percent) / 100
        ticks = int(cny.quantize(Decimal("0.01"), ROUND_HALF_UP) * 100)
        return ticks if abs(ticks - close) >= 1 else close + sign

    down, up = limit_prices(np.array([close]), np.array([percent]))
    assert (int(down[0]), int(up[0])) == (reference(-1), reference(1))


def test_limit_prices_of_half_ticks_round_up() -> None:
    down, up = limit_prices(np.array([1005, 3]), np.array([10, 10]))
    assert down.tolist() == [905, 2]  # 904.5 up; 2.7 -> 3 is no move, hence one tick
    assert up.tolist() == [1106, 4]


def test_instruments_have_boards_on_their_own_exchange() -> None:
    instruments, traits = make_instruments(MarketConfig(), Streams(1))
    assert len(instruments) == 300
    assert set(instruments.exchange[instruments.board == Board.STAR]) == {Exchange.SSE}
    assert set(instruments.exchange[instruments.board == Board.CHINEXT]) == {Exchange.SZSE}
    assert set(instruments.exchange[instruments.board == Board.BSE]) == {Exchange.BSE}
    assert np.bincount(instruments.board).tolist() == [171, 75, 30, 15, 9]  # 3 % funds, 5 % of the stocks in Beijing
    assert np.all((instruments.risk_level == 3) == np.isin(instruments.board, (Board.MAIN, Board.FUND)))
    assert np.all(instruments.limit_down < instruments.previous_close)
    assert np.all(instruments.limit_up > instruments.previous_close)
    assert traits.popularity.sum() == pytest.approx(1)
    assert traits.order_weight.mean() == pytest.approx(1)


def test_instruments_do_not_depend_on_the_replication() -> None:
    first, second = (make_instruments(CONFIG, Streams(5, r))[0] for r in (0, 9))
    assert np.array_equal(first.previous_close, second.previous_close)
    assert not np.array_equal(first.previous_close, make_instruments(CONFIG, Streams(6))[0].previous_close)


def test_the_whole_market_has_its_boards_warnings_new_stocks_and_funds() -> None:
    instruments, traits = make_instruments(MarketConfig(instruments=6_500, share_funds=0.17), Streams(1))
    main, chinext, star, beijing, funds = np.bincount(instruments.board).tolist()
    assert (beijing, funds, main + chinext + star) == (270, 1105, 5125)
    assert [round(5125 * share) for share in (0.62, 0.27, 0.11)] == pytest.approx([main, chinext, star], abs=1)
    assert np.bincount(instruments.exchange)[Exchange.BSE] == 270
    listing = traits.listing
    warned = listing.status == Status.ST
    assert warned.sum() == round(0.035 * main)
    assert set(instruments.board[warned]) == {Board.MAIN}
    assert (listing.days < 5).sum() == 2
    assert np.all(listing.days[instruments.board == Board.FUND] >= 5)


@pytest.mark.parametrize(("day", "percent"), [(dt.date(2026, 7, 3), 5), (dt.date(2026, 7, 6), 10)])
def test_limits_and_sizes_are_those_of_the_day(day: dt.date, percent: int) -> None:
    rules = Rulebook.load().on(day)
    config = MarketConfig(instruments=400, share_st=0.1, share_new=0.02, share_funds=0.05)
    instruments, traits = make_instruments(config, Streams(1), rules)
    board, close, fresh = instruments.board, instruments.previous_close, traits.listing.days < 1_000
    growth_fund = traits.listing.product == Product.FUND_GROWTH
    wide = np.select([board == Board.MAIN, board == Board.BSE, board == Board.FUND], [10, 30, 10], 20)
    wide = np.where(growth_fund, 20, np.where(traits.listing.status == Status.ST, percent, wide))
    down, up = limit_prices(close, wide)
    new = fresh & ((board != Board.BSE) | (traits.listing.days == 0))
    assert np.array_equal(instruments.limit_down[~new], down[~new])
    assert np.array_equal(instruments.limit_up[~new], up[~new])
    assert new.any()
    assert np.all(instruments.limit_up[new] > 2 * close[new])
    assert instruments.lot[board == Board.FUND].tolist() == [10] * (board == Board.FUND).sum()
    assert set(instruments.lot[board == Board.STAR]) == {200}
    assert set(largest_orders(instruments, rules)[board == Board.CHINEXT]) == {300_000}


def test_what_did_not_exist_on_the_day_is_not_listed() -> None:
    rules = Rulebook.load().on(dt.date(2015, 6, 18))
    instruments, _ = make_instruments(MarketConfig(instruments=100), Streams(1), rules)
    assert set(instruments.board) == {Board.MAIN, Board.CHINEXT, Board.FUND}


def test_a_basket_and_its_cash_are_worth_the_fund_to_the_fen() -> None:
    instruments, traits = make_instruments(MarketConfig(share_funds=0.05), Streams(3))
    b, close = traits.baskets, instruments.previous_close
    assert len(b.fund) == 15
    assert np.array_equal(b.shares @ close + b.cash, b.unit * close[b.fund])
    assert np.all(b.cash >= 0)
    assert np.all(b.shares % 100 == 0)
    assert not b.shares[:, b.fund].any()
    assert not b.shares[:, traits.listing.status == Status.ST].any()
    assert np.array_equal(b.value(close.astype(np.float64)), close[b.fund].astype(np.float64))
    assert np.all(b.unit * close[b.fund] > 100_000_000)
    assert np.allclose(traits.beta[b.fund], (b.shares * close) @ traits.beta / (b.unit * close[b.fund]))
    assert not traits.idiosyncratic_volatility[b.fund].any()
    growth = traits.listing.product[b.fund] == Product.FUND_GROWTH
    assert growth.any()
    for row in np.flatnonzero(growth):
        held = instruments.board[b.shares[row] > 0]
        assert not np.isin(held, (Board.MAIN, Board.BSE)).any()


@pytest.mark.parametrize(
    "change", [{"share_bse": 1.0}, {"share_st": -0.1}, {"instruments": 0}, {"share_chinext": -1.0}]
)
def test_impossible_lists_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match="market"):
        MarketConfig(**change)
