"""What a day leaves behind: samples taken while it runs, and the measures at its end."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
import simpy
from numpy.typing import NDArray

from agents.kernels.timers import FLAG_LOGIN_SLOW, FLAG_REFUSED, FLAG_STUCK
from scenarios.night import Night
from scenarios.offices import Offices
from scenarios.schema import Scenario
from scenarios.trading import TradingDay
from twin.clock import HOUR, MINUTE, SECOND, Clock, Phase, at, phase_at
from twin.contracts import Exchange, Segment
from twin.measures.churn import ChurnParameters, ChurnResult, Parameter, expect_churn
from twin.measures.cost import UnitPrices, Usage, cost_day
from twin.measures.tidy import MeasureTable, Timeline
from twin.randomness import Stream, Streams

MEAN_TENURE = 120
"""Mean months with the broker, exponential: 2.5% of clients are new within three months (assumed)."""
_EXCHANGE_GATEWAYS = tuple(exchange.name.lower() for exchange in Exchange)
_PERCENTILES = ((50.0, "p50"), (99.0, "p99"), (99.9, "p999"))


class Recorder:
    """Samples of one day, once a minute, and its measures.

    Args:
        scenario: what is simulated.
        day, offices, night: the parts of the house.
        replication: its number.
    """

    def __init__(self, scenario: Scenario, day: TradingDay, offices: Offices, night: Night, replication: int) -> None:
        self.scenario, self.day, self.offices, self.night = scenario, day, offices, night
        self.measures, self.timeline = MeasureTable(replication), Timeline(replication)
        self._samples: dict[tuple[str, str], list[tuple[int, float]]] = {}
        self._busy: dict[str, list[float]] = {}
        self._logins = 0

    def run(self, clock: Clock) -> Generator[simpy.Event, None, None]:
        """SimPy process: look at the trading day every minute from its first tick to its last."""
        first, last = self.day.ticks[0].start, self.day.ticks[-1].end
        yield clock.wait_until(first)
        while clock.now < last:
            yield clock.wait_until(min(clock.now + MINUTE, last))
            self._look(clock.now)

    def _sample(self, series: str, key: str, now: int, value: float) -> None:
        if math.isfinite(value):
            self._samples.setdefault((series, key), []).append((now, value))

    def _look(self, now: int) -> None:
        day = self.day
        queues: dict[str, float] = {}
        for name, use in day.path.snapshot().items():
            key = "exchange_gateway" if name in _EXCHANGE_GATEWAYS else name
            queues[key] = queues.get(key, 0.0) + use.waiting
            if phase_at(now - 1) == Phase.CONTINUOUS and math.isfinite(use.utilisation):
                self._busy.setdefault(key, []).append(use.utilisation)
        for key, length in queues.items():
            self._sample("queue_length", key, now, length)
        society = day.society
        self._sample("logins_per_s", "", now, (society.logins - self._logins) / 60.0)
        self._logins = society.logins
        for cohort in society.cohorts:
            self._sample("attention", cohort.segment.name.lower(), now, cohort.attention.level)
        self._look_at_market(now)

    def _look_at_market(self, now: int) -> None:
        market = self.day.market
        if self.day.feed.faults:
            self._sample("index", "seen", now, float((market.last / market.reference).mean()))
            last = self.day.engine_quotes.last
            traded = np.where(last > 0, last, market.reference)
        else:
            traded = market.last
        self._sample("index", "traded", now, float((traded / market.reference).mean()))
        self._sample("index", "news", now, 1.0 + self.day.society.sight.index_return)
        stopped = float(self.day.exchange.stopped.mean())
        if stopped > 0 or ("stopped", "") in self._samples:
            self._sample("stopped", "", now, stopped)
        if self.day.exchange.trading.any():
            two_sided = (market.bid > 0) & (market.ask > 0)
            if two_sided.any():
                self._sample("spread_ticks", "", now, float((market.ask - market.bid)[two_sided].mean()))
            self._sample("depth", "best5", now, float(self.day.engine.depth_all(5).mean()))

    def finish(self, streams: Streams) -> None:
        """Work out all measures and lay down the timeline."""
        self._counts = self.day.path.counts()
        self._orders()
        self._latency()
        self._onboarding()
        self._desk()
        self._compliance()
        churn = self._churn(streams)
        self._efficiency(churn)
        self._write_timeline()

    def _add(self, name: str, value: float, segment: str = "") -> None:
        if math.isfinite(value):
            self.measures.add(name, value, segment)

    def _orders(self) -> None:
        day, counts = self.day, self._counts
        orders = day.orders
        segment = day.population.segment[orders.column("account")]
        quantity, filled = orders.column("quantity"), orders.column("filled")
        self._add("orders_submitted", len(orders))
        self._add("fill_share", filled.sum(dtype=np.int64) / max(int(quantity.sum(dtype=np.int64)), 1))
        for part in Segment:
            mine = segment == part
            if mine.any():
                name = part.name.lower()
                self._add("orders_submitted", int(mine.sum()), name)
                self._add("fill_share", filled[mine].sum(dtype=np.int64) / quantity[mine].sum(dtype=np.int64), name)
        refused = {**counts.refused}
        for reason, number in counts.rejected.items():
            refused[reason] = refused.get(reason, 0) + number
        total = max(len(orders), 1)
        self._add("order_refused_share", sum(refused.values()) / total)
        for reason in sorted(refused):
            self._add("order_refused_share", refused[reason] / total, reason.name.lower())
        self._add("order_stuck_count", counts.stuck)
        self._add("order_stuck_share", counts.stuck / total)
        seconds = np.bincount(orders.column("submitted") // SECOND) if len(orders) else np.zeros(1)
        self._add("peak_orders_per_s", float(seconds.max()))
        minutes = np.add.reduceat(seconds, np.arange(0, len(seconds), 60)) / 60.0 if len(orders) else np.zeros(1)
        busy = np.flatnonzero(minutes)
        self.timeline.add("orders_per_s", (busy + 1) * MINUTE, minutes[busy])

    def _latency(self) -> None:
        books = self.day.path.latency
        for q, name in _PERCENTILES:
            self._add(f"order_latency_{name}", books.stage("total", q) / 1e6)
            by_minute = books.minutes.percentile(q) / 1e6
            known = np.flatnonzero(np.isfinite(by_minute))
            self.timeline.add("order_latency_ms", (known + 1) * MINUTE, by_minute[known], name)
        self._add("logins", self.day.society.logins)
        self._add("login_wait_p99", float(books.logins.pooled().percentile(99.0)[0]) / SECOND)
        self._add("core_queue_max", self.day.core_queue_max)
        for key, values in self._busy.items():
            self._add("utilisation", float(np.mean(values)), key)

    def _onboarding(self) -> None:
        opening = self.offices.opening
        result, statistics = opening.measures(), opening.statistics()
        self._add("onboarding_applications", result.applications)
        self._add("onboarding_time_mean", result.active_mean_min)
        self._add("onboarding_abandoned_share", result.abandonment)
        for step, lost in result.lost_by_step.items():
            self._add("onboarding_entered", statistics.nodes[step].arrivals, step)
            self._add("onboarding_lost", lost, step)

    def _desk(self) -> None:
        result = self.offices.desk.measures()
        self._add("service_calls", result.calls)
        self._add("service_wait_mean", result.wait_all_mean_s)
        self._add("service_wait_p90", result.wait_p90_s)
        self._add("service_abandoned_share", result.abandonment)
        self._add("service_level_20s", result.service_level)

    def _compliance(self) -> None:
        counts, batch = self._counts, self.night.batch
        self._add("unsuitable_blocked", counts.unsuitable_blocked)
        self._add("unsuitable_passed", counts.unsuitable_passed)
        self._add("late_checks", counts.late_checks)
        self._add("reconciliation_differences", self.night.differences)
        self._add("cash_out_of_balance", self.day.cash_difference)
        if batch is not None:
            self._add("next_open_late", batch.open_late / MINUTE)
            self._add("accounts_late", batch.accounts_late)

    def _churn(self, streams: Streams) -> ChurnResult:
        people = self.day.population
        n = people.n_active
        active, flags = people.active[:n], people.flags[:n]

        def happened(clients: NDArray[np.int64]) -> NDArray[np.bool_]:
            column = np.zeros(people.clients, np.bool_)
            column[clients] = True
            return column

        experiences = {
            "stuck": happened(active[(flags & FLAG_STUCK) != 0]),
            "refused": happened(active[(flags & FLAG_REFUSED) != 0]),
            "failed_login": happened(active[(flags & FLAG_LOGIN_SLOW) != 0]),
            "abandoned_call": happened(self.offices.clients_who_gave_up()),
        }
        months = streams.exponential(Stream.POPULATION, np.arange(people.clients), 5) * MEAN_TENURE
        tenure = np.minimum(months, 255.0).astype(np.uint8)
        section = self.scenario.churn
        result = expect_churn(
            people.segment[: people.clients], tenure, {k: v.view(np.uint8) for k, v in experiences.items()},
            ChurnParameters(
                hazard_new=Parameter(section.hazard_new, "scenario"),
                hazard_mature=Parameter(section.hazard_mature, "scenario"),
                hazard_hnw=Parameter(section.hazard_hnw, "scenario"),
                ratio_stuck=Parameter(section.ratio_outage, "scenario", is_assumed=True),
                ratio_complaint=Parameter(section.ratio_complaint, "scenario", is_assumed=True),
            ),
        )  # fmt: skip
        self._add("complaints", result.complaints)
        self._add("churn_expected_month", float(result.leavers.sum()))
        self._add("churn_hazard_month", result.per_thousand())
        for part in Segment:
            if result.clients[part]:
                self._add("churn_expected_month", float(result.leavers[part]), part.name.lower())
                self._add("churn_hazard_month", result.per_thousand(part), part.name.lower())
        return result

    def _staff(self) -> dict[str, int]:
        """People's time on duty by pool, in ns."""
        offices = {"opening": self.offices.opening.statistics(), "desk": self.offices.desk.statistics()}
        pools = {f"{name}: {pool}": use for name, office in offices.items() for pool, use in office.pools.items()}
        staff = {name: round(pool.staffed) for name, pool in pools.items() if pool.is_staff}
        for name, pool in pools.items():
            if pool.is_staff and math.isfinite(pool.utilisation):
                self._add("utilisation", pool.utilisation, name)
        if self.night.batch is not None:
            staff["reconciliation"] = self.night.batch.staff_on_duty
        return staff

    def _efficiency(self, churn: ChurnResult) -> None:
        staff, batch, prices = self._staff(), self.night.batch, self.scenario.costs
        for pool, time in staff.items():
            self._add("staff_hours", time / HOUR, pool)
        self._add("staff_hours", sum(staff.values()) / HOUR)
        path = self.scenario.order_path
        usage = Usage(
            staff=staff,
            core_capacity=round(path.core.capacity or 0),
            gateways=len(Exchange) * path.exchange_gateway.per_exchange,
            applicants=self.offices.opening.measures().applications,
            complaints=churn.complaints,
            late_open=batch.open_late if batch else 0,
        )
        unit = UnitPrices(
            staff_hour=prices.staff_hour,
            core_per_1000=prices.core_per_1000,
            gateway_day=prices.gateway_day,
            account_acquisition=prices.account_acquisition,
        )
        costs = cost_day(usage, unit)
        for kind, fen in costs.items():
            self._add("cost_day", fen / 100.0, kind)
        self._add("cost_day", sum(costs.values()) / 100.0)
        if self.night.netting is not None:
            self._add("revenue_day", float(self.night.netting.commission.sum()) / 100.0)
        if batch is not None:
            self._add("batch_finish", batch.finish_hour)
            self._add("batch_breaks", len(batch.breaks))
            self._add("records_cleared", batch.records)

    def _write_timeline(self) -> None:
        opening, closing = at("08:45"), at("22:00")
        for (series, key), rows in {**self._samples, **self.offices.samples}.items():
            kept = [row for row in rows if series in ("queue_length", "index") or opening <= row[0] <= closing]
            if kept:
                times, values = zip(*kept, strict=True)
                self.timeline.add(series, times, values, key)
        batch = self.night.batch
        if batch is not None and batch.sample_time:
            ends = [*batch.sample_time, batch.finish]
            self.timeline.add("batch_queue", ends, [*batch.sample_records, 0], "records")
            self.timeline.add("batch_queue", ends, [*batch.sample_breaks, batch.carried], "breaks")
