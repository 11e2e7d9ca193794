"""`python -m benchmarks [PART]...`: run all or some parts and print one table."""

from __future__ import annotations

import importlib
import sys

from rich.console import Console
from rich.table import Table

PARTS = ("book", "queueing", "path", "clearing", "day")


def main(parts: list[str]) -> None:
    console = Console()
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        console.print(f"unknown part {unknown[0]!r}; there are {', '.join(PARTS)}")
        raise SystemExit(2)
    table = Table(title="Throughput on this machine; ratio = first row of the group over this row")
    for column, justify in (
        ("what", "left"),
        ("work", "right"),
        ("seconds", "right"),
        ("per second", "right"),
        ("ratio", "right"),
    ):
        table.add_column(column, justify=justify)
    for part in parts or PARTS:
        with console.status(f"benchmarks.{part}"):
            rows = importlib.import_module(f"benchmarks.{part}").run()
        for row in rows:
            ratio = "" if row.get("ratio") is None else f"{row['ratio']:,.3g}"
            table.add_row(row["name"], f"{row['work']:,}", f"{row['seconds']:.3f}", f"{row['rate']:,.0f}", ratio)
        table.add_section()
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
