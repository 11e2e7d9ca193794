"""Words of the realism study in English and Chinese (words.yaml)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML

from dashboards.report import words


@lru_cache(maxsize=1)
def word_list() -> dict[str, tuple[str, str]]:
    """Every text by its key: English and Chinese."""
    data = YAML(typ="safe").load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
    return {str(key): (str(english), str(chinese)) for key, (english, chinese) in data.items()}


def say(text: str, language: str = "en", **values: object) -> str:
    """A text in a language with its places filled; what is not in the list is looked for among the report's words."""
    entry = word_list().get(text)
    if entry is None:
        return words.say(text, language, **values)
    chosen = entry[language == "zh"]
    return chosen.format(**values) if values else chosen
