"""What is listed, its price limits, and the news path."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.contracts import Board, Exchange
from twin.randomness import Streams
from twin.world import MarketConfig, limit_prices, make_instruments

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
