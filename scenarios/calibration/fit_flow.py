"""Fit the order flow to recorded days and try it on a day that the fit has not seen.

    python -m scenarios.calibration.fit_flow DIR... --holdout DIR --out scenarios/calibration/background.yaml

What can be seen in single orders is fitted directly (fit_market). What shows only in the outcome, how strongly orders
lean to the value and how much they tell others, is fitted by simulated moments (McFadden 1989): common random numbers,
a Latin hypercube and a Nelder-Mead search from its best points. Price, number of orders and volatility of a
day are inputs; behaviour is shared by all days. `--keep FILE` renews the direct fits and the reports at the values that
an earlier search has found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML
from scipy.optimize import minimize
from scipy.stats import qmc

from agents.background import BackgroundParameters
from scenarios.calibration.fit_market import fit, write_yaml
from scenarios.calibration.moments import Stock, quantiles, recorded_moments, simulated_moments, stock_of
from scenarios.calibration.recording import Recording, read_recording

Floats = NDArray[np.float64]

BOUNDS: dict[str, tuple[float, float]] = {
    "tilt": (0.1, 2.5),
    "tilt_passive": (0.05, 1.5),
    "informed_from": (0.4, 5.0),
    "informed_slope": (0.15, 3.0),
    "signal": (0.05, 1.0),
    "signal_decay": (1e-4, 1e-2),
    "news_share": (0.3, 1.2),
}
"""Where the search looks, in logarithms."""

MEANING = {
    "tilt": "logit of a marketable order's side per natural spread between value and mid",
    "tilt_passive": "the same for resting orders",
    "informed_from": "natural spreads from the value at which orders grow (Kyle 1985)",
    "informed_slope": "growth of such orders per further natural spread",
    "signal": "natural spreads by which the believed value moves per square root of a metaorder's length",
    "signal_decay": "decay of that belief per order of the instrument",
    "news_share": "volatility of the value as a share of the price's; a nuisance parameter of the fit",
}

_LOGS = {"spread_ticks", "depth_best", "sd_1min_bp", "shares_traded_per_order"}
_DIRECT = {"acf_gap_1", "acf_gap_100"}
"""Moments that the direct fits settle; they are reported, not used."""
_FLOOR = {"log": 0.1, "plain": 0.03}
"""Least scale of a moment: a miss smaller than this is not worth the search's while (chosen)."""


def transformed(moments: dict[str, float]) -> dict[str, float]:
    """Moments on scales on which a miss means the same everywhere."""
    result = {}
    for name, value in moments.items():
        if name in _LOGS:
            result[name] = float(np.log(value))
        elif name.startswith("kurtosis"):
            result[name] = float(np.log(max(value, -1.5) + 3.0))
        elif name not in _DIRECT:
            result[name] = value
    return result


@dataclass(frozen=True)
class Target:
    """One recorded day to be met."""

    stock: Stock
    moments: dict[str, float]


class Search:
    """Distance between recorded and simulated moments as a function of the parameters' logarithms.

    Args:
        parameters: the directly fitted ones.
        targets: days to meet.
        days: simulated days per evaluation and recorded day.
        seed: the same in all evaluations.
    """

    def __init__(self, parameters: BackgroundParameters, targets: list[Target], *, days: int, seed: int) -> None:
        self.parameters, self.targets, self.days, self.seed = parameters, targets, days, seed
        self._scales: list[dict[str, float]] = []
        self.evaluations = 0

    def simulate(self, point: dict[str, float], stock: Stock, days: int, seed: int) -> list[dict[str, float]]:
        """Simulated days of a stock at a point of the parameter space."""
        behaviour: dict[str, Any] = {name: value for name, value in point.items() if name != "news_share"}
        parameters = replace(self.parameters, **behaviour)
        return simulated_moments(parameters, stock, point["news_share"], days=days, seed=seed)

    def scale(self, point: dict[str, float]) -> None:
        """Take the spread of single simulated days around `point` as the scale of each moment."""
        self._scales = []
        for target in self.targets:
            days = [transformed(day) for day in self.simulate(point, target.stock, 2 * self.days, self.seed + 1)]
            names = days[0]
            floor = {n: _FLOOR["log" if n in _LOGS or n.startswith("kurtosis") else "plain"] for n in names}
            self._scales.append({n: float(np.hypot(np.std([d[n] for d in days]), floor[n])) for n in names})

    def distance(self, point: dict[str, float]) -> float:
        """Mean over days and moments of the squared miss in units of its scale, bounded at 5 scales."""
        self.evaluations += 1
        misses = []
        for target, scale in zip(self.targets, self._scales, strict=True):
            days = [transformed(day) for day in self.simulate(point, target.stock, self.days, self.seed)]
            wanted = transformed(target.moments)
            misses += [(float(np.mean([d[n] for d in days])) - wanted[n]) / scale[n] for n in wanted]
        return float(np.mean(np.minimum(np.square(misses), 25.0)))


def point_at(x: Floats) -> dict[str, float]:
    """Parameters at a point of the unit cube."""
    return {
        name: float(low * (high / low) ** min(max(u, 0.0), 1.0))
        for u, (name, (low, high)) in zip(x, BOUNDS.items(), strict=True)
    }


def search(
    work: Search, *, points: int, steps: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, float], float]:
    """Best point of a Latin hypercube, then Nelder and Mead (1965) from the two best; returns it and its distance."""
    start = np.full(len(BOUNDS), 0.5)
    work.scale(point_at(start))
    cube = np.vstack([start, qmc.LatinHypercube(len(BOUNDS), rng=np.random.default_rng(seed)).random(points)])
    values = np.array([work.distance(point_at(x)) for x in cube])
    say(f"Latin hypercube: best distance {values.min():.3f} of {len(cube)} points")
    best = cube[int(np.argmin(values))]
    work.scale(point_at(best))

    def loss(x: Floats) -> float:
        outside = float(np.sum(np.maximum(-x, 0.0) + np.maximum(x - 1.0, 0.0)))
        return work.distance(point_at(x)) + 10.0 * outside

    found: list[tuple[float, Floats]] = []
    for x in cube[np.argsort(values)[:2]]:
        simplex = np.vstack(
            [x, *(x + 0.12 * (1 if v < 0.5 else -1) * e for v, e in zip(x, np.eye(len(x)), strict=True))]
        )
        end = minimize(
            loss, x, method="Nelder-Mead",
            options={"maxfev": steps, "initial_simplex": simplex, "xatol": 0.005, "fatol": 1e-3, "adaptive": True},
        )  # fmt: skip
        found.append((float(end.fun), np.asarray(end.x, np.float64)))
        say(f"Nelder-Mead: distance {end.fun:.3f} after {end.nfev} evaluations")
    value, x = min(found, key=lambda pair: pair[0])
    return point_at(x), value


def report(work: Search, point: dict[str, float], target: Target, *, days: int, seed: int) -> dict[str, Any]:
    """Recorded moments of a day beside simulated ones: mean, central 90 % of days, and whether the record is inside."""
    simulated = quantiles(work.simulate(point, target.stock, days, seed))
    rows = {}
    for name, recorded in target.moments.items():
        band = simulated[name]
        rows[name] = {"recorded": recorded, **band, "inside": band["low"] <= recorded <= band["high"]}
    inside = sum(bool(row["inside"]) for row in rows.values())
    return {"day": target.stock.name, "simulated_days": days, "inside": f"{inside} of {len(rows)}", "moments": rows}


def fit_all(
    training: list[Recording], holdout: Recording, *, points: int, steps: int, days: int, seed: int,
    kept: dict[str, Any] | None = None, say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Direct fits, the search, and the report on all days; returns the content of background.yaml.

    With `kept`, the content of an earlier file, its searched values stay.
    """
    content = fit(training)
    start = {name: value for name, value in point_at(np.full(len(BOUNDS), 0.5)).items() if name != "news_share"}
    content["simulated"] = {"values": start}
    say("direct fits done")
    targets = [Target(stock_of(r), recorded_moments(r)) for r in training]
    work = Search(BackgroundParameters.from_fit(content), targets, days=days, seed=seed)
    if kept is None:
        point, distance = search(work, points=points, steps=steps, seed=seed, say=say)
        evaluations = work.evaluations
    else:
        point = {**kept["simulated"]["values"], **kept["simulated"]["nuisance"]}
        work.scale(point)
        distance, evaluations = work.distance(point), kept["simulated"]["evaluations"]
    news_share = point.pop("news_share")
    full = {**point, "news_share": news_share}
    fresh = seed + 100
    content["simulated"] = {
        "method": "simulated moments, Latin hypercube and Nelder-Mead, common random numbers; days: the fitted ones",
        "values": point,
        "nuisance": {"news_share": news_share},
        "meaning": MEANING,
        "bounds": {name: list(bounds) for name, bounds in BOUNDS.items()},
        "distance": distance,
        "evaluations": evaluations,
        "fit": [report(work, full, target, days=4 * days, seed=fresh) for target in targets],
    }
    last = Target(stock_of(holdout), recorded_moments(holdout))
    content["holdout"] = report(work, full, last, days=4 * days, seed=fresh)
    return content


def table(result: dict[str, Any]) -> str:
    """One day's report as text."""
    lines = [f"{result['day']}: {result['inside']} recorded moments within 90 % of {result['simulated_days']} days"]
    for name, row in result["moments"].items():
        mark = " " if row["inside"] else "*"
        lines.append(
            f"{mark} {name:28s}{row['recorded']:12.4g}{row['mean']:12.4g}  [{row['low']:.4g}, {row['high']:.4g}]"
        )
    return "\n".join(lines)


def main() -> None:
    """Command line: folders in, parameter file out."""
    parser = argparse.ArgumentParser(description="Fit the order flow to recorded days, with one held out.")
    parser.add_argument("folders", nargs="+", type=Path, help="..._CODE_YYYYMMDD with flow.csv.gz and trades.csv.gz")
    parser.add_argument("--holdout", type=Path, required=True, help="the day that the fit does not see")
    parser.add_argument("--out", type=Path, required=True, help="parameter file to write (YAML)")
    parser.add_argument("--points", type=int, default=60, help="points of the Latin hypercube")
    parser.add_argument("--steps", type=int, default=120, help="evaluations of each Nelder-Mead search")
    parser.add_argument("--days", type=int, default=5, help="simulated days per evaluation and recorded day")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--keep", type=Path, help="file whose searched values stay: no search")
    asked = parser.parse_args()
    kept = None if asked.keep is None else YAML(typ="safe").load(asked.keep.read_text(encoding="utf-8"))

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    training = [read_recording(folder) for folder in sorted(asked.folders) if folder.name != asked.holdout.name]
    content = fit_all(
        training, read_recording(asked.holdout), points=asked.points, steps=asked.steps, days=asked.days,
        seed=asked.seed, kept=kept, say=say,
    )  # fmt: skip
    for result in [*content["simulated"]["fit"], content["holdout"]]:
        say(table(result))
    write_yaml(content, asked.out, "python -m scenarios.calibration.fit_flow DIR... --holdout DIR --out FILE")


if __name__ == "__main__":
    main()
