"""Batches that are worked on one after the other, and work that is given to people who are not there."""

from __future__ import annotations

import datetime as dt

import pytest
from process_models import requests_at
from test_process_tokens_theory import general

from twin.clock import DAY, HOUR
from twin.errors import ScenarioError
from twin.process.calendar import WorkCalendar
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

MONDAY = dt.date(2026, 9, 7)


def ends(text: str, times, days: int = 15):
    """End of every case in hours from the midnight before Monday, in order of cases; and the network."""
    network = ProcessNetwork(general(text), Streams(1), WorkCalendar(MONDAY), log=True)
    network.submit(requests_at(times))
    found = network.advance(days * DAY)
    return [float(t) / HOUR for _, t in sorted(zip(found.request, found.time, strict=True))], network


def batch(pool: str, mode: str, task: str = "") -> str:
    return f"""start: t
pools: {{p: {pool}}}
calendars: {{office: [{{from: "09:00", to: "12:30"}}]}}
nodes:
  t:
    kind: task
    pool: p
    service: 2 h
    batch: {{size: 3, longest_wait: 1 day, service: item, mode: {mode}}}
    next: done
{task}
  done: {{kind: end}}
"""


POOLS = ["{staff: 1}", "{members: [{name: wang}]}"]


@pytest.mark.parametrize("pool", POOLS)
def test_cases_of_a_batch_go_on_one_by_one_or_all_together(pool):
    times = [0, HOUR, 2 * HOUR]
    assert ends(batch(pool, "sequential"), times)[0] == [4, 6, 8]
    assert ends(batch(pool, "parallel"), times)[0] == [8, 8, 8]


@pytest.mark.parametrize("pool", POOLS)
def test_each_of_a_batch_in_turn_waits_until_its_own_work_begins(pool):
    found, network = ends(batch(pool, "sequential"), [0, 0, 0])
    node = network.statistics().nodes["t"]
    assert (found, node.wait_served / HOUR, node.service / HOUR) == ([2, 4, 6], 0 + 2 + 4, 6)
    rows, _ = network.executions()
    assert sorted(rows[:, 6].tolist()) == [0, 2 * HOUR, 4 * HOUR]


@pytest.mark.parametrize("pool", ["staff: 1", "members: [{name: wang}]"])
def test_batch_in_turn_pauses_at_the_end_of_a_shift(pool):
    # 9 to 11; 11 to 12:30 and 9 to 9:30 on Tuesday; 9:30 to 11:30.
    text = batch(f"{{{pool}, calendar: office, at_end_of_shift: pause}}", "sequential")
    assert ends(text, [0, 0, 0])[0] == [11, 24 + 9.5, 24 + 11.5]


def test_one_of_a_batch_that_is_given_up_makes_room_for_the_next():
    # After three hours the second is given up, an hour into its work, and the third, before its own begins.
    event = "    boundary: [{after: 3 h, to: gone}]\n  gone: {kind: end, outcome: abandoned}"
    found, network = ends(batch("{staff: 1}", "sequential", event), [0, 0, 0, HOUR, HOUR, HOUR])
    assert found == [2, 3, 3, 4, 4, 4]
    assert network.busy() == {"p": 0}
    assert network.statistics().nodes["t"].given_up == 5
    # The second batch has its server from hour 3 to hour 4.
    assert network.statistics().nodes["t"].service / HOUR == 2 + 1 + 1


def part_time(rule: str) -> str:
    return f"""start: t
calendars:
  every: [{{from: "09:00", to: "17:00"}}]
  mondays: [{{from: "09:00", to: "10:00", days: [mon]}}]
pools:
  p:
    given_to: {rule}
    at_end_of_shift: pause
    members: [{{name: a, calendar: mondays}}, {{name: b, calendar: every}}]
nodes:
  t: {{kind: task, pool: p, service: 30 min, patience: 9 day, next: done}}
  done: {{kind: end}}
"""


def test_case_waits_for_whoever_was_free_first_or_goes_to_one_at_work():
    # On Tuesday: a has been free for longer, b is there.
    times = [DAY + 10 * HOUR, DAY + 10 * HOUR, DAY + 12 * HOUR]
    assert ends(part_time("on_duty"), times)[0] == [34.5, 35, 36.5]
    found, network = ends(part_time("first_free"), times)
    assert found == [7 * 24 + 9.5, 34.5, 36.5]
    assert network.statistics().nodes["t"].wait_served / HOUR == 7 * 24 + 9 - 34
    assert network.member_busy() == {"a": HOUR // 2, "b": HOUR}


def test_nothing_is_given_to_people_before_their_first_hours():
    # As in Prosimos, everybody counts as free since he first came.
    text = part_time("first_free").replace("days: [mon]", "days: [wed]")
    assert ends(text, [10 * HOUR, 2 * DAY + 12 * HOUR])[0] == [10.5, 60.5]


def test_who_waits_for_somebody_off_duty_counts_as_waiting_and_may_lose_patience():
    text = part_time("first_free").replace("9 day", "2 h")
    network = ProcessNetwork(general(text), Streams(1), WorkCalendar(MONDAY))
    network.submit(requests_at([DAY + 10 * HOUR]))
    network.advance(DAY + 11 * HOUR)
    assert (network.queue_lengths(), network.busy()) == ({"p": 1}, {"p": 0})
    assert network.advance(3 * DAY).time.tolist() == [DAY + 12 * HOUR]
    assert network.queue_lengths() == {"p": 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (batch("{staff: 1}", "sequential").replace("service: item", "service: batch"), "service: item"),
        (part_time("first_free").replace("pause", "finish"), "at_end_of_shift: pause"),
    ],
)
def test_contradictions_are_refused(text, message):
    with pytest.raises(ScenarioError, match=message):
        general(text)
