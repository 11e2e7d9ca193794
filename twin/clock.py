"""The master clock: one SimPy environment in integer nanoseconds since midnight (Shanghai) of the trading day.

The calendar of trading days is the Shanghai calendar of `exchange_calendars`. Session times: domain rows M01 to M03
(opening call 09:15-09:25, continuous 09:30-11:30 and 13:00-14:57, closing call 14:57-15:00).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import simpy

from twin.errors import ScenarioError

if TYPE_CHECKING:
    import pandas as pd

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TICK = 3 * SECOND
"""Level-1 quotes are published every 3 s (design, section 2)."""


class Phase(IntEnum):
    """What the exchange does in an interval."""

    CLOSED = 0
    OPEN_CALL = 1
    GAP = 2
    CONTINUOUS = 3
    LUNCH = 4
    CLOSE_CALL = 5
    CLEARING = 6
    NIGHT = 7
    AFTER_HOURS = 8
    """Trading at the day's close, 15:05 to 15:30."""
    HALT = 9
    """A volatility halt or a circuit breaker: orders and cancels are taken, nothing trades until a call ends it."""


def at(text: str) -> int:
    """Nanoseconds since midnight of a time of day written HH:MM or HH:MM:SS."""
    try:
        t = dt.time.fromisoformat(text)
    except ValueError as error:
        raise ScenarioError(f"{text!r} is not a time of day", hint="Write HH:MM or HH:MM:SS.") from error
    return ((t.hour * 60 + t.minute) * 60 + t.second) * SECOND + t.microsecond * MICROSECOND


def clock_text(t_ns: int) -> str:
    """HH:MM:SS of an instant; a leading '+1d ' says that it falls on a later day."""
    days, rest = divmod(int(t_ns), DAY)
    s = rest // SECOND
    text = f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}"
    return f"+{days}d {text}" if days else text


@dataclass(frozen=True)
class Session:
    """One phase of the day, from `start` (included) to `end` (excluded), in ns since midnight."""

    phase: Phase
    start: int
    end: int


SESSIONS: tuple[Session, ...] = (
    Session(Phase.CLOSED, 0, at("09:15")),
    Session(Phase.OPEN_CALL, at("09:15"), at("09:25")),
    Session(Phase.GAP, at("09:25"), at("09:30")),
    Session(Phase.CONTINUOUS, at("09:30"), at("11:30")),
    Session(Phase.LUNCH, at("11:30"), at("13:00")),
    Session(Phase.CONTINUOUS, at("13:00"), at("14:57")),
    Session(Phase.CLOSE_CALL, at("14:57"), at("15:00")),
    Session(Phase.CLEARING, at("15:00"), at("22:00")),
    Session(Phase.NIGHT, at("22:00"), DAY),
)
NO_CANCEL: tuple[tuple[int, int], ...] = ((at("09:20"), at("09:25")), (at("14:57"), at("15:00")))
"""Windows in which the exchange refuses cancels (M02)."""
OPEN_UNCROSS, CLOSE_UNCROSS = at("09:25"), at("15:00")


def phase_at(t_ns: int) -> Phase:
    """The phase of a trading day at an instant (0 <= t_ns < DAY)."""
    for session in SESSIONS:
        if session.start <= t_ns < session.end:
            return session.phase
    return Phase.NIGHT


@lru_cache(maxsize=1)
def _calendar() -> Any:
    import exchange_calendars

    return exchange_calendars.get_calendar("XSHG", start="1990-12-19")


def _stamp(day: dt.date) -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp(day)


def calendar_bounds() -> tuple[dt.date, dt.date]:
    """First and last day that the calendar library knows."""
    calendar = _calendar()
    return calendar.first_session.date(), calendar.last_session.date()


def is_trading_day(day: dt.date) -> bool:
    """Whether the Shanghai exchange trades on a day."""
    first, last = calendar_bounds()
    if not first <= day <= last:
        raise ScenarioError(f"{day} is outside the trading calendar", hint=f"It runs from {first} to {last}.")
    return bool(_calendar().is_session(_stamp(day)))


def next_trading_day(day: dt.date) -> dt.date:
    """The first trading day after a day, which need not be a trading day itself."""
    nearest: dt.date = _calendar().date_to_session(_stamp(day + dt.timedelta(days=1)), direction="next").date()
    return nearest


def previous_trading_day(day: dt.date) -> dt.date:
    """The last trading day before a day, which need not be a trading day itself."""
    nearest: dt.date = _calendar().date_to_session(_stamp(day - dt.timedelta(days=1)), direction="previous").date()
    return nearest


def require_trading_day(day: dt.date) -> None:
    """Raise ScenarioError, naming the nearest trading days, unless Shanghai trades on the day."""
    if not is_trading_day(day):
        before, after = previous_trading_day(day), next_trading_day(day)
        raise ScenarioError(f"{day} is not a trading day in Shanghai", hint=f"The nearest are {before} and {after}.")


@dataclass(frozen=True)
class Tick:
    """One quote interval [start, end) of the trading day, within a single phase."""

    start: int
    end: int
    phase: Phase


def trading_ticks(
    first: int = at("09:15"), last: int = at("15:00"), step: int = TICK, idle_step: int = TICK
) -> Iterator[Tick]:
    """The quote intervals from `first` to `last` (ns since midnight), lunch and the gap before 09:30 included.

    No interval crosses from one phase into another; where nothing is traded they may be longer (`idle_step`).
    """
    for session in SESSIONS:
        width = step if session.phase in (Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CLOSE_CALL) else idle_step
        for start in range(max(session.start, first), min(session.end, last), width):
            yield Tick(start, min(start + width, session.end, last), session.phase)


class Clock:
    """A trading day as a SimPy environment.

    Args:
        day: a trading day in Shanghai; `now` is 0 at its midnight.
    """

    def __init__(self, day: dt.date) -> None:
        require_trading_day(day)
        self.day = day
        self.next_day = next_trading_day(day)
        self.env = simpy.Environment(initial_time=0)

    @property
    def now(self) -> int:
        """Nanoseconds since midnight of the trading day."""
        return int(self.env.now)

    def next_open(self, text: str) -> int:
        """Nanoseconds from midnight of this day to a time of day on the next trading day."""
        return (self.next_day - self.day).days * DAY + at(text)

    def wait_until(self, t_ns: int) -> simpy.Timeout:
        """A SimPy event at an absolute instant, which must not lie in the past."""
        return self.env.timeout(t_ns - self.now)
