"""Builds the house from a scenario and runs one day of it, from midnight to the next trading day's open."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import simpy

from scenarios.night import Night
from scenarios.offices import Offices
from scenarios.recorder import Recorder
from scenarios.schema import Scenario
from scenarios.trading import TradingDay
from twin.clock import MINUTE, Clock, clock_text
from twin.errors import ScenarioError
from twin.randomness import Streams

if TYPE_CHECKING:
    import pyarrow as pa

LISTED = 5_300
"""Names listed in Shanghai and Shenzhen, of which the scenario simulates a sample."""
_REPORT_EVERY = 100


@dataclass(frozen=True)
class Progress:
    """How far a day is.

    Args:
        stage: what is being done. sim_time_ns: simulated instant. orders: so far. fraction: of the whole work, 0 to 1.
    """

    stage: str
    sim_time_ns: int
    orders: int
    fraction: float


@dataclass(frozen=True)
class DayResult:
    """What one replication of a day gives.

    Args:
        measures, timeline: tidy tables (`twin.measures.tidy`).
        info: what the run was like: sample of the market, orders, timings in s.
        day: the parts of the house after the day, for those who want more.
    """

    measures: pa.Table
    timeline: pa.Table
    info: dict[str, Any]
    day: TradingDay


Listener = Callable[[Progress], None]


def simulate_day(
    scenario: Scenario, replication: int = 0, seed: int | None = None, progress: Listener | None = None
) -> DayResult:
    """Simulate one replication of a scenario's day.

    Args:
        scenario: what to simulate.
        replication: its number, from 0.
        seed: of all random numbers; None takes the scenario's.
        progress: told now and then how far it is.

    Example:
        >>> from scenarios.loader import load
        >>> day = simulate_day(load("ordinary-day", ["clients.count=1000"]))    # doctest: +SKIP
        >>> day.info["orders"]                                                  # doctest: +SKIP
    """
    if scenario.clients.count and not scenario.world.instruments:
        raise ScenarioError("clients need something to trade", hint="Give world.instruments >= 1.")
    tell = progress or _nothing
    streams = Streams(scenario.seed if seed is None else seed, replication)
    began = time.perf_counter()
    tell(Progress("build", 0, 0, 0.0))
    clock = Clock(scenario.date)
    day = TradingDay(scenario, streams)
    night = Night()
    offices = Offices(scenario, streams, clock, day.society.take_calls, day.population.segment)
    recorder = Recorder(scenario, day, offices, night, replication)
    built = time.perf_counter()
    horizon = clock.next_open("09:30")
    trading = clock.env.process(_whole_day(scenario, day, night, clock, streams))
    clock.env.process(offices.run(horizon))
    clock.env.process(recorder.run(clock))
    clock.env.process(_tell(clock, day, tell))
    clock.env.run(until=trading)
    closed = time.perf_counter()
    tell(Progress("night", clock.now, len(day.orders), 0.95))
    clock.env.run(until=horizon + 1)
    recorder.finish(streams)
    ended = time.perf_counter()
    timings = {"build": built - began, "trading": closed - built, "night": ended - closed, "total": ended - began}
    return DayResult(recorder.measures.table(), recorder.timeline.table(), _info(scenario, day, timings), day)


def _nothing(step: Progress) -> None:
    """Nobody listens."""
    del step


def _whole_day(
    scenario: Scenario, day: TradingDay, night: Night, clock: Clock, streams: Streams
) -> Generator[simpy.Event, None, None]:
    yield clock.env.process(day.run(clock))
    clock.env.process(night.run(scenario, day, clock, streams))


def _tell(clock: Clock, day: TradingDay, tell: Listener) -> Generator[simpy.Event, None, None]:
    """Report progress by the share of an ordinary day's orders that has passed."""
    first, last = day.ticks[0].start, day.ticks[-1].end
    yield clock.wait_until(first)
    while clock.now < last:
        yield clock.wait_until(min(clock.now + MINUTE, last))
        tell(Progress("trading", clock.now, len(day.orders), 0.02 + 0.9 * (clock.now - first) / (last - first)))


def _stops(day: TradingDay) -> dict[str, dict[str, str]]:
    """What the circuit breaker did, if anything."""
    stops = day.exchange.stops
    if not stops:
        return {}
    en = (f"{s.level:+.2%} at {clock_text(s.start)}: stop until {clock_text(s.end)}" for s in stops)
    zh = (f"{clock_text(s.start)} 指数 {s.level:+.2%}，停市至 {clock_text(s.end)}" for s in stops)
    return {"circuit_breaker": {"en": "; ".join(en), "zh": "；".join(zh)}}


def _info(scenario: Scenario, day: TradingDay, timings: dict[str, float]) -> dict[str, Any]:
    flow, counts = day.background, day.path.counts()
    sampled, orders = scenario.world.instruments, len(day.orders)
    return {
        "orders": orders,
        "trades": counts.trades,
        "queries": counts.queries,
        "background_orders": flow.orders,
        "background_cancels": flow.cancels,
        "active_clients": day.population.n_active,
        "ended_open": day.ended_open,
        "market_sample": {
            "en": f"{sampled} instruments stand for about {LISTED:,}. Each has the full recorded rate of orders of the "
            f"rest of the market ({flow.orders:,} orders and {flow.cancels:,} cancels in all), and all of the broker's "
            f"{orders:,} orders go to them.",
            "zh": f"以 {sampled} 只证券代表约 {LISTED:,} 只。每只都有按实录速率生成的市场其余委托"
            f"（共 {flow.orders:,} 笔委托、{flow.cancels:,} 笔撤单），本券商的 {orders:,} 笔委托全部进入其中。",
        },
        **_stops(day),
        "timings_s": {name: round(value, 3) for name, value in timings.items()},
    }
