"""Exact discrete-event execution of a process with several tokens per case: the general process kernel.

What happens is cut into actions on an agenda, of which the last put is done first. An action looks whether the arrays
have room for it before it changes anything, so the kernel can stop between any two, have an array grown, and go on.
Every timer is a leaf of one winner tree and is removed as soon as it has lost its point; rows of finished tokens are
used again.

Events of one instant are handled in the order: borders of shifts, timers (by sequence), arrivals (in the order given).
Draws are functions of (case, node, visit); those that `twin.kernels.network` also makes are the same there.

Where to find what (`tokens_` before each name):

    layout, world       codes and columns; the arrays
    timers              what a timer sets off: end of service, patience, events on borders, deadlines
    cases               arrivals, departures, ends of cases
    ways, nodes         the way to the next node, and what happens when a token enters it
    gateways            splits and joins
    service, batches    asking for a server, service, pauses; work on several cases together
    pools, staff        what servers do; who takes what, how fast, in which hours
    withdraw, deadlines taking tokens away from what they do; time limits
    counts, lists       statistics and logs; lists of rows, timers, agenda
"""

from __future__ import annotations

from twin.kernels import inlined_part, kernel
from twin.kernels.borrowed import borrow
from twin.kernels.timers import LAST_SEQUENCE
from twin.kernels.tokens_batches import fire
from twin.kernels.tokens_cases import arrive, close, leave, retire
from twin.kernels.tokens_gateways import look_at_joins
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_nodes import enter, instances
from twin.kernels.tokens_pools import change_staff, free, pace, seek, trim
from twin.kernels.tokens_service import finish, pause, start, work
from twin.kernels.tokens_timers import go_off
from twin.kernels.tokens_ways import admit, go, route
from twin.kernels.tokens_world import World


@kernel
def advance(until, world):
    """Handle every event strictly before `until` (ns), or stop early with a code when an array is full.

    Args:
        until: ns.
        world: the fields of `World`, as a plain tuple.
    """
    w = borrow(World(*world))
    state = w.state
    if state[S_SEQUENCE] >= LAST_SEQUENCE >> 1:
        return EXHAUSTED
    while True:
        if state[S_AGENDA] == 0:
            if state[S_CHECK] >= 0:
                code = look_at_joins(w, state[S_CHECK])
            else:
                now = _next_event(w)
                if now >= until:
                    return DONE
                code = _happen(w, now)
            if code != DONE:
                return code
            continue

        # The last action on the agenda; it stays there if an array is full.
        agenda = w.agenda
        i = state[S_AGENDA] - 1
        if i + 1 + MARGIN > agenda.shape[0]:
            return AGENDA_FULL
        action = agenda[i, 0]
        x = agenda[i, 1]
        argument = agenda[i, 2]
        state[S_AGENDA] = i
        code = DONE
        if action <= INSTANCES and w.row[x, R_SERIAL] != agenda[i, 3]:
            continue
        if action >= CLOSE and w.case[x, C_SERIAL] != agenda[i, 3]:
            continue
        if action == GO:
            code = go(w, x, argument)
        elif action == ENTER:
            code = enter(w, x, argument)
        elif action == ROUTE:
            code = route(w, x)
        elif action == WORK:
            work(w, x)
        elif action == START:
            code = start(w, x)
        elif action == FINISH:
            code = finish(w, x)
        elif action == LEAVE:
            leave(w, x, argument)
        elif action == PAUSE:
            pause(w, x, argument)
        elif action == INSTANCES:
            code = instances(w, x)
        elif action == FREE:
            free(w, x, argument)
        elif action == SEEK:
            code = seek(w, x, argument)
        elif action == ADMIT:
            admit(w, x)
        elif action == FIRE:
            code = fire(w, x)
        elif action == PACE:
            pace(w, x, argument)
        elif action == TRIM:
            code = trim(w, x, argument)
        elif action == CLOSE:
            code = close(w, x, argument)
        else:
            code = retire(w, x, argument)
        if code != DONE:
            state[S_AGENDA] = i + 1
            return code


@inlined_part
def _next_event(w):
    """When something happens next."""
    a = w.state[S_ARRIVAL]
    return min(w.arrival[0, a] if a < w.arrival.shape[1] else FOREVER, _next_border(w), w.tree[2])


@inlined_part
def _next_border(w):
    """When staff change next."""
    b = w.state[S_BORDER]
    return w.borders[b, B_TIME] if b < w.borders.shape[0] else FOREVER


@inlined_part
def _happen(w, now):
    """The next event happens: a change of staff, a timer, or an arrival."""
    state = w.state
    if state[S_FREE_ROWS] < w.n_deadlines + 2:
        return ROWS_FULL
    if _next_border(w) == now:
        state[S_NOW] = now
        change_staff(w)
        return DONE
    if w.tree[2] == now:
        return go_off(w, now)
    return arrive(w, now)
