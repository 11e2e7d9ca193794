"""Deadlines of cases and of sections, in the general process kernel."""

from __future__ import annotations

import numpy as np

from twin.kernels import inlined_part, part
from twin.kernels.durations import sample
from twin.kernels.philox import block
from twin.kernels.tokens_layout import *
from twin.kernels.tokens_lists import arm, disarm, free_row, new_row
from twin.kernels.tokens_staff import working_time


@part
def deadlines_at(w, c, n):
    """Stop the clocks that a node stops (-1: the beginning of the case), and start those that it starts."""
    row, case, event = w.row, w.case, w.event
    for d in range(w.n_deadlines):
        if event[d, V_UNTIL] != n and event[d, V_BEGINS] != n:
            continue
        before = NONE
        x = case[c, C_ALARMS]
        while x >= 0 and row[x, R_INDEX] != d:
            before = x
            x = row[x, R_CASE_NEXT]
        if x >= 0 and event[d, V_UNTIL] == n:
            if before >= 0:
                row[before, R_CASE_NEXT] = row[x, R_CASE_NEXT]
            else:
                case[c, C_ALARMS] = row[x, R_CASE_NEXT]
            _kept(w, x)
            x = NONE
        if x < 0 and event[d, V_BEGINS] == n:
            _start(w, c, np.int64(d))


@inlined_part
def _kept(w, x):
    """A deadline is kept: its clock stops."""
    w.deadlines[w.row[x, R_INDEX], 1] += 1
    disarm(w, x)
    free_row(w, x)


@part
def _start(w, c, d):
    """The clock of a deadline starts."""
    row, case = w.row, w.case
    x = new_row(w, DEADLINE, c)
    row[x, R_STATE] = ARMED
    row[x, R_INDEX] = d
    row[x, R_CASE_NEXT] = case[c, C_ALARMS]
    case[c, C_ALARMS] = x
    words = block(w.key, w.replication, w.streams[Q_DEADLINE], case[c, C_ENTITY], np.uint64(d))
    after = sample(w.event_law[d, case[c, C_CLASS]], *w.laws, np.int64(words[0]))
    arm(w, x, working_time(w, w.event[d, V_CALENDAR], after))


@part
def stop_deadlines(w, c):
    """A case ends: its deadlines are kept."""
    case = w.case
    while case[c, C_ALARMS] >= 0:
        x = case[c, C_ALARMS]
        case[c, C_ALARMS] = w.row[x, R_CASE_NEXT]
        _kept(w, x)
