"""Fit the background order flow to recorded days.

    python -m scenarios.calibration.fit_market DIR... --out scenarios/calibration/background.yaml

Each quantity is fitted day by day; the pooled value is the median of the days unless its method says otherwise. Prices
are measured in units of the natural spread, 1 tick + slope x price, which makes stocks of 14 and 1,800 CNY alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from agents.background import Profile
from scenarios.calibration.fits import fit_excitement, fit_lomax, fit_patience, fit_signs, fit_sizes
from scenarios.calibration.recording import CONTINUOUS, Recording, SeenOrder, elapsed, read_recording
from twin.clock import MINUTE, SECOND, at, clock_text

WIDE = 1.5
"""A spread above this many natural spreads counts as wide (chosen; it splits the recorded days about 2 : 1)."""
CALL_POINTS = 33
"""Quantiles that describe a call auction; no simple law fits the three days (a truncated Lomax has KS 0.08 to 0.2)."""
LIMIT = 0.1
"""Price limit of the recorded main-board stocks as a share of the price (domain M30)."""

ASSUMED: dict[str, dict[str, Any]] = {
    "orders_per_day": {"value": 21_000, "why": "new orders per instrument; with cancels about 27,000 messages a day"},
    "heed": {
        "value": 1.0,
        "why": "nobody sees who sends: what clients and institutions take tells as much as others' metaorders",
    },
    "attention_half_life_s": {"value": 1800.0, "why": "half-life of the largest index move in people's minds"},
}


def profile_edges() -> list[int]:
    """Edges (ns) of the intraday profile: finer where the rate changes fast; aligned to 3-second ticks."""
    edges = [at("09:15"), at("09:15:03")]
    edges += [at("09:15") + k * MINUTE for k in range(1, 11)]
    edges += [at("09:30") + k * MINUTE for k in range(10)]
    edges += list(range(at("09:40"), at("11:30") + 1, 5 * MINUTE))
    edges += list(range(at("13:00"), at("14:55") + 1, 5 * MINUTE))
    return [*edges, at("14:57"), at("14:58"), at("14:59"), at("15:00")]


def _ticks_from_best(order: SeenOrder) -> int:
    """Ticks behind the best price of the order's own side; negative inside the spread and beyond."""
    return order.bid - order.price if order.side > 0 else order.price - order.ask


def _is_marketable(order: SeenOrder) -> bool:
    return order.price >= order.ask if order.side > 0 else order.price <= order.bid


def _seen(recording: Recording) -> list[SeenOrder]:
    """Orders of continuous trading that saw both sides of the book."""
    return [
        o
        for o in recording.orders
        if elapsed(o.time, CONTINUOUS) > 0 and o.time < CONTINUOUS[-1][1] and 0 < o.bid < o.ask
    ]


def _profile(recording: Recording) -> dict[str, float]:
    edges = profile_edges()
    counts, _ = np.histogram([o.time for o in recording.orders], edges)
    return {clock_text(edge): float(c) / counts.sum() for edge, c in zip(edges[:-1], counts, strict=True) if c}


def _placement(recordings: Sequence[Recording], slope: float) -> dict[str, float]:
    """Shares of marketable, inside, at best and behind, given the spread: one tick, normal, wide; all orders alike."""
    shares: dict[str, float] = {}
    kinds: dict[str, list[SeenOrder]] = {"one_tick": [], "normal": [], "wide": []}
    for o in [o for recording in recordings for o in _seen(recording)]:
        spread = o.ask - o.bid
        kinds["one_tick" if spread == 1 else "normal" if spread <= WIDE * (1 + slope * o.bid) else "wide"].append(o)
    for name, orders in kinds.items():
        n = max(len(orders), 1)
        marketable = sum(map(_is_marketable, orders))
        inside = sum(o.bid < o.price < o.ask for o in orders)
        best = sum(_ticks_from_best(o) == 0 for o in orders)
        shares |= {f"{name}_marketable": marketable / n, f"{name}_inside": inside / n, f"{name}_best": best / n}
    return shares


def _through(recording: Recording, slope: float) -> dict[str, float]:
    """Marketable orders priced beyond the other side's best.

    The feed shows the last trade's price in place of a limit price that was better, so that the share is taken among
    orders that wanted more than the best level held; the distance stays a lower bound.
    """
    orders = [o for o in _seen(recording) if _is_marketable(o)]
    ticks = np.array([(o.price - o.ask) if o.side > 0 else (o.bid - o.price) for o in orders])
    unit = np.array([1 + slope * o.bid for o in orders])
    beyond = ticks > 0
    short = np.array([o.quantity > (o.ask_shares if o.side > 0 else o.bid_shares) for o in orders])
    fit = fit_lomax(ticks[beyond] - 1, unit[beyond], np.array([LIMIT * o.bid for o in orders])[beyond])
    return {"share": float(np.mean(beyond[short | beyond])), **asdict(fit)}


def _inside(recording: Recording) -> dict[str, float]:
    """Place between the best prices, 0 = next to the own side, as u ** power of a uniform u: fitted to the mean."""
    place = [
        ((o.price - o.bid if o.side > 0 else o.ask - o.price) - 1) / (o.ask - o.bid - 2)
        for o in _seen(recording)
        if o.bid < o.price < o.ask and o.ask - o.bid > 2
    ]
    return {"power": 1.0 / max(float(np.mean(place)), 0.01) - 1.0 if place else 1.0}


def _selective(recording: Recording) -> dict[str, float]:
    """Share of marketable orders that are cut to the best level: how much rarer it is to want more than by chance.

    By chance = the sizes dealt anew to the same depths.
    """
    orders = [o for o in _seen(recording) if _is_marketable(o)]
    size = np.array([o.quantity for o in orders])
    depth = np.array([o.ask_shares if o.side > 0 else o.bid_shares for o in orders])
    ranks = np.searchsorted(np.sort(depth), size, side="left")
    by_chance = float(np.mean(ranks)) / len(orders)
    return {"share": max(0.0, 1.0 - float(np.mean(size > depth)) / by_chance)}


def business_times(recording: Recording, profile: Profile) -> NDArray[np.float64]:
    """Times of the orders of continuous trading in business time: the integral of the profile, at a mean rate of 1.

    Within a hundredth of a second, the feed's resolution, orders of one instant are spread evenly.
    """
    t = np.array([o.time for o in recording.orders if any(a <= o.time < b for a, b in CONTINUOUS)], np.float64)
    _, first, where, count = np.unique(t, return_index=True, return_inverse=True, return_counts=True)
    t += (np.arange(len(t)) - first[where] + 0.5) / count[where] * SECOND / 100
    start, noon = at("09:30"), at("13:00")
    lunch = profile.between(at("11:30"), noon)
    share = profile.at_edges(t) - profile.between(0, start) - lunch * (t >= noon)
    whole = sum(profile.between(a, b) for a, b in CONTINUOUS)
    return share / whole * len(t)


def _behind(recording: Recording, slope: float) -> dict[str, float]:
    orders = [o for o in _seen(recording) if _ticks_from_best(o) > 0]
    down, up = (1 - LIMIT) * recording.open_price, (1 + LIMIT) * recording.open_price
    room = [max(o.bid - down if o.side > 0 else up - o.ask, 1) for o in orders]
    ticks = np.array([_ticks_from_best(o) - 1 for o in orders])
    return asdict(fit_lomax(ticks, np.array([1 + slope * o.bid for o in orders]), np.array(room)))


def _call(orders: list[SeenOrder], price: int) -> dict[str, float]:
    """Quantiles of the distance of call-auction orders from the auction price, in per cent of it.

    Positive distances are on the sender's waiting side: buys below, sells above the price.
    """
    distance = [100 * o.side * (price - o.price) / price for o in orders]
    levels = np.linspace(0.0, 1.0, CALL_POINTS)
    return {f"q{level:.4f}": float(q) for level, q in zip(levels, np.quantile(distance, levels), strict=True)}


def _sizes(recordings: Sequence[Recording]) -> dict[str, float]:
    orders = [o for r in recordings for o in r.orders]
    return asdict(fit_sizes([o.quantity for o in orders], [o.price / 100 for o in orders]))


def _checks(recording: Recording) -> dict[str, float]:
    """What a run of the background alone is compared with; not used as input."""
    seen = _seen(recording)
    return {
        "orders": float(len(recording.orders)),
        "cancels_per_order": recording.cancels / len(recording.orders),
        "marketable_share": float(np.mean([_is_marketable(o) for o in seen])),
        "spread_ticks": recording.spread,
        "spread_bps": 1e4 * recording.spread / recording.open_price,
    }


def _pool(days: list[dict[str, float]]) -> dict[str, float]:
    keys = list(dict.fromkeys(key for day in days for key in day))
    return {key: float(np.median([day.get(key, 0.0) for day in days])) for key in keys}


def fit(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Fit everything; returns the content of background.yaml."""
    names = [f"{r.code} {r.day}" for r in recordings]
    slope = float(np.median([max(r.spread - 1, 0.0) / r.open_price for r in recordings]))

    def section(
        method: str,
        one_day: Callable[[Recording], dict[str, float]],
        all_days: Callable[[Sequence[Recording]], dict[str, float]] | None = None,
    ) -> dict[str, Any]:
        days = [one_day(r) for r in recordings]
        pooled = all_days(recordings) if all_days else _pool(days)
        return {"method": method, "pooled": pooled, "days": dict(zip(names, days, strict=True))}

    def natural(r: Recording) -> dict[str, float]:
        return {"slope": max(r.spread - 1, 0.0) / r.open_price}

    def closing(r: Recording) -> list[SeenOrder]:
        return [o for o in r.orders if o.time >= at("14:57")]

    result: dict[str, Any] = {
        "unit": section("time-weighted spread = 1 tick + slope x price", natural),
        "profile": section("share of the day's new orders from each start to the next", _profile),
        "placement": section(
            "shares by spread class; the rest is behind the best; pooled over orders",
            lambda r: _placement([r], slope),
            lambda rs: _placement(rs, slope),
        ),
        "behind": section("truncated Lomax, discrete maximum likelihood, natural spreads", lambda r: _behind(r, slope)),
        "through": section(
            "priced beyond the other best, of those that wanted more than it held; distance as above",
            lambda r: _through(r, slope),
        ),
        "inside": section("mean place between the best prices; spreads of three ticks and more", _inside),
        "selective": section("marketable orders beyond the best level, against sizes dealt anew", _selective),
        "sizes": section(
            "interval-censored lognormal around a value plus one lot, a spike at one lot, maximum likelihood; pooled "
            "over orders; tail: largest 5 % over their usual size, bounded Pareto, least squares of log quantiles",
            lambda r: _sizes([r]),
            _sizes,
        ),
        "patience": section(
            "lognormal mixture cure model, fills and close as censoring, against Kaplan-Meier",
            lambda r: asdict(fit_patience(r.life, r.ended_by_cancel)),
        ),
        "signs": section(
            "autocorrelation of marketable orders' signs at lags 1 to 200, Pareto metaorders, least squares",
            lambda r: asdict(fit_signs([o.side for o in _seen(r) if _is_marketable(o)])),
        ),
        "open_call": section(
            "quantiles of the distance from the auction price, per cent",
            lambda r: _call([o for o in r.orders if o.time < at("09:25")], r.open_price),
        ),
        "close_call": section("the same for 14:57 to 15:00", lambda r: _call(closing(r), r.close_price)),
        "checks": section("measured, not used as input", _checks),
    }  # fmt: skip
    shares: NDArray[np.float64] = np.array(list(result["profile"]["pooled"].values()))
    result["profile"]["pooled"] = dict(zip(result["profile"]["pooled"], (shares / shares.sum()).tolist(), strict=True))
    bins = {at(key): share for key, share in result["profile"]["pooled"].items()}
    times = [business_times(r, Profile(bins)) for r in recordings]
    result["excitement"] = {
        "method": "two exponential kernels in business time, joint maximum likelihood; gain = per order over Poisson",
        "pooled": asdict(fit_excitement(times)),
        "days": {name: asdict(fit_excitement([t])) for name, t in zip(names, times, strict=True)},
    }
    result["profile"]["fit"] = {"total_variation": _profile_distance(result["profile"])}
    return {
        "source": "Shanghai Stock Exchange Level-2, orders and trades of single days: " + ", ".join(names),
        "pooling": "median of the days, unless the method says otherwise",
        "wide": WIDE,
        "assumed": ASSUMED,
        **result,
    }


def _profile_distance(profile: dict[str, Any]) -> dict[str, float]:
    """Total variation distance between each day's profile and the pooled one."""
    pooled = profile["pooled"]
    return {
        day: 0.5 * sum(abs(shares.get(key, 0.0) - pooled.get(key, 0.0)) for key in {**pooled, **shares})
        for day, shares in profile["days"].items()
    }


def rounded(node: Any, digits: int = 5) -> Any:
    """Copy of nested data with floats at the given number of significant digits."""
    if isinstance(node, dict):
        return {key: rounded(value, digits) for key, value in node.items()}
    if isinstance(node, list):
        return [rounded(value, digits) for value in node]
    return float(f"{node:.{digits}g}") if isinstance(node, float) else node


def write_yaml(content: dict[str, Any], path: Path, command: str) -> None:
    """Write a parameter file that names the command that made it."""
    yaml = YAML()
    yaml.width = 110
    with path.open("w", encoding="utf-8") as file:
        file.write(f"# Fitted, not written by hand: {command}\n")
        yaml.dump(rounded(content), file)


def main() -> None:
    """Command line: folders in, parameter file out."""
    parser = argparse.ArgumentParser(description="Fit the background order flow to recorded Level-2 days.")
    parser.add_argument("folders", nargs="+", type=Path, help="..._CODE_YYYYMMDD with flow.csv.gz and trades.csv.gz")
    parser.add_argument("--out", type=Path, required=True, help="parameter file to write (YAML)")
    arguments = parser.parse_args()
    recordings = [read_recording(folder) for folder in sorted(arguments.folders)]
    write_yaml(fit(recordings), arguments.out, "python -m scenarios.calibration.fit_market DIR... --out FILE")


if __name__ == "__main__":
    main()
