"""What readers and fits note is said in both languages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import twin
from dashboards.cli import app, execute
from dashboards.process.words import say
from twin.process import features
from twin.process.nodes import NODE_KINDS
from twin.process.notes import NOTES, note, told

VALUES = {"place": "Check (by hand)", "name": "'A: b'", "names": "'x', 'y'", "column": "'start'", "n": "1,234"}
SOURCES = sorted((Path(twin.__file__).parent / "process").glob("**/*.py"))


@pytest.mark.parametrize("key", NOTES)
def test_note_is_found_again_and_said_in_chinese(key):
    english, chinese = NOTES[key]
    names = re.findall(r"{(\w+)}", english)
    assert sorted(names) == sorted(re.findall(r"{(\w+)}", chinese))
    values = {name: VALUES.get(name, f"<{name}>") for name in names}
    text = note(key, **values)
    assert told(text, "en") == text
    assert told(text, "zh") == chinese.format(**values)


def test_phrase_within_a_note_is_said_in_its_language():
    what = note("some_times_in", column="'start time'")
    assert told(note("mixed_zones", n=2, all=10, what=what), "zh").startswith("10 个'start time' 列的时间中有 2 个")
    assert told("what nobody has said before", "zh") == "what nobody has said before"


def test_notes_are_made_of_keys_only():
    used = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id == "note":
                used |= {a.value for a in ast.walk(node.args[0]) if isinstance(a, ast.Constant)}
            if isinstance(node.func, ast.Attribute) and node.func.attr == "append":
                what = node.args[-1]
                to_notes = ast.unparse(node.func.value).endswith("notes")
                assert not (to_notes and isinstance(what, ast.Constant | ast.JoinedStr)), f"{source}:{node.lineno}"
    assert used | {"some_times", "some_times_in", "times", "times_in"} >= set(NOTES)


def test_features_of_processes_have_words():
    tree = ast.parse(Path(features.__file__).read_text(encoding="utf-8"))
    inner = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name.startswith("_")]
    assert len(inner) == 2
    named = {c.value for f in inner for c in ast.walk(f) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    for key in (named - {"pause", "oldest_case"}) | set(NODE_KINDS) | {"deadline", "calendar", "scale"}:
        assert say(f"kind_{key}", "zh") != say(f"kind_{key}", "en")


def test_commands_say_their_notes_in_chinese(tmp_path, capsys):
    log = tmp_path / "log.csv"
    log.write_text("case,activity,end\n1,a,2026-09-07 09:00:00\n1,b,2026-09-07 10:00:00\n", encoding="utf-8")
    execute(app, "twin", ["log", "check", str(log), "--language", "zh"])
    shown = capsys.readouterr().err
    assert "'end' 列的时间未注明时区，按 UTC 处理。" in shown
    assert "日志没有开始时间" in shown
