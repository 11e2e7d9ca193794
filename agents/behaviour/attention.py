"""Attention and fear: how a move of the index reaches clients.

Attention follows the size of the index's move since the last close, whatever its sign; fear follows falls only. Both
fade with a half-life when the index comes back. Attention stretches operational time (agents/kernels/clients.py): half
of it (in logarithms) makes more clients log in, half makes each who has act sooner, so that their product, the activity
of all, grows with the elasticity. Fear moves the wish to sell and how eagerly.

The move is that of the whole market, which one broker's delays do not change; it comes from the scenario's world.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Attention:
    """State of one segment's attention and fear.

    Args:
        elasticity: growth of log activity per 1% of the index's move (fitted: scenarios/calibration/index.yaml).
        half_life: of the memory of a move, in ns.
        typical: size of the move on a usual day (fraction), at which activity is that of an ordinary day.
    """

    elasticity: float
    half_life: int
    typical: float = 0.006
    move: float = 0.0
    fall: float = 0.0

    def step(self, index_return: float, elapsed: int) -> None:
        """Take note of the index's return since the last close (fraction) after `elapsed` ns."""
        keep = 0.5 ** (elapsed / self.half_life)
        self.move = max(abs(index_return), self.move * keep)
        self.fall = max(-index_return, self.fall * keep, 0.0)

    @property
    def level(self) -> float:
        """Activity of all clients relative to a day of the usual move."""
        return math.exp(self.elasticity * 100.0 * (self.move - self.typical))

    @property
    def pace(self) -> float:
        """Speed of operational time, of log-ins and of actions alike: the square root of the level."""
        return math.sqrt(self.level)

    @property
    def fear(self) -> float:
        """From 0 (no fall) towards 1: 1 - exp(-fall / 4%)."""
        return 1.0 - math.exp(-self.fall / 0.04)
