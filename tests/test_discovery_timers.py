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


def test_waits_beside_concurrent_work_are_as_long_as_observed():
    """After `a`, `b` and `c` side by side, each after a wait of its own: the later of the two as well."""
    rng = np.random.default_rng(6)
    rows = []
    for case in range(2000):
        at = office.MONDAY + case * HOUR
        rows.append((f"{case:04d}", "a", "x", at, at + HOUR))
        for name, mean in (("b", 3.0), ("c", 2.0)):
            begin = at + HOUR + int(rng.exponential(mean) * HOUR)
            rows.append((f"{case:04d}", name, "x", begin, begin + 4 * HOUR))
    log = office.log_of(sorted(rows, key=lambda row: (row[0], row[3])))
    process = discover(log, options=ALONE)
    assert process.concurrent.any()
    done = simulate_columns(process, start=office.MONDAY, cases=6000, streams=Streams(7))
    first = done.start[done.activity == process.activities.index("a")]
    for name, mean in (("b", 3.0), ("c", 2.0)):
        of = done.activity == process.activities.index(name)
        waited = (done.start[of] - first[done.case[of]]) / HOUR - 1.0
        # Exponential: a standard error of 2% in the log, one of 1% in what is simulated.
        assert abs(waited.mean() / mean - 1.0) < 0.08, name
        assert abs(waited.std() / mean - 1.0) < 0.12, name


def test_work_that_rests_at_night_is_simulated_as_long_as_it_was():
    """Cases come in office hours and wait for nobody; what is begun before the close goes on in the morning."""
    rng = np.random.default_rng(9)
    rows, opens, closes = [], office.OPENS * HOUR, office.CLOSES * HOUR

    def later(at, work):
        """The instant after so much office time, Monday to Friday."""
        while True:
            left = at - at % office.DAY + closes - at
            if work < left:
                return at + work
            work -= left
            at += office.DAY - at % office.DAY + opens
            while (at - office.MONDAY) // office.DAY % 7 >= 5:
                at += office.DAY

    for case in range(1500):
        day = case // 50
        at = office.MONDAY + (day // 5 * 7 + day % 5) * office.DAY + opens + int(rng.uniform(0, closes - opens))
        for name in ("check", "answer"):
            end = later(at, int(rng.gamma(4.0, HOUR / 4)))
            rows.append((f"{case:04d}", name, "x", at, end))
            at = end
    log = office.log_of(sorted(rows, key=lambda row: (row[0], row[3])))
    observed, process = columns_of(log), discover(log, options=ALONE)
    assert process.timing.clock
    done = simulate_columns(process, start=office.MONDAY, cases=3000, streams=Streams(4))
    mine, theirs = ((one.end - one.start).mean() / HOUR for one in (done, observed))
    assert theirs > 2.0
    assert abs(mine / theirs - 1.0) < 0.1
    gaps = (done.start[1:] - done.end[:-1])[done.case[1:] == done.case[:-1]]
    assert gaps.mean() < 0.1 * HOUR
