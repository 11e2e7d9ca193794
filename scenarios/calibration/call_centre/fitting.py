"""Fits a call centre: arrivals, types, talk times, patience, staff. Nothing is drawn: same records, same file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.calibration.call_centre import parameters as file
from scenarios.calibration.call_centre.levels import Levels, weekly
from scenarios.calibration.call_centre.mechanism import GROUPS, merge_cells, table
from scenarios.calibration.call_centre.records import DAY_S, Calls, Report
from scenarios.calibration.call_centre.staffing import Roster, infer
from twin.clock import SECOND
from twin.errors import DataError
from twin.process.arrivals import fit_pattern
from twin.process.patience import fit_patience, hazard

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
PERIOD_S = 1_800
SHORTEST_SERVICE_S = 10.0
"""Shorter services are agents hanging up to rest; they count as work, not as service."""
IRREGULAR = 3.0
"""A day is irregular (holiday, election, a rush) beyond so many robust standard deviations of its weekday."""
OUTAGE_CALLS = 15.0
"""No call while so many are expected: under a Poisson process once in three million such stretches."""
MAIN_SHARE = 0.6
"""Weekdays with at least this share of the busiest weekday's calls are main days."""
_SMALL = 30
"""Fewest values for a table of its own."""
_HAZARD_EDGES = (0.0, 15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0)


def fit(
    calls: Calls,
    report: Report,
    *,
    what: str = "A call centre",
    source: str = "",
    months: Sequence[int] = (),
    head_start_s: float = 90.0,
) -> file.Parameters:
    """All parameters of a call centre from its records.

    Args:
        calls: the records of the fitting period.
        report: what reading them found.
        what: what it is, for the file.
        source: who made the data, for the file.
        months: months used, for the file.
        head_start_s: head start of urgent callers that the order of service is checked for.

    Raises:
        DataError: if there are fewer than two weeks, or a type of call never abandons.
    """
    if calls.days < 14:
        raise DataError(f"{calls.days} days of calls", hint="A week's pattern needs two weeks at least.")
    counts = _counts(calls)
    weekday = np.array([calls.date(d).weekday() for d in range(calls.days)])
    regular, ratio = regular_days(counts.sum(axis=1), weekday)
    roster = infer(calls)
    label, group_of = _groups(calls)
    groups = _group_fits(calls, label, len(set(group_of.ravel().tolist())))
    arrivals = _arrivals(counts, weekday, regular, calls.first_day)
    recorded = counts.sum(axis=1) > 0
    hourly, agents = counts.reshape(calls.days, 24, -1).sum(axis=2), roster.means(calls.days, 3600.0)
    elastic = elasticities(hourly[regular], agents[regular], weekday[regular])
    return file.Parameters(
        version=file.VERSION,
        what=what,
        source=source,
        data_sha256=report.sha256,
        files=report.files,
        months=tuple(months),
        first=calls.first_day,
        last=calls.date(calls.days - 1),
        calls=len(calls),
        left_out=report.left_out,
        doubtful=report.doubtful,
        no_record=tuple(calls.date(int(d)) for d in np.flatnonzero(~recorded)),
        types=tuple(_type_fit(calls, k) for k in range(len(calls.kinds))),
        arrivals=arrivals,
        mix=_mix(calls, weekday, regular),
        group_of={k: tuple(int(g) for g in group_of[i]) for i, k in enumerate(calls.kinds)},
        groups=groups,
        staff=file.StaffFit(
            period_s=PERIOD_S,
            turnaround=table(roster.turnaround, 50) if len(roster.turnaround) >= _SMALL else (0.0,),
            idle_share=_round(roster.idle_share, 4),
            break_share=_round(roster.break_share, 4),
            day_elasticity=_round(elastic[0], 3),
            hour_elasticity=_round(elastic[1], 3),
        ),
        order=_order(calls, head_start_s),
        outages=_outages(calls, arrivals, weekday, ratio, recorded),
        days=_days(calls, roster, label, groups, regular, ratio, recorded),
    )


def _round(x: Any, digits: int) -> float:
    return round(float(x), digits)


def _counts(calls: Calls) -> Floats:
    cell = (calls.arrived // PERIOD_S).astype(np.int64)
    width = DAY_S // PERIOD_S
    return np.bincount(cell, minlength=calls.days * width).reshape(calls.days, width).astype(np.float64)


def regular_days(total: Floats, weekday: Ints) -> tuple[Flags, Floats]:
    """Which days are like others of their weekday, and each day's calls over the median of its weekday.

    A day counts as irregular if the logarithm of this ratio lies beyond `IRREGULAR` robust standard deviations (1.4826
    times the median absolute deviation, over all weekdays). Days without a call have no record and are not regular.
    """
    ratio = np.zeros(len(total))
    for k in np.unique(weekday):
        of_kind = (weekday == k) & (total > 0)
        if of_kind.any():
            ratio[of_kind] = total[of_kind] / np.median(total[of_kind])
    logs = np.log(ratio[ratio > 0])
    scale = 1.4826 * float(np.median(np.abs(logs - np.median(logs))))
    with np.errstate(divide="ignore"):
        regular = np.abs(np.log(ratio)) <= max(IRREGULAR * scale, 0.2)
    return regular & (total > 0), ratio


def _arrivals(counts: Floats, weekday: Ints, regular: Flags, first: dt.date) -> file.ArrivalFit:
    index = np.flatnonzero(regular)
    # a regular day after a closed one still follows the regular day before it
    follows = np.concatenate([[True], np.diff(index) <= 3])
    level = _week_levels(counts[index], weekday[index], index, first)
    ordinary = np.exp(level.smooth)[_weeks(index, first)]
    pattern = fit_pattern(
        counts[index] / (ordinary / ordinary.mean())[:, None], weekday[index], PERIOD_S * SECOND, successive=follows
    )
    total, kind = counts[index].sum(axis=1), weekday[index]
    dispersion = [
        total[kind == k].var(ddof=1) / total[kind == k].mean() for k in set(kind.tolist()) if (kind == k).sum() > 1
    ]
    rows = {file.WEEKDAYS[k]: tuple(_round(x, 3) for x in pattern.expected[k]) for k in sorted(set(kind.tolist()))}
    return file.ArrivalFit(
        period_s=PERIOD_S,
        expected=rows,
        day_cv=_round(pattern.day.cv, 4),
        day_autocorrelation=_round(pattern.day.autocorrelation, 3),
        within_cv=_round(pattern.within.cv, 4),
        within_autocorrelation=_round(pattern.within.autocorrelation, 3),
        step_share=_round(level.share, 3),
        poisson_index=_round(float(np.mean(dispersion)), 2),
    )


def _weeks(day: Ints, first: dt.date) -> Ints:
    return (day + first.weekday()) // 7


def _week_levels(counts: Floats, weekday: Ints, index: Ints, first: dt.date) -> Levels:
    """Levels of weeks from regular days: logarithms of calls beside the geometric mean of the weekday."""
    logs = np.log(counts.sum(axis=1))
    for k in np.unique(weekday):
        logs[weekday == k] -= logs[weekday == k].mean()
    main = main_kinds(np.array([counts[weekday == k].sum(axis=1).mean() if k in weekday else 0.0 for k in range(7)]))
    chosen = main[weekday]
    dates = [first + dt.timedelta(days=int(d)) for d in index]
    return weekly(logs[chosen], [d for d, c in zip(dates, chosen, strict=True) if c], first, dates[-1])


def main_kinds(totals: Floats) -> Flags:
    """Which weekdays have at least `MAIN_SHARE` of the busiest weekday's calls."""
    return np.asarray(totals >= MAIN_SHARE * totals.max())


def busy_logs(calls_by_hour: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """How busy days are, and their hours beside them: logarithms of calls over what is expected, kept within 0.7.

    Args:
        calls_by_hour: float64[days, 24].
        expected: the same for an ordinary day of each kind.
    """
    day = np.log((calls_by_hour.sum(axis=1) + 1) / (expected.sum(axis=1) + 1))
    hour = np.log((calls_by_hour + 1) / (expected + 1)) - day[:, None]
    return np.clip(day, -0.7, 0.7), np.clip(hour, -0.7, 0.7)


def elasticities(calls_by_hour: Floats, agents: Floats, weekday: Ints) -> tuple[float, float]:
    """How the number of agents answers to arrivals: by day and, within the day, by hour (least squares of logarithms).

    Only hours in which at least one agent is usually there count; levels are compared within each weekday.
    """
    expected, usual = np.zeros_like(calls_by_hour), np.zeros_like(agents)
    for k in np.unique(weekday):
        expected[weekday == k], usual[weekday == k] = (x[weekday == k].mean(axis=0) for x in (calls_by_hour, agents))
    day, hour = busy_logs(calls_by_hour, expected)
    whole = np.log((agents.sum(axis=1) + 1) / (usual.sum(axis=1) + 1))
    each = np.log((agents + 0.3) / (usual + 0.3)) - whole[:, None]
    open_ = usual >= 1
    if not open_.any() or not np.any(day):
        return 0.0, 0.0
    by_hour = float(np.sum((hour * each)[open_]) / max(float(np.sum(hour[open_] ** 2)), 1e-12))
    by_day = float(np.sum(day * whole) / max(float(np.sum(day**2)), 1e-12))
    return float(np.clip(by_day, 0.0, 1.0)), float(np.clip(by_hour, 0.0, 1.0))


def _type_fit(calls: Calls, kind: int) -> file.TypeFit:
    own = calls.take(calls.kind == kind)
    waited = own.wait > 0
    patience = fit_patience(own.wait[waited], ~own.served[waited])
    service = own.service[own.served & np.isfinite(own.service)]
    long = service[service >= SHORTEST_SERVICE_S]
    logs = np.log(long) if len(long) > 1 else np.zeros(2)
    rates = hazard(own.wait[waited], ~own.served[waited], _HAZARD_EDGES)[0] * 60
    steps = tuple((e, _round(r, 4)) for e, r in zip(_HAZARD_EDGES, rates, strict=False) if np.isfinite(r))
    spread = max(float(logs.std()), 1e-9)
    return file.TypeFit(
        name=calls.kinds[kind],
        calls=len(own),
        waited_share=_round(waited.mean(), 4),
        abandoned_share=_round((~own.served).mean(), 4),
        menu_mean=_round(np.nanmean(own.menu), 2),
        short_service_share=_round((service < SHORTEST_SERVICE_S).mean(), 4),
        service_mean=_round(long.mean(), 1),
        service_cv=_round(long.std() / long.mean(), 3),
        service_log_mean=_round(logs.mean(), 3),
        service_log_sd=_round(spread, 3),
        service_lognormal_ks=_round(_normal_distance(logs, spread), 4),
        patience_mean=_round(patience.mean.mean, 1),
        patience_error=_round(patience.mean.error, 1),
        patience_restricted_mean=_round(patience.restricted_mean, 1),
        patience_horizon=_round(patience.mean.horizon, 1),
        patience_tail=_round(patience.mean.beyond, 1),
        patience_median=_round(patience.median(), 1),
        patience_hazard_per_min=steps,
        required_wait=_round(patience.required.mean, 1) if patience.required else 0.0,
        patience_index=_round(patience.index, 2) if patience.required else 0.0,
        urgent_share=_round((own.priority[waited] >= 2).mean(), 4),
    )


def _normal_distance(x: Floats, spread: float) -> float:
    """Kolmogorov-Smirnov distance to the normal distribution of the same mean."""
    from scipy.special import ndtr

    below = ndtr((np.sort(x) - x.mean()) / spread)
    rank = np.arange(len(x) + 1) / len(x)
    return float(max(np.max(rank[1:] - below), np.max(below - rank[:-1])))


def _mix(calls: Calls, weekday: Ints, regular: Flags) -> dict[str, tuple[tuple[float, ...], ...]]:
    """Shares of the types per weekday and hour, drawn towards those of the weekday where calls are few."""
    day = calls.day
    result = {}
    for k in sorted(set(weekday[regular].tolist())):
        chosen = regular[day] & (weekday[day] == k)
        cell = calls.hour[chosen] * len(calls.kinds) + calls.kind[chosen]
        n = np.bincount(cell, minlength=24 * len(calls.kinds)).reshape(24, -1).astype(np.float64)
        whole = n.sum(axis=0) / n.sum()
        share = (n + _SMALL * whole) / (n.sum(axis=1, keepdims=True) + _SMALL)
        result[file.WEEKDAYS[k]] = tuple(tuple(_round(x, 4) for x in row) for row in share)
    return result


def _groups(calls: Calls) -> tuple[Ints, Ints]:
    """Group of every call, and of every type and hour: those alike in talk time and patience stay together."""
    types, hours = len(calls.kinds), 24
    cell = calls.kind * hours + calls.hour
    talked = calls.served & np.isfinite(calls.service)
    n = np.bincount(cell[talked], minlength=types * hours).astype(np.float64)
    work = np.bincount(cell[talked], calls.service[talked], minlength=types * hours)
    own = np.bincount(calls.kind[talked], calls.service[talked], minlength=types) / np.maximum(
        np.bincount(calls.kind[talked], minlength=types), 1
    )
    usual = np.repeat(own, hours)
    service = np.log((work + _SMALL * usual) / (n + _SMALL))
    bear = np.zeros(types)
    for k in range(types):
        waited = (calls.kind == k) & (calls.wait > 0)
        # events over time waited: how fast callers of this type give up
        bear[k] = np.log((calls.wait[waited].sum() + 60) / (np.sum(~calls.served[waited]) + 1))
    features = np.stack([service, np.repeat(bear, hours) / 2], axis=1)
    label = merge_cells(work, features, GROUPS)
    return label[cell], label.reshape(types, hours)


def _group_fits(calls: Calls, label: Ints, number: int) -> tuple[file.GroupFit, ...]:
    fits = []
    for g in range(number):
        own = calls.take(label == g) if np.any(label == g) else calls
        waited = own.wait > 0
        menu, service = own.menu[np.isfinite(own.menu)], own.service[own.served & np.isfinite(own.service)]
        patience = fit_patience(own.wait[waited], ~own.served[waited]).table(200)
        fits.append(
            file.GroupFit(menu=table(menu, 50), service=table(service), patience=tuple(_round(x, 1) for x in patience))
        )
    return tuple(fits)


def _days(
    calls: Calls,
    roster: Roster,
    label: Ints,
    groups: Sequence[file.GroupFit],
    regular: Flags,
    ratio: Floats,
    recorded: Flags,
) -> tuple[file.DayFit, ...]:
    staff = roster.means(calls.days, PERIOD_S)
    talked = calls.served & np.isfinite(calls.service)
    usual = np.array([np.mean(g.service) for g in groups])[label]
    done: Floats = np.bincount(calls.day[talked], calls.service[talked], calls.days).astype(np.float64)
    due: Floats = np.bincount(calls.day[talked], usual[talked], calls.days).astype(np.float64)
    factor = _shrunk(done, due, calls.day[talked], calls.service[talked], regular)
    hourly = _counts(calls).reshape(calls.days, 24, -1).sum(axis=2)
    return tuple(
        file.DayFit(
            date=calls.date(int(d)),
            regular=bool(regular[d]),
            ratio=_round(ratio[d], 3),
            service_factor=_round(factor[d], 3),
            calls=tuple(int(x) for x in hourly[d]),
            staff=tuple(_round(x, 2) for x in staff[d]),
        )
        for d in np.flatnonzero(recorded)
    )


def _shrunk(done: Floats, due: Floats, day: Ints, service: Floats, regular: Flags) -> Floats:
    """Talk time over what is usual, per day, drawn towards 1 by the share of its variance that chance explains."""
    n = np.bincount(day, minlength=len(done))
    raw = np.where(due > 0, done / np.maximum(due, 1e-9), 1.0)
    chance = (service.std() / service.mean()) ** 2 / np.maximum(n, 1)
    chosen = regular & (n > 0)
    true = max(float(np.mean((raw[chosen] - 1) ** 2 - chance[chosen])), 0.0) if chosen.any() else 0.0
    return 1 + (raw - 1) * true / np.maximum(true + chance, 1e-12)


def _outages(
    calls: Calls, arrivals: file.ArrivalFit, weekday: Ints, ratio: Floats, recorded: Flags
) -> tuple[file.Outage, ...]:
    """Stretches of a recorded day without a call, though some were to be expected."""
    found: list[file.Outage] = []
    days = calls.day
    for d in np.flatnonzero(recorded):
        expected: Any = arrivals.expected.get(file.WEEKDAYS[weekday[d]])
        if expected is None:
            continue
        mass = np.concatenate([[0.0], np.cumsum(expected)]) * min(ratio[d], 1.0)
        # between two calls of a day: before the first and after the last one the centre may have been closed
        times = calls.arrived[days == d] - d * DAY_S
        due = np.diff(np.interp(times, np.arange(len(mass)) * PERIOD_S, mass))
        found.extend(
            file.Outage(
                date=calls.date(int(d)), start_s=int(times[i]), end_s=int(times[i + 1]), missing=_round(due[i], 1)
            )
            for i in np.flatnonzero(due > OUTAGE_CALLS)
        )
    return tuple(found)


def _order(calls: Calls, head_start_s: float) -> file.Order | None:
    """How often a later urgent caller is served before an ordinary one of his type, within and beyond a head start."""
    chosen = np.flatnonzero((calls.wait > 0) & calls.served & (calls.priority > 0))
    if len(chosen) < 2 or len(set(calls.priority[chosen].tolist())) < 2:
        return None
    won, seen = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for k in range(len(calls.kinds)):
        own = chosen[calls.kind[chosen] == k]
        own = own[np.argsort(calls.queued[own], kind="stable")]
        start, end, urgent = calls.queued[own], (calls.queued + calls.wait)[own], calls.priority[own] >= 2
        for lag in range(1, min(25, len(own))):
            both = (start[lag:] < end[:-lag]) & ~urgent[:-lag] & urgent[lag:]
            apart, first = (start[lag:] - start[:-lag])[both], (end[lag:] < end[:-lag])[both]
            for side, there in enumerate((apart < head_start_s - 5, apart > head_start_s + 5)):
                seen[side] += there.sum()
                won[side] += first[there].sum()
    if not seen.all():
        return None
    return file.Order(
        head_start_s=head_start_s,
        within=_round(won[0] / seen[0], 4),
        beyond=_round(won[1] / seen[1], 4),
        pairs=int(seen.sum()),
    )
