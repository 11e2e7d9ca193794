"""The trading day: who acts, how it reaches the exchange, what comes back; one step per quote interval."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import simpy

from agents.background import news_pace
from agents.cohort import Cohort
from agents.funds import Funds
from agents.gen_z import GenZ
from agents.hnw import HighNetWorth
from agents.market import MarketColumns
from agents.market_flow import MarketFlow
from agents.population import Population, blocks
from agents.retail import Retail
from agents.society import Society
from scenarios import build
from scenarios.calibration import background_parameters
from scenarios.market import exchange_day, quote_feed
from scenarios.schema import Scenario
from twin.clearing.netting import MarketSide
from twin.clock import SECOND, Clock, Phase, Tick, at, trading_ticks
from twin.contracts import Messages, Segment, Tape
from twin.errors import ConservationError
from twin.ledger import FeeRates, Ledger
from twin.matching.publishing import Publisher
from twin.matching.rules import Rulebook
from twin.randomness import Streams
from twin.routing.orders import OrderTable
from twin.routing.path import BACKGROUND_BASE, OrderPath
from twin.world import NewsPath, make_instruments

_KINDS: dict[Segment, type[Cohort]] = {Segment.RETAIL: Retail, Segment.GEN_Z: GenZ, Segment.HNW: HighNetWorth}
_NEWS_FROM = at("09:15")
_TRADING = (Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CLOSE_CALL)
_LATE_STEP = 60 * SECOND


class TradingDay:
    """One day of the market and of the broker's order path.

    Args:
        scenario: what to simulate.
        streams: random numbers of the replication.
        record: instruments whose order, trade and snapshot feeds are kept in `publisher`.
    """

    def __init__(self, scenario: Scenario, streams: Streams, record: Sequence[int] = ()) -> None:
        self.scenario, self.streams = scenario, streams
        self.ticks = build.day_ticks()
        rules = Rulebook.load().on(scenario.date)
        self.instruments, self.traits = make_instruments(build.market_config(scenario), streams, rules)
        section = scenario.world.background
        self.parameters = build.scaled_background(background_parameters(section.parameters), section)
        pace = news_pace(self.parameters, np.array([tick.start for tick in trading_ticks()]))
        self.news = NewsPath(build.index_day(scenario), self.instruments, self.traits, streams, pace=pace)
        self.order_rules = rules.order_rules(self.traits.listing)
        self.publisher = Publisher(self.instruments, record) if record else None
        self.exchange = exchange_day(scenario, rules, self.instruments, self.traits, streams, self.publisher)
        self.engine = self.exchange.engine
        self.engine_quotes = self.engine.quotes()
        self.feed = quote_feed(scenario, self.instruments)
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
            told_from=self.population.clients, rules=self.order_rules,
        )  # fmt: skip

    def _build_background(self) -> None:
        self.background = MarketFlow(
            self.parameters, self.instruments, self.traits.order_weight, self.streams, rules=self.exchange.rules
        )
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
        """SimPy process of the day: a step per quote interval, then after-hours trading if anybody takes part."""
        yield clock.wait_until(self.ticks[0].start)
        for index, tick in enumerate(self.ticks):
            self._step(index, tick)
            yield clock.wait_until(tick.end)
        now = self.ticks[-1].end
        after = self.exchange.after_hours
        while after is not None and after and now <= after.end:
            now += _LATE_STEP
            self._deliver(self.exchange.process(self.path.advance(now), now))
            self.society.hear(self.path.receive(now))
            yield clock.wait_until(now)
        self.close(now)

    def _step(self, index: int, tick: Tick) -> None:
        """One quote interval: see, act, pass the broker, match, hear."""
        self._deliver(self.exchange.reach(tick.start))
        if self.publisher is not None:
            self.publisher.snapshot(tick.start, self.engine, self.exchange.phases)
        if tick.phase in _TRADING:
            self._publish(tick)
        self.society.begin(index, self.news.index_return(max(tick.start, _NEWS_FROM)))
        self.society.step()
        self._deliver(self._meet(self.path.advance(tick.end), tick))
        self.society.hear(self.path.receive(tick.end))
        self.core_queue_max = max(self.core_queue_max, self.path.waiting("core"))

    def _publish(self, tick: Tick) -> None:
        """The exchange publishes its quotes; the clients see what their market data make of them."""
        calls = self.exchange.in_call
        self.engine_quotes = self.exchange.quotes()
        self.market.refresh(self.feed.publish(tick.start, self.engine_quotes, calls), calls)

    def _meet(self, messages: Messages, tick: Tick) -> Tape:
        """The broker's messages meet those of the rest of the market at the exchange."""
        if tick.phase not in _TRADING:
            return self.exchange.process(messages, tick.end)
        value, move = self.news.fundamental(tick.start), self.news.index_return(tick.start)

        def match(theirs: Messages, start: int, end: int) -> Tape:
            return self.background.step(self.engine, start, end, value, move, theirs, by_time=False)

        return self.exchange.process(messages, tick.end, match)

    def _deliver(self, tape: Tape) -> None:
        """The exchange's answers go to the broker and to the rest of the market.

        Trades within the rest of the market move nothing between it and the broker: only the other rows are sorted.
        """
        if not len(tape):
            return
        self.background.absorb(self.engine, tape)
        ours = (tape.order < BACKGROUND_BASE) | ((tape.counter >= 0) & (tape.counter < BACKGROUND_BASE))
        rows = np.flatnonzero(ours)
        tape = tape.take(rows[np.argsort(tape.time[rows], kind="stable")])
        self.path.deliver(tape)
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
