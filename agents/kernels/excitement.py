"""Likelihood of self-exciting arrivals in business time (Hawkes 1971; recursion of Ogata 1978)."""

from __future__ import annotations

import math

from twin.kernels import kernel


@kernel
def log_likelihood(times, end, branching, fast_share, fast_decay, slow_decay):
    """Log likelihood of arrivals in (0, end) of mean rate 1.

    The intensity is 1 - n plus two parts that jump at each arrival by n x share x decay and decay exponentially; both
    begin at their stationary means, as in `agents.kernels.flow`.

    Args:
        times: float64, increasing.
    """
    a, b = branching * fast_share, branching * (1.0 - fast_share)
    fast, slow, last, total = a, b, 0.0, 0.0
    held = (1.0 - branching) * end
    held += a / fast_decay * (1.0 - math.exp(-fast_decay * end)) + b / slow_decay * (1.0 - math.exp(-slow_decay * end))
    for i in range(times.shape[0]):
        gap = times[i] - last
        last = times[i]
        fast *= math.exp(-fast_decay * gap)
        slow *= math.exp(-slow_decay * gap)
        total += math.log(1.0 - branching + fast + slow)
        fast += a * fast_decay
        slow += b * slow_decay
        held += a * (1.0 - math.exp(-fast_decay * (end - last))) + b * (1.0 - math.exp(-slow_decay * (end - last)))
    return total - held
