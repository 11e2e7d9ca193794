"""Time stamps of event logs: many ways to write them, one meaning."""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING

import pyarrow as pa

from twin.errors import DataError
from twin.process.eventlog.log import TIME

if TYPE_CHECKING:
    import pandas as pd

_ZONED = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")
_DATE_FIRST = re.compile(r"^\d{4}[-/]\d")


def parse_times(texts: pa.ChunkedArray | pa.Array, where: str, zone: str = "UTC") -> tuple[pa.Array, bool]:
    """Instants of a column of texts, and whether any lacked a zone; empty texts become null.

    Args:
        texts: such as 2023-02-09T08:00:00.000, 2012/01/30 06:24:00, 2011-12-30T14:14:47.813+02:00.
        where: file and column, for the error.
        zone: IANA name of the zone of those that name none.

    Raises:
        DataError: a text is not a time, with its row; or the zone is unknown.
    """
    import pandas as pd

    column = texts.to_pandas()
    if not len(column) or column.isna().all():
        return pa.nulls(len(column), TIME), False
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        naive = column.dtype.kind == "M" and not isinstance(column.dtype, pd.DatetimeTZDtype)
        return _in_utc(column, zone, where, naive), naive
    column = column.astype("object").where(column.notna() & (column != ""), None)
    given = column.dropna().astype(str)
    naive = bool((~given.str.contains(_ZONED)).any()) if len(given) else False
    some_zoned = bool(given.str.contains(_ZONED).any()) if naive else True
    return _in_utc(
        _to_datetime(column, where, utc=not naive or some_zoned), zone, where, naive and not some_zoned
    ), naive


def _to_datetime(column: pd.Series, where: str, *, utc: bool) -> pd.Series:
    import pandas as pd

    first = str(column.dropna().iloc[0])
    formats = ["ISO8601", "mixed"] if _DATE_FIRST.match(first) else ["mixed"]
    for form in formats:
        parsed = pd.to_datetime(column, format=form, utc=utc, errors="coerce", dayfirst=not _DATE_FIRST.match(first))
        bad = parsed.isna() & column.notna()
        if not bad.any():
            return parsed
    row = int(bad.to_numpy().argmax())
    raise DataError(
        f"{column.iloc[row]!r} is not a time",
        where=f"{where}, row {row + 2}",
        hint="Write it like 2026-09-15T09:30:00.000+08:00.",
    )


def _in_utc(column: pd.Series, zone: str, where: str, naive: bool) -> pa.Array:
    if naive:
        try:
            zoneinfo.ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise DataError(f"{zone!r} is not a time zone", where=where, hint="Write it like Asia/Shanghai.") from error
        # A clock that is set back shows an hour twice: the first time is meant; a skipped instant moves forward.
        column = column.dt.tz_localize(zone, ambiguous=[True] * len(column), nonexistent="shift_forward")
    return pa.array(column.dt.tz_convert("UTC"), TIME, safe=False)
