"""From a scenario to the parts of the house: units are base units already, only names and shapes change here."""

from __future__ import annotations

import dataclasses

import numpy as np

from agents.background import BackgroundParameters
from agents.behaviour.attention import Attention
from agents.behaviour.profile import LoginProfile, OrderProfile
from agents.cohort import Placement, Traits
from agents.institutions import KINDS, Institution
from agents.society import Calling
from agents.timers import Persistence
from scenarios.broker import OrderPath as OrderPathSection
from scenarios.broker import Station
from scenarios.schema import Background, ClientSegment, Scenario
from twin.clearing.fees import FeeSchedule, schedule_on
from twin.clock import SECOND, Tick, at, trading_ticks
from twin.contracts import Segment
from twin.routing.config import Law, OrderPathConfig, ServiceTime, StationConfig
from twin.world import IndexDay, MarketConfig

FIRST_TICK, LAST_TICK = at("08:45"), at("15:06")
"""Clients may send orders from 08:45; by 15:06 the day's messages have left the path or never will."""
IDLE_STEP = 30 * SECOND
"""Width of the intervals in which nothing is traded."""
STUCK_AFTER = 60 * SECOND
"""An order without an acknowledgement for so long counts as stuck (assumed)."""
ALARM_AFTER = 30 * SECOND
"""A client who finds no answer after so long is alarmed (assumed)."""
SLOW_LOGIN = 30 * SECOND


def day_ticks() -> list[Tick]:
    """The quote intervals that a day is stepped through."""
    return list(trading_ticks(FIRST_TICK, LAST_TICK, idle_step=IDLE_STEP))


def index_day(scenario: Scenario) -> IndexDay:
    """The index's open, high, low and close of the scenario's world."""
    index = scenario.world.index
    return IndexDay(index.open, index.high, index.low, index.close, index.volatility_day)


def market_config(scenario: Scenario) -> MarketConfig:
    """What is listed: the share of the main boards is split between the exchanges as in the defaults."""
    world, usual = scenario.world, MarketConfig()
    boards = world.boards
    main = usual.share_main_sse + usual.share_main_szse
    return MarketConfig(
        instruments=world.instruments,
        share_main_sse=boards.main * usual.share_main_sse / main,
        share_main_szse=boards.main * usual.share_main_szse / main,
        share_chinext=boards.chinext,
        share_star=boards.star,
        share_bse=boards.bse,
        share_funds=boards.funds,
        share_st=boards.st,
        share_new=boards.new,
    )


def _station(section: Station, law: Law = Law.EXPONENTIAL) -> StationConfig:
    return StationConfig(section.capacity, ServiceTime(section.service_time, law))


def path_config(section: OrderPathSection, max_orders: int) -> OrderPathConfig:
    """The order path's stations."""
    return OrderPathConfig(
        network=ServiceTime(max(section.network.delay, 1), Law.LOGNORMAL, max(section.network.cv, 1e-6)),
        gateway_rate=section.gateway.flow_control,
        gateway_service_ns=max(section.gateway.service_time, 1),
        authentication=_station(section.authentication),
        suitability=_station(section.suitability),
        suitability_budget_ns=section.suitability.budget,
        on_timeout=section.suitability.on_timeout,
        checks=_station(section.checks),
        core=_station(section.core),
        exchange_gateways=section.exchange_gateway.per_exchange,
        exchange_gateway_rate=section.exchange_gateway.rate,
        exchange_latency_ns=max(section.exchange.latency, 1),
        report=_station(section.report, Law.CONSTANT),
        stuck_ns=STUCK_AFTER,
        max_orders=max_orders,
    )


def traits(section: ClientSegment) -> Traits:
    """What a segment's clients are like."""
    return Traits(
        active_share=section.active_share,
        orders_per_active=section.orders_per_active,
        activity_cv=section.activity_cv,
        limit_share=section.limit_share,
        assets_median=section.assets_median,
        assets_sigma=section.assets_sigma,
        invested=section.invested,
        order_value_median=section.order_value_median,
        order_value_sigma=section.order_value_sigma,
        top10_share=section.top10_share,
        panic=section.panic,
        trend=section.trend,
        risk_classes=section.risk_classes,
        mismatch_rate=section.mismatch_rate,
        cancel_willing=section.cancel_willing_share,
        cancel_median=max(section.cancel_after, 1),
        cancel_sigma=section.cancel_sigma,
    )


def attention(scenario: Scenario) -> Attention:
    """A fresh state of attention and fear."""
    section = scenario.clients.attention
    return Attention(section.elasticity, section.half_life, section.typical)


def habits(scenario: Scenario) -> Persistence:
    """What clients do about an order without an answer."""
    retry, call = scenario.clients.retry, scenario.clients.call
    return Persistence(retry.patience, retry.looks, retry.probability, retry.backoff, ALARM_AFTER, call.when_stuck)


def profiles(scenario: Scenario) -> tuple[LoginProfile, OrderProfile]:
    """The day's rhythm of log-ins and orders."""
    return LoginProfile(first_5min=scenario.clients.login.first_5min_share), OrderProfile()


def mix(scenario: Scenario) -> dict[Segment, float]:
    """Shares of the client segments."""
    shares = scenario.clients.mix
    return {Segment.RETAIL: shares.retail, Segment.GEN_Z: shares.gen_z, Segment.HNW: shares.hnw}


def expected_orders(scenario: Scenario) -> int:
    """A generous bound on the client orders of a day, for the size of the (lazily committed) order table."""
    clients = scenario.clients
    total = 0.0
    for segment, share in mix(scenario).items():
        part: ClientSegment = getattr(clients, segment.name.lower())
        total += clients.count * share * (0.02 + part.active_share) * (1 + part.orders_per_active)
    return int(np.clip(total * 12, 1 << 20, 60_000_000))


def calling(scenario: Scenario) -> Calling:
    """Who telephones the service desk."""
    call = scenario.clients.call
    return Calling(call.when_refused, call.when_login_fails, SLOW_LOGIN)


def fund_groups(scenario: Scenario) -> dict[str, Institution.Settings]:
    """Settings of the institutions by the name of their section."""
    groups = scenario.world.institutions
    return {name: kind.Settings(**dict(getattr(groups, name))) for name, kind in KINDS.items()}


def placement(parameters: BackgroundParameters) -> Placement:
    """Where clients' limit orders go: as the recorded orders at a spread of normal width."""
    marketable, inside, best, _ = (float(share) for share in parameters.placement[1])
    return Placement(
        aggressive=marketable,
        at_best=inside + best,
        behind_scale=parameters.behind_scale * parameters.unit_slope,
        behind_tail=parameters.behind_exponent,
    )


def expected_active(scenario: Scenario) -> float:
    """Clients who log in on an ordinary day."""
    clients = scenario.clients
    parts = ((share, getattr(clients, segment.name.lower())) for segment, share in mix(scenario).items())
    return sum(clients.count * share * float(part.active_share) for share, part in parts)


def fee_schedule(scenario: Scenario) -> FeeSchedule:
    """The day's fees with the broker's own commission."""
    section = scenario.clearing
    return schedule_on(scenario.date, round(section.commission * 1_000_000), section.commission_min)


def institution_count(scenario: Scenario) -> int:
    """Institutional accounts, one per institution."""
    return sum(group.count for group in fund_groups(scenario).values())


def position_slots(scenario: Scenario) -> int:
    """A generous bound on position slots (lazily committed): twelve per client who may come, all names for funds."""
    return 12 * scenario.clients.count // 2 + 2 * institution_count(scenario) * scenario.world.instruments + 4096


def scaled_background(parameters: BackgroundParameters, section: Background) -> BackgroundParameters:
    """The fitted flow with the scenario's number of messages; the share of cancels among them stays as fitted."""
    usual = 27_000
    orders = parameters.orders_per_day * section.orders_per_instrument_day / usual
    return dataclasses.replace(parameters, orders_per_day=orders)
