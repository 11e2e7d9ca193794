"""Known rules are found again in the logs that they wrote, and what is simulated resembles what is to come."""

import discovery_cases as office
import numpy as np
import pytest

from twin.measures.log_distances import LogProfile, distances
from twin.process.discovery import Options, columns_of, discover, simulate_like
from twin.process.discovery.censoring import completeness
from twin.process.discovery.clock import align_clock
from twin.process.discovery.columns import HOUR, concurrency, enabling
from twin.process.discovery.priorities import fit_discipline
from twin.process.discovery.select import profile_of
from twin.process.discovery.staff import fit_calendars
from twin.process.eventlog.split import replay, split
from twin.randomness import Streams


@pytest.fixture(scope="module")
def log():
    return office.log_of(office.office(weeks=10, seed=3))


@pytest.fixture(scope="module")
def process(log):
    return discover(log, options=Options(structure="workforce", compare=False))


def test_arrivals_are_found_with_their_closed_hours(process):
    assert process.arrivals.per_week == pytest.approx(5 * office.PER_DAY, rel=0.06)
    profile = np.array(process.arrivals.profile).reshape(7, 24)
    assert profile[5:].max() == 0.0
    assert profile[:, : office.OPENS].max() == 0.0
    assert profile[:, office.CLOSES :].max() == 0.0


def test_routes_are_found(process):
    k = len(process.activities)
    counts = np.zeros((len(process.routes.parent), k + 1))
    np.add.at(counts, (process.routes.node, process.routes.follower), process.routes.count / 1000)
    decided = process.activities.index("decide")
    node = next(i for i in range(len(counts)) if process.routes.parent[i] == 0 and process.routes.symbol[i] == decided)
    share = counts[node, process.activities.index("notify")] / counts[node].sum()
    assert share == pytest.approx(office.NOTIFY, abs=0.05)
    assert counts[node, k] / counts[node].sum() == pytest.approx(1 - office.NOTIFY, abs=0.05)


def test_calendars_are_office_hours(log):
    calendars = fit_calendars(columns_of(log)).reshape(-1, 7, 48)
    expected = np.zeros((7, 48), bool)
    expected[:5, 2 * office.OPENS : 2 * office.CLOSES] = True
    assert (calendars == expected).mean() > 0.98


def test_services_rest_overnight_and_have_their_means(process):
    staff = process.workforce
    assert staff.pauses
    table = staff.service.reshape(-1, staff.points) / 60_000
    for i, name in enumerate(process.activities):
        assert table[i].mean() == pytest.approx(office.MINUTES[name], rel=0.08)


def test_contention_and_calendars_explain_most_waiting(process):
    assert process.unexplained["waiting, by contention and calendars"] < 0.3


@pytest.mark.parametrize("oldest", [False, True])
def test_queue_discipline_is_found(oldest):
    columns = columns_of(office.log_of(office.office(weeks=10, seed=5, oldest_first=oldest), enabled=True))
    ready, _ = enabling(columns, concurrency(columns))
    skilled = np.zeros((len(columns.activities), len(columns.resources)), bool)
    skilled[columns.activity, columns.resource] = True
    found = fit_discipline(columns, ready, skilled)
    assert found.explained > 0.9
    assert found.oldest_case == oldest


def test_what_is_simulated_is_nearer_than_a_replay(log):
    train, test = split(log)
    fitted = discover(train, options=Options(structure="workforce", compare=False))
    columns = columns_of(test)
    real = LogProfile.of(test)
    start = int(columns.first.min())
    mine = np.mean(
        [
            list(
                distances(
                    real,
                    profile_of(fitted, simulate_like(fitted, start=start, cases=columns.cases, streams=Streams(1, r))),
                )
                .as_dict()
                .values()
            )
            for r in range(20)
        ],
        axis=0,
    )
    naive = np.array(list(distances(real, replay(train, test)).as_dict().values()))
    assert (mine < naive).sum() >= 3
    assert mine[2] < 0.5


def test_right_truncation_is_corrected():
    rng = np.random.default_rng(0)
    begin = np.sort(rng.uniform(0, 100, 6000))
    cycle = rng.exponential(20.0, 6000)
    seen = begin + cycle <= 100
    rows = [
        (f"{i:05d}", "a", None, int(b * office.DAY) + office.MONDAY, int((b + c) * office.DAY) + office.MONDAY)
        for i, (b, c) in enumerate(zip(begin[seen], cycle[seen], strict=True))
    ]
    columns = columns_of(office.log_of(rows))
    cut = office.MONDAY + 100 * office.DAY
    found = completeness(columns, cut)
    assert found.truncated
    length = (columns.last - columns.first) / office.DAY
    assert length.mean() < 18.0
    assert np.average(length, weights=found.weight) == pytest.approx(20.0, rel=0.1)
    late = columns.first > cut - 15 * office.DAY
    expected = 1 - np.exp(-(cut - columns.first[late]) / office.DAY / 20.0)
    assert np.abs(found.shown[late] - expected).max() < 0.06


def test_a_log_whose_arrivals_stopped_is_complete():
    rng = np.random.default_rng(1)
    begin = np.sort(rng.uniform(0, 60, 2000))
    rows = [
        (f"{i:05d}", "a", None, int(b * office.DAY) + office.MONDAY, int((b + c) * office.DAY) + office.MONDAY)
        for i, (b, c) in enumerate(zip(begin, rng.exponential(5.0, 2000), strict=True))
    ]
    columns = columns_of(office.log_of(rows))
    assert not completeness(columns, int(columns.end.max())).truncated


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_change_of_the_clock_is_found_and_undone(hours):
    rows = office.office(weeks=10, seed=4)
    change = office.MONDAY + 34 * office.DAY
    moved = [(*row[:3], *(t + hours * HOUR if t < change else t for t in row[3:5])) for row in rows]
    columns, changes = align_clock(columns_of(office.log_of(moved)))
    assert len(changes) == 1
    assert changes[0][1] == -hours
    assert abs(changes[0][0] - change) <= 2 * office.DAY
    plain, none = align_clock(columns_of(office.log_of(rows)))
    assert none == []
    assert (np.sort(columns.start) == np.sort(plain.start)).mean() > 0.97
