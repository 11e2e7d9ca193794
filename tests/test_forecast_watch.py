"""Watching real growing files, folders and a real server."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from forecast_house import HOUR, START, log_of, office

from twin.errors import DataError
from twin.process.eventlog.files import write_log
from twin.process.forecasting.forecast import Plan
from twin.process.forecasting.sources import Source, SourceAwayError, merge
from twin.process.forecasting.watch import Watcher, look_once, outlook

ROOT = Path(__file__).resolve().parents[1]
PLAN = Plan(12 * HOUR, 6 * HOUR, runs=10)


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Head and rows of a log, in order of their end as a system writes them."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    log = office(days=8, seed=31, per_hour=2.0).log
    order = pa.compute.sort_indices(log.table["end"])
    write_log(type(log)(log.table.take(order)), path)
    head, *rows = path.read_bytes().splitlines(keepends=True)
    return head, rows


def test_a_growing_file_is_read_to_its_last_whole_line(lines, tmp_path):
    head, rows = lines
    path = tmp_path / "log.csv"
    path.write_bytes(head + b"".join(rows[:100]) + rows[100][:20])
    source = Source(str(path))
    assert len(source.poll().log) == 100
    assert source.poll() is None
    path.write_bytes(head + b"".join(rows[:150]))
    snapshot = source.poll()
    assert len(snapshot.log) == 150
    assert not snapshot.anew


def test_a_touched_but_equal_file_is_no_news(lines, tmp_path):
    head, rows = lines
    path = tmp_path / "log.csv"
    path.write_bytes(head + b"".join(rows[:50]))
    source = Source(str(path))
    source.poll()
    os.utime(path, (1, 1))
    assert source.poll() is None


@pytest.mark.parametrize("count", [40, 300])
def test_a_file_made_anew_is_noticed_whether_shorter_or_longer(lines, tmp_path, count):
    head, rows = lines
    path = tmp_path / "log.csv"
    path.write_bytes(head + b"".join(rows[:100]))
    source = Source(str(path))
    source.poll()
    path.write_bytes(head + b"".join(rows[200 : 200 + count]))
    snapshot = source.poll()
    assert snapshot.anew
    assert len(snapshot.log) == count


def test_a_file_that_is_away_or_empty_is_said_so_and_found_again(lines, tmp_path):
    head, rows = lines
    path = tmp_path / "log.csv"
    source = Source(str(path))
    with pytest.raises(SourceAwayError):
        source.poll()
    path.write_bytes(b"")
    with pytest.raises(SourceAwayError):
        source.poll()
    path.write_bytes(head)
    with pytest.raises(SourceAwayError):
        source.poll()
    path.write_bytes(head + b"".join(rows[:10]))
    assert len(source.poll().log) == 10


def test_gzipped_text_may_break_off(lines, tmp_path):
    head, rows = lines
    path = tmp_path / "log.csv.gz"
    packed = gzip.compress(head + b"".join(rows[:400]))
    path.write_bytes(packed[: len(packed) // 2])
    source = Source(str(path))
    assert 50 < len(source.poll().log) < 400
    path.write_bytes(packed + gzip.compress(rows[400]))
    assert len(source.poll().log) == 401


def test_parts_of_a_folder_are_one_log(lines, tmp_path):
    head, rows = lines
    (tmp_path / "1.csv").write_bytes(head + b"".join(rows[:60]))
    (tmp_path / "2.csv.tmp").write_bytes(b"half")
    (tmp_path / ".hidden.csv").write_bytes(b"half")
    source = Source(str(tmp_path))
    assert len(source.poll().log) == 60
    (tmp_path / "2.csv").write_bytes(head + b"".join(rows[60:90]))
    snapshot = source.poll()
    assert (len(snapshot.log), snapshot.anew) == (90, False)
    (tmp_path / "1.csv").unlink()
    assert source.poll().anew


def test_an_empty_folder_is_away(tmp_path):
    with pytest.raises(SourceAwayError, match="holds no log yet"):
        Source(str(tmp_path)).poll()


def test_parquet_in_the_middle_of_being_written_is_away(lines, tmp_path):
    log = office(days=2, seed=1).log
    path = tmp_path / "log.parquet"
    write_log(log, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = Source(str(path))
    with pytest.raises(SourceAwayError):
        source.poll()
    path.write_bytes(whole)
    assert len(source.poll().log) == len(log)


def test_work_repeated_with_its_end_counts_once():
    first = log_of([("a", "x", "r", START, START + HOUR), ("a", "y", "r", START + HOUR, None)])
    second = log_of([("a", "y", "r", START + HOUR, START + 2 * HOUR), ("b", "x", None, START, None)])
    third = log_of([("b", "x", None, START, None)])
    merged = merge([first, second, third])
    assert len(merged) == 3
    assert merged.table["end"].null_count == 1


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, silently."""

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(folder, port=0):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_url_is_followed_through_growth_errors_and_a_stop_of_the_server(lines, tmp_path):
    head, rows = lines
    path = tmp_path / "log.csv"
    path.write_bytes(head + b"".join(rows[:100]))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    with serving(tmp_path) as port:
        source = Source(f"http://127.0.0.1:{port}/log.csv")
        assert len(source.poll().log) == 100
        assert source.poll() is None  # the server says that nothing changed
        path.write_bytes(head + b"".join(rows[:130]) + b"half a li")
        assert len(source.poll().log) == 130
        path.rename(tmp_path / "other.csv")
        with pytest.raises(SourceAwayError, match="404"):
            source.poll()
        (tmp_path / "other.csv").rename(path)
    with pytest.raises(SourceAwayError):
        source.poll()
    with serving(tmp_path, port):
        path.write_bytes(head + b"".join(rows[:140]))
        snapshot = source.poll()
        assert (len(snapshot.log), snapshot.anew) == (140, False)


def test_a_file_url_and_a_memory_url_are_read(lines, tmp_path):
    import fsspec

    head, rows = lines
    (tmp_path / "log.csv").write_bytes(head + b"".join(rows[:20]))
    assert len(Source((tmp_path / "log.csv").as_uri()).poll().log) == 20
    with fsspec.open("memory://twin/log.csv", "wb") as stream:
        stream.write(head + b"".join(rows[:30]))
    assert len(Source("memory://twin/log.csv").poll().log) == 30


def test_something_else_than_a_log_is_an_error(tmp_path):
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column is the case"):
        Source(str(tmp_path / "log.csv")).poll()
    (tmp_path / "log.txt").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not the name of an event log"):
        Source(str(tmp_path / "log.txt")).poll()
    with pytest.raises(DataError, match="cannot be opened"):
        Source("nonsense://x/log.csv").poll()


def test_watcher_tells_growth_absence_and_return_in_one_piece_of_news_each(lines, tmp_path):
    head, rows = lines
    path = tmp_path / "log.csv"
    watcher = Watcher(Source(str(path)), PLAN)
    assert [n.kind for n in watcher.look()] == ["away"]
    assert watcher.look() == []
    path.write_bytes(head + b"".join(rows[:3]))
    back, little = watcher.look()
    assert (back.kind, little.kind) == ("back", "too_little")
    path.write_bytes(head + b"".join(rows[:400]))
    (first,) = watcher.look()
    assert (first.kind, first.rows, first.new_rows) == ("forecast", 400, 397)
    assert [n.kind for n in watcher.look()] == ["nothing"]
    path.write_bytes(head + b"".join(rows[:420]))
    (second,) = watcher.look()
    assert second.new_rows == 20
    assert second.found.instant > first.found.instant
    assert second.found.process is first.found.process
    path.write_bytes(head + b"".join(rows[:350]))
    (third,) = watcher.look()
    assert third.anew
    assert third.rows == third.new_rows == 350


def test_looking_once_at_nothing_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"log\.csv"):
        look_once(Watcher(Source(str(tmp_path / "log.csv")), PLAN))


def test_outlook_sums_counts_and_takes_the_last_of_the_rest(lines, tmp_path):
    head, rows = lines
    (tmp_path / "log.csv").write_bytes(head + b"".join(rows[:400]))
    found = look_once(Watcher(Source(str(tmp_path / "log.csv")), PLAN)).found
    seen = outlook(found)
    assert seen["wip"][1] <= seen["wip"][0] <= seen["wip"][2]
    sums = sorted(found.members[:, :, 2].sum(axis=1))
    assert sums[0] <= seen["arrivals"][1] <= seen["arrivals"][2] <= sums[-1]


@pytest.mark.slow
def test_the_command_follows_a_file_and_ends_cleanly_on_an_interrupt(lines, tmp_path):
    head, rows = lines
    path = tmp_path / "log.csv"
    path.write_bytes(head + b"".join(rows[:400]))
    options = ["--every", "0.3s", "--horizon", "12h", "--step", "6h", "--runs", "10", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "dashboards.cli", "watch", str(path), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "400 rows" in process.stdout.readline()
        with path.open("ab") as stream:
            stream.write(b"".join(rows[400:425]) + rows[425][:9])
        assert "+25 rows" in process.stdout.readline()
        path.rename(tmp_path / "moved.csv")
        assert "cannot be read now" in process.stdout.readline()
        time.sleep(0.7)  # away for several looks: one line
        (tmp_path / "moved.csv").rename(path)
        assert "can be read again" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert rest == ""
    assert errors.splitlines()[-1] == "stopped"
    assert "Traceback" not in errors
    assert process.returncode == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "forecast.json",
        "bands.parquet",
        "past.parquet",
        "cases.parquet",
    }
