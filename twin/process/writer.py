"""Writes a process model as a process file, so that what was discovered or imported can be read and changed."""

from __future__ import annotations

import datetime as dt
import io
import pathlib
from typing import Any

from ruamel.yaml import YAML

from twin.clock import DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND
from twin.process.distributions import Distribution
from twin.process.model import BySegment, Part, ProcessModel
from twin.process.staff import WEEKDAYS

_UNITS = (("day", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", MILLISECOND), ("us", MICROSECOND))
_TIMES = {"start", "end", "opens", "closes", "at"}
_DURATIONS = {"target", "longest_wait"}
_MONEY = {"cost", "cost_per_hour"}


def duration_text(ns: int) -> str:
    """A duration in its largest whole unit, such as '25 min'.

    Example:
        >>> duration_text(1_500_000_000_000)
        '25 min'
    """
    return next((f"{ns // size} {unit}" for unit, size in _UNITS if ns % size == 0 and ns), f"{ns} ns")


def _time_text(ns: int) -> str:
    if ns == DAY:
        return "24:00"
    text = (dt.datetime.min + dt.timedelta(microseconds=ns // MICROSECOND)).time().isoformat()
    return text.removesuffix(":00")


def _distribution(law: Distribution) -> Any:
    if law.distribution == "constant":
        return duration_text(law.mean or 0)
    out: dict[str, Any] = {"distribution": law.distribution}
    keys = ("mean", "low", "high", "unit", "least", "most")
    out |= {k: duration_text(v) for k in keys if (v := getattr(law, k)) is not None}
    if law.cv is not None:
        out["cv"] = law.cv
    if law.parameters:
        out["parameters"] = dict(law.parameters)
    if law.values:
        out["values"] = list(law.values)
    return out


def _value(key: str, value: Any) -> Any:
    if isinstance(value, Distribution):
        return _distribution(value)
    if isinstance(value, BySegment) and not (value.by_segment or value.cases or value.source):
        return _value(key, value.default)
    if isinstance(value, Part):
        return _part(value)
    if isinstance(value, dict):
        return {k: _value("", v) for k, v in value.items()}
    if isinstance(value, frozenset):
        return [WEEKDAYS[i] for i in sorted(value)]
    if isinstance(value, tuple):
        return [_value(key, v) for v in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool):
        if key in _TIMES:
            return _time_text(value)
        if key in _DURATIONS:
            return duration_text(value)
        if key in _MONEY:
            return f"{value} fen"
    if key == "per_day":
        return f"{value!r}/day"
    return value


def _part(part: Part) -> dict[str, Any]:
    """The keys of a part that differ from their defaults; `kind` first."""
    out: dict[str, Any] = {}
    for key, field in type(part).model_fields.items():
        value = getattr(part, key)
        if not field.is_required() and value == field.get_default(call_default_factory=True):
            continue
        out[field.alias or key] = _value(key, value)
    return {"kind": out.pop("kind"), **out} if "kind" in out else out


def process_text(model: ProcessModel) -> str:
    """The process file (YAML) of a model; reading it gives an equal model."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.allow_unicode = True
    writer.width = 1 << 20  # a name with blanks that is folded between two lines is no key any more
    text = io.StringIO()
    writer.dump(_part(model), text)
    return text.getvalue()


def write_process(model: ProcessModel, path: str | pathlib.Path) -> None:
    """Write a model to a process file."""
    pathlib.Path(path).write_text(process_text(model), encoding="utf-8")
