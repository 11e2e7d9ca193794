"""The workforce kernel in plain Python: a list of events, searched for the earliest each time."""

from __future__ import annotations

from twin.kernels.philox import uniform
from twin.kernels.workforce_queue import PICK, SLOT, SLOTS, U_CHOICE, U_DELAY, U_SAME, U_SERVICE

STEP, TIME, MS, SHIFT = 4096, 68, 1_000_000, 259_200_000_000_000


def slot_of(at):
    return (at + SHIFT) // SLOT % SLOTS


def quantile(row, u):
    place = u * (len(row) - 1)
    low = int(place)
    return int(row[-1]) if low >= len(row) - 1 else int(row[low]) + int((place - low) * int(row[low + 1] - row[low]))


KNOWN_WORK = 1_200_000
"""ms of the instances whose work is known."""


def known(c, i):
    return (c + i) % 5 == 2


def finish(calendar, who, at, work, pauses):
    if not pauses:
        return at + work
    while True:
        edge = ((at + SHIFT) // SLOT + 1) * SLOT - SHIFT
        if calendar[who][slot_of(at)]:
            if at + work <= edge:
                return at + work
            work -= edge - at
        at = edge


def run(model, arrival, routes, seed):
    """Instances (case, position) -> (who, start, end); `model` holds the tables as attributes."""
    people, k = len(model.calendar), len(model.skilled)
    done, running, waiting = {}, [], []
    started = {}
    busy = [0] * people
    picks = [0]
    order = 0
    now = None
    pending = [(t, 0, c) for c, t in enumerate(arrival)]

    def draw(c, i, what):
        return uniform(seed, 0, TIME, c, i * STEP + what)

    def enable(c, by, first):
        nonlocal order
        for i in range(first, len(routes[c])):
            if (c, i) in started or any(w[2:4] == (c, i) for w in waiting) or any(d[2:4] == (c, i) for d in delayed):
                continue
            before = [j for j in range(i) if not model.concurrent[routes[c][i]][routes[c][j]]]
            if all((c, j) in done for j in before):
                group = model.w_group[by * k + routes[c][i]]
                wait = quantile(model.delay[group], draw(c, i, U_DELAY)) * MS if group >= 0 else 0
                order += 1
                delayed.append((now + wait, order, c, i))

    def begin(c, i, who):
        nonlocal order
        a = routes[c][i]
        busy[who] += 1
        factor = 0.5 + 0.25 * ((c + i) % 4)
        hour = (now + SHIFT) // (2 * SLOT) % 24
        work = quantile(model.service[model.s_group[a * people + who]], draw(c, i, U_SERVICE))
        work = int(work * factor * float(model.hourly[a][hour])) * MS
        if known(c, i):
            work = KNOWN_WORK * MS
        order += 1
        started[c, i] = (who, now, finish(model.calendar, who, now, work, model.pauses))
        running.append((started[c, i][2], order, c, i))

    def urgency(entry):
        ready, _, c, i = entry
        if not model.first_waits and i == 0 and known(c, i):
            return (-1, 0, 0, 0)
        key = arrival[c] if model.oldest_case else ready
        a = routes[c][i]
        return (0, int(model.priority[a]), key, ready)

    def look(who):
        while busy[who] < model.calendar[who][slot_of(now)]:
            heads = {}
            for entry in waiting:
                a = routes[entry[2]][entry[3]]
                if model.skilled[a][who] > 0 and (a not in heads or urgency(entry) < urgency(heads[a])):
                    heads[a] = entry
            if not heads:
                return
            best = min((heads[a] for a in sorted(heads)), key=urgency)
            if model.loose and urgency(best)[0] == 0:
                picks[0] += 1
                if uniform(seed, 0, PICK, picks[0], 0) * 1000 < model.loose:
                    same = model.priority[routes[best[2]][best[3]]]
                    alike = [e for e in waiting if model.skilled[routes[e[2]][e[3]]][who] > 0]
                    alike = [e for e in alike if model.priority[routes[e[2]][e[3]]] == same]
                    # The sort is stable: among equals, who joined first.
                    alike.sort(key=lambda e: (routes[e[2]][e[3]], urgency(e)[2]))
                    best = alike[int(uniform(seed, 0, PICK, picks[0], 1) * len(alike))]
            waiting.remove(best)
            begin(best[2], best[3], who)

    delayed, freed = [], []
    released = [0] * people
    opening = min(arrival) - 1
    while True:
        events = [(e[0], 1, e[1], "end", e) for e in running] + [(e[0], 1, e[1], "ready", e) for e in delayed]
        events += [(t, 1, number, "free", who) for t, number, who in freed]
        events += [(e[0], 0, e[2], "arrival", e) for e in pending[:1]]
        if not events and not waiting:
            return started
        nearest = min(events)[0] if events else None
        following = (opening + SHIFT) // SLOT + 1
        while not any(
            model.calendar[p][following % SLOTS] > model.calendar[p][(following - 1) % SLOTS] for p in range(people)
        ):
            following += 1
        tick = following * SLOT - SHIFT
        if nearest is None or tick <= nearest:
            opening = now = tick
            for who in range(people):
                look(who)
            continue
        now, _, _, kind, what = min(events, key=lambda e: e[:3])
        if kind == "arrival":
            pending.pop(0)
            enable(what[2], k, 0)
        elif kind == "end":
            running.remove(what)
            c, i = what[2:]
            done[c, i] = True
            enable(c, routes[c][i], i + 1)
            who = started[c, i][0]
            released[who] += 1
            if released[who] == 1:
                order += 1
                freed.append((now, order, who))
        elif kind == "free":
            freed = [f for f in freed if f[2] != what]
            busy[what] -= released[what]
            released[what] = 0
            look(what)
        else:
            delayed.remove(what)
            c, i = what[2:]
            a = routes[c][i]
            able = [p for p in range(people) if model.skilled[a][p] > 0 and busy[p] < model.calendar[p][slot_of(now)]]
            chosen = -1
            if able:
                before = started.get((c, i - 1), (-1,))[0] if i else -1
                if before in able:
                    group = model.w_group[routes[c][i - 1] * k + a]
                    if group >= 0 and draw(c, i, U_SAME) * 1000.0 < model.same[group]:
                        chosen = before
                if chosen < 0:
                    u = draw(c, i, U_CHOICE) * float(sum(model.skilled[a][p] for p in able))
                    for p in able:
                        chosen = p
                        u -= model.skilled[a][p]
                        if u < 0:
                            break
            if chosen >= 0:
                begin(c, i, chosen)
            else:
                waiting.append((what[0], what[1], c, i))
