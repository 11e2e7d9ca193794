"""Cutting a log by time: the published test set and the figures of naive replay come out; no case is in both parts."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import DataError
from twin.measures.log_distances import distances
from twin.process.eventlog.files import read_log
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.split import replay, split

T0 = dt.datetime(2026, 9, 14, 1, 0, tzinfo=dt.UTC)


def log_of(rows):
    """A log of (case, start minute, length)."""
    start = [T0 + dt.timedelta(minutes=s) for _, s, _ in rows]
    end = [T0 + dt.timedelta(minutes=s + d) for _, s, d in rows]
    return EventLog.from_columns([c for c, _, _ in rows], ["a"] * len(rows), None, start, end)


def cases(log):
    return set(log.table["case"].to_pylist())


@pytest.mark.data
def test_split_gives_the_published_parts(shared_data):
    train, test = split(read_log(shared_data / "process/event_logs/AgentSim_LoanApp.csv.gz"))
    folder = shared_data / "process/benchmarks/agentsimulator_LoanApp"
    for part, name in ((train, "train"), (test, "test")):
        published = read_log(folder / f"{name}_preprocessed.csv.gz")
        for column in ("case", "activity", "resource", "start", "end"):
            assert sorted(part.table[column].to_pylist()) == sorted(published.table[column].to_pylist())


@pytest.mark.data
@pytest.mark.parametrize("name", ["AgentSim_LoanApp", "AgentSim_Production", "BPIC_2012_W"])
def test_replay_gives_the_figures_of_the_baseline(shared_data, name):
    line = next(
        line
        for line in (shared_data / "process/benchmarks/replay_baseline.txt").read_text().splitlines()
        if line.startswith(f"{name}.csv.gz ")
    )
    words = line.replace("np.float64(", "").replace(")", "").partition("{")
    sizes, published = words[0].split(), json.loads("{" + words[2].replace("'", '"'))
    train, test = split(read_log(shared_data / f"process/event_logs/{name}.csv.gz"))
    assert [train.cases, test.cases, len(test)] == [int(sizes[i]) for i in (2, 4, 6)]
    assert distances(test, replay(train, test)).as_dict() == pytest.approx(published, abs=5.1e-4)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 300), st.integers(0, 50)), min_size=2),
    st.floats(0.05, 0.95),
)
def test_no_case_is_in_both_parts_and_every_training_end_is_before_every_test_end(rows, share):
    log = log_of(rows)
    try:
        train, test = split(log, share)
    except DataError:  # a part without a whole case
        return
    assert not cases(train) & cases(test)
    assert max(train.table["end"].to_pylist()) <= min(test.table["end"].to_pylist())
    for part in (train, test):
        assert len(part) == sum(c in cases(part) for c, _, _ in rows)


def test_case_across_the_cut_is_left_out():
    rows = [(str(i), 10 * i, 5) for i in range(10)] + [("across", 0, 5), ("across", 95, 3)]
    train, test = split(log_of(rows), 0.5)
    assert "across" not in cases(train) | cases(test)
    assert len(cases(train)) == 5
    assert len(cases(test)) == 5


@pytest.mark.parametrize("share", [0, 1, -3, 1.5])
def test_impossible_share_is_refused(share):
    with pytest.raises(DataError, match="is not a split"):
        split(log_of([("a", 0, 1), ("b", 5, 1)]), share)


def test_replay_moves_the_last_cases_by_whole_weeks():
    log = log_of([(str(i), 60 * i, 30) for i in range(400)])
    train, test = split(log, 0.9)
    moved = replay(train, test)
    assert moved.cases == test.cases
    first = moved.table["start"][0].as_py()
    source = dict(zip(train.table["case"].to_pylist(), train.table["start"].to_pylist(), strict=True))["320"]
    assert (first - source) % dt.timedelta(weeks=1) == dt.timedelta(0)
    assert abs(first - test.table["start"][0].as_py()) <= dt.timedelta(days=3.5)
