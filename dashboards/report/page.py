"""The report's page: what is said in words and tables, filled into the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from dashboards.report import provenance, scores
from dashboards.report.figures import FIGURES
from dashboards.report.flows import forest
from dashboards.report.numbers import CLOCK, amount, change, factor, number, setting, span
from dashboards.report.recording import Recording, differences
from dashboards.report.scores import SIGNS, Row
from dashboards.report.style import chinese_font, picture_language, png, svg
from dashboards.report.words import say
from twin.clock import MINUTE, Phase, clock_text, phase_at
from twin.measures.scorecard import DIMENSIONS
from twin.measures.statistics import Verdict

_MOVES = 3  # measures named in a dimension's verdict
_LONG_QUEUE = 100  # messages; shorter queues are not spoken of


@dataclass(frozen=True)
class Shown:
    """A picture as the page holds it."""

    key: str
    title: str
    caption: str
    figure: Figure = field(repr=False)
    language: str

    @property
    def svg(self) -> Markup:
        """The picture as an inline element (drawn by us, so it is safe markup)."""
        return Markup(svg(self.figure, self.key, self.title, self.language))


@dataclass(frozen=True)
class Cells:
    """A scorecard row as text."""

    label: str
    segment: str
    baseline: str
    scenario: str
    difference: str
    interval: str
    factor: str
    sign: str
    word: str
    verdict: str


def cells(row: Row, language: str) -> Cells:
    """A row of the scorecard in words."""
    return Cells(
        label=row.label,
        segment=say(row.segment, language) if row.segment else "",
        baseline=amount(row.baseline, row.unit, language),
        scenario=amount(row.scenario, row.unit, language),
        difference=change(row.difference, row.unit, language),
        interval=span(row.low, row.high, row.unit, language, signed=bool(np.isfinite(row.difference))),
        factor=_times(row),
        sign=SIGNS[row.verdict] if row.verdict else "",
        word=say(row.verdict.value, language) if row.verdict else "",
        verdict=row.verdict.name.lower().replace("_", "-") if row.verdict else "",
    )


def _times(row: Row) -> str:
    """How many times as much, where the difference is told apart from chance and the unit has a natural zero."""
    if row.verdict in (None, Verdict.CANT_TELL, Verdict.SAME) or row.unit in CLOCK:
        return ""
    return factor(row.baseline, row.scenario)


def verdict(rows: Sequence[Row], scenario: Recording, baseline: Recording | None, language: str) -> list[str]:
    """The answer in business words: a sentence or two for each dimension, and where the orders got stuck."""
    if baseline is None:
        return [say("verdict.alone", language), *_bottleneck(scenario, language)]
    out = [say("verdict.one", language)] if min(len(scenario.replications), len(baseline.replications)) < 2 else []
    for dimension in DIMENSIONS:
        part = [row for row in rows if row.dimension == dimension and not row.segment]
        if part:
            out.append(_dimension_verdict(dimension, part, language))
    if scenario.manifest.get("seed") != baseline.manifest.get("seed"):
        out.append(say("seeds", language, a=scenario.manifest.get("seed"), b=baseline.manifest.get("seed")))
    return [*out, *_bottleneck(scenario, language)]


def _dimension_verdict(dimension: str, part: Sequence[Row], language: str) -> str:
    count = {word: sum(row.verdict is word for row in part) for word in Verdict}
    once = [row for row in part if row.verdict in (Verdict.ROSE_ONCE, Verdict.FELL_ONCE)]
    if once:
        once.sort(key=lambda row: -_size(row))
        moves = ("；" if language == "zh" else "; ").join(_move(row, language) for row in once[:_MOVES])
        colon = "：" if language == "zh" else ": "
        return f"{say(dimension, language)}{colon}{say('verdict.moves', language, moves=moves)}"
    if not any(count[word] for word in (Verdict.WORSE, Verdict.BETTER, Verdict.CANT_TELL)):
        return say("verdict.same", language, dimension=say(dimension, language))
    text = say(
        "verdict.count",
        language,
        dimension=say(dimension, language),
        worse=count[Verdict.WORSE],
        better=count[Verdict.BETTER],
        unknown=count[Verdict.CANT_TELL],
        total=len(part),
    )
    clear = [row for row in part if row.verdict in (Verdict.BETTER, Verdict.WORSE)]
    clear.sort(key=lambda row: -_size(row))
    if not clear:
        return text
    moves = ("；" if language == "zh" else "; ").join(_move(row, language) for row in clear[:_MOVES])
    return f"{text}{'' if language == 'zh' else ' '}{say('verdict.moves', language, moves=moves)}"


def _size(row: Row) -> float:
    """How large a change is as a ratio, the same for rises and falls."""
    if row.baseline <= 0 or row.scenario <= 0:
        return 0.0 if row.baseline == row.scenario else 1e3
    return abs(float(np.log(row.scenario / row.baseline)))


def _move(row: Row, language: str) -> str:
    times = _times(row)
    values = {"before": amount(row.baseline, row.unit, language), "after": amount(row.scenario, row.unit, language)}
    label = row.label if language == "zh" else row.label[:1].lower() + row.label[1:]
    return say("verdict.move" if times else "verdict.move0", language, label=label, factor=times, **values)


def _bottleneck(run: Recording, language: str) -> list[str]:
    """The station with the longest queue while the market trades, when there is one to speak of."""
    found = (0.0, "", 0)
    for station, line in run.series("queue_length").items():
        # What waits for a closed market queues by rule, and is let go in the first minute.
        trading = np.array([phase_at(max(0, int(t) - MINUTE)) is Phase.CONTINUOUS for t in line.time_ns])
        trading &= np.array([phase_at(int(t)) is Phase.CONTINUOUS for t in line.time_ns])
        lengths = np.where(trading & np.isfinite(line.mean), line.mean, 0.0)
        if len(lengths):
            top = int(np.argmax(lengths))
            found = max(found, (float(lengths[top]), station, int(line.time_ns[top])))
    queue, station, time_ns = found
    if queue < _LONG_QUEUE:
        return []
    words = {"station": say(station, language), "queue": number(queue, language), "time": clock_text(time_ns)[:5]}
    return [say("verdict.queue", language, **words)]


def pictures(
    scenario: Recording, baseline: Recording | None, rows: Sequence[Row], language: str
) -> tuple[list[Shown], list[str]]:
    """The pictures that the runs can give, and the titles of those that they cannot."""
    inside = picture_language(language)
    shown, missing = [], []
    for key, draw in FIGURES.items():
        title = say(f"picture.{key}", language)
        fig = draw(scenario, baseline, inside)
        if fig is None:
            missing.append(title)
        else:
            shown.append(Shown(key, title, say(f"caption.{key}", language), fig, inside))
    labels = scores.relabel([row for row in rows if not row.segment], inside)
    if baseline is not None and (fig := forest(labels, inside)) is not None:
        shown.insert(0, Shown("forest", say("picture.forest", language), say("caption.forest", language), fig, inside))
    return shown, missing


def context(scenario: Recording, baseline: Recording | None, language: str) -> tuple[dict[str, Any], list[Shown]]:
    """Everything that the template says, and the pictures."""
    rows = scores.rows(scenario, baseline, language)
    shown, missing = pictures(scenario, baseline, rows, language)
    headline = {
        d: [cells(r, language) for r in rows if r.dimension == d and not r.segment] for d in scores.dimensions(rows)
    }
    settings = provenance.settings(scenario)
    names = {"scenario": scenario.text("title", language) or scenario.name}
    if baseline is not None:
        names["baseline"] = baseline.text("title", language) or baseline.name
    return {
        "say": lambda text, **values: say(text, language, **values),
        "language": {"zh": "zh-CN"}.get(language, language),
        "title": names["scenario"],
        "subtitle": say("against" if baseline else "alone", language, **names),
        "story": scenario.text("story", language),
        "paired": baseline is not None,
        "names": names,
        "n": len(scenario.replications),
        "differs": _differs(scenario, baseline),
        "verdict": verdict(rows, scenario, baseline, language),
        "scorecard": headline,
        "segments": [cells(row, language) for row in rows if row.segment],
        "pictures": shown,
        "missing_pictures": missing,
        "missing_measures": scores.missing(rows, language),
        "english_pictures": language == "zh" and chinese_font() is None,
        "runs": [_provenance(run, language) for run in (scenario, baseline) if run],
        "settings": settings,
        "assumed": sum("assumed" in source for _, _, source in settings),
        "command": provenance.command(scenario, baseline),
    }, shown


def _differs(scenario: Recording, baseline: Recording | None) -> list[tuple[str, str, str]]:
    if baseline is None:
        return []
    found = differences(baseline.scenario, scenario.scenario)
    return [(key, setting(old), setting(new)) for key, old, new in found]


def _provenance(run: Recording, language: str) -> dict[str, Any]:
    """Where a run comes from, how its market was sampled, and how long it took."""
    return {
        "title": run.text("title", language) or run.name,
        "facts": provenance.facts(run, language),
        "notes": provenance.notes(run, language),
    }


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html")


def render(scenario: Recording, baseline: Recording | None, language: str) -> tuple[str, list[Shown]]:
    """The page as HTML, and its pictures."""
    values, shown = context(scenario, baseline, language)
    return _template().render(values), shown


def save_pictures(shown: Sequence[Shown], folder: Path) -> list[Path]:
    """Write the pictures as PNG files beside the report."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for picture in shown:
        path = folder / f"{picture.key}.png"
        path.write_bytes(png(picture.figure, picture.language))
        paths.append(path)
    return paths
