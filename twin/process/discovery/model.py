"""A discovered process as data: what was fitted to an event log, readable as YAML, with large tables packed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from twin.errors import DataError
from twin.process.discovery.pieces import Attribute, Batching, Piece, RouteEffect, ServiceEffect, Table, no_numbers

SCHEMA_VERSION = 2
"""Of process files. 2: `timing` holds lags."""


class Source(Piece):
    """Which log the process was fitted to.

    Attributes:
        sha256: of the log's columns.
        first: first start, ns since 1970 UTC.
        last: last end.
    """

    name: str = ""
    sha256: str = ""
    cases: int
    events: int
    first: int
    last: int


class Arrivals(Piece):
    """Cases arrive in operational time: the integral of `per_week` times the weekly profile.

    Attributes:
        per_week: cases a week at the end of the log.
        half_life_weeks: how fast older weeks lose weight in `per_week`; 0 = not at all.
        profile: relative rate of each hour of the week from Monday 00:00 UTC; mean 1.
        gaps: observed gaps in operational time, in millionths of their mean, in the order observed.
        block: so many successive gaps are drawn together.
        level_spread: standard deviation of the logarithm of the ratio of forecast to actual level.
        growth: of the logarithm of the rate, a week; it holds for the log and a quarter of its length after it.
        begin: ns from which the log shows arrivals.
        until: ns until which it does; `per_week` is the level there.
    """

    per_week: float
    half_life_weeks: float
    profile: list[float]
    gaps: Table
    block: int = 1
    level_spread: float = 0.0
    growth: float = 0.0
    begin: int = 0
    until: int = 0


class Routes(Piece):
    """A context tree: which activity follows which history.

    Node 0 is the empty context; `parent` and `symbol` say which one-longer history (further back) a node stands for.
    Symbols 0 .. K - 1 are activities, K the start; as a successor K is the end.

    Attributes:
        depth: longest history used.
        shrinkage: weight, in observations, of the shorter context's distribution.
        parent: of each node.
        symbol: of each node.
        node: of each count.
        follower: of each count.
        count: in thousandths of a case.
        longest: no case grows beyond this.
    """

    depth: int
    shrinkage: float
    parent: Table
    symbol: Table
    node: Table
    follower: Table
    count: Table
    longest: int


class Samples(Piece):
    """Grouped samples in order of the time of the week at which they were taken.

    Attributes:
        group: first sample of each group, one more than groups.
        week_minute: time of the week of each sample.
        seconds: the waiting or service time of each, in milliseconds.
        resource: who did it (-1 unknown).
        keep: probability of acceptance in thousandths (weights).
        pace: factor of the case's attributes at each sample, in thousandths; empty = 1 throughout.
    """

    group: Table
    week_minute: Table
    milliseconds: Table
    resource: Table
    keep: Table
    pace: Table = Field(default_factory=no_numbers)


class Timing(Piece):
    """Waits and services of the structure in which nobody's time is limited.

    Attributes:
        waits: from enabling to start; `wait_group[before * K + activity]` is the group, before = K for the first.
        wait_group: -1 = no wait.
        lags: from when an activity could begin and the one before it (in order of start) had begun, whichever was
            later, to its start; `lag_group[(enabling * K + activity) * 2 + beside]` is the group, enabling = K for
            none, beside = 1 if the one before it began after it could.
        lag_group: group in `lags`.
        services: from start to end, with who did it; group = activity.
        same: probability, in thousandths, that the resource of the enabling activity goes on, by wait group.
        own_group: group in `own` of (activity, resource), -1 = too few.
        own: services of one resource.
        effects: of case attributes on services.
        clock: whether waits and services end when it is time, as at an office; else they last as long as they last.
    """

    waits: Samples
    wait_group: Table
    lags: Samples
    lag_group: Table
    services: Samples
    same: Table
    own_group: Table
    own: Samples
    effects: list[ServiceEffect] = Field(default_factory=list)
    clock: bool = True


class Workforce(Piece):
    """Individuals whose time is limited.

    Attributes:
        calendar: per resource, 7 x 24 x 2 half hours of the week, 1 = at work; row by row.
        skilled: per activity x resource, share of the activity's work that the resource did lately, in thousandths.
        limit: how many pieces of work a resource does at once.
        capacity: likewise by resource and half hour of the week, where it follows the clock; else empty.
        pauses: whether work rests outside the calendar.
        service_group: group in `service` of (activity, resource).
        service: service quantiles in milliseconds of working time, `points` per group.
        points: quantiles per group.
        delay: quantiles in milliseconds of extraneous delay by wait group, `points` per group.
        priority: class of each activity, lower first.
        oldest_case: within a class by the arrival of the case, else by how long the work has waited.
        loose: choices of 1,000 in which any work of the first class is taken, whenever it came.
        first_waits: whether arrivals queue for their first activity (arrival = when the work could begin).
        warm_up_weeks: how long before its start a simulation begins, so that queues are filled.
        effects: of case attributes and of the hour on services; `service` is what they leave.
        batching: activities that are begun for several cases together.
    """

    calendar: Table
    skilled: Table
    limit: Table
    pauses: bool
    service_group: Table
    service: Table
    points: int
    delay: Table
    priority: Table
    oldest_case: bool
    first_waits: bool
    warm_up_weeks: float
    effects: list[ServiceEffect] = Field(default_factory=list)
    batching: list[Batching] = Field(default_factory=list)
    capacity: Table = Field(default_factory=no_numbers)
    loose: int = 0


class Cases(Piece):
    """Whole observed cases, for the rival that resamples them.

    Attributes:
        offset: first instance of each case.
        begin: week minute at which each case began.
        keep: probability of acceptance in thousandths.
        activity: of each instance.
        resource: of each instance.
        start: ms since the case began.
        end: ms since the case began.
        row: row of each case's attributes.
    """

    offset: Table
    begin: Table
    keep: Table
    activity: Table
    resource: Table
    start: Table
    end: Table
    row: Table = Field(default_factory=no_numbers)


class History(Piece):
    """The log's recent cases, which fill the queues of a simulation that begins soon after the log.

    Attributes:
        begin: ns from which the log shows arrivals.
        cut: ns at which it ends.
        arrival: ms after the cut (that is, below 0), not falling.
        offset: first instance of each case, one more than cases.
        activity: of each instance.
        work: ms of each instance, without time off.
        row: row of each case's attributes.
        age: ms before the cut, rising.
        shown: share, in millionths, of the cases that arrived so long before the cut which the log shows.
    """

    begin: int
    cut: int
    arrival: Table
    offset: Table
    activity: Table
    work: Table
    row: Table
    age: Table
    shown: Table


class Rival(Piece):
    """How one structure did on the inner splits.

    Attributes:
        structure: its name.
        distances: NGD, AEDD, CEDD, REDD, CTDD to the held-out part, mean over the splits.
        score: mean over the five of the ratio to the best rival.
    """

    structure: str
    distances: dict[str, float]
    score: float


class Fit(Piece):
    """Goodness of fit of one part on held-out cases."""

    part: str
    measure: str
    value: float
    of: str = ""


Structure = Literal["timers", "workforce", "resampled"]


class DiscoveredProcess(Piece):
    """All that was fitted to a log.

    Attributes:
        structure: `workforce` (individuals whose time is limited), `timers` (waits as observed, by time of the week)
            or `resampled` (whole observed cases at new times: no mechanism, hence no what-if).
        window: whether the log shows only cases that had ended when its recording stopped.
        cut_off: whether a recording shows the cases under way at its end as far as they had got. Assumed of logs that
            show cases which were under way at their beginning: those are cut by time, not chosen by case.
        concurrent: activities x activities, 1 = run side by side.
        attributes: of cases; a simulated case takes those of an observed one.
        row_weight: of each observed case, in thousandths, when attributes are drawn.
        steering: of case attributes on routes.
        replay: distances of naive replay (earlier cases, moved by whole weeks) on the inner splits, for comparison.
        unexplained: shares that the fit leaves open.
    """

    kind: Literal["discovered"] = "discovered"
    schema_version: int = SCHEMA_VERSION
    source: Source
    activities: list[str]
    resources: list[str]
    structure: Structure
    window: bool = False
    cut_off: bool = False
    arrivals: Arrivals
    concurrent: Table
    routes: Routes
    attributes: list[Attribute] = Field(default_factory=list)
    row_weight: Table = Field(default_factory=no_numbers)
    steering: list[RouteEffect] = Field(default_factory=list)
    timing: Timing
    workforce: Workforce | None = None
    cases: Cases | None = None
    history: History | None = None
    rivals: list[Rival] = Field(default_factory=list)
    replay: dict[str, float] = Field(default_factory=dict)
    fits: list[Fit] = Field(default_factory=list)
    unexplained: dict[str, float] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    def save(self, path: str | Path) -> None:
        """Write it as YAML."""
        yaml = YAML()
        yaml.width = 100_000
        yaml.default_flow_style = None
        out = io.StringIO()
        yaml.dump(self.model_dump(mode="json", exclude_none=True), out)
        Path(path).write_text(out.getvalue(), encoding="utf-8")


def load_process(path: str | Path) -> DiscoveredProcess:
    """The process in a file that `DiscoveredProcess.save` wrote.

    Raises:
        DataError: there is no such file, or it holds something else; the first wrong key is named.
    """
    try:
        tree = YAML(typ="safe").load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("not in UTF-8", where=str(path), hint="`twin discover LOG --out FILE` writes one.") from error
    except MarkedYAMLError as error:
        raise DataError(f"is not YAML: {error.problem}", where=str(path)) from error
    if not isinstance(tree, dict) or tree.get("kind") != "discovered":
        raise DataError(
            "holds no discovered process", where=str(path), hint="`twin discover LOG --out FILE` writes one."
        )
    if tree.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"schema_version: {tree.get('schema_version')!r} is not {SCHEMA_VERSION}, the version this program reads",
            where=str(path),
            hint="Discover the process again: `twin discover LOG --out FILE`.",
        )
    try:
        return DiscoveredProcess.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{place}: {first['msg']}", where=str(path)) from error
