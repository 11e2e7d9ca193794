"""Teams named as one resource: how much they do at once by the hour, and in which order."""

import heapq

import numpy as np
import pytest
from discovery_cases import DAY, HOUR, MONDAY, log_of, office

from twin.kernels.workforce import SLOT
from twin.process.discovery.capacity import fit_capacity
from twin.process.discovery.columns import columns_of, concurrency, enabling
from twin.process.discovery.pools import _shifts
from twin.process.discovery.priorities import fit_discipline


def desk(rng, capacity, per_hour, days, luck=0.0):
    """Calls of a desk whose capacity is `capacity[half hour of the day]`: arrival, start and end of each.

    A share `luck` of the choices takes any waiting call, the others the first. Calls last 12 minutes on the mean.
    """
    arrival = MONDAY + np.sort(rng.uniform(0, days * DAY, rng.poisson(per_hour * 24 * days))).astype(np.int64)
    start, end = np.zeros(len(arrival), np.int64), np.zeros(len(arrival), np.int64)
    opens = [(MONDAY + i * SLOT, -1) for i in range(1, 48 * days + 500)]
    events = sorted([(int(at), i) for i, at in enumerate(arrival)] + opens)
    heapq.heapify(events)
    waiting, busy = [], 0
    while events:
        now, item = heapq.heappop(events)
        if item <= -2:
            busy -= 1
        elif item >= 0:
            waiting.append(item)
        while waiting and busy < capacity[(now - MONDAY) // SLOT % 48]:
            i = waiting.pop(int(rng.integers(len(waiting))) if rng.random() < luck else 0)
            start[i], end[i] = now, now + int(rng.exponential(0.2 * HOUR)) + 1
            busy += 1
            heapq.heappush(events, (int(end[i]), -2))
    return arrival, start, end


def recorded(arrival, start, end):
    """The log, with a stamp of the client's at the arrival; which work could begin when; the number of the desk."""
    rows = [row for i, times in enumerate(zip(arrival.tolist(), start.tolist(), end.tolist(), strict=True))
            for row in ((i, "call", "client", times[0], times[0]), (i, "answer", "desk", *times[1:]))]  # fmt: skip
    log = columns_of(log_of([(f"{row[0]:06d}", *row[1:]) for row in rows]))
    return log, enabling(log, concurrency(log))[0], log.resources.index("desk")


def capacity_of(log, ready, who):
    limit = np.ones(len(log.resources), np.int64)
    limit[who] = 12
    return fit_capacity(log, ready, limit)


def test_capacity_by_the_clock_is_found():
    shifts = np.full(48, 4)
    shifts[16:36] = 12
    log = recorded(*desk(np.random.default_rng(1), shifts, 42, 5))
    capacity = capacity_of(*log)
    # At night the queue of the evening is worked off, in the morning that of the night: then the desk is full.
    day = capacity[log[2]].reshape(7, 48)
    assert (day[1:5, :14] == 4).all()
    assert (day[1:5, 17:24] == 12).all()


@pytest.mark.parametrize("seed", range(8))
def test_one_capacity_is_not_taken_apart(seed):
    log = recorded(*desk(np.random.default_rng(seed), np.full(48, 8), 38, 3))
    assert not len(capacity_of(*log))


@pytest.mark.parametrize("luck", [0.0, 0.1, 0.5, 1.0])
def test_share_of_choices_that_disregard_the_order_is_found(luck):
    log, ready, _ = recorded(*desk(np.random.default_rng(3), np.full(48, 8), 39, 4, luck))
    loose = fit_discipline(log, ready, np.ones((2, 2), bool)).loose / 1000
    assert loose == 0 if luck <= 0.1 else abs(loose - luck) < 0.1


def test_shifts_of_a_team_add_up_to_its_capacity():
    capacity = np.random.default_rng(2).integers(0, 150, 336)
    found = _shifts("desk", capacity)
    assert sum(most * on for _, most, on in found).tolist() == capacity.tolist()
    assert len({name for name, _, _ in found}) == len(found)
    assert max(most for _, most, _ in found) <= 64


@pytest.mark.parametrize("oldest_first", [False, True])
def test_order_within_one_activity_tells_the_oldest_case_from_the_longest_wait(oldest_first):
    log = columns_of(log_of([row[:5] for row in office(seed=1, oldest_first=oldest_first)]))
    ready, _ = enabling(log, concurrency(log))
    does = np.zeros((len(log.activities), len(log.resources)), bool)
    does[log.activity, log.resource] = True
    found = fit_discipline(log, ready, does)
    assert (found.oldest_case, found.loose) == (oldest_first, 0)
