"""The most typical of some simulated logs is the one nearest to the others, and is none but one of them."""

from __future__ import annotations

import discovery_cases as office
import numpy as np
import pytest

from dashboards.cli import app, execute
from twin.errors import ScenarioError
from twin.measures.log_distances import LogProfile, distances
from twin.process.discovery import Options, columns_of, discover, simulate_like, simulate_typical
from twin.process.discovery.select import profile_of
from twin.process.discovery.typical import most_typical
from twin.randomness import Streams

HOUR = office.HOUR
OF = 7


@pytest.fixture(scope="module")
def process():
    log = office.log_of(office.office(weeks=3, seed=5))
    return discover(log, options=Options(structure="timers", compare=False))


def test_typical_log_is_the_medoid_of_the_logs_it_was_chosen_from(process):
    """Against plain loops, with every distance in units of its own mean over the pairs."""
    for run in range(2):
        logs = [
            simulate_like(process, start=office.MONDAY, cases=60, streams=Streams(3, run * OF + i)) for i in range(OF)
        ]
        profiles = [profile_of(process, log) for log in logs]
        table = np.array([[list(distances(a, b).as_dict().values()) for b in profiles] for a in profiles])
        nearest = int(np.argmin((table / table.mean(axis=(0, 1))).sum(axis=(1, 2))))
        found = simulate_typical(process, start=office.MONDAY, cases=60, seed=3, run=run, of=OF)
        assert most_typical(profiles) == nearest
        assert np.array_equal(found.start, logs[nearest].start)
        assert np.array_equal(found.resource, logs[nearest].resource)


def test_typical_log_lies_nearer_to_a_fresh_one_than_a_single_log_does(process):
    """What the choice is for: a log of the same process, seen by nobody, is nearer to typical ones in the mean."""
    fresh = [
        profile_of(process, simulate_like(process, start=office.MONDAY, cases=60, streams=Streams(9, i)))
        for i in range(12)
    ]

    def far(log):
        mine = profile_of(process, log)
        return np.mean([list(distances(other, mine).as_dict().values()) for other in fresh], axis=0)

    arguments = {"start": office.MONDAY, "cases": 60, "seed": 4}
    single = np.mean([far(simulate_typical(process, **arguments, run=r, of=1)) for r in range(12)], axis=0)
    typical = np.mean([far(simulate_typical(process, **arguments, run=r, of=11)) for r in range(12)], axis=0)
    assert (typical / single).mean() < 0.95


def test_one_log_is_its_own_most_typical_one_and_none_is_an_error(process):
    one = simulate_typical(process, start=office.MONDAY, cases=20, seed=2, run=5, of=1)
    assert np.array_equal(one.start, simulate_like(process, start=office.MONDAY, cases=20, streams=Streams(2, 5)).start)
    same = LogProfile(np.zeros(2, int), np.zeros(2, int), ["a"], np.array([0, HOUR]), np.array([HOUR, 2 * HOUR]))
    assert most_typical([same, same, same]) == 0
    with pytest.raises(ScenarioError, match="most typical of 0 logs"):
        simulate_typical(process, start=office.MONDAY, cases=20, seed=2, of=0)
    with pytest.raises(ScenarioError, match="no logs"):
        most_typical([])


def test_command_writes_the_typical_log(process, tmp_path):
    from twin.process.discovery import as_log
    from twin.process.eventlog.files import read_log, write_log

    process.save(tmp_path / "process.yaml")
    like = office.log_of(office.office(weeks=1, seed=6))
    write_log(like, tmp_path / "like.csv")
    call = ["simulate-log", "process.yaml", "--like", "like.csv", "--out", "sim.csv", "--typical", str(OF)]
    call = [str(tmp_path / part) if part.endswith((".yaml", ".csv")) else part for part in call]
    assert execute(app, "twin", call) == 0
    start = int(columns_of(read_log(tmp_path / "like.csv")).first.min())
    wanted = simulate_typical(process, start=start, cases=like.cases, seed=1, of=OF)
    assert read_log(tmp_path / "sim.csv").table["start"].equals(as_log(process, wanted).table["start"])
    assert execute(app, "twin", [*call[:-1], "0"]) == 2
