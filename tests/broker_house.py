"""Hand-made cases through the broker's processes."""

from __future__ import annotations

import datetime as dt

import numpy as np

from twin.clock import DAY, at
from twin.contracts import Requests
from twin.process.calendar import WorkCalendar
from twin.process.distributions import Distribution
from twin.process.model import Branch, BySegment, Delay, ProcessModel, Task
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

Certain = BySegment[float]
OPENINGS = ("account-opening", "reformed/account-opening", "reformed/account-opening-embedded")


def constant(value: BySegment) -> BySegment:
    """The mean of a distribution, for certain."""
    return BySegment[Distribution](default=Distribution(mean=f"{int(value.default.mean_ns)} ns"))


def certain(model: ProcessModel, **ways: str) -> ProcessModel:
    """The process without luck: every time is its mean, nothing is done again, `ways` says where a node leads.

    Nodes with several ways lead the first.
    """
    nodes = {}
    for name, node in model.nodes.items():
        change: dict[str, object] = {}
        if isinstance(node, Task):
            change = {"service": constant(node.service), "rework": None, "patience": None, "on_abandon": None}
        if isinstance(node, Delay):
            change = {"duration": constant(node.duration)}
        if getattr(node, "kind", "") in ("task", "choice", "delay", "window") and len(node.branches) > 1:
            change["next"] = (Branch(to=ways.get(name, node.branches[0].to), probability=Certain(default=1.0)),)
        nodes[name] = node.model_copy(update=change)
    return model.model_copy(update={"nodes": nodes, "case_patience": None})


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
