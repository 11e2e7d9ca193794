"""The option that says which column of a table has which role in an event log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboards.log_words import say

if TYPE_CHECKING:
    from twin.process.eventlog.log import EventLog

_ROLES = ("case", "activity", "resource", "start", "end", "enabled", "transition", "instance")
Columns = Annotated[
    list[str] | None, typer.Option("--column", help="ROLE=COLUMN, where the name is not known · 指定列，角色=列名")
]


def columns_given(column: list[str] | None, language: str) -> dict[str, str]:
    """Columns by role from texts like `case=Order No`.

    Raises:
        DataError: a text is none like that.
    """
    from twin.errors import DataError

    columns = {}
    for text in column or []:
        role, sign, name = text.partition("=")
        if role not in _ROLES or not sign or not name:
            raise DataError(say("bad_column", language, value=text), "--column", say("column_hint", language))
        columns[role] = name
    return columns


def read_given(
    path: Path,
    column: list[str] | None,
    zone: str,
    language: str,
    *,
    case_type: str | None = None,
    if_present: bool = False,
) -> EventLog:
    """The log in a file, with the columns of the option.

    Args:
        path: the file.
        column: texts like `case=Order No`.
        zone: of times that name none.
        language: of the error.
        case_type: of an object-centric log, the type of object that is the case.
        if_present: the option may be meant for other files than this one: a table without those columns is read by the
            usual names.

    Raises:
        DataError: the option or the file is wrong.
    """
    from twin.process.eventlog.files import read_log
    from twin.process.eventlog.tabular import has_columns

    _check_zone(zone)
    columns = columns_given(column, language)
    if if_present and not has_columns(path, columns.values()):
        columns = {}
    return read_log(path, columns=columns, case_type=case_type, zone=zone)


def _check_zone(zone: str) -> None:
    """Whether there is such a zone, also where no time of the log needs it."""
    import zoneinfo

    from twin.errors import DataError

    try:
        zoneinfo.ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise DataError(f"{zone!r} is not a time zone", "--zone", "Write it like Asia/Shanghai.") from error
