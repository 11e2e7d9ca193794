"""Queueing networks per second: the twin's kernel beside Cimba, SimPy, Ciw and Prosimos on the same models, in one run.

Models: M/M/c with c = 10 and utilisation 0.9; the seven-stage onboarding network with exponential patience and 10%
rework, plain and with priorities, shifts and deadlines; the same where nobody leaves, since Prosimos has no patience.
The rate is per customer of CPU time and includes the drawing of arrivals; compilation is left out. Ours is measured
before the first peer and after each. The engines' mean times must agree within 4.5 standard errors, or the row says so.

Rates were once measured, and aims set, on a reference machine. The last row of a group brings the aim to the speed of
this machine, which is what the peers do here over what they did there; its ratio is our rate over that.

Command: `python -m benchmarks processes`
"""

from __future__ import annotations

import functools
import gc
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measure import Row, missing, row, timed
from benchmarks.networks import PATIENCE, Run, run_twin, seven_stages, single_queue, sojourn_h, wait_s
from benchmarks.peers_processes import QUEUE, Peer, PeerError, numbers
from benchmarks.peers_processes.python_engines import ciw_single, ciw_stages, simpy_single, simpy_stages
from twin.process.model import ProcessModel
from twin.process.statistics import Statistics

_SIGMAS = 4.5
_ENDLESS = 100_000.0
"""Hours of patience that nobody reaches."""
REFERENCE = "abandoned 0.217, 5.13 h, 7.343 visits"
"""Results of the seven stages that other engines agree on."""


@dataclass(frozen=True)
class Answer:
    """What an engine did: customers a round, CPU seconds of each, mean, its standard error, note."""

    work: int
    seconds: list[float]
    mean: float
    error: float
    note: str = ""


@dataclass(frozen=True)
class Rival:
    """A peer: its name, how to run it, and customers per second on the reference machine."""

    name: str
    run: Callable[[], Answer]
    there: float | None = None


def _here(simulate: Callable[[int, int], tuple[float, float]], n: int, rounds: int = 2) -> Callable[[], Answer]:
    """An engine of the main environment."""

    def measure() -> Answer:
        seconds, results = [], []
        for seed in range(1, rounds + 1):
            gc.collect()
            begun = time.process_time()
            results.append(simulate(n, seed))
            seconds.append(time.process_time() - begun)
        return Answer(n, seconds, *_pooled(results))

    return measure


def _there(peer: Peer, rounds: int, *arguments: object) -> Callable[[], Answer]:
    """An engine with an environment of its own; the last argument is the network."""

    def measure() -> Answer:
        a = peer.ask(*arguments[:-1], rounds, arguments[-1])
        runs = a["runs"]
        left = [r["abandoned"] for r in runs if r.get("abandoned")]
        note = f"abandoned {statistics.fmean(left):.3f}, " if left else ""
        pooled = _pooled([(r["mean"], r["error"]) for r in runs])
        return Answer(a["customers"], [r["seconds"] for r in runs], *pooled, f"{note}version {a['version']}")

    return measure


def _pooled(results: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean of independent runs, and its standard error."""
    return statistics.fmean(r[0] for r in results), math.sqrt(sum(r[1] ** 2 for r in results)) / len(results)


def _group(
    title: str, ours: Callable[[], Run], n: int, rivals: Sequence[Rival], aim: float | None = None, note: str = ""
) -> list[Row]:
    """Rows of ours, of the rivals and of the aim."""
    run, seconds = timed(ours, 5)
    answers: list[tuple[Rival, Answer]] = []
    problems: list[Row] = []
    for rival in rivals:
        try:
            answers.append((rival, rival.run()))
        except PeerError as error:
            problems.append(missing(f"{title}, {rival.name}", str(error)))
        seconds += timed(ours, 2)[1]
    rows = [_our_row(title, run, n, seconds, None, note)]
    first = rows[0]["rate"]
    rows[0]["ratio"] = 1.0
    speeds = []
    for rival, answer in answers:
        remarks = _remarks(run, rival, answer, aim)
        rows.append(row(f"{title}, {rival.name}", answer.work, answer.seconds, first, remarks))
        if rival.there:
            speeds.append(rows[-1]["rate"] / rival.there)
    if aim is not None and speeds:
        rows.append(_aim_row(title, aim, statistics.geometric_mean(speeds), first))
    return rows + problems


def _remarks(run: Run, rival: Rival, answer: Answer, aim: float | None) -> str:
    """The rival's results, whether they agree with ours, and its rate on the reference machine."""
    agrees = abs(answer.mean - run.mean) <= _SIGMAS * math.hypot(answer.error, run.error)
    parts = [f"mean {answer.mean:.3f} +- {answer.error:.3f}" + ("" if agrees else " DOES NOT AGREE WITH OURS")]
    parts += [answer.note] if answer.note else []
    if rival.there:
        times = f", {aim / rival.there:,.3g} times which is the aim" if aim else ""
        parts.append(f"reference machine {rival.there:,.0f}/s{times}")
    return "; ".join(parts)


def _aim_row(title: str, aim: float, speed: float, first: float) -> Row:
    """The aim at this machine's speed; its ratio is our rate over it."""
    note = f"aim of {aim:,.0f}/s on the reference machine x {speed:.2f}, the peers' speed here over that there"
    empty = missing(f"{title}, the aim for this machine", note)
    return empty | {"rate": aim * speed, "ratio": first / (aim * speed)}


def _our_row(title: str, run: Run, n: int, seconds: Sequence[float], first: float | None, note: str = "") -> Row:
    rate = run.events / statistics.median(seconds) / 1e6
    parts = [f"mean {run.mean:.3f} +- {run.error:.3f}"]
    if run.abandoned:
        parts.append(f"abandoned {run.abandoned:.3f}")
    if run.visits > 1:
        parts.append(f"{run.visits:.3f} visits")
    if "deadlines" in title:
        parts.append(f"{run.within:.1%} within half an hour")
    parts += [f"{rate:.1f} million events/s", *([note] if note else [])]
    return row(title, n, seconds, first, "; ".join(parts))


def _memory_rows(lengths: Sequence[int]) -> list[Row]:
    """Peak memory of processes that run ever more cases and nothing else."""
    rows = []
    for n in lengths:
        done = subprocess.run([sys.executable, "-m", "benchmarks.networks", str(n)], capture_output=True, text=True)
        if done.returncode:
            rows.append(missing(f"7 stages, memory of {n:,} cases", done.stderr.strip()[-200:]))
            continue
        answer = json.loads(done.stdout.splitlines()[-1])
        note = f"peak of a process with compiler and all; rows for {answer['rows']} cases held"
        rows.append(missing(f"7 stages, memory of {n:,} cases", note) | {"work": n, "memory_mib": answer["peak_mib"]})
    return rows


def run(scale: float = 1.0) -> list[Row]:
    """Measure every engine on every model.

    Args:
        scale: multiplies the number of customers, for a shorter run.
    """

    def size(n: int) -> int:
        return max(int(n * scale) // 10_000, 4) * 10_000 if n > 100_000 else max(int(n * scale), 1000)

    cimba, prosimos = Peer("cimba", "3.12"), Peer("prosimos", "3.11")
    run_twin(seven_stages(), 20_000, 0, sojourn_h)  # compile
    run_twin(single_queue(), 20_000, 0, wait_s)
    queue, cases = size(1_000_000), size(200_000)
    one = functools.partial(run_twin, single_queue(), queue, 1, wait_s)
    rows = _group(
        "M/M/10",
        one,
        queue,
        [
            Rival("Cimba, servers pull", _there(cimba, 3, "queue", size(500_000), QUEUE), 3_570_000),
            Rival("Cimba, one coroutine each", _there(cimba, 3, "customers", size(200_000), QUEUE), 508_000),
            Rival("SimPy", _here(simpy_single, size(50_000)), 88_000),
            Rival("Ciw", _here(ciw_single, size(30_000)), 48_000),
        ],
        aim=6e6,
    )
    # The same event by event, as whatever is not one plain stage.
    rows += _beside("M/M/10, endless patience", single_queue(_ENDLESS), one, queue, wait_s)
    stages = functools.partial(run_twin, seven_stages(), cases, 1, sojourn_h)
    rows += _group(
        "7 stages",
        stages,
        cases,
        [
            Rival("Cimba", _there(cimba, 3, "stages", size(100_000 + 1), numbers(PATIENCE)), 226_000),
            Rival("SimPy", _here(simpy_stages, size(8_000)), 10_400),
            Rival("Ciw", _here(ciw_stages, size(4_000)), 3_960),
        ],
        aim=8e5,
        note=f"reference {REFERENCE}",
    )
    full = "7 stages with priorities, shifts and deadlines"
    for title, extra in ((full, 0), (f"{full}, one more by day", 1)):
        # Ours alone; the ratio is to the plain seven stages, run in turn.
        rows += _beside(title, seven_stages(full=True, extra=extra), stages, cases)
    rows += _group(
        "7 stages, nobody leaves",
        functools.partial(run_twin, seven_stages(None), cases, 1, sojourn_h),
        cases,
        [
            Rival("Cimba", _there(cimba, 2, "stages", size(100_000 + 1), numbers(None))),
            Rival("Prosimos", _there(prosimos, 1, size(3_000), numbers(None)), 766),
        ],
    )
    rows += _beside("7 stages, endless patience", seven_stages(_ENDLESS), stages, cases)
    endless = functools.partial(simpy_stages, patience=_ENDLESS)
    rows += [_alone("7 stages, endless patience, SimPy", _here(endless, size(8_000)), rows[-1]["rate"])]
    return rows + _memory_rows((cases, 10 * cases))


def _beside(
    title: str,
    model: ProcessModel,
    other: Callable[[], Run],
    n: int,
    mean: Callable[[Statistics], float] = sojourn_h,
) -> list[Row]:
    """A row of another model of ours; the ratio is the rate of `other`, run in turn, over its own."""
    ours: list[float] = []
    theirs: list[float] = []
    ran = beside = None
    for _ in range(5):
        ran, seconds = timed(functools.partial(run_twin, model, n, 1, mean), 1)
        ours += seconds
        beside, seconds = timed(other, 1)
        theirs += seconds
    assert ran is not None
    assert beside is not None
    rate = beside.events / statistics.median(theirs) / 1e6
    note = f"the plain one in turn {rate:.1f} million events/s"
    return [_our_row(title, ran, n, ours, n / statistics.median(theirs), note)]


def _alone(title: str, engine: Callable[[], Answer], first: float) -> Row:
    answer = engine()
    return row(title, answer.work, answer.seconds, first, f"mean {answer.mean:.3f} +- {answer.error:.3f}")
