"""The report says what the tables say, in both languages, alone or beside a baseline, and asks nobody for anything."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from synthetic_run import write_synthetic_run

from dashboards.report import page as page_module
from dashboards.report import write_report
from dashboards.report.numbers import amount, change, span
from dashboards.report.provenance import command
from dashboards.report.recording import Recording, differences
from scenarios.loader import load
from twin.errors import RunError
from twin.measures.scorecard import REGISTRY, headline


class Rows(HTMLParser):
    """Table rows as lists of texts; all text outside pictures; every attribute that could fetch."""

    def __init__(self):
        super().__init__()
        self.tables, self.texts, self.addresses, self.ids = [], [], [], []
        self._cell = None
        self._skip = 0

    def handle_starttag(self, tag, attrs):
        self._skip += tag in ("svg", "style")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self._cell = ""
        for key, value in attrs:
            if key in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.addresses.append(value)
            if key == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        self._skip -= tag in ("svg", "style")
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(" ".join(self._cell.split()))
            self._cell = None

    @property
    def scorecard(self):
        """Cells by measure."""
        marks = {"95 % interval", "95 % 置信区间"}
        table = next(table for table in self.tables if marks & set(table[0]))
        return {row[0]: row[1:] for row in table[1:] if len(row) > 1}

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data
        if not self._skip:
            self.texts.append(data)


def read(path):
    page = Rows()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return write_synthetic_run(out / "extreme", stress=1.0), write_synthetic_run(out / "ordinary")


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    return write_report(*runs, tmp_path_factory.mktemp("report"), pictures=True)


@pytest.fixture(scope="module")
def chinese(runs, tmp_path_factory):
    return write_report(*runs, tmp_path_factory.mktemp("report") / "zh.html", "zh")


@pytest.fixture
def words_only(monkeypatch):
    """No pictures: what is asked is said in words, and drawing takes seconds."""
    monkeypatch.setattr(page_module, "FIGURES", {})
    monkeypatch.setattr(page_module, "forest", lambda *_: None)


def values(folder, measure):
    table = pq.read_table(folder / "measures.parquet").to_pandas()
    rows = table[(table["measure"] == measure) & (table["segment"] == "")].sort_values("replication")
    return rows["value"].to_numpy()


def test_every_headline_measure_has_the_numbers_of_the_tables(runs, page):
    rows = read(page).scorecard
    assert len(headline()) >= 15
    for measure in headline():
        after, before = values(runs[0], measure.name), values(runs[1], measure.name)
        difference = after - before
        half = stats.t.ppf(0.975, len(after) - 1) * stats.sem(difference)
        ends = difference.mean() - half, difference.mean() + half
        assert rows[measure.label_en][:4] == [
            amount(before.mean(), measure.unit),
            amount(after.mean(), measure.unit),
            change(difference.mean(), measure.unit),
            span(*ends, measure.unit),
        ]


def test_direction_of_a_measure_decides_what_is_worse(page):
    meaning = {label: row[4] for label, row in read(page).scorecard.items()}
    assert meaning["Order latency, 99th percentile"].startswith("▼ worse")
    assert meaning["Commission earned"].startswith("▲ better")
    assert meaning["Calls answered within 20 s"].startswith("▼ worse")
    assert meaning["Orders submitted"].startswith("↑ more")
    assert meaning["Orders refused"] == "= no change"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_page_asks_nobody_for_anything(page, chinese, language):
    path = page if language == "en" else chinese
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://|//[a-z0-9]+\.[a-z]|@import", text)
    assert all(address.startswith(("#", "data:")) for address in read(path).addresses)
    assert "<script" not in text


def test_ids_in_the_page_are_unique(page):
    ids = read(page).ids
    assert len(ids) > 50
    assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_chinese_page_has_no_english_label_of_the_registry(chinese):
    said = " ".join(read(chinese).texts)
    left = [m.label_en for m in REGISTRY.values() if m.label_en in said]
    assert left == []
    assert all(m.label_zh in said for m in headline())


def test_pictures_are_written_beside_the_page(page):
    names = {path.stem for path in (page.parent / "pictures").glob("*.png")}
    assert {"forest", "order_rate", "latency", "queues", "market", "funnel", "batch", "utilisation"} <= names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (page.parent / "pictures").iterdir())


@pytest.mark.slow
def test_same_runs_give_the_same_page(runs, page, tmp_path):
    again = write_report(*runs, tmp_path)
    assert again.read_bytes() == page.read_bytes()


def test_one_run_alone_shows_means_without_a_verdict(runs, tmp_path, words_only):
    page = read(write_report(runs[0], None, tmp_path))
    mean = values(runs[0], "order_latency_p50")
    half = stats.t.ppf(0.975, len(mean) - 1) * stats.sem(mean)
    assert page.scorecard["Order latency, median"] == [
        amount(mean.mean(), "ms"),
        span(mean.mean() - half, mean.mean() + half, "ms", signed=False),
    ]
    assert not any("worse" in text for text in page.texts)


@pytest.mark.slow
def test_one_replication_can_tell_nothing(tmp_path):
    runs = [write_synthetic_run(tmp_path / n, stress=s, replications=1) for n, s in (("a", 1.0), ("b", 0.0))]
    page = read(write_report(*runs, tmp_path / "report"))
    words = {row[4].split("(")[0].strip() for row in page.scorecard.values()}
    assert "△ rose in one run" in words
    assert words <= {"△ rose in one run", "▽ fell in one run", "= no change"}
    assert any("One replication each" in text for text in page.texts)


def test_run_against_itself_shows_no_change(runs, tmp_path, words_only):
    page = read(write_report(runs[1], runs[1], tmp_path))
    assert {row[4] for row in page.scorecard.values()} == {"= no change"}
    assert "The two scenarios are the same." in page.texts


@pytest.mark.slow
def test_what_was_not_recorded_is_named_not_drawn(tmp_path):
    lacking = ("order_latency_ms", "batch_queue", "onboarding_lost", "utilisation", "complaints", "queue_length")
    runs = [write_synthetic_run(tmp_path / n, stress=s, without=lacking) for n, s in (("a", 1.0), ("b", 0.0))]
    path = write_report(*runs, tmp_path / "report", pictures=True)
    said = " ".join(read(path).texts)
    assert "so not drawn: How long an order takes, Where orders wait, How busy everything is" in said
    assert re.search(r"Not measured in these runs: [^.]*Complaints expected", said)
    assert not (path.parent / "pictures" / "latency.png").exists()


def test_unknown_measure_is_shown_by_its_name(runs, tmp_path, words_only):
    folder = write_synthetic_run(tmp_path / "run")
    table = pq.read_table(folder / "measures.parquet").to_pylist()
    table += [{**table[r], "measure": "cups_of_tea", "segment": "", "value": 7.0, "replication": r} for r in range(3)]
    pq.write_table(pa.Table.from_pylist(table), folder / "measures.parquet")
    page = read(write_report(folder, runs[1], tmp_path / "report"))
    assert page.scorecard["cups of tea"][:3] == ["–", "7", "–"]


def test_markup_in_a_title_is_text(tmp_path, words_only):
    title = {"en": "<script>alert(1)</script> & more", "zh": ""}
    run = write_synthetic_run(tmp_path / "run", title=title)
    text = write_report(run, None, tmp_path / "report").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text


def test_unpaired_seeds_are_said(tmp_path, words_only):
    runs = [write_synthetic_run(tmp_path / name, stress=stress) for name, stress in (("a", 1.0), ("b", 0.0))]
    manifest = json.loads((runs[0] / "manifest.json").read_text(encoding="utf-8"))
    (runs[0] / "manifest.json").write_text(json.dumps({**manifest, "seed": 99}), encoding="utf-8")
    said = " ".join(read(write_report(*runs, tmp_path / "report")).texts)
    assert "The seeds differ (99 and 1)" in said


def test_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        write_report(tmp_path, None, tmp_path / "report")
    with pytest.raises(RunError, match="language 'fr'"):
        write_report(tmp_path, None, tmp_path / "report", "fr")


def test_command_names_the_settings_that_were_changed(tmp_path):
    both = ["clients.count=10000"]
    folders = []
    for name, settings in (("extreme-day", [*both, "service_desk.staff.agents=40"]), ("ordinary-day", both)):
        scenario = load(name, settings).model_dump(mode="json")
        folders.append(Recording(write_synthetic_run(tmp_path / name, **scenario)))
    assert command(*folders) == (
        "python run_scenario.py extreme-day --against ordinary-day --set-both clients.count=10000 "
        "--set service_desk.staff.agents=40 --replications 3 --seed 1"
    )


def test_differences_name_the_deepest_key_that_differs():
    before = {"name": "a", "core": {"capacity": "8000/s", "n": 1}, "staff": {}}
    after = {"name": "b", "core": {"capacity": "9000/s", "n": 1}, "staff": {"agents": 4}}
    assert differences(before, after) == [("core.capacity", "8000/s", "9000/s"), ("staff.agents", None, 4)]


def test_replications_that_lack_a_point_leave_a_hole(runs):
    line = Recording(runs[0]).series("orders_per_s")[""]
    values = line.values.copy()
    values[0, 5] = np.nan
    values[:, 6] = np.nan
    holed = type(line)(line.time_ns, values)
    assert holed.mean[5] == pytest.approx(line.values[1:, 5].mean())
    assert np.isnan([holed.mean[6], holed.low[6], holed.high[6]]).all()
