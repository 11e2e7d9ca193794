"""Finds the one free parameter of account opening: how heavily a minute of the applicant's own work weighs.

Command: `python -m scenarios.calibration.fit_account_opening`. It raises or lowers `case_patience.burden` until the
ordinary day loses the reported share of applicants (domain row 52). Common random numbers make the loss a rising
function of the burden, so that bisection finds it.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

from twin.clock import DAY
from twin.onboarding.opening import AccountOpening
from twin.process.calendar import WorkCalendar
from twin.process.loader import load_process
from twin.process.model import ProcessModel
from twin.randomness import Streams

TARGET = 0.35
PROCESS = Path(__file__).resolve().parents[1] / "processes" / "account-opening.yaml"
_DAY = dt.date(2026, 9, 15)
_REPLICATIONS = 8
_STEPS = 12


def loss(model: ProcessModel, burden: float) -> float:
    """Mean share of applicants lost on an ordinary day."""
    assert model.case_patience is not None
    patience = model.case_patience.model_copy(update={"burden": burden})
    changed = model.model_copy(update={"case_patience": patience})
    lost = 0.0
    for replication in range(_REPLICATIONS):
        opening = AccountOpening(changed, Streams(1, replication), WorkCalendar(_DAY))
        opening.advance(2 * DAY)
        lost += opening.measures().abandonment
    return lost / _REPLICATIONS


def fit(model: ProcessModel, target: float = TARGET) -> float:
    """The burden at which the ordinary day loses `target` of its applicants, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(model, middle) < target else (low, middle)
    return (low + high) / 2


if __name__ == "__main__":
    opening_model = load_process(PROCESS)
    best = fit(opening_model)
    sys.stdout.write(f"case_patience.burden = {best:.3f} (loss {loss(opening_model, best):.3f}, target {TARGET})\n")
