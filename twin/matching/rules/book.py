"""The rulebook: all dated records, checked for gaps and overlaps when they are loaded."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from twin.errors import DataError
from twin.matching.rules.day import DayRules
from twin.matching.rules.listing import Product, Stage
from twin.matching.rules.values import EXCEPTIONAL, VALUES, Record

Cell = tuple[str, Stage, Product]
_DAY = dt.timedelta(days=1)


class Rulebook:
    """Dated records of the exchanges' trading rules.

    Args:
        records: every market, stage and product must have exactly one record per rule on every day on which it exists.

    Raises:
        DataError: two records overlap or a day has none; names them.
    """

    def __init__(self, records: list[Record]) -> None:
        self.records = tuple(records)
        table: dict[tuple[str, Cell], list[Record]] = defaultdict(list)
        for record in records:
            for cell in record.cells():
                table[record.rule, cell].append(record)
        self._table = {key: tuple(sorted(found, key=lambda r: r.first)) for key, found in table.items()}
        self._starts = {cell: found[0].first for (rule, cell), found in self._table.items() if rule == "existence"}
        for (rule, cell), found in self._table.items():
            _no_overlap(rule, cell, found)
        for cell, start in self._starts.items():
            for rule in VALUES:
                if rule not in EXCEPTIONAL:
                    _no_gap(rule, cell, self._table.get((rule, cell), ()), start)

    @classmethod
    def load(cls) -> Rulebook:
        """The rulebook that comes with the twin."""
        return _packaged()

    @classmethod
    def parse(cls, text: str, name: str = "records") -> Rulebook:
        """A rulebook from a YAML text; `name` stands for it in errors."""
        return cls(parse_records(text, name))

    def on(self, day: dt.date) -> DayRules:
        """The rules of a day."""
        return DayRules(self, day)

    def start(self, cell: Cell) -> dt.date | None:
        """The first day on which a market's stage exists, or None where it never does."""
        return self._starts.get(cell)

    def history(self, rule: str, cell: Cell) -> tuple[Record, ...]:
        """All records of a rule for a market, stage and product, oldest first."""
        return self._table.get((rule, cell), ())


def _describe(rule: str, cell: Cell) -> str:
    return f"{rule} of {cell[0]}, {cell[1]}, {cell[2].name.lower()}"


def _no_overlap(rule: str, cell: Cell, found: tuple[Record, ...]) -> None:
    for earlier, later in pairwise(found):
        if earlier.last is None or earlier.last >= later.first:
            raise DataError(
                f"{earlier.name!r} and {later.name!r} both hold on {later.first}",
                where=_describe(rule, cell),
                hint="Let the earlier one end the day before.",
            )


def _no_gap(rule: str, cell: Cell, found: tuple[Record, ...], start: dt.date) -> None:
    day = start
    for record in found:
        if record.first > day:
            break
        if record.last is None:
            return
        day = max(day, record.last + _DAY)
    before = [record.name for record in found if record.first < day]
    raise DataError(
        f"no record holds on {day}" + (f", the last before is {before[-1]!r}" if before else ""),
        where=_describe(rule, cell),
        hint="Every rule needs a record on every day from the start of the board on.",
    )


def parse_records(text: str, name: str) -> list[Record]:
    """The records of a YAML text, each sound by itself; `name` stands for the text in errors."""
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataError(f"not YAML: {error.problem}", where=f"{name}:{line}") from error
    rows = tree.get("records") if isinstance(tree, dict) else None
    if not isinstance(rows, list):
        raise DataError("a file of rules holds a list `records`", where=name)
    return [_record(row, f"{name}, record {number}") for number, row in enumerate(rows, 1)]


def _record(row: Any, where: str) -> Record:
    try:
        return Record.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise DataError(first["msg"].removeprefix("Value error, "), where=f"{where} {key}".rstrip()) from error


@lru_cache(maxsize=1)
def _packaged() -> Rulebook:
    folder = files("twin.matching.rules") / "records"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return Rulebook([r for name in names for r in parse_records((folder / name).read_text(encoding="utf-8"), name)])
