"""Figures of a comparison of process forms as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.office_processes import Row


def number(value: float, unit: str) -> str:
    """A figure of a comparison: shares as percentages, all else with three digits or none after the point."""
    if unit == "share":
        return f"{value:.1%}" if abs(value) >= 0.01 or value == 0 else f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 1000 or unit == "cases" else f"{value:,.3g}"


def cells(row: Row) -> tuple[str, str, str]:
    """Today's value, the reformed one, and the difference with half its interval."""
    unit = row.measure.unit
    sides = ["–" if e is None else number(e.mean, unit) for e in (row.today, row.reformed)]
    if row.difference is None:
        return sides[0], sides[1], ""
    found = row.difference.estimate
    factor, name = (100, " pp") if unit == "share" else (1, "")
    half = "" if found.half_width is None else f" ± {_two_digits(factor * found.half_width)}"
    return sides[0], sides[1], f"{_signed(factor * found.mean, found.half_width)}{name}{half}"


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{float(f'{value:.2g}'):g}"


def _signed(value: float, half_width: float | None) -> str:
    if value == 0 and not half_width:
        return "0"
    return f"{value:+,.0f}" if abs(value) >= 1000 else f"{float(f'{value:.3g}'):+g}"
