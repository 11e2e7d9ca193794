"""Clocks on the wall: instants as the clocks of a zone show them, so that patterns of the week keep their hours.

Everything in a forecast that knows hours and weekdays (arrivals, calendars, quiet times, naive forecasts) counts by
civil time: ns since 1970 as a clock on the wall would show them. Where clocks are put forward or back the map from
instants to civil time is stretched over the hours beside the change rather than torn: the hour that is skipped is
shared by the hour after it, the hour that comes twice passes at half speed. So the map rises everywhere, order is
kept, and it can be undone.
"""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from twin.errors import DataError
from twin.process.eventlog.log import EventLog
from twin.process.forecasting.columns import Ints

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_YEARS = 130
"""Changes of the clocks are known from 1970 on for so many years; after that they rest."""
_LOOK = 7 * 86_400
"""Seconds between looks for a change: no zone has two in one week but for the odd decree."""
_S = 1_000_000_000
_FAR = 1 << 62
"""Beyond this an instant is `NEVER` or `NONE` and stays."""


@dataclass(frozen=True)
class Civil:
    """The clocks of a zone.

    Attributes:
        zone: IANA name.
        instant: knots (ns since 1970 UTC) between which the map is a straight line.
        wall: what clocks show there (ns).
        rate: civil time that passes in a unit of time after each knot, doubled: 2, or 1 and 4 beside a change.
    """

    zone: str
    instant: Ints
    wall: Ints
    rate: Ints

    def of(self, instants: ArrayLike) -> Ints:
        """What clocks on the wall show at instants (ns)."""
        return _mapped(instants, self.instant, self.wall, self.rate, np.full(len(self.rate), 2, np.int64))

    def back(self, walls: ArrayLike) -> Ints:
        """The instants (ns) at which clocks show `walls`."""
        return _mapped(walls, self.wall, self.instant, np.full(len(self.rate), 2, np.int64), self.rate)

    def log(self, log: EventLog) -> EventLog:
        """A log whose times are those that clocks showed."""
        if np.array_equal(self.instant, self.wall):
            return log
        table = log.table
        for i, name in enumerate(table.column_names):
            kind = table.schema.field(name).type
            if pa.types.is_timestamp(kind) and kind.tz is not None:
                table = table.set_column(i, name, self._column(table[name], kind))
        return EventLog(table, log.notes, log.source, log.unzoned)

    def text(self, wall: int) -> str:
        """The instant of a civil time as ISO 8601 with its offset."""
        return text_of(int(self.back(wall)), self.zone)

    def _column(self, column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
        micros = column.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64()).combine_chunks()
        held = micros.fill_null(0).to_numpy(zero_copy_only=False)
        found = self.of(np.asarray(held, np.int64) * 1_000) // 1_000
        missing = np.asarray(micros.is_null().to_numpy(zero_copy_only=False), bool)
        return pa.array(found, pa.int64(), mask=missing).cast(pa.timestamp("us", tz=kind.tz)).cast(kind)


def _mapped(at: ArrayLike, knots: Ints, values: Ints, up: Ints, down: Ints) -> Ints:
    t = np.asarray(at, np.int64)
    k = np.maximum(np.searchsorted(knots, t, side="right") - 1, 0)
    still = (t >= _FAR) | (t <= -_FAR)
    past = np.where(still, 0, t - knots[k])
    return np.where(still, t, values[k] + past * up[k] // down[k])


@functools.lru_cache(maxsize=16)
def civil(zone: str) -> Civil:
    """The clocks of a zone.

    Raises:
        DataError: there is no such zone.
    """
    info = zone_of(zone)

    def offset(second: int) -> int:
        shift = (_EPOCH + dt.timedelta(seconds=second)).astimezone(info).utcoffset()
        return round(shift.total_seconds()) if shift is not None else 0

    first = offset(0)
    knots = [(-_FAR // 4 // _S, -_FAR // 4 // _S + first, 2)]
    at, now = 0, first
    for end in range(_LOOK, _YEARS * 31_556_952, _LOOK):
        then = offset(end)
        if then != now:
            low, high = at, end
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == now else (low, middle)
            change = then - now
            begin, rate = (high, 4) if change > 0 else (high + change, 1)
            stop = high + abs(change)
            knots += [(begin, begin + now, rate), (stop, stop + then, 2)]
            now = then
        at = end
    instant, wall, rate_ = np.array(knots, np.int64).T
    return Civil(zone, instant * _S, wall * _S, rate_)


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The zone of an IANA name.

    Raises:
        DataError: there is no such zone.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise DataError(f"there is no time zone {name!r}", "--zone", "Give one such as Europe/Amsterdam.") from None


def text_of(instant: int, zone: str = "UTC") -> str:
    """An instant (ns) as ISO 8601 with the offset of a zone, to the second; to the microsecond if it has a fraction."""
    found = (_EPOCH + dt.timedelta(microseconds=instant // 1_000)).astimezone(zone_of(zone))
    return found.isoformat().replace("+00:00", "Z") if zone == "UTC" else found.isoformat()
