"""The order path of a broker: client, access gateway, checks, core counter, exchange gateways, and back.

Assumes first come, first served at every station, and that the broker books the exchange's answers once per tick
(posting cycle): an order checked in a tick sees the cash and shares of fills that `receive` booked before that tick.
Does not model the loss of messages; what a station cannot take waits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.contracts import (
    Cancels,
    Exchange,
    Instruments,
    IntColumn,
    Messages,
    Orders,
    Tape,
    Trades,
)
from twin.errors import CapacityError, ConservationError, RunError, ScenarioError
from twin.kernels import order_answers, order_path
from twin.kernels import order_codes as codes
from twin.kernels.stations import N_NUMBERS
from twin.ledger import FeeRates, Ledger
from twin.randomness import Streams
from twin.routing.config import OrderPathConfig, StationConfig
from twin.routing.measures import LatencyBooks, PathCounts, by_reason, count_stuck
from twin.routing.orders import OrderTable
from twin.routing.replies import REPORT, REQUEST, TRADE, Pairs, Replies, replies_of
from twin.routing.stations import Pacer, Pipe, Station, StationUse

__all__ = ["BACKGROUND_BASE", "OrderPath", "Replies"]

BACKGROUND_BASE = 1 << 26
"""Order numbers from here on belong to the rest of the market."""
_MAX_REQUESTS = 1 << 26
_ALWAYS = np.array([[0, 1 << 62]], np.int64)
_NEVER_LATE = 1 << 50
_SLACK = 1 << 10


class OrderPath:
    """The order path, advanced tick by tick: submit, advance, (exchange), deliver, receive.

    Args:
        config: its parameters.
        instruments: what is listed today.
        ledger: cash and shares of the accounts.
        orders: the order table; its numbers are the exchange's handles of the broker's orders.
        permissions: by account, bit 1 << `Board` for each board the client may trade.
        risk_class: by account; an instrument whose risk level is higher is unsuitable.
        streams: random numbers of the replication.
        fees: fee rates.
        segments: by account, the `Segment` for the measures; all retail if left out.
    """

    def __init__(
        self,
        config: OrderPathConfig,
        instruments: Instruments,
        ledger: Ledger,
        orders: OrderTable,
        permissions: NDArray[np.uint8],
        risk_class: NDArray[np.int8],
        streams: Streams,
        fees: FeeRates | None = None,
        segments: NDArray[np.uint8] | None = None,
    ) -> None:
        self.config, self.ledger, self.orders, self.streams = config, ledger, orders, streams
        self.fees = fees or FeeRates()
        self.latency = LatencyBooks()
        self.now = 0
        self._ledger = (ledger.accounts, ledger.slots, ledger.top)
        self._rates = self.fees.array()
        # Kept, not copied: clients get their permissions and classes in the course of the day.
        if permissions.dtype != np.uint8 or risk_class.dtype != np.int8:
            raise TypeError(f"permissions {permissions.dtype} and risk class {risk_class.dtype}: not uint8 and int8")
        self._permissions, self._risk = permissions, risk_class
        self._segments = np.zeros(len(ledger), np.uint8) if segments is None else np.asarray(segments, np.uint8)
        names = ("exchange", "board", "previous_close", "limit_down", "limit_up", "lot", "risk_level")
        self._instruments = np.column_stack([getattr(instruments, name) for name in names]).astype(np.int64)
        self._requests: NDArray[Any] = np.empty(_MAX_REQUESTS, REQUEST)
        self._n_requests = 0
        self._reports: NDArray[Any] = np.empty(_SLACK, REPORT)
        self._trades: NDArray[Any] = np.empty(2 * config.max_orders + _SLACK, TRADE)
        self._stats = np.zeros(codes.N_STATS, np.int64)
        self._refusals, self._rejections = np.zeros(16, np.int64), np.zeros(16, np.int64)
        self._counts = np.zeros(7, np.int64)
        self._grow_scratch(_SLACK)
        self._build_stations()

    def _build_stations(self) -> None:
        c = self.config
        self._numbers = np.zeros((codes.N_STATIONS, N_NUMBERS), np.int64)
        latency = c.exchange_latency_ns
        # What leaves the gateway must arrive before the exchange closes.
        windows = tuple((start, end - latency) for start, end in c.acceptance)
        self._windows = np.array(windows, np.int64).reshape(-1, 2)
        self._acceptance = np.array(c.acceptance, np.int64).reshape(-1, 2)
        served = ("authentication", "suitability", "checks", "core", "report")
        self._configs: dict[str, StationConfig] = {name: getattr(c, name) for name in served}

        def station(k: int, name: str) -> Station:
            config = self._configs[name]
            return Station(name, config.servers(config.capacity), self._numbers[k])

        def exchange(k: int, name: str) -> Pacer:
            return Pacer(name, c.exchange_rate, c.exchange_slot_ns, windows, self._numbers[k])

        numbers = self._numbers
        self._stations: tuple[Pipe, ...] = (
            Station("network", -1, numbers[codes.NETWORK]),
            Pacer("gateway", c.gateway_rate, c.gateway_slot_ns, numbers=numbers[codes.GATEWAY]),
            station(codes.AUTHENTICATION, "authentication"),
            station(codes.SUITABILITY, "suitability"),
            station(codes.CHECKS, "checks"),
            station(codes.CORE, "core"),
            exchange(codes.SSE, "sse"),
            exchange(codes.SZSE, "szse"),
            station(codes.REPORT, "report"),
            Station("network_back", -1, numbers[codes.BACK]),
            *(Pipe(name, numbers[10 + k]) for k, name in enumerate(("overdue", "direct", "wire_sse", "wire_szse"))),
        )
        budget = _NEVER_LATE if c.suitability_budget_ns is None else c.suitability_budget_ns
        last_close = int(self._acceptance[-1, 1]) if len(self._acceptance) else 0
        settings = [c.gateway_service_ns, budget, int(c.on_timeout == "refuse"), latency, last_close]
        self._settings = np.array(settings, np.int64)
        self._laws = np.zeros((codes.N_STATIONS, 4))
        self._laws[codes.NETWORK] = c.network.array()
        for k in (codes.AUTHENTICATION, codes.SUITABILITY, codes.CHECKS, codes.CORE, codes.REPORT):
            self._laws[k] = self._configs[self._stations[k].name].service.array()
        self._forward = (*range(codes.REPORT), *range(codes.OVERDUE, codes.N_STATIONS))
        self._collect_arrays()

    def _collect_arrays(self) -> None:
        self._queues, self._heaps = tuple(s.queue for s in self._stations), tuple(s.heap for s in self._stations)

    def _grow_scratch(self, n: int) -> None:
        self._scratch = tuple(np.empty((n, 2), np.int64) for _ in range(3))
        self._messages = np.empty((7, n), np.int64)
        self._replies = np.empty((7, 7, n), np.int64)

    def _room_forward(self, entering: int = 0) -> None:
        """Make sure that every array on the way out can take all that is under way."""
        inside = sum(len(self._stations[k]) for k in self._forward) + int(self._stats[codes.PARKED]) + entering
        for k in (*self._forward, codes.BACK):
            self._stations[k].reserve(inside)
        self._room_reports(2 * inside)
        if inside > len(self._scratch[0]):
            self._grow_scratch(2 * inside)
        self._collect_arrays()

    def _room_back(self) -> None:
        """Make sure that every array on the way back can take all that is under way."""
        report, back = self._stations[codes.REPORT], self._stations[codes.BACK]
        inside = len(report) + len(back)
        report.reserve(0)
        back.reserve(inside)
        if inside > len(self._scratch[0]):
            self._grow_scratch(2 * inside)
        self._collect_arrays()

    def _room_reports(self, extra: int) -> None:
        front, count = int(self._stats[codes.REPORT_FRONT]), int(self._stats[codes.REPORT_COUNT])
        if count + extra <= len(self._reports):
            return
        kept = self._reports[front:count].copy()
        if 2 * (len(kept) + extra) > len(self._reports):
            self._reports = np.empty(2 * (len(kept) + extra), REPORT)
        self._reports[: len(kept)] = kept
        self._stats[[codes.REPORT_FRONT, codes.REPORT_COUNT]] = 0, len(kept)
        self._stats[codes.REPORT_BASE] += front

    def submit(
        self,
        orders: Orders | None = None,
        cancels: Cancels | None = None,
        logins: Pairs | None = None,
        queries: Pairs | None = None,
    ) -> None:
        """Take messages that clients send, in any order of time, none before `now`.

        Logins and queries are pairs of columns (time, account). Orders must
        carry rows that the order table reserved, or -1 for a new one.
        """
        if orders is not None and len(orders):
            self._enter(codes.ORDER, orders.time, self.orders.append(orders), orders.account)
        if cancels is not None and len(cancels):
            if not (int(cancels.order.min()) >= 0 and int(cancels.order.max()) < len(self.orders)):
                raise ValueError("a cancel names an order that is not in the order table")
            self._enter(codes.CANCEL, cancels.time, cancels.order, cancels.account)
        for kind, batch in ((codes.QUERY, queries), (codes.LOGIN, logins)):
            if batch is not None and len(batch[0]):
                first, self._n_requests = self._n_requests, self._n_requests + len(batch[0])
                if self._n_requests > len(self._requests):
                    raise CapacityError(f"more than {len(self._requests)} logins and queries in a day")
                rows = np.arange(first, self._n_requests, dtype=np.int64)
                self._enter(kind, batch[0], rows, batch[1])

    def _enter(self, kind: int, times: IntColumn, rows: IntColumn, accounts: IntColumn) -> None:
        if int(times.min()) < self.now:
            raise RunError(f"a message of {int(times.min())} ns was submitted at {self.now} ns", where="order path")
        network = self._stations[codes.NETWORK]
        network.reserve(len(times))
        times, rows, accounts = (np.ascontiguousarray(x, np.int64) for x in (times, rows, accounts))
        code = order_path.enter(
            self.streams.key,
            self.streams.replication,
            self.orders.rows,
            self._requests,
            network.heap,
            self._numbers,
            self._laws,
            kind,
            times,
            rows,
            accounts,
        )
        self._check(code)

    def advance(self, until: int) -> Messages:
        """What arrives at the exchange before `until`, sorted by time (ties: orders by number, then cancels)."""
        if until < self.now:
            raise RunError(f"the order path cannot go back from {self.now} to {until} ns", where="order path")
        self._room_forward()
        n = order_path.forward(
            until,
            self.streams.key,
            self.streams.replication,
            self.orders.rows,
            self._requests,
            self._reports,
            self._instruments,
            self._permissions,
            self._risk,
            *self._ledger[:2],
            self._rates,
            self._queues,
            self._heaps,
            self._numbers,
            self._laws,
            self._settings,
            _ALWAYS,
            self._windows,
            self._scratch,
            self._stats,
            self._refusals,
            self._messages,
        )
        self._check(n)
        self.now = until
        return Messages(*self._messages[:, :n].copy())

    def deliver(self, tape: Tape) -> None:
        """Take the exchange's answers, sorted by time; rows of the background flow are ignored."""
        if not len(tape):
            return
        report = self._stations[codes.REPORT]
        report.reserve(2 * len(tape))
        self._room_reports(2 * len(tape))
        columns = (tape.time, tape.kind, tape.price, tape.quantity, tape.order, tape.counter)
        code = order_answers.take_tape(
            self.orders.rows,
            len(self.orders),
            self._reports,
            report.queue,
            self._numbers,
            self._stats,
            self.config.report.service.mean_ns,
            *(np.ascontiguousarray(c, np.int64) for c in columns),
        )
        self._check(code)

    def receive(self, until: int) -> Replies:
        """Book the answers that the report station handled before `until`; what reached the clients before `until`."""
        self._room_back()
        code = order_answers.backward(
            until,
            self.streams.key,
            self.streams.replication,
            self.orders.rows,
            self._requests,
            self._reports,
            self._segments,
            *self._ledger,
            self._rates,
            self._queues[codes.REPORT],
            self._heaps[codes.REPORT],
            self._heaps[codes.BACK],
            self._numbers,
            self._laws,
            self._acceptance,
            self._scratch[0],
            self._stats,
            self._trades,
            self._rejections,
            self.latency.stages.counts,
            self.latency.segments.counts,
            self.latency.minutes.counts,
            self.latency.logins.counts,
            self._counts,
            self._replies,
        )
        self._check(code)
        return replies_of(self._replies, self._counts)

    def _check(self, code: int) -> None:
        if code == -2:
            raise ConservationError("the exchange's answers contradict the order table", where="order path")
        if code == -3:
            raise self.ledger.full()
        if code < 0:
            raise CapacityError("an array of the order path is full", where="order path")

    @property
    def station_names(self) -> tuple[str, ...]:
        """Stations whose capacity can be set."""
        return ("gateway", *self._configs, *(e.name.lower() for e in Exchange))

    def set_capacity(self, station: str, capacity: float | None) -> None:
        """Change a station's messages per second from now on (0 = out of order, None = without limit).

        Args:
            station: one of `station_names`; 'sse' and 'szse' are all gateways to that exchange together.
            capacity: messages per second.
        """
        if station not in self.station_names:
            raise ScenarioError(
                f"there is no station {station!r}", hint=f"Choose from {', '.join(self.station_names)}."
            )
        if capacity is not None and capacity < 0:
            raise ScenarioError(f"a capacity of {capacity}/s is negative", where=station, hint="Give 0 or more.")
        found = next(s for s in self._stations if s.name == station)
        if isinstance(found, Pacer):
            found.set_rate(capacity)
        elif isinstance(found, Station):
            found.set_servers(self._configs[station].servers(capacity))

    def waiting(self, station: str) -> int:
        """Messages in the queue of a station now, those in service not counted."""
        return next(s for s in self._stations if s.name == station).waiting

    def snapshot(self) -> dict[str, StationUse]:
        """Queue, load and throughput of every station since the last snapshot."""
        return {s.name: s.use() for s in self._stations if s.name in self.station_names}

    def counts(self) -> PathCounts:
        """The day's counts so far."""
        s = self._stats.tolist()
        return PathCounts(
            orders=len(self.orders),
            acknowledged=s[codes.N_ACKNOWLEDGED],
            refused=by_reason(self._refusals),
            rejected=by_reason(self._rejections),
            unsuitable_blocked=s[codes.BLOCKED_UNSUITABLE],
            unsuitable_passed=s[codes.PASSED_UNSUITABLE],
            passed_unchecked=s[codes.PASSED_UNCHECKED],
            timed_out=s[codes.TIMED_OUT],
            late_checks=s[codes.LATE_CHECKS],
            stuck=count_stuck(self.orders, self._acceptance, self.config.stuck_ns),
            queries=s[codes.N_ANSWERED],
            trades=s[codes.TRADE_COUNT],
        )

    def trades(self) -> Trades:
        """All fills booked so far, at the exchange's time, in the order of booking."""
        t = self._trades[: int(self._stats[codes.TRADE_COUNT])]
        o = self.orders.rows[t["row"]]
        columns = (t["time"], t["row"], o["account"], o["instrument"], o["side"], t["price"], t["quantity"])
        return Trades(*(np.asarray(c, np.int64) for c in columns))

    def close(self, until: int) -> tuple[Replies, int]:
        """End the day: book every answer that the exchange gave, then end what is still open and free what it holds.

        Args:
            until: instant of the close of the broker's books; answers not yet told to clients by then stay untold.

        Returns:
            What reached the clients until then, and the number of orders ended because they were still open.
        """
        report = self._stations[codes.REPORT]
        if isinstance(report, Station):
            report.set_servers(-1)
        replies = self.receive(until)
        n = order_answers.expire_open(self.orders.rows, len(self.orders), *self._ledger[:2], self._rates)
        return replies, int(n)
