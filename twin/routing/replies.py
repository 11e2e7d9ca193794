"""What reaches the clients, and the records that the path keeps until then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Acknowledgements, Batch, Fills, IntColumn, Rejections
from twin.kernels import order_codes as codes

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


def replies_of(rows: NDArray[np.int64]) -> Replies:
    """The batches in rows with the columns of `twin.kernels.order_codes.N_REPLY`, sorted by time."""

    def cut(kind: np.int64, *columns: int) -> list[IntColumn]:
        mine = rows[rows[:, 1] == kind]
        return [np.ascontiguousarray(mine[:, column]) for column in columns]

    return Replies(
        Acknowledgements(*cut(codes.ACK, 0, 2, 3)),
        Fills(*cut(codes.FILL, 0, 2, 3, 4, 5, 6, 7)),
        Rejections(*cut(codes.REJECT, 0, 2, 3, 4)),
        Rejections(*cut(codes.CANCEL_REJECT, 0, 2, 3, 4)),
        Acknowledgements(*cut(codes.END, 0, 2, 3)),
        Logins(*cut(codes.LOGGED_IN, 0, 3)),
    )
