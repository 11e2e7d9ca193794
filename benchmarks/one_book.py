"""Drives the matching engine with messages of one instrument and measures it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from twin.clock import Phase
from twin.contracts import Instruments, MessageKind, Messages, Tape, TapeKind
from twin.matching.engine import MatchingEngine

BATCH = 10_000
"""Messages per call, as in a busy tick of a simulated day."""


@dataclass(frozen=True)
class Drive:
    """What came of a flow: CPU seconds inside the engine, shares traded, orders resting, and the tape if kept."""

    seconds: float
    traded: int
    resting: int
    tape: Tape


def new_engine(messages: Messages, phase: Phase = Phase.CONTINUOUS) -> MatchingEngine:
    """An engine with one instrument, whose price limits take every price of the messages, in the given phase."""
    prices = messages.price[messages.kind != MessageKind.CANCEL]
    low, high = (int(prices.min()), int(prices.max())) if len(prices) else (1, 1)
    one = np.ones(1, np.int64)
    listed = Instruments(0 * one, 0 * one, low * one, low * one, high * one, one, one)
    engine = MatchingEngine(listed, max_orders=int(messages.order.max(initial=0)) + 1)
    engine.set_phase(phase)
    return engine


def drive(messages: Messages, batch: int = BATCH, *, keep: bool = False) -> Drive:
    """Process all messages, `batch` at a time, with the full tape, and prove the book whole at the end."""
    engine = new_engine(messages)
    parts = [messages.take(slice(i, i + batch)) for i in range(0, len(messages), batch)]
    kept: list[Tape] = []
    seconds, traded = 0.0, 0
    for part in parts:
        begun = time.process_time()
        tape = engine.process(part)
        seconds += time.process_time() - begun
        traded += int(tape.quantity[tape.kind == TapeKind.TRADE].sum())
        if keep:
            kept.append(tape)
    engine.check()
    return Drive(seconds, traded, engine.resting, Tape.concat(kept))
