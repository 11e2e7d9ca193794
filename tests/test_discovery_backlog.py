"""Cases under way when recording began: found, left out of the arrivals, and recordings that end as they begin."""

from __future__ import annotations

import discovery_cases as office
import numpy as np
import pytest

from twin.process.discovery import Options, columns_of, discover, simulate_like
from twin.process.discovery.backlog import recorded_from
from twin.process.discovery.censoring import begun_in_recording, completeness, truncated_weights
from twin.process.discovery.discover import fit_parts
from twin.randomness import Streams

DAY = office.DAY
BEGIN = office.MONDAY + 90 * DAY
PER_DAY, STEPS, PAUSE = 2.0, 10, 2.0


def _recording(seed, days=80, warm_up=90, ended=True, rate=lambda _: PER_DAY):
    """Ten activities a case with pauses of about two days, seen between two instants; only cases that ended, or all."""
    rng = np.random.default_rng(seed)
    rows, truth = [], set()
    for day in range(90 - warm_up, 90 + days):
        for number in range(rng.poisson(rate(day - 90))):
            at = office.MONDAY + int((day + rng.random()) * DAY)
            case, steps = f"{day:04d}-{number}", []
            for step in range(STEPS):
                stop = at + int(rng.exponential(0.1) * DAY) + 60_000_000_000
                steps.append((case, f"step {step}", None, at, stop))
                at = stop + int(rng.exponential(PAUSE) * DAY)
            until = BEGIN + days * DAY
            shown = [row for row in steps if row[3] >= BEGIN and row[4] <= until]
            if shown and (not ended or steps[-1] == shown[-1]):
                rows += shown
                if len(shown) < STEPS and shown[-1] == steps[-1]:
                    truth.add(case)
    return office.log_of(rows), truth


@pytest.fixture(scope="module")
def cut_by_time():
    return _recording(1)


def test_cases_under_way_at_the_start_are_found(cut_by_time):
    log, truth = cut_by_time
    columns = columns_of(log)
    begun = begun_in_recording(columns, columns.first, True)
    found = {name for name, began in zip(columns.names, begun.tolist(), strict=True) if not began}
    assert len(found & truth) > 0.7 * len(truth)
    assert len(found - truth) <= 4.0 * PER_DAY


def test_the_level_of_arrivals_is_without_them():
    options = Options(structure="timers", compare=False, truncated=True)
    parts = [fit_parts(columns_of(_recording(seed)[0]), options) for seed in range(1, 6)]
    assert np.mean([part.process.arrivals.per_week for part in parts]) == pytest.approx(7 * PER_DAY, rel=0.1)
    assert all(part.under_way and part.process.cut_off for part in parts)
    assert all(any("were under way when recording began" in n for n in part.process.notes) for part in parts)


@pytest.mark.parametrize("seed", range(20))
def test_a_log_that_begins_with_its_first_cases_has_none(seed):
    columns = columns_of(_recording(seed, warm_up=0)[0])
    assert begun_in_recording(columns, columns.first, None).all()


@pytest.mark.parametrize(
    "rate",
    [lambda d: 6.0 * 0.985**d, lambda d: 8.0 if 3 <= d < 6 else 2.0, lambda d: 4.0 if d % 7 == 0 else 1.5],
    ids=["falls slowly", "a burst later", "busy Mondays"],
)
def test_other_uneven_arrivals_are_no_backlog(rate):
    columns = columns_of(_recording(5, warm_up=0, rate=rate)[0])
    assert begun_in_recording(columns, columns.first, None).all()


def test_too_short_a_log_is_left_as_it_is():
    columns = columns_of(_recording(1, days=12)[0])
    assert recorded_from(columns, columns.first, np.ones(columns.cases)) == columns.first.min()


def test_cases_under_way_do_not_distort_cycle_times(cut_by_time):
    columns = columns_of(cut_by_time[0])
    begun = begun_in_recording(columns, columns.first, True)
    found = completeness(columns, int(columns.end.max()), True, begun)
    length = (columns.last - columns.first)[begun] / DAY
    true = (STEPS - 1) * PAUSE + STEPS * 0.1
    assert np.average(length, weights=found.weight[begun]) == pytest.approx(true, rel=0.1)


def test_a_recording_cut_by_time_shows_unfinished_cases_and_stops_between_arrivals(cut_by_time):
    process = discover(cut_by_time[0], options=Options(structure="timers", compare=False, truncated=True))
    real = [columns_of(_recording(seed, days=20, warm_up=0, ended=False)[0]) for seed in range(20, 26)]
    cases = round(float(np.mean([log.cases for log in real])))
    lengths, spans = [], []
    for run in range(10):
        done = simulate_like(process, start=BEGIN, cases=cases, streams=Streams(1, run))
        assert len(np.unique(done.case)) == cases == len(done.arrival)
        lengths.append(len(done.case) / cases)
        spans.append((done.end.max() - BEGIN) / DAY)
    assert np.mean(lengths) == pytest.approx(np.mean([len(log.case) / log.cases for log in real]), rel=0.15)
    assert np.mean(spans) == pytest.approx(20.0, rel=0.2)
    ended = simulate_like(process, start=BEGIN, cases=cases, streams=Streams(1, 0), cut_off=False)
    assert ended.end.max() > done.end.max() + 5 * DAY


def test_a_part_with_little_else_than_cases_under_way_is_fitted_with_them(cut_by_time):
    columns = columns_of(cut_by_time[0])
    few = columns.take(np.arange(columns.cases) < 12)
    parts = fit_parts(few, Options(structure="timers", compare=False), under_way=frozenset(few.names[:10]))
    assert parts.process.arrivals.per_week > 0
    assert not parts.under_way


def test_no_weight_stands_for_most_of_a_small_log():
    weight = np.ones(16)
    weight[3] = 100.0
    mean = weight.mean()
    assert truncated_weights(weight).max() == pytest.approx(4.0 * mean)
    assert (truncated_weights(np.linspace(1, 3, 50)) == np.linspace(1, 3, 50)).all()
