"""An indexed binary heap of timers: smallest (time, sequence) first, and any item's timer can be taken out.

Three parallel int64 arrays hold the heap (`times`, `sequences`, `items`); `place[item]` is the item's position, -1 if
it has no timer. An item has at most one timer, so arrays as long as the number of items can never overflow. Functions
return the new size; the caller keeps it.
"""

from __future__ import annotations

from twin.kernels import njit


@njit(cache=True)
def _sift_up(times, sequences, items, place, i, time, sequence, item):
    """Move the hole at `i` up until (time, sequence) fits, and put the item there."""
    while i > 0:
        parent = (i - 1) >> 1
        if times[parent] < time or (times[parent] == time and sequences[parent] < sequence):
            break
        times[i] = times[parent]
        sequences[i] = sequences[parent]
        items[i] = items[parent]
        place[items[i]] = i
        i = parent
    times[i] = time
    sequences[i] = sequence
    items[i] = item
    place[item] = i


@njit(cache=True)
def push(times, sequences, items, place, size, time, sequence, item):
    """Set the timer of an item that has none; all arguments int64 (arrays or scalars)."""
    _sift_up(times, sequences, items, place, size, time, sequence, item)
    return size + 1


@njit(cache=True)
def remove(times, sequences, items, place, size, item):
    """Take an item's timer out, wherever it is; the item must have one."""
    hole = place[item]
    place[item] = -1
    size -= 1
    if hole == size:
        return size
    time = times[size]
    sequence = sequences[size]
    last = items[size]
    # The last timer fills the hole: first let the hole sink along the smaller children, then rise where it fits.
    i = hole
    child = 2 * i + 1
    while child < size:
        right = child + 1
        if right < size and (
            times[right] < times[child] or (times[right] == times[child] and sequences[right] < sequences[child])
        ):
            child = right
        if time < times[child] or (time == times[child] and sequence < sequences[child]):
            break
        times[i] = times[child]
        sequences[i] = sequences[child]
        items[i] = items[child]
        place[items[i]] = i
        i = child
        child = 2 * i + 1
    _sift_up(times, sequences, items, place, i, time, sequence, last)
    return size
