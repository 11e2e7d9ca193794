"""What the parameters of Prosimos' distributions mean: drawn as its source says, by rejection, in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from twin.clock import SECOND
from twin.errors import DataError
from twin.process.entries import inverse
from twin.process.prosimos.document import Entry
from twin.process.prosimos.laws import read_law, write_law

FAR = 1e9
N = 200_000


def entry(name, *values, plain=False):
    rows = list(values) if plain else [{"value": v} for v in values]
    return Entry({"distribution_name": name, "distribution_params": rows}, "p.json")


def raw(name, values, rng):
    """One set of draws before anything is rejected."""
    if name == "expon":
        mean, least, _ = values
        return least + rng.exponential(mean - least if mean >= least else mean, N)
    if name == "norm":
        return rng.normal(values[0], values[1], N)
    if name == "uniform":
        return rng.uniform(values[0], values[1], N)
    mean, variance = values[:2]
    if name == "gamma":
        return rng.gamma(mean * mean / variance, variance / mean, N)
    sigma = np.sqrt(np.log1p(variance / mean**2))
    return rng.lognormal(np.log(mean) - sigma**2 / 2, sigma, N)


LAWS = [
    ("expon", 600, 0, FAR),
    ("expon", 600, 200, 900),
    ("expon", 66.97, 48.99, 300),
    ("expon", 50, 100, 400),  # mean below the minimum: the mean is the scale
    ("norm", 100, 300, 50, 500),
    ("norm", 1800, 600, 0, FAR),
    ("norm", -50, 100, 0, 400),
    ("uniform", 100, 300),
    ("lognorm", 400, 160_000, 100, 800),
    ("lognorm", 330.7, 373_383.8, 0, FAR),
    ("gamma", 400, 90_000, 200, 700),
    ("gamma", 613.3, 661_765, 0, FAR),
]


@pytest.mark.parametrize("case", LAWS, ids=lambda c: "-".join(map(str, c)))
def test_law_is_that_of_draws_with_rejection(case):
    name, *values = case
    draws = raw(name, values, np.random.default_rng(7))
    low, high = (values[-2], values[-1]) if name != "uniform" else values
    kept = draws[(draws >= max(low, 0)) & (draws <= high)]
    law = read_law(entry(name, *values))
    u = (np.arange(20_000) + 0.5) / 20_000
    ours = inverse(law, u) / SECOND
    assert stats.ks_2samp(ours, kept).statistic < 1.7 * np.sqrt(1 / len(kept) + 1 / len(ours))
    assert law.mean_ns / SECOND == pytest.approx(kept.mean(), abs=6 * kept.std() / np.sqrt(len(kept)))


@pytest.mark.parametrize("case", LAWS, ids=lambda c: "-".join(map(str, c)))
def test_written_law_reads_as_itself(case):
    law = read_law(entry(*case))
    again = read_law(Entry(write_law(law), "again"))
    u = np.linspace(0.001, 0.999, 999)
    assert inverse(again, u) == pytest.approx(inverse(law, u), rel=1e-6)


def test_wrong_reading_of_the_parameters_would_be_seen():
    """Variance taken for the standard deviation, or the mean of an exponential for its scale, changes the law."""
    assert read_law(entry("gamma", 400, 90_000, 0, FAR)).cv == pytest.approx(0.75)
    assert read_law(entry("expon", 600, 200, FAR)).parameters == {"loc": 200.0, "scale": 400.0}
    assert read_law(entry("norm", 100, 30, 0, FAR)).parameters["scale"] == 30.0


def test_fixed_values_limits_that_nothing_meets_and_short_forms():
    assert read_law(entry("fix", 900)).mean == 900 * SECOND
    assert read_law(entry("fix", 120, 0, 1)).mean == 120 * SECOND
    notes = []
    stuck = read_law(entry("norm", 1, 0.1, 50, 60), notes)
    assert (stuck.distribution, stuck.mean) == ("constant", 55 * SECOND)
    assert "always 55 s" in notes[0]
    assert read_law(entry("expon", 0, 1800, 90)).mean == 945 * SECOND  # the middle of the limits, as there
    assert read_law(entry("norm", 600, 120)).least is not None
    assert read_law(entry("uniform", 5, 9, plain=True)).high == 9 * SECOND


@pytest.mark.parametrize(
    ("name", "values", "mean"),
    [
        ("expon", (0, 300, 0, FAR), 300),
        ("norm", (600, 50, 0, FAR), 600),
        ("uniform", (100, 200, 100, 300), 200),
        ("lognorm", (0.5, 0, 100, 0, FAR), 100 * np.exp(0.125)),
        ("gamma", (4.0, 0, 50, 0, FAR), 200),
        ("exponnorm", (2.0, 100, 10, 0, FAR), 120),
        ("triang", (0.5, 100, 200, 100, 300), 200),
        ("triang", (100, 100, 400), 200),
    ],
)
def test_parameters_of_earlier_versions_are_told_by_their_number(name, values, mean):
    assert read_law(entry(name, *values)).mean_ns / SECOND == pytest.approx(mean, rel=2e-3)


def test_histogram_is_its_bins():
    document = {"distribution_name": "histogram_sampling"}
    document["histogram_data"] = {"cdf": [0.25, 0.75, 1.0], "bin_midpoints": [10, 20, 40]}
    law = read_law(Entry(document, "p"))
    assert law.mean_ns / SECOND == pytest.approx(0.25 * 10 + 0.5 * 20 + 0.25 * 40)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (entry("wiebull", 1, 2, 3, 4), "'wiebull' is not a distribution"),
        (entry("gamma", 1, 2, 3, 4, 5, 6), "gamma with 6 parameters"),
        (entry("uniform", 9, 5), "the maximum is below the minimum"),
        (entry("expon", "x", 0, 1), "'x' is not a number"),
        (Entry({"distribution_name": "fix"}, "p.json"), "'distribution_params' is missing"),
    ],
)
def test_wrong_law_is_named_with_its_place(document, words):
    with pytest.raises(DataError) as caught:
        read_law(document)
    assert words in caught.value.what
    assert caught.value.where.startswith("p.json")
