"""The broker's end-of-day batch as SimPy processes on the master clock.

A chain of steps, each a queue of all records before the batch servers, starts in the afternoon, waits for the clearing
house's files, and ends with the initialisation of the next trading day. Records that do not reconcile are found by the
checking steps and mended by people; the initialisation waits for them until the cut-off, after which open breaks are
carried and their accounts blocked (domain rows C03, C13 to C18, rows 108 to 112).

Assumes: the servers share a step's records evenly and work without interruption; a record takes the same time as any
other in a step. Does not model: faults of the servers, files that arrive piece by piece.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import simpy

from twin.clearing.breaks import ReconciliationDesk, Shift, plan_breaks
from twin.clearing.fees import MILLION
from twin.clock import DAY, HOUR, MINUTE, SECOND, Clock, at
from twin.contracts import Breaks, IntColumn
from twin.errors import ScenarioError
from twin.randomness import Streams


@dataclass(frozen=True)
class Step:
    """One step of the batch.

    Args:
        name: of the step.
        work_ppm: its share of a record's whole work, in millionths.
        needs_files: waits for the clearing house's files.
        finds_breaks: compares records with somebody else's, so breaks show here.
        waits_for_breaks: starts only when all breaks are mended or carried.
    """

    name: str
    work_ppm: int
    needs_files: bool = True
    finds_breaks: bool = False
    waits_for_breaks: bool = False


STEPS: tuple[Step, ...] = (
    Step("day cut and backup", 50_000, needs_files=False),
    Step("validate files", 100_000),
    Step("fees", 200_000),
    Step("client clearing", 250_000, finds_breaks=True),
    Step("bank reconciliation", 150_000, finds_breaks=True),
    Step("position check", 100_000, finds_breaks=True),
    Step("next-day initialisation", 150_000, waits_for_breaks=True),
)
"""Order of the steps: C13, C16. Shares of the work: ASSUMED."""


@dataclass(frozen=True)
class EndOfDayConfig:
    """Parameters of the batch; times in ns since midnight of the trading day.

    Args:
        start: of the batch (row 108).
        files: when the clearing house's files are there (row 109).
        target: internal target for the end (row 108).
        deadline: time of day on the next trading day at which open breaks are carried (row 108, C15).
        market_open: time of day at which the market first takes orders on the next trading day (M01).
        batch_rate: records per second through the whole chain on one server (row 110, ASSUMED).
        servers: batch servers that share the records.
        break_rate: probability that a record breaks (row 111, ASSUMED).
        repair_mean: mean time to mend a break by hand, ns (row 112).
        repair_cv: its coefficient of variation, lognormal (ASSUMED).
        shifts: of the reconciliation staff (ASSUMED).
        steps: the chain.
        sample_every: distance of the samples of the queues, ns.
    """

    start: int = at("16:30")
    files: int = at("18:00")
    target: int = at("22:00")
    deadline: str = "08:00"
    market_open: str = "09:15"
    batch_rate: int = 3_000
    servers: int = 1
    break_rate: float = 2e-5
    repair_mean: int = 10 * MINUTE
    repair_cv: float = 0.8
    shifts: tuple[Shift, ...] = (Shift(at("16:30"), DAY, 20), Shift(DAY, DAY + at("08:00"), 5))
    steps: tuple[Step, ...] = STEPS
    sample_every: int = 5 * MINUTE

    def __post_init__(self) -> None:
        checks = (
            (self.batch_rate >= 1, "batch_rate", self.batch_rate, "at least 1 record per second"),
            (self.servers >= 1, "servers", self.servers, "at least 1"),
            (0.0 <= self.break_rate <= 1.0, "break_rate", self.break_rate, "a probability"),
            (self.repair_mean > 0, "repair_mean", self.repair_mean, "above zero"),
            (self.repair_cv >= 0.0, "repair_cv", self.repair_cv, "zero or more"),
            (self.sample_every > 0, "sample_every", self.sample_every, "above zero"),
            (sum(s.work_ppm for s in self.steps) == MILLION, "steps", len(self.steps), "shares that sum to 1"),
        )
        for is_right, name, value, right in checks:
            if not is_right:
                raise ScenarioError(f"{name} = {value} cannot be used", where="end of day", hint=f"It must be {right}.")

    def work_time(self, step: Step, records: int) -> int:
        """Time that one server needs for some records of a step, ns, rounded up."""
        return -(-records * step.work_ppm * (SECOND // MILLION) // self.batch_rate)

    def duration(self, step: Step, records: int) -> int:
        """Time that all servers together need for a step, ns."""
        return self.work_time(step, -(-records // self.servers))


@dataclass
class EndOfDayResult:
    """What came of the batch; times in ns since midnight of the trading day, durations in ns.

    Args:
        records: cleared.
        accounts: of the broker.
        finish: end of the whole batch.
        past_target: how long after the target it ended.
        open_late: by how much the next trading day starts late for everybody.
        accounts_late: accounts that cannot trade when the market opens: all if it starts late, else those with breaks.
        breaks: all breaks with the time at which they were found.
        mended: when each was mended; -1 if it was not before the market opened.
        carried: breaks still open when the initialisation began.
        staff_busy: people's time on breaks.
        staff_on_duty: people's time on duty, until the shift's or the batch's end.
        steps: start and end of each step.
        sample_time: times of the samples.
        sample_records: records left in the current step.
        sample_breaks: open breaks.
    """

    records: int
    accounts: int
    finish: int = 0
    past_target: int = 0
    open_late: int = 0
    accounts_late: int = 0
    breaks: Breaks = field(default_factory=Breaks.empty)
    mended: IntColumn = field(default_factory=lambda: np.empty(0, np.int64))
    carried: int = 0
    staff_busy: int = 0
    staff_on_duty: int = 0
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    sample_time: list[int] = field(default_factory=list)
    sample_records: list[int] = field(default_factory=list)
    sample_breaks: list[int] = field(default_factory=list)

    @property
    def finish_hour(self) -> float:
        """End of the batch as hour of the trading day; above 24 on a later day."""
        return self.finish / HOUR


class EndOfDay:
    """The end-of-day batch of one broker.

    Args:
        config: its parameters.
        clock: the master clock.
        streams: random numbers of the replication.
    """

    def __init__(self, config: EndOfDayConfig, clock: Clock, streams: Streams) -> None:
        self.config, self.clock, self.streams = config, clock, streams
        self.env = clock.env
        self.deadline = clock.next_open(config.deadline)
        self.market_open = clock.next_open(config.market_open)

    def start(self, records: int, accounts: int) -> simpy.Process:
        """Begin the batch; the process's value is an `EndOfDayResult`.

        Args:
            records: to clear, zero or more.
            accounts: of the broker.
        """
        if records < 0 or accounts < 0:
            raise ScenarioError(f"{records} records of {accounts} accounts", hint="Both are zero or more.")
        return self.env.process(_Batch(self, records, accounts).run())


class _Batch:
    """One run of the batch and its state."""

    def __init__(self, owner: EndOfDay, records: int, accounts: int) -> None:
        c = owner.config
        self.owner, self.config, self.clock, self.env = owner, c, owner.clock, owner.env
        self.result = EndOfDayResult(records, accounts)
        self.plan = plan_breaks(owner.streams, records, accounts, c.break_rate, c.repair_mean, c.repair_cv)
        self.found: IntColumn = np.full(self.plan.record.size, -1, np.int64)
        self.finder = self._finders()
        self.step, self.step_begun, self.is_serving = c.steps[0], 0, False

    def _finders(self) -> IntColumn:
        """Number of the step that finds each break, in proportion to the checking steps' work."""
        steps = self.config.steps
        finders = [number for number, step in enumerate(steps) if step.finds_breaks]
        if not finders:
            if self.plan.record.size:
                raise ScenarioError("no step finds breaks", where="end of day", hint="Set break_rate to 0.")
            return np.empty(0, np.int64)
        work = np.cumsum([steps[number].work_ppm for number in finders])
        place = np.searchsorted(work[:-1], self.plan.share * work[-1], side="right")
        return np.asarray(finders, np.int64)[place]

    def run(self) -> Generator[simpy.Event, None, EndOfDayResult]:
        """Go through the chain, then wait until the last break is mended or the market opens."""
        yield from self._until(self.config.start)
        begun = self.clock.now
        self.desk = ReconciliationDesk(self.env, self.config.shifts, self.plan.record.size)
        sampler = self.env.process(self._sample())
        if self.result.records:
            yield from self._chain()
        self.result.finish = self.clock.now
        if self.result.finish < self.owner.market_open:
            yield self.desk.empty() | self.clock.wait_until(self.owner.market_open)
        sampler.interrupt()
        self._close(begun)
        return self.result

    def _until(self, moment: int) -> Generator[simpy.Event, None, None]:
        if moment > self.clock.now:
            yield self.clock.wait_until(moment)

    def _chain(self) -> Generator[simpy.Event, None, None]:
        for number, step in enumerate(self.config.steps):
            if step.needs_files:
                yield from self._until(self.config.files)
            if step.waits_for_breaks:
                cut_off = max(self.owner.deadline, self.clock.now)
                yield self.desk.empty() | self.clock.wait_until(cut_off)
                self.result.carried = self.desk.open
            yield from self._serve(step, np.flatnonzero(self.finder == number))

    def _serve(self, step: Step, broken: IntColumn) -> Generator[simpy.Event, None, None]:
        """Serve all records; the breaks among them join the desk's queue when their record is done."""
        c, begun, plan = self.config, self.clock.now, self.plan
        self.step, self.step_begun, self.is_serving = step, begun, True
        for number in broken.tolist():
            done = begun + c.work_time(step, int(plan.record[number]) // c.servers + 1)
            yield from self._until(done)
            self.found[number] = done
            self.desk.report(number, int(plan.repair[number]))
        yield from self._until(begun + c.duration(step, self.result.records))
        self.result.steps.append((step.name, begun, self.clock.now))
        self.is_serving = False

    def _records_left(self) -> int:
        if not self.is_serving or self.step.work_ppm == 0:
            return 0
        c, spent = self.config, self.clock.now - self.step_begun
        done = c.servers * (spent * c.batch_rate // (self.step.work_ppm * (SECOND // MILLION)))
        return max(0, self.result.records - done)

    def _sample(self) -> Generator[simpy.Event, None, None]:
        try:
            while True:
                self.result.sample_time.append(self.clock.now)
                self.result.sample_records.append(self._records_left())
                self.result.sample_breaks.append(self.desk.open)
                yield self.env.timeout(self.config.sample_every)
        except simpy.Interrupt:
            return

    def _close(self, begun: int) -> None:
        result, c, plan = self.result, self.config, self.plan
        result.past_target = max(0, result.finish - c.target)
        result.open_late = max(0, result.finish - self.owner.market_open)
        result.breaks = Breaks(self.found, plan.record, plan.account)
        result.mended = self.desk.mended.copy()
        late = int(np.unique(plan.account[result.mended < 0]).size)
        result.accounts_late = result.accounts if result.open_late else late
        result.staff_busy = self.desk.busy_time
        last = max(result.finish, int(result.mended.max(initial=0)))
        result.staff_on_duty = sum(s.staff * max(0, min(s.end, last) - max(s.start, begun)) for s in c.shifts)
