"""Forecasts and backtests as tables, plain values and Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dashboards.console import simple_table
from dashboards.forecast.words import joined, say
from twin.process.forecasting.delivery import POOLED
from twin.process.forecasting.evaluate import DELIVERED, FORECASTS, TWIN, Score
from twin.process.forecasting.forecast import SHARES, Forecast
from twin.process.forecasting.measures import COUNTS, MEASURES
from twin.process.forecasting.scores import BANDS
from twin.process.forecasting.spans import span_text, text_of
from twin.process.forecasting.week import DAY
from twin.process.notes import told

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = 24
"""Intervals in the table on screen; all of them are in the files."""
_CASES = 20


def number(value: float, measure: str) -> str:
    """A value as the table shows it."""
    if not np.isfinite(value):
        return "–"
    if measure == "utilisation":
        return f"{value:.0%}"
    return f"{value:,.0f}" if measure in COUNTS or measure in ("wip", "waiting") else f"{value:,.1f}"


def clock(instant: float, step: int, zone: str) -> str:
    """An instant as the table shows it, by the clocks of a zone."""
    if not np.isfinite(instant):
        return "–"
    text = text_of(round(instant / 1e9) * 10**9, zone)
    return text[:10] if step % DAY == 0 and text[11:19] == "00:00:00" else text[:16].replace("T", " ")


def measures_of(found: Forecast) -> list[int]:
    """Measures that have a value."""
    return [m for m in range(len(MEASURES)) if not np.isnan(found.members[:, :, m]).all()]


def bands_table(found: Forecast, language: str, zone: str = "UTC") -> Table:
    """Median and 80 % band of each measure at the end of each interval."""
    bands, shown = found.bands(), measures_of(found)
    n = len(found.edges) - 1
    every = max(1, -(-n // _SHOWN))
    rows = []
    for i in range(every - 1, n, every):
        row = [clock(float(found.edges[i + 1]), found.plan.step, zone)]
        for m in shown:
            name = MEASURES[m]
            low, mid, high = (number(float(bands[q, i, m]), name) for q in (1, 3, 5))
            row.append(f"{mid} [{low}, {high}]" if mid != "–" else "–")
        rows.append(row)
    return simple_table([say("interval", language), *(say(MEASURES[m], language) for m in shown)], rows)


def cases_table(found: Forecast, language: str, zone: str = "UTC") -> Table:
    """The open cases, the longest first."""
    cases = found.cases
    keys = ["case", "born", "activity", "resource", "since", "chance", "end", "end_band"]
    late = found.plan.deadline is not None
    rows = []
    for i in range(min(len(cases.name), _CASES)):
        row = [
            cases.name[i],
            clock(float(cases.born[i]), 1, zone),
            cases.activity[i],
            cases.resource[i] or say("quiet", language),
            clock(float(cases.since[i]), 1, zone),
            f"{cases.chance[i]:.0%}",
            clock(float(cases.end[i]), 1, zone),
            f"{clock(float(cases.low[i]), 1, zone)[5:]} – {clock(float(cases.high[i]), 1, zone)[5:]}",
        ]
        rows.append([*row, f"{cases.late[i]:.0%}"] if late else row)
    return simple_table([say(key, language) for key in (*keys, "late")[: len(keys) + late]], rows)


def headlines(found: Forecast, language: str, zone: str = "UTC") -> list[str]:
    """What the forecast rests on, one sentence each."""
    plan, state, arrivals = found.plan, found.state, found.arrivals
    learned = found.delivery.origins
    people = len(np.unique(state.working.resource[state.working.resource >= 0]))
    return [
        say(
            "title",
            language,
            at=text_of(found.instant, zone),
            zone=zone,
            horizon=span_text(plan.horizon),
            step=span_text(plan.step),
            runs=plan.runs,
        ),
        say(
            "now",
            language,
            open=state.expected_open,
            idle=len(state.idle),
            working=len(state.working),
            people=people,
        ),
        say(
            "level",
            language,
            level=arrivals.level.now,
            sd=arrivals.level.sd,
            dispersion=arrivals.dispersion,
            days=arrivals.days,
        ),
        say("process", language, structure=found.process.structure, cases=found.process.source.cases),
        say("learned", language, n=learned) if learned else say("unscaled", language),
        *(told(note, language) for note in found.notes),
    ]


def as_values(found: Forecast, zone: str = "UTC") -> dict[str, Any]:
    """A forecast as plain values, instants with the offset of a zone."""
    bands = found.bands()
    cases = found.cases
    shown = measures_of(found)
    return {
        "as_of": text_of(found.instant, zone),
        "zone": zone,
        "horizon_s": found.plan.horizon / 1e9,
        "step_s": found.plan.step / 1e9,
        "runs": found.plan.runs,
        "seed": found.plan.seed,
        "open_cases": found.state.expected_open,
        "people": found.people,
        "structure": found.process.structure,
        "arrivals": {
            "per_day": found.arrivals.level.now,
            "per_day_sd": found.arrivals.level.sd,
            "memory": found.arrivals.level.memory,
            "walk_sd": found.arrivals.level.walk_sd,
            "dispersion": found.arrivals.dispersion,
            "evenness": found.arrivals.evenness,
        },
        "delivery": {
            "origins": found.delivery.origins,
            "weights": {
                name: dict(zip(POOLED, row, strict=True))
                for name, row in zip(MEASURES, found.delivery.weights.tolist(), strict=True)
            },
            "widened": {
                name: dict(zip((str(band) for band in BANDS), row, strict=True))
                for name, row in zip(MEASURES, np.exp(found.delivery.widths).tolist(), strict=True)
            },
        },
        "quantiles": SHARES.tolist(),
        "bands": {
            MEASURES[m]: [
                {"until": text_of(int(found.edges[i + 1]), zone), "values": [float(x) for x in bands[:, i, m]]}
                for i in range(len(found.edges) - 1)
            ]
            for m in shown
        },
        "cases": [
            {
                "case": cases.name[i],
                "born": text_of(int(cases.born[i]), zone),
                "activity": cases.activity[i],
                "resource": cases.resource[i] or None,
                "since": text_of(int(cases.since[i]), zone),
                "open": float(cases.chance[i]),
                "expected_end": text_of(int(cases.end[i]), zone),
                "end_10": text_of(int(cases.low[i]), zone),
                "end_90": text_of(int(cases.high[i]), zone),
                "late": float(cases.late[i]),
            }
            for i in range(len(cases.name))
        ],
        "notes": list(found.notes),
    }


def write_parquet(found: Forecast, folder: Path, zone: str = "UTC") -> list[Path]:
    """Bands, past and open cases as Parquet files in a folder, instants in a zone."""
    n = len(found.edges) - 1
    bands = found.bands()
    columns: dict[str, Any] = {
        "from": _times(np.repeat(found.edges[:-1], len(MEASURES)), zone),
        "until": _times(np.repeat(found.edges[1:], len(MEASURES)), zone),
        "measure": pa.array(list(MEASURES) * n),
    }
    columns |= {f"q{share * 100:g}": bands[k].ravel() for k, share in enumerate(SHARES.tolist())}
    past = {
        "from": _times(np.repeat(found.past_edges[:-1], len(MEASURES)), zone),
        "until": _times(np.repeat(found.past_edges[1:], len(MEASURES)), zone),
        "measure": pa.array(list(MEASURES) * len(found.past)),
        "value": found.past.ravel(),
    }
    cases = found.cases
    table = {
        "case": cases.name,
        "born": _times(cases.born, zone),
        "activity": cases.activity,
        "resource": pa.array([name or None for name in cases.resource], pa.string()),
        "since": _times(cases.since, zone),
        "open": cases.chance,
        "expected_end": _times(cases.end.astype(np.int64), zone),
        "end_10": _times(cases.low.astype(np.int64), zone),
        "end_90": _times(cases.high.astype(np.int64), zone),
        "late": cases.late,
    }
    paths = []
    for name, content in (("bands", columns), ("past", past), ("cases", table)):
        path = folder / f"{name}.parquet"
        pq.write_table(pa.table(content), path)
        paths.append(path)
    return paths


def _times(instants: Any, zone: str) -> pa.Array:
    return pa.array(np.asarray(instants, np.int64) // 1_000).cast(pa.timestamp("us", tz=zone))


def score_table(scores: list[Score], language: str) -> Table:
    """Backtest by measure: CRPS of each forecast, skill against the best naive one, coverage."""
    heads = [say("measure", language), say("n", language)]
    heads += [f"{say('crps', language)} {say(name, language)}" for name in FORECASTS]
    heads += [say(key, language) for key in ("best", "skill", "verdict", "coverage", "raw_coverage")]
    rows = []
    for score in scores:
        found = score.skill[score.best_naive]
        row = [say(score.measure, language), f"{score.n:,}", *(f"{score.crps[name]:.3g}" for name in FORECASTS)]
        row += [say(score.best_naive, language), f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"]
        row.append(say(score.verdict, language))
        row += [" / ".join(f"{100 * c.value:.0f}" for c in score.coverage[name]) for name in (DELIVERED, TWIN)]
        rows.append(row)
    return simple_table(heads, rows)


def verdicts(scores: list[Score], language: str) -> list[str]:
    """Plain sentences on where the twin is better, where not, and where its bands miss their nominal share."""
    better = [s.measure for s in scores if all(k.verdict == "better" for k in s.skill.values() if np.isfinite(k.value))]
    worse = [s.measure for s in scores if any(k.verdict == "worse" for k in s.skill.values())]
    rest = [s.measure for s in scores if s.verdict != "better" and s.measure not in worse]
    off = [s.measure for s in scores if any(not c.low <= c.band <= c.high for c in s.coverage[DELIVERED])]
    named = (("beats", better), ("not_better", rest), ("worse_on", worse), ("off", off))
    return [say(key, language, names=joined(names, language)) for key, names in named if names]


def score_values(scores: list[Score]) -> list[dict[str, Any]]:
    """A backtest as plain values."""
    return [
        {
            "measure": s.measure,
            "n": s.n,
            "crps": s.crps,
            "mae": s.mae,
            "best_naive": s.best_naive,
            "verdict": s.verdict,
            "skill": {name: vars(k) | {"verdict": k.verdict} for name, k in s.skill.items()},
            "skill_raw": {name: vars(k) | {"verdict": k.verdict} for name, k in s.raw_skill.items()},
            "coverage": {name: [vars(c) for c in cover] for name, cover in s.coverage.items()},
            "rank_histogram": s.histogram,
        }
        for s in scores
    ]
