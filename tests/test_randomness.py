from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from twin.errors import ScenarioError
from twin.kernels import philox
from twin.randomness import Stream, Streams

ALL = 0xFFFFFFFF
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ALL, ALL, ALL, ALL), (ALL, ALL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def philox_reference(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in unbounded integers, from the paper."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & ALL, (p0 >> 32) ^ c[3] ^ k[1], p0 & ALL]
        k = [(k[0] + 0x9E3779B9) & ALL, (k[1] + 0xBB67AE85) & ALL]
    return c


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_equals_known_answers(counter: tuple[int, ...], key: tuple[int, ...], words: tuple[int, ...]) -> None:
    got = philox.philox4x32(*(np.uint64(x) for x in (*counter, *key)))
    assert tuple(int(x) for x in got) == words
    assert tuple(philox_reference(list(counter), list(key))) == words


def test_block_puts_seed_entity_and_stream_into_their_words() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        seed, entity = int(rng.integers(0, 2**64, dtype=np.uint64)), int(rng.integers(0, 2**62))
        replication, stream, counter = (int(rng.integers(0, 2**16)) for _ in range(3))
        got = philox.block(np.uint64(seed), replication, stream, entity, counter)
        words = [counter, entity & ALL, entity >> 32, stream << 16 | replication]
        assert [int(x) for x in got] == philox_reference(words, [seed & ALL, seed >> 32])


def test_numpy_side_equals_kernel_side() -> None:
    streams = Streams(2**63 + 11, 7)
    ids = np.array([[0, 1, 2], [2**40, 5, 2**31]])
    column = streams.uniform(Stream.CORE, ids, 3)
    one_by_one = [philox.uniform(streams.key, 7, int(Stream.CORE), int(i), 3) for i in ids.ravel()]
    assert column.ravel().tolist() == one_by_one
    assert streams.exponential(Stream.CORE, 5, 3) == -np.log(streams.uniform(Stream.CORE, 5, 3))


def test_uniform_draws_are_uniform_in_entity_counter_and_stream() -> None:
    streams = Streams(20)
    by_entity = streams.uniform(Stream.TEST, np.arange(20_000))
    by_counter = np.array([streams.uniform(Stream.TEST, 1, k) for k in range(4_000)])
    by_stream = np.array([philox.uniform(streams.key, 0, k, 1, 0) for k in range(4_000)])
    for sample in (by_entity, by_counter, by_stream):
        assert stats.kstest(sample, "uniform").pvalue > 0.001
        assert 0 < sample.min() < sample.max() < 1


@pytest.mark.parametrize("name", ["stream", "replication", "seed", "next entity", "next counter"])
def test_draws_are_independent_of_the_neighbours(name: str) -> None:
    ids = np.arange(20_000)
    first = Streams(1).uniform(Stream.TEST, ids)
    other = {
        "stream": Streams(1).uniform(Stream.CORE, ids),
        "replication": Streams(1, 1).uniform(Stream.TEST, ids),
        "seed": Streams(2).uniform(Stream.TEST, ids),
        "next entity": Streams(1).uniform(Stream.TEST, ids + 1),
        "next counter": Streams(1).uniform(Stream.TEST, ids, 1),
    }[name]
    assert stats.pearsonr(first, other).pvalue > 0.001
    cells, _, _ = np.histogram2d(first, other, 10)
    assert stats.chisquare(cells.ravel()).pvalue > 0.001


def test_normal_and_exponential_have_their_laws() -> None:
    streams = Streams(4)
    ids = np.arange(20_000)
    assert stats.kstest(streams.normal(Stream.TEST, ids), "norm").pvalue > 0.001
    assert stats.kstest(streams.exponential(Stream.TEST, ids), "expon").pvalue > 0.001
    pairs = np.array([philox.normal(streams.key, 0, 9, int(i), 0) for i in ids[:4_000]])
    assert stats.kstest(pairs, "norm").pvalue > 0.001


@pytest.mark.parametrize(("seed", "replication"), [(-1, 0), (2**64, 0), (0, -1), (0, 1 << 16)])
def test_streams_refuse_numbers_out_of_range(seed: int, replication: int) -> None:
    with pytest.raises(ScenarioError, match="out of range"):
        Streams(seed, replication)
