"""Small logs from a fixed recipe, and the distances that another implementation gives for them.

The reference values were computed with log-distance-measures 2.2.0 (pandas 2.3, SciPy 1.17, Python 3.11) on these very
logs written as CSV: n-grams of 3 and normalised; absolute, circadian and relative event distributions over starts and
ends with bins of an hour; cycle times with bins of an hour; all by Wasserstein distance. `python
tests/log_distance_cases.py DIR` writes the logs, two files a case.
"""

from __future__ import annotations

import csv
import datetime as dt
import sys
from pathlib import Path

Row = tuple[str, str, dt.datetime, dt.datetime]


def _numbers(seed):
    """Whole numbers below 2**31 from a linear congruential generator: the same everywhere."""
    state = seed * 7_919 + 12_345
    while True:
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        yield state >> 33


def small_log(number, side):
    """Rows (case, activity, start, end) of log `side` (0 real, 1 simulated) of a case; some times are equal."""
    draw = _numbers(2 * number + side)

    def below(n):
        return next(draw) % n

    rows, cases, kinds = 1 + below(60), 1 + below(9), 1 + below(7)
    span, grain = (30, 600, 5_000, 200_000, 3_000_000)[below(5)], (1, 7, 30, 60)[below(4)]
    base = dt.datetime(2024, 2, 26, tzinfo=dt.UTC) + dt.timedelta(hours=below(400))
    log = []
    for _ in range(rows):
        start = base + dt.timedelta(minutes=below(span) // grain * grain)
        lasting = dt.timedelta(minutes=(0, 0, 1, 60, below(2000))[below(5)], milliseconds=(0, below(1000))[below(2)])
        log.append((f"c{below(cases)}", "abcdefg"[below(kinds)], start, start + lasting))
    return log


REFERENCE = {
    0: (0.75, 35.328571428571, 13.142857142857, 9.528571428571, 16.25),
    1: (0.833333333333, 5849.828282828282, 12.261904761905, 3175.030303030303, 5787.333333333334),
    2: (0.888888888889, 14.579487179487, 11.426587301587, 30.292307692308, 23.333333333333),
    3: (0.862068965517, 1933.136222910217, 17.221008403361, 550.622291021672, 1156.25),
    4: (0.710526315789, 3294.885093167701, 5.425061842919, 5249.862318840579, 5088.75),
    5: (0.882352941176, 20.092592592593, 11.066525008173, 26.058518518519, 39.4),
    6: (0.622222222222, 1456.898220244716, 11.88292379889, 780.04616240267, 1371.666666666667),
    7: (0.923076923077, 58.527705627706, 16.428571428571, 1.472294372294, 1.75),
    8: (1.0, 1719.122358175751, 17.400742115028, 1156.89043381535, 2266.833333333333),
    9: (0.891891891892, 23102.537662337658, 12.457908163265, 21487.032467532466, 43621.5),
    10: (0.936170212766, 13.678794178794, 3.060877958704, 3.05647955648, 3.833333333333),
    11: (0.736842105263, 1832.730572887124, 11.009009656494, 1329.765173000567, 2342.071428571428),
    12: (0.942307692308, 26984.068321513005, 3.4399484079, 23329.124586288413, 38622.0),
    13: (0.730158730159, 9.979391756703, 5.409877938517, 1.021008403361, 9.925),
    14: (0.80303030303, 26094.830188679243, 9.703764993753, 22410.58627787307, 44821.222222222226),
    15: (0.925373134328, 1647.588165328576, 18.252255639098, 1488.763603925067, 2934.9),
    16: (0.859375, 48.761749571184, 15.027380952381, 30.834819897084, 43.777777777778),
    17: (0.861538461538, 25132.981266726136, 3.783671256904, 20432.8392804044, 38416.600000000006),
    18: (0.5, 42318.166666666664, 6.571428571429, 0.833333333333, 1.666666666667),
    19: (1.0, 11.1, 1.833333333333, 4.628571428571, 3.0),
    20: (0.736842105263, 1900.333333333333, 17.428571428571, 523.722222222222, 947.75),
    21: (1.0, 22017.197435897433, 20.478835978836, 4330.976923076923, 6273.476190476191),
    22: (0.5, 1819.492260061919, 18.468707482993, 1103.956656346749, 2149.266666666666),
    23: (0.945945945946, 21957.64078674948, 17.322425249169, 10163.283643892339, 17199.089285714286),
}
"""Number of the case -> NGD, AEDD, CEDD, REDD, CTDD."""

REAL = {
    (
        "process/benchmarks/agentsimulator_LoanApp/test_preprocessed.csv.gz",
        "process/benchmarks/agentsimulator_LoanApp/simulated_log_0.csv.gz",
    ): (0.053797468354, 2.868024736593, 0.19601619686, 1.984225060099, 2.275),
    (
        "process/benchmarks/rethinkingbps_Production/test_preprocessed.csv.gz",
        "process/benchmarks/rethinkingbps_Production/Simod_0.csv.gz",
    ): (0.864847303444, 802.124718597688, 2.688065920044, 535.305329705156, 120.706174886034),
    (
        "process/benchmarks/rethinkingbps_Production/test_preprocessed.csv.gz",
        "process/benchmarks/rethinkingbps_Production/DeepSimulator_1.csv.gz",
    ): (0.932021466905, 1606.287538846297, 2.696550266593, 188.131400810314, 227.859064327485),
    ("process/event_logs/BPIC_2012_W_test.csv.gz", "process/event_logs/BPIC_2012_W_train.csv.gz"): (
        0.075365531353,
        2038.451646590322,
        0.880911034127,
        9.740357332596,
        27.985019429362,
    ),
    ("process/event_logs/icpm2025_Loan-stable_test.csv.gz", "process/event_logs/icpm2025_Loan-stable_train.csv.gz"): (
        0.06855730454,
        640.024458543036,
        0.435533009507,
        0.252470502849,
        0.358,
    ),
}
"""Files under shared/data -> the five, by the same package."""


def write(folder):
    """The logs as CSV files NUMBER_SIDE.csv."""
    for number in REFERENCE:
        for side in (0, 1):
            with (Path(folder) / f"{number}_{side}.csv").open("w", newline="") as out:
                rows = csv.writer(out)
                rows.writerow(["case_id", "activity", "start_time", "end_time"])
                rows.writerows([c, a, s.isoformat(), e.isoformat()] for c, a, s, e in small_log(number, side))


if __name__ == "__main__":
    write(sys.argv[1])
