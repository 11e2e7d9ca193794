"""The index circuit breaker of January 2016 (domain M60, M61): a large move of the index stops the whole market.

At the first threshold trading pauses for a quarter of an hour and goes on with a call; at the second, or at the first
late in the day, it stops until the close. Each threshold counts in both directions, the first one once a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from twin.clock import MINUTE, at
from twin.contracts import IntColumn
from twin.errors import ScenarioError

_ROUNDING = 1e-12
"""A move that reaches a threshold exactly must not miss it by the rounding of a sum."""


@dataclass(frozen=True)
class BreakerTerms:
    """When the breaker acts; shares of the previous close, times in ns.

    Args:
        first, second: size of the index's move.
        halt: trading time of the pause after the first.
        late: from here on the first threshold, too, ends the day.
        lunch: interval that does not count as trading time.
    """

    first: float = 0.05
    second: float = 0.07
    halt: int = 15 * MINUTE
    late: int = at("14:45")
    lunch: tuple[int, int] = (at("11:30"), at("13:00"))

    def __post_init__(self) -> None:
        if not 0 < self.first < self.second:
            raise ScenarioError(
                f"thresholds {self.first} and {self.second} of the circuit breaker", hint="Give 0 < first < second."
            )

    def resumes(self, time: int) -> int:
        """When a pause that begins at an instant is over: what lunch interrupts is made up for after it."""
        start, end = self.lunch
        until = time + self.halt
        return until + end - start if time < start < until else until


class Stop(Enum):
    """What a breach brings."""

    PAUSE = "pause"
    DAY = "day"


class CircuitBreaker:
    """Watches the index.

    Args:
        terms: when it acts.
        previous_close: ticks, by instrument.
        weights: of the instruments in the index at the previous close, on any scale.
        takes_orders: instruments that take orders, not only cancels, in a stop that lasts to the close.

    Attributes:
        level: the index's return on its previous close when it was measured last.
    """

    def __init__(
        self,
        terms: BreakerTerms,
        previous_close: IntColumn,
        weights: NDArray[np.float64],
        takes_orders: NDArray[np.bool_] | None = None,
    ) -> None:
        if not weights.sum() > 0:
            raise ScenarioError("the index has no members", where="circuit breaker")
        self.terms = terms
        self.takes_orders = np.zeros(len(previous_close), np.bool_) if takes_orders is None else takes_orders
        self.level = 0.0
        self._close = previous_close
        self._share = weights / weights.sum() / previous_close
        self._paused = False

    def measure(self, last: IntColumn) -> float:
        """Return of the index; `last` is 0 where nothing has traded, which counts as the previous close."""
        moved = np.where(last > 0, last - self._close, 0)
        self.level = float(moved @ self._share)
        return self.level

    def check(self, time: int, last: IntColumn) -> Stop | None:
        """Measure the index at an instant of continuous trading and say whether trading stops."""
        move = abs(self.measure(last)) + _ROUNDING
        if move >= self.terms.second:
            return Stop.DAY
        if move < self.terms.first or self._paused:
            return None
        self._paused = True
        return Stop.DAY if time >= self.terms.late else Stop.PAUSE
