"""A scenario written out as the file that would give it, on request with what every key means."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from scenarios.schema import Scenario, Text

_WIDTH = 120


def scenario_yaml(scenario: Scenario, *, explain: bool = False, language: str = "en") -> str:
    """The resolved scenario as YAML that loads to the same scenario.

    Args:
        scenario: what to write.
        explain: put the meaning and source of every key above it.
        language: of the title and story, which stand above the values as comments.
    """
    lines = []
    for text in (scenario.title, scenario.story):
        words = getattr(text, language) or text.en
        lines += [f"# {part}" for part in _wrap(words)]
    values = scenario.model_dump(mode="json", exclude={"extends"})
    usual = Scenario(name=scenario.name).model_dump(mode="json")
    lines += _section(values, usual, scenario, 0, explain=explain)
    return "\n".join(lines)


def _section(
    values: dict[str, Any], usual: dict[str, Any], section: BaseModel, depth: int, *, explain: bool
) -> list[str]:
    lines: list[str] = []
    pad = "  " * depth
    for name, info in type(section).model_fields.items():
        if name not in values:
            continue
        child, text = getattr(section, name), f"{pad}{name}:"
        told = explain and not isinstance(section, Text) and name not in ("name", "title", "story")
        if isinstance(child, BaseModel):
            lines += [f"{pad}# {info.description}"] if told else []
            lines += [text, *_section(values[name], usual[name], child, depth + 1, explain=explain)]
            continue
        if told:
            # The source speaks of the default, so a value that is not the default says what that would be.
            changed = "" if values[name] == usual[name] else f" Default: {_scalar(usual[name])}"
            lines.append(f"{pad}# {info.description}{changed}")
        lines.append(f"{text} {_scalar(values[name])}")
    return lines


def _scalar(value: Any) -> str:
    """A value in YAML's flow form; JSON strings are YAML strings."""
    if isinstance(value, str) and value and all(c.isascii() and (c.isalnum() or c in "-_. /") for c in value):
        # Quotes only where plain text would be read as something else.
        return value if not value[0].isdigit() or " " in value or "/" in value else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)


def _wrap(text: str) -> list[str]:
    """Lines of at most the page's width; Chinese text is cut between characters."""
    import textwrap

    if any("一" <= c <= "鿿" for c in text):
        size = _WIDTH // 2 - 2
        return [text[i : i + size] for i in range(0, len(text), size)]
    return textwrap.wrap(text, _WIDTH - 2)
