"""What an event log holds: sizes, span, rates, cycle times, activities, variants; and a picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.errors import DataError
from twin.process.eventlog.log import ACTIVITY, CASE, END, RESOURCE, START, EventLog

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_TOP = 10


def summary(log: EventLog, top: int = _TOP) -> dict[str, Any]:
    """Sizes of a log, when it begins and ends (ISO texts, UTC), rates, times and its commonest variants.

    Args:
        log: the log.
        top: how many variants and activities to name.
    """
    table = log.table
    times = pa.chunked_array([*table[START].chunks, *table[END].chunks], table[START].type)
    bounds = pc.min_max(times).as_py()
    found: dict[str, Any] = {
        "rows": len(log),
        "cases": log.cases,
        "activities": len(log.activities),
        "resources": int(pc.count_distinct(table[RESOURCE]).as_py()),
        "first": None if bounds["min"] is None else bounds["min"].isoformat(),
        "last": None if bounds["max"] is None else bounds["max"].isoformat(),
        "days": None,
        "cases_per_day": None,
        "rows_per_case": round(len(log) / log.cases, 2) if len(log) else None,
        "cycle_hours": {},
        "variants": 0,
        "top_variants": [],
        "top_activities": [],
    }
    if bounds["min"] is None:
        return found
    days = (bounds["max"] - bounds["min"]).total_seconds() / 86_400
    found["days"] = round(days, 2)
    found["cases_per_day"] = round(log.cases / days, 2) if days else None
    found["cycle_hours"] = _cycle_hours(log)
    found["variants"], found["top_variants"] = _variants(log, top)
    found["top_activities"] = _activities(log, top)
    return found


_WORDS = {
    "begun": ("cases begun", "新到案例"),
    "ended": ("cases ended", "办结案例"),
    "under_way": ("cases under way at the end of the day (grey)", "日终在办案例（灰色）"),
    "a_day": ("cases a day", "每日案例"),
    "hour": ("hour of day (UTC)", "时刻（UTC）"),
    "started": ("activities started", "开始的活动"),
}
_DAYS = (("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), ("周一", "周二", "周三", "周四", "周五", "周六", "周日"))


def draw(log: EventLog, path: Path, language: str = "en") -> None:
    """A picture (PNG or SVG) of cases begun, ended and under way day by day, and of events by hour of the week (UTC).

    Args:
        log: what to draw.
        path: of the picture.
        language: en or zh, which needs a font that has its characters.

    Raises:
        DataError: the name has another ending, or the log has no times.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.suffix.lower() not in (".png", ".svg"):
        raise DataError("not the name of a picture", where=str(path), hint="Names end in .png or .svg.")
    begins, ends = _bounds(log)
    if not len(begins):
        raise DataError("a log without times has no picture", where=str(path))
    first, last = int(begins.min()) // _DAY_US, int(ends.max()) // _DAY_US
    arrived, done = (np.bincount(t // _DAY_US - first, minlength=last - first + 1) for t in (begins, ends))
    words = {key: texts[language == "zh"] for key, texts in _WORDS.items()}
    day = np.arange(first, last + 1).astype("datetime64[D]")
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, height_ratios=[3, 2])
    upper.step(day, arrived, where="post", label=words["begun"], linewidth=1)
    upper.step(day, done, where="post", label=words["ended"], linewidth=1)
    beside = upper.twinx()
    beside.fill_between(day, np.cumsum(arrived - done), step="post", alpha=0.15, color="tab:gray")
    beside.set_ylabel(words["under_way"])
    upper.set_ylabel(words["a_day"])
    upper.legend(loc="upper left", fontsize=8)
    starts = _micros(log.table[START])
    hours = (starts // _HOUR_US + 3 * 24) % 168  # hour 0 of the Unix count was on a Thursday
    image = lower.imshow(np.bincount(hours, minlength=168).reshape(7, 24), aspect="auto", cmap="Blues")
    lower.set_yticks(range(7), _DAYS[language == "zh"])
    lower.set_xlabel(words["hour"])
    figure.colorbar(image, ax=lower, label=words["started"])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _micros(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.drop_null().cast(pa.int64()).to_numpy(), np.int64)


def _bounds(log: EventLog) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last instant of each case, microseconds since 1970."""
    table = log.table
    first, last = pc.coalesce(table[START], table[END]), pc.coalesce(table[END], table[START])
    cases = pa.table({"case": table[CASE], "first": first, "last": last})
    cases = cases.group_by("case").aggregate([("first", "min"), ("last", "max")])
    return _micros(cases["first_min"]), _micros(cases["last_max"])


def _cycle_hours(log: EventLog) -> dict[str, float]:
    begins, ends = _bounds(log)
    hours = (ends - begins) / _HOUR_US
    shares = {"median": 0.5, "p90": 0.9, "p99": 0.99}
    found = {name: round(float(np.quantile(hours, share)), 3) for name, share in shares.items()}
    return {"mean": round(float(hours.mean()), 3), **found}


def _variants(log: EventLog, top: int) -> tuple[int, list[dict[str, Any]]]:
    """How many different sequences of activities there are, and the commonest."""
    coded = log.table[ACTIVITY].combine_chunks().dictionary_encode()
    names = coded.dictionary.to_pylist()
    activity = np.asarray(coded.indices.to_numpy(), np.int32)
    case = log.table[CASE].combine_chunks().dictionary_encode().indices.to_numpy()
    cuts = np.flatnonzero(case[1:] != case[:-1]) + 1
    count: dict[bytes, int] = {}
    for part in np.split(activity, cuts):
        key = part.tobytes()
        count[key] = count.get(key, 0) + 1
    order = sorted(count, key=lambda key: (-count[key], key))
    total = len(cuts) + 1
    return len(count), [
        {
            "cases": count[key],
            "share": round(count[key] / total, 4),
            "activities": [names[code] for code in np.frombuffer(key, np.int32)],
        }
        for key in order[:top]
    ]


def _activities(log: EventLog, top: int) -> list[dict[str, Any]]:
    """The commonest activities: how often, who, and how long they take."""
    table = log.table
    minutes = pc.divide(pc.subtract(table[END], table[START]).cast(pa.int64()).cast(pa.float64()), 60e6)
    rows = pa.table({"activity": table[ACTIVITY], "resource": table[RESOURCE], "minutes": minutes})
    found = rows.group_by("activity").aggregate(
        [("minutes", "approximate_median"), ("minutes", "mean"), ("activity", "count"), ("resource", "count_distinct")]
    )
    found = found.sort_by([("activity_count", "descending"), ("activity", "ascending")]).slice(0, top)
    return [
        {
            "activity": row["activity"],
            "count": row["activity_count"],
            "resources": row["resource_count_distinct"],
            "median_minutes": _rounded(row["minutes_approximate_median"]),
            "mean_minutes": _rounded(row["minutes_mean"]),
        }
        for row in found.to_pylist()
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
