"""What a stock-day looks like in a few numbers, the same for recorded and simulated days; for fits by simulation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.background import BackgroundParameters, Profile
from agents.market_flow import Keep, MarketFlow
from scenarios.calibration.recording import CONTINUOUS, Recording, SeenOrder
from twin.clock import MINUTE, SECOND, Phase, at
from twin.contracts import Instruments, IntColumn, Tape, TapeKind
from twin.matching.engine import MatchingEngine
from twin.measures.stylised import autocorrelation, excess_kurtosis, gaps, variance_ratio
from twin.randomness import Stream, Streams

Floats = NDArray[np.float64]

STEP = 5 * SECOND
_PER = {"10s": 2, "1min": 12}
_DAY = (
    ("09:15", "09:20", Phase.OPEN_CALL, True),
    ("09:20", "09:25", Phase.OPEN_CALL, False),
    ("09:30", "11:30", Phase.CONTINUOUS, True),
    ("13:00", "14:57", Phase.CONTINUOUS, True),
    ("14:57", "15:00", Phase.CLOSE_CALL, False),
)
_LIMIT = 0.1
"""Price limit of the recorded main-board stocks (domain M30)."""


@dataclass(frozen=True)
class Stock:
    """What a simulated day takes from a recorded one: price, number of orders and volatility, no behaviour.

    Attributes:
        name: code and day.
        price: opening price in ticks.
        orders: new orders of the day.
        volatility: realised standard deviation of the day's log price, from five-minute returns.
    """

    name: str
    price: int
    orders: int
    volatility: float


def stock_of(recording: Recording) -> Stock:
    """The inputs of a simulated day."""
    looks = _recorded_looks(recording, 5 * MINUTE)
    squares = sum(float(np.sum(np.diff(_log_mid(look)) ** 2)) for look in looks)
    name = f"{recording.code} {recording.day}"
    return Stock(name, recording.open_price, len(recording.orders), float(np.sqrt(squares)))


def recorded_moments(recording: Recording) -> dict[str, float]:
    """The moments of a recorded day."""
    seen = [o for o in recording.orders if any(a <= o.time < b for a, b in CONTINUOUS) and 0 < o.bid < o.ask]
    taking = np.array([_takes(o) for o in seen])
    signs = np.array([o.side for o in seen], np.int64)[taking]
    times = np.array([o.time for o in seen], np.int64)
    counts = {
        "share_marketable": float(taking.mean()),
        "cancels_per_order": recording.cancels / len(recording.orders),
        "shares_traded_per_order": recording.volume / len(recording.orders),
    }
    return _moments(_recorded_looks(recording, STEP), signs, times) | counts


def _takes(order: SeenOrder) -> bool:
    return order.price >= order.ask if order.side > 0 else order.price <= order.bid


def _recorded_looks(recording: Recording, step: int) -> list[IntColumn]:
    """Best prices and their shares every `step`, per session, as the next sender saw them."""
    times = np.array([o.time for o in recording.orders])
    books = np.array([(o.bid, o.ask, o.bid_shares, o.ask_shares) for o in recording.orders], np.int64)
    grids = [np.arange(start + step, end + 1, step) for start, end in CONTINUOUS]
    return [books[np.minimum(np.searchsorted(times, grid), len(times) - 1)] for grid in grids]


def _log_mid(look: IntColumn) -> Floats:
    """Logarithm of the mid price; where one side is empty, of the other."""
    bid, ask = look[:, 0].astype(np.float64), look[:, 1].astype(np.float64)
    mid = np.where((bid > 0) & (ask > 0), 0.5 * (bid + ask), np.maximum(bid, ask))
    kept = np.maximum.accumulate(np.where(mid > 0, np.arange(len(mid)), 0))
    return np.asarray(np.log(np.maximum(mid[kept], 1.0)))


def _moments(looks: list[IntColumn], signs: IntColumn, times: IntColumn) -> dict[str, float]:
    """Moments of best prices every `STEP`, signs of marketable orders and times of new orders."""
    mids = [_log_mid(look) for look in looks]
    ten, minute = (np.concatenate([np.diff(m[::k]) for m in mids]) for k in _PER.values())
    book = np.concatenate(looks)
    both = book[(book[:, 0] > 0) & (book[:, 1] > 0)]
    spread = both[:, 1] - both[:, 0]
    sign = autocorrelation(signs, [1, 10, 100])
    waits = autocorrelation(gaps(times), [1, 100])
    return {
        "spread_ticks": float(spread.mean()),
        "share_one_tick": float((spread == 1).mean()),
        "depth_best": float(both[:, 2:].mean()),
        "sd_1min_bp": 1e4 * float(minute.std()),
        "kurtosis_10s": excess_kurtosis(ten),
        "kurtosis_1min": excess_kurtosis(minute),
        "variance_ratio_1min_10s": variance_ratio(ten, 6),
        "variance_ratio_5min_1min": variance_ratio(minute, 5),
        "acf_return_10s": float(autocorrelation(ten, [1])[0]),
        "acf_return_1min": float(autocorrelation(minute, [1])[0]),
        "acf_absolute_10s": float(autocorrelation(np.abs(ten), [1])[0]),
        "acf_absolute_100s": float(autocorrelation(np.abs(ten), [10])[0]),
        "acf_absolute_1min": float(autocorrelation(np.abs(minute), [1])[0]),
        "acf_sign_1": float(sign[0]),
        "acf_sign_10": float(sign[1]),
        "acf_sign_100": float(sign[2]),
        "acf_gap_1": float(waits[0]),
        "acf_gap_100": float(waits[1]),
    }


def simulated_moments(
    parameters: BackgroundParameters, stock: Stock, news_share: float, *, days: int, seed: int
) -> list[dict[str, float]]:
    """Moments of independent simulated days of a stock.

    Args:
        parameters: behaviour.
        stock: what the days take from a recorded one.
        news_share: volatility of the value as a share of the recorded price's; the flow itself adds the rest.
        days: how many.
        seed: equal seeds give equal luck, whatever the parameters (common random numbers).
    """
    close = np.full(days, stock.price, np.int64)
    reach = np.round(_LIMIT * close).astype(np.int64)
    zero = np.zeros_like(close)
    instruments = Instruments(zero, zero, close, close - reach, close + reach, zero + 100, zero + 3)
    parameters = replace(parameters, orders_per_day=float(stock.orders))
    streams = Streams(seed)
    engine = MatchingEngine(instruments)
    flow = MarketFlow(parameters, instruments, np.ones(days), streams)
    level = np.log(close.astype(np.float64))
    tapes, looks = [], []
    for start, end, phase, cancels in _DAY:
        engine.set_phase(phase, cancels_allowed=cancels)
        edges = np.arange(at(start), at(end) + 1, STEP)
        path = np.repeat(level[None], len(edges) - 1, axis=0)
        if phase == Phase.CONTINUOUS:
            path = path + _news(parameters, edges, stock.volatility * news_share, streams, days)
            level = path[-1]
        value = np.clip(np.exp(path), instruments.limit_down, instruments.limit_up)
        sample = np.zeros((len(edges) - 1, days, 4), np.int64)
        tape = flow.advance(engine, edges, value, np.ones(len(edges) - 1), keep=Keep.NUMBERED, sample=sample)
        if phase == Phase.CONTINUOUS:
            tapes.append(tape)
            looks.append(sample)
        elif end in ("09:25", "15:00"):
            flow.absorb(engine, engine.uncross(at(end)))
    tape = Tape.concat(tapes)
    orders, cancels_sent, _ = flow.counts
    volume = engine.quotes().volume
    result = []
    for k in range(days):
        own = tape.take(tape.instrument == k)
        new = own.kind == TapeKind.ACCEPTED
        taking = new & (np.append(own.kind[1:], -1) == TapeKind.TRADE)
        counts = {
            "share_marketable": float(taking.sum() / new.sum()),
            "cancels_per_order": float(cancels_sent[k] / orders[k]),
            "shares_traded_per_order": float(volume[k] / orders[k]),
        }
        result.append(_moments([look[:, k] for look in looks], own.side[taking], own.time[new]) | counts)
    return result


def _news(parameters: BackgroundParameters, edges: IntColumn, volatility: float, streams: Streams, days: int) -> Floats:
    """Brownian log values in business time: news comes as orders do (Clark 1973)."""
    profile = Profile(parameters.profile)
    whole = sum(profile.between(start, end) for start, end in CONTINUOUS)
    share = np.diff(profile.at_edges(edges)) / whole
    ids = (np.arange(days)[None, :] << 20) | (edges[:-1, None] // SECOND)
    steps = streams.normal(Stream.NEWS_INSTRUMENT, ids) * volatility * np.sqrt(share)[:, None]
    return np.asarray(np.cumsum(steps, axis=0))


def quantiles(days: list[dict[str, float]], level: float = 0.9) -> dict[str, dict[str, float]]:
    """Mean of each moment over simulated days and the central interval that holds `level` of the days."""
    result = {}
    for name in days[0]:
        values = np.array([day[name] for day in days])
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        result[name] = {"mean": float(values.mean()), "low": float(low), "high": float(high)}
    return result
