"""Batches of Prosimos on the house's schema, as far as its rules have a counterpart."""

from __future__ import annotations

from typing import Any

from twin.clock import SECOND
from twin.process.distributions import Distribution
from twin.process.nodes import Batch
from twin.process.notes import note
from twin.process.prosimos.document import Entry
from twin.process.staff import WEEKDAYS

_FOREVER = "365 day"


def read_batch(entry: Entry, service: Distribution, notes: list[str]) -> tuple[Batch, Distribution]:
    """How a task is done in batches, and its service time in them.

    Rules are alternatives: a size, a wait of the first (`large_wt`), a time of day with or without a weekday. Assumed
    where Prosimos has more: `ready_wt` counts from the first instead of the last; of drawn sizes the mean is taken; who
    would be done alone is not.

    Raises:
        DataError: a rule joins tests that the house cannot test together.
    """
    kind = entry["type"].text.lower()
    if kind not in ("sequential", "parallel", "concurrent"):
        raise entry["type"].fail(f"{entry['type'].value!r} is not a type", "Types: Sequential, Parallel.")
    values: dict[str, Any] = {}
    rules = entry.get("firing_rules")
    sizes = _sizes(entry)
    if rules is not None:
        for rule in rules.each():
            _merge(values, _rule(rule, notes), rule)
        if sizes.get(1, 0.0) > 0:
            notes.append(note("batch_only", place=entry.place))
    else:
        mean = sum(size * share for size, share in sizes.items()) / max(sum(sizes.values()), 1e-12)
        values["size"] = max(round(mean), 1)
        if len([s for s in sizes.values() if s > 0]) > 1:
            notes.append(note("batch_mean", place=entry.place, n=values["size"]))
    if "at" not in values and "longest_wait" not in values:
        values["longest_wait"] = _FOREVER
    size = values.get("size") or 2
    factor = _factor(entry, size) * (size if kind == "parallel" else 1)
    how = {"service": "batch"} if kind == "parallel" else {"service": "item", "mode": "sequential"}
    return Batch.model_validate({**values, **how}), scaled(service, factor)


def _sizes(entry: Entry) -> dict[int, float]:
    section = entry.get("size_distrib")
    return {row["key"].whole: row["value"].number for row in section.each()} if section is not None else {1: 1.0}


def _factor(entry: Entry, size: int) -> float:
    """Service time in a batch of a size over that alone, of the nearest size that is given."""
    section = entry.get("duration_distrib")
    given = {row["key"].whole: row["value"].number for row in section.each()} if section is not None else {}
    given.setdefault(1, 1.0)
    return given[min(given, key=lambda n: (abs(n - size), n))]


def _merge(values: dict[str, Any], more: dict[str, Any], rule: Entry) -> None:
    """Alternatives: the smallest size, the shortest wait, all times of day."""
    if values.get("days", more.get("days")) != more.get("days", values.get("days")):
        raise rule.fail("times on different weekdays", "Give all times of day on the same days.")
    for key, value in more.items():
        if key == "at":
            values["at"] = sorted({*values.get("at", ()), *value})
        elif key in ("size", "longest_wait_s"):
            values[key] = min(values.get(key, value), value)
        else:
            values[key] = value
    if "longest_wait_s" in values:
        values["longest_wait"] = f"{round(values['longest_wait_s'] * SECOND)} ns"
        del values["longest_wait_s"]


def _rule(rule: Entry, notes: list[str]) -> dict[str, Any]:
    """What one alternative, a list of tests that hold together, means."""
    tests = [(t["attribute"].text, t.first("comparison", "operator").text, t["value"], t) for t in rule.each()]
    names = {name for name, *_ in tests}
    unknown = names - {"size", "large_wt", "ready_wt", "daily_hour", "week_day"}
    if unknown:
        raise rule.fail(
            f"{sorted(unknown)[0]!r} is not known", "Known: size, large_wt, ready_wt, daily_hour, week_day."
        )
    found: dict[str, Any] = {}
    for name, comparison, value, _ in tests:
        if name == "size" and comparison in ("=", ">=", ">"):
            found["size"] = value.whole + (comparison == ">")
        elif name == "size":
            found["size"] = 2
        elif name in ("large_wt", "ready_wt") and (comparison in ("=", ">=", ">") or "longest_wait_s" not in found):
            found["longest_wait_s"] = value.number
        elif name == "daily_hour" and comparison in ("=", ">=", ">"):
            found["at"] = [f"{value.whole:02d}:00"]
        elif name == "week_day":
            day = value.text[:3].lower()
            if day not in WEEKDAYS:
                raise value.fail(f"{value.value!r} is not a weekday")
            found["days"] = [day]
    if "days" in found:
        found.setdefault("at", ["00:00"])
    if names & {"daily_hour"} and "at" not in found:
        found["at"] = ["00:00"]
    return _joined(found, names, rule, notes)


def _joined(found: dict[str, Any], names: set[str], rule: Entry, notes: list[str]) -> dict[str, Any]:
    if "ready_wt" in names:
        notes.append(note("batch_since", place=rule.place))
    triggers = [key for key in ("size", "longest_wait_s", "at") if key in found]
    if len(triggers) > 1 and "size" in found and found["size"] <= 2:
        del found["size"]  # a batch is of two or more anyway
        triggers.remove("size")
    if len(triggers) > 1:
        what = f"asks for {' and '.join(sorted(names))} together"
        raise rule.fail(what, "Give each as an alternative of its own.")
    return found


def scaled(law: Distribution, factor: float) -> Distribution:
    """A law with all its durations multiplied."""
    if factor == 1:
        return law
    keys = ("mean", "low", "high", "unit", "least", "most")
    times = {k: round(v * factor) for k in keys if (v := getattr(law, k)) is not None}
    if law.parameters:
        longer = {k: v * factor if k in ("loc", "scale") else v for k, v in law.parameters.items()}
        return law.model_copy(update={**times, "parameters": longer})
    return law.model_copy(update=times)
