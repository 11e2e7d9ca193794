"""Parameters of an institution: what a scenario may set, each with its unit, its default and the reason for it.

The calls in an institution's `Settings` take nothing but literals: the scenario's schema reads them from the source, so
that a scenario can be shown and checked without loading the agents (`scenarios.institutions`).
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

_SECOND = 1_000_000_000


class Unit(StrEnum):
    """What a parameter counts; the scenario file reads and writes it accordingly."""

    SHARE = "share"
    """A part of a whole, 0 to 1."""
    COUNT = "count"
    MONEY = "money"
    """Fen."""
    DURATION = "duration"
    """Nanoseconds."""
    NUMBER = "number"
    """Not negative, without a unit."""


def share(default: float, text: str) -> float:
    """A parameter from 0 to 1; `text` says what it is and where the default comes from."""
    return field(default=default, metadata={"unit": Unit.SHARE, "text": text})


def whole(default: int, text: str) -> int:
    """A whole number from 0."""
    return field(default=default, metadata={"unit": Unit.COUNT, "text": text})


def money(cny: float, text: str) -> int:
    """An amount, its default given in CNY; the parameter itself is in fen."""
    return field(default=round(100 * cny), metadata={"unit": Unit.MONEY, "text": text})


def duration(seconds: float, text: str) -> int:
    """A time, its default given in seconds; the parameter itself is in ns."""
    return field(default=round(seconds * _SECOND), metadata={"unit": Unit.DURATION, "text": text})


def number(default: float, text: str) -> float:
    """A plain number, not negative."""
    return field(default=default, metadata={"unit": Unit.NUMBER, "text": text})
