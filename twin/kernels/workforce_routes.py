"""Routes of discovered processes with individuals: of new cases, and of cases under way at an instant."""

from __future__ import annotations

import numpy as np

from twin.kernels import kernel, njit
from twin.kernels.philox import uniform
from twin.kernels.workforce import MS, STEP, TIME, steered_activity
from twin.kernels.workforce_queue import quantile


@kernel
def draw_routes(
    seed, replication, stream, first_case, cases, child, chance, depth, longest, profile, steering, history, offset,
    activity,
):  # fmt: skip
    """Draw the routes of `cases` new cases numbered from `first_case`; return how many fitted into `activity`."""
    k = chance.shape[1] - 1
    for i in range(cases):
        n = 0
        at = offset[i]
        if at + longest > activity.shape[0]:
            return i
        while n < longest:
            u = uniform(seed, replication, stream, first_case + i, n * 64)
            following = steered_activity(child, chance, history, n, k, depth, profile[i], steering, u)
            if following == k:
                break
            history[n] = following
            activity[at + n] = following
            n += 1
        offset[i + 1] = at + n
    return cases


@njit(cache=True)
def by_weight(total, first, stop, u):
    """One of the rows first .. stop - 1; `total[i]` is what the rows before row i weigh. All alike if none has any."""
    weight = total[stop] - total[first]
    if weight <= 0:
        return first + int(u * (stop - first))
    target = total[first] + int(u * weight)
    low = first
    high = stop - 1
    while low < high:
        middle = (low + high) >> 1
        if total[middle + 1] > target:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def continue_routes(
    seed, replication, route_stream, now, first_case, p_offset, p_activity, p_end, child, chance, depth, longest,
    profile, steering, w_group, w_offset, w_ms, w_total, history, offset, activity, taken,
):  # fmt: skip
    """Routes of the cases open at `now`: what they did, and what is still to come; return how many cases fitted.

    A case whose instances have all ended goes on with an activity that would have begun by now only if it did: activity
    and wait since the last end are drawn from the fit until the wait outlasts the silence, or until the case is over.
    """
    k = chance.shape[1] - 1
    cases = p_offset.shape[0] - 1
    for c in range(first_case, cases):
        at = offset[c]
        if at + longest > activity.shape[0]:
            return c
        n = 0
        last = -1
        by = 0
        for row in range(p_offset[c], p_offset[c + 1]):
            history[n] = p_activity[row]
            activity[at + n] = p_activity[row]
            taken[at + n] = row
            if p_end[row] < 0:
                last = now
            elif p_end[row] >= last:
                last = p_end[row]
                by = history[n]
            n += 1
        silent = now - last
        fresh = True
        while n < longest:
            following = k
            for attempt in range(64):
                u = uniform(seed, replication, route_stream, c, n * 64 + attempt)
                following = steered_activity(child, chance, history, n, k, depth, profile[c], steering, u)
                if following == k or not fresh or silent <= 0 or n == 0:
                    break
                group = w_group[by * k + following]
                wait = np.int64(0)
                if group >= 0 and w_offset[group + 1] > w_offset[group]:
                    v = uniform(seed, replication, TIME, c, n * STEP + 3400 + attempt)
                    wait = w_ms[by_weight(w_total, w_offset[group], w_offset[group + 1], v)] * MS
                if wait > silent:
                    break
                following = k if attempt == 63 else following
            if following == k:
                break
            fresh = False
            history[n] = following
            activity[at + n] = following
            taken[at + n] = -1
            n += 1
        offset[c + 1] = at + n
    return cases


@kernel
def residual_work(table, row, age_ms, u):
    """A quantile of the work (ms) at `u` among those longer than `age_ms`; a little more than the age if none is."""
    points = table.shape[1]
    below = 0
    while below < points and table[row, below] <= age_ms:
        below += 1
    if below >= points:
        return age_ms + 1 + int(u * age_ms * 0.5)
    share = 0.0
    if below > 0:
        last = table[row, below - 1]
        share = (below - 1 + (age_ms - last) / (table[row, below] - last)) / (points - 1)
    found = quantile(table, row, share + (1.0 - share) * u)
    return found if found > age_ms else age_ms + 1
