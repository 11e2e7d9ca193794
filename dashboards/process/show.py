"""Tables and values of a run of `twin process`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboards.process.words import say
from twin.process.drawing.text import short_number, short_span

if TYPE_CHECKING:
    from rich.table import Table

    from twin.measures.statistics import Estimate
    from twin.process.simulation import Result

_FEN = 100
_NUMBERS = frozenset({"cases", "wait_s", "service_s", "abandoned", "cost_fen", "utilisation", "mean_queue"})
_NUMBERS |= {"busy_hours", "staff_hours"}
_TIMES = ("cycle_s", "cycle_p50_s", "cycle_p90_s", "wait_s")


def _cell(value: Estimate | None, form: Any) -> str:
    """A mean with the half width of its interval."""
    if value is None:
        return "-"
    return form(value.mean) if not value.half_width else f"{form(value.mean)} ± {form(value.half_width)}"


def run_tables(result: Result, language: str) -> list[Table]:
    """Whole cases, activities and pools."""
    from dashboards.console import simple_table

    def span(seconds: float) -> str:
        return short_span(seconds, language)

    def money(fen: float) -> str:
        return short_number(fen / _FEN)

    measures = [
        (say(key, language), _cell(value, span if key in _TIMES else short_number))
        for key, value in result.measures.items()
        if key != "cost_fen_per_case"
    ]
    if (cost := result.measures.get("cost_fen_per_case")) is not None and cost.mean:
        measures.append((say("cost_per_case", language), _cell(cost, money)))
    activities = [
        (
            a.name,
            a.pool or "-",
            _cell(a.cases, short_number),
            _cell(a.wait_s, span),
            _cell(a.service_s, span),
            _cell(a.abandoned, short_number) if a.abandoned.mean else "-",
            _cell(a.cost_fen, money) if a.cost_fen.mean else "-",
        )
        for a in result.activities
    ]
    pools = [
        (
            p.name,
            _cell(p.utilisation, lambda u: f"{u:.1%}"),
            _cell(p.mean_queue, short_number),
            _cell(p.busy_hours, short_number),
            _cell(p.staff_hours, short_number) if p.staff_hours.mean else "-",
        )
        for p in result.pools
    ]
    heads = (
        ("measure", "mean"),
        ("activity", "pool", "cases", "wait", "service", "abandoned", "cost"),
        ("pool", "utilisation", "queue", "busy", "paid"),
    )
    bodies: Sequence[Sequence[tuple[str, ...]]] = (measures, activities, pools)
    return [
        simple_table([say(h, language) for h in head], body) for head, body in zip(heads, bodies, strict=True) if body
    ]


def as_values(result: Result) -> dict[str, Any]:
    """The result as plain values; every estimate as mean, half width of the interval and number of replications."""
    return {
        "process": result.model.name,
        "replications": result.plan.replications,
        "seed": result.plan.seed,
        "days": result.plan.days,
        "cases": result.plan.cases,
        "warm_up_weeks": result.plan.warm_up_weeks,
        "measures": {key: _value(value) for key, value in result.measures.items()},
        "activities": [{k: _value(v) for k, v in vars(a).items()} for a in result.activities],
        "pools": [{k: _value(v) for k, v in vars(p).items()} for p in result.pools],
    }


def _value(value: Any) -> Any:
    return dict(vars(value)) if hasattr(value, "half_width") else value


def write_tables(result: Result, folder: Any) -> None:
    """activities.csv and pools.csv in a folder."""
    import csv

    for name, rows in (("activities", result.activities), ("pools", result.pools)):
        flat = [_flat(vars(row)) for row in rows]
        if flat:
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(flat[0]))
                writer.writeheader()
                writer.writerows(flat)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Estimates as two columns: the mean, and the half width of the interval."""
    out: dict[str, Any] = {}
    for key, value in row.items():
        if key in _NUMBERS:
            out[key] = "" if value is None else value.mean
            out[f"{key}_half_width"] = "" if value is None or value.half_width is None else value.half_width
        else:
            out[key] = value
    return out
