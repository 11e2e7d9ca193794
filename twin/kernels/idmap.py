"""Hash map from (identifier, tag) to a small integer: open addressing, linear probing, no tombstones.

`keys` is int64, two per slot (identifier, tag); `values` is int32, -1 in a free slot; the number of slots is a power of
two. The caller keeps the load below a half. Removal moves later entries of the cluster back (Knuth, volume 3, 6.4,
algorithm R), so the map never fills up with the dead.
"""

from __future__ import annotations

import numpy as np

from twin.kernels import kernel

_MIX = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(29)


@kernel
def home(identifier, tag, mask):
    """Slot where the search for a key begins."""
    x = np.uint64(identifier) * _MIX + np.uint64(tag) * np.uint64(0xC2B2AE3D27D4EB4F)
    x = (x ^ (x >> _FOLD)) * _MIX
    return np.int64(x >> np.uint64(32)) & mask


@kernel
def find(keys, values, identifier, tag):
    """Value of a key, or -1."""
    mask = values.shape[0] - 1
    i = home(identifier, tag, mask)
    while values[i] >= 0:
        if keys[2 * i] == identifier and keys[2 * i + 1] == tag:
            return np.int64(values[i])
        i = (i + 1) & mask
    return np.int64(-1)


@kernel
def insert(keys, values, identifier, tag, value):
    """Enter a key that is not there; one slot must be free."""
    mask = values.shape[0] - 1
    i = home(identifier, tag, mask)
    while values[i] >= 0:
        i = (i + 1) & mask
    keys[2 * i] = identifier
    keys[2 * i + 1] = tag
    values[i] = value


@kernel
def erase(keys, values, identifier, tag):
    """Remove a key that is there."""
    mask = values.shape[0] - 1
    i = home(identifier, tag, mask)
    while keys[2 * i] != identifier or keys[2 * i + 1] != tag or values[i] < 0:
        i = (i + 1) & mask
    j = i
    while True:
        values[i] = -1
        while True:
            j = (j + 1) & mask
            if values[j] < 0:
                return
            k = home(keys[2 * j], keys[2 * j + 1], mask)
            # The entry at j may move to i unless its home lies cyclically within (i, j].
            if not ((i < k <= j) or (j < i and (k <= j or k > i))):
                break
        keys[2 * i] = keys[2 * j]
        keys[2 * i + 1] = keys[2 * j + 1]
        values[i] = values[j]
        i = j


@kernel
def rehash(keys, values, new_keys, new_values):
    """Copy every entry into a map of another size, whose values are all -1."""
    for i in range(values.shape[0]):
        if values[i] >= 0:
            insert(new_keys, new_values, keys[2 * i], keys[2 * i + 1], values[i])


@kernel
def assign(keys, values, handles, identifiers, tags, enter, free, n_free, ahead, owner):
    """Handles of a column of identifiers: new ones for rows with `enter` 1, those in use for the others (-1: none).

    Free handles come from `free` (a stack of n_free) and then by counting on from `ahead`; `owner[handle]` becomes
    the identifier. Returns the row at which an identifier is entered twice (else -1), the free handles left and the
    next fresh handle.
    """
    for row in range(identifiers.shape[0]):
        h = find(keys, values, identifiers[row], tags[row])
        if enter[row] != 0:
            if h >= 0:
                return row, n_free, ahead
            if n_free > 0:
                n_free -= 1
                h = free[n_free]
            else:
                h = ahead
                ahead += 1
            insert(keys, values, identifiers[row], tags[row], h)
            owner[h] = identifiers[row]
        handles[row] = h
    return np.int64(-1), n_free, ahead


@kernel
def release(keys, values, owner, tag, ended, free, n_free):
    """Forget the identifiers of ended handles and give the handles back; returns the number of free handles."""
    for i in range(ended.shape[0]):
        erase(keys, values, owner[ended[i]], tag)
        free[n_free] = ended[i]
        n_free += 1
    return n_free
