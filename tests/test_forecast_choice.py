"""Quiet cases go on as often as the state says, and instants beyond a log are told."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from forecast_house import DAY, HOUR, START, log_of, office

from twin.errors import DataError
from twin.process.eventlog.log import EventLog
from twin.process.forecasting.arrivals import fit_arrivals
from twin.process.forecasting.choice import Trial, discover_as, discover_at, model_at
from twin.process.forecasting.columns import known_at
from twin.process.forecasting.ensemble import Question, run
from twin.process.forecasting.forecast import Plan, forecast
from twin.process.forecasting.state import state_at
from twin.randomness import Streams


@pytest.fixture(scope="module")
def bureau():
    return office(days=10, seed=41, per_hour=3.0, rework=0.4)


@pytest.fixture(scope="module")
def process(bureau):
    return discover_as(known_at(bureau.log, START + 9 * DAY), state_at(bureau.log, START + 9 * DAY), "timers")


def test_as_many_cases_are_open_at_first_as_the_state_expects(bureau, process):
    """One minute ahead, over several instants: within four standard errors of the sum of the chances."""
    minute, runs = 60_000_000_000, 40
    expected = variance = mean = quiet = 0.0
    for hour in range(24):
        t = START + 8 * DAY + hour * HOUR
        state = state_at(bureau.log, t)
        found = run(model_at(state, process, t + minute), Question(np.array([t, t + minute]), 9), runs, 1)
        chance = state.chance[state.open_cases]
        mean += float((found.ends > t).sum(axis=1).mean())
        expected += float(chance.sum())
        variance += float((chance * (1 - chance)).sum() / runs)
        quiet += len(state.idle)
    assert quiet > 20
    assert abs(mean - expected) <= 4 * np.sqrt(variance) + 0.05


def test_an_instant_far_beyond_the_log_is_an_error_and_in_a_long_silence_a_note(bureau, process):
    plan = Plan(DAY, 6 * HOUR, runs=10)
    with pytest.raises(DataError, match="no events in the 39 days before"):
        forecast(bureau.log, START + 50 * DAY, plan, process)
    with pytest.raises(DataError, match="It begins 2024-01-01"):
        forecast(bureau.log, START - DAY, plan, process)
    found = forecast(bureau.log, START + 14 * DAY, plan, process)
    assert any("nothing is known of the 3 days" in note for note in found.notes)


def test_log_without_people_is_forecast_by_its_waits(bureau):
    t = START + 8 * DAY
    nobody = bureau.log.table.set_column(2, "resource", pa.nulls(len(bureau.log), pa.string()))
    known = known_at(EventLog(nobody), t)
    assert discover_as(known, state_at(known, t), "workforce") is None
    assert discover_at(known, state_at(known, t), Trial(DAY, 6 * HOUR)).structure == "timers"


def test_arrivals_that_ceased_half_a_year_ago_are_none():
    model = fit_arrivals(np.arange(30) * DAY, 300 * DAY)
    assert not len(model.draw(310 * DAY, Streams(1)))


def test_open_cases_go_on_as_their_attributes_say():
    """A second activity of a day follows in 9 of 10 cases of one kind and in 1 of 10 of the other, under way or not."""
    rng = np.random.default_rng(6)
    rows, kinds = [], []
    for k in range(400):
        t, kind = START + k * HOUR, ("short", "long")[k % 2]
        rows.append((f"c{k:03d}", "look", f"p{k % 5}", t, t + int(rng.uniform(5, 7) * HOUR) // 1_000 * 1_000))
        kinds.append(kind)
        if rng.random() < (0.9 if kind == "long" else 0.1):
            rows.append((f"c{k:03d}", "study", f"p{k % 5}", rows[-1][4], rows[-1][4] + DAY))
            kinds.append(kind)
    log = log_of(rows, **{"case:kind": pa.array(kinds)})
    t = START + 380 * HOUR
    process = discover_as(known_at(log, t), state_at(log, t), "timers")
    found = forecast(log, t, Plan(2 * DAY, 6 * HOUR, runs=30), process)
    left = {name: (end - t) / HOUR for name, end in zip(found.cases.name, found.cases.end.tolist(), strict=True)}
    fresh = [f"c{k:03d}" for k in range(376, 380)]
    short, long = (np.mean([left[name] for name in fresh if int(name[1:]) % 2 == odd]) for odd in (0, 1))
    assert long - short > 12  # 0.8 of a day, were all known for sure
