"""The three legal outcomes of suitability, and late checks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.compliance.suitability import LOWEST, OUTCOMES, Decision, Outcome, decide, outcome, review_late
from twin.contracts import Alerts, Reason
from twin.errors import DataError

CASES = list(itertools.product(range(6), (False, True), range(1, 6), (False, True)))


@pytest.mark.parametrize(("client", "professional", "risk", "insists"), CASES)
def test_decision_follows_the_law(client: int, professional: bool, risk: int, insists: bool) -> None:
    got = decide(client, professional, risk, insists)
    if professional or risk <= max(client, 1):
        assert got == Decision.ALLOWED
    elif client == LOWEST:
        assert got == Decision.BLOCKED
    else:
        assert got == (Decision.CONFIRMED if insists else Decision.WITHDRAWN)


def test_lowest_class_has_no_override_but_c1_has() -> None:
    risks = np.arange(2, 6)
    assert (outcome(LOWEST, False, risks) == Outcome.BLOCK).all()
    assert (outcome(1, False, risks) == Outcome.WARN).all()
    assert (decide(LOWEST, False, risks, True) == Decision.BLOCKED).all()


@settings(max_examples=50, derandomize=True)
@given(client=st.integers(0, 4), risk=st.integers(1, 5), professional=st.booleans())
def test_a_higher_class_is_never_treated_worse(client: int, risk: int, professional: bool) -> None:
    assert outcome(client + 1, professional, risk) <= outcome(client, professional, risk)
    if risk < 5:
        assert outcome(client, professional, risk + 1) >= outcome(client, professional, risk)


def test_columns_are_decided_row_by_row() -> None:
    columns = [np.array(c) for c in zip(*CASES, strict=True)]
    assert decide(*columns).tolist() == [int(decide(*case)) for case in CASES]


def test_unrated_instruments_pass_in_the_table_but_not_in_the_function() -> None:
    assert not OUTCOMES[:, :, 0].any()
    for client, risk in ((6, 1), (-1, 1), (1, 0), (1, 6)):
        with pytest.raises(DataError, match="out of range"):
            outcome(client, False, risk)


def alerts_at(times: list[int]) -> Alerts:
    n = len(times)
    time = np.array(times, np.int64)
    return Alerts(time, np.arange(n), np.arange(n), np.full(n, int(Reason.CHECK_TIMEOUT)))


def test_late_checks_wait_for_a_reviewer_first_come_first_served() -> None:
    law = np.array([Outcome.ALLOW, Outcome.WARN, Outcome.BLOCK, Outcome.ALLOW])
    review = review_late(alerts_at([0, 1, 2, 50]), law, reviewers=2, check_time=10)
    assert review.decisions.time.tolist() == [10, 11, 20, 60]
    passed, late = Decision.ALLOWED, Decision.BLOCKED
    assert review.decisions.decision.tolist() == [passed, late, late, passed]
    assert review.unsuitable == 2
    assert review_late(alerts_at([0]), law[:1], 1, 10, opens=100).decisions.time.tolist() == [110]


@settings(max_examples=40, derandomize=True)
@given(times=st.lists(st.integers(0, 500), max_size=40).map(sorted), reviewers=st.integers(1, 5))
def test_more_reviewers_never_decide_later(times: list[int], reviewers: int) -> None:
    law = np.zeros(len(times), np.int64)
    few = review_late(alerts_at(times), law, reviewers, 30).decisions.time
    many = review_late(alerts_at(times), law, reviewers + 1, 30).decisions.time
    assert (many <= few).all()


def test_no_reviewer_is_refused() -> None:
    with pytest.raises(DataError, match="reviewers"):
        review_late(Alerts.empty(), np.empty(0, np.int64), 0, 1)
