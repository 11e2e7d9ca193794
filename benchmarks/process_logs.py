"""`python -m benchmarks.process_logs`: the accuracy of discovered processes, beside published figures and naive replay.

Examples:
    python -m benchmarks.process_logs
    python -m benchmarks.process_logs --logs AgentSim_LoanApp mine.csv --runs 2 --out /tmp/accuracy
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.process_accuracy.compare import Result
from benchmarks.process_accuracy.kept import LeftOut, measure_all
from benchmarks.process_accuracy.options import chosen, parser_of
from benchmarks.process_accuracy.report import counts, write
from benchmarks.process_accuracy.tasks import tasks_of
from twin.errors import TwinError
from twin.measures.log_distances import NAMES
from twin.process.discovery import TYPICAL_OF


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 0 = done, 2 = a log cannot be used."""
    given = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        tasks = tasks_of(given.data / "event_logs", given.logs, given.also)
        figures = given.data / "benchmarks" / "published_results.csv"
        results: list[Result] = []
        left_out: list[LeftOut] = []
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("logs", total=len(tasks))
            for result in measure_all(tasks, given.runs, given.seed, figures, given.workers, given.keep):
                (results if isinstance(result, Result) else left_out).append(result)  # type: ignore[arg-type]
                progress.update(bar, advance=1, description=f"{result.task.name} done")
    except TwinError as error:
        console.print(f"error: {error}")
        return 2
    results.sort(key=lambda result: (not result.figures, [t.name for t in tasks].index(result.task.name)))
    for missing in left_out:
        console.print(f"left out: {missing.task.name}: {missing.reason}")
    if not results:
        return 2
    _print(results)
    command = "python -m benchmarks.process_logs" + chosen(given)
    write(results, given.out, command, [(missing.task.name, missing.reason) for missing in left_out])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("python -m benchmarks.process_logs", __doc__)
    parser.add_argument("--keep", type=Path, help="folder for results, to go on where a run was broken off")
    return parser


def _print(results: list[Result]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 130)
    titles = ["log", "distance", "twin", "sd", "typical", "best published", "replay", "halves", "twin / best"]
    table = Table(*titles, box=None)
    for result in results:
        for metric in NAMES:
            mean, best = result.mean(metric), result.best(metric)
            cells = [result.task.name, metric, f"{mean:.3f}", f"{result.sd(metric):.3f}"]
            cells.append(f"{result.mean(metric, typical=True):.3f}")
            cells.append(f"{best.mean:.3f} {best.simulator}" if best else "")
            cells += [f"{result.replay.as_dict()[metric]:.3f}", f"{result.halves[metric]:.3f}"]
            table.add_row(*cells, f"{mean / best.mean:.2f}" if best else "")
    console.print(table)
    for what, typical in (("single logs", False), (f"the most typical of {TYPICAL_OF}", True)):
        n = counts(results, typical)
        published = f"every published simulator in {n['better_than_published']} of {n['published']} cells"
        console.print(
            f"{what}: better than {published}, better than naive replay in {n['better_than_replay']} of {n['cells']}"
        )


if __name__ == "__main__":
    sys.exit(main())
