"""Case attributes: their values, the conditions that hold, and the classes of cases that a process tells apart.

Attributes do not change during a case, so every condition is decided when the case arrives. Cases with the same kind of
client for which the same conditions hold are one class, and the kernels know classes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.contracts import Segment
from twin.errors import ScenarioError
from twin.process.checks import attribute_uses
from twin.process.model import ProcessModel
from twin.process.parts import SEGMENT_NAMES, Scale, When
from twin.randomness import Stream, Streams

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CaseClass = tuple[Segment, frozenset[When]]
SEGMENT_CLASSES: tuple[CaseClass, ...] = tuple((s, frozenset[When]()) for s in Segment)
"""The classes of a process without conditions."""
_MOST_CLASSES = 1 << 16


def attribute_values(
    model: ProcessModel, streams: Streams, entities: Ints, given: Mapping[str, ArrayLike] | None = None
) -> dict[str, Floats]:
    """Values of every attribute, one per case: numbers, or codes of categories in the order of the file.

    Args:
        model: the process.
        streams: random numbers; attribute k of a case is draw k of its entity.
        entities: of the cases.
        given: values that come with the requests: numbers, names of categories, or their codes.

    Raises:
        ScenarioError: an attribute is not known, is missing, or has the wrong length or category.
    """
    given = given or {}
    unknown = sorted(set(given) - set(model.attributes))
    if unknown:
        known = ", ".join(model.attributes) or "none"
        raise ScenarioError(f"process {model.name!r} has no attribute {unknown[0]!r}", hint=f"Attributes: {known}.")
    values = {}
    for k, (name, spec) in enumerate(model.attributes.items()):
        if name in given:
            values[name] = _given(name, spec.names, np.asarray(given[name]), len(entities))
        elif spec.given:
            raise ScenarioError(f"attribute {name!r} must come with the requests", hint="Give it to submit().")
        else:
            u = streams.uniform(Stream.PROCESS_ATTRIBUTE, entities, counter=k)
            values[name] = np.asarray(spec.quantile(u), np.float64)
    return values


def _given(name: str, categories: tuple[str, ...], column: NDArray[Any], n: int) -> Floats:
    if column.shape != (n,):
        raise ScenarioError(f"attribute {name!r} has shape {column.shape} for {n} requests")
    if categories and column.dtype.kind in "UOT":
        codes = {c: i for i, c in enumerate(categories)}
        wrong = next((v for v in column.tolist() if v not in codes), None)
        if wrong is not None:
            raise ScenarioError(f"{wrong!r} is no category of {name!r}", hint=f"Categories: {', '.join(categories)}.")
        return np.asarray([codes[v] for v in column.tolist()], np.float64)
    found = column.astype(np.float64)
    if not np.isfinite(found).all():
        raise ScenarioError(f"attribute {name!r} has values that are not finite")
    return found


def holds(when: When, model: ProcessModel, values: Mapping[str, Floats], segment: Ints) -> NDArray[np.bool_]:
    """For which cases a condition holds."""
    n = len(segment)
    out = np.ones(n, np.bool_)
    if when.attribute is not None:
        is_segment = when.attribute == "segment"
        x = segment.astype(np.float64) if is_segment else values[when.attribute]
        names = SEGMENT_NAMES if is_segment else model.attributes[when.attribute].names
        if when.is_in is not None:
            out &= np.isin(x, [names.index(c) for c in when.is_in])
        if when.not_in is not None:
            out &= ~np.isin(x, [names.index(c) for c in when.not_in])
        limits = ((when.at_least, np.greater_equal), (when.above, np.greater))
        for limit, compare in (*limits, (when.at_most, np.less_equal), (when.below, np.less)):
            if limit is not None:
                out &= compare(x, limit)
    for part in when.all:
        out &= holds(part, model, values, segment)
    if when.any:
        out &= np.any([holds(part, model, values, segment) for part in when.any], axis=0)
    return out


class CaseClasses:
    """The classes of cases met so far.

    Args:
        model: the process.
    """

    def __init__(self, model: ProcessModel) -> None:
        self._model = model
        parts: list[Any] = [model.nodes, model.deadlines, model.case_patience]
        # Factors of durations are worked out case by case, and need no classes.
        self._conditions = tuple(dict.fromkeys(w for p in parts for _, w in attribute_uses(p, (), but=Scale)))
        self.known: list[CaseClass] = list(SEGMENT_CLASSES)
        self._index: dict[tuple[int, bytes], int] = {}
        if not self._conditions:
            self._index = {(int(s), b""): int(s) for s in Segment}

    def of(self, segment: Ints, values: Mapping[str, Floats]) -> Ints:
        """Class of every case; new ones are added to `known`."""
        if not self._conditions:
            return segment
        truth = np.stack([holds(w, self._model, values, segment) for w in self._conditions], axis=1)
        keyed = np.concatenate([segment[:, None].astype(np.uint8), np.packbits(truth, axis=1)], axis=1)
        kinds, first, inverse = np.unique(keyed, axis=0, return_index=True, return_inverse=True)
        number = np.zeros(len(kinds), np.int64)
        for i, kind in enumerate(kinds):
            key = (int(kind[0]), kind[1:].tobytes())
            if key not in self._index:
                true = frozenset(w for w, t in zip(self._conditions, truth[first[i]], strict=True) if t)
                self._index[key] = len(self.known)
                self.known.append((Segment(int(kind[0])), true))
            number[i] = self._index[key]
        if len(self.known) > _MOST_CLASSES:
            raise ScenarioError("the conditions tell more than 65,536 classes of cases apart", hint="Use fewer limits.")
        return number[inverse.reshape(-1)]

    def restore(self, known: list[CaseClass]) -> None:
        """Make the classes those of a snapshot."""
        if self._conditions:
            self.known = list(known)
            self._index = {
                (int(s), np.packbits([w in true for w in self._conditions]).tobytes()): i
                for i, (s, true) in enumerate(known)
                if i >= len(SEGMENT_CLASSES)
            }


def factor(scales: tuple[Scale, ...], model: ProcessModel, values: Mapping[str, Floats], segment: Ints) -> Floats:
    """Product of the factors that attributes put on a duration, one per case."""
    out = np.ones(len(segment))
    for s in scales:
        if s.attribute is not None:
            x = np.maximum(s.intercept + s.slope * values[s.attribute], s.least)
            out *= x if s.most is None else np.minimum(x, s.most)
        else:
            true = [holds(case.when, model, values, segment) for case in s.cases]
            out *= np.select(true, [case.value for case in s.cases], 1.0)
    return out
