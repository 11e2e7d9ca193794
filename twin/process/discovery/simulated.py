"""What a simulation of a discovered process gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin.process.discovery.columns import Bool, Int


@dataclass(frozen=True)
class Simulated:
    """Activity instances of one replication, in order of case, then start.

    Attributes:
        case: 0 .. for the cases open at the start (as in the state), then the arrivals in order.
        activity: index into the process's activities.
        resource: index into its resources, -1 = unknown.
        start: ns since 1970 UTC.
        end: ns since 1970 UTC.
        arrival: first start of each new case, ns.
        open_cases: how many of the cases were open at the start.
        row: for each case the observed one whose attributes it has, -1 = unknown; None = there are no attributes.
    """

    case: Int
    activity: Int
    resource: Int
    start: Int
    end: Int
    arrival: Int
    open_cases: int = 0
    row: Int | None = None

    def part(self, cases: Bool, rows: Bool) -> Simulated:
        """Some instances of some cases, which are numbered anew.

        Args:
            cases: which cases.
            rows: which instances; of those cases only.
        """
        number = np.cumsum(cases) - 1
        kept = {name: getattr(self, name)[rows] for name in ("activity", "resource", "start", "end")}
        row = None if self.row is None else self.row[cases]
        return replace(self, case=number[self.case[rows]], arrival=self.arrival[cases], row=row, **kept)
