"""Columns and codes of the general process kernel (`twin.kernels.tokens`).

A case has a row of `case`; each of its tokens, each instance of a repeated task, each batch under way and each timer
beside a token's own has a row of `row`. Rows are linked in two lists: those of a case or host (`R_CASE_NEXT`) and those
of a queue, a server, a batch or a blocked way (`R_NEXT`).
"""

from __future__ import annotations

import numpy as np

from twin.kernels.timers import NEVER

# Return codes of `advance`. After all but DONE it goes on where it stopped once the array has room.
DONE, CASES_FULL, OUTCOMES_FULL, RUNAWAY, ROWS_FULL, AGENDA_FULL, LOG_FULL, STUCK, EXHAUSTED = range(9)
# Kinds of node.
TASK, CHOICE, DELAY, WINDOW, END, FORK, JOIN, SPLIT, MERGE, RACE = range(10)
SERVED, ABANDONED, REFUSED = 0, 1, 2
FOREVER = NEVER
UNLIMITED = 1 << 60
MAX_VISITS = 1 << 16
QUARTER = 900_000_000_000
QUARTERS_OF_WEEK = 672

# Kinds of row.
TOKEN, INSTANCE, CARRIER, EVENT, DEADLINE, BATCH_TIMER = np.arange(6)
# What a row is doing.
TRANSIT, WAITING, SERVING, RESTING, RETRYING, JOINED, BLOCKED, GATHERING, ITEM, HOSTING, PAUSED, ARMED = range(12)
HELD = 12  # given to a member who is not at work

# Columns of `row` (int64).
(R_KIND, R_STATE, R_CASE, R_NODE, R_ENTERED, R_START, R_SERVICE, R_WORK) = range(8)
(R_SINCE, R_POOL, R_MEMBER, R_LANE, R_NEXT, R_PREVIOUS, R_ORDER, R_WORD) = range(8, 16)
(R_ROUTE, R_LEAVE, R_SERIAL, R_CASE_NEXT, R_CASE_PREVIOUS, R_HOST, R_ALARMS, R_LEFT) = range(16, 24)
(R_INDEX, R_EDGE, R_LOST, R_LOOSE, R_HEAD, R_TAIL, R_VISIT, R_TURN) = range(24, 32)
R_RANK = 32  # before all order of coming within a lane: 0, or the number of the case
ROW_COLUMNS = 33

# Columns of `case` (int64).
(C_REQUEST, C_CLIENT, C_CLASS, C_ENTITY, C_SERIAL, C_BORN, C_WAIT, C_FELT) = range(8)
(C_LIMIT, C_ACTIVE, C_TOKENS, C_HEAD, C_TAIL, C_JOINED, C_FLAG, C_NEXT) = range(8, 16)
C_ALARMS, C_LAST = 16, 17
CASE_COLUMNS = 18

# Columns of `node` (int64).
(N_KIND, N_POOL, N_OUTCOME, N_ABANDON, N_DRAWS, N_ACTIVE, N_TARGET, N_REWORK) = range(8)
(N_LIMIT, N_OTHERWISE, N_MILESTONE, N_EDGE, N_EDGE_END, N_EVENT, N_EVENT_END, N_NEED) = range(8, 16)
(N_ENDS_CASE, N_WAYS, N_RETRY, N_ATTEMPTS, N_FACTOR, N_HOURS, N_REPEAT, N_COUNT) = range(16, 24)
(N_SIZE, N_LONGEST, N_PER_ITEM, N_BATCH, N_QUEUE, N_FULL, N_REQUIRE, N_ABLE) = range(24, 32)
(N_WAITING, N_BLOCKED_HEAD, N_BLOCKED_TAIL, N_GATHER_HEAD, N_GATHER_TAIL, N_GATHERED, N_CALENDAR, N_COUNT_BY) = range(
    32, 40
)
N_DEADLINES, N_RETRY_LAW = 40, 41
NODE_COLUMNS = 42
# N_FULL: what happens when the queue is full (an edge: who comes goes there).
NO_LIMIT, BLOCK, REFUSE = -3, -2, -1
# N_PER_ITEM: a batch has one service time; or those of its items, after which all go on, or each after its own.
PER_BATCH, SUMMED, IN_TURN = 0, 1, 2
# N_REPEAT.
ONCE, SEQUENTIAL, PARALLEL = 0, 1, 2

# Columns of `edge` (int64): where a way leads, and its number among the ways into a join.
E_TARGET, E_WAY = 0, 1
# Columns of `event` (int64): races, boundaries and deadlines; what happens, and in which calendar time runs.
V_EDGE, V_INTERRUPTS, V_CALENDAR, V_BEGINS, V_UNTIL = range(5)
EVENT_COLUMNS = 5

# Columns of `pool` (int64).
P_CAPACITY, P_BUSY, P_QUEUE, P_TOUCHED = 0, 1, 2, 3
(P_NAMED, P_FIRST, P_END, P_LISTS, P_REQUIRES, P_RUNS, P_PREEMPT, P_PAUSE, P_RULE) = range(4, 13)
P_FREE_FIRST = 13  # whether work is given to members who are not at work, too
P_OLDEST = 14  # whether the oldest case goes first
POOL_COLUMNS = 15
LONGEST_IDLE, PREFERRED, ANY = 0, 1, 2
RESUME, RESTART = 1, 2
A_QUEUE, A_BUSY, A_STAFFED = 0, 1, 2
AREA_COLUMNS = 3
# Columns of `member` (int64).
M_POOL, M_DUTY, M_LOAD, M_MOST, M_IDLE, M_HEAD, M_TAIL, M_PAUSED = range(8)
M_TAKES = 8  # whether he is given work
MEMBER_COLUMNS = 9

# Columns of `border` (int64): instant, what changes, whose, to what.
B_TIME, B_KIND, B_WHOSE, B_VALUE = range(4)
B_CAPACITY, B_DUTY = 0, 1

# Entries of `state` (int64).
(S_NOW, S_SEQUENCE, S_LEAVES, S_FREE_ROW, S_FREE_ROWS, S_FREE_CASE, S_ARRIVAL, S_BORDER) = range(8)
(S_OUT, S_INSIDE, S_BASE, S_AGENDA, S_SERIAL, S_ORDER, S_IDLE, S_BLOCKED) = range(8, 16)
(S_CHECK, S_CHECK_TAIL, S_LOG, S_PAUSES, S_WEEKDAY, S_TROUBLE, S_TROUBLE_NODE) = range(16, 23)
STATE_SIZE = 23

# Actions; an entry of `agenda` is (action, row or pool or member or node or case, argument, serial).
# The first concern a row, the last a case, and are void when it is gone.
# Not plain numbers: each of those that is an argument would give a compiled function of its own.
(GO, ENTER, ROUTE, WORK, START, FINISH, LEAVE, PAUSE, INSTANCES) = np.arange(9)
(FREE, SEEK, ADMIT, FIRE, PACE, TRIM) = np.arange(9, 15)
CLOSE, RETIRE = np.arange(15, 17)
AGENDA_COLUMNS = 4
MARGIN = 16

# Entries of `streams` (int64): numbers of the random streams.
(Q_SERVICE, Q_PATIENCE, Q_EVENT, Q_SPLIT, Q_INSTANCE, Q_COUNT, Q_RETRY, Q_ALLOCATION, Q_DEADLINE) = range(9)

# Columns of `count` (int64), one row per node, then whole cases and cases at the milestone.
K_ARRIVALS, K_STARTS, K_COMPLETIONS, K_ABANDONED, K_LEFT, K_REWORK, K_NO_WAIT, K_WITHIN = range(8)
K_BUSY, K_RETRIES, K_REFUSED, K_GIVEN_UP = range(8, 12)
COUNT_COLUMNS = 12
# Columns of `total` (float64, ns).
T_WAIT_SERVED, T_WAIT_ABANDONED, T_SERVICE, T_WAIT_SQUARED, T_PAUSED = 0, 1, 2, 3, 4
T_SOJOURN, T_ACTIVE, T_WAIT = 0, 1, 2
TOTAL_COLUMNS = 5
OUTCOME_COLUMNS = 6
# Columns of `log` (int64), one row per execution of an activity, and of `pauses`.
(L_REQUEST, L_NODE, L_VISIT, L_POOL, L_MEMBER, L_ENABLED, L_START, L_END, L_PAUSED, L_COMPLETE) = range(10)
LOG_COLUMNS = 10
PAUSE_COLUMNS = 5
NONE = np.int64(-1)
