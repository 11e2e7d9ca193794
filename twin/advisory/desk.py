"""The service desk: ordinary calls of the day, and the calls of clients in trouble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.clock import SECOND
from twin.contracts import Outcomes, Requests, Segment
from twin.errors import ScenarioError
from twin.process.arrivals import arrivals
from twin.process.calendar import WorkCalendar
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.statistics import Statistics
from twin.randomness import Stream, Streams

ENTITY_BASE = 2 << 40
"""Callers' numbers in the random streams begin here, apart from clients and applicants."""
_ORDINARY_BASE = 1 << 36
_YOUNG_SHARE = 0.30
"""Gen-Z share of all clients (domain row 35), taken for ordinary callers."""


def ordinary_calls(active_clients: float, per_thousand: float = 8.0) -> float:
    """Expected calls of an ordinary day (domain row 77: 8 per 1,000 active clients)."""
    return active_clients * per_thousand / 1000


@dataclass(frozen=True)
class DeskMeasures:
    """What the desk has done so far.

    Attributes:
        calls: calls that reached the queue for agents, those who call again included.
        contained: callers whom the robot satisfied.
        answered, abandoned: of `calls`.
        lost_callers: callers who gave up for good.
        wait_mean_s, wait_p90_s: the wait of answered calls, in s; `wait_all_mean_s` of all calls.
        service_level: share of calls answered within the target.
    """

    calls: int
    contained: int
    answered: int
    abandoned: int
    lost_callers: int
    wait_mean_s: float
    wait_p90_s: float
    wait_all_mean_s: float
    service_level: float
    staff_hours: float
    utilisation: float

    @property
    def abandonment(self) -> float:
        """Share of calls that hung up."""
        ended = self.answered + self.abandoned
        return self.abandoned / ended if ended else float("nan")


class ServiceDesk:
    """Runs the service desk from midnight of a day.

    Args:
        model: the process; it needs `arrivals`, and nodes called `agent` and `contained`.
        streams: random numbers of the replication.
        calendar: working days; day 0 is the day of the run.
        calls: expected ordinary calls of day 0; without it what the process file says.
    """

    def __init__(
        self, model: ProcessModel, streams: Streams, calendar: WorkCalendar, *, calls: float | None = None
    ) -> None:
        if model.arrivals is None or not {"agent", "contained"} <= set(model.nodes):
            raise ScenarioError(
                f"process {model.name!r} is not a service desk",
                hint="It needs `arrivals` and the nodes `agent` and `contained`.",
            )
        self.network = ProcessNetwork(model, streams, calendar, entity_base=ENTITY_BASE)
        total = model.arrivals.per_day if calls is None else calls
        entity = ENTITY_BASE + _ORDINARY_BASE
        times, number = arrivals(model.arrivals.day_profile, total, streams, entity_base=entity)
        u = streams.uniform(Stream.PROCESS_ARRIVAL, number + entity, counter=1)
        segment = np.where(u < _YOUNG_SHARE, int(Segment.GEN_Z), int(Segment.RETAIL)).astype(np.int64)
        self.network.submit(Requests(times, number + _ORDINARY_BASE, np.full(len(times), -1, np.int64), segment))

    def submit(self, requests: Requests) -> None:
        """Add calls of clients; their request numbers lie in 0..2**36-1 and are not used twice in a day."""
        if len(requests) and not 0 <= int(requests.request.min()) <= int(requests.request.max()) < _ORDINARY_BASE:
            raise ScenarioError("a call's number is out of range", hint="Give 0 to 2**36 - 1.")
        self.network.submit(requests)

    def advance(self, until: int) -> Outcomes:
        """Handle everything strictly before `until` (ns). Ordinary callers have client -1."""
        return self.network.advance(until)

    def queue_lengths(self) -> dict[str, int]:
        """Callers waiting, per pool."""
        return self.network.queue_lengths()

    def statistics(self) -> Statistics:
        """Statistics of every node and pool."""
        return self.network.statistics()

    def measures(self) -> DeskMeasures:
        """Measures up to now."""
        s = self.network.statistics()
        agent = s.nodes["agent"]
        staff = [p for p in s.pools.values() if p.is_staff]
        staffed = sum(p.staffed for p in staff)
        return DeskMeasures(
            calls=agent.arrivals,
            contained=s.nodes["contained"].arrivals,
            answered=agent.starts,
            abandoned=agent.abandoned,
            lost_callers=s.cases.abandoned,
            wait_mean_s=agent.mean_wait_served_s,
            wait_p90_s=agent.waits.percentile_ns(90) / SECOND,
            wait_all_mean_s=agent.mean_wait_s,
            service_level=agent.service_level,
            staff_hours=sum(p.staff_hours for p in staff),
            utilisation=sum(p.busy for p in staff) / staffed if staffed else float("nan"),
        )
