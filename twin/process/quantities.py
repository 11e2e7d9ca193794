"""Durations, rates and money as people write them: "25 min", "2500/s", "5e6 CNY".

Read exactly, in integer and rational arithmetic, because they become integer nanoseconds and fen. (A general units
library would cost a fifth of a second of start-up and give binary floats.)
"""

from __future__ import annotations

import difflib
import re
from fractions import Fraction

from twin.errors import ScenarioError

_NANOSECONDS: dict[str, int] = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "day": 86_400_000_000_000,
    "week": 604_800_000_000_000,
}
_TIME_NAMES: dict[str, str] = {
    "nanosecond": "ns",
    "microsecond": "us",
    "millisecond": "ms",
    "sec": "s",
    "second": "s",
    "minute": "min",
    "hr": "h",
    "hour": "h",
    "d": "day",
    "w": "week",
}
_FEN: dict[str, int] = {"fen": 1, "CNY": 100, "RMB": 100, "yuan": 100}
_NUMBER = re.compile(r"\s*([+-]?(?:\d[\d_,]*)?(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)\s*(.*?)\s*")


def _split(text: str, what: str, example: str, where: str) -> tuple[Fraction, str]:
    """Number and unit of a text such as '25 min'."""
    if not isinstance(text, str):
        raise ScenarioError(f"{text!r} has no unit", where=where, hint=f"Write a {what} with its unit: {example!r}.")
    match = _NUMBER.fullmatch(text)
    if match is None or not any(c.isdigit() for c in match[1]):
        raise ScenarioError(f"{text!r} is not a {what}", where=where, hint=f"Write for instance {example!r}.")
    return Fraction(match[1].replace(",", "").replace("_", "")), match[2]


def _unit(name: str, known: dict[str, int], aliases: dict[str, str], what: str, example: str, where: str) -> int:
    """Size of a unit, singular or plural."""
    singular = name[:-1] if name.endswith("s") and name not in known else name
    for candidate in (name, singular):
        found = aliases.get(candidate, candidate)
        if found in known:
            return known[found]
    if not name:
        raise ScenarioError(f"a {what} lacks its unit", where=where, hint=f"Write for instance {example!r}.")
    near = difflib.get_close_matches(name, [*known, *aliases], n=1, cutoff=0.4)
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    raise ScenarioError(
        f"{name!r} is not a unit of a {what}", where=where, hint=f"{suggestion}Units: {', '.join(known)}."
    )


def _round_half_up(x: Fraction) -> int:
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


def parse_duration_ns(text: str, *, where: str = "") -> int:
    """Nanoseconds of a duration with unit.

    Example:
        >>> parse_duration_ns("25 min")
        1500000000000
    """
    number, unit = _split(text, "duration", "25 min", where)
    if number < 0:
        raise ScenarioError(f"duration {text!r} is negative", where=where, hint="Give zero or more.")
    return _round_half_up(number * _unit(unit, _NANOSECONDS, _TIME_NAMES, "duration", "25 min", where))


def parse_rate_per_s(text: str, *, where: str = "") -> float:
    """Events per second of a rate such as '2500/s', '2200/day' or '10 per h'.

    Example:
        >>> parse_rate_per_s("120/min")
        2.0
    """
    number, unit = _split(text, "rate", "2500/s", where)
    if number < 0:
        raise ScenarioError(f"rate {text!r} is negative", where=where, hint="Give zero or more.")
    match = re.fullmatch(r"(?:\w+\s*)?(?:/|per\s)\s*(\S+)", unit)
    if match is None:
        raise ScenarioError(f"rate {text!r} lacks '/' and a unit of time", where=where, hint="Write '2500/s'.")
    return float(number * 1_000_000_000 / _unit(match[1], _NANOSECONDS, _TIME_NAMES, "rate", "2500/s", where))


def parse_money_fen(text: str, *, where: str = "") -> int:
    """Fen of an amount such as '5e6 CNY'; fractions of a fen round half up.

    Example:
        >>> parse_money_fen("5e6 CNY")
        500000000
    """
    number, unit = _split(text, "amount of money", "5e6 CNY", where)
    return _round_half_up(number * _unit(unit, _FEN, {}, "amount of money", "5e6 CNY", where))
