"""Quantities with units: exact, strict, and written back as they came."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import units
from scenarios.units import UnitError


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.duration, "25 min", 1_500_000_000_000),
        (units.duration, "50ms", 50_000_000),
        (units.duration, "1.1 ms", 1_100_000),
        (units.duration, "0 s", 0),
        (units.duration, "2 h", 7_200_000_000_000),
        (units.rate, "2500/s", 2500.0),
        (units.rate, "90/min", 1.5),
        (units.rate, "1/ms", 1000.0),
        (units.per_day, "2_200/day", 2200.0),
        (units.money, "5e6 CNY", 500_000_000),
        (units.money, "12.34 CNY", 1234),
        (units.fraction, "12%", 0.12),
        (units.fraction, 0.12, 0.12),
        (units.change, "-4.46%", -0.0446),
        (units.time_of_day, "16:30", 59_400_000_000_000),
        (units.time_of_day, "09:15:30", 33_330_000_000_000),
        (units.count, 5e6, 5_000_000),
        (units.number, 2, 2.0),
    ],
)
def test_a_quantity_is_read_exactly(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "value", "what"),
    [
        (units.duration, 25, "the unit is missing"),
        (units.duration, "25", "the unit is missing"),
        (units.duration, "5 CNY", "'CNY' is not a unit of time"),
        (units.duration, "-5 s", "cannot be negative"),
        (units.duration, "0.5 ns", "whole number of nanoseconds"),
        (units.duration, "soon", "not a duration"),
        (units.duration, True, "not a duration"),
        (units.duration, "1e300 s", "too large"),
        (units.rate, 8000, "the unit is missing"),
        (units.rate, "8000", "the unit is missing"),
        (units.rate, "-1/s", "cannot be negative"),
        (units.rate, "10 s", "'s' is not a unit of rate"),
        (units.rate, "2200/day", "'/day' is not a unit of rate"),
        (units.per_day, "2200/s", "not a daily rate"),
        (units.money, "5 USD", "'USD' is not a currency"),
        (units.money, "0.001 CNY", "whole number of fen"),
        (units.money, 5_000_000, "the unit is missing"),
        (units.fraction, 12, "cannot exceed 1"),
        (units.fraction, "120%", "cannot exceed 1"),
        (units.fraction, "-1%", "cannot be negative"),
        (units.fraction, float("nan"), "not a share"),
        (units.fraction, "12 s", "does not belong to a share"),
        (units.change, "-100%", "cannot happen"),
        (units.time_of_day, "25:00", "not a time of day"),
        (units.time_of_day, 1630, "not a time of day"),
        (units.count, 1.5, "not a whole number"),
        (units.count, -1, "cannot be negative"),
        (units.count, True, "not a whole number"),
        (units.count, "many", "not a whole number"),
        (units.count, float("inf"), "too large"),
        (units.number, "x", "not a number"),
        (units.number, -0.1, "cannot be negative"),
    ],
)
def test_a_wrong_quantity_says_what_and_how(parse, value, what):
    with pytest.raises(UnitError) as error:
        parse(value)
    assert what in error.value.what
    assert error.value.hint


@settings(derandomize=True, max_examples=200)
@given(st.integers(0, 10**16))
def test_a_duration_written_and_read_is_the_same(ns):
    assert units.duration(units.duration_text(ns)) == ns


@settings(derandomize=True, max_examples=200)
@given(st.floats(0, 1e12, allow_subnormal=False))
def test_a_rate_written_and_read_is_the_same(rate):
    assert units.rate(units.rate_text(rate)) == rate
    assert units.per_day(units.per_day_text(rate)) == rate


@settings(derandomize=True, max_examples=200)
@given(st.integers(0, 10**15))
def test_money_written_and_read_is_the_same(fen):
    assert units.money(units.money_text(fen)) == fen


@settings(derandomize=True, max_examples=100)
@given(st.integers(0, 86_399))
def test_a_time_of_day_written_and_read_is_the_same(second):
    assert units.time_of_day(units.time_text(second * 10**9)) == second * 10**9
