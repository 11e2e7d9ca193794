"""XES by columns: the markup between two attribute values repeats, so each distinct piece of it is understood once.

A log of a million events has millions of attribute values, but only some dozens of different texts between the closing
quote of one value and the opening quote of the next (`"/>`, line break, `<date key="` is one). The file is cut at its
quotes, pieces of markup are numbered, and a walk over those that open or close elements gives the structure; all else
is done on arrays. Files that are not so plain (single quotes, quotes in comments, entity declarations, other encodings)
and damaged ones are left to the ordinary parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_Int = NDArray[np.int64]
_NAME = r"[A-Za-z_][\w.\-]*(?::[A-Za-z_][\w.\-]*)?"
_SAME_TAG = re.compile(rf"\"\s+({_NAME})\s*=\s*\"")
_OTHER_TAG = re.compile(rf"(?:\"\s*(/?)>)?((?:[^<\"]|<!--[^\"]*?-->|</?{_NAME}\s*/?>)*)<({_NAME})\s+({_NAME})\s*=\s*\"")
_TAIL = re.compile(rf"(?:\"\s*(/?)>)?((?:[^<\"]|<!--[^\"]*?-->|</?{_NAME}\s*/?>)*)")
_STEP = re.compile(rf"<!--.*?-->|<(/?)({_NAME})\s*(/?)>", re.DOTALL)
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']+)")
_ENTITY = re.compile(r"&([^;&\s]*);?")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_TRACES, _EVENTS = ("log",), ("log", "trace")
_MOST_PIECES = 20_000
"""More distinct pieces of markup than this, and numbering them gains nothing."""


class NotPlainError(Exception):
    """The file needs an ordinary parser."""


class _Piece(NamedTuple):
    """What the markup between two values does."""

    left_open: bool  # the tag before stays open
    steps: tuple[
        tuple[str, str], ...
    ]  # ("+" opens, "-" closes; name), after the tag before, before the tag that follows
    tag: str  # the tag that follows; "" = still the same tag
    attribute: str
    """The attribute whose value follows."""

    @property
    def moves(self) -> bool:
        """Whether more happens than one childless element after another."""
        return bool(self.tag) and (self.left_open or bool(self.steps) or self.tag in ("log", "trace", "event"))


@dataclass
class Flat:
    """Attributes of events and traces as columns of texts, and the trace of each event."""

    events: dict[str, pa.Array]
    traces: dict[str, pa.Array]
    trace_of: _Int
    trace_count: int


@dataclass
class _Found:
    """Attribute values found so far: for each key the numbers of their owners and the values, block by block."""

    owners: dict[str, list[_Int]] = field(default_factory=dict)
    values: dict[str, list[pa.Array]] = field(default_factory=dict)

    def add(self, key: str, owner: _Int, values: pa.Array) -> None:
        self.owners.setdefault(key, []).append(owner)
        self.values.setdefault(key, []).append(values)

    def columns(self, count: int, odd: bool) -> dict[str, pa.Array]:
        """A column for each key, null where an owner has no such attribute; the first of several counts.

        Args:
            count: owners.
            odd: whether values may hold entities, line breaks or tabs.
        """
        columns = {}
        for key in self.owners:
            owner = np.concatenate(self.owners[key])
            column = pa.chunked_array(self.values.pop(key), pa.string()).combine_chunks()
            column = _unescaped(column) if odd else column
            if len(owner) != count or not np.array_equal(owner, np.arange(count)):
                at = np.full(count, -1)
                at[owner[::-1]] = np.arange(len(owner))[::-1]
                column = column.take(pa.array(at, mask=at < 0))
            columns[_unescape(key)] = column
        return columns


def read_plain(blocks: Iterable[bytes]) -> Flat:
    """Columns of an XES file given in blocks of any size.

    Raises:
        NotPlainError: the markup is not of the plain kind, or not well-formed.
    """
    reader = _Reader()
    carry = b""
    for data in blocks:
        carry = reader.feed(carry + data)
    reader.finish(carry)
    count = len(reader.trace_of)
    return Flat(
        reader.events.columns(count, reader.odd),
        reader.traces.columns(reader.trace_count, reader.odd),
        np.asarray(reader.trace_of, np.int64),
        reader.trace_count,
    )


class _Reader:
    """The state between blocks: open elements, numbers of traces and events so far, and what was found."""

    def __init__(self) -> None:
        self.events, self.traces = _Found(), _Found()
        self.trace_of: list[int] = []
        self.trace_count = 0
        self._started = False
        self.odd = False
        self._pieces: list[_Piece] = []
        self._texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._states: list[tuple[str, ...]] = [()]
        self._state_numbers: dict[tuple[str, ...], int] = {(): 0}
        self._moves: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._state, self._tag = 0, ""

    def feed(self, data: bytes) -> bytes:
        """Use a block up to its last whole tag; what is left belongs before the next."""
        if not self._started:
            begin = re.search(rb"<log[\s>]", data)
            if begin is None:
                return data
            _require_plain_head(data[: begin.start()])
            data, self._started = data[begin.start() :], True
        text = np.frombuffer(data, np.uint8)
        carried = int(data.startswith(b'"'))  # the quote that closes the last value of the block before
        quotes = np.flatnonzero(text[: data.rfind(b"<")] == ord('"'))[carried:]
        if len(quotes) % 2:
            raise NotPlainError
        if not len(quotes):
            return data
        ends = quotes.astype(np.int32)
        ends[::2] += 1  # a piece of markup ends with the quote that opens the value
        offsets = np.concatenate([np.zeros(1, np.int32), ends])
        parts = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))
        try:
            parts.validate(full=True)
        except pa.ArrowInvalid:
            raise NotPlainError from None
        piece = self._number(parts.take(pa.array(np.arange(0, len(ends), 2))))
        self._note_odd_values(data, int(quotes[-1]), piece)
        self._use(piece, parts)
        return data[quotes[-1] :]

    def _note_odd_values(self, data: bytes, end: int, piece: _Int) -> None:
        """Whether a value holds an entity, a line break or a tab: more than the markup explains."""
        often = np.bincount(piece, minlength=len(self._texts))
        for sign in () if self.odd else "&\n\t\r":
            explained = np.array([text.count(sign) for text in self._texts]) @ often
            self.odd = self.odd or data.count(sign.encode(), 0, end) != int(explained)

    def finish(self, tail: bytes) -> None:
        """The markup after the last value closes all that is open."""
        last = _TAIL.fullmatch(tail.decode("utf-8", "replace"))
        if not self._started or last is None:
            raise NotPlainError
        piece = _Piece(last[1] == "" and bool(self._tag), _steps(last[2]), "", "")
        state, traces, events = self._move(self._state, piece, self._tag)
        if state or events:
            raise NotPlainError
        self.trace_count += traces

    def _number(self, texts: pa.Array) -> _Int:
        """The number of each piece of markup."""
        coded = texts.dictionary_encode()
        known = []
        for text in coded.dictionary.to_pylist():
            if text not in self._numbers:
                if len(self._pieces) >= _MOST_PIECES:
                    raise NotPlainError
                self._numbers[text] = len(self._pieces)
                self._pieces.append(_understand(text))
                self._texts.append(text)
            known.append(self._numbers[text])
        return np.array(known, np.int64)[coded.indices.to_numpy()]

    def _use(self, piece: _Int, parts: pa.Array) -> None:
        """Walk over a block's markup; keep the attributes of its events and traces."""
        moves = np.array([p.moves for p in self._pieces])[piece]
        new_tag = np.array([bool(p.tag) for p in self._pieces])[piece]
        at = np.flatnonzero(moves)
        state, opened_traces, opened_events = self._walk(piece, at, new_tag)
        # What holds at a value is what held after the last move before it.
        last = np.cumsum(moves)
        traces = self.trace_count + np.concatenate([[0], np.cumsum(opened_traces)])
        events = len(self.trace_of) + np.concatenate([[0], np.cumsum(opened_events)])
        self.trace_of += (traces[1:][opened_events > 0] - 1).tolist()
        self.trace_count = int(traces[-1])
        key, value = self._pairs(piece, new_tag)
        holds = state[last[key]]
        names = np.array([self._states.index(s) if s in self._states else -1 for s in (_EVENTS, (*_EVENTS, "event"))])
        for found, of, number in ((self.traces, names[0], traces), (self.events, names[1], events)):
            mine = np.flatnonzero(holds == of)
            if of < 0 or not len(mine):
                continue
            keys = parts.take(pa.array(2 * key[mine] + 1)).dictionary_encode()
            codes = keys.indices.to_numpy()
            for code, word in enumerate(keys.dictionary.to_pylist()):
                these = mine[codes == code]
                found.add(word, number[last[key[these]]] - 1, parts.take(pa.array(2 * value[these] + 1)))

    def _pairs(self, piece: _Int, new_tag: NDArray[np.bool_]) -> tuple[_Int, _Int]:
        """Rows of the key and of the value of every tag that has both."""
        tag = np.cumsum(new_tag)
        kind = np.array([{"key": 1, "value": 2}.get(p.attribute, 0) for p in self._pieces])[piece]
        rows = np.full((3, int(tag[-1]) + 1), -1)
        for which in (1, 2):
            those = np.flatnonzero(kind == which)
            rows[which, tag[those]] = those
        both = (rows[1] >= 0) & (rows[2] >= 0)
        return rows[1][both], rows[2][both]

    def _walk(self, piece: _Int, at: _Int, new_tag: NDArray[np.bool_]) -> tuple[_Int, _Int, _Int]:
        """The open elements after each move (first: before all), and the traces and events that it opened."""
        tag_rows = np.flatnonzero(new_tag)
        before = np.searchsorted(tag_rows, at, side="left") - 1
        numbers = piece[at]
        held_open = np.array([p.left_open for p in self._pieces])[numbers] if len(at) else np.zeros(0, np.bool_)
        owners = np.where(before < 0, -1, piece[tag_rows[before]]) if len(tag_rows) else np.full(len(at), -1)
        # The tag before matters only where it stays open.
        keys = numbers * (_MOST_PIECES + 2) + np.where(held_open, owners + 1, 0)
        state, known = self._state, self._moves
        states, traces, events = [state], [], []
        for key in keys.tolist():
            moved = known.get((state, key))
            if moved is None:
                number, owner = divmod(key, _MOST_PIECES + 2)
                tag = self._pieces[owner - 1].tag if owner else self._tag
                moved = self._move(state, self._pieces[number], tag)
                if owner or not self._pieces[number].left_open:
                    known[state, key] = moved
            state = moved[0]
            states.append(state)
            traces.append(moved[1])
            events.append(moved[2])
        self._state = state
        if len(tag_rows):
            self._tag = self._pieces[int(piece[tag_rows[-1]])].tag
        return np.array(states, np.int64), np.array(traces, np.int64), np.array(events, np.int64)

    def _move(self, state: int, piece: _Piece, tag: str) -> tuple[int, int, int]:
        """What is open after a piece of markup that follows an attribute of `tag`; traces and events that it opens."""
        stack = list(self._states[state])
        traces = events = 0
        if piece.left_open:
            stack.append(tag)
        for sign, name in (*piece.steps, ("+", piece.tag)):
            if sign == "-":
                if not stack or stack.pop() != name:
                    raise NotPlainError
                continue
            if not name:
                continue
            if not stack and name != "log":
                raise NotPlainError
            traces += name == "trace" and tuple(stack) == _TRACES
            events += name == "event" and tuple(stack) == _EVENTS
            stack.append(name)
        if piece.tag:
            stack.pop()  # whether it stays open is seen in the next piece
        if events > 1:
            raise NotPlainError  # an event without attributes: the parser says where
        after = tuple(stack)
        if after not in self._state_numbers:
            self._state_numbers[after] = len(self._states)
            self._states.append(after)
        return self._state_numbers[after], traces, events


def _require_plain_head(head: bytes) -> None:
    encoding = _ENCODING.search(head)
    if b"<!DOCTYPE" in head or (encoding and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii", b"ascii")):
        raise NotPlainError


def _understand(text: str) -> _Piece:
    same = _SAME_TAG.fullmatch(text)
    if same:
        return _Piece(False, (), "", same[1])
    other = _OTHER_TAG.fullmatch(text)
    if not other:
        raise NotPlainError
    return _Piece(other[1] == "", _steps(other[2]), other[3], other[4])


def _steps(text: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for step in _STEP.finditer(text):
        if not step[2]:
            continue
        found += [("-", step[2])] if step[1] else [("+", step[2])]
        if step[3]:
            found.append(("-", step[2]))
    return tuple(found)


def _unescaped(column: pa.Array) -> pa.Array:
    """Values as meant: entities replaced, line breaks and tabs as blanks."""
    coded = column.dictionary_encode()
    plain = pa.array([_unescape(text) for text in coded.dictionary.to_pylist()], pa.string())
    return plain.take(coded.indices)


def _unescape(text: str) -> str:
    def meant(entity: re.Match[str]) -> str:
        name = entity[1]
        if entity[0].endswith(";"):
            if name in _ENTITIES:
                return _ENTITIES[name]
            number = re.fullmatch(r"#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))", name)
            if number:
                return chr(int(number[1], 16) if number[1] else int(number[2]))
        raise NotPlainError

    return _ENTITY.sub(meant, re.sub("\r\n|[\r\n\t]", " ", text))
