"""Draws in vectors equal draws one by one; the twin's logarithm is the logarithm."""

from __future__ import annotations

import numpy as np

from twin.kernels import kernel
from twin.kernels.bulk import arrival_times
from twin.kernels.durations import minus_log
from twin.randomness import Stream, Streams


@kernel
def minus_logs(x, out):
    for i in range(x.shape[0]):
        out[i] = minus_log(x[i])


def test_minus_log_is_exact_to_four_units_in_the_last_place():
    u = Streams(1).uniform(Stream.TEST, np.arange(300_000))
    near_one = 1 - 2.0 ** -(1 + 51 * u)
    x = np.concatenate([u, 2.0 ** -(1 + 51 * u), near_one[near_one < 1], [0.5, np.sqrt(0.5), 2.0**-53]])
    out = np.empty_like(x)
    minus_logs(x, out)
    exact = -np.log(x)
    assert np.max(np.abs(out - exact) / np.spacing(exact)) <= 4


def test_arrivals_in_bulk_are_the_exponential_draws_of_their_numbers():
    for first, n in ((0, 1), (3, 7), (1 << 33, 100), (5, 4097)):
        times = np.empty(n, np.int64)
        arrival_times(Streams(7, 3).key, 3, int(Stream.PROCESS_ARRIVAL), first, 1000, 2.5e8, times)
        gaps = Streams(7, 3).exponential(Stream.PROCESS_ARRIVAL, np.arange(first, first + n)) * 2.5e8
        assert np.max(np.abs(np.diff(times, prepend=1000) - gaps)) <= 0.5 + 1e-6
    # Drawn in two pieces they are the same arrivals.
    whole, part = np.empty(1000, np.int64), np.empty(700, np.int64)
    arrival_times(Streams(7).key, 0, 60, 0, 0, 1e9, whole)
    arrival_times(Streams(7).key, 0, 60, 300, int(whole[299]), 1e9, part)
    np.testing.assert_array_equal(part, whole[300:])
