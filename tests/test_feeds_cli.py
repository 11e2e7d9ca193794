"""`twin replay`: what it prints and its exit status, for every format."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import feed_writers as writers
import numpy as np
import pytest

from dashboards.cli import app, execute
from twin.errors import DataError
from twin.matching.feeds.mbo import MboFeed
from twin.matching.replay import replay

RUN = writers.simulate(1_500, seed=21, reduce=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = execute(app, "twin", ["replay", *(str(x) for x in arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_status_0_for_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages, rows = writers.lobster_rows(RUN, 5)
    paths = {
        "mbo": writers.write_mbo(RUN, tmp_path / "day.csv"),
        "sse-l2": writers.write_sse(RUN, tmp_path / "day_20230207"),
        "lobster": writers.write_lobster(messages, rows, tmp_path / "lobster"),
    }
    for name, path in paths.items():
        status, out, err = run(capsys, path)
        assert (status, err) == (0, ""), name
        assert "the replay equals the recording" in out
        status, out, _ = run(capsys, path, "--format", name, "--json", "--no-check")
        value = json.loads(out)
        assert (status, value["format"], value["ok"], value["differences"]) == (0, name, True, 0)
        assert value["messages_per_s"] > 0 < value["wall_per_s"]
    status, out, _ = run(capsys, paths["lobster"], "--language", "zh")
    assert status == 0
    assert f"盘口：{len(rows) - 1:,}/{len(rows) - 1:,} 行一致" in out


def test_status_1_and_the_first_difference_with_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages, rows = writers.lobster_rows(RUN, 5)
    rows[300] = [*rows[300][:-1], rows[300][-1] + 100]
    path = writers.write_lobster(messages, rows, tmp_path)
    status, out, _ = run(capsys, path)
    assert status == 1
    assert "the replay differs in 1 places, first at " in out
    assert "message_5.csv:301: buy level 5 of the book: recorded" in out
    assert run(capsys, path, "--no-check")[0] == 0


def test_a_folder_of_recordings_is_replayed_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages, rows = writers.lobster_rows(RUN, 5)
    writers.write_sse(RUN, tmp_path / "a_20230207")
    rows[300] = [*rows[300][:-1], rows[300][-1] + 100]
    writers.write_lobster(messages, rows, tmp_path / "b")
    status, out, _ = run(capsys, tmp_path)
    assert status == 1
    heads = [line for line in out.splitlines() if line.endswith(":") and "/" not in line]
    assert heads[0] == "a_20230207:"
    assert len(heads) == 2
    assert "the replay equals the recording" in out
    assert "the replay differs in 1 places" in out
    status, out, _ = run(capsys, tmp_path, "--json")
    assert [day["ok"] for day in json.loads(out)] == [True, False]


def test_status_2_for_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = writers.write_mbo(RUN, tmp_path / "day.csv")
    lines = path.read_text().splitlines()
    lines[400] = lines[400].replace("160,2,", "160,2")
    path.write_text("\n".join(lines) + "\n")
    status, out, err = run(capsys, path)
    assert (status, out) == (2, "")
    assert f"{path}:401" in err
    assert err.count("\n") == 1
    assert run(capsys, path, "--format", "itch")[0] == 2
    assert run(capsys, tmp_path / "nowhere")[0] == 2
    assert run(capsys, path, "--format", "sse-l2")[0] == 2


def dbn(run_: writers.Run, *, schema: int = 0, rtype: int = 160) -> bytes:
    """The run as DBN: letters, version, length of metadata, metadata, records of 56 bytes."""
    table = writers.mbo_table(run_).to_pydict()
    metadata = b"XNAS.ITCH".ljust(16, b"\0") + struct.pack("<H", schema) + bytes(82)
    out = [b"DBN\x02", struct.pack("<I", len(metadata)), metadata]
    for i in range(len(table["action"])):
        r = {name: column[i] for name, column in table.items()}
        out.append(
            struct.pack(
                "<BBHIQQqIBBccQiI", 14, rtype, r["publisher_id"], r["instrument_id"], r["ts_event"], r["order_id"],
                r["price"], r["size"], r["flags"], r["channel_id"], r["action"].encode(), r["side"].encode(),
                r["ts_recv"], r["ts_in_delta"], r["sequence"],
            )
        )  # fmt: skip
    return b"".join(out)


def test_dbn_is_read_without_a_package(tmp_path: Path) -> None:
    import pyarrow as pa

    path = tmp_path / "day.mbo.dbn"
    path.write_bytes(dbn(RUN))
    trades = int((RUN.continuous[1].kind == 1).sum())
    assert replay(path).trades_matched == trades
    packed = tmp_path / "day.mbo.dbn.zst"
    with pa.output_stream(str(packed), compression="zstd") as stream:
        stream.write(dbn(RUN))
    report = replay(packed)
    assert report.ok
    assert report.trades_matched == trades
    for data, what in (
        (dbn(RUN, schema=1), "schema 1 is not mbo"),
        (dbn(RUN, rtype=1), "record type 1 is not mbo"),
        (dbn(RUN)[:-7], "the last record is cut off"),
        (b"DBM" + dbn(RUN)[3:], "is not DBN"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=what):
            replay(path)


def test_times_may_be_text_and_prices_decimal(tmp_path: Path) -> None:
    text = """ts_recv,ts_event,action,side,price,size,order_id,flags
2023-09-29T07:06:50.275731572Z,2023-09-29T07:06:50.275563687Z,R,N,,0,0,8
2023-09-29T07:06:51.275731572Z,2023-09-29T07:06:50.275563687Z,A,B,5411.750000000,10,18446744073709551615,128
"""
    path = tmp_path / "text.csv"
    path.write_text(text)
    (chunk,) = MboFeed(path).chunks()
    assert chunk.rows.time.tolist() == [25_610_275_731_572, 25_611_275_731_572]
    assert chunk.rows.price[1] == 5_411_750_000_000
    assert chunk.rows.order[1] == np.int64(-1)
    assert replay(path).ok
    path.write_text(text.replace("07:06:51", "07:06:49"))
    with pytest.raises(DataError, match="is before an earlier row"):
        replay(path)
    path.write_text(text.replace(",128\n", ",192\n"))
    with pytest.raises(DataError, match="not by order"):
        replay(path)
