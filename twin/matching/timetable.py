"""When an exchange does what on a day: the sessions of each instrument, and the instants at which they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.clock import NO_CANCEL, SESSIONS, Phase, Session
from twin.contracts import IntColumn

CALLS = (Phase.OPEN_CALL, Phase.CLOSE_CALL)
_TRADING = (*CALLS, Phase.CONTINUOUS)


@dataclass(frozen=True)
class Timetable:
    """The day of some instruments.

    Args:
        sessions: they tile the day.
        no_cancel: windows [start, end) in which cancels are refused.
    """

    sessions: tuple[Session, ...] = SESSIONS
    no_cancel: tuple[tuple[int, int], ...] = NO_CANCEL

    @property
    def close(self) -> int:
        """End of the day's trading, after-hours trading aside."""
        return max(s.end for s in self.sessions if s.phase in _TRADING)

    def phase(self, time: int) -> Phase:
        """What the exchange does at an instant."""
        return next((s.phase for s in self.sessions if s.start <= time < s.end), Phase.NIGHT)

    def cancels_allowed(self, time: int) -> bool:
        """Whether cancels are taken at an instant, if anything is."""
        return not any(start <= time < end for start, end in self.no_cancel)

    def turns(self) -> list[int]:
        """Instants at which a phase, or the right to cancel, changes."""
        return sorted({s.start for s in self.sessions} | {t for window in self.no_cancel for t in window})


@dataclass(frozen=True)
class Groups:
    """Instruments with the same timetable.

    Args:
        timetables: different ones.
        member: by instrument, the number of its timetable.
    """

    timetables: tuple[Timetable, ...]
    member: IntColumn

    @classmethod
    def of(cls, timetables: Sequence[Timetable]) -> Groups:
        """Groups of a timetable per instrument."""
        known = {table: k for k, table in enumerate(dict.fromkeys(timetables))}
        return cls(tuple(known), np.array([known[table] for table in timetables], np.int64))

    def rows(self, group: int) -> NDArray[np.int64]:
        """Instruments of a group."""
        return np.flatnonzero(self.member == group)
