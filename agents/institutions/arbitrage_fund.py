"""A statistical arbitrageur trades stocks that have strayed from what the market explains, until they come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.institutions.quant_fund import QuantFund
from agents.institutions.settings import number, whole


class ArbitrageFund(QuantFund):
    """Buys stocks whose residual return is low and sells those whose residual is high (Avellaneda and Lee 2010).

    The residual is the log return over the lookback less beta times the market's, the mean of its stocks per unit of
    beta. Its scale is the mean absolute residual of all stocks. Only residuals beyond `entry` scales are traded, and
    only as many purchases as there are sales, so that the trades of a review are a spread, long and short of about
    equal value. A fund of two stocks trades the pair (Gatev, Goetzmann and Rouwenhorst 2006).

    Assumes: betas as the model has them (its risk model is right).
    """

    @dataclass(frozen=True)
    class Settings(QuantFund.Settings):
        """Parameters of a statistical arbitrageur."""

        lookback: int = whole(40, "Reviews over which a residual is measured (assumed).")
        entry: float = number(1.0, "Least residual traded, in mean absolute residuals (assumed).")

    section: ClassVar[str] = "arbitrage_funds"
    settings: Settings

    def score(self, move: NDArray[np.float64]) -> NDArray[np.float64]:
        """The residual with the sign turned; NaN where it is too small to trade."""
        known = np.isfinite(move)
        if not known.any():
            return move
        beta = self.seat.traits.beta[self.universe]
        residual = move - beta * float(np.mean(move[known] / beta[known]))
        far = np.abs(residual) >= self.settings.entry * float(np.mean(np.abs(residual[known])))
        far &= np.abs(residual) > 0
        each = min(int((far & (residual > 0)).sum()), int((far & (residual < 0)).sum()))
        order = np.argsort(np.where(far, residual, 0.0), kind="stable")
        score = np.full(len(move), np.nan)
        spread = np.concatenate([order[:each], order[len(order) - each :]])
        score[spread] = -residual[spread]
        return score
