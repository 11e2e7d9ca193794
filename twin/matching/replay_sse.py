"""Replay of a Shanghai stock-day: the exchange's messages go through the engine, and what comes out is compared.

The engine runs free: every recorded trade must come out in sequence with the same two order numbers, price and size;
the rebuilt ten-level book must equal the published one at the same number of trades; the opening call's indicative
price and volume must equal the published ones, accepting order states up to 4 s before the snapshot's second.

Phases come from the trades: what arrives between the last trade of continuous trading and a trade of a call auction
rests, whether that call opens or closes the day or ends a halt; the auction is held where its first trade stands.
Without auction trades, the opening call ends at 09:25 and the closing call, if the date has one, runs from 14:57 to
15:00 (domain rows M01, M04). Assumes that the recording holds only what the exchange accepted. Of orders that traded
at once in full only a bound of the limit price is known: they trade up to it and never rest. Does not model after-hours
trading: what comes after 15:05 is counted and left out.
"""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from twin.clock import MINUTE, Phase, at
from twin.contracts import IntColumn, MessageKind, Messages, Tape, TapeKind
from twin.errors import DataError
from twin.kernels import idmap
from twin.matching.feeds.base import Action, FeedRows, Progress
from twin.matching.feeds.sse_l2 import SseFeed
from twin.matching.feeds.sse_snapshots import read_snapshots
from twin.matching.replay_books import BookChecks
from twin.matching.replay_compare import Rows, TradeComparer
from twin.matching.replay_engine import WideEngine

OPENING_END, CLOSING_START, CLOSE, AFTER_HOURS = at("09:25"), at("14:57"), at("15:00"), at("15:05")
_FIRST_CLOSING_CALL = dt.date(2018, 8, 20)
_NEW_AUCTION = MINUTE
"""Trades of one call auction are published within less than this."""
_MOST_HELD = 1 << 21
_ENTERS = (Action.ADD, Action.ADD_IOC)


class SseReplay:
    """The state of a replay of one stock-day.

    Args:
        feed: the recording.
        check: compare with the snapshots too, if there are any.
        tell: told how far the work is.
    """

    def __init__(self, feed: SseFeed, *, check: bool, tell: Progress) -> None:
        self.feed = feed
        self.trades = TradeComparer()
        self.messages = self.after_hours = self.cancels = self.cancels_matched = self.unknown = 0
        self.seconds = 0.0
        snapshots = read_snapshots(feed.snapshots) if check and feed.snapshots else None
        close = snapshots.previous_close if snapshots else 0
        prices = snapshots.levels[:, (0, 2)].reshape(-1) if snapshots else np.empty(0, np.int64)
        self.engine = WideEngine(close, shadowed=snapshots is not None, prices=prices)
        self.books = BookChecks(snapshots, self.engine) if snapshots else None
        self._tell = tell
        self._rows = FeedRows.empty()
        self._phase: Phase | None = None
        self._auctions = 0
        self._last_trade = (False, 0)  # whether it was of a call auction, and its time
        self._keys, self._values = np.zeros(1 << 14, np.int64), np.full(1 << 13, -1, np.int32)
        self._free = np.zeros(1 << 12, np.int64)
        self._owner = np.full(1 << 12, -1, np.int64)
        self._n_free = self._ahead = self._live = 0

    def run(self) -> None:
        """Replay the whole day.

        Raises:
            DataError: the recording is damaged.
        """
        self.engine.warm_up()
        for chunk in self.feed.chunks():
            late = (chunk.rows.time >= AFTER_HOURS) & chunk.rows.traded
            self.after_hours += int(late.sum())
            rows = chunk.rows.take(~late) if late.any() else chunk.rows
            self.engine.widen(rows, self.feed)
            self._rows = FeedRows.concat([self._rows, rows]) if len(self._rows) else rows
            self._work(final=False)
            self._tell("match", chunk.done)
        self._work(final=True)
        self._end_call()
        self.trades.settle(final=True)
        for engine in self.engine.engines:
            engine.check()

    def _work(self, *, final: bool) -> None:
        """Replay the rows of which the mode is known: up to the last trade, or before the end of the opening call."""
        rows = self._rows
        traded = rows.traded
        ready = len(rows)
        if not final and len(rows) < _MOST_HELD:
            places = np.flatnonzero(traded)
            early = 0 if self._auctions else int(np.argmax(np.append(rows.time, OPENING_END) >= OPENING_END))
            ready = max(int(places[-1]) + 1 if len(places) else 0, early)
        part, self._rows = rows.take(slice(0, ready)), rows.take(slice(ready, None))
        if not len(part):
            return
        traded = traded[:ready]
        blocks, times = self._blocks(part, traded)
        call = self._calls(part, traded)
        at_message = np.flatnonzero(~traded)
        messages = part.take(at_message)
        handles = self._handles(messages)
        self._compare_recorded(part.take(traded))
        mode = call[at_message].astype(np.int64)
        mode[messages.time >= AFTER_HOURS] = 2
        done = np.searchsorted(blocks, at_message)
        key = 3 * done + mode
        cuts = [*np.flatnonzero(np.diff(key, prepend=-1)).tolist(), len(key)]
        held = 0
        for a, b in pairwise(cuts):
            while held < done[a]:
                self._auction(int(times[held]))
                held += 1
            self._enter_phase(int(mode[a]), int(messages.time[a]))
            if mode[a] == 2:
                self.after_hours += b - a
            else:
                self._process(messages.take(slice(a, b)), handles[a:b], call=bool(mode[a]))
        for time in times[held:].tolist():
            self._auction(int(time))
        self._release()
        self.trades.settle()

    def _blocks(self, part: FeedRows, traded: NDArray[np.bool_]) -> tuple[IntColumn, IntColumn]:
        """Places and times where call auctions are held: the first trade of each."""
        places = np.flatnonzero(traded)
        if not len(places):
            return places, places
        auction = part.action[places] == Action.AUCTION_TRADE
        time = part.time[places]
        before = np.append(self._last_trade[0], auction[:-1])
        when = np.append(self._last_trade[1], time[:-1])
        begins = auction & (~before | (time - when > _NEW_AUCTION))
        self._last_trade = (bool(auction[-1]), int(time[-1]))
        return places[begins], time[begins]

    def _calls(self, part: FeedRows, traded: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each row falls into a call: by the next trade, or without one, and at the close, by the time of day.

        Trades tell where the opening call and calls within the day end, whatever the stamps say; the closing call's
        begin is told by the clock alone, since a thin stock may not have traded for a while before it.
        """
        n = len(part)
        place = np.where(traded, np.arange(n), n)
        following = np.minimum.accumulate(place[::-1])[::-1]
        known = following < n
        opened = self._auctions > 0
        by_time = (part.time < OPENING_END) & (not opened)
        day = self.feed.date
        if day is None or day >= _FIRST_CLOSING_CALL:
            by_time |= part.time >= CLOSING_START
        auction = np.append(part.action == Action.AUCTION_TRADE, False)[following]
        at_close = np.append(part.time, 0)[following] >= CLOSING_START
        found: NDArray[np.bool_] = np.where(known, auction & (~at_close | by_time), by_time)
        # Before 09:25 nothing but the opening call takes orders, even if it ends without a trade.
        return found | ((part.time < OPENING_END) & (not opened))

    def _handles(self, messages: FeedRows) -> IntColumn:
        """Engine handles of the messages' orders, -1 for a cancel of an order that does not rest."""
        enters = np.isin(messages.action, _ENTERS)
        self._grow(int(enters.sum()))
        handles = np.empty(len(messages), np.int64)
        tags = np.zeros(len(messages), np.int64)
        wrong, self._n_free, self._ahead = idmap.assign(
            self._keys,
            self._values,
            handles,
            np.ascontiguousarray(messages.order),
            tags,
            enters.astype(np.int64),
            self._free,
            self._n_free,
            self._ahead,
            self._owner,
        )
        self._live += int(enters.sum())
        if wrong >= 0:
            where = self.feed.where(int(messages.row[wrong]), "order")
            raise DataError(f"{messages.order[wrong]} was entered before", where, "Order numbers are not used twice.")
        if (handles < 0).any():
            row = int(np.argmax(handles < 0))
            self.trades.settle()
            if not self.trades.parted:
                where = self.feed.where(int(messages.row[row]), "order")
                raise DataError(
                    f"cancel of {messages.order[row]}, which does not rest", where, "Cancel an order after its entry."
                )
            self.unknown += int((handles < 0).sum())
        return handles

    def _grow(self, more: int) -> None:
        """Make room for that many further orders."""
        need = self._live + more + 1
        if 2 * need > len(self._values):
            slots = 1 << int(2 * need).bit_length()
            keys, values = np.zeros(2 * slots, np.int64), np.full(slots, -1, np.int32)
            idmap.rehash(self._keys, self._values, keys, values)
            self._keys, self._values = keys, values
        size = max(self._ahead + more + 1, need)
        if size > len(self._free):
            room = np.full(2 * size - len(self._free), -1, np.int64)
            self._free, self._owner = np.concatenate([self._free, room]), np.concatenate([self._owner, room])

    def _compare_recorded(self, trades: FeedRows) -> None:
        self.trades.add_recorded(np.stack([trades.order, trades.other, trades.price, trades.quantity], axis=1))

    def _process(self, messages: FeedRows, handles: IntColumn, *, call: bool) -> None:
        """Send messages of one mode to the engine and look at what comes back."""
        known = handles >= 0
        if not known.all():
            messages, handles = messages.take(known), handles[known]
        cancel = messages.action == Action.DELETE
        ioc = (messages.action == Action.ADD_IOC) & (not call)
        kind = np.where(cancel, int(MessageKind.CANCEL), np.where(ioc, int(MessageKind.NEW_IOC), 0))
        zero = np.zeros(len(messages), np.int64)
        price = messages.price // self.engine.tick
        batch = Messages(messages.time, kind, zero, messages.side, price, messages.quantity, handles)
        start = perf_counter()
        tape = self.engine.engines[0].process(batch)
        self.seconds += perf_counter() - start
        self.messages += len(batch)
        made = self._made(tape)
        self.cancels += int(cancel.sum())
        cancelled = tape.kind == TapeKind.CANCELLED
        asked = np.full(self._ahead + 1, -1, np.int64)
        asked[handles[cancel]] = messages.quantity[cancel]
        self.cancels_matched += int((asked[tape.order[cancelled]] == tape.quantity[cancelled]).sum())
        if self.books is not None:
            done = self.trades.made - made
            self.books.follow(batch, tape, done, self._phase or Phase.CLOSED)

    def _made(self, tape: Tape) -> int:
        """Hand the trades of a tape over for comparison: rows of (buy number, sell number, price in mills, size)."""
        t = tape.take(tape.kind == TapeKind.TRADE)
        taker, maker = self._owner[t.order], self._owner[t.counter]
        buys = t.side == 1
        rows: Rows = np.stack(
            [np.where(buys, taker, maker), np.where(buys, maker, taker), t.price * self.engine.tick, t.quantity], axis=1
        )
        self.trades.add_made(rows)
        return len(rows)

    def _enter_phase(self, mode: int, time: int) -> None:
        wanted = Phase.CONTINUOUS if mode == 0 else Phase.CLOSED if mode == 2 else Phase.CLOSE_CALL
        if mode == 1 and not self._auctions and self._phase in (None, Phase.OPEN_CALL):
            wanted = Phase.OPEN_CALL
        if self._phase == wanted:
            return
        if self._phase in (None, Phase.OPEN_CALL, Phase.CLOSE_CALL) and wanted != Phase.OPEN_CALL:
            self._end_call(time)
        self._set_phase(wanted)

    def _set_phase(self, phase: Phase) -> None:
        self._phase = phase
        self.engine.engines[0].set_phase(phase)
        if self.books is not None:
            self.books.set_phase(phase)

    def _end_call(self, time: int = CLOSE) -> None:
        if self._phase in (Phase.OPEN_CALL, Phase.CLOSE_CALL):
            self._auction(time)

    def _auction(self, time: int) -> None:
        """Hold a call auction."""
        self._auctions += 1
        self._made(self.engine.engines[0].uncross(time))
        if self.books is not None:
            self.books.auction(time, self.trades.made)
        self._phase = Phase.GAP

    def _release(self) -> None:
        """Give back the handles of orders that have ended."""
        n = self._ahead
        ended = np.flatnonzero((self._owner[:n] >= 0) & ~self.engine.rests(n))
        self._n_free = idmap.release(self._keys, self._values, self._owner, 0, ended, self._free, self._n_free)
        self._owner[ended] = -1
        self._live -= len(ended)
