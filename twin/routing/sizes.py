"""What the broker's checks know of an instrument: its listing and the sizes that the exchange takes."""

from __future__ import annotations

import numpy as np

from twin.contracts import Board, Instruments, IntColumn, OrderRules

_SIZES = ("smallest", "step", "largest_limit", "largest_market")
_LARGEST = {
    Board.MAIN: (1_000_000, 1_000_000),
    Board.CHINEXT: (300_000, 150_000),
    Board.STAR: (100_000, 50_000),
    Board.BSE: (1_000_000, 1_000_000),
    Board.FUND: (100_000, 100_000),
}
"""Most shares of one limit and of one market order (domain M38 to M40); funds: tens of units."""


def _sizes(instruments: Instruments) -> list[IntColumn]:
    """Smallest order, step, largest limit and market order of every instrument, by its board and lot."""
    single = np.isin(instruments.board, (Board.STAR, Board.BSE))
    largest = np.array([_LARGEST[Board(board)] for board in instruments.board.tolist()], np.int64).reshape(-1, 2)
    return [instruments.lot, np.where(single, 1, instruments.lot), largest[:, 0], largest[:, 1]]


def instrument_table(instruments: Instruments, rules: OrderRules | None) -> IntColumn:
    """The instruments as the kernels of the order path read them (columns: `twin.kernels.order_codes`).

    Args:
        instruments: what is listed.
        rules: sizes of the day; without, those of today's boards.
    """
    sizes = _sizes(instruments) if rules is None else [getattr(rules, name) for name in _SIZES]
    return np.column_stack([*vars(instruments).values(), *sizes]).astype(np.int64)
