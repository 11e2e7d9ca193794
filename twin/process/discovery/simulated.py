"""What a simulation of a discovered process gives."""

from __future__ import annotations

from dataclasses import dataclass

from twin.process.discovery.columns import Int


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
