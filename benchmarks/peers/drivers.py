"""One driver for each other order book; runs in the peers' own environment and imports nothing of the twin.

    python drivers.py NAME FLOW.npy ROUNDS

FLOW holds int64 rows of (kind, side, price, quantity, order): kind 0 is a limit order, 2 a cancel. Printed is one JSON
object: CPU seconds of each round, messages, shares traded, version. Where a library has order objects they are built
before the clock starts, so that only what enters the book is timed.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.metadata import version

import numpy as np

Rows = list[list[int]]
Result = tuple[float, int]
"""CPU seconds and shares traded."""
CANCEL = 2


def limit_order_book(rows: Rows) -> Result:
    from limit_order_book import LimitOrderBook

    book = LimitOrderBook()
    buy, sell, cancel = book.limit_buy, book.limit_sell, book.cancel
    begun = time.process_time()
    for kind, side, price, quantity, order in rows:
        if kind == CANCEL:
            cancel(order)
        elif side > 0:
            buy(order, quantity, price)
        else:
            sell(order, quantity, price)
    seconds = time.process_time() - begun
    # It reports no trades: a second pass, not timed, reads them off the volumes.
    other, traded = LimitOrderBook(), 0
    for kind, side, price, quantity, order in rows:
        if kind == CANCEL:
            other.cancel(order)
        elif side > 0:
            before = other.volume_sell()
            other.limit_buy(order, quantity, price)
            traded += before - other.volume_sell()
        else:
            before = other.volume_buy()
            other.limit_sell(order, quantity, price)
            traded += before - other.volume_buy()
    if (other.volume_buy(), other.volume_sell()) != (book.volume_buy(), book.volume_sell()):
        raise AssertionError("the two passes differ")
    return seconds, traded


def matching_engine(rows: Rows) -> Result:
    from matching_engine.domain import CancelOrder, NewOrder, SelfTradePrevention, SequencedCommand, Side
    from matching_engine.engine import MatchingEngine
    from matching_engine.events import Trade

    none = SelfTradePrevention.NONE
    commands = [
        SequencedCommand(
            at,
            at,
            CancelOrder(order, 1)
            if kind == CANCEL
            else NewOrder(order, 1, Side.BUY if side > 0 else Side.SELL, price, quantity, stp=none),
        )
        for at, (kind, side, price, quantity, order) in enumerate(rows, 1)
    ]
    process = MatchingEngine().process
    begun = time.process_time()
    events = [process(command) for command in commands]
    seconds = time.process_time() - begun
    return seconds, sum(event.qty for batch in events for event in batch if type(event) is Trade)


def orderly_chaos(rows: Rows) -> Result:
    from orderly_chaos import LimitOrderBook

    book, traded = LimitOrderBook(), 0
    buy, sell, cancel = book.limit_buy, book.limit_sell, book.cancel
    begun = time.process_time()
    for kind, side, price, quantity, order in rows:
        if kind == CANCEL:
            cancel(order)
        elif side > 0:
            traded += buy(order, quantity, price)
        else:
            traded += sell(order, quantity, price)
    return time.process_time() - begun, traded


def bourse(rows: Rows) -> Result:
    from bourse.core import OrderBook

    book = OrderBook(0, 1)
    ids: dict[int, int] = {}
    begun = time.process_time()
    for at, (kind, side, price, quantity, order) in enumerate(rows):
        book.set_time(at)  # orders of one time have no priority among each other
        if kind == CANCEL:
            book.cancel_order(ids[order])
        else:
            ids[order] = book.place_order(side > 0, quantity, 1, price=price)
    seconds = time.process_time() - begun
    return seconds, sum(trade[3] for trade in book.get_trades())


def lightmatchingengine(rows: Rows) -> Result:
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side

    engine, traded = LightMatchingEngine(), 0
    ids: dict[int, int] = {}
    begun = time.process_time()
    for kind, side, price, quantity, order in rows:
        if kind == CANCEL:
            engine.cancel_order(ids[order], "X")
        else:
            placed, _ = engine.add_order("X", price, quantity, Side.BUY if side > 0 else Side.SELL)
            traded += placed.cum_qty
            ids[order] = placed.order_id
    return time.process_time() - begun, traded


def cython_orderbook(rows: Rows) -> Result:
    from cython_orderbook import Order, OrderBook, OrderSide

    book, traded = OrderBook(), 0
    orders = {
        order: Order(
            side=OrderSide.BID if side > 0 else OrderSide.ASK, price=Decimal(price), original_quantity=quantity
        )
        for kind, side, price, quantity, order in rows
        if kind != CANCEL
    }
    begun = time.process_time()
    for kind, _, _, quantity, order in rows:
        if kind == CANCEL:
            book.cancel_order(orders[order].order_id)
        else:
            placed = orders[order]
            book.add_limit_order(placed)
            traded += quantity - placed.remaining_quantity
    return time.process_time() - begun, traded


def pyorderbook(rows: Rows) -> Result:
    from pyorderbook import Book, ask, bid

    book = Book()
    orders = {
        order: (bid if side > 0 else ask)("X", price, quantity)
        for kind, side, price, quantity, order in rows
        if kind != CANCEL
    }
    blotters = []
    begun = time.process_time()
    for kind, _, _, _, order in rows:
        if kind == CANCEL:
            book.cancel(orders[order])
        else:
            blotters.append(book.match(orders[order]))
    seconds = time.process_time() - begun
    return seconds, sum(trade.fill_quantity for blotter in blotters for trade in blotter.trades)


def fastlob(rows: Rows) -> Result:
    import logging

    from fastlob import Orderbook, OrderParams, OrderSide, OrderType

    logging.disable(logging.CRITICAL)
    params = {
        order: OrderParams(
            side=OrderSide.BID if side > 0 else OrderSide.ASK, price=price, quantity=quantity, otype=OrderType.GTC
        )
        for kind, side, price, quantity, order in rows
        if kind != CANCEL
    }
    book = Orderbook(name="X", start=True)
    ids: dict[int, str] = {}
    results = []
    begun = time.process_time()
    for kind, _, _, _, order in rows:
        if kind == CANCEL:
            book.cancel(ids[order])
        else:
            result = book(params[order])
            ids[order] = result.orderid()
            results.append(result)
    seconds = time.process_time() - begun
    book.stop()
    matched = [result for result in results if "MARKET" in result.kind().name]
    return seconds, int(sum(sum(result.execprices().values()) for result in matched))


def order_matching(rows: Rows) -> Result:
    from loguru import logger
    from order_matching.enums import Side
    from order_matching.matching_engine import MatchingEngine
    from order_matching.order import LimitOrder
    from order_matching.orders import Orders

    logger.remove()
    engine, traded = MatchingEngine(seed=1), 0.0
    start = datetime(2026, 1, 1)
    placed = [
        None
        if kind == CANCEL
        else LimitOrder(
            side=Side.BUY if side > 0 else Side.SELL,
            price=price,
            size=quantity,
            timestamp=start + timedelta(microseconds=at),
            order_id=str(order),
            trader_id="x",
        )
        for at, (kind, side, price, quantity, order) in enumerate(rows)
    ]
    begun = time.process_time()
    for (_, _, _, _, number), order in zip(rows, placed, strict=True):
        if order is None:
            engine.cancel_order(str(number))
        else:
            engine.place(Orders([order]))
            traded += sum(trade.size for trade in engine.match(order.timestamp).trades)
    return time.process_time() - begun, int(traded)


def pams(rows: Rows) -> Result:
    import random

    from pams.market import Market
    from pams.order import LIMIT_ORDER, Cancel, Order

    warnings.simplefilter("ignore")
    market, traded = Market(0, random.Random(1), None, "X"), 0
    market.setup({"tickSize": 1.0, "marketPrice": 10_000.0, "outstandingShares": 1})
    market._update_time(10_000.0)
    market._is_running = True
    placed: dict[int, Order] = {
        order: Order(1, 0, side > 0, LIMIT_ORDER, quantity, price=float(price))
        for kind, side, price, quantity, order in rows
        if kind != CANCEL
    }
    begun = time.process_time()
    for kind, _, _, _, order in rows:
        if kind == CANCEL:
            market._cancel_order(Cancel(placed[order]))
        else:
            market._add_order(placed[order])
            traded += sum(log.volume for log in market._execution())
    return time.process_time() - begun, traded


DRIVERS: dict[str, Callable[[Rows], Result]] = {
    "limit-order-book": limit_order_book,
    "matching-engine": matching_engine,
    "orderly-chaos": orderly_chaos,
    "bourse": bourse,
    "lightmatchingengine": lightmatchingengine,
    "cython-orderbook": cython_orderbook,
    "pyorderbook": pyorderbook,
    "fastlob": fastlob,
    "order-matching": order_matching,
    "pams": pams,
}


def main(name: str, flow: str, rounds: int) -> None:
    rows: Rows = np.load(flow).tolist()
    results = [DRIVERS[name](rows) for _ in range(rounds)]
    print(
        json.dumps(
            {
                "seconds": [seconds for seconds, _ in results],
                "messages": len(rows),
                "traded": results[0][1],
                "version": version(name),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
