"""A log that grows: a file, a folder of parts, or a URL, read as far as it is whole."""

from __future__ import annotations

import hashlib
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.errors import DataError, TwinError
from twin.process.eventlog.files import FORMS, read_log
from twin.process.eventlog.log import ACTIVITY, CASE, END, RESOURCE, START, EventLog

_TEXT = (".csv", ".csv.gz")
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
_TIMEOUT = 30.0


class SourceAwayError(TwinError):
    """A source cannot be read at present: it is gone, unreachable, or in the middle of being written."""


@dataclass(frozen=True)
class Snapshot:
    """What a source held.

    Attributes:
        log: its whole rows.
        anew: whether it does not continue what was there before (cut, or created again).
    """

    log: EventLog
    anew: bool


@dataclass
class Source:
    """A log that is looked at again and again.

    Args:
        place: a file, a folder of files, or a URL (http, https, file, and others that fsspec knows).
        zone: IANA name of the zone of times that name none.
        columns: of tables, column by role where its name does not tell.
    """

    place: str
    zone: str = "UTC"
    columns: Mapping[str, str] = field(default_factory=dict)
    _seen: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _tags: dict[str, str] = field(default_factory=dict)
    _marks: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def poll(self) -> Snapshot | None:
        """The log if it is not what it was at the last call, else None.

        Raises:
            SourceAwayError: it cannot be read now.
        """
        parts = self._fetch()
        if parts is None:
            return None
        prints = {name: (len(content), _print_of(content)) for name, content in parts.items()}
        if prints == self._seen:
            return None
        anew = bool(self._seen) and not _continues(self._seen, parts)
        log = merge(_read_parts(parts, self.zone, self.columns))
        self._seen = prints
        return Snapshot(log, anew)

    def _fetch(self) -> dict[str, bytes] | None:
        """Contents by name, as far as they are whole; None if nothing changed for sure."""
        scheme = urllib.parse.urlsplit(self.place).scheme.lower()
        if scheme in ("http", "https"):
            return self._from_web()
        if scheme == "file" or len(scheme) < 2:
            name = urllib.request.url2pathname(urllib.parse.urlsplit(self.place).path) if scheme else self.place
            return self._from_disk(Path(name))
        return self._from_elsewhere()

    def _from_disk(self, path: Path) -> dict[str, bytes] | None:
        try:
            files = sorted(p for p in path.iterdir() if _is_part(p)) if path.is_dir() else [path]
            marks = {str(p): (s.st_ino, s.st_size, s.st_mtime_ns) for p in files for s in [p.stat()]}
            if self._seen and marks == self._marks:
                return None
            parts = {str(p): _whole(p.name, p.read_bytes()) for p in files}
        except OSError as error:
            raise SourceAwayError(str(error.strerror or error), where=self.place) from error
        if not parts:
            raise SourceAwayError("the folder holds no log yet", self.place, f"Names end in {', '.join(FORMS)}.")
        self._marks = marks
        return parts

    def _from_web(self) -> dict[str, bytes] | None:
        request = urllib.request.Request(self.place)
        if self._seen:
            for header, tag in self._tags.items():
                request.add_header(header, tag)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
                content = answer.read()
                kept = {"If-None-Match": answer.headers["ETag"], "If-Modified-Since": _settled(answer.headers)}
        except urllib.error.HTTPError as error:
            if error.code == 304:
                return None
            raise SourceAwayError(f"the server answers {error.code} {error.reason}", where=self.place) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise SourceAwayError(str(reason), where=self.place) from error
        self._tags = {header: tag for header, tag in kept.items() if tag}
        name = Path(urllib.parse.unquote(urllib.parse.urlsplit(self.place).path)).name
        if not name.lower().endswith(FORMS) and "csv" in (answer.headers["Content-Type"] or ""):
            name += ".csv"
        return {name: _whole(name, content)}

    def _from_elsewhere(self) -> dict[str, bytes]:
        import fsspec

        try:
            with fsspec.open(self.place, "rb") as stream:
                content = stream.read()
        except (ValueError, ImportError) as error:
            raise DataError(f"cannot be opened: {error}", where=self.place) from error
        except OSError as error:
            raise SourceAwayError(str(error), where=self.place) from error
        name = self.place.rpartition("/")[2]
        return {name: _whole(name, content)}


def _settled(headers: Message) -> str | None:
    """When a page was last modified, if that tells later versions apart (RFC 9110, 8.8.2.2): it has whole seconds.

    A page modified in the second in which it was fetched may change again without the header showing it.
    """
    modified, now = headers["Last-Modified"], headers["Date"]
    try:
        apart = parsedate_to_datetime(now) - parsedate_to_datetime(modified)
    except (TypeError, ValueError):
        return None
    return str(modified) if apart.total_seconds() > 1 else None


def _is_part(path: Path) -> bool:
    name = path.name.lower()
    return not name.startswith(".") and not name.endswith(_UNFINISHED) and name.endswith(FORMS) and path.is_file()


def _whole(name: str, content: bytes) -> bytes:
    """The content without a last line that is still being written; compressed text comes out plain."""
    lower = name.lower()
    if not lower.endswith(_TEXT):
        return content
    if lower.endswith(".gz"):
        content = _unzipped(content)
    return content[: content.rfind(b"\n") + 1]


def _unzipped(content: bytes) -> bytes:
    """As much as can be read of gzipped text, which may have several members and break off."""
    out = []
    while content:
        reader = zlib.decompressobj(wbits=31)
        try:
            out.append(reader.decompress(content))
        except zlib.error:
            break
        content = reader.unused_data
    return b"".join(out)


def _print_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _continues(before: dict[str, tuple[int, bytes]], now: dict[str, bytes]) -> bool:
    """Whether every part of before is still there and at most longer."""
    for name, (size, held) in before.items():
        if name not in now or len(now[name]) < size:
            return False
        # Other forms than text are written as a whole and differ from their beginning.
        if name.lower().endswith(_TEXT) and _print_of(now[name][:size]) != held:
            return False
    return True


def _read_parts(parts: dict[str, bytes], zone: str, columns: Mapping[str, str]) -> list[EventLog]:
    """Logs of the parts; parts of text with one head line are one log, so that starts find ends in other parts."""
    joined: dict[bytes, list[bytes]] = {}
    first: dict[bytes, str] = {}
    logs = []
    for name, content in parts.items():
        if not name.lower().endswith(_TEXT):
            logs.append(_read(Path(name).name, content, zone, columns))
            continue
        head, _, body = content.partition(b"\n")
        if head.strip():
            first.setdefault(head.strip(), Path(name).name[: -3 if name.lower().endswith(".gz") else None])
            joined.setdefault(head.strip(), []).append(body)
    texts = ((first[head], head + b"\n", b"".join(bodies)) for head, bodies in joined.items())
    logs += [_read(name, head + body, zone, columns) for name, head, body in texts if body]
    if not logs:
        raise SourceAwayError("there is no whole line of events yet")
    return logs


def _read(name: str, content: bytes, zone: str, columns: Mapping[str, str]) -> EventLog:
    suffix = next((form for form in sorted(FORMS, key=len, reverse=True) if name.lower().endswith(form)), None)
    if suffix is None:
        raise DataError("not the name of an event log", where=name, hint=f"Names end in {', '.join(FORMS)}.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"log{suffix}"
        path.write_bytes(content)
        try:
            return read_log(path, columns=columns, zone=zone)
        except DataError as error:
            if name.lower().endswith(_TEXT):
                raise DataError(error.what.replace(str(path), name), where=name, hint=error.hint) from error
            # Written as a whole: until it is, it cannot be read.
            raise SourceAwayError(error.what.replace(str(path), name), where=name) from error


def merge(logs: list[EventLog]) -> EventLog:
    """One log of several; an activity that began in one row and is repeated with its end counts once, with the end."""
    table = pa.concat_tables([log.table for log in logs], promote_options="permissive")
    unfinished = pc.is_null(table[END])
    if pc.any(unfinished).as_py():
        texts = [pc.coalesce(table[name], pa.scalar("")) for name in (CASE, ACTIVITY, RESOURCE)]
        began = pc.cast(table[START].cast(pa.int64()), pa.string())
        key = pc.binary_join_element_wise(*texts, pc.coalesce(began, pa.scalar("")), "\x1f")
        rows = pa.table({"key": key, "row": pa.array(np.arange(len(table)))}).filter(unfinished)
        first = rows.group_by("key").aggregate([("row", "min")])["row_min"]
        known = pc.is_in(key, pc.unique(key.filter(pc.invert(unfinished))))
        again = pc.invert(pc.is_in(pa.array(np.arange(len(table))), first.combine_chunks()))
        table = table.filter(pc.invert(pc.and_(unfinished, pc.or_(known, again))))
    notes = tuple(dict.fromkeys(note for log in logs for note in log.notes))
    columns = {name: table[name] for name in table.column_names}
    case, activity, resource, start, end = (columns.pop(name) for name in (CASE, ACTIVITY, RESOURCE, START, END))
    return EventLog.from_columns(case, activity, resource, start, end, columns, notes)
