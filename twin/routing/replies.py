"""What reaches the clients, and the records that the path keeps until then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Acknowledgements, Batch, Fills, IntColumn, Rejections

REQUEST = np.dtype([("submitted", np.int64), ("account", np.int32), ("luck", np.uint32)], align=True)
"""A log-in; `luck`: random bits of its way back."""
REPORT = np.dtype(
    [
        ("time", np.int64),
        ("row", np.int32),
        ("price", np.int32),
        ("quantity", np.int32),
        ("kind", np.int8),
        ("reason", np.int8),
    ],
    align=True,
)
TRADE = np.dtype([("time", np.int64), ("row", np.int32), ("price", np.int32), ("quantity", np.int32)], align=True)

Pairs = tuple[IntColumn, IntColumn]
"""Times and accounts."""


@dataclass(frozen=True)
class Logins(Batch):
    """Completed logins."""

    time: IntColumn
    account: IntColumn


@dataclass(frozen=True)
class Replies:
    """What reached the clients who listen (`OrderPath(told_from=)`), in order of time within each batch.

    Args:
        acknowledgements: orders that stand at the exchange.
        fills: trades.
        rejections: orders refused by the broker or rejected by the exchange.
        cancel_rejections: cancels refused by either.
        ended: orders cancelled or expired.
        logins: completed logins.
    """

    acknowledgements: Acknowledgements
    fills: Fills
    rejections: Rejections
    cancel_rejections: Rejections
    ended: Acknowledgements
    logins: Logins


_BATCHES: tuple[tuple[type[Batch], tuple[int, ...]], ...] = (
    (Acknowledgements, (0, 2, 3)),
    (Fills, (0, 2, 3, 4, 5, 6, 7)),
    (Acknowledgements, (0, 2, 3)),
    (Rejections, (0, 2, 3, 4)),
    (Rejections, (0, 2, 3, 4)),
    (Logins, (0, 3)),
)
"""Batch and columns of every kind of report."""
_NONE = tuple(batch.empty() for batch, _ in _BATCHES)


def replies_of(rows: NDArray[np.int64]) -> Replies:
    """The batches in rows with the columns of `twin.kernels.order_codes.N_REPLY`, sorted by time."""
    found: list[Any] = list(_NONE)
    if len(rows):
        kinds = rows[:, 1]
        for kind in np.flatnonzero(np.bincount(kinds)).tolist():
            batch, columns = _BATCHES[kind]
            mine = rows[kinds == kind].T[list(columns)]
            found[kind] = batch(*mine)
    acknowledged, fills, ended, rejected, cancels, logins = found
    return Replies(acknowledged, fills, rejected, cancels, ended, logins)
