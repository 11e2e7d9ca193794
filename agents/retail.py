"""Retail clients: small accounts, trade in the morning, sell into falls."""

from __future__ import annotations

from agents.cohort import Cohort
from twin.contracts import Segment


class Retail(Cohort):
    """Mass clients (68% of the clients, row 35); values per order around 8,700 CNY (B02)."""

    segment = Segment.RETAIL
