"""The order path of a broker: client, access gateway, checks, core counter, exchange gateways, and back.

Assumes first come, first served at every station, and that the broker books the exchange's answers once per tick
(posting cycle): an order checked in a tick sees the cash and shares of fills that `receive` booked before that tick.
Does not model the loss of messages (what a station cannot take waits), nor the way back of what a query asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Cancels, Exchange, Instruments, IntColumn, Messages, OrderRules, Orders, Tape, Trades
from twin.errors import CapacityError, ConservationError, RunError, ScenarioError
from twin.kernels import order_answers, order_entry, order_path
from twin.kernels import order_codes as codes
from twin.kernels import stations as kernel
from twin.kernels.sorting import N_COUNTS
from twin.ledger import FeeRates, Ledger
from twin.randomness import Streams
from twin.routing.config import OrderPathConfig
from twin.routing.layout import build_stations, send_windows
from twin.routing.measures import LatencyBooks, PathCounts, by_reason, count_stuck
from twin.routing.orders import OrderTable
from twin.routing.replies import REPORT, REQUEST, TRADE, Pairs, Replies, replies_of
from twin.routing.sizes import instrument_table
from twin.routing.stations import Pacer, Station, StationUse

__all__ = ["BACKGROUND_BASE", "OrderPath", "Replies"]

BACKGROUND_BASE = 1 << 26
"""Order numbers from here on belong to the rest of the market."""
_ALWAYS = np.array([[0, 1 << 62]], np.int64)
_NEVER_LATE = 1 << 50
_CHUNK = 1 << 14
"""Messages that one call of the compiled path moves from one stage to the next, if no more are on the network."""


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
        told_from: accounts from here on hear in `Replies` of all that becomes of their orders, others of rejections
            and logins only (the order table and the measures know everything all the same).
        keep_trades: whether to log every fill for `trades`.
        rules: the exchange's, of which the path checks the sizes; without, those of today's boards.
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
        told_from: int = 0,
        keep_trades: bool = False,
        rules: OrderRules | None = None,
    ) -> None:
        if orders.capacity > BACKGROUND_BASE:
            raise CapacityError(
                f"{orders.capacity} orders in a day: their numbers would meet those of the rest of the market",
                where="order path",
                hint=f"Allow for at most {BACKGROUND_BASE} orders.",
            )
        self.config, self.ledger, self.orders, self.streams = config, ledger, orders, streams
        self.fees = fees or FeeRates()
        self.now = 0
        self._latency, self._surveyed = LatencyBooks(), -1
        self._stuck, self._counted = 0, -1
        self._changes = 0
        self._ledger = (ledger.accounts, ledger.slots, ledger.top)
        self._rates = self.fees.table(instruments.board)
        # Kept, not copied: clients get their permissions and classes in the course of the day.
        if permissions.dtype != np.uint8 or risk_class.dtype != np.int8:
            raise TypeError(f"permissions {permissions.dtype} and risk class {risk_class.dtype}: not uint8 and int8")
        self._permissions, self._risk = permissions, risk_class
        self._segments = np.zeros(len(ledger), np.uint8) if segments is None else np.asarray(segments, np.uint8)
        self._instruments = instrument_table(instruments, rules)
        self._requests: NDArray[Any] = np.empty(_CHUNK, REQUEST)
        self._n_requests = 0
        self._reports: NDArray[Any] = np.empty(_CHUNK, REPORT)
        self._trades: NDArray[Any] = np.empty(2 * orders.capacity if keep_trades else 0, TRADE)
        self._stats = np.zeros(codes.N_STATS, np.int64)
        self._refusals, self._rejections = np.zeros(16, np.int64), np.zeros(16, np.int64)
        self._digits = np.zeros(N_COUNTS, np.int64)
        self._scratch = np.empty((_CHUNK, 2), np.int64), np.empty((_CHUNK, 2), np.int64)
        self._messages = np.empty((7, _CHUNK), np.int64)
        self._told_from = told_from
        self._build_stations()

    def _build_stations(self) -> None:
        c = self.config
        self._numbers = np.zeros((codes.N_STATIONS, kernel.N_NUMBERS), np.int64)
        self._stations, self._configs = build_stations(c, self._numbers)
        self._windows = np.array(send_windows(c), np.int64).reshape(-1, 2)
        self._acceptance = np.array(c.acceptance, np.int64).reshape(-1, 2)
        budget = _NEVER_LATE if c.suitability_budget_ns is None else c.suitability_budget_ns
        last_close = int(self._acceptance[-1, 1]) if len(self._acceptance) else 0
        settings = [c.gateway_service_ns, budget, int(c.on_timeout == "refuse")]
        self._settings = np.array([*settings, c.exchange_latency_ns, last_close, self._told_from], np.int64)
        self._laws = np.zeros((codes.N_STATIONS, kernel.HEADER + kernel.CELLS + 1))
        self._laws[codes.NETWORK] = c.network.array()
        for k in (codes.AUTHENTICATION, codes.SUITABILITY, codes.CHECKS, codes.CORE, codes.REPORT):
            self._laws[k] = self._configs[self._stations[k].name].service.array()
        self._collect_arrays()

    def _collect_arrays(self) -> None:
        self._queues, self._heaps = tuple(s.queue for s in self._stations), tuple(s.heap for s in self._stations)

    def _make_room(self, station: int) -> None:
        """More room at a station that has none left."""
        self._stations[station].reserve(max(_CHUNK, self._stations[codes.NETWORK].waiting))
        self._collect_arrays()

    def _room_scratch(self, rows: int) -> None:
        if rows > len(self._scratch[0]):
            self._scratch = np.empty((2 * rows, 2), np.int64), np.empty((2 * rows, 2), np.int64)

    def _room_reports(self, extra: int) -> None:
        """Room for more reports; those that have been booked make way."""
        report = self._stations[codes.REPORT]
        report.reserve(extra)
        count = int(self._stats[codes.REPORT_COUNT])
        if count + extra > len(self._reports):
            kept = self._reports[count - len(report) : count].copy()
            if 2 * (len(kept) + extra) > len(self._reports):
                self._reports = np.empty(2 * (len(kept) + extra), REPORT)
            self._reports[: len(kept)] = kept
            self._stats[codes.REPORT_COUNT] = len(kept)
            self._stats[codes.REPORT_BASE] += count - len(kept)
        self._collect_arrays()

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
                # A query has no record; its account stands in for the row.
                rows = self._new_requests(len(batch[0])) if kind == codes.LOGIN else batch[1]
                self._enter(kind, batch[0], rows, batch[1])

    def _new_requests(self, n: int) -> IntColumn:
        """Rows of `n` new log-ins."""
        first, self._n_requests = self._n_requests, self._n_requests + n
        if self._n_requests > len(self._requests):
            requests: NDArray[Any] = np.empty(2 * self._n_requests, REQUEST)
            requests[:first] = self._requests[:first]
            self._requests = requests
        return np.arange(first, self._n_requests, dtype=np.int64)

    def _enter(self, kind: int, times: IntColumn, rows: IntColumn, accounts: IntColumn) -> None:
        if int(times.min()) < self.now:
            raise RunError(f"a message of {int(times.min())} ns was submitted at {self.now} ns", where="order path")
        self._changes += 1
        network = self._stations[codes.NETWORK]
        network.reserve(len(times))
        times, rows, accounts = (np.ascontiguousarray(x, np.int64) for x in (times, rows, accounts))
        order_entry.enter(
            self.streams.key,
            self.streams.replication,
            self.orders.rows,
            self._requests,
            network.queue,
            self._numbers,
            self._laws,
            kind,
            times,
            rows,
            accounts,
        )

    def advance(self, until: int) -> Messages:
        """What arrives at the exchange before `until`, sorted by time (ties: orders by number, then cancels)."""
        if until < self.now:
            raise RunError(f"the order path cannot go back from {self.now} to {until} ns", where="order path")
        self._changes += 1
        self._room_scratch(self._stations[codes.NETWORK].waiting)
        self._collect_arrays()
        parts, code = [], int(codes.MORE)
        while code:
            code, n = self._forward(until)
            if n:
                parts.append(self._messages[:, :n].copy())
            if code >= codes.GROW:
                self._make_room(code - int(codes.GROW))
        self.now = until
        if not parts:
            return Messages.empty()
        return Messages(*(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)))

    def _forward(self, until: int) -> tuple[int, int]:
        """One call of the compiled way out: how it ended, and the messages that it wrote."""
        result: tuple[int, int] = order_path.forward(
            until,
            self.orders.rows,
            self._requests,
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
            self._digits,
            self._stats,
            self._refusals,
            self._messages,
        )
        return result

    def deliver(self, tape: Tape) -> None:
        """Take the exchange's answers, sorted by time; rows of the background flow are ignored."""
        if not len(tape):
            return
        self._changes += 1
        # A trade may be between two clients of the broker.
        self._room_reports(2 * len(tape))
        columns = (tape.time, tape.kind, tape.price, tape.quantity, tape.order, tape.counter)
        order_answers.take_tape(
            len(self.orders),
            self._reports,
            self._queues[codes.REPORT],
            self._numbers,
            self._stats,
            self.config.report.service.mean_ns,
            *(np.ascontiguousarray(c, np.int64) for c in columns),
        )

    def receive(self, until: int) -> Replies:
        """Book the answers that the report station handled before `until`; what reached the clients before `until`."""
        self._changes += 1
        self._collect_arrays()
        code = int(codes.MORE)
        while code:
            code = self._backward(until)
            if code >= codes.GROW:
                self._make_room(code - int(codes.GROW))
            elif code < 0:
                raise self._error(code)
        back = self._stations[codes.BACK]
        self._room_scratch(back.waiting)
        out = np.empty((back.waiting, codes.N_REPLY), np.int64)
        logins = self._latency.logins.counts
        n = order_answers.arrive(until, back.queue, self._numbers, logins, *self._scratch, self._digits, out)
        return replies_of(out[:n])

    def _backward(self, until: int) -> int:
        """One call of the compiled booking of answers: how it ended."""
        code: int = order_answers.backward(
            until,
            self.orders.rows,
            self._reports,
            *self._ledger,
            self._rates,
            self._queues[codes.REPORT],
            self._heaps[codes.REPORT],
            self._queues[codes.BACK],
            self._numbers,
            self._laws,
            self._settings,
            self._scratch[0],
            self._stats,
            self._trades,
            self._rejections,
        )
        return code

    def _error(self, code: int) -> Exception:
        if code == order_answers.NO_SLOT:
            return self.ledger.full()
        if code == order_answers.LOG_FULL:
            return CapacityError(f"more than {len(self._trades)} fills in a day", where="order path")
        return ConservationError("the exchange's answers contradict the order table", where="order path")

    @property
    def station_names(self) -> tuple[str, ...]:
        """Stations whose capacity can be set."""
        return ("gateway", *self._configs, *(e.name.lower() for e in Exchange))

    def set_capacity(self, station: str, capacity: float | None) -> None:
        """Change a station's messages per second from now on (0 = out of order, None = without limit).

        Args:
            station: one of `station_names`; 'sse', 'szse' and 'bse' are all gateways to that exchange together.
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
            stuck=self._stuck_now(),
            queries=s[codes.N_ANSWERED],
            trades=s[codes.TRADE_COUNT],
        )

    def _stuck_now(self) -> int:
        if self._counted != self._changes:
            self._stuck = count_stuck(self.orders, self._acceptance, self.config.stuck_ns)
            self._counted = self._changes
        return self._stuck

    @property
    def latency(self) -> LatencyBooks:
        """The latencies measured so far."""
        if self._surveyed != self._changes:
            self._latency.survey(self.orders, self._acceptance, self._windows, self._segments)
            self._surveyed = self._changes
        return self._latency

    def trades(self) -> Trades:
        """All fills booked so far (if they are kept), at the exchange's time, in the order of booking."""
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
