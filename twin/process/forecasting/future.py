"""One possible future: the cases of the state go on, new ones come, and the discovered process says how."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from twin.process.discovery import DiscoveredProcess, Simulated, WorkState, simulate_columns
from twin.process.discovery.state import RUNNING
from twin.process.forecasting.arrivals import ArrivalModel
from twin.process.forecasting.columns import NEVER, NONE, Columns, Ints, enabled_by_case
from twin.process.forecasting.measures import World
from twin.process.forecasting.state import State
from twin.randomness import Streams


@dataclass(frozen=True)
class TwinModel:
    """The twin at one instant, as `ensemble.Model` wants it.

    Attributes:
        process: how cases go on.
        state: where they are.
        arrivals: how many come.
        until: ns until which they come.
        work: the state as the simulation takes it.
        past: the rows of the open cases, in the order of `work`; resources have the numbers of the process.
    """

    process: DiscoveredProcess
    state: State
    arrivals: ArrivalModel
    until: int
    work: WorkState = field(init=False)
    past: Columns = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "past", _past(self.process, self.state))
        object.__setattr__(self, "work", _work_state(self.process, self.state, self.past))

    def future(self, streams: Streams) -> tuple[World, Ints]:
        """One future, and when the open cases end in it (see `ensemble.Model`)."""
        when = self.arrivals.draw(self.until, streams)
        done = simulate_columns(self.process, start=self.state.instant, arrivals=when, state=self.work, streams=streams)
        return self._world(done)

    def _world(self, done: Simulated) -> tuple[World, Ints]:
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
        world = World(
            born[known], ended[known], np.ones(int(known.sum())), start, end, enabled, who, np.ones(len(start))
        )
        return world, np.where(goes_on[:opened], ended[:opened], self.state.instant)


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
