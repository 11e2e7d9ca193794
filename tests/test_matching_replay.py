"""Recorded days come out of the engine trade by trade; damaged recordings are named by file, line and column."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from twin.errors import DataError
from twin.matching.replay import replay

FLOW = """biz_index,time,type,order_no,price_mills,qty,ioc,side
1,9150000,N,11,10050,300,0,B
2,9150100,N,12,10000,100,0,S
3,9160000,N,13,10050,150,0,S
4,9170000,N,14,9900,100,0,B
5,9180000,C,14,9900,100,0,B
20,9300000,N,15,10100,137,0,S
21,9300001,N,16,10120,500,0,S
30,9300100,N,17,10110,100,1,B
40,9300200,N,18,10120,200,0,B
50,11300001,C,16,10120,337,0,S
60,14580000,N,19,9990,50,0,S
"""
TRADES = """biz_index,time,buy_no,sell_no,price,qty,bs_flag
10,9250010,11,12,10.05,100,N
11,9250010,11,13,10.05,150,N
31,9300100,17,15,10.1,100,B
41,9300200,18,15,10.1,37,B
42,9300200,18,16,10.12,163,B
70,15000010,11,19,10.02,50,N
"""
LEVELS = [f"{side}_{what}{i}" for side in ("bid", "ask") for i in range(1, 11) for what in ("px", "qty")]


def snapshot(time: int, phase: int, trades: int, **levels: float) -> str:
    return ",".join(str(x) for x in (time, phase, trades, 10.0, *(levels.get(name, 0) for name in LEVELS)))


SNAPSHOTS = "\n".join(
    [
        ",".join(("time", "phase", "num_trades", "prev_close", *LEVELS)),
        snapshot(91459, 1, 0),
        snapshot(91503, 1, 0, bid_px1=10.03, bid_qty1=100),
        snapshot(91700, 1, 0, bid_px1=10.05, bid_qty1=250, bid_qty2=50),
        snapshot(92501, 2, 2, bid_px1=10.05, bid_qty1=50),
        snapshot(93001, 2, 2, bid_px1=10.05, bid_qty1=50, ask_px1=10.1, ask_qty1=137, ask_px2=10.12, ask_qty2=500),
        snapshot(93003, 2, 5, bid_px1=10.05, bid_qty1=50, ask_px1=10.12, ask_qty1=337),
        snapshot(145700, 2, 5),
        snapshot(145900, 4, 5, bid_px1=10.05, bid_qty1=50),
    ]
)


def recording(folder: Path, *, flow: str = FLOW, trades: str = TRADES, snapshots: str | None = SNAPSHOTS) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in (("flow", flow), ("trades", trades), ("snapshots", snapshots)):
        if text is not None:
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return folder


# A buy of 300 at 10.05 first meets a sell of 100 at 10.00: 10.05 is then the only price that fills every better order.
FIXED = SNAPSHOTS.replace("91503,1,0,10.0,10.03,100", "91503,1,0,10.0,10.05,100")


def test_small_day_comes_out_whole(tmp_path: Path) -> None:
    report = replay(recording(tmp_path / "day_20230207", snapshots=FIXED))
    assert report.first_difference is None
    assert report.trades_matched == report.trades_recorded == report.trades_made == 6
    assert (report.cancels_recorded, report.cancels_matched) == (2, 2)
    assert (report.books_checked, report.books_matched, report.books_empty) == (4, 3, 1)
    assert (report.auction_checked, report.auction_matched) == (2, 2)
    assert report.ok


def test_wrong_indicative_price_is_not_ok(tmp_path: Path) -> None:
    report = replay(recording(tmp_path))
    assert (report.auction_checked, report.auction_matched) == (2, 1)
    assert not report.ok


def test_wrong_book_is_not_ok(tmp_path: Path) -> None:
    report = replay(recording(tmp_path, snapshots=FIXED.replace("337", "338")))
    assert (report.books_matched, report.books_empty) == (2, 1)
    assert not report.ok


def test_check_off_leaves_the_snapshots_alone(tmp_path: Path) -> None:
    report = replay(recording(tmp_path), check=False)
    assert report.books_checked == report.auction_checked == 0
    assert report.ok


def test_difference_is_told_and_the_rest_still_counted(tmp_path: Path) -> None:
    lines = TRADES.splitlines()
    changed = "\n".join([*lines[:3], lines[3].replace("17,15", "18,15"), *lines[4:]])
    report = replay(recording(tmp_path, trades=changed))
    assert report.trades_matched == 5
    assert report.first_difference == (
        "trade 3: recorded 100 at 10.100 between buy 18 and sell 15, replayed 100 at 10.100 between buy 17 and sell 15"
    )
    assert not report.ok


def test_missing_trade_is_told(tmp_path: Path) -> None:
    report = replay(recording(tmp_path, trades="\n".join(TRADES.splitlines()[:-1])))
    assert report.first_difference is not None
    assert report.first_difference.startswith("trade 6: recorded no trade")
    assert (report.trades_recorded, report.trades_made, report.trades_matched) == (5, 6, 5)


def test_day_before_the_closing_call_trades_to_the_end(tmp_path: Path) -> None:
    trades = TRADES.replace("70,15000010,11,19,10.02,50,N", "61,14580000,11,19,10.05,50,S")
    for name in ("dated_20180817", "undated"):
        report = replay(recording(tmp_path / name, trades=trades, snapshots=None))
        assert report.ok, name


def test_recording_without_a_single_row_is_empty_not_wrong(tmp_path: Path) -> None:
    heads = [text.splitlines()[0] + "\n" for text in (FLOW, TRADES, SNAPSHOTS)]
    report = replay(recording(tmp_path, flow=heads[0], trades=heads[1], snapshots=heads[2]))
    assert report.ok
    assert report.messages == report.trades_recorded == 0


def test_trades_without_orders_do_not_match(tmp_path: Path) -> None:
    report = replay(recording(tmp_path, flow=FLOW.splitlines()[0] + "\n", snapshots=None))
    assert (report.trades_made, report.trades_matched, report.ok) == (0, 0, False)


def test_fund_prices_in_mills_keep_their_tick(tmp_path: Path) -> None:
    flow = FLOW.replace("10050", "10051").replace("9900", "9901")
    trades = TRADES.replace("10.05", "10.051").replace("10.02,50", "10.021,50")  # middle of 9.990 and 10.051, half up
    assert replay(recording(tmp_path, flow=flow, trades=trades, snapshots=None)).ok


def test_uncompressed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "flow.csv").write_text(FLOW)
    (tmp_path / "trades.csv").write_text(TRADES)
    assert replay(tmp_path).ok


def test_progress_is_told(tmp_path: Path) -> None:
    stages: list[tuple[str, float]] = []
    replay(recording(tmp_path, snapshots=FIXED), progress=lambda *stage: stages.append(stage))
    assert stages[0] == ("read", 0.0)
    assert stages[-1] == ("done", 1.0)
    assert "match" in [stage for stage, _ in stages]
    assert all(0 <= fraction <= 1 for _, fraction in stages)


@pytest.mark.parametrize(
    ("name", "old", "new", "where", "what"),
    [
        ("flow", "price_mills", "price", "flow.csv.gz:1", "'price_mills' is missing"),
        ("flow", "type,", "kind,", "flow.csv.gz:1", "'type' is missing"),
        ("trades", "bs_flag", "flag", "trades.csv.gz:1", "'bs_flag' is missing"),
        ("snapshots", "ask_qty10", "ask_qty11", "snapshots.csv.gz:1", "'ask_qty10' is missing"),
        ("flow", "3,9160000", "1,9160000", "flow.csv.gz:4, column biz_index", "1 does not follow"),
        ("trades", "11,9250010", "10,9250010", "trades.csv.gz:3, column biz_index", "does not follow"),
        ("flow", "9170000", "9140000", "flow.csv.gz:5, column time", "9140000 is before an earlier row"),
        ("flow", "9160000", "9610000", "flow.csv.gz:4, column time", "not a time of day"),
        ("snapshots", "91503", "91500000", "snapshots.csv.gz:3, column time", "not a time of day"),
        ("flow", "N,13,10050", "N,13,1oo50", "flow.csv.gz:4, column price_mills", "'1oo50' is not a number"),
        ("flow", "N,13,10050", "N,13,", "flow.csv.gz:4, column price_mills", "no value"),
        ("flow", "N,13,10050", "N,13,-10050", "flow.csv.gz:4, column price_mills", "-10050 is not a price"),
        ("flow", "N,13,10050", "N,13,99999999990", "flow.csv.gz:4, column price_mills", "out of all proportion"),
        ("flow", "10050,150,0,S", "10050,0,0,S", "flow.csv.gz:4, column qty", "0 is not a quantity"),
        ("flow", "10050,150,0,S", "10050,150,2,S", "flow.csv.gz:4, column ioc", "neither 0 nor 1"),
        ("flow", "10050,150,0,S", "10050,150,0,X", "flow.csv.gz:4, column side", "'X' is not one of B, S"),
        ("flow", "10050,150,0,S", "10050,150", "flow.csv.gz:4", "Expected 8 columns, got 6"),
        ("flow", "N,13", "N,12", "flow.csv.gz:4, column order_no", "12 was entered before"),
        ("trades", "10.12,163", "nan,163", "trades.csv.gz:6, column price", "is not a price"),
        ("trades", "10.12,163", "10.1234,163", "trades.csv.gz:6, column price", "is not a price in mills"),
        ("trades", "163,B", "163,Q", "trades.csv.gz:6, column bs_flag", "'Q' is not one of B, S, N"),
        ("snapshots", "250,0,50", "-250,0,50", "snapshots.csv.gz:4, column bid_qty1", "negative"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, old: str, new: str, where: str, what: str) -> None:
    text = {"flow": FLOW, "trades": TRADES, "snapshots": SNAPSHOTS}[name]
    assert old in text
    recording(tmp_path, **{name: text.replace(old, new, 1)})
    with pytest.raises(DataError, match=what) as caught:
        replay(tmp_path)
    assert caught.value.where.endswith(where)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        replay(tmp_path / "nowhere")
    recording(tmp_path)
    (tmp_path / "trades.csv.gz").unlink()
    with pytest.raises(DataError, match=r"trades.csv.gz: file is missing"):
        replay(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 60, -4])
def test_cut_off_archive_is_named(tmp_path: Path, keep: int) -> None:
    path = recording(tmp_path) / "flow.csv.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"flow.csv.gz: (compressed data is damaged|file is empty)"):
        replay(tmp_path)


def test_text_that_is_no_archive_is_named(tmp_path: Path) -> None:
    path = recording(tmp_path) / "flow.csv.gz"
    path.write_text(FLOW)
    with pytest.raises(DataError, match=r"flow.csv.gz: compressed data is damaged"):
        replay(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "trades", "snapshots", "auction"),
    [
        ("sse_l2_600519_20230207", 18_685, (4_865, 4_864, 1), 126),
        ("sse_l2_600536_20230711", 33_553, (0, 0, 0), 0),
        ("sse_l2_605580_20230711", 16_996, (0, 0, 0), 0),
    ],
)
def test_real_day_comes_out_whole(
    shared_data: Path, name: str, trades: int, snapshots: tuple[int, int, int], auction: int
) -> None:
    report = replay(shared_data / "market" / name)
    assert report.first_difference is None
    assert report.trades_recorded == report.trades_made == report.trades_matched == trades
    assert report.cancels_matched == report.cancels_recorded
    assert (report.books_checked, report.books_matched, report.books_empty) == snapshots
    assert report.auction_matched == report.auction_checked == auction
    assert report.ok


@pytest.mark.parametrize("block", [200, 1_000])
def test_pieces_of_any_size_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    path = recording(tmp_path / "day_20230207", snapshots=FIXED)
    monkeypatch.setattr("twin.matching.feeds.text.BLOCK", block)
    report = replay(path, check=False)
    assert report.ok
    assert (report.trades_matched, report.cancels_matched) == (6, 2)


HALT_FLOW = """biz_index,time,type,order_no,price_mills,qty,ioc,side
1,9150000,N,1,10000,100,0,B
10,9300000,N,2,13000,100,0,S
11,9300100,N,3,13000,100,1,B
20,9310000,N,4,13500,300,0,B
21,9320000,N,5,13400,200,0,S
22,9330000,N,6,13600,200,0,S
23,9334000,C,6,13600,200,0,S
24,9335000,N,9,13600,100,0,B
40,9410000,N,7,13500,100,0,S
50,15050100,N,8,13500,100,0,S
"""
HALT_TRADES = """biz_index,time,buy_no,sell_no,price,qty,bs_flag
12,9300100,3,2,13.0,100,B
30,9400100,9,5,13.5,100,N
31,9400100,4,5,13.5,100,N
41,9410000,4,7,13.5,100,S
60,15100000,4,8,13.5,100,N
"""


def test_a_halt_within_the_day_ends_with_a_call(tmp_path: Path) -> None:
    report = replay(recording(tmp_path, flow=HALT_FLOW, trades=HALT_TRADES, snapshots=None))
    assert report.first_difference is None
    assert report.trades_matched == report.trades_recorded == report.trades_made == 4
    assert report.trades_after_hours == 2
    assert report.ok


def test_an_order_rests_over_lunch_and_two_calls_may_follow_each_other(tmp_path: Path) -> None:
    flow = """biz_index,time,type,order_no,price_mills,qty,ioc,side
1,9160000,N,1,10000,100,0,B
2,9160000,N,2,10000,100,0,S
10,11295900,N,3,9990,200,0,B
20,14575900,N,4,9990,100,0,S
21,14585900,N,5,9990,100,0,S
"""
    trades = """biz_index,time,buy_no,sell_no,price,qty,bs_flag
5,9250010,1,2,10.0,100,N
30,15000010,3,4,9.99,100,N
31,15000010,3,5,9.99,100,N
"""
    assert replay(recording(tmp_path, flow=flow, trades=trades, snapshots=None)).ok


def test_a_trade_that_the_engine_must_not_make_is_found(tmp_path: Path) -> None:
    wrong = FLOW.replace("21,9300001,N,16,10120,500", "21,9300001,N,16,10050,500")
    report = replay(recording(tmp_path / "wrong_20230207", flow=wrong, snapshots=None))
    assert not report.ok
    assert report.first_row.endswith("trades.csv.gz:4")


def test_a_cancel_of_an_order_that_never_came_is_named(tmp_path: Path) -> None:
    recording(tmp_path, flow=FLOW.replace("C,14", "C,44"))
    with pytest.raises(DataError, match="cancel of 44, which does not rest") as caught:
        replay(tmp_path)
    assert caught.value.where.endswith("flow.csv.gz:6, column order_no")


def test_orders_and_trades_suffice(tmp_path: Path) -> None:
    orders = """biz_index,time,action,side,order_no,price,qty
1,9150000,A,B,11,10.05,300
2,9150100,A,S,12,10.0,100
3,9160000,A,S,13,10.05,150
20,9300000,A,S,15,10.1,137
21,9300001,A,S,16,10.12,500
50,11300001,D,S,16,10.12,337
"""
    trades = "\n".join(TRADES.splitlines()[:-1])
    path = recording(tmp_path, trades=trades, snapshots=None)
    (path / "flow.csv.gz").unlink()
    (path / "orders.csv").write_text(orders)
    report = replay(path)
    assert report.ok, report.first_difference
    assert (report.trades_matched, report.cancels_matched, report.messages) == (5, 1, 8)
    (path / "orders.csv").unlink()
    with pytest.raises(DataError, match=r"flow.csv.gz: file is missing. Give flow.csv.gz, or orders.csv.gz"):
        replay(path)
