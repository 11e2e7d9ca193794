"""Closed networks: a fixed number of cases that circulate for ever, against mean value analysis and machine repair.

A run starts with all cases at one station; throughput and queues are taken after a warm-up. False alarms: 1e-5 per
comparison. Found with probability 0.99: 2 to 6% of throughput and queues; one case more and 2% more service are shown
to fail.
"""

from __future__ import annotations

import numpy as np
import pytest
from process_models import SECOND, requests_at
from theory import DisagreementError, agree, birth_death, each, mean_value_analysis

from twin.process.loader import parse_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.process.statistics import Statistics
from twin.randomness import Streams


def circulate(model: ProcessModel, cases: int, seconds: int, replications: int = 20) -> list[Statistics]:
    found = []
    for seed in range(2000, 2000 + replications):
        network = ProcessNetwork(model, Streams(seed), record=False)
        network.submit(requests_at(np.zeros(cases)))
        network.advance(seconds * SECOND // 20)
        network.reset_statistics()
        network.advance(seconds * SECOND)
        assert network.in_system == cases
        found.append(network.statistics())
    return found


def computer(service: str = "500 ms") -> ProcessModel:
    """Think, processor, one of two discs, back to the processor or to thought: the central server model."""
    return parse_process(f"""
name: central server
start: think
pools: {{cpu: {{staff: 1}}, disc1: {{staff: 1}}, disc2: {{staff: 1}}}}
nodes:
  think: {{kind: delay, duration: {{distribution: gamma, mean: 5 s, cv: 0.7}}, next: cpu}}
  cpu:
    kind: task
    pool: cpu
    service: {{distribution: exponential, mean: {service}}}
    next: [{{to: disc1, probability: 0.5}}, {{to: disc2, probability: 0.3}}, {{to: think, probability: 0.2}}]
  disc1: {{kind: task, pool: disc1, service: {{distribution: exponential, mean: 700 ms}}, next: cpu}}
  disc2: {{kind: task, pool: disc2, service: {{distribution: exponential, mean: 1 s}}, next: cpu}}
""")


@pytest.mark.parametrize("cases", [1, 4, 12])
def test_central_server_is_as_mean_value_analysis_says(cases):
    # Five visits to the processor per thought, 2.5 to the first disc and 1.5 to the second.
    throughput, number = mean_value_analysis([2.5, 1.75, 1.5], 5.0, cases)
    runs = circulate(computer(), cases, 40_000)
    rate = each(runs, lambda s: s.nodes["think"].completions / (s.pools["cpu"].observed / SECOND))
    agree(rate, throughput, 0.06)
    for pool, mean in zip(("cpu", "disc1", "disc2"), number, strict=True):
        present = each(runs, lambda s, p=pool: s.pools[p].mean_queue + s.pools[p].mean_busy)
        agree(present, mean, 0.12)


REPAIR = """
name: machine repair
start: run
pools: {{mechanics: {{staff: {mechanics}}}}}
nodes:
  run: {{kind: delay, duration: {up}, next: repair}}
  repair: {{kind: task, pool: mechanics, service: {{distribution: exponential, mean: {repair}}}, next: run}}
"""


def repair_shop(machines: int, mechanics: int, up: float, repair: float) -> tuple[float, float, float]:
    """Mean number down, mean number under repair and failures per s of the machine-repair model (Palm 1947)."""
    k = np.arange(machines)
    p = birth_death((machines - k) / up, np.minimum(k + 1, mechanics) / repair)
    state = np.arange(machines + 1)
    under = float(np.sum(np.minimum(state, mechanics) * p))
    return float(np.sum(state * p)), under, under / repair


@pytest.mark.parametrize(
    ("machines", "mechanics", "up"),
    [
        (6, 1, "{distribution: exponential, mean: 10 s}"),
        (20, 3, "{distribution: exponential, mean: 10 s}"),
        # Insensitive: the law of the time between repair and failure does not matter, its mean does.
        (20, 3, "{distribution: lognormal, mean: 10 s, cv: 1.5}"),
        (20, 3, "10 s"),
    ],
)
def test_machine_repair_has_the_finite_source_form(machines, mechanics, up):
    down, under, failures = repair_shop(machines, mechanics, 10.0, 2.0)
    runs = circulate(parse_process(REPAIR.format(mechanics=mechanics, up=up, repair="2 s")), machines, 30_000)
    agree(each(runs, lambda s: s.pools["mechanics"].mean_queue + s.pools["mechanics"].mean_busy), down, 0.08)
    agree(each(runs, lambda s: s.pools["mechanics"].mean_busy), under, 0.04)
    agree(each(runs, lambda s: s.nodes["repair"].starts / (s.pools["mechanics"].observed / SECOND)), failures, 0.04)


def test_one_case_more_and_longer_service_are_found():
    throughput, number = mean_value_analysis([2.5, 1.75, 1.5], 5.0, 4)
    more = circulate(computer(), 5, 20_000)
    rate = each(more, lambda s: s.nodes["think"].completions / (s.pools["cpu"].observed / SECOND))
    with pytest.raises(DisagreementError):
        agree(rate, throughput, 1.0)
    runs = circulate(computer("510 ms"), 4, 40_000)
    with pytest.raises(DisagreementError):
        agree(each(runs, lambda s: s.pools["cpu"].mean_busy + s.pools["cpu"].mean_queue), number[0], 1.0)
