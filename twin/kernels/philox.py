"""Philox4x32-10: a counter-based random number generator (Salmon, Moraes, Dror, Shaw, SC 2011).

A block of four 32-bit words is a pure function of a 128-bit counter and a 64-bit key. The twin fills them so:

    key      = the seed (64 bits)
    counter  = (draw number, entity low 32 bits, entity high 32 bits, stream << 16 | replication)

Nothing is stored between draws, so a client has the same luck in every scenario and on every worker.
"""

from __future__ import annotations

import math

import numpy as np

from twin.kernels import njit

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_ROUNDS = 10
_TO_UNIT32 = 1.0 / 4294967296.0
_TO_UNIT52 = 1.0 / 4503599627370496.0
_S12 = np.uint64(12)


@njit(cache=True, inline="never")
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Return the four words of one block; arguments and results are uint64 below 2**32."""
    for _ in range(_ROUNDS):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _S32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _S32) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@njit(cache=True)
def block(seed, replication, stream, entity, counter):
    """Return the four 32-bit words (as uint64) of draw `counter` of `entity` in `stream`.

    Args:
        seed: uint64; replication and stream: integers below 2**16; entity: int64, not negative; counter: below 2**32.
    """
    s = np.uint64(seed)
    e = np.uint64(entity)
    tag = (np.uint64(stream) << np.uint64(16)) | (np.uint64(replication) & np.uint64(0xFFFF))
    return philox4x32(np.uint64(counter) & _MASK, e & _MASK, e >> _S32, tag & _MASK, s & _MASK, s >> _S32)


@njit(cache=True)
def unit32(word):
    """Map one 32-bit word to a double strictly between 0 and 1 (32 bits of resolution)."""
    return (np.float64(word) + 0.5) * _TO_UNIT32


@njit(cache=True)
def unit52(high, low):
    """Map two 32-bit words to a double strictly between 0 and 1 (52 bits of resolution)."""
    return (np.float64(((high << _S32) | low) >> _S12) + 0.5) * _TO_UNIT52


@njit(cache=True)
def uniform(seed, replication, stream, entity, counter):
    """One uniform double strictly between 0 and 1 (52 bits of resolution)."""
    a, b, _, _ = block(seed, replication, stream, entity, counter)
    return unit52(a, b)


@njit(cache=True)
def uniform2(seed, replication, stream, entity, counter):
    """Two independent uniform doubles of one block (52 bits of resolution each)."""
    a, b, c, d = block(seed, replication, stream, entity, counter)
    return unit52(a, b), unit52(c, d)


@njit(cache=True)
def exponential(seed, replication, stream, entity, counter):
    """One exponential double of mean 1, by inversion."""
    return -math.log(uniform(seed, replication, stream, entity, counter))


@njit(cache=True)
def normal(seed, replication, stream, entity, counter):
    """One standard normal double (Box and Muller 1958, first of the pair)."""
    u, v = uniform2(seed, replication, stream, entity, counter)
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)


@njit(cache=True)
def fill_uniform(seed, replication, stream, entities, counter, out):
    """Write uniform(entity, counter) of every entity into `out` (float64, same length as `entities`, int64)."""
    for i in range(entities.shape[0]):
        out[i] = uniform(seed, replication, stream, entities[i], counter)
