"""Discovered processes case by case in plain Python: routes by histories, times by lists of samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from math import isqrt
from typing import NamedTuple

from workforce_twin import quantile

from twin.kernels.philox import uniform, uniform2
from twin.randomness import Stream

MS = 1_000_000
MINUTE = 60_000 * MS
SLOT = 30 * MINUTE
SLOTS = 336
WEEK = SLOTS * SLOT
MONDAY_SHIFT = 3 * 86_400_000 * MS
ALIGN = 4
TRIES = 64
FEWEST, REFUSALS, LAST_DRAW = 5, 8, 1 << 30
EDGE = -1
"""What comes before the first activity of a case, and after the last."""
STEP = 4096
LAG, RUNNING, LONGER, SERVICE, SAME, OWN, WAIT = 0, 1000, 2000, 3000, 3100, 3200, 3400
"""Numbers of the draws of a step, by what they decide."""


class Sample(NamedTuple):
    minute: int
    ms: int
    keep: int = 1000
    who: int = -1
    pace: int = 1000


class Instance(NamedTuple):
    activity: int
    who: int
    start: int
    end: int


@dataclass(frozen=True)
class Process:
    """A discovered process; see twin.process.discovery.model.

    Attributes:
        chances: of the followers (in order, the end last) of each known history, oldest first; known with a history
            is all that it ends with.
        depth: no longer history counts.
        longest: activities of a case at most.
        factors: by profile, then by last activity and follower.
        beside: pairs (later, earlier) of which the later need not wait for the earlier.
        hours: which half hours of the week are open; none at all: no clock matters.
        lags: samples by (enabling, activity, whether the one before began after it was enabled).
        pair: number of (enabling, activity), where it has one.
        same: in how many of 1,000 instances of a pair the person goes on.
        waits: samples by pair.
        services: samples by activity.
        own: samples by (activity, person), where there are some.
    """

    chances: dict[tuple, dict[int, float]]
    depth: int
    longest: int
    factors: list[dict[tuple, float]] = field(default_factory=list)
    beside: set[tuple] = frozenset()
    hours: list[int] = ()
    lags: dict[tuple, list[Sample]] = field(default_factory=dict)
    pair: dict[tuple, int] = field(default_factory=dict)
    same: list[int] = ()
    waits: list[list[Sample]] = ()
    services: list[list[Sample]] = ()
    own: dict[tuple, list[Sample]] = field(default_factory=dict)


class Luck:
    """The draws of one case."""

    def __init__(self, seed, replication, case, stream=Stream.WORK_ROUTE):
        self.key = seed, replication
        self.case, self.stream = case, stream

    def route(self, step, attempt=0):
        return uniform(*self.key, int(self.stream), self.case, step * 64 + attempt)

    def time(self, step, what):
        return uniform(*self.key, int(Stream.WORK_TIME), self.case, step * STEP + what)

    def last(self, step, what):
        return uniform(*self.key, int(Stream.WORK_TIME), self.case, (step * STEP + what) + LAST_DRAW)

    def times(self, step, what):
        return uniform2(*self.key, int(Stream.WORK_TIME), self.case, step * STEP + what)


def minute_of(at):
    return (at + MONDAY_SHIFT) % WEEK // MINUTE


def open_at(hours, at):
    return hours[(at + MONDAY_SHIFT) % WEEK // SLOT] == 1


def slots(at):
    """Half hours from an instant on, the first one from there."""
    while True:
        stop = at + SLOT - (at + MONDAY_SHIFT) % SLOT
        yield at, stop
        at = stop


def worked(hours, begin, end):
    """Open time between two instants."""
    whole = takewhile(lambda slot: slot[0] < end, slots(begin))
    return sum((min(stop, end) - one) * open_at(hours, one) for one, stop in whole)


def until(hours, at, work):
    """How long it takes for so much open time to pass; what ends at the close ends at the next opening."""
    at_work = ((one, stop) for one, stop in slots(at) if open_at(hours, one))
    one, stop = next(at_work)
    while work >= stop - one:
        work -= stop - one
        one, stop = next(at_work)
    return one + work - at


def lasting(minute, length, at, hours, wait, pace):
    """How long a sample lasts at another time of the week, by the rules, one after the other."""
    if not hours:
        return int(length * pace)
    taken = minute * MINUTE - MONDAY_SHIFT
    within = worked(hours, taken, taken + length)
    if pace != 1.0:
        return until(hours, at, int(within * pace)) if wait or within < length else int(length * pace)
    shift = (at + MONDAY_SHIFT) % WEEK - minute * MINUTE
    shift = (shift + WEEK // 2) % WEEK - WEEK // 2
    if abs(shift) < MINUTE:
        return length
    in_hours = open_at(hours, taken) and open_at(hours, taken + length - 1) and open_at(hours, at)
    if not wait and 0 < length < WEEK and in_hours:
        return until(hours, at, within)
    if length > ALIGN * abs(shift):
        return length - shift
    return until(hours, at, within) if wait or within < length else length


def followed(process, history, profile, u):
    """What follows a history: by the longest known one, chances times the factors of a profile; nothing if all are 0.

    Args:
        process: for its chances.
        history: activities so far.
        profile: None = chances as they are.
        u: between 0 and 1.
    """
    steps = (EDGE, *history)
    known = (steps[len(steps) - n :] for n in range(min(process.depth, len(steps)), -1, -1))
    chances = process.chances[next(h for h in known if h in process.chances)]
    if profile is not None:
        chances = {f: c * process.factors[profile][steps[-1], f] for f, c in chances.items()}
    left = u * sum(chances.values())
    for follower, chance in chances.items():
        left -= chance
        if left < 0.0:
            return follower
    return EDGE


def nearby(samples, at, luck, step, what):
    """One of the samples taken at a minute of the week, or of the nearest if these are few; None if there is none.

    Nearest are as many before as after, the week being a ring. One is refused by its weight, eight times at most; then
    a draw decides by the weights that they have.
    """
    if not samples:
        return None
    count = min(len(samples), max(FEWEST, isqrt(len(samples))))
    choice = [s for s in samples if s.minute == at]
    if len(choice) <= count:
        first = sum(s.minute < at for s in samples) + len(choice) // 2 - count // 2
        choice = [samples[(first + i) % len(samples)] for i in range(count)]
    for refused in range(REFUSALS):
        u, v = luck.times(step, what + refused)
        found = choice[int(u * len(choice))]
        if v * 1000.0 < found.keep:
            return found
    weights = [one.keep for one in choice]
    return heavy(choice, weights, luck.last(step, what)) if any(weights) else found


def heavy(items, weights, u):
    """One of some items by their weights, whole numbers; all alike if none has any."""
    if not any(weights):
        return items[int(u * len(items))]
    target = int(u * sum(weights))
    return next(item for item, up_to in zip(items, accumulate(weights), strict=True) if up_to > target)


def running_until(process, one, now, luck, step, pace):
    """When an instance under way ends: it lasts as a service longer than its age, or up to twice that."""
    age = now - one.start
    for attempt in range(TRIES):
        found = nearby(process.services[one.activity], minute_of(one.start), luck, step, RUNNING + 8 * attempt)
        if found is None:
            break
        factor = pace[one.activity] * 1000.0 / found.pace
        length = lasting(found.minute, found.ms * MS, one.start, process.hours, False, factor)
        if length > age:
            return one.start + length
    return now + int(age * luck.time(step, LONGER))


def begins(process, done, activity, luck, attempt):
    """When an activity begins after others, and which of them enabled it."""
    before = [one for one in done if (activity, one.activity) not in process.beside]
    # Of those that end together, the last begun.
    enabling = max(reversed(before), key=lambda one: one.end, default=None)
    ready = enabling.end if enabling else -1
    beside = done[-1].start > ready
    at = max(ready, done[-1].start)
    lags = process.lags[enabling.activity if enabling else EDGE, activity, beside]
    lag = nearby(lags, minute_of(at), luck, len(done), LAG + 16 * attempt)
    return at + (lasting(lag.minute, lag.ms * MS, at, process.hours, True, 1.0) if lag else 0), enabling


def served(process, activity, begin, enabling, pace, luck, step):
    """Who does an activity, and for how long: as a sample of anybody, or of who goes on with the case."""
    found = nearby(process.services[activity], minute_of(begin), luck, step, SERVICE)
    who = found.who if found else -1
    pair = process.pair.get((enabling.activity, activity)) if enabling else None
    if pair is not None and enabling.who >= 0 and luck.time(step, SAME) * 1000.0 < process.same[pair]:
        who = enabling.who
    if not found:
        return who, 0
    if who >= 0 and who != found.who:
        own = process.own.get((activity, who), [])
        found = nearby(own, minute_of(begin), luck, step, OWN) or found
    factor = pace[activity] * 1000.0 / found.pace
    return who, lasting(found.minute, found.ms * MS, begin, process.hours, False, factor)


def walk(process, luck, pace, profile, *, arrival=None, past=None, now=None):
    """Instances of a case that end after an instant, or of one that arrives.

    Args:
        process: what was discovered.
        luck: of the case.
        pace: of the case, by activity.
        profile: of the case; None = chances as they are.
        arrival: of a new case.
        past: instances of an open case in order of start, end -1 = under way.
        now: instant of the open case.
    """
    done, rows = [], []
    for step, one in enumerate((past or [])[: process.longest]):
        if one.end < 0:
            one = one._replace(end=running_until(process, one, now, luck, step, pace))
            rows.append(one)
        done.append(one)
    silent = past is not None
    while len(done) < process.longest:
        step = len(done)
        for attempt in range(TRIES if silent else 1):
            history = [one.activity for one in done]
            activity = followed(process, history, profile, luck.route(step, attempt))
            if activity == EDGE:
                return rows
            begin, enabling = arrival if past is None else now, None
            if done:
                begin, enabling = begins(process, done, activity, luck, attempt)
            # What has not begun by now begins later.
            if not silent or begin >= now:
                break
        else:
            return rows
        silent = False
        who, length = served(process, activity, begin, enabling, pace, luck, step)
        done.append(Instance(activity, who, begin, begin + length))
        rows.append(done[-1])
    return rows


def route(process, luck, profile):
    """Activities of a new case."""
    history = []
    while len(history) < process.longest:
        following = followed(process, history, profile, luck.route(len(history)))
        if following == EDGE:
            break
        history.append(following)
    return history


def ahead(process, luck, past, now, profile):
    """What an open case still does. What comes first has a wait that outlasts the silence, or the case is over."""
    history = [one.activity for one in past]
    enabling = max(reversed(past), key=lambda one: one.end, default=None)
    silence = now - max((now if one.end < 0 else one.end for one in past), default=now)
    while len(history) < process.longest:
        for attempt in range(TRIES):
            following = followed(process, history, profile, luck.route(len(history), attempt))
            if following == EDGE:
                return history[len(past) :]
            if silence == 0 or waited(process, luck, history, enabling, following, attempt) > silence:
                break
        else:
            return history[len(past) :]
        silence = 0
        history.append(following)
    return history[len(past) :]


def waited(process, luck, history, enabling, following, attempt):
    """How long the next activity waits after the one that ended last."""
    pair = process.pair.get((enabling.activity, following))
    waits = process.waits[pair] if pair is not None else []
    if not waits:
        return 0
    found = heavy(waits, [one.keep for one in waits], luck.time(len(history), WAIT + attempt))
    return found.ms * MS


def longer(row, age, u):
    """A quantile among those longer than the age, by a straight line between the points of the table."""
    if row[-1] <= age:
        return age + 1 + int(u * age * 0.5)
    share = 0.0
    if row[0] <= age:
        i = max(j for j, value in enumerate(row) if value <= age)
        share = (i + (age - row[i]) / (row[i + 1] - row[i])) / (len(row) - 1)
    return max(quantile(row, share + (1.0 - share) * u), age + 1)
