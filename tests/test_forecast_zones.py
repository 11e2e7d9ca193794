"""Local time: patterns keep their hours where clocks change, output is in the zone, and columns have any names."""

from __future__ import annotations

import csv
import datetime as dt
import json

import numpy as np
import pytest
from forecast_house import DAY, HOUR, START, office
from typer.testing import CliRunner

from dashboards.cli import app
from twin.errors import DataError
from twin.process.forecasting.arrivals import fit_arrivals
from twin.process.forecasting.civil import civil, text_of
from twin.process.forecasting.columns import NEVER, NONE
from twin.randomness import Streams

ZONES = ("UTC", "Asia/Shanghai", "Europe/Amsterdam", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca")


@pytest.mark.parametrize("zone", ZONES)
def test_civil_time_is_what_clocks_show_and_rises_and_can_be_undone(zone):
    clock = civil(zone)
    at = START - 14 * 365 * DAY + np.arange(0, 17 * 365 * DAY, HOUR // 2, dtype=np.int64)
    wall = clock.of(at)
    assert np.all(np.diff(wall) > 0)
    assert np.array_equal(clock.back(wall), at)
    for t in at[::499].tolist():
        shown = dt.datetime.fromisoformat(text_of(t, zone)).replace(tzinfo=dt.UTC)
        stretched = int(clock.of(t + 1_000) - clock.of(t)) != 1_000
        assert abs(shown.timestamp() - int(clock.of(t)) / 1e9) <= (86_400 if stretched else 0)
    assert clock.of(np.array([NEVER, NONE])).tolist() == [NEVER, NONE]


def test_office_hours_stay_where_clocks_are_put_forward():
    """Arrivals from 9 to 17 by the clocks of Amsterdam, up to the change of 31 March 2024 and two days after it."""
    clock = civil("Europe/Amsterdam")
    days = [START + d * DAY + np.arange(9 * 6, 17 * 6) * HOUR // 6 for d in range(90) if d % 7 < 5]
    born = clock.back(np.concatenate(days))
    instant = START + 93 * DAY
    hours = {}
    for name, wall in (("local", clock.of), ("utc", lambda t: t)):
        model = fit_arrivals(wall(born), int(wall(clock.back(instant))))
        drawn = model.draw(int(wall(clock.back(instant + DAY))), Streams(1))
        local = drawn if name == "local" else clock.of(drawn)
        hours[name] = np.unique(local // HOUR % 24)
    assert hours["local"].min() >= 9
    assert hours["local"].max() <= 16
    assert hours["utc"].max() > 16  # power: patterns in UTC come an hour late


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A log whose columns are called otherwise, with times by the clocks of Shanghai."""
    path = tmp_path_factory.mktemp("odd") / "log.csv"
    rows = office(days=5, seed=8, per_hour=3.0).log.table.to_pylist()
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["Order No", "Step", "Who", "Begun", "Done"])
        for row in rows:
            times = ((row[k] + dt.timedelta(hours=8)).replace(tzinfo=None).isoformat() for k in ("start", "end"))
            out.writerow([row["case"], row["activity"], row["resource"], *times])
    return path


COLUMNS = [f"--column={role}={name}" for role, name in zip(
    ("case", "activity", "resource", "start", "end"), ("Order No", "Step", "Who", "Begun", "Done"), strict=True
)]  # fmt: skip
FEW = ["--horizon", "12h", "--step", "6h", "--runs", "10", "--workers", "1", "--zone", "Asia/Shanghai", "--json"]


@pytest.mark.slow
def test_commands_read_columns_of_any_name_and_answer_in_the_zone(odd, tmp_path):
    """06:00 UTC of the third day is 14:00 there."""
    span = ["--from", "2024-01-04T14:00", "--to", "2024-01-04T14:00", "--before", "0", "--out", str(tmp_path)]
    at = ["--as-of", "2024-01-04T14:00", "--calibrate", "0"]
    answers = []
    for command in (["forecast", str(odd), *at], ["backtest", str(odd), *span], ["watch", str(odd), "--once"]):
        done = CliRunner().invoke(app, [*command, *COLUMNS, *FEW])
        assert done.exit_code == 0, done.output
        answers.append(json.loads(done.stdout))
    found, tested, watched = answers
    assert found["as_of"] == tested["origins"][0] == "2024-01-04T14:00:00+08:00"
    assert found["bands"]["wip"][0]["until"] == "2024-01-04T20:00:00+08:00"
    assert watched["forecast"]["as_of"].endswith("+08:00")
    with pytest.raises(DataError, match="no column is the case"):
        CliRunner().invoke(app, ["forecast", str(odd), *FEW], catch_exceptions=False)
