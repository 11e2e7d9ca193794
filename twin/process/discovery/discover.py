"""Fit a process to an event log: all parts, all rival structures, and the choice between them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from twin.process.discovery.arrivals import fit_arrivals
from twin.process.discovery.censoring import Completeness, completeness
from twin.process.discovery.clock import align_clock
from twin.process.discovery.columns import SECOND, LogColumns, columns_of, concurrency, enabling
from twin.process.discovery.model import DiscoveredProcess, Fit, Source, Structure
from twin.process.discovery.resampling import fit_cases
from twin.process.discovery.routes import fit_routes
from twin.process.discovery.staff import fit_workforce
from twin.process.discovery.timing import fit_timing
from twin.process.eventlog.log import EventLog


@dataclass(frozen=True)
class Options:
    """What to fit.

    Attributes:
        structure: one structure; None = the best on the inner split.
        mechanistic: leave out the structure that only resamples observed cases.
        truncated: whether the log holds only cases that ended before its last instant; None = find out.
        seed: of the simulations that compare the rivals.
        name: of the log, for the record.
    """

    structure: Structure | None = None
    mechanistic: bool = False
    truncated: bool | None = None
    seed: int = 1
    name: str = ""


def discover(log: EventLog, *, options: Options | None = None) -> DiscoveredProcess:
    """Fit a process to an event log.

    Args:
        log: activities with starts and ends; resources if known.
        options: what to fit.

    Raises:
        DataError: the log is empty or lacks times.
    """
    options = options or Options()
    columns = columns_of(log)
    return fit_columns(columns, int(columns.end.max()), options)


def fit_columns(log: LogColumns, cut: int, options: Options, structure: Structure | None = None) -> DiscoveredProcess:
    """Fit all parts of one structure to columns.

    Args:
        log: the columns.
        cut: ns until which the log shows cases.
        options: what to fit.
        structure: the structure; None = that of the options, or `timers`.
    """
    log, changes = align_clock(log)
    cut = max(cut, int(log.end.max()))
    seen: Completeness = completeness(log, cut, options.truncated)
    side = concurrency(log)
    ready, by = enabling(log, side)
    begins = ready[log.offset[:-1]]
    order = np.argsort(begins, kind="stable")
    arrivals = fit_arrivals(begins[order], (1.0 / np.maximum(seen.shown, 1e-3))[order], int(begins.min()), cut)
    timing = fit_timing(log, ready, by, seen.weight)
    staffed = fit_workforce(log, ready, seen.weight, len(timing.same))
    routes, bits = fit_routes(log, seen.weight)
    chosen: Structure = structure or options.structure or "timers"
    return DiscoveredProcess(
        source=_source(log, options.name),
        activities=log.activities,
        resources=log.resources,
        structure=chosen,
        window=seen.truncated,
        arrivals=arrivals,
        concurrent=side.astype(np.int64).ravel(),
        routes=routes,
        timing=timing,
        workforce=staffed[0] if staffed else None,
        cases=fit_cases(log, seen.weight) if chosen == "resampled" else None,
        fits=[Fit(part="routes", measure=name, value=round(value, 4)) for name, value in bits],
        notes=[*log.notes, *(_clock_note(*change) for change in changes)],
    )


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


def _clock_note(at: int, hours: int) -> str:
    day = datetime.fromtimestamp(at // SECOND, UTC).date()
    return f"The clock changes on {day}: times before it are moved by {hours:+d} h."
