"""What the command line shows: progress while a run goes on, tables when it is done."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.i18n import say

if TYPE_CHECKING:
    from rich.table import Table

    from scenarios.experiments.worker import Report
    from scenarios.runs import Comparison, Run
    from twin.measures.scorecard import Measure

_PLAIN_EVERY = 5.0
"""Seconds between plain progress lines of one replication."""
_DIMENSIONS = ("client_experience", "operating_efficiency", "compliance")


def out(text: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """One line beside the result (standard error)."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def out_json(value: Any) -> None:
    """The result for machines; numbers that are not finite become null."""
    out(json.dumps(finite(value), ensure_ascii=False, indent=1))


def finite(value: Any) -> Any:
    """The value with numbers that are not finite as None, and paths as text, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def span(seconds: float, language: str) -> str:
    """A time span in words."""
    if seconds < 100:
        return say("seconds", language, n=f"{seconds:.0f}")
    return say("minutes", language, n=f"{seconds / 60:.1f}")


class ProgressView:
    """Shows how far each replication is: bars on a terminal, plain lines elsewhere.

    Args:
        language: of the words.
        live: bars; plain lines otherwise.
    """

    def __init__(self, language: str, *, live: bool) -> None:
        self.language = language
        self.total = self.found = 0
        self._fractions: dict[tuple[str, int], float] = {}
        self._last: dict[tuple[str, int], tuple[float, str]] = {}
        self._pace: tuple[float, float] | None = None
        self._bars = _Bars() if live else None

    def __enter__(self) -> ProgressView:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bars:
            self._bars.close()

    def plan(self, plan: Sequence[tuple[str, int, int]]) -> None:
        """Say what is there already and what is to be run."""
        for run, n, found in plan:
            key = "reused" if found == n else "resumed" if found else "planned"
            note(say(key, self.language, run=run, n=n, found=found))
        self.total = sum(n - found for _, n, found in plan)

    def report(self, report: Report) -> None:
        """Show one report."""
        key = (report.run, report.replication)
        self._fractions[key] = report.fraction
        if self._pace is None and report.fraction > 0:
            self._pace = (time.monotonic(), math.fsum(self._fractions.values()))
        if self._bars:
            self._bars.show(key, self._line(report), report.fraction)
            return
        now = time.monotonic()
        when, stage = self._last.get(key, (-math.inf, ""))
        if report.stage != stage or now - when >= _PLAIN_EVERY:
            self._last[key] = (now, report.stage)
            note(self._line(report))

    def _line(self, report: Report) -> str:
        from twin.clock import clock_text

        rate = report.orders / report.wall_s if report.wall_s > 0 else 0.0
        line = say(
            "progress",
            self.language,
            run=report.run,
            rep=report.replication,
            stage=say(report.stage, self.language),
            clock=clock_text(report.sim_time_ns) if report.sim_time_ns else "",
            percent=f"{report.fraction:.0%}",
            orders=f"{report.orders:,}",
            rate=f"{rate:,.0f}",
        )
        left = self._left()
        return line if left is None else line + say("remaining", self.language, time=span(left, self.language))

    def _left(self) -> float | None:
        """Seconds until everything is done at the pace so far; compiling and building at the start are no measure."""
        if self._pace is None:
            return None
        began, first = self._pace
        done = math.fsum(self._fractions.values())
        return (time.monotonic() - began) * (self.total - done) / (done - first) if done > first + 0.05 else None


class _Bars:
    """Bars on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (BarColumn(bar_width=20), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._tasks: dict[tuple[str, int], Any] = {}
        self._progress.start()

    def show(self, key: tuple[str, int], text: str, fraction: float) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(text, total=1.0)
        self._progress.update(self._tasks[key], completed=fraction, description=text)

    def close(self) -> None:
        self._progress.stop()


def print_table(table: Table) -> None:
    """Write a table to standard output, as wide as it needs to be where there is no terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(table)


def simple_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A plain table."""
    from rich import box
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    return table


def score_table(rows: Sequence[Comparison], language: str, *, paired: bool) -> Table:
    """The headline measures by dimension: baseline, scenario, difference with interval, verdict."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(say("measure", language))
    for heading in ("baseline", "scenario", "difference") if paired else ("scenario",):
        table.add_column(say(heading, language), justify="right")
    if paired:
        table.add_column(say("verdict", language))
    rows = sorted((row for row in rows if _is_headline(row)), key=_place)
    dimensions = [d for d in _DIMENSIONS if any(r.dimension == d for r in rows)]
    for dimension in dimensions + sorted({r.dimension for r in rows} - set(dimensions)):
        table.add_section()
        table.add_row(f"[bold]{say(dimension, language)}[/bold]")
        for row in rows:
            if row.dimension == dimension:
                table.add_row(*_cells(row, language, paired=paired))
    return table


def _registered(measure: str) -> Measure | None:
    from twin.measures.scorecard import REGISTRY

    return REGISTRY.get(measure)


def _is_headline(row: Comparison) -> bool:
    entry = _registered(row.measure)
    return entry is None or (entry.is_headline and not row.segment)


def _place(row: Comparison) -> int:
    """Place of a measure in the registry's order; those that it does not know come last."""
    from twin.measures.scorecard import REGISTRY

    names = list(REGISTRY)
    return names.index(row.measure) if row.measure in REGISTRY else len(names)


def _cells(row: Comparison, language: str, *, paired: bool) -> list[str]:
    from rich.markup import escape

    entry = _registered(row.measure)
    label = entry.label(language) if entry else row.measure + (f" ({row.segment})" if row.segment else "")
    unit = say(entry.unit, language) if entry and not entry.format.endswith("%") else ""
    name = f"  {escape(label)}" + (f" ({escape(unit)})" if unit else "")
    form = entry.format if entry else ",.4g"
    if not paired:
        return [name, _number(row.scenario, form)]
    difference = _number(row.difference, form, sign=True)
    if row.half_width is not None:
        difference += f" ± {_number(row.half_width, form)}"
    verdict = verdict_text(row.verdict, row.difference, language)
    return [name, _number(row.baseline, form), _number(row.scenario, form), difference, verdict]


def _number(value: float | None, form: str, *, sign: bool = False) -> str:
    if value is None:
        return "–"
    text = format(value, form)
    if value and not any(c in "123456789" for c in text):
        # Smaller than the format shows: two digits are better than a zero that is none.
        text = format(value, ".2%" if form.endswith("%") and abs(value) > 5e-5 else ".2g")
    return f"+{text}" if sign and value > 0 else text


def verdict_text(verdict: str, difference: float | None, language: str) -> str:
    """The verdict with an arrow, so that it does not depend on colour."""
    if not verdict or difference is None:
        return ""
    arrow = {"same": "=", "can't tell": "~"}.get(verdict, "↑" if difference > 0 else "↓")
    colour = {"better": "green", "worse": "red"}.get(verdict)
    text = f"{arrow} {say(verdict, language)}"
    return f"[{colour}]{text}[/{colour}]" if colour else text


def summary(scenario: Run, baseline: Run | None, language: str) -> str:
    """One line above the table."""
    n = min(run.replications for run in (scenario, baseline) if run)
    values = {"scenario": _title(scenario, language), "n": n, "seed": scenario.manifest["seed"]}
    if baseline is None:
        return say("summary_one", language, **values)
    return say("summary_two", language, baseline=_title(baseline, language), **values)


def _title(run: Run, language: str) -> str:
    return str(run.manifest["scenario"].get("title", {}).get(language) or run.name)
