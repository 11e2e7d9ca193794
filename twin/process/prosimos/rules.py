"""Case attributes, conditions and priorities of Prosimos on the house's schema."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from twin.clock import SECOND
from twin.process.distributions import Distribution
from twin.process.notes import note
from twin.process.parts import Attribute, BySegment, Case, When
from twin.process.prosimos.document import Entry
from twin.process.prosimos.laws import read_law, write_law

_LEVELS = 8
_SAMPLE = 1000
_TESTS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    "==": operator.eq,
}
_LIMITS = {">": "above", ">=": "at_least", "<": "below", "<=": "at_most"}


def read_attributes(document: Entry, notes: list[str]) -> dict[str, Attribute]:
    """Attributes of cases; those of the whole simulation are drawn for each case.

    Those that events change are left out; a rule that asks for one is an error later.
    """
    found: dict[str, Attribute] = {}
    for key in ("global_attributes", "case_attributes"):
        section = document.get(key)
        for entry in section.each() if section is not None else ():
            name = entry["name"].text
            found[name] = _attribute(entry)
            if key == "global_attributes":
                notes.append(note("global_attribute", name=repr(name)))
    section = document.get("event_attributes")
    if section is not None:
        notes.append(note("event_attributes"))
    return found


def _attribute(entry: Entry) -> Attribute:
    kind = entry["type"].text
    if kind == "discrete":
        shares = {row["key"].text: row["value"].number for row in entry["values"].each()}
        total = sum(shares.values())
        if abs(total - 1) > 1e-3 or min(shares.values()) < 0:
            raise entry["values"].fail(f"the shares sum to {total:g}", "They must sum to 1.")
        return Attribute(shares={k: v / total for k, v in shares.items()})
    if kind != "continuous":
        raise entry["type"].fail(f"{kind!r} is not a type", "Types: discrete, continuous.")
    return number_of(read_law(entry["values"]))


def number_of(law: Distribution) -> Attribute:
    """A law in seconds as one of plain numbers."""
    plain = {"mean": law.mean, "low": law.low, "high": law.high}
    numbers = {k: v / SECOND for k, v in plain.items() if v is not None}
    if law.distribution in ("constant", "exponential", "uniform", "lognormal", "gamma") and not law.is_cut:
        return Attribute.model_validate({"distribution": law.distribution, "cv": law.cv, **numbers})
    if law.parameters and not law.is_cut:
        return Attribute(distribution=law.distribution, parameters=dict(law.parameters))
    p = (np.arange(_SAMPLE) + 0.5) / _SAMPLE
    return Attribute(distribution="sample", values=tuple(float(v) / SECOND for v in law.quantiles(p, 1 - p)))


def read_rules(rules: Entry, attributes: dict[str, Attribute]) -> When:
    """Alternatives, each a list of tests that must all hold."""
    either = [_both([_test(t, attributes) for t in tests.each()], tests) for tests in rules.each()]
    if not either:
        raise rules.fail("is empty", "Give at least one list of tests.")
    return either[0] if len(either) == 1 else When(any=tuple(either))


def _both(tests: list[When], entry: Entry) -> When:
    if not tests:
        raise entry.fail("is empty", "Give at least one test.")
    return tests[0] if len(tests) == 1 else When(all=tuple(tests))


def _test(entry: Entry, attributes: dict[str, Attribute]) -> When:
    name, comparison = entry["attribute"].text, entry.first("comparison", "operator").text
    if name not in attributes:
        hint = f"Attributes: {', '.join(attributes) or 'none'}; those that events change are not supported."
        raise entry["attribute"].fail(f"there is no case attribute {name!r}", hint)
    if comparison != "in" and comparison not in _TESTS:
        known = ", ".join([*_TESTS, "in"])
        raise entry.first("comparison", "operator").fail(f"{comparison!r} is no comparison", f"Known: {known}.")
    categories = attributes[name].names
    return _of_category(entry, name, comparison, categories) if categories else _of_number(entry, name, comparison)


def _range(entry: Entry) -> tuple[float, float]:
    """Limits, included, of which `inf` is none."""
    ends = [np.inf if str(e.value) == "inf" else e.number for e in entry["value"].each()]
    if len(ends) != 2:
        raise entry["value"].fail("should be [from, to]")
    return ends[0], ends[1]


def _of_number(entry: Entry, name: str, comparison: str) -> When:
    if comparison == "in":
        low, high = _range(entry)
        limits = {"at_least": low} | ({"at_most": high} if np.isfinite(high) else {})
        return When.model_validate({"attribute": name, **limits})
    value = entry["value"].number
    if comparison in _LIMITS:
        return When.model_validate({"attribute": name, _LIMITS[comparison]: value})
    if comparison == "!=":
        return When(any=(When(attribute=name, below=value), When(attribute=name, above=value)))
    return When(attribute=name, at_least=value, at_most=value)


def _of_category(entry: Entry, name: str, comparison: str, categories: tuple[str, ...]) -> When:
    """The categories that satisfy a test; as numbers if they are numbers."""
    if comparison == "in" and isinstance(entry["value"].value, list) and len(entry["value"].value) == 2:
        low, high = _range(entry)
        kept = [c for c in categories if (x := _as_number(c)) is not None and low <= x <= high]
    elif comparison in ("=", "==", "!=", "in"):
        value = entry["value"].text
        kept = [c for c in categories if (c == value) != (comparison == "!=")]
    else:
        value_number = entry["value"].number
        test = _TESTS[comparison]
        kept = [c for c in categories if (x := _as_number(c)) is not None and test(x, value_number)]
    if kept:
        return When.model_validate({"attribute": name, "in": tuple(kept)})
    return When(attribute=name, not_in=categories)  # never holds


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_priorities(document: Entry, attributes: dict[str, Attribute], notes: list[str]) -> BySegment[int] | None:
    """Priority of a case by the first rule that holds, the lowest level first; without a rule it is last."""
    section = document.get("prioritisation_rules")
    if section is None:
        return None
    rules = sorted(section.each(), key=lambda rule: rule["priority_level"].whole)
    levels = sorted({rule["priority_level"].whole for rule in rules})
    if len(levels) >= _LEVELS:
        notes.append(note("many_priorities", n=len(levels), last=_LEVELS - 1))
    rank = {level: min(i, _LEVELS - 2) for i, level in enumerate(levels)}
    cases = tuple(
        Case[int](when=read_rules(rule["rules"], attributes), value=rank[rule["priority_level"].whole])
        for rule in rules
    )
    return BySegment[int](default=min(len(levels), _LEVELS - 1), cases=cases)


def read_conditions(document: Entry, attributes: dict[str, Attribute]) -> dict[str, When]:
    """Conditions of `branch_rules`, by id."""
    section = document.get("branch_rules")
    if section is None:
        return {}
    return {rule["id"].text: read_rules(rule["rules"], attributes) for rule in section.each()}


def attribute_rows(name: str, attribute: Attribute, notes: list[str]) -> list[dict[str, Any]]:
    """The rows of `case_attributes` for an attribute; none for one that requests bring."""
    if attribute.given:
        notes.append(note("given_attribute", name=repr(name)))
        return []
    if attribute.shares:
        values = [{"key": key, "value": share} for key, share in attribute.shares.items()]
        return [{"name": name, "type": "discrete", "values": values}]
    return [{"name": name, "type": "continuous", "values": write_law(_law_of(attribute))}]


def _law_of(attribute: Attribute) -> Distribution:
    """A law of plain numbers as one in seconds."""
    given: dict[str, Any] = {"distribution": attribute.distribution}
    given |= {k: f"{round(v * SECOND)} ns" for k in ("mean", "low", "high") if (v := getattr(attribute, k)) is not None}
    if attribute.cv is not None:
        given["cv"] = attribute.cv
    if attribute.values:
        given |= {"values": list(attribute.values), "unit": "1 s"}
    if attribute.parameters:
        mean = float(attribute.quantile((np.arange(_SAMPLE) + 0.5) / _SAMPLE).mean())
        given |= {"parameters": dict(attribute.parameters), "mean": f"{round(mean * SECOND)} ns"}
    return Distribution.model_validate(given)


def rules_of(when: When) -> list[list[dict[str, Any]]]:
    """A condition as alternatives of tests that hold together."""
    rules: list[list[dict[str, Any]]] = [_tests_of(when)]
    for part in when.all:
        rules = [a + b for a in rules for b in rules_of(part)]
    if when.any:
        rules = [a + b for a in rules for part in when.any for b in rules_of(part)]
    if when.is_in is not None:
        rules = [[*a, _row(when, "=", value)] for a in rules for value in when.is_in]
    return rules


def _tests_of(when: When) -> list[dict[str, Any]]:
    rows = [_row(when, "!=", value) for value in when.not_in or ()]
    for sign, key in _LIMITS.items():
        if (value := getattr(when, key)) is not None:
            rows.append(_row(when, sign, value))
    return rows


def _row(when: When, comparison: str, value: Any) -> dict[str, Any]:
    return {"attribute": when.attribute, "comparison": comparison, "value": value}
