"""Parts of the replay against plain references: identifier map, derived flow, comparison of trades, price ladders."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.kernels import feeds, idmap
from twin.matching.replay_compare import TradeComparer
from twin.matching.replay_ladders import Ladders


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("iie"), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2)), max_size=120))
def test_the_identifier_map_is_a_dictionary(steps: list[tuple[str, int, int]]) -> None:
    keys, values = np.zeros(2 * 256, np.int64), np.full(256, -1, np.int32)
    real: dict[tuple[int, int], int] = {}
    for i, (what, identifier, tag) in enumerate(steps):
        if what == "i" and (identifier, tag) not in real:
            idmap.insert(keys, values, identifier, tag, i)
            real[identifier, tag] = i
        elif what == "e" and real:
            key = list(real)[identifier % len(real)]
            idmap.erase(keys, values, *key)
            del real[key]
        assert int((values >= 0).sum()) == len(real)
    for key, value in real.items():
        assert idmap.find(keys, values, *key) == value
    larger_keys, larger = np.zeros(2 * 1024, np.int64), np.full(1024, -1, np.int32)
    idmap.rehash(keys, values, larger_keys, larger)
    assert all(idmap.find(larger_keys, larger, *key) == value for key, value in real.items())


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 15), max_size=200))
def test_clusters_survive_removals(numbers: list[int]) -> None:
    """A map of 32 slots with up to 16 keys: every cluster wraps and shifts."""
    keys, values = np.zeros(2 * 32, np.int64), np.full(32, -1, np.int32)
    real: set[int] = set()
    for number in numbers:
        if number in real:
            idmap.erase(keys, values, number, 0)
            real.discard(number)
        else:
            idmap.insert(keys, values, number, 0, number)
            real.add(number)
        assert all((idmap.find(keys, values, k, 0) == k) == (k in real) for k in range(16))


def test_handles_are_used_again() -> None:
    keys, values = np.zeros(2 * 64, np.int64), np.full(64, -1, np.int32)
    free, owner = np.zeros(32, np.int64), np.full(32, -1, np.int64)
    handles = np.empty(4, np.int64)
    tags = np.zeros(4, np.int64)
    ids, enter = np.array([70, 71, 70, 99]), np.array([1, 1, 0, 0])
    wrong, n_free, ahead = idmap.assign(keys, values, handles, ids, tags, enter, free, 0, 0, owner)
    assert (wrong, n_free, ahead, handles.tolist()) == (-1, 0, 2, [0, 1, 0, -1])
    n_free = idmap.release(keys, values, owner, 0, np.array([0]), free, n_free)
    ids, enter = np.array([72, 71, 73, 71]), np.array([1, 0, 1, 1])
    wrong, n_free, ahead = idmap.assign(keys, values, handles, ids, tags, enter, free, n_free, ahead, owner)
    assert (wrong, n_free, ahead, handles.tolist()[:3]) == (3, 0, 3, [0, 1, 2])
    assert owner[:3].tolist() == [72, 71, 73]


def longest(a: list[int], b: list[int]) -> int:
    """Longest common subsequence by dynamic programming."""
    table = np.zeros((len(a) + 1, len(b) + 1), np.int64)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else max(table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


def rows(values: list[int]) -> np.ndarray:
    return np.array([[v, 1, 2, 3] for v in values], np.int64).reshape(-1, 4)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 1_000), unique=True, max_size=30), st.data())
def test_trades_are_compared_in_sequence(recorded: list[int], data: st.DataObject) -> None:
    made = [x for x in recorded if data.draw(st.integers(0, 4))]
    for _ in range(data.draw(st.integers(0, 3))):
        made.insert(data.draw(st.integers(0, len(made))), data.draw(st.integers(2_000, 2_010)))
    comparer = TradeComparer()
    cut = data.draw(st.integers(0, len(recorded)))
    comparer.add_recorded(rows(recorded[:cut]))
    comparer.add_made(rows(made[: cut // 2]))
    comparer.settle()
    comparer.add_recorded(rows(recorded[cut:]))
    comparer.add_made(rows(made[cut // 2 :]))
    comparer.settle(final=True)
    if len(set(made)) == len(made):
        assert comparer.matched == longest(recorded, made)
    assert (comparer.recorded, comparer.made) == (len(recorded), len(made))
    assert (comparer.first is None) == (recorded == made)
    if comparer.first is not None:
        place = next((i for i, (x, y) in enumerate(zip(recorded, made, strict=False)) if x != y), None)
        assert comparer.first[0] == (min(len(recorded), len(made)) if place is None else place)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.lists(st.integers(1, 10**7), min_size=1, max_size=20), min_size=1, max_size=4))
def test_ladders_keep_every_price_in_order(parts: list[list[int]]) -> None:
    ladders = Ladders()
    ladders._prices = [np.ones(1, np.int64)]
    seen: set[int] = set()
    for part in parts:
        ladders.extend(0, np.array(part))
        ladders.pack()
        seen |= set(part)
        prices = np.array(sorted(seen))
        levels = ladders.engine_price(0, prices)
        assert (np.diff(levels) > 0).all()
        assert (ladders.recorded_price(0, levels) == prices).all()
        assert ladders.spans[1] == len(ladders.grid) <= 1 << 18


def published(messages: list[tuple[int, int, int, int, list[tuple[int, int, int]]]]) -> list[tuple[int, ...]]:
    """Published rows (kind, side, price, quantity, order, other) of incoming orders with their trades."""
    out = []
    for order, side, price, size, trades in messages:
        for maker, at, quantity in trades:
            kind = feeds.TRADED_BUY if side == 1 else feeds.TRADED_SELL
            buy, sell = (order, maker) if side == 1 else (maker, order)
            out.append((kind, side, at, quantity, buy, sell))
        left = size - sum(quantity for _, _, quantity in trades)
        if left:
            out.append((feeds.NEW, side, price, left, order, 0))
    return out


@settings(derandomize=True, deadline=None)
@given(st.data())
def test_what_was_received_follows_from_what_was_published(data: st.DataObject) -> None:
    messages = []
    for order in range(data.draw(st.integers(0, 12))):
        side = data.draw(st.sampled_from([1, -1]))
        trades = [(-1 - i, 100 + i, data.draw(st.integers(1, 5))) for i in range(data.draw(st.integers(0, 3)))]
        rest = data.draw(st.integers(0 if trades else 1, 3))
        messages.append((order, side, 110, sum(q for _, _, q in trades) + rest, trades))
    columns = np.array(published(messages), np.int64).reshape(-1, 6).T
    kind, side, price, quantity, order, other = (np.ascontiguousarray(column) for column in columns)
    out = np.empty((5, max(1, len(kind))), np.int64)
    count, start, _ = feeds.received(kind, side, price, quantity, order, other, out, -1)
    assert count == len(messages)
    for i, (_, want_side, limit, size, trades) in enumerate(messages):
        rests = size > sum(q for _, _, q in trades)
        bound = limit if rests else trades[-1][1]
        assert out[1:, i].tolist() == [want_side, bound, size, 0 if rests else 1]
    last_rests = not messages or messages[-1][3] > sum(q for _, _, q in messages[-1][4])
    assert (start == len(kind)) == last_rests
