"""A recording that is left half-read ends without waiting: the garbage collector may end it within any thread."""

from __future__ import annotations

import concurrent.futures.thread as pools
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from twin.matching.feeds.text import BLOCK, Source, Table


def rows_of(folder: Path) -> Any:
    """Pieces of a file of three pieces, the first of which has been read."""
    path = folder / "numbers.csv"
    path.write_text("a\n" + "1234567\n" * (5 * BLOCK // 16))
    pieces = Table(Source(path), {"a": pa.int64()}).pieces()
    next(pieces)
    return pieces


def test_the_end_takes_no_lock_of_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A new thread tidies the list of threads under a lock; if the collector then ended a reader that joined its own
    # thread, the reader would wait for that lock for ever.
    def refuse(self: threading.Thread, timeout: float | None = None) -> None:
        raise AssertionError("the end of a reader waits for a thread")

    pieces = rows_of(tmp_path)
    monkeypatch.setattr(threading.Thread, "join", refuse)
    with pools._global_shutdown_lock:
        closer = threading.Thread(target=pieces.close)
        closer.start()
        monkeypatch.undo()
        closer.join(10)
        assert not closer.is_alive()


def test_the_thread_of_a_reader_ends_with_it(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    pieces = rows_of(tmp_path)
    mine = [t for t in threading.enumerate() if t not in before]
    assert mine
    pieces.close()
    for thread in mine:
        thread.join(10)
        assert not thread.is_alive()


def test_every_piece_comes_once(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    n = 5 * BLOCK // 16
    path.write_text("a\n" + "\n".join(map(str, range(n))) + "\n")
    read = [int(value) for piece in Table(Source(path), {"a": pa.int64()}).pieces() for value in piece["a"]]
    assert read == list(range(n))
