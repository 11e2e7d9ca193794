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
    out(json.dumps(_finite(value), ensure_ascii=False, indent=1))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
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
        self._began = time.monotonic()
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
        return line if left is None else f"{line}, {say('remaining', self.language, time=span(left, self.language))}"

    def _left(self) -> float | None:
        """Seconds until everything is done, at the speed so far."""
        done = math.fsum(self._fractions.values())
        elapsed = time.monotonic() - self._began
        return elapsed * (self.total - done) / done if done > 0.02 and elapsed > 1.0 else None


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


def number(value: float) -> str:
    """A number in at most four significant digits, thousands apart."""
    if math.isnan(value):
        return "–"
    if value == 0 or 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1e15 else f"{value:.2e}"


def score_table(rows: Sequence[Comparison], language: str, *, paired: bool) -> Table:
    """Measures by dimension: baseline, scenario, difference with interval, verdict."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(say("measure", language))
    for heading in ("baseline", "scenario", "difference") if paired else ("scenario",):
        table.add_column(say(heading, language), justify="right")
    if paired:
        table.add_column(say("verdict", language))
    labels = Labels(language)
    dimensions = [d for d in _DIMENSIONS if any(r.dimension == d for r in rows)]
    for dimension in dimensions + sorted({r.dimension for r in rows} - set(dimensions)):
        table.add_section()
        table.add_row(f"[bold]{say(dimension, language)}[/bold]")
        for row in rows:
            if row.dimension == dimension:
                table.add_row(*_cells(row, labels, language, paired=paired))
    return table


def _cells(row: Comparison, labels: Labels, language: str, *, paired: bool) -> list[str]:
    name = f"  {labels.label(row.measure, row.segment)}"
    if not paired:
        return [name, number(row.scenario)]
    interval = f" ± {number(row.half_width)}" if math.isfinite(row.half_width) else ""
    sign = "+" if row.difference > 0 else ""
    difference = "–" if math.isnan(row.difference) else f"{sign}{number(row.difference)}{interval}"
    return [name, number(row.baseline), number(row.scenario), difference, verdict_text(row, labels, language)]


def verdict(row: Comparison, better: str) -> str:
    """`better`, `worse`, `changed`, `same` or `unsure`; a difference counts when its interval leaves out zero.

    Args:
        row: the comparison.
        better: `higher`, `lower` or anything else where neither is better.
    """
    if math.isnan(row.difference):
        return ""
    if row.difference == 0 and row.half_width in (0.0, math.inf):
        return "same"
    if not abs(row.difference) > row.half_width:
        return "unsure"
    if better not in ("higher", "lower"):
        return "changed"
    return "better" if (row.difference > 0) == (better == "higher") else "worse"


def verdict_text(row: Comparison, labels: Labels, language: str) -> str:
    """The verdict with an arrow, so that it does not depend on colour."""
    word = verdict(row, labels.better(row.measure))
    if not word:
        return ""
    arrow = {"same": "=", "unsure": "~"}.get(word, "↑" if row.difference > 0 else "↓")
    colour = {"better": "green", "worse": "red"}.get(word)
    text = f"{arrow} {say(word, language)}"
    return f"[{colour}]{text}[/{colour}]" if colour else text


def summary(scenario: Run, baseline: Run | None, language: str) -> str:
    """One line above the table."""
    values = {"scenario": _title(scenario, language), "n": scenario.replications, "seed": scenario.manifest["seed"]}
    if baseline is None:
        return say("summary_one", language, **values)
    return say("summary_two", language, baseline=_title(baseline, language), **values)


def _title(run: Run, language: str) -> str:
    return str(run.manifest["scenario"].get("title", {}).get(language) or run.name)


class Labels:
    """Names of measures in a language, from the scorecard's registry.

    Args:
        language: `en` or `zh`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._known: dict[str, Any] = {}

    def label(self, measure: str, segment: str) -> str:
        """Name of a measure and what it is of; its plain name where the registry does not know it."""
        entry = self._known.get(measure)
        name = getattr(entry, f"label_{self.language}", measure)
        return f"{name} ({segment})" if segment else name

    def better(self, measure: str) -> str:
        """`higher` or `lower`; empty where neither is better or nobody knows."""
        return getattr(self._known.get(measure), "better", "")
