"""Random draws several at a time, in the processor's vector units; the same bits as `twin.kernels.philox`."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined, kernel
from twin.kernels.durations import minus_log
from twin.kernels.philox import unit52

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint32(0x9E3779B9)
_W1 = np.uint32(0xBB67AE85)
_S16 = np.uint64(16)
_S32 = np.uint64(32)
_ROUNDS = 10


@inlined
def rounds(c0, c1, c2, c3, k0, k1):
    """One block of Philox4x32-10; all uint32, which tells the compiler that products of halves suffice."""
    for _ in range(_ROUNDS):
        p0 = _M0 * np.uint64(c0)
        p1 = _M1 * np.uint64(c2)
        c0 = np.uint32(np.uint32(p1 >> _S32) ^ c1 ^ k0)
        c1 = np.uint32(p1)
        c2 = np.uint32(np.uint32(p0 >> _S32) ^ c3 ^ k1)
        c3 = np.uint32(p0)
        k0 = np.uint32(k0 + _W0)
        k1 = np.uint32(k1 + _W1)
    return c0, c1, c2, c3


@inlined
def tag_of(stream, replication):
    """Last word of the counter."""
    return np.uint32((np.uint64(stream) << _S16) | (np.uint64(replication) & np.uint64(0xFFFF)))


@kernel
def arrival_times(seed, replication, stream, first, start, mean_gap, times):
    """Write the times (ns) of the arrivals of a Poisson process, numbered from `first`, into `times` (int64).

    The gap before arrival n is exponential with mean `mean_gap` (ns, float64), a function of (stream, n), rounded to
    ns; `start` is the time of the arrival before `first`.
    """
    tag = tag_of(stream, replication)
    k0, k1 = np.uint32(seed), np.uint32(np.uint64(seed) >> _S32)
    for i in range(times.shape[0]):
        entity = np.uint64(first + i)
        a, b, _, _ = rounds(np.uint32(0), np.uint32(entity), np.uint32(entity >> _S32), tag, k0, k1)
        times[i] = np.int64(mean_gap * minus_log(unit52(np.uint64(a), np.uint64(b))) + 0.5)
    time = start
    for i in range(times.shape[0]):
        time += times[i]
        times[i] = time
