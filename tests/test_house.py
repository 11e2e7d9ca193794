"""The house: imports go down only, start-up is quick, nothing of one machine is in the tree."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["twin", "agents", "scenarios", "dashboards"]


def imported_packages(path):
    """Top-level packages that a file imports, anywhere in it, type-checking blocks aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_never_go_up(floor):
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    offenders = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / floor).rglob("*.py"))
        for name in imported_packages(path)
        if name in above
    ]
    assert offenders == []


def modules(floor):
    for path in sorted((ROOT / floor).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported_modules(path, known):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def test_no_two_files_import_each_other():
    files = dict(pair for floor in FLOORS for pair in modules(floor))
    graph = {name: set(imported_modules(path, files)) & set(files) - {name} for name, path in files.items()}
    mutual = sorted({tuple(sorted((a, b))) for a in graph for b in graph[a] if a in graph[b]})
    assert mutual == []


def test_no_path_of_a_machine_and_no_registry_host_is_tracked():
    words = [
        "/wor" + "k/",
        "/far" + "m/",
        "py" + "pi.org",
        "pythonho" + "sted",
        "registry.npm" + "js",
        "deb.deb" + "ian",
    ]
    command = ["git", "grep", "-nIF", *(part for word in words for part in ("-e", word)), "--", "."]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode == 128:
        pytest.skip("not a git checkout")
    assert found.stdout == ""
