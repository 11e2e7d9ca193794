"""From a scenario's world to the exchange of its day: rules by date, suspensions, circuit breaker, market data."""

from __future__ import annotations

import numpy as np

from scenarios.schema import Scenario, Suspended
from twin.contracts import Board, Exchange, Instruments
from twin.errors import ScenarioError
from twin.matching.by_date import exchange_on
from twin.matching.exchange import ExchangeDay, Suspension
from twin.matching.market_data import FeedFault, QuoteFeed
from twin.matching.publishing import Publisher
from twin.matching.rules import DayRules
from twin.randomness import Stream, Streams
from twin.world import InstrumentTraits

_SUSPENDED = 16
"""Purpose of the draws of suspended instruments; the lower ones are the world's."""


def exchange_day(
    scenario: Scenario,
    rules: DayRules,
    instruments: Instruments,
    traits: InstrumentTraits,
    streams: Streams,
    publisher: Publisher | None = None,
) -> ExchangeDay:
    """The exchanges of the scenario's date and world.

    Args:
        scenario: what happens.
        rules: of the date.
        instruments: what is listed.
        traits: status and age, and popularity, which gives the weights in the index that a circuit breaker watches.
        streams: for the draw of suspended instruments, which depends on the seed alone.
        publisher: keeps feeds of chosen instruments.
    """
    world = scenario.world
    in_index = ~np.isin(instruments.board, (Board.FUND, Board.BSE))
    return exchange_on(
        rules,
        instruments,
        traits.listing,
        weights=traits.popularity * in_index,
        breaker=world.circuit_breaker,
        suspensions=[_suspension(section, len(instruments), streams) for section in world.suspended],
        publisher=publisher,
    )


def _suspension(section: Suspended, n: int, streams: Streams) -> Suspension:
    """Which instruments, from when to when."""
    for instrument in section.instruments:
        if instrument >= n:
            raise ScenarioError(
                f"instrument {instrument} is not listed", where="world.suspended", hint=f"They count from 0 to {n - 1}."
            )
    luck = Streams(streams.seed, 0).uniform(Stream.INSTRUMENT, np.arange(n), _SUSPENDED)
    drawn = np.argsort(luck, kind="stable")[: round(section.share * n)]
    return Suspension(tuple(sorted({*drawn.tolist(), *section.instruments})), section.start, section.end)


def quote_feed(scenario: Scenario, instruments: Instruments) -> QuoteFeed:
    """The quotes as the broker's clients get them."""
    section = scenario.world.market_data
    faults = [FeedFault(delay=section.delay)] if section.delay else []
    for freeze in section.frozen:
        exchange = None if freeze.exchange == "all" else Exchange[freeze.exchange.upper()]
        faults.append(FeedFault(freeze.start, freeze.end, None, exchange))
    return QuoteFeed(instruments.exchange, faults)
