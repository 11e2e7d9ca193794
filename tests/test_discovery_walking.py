"""Whole cases and routes: the kernels equal plain Python, to the nanosecond."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import walking_twin as plain
from hypothesis import given
from hypothesis import strategies as st
from walking_twin import EDGE, MINUTE, MONDAY_SHIFT, MS, SLOTS, WEEK, Instance, Luck, Process, Sample

from twin.kernels.workforce import walk_cases
from twin.kernels.workforce_routes import by_weight, continue_routes, draw_routes, residual_work

MONDAY = 2800 * WEEK - MONDAY_SHIFT
QUARTER = 15 * MINUTE
DAY = 96 * QUARTER
GUARD = 16
"""Rows behind each array that must stay as they are."""
UNTOUCHED = -7


def random_samples(rng, size, people, paced):
    """In order of the time of the week; few times of the week, so that many are taken at the same."""
    step, late = int(rng.choice([1, 30, 1440, 10_080])), int(rng.integers(1, 3))
    minutes = rng.integers(0, WEEK // MINUTE // step, size) * step + rng.integers(0, late, size)
    minutes = np.sort(minutes % (WEEK // MINUTE))
    scales = [(QUARTER // MS, 0), (QUARTER // MS, 20), (60_000, 300), (1, 9 * DAY // MS)]
    weighs = rng.random() < 0.5
    return [
        Sample(
            minute,
            unit * int(rng.integers(0, most + 1)),
            int(rng.integers(1, 1001)) if weighs else 1000,
            int(rng.integers(-1, people)),
            int(rng.choice([500, 1000, 2000])) if paced else 1000,
        )
        for minute, (unit, most) in zip(minutes.tolist(), rng.choice(scales, size).tolist(), strict=True)
    ]


def random_chances(rng, k, depth):
    """Chances after random histories, in sixteenths: sums are exact in any order."""
    followers = [*range(k), EDGE]
    endless = rng.random() < 0.3
    known, level = {}, [()]
    while level:
        for history in level:
            weights = rng.dirichlet(np.full(k + 1, 0.7))
            if endless:
                weights = np.append(weights[:k] + 0.01, 0.0)
            known[history] = dict(
                zip(followers, (rng.multinomial(16, weights / weights.sum()) / 16).tolist(), strict=True)
            )
        longer = [(a, *h) for h in level for a in followers if h[:1] != (EDGE,) and rng.random() < 0.6]
        level = longer if len(level[0]) <= depth else []
    return known


def random_hours(rng):
    if rng.random() < 0.3:
        return []
    if rng.random() < 0.2:
        return [1, *rng.integers(0, 2, SLOTS - 1).tolist()]
    opens, whole, days = (int(rng.integers(*span)) for span in ((0, 20), (12, 40), (4, 8)))
    return [int(opens <= i % 48 < opens + whole and i // 48 < days) for i in range(SLOTS)]


def random_process(rng):
    k, people, depth = int(rng.integers(2, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 4))
    kinds, uneven = [*range(k), EDGE], bool(rng.random() < 0.5)

    def samples(sizes, paced=False):
        return random_samples(rng, int(rng.choice(sizes)), people, paced)

    pairs = [(a, b) for a in range(k) for b in range(k) if rng.random() < 0.7]
    cells = [(a, who) for a in range(k) for who in range(people) if rng.random() < 0.7]
    profiles = range(int(rng.integers(0, 3)))
    process = Process(
        chances=random_chances(rng, k, depth),
        depth=depth,
        longest=int(rng.integers(3, 8)),
        factors=[{(a, b): float(rng.choice([0, 0.5, 1, 2])) for a in kinds for b in kinds} for _ in profiles],
        beside={(a, b) for a in range(k) for b in range(k) if rng.random() < 0.4} if rng.random() < 0.6 else set(),
        hours=random_hours(rng),
        lags={(a, b, beside): samples([0, 1, 3, 6, 60]) for a in kinds for b in range(k) for beside in (False, True)},
        pair={pair: int(number) for pair, number in zip(pairs, rng.permutation(len(pairs)), strict=True)},
        same=rng.integers(0, 1001, len(pairs)).tolist(),
        waits=[samples([0, 1, 5]) for _ in pairs],
        services=[samples([0, 1, 6, 20, 60], paced=uneven) for _ in range(k)],
        own={cell: samples([0, 2, 20, 20], paced=uneven) for cell in cells},
    )
    return process, k, people


def random_past(rng, now, k, people, most):
    """Instances of an open case, in quarters of an hour: some end together."""
    size, back = int(rng.integers(0, most + 1)), int(rng.choice([8, 300, 6000]))
    ages = np.sort(rng.integers(0, back, size))[::-1].tolist()
    ends = [now - QUARTER * int(rng.integers(0, age + 1)) if rng.random() < 0.75 else -1 for age in ages]
    activities, who = rng.integers(0, k, size).tolist(), rng.integers(-1, people, size).tolist()
    return [Instance(activities[i], who[i], now - QUARTER * ages[i], ends[i]) for i in range(size)]


def columns(rows, width):
    return np.array(rows, np.int64).reshape(-1, width).T.copy()


def offsets(groups):
    return np.cumsum([0, *map(len, groups)]).astype(np.int64)


def numbered(rng, keys):
    """Numbers of groups in any order: the group of each key, -1 = none, and the groups' keys."""
    order = [keys[i] for i in rng.permutation(len(keys))]
    return {key: number for number, key in enumerate(order)}, order


def trie(chances, k):
    """The histories as a tree, newest activity first."""
    histories = sorted(chances, key=len)
    node = {history: number for number, history in enumerate(histories)}
    child = np.full((len(node), k + 1), -1, np.int64)
    for history in histories[1:]:
        child[node[history[1:]], history[0]] = node[history]
    return child, np.cumsum([list(chances[h].values()) for h in histories], axis=1)


def arrays(rng, process, k, people):
    """The process as the kernels want it."""
    child, chance = trie(process.chances, k)
    codes, kinds = range(k), [*range(k), EDGE]
    concurrent = np.array([[int((a, b) in process.beside) for b in codes] for a in codes])
    factor = np.array(
        [
            [[f[a, b] for b in kinds] for a in kinds]
            for f in process.factors or [dict.fromkeys(((a, b) for a in kinds for b in kinds), 1.0)]
        ]
    )
    lag_of, lags = numbered(rng, list(process.lags))
    own_of, owns = numbered(rng, list(process.own))
    lag_group = np.array([lag_of[a, b, beside] for a in kinds for b in codes for beside in (False, True)])
    own_group = np.array([own_of.get((a, who), -1) for a in codes for who in range(people)])
    pairs = np.array([process.pair.get((a, b), -1) for a in kinds for b in codes])

    def sampled(groups, *names):
        flat = columns([s for group in groups for s in group], 5)
        found = dict(zip(Sample._fields, flat, strict=True))
        if (found["pace"] == 1000).all():
            found["pace"] = np.array([1000])
        return offsets(groups), *(found[name] for name in names)

    return SimpleNamespace(
        k=k,
        people=people,
        routes=(child, chance, process.depth, process.longest),
        factor=factor,
        concurrent=concurrent,
        hours=np.array(process.hours, np.int64),
        lags=(lag_group, *sampled([process.lags[key] for key in lags], "minute", "ms", "keep")),
        pairs=pairs,
        same=np.array(process.same, np.int64),
        services=sampled(process.services, "minute", "ms", "who", "keep", "pace"),
        own=(own_group, *sampled([process.own[key] for key in owns], "minute", "ms", "keep", "pace")),
        waits=sampled(process.waits, "ms", "keep"),
    )


def guarded(size):
    whole = np.full(size + GUARD, UNTOUCHED)
    return whole, whole[:size]


def intact(*pairs):
    return all((whole[len(part) :] == UNTOUCHED).all() for whole, part in pairs)


def walked(key, span, arrival, now, past, t, profile, pace, room):
    """Rows of the kernel; whenever they are full, it is called again with as many more."""
    prefix = offsets(past), *columns([one for case in past for one in case], 4)
    case, written, rows = span[0], 0, columns([], 5)
    while case < span[1]:
        outs = [guarded(written + room) for _ in range(5)]
        for (_, part), old in zip(outs, rows, strict=True):
            part[:written] = old
        before = case
        case, written = walk_cases(
            *key, case, span[1], arrival, now, *prefix, *t.routes, profile, t.factor, t.concurrent, t.hours, pace,
            *t.lags, t.pairs, t.same, *t.services, *t.own, *(np.zeros(t.routes[3] + GUARD, np.int64) for _ in range(4)),
            *(part for _, part in outs), written,
        )  # fmt: skip
        assert case > before, "there was room for a case"
        assert intact(*outs)
        rows = [part[:written] for _, part in outs]
    return list(zip(*(column.tolist() for column in rows), strict=True))


def walked_plainly(process, key, span, arrival, now, past, profile, pace):
    rows = []
    for case in range(*span):
        state = {"past": past[case], "now": now} if case < len(past) else {"arrival": int(arrival[case])}
        speed = pace[case if len(pace) > 1 else 0].tolist()
        by = None if profile[case] < 0 else int(profile[case])
        rows += [(case, *one) for one in plain.walk(process, Luck(*key, case), speed, by, **state)]
    return rows


@pytest.mark.parametrize("seed", range(120))
def test_cases_walk_as_in_plain_python(seed):
    rng = np.random.default_rng(seed)
    process, k, people = random_process(rng)
    t = arrays(rng, process, k, people)
    grid = int(rng.choice([QUARTER, DAY, WEEK]))
    now = MONDAY + grid * int(rng.integers(0, 2 * WEEK // grid))
    past = [random_past(rng, now, k, people, process.longest + 1) for _ in range(int(rng.integers(0, 9)))]
    cases = len(past) + 6
    arrival = (
        now + rng.integers(0, WEEK // grid, cases) * grid + rng.integers(0, rng.choice([1, MINUTE, QUARTER]), cases)
    )
    pace = rng.choice([0.5, 1.0, 1.0, 1.3], (cases if seed % 3 == 0 else 1, k))
    profile = rng.integers(-1, len(process.factors), cases)
    key = np.uint64(seed), int(rng.integers(0, 9))
    span = int(rng.integers(0, 3)), cases - int(rng.integers(0, 3))
    expected = walked_plainly(process, key, span, arrival, now, past, profile, pace)
    room = process.longest + 2 if seed % 2 else 1000
    assert walked(key, span, arrival, now, past, t, profile, pace, room) == expected


@pytest.mark.parametrize("seed", range(60))
def test_new_routes_are_those_of_plain_python(seed):
    rng = np.random.default_rng(seed)
    process, k, people = random_process(rng)
    t = arrays(rng, process, k, people)
    key, stream, first = (
        (np.uint64(seed), int(rng.integers(0, 9))),
        int(rng.integers(60, 80)),
        int(rng.integers(1 << 41)),
    )
    profile = rng.integers(-1, len(process.factors), 20)
    by = [None if p < 0 else p for p in profile.tolist()]
    expected = [plain.route(process, Luck(*key, first + i, stream), by[i]) for i in range(20)]
    ends = offsets(expected)
    whole, activity = guarded(int(rng.integers(1, 20 * process.longest)))
    offset, scratch = np.zeros(21, np.int64), np.zeros(process.longest + GUARD, np.int64)
    fitted = draw_routes(*key, stream, first, 20, *t.routes, profile, t.factor, scratch, offset, activity)
    # A case is begun if the longest one fits.
    assert fitted == next((i for i in range(20) if ends[i] + process.longest > len(activity)), 20)
    assert offset[: fitted + 1].tolist() == ends[: fitted + 1].tolist()
    assert whole[: ends[fitted]].tolist() == [a for one in expected[:fitted] for a in one]
    assert (whole[ends[fitted] :] == UNTOUCHED).all()


def continues_as_in_plain_python(process, t, key, stream, now, past, profile):
    """Whether it does; the kernel is called again with more room whenever its arrays are full."""
    cases, done = len(past), [[one.activity for one in case] for case in past]
    by = [None if p < 0 else p for p in profile.tolist()]
    new = [plain.ahead(process, Luck(*key, c, stream), case, now, by[c]) for c, case in enumerate(past)]
    expected = [before + after for before, after in zip(done, new, strict=True)]
    rows = iter(range(sum(map(len, done))))
    taken = [next(rows) if i < len(done[c]) else -1 for c in range(cases) for i in range(len(expected[c]))]
    p_offset, p_activity, _, _, p_end = offsets(past), *columns([one for case in past for one in case], 4)
    offset, scratch = np.zeros(cases + 1, np.int64), np.zeros(process.longest + GUARD, np.int64)
    w_offset, w_ms, w_keep = t.waits
    waits = t.pairs, w_offset, w_ms, np.concatenate([[0], np.cumsum(w_keep)])
    ends, fitted, room, found = offsets(expected), 0, process.longest, []
    while fitted < cases:
        before, outs = fitted, [guarded(ends[fitted] + room) for _ in range(2)]
        fitted = continue_routes(
            *key, stream, now, fitted, p_offset, p_activity, p_end, *t.routes, profile, t.factor, *waits, scratch,
            offset, *(part for _, part in outs),
        )  # fmt: skip
        full, new = ends[before] + room, slice(ends[before], ends[fitted])
        assert fitted == next((c for c in range(before, cases) if ends[c] + process.longest > full), cases)
        assert all((np.delete(whole, new) == UNTOUCHED).all() for whole, _ in outs)
        found += zip(*(whole[new].tolist() for whole, _ in outs), strict=True)
        room = 3 * process.longest
    assert offset.tolist() == ends.tolist()
    assert found == list(zip((a for one in expected for a in one), taken, strict=True))


@pytest.mark.parametrize("seed", range(120))
def test_open_cases_go_on_as_in_plain_python(seed):
    rng = np.random.default_rng(seed)
    process, k, people = random_process(rng)
    t = arrays(rng, process, k, people)
    now = MONDAY + QUARTER * int(rng.integers(0, 14 * 96))
    past = [random_past(rng, now, k, people, process.longest) for _ in range(12)]
    key, stream = (np.uint64(seed), int(rng.integers(0, 9))), int(rng.integers(60, 80))
    profile = rng.integers(-1, len(process.factors), len(past))
    continues_as_in_plain_python(process, t, key, stream, now, past, profile)


@pytest.mark.parametrize("seed", [12, 20, 56, 4, 9, 23])
def test_the_last_try_counts(seed):
    """What outlasts a silence or an age is rare: a route, a wait or a service is the last try's, or one too late."""
    seldom = [Sample(0, 0), Sample(0, 10 * DAY // MS, 30)]
    process = Process(
        chances={(): {0: 1.0, EDGE: 0.0}},
        depth=1,
        longest=2,
        lags={(a, 0, beside): seldom for a in (0, EDGE) for beside in (False, True)},
        pair={(0, 0): 0},
        same=[0],
        waits=[[Sample(0, 0)] * 39 + [Sample(0, 10 * DAY // MS)]],
        services=[seldom],
        own={(0, 0): []},
    )
    t = arrays(np.random.default_rng(0), process, 1, 1)
    past = [[Instance(0, 0, MONDAY - DAY, -1 if case % 2 else MONDAY - DAY)] for case in range(8)]
    key, span, arrival = (np.uint64(seed), 0), (0, len(past)), np.zeros(len(past), np.int64)
    profile, pace = np.full(len(past), -1), np.ones((1, 1))
    expected = walked_plainly(process, key, span, arrival, MONDAY, past, profile, pace)
    assert walked(key, span, arrival, MONDAY, past, t, profile, pace, 1000) == expected
    continues_as_in_plain_python(process, t, key, 67, MONDAY, past, profile)


@given(
    rows=st.lists(st.lists(st.integers(0, 60), min_size=5, max_size=5).map(sorted), min_size=1, max_size=3),
    age=st.integers(0, 70),
    scale=st.sampled_from([1, 1_000_003]),
    u=st.floats(0.001, 0.999),
)
def test_work_left_is_that_of_plain_python(rows, age, scale, u):
    table = np.array(rows, np.int64) * scale
    for row in range(len(table)):
        assert residual_work(table, row, age * scale, u) == plain.longer(table[row].tolist(), age * scale, u)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(0, 5), st.floats(0.0, 0.9999))
def test_rows_are_drawn_by_their_weights(weights, before, u):
    total = np.cumsum([0, *[1] * before, *weights, 2])
    items = list(range(before, before + len(weights)))
    assert by_weight(total, before, before + len(weights), u) == plain.heavy(items, weights, u)
