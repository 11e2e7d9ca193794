"""The same log divided at several instants (rolling origins), and what comes of each.

L. J. Tashman, "Out-of-sample tests of forecasting accuracy: an analysis and review", International Journal of
Forecasting 16 (2000), pages 437 to 450: one division of a series lets luck decide, several show what is lasting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.process_accuracy.compare import Scores, forecast, sizes_of
from benchmarks.process_accuracy.levels import Level, level_after
from benchmarks.process_accuracy.tasks import PARTS, Task
from twin.errors import DataError, TwinError
from twin.process.eventlog.files import read_log
from twin.process.eventlog.log import ACTIVITY, CASE, COLUMNS, END, RESOURCE, START, EventLog
from twin.process.eventlog.split import ended, split

SHARES = (0.4, 0.5, 0.6, 0.7, 0.8)
AHEAD = 0.2
FEWEST_TRAIN, FEWEST_TEST = 20, 8
"""Cases."""
_SLACK = 1e-9


@dataclass(frozen=True)
class Origin:
    """A log and the share of its activities that had ended when the forecast is made."""

    task: Task
    share: float


@dataclass(frozen=True)
class NoOrigin:
    """An origin at which nothing can be measured, and why; without a share, a log that is not tried at all."""

    task: Task
    share: float | None
    reason: str


@dataclass
class AtOrigin(Scores):
    """What came of one origin.

    Attributes:
        share: of the activities that had ended.
        structure: what discovery chose.
        level: arrivals in the time after the training part, or why they are not compared.
    """

    share: float
    structure: str
    level: Level | str


def without_parts(tasks: Sequence[Task]) -> tuple[list[Task], list[NoOrigin]]:
    """Of the usual logs those to be tried, and the others: pairs of which the whole log is there anyway."""
    why = "its whole log is tried"
    left_out = [NoOrigin(task, None, why) for task in tasks if task.test is not None and task.name.endswith(PARTS)]
    skipped = {missing.task for missing in left_out}
    return [task for task in tasks if task not in skipped], left_out


def whole(task: Task) -> EventLog:
    """The log of a task; of a pair, the cases of both parts, those of the test part being others than their namesakes.

    Raises:
        DataError: a file cannot be read.
    """
    if task.test is None:
        return read_log(task.train)
    return joined(read_log(task.train), read_log(task.test))


def joined(one: EventLog, other: EventLog) -> EventLog:
    """The cases of two logs, in order of their first starts, with the columns that both have.

    Attributes of which the types have nothing in common (a number here, a text there) are left out. Names of cases
    tell which log they are of, as both may count from 1.
    """
    tables = [one.table, other.table]
    attributes = {}
    for name in one.attributes:
        if name in other.attributes:
            columns = [table.select([name]) for table in tables]
            try:
                attributes[name] = pa.concat_tables(columns, promote_options="permissive")[name]
            except pa.ArrowException:
                continue
    usual = pa.concat_tables([table.select(list(COLUMNS)) for table in tables], promote_options="permissive")
    names = [
        pc.binary_join_element_wise(pa.scalar(f"{part}:"), table[CASE].cast(pa.string()), "")
        for part, table in enumerate(tables, 1)
    ]
    case = pa.chunked_array([chunk for column in names for chunk in column.chunks], pa.string())
    return EventLog.from_columns(
        case, usual[ACTIVITY], usual[RESOURCE], usual[START], usual[END], attributes, (*one.notes, *other.notes)
    )


def parts_at(log: EventLog, share: float) -> tuple[EventLog, EventLog]:
    """Training and test part at an origin.

    Nothing is looked at but the cases that had ended when a further fifth of the activities had ended: what happens
    after that decides nothing.

    Args:
        log: the whole log.
        share: of the activities that had ended at the origin, above 0 and below 1.

    Raises:
        DataError: a part is empty or too small.
    """
    try:
        if share + AHEAD < 1.0 - _SLACK:
            train, test = split(ended(log, share + AHEAD), share / (share + AHEAD))
        else:
            train, test = split(log, share)
    except DataError as error:
        raise DataError("no whole case is left for one of the parts") from error
    for part, fewest, what in ((train, FEWEST_TRAIN, "training"), (test, FEWEST_TEST, "test")):
        if part.cases < fewest:
            raise DataError(f"the {what} part has only {part.cases} cases", hint=f"At least {fewest} are needed.")
    return train, test


def measure_at(origin: Origin, runs: int, seed: int) -> AtOrigin | NoOrigin:
    """Distances and level of arrivals at one origin, or why there are none.

    Args:
        origin: log and share.
        runs: simulated logs.
        seed: of discovery and simulation.
    """
    task, share = origin.task, origin.share
    try:
        train, test = parts_at(whole(task), share)
        made = forecast(train, test, task.name, runs, seed)
        level = level_after(made.process, train, test, seed)
    except TwinError as error:
        return NoOrigin(task, share, str(error))
    return AtOrigin(task, sizes_of(train, test), made.runs, made.replay, share, str(made.process.structure), level)
