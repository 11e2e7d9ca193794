"""A day of the whole exchange alone, without the broker: every instrument's orders, matched, from call to close.

Instruments do not interact, so that a few at a time are run through the whole day: their books stay in the cache and
little memory is needed. Every draw is keyed by the instrument, so that the result does not depend on how the market is
split over processes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import multiprocessing
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.background import Attention, BackgroundParameters, Profile, news_pace
from agents.market_flow import Keep, MarketFlow
from scenarios.calibration import background_parameters
from twin.clock import TICK, Phase, at, require_trading_day, trading_ticks
from twin.contracts import Batch, Instruments, IntColumn, Messages, Tape
from twin.errors import CapacityError, ScenarioError
from twin.matching.engine import MatchingEngine
from twin.matching.rules import Rulebook
from twin.news import IndexDay, NewsPath
from twin.randomness import Streams
from twin.world import InstrumentTraits, MarketConfig, make_instruments

CHUNK = 16
"""Instruments that one call runs through the day."""
_CALLS = (Phase.OPEN_CALL, Phase.CLOSE_CALL)


@dataclass(frozen=True)
class MarketDay:
    """What day of the exchange to simulate.

    Args:
        market: what is listed.
        date: a trading day; its rules hold.
        index: the day of the index.
        seed, replication: of the random numbers.
        orders: new orders to expect in all; as recorded days have them if not given.
        parameters: file of the fitted parameters.
    """

    market: MarketConfig = field(default_factory=MarketConfig)
    date: dt.date = dt.date(2024, 10, 8)
    index: IndexDay = field(default_factory=IndexDay)
    seed: int = 1
    replication: int = 0
    orders: float | None = None
    parameters: str = "background.yaml"

    def __post_init__(self) -> None:
        require_trading_day(self.date)
        if self.orders is not None and not 1 <= self.orders <= 1e12:
            raise ScenarioError(f"{self.orders:g} orders", where="market day", hint="Give 1 to 1e12.")


@dataclass(frozen=True)
class Totals(Batch):
    """The day in numbers, one row per instrument; turnover in fen, prices in ticks; `digest` stands for its tape."""

    instrument: IntColumn
    orders: IntColumn
    cancels: IntColumn
    trades: IntColumn
    volume: IntColumn
    turnover: IntColumn
    last: IntColumn
    digest: IntColumn

    def fingerprint(self) -> str:
        """Hex digest of all of it; equal for any number of workers."""
        return hashlib.sha256(np.stack(list(vars(self).values())).tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class InstrumentDay:
    """Everything that happened in one instrument; `order` counts its new orders from 0.

    Attributes:
        instrument: row in the market.
        previous_close: ticks.
        messages, tape: as the exchange took and gave them.
        times: ends of the quote intervals, ns.
        quotes: int64[times, 4], best bid, best ask and their shares.
    """

    instrument: int
    previous_close: int
    messages: Messages
    tape: Tape
    times: IntColumn
    quotes: IntColumn


@dataclass(frozen=True)
class Market:
    """What every worker knows of the market."""

    plan: MarketDay
    parameters: BackgroundParameters
    instruments: Instruments
    traits: InstrumentTraits
    times: IntColumn
    activity: NDArray[np.float64]
    values: str
    """File of the values, float32[instruments, ticks]."""


def simulate_market(plan: MarketDay, *, workers: int = 1, progress: Callable[[int, int], None] | None = None) -> Totals:
    """Run the day; returns the totals of every instrument.

    Args:
        plan: which day.
        workers: processes; the result is the same for any number.
        progress: called with the instruments done and all of them.
    """
    return run_market(plan, _totals_of, workers=workers, progress=progress)


def market_days(plan: MarketDay, instruments: Iterable[int] | None = None) -> Iterator[InstrumentDay]:
    """Run the day and stream everything of the chosen instruments, or of all, one by one."""
    with tempfile.TemporaryDirectory() as folder:
        market = _prepare(plan, Path(folder))
        chosen = np.arange(len(market.instruments)) if instruments is None else np.array(sorted(instruments), np.int64)
        for rows in _chunks(chosen, market):
            yield from Shard(market, rows, keep=True).days()


def run_market(
    plan: MarketDay,
    work: Callable[[Market, IntColumn], Totals],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Totals:
    """Let `work` run every part of the market, in several processes if asked; returns the totals in order."""
    if workers < 1:
        raise ScenarioError(f"{workers} workers", hint="Give at least 1.")
    with tempfile.TemporaryDirectory() as folder:
        market = _prepare(plan, Path(folder))
        parts: list[Totals] = []
        done, n = 0, len(market.instruments)
        for part in _results(market, _chunks(np.arange(n), market), work, workers):
            parts.append(part)
            done += len(part)
            if progress is not None:
                progress(done, n)
    whole = Totals.concat(parts)
    return whole.take(np.argsort(whole.instrument))


def _results(
    market: Market, chunks: list[IntColumn], work: Callable[[Market, IntColumn], Totals], workers: int
) -> Iterator[Totals]:
    if workers == 1:
        yield from (work(market, rows) for rows in chunks)
        return
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(min(workers, len(chunks)), context, _start_worker, (market, work)) as pool:
            for future in as_completed([pool.submit(_work, rows) for rows in chunks]):
                yield future.result()
    except BrokenProcessPool as error:
        raise CapacityError("a worker process died", hint="Was memory short? Use fewer workers.") from error


_JOB: list[Callable[[IntColumn], Totals]] = []
"""In a worker process: what to do with a chunk."""


def _start_worker(market: Market, work: Callable[[Market, IntColumn], Totals]) -> None:
    _JOB[:] = [partial(work, market)]


def _work(rows: IntColumn) -> Totals:
    return _JOB[0](rows)


def _totals_of(market: Market, rows: IntColumn) -> Totals:
    return Shard(market, rows).totals()


def _prepare(plan: MarketDay, folder: Path) -> Market:
    """Draw the market and its values; the values go to a file that all processes read."""
    streams = Streams(plan.seed, plan.replication)
    instruments, traits = make_instruments(plan.market, streams, Rulebook.load().on(plan.date))
    parameters = background_parameters(plan.parameters)
    starts = np.array([tick.start for tick in trading_ticks()], np.int64)
    news = NewsPath(plan.index, instruments, traits, streams, pace=news_pace(parameters, starts))
    times: IntColumn = np.append(starts, at("15:00"))
    attention = Attention(parameters)
    activity = np.array([attention.factor(int(t), float(r)) for t, r in zip(times, news.index, strict=False)])
    if plan.orders is not None:
        share = np.diff(Profile(parameters.profile).at_edges(times))
        each = plan.orders / len(instruments) / float(share @ activity)
        parameters = replace(parameters, orders_per_day=each)
    file = folder / "values.npy"
    values = np.stack([news.fundamental(int(t)) for t in news.starts]).astype(np.float32)
    np.save(file, np.ascontiguousarray(values.T))
    return Market(plan, parameters, instruments, traits, times, activity, str(file))


def _chunks(rows: IntColumn, market: Market) -> list[IntColumn]:
    """A few instruments of one kind, and thus of one timetable, each; the busiest first, lest a giant come last."""
    weight = market.traits.order_weight
    listing = market.traits.listing
    kind = (listing.exchange[rows] * 16 + listing.board[rows]) * 16 + listing.product[rows]
    chunks: list[IntColumn] = []
    for each in np.unique(kind).tolist():
        order = rows[kind == each]
        order = order[np.argsort(-weight[order], kind="stable")]
        chunks += [np.sort(order[k : k + CHUNK]) for k in range(0, len(order), CHUNK)]
    return sorted(chunks, key=lambda chunk: -float(weight[chunk].sum()))


class Shard:
    """A few instruments of one kind, from the opening call to the close."""

    def __init__(self, market: Market, rows: IntColumn, *, keep: bool = False) -> None:
        plan = market.plan
        self.rows, self.market, self._keep = rows, market, keep
        self.instruments = market.instruments.take(rows)
        day = Rulebook.load().on(plan.date)
        rules = day.order_rules(market.traits.listing.take(rows))
        self.engine = MatchingEngine(self.instruments, rules=rules)
        self.flow = MarketFlow(
            market.parameters, self.instruments, market.traits.order_weight[rows],
            Streams(plan.seed, plan.replication), ids=rows, rules=rules,
        )  # fmt: skip
        self._values = np.load(market.values, mmap_mode="r")[rows].T.astype(np.float64)
        self._tapes: list[Tape] = []
        self._quotes: list[IntColumn] = []
        self._times: list[IntColumn] = []
        kind = (
            int(self.instruments.exchange[0]),
            int(self.instruments.board[0]),
            int(market.traits.listing.product[rows[0]]),
        )
        self._run([(s.phase, s.start, s.end) for s in day.sessions(*kind)], day.no_cancel(*kind))

    def _run(self, sessions: list[tuple[Phase, int, int]], no_cancel: tuple[tuple[int, int], ...]) -> None:
        """The day's sessions, cut where the right to cancel begins or ends."""
        close = 0
        for phase, start, end in sessions:
            if phase not in (*_CALLS, Phase.CONTINUOUS):
                continue
            cuts = sorted({start, end, *(t for window in no_cancel for t in window if start < t < end)})
            for a, b in pairwise(cuts):
                allowed = not any(first <= a < last for first, last in no_cancel)
                self.engine.set_phase(phase, cancels_allowed=allowed, time=a)
                self._span(a, b)
            if phase in _CALLS:
                self._add(self.engine.uncross(end))
                self.engine.set_phase(Phase.GAP, time=end)
            close = end
        self._add(self.engine.expire(close))
        self.engine.check()

    def _span(self, start: int, end: int) -> None:
        market = self.market
        edges: IntColumn = np.append(np.arange(start, end, TICK), end)
        row = np.searchsorted(market.times, edges[:-1], side="right") - 1
        sample = np.zeros((len(row), len(self.rows), 4), np.int64) if self._keep else None
        tape = self.flow.advance(
            self.engine, edges, self._values[row], market.activity[row],
            keep=Keep.NUMBERED if self._keep else Keep.OTHERS, log=self._keep, sample=sample,
        )  # fmt: skip
        if sample is not None:
            self._tapes.append(tape)
            self._quotes.append(sample)
            self._times.append(edges[1:])
        self._add(self.engine.wake(end - 1))

    def _add(self, tape: Tape) -> None:
        """Take note of what came of no message."""
        if len(tape):
            tape = self.flow.number(self.engine, tape)
            if self._keep:
                self._tapes.append(tape)

    def totals(self) -> Totals:
        """The day in numbers."""
        orders, cancels, trades = self.flow.counts
        quotes = self.engine.quotes()
        return Totals(
            self.rows, orders, cancels, trades, quotes.volume, quotes.turnover, quotes.last, self.flow.digests
        )

    def days(self) -> Iterator[InstrumentDay]:
        """What happened in each instrument."""
        tape, times, quotes = Tape.concat(self._tapes), np.concatenate(self._times), np.concatenate(self._quotes)
        sent = self.flow.sent
        for k, row in enumerate(self.rows.tolist()):
            yield InstrumentDay(
                row,
                int(self.instruments.previous_close[k]),
                _renamed(sent.take(sent.instrument == k), row),
                _renamed(tape.take(tape.instrument == k), row),
                times,
                quotes[:, k],
            )


B = TypeVar("B", Messages, Tape)


def _renamed(batch: B, instrument: int) -> B:
    return replace(batch, instrument=np.full(len(batch), instrument, np.int64))
