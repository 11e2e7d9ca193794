"""The trading day: who acts, how it reaches the exchange, what comes back; one step per quote interval."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import simpy

from agents.background import BackgroundFlow
from agents.cohort import Cohort
from agents.funds import Funds
from agents.gen_z import GenZ
from agents.hnw import HighNetWorth
from agents.market import MarketColumns
from agents.population import Population, blocks
from agents.retail import Retail
from agents.society import Society
from scenarios import build
from scenarios.calibration import background_parameters
from scenarios.schema import Scenario
from twin.clearing.netting import MarketSide
from twin.clock import CLOSE_UNCROSS, NO_CANCEL, OPEN_UNCROSS, Clock, Phase, Tick, at
from twin.contracts import Segment, Tape
from twin.errors import ConservationError
from twin.ledger import FeeRates, Ledger
from twin.matching.engine import MatchingEngine
from twin.matching.rules import Rulebook
from twin.randomness import Streams
from twin.routing.orders import OrderTable
from twin.routing.path import BACKGROUND_BASE, OrderPath
from twin.world import NewsPath, make_instruments

_KINDS: dict[Segment, type[Cohort]] = {Segment.RETAIL: Retail, Segment.GEN_Z: GenZ, Segment.HNW: HighNetWorth}
_NEWS_FROM = at("09:15")


class TradingDay:
    """One day of the market and of the broker's order path.

    Args:
        scenario: what to simulate.
        streams: random numbers of the replication.
    """

    def __init__(self, scenario: Scenario, streams: Streams) -> None:
        self.scenario, self.streams = scenario, streams
        self.ticks = build.day_ticks()
        self.instruments, self.traits = make_instruments(
            build.market_config(scenario), streams, Rulebook.load().on(scenario.date)
        )
        self.news = NewsPath(build.index_day(scenario), self.instruments, self.traits, streams)
        self.engine = MatchingEngine(self.instruments)
        self.engine_quotes = self.engine.quotes()
        self._build_broker()
        self._build_background()
        self._build_society()
        self.core_queue_max = 0
        self.cash_difference = 0
        self.ended_open = 0

    def _build_broker(self) -> None:
        scenario = self.scenario
        client_blocks = blocks(scenario.clients.count, build.mix(scenario))
        self.population = Population(client_blocks, build.institution_count(scenario))
        max_orders = build.expected_orders(scenario)
        self.ledger = Ledger(self.population.accounts, build.position_slots(scenario))
        self.orders = OrderTable(max_orders)
        schedule = build.fee_schedule(scenario)
        self.fees = FeeRates(
            schedule.commission_ppm, schedule.commission_min_fen, schedule.stamp_ppm, schedule.transfer_ppm
        )
        self.path = OrderPath(
            build.path_config(scenario.order_path, max_orders), self.instruments, self.ledger, self.orders,
            self.population.permission, self.population.risk_class, self.streams, self.fees, self.population.segment,
            told_from=self.population.clients,
        )  # fmt: skip

    def _build_background(self) -> None:
        section = self.scenario.world.background
        self.parameters = parameters = build.scaled_background(background_parameters(section.parameters), section)
        self.background = BackgroundFlow(parameters, self.instruments, self.traits.order_weight, self.streams)
        self.market_side = MarketSide(self.instruments.exchange)

    def _build_society(self) -> None:
        scenario = self.scenario
        login, profile = build.profiles(scenario)
        self.market = MarketColumns(self.instruments, self.traits.popularity)
        self.society = Society(
            self.streams, self.population, self.market, self.ledger, self.orders, self.path, self.ticks,
            build.habits(scenario), build.calling(scenario), scenario.compliance.lowest_class_share,
            login, profile, build.placement(self.parameters),
        )  # fmt: skip
        for block in self.population.blocks:
            section = getattr(scenario.clients, block.segment.name.lower())
            cohort = _KINDS[block.segment](self.society, block, build.traits(section), build.attention(scenario))
            self.society.cohorts.append(cohort)
        self.society.funds = Funds(self.society, build.fund_groups(scenario), self.traits, scenario.date)

    def run(self, clock: Clock) -> Generator[simpy.Event, None, None]:
        """SimPy process of the day: one step per quote interval, the auctions at their instants."""
        yield clock.wait_until(self.ticks[0].start)
        for index, tick in enumerate(self.ticks):
            self._enter_phase(tick)
            self._step(index, tick)
            yield clock.wait_until(tick.end)
            if tick.end in (OPEN_UNCROSS, CLOSE_UNCROSS):
                self._deliver(self.engine.uncross(tick.end))
                self.engine.set_phase(Phase.GAP)
            if tick.end == CLOSE_UNCROSS:
                self._deliver(self.engine.expire(tick.end))
        self.close(self.ticks[-1].end)

    def _enter_phase(self, tick: Tick) -> None:
        allowed = not any(start <= tick.start < end for start, end in NO_CANCEL)
        first = tick.start in {t for window in NO_CANCEL for t in window}
        if first or tick.phase != self.engine.phase:
            self.engine.set_phase(tick.phase, cancels_allowed=allowed)

    def _step(self, index: int, tick: Tick) -> None:
        """One quote interval: see, act, pass the broker, match, hear."""
        trading = tick.phase in (Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CLOSE_CALL)
        if trading:
            self.engine_quotes = self.engine.quotes()
            self.market.refresh(self.engine_quotes, tick.phase != Phase.CONTINUOUS)
        now = max(tick.start, _NEWS_FROM)
        self.society.begin(index, self.news.index_return(now))
        self.society.step()
        messages = self.path.advance(tick.end)
        if trading:
            messages = self.background.step(
                tick.start, tick.end, tick.phase, self.engine_quotes, self.news.fundamental(now), messages
            )
        if len(messages):
            self._deliver(self.engine.process(messages))
        self.society.hear(self.path.receive(tick.end))
        self.core_queue_max = max(self.core_queue_max, self.path.waiting("core"))

    def _deliver(self, tape: Tape) -> None:
        """The exchange's answers go to the broker and to the rest of the market."""
        if not len(tape):
            return
        self.path.deliver(tape)
        self.background.absorb(tape)
        self.market_side.add_tape(tape, BACKGROUND_BASE)

    def close(self, t_ns: int) -> None:
        """Book what is outstanding, end what is open, and prove that nothing was created or lost."""
        replies, self.ended_open = self.path.close(t_ns)
        self.society.hear(replies)
        self.society.rest()
        self.engine.check()
        self.ledger.require_nothing_held()
        self._check_conservation()

    def _check_conservation(self) -> None:
        totals = self.ledger.totals(len(self.instruments))
        self.cash_difference = totals.money - self.society.cash_brought + self.background.cash
        if self.cash_difference != 0:
            raise ConservationError(f"{self.cash_difference} fen have appeared", where="end of the trading day")
        shares = totals.shares - self.society.shares_brought + self.background.shares
        if shares.any():
            row = int(np.flatnonzero(shares)[0])
            raise ConservationError(f"{int(shares[row])} shares have appeared", where=f"instrument {row}")
