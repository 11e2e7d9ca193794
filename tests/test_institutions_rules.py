"""Institutions keep the market's rules: T+1, cash, lots, phases; and each does what its kind does."""

from __future__ import annotations

from collections.abc import Sequence

import mesa
import numpy as np
import pytest

from agents.institutions import KINDS, Institution
from agents.institutions.base import Intents, MarketView, OrderIntent, Seat
from agents.institutions.etf_maker import EtfMaker
from agents.institutions.index_fund import IndexFund
from agents.institutions.margin_account import MarginAccount
from agents.institutions.market_maker import MarketMaker
from agents.institutions.momentum_fund import MomentumFund
from agents.institutions.mutual_fund import MutualFund
from agents.institutions.stabilisation_fund import StabilisationFund
from twin.clock import Phase, at, trading_ticks
from twin.contracts import Board, Orders, Quotes
from twin.randomness import Streams
from twin.world import IndexDay, MarketConfig, NewsPath, make_instruments

STREAMS = Streams(3)
INSTRUMENTS, TRAITS = make_instruments(MarketConfig(instruments=150, share_funds=0.05), STREAMS)
CAPITAL = 50_000_000_000
LATE = (IndexFund, MarginAccount)
ACCOUNT: dict[type[Institution], int] = {MarginAccount: 6}
"""Accounts whose draw makes something happen on the day of the test."""


def _agent(kind: type[Institution], account: int = 5) -> Institution:
    settings = kind.Settings(capital=CAPITAL)
    if kind is MarginAccount:  # old contracts whose shares have moved far, so that the fall of the day matters
        settings = MarginAccount.Settings(capital=CAPITAL, age=400, volatility=0.05)
    return kind(mesa.Model(), Seat(account, INSTRUMENTS, TRAITS, STREAMS), settings)


def _columns(orders: Sequence[OrderIntent]) -> Orders:
    """Orders as columns; their numbers are their rows."""
    time, account, instrument, side, price, quantity = np.array(orders, np.int64).reshape(-1, 6).T
    return Orders(time, np.arange(len(orders)), account, instrument, side, np.zeros_like(side), price, quantity)


class Broker:
    """Fills or cancels what it is given, at random, and keeps books of its own."""

    def __init__(self, agent: Institution, seed: int) -> None:
        self.agent, self.rng = agent, np.random.default_rng(seed)
        self.morning = np.array(agent.sellable)
        self.sold = np.zeros_like(self.morning)
        self.bought = np.zeros_like(self.morning)
        self.cash = agent.cash
        self.open: dict[int, list[int]] = {}
        self.orders: list[tuple[int, ...]] = []
        self.cancels = 0

    def take(self, intents: Intents) -> None:
        self.cancels += len(intents.cancels)
        for cancel in intents.cancels:
            assert cancel.order in self.open
        assert np.all(np.diff([o.time for o in intents.orders]) >= 0)
        numbers = range(len(self.orders), len(self.orders) + len(intents.orders))
        for n, (_, _, i, s, p, q) in zip(numbers, intents.orders, strict=True):
            assert INSTRUMENTS.limit_down[i] <= p <= INSTRUMENTS.limit_up[i]
            smallest = (100, 100, 200, 100, 10)[INSTRUMENTS.board[i]]
            assert smallest <= q <= (1_000_000, 300_000, 100_000, 1_000_000, 100_000)[INSTRUMENTS.board[i]]
            assert q % (10 if INSTRUMENTS.board[i] == Board.FUND else 100) == 0
            self.open[n] = [i, s, p, q]
            self.orders.append((n, i, s, p, q))
        self.agent.on_submitted(numbers)
        for cancel in intents.cancels:
            if self.rng.random() < 0.9:
                del self.open[cancel.order]
                self.agent.on_done(cancel.order)
        self.fill()
        if not intents.orders:
            return
        committed = np.zeros_like(self.morning)
        reserved = 0
        for i, s, p, q in self.open.values():
            committed[i] += q if s < 0 else 0
            reserved += p * q if s > 0 else 0
        assert np.all(self.sold + committed <= self.morning)  # T+1: today's buys are not sold
        assert reserved <= self.cash

    def fill(self) -> None:
        numbers = list(self.open)
        for row in np.flatnonzero(self.rng.random(len(numbers)) < 0.04):
            n = numbers[int(row)]
            i, s, p, q = self.open[n]
            done = q if self.rng.random() < 0.7 else max(q // 20 * 10, 10)
            price = p - s * int(self.rng.integers(0, 2))
            self.agent.on_fill(n, price, done)
            self.cash -= s * price * done
            (self.bought if s > 0 else self.sold)[i] += done
            self.open[n][3] -= done
            if self.open[n][3] == 0:
                del self.open[n]


def _run(
    kind: type[Institution], day: IndexDay, account: int = 5, until: str = "15:00"
) -> tuple[Broker, list[tuple[MarketView, Intents]]]:
    agent = _agent(kind, account)
    broker = Broker(agent, account)
    news = NewsPath(day, INSTRUMENTS, TRAITS, STREAMS)
    log = []
    for tick in trading_ticks():
        if tick.start >= at(until):
            break
        value = news.fundamental(tick.start).astype(np.int64)
        bid, ask = value - 1, value + 1
        if tick.phase in (Phase.OPEN_CALL, Phase.CLOSE_CALL):
            bid = ask = value
        zero = np.zeros_like(bid)
        quotes = Quotes(value, bid * (value % 50 > 0), ask, zero, zero, zero, zero)
        view = MarketView(tick.start, tick.end, tick.phase, quotes, news.index_return(tick.start))
        intents = agent.step(view)
        if len(intents.orders) or len(intents.cancels):
            log.append((view, intents))
            for part in (intents.orders, intents.cancels):
                assert all(tick.start <= intent.time < tick.end for intent in part)
                assert all(intent.account == account for intent in part)
        broker.take(intents)
    return broker, log


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
def test_books_of_the_agent_agree_with_the_broker(kind: type[Institution]) -> None:
    broker, log = _run(kind, IndexDay(-0.05, -0.04, -0.095, -0.09), account=ACCOUNT.get(kind, 5))
    agent = broker.agent
    assert len(broker.orders) > (0 if kind is MarginAccount else 20)
    assert np.array_equal(agent.position, broker.morning + broker.bought - broker.sold)
    for number in list(agent.working):
        agent.on_done(number)
    assert agent.cash == broker.cash
    assert np.array_equal(agent.sellable, broker.morning - broker.sold)
    assert {view.phase for view, _ in log} == {kind.phase}


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
def test_the_same_seed_gives_the_same_day(kind: type[Institution]) -> None:
    day = IndexDay(-0.05, -0.04, -0.095, -0.09)
    first, second = (_run(kind, day, until="15:00" if kind in LATE else "10:30")[0].orders for _ in range(2))
    assert len(first) > 10 or kind is MarginAccount
    assert first == second


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
def test_endowment_is_worth_the_capital(kind: type[Institution]) -> None:
    agent = _agent(kind, 9)
    endowment = agent.endowment
    worth = endowment.cash + int((endowment.shares * INSTRUMENTS.previous_close).sum())
    if isinstance(agent, MarginAccount):
        assert worth >= 1.3 * (agent.debt + agent.interest) > 0
    else:
        assert worth == CAPITAL
    assert (np.count_nonzero(endowment.shares) > 0) == (kind is not StabilisationFund)
    assert kind is EtfMaker or np.count_nonzero(endowment.shares) <= agent.settings.names
    assert kind is EtfMaker or np.all(INSTRUMENTS.board[endowment.shares > 0] != Board.FUND)
    assert np.all(endowment.shares % 100 == 0)


def test_market_maker_never_crosses_the_market_or_itself() -> None:
    _, log = _run(MarketMaker, IndexDay(0.0, 0.02, -0.02, 0.01))
    quoted = 0
    for view, intents in log:
        o = _columns(intents.orders)
        buy, sell = o.side > 0, o.side < 0
        assert np.all(o.price[buy] < view.quotes.ask[o.instrument[buy]])
        assert np.all(o.price[sell] > view.quotes.bid[o.instrument[sell]])
        for i in np.intersect1d(o.instrument[buy], o.instrument[sell]):
            assert o.price[buy & (o.instrument == i)][0] < o.price[sell & (o.instrument == i)][0]
            quoted += 1
    assert quoted > 500


def test_market_maker_with_more_shares_quotes_lower() -> None:
    def quotes(gained: int) -> tuple[int, int]:
        maker = _agent(MarketMaker)
        i = int(maker.universe[0])
        maker.position[i] += gained
        close = INSTRUMENTS.previous_close
        zero = np.zeros_like(close)
        wide = np.full_like(close, 20)
        view = MarketView(
            at("10:00"),
            at("10:00:03"),
            Phase.CONTINUOUS,
            Quotes(close, close - wide, close + wide, zero, zero, zero, zero),
            0.0,
        )
        o = _columns(maker.step(view).orders)
        mine = o.instrument == i
        return int(o.price[mine & (o.side > 0)][0]), int(o.price[mine & (o.side < 0)][0])

    start = int(_agent(MarketMaker).position[_agent(MarketMaker).universe[0]])
    flat, long = quotes(0), quotes(start * 45 // 100)
    assert long[0] < flat[0]
    assert long[1] < flat[1]


def test_index_fund_trades_once_in_the_closing_call() -> None:
    broker, log = _run(IndexFund, IndexDay(0.0, 0.01, -0.01, 0.0))
    assert len(log) == 1
    assert at("14:57") <= log[0][0].t0 < at("14:58:03")
    assert broker.cancels == 0
    value = sum(p * q for _, _, _, p, q in broker.orders)
    assert 0.001 < value / CAPITAL < 0.05


def test_mutual_fund_sells_more_the_further_the_index_falls() -> None:
    sold = []
    for close in (0.0, -0.03, -0.07):
        low = min(close, -0.005)
        broker, _ = _run(MutualFund, IndexDay(0.0, 0.005, low, close))
        sold.append(int((broker.sold * INSTRUMENTS.previous_close).sum()))
    assert sold[0] < sold[1] < sold[2]


def test_mutual_fund_spreads_its_parents_over_the_day() -> None:
    _, log = _run(MutualFund, IndexDay(0.0, 0.005, -0.005, 0.0))
    times = np.array([order.time for _, intents in log for order in intents.orders])
    shares = np.histogram(times, [at(t) for t in ("09:30", "10:30", "11:30", "13:00", "14:00", "15:00")])[0] / len(
        times
    )
    assert shares[2] == 0
    assert np.all(shares[[0, 1, 3, 4]] > 0.1)


def test_quant_funds_cancel_half_and_more() -> None:
    broker, _ = _run(MomentumFund, IndexDay(0.0, 0.01, -0.01, 0.0))
    assert broker.cancels / len(broker.orders) > 0.5  # domain B58
