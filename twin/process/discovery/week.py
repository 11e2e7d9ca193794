"""Weekly patterns of a discovered process as hours and arrivals of a process file."""

from __future__ import annotations

import numpy as np

from twin.clock import HOUR, MINUTE
from twin.process.discovery.columns import Int
from twin.process.discovery.model import Arrivals
from twin.process.model import DayArrivals, Period, Spacing
from twin.process.staff import Calendar, Hours

_SLOT = 30 * MINUTE
_DAYS = 7
_THOUSAND = 1000
_QUANTILES = 100
_MOST_GAPS = 5000


def calendar_of(slots: Int) -> Calendar | None:
    """Half hours of the week (336, 1 = at work) as hours by day; None if there are none, or no others."""
    if not slots.any() or slots.all():
        return None
    spans: dict[tuple[int, int], list[int]] = {}
    for day, row in enumerate(slots.reshape(_DAYS, -1)):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
        for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            spans.setdefault((a * _SLOT, b * _SLOT), []).append(day)
    hours = (
        Hours.model_validate({"from": clock_text(a), "to": clock_text(b), "days": _days(days)})
        for (a, b), days in sorted(spans.items())
    )
    return Calendar(hours=tuple(hours))


def clock_text(ns: int) -> str:
    """A time of day as files write it, 24:00 at the end of the day."""
    return f"{ns // HOUR:02d}:{ns % HOUR // MINUTE:02d}"


def arrivals_of(fitted: Arrivals) -> DayArrivals:
    """A rate with a weekly profile, and the spacing of arrivals; hours that are alike on all days are one period."""
    # Three digits, so that hours which hardly differ are written as one.
    table = np.array([float(f"{rate:.3g}") for rate in fitted.profile]).reshape(_DAYS, 24)
    periods: list[Period] = []
    for hour in range(24):
        for weight in sorted(set(table[:, hour].tolist())):
            if weight > 0:
                days = np.flatnonzero(table[:, hour] == weight).tolist()
                periods.append(_period(hour, hour + 1, weight, _days(days)))
    busy = int((table.sum(axis=1) > 0).sum())
    return DayArrivals.model_validate(
        {
            "rate": f"{fitted.per_week / max(busy, 1)!r}/day",
            "profile": tuple(_joined(periods)),
            "spacing": _spacing(fitted),
        }
    )


def _spacing(fitted: Arrivals) -> Spacing | None:
    """The observed gaps, in thousandths of their mean: quantiles of independent ones, the latest of others in order."""
    gaps = fitted.gaps / _THOUSAND
    if fitted.block == 1 and len(gaps) > _QUANTILES:
        gaps = np.quantile(gaps, (np.arange(_QUANTILES) + 0.5) / _QUANTILES, method="hazen")
    gaps = np.round(gaps[-_MOST_GAPS:])
    return Spacing(gaps=tuple(gaps.tolist()), run=min(fitted.block, len(gaps))) if gaps.any() else None


def _joined(periods: list[Period]) -> list[Period]:
    """Neighbouring hours of the same weight and days as one."""
    order = sorted(periods, key=lambda p: (str(p.days), p.weight, p.start))
    found: list[Period] = []
    for period in order:
        last = found[-1] if found else None
        if last and (last.days, last.weight, last.end) == (period.days, period.weight, period.start):
            found[-1] = _period(last.start // HOUR, period.end // HOUR, period.weight, period.days)
        else:
            found.append(period)
    return sorted(found, key=lambda p: (p.start, str(p.days)))


def _period(first: int, last: int, weight: float, days: object) -> Period:
    return Period.model_validate(
        {"from": clock_text(first * HOUR), "to": clock_text(last * HOUR), "weight": weight, "days": days}
    )


def _days(days: list[int]) -> object:
    return "every" if len(days) == _DAYS else frozenset(days)
