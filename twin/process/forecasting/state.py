"""The state of a process at an instant, rebuilt from what its log knew then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.process.eventlog.log import EventLog
from twin.process.forecasting.columns import (
    NEVER,
    NONE,
    Bools,
    Columns,
    Floats,
    Ints,
    columns_of,
    known_at,
    running_max,
)
from twin.process.forecasting.ending import Asked, Contexts
from twin.process.forecasting.week import WeekClock

LAST = 3
"""Activities done last that tell whether a case has ended."""
LOST = 0.5
"""Work under way is taken as lost (its end was never written) if it will end with less than this probability."""
LEAST = 1e-3
"""Cases less likely open than this count as ended."""


@dataclass(frozen=True)
class Work:
    """Activities under way.

    Attributes:
        case: number of the case in `State.columns`.
        activity: index.
        resource: index, -1 if nobody is named.
        since: start of the work (ns).
    """

    case: Ints
    activity: Ints
    resource: Ints
    since: Ints

    def __len__(self) -> int:
        return len(self.case)


@dataclass(frozen=True)
class Judged:
    """Quiet cases and the quiet times of all cases that they are judged by.

    Attributes:
        cases: their numbers.
        asked: their chances, to be had for any weights of the quiet times.
        by: case of each quiet time.
    """

    cases: Ints
    asked: Asked
    by: Ints


@dataclass(frozen=True)
class State:
    """Who works on what, and which cases wait, just before an instant.

    Attributes:
        instant: ns since 1970.
        columns: all that was known.
        born: first instant of each case.
        last: each case's last instant with a trace in the log.
        chance: of each case to be open (0 where it has surely ended, 1 where work is under way).
        running: rows of `columns` that are under way; others without an end have lost it.
        working: the same with what they are.
        idle: cases without any that may be open and wait since `last`: their numbers, in order.
        judged: how the chances of the cases without any were got, so that they can be drawn with their uncertainty.
    """

    instant: int
    columns: Columns
    born: Ints
    last: Ints
    chance: Floats
    running: Bools
    working: Work
    idle: Ints
    judged: Judged

    @property
    def open_cases(self) -> Ints:
        """Numbers of the cases that may be open."""
        return np.flatnonzero(self.chance > 0)

    @property
    def expected_open(self) -> float:
        """Expected number of open cases."""
        return float(self.chance.sum())


def state_at(log: EventLog, instant: int, *, cut: bool = True) -> State:
    """The state of a process just before an instant (ns).

    Args:
        log: events, later ones too: they are not looked at.
        instant: when.
        cut: False if the log holds nothing later already.
    """
    columns = columns_of(known_at(log, instant) if cut else log)
    n = len(columns.cases)
    clock = WeekClock.of(columns.start)
    done = columns.end != NEVER
    running = ~done & ~_lost(columns, clock, instant)
    born, last = np.full(n, NEVER, np.int64), np.full(n, NONE, np.int64)
    np.minimum.at(born, columns.case, columns.start)
    np.maximum.at(last, columns.case, np.where(done, columns.end, columns.start))
    chance = np.zeros(n)
    chance[columns.case[running]] = 1.0
    quiet = np.flatnonzero(chance == 0)
    judged = _judged(columns, last, quiet, clock, instant)
    chance[quiet] = judged.asked.goes_on()
    chance[chance < LEAST] = 0.0
    idle = quiet[chance[quiet] > 0]
    working = Work(columns.case[running], columns.activity[running], columns.resource[running], columns.start[running])
    return State(instant, columns, born, last, chance, running, working, idle, judged)


def _lost(columns: Columns, clock: WeekClock, instant: int) -> Bools:
    """Rows that have begun and whose end was most likely never written."""
    over = columns.end != NEVER
    duration = clock.between(columns.start, np.where(over, columns.end, instant))
    contexts = columns.activity[:, None]
    lost = np.zeros(len(columns), bool)
    if over.all() or not over.any():
        return lost
    fit = Contexts(contexts, duration, over)
    rows = np.flatnonzero(~over)
    unlikely = fit.goes_on(contexts[rows], duration[rows]) < LOST
    # Work of a kind that has never ended yet says nothing about ends: it stays.
    seen = np.isin(columns.activity[rows], columns.activity[over])
    lost[rows] = unlikely & seen
    return lost


def _judged(columns: Columns, last: Ints, quiet: Ints, clock: WeekClock, instant: int) -> Judged:
    """The quiet cases with how likely each is open."""
    contexts, case, since, until = quiet_times(columns, instant)
    over = until != NEVER
    duration = np.maximum(clock.between(since, np.where(over, until, instant)), 0.0)
    latest = np.zeros(len(last), np.int64)
    latest[case] = np.arange(len(case))  # the last quiet time of each case stays
    age = np.maximum(clock.between(last[quiet], np.full(len(quiet), instant)), 0.0)
    return Judged(quiet, Contexts(contexts, duration, over).asked(contexts[latest[quiet]], age), case)


def quiet_times(columns: Columns, instant: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Every time in which nothing was under way in a case, in order of case and time.

    Returns:
        The last `LAST` activities before it (latest last, -1 = none), the case, from when, and until when (NEVER
        where nothing followed so far).
    """
    case, start = columns.case, columns.start
    n = len(case)
    if not n:
        none = np.zeros(0, np.int64)
        return np.zeros((0, LAST), np.int64), none, none, none
    reach = running_max(case, np.where(columns.end == NEVER, instant, columns.end))
    first = np.concatenate([[True], case[1:] != case[:-1]])
    before = np.concatenate([[NONE], reach[:-1]])
    stops = np.flatnonzero(~first & (start >= before))
    final = np.flatnonzero(np.concatenate([first[1:], [True]]))
    # A quiet time comes after row `after`; those at the end of a case have nothing to follow.
    after = np.concatenate([stops - 1, final])
    until = np.concatenate([start[stops], np.full(len(final), NEVER, np.int64)])
    order = np.argsort(after, kind="stable")
    after, until = after[order], until[order]
    begin = np.maximum.accumulate(np.where(first, np.arange(n), 0))
    rows = after[:, None] - np.arange(LAST - 1, -1, -1)
    contexts = np.where(rows >= begin[after][:, None], columns.activity[np.maximum(rows, 0)], -1)
    return contexts, case[after], reach[after], until
