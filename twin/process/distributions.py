"""Distributions of durations, and their form in the kernel.

Exponential, uniform and constant durations are drawn in closed form. All others are tabulated as quantiles on a grid
whose step halves towards both ends (64 cells per octave of tail probability, down to 2**-33), linear in between, and
scaled so that the mean is exact. Against the true quantile the relative error is below 1e-3 for smooth distributions.
"""

from __future__ import annotations

import difflib
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from twin.errors import ScenarioError
from twin.kernels import durations as kernel
from twin.process.quantities import parse_duration_ns

_CLOSED = ("constant", "exponential", "uniform", "sample")
_BUILT_IN = (*_CLOSED, "lognormal", "gamma")
_MEAN_CELLS = 1 << 16


def duration_field(value: Any) -> int:
    """Nanoseconds of a duration, raising what Pydantic expects of a validator."""
    try:
        return parse_duration_ns(value)
    except ScenarioError as error:
        raise ValueError(str(error)) from error


class Distribution(BaseModel):
    """A duration: a fixed one ("25 min"), a named distribution with its mean, or a sample.

    Args:
        distribution: constant, exponential, uniform, lognormal, gamma, sample, or any continuous one of scipy.stats.
        mean: mean (not for uniform and sample; a SciPy distribution is scaled to it).
        cv: standard deviation over mean (lognormal, gamma).
        low, high: limits of the uniform distribution.
        parameters: shape parameters of a SciPy distribution.
        values, unit: the sample, and what one unit of it lasts.
        least, most: limits; what would lie outside is drawn again (lognormal, gamma and SciPy's).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    distribution: str = "constant"
    mean: int | None = None
    cv: float | None = Field(default=None, gt=0)
    low: int | None = None
    high: int | None = None
    parameters: dict[str, float] = Field(default_factory=dict)
    values: tuple[float, ...] = ()
    unit: int | None = None
    least: int | None = None
    most: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        return {"distribution": "constant", "mean": data} if isinstance(data, str) else data

    @field_validator("mean", "low", "high", "unit", "least", "most", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        return None if value is None else duration_field(value)

    @field_validator("values", mode="before")
    @classmethod
    def _sample(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        name, has = self.distribution, self.model_fields_set
        if name not in _BUILT_IN:
            _law(name)
        needs = {"uniform": {"low", "high"}, "sample": {"values", "unit"}, "lognormal": {"mean", "cv"}}
        needs["gamma"] = needs["lognormal"]
        missing = sorted(needs.get(name, {"mean"}) - has)
        if missing:
            raise ValueError(f"{name} needs {' and '.join(missing)}")
        also = {"distribution"} | ({"least", "most"} if name not in _CLOSED else set())
        also |= {"parameters"} if name not in _BUILT_IN else set()
        extra = sorted(has - needs.get(name, {"mean"}) - also)
        if extra:
            raise ValueError(f"{name} does not take {' and '.join(extra)}")
        if name not in _BUILT_IN:
            _frozen(self)
        if self.is_cut and self._inside()[2] <= 0:
            raise ValueError("least and most leave nothing of the distribution")
        if name == "uniform" and self._ends()[0] > self._ends()[1]:
            raise ValueError("low is above high")
        if name == "sample" and (not self.values or min(self.values) < 0):
            raise ValueError("a sample needs values that are not negative")
        return self

    @property
    def is_cut(self) -> bool:
        """Whether draws outside limits are repeated."""
        return self.least is not None or self.most is not None

    def _inside(self) -> tuple[float, float, float]:
        """Probabilities below the limits, above them, and between."""
        law, unit = _frozen(self), self._unit()
        below = float(law.cdf((self.least or 0) / unit))
        above = float(law.sf(self.most / unit)) if self.most is not None else 0.0
        return below, above, 1 - below - above

    def _unit(self) -> float:
        """What one unit of the SciPy law lasts in ns."""
        if self.distribution in ("lognormal", "gamma"):
            return 1.0
        return float(self.mean or 0) / float(_frozen(self).mean())

    def _ends(self) -> tuple[int, int]:
        return self.low or 0, self.high or 0

    @property
    def mean_ns(self) -> float:
        """Mean in ns."""
        if self.distribution == "uniform":
            return sum(self._ends()) / 2
        if self.distribution == "sample":
            return float(np.mean(self.values)) * (self.unit or 0)
        if self.is_cut:
            p = (np.arange(_MEAN_CELLS) + 0.5) / _MEAN_CELLS
            return float(np.mean(self.quantiles(p, 1 - p)))
        return float(self.mean or 0)

    def quantiles(self, p: NDArray[np.float64], complement: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles in ns; `complement` is 1 - p, given apart so that the upper tail keeps its digits."""
        if self.distribution == "sample":
            return np.asarray(np.quantile(self.values, p, method="hazen") * (self.unit or 0), np.float64)
        law = _frozen(self)
        if self.is_cut:
            below, above, inside = self._inside()
            p, complement = below + p * inside, above + complement * inside
        low = p < 0.5
        x = np.where(low, law.ppf(np.where(low, p, 0.5)), law.isf(np.where(low, 0.5, complement))) * self._unit()
        return np.clip(x, float(self.least or 0), np.inf if self.most is None else float(self.most))


def _law(name: str) -> Any:
    """The continuous distribution of scipy.stats of that name."""
    from scipy import stats

    law = getattr(stats, name, None)
    if isinstance(law, stats.rv_continuous):
        return law
    laws = [n for n, law in vars(stats).items() if isinstance(law, stats.rv_continuous)]
    near = difflib.get_close_matches(name, [*_BUILT_IN, *laws], n=1)
    suggestion = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(_BUILT_IN)} and scipy.stats"
    raise ValueError(f"{name!r} is not a distribution{suggestion}")


def _frozen(spec: Distribution) -> Any:
    """The SciPy distribution that a specification names."""
    from scipy import stats

    mean, cv = float(spec.mean or 0), spec.cv or 0.0
    if spec.distribution == "lognormal":
        sigma = np.sqrt(np.log1p(cv * cv))
        return stats.lognorm(s=sigma, scale=mean * np.exp(-sigma * sigma / 2))
    if spec.distribution == "gamma":
        return stats.gamma(a=1 / (cv * cv), scale=mean * cv * cv)
    try:
        frozen = _law(spec.distribution)(**spec.parameters)
        usable = np.isfinite(frozen.mean()) and frozen.mean() > 0
    except TypeError as error:
        raise ValueError(f"{spec.distribution}: {error}") from error
    if not usable:
        raise ValueError(f"{spec.distribution} with parameters {spec.parameters} has no positive, finite mean")
    return frozen


def _grid() -> NDArray[np.float64]:
    """Tail probabilities at which quantiles are tabulated, 2**-33 to 1/2, rising."""
    octave = np.repeat(np.arange(32), kernel.OCTAVE_CELLS)
    step = np.tile(np.arange(kernel.OCTAVE_CELLS), 32)
    p = np.ldexp(0.5 + step / (2 * kernel.OCTAVE_CELLS), octave - 32)
    return np.append(p, 0.5)


def _tabulate(spec: Distribution) -> NDArray[np.float64]:
    """Quantile table of a distribution in the layout of `twin.kernels.durations.sample`."""
    p = _grid()
    lower, upper = spec.quantiles(p, 1 - p), spec.quantiles(1 - p, p)
    width = np.diff(p)
    mean = sum(np.sum((x[1:] + x[:-1]) / 2 * width) + x[0] * p[0] for x in (lower, upper))
    table = np.concatenate([lower, upper])
    if spec.is_cut:
        return table
    return table * (spec.mean_ns / mean) if mean > 0 else table


class DistributionTable:
    """Collects the distributions of a process as rows of the kernel's arrays; equal ones share a row."""

    def __init__(self) -> None:
        self._specs: list[Distribution] = []
        self._rows: dict[int, tuple[Distribution, int]] = {}
        self._tables: dict[int, NDArray[np.float64]] = {}

    def row(self, spec: Distribution | None) -> int:
        """Row of a distribution, -1 for none."""
        if spec is None:
            return -1
        # The very object is mostly known: one law for many classes of cases. Held here, it keeps its identity.
        if id(spec) in self._rows:
            return self._rows[id(spec)][1]
        row = next((i for i, known in enumerate(self._specs) if known == spec), len(self._specs))
        if row == len(self._specs):
            self._specs.append(spec)
        self._rows[id(spec)] = (spec, row)
        return row

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Kinds, parameters and quantile tables, one row per distribution."""
        n = max(len(self._specs), 1)
        kinds = np.zeros(n, np.int64)
        parameters = np.zeros((n, 2))
        tables = np.zeros((n, 2 * kernel.TABLE_HALF))
        for i, spec in enumerate(self._specs):
            match spec.distribution:
                case "constant":
                    kinds[i], parameters[i, 0] = kernel.CONSTANT, spec.mean_ns
                case "exponential":
                    kinds[i], parameters[i, 0] = kernel.EXPONENTIAL, spec.mean_ns
                case "uniform":
                    kinds[i] = kernel.UNIFORM
                    parameters[i] = spec.low or 0, (spec.high or 0) - (spec.low or 0)
                case _:
                    if i not in self._tables:
                        self._tables[i] = _tabulate(spec)
                    kinds[i], tables[i] = kernel.TABLE, self._tables[i]
        if not np.isfinite(tables).all():
            raise ScenarioError("a distribution has quantiles that are not finite", hint="Choose another one.")
        return kinds, parameters, tables
