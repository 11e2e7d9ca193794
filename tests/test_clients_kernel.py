"""The client cohorts' kernels: exact against a plain reference, Poisson in law, the same luck in every scenario."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy import stats

from agents.behaviour.profile import LoginProfile, OrderProfile
from agents.kernels import clients as kernel
from agents.sampling import alias_table
from twin.clock import TICK, Phase, at, trading_ticks
from twin.kernels import philox
from twin.ledger import Ledger
from twin.randomness import Stream, Streams

STREAMS = Streams(20260915, 2)


@dataclass
class Cohort:
    """Arrays of a small cohort in which everybody can buy."""

    n: int
    rate: float = 20.0
    out_rows: int = 4096
    instruments: int = 5
    heads: np.ndarray = field(init=False)

    def __post_init__(self):
        n, m = self.n, self.instruments
        self.wheel = np.zeros(n, kernel.WHEEL)
        self.client = np.arange(100, 100 + n, dtype=np.int64)
        self.wheel["client"], self.wheel["weight"] = self.client, self.rate
        self.wheel["risk_class"], self.wheel["permission"] = 5, 7
        self.heads = np.full(8 * kernel.BUCKETS_PER_UNIT, -1, np.int32)
        ledger = Ledger(100 + n, 2 * n)
        ledger.cash[:] = 10**10
        ledger.open_slots(self.client, np.full(n, 2), np.tile([0, 1], n), np.full(2 * n, 300))
        self.cash, self.slot_start, self.slot_count = ledger.cash, ledger.slot_start, ledger.slot_count
        self.slot_instrument, self.sellable = ledger.instrument, ledger.sellable
        self.price = np.arange(1000, 1000 + 100 * m, 100, dtype=np.int64)
        self.probability, self.alias = alias_table(np.ones(m))
        kernel.schedule(
            STREAMS.key, STREAMS.replication, int(Stream.ACTION), np.arange(n), 0.0, self.wheel,
            self.heads,
        )  # fmt: skip

    def act(self, now, until, t0, t1):
        m = self.instruments
        rows = []
        out = np.empty((self.out_rows, 8), np.int64)
        while True:
            n = kernel.act(
                STREAMS.key, STREAMS.replication, int(Stream.ACTION), int(Stream.DECISION), now, until, t0, t1, False,
                0.0, self.wheel, self.heads, self.cash, self.slot_start, self.slot_count, self.slot_instrument,
                self.sellable,
                self.price, self.price - 1, self.price + 1, self.price * 9 // 10, self.price * 11 // 10,
                np.full(m, 100), np.zeros(m, np.int64), np.full(m, 3), self.probability, self.alias, self.probability,
                self.alias, np.arange(m), np.arange(2), 0.2, 0.06, 0.95, 0.4, 0.0, 0.0, math.log(1e6), 1.0, 0.36, 0.22,
                0.0008, 1.6, 0.012, np.empty(7, np.int64), out,
            )  # fmt: skip
            rows.append(out[:n].copy())
            if n < self.out_rows:
                return np.concatenate(rows)


def reference_points(client, rate, until):
    """Operational times of a client's actions before `until`, drawn one by one."""
    points, t, k = [], 0.0, 0
    while True:
        gap = philox.exponential(STREAMS.key, STREAMS.replication, int(Stream.ACTION), client, k)
        t += gap / rate
        if t >= until:
            return points
        points.append(t)
        k += 1


@pytest.mark.parametrize("steps", [1, 7, 400])
def test_actions_fall_exactly_where_a_plain_loop_puts_them(steps):
    cohort = Cohort(60)
    edges = np.linspace(0.0, 1.0, steps + 1)
    seen = []
    for i in range(steps):
        rows = cohort.act(edges[i], edges[i + 1], i * TICK, (i + 1) * TICK)
        seen += [(int(r[1]), int(r[7]), int(r[0])) for r in rows]
    expected = []
    for client in cohort.client:
        for k, point in enumerate(reference_points(client, cohort.rate, 1.0)):
            i = int(np.searchsorted(edges, point, side="right")) - 1
            scale = TICK / (edges[i + 1] - edges[i])
            expected.append((int(client), k, i * TICK + int((point - edges[i]) * scale)))
    assert sorted(seen) == sorted(expected)


def test_a_full_buffer_loses_nothing():
    whole = Cohort(50).act(0.0, 1.0, 0, TICK)
    pieces = Cohort(50, out_rows=3).act(0.0, 1.0, 0, TICK)
    key = np.lexsort
    assert np.array_equal(whole[key(whole.T)], pieces[key(pieces.T)])


def test_compiled_decisions_equal_interpreted_ones(monkeypatch):
    compiled = Cohort(40).act(0.0, 0.5, 0, TICK)
    monkeypatch.setattr(kernel, "act", kernel.act.py_func)
    interpreted = Cohort(40)
    interpreted.wheel = interpreted.wheel.view(np.recarray)
    assert np.array_equal(compiled, interpreted.act(0.0, 0.5, 0, TICK))


def test_a_busier_day_reaches_more_of_the_same_points():
    calm = Cohort(80).act(0.0, 0.5, 0, TICK)
    busy = Cohort(80).act(0.0, 1.0, 0, TICK)
    points = {(r[1], r[7]) for r in busy}
    assert len(busy) > len(calm)
    assert {(r[1], r[7]) for r in calm} <= points


def test_numbers_of_actions_are_poisson():
    cohort = Cohort(4000, rate=5.0, out_rows=65536)
    rows = cohort.act(0.0, 1.0, 0, TICK)
    counts = np.bincount(rows[:, 1] - 100, minlength=cohort.n)
    observed = np.bincount(np.minimum(counts, 12), minlength=13)
    probability = stats.poisson.pmf(np.arange(12), 5.0)
    expected = cohort.n * np.append(probability, 1.0 - probability.sum())
    assert stats.chisquare(observed, expected).pvalue > 0.001


def test_orders_are_legal_and_within_means():
    cohort = Cohort(2000, out_rows=65536)
    cohort.cash[:] = 500_000
    rows = cohort.act(0.0, 0.5, 0, TICK)
    buys = rows[rows[:, 3] > 0]
    sells = rows[rows[:, 3] < 0]
    assert len(buys) > 1000
    assert len(sells) > 1000
    assert (rows[:, 6] > 0).all()
    assert (buys[:, 6] % 100 == 0).all()
    assert (sells[:, 6] <= 300).all()
    assert np.isin(sells[:, 2], [0, 1]).all()
    limit = rows[:, 4] == 0
    price = cohort.price[rows[:, 2]]
    assert (rows[limit, 5] >= price[limit] * 9 // 10).all()
    assert (rows[limit, 5] <= price[limit] * 11 // 10).all()
    value = buys[:, 6] * cohort.price[buys[:, 2]]
    assert (value <= 500_000).mean() > 0.99


def test_login_thresholds_are_exponential_with_the_hazard():
    out = np.empty(50_000)
    kernel.login_thresholds(STREAMS.key, 0, int(Stream.LOGIN), 0, 0.25, out)
    assert stats.kstest(out * 0.25, "expon").pvalue > 0.001


def test_an_alias_table_gives_back_its_weights():
    weights = np.array([0.0, 1.0, 2.5, 7.0, 0.3])
    probability, alias = alias_table(weights)
    share = probability / len(weights)
    for i, a in enumerate(alias):
        share[a] += (1.0 - probability[i]) / len(weights)
    assert share == pytest.approx(weights / weights.sum(), abs=1e-12)


def test_profiles_sum_to_one_and_follow_the_table_of_parameters():
    ticks = list(trading_ticks(at("08:45"), at("15:05")))
    orders, logins = OrderProfile().shares(ticks), LoginProfile().shares(ticks)
    start = np.array([t.start for t in ticks])
    assert orders.sum() == pytest.approx(1.0)
    assert logins.sum() == pytest.approx(1.0)
    continuous = np.array([t.phase == Phase.CONTINUOUS for t in ticks])
    first = continuous & (start < at("10:00"))
    last = continuous & (start >= at("14:30"))
    acting = orders * np.cumsum(logins)  # only those who have logged in can act
    acting /= acting.sum()
    assert acting[first].sum() / acting[continuous].sum() == pytest.approx(0.28, abs=0.03)
    assert acting[last].sum() / acting[continuous].sum() == pytest.approx(0.15, abs=0.03)
    assert acting[continuous].max() / 3 * 6.2e6 == pytest.approx(2_500, rel=0.1)
    assert logins[(start >= at("09:30")) & (start < at("09:35"))].sum() == pytest.approx(0.30)
    assert orders[start >= at("15:00")].sum() == pytest.approx(0.0, abs=1e-12)
