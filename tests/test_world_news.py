"""The news: the index through its four prices in feasible time, values around it, funds at their baskets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clock import at
from twin.contracts import Board
from twin.errors import ScenarioError
from twin.randomness import Streams
from twin.world import IndexDay, MarketConfig, NewsPath, make_instruments

CONFIG = MarketConfig(instruments=60)


def _news(day: IndexDay, seed: int = 3, replication: int = 0) -> NewsPath:
    streams = Streams(seed, replication)
    return NewsPath(day, *make_instruments(CONFIG, streams), streams)


returns = st.integers(-900, 900).map(lambda x: x / 10_000)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    levels=st.tuples(returns, returns, returns, returns), seed=st.integers(0, 50), sd=st.sampled_from([0, 0.01, 0.1])
)
def test_news_path_hits_open_high_low_close(levels: tuple[float, ...], seed: int, sd: float) -> None:
    low, a, b, high = sorted(levels)
    day = IndexDay(open=b, high=high, low=low, close=a, volatility_day=sd)
    path = NewsPath(day, *make_instruments(MarketConfig(instruments=1), Streams(1)), Streams(seed)).index
    assert (path[0], path.max(), path.min(), path[-1]) == (day.open, day.high, day.low, day.close)


def test_news_path_stands_still_while_the_market_does() -> None:
    news = _news(IndexDay(0.001, 0.01, -0.02, -0.015))
    for start, end in ((at("09:15"), at("09:29:57")), (at("11:30"), at("12:59:57"))):
        assert news.index_return(start) == news.index_return(end)
        assert np.array_equal(news.fundamental(start), news.fundamental(end))
    assert news.index_return(at("09:15")) == 0.001
    assert news.index_return(at("15:00")) == -0.015
    with pytest.raises(ScenarioError, match="09:15"):
        news.row(at("09:00"))


def test_news_path_has_no_jumps() -> None:
    steps = np.diff(np.log1p(_news(IndexDay(-0.02, -0.015, -0.08, -0.075, 0.02)).index))
    assert np.abs(steps).max() < 0.004


def test_values_stay_within_limits_and_follow_beta() -> None:
    streams = Streams(2)
    instruments, traits = make_instruments(MarketConfig(), streams)
    news = NewsPath(IndexDay(-0.03, -0.02, -0.06, -0.05), instruments, traits, streams)
    for text in ("09:15", "10:00", "15:00"):
        value = news.fundamental(at(text))
        assert np.all((value >= instruments.limit_down) & (value <= instruments.limit_up))
    move = np.log(news.fundamental(at("15:00")) / instruments.previous_close)
    free = (move > -0.09) & (instruments.board != Board.MAIN)
    slope = np.polyfit(traits.beta[free] * np.log1p(-0.05), move[free], 1)[0]
    sd = (traits.idiosyncratic_volatility[free]).mean()
    spread = np.std(traits.beta[free] * np.log1p(-0.05))
    assert abs(slope - 1) < 4 * sd / (spread * np.sqrt(free.sum()))


def test_own_motion_has_the_asked_volatility() -> None:
    streams = Streams(4)
    instruments, traits = make_instruments(MarketConfig(instruments=2_000, share_funds=0.0), streams)
    news = NewsPath(IndexDay(0, 0, 0, 0, 0), instruments, traits, streams)
    for text, share in (("09:15", 0.2), ("15:00", 1.0)):
        z = np.log(news.fundamental(at(text)) / instruments.previous_close) / traits.idiosyncratic_volatility
        inner = z[traits.idiosyncratic_volatility < 0.02]  # limits do not bind there
        assert np.var(inner) == pytest.approx(share, abs=4 * share * np.sqrt(2 / len(inner)))


def test_news_path_depends_on_the_replication_alone() -> None:
    day = IndexDay(0.0, 0.01, -0.01, 0.005)
    assert np.array_equal(_news(day).index, _news(day).index)
    assert not np.array_equal(_news(day).index, _news(day, replication=1).index)


@pytest.mark.parametrize("day", [(0.0, -0.01, -0.02, 0.0), (0.0, 0.01, 0.005, 0.006), (0.0, 0.01, -1.0, 0.0)])
def test_index_day_that_contradicts_itself_is_refused(day: tuple[float, ...]) -> None:
    with pytest.raises(ScenarioError, match="contradict"):
        IndexDay(*day)
