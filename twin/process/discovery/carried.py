"""What a process file takes over of case attributes and batches of a discovered process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise, product

import numpy as np

from twin.clock import MINUTE, SECOND
from twin.process.discovery.attributes import levels_of
from twin.process.discovery.columns import Float, Int
from twin.process.discovery.model import DiscoveredProcess
from twin.process.discovery.pieces import Attribute, Batching, RouteEffect, ServiceEffect
from twin.process.discovery.week import clock_text
from twin.process.nodes import Batch
from twin.process.notes import note
from twin.process.parts import Attribute as CaseAttribute
from twin.process.parts import Case, Scale, When

_NUMBERS = 400
"""A numeric attribute is drawn from at most so many of its quantiles."""
_MOST_CASES = 64
"""At one point of decision no more combinations of levels are told apart."""
_NEVER = "365 day"
_DAY_MINUTES = 1440
_SEGMENT = "segment"


@dataclass(frozen=True)
class Tilt:
    """How the chances of what follows change in cases of one kind.

    Attributes:
        when: which cases.
        factor: of each activity, and last of the end of the case.
    """

    when: When
    factor: Float


@dataclass
class Carried:
    """Attributes of a process file, and what they steer.

    Attributes:
        attributes: those that have an effect.
        notes: what is lost.
    """

    attributes: dict[str, CaseAttribute] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _levels: dict[str, dict[str, When]] = field(default_factory=dict)
    _tilts: dict[str, tuple[Tilt, ...]] = field(default_factory=dict)
    _services: dict[str, tuple[Scale, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, process: DiscoveredProcess) -> Carried:
        """Those of a discovered process."""
        found = cls()
        services = [effect for effect in _service_effects(process) if not effect.clock]
        used = {effect.by for effect in process.steering} | {effect.by for effect in services}
        for attribute in process.attributes:
            if attribute.name in used:
                found._add(attribute, process.row_weight)
        if len(found.attributes) > 1:
            found.notes.append(note("attributes_apart", names=", ".join(found.attributes)))
        for after in dict.fromkeys(effect.after for effect in process.steering):
            found._tilts[after] = found._combined(process, after)
        for activity in process.activities:
            mine = [effect for effect in services if effect.activity in ("", activity)]
            found._services[activity] = tuple(scale for effect in mine if (scale := found._scale(effect)) is not None)
        return found

    def tilts(self, after: str) -> tuple[Tilt, ...]:
        """What attributes change after an activity (empty: at the start of the case); the first that holds counts."""
        return self._tilts.get(after, ())

    def scale(self, activity: str) -> tuple[Scale, ...]:
        """Factors on the service times of an activity."""
        return self._services.get(activity, ())

    def _add(self, attribute: Attribute, weight: Int) -> None:
        level, name = levels_of(attribute), attribute.name if attribute.name != _SEGMENT else f"{_SEGMENT} in the log"
        if attribute.kind == "numeric" and level.min(initial=0) >= 0 and attribute.missing < 0:
            bounds = [None, *attribute.edges, None]
            limits: list[dict[str, object]] = [
                {"attribute": name, "above": a, "at_most": b} for a, b in pairwise(bounds)
            ]
            self.attributes[name] = _numbers(attribute, weight)
        else:
            labels = _distinct([*attribute.levels, "any other"])
            share = np.bincount(np.where(level < 0, len(labels) - 1, level), weight, len(labels))
            shares = [round(float(x), 6) for x in share / share.sum()]
            shares[int(np.argmax(shares))] += 1.0 - sum(shares)
            self.attributes[name] = CaseAttribute(shares={t: s for t, s in zip(labels, shares, strict=True) if s > 0})
            limits = [{"attribute": name, "in": (label,)} if share[i] > 0 else {} for i, label in enumerate(labels)]
        own = {text: When.model_validate(x) for text, x in zip(attribute.levels, limits, strict=False) if x}
        self._levels[attribute.name] = own

    def _combined(self, process: DiscoveredProcess, after: str) -> tuple[Tilt, ...]:
        """The effects of all attributes at one point; those that explain least are left out if there are too many."""
        effects = sorted((e for e in process.steering if e.after == after), key=lambda e: -e.explained)
        kept: list[list[Tilt]] = []
        left_out: list[str] = []
        for effect in effects:
            rows = self._rows(process, effect)
            if rows and np.prod([len(more) + 1 for more in (*kept, rows)]) <= _MOST_CASES:
                kept.append(rows)
            elif rows:
                left_out.append(effect.by)
        if left_out:
            self.notes.append(note("steering_cut", place=repr(after or "start"), names=", ".join(left_out)))
        found: list[Tilt] = []
        for choice in product(*([*rows, None] for rows in kept)):
            parts = [tilt for tilt in choice if tilt is not None]
            if parts:
                when = parts[0].when if len(parts) == 1 else When(all=tuple(tilt.when for tilt in parts))
                found.append(Tilt(when, np.prod([tilt.factor for tilt in parts], axis=0)))
        # What says most of a case comes first.
        return tuple(sorted(found, key=lambda tilt: -max(len(tilt.when.all), 1)))

    def _rows(self, process: DiscoveredProcess, effect: RouteEffect) -> list[Tilt]:
        """One tilt for each level."""
        k = len(process.activities)
        position = {**{name: i for i, name in enumerate(process.activities)}, "": k}
        found = []
        for level, row in zip(effect.levels, effect.factor, strict=True):
            when = self._levels[effect.by].get(level)
            if when is not None:
                factor = np.ones(k + 1)
                factor[[position[follower] for follower in effect.followers]] = row
                found.append(Tilt(when, factor))
        return found

    def _scale(self, effect: ServiceEffect) -> Scale | None:
        known = self._levels[effect.by]
        rows = [(known[text], f) for text, f in zip(effect.levels, effect.factor, strict=True) if text in known]
        cases = tuple(Case[float](when=when, value=factor) for when, factor in rows if factor != 1.0)
        return Scale.model_validate({"cases": cases}) if cases else None


def _service_effects(process: DiscoveredProcess) -> Iterable[ServiceEffect]:
    """Those of the structure that the process file shows."""
    if process.structure == "workforce" and process.workforce is not None:
        return process.workforce.effects
    return process.timing.effects if process.structure == "timers" else ()


def _numbers(attribute: Attribute, weight: Int) -> CaseAttribute:
    """The distribution of a numeric attribute: its weighted quantiles."""
    rows = np.flatnonzero(weight > 0)
    order = rows[np.argsort(attribute.value[rows], kind="stable")]
    total = np.cumsum(weight[order])
    count = min(_NUMBERS, len(order))
    at = np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1], side="left")
    values = np.round(attribute.value[order][at] / 10.0**attribute.decimals, attribute.decimals)
    return CaseAttribute(distribution="sample", values=tuple(values.tolist()))


def _distinct(labels: list[str]) -> list[str]:
    """The labels, those that come again with a number."""
    found: list[str] = []
    for label in labels:
        names = (label if n == 1 else f"{label} ({n})" for n in range(1, len(labels) + 1))
        found.append(next(name for name in names if name not in found))
    return found


def batch_of(rule: Batching) -> Batch | None:
    """The batch of a task in a process file; None if there is none, or if its times are not alike on all its days."""
    if rule.rule == "none":
        return None
    if rule.rule == "clock":
        days: dict[int, list[int]] = {}
        for minute in rule.week_minutes:
            days.setdefault(minute // _DAY_MINUTES, []).append(minute % _DAY_MINUTES)
        times = {tuple(sorted(minutes)) for minutes in days.values()}
        if len(times) != 1:
            return None
        at = [clock_text(minute * MINUTE) for minute in times.pop()]
        return Batch.model_validate({"at": at, "days": frozenset(days)})
    size = {"size": rule.size} if rule.size else {}
    wait = f"{rule.wait_seconds * SECOND} ns" if rule.wait_seconds else _NEVER
    return Batch.model_validate({**size, "longest_wait": wait})


def batches_of(process: DiscoveredProcess) -> tuple[dict[str, Batch], list[str]]:
    """The batches of each activity, and notes on what they lose."""
    found: dict[str, Batch] = {}
    lost: list[str] = []
    if process.structure != "workforce" or process.workforce is None:
        return found, lost
    for rule in process.workforce.batching:
        batch = batch_of(rule)
        if batch is not None:
            found[rule.activity] = batch
            if not rule.together:
                lost.append(note("batch_ends", place=repr(rule.activity)))
        elif rule.rule != "none":
            lost.append(note("batches_lost", place=repr(rule.activity)))
    return found, lost
