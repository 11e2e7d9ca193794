"""Churn and complaints against one client at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.contracts import Segment
from twin.errors import DataError, ScenarioError
from twin.measures.churn import EXPERIENCES, REASONS, ChurnParameters, Parameter, count_cells, expect_churn

P = ChurnParameters()


def one_client(segment: int, tenure: int, bad: dict[str, int], p: ChurnParameters) -> tuple[float, float, float]:
    """Probability of leaving, of leaving had nothing happened, and of a ticket, by the definitions."""
    senior = segment in (Segment.HNW, Segment.INSTITUTION)
    base = p.hazard_new if tenure < p.new_months else p.hazard_hnw if senior else p.hazard_mature
    hazard = base.value * math.prod(getattr(p, f"ratio_{name}").value for name, n in bad.items() if n)
    ticket = p.complaint_chance.value if any(bad.values()) else p.complaint_year.value / 243
    unsolved = ticket * p.unsolved.value if any(bad.values()) else 0.0
    leave = (1 - unsolved) * (1 - math.exp(-hazard)) + unsolved * (1 - math.exp(-hazard * p.ratio_complaint.value))
    return leave, 1 - math.exp(-base.value), ticket


def population(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    bad = {name: rng.integers(0, 3, n) * (rng.random(n) < 0.4) for name in EXPERIENCES}
    return rng.integers(0, 4, n).astype(np.uint8), rng.integers(0, 60, n).astype(np.int16), bad


@settings(max_examples=30, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 200))
def test_expectation_is_the_sum_over_clients(seed: int, n: int) -> None:
    segment, tenure, bad = population(seed, n)
    result = expect_churn(segment, tenure, bad)
    leavers, calm, tickets = np.zeros(4), np.zeros(4), 0.0
    for i in range(n):
        mine = {name: int(column[i]) for name, column in bad.items()}
        leave, base, ticket = one_client(int(segment[i]), int(tenure[i]), mine, P)
        leavers[segment[i]] += leave
        calm[segment[i]] += base
        tickets += ticket
    assert result.leavers == pytest.approx(leavers, rel=1e-9)
    assert result.leavers_baseline == pytest.approx(calm, rel=1e-9)
    assert result.complaints == pytest.approx(tickets, rel=1e-9)
    assert result.clients.tolist() == np.bincount(segment, minlength=4).tolist()
    assert result.experienced == {name: int(np.count_nonzero(column)) for name, column in bad.items()}
    assert sum(result.reasons.values()) == pytest.approx(1.0 if n else 0.0)
    assert min(result.reasons.values()) >= 0.0


def test_quiet_day_leaves_the_baseline_and_its_reasons() -> None:
    n = 1_000
    result = expect_churn(np.full(n, Segment.RETAIL, np.uint8), np.full(n, 12), {})
    assert result.leavers[Segment.RETAIL] == pytest.approx(n * (1 - math.exp(-0.0165)))
    assert np.array_equal(result.leavers, result.leavers_baseline)
    assert result.per_thousand() == result.per_thousand(Segment.RETAIL) == pytest.approx(16.3646, abs=1e-4)
    assert result.per_thousand(Segment.HNW) == 0.0
    assert [result.reasons[r] for r in ("service", "commission", "other")] == pytest.approx([0.62, 0.18, 0.2])
    assert result.complaints == pytest.approx(n * 0.012 / 243)
    assert tuple(result.reasons) == REASONS


@settings(max_examples=30, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(EXPERIENCES))
def test_a_bad_experience_never_keeps_clients(seed: int, name: str) -> None:
    segment, tenure, bad = population(seed, 100)
    before = expect_churn(segment, tenure, bad)
    after = expect_churn(segment, tenure, {**bad, name: np.ones(100, np.int64)})
    assert (after.leavers >= before.leavers - 1e-12).all()
    assert after.complaints >= before.complaints


def test_only_the_experience_that_happened_is_a_reason() -> None:
    n = 50
    result = expect_churn(np.zeros(n, np.uint8), np.full(n, 30), {"stuck": np.ones(n, bool)})
    assert result.reasons["stuck"] > 0.25
    assert result.reasons["refused"] == result.reasons["failed_login"] == result.reasons["abandoned_call"] == 0.0


def test_new_clients_leave_most_and_rich_ones_least() -> None:
    rates = [
        expect_churn(np.array([segment], np.uint8), np.array([tenure]), {}).per_thousand()
        for segment, tenure in ((Segment.GEN_Z, 2), (Segment.GEN_Z, 3), (Segment.HNW, 3))
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[1] > rates[2]


def test_assumed_inputs_are_marked() -> None:
    assumed = {name for name, value in vars(P).items() if isinstance(value, Parameter) and value.is_assumed}
    assert {f"ratio_{name}" for name in EXPERIENCES} <= assumed
    assert all(value.source for value in vars(P).values() if isinstance(value, Parameter))


def test_wrong_columns_and_parameters_are_refused() -> None:
    segment, tenure, _ = population(1, 10)
    with pytest.raises(DataError, match="late"):
        expect_churn(segment, tenure, {"late": np.ones(10)})
    with pytest.raises(DataError, match="stuck"):
        expect_churn(segment, tenure, {"stuck": np.ones(9)})
    with pytest.raises(DataError, match="segment 8"):
        expect_churn(np.full(10, 8, np.uint8), tenure, {})
    with pytest.raises(ScenarioError, match="ratio_stuck"):
        ChurnParameters(ratio_stuck=Parameter(0.9, "test"))
    with pytest.raises(ScenarioError, match="unsolved"):
        ChurnParameters(unsolved=Parameter(1.1, "test"))


def test_clients_beyond_one_piece_are_all_counted() -> None:
    rng = np.random.default_rng(2)
    n = 1_000_000
    segment, tenure = rng.integers(0, 4, n, dtype=np.uint8), rng.integers(0, 60, n, dtype=np.int16)
    bad = {name: rng.integers(0, 2, n, dtype=np.uint8) for name in EXPERIENCES}
    cells = count_cells(segment, tenure, bad, 3)
    assert int(cells.sum()) == n
    assert int(cells[2, 1, 9]) == int(
        np.count_nonzero(
            (segment == 2)
            & (tenure < 3)
            & (bad["stuck"] == 1)
            & (bad["failed_login"] == 1)
            & (bad["refused"] == 0)
            & (bad["abandoned_call"] == 0)
        )
    )
