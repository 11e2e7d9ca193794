"""Account opening has two gates with different calendars: the broker's people, and the registry on trading days."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from broker_house import OPENINGS, certain, moment, run_cases

from scenarios.offices import process_model
from twin.clock import MINUTE, is_trading_day
from twin.contracts import OutcomeKind

FIRST = dt.date(2026, 9, 7)
TUESDAY, FRIDAY, SATURDAY = dt.date(2026, 9, 8), dt.date(2026, 9, 11), dt.date(2026, 9, 12)
EVE, AFTER = dt.date(2026, 9, 30), dt.date(2026, 10, 8)
"""The last trading day before the National Day holiday, and the first after it."""
APPLICATIONS = (
    # the broker's part done inside the registry's hours: number the same day, tradable the next trading day
    (TUESDAY, "10:00", dt.date(2026, 9, 9)),
    # after 16:00: the registry takes it the next morning, a day later
    (TUESDAY, "16:30", dt.date(2026, 9, 10)),
    (FRIDAY, "10:00", dt.date(2026, 9, 14)),
    (FRIDAY, "16:30", dt.date(2026, 9, 15)),
    # a seven-day desk clears its queue at the weekend, but nobody is tradable before Tuesday
    (SATURDAY, "10:00", dt.date(2026, 9, 15)),
    # the night before a holiday of seven days
    (EVE, "10:00", AFTER),
    (EVE, "16:30", dt.date(2026, 10, 9)),
)


def tradable(name, applications):
    """Days and times at which cases are tradable in a form of the process without luck."""
    times = [moment(day, FIRST, time) for day, time, _ in applications]
    return run_cases(certain(process_model(name)), times, FIRST)


def test_the_holiday_is_where_the_cases_expect_it():
    assert is_trading_day(EVE)
    assert is_trading_day(AFTER)
    assert not any(is_trading_day(EVE + dt.timedelta(days=d)) for d in range(1, 8))


@pytest.mark.parametrize("name", OPENINGS)
def test_hand_made_applications_pass_both_gates_exactly(name):
    end, outcome = tradable(name, APPLICATIONS)
    bank = 0 if name == "account-opening" else int(1.5 * MINUTE)
    expected = [moment(day, FIRST, "09:15") + bank for _, _, day in APPLICATIONS]
    assert end.tolist() == expected
    assert set(outcome) == {OutcomeKind.SERVED}


@pytest.mark.parametrize("name", OPENINGS)
def test_the_last_minute_of_the_registry_decides_a_whole_day(name):
    """Found by the instant at which the broker's part ends: one ns before the registry closes, and at its closing."""
    model = certain(process_model(name))
    probe = moment(TUESDAY, FIRST, "10:00")
    part = broker_part(model, probe) - probe
    close = moment(TUESDAY, FIRST, "16:00")
    end, _ = run_cases(model, [close - part - 1, close - part], FIRST)
    days = [moment(dt.date(2026, 9, 9), FIRST, "09:15"), moment(dt.date(2026, 9, 10), FIRST, "09:15")]
    assert (end - end.min() + days[0]).tolist() == days


def broker_part(model, time):
    """Instant at which a case has passed the broker's gate."""
    nodes = model.nodes | {"registry": model.nodes["refused"].model_copy(update={"outcome": "served"})}
    end, _ = run_cases(model.model_copy(update={"nodes": nodes}), [time], FIRST)
    return int(end[0])


def test_more_agents_clear_the_first_gate_and_make_nobody_tradable_sooner():
    """Two hundred applicants after the registry's hours: with 60 agents or with any number, the same morning."""
    crowd = moment(TUESDAY, FIRST, "17:00") + np.arange(200) * MINUTE // 10
    few = certain(process_model("account-opening"))
    unlimited = few.pools["agents"].model_copy(update={"staff": "unlimited", "shifts": ()})
    many = few.model_copy(update={"pools": few.pools | {"agents": unlimited}})
    first_gate = [max(broker_part(m, int(t)) for t in crowd[-1:]) for m in (few, many)]
    assert first_gate[0] >= first_gate[1]
    ends = [run_cases(m, crowd, FIRST)[0] for m in (few, many)]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert set(ends[0]) == {moment(dt.date(2026, 9, 10), FIRST, "09:15")}


def test_a_process_with_one_gate_only_would_be_noticed():
    """Power: without the registry the Saturday's applicant would be tradable on Monday."""
    model = certain(process_model("account-opening"))
    nodes = model.nodes | {"registry": model.nodes["numbering"]}
    end, _ = run_cases(model.model_copy(update={"nodes": nodes}), [moment(SATURDAY, FIRST, "10:00")], FIRST)
    assert end[0] == moment(dt.date(2026, 9, 14), FIRST, "09:15")
