"""Settings on the command line: `order_path.core.capacity=8000/s` changes one value of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scenarios.document import Document, parse_scalar
from twin.errors import ScenarioError

WHERE = "--set"


def apply_settings(document: Document, settings: Sequence[str]) -> None:
    """Write `key=value` settings into a document, in order; validation follows with that of the file.

    Raises:
        ScenarioError: a setting is not of the form key=value, or its key passes through a plain value.
    """
    for text in settings:
        key, equals, value = text.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not equals or not all(path) or not value.strip():
            raise ScenarioError(
                f"{text!r} is not a setting",
                where=WHERE,
                hint="Write key=value, such as order_path.core.capacity=8000/s.",
            )
        _put(document, path, parse_scalar(value.strip(), f"{WHERE} {key.strip()}"))


def _put(document: Document, path: tuple[str, ...], value: Any) -> None:
    node: dict[str, Any] = document.data
    for depth, part in enumerate(path[:-1], start=1):
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise ScenarioError(
                f"{'.'.join(path[:depth])} is a value, not a section",
                where=f"{WHERE} {'.'.join(path)}",
                hint=f"Set it like {'.'.join(path[:depth])}={child}.",
            )
        document.origins.setdefault(path[:depth], WHERE)
        node = child
    if path == ("extends",):
        raise ScenarioError(
            "a setting cannot change the parent", where=f"{WHERE} extends", hint="Name another scenario."
        )
    document.put(path, value, WHERE)
