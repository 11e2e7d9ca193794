"""Which logs are tried, how each is divided, and what others have published for the same division."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twin.errors import DataError
from twin.measures.log_distances import NAMES
from twin.process.eventlog.files import FORMS, read_log
from twin.process.eventlog.log import EventLog
from twin.process.eventlog.split import split, split_by_case

SHARE = 0.8
PARTS = ", parts"
"""So ends the name of a pair if the folder holds its whole log, too."""
_PUBLISHED = {
    "loanapp": "LoanApp",
    "production": "Production",
    "p2p": "P2P",
    "purchasing": "P2P",
    "cvs": "CVS",
    "confidential1000": "C1000",
    "confidential2000": "C2000",
    "consultadatamining": "ACR",
    "acr": "ACR",
    "bpic2012w": "BPI12W",
    "bpi12w": "BPI12W",
    "bpichallenge2012wtwots": "BPI12W",
    "bpic2017w": "BPI17W",
    "bpi17w": "BPI17W",
}
"""What a file of a log is called (letters and digits only) -> its name in the published tables."""


@dataclass(frozen=True)
class Task:
    """One log with its division.

    Attributes:
        name: of the log.
        train: file of the training part, or of the whole.
        test: file of the test part; None = the whole is split by time.
        published: the name under which the comparable figures stand; None = there are none for this division.
    """

    name: str
    train: Path
    test: Path | None = None
    published: str | None = None

    @property
    def protocol(self) -> str:
        """How the parts come about, in words."""
        if self.test is not None:
            return "train and test part as shipped"
        return f"split by time, {SHARE:.0%} of the activities; cases across the cut left out"

    def parts(self) -> tuple[EventLog, EventLog, str]:
        """Training and test part, and how they came about.

        A log whose cases nearly all lie across any cut (a day's calls, each begun when the day began) has no test part
        by time: it is divided by case.
        """
        if self.test is not None:
            return read_log(self.train), read_log(self.test), self.protocol
        log = read_log(self.train)
        try:
            return *split(log, SHARE), self.protocol
        except DataError:
            how = (
                f"divided by case, the first {SHARE:.0%} of the cases by their start, as a cut by time leaves no whole"
            )
            return *split_by_case(log, SHARE), f"{how} case for one of the parts"


@dataclass(frozen=True)
class Figure:
    """A published mean: whose, of which distance, its standard deviation if stated, and where it stands."""

    simulator: str
    metric: str
    mean: float
    sd: float | None
    source: str


def tasks_of(folder: Path, names: Sequence[str] = (), also: Sequence[str] = ()) -> list[Task]:
    """What to try.

    Args:
        folder: of event logs; pairs are called NAME_train and NAME_test.
        names: of logs in the folder, or files; none = all in the folder, of those published as one log the first.
        also: more of the same.

    Raises:
        DataError: a name is neither a log of the folder nor a file.
    """
    held = _in_folder(folder)
    if names:
        chosen = [_named(name, held) for name in names]
    else:
        chosen = list({task.published or task.name: task for task in reversed(held.values())}.values())[::-1]
    chosen += [_named(name, held) for name in also]
    return list(dict.fromkeys(chosen))


def _in_folder(folder: Path) -> dict[str, Task]:
    files = {_stem(path): path for path in sorted(folder.glob("*")) if _stem(path)}
    found: dict[str, Task] = {}
    for stem, path in files.items():
        base = stem.removesuffix("_train").removesuffix("_test")
        if base != stem and {f"{base}_train", f"{base}_test"} <= files.keys():
            name = base + PARTS if base in files else base
            found[name] = Task(name, files[f"{base}_train"], files[f"{base}_test"])
        else:
            found[stem] = Task(stem, path, published=published_name(stem))
    return found


def _named(name: str, held: dict[str, Task]) -> Task:
    if name in held:
        return held[name]
    path = Path(name)
    if not path.is_file():
        raise DataError(
            f"{name!r} is neither a file nor a log of the folder", hint=f"There are {', '.join(sorted(held))}."
        )
    stem = _stem(path)
    if stem.endswith("_train"):
        other = path.with_name(path.name.replace("_train", "_test"))
        if other.is_file():
            return Task(stem.removesuffix("_train"), path, other)
    return Task(stem, path, published=published_name(stem))


def _stem(path: Path) -> str:
    name = path.name.lower()
    form = max((form for form in FORMS if name.endswith(form)), key=len, default="")
    return path.name[: len(path.name) - len(form)] if form else ""


def published_name(stem: str) -> str | None:
    """The name of a log in the published tables, from the name of its file."""
    plain = re.sub(r"[^a-z0-9]", "", stem.lower().removeprefix("agentsim_"))
    return _PUBLISHED.get(plain) or _PUBLISHED.get(plain.removesuffix("pharmacy"))


def published(path: Path, log: str | None) -> list[Figure]:
    """All published figures of the five distances for a log; none if the log or the file has none."""
    if log is None or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            Figure(row["simulator"], row["metric"], float(row["mean"]), float(row["sd"] or "nan"), row["source"])
            for row in csv.DictReader(lines)
            if row["log"] == log and row["metric"] in NAMES
        ]
