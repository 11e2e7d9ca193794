"""Hand-made cases through the broker's processes."""

from __future__ import annotations

import datetime as dt

import numpy as np

from scenarios.offices import process_names
from twin.clock import DAY, at
from twin.contracts import Requests
from twin.process.calendar import WorkCalendar
from twin.process.distributions import Distribution
from twin.process.model import Branch, BySegment, Delay, ProcessModel, Task
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

NAMES = process_names()
"""Every process file."""
Certain = BySegment[float]
OPENINGS = ("account-opening", "reformed/account-opening", "reformed/account-opening-embedded")


def constant(value: BySegment) -> BySegment:
    """The mean of every distribution, for certain."""

    def mean(law: Distribution) -> Distribution:
        return Distribution(mean=f"{int(law.mean_ns)} ns")

    cases = tuple(case.model_copy(update={"value": mean(case.value)}) for case in value.cases)
    segments = {name: mean(law) for name, law in value.by_segment.items()}
    return value.model_copy(update={"default": mean(value.default), "by_segment": segments, "cases": cases})


def certain(model: ProcessModel, values: dict[str, str] | None = None, **ways: str) -> ProcessModel:
    """The process without luck: every time is its mean, nothing is done again.

    Args:
        model: the process.
        values: categories that attributes have for certain.
        ways: where nodes lead; others with several ways that are drawn lead the first.
    """
    nodes = {}
    for name, node in model.nodes.items():
        change: dict[str, object] = {}
        if isinstance(node, Task):
            change = {"service": constant(node.service), "rework": None, "patience": None, "on_abandon": None}
        if isinstance(node, Delay):
            change = {"duration": constant(node.duration)}
        if node.kind in ("task", "choice", "delay", "window"):
            drawn = len(node.branches) > 1 and not any(b.when or b.probability.cases for b in node.branches)
            if name in ways or drawn:
                way = ways.get(name, node.branches[0].to)
                change["next"] = (Branch(to=way, probability=Certain(default=1.0)),)
        nodes[name] = node.model_copy(update=change)
    attributes = dict(model.attributes)
    for name, value in (values or {}).items():
        shares = {k: float(k == value) for k in attributes[name].names}
        attributes[name] = attributes[name].model_copy(update={"shares": shares})
    return model.model_copy(update={"nodes": nodes, "attributes": attributes, "case_patience": None})


def staffed(model: ProcessModel, pool: str, staff: int) -> ProcessModel:
    """The process with another number of people in a pool."""
    changed = model.pools[pool].model_copy(update={"staff": staff})
    return model.model_copy(update={"pools": model.pools | {pool: changed}})


def moment(day: dt.date, first: dt.date, time: str) -> int:
    return (day - first).days * DAY + at(time)


def run_cases(model: ProcessModel, times, first: dt.date, days: int = 40, segment: int = 0):
    """Cases at instants; returns (time of end, outcome) per case, -1 if it has not ended."""
    network = ProcessNetwork(model, Streams(1), WorkCalendar(first))
    number = np.arange(len(times), dtype=np.int64)
    network.submit(Requests(np.asarray(times, np.int64), number, number, np.full(len(times), segment, np.int64)))
    ended = network.advance(days * DAY)
    end, outcome = np.full(len(times), -1), np.full(len(times), -1)
    end[ended.request], outcome[ended.request] = ended.time, ended.outcome
    return end, outcome
