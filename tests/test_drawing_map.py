"""Maps of logs count what is there and keep everything apart."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import combinations, pairwise

import pytest
from drawing_boxes import node_boxes, overlaps, touch
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from twin.errors import DataError
from twin.process.drawing.flows import BEGIN, FINISH, flow_map
from twin.process.drawing.layers import Way, place
from twin.process.drawing.map import draw_map
from twin.process.eventlog.files import read_log
from twin.process.eventlog.log import EventLog

MONDAY = dt.datetime(2026, 9, 7, tzinfo=dt.UTC)
traces = st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=9), min_size=1, max_size=12)


def log_of(cases):
    """A log: each activity lasts 10 minutes, the next begins 5 minutes times its number after that."""
    rows = []
    for case, trace in enumerate(cases):
        at = MONDAY + dt.timedelta(days=case)
        for kind in trace:
            at += dt.timedelta(minutes=5 * kind)
            rows.append((f"c{case}", f"Activity {kind}", f"p{kind % 3}", at, at + dt.timedelta(minutes=10)))
            at += dt.timedelta(minutes=10)
    return EventLog.from_columns(*(list(column) for column in zip(*rows, strict=True)))


@given(traces)
@settings(max_examples=25, deadline=None)
def test_map_counts_what_follows_what(cases):
    found = flow_map(log_of(cases), paths=1)
    names = dict(enumerate(a.name for a in found.activities)) | {BEGIN: "begin", FINISH: "end"}
    expected = Counter()
    for trace in cases:
        expected.update(pairwise(["begin", *(f"Activity {k}" for k in trace), "end"]))
    assert {(names[w.source], names[w.target]): w.count for w in found.ways} == expected
    assert found.steps == found.work == 1
    for way in found.ways:
        if way.source >= 0 and way.target >= 0:
            assert way.mean_s == way.median_s == 300 * int(names[way.target][-1])
    counts = Counter(k for trace in cases for k in trace)
    assert {a.name: (a.count, a.cases) for a in found.activities} == {
        f"Activity {k}": (n, sum(k in trace for trace in cases)) for k, n in counts.items()
    }


@given(traces, st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_hidden_ways_are_the_rare_ones_and_nothing_hangs_loose(cases, share):
    found = flow_map(log_of(cases), paths=share)
    assert found.steps >= share - 1e-9
    for i in range(len(found.activities)):
        assert any(w.target == i != w.source for w in found.ways)
        assert any(w.source == i != w.target for w in found.ways)


def test_rare_activities_are_passed_over():
    found = flow_map(log_of([[0, 1, 2], [0, 2], [0, 3, 2]]), paths=1, most=2)
    assert [a.name for a in found.activities] == ["Activity 0", "Activity 2"]
    assert {(w.source, w.target, w.count) for w in found.ways} == {(BEGIN, 0, 3), (0, 1, 3), (1, FINISH, 3)}
    assert found.work == pytest.approx(6 / 8)


@given(traces, st.sampled_from(["en", "zh"]))
@settings(max_examples=25, deadline=None)
def test_nothing_lies_on_anything_else(cases, language):
    picture = draw_map(flow_map(log_of(cases), paths=1), title="A log", language=language)
    assert overlaps(picture) == []
    boxes = node_boxes(etree.fromstring(picture.encode())).values()
    assert not any(touch(a, b) for a, b in combinations(boxes, 2))


def test_sequence_runs_from_top_to_bottom_and_a_way_back_comes_up():
    sizes = [(100.0, 40.0)] * 5
    ways = [Way(a, b, 1.0, (30.0, 12.0)) for a, b in ((0, 1), (1, 2), (2, 3), (3, 4))]
    found = place(sizes, [*ways, Way(3, 1, 0.2, (30.0, 12.0))], [0, 3, 2, 1, 4])
    heights = [box.y for box in found.boxes]
    assert heights == sorted(heights)
    assert found.lines[4][0][1] > found.lines[4][-1][1]


def test_share_out_of_range_is_refused():
    with pytest.raises(DataError, match=r"1\.5 is not a share"):
        flow_map(log_of([[0]]), paths=1.5)


@pytest.mark.data
def test_recorded_logs_have_maps_on_which_nothing_overlaps(shared_data):
    for file in sorted((shared_data / "process" / "event_logs").glob("*_*.gz")):
        if "train" in file.name or file.suffixes[-2] == ".xes":
            continue
        log = read_log(file)
        found = flow_map(log)
        assert overlaps(draw_map(found, title=file.name)) == [], file.name
        assert sum(w.count for w in found.ways if w.source == BEGIN) <= log.cases
        assert found.steps > 0.75
