"""M/M/c+M (Erlang-A, Palm 1957): share who abandon, mean wait of all, occupancy.

False alarms: 1e-5 per comparison. Found with probability 0.99: 3 to 9% of the share who abandon in overload, 70%
where hardly anybody does. Two lapses are shown to fail: service longer by 2%, and patience shorter by 8%.
"""

from __future__ import annotations

import pytest
from process_models import station
from theory import DisagreementError, agree, each, erlang_a, replicate

HANDLING, PATIENCE, SERVERS = 300.0, 240.0, 120
MODEL = station(
    SERVERS,
    f"{{distribution: exponential, mean: {HANDLING:.0f} s}}",
    f"{{distribution: exponential, mean: {PATIENCE:.0f} s}}",
)


@pytest.mark.parametrize(
    ("factor", "abandoned_percent", "wait_s", "defect"),
    [(1.0, 0.2, 0.0, 0.7), (1.5, 21.6, 52, 0.09), (2, 41.2, 99, 0.04), (3, 60.8, 146, 0.03), (5, 76.5, 184, 0.03)],
)
def test_abandonment_wait_and_occupancy(factor, abandoned_percent, wait_s, defect):
    load = 0.85 * SERVERS * factor
    lost, wait, busy = erlang_a(SERVERS, load, PATIENCE / HANDLING)
    # The formula itself against known values.
    assert 100 * lost == pytest.approx(abandoned_percent, abs=0.06)
    assert HANDLING * wait == pytest.approx(wait_s, abs=0.6)
    runs = replicate(MODEL, load / HANDLING, customers=int(20_000 * factor), replications=16, warm_up_s=3600)
    agree(each(runs, lambda s: s.nodes["desk"].abandonment), lost, defect)
    agree(each(runs, lambda s: s.nodes["desk"].mean_wait_s), wait * HANDLING, defect)
    agree(each(runs, lambda s: s.pools["agents"].utilisation), busy, 0.03)


@pytest.mark.parametrize(("servers", "load", "patience"), [(1, 0.9, 0.5), (5, 5.0, 2.0), (20, 22.0, 5.0)])
def test_small_systems_abandon_as_the_birth_and_death_chain_says(servers, load, patience):
    model = station(
        servers,
        "{distribution: exponential, mean: 1 s}",
        f"{{distribution: exponential, mean: {round(patience * 1000)} ms}}",
    )
    lost, wait, busy = erlang_a(servers, load, patience)
    runs = replicate(model, load, warm_up_s=200)
    agree(each(runs, lambda s: s.nodes["desk"].abandonment), lost, 0.08)
    agree(each(runs, lambda s: s.nodes["desk"].mean_wait_s), wait, 0.08)
    agree(each(runs, lambda s: s.pools["agents"].utilisation), busy, 0.01)


def test_service_longer_by_two_percent_is_found():
    load = 0.85 * SERVERS * 1.5
    model = station(SERVERS, "{distribution: exponential, mean: 306 s}", "{distribution: exponential, mean: 240 s}")
    runs = replicate(model, load / HANDLING, customers=30_000, replications=16, warm_up_s=3600)
    with pytest.raises(DisagreementError):
        agree(each(runs, lambda s: s.nodes["desk"].abandonment), erlang_a(SERVERS, load, PATIENCE / HANDLING)[0], 1.0)


def test_patience_shorter_by_a_twelfth_is_found():
    load = 0.85 * SERVERS * 1.5
    model = station(SERVERS, "{distribution: exponential, mean: 300 s}", "{distribution: exponential, mean: 220 s}")
    runs = replicate(model, load / HANDLING, customers=30_000, replications=16, warm_up_s=3600)
    with pytest.raises(DisagreementError):
        agree(each(runs, lambda s: s.nodes["desk"].mean_wait_s), HANDLING * erlang_a(SERVERS, load, 0.8)[1], 1.0)
