"""Batches: the rule by which cases are collected is found, simulated and found again; none where there is none."""

import discovery_cases as office
import numpy as np
import pytest

from twin.process.discovery import Options, columns_of, discover, simulate, simulate_like
from twin.process.discovery.batching import batches_of, fit_batching
from twin.process.discovery.columns import concurrency, enabling
from twin.randomness import Streams

MINUTE = office.HOUR // 60
HALF_PAST_THREE = [day * 1440 + 15 * 60 + 30 for day in range(7)]


def shop(rule, *, cases=1200, seed=0, gap=20.0):
    """Rows of a shop that never closes: take, then ship (in batches by `rule`), then bill."""
    rng = np.random.default_rng(seed)
    arrival = office.MONDAY + (np.cumsum(rng.exponential(gap, cases)) * MINUTE).astype(np.int64)
    taken = arrival + (rng.uniform(2, 8, cases) * MINUTE).astype(np.int64)
    free = {name: office.MONDAY for name in ("ann", "bob")}
    rows, groups = [], []
    for case in np.argsort(taken, kind="stable").tolist():
        rows.append((f"c{case:05d}", "take", f"t{case % 4}", int(arrival[case]), int(taken[case])))
        groups = rule(groups, int(taken[case]), case)
    for fire, members in groups:
        person = min(free, key=lambda name: free[name])
        start = max(fire, free[person])
        end = start + int(rng.uniform(5, 15) * MINUTE)
        free[person] = end
        for case in members:
            rows.append((f"c{case:05d}", "ship", person, start, end))
            at = end + int(rng.integers(1, 60)) * MINUTE
            rows.append((f"c{case:05d}", "bill", f"t{case % 4}", at, at + 3 * MINUTE))
    return office.log_of(rows)


def by_size(groups, at, case):
    if groups and len(groups[-1][1]) < 5:
        return [*groups[:-1], (at, [*groups[-1][1], case])]
    return [*groups, (at, [case])]


def by_wait(groups, at, case):
    if groups and at <= groups[-1][0]:
        return [*groups[:-1], (groups[-1][0], [*groups[-1][1], case])]
    return [*groups, (at + 90 * MINUTE, [case])]


def by_either(groups, at, case):
    if groups and len(groups[-1][1]) < 5 and at <= groups[-1][0]:
        members = [*groups[-1][1], case]
        return [*groups[:-1], (at if len(members) == 5 else groups[-1][0], members)]
    return [*groups, (at + 90 * MINUTE, [case])]


def by_clock(groups, at, case):
    fire = (at - 930 * MINUTE) // office.DAY * office.DAY + office.DAY + 930 * MINUTE
    if groups and groups[-1][0] == fire:
        return [*groups[:-1], (fire, [*groups[-1][1], case])]
    return [*groups, (fire, [case])]


RULES = {"size": by_size, "wait": by_wait, "size or wait": by_either, "clock": by_clock}


def found_in(log):
    columns = columns_of(log)
    return fit_batching(columns, *enabling(columns, concurrency(columns)))


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_found_and_simulated(rule):
    log = shop(RULES[rule], cases=3000 if rule == "clock" else 1200)
    process = discover(log, options=Options(structure="workforce", compare=False))
    (batch,) = process.workforce.batching
    assert (batch.activity, batch.rule, batch.together) == ("ship", rule, True)
    assert batch.explained > 0.75
    if "size" in rule:
        assert batch.size == 5
    if "wait" in rule:
        assert batch.wait_seconds == pytest.approx(5400, abs=60)
    if rule == "clock":
        assert batch.week_minutes == HALF_PAST_THREE
    again = simulate(process, start=office.MONDAY, cases=1500, streams=Streams(2))
    (twin,) = found_in(again)
    assert twin.rule == rule
    assert twin.mean_size == pytest.approx(batch.mean_size, rel=0.1)
    observed, simulated = (_waits(part) for part in (log, again))
    assert simulated.mean() == pytest.approx(observed.mean(), rel=0.12)


def _waits(log):
    columns = columns_of(log)
    ready, _ = enabling(columns, concurrency(columns))
    rows = columns.activity == columns.activities.index("ship")
    return (columns.start - ready)[rows] / MINUTE


@pytest.mark.parametrize("seed", range(6))
def test_no_batches_are_found_where_each_is_begun_alone(seed):
    assert found_in(office.log_of(office.office(weeks=6, seed=seed))) == []
    minutes = [(*row[:3], *(t // MINUTE * MINUTE for t in row[3:5])) for row in office.office(weeks=6, seed=seed)]
    assert found_in(office.log_of(minutes)) == []


@pytest.mark.parametrize("seed", range(3))
def test_batches_without_a_rule_are_reported_but_not_simulated(seed):
    rng = np.random.default_rng(seed)
    target = 0

    def at_random(groups, at, case):
        nonlocal target
        if groups and len(groups[-1][1]) < target:
            return [*groups[:-1], (at, [*groups[-1][1], case])]
        target = int(rng.integers(1, 12))
        return [*groups, (at, [case])]

    (batch,) = found_in(shop(at_random, seed=seed))
    assert batch.rule == "none"


def test_every_case_ends_though_the_last_batch_is_not_full():
    process = discover(shop(by_size), options=Options(structure="workforce", compare=False))
    done = simulate_like(process, start=office.MONDAY, cases=203, streams=Streams(3), window=False)
    last = np.append(done.case[1:] != done.case[:-1], True)
    assert last.sum() == 203
    assert (done.activity[last] == process.activities.index("bill")).all()
    log = columns_of(simulate(process, start=office.MONDAY, cases=203, streams=Streams(3)))
    label = batches_of(log)[log.activity == log.activities.index("ship")]
    assert np.unique(label, return_counts=True)[1].max() == 5
