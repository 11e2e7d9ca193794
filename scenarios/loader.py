"""Scenario files into validated scenarios; whatever is wrong becomes one line with file, line, key and remedy."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scenarios.document import Document, Keys, read_document, shown
from scenarios.schema import Scenario
from scenarios.settings import WHERE, apply_settings
from scenarios.units import UnitError
from twin.errors import ScenarioError

CATALOGUE = Path(__file__).parent / "catalogue"
PROCESSES = Path(__file__).parent / "processes"
CALIBRATION = Path(__file__).parent / "calibration"
_OWN = ("name", "title", "story", "extends")
"""Keys that a scenario does not inherit from its parent."""
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "above"),
}


@dataclass(frozen=True)
class Entry:
    """A scenario of the catalogue, unread but for its name and title."""

    name: str
    path: Path
    title: dict[str, str]


def catalogue(folder: Path = CATALOGUE) -> list[Entry]:
    """The scenarios of a folder, by name."""
    entries = []
    for path in sorted(folder.glob("*.yaml")):
        title = read_document(path).data.get("title")
        entries.append(Entry(path.stem, path, {k: str(v) for k, v in title.items()} if isinstance(title, dict) else {}))
    return entries


def load(scenario: str | Path, settings: Sequence[str] = (), folder: Path = CATALOGUE) -> Scenario:
    """A scenario by name (of the catalogue) or path, with its parents merged and settings applied.

    Args:
        scenario: name or path of a YAML file.
        settings: `key=value` texts.
        folder: the catalogue.

    Raises:
        ScenarioError: anything is wrong with the file, its parents or the settings.
    """
    path = find(scenario, folder)
    document = Document(data=Scenario(name="x").model_dump(mode="json"))
    for layer in _lineage(path, folder):
        for key in _OWN:
            document.data.pop(key, None)
        document.overlay(layer)
    document.data.setdefault("name", path.stem)
    document.data.pop("extends", None)
    document.origins.setdefault((), shown(path))
    apply_settings(document, settings)
    return _validate(document, shown(path))


def find(scenario: str | Path, folder: Path = CATALOGUE) -> Path:
    """Path of a scenario given by name or path."""
    text = str(scenario)
    if isinstance(scenario, Path) or text.endswith((".yaml", ".yml")) or "/" in text or "\\" in text:
        return Path(scenario)
    path = folder / f"{text}.yaml"
    if not path.is_file():
        names = sorted(p.stem for p in folder.glob("*.yaml"))
        raise ScenarioError(f"there is no scenario {text!r}", hint=_nearest(text, names, "The catalogue has"))
    return path


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 (hexadecimal) of everything in a scenario that acts on results; names, prose and seed do not."""
    text = json.dumps(scenario.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _lineage(path: Path, folder: Path) -> list[Document]:
    """The file and its parents, oldest first."""
    layers: list[Document] = []
    seen: list[Path] = []
    step: Path | None = path
    while step is not None:
        seen.append(step.resolve())
        document = read_document(step)
        layers.insert(0, document)
        step = _parent(document, step, folder)
        if step is not None and step.resolve() in seen:
            chain = " -> ".join(p.stem for p in (*seen, step))
            where = f"{document.origin(('extends',))} extends = {document.data['extends']}"
            raise ScenarioError(f"the scenarios extend each other ({chain})", where=where, hint="Break the circle.")
    return layers


def _parent(document: Document, path: Path, folder: Path) -> Path | None:
    """Path of the scenario that a document extends: a neighbour first, then the catalogue."""
    parent = document.data.get("extends")
    if parent is None:
        return None
    where = f"{document.origin(('extends',))} extends = {parent}"
    if not isinstance(parent, str):
        raise ScenarioError("not a name", where=where, hint="Give the name of one scenario.")
    if parent.endswith((".yaml", ".yml")):
        return path.parent / parent
    neighbour = path.parent / f"{parent}.yaml"
    if neighbour.is_file() and neighbour.resolve() != path.resolve():
        return neighbour
    if (folder / f"{parent}.yaml").is_file():
        return folder / f"{parent}.yaml"
    names = sorted({p.stem for place in (path.parent, folder) for p in place.glob("*.yaml")} - {path.stem})
    raise ScenarioError("there is no such scenario", where=where, hint=_nearest(parent, names, "There are"))


def _validate(document: Document, file: str) -> Scenario:
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        raise _first(error, document, file) from None
    _check_references(scenario, document, file)
    try:
        _require_day(scenario.date)
    except ScenarioError as error:
        where = f"{document.origin(('date',)) or file} date = {scenario.date}"
        what = error.what.removeprefix(f"{scenario.date} ")
        raise ScenarioError(what, where=where, hint=error.hint) from None
    return scenario


def _require_day(day: dt.date) -> None:
    from twin.clock import calendar_bounds, require_trading_day

    require_trading_day(day)
    if day >= calendar_bounds()[1]:
        hint = "Clearing needs the next trading day: choose an earlier date."
        raise ScenarioError(f"{day} is the last day of the trading calendar", hint=hint)


def _check_references(scenario: Scenario, document: Document, file: str) -> None:
    """Processes, their pools and parameter files that a scenario names have to exist."""

    def refuse(path: Keys, value: object, what: str, hint: str) -> ScenarioError:
        return ScenarioError(what, where=f"{_blame(document, path) or file} {'.'.join(path)} = {value}", hint=hint)

    for key, section in (("onboarding", scenario.onboarding), ("service_desk", scenario.service_desk)):
        process = PROCESSES / f"{section.process}.yaml"
        if not process.is_file():
            names = sorted(p.relative_to(PROCESSES).with_suffix("").as_posix() for p in PROCESSES.glob("**/*.yaml"))
            hint = _nearest(section.process, names, "There are")
            raise refuse((key, "process"), section.process, "there is no such process", hint)
        # The document is read without its model: loading that would cost more than the rest of the check together.
        pools = list(read_document(process).data.get("pools") or {})
        for pool, staff in section.staff.items():
            if pool not in pools:
                hint = _nearest(pool, pools, "Its pools are")
                raise refuse((key, "staff", pool), staff, f"{section.process} has no such pool", hint)
    parameters = scenario.world.background.parameters
    if not (CALIBRATION / parameters).is_file():
        names = sorted(p.name for p in CALIBRATION.glob("*.yaml"))
        where = ("world", "background", "parameters")
        raise refuse(where, parameters, "there is no such parameter file", _nearest(parameters, names, "There are"))


def _first(error: ValidationError, document: Document, file: str) -> ScenarioError:
    """The first error in the order of the file, unknown keys before wrong values."""
    details = sorted(
        error.errors(include_url=False), key=lambda e: (e["type"] != "extra_forbidden", _line(document, e["loc"]))
    )
    detail = details[0]
    path = _path(detail["loc"])
    if path[-2:-1] == ("risk_classes",) and detail["type"] == "missing":
        path = path[:-1]
    value = detail["input"]
    key = ".".join(path)
    if detail["type"] != "missing" and not isinstance(value, (dict, BaseModel)):
        key += f" = {_short(value)}"
    what, hint = _words(detail, path)
    return ScenarioError(what, where=f"{_blame(document, path) or file} {key}".strip(), hint=hint)


def _blame(document: Document, path: Keys) -> str:
    """Where the mistake was made: a setting inside a section that no longer fits together, else the value's origin."""
    for keys, origin in document.origins.items():
        if origin == WHERE and keys[: len(path)] == path:
            return origin
    return document.origin(path)


def _path(loc: Iterable[int | str]) -> Keys:
    return tuple(str(part) for part in loc)


def _line(document: Document, loc: Iterable[int | str]) -> tuple[str, int]:
    file, _, line = document.origin(_path(loc)).rpartition(":")
    return (file, int(line)) if line.isdigit() else (file, 0)


def _short(value: Any) -> str:
    text = "(empty)" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _words(detail: ErrorDetails, path: Keys) -> tuple[str, str]:
    """What is wrong and what would be right."""
    kind, context = detail["type"], detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, UnitError):
        return cause.what, cause.hint.removesuffix(".") if cause.hint.endswith("..") else cause.hint
    if kind == "extra_forbidden":
        return "unknown key", _suggest(path)
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        section = section_at(path)
        return (
            "a section is expected",
            f"Its keys are {', '.join(section.model_fields)}." if section else "Give key: value.",
        )
    if kind == "literal_error":
        allowed = [a for a in get_args(_annotation(path)) if isinstance(a, str)]
        return "not one of the choices", _nearest(str(detail["input"]), allowed, "The choices are")
    if kind in _BOUNDS:
        name, word = _BOUNDS[kind]
        return "out of range", f"It has to be {word} {context.get(name)}."
    if kind == "string_type":
        return "a text is expected", 'Put it into quotes: "...".'
    if kind == "string_pattern_mismatch":
        return "not a name", "Use lower-case letters, digits and hyphens."
    if path[-1:] == ("risk_classes",):
        return "five shares are expected", "Give a list of the shares of C1 to C5."
    if kind == "missing":
        return "is missing", "Add it."
    return str(detail["msg"]), "See `twin schema`."


def _annotation(path: Keys) -> Any:
    section = section_at(path[:-1])
    return section.model_fields[path[-1]].annotation if section and path[-1] in section.model_fields else None


def section_at(path: Keys) -> type[BaseModel] | None:
    """The section of the schema at a path of keys, if there is one."""
    section: type[BaseModel] = Scenario
    for part in path:
        kind = section.model_fields[part].annotation if part in section.model_fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return None
        section = kind
    return section


def all_keys(section: type[BaseModel] = Scenario, prefix: Keys = ()) -> list[Keys]:
    """Every key of the schema as a path, sections included."""
    keys: list[Keys] = []
    for name, info in section.model_fields.items():
        keys.append((*prefix, name))
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            keys += all_keys(info.annotation, (*prefix, name))
    return keys


def _suggest(path: Keys) -> str:
    """The nearest valid key here; else the same word elsewhere; else what is valid here."""
    section = section_at(path[:-1])
    names = list(section.model_fields) if section else []
    word = path[-1].lower().replace("-", "_")
    close = difflib.get_close_matches(word, names, 1, 0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    elsewhere = [".".join(keys) for keys in all_keys() if keys[-1] == word]
    if elsewhere:
        return f"Did you mean {elsewhere[0]!r}?"
    return f"Valid here: {', '.join(names)}."


def _nearest(word: str, names: Sequence[str], otherwise: str) -> str:
    close = difflib.get_close_matches(word.lower().replace("_", "-"), names, 1, 0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"{otherwise} {', '.join(names) or 'nothing'}."
