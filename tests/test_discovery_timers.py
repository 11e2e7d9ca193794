"""The structure without contention: closed hours stay closed, and routes keep their length beside concurrent work."""

import discovery_cases as office
import numpy as np

from twin.process.discovery import Options, columns_of, discover, simulate_columns
from twin.process.discovery.columns import HOUR, week_time
from twin.randomness import Streams

ALONE = Options(structure="timers", compare=False)


def test_nothing_begins_in_closed_hours():
    """Few samples: the nearest in time of the week are often of another day, before another night."""
    log = office.log_of(office.office(weeks=2, seed=11))
    done = simulate_columns(discover(log, options=ALONE), start=office.MONDAY, cases=1000, streams=Streams(2))
    at = week_time(done.start)
    assert not (at >= 5 * office.DAY).any()
    hour = at % office.DAY // HOUR
    assert ((hour < office.OPENS) | (hour >= office.CLOSES)).mean() < 0.01


def test_routes_keep_their_length_beside_concurrent_work():
    """After `a`, `b` and, in every second case, `c` side by side in either order; then `d`, which may recur."""
    rng = np.random.default_rng(4)
    rows, minute = [], HOUR // 60
    for case in range(400):
        at = office.MONDAY + case * 2 * HOUR
        rows.append((f"{case:04d}", "a", "x", at, at + 10 * minute))
        at += 10 * minute
        for name in "bc" if case % 2 else "b":
            begin = at + int(rng.integers(0, 40)) * minute
            rows.append((f"{case:04d}", name, "x", begin, begin + 60 * minute))
        at += 110 * minute
        while True:
            rows.append((f"{case:04d}", "d", "x", at, at + 10 * minute))
            at += 30 * minute
            if rng.random() > 0.3:
                break
    log = office.log_of(rows)
    process = discover(log, options=ALONE)
    assert process.concurrent.any()
    observed = columns_of(log)
    done = simulate_columns(process, start=office.MONDAY, cases=4000, streams=Streams(3))
    for i, name in enumerate(process.activities):
        mine, theirs = (done.activity == i).sum() / 4000, (observed.activity == i).sum() / 400
        assert abs(mine - theirs) < 0.06, name


def test_waits_that_know_no_clock_last_as_long_as_observed():
    """A reminder goes out 50 hours after the bill, day or night; an office opens again at nine."""
    rng = np.random.default_rng(8)
    rows = []
    for case in range(120):
        at = office.MONDAY + int(rng.integers(0, 21 * 24 * 60)) * HOUR // 60
        due = at + 50 * HOUR + int(rng.integers(0, 10)) * HOUR // 60
        rows += [(f"{case:03d}", "bill", "x", at, at), (f"{case:03d}", "remind", "x", due, due)]
    process = discover(office.log_of(sorted(rows, key=lambda row: row[3])), options=ALONE)
    assert not process.timing.clock
    done = simulate_columns(process, start=office.MONDAY, cases=300, streams=Streams(5))
    lasted = (done.start[1::2] - done.start[::2]) / HOUR
    assert (lasted.min(), lasted.max()) >= (50.0, 50.0)
    assert lasted.max() <= 50.2
    assert discover(office.log_of(office.office(weeks=2, seed=11)), options=ALONE).timing.clock
