"""The command that a newcomer types, on the real day made small: it compares and writes, whatever the workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.runs import compare, read_run

ROOT = Path(__file__).resolve().parents[1]
SMALL = ("--set-both", "clients.count=2000", "--set-both", "world.instruments=5")


def run_scenario(folder, *arguments):
    command = [sys.executable, str(ROOT / "run_scenario.py"), "extreme-day", "--against", "ordinary-day", *SMALL]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    result = subprocess.run(
        [*command, "--replications", "1", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
        timeout=400,
    )
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return folder, run_scenario(folder, "--workers", "2")


def folders(output, base):
    found = re.findall(r"^(?:run folder|baseline): (.*)$", output, re.M)
    return [read_run(base / name) for name in found]


@pytest.mark.slow
def test_the_main_command_compares_two_days_and_writes_a_report(two_workers):
    folder, result = two_workers
    for line in ("Client experience", "Operating efficiency", "Compliance"):
        assert line in result.stdout
    assert "UserWarning" not in result.stderr
    scenario, baseline = folders(result.stdout, folder)
    rows = {row.measure: row for row in compare(scenario, baseline) if not row.segment}
    retail = {row.measure: row for row in compare(scenario, baseline) if row.segment == "retail"}
    assert retail["orders_submitted"].scenario > retail["orders_submitted"].baseline > 1000
    page = folder / re.search(r"^report: (.*)$", result.stdout, re.M)[1]
    text = page.read_text(encoding="utf-8")
    assert "A day of panic" in text
    assert str(folder) not in text
    assert scenario.manifest["info"][0]["orders"] == rows["orders_submitted"].scenario


@pytest.mark.slow
def test_one_worker_gives_the_same_bits_as_two(two_workers, tmp_path):
    folder, first = two_workers
    second = run_scenario(tmp_path, "--workers", "1", "--no-report")
    for a, b in zip(folders(first.stdout, folder), folders(second.stdout, tmp_path), strict=True):
        assert a.folder.name == b.folder.name
        for table in ("measures", "timeline"):
            assert a.table(table).equals(b.table(table))
