"""Suitability: what the law says when a client wants a product, and the checks that come after the order.

Three outcomes (Measures on the suitability of investors, art. 18 to 22; domain rows A30 to A33, trap T11): within the
class the order passes; above it a client of the lowest class is refused and has no way round; any other ordinary
client is warned and may insist. A professional client is outside the duty to match.

Does not model: the extra steps before a high-risk sale (A32), the double recording (A38).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.contracts import Alerts, Decisions, IntColumn
from twin.errors import DataError

LOWEST = 0
"""Client class of those who can bear no loss; C1 to C5 are 1 to 5."""
N_CLASSES, N_RISKS = 6, 5


class Outcome(IntEnum):
    """What the law says about a client and a product."""

    ALLOW = 0
    WARN = 1
    BLOCK = 2


class Decision(IntEnum):
    """How an order ended, the client's answer to the warning included."""

    ALLOWED = 0
    CONFIRMED = 1
    """Above the class, warned in writing, insisted."""
    WITHDRAWN = 2
    """Warned, and thought better of it."""
    BLOCKED = 3


def _outcomes() -> NDArray[np.int64]:
    table = np.full((N_CLASSES, 2, N_RISKS + 1), Outcome.ALLOW, np.int64)
    for client in range(N_CLASSES):
        for risk in range(1, N_RISKS + 1):
            if risk > max(client, 1):
                table[client, 0, risk] = Outcome.BLOCK if client == LOWEST else Outcome.WARN
    return table


OUTCOMES: NDArray[np.int64] = _outcomes()
"""`Outcome` by client class (0 lowest, 1 to 5), professional (0, 1) and product risk (1 to 5; 0 unrated passes)."""
OUTCOMES.setflags(write=False)


def _checked(name: str, values: ArrayLike, low: int, high: int) -> NDArray[np.int64]:
    column = np.asarray(values, np.int64)
    if column.size and not low <= int(column.min()) <= int(column.max()) <= high:
        raise DataError(f"{name} out of range", hint=f"It lies between {low} and {high}.")
    return column


def outcome(client_class: ArrayLike, professional: ArrayLike, risk: ArrayLike) -> NDArray[np.int64]:
    """`Outcome` of each case (arguments broadcast).

    Args:
        client_class: 0 lowest, 1 to 5 for C1 to C5.
        professional: whether the client is a professional investor.
        risk: of the product, 1 to 5 for R1 to R5.

    Raises:
        DataError: a class or a risk that does not exist.
    """
    classes = _checked("client class", client_class, 0, N_CLASSES - 1)
    risks = _checked("product risk", risk, 1, N_RISKS)
    return np.asarray(OUTCOMES[classes, np.asarray(professional, bool).astype(np.int64), risks])


def decide(client_class: ArrayLike, professional: ArrayLike, risk: ArrayLike, insists: ArrayLike) -> NDArray[np.int64]:
    """`Decision` of each case; `insists` is the client's answer if warned (see `outcome` for the rest)."""
    law = outcome(client_class, professional, risk)
    answer = np.where(np.asarray(insists, bool), Decision.CONFIRMED, Decision.WITHDRAWN)
    return np.asarray(
        np.where(law == Outcome.ALLOW, Decision.ALLOWED, np.where(law == Outcome.BLOCK, Decision.BLOCKED, answer))
    )


@dataclass(frozen=True)
class LateReview:
    """Checks that came after the order, because the check before it did not answer in time.

    Args:
        decisions: one per alert, at the time when its review ended.
        unsuitable: orders that passed though the law would have blocked them or asked for a confirmation.
    """

    decisions: Decisions
    unsuitable: int


def review_late(alerts: Alerts, outcomes: IntColumn, reviewers: int, check_time: int, opens: int = 0) -> LateReview:
    """Review alerts first come, first served by people or machines that each take the same time.

    An order that passed unchecked cannot be confirmed afterwards, so whatever is not allowed outright counts.

    Args:
        alerts: sorted by time.
        outcomes: `Outcome` of each alert's client and product.
        reviewers: how many work in parallel, at least 1.
        check_time: of one check, ns (row 67).
        opens: no check begins before, ns.
    """
    if reviewers < 1:
        raise DataError(f"{reviewers} reviewers", hint="At least one is needed.")
    free = [opens] * reviewers
    ends = _ends(alerts.time.tolist(), free, check_time)
    passed = np.where(outcomes == Outcome.ALLOW, Decision.ALLOWED, Decision.BLOCKED).astype(np.int64)
    decisions = Decisions(np.asarray(ends, np.int64), alerts.account, alerts.order, passed)
    return LateReview(decisions, int(np.count_nonzero(outcomes != Outcome.ALLOW)))


def _ends(arrivals: list[int], free: list[int], check_time: int) -> list[int]:
    ends = []
    for arrival in arrivals:
        end = max(arrival, heapq.heappop(free)) + check_time
        heapq.heappush(free, end)
        ends.append(end)
    return ends
