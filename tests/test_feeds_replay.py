"""Simulated days in all recorded formats come out whole; one wrong row is found, and only that one."""

from __future__ import annotations

import re
from pathlib import Path

import feed_writers as writers
import numpy as np
import pytest

from twin.errors import DataError
from twin.matching.feeds import FORMATS, open_feed
from twin.matching.feeds.base import Action, FeedRows
from twin.matching.replay import ReplayReport, replay

PLAIN = writers.simulate(4_000, seed=3)
MANY = writers.simulate(6_000, seed=5, instruments=3)
CALLS = writers.simulate(3_000, seed=7, calls=True, reduce=False)


def whole(report: ReplayReport, trades: int) -> bool:
    """Whether all trades were there and came out, and nothing else differed."""
    return report.ok and report.first_difference is None and report.trades_matched == report.trades_recorded == trades


def trades_of(run: writers.Run) -> int:
    return sum(int((tape.kind == 1).sum()) for _, _, tape in run.pieces)


@pytest.mark.parametrize("name", ["day.csv", "day.csv.gz", "day.csv.zst", "day.parquet"])
def test_mbo_comes_out_whole(tmp_path: Path, name: str) -> None:
    report = replay(writers.write_mbo(PLAIN, tmp_path / name))
    assert report.format == "mbo"
    assert whole(report, trades_of(PLAIN))


def test_mbo_of_several_instruments_comes_out_whole(tmp_path: Path) -> None:
    path = writers.write_mbo(MANY, tmp_path / "day.csv")
    assert whole(replay(path), trades_of(MANY))
    feed = open_feed(path)
    for _ in feed.chunks():
        pass
    assert feed.instruments == ["7 (publisher 2)", "8 (publisher 2)", "9 (publisher 2)"]


@pytest.mark.parametrize(("levels", "suffix"), [(1, ""), (3, ".gz"), (50, "")])
def test_lobster_comes_out_whole(tmp_path: Path, levels: int, suffix: str) -> None:
    messages, rows = writers.lobster_rows(PLAIN, levels)
    report = replay(writers.write_lobster(messages, rows, tmp_path, suffix))
    assert report.format == "lobster"
    assert whole(report, sum(row[1] == 4 for row in messages[1:]))
    assert report.books_matched == report.books_checked == len(rows) - 1
    assert report.trades_out_of_turn == 0
    assert (report.trades_unnamed == 0) == (levels == 50)


@pytest.mark.parametrize("published", ["flow", "after", "before"])
def test_sse_comes_out_whole(tmp_path: Path, published: str) -> None:
    orders = "" if published == "flow" else published
    path = writers.write_sse(CALLS, tmp_path / "day_20230207", flow=published == "flow", orders=orders)
    report = replay(path)
    assert report.format == "sse-l2"
    assert whole(report, trades_of(CALLS))
    assert report.cancels_matched == report.cancels_recorded > 0


def test_all_formats_tell_the_same_of_the_same_run(tmp_path: Path) -> None:
    plain = writers.simulate(2_000, seed=11, reduce=False)
    mbo = replay(writers.write_mbo(plain, tmp_path / "day.csv"))
    sse = replay(writers.write_sse(plain, tmp_path / "day_20230207"))
    messages, rows = writers.lobster_rows(plain, 200)
    lobster = replay(writers.write_lobster(messages, rows, tmp_path / "lobster"))
    assert mbo.trades_matched == sse.trades_matched == lobster.trades_matched == trades_of(plain)


# Power: one wrong row is one difference, at its row.


def lobster_day(tmp_path: Path) -> tuple[list[list[object]], list[list[int]]]:
    return writers.lobster_rows(PLAIN, 5)


@pytest.mark.parametrize("level", [0, 1, 4])
@pytest.mark.parametrize("side", [0, 2])
def test_one_wrong_book_row_is_one_difference(tmp_path: Path, level: int, side: int) -> None:
    messages, rows = writers.lobster_rows(PLAIN, 5)
    at = 1_000
    rows[at] = rows[at].copy()
    rows[at][4 * level + side + 1] += 100
    report = replay(writers.write_lobster(messages, rows, tmp_path))
    assert report.differences == 1
    assert report.books_matched == report.books_checked - 1
    assert report.first_row.endswith(f":{at + 1}")
    word = "sell" if side == 0 else "buy"
    assert report.first_difference is not None
    assert report.first_difference.startswith(f"{word} level {level + 1} of the book: recorded")


def test_one_wrong_message_is_found_at_its_row(tmp_path: Path) -> None:
    messages, rows = writers.lobster_rows(PLAIN, 5)
    at = next(i for i in range(1_000, len(messages)) if messages[i][1] == 1)
    messages[at][3] += 100
    report = replay(writers.write_lobster(messages, rows, tmp_path))
    assert not report.ok
    assert report.first_row.endswith(f":{at + 1}")
    assert report.books_matched >= report.books_checked - 2


def mbo_lines(tmp_path: Path, run: writers.Run = PLAIN) -> list[list[str]]:
    path = writers.write_mbo(run, tmp_path / "plain.csv")
    return [line.split(",") for line in path.read_text().splitlines()]


ACTION, SIDE, PRICE, SIZE, ORDER, FLAGS = 5, 6, 7, 8, 10, 11


def replay_lines(tmp_path: Path, lines: list[list[str]]) -> ReplayReport:
    path = tmp_path / "changed.csv"
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    return replay(path)


def find_line(lines: list[list[str]], action: str, start: int = 2_000) -> int:
    return next(i for i in range(start, len(lines)) if lines[i][ACTION] == action)


def test_an_execution_at_another_price_is_one_difference(tmp_path: Path) -> None:
    lines = mbo_lines(tmp_path)
    at = find_line(lines, "F")
    lines[at][PRICE] = str(int(lines[at][PRICE]) + 10_000_000)
    report = replay_lines(tmp_path, lines)
    assert report.differences == 1
    assert report.trades_matched == report.trades_recorded - 1
    assert report.first_row.endswith(f":{at + 1}")
    assert "in the engine it is a" in str(report.first_difference)


def test_an_execution_of_a_younger_order_is_one_difference(tmp_path: Path) -> None:
    rows = [
        ("A", "B", 100, 1), ("A", "B", 100, 2), ("A", "B", 100, 3),
        ("T", "A", 100, 0), ("F", "B", 100, 2), ("C", "B", 100, 2), ("C", "B", 100, 1), ("C", "B", 100, 3),
    ]  # fmt: skip
    head = "action,side,price,size,order_id\nR,N,,0,0\n"
    path = tmp_path / "turn.csv"
    path.write_text(head + "".join(f"{a},{s},10.5,{q},{i}\n" for a, s, q, i in rows))
    report = replay(path)
    assert (report.differences, report.trades_out_of_turn) == (1, 1)
    assert (
        report.first_difference == "execution of buy order 2, 100 at 10.5: the engine trades with order 1 at 10.5 first"
    )
    assert report.first_row.endswith("turn.csv:7")


def test_an_add_that_would_trade_is_one_difference(tmp_path: Path) -> None:
    lines = mbo_lines(tmp_path)
    at = find_line(lines, "A")
    bids = lines[at][SIDE] == "B"
    lines[at][PRICE] = str((writers.HIGH if bids else writers.LOW) * 10_000_000)
    report = replay_lines(tmp_path, lines)
    assert report.first_row.endswith(f":{at + 1}")
    assert "in the engine it trades with order" in str(report.first_difference)
    executed = sum(line[ACTION] == "F" and line[ORDER] == lines[at][ORDER] for line in lines)
    withdrawn = sum(line[ACTION] == "C" and line[ORDER] == lines[at][ORDER] for line in lines)
    assert report.differences == 1 or executed + withdrawn == 0
    assert report.trades_unverifiable == executed


def test_a_cancel_of_too_much_is_one_difference(tmp_path: Path) -> None:
    lines = mbo_lines(tmp_path)
    at = next(i for i in range(2_000, len(lines)) if lines[i][ACTION] == "C" and lines[i - 1][ACTION] != "F")
    lines[at][SIZE] = str(int(lines[at][SIZE]) + 100_000)
    report = replay_lines(tmp_path, lines)
    assert report.first_row.endswith(f":{at + 1}")
    assert "left" in str(report.first_difference)


@pytest.mark.parametrize("column", ["buy_no", "price", "qty"])
def test_one_wrong_sse_trade_is_one_difference(tmp_path: Path, column: str) -> None:
    path = writers.write_sse(CALLS, tmp_path / "day_20230207")
    lines = [line.split(",") for line in (path / "trades.csv").read_text().splitlines()]
    place = lines[0].index(column)
    lines[500][place] = "9.99" if column == "price" else str(int(lines[500][place]) + 1)
    (path / "trades.csv").write_text("\n".join(",".join(line) for line in lines) + "\n")
    report = replay(path)
    assert report.differences == 1
    assert report.trades_matched == report.trades_recorded - 1
    assert str(report.first_difference).startswith("trade 500: recorded")
    assert report.first_row.endswith("trades.csv:501")


# Semantics.


def mbo(tmp_path: Path, rows: str, head: str = "action,side,price,size,order_id") -> ReplayReport:
    path = tmp_path / "hand.csv"
    path.write_text(f"{head}\n" + "\n".join(rows.split()) + "\n")
    return replay(path)


def test_modify_keeps_or_loses_its_place(tmp_path: Path) -> None:
    smaller = "R,N,,0,0 A,B,10,300,1 A,B,10,100,2 M,B,10,200,1 F,B,10,200,1 C,B,10,200,1 F,B,10,100,2 C,B,10,100,2"
    larger = "R,N,,0,0 A,B,10,300,1 A,B,10,100,2 M,B,10,400,1 F,B,10,100,2 C,B,10,100,2 F,B,10,400,1 C,B,10,400,1"
    moved = "R,N,,0,0 A,B,10,300,1 A,B,10,100,2 M,B,10.5,300,1 F,B,10.5,300,1 C,B,10.5,300,1 F,B,10,100,2 C,B,10,100,2"
    for rows in (smaller, larger, moved):
        report = mbo(tmp_path, rows)
        assert whole(report, 2), rows
    assert not mbo(tmp_path, larger.replace("M,B,10,400,1", "M,B,10,300,1")).ok


def test_a_fill_is_taken_off_by_a_cancel_or_by_a_modify(tmp_path: Path) -> None:
    assert whole(mbo(tmp_path, "R,N,,0,0 A,B,10,300,1 F,B,10,100,1 M,B,10,200,1 F,B,10,200,1 C,B,10,200,1"), 2)
    assert whole(mbo(tmp_path, "R,N,,0,0 A,B,10,300,1 F,B,10,100,1 F,B,10,100,1 C,B,10,200,1 C,B,10,100,1"), 2)


def test_a_trade_that_names_its_resting_order_needs_no_fill(tmp_path: Path) -> None:
    report = mbo(tmp_path, "R,N,,0,0 A,B,10,300,1 T,A,10,100,1 C,B,10,100,1 C,B,10,200,1")
    assert whole(report, 1)


def test_a_clear_empties_one_book_and_unknown_orders_are_counted(tmp_path: Path) -> None:
    head = "action,side,price,size,order_id,instrument_id"
    rows = "C,B,10,100,9,1 A,B,10,300,1,1 A,S,10,300,1,2".replace("S,", "A,")
    report = mbo(tmp_path, f"{rows} R,N,,0,0,1 A,A,9,100,2,1 F,A,9,100,2,1 C,A,9,100,2,1", head)
    assert whole(report, 1)
    assert report.orders_unknown == 1


def test_a_cancel_of_an_unknown_order_differs_once_the_book_is_known(tmp_path: Path) -> None:
    report = mbo(tmp_path, "R,N,,0,0 A,B,10,300,1 C,B,10,100,7")
    assert report.differences == 1
    assert str(report.first_difference).endswith("no such order rests in the engine")


def test_far_prices_and_fine_ticks_cost_no_memory(tmp_path: Path) -> None:
    rows = "R,N,,0,0 A,B,0.0001,100,1 A,A,199999.99,100,2 A,B,10.0001,100,3 A,A,10.0002,100,4"
    assert whole(mbo(tmp_path, f"{rows} F,A,10.0002,100,4 C,A,10.0002,100,4"), 1)


def lobster(tmp_path: Path, messages: str, books: str) -> ReplayReport:
    rows = [[*row.split(",")] for row in messages.split()]
    return replay(writers.write_lobster(rows, [[int(x) for x in row.split(",")] for row in books.split()], tmp_path))


NONE = "9999999999,0"
NO_BID = "-9999999999,0"


def test_halts_hidden_and_cross_rows_leave_the_book_alone(tmp_path: Path) -> None:
    messages = "1.5,1,1,100,1000000,1 2,5,0,50,1000500,1 3,7,0,0,-1,-1 4,1,2,100,900000,-1 5,7,0,0,0,-1"
    messages += " 6,3,2,100,900000,-1 7,7,0,0,1,-1 8,6,-3,500,950000,-1"
    bid = "1000000,100"
    crossed = f"900000,100,{bid}"
    books = " ".join([f"{NONE},{bid}"] * 3 + [crossed] * 2 + [f"{NONE},{bid}"] * 3)
    report = lobster(tmp_path, messages, books)
    assert report.ok, report.first_difference
    assert (report.halts, report.trades_hidden, report.books_matched) == (1, 1, 7)


def test_out_of_turn_is_told_and_with_strict_a_difference(tmp_path: Path) -> None:
    messages = "1,1,9,100,900000,1 2,1,1,100,1000000,1 3,1,2,100,1000000,1 4,4,2,100,1000000,1"
    first, second = f"{NONE},900000,100,{NONE},{NO_BID}", f"{NONE},1000000,100,{NONE},900000,100"
    books = f"{first} {second} {second.replace('1000000,100', '1000000,200')} {second}"
    report = lobster(tmp_path, messages, books)
    assert (report.ok, report.trades_out_of_turn, report.trades_matched, report.trades_recorded) == (True, 1, 0, 1)
    strict = replay(tmp_path, strict=True)
    assert (strict.ok, strict.differences) == (False, 1)
    assert "the engine trades with order 1 at 100 first" in str(strict.first_difference)


def test_a_side_that_was_seen_whole_learns_no_level(tmp_path: Path) -> None:
    messages = "1,1,1,100,1000000,1 2,1,2,100,1010000,-1"
    books = f"{NONE},1000000,100,{NONE},{NO_BID} 1010000,100,1000000,100,1020000,300,{NO_BID}"
    report = lobster(tmp_path, messages, books)
    assert report.differences == 1
    assert report.first_difference == "sell level 2 of the book: recorded 300 at 102, replayed nothing"


# Formats.


def test_the_format_is_told_by_the_files(tmp_path: Path) -> None:
    assert list(FORMATS) == ["sse-l2", "lobster", "mbo"]
    path = tmp_path / "some.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="cannot tell the format") as caught:
        open_feed(path)
    assert all(name in caught.value.hint for name in FORMATS)
    with pytest.raises(DataError, match=r"format 'itch' is not known\. Known are sse-l2, lobster, mbo"):
        open_feed(path, "itch")
    with pytest.raises(DataError, match="no such folder or file"):
        open_feed(tmp_path / "nowhere")
    with pytest.raises(DataError, match="cannot tell"):
        open_feed(tmp_path)


def test_chunks_carry_common_columns(tmp_path: Path) -> None:
    feed = open_feed(writers.write_sse(CALLS, tmp_path / "day_20230207"))
    rows = FeedRows.concat([chunk.rows for chunk in feed.chunks()])
    assert (np.diff(rows.time) >= 0).all()
    assert set(np.unique(rows.action)) <= {
        Action.ADD,
        Action.ADD_IOC,
        Action.DELETE,
        Action.TRADE,
        Action.AUCTION_TRADE,
    }
    assert (feed.price_scale, feed.starts_empty) == (1000, True)


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("action,", "deed,", "hand.csv:1", "'action' is missing"),
        ("A,B,10,300,1", "X,B,10,300,1", "hand.csv:2, column action", "'X' is not one of A, C, M"),
        ("A,B,10,300,1", "A,N,10,300,1", "hand.csv:2, column side", "names no side"),
        ("A,B,10,300,1", "A,B,,300,1", "hand.csv:2, column price", "is not a price"),
        ("A,B,10,300,1", "A,B,1o,300,1", "hand.csv:2, column price", "'1o' is not a number"),
        ("A,B,10,300,1", "A,B,10,0,1", "hand.csv:2, column size", "0 is not a size"),
        ("A,B,10,300,1", "A,B,10,300", "hand.csv:2", "Expected 5 columns, got 4"),
        ("A,B,10,200,2", "A,B,10,200,1", "hand.csv:3, column order_id", "order 1 was entered before"),
    ],
)
def test_damage_of_an_mbo_file_is_named(tmp_path: Path, old: str, new: str, where: str, what: str) -> None:
    text = "action,side,price,size,order_id\nA,B,10,300,1\nA,B,10,200,2\n"
    assert old in text
    path = tmp_path / "hand.csv"
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=what) as caught:
        replay(path, format="mbo")
    assert caught.value.where.endswith(where)


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("2,1,2", "2,9,2", "message_1.csv:2, column type", "9 is not one of the types"),
        ("2,1,2", "0.5,1,2", "message_1.csv:2, column time", "before an earlier row"),
        ("2,1,2,100", "2,1,2,-100", "message_1.csv:2, column size", "-100 is not a size"),
        ("2,1,2,100", "2,1,1,100", "message_1.csv:2, column order", "was entered before"),
        ("1000000,1 2", "1000000,3 2", "message_1.csv:1, column direction", "neither 1"),
        ("2,1,2,100,1010000,-1", "2,7,2,100,5,-1", "message_1.csv:2, column price", "is not -1, 0 or 1"),
    ],
)
def test_damage_of_a_lobster_file_is_named(tmp_path: Path, old: str, new: str, where: str, what: str) -> None:
    messages = "1,1,1,100,1000000,1 2,1,2,100,1010000,-1"
    books = f"{NONE},1000000,100 1010000,100,1000000,100"
    if "entered" in what:  # the first row only shows where the book begins
        messages, books = f"1,1,7,1,990000,1 {messages}", f"{NONE},990000,1 {books}"
        where = where.replace(":2", ":3")
    assert old in messages
    with pytest.raises(DataError, match=re.escape(what)) as caught:
        lobster(tmp_path, messages.replace(old, new), books)
    assert caught.value.where.endswith(where)


def test_unequal_rows_of_a_lobster_day_are_named(tmp_path: Path) -> None:
    messages, rows = writers.lobster_rows(PLAIN, 2)
    for shorter, longer, n in ((messages[:-1], rows, len(rows)), (messages, rows[:-2], len(rows) - 1)):
        with pytest.raises(DataError, match=rf"{len(shorter)} message rows but {len(longer)} book rows") as caught:
            replay(writers.write_lobster(shorter, longer, tmp_path))
        assert caught.value.where.endswith(f":{n}")
    (tmp_path / "TEST_2023-02-07_34200000_57600000_orderbook_2.csv").unlink()
    with pytest.raises(DataError, match="file is missing"):
        replay(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "executions", "turn"),
    [
        ("LOBSTER_SampleFile_AMZN_2012-06-21_5.zip", 155_935, 8_974, 35),
        ("LOBSTER_SampleFile_AAPL_2012-06-21_1.zip", 118_497, 23_658, 25),
    ],
)
def test_every_row_of_a_lobster_day_comes_out(
    shared_data: Path, name: str, rows: int, executions: int, turn: int
) -> None:
    report = replay(shared_data / "market" / "lobster_20120621" / name)
    assert report.ok
    assert report.messages == rows
    assert report.books_matched == report.books_checked == rows - report.books_start == rows - 1
    assert report.trades_recorded == executions
    assert report.trades_matched == executions - turn
    assert report.trades_out_of_turn == turn


@pytest.mark.data
@pytest.mark.parametrize("name", ["sse_l2_600519_20230207", "sse_l2_605580_20230711"])
def test_what_the_exchange_received_follows_from_what_it_published(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    folder = shared_data / "market" / name
    derived = tmp_path / name
    derived.mkdir()
    for stem in ("orders", "trades"):
        (derived / f"{stem}.csv.gz").symlink_to(folder / f"{stem}.csv.gz")
    given, found = (FeedRows.concat([c.rows for c in open_feed(path).chunks()]) for path in (folder, derived))
    for column in ("action", "side", "price", "quantity", "order", "other"):
        assert (getattr(given, column) == getattr(found, column)).all(), column
    assert replay(derived).ok
