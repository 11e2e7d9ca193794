"""Fit how trading activity answers a move of the index.

    python -m scenarios.calibration.fit_index FILE --out scenarios/calibration/index.yaml

Model: log(volume / median volume of the 20 days before) = a + e |return| + g |opening gap|, both in per cent, fitted by
Huber's robust regression with standard errors of Newey and West (1987). The elasticity e drives how strongly attention,
and with it logins and orders, rises with the move of the index.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from scenarios.calibration.fit_market import write_yaml
from twin.errors import DataError

Floats = NDArray[np.float64]

TRAILING = 20
_HUBER = 1.345
_LAGS = 10
_COLUMNS = ("date", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Response:
    """Coefficients with standard errors; `r2` is the share of variance of log volume that the model explains."""

    constant: float
    elasticity: float
    elasticity_se: float
    gap: float
    gap_se: float
    r2: float
    days: int


def robust_regression(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Huber M-estimate (iterated weights, scale by MAD) and Newey-West standard errors.

    Args:
        x: design matrix, rows = days.
        y: response.
    """
    weights: Floats = np.ones(len(y))
    beta = np.zeros(x.shape[1])
    for _ in range(100):
        weighted = x * weights[:, None]
        new = np.asarray(np.linalg.solve(x.T @ weighted, weighted.T @ y), np.float64)
        residual = y - x @ new
        scale = max(float(np.median(np.abs(residual))) / 0.6745, 1e-12)
        weights = np.asarray(np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residual), 1e-12)), np.float64)
        if np.max(np.abs(new - beta)) < 1e-10:
            break
        beta = new
    score = x * (weights * residual)[:, None]
    meat = score.T @ score
    for lag in range(1, _LAGS + 1):
        cross = score[lag:].T @ score[:-lag]
        meat += (1 - lag / (_LAGS + 1)) * (cross + cross.T)
    clipped = np.abs(residual) <= _HUBER * scale
    bread = np.linalg.inv((x * clipped[:, None]).T @ x)
    return new, np.asarray(np.sqrt(np.diag(bread @ meat @ bread)), np.float64)


def fit_response(open_: Floats, close: Floats, volume: Floats) -> Response:
    """Fit the response to daily columns in order of date; the first TRAILING days only serve as the base."""
    windows = np.lib.stride_tricks.sliding_window_view(volume, TRAILING)[:-1]
    y = np.log(volume[TRAILING:] / np.median(windows, axis=1))
    move = 100 * np.abs(close[TRAILING:] / close[TRAILING - 1 : -1] - 1)
    gap = 100 * np.abs(open_[TRAILING:] / close[TRAILING - 1 : -1] - 1)
    x = np.column_stack([np.ones_like(move), move, gap])
    beta, se = robust_regression(x, y)
    r2 = 1 - float(np.var(y - x @ beta)) / float(np.var(y))
    a, e, g = (float(b) for b in beta)
    return Response(a, e, float(se[1]), g, float(se[2]), r2, len(y))


def _read(path: Path, since: str) -> tuple[list[str], dict[str, Floats]]:
    types = {"date": pa.string()}
    try:
        table = pacsv.read_csv(path, convert_options=pacsv.ConvertOptions(column_types=types))
    except FileNotFoundError as error:
        raise DataError("file not found", where=str(path), hint=f"A CSV with {', '.join(_COLUMNS)}.") from error
    missing = [name for name in _COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"columns {missing} are missing", where=str(path), hint=f"Expected {', '.join(_COLUMNS)}.")
    dates = table.column("date").to_pylist()
    first = max(sum(d < since for d in dates) - TRAILING, 0)
    columns = {name: np.asarray(table.column(name), np.float64)[first:] for name in _COLUMNS[1:]}
    if len(dates) - first < 10 * TRAILING:
        raise DataError(f"only {len(dates) - first} days since {since}", where=str(path))
    return dates[first:], columns


def fit(path: Path, since: str) -> dict[str, Any]:
    """Fit one file of daily bars; returns the content of index.yaml."""
    dates, day = _read(path, since)
    response = fit_response(day["open"], day["close"], day["volume"])
    returns = 100 * (day["close"][1:] / day["close"][:-1] - 1)[TRAILING - 1 :]
    parkinson = np.log(day["high"] / day["low"])[TRAILING:] / math.sqrt(4 * math.log(2))
    half_width = 1.96 * response.elasticity_se
    return {
        "source": f"daily bars of {path.name.split('.')[0]}, {dates[TRAILING]} to {dates[-1]}, {response.days} days",
        "method": "log(volume / median of 20 days before) on |return| and |opening gap| in per cent; Huber regression,"
        " Newey-West standard errors (10 lags)",
        "attention": {
            "elasticity_per_pct": response.elasticity,
            "interval_95": [response.elasticity - half_width, response.elasticity + half_width],
            "typical_move_pct": float(np.mean(np.abs(returns))),
        },
        "regression": asdict(response),
        "volatility": {
            "daily_return_sd_pct": float(np.std(returns)),
            "median_abs_return_pct": float(np.median(np.abs(returns))),
            "median_parkinson_pct": 100 * float(np.median(parkinson)),
        },
    }


def main() -> None:
    """Command line: a file of daily bars in, parameter file out."""
    parser = argparse.ArgumentParser(description="Fit the response of trading volume to the index.")
    parser.add_argument("file", type=Path, help="CSV with date, open, high, low, close, volume")
    parser.add_argument("--since", default="2019-01-01", help="first day (ISO date)")
    parser.add_argument("--out", type=Path, required=True, help="parameter file to write (YAML)")
    arguments = parser.parse_args()
    content = fit(arguments.file, arguments.since)
    write_yaml(content, arguments.out, "python -m scenarios.calibration.fit_index FILE --out FILE")


if __name__ == "__main__":
    main()
