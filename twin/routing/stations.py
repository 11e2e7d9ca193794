"""The stations of the order path as small objects that own their arrays; the compiled path works on the same arrays.

`Station` is an exact G/G/c queue, `Pacer` a flow control that defers, `Pipe` a plain delay line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.clock import SECOND
from twin.errors import CapacityError
from twin.kernels import stations as kernel

IntArray = NDArray[np.int64]
_START_ROWS = 1 << 12


@dataclass(frozen=True)
class StationUse:
    """How a station was used since the last look.

    Args:
        name: the station.
        waiting: messages in its queue now.
        in_service: messages in service now (0 at a pacer).
        utilisation: busy share of the time its servers offered, or used share of a pacer's slots; NaN without limit.
        started: messages whose service started since the last look.
    """

    name: str
    waiting: int
    in_service: int
    utilisation: float
    started: int


class Pipe:
    """A queue of rows (time, item, demand) sorted by (time, item), which empties from the front.

    Args:
        name: what users call it.
        numbers: its row of the path's numbers (fields in `twin.kernels.stations`).
        columns: of its rows, if they are others.
    """

    def __init__(self, name: str, numbers: IntArray | None = None, columns: int = 3) -> None:
        self.name = name
        self.numbers: IntArray = np.zeros(kernel.N_NUMBERS, np.int64) if numbers is None else numbers
        self.numbers[kernel.SERVERS] = -1
        self.queue: IntArray = np.empty((_START_ROWS, columns), np.int64)
        self.heap: IntArray = np.empty((1, 2), np.int64)
        self._seen = (0, 0, 0)

    def __len__(self) -> int:
        """Messages inside, waiting and in service."""
        head, tail, busy = self.numbers[:3].tolist()
        return int(tail - head + busy)

    @property
    def waiting(self) -> int:
        """Messages in the queue."""
        return int(self.numbers[kernel.TAIL] - self.numbers[kernel.HEAD])

    def reserve(self, extra: int) -> None:
        """Make room for `extra` more messages."""
        head, tail, busy = self.numbers[:3].tolist()
        if tail + extra > len(self.queue):
            waiting = tail - head
            grow = 2 * (waiting + extra) > len(self.queue)
            target = _empty(2 * (waiting + extra), self.queue.shape[1], self.name) if grow else self.queue
            target[:waiting] = self.queue[head:tail]
            self.queue = target
            released = max(int(self.numbers[kernel.RELEASED]), head) - head
            self.numbers[[kernel.HEAD, kernel.TAIL, kernel.RELEASED]] = 0, waiting, released
        servers = int(self.numbers[kernel.SERVERS])
        most = busy + extra if servers < 0 else min(busy + extra, max(busy, servers))
        if most > len(self.heap):
            heap = _empty(2 * most, 2, self.name)
            heap[:busy] = self.heap[:busy]
            self.heap = heap

    def offer(self, times: IntArray, items: IntArray, demands: IntArray) -> None:
        """Append arrivals, sorted by (time, item) and not before those already there."""
        self.reserve(len(times))
        tail = int(self.numbers[kernel.TAIL])
        self.queue[tail : tail + len(times)] = np.column_stack([times, items, demands])
        self.numbers[kernel.TAIL] = tail + len(times)

    def use(self) -> StationUse:
        """Queue, load and throughput since the last call."""
        n = self.numbers.tolist()
        seen = (n[kernel.BUSY_NS], n[kernel.CAPACITY_NS], n[kernel.STARTED])
        busy, offered, started = (now - before for now, before in zip(seen, self._seen, strict=True))
        self._seen = seen
        # A pacer offers messages, a station offers server time.
        used = busy if n[kernel.SLOT_NS] == 0 else started
        utilisation = used / offered if offered else float("nan")
        return StationUse(self.name, n[kernel.TAIL] - n[kernel.HEAD], n[kernel.BUSY], utilisation, started)


def _empty(rows: int, columns: int, name: str) -> IntArray:
    try:
        return np.empty((rows, columns), np.int64)
    except MemoryError as error:
        raise CapacityError(f"no memory for a queue of {rows} messages", where=name) from error


class Station(Pipe):
    """An exact G/G/c station, first come, first served.

    Args:
        name: what users call it.
        servers: number of servers; -1 = without limit, 0 = out of order.
        numbers: its row of the path's numbers.
    """

    def __init__(self, name: str, servers: int, numbers: IntArray | None = None) -> None:
        super().__init__(name, numbers)
        self.set_servers(servers)
        self.reserve(_START_ROWS)

    def set_servers(self, servers: int) -> None:
        """Change the number of servers; work in service goes on, work that waits starts under the new number."""
        self.numbers[kernel.SERVERS] = servers
        self.reserve(len(self))

    def advance(self, until: int) -> tuple[IntArray, IntArray]:
        """Times and items of what departs before `until`, in order."""
        self.reserve(len(self))
        out = np.empty((len(self), 2), np.int64)
        n, _ = kernel.serve(self.queue, self.heap, self.numbers, until, out, len(out))
        return out[:n, 0].copy(), out[:n, 1].copy()


class Pacer(Pipe):
    """Flow control: at most so many messages per slot; the excess waits for the next slot and is never refused (I10).

    Args:
        name: what users call it.
        rate: messages per second; None = without limit.
        slot_ns: length of a slot.
        windows: instants [open, close) between which anything passes at all.
        numbers: its row of the path's numbers.
    """

    def __init__(
        self,
        name: str,
        rate: float | None,
        slot_ns: int,
        windows: tuple[tuple[int, int], ...] = ((0, kernel.NEVER),),
        numbers: IntArray | None = None,
    ) -> None:
        super().__init__(name, numbers)
        self.slot_ns = slot_ns
        self.windows: IntArray = np.array(windows, np.int64).reshape(-1, 2)
        self.numbers[kernel.SLOT_NS] = slot_ns
        self.numbers[kernel.SLOT] = -1
        self.set_rate(rate)

    def set_rate(self, rate: float | None) -> None:
        """Change the messages per second (at least one per slot, unless 0); slots keep their borders."""
        limit = -1 if rate is None else max(1, round(rate * self.slot_ns / SECOND)) if rate > 0 else 0
        self.numbers[kernel.SERVERS] = limit

    def advance(self, until: int) -> tuple[IntArray, IntArray]:
        """Times and items of what passes before `until`, in order."""
        out = np.empty((len(self), 2), np.int64)
        n, _ = kernel.pace(self.queue, self.numbers, self.windows, until, out, len(out))
        return out[:n, 0].copy(), out[:n, 1].copy()
