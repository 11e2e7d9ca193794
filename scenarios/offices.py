"""The offices beside trading: account opening and the service desk, advanced every minute."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import simpy

from agents.society import Calls
from scenarios import build
from scenarios.schema import Scenario
from twin.advisory.desk import ServiceDesk, ordinary_calls
from twin.clock import MINUTE, TICK, Clock
from twin.contracts import OutcomeKind, Requests, Segment
from twin.errors import ScenarioError
from twin.onboarding.opening import AccountOpening
from twin.process.calendar import WorkCalendar
from twin.process.loader import load_process
from twin.process.model import ProcessModel
from twin.process.network import ProcessNetwork
from twin.randomness import Streams

PROCESSES = Path(__file__).parent / "processes"


def process_names() -> list[str]:
    """Names of the process files, with their folder: account-opening, today/complaint, reformed/complaint."""
    return sorted(p.relative_to(PROCESSES).with_suffix("").as_posix() for p in PROCESSES.glob("**/*.yaml"))


def process_model(name: str) -> ProcessModel:
    """A process of scenarios/processes by name, or a file by its path."""
    path = PROCESSES / f"{name}.yaml"
    if not path.is_file():
        path = Path(name)
    if path.is_dir():
        raise ScenarioError("is a folder", where=name, hint="Give a file in it.")
    if not path.is_file() and path.suffix.lower() in (".yaml", ".yml"):
        raise ScenarioError("there is no such file", where=name)
    if not path.is_file():
        known = process_names()
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "`twin process compare` lists the names; or give a file."
        raise ScenarioError(f"no process {name!r}", hint=hint)
    return load_process(path)


def _staff(network: ProcessNetwork, changes: dict[str, int | None]) -> None:
    for pool, staff in changes.items():
        network.set_staff(pool, staff)


class Offices:
    """Account opening and service desk of one day.

    Args:
        scenario: what to simulate.
        streams: random numbers of the replication.
        clock: the day.
        calls: gives the clients' calls since it was asked last.
        segment: segment of each account.
    """

    def __init__(
        self,
        scenario: Scenario,
        streams: Streams,
        clock: Clock,
        calls: Callable[[], Calls],
        segment: np.ndarray[tuple[int], np.dtype[np.uint8]],
    ) -> None:
        self._clock, self._calls, self._segment = clock, calls, segment
        calendar = WorkCalendar(clock.day)
        opening, desk = process_model(scenario.onboarding.process), process_model(scenario.service_desk.process)
        usual = opening.arrivals.per_day if opening.arrivals else 0.0
        wanted = scenario.onboarding.applications * scenario.onboarding.surge
        self.opening = AccountOpening(opening, streams, calendar, surge=wanted / usual if usual else 0.0)
        ordinary = ordinary_calls(build.expected_active(scenario), scenario.clients.call.per_1000_active)
        self.desk = ServiceDesk(desk, streams, calendar, calls=ordinary)
        _staff(self.opening.network, scenario.onboarding.staff)
        _staff(self.desk.network, scenario.service_desk.staff)
        self._requests = 0
        self.abandoned: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        self.samples: dict[tuple[str, str], list[tuple[int, float]]] = {}

    def run(self, horizon: int) -> Generator[simpy.Event, None, None]:
        """SimPy process: every minute the offices catch up, one quote interval behind, so that no call comes late."""
        while self._clock.now < horizon:
            yield self._clock.wait_until(min(self._clock.now + MINUTE, horizon))
            self._catch_up(self._clock.now - TICK)

    def _catch_up(self, until: int) -> None:
        calls = self._calls()
        if len(calls.time):
            numbers = np.arange(self._requests, self._requests + len(calls.time), dtype=np.int64)
            self._requests += len(calls.time)
            segment = np.minimum(self._segment[calls.account], Segment.HNW).astype(np.int64)
            self.desk.submit(Requests(calls.time, numbers, calls.account, segment))
        outcomes = self.desk.advance(until)
        left = outcomes.client[(outcomes.outcome == OutcomeKind.ABANDONED) & (outcomes.client >= 0)]
        if len(left):
            self.abandoned.append(left)
        self.opening.advance(until)
        self._sample(until)

    def _sample(self, now: int) -> None:
        for series, lengths in (
            ("calls_waiting", self.desk.queue_lengths()),
            ("applicants_waiting", self.opening.queue_lengths()),
        ):
            for key, length in lengths.items():
                self.samples.setdefault((series, key), []).append((now, float(length)))

    def clients_who_gave_up(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Clients who hung up for good before anybody answered."""
        return np.unique(np.concatenate(self.abandoned)) if self.abandoned else np.empty(0, np.int64)
