"""The workforce kernel: equal to its plain twin, and true to its rules."""

from types import SimpleNamespace

import numpy as np
import pytest
import workforce_twin

from twin.kernels.workforce_queue import DONE, SLOT, SLOTS, run_workforce, work_end

MINUTE_MS = 60_000
MONDAY = 4 * 86_400_000_000_000  # 1970-01-05


def _pace(case, offset):
    """Factors of services; below zero, the work itself."""
    number = case + np.arange(len(case)) - offset[case]
    return np.where(number % 5 == 2, -(workforce_twin.KNOWN_WORK + 0.5), 0.5 + 0.25 * (number % 4))


def model(rng, people=3, k=3, *, pauses, oldest, first_waits, concurrent=False, limit=1, varies=False, loose=0):
    calendar = np.zeros((people, SLOTS), np.int64)
    for p in range(people):
        for day in range(5):
            opens = int(rng.integers(14, 20))
            calendar[p, day * 48 + opens : day * 48 + opens + int(rng.integers(6, 20))] = limit
    if varies:
        calendar *= rng.integers(0, 4, calendar.shape)
    skilled = rng.integers(0, 3, (k, people)) * 300
    skilled[:, 0] = 500
    side = np.zeros((k, k), np.int64)
    if concurrent:
        side[1, 2] = side[2, 1] = 1
    service = np.sort(rng.integers(1, 90, (k * people, 5)), axis=1) * MINUTE_MS
    delay = np.sort(rng.integers(0, 40, (k, 5)), axis=1) * MINUTE_MS
    groups = np.full((k + 1) * k, -1, np.int64)
    groups[: k * k] = np.tile(np.arange(k), k)
    return SimpleNamespace(
        calendar=calendar,
        skilled=skilled,
        pauses=pauses,
        s_group=np.arange(k * people),
        service=service,
        pace=_pace,
        hourly=1.0 + 0.01 * np.arange(24) * np.arange(1, k + 1)[:, None],
        w_group=groups,
        delay=delay,
        same=np.full(k, 400, np.int64),
        concurrent=side,
        priority=rng.integers(0, 2, k),
        oldest_case=oldest,
        loose=loose,
        first_waits=first_waits,
    )


def compiled(m, arrival, routes, seed):
    offset = np.concatenate([[0], np.cumsum([len(r) for r in routes])]).astype(np.int64)
    activity = np.concatenate(routes).astype(np.int64)
    total, people, k = len(activity), len(m.calendar), len(m.skilled)
    case_of = np.repeat(np.arange(len(routes)), np.diff(offset))
    status, ready, start, end = (np.zeros(total, np.int64) for _ in range(4))
    who = np.full(total, -1, np.int64)
    came = (m.calendar > np.roll(m.calendar, 1, axis=1)).any(axis=0).astype(np.int64)
    ended = run_workforce(
        np.uint64(seed), 0, min(arrival), max(arrival) + 10**18, np.array(arrival), np.arange(len(routes)), offset, 0,
        case_of, activity, status, ready, start, end, who, m.calendar, came, m.skilled, np.zeros(k, np.int64),
        np.zeros(people, np.int64), np.zeros(people, np.int64), m.pauses, m.s_group, m.service, m.pace(case_of, offset),
        m.hourly, m.w_group, m.delay,
        m.same, m.concurrent, int(not m.concurrent.any()), m.priority, int(m.oldest_case), m.loose, int(m.first_waits),
        np.zeros(total, np.int64), *(np.zeros(k, np.int64) for _ in range(3)), np.zeros(k + 1, np.int64),
        np.zeros(0, np.int64), np.zeros(k, np.int64), np.full((3, k), -1, np.int64), np.full(total + 1, -1, np.int64),
        np.zeros(total + 1, np.int64),
        *np.full((3, k), -1, np.int64), np.full(total + 1, -1, np.int64),
        *(np.empty(total + people + k + 1, np.int64) for _ in range(3)), np.full(total + people + k + 1, -1, np.int64),
    )  # fmt: skip
    assert ended == total
    assert (status == DONE).all()
    return {
        (int(c), t - int(offset[c])): (int(who[t]), int(start[t]), int(end[t])) for t, c in enumerate(case_of.tolist())
    }


@pytest.mark.parametrize("seed", range(12))
def test_kernel_equals_plain_python(seed):
    rng = np.random.default_rng(seed)
    m = model(
        rng,
        pauses=bool(seed % 2),
        oldest=bool(seed // 2 % 2),
        first_waits=bool(seed // 4 % 2),
        concurrent=seed % 3 == 0,
        limit=1 + seed % 2,
        varies=seed % 5 == 4,
        loose=600 * (seed // 3 % 2),
    )
    arrival = np.sort(MONDAY + rng.integers(0, 3 * 48 * SLOT, 40)).tolist()
    routes = [rng.permutation(3)[: rng.integers(1, 4)] for _ in arrival]
    expected = workforce_twin.run(m, arrival, [r.tolist() for r in routes], np.uint64(seed))
    assert compiled(m, arrival, routes, seed) == expected


def test_work_rests_outside_the_calendar():
    calendar = np.zeros((1, SLOTS), np.int64)
    calendar[0, 18:20] = 1  # Monday 09:00 to 10:00
    calendar[0, 48 + 18 : 48 + 20] = 1
    nine = MONDAY + 18 * SLOT
    assert work_end(calendar, 0, nine, 3 * SLOT, True) == MONDAY + 86_400_000_000_000 + 19 * SLOT
    assert work_end(calendar, 0, nine, 3 * SLOT, False) == nine + 3 * SLOT
    assert work_end(calendar, 0, nine, 2 * SLOT, True) == nine + 2 * SLOT
