"""Draws durations from tables of quantiles, and counts durations in log-linear histograms."""

from __future__ import annotations

import math

import numpy as np

from twin.kernels import inlined, njit
from twin.kernels.philox import unit32
from twin.kernels.timers import INDEX

# Kinds of distribution.
CONSTANT, EXPONENTIAL, UNIFORM, TABLE = 0, 1, 2, 3
LONGEST = 1e18
"""Longest duration that can be drawn, in ns (31 years)."""
SUB_BINS = 32
HISTOGRAM_BINS = 64 * SUB_BINS
"""Log-linear histogram of ns: 32 bins per octave, so a percentile is known to 3%."""
OCTAVE_CELLS = 64
TABLE_HALF = 32 * OCTAVE_CELLS + 1
_WORDS = 4294967295
_FIRST_BITS = (1023 + 5 - 1) * SUB_BINS
_MANTISSA = (1 << 52) - 1
_ROOT_HALF = int(np.float64(math.sqrt(0.5)).view(np.int64))
_LN_2 = math.log(2.0)
_CELL = OCTAVE_CELLS / (1 << 52)


@njit(cache=True, _nrt=False, forceinline=True, error_model="numpy")  # a test for division by zero bars vectors
def minus_log(x):
    """-ln(x) of a double with 0 < x < 1, to some 1e-16 relative: the same bits on every machine, and in vectors.

    x = 2**k * m with m within sqrt(2) of 1, and ln(m) = 2 artanh(s), s = (m - 1) / (m + 1), as a series to s**19.
    """
    bits = np.float64(x).view(np.int64)
    k = (bits - _ROOT_HALF) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    low = (1 / 3 + z * (1 / 5)) + z2 * (1 / 7 + z * (1 / 9))
    high = (1 / 11 + z * (1 / 13)) + z2 * (1 / 15 + z * (1 / 17))
    series = low + z4 * (high + z4 * (1 / 19))
    twice = 2.0 * s
    return -(k * _LN_2) - (twice + twice * (z * series))


@inlined
def bin_of(t):
    """Bin of a duration in ns (int64, not negative): exact below 32 ns, then 32 bins per octave."""
    # The bits of a double are its exponent and then its mantissa, of which the first five count here.
    bits = np.float64(t).view(np.int64)
    return (t if t < SUB_BINS else (bits >> 47) - _FIRST_BITS) & (HISTOGRAM_BINS - 1)


@inlined
def sample(d, dist_kind, dist_parameter, dist_table, word):
    """Draw a duration in ns (int64) from one 32-bit word (int64).

    Args:
        d: row of the distribution.
        dist_kind: int64: CONSTANT (its first parameter), EXPONENTIAL (mean), UNIFORM (from, width) or TABLE.
        dist_parameter: float64[d, 2], ns.
        dist_table: float64[d, 2 * TABLE_HALF], quantiles in ns on a grid that halves its step towards both ends: the
            lower half for words below 2**31, the upper half, mirrored, for the rest; linear in between.
    """
    d &= INDEX
    kind = dist_kind[d]
    first = dist_parameter[d, 0]
    if kind == EXPONENTIAL:
        x = first * minus_log(unit32(word))
    elif kind == CONSTANT:
        x = first
    elif kind == UNIFORM:
        x = first + dist_parameter[d, 1] * unit32(word)
    else:
        start = 0
        tail = word
        if word > (_WORDS >> 1):
            start = TABLE_HALF
            tail = _WORDS - word
        # Octave and position in it are the exponent and the mantissa of the double.
        bits = np.float64(np.float64(tail) + 0.5).view(np.int64)
        position = np.float64(bits & _MANTISSA) * _CELL
        cell = np.int64(position)
        i = (start + ((bits >> 52) - 1022) * OCTAVE_CELLS + cell) & INDEX
        x = dist_table[d, i] + (position - cell) * (dist_table[d, i + 1] - dist_table[d, i])
    return np.int64(min(x, LONGEST) + 0.5)
