"""Readers of recorded market feeds, by name.

A reader is a class with the attributes and methods of `twin.matching.feeds.base.Feed`. A further format is a module
with such a class and an entry in `FORMATS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twin.errors import DataError
from twin.matching.feeds.base import Feed
from twin.matching.feeds.lobster import LobsterFeed, find_pair
from twin.matching.feeds.mbo import MboFeed, looks_like_mbo
from twin.matching.feeds.sse_l2 import SseFeed, find


@dataclass(frozen=True)
class Format:
    """A format: how to open a recording, how to recognise one, and what it is made of, in words."""

    open: Callable[[Path], Feed]
    fits: Callable[[Path], bool]
    files: str


def _is_sse_day(path: Path) -> bool:
    return path.is_dir() and any(find(path, stem) for stem in ("flow", "orders", "trades"))


FORMATS: dict[str, Format] = {
    "sse-l2": Format(SseFeed, _is_sse_day, "folder with trades.csv.gz and flow.csv.gz or orders.csv.gz"),
    "lobster": Format(LobsterFeed, lambda path: find_pair(path) is not None, "folder, zip or message file of a day"),
    "mbo": Format(
        MboFeed, lambda path: path.is_file() and looks_like_mbo(path), "market by order: .csv, .parquet, .dbn"
    ),
}


def open_feed(path: Path, format: str | None = None) -> Feed:
    """Open a recording.

    Args:
        path: file or folder.
        format: name in `FORMATS`; None looks at the files.

    Raises:
        DataError: there is nothing, the format is not known or cannot be told, or files are missing.
    """
    if format is not None and format not in FORMATS:
        raise DataError(f"format {format!r} is not known", hint=f"Known are {', '.join(FORMATS)}.")
    if not path.exists():
        raise DataError("no such folder or file", str(path), _hint())
    if format is None:
        format = next((name for name, entry in FORMATS.items() if entry.fits(path)), None)
    if format is None:
        raise DataError("cannot tell the format of this recording", str(path), _hint())
    return FORMATS[format].open(path)


def recordings(path: Path, format: str | None = None) -> list[Path]:
    """The recordings in a folder of several, or the one that the path is.

    Raises:
        DataError: a recording in it lacks one of its files.
    """
    if format is not None or not path.is_dir() or _is_sse_day(path):
        return [path]
    books = re.compile(r"orderbook", re.IGNORECASE)
    entries = [entry for entry in sorted(path.iterdir()) if not books.search(entry.name)]
    messages = [entry for entry in entries if entry.is_file() and entry.suffix != ".zip" and find_pair(entry)]
    if len(messages) == 1 and find_pair(path):
        return [path]
    return [entry for entry in entries if any(kind.fits(entry) for kind in FORMATS.values())] or [path]


def _hint() -> str:
    return "Supported are " + "; ".join(f"{name} ({entry.files})" for name, entry in FORMATS.items()) + "."
