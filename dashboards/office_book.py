"""Fills the tables of docs/broker-processes.md: parameters with their sources, and measured differences.

Between `<!-- parameters: A B -->` or `<!-- measured: A B -->` and `<!-- end -->` everything is written anew; A and B
name process files; `x10 for 2 days` after them is a burst. What stands elsewhere is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from dashboards.office_cells import cells
from dashboards.office_words import measure_label, say
from scenarios.office_processes import Comparison
from scenarios.offices import process_model, process_names
from twin.clock import DAY
from twin.errors import DataError
from twin.process.distributions import Distribution
from twin.process.model import (
    Attribute,
    Branch,
    BySegment,
    Calendar,
    Deadline,
    Delay,
    End,
    Pool,
    ProcessModel,
    Race,
    Task,
    When,
)
from twin.process.nodes import Window

_BLOCK = re.compile(
    r"(<!-- (parameters|measured): (\S+) (\S+)(?: x([\d.]+) for (\d+) days)? -->\n).*?(<!-- end -->)", re.DOTALL
)
Compare = Callable[[str, str, float, int | None], Comparison]
"""Compares two forms with a factor on the arrivals of both, on so many days from an empty office if they are given."""


def fill(text: str, compare: Compare | None) -> str:
    """A document with its blocks written anew; without `compare` those of measurements stay as they are.

    Raises:
        DataError: the document has no block.
    """
    if not _BLOCK.search(text):
        raise DataError("there is nothing to fill in", hint="Blocks begin with `<!-- measured: A B -->`.")

    def block(found: re.Match[str]) -> str:
        head, kind, today, reformed, factor, days, end = found.groups()
        if kind == "parameters":
            lines = parameters(today, reformed)
        elif compare is None:
            return found[0]
        else:
            lines = measured(compare(today, reformed, float(factor or 1), int(days) if days else None))
        return "\n".join([head.rstrip("\n"), "", *lines, "", end])

    return _BLOCK.sub(block, text)


def write_book(path: Path, compare: Compare) -> list[Path]:
    """Fill a document in place and draw the processes that its pictures show; returns the files written.

    A picture `FOLDER/today-complaint.svg` is the process today/complaint.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read the document: {error.strerror}", where=str(path)) from error
    path.write_text(fill(text, compare), encoding="utf-8")
    from dashboards.office_drawings import drawing

    wanted = pictures(path, text)
    for picture, name in wanted.items():
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(drawing(name), encoding="utf-8")
    return [path, *wanted]


def pictures(path: Path, text: str) -> dict[Path, str]:
    """The drawings that a document shows, each with the name of its process."""
    names = {name.replace("/", "-"): name for name in process_names()}
    shown = [path.parent / found for found in re.findall(r"\]\(([^)]+\.svg)\)", text)]
    return {picture: names[picture.stem] for picture in shown if picture.stem in names}


def measured(result: Comparison) -> list[str]:
    """Table of a comparison."""
    lines = [_row(say(k) for k in ("measure", "unit", "today", "reformed", "difference")), "|---|---|---|---|---|"]
    for row in result.rows:
        values = list(cells(row))
        if row.difference is not None and row.difference.verdict.value == "can't tell":
            values[2] += " (can't tell)"
        unit = "" if row.measure.unit in ("share", "cases") else say(row.measure.unit)
        lines.append(_row([measure_label(row.measure.name, "en"), unit, *values]))
    return lines


def parameters(today: str, reformed: str) -> list[str]:
    """Table of what both forms are made of, today's first; `=` where the reformed form says the same."""
    a, b = process_model(today), process_model(reformed)
    before, after = dict(_parts(a)), dict(_parts(b))
    lines = [_row(("part", "today", "reformed", "source")), "|---|---|---|---|"]
    for key in [*before, *(k for k in after if k not in before)]:
        old, new = before.get(key), after.get(key)
        same = old is not None and new is not None and old[0] == new[0]
        sources = [p[1] for p in (old, new) if p is not None and p[1]]
        if len(sources) == 2 and (same or sources[1] == "as today"):
            sources.pop()
        words = "; ".join(dict.fromkeys(s for s in sources if s))
        lines.append(_row([key, old[0] if old else "–", "=" if same else new[0] if new else "–", words]))
    return lines


def _row(texts: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(t.replace("|", "/").replace("\n", " ") for t in texts) + " |"


def _parts(model: ProcessModel) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name of every part with its text and source."""
    if model.arrivals is not None:
        yield "arrivals", (f"{model.arrivals.per_day:,.0f} a day", model.arrivals.source)
    if model.case_patience is not None:
        patience = model.case_patience
        text = f"{_value(patience.patience)}; burden {patience.burden:g}"
        yield "patience of the case", (text, " ".join([patience.patience.source, patience.source]))
    for name, attribute in model.attributes.items():
        yield f"*{name}* (of the case)", (_attribute(attribute), attribute.source)
    for name, pool in model.pools.items():
        yield f"**{name}**", (_pool(pool, model), pool.source)
    for name, deadline in model.deadlines.items():
        yield f"deadline {name}", (_deadline(deadline), deadline.source)
    for name, node in model.nodes.items():
        if not isinstance(node, End) and node.source:
            yield f"`{name}`", (_node(node), node.source)


def _law(law: Distribution) -> str:
    if law.distribution == "constant":
        return _span(law.mean_ns) if law.mean else "at once"
    if law.distribution == "uniform":
        return f"{_span(law.low or 0)} to {_span(law.high or 0)}"
    spread = f", cv {law.cv:g}" if law.cv is not None else ""
    return f"{_span(law.mean_ns)} {law.distribution}{spread}"


def _span(ns: float) -> str:
    """A duration in the unit in which people would say it."""
    for size, unit in ((3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s")):
        if ns >= 2 * size or unit == "s":
            return f"{ns / size:g} {unit}"
    return ""


def _value(value: BySegment[Distribution]) -> str:
    others = [f"{_law(law)} for {name}" for name, law in value.by_segment.items()]
    others += [f"{_law(case.value)} if {_when(case.when)}" for case in value.cases]
    return ", ".join([_law(value.default), *others])


def _share(value: BySegment[float]) -> str:
    others = [f"{share:.4g} for {name}" for name, share in value.by_segment.items()]
    others += [f"{case.value:.4g} if {_when(case.when)}" for case in value.cases]
    return ", ".join([f"{value.default:.4g}", *others])


def _when(when: When) -> str:
    if when.attribute is not None:
        asked = when.is_in or when.not_in
        if asked:
            return f"{when.attribute} {'is' if when.is_in else 'is not'} {' or '.join(asked)}"
        limits = (("at least", when.at_least), ("above", when.above), ("at most", when.at_most), ("below", when.below))
        return " and ".join(f"{when.attribute} {word} {limit:,g}" for word, limit in limits if limit is not None)
    parts, word = (when.all, " and ") if when.all else (when.any, "; or ")
    return word.join(_when(p) for p in parts)


def _attribute(attribute: Attribute) -> str:
    if attribute.shares:
        return ", ".join(f"{name} {share:g}" for name, share in attribute.shares.items())
    return f"{attribute.distribution}, mean {attribute.mean:,g}" + (f", cv {attribute.cv:g}" if attribute.cv else "")


def _pool(pool: Pool, model: ProcessModel) -> str:
    if pool.shifts:
        text = ", ".join(f"{s.staff} {_clock(s.start)}–{_clock(s.end)}" for s in pool.shifts)
    else:
        text = "any number" if pool.staff == "unlimited" else f"{pool.staff}"
        if pool.calendar:
            text += f" in {_hours(model.calendars[pool.calendar])}"
    cost = f", {pool.cost_per_hour / 100:g} CNY/h" if pool.cost_per_hour else ""
    return text + (" (machine)" if pool.kind == "machine" else "") + cost


def _hours(calendar: Calendar) -> str:
    return " and ".join(f"{_clock(h.start)}–{_clock(h.end)}" for h in calendar.hours)


def _clock(ns: int) -> str:
    minutes = ns // 60_000_000_000
    return "24:00" if ns == DAY else f"{minutes // 60:02d}:{minutes % 60:02d}"


def _deadline(deadline: Deadline) -> str:
    text = _value(deadline.after) + (f" of {deadline.calendar}" if deadline.calendar else "")
    if deadline.begins:
        text += f" from {deadline.begins}"
    if deadline.until:
        text += f" to {deadline.until}"
    return text + (f", then {deadline.to}" if deadline.to else "")


def _way(way: Branch, *, conditional: bool) -> str:
    if way.when is not None:
        return f"{way.to} if {_when(way.when)}"
    sure = conditional and way.probability == BySegment[float](default=1.0)
    return f"else {way.to}" if sure else f"{way.to} {_share(way.probability)}"


def _node(node: object) -> str:
    parts = []
    if isinstance(node, Task):
        parts.append(f"{_value(node.service)} by {node.pool}")
        if node.patience is not None:
            parts.append(f"patience {_value(node.patience)}")
        if node.rework is not None:
            limit = f", at most {node.rework.limit} times" if node.rework.limit else ""
            parts.append(f"again {_share(node.rework.probability)}{limit}")
        parts += [f"after {_value(b.after)}: {b.to}" for b in node.boundary]
    elif isinstance(node, Delay):
        parts.append(f"{_value(node.duration)}, nobody's time")
    elif isinstance(node, Window):
        later = "next day's " if node.next_day else ""
        parts.append(f"waits for {later}{_clock(node.opens)}–{_clock(node.closes)}")
    if not isinstance(node, Race) and len(ways := getattr(node, "branches", ())) > 1:
        if getattr(node, "kind", "") == "fork":
            parts.append("at once: " + ", ".join(w.to for w in ways))
        else:
            conditional = any(w.when for w in ways)
            parts.append("; ".join(_way(w, conditional=conditional) for w in ways))
    return "; ".join(parts) or "a gateway"
