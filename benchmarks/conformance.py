"""The matching engine as a process that a public conformance suite can drive: NDJSON over standard input and output.

The suite is `tracebook-conformance` (in the `test` extra). It sends order events, and compares outcome, rejection
reason, trades and the whole queue of every book after each event with those of its own engine:

    tracebook-conformance qualify --profile fifo-full-v1 --seed 42 --traces 25 --events-per-trace 200 \\
        --output-dir /tmp/qualification --candidate-cmd 'python -m benchmarks.conformance'

All that is answered is read off the engine's tape and queues; kept here are only names (symbols, order numbers) and
owners, which an exchange's book does not know. Translated are:
    MARKET -> NEW_SWEEP; reduce -> REDUCE; replace -> REPLACE; clear -> a CANCEL of every order of the symbol;
    an order that finds nobody to trade with (a market order on an empty side, a fill-or-kill order that cannot be
    filled) is refused by this exchange and taken and withdrawn at once by the suite's: the same trades and the same
    book, reported as applied.
Not modelled, and so not claimed: self-trade prevention and pro-rata allocation.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, TextIO

import numpy as np

import twin
from twin.clock import Phase
from twin.contracts import Instruments, MessageKind, Messages, Reason, Side, Tape, TapeKind
from twin.errors import DataError, TwinError
from twin.matching.engine import MatchingEngine

PROTOCOL: Final = {"protocol": "tracebook.conformance", "protocol_version": 1}
SYMBOLS: Final = 8
HIGHEST_PRICE: Final = 1 << 14
"""Ticks."""
UNITS: Final = 10**10
"""Engine shares per unit of the suite, whose quantities are decimal fractions."""
MAX_ORDERS: Final = 1 << 20

_NEW: Final = {
    "LIMIT": MessageKind.NEW_LIMIT,
    "MARKET": MessageKind.NEW_SWEEP,
    "IOC": MessageKind.NEW_IOC,
    "FOK": MessageKind.NEW_FOK,
}
_UNMATCHED: Final = {Reason.NO_COUNTERPARTY, Reason.UNFILLABLE}
_REJECTED_OTHERWISE: Final = {"replace": "INVALID_REPLACEMENT", "cancel": "INVALID_CANCEL"}

Event = dict[str, Any]


class Rejection(Exception):  # noqa: N818 - an outcome of the protocol, not an error
    """The event is answered with `rejected` and this reason."""


class Adapter:
    """Events of the suite in, its observations out; between them one engine with a book for each symbol.

    Args:
        config: the suite's `config` object.

    Raises:
        DataError: it asks for what the engine does not model.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        if (algorithm := config.get("matching_algorithm", "fifo")) != "fifo":
            raise DataError(f"matching algorithm {algorithm!r}", hint="The engine models price-time priority (fifo).")
        if (policy := config.get("self_trade_policy", "NONE")) != "NONE":
            raise DataError(f"self-trade policy {policy!r}", hint="The engine models no self-trade prevention.")
        self.tick = Decimal(str(config.get("tick_size", "0.01")))
        self.places = int(config.get("quantity_decimal_places", 12))
        one = np.ones(SYMBOLS, np.int64)
        listed = Instruments(0 * one, 0 * one, 10_000 * one, one, HIGHEST_PRICE * one, one, one)
        self.engine = MatchingEngine(listed, max_orders=MAX_ORDERS)
        self.engine.set_phase(Phase.CONTINUOUS)
        self.symbols: dict[str, int] = {}
        self.handles: dict[tuple[int, int], int] = {}
        self.names: list[int] = []  # the suite's number of each handle
        self.owners: dict[int, int] = {}

    def observe(self, event: Event, index: int) -> dict[str, Any]:
        """Apply one event and describe what came of it."""
        outcome: dict[str, Any] = {"status": "applied", "reason": None, "message": None}
        trades: list[dict[str, Any]] = []
        try:
            trades = self.apply(event, index)
        except Rejection as rejection:
            outcome = {"status": "rejected", "reason": str(rejection), "message": None}
        state = self.state()
        return {
            "type": "observation",
            "index": index,
            "outcome": outcome,
            "trades": trades,
            "state_hash": state_hash(state),
            "resting_order_count": self.engine.resting,
        }

    def apply(self, event: Event, index: int) -> list[dict[str, Any]]:
        """Turn the event into messages, hand them to the engine, and return the trades.

        Raises:
            Rejection: the engine refused.
        """
        operation, symbol = event["op"], event["symbol"]
        if operation in {"new", "clear"}:
            self.list_symbol(symbol)
        elif symbol not in self.symbols:
            raise Rejection("ORDER_NOT_ACTIVE")
        instrument = self.symbols[symbol]
        if operation == "clear":
            for side in Side:
                for order in self.engine.queue(instrument, side)[0].tolist():
                    self.send(index, MessageKind.CANCEL, instrument, 0, 0, 0, order)
            return []
        handle = self.handle(instrument, event["order_id"])
        if operation == "new":
            tape = self.new(event, index, instrument, handle)
        elif operation == "cancel":
            tape = self.send(index, MessageKind.CANCEL, instrument, 0, 0, 0, handle)
        elif operation == "reduce":
            tape = self.send(index, MessageKind.REDUCE, instrument, 0, 0, self.shares(event["quantity"]), handle)
        else:
            tape = self.replace(event, index, instrument, handle)
        refuse(tape, operation)
        return [self.trade(tape, row, symbol) for row in np.flatnonzero(tape.kind == TapeKind.TRADE).tolist()]

    def new(self, event: Event, index: int, instrument: int, handle: int) -> Tape:
        """Enter a new order; its owner is remembered if it is taken."""
        price = 0 if event["order_type"] == "MARKET" else self.ticks(event["price"])
        side = Side[event["side"]]
        tape = self.send(
            index, _NEW[event["order_type"]], instrument, side, price, self.shares(event["quantity"]), handle
        )
        if (tape.kind == TapeKind.ACCEPTED).any():
            self.owners[handle] = event["owner"]
        return tape

    def replace(self, event: Event, index: int, instrument: int, handle: int) -> Tape:
        """Replace a resting order; what the event leaves open stays as it is in the book."""
        side, price, quantity = Side.BUY, 1, 1  # of an order that does not rest: the engine will say so
        for each in Side:
            orders, prices, leaves = self.engine.queue(instrument, each)
            for row in np.flatnonzero(orders == handle).tolist():
                side, price, quantity = each, int(prices[row]), int(leaves[row])
        if event.get("price") is not None:
            price = self.ticks(event["price"])
        if event.get("quantity") is not None:
            quantity = self.shares(event["quantity"])
        return self.send(index, MessageKind.REPLACE, instrument, side, price, quantity, handle)

    def send(self, time: int, *columns: int) -> Tape:
        """One message to the engine; `columns` are kind, instrument, side, price, quantity and order."""
        return self.engine.process(Messages(*(np.array([value], np.int64) for value in (time, *columns))))

    def list_symbol(self, symbol: str) -> None:
        """Give a symbol that is seen for the first time the next instrument."""
        if symbol not in self.symbols:
            if len(self.symbols) == SYMBOLS:
                raise DataError(f"more than {SYMBOLS} symbols", hint="Raise SYMBOLS in benchmarks/conformance.py.")
            self.symbols[symbol] = len(self.symbols)

    def handle(self, instrument: int, name: int) -> int:
        """The engine's handle of an order number, which is unique within its symbol only."""
        key = (instrument, name)
        if key not in self.handles:
            self.handles[key] = len(self.names)
            self.names.append(name)
        return self.handles[key]

    def ticks(self, price: float) -> int:
        """The nearest price in ticks; halves go to the even tick."""
        ticks = round(price / float(self.tick))
        if ticks > HIGHEST_PRICE:
            raise DataError(f"price {price}", hint=f"Prices go up to {HIGHEST_PRICE * self.tick}.")
        return ticks

    def shares(self, quantity: float) -> int:
        """A quantity in units of the engine, exactly."""
        shares = Decimal(quantity) * UNITS
        if shares != int(shares):
            raise DataError(f"quantity {quantity!r}", hint=f"Quantities are multiples of 1/{UNITS}.")
        return int(shares)

    def trade(self, tape: Tape, row: int, symbol: str) -> dict[str, Any]:
        """One trade of the tape as the suite writes it."""
        taker, maker = self.names[int(tape.order[row])], self.names[int(tape.counter[row])]
        buyer, seller = (taker, maker) if tape.side[row] == Side.BUY else (maker, taker)
        return {
            "symbol": symbol,
            "buy_order_id": buyer,
            "sell_order_id": seller,
            "price": decimal_text(int(tape.price[row]) * self.tick),
            "quantity": self.quantity_text(int(tape.quantity[row])),
        }

    def quantity_text(self, shares: int) -> str:
        """A quantity of the engine, rounded to the suite's decimal places."""
        return decimal_text(round(Decimal(shares) / UNITS, self.places))

    def state(self) -> dict[str, Any]:
        """Every resting order of every book in order of priority."""
        return {
            "books": [
                {
                    "symbol": symbol,
                    "bids": self.resting(self.symbols[symbol], Side.BUY),
                    "asks": self.resting(self.symbols[symbol], Side.SELL),
                }
                for symbol in sorted(self.symbols)
            ]
        }

    def resting(self, instrument: int, side: Side) -> list[dict[str, Any]]:
        """One side of a book, best price and oldest order first."""
        return [
            {
                "order_id": self.names[order],
                "price": decimal_text(price * self.tick),
                "remaining_quantity": self.quantity_text(leaves),
                "owner": self.owners[order],
                "order_type": "LIMIT",
            }
            for order, price, leaves in zip(*(c.tolist() for c in self.engine.queue(instrument, side)), strict=True)
        ]


def refuse(tape: Tape, operation: str) -> None:
    """Raise the suite's reason if the tape says that a message was refused."""
    for reason in (-1 - tape.counter[tape.kind == TapeKind.REJECTED]).tolist():
        if reason == Reason.UNKNOWN_ORDER:
            raise Rejection("DUPLICATE_ORDER_ID" if operation == "new" else "ORDER_NOT_ACTIVE")
        if operation != "new" or reason not in _UNMATCHED:
            raise Rejection(_REJECTED_OTHERWISE.get(operation, "INVALID_ORDER"))


def decimal_text(value: Decimal) -> str:
    """A number without exponent and without trailing zeros."""
    return format(value.normalize(), "f") if value else "0"


def state_hash(state: dict[str, Any]) -> str:
    """SHA-256 of the state as canonical JSON."""
    return hashlib.sha256(
        json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


def answers(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The answer to each message of the suite.

    Raises:
        DataError: a message is not of the protocol, or asks for what the engine does not model.
    """
    adapter: Adapter | None = None
    last = 0
    for line in lines:
        message = json.loads(line)
        what, index = message.get("type"), message.get("index")
        if what == "hello" and adapter is None:
            adapter = Adapter(message["config"])
            identity = {"name": "broker-twin", "version": twin.__version__, "language": "Python, Numba"}
            yield {"type": "ready", **PROTOCOL, "engine": identity}
        elif what == "event" and adapter is not None and index == last + 1:
            last = index
            yield adapter.observe(message["event"], index)
        elif what == "snapshot" and adapter is not None and index == last:
            yield {"type": "snapshot", "index": last, "state": adapter.state()}
        elif what == "finish" and adapter is not None and message.get("event_count") == last:
            adapter.engine.check()
            yield {"type": "complete", "event_count": last}
            return
        else:
            raise DataError(f"message {what!r} with index {index!r} after event {last}", hint="Is this the protocol?")


def serve(source: TextIO, sink: TextIO) -> int:
    """Answer until the suite says `finish`; 2 if it went wrong."""
    try:
        for answer in answers(source):
            sink.write(json.dumps(answer, separators=(",", ":")) + "\n")
            sink.flush()
    except (TwinError, ValueError, KeyError) as error:
        sink.write(json.dumps({"type": "error", "code": "ADAPTER_ERROR", "message": str(error)}) + "\n")
        sink.flush()
        return 2
    return 0


if __name__ == "__main__":
    # The suite gives an adapter half a second to end; the interpreter's own clearing up may take longer.
    os._exit(serve(sys.stdin, sys.stdout))
