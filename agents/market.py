"""What people see of the market: level-1 quotes, refreshed every 3 seconds, and which names lead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.sampling import alias_table
from twin.contracts import Board, Instruments, Quotes

LEADERS = 10


class MarketColumns:
    """Columns by instrument that agents read; refreshed from quotes.

    Args:
        instruments: what is listed.
        popularity: how much clients' interest goes to each instrument (any positive scale).

    Attributes:
        last, bid, ask: ticks; `last` is the previous close until the first trade; bid and ask are 0 without an order.
        reference: previous close. top: the ten names of largest move times popularity.
        probability, alias: alias table of popularity; main_*: the same for main-board names (rows: main_members).
    """

    def __init__(self, instruments: Instruments, popularity: NDArray[np.float64]) -> None:
        self.instruments = instruments
        self.reference = instruments.previous_close.copy()
        self.last = instruments.previous_close.copy()
        self.bid, self.ask = np.zeros_like(self.last), np.zeros_like(self.last)
        self.limit_down, self.limit_up = instruments.limit_down, instruments.limit_up
        self.lot, self.board, self.risk_level = instruments.lot, instruments.board, instruments.risk_level
        self.popularity = popularity
        self.probability, self.alias = alias_table(popularity)
        self.main_members = np.flatnonzero(instruments.board == Board.MAIN)
        self.main_probability, self.main_alias = alias_table(popularity[self.main_members])
        self.top = np.argsort(-popularity, kind="stable")[:LEADERS].astype(np.int64)
        self.quotes: Quotes | None = None

    def refresh(self, quotes: Quotes, calls: NDArray[np.bool_]) -> None:
        """Take over a quote.

        Args:
            quotes: of every instrument.
            calls: instruments in a call, whose bid and ask both show the indicative price: it then counts as last.
        """
        self.quotes = quotes
        shown = np.where(calls, np.where(quotes.bid > 0, quotes.bid, quotes.ask), quotes.last)
        np.copyto(self.last, shown, where=shown > 0)
        self.bid[:] = np.where(calls, 0, quotes.bid)
        self.ask[:] = np.where(calls, 0, quotes.ask)

    def rank(self) -> None:
        """Work out anew which ten names lead: the size of the day's move times popularity."""
        move = np.abs(self.last / self.reference - 1.0) + 0.002
        self.top = np.argsort(-move * self.popularity, kind="stable")[:LEADERS].astype(np.int64)
