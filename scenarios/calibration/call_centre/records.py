"""Reads the records of a call centre into columns, and says what was wrong with them.

Two forms: the monthly files of the "Anonymous Bank" (I. Guedj and A. Mandelbaum, Technion, 2000), and one CSV or
Parquet file of any call centre with a row per call (`TABLE_COLUMNS`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from twin.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
DAY_S = 86_400
LONGEST_WAIT_S = 3_600
LONGEST_SERVICE_S = 4 * 3_600
LONGEST_MENU_S = 600
TABLE_COLUMNS = {
    "arrived": "when the call came in (date and time)",
    "wait_s": "time in the queue",
    "answered": "whether an agent took the call (true/false, 1/0)",
    "service_s": "talk time, 0 or empty if not answered",
}
OPTIONAL_COLUMNS: dict[str, Any] = {"menu_s": 0.0, "type": "call", "agent": "", "priority": 0}
_MONTH_FILE = re.compile(r"^(0[1-9]|1[0-2])_\w+\.txt(\.gz)?$")
_RAW = (
    "priority",
    "type",
    "date",
    "vru_entry",
    "vru_exit",
    "vru_time",
    "q_start",
    "q_time",
    "outcome",
    "ser_time",
    "server",
)


@dataclass(frozen=True)
class Calls:
    """Calls that asked for an agent, in order of arrival: columns of equal length.

    Args:
        first_day: the calendar day whose midnight is time 0.
        arrived: s; when the call came in.
        menu: s in the voice menu, NaN where the record is not usable.
        wait: s in the queue, by being served or by leaving.
        served: whether an agent took the call.
        service: s of service, NaN for calls not served or not usable.
        kind, agent: numbers of `kinds` and `agents`, -1 for an unknown agent.
        priority: as recorded.
    """

    first_day: dt.date
    arrived: Floats
    menu: Floats
    wait: Floats
    served: Flags
    service: Floats
    kind: Ints
    agent: Ints
    priority: Ints
    kinds: tuple[str, ...]
    agents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.arrived)
        for name in ("menu", "wait", "served", "service", "kind", "agent", "priority"):
            if len(getattr(self, name)) != n:
                raise DataError(f"{len(getattr(self, name))} values of {name!r} for {n} calls")
        if n == 0:
            raise DataError("no call asked for an agent", hint="Look at the months chosen.")

    def __len__(self) -> int:
        return len(self.arrived)

    @property
    def queued(self) -> Floats:
        """When the call left the menu for the queue or an agent, s."""
        return self.arrived + np.nan_to_num(self.menu)

    @property
    def day(self) -> Ints:
        """Days since `first_day`."""
        return (self.arrived // DAY_S).astype(np.int64)

    @property
    def hour(self) -> Ints:
        """Hour of the day of arrival."""
        return (self.arrived % DAY_S // 3600).astype(np.int64)

    @property
    def days(self) -> int:
        """Length of the record, days."""
        return int(self.day[-1]) + 1

    def date(self, day: int) -> dt.date:
        """Calendar day."""
        return self.first_day + dt.timedelta(days=int(day))

    def take(self, chosen: ArrayLike) -> Calls:
        """The calls chosen by a mask or by numbers."""
        names = ("arrived", "menu", "wait", "served", "service", "kind", "agent", "priority")
        return replace(self, **{name: getattr(self, name)[np.asarray(chosen)] for name in names})

    def months(self, months: Sequence[int]) -> Calls:
        """The calls of some months of the year; time 0 becomes the midnight of the first day left."""
        month = np.array([self.date(d).month for d in range(self.days)])
        left = self.take(np.isin(month[self.day], months))
        first = int(left.day[0])
        return replace(left, first_day=self.date(first), arrived=left.arrived - first * DAY_S)


@dataclass
class Report:
    """What reading found: rows, what was left out and why, what looks odd."""

    rows: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    doubtful: dict[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    sha256: str = ""

    def count(self, into: dict[str, int], why: str, rows: ArrayLike) -> None:
        """Note rows that share a reason, if there are any."""
        n = int(np.asarray(rows).sum())
        if n:
            into[why] = into.get(why, 0) + n


def read(source: Path, months: Sequence[int] | None = None) -> tuple[Calls, Report]:
    """Calls of a folder of monthly files, or of a table.

    Args:
        source: folder with files such as 01_January.txt.gz, or a .csv or .parquet file.
        months: months of the year to keep.

    Raises:
        DataError: if there is nothing to read or a column is missing.
    """
    if source.is_dir():
        return _read_months(source, months)
    if not source.is_file():
        raise DataError("no such folder or file", where=str(source))
    calls, report = _read_table(source)
    return (calls.months(months) if months else calls), report


def _files(folder: Path, months: Sequence[int] | None) -> list[Path]:
    found = {int(f.name[:2]): f for f in sorted(folder.iterdir()) if _MONTH_FILE.match(f.name)}
    if not found:
        raise DataError("no monthly file of calls", where=str(folder), hint="Expected 01_January.txt.gz and so on.")
    missing = [m for m in months or () if m not in found]
    if missing:
        there = ", ".join(map(str, sorted(found)))
        raise DataError(f"month {missing[0]} is not there", where=str(folder), hint=f"There are months {there}.")
    return [found[m] for m in sorted(months or found)]


def _seconds(column: pd.Series[Any]) -> Floats:
    """Seconds since midnight of h:mm:ss, NaN where it is something else; few different values, so each is read once."""
    codes, texts = pd.factorize(column.astype(str))
    parts = [t.split(":") for t in texts]
    whole = [len(p) == 3 and all(x.isdigit() for x in p) for p in parts]
    values = [
        3600.0 * int(p[0]) + 60.0 * int(p[1]) + int(p[2]) if w else np.nan for p, w in zip(parts, whole, strict=True)
    ]
    return np.asarray(values, np.float64)[codes]


def _read_months(folder: Path, months: Sequence[int] | None) -> tuple[Calls, Report]:
    files = _files(folder, months)
    digest, frames = hashlib.sha256(), []
    for file in files:
        digest.update(file.read_bytes())
        texts = dict.fromkeys(("date", "vru_entry", "vru_exit", "q_start"), str)
        frame = _table(file, sep=r"\s+", dtype=texts)
        missing = [c for c in _RAW if c not in frame.columns]
        if missing:
            raise DataError(f"columns {', '.join(missing)} are missing", where=str(file))
        frames.append(frame)
    raw = pd.concat(frames, ignore_index=True)
    report = Report(rows=len(raw), files=tuple(f.name for f in files), sha256=digest.hexdigest())
    return _of_raw(raw, report), report


def _of_raw(raw: pd.DataFrame, report: Report) -> Calls:
    entry, wait = _seconds(raw["vru_entry"]), raw["q_time"].to_numpy(np.float64)
    served, left = (raw["outcome"] == "AGENT").to_numpy(), (raw["outcome"] == "HANG").to_numpy()
    day = pd.to_datetime(raw["date"], format="%y%m%d", errors="coerce")
    bad = {
        "virtual call (PHANTOM)": (raw["outcome"] == "PHANTOM").to_numpy(),
        "hung up in the voice menu": left & (wait == 0),
        "without a service type (AA)": (raw["type"] == "AA").to_numpy() & ~(left & (wait == 0)),
        "time or date that cannot be read": ~np.isfinite(entry) | day.isna().to_numpy(),
        f"wait negative or above {LONGEST_WAIT_S} s": (wait < 0) | (wait > LONGEST_WAIT_S),
    }
    for why, rows in bad.items():
        report.count(report.left_out, why, rows)
    keep = (served | left) & ~np.logical_or.reduce(list(bad.values()))
    menu, service = raw["vru_time"].to_numpy(np.float64), raw["ser_time"].to_numpy(np.float64)
    odd_menu, odd_service = (menu < 0) | (menu > LONGEST_MENU_S), served & (service > LONGEST_SERVICE_S)
    report.count(report.doubtful, f"menu time negative or above {LONGEST_MENU_S} s (not used)", odd_menu & keep)
    report.count(report.doubtful, f"service above {LONGEST_SERVICE_S} s (not used)", odd_service & keep)
    gap = _seconds(raw["q_start"]) - _seconds(raw["vru_exit"])
    report.count(report.doubtful, "queue entry is not menu exit", keep & (wait > 0) & (np.abs(gap) > 1))
    named = raw["server"].astype(str)
    report.count(report.doubtful, "served by nobody named", keep & served & (named == "NO_SERVER").to_numpy())
    first = day[keep].min()
    frame = pd.DataFrame(
        {
            "arrived": (day - first).dt.days.to_numpy(np.float64) * DAY_S + entry,
            "menu": np.where(odd_menu, np.nan, menu),
            "wait": wait,
            "served": served,
            "service": np.where(served & ~odd_service, service, np.nan),
            "kind": raw["type"].astype(str),
            "agent": named.where(named != "NO_SERVER", ""),
            "priority": raw["priority"],
        }
    )
    return _columns(frame[keep], first.date())


def _columns(frame: pd.DataFrame, first_day: dt.date) -> Calls:
    ordered = frame.sort_values("arrived", kind="stable")
    kinds = tuple(ordered["kind"].value_counts().index)
    agents = tuple(sorted(set(ordered["agent"]) - {""}))
    number = {a: i for i, a in enumerate(agents)} | {"": -1}
    return Calls(
        first_day,
        ordered["arrived"].to_numpy(np.float64),
        ordered["menu"].to_numpy(np.float64),
        ordered["wait"].to_numpy(np.float64),
        ordered["served"].to_numpy(np.bool_),
        ordered["service"].to_numpy(np.float64),
        ordered["kind"].map({k: i for i, k in enumerate(kinds)}).to_numpy(np.int64),
        ordered["agent"].map(number).to_numpy(np.int64),
        ordered["priority"].to_numpy(np.int64),
        kinds,
        agents,
    )


def _table(path: Path, **options: Any) -> pd.DataFrame:
    """A table of text or Parquet, as pandas reads it."""
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, **options)
    except UnicodeDecodeError as error:
        raise DataError("not in UTF-8", where=str(path), hint="Save it as UTF-8 text.") from error
    except (OSError, ValueError, EOFError, zlib.error) as error:
        what = f"cannot be read: {str(error).strip().splitlines()[0]}"
        raise DataError(
            what, where=str(path), hint="A table of calls has a line of names and a row for each."
        ) from error


def _read_table(path: Path) -> tuple[Calls, Report]:
    frame = _table(path)
    missing = [c for c in TABLE_COLUMNS if c not in frame.columns]
    if missing:
        meaning = f"{missing[0]}: {TABLE_COLUMNS[missing[0]]}"
        raise DataError(f"column {missing[0]!r} is missing", where=str(path), hint=f"Expected {meaning}.")
    for name, value in OPTIONAL_COLUMNS.items():
        column = frame[name] if name in frame.columns else pd.Series(value, frame.index)
        frame[name] = column.fillna(value)
    arrived = pd.to_datetime(frame["arrived"], errors="coerce")
    answered = frame["answered"].astype(str).str.lower().isin(("true", "1", "1.0", "yes"))
    wait = pd.to_numeric(frame["wait_s"], errors="coerce")
    report = Report(len(frame), files=(path.name,), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    unusable = arrived.isna() | wait.isna() | (wait < 0)
    report.count(report.left_out, "time or wait that cannot be read", unusable)
    report.count(report.left_out, "hung up without waiting", ~answered & (wait == 0) & ~unusable)
    keep = ~unusable & (answered | (wait > 0))
    if not keep.any():
        raise DataError("no call asked for an agent", where=str(path))
    first = arrived[keep].min().normalize()
    columns = pd.DataFrame(
        {
            "arrived": (arrived - first).dt.total_seconds(),
            "menu": pd.to_numeric(frame["menu_s"], errors="coerce"),
            "wait": wait,
            "served": answered,
            "service": pd.to_numeric(frame["service_s"], errors="coerce").where(answered),
            "kind": frame["type"].astype(str),
            "agent": frame["agent"].astype(str),
            "priority": frame["priority"],
        }
    )
    return _columns(columns[keep], first.date()), report
