"""Distributions as Prosimos writes them, in seconds, and as the house's laws.

What the parameters mean (Prosimos 2.1.0, pix-framework 0.15.0): `fix` [value]; `expon` [mean, min, max], shifted to
begin at `min` with the mean kept; `norm` [mean, standard deviation, min, max]; `uniform` [min, max]; `lognorm` and
`gamma` [mean, variance, min, max], of the law before it is cut. What falls below zero or outside [min, max] is drawn
again, up to 100 times; then the mean is taken, or the middle of [min, max] if it lies outside. Files of earlier
versions give SciPy's own parameters (shapes, loc, scale, min, max): they have one or two more numbers, by which they
are told apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.clock import SECOND
from twin.process.bpmn.parameters import law
from twin.process.distributions import Distribution
from twin.process.notes import note
from twin.process.prosimos.document import Entry

_NAMES = {
    "fixed": "fix",
    "normal": "norm",
    "exponential": "expon",
    "log_normal": "lognorm",
    "lognormal": "lognorm",
    "triangular": "triang",
}
_COUNTS = {"fix": (1,), "expon": (3, 1), "norm": (4, 2), "uniform": (2,), "lognorm": (4, 2), "gamma": (4, 2)}
_HOPELESS = 0.0069
"""Chance inside the limits below which most sets of 100 draws fail."""
_SAMPLE = 1000


def _s(seconds: float) -> str:
    return f"{round(max(seconds, 0.0) * SECOND)} ns"


def read_law(entry: Entry, notes: list[str] | None = None) -> Distribution:
    """The law of an object with `distribution_name` and `distribution_params` (or a histogram).

    Raises:
        DataError: the name is not known, or the parameters do not fit it.
    """
    notes = [] if notes is None else notes
    raw = entry["distribution_name"].text
    name = _NAMES.get(raw.lower(), raw.lower())
    if name == "histogram_sampling":
        return _histogram(entry["histogram_data"])
    values = [_parameter(p) for p in entry["distribution_params"].each()]
    if not values:
        raise entry["distribution_params"].fail("is empty")
    if name == "fix":
        return law("constant", mean=_s(values[0]))
    counts = _COUNTS.get(name)
    if name == "triang":
        return _triangular(entry, values)
    if counts is not None and len(values) in counts:
        return _present(name, values, entry, notes)
    return _earlier(name, raw, values, entry)


def _parameter(entry: Entry) -> float:
    return entry["value"].number if isinstance(entry.value, dict) else entry.number


def _present(name: str, values: list[float], entry: Entry, notes: list[str]) -> Distribution:
    if name == "uniform":
        low, high = values
        if high < low or high < 0:
            raise entry["distribution_params"].fail("the maximum is below the minimum", "Give [min, max].")
        return law("uniform", low=_s(low), high=_s(high))
    wide = values if len(values) > 2 else [*values, 0.0, np.inf]
    mean, *spread, least, most = wide
    least = max(least, 0.0)
    if most < least or (spread and spread[0] < 0):
        return _stuck(mean, least, most, entry, notes)
    if name == "expon":
        scale = mean - least if mean >= least else mean
        if scale <= 0 or not np.isfinite(scale):
            return law("constant", mean=_s(least)) if least <= most else _stuck(mean, least, most, entry, notes)
        return _exponential(least, scale, most)
    if spread[0] == 0 or (mean <= 0 and name != "norm"):
        return law("constant", mean=_s(mean)) if least <= mean <= most else _stuck(mean, least, most, entry, notes)
    found = _frozen(name, mean, spread[0])
    if found.sf(least) - found.sf(most) < _HOPELESS:
        return _stuck(mean, least, most, entry, notes)
    if name == "norm":
        return _normal(mean, spread[0], least, most)
    own = "lognormal" if name == "lognorm" else name
    return law(own, mean=_s(mean), cv=float(np.sqrt(spread[0])) / mean, **_limits(least, most, found))


def _frozen(name: str, mean: float, spread: float) -> Any:
    from scipy import stats

    if name == "norm":
        return stats.norm(mean, spread)
    if name == "gamma":
        return stats.gamma(mean * mean / spread, scale=spread / mean)
    sigma = np.sqrt(np.log1p(spread / (mean * mean)))
    return stats.lognorm(sigma, scale=mean * np.exp(-sigma * sigma / 2))


def _stuck(mean: float, least: float, most: float, entry: Entry, notes: list[str]) -> Distribution:
    """The fixed value that is left where nearly every draw lies outside the limits."""
    value = mean if least <= mean <= most or not np.isfinite(most) else least + (most - least) / 2
    notes.append(note("law_stuck", place=entry.place, value=f"{value:g}"))
    return law("constant", mean=_s(value))


def _exponential(least: float, scale: float, most: float) -> Distribution:
    """An exponential law begun at `least`; a limit that hardly a draw exceeds is left out."""
    limits = {"most": _s(most)} if np.isfinite(most) and most - least < 40 * scale else {}
    if least == 0 and not limits:
        return law("exponential", mean=_s(scale))
    return law("expon", mean=_s(least + scale), parameters={"loc": float(least), "scale": float(scale)}, **limits)


def _normal(mean: float, deviation: float, least: float, most: float) -> Distribution:
    from scipy import stats

    if mean <= 0:
        high = min((most - mean) / deviation, 40.0)
        return scipy_law("truncnorm", a=(least - mean) / deviation, b=high, loc=mean, scale=deviation)
    limits = _limits(least, most, stats.norm(mean, deviation))
    return law("norm", mean=_s(mean), parameters={"loc": float(mean), "scale": float(deviation)}, **limits)


def _limits(least: float, most: float, found: Any) -> dict[str, object]:
    """The limits that any draw might exceed."""
    limits: dict[str, object] = {}
    if found.cdf(least) > 1e-12:
        limits["least"] = _s(least)
    if np.isfinite(most) and found.sf(most) > 1e-12:
        limits["most"] = _s(most)
    return limits


def scipy_law(name: str, **parameters: float) -> Distribution:
    """A law of scipy.stats whose location and scale are in seconds."""
    from scipy import stats

    mean = float(getattr(stats, name)(**parameters).mean())
    if not np.isfinite(mean) or mean <= 0:
        return law("constant", mean=_s(parameters.get("loc", 0.0)))
    return law(name, mean=_s(mean), parameters={k: float(v) for k, v in parameters.items()})


def _triangular(entry: Entry, values: list[float]) -> Distribution:
    """Three numbers are mode, minimum and maximum; five are SciPy's."""
    if len(values) == 5:
        c, loc, scale = values[:3]
    elif len(values) == 3:
        mode, low, high = values
        loc, scale = low, high - low
        c = (mode - low) / scale if scale > 0 else 0.5
    else:
        raise entry["distribution_params"].fail("triang needs [mode, min, max]")
    if scale <= 0:
        return law("constant", mean=_s(loc))
    if not 0 <= c <= 1:
        raise entry["distribution_params"].fail("the mode lies outside [min, max]", "Give [mode, min, max].")
    return scipy_law("triang", c=c, loc=loc, scale=scale)


def _earlier(name: str, raw: str, values: list[float], entry: Entry) -> Distribution:
    """SciPy's parameters (shapes, loc, scale, min, max), as files of earlier versions have them."""
    from scipy import stats

    found = getattr(stats, name, None)
    if not isinstance(found, stats.rv_continuous):
        known = "fix, expon, norm, uniform, triang, lognorm, gamma, and those of scipy.stats"
        raise entry["distribution_name"].fail(f"{raw!r} is not a distribution", f"Known: {known}.")
    names = [s.strip() for s in (found.shapes or "").split(",") if s.strip()]
    if len(values) not in (len(names) + 2, len(names) + 4):
        counts = _COUNTS.get(name, (len(names) + 4,))
        what = f"{name} with {len(values)} parameters"
        raise entry["distribution_params"].fail(what, f"It has {' or '.join(map(str, counts))}.")
    parameters = dict(zip([*names, "loc", "scale"], values, strict=False))
    least, most = (values[-2], values[-1]) if len(values) == len(names) + 4 else (0.0, np.inf)
    least = max(least, 0.0)
    try:
        frozen = found(**parameters)
        inside = float(frozen.sf(least) - frozen.sf(most))
    except (TypeError, ValueError) as error:
        raise entry["distribution_params"].fail(f"{name}: {error}") from error
    if not inside > _HOPELESS:
        return _stuck(float(frozen.mean()), least, most, entry, [])
    if name == "expon":
        return _exponential_earlier(values[0], values[1], least, most)
    if name == "uniform":
        return law("uniform", low=_s(max(values[0], least)), high=_s(min(values[0] + values[1], most)))
    if name == "norm":
        return _normal(values[0], values[1], least, most)
    mean = float(frozen.mean())
    if not np.isfinite(mean) or mean <= 0:
        raise entry["distribution_params"].fail(f"{name} has no positive, finite mean")
    if name == "gamma":  # the house's gamma has mean and cv; SciPy's own goes by another name
        name, parameters = "gengamma", {**parameters, "c": 1.0}
    return law(name, mean=_s(mean), parameters=parameters, **_limits(least, most, frozen))


def _exponential_earlier(loc: float, scale: float, least: float, most: float) -> Distribution:
    """An exponential law cut from below is the same law begun there."""
    return _exponential(max(loc, least), scale, most)


def _histogram(entry: Entry) -> Distribution:
    """The middles of bins with their shares, as a sample."""
    cdf = np.asarray([e.number for e in entry["cdf"].each()])
    middles = np.asarray([e.number for e in entry["bin_midpoints"].each()])
    if not len(cdf) or len(cdf) != len(middles) or np.any(np.diff(cdf) < 0):
        raise entry.fail("cdf and bin_midpoints must be lists of equal length, and cdf must rise")
    share = (np.arange(_SAMPLE) + 0.5) / _SAMPLE * min(cdf[-1], 1.0)
    values = middles[np.minimum(np.searchsorted(cdf, share), len(cdf) - 1)]
    return law("sample", values=[float(v) for v in np.maximum(values, 0)], unit="1 s")


def write_law(distribution: Distribution) -> dict[str, Any]:
    """The object that Prosimos reads for a law; laws that it does not know become gammas of equal mean and variance."""
    p = distribution.parameters
    far = 1e12
    least = (distribution.least or 0) / SECOND
    most = distribution.most / SECOND if distribution.most is not None else far
    match distribution.distribution:
        case "constant":
            return _written("fix", distribution.mean_ns / SECOND)
        case "exponential":
            return _written("expon", distribution.mean_ns / SECOND, 0.0, far)
        case "uniform":
            return _written("uniform", (distribution.low or 0) / SECOND, (distribution.high or 0) / SECOND)
        case "lognormal" | "gamma":
            whole = (distribution.mean or 0) / SECOND
            name = {"lognormal": "lognorm"}.get(distribution.distribution, distribution.distribution)
            return _written(name, whole, (whole * (distribution.cv or 0)) ** 2, least, most)
        case "expon" if _in_seconds(distribution) and least <= p.get("loc", 0.0):
            begin = p.get("loc", 0.0)
            return _written("expon", begin + p["scale"], begin, most)
        case "norm" if _in_seconds(distribution):
            return _written("norm", p["loc"], p["scale"], least, most)
        case "truncnorm" if not distribution.is_cut and _in_seconds(distribution):
            ends = (p["loc"] + p["a"] * p["scale"], p["loc"] + p["b"] * p["scale"])
            return _written("norm", p["loc"], p["scale"], max(ends[0], 0.0), ends[1])
    grid = (np.arange(4096) + 0.5) / 4096
    mean = distribution.mean_ns / SECOND
    variance = float(np.var(distribution.quantiles(grid, 1 - grid) / SECOND))
    return _written("gamma", mean, variance, 0.0, far) if variance > 0 else _written("fix", mean)


def _in_seconds(distribution: Distribution) -> bool:
    """Whether the parameters of a SciPy law are in seconds, as those read from a file are."""
    from scipy import stats

    own = float(getattr(stats, distribution.distribution)(**distribution.parameters).mean())
    return "scale" in distribution.parameters and abs(own * SECOND - (distribution.mean or 0)) < 2 + 1e-9 * own * SECOND


def _written(name: str, *values: float) -> dict[str, Any]:
    return {"distribution_name": name, "distribution_params": [{"value": v} for v in values]}
