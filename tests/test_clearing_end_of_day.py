"""The end-of-day batch: closed forms, a plain reference queue, monotonicity and cut-offs."""

from __future__ import annotations

import datetime as dt
import heapq
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clearing.breaks import Shift, plan_breaks
from twin.clearing.end_of_day import EndOfDay, EndOfDayConfig, EndOfDayResult, Step
from twin.clock import DAY, HOUR, MINUTE, SECOND, Clock, at
from twin.errors import ScenarioError
from twin.randomness import Streams

MONDAY, FRIDAY = dt.date(2025, 4, 7), dt.date(2025, 4, 11)
ACCOUNTS = 5_000
CONFIG = EndOfDayConfig()


def run(config: EndOfDayConfig, records: int, *, day: dt.date = MONDAY, seed: int = 1) -> EndOfDayResult:
    clock = Clock(day)
    process = EndOfDay(config, clock, Streams(seed)).start(records, ACCOUNTS)
    return clock.env.run(until=process)


def reference_desk(arrivals: list[int], repairs: list[int], shifts: tuple[Shift, ...], until: int) -> list[int]:
    """First come, first served, minute by minute of events: when is each break mended (-1: not before `until`)?"""
    changes = sorted({s.start for s in shifts} | {s.end for s in shifts})
    moments = [(t, 0) for t in arrivals] + [(t, 0) for t in changes]
    heapq.heapify(moments)
    mended, waiting, busy, seen = [-1] * len(arrivals), 0, [], 0
    while moments:
        now = heapq.heappop(moments)[0]
        while busy and busy[0] <= now:
            heapq.heappop(busy)
        while seen < len(arrivals) and arrivals[seen] <= now:
            seen += 1
        duty = sum(s.staff for s in shifts if s.start <= now < s.end)
        while waiting < seen and len(busy) < duty:
            done = now + repairs[waiting]
            mended[waiting] = done if done <= until else -1
            heapq.heappush(busy, done)
            heapq.heappush(moments, (done, 0))
            waiting += 1
    return mended


@pytest.mark.parametrize("servers", [1, 3])
@pytest.mark.parametrize("records", [1, 7, 1_000_003])
def test_batch_without_breaks_takes_records_over_rate(records: int, servers: int) -> None:
    result = run(replace(CONFIG, break_rate=0.0, servers=servers, files=CONFIG.start), records)
    exact = -(-records // servers) * SECOND / CONFIG.batch_rate
    assert 0 <= result.finish - CONFIG.start - exact <= len(CONFIG.steps)
    assert result.open_late == result.carried == result.accounts_late == len(result.breaks) == 0


def test_single_step_takes_exactly_n_over_rate() -> None:
    config = replace(CONFIG, break_rate=0.0, batch_rate=2_000, steps=(Step("all", 1_000_000),))
    assert run(config, 10_000_000).finish == at("18:00") + 5_000 * SECOND


def test_only_first_step_runs_before_the_files_arrive() -> None:
    result = run(replace(CONFIG, break_rate=0.0, files=at("20:00")), 3_000_000)
    assert result.steps[0][1:] == (at("16:30"), at("16:30") + 50 * SECOND)
    assert result.steps[1][1] == at("20:00")
    assert result.finish == at("20:00") + 950 * SECOND


def test_zero_records_finish_at_once() -> None:
    result = run(CONFIG, 0)
    assert result.finish == CONFIG.start
    assert (result.past_target, result.open_late, result.accounts_late, result.staff_busy) == (0, 0, 0, 0)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    records=st.integers(1, 3_000_000),
    staff=st.integers(0, 8),
    night=st.integers(0, 3),
    rate=st.sampled_from([1e-5, 1e-4, 3e-4]),
)
def test_breaks_are_mended_as_by_a_plain_queue(seed: int, records: int, staff: int, night: int, rate: float) -> None:
    shifts = (Shift(at("16:00"), at("19:00"), staff), Shift(at("21:00"), DAY + HOUR, night))
    config = replace(CONFIG, break_rate=rate, shifts=shifts)
    result = run(config, records, seed=seed)
    plan = plan_breaks(Streams(seed), records, ACCOUNTS, rate, config.repair_mean, config.repair_cv)
    order = sorted(range(len(result.breaks)), key=lambda i: (int(result.breaks.time[i]), i))
    arrivals, repairs = [int(result.breaks.time[i]) for i in order], [int(plan.repair[i]) for i in order]
    expected = reference_desk(arrivals, repairs, shifts, DAY + at("09:15"))
    assert [int(result.mended[i]) for i in order] == expected
    assert result.staff_busy == sum(r for r, m in zip(repairs, expected, strict=True) if m >= 0)
    left = [i for i, m in zip(order, expected, strict=True) if m < 0]
    assert result.accounts_late == len({int(plan.account[i]) for i in left})
    begun = result.steps[-1][1]
    assert result.carried == sum(m < 0 or m > begun for m in expected)
    assert begun == (DAY + at("08:00") if result.carried else max(result.steps[-2][2], *expected, 0))


def test_breaks_are_found_when_their_record_is_done() -> None:
    config = replace(CONFIG, break_rate=1e-4, servers=2)
    result = run(config, 1_000_000)
    windows = {name: (begun, end) for name, begun, end in result.steps}
    finders = [s for s in config.steps if s.finds_breaks]
    for found, record in zip(result.breaks.time.tolist(), result.breaks.record.tolist(), strict=True):
        matches = [
            windows[s.name][0] + config.work_time(s, record // 2 + 1) == found and found <= windows[s.name][1]
            for s in finders
        ]
        assert any(matches)


def test_same_records_break_with_more_records_and_fewer_with_a_lower_rate() -> None:
    def broken(records: int, rate: float) -> list[int]:
        return plan_breaks(Streams(5), records, ACCOUNTS, rate, MINUTE, 0.8).record.tolist()

    small, large, rare = broken(4_000_000, 1e-4), broken(8_000_000, 1e-4), broken(8_000_000, 2e-5)
    assert small == [record for record in large if record < 4_000_000]
    assert set(rare) < set(large)
    plans = [plan_breaks(Streams(5), n, ACCOUNTS, 1e-4, MINUTE, 0.8) for n in (4_000_000, 8_000_000)]
    assert np.array_equal(plans[0].repair, plans[1].repair[: len(small)])
    assert np.array_equal(plans[0].account, plans[1].account[: len(small)])


@pytest.mark.parametrize("rate", [2e-5, 5e-3, 0.3])
def test_break_count_and_repair_time_have_their_means(rate: float) -> None:
    records = int(40_000 / rate)
    plan = plan_breaks(Streams(9), records, ACCOUNTS, rate, 10 * MINUTE, 0.8)
    assert abs(plan.record.size - 40_000) < 4.5 * np.sqrt(40_000)
    assert len(set(plan.record.tolist())) == plan.record.size
    assert plan.record.min() >= 0
    assert plan.record.max() < records
    assert abs(plan.repair.mean() / MINUTE - 10) < 4.5 * 8 / np.sqrt(plan.record.size)
    assert abs(plan.record.mean() / records - 0.5) < 4.5 / np.sqrt(12 * 40_000)


def test_every_record_breaks_at_rate_one() -> None:
    assert plan_breaks(Streams(1), 10_000, 3, 1.0, MINUTE, 0.0).record.tolist() == list(range(10_000))


@pytest.mark.parametrize("seed", range(5))
def test_more_staff_never_finish_later(seed: int) -> None:
    finishes = [
        run(replace(CONFIG, break_rate=1e-4, shifts=(Shift(at("16:30"), 2 * DAY, n),)), 5_000_000, seed=seed).finish
        for n in (1, 2, 5, 20, 500)
    ]
    assert finishes == sorted(finishes, reverse=True)
    assert finishes[0] > finishes[-1]


def test_overrun_delays_the_next_open_for_all_accounts() -> None:
    result = run(replace(CONFIG, break_rate=0.0), 200_000_000)
    # The day cut ends before the files come, the rest takes 95% of 200 million records at 3,000 a second.
    assert 0 <= result.finish - (at("18:00") + 190_000_000 * SECOND // 3_000) <= len(CONFIG.steps)
    assert result.open_late == result.finish - DAY - at("09:15") > 0
    assert result.past_target == result.finish - at("22:00")
    assert result.accounts_late == ACCOUNTS


def test_weekend_gives_time_to_an_overrun() -> None:
    result = run(replace(CONFIG, break_rate=0.0), 200_000_000, day=FRIDAY)
    assert result.past_target > 0
    assert result.open_late == result.accounts_late == 0


def test_carried_breaks_block_their_accounts_only() -> None:
    result = run(replace(CONFIG, break_rate=1e-4, shifts=()), 1_000_000)
    assert result.steps[-1][1] == DAY + at("08:00")
    assert result.carried == len(result.breaks) > 50
    assert result.open_late == 0
    assert result.accounts_late == len(set(result.breaks.account.tolist())) < ACCOUNTS


def test_samples_show_the_queues_and_staff_hours_add_up() -> None:
    config = replace(CONFIG, break_rate=1e-4, shifts=(Shift(at("16:30"), DAY, 4),))
    result = run(config, 3_000_000)
    times = np.array(result.sample_time)
    assert times[0] == config.start
    assert np.all(np.diff(times) == config.sample_every)
    for t, waiting in zip(result.sample_time, result.sample_breaks, strict=True):
        before = int(np.count_nonzero((result.breaks.time >= 0) & (result.breaks.time < t)))
        done = int(np.count_nonzero((result.mended >= 0) & (result.mended <= t)))
        assert waiting == before - done
    assert max(result.sample_records) <= 3_000_000
    assert 0 < result.staff_busy <= result.staff_on_duty <= 4 * (DAY - config.start)


def test_same_seed_gives_the_same_result() -> None:
    first, second = run(CONFIG, 9_000_000, seed=3), run(CONFIG, 9_000_000, seed=3)
    assert first.finish == second.finish
    assert np.array_equal(first.mended, second.mended)
    assert run(CONFIG, 9_000_000, seed=4).finish != first.finish


@pytest.mark.parametrize("change", [{"batch_rate": 0}, {"break_rate": 1.5}, {"servers": 0}, {"steps": ()}])
def test_wrong_parameters_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ScenarioError, match=next(iter(change))):
        replace(CONFIG, **change)


def test_impossible_shift_is_refused() -> None:
    with pytest.raises(ScenarioError, match="shift"):
        Shift(HOUR, HOUR, 3)
