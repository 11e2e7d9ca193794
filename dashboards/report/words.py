"""Words of the report and the dashboard in English and Chinese (words.yaml)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML

LANGUAGES = {"en": "English", "zh": "中文"}


@lru_cache(maxsize=1)
def word_list() -> dict[str, tuple[str, str]]:
    """Every text by its key: English and Chinese."""
    data = YAML(typ="safe", pure=True).load(Path(__file__).with_name("words.yaml"))
    return {str(key): (str(english), str(chinese)) for key, (english, chinese) in data.items()}


def say(text: str, language: str = "en", **values: object) -> str:
    """A text in a language with its places filled; a word that is not in the list is shown as it is, spelt out.

    >>> say("scenario", "zh"), say("bank_link"), say("p999")
    ('情景', 'bank link', 'slowest 0.1 % (p99.9)')
    """
    entry = word_list().get(text)
    if entry is None:
        return text.replace("_", " ")
    chosen = entry[language == "zh"]
    return chosen.format(**values) if values else chosen
