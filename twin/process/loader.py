"""Reads process files and says file, line and key of whatever is wrong in them."""

from __future__ import annotations

import difflib
import pathlib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError

from twin.errors import ScenarioError
from twin.process.model import NODE_KINDS, Path, ProcessModel, problems


class _Constructor(RoundTripConstructor):
    """Leaves dates as texts, so that a wrong one gets our error with its line."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_yaml_str)


def load_process(path: str | pathlib.Path) -> ProcessModel:
    """The process of a YAML file.

    Raises:
        ScenarioError: naming file, line, key, and the nearest valid name.
    """
    file = pathlib.Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"cannot read the process file: {error.strerror}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise ScenarioError("not in UTF-8", where=str(file), hint="Save it as UTF-8 text.") from error
    return parse_process(text, str(file))


def parse_process(text: str, file: str = "process") -> ProcessModel:
    """The process of a YAML text; `file` is its name in errors."""
    try:
        reader = YAML(typ="rt")
        reader.Constructor = _Constructor
        tree = reader.load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError(f"not YAML: {error.problem}", where=f"{file}:{line}") from error
    if not isinstance(tree, dict):
        raise ScenarioError("a process file is a mapping of keys", where=f"{file}:1", hint="Start with `name:`.")
    try:
        model = ProcessModel.model_validate(_plain(tree))
    except ValidationError as error:
        # Of the alternatives that a value may be, the one that it came nearest to; a key misspelt before one missing.
        deepest = max(error.errors(), key=lambda e: (len(e["loc"]), e["type"] == "extra_forbidden"))
        raise _explain(deepest, tree, file) from error
    for place, what, hint in problems(model):
        raise ScenarioError(what, where=_where(tree, place, file)[0], hint=hint)
    return model


def _plain(tree: Any) -> Any:
    """The tree without what the round-trip loader adds to numbers, texts and containers."""
    if isinstance(tree, dict):
        return {str(k): _plain(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_plain(v) for v in tree]
    for kind in (bool, int, float, str):
        if isinstance(tree, kind):
            return kind(tree)
    return tree


def _where(tree: Any, path: Path, file: str) -> tuple[str, list[str]]:
    """'file:line key' of a path, and the keys that exist in the file (a missing last key gives its parent's line).

    Pydantic's paths also name the branch taken in a union (such as 'task'), which is no key and is skipped.
    """
    line, keys = 1, list[str]()
    here: Any = tree
    for i, step in enumerate(path):
        if isinstance(here, CommentedMap) and step in here:
            line = here.lc.key(step)[0] + 1
        elif isinstance(here, CommentedSeq) and isinstance(step, int) and step < len(here):
            line = here.lc.item(step)[0] + 1
        elif i == len(path) - 1 and isinstance(here, dict) and step not in NODE_KINDS and "[" not in str(step):
            if step != "default":
                keys.append(str(step))
            break
        else:
            continue
        keys.append(str(step))
        here = here[step]
    return f"{file}:{line} {'.'.join(keys)}".rstrip(), keys


def _explain(error: Any, tree: Any, file: str) -> ScenarioError:
    """Our error for Pydantic's."""
    path: Path = error["loc"]
    where, keys = _where(tree, path, file)
    key = str(path[-1]) if path else ""
    match error["type"]:
        case "extra_forbidden":
            names = sorted(_fields(path[:-1]))
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Valid keys: {', '.join(names)}."
            return ScenarioError(f"unknown key {key!r}", where=where, hint=hint)
        case "missing":
            return ScenarioError(f"key {key!r} is missing", where=where)
        case "union_tag_invalid" | "union_tag_not_found":
            given = str(error.get("ctx", {}).get("tag", ""))
            near = difflib.get_close_matches(given, NODE_KINDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Kinds: {', '.join(NODE_KINDS)}."
            return ScenarioError(
                f"node kind {given!r} is not known" if given else "key 'kind' is missing", where=where, hint=hint
            )
    what = error["msg"].removeprefix("Value error, ")
    value = error["input"]
    shown = f"{value!r}: " if keys and not isinstance(value, dict | list) else ""
    return ScenarioError(f"{shown}{what}".rstrip("."), where=where)


def _fields(path: Path) -> list[str]:
    """Names of the keys valid at a path."""
    here: type[BaseModel] | None = ProcessModel
    for step in path:
        if isinstance(step, str) and step in NODE_KINDS:
            here = NODE_KINDS[step]
            continue
        field = _field(here, step)
        here = field if field is not None else here
    return [] if here is None else [f.alias or n for n, f in here.model_fields.items()]


def _field(model: type[BaseModel] | None, step: str | int) -> type[BaseModel] | None:
    """The model class of a field, if it is one (also inside dict, tuple, optional and BySegment)."""
    if model is None:
        return None
    for name, info in model.model_fields.items():
        if step in (name, info.alias):
            found = [info.annotation]
            while found:
                kind = found.pop()
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    return kind
                found.extend(get_args(kind))
    return None
