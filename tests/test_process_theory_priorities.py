"""Priorities without pre-emption against Cobham (1954): the mean wait of every class, one server and several.

False alarms: 1e-5 per comparison. Found with probability 0.99: 5 to 20% of a class's mean wait; classes that are mixed
up and first come, first served instead of priorities are shown to fail.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from theory import DisagreementError, agree, each, erlang_c, replicate

from twin.process.loader import parse_process
from twin.process.model import ProcessModel


def classes(servers: int, shares: Sequence[float], services: Sequence[str], order: Sequence[int]) -> ProcessModel:
    """One pool, one task per class."""
    lines = ["name: classes", "start: sort", f"pools: {{p: {{staff: {servers}}}}}", "nodes:", "  done: {kind: end}"]
    ways = ", ".join(f"{{to: c{i}, probability: {share}}}" for i, share in enumerate(shares))
    lines.append(f"  sort: {{kind: choice, next: [{ways}]}}")
    for i, (service, rank) in enumerate(zip(services, order, strict=True)):
        lines.append(f"  c{i}: {{kind: task, pool: p, service: {service}, priority: {rank}, next: done}}")
    return parse_process("\n".join(lines))


def cobham(rates: Sequence[float], means: Sequence[float], seconds: Sequence[float]) -> list[float]:
    """Mean wait of each class of M/G/1, the most urgent first; `seconds` are second moments of service."""
    rest = sum(r * s for r, s in zip(rates, seconds, strict=True)) / 2
    waits, load = [], 0.0
    for rate, mean in zip(rates, means, strict=True):
        more = load + rate * mean
        waits.append(rest / (1 - load) / (1 - more))
        load = more
    return waits


SERVICES = [
    "1 s",
    "{distribution: exponential, mean: 2 s}",
    "{distribution: uniform, low: 0 s, high: 3 s}",
    "{distribution: gamma, mean: 1 s, cv: 2}",
]
SHARES, MEANS, SECONDS = (0.2, 0.2, 0.3, 0.3), (1.0, 2.0, 1.5, 1.0), (1.0, 8.0, 3.0, 5.0)
RATE = 0.6


def test_four_classes_of_different_service_at_one_server():
    waits = cobham([RATE * s for s in SHARES], MEANS, SECONDS)
    runs = replicate(classes(1, SHARES, SERVICES, (0, 1, 2, 3)), RATE, customers=60_000, warm_up_s=2000)
    for i, (wait, defect) in enumerate(zip(waits, (0.06, 0.08, 0.12, 0.25), strict=True)):
        agree(each(runs, lambda s, i=i: s.nodes[f"c{i}"].mean_wait_s), wait, defect)


def test_three_classes_at_several_servers():
    # Equal exponential service: the wait of all without priorities, C / (c mu), spread as Cobham spreads it.
    servers, load, shares = 5, 4.0, (0.3, 0.3, 0.4)
    exponential = "{distribution: exponential, mean: 1 s}"
    runs = replicate(classes(servers, shares, [exponential] * 3, (0, 1, 2)), load, customers=60_000)
    before = 0.0
    for i, (share, defect) in enumerate(zip(shares, (0.05, 0.07, 0.2), strict=True)):
        after = before + share * load / servers
        wait = erlang_c(servers, load) / servers / (1 - before) / (1 - after)
        agree(each(runs, lambda s, i=i: s.nodes[f"c{i}"].mean_wait_s), wait, defect)
        before = after


@pytest.mark.parametrize("order", [(0, 1, 3, 2), (0, 0, 0, 0), (3, 2, 1, 0)])
def test_classes_mixed_up_or_without_priority_are_found(order):
    waits = cobham([RATE * s for s in SHARES], MEANS, SECONDS)
    runs = replicate(classes(1, SHARES, SERVICES, order), RATE, customers=20_000, warm_up_s=2000)
    wrong = 0
    for i, wait in enumerate(waits):
        try:
            agree(each(runs, lambda s, i=i: s.nodes[f"c{i}"].mean_wait_s), wait, 10.0)
        except DisagreementError:
            wrong += 1
    assert wrong >= 2


def test_priorities_conserve_work():
    # Kleinrock's conservation law: with service of one law the mean wait of all classes together does not change.
    exponential = "{distribution: exponential, mean: 1 s}"

    def overall(order: Sequence[int]) -> np.ndarray:
        runs = replicate(classes(2, (0.5, 0.5), [exponential] * 2, order), 1.5, customers=20_000)
        waits = each(runs, lambda s: sum(n.wait_served for n in s.nodes.values()))
        return np.asarray(waits) / each(runs, lambda s: sum(n.starts for n in s.nodes.values()))

    agree(overall((0, 1)) / overall((0, 0)), 1.0, 0.02)
