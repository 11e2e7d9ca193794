"""Case attributes: which a log has, their levels, and how simulated cases get theirs (from observed cases, whole rows).

An attribute is a column with one value in each case. Identifiers, instants and columns that only restate the route of
the case (a variant's number) are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from twin.process.discovery.columns import Float, Int, LogColumns
from twin.process.discovery.model import DiscoveredProcess
from twin.process.discovery.pieces import MISSING, Attribute
from twin.process.eventlog.log import CASE, CASE_PREFIX, COLUMNS, ENABLED, EventLog
from twin.randomness import Stream, Streams

_MOST = 16
"""No more attributes than this are kept."""
_GROUP = 40
_GROUPS = 10
"""Numeric attributes fall into up to ten quantile groups of 40 cases or more."""
_FEW = 10
"""Numbers with no more distinct values than this are categories."""
_LEVEL = 10
_LEVELS = 30
_DECIMALS = 6
_DRAW = 1 << 20
"""Draw counter of attributes; resampling uses the lower ones of the same stream."""
_RESTATES = 10

Kind = Literal["int", "float", "text", "bool"]


@dataclass(frozen=True)
class Feature:
    """What may steer services or routes.

    Attributes:
        name: of the attribute, or of the clock's part.
        labels: of the levels.
        level: of each case (attributes) or of each instance (the clock); -1 = none.
        clock: whether it is read from the clock when work begins.
    """

    name: str
    labels: list[str]
    level: Int
    clock: bool = False


def case_attributes(log: EventLog, columns: LogColumns) -> list[Attribute]:
    """The attributes of the log's cases, in the order of `columns.names`."""
    position = {name: i for i, name in enumerate(columns.names)}
    case = np.array([position[str(name or "unknown")] for name in log.table[CASE].to_pylist()], np.int64)
    traces = [columns.activity[a:b].tobytes() for a, b in zip(columns.offset[:-1], columns.offset[1:], strict=True)]
    found: list[Attribute] = []
    for name in log.attributes:
        if name in (*COLUMNS, ENABLED) or len(found) == _MOST:
            continue
        values = _by_case(log.table[name], case, columns.cases, strict=not name.startswith(CASE_PREFIX))
        if values is None or _restates(values, traces):
            continue
        attribute = _attribute(name, values)
        if attribute is not None:
            found.append(attribute)
    return found


def _by_case(column: pa.ChunkedArray, case: Int, cases: int, *, strict: bool) -> list[Any] | None:
    """The value of each case; None if it is not one value per case, or nothing that can be grouped."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    plain = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean, pa.types.is_integer)
    if not (any(is_kind(kind) for is_kind in plain) or pa.types.is_floating(kind)):
        return None
    values: list[Any] = [None] * cases
    for c, value in zip(case.tolist(), column.to_pylist(), strict=True):
        if value is None or (isinstance(value, float) and not np.isfinite(value)):
            continue
        if values[c] is None:
            values[c] = value
        elif strict and values[c] != value:
            return None
    return values


def _restates(values: list[Any], traces: list[bytes]) -> bool:
    """Whether each value stands for one route and each route for one value: a description of the route, no cause."""
    known = [(value, trace) for value, trace in zip(values, traces, strict=True) if value is not None]
    pairs, left, right = set(known), {value for value, _ in known}, {trace for _, trace in known}
    return len(pairs) == len(left) == len(right) > _RESTATES


def _attribute(name: str, values: list[Any]) -> Attribute | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    kind: Kind = "text"
    if all(isinstance(value, bool) for value in known):
        kind = "bool"
    elif all(isinstance(value, int) for value in known):
        kind = "int"
    elif all(isinstance(value, int | float) for value in known):
        kind = "float"
    distinct = Counter(known)
    numbers = _numbers(list(distinct)) if kind != "bool" and len(distinct) > _FEW else None
    if numbers is not None:
        return _numeric(name, kind if kind != "text" else "float", values)
    if len(distinct) > len(known) / 2:
        return None
    return _category(name, kind, [None if value is None else str(value) for value in values])


def _numbers(values: list[Any]) -> Float | None:
    try:
        found = np.array([float(value) for value in values])
    except ValueError:
        return None
    return found if np.isfinite(found).all() and np.abs(found).max() < 1e11 else None


def _numeric(name: str, kind: Kind, values: list[Any]) -> Attribute | None:
    known = np.array([value is not None for value in values])
    numbers = np.array([0.0 if value is None else float(value) for value in values])
    own = numbers[known]
    decimals = next((d for d in range(_DECIMALS) if np.allclose(own, np.round(own, d), rtol=0, atol=1e-9)), _DECIMALS)
    groups = int(np.clip(len(own) // _GROUP, 2, _GROUPS))
    edges = np.unique(np.quantile(own, np.arange(1, groups) / groups, method="lower"))
    edges = edges[edges < own.max()]
    if not len(edges):
        return None
    labels = [f"to {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in pairwise(edges.tolist()))]
    labels.append(f"above {edges[-1]:g}")
    lacking = int((~known).sum()) >= _LEVEL
    scaled = np.where(known, np.round(numbers * 10.0**decimals), 0.0).astype(np.int64)
    return Attribute(
        name=name,
        kind="numeric",
        type=kind,
        levels=[*labels, *(["none"] if lacking else [])],
        edges=edges.tolist(),
        decimals=decimals,
        value=np.where(known, scaled, MISSING),
        missing=len(labels) if lacking else -1,
    )


def _category(name: str, kind: Kind, values: list[str | None]) -> Attribute | None:
    counts = Counter(value for value in values if value is not None)
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    own = [text for text in ranked if counts[text] >= _LEVEL][:_LEVELS]
    rest = sum(counts[text] for text in ranked if text not in set(own))
    labels = list(own)
    other = len(labels) if rest >= _LEVEL else -1
    labels += ["other"] if other >= 0 else []
    lacking = len(labels) if sum(value is None for value in values) >= _LEVEL else -1
    labels += ["none"] if lacking >= 0 else []
    if len(labels) < 2:
        return None
    level = {text: i for i, text in enumerate(own)}
    texts = sorted(counts)
    code = {text: i for i, text in enumerate(texts)}
    return Attribute(
        name=name,
        kind="category",
        type=kind,
        levels=labels,
        texts=texts,
        level_of_text=[level.get(text, other) for text in texts],
        value=np.array([MISSING if value is None else code[value] for value in values], np.int64),
        missing=lacking,
    )


def levels_of(attribute: Attribute) -> Int:
    """The level of each row, -1 = none."""
    known = attribute.value != MISSING
    if attribute.kind == "numeric":
        numbers = attribute.value / 10.0**attribute.decimals
        found = np.searchsorted(np.array(attribute.edges), numbers - 0.5 * 10.0**-attribute.decimals, side="left")
    else:
        found = np.array([*attribute.level_of_text, -1], np.int64)[np.where(known, attribute.value, -1)]
    return np.where(known, found, attribute.missing).astype(np.int64)


def features_of(attributes: list[Attribute]) -> list[Feature]:
    """What may steer: one feature for each attribute, with the level of each observed case."""
    return [Feature(attribute.name, attribute.levels, levels_of(attribute)) for attribute in attributes]


def draw_rows(process: DiscoveredProcess, numbers: Int, streams: Streams) -> Int:
    """The observed case from which each simulated one takes its attributes; -1 = there are none."""
    if not process.attributes:
        return np.full(len(numbers), -1, np.int64)
    total = np.cumsum(process.row_weight)
    u = streams.uniform(Stream.WORK_CASE, numbers, _DRAW)
    found = np.searchsorted(total, u * total[-1], side="right")
    return np.minimum(found, len(total) - 1).astype(np.int64)


def rows_like(process: DiscoveredProcess, log: EventLog, names: Sequence[str]) -> Int:
    """Observed cases that are like some cases of a log in the attributes that have an effect; -1 = nothing has any.

    Args:
        process: with what was observed.
        log: as far as it is known.
        names: of its cases.
    """
    staff = process.workforce.effects if process.workforce else []
    by = {effect.by for effect in process.steering}
    by |= {effect.by for effect in (*process.timing.effects, *staff) if not effect.clock}
    used = [attribute for attribute in process.attributes if attribute.name in by]
    if not used or not len(names):
        return np.full(len(names), -1, np.int64)
    position = {name: i for i, name in enumerate(names)}
    case = np.array([position.get(str(name or "unknown"), -1) for name in log.table[CASE].to_pylist()], np.int64)
    alike = np.zeros((len(names), len(used[0].value)))
    for attribute in used:
        values: list[Any] = [None] * (len(names) + 1)
        column = log.table[attribute.name].to_pylist() if attribute.name in log.attributes else []
        for c, value in zip(case.tolist(), column, strict=False):
            values[c] = value if values[c] is None else values[c]
        alike += _levels_like(attribute, values[:-1])[:, None] == levels_of(attribute)
    return np.asarray(alike.argmax(axis=1), np.int64)


def _levels_like(attribute: Attribute, values: list[Any]) -> Int:
    """The level of new values."""
    out = np.full(len(values), attribute.missing, np.int64)
    level = dict(zip(attribute.texts, attribute.level_of_text, strict=True))
    for i, value in enumerate(values):
        if value is None:
            continue
        if attribute.kind == "category":
            out[i] = level.get(str(value), -1)
        else:
            below = float(value) - 0.5 * 10.0**-attribute.decimals
            out[i] = np.searchsorted(np.array(attribute.edges), below, side="left")
    return out


def as_columns(process: DiscoveredProcess, rows: Int) -> dict[str, pa.Array]:
    """Columns of an event log: the attributes of the given rows (-1 = unknown)."""
    return {attribute.name: _column(attribute, rows) for attribute in process.attributes}


def _column(attribute: Attribute, rows: Int) -> pa.Array:
    held = np.append(attribute.value, MISSING)[rows]
    lacking = held == MISSING
    held = np.where(lacking, 0, held)
    if attribute.kind == "category":
        texts = pa.array(attribute.texts, pa.string()).take(pa.array(held, mask=lacking))
        kinds = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "text": pa.string()}
        return texts.cast(kinds[attribute.type])
    if attribute.type == "int":
        return pa.array(held, pa.int64(), mask=lacking)
    return pa.array(held / 10.0**attribute.decimals, pa.float64(), mask=lacking)
