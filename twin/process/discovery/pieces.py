"""Parts of a discovered process: packed tables, case attributes and what they steer, batches."""

from __future__ import annotations

import base64
import zlib
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

_PACKED = "packed:"
MISSING = -(1 << 60)
"""The value of an attribute that a case does not have."""
_READABLE = 48
"""Tables of at most so many numbers are written out; longer ones are packed (deltas, zlib, base 85)."""


def _unpack(value: Any) -> NDArray[np.int64]:
    if isinstance(value, str) and value.startswith(_PACKED):
        try:
            raw = zlib.decompress(base64.b85decode(value[len(_PACKED) :]))
        except (ValueError, zlib.error) as error:
            raise ValueError("a packed table is damaged") from error
        return np.cumsum(np.frombuffer(raw, "<i8")).astype(np.int64)
    if not isinstance(value, np.ndarray | list | tuple):
        raise ValueError(  # noqa: TRY004 (Pydantic reports values)
            f"a table is a list of integers or text that begins with {_PACKED!r}"
        )
    return np.asarray(value, np.int64)


def _pack(value: NDArray[np.int64]) -> list[int] | str:
    if len(value) <= _READABLE:
        return [int(number) for number in value]
    deltas = np.diff(value, prepend=np.int64(0)).astype("<i8")
    return _PACKED + base64.b85encode(zlib.compress(deltas.tobytes(), 9)).decode()


def no_numbers() -> NDArray[np.int64]:
    """An empty table."""
    return np.zeros(0, np.int64)


Table = Annotated[NDArray[np.int64], BeforeValidator(_unpack), PlainSerializer(_pack)]
"""A column of integers."""


class Piece(BaseModel):
    """Base of the parts: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class Attribute(Piece):
    """A case attribute as observed: row i of all attributes belongs to the i-th observed case.

    Attributes:
        name: of the column in logs.
        kind: `numeric` (values in units of 10 ** -decimals, by quantile groups) or `category` (values index `texts`).
        type: of the column: int, float, text or bool.
        levels: what the levels are called.
        edges: upper bounds of all groups but the last; empty = none (category).
        texts: distinct texts.
        level_of_text: level of each of them, -1 = too rare to say.
        value: of each row; `MISSING` where the case has none.
        missing: level of cases without a value, -1 = too rare to say.
    """

    name: str
    kind: Literal["numeric", "category"]
    type: Literal["int", "float", "text", "bool"]
    levels: list[str]
    edges: list[float] = Field(default_factory=list)
    decimals: int = 0
    texts: list[str] = Field(default_factory=list)
    level_of_text: list[int] = Field(default_factory=list)
    value: Table
    missing: int = -1


class ServiceEffect(Piece):
    """Service times of an activity are multiplied by a factor for each level of an attribute, or of the clock.

    Attributes:
        activity: its name; empty = all activities.
        by: name of the attribute, or `hour of the day`.
        clock: whether the levels are hours of the day, UTC.
        levels: what the levels are called.
        factor: of each level.
        explained: share of the variance of the logarithm of service times (what activity and person leave of it) that
            the factors explain in cases they were not fitted to.
    """

    activity: str
    by: str
    clock: bool = False
    levels: list[str]
    factor: list[float]
    explained: float


class RouteEffect(Piece):
    """After an activity, the chance of each follower is multiplied by a factor for each level of an attribute.

    Attributes:
        after: name of the activity; empty = the start of the case.
        by: name of the attribute.
        levels: what the levels are called.
        followers: names of activities; empty = the end of the case.
        factor: of each level (rows) and follower.
        explained: share of the uncertainty at that point (bits, in cases not fitted to) that knowing the level removes.
    """

    after: str
    by: str
    levels: list[str]
    followers: list[str]
    factor: list[list[float]]
    explained: float


class Batching(Piece):
    """Cases are collected before an activity and begun together by one person.

    Attributes:
        activity: its name.
        rule: when a batch is begun: so many cases wait (`size`), the oldest has waited so long (`wait`), either, or it
            is time (`clock`). `none` = batches are seen, but no such rule explains them; they are not simulated.
        size: number of cases.
        wait_seconds: of the oldest.
        week_minutes: minutes of the week since Monday 00:00 UTC.
        together: whether the instances of a batch also end together.
        batches: observed, of two cases or more.
        mean_size: of these.
        share: of the activity's instances that were begun in them.
        explained: share of instances in the later half of the log of which the rule says with whom they were begun.
    """

    activity: str
    rule: Literal["size", "wait", "size or wait", "clock", "none"]
    size: int = 0
    wait_seconds: int = 0
    week_minutes: list[int] = Field(default_factory=list)
    together: bool = True
    batches: int = 0
    mean_size: float = 0.0
    share: float = 0.0
    explained: float = 0.0
