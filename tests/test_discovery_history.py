"""What a log's own past says of what follows: queues that it leaves, arrivals that grow, and how it was cut."""

import discovery_cases as office
import numpy as np
import pytest

from twin.process.discovery import Options, columns_of, discover, simulate_like
from twin.process.discovery.arrivals import _grown, _shrunk, draw_arrivals, fit_arrivals, operational
from twin.process.discovery.censoring import completeness, shown_at
from twin.process.discovery.columns import DAY, SECOND, WEEK
from twin.process.discovery.history import before
from twin.process.discovery.routes import fit_routes, trie_of, whole_routes
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.split import split
from twin.randomness import Streams

HOUR = office.HOUR
START = office.MONDAY


@pytest.fixture(scope="module")
def overloaded():
    """An office at some 105% of its time, whose queues grow all the while."""
    return office.log_of(office.office(weeks=7, seed=3, factor=lambda *_: 1.36))


def test_the_warm_up_holds_the_cases_of_the_log_and_as_many_more_as_it_does_not_show(overloaded):
    train, test = split(overloaded, 0.75)
    process = discover(train, options=Options(structure="workforce", compare=False))
    known, whole = columns_of(train), columns_of(overloaded)
    start = int(columns_of(test).first.min())
    missing = int((whole.first < start).sum()) - known.cases
    drawn = []
    for run in range(5):
        early = before(process, int(known.first.min()), start, 0, Streams(1, run))
        old = ~early.drawn
        assert np.abs(early.arrival[old] - np.sort(known.first)).max() < 1_000_000
        assert np.bincount(early.activity).tolist() == np.bincount(known.activity).tolist()
        assert np.all(np.diff(early.arrival) >= 0)
        drawn.append(int(early.drawn.sum()))
    assert 0 < np.mean(drawn) < 3 * missing
    assert np.all(early.arrival[early.drawn] > start - WEEK)


def test_a_cut_is_seen_though_queues_have_grown(overloaded):
    for share in (0.6, 0.75, 0.9):
        train = columns_of(split(overloaded, share)[0])
        assert completeness(train, int(train.end.max())).truncated


def test_what_arrives_on_friday_is_not_expected_to_end_by_saturday():
    first = np.sort(START + np.arange(20)[:, None] * WEEK + np.array([2, 4]) * DAY + 16 * HOUR, axis=None)
    cycle = np.where((first - START) // DAY % 7 == 4, 66.0, 2.0) * HOUR
    cut = START + 20 * WEEK + 5 * DAY
    wednesday, friday = cut - 3 * DAY + 16 * HOUR, cut - 8 * HOUR
    assert shown_at(first, cycle, cut, np.array([wednesday, friday])).tolist() == [1.0, 0.0]


def _arrivals(rng, weeks, growth, per_week=60):
    """Instants of a Poisson process whose logarithmic rate grows by `growth` a week, on all hours alike."""
    top = per_week * max(1.0, np.exp(growth * weeks))
    at = np.sort(rng.random(rng.poisson(top * weeks))) * weeks
    at = at[rng.random(len(at)) * top < per_week * np.exp(growth * at)]
    return (START + at * WEEK).astype(np.int64)


@pytest.mark.parametrize("growth", [0.02, -0.02])
def test_a_trend_of_arrivals_is_found_and_goes_on(growth):
    rng = np.random.default_rng(4)
    times = _arrivals(rng, 50, growth)
    end = START + 50 * WEEK
    fitted = fit_arrivals(times, np.ones(len(times)), START, end)
    assert fitted.growth == pytest.approx(growth, rel=0.25)
    assert fitted.per_week == pytest.approx(60 * np.exp(50 * growth), rel=0.12)
    drawn = draw_arrivals(fitted, end, Streams(1), end=end + 10 * WEEK)
    assert len(drawn) == pytest.approx(60 * np.exp(55 * growth) * 10, rel=0.2)
    hours = operational(np.array([START - 30 * WEEK, START, end, end + 40 * WEEK]), np.asarray(fitted.profile))
    assert _shrunk(_grown(hours, fitted), fitted) == pytest.approx(hours, rel=1e-12)
    # Beyond a quarter of the log nothing has tried the trend: the rate stays.
    late = np.diff(_grown(hours[-1] + np.array([0.0, 1.0, 2.0]), fitted))
    assert late[0] == pytest.approx(late[1])


def test_no_trend_is_found_where_there_is_none():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(20):
        times = _arrivals(rng, 30, 0.0)
        found.append(fit_arrivals(times, np.ones(len(times)), START, START + 30 * WEEK).growth)
    assert np.count_nonzero(found) <= 1


def test_a_log_of_days_gives_just_as_many_cases_as_asked_for(overloaded):
    table = overloaded.table
    days = [
        column.cast("int64").to_numpy() // (DAY // 1000) * (DAY // 1000) for column in (table["start"], table["end"])
    ]
    dated = office.log_of(
        [
            (case, activity, who, int(a) * 1000, int(b) * 1000)
            for case, activity, who, a, b in zip(
                *(table[name].to_pylist() for name in ("case", "activity", "resource")), *days, strict=True
            )
        ]
    )
    process = discover(dated, options=Options(structure="timers", compare=False, truncated=True))
    for run in range(3):
        done = simulate_like(process, start=START + 20 * WEEK, cases=40, streams=Streams(1, run))
        assert len(done.arrival) == len(np.unique(done.case)) == 40


def _counts(log, weight, depth, k):
    """Weighted followers of every history, newest first: plainly."""
    tree = {}
    for a, b, mass in zip(log.offset[:-1], log.offset[1:], weight, strict=True):
        history = (k,)
        for symbol in (*log.activity[a:b].tolist(), k):
            for length in range(min(depth, len(history)) + 1):
                tree.setdefault(history[:length], np.zeros(k + 1))[symbol] += mass
            history = (symbol, *history)
    return tree


@pytest.mark.parametrize("whole", [False, True])
def test_the_context_tree_counts_what_plain_counting_counts(whole, overloaded):
    log = columns_of(EventLog(overloaded.table.slice(0, 400)))
    rng = np.random.default_rng(1)
    log = log.take(np.ones(log.cases, bool))
    shuffled = rng.integers(0, 3, len(log.activity))
    log.activity[:] = shuffled
    weight = rng.random(log.cases) + 0.5
    k = len(log.activities)
    routes = whole_routes(log, weight) if whole else fit_routes(log, weight)[0]
    trie, tree = trie_of(routes, k), _counts(log, weight, routes.depth, k)
    least = 0.0 if whole else 2.0

    def chance(history):
        counts = tree[history]
        if not history:
            return counts / counts.sum()
        above = chance(history[:-1])
        if counts.sum() < least and len(history) > 1:
            return above
        return (counts + routes.shrinkage * above) / (counts.sum() + routes.shrinkage)

    for history in tree:
        node = 0
        for symbol in history:
            following = int(trie.child[node, symbol])
            if following < 0:
                break
            node = following
        assert np.diff(trie.chance[node], prepend=0.0) == pytest.approx(chance(history), abs=2e-3)


@pytest.mark.parametrize("structure", ["workforce", "timers", "resampled"])
def test_a_log_of_some_hours_goes_on_as_it_was_and_not_a_week_later(structure):
    rows = [
        (f"{i:03d}", "answer", "ann", office.MONDAY + i * 60 * SECOND, office.MONDAY + (i * 60 + 30) * SECOND)
        for i in range(300)
    ]
    process = discover(office.log_of(rows), options=Options(structure=structure, compare=False))
    done = simulate_like(process, start=office.MONDAY + 310 * 60 * SECOND, cases=120, streams=Streams(1))
    hours = (done.start.max() - done.start.min()) / office.HOUR
    assert hours == pytest.approx(2.0, rel=0.2)


def test_weeks_out_of_the_ordinary_hardly_move_the_level():
    sizes = [60, 62, 58, 61] * 4 + [5, 8] + [60, 59, 61, 60, 62]
    times = np.concatenate([START + i * WEEK + np.arange(n) * (WEEK // n) for i, n in enumerate(sizes)])
    fitted = fit_arrivals(times, np.ones(len(times)), START, START + len(sizes) * WEEK)
    assert fitted.per_week == pytest.approx(60, rel=0.03)
    assert fitted.growth == 0.0


def test_the_level_follows_a_lasting_change_with_a_half_life_of_a_quarter_year():
    rng = np.random.default_rng(7)
    times = np.concatenate([_arrivals(rng, 60, 0.0), _arrivals(rng, 13, 0.0, per_week=120) + 60 * WEEK])
    fitted = fit_arrivals(times, np.ones(len(times)), START, START + 73 * WEEK)
    assert fitted.half_life_weeks == 13.0
    assert fitted.per_week == pytest.approx(90, rel=0.1)


def test_arrivals_of_a_weekend_before_the_cut_are_counted_though_few_of_them_are_shown():
    times = START + np.arange(0, 5 * 7 * 24, 2) * (DAY // 24)
    weight = np.ones(len(times))
    dip = (times >= START + 4 * WEEK + 2 * DAY) & (times < START + 4 * WEEK + 4 * DAY)
    kept = ~dip | (np.arange(len(times)) % 4 == 0)
    weight[dip] = 4.0
    fitted = fit_arrivals(times[kept], weight[kept], START, START + 5 * WEEK)
    assert fitted.per_week == pytest.approx(84, rel=0.02)
