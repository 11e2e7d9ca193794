"""The choice among rivals: what chance makes of each distance, and that the unit of time does not matter."""

from __future__ import annotations

import discovery_cases as office
import numpy as np
import pytest

from twin.measures.log_distances import NAMES, distances
from twin.process.discovery.select import noise, rank


def _log(seed, scale=1.0, cases=60):
    rng = np.random.default_rng(seed)
    begin = np.sort(rng.uniform(0, 20 * office.DAY, cases)) * scale
    rows = []
    for i, at in enumerate(begin):
        for name in ("a", "b"):
            stop = at + rng.exponential(office.HOUR) * scale
            rows.append((f"{i:03d}", name, None, office.MONDAY + int(at), office.MONDAY + int(stop)))
            at = stop
    return office.log_of(rows)


def test_noise_is_the_distance_between_two_logs_of_one_process():
    chance = noise(_log(0))
    pairs = [distances(_log(2 * i), _log(2 * i + 1)).as_dict() for i in range(20)]
    for name in ("REDD", "CTDD"):
        assert chance[name] == pytest.approx(np.mean([pair[name] for pair in pairs]), rel=0.4)


def test_a_regular_log_leaves_the_least_noise():
    hour, day = office.HOUR, office.DAY
    rows = [(f"{i:02d}", "a", None, office.MONDAY + i * day, office.MONDAY + i * day + hour) for i in range(20)]
    chance = noise(office.log_of(rows))
    assert chance["NGD"] == chance["CTDD"] == 0.01


def test_ranking_is_the_same_in_minutes_and_in_months():
    better = dict(zip(NAMES, (0.1, 5.0, 1.0, 2.0, 3.0), strict=True))
    worse = dict(zip(NAMES, (0.1, 6.0, 1.2, 3.0, 5.0), strict=True))
    chance = dict(zip(NAMES, (0.05, 4.0, 0.5, 1.0, 1.0), strict=True))

    def scores(scale):
        def scaled(table):
            return {name: x * (1.0 if name == "NGD" else scale) for name, x in table.items()}

        found = rank([{"one": scaled(worse), "other": scaled(better)}], [scaled(chance)])
        return [rival.structure for rival in found], [rival.score for rival in found]

    assert scores(1.0) == scores(1000.0)
    assert scores(1.0)[0] == ["other", "one"]
    assert scores(1.0)[1][0] == 1.0


def test_differences_within_noise_count_little_and_no_mechanism_must_be_better_by_a_tenth():
    base = dict.fromkeys(NAMES, 1.0)
    near = dict.fromkeys(NAMES, 0.9)
    loud, quiet = dict.fromkeys(NAMES, 10.0), dict.fromkeys(NAMES, 0.01)
    assert rank([{"workforce": base, "timers": near}], [loud])[1].score == pytest.approx(11.0 / 10.9, abs=1e-3)
    assert rank([{"workforce": base, "timers": near}], [quiet])[1].score == pytest.approx(1.01 / 0.91, abs=1e-3)
    assert rank([{"workforce": base, "resampled": near}], [loud])[0].structure == "workforce"
    far = dict.fromkeys(NAMES, 0.5)
    assert rank([{"workforce": base, "resampled": far}], [quiet])[0].structure == "resampled"
