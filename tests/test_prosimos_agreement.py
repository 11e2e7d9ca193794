"""Models run by Prosimos itself: our means lie within the intervals of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prosimos_models import own

REFERENCE = json.loads((Path(__file__).parent / "prosimos_reference.json").read_text(encoding="utf-8"))["models"]
_FAR = 4.0
"""Standard errors of the difference; chance exceeds it once in 16 thousand."""


def differences(known, found):
    """How many standard errors of the difference lie between two sets of means."""
    return {
        key: abs(mean - known[key][0]) / max((known[key][1] ** 2 + error**2) ** 0.5, 1e-9 * mean)
        for key, (mean, error) in found.items()
        if mean or known[key][0]
    }


@pytest.mark.parametrize("name", ["queue", "differing", "gateways", "rework", "timer", "part_time", "batch_in_a_row"])
def test_results_are_those_of_prosimos(name, tmp_path):
    found = differences(REFERENCE[name], own(name, tmp_path, 40))
    assert all(far < _FAR for far in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["office", "shifted", "batch_at_once"])
def test_results_with_hours_and_limits_are_those_of_prosimos(name, tmp_path):
    found = differences(REFERENCE[name], own(name, tmp_path, 60))
    assert all(far < _FAR for far in found.values()), found


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["prosimos_Insurance_Claims", "prosimos_Loan_Application", "prosimos_BPIC_2012_W"])
def test_recorded_models_run_as_in_prosimos(name, shared_data, tmp_path):
    file = shared_data / "process" / "models" / f"{name}.bpmn"
    found = differences(REFERENCE[name], own(str(file), tmp_path, 20))
    assert all(far < _FAR for far in found.values()), found


def test_wrong_rule_of_allocation_is_seen(tmp_path):
    # With the house's own default nobody waits for people who are not there.
    found = differences(REFERENCE["part_time"], own("part_time", tmp_path, 30, given_to="on_duty"))
    assert found["cycle_s"] > _FAR


def test_wrong_model_is_seen(tmp_path):
    found = differences(REFERENCE["queue"], own("differing", tmp_path, 40))
    assert found["cycle_s"] > _FAR
