"""Account opening: applications of a day, sent through the opening process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin.clock import DAY, SECOND
from twin.contracts import Outcomes, Requests, Segment
from twin.errors import ScenarioError
from twin.process.arrivals import arrivals
from twin.process.calendar import WorkCalendar
from twin.process.model import Choice, End, ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.statistics import Statistics
from twin.randomness import Stream, Streams

ENTITY_BASE = 1 << 40
"""Applicants' numbers in the random streams begin here, apart from clients and callers."""
YOUNG_SHARE = 0.55
"""Share of new clients under 30 (domain row 61)."""
_MINUTE = 60 * SECOND


@dataclass(frozen=True)
class OpeningMeasures:
    """What account opening has done so far.

    Attributes:
        applications: applicants who have started.
        submitted: of them, passed all steps and handed to the registry.
        opened: of them, registered; `tradable_next_day` of these may trade from the next trading day's opening.
        abandoned, refused: of the applicants, those who left and those turned down.
        in_progress: of the applicants, still under way or waiting for the registry or the next trading day.
        lost_by_step: applicants who left, by the step in which they were when their patience ended.
        active_mean_min, active_p90_min: engaged time in minutes of those who have done their part, NaN if none has.
    """

    applications: int
    submitted: int
    opened: int
    tradable_next_day: int
    abandoned: int
    refused: int
    in_progress: int
    lost_by_step: dict[str, int]
    active_mean_min: float
    active_p90_min: float
    staff_hours: float
    utilisation: float

    @property
    def abandonment(self) -> float:
        """Share lost of all whose application has been decided by them or by the broker."""
        decided = self.submitted + self.abandoned + self.refused
        return self.abandoned / decided if decided else float("nan")


class AccountOpening:
    """Runs account opening from midnight of a day.

    Assumes: applicants come as a Poisson process; each has his own patience (`CasePatience` of the process).
    Does not model: applicants who come back another day.

    Args:
        model: the process; it needs `arrivals` and nodes called `registry` and `activation`.
        streams: random numbers of the replication.
        calendar: working days; day 0 is the day of the run.
        surge: multiplies the applications of each day; a sequence gives one factor per day.
        young_share: share of applicants who are Gen-Z.
    """

    def __init__(
        self,
        model: ProcessModel,
        streams: Streams,
        calendar: WorkCalendar,
        *,
        surge: float | Sequence[float] = 1.0,
        young_share: float = YOUNG_SHARE,
    ) -> None:
        if model.arrivals is None or not {"registry", "activation"} <= set(model.nodes):
            raise ScenarioError(
                f"process {model.name!r} is not an account opening",
                hint="It needs `arrivals` and the nodes `registry` and `activation`.",
            )
        self.network = ProcessNetwork(model, streams, calendar, entity_base=ENTITY_BASE)
        factors = [float(surge)] if isinstance(surge, int | float) else list(surge)
        for day, factor in enumerate(factors):
            self._submit(model, streams, day, model.arrivals.per_day * factor, young_share)

    def _submit(self, model: ProcessModel, streams: Streams, day: int, total: float, young_share: float) -> None:
        assert model.arrivals is not None
        base = day << 32
        times, number = arrivals(model.arrivals.day_profile, total, streams, entity_base=ENTITY_BASE + base)
        u = streams.uniform(Stream.PROCESS_ARRIVAL, number + (ENTITY_BASE + base), counter=1)
        segment = np.where(u < young_share, int(Segment.GEN_Z), int(Segment.RETAIL)).astype(np.int64)
        self.network.submit(Requests(times + day * DAY, number + base, number + base, segment))

    def advance(self, until: int) -> Outcomes:
        """Handle everything strictly before `until` (ns)."""
        return self.network.advance(until)

    def queue_lengths(self) -> dict[str, int]:
        """Applicants and files waiting, per pool."""
        return self.network.queue_lengths()

    def statistics(self) -> Statistics:
        """Statistics of every node and pool."""
        return self.network.statistics()

    def measures(self) -> OpeningMeasures:
        """Measures up to now."""
        s = self.network.statistics()
        model = self.network.model
        staff = [p for p in s.pools.values() if p.is_staff]
        staffed = sum(p.staffed for p in staff)
        cases = s.cases
        return OpeningMeasures(
            applications=cases.served + cases.abandoned + cases.refused + cases.inside,
            submitted=s.nodes["registry"].arrivals,
            opened=s.nodes["activation"].arrivals,
            tradable_next_day=s.nodes["activation"].arrivals,
            abandoned=cases.abandoned,
            refused=cases.refused,
            in_progress=cases.inside,
            lost_by_step={
                name: s.nodes[name].abandoned + s.nodes[name].left
                for name, node in model.nodes.items()
                if not isinstance(node, End | Choice)
            },
            active_mean_min=s.milestone.mean_active_min,
            active_p90_min=s.milestone.actives.percentile_ns(90) / _MINUTE,
            staff_hours=sum(p.staff_hours for p in staff),
            utilisation=sum(p.busy for p in staff) / staffed if staffed else float("nan"),
        )
