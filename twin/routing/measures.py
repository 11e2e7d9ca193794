"""What the order path has measured: latencies, refusals, late checks, stuck orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Reason, Segment
from twin.kernels.stations import NEVER
from twin.measures.histogram import Histograms
from twin.routing.orders import OrderState, OrderTable

STAGES = ("gateway", "checks", "core", "exchange_gateway", "exchange", "report", "total")
"""Parts of an order's latency, each with waiting and service: client to gateway; suitability and checks; core;
exchange gateway (while the exchange accepts); exchange; report station and network back; all together."""
MINUTES = 24 * 60


class LatencyBooks:
    """Histograms that the compiled path fills; all latencies in ns.

    `stages` has a row per name in `STAGES`; `segments` one per `Segment` and `minutes` one per minute of the day in
    which the order was ready to go (submitted, or the exchange's next opening if it was shut), both of the total from
    then to the client's acknowledgement; `logins` one per minute of the day.
    """

    def __init__(self) -> None:
        self.stages = Histograms(len(STAGES))
        self.segments = Histograms(len(Segment))
        self.minutes = Histograms(MINUTES)
        self.logins = Histograms(MINUTES)

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
    state = orders.column("state")
    ready = _ready(orders.column("submitted"), acceptance)
    told = np.where(orders.column("acknowledged") > 0, orders.column("acknowledged"), 0)
    turned_away = (state == OrderState.REFUSED) | (state == OrderState.REJECTED)
    told = np.where(turned_away, orders.column("done"), told)
    return int(np.count_nonzero((ready < NEVER) & ((told == 0) | (told - ready > stuck_ns))))


def _ready(submitted: NDArray[np.int64], acceptance: NDArray[np.int64]) -> NDArray[np.int64]:
    """When each order could have gone to the exchange; NEVER after the last close."""
    k = np.searchsorted(acceptance[:, 1], submitted, side="right")
    opens = np.append(acceptance[:, 0], NEVER)
    return np.maximum(submitted, opens[k])
