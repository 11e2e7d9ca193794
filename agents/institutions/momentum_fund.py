"""A momentum fund buys what has risen and sells what has fallen over the last minutes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.institutions.quant_fund import QuantFund


class MomentumFund(QuantFund):
    """Follows the moves of the last minutes (Jegadeesh and Titman 1993; within the day: Gao et al. 2018).

    Assumes: that it trades continuation within minutes; Chinese stocks rather show reversal at longer horizons.
    """

    section: ClassVar[str] = "momentum_funds"

    def score(self, move: NDArray[np.float64]) -> NDArray[np.float64]:
        """The return itself."""
        return move
