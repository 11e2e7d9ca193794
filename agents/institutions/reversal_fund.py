"""A reversal fund buys what has fallen and sells what has risen over the last minutes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.institutions.quant_fund import QuantFund


class ReversalFund(QuantFund):
    """Leans against the moves of the last minutes: short-term return reversal (Lehmann 1990; Jegadeesh 1990).

    It provides liquidity to those who push a price, and earns when the price comes back.
    """

    section: ClassVar[str] = "reversal_funds"

    def score(self, move: NDArray[np.float64]) -> NDArray[np.float64]:
        """The return with the sign turned."""
        return -move
