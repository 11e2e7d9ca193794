from __future__ import annotations

import datetime as dt
import itertools

import pytest

from twin.clock import (
    CLOSE_UNCROSS,
    DAY,
    HOUR,
    NO_CANCEL,
    SECOND,
    SESSIONS,
    TICK,
    Clock,
    Phase,
    at,
    clock_text,
    is_trading_day,
    next_trading_day,
    phase_at,
    previous_trading_day,
    require_trading_day,
    trading_ticks,
)
from twin.errors import ScenarioError


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("00:00", Phase.CLOSED),
        ("09:14:59", Phase.CLOSED),
        ("09:15", Phase.OPEN_CALL),
        ("09:25", Phase.GAP),
        ("09:30", Phase.CONTINUOUS),
        ("11:29:59", Phase.CONTINUOUS),
        ("11:30", Phase.LUNCH),
        ("13:00", Phase.CONTINUOUS),
        ("14:57", Phase.CLOSE_CALL),
        ("15:00", Phase.CLEARING),
        ("23:59:59", Phase.NIGHT),
    ],
)
def test_phase_at_the_borders_of_the_day(text: str, phase: Phase) -> None:
    assert phase_at(at(text)) is phase


def test_sessions_cover_the_day_without_gap_or_overlap() -> None:
    assert [s.start for s in SESSIONS[1:]] == [s.end for s in SESSIONS[:-1]]
    assert (SESSIONS[0].start, SESSIONS[-1].end) == (0, DAY)


def test_times_of_day_are_written_and_read() -> None:
    assert at("09:30") == 9 * HOUR + HOUR // 2
    assert at("00:00:00.000001") == 1_000
    assert clock_text(at("14:57:03")) == "14:57:03"
    assert clock_text(DAY + at("08:00")) == "+1d 08:00:00"
    with pytest.raises(ScenarioError, match="'25:00' is not a time of day"):
        at("25:00")


def test_ticks_tile_the_trading_day_within_phases() -> None:
    ticks = [t for t in trading_ticks() if t.phase not in (Phase.CLOSED, Phase.CLEARING, Phase.NIGHT)]
    assert ticks[0].start == at("09:15")
    assert ticks[-1].end == CLOSE_UNCROSS
    assert all(a.end == b.start for a, b in itertools.pairwise(ticks))
    assert {t.end - t.start for t in ticks} == {TICK}
    assert all(phase_at(t.start) is t.phase is phase_at(t.end - 1) for t in ticks)


def test_cancels_are_refused_at_the_end_of_both_calls() -> None:
    assert ((at("09:20"), at("09:25")), (at("14:57"), at("15:00"))) == NO_CANCEL


def test_calendar_knows_the_golden_week_and_the_weekend() -> None:
    assert not is_trading_day(dt.date(2024, 10, 1))
    assert is_trading_day(dt.date(2024, 10, 8))
    assert next_trading_day(dt.date(2024, 9, 30)) == dt.date(2024, 10, 8)
    assert previous_trading_day(dt.date(2024, 10, 8)) == dt.date(2024, 9, 30)
    assert next_trading_day(dt.date(2025, 4, 4)) == dt.date(2025, 4, 7)
    with pytest.raises(ScenarioError, match=r"2024-10-05 is not a trading day.*2024-09-30 and 2024-10-08"):
        require_trading_day(dt.date(2024, 10, 5))
    with pytest.raises(ScenarioError, match="outside the trading calendar"):
        is_trading_day(dt.date(1980, 1, 1))


def test_clock_runs_in_whole_nanoseconds() -> None:
    clock = Clock(dt.date(2025, 4, 3))
    log: list[tuple[str, int]] = []

    def shift(name: str, start: int):
        yield clock.wait_until(start)
        log.append((name, clock.now))
        yield clock.env.timeout(1)
        log.append((name, clock.now))

    clock.env.process(shift("late", at("13:00")))
    clock.env.process(shift("early", at("09:30")))
    clock.env.run()
    half_ten, one = at("09:30"), at("13:00")
    assert log == [("early", half_ten), ("early", half_ten + 1), ("late", one), ("late", one + 1)]
    assert clock.next_open("09:30") == 4 * DAY + half_ten
    assert SECOND == 1_000_000_000
