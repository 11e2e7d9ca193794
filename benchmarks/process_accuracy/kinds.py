"""Kinds of logs as they are found in practice, each as an office drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.process_accuracy.offices import DAY, SLOTS, Office, Route, Task, hours, stream

Rng = np.random.Generator
OFFICE = hours("01234", 8, 17)


def _clerks(rng: Rng, number: int, days: str = "01234", begin: float = 8, end: float = 17) -> NDArray[np.bool_]:
    """Calendars of people who come and go within an hour of each other."""
    shifts = rng.integers(-1, 2, number) / 2
    return np.array([hours(days, begin + s, end + s) for s in shifts])


def _walk(steps: list[list[int]], again: float, skip: float, choice: dict[int, list[float]]) -> Callable[[Rng], Route]:
    """Steps one after the other, each a choice of tasks, with loops back by up to three steps and steps left out."""

    def route(rng: Rng) -> Route:
        found: list[int] = []
        at = 0
        while at < len(steps) and len(found) < 80:
            options = steps[at]
            if at == 0 or at == len(steps) - 1 or rng.random() >= skip:
                found.append(int(rng.choice(options, p=choice.get(at))))
            at = max(0, at - int(rng.integers(0, 3))) if at and rng.random() < again else at + 1
        return [[found]]

    return route


def _choices(rng: Rng, steps: list[list[int]]) -> dict[int, list[float]]:
    return {i: rng.dirichlet(np.ones(len(options)) * 2).tolist() for i, options in enumerate(steps) if len(options) > 1}


def _steps(tasks: int, widths: list[int]) -> list[list[int]]:
    """Numbers 0 .. tasks - 1 dealt out to steps of given widths."""
    found, at = [], 0
    for width in widths:
        found.append([(at + i) % tasks for i in range(width)])
        at += width
    return found


def procurement(rng: Rng) -> Office:
    """Some 600 cases in a year, 20 activities, waits of days to weeks, loops; everything is recorded."""
    pool = [tuple(range(a, b)) for a, b in ((0, 10), (10, 18), (18, 23), (23, 27))]
    tasks = [
        Task(f"step {i:02d}", pool[int(rng.integers(4))], float(rng.uniform(0.2, 2)), 0.8,
             float(rng.choice([0, 0, 8, 24, 60, 120])), 0.9)
        for i in range(20)
    ]  # fmt: skip
    steps = _steps(20, [1, 2, 1, 3, 1, 2, 3, 1, 2, 1, 2, 1])
    route = _walk(steps, 0.12, 0.15, _choices(rng, steps))
    return Office(tasks, _clerks(rng, 27), 1, route, stream(13.8, OFFICE), 44)


def administration(rng: Rng) -> Office:
    """950 cases, 16 activities, 430 people with some ten activities each."""
    tasks = []
    for i in range(16):
        first = int(rng.integers(0, 400))
        people = tuple((first + j) % 430 for j in range(int(rng.integers(3, 120))))
        tasks.append(Task(f"request {i:02d}", people, float(rng.uniform(0.05, 0.8)), 1.0,
                          float(rng.choice([0, 2, 20, 60])), 1.1))  # fmt: skip
    steps = _steps(16, [2, 3, 2, 3, 2, 2, 2])
    route = _walk(steps, 0.05, 0.3, _choices(rng, steps))
    return Office(tasks, _clerks(rng, 430, "012345"), 1, route, stream(37, hours("012345", 8, 16)), 26)


def pharmacy(rng: Rng) -> Office:
    """10,000 cases, 15 activities, few people with strong contention and long queues over the nights."""
    roles = [tuple(range(a, b)) for a, b in ((0, 4), (4, 9), (9, 15), (15, 18))]
    widths = [1, 2, 1, 2, 2, 1, 2, 2, 2]
    steps = _steps(15, widths)
    role = [int(rng.integers(4)) for _ in range(15)]
    visits = np.zeros(4)
    for options in steps:
        for task in options:
            visits[role[task]] += 1 / len(options)
    # The busiest role is at 92% of its time: 9 hours on seven days.
    weekly, sizes = 1250.0, np.array([len(r) for r in roles])
    tasks = []
    for i in range(15):
        full = 63.0 * sizes[role[i]] / (weekly * max(visits[role[i]], 1))
        tasks.append(Task(f"task {i:02d}", roles[role[i]], float(full * rng.uniform(0.9, 1.0) / 1.13), 0.5))
    route = _walk(steps, 0.0, 0.05, _choices(rng, steps))
    people = _clerks(rng, 18, "0123456", 9, 18)
    return Office(tasks, people, 1, route, stream(weekly, hours("0123456", 7, 21)), 8)


def _gates(rng: Rng, tasks: int) -> Callable[[Rng], Route]:
    """Blocks of choices and of branches side by side, over all tasks."""
    plan: list[tuple[str, list[list[int]]]] = []
    at = 0
    while at < tasks:
        if rng.random() < 0.4 and at + 4 < tasks:
            plan.append(("and", [[at, at + 1], [at + 2], [at + 3]]))
            at += 4
        elif rng.random() < 0.6 and at + 3 < tasks:
            plan.append(("or", [[at], [at + 1, at + 2]]))
            at += 3
        else:
            plan.append(("and", [[at]]))
            at += 1

    def route(luck: Rng) -> Route:
        return [block if kind == "and" else [block[int(luck.random() < 0.4)]] for kind, block in plan]

    return route


def confidential(rng: Rng, cases: int, tasks: int, people: int) -> Office:
    """Multitasking and parallel gateways; few people."""
    skills = [tuple(int(p) for p in rng.choice(people, int(rng.integers(3, 7)), replace=False)) for _ in range(tasks)]
    load = np.zeros(people)
    for who in skills:
        load[list(who)] += 1 / len(who)
    # At 120 cases a week and three pieces of work at once the busiest are at some 80%.
    scale = 0.8 * 45 * 3 / (120 * 0.7 * load.max())
    work = [Task(f"act {i:02d}", who, float(scale * rng.uniform(0.4, 1.1)), 0.5) for i, who in enumerate(skills)]
    weeks = cases / 120
    return Office(work, _clerks(rng, people), 3, _gates(rng, tasks), stream(120, OFFICE), weeks)


def bank(rng: Rng) -> Office:
    """30,000 cases, 240,000 activities, 140 people, waits for customers, recording that stops abruptly."""
    tasks = [
        Task(f"call {i}", tuple(int(p) for p in rng.choice(140, 60, replace=False)), float(rng.uniform(0.05, 0.3)), 1.0,
             float(rng.choice([0, 20, 70])), 1.2)
        for i in range(8)
    ]  # fmt: skip
    steps = _steps(8, [1, 2, 1, 1, 2, 1])
    route = _walk(steps, 0.2, 0.05, _choices(rng, steps))
    return Office(tasks, _clerks(rng, 140, "012345"), 1, route, stream(580, hours("012345", 8, 21)), 53,
                  recorded=(0, 53))  # fmt: skip


def _ward(rng: Rng, **changes: object) -> Office:
    """A small process of eight activities and ten people that the further kinds vary."""
    tasks = [
        Task(f"part {i}", tuple(int(p) for p in rng.choice(10, 4, replace=False)), float(rng.uniform(0.2, 1.2)), 0.7,
             float(rng.choice([0, 0, 6, 30])), 0.9)
        for i in range(8)
    ]  # fmt: skip
    steps = _steps(8, [1, 2, 1, 2, 1, 1])
    usual: dict[str, object] = {
        "tasks": tasks, "calendars": _clerks(rng, 10), "capacity": 1, "route": _walk(steps, 0.1, 0.1,
        _choices(rng, steps)), "arrivals": stream(25, OFFICE), "weeks": 26,
    }  # fmt: skip
    return Office(**(usual | changes))  # type: ignore[arg-type]


def instants(rng: Rng) -> Office:
    """Ends only, no starts; recording stops abruptly and shows ended cases."""
    return _ward(rng, stamps="ends", recorded=(0, 26))


def tiny(rng: Rng) -> Office:
    """Some 45 cases."""
    return _ward(rng, arrivals=stream(5, OFFICE), weeks=9)


def unnamed(rng: Rng) -> Office:
    """A third of the people is missing."""
    return _ward(rng, named=0.67)


def growing(rng: Rng) -> Office:
    """Three years in which arrivals grow threefold."""
    return _ward(rng, arrivals=stream(14, OFFICE, np.log(3) / 156), weeks=156)


def falling(rng: Rng) -> Office:
    """Two years in which arrivals fall to a third; recording goes on for weeks."""
    return _ward(rng, arrivals=stream(30, OFFICE, -np.log(3) / 104), weeks=104, recorded=(0, 112))


def nights(rng: Rng) -> Office:
    """Three shifts around the clock, work does not rest."""
    shifts = [hours("0123456", 6 + 8 * (i % 3), 14 + 8 * (i % 3)) for i in range(10)]
    tasks = [Task(f"part {i}", tuple((3 * j + s) % 10 for j in range(3) for s in range(3)),
                  float(rng.uniform(0.3, 1.5)), 0.7, float(rng.choice([0, 0, 6]))) for i in range(8)]  # fmt: skip
    return _ward(rng, tasks=tasks, calendars=np.array(shifts), arrivals=stream(75, np.ones(SLOTS, bool)), weeks=12,
                 pauses=False)  # fmt: skip


def holidays(rng: Rng) -> Office:
    """Closed for two weeks and on some days; nothing arrives then."""
    shut = ((50 * DAY, 64 * DAY), (90 * DAY, 91 * DAY), (111 * DAY, 112 * DAY), (150 * DAY, 151 * DAY))
    draw = stream(25, OFFICE)

    def arrivals(luck: Rng, weeks: float) -> NDArray[np.float64]:
        times = draw(luck, weeks)
        return times[~np.any([(times >= a) & (times < b) for a, b in shut], axis=0)]

    return _ward(rng, arrivals=arrivals, closed=shut)


def dated(rng: Rng) -> Office:
    """Days instead of times."""
    return _ward(rng, stamps="day")


def at_once(rng: Rng) -> Office:
    """All that happens in a case happens in the same instant."""
    tasks = [Task(f"part {i}", (), 0.0) for i in range(8)]
    return _ward(rng, tasks=tasks, arrivals=stream(120, OFFICE), weeks=8)


def long_ended(rng: Rng) -> Office:
    """Cases of weeks; recording stops abruptly and shows only ended cases."""
    return _slow(rng, (0, 30), "ended")


def long_done(rng: Rng) -> Office:
    """Cases of weeks; recorded from an instant to an instant, whatever was done then."""
    return _slow(rng, (10, 40), "done")


def long_followed(rng: Rng) -> Office:
    """Cases of weeks, all followed to their ends, long after the last arrival."""
    return _slow(rng, None, "ended")


def _slow(rng: Rng, recorded: tuple[float, float] | None, shows: str) -> Office:
    tasks = [
        Task(f"part {i}", tuple(int(p) for p in rng.choice(12, 5, replace=False)), float(rng.uniform(0.2, 1.2)), 0.7,
             float(rng.choice([20, 60, 150])), 0.8)
        for i in range(8)
    ]  # fmt: skip
    weeks = recorded[1] if recorded else 30
    return _ward(rng, tasks=tasks, calendars=_clerks(rng, 12), arrivals=stream(25, OFFICE), weeks=weeks,
                 recorded=recorded, shows=shows)  # fmt: skip


KINDS: dict[str, Callable[[Rng], Office]] = {
    "procurement": procurement,
    "administration": administration,
    "pharmacy": pharmacy,
    "confidential 1000": lambda rng: confidential(rng, 1000, 40, 14),
    "confidential 2000": lambda rng: confidential(rng, 1700, 49, 26),
    "bank": bank,
    "instants": instants,
    "tiny": tiny,
    "unnamed": unnamed,
    "growing": growing,
    "falling": falling,
    "nights": nights,
    "holidays": holidays,
    "dated": dated,
    "at once": at_once,
    "long, ended": long_ended,
    "long, done": long_done,
    "long, followed": long_followed,
}
