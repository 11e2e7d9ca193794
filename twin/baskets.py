"""What exchange-traded funds hold: the basket of shares behind one creation unit.

A fund's prices are in ticks of 0.001 CNY and its quantities in tens of units, so that price times quantity is in fen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Board, Instruments, IntColumn

UNIT_VALUE = 300_000_000
"""About the value of a creation unit in fen (3 million CNY, as for the large funds; assumed)."""
_UNIT_STEP = 10_000
"""Creation units are whole multiples of so many tens of units (100,000 units)."""
MOST_MEMBERS = 50
"""Stocks in a basket at most (as in the SSE 50, ChiNext 50 and STAR 50 indices)."""
THEMES: tuple[tuple[Board, ...], ...] = (
    (Board.MAIN, Board.CHINEXT, Board.STAR),
    (Board.MAIN,),
    (Board.CHINEXT,),
    (Board.STAR,),
)
"""Boards from which a fund takes its stocks; funds take the themes in turn."""


@dataclass(frozen=True)
class Baskets:
    """The baskets of all listed funds; row = fund.

    Attributes:
        fund: instrument of the fund. unit: tens of units in a creation unit. cash: fen that belong to a creation unit
            besides its shares, at least 0.
        shares: int64[funds, instruments], shares of every instrument in a creation unit, whole lots of 100.
    """

    fund: IntColumn
    unit: IntColumn
    cash: IntColumn
    shares: NDArray[np.int64]

    def value(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Value of each fund in its own ticks, given prices of all instruments in ticks (last axis)."""
        return np.asarray((prices @ self.shares.T.astype(np.float64) + self.cash) / self.unit)

    def row_of(self, instrument: int) -> int:
        """The row of a fund given as an instrument.

        Raises:
            ValueError: the instrument is no fund.
        """
        return self.fund.tolist().index(instrument)


def no_baskets(instruments: int) -> Baskets:
    """A list without funds."""
    none = np.empty(0, np.int64)
    return Baskets(none, none, none, np.empty((0, instruments), np.int64))


def theme_of(fund: int) -> int:
    """The theme of the k-th fund."""
    return fund % len(THEMES)


def make_baskets(instruments: Instruments, weight: NDArray[np.float64], excluded: NDArray[np.bool_]) -> Baskets:
    """Baskets of all funds on the list: the heaviest stocks of their theme, whole lots, the rest in cash.

    Shares times previous closes plus cash are worth exactly the fund's previous close.

    Args:
        instruments: what is listed.
        weight: weight of every stock in an index that holds it (any positive scale).
        excluded: stocks that no index takes.
    """
    funds = np.flatnonzero(instruments.board == Board.FUND)
    close = instruments.previous_close
    shares = np.zeros((len(funds), len(close)), np.int64)
    unit = np.maximum(UNIT_VALUE // (close[funds] * _UNIT_STEP), 1) * _UNIT_STEP
    usable = (instruments.board != Board.FUND) & ~excluded
    for k in range(len(funds)):
        members = np.flatnonzero(usable & np.isin(instruments.board, THEMES[theme_of(k)]))
        if not len(members):
            members = np.flatnonzero(usable)
        members = members[np.argsort(-weight[members], kind="stable")][:MOST_MEMBERS]
        part = weight[members] / weight[members].sum()
        shares[k, members] = (part * unit[k] * close[funds[k]] / (100 * close[members])).astype(np.int64) * 100
    return Baskets(funds, unit, unit * close[funds] - shares @ close, shares)
