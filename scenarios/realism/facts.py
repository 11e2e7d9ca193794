"""The facts by which a simulated day is judged (facts.yaml), and when one of them holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ruamel.yaml import YAML

from twin.errors import DataError
from twin.measures.resampling import Measured

_FILE = Path(__file__).with_name("facts.yaml")


class Holds(StrEnum):
    """Whether a fact holds. The interval counts, not a test's significance: much data must not make a fact fail."""

    YES = "yes"
    """The whole interval lies inside."""
    LIKELY = "likely"
    """The estimate lies inside, its interval reaches out."""
    DOUBTFUL = "doubtful"
    """The estimate lies outside, its interval reaches in."""
    NO = "no"
    """The whole interval lies outside."""
    UNKNOWN = "unknown"
    """The data do not give the statistic, or there is nothing to compare with."""


@dataclass(frozen=True)
class Fact:
    """One fact.

    Attributes:
        key: of the statistic in the battery.
        group: returns, activity, flow, orders, times, book or impact.
        en, zh: name; unit: of the statistic, empty for plain numbers.
        low, high: published range.
        source: of the range.
        tolerance: largest accepted difference from a recorded day, None for no comparison.
        relative: the tolerance is a share of the recorded value.
        digits: decimals to show.
    """

    key: str
    group: str
    en: str
    zh: str
    low: float | None = None
    high: float | None = None
    source: str = ""
    tolerance: float | None = None
    relative: bool = False
    unit: str = ""
    digits: int = 2

    def name(self, language: str) -> str:
        """The fact in words."""
        return self.zh if language == "zh" else self.en

    def published(self, found: Measured) -> Holds:
        """Whether a statistic lies in the published range."""
        if self.low is None and self.high is None:
            return Holds.UNKNOWN
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        return _judge(found.value, found.low, found.high, low, high)

    def against(self, simulated: Measured, recorded: Measured) -> Holds:
        """Whether two days agree within the tolerance: the interval of their difference against plus or minus it.

        The two estimates are independent, so that their half-widths add in squares.
        """
        if self.tolerance is None or not recorded.known:
            return Holds.UNKNOWN
        allowed = self.tolerance * abs(recorded.value) if self.relative else self.tolerance
        difference = simulated.value - recorded.value
        down = math.hypot(simulated.value - simulated.low, recorded.high - recorded.value)
        up = math.hypot(simulated.high - simulated.value, recorded.value - recorded.low)
        return _judge(difference, difference - down, difference + up, -allowed, allowed)


def _judge(value: float, low: float, high: float, least: float, most: float) -> Holds:
    if not math.isfinite(value):
        return Holds.UNKNOWN
    inside = least <= value <= most
    if not (math.isfinite(low) and math.isfinite(high)):
        return Holds.LIKELY if inside else Holds.DOUBTFUL
    if least <= low and high <= most:
        return Holds.YES
    if high < least or low > most:
        return Holds.NO
    return Holds.LIKELY if inside else Holds.DOUBTFUL


def read_facts(path: Path = _FILE) -> tuple[Fact, ...]:
    """The table of facts.

    Raises:
        DataError: a record is not of the form of `Fact`.
    """
    found = []
    for record in YAML(typ="safe").load(path.read_text(encoding="utf-8")):
        values = dict(record)
        low, high = values.pop("range", (None, None))
        try:
            found.append(Fact(low=low, high=high, **values))
        except TypeError as error:
            raise DataError(f"fact {values.get('key')!r}: {error}", where=str(path)) from error
    return tuple(found)
