"""Processes that change while they are recorded: what is past counts for less."""

import discovery_cases as office
import numpy as np
import pytest
from discovery_cases import HOUR, MONDAY, log_of

from twin.process.discovery import Options, columns_of, discover, simulate_like
from twin.process.discovery.columns import concurrency
from twin.process.discovery.fading import fading
from twin.process.discovery.recent import has_changed, latest
from twin.randomness import Streams

APART = np.zeros((3, 3), bool)


def recorded(rng, cases, chance, length=lambda _: 1.0):
    """Cases of `a`, then `b` with a chance by the share of cases before, then `c`; hours between by a factor."""
    rows = []
    for i in range(cases):
        at = MONDAY + i * HOUR
        for name in ["a", *(["b"] if rng.random() < chance(i / cases) else []), "c"]:
            rows.append((f"{i:05d}", name, "", at, at))
            at += int(rng.exponential(2.0) * length(i / cases) * HOUR) // 1000 * 1000
    return log_of(rows)


def log(*args):
    return columns_of(recorded(*args))


def test_routes_that_change_at_once_fade():
    found = log(np.random.default_rng(1), 800, lambda x: 0.1 if x < 0.5 else 0.9)
    mass, half_life = fading(found, np.ones(800), np.ones(800), APART)
    assert 0.0 < half_life <= 0.1
    assert mass[0] < 0.01 < 0.99 < mass[-1]
    held = np.unique(found.case[found.activity == found.activities.index("b")])
    assert mass[held].sum() / mass.sum() == pytest.approx(0.9, abs=0.05)


def test_routes_that_stay_do_not_fade():
    found = [log(np.random.default_rng(seed), 400, lambda _: 0.4) for seed in range(20)]
    # One in twenty is luck.
    assert sum(fading(one, np.ones(400), np.ones(400), APART)[1] > 0.0 for one in found) <= 2
    assert not any(map(has_changed, found[:6]))


def test_order_of_what_runs_side_by_side_is_no_change():
    rows = []
    for i in range(400):
        at = MONDAY + i * HOUR
        for name, lasts in [("a", 1), ("b", 2)] if i < 200 else [("b", 2), ("a", 1)]:
            rows.append((f"{i:05d}", name, "", at, at + lasts * HOUR))
            at += HOUR // 2
    found = columns_of(log_of(rows))
    assert fading(found, np.ones(400), np.ones(400), APART[:2, :2])[1] > 0.0
    assert fading(found, np.ones(400), np.ones(400), concurrency(found))[1] == 0.0


def test_cases_of_which_the_log_shows_too_few_are_no_change():
    found = log(np.random.default_rng(2), 800, lambda x: 0.5 if x < 0.75 else 0.02)
    shown = np.where(np.arange(800) < 600, 1.0, 0.5)
    assert fading(found, np.ones(800), np.ones(800), APART)[1] > 0.0
    assert fading(found, np.ones(800), shown, APART)[1] == 0.0


@pytest.mark.parametrize("length", [lambda x: 1.0 if x < 0.5 else 2.0, lambda x: 1.0 + 1.5 * x], ids=["step", "trend"])
def test_cases_that_last_longer_are_a_change(length):
    assert has_changed(log(np.random.default_rng(3), 1200, lambda _: 0.5, length))


def test_latest_cases_are_those_that_began_last():
    rows = office.office(weeks=4, seed=1)
    whole = log_of([row[:5] for row in rows])
    part = latest(whole, 0.25)
    assert part is not None
    began = columns_of(whole)
    late = columns_of(part)
    assert late.cases == round(0.25 * began.cases)
    assert int(late.first.min()) == np.sort(began.first)[-late.cases]
    assert latest(part, 0.25) is None


def test_process_that_became_faster_is_simulated_as_it_is_now():
    rows = recorded(np.random.default_rng(5), 1200, lambda _: 0.5, lambda x: 5.0 if x < 0.35 else 1.0)
    process = discover(rows, options=Options(name="office"))
    assert any("latest" in text for text in process.notes)
    done = simulate_like(process, start=MONDAY + 1200 * HOUR, cases=400, streams=Streams(1))
    lasted = np.zeros(400)
    np.maximum.at(lasted, done.case, (done.end - done.arrival[done.case]) / HOUR)
    # A case with `b` waits twice, two hours on the mean each time; without, once.
    assert lasted.mean() == pytest.approx(3.0, rel=0.15)
