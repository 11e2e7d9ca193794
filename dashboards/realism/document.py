"""Writes docs/realism.md: the battery against recorded days, with the pictures of the first of them.

Command: `python -m dashboards.realism.document FOLDER... [--docs docs] [--days 5] [--seed 1]`. The page's words are in
document.md beside this file; every number, verdict and picture is made anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import jinja2

from dashboards.realism import page
from dashboards.realism.figures import FIGURES
from dashboards.realism.words import say
from dashboards.report.style import png
from scenarios.calibration import read_parameters
from scenarios.realism.facts import Holds, read_facts
from scenarios.realism.simulate import stock_like
from scenarios.realism.study import Study, read_recorded, run_study

_DPI = 90
_NAME = "realism"


def studies(folders: Sequence[Path], days: int, seed: int, impact_days: int) -> list[Study]:
    """One study for each recorded day, on the stock that is like it."""
    found = []
    for folder in folders:
        recorded = read_recorded(folder)
        sys.stderr.write(f"{recorded.name}\n")
        found.append(run_study(stock_like(recorded), recorded, days=days, seed=seed, impact_days=impact_days))
    return found


def _cell(study: Study, key: str) -> str:
    """Simulated, recorded and verdict of one fact in one study."""
    finding = next((f for f in study.findings if f.fact.key == key), None)
    if finding is None:
        return "–"
    text = page.short_value(finding.simulated, finding.fact)
    if finding.recorded is not None:
        text += f" / {page.short_value(finding.recorded, finding.fact)}"
    return text if finding.verdict is Holds.UNKNOWN else f"{text} {page.MARKS[finding.verdict]}"


def _rows(found: Sequence[Study], language: str) -> list[list[str]]:
    rows, group = [], ""
    for fact in read_facts():
        if fact.group != group:
            group = fact.group
            rows.append([f"**{say(group, language)}**", *[""] * (len(found) + 2)])
        unit = f" ({say(fact.unit, language)})" if fact.unit else ""
        tolerance = (
            "" if fact.tolerance is None else f"± {fact.tolerance:.0%}" if fact.relative else f"± {fact.tolerance:g}"
        )
        cells = [_cell(study, fact.key) for study in found]
        rows.append([(fact.name(language) + unit).replace("|", "\\|"), *cells, tolerance, page.span(fact)])
    return rows


def _failing(found: Sequence[Study]) -> list[str]:
    """Facts that hold in none of the studies, and those that fail in some."""
    lines = []
    for fact in read_facts():
        verdicts = [f.verdict for study in found for f in study.findings if f.fact.key == fact.key]
        bad = sum(v is Holds.NO for v in verdicts)
        if bad:
            lines.append(f"{fact.en.replace('|', chr(92) + '|')}: fails for {bad} of {len(verdicts)} stocks")
    return lines


def write(found: Sequence[Study], docs: Path, command: str) -> Path:
    """Write the page and the pictures of the first study; returns the page."""
    pictures = docs / _NAME
    pictures.mkdir(parents=True, exist_ok=True)
    shown = []
    for key, draw in FIGURES.items():
        figure = draw(found[0], "en")
        if figure is not None:
            (pictures / f"{key}.png").write_bytes(png(figure, "en", _DPI))
            shown.append((say(f"picture.{key}"), f"{_NAME}/{key}.png", page.caption(key, found[0], "en")))
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    template = jinja2.Environment(loader=loader, autoescape=False, trim_blocks=True, lstrip_blocks=True).get_template(
        "document.md"
    )
    fitted = read_parameters("background.yaml")["source"]
    text = template.render(
        command=command, fitted=fitted, studies=found, rows=_rows(found, "en"), pictures=shown, failing=_failing(found),
        summaries=[page.summary(study, "en")[0] for study in found],
        chinese=[page.summary(study, "zh")[0] for study in found],
        failing_zh=sorted({f.fact.zh for study in found for f in study.findings if f.verdict is Holds.NO}),
    )  # fmt: skip
    out = docs / f"{_NAME}.md"
    out.write_text(text.rstrip() + "\n", encoding="utf-8")
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the studies and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--impact-days", type=int, default=8)
    given = parser.parse_args(arguments)
    named = " ".join(f"$DATA/{folder.resolve().name}" for folder in given.folders)
    command = f"python -m dashboards.realism.document {named} --days {given.days} --seed {given.seed}"
    write(studies(given.folders, given.days, given.seed, given.impact_days), given.docs, command)


if __name__ == "__main__":
    main()
