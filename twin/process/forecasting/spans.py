"""Instants and spans as a user writes them."""

from __future__ import annotations

import datetime as dt
import re

from twin.errors import ScenarioError
from twin.process.forecasting.civil import text_of, zone_of
from twin.process.forecasting.week import DAY, HOUR, WEEK

__all__ = ["instant_of", "span_of", "span_text", "text_of"]
_UNITS = {"s": 1_000_000_000, "min": 60_000_000_000, "m": 60_000_000_000, "h": HOUR, "d": DAY, "w": WEEK}
_SPAN = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\s*$")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def span_of(text: str, where: str) -> int:
    """Nanoseconds of a span such as `12h`, `10d` or `2w`.

    Raises:
        ScenarioError: it is not a span above zero.
    """
    found = _SPAN.match(text)
    value = round(float(found[1]) * _UNITS[found[2]]) if found else 0
    if value <= 0:
        raise ScenarioError(f"{text!r} is not a span of time", where, "Write 30min, 12h, 10d or 2w.")
    return value


def instant_of(text: str, zone: str, where: str) -> int:
    """Nanoseconds since 1970 UTC of an instant such as 2012-02-01 or 2012-02-01T09:00.

    Args:
        text: ISO 8601; without an offset it is in `zone`.
        zone: IANA name.
        where: the option, for the error.

    Raises:
        ScenarioError: it is not an instant, or the zone is unknown.
    """
    try:
        found = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise ScenarioError(f"{text!r} is not an instant", where, "Write 2012-02-01 or 2012-02-01T09:00.") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone_of(zone))
    since = found - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def span_text(span: int) -> str:
    """A span (ns) in the largest unit that divides it."""
    for unit in ("w", "d", "h", "min"):
        if span % _UNITS[unit] == 0:
            return f"{span // _UNITS[unit]}{unit}"
    return f"{span / _UNITS['s']:g}s"
