"""The adapter of the public benchmark against a plain book, and the invariants that its edge cases are about."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_book import CANCEL, MODIFY, NEW, ReportBook

from benchmarks import report_stream
from benchmarks.one_book import drive, new_engine
from benchmarks.report_stream import RECORD, digest, read_dump, report_lines, to_messages
from twin.contracts import MessageKind, Messages, Reason, Side, TapeKind
from twin.errors import DataError

BUY, SELL = 0, 1


def records_of(rows) -> np.ndarray:
    """Records from rows of (type, side, ioc, quantity, order, price), numbered in order."""
    records = np.zeros(len(rows), RECORD)
    for name, column in zip(
        ("type", "side", "ioc", "quantity", "order", "price"), zip(*rows, strict=True), strict=True
    ):
        records[name] = column
    records["sequence"] = np.arange(len(rows))
    return records


def lines_of(records, batch: int = 10_000) -> list[str]:
    messages = to_messages(records)
    return list(report_lines(drive(messages, batch, keep=True).tape, messages))


def new(order, side, quantity, price, ioc=0):
    return (NEW, side, ioc, quantity, order, price)


def cancel(order):
    return (CANCEL, 0, 0, 0, order, 0)


def modify(order, side, quantity, price):
    return (MODIFY, side, 0, quantity, order, price)


def flow(count: int, seed: int, *, width: int = 40, drift: float = 0.02) -> np.ndarray:
    """New orders (a sixth immediate-or-cancel) around a wandering middle; cancels and modifies, some of them stale.

    Made without looking at a book: whether an order still rests when its cancel comes is up to the matching.
    """
    rng = np.random.default_rng(seed)
    news = max(2, count // 2)
    middle = 5_000 + np.cumsum(rng.normal(0, drift * width, news))
    side = rng.integers(0, 2, news)
    price = np.rint(middle + (2 * side - 1) * (rng.geometric(0.15, news) - 3)).astype(np.int64).clip(1)
    quantity, ioc = rng.integers(1, 100, news), rng.random(news) < 0.15
    rows, times = [], []
    for order in range(news):
        at = float(order)
        rows.append(new(order + 1, side[order], quantity[order], price[order], int(ioc[order])))
        times.append(at)
        steps = []
        if rng.random() < 0.25:
            steps.append(
                modify(order + 1, side[order], quantity[order] + rng.integers(-3, 4).clip(1 - quantity[order]), 0)
            )
        if rng.random() < 0.8:
            steps += [cancel(order + 1)] * (2 if rng.random() < 0.05 else 1)
        if rng.random() < 0.03:
            steps.append(modify(order + 1, side[order], quantity[order] + 1, 0))
        for step in steps:
            at += rng.exponential(300.0)
            moved = int(price[order] + rng.integers(-2, 3))
            rows.append(step if step[0] == CANCEL else (*step[:5], max(1, moved)))
            times.append(at)
    return records_of([rows[i] for i in np.argsort(times, kind="stable")[:count]])


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
def test_reports_equal_those_of_a_plain_book(seed):
    records = flow(100_000, seed, drift=(0.0, 0.02, 0.3)[seed - 1])
    expected = ReportBook().run(records)
    assert {line[0] for line in expected} == set("012345")
    assert lines_of(records) == expected


@pytest.mark.slow
def test_reports_of_a_million_messages_equal_those_of_a_plain_book():
    records = flow(1_000_000, 9)
    messages = to_messages(records)
    expected = hashlib.sha256("\n".join(ReportBook().run(records)).encode()).hexdigest()
    assert digest(drive(messages, keep=True).tape, messages) == expected


MESSAGE = st.one_of(
    st.builds(
        new,
        st.integers(1, 12),
        st.integers(0, 1),
        st.integers(1, 30),
        st.integers(95, 105),
        st.integers(0, 1),
    ),
    st.builds(cancel, st.integers(1, 14)),
    st.builds(modify, st.integers(1, 14), st.integers(0, 1), st.integers(1, 30), st.integers(95, 105)),
)


def dense(rows):
    """The rows with a fresh number for each new order; others keep pointing at the number's latest order."""
    latest, out = {}, []
    for kind, side, ioc, quantity, order, price in rows:
        if kind == NEW:
            latest[order] = 20 + len(out)
        out.append((kind, side, ioc, quantity, latest.get(order, order), price))
    return out


@settings(max_examples=150, deadline=None)
@given(st.lists(MESSAGE, min_size=1, max_size=60), st.sampled_from([1, 7, 1_000]))
def test_reports_of_any_small_flow_equal_those_of_a_plain_book(rows, batch):
    records = records_of(dense(rows))
    assert lines_of(records, batch) == ReportBook().run(records)


# What must come out is written down, not computed: trades as (price, quantity, maker, taker).
INVARIANTS = {
    "cancel from the middle of a queue": (
        [new(1, BUY, 5, 50), new(2, BUY, 6, 50), new(3, BUY, 7, 50), cancel(2), new(4, SELL, 12, 50, 1)],
        [(50, 5, 1, 4), (50, 7, 3, 4)],
    ),
    "cancel from the head of a queue": (
        [new(1, SELL, 5, 50), new(2, SELL, 6, 50), cancel(1), new(3, BUY, 6, 50, 1)],
        [(50, 6, 2, 3)],
    ),
    "scattered cancels in a long queue": (
        [new(i, BUY, i, 70) for i in range(1, 10)] + [cancel(3), cancel(4), cancel(9), new(20, SELL, 32, 70, 1)],
        [(70, i, i, 20) for i in (1, 2, 5, 6, 7, 8)],
    ),
    "a sweep goes from the best price outwards": (
        [new(1, SELL, 3, 83), new(2, SELL, 3, 81), new(3, SELL, 3, 82), new(4, BUY, 9, 83, 1)],
        [(81, 3, 2, 4), (82, 3, 3, 4), (83, 3, 1, 4)],
    ),
    "a limit order stops at its limit and rests there": (
        [new(1, SELL, 4, 60), new(2, SELL, 4, 64), new(3, BUY, 9, 62), new(4, SELL, 9, 62, 1)],
        [(60, 4, 1, 3), (62, 5, 3, 4)],
    ),
    "trades are at the resting order's price, either way": (
        [new(1, SELL, 2, 90), new(2, BUY, 2, 99, 1), new(3, BUY, 2, 40), new(4, SELL, 2, 31, 1)],
        [(90, 2, 1, 2), (40, 2, 3, 4)],
    ),
    "a modify that crosses trades at the resting price": (
        [new(1, SELL, 5, 30), new(2, BUY, 5, 20), modify(2, BUY, 5, 33)],
        [(30, 5, 1, 2)],
    ),
    "a modify of the rest of an order": (
        [new(1, SELL, 9, 30), new(2, BUY, 4, 30), modify(1, SELL, 6, 31), new(3, BUY, 9, 31, 1)],
        [(30, 4, 1, 2), (31, 6, 1, 3)],
    ),
    "a modify leaves its neighbour in place": (
        [new(1, BUY, 5, 50), new(2, BUY, 5, 50), modify(1, BUY, 5, 49), new(3, SELL, 5, 50, 1)],
        [(50, 5, 2, 3)],
    ),
    "a modified order goes to the back, even of its own queue": (
        [new(1, BUY, 5, 50), new(2, BUY, 5, 50), modify(1, BUY, 5, 50), new(3, SELL, 5, 50, 1)],
        [(50, 5, 2, 3)],
    ),
    "a partly filled order keeps its place": (
        [new(i, BUY, 10, 50) for i in (1, 2, 3)] + [new(8, SELL, 14, 50, 1), new(9, SELL, 7, 50, 1)],
        [(50, 10, 1, 8), (50, 4, 2, 8), (50, 6, 2, 9), (50, 1, 3, 9)],
    ),
    "what is left of a taker becomes the touch": (
        [new(1, SELL, 2, 10), new(2, SELL, 2, 11), new(3, BUY, 6, 11), new(4, SELL, 2, 11, 1)],
        [(10, 2, 1, 3), (11, 2, 2, 3), (11, 2, 3, 4)],
    ),
    "what is left of an immediate order does not rest": (
        [new(1, SELL, 4, 10), new(2, BUY, 9, 10, 1), new(3, SELL, 5, 10, 1)],
        [(10, 4, 1, 2)],
    ),
    "a taker that is done leaves the next order alone": (
        [new(1, SELL, 5, 10), new(2, SELL, 5, 10), new(3, BUY, 5, 10, 1), new(4, BUY, 5, 10, 1)],
        [(10, 5, 1, 3), (10, 5, 2, 4)],
    ),
    "an emptied level can be used again": (
        [new(1, SELL, 5, 10), new(2, BUY, 5, 10, 1), new(3, SELL, 2, 10), new(4, BUY, 2, 10, 1)],
        [(10, 5, 1, 2), (10, 2, 3, 4)],
    ),
    "after the best bid is cancelled the next is the best": (
        [new(1, BUY, 5, 50), new(2, BUY, 3, 48), cancel(1), new(3, SELL, 3, 48, 1)],
        [(48, 3, 2, 3)],
    ),
    "after the best ask is cancelled the next is the best": (
        [new(1, SELL, 5, 50), new(2, SELL, 3, 52), cancel(1), new(3, BUY, 3, 52, 1)],
        [(52, 3, 2, 3)],
    ),
    "a side that was cleared can be filled again": (
        [new(1, BUY, 5, 50), new(2, BUY, 5, 51), cancel(2), cancel(1), new(3, BUY, 4, 20), new(4, SELL, 4, 20, 1)],
        [(20, 4, 3, 4)],
    ),
    "the number of a cancelled order is free": (
        [new(1, BUY, 5, 50), cancel(1), new(1, SELL, 5, 90), new(2, BUY, 5, 90, 1)],
        [(90, 5, 1, 2)],
    ),
    "the number of a filled order is free": (
        [new(1, BUY, 5, 50), new(2, SELL, 5, 50), new(1, SELL, 5, 90), new(3, BUY, 5, 90, 1)],
        [(50, 5, 1, 2), (90, 5, 1, 3)],
    ),
    "five thousand orders in one sweep": (
        [new(i, SELL, 1, 10) for i in range(1, 5_001)] + [new(9_000, BUY, 5_000, 10, 1)],
        [(10, 1, i, 9_000) for i in range(1, 5_001)],
    ),
}


@pytest.mark.parametrize("name", list(INVARIANTS))
def test_invariant_holds(name):
    rows, trades = INVARIANTS[name]
    messages = to_messages(records_of(rows))
    tape = drive(messages, keep=True).tape
    made = tape.take(tape.kind == TapeKind.TRADE)
    columns = (made.price, made.quantity, made.counter, made.order)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == trades
    assert list(report_lines(tape, messages)) == ReportBook().run(records_of(rows))


@pytest.mark.parametrize(
    ("rows", "last"),
    [
        ([new(1, SELL, 5, 50), new(2, BUY, 5, 50), cancel(1)], ["4,2,1"]),
        ([new(1, SELL, 5, 50), new(2, BUY, 5, 50), modify(1, SELL, 6, 51)], ["5,2,1"]),
        ([new(1, SELL, 5, 50), new(2, BUY, 3, 50), cancel(1)], ["2,2,1,1,50"]),
        ([new(1, BUY, 5, 50), cancel(1), cancel(1), modify(1, BUY, 5, 51)], ["4,2,1", "5,3,1"]),
        ([cancel(999), modify(999, BUY, 5, 50)], ["4,0,999", "5,1,999"]),
        ([new(1, SELL, 5, 200_000), cancel(2_000_000)], ["4,1,2000000"]),
        ([new(1, BUY, 9, 50, 1)], ["0,0,0,1,50,9", "2,0,0,1,50"]),
    ],
)
def test_report_of_what_comes_too_late(rows, last):
    assert lines_of(records_of(rows))[-len(last) :] == last


def test_best_prices_and_queues_follow_every_message():
    records = flow(3_000, 4)
    messages = to_messages(records)
    engine, plain = new_engine(messages), ReportBook()
    for i in range(len(messages)):
        engine.process(messages.take(slice(i, i + 1)))
        row = records[i : i + 1]
        plain.run(row)
        for side, levels in zip(Side, plain.levels, strict=True):
            prices = sorted((p for p, queue in levels.items() if queue), reverse=side == Side.BUY)
            expected = [(order, price, left) for price in prices for order, left in levels[price].items()]
            assert list(zip(*(c.tolist() for c in engine.queue(0, side)), strict=True)) == expected
        quotes = engine.quotes()
        assert (quotes.bid[0], quotes.ask[0]) == (plain.best(0) or 0, plain.best(1) or 0)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [("quantity", 0, Reason.LOT), ("quantity", -5, Reason.LOT), ("price", 10**6, Reason.PRICE_LIMIT)],
)
@pytest.mark.parametrize("kind", [MessageKind.NEW_LIMIT, MessageKind.NEW_IOC, MessageKind.REPLACE])
def test_impossible_order_is_refused_and_changes_nothing(kind, column, value, reason):
    engine = new_engine(to_messages(records_of([new(9, BUY, 5, 50), new(9, BUY, 5, 60)])))
    values = {"time": 0, "kind": 0, "instrument": 0, "side": 1, "price": 50, "quantity": 5, "order": 1}

    def send(**changes):
        return engine.process(Messages(*(np.array([v], np.int64) for v in (values | changes).values())))

    send()
    before = [c.tolist() for c in engine.queue(0, 1)]
    tape = send(**{"kind": kind, "order": 1 if kind == MessageKind.REPLACE else 2, column: value})
    assert tape.kind.tolist() == [TapeKind.REJECTED]
    assert tape.counter.tolist() == [-1 - reason]
    assert [c.tolist() for c in engine.queue(0, 1)] == before
    tape = send(order=1)
    assert tape.kind.tolist() == [TapeKind.REJECTED], "the number of a resting order is taken"
    assert [c.tolist() for c in engine.queue(0, 1)] == before
    engine.check()


def test_refused_new_order_has_no_report():
    messages = to_messages(records_of([new(1, BUY, 0, 50)]))
    with pytest.raises(DataError, match="has no report"):
        list(report_lines(drive(messages, keep=True).tape, messages))


def write(path, records, *, magic=0x4D4542575F303031, version=1, count=None):
    header = np.array([(magic, version, len(records) if count is None else count)], report_stream.HEADER)
    path.write_bytes(header.tobytes() + records.tobytes())
    return path


def test_dump_is_read_as_written(tmp_path):
    records = flow(500, 5)
    assert read_dump(write(tmp_path / "a.bin", records)).tobytes() == records.tobytes()


@pytest.mark.parametrize("damage", [{"magic": 1}, {"version": 2}, {"count": 501}])
def test_dump_that_is_damaged_is_refused(tmp_path, damage):
    with pytest.raises(DataError, match="generator"):
        read_dump(write(tmp_path / "a.bin", flow(500, 5), **damage))


def test_command_compares_with_the_published_digest(tmp_path, capsys, monkeypatch):
    records = flow(2_000, 6)
    found = hashlib.sha256("\n".join(ReportBook().run(records)).encode()).hexdigest()
    monkeypatch.setitem(report_stream.PUBLISHED, "good", found)
    assert report_stream.main([str(write(tmp_path / "good.bin", records))]) == 0
    assert report_stream.main([str(write(tmp_path / "normal.bin", records))]) == 1
    assert "DIFFERS" in capsys.readouterr().out
