"""Parameters fitted to real data, with source, method and goodness of fit; and the programs that fit them."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from twin.errors import DataError

if TYPE_CHECKING:
    from agents.background import BackgroundParameters

FOLDER = Path(__file__).parent


def read_parameters(name: str) -> dict[str, Any]:
    """Content of a parameter file of this folder, or of a file elsewhere given by its path."""
    path = FOLDER / name
    if not path.is_file():
        known = ", ".join(sorted(p.name for p in FOLDER.glob("*.yaml")))
        raise DataError(f"no parameter file {name!r}", where=str(FOLDER), hint=f"There are {known}.")
    return copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))


@lru_cache(maxsize=8)
def _parsed(text: str) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load(text)
    return content


def background_parameters(name: str = "background.yaml") -> BackgroundParameters:
    """The background flow's parameters, with the response to the index from index.yaml."""
    from agents.background import BackgroundParameters

    attention = read_parameters("index.yaml")["attention"]
    return BackgroundParameters.from_fit(
        read_parameters(name), elasticity=attention["elasticity_per_pct"], typical=attention["typical_move_pct"]
    )
