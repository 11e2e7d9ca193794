"""The call centre as a process network: voice menu, one queue, agents, patience.

Assumes: one queue, first come, first served; any agent takes any call; he is busy for the call and its turnaround.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenarios.calibration.call_centre.records import Calls
from twin.clock import SECOND
from twin.contracts import Requests, Segment
from twin.errors import DataError
from twin.process.distributions import Distribution
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TARGET_S = 20
GROUPS = len(Segment)
"""Types of call that the network tells apart; they take the places of its kinds of client."""
AGENTS = "agents"


@dataclass(frozen=True)
class Group:
    """What the mechanism knows of one type of call: equally likely values in s."""

    menu: tuple[float, ...]
    service: tuple[float, ...]
    patience: tuple[float, ...]


@dataclass(frozen=True)
class Ended:
    """Calls of one run: when they came (s), how long they waited (s), whether they were served; by arrival number."""

    arrived: Floats
    wait: Floats
    served: NDArray[np.bool_]

    @classmethod
    def of(cls, calls: Calls) -> Ended:
        """Recorded calls in this form."""
        return cls(calls.arrived, calls.wait, calls.served)


def table(sample: ArrayLike, size: int = 200) -> tuple[float, ...]:
    """`size` equally likely values with the mean of a sample: means of its slices by rank."""
    ordered = np.sort(np.asarray(sample, np.float64))
    if not len(ordered):
        raise DataError("a sample of durations is empty")
    edges = np.linspace(0.0, len(ordered), size + 1)
    area = np.concatenate([[0.0], np.cumsum(ordered)])
    means = np.diff(np.interp(edges, np.arange(len(ordered) + 1), area)) / np.diff(edges)
    return tuple(float(x) for x in means.round(2))


def with_turnaround(service: Sequence[float], turnaround: Sequence[float], size: int = 400) -> tuple[float, ...]:
    """Sum of two independent samples, as `size` equally likely values."""
    return table(np.add.outer(np.asarray(service), np.asarray(turnaround)).ravel(), size)


def merge_cells(weight: ArrayLike, features: ArrayLike, most: int) -> Ints:
    """Label (0 up, the heaviest first) of every cell after merging those that differ least, until `most` are left.

    Ward's criterion (1963): a merger costs w1 * w2 / (w1 + w2) * squared distance of the two means.

    Args:
        weight: of each cell; cells without weight take the label of the nearest one.
        features: one row per cell.
        most: labels wanted at most.
    """
    w, f = np.asarray(weight, np.float64), np.asarray(features, np.float64)
    label = np.arange(len(w))
    mass, mean = np.maximum(w, 1e-12), f.copy()
    alive = list(range(len(w)))
    while len(alive) > most:
        a = np.asarray(alive)
        gap = np.sum((mean[a][:, None] - mean[a][None]) ** 2, axis=2)
        cost = mass[a][:, None] * mass[a][None] / (mass[a][:, None] + mass[a][None]) * gap
        cost[np.tril_indices(len(a))] = np.inf
        i, j = (int(a[k]) for k in np.unravel_index(int(np.argmin(cost)), cost.shape))
        mean[i] = (mass[i] * mean[i] + mass[j] * mean[j]) / (mass[i] + mass[j])
        mass[i] += mass[j]
        label[label == j] = i
        alive.remove(j)
    order = sorted(alive, key=lambda k: -mass[k])
    return np.asarray([order.index(k) for k in label.tolist()], np.int64)


def _duration(values: Sequence[float]) -> Distribution:
    return Distribution.model_validate({"distribution": "sample", "values": tuple(map(float, values)), "unit": "1 s"})


def process_model(groups: Sequence[Group], turnaround: Sequence[float]) -> ProcessModel:
    """The process with the given durations (s); agents come by `ProcessNetwork.plan_staff`."""
    if not 1 <= len(groups) <= GROUPS:
        raise DataError(
            f"{len(groups)} types of call", hint=f"The network tells {GROUPS} apart; put the rest together."
        )

    def by_group(values: list[Distribution]) -> dict[str, object]:
        return {"default": values[0], "by_segment": {Segment(i).name.lower(): v for i, v in enumerate(values)}}

    def service(group: Group) -> Distribution:
        return _duration(with_turnaround(group.service, turnaround))

    call = {
        "kind": "task",
        "pool": AGENTS,
        "service": by_group([service(g) for g in groups]),
        "patience": by_group([_duration(g.patience) for g in groups]),
        "target": f"{TARGET_S} s",
        "next": "end",
    }
    menu = {"kind": "delay", "duration": by_group([_duration(g.menu) for g in groups]), "next": "call"}
    nodes = {"menu": menu, "call": call, "end": {"kind": "end"}}
    return ProcessModel.model_validate(
        {"name": "call centre", "start": "menu", "pools": {AGENTS: {"staff": 0}}, "nodes": nodes}
    )


def simulate(
    model: ProcessModel, arrived: ArrayLike, group: ArrayLike, staff: tuple[ArrayLike, ArrayLike], streams: Streams
) -> Ended:
    """Run calls through the process until the last has ended.

    Args:
        model: from `process_model`.
        arrived: s, rising, not negative.
        group: number of each call's type.
        staff: instants (s, rising) and the number of agents from then on; the last should not be zero for ever.
        streams: random numbers of the replication.
    """
    times = np.round(np.asarray(arrived, np.float64) * SECOND).astype(np.int64)
    number = np.arange(len(times), dtype=np.int64)
    network = ProcessNetwork(model, streams)
    instants = np.round(np.asarray(staff[0], np.float64) * SECOND).astype(np.int64)
    network.plan_staff(AGENTS, instants, np.asarray(staff[1], np.int64))
    network.submit(Requests(times, number, number, np.asarray(group, np.int64)))
    outcomes = network.drain()
    wait, served = np.zeros(len(times)), np.zeros(len(times), np.bool_)
    wait[outcomes.request] = outcomes.wait / SECOND
    served[outcomes.request] = outcomes.outcome == 0
    return Ended(times / SECOND, wait, served)


MEASURES = ("arrivals", "mean_wait_s", "abandoned", "served_within_20_s")


def tally(ended: Ended, days: int) -> Floats:
    """Sums by day and hour of arrival, float64[days, 24, 4]: calls, wait in s, abandoned, served within the target."""
    cell = (ended.arrived // 3600).astype(np.int64)
    inside = (cell >= 0) & (cell < days * 24)
    within = ended.served & (ended.wait <= TARGET_S)
    columns = [np.ones(len(cell)), ended.wait, ~ended.served, within]
    sums = [np.bincount(cell[inside], np.asarray(c, np.float64)[inside], days * 24) for c in columns]
    return np.stack(sums, axis=1).astype(np.float64).reshape(days, 24, len(MEASURES))


def ratios(sums: Floats) -> Floats:
    """Sums (last axis as in `tally`) as measures: calls, mean wait, share abandoned, share served in time."""
    calls = sums[..., :1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([calls, sums[..., 1:] / calls], axis=-1)
