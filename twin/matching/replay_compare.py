"""Two streams of trades, recorded and made, compared in sequence within bounded memory."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

import numpy as np
from numpy.typing import NDArray

_WINDOW = 1 << 16
"""Trades of either stream that are looked at together where the streams part."""

Rows = NDArray[np.int64]


class TradeComparer:
    """Counts the trades that both streams have in the same order, and remembers where they part first.

    A row is (buy number, sell number, price, size). Up to the first difference the streams are equal; from there the
    longest common subsequence is counted, window by window, so that one wrong trade costs one.
    """

    def __init__(self) -> None:
        self.recorded = self.made = self.matched = 0
        self.first: tuple[int, Rows | None, Rows | None] | None = None
        """Place of the first difference, from 0, with the recorded and the made trade there."""
        self._left: list[list[Rows]] = [[], []]
        self._counts = [0, 0]

    def add_recorded(self, rows: Rows) -> None:
        """Further recorded trades."""
        self.recorded += len(rows)
        self._add(0, rows)

    def add_made(self, rows: Rows) -> None:
        """Further trades of the engine."""
        self.made += len(rows)
        self._add(1, rows)

    def settle(self, *, final: bool = False) -> None:
        """Compare what is there; at the end (`final`) all of it."""
        while self._counts[0] and self._counts[1]:
            recorded, made = self._whole(0), self._whole(1)
            n = min(len(recorded), len(made))
            unequal = (recorded[:n] != made[:n]).any(axis=1)
            same = int(np.argmax(unequal)) if unequal.any() else n
            self.matched += same
            self._keep(recorded[same:], made[same:])
            if same == n:
                continue
            if not final and min(self._counts) < _WINDOW and max(self._counts) < 8 * _WINDOW:
                return
            if self.first is None:
                self.first = (self.recorded - self._counts[0], recorded[same], made[same])
            self._window(recorded[same:], made[same:])
        if final and self.first is None and any(self._counts):
            first = [self._whole(k)[0] if self._counts[k] else None for k in (0, 1)]
            self.first = (min(self.recorded, self.made), first[0], first[1])

    @property
    def parted(self) -> bool:
        """Whether the streams differ somewhere before what has been added to both."""
        return self.first is not None or (self._counts[0] > 0 and self._counts[1] > 0)

    def _add(self, stream: int, rows: Rows) -> None:
        if len(rows):
            self._left[stream].append(rows)
            self._counts[stream] += len(rows)

    def _whole(self, stream: int) -> Rows:
        pieces = self._left[stream]
        if len(pieces) > 1:
            pieces[:] = [np.concatenate(pieces)]
        return pieces[0]

    def _keep(self, recorded: Rows, made: Rows) -> None:
        for stream, rows in enumerate((recorded, made)):
            self._left[stream] = [rows] if len(rows) else []
            self._counts[stream] = len(rows)

    def _window(self, recorded: Rows, made: Rows) -> None:
        """Count what the beginnings of both have in common and pass over them up to the last common trade."""
        a, b = recorded[:_WINDOW], made[:_WINDOW]
        pairs = _in_sequence(a, b)
        self.matched += len(pairs)
        if pairs:
            self._keep(recorded[pairs[-1][0] + 1 :], made[pairs[-1][1] + 1 :])
        else:
            self._keep(recorded[len(a) :], made[len(b) :])


def _in_sequence(a: Rows, b: Rows) -> list[tuple[int, int]]:
    """Places of a longest common subsequence.

    The k-th occurrence of a row is its own symbol, so no symbol repeats and the problem is that of the longest
    increasing subsequence (Hunt and Szymanski 1977).
    """
    place = {key: i for i, key in enumerate(_numbered(a))}
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    items: list[tuple[int, int]] = []
    for j, key in enumerate(_numbered(b)):
        i = place.get(key)
        if i is None:
            continue
        k = bisect_left(tails, i)
        before.append(ends[k - 1] if k else -1)
        items.append((i, j))
        tails[k : k + 1] = [i]
        ends[k : k + 1] = [len(items) - 1]
    chain: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chain.append(items[at])
        at = before[at]
    return chain[::-1]


def _numbered(rows: Rows) -> list[tuple[int, ...]]:
    seen: Counter[tuple[int, ...]] = Counter()
    keys = []
    for row in map(tuple, rows.tolist()):
        seen[row] += 1
        keys.append((*row, seen[row]))
    return keys
