"""`python -m benchmarks.process_origins`: discovered processes beside naive replay, at several cuts of each log.

Examples:
    python -m benchmarks.process_origins
    python -m benchmarks.process_origins --logs AgentSim_LoanApp mine.csv --shares 0.5 0.8 --runs 2 --out /tmp/origins
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.process_accuracy.kept import each
from benchmarks.process_accuracy.options import chosen, parser_of
from benchmarks.process_accuracy.origins import (
    SHARES,
    AtOrigin,
    NoOrigin,
    Origin,
    measure_at,
    whole,
    without_parts,
)
from benchmarks.process_accuracy.origins_cells import by_log, cells_of, counts
from benchmarks.process_accuracy.origins_report import write
from benchmarks.process_accuracy.tasks import Task, tasks_of
from twin.errors import TwinError


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 0 = done, 2 = a log cannot be used."""
    given = _parser().parse_args(arguments)
    console = Console(stderr=True, soft_wrap=True)
    try:
        tasks, skipped = _tasks(given)
        for task in tasks:
            whole(task)  # a file that cannot be read is found before hours are spent on the others
        found = _measure(tasks, given, console)
        results = [one for one in found if isinstance(one, AtOrigin)]
        left_out = skipped + [one for one in found if isinstance(one, NoOrigin)]
        for missing in left_out:
            at = "" if missing.share is None else f" at {missing.share:g}"
            console.print(f"left out: {missing.task.name}{at}: {missing.reason}")
        if not results:
            console.print("error: there is no origin at which a log can be divided")
            return 2
        _print(results)
        lists = ("logs", "also") if given.shares == list(SHARES) else ("logs", "also", "shares")
        write(results, left_out, given.out, "python -m benchmarks.process_origins" + chosen(given, lists))
    except (TwinError, OSError) as error:
        console.print(f"error: {error}")
        return 2
    return 0


def _tasks(given: argparse.Namespace) -> tuple[list[Task], list[NoOrigin]]:
    """What is tried, and what is not."""
    folder = given.data / "event_logs"
    tasks = tasks_of(folder, given.logs)
    skipped: list[NoOrigin] = []
    if not given.logs:
        tasks, skipped = without_parts(tasks)
    if given.also:
        tasks = list(dict.fromkeys(tasks + tasks_of(folder, given.also)))
    return tasks, [missing for missing in skipped if missing.task not in tasks]


def _measure(tasks: list[Task], given: argparse.Namespace, console: Console) -> list[AtOrigin | NoOrigin]:
    """In order of the logs and the shares, whatever was done first."""
    origins = [Origin(task, share) for task in tasks for share in sorted(set(given.shares))]
    found: list[AtOrigin | NoOrigin] = []
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("origins", total=len(origins))
        for result in each(partial(measure_at, runs=given.runs, seed=given.seed), origins, given.workers):
            found.append(result)
            progress.update(bar, advance=1, description=f"{result.task.name} {result.share:g} done")
    return sorted(found, key=lambda one: (tasks.index(one.task), one.share))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("python -m benchmarks.process_origins", __doc__)
    parser.add_argument(
        "--shares", nargs="+", type=_share, default=list(SHARES), metavar="SHARE",
        help="of the activities that had ended at each origin (0.4 0.5 0.6 0.7 0.8)",
    )  # fmt: skip
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share above 0 and below 1")
    return share


def _print(results: list[AtOrigin]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 130)
    table = Table("log", "distance", "origins", "twin", "replay", "ratio", "geometric mean", "better at", box=None)
    for mine in by_log(results):
        for cell in cells_of(mine):
            table.add_row(*cell.texts())
    console.print(table)
    n = counts(results)
    console.print(f"better than naive replay on average: {n['better']} of {n['cells']} cells")
    console.print(f"better than naive replay at single origins: {n['better_single']} of {n['single']}")


if __name__ == "__main__":
    sys.exit(main())
