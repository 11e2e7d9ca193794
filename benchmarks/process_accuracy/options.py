"""Options that the commands for real logs have in common."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_DATA = Path(os.environ.get("TWIN_SHARED_DATA", _ROOT.parent / "shared" / "data")) / "process"


def parser_of(command: str, about: str | None) -> argparse.ArgumentParser:
    """A parser with the options for logs, runs, seed, processes and folders.

    Args:
        command: as it is typed.
        about: what it does, with examples.
    """
    parser = argparse.ArgumentParser(prog=command, description=about)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--logs", nargs="+", default=[], metavar="LOG", help="names in the data folder, or files")
    parser.add_argument("--also", nargs="+", default=[], metavar="LOG", help="in addition to the usual ones")
    parser.add_argument("--runs", type=positive, default=10, help="simulated logs for each (10)")
    parser.add_argument("--workers", type=positive, default=1, help="processes (1)")
    parser.add_argument("--seed", type=int, default=1, help="of discovery and simulation (1)")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder with event_logs/ and benchmarks/")
    parser.add_argument("--out", type=Path, default=_ROOT / "docs", help="folder of page, picture and table")
    return parser


def chosen(given: argparse.Namespace, lists: Sequence[str] = ("logs", "also")) -> str:
    """The options that decide the figures, as they would be typed, each after a blank.

    Args:
        given: as parsed.
        lists: names of the options with several values.
    """
    typed = [f" --{name} " + shlex.join(map(str, getattr(given, name))) for name in lists if getattr(given, name)]
    return "".join(typed) + f" --runs {given.runs} --seed {given.seed}"


def positive(text: str) -> int:
    """A whole number above 0.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
