"""Arrays of the order flow of the rest of the market: places, words and parameters by name.

An order is a node; its handle is base + node. A node is free again when its order has ended and nothing waits for it.
Layout of the state (all arrays C-contiguous):
    place   int64[PLACES]: where a suspended call goes on, free nodes, live orders
    own     int64[n, OWN_WORDS]: orders drawn, heap root, metaorder under way, cancels, digest of the tape, shares that
            others bought (sold: negative) at once since the last order
    clock   float64[n, CLOCK_WORDS]: business time to the next order, the gap it belongs to, two excitations, ns
            reached, two parts of what the market takes the instrument to be worth
    nodes   int64[nodes, 4]: due (patience ns), child | sibling << 32 in the heap or the next on the wheel (node + 1,
            0 = none), number << 2 | flags, spare
    wheel   int32[n, buckets + 1]: first node + 1 of each bucket; at the end how many buckets have begun
    stack   int32[nodes]: free nodes, the first place[FREE] of them
"""

from __future__ import annotations

NODES_FULL, LOG_FULL = 100, 101
ARRIVAL_STREAM, ORDER_STREAM, RUN_STREAM = 20, 21, 26
"""Equal to Stream.BACKGROUND_ARRIVAL, BACKGROUND_ORDER and BACKGROUND_RUN (a test checks it)."""

INSTRUMENT, TICK, OTHER, PENDING, ENTERED, KEPT, FREE, LIVE, LOGGED, PLACES = range(10)
ORDERS, ROOT, RUN_LEFT, RUN_SIGN, RUNS, CANCELS, DIGEST, TRADES, TAKEN, OWN_WORDS = range(10)
TIME, KIND, SIDE, PRICE, QUANTITY, HANDLE = range(6)
DUE_IN, GAP, FAST, SLOW, SINCE, OPINION, IMBALANCE, CLOCK_WORDS = 0, 1, 2, 3, 4, 5, 6, 8
DUE, LINKS, TAG, NODE_WORDS = 0, 1, 2, 4
IS_LIVE, IS_QUEUED = 1, 2
BUCKET = 3_000_000_000
"""Width of a bucket of the wheel in ns of patience time."""
KEEP_OTHERS, KEEP_ALL, KEEP_NUMBERED = 0, 1, 2
"""Which rows of the tape stay: those of others; all; all, with order numbers of the instrument instead of handles."""
MARKETABLE, INSIDE, BEST = 0, 1, 2
LOT, SMALLEST, LARGEST, TELLING, USUAL, PER_DAY, SIZES = 0, 1, 2, 3, 4, 5, 6

(
    WIDE,
    UNIT_SLOPE,
    BEHIND_SCALE,
    BEHIND_EXPONENT,
    THROUGH_SHARE,
    THROUGH_SCALE,
    THROUGH_EXPONENT,
    LOG_VALUE,
    LOG_VALUE_SD,
    SPIKE_SHARE,
    ROUND_SHARE,
    WILLING_SHARE,
    LOG_PATIENCE,
    LOG_PATIENCE_SD,
    RUN_EXPONENT,
    SIGN_LOGIT,
    TILT,
    TILT_PASSIVE,
    INFORMED_FROM,
    INFORMED_SLOPE,
    SELECTIVE,
    BRANCHING,
    FAST_SHARE,
    FAST_DECAY,
    SLOW_DECAY,
    SIGNAL,
    SIGNAL_DECAY,
    INSIDE_POWER,
    TAIL_FROM,
    TAIL_SHARE,
    TAIL_EXPONENT,
    TAIL_END,
    HEED,
    NUMBERS,
) = range(34)
"""Positions of the fitted and assumed numbers in the parameter vector (see agents/background.py)."""
