"""`python -m benchmarks [PART]...`: run all or some parts and print a table of each as soon as it is measured."""

from __future__ import annotations

import importlib
import sys
from contextlib import nullcontext

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row, one_core

PARTS = ("book", "recorded", "peers", "agents", "record-day", "processes", "path", "clearing", "process-logs-io", "day")
EVERY_CORE = {"record-day", "day"}
"""Parts that may use more than one core; the others are kept on one."""


def main(parts: list[str]) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 150
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        console.print(f"unknown part {unknown[0]!r}; there are {', '.join(PARTS)}")
        raise SystemExit(2)
    console.print("Throughput on this machine; ratio = rate of the group's first row over that of the row")
    for part in parts or PARTS:
        place = nullcontext() if part in EVERY_CORE else one_core()
        with console.status(f"benchmarks.{part}"), place:
            rows = importlib.import_module(f"benchmarks.{part.replace('-', '_')}").run()
        table = Table(title=part, title_justify="left")
        for column in ("what", "work", "seconds", "best", "per second", "ratio", "note"):
            table.add_column(column, justify="left" if column in {"what", "note"} else "right")
        for row in rows:
            table.add_row(*cells(row))
        console.print(table)


def cells(row: Row) -> list[str]:
    """A row as text; what was not measured stays empty."""
    forms = {"work": ",", "seconds": ".3f", "best": ".3f", "rate": ",.0f", "ratio": ",.3g"}
    values = ["" if row.get(key) is None else format(row[key], form) for key, form in forms.items()]
    memory = [f"{row['memory_mib']:,.0f} MiB"] if "memory_mib" in row else []
    return [row["name"], *values, ", ".join(filter(None, [row.get("note"), *memory]))]


if __name__ == "__main__":
    main(sys.argv[1:])
