from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.kernels import histogram as kernel
from twin.measures.histogram import BUCKET_START, BUCKET_WIDTH, N_BUCKETS, Histograms

checked = settings(derandomize=True, max_examples=200, deadline=None)
VALUES = st.integers(0, 2**48 - 1) | st.integers(0, 300)


@checked
@given(VALUES)
def test_bucket_holds_its_value(value: int) -> None:
    bucket = kernel.bucket_of(value)
    assert BUCKET_START[bucket] <= value < BUCKET_START[bucket] + BUCKET_WIDTH[bucket]


def test_buckets_tile_the_range_and_are_narrow() -> None:
    assert (BUCKET_START[1:] == BUCKET_START[:-1] + BUCKET_WIDTH[:-1]).all()
    assert BUCKET_START[-1] + BUCKET_WIDTH[-1] == 2**48
    assert (BUCKET_WIDTH[128:] / BUCKET_START[128:] <= 1 / 64).all()
    assert (BUCKET_WIDTH[:128] == 1).all()
    assert kernel.bucket_of(2**50) == N_BUCKETS - 1
    assert kernel.bucket_of(-5) == 0


@checked
@given(st.lists(VALUES, min_size=1, max_size=60), st.sampled_from([0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentile_is_within_one_per_cent_of_numpy(values: list[int], q: float) -> None:
    h = Histograms()
    h.record(np.array(values))
    exact = np.percentile(values, q, method="inverted_cdf")
    assert abs(h.percentile(q)[0] - exact) <= exact / 128


def test_percentile_of_many_values_is_within_one_per_cent_of_numpy() -> None:
    values = np.random.default_rng(1).lognormal(17, 2, 199_987).astype(np.int64)
    h = Histograms()
    h.record(values)
    for q in (0.1, 25, 50, 99, 99.9, 99.99):
        exact = np.percentile(values, q, method="inverted_cdf")
        assert abs(h.percentile(q)[0] / exact - 1) < 0.01
    assert abs(h.mean()[0] / values.mean() - 1) < 0.01
    assert abs(h.share_above(10**8)[0] - (values > 10**8).mean()) < 0.004


def test_rows_are_apart_and_merge_adds() -> None:
    a, b = Histograms(3), Histograms(3)
    a.record(np.array([5, 7, 100]), np.array([0, 0, 2]))
    b.record(np.array([9]), 0)
    a.merge(b)
    assert a.total().tolist() == [3, 0, 1]
    assert a.percentile(50)[0] == 7
    assert np.isnan(a.percentile(50)[1])
    assert np.isnan(a.mean()[1])
    assert a.pooled().percentile(100)[0] == 100
    assert a.grouped(2).total().tolist() == [3, 1]
