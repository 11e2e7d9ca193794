"""Market data as clients get it: quotes that may come late or not at all, snapshots of ten levels each 3 s.

In a call an exchange shows the indicative price and the matched and unmatched shares only (domain M07).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from twin.clock import DAY, Phase, clock_text
from twin.contracts import Exchange, IntColumn, Quotes
from twin.errors import ScenarioError

PHASE_CODES: Final = {
    Phase.OPEN_CALL: "OCALL",
    Phase.GAP: "TRADE",
    Phase.CONTINUOUS: "TRADE",
    Phase.LUNCH: "TRADE",
    Phase.HALT: "SUSP",
    Phase.CLOSE_CALL: "CCALL",
    Phase.CLEARING: "CLOSE",
    Phase.AFTER_HOURS: "CLOSE",
    Phase.NIGHT: "ENDTR",
}
"""Codes of the phases in a snapshot, as in Shanghai's Level-2; START for any other."""
DEPTH: Final = 10


@dataclass(frozen=True)
class FeedFault:
    """Quotes of one exchange, or of all, that come late or stand still; times in ns since midnight.

    Args:
        start, end: when it lasts.
        delay: age of what is seen; None = nothing new is seen.
        exchange: whose quotes; None = all.
    """

    start: int = 0
    end: int = DAY
    delay: int | None = None
    exchange: Exchange | None = None

    def __post_init__(self) -> None:
        if self.start >= self.end:
            span = f"{clock_text(self.start)} to {clock_text(self.end)}"
            raise ScenarioError(f"a fault of the market data from {span}", hint="It must end after it begins.")
        if self.delay is not None and self.delay < 0:
            raise ScenarioError("market data cannot come early", hint="Give a delay of 0 or more.")


class QuoteFeed:
    """What the broker's clients see of the exchange's quotes.

    Without a fault it is what the exchange publishes. Faults that overlap act one after the other, in their order.

    Args:
        exchange: by instrument.
        faults: what goes wrong, and when.
    """

    def __init__(self, exchange: IntColumn, faults: Sequence[FeedFault] = ()) -> None:
        self.faults = tuple(faults)
        self._rows = [_rows(fault, exchange) for fault in self.faults]
        self._held: list[NDArray[np.int64] | None] = [None] * len(self.faults)
        self._nothing = np.zeros((8, len(exchange)), np.int64)
        self._past: deque[tuple[int, NDArray[np.int64]]] = deque([(-1, self._nothing)])
        self._memory = max((fault.delay or 0 for fault in self.faults), default=0)

    def publish(self, time: int, quotes: Quotes, calls: NDArray[np.bool_]) -> Quotes:
        """The exchange publishes; what is seen now.

        Args:
            time: now, not before the last time.
            quotes: of all instruments.
            calls: instruments in a call, of which bid and ask are both the indicative price.
        """
        if not self.faults:
            return quotes
        fresh = np.stack([*vars(quotes).values(), calls.astype(np.int64)])
        seen = fresh
        for k, fault in enumerate(self.faults):
            if not fault.start <= time < fault.end:
                continue
            if fault.delay is None:
                old = self._held[k]
                if old is None:
                    self._held[k] = old = self._past[-1][1]
            else:
                old = self._at(time - fault.delay, fresh, time)
            seen = np.where(self._rows[k], _as_now(old, calls), seen)
        self._past.append((time, fresh))
        while len(self._past) > 1 and self._past[1][0] <= time - self._memory:
            self._past.popleft()
        return Quotes(*seen[:7])

    def _at(self, time: int, fresh: NDArray[np.int64], now: int) -> NDArray[np.int64]:
        """What was published last at an instant."""
        if time >= now:
            return fresh
        return next((old for when, old in reversed(self._past) if when <= time), self._nothing)


def _rows(fault: FeedFault, exchange: IntColumn) -> NDArray[np.bool_]:
    return np.ones(len(exchange), np.bool_) if fault.exchange is None else exchange == fault.exchange


def _as_now(old: NDArray[np.int64], calls: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Old quotes in the form of the present phase, as no column tells an indicative price from a best bid."""
    was = old[7] > 0
    seen = old.copy()
    stale, strange = was & ~calls, ~was & calls
    seen[0] = np.where(stale & (old[1] > 0), old[1], old[0])
    seen[1:5, stale] = 0
    seen[1:3, strange] = old[0, strange]
    seen[3:5, strange] = 0
    return seen


def phase_code(phase: Phase) -> str:
    """The code that a snapshot shows."""
    return PHASE_CODES.get(phase, "START")


@dataclass(frozen=True)
class Snapshot:
    """What an exchange publishes of one instrument every 3 s; prices in ticks, turnover in ticks times shares.

    Args:
        levels: int64 [4, 10]: bid prices, bid shares, ask prices, ask shares. In a call the first level shows the
            indicative price and the matched shares on both sides, the second the unmatched shares of the longer side.
    """

    time: int
    phase: Phase
    trades: int
    volume: int
    turnover: int
    last: int
    open: int
    high: int
    low: int
    levels: NDArray[np.int64]


def call_levels(depth: Sequence[IntColumn], price: int, matched: int, unmatched: int) -> NDArray[np.int64]:
    """The ten levels that are shown in a call (M07).

    Args:
        depth: all bid prices, bid shares, ask prices, ask shares.
        price: of the call if it were held now; 0 if nothing would trade.
        matched: shares that would trade.
        unmatched: shares that would be left at that price.
    """
    levels = np.zeros((4, DEPTH), np.int64)
    if price:
        bids = int(depth[1][depth[0] >= price].sum())
        levels[0:4:2, 0] = price
        levels[1:4:2, 0] = matched
        levels[1 if bids > matched else 3, 1] = unmatched
    return levels
