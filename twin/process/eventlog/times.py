"""Time stamps of event logs: many ways to write them, one meaning."""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from twin.errors import DataError
from twin.process.eventlog.log import TIME
from twin.process.notes import note

if TYPE_CHECKING:
    import pandas as pd

_NAIVE = pa.timestamp("us")
_ZONED = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")
_CHINESE = re.compile("[年时點点]|[上下]午|凌晨|晚上")
_COLON_FIRST = re.compile(r"^(\d{1,2}[-./]\d{1,2}[-./]\d{4}):(\d{1,2})\.(\d{2})$")
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EARLY, _LATE = 315_532_800, 4_102_444_800
_LIKE = "Write it like 2026-09-15T09:30:00.000+08:00."
_DATE_FIRST = re.compile(r"^\d{4}[-/]\d")
_TWO_NUMBERS = r"^\s*(\d{1,2})[./-](\d{1,2})[./-]\d{2}"


class Times(NamedTuple):
    """Instants of a column of texts.

    Attributes:
        instants: UTC; null where the text is empty.
        naive: how many texts name no zone.
        mixed: whether others do; those that do not are then taken as UTC.
        unsure: a text whose day and month no other text of the column tells apart; the day is taken to stand first.
        zone: of the texts that name none.
        unit: of numbers since 1970; empty where times are texts.
    """

    instants: pa.Array
    naive: int
    mixed: bool
    unsure: str = ""
    zone: str = "UTC"
    unit: str = ""

    def notes(self, column: str, zone: str) -> list[str]:
        """What had to be assumed, in words; `column` is empty where the format has no columns."""
        key, values = ("times_in", {"column": repr(column)}) if column else ("times", {})
        found = [note("day_first", what=note(key, **values), text=repr(self.unsure))] if self.unsure else []
        if self.unit:
            found.append(note("numbers_as_times", what=note(key, **values), unit=self.unit))
        if self.mixed:
            n, of = f"{self.naive:,}", f"{len(self.instants):,}"
            return [*found, note("mixed_zones", n=n, all=of, what=note(f"some_{key}", **values))]
        return [*found, note("no_zone", what=note(key, **values), zone=zone)] if self.naive else found


def parse_times(texts: pa.ChunkedArray | pa.Array, where: str, zone: str = "UTC") -> Times:
    """Instants of a column of texts, and how many lacked a zone; empty texts become null.

    Args:
        texts: such as 2023-02-09T08:00:00.000, 2012/01/30 06:24:00, 2011-12-30T14:14:47.813+02:00,
            2026年9月15日 下午 2:30; or whole numbers since 1970, in the unit in which all lie between 1980 and 2100.
        where: file and column, for the error.
        zone: IANA name of the zone of those that name none.

    Raises:
        DataError: a text is not a time, with its row; or the zone is unknown.
    """
    if pa.types.is_integer(texts.type) and (unit := _unit_of(texts)):
        instants = texts.cast(pa.int64()).cast(pa.timestamp(unit, tz="UTC")).cast(TIME, safe=False)
        return Times(instants, 0, False, "", zone, _UNITS[unit])
    if pa.types.is_integer(texts.type) or pa.types.is_floating(texts.type) or pa.types.is_boolean(texts.type):
        raise DataError(f"{texts.type} numbers are not times", where=where, hint=_LIKE)
    quick = _plain_times(texts)
    if quick is not None:
        instants, zoned = quick
        given = len(instants) - instants.null_count
        return (
            Times(instants, 0, False, "", zone)
            if zoned
            else Times(_in_zone(instants, zone, where), given, False, "", zone)
        )
    column = texts.to_pandas()
    column = column.astype("object").where(column.notna() & (column != ""), None)
    if column.isna().all():
        return Times(pa.nulls(len(column), TIME), 0, False, "", zone)
    column = column.map(_usual, na_action="ignore")
    zoned = column.dropna().astype(str).str.contains(_ZONED)
    some, naive = bool(zoned.any()), int((~zoned).sum())
    instants = _to_datetime(column, where, utc=some)
    unsure = _unsure(column)
    if some:  # where only some times name a zone, those that do not are taken as UTC
        return Times(pa.array(instants, TIME, safe=False), naive, naive > 0, unsure, zone)
    return Times(_in_zone(pa.array(instants, _NAIVE, safe=False), zone, where), naive, False, unsure, zone)


def _unit_of(numbers: pa.ChunkedArray | pa.Array) -> str:
    """The unit in which all numbers are instants from 1980 to 2100: the ranges of two units do not meet."""
    least, most = pc.min_max(numbers).as_py().values()
    if least is None:
        return ""
    return next((unit for unit, a in _PER_SECOND.items() if _EARLY * a <= least and most <= _LATE * a), "")


def _usual(text: object) -> object:
    """2026年9月15日 下午2时30分 as 2026-9-15 2:30 PM, 15-9-2026:14.30 as 15-9-2026 14:30; anything else as it is."""
    if not isinstance(text, str):
        return text
    if not _CHINESE.search(text):
        return _COLON_FIRST.sub(r"\1 \2:\3", text)
    half = " AM" if re.search("上午|凌晨", text) else " PM" if re.search("下午|晚上", text) else ""
    text = re.sub("上午|下午|凌晨|晚上", " ", text)
    for pattern, sign in (("[年月]", "-"), ("日", " "), ("[时點点分]", ":"), ("秒", "")):
        text = re.sub(pattern, sign, text)
    parts = text.strip().rstrip(":").split()
    if len(parts) > 1 and ":" not in parts[1]:
        parts[1] += ":00"
    return " ".join(parts) + half


def _plain_times(texts: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, bool] | None:
    """Times all written as ISO 8601 with zones, or all without, and which; None if they are not so plain."""
    flat = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if pa.types.is_date(flat.type):
        return flat.cast(_NAIVE), False
    if pa.types.is_timestamp(flat.type):
        zoned = flat.type.tz is not None
        return flat.cast(pa.timestamp("us", tz=flat.type.tz), safe=False).cast(TIME if zoned else _NAIVE), zoned
    if not pa.types.is_string(flat.type) or flat.null_count == len(flat):
        return None
    flat = pc.if_else(pc.equal(flat, ""), None, flat)
    for form in (TIME, _NAIVE, pa.timestamp("ns", tz="UTC"), pa.timestamp("ns")):
        try:
            instants = flat.cast(form)
        except pa.ArrowInvalid:
            continue
        zoned = form.tz is not None
        return instants.cast(TIME if zoned else _NAIVE, safe=False), zoned
    return None


def _in_zone(instants: pa.Array, zone: str, where: str) -> pa.Array:
    """Clock times of a zone as instants: of an hour shown twice the first is meant, one that is skipped moves on."""
    if zone == "UTC":
        return instants.cast(TIME)
    try:
        zoneinfo.ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise DataError(f"{zone!r} is not a time zone", where=where, hint="Write it like Asia/Shanghai.") from error
    return pc.assume_timezone(instants, zone, ambiguous="earliest", nonexistent="latest").cast(TIME)


def _to_datetime(column: pd.Series, where: str, *, utc: bool) -> pd.Series:
    import pandas as pd

    first = str(column.dropna().iloc[0])
    formats = ["ISO8601", "mixed"] if _DATE_FIRST.match(first) else ["mixed"]
    day_first = not _DATE_FIRST.match(first) and _is_day_first(column, where)
    for form in formats:
        parsed = pd.to_datetime(column, format=form, utc=utc, errors="coerce", dayfirst=day_first)
        bad = parsed.isna() & column.notna()
        if not bad.any():
            return parsed
    row = int(bad.to_numpy().argmax())
    raise DataError(
        f"{column.iloc[row]!r} is not a time",
        where=f"{where}, row {row + 2}",
        hint=_LIKE,
    )


def _numbers(column: pd.Series) -> pd.DataFrame:
    """The first two numbers of times such as 7/9/2026; of others none."""
    import pandas as pd

    return column.dropna().astype(str).str.extract(_TWO_NUMBERS).apply(pd.to_numeric)


def _unsure(column: pd.Series) -> str:
    """A time such as 7/9/2026 in a column of which no time tells the day from the month."""
    pairs = _numbers(column).dropna()
    differing = pairs[pairs[0] != pairs[1]]
    return "" if differing.empty or (pairs > 12).any(axis=None) else str(column[differing.index[0]])


def _is_day_first(column: pd.Series, where: str) -> bool:
    """Whether 7/9/2026 is in September, as in most of the world: unless the column has a month after the twelfth."""
    pairs = _numbers(column)
    first, second = pairs[0] > 12, pairs[1] > 12
    if first.any() and second.any():
        row = int((column.index == second.idxmax()).argmax())
        what = f"{column.iloc[row]!r} has the month first, and other times of the column have the day first"
        raise DataError(what, where=f"{where}, row {row + 2}", hint=_LIKE)
    return not bool(second.any())
