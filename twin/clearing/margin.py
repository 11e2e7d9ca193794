"""Margin financing: how much may be borrowed against what, by date, and when the broker steps in.

The ratios are compared in integers, so that a line is crossed exactly or not at all.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from twin.errors import ScenarioError

WARNING, CALL, LIQUIDATION, WITHDRAWAL = 150, 140, 130, 300
"""Maintenance ratios in per cent (domain C21): the broker warns, calls for margin, liquidates; above the last the
client may withdraw."""
MINIMUM_MARGIN: Final = (
    (dt.date(2010, 3, 31), 50),
    (dt.date(2015, 11, 23), 100),
    (dt.date(2023, 9, 8), 80),
    (dt.date(2026, 1, 19), 100),
)
"""Own margin that a new contract needs, in per cent of the loan, from each date on; old contracts keep the rule of
their day (domain C20 for the last two, general knowledge for the first)."""


def minimum_margin(opened: dt.date) -> int:
    """Per cent of the loan that a contract opened on a day needed as margin.

    Raises:
        ScenarioError: there was no margin financing yet.
    """
    ratios = [percent for start, percent in MINIMUM_MARGIN if start <= opened]
    if not ratios:
        raise ScenarioError(f"no margin financing on {opened}", hint=f"It began on {MINIMUM_MARGIN[0][0]}.")
    return ratios[-1]


def is_below(percent: int, assets: int, owed: int) -> bool:
    """Whether the maintenance ratio, (cash + collateral) / (debt + interest) in fen, lies below a line (domain C22)."""
    return 100 * assets < percent * owed


def sale_to_restore(percent: int, assets: int, owed: int) -> int:
    """Least collateral in fen to sell, the proceeds repaying debt, so that the ratio is back at a line above 100.

    From (assets - s) / (owed - s) = percent / 100; all of the assets where even that does not restore it.
    """
    missing = percent * owed - 100 * assets
    return min(max(-(-missing // (percent - 100)), 0), assets)
