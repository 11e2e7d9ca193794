"""Who is at work: inferred from the calls that each agent took, and from who had to wait meanwhile.

Rule: an agent is at work from his first call of a day to his last, without the gaps in which callers waited for more
than `ALLOWANCE_S` in all (he would have taken one of them: a break), and without gaps longer than `LONGEST_GAP_S`. If
nobody waited when he began or stopped, he was there for a while without a call: on average as long as agents are idle
between two calls at that hour (idle times without memory).
Does not see: agents who were there and took no call, skills (an agent who may not take the callers that wait counts
as on a break).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.calibration.call_centre.records import DAY_S, Calls
from twin.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ALLOWANCE_S = 60.0
LONGEST_GAP_S = 2_700.0
MOST_UNNAMED = 0.5
STAY_ON_S = 1_800.0
"""How long the last agents of a day stay for callers who still wait; who calls after closing is rare."""
_FEW = 30


@dataclass(frozen=True)
class Roster:
    """Presence of agents: from `start` to `end` (s), rows in no order; time at work, in breaks and on calls in s.

    `turnaround` is the time from the end of a call to the next one where a caller was waiting all the while.
    """

    start: Floats
    end: Floats
    turnaround: Floats
    on_calls: float
    on_breaks: float

    @property
    def idle_share(self) -> float:
        """Share of the time at work that was not on a call."""
        return 1.0 - self.on_calls / float(np.sum(self.end - self.start))

    @property
    def break_share(self) -> float:
        """Share of the time between an agent's first and last call of a day that he was away."""
        return self.on_breaks / (self.on_breaks + float(np.sum(self.end - self.start)))

    def steps(self, start: float, end: float) -> tuple[Floats, Ints]:
        """Instants in [start, end) at which the number at work changes, from `start`, and the number from then on."""
        inside = (self.end > start) & (self.start < end)
        times = np.concatenate([[start], np.maximum(self.start[inside], start), self.end[inside]])
        change = np.concatenate([[0], np.ones(inside.sum(), np.int64), -np.ones(inside.sum(), np.int64)])
        instants, where = np.unique(times, return_inverse=True)
        number = np.cumsum(np.bincount(where, weights=change)).astype(np.int64)
        return instants[instants < end], number[instants < end]

    def means(self, days: int, period_s: float) -> Floats:
        """Mean number at work per day and period, float64[days, periods per day]."""
        edges = np.arange(0.0, days * DAY_S + period_s / 2, period_s)
        moments = np.concatenate([self.start, self.end])
        sign = np.concatenate([np.ones(len(self.start)), -np.ones(len(self.end))])
        order = np.argsort(moments, kind="stable")
        moments, level = moments[order], np.cumsum(sign[order])
        area = np.concatenate([[0.0], np.cumsum(level[:-1] * np.diff(moments))])
        return np.diff(np.interp(edges, moments, area)).reshape(days, -1) / period_s


def steps_of(means: Floats, period_s: float) -> tuple[Floats, Ints]:
    """Whole agents with the given mean in every period: one more in its first part, one fewer in the rest."""
    flat = np.maximum(np.asarray(means, np.float64).ravel(), 0.0)
    whole = np.floor(flat + 1e-9).astype(np.int64)
    rest = np.clip(flat - whole, 0.0, 1.0)
    start = np.arange(len(flat)) * period_s
    times = np.stack([start, start + np.round(rest * period_s)], axis=1).ravel()
    number = np.stack([whole + 1, whole], axis=1).ravel()
    keep = np.concatenate([np.diff(times) > 0, [True]])
    times, number = times[keep], number[keep]
    changed = np.concatenate([[True], np.diff(number) != 0])
    return times[changed], number[changed]


def stay_on(times: Floats, number: Ints, longest_s: float = STAY_ON_S) -> tuple[Floats, Ints]:
    """The same steps, but the last agents stay a while after closing for those who still wait."""
    times, number = times.copy(), number.copy()
    closing = np.flatnonzero((number == 0) & (np.concatenate([[0], number[:-1]]) > 0))
    latest = np.append(times[1:], np.inf)[closing]
    times[closing] = np.minimum(times[closing] + longest_s, latest)
    keep = np.append(np.diff(times) > 0, True)
    return times[keep], number[keep]


def time_with_queue(start: Floats, end: Floats, at: Floats) -> Floats:
    """Time (s) before each instant of `at` in which at least one of the intervals [start, end) was open."""
    moments = np.concatenate([start, end])
    sign = np.concatenate([np.ones(len(start)), -np.ones(len(end))])
    order = np.lexsort((-sign, moments))
    moments, level = moments[order], np.cumsum(sign[order])
    if not len(moments):
        return np.zeros(len(at))
    area = np.concatenate([[0.0], np.cumsum((level[:-1] > 0) * np.diff(moments))])
    return np.interp(at, moments, area)


def infer(calls: Calls, allowance_s: float = ALLOWANCE_S, longest_gap_s: float = LONGEST_GAP_S) -> Roster:
    """Presence of every agent, from the calls he took; calls of unnamed agents count as somebody's for their length.

    Raises:
        DataError: if most of the calls served name no agent.
    """
    if np.mean(calls.agent[calls.served] < 0) > MOST_UNNAMED:
        raise DataError("most calls do not say which agent took them", hint="The number at work comes from names.")
    begin = calls.queued + calls.wait
    usable = calls.served & np.isfinite(calls.service)
    waited = calls.wait > 0
    named = usable & (calls.agent >= 0)
    order = np.flatnonzero(named)[np.lexsort((begin[named], calls.agent[named]))]
    start = begin[order]
    end = start + calls.service[order]
    same = calls.agent[order][1:] == calls.agent[order][:-1]
    # an agent's records may overlap by a second or two; a call within another one ends no earlier than that one
    gap_start, gap_end = end[:-1], start[1:]
    length = np.maximum(gap_end - gap_start, 0.0)
    queue_start, queue_end = calls.queued[waited], (calls.queued + calls.wait)[waited]
    queued = time_with_queue(queue_start, queue_end, gap_end) - time_with_queue(queue_start, queue_end, gap_start)
    joined = same & (queued <= allowance_s) & (length <= longest_gap_s)
    same_day = same & (gap_start // DAY_S == gap_end // DAY_S)
    away = same_day & ~joined
    first = np.concatenate([[True], ~joined])
    block_end = np.maximum.reduceat(end, np.flatnonzero(first)) if len(end) else end
    others = usable & (calls.agent < 0)
    in_queue = joined & (calls.queued[order][1:] <= gap_start) & waited[order][1:]
    block_start = start[first]
    idle = _idle_by_hour(gap_end, length, joined & ~waited[order][1:])
    # the first call of a stretch had not waited: he had been free; nobody waited after its last call: he stayed free
    was_free = ~waited[order][first]
    still_free = time_with_queue(queue_start, queue_end, block_end + 1) == time_with_queue(
        queue_start, queue_end, block_end
    )
    block_start = block_start - np.where(was_free, idle[_hour(block_start)], 0.0)
    block_end = block_end + np.where(still_free, idle[_hour(block_end)], 0.0)
    return Roster(
        np.concatenate([block_start, begin[others]]),
        np.concatenate([block_end, (begin + np.nan_to_num(calls.service))[others]]),
        length[in_queue],
        float(np.nansum(calls.service[usable])),
        float(length[away].sum()),
    )


def _hour(at: Floats) -> Ints:
    return (at % DAY_S // 3600).astype(np.int64)


def _idle_by_hour(at: Floats, length: Floats, free: NDArray[np.bool_]) -> Floats:
    """Mean idle time (s) between two calls by hour of the day; hours with few take the mean of all."""
    number = np.bincount(_hour(at[free]), minlength=24)
    total = np.bincount(_hour(at[free]), length[free], minlength=24)
    overall = float(total.sum()) / max(int(number.sum()), 1)
    return np.where(number >= _FEW, total / np.maximum(number, 1), overall)
