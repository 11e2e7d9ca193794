"""The broker's order table: one row per order of the day, with its state, its fills and its times at each stage."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.contracts import IntColumn, Orders
from twin.errors import CapacityError
from twin.kernels import order_codes as codes
from twin.kernels import order_entry as kernel


class OrderState(IntEnum):
    """Where an order stands in the broker's books."""

    IN_PATH = codes.IN_PATH
    WORKING = codes.WORKING
    FILLED = codes.FILLED
    CANCELLED = codes.CANCELLED
    REFUSED = codes.REFUSED
    """By the broker's checks."""
    REJECTED = codes.REJECTED
    """By the exchange."""
    EXPIRED = codes.EXPIRED


ORDER = np.dtype(
    [
        ("account", np.int32),
        ("instrument", np.int32),
        ("price", np.int32),
        ("quantity", np.int32),
        ("filled", np.int32),
        ("freeze_price", np.int32),
        ("side", np.int8),
        ("kind", np.int8),
        ("state", np.int8),
        ("reason", np.int8),
        ("parked", np.uint8),
        ("luck", np.uint64),
        ("value", np.int64),
        ("submitted", np.int64),
        ("gateway", np.int64),
        ("checked", np.int64),
        ("core", np.int64),
        ("sent", np.int64),
        ("accepted", np.int64),
        ("acknowledged", np.int64),
        ("done", np.int64),
    ],
    align=True,
)
"""One order. `value`: fills in fen; `freeze_price`: at which a buy holds cash; `parked`, `luck`: the path's own.
Times in ns, 0 = not reached; `acknowledged` and `done` are instants at which the client is told, known once the broker
has booked the answer (`done` is the last such instant, and the end of the order once its state is final)."""


class OrderTable:
    """Orders of one day in the order of their numbers; memory is committed only as rows are written.

    Every field of `ORDER` is a column: `table.column("account")` of the rows used so far, `table.account` of all rows
    that there may be (for kernels: one memory layout at any size; rows from `len(table)` on are not written).

    Args:
        max_orders: rows that there may be at most.
    """

    def __init__(self, max_orders: int = 40_000_000) -> None:
        self.rows: NDArray[Any] = np.empty(max_orders, ORDER)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def new_rows(self, n: int) -> int:
        """Reserve `n` order numbers; returns the first. Their orders must be appended or submitted."""
        first = self._count
        if first + n > len(self.rows):
            raise CapacityError(
                f"more than {len(self.rows)} orders in a day", where="order table", hint="Raise max_orders."
            )
        self._count = first + n
        return first

    def append(self, orders: Orders) -> IntColumn:
        """Write orders into their rows and return these; an order whose number is -1 gets a new one."""
        new = orders.order < 0
        first = self.new_rows(int(new.sum()))
        rows = orders.order
        if new.any():
            rows = np.where(new, first + np.cumsum(new) - 1, orders.order)
        if len(rows) and int(rows.max()) >= self._count:
            raise ValueError(f"order {int(rows.max())} has no row; reserve it with new_rows")
        columns = (orders.account, orders.instrument, orders.side, orders.kind, orders.price, orders.quantity)
        contiguous = [np.ascontiguousarray(c, np.int64) for c in (orders.time, rows, *columns)]
        kernel.write_orders(self.rows, first, *contiguous)
        return contiguous[1]

    @property
    def capacity(self) -> int:
        """Rows that there may be at most."""
        return len(self.rows)

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name in (ORDER.names or ()):
            return self.rows[name]
        raise AttributeError(f"the order table has no column {name!r}")

    def column(self, name: str) -> NDArray[Any]:
        """A field of all orders so far, as a view."""
        return self.rows[name][: self._count]
