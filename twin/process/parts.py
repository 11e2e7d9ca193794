"""Building blocks of a process file: times, conditions on case attributes, and values that depend on the case."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from twin.clock import DAY, at
from twin.contracts import Segment
from twin.errors import ScenarioError
from twin.process.quantities import parse_money_fen

SegmentName = Literal["retail", "gen_z", "hnw", "institution"]
SEGMENT_NAMES: tuple[str, ...] = tuple(s.name.lower() for s in Segment)
T = TypeVar("T")
Path = tuple[str | int, ...]
Probability = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """Base of all parts of a process file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: str = ""


def time_of_day(value: Any) -> int:
    """Nanoseconds since midnight; 24:00 is the end of the day."""
    if value == "24:00":
        return DAY
    try:
        return at(str(value))
    except ScenarioError as error:
        raise ValueError(str(error)) from error


def money_field(value: Any) -> Any:
    """Fen of an amount of money, raising what Pydantic expects of a validator."""
    if value is None:
        return value
    try:
        return parse_money_fen(value)
    except ScenarioError as error:
        raise ValueError(str(error)) from error


def as_tuple(value: Any) -> Any:
    """Lists as tuples, which strict models want."""
    return tuple(value) if isinstance(value, list) else value


def date_field(value: Any) -> Any:
    """A date, also from its ISO text."""
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not a date; write 2026-10-01") from error
    return value


class When(Part):
    """A condition on the attributes of a case; all that is given must hold.

    Args:
        attribute: name of a case attribute, or `segment`.
        is_in, not_in: categories. In a file: `in`, `not_in`.
        at_least, above, at_most, below: limits of a numeric attribute.
        all, any: conditions of which all, or at least one, must hold. A list stands for `all`.
    """

    attribute: str | None = None
    is_in: tuple[str, ...] | None = Field(default=None, alias="in")
    not_in: tuple[str, ...] | None = None
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    all: tuple[When, ...] = ()
    any: tuple[When, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _list(cls, data: Any) -> Any:
        return {"all": data} if isinstance(data, list | tuple) else data

    @field_validator("is_in", "not_in", "all", "any", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @model_validator(mode="after")
    def _complete(self) -> When:
        tests = [self.is_in, self.not_in, self.at_least, self.above, self.at_most, self.below]
        tested = any(t is not None for t in tests)
        if tested != (self.attribute is not None):
            raise ValueError("a condition names an attribute and what it must be (in, at_least, below, ...)")
        if not (tested or self.all or self.any):
            raise ValueError("a condition is empty")
        return self

    def leaves(self) -> Iterator[When]:
        """The conditions on single attributes in this one."""
        if self.attribute is not None:
            yield self
        for part in (*self.all, *self.any):
            yield from part.leaves()


class Case(Part, Generic[T]):
    """A value for the cases that satisfy a condition."""

    when: When
    value: T


class BySegment(Part, Generic[T]):
    """A value, with other values for some cases: the first of `cases` that holds, else by kind of client."""

    default: T
    by_segment: dict[SegmentName, T] = Field(default_factory=dict)
    cases: tuple[Case[T], ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        return data if isinstance(data, dict) and "default" in data else {"default": data}

    @field_validator("cases", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    def of(self, segment: Segment, holds: frozenset[When] = frozenset()) -> T:
        """The value for a kind of client and the conditions that hold for the case."""
        for case in self.cases:
            if case.when in holds:
                return case.value
        return self.by_segment.get(segment.name.lower(), self.default)  # type: ignore[call-overload, no-any-return]

    def values(self) -> Iterator[T]:
        """All values that may occur."""
        yield self.default
        yield from self.by_segment.values()
        yield from (case.value for case in self.cases)


class Attribute(Part):
    """A case attribute: numeric with a distribution, categorical with shares, or given by the request.

    Args:
        shares: probability of every category.
        distribution: law of a number: constant, exponential, uniform, lognormal, gamma, sample, or a continuous one of
            scipy.stats with all its `parameters` (shapes, loc, scale).
        mean, cv, low, high, parameters, values: as for durations, without units.
        given: the request brings it; `categories` lists what it may be (without: a number).
    """

    shares: dict[str, Probability] = Field(default_factory=dict)
    distribution: str | None = None
    mean: float | None = None
    cv: float | None = Field(default=None, gt=0)
    low: float | None = None
    high: float | None = None
    parameters: dict[str, float] = Field(default_factory=dict)
    values: tuple[float, ...] = ()
    given: bool = False
    categories: tuple[str, ...] = ()

    @field_validator("values", "categories", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @model_validator(mode="after")
    def _one_of(self) -> Attribute:
        if sum([bool(self.shares), self.distribution is not None, self.given]) != 1:
            raise ValueError("an attribute needs shares, a distribution, or given: true")
        if self.shares and abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(f"the shares sum to {sum(self.shares.values()):g}; they must sum to 1")
        if self.categories and not self.given:
            raise ValueError("categories belong to a given attribute; others list their shares")
        if self.distribution is not None:
            self._law()
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Categories; empty for a number."""
        return tuple(self.shares) or self.categories

    def _law(self) -> Any:
        """SciPy's law of a number, None for a sample."""
        from scipy import stats

        def need(*names: str) -> list[float]:
            found = [getattr(self, n) for n in names]
            if any(v is None for v in found):
                raise ValueError(f"{self.distribution} needs {' and '.join(names)}")
            return found

        match self.distribution:
            case "sample":
                if not self.values:
                    raise ValueError("sample needs values")
                return None
            case "constant":
                return stats.uniform(loc=need("mean")[0], scale=0)
            case "exponential":
                return stats.expon(scale=need("mean")[0])
            case "uniform":
                low, high = need("low", "high")
                return stats.uniform(loc=low, scale=high - low)
            case "lognormal" | "gamma":
                mean, cv = need("mean", "cv")
                return _two_moments(str(self.distribution), mean, cv)
        law = getattr(stats, str(self.distribution), None)
        if not isinstance(law, stats.rv_continuous):
            raise ValueError(f"{self.distribution!r} is not a distribution")  # noqa: TRY004
        try:
            return law(**self.parameters)
        except TypeError as error:
            raise ValueError(f"{self.distribution}: {error}") from error

    def quantile(self, u: Any) -> Any:
        """Numbers (float64) or category codes of uniform draws (float64)."""
        import numpy as np

        if self.shares:
            up_to = np.cumsum(list(self.shares.values()))
            return np.minimum(np.searchsorted(up_to, u, side="right"), len(up_to) - 1).astype(np.float64)
        law = self._law()
        if law is None:
            return np.quantile(np.asarray(self.values), u, method="inverted_cdf")
        if self.distribution == "constant":
            return np.full(len(u), float(self.mean or 0))
        return np.asarray(law.ppf(u), np.float64)


def _two_moments(name: str, mean: float, cv: float) -> Any:
    import numpy as np
    from scipy import stats

    if name == "gamma":
        return stats.gamma(a=1 / (cv * cv), scale=mean * cv * cv)
    sigma = float(np.sqrt(np.log1p(cv * cv)))
    return stats.lognorm(s=sigma, scale=mean * np.exp(-sigma * sigma / 2))


Factor = Annotated[float, Field(ge=0)]


class Scale(Part):
    """Multiplies a duration by a factor that depends on the case.

    Args:
        attribute: a number: the factor is intercept + slope * attribute, kept between `least` and `most`.
        cases: instead of an attribute: the factor of the first of these that holds, 1 if none does.
    """

    attribute: str | None = None
    intercept: float = 0.0
    slope: float = 0.0
    least: float = Field(default=0.0, ge=0)
    most: float | None = Field(default=None, ge=0)
    cases: tuple[Case[Factor], ...] = ()

    @field_validator("cases", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return as_tuple(value)

    @model_validator(mode="after")
    def _one_of(self) -> Scale:
        if (self.attribute is not None) == bool(self.cases):
            raise ValueError("a scale needs either an attribute (with intercept and slope) or cases (with when, value)")
        line = {"intercept", "slope", "least", "most"} & self.model_fields_set
        if self.cases and line:
            raise ValueError(f"{', '.join(sorted(line))} belong to a scale with an attribute, not to one with cases")
        return self
