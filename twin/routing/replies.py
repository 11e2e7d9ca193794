"""What reaches the clients, and the records that the path keeps until then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Acknowledgements, Batch, Fills, IntColumn, Rejections
from twin.kernels import order_codes as codes

REQUEST = np.dtype([("account", np.int32), ("submitted", np.int64)], align=True)
REPORT = np.dtype(
    [
        ("row", np.int64),
        ("time", np.int64),
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
    """What reached the clients, in order of time within each batch.

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


def replies_of(buffer: NDArray[np.int64], counts: NDArray[np.int64]) -> Replies:
    """The batches in the buffer that `twin.kernels.order_answers.backward` fills: kinds x columns x rows."""
    n = counts.tolist()

    def cut(kind: np.int64, *columns: int) -> list[IntColumn]:
        return [buffer[kind, column, : n[kind]].copy() for column in columns]

    return Replies(
        Acknowledgements(*cut(codes.ACK, 0, 1, 2)),
        Fills(*cut(codes.FILL, 0, 1, 2, 3, 4, 5, 6)),
        Rejections(*cut(codes.REJECT, 0, 1, 2, 3)),
        Rejections(*cut(codes.CANCEL_REJECT, 0, 1, 2, 3)),
        Acknowledgements(*cut(codes.END, 0, 1, 2)),
        Logins(*cut(codes.LOGGED_IN, 0, 2)),
    )
