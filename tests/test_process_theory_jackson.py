"""Open networks with feedback: Jackson's product form (1957), station by station.

False alarms: 1e-5 per comparison. Found with probability 0.99: 6 to 15% of a mean queue, 4% of the sojourn time; a way
back taken with another probability, and service longer by 2%, are shown to fail.
"""

from __future__ import annotations

import pytest
from theory import DisagreementError, agree, each, erlang_c_wait, replicate

from twin.process.loader import parse_process
from twin.process.model import ProcessModel

RATE = 1.0


def two_stations(back: float = 0.25, service: str = "1 s") -> ProcessModel:
    return parse_process(f"""
name: jackson
start: a
pools: {{p: {{staff: 2}}, q: {{staff: 1}}}}
nodes:
  a:
    kind: task
    pool: p
    service: {{distribution: exponential, mean: {service}}}
    next: [{{to: b, probability: 0.6}}, {{to: done, probability: 0.4}}]
  b:
    kind: task
    pool: q
    service: {{distribution: exponential, mean: 500 ms}}
    rework: {{to: a, probability: {back}}}
    next: done
  done: {{kind: end}}
""")


def exact() -> tuple[dict[str, float], dict[str, float], float]:
    """Mean queue and work under way of each pool, and mean sojourn time. Traffic: a = 1 + 0.25 * 0.6 a; b = 0.6 a."""
    a = RATE / (1 - 0.15)
    rho = 0.5 * 0.6 * a
    queues = {"p": a * erlang_c_wait(2, a), "q": rho * rho / (1 - rho)}
    busy = {"p": a, "q": rho}
    return queues, busy, (sum(queues.values()) + sum(busy.values())) / RATE


def test_queues_work_and_sojourn_have_product_form():
    runs = replicate(two_stations(), RATE)
    queues, busy, sojourn = exact()
    for pool in queues:
        agree(each(runs, lambda s, p=pool: s.pools[p].mean_queue), queues[pool], 0.15)
        agree(each(runs, lambda s, p=pool: s.pools[p].mean_busy), busy[pool], 0.03)
    agree(each(runs, lambda s: s.cases.mean_sojourn_s), sojourn, 0.06)


THREE = """
name: three stations
start: route
pools: {fast: {staff: 3}, slow: {staff: 2}, desk: {staff: unlimited}}
nodes:
  route: {kind: choice, next: [{to: fast, probability: 0.7}, {to: slow, probability: 0.3}]}
  fast:
    kind: task
    pool: fast
    service: {distribution: exponential, mean: 2 s}
    next: [{to: slow, probability: 0.2}, {to: desk, probability: 0.5}, {to: done, probability: 0.3}]
  slow:
    kind: task
    pool: slow
    service: {distribution: exponential, mean: 3 s}
    next: [{to: fast, probability: 0.1}, {to: done, probability: 0.9}]
  desk:
    kind: task
    pool: desk
    service: {distribution: lognormal, mean: 4 s, cv: 2}
    next: done
  done: {kind: end}
"""


def test_three_stations_with_a_choice_and_many_servers():
    # fast = 0.7 + 0.1 slow; slow = 0.3 + 0.2 fast. The unlimited station may have any law (BCMP 1975).
    fast = (0.7 + 0.1 * 0.3) / (1 - 0.1 * 0.2)
    slow = 0.3 + 0.2 * fast
    runs = replicate(parse_process(THREE), RATE, customers=30_000)
    agree(each(runs, lambda s: s.pools["fast"].mean_queue), fast * 2 * erlang_c_wait(3, 2 * fast), 0.15)
    agree(each(runs, lambda s: s.pools["slow"].mean_queue), slow * 3 * erlang_c_wait(2, 3 * slow), 0.25)
    agree(each(runs, lambda s: s.pools["desk"].mean_busy), 0.5 * fast * 4, 0.05)
    visits = each(runs, lambda s: s.nodes["fast"].arrivals / s.nodes["route"].arrivals)
    agree(visits, fast, 0.02)


@pytest.mark.parametrize("model", [two_stations(back=0.3), two_stations(service="1020 ms")])
def test_another_way_back_or_longer_service_is_found(model):
    runs = replicate(model, RATE)
    with pytest.raises(DisagreementError):
        agree(each(runs, lambda s: s.cases.mean_sojourn_s), exact()[2], 1.0)
