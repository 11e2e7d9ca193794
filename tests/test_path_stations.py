from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from twin.clock import SECOND
from twin.kernels import stations as kernel
from twin.routing.config import Law, ServiceTime
from twin.routing.stations import Pacer, Pipe, Station

FAR = 1 << 60
Event = tuple[int, int]
checked = settings(derandomize=True, max_examples=150, deadline=None)

works = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 25)), max_size=40)
"""(arrival time, service demand); numbers small enough for many ties."""
changes = st.lists(st.tuples(st.integers(0, 90), st.integers(-1, 4)), max_size=4)


def arrivals(work: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(time, item, demand) sorted by (time, item)."""
    return sorted((t, k, s) for k, (t, s) in enumerate(work))


def reference_gg_c(work: list[tuple[int, int, int]], servers_at: dict[int, int], first: int) -> list[Event]:
    """First come, first served, one instant after the other, by its definition."""
    waiting, busy, out, servers = list(work), [], [], first
    for now in sorted({*servers_at, *(t for t, _, _ in work)} | set(range(120 + sum(s for _, _, s in work)))):
        while busy and busy[0][0] <= now:
            out.append(heapq.heappop(busy))
        servers = servers_at.get(now, servers)
        while waiting and waiting[0][0] <= now and (servers < 0 or len(busy) < servers):
            _, item, demand = waiting.pop(0)
            heapq.heappush(busy, (now + demand, item))
    return sorted(out)


def offer(station: Pipe, work: list[tuple[int, int, int]]) -> None:
    columns = np.array(work, np.int64).reshape(-1, 3)
    station.offer(columns[:, 0], columns[:, 1], columns[:, 2])


def collect(station: Station | Pacer, untils: list[int]) -> list[Event]:
    out: list[Event] = []
    for until in untils:
        times, items = station.advance(until)
        got = list(zip(times.tolist(), items.tolist(), strict=True))
        assert all(t < until for t, _ in got)
        out += got
    return out


@checked
@given(works, st.integers(-1, 4))
def test_station_equals_reference(work: list[tuple[int, int]], servers: int) -> None:
    sorted_work = arrivals(work)
    station = Station("s", servers)
    offer(station, sorted_work)
    assert collect(station, [FAR]) == reference_gg_c(sorted_work, {}, servers)


@checked
@given(works, st.integers(-1, 4), changes, st.lists(st.integers(0, 120), max_size=6))
def test_station_in_steps_with_changes_of_capacity_equals_reference(
    work: list[tuple[int, int]], servers: int, steps: list[tuple[int, int]], cuts: list[int]
) -> None:
    sorted_work, changes_at = arrivals(work), dict(steps)
    station, out, fed = Station("s", servers), [], 0
    for until in sorted({*changes_at, *cuts, FAR}):
        # Arrivals come as they do in the path: those before the step's end, sorted.
        upto = sum(t < until for t, _, _ in sorted_work)
        offer(station, sorted_work[fed:upto])
        fed = upto
        out += collect(station, [until])
        if until in changes_at:
            station.set_servers(changes_at[until])
    assert out == reference_gg_c(sorted_work, changes_at, servers)


def test_station_with_no_arrivals_gives_nothing() -> None:
    assert collect(Station("s", 3), [10, 20, FAR]) == []


def test_station_out_of_order_holds_work_until_it_is_mended() -> None:
    station = Station("s", 0)
    offer(station, [(1, 0, 5), (2, 1, 5)])
    assert collect(station, [100]) == []
    station.set_servers(1)
    assert collect(station, [FAR]) == [(105, 0), (110, 1)]


def queue_waits(load: float, servers: int, law: Law, n: int = 200_000) -> tuple[np.ndarray, float]:
    """Waiting times and mean service of Poisson arrivals at a station."""
    rng = np.random.default_rng(17)
    mean = 1_000_000
    times = np.cumsum(rng.exponential(mean / (load * servers), n)).astype(np.int64)
    constant = np.full(n, mean, np.int64)
    demands = constant if law is Law.CONSTANT else np.maximum(rng.exponential(mean, n), 1).astype(np.int64)
    station = Station("s", servers)
    items = np.arange(n)
    station.offer(times, items, demands)
    left, who = station.advance(FAR)
    out = np.empty(n, np.int64)
    out[who] = left
    return out - times - demands, mean


def batch_interval(x: np.ndarray) -> float:
    """Half-width of a 99.9 % interval of the mean by 40 batches."""
    means = x[: len(x) // 40 * 40].reshape(40, -1).mean(axis=1)
    return float(means.std(ddof=1) / math.sqrt(40) * stats.t.ppf(0.9995, 39))


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (4, 0.8), (20, 0.9)])
def test_mmc_waits_equal_erlang_c(servers: int, load: float) -> None:
    offered = servers * load
    top = offered**servers / math.factorial(servers) / (1 - load)
    p_wait = top / (sum(offered**k / math.factorial(k) for k in range(servers)) + top)
    waits, mean = queue_waits(load, servers, Law.EXPONENTIAL)
    assert abs(waits.mean() - p_wait * mean / (servers * (1 - load))) < batch_interval(waits)
    assert abs((waits > 0).mean() - p_wait) < batch_interval(waits > 0)


def test_md1_waits_equal_pollaczek_khinchine() -> None:
    waits, mean = queue_waits(0.8, 1, Law.CONSTANT)
    assert abs(waits.mean() - 0.8 * mean / (2 * 0.2)) < batch_interval(waits)


def test_demands_follow_their_laws() -> None:
    def draws(service: ServiceTime) -> np.ndarray:
        law = service.array()
        return np.array([kernel.demand_of(law, (k + 0.5) / 8_000) for k in range(8_000)])

    assert set(draws(ServiceTime(700, Law.CONSTANT)).tolist()) == {700}
    assert stats.kstest(draws(ServiceTime(10**9)) / 1e9, "expon").pvalue > 0.001
    sigma = math.sqrt(math.log(1.25))
    lognormal = stats.lognorm(sigma, scale=1e9 * math.exp(-sigma * sigma / 2))
    assert lognormal.mean() == pytest.approx(1e9)
    assert stats.kstest(draws(ServiceTime(10**9, Law.LOGNORMAL, 0.5)), lognormal.cdf).pvalue > 0.001


def test_normal_quantile_equals_scipy() -> None:
    p = np.concatenate([np.logspace(-15, -1, 60), np.linspace(0.1, 0.9, 50), 1 - np.logspace(-12, -1, 60)])
    ours = np.array([kernel.normal_quantile(float(x)) for x in p])
    assert np.allclose(ours, stats.norm.ppf(p), rtol=2e-9, atol=1e-9)


# ---- time budget --------------------------------------------------------------------------------------------------


def reference_budget(
    work: list[tuple[int, int, int]], servers: int, budget: int
) -> tuple[list[tuple[int, int, bool]], list[Event]]:
    """When each asker leaves (and whether without an answer), and the late answers."""
    answers = dict((item, t) for t, item in reference_gg_c(work, {}, servers))
    left, late = [], []
    for arrival, item, _ in work:
        answer, due = answers.get(item, FAR), arrival + budget
        left.append((min(answer, due), item, answer > due))
        if due < answer < FAR:
            late.append((answer, item))
    return sorted(left), sorted(late)


@checked
@given(works, st.integers(-1, 3), st.integers(0, 30), st.lists(st.integers(0, 120), max_size=6))
def test_lookup_with_budget_equals_reference(
    work: list[tuple[int, int]], servers: int, budget: int, cuts: list[int]
) -> None:
    sorted_work = arrivals(work)
    station, overdue, timely = Station("s", servers), Pipe("late"), Pipe("timely")
    overdue.queue, timely.queue = np.empty((1, 3), np.int64), np.empty((1, 3), np.int64)
    got: list[tuple[int, int, bool]] = []
    late: list[Event] = []
    fed = 0
    for until in sorted({*cuts, 5_000}):
        upto = sum(t < until for t, _, _ in sorted_work)
        offer(station, sorted_work[fed:upto])
        fed = upto
        state, most = 1, 1
        while state:
            slow = np.empty((most, 2), np.int64)
            m, state = kernel.serve_within(
                station.queue, station.heap, station.numbers, overdue.queue, overdue.numbers, budget, until,
                timely.queue, timely.numbers, slow, most,
            )  # fmt: skip
            late += [(int(t), int(i)) for t, i in slow[:m]]
            if state in (kernel.FIRST_FULL, kernel.SECOND_FULL):
                pipe = timely if state == kernel.FIRST_FULL else overdue
                pipe.reserve(1)
        n = most
        while n == most:
            out = np.empty((most, 2), np.int64)
            n = kernel.merge(
                timely.queue, timely.numbers, overdue.queue, overdue.numbers, until, kernel.LATE, out, most
            )
            got += [(int(t), int(i & ~kernel.LATE), bool(i & kernel.LATE)) for t, i in out[:n]]
    expected, expected_late = reference_budget(sorted_work, servers, budget)
    assert sorted(got) == expected
    assert [t for t, _, _ in got] == [t for t, _, _ in expected]
    assert late == expected_late


# ---- flow control -------------------------------------------------------------------------------------------------


def reference_pacer(times: list[int], limit: int, length: int, windows: list[tuple[int, int]], end: int) -> list[Event]:
    """Slot by slot, nanosecond by nanosecond."""
    waiting, out = list(enumerate(times)), []
    used: dict[int, int] = {}
    for now in range(end):
        while waiting and waiting[0][1] <= now and any(a <= now < b for a, b in windows):
            if used.get(now // length, 0) >= limit:
                break
            used[now // length] = used.get(now // length, 0) + 1
            out.append((now, waiting.pop(0)[0]))
    return out


@checked
@given(
    st.lists(st.integers(0, 80), max_size=40),
    st.integers(1, 4),
    st.integers(3, 10),
    st.lists(st.integers(0, 60), min_size=4, max_size=4, unique=True),
    st.lists(st.integers(0, 120), max_size=6),
)
def test_pacer_equals_reference(times: list[int], limit: int, length: int, edges: list[int], cuts: list[int]) -> None:
    a, b, c, d = sorted(edges)
    windows = ((a, b), (c, d), (90, 600))
    times = sorted(times)
    pacer = Pacer("p", limit * SECOND / length, length, windows)
    out, fed = [], 0
    for until in sorted({*cuts, 600}):
        upto = sum(t < until for t in times)
        offer(pacer, [(t, k, 0) for k, t in enumerate(times)][fed:upto])
        fed = upto
        out += collect(pacer, [until])
    assert out == reference_pacer(times, limit, length, list(windows), 600)


def test_pacer_defers_and_never_refuses_under_overload() -> None:
    rate, seconds = 1_000, 20
    rng = np.random.default_rng(2)
    times = np.sort(rng.integers(0, seconds * SECOND, 3 * rate * seconds))
    pacer = Pacer("p", rate, SECOND)
    pacer.offer(times, np.arange(len(times)), np.zeros(len(times), np.int64))
    passed, items = pacer.advance(100 * SECOND)
    assert items.tolist() == list(range(len(times)))
    assert (passed >= times).all()
    assert np.bincount(passed // SECOND).tolist() == [rate] * (3 * seconds)
    delay = (passed - times).reshape(seconds, -1).mean(axis=1)
    assert (np.diff(delay) > 0).all()


def test_pacer_without_limit_passes_at_once_and_with_zero_holds() -> None:
    pacer = Pacer("p", None, SECOND)
    offer(pacer, [(5, 0, 0), (5, 1, 0)])
    assert collect(pacer, [6]) == [(5, 0), (5, 1)]
    pacer.set_rate(0)
    offer(pacer, [(8, 2, 0)])
    assert collect(pacer, [20]) == []
    pacer.set_rate(7)
    assert collect(pacer, [30]) == [(20, 2)]


def test_queue_room_is_reused_and_grows() -> None:
    station = Station("s", 1)
    done = 0
    for k in range(200):
        times = np.arange(k * 1_000, k * 1_000 + 500)
        station.offer(times, times, np.ones(500, np.int64))
        done += len(station.advance((k + 1) * 1_000)[0])
    assert done == 100_000
    assert len(station.queue) == 4_096
    station.offer(np.full(50_000, 10**6), np.arange(50_000), np.ones(50_000, np.int64))
    assert len(station.advance(FAR)[0]) == 50_000


def test_kernel_says_when_an_array_is_full() -> None:
    queue, numbers = np.zeros((1, 3), np.int64), np.zeros(kernel.N_NUMBERS, np.int64)
    assert kernel.put(queue, numbers, 1, 1, 1)
    assert not kernel.put(queue, numbers, 1, 1, 1)
    numbers[kernel.SERVERS] = 1
    nothing, no_heap = np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64)
    heap = np.zeros((1, 2), np.int64)
    assert kernel.serve(queue, no_heap, numbers, FAR, nothing, 0) == (0, kernel.HEAP_FULL)
    assert kernel.serve(queue, heap, numbers, FAR, nothing, 0) == (0, kernel.OUT_FULL)
    assert kernel.serve(queue, heap, numbers, FAR, np.zeros((1, 2), np.int64), 1) == (1, kernel.DONE)


def test_use_reports_load_since_the_last_look() -> None:
    station = Station("s", 2)
    offer(station, [(0, 0, 40), (0, 1, 40), (0, 2, 20)])
    station.advance(50)
    use = station.use()
    assert (use.waiting, use.in_service, use.started, use.utilisation) == (0, 1, 3, 1.0)
    station.advance(100)
    assert station.use().utilisation == 0.0
    pacer = Pacer("p", 100, SECOND)
    pacer.offer(np.arange(50), np.arange(50), np.zeros(50, np.int64))
    pacer.advance(SECOND)
    assert pacer.use().utilisation == 0.5
