"""Fit a process to an event log: all parts, all rival structures, and the choice between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from twin.errors import DataError
from twin.process.discovery.arrivals import fit_arrivals
from twin.process.discovery.attributes import Feature, case_attributes, features_of
from twin.process.discovery.batching import fit_batching
from twin.process.discovery.censoring import Completeness, begun_in_recording, completeness
from twin.process.discovery.clock import align_clock
from twin.process.discovery.closed_days import closed_days, closed_note
from twin.process.discovery.columns import SECOND, Bool, Float, Int, LogColumns, columns_of, concurrency, enabling
from twin.process.discovery.delays import fit_delays, pauses_hold
from twin.process.discovery.fading import SETTLED, fading
from twin.process.discovery.history import fit_history
from twin.process.discovery.model import DiscoveredProcess, Fit, Rival, Routes, Source, Structure, Workforce
from twin.process.discovery.pieces import RouteEffect
from twin.process.discovery.priorities import Discipline
from twin.process.discovery.recent import SHARES, has_changed, latest, part_of
from twin.process.discovery.resampling import fit_cases
from twin.process.discovery.routes import fit_routes, whole_routes
from twin.process.discovery.select import compare, inner_splits, naive, noise, rank
from twin.process.discovery.staff import fit_workforce, without_pauses
from twin.process.discovery.steering import fit_steering
from twin.process.discovery.timing import fit_timing
from twin.process.eventlog.log import EventLog
from twin.process.notes import note

_STILL = 0.05
"""A case counts if it weighs more than such a part of the heaviest."""


@dataclass(frozen=True)
class Options:
    """What to fit.

    Attributes:
        structure: one structure; None = the best on the inner split.
        mechanistic: leave out the structure that only resamples observed cases.
        truncated: whether the log holds only cases that ended before its last instant; None = find out.
        seed: of the simulations that compare the rivals.
        name: of the log, for the record.
        compare: whether rivals are compared at all; else the first that can be fitted is taken, which is faster.
        lately: whether the latest cases alone may be the better rival where a process has changed.
        report: told what is being done, for a progress display.
    """

    structure: Structure | None = None
    mechanistic: bool = False
    truncated: bool | None = None
    seed: int = 1
    name: str = ""
    compare: bool = True
    lately: bool = True
    report: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Parts:
    """All that was fitted to one log, for all structures.

    Attributes:
        process: with every part; its `structure` says nothing yet.
        delayed: the workforce with extraneous delays, if there is a workforce.
        whole: the routes that follow whole observed cases.
        under_way: names of the cases that were under way when recording began.
        settled: the cases begun in recording, but for the last ones, of which the log does not show those that last.
    """

    process: DiscoveredProcess
    delayed: Workforce | None
    whole: Routes
    under_way: frozenset[str]
    settled: LogColumns


def discover(log: EventLog, *, options: Options | None = None) -> DiscoveredProcess:
    """Fit a process to an event log.

    Every part is fitted to the whole log. Which structure to use, with which delays and routes, is decided by fitting
    the rivals to an earlier part of the log and comparing what they simulate with the later part.

    Args:
        log: activities with starts and ends; resources if known.
        options: what to fit.

    Raises:
        DataError: the log is empty or lacks times.
    """
    options = options or Options()
    columns = columns_of(log)
    options.report(note("stage_whole"))
    parts = fit_parts(columns, options, log)
    splits = inner_splits(log) if options.compare else []
    # Where a process has changed, earlier cuts tell how it was: the last one counts.
    changed = options.lately and bool(splits) and has_changed(parts.settled)
    splits = splits[:1] if changed else splits
    tables, noises = [], []
    for number, (early, later, by_time) in enumerate(splits):
        options.report(note("stage_split", n=number + 1))
        inner = replace(options, truncated=True if by_time else None)
        fitted = fit_parts(columns_of(early), inner, early, parts.under_way)
        rivals = _rivals(fitted, options)
        if len(rivals) > 1:
            table, chance = compare(rivals, later, options.seed, options.report), noise(later)
            if changed:
                late = _late_rivals(early, fitted, inner, _best_of_each(rank([table], [chance])))
                table |= compare(late, later, options.seed, options.report)
            tables.append(table)
            noises.append(chance)
    ranking: list[Rival] = rank(tables, noises)
    candidates = _rivals(parts, options)
    if not candidates:
        raise DataError(
            f"the structure {options.structure!r} cannot be fitted",
            hint="The log names too few resources; choose `timers` or `resampled`.",
        )
    if not ranking and "workforce with delays" in candidates:
        return candidates["workforce with delays"]
    compared = {"rivals": ranking, "replay": naive(splits) if ranking else {}}
    for rival in ranking:
        name, which = part_of(rival.structure)
        if which and name in candidates:
            found = _lately(log, SHARES[which], name, options, parts)
            if found is not None:
                return found.model_copy(update=compared)
        elif name in candidates:
            return candidates[name].model_copy(update=compared)
    return next(iter(candidates.values())).model_copy(update=compared)


def _best_of_each(ranking: list[Rival]) -> set[str]:
    """The best rival of each structure."""
    best = {rival.structure.split()[0].rstrip(","): rival.structure for rival in reversed(ranking)}
    return set(best.values())


def _late_rivals(early: EventLog, whole: Parts, options: Options, names: set[str]) -> dict[str, DiscoveredProcess]:
    """Rivals fitted to the latest cases only, but for the arrivals, whose level follows time anyway."""
    found: dict[str, DiscoveredProcess] = {}
    for name, share in SHARES.items():
        part = latest(early, share)
        if part is not None:
            options.report(note("stage_part", part=name))
            fitted = fit_parts(columns_of(part), options, part, frozenset(), fade=False)
            rivals = _rivals(replace(fitted, process=_arriving(fitted.process, whole)), options)
            found |= {f"{rival}, {name}": process for rival, process in rivals.items() if rival in names}
    return found


def _arriving(process: DiscoveredProcess, whole: Parts) -> DiscoveredProcess:
    return process.model_copy(update={"arrivals": whole.process.arrivals})


def _lately(log: EventLog, share: float, name: str, options: Options, parts: Parts) -> DiscoveredProcess | None:
    """A rival fitted to the latest cases; how recording was cut, the whole log tells better."""
    part, whole = latest(log, share), parts.process
    if part is None:
        return None
    options = replace(options, truncated=whole.window)
    fitted = fit_parts(columns_of(part), options, part, frozenset(), fade=False)
    found = _rivals(replace(fitted, process=_arriving(fitted.process, parts)), options).get(name)
    if found is None:
        return None
    told = [*found.notes, note("latest_cases", n=part.cases, of=whole.source.cases)]
    return found.model_copy(update={"cut_off": whole.cut_off, "notes": told})


def _rivals(parts: Parts, options: Options) -> dict[str, DiscoveredProcess]:
    """Each rival by its name, the preferred one first."""
    base, found = parts.process, {}

    def add(name: str, **changes: object) -> None:
        found[name] = base.model_copy(update=changes)

    if base.workforce is not None:
        add("workforce", structure="workforce")
        add("workforce, whole routes", structure="workforce", routes=parts.whole)
        if parts.delayed is not None and parts.delayed.delay.any():
            add("workforce with delays", structure="workforce", workforce=parts.delayed)
            add(
                "workforce with delays, whole routes",
                structure="workforce",
                workforce=parts.delayed,
                routes=parts.whole,
            )
    add("timers", structure="timers")
    add("timers, whole routes", structure="timers", routes=parts.whole)
    if not options.mechanistic and base.cases is not None:
        add("resampled", structure="resampled")
    wanted = options.structure
    # What a structure does not read is left out of its file.
    unread = {"workforce": {"cases": None}, "timers": {"cases": None, "history": None}, "resampled": {"history": None}}
    found = {name: process for name, process in found.items() if wanted in (None, process.structure)}
    return {name: process.model_copy(update=unread[process.structure]) for name, process in found.items()}


def fit_parts(
    log: LogColumns,
    options: Options,
    recorded: EventLog | None = None,
    under_way: frozenset[str] | None = None,
    fade: bool = True,
) -> Parts:
    """Fit every part to a log.

    Args:
        log: the columns.
        options: what to fit.
        recorded: the log with its attributes; None = without any.
        under_way: names of the cases that were under way when recording began; None = find out.
        fade: whether old cases may weigh less; those of the latest part of a log count alike.
    """
    log, changes = align_clock(log)
    cut = int(log.end.max())
    side = concurrency(log)
    ready, by = enabling(log, side)
    begins = ready[log.offset[:-1]]
    if under_way is None:
        begun = begun_in_recording(log, begins, options.truncated)
    else:
        begun = np.array([name not in under_way for name in log.names])
        # An early part may hold little else.
        begun = begun if 2 * begun.sum() >= len(begun) else np.ones(len(begun), bool)
    seen: Completeness = completeness(log, cut, options.truncated, begun)
    order = np.argsort(begins, kind="stable")
    order = order[seen.begun[order]]
    began = begins[order]
    arrivals = fit_arrivals(began, (1.0 / np.maximum(seen.shown, 1e-3))[order], int(began[0]), cut, closed_days(log))
    whole, mass = log.take(seen.begun), seen.weight[seen.begun]
    attributes = case_attributes(recorded, log) if recorded is not None else []
    features = features_of(attributes)
    timing = fit_timing(log, ready, by, seen.weight, features)
    people = options.structure in (None, "workforce")
    staffed = (
        fit_workforce(log, ready, seen.weight, len(timing.same), features, fit_batching(log, ready, by))
        if people
        else None
    )
    mass, half_life = fading(whole, mass, seen.shown[seen.begun], side) if fade else (mass, 0.0)
    routes, bits = fit_routes(whole, mass)
    fits = [Fit(part="routes", measure=name, value=round(value, 4)) for name, value in bits]
    if staffed:
        fits += _choice_fits(staffed[1])
    process = DiscoveredProcess(
        source=_source(log, options.name),
        activities=log.activities,
        resources=log.resources,
        structure="timers",
        window=seen.truncated,
        cut_off=not bool(seen.begun.all()),
        arrivals=arrivals,
        concurrent=side.astype(np.int64).ravel(),
        routes=routes,
        attributes=attributes,
        row_weight=_row_weight(mass, seen.begun) if attributes else np.zeros(0, np.int64),
        steering=_steering(whole, mass, routes, _of(features, seen.begun)) if features else [],
        timing=timing,
        workforce=staffed[0] if staffed else None,
        cases=fit_cases(whole, mass, np.flatnonzero(seen.begun)) if options.structure in (None, "resampled") else None,
        fits=fits,
        notes=[
            *log.notes,
            *(_clock_note(*change) for change in changes),
            *_backlog_note(seen),
            *_fading_note(half_life),
            *closed_note(log),
        ],
    )
    staff = process.workforce
    if staff is not None and staff.pauses and not pauses_hold(process, log, ready, side, options.seed):
        process.workforce = without_pauses(staff, log, seen.weight, features)
    process.history = fit_history(log, ready, seen, process.workforce) if process.workforce is not None else None
    delayed = None
    if staffed and (options.compare or options.structure == "workforce"):
        delayed, observed, plain = fit_delays(process, log, ready, by, side, options.seed)
        waiting = float(observed.sum())
        share = max(0.0, 1.0 - float(plain.sum()) / waiting) if waiting > 0 else 0.0
        process.unexplained["waiting, by contention and calendars"] = round(share, 4)
    early = frozenset(name for name, began in zip(log.names, seen.begun.tolist(), strict=True) if not began)
    settled = log.take(seen.begun & (seen.shown >= SETTLED))
    return Parts(process, delayed, whole_routes(whole, mass), early, settled)


def _of(features: list[Feature], cases: Bool) -> list[Feature]:
    return [replace(feature, level=feature.level[cases]) for feature in features]


def _steering(log: LogColumns, mass: Float, routes: Routes, features: list[Feature]) -> list[RouteEffect]:
    """Of the cases that still count: what attributes did to routes that are no more is nothing."""
    kept = mass > _STILL * mass.max()
    return fit_steering(log.take(kept), mass[kept], routes, _of(features, kept))


def _row_weight(mass: Float, begun: Bool) -> Int:
    """How often the attributes of each case are drawn, in thousandths of the most."""
    weight = np.zeros(len(begun))
    weight[begun] = mass
    return np.maximum(1, np.round(weight / weight.max() * 1000)).astype(np.int64)


def _choice_fits(discipline: Discipline) -> list[Fit]:
    if discipline.explained <= 0.0:
        return []
    rule = "oldest case first" if discipline.oldest_case else "first come first served"
    if discipline.priority.any():
        rule += " within classes of activities"
    name = f"choices explained by {rule}"
    return [Fit(part="priorities", measure=name, value=round(discipline.explained, 4), of=f"{discipline.choices}")]


def _source(log: LogColumns, name: str) -> Source:
    digest = hashlib.sha256()
    for column in (log.case, log.activity, log.resource, log.start, log.end):
        digest.update(np.ascontiguousarray(column).tobytes())
    return Source(
        name=name,
        sha256=digest.hexdigest(),
        cases=log.cases,
        events=len(log.case),
        first=int(log.start.min()),
        last=int(log.end.max()),
    )


def _backlog_note(seen: Completeness) -> list[str]:
    early = int(np.count_nonzero(~seen.begun))
    return [note("under_way", n=early)] if early else []


def _fading_note(half_life: float) -> list[str]:
    return [note("fading", share=f"{half_life:.0%}")] if half_life else []


def _clock_note(at: int, hours: int) -> str:
    day = datetime.fromtimestamp(at // SECOND, UTC).date()
    return note("clock_change", day=day, hours=f"{hours:+d}")
