"""Gen-Z clients (born 1995 to 2009): many small orders, attention to the ten names that everybody talks about."""

from __future__ import annotations

from agents.cohort import Cohort
from twin.contracts import Segment


class GenZ(Cohort):
    """Young clients; a third of their buying goes to the ten leading names (B53, row 46)."""

    segment = Segment.GEN_Z
