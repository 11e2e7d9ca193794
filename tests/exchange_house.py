"""A small exchange for tests: a few instruments on a date, messages written by hand, tapes as plain rows."""

from __future__ import annotations

import datetime as dt

import numpy as np

from twin.clock import at
from twin.contracts import Board, Exchange, Instruments, MessageKind, Messages, Reason, TapeKind
from twin.matching.by_date import exchange_on
from twin.matching.rules import Rulebook
from twin.world import listing_of

SSE, SZSE = (Exchange.SSE, Board.MAIN), (Exchange.SZSE, Board.MAIN)
STAR, CHINEXT, BSE = (Exchange.SSE, Board.STAR), (Exchange.SZSE, Board.CHINEXT), (Exchange.BSE, Board.BSE)
SSE_FUND = (Exchange.SSE, Board.FUND)
NEW, CANCEL, FIXED = MessageKind.NEW_LIMIT, MessageKind.CANCEL, MessageKind.NEW_FIXED_PRICE
BUY, SELL = 1, -1


def listed(*kinds, close=1000, day="2026-09-15"):
    """Instruments of the given (exchange, board) with the date's price limits."""
    n = len(kinds)
    close = np.broadcast_to(np.asarray(close, np.int64), n).copy()
    exchange, board = np.array(kinds, np.int64).reshape(n, 2).T.copy()
    lot = np.where(board == Board.STAR, 200, 100)
    raw = Instruments(exchange, board, close, close, close, lot, np.full(n, 3))
    down, up = rules(day).limits(listing_of(raw))
    return Instruments(exchange, board, close, down, up, lot, np.full(n, 3))


def rules(day):
    return Rulebook.load().on(dt.date.fromisoformat(day))


def exchange(*kinds, day="2026-09-15", close=1000, **more):
    instruments = listed(*kinds, close=close, day=day)
    return exchange_on(rules(day), instruments, listing_of(instruments), **more)


def messages(*rows):
    """Rows of (time of day or ns, kind, instrument, side, price, quantity, order)."""
    rows = [(at(row[0]) if isinstance(row[0], str) else row[0], *row[1:]) for row in rows]
    return Messages(*np.array(rows, np.int64).reshape(-1, 7).T.copy())


def run(market, *rows, until="15:00:01"):
    """Give the exchange some messages; what it says as rows of the tape."""
    return tape_rows(market.process(messages(*rows), at(until)))


def tape_rows(tape):
    return list(zip(*(column.tolist() for column in vars(tape).values()), strict=True))


def trades(rows):
    """(time, instrument, price, quantity, order, counter) of every trade."""
    return [(r[0], r[2], r[4], r[5], r[6], r[7]) for r in rows if r[1] == TapeKind.TRADE]


def refusals(rows):
    """(order, reason) of every refusal."""
    return [(r[6], Reason(-1 - r[7])) for r in rows if r[1] == TapeKind.REJECTED]


def kinds_of(rows, order):
    """What became of an order, in sequence."""
    return [TapeKind(r[1]).name for r in rows if order in (r[6], r[7])]
