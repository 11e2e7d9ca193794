"""Logs that nobody has seen: other column names, other separators, local times, XES; discovered, simulated, scored."""

from __future__ import annotations

import datetime as dt
import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dashboards.cli import app, execute

ZONE = ZoneInfo("Europe/Amsterdam")
"""Its clock changes on 29 March 2026, in the middle of the log."""
NAMES = ["case=Order No", "activity=What", "resource=By", "start=From", "end=Till"]


def rows() -> list[list[str]]:
    """Eighty cases of a counter that opens at nine in local time: wait for a clerk, half an hour's work, a letter."""
    chance = np.random.default_rng(5)
    found = []
    for case in range(80):
        day = dt.date(2026, 3, 2) + dt.timedelta(days=case // 2 + 2 * (case // 10))
        at = dt.datetime(day.year, day.month, day.day, 9) + dt.timedelta(minutes=float(chance.uniform(0, 300)))
        for step, who in (("serve", "zoë"), ("write", "max")):
            end = at + dt.timedelta(minutes=float(chance.uniform(20, 40)))
            found.append([f"{case:03}", step, who, f"{at:%d.%m.%Y %H:%M:%S}", f"{end:%d.%m.%Y %H:%M:%S}"])
            at = end + dt.timedelta(minutes=float(chance.uniform(0, 30)))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("unknown")
    lines = [";".join(row) for row in [["Order No", "What", "By", "From", "Till"], *rows()]]
    (place / "orders.csv").write_text("\ufeff" + "\r\n".join(lines) + "\r\n")
    lines = [",".join(row) for row in [["流程编号", "环节名称", "经办人", "开始时间", "结束时间"], *rows()]]
    (place / "orders_zh.csv").write_text("\n".join(lines) + "\n")
    return place


@pytest.fixture(scope="module")
def named() -> list[str]:
    return [part for name in NAMES for part in ("--column", name)]


def twin(*arguments):
    return execute(app, "twin", [str(a) for a in arguments])


def read(path):
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(path.read_text())


def test_log_with_foreign_columns_and_local_times_is_discovered_simulated_and_scored(folder, named, capsys):
    log, process = folder / "orders.csv", folder / "orders.yaml"
    zone = ["--zone", ZONE.key]
    assert twin("discover", log, "--out", process, *named, *zone) == 0
    assert "80 cases" in capsys.readouterr().out
    assert twin("simulate-log", process, "--like", log, "--out", folder / "sim.csv", "--runs", 3, *named, *zone) == 0
    capsys.readouterr()
    simulated = [folder / f"sim_{run}.csv" for run in range(3)]
    # The simulated logs have the usual column names; the option is for the real one.
    assert twin("score", log, *simulated, *named, *zone, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == 3
    assert found["mean"]["NGD"] < 0.02
    assert found["mean"]["CTDD"] < 0.6
    assert found["mean"]["CEDD"] < 1.5
    # Power: read in the wrong zone, the hours of the day are wrong, and the score says so.
    assert twin("score", log, *simulated, *named, "--zone", "Asia/Shanghai", "--json") == 0
    assert json.loads(capsys.readouterr().out)["mean"]["CEDD"] > 4.0


def test_csv_with_chinese_columns_and_xes_give_the_same_process(folder, named, capsys):
    zone = ["--zone", ZONE.key]
    assert twin("log", "convert", folder / "orders.csv", folder / "orders.xes.gz", *named, *zone) == 0
    digests = []
    for name, more in (("orders.csv", [*named, *zone]), ("orders_zh.csv", zone), ("orders.xes.gz", [])):
        out = folder / f"{name}.yaml"
        assert twin("discover", folder / name, "--out", out, "--structure", "timers", *more) == 0
        digests.append(read(out)["source"]["sha256"])
    assert len(set(digests)) == 1
    capsys.readouterr()


def test_log_without_known_columns_says_what_it_has_and_what_to_write(folder, capsys):
    assert twin("discover", folder / "orders.csv", "--out", folder / "none.yaml") == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert "no column is the case" in shown
    assert "Order No" in shown
    assert "--column case=" in shown
    assert not (folder / "none.yaml").exists()
