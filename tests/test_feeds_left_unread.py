"""A recording that is left half-read ends without waiting: the garbage collector may end it within any thread."""

from __future__ import annotations

import concurrent.futures.thread as pools
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from twin.matching.feeds.text import BLOCK, Source, Table

ROOT = Path(__file__).resolve().parents[1]


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


@pytest.mark.slow
def test_a_process_that_leaves_a_reader_ends_in_peace(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("a\n" + "1234567\n" * (20 * BLOCK // 16))
    code = f"""
import time
from pathlib import Path
import pyarrow as pa
from twin.matching.feeds.text import Source, Table

class Slow:  # gives the parsers time to meet an interpreter that is going down
    def __del__(self, sleep=time.sleep):
        sleep(0.5)

slow = Slow()
kept = [Table(Source(Path({str(path)!r})), {{"a": pa.int64()}}).pieces() for _ in range(8)]
print(sum(len(next(pieces)["a"]) > 0 for pieces in kept))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "8\n", "")


def test_every_piece_comes_once(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    n = 5 * BLOCK // 16
    path.write_text("a\n" + "\n".join(map(str, range(n))) + "\n")
    read = [int(value) for piece in Table(Source(path), {"a": pa.int64()}).pieces() for value in piece["a"]]
    assert read == list(range(n))
