"""What is known of a call centre after the fit: the content of a parameter file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from scenarios.calibration.call_centre.mechanism import Group
from twin.clock import SECOND
from twin.errors import DataError
from twin.process.arrivals import Busyness, Pattern

Floats = NDArray[np.float64]
VERSION = 1
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TypeFit(_Part):
    """One type of call; times in s. Service is of calls of at least the shortest service that counts."""

    name: str
    calls: int
    waited_share: float
    abandoned_share: float
    menu_mean: float
    short_service_share: float
    service_mean: float
    service_cv: float
    service_log_mean: float
    service_log_sd: float
    service_lognormal_ks: float
    patience_mean: float
    patience_error: float
    patience_restricted_mean: float
    patience_horizon: float
    patience_tail: float
    patience_median: float
    patience_hazard_per_min: tuple[tuple[float, float], ...]
    required_wait: float
    patience_index: float
    urgent_share: float


class GroupFit(_Part):
    """Equally likely values (s) of the calls of one group: some types at some hours."""

    menu: tuple[float, ...]
    service: tuple[float, ...]
    patience: tuple[float, ...]


class ArrivalFit(_Part):
    """Calls for an agent by weekday and period, for a day of an ordinary week.

    Busy-ness of days is beside the level of their week; `step_share` is the share of steps in how weekly levels vary
    (see `levels`).
    """

    period_s: int
    expected: dict[str, tuple[float, ...]]
    day_cv: float
    day_autocorrelation: float
    within_cv: float
    within_autocorrelation: float
    step_share: float
    poisson_index: float


class DayFit(_Part):
    """One recorded day: calls by hour and beside the median of its weekday, mean agents per period.

    `service_factor` is talk time beside what is usual for such calls, less what chance explains. `regular` days are
    used for the fit of arrivals and staff.
    """

    date: dt.date
    regular: bool
    ratio: float
    service_factor: float
    calls: tuple[int, ...]
    staff: tuple[float, ...]


class Outage(_Part):
    """No call for so long that about `missing` were to be expected."""

    date: dt.date
    start_s: int
    end_s: int
    missing: float


class StaffFit(_Part):
    """Agents: equally likely turnaround times (s) after a call; shares of their time; how they answer to arrivals.

    A day with x % more calls than usual has about `day_elasticity` x % more agents, an hour with x % more than its day
    about `hour_elasticity` x %. What else varies in the number seen is partly an answer to the queue itself: of it
    `own_share` is kept, and `flexibility` multiplies the agents of each hour of the day; both are such that simulated
    months resemble those of the fitting period (see `calibration.calibrate`).
    """

    period_s: int
    turnaround: tuple[float, ...]
    idle_share: float
    break_share: float
    day_elasticity: float = 0.0
    hour_elasticity: float = 0.0
    own_share: float = 1.0
    flexibility: tuple[float, ...] = (1.0,) * 24


class Order(_Part):
    """Order of service: of pairs of the same type, both waiting, how often an urgent later caller came first.

    By how much later he came: `within` those that came within the head start, `beyond` the others.
    """

    head_start_s: float
    within: float
    beyond: float
    pairs: int


class Parameters(_Part):
    """A fitted call centre."""

    version: int
    what: str
    source: str
    data_sha256: str
    files: tuple[str, ...]
    months: tuple[int, ...]
    first: dt.date
    last: dt.date
    calls: int
    left_out: dict[str, int]
    doubtful: dict[str, int]
    no_record: tuple[dt.date, ...]
    types: tuple[TypeFit, ...]
    arrivals: ArrivalFit
    mix: dict[str, tuple[tuple[float, ...], ...]]
    group_of: dict[str, tuple[int, ...]]
    groups: tuple[GroupFit, ...]
    staff: StaffFit
    order: Order | None
    outages: tuple[Outage, ...]
    days: tuple[DayFit, ...]

    def pattern(self) -> Pattern:
        """Arrivals; kinds of day are weekdays, Monday 0."""
        a = self.arrivals
        width = 86_400 // a.period_s
        rows = tuple(a.expected.get(day, (0.0,) * width) for day in WEEKDAYS)
        day, within = Busyness(a.day_cv, a.day_autocorrelation), Busyness(a.within_cv, a.within_autocorrelation)
        return Pattern(a.period_s * SECOND, rows, day, within)

    def mechanism_groups(self) -> list[Group]:
        """Durations of the groups of calls."""
        return [Group(g.menu, g.service, g.patience) for g in self.groups]

    @property
    def type_names(self) -> tuple[str, ...]:
        """Types of call in the order of `mix`."""
        return tuple(t.name for t in self.types)


def write(parameters: Parameters, path: Path) -> None:
    """Write a parameter file."""
    yaml = YAML()
    yaml.width = 1 << 20  # a row a line: the file is a table to look at, and differs by rows from another fit
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write("# Written by `twin call-centre fit`; do not edit.\n")
        yaml.dump(_styled(parameters.model_dump(mode="json")), file)


def _styled(value: Any) -> Any:
    """Mappings one key a line; lists of plain values, and mappings that are rows of a list, on one line each."""
    if isinstance(value, dict):
        return {k: _styled(v) for k, v in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    if not any(isinstance(v, dict) for v in value):
        return _on_one_line(CommentedSeq(value))
    return CommentedSeq([_on_one_line(CommentedMap({k: _styled(v) for k, v in row.items()})) for row in value])


def _on_one_line(part: CommentedSeq | CommentedMap) -> CommentedSeq | CommentedMap:
    part.fa.set_flow_style()
    return part


def load(path: Path) -> Parameters:
    """Read a parameter file.

    Raises:
        DataError: if it is missing or is not one.
    """
    if not path.is_file():
        raise DataError("no such parameter file", where=str(path), hint="Make one with `twin call-centre fit`.")
    try:
        content: Any = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("version") != VERSION:
            raise DataError("this is not a parameter file of a call centre", where=str(path), hint="Fit it again.")
        return Parameters.model_validate(content)
    except UnicodeDecodeError as error:
        raise DataError("not in UTF-8", where=str(path), hint="Fit it again.") from error
    except YAMLError as error:
        raise DataError("the file is not YAML", where=str(path), hint=str(error).splitlines()[0]) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise DataError(f"{key}: {first['msg']}", where=str(path), hint="Fit it again.") from error
