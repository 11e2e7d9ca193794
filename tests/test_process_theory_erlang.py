"""M/M/c and M/M/c/c against Erlang: mean wait, who waits, the whole distribution of waits, who is lost.

False alarms: 1e-5 per comparison. Found with probability 0.99: the relative defects stated; 2% more service, for one,
moves the mean wait of ten servers at 0.9 by a fifth.
"""

from __future__ import annotations

import math

import pytest
from process_models import station
from theory import EXPONENTIAL_1S, DisagreementError, agree, each, erlang_b, erlang_c, erlang_c_wait, replicate

from twin.kernels.durations import SUB_BINS

CASES = [(1, 0.6, 0.06), (3, 2.4, 0.1), (10, 9.0, 0.2), (40, 36.0, 0.4)]


@pytest.mark.parametrize(("servers", "load", "defect"), CASES)
def test_mean_wait_and_who_waits_are_erlang_c(servers, load, defect):
    runs = replicate(station(servers, EXPONENTIAL_1S), load)
    agree(each(runs, lambda s: s.nodes["desk"].mean_wait_s), erlang_c_wait(servers, load), defect)
    waiting = each(runs, lambda s: 1 - s.nodes["desk"].without_wait / s.nodes["desk"].starts)
    agree(waiting, erlang_c(servers, load), defect / 2)
    agree(each(runs, lambda s: s.pools["agents"].utilisation), load / servers, 0.02)
    agree(each(runs, lambda s: s.pools["agents"].mean_queue), load * erlang_c_wait(servers, load), defect)


@pytest.mark.parametrize(("servers", "load", "defect"), [(3, 2.4, 0.15), (10, 8.0, 0.35)])
def test_waits_have_an_exponential_tail(servers, load, defect):
    runs = replicate(station(servers, EXPONENTIAL_1S), load)
    # Bins begin at powers of two of ns, so beyond 2**k ns the counts are exact.
    for power in (27, 28, 29, 30):
        first = (power - 4) * SUB_BINS
        t = 2.0**power / 1e9
        beyond = each(runs, lambda s, i=first: s.nodes["desk"].waits.counts[i:].sum() / s.nodes["desk"].starts)
        agree(beyond, erlang_c(servers, load) * math.exp(-(servers - load) * t), defect)


@pytest.mark.parametrize(
    ("servers", "load", "service"),
    [
        (2, 1.5, EXPONENTIAL_1S),
        (8, 9.0, EXPONENTIAL_1S),
        (8, 9.0, "{distribution: lognormal, mean: 1 s, cv: 1.5}"),
        (8, 9.0, "1 s"),
    ],
)
def test_loss_without_patience_is_erlang_b_whatever_the_service_law(servers, load, service):
    # Who has no patience at all leaves at once: M/G/c/c, insensitive to the law of the service (Sevastyanov 1957).
    runs = replicate(station(servers, service, "0 s"), load, customers=20_000, warm_up_s=50)
    agree(each(runs, lambda s: s.nodes["desk"].abandonment), erlang_b(servers, load), 0.05)
    busy = load * (1 - erlang_b(servers, load)) / servers
    agree(each(runs, lambda s: s.pools["agents"].utilisation), busy, 0.02)


@pytest.mark.parametrize("service", ["1020 ms", "980 ms"])
def test_service_wrong_by_two_percent_is_found(service):
    runs = replicate(station(3, f"{{distribution: exponential, mean: {service}}}"), 2.4)
    with pytest.raises(DisagreementError):
        agree(each(runs, lambda s: s.nodes["desk"].mean_wait_s), erlang_c_wait(3, 2.4), 1.0)
    lost = replicate(station(8, f"{{distribution: exponential, mean: {service}}}", "0 s"), 9.0, customers=20_000)
    with pytest.raises(DisagreementError):
        agree(each(lost, lambda s: s.nodes["desk"].abandonment), erlang_b(8, 9.0), 1.0)


def test_one_server_too_many_is_found_at_once():
    runs = replicate(station(11, EXPONENTIAL_1S), 9.0, customers=10_000, replications=8)
    with pytest.raises(DisagreementError):
        agree(each(runs, lambda s: s.nodes["desk"].mean_wait_s), erlang_c_wait(10, 9.0), 1.0)
