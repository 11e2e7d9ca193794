"""Small processes and arrivals that several tests use."""

from __future__ import annotations

import numpy as np

from twin.contracts import Requests
from twin.process.calendar import WorkCalendar
from twin.process.loader import parse_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Stream, Streams

SECOND = 1_000_000_000


def requests_at(times, first: int = 0, segment: int = 0) -> Requests:
    t = np.asarray(times, np.int64)
    number = np.arange(first, first + len(t), dtype=np.int64)
    return Requests(t, number, number, np.full(len(t), segment, np.int64))


def poisson_times(rate_per_s: float, n: int, seed: int) -> np.ndarray:
    gaps = Streams(seed).exponential(Stream.TEST, np.arange(n))
    return (np.cumsum(gaps) / rate_per_s * SECOND).astype(np.int64)


def station(servers: int | str, service: str, patience: str | None = None) -> ProcessModel:
    """One queue: `service` and `patience` are flow mappings of a distribution."""
    line = f"\n    patience: {patience}" if patience else ""
    return parse_process(f"""
name: station
start: desk
pools: {{agents: {{staff: {servers}}}}}
nodes:
  desk:
    kind: task
    pool: agents
    service: {service}{line}
    next: done
  done: {{kind: end}}
""")


def seven_stages(patience: str = "2 h") -> ProcessModel:
    """The onboarding network with patience and rework of which the mean values are known from five other engines."""
    means, servers = (0.3, 0.5, 0.8, 0.4, 1.0, 0.6, 0.25), (4, 7, 11, 6, 13, 8, 4)
    lines = ["name: seven", "start: s1", "pools:", *(f"  p{i + 1}: {{staff: {c}}}" for i, c in enumerate(servers))]
    lines.append("nodes:")
    for i, mean in enumerate(means, 1):
        lines += [
            f"  s{i}:",
            "    kind: task",
            f"    pool: p{i}",
            f"    service: {{distribution: exponential, mean: {mean} h}}",
            f"    patience: {{distribution: exponential, mean: {patience}}}",
            f"    next: {f's{i + 1}' if i < len(means) else 'done'}",
        ]
        if i > 1:
            lines.append(f"    rework: {{to: s{i - 1}, probability: 0.1}}")
    return parse_process("\n".join([*lines, "  done: {kind: end}"]))


def run_all(model: ProcessModel, times, *, seed: int = 1, warm_up: int = 0, segment: int = 0) -> ProcessNetwork:
    """Everything through an empty network; statistics from `warm_up` (ns) to the last arrival."""
    network = ProcessNetwork(model, Streams(seed), WorkCalendar(), record=False)
    network.submit(requests_at(times, segment=segment))
    if warm_up:
        network.advance(warm_up)
        network.reset_statistics()
    network.advance(int(times[-1]) + 1)
    return network
