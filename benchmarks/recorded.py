"""Replays of recorded Shanghai days: every message of the exchange through the engine, every trade compared."""

from __future__ import annotations

from benchmarks.flows import recorded_days
from benchmarks.measure import Row, missing, row
from twin.matching.replay import replay

ROUNDS = 3


def run() -> list[Row]:
    """One row for each day: seconds are those inside the engine; the note says what the comparison found."""
    days = recorded_days()
    if not days:
        return [missing("recorded days", "the recordings are not here (set TWIN_SHARED_DATA)")]
    rows: list[Row] = []
    for day in days:
        reports = [replay(day, check=False) for _ in range(ROUNDS)]
        found = reports[0]
        seconds = [report.seconds for report in reports]
        note = f"{found.trades_matched:,} of {found.trades_recorded:,} trades equal"
        rows.append(row(f"recorded day {day.name.removeprefix('sse_l2_')}", found.messages, seconds, note=note))
    return rows
