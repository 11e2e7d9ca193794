"""The result of a realism study in words: table rows, summary lines, the page, the pictures as files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from dashboards.realism.figures import FIGURES
from dashboards.realism.words import say
from dashboards.report.style import picture_language, png, svg
from scenarios.realism.facts import Fact, Holds
from scenarios.realism.study import Finding, Study
from twin.errors import RunError
from twin.measures.resampling import Measured

_DPI = 110
PAGE = "realism.html"
MARKS = {Holds.YES: "✓", Holds.LIKELY: "(✓)", Holds.DOUBTFUL: "(✗)", Holds.NO: "✗", Holds.UNKNOWN: "–"}


@dataclass(frozen=True)
class Line:
    """A row of the table: its cells, the style of each, and a note."""

    cells: list[str]
    styles: list[str]
    note: str
    group: str


def value(found: Measured | None, fact: Fact) -> str:
    """A statistic with its interval."""
    if found is None or not found.known:
        return "–"
    text = f"{found.value:,.{fact.digits}f}"
    if found.low != found.low:
        return text
    return f"{text} [{found.low:,.{fact.digits}f}, {found.high:,.{fact.digits}f}]"


def short_value(found: Measured | None, fact: Fact) -> str:
    """A statistic alone."""
    return "–" if found is None or not found.known else f"{found.value:,.{fact.digits}f}"


def span(fact: Fact) -> str:
    """The published range."""
    if fact.low is None and fact.high is None:
        return ""
    if fact.high is None:
        return f"> {fact.low:g}"
    return f"< {fact.high:g}" if fact.low is None else f"{fact.low:g} … {fact.high:g}"


def _tolerance(finding: Finding) -> str:
    fact = finding.fact
    if fact.tolerance is None or finding.recorded is None:
        return ""
    return f"± {fact.tolerance:.0%}" if fact.relative else f"± {fact.tolerance:g}"


def headings(study: Study, language: str) -> list[str]:
    """Columns of the table."""
    names = ["fact", "simulated", "recorded", "tolerance", "holds", "range", "in range"]
    if study.recorded is None:
        names = ["fact", "simulated", "range", "holds"]
    return [say(name, language) for name in names]


def lines(study: Study, language: str) -> list[Line]:
    """Rows of the table, in the order of the facts."""
    found = []
    for finding in study.findings:
        fact, verdict = finding.fact, finding.verdict
        unit = f" ({say(fact.unit, language)})" if fact.unit else ""
        cells = [fact.name(language) + unit, value(finding.simulated, fact)]
        if study.recorded is None:
            cells += [span(fact), say(verdict.value, language)]
            styles = ["", "nowrap", "nowrap", verdict.value]
        else:
            ranges = [finding.published, finding.recorded_published]
            inside = " / ".join(MARKS[v] for v in ranges) if span(fact) else ""
            cells += [value(finding.recorded, fact), _tolerance(finding), say(verdict.value, language)]
            cells += [span(fact), inside]
            styles = ["", "nowrap", "nowrap", "nowrap", verdict.value, "nowrap", "nowrap"]
        note = f"{finding.simulated.method}" + (f"; {fact.source}" if fact.source else "")
        found.append(Line(cells, styles, note, fact.group))
    return found


def subtitle(study: Study, language: str) -> str:
    """What was compared with what."""
    stock, days = study.stock, len(study.simulated)
    values = {"days": days, "price": f"{stock.previous_close / 100:,.2f}", "orders": f"{stock.orders:,.0f}"}
    if study.recorded is None:
        return say("beside published", language, **values)
    return say("beside recorded", language, recorded=study.recorded.day.name, **values)


def summary(study: Study, language: str) -> tuple[str, str]:
    """How many facts hold, and which do not."""
    counts = {verdict.value: study.count(verdict) for verdict in Holds}
    names = [f.fact.name(language) for f in study.findings if f.verdict is Holds.NO]
    failing = say("failing", language, names=("；" if language == "zh" else "; ").join(names)) if names else ""
    return say("count", language, **counts), failing


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    return jinja2.Environment(loader=loader, autoescape=True).get_template(PAGE.replace("realism", "page"))


def caption(key: str, study: Study, language: str) -> str:
    """What a picture shows."""
    days = len(study.impact.impacts) if study.impact else 0
    return say(f"caption.{key}", language, **({"n": days} if key == "metaorder" else {}))


def write(study: Study, out: Path, language: str) -> tuple[Path, Path]:
    """Write the page and, beside it, each picture as PNG; returns the page and the folder of the pictures.

    Raises:
        RunError: they cannot be written.
    """
    inside = picture_language(language)
    figures: dict[str, Figure] = {}
    for key, draw in FIGURES.items():
        figure = draw(study, inside)
        if figure is not None:
            figures[key] = figure
    shown = [
        {
            "title": say(f"picture.{key}", language),
            "caption": caption(key, study, language),
            "svg": Markup(svg(figure, key, say(f"picture.{key}", language), inside)),
        }
        for key, figure in figures.items()
    ]
    count, failing = summary(study, language)
    groups = [(say(name, language), list(rows)) for name, rows in groupby(lines(study, language), lambda r: r.group)]
    text = _template().render(
        language=language, title=say("title", language), subtitle=subtitle(study, language), count=count,
        failing=failing, headings=headings(study, language), groups=groups, how=say("how verdicts", language),
        no_metaorders=say("no metaorders", language), pictures=shown,
    )  # fmt: skip
    pictures = out / "pictures"
    try:
        pictures.mkdir(parents=True, exist_ok=True)
        for key, figure in figures.items():
            (pictures / f"{key}.png").write_bytes(png(figure, inside, _DPI))
        (out / PAGE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"the page cannot be written: {error}", where=str(out)) from error
    return out / PAGE, pictures
