"""Logs of any shape give a model or one clear error; a process file gives the same simulation again."""

import discovery_cases as office
import numpy as np
import pyarrow as pa
import pytest

from twin.errors import DataError, ScenarioError
from twin.process.discovery import (
    Options,
    columns_of,
    discover,
    load_process,
    simulate,
    simulate_columns,
    simulate_like,
    state_of,
)
from twin.process.eventlog.log import EventLog
from twin.randomness import Streams

HOUR, DAY, MONDAY = office.HOUR, office.DAY, office.MONDAY
ALONE = Options(structure="timers", compare=False)


def rows_of(cases, *, resource="ann", length=HOUR // 2):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(cases):
        at = MONDAY + i * 5 * HOUR
        for name in ("a", "b", "c")[: 1 + int(rng.integers(3))]:
            rows.append((f"c{i:04d}", name, resource, at, at + length))
            at += length + int(rng.integers(1, 4)) * HOUR
    return rows


SHAPES = {
    "no resources": rows_of(60, resource=None),
    "instants": rows_of(60, length=0),
    "one case": rows_of(1),
    "one activity": [(f"{i}", "a", "ann", MONDAY + i * HOUR, MONDAY + i * HOUR + HOUR // 4) for i in range(40)],
    "one event": [("1", "a", None, MONDAY, MONDAY)],
    "all at once": [(f"{i}", "a", "ann", MONDAY, MONDAY + HOUR) for i in range(30)],
    "parallel": [
        (f"{i:03d}", name, name + "x", MONDAY + i * 6 * HOUR + shift, MONDAY + i * 6 * HOUR + shift + HOUR)
        for i in range(50)
        for name, shift in (("start", 0), ("left", HOUR), ("right", HOUR + HOUR // (2 + i % 3)), ("join", 3 * HOUR))
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_unusual_logs_give_a_model_that_runs(shape, tmp_path):
    process = discover(office.log_of(SHAPES[shape]))
    done = simulate_like(process, start=MONDAY + 700 * DAY, cases=20, streams=Streams(5))
    assert 1 <= len(done.arrival) <= 20
    assert (done.end >= done.start).all()
    assert done.start.min() >= MONDAY + 700 * DAY
    process.save(tmp_path / "p.yaml")
    again = simulate_like(load_process(tmp_path / "p.yaml"), start=MONDAY + 700 * DAY, cases=20, streams=Streams(5))
    for name in ("case", "activity", "resource", "start", "end"):
        np.testing.assert_array_equal(getattr(done, name), getattr(again, name))


def test_parallel_activities_are_seen():
    process = discover(office.log_of(SHAPES["parallel"]), options=ALONE)
    side = process.concurrent.reshape(4, 4)
    left, right = process.activities.index("left"), process.activities.index("right")
    assert side.sum() == 2
    assert side[left, right] == 1


def test_an_empty_log_is_one_error():
    text = pa.array([], pa.string())
    instants = pa.array([], pa.timestamp("us", tz="UTC"))
    empty = EventLog.from_columns(text, text, None, instants, instants)
    with pytest.raises(DataError, match="no activities"):
        discover(empty)


def test_people_are_needed_for_a_workforce():
    with pytest.raises(DataError, match="cannot be fitted"):
        discover(office.log_of(SHAPES["no resources"]), options=Options(structure="workforce"))


@pytest.mark.parametrize("text", ["kind: other", "- 1", "kind: discovered\nrates: 3", "a: [1"])
def test_a_wrong_file_is_one_error(text, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"p\.yaml"):
        load_process(path)


def test_a_file_of_another_version_says_what_to_do(tmp_path):
    discover(office.log_of(SHAPES["parallel"]), options=ALONE).save(tmp_path / "p.yaml")
    text = (tmp_path / "p.yaml").read_text(encoding="utf-8")
    (tmp_path / "p.yaml").write_text(text.replace("schema_version: 2", "schema_version: 1"), encoding="utf-8")
    with pytest.raises(DataError, match=r"p\.yaml.*schema_version: 1 is not 2.*Discover the process again"):
        load_process(tmp_path / "p.yaml")


def test_mechanistic_never_resamples():
    process = discover(office.log_of(rows_of(80)), options=Options(mechanistic=True))
    assert process.structure != "resampled"
    assert all(rival.structure != "resampled" for rival in process.rivals)


def test_a_simulation_needs_one_end():
    process = discover(office.log_of(rows_of(60)), options=Options(structure="timers", compare=False))
    with pytest.raises(ScenarioError, match="one end"):
        simulate(process, start=MONDAY, streams=Streams(1))


def test_seeds_and_replications_are_reproducible():
    process = discover(office.log_of(rows_of(60)), options=Options(structure="timers", compare=False))
    one, two, three = (
        simulate_columns(process, start=MONDAY, cases=50, streams=Streams(*key)) for key in ((1, 0), (1, 0), (1, 1))
    )
    np.testing.assert_array_equal(one.start, two.start)
    assert len(one.start) != len(three.start) or (one.start != three.start).any()


@pytest.mark.parametrize("structure", ["timers", "workforce"])
def test_from_a_state_nothing_happens_before_it_and_running_work_ends(structure):
    log = office.log_of(office.office(weeks=6, seed=2))
    process = discover(log, options=Options(structure=structure, compare=False))
    now = MONDAY + 30 * DAY + 13 * HOUR
    state = state_of(columns_of(log), now, activities=process.activities, resources=process.resources)
    assert state.running.sum() >= 1
    done = simulate_columns(process, start=now, end=now + 2 * DAY, state=state, streams=Streams(3))
    under_way = done.start < now
    assert int(under_way.sum()) == int(state.running.sum())
    assert (done.end > now).all()
    # Cases that ended weeks ago are over: next to none of them comes back to life.
    last = np.maximum.reduceat(np.where(state.end < 0, now, state.end), state.offset[:-1])
    old = np.flatnonzero(last < now - 7 * DAY)
    assert np.isin(done.case, old).sum() <= 2
