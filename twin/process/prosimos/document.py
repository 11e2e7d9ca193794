"""A JSON file with every value's path, so that an error says where."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Iterator
from typing import Any

from twin.errors import DataError


class Entry:
    """A value of a JSON document and its place.

    Args:
        value: what `json` gives.
        place: file and path of keys.
    """

    def __init__(self, value: Any, place: str) -> None:
        self.value, self.place = value, place

    def fail(self, what: str, hint: str = "") -> DataError:
        """The error for this place."""
        return DataError(what, where=self.place, hint=hint)

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def __getitem__(self, key: str) -> Entry:
        if not isinstance(self.value, dict):
            raise self.fail("should be an object with keys")
        if key not in self.value:
            raise self.fail(f"key {key!r} is missing", f"There are: {', '.join(map(str, self.value)) or 'none'}.")
        return Entry(self.value[key], f"{self.place}.{key}")

    def first(self, *keys: str) -> Entry:
        """The value of the first of several spellings of a key that is there."""
        return self[next((k for k in keys if k in self), keys[0])]

    def get(self, key: str) -> Entry | None:
        """The value of a key; None where it is missing or empty."""
        if key not in self or self.value[key] in (None, {}, [], ""):
            return None
        return self[key]

    def each(self) -> Iterator[Entry]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise self.fail("should be a list")
        for i, item in enumerate(self.value):
            yield Entry(item, f"{self.place}[{i}]")

    @property
    def text(self) -> str:
        """A text; numbers count as texts."""
        if not isinstance(self.value, str | int | float):
            raise self.fail("should be a text")
        return str(self.value)

    @property
    def number(self) -> float:
        """A finite number, also one in quotes."""
        try:
            value = float(self.value)
        except (TypeError, ValueError) as error:
            raise self.fail(f"{self.value!r} is not a number") from error
        if not math.isfinite(value):
            raise self.fail(f"{self.value!r} is not a finite number")
        return value

    @property
    def whole(self) -> int:
        """A whole number."""
        value = self.number
        if value != int(value):
            raise self.fail(f"{self.value!r} is not a whole number")
        return int(value)


def read_json(path: str | pathlib.Path) -> Entry:
    """The JSON document in a file.

    Raises:
        DataError: it cannot be read, or is no JSON (with line).
    """
    file = pathlib.Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read the parameters: {error.strerror}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8", where=str(file)) from error
    try:
        return Entry(json.loads(text), str(file))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", where=f"{file}:{error.lineno}") from error
