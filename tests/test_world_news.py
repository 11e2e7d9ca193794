"""The news: the index through its four prices in feasible time, values around it, funds at their baskets."""

from __future__ import annotations

from itertools import pairwise

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


def test_news_comes_at_the_pace_that_is_asked() -> None:
    """All of it in the morning: the afternoon stands still, and the day's volatility is the same."""
    streams = Streams(4)
    instruments, traits = make_instruments(MarketConfig(instruments=1_000, share_funds=0.0), streams)
    starts = NewsPath(IndexDay(0, 0, 0, 0, 0), instruments, traits, streams).starts
    pace = (starts < at("11:30")).astype(np.float64)
    news = NewsPath(IndexDay(0, 0, 0, 0, 0), instruments, traits, streams, pace=pace)
    assert np.array_equal(news.fundamental(at("13:00")), news.fundamental(at("14:59")))
    z = np.log(news.fundamental(at("15:00")) / instruments.previous_close) / traits.idiosyncratic_volatility
    inner = z[traits.idiosyncratic_volatility < 0.02]
    assert np.var(inner) == pytest.approx(1.0, abs=4 * np.sqrt(2 / len(inner)))


def test_news_path_depends_on_the_replication_alone() -> None:
    day = IndexDay(0.0, 0.01, -0.01, 0.005)
    assert np.array_equal(_news(day).index, _news(day).index)
    assert not np.array_equal(_news(day).index, _news(day, replication=1).index)


@pytest.mark.parametrize("day", [(0.0, -0.01, -0.02, 0.0), (0.0, 0.01, 0.005, 0.006), (0.0, 0.01, -1.0, 0.0)])
def test_index_day_that_contradicts_itself_is_refused(day: tuple[float, ...]) -> None:
    with pytest.raises(ScenarioError, match="contradict"):
        IndexDay(*day)


def test_value_of_a_fund_is_its_basket_to_rounding() -> None:
    streams = Streams(6)
    instruments, traits = make_instruments(MarketConfig(share_funds=0.05), streams)
    b = traits.baskets
    for day in (IndexDay(-0.01, 0.0, -0.05, -0.04, 0.02), IndexDay(0.05, 0.06, 0.0, 0.02)):
        news = NewsPath(day, instruments, traits, streams)
        for text in ("09:15", "11:00", "14:59"):
            value = news.fundamental(at(text))
            inside = (value[b.fund] > instruments.limit_down[b.fund]) & (value[b.fund] < instruments.limit_up[b.fund])
            assert inside.all()
            assert np.allclose(value[b.fund], b.value(value), rtol=1e-6)
            assert np.ptp(value[b.fund] / instruments.previous_close[b.fund]) > 0.001  # funds differ


DAYS = {
    "extreme": IndexDay(-0.0446, -0.0372, -0.0902, -0.0734, 0.034),
    "ordinary": IndexDay(0.0016, 0.0065, -0.0056, -0.0049, 0.0072),
    "rush": IndexDay(0.1013, 0.1013, 0.0107, 0.0459, 0.052),
}


@pytest.mark.parametrize("day", DAYS.values(), ids=list(DAYS))
def test_extremes_come_when_the_volatility_can_reach_them(day: IndexDay) -> None:
    instruments, traits = make_instruments(MarketConfig(instruments=1, share_funds=0.0), Streams(1))
    worst = []
    for seed in range(40):
        path = np.log1p(NewsPath(day, instruments, traits, Streams(seed)).index)
        moving = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1])
        path = path[moving]  # trading time
        knots = sorted({0, int(path.argmin()), int(path.argmax()), len(path) - 1})
        legs = [(abs(path[b] - path[a]), (b - a) / len(path)) for a, b in pairwise(knots)]
        worst.append(max(move / (day.volatility_day * np.sqrt(time)) for move, time in legs))
    # a move of z deviations in its time has a chance of exp(-z * z / 2): 4 is exceeded about once in 3,000 legs
    assert np.quantile(worst, 0.9) < 3
    assert max(worst) < 4.5


def test_times_of_the_extremes_follow_the_law_of_first_passage() -> None:
    day = IndexDay(0.0, 0.01, -0.02, 0.005, 0.02)
    news = _news(day)
    open_, low, high, close = 0.0, *np.log1p([-0.02, 0.01, 0.005])
    t = (np.arange(1, 240)) / 240

    def weights(first: float, second: float) -> np.ndarray:
        a, b = np.meshgrid(t, t, indexing="ij")
        with np.errstate(divide="ignore", invalid="ignore"):
            legs = [(first - open_, a), (second - first, b - a), (close - second, 1 - b)]
            density = np.prod(
                [np.where(s > 0, s**-1.5 * np.exp(-(m**2) / (2 * 0.0004 * s)), 0.0) for m, s in legs], axis=0
            )
        return np.nan_to_num(density)

    low_first, high_first = weights(low, high), weights(high, low)
    total = low_first.sum() + high_first.sum()
    drawn = []
    for seed in range(400):
        news._streams = Streams(seed)
        drawn.append(news._extreme_times(4720))
    times = np.array(drawn) / 4720
    share = low_first.sum() / total
    assert abs(np.mean(times[:, 0] < times[:, 1]) - share) < 4 * np.sqrt(share * (1 - share) / 400)
    mean = ((low_first.sum(axis=1) * t).sum() + (high_first.sum(axis=0) * t).sum()) / total  # of the low's time
    assert abs(times[:, 0].mean() - mean) < 4 * times[:, 0].std() / 20


def test_a_day_without_volatility_moves_at_constant_speed() -> None:
    news = _news(IndexDay(0.0, 0.01, -0.02, 0.0, 0.0))
    low, high = news._extreme_times(4800)
    a, b = np.log1p(0.01), -np.log1p(-0.02)
    whole = 2 * (a + b)
    first = (b if low < high else a) / whole
    assert min(low, high) / 4800 == pytest.approx(first, abs=0.02)
    assert abs(high - low) / 4800 == pytest.approx(0.5, abs=0.02)
