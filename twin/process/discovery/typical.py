"""The most typical of several simulated logs: one log that stands for a process."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from twin.errors import ScenarioError
from twin.measures.log_distances import NAMES, LogProfile, distances
from twin.process.discovery.model import DiscoveredProcess
from twin.process.discovery.select import profile_of
from twin.process.discovery.simulate import simulate_like
from twin.process.discovery.simulated import Simulated
from twin.randomness import Streams

TYPICAL_OF = 15
"""Of so many logs the most typical is taken as a rule: more change little."""


def most_typical(profiles: Sequence[LogProfile]) -> int:
    """The medoid: which log is nearest to all the others, in the mean over the five distances.

    The distances are in different units, so each is divided by its mean over all pairs. The medoid is the sample that
    minimises the summed dissimilarity to the others (L. Kaufman, P. J. Rousseeuw, "Finding Groups in Data", 1990,
    chapter 2); as a forecast it has the least expected distance of all of them, where the process is right.

    Args:
        profiles: of one log or more.

    Raises:
        ScenarioError: there is none.
    """
    if not len(profiles):
        raise ScenarioError("none of no logs is typical", hint="Give one at least.")
    sums = np.zeros((len(profiles), len(NAMES)))
    for one, other in combinations(range(len(profiles)), 2):
        apart = list(distances(profiles[one], profiles[other]).as_dict().values())
        sums[one] += apart
        sums[other] += apart
    total = sums.sum(axis=0)
    known = total > 0
    return int(np.argmin((sums[:, known] / total[known]).sum(axis=1))) if known.any() else 0


def simulate_typical(
    process: DiscoveredProcess, *, start: int, cases: int, seed: int, run: int = 0, of: int = TYPICAL_OF
) -> Simulated:
    """The most typical of several logs that begin at an instant and hold so many cases, as `simulate_like` makes them.

    It is one of the logs that the process gives, changed in nothing. Chance makes it less of an exception than any
    single one may be; what differs from log to log, such as a band, is to be had from single ones only.

    Args:
        process: what was discovered.
        start: ns, first start of the first case.
        cases: number of cases.
        seed: of the simulations.
        run: replications run * of up to run * of + of - 1 are simulated.
        of: how many.

    Raises:
        ScenarioError: `of` is below one.
    """
    if of < 1:
        raise ScenarioError(f"the most typical of {of} logs", hint="Give 1 or more; 15 is usual.")
    streams = (Streams(seed, run * of + i) for i in range(of))
    logs = [simulate_like(process, start=start, cases=cases, streams=luck) for luck in streams]
    held = [log for log in logs if len(log.case)]
    return held[most_typical([profile_of(process, log) for log in held])] if len(held) > 1 else (held or logs)[0]
