"""High-net-worth clients: few, large orders, permissions for every board."""

from __future__ import annotations

from agents.cohort import Cohort
from twin.contracts import Segment


class HighNetWorth(Cohort):
    """Wealthy individuals (2% of the clients); values per fill around 110,000 CNY (B02)."""

    segment = Segment.HNW
