"""Books, batches and random streams of actions for the tests of the matching engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from reference_book import Listing, ReferenceEngine

from twin.clock import Phase
from twin.contracts import Instruments, MessageKind, Messages, OrderRules, Side, Tape
from twin.matching.engine import MatchingEngine

Rows = list[tuple[int, ...]]
BUY, SELL = int(Side.BUY), int(Side.SELL)
KINDS = tuple(int(k) for k in MessageKind)
LIMIT, MARKET, CANCEL, IOC, BEST5_LIMIT, OWN_BEST, COUNTER_BEST, SWEEP, FOK, REDUCE, REPLACE, AMEND, FIXED = KINDS
NO_RULES = dict.fromkeys(OrderRules.__dataclass_fields__, 0)


def listed(*rows: tuple[int, int, int, int]) -> Instruments:
    """Instruments of (exchange, previous close, lower limit, upper limit)."""
    a = np.array(rows, np.int64).reshape(-1, 4)
    zero = np.zeros(len(a), np.int64)
    return Instruments(a[:, 0].copy(), zero, a[:, 1].copy(), a[:, 2].copy(), a[:, 3].copy(), zero + 100, zero)


def order_rules(*rows: dict[str, int]) -> OrderRules:
    """Rules of instruments, each given by what is not 0."""
    filled = [NO_RULES | row for row in rows]
    return OrderRules(*(np.array([row[name] for row in filled], np.int64) for name in NO_RULES))


def batch(rows: Rows) -> Messages:
    """Messages of (time, kind, instrument, side, price, quantity, order)."""
    return Messages(*np.array(rows, np.int64).reshape(-1, 7).T.copy())


def rows_of(tape: Any) -> Rows:
    """The rows of a batch as tuples of integers."""
    return [tuple(int(x) for x in row) for row in zip(*vars(tape).values(), strict=True)]


def one_book(phase: Phase = Phase.CONTINUOUS, exchange: int = 0, close: int = 100, **given: Any) -> MatchingEngine:
    """An engine of one instrument between 50 and 150 ticks."""
    rules = given.pop("rules", None)
    engine = MatchingEngine(
        listed((exchange, close, 50, 150)), rules=None if rules is None else order_rules(rules), max_orders=64, **given
    )
    engine.set_phase(phase)
    return engine


def send(engine: MatchingEngine, *rows: tuple[int, int, int, int, int], time: int = 9) -> Rows:
    """Rows of (kind, side, price, quantity, order) to instrument 0; tape rows without time and instrument."""
    return brief(engine.process(batch([(time, k, 0, side, price, q, order) for k, side, price, q, order in rows])))


def brief(tape: Tape) -> Rows:
    """(kind, side, price, quantity, order, counter, leaves) of every row."""
    return [(r[1], *r[3:]) for r in rows_of(tape)]


# Narrow ladders, so that orders meet often; the third and the last span several words of the bitmap.
LISTINGS = ((0, 20, 15, 25), (1, 20, 15, 25), (0, 200, 100, 300), (1, 40, 20, 70), (0, 12, 1, 400), (2, 30, 10, 90))
HALTS = {"halt_first_ppm": 300_000, "halt_second_ppm": 600_000, "halt_ns": 37, "halt_until": 900}
RULES: tuple[dict[str, int], ...] = (
    {},
    {"smallest": 100, "step": 100, "largest_limit": 1000, "largest_market": 300, "cage_ppm": 20_000, "cage_ticks": 2}
    | {"kinds": 1 << LIMIT | 1 << MARKET | 1 << BEST5_LIMIT | 1 << REDUCE, "tie_break": 1},
    {"smallest": 200, "step": 1, "cage_ppm": 20_000},
    {"cage_ppm": 50_000, "cage_parks": 1, "tie_break": 1},
    {"open_low": 6, "open_high": 100, "band_ppm": 500_000, **HALTS},
    {"cage_ppm": 30_000, "cage_ticks": 1, "cage_parks": 1, "band_ppm": 100_000, "tie_break": 1, **HALTS},
)
HANDLES = 60
PHASES = (Phase.CONTINUOUS, Phase.CONTINUOUS, Phase.OPEN_CALL, Phase.CLOSE_CALL, Phase.LUNCH)


def both_engines(tape_rows: int, *, ruled: bool) -> tuple[MatchingEngine, ReferenceEngine]:
    """The compiled engine and the plain one on LISTINGS, with RULES or without any."""
    rules = order_rules(*RULES) if ruled else None
    engine = MatchingEngine(listed(*LISTINGS), rules=rules, max_orders=HANDLES, pool_orders=2, tape_rows=tape_rows)
    listings = [
        Listing(
            down, up, close, bool(RULES[i].get("tie_break")) if ruled else x > 0, NO_RULES | RULES[i] if ruled else None
        )
        for i, (x, close, down, up) in enumerate(LISTINGS)
    ]
    return engine, ReferenceEngine(listings)


def message_rows(drawn: list[tuple[int, ...]], time: int) -> Rows:
    """Messages from (kind, instrument, side, offset, quantity, handle): limit prices lie around the close."""
    rows = []
    for i, (kind, instrument, side, offset, quantity, handle) in enumerate(drawn):
        market = kind in (MARKET, BEST5_LIMIT, OWN_BEST, COUNTER_BEST, SWEEP, FOK)
        price = 0 if market and offset % 3 else max(0, LISTINGS[instrument][1] + offset)
        rows.append((time + i, kind, instrument, side, price, quantity, handle))
    return rows


def act(engine: Any, reference: ReferenceEngine, step: Any, time: int) -> None:
    """Do one thing in both engines and compare their tapes. Messages are a list, anything else a tuple."""
    engine._tape_rows = 2 + time // 30 % 9  # as if it had not grown: kernels are cut short at every point
    if isinstance(step, list):
        rows = message_rows(step, time)
        assert rows_of(engine.process(batch(rows))) == reference.process(rows)
        return
    what, chosen, *given = step
    column = None if chosen is None else np.array(sorted(chosen), np.int64)
    listings = None if chosen is None else sorted(chosen)
    if what == "phase":
        phase, cancels, late = given
        if phase == Phase.CONTINUOUS:
            assert rows_of(engine.uncross(time, column)) == reference.uncross(time, listings)
        engine.set_phase(phase, cancels_allowed=cancels, instruments=column, time=time * late)
        reference.set_phase(phase, cancels, listings, time * late)
    elif what == "halt":
        assert rows_of(engine.halt(column, time, time + given[0])) == reference.halt(listings, time, time + given[0])
    elif what == "suspend":
        engine.suspend(column)
        reference.suspend(listings)
    elif what == "release":
        assert rows_of(engine.release(column, time)) == reference.release(listings, time)
    elif what == "wake":
        assert rows_of(engine.wake(time)) == reference.wake(time)
    else:
        assert rows_of(engine.expire(time)) == reference.expire(time)


def compare(engine: MatchingEngine, reference: ReferenceEngine) -> None:
    """Check the books and compare everything that can be seen of them."""
    engine.check()
    assert engine.resting == len(reference.live)
    assert rows_of(engine.quotes()) == reference.quotes()
    assert engine.opens.tolist() == [x.open for x in reference.listings]
    assert engine.resume_times.tolist() == [x.resume for x in reference.listings]
    for i in range(len(LISTINGS)):
        assert [c.tolist() for c in engine.depth(i, 4)] == reference.depth(i, 4)
    sums = [sum(sum(c) for c in reference.depth(i, 3)[1::2]) for i in range(len(LISTINGS))]
    assert engine.depth_all(3).tolist() == sums


def random_steps(rng: np.random.Generator, n_messages: int, per_batch: int = 30) -> Any:
    """A random stream of actions for `act`, with about `n_messages` messages."""
    kinds = [LIMIT] * 14 + [CANCEL] * 4 + [*KINDS]
    for k in range(n_messages // per_batch):
        drawn = []
        for _ in range(per_batch):
            instrument = int(rng.integers(len(LISTINGS)))
            wide = rng.random() < 0.1
            offset = int(rng.integers(-60, 61) if wide else rng.integers(-4, 5))
            quantity = int(rng.choice([0, 37, 100, 100, 200, 300, 400, 900, 1000, 5000], p=[0.02] + [0.98 / 9] * 9))
            side = BUY if rng.random() < 0.5 else SELL
            drawn.append((int(rng.choice(kinds)), instrument, side, offset, quantity, int(rng.integers(HANDLES))))
        yield drawn
        chosen = None if rng.random() < 0.4 else set(rng.integers(len(LISTINGS), size=2).tolist())
        u = rng.random()
        if u < 0.2:
            phase = PHASES[int(rng.integers(len(PHASES)))]
            yield ("phase", chosen, phase, bool(rng.random() < 0.8), int(rng.random() < 0.5))
            if phase != Phase.CONTINUOUS and rng.random() < 0.7:
                yield drawn[: per_batch // 3]
                yield ("phase", chosen, Phase.CONTINUOUS, True, 1)
        elif u < 0.25:
            yield ("halt", chosen, int(rng.integers(1, 200)))
        elif u < 0.27:
            yield ("suspend", chosen)
        elif u < 0.33:
            yield ("release", None)
        elif u < 0.43:
            yield ("wake", None)
        elif k % 50 == 49:
            yield ("expire", None)
