"""Follows a growing log and renews the forecast when something came."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from twin.errors import DataError
from twin.process.discovery import DiscoveredProcess
from twin.process.eventlog.log import EventLog
from twin.process.forecasting.forecast import Forecast, Plan, forecast
from twin.process.forecasting.measures import COUNTS, MEASURES
from twin.process.forecasting.scores import quantiles
from twin.process.forecasting.sources import Source, SourceAwayError
from twin.process.forecasting.worlds import end_of

_GROWTH = 1.1
"""The process is discovered anew when so many times as many cases have begun."""
Kind = Literal["forecast", "too_little", "away", "back", "nothing"]


@dataclass(frozen=True)
class News:
    """One look at a source.

    Attributes:
        kind: a forecast; rows that are too few for one; a source that has gone away or come back; nothing new.
        rows: of the log.
        cases: of the log.
        new_rows: since the last forecast.
        new_cases: since the last forecast.
        anew: whether the log was cut or made anew.
        why: what is missing or wrong.
        found: the forecast.
    """

    kind: Kind
    rows: int = 0
    cases: int = 0
    new_rows: int = 0
    new_cases: int = 0
    anew: bool = False
    why: str = ""
    found: Forecast | None = None


class Watcher:
    """Looks at a source and forecasts from what it holds.

    Args:
        source: of the log.
        plan: what to forecast.
        process: how cases go on; None discovers it, and again when the log has grown by a tenth.
        live: forecast from the present rather than from the last event.
        pool: worker processes.
    """

    def __init__(
        self,
        source: Source,
        plan: Plan,
        process: DiscoveredProcess | None = None,
        *,
        live: bool = False,
        pool: ProcessPoolExecutor | None = None,
    ) -> None:
        self._source, self._plan, self._given = source, plan, process
        self._live, self._pool = live, pool
        self._process: DiscoveredProcess | None = process
        self._discovered_on = 0
        self._rows = self._cases = 0
        self._away = False

    @property
    def place(self) -> str:
        """Where the log comes from."""
        return self._source.place

    def look(self) -> list[News]:
        """What one look at the source shows, in order.

        Raises:
            DataError: the source is something else than a log.
        """
        try:
            snapshot = self._source.poll()
        except SourceAwayError as error:
            was, self._away = self._away, True
            return [] if was else [News("away", why=error.what)]
        news = [News("back")] if self._away else []
        self._away = False
        if snapshot is None:
            return [*news, News("nothing")]
        if snapshot.anew:
            self._process, self._discovered_on, self._rows, self._cases = self._given, 0, 0, 0
        return [*news, self._renew(snapshot.log, anew=snapshot.anew)]

    def _renew(self, log: EventLog, *, anew: bool) -> News:
        cases = log.cases
        seen = News("nothing", len(log), cases, len(log) - self._rows, cases - self._cases, anew)
        self._rows, self._cases = len(log), cases
        if self._given is None and cases > _GROWTH * self._discovered_on:
            self._process = None
        instant = max(end_of(log), time.time_ns() // 1_000_000_000 * 1_000_000_000 if self._live else 0)
        try:
            found = forecast(log, instant, self._plan, self._process, self._pool)
        except DataError as error:
            return replace(seen, kind="too_little", why=error.what)
        if self._process is None:
            self._process, self._discovered_on = found.process, cases
        return replace(seen, kind="forecast", found=found)


def watch(watcher: Watcher, every: float, stop: threading.Event | None = None) -> Iterator[News]:
    """Look again and again, and tell what is new.

    Args:
        watcher: what to look at.
        every: seconds between looks.
        stop: ends it after the look under way; None = it has no end.
    """
    stop = stop or threading.Event()
    while not stop.is_set():
        for news in watcher.look():
            if news.kind != "nothing":
                yield news
        stop.wait(every)


def look_once(watcher: Watcher) -> News:
    """One look, for scripts.

    Raises:
        DataError: there is nothing to forecast from.
    """
    for news in watcher.look():
        if news.kind == "forecast":
            return news
        if news.kind in ("away", "too_little"):
            raise DataError(news.why, where=watcher.place)
    raise DataError("there is nothing new", where=watcher.place)


def outlook(found: Forecast) -> dict[str, tuple[float, float, float]]:
    """Median and 80 % band over the whole horizon: of counts their sum, of the rest the value at its end."""
    out = {}
    for m, name in enumerate(MEASURES):
        x = found.members[:, :, m]
        if np.isnan(x).all():
            continue
        whole = x.sum(axis=1) if name in COUNTS else x[:, -1]
        low, middle, high = quantiles(whole.reshape(-1, 1), np.array([0.1, 0.5, 0.9]))[:, 0].tolist()
        out[name] = (middle, low, high)
    return out
