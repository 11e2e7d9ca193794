"""Bands for what comes: the state at an instant, run forward many times."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from twin.errors import DataError, ScenarioError
from twin.process.discovery import DiscoveredProcess
from twin.process.eventlog.log import EventLog
from twin.process.forecasting.arrivals import ArrivalModel
from twin.process.forecasting.choice import Trial, discover_at, model_at
from twin.process.forecasting.civil import Civil, civil
from twin.process.forecasting.columns import NEVER, Floats, Ints, columns_of, known_at, without_hindsight
from twin.process.forecasting.delivery import DELIVERED, TWIN, Delivery, Learner, Origin
from twin.process.forecasting.ensemble import Question, Told, run
from twin.process.forecasting.measures import series
from twin.process.forecasting.naive import history_edges, naive_forecasts
from twin.process.forecasting.scores import quantiles
from twin.process.forecasting.state import State, state_at
from twin.process.forecasting.week import DAY, HOUR
from twin.process.forecasting.worlds import end_of, people_at, world_of_log, world_of_state
from twin.process.notes import note

SHARES = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
"""Quantiles that bound the bands of 95, 80 and 50 %, and the median."""
_MOST_INTERVALS = 2_000
_CYCLES = 0.9
"""New cases come until this quantile of past cycle times, so that open cases meet the load that they would."""
_LONGEST = 60 * DAY
_SILENT_DAYS = 28
_LONG_PAUSES = 1.5
"""A silence so many times as long as the longest one before says that the log has ended, not the work."""
_LEAST_CHANCE = 0.05
"""Cases less likely open are not in the table of open cases (they count in the bands)."""
Stage = Callable[[str, int, int], None]
"""Hears what is being done, how far it is, and of how much."""


@dataclass(frozen=True)
class Plan:
    """What to forecast.

    Attributes:
        horizon: ns.
        step: length of an interval (ns).
        runs: futures to draw.
        seed: of the random numbers.
        deadline: cycle time (ns) from which a case is late, if any.
        calibrate: past forecasts to learn from what to give out; 0 = the simulated ensemble.
        zone: IANA name of the zone whose hours and days the patterns have, and the intervals.
    """

    horizon: int
    step: int = HOUR
    runs: int = 200
    seed: int = 1
    deadline: int | None = None
    calibrate: int = 0
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.horizon < self.step:
            raise ScenarioError("the horizon is shorter than one interval", "--horizon", "Give a shorter --step.")
        if self.horizon // self.step > _MOST_INTERVALS:
            raise ScenarioError(f"{self.horizon // self.step} intervals are too many", "--step", "Give a longer step.")

    @property
    def intervals(self) -> int:
        """How many."""
        return self.horizon // self.step

    def edges(self, instant: int) -> Ints:
        """Of the intervals from an instant on (both in civil time)."""
        return instant + self.step * np.arange(self.intervals + 1, dtype=np.int64)


@dataclass(frozen=True)
class OpenCases:
    """The cases that may be open with a chance of 5 % or more, the longest first.

    Attributes:
        name: of each case.
        born: its first instant (ns).
        chance: that it is open.
        activity: under way, or done last.
        resource: who works on it; empty where it waits.
        since: ns since when it is worked on, or waits.
        end: expected end (ns), given that it is open.
        low: 10 % quantile of the end.
        high: 90 % quantile.
        late: chance of exceeding the deadline; NaN without one.
    """

    name: list[str]
    born: Ints
    chance: Floats
    activity: list[str]
    resource: list[str]
    since: Ints
    end: Floats
    low: Floats
    high: Floats
    late: Floats


@dataclass(frozen=True)
class Forecast:
    """Bands by interval, and what they rest on.

    Instants are ns since 1970 UTC but those in `state`, which are civil time in the zone of the plan.

    Attributes:
        instant: nothing from then on was known.
        plan: what was asked.
        edges: of the intervals.
        members: (run, interval, measure), mixed and widened by the record if that was asked for.
        past_edges: of the past intervals.
        past: (interval, measure) as known at `instant`.
        people: that utilisation counts with.
        state: at `instant`.
        arrivals: their model.
        process: how cases go on.
        delivery: what was done to the simulated ensemble.
        cases: the open cases.
        notes: what had to be assumed.
    """

    instant: int
    plan: Plan
    edges: Ints
    members: Floats
    past_edges: Ints
    past: Floats
    people: int
    state: State
    arrivals: ArrivalModel
    process: DiscoveredProcess
    delivery: Delivery
    cases: OpenCases
    notes: tuple[str, ...]

    def bands(self) -> Floats:
        """Quantiles (share, interval, measure) in the order of `SHARES`."""
        return quantiles(self.members, SHARES)


def past_series(state: State, plan: Plan) -> tuple[Ints, Floats]:
    """Edges (civil time) and measures of the past intervals, as known at the instant of a state."""
    first = int(state.born.min()) if len(state.born) else state.instant
    edges = history_edges(state.instant, plan.step, first)
    people = people_at(state.columns, state.instant)
    if len(edges) < 2:
        return edges, np.zeros((0, 8))
    return edges, series(world_of_state(state), edges, people, plan.deadline)


def forecast(
    log: EventLog,
    instant: int,
    plan: Plan,
    process: DiscoveredProcess | None = None,
    pool: ProcessPoolExecutor | None = None,
    told: Stage | None = None,
) -> Forecast:
    """Forecast from what a log knew just before an instant.

    Args:
        log: events; from `instant` on they are not looked at.
        instant: ns since 1970.
        plan: what to forecast.
        process: how cases go on; None discovers it from the log up to `instant`.
        pool: worker processes; None uses this one. The result does not depend on it.
        told: hears of progress.

    Raises:
        DataError: the log knows nothing before the instant, or too little to discover a process.
    """
    tell = told or _silent
    clock = civil(plan.zone)
    log, instant = clock.log(log), int(clock.of(instant))
    known = without_hindsight(known_at(log, instant))
    if not len(known):
        begin = f"It begins {clock.text(_begin_of(log))}; take a later one."
        raise DataError("the log has no events before the instant", "--as-of", begin)
    known = _with_note_of_silence(known, instant, clock)
    state = state_at(known, instant, cut=False)
    if process is None:
        tell("discover", 0, 1)
        process = discover_at(known, state, Trial(plan.horizon, plan.step, plan.deadline, plan.seed), pool)
    _require_fit(process, state)
    delivery = _calibrated(known, state, plan, process, pool, tell)
    question = Question(plan.edges(instant), people_at(state.columns, instant), plan.deadline)
    model = model_at(state, process, instant + max(plan.horizon, _usual_cycle(state)), known)
    answer = run(model, question, plan.runs, plan.seed, pool, _stage(tell, "simulate"))
    past_edges, past = past_series(state, plan)
    members = answer.values
    if delivery.origins:
        naive = naive_forecasts(past, plan.step, plan.intervals, instant)
        members = delivery.apply({TWIN: members, **naive})[DELIVERED]
    return Forecast(
        int(clock.back(instant)),
        plan,
        clock.back(question.edges),
        members,
        clock.back(past_edges),
        past,
        question.people,
        state,
        model.arrivals,
        process,
        delivery,
        _open_cases(state, answer.ends, plan.deadline, clock),
        known.notes,
    )


def what_came(log: EventLog, found: Forecast) -> Floats | None:
    """Measures (interval, measure) of the forecast's intervals as a log shows them; None if it ends before they do."""
    if end_of(log) < found.edges[-1]:
        return None
    clock = civil(found.plan.zone)
    return series(world_of_log(clock.log(log)), clock.of(found.edges), found.people, found.plan.deadline)


def _begin_of(log: EventLog) -> int:
    columns = columns_of(log)
    return int(columns.start.min()) if len(columns) else 0


def _with_note_of_silence(known: EventLog, instant: int, clock: Civil) -> EventLog:
    """The log, with a note if it shows nothing of the days before an instant; after four weeks that is an error."""
    end = end_of(known)
    days = (instant - end) // DAY
    if days >= _SILENT_DAYS:
        raise DataError(
            f"the log has no events in the {days} days before the instant", "--as-of", f"It ends {clock.text(end)}."
        )
    if days < 1 or instant - end <= _LONG_PAUSES * _longest_pause(known):
        return known
    return EventLog(known.table, (*known.notes, note("silence", end=clock.text(end)[:19], days=days)))


def _longest_pause(known: EventLog) -> int:
    """Longest time (ns) in which nothing began."""
    return int(np.diff(np.sort(columns_of(known).start)).max(initial=0))


def _silent(stage: str, done: int, of: int) -> None:
    del stage, done, of


def _stage(tell: Stage, name: str) -> Told:
    return lambda done, of: tell(name, done, of)


def _require_fit(process: DiscoveredProcess, state: State) -> None:
    """The process must know activities of the log."""
    if not set(process.activities) & set(state.columns.activities):
        raise ScenarioError(
            "the process knows none of the log's activities",
            "--process",
            f"It knows {', '.join(process.activities[:5])}; the log has {', '.join(state.columns.activities[:5])}.",
        )


def _usual_cycle(state: State) -> int:
    gone = state.chance < 0.5
    if not gone.any():
        return 0
    return int(min(np.quantile((state.last - state.born)[gone], _CYCLES), _LONGEST))


def _calibrated(
    known: EventLog,
    state: State,
    plan: Plan,
    process: DiscoveredProcess,
    pool: ProcessPoolExecutor | None,
    tell: Stage,
) -> Delivery:
    """What forecasts of the recent past by the same process teach, whose truth is known by now."""
    origins = inner_origins(state, plan)
    if not origins:
        return Delivery()
    world = world_of_log(known)
    inner = replace(plan, runs=min(plan.runs, 60))
    learner = Learner(plan.seed)
    for i, origin in enumerate(origins):
        tell("calibrate", i, len(origins))
        past = known_at(known, origin)
        then = state_at(past, origin, cut=False)
        edges, people = plan.edges(origin), people_at(then.columns, origin)
        model = model_at(then, process, int(edges[-1]), past)
        twin = run(model, Question(edges, people, plan.deadline), inner.runs, plan.seed, pool).values
        _, before = past_series(then, plan)
        members = {TWIN: twin, **naive_forecasts(before, plan.step, plan.intervals, origin)}
        learner.add(Origin(origin, int(edges[-1]), series(world, edges, people, plan.deadline), members))
    return learner.at(state.instant)


def inner_origins(state: State, plan: Plan) -> list[int]:
    """Instants in the past for `Plan.calibrate` forecasts: at the same time of day, before the instant by the horizon.

    They lie in the latter half of the log, as far apart as fits, so that they see different days.
    """
    first = int(state.born.min()) if len(state.born) else state.instant
    latest = state.instant - -(-plan.horizon // DAY) * DAY
    earliest = first + (state.instant - first) // 2
    if plan.calibrate < 2 or latest <= earliest:
        return []
    days = np.unique(np.linspace(0, (latest - earliest) // DAY, plan.calibrate).astype(np.int64))
    return [latest - int(day) * DAY for day in days[::-1]] if len(days) >= 2 else []


def _open_cases(state: State, ends: Ints, deadline: int | None, clock: Civil) -> OpenCases:
    """The table of the cases that may be open, in instants."""
    cases = state.open_cases
    columns = state.columns
    if not len(cases):
        none, no = np.zeros(0, np.int64), np.zeros(0)
        return OpenCases([], none, no, [], [], none, no, no, no, no)
    number = np.full(len(state.chance), -1, np.int64)
    number[cases] = np.arange(len(cases))
    activity, resource = [""] * len(cases), [""] * len(cases)
    since = state.last[cases].copy()
    place = number[columns.case]
    # Rows are in order of start: the last one stays, then work under way goes first.
    for row in np.flatnonzero(place >= 0).tolist():
        activity[place[row]] = columns.activities[columns.activity[row]]
    work = state.working
    for case, act, who, start in zip(*(part.tolist() for part in vars(work).values()), strict=True):
        i = number[case]
        activity[i] = columns.activities[act]
        resource[i] = columns.resources[who] if who >= 0 else ""
        since[i] = start
    is_open = ends > state.instant
    at = np.where(is_open & (ends != NEVER), ends.astype(np.float64), np.nan)
    empty = np.isnan(at).all(axis=0)
    at[:, empty] = float(state.instant)
    low, high = np.nanquantile(at, [0.1, 0.9], axis=0)
    late = np.full(len(cases), np.nan)
    if deadline is not None:
        late = np.mean(np.where(is_open, ends - state.born[cases] > deadline, False), axis=0)
        late = np.maximum(late, np.where(state.instant - state.born[cases] > deadline, state.chance[cases], 0.0))
    chance = np.where(state.chance[cases] >= 1.0, 1.0, is_open.mean(axis=0))
    order = np.argsort(state.born[cases], kind="stable")
    order = order[chance[order] >= _LEAST_CHANCE]
    ends_at = [clock.back(of[order]).astype(np.float64) for of in (np.nanmean(at, axis=0), low, high)]
    return OpenCases(
        [columns.cases[cases[i]] for i in order.tolist()],
        clock.back(state.born[cases][order]),
        chance[order],
        [activity[i] for i in order.tolist()],
        [resource[i] for i in order.tolist()],
        clock.back(since[order]),
        ends_at[0],
        ends_at[1],
        ends_at[2],
        late[order],
    )


def check_columns(log: EventLog, where: str = "") -> None:
    """Raise DataError for a log without events or times."""
    if not len(log):
        raise DataError("the log has no activities", where, "A forecast needs cases that have ended.")
    columns_of(log)
