"""Fits handling times, patience and the daily profile of calls to the recordings of a bank's call centre.

Command: `python -m scenarios.calibration.fit_call_centre DIR`, where DIR holds 01_January.txt.gz to 06_June.txt.gz; it
writes call_centre.yaml beside this file. The data (an Israeli bank, 1999) are free to use with acknowledgement of
I. Guedj and A. Mandelbaum, Technion, 2000. They are an analogue: no such recording of a Chinese broker is known.

Method: handling times of at least 10 s (below, agents had hung up to rest), lognormal by the mean and the standard
deviation of the logarithms. Patience by Kaplan and Meier (1958) from the waits of all who had to wait, censored by
being served, as in Brown et al. (JASA 2005); the mean is the area under the curve, restricted to the longest wait.
"""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ruamel.yaml import YAML

from twin.errors import DataError
from twin.process.patience import kaplan_meier as product_limit

SHORTEST_SERVICE_S = 10
TYPES = {"all": None, "stock_trading": "NE", "regular": "PS"}
_COLUMNS = {"type", "date", "vru_entry", "q_time", "outcome", "ser_time"}
_OUTPUT = Path(__file__).with_name("call_centre.yaml")


@dataclass(frozen=True)
class Fit:
    """Parameters of one type of call; times in s."""

    calls: int
    waited_share: float
    abandoned_share: float
    service_mean: float
    service_cv: float
    service_log_mean: float
    service_log_sd: float
    patience_mean: float
    patience_median: float
    patience_cv: float


def kaplan_meier(
    waits: NDArray[np.float64], left: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times at which somebody left, and the share whose patience is longer, from waits censored by service.

    At equal times those who left count before those who were served.
    """
    curve = product_limit(waits, left)
    return curve.times, curve.share


def patience_moments(waits: NDArray[np.float64], left: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Mean, median and coefficient of variation of patience, restricted to the longest wait."""
    times, survival = kaplan_meier(waits, left)
    edges = np.concatenate([[0.0], times, [float(waits.max())]])
    steps = np.concatenate([[1.0], survival])
    mean = float(np.sum(np.diff(edges) * steps))
    second = float(np.sum(np.diff(edges**2) * steps))
    below = np.flatnonzero(survival <= 0.5)
    median = float(times[below[0]]) if len(below) else float("inf")
    return mean, median, float(np.sqrt(max(second - mean * mean, 0.0)) / mean)


def read_calls(folder: Path) -> pd.DataFrame:
    """Calls that reached an agent or the queue, from the monthly files of a folder."""
    files = sorted(folder.glob("*.txt.gz"))
    if not files:
        raise DataError("no monthly file of calls", where=str(folder), hint="Expected 01_January.txt.gz and so on.")
    frames = [pd.read_csv(f, sep=r"\s+", dtype={"date": str}, on_bad_lines="skip") for f in files]
    calls = pd.concat(frames, ignore_index=True)
    missing = sorted(_COLUMNS - set(calls.columns))
    if missing:
        raise DataError(f"columns {', '.join(missing)} are missing", where=str(folder))
    # Who hung up without having queued left the voice menu: he says nothing about waiting.
    return calls[(calls["outcome"] == "AGENT") | ((calls["outcome"] == "HANG") & (calls["q_time"] > 0))]


def fit_type(calls: pd.DataFrame) -> Fit:
    """Parameters of the calls given."""
    waits = calls["q_time"].to_numpy(np.float64)
    left = (calls["outcome"] == "HANG").to_numpy()
    service = calls.loc[~left, "ser_time"].to_numpy(np.float64)
    service = service[service >= SHORTEST_SERVICE_S]
    logs = np.log(service)
    waited = waits > 0
    mean, median, cv = patience_moments(waits[waited], left[waited])
    return Fit(
        calls=len(calls),
        waited_share=round(float(waited.mean()), 4),
        abandoned_share=round(float(left.mean()), 4),
        service_mean=round(float(service.mean()), 1),
        service_cv=round(float(service.std() / service.mean()), 3),
        service_log_mean=round(float(logs.mean()), 3),
        service_log_sd=round(float(logs.std()), 3),
        patience_mean=round(mean, 1),
        patience_median=round(median, 1),
        patience_cv=round(cv, 3),
    )


def weekday_profile(calls: pd.DataFrame) -> list[float]:
    """Share of the calls of Sundays to Thursdays (the working week there) in each hour of the day."""
    day = pd.to_datetime(calls["date"], format="%y%m%d").dt.day_of_week
    hours = calls.loc[~day.isin([4, 5]), "vru_entry"].str.split(":").str[0].astype(int) % 24
    counts = np.bincount(hours, minlength=24)
    return [round(float(c / counts.sum()), 4) for c in counts]


def main(folder: Path) -> None:
    """Fit the recordings in a folder and write the parameter file."""
    calls = read_calls(folder)
    kinds = {name: calls if code is None else calls[calls["type"] == code] for name, code in TYPES.items()}
    result = {
        "what": "Call centre of an Israeli bank, January to June 1999: an analogue for a broker's service desk",
        "source": "I. Guedj and A. Mandelbaum, Technion, 2000 (free to use with acknowledgement)",
        "method": "services of 10 s or more, lognormal by log moments; patience of those who waited, Kaplan-Meier",
        "fitted": dt.date.today().isoformat(),
        "unit": "s",
        "types": {name: asdict(fit_type(part)) for name, part in kinds.items()},
        "weekday_profile_by_hour": weekday_profile(calls),
    }
    yaml = YAML()
    yaml.width = 120
    with _OUTPUT.open("w", encoding="utf-8") as file:
        file.write("# Written by scenarios/calibration/fit_call_centre.py; do not edit.\n")
        yaml.dump(result, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
