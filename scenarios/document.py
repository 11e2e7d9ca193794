"""Reading YAML so that every value keeps the file and line it came from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from twin.errors import ScenarioError

Keys = tuple[str, ...]
_DEPTH = 12
_MAX_BYTES = 1 << 20


@dataclass
class Document:
    """Plain nested values and where each came from ("file:line" or "--set")."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Keys, str] = field(default_factory=dict)

    def put(self, path: Keys, value: Any, origin: str) -> None:
        """Merge a value into the document; sections merge key by key, everything else is replaced."""
        node = self.data
        for part in path[:-1]:
            node = node[part]
        old = node.get(path[-1])
        self.origins[path] = origin
        if isinstance(old, dict) and isinstance(value, dict):
            for key, child in value.items():
                self.put((*path, str(key)), child, origin)
        else:
            node[path[-1]] = value

    def overlay(self, other: Document) -> None:
        """Merge another document over this one."""
        _overlay(self.data, other.data)
        self.origins.update(other.origins)

    def origin(self, path: Keys) -> str:
        """Where a value came from; for a value that nobody wrote, its nearest written section."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in self.origins:
                return self.origins[path[:depth]]
        return ""


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            base[key] = value


def shown(path: Path) -> str:
    """A path as the user would write it: relative to the working folder where it lies inside."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_document(path: Path) -> Document:
    """Read one YAML file of nested keys.

    Raises:
        ScenarioError: the file is missing, is not text or YAML, is empty, repeats a key, or is not a set of keys.
    """
    file = shown(path)
    try:
        raw = path.read_bytes()
    except IsADirectoryError:
        raise ScenarioError("is a folder", where=file, hint="Give a YAML file.") from None
    except OSError as error:
        raise ScenarioError(f"cannot be read ({error.strerror})", where=file, hint="Check the path.") from None
    if len(raw) > _MAX_BYTES:
        raise ScenarioError(f"is {len(raw):,} bytes long", where=file, hint="A scenario file has at most 1 MiB.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ScenarioError("is not UTF-8 text", where=file, hint="Save it as UTF-8.") from None
    tree = _parse(text, file)
    if tree is None:
        raise ScenarioError("is empty", where=file, hint="A scenario has at least `name` or `extends`.")
    if not isinstance(tree, CommentedMap):
        raise ScenarioError("is not a set of keys", where=file, hint="Begin with `name: my-scenario`.")
    document = Document()
    document.data = _plain(tree, (), file, document.origins)
    return document


def parse_scalar(text: str, where: str) -> Any:
    """The value of a setting, read as YAML would read it."""
    return _plain(_parse(text, where), (), where, {})


def _parse(text: str, where: str) -> Any:
    yaml = YAML(typ="rt")
    try:
        return yaml.load(text)
    except DuplicateKeyError as error:
        key = str(error.problem).partition('"')[2].partition('"')[0]
        raise ScenarioError(f"the key {key!r} appears twice", where=_place(error, where), hint="Keep one.") from None
    except MarkedYAMLError as error:
        problem = str(error.problem or error.context or "unreadable")
        mark = error.problem_mark or error.context_mark
        line = text.splitlines()[mark.line : mark.line + 1] if mark else []
        if line and "\t" in line[0]:
            raise ScenarioError("a tab in the indentation", where=_place(error, where), hint="Use spaces.") from None
        hint = "Look at indentation, colons and quotes on this line and the one before."
        raise ScenarioError(f"not valid YAML ({problem})", where=_place(error, where), hint=hint) from None
    except (YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())[:120]
        raise ScenarioError(
            f"not valid YAML ({problem})", where=where, hint="See the examples in the catalogue."
        ) from None


def _place(error: MarkedYAMLError, where: str) -> str:
    mark = error.problem_mark or error.context_mark
    return f"{where}:{mark.line + 1}" if mark is not None and not where.startswith("--") else where


def _plain(node: Any, path: Keys, file: str, origins: dict[Keys, str]) -> Any:
    """Plain Python values of a YAML node; lines go into `origins`."""
    if len(path) > _DEPTH:
        raise ScenarioError(f"{'.'.join(path[:4])}... is nested too deeply", where=file, hint="See `twin schema`.")
    if isinstance(node, CommentedMap):
        result: dict[str, Any] = {}
        for key, value in node.items():
            line = node.lc.key(key)[0] + 1 if key in (node.lc.data or {}) else node.lc.line + 1
            here = (*path, str(key))
            origins[here] = file if file.startswith("--") else f"{file}:{line}"
            if not isinstance(key, str):
                raise ScenarioError(f"the key {key!r} is not a word", where=origins[here], hint="Keys are words.")
            result[key] = _plain(value, here, file, origins)
        return result
    if isinstance(node, CommentedSeq):
        return [_plain(value, (*path, str(i)), file, origins) for i, value in enumerate(node)]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    if node is None or isinstance(node, dt.date):
        return node
    return str(node)
