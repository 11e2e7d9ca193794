"""What the order path has measured: latencies, refusals, late checks, stuck orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Reason, Segment
from twin.kernels import order_survey as kernel
from twin.measures.histogram import Histograms
from twin.routing.orders import OrderTable

STAGES = ("gateway", "checks", "core", "exchange_gateway", "exchange", "report", "total", "parked")
"""Parts of an order's latency, each with waiting and service: client to gateway; suitability and checks; core;
exchange gateway; exchange; report station and network back; all together, without time in which the exchange was shut.
Orders sent while the exchange is shut are parked at its gateway and count in the first three only, and in 'parked',
from the opening to the acknowledgement."""
MINUTES = 24 * 60


class LatencyBooks:
    """Histograms that the compiled path fills; all latencies in ns.

    `stages` has a row per name in `STAGES`; `segments` one per `Segment` and `minutes` one per minute of the day of
    submission, both of the total; `logins` one per minute of the day.
    """

    def __init__(self) -> None:
        self.stages = Histograms(len(STAGES))
        self.segments = Histograms(len(Segment))
        self.minutes = Histograms(MINUTES)
        self.logins = Histograms(MINUTES)

    @property
    def parked(self) -> Histograms:
        """Latencies of parked orders, from the opening to the acknowledgement."""
        out = Histograms(1)
        out.counts[0] = self.stages.counts[STAGES.index("parked")]
        return out

    def survey(
        self,
        orders: OrderTable,
        acceptance: NDArray[np.int64],
        windows: NDArray[np.int64],
        segments: NDArray[np.uint8],
    ) -> None:
        """Measure all acknowledged orders anew (`logins` are counted as they arrive)."""
        books = (self.stages.counts, self.segments.counts, self.minutes.counts)
        for counts in books:
            counts[:] = 0
        kernel.survey(orders.rows, len(orders), acceptance, windows, segments, *books)

    def stage(self, name: str, q: float) -> float:
        """The q-th percentile of one stage's latency in ns."""
        return float(self.stages.percentile(q)[STAGES.index(name)])


@dataclass(frozen=True)
class PathCounts:
    """Counts of a day's orders on the path.

    Args:
        orders: submitted.
        acknowledged: of which the client learned that they stand at the exchange.
        refused: by the broker, by `Reason`.
        rejected: by the exchange, by `Reason`.
        unsuitable_blocked: stopped by the suitability lookup.
        unsuitable_passed: went on unchecked because the lookup was late, and were unsuitable.
        passed_unchecked: went on without an answer, suitable or not.
        timed_out: lookups that took longer than their budget.
        late_checks: lookups whose answer came after the order had left.
        stuck: neither refused nor rejected, and not acknowledged in time or never.
        queries: queries answered.
        trades: fills booked.
    """

    orders: int
    acknowledged: int
    refused: dict[Reason, int]
    rejected: dict[Reason, int]
    unsuitable_blocked: int
    unsuitable_passed: int
    passed_unchecked: int
    timed_out: int
    late_checks: int
    stuck: int
    queries: int
    trades: int


def by_reason(counts: NDArray[np.int64]) -> dict[Reason, int]:
    """Counts by reason without the zeros."""
    return {Reason(k): int(n) for k, n in enumerate(counts) if n}


def count_stuck(orders: OrderTable, acceptance: NDArray[np.int64], stuck_ns: int) -> int:
    """Orders not acknowledged within `stuck_ns` of being ready to go, or never.

    Orders that the broker refused, or the exchange rejected, in time are not stuck; a late refusal is.

    Args:
        orders: the order table at the end of the day.
        acceptance: windows [open, close) in which the exchange accepts, sorted.
        stuck_ns: patience in ns.
    """
    return int(kernel.count_stuck(orders.rows, len(orders), acceptance, stuck_ns))
