"""A small call centre with known parameters, simulated call by call with agents that have names."""

import datetime as dt
import heapq

import numpy as np
import pandas as pd

from scenarios.calibration.call_centre.records import DAY_S, Calls

FIRST = dt.date(2024, 1, 1)  # a Monday
OPEN_S, CLOSE_S = 8 * 3600, 18 * 3600
AGENTS = 5
SERVICE_S = {"sales": 240.0, "help": 120.0}
PATIENCE_S = {"sales": 400.0, "help": 150.0}


def calls_of(days=56, per_day=900.0, seed=1, agents=AGENTS, day_cv=0.15):
    """Records of `days` days, Sundays closed: exponential service and patience, the longest idle agent first."""
    draw = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        if (FIRST + dt.timedelta(days=day)).weekday() == 6:
            continue
        factor = draw.gamma(1 / day_cv**2, day_cv**2)
        n = draw.poisson(per_day * factor)
        arrived = np.sort(draw.uniform(OPEN_S, CLOSE_S, n))
        kinds = np.where(draw.random(n) < 0.3, "sales", "help")
        menu = draw.uniform(5, 15, n)
        service = draw.exponential([SERVICE_S[k] for k in kinds])
        patience = draw.exponential([PATIENCE_S[k] for k in kinds])
        rows += _day(day * DAY_S, arrived, menu, kinds, service, patience, agents)
    return pd.DataFrame(rows, columns=["arrived", "menu_s", "type", "wait_s", "answered", "service_s", "agent"])


def _day(start, arrived, menu, kinds, service, patience, agents):
    free = [(OPEN_S, f"agent {i}") for i in range(agents)]
    heapq.heapify(free)
    rows = []
    for i in np.argsort(arrived + menu, kind="stable"):
        queued = arrived[i] + menu[i]
        since, name = free[0]
        wait = max(since - queued, 0.0)
        served = wait <= patience[i]
        if served:
            heapq.heapreplace(free, (queued + wait + service[i], name))
        row = (start + arrived[i], menu[i], kinds[i], min(wait, patience[i]), served)
        rows.append((*row, service[i] if served else 0.0, name if served else ""))
    return rows


def as_calls(frame):
    """The table as columns."""
    ordered = frame.sort_values("arrived", kind="stable")
    kinds = tuple(ordered["type"].value_counts().index)
    names = tuple(sorted(set(ordered["agent"]) - {""}))
    number = {name: i for i, name in enumerate(names)} | {"": -1}
    served = ordered["answered"].to_numpy(bool)
    return Calls(
        FIRST,
        ordered["arrived"].to_numpy(float),
        ordered["menu_s"].to_numpy(float),
        ordered["wait_s"].to_numpy(float),
        served,
        np.where(served, ordered["service_s"], np.nan),
        ordered["type"].map({k: i for i, k in enumerate(kinds)}).to_numpy(np.int64),
        ordered["agent"].map(number).to_numpy(np.int64),
        np.zeros(len(ordered), np.int64),
        kinds,
        names,
    )


def as_table(frame, path):
    """Write the records as the CSV file that any call centre may bring."""
    midnight = pd.Timestamp(FIRST)
    table = frame.assign(arrived=midnight + pd.to_timedelta(frame["arrived"], unit="s"))
    table.to_csv(path, index=False)
    return path
