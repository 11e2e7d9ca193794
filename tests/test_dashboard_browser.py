"""The dashboard and the report in a real browser: run, refresh, see, download; and not one request to anywhere else."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from synthetic_run import write_synthetic_run

from dashboards.report import write_report

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = Path(os.environ.get("TWIN_CHROMIUM", "/usr/bin/chromium"))
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]


@pytest.fixture(scope="module")
def browser():
    """Chromium, or a reason to skip."""
    missing = None if CHROMIUM.is_file() else f"no Chromium at {CHROMIUM} (set TWIN_CHROMIUM)"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory):
    """Address of the dashboard, whose jobs simulate the stand-in day."""
    folder = tmp_path_factory.mktemp("dashboard")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = dict(os.environ, TWIN_RUNS=str(folder / "runs"), PYTHONPATH=str(ROOT / "tests"))
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "tests" / "standin_app.py")]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--server.port", str(port), "--server.fileWatcherType", "none"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def wait_until_healthy(address, server):
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the dashboard does not start")


def open_page(browser, **options):
    """A page, and every address that it asks for."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True, **options).new_page()
    page.set_default_timeout(60_000)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    return page, asked


def strangers(asked, *own):
    return {url for url in asked if not url.startswith((*own, "data:", "blob:"))}


def test_run_refresh_look_and_download(browser, address):
    page, asked = open_page(browser)
    page.goto(address)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(re.compile(r"job=\d{8}-\d{6}-[0-9a-f]{6}"))
    page.reload()
    page.get_by_test_id("stMetric").first.wait_for()
    assert page.get_by_test_id("stMetricLabel").first.inner_text().startswith("Order latency")
    page.get_by_role("heading", name="Compliance").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the measures (CSV)").click()
    assert Path(download.value.path()).read_text().startswith("replication,")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the report").click()
    assert "<h1>A day of panic</h1>" in Path(download.value.path()).read_text(encoding="utf-8")
    page.get_by_role("radio", name="中文").click()
    page.get_by_role("heading", name="合规").wait_for()
    page.get_by_role("radio", name="市场").click()
    page.get_by_role("heading", name="合规").wait_for(state="detached")
    assert page.get_by_test_id("stException").count() == 0
    assert strangers(asked, address, address.replace("http", "ws")) == set()


def test_address_of_a_job_that_is_gone_is_a_new_page(browser, address):
    page, _ = open_page(browser)
    page.goto(f"{address}/?job=20260101-000000-abcdef")
    page.get_by_text("Choose a scenario on the left").wait_for()
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
def test_report_opens_from_a_file_alone(browser, tmp_path, language, theme):
    runs = [write_synthetic_run(tmp_path / name, stress=stress) for name, stress in (("a", 1.0), ("b", 0.0))]
    path = write_report(*runs, tmp_path / "report", language)
    page, asked = open_page(browser, color_scheme=theme)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    sizes = page.eval_on_selector_all("figure svg", "all => all.map(e => [e.clientWidth, e.clientHeight])")
    assert len(sizes) >= 9
    assert all(width > 600 and height > 100 for width, height in sizes)
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0
    ink, paper = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    dark = sum(int(n) for n in re.findall(r"\d+", paper)[:3]) < 200
    assert dark == (theme == "dark")
    assert ink != paper
    assert complaints == []
    assert strangers(asked, path.as_uri()) == set()
