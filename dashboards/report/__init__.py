"""Reports: one self-contained page that puts a scenario beside its baseline."""

from __future__ import annotations

from pathlib import Path

from twin.errors import RunError


def write_report(
    scenario_run: Path, baseline_run: Path | None, out: Path, language: str = "en", *, pictures: bool = False
) -> Path:
    """Write the report of a run, beside a baseline if there is one.

    Args:
        scenario_run: folder of the scenario's run.
        baseline_run: folder of the baseline's run, or None.
        out: the HTML file to write, or a folder in which to write `report.html`.
        language: `en` or `zh`.
        pictures: also write each picture as PNG into `pictures/` beside the page.

    Returns:
        The page's path.

    Raises:
        RunError: a run cannot be read, the page cannot be written, or the language is not known.
    """
    # Imported here: drawing costs half a second, which `--help` must not pay.
    from dashboards.report.page import render, save_pictures
    from dashboards.report.recording import Recording
    from dashboards.report.words import LANGUAGES

    if language not in LANGUAGES:
        raise RunError(f"no report in the language {language!r}", hint=f"Known: {', '.join(LANGUAGES)}.")
    scenario = Recording(Path(scenario_run))
    baseline = None if baseline_run is None else Recording(Path(baseline_run))
    text, shown = render(scenario, baseline, language)
    path = Path(out)
    path = path if path.suffix in (".html", ".htm") else path / "report.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
        if pictures:
            save_pictures(shown, path.parent / "pictures")
    except OSError as error:
        raise RunError(f"the report cannot be written: {error}", where=str(path)) from error
    return path
