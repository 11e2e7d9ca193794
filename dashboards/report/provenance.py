"""Where a run comes from: its settings and their sources, what it notes about itself, the command that repeats it."""

from __future__ import annotations

import json
import shlex
from typing import Any

from pydantic import BaseModel

from dashboards.report.numbers import setting
from dashboards.report.recording import Recording, differences
from dashboards.report.words import say
from scenarios.loader import load
from scenarios.schema import Scenario
from twin.errors import ScenarioError

_LONG = 60
_OWN = ("name", "title", "story", "extends", "seed")


def settings(run: Recording) -> list[tuple[str, str, str]]:
    """Every setting of the scenario as run: (dotted key, value, where its default comes from)."""
    return _settings(run.scenario, Scenario, "")


def _settings(values: dict[str, Any], section: type[BaseModel] | None, at: str) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for key, value in values.items():
        if not at and key in _OWN:
            continue
        known = section.model_fields.get(key) if section else None
        kind = known.annotation if known else None
        inner = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        if isinstance(value, dict) and value:
            rows += _settings(value, inner, f"{at}{key}.")
        else:
            rows.append((f"{at}{key}", setting(value), (known.description or "") if known else ""))
    return rows


def notes(run: Recording, language: str) -> list[tuple[str, str]]:
    """What the replications note about themselves; what is the same in all of them is said once."""
    info = [item for item in run.manifest.get("info") or [] if isinstance(item, dict)]
    rows = []
    for key in dict.fromkeys(key for item in info for key in item):
        values = [setting(_in(item.get(key), language)) for item in info]
        if len(set(values)) == 1 or max(map(len, values)) > _LONG:
            values = values[:1]  # prose differs in its numbers alone: once is enough
        rows.append((say(str(key), language), " | ".join(values)))
    return rows


def _in(value: object, language: str) -> object:
    """A text that comes in two languages, in one of them."""
    return value.get(language, value["en"]) if isinstance(value, dict) and "en" in value else value


def facts(run: Recording, language: str) -> list[tuple[str, str]]:
    """Seed, hash, versions, machine and timings of a run."""
    keys = ("hash", "seed", "replications", "versions", "machine", "timings")
    return [(say(key, language), setting(run.manifest[key], plain=True)) for key in keys if key in run.manifest]


def command(scenario: Recording, baseline: Recording | None) -> str:
    """The command line that repeats the runs."""
    changed = _changed(scenario)
    both = set(changed) & set(_changed(baseline)) if baseline else set()
    parts = ["python", "run_scenario.py", scenario.name]
    if baseline is not None:
        parts += ["--against", baseline.name]
    for text in changed:
        parts += ["--set-both" if text in both else "--set", text]
    parts += ["--replications", str(len(scenario.replications)), "--seed", str(scenario.manifest["seed"])]
    return shlex.join(parts)


def _changed(run: Recording) -> list[str]:
    """Settings in which a run differs from the catalogue's scenario of its name."""
    try:
        original = load(run.name).model_dump(mode="json")
    except ScenarioError:
        return []
    found = differences(original, run.scenario)
    return [f"{key}={_written(value)}" for key, _, value in found if key != "seed" and value is not None]


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
