"""One possible future: the cases of the state go on, new ones come, and the discovered process says how."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from twin.process.discovery import DiscoveredProcess, Simulated, WorkState, routes_of, simulate_columns
from twin.process.discovery.state import RUNNING
from twin.process.forecasting.arrivals import ArrivalModel
from twin.process.forecasting.columns import NEVER, NONE, Bools, Columns, Ints, enabled_by_case
from twin.process.forecasting.drift import Drift
from twin.process.forecasting.measures import World
from twin.process.forecasting.state import State
from twin.randomness import Stream, Streams

_COPIES = 6
"""Of each quiet case that goes on: enough for one of them to do so, if the process thinks it at all likely."""


@dataclass(frozen=True)
class TwinModel:
    """The twin at one instant, as `ensemble.Model` wants it.

    Attributes:
        process: how cases go on.
        state: where they are.
        arrivals: how many come.
        until: ns until which they come.
        drift: how chances to be open differ from future to future.
        rows: of observed cases that the open ones are like in their attributes; None = not known.
        work: the state as the simulation takes it.
        past: the rows of the open cases, in the order of `work`; resources have the numbers of the process.
    """

    process: DiscoveredProcess
    state: State
    arrivals: ArrivalModel
    until: int
    drift: Drift = field(default_factory=Drift)
    rows: Ints | None = None
    work: WorkState = field(init=False)
    past: Columns = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "past", _past(self.process, self.state))
        object.__setattr__(self, "work", replace(_work_state(self.process, self.state, self.past), row=self.rows))

    def future(self, streams: Streams) -> tuple[World, Ints]:
        """One future, and when the open cases end in it (see `ensemble.Model`)."""
        when = self.arrivals.draw(self.until, streams)
        cases = self.work.cases
        chance = self.drift.chances(self.state, streams)[self.state.open_cases]
        quiet = np.ones(cases, bool)
        quiet[np.repeat(np.arange(cases), np.diff(self.work.offset))[self.work.running]] = False
        open_ = ~quiet | (streams.uniform(Stream.FORECAST_STATE, np.arange(cases)) < chance)
        # Each quiet case that is open is drawn several times over, and the first that goes on counts. Where none does,
        # it has been quiet for longer than the process knows: it stays.
        copies = np.repeat(np.arange(cases), np.where(quiet, _COPIES, 1) * open_)
        draw = self._among_others if self.process.structure == "workforce" else self._alone
        done = draw(copies, when, streams)
        stays = quiet & open_
        stays[done.case[done.case < cases]] = False
        return self._world(done, stays)

    def _simulated(
        self, when: Ints, work: WorkState, streams: Streams, ahead: tuple[Ints, Ints, Ints] | None = None
    ) -> Simulated:
        return simulate_columns(self.process, start=work.now, arrivals=when, state=work, streams=streams, ahead=ahead)

    def _alone(self, copies: Ints, when: Ints, streams: Streams) -> Simulated:
        """A future in which cases do not meet, so that copies can be simulated side by side."""
        done = self._simulated(when, _taken(self.work, copies), streams)
        opened = len(copies)
        chosen = _first(copies, np.unique(done.case[done.case < opened]), self.work.cases)
        keep = done.case >= opened
        keep[~keep] = chosen[copies[done.case[~keep]]] == done.case[~keep]
        return self._numbered(done, copies, keep)

    def _among_others(self, copies: Ints, when: Ints, streams: Streams) -> Simulated:
        """A future in which cases queue for the same people: the copies differ in what they will do, and one is run."""
        work = _taken(self.work, copies)
        if not len(copies):
            return self._numbered(self._simulated(when, work, streams), copies, None)
        offset, activity, taken = routes_of(self.process, work, streams)
        case = np.repeat(np.arange(len(copies)), np.diff(offset))
        on = np.unique(
            np.concatenate([case[taken < 0], np.repeat(np.arange(work.cases), np.diff(work.offset))[work.running]])
        )
        chosen = _first(copies, on, self.work.cases)
        run = np.sort(chosen[chosen >= 0])
        rows = np.isin(case, run)
        sizes = np.diff(offset)[run]
        alone = _taken(work, run)
        shift = np.repeat(work.offset[run] - alone.offset[:-1], sizes)
        ahead = (
            np.concatenate([[0], np.cumsum(sizes)]),
            activity[rows],
            np.where(taken[rows] < 0, -1, taken[rows] - shift),
        )
        done = self._simulated(when, alone, streams, ahead)
        return self._numbered(done, copies[run], None)

    def _numbered(self, done: Simulated, cases: Ints, keep: Bools | None) -> Simulated:
        """Some rows of a simulation (None = all), with the numbers that its cases have here."""
        keep = np.ones(len(done.case), bool) if keep is None else keep
        number = np.concatenate([cases, self.work.cases + np.arange(len(done.arrival))])
        return Simulated(
            number[done.case[keep]],
            done.activity[keep],
            done.resource[keep],
            done.start[keep],
            done.end[keep],
            done.arrival,
            self.work.cases,
        )

    def _world(self, done: Simulated, stays: Bools) -> tuple[World, Ints]:
        opened = self.work.cases
        n = opened + len(done.arrival)
        past = self.past
        fresh = done.start >= self.state.instant
        # Work that was under way is known with its start; only its end is drawn.
        finished = past.end != NEVER
        case = np.concatenate([past.case[finished], done.case])
        start = np.concatenate([past.start[finished], done.start])
        end = np.concatenate([past.end[finished], done.end])
        who = np.concatenate([past.resource[finished], done.resource])
        order = np.lexsort((end, start, case))
        case, start, end, who = case[order], start[order], end[order], who[order]
        enabled = enabled_by_case(case, start, end)
        ended = np.full(n, NONE, np.int64)
        np.maximum.at(ended, case, end)
        goes_on = np.zeros(n, bool)
        goes_on[done.case[fresh | (done.end >= self.state.instant)]] = True
        goes_on[opened:] = True
        born = np.full(n, NEVER, np.int64)
        np.minimum.at(born, case, start)
        born[opened:] = np.minimum(born[opened:], done.arrival)
        known = ended != NONE
        staying = np.flatnonzero(stays)
        never = np.full(len(staying), NEVER, np.int64)
        enabled = np.concatenate([enabled, ended[staying]])
        start, end = np.concatenate([start, never]), np.concatenate([end, never])
        who = np.concatenate([who, np.full(len(staying), -1, np.int64)])
        ended[staying] = NEVER
        goes_on[staying] = True
        ones = np.ones(int(known.sum())), np.ones(len(start))
        world = World(born[known], ended[known], ones[0], start, end, enabled, who, ones[1])
        return world, np.where(goes_on[:opened], ended[:opened], self.state.instant)


def _first(copies: Ints, on: Ints, cases: int) -> Ints:
    """The first copy of each case that is among those that go on, -1 = none is."""
    out = np.full(cases, -1, np.int64)
    out[copies[on[::-1]]] = on[::-1]
    return out


def _past(process: DiscoveredProcess, state: State) -> Columns:
    """The rows of the cases that may be open, numbered as in `State.open_cases`; lost work ends where it began."""
    columns, cases = state.columns, state.open_cases
    number = np.full(len(columns.cases), -1, np.int64)
    number[cases] = np.arange(len(cases))
    # People whom the process does not know come after those it knows.
    place = {name: i for i, name in enumerate(process.resources)}
    people = [*process.resources, *(name for name in columns.resources if name not in place)]
    place |= {name: i for i, name in enumerate(people)}
    who = np.array([*(place[name] for name in columns.resources), -1], np.int64)[columns.resource]
    end = np.where((columns.end == NEVER) & ~state.running, columns.start, columns.end)
    rows = number[columns.case] >= 0
    return Columns(
        number[columns.case[rows]],
        columns.activity[rows],
        who[rows],
        columns.start[rows],
        end[rows],
        columns.enabled[rows],
        [columns.cases[i] for i in cases.tolist()],
        columns.activities,
        people,
    )


def _work_state(process: DiscoveredProcess, state: State, past: Columns) -> WorkState:
    """The open cases in the numbers of the process; what it does not know is left out."""
    activities = {name: i for i, name in enumerate(process.activities)}
    to_activity = np.array([activities.get(name, -1) for name in past.activities], np.int64)
    rows = to_activity[past.activity] >= 0
    sizes = np.bincount(past.case[rows], minlength=len(past.cases))
    return WorkState(
        now=state.instant,
        names=tuple(past.cases),
        offset=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        activity=to_activity[past.activity[rows]],
        resource=np.where(past.resource[rows] < len(process.resources), past.resource[rows], -1),
        start=past.start[rows],
        end=np.where(past.end[rows] == NEVER, RUNNING, past.end[rows]),
    )


def _taken(work: WorkState, cases: Ints) -> WorkState:
    """Some cases of a state, in the order given; a case may come several times."""
    sizes = np.diff(work.offset)[cases]
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.repeat(work.offset[cases] - offset[:-1], sizes) + np.arange(offset[-1])
    names = tuple(work.names[i] for i in cases.tolist())
    row = None if work.row is None else work.row[cases]
    columns = (getattr(work, name)[rows] for name in ("activity", "resource", "start", "end"))
    return replace(WorkState(work.now, names, offset, *columns), row=row)
