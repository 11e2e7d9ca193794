"""First page: choose a scenario and two or three levers, run it in the background, see the day beside its baseline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import charts, jobs
from dashboards.report import write_report
from dashboards.report.figures import STATIONS
from dashboards.report.numbers import duration, number
from dashboards.report.page import Cells, cells, verdict
from dashboards.report.recording import Recording
from dashboards.report.scores import Row, dimensions, rows
from dashboards.report.words import LANGUAGES, say
from scenarios.loader import catalogue
from twin.clock import clock_text
from twin.errors import TwinError
from twin.measures.statistics import Verdict

OUT = Path(os.environ.get("TWIN_RUNS", "runs"))
AS_IS = "as it is"
CAPACITIES = (AS_IS, "2000/s", "4000/s", "6000/s", "8000/s", "12000/s", "16000/s", "32000/s", "80000/s", "unlimited")
AGENTS = (AS_IS, "5", "10", "20", "30", "40", "60", "80", "120", "200", "unlimited")
CLIENTS = (10_000, 50_000, 100_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)
# Sliders that change the broker in the scenario alone, and the settings that they stand for.
LEVERS = {"capacity": "order_path.core.capacity", "agents": "service_desk.staff.agents"}
SIZE = "clients.count"
HEADLINES = ("order_latency_p99", "order_stuck_share", "service_wait_mean", "batch_finish")
_COLOUR = {Verdict.BETTER: "green", Verdict.WORSE: "red"}


def main() -> None:
    """Draw the page."""
    language = _language()
    st.title(say("app.title", language))
    try:
        job = jobs.find(OUT, st.query_params.get("job", ""))
        if job is not None and st.session_state.get("restored") != job.name:
            _restore(job)
        running = job is not None and not job.state().is_over
        spec = _form(language, running=running)
        if spec is not None:
            job = jobs.start(OUT, spec)
            st.query_params["job"] = st.session_state["restored"] = job.name
            st.rerun()
        if job is None:
            st.info(say("app.begin", language))
        else:
            _watch(job, language)
            state = job.state()
            if state.phase == "done":
                _results(job, state, language)
    except TwinError as error:
        st.error(str(error), icon=":material/error:")


def _language() -> str:
    """The language of the page: from the address, until the reader chooses another."""
    asked = st.query_params.get("language", "en")
    st.session_state.setdefault("language", asked if asked in LANGUAGES else "en")
    with st.sidebar:
        label, words = "Language · 语言", list(LANGUAGES)
        chosen = st.segmented_control(label, words, required=True, key="language", format_func=LANGUAGES.__getitem__)
    if chosen != asked:
        st.query_params["language"] = chosen
    return str(chosen)


def _form(language: str, *, running: bool) -> jobs.Spec | None:
    """The sidebar; what to run when its button is pressed."""
    entries = {entry.name: entry.title.get(language) or entry.title.get("en") or entry.name for entry in catalogue()}
    names, first = list(entries), st.session_state.setdefault
    first("scenario", "extreme-day" if "extreme-day" in entries else names[0])
    first("baseline", "ordinary-day" if "ordinary-day" in entries else "")
    for key, value in (("capacity", AS_IS), ("agents", AS_IS), ("clients", 5_000_000), ("replications", 3)):
        first(key, value)
    with st.sidebar:
        st.selectbox(say("scenario", language), names, key="scenario", format_func=entries.__getitem__)
        options = ["", *names]
        st.selectbox(
            say("baseline", language),
            options,
            key="baseline",
            format_func=lambda name: entries.get(name) or say("none", language),
        )
        st.markdown(f"**{say('app.levers', language)}**")
        words = {"format_func": lambda option: say(option, language)}
        st.select_slider(say("capacity of the core counter", language), CAPACITIES, key="capacity", **words)
        st.select_slider(say("app.agents", language), AGENTS, key="agents", **words)
        st.markdown(f"**{say('app.both', language)}**")
        st.select_slider(
            say("app.clients", language), CLIENTS, key="clients", format_func=lambda count: number(count, language)
        )
        st.slider(say("replications", language), 1, 10, key="replications", help=say("app.replications", language))
        pressed = st.button(say("app.run", language), type="primary", width="stretch", disabled=running)
    return _spec() if pressed else None


def _spec() -> jobs.Spec:
    """What the widgets say."""
    state = st.session_state
    changed = tuple(f"{LEVERS[key]}={state[key]}" for key in LEVERS if state[key] != AS_IS)
    both = () if state["clients"] == 5_000_000 else (f"{SIZE}={state['clients']}",)
    return jobs.Spec(state["scenario"], state["baseline"] or None, changed, both, state["replications"])


def _restore(job: jobs.Job) -> None:
    """Set the widgets to what a job from the address ran."""
    spec = job.spec()
    state = st.session_state
    state["restored"] = job.name
    known = {entry.name for entry in catalogue()}
    for key, name in (("scenario", spec.scenario), ("baseline", spec.against or "")):
        if name in known or not name:
            state[key] = name
    chosen = dict(text.split("=", 1) for text in (*spec.settings, *spec.settings_both))
    for key, options in (("capacity", CAPACITIES), ("agents", AGENTS)):
        value = chosen.get(LEVERS[key], AS_IS)
        state[key] = value if value in options else AS_IS
    count = int(chosen.get(SIZE, "5000000"))
    state["clients"] = count if count in CLIENTS else 5_000_000
    state["replications"] = min(10, spec.replications)


def _watch(job: jobs.Job, language: str) -> None:
    """Progress, asked for twice a second while the job runs and not at all afterwards."""
    running = not job.state().is_over

    def watch() -> None:
        state = job.state()
        if state.is_over and running:
            st.rerun()
        if state.phase == "failed":
            st.error(say("app.failed", language, error=state.error), icon=":material/error:")
        elif state.phase == "cancelled":
            st.warning(say("app.cancelled", language), icon=":material/cancel:")
        elif not state.is_over:
            st.progress(state.fraction, text=_progress(state, language))
            if st.button(say("app.cancel", language), key="cancel"):
                job.cancel()

    st.fragment(watch, run_every=0.5 if running else None)()
    st.caption(say("app.command", language))
    st.code(job.spec().command(), language="bash", wrap_lines=True)


def _progress(state: jobs.State, language: str) -> str:
    if not state.total:
        return say("app.starting", language)
    remaining = state.remaining_s
    return say(
        "app.progress",
        language,
        finished=state.finished,
        total=state.total,
        stage=say(f"stage.{state.stage}", language).removeprefix("stage."),
        clock=clock_text(state.sim_time_ns)[:-3] if state.sim_time_ns else "–",
        rate=number(state.orders_per_s, language),
        remaining="–" if remaining is None else duration(1000 * remaining, language),
    )


def _read(folder: str, stamp: int) -> Recording:
    """A run by its folder; `stamp` changes when the folder is written anew."""
    del stamp
    return Recording(Path(folder))


_recording = st.cache_resource(max_entries=8)(_read)


def _open(name: str) -> Recording:
    folder = OUT / name
    manifest = folder / "manifest.json"
    return _recording(str(folder), manifest.stat().st_mtime_ns if manifest.is_file() else 0)


def _results(job: jobs.Job, state: jobs.State, language: str) -> None:
    scenario = _open(state.runs[0])
    baseline = _open(state.runs[1]) if len(state.runs) > 1 else None
    table = rows(scenario, baseline, language)
    st.header(scenario.text("title", language) or scenario.name)
    st.write(scenario.text("story", language))
    _headlines(table, language)
    with st.container(border=True):
        for sentence in verdict(table, scenario, baseline, language):
            st.write(sentence)
    _downloads(job, state, scenario, language)
    views = {"app.orders": _orders, "app.market": _market, "app.people": _people, "app.night": _night}
    # Not tabs: those would draw all views, seen or not, and twenty charts take seconds.
    view = st.segmented_control(
        say("app.view", language),
        ["Scorecard", *views],
        default="Scorecard",
        required=True,
        key="view",
        format_func=lambda key: say(key, language),
        label_visibility="collapsed",
    )
    if view in views:
        views[view](scenario, baseline, language)
    else:
        _scorecard(table, language, paired=baseline is not None)


def _headlines(table: Sequence[Row], language: str) -> None:
    """Four measures, large."""
    shown = [row for name in HEADLINES for row in table if row.measure == name and not row.segment]
    if not shown:
        return
    for column, row in zip(st.columns(len(shown)), shown, strict=True):
        text = cells(row, language)
        times = f" ({text.factor})" if text.factor else ""
        delta = f"{text.sign} {text.word}{times}" if text.word else None
        colour = _COLOUR.get(row.verdict, "gray") if row.verdict else "gray"
        help_text = f"{say('baseline', language)}: {text.baseline}" if text.word else None
        column.metric(row.label, text.scenario, delta, delta_color=colour, delta_arrow="off", help=help_text)


def _scorecard(table: Sequence[Row], language: str, *, paired: bool) -> None:
    whole = [row for row in table if not row.segment]
    for dimension in dimensions(whole):
        st.subheader(say(dimension, language))
        lines = [_line(cells(row, language), language, paired=paired) for row in whole if row.dimension == dimension]
        st.table(pd.DataFrame(lines).set_index(say("measure", language)))
    st.caption(say("scorecard.short", language))


def _line(text: Cells, language: str, *, paired: bool) -> dict[str, str]:
    line = {"measure": text.label}
    if paired:
        line["baseline"] = text.baseline
    line["scenario"] = text.scenario
    if paired:
        line["difference"] = text.difference
    line["95 % interval"] = text.interval or "–"
    if paired:
        line["meaning"] = f"{text.sign} {text.word}" + (f" ({text.factor})" if text.factor else "")
    return {say(key, language): value for key, value in line.items()}


def _downloads(job: jobs.Job, state: jobs.State, scenario: Recording, language: str) -> None:
    def page() -> bytes:
        folders = [OUT / name for name in state.runs]
        path = write_report(folders[0], folders[1] if len(folders) > 1 else None, job.folder / "report.html", language)
        return path.read_bytes()

    def measures() -> bytes:
        return bytes(scenario.run.table("measures").to_pandas().to_csv(index=False).encode())

    left, right = st.columns(2)
    name = scenario.name
    with left:
        label = say("app.report", language)
        st.download_button(label, page, f"{name}.html", "text/html", on_click="ignore", width="stretch")
    with right:
        label = say("app.csv", language)
        st.download_button(label, measures, f"{name}-measures.csv", "text/csv", on_click="ignore", width="stretch")


def _panel(
    scenario: Recording,
    baseline: Recording | None,
    line: tuple[str, str],
    language: str,
    title: str,
    *,
    offset: float = 0.0,
    **more: Any,
) -> None:
    """One chart, or a sentence when the runs did not record it."""
    frame = charts.day_frame(scenario, baseline, [line], language, trading=more.get("trading", True))
    if frame.empty:
        st.caption(say("missing.pictures", language, names=say(title, language)))
        return
    if offset:
        frame[["mean", "low", "high"]] += offset
    st.altair_chart(charts.day_chart(frame, language, title=say(title, language), **more), width="stretch")


def _orders(scenario: Recording, baseline: Recording | None, language: str) -> None:
    _panel(scenario, baseline, ("orders_per_s", ""), language, "orders per second")
    lines = [("order_latency_ms", key) for key in ("p50", "p99", "p999")]
    scale = _common(charts.day_frame(scenario, baseline, lines, language), log=True)
    st.markdown(f"**{say('picture.latency', language)}**")
    for column, line in zip(st.columns(3), lines, strict=True):
        with column:
            _panel(scenario, baseline, line, language, line[1], unit="ms", log=True, legend=False, **scale)
    st.caption(say("caption.latency", language))
    st.markdown(f"**{say('picture.queues', language)}**")
    known = [("queue_length", key) for key in STATIONS if key in scenario.series("queue_length")]
    scale = {"type": "symlog", **_common(charts.day_frame(scenario, baseline, known, language), log=False)}
    for place in range(0, len(known), 4):
        for column, line in zip(st.columns(4), known[place : place + 4], strict=False):
            with column:
                _panel(scenario, baseline, line, language, line[1], legend=False, **scale)
    st.caption(say("caption.queues", language))
    _bars(scenario, baseline, "utilisation", language)


def _common(frame: pd.DataFrame, *, log: bool) -> dict[str, Any]:
    """One vertical scale for panels that are compared."""
    if frame.empty:
        return {}
    low = float(frame["low"][frame["low"] > 0].min()) if log else 0.0
    return {"domain": [low, max(float(frame["high"].max()), low * 1.1, 1.0)]}


def _bars(scenario: Recording, baseline: Recording | None, measure: str, language: str) -> None:
    frame = charts.part_frame(scenario, baseline, measure)
    title = say("picture.utilisation", language)
    if frame.empty:
        st.caption(say("missing.pictures", language, names=title))
        return
    st.altair_chart(charts.bar_chart(frame, language, title=title), width="stretch")
    st.caption(say("caption.utilisation", language))


def _market(scenario: Recording, baseline: Recording | None, language: str) -> None:
    _panel(scenario, baseline, ("index", "traded"), language, "index.traded", offset=-1, unit="share", zero=False)
    _panel(scenario, baseline, ("index", "news"), language, "index.news", offset=-1, unit="share", zero=False)
    _panel(scenario, baseline, ("depth", "best5"), language, "shares at the five best prices")
    _panel(scenario, baseline, ("spread_ticks", ""), language, "spread")


def _people(scenario: Recording, baseline: Recording | None, language: str) -> None:
    _panel(scenario, baseline, ("logins_per_s", ""), language, "logins per second")
    _panel(scenario, baseline, ("calls_waiting", charts.TOTAL), language, "callers waiting for an agent", trading=False)
    line = ("applicants_waiting", charts.TOTAL)
    _panel(scenario, baseline, line, language, "applicants waiting, all steps", trading=False)
    known = [("attention", key) for key in scenario.series("attention")]
    scale = _common(charts.day_frame(scenario, baseline, known, language), log=False)
    if known:
        st.markdown(f"**{say('picture.attention', language)}**")
        for column, line in zip(st.columns(len(known)), known, strict=True):
            with column:
                _panel(scenario, baseline, line, language, line[1], legend=False, **scale)
        st.caption(say("caption.attention", language))


def _night(scenario: Recording, baseline: Recording | None, language: str) -> None:
    for key, title in (("records", "records still to clear"), ("breaks", "breaks still to mend")):
        _panel(scenario, baseline, ("batch_queue", key), language, title, trading=False)
    st.caption(say("caption.batch", language))


main()
