"""Case attributes and the hour that steer services and routes are found again, and nothing where there is nothing."""

import discovery_cases as office
import numpy as np
import pytest

from twin.process.discovery import Options, columns_of, discover, load_process, simulate
from twin.process.discovery.attributes import case_attributes, features_of
from twin.process.discovery.effects import HOUR_NAME, fit_effects, hours_of
from twin.process.discovery.routes import fit_routes
from twin.process.discovery.steering import fit_steering
from twin.randomness import Streams

CASES = 3000
KINDS = ("private", "firm")


def attributes_of(seed):
    rng = np.random.default_rng(100 + seed)
    names = [f"c{i:05d}" for i in range(CASES)]
    columns = {
        "case:kind": np.array(KINDS)[(rng.random(CASES) < 0.3).astype(int)].tolist(),
        "case:amount": np.round(rng.lognormal(8, 1, CASES), 2).tolist(),
        "case:branch": [f"b{i}" for i in rng.integers(0, 6, CASES)],
        "case:id": names,
    }
    return {name: dict(zip(names, values, strict=True)) for name, values in columns.items()}


def fitted(log):
    columns = columns_of(log)
    features = features_of(case_attributes(log, columns))
    weight = np.ones(columns.cases)
    services = fit_effects(columns, columns.end - columns.start, [*features, hours_of(columns)])
    return services, fit_steering(columns, weight, fit_routes(columns, weight)[0], features)


def steered_log():
    """Firms take twice as long to check; amounts above the median are notified with 0.9, others with 0.3."""
    known = attributes_of(0)
    kind, amount = ([*known[name].values()] for name in ("case:kind", "case:amount"))
    rows = office.office(
        weeks=12,
        factor=lambda case, activity, _: 2.0 if activity == "check" and kind[case] == "firm" else 1.0,
        notify=lambda case: 0.9 if amount[case] > np.exp(8) else 0.3,
    )
    return office.log_of(rows, attributes=known)


@pytest.fixture(scope="module")
def steered():
    return steered_log()


def test_cases_tell_of_routes_as_much_as_they_weigh():
    rng, rows, kinds = np.random.default_rng(1), [], {}
    for i in range(800):
        kinds[f"{i:03d}"] = KINDS[i % 2]
        # What firms do now, others did in the first half of the cases.
        often = 0.9 if (i % 2 == 1) == (i >= 400) else 0.1
        at = office.MONDAY + i * office.HOUR
        names = ("a", "b" if rng.random() < often else "c")
        rows += [(f"{i:03d}", name, "", at + j, at + j) for j, name in enumerate(names)]
    log = office.log_of(rows, attributes={"case:kind": kinds})
    columns = columns_of(log)
    features = features_of(case_attributes(log, columns))
    now = np.where(np.arange(800) < 400, 0.01, 1.0)
    (effect,) = fit_steering(columns, now, fit_routes(columns, now)[0], features)
    (firm,) = [row for level, row in zip(effect.levels, effect.factor, strict=True) if level == "firm"]
    chosen = dict(zip(effect.followers, firm, strict=True))
    assert chosen["b"] > 1.3
    assert chosen["c"] < 0.7
    alike = np.ones(800)
    assert fit_steering(columns, alike, fit_routes(columns, alike)[0], features) == []


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_found_where_attributes_do_nothing(seed):
    log = office.log_of(office.office(weeks=6, seed=seed), attributes=attributes_of(seed))
    columns = columns_of(log)
    assert [a.name for a in case_attributes(log, columns)] == ["case:kind", "case:amount", "case:branch"]
    services, routes = fitted(log)
    assert [effect for effect in services if not effect.clock] == []
    assert routes == []


def test_attributes_that_steer_are_found_with_their_size(steered):
    services, routes = fitted(steered)
    found = {(effect.activity, effect.by): effect for effect in services if not effect.clock}
    assert set(found) == {("check", "case:kind")}
    effect = found["check", "case:kind"]
    ratio = effect.factor[effect.levels.index("firm")] / effect.factor[effect.levels.index("private")]
    # Work that rests overnight makes the wall time of a few services much longer: hence not exactly 2.
    assert ratio == pytest.approx(2.0, rel=0.2)
    assert [(effect.after, effect.by) for effect in routes] == [("decide", "case:amount")]
    assert routes[0].explained > 0.15


@pytest.mark.parametrize("structure", ["workforce", "timers", "resampled"])
def test_simulated_cases_carry_attributes_that_steer_them(steered, structure, tmp_path):
    process = discover(steered, options=Options(structure=structure, compare=False))
    process.save(tmp_path / "p.yaml")
    process = load_process(tmp_path / "p.yaml")
    log = simulate(process, start=office.MONDAY, cases=3000, streams=Streams(1)).table.to_pandas()
    by_case = log.groupby("case")
    notified = by_case["activity"].agg(lambda names: "notify" in set(names))
    high = by_case["case:amount"].first() > np.exp(8)
    assert notified[high].mean() == pytest.approx(0.9, abs=0.06)
    assert notified[~high].mean() == pytest.approx(0.3, abs=0.08)
    checks = log[log["activity"] == "check"]
    minutes = (checks["end"] - checks["start"]).dt.total_seconds() / 60
    firm = checks["case:kind"] == "firm"
    assert firm.mean() == pytest.approx(0.3, abs=0.04)
    assert minutes[firm].median() / minutes[~firm].median() == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize("structure", ["workforce", "timers"])
def test_slow_hours_are_slow_again(structure):
    rows = office.office(weeks=10, seed=3, factor=lambda *of: 1.8 if of[2] % office.DAY >= 14 * office.HOUR else 1.0)
    process = discover(office.log_of(rows), options=Options(structure=structure, compare=False))
    if structure == "workforce":
        assert HOUR_NAME in {effect.by for effect in process.workforce.effects}
    log = simulate(process, start=office.MONDAY, cases=3000, streams=Streams(1)).table.to_pandas()
    minutes = (log["end"] - log["start"]).dt.total_seconds() / 60
    for name, usual in (("check", 24.0), ("decide", 11.0)):
        mine = log["activity"] == name
        late = log["start"].dt.hour >= 14
        early = minutes[mine & ~late].median()
        assert early == pytest.approx(usual * 0.918, rel=0.12)
        assert minutes[mine & late & (log["start"].dt.hour < 16)].median() / early == pytest.approx(1.8, rel=0.15)


@pytest.mark.parametrize("seed", range(5))
def test_no_hour_is_found_where_all_are_alike(seed):
    process = discover(
        office.log_of(office.office(weeks=8, seed=20 + seed)), options=Options(structure="workforce", compare=False)
    )
    assert process.workforce.effects == []


@pytest.mark.parametrize("seed", range(12))
def test_days_that_differ_are_no_hours(seed):
    """Work of one day takes as long throughout, and days begin where they like: nothing depends on the hour."""
    rng, rows = np.random.default_rng(seed), []
    for day in range(40):
        slow, at = rng.lognormal(0, 1), office.MONDAY + day * office.DAY + int(rng.integers(5, 15)) * office.HOUR
        for piece in range(20):
            end = at + int(slow * rng.lognormal(0, 0.1) * office.HOUR / 8)
            rows.append((f"{day:02d}-{piece:02d}", "cut", "ann", at, end))
            at = end
    columns = columns_of(office.log_of(rows))
    assert fit_effects(columns, columns.end - columns.start, [hours_of(columns)]) == []


def test_a_column_that_restates_the_route_is_no_attribute():
    rng = np.random.default_rng(1)
    rows, variant, at = [], {}, office.MONDAY
    for case in range(400):
        names = "".join(rng.choice(list("ab"), 4 + int(rng.integers(3))))
        variant[f"{case:04d}"] = f"variant {names}"
        for name in names:
            rows.append((f"{case:04d}", name, None, at, at + office.HOUR))
            at += office.HOUR
    log = office.log_of(rows, attributes={"case:variant": variant})
    assert case_attributes(log, columns_of(log)) == []
