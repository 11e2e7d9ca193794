"""Who will leave: proportional hazards on what a client went through today, and the complaints it causes.

Assumes: a client leaves within the next month with probability 1 - exp(-hazard * ratios); the ratios of bad experiences
multiply (Cox 1972; the form fits a bank's attrition, domain row B31). Every hazard and ratio is an input: no measured
elasticity of churn to outages is known for China (row B34), so the number of leavers compares scenarios and forecasts
nothing. "Leaving" means that activity moves elsewhere; accounts are rarely closed (B33).

Does not model: what an unsolved complaint does to a client without a bad experience today, memory of earlier days.

The result is an expectation, not a draw: clients of equal segment, tenure and experience are counted and weighed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Segment
from twin.errors import DataError, ScenarioError

EXPERIENCES: tuple[str, ...] = ("stuck", "refused", "abandoned_call", "failed_login")
"""Bad experiences of a client today, in the order of their bits."""
REASONS: tuple[str, ...] = (*EXPERIENCES, "complaint", "service", "commission", "other")
N_SEGMENTS = len(Segment)
_N_MIXES = 1 << len(EXPERIENCES)
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Parameter:
    """A number with its source; `is_assumed` marks a modelling choice without evidence."""

    value: float
    source: str
    is_assumed: bool = False


@dataclass(frozen=True)
class ChurnParameters:
    """Inputs of churn and complaints.

    Args:
        hazard_new: per month, clients of less than `new_months`.
        hazard_mature: per month, other clients.
        hazard_hnw: per month, high-net-worth clients of any tenure beyond `new_months`, and institutions.
        new_months: tenure at which a client ceases to be new.
        ratio_stuck: hazard ratio after an outage of 30 min or an order that hung.
        ratio_refused: after an order was refused.
        ratio_abandoned_call: after giving up in the service queue.
        ratio_failed_login: after a login that failed.
        ratio_complaint: after a complaint that is not solved.
        complaint_year: tickets per client and year without a bad experience.
        complaint_chance: probability of a ticket after at least one bad experience.
        unsolved: share of tickets that are not settled.
        reason_service: share of service among the reasons of leavers without a bad experience.
        reason_commission: likewise, commission.
    """

    hazard_new: Parameter = Parameter(0.18, "row 89")
    hazard_mature: Parameter = Parameter(0.0165, "row 90")
    hazard_hnw: Parameter = Parameter(0.005, "row 90")
    new_months: int = 3
    ratio_stuck: Parameter = Parameter(1.5, "row 91; B34 is anecdotal", is_assumed=True)
    ratio_refused: Parameter = Parameter(1.05, "no source", is_assumed=True)
    ratio_abandoned_call: Parameter = Parameter(1.2, "no source", is_assumed=True)
    ratio_failed_login: Parameter = Parameter(1.2, "no source", is_assumed=True)
    ratio_complaint: Parameter = Parameter(2.0, "row 92, general knowledge", is_assumed=True)
    complaint_year: Parameter = Parameter(0.012, "row 85, in-house tickets")
    complaint_chance: Parameter = Parameter(0.03, "no source", is_assumed=True)
    unsolved: Parameter = Parameter(0.4, "B20: 60% settled")
    reason_service: Parameter = Parameter(0.62, "row 93")
    reason_commission: Parameter = Parameter(0.18, "row 93")

    def __post_init__(self) -> None:
        shares = ("complaint_chance", "unsolved", "reason_service", "reason_commission")
        for name, parameter in vars(self).items():
            if isinstance(parameter, Parameter):
                _require(parameter.value >= 0.0, name, parameter.value, "zero or more")
                _require(name not in shares or parameter.value <= 1.0, name, parameter.value, "at most 1")
                _require(not name.startswith("ratio") or parameter.value >= 1.0, name, parameter.value, "at least 1")
        both = self.reason_service.value + self.reason_commission.value
        _require(both <= 1.0, "reason_service + reason_commission", both, "at most 1")

    def ratios(self) -> NDArray[np.float64]:
        """Hazard ratio of each of `EXPERIENCES`."""
        return np.array([getattr(self, f"ratio_{name}").value for name in EXPERIENCES])


def _require(is_right: bool, name: str, value: float, right: str) -> None:
    if not is_right:
        raise ScenarioError(f"{name} = {value} cannot be used", where="churn", hint=f"It must be {right}.")


@dataclass(frozen=True)
class ChurnResult:
    """Expected leavers of the next month, and complaints of today.

    Args:
        clients: by segment.
        leavers: expected, by segment.
        leavers_baseline: expected had nothing bad happened, by segment.
        reasons: share of each of `REASONS` among the leavers; sums to 1 unless nobody leaves.
        complaints: expected tickets today.
        experienced: clients with each of `EXPERIENCES`.
    """

    clients: NDArray[np.int64]
    leavers: NDArray[np.float64]
    leavers_baseline: NDArray[np.float64]
    reasons: dict[str, float]
    complaints: float
    experienced: dict[str, int]

    def per_thousand(self, segment: Segment | None = None) -> float:
        """Expected leavers per 1,000 clients, of a segment or of all; 0 where there is no client."""
        place = slice(None) if segment is None else slice(segment, segment + 1)
        clients = int(self.clients[place].sum())
        return 1_000.0 * float(self.leavers[place].sum()) / clients if clients else 0.0


def count_cells(
    segment: NDArray[np.uint8],
    tenure: NDArray[np.integer],
    experiences: dict[str, NDArray[np.generic]],
    new_months: int,
) -> NDArray[np.int64]:
    """Clients by segment, whether new, and mix of experiences (bit i = `EXPERIENCES[i]` happened).

    Args:
        segment: `Segment` of each client.
        tenure: whole months as a client.
        experiences: by name from `EXPERIENCES`: a flag or a count per client; a missing one never happened.
        new_months: tenure at which a client ceases to be new.
    """
    unknown = sorted(set(experiences) - set(EXPERIENCES))
    wrong = [name for name, column in {**experiences, "tenure": tenure}.items() if len(column) != len(segment)]
    if unknown or wrong:
        raise DataError(f"experience {(unknown + wrong)[0]!r} does not fit", hint=f"Known: {', '.join(EXPERIENCES)}.")
    if len(segment) and int(segment.max()) >= N_SEGMENTS:
        raise DataError(f"segment {int(segment.max())} does not exist", hint=f"There are {N_SEGMENTS}.")
    counts = np.zeros(256, np.int64)
    for start in range(0, len(segment), _CHUNK):  # in pieces that stay in the cache
        rows = slice(start, start + _CHUNK)
        cell = segment[rows] << 5
        cell |= (tenure[rows] < new_months).view(np.uint8) << 4
        for bit, name in enumerate(EXPERIENCES):
            if name in experiences:
                cell |= (experiences[name][rows] != 0).view(np.uint8) << bit
        counts += np.bincount(cell, minlength=256)
    return counts[: N_SEGMENTS * 2 * _N_MIXES].reshape(N_SEGMENTS, 2, _N_MIXES)


def _baseline_hazards(p: ChurnParameters) -> NDArray[np.float64]:
    """Hazard per month by segment and whether the client is new."""
    hazards = np.full((N_SEGMENTS, 2), p.hazard_mature.value)
    hazards[[Segment.HNW, Segment.INSTITUTION], 0] = p.hazard_hnw.value
    hazards[:, 1] = p.hazard_new.value
    return hazards


def expect_churn(
    segment: NDArray[np.uint8],
    tenure: NDArray[np.integer],
    experiences: dict[str, NDArray[np.generic]],
    parameters: ChurnParameters | None = None,
    days_per_year: int = 243,
) -> ChurnResult:
    """Expected leavers of the next month with their reasons, and complaints of today.

    Args:
        segment: `Segment` of each client.
        tenure: whole months as a client.
        experiences: by name from `EXPERIENCES`: a flag or a count per client; a missing one never happened.
        parameters: inputs; the defaults if None.
        days_per_year: trading days over which the yearly rate of complaints is spread (row 22).
    """
    p = ChurnParameters() if parameters is None else parameters
    cells = count_cells(segment, tenure, experiences, p.new_months)
    mixes = np.arange(_N_MIXES)
    happened = (mixes[:, None] >> np.arange(len(EXPERIENCES))) & 1
    log_ratio = np.asarray(happened * np.log(p.ratios()), np.float64)
    ticket = np.where(mixes > 0, p.complaint_chance.value, p.complaint_year.value / days_per_year)
    unsolved = np.where(mixes > 0, ticket * p.unsolved.value, 0.0)
    hazard = _baseline_hazards(p)[:, :, None] * np.exp(log_ratio.sum(axis=1))
    calm = -np.expm1(-_baseline_hazards(p))[:, :, None] * np.ones(_N_MIXES)
    plain, angry = -np.expm1(-hazard), -np.expm1(-hazard * p.ratio_complaint.value)
    leave = plain + unsolved * (angry - plain)
    return ChurnResult(
        cells.sum(axis=(1, 2)),
        (cells * leave).sum(axis=(1, 2)),
        (cells * calm).sum(axis=(1, 2)),
        _reasons(p, cells, calm, plain, leave, log_ratio),
        float((cells.sum(axis=(0, 1)) * ticket).sum()),
        {name: int((cells * happened[:, bit]).sum()) for bit, name in enumerate(EXPERIENCES)},
    )


def _reasons(
    p: ChurnParameters,
    cells: NDArray[np.int64],
    calm: NDArray[np.float64],
    plain: NDArray[np.float64],
    leave: NDArray[np.float64],
    log_ratio: NDArray[np.float64],
) -> dict[str, float]:
    """Share of each reason: the excess over a calm day goes to the experiences in proportion to their log ratios."""
    total = float((cells * leave).sum())
    if total == 0.0:
        return dict.fromkeys(REASONS, 0.0)
    excess = (cells * (plain - calm)).sum(axis=(0, 1))
    weight = log_ratio.sum(axis=1)
    part = np.divide(log_ratio, weight[:, None], out=np.zeros_like(log_ratio), where=weight[:, None] != 0.0)
    shares = dict(zip(EXPERIENCES, (excess @ part / total).tolist(), strict=True))
    shares["complaint"] = float((cells * (leave - plain)).sum()) / total
    base = float((cells * calm).sum()) / total
    service, commission = p.reason_service.value, p.reason_commission.value
    shares |= {"service": base * service, "commission": base * commission, "other": base * (1 - service - commission)}
    return shares
