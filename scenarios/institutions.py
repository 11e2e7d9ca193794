"""The scenario's section of institutions, made from the institutions' own parameters: a new kind needs no line here.

The parameters are read from the source of `agents.institutions`, not by importing it: that would load Mesa and the
kernels for every look at a scenario.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

import agents
from scenarios.broker import Section
from scenarios.units import Count, Duration, Fraction, Money, Number, duration, money

FOLDER = Path(agents.__file__).parent / "institutions"
_FORMS: dict[str, tuple[Any, Any]] = {
    "share": (Fraction, float),
    "whole": (Count, int),
    "money": (Money, lambda cny: money(f"{cny} CNY")),
    "duration": (Duration, lambda seconds: duration(f"{seconds} s")),
    "number": (Number, float),
}
"""Functions of `agents.institutions.settings`: the type of the key, and the default in base units."""


@dataclass(frozen=True)
class Kind:
    """A class of an institution as its source tells it: name, base, section, first line, own parameters."""

    name: str
    base: str
    section: str
    text: str
    own: dict[str, Any]


def _values(body: list[ast.stmt]) -> dict[str, ast.expr]:
    """Names that a class body gives a value."""
    found = {}
    for line in body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
            found[line.target.id] = line.value
    return found


def _keys(settings: ast.ClassDef) -> dict[str, Any]:
    """Keys of a section from a class of settings: `name: type = form(default, text)`."""
    keys: dict[str, Any] = {}
    for name, value in _values(settings.body).items():
        assert isinstance(value, ast.Call)
        assert isinstance(value.func, ast.Name)
        form, read = _FORMS[value.func.id]
        default, text = (ast.literal_eval(argument) for argument in value.args)
        keys[name] = (form, Field(read(default), description=text))
    return keys


def read_kinds(folder: Path = FOLDER) -> dict[str, Kind]:
    """Every class of the package that could be an institution, by name, in the order of the files."""
    kinds = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef):
                continue
            section = _values(node.body).get("section")
            inner = [c for c in node.body if isinstance(c, ast.ClassDef) and c.name == "Settings"]
            bases = [b.id for b in node.bases if isinstance(b, ast.Name)]
            kinds[node.name] = Kind(
                node.name,
                bases[0] if bases else "",
                ast.literal_eval(section) if section else "",
                (ast.get_docstring(node) or "").partition("\n")[0],
                _keys(inner[0]) if inner else {},
            )
    return kinds


def _all_keys(kinds: dict[str, Kind], name: str) -> dict[str, Any]:
    """Own and inherited keys of a kind, the base's first."""
    kind = kinds.get(name)
    return {**_all_keys(kinds, kind.base), **kind.own} if kind else {}


def _sections() -> dict[str, Any]:
    kinds, keys = read_kinds(), {}
    for kind in kinds.values():
        if kind.section:
            section = create_model(kind.name, __base__=Section, __doc__=kind.text, **_all_keys(kinds, kind.name))
            globals()[kind.name] = section  # a worker's pickle looks it up by name
            keys[kind.section] = (section, Field(section(), description=kind.text))
    return keys


if TYPE_CHECKING:
    Institutions = Section
else:
    Institutions = create_model(
        "Institutions", __base__=Section, __doc__="Institutions that trade through this broker.", **_sections()
    )
