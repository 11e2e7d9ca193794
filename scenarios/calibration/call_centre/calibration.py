"""Settles how agents follow the queue, so that simulated months resemble those of the fitting period.

Records show who took calls, not who would have: agents come back when callers wait and go when none does, so that the
number seen varies with the queue of the day it was seen in. Set against other arrivals, this variation makes queues
that no centre would bear. Two things are settled by simulation, on the fitting period alone: the share of the
variation that is the agents' own (so that the mean waits of days vary as they did), and a factor on the agents of each
hour (so that waits and abandonment of the hours agree).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scenarios.calibration.call_centre.mechanism import Ended, ratios, tally
from scenarios.calibration.call_centre.parameters import Parameters
from scenarios.calibration.call_centre.prediction import main_weekdays, month_dates, predict
from scenarios.calibration.call_centre.records import Calls

Floats = NDArray[np.float64]
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
ROUNDS = 6
RUNS = 16
DAYS = 28
_STEP = 0.25
"""Part of a relative error that one round mends: abandonment answers about threefold to the number of agents."""
_BOUNDS = (0.7, 1.4)
_LEAST = 5.0
"""Hours with fewer calls a day keep the mean factor."""
_SEED = 1_000_003


def calibrate(
    parameters: Parameters, calls: Calls, progress: Callable[[int, int], None] | None = None, *, runs: int = RUNS
) -> Parameters:
    """Parameters with `own_share` and `flexibility` settled on the records of the fitting period.

    Args:
        parameters: the fit.
        calls: the records it was made from.
        progress: called with steps done and wanted.
        runs: simulated months per step.
    """
    regular = {d.date for d in parameters.days if d.regular}
    main = main_weekdays(parameters)
    dates = [calls.date(d) for d in range(calls.days)]
    chosen = np.array([d in regular and bool(main[d.weekday()]) for d in dates])
    actual = tally(Ended.of(calls), calls.days)[chosen]
    spread = _spread(actual)
    total, done = len(SHARES) * 2 + ROUNDS, 0
    best, found = np.inf, parameters
    for share in SHARES:
        trial = _with(parameters, own_share=share, flexibility=(1.0,) * 24)
        for _ in range(2):
            sums = _simulated(trial, runs)
            error = _error(sums.sum(axis=(0, 1)), actual.sum(axis=(0, 1)))
            level = float(np.clip(trial.staff.flexibility[0] * np.exp(_STEP * error), *_BOUNDS))
            trial = _with(trial, flexibility=(level,) * 24)
            done += 1
            if progress:
                progress(done, total)
        miss = abs(np.log(max(_spread(sums), 1e-9) / max(spread, 1e-9)))
        if miss < best:
            best, found = miss, trial
    for _ in range(ROUNDS):
        found = _with(found, flexibility=_next(found, _simulated(found, runs), actual))
        done += 1
        if progress:
            progress(done, total)
    return found


def _with(parameters: Parameters, **changed: object) -> Parameters:
    return parameters.model_copy(update={"staff": parameters.staff.model_copy(update=changed)})


def _simulated(parameters: Parameters, runs: int) -> Floats:
    """Sums per main day and hour, float64[runs * days, 24, 4]."""
    first = parameters.last + dt.timedelta(days=1)
    result = predict(parameters, month_dates(first, DAYS), runs=runs, seed=_SEED, ahead=False)
    return result.runs[:, result.main].reshape(-1, 24, result.runs.shape[-1])


def _spread(sums: Floats) -> float:
    """Coefficient of variation of the days' mean waits."""
    waits = ratios(sums.sum(axis=1))[:, 1]
    waits = waits[np.isfinite(waits)]
    return float(waits.std() / max(waits.mean(), 1e-9))


def _error(simulated: Floats, actual: Floats) -> Floats:
    """Mean of the logarithmic errors of mean wait and abandonment, along the last axis; 0 where one is missing."""
    s, a = ratios(simulated)[..., 1:3], ratios(actual)[..., 1:3]
    usable = (s > 0) & (a > 0)
    return np.asarray(np.where(usable, np.log(np.where(usable, s, 1.0) / np.where(usable, a, 1.0)), 0.0).mean(axis=-1))


def _next(parameters: Parameters, simulated: Floats, actual: Floats) -> tuple[float, ...]:
    error = _error(simulated.sum(axis=0), actual.sum(axis=0))
    enough = (actual[..., 0].mean(axis=0) >= _LEAST) & (simulated[..., 0].mean(axis=0) >= _LEAST)
    factor = np.asarray(parameters.staff.flexibility) * np.exp(_STEP * np.clip(error, -1.0, 1.0))
    factor = np.where(enough, factor, factor[enough].mean() if enough.any() else 1.0)
    return tuple(float(x) for x in np.clip(factor, *_BOUNDS).round(4))
